r"""Values of nodes in binary64: midpoints, and bounds of how far the exact values may be from them.

A value has one row per sample, or one row that stands for all, and a tensor of shape S in each. Two bounds of its error
d, exact minus midpoint, are known, at least one of them unless the midpoints are exact:

* ``each``, which broadcasts to the midpoints: ``|d| <= each`` entry by entry.
* ``norm``, whose axes are as long as those of the midpoints or 1 long: the 2-norm of d over all axes that are 1 long in
  ``norm`` is at most ``norm``. For tokens, ``(T, C)``, it is one number per sample and token, ``(rows, T, 1)``; for
  images, ``(C, H, W)``, one per sample and pixel, ``(rows, 1, H, W)``. The samples' axis is never one of these axes: if
  it is 1 long, the bound holds for every sample.

One implies the other: ``|d_j| <= ||d||_2``, and ``||d||_2 <= sqrt(sum each_j^2)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.products import Array
from verifier.display import Brief
from verifier.network.windows import Shape

Axes = tuple[int, ...]
"""Axes of one sample's tensor, from 0 on."""


@dataclass(frozen=True, slots=True, repr=False)
class Enclosed(Brief):
    """Midpoints ``(rows, *S)`` and bounds of their errors; see the module. Without a bound they are exact."""

    mid: Array
    each: Array | None = None
    norm: Array | None = None

    @property
    def shape(self) -> Shape:
        """The shape S of one sample's tensor."""
        return tuple(int(n) for n in self.mid.shape[1:])

    @property
    def exact(self) -> bool:
        """Whether the midpoints are the values."""
        return self.each is None and self.norm is None

    @property
    def common(self) -> bool:
        """Whether one bound per entry is known that holds for all samples (exact values have the bound 0)."""
        return self.exact or (self.each is not None and int(self.each.shape[0]) == 1)


def aligned(xp: Any, values: Array, axes: int) -> Array:
    """The same array ``(rows, *dims)`` with as many axes behind the rows, new ones of length 1 in front."""
    missing = axes + 1 - values.ndim
    if missing <= 0:
        return values
    return xp.reshape(values, (values.shape[0], *(1,) * missing, *values.shape[1:]))


def two_norm(xp: Any, values: Array, axes: Axes) -> Array:
    """The 2-norm over axes of a tensor, which stay with length 1.

    Guarantee: an upper bound; NaN or infinity where the sum of squares overflows.

    Parameters
    ----------
    xp : module
        The array library.
    values : ndarray of shape ``(rows, *S)``
        Any numbers.
    axes : tuple of int
        Axes of S, from 0.

    Returns
    -------
    ndarray
        Of the shape of the values, with these axes of length 1.
    """
    inner = tuple(k + 1 for k in axes if int(values.shape[k + 1]) > 1)
    if not inner:
        return xp.abs(values)
    count = math.prod(int(values.shape[k]) for k in inner)
    return upper(xp.sqrt(xp.sum(values * values, axis=inner, keepdims=True) + TINY), count)


def largest_over(xp: Any, values: Array, axes: Axes) -> Array:
    """The largest magnitude over axes of a tensor, which stay with length 1."""
    inner = tuple(k + 1 for k in axes if int(values.shape[k + 1]) > 1)
    return xp.max(xp.abs(values), axis=inner, keepdims=True) if inner else xp.abs(values)


def over_rows(xp: Any, values: Array) -> Array:
    """The largest of each entry over the samples, one row."""
    return values if int(values.shape[0]) == 1 else xp.max(values, axis=0, keepdims=True)


def bound_of_entries(xp: Any, value: Enclosed, axes: int) -> Array | float:
    """The bound of each entry's error, with ``axes`` axes behind the rows.

    Guarantee: it broadcasts to the midpoints and bounds each entry's error; 0.0 if there is none.

    Parameters
    ----------
    xp : module
        The array library.
    value : Enclosed
        Midpoints with their bounds.
    axes : int
        How many axes the result has behind that of the samples.

    Returns
    -------
    ndarray or float
        The smaller of both bounds where there are two.
    """
    if value.each is None or value.norm is None:
        found = value.norm if value.each is None else value.each
        return 0.0 if found is None else aligned(xp, found, axes)
    return xp.minimum(aligned(xp, value.each, axes), aligned(xp, value.norm, axes))


def bound_of_norm(xp: Any, value: Enclosed, shape: Shape, axes: Axes) -> Array | float:
    """The bound of the error's 2-norm over axes of ``shape``, which the value is broadcast to.

    Parameters
    ----------
    xp, value
        The array library, and a value whose shape broadcasts to ``shape``.
    shape : tuple of int
        The shape of a tensor.
    axes : tuple of int
        Some of its axes.

    Returns
    -------
    Array or float
        Guarantee: an array ``(rows or 1, *dims)``, dims 1 at ``axes`` and broadcasting to the shape elsewhere, whose
        entries bound the 2-norm over ``axes`` of the broadcast error; 0.0 if there is none. Where a value is repeated k
        times along an axis, the norm grows by sqrt(k); a norm over more axes bounds one over fewer.
    """
    if value.exact:
        return 0.0
    own, lead = value.shape, len(shape) - len(value.shape)
    inside = tuple(k - lead for k in axes if k >= lead)
    repeated = math.prod(shape[k] for k in axes if k < lead or own[k - lead] == 1)
    found: Array = None
    if value.norm is not None:
        found = two_norm(xp, value.norm, inside)
    if value.each is not None:
        uniform = math.prod(own[k] for k in inside if int(value.each.shape[k + 1]) == 1)
        other = two_norm(xp, value.each, inside)
        other = upper(other * math.sqrt(uniform), 2) if uniform > 1 else other
        found = other if found is None else xp.minimum(found, other)
    if repeated > 1:
        found = upper(found * math.sqrt(repeated), 2)
    return aligned(xp, found, len(shape))


def feature_axes(values: Sequence[Enclosed], shape: Shape) -> Axes:
    """The axes that the norm of a result of this shape should be taken over: those that the values' norms share.

    If they share none, all that some norm is taken over.
    """
    shared, some = set(range(len(shape))), set[int]()
    for value in values:
        if value.norm is None:
            continue
        lead, own = len(shape) - len(value.shape), value.shape
        taken = {k + lead for k, n in enumerate(own) if n > 1 and int(value.norm.shape[k + 1]) == 1}
        neutral = {k for k in range(len(shape)) if k < lead or own[k - lead] == 1}
        shared &= taken | neutral
        some |= taken
    shared &= some
    return tuple(sorted(k for k in shared or some if shape[k] > 1))


def spread(xp: Any, norm: Array | float, shape: Shape, axes: Axes) -> Array:
    """A bound as `Enclosed.norm` keeps it: 1 long at ``axes``, as long as the tensor elsewhere."""
    dims = tuple(1 if k in axes else n for k, n in enumerate(shape))
    if isinstance(norm, float):
        return xp.full((1, *dims), norm, dtype=xp.float64)
    norm = aligned(xp, norm, len(shape))
    return norm if tuple(norm.shape[1:]) == dims else xp.broadcast_to(norm, (norm.shape[0], *dims))
