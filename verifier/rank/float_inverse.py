r"""R1 in binary64: an approximate right inverse X of some columns of Psi bounds the smallest singular value from below.

For any X (K, N) and ``A' = Psi[:, columns]``: if ``||I - A' X||_2 <= alpha < 1`` then ``sigma_N(Psi) >= sigma_N(A') >=
(1 - alpha) / ||X||_2`` (Rump, *Verified bounds for singular values*, BIT 2011; `right_inverse` does it exactly).

With ``|A' - A| <= 1 q^T`` and ``R' = fl(fl(A X) - I)``,

.. math:: |AX - I - R'|_{ij} \le \gamma_{K+3} (a_i x_j + [i=j]) + t, \qquad |(A' - A) X|_{ij} \le (q^T|X|)_j = z_j ,

``a_i = ||A_i||_2``, ``x_j = ||X_{:j}||_2`` (Cauchy-Schwarz; a term passes K + 2 roundings in its product and one more),
t < TINY the underflow of one entry. Both right-hand sides are of rank one but for the identity, so

.. math:: \|I - A'X\| \le \|R'\| + \gamma_{K+3}(\|A\|_F \|X\|_F + \|I\|) + \sqrt N\, \|z\|_2 + N t,

in the Frobenius norm (``||I|| = sqrt N``) and in the 2-norm, where ``||R'||_2 <= sqrt(||R'||_1 ||R'||_inf)``.

``||X||_2``: the Frobenius norm, ``sqrt(||X||_1 ||X||_inf)``, or by R2 applied to ``cI - X^T X``: with ``-H = -cI +
C C^T + E`` and H the computed ``X^T X``, ``lambda_max(H) <= c + ||E||``: ``||X||_2^2 <= c + ||E|| + ||H - X^T X||``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.binary64.products import Products
from verifier.balls.exact import at_least, at_most, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.data.gate import binary64, integers
from verifier.display import Decided
from verifier.errors import needs
from verifier.rank.approx import approx_right_inverse
from verifier.rank.gram import BITS, accumulate, cholesky_residual, flushed, plan, record_of, total
from verifier.verdict import Verdict

ROWS = 512
"""Rows of X per elementwise pass."""

POWER_STEPS = 8
"""Steps of the untrusted estimate of ||X||_2."""

NORM_SHIFTS = (1.05, 1.2, 1.6)
"""Trial values of c, as multiples of the estimated ||X||_2^2."""


@dataclass(frozen=True, slots=True)
class Residual64:
    """Upper bounds for a witness X.

    Guarantee: for every Psi in the enclosure, ``||I - Psi[:, columns] X||_F <= frobenius``, the 2-norm is at most
    ``mixed``, and ``||X||_2 <= norm_x``. NaN or infinity: no bound.
    """

    frobenius: float
    mixed: float
    norm_x: float

    @property
    def alpha(self) -> float:
        """Upper bound of ``||I - Psi[:, columns] X||_2``; infinity if there is none.

        Guarantee: see above.
        """
        finite = [value for value in (self.frobenius, self.mixed) if math.isfinite(value)]
        return min(finite, default=math.inf)


@dataclass(frozen=True, slots=True)
class InverseBound64(Decided):
    """What R1 proves: if PROVED, ``||I - Psi X||_2 <= alpha < 1`` and ``sigma_N(Psi) >= sigma_lower > 0``.

    UNDECIDED: no bound, for the ``reason`` given, which says nothing about the rank.
    """

    verdict: Verdict
    reason: str
    sigma_lower: float = 0.0
    alpha: float = math.inf
    norm_x: float = math.inf


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
class _WitnessSums:
    """Upper bounds: column sums of X^2 and |X|, the largest row sum of |X|."""

    squares: Array
    columns: Array
    largest_row: float

    def frobenius(self, backend: Backend) -> arb:
        return total(backend, self.squares).sqrt()

    def mixed(self, backend: Backend) -> arb:
        return (arb(_largest(backend, self.columns)) * arb(self.largest_row)).sqrt()


def _largest(backend: Backend, values: Array) -> float:
    return float(backend.xp.max(values)) if backend.all_finite(values) else math.inf


def _witness(backend: Backend, x: Array | NDArray[np.float64]) -> Array:
    """X on the device, subnormal entries flushed: from here on this is X."""
    moved = backend.asarray(x) if isinstance(x, np.ndarray) else x
    return flushed(backend, moved)


def _sums(backend: Backend, x: Array) -> _WitnessSums:
    xp, (k, n) = backend.xp, x.shape
    squares, columns = xp.zeros((n,), dtype=xp.float64), xp.zeros((n,), dtype=xp.float64)
    row = 0.0
    for start in range(0, k, ROWS):
        size = xp.abs(x[start : min(start + ROWS, k), :])
        columns += xp.sum(size, axis=0)
        squares += xp.sum(size * size, axis=0)
        row = max(row, _largest(backend, upper(xp.sum(size, axis=1), n)))
    return _WitnessSums(upper(squares, 2 * k), upper(columns, 2 * k), row)


def _radius_sums(backend: Backend, x: Array, q: Array) -> Array:
    """``q^T |X|``, shape (N,).

    Guarantee: an upper bound.
    """
    xp, (k, n) = backend.xp, x.shape
    z = xp.zeros((n,), dtype=xp.float64)
    for start in range(0, k, ROWS):
        part = slice(start, min(start + ROWS, k))
        z += xp.sum(xp.reshape(q[part], (-1, 1)) * xp.abs(x[part, :]), axis=0)
    return upper(z, 2 * k)


def norm_bound(backend: Backend, x: Array | NDArray[np.float64], *, tight: bool = False) -> float:
    """Upper bound of ``||X||_2``, X of shape (K, N), subnormal entries counted as zero; with ``tight`` by R2.

    Guarantee: at least the norm; NaN or infinity if there is none.

    Raises
    ------
    NotEnclosed
        The platform's canary fails.
    """
    record = Products()
    with np.errstate(all="ignore"):
        flat = _witness(backend, x)
        found = _norm(backend, flat, _sums(backend, flat), tight, record)
    require(record)
    return found


def _norm(backend: Backend, x: Array, sums: _WitnessSums, tight: bool, record: Products) -> float:
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


def _chosen(columns: NDArray[np.int64] | None, m: int, k: int) -> list[int] | None:
    if columns is None:
        if k != m:
            raise ValueError(f"X has {k} rows for {m} columns")
        return None
    chosen = [int(j) for j in columns]
    increasing = all(a < b for a, b in itertools.pairwise(chosen))
    if len(chosen) != k or not increasing or (chosen and not 0 <= chosen[0] <= chosen[-1] < m):
        raise ValueError(f"columns {chosen[:8]} must be {k} strictly increasing column indices below {m}")
    return chosen


def residual64(
    source: ColumnSource,
    x: Array | NDArray[np.float64],
    columns: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    *,
    tight: bool = False,
) -> Residual64:
    """Bound ``||I - Psi[:, columns] X||`` and ``||X||_2`` by one product, over blocks of rows.

    Parameters
    ----------
    x
        Witness, shape (K, N), NumPy or the backend's; subnormal entries count as zero.
    columns
        K strictly increasing column indices, None for all.
    tight
        Sharpen ``norm_x`` by R2: one more product and a factorization.

    Returns
    -------
    Residual64
        Guarantee: see there; any NaN or overflow makes the bounds it enters NaN or infinite.

    Raises
    ------
    ValueError
        If shapes do not fit, or the columns do not strictly increase (a repeated one would raise sigma).
    NotEnclosed
        The platform's canary fails.
    """
    backend, n, m = source.backend, source.samples, source.columns
    if len(x.shape) != 2 or int(x.shape[1]) != n or int(x.shape[0]) < 1:
        raise ValueError(f"X of shape {tuple(x.shape)}; it must be (K, {n})")
    k = int(x.shape[0])
    chosen = _chosen(columns, m, k)
    record = record_of(source)
    with np.errstate(all="ignore"):
        found = _residual(source, _witness(backend, x), chosen, progress, tight, record)
    require(record)
    return found


def _residual(
    source: ColumnSource,
    x: Array,
    chosen: list[int] | None,
    progress: Progress | None,
    tight: bool,
    record: Products,
) -> Residual64:
    backend, n, m = source.backend, source.samples, source.columns
    xp, k = backend.xp, int(x.shape[0])
    index = None if chosen is None else xp.asarray(chosen, dtype=xp.int64)
    sums = _sums(backend, x)
    column_sums = xp.zeros((n,), dtype=xp.float64)
    squares, row, a_squares, z_squares, covered = arb(0), 0.0, arb(0), arb(0), 0
    for rows, whole, radii in source.row_blocks():
        h = rows.stop - rows.start
        if rows.start != covered or tuple(whole.shape) != (h, m) or tuple(radii.shape) != (m,):
            raise ValueError(f"row block {rows} of shape {tuple(whole.shape)} does not continue at row {covered}")
        covered = rows.stop
        a = whole if index is None else xp.take(whole, index, axis=1)
        q = radii if index is None else xp.take(radii, index, axis=0)
        r = backend.matmul(a, x, record)
        r[:, rows] -= xp.eye(h, dtype=xp.float64)
        r = xp.abs(r)
        column_sums += xp.sum(r, axis=0)
        row = max(row, _largest(backend, upper(xp.sum(r, axis=1), n)))
        with working_precision(BITS):
            squares += total(backend, upper(xp.sum(r * r, axis=1), n))
            a_squares += total(backend, upper(xp.sum(a * a, axis=1), k))
            z = _radius_sums(backend, x, q) if bool(xp.all(q >= 0.0)) else q * math.nan
            if backend.all_finite(z):
                z_squares += h * total(backend, upper(z * z, 0))
            else:
                z_squares = arb("nan")
        if progress:
            progress(covered / n)
    if covered != n:
        raise ValueError(f"the row blocks cover {covered} of {n} rows")
    with working_precision(BITS):
        g = arb(gamma(k + 3))
        product = (a_squares * total(backend, sums.squares)).sqrt()
        common = g * product + z_squares.sqrt() + n * arb(TINY)
        mixed = (arb(_largest(backend, upper(column_sums, 2 * n))) * arb(row)).sqrt() + common + g
        frobenius = squares.sqrt() + common + g * arb(n).sqrt()
        return Residual64(upper_float(frobenius), upper_float(mixed), _norm(backend, x, sums, tight, record))


def certify_inverse64(
    source: ColumnSource,
    x: Array | NDArray[np.float64],
    columns: NDArray[np.int64] | None = None,
    *,
    tight: bool = False,
    progress: Progress | None = None,
) -> InverseBound64:
    """Prove ``rank Psi = N`` and a lower bound of sigma_N from a witness, by R1 in binary64.

    Returns
    -------
    InverseBound64
        Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``.

    Raises
    ------
    ValueError
        As `residual64`.
    """
    needs(source, "enclosure", "row_blocks", "source", "give MatrixEnclosure(numpy_backend(), A), or use matrix(A)")
    plain = type(x) is np.ndarray and x.dtype == np.dtype(np.float64)
    if not (plain or hasattr(x, "__cuda_array_interface__")):  # an array on the device is the backend's own
        x = binary64(x, "x")
    columns = None if columns is None else integers(columns, "columns")
    try:
        found = residual64(source, x, columns, progress, tight=tight)
    except NotEnclosed as error:
        return InverseBound64(Verdict.UNDECIDED, str(error))
    alpha, norm = found.alpha, found.norm_x
    if not alpha < 1.0:
        return InverseBound64(
            Verdict.UNDECIDED, f"||I - Psi X|| is only bounded by {at_most(alpha)}; it must be below 1"
        )
    if not 0.0 < norm < math.inf:
        return InverseBound64(Verdict.UNDECIDED, f"||X|| is only bounded by {at_most(norm)}")
    with working_precision(BITS):
        sigma = lower_float((1 - arb(alpha)) / arb(norm))
    if not sigma > 0.0:
        return InverseBound64(Verdict.UNDECIDED, "the bound of sigma_N underflows")
    return InverseBound64(Verdict.PROVED, f"rank N, sigma_N >= {at_least(sigma)}", sigma, alpha, norm)


def approx_inverse64(a: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Untrusted right inverse of a wide matrix (N, K), shape (K, N); None if it breaks down.

    ``A^T (A A^T)^-1`` by Cholesky, with one step ``X <- X + X (I - A X)`` where that still helps; by QR where the Gram
    matrix is too ill conditioned.
    """
    with np.errstate(all="ignore"):
        try:
            factor = scipy.linalg.cho_factor(a @ a.T, lower=True, check_finite=False)
            x: NDArray[np.float64] = np.ascontiguousarray(scipy.linalg.cho_solve(factor, a, check_finite=False).T)
        except (scipy.linalg.LinAlgError, ValueError):
            return approx_right_inverse(a) if bool(np.isfinite(a).all()) else None
        residual = -(a @ x)
        residual[np.diag_indices(len(a))] += 1.0
        size = float(np.linalg.norm(residual))
        if not size < 0.25:
            return approx_right_inverse(a) if bool(np.isfinite(a).all()) else None
        if size > 1e-6:
            x = x + x @ residual
    return x if bool(np.isfinite(x).all()) else None
