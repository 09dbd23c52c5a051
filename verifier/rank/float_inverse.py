r"""R1 in binary64: an approximate right inverse X of some columns of Psi bounds the smallest singular value from below.

For any X (K, N) and ``A' = Psi[:, columns]``: if ``||I - A' X||_2 <= alpha < 1`` then ``sigma_N(Psi) >= sigma_N(A') >=
(1 - alpha) / ||X||_2`` (Rump, *Verified bounds for singular values*, BIT 2011; `right_inverse` does it exactly).

X is made, and multiplied, in binary64; `residual` bounds ``||I - A' X||`` with ``R' = fl(fl(A X) - I)`` and
``g = gamma_{K+3}``. `inverse_norm` bounds ``||X||_2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, fmpz
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma
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
from verifier.rank.gram_matrix import BITS, record_of
from verifier.rank.inverse_norm import WitnessSums, on_device, spectral_norm
from verifier.rank.residual import Residual64, chosen_columns, residual_bounds
from verifier.rank.right_inverse import NORM_PRECISION, SLACK, RankBound, RightInverse, stated_bound, witness_norm
from verifier.verdict import Verdict


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
    chosen = chosen_columns(columns, m, k)
    record = record_of(source)
    with np.errstate(all="ignore"):
        witness = _Witness64(backend, on_device(backend, x), record, tight, known_norm)
        found = residual_bounds(source, witness, chosen, progress)
    require(record)
    return found


@dataclass(frozen=True, slots=True)
class _Witness64:
    """X in binary64, multiplied in binary64."""

    backend: Backend
    x: Array
    record: Products
    tight: bool
    known_norm: float

    @property
    def unit(self) -> float:
        return gamma(int(self.x.shape[0]) + 3)

    @property
    def sizes(self) -> Array:
        return self.backend.xp.abs(self.x)

    def residual(self, midpoints: Array, index: Array | None, rows: slice) -> tuple[Array, Array]:
        xp = self.backend.xp
        a = midpoints if index is None else xp.take(midpoints, index, axis=1)
        r = self.backend.matmul(a, self.x, self.record)
        r[:, rows] -= xp.eye(rows.stop - rows.start, dtype=xp.float64)
        return xp.abs(a), xp.abs(r)

    def norm(self, sums: WitnessSums) -> float:
        return min(self.known_norm, spectral_norm(self.backend, self.x, sums, self.tight, self.record))


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
    """R1's claim from a binary64 residual, with room for a checker that rounds Psi, its balls too, to fewer bits.

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
        near = 2 * arb((fmpz(1), fmpz(-witness.feature_bits))) + arb(getattr(features, "checker_radius", None) or 0.0)
        room = near * arb(n * k).sqrt() * arb(float(np.linalg.norm(x)))
        return stated_bound(arb(found.alpha) * (1 + SLACK) + room, norm)
