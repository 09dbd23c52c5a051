"""What a checker does, counted, and what a piece of work costs it."""

from __future__ import annotations

from dataclasses import dataclass, fields

FIRST_BITS = 64
"""Precision that claims are expected to have before they are proved."""


@dataclass(frozen=True, slots=True)
class Work:
    """Counts of what the checker does with a certificate."""

    units: int = 0
    """Values of units, each a ball of its own."""
    steps: int = 0
    """Nodes of expressions, evaluated at a ball."""
    products: int = 0
    """Multiply-adds of balls."""
    quick: int = 0
    """The same in products of large matrices."""
    entries: int = 0
    """Numbers and balls that pass through Python: read, rounded, put into matrices."""
    differences: int = 0
    """Differences of output weights, rational multiply-adds, and the like: some Python operations each."""
    words: int = 0
    """Multiply-adds of 64-bit words in exact products of integer matrices."""

    def __add__(self, other: Work) -> Work:
        """The counts of both pieces of work together."""
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Work)))

    def times(self, count: int) -> Work:
        """The counts of the same work done ``count`` times."""
        return Work(*(getattr(self, f.name) * count for f in fields(Work)))


@dataclass(frozen=True, slots=True)
class Prices:
    """Seconds of a piece of work, bytes of a number: of one checker on one machine."""

    start: float
    unit: float
    step: float
    product: float
    quick: float
    entry: float
    difference: float
    word: float

    def seconds(self, work: Work, bits: int = FIRST_BITS) -> float:
        """CPU seconds of a piece of work.

        Parameters
        ----------
        work
            What is done.
        bits
            The working precision.
        """
        return (
            self.unit * work.units
            + self.step * work.steps * (1.0 + bits / 250)
            + (self.product * work.products + self.quick * work.quick) * max(1.0, bits / 128)
            + self.entry * work.entries * (1.0 + bits / 2000)
            + self.difference * work.differences
            + self.word * work.words
        )


CHECKER = Prices(
    start=0.5,
    unit=3e-7,
    step=1.2e-7,
    product=1.4e-8,
    quick=4.5e-9,
    entry=2e-7,
    difference=4e-7,
    word=3.5e-10,
)
"""Measured with python-flint 0.9 on one core of a server CPU: Arb's functions per node of the expression, its products
of small matrices, FLINT's products of integer matrices, and the Python around them.
"""
