r"""The rates of nodes over an interval of times, in binary64, where they are more than a rate scaled or moved.

With hulls H, W of what a node reads and rates H', W':

.. math:: (HW)' = H' W + H W', \qquad p_j' = p_j \bigl(s_j' - \sum_k p_k s_k'\bigr), \qquad z' = r (d' - z\, m),

for products, ``p = softmax(s)``, and ``z = r d`` the normalised ``d = x - mean x`` (or d = x), ``r = (mean d^2 +
epsilon)^(-1/2)``, ``m = mean(z d')``. In ``(P v)' = P' v + P v'`` one row may be subtracted from all rows of v in the
first term, since the rates of a row of P have the sum 0; and one number from all rates of the scores of a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.balls.binary64 import contraction, span
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY, U, gamma, upper
from verifier.balls.binary64.elementary import exp
from verifier.balls.binary64.fused import exponentials
from verifier.balls.binary64.slope_table import table_for
from verifier.balls.binary64.span import Span
from verifier.network.arithmetic import Geometry, Places
from verifier.network.network import Array
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

if TYPE_CHECKING:
    from verifier.balls.binary64.float_motion import FloatMotion, Moving
    from verifier.balls.binary64.graph_arithmetic import FloatBalls

LARGEST_SPREAD = 300.0
"""Scores that may move further are not worth enclosing."""


def derivative(x: Span, sigma: Activation) -> Span:
    """The range of an activation's derivative over intervals.

    Guarantee: see `SlopeTable.ranges`.

    Parameters
    ----------
    x : Span
        Intervals.
    sigma : Activation
        The activation.

    Returns
    -------
    Span
        An interval for each interval of x, in its shape.

    Raises
    ------
    NotEnclosed
        It is not known, or not bounded.
    """
    low, high = span.ends(x)
    largest = max(float(np.abs(low).max(initial=0.0)), float(np.abs(high).max(initial=0.0)))
    return span.between(*table_for(sigma, largest).ranges(low, high))


def spread_out(x: Span, shape: Shape) -> Span:
    """Intervals broadcast to a tensor's shape."""
    x = x.with_axes(len(shape))
    full = (x.mid.shape[0], *shape)
    return x if x.mid.shape == full else Span(np.broadcast_to(x.mid, full), x.rad)


def gathered(parts: Sequence[Span], places: Places) -> Span:
    """Entries taken from tensors flattened one after the other."""
    row = span.side_by_side(parts, max(len(part.mid) for part in parts))
    order, shape = places.ravel(), (len(row.mid), *places.shape)
    if order.size == row.mid.shape[1] and bool((order == np.arange(order.size)).all()):
        return Span(row.mid.reshape(shape), row.rad.reshape(shape))
    return Span(*(np.take(part, order, axis=1).reshape(shape) for part in (row.mid, row.rad)))


