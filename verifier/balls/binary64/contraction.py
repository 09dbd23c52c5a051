r"""Products of two tensors and attention in binary64.

**Products.** With rows a of A, columns b of B, k long, and errors within r_a, r_b of them in the 2-norm,

.. math:: |\delta \langle a, b\rangle| \le r_a \|b\| + (\|a\| + r_a) r_b + \gamma_{k+2} \|a\| \|b\| + 2^{-960} ,

and over a line of the result the same with ``||B||_F`` and ``(sum r_b^2)^(1/2)`` for ``||b||`` and ``r_b``.

**Attention.** ``o = sum_j P_j v_j``, P the softmax of ``s_j = c <q, k_j>``. P does not change if one vector is
subtracted from all k_j: with their mean, ``||k_j||`` and so the influence of q's error is small. Let exact scores be
within r_j <= R of those that the computed powers stand for (`fused.exponentials`), v_j within ``rho_j``. On the
straight way from one to the other ``P_j(t) <= e^{2R} P_j`` and ``P_j' = P_j (d_j - sum_k P_k d_k)``, so that for any
fixed vector, such as o, ``sum P_j' v_j = sum P_j (d_j - mean d)(v_j - o)`` and by Cauchy and Schwarz

.. math:: \|\delta o\| \le e^{2R} \Bigl( \sum_j P_j \rho_j
    + \bigl(\sum_j P_j r_j^2\bigr)^{1/2} \bigl(\sum_j P_j \|v_j\|^2 - \|o\|^2\bigr)^{1/2} \Bigr)
    + \gamma_{2s+8} \sum_j P_j \|v_j\| ,

the last term for the roundings of the quotients and of the product over s terms; with ``||P|| ||v||_F``, which is no
less, in place of ``sum P_j ||v_j||`` where a product's error is relative to norms (`Numbers.by_terms`).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.balls.binary64.backend import Array
from verifier.balls.binary64.bounds import TINY, U, upper
from verifier.balls.binary64.enclosed import Axes, Enclosed, aligned, bound_of_norm, two_norm
from verifier.balls.binary64.fused import exponentials, largest_move
from verifier.balls.binary64.numbers import Number

if TYPE_CHECKING:
    from verifier.balls.binary64.graph_arithmetic import FloatBalls


def contract(ops: FloatBalls, a: Enclosed, b: Enclosed, *, transposed: bool) -> Enclosed:
    """Enclose matrix products over the last two axes.

    Guarantee: see the module; one bound per entry if b is transposed or nothing depends on samples, else norms over the
    last axis.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    a : Enclosed of shape (..., n, k)
        The left factor.
    b : Enclosed of shape (..., k, m)
        The right factor, (..., m, k) if transposed.
    transposed : bool
        Whether b is given as its transpose.

    Returns
    -------
    Enclosed of shape (..., n, m)
        The products; leading axes broadcast.
    """
    xp = ops.xp
    axes = max(len(a.shape), len(b.shape))
    left, right, head = ops.aligned(a, axes), ops.aligned(b, axes), ops.numbers.head
    inner, other = axes - 1, axes - 1 if transposed else axes - 2
    mid = product(ops, left, _turned(ops, right) if transposed else right)
    constant = ops.numbers.slack(2, product=int(left.shape[-1]))
    entrywise = transposed or int(mid.shape[0]) == 1
    over = (other,) if entrywise else (other, inner)
    na, nb = two_norm(xp, head(left), (inner,)), two_norm(xp, head(right), over)
    ra, rb = _error(ops, a, axes, (inner,)), _error(ops, b, axes, over)
    if transposed:
        nb, rb = turned(xp, nb), turned(xp, rb)
    found = upper(ra * nb + (na + ra) * rb + constant * na * nb + TINY * int(mid.shape[-1]), 16)
    if entrywise:
        return ops.made(mid, found)
    return ops.made(mid, None, found, (inner,))


def attend(ops: FloatBalls, q: Enclosed, k: Enclosed, v: Enclosed, square: Fraction, mask: Enclosed | None) -> Enclosed:
    """Enclose ``softmax(sqrt(square) q k^T, mask) v``; norms over the last axis.

    Guarantee: see the module.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    q, k, v : Enclosed of shapes (..., n, d), (..., t, d), (..., t, e)
        Queries, keys and values.
    square : Fraction
        The square of the factor of the scores.
    mask : Enclosed or None
        Zeros and ones that broadcast to the scores, (..., n, t).

    Returns
    -------
    Enclosed of shape (..., n, e)
        The weighted sums of values.

    Raises
    ------
    NotEnclosed
        If scores may move too far, or something overflows.
    """
    xp, numbers, head = ops.xp, ops.numbers, ops.numbers.head
    axes = max(len(q.shape), len(k.shape), len(v.shape))
    inner = axes - 1
    scale = math.sqrt(float(square))
    left, keys, values = (ops.aligned(value, axes) for value in (q, k, v))
    centred = numbers.subtract(keys, numbers.mean(keys, -2))
    scores = numbers.times(product(ops, left, _turned(ops, centred)), numbers.number(square, root=True)[0])
    nq, nk = two_norm(xp, head(left), (inner,)), turned(xp, two_norm(xp, head(centred), (inner,)))
    rq, rk = (_error(ops, value, axes, (inner,)) for value in (q, k))
    rk = turned(xp, rk) + 1.01 * numbers.unit * nk
    constant = numbers.slack(8, product=int(left.shape[-1]))
    powers, own, allowed = exponentials(ops, scores, mask)
    moved = upper((scale * rq) * (nk + rk) + (scale * nq) * (rk + constant * nk) + own, 24)
    growth = math.exp(2.0 * largest_move(ops, moved, allowed)) * (1.0 + 2.0**-40)
    p = numbers.divide(powers, numbers.total(powers, keepdims=True))
    mid = product(ops, p, values)
    weight, s = head(p) + TINY, int(p.shape[-1])  # what underflowed counts
    if allowed is not None:
        zero = xp.zeros_like(weight)
        weight, moved = xp.where(allowed, weight, zero), xp.where(allowed, moved, zero)
    nv, rv = (turned(xp, part) for part in (two_norm(xp, head(values), (inner,)), _error(ops, v, axes, (inner,))))
    means = [upper(xp.sum(weight * part, axis=-1, keepdims=True), 2 * s + 16)
             for part in (rv, moved * moved, nv, nv * nv)]  # fmt: skip
    radius, squares, size, second = means
    if not numbers.by_terms:
        size = upper(two_norm(xp, weight, (inner,)) * two_norm(xp, nv, (inner,)), 16)
    rounding, o = numbers.slack(8, product=s, total=s) * size, head(mid)
    norm = xp.sqrt(xp.sum(o * o, axis=-1, keepdims=True)) * (1.0 - 8.0 * (int(mid.shape[-1]) + 16) * U)
    least = xp.maximum(norm - upper(rounding, 2), xp.asarray(0.0, dtype=xp.float64)) * (1.0 - 8.0 * U)
    variance = xp.maximum(second - least * least, xp.asarray(0.0, dtype=xp.float64)) + 4.0 * TINY * s * xp.max(nv * nv)
    spread = upper(xp.sqrt(upper(variance, 4) + TINY), 4)
    found = growth * (radius + xp.sqrt(squares + TINY) * spread) + rounding + TINY * s * xp.max(nv + rv)
    return ops.made(mid, None, upper(found, 2 * s + 16), (inner,))


def product(ops: FloatBalls, a: Number, b: Number) -> Number:
    """``a b`` over the last two axes, of midpoints with as many axes each; the others broadcast.

    Guarantee: that of `Numbers.matmul`, for every matrix.

    Parameters
    ----------
    ops : FloatBalls
        The engine, whose record takes in every product.
    a : Number of shape (..., n, k)
        The left factor.
    b : Number of shape (..., k, m)
        The right factor.

    Returns
    -------
    Number of shape (..., n, m)
        The computed products.
    """
    xp, numbers, (n, k), m = ops.xp, ops.numbers, a.shape[-2:], b.shape[-1]

    def shaped(values: Number, *shape: int) -> Number:
        return numbers.alike(lambda part: xp.reshape(part, shape), values)

    if math.prod(int(size) for size in b.shape[:-2]) == 1:
        return shaped(numbers.matmul(shaped(a, -1, k), shaped(b, k, m)), *a.shape[:-1], m)
    lead = np.broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
    left = numbers.alike(lambda part: xp.broadcast_to(part, (*lead, n, k)), a)
    right = numbers.alike(lambda part: xp.broadcast_to(part, (*lead, k, m)), b)
    return shaped(numbers.matmul_stack(shaped(left, -1, n, k), shaped(right, -1, k, m)), *lead, n, m)


def _turned(ops: FloatBalls, values: Number) -> Number:
    """Midpoints with their last two axes exchanged."""
    return ops.numbers.alike(lambda part: turned(ops.xp, part), values)


def turned(xp: Array, values: Array) -> Array:
    """Return a tensor with its last two axes exchanged."""
    order = list(range(values.ndim))
    order[-1], order[-2] = order[-2], order[-1]
    return xp.permute_dims(values, tuple(order))


def _error(ops: FloatBalls, value: Enclosed, axes: int, over: Axes) -> Array:
    """The bound of the error's 2-norm over axes of the value, given ``axes`` axes."""
    lead = axes - len(value.shape)
    found = bound_of_norm(ops.xp, value, value.shape, tuple(k - lead for k in over))
    if isinstance(found, float):
        return ops.xp.zeros((1,) * (axes + 1), dtype=ops.xp.float64)
    return aligned(ops.xp, found, axes)
