r"""R1: an approximate right inverse X proves full row rank and bounds the smallest singular value from below.

Let ``X`` be any ``(K, N)`` matrix and ``A = Psi[:, columns]``, ``(N, K)``. If ``||I - A X||_2 <= alpha < 1`` then ``A
X`` is nonsingular, so
``rank Psi >= rank A = N``, and for every unit vector y, ``||A^T y|| >= ||X^T A^T y|| / ||X|| >= (1 - alpha) / ||X||``:

.. math:: \sigma_N(\Psi) \;\ge\; \sigma_N(A) \;\ge\; \frac{1 - \alpha}{\|X\|_2}.

(Rump, *Verified bounds for singular values*, BIT 2011, Lemma 2.1, in the one-sided form that survives for rectangular
matrices.)
X is an untrusted witness. The products are exact: with ``A`` within ``e`` of ``2^-k a`` (a integer), X equal to
``2^-s x`` (x integer),

.. math:: \|I - AX\|_2 \le 2^{-(k+s)} \|2^{k+s} I - a x\|_2 + \|A - 2^{-k}a\|_F \, \|X\|_F ,

and the integer residual is bounded by its Frobenius norm or by ``sqrt(||.||_1 ||.||_inf)``, whichever is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress
from verifier.balls.precision import MAX_BITS, working_precision
from verifier.balls.stated import round_down, round_up
from verifier.display import Brief
from verifier.rank.norms import IntegerSums, integer_sums

NORM_PRECISION = 64
"""Bits for norms and bounds; they are upper bounds at any precision."""

SLACK = arb((fmpz(1), fmpz(-20)))
"""Relative room between what is proved and what is claimed, so that an independent checker need not reproduce
roundings.
"""

ENCLOSURE_SLACK = 16
"""How much wider than ours the checker's enclosures of the features may be."""

MAX_NORM_PRODUCTS = 12
"""Largest ``norm_products`` of the certificate format; the bound is then within 1.001 of the norm for N <= 1000."""


@dataclass(frozen=True, slots=True, repr=False)
class RightInverse(Brief):
    """The untrusted witness: X, shape ``(K, N)``, and the K columns of Psi it multiplies (None: all)."""

    matrix: ExactArray
    columns: NDArray[np.int64] | None
    feature_bits: int
    norm_products: int

    def __post_init__(self) -> None:
        """Refuse what would make R1 state something else than it proves.

        A repeated column would make sigma_N(A) larger than sigma_N(Psi); fixed-width integers would overflow in shifts.
        """
        if len(self.matrix.shape) != 2:
            raise ValueError(f"the right inverse has shape {self.matrix.shape}; it must be (K, N)")
        limits = (
            ("feature_bits", self.feature_bits, MAX_BITS),
            ("norm_products", self.norm_products, MAX_NORM_PRODUCTS),
        )
        for name, value, most in limits:
            if type(value) is not int or not 0 <= value <= most:
                raise ValueError(f"{name} = {value!r} must be a Python int in 0..{most}")
        if self.columns is None:
            return
        chosen = [int(j) for j in self.columns]
        if len(chosen) != self.matrix.shape[0] or chosen[:1] < [0] or chosen != sorted(set(chosen)):
            raise ValueError(f"columns {chosen[:8]} must be {self.matrix.shape[0]} strictly increasing column indices")


@dataclass(frozen=True, slots=True)
class RankBound:
    """What R1 proves: ``||I - Psi X||_2 <= alpha < 1`` and ``sigma_N(Psi) >= sigma_lower > 0``."""

    alpha: Dyadic
    sigma_lower: Dyadic


@dataclass(frozen=True, slots=True)
class Residual:
    """Upper bounds of the two parts of ``||I - Psi X||_2``, and of ``||X||_2``."""

    product: arb
    enclosure: arb
    witness_norm: arb


