"""Exact matrices, the scoped working precision, and decimals rounded to a stated side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

from flint import arb, arb_mat, ctx, fmpz_mat


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set Arb's working precision, which is global, for one block of code."""
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


class Exact(NamedTuple):
    """The matrix integers * 2^exponent, and a bound of the bits of its integers."""

    integers: fmpz_mat
    exponent: int
    bits: int

    def balls(self) -> arb_mat:
        """Return the same matrix as balls of radius zero."""
        with precision(self.bits + 64):
            return arb_mat(self.integers) * arb((1, self.exponent))


def decimal(value: arb, rounding: str) -> str:
    """Write six digits of the ball's lower or upper end.

    Guarantee: below(x) <= x <= above(x) for every number x in the ball.
    """
    end = value.lower() if rounding == ROUND_FLOOR else value.upper()
    mantissa, exponent = map(int, end.man_exp()) if end.is_finite() else (0, 1 << 30)
    if abs(exponent) > 1 << 20:  # not finite, or too long for an exact quotient
        return str(end)
    context = Context(prec=6, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return str(context.divide(Decimal(mantissa << max(exponent, 0)), Decimal(1 << max(-exponent, 0))))


def below(value: arb) -> str:
    """Return a decimal that is not larger."""
    return decimal(value, ROUND_FLOOR)


def above(value: arb) -> str:
    """Return a decimal that is not smaller."""
    return decimal(value, ROUND_CEILING)
