r"""R1 in double-double: right inverses of matrices whose smallest singular value is far below binary64's roundings.

A is an N x K matrix of pairs of float64 (about 104 bits), the midpoints of an enclosure of Psi[:, columns].

Untrusted. X starts as an inverse in binary64 of the leading parts of A, however wrong, and is corrected by
``X <- X fl(inv(fl(A X)))``, with products in double-double: the condition number of A X is about ``u cond(A)`` at
first, and smaller by a factor u after each sweep (Rump, *Inversion of extremely ill-conditioned matrices in
floating-point*, JJIAM 26, 2009). One sweep suffices to about ``cond(A) = 1e28``.

Trusted. Each product ``A X`` is also what `residual` bounds ``||I - A' X||`` from, for all A' in the enclosure: with
``P = hi + lo`` the computed product, ``|AX - P|_ij <= g a_i x_j + t`` (`products`), and ``|P - I| <= |fl(hi - I)| (1 +
u) + |lo|``. Then ``sigma_N(Psi) >= (1 - alpha) / ||X||_2`` (Rump, BIT 2011, Lemma 2.1), and ``||X||_2 <= ||hi||_2 +
||lo||_F``.

The certificate's X is rounded to a multiple of 2^-s: ``|X' - X| <= 2^-s-1`` entry by entry, so that ``||I - A' X'||_F
<= ||I - A' X||_F + ||A'||_F sqrt(N K) 2^-s-1``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb, fmpz
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.matrix import RowSource
from verifier.balls.binary64.products import Products
from verifier.balls.double_double.pair import Pair
from verifier.balls.double_double.products import matmul, relative_error
from verifier.balls.exact import ExactArray, about, at_least, at_most, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.limbs import LIMB_BITS
from verifier.balls.precision import MAX_BITS, working_precision
from verifier.display import Decided
from verifier.rank.gram_matrix import BITS, flushed, record_of
from verifier.rank.inverse_norm import WitnessSums, spectral_norm, witness_sums
from verifier.rank.residual import Residual64, chosen_columns, covering, residual_bounds
from verifier.rank.right_inverse import (
    NORM_PRECISION,
    SLACK,
    RankBound,
    RightInverse,
    norm_products_for,
    stated_bound,
    witness_norm,
)
from verifier.verdict import Verdict

MAX_SWEEPS = 4
"""Corrections of X at most: the second one serves where the first inverse was a poor one."""
SURE = 0.1
"""X is corrected no further once its share of the bound is below that of what radii and roundings leave to 1."""
FLOOR = 2.0**-52
"""Singular values of an approximate matrix are raised to this share of the largest, where its inverse breaks down."""
ROOM = 8
"""The certificate's roundings of Psi and of X move the residual by at most about 2^(1-ROOM) and 2^(1-ROOM)."""
MOST_BITS = 112
"""Bits of the certificate's X at most: more than a pair has."""


@dataclass(frozen=True, slots=True)
class PairInverse(Decided):
    """What R1 proves: if PROVED, ``||I - Psi[:, columns] X||_2 <= alpha < 1`` and ``sigma_N(Psi) >= sigma_lower > 0``.

    UNDECIDED: no bound, for the ``reason`` given, which says nothing about the rank. ``residual`` is of the last X.
    """

    verdict: Verdict
    reason: str
    sigma_lower: float = 0.0
    residual: Residual64 | None = None
    x: Pair | None = None
    backend: Backend | None = None