def residual_norm(features: FeatureEnclosure, witness: RightInverse, progress: Progress | None = None) -> Residual:
    """Bound ``||I - Psi X||_2`` by exact integer products over blocks of samples.

    Parameters
    ----------
    features
        Enclosure of Psi, shape ``(N, M)``.
    witness
        X, shape ``(K, N)``, and its K columns of Psi.
    progress
        Called with the fraction done.

    Returns
    -------
    Residual
        Guarantee: for every matrix in the enclosure of Psi, ``||I - Psi X||_2 <= product + enclosure`` and
        ``||X||_2 <= witness_norm``. Source: Rump 2011; Frobenius and ``sqrt(||.||_1 ||.||_inf)`` bound the 2-norm.
    """
    n, k = features.samples, witness.feature_bits
    x, exponent = witness.matrix.fmpz_mat()
    if exponent > k:
        x, exponent = x * (fmpz(1) << (exponent - k)), k
    unit = k - exponent  # the exact residual is 2^unit I - a x
    columns = None if witness.columns is None else witness.columns.tolist()
    sums = IntegerSums([0] * n)
    deviation = arb(0)
    for rows, block in features.blocks(progress):
        a, block_deviation = round_to_integers(block, columns, k, features.precision)
        with working_precision(NORM_PRECISION):
            deviation += block_deviation
        residual = a * x
        for i in range(residual.nrows()):
            residual[i, rows.start + i] -= 1 << unit
        sums.add(residual)
    with working_precision(NORM_PRECISION):
        scale = arb((fmpz(1), fmpz(-unit)))
        product = sums.spectral_bound() * scale
        x_sums = integer_sums(x)
        x_frobenius = x_sums.frobenius() * arb((fmpz(1), fmpz(exponent)))
        enclosure = deviation.sqrt() * arb((fmpz(1), fmpz(-k))) * x_frobenius
        norm = witness_norm(x, exponent, witness.norm_products, x_sums)
    return Residual(product.upper(), enclosure.upper(), norm)


def certify_right_inverse(
    features: FeatureEnclosure, witness: RightInverse, progress: Progress | None = None
) -> RankBound | None:
    """Prove ``rank Psi = N`` from a witness, or return None (which says nothing about the rank).

    Parameters
    ----------
    features, witness, progress
        As for `residual_norm`.

    Returns
    -------
    RankBound or None
        Guarantee: if a bound is returned, ``rank Psi(U) = N`` and ``sigma_N(Psi(U)) >= sigma_lower > 0``. Source: Rump
        2011, Lemma 2.1.
    """
    residual = residual_norm(features, witness, progress)
    return rank_bound(residual)


def rank_bound(residual: Residual) -> RankBound | None:
    """Turn norm bounds into the rank claim, with room for an independent program whose enclosures are somewhat wider.

    Guarantee: a bound is returned only if ``alpha < 1`` is proved.

    Parameters
    ----------
    residual : Residual
        Bounds of ``||I - Psi X||_2`` and ``||X||_2``.

    Returns
    -------
    RankBound or None
        alpha and sigma_lower, rounded to short numbers.
    """
    with working_precision(NORM_PRECISION):
        claimed = residual.product * (1 + SLACK) + residual.enclosure * ENCLOSURE_SLACK
        return stated_bound(claimed, residual.witness_norm)


def stated_bound(claimed: arb, norm: arb) -> RankBound | None:
    """R1's claim from upper bounds of ``||I - Psi X||_2`` and ``||X||_2``, rounded to short numbers; None if it fails.

    Guarantee: ``claimed >= ||I - Psi X||_2`` and ``norm >= ||X||_2`` imply ``alpha >= ||I - Psi X||_2``,
    ``alpha < 1`` and ``sigma_N(Psi) >= sigma_lower > 0``. Source: Rump 2011, Lemma 2.1.

    Parameters
    ----------
    claimed, norm : arb
        The upper bounds of ``||I - Psi X||_2`` and ``||X||_2``.

    Returns
    -------
    RankBound or None
        alpha and sigma_lower.
    """
    if not claimed.is_finite() or not norm > 0:
        return None
    alpha = round_up(claimed)
    if not alpha.arb() < 1:
        return None
    sigma = round_down((1 - alpha.arb()) / (norm * (1 + SLACK)))
    return RankBound(alpha, sigma) if sigma.mantissa > 0 else None


