"""One number, as it stands in a list: a Python number of exactly the same value, or a refusal."""

from __future__ import annotations

import datetime
import math
import numbers
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from verifier.data.gate.foreign import is_missing, plain_tensor
from verifier.data.gate.place import Place

Number = int | float | Fraction

MAX_DECADES: Final = 5000
"""Largest exponent of a decimal number that is written out: binary64 ends at 308."""
MISSING: Final = "a missing value; fill it in or drop its row"
NOT_FINITE: Final = "not a finite binary64 number; remove or impute it"


def number(value: Any, place: Place) -> Number:
    """Take one number of a list or of an array of objects, exactly.

    Parameters
    ----------
    value : object
        What stands in a list or an array of objects.
    place : Place
        Where, for the message.

    Returns
    -------
    int, float or Fraction
        Guarantee: a finite number of exactly the same value; a float only if that is a binary64 number.

    Raises
    ------
    DataError
        Not a finite real number.
    """
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating):
        return _floating(value, place)
    if is_missing(value):
        place.refuse_value(value, MISSING)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return _decimal(value, place)
    tensor = plain_tensor(value, place)
    array = value if tensor is None else tensor
    if isinstance(array, np.ndarray):
        if array.ndim:
            place.refuse(f"is an array of shape {array.shape}, expected one number; stack the arrays to one")
        return number(array[()], place)
    return _other(value, place)


def _floating(value: Any, place: Place) -> Number:
    if not np.isfinite(value):
        place.refuse_value(value, NOT_FINITE)
    near = float(value)
    if isinstance(value, np.longdouble) and not (math.isfinite(near) and np.longdouble(near) == value):
        return Fraction(*value.as_integer_ratio())
    return near


def _decimal(value: Decimal, place: Place) -> Fraction:
    if not value.is_finite():
        place.refuse_value(value, NOT_FINITE)
    if value and (abs(value.adjusted()) > MAX_DECADES or len(value.as_tuple().digits) > MAX_DECADES):
        place.refuse_value(value, f"beyond 10^+-{MAX_DECADES}; rescale it")
    return Fraction(value) if value else Fraction(0)


def _other(value: Any, place: Place) -> Number:
    if isinstance(value, complex | np.complexfloating):
        place.refuse_value(value, "a complex number; give real numbers, for example the real and imaginary parts")
    if isinstance(value, str | bytes | bytearray):
        place.refuse_value(value, "text; convert it to a number, or leave it out")
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64):
        place.refuse_value(value, "a date or a duration; convert it to a number in a unit of your choice")
    if type(value).__module__.split(".")[0] == "flint":
        try:  # fmpz and fmpq are exact; an arb is not taken, as its radius would be lost
            return Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else int(value)
        except (TypeError, ValueError):
            pass
    ratio = getattr(value, "as_integer_ratio", None)
    if callable(ratio):
        try:
            return Fraction(*ratio())
        except (TypeError, ValueError, OverflowError, AttributeError):
            pass
    return place.refuse_value(
        value, f"of type {type(value).__name__}, not a number that is known here; convert it to int, float or Fraction"
    )
