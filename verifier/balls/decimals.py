"""Decimals of exact numbers, rounded in a stated direction once, by `decimal` with unbounded exponents."""

from __future__ import annotations

import decimal
from fractions import Fraction


def rounded(numerator: int, denominator: int, digits: int, rounding: str) -> decimal.Decimal:
    """The quotient with ``digits`` significant decimals.

    Parameters
    ----------
    numerator, denominator
        Integers of any size, the denominator positive: they are exact, so there is one rounding, in the division.
    digits
        Significant decimals.
    rounding
        One of the constants of `decimal`, such as ``ROUND_FLOOR``.

    Returns
    -------
    Decimal
        Guarantee: <= the quotient for ``ROUND_FLOOR``, >= it for ``ROUND_CEILING``.
    """
    context = decimal.Context(prec=digits, rounding=rounding, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
    return context.divide(decimal.Decimal(numerator), decimal.Decimal(denominator)).normalize(context)


def short_decimal(numerator: int, denominator: int, digits: int, rounding: str) -> str:
    """The quotient as `rounded` gives it, with a power of ten only where that is shorter.

    Guarantee: the printed number equals that of `rounded`.

    Parameters
    ----------
    numerator, denominator : int
        The quotient; the denominator is positive.
    digits : int
        Significant digits.
    rounding : str
        A rounding of the module `decimal`.

    Returns
    -------
    str
        The decimal.
    """
    short = rounded(numerator, denominator, digits, rounding)
    return f"{short:f}" if -4 <= short.adjusted() < digits + 2 else f"{short:e}"


def far_decimal(positive: bool, small: bool, rounding: str) -> str:
    """A number whose exact decimals would be too long: a power of ten, or no bound, on the right side of it.

    Guarantee: of a number whose size is below 10^-300000 (``small``) or above 10^300000 (not ``small``) the printed one
    lies on the side that ``rounding`` says.

    Parameters
    ----------
    positive : bool
        Whether the number is above 0.
    small : bool
        Whether its size is below 10^-300000, or above 10^300000.
    rounding : str
        ROUND_FLOOR or ROUND_CEILING of the module `decimal`.

    Returns
    -------
    str
        The decimal, or "inf".
    """
    away = rounding == (decimal.ROUND_CEILING if positive else decimal.ROUND_FLOOR)  # from 0
    if small:
        size = "1e-300000" if away else "0"
    else:
        size = "1e+300000" if rounding in (decimal.ROUND_FLOOR, decimal.ROUND_CEILING) and not away else "inf"
    return size if positive or size == "0" else f"-{size}"


def decimal_enclosure(low: Fraction, high: Fraction, digits: int) -> str:
    """``x +- e`` in decimals, x with ``digits`` significant digits; ``0`` if both ends vanish.

    Guarantee: every number between ``low`` and ``high`` is within e of x.

    Parameters
    ----------
    low, high : Fraction
        The ends, low <= high.
    digits : int
        Significant digits of x.

    Returns
    -------
    str
        The decimals of x and e.
    """
    if low == high == 0:
        return "0"
    middle = (low + high) / 2
    x = rounded(middle.numerator, middle.denominator, digits, decimal.ROUND_HALF_EVEN)
    error = max(high - Fraction(x), Fraction(x) - low)
    bound = rounded(error.numerator, error.denominator, 2, decimal.ROUND_CEILING)
    return f"{_scientific(x, digits)} +- {_scientific(bound, 2)}"


def decimal_bound(value: Fraction, digits: int, *, up: bool) -> str:
    """A non-negative number with ``digits`` significant decimals, rounded down or up.

    Guarantee: the decimal is <= the number, or >= it if ``up``.

    Parameters
    ----------
    value : Fraction
        At least 0.
    digits : int
        Significant digits.
    up : bool
        Whether to round up.

    Returns
    -------
    str
        The decimal.
    """
    rounding = decimal.ROUND_CEILING if up else decimal.ROUND_FLOOR
    return _scientific(rounded(value.numerator, value.denominator, digits, rounding), digits)


def decade(value: Fraction) -> int:
    """The e with ``10^e <= value < 10^(e+1)``, for a positive number."""
    return rounded(value.numerator, value.denominator, 1, decimal.ROUND_FLOOR).adjusted()


def _scientific(value: decimal.Decimal, digits: int) -> str:
    """A number that has at most ``digits`` significant decimals, exactly; exponents have two digits or more."""
    if value == 0:
        return "0"
    significand, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{significand}e{int(exponent):+03d}"