@dataclass(frozen=True, slots=True)
class _PairWitness:
    """X, a pair, multiplied in double-double; ``leading`` keeps the leading parts of A X for the next sweep."""

    backend: Backend
    x: Pair
    record: Products
    tight: bool = True
    leading: list[Array] = field(default_factory=list)

    @property
    def unit(self) -> float:
        return relative_error(int(self.x.hi.shape[0]))

    @property
    def sizes(self) -> Array:
        return self.backend.xp.abs(self.x.hi) + self.backend.xp.abs(self.x.lo)

    def residual(self, midpoints: Any, index: Array | None, rows: slice) -> tuple[Array, Array]:
        xp = self.backend.xp
        a = Pair(_taken(xp, midpoints.hi, index), _taken(xp, midpoints.lo, index))
        product = matmul(self.backend, a, self.x, self.record)
        self.leading.append(product.hi)
        off = xp.asarray(product.hi, copy=True)
        off[:, rows] -= xp.eye(rows.stop - rows.start, dtype=xp.float64)
        return xp.abs(a.hi) + xp.abs(a.lo), xp.abs(off) + xp.abs(product.lo)

    def norm(self, sums: WitnessSums) -> float:
        backend = self.backend
        leading = spectral_norm(backend, self.x.hi, sums, self.tight, self.record)
        with working_precision(BITS):
            rest = witness_sums(backend, backend.xp.abs(self.x.lo)).frobenius(backend)
            return upper_float(arb(leading) + rest)


@dataclass(frozen=True, slots=True)
class _Gathered:
    """The chosen columns of an enclosure of Psi, (N, K), as one block, with the largest radius of each.

    Guarantee: as that of the source, for its last pass.
    """

    backend: Backend
    record: Products
    midpoints: Pair
    radii: Array
    norms: Array

    @classmethod
    def of(cls, source: RowSource, columns: NDArray[np.int64] | None) -> _Gathered:
        """Go through all rows of a source once; a radius that is not a number >= 0 stays NaN."""
        backend, k = source.backend, source.columns if columns is None else len(columns)
        xp, chosen = backend.xp, chosen_columns(columns, source.columns, k)
        index = None if chosen is None else xp.asarray(chosen, dtype=xp.int64)
        high, low, radii = [], [], xp.zeros((source.columns,), dtype=xp.float64)
        for _, whole, q in covering(source):
            high.append(_taken(xp, whole.hi, index))
            low.append(_taken(xp, whole.lo, index))
            radii = xp.maximum(radii, xp.where(q >= 0.0, q, xp.full_like(q, math.nan)))
        row_norms = getattr(source, "row_norms", None)
        unknown = backend.asarray(np.full(source.samples, math.inf))
        norms = unknown if row_norms is None else xp.asarray(row_norms(), copy=True)
        midpoints = Pair(xp.concat(high, axis=0), xp.concat(low, axis=0))
        return cls(backend, record_of(source), midpoints, radii if index is None else xp.take(radii, index), norms)

    @property
    def samples(self) -> int:
        return int(self.midpoints.hi.shape[0])

    @property
    def columns(self) -> int:
        return int(self.midpoints.hi.shape[1])

    def row_blocks(self) -> Iterator[tuple[slice, Pair, Array]]:
        yield slice(0, self.samples), self.midpoints, self.radii

    def row_norms(self) -> Array:
        return self.norms


def _taken(xp: Any, a: Array, index: Array | None) -> Array:
    return a if index is None else xp.take(a, index, axis=1)


def certify_inverse_pair(
    source: RowSource, columns: NDArray[np.int64] | None = None, progress: Progress | None = None
) -> PairInverse:
    """Prove ``rank Psi = N`` and a lower bound of sigma_N by R1, in double-double.

    Parameters
    ----------
    source : RowSource
        Enclosure of Psi, shape (N, M), with pairs as midpoints.
    columns : ndarray of int, optional
        The K strictly increasing columns of Psi that are used; None: all.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    PairInverse
        Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``; the
        platform's canary has tested every product that this rests on. Source: the module's text (Rump, BIT 2011,
        Lemma 2.1).

    Raises
    ------
    ValueError
        If the columns do not strictly increase, or the row blocks do not cover the rows in order.
    """
    record = record_of(source)
    try:
        with np.errstate(all="ignore"):
            found = _refined(source, columns, record, progress or (lambda fraction: None))
        require(record)
    except NotEnclosed as error:
        return PairInverse(Verdict.UNDECIDED, str(error))
    return found