def round_to_integers(block: arb_mat, columns: list[int] | None, bits: int, precision: int) -> tuple[fmpz_mat, arb]:
    """Integers ``a`` near ``2^bits Psi`` and a bound of the squared Frobenius norm of the difference.

    Parameters
    ----------
    block : arb_mat of shape (n, M)
        Rows of Psi.
    columns : list of int or None
        The columns that are taken; None: all.
    bits : int
        The power of two that Psi is multiplied by.
    precision : int
        Bits of the arithmetic.

    Returns
    -------
    (fmpz_mat, arb)
        Guarantee: for every matrix in the enclosure, ``||2^bits Psi[:, columns] - a||_F^2 <=`` the second value.
    """
    lines = block.tolist()
    if columns is not None:
        lines = [[line[j] for j in columns] for line in lines]
    rows, width = len(lines), len(lines[0])
    with working_precision(precision + 8):
        scaled = arb_mat(rows, width, [z for line in lines for z in line]) * arb((fmpz(1), fmpz(bits)))
        integers = fmpz_mat(rows, width, _nearest_integers(scaled.entries()))
        total = arb(0)
        for gap in (scaled - arb_mat(integers)).entries():
            total += gap * gap
    return integers, total.upper()


def _nearest_integers(balls: list[arb]) -> list[int]:
    near = np.array([float(y) for y in balls])
    if bool((np.abs(near) < 2.0**52).all()):
        return list(np.rint(near).astype(np.int64).tolist())
    return [nearest_integer(y) for y in balls]


def nearest_integer(y: arb) -> int:
    """Give an integer near the midpoint of a ball; any integer is sound, so rounding does not matter."""
    near = float(y)
    if abs(near) < 2.0**52:
        return round(near)
    if not y.is_finite():
        return 0
    mantissa, exponent = y.mid().man_exp()
    m, e = int(mantissa), int(exponent)
    return m << e if e >= 0 else (m + (1 << (-e - 1))) >> -e


def witness_norm(x: fmpz_mat, exponent: int, products: int, sums: IntegerSums | None = None) -> arb:
    """Upper bound of ``||X||_2`` for ``X = 2^exponent x``, exact as an arb; ``sums`` are those of x, if known.

    With ``products = 0``: the smaller of the Frobenius norm and ``sqrt(||X||_1 ||X||_inf)``. With r >= 1 products:
    ``||X||_2 = ||S^(2^(r-1))||_2^(1/2^r) <= ||S^(2^(r-1))||_F^(1/2^r)`` for ``S = X^T X``; the excess factor is at most
    ``N^(1/2^(r+1))``.

    Guarantee: the result is >= ``||X||_2``.

    Parameters
    ----------
    x : fmpz_mat of shape (K, N)
        The integers x.
    exponent : int
        The power of two.
    products : int
        How often a Gram matrix is multiplied, 0 or more.
    sums : IntegerSums, optional
        Sums of sizes and squares of x.

    Returns
    -------
    arb
        The bound, exact.

    Raises
    ------
    ValueError
        If ``products`` is negative.
    """
    if products < 0:
        raise ValueError(f"products = {products} must be at least 0")
    with working_precision(NORM_PRECISION):
        scale = arb((fmpz(1), fmpz(exponent)))
        if products == 0:
            return ((sums or integer_sums(x)).spectral_bound() * scale).upper()
        gram = arb_mat(x.transpose() * x)
        for _ in range(products - 1):
            gram = gram * gram
        total = arb(0)
        for value in gram.entries():
            total += value * value
        norm = total.sqrt()
        for _ in range(products):
            norm = norm.sqrt()
        return (norm * scale).upper()


def norm_products_for(samples: int) -> int:
    """How many products make ``||X||_2`` sharp within 2 percent (N <= 200) at an acceptable cost."""
    return 6 if samples <= 200 else 4 if samples <= 500 else 0
