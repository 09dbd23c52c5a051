"""Run tests on a package with one broken definition: in a forked process that imports the package anew."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import pytest
from flint import ctx
from mutation.operators import Mutant

TESTS = Path(__file__).resolve().parents[1]
SECONDS = 120
"""A mutant that runs longer hangs, and counts as noticed."""

SEEDS = 12
"""A mutant has at least this many seeds to be noticed; most need one."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a syntax tree."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.definition.module, str(mutant.definition.path))
        self._tree = mutant.tree()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the broken module in place of the one on disk."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._loader.name:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, path) and importlib.util.spec_from_file_location(
            fullname, self._loader.path, loader=self._loader
        )


def outcome(mutant: Mutant | None, tests: Sequence[str], seconds: float = SECONDS) -> str:
    """Run tests, by pytest's names under ``tests/``, on the broken package (None: on the package as it is).

    Returns
    -------
    str
        ``noticed``, ``survived``, or ``hangs``.

    Raises
    ------
    LookupError
        If there is no such test, or no such mutant.
    """
    loader = None if mutant is None else _Loader(mutant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child of a process with threads runs one thread only
        ctx.threads = 1  # FLINT's threads do not live on in a fork, and ending them there would wait for ever
        child = os.fork()
    if child == 0:
        gc.freeze()  # what the parent has made is not looked through again
        try:
            code = _run(loader, tests, seconds)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return "hangs"
    code = os.waitstatus_to_exitcode(status)
    if code == pytest.ExitCode.INTERNAL_ERROR:
        raise RuntimeError(f"pytest fails by itself with {', '.join(tests)} and {mutant}")
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise LookupError(f"pytest finds no test {', '.join(tests)}; adapt tests/mutation/mutants.py")
    return "survived" if code == pytest.ExitCode.OK else "noticed"


def _run(loader: _Loader | None, tests: Sequence[str], seconds: float) -> int:
    """Be the child: forget the package and its tests, put the broken module in its place, run pytest."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.partition(".")[0] == "verifier" or (file.startswith(str(TESTS)) and not name.startswith("mutation")):
            del sys.modules[name]
    os.environ["LEAST_SEEDS"] = str(SEEDS)
    if loader is not None:
        sys.meta_path.insert(0, _Finder(loader))
    arguments = ["-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    return int(pytest.main([*arguments, *(str(TESTS / test) for test in tests)]))
