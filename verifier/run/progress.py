"""The progress display: what is being proved, how many cases are done, the time, and an honest estimate of the rest.

The estimate comes from measured times only, and says nothing before three cases are measured. Cases differ in size, so
it is a range where the median and the mean of their times differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean, median

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from verifier.balls.feature_enclosure import Progress as Fraction
from verifier.rank.certify import Stage, silent

MEASURED = 3
"""Cases that must have been measured before an estimate is shown."""
BAR = 10
"""Width of the bar, in characters."""


def span(seconds: float) -> str:
    """A time for people: ``5.3s``, ``240s``, ``75min``, ``12h``."""
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    if seconds < 600:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}min" if seconds < 6000 else f"{seconds / 3600:.0f}h"


def time_left(low: float, high: float) -> str:
    """Say how long something takes, no finer than one knows it.

    Parameters
    ----------
    low, high : float
        Bounds of an estimate in seconds.

    Returns
    -------
    str
        ``about 5 min`` where both are the same in two digits, else ``20 s to 45 s``.
    """
    first, last = _coarse(low), _coarse(high)
    return f"about {last}" if first == last else f"{first} to {last}"


class Pace:
    """Measured times of cases done one after the other."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.times: list[float] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the first case began."""
        return time.monotonic() - self.begun

    def remaining(self, cases: int, spent: float) -> str:
        """Say how long ``cases`` more take to prove, the first having run for ``spent`` seconds; empty if unknown."""
        if len(self.times) < MEASURED or cases < 1:
            return ""
        ends = sorted((median(self.times), fmean(self.times)))
        low, high = (max(0.0, cases * each - min(spent, each)) for each in ends)
        return f"{time_left(low, high)} left to prove"  # the checker may need more: it is not measured here


class ProgressDisplay:
    """A progress line on stderr that tells what is being proved; silent when stderr is not a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._pace: Pace | None = None

    @contextmanager
    def case(self, name: str, position: int, count: int) -> Iterator[Stage]:
        """Show one case while it runs."""
        if not self.console.is_terminal:
            yield silent
            return
        pace = self._pace = self._pace or Pace()
        started = time.monotonic()
        left = count - position

        def times() -> str:
            return clock(pace.elapsed, pace.remaining(left, time.monotonic() - started) if count > 1 else "")

        counter = f"[{min(position + 1, count)}/{count}]" if count else ""
        with self._bars(times) as bars:
            task = bars.add_task(_escaped(f"{counter} {name}"), total=None)

            def stage(text: str) -> Fraction:
                bars.update(task, description=_escaped(f"{counter} {name}: {text}"), total=None)

                def report(fraction: float) -> None:
                    bars.update(task, total=1.0, completed=fraction)

                return report

            yield stage
        if left > 0:
            pace.times.append(time.monotonic() - started)

    @contextmanager
    def many(self, count: int) -> Iterator[Callable[[int, Sequence[str]], None]]:
        """Show how many of ``count`` cases are done and which run, while they run side by side."""
        if not self.console.is_terminal:
            yield lambda done, running: None
            return
        started, counts = time.monotonic(), [0, 0]  # done now; done when this run began, by an earlier one

        def times() -> str:
            elapsed, done = time.monotonic() - started, counts[0] - counts[1]
            rest = elapsed * (count - counts[0]) / done if done >= MEASURED else 0.0
            return clock(elapsed, f"{time_left(rest, rest)} left" if rest else "")

        with self._bars(times) as bars:
            task = bars.add_task("", total=count)
            first = True

            def show(done: int, running: Sequence[str]) -> None:
                nonlocal first
                counts[:] = [done, done if first else counts[1]]
                first = False
                bars.update(task, description=_escaped(f"[{done}/{count}] {', '.join(running)}"), completed=done)

            yield show

    def _bars(self, times: Callable[[], str]) -> Progress:
        words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        return Progress(
            SpinnerColumn(), words, BarColumn(bar_width=BAR), _Times(times),
            console=self.console, transient=True, expand=True,
        )  # fmt: skip


class _Times(ProgressColumn):
    """The last column; what it says changes while nothing else does."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__(table_column=Column(no_wrap=True, justify="right"))
        self.words = words

    def render(self, task: Task) -> Text:
        """Ask for the words anew each time that the line is drawn."""
        return Text(self.words())


def _escaped(text: str) -> str:
    return escape("".join(c if c.isprintable() else "?" for c in text))


def clock(elapsed: float, rest: str = "") -> str:
    """A time as a clock shows it, and after it what is said of the rest."""
    minutes, seconds = divmod(int(elapsed), 60)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{shown}, {rest}" if rest else shown


def _coarse(seconds: float) -> str:
    """Two digits at most: an estimate."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"
