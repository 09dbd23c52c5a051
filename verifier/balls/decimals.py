"""Scientific decimals of exact numbers, rounded outward: enclosures as ``x +- e`` and one-sided bounds."""

from __future__ import annotations

import math
from fractions import Fraction


def decimal_enclosure(low: Fraction, high: Fraction, digits: int) -> str:
    """``x +- e`` in decimals, x with ``digits`` significant digits; ``0`` if both ends vanish.

    Guarantee: every number between ``low`` and ``high`` is within e of x.
    """
    if low == high == 0:
        return "0"
    middle = (low + high) / 2
    unit = Fraction(10) ** (_decade(middle) - digits + 1)
    x = round(middle / unit) * unit
    error = max(high - x, x - low)
    if error == 0:
        return f"{_scientific(x, digits)} +- 0"
    step = Fraction(10) ** (_decade(error) - 1)
    return f"{_scientific(x, digits)} +- {_scientific(math.ceil(error / step) * step, 2)}"


def decimal_bound(value: Fraction, digits: int, *, up: bool) -> str:
    """A non-negative number with ``digits`` significant decimals, rounded down or up.

    Guarantee: the decimal is <= the number, or >= it if ``up``.
    """
    if value == 0:
        return "0"
    unit = Fraction(10) ** (_decade(value) - digits + 1)
    return _scientific((math.ceil if up else math.floor)(value / unit) * unit, digits)


def _decade(value: Fraction) -> int:
    """The e with ``10^e <= value < 10^(e+1)``."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    e = math.floor(bits * math.log10(2)) - 1
    while Fraction(10) ** (e + 1) <= value:
        e += 1
    return e


def _scientific(value: Fraction, digits: int) -> str:
    """A number that has at most ``digits`` significant decimals, exactly."""
    if value == 0:
        return "0"
    e = _decade(value)
    numerator = int(value / Fraction(10) ** (e - digits + 1))
    text = str(numerator)
    return f"{text[0]}.{text[1:]}e{e:+03d}" if digits > 1 else f"{text}e{e:+03d}"
