"""Intervals with rational or infinite ends, open or closed: what is known of an expression's values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

Bound = Fraction | float
"""A rational, or +-math.inf; no other float occurs."""

MAX_CONSTANT_BITS: Final = 14_000
"""Bound on the size of an exact constant that a power may produce, so that no text can ask for unbounded memory."""
MAX_SHOWN_BITS: Final = 400
"""Longer ends are not printed."""

_ZERO: Final = Fraction(0)


class TooLargeError(Exception):
    """An end of an interval would need too many bits."""


def size_of(value: Fraction) -> int:
    """Count the bits of a rational.

    Parameters
    ----------
    value : Fraction
        Any.

    Returns
    -------
    int
        Of the larger of numerator and denominator.
    """
    return max(value.numerator.bit_length(), value.denominator.bit_length())


@dataclass(frozen=True, slots=True)
class Interval:
    """A nonempty interval; ``+ * ** abs`` and `reciprocal` know which ends are attained.

    Guarantee: each operation's result contains the result for all values in the operands, and an end that it calls open
    is no such result. The values need not fill it.

    Parameters
    ----------
    lo, hi : Fraction or infinite float
        The ends.
    lo_open, hi_open : bool, optional
        Whether the end itself is certainly no value; infinite ends always count as open.
    """

    lo: Bound
    hi: Bound
    lo_open: bool = True
    hi_open: bool = True

    @property
    def is_positive(self) -> bool:
        """Whether every value is > 0."""
        return self.lo > 0 or (self.lo == 0 and self.lo_open)

    @property
    def is_nonnegative(self) -> bool:
        """Whether every value is >= 0."""
        return self.lo >= 0

    @property
    def is_negative(self) -> bool:
        """Whether every value is < 0."""
        return (-self).is_positive

    @property
    def excludes_zero(self) -> bool:
        """Whether no value is 0."""
        return self.is_positive or self.is_negative

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return not (_infinite(self.lo) or _infinite(self.hi))

    @property
    def is_point(self) -> bool:
        """Whether there is one value only."""
        return self.lo == self.hi

    def __neg__(self) -> Interval:
        """Return the interval of the values' negatives."""
        return Interval(-self.hi, -self.lo, self.hi_open, self.lo_open)

    def __add__(self, other: Interval) -> Interval:
        """Return the sums of a value of each."""
        lo, hi = _plus(self.lo, other.lo), _plus(self.hi, other.hi)
        return Interval(lo, hi, self.lo_open or other.lo_open, self.hi_open or other.hi_open)

    def __mul__(self, other: Interval) -> Interval:
        """Return the products of a value of each.

        A nonzero extreme is attained only at a corner: it is open unless such a corner is closed.
        """
        corners: list[tuple[Bound, bool]] = []
        for x, x_open in ((self.lo, self.lo_open), (self.hi, self.hi_open)):
            for y, y_open in ((other.lo, other.lo_open), (other.hi, other.hi_open)):
                if x == 0 or y == 0:
                    corners.append((_ZERO, self.excludes_zero and other.excludes_zero))
                elif _infinite(x) or _infinite(y):
                    corners.append((math.inf if (x > 0) == (y > 0) else -math.inf, True))
                else:
                    corners.append((x * y, x_open or y_open))
        lo, hi = min(end for end, _ in corners), max(end for end, _ in corners)
        lo_open = all(is_open for end, is_open in corners if end == lo)
        hi_open = all(is_open for end, is_open in corners if end == hi)
        return Interval(lo, hi, lo_open, hi_open)

    def reciprocal(self) -> Interval:
        """Return 1/x for the values of an interval that excludes 0."""
        if self.is_negative:
            return -((-self).reciprocal())
        lo: Bound = _ZERO if _infinite(self.hi) else 1 / self.hi
        hi: Bound = math.inf if self.lo == 0 else 1 / self.lo
        return Interval(lo, hi, self.hi_open, self.lo_open)

    def __pow__(self, n: int) -> Interval:
        """Return the n-th powers, n >= 1.

        Raises
        ------
        TooLargeError
            An end would have more than `MAX_CONSTANT_BITS` bits.
        """
        base = abs(self) if n % 2 == 0 else self
        return Interval(_raised(base.lo, n), _raised(base.hi, n), base.lo_open, base.hi_open)

    def __abs__(self) -> Interval:
        """Return the interval of the values' magnitudes."""
        if self.lo >= 0:
            return self
        if self.hi <= 0:
            return -self
        top, top_open = max((-self.lo, self.lo_open), (self.hi, self.hi_open), key=lambda end: (end[0], not end[1]))
        return Interval(_ZERO, top, False, top_open)

    def __str__(self) -> str:
        """Print in the usual notation."""
        lo, hi = map(_shown, (self.lo, self.hi))
        return f"{'(' if self.lo_open else '['}{lo}, {hi}{')' if self.hi_open else ']'}"


REALS: Final = Interval(-math.inf, math.inf)
"""The whole line."""


def _infinite(end: Bound) -> bool:
    """Tell the infinite floats from fractions, which may be too large for `math.isinf`."""
    return isinstance(end, float)


def _plus(a: Bound, b: Bound) -> Bound:
    """Add two lower ends, or two upper ends: opposite infinities do not meet."""
    return a if _infinite(a) else b if _infinite(b) else a + b


def _raised(end: Bound, n: int) -> Bound:
    if isinstance(end, float):
        return math.inf if end > 0 or n % 2 == 0 else -math.inf
    if size_of(end) * n > MAX_CONSTANT_BITS:
        raise TooLargeError
    return end**n


def _shown(end: Bound) -> str:
    if isinstance(end, float):
        return str(end).replace("inf", "oo")
    size = size_of(end)
    return str(end) if size <= MAX_SHOWN_BITS else f"({'-' if end < 0 else ''}a number of {size} bits)"
