r"""Tensors of intervals in binary64, ``mid +- rad`` entry by entry, and what is done with them.

They are wide: where a midpoint is rounded, the radius takes it in, ``u |mid|`` at a time, and every computed radius
becomes an upper bound by `upper`. Products of matrices bound the radius by products of magnitudes,

.. math:: |AB - \hat A \hat B| \le |\hat A|\,(r_B + \gamma_{k+2} |\hat B|) + r_A\,(|\hat B| + r_B),

plus `TINY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import U, gamma, upper
from verifier.display import Brief
from verifier.network.windows import Shape

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, repr=False)
class Span(Brief):
    """Intervals: midpoints ``(rows, *S)``, and radii that broadcast to them and have as many axes."""

    mid: Array
    rad: Array

    @property
    def shape(self) -> Shape:
        """The shape S of one sample's tensor."""
        return tuple(int(n) for n in self.mid.shape[1:])

    @property
    def size(self) -> Array:
        """Upper bounds of the magnitudes of all numbers in the intervals."""
        found: Array = upper(np.abs(self.mid) + self.rad, 2)
        return found

    def with_axes(self, axes: int) -> Span:
        """The same with as many axes behind the rows, new ones of length 1 in front."""
        missing = axes + 1 - self.mid.ndim
        if missing <= 0:
            return self

        def longer(values: Array) -> Array:
            return values.reshape(values.shape[0], *(1,) * missing, *values.shape[1:])

        return Span(longer(self.mid), longer(self.rad))

    def full(self, rows: int) -> Span:
        """The same with radii of the midpoints' shape, and so many rows."""
        shape = (rows, *self.mid.shape[1:])
        return Span(np.broadcast_to(self.mid, shape), np.broadcast_to(self.rad, shape))


class Ends(NamedTuple):
    """Intervals, entry by entry, by their low and high ends."""

    low: Array
    high: Array


def checked(mid: Array, rad: Array) -> Span:
    """Intervals whose midpoints and radii are finite.

    Raises
    ------
    NotEnclosed
        One of them is not.
    """
    if not (np.isfinite(mid).all() and np.isfinite(rad).all()):
        raise NotEnclosed("a rate or its radius overflows binary64")
    return Span(mid, rad)


def between(low: Array, high: Array) -> Span:
    """Return intervals by midpoint and radius from their ends, entry by entry.

    Guarantee: each contains all numbers from its low to its high end.

    Parameters
    ----------
    low, high : ndarray of shape ``(rows, *S)``
        The ends, low <= high.

    Returns
    -------
    Span
        The intervals.
    """
    mid = 0.5 * low + 0.5 * high
    rad = np.maximum(high - mid, mid - low)
    return checked(mid, upper(np.maximum(rad, 0.0) + 2.0 * U * np.abs(mid), 4))


def ends(x: Span) -> Ends:
    """The ends of intervals, rounded outwards.

    Guarantee: every number of an interval lies between its ends.
    """
    room = upper(x.rad + 2.0 * U * x.size, 4)
    return Ends(x.mid - room, x.mid + room)


def plus(a: Span, b: Span) -> Span:
    """Return the interval sum a + b, entry by entry, with broadcasting.

    Guarantee: contains x + y for all x in a and y in b.

    Parameters
    ----------
    a, b : Span
        Intervals that broadcast to each other.

    Returns
    -------
    Span
        Of the common shape.
    """
    axes = max(a.mid.ndim, b.mid.ndim) - 1
    a, b = a.with_axes(axes), b.with_axes(axes)
    mid = a.mid + b.mid
    return checked(mid, upper(a.rad + b.rad + U * np.abs(mid), 4))


def negative(x: Span) -> Span:
    """Return the intervals of -x, which are exact."""
    return Span(-x.mid, x.rad)


def minus(a: Span, b: Span) -> Span:
    """Return the interval difference a - b, entry by entry, with broadcasting."""
    return plus(a, negative(b))


def times(a: Span, b: Span) -> Span:
    """Return the interval product a b, entry by entry, with broadcasting.

    Guarantee: contains x y for all x in a and y in b.

    Parameters
    ----------
    a, b : Span
        Intervals that broadcast to each other.

    Returns
    -------
    Span
        Of the common shape.
    """
    axes = max(a.mid.ndim, b.mid.ndim) - 1
    a, b = a.with_axes(axes), b.with_axes(axes)
    mid = a.mid * b.mid
    rad = np.abs(a.mid) * b.rad + a.rad * (np.abs(b.mid) + b.rad)
    return checked(mid, upper(rad + U * np.abs(mid), 8))


def scaled(x: Span, factor: float, error: float = 2.0 * U) -> Span:
    """Return intervals times a number that is known with a relative error of at most ``error``.

    Guarantee: contains c x for all x in the interval and all numbers c that ``factor`` stands for.

    Parameters
    ----------
    x : Span
        Intervals.
    factor : float
        The number as it is computed.
    error : float, optional
        A bound of its relative error.

    Returns
    -------
    Span
        In the shape of x.
    """
    mid = x.mid * factor
    rad = x.rad * abs(factor) * (1.0 + error) + (error + U) * np.abs(mid)
    return checked(mid, upper(rad, 8))


def summed(x: Span) -> Span:
    """Return the interval sums over the last axis.

    Guarantee: contains the sum of any numbers in the intervals.
    """
    count = x.mid.shape[-1]
    mid = x.mid.sum(axis=-1)
    rad = np.broadcast_to(x.rad, (*x.rad.shape[:-1], count)).sum(axis=-1)
    return checked(mid, upper(rad + gamma(count) * np.abs(x.mid).sum(axis=-1), count))


def mean(x: Span) -> Span:
    """Return the interval means over the last axis, which stays with length 1.

    Guarantee: contains the mean of any numbers in the intervals.
    """
    found = scaled(summed(x), 1.0 / x.mid.shape[-1])
    return Span(found.mid[..., None], found.rad[..., None])


def flattened(values: Array, rows: int) -> Array:
    """One row of entries for each sample."""
    found = values.reshape(len(values), -1)
    return found if len(found) == rows else np.broadcast_to(found, (rows, found.shape[1]))


def side_by_side(parts: Sequence[Span], rows: int) -> Span:
    """Tensors flattened and put side by side, ``(rows, entries)``."""
    mids, rads = [], []
    for part in parts:
        mids.append(flattened(part.mid, rows))
        rads.append(flattened(np.broadcast_to(part.rad, part.mid.shape), rows))
    if len(parts) == 1:
        return Span(mids[0], rads[0])
    return Span(np.concatenate(mids, axis=1), np.concatenate(rads, axis=1))


def still(mid: Array) -> Span:
    """Intervals that are the numbers themselves."""
    return Span(mid, np.zeros((1,) * mid.ndim))


def matrix_product(product: Any, a: Span, b: Span) -> Span:
    """The product of matrices over the last two axes, ``(..., n, k)`` times ``(..., k, m)``.

    Guarantee: contains A B for all A in a and B in b, if the products are as `Backend.matmul` says.

    Parameters
    ----------
    product
        Multiplies two arrays of float64 so, and records it.
    a, b
        The factors.
    """
    rows_a, rows_b = a.mid.shape[0], b.mid.shape[0]
    a, b = a.full(rows_a), b.full(rows_b)
    size_a, size_b = np.abs(a.mid), np.abs(b.mid)
    count = int(a.mid.shape[-1])
    mid = product(a.mid, b.mid)
    rad = product(size_a, b.rad + gamma(count + 2) * size_b) + product(np.ascontiguousarray(a.rad), size_b + b.rad)
    return checked(mid, upper(rad, count + 8))
