r"""Blocked Cholesky factorization of ``H - cI`` with a bound of its residual: the second half of R2.

Rounding. ``a_i = ||A_i||_2``, ``ct_i = ||C_i||_2``, u, gamma and the underflow allowance as in `bounds`; H, w and r as
in `gram_matrix`, b rows per block, nb block rows.

``E_ij = H_ij - c [i=j] - sum_l C_il C_jl`` (i >= j) is evaluated as H_ij, minus one product of inner length
<= b for each block column left of j's (at most nb - 1), minus c on the diagonal, minus the product of the block column
itself. A term of a product passes through at most b + 2 roundings in it and nb + 1 outside, H_ij and c through at most
nb + 1. So the computed ``E'`` satisfies ``|E' - E|_ij <= gamma_{b+nb+6} (|H_ij| + c [i=j] + ct_i ct_j) + t``, and with
``|H_ij| <= (1 + gamma_{w+r+2}) a_i a_j + t``

.. math:: \|E\|_2 \le \|E'\| + \gamma_{b+nb+6}\bigl((1+\gamma_{w+r+2})\sum a_i^2 + |c| + \sum ct_i^2\bigr)
    + 2Nt.

``||E'||`` is the smaller of the Frobenius and the infinity norm of the symmetric E'. An entry of E' takes less
than ``3 (M + N + r + nb + 4)`` operations, each of which may underflow by ``2 * 2^-1022`` (flushed operand or result):
``t <= TINY`` for N, M < 2^50. The stored C has no subnormal entry and is exactly zero above the diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from flint import arb

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.products import Products
from verifier.balls.exact import about
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.rank.gram_matrix import BITS, PROBES, Blocks, Gram, flushed, mirrored, total


@dataclass(slots=True)
class Factor:
    """Blocks of C, and a bound of the residual.

    Guarantee: ``||H - cI - C C^T||_2 <= residual``.
    """

    blocks: Blocks
    shift: float
    residual: arb

    def column(self, k: int) -> Iterable[tuple[int, Array]]:
        """Give ``(i, C_ik)`` for all i >= k, the diagonal block first."""
        count = max(i for i, _ in self.blocks) + 1
        return ((i, self.blocks[i, k]) for i in range(k, count))


def pivot(backend: Backend, block: Array, shift: float, products: Products) -> tuple[Array, Array, Array] | None:
    """Factor a diagonal block, (b, b), from which the products of the columns to its left were subtracted.

    Parameters
    ----------
    backend : Backend
        Array library.
    block : ndarray of shape (b, b)
        Its lower triangle counts.
    shift : float
        c, subtracted from the diagonal.
    products : Products
        Record of what is multiplied.

    Returns
    -------
    (C_kk, C_kk^T, E'_kk) or None
        The factor without subnormal entries, exactly 0 above the diagonal, and what is left of the block, symmetric,
        computed with the two roundings that the module's text counts. None: it breaks down.
    """
    xp = backend.xp
    left = mirrored(backend, block) - shift * xp.eye(int(block.shape[0]), dtype=xp.float64)
    lower = backend.cholesky(left)
    if lower is None:
        return None
    lower = flushed(backend, xp.tril(lower))
    transpose = backend.contiguous(lower.T)
    return lower, transpose, mirrored(backend, left - backend.matmul(lower, transpose, products))


def solved(
    backend: Backend, block: Array, lower: Array, transpose: Array, products: Products
) -> tuple[Array, Array] | None:
    """A block of the factor below the diagonal, and what is left: ``(C_ik, E'_ik)``.

    Parameters
    ----------
    backend : Backend
        Array library.
    block : ndarray of shape (a, b)
        A block of H from which the products of the columns to its left were subtracted.
    lower, transpose : ndarrays of shape (b, b)
        ``C_kk`` and its transpose, from `pivot`.
    products : Products
        Record of what is multiplied.

    Returns
    -------
    (ndarray, ndarray) or None
        ``C_ik`` without subnormal entries, and ``block - C_ik C_kk^T`` as computed. None: ``C_kk`` is singular.
    """
    try:
        found = backend.right_solve_transposed(block, lower)
    except np.linalg.LinAlgError:
        return None
    found = flushed(backend, backend.contiguous(found))
    return found, block - backend.matmul(found, transpose, products)


def cholesky_residual(backend: Backend, gram: Gram, shift: float, progress: Progress | None = None) -> Factor | str:
    """Left-looking blocked Cholesky of ``H - cI``, in place of H's blocks, with its residual.

    Parameters
    ----------
    shift
        c, of either sign.

    Returns
    -------
    Factor or str
        Guarantee: ``||H - cI - C C^T||_2 <= residual`` (see the module's text); or where the factorization broke down,
        which proves nothing.
    """
    xp, blocks, edges, products = backend.xp, gram.blocks, gram.edges, gram.record
    n, nb = edges[-1].stop, len(edges)
    b = edges[0].stop
    row_squares = xp.zeros((n,), dtype=xp.float64)
    row_sums = xp.zeros((n,), dtype=xp.float64)
    factor_squares = xp.zeros((n,), dtype=xp.float64)

    def record(i: int, k: int, error: Array) -> None:
        size = xp.abs(error)
        row_sums[edges[i]] += xp.sum(size, axis=1)
        row_squares[edges[i]] += xp.sum(size * size, axis=1)
        if i != k:
            row_sums[edges[k]] += xp.sum(size, axis=0)
            row_squares[edges[k]] += xp.sum(size * size, axis=0)

    for k in range(nb):
        for j in range(k):
            transpose = backend.contiguous(blocks[k, j].T)
            for i in range(k, nb):
                blocks[i, k] -= backend.matmul(blocks[i, j], transpose, products)
        found = pivot(backend, blocks[k, k], shift, products)
        if found is None:
            where = f"rows {edges[k].start}..{edges[k].stop - 1}"
            return f"the Cholesky factorization of A A^T - {about(shift)} I breaks down at {where}"
        lower, transpose, error = found
        record(k, k, error)
        factor_squares[edges[k]] += xp.sum(lower * lower, axis=1)
        blocks[k, k] = lower
        for i in range(k + 1, nb):
            below = solved(backend, blocks[i, k], lower, transpose, products)
            if below is None:
                return f"the Cholesky factor is singular at rows {edges[k].start}..{edges[k].stop - 1}"
            blocks[i, k], error = below
            record(i, k, error)
            factor_squares[edges[i]] += xp.sum(blocks[i, k] * blocks[i, k], axis=1)
        if progress:
            progress(((k + 1) / nb) ** 2)
    with working_precision(BITS):
        frobenius = total(backend, upper(row_squares, 2 * n + nb)).sqrt()
        infinity = arb("nan")
        if backend.all_finite(row_sums):
            infinity = arb(float(upper(xp.max(row_sums), 2 * n + nb)))
        norm = frobenius if frobenius < infinity else infinity
        c_squares = total(backend, upper(factor_squares, n + nb))
        lost = arb(gamma(b + nb + 6)) * ((1 + gram.relative) * gram.squares + abs(arb(shift)) + c_squares)
        return Factor(blocks, shift, norm + lost + 2 * n * arb(TINY))  # Coq: R2 factor


Column = Callable[[int], Iterable[tuple[int, Array]]]
"""Gives ``(i, C_ik)`` for all i >= k, the diagonal block first."""


def estimate_smallest(backend: Backend, column: Column, edges: list[slice], shift: float, steps: int) -> float:
    """Untrusted estimate of lambda_min(H) by block Lanczos steps with the inverse of C C^T; NaN if it fails.

    Where many eigenvalues lie close to the smallest one, subspace iteration sees a mean of them for long. The largest
    Ritz value theta of the inverse on all blocks so far is never too large, and some eigenvalue lies within the norm r
    of its residual: 1 / (theta + r) is hardly ever above what it estimates.

    Parameters
    ----------
    backend : Backend
        Array library.
    column : callable
        Gives the blocks of C by columns.
    edges : list of slice
        The rows of each block.
    shift : float
        c: C is the factor of ``H - cI``.
    steps : int
        How often C's inverse is applied.

    Returns
    -------
    float
        The estimate.
    """
    xp, n = backend.xp, edges[-1].stop
    whole = n <= PROBES * steps  # then the first block spans everything
    inverses: dict[int, Array] = {}  # of C_kk^T
    width, steps = (n, 1) if whole else (PROBES, steps)
    basis, images = (xp.zeros((n, width * steps), dtype=xp.float64) for _ in range(2))
    y = backend.asarray(np.random.default_rng(1).standard_normal((n, width)))
    try:
        for step in range(steps):
            known = basis[:, : width * step]
            for _ in range(2):  # the second time removes what rounding left
                y -= xp.matmul(known, xp.matmul(known.T, y))
            v, _r = xp.linalg.qr(y)
            y = _solved(backend, column, edges, inverses, v)
            columns = slice(width * step, width * (step + 1))
            basis[:, columns], images[:, columns] = v, y
        small = backend.numpy(xp.matmul(basis.T, images))
        values, vectors = np.linalg.eigh((small + small.T) / 2.0)
        theta, ritz = float(values[-1]), backend.asarray(vectors[:, -1:])
        if not theta > 0.0:
            return math.nan
        rest = xp.matmul(images, ritz) / theta - xp.matmul(basis, ritz)
        theta *= 1.0 + math.sqrt(float(xp.sum(rest * rest)))
    except np.linalg.LinAlgError:
        return math.nan
    return 1.0 / theta + shift


def _solved(backend: Backend, column: Column, edges: list[slice], inverses: dict[int, Array], v: Array) -> Array:
    """The inverse of C C^T times v, by both substitutions; inverses of diagonal blocks are kept."""
    xp, nb = backend.xp, len(edges)
    y = xp.asarray(v, copy=True)
    for k in range(nb):
        for i, block in column(k):
            if i > k:
                y[edges[i], :] -= xp.matmul(block, y[edges[k], :])
                continue
            if k not in inverses:
                identity = xp.eye(int(block.shape[0]), dtype=xp.float64)
                inverses[k] = backend.right_solve_transposed(identity, block)
            y[edges[k], :] = xp.matmul(inverses[k].T, y[edges[k], :])
    for k in reversed(range(nb)):
        for i, block in column(k):
            if i > k:
                y[edges[k], :] -= xp.matmul(block.T, y[edges[i], :])
        y[edges[k], :] = xp.matmul(inverses[k], y[edges[k], :])
    return y
