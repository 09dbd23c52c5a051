"""Exact dyadic numbers and arrays, and their passage to and from FLINT without rounding."""

from __future__ import annotations

import decimal
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from verifier.balls.decimals import far_decimal, short_decimal
from verifier.balls.limbs import compact, limbs, term_integers
from verifier.data.gate import exact
from verifier.errors import DataError

SHOWN_BITS = 64
"""A longer mantissa is not printed."""
PRINTABLE = 1_000_000
"""Numbers of size 2^-PRINTABLE to 2^PRINTABLE are printed by their digits."""
MOST_DIGITS = 64
"""Where a bound is printed with more digits to keep it on its side of another number."""
EXACT_DIGITS = 9
"""A number that needs more digits, or more characters, is printed as a product with a power of two."""


@dataclass(frozen=True, slots=True, repr=False)
class Dyadic:
    """The exact number ``mantissa * 2^exponent``.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.Dyadic.of_float(0.75)
    Dyadic(3 * 2^-2, about 0.75)
    >>> vf.Dyadic(3, -2).fraction()
    Fraction(3, 4)
    """

    mantissa: int
    exponent: int

    @classmethod
    def of_float(cls, value: float) -> Dyadic:
        """The exact value of a finite binary64 number."""
        numerator, denominator = value.as_integer_ratio()
        return cls(numerator, 1 - denominator.bit_length())

    @classmethod
    def of_arb(cls, value: arb) -> Dyadic:
        """The exact value of a finite ball of radius zero.

        Raises
        ------
        ValueError
            The ball is not a single finite number.
        """
        if not (value.is_exact() and value.is_finite()):
            raise ValueError(f"{value} is not an exact finite number")
        mantissa, exponent = value.man_exp()
        return cls(int(mantissa), int(exponent))

    @classmethod
    def of(cls, value: Any, what: str) -> Dyadic:
        """The exact value of a number that is a dyadic one.

        Raises
        ------
        DataError
            It is not such a number.
        """
        if isinstance(value, Dyadic):
            return value
        if isinstance(value, arb) and value.is_exact() and value.is_finite():
            return cls.of_arb(value)
        array = ExactArray.of_floats(value, what)
        if array.shape != ():
            raise DataError(f"{what}: shape {array.shape}, expected one number")
        (numerator,), exponent = array.integers()
        return cls(numerator, exponent)

    def arb(self) -> arb:
        """The same number as an exact ball."""
        return arb((fmpz(self.mantissa), fmpz(self.exponent)))

    def fraction(self) -> Fraction:
        """The same number as a fraction."""
        return Fraction(self.mantissa) * Fraction(2) ** self.exponent

    def __float__(self) -> float:
        """Nearest binary64 number (0 or inf when out of range)."""
        shift = max(self.mantissa.bit_length() - 64, 0)
        try:
            return math.ldexp(float(self.mantissa >> shift), self.exponent + shift)
        except OverflowError:
            return math.copysign(math.inf, self.mantissa)

    def __str__(self) -> str:
        """Refuse: a decimal is rounded, and only the sentence around it knows the safe side.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "an exact number is not printed without a direction: use at_least(x) for a lower bound, at_most(x) for an "
            "upper bound, about(x) where nothing is bounded, or repr(x)"
        )

    def __format__(self, format_spec: str) -> str:
        """Refuse, as `__str__` does: an f-string would hide the rounding.

        Raises
        ------
        TypeError
            Always.
        """
        return str(self)

    def __repr__(self) -> str:
        """The exact number while it is short, else its size; and about what it is."""
        bits = self.mantissa.bit_length()
        mantissa = str(self.mantissa) if bits <= SHOWN_BITS else f"<{bits} bits>"
        return f"Dyadic({mantissa} * 2^{self.exponent}, about {about(self)})"


Bound = Dyadic | Fraction | float | arb
"""What can be printed as a bound: an exact number, or a ball, of which the end on the safe side is taken."""


def at_least(value: Bound, digits: int = 4) -> str:
    """Print a lower bound as a short decimal, rounded down.

    Guarantee: the decimal number printed is <= ``value`` (of a ball: <= each of its points); "-inf" if the ball has no
    finite lower end.

    Parameters
    ----------
    value : Dyadic, arb, Fraction or float
        The bound.
    digits : int, optional
        Significant digits.

    Returns
    -------
    str
        The decimal.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.at_least(2 / 3), vf.at_least(vf.Dyadic(1, -40), digits=2)
    ('0.6666', '9e-13')
    """
    return _directed(value, digits, decimal.ROUND_FLOOR)


def at_most(value: Bound, digits: int = 4, *, below: int | None = None) -> str:
    """Print an upper bound as a short decimal, rounded up.

    Guarantee: the decimal number printed is >= ``value`` (of a ball: >= each of its points); "inf" if the ball has no
    finite upper end.

    Parameters
    ----------
    value : Dyadic, arb, Fraction or float
        The bound.
    digits : int, optional
        Significant digits.
    below : int, optional
        A number above the bound that the sentence compares it with, as in "alpha <= 0.99997 < 1": more digits are
        printed where rounding would reach it.

    Returns
    -------
    str
        The decimal.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.at_most(2 / 3), vf.at_most(1 - 2**-20, below=1)
    ('0.6667', '0.99999905')
    """
    text = _directed(value, digits, decimal.ROUND_CEILING)
    longer = MOST_DIGITS if text == "nan" else digits
    while below is not None and longer < MOST_DIGITS and not decimal.Decimal(text) < below:
        longer *= 2
        sharper = _directed(value, longer, decimal.ROUND_CEILING)
        if decimal.Decimal(sharper) < below:
            return sharper
    return text


def about(value: Bound, digits: int = 3) -> str:
    """Print a number that bounds nothing, rounded to nearest: for sizes and choices, never beside "at least" or "<=".

    Of a ball it is the midpoint.

    Parameters
    ----------
    value : Dyadic, arb, Fraction or float
        The number.
    digits : int, optional
        Significant digits.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.about(2 / 3)
    '0.667'
    """
    return _directed(value.mid() if isinstance(value, arb) else value, digits, decimal.ROUND_HALF_EVEN)


def exactly(value: Dyadic) -> str:
    """Print a chosen number without rounding, as a decimal if that is short and as ``m * 2^e`` otherwise.

    Guarantee: what is printed equals ``value``.
    """
    short = at_least(value, EXACT_DIGITS) if abs(value.exponent) <= SHOWN_BITS else ""
    if 0 < len(short) <= EXACT_DIGITS and Fraction(short) == value.fraction():
        return short
    return f"{'' if value.mantissa == 1 else f'{value.mantissa} * '}2^{value.exponent}"


def _directed(value: Bound, digits: int, rounding: str) -> str:
    down = rounding == decimal.ROUND_FLOOR
    if isinstance(value, arb):
        end = value.lower() if down else value.upper()
        if not end.is_finite():
            return "-inf" if down else "inf"
        value = Dyadic.of_arb(end)  # the end is a number, a ball of radius zero
    if isinstance(value, float | int):  # numpy's float64 is a float
        if not math.isfinite(value):
            return str(float(value))
        value = Fraction(value)
    if isinstance(value, Fraction):
        return short_decimal(value.numerator, value.denominator, digits, rounding)
    if value.mantissa == 0:
        return "0"
    if abs(magnitude(value)) > PRINTABLE:
        return far_decimal(value.mantissa > 0, magnitude(value) < 0, rounding)
    return short_decimal(value.mantissa << max(value.exponent, 0), 1 << max(-value.exponent, 0), digits, rounding)


def magnitude(value: Dyadic) -> int:
    """Return the least e with ``|value| < 2^e``, for a value that is not 0."""
    return value.exponent + value.mantissa.bit_length()


def lower_float(value: arb) -> float:
    """Largest-effort binary64 lower bound of a ball (``-inf`` if it is not finite).

    Guarantee: the result is <= every point of the ball. ``float(arb)`` rounds to nearest, so one step outward is taken.
    """
    bound = float(value.lower())
    return -math.inf if math.isnan(bound) else math.nextafter(bound, -math.inf)


def upper_float(value: arb) -> float:
    """Binary64 upper bound of a ball (``inf`` if it is not finite).

    Guarantee: the result is >= every point of the ball.
    """
    return -lower_float(-value)


@dataclass(frozen=True, slots=True, repr=False)
class ExactArray:
    """An array of exact dyadic numbers: the sum over ``terms`` of ``values * 2^exponent``.

    One float64 term holds 53-bit numbers; wider integers are held in 62-bit limbs, one int64 term per limb.

    Examples
    --------
    >>> import verifier as vf
    >>> array = vf.ExactArray.of_floats([[0.5, 1], [2, 3]])
    >>> array
    <ExactArray (2, 2): int8 * 2^-4>
    >>> array.integers()
    ([8, 16, 32, 48], -4)
    """

    shape: tuple[int, ...]
    terms: tuple[tuple[NDArray[Any], int], ...]

    def __post_init__(self) -> None:
        """Check shapes, finiteness, and that types are those whose arithmetic below is exact."""
        if not self.terms:
            raise ValueError("an exact array needs at least one term")
        for values, exponent in self.terms:
            if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray):
                raise ValueError(
                    f"a term is a {type(values).__name__}, not a plain NumPy array; use ExactArray.of_floats"
                )
            if values.dtype.kind not in "iu" and values.dtype not in (np.float32, np.float64):
                raise ValueError(f"a term has dtype {values.dtype}; use integers, float32 or float64")
            if type(exponent) is not int:
                raise ValueError(f"a term has exponent {exponent!r}; it must be a Python int, which cannot overflow")
            if values.shape != self.shape:
                raise ValueError(f"a term has shape {values.shape}, the array {self.shape}")
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise ValueError("an exact array cannot hold NaN or infinity")

    def __repr__(self) -> str:
        """Shape and how it is stored, never the numbers."""
        held = " + ".join(f"{values.dtype} * 2^{exponent}" for values, exponent in self.terms[:2])
        return f"<ExactArray {self.shape}: {held}{' + ...' if len(self.terms) > 2 else ''}>"

    @classmethod
    def of_floats(cls, values: Any, what: str = "values") -> ExactArray:
        """Exact values of an array of numbers, held as scaled small integers or float32 when nothing is lost.

        Parameters
        ----------
        values : array_like
            Floats, integers of any size, fractions with a power of two below: arrays, nested lists, tensors, ...
        what : str, optional
            The argument's name, for messages.

        Returns
        -------
        ExactArray
            Guarantee: of the same shape and exactly the same numbers.

        Raises
        ------
        DataError
            Not an array of finite real numbers, or a fraction that is no dyadic number.
        """
        if isinstance(values, ExactArray):
            return values
        array = values
        if type(values) is not np.ndarray or values.dtype != np.dtype(np.float64) or not np.isfinite(values).all():
            array = exact(values, what)
        if array.dtype.kind == "f":
            return cls(array.shape, (compact(np.array(array, dtype=np.float64, order="C")),))
        return cls._of_rationals([Fraction(number) for number in array.ravel().tolist()], array.shape, what)

    @classmethod
    def _of_rationals(cls, numbers: Sequence[Fraction], shape: tuple[int, ...], what: str) -> ExactArray:
        bits = max((number.denominator.bit_length() - 1 for number in numbers), default=0)
        for position, number in enumerate(numbers):
            if number.denominator & (number.denominator - 1):
                where = tuple(int(k) for k in np.unravel_index(position, shape)) if shape else ()
                short = str(number) if bits < 400 else "a fraction"
                raise DataError(
                    f"{what}: entry {where} is {short}, no dyadic number (an integer times a power of "
                    "two); multiply all entries by a common denominator, or convert it with float"
                )
        return cls.of_integers([int(number * 2**bits) for number in numbers], shape, -bits)

    @classmethod
    def of_integers(cls, numerators: Sequence[int], shape: tuple[int, ...], exponent: int) -> ExactArray:
        """``numerators * 2^exponent`` in C order, in the smallest integer type or in limbs."""
        return cls(shape, limbs(numerators, shape, exponent))

    def integers(self) -> tuple[list[int], int]:
        """Numerators in C order and one common exponent.

        Guarantee: the array equals ``numerators * 2^exponent`` exactly.
        """
        parts = [term_integers(values, exponent) for values, exponent in self.terms]
        common = min(exponent for _, exponent in parts)
        total = [0] * math.prod(self.shape)
        for numerators, exponent in parts:
            shift = exponent - common
            total = [a + (b << shift) for a, b in zip(total, numerators, strict=True)]
        return total, common

    def fmpz_mat(self) -> tuple[fmpz_mat, int]:
        """Give the numerators as a FLINT integer matrix, and the exponent (two-dimensional arrays only)."""
        rows, columns = self.shape
        numerators, exponent = self.integers()
        return fmpz_mat(rows, columns, numerators), exponent

    def arb_mat(self) -> arb_mat:
        """Give the array as an exact ball matrix (two-dimensional arrays only).

        Guarantee: every ball has radius zero and the exact value.
        """
        rows, columns = self.shape
        values, exponent = self.terms[0]
        if len(self.terms) == 1 and exponent == 0 and values.dtype.kind == "f":
            return arb_mat(rows, columns, values.astype(np.float64).ravel().tolist())
        numerators, common = self.integers()
        return arb_mat(rows, columns, [arb((fmpz(v), fmpz(common))) for v in numerators])

    def approx(self) -> NDArray[np.float64]:
        """Nearest-effort float64 array (an untrusted approximation)."""
        total = np.zeros(self.shape)
        for values, exponent in reversed(self.terms):
            total += np.ldexp(values.astype(np.float64), exponent)
        return total
