"""Rejections, exact matrices, the scoped working precision, and decimals rounded to a stated side.

Glossary: a *path* is the JSON path of what is wrong, a *rule* the obligation that fails (see FORMAT.md).
"""

import contextlib
from collections.abc import Iterator
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

from flint import arb, arb_mat, ctx, fmpz_mat

# of two in a number that is printed digit by digit: 2^1000000 is above 10^300000, and 2^-1000000 times any mantissa of
# fewer than 150,000 bits below 10^-250000
MAX_EXPONENT = 1_000_000


class Rejection(Exception):
    """A certificate is not accepted: where, by which rule, why, what it claims and what was computed."""

    def __init__(self, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
        super().__init__(path, rule, message, claimed, computed)
        self.path, self.rule, self.message, self.claimed, self.computed = path, rule, message, claimed, computed


class TooExpensive(Rejection):
    """The check would take, or took, more memory or time than it may: the certificate is neither right nor wrong."""


def require(holds: bool, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
    """Guarantee: on return `holds` is true; write it so that NaN makes it false."""
    if not holds:
        raise Rejection(path, rule, message, claimed, computed)


def afford(size: int, limit: int, path: str, what: str) -> None:
    """Guarantee: on return the size, of something that a few bytes of a certificate ask for, is at most the limit."""
    if size > limit:
        raise TooExpensive(path, "cost.size", f"{what}: more than this checker holds", size, f"limit {limit}")


def words(bits: int) -> int:
    """Return the number of 64-bit words that hold so many bits."""
    return bits // 64 + 1


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set the working precision, and a length above that of all power series, which are global, for a block of code."""
    before, ctx.prec, ctx.cap = (ctx.prec, ctx.cap), bits, 1 << 30
    try:
        yield
    finally:
        ctx.prec, ctx.cap = before


class Exact(NamedTuple):
    """The matrix integers * 2^exponent, and a bound of the bits of its integers."""

    integers: fmpz_mat
    exponent: int
    bits: int

    def at(self, row: int) -> int:
        """Return the number of the row of integers for this position: one row may stand for all positions."""
        return row if self.integers.nrows() > 1 else 0

    def balls(self) -> arb_mat:
        """Return the same matrix as balls of radius zero."""
        with precision(self.bits + 64):
            return arb_mat(self.integers) * arb((1, self.exponent))


def decimal(end: arb, rounding: str) -> str:
    """Write six digits of an exact number, rounded to one side."""
    if not end.is_finite():
        return str(end)
    mantissa, exponent = map(int, end.man_exp())
    if abs(exponent) > MAX_EXPONENT:  # too long for an exact quotient
        return beyond(end, rounding)
    context = Context(prec=6, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(context.divide(Decimal(mantissa << max(exponent, 0)), Decimal(1 << max(-exponent, 0))))


def beyond(end: arb, rounding: str) -> str:
    """Write a number of very many decimal places, before or behind the point, rounded to one side."""
    tiny = -1 < end < 1
    if rounding == ROUND_FLOOR:
        return ("0" if tiny else "1E+300000") if end > 0 else "-1E-250000" if tiny else "-inf"
    return ("1E-250000" if tiny else "inf") if end > 0 else "0" if tiny else "-1E+300000"


def below(value: arb) -> str:
    """Guarantee: the decimal is not larger than any number in the ball."""
    return decimal(value.lower(), ROUND_FLOOR)


def above(value: arb) -> str:
    """Guarantee: the decimal is not smaller than any number in the ball."""
    return decimal(value.upper(), ROUND_CEILING)
