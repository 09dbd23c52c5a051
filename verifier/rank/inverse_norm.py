r"""Upper bounds of ``||X||_2`` in binary64, for R1.

Three of them: the Frobenius norm, ``sqrt(||X||_1 ||X||_inf)``, or R2 applied to ``cI - X^T X``: with ``-H = -cI + C
C^T + E`` and H the computed ``X^T X``, ``lambda_max(H) <= c + ||E||``: ``||X||_2^2 <= c + ||E|| + ||H - X^T X||``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.products import Products
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision
from verifier.rank.cholesky import cholesky_residual
from verifier.rank.gram_matrix import BITS, accumulate, flushed, plan, total

ROWS = 512
"""Rows of X per elementwise pass."""


POWER_STEPS = 8
"""Steps of the untrusted estimate of ||X||_2."""


NORM_SHIFTS = (1.05, 1.2, 1.6)
"""Trial values of c, as multiples of the estimated ||X||_2^2."""


@dataclass(frozen=True, slots=True)
class _Transposed:
    """X^T, shape (N, K), as a `ColumnSource` without radii."""

    backend: Backend
    x: Array
    samples: int
    columns: int
    record: Products

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        xp = self.backend.xp
        for start in range(0, self.columns, width):
            part = slice(start, min(start + width, self.columns))
            yield part, self.backend.contiguous(self.x[part, :].T), xp.zeros((part.stop - start,), dtype=xp.float64)

    def row_blocks(self) -> Iterator[tuple[slice, Array, Array]]:
        xp = self.backend.xp
        yield slice(0, self.samples), self.backend.contiguous(self.x.T), xp.zeros((self.columns,), dtype=xp.float64)


@dataclass(slots=True)
class WitnessSums:
    """Upper bounds: column sums of ``X^2`` and ``|X|``, the largest row sum of ``|X|``."""

    squares: Array
    columns: Array
    largest_row: float

    def frobenius(self, backend: Backend) -> arb:
        """Bound the Frobenius norm ``||X||_F`` from above.

        Guarantee: the ball's upper end is at least the norm.
        """
        return total(backend, self.squares).sqrt()

    def mixed(self, backend: Backend) -> arb:
        """Bound ``sqrt(||X||_1 ||X||_inf)`` from above.

        Guarantee: the ball's upper end is at least that, hence at least ``||X||_2``.
        """
        return (arb(largest_entry(backend, self.columns)) * arb(self.largest_row)).sqrt()


def largest_entry(backend: Backend, values: Array) -> float:
    """The largest entry, infinity if one is not finite.

    Guarantee: no entry is above it.

    Parameters
    ----------
    backend : Backend
        Library and device.
    values : ndarray
        Of any shape.

    Returns
    -------
    float
        The largest.
    """
    return float(backend.xp.max(values)) if backend.all_finite(values) else math.inf


def on_device(backend: Backend, x: Array | NDArray[np.float64]) -> Array:
    """X on the device, subnormal entries flushed: from here on this is X."""
    moved = backend.asarray(x) if isinstance(x, np.ndarray) else x
    return flushed(backend, moved)


def witness_sums(backend: Backend, x: Array) -> WitnessSums:
    """Sums over X, shape (K, N), by blocks of rows, rounded up.

    Guarantee: every sum is at least the exact one of the sizes or squares; NaN or infinity where there is no bound.

    Parameters
    ----------
    backend : Backend
        Library and device.
    x : ndarray of shape (K, N)
        X.

    Returns
    -------
    WitnessSums
        The sums.
    """
    xp, (k, n) = backend.xp, x.shape
    squares, columns = xp.zeros((n,), dtype=xp.float64), xp.zeros((n,), dtype=xp.float64)
    row = 0.0
    for start in range(0, k, ROWS):
        size = xp.abs(x[start : min(start + ROWS, k), :])
        columns += xp.sum(size, axis=0)
        squares += xp.sum(size * size, axis=0)
        row = max(row, largest_entry(backend, upper(xp.sum(size, axis=1), n)))
    return WitnessSums(upper(squares, 2 * k), upper(columns, 2 * k), row)


def norm_bound(backend: Backend, x: Array | NDArray[np.float64], *, tight: bool = False) -> float:
    """Upper bound of ``||X||_2``, X of shape (K, N), subnormal entries counted as zero; with ``tight`` by R2.

    Parameters
    ----------
    backend
        The array library.
    x
        Shape (K, N), NumPy or the backend's.
    tight
        Sharpen the bound by R2.

    Returns
    -------
    float
        Guarantee: at least the norm; NaN or infinity if there is none. Source: the module's text.

    Raises
    ------
    NotEnclosed
        The platform's canary fails.
    """
    record = Products()
    with np.errstate(all="ignore"):
        flat = on_device(backend, x)
        found = spectral_norm(backend, flat, witness_sums(backend, flat), tight, record)
    require(record)
    return found


def spectral_norm(backend: Backend, x: Array, sums: WitnessSums, tight: bool, record: Products) -> float:
    """Upper bound of ``||X||_2`` from sums of X, with ``tight`` sharpened by R2; its products enter the record.

    Guarantee: at least the norm if the record's products are as trusted; NaN or infinity if there is none.

    Parameters
    ----------
    backend : Backend
        Library and device.
    x : ndarray of shape (K, N)
        X.
    sums : WitnessSums
        Bounds of its sums of sizes and squares.
    tight : bool
        Whether to sharpen the bound.
    record : Products
        Takes in the products that the bound rests on.

    Returns
    -------
    float
        The bound.
    """
    with working_precision(BITS):
        frobenius, mixed = sums.frobenius(backend), sums.mixed(backend)
        best = upper_float(frobenius if frobenius < mixed or not mixed.is_finite() else mixed)
    if tight and 0.0 < best < math.inf:
        sharp = _norm_by_gram(backend, x, record)
        best = sharp if sharp < best else best
    return best


def _norm_by_gram(backend: Backend, x: Array, record: Products) -> float:
    """``||X||_2`` from above by a Cholesky factorization of ``cI - X^T X``; infinity if it fails."""
    k, n = (int(size) for size in x.shape)
    estimate = _norm_estimate(backend, x)
    if not 0.0 < estimate < math.inf:
        return math.inf
    for factor in NORM_SHIFTS:
        gram = accumulate(_Transposed(backend, x, n, k, record), plan(n, k))
        for key in gram.blocks:
            gram.blocks[key] = -gram.blocks[key]
        shift = factor * estimate * estimate
        found = cholesky_residual(backend, gram, -shift)
        if isinstance(found, str):
            continue
        with working_precision(BITS):
            return upper_float((arb(shift) + found.residual + gram.error).sqrt())
    return math.inf


def _norm_estimate(backend: Backend, x: Array) -> float:
    """Untrusted estimate of ``||X||_2`` by subspace iteration."""
    xp, n = backend.xp, int(x.shape[1])
    v = backend.asarray(np.random.default_rng(2).standard_normal((n, min(n, 8))))
    value = math.nan
    try:
        for _ in range(POWER_STEPS):
            v, _r = xp.linalg.qr(v)
            y = xp.matmul(x, v)
            small = backend.numpy(xp.matmul(y.T, y))
            value = float(np.linalg.eigvalsh(small)[-1])
            v = xp.matmul(x.T, y)
    except np.linalg.LinAlgError:
        return math.nan
    return math.sqrt(value) if value > 0.0 else math.nan
