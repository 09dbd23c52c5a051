"""Rejections, exact matrices, the scoped working precision, and decimals rounded to a stated side.

Glossary: a *path* is the JSON path of what is wrong, a *rule* the obligation that fails (see FORMAT.md).
"""

import contextlib
from collections.abc import Iterator
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

from flint import arb, arb_mat, ctx, fmpz_mat


class Rejection(Exception):
    """A certificate is not accepted: where, by which rule, why, what it claims and what was computed."""

    def __init__(self, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
        super().__init__(path, rule, message, claimed, computed)
        self.path, self.rule, self.message, self.claimed, self.computed = path, rule, message, claimed, computed


def require(holds: bool, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
    """Guarantee: on return `holds` is true; write it so that NaN makes it false."""
    if not holds:
        raise Rejection(path, rule, message, claimed, computed)


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

    def balls(self) -> arb_mat:
        """Return the same matrix as balls of radius zero."""
        with precision(self.bits + 64):
            return arb_mat(self.integers) * arb((1, self.exponent))


def decimal(end: arb, rounding: str) -> str:
    """Write six digits of an exact number, rounded to one side."""
    mantissa, exponent = map(int, end.man_exp()) if end.is_finite() else (0, 1 << 30)
    if abs(exponent) > 1 << 20:  # not finite, or too long for an exact quotient
        return str(end)
    context = Context(prec=6, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(context.divide(Decimal(mantissa << max(exponent, 0)), Decimal(1 << max(-exponent, 0))))


def below(value: arb) -> str:
    """Guarantee: the decimal is not larger than any number in the ball."""
    return decimal(value.lower(), ROUND_FLOOR)


def above(value: arb) -> str:
    """Guarantee: the decimal is not smaller than any number in the ball."""
    return decimal(value.upper(), ROUND_CEILING)
