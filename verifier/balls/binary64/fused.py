r"""Normalisation, softmax and reciprocal roots in binary64, each as one rule.

**Normalisation.** ``f(y) = y / s(y)``, ``s(y)^2 = ||y||^2 / n + epsilon``, is applied to y = x, or to y = Px, x minus
its mean. The Jacobian of f, ``(I - y y^T / (n s^2)) / s``, is symmetric with eigenvalues ``1/s`` and ``epsilon / s^3``,
all in [0, 1/s]; so for z with ``||y - z|| <= rho``

.. math:: \|f(y) - f(z)\|_2 \le \rho / s_-, \qquad s_-^2 = \max(0, \|z\| - \rho)^2 / n + \epsilon .

The computed z = fl(x - m), m = fl(mean x), is off by ``u |z| (1 + 2u)`` from ``x - m``, whose projection is that of x,
and ``||Pz - z|| = |sum z| / sqrt(n)``: so ``rho = ||dx|| + |sum z| / sqrt(n) + (gamma_n + 1.01 u) ||z||`` with the
computed sum, whatever m is. Of ``w = fl(z / sqrt(v))``, ``v = fl(sum z^2 / n + epsilon)``, all terms of v are
non-negative: its relative error is below ``gamma_{n+8}`` if v is not tiny, half of it reaches w, and ``||f|| <=
sqrt(n)``: ``||w - f(z)|| <= gamma_{n+11} sqrt(n)`` and underflow.

**Softmax.** ``p_j = m_j e^{x_j} / sum m_k e^{x_k}`` does not change if a number is subtracted from all x_j: with the
largest no exponential overflows. If x moves by d with ``|d_j| <= r_j <= R``, then on the way ``p_j(t) <= e^{2R} p_j``
and ``p_j' = p_j (d_j - sum p_k d_k)``, so p_j moves by at most ``e^{4R} p_j (r_j + sum p_k r_k)``. What rounding does
to an exponent or multiplies an exponential with is part of d.

**Reciprocal roots.** ``t^(-1/2)`` is convex and decreasing, so for ``t >= l > 0``, ``|t - v| <= r``, ``l = v - r``:
``|t^(-1/2) - v^(-1/2)| <= r / (2 l^(3/2))``; IEEE root and division round by u each.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.balls.binary64.backend import Array, NotEnclosed
from verifier.balls.binary64.bounds import TINY, U, upper
from verifier.balls.binary64.enclosed import Enclosed, aligned, bound_of_entries, bound_of_norm
from verifier.balls.binary64.numbers import Number

if TYPE_CHECKING:
    from verifier.balls.binary64.graph_arithmetic import FloatBalls

SMALLEST = 1e-200
"""Sums below are left to Arb: underflow could matter."""

LARGEST_EPSILON = 2**900
"""A larger one is left to Arb: its binary64 number must be finite, and sums with it need room."""

LARGEST_MOVE = 30.0
"""Scores that may move further are not worth enclosing."""


def normalise(ops: FloatBalls, x: Enclosed, epsilon: Fraction, *, centre: bool) -> Enclosed:
    """Enclose ``(x - c) / sqrt(mean (x - c)^2 + epsilon)`` over the last axis; norms over it.

    Guarantee: see the module.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    x : Enclosed of shape (..., n)
        What is normalised.
    epsilon : Fraction
        At least 0.
    centre : bool
        Whether c is the mean, or 0.

    Returns
    -------
    Enclosed of shape (..., n)
        Bounds are 2-norms over the last axis.

    Raises
    ------
    NotEnclosed
        If a radius is as large as the result can be, or the root may be that of 0.
    """
    xp, n, last = ops.xp, x.shape[-1], len(x.shape) - 1
    numbers = ops.numbers
    low = _moderate(epsilon) * (1.0 - 4.0 * U)
    z = x.mid
    moved = bound_of_norm(xp, x, x.shape, (last,))
    if centre and n == 1:  # a number minus itself
        z, moved = numbers.alike(xp.zeros_like, z), 0.0
    elif centre:
        z = numbers.subtract(z, numbers.mean(z, -1))
    squares = numbers.total(numbers.multiply(z, z), keepdims=True)
    q = numbers.head(squares)
    size = xp.sqrt(q + TINY)
    if centre and n > 1:
        left = xp.abs(numbers.head(numbers.total(z, keepdims=True))) * (1.0 / math.sqrt(n))
        moved = upper(moved + left + (numbers.slack(0, total=n) + 1.01 * numbers.unit) * upper(size, n), 16)
    v = _plus(ops, numbers.times(squares, numbers.number(Fraction(1, n))[0]), epsilon)
    if not bool(xp.all(numbers.head(v) > SMALLEST)) or not numbers.all_finite(v):
        raise NotEnclosed("normalise: the variance is 0 or overflows")
    w = numbers.root_quotient(z, v)
    zero = xp.asarray(0.0, dtype=xp.float64)
    least = xp.maximum(xp.sqrt(q) * (1.0 - 8.0 * (n + 16) * U) - moved, zero)
    slowest = xp.sqrt(least * least * (1.0 / n) + low) * (1.0 - 32.0 * U)
    if not bool(xp.all(slowest > math.sqrt(SMALLEST))):
        raise NotEnclosed("normalise: the variance may be 0")
    norm = upper(moved / slowest + numbers.slack(11, total=n) * math.sqrt(n) + TINY * n, 16)
    if not bool(xp.all(norm < math.sqrt(n))):
        raise NotEnclosed("normalise: the radius is as large as the value")
    return ops.made(w, None, norm, (last,))


def inverse_root(ops: FloatBalls, x: Enclosed, epsilon: Fraction) -> Enclosed:
    """Enclose ``1 / sqrt(x + epsilon)`` entry by entry.

    Guarantee: see the module.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    x : Enclosed
        Of any shape.
    epsilon : Fraction
        At least 0.

    Returns
    -------
    Enclosed
        Of the same shape.

    Raises
    ------
    NotEnclosed
        If ``x + epsilon`` may be 0, or is out of range.
    """
    xp, number, numbers = ops.xp, _moderate(epsilon), ops.numbers
    shifted, unit = _plus(ops, x.mid, epsilon), ops.numbers.unit
    v = numbers.head(shifted)
    moved = upper(bound_of_entries(xp, x, len(x.shape)) + 1.01 * unit * number + 1.01 * unit * xp.abs(v), 8)
    least = (v - moved) * (1.0 - 4.0 * U)
    if not bool(xp.all(least > SMALLEST)) or not numbers.all_finite(shifted):
        raise NotEnclosed("inverse-root: what the root is taken of may be 0 or overflows")
    root = numbers.root_quotient(numbers.given(np.ones((1,) * v.ndim)), shifted)
    each = moved / (2.0 * least * xp.sqrt(least)) * (1.0 + 16.0 * U) + 3.0 * unit * numbers.head(root)
    return ops.made(root, upper(each, 16))


def exponentials(ops: FloatBalls, scores: Number, mask: Enclosed | None) -> tuple[Number, Array, Array | None]:
    """``m_j exp(x_j - max)`` over the last axis, and how far rounding moves the exponents that they stand for.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    scores : Number of shape (rows, ..., n)
        The x_j, midpoints.
    mask : Enclosed or None
        The m_j, exactly 0 or 1; it broadcasts to the scores.

    Returns
    -------
    (powers, moved, allowed)
        Guarantee: ``powers_j = m_j exp(x_j - c + e_j)`` with a number c for each line and ``|e_j| <= moved_j``, but for
        an error below 2^-1000 where ``x_j - c < -700``; at least one of the powers of a line is at least 0.99.

    Raises
    ------
    NotEnclosed
        If a mask is not exactly 0 or 1, or leaves nothing.
    """
    xp, numbers = ops.xp, ops.numbers
    allowed = None
    if mask is not None:
        told = numbers.exact(mask.mid)
        kept = None if told is None else aligned(xp, told, len(scores.shape) - 1)
        if kept is None or not (mask.exact and bool(xp.all((kept == 0.0) | (kept == 1.0)))):
            raise NotEnclosed("softmax: a mask that is not exactly 0 or 1")
        shape = np.broadcast_shapes(tuple(scores.shape), tuple(kept.shape))
        scores = numbers.alike(lambda part: xp.broadcast_to(part, shape), scores)
        allowed = xp.broadcast_to(kept > 0.5, shape)
        if not bool(xp.all(xp.any(allowed, axis=-1))):
            raise NotEnclosed("softmax: a mask hides all entries of a line")
    if not numbers.all_finite(scores):
        raise NotEnclosed("softmax: a score overflows binary64")
    below = numbers.subtract(scores, numbers.largest(_hidden(ops, scores, allowed, -math.inf), keepdims=True))
    below = _hidden(ops, below, allowed, 0.0)
    powers = _hidden(ops, numbers.exp(below), allowed, 0.0)
    return powers, upper(numbers.unit * xp.abs(numbers.head(below)) * 1.01 + numbers.exp_error, 2), allowed


def _hidden(ops: FloatBalls, values: Number, allowed: Array | None, other: float) -> Number:
    """The values, but another number where they are not allowed."""
    xp = ops.xp
    if allowed is None:
        return values
    return ops.numbers.alike(lambda part: xp.where(allowed, part, xp.full(part.shape, other, dtype=xp.float64)), values)


def softmax(ops: FloatBalls, x: Enclosed, mask: Enclosed | None) -> Enclosed:
    """Enclose a softmax over the last axis, one bound per entry.

    Guarantee: see the module.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    x : Enclosed of shape (..., n)
        The scores.
    mask : Enclosed or None
        Exactly 0 or 1; it broadcasts to the scores.

    Returns
    -------
    Enclosed of shape (..., n)
        The shares.

    Raises
    ------
    NotEnclosed
        If scores may move by more than `LARGEST_MOVE`, or a mask is not exact.
    """
    xp, count = ops.xp, x.shape[-1]
    powers, own, allowed = exponentials(ops, x.mid, mask)
    moved = own + bound_of_entries(xp, x, len(x.shape))
    most = largest_move(ops, moved, allowed)
    shares = ops.numbers.divide(powers, ops.numbers.total(powers, keepdims=True))
    p, rounding = ops.numbers.head(shares), ops.numbers.slack(4, total=count)
    line = xp.sum(p * moved, axis=-1, keepdims=True)
    growth = math.exp(4.0 * most) * (1.0 + 2.0**-40)
    each = growth * (p + TINY) * (moved + line + TINY) + rounding * p + TINY * (count + 4)
    each = upper(each, count + 16)
    if allowed is not None:
        each = xp.where(allowed, each, xp.zeros_like(each))
    return ops.made(shares, each)


def largest_move(ops: FloatBalls, moved: Array, allowed: Array | None) -> float:
    """The largest move of a score that counts.

    Raises
    ------
    NotEnclosed
        It is above `LARGEST_MOVE`.
    """
    counted = moved if allowed is None else ops.xp.where(allowed, moved, ops.xp.zeros_like(moved))
    most = float(ops.xp.max(counted))
    if not most <= LARGEST_MOVE:
        raise NotEnclosed("softmax: the scores' radii are too large")
    return most


def _plus(ops: FloatBalls, x: Number, epsilon: Fraction) -> Number:
    """``x + epsilon``, epsilon rounded."""
    if not epsilon:
        return x
    shift = ops.numbers.times(ops.numbers.given(np.ones((1,) * len(x.shape))), ops.numbers.number(epsilon)[0])
    return ops.numbers.add(x, shift)


def _moderate(epsilon: Fraction) -> float:
    """The binary64 number nearest to an epsilon, if that is one."""
    if not epsilon < LARGEST_EPSILON:
        raise NotEnclosed("epsilon is out of binary64's range")
    return float(epsilon)