def affine_rate(
    motion: FloatMotion, geometry: Geometry, sources: Sequence[Moving], weight: Moving, bias: Moving | None
) -> Span:
    """``H' W + H W' + b'``, one product for the midpoints and one for the radii of each group of filters.

    Guarantee: contains the rate at almost all times of the interval, for every sample.

    Parameters
    ----------
    motion : FloatMotion
        Values and rates at the interval.
    geometry : Geometry
        How the sources are read.
    sources : sequence of Moving
        What the windows are taken of.
    weight, bias : Moving, Moving or None
        The filters, and what is added.

    Returns
    -------
    Span
        Of the result's shape.
    """
    rows = max(len(source.value.mid) for source in sources)
    groups = 1 if geometry.windows is None else len(geometry.windows)
    rate = None
    if any(source.rate is not None for source in sources):
        rate = span.side_by_side([motion.rate(source) for source in sources], rows)
    hull = None if weight.rate is None else span.side_by_side([motion.hull(source) for source in sources], rows)
    own = motion.hull(weight) if rate is not None else None
    mids, rads = [], []
    for group in range(groups):
        left, above, right, beside = list[Array](), list[Array](), list[Array](), list[Array]()
        if rate is not None and own is not None:
            w = _of_group(own, geometry, group)
            _term(left, right, above, beside, _patches(rate, geometry, group), w)
        if hull is not None and weight.rate is not None:
            _term(left, right, above, beside, _patches(hull, geometry, group), _of_group(weight.rate, geometry, group))
        if left:
            mid, rad = _multiplied(motion.ops, left, right), _multiplied(motion.ops, above, beside)
            rad = upper(rad, sum(part.shape[1] for part in above))
        else:
            mid, rad = (np.zeros((rows * geometry.positions, geometry.filters // groups)) for _ in range(2))
        mids.append(mid.reshape(rows, geometry.positions, -1))
        rads.append(rad.reshape(rows, geometry.positions, -1))
    found = Span(*(_in_order(geometry, parts) for parts in (mids, rads)))
    if bias is None or bias.rate is None:
        return span.checked(found.mid, found.rad)
    return span.plus(found, _bias(bias.rate, geometry))


def _term(left: list[Array], right: list[Array], above: list[Array], beside: list[Array], a: Span, b: Span) -> None:
    """Take in a product of matrices (rows, k) and (filters, k), to be summed with others: see `span`.

    Terms of up to two products of k are summed at once, each with less than ``gamma_{4k+8}`` of its size.
    """
    size = np.abs(b.mid)
    left.append(a.mid)
    right.append(b.mid)
    above += [np.abs(a.mid), a.rad]
    beside += [upper(b.rad + gamma(4 * b.mid.shape[1] + 8) * size, 4), upper(size + b.rad, 2)]


def _multiplied(ops: FloatBalls, left: Sequence[Array], right: Sequence[Array]) -> Array:
    """The sum of products of matrices (rows, k) and (filters, k), by one product."""
    a, b = (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1) for parts in (left, right))
    return np.asarray(ops.backend.matmul(a, b.T, ops.record))


def _patches(row: Span, geometry: Geometry, group: int) -> Span:
    """What each position of a group reads, ``(rows * positions, k)``."""
    if geometry.windows is None or not geometry.filters_first:
        width = row.mid.shape[1] // geometry.positions
        return Span(row.mid.reshape(-1, width), row.rad.reshape(-1, width))
    places = np.asarray(geometry.windows[group])
    parts = []
    for values in (row.mid, row.rad):
        padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1) if geometry.padded else values
        parts.append(np.take(padded, places.ravel(), axis=1).reshape(-1, places.shape[1]))
    return Span(*parts)


def _of_group(weight: Span, geometry: Geometry, group: int) -> Span:
    """The weights of a group of filters, ``(filters, k)``."""
    groups = 1 if geometry.windows is None else len(geometry.windows)
    per = geometry.filters // groups
    part = slice(group * per, (group + 1) * per)
    return Span(
        weight.mid.reshape(geometry.filters, -1)[part],
        np.broadcast_to(weight.rad, weight.mid.shape).reshape(geometry.filters, -1)[part],
    )


def _in_order(geometry: Geometry, parts: Sequence[Array]) -> Array:
    """From ``(rows, positions, filters of a group)`` to the result's shape."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    if geometry.filters_first:
        whole = whole.transpose(0, 2, 1)
    return np.ascontiguousarray(whole).reshape(len(whole), *geometry.shape)


def _bias(rate: Span, geometry: Geometry) -> Span:
    """The rates of biases in the result's shape, ``(1, *shape)``; one for each filter if there are so many."""

    def ordered(values: Array) -> Array:
        flat = np.broadcast_to(values, rate.mid.shape).ravel()
        if flat.size == geometry.filters and geometry.positions > 1:
            flat = np.repeat(flat, geometry.positions) if geometry.filters_first else np.tile(flat, geometry.positions)
        return flat.reshape(1, *geometry.shape)

    return Span(ordered(rate.mid), ordered(rate.rad))


def contracted(ops: FloatBalls, a: Span, b: Span, *, transposed: bool) -> Span:
    """Return the interval products of matrices over the last two axes; b is transposed first if ``transposed``.

    Guarantee: as `span.matrix_product`.

    Parameters
    ----------
    ops : FloatBalls
        The engine, whose record takes in every product.
    a, b : Span of shapes (..., n, k) and (..., k, m)
        The factors; b (..., m, k) if transposed.
    transposed : bool
        Whether b is given as its transpose.

    Returns
    -------
    Span of shape (..., n, m)
        The products.
    """
    axes = max(len(a.shape), len(b.shape))
    a, b = a.with_axes(axes), b.with_axes(axes)
    if transposed:
        b = _turned(b)
    return span.matrix_product(lambda p, q: contraction.product(ops, p, q), a, b)


def _turned(x: Span) -> Span:
    """Return intervals with the last two axes exchanged."""
    return Span(*(np.swapaxes(np.broadcast_to(part, x.mid.shape), -1, -2) for part in (x.mid, x.rad)))


def largest_rate(x: Span, rate: Span) -> Span:
    """The rates of all entries of a line that may be its largest.

    Guarantee: contains the rate of the maximum at almost all times: it is that of an entry that attains it.

    Parameters
    ----------
    x, rate : Span of shape (..., n)
        Values over the interval, and their rates.

    Returns
    -------
    Span of shape (...)
        One rate for each line.
    """
    low, high = span.ends(x)
    able = high >= low.max(axis=-1, keepdims=True)
    slowest, fastest = span.ends(spread_out(rate, x.shape))
    return span.between(
        np.where(able, slowest, np.inf).min(axis=-1),
        np.where(able, fastest, -np.inf).max(axis=-1),
    )


def inverse_root_hull(x: Span, epsilon: Fraction) -> Span:
    """``(x + epsilon)^(-1/2)``, decreasing: at the ends; the three roundings are below 4 u.

    Guarantee: contains it for every x in the interval.

    Parameters
    ----------
    x : Span
        Intervals.
    epsilon : Fraction
        At least 0.

    Returns
    -------
    Span
        In the shape of x.

    Raises
    ------
    NotEnclosed
        What the root is taken of may be tiny, or not above 0.
    """
    number = float(epsilon)
    low, high = span.ends(x)
    least, most = (low + number * (1.0 - 2.0 * U)), (high + number * (1.0 + 2.0 * U))
    least = least - 4.0 * U * (np.abs(low) + number)
    most = most + 4.0 * U * (np.abs(high) + number)
    if not bool((least > TINY).all()):
        raise NotEnclosed("what a root is taken of may be 0")
    return span.between((1.0 / np.sqrt(most)) * (1.0 - 8.0 * U), (1.0 / np.sqrt(least)) * (1.0 + 8.0 * U))


def softmax_rate(motion: FloatMotion, x: Moving, mask: Moving | None) -> tuple[Span, Span]:
    r"""The hull of a softmax, and its rates.

    With scores within e_j of those that the computed powers ``q_j`` stand for, ``p_j`` lies between
    ``q_j e^{-e_j} / (q_j e^{-e_j} + sum_{k != j} q_k e^{e_k})`` and the same with signs changed.

    Raises
    ------
    NotEnclosed
        The scores may move further than `LARGEST_SPREAD`.
    """
    hull = motion.hull(x)
    powers, own, allowed = exponentials(motion.ops, x.value.mid, None if mask is None else mask.value)
    moved = upper(own + np.broadcast_to(hull.rad, hull.mid.shape), 4)
    if allowed is not None:
        moved = np.where(allowed, moved, 0.0)
    if not float(moved.max(initial=0.0)) < LARGEST_SPREAD:
        raise NotEnclosed("softmax: the scores may move too far")
    growth = motion.ops.backend.map(lambda t: exp(np, t), moved)
    room = 8.0 * (powers.shape[-1] + 24) * U
    many = (powers + TINY) * growth * (1.0 + room)
    few = np.maximum(powers - TINY, 0.0) / growth * (1.0 - room)
    if allowed is not None:
        many, few = np.where(allowed, many, 0.0), np.where(allowed, few, 0.0)
    others_many = many.sum(axis=-1, keepdims=True) * (1.0 + room) - many * (1.0 - room)
    others_few = np.maximum(few.sum(axis=-1, keepdims=True) * (1.0 - room) - few * (1.0 + room), 0.0)
    low = few / (few + others_many + TINY) * (1.0 - room)
    high = np.minimum(many / (many * (1.0 - room) + others_few) * (1.0 + room) + TINY, 1.0)
    p = span.between(low, np.maximum(high, low))
    rate = spread_out(motion.rate(x), x.value.shape)
    if allowed is not None:
        rate = Span(np.where(allowed, rate.mid, 0.0), np.where(allowed, rate.rad, 0.0))
    return p, span.times(p, span.minus(rate, _kept_axis(span.summed(span.times(p, rate)))))


def _kept_axis(x: Span) -> Span:
    return Span(x.mid[..., None], x.rad[..., None])


def normalise_rate(motion: FloatMotion, x: Moving, epsilon: Fraction, *, centre: bool) -> Span:
    """``r (d' - z mean(z d'))`` with hulls of d, r and z.

    Guarantee: contains the rate of the normalised entries at almost all times. Source: the module's text.

    Parameters
    ----------
    motion : FloatMotion
        Values and rates at the interval.
    x : Moving of shape (..., n)
        What is normalised.
    epsilon : Fraction
        At least 0.
    centre : bool
        Whether the mean is subtracted.

    Returns
    -------
    Span of shape (..., n)
        The rates.
    """
    d = motion.at_middle(x)
    rate = spread_out(motion.rate(x), d.shape)
    if centre:
        d, rate = span.minus(d, span.mean(d)), span.minus(rate, span.mean(rate))
    squares, hull = span.mean(span.times(d, d)), motion.widened(d, rate)
    slope = span.scaled(span.mean(span.times(hull, rate)), 2.0)
    low, high = (np.maximum(end, 0.0) for end in span.ends(motion.widened(squares, slope)))  # they are squares
    root = inverse_root_hull(span.between(low, high), epsilon)
    most = math.sqrt(d.shape[-1]) * (1.0 + 4.0 * U)  # of a normalised entry
    low, high = (np.clip(end, -most, most) for end in span.ends(span.times(hull, root)))
    z = span.between(low, high)
    return span.times(root, span.minus(rate, span.times(z, span.mean(span.times(z, rate)))))


def attend_rate(motion: FloatMotion, q: Moving, k: Moving, v: Moving, square: Fraction, mask: Moving | None) -> Span:
    """``P' (v - o) + P v'``; the scores' rates but for one number in each row.

    Guarantee: contains the rate of the weighted sums at almost all times. Source: the module's text.

    Parameters
    ----------
    motion : FloatMotion
        Values and rates at the interval.
    q, k, v : Moving of shapes (..., n, d), (..., t, d), (..., t, e)
        Queries, keys and values.
    square : Fraction
        The square of the factor of the scores.
    mask : Moving or None
        Zeros and ones that broadcast to the scores.

    Returns
    -------
    Span of shape (..., n, e)
        The rates.
    """
    ops = motion.ops
    value = ops.scale(ops.contract(q.value, k.value, transposed=True), square, root=True)
    left, keys = motion.hull(q), motion.hull(k)
    centre = span.still(keys.mid.mean(axis=-2, keepdims=True))
    rate = contracted(ops, spread_out(motion.rate(q), q.value.shape), span.minus(keys, centre), transposed=True)
    if k.rate is not None:
        moved = _turned(k.rate)
        rate = span.plus(rate, contracted(ops, left, span.minus(moved, span.mean(moved)), transposed=False))
    rate = span.scaled(rate, float(square) ** 0.5, 4.0 * U)
    scores = type(q)(value, rate)
    p, p_rate = softmax_rate(motion, scores, mask)
    values = motion.hull(v)
    about = span.minus(values, span.still(values.mid.mean(axis=-2, keepdims=True)))
    found = contracted(ops, p_rate, about, transposed=False)
    if v.rate is not None:
        found = span.plus(found, contracted(ops, p, v.rate, transposed=False))
    return found
