"""Matrices of dyadic numbers, and bounds that are found for them: proposals, each of which Coq proves anew."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from flint import arb

from verifier.checker.arithmetic import Table
from verifier.checker.common import Exact
from verifier.coq.terms import Term

FINE: Final = 160
"""Bits of the bounds that are found here."""
COARSE: Final = 40
"""Bits of bounds of what is small by cancellation, which Coq knows less exactly."""
SHORT: Final = 64
"""Bits of the entries of a matrix that stands for a Gram matrix, relative to the largest."""
Matrix = list[list[Fraction]]


def upward(value: Fraction, bits: int = FINE) -> Fraction:
    """Return a dyadic number of about so many bits that is larger than a number above 0; 0 as it is."""
    if value == 0:
        return value
    unit = Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length() - bits)
    return (math.floor(value / unit) + 1) * unit


def root_above(value: Fraction, bits: int = FINE) -> Fraction:
    """Return a dyadic number of about so many bits whose square is larger than a number >= 0."""
    unit = Fraction(2) ** ((value.numerator.bit_length() - value.denominator.bit_length()) // 2 - bits)
    return (math.isqrt(math.floor(value / unit**2)) + 1) * unit


def written(value: Fraction) -> str:
    """Return a dyadic number as Coq reads it, in parentheses where it needs them."""
    return Term.dyadic(value.numerator, 1 - value.denominator.bit_length()).text


def exactly(ball: arb) -> Fraction:
    """Return an exact ball as a fraction."""
    mantissa, exponent = map(int, ball.man_exp())
    return mantissa * Fraction(2) ** exponent


def as_ball(value: Fraction) -> arb:
    """Return a dyadic number as an exact ball."""
    return arb((value.numerator, 1 - value.denominator.bit_length()))


def fractions_of(exact: Exact) -> Matrix:
    """Return the rows of an exact matrix."""
    scale = Fraction(2) ** exact.exponent
    return [[int(entry) * scale for entry in row] for row in exact.integers.tolist()]


def as_terms(x: Matrix) -> Table:
    """Return the entries of a matrix of dyadic numbers as terms."""
    return [[Term(written(entry), arb(0)) for entry in row] for row in x]


def product(x: Matrix, y: Matrix) -> Matrix:
    """Return the product X Y of two matrices."""
    columns = list(zip(*y, strict=True))
    return [[sum((a * b for a, b in zip(row, other, strict=True)), Fraction(0)) for other in columns] for row in x]


def gram(x: Matrix) -> Matrix:
    """Return the Gram matrix X^T X of the columns."""
    return product([list(column) for column in zip(*x, strict=True)], x)


def difference(x: Matrix, y: Matrix) -> Matrix:
    """Return X - Y."""
    return [[a - b for a, b in zip(p, q, strict=True)] for p, q in zip(x, y, strict=True)]


def squares(x: Matrix) -> Fraction:
    """Return the sum of the squares of all entries."""
    return sum((entry * entry for row in x for entry in row), Fraction(0))


def rounded(x: Matrix, unit: Fraction) -> Matrix:
    """Return the nearest multiples of a unit."""
    return [[round(entry / unit) * unit for entry in row] for row in x]


def shortened(x: Matrix) -> Matrix:
    """Return a matrix near this one whose entries have few bits."""
    top = max(abs(entry) for row in x for entry in row)
    return rounded(x, Fraction(2) ** (top.numerator.bit_length() - top.denominator.bit_length() - SHORT))
