"""Exact numbers: dyadics, integer matrices with a common exponent, the scoped working precision, outward decimals."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, ctx, fmpq, fmpz_mat

BOUND_PRECISION = 128  # working bits for the few scalar inequalities at the end of a rule


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set Arb's working precision, which is global, for one block of code."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


@dataclass(frozen=True)
class Dyadic:
    """The number mantissa * 2^exponent."""

    mantissa: int
    exponent: int

    @property
    def ball(self) -> arb:
        """The number as an exact ball."""
        return arb((self.mantissa, self.exponent))

    def below(self) -> str:
        """Return a decimal that is not larger."""
        return decimal(self.ball, down=True)

    def above(self) -> str:
        """Return a decimal that is not smaller."""
        return decimal(self.ball, down=False)


@dataclass(frozen=True)
class Exact:
    """The rows x columns matrix integers * 2^exponent, and a bound of the bits of its integers."""

    integers: fmpz_mat
    exponent: int
    bits: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.integers.nrows())

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.integers.ncols())

    def balls(self) -> arb_mat:
        """Return the same matrix as balls of radius zero."""
        with precision(self.bits + 64):
            return arb_mat(self.integers) * arb((1, self.exponent))

    def rational(self, value: Any) -> fmpq:
        """Return value * 2^exponent for an integer of this matrix."""
        return fmpq(int(value) << self.exponent) if self.exponent >= 0 else fmpq(int(value), 1 << -self.exponent)


def decimal(value: arb, down: bool, digits: int = 6) -> str:
    """Write a decimal of few digits on the stated side of the whole ball.

    Guarantee: decimal(x, down=True) <= x <= decimal(x, down=False), as exact rationals.
    """
    bound = value.lower() if down else value.upper()
    if not bound.is_finite():
        return "nan"
    mantissa, exponent = (int(part) for part in bound.man_exp())
    if mantissa == 0:
        return "0"
    ten = math.floor((exponent + abs(mantissa).bit_length()) * math.log10(2)) - digits
    if abs(exponent) > 10**6:
        return bound.str(digits, radius=True)
    exact = Fraction(mantissa) * Fraction(2) ** exponent / Fraction(10) ** ten
    scaled = math.floor(exact) if down else math.ceil(exact)
    if scaled == 0:
        return "0"
    text = str(abs(scaled)).rstrip("0")
    power = ten + len(str(abs(scaled))) - 1
    sign = "-" if scaled < 0 else ""
    if -5 <= power <= 15:
        plain = abs(Fraction(scaled) * Fraction(10) ** ten)
        places = max(0, len(text) - 1 - power)
        whole, rest = divmod(int(plain * 10**places), 10**places)
        return f"{sign}{whole}" + (f".{rest:0{places}d}" if places else "")
    return f"{sign}{text[0]}" + (f".{text[1:]}" if text[1:] else "") + f"e{power}"
