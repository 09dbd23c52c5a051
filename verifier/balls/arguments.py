"""What callers give to the engines, taken exactly or refused in words."""

from __future__ import annotations

from typing import Any

from verifier.balls.exact import ExactArray
from verifier.errors import DataError


def given_weights(units: int, weights: Any, what: str, least: int = 2) -> ExactArray:
    """Take output weights, shape (M, m) with M = ``units`` and m >= ``least``.

    Guarantee: exactly the numbers that were given.

    Raises
    ------
    DataError
        They are no such numbers, or of another shape.
    """
    found = ExactArray.of_floats(weights, what)
    if len(found.shape) != 2 or found.shape[0] != units or found.shape[1] < least:
        head = "; a head with one logit z is the head (0, z): numpy.hstack([0 * v, v])"
        one = head if found.shape == (units, 1) else ""
        raise DataError(f"{what}: V has shape {found.shape}; expected (M, m) with M = {units} and m >= {least}{one}")
    return found
