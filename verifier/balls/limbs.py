"""How exact numbers are kept: in the smallest dtype that loses nothing, wider integers in 62-bit limbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Term = tuple[NDArray[Any], int]
"""An array and an exponent: the numbers ``values * 2^exponent``."""

LIMB_BITS = 62
"""With its sign a limb fits int64, and sums of two limbs do."""


SAMPLED = 4096
"""Entries that tell at once of most arrays that they are no small integers."""

_INTEGER_DTYPES = (np.int8, np.int16, np.int32, np.int64)


def compact(values: NDArray[np.float64]) -> tuple[NDArray[Any], int]:
    """Find the smallest dtype, and an exponent, that hold every value exactly.

    Guarantee: the array times ``2^exponent`` equals ``values``.

    Parameters
    ----------
    values : ndarray of float64
        Finite numbers of any shape.

    Returns
    -------
    (ndarray, int)
        The array, in the same shape, and the exponent.
    """
    largest = max(float(values.max()), -float(values.min())) if values.size else 0.0
    if largest < 2.0**15:
        for exponent in (0, -4, -8, -12):
            if not _small_integers(np.ldexp(values.ravel()[:SAMPLED], -exponent)):
                continue
            scaled = np.asarray(np.ldexp(values, -exponent))
            if _small_integers(scaled):
                small = np.int8 if float(np.abs(scaled).max(initial=0.0)) < 2.0**7 else np.int16
                return scaled.astype(small), exponent
    with np.errstate(over="ignore"):
        single = np.asarray(values.astype(np.float32))
    return (single if np.array_equal(single, values) else values), 0


def _small_integers(values: NDArray[np.float64]) -> bool:
    """Whether all values are integers that int16 holds."""
    return float(np.abs(values).max(initial=0.0)) < 2.0**15 and bool((values == np.trunc(values)).all())


def term_integers(values: NDArray[Any], exponent: int) -> tuple[list[int], int]:
    """Numerators of one term, in C order, and their common exponent.

    Guarantee: they equal ``values * 2^exponent`` exactly; the values are integers, or finite float32 or float64.

    Parameters
    ----------
    values : ndarray
        Integers, float32 or float64, of any shape.
    exponent : int
        The term's power of two.

    Returns
    -------
    (list of int, int)
        Numerators and exponent.
    """
    if values.dtype.kind in "iu":
        return list(values.ravel().tolist()), exponent
    mantissa, powers = np.frexp(values.astype(np.float64).ravel())
    numerators = (mantissa * 2.0**53).astype(np.int64)
    nonzero = numerators != 0
    if not nonzero.any():
        return [0] * numerators.size, exponent
    low = int(powers[nonzero].min())
    shifts = np.where(nonzero, powers - low, 0).tolist()
    return [m << s for m, s in zip(numerators.tolist(), shifts, strict=True)], exponent + low - 53


def in_smallest_type(values: NDArray[np.int64], exponent: int) -> Term:
    """``values * 2^exponent`` as one array of the smallest integer type, without a list of Python's integers.

    Guarantee: the array times ``2^exponent`` equals the numbers exactly.

    Parameters
    ----------
    values : ndarray of int64
        Integers above -2^63, of any shape.
    exponent : int
        The power of two.

    Returns
    -------
    (ndarray, int)
        The array, in the same shape, and the exponent.
    """
    bits = max(int(values.max(initial=0)), -int(values.min(initial=0))).bit_length()
    return values.astype(next(dtype for dtype in _INTEGER_DTYPES if bits < np.iinfo(dtype).bits)), exponent


def limbs(numerators: Sequence[int], shape: tuple[int, ...], exponent: int) -> tuple[Term, ...]:
    """``numerators * 2^exponent`` in C order as one array of the smallest integer type, or as 62-bit limbs.

    Guarantee: the sum over the terms of ``values * 2^exponent`` equals the numbers exactly.

    Parameters
    ----------
    numerators : sequence of int
        In C order.
    shape : tuple of int
        The array's shape.
    exponent : int
        The common power of two.

    Returns
    -------
    tuple of (ndarray, int)
        Values and exponent of each term, of the given shape.
    """
    bits = max(max(numerators, default=0), -min(numerators, default=0)).bit_length()
    for dtype in _INTEGER_DTYPES:
        if bits < np.iinfo(dtype).bits:
            return ((np.array(numerators, dtype=dtype).reshape(shape), exponent),)
    terms = []
    rest, mask = [int(v) for v in numerators], (1 << LIMB_BITS) - 1
    position = 0
    while any(rest):
        last = max(v.bit_length() for v in rest) <= LIMB_BITS
        limb = rest if last else [v & mask for v in rest]
        terms.append((np.array(limb, dtype=np.int64).reshape(shape), exponent + position))
        rest = [0] * len(rest) if last else [v >> LIMB_BITS for v in rest]
        position += LIMB_BITS
    return tuple(terms)
