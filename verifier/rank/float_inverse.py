r"""R1 in binary64: an approximate right inverse X of some columns of Psi bounds the smallest singular value from below.

For any X (K, N) and ``A' = Psi[:, columns]``: if ``||I - A' X||_2 <= alpha < 1`` then ``sigma_N(Psi) >= sigma_N(A') >=
(1 - alpha) / ||X||_2`` (Rump, *Verified bounds for singular values*, BIT 2011; `right_inverse` does it exactly).

With ``|A' - A| <= 1 q^T`` and ``R' = fl(fl(A X) - I)``,

.. math:: |AX - I - R'|_{ij} \le \gamma_{K+3} (a_i x_j + [i=j]) + t, \qquad |(A' - A) X|_{ij} \le (q^T|X|)_j = z_j ,

``a_i = ||A_i||_2``, ``x_j = ||X_{:j}||_2`` (Cauchy-Schwarz; a term passes K + 2 roundings in its product and one more),
t < TINY the underflow of one entry. Both right-hand sides are of rank one but for the identity, so

.. math:: \|I - A'X\| \le \|R'\| + \gamma_{K+3}(\|A\|_F \|X\|_F + \|I\|) + \sqrt N\, \|z\|_2 + N t,

where ``(sum rho_i^2)^(1/2) ||X||_2`` may stand for ``sqrt(N) ||z||`` if the rows of A' - A have 2-norms at most rho_i;
in the Frobenius norm (``||I|| = sqrt N``) and in the 2-norm, where ``||R'||_2 <= sqrt(||R'||_1 ||R'||_inf)``.

`inverse_norm` bounds ``||X||_2``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from flint import arb, fmpz
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.binary64.products import Products
from verifier.balls.exact import at_least, at_most, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.data.gate import binary64, integers
from verifier.display import Decided
from verifier.errors import needs
from verifier.rank.gram_matrix import BITS, error_norm, record_of, smaller, total
from verifier.rank.inverse_norm import ROWS, largest_entry, on_device, spectral_norm, witness_sums
from verifier.rank.right_inverse import NORM_PRECISION, SLACK, RankBound, RightInverse, stated_bound, witness_norm
from verifier.verdict import Verdict


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


def _radius_sums(backend: Backend, x: Array, q: Array) -> Array:
    """Bound ``q^T |X|``, shape (N,), entry by entry from above.

    Guarantee: an upper bound.
    """
    xp, (k, n) = backend.xp, x.shape
    z = xp.zeros((n,), dtype=xp.float64)
    for start in range(0, k, ROWS):
        part = slice(start, min(start + ROWS, k))
        z += xp.sum(xp.reshape(q[part], (-1, 1)) * xp.abs(x[part, :]), axis=0)
    return upper(z, 2 * k)


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
    known_norm: float = math.inf,
) -> Residual64:
    """Bound ``||I - Psi[:, columns] X||`` and ``||X||_2`` by one product, over blocks of rows.

    Parameters
    ----------
    source
        Enclosure of a matrix, shape (N, M).
    x
        Witness, shape (K, N), NumPy or the backend's; subnormal entries count as zero.
    columns
        K strictly increasing column indices, None for all.
    tight
        Sharpen ``norm_x`` by R2: one more product and a factorization.
    known_norm
        A proved upper bound of ``||X||_2``, if there is one.

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
        found = _residual(source, on_device(backend, x), chosen, progress, tight, record, known_norm)
    require(record)
    return found


def _residual(
    source: ColumnSource,
    x: Array,
    chosen: list[int] | None,
    progress: Progress | None,
    tight: bool,
    record: Products,
    known_norm: float,
) -> Residual64:
    backend, n, m = source.backend, source.samples, source.columns
    xp, k = backend.xp, int(x.shape[0])
    index = None if chosen is None else xp.asarray(chosen, dtype=xp.int64)
    sums = witness_sums(backend, x)
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
        row = max(row, largest_entry(backend, upper(xp.sum(r, axis=1), n)))
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
        norm_x = min(known_norm, spectral_norm(backend, x, sums, tight, record))
        enclosure = smaller(z_squares.sqrt(), error_norm(source) * arb(norm_x))
        common = g * product + enclosure + n * arb(TINY)
        mixed = (arb(largest_entry(backend, upper(column_sums, 2 * n))) * arb(row)).sqrt() + common + g
        frobenius = squares.sqrt() + common + g * arb(n).sqrt()
        return Residual64(upper_float(frobenius), upper_float(mixed), norm_x)


def certify_inverse64(
    source: ColumnSource,
    x: Array | NDArray[np.float64],
    columns: NDArray[np.int64] | None = None,
    *,
    tight: bool = False,
    progress: Progress | None = None,
) -> InverseBound64:
    """Prove ``rank Psi = N`` and a lower bound of sigma_N from a witness, by R1 in binary64.

    Parameters
    ----------
    source
        Enclosure of a matrix, shape (N, M), such as `MatrixEnclosure` or `FloatEnclosure`.
    x, columns, tight
        As for `residual64`; x is untrusted.
    progress
        Called with the fraction done.

    Returns
    -------
    InverseBound64
        Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``.
        Source: the module's text (Rump, BIT 2011, Lemma 2.1).

    Raises
    ------
    InputError
        If ``source`` is no enclosure, or ``x`` or ``columns`` are not such numbers.
    ValueError
        As `residual64`.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> a = np.array([[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]])  # sigma_2 = 5
    >>> found = vf.certify_inverse64(vf.MatrixEnclosure(vf.numpy_backend(1), a), np.linalg.pinv(a), tight=True)
    >>> found.proved, 4.5 < found.sigma_lower <= 5
    (True, True)
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


def bound_in_binary64(features: FloatEnclosure, witness: RightInverse) -> RankBound | None:
    """R1's claim from a binary64 residual, with room for a checker that rounds Psi to ``feature_bits``.

    Guarantee: if a bound is returned, rank Psi(U) = N and ``sigma_N >= sigma_lower > 0``.

    Parameters
    ----------
    features : FloatEnclosure
        Psi, (N, M).
    witness : RightInverse
        X, (K, N), and the columns of Psi that it uses.

    Returns
    -------
    RankBound or None
        alpha and sigma_lower.
    """
    x = witness.matrix.approx()
    k, n = x.shape
    norm = arb("inf")
    if witness.norm_products:
        integers, exponent = witness.matrix.fmpz_mat()
        norm = witness_norm(integers, exponent, witness.norm_products)
    with working_precision(NORM_PRECISION):
        # x is the witness, possibly rounded to binary64: SLACK and TINY are more than the difference of their norms
        known = upper_float(norm * (1 + SLACK) + arb(TINY))
    found = residual64(features, x, witness.columns, known_norm=known)
    if not (math.isfinite(found.alpha) and 0.0 < found.norm_x < math.inf):
        return None
    with working_precision(NORM_PRECISION):
        norm = norm if witness.norm_products else arb(found.norm_x)
        rounding = arb(n * k).sqrt() * arb(float(np.linalg.norm(x))) * arb((fmpz(1), fmpz(-witness.feature_bits)))
        return stated_bound(arb(found.alpha) * (1 + SLACK) + 2 * rounding, norm)
