"""How far a row of tasks is, and how long the rest takes at the pace of what was done now.

Guarantee: none. What is said here is for people who wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from verifier.rank.tiles.tasks import Task

Say = Callable[[str, float, float], None]
"""Told what is under way, the fraction done, and how many seconds the rest takes at this pace, NaN if unknown."""


class Pace:
    """Tells how far tasks are.

    Parameters
    ----------
    weights : mapping
        Operations of each task, by name.
    say : callable
        Is told.
    what : str
        What the tasks make.
    """

    def __init__(self, weights: Mapping[str, float], say: Say, what: str) -> None:
        self.weights, self.say, self.what = weights, say, what
        self.begun, self.here, self.ready = time.monotonic(), 0.0, 0.0

    def begin(self, known: Iterable[str]) -> None:
        """Take in what is done."""
        self.ready = sum(self.weights[name] for name in known if name in self.weights)

    def done(self, task: Task) -> None:
        """Say that a task is done."""
        self.here += self.weights[task.name]
        self.ready += self.weights[task.name]
        self._tell(f"{self.what}: tile ({task.i}, {task.k}) is done", 0.0)

    def partly(self, task: Task, fraction: float) -> None:
        """Say that a part of a task is done."""
        self._tell(f"{self.what}: tile ({task.i}, {task.k})", fraction * self.weights[task.name])

    def _tell(self, words: str, more: float) -> None:
        whole = sum(self.weights.values())
        left = (time.monotonic() - self.begun) * (whole - self.ready - more) / (self.here + more)
        self.say(words, (self.ready + more) / whole, left)