def _refined(source: RowSource, columns: NDArray[np.int64] | None, record: Products, progress: Progress) -> PairInverse:
    """Correct X until R1 certifies it, or there is no hope left."""
    psi = _Gathered.of(source, columns)
    backend = psi.backend
    if psi.columns < psi.samples:
        return PairInverse(Verdict.UNDECIDED, f"{psi.columns} columns for N = {psi.samples}: there is no right inverse")
    start = _start(backend, psi.midpoints.hi)
    if start is None:
        return PairInverse(Verdict.UNDECIDED, "the leading parts of the features have no inverse in binary64")
    x = Pair(flushed(backend, start), backend.xp.zeros_like(start))
    for sweep in range(MAX_SWEEPS + 1):
        progress(sweep / (MAX_SWEEPS + 1))
        witness = _PairWitness(backend, x, record, tight=sweep > 0)
        found = residual_bounds(psi, witness, None)
        if not found.lost < 1.0 or found.alpha - found.lost <= SURE * (1.0 - found.lost):
            reason = f"radii and roundings alone bound ||I - Psi X|| by {at_most(found.lost, 2)}"
            break
        inverse = _inverse(backend, witness.leading[0])
        if inverse is None:
            reason = "the product Psi X has no inverse in binary64"
            break
        reason = f"{sweep} corrections leave ||I - Psi X|| bounded by {at_most(found.alpha, 2)} only"
        corrected = matmul(backend, x, flushed(backend, inverse), record)
        x = Pair(flushed(backend, corrected.hi), flushed(backend, corrected.lo))
    if found.alpha < 1.0:
        return _proved(backend, witness.x, found)
    sigma = f"{about(1.0 / found.norm_x, 1)} or smaller" if 0.0 < found.norm_x < math.inf else "0"
    return PairInverse(Verdict.UNDECIDED, f"{reason}; sigma_N seems to be about {sigma}", residual=found)


def _proved(backend: Backend, x: Pair, found: Residual64) -> PairInverse:
    """R1's conclusion from ``alpha < 1``."""
    with working_precision(BITS):
        sigma = lower_float((1 - arb(found.alpha)) / arb(found.norm_x))
    if not 0.0 < sigma < math.inf:
        return PairInverse(Verdict.UNDECIDED, "the bound of sigma_N underflows", residual=found)
    return PairInverse(Verdict.PROVED, f"rank N, sigma_N >= {at_least(sigma)}", sigma, found, x, backend)


def _start(backend: Backend, a: Array) -> Array | None:
    """Untrusted right inverse (K, N) of a float64 matrix (N, K): its columns span what QR says of the rows of A."""
    xp, (n, k) = backend.xp, a.shape
    if not backend.all_finite(a):
        return None
    if n == k:
        return _inverse(backend, a)
    q, r = xp.linalg.qr(a.T)
    inverse = _inverse(backend, r)
    return None if inverse is None else xp.matmul(q, inverse.T)


def _inverse(backend: Backend, a: Array) -> Array | None:
    """Untrusted inverse of a square matrix, of a regular one near it where that breaks down; None for 0, NaN, infinity.

    Rows, then columns, are scaled by powers of two to a largest entry in 1/2..1.
    """
    xp = backend.xp
    if not backend.all_finite(a):
        return None
    rows = _scales(xp, xp.max(xp.abs(a), axis=1))
    scaled = rows[:, None] * a
    columns = _scales(xp, xp.max(xp.abs(scaled), axis=0))
    scaled = scaled * columns[None, :]
    try:
        inverse = xp.linalg.inv(scaled)
        if not backend.all_finite(inverse):
            u, sizes, v = xp.linalg.svd(scaled, full_matrices=False)
            inverse = _regular(xp, u, sizes, v)
    except np.linalg.LinAlgError:
        try:
            inverse = _regular(xp, *xp.linalg.svd(scaled, full_matrices=False))
        except np.linalg.LinAlgError:
            return None
    found = columns[:, None] * inverse * rows[None, :]
    return found if backend.all_finite(found) else None


def _scales(xp: Any, largest: Array) -> Array:
    """Powers of two that bring numbers >= 0 to 1/2..1; 1 for 0."""
    one = xp.ones_like(largest)
    return xp.where(largest > 0.0, 2.0 ** -xp.ceil(xp.log2(xp.where(largest > 0.0, largest, one))), one)


