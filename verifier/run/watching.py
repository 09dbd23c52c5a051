"""`progress`: a line that says what a long call is doing, in a terminal or below a notebook's cell, and then goes."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from rich.console import Console

from verifier.balls.feature_enclosure import Progress
from verifier.rank.certify import Stage
from verifier.run.progress import ProgressDisplay, clock

EVERY = 0.2
"""Seconds between two updates of a notebook's line: a browser is slower than the stages."""


@contextmanager
def progress(name: str = "proving") -> Iterator[Stage]:
    """Show what is being done while it is done: a line that changes, and is gone at the end.

    In a Jupyter notebook the line stands below the cell, in a terminal on stderr; elsewhere nothing is shown. Give what
    it yields to any function that takes a ``stage``: `verify`, `prove`, `connect`, `find_minimum`, `architecture`,
    `matrix`, `fuzz.falsify` and others.

    Parameters
    ----------
    name : str, optional
        What stands at the beginning of the line.

    Examples
    --------
    >>> import verifier as vf
    >>> with vf.progress() as stage:
    ...     report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True), stage=stage)
    >>> report.proved
    True
    """
    show = _notebook_display()
    if show is None:
        with ProgressDisplay(Console(stderr=True)).case(name, 0, 0) as stage:
            yield stage
        return
    line = _Line(name, show(_bundle(f"{name} ..."), raw=True, display_id=True))
    try:
        yield line.stage
    finally:
        line.clear()


class _Line:
    """A line below a notebook's cell."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name, self.handle = name, handle
        self.began, self.shown = time.monotonic(), float("-inf")

    def stage(self, text: str) -> Progress:
        """Say what begins; what is returned is told which fraction of it is done."""
        self.say(text)
        return lambda fraction: self.say(f"{text} ({fraction:.0%})")

    def say(self, text: str) -> None:
        """Show a text, unless another one was shown just now."""
        now = time.monotonic()
        if now - self.shown >= EVERY:
            self.shown = now
            self.handle.update(_bundle(f"{self.name}: {text}, {clock(now - self.began)}"), raw=True)

    def clear(self) -> None:
        """Take the line away from the cell."""
        self.handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _bundle(text: str) -> dict[str, str]:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return {"text/plain": plain, "text/html": f'<span style="opacity:.7">{html.escape(plain)}</span>'}


def _notebook_display() -> Callable[..., Any] | None:
    """The function that shows something below a cell, None where this process is no notebook's kernel."""
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    if running is None or not hasattr(running, "kernel"):
        return None
    display: Callable[..., Any] = import_module("IPython.display").display
    return display
