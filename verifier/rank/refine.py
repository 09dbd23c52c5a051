"""Untrusted refinement of left singular vectors to any precision, by products only.

Rows q of ``Q`` approximate left singular vectors of A. With ``S = Q Q^T = I + F`` and ``T = (Q A)(Q A)^T`` of diagonal
d, the update ``Q <- (I + Y)^T Q`` cancels the off-diagonal part of both to first order for

    Y_ij = (d_j F_ij - T_ij) / (d_i - d_j),    Y_ii = -F_ii / 2

(Ogita and Aishima, *Iterative refinement for symmetric eigenvalue decomposition*, JJIAM 2018), which doubles the number
of correct digits. Where d_i and d_j are too close for that, their rows are kept together as a cluster and rotated by a
small decomposition in binary64; what it leaves together the later rounds resolve.

Guarantee: none. Whatever Q comes out, the enclosure of the singular values decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
from flint import arb, arb_mat, fmpz
from numpy.typing import NDArray

from verifier.balls.precision import MAX_BITS, working_precision

Array = NDArray[np.float64]

LARGEST_ROTATION = 2.0**-20
"""Pairs that ask for a larger Y form a cluster."""

FLOAT_RANGE = (1e-100, 1e100)
"""Where the largest entry of a matrix may lie for binary64 to hold what matters of it and of its squares."""

MAX_SCHULZ_STEPS = 20
"""The Newton-Schulz iteration doubles the right bits of an orthonormal matrix."""

TIGHT = 0.25
"""A cluster whose relative width is below this is rotated after subtracting its centre, a wider one by its rows."""


@dataclass(frozen=True, slots=True)
class Step:
    """Refined vectors and what is known of them: ``accuracy`` bits are expected, ``clusters`` remain."""

    q: arb_mat
    accuracy: int
    clusters: tuple[tuple[int, ...], ...]


def start(a: Array) -> tuple[arb_mat, float]:
    """Left singular vectors of a binary64 matrix, shape ``(N, M)`` with N <= M, as rows, and ``log2`` of its condition.

    The logarithm is at most 50: more is beyond binary64.
    """
    n = len(a)
    scale = float(np.abs(a).max(initial=0.0))
    try:
        u, s, _ = scipy.linalg.svd(a / scale if scale > 0.0 else a, full_matrices=False, check_finite=True)
    except (scipy.linalg.LinAlgError, ValueError):
        return identity(n), 50.0
    condition = math.log2(s[0]) - math.log2(s[-1]) if s[-1] > 0.0 else 50.0
    return arb_mat(n, n, u.T.ravel().tolist()), min(condition, 50.0)


def identity(n: int) -> arb_mat:
    """The n x n identity matrix, exact."""
    return arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])


def power_of_two(exponent: int) -> arb:
    """Return ``2^exponent`` as an exact ball; the exponent may be negative."""
    return arb((fmpz(1), fmpz(exponent)))


def magnitude(value: arb) -> int | None:
    """The e with ``2^(e-1) <= |mid| < 2^e``, or None for zero and for what is not finite."""
    middle = value.mid()
    if not middle.is_finite() or middle.is_zero():
        return None
    mantissa, exponent = middle.man_exp()
    return int(abs(mantissa).bit_length()) + int(exponent)


def largest_magnitude(matrix: arb_mat) -> int:
    """The largest `magnitude` of the entries; far below any precision if all vanish."""
    largest = float(np.abs(_floats(matrix)).max(initial=0.0))
    if FLOAT_RANGE[0] < largest < FLOAT_RANGE[1]:
        return math.frexp(largest)[1]
    return max((e for e in map(magnitude, matrix.entries()) if e is not None), default=-(2**30))


def scaled_floats(matrix: arb_mat) -> Array:
    """Midpoints as binary64 numbers, divided by a power of two if that brings them into its range."""
    values = _floats(matrix)
    if not FLOAT_RANGE[0] < float(np.abs(values).max(initial=0.0)) < FLOAT_RANGE[1]:
        values = _floats(matrix * power_of_two(-largest_magnitude(matrix)))
    return np.asarray(np.nan_to_num(values))


def _floats(matrix: arb_mat) -> Array:
    return np.array([float(z) for z in matrix.entries()]).reshape(matrix.nrows(), matrix.ncols())


@np.errstate(all="ignore")
def improve(q: arb_mat, s: arb_mat, t: arb_mat, b: arb_mat, known: int, bits: int) -> Step:
    """One round: the correction of the separated pairs, and a rotation of each cluster.

    Parameters
    ----------
    q
        Rows, shape ``(N, N)``, exact.
    s, t, b
        ``q q^T``, ``b b^T`` and ``b = q A``, shapes ``(N, N)``, ``(N, N)``, ``(N, M)``.
    known
        Bits of accuracy that q has already.
    bits
        Most bits that the refined rows need.

    Returns
    -------
    Step
        The refined rows, exact, rounded to the bits that are expected to be right.
    """
    n = q.nrows()
    y = _correction(s, t)
    loud = ~(np.abs(_floats(arb_mat(y))) <= LARGEST_ROTATION)
    np.fill_diagonal(loud, False)
    count, label = scipy.sparse.csgraph.connected_components(scipy.sparse.csr_array(loud), directed=False)
    members = [np.flatnonzero(label == c).tolist() for c in range(count)] if count < n else []
    clusters = [group for group in members if len(group) > 1]
    for group in clusters:
        for i in group:
            for j in group:
                y[i][j] = ((i == j) - s[i, j]) * arb(0.5)
    update = arb_mat(y).transpose().mid()
    right = max(0, -largest_magnitude(update))
    reached = 2 * right
    smooth = not clusters and reached >= known
    accuracy = min(bits, reached) if smooth else bits
    with working_precision(min(max(accuracy - right + 24, 64), MAX_BITS)):
        update = (update * arb(1)).mid()
    with working_precision(min(max(accuracy + 16, 64), MAX_BITS)):
        refined = (q + update * q).mid()
        if clusters:
            rows = refined.tolist()
            for group in clusters:
                rotation = orthonormal(_rotation(s, t, b, group), accuracy)
                turned = rotation * arb_mat([rows[i] for i in group])
                for i, row in zip(group, turned.mid().tolist(), strict=True):
                    rows[i] = row
            refined = arb_mat(rows)
        if not smooth:
            refined = orthonormal(refined, accuracy)
    return Step(refined, accuracy, tuple(map(tuple, clusters)))


def _correction(s: arb_mat, t: arb_mat) -> list[list[arb]]:
    """Y, with NaN or infinity where the diagonal of t repeats itself."""
    s_rows, t_rows = s.tolist(), t.tolist()
    n = len(s_rows)
    d = [t_rows[i][i].mid() for i in range(n)]
    y = [[arb(0)] * n for _ in range(n)]
    for i in range(n):
        y[i][i] = (1 - s_rows[i][i]) * arb(0.5)
        for j in range(i):
            large, small = (i, j) if d[i] > d[j] else (j, i)
            f = s_rows[i][j]
            # a row takes the larger one's share of it, which must be right relative to itself
            share = (d[small] * f - t_rows[i][j]) / (d[large] - d[small])
            y[large][small], y[small][large] = share, -f - share
    return y


def _rotation(s: arb_mat, t: arb_mat, b: arb_mat, group: Sequence[int]) -> arb_mat:
    """A matrix, orthogonal to binary64's accuracy, whose rows separate the group's singular values further."""
    size = len(group)
    diagonal = [t[i, i].mid() for i in group]
    largest, smallest = max(diagonal), min(diagonal)
    try:
        if largest - smallest < largest * TIGHT:
            entries = [(t[i, j] - smallest * s[i, j]).mid() for i in group for j in group]
            inner = scaled_floats(arb_mat(size, size, entries))
            turned = scipy.linalg.eigh((inner + inner.T) / 2)[1][:, ::-1]
        else:
            rows = b.tolist()
            turned = scipy.linalg.svd(scaled_floats(arb_mat([rows[i] for i in group])), full_matrices=False)[0]
    except scipy.linalg.LinAlgError:
        return identity(size)
    return arb_mat(size, size, turned.T.ravel().tolist())


def orthonormal(q: arb_mat, bits: int) -> arb_mat:
    """Rows near those of q that are orthonormal to ``bits`` bits, by the Newton-Schulz iteration."""
    three = 3 * identity(q.nrows())
    for _ in range(MAX_SCHULZ_STEPS):
        square = (q * q.transpose()).mid()
        if largest_magnitude(square - identity(q.nrows())) < -bits:
            break
        q = ((three - square) * q * arb(0.5)).mid()
    return q