def _regular(xp: Any, u: Array, sizes: Array, v: Array) -> Array:
    """The inverse of ``u diag(sizes) v`` with small sizes raised."""
    floor = FLOOR * sizes[0]
    return xp.matmul(v.T / xp.where(sizes > floor, sizes, floor)[None, :], u.T)


def exact_witness(found: PairInverse, columns: NDArray[np.int64] | None) -> tuple[RightInverse, RankBound] | None:
    """The right inverse that a certificate states, and what it proves, with room for a checker that rounds Psi.

    Parameters
    ----------
    found : PairInverse
        What was proved in double-double.
    columns : ndarray of int or None
        The K columns of Psi that it was proved for.

    Returns
    -------
    (RightInverse, RankBound) or None
        X', shape (K, N), and R1's claim. Guarantee: if there is a claim, ``||I - Psi[:, columns] X'||_F <= alpha < 1``
        for every Psi in the enclosure, so that ``rank Psi = N`` and ``sigma_N >= sigma_lower > 0``.
    """
    if found.x is None or found.residual is None or found.backend is None:
        return None
    backend = found.backend
    hi, lo = (backend.numpy(part) for part in found.x)
    k, n = hi.shape
    with working_precision(NORM_PRECISION):
        root, frobenius = arb(n * k).sqrt(), witness_sums(backend, abs(found.x.hi) + abs(found.x.lo)).frobenius(backend)
        shift = _exponent(arb(found.residual.norm_a) * root) + ROOM - 2
        bits = max(1, _exponent(frobenius * root) + ROOM)
        if bits > MAX_BITS or _exponent(frobenius) + shift > MOST_BITS:
            return None
        half = root * arb((fmpz(1), fmpz(-shift - 1)))
        witness = RightInverse(rounded_pair(hi, lo, shift), columns, bits, norm_products_for(n))
        norm = frobenius + half
        if witness.norm_products:
            integers, exponent = witness.matrix.fmpz_mat()
            norm = witness_norm(integers, exponent, witness.norm_products)
        rounding = root * (frobenius + half) * arb((fmpz(1), fmpz(-bits)))
        claimed = (arb(found.residual.frobenius) + arb(found.residual.norm_a) * half) * (1 + SLACK) + 2 * rounding
        bound = stated_bound(claimed, norm)
    return None if bound is None else (witness, bound)


def rounded_pair(hi: NDArray[np.float64], lo: NDArray[np.float64], shift: int) -> ExactArray:
    """Round a pair to multiples of ``2^-shift``, as one int64 or two limbs.

    Guarantee: no entry moves by more than ``2^-shift-1 (1 + 2^-50)``: `SLACK` is far more than what exceeds one half.

    Parameters
    ----------
    hi, lo : ndarray of float64
        The pair, of any shape; ``|hi| 2^shift`` is below `MOST_BITS` bits.
    shift : int
        The exponent.

    Returns
    -------
    ExactArray
        The rounded numbers.

    Raises
    ------
    ValueError
        If an entry is larger than that.
    """
    scaled = np.ldexp(hi, shift)
    if not float(np.abs(scaled).max(initial=0.0)) < 2.0**MOST_BITS:
        raise ValueError(f"a right inverse with entries of more than {MOST_BITS} bits")
    whole = np.rint(scaled)
    rest = np.rint((scaled - whole) + np.ldexp(lo, shift)).astype(np.int64)
    high = np.trunc(np.ldexp(whole, -LIMB_BITS))  # towards 0: the rest has the bits of the whole
    low = (whole - np.ldexp(high, LIMB_BITS)).astype(np.int64) + rest
    if not high.any():
        return ExactArray(hi.shape, ((low, -shift),))
    small = next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if np.abs(high).max() < np.iinfo(kind).max)
    return ExactArray(hi.shape, ((low, -shift), (high.astype(small), LIMB_BITS - shift)))


def _exponent(size: arb) -> int:
    """An exponent e with ``size <= 2^e``, for a number above 0."""
    return int(math.frexp(upper_float(size))[1])
