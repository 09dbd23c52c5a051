"""Right inverses X of Psi in plain floating point, as candidates for R1.

Guarantee: none. Whatever these functions return, R1 decides.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from flint import arb, arb_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress, block_is_finite
from verifier.balls.limbs import in_smallest_type
from verifier.balls.precision import MAX_BITS, working_precision
from verifier.rank.right_inverse import RightInverse, norm_products_for, round_to_integers

Array = NDArray[np.float64]

SINGULAR = 1e-14
"""A triangular factor whose diagonal falls below this share of its largest entry is singular to binary64: 90 u."""
SURE = 0.9
"""A residual below it leaves room below 1 for the rounding of the features, and still certifies."""
CONVERGES = 0.25
"""A step of refinement squares a residual below it to 1/16 and less; a larger one asks for QR."""
REFINED = 1e-6
"""A residual below it is small enough for every bound, and is not refined."""


def approx_right_inverse(a: Array) -> Array | None:
    """Pseudoinverse of a wide matrix ``a`` (N, K) by QR in binary64, shape ``(K, N)``; None if it breaks down."""
    try:
        q, r = scipy.linalg.qr(a.T, mode="economic", check_finite=False)
        diagonal = np.abs(np.diag(r))
        if not np.isfinite(r).all() or diagonal.min() <= SINGULAR * diagonal.max():
            return None
        x: Array = scipy.linalg.solve_triangular(r, q.T, check_finite=False).T
    except (scipy.linalg.LinAlgError, ValueError):
        return None
    return x if np.isfinite(x).all() else None


def approx_right_inverse_bits(a: fmpz_mat, bits: int, precision: int) -> tuple[list[int], int] | None:
    """Pseudoinverse of ``2^-bits a`` by the normal equations, at more than twice the precision because they square it.

    Returns
    -------
    (numerators, exponent) or None
        X = ``2^exponent * numerators`` in C order, shape ``(K, N)``, rounded so that ``A X`` moves by at most 2^-8;
        None if the Gram
        matrix is singular at this precision.
    """
    rows, columns = a.nrows(), a.ncols()
    transpose = a.transpose()
    with working_precision(min(2 * precision + 64, MAX_BITS)):
        gram = arb_mat(a * transpose)
        identity = arb_mat(rows, rows, [int(i == j) for i in range(rows) for j in range(rows)])
        try:
            inverse = gram.solve(identity, algorithm="approx")
        except (ZeroDivisionError, ValueError):
            return None
        x = arb_mat(transpose) * inverse  # times 2^bits
        norm_bits = max((abs(int(v)).bit_length() for v in a.entries()), default=0) - bits
        s = max(0, norm_bits + math.ceil(math.log2(rows * columns + 1)) + 8)
        shift = arb((fmpz(1), fmpz(bits + s)))
        numerators = []
        for value in x.entries():
            middle = value.mid()
            if not middle.is_finite():
                return None
            numerators.append(int((middle * shift).mid().floor().unique_fmpz() or 0))
    return numerators, -s


def compact_right_inverse(a: Array, x: Array, *, sharp: bool) -> ExactArray:
    """Round X to the fewest bits that should still certify: 16-bit integers if they do, else 32 or more.

    ``sharp`` asks for a residual near 2^-6, so that the bound of sigma_N is close to the truth.
    """
    largest = float(np.abs(x).max())
    norm = float(np.linalg.norm(a))
    if not sharp and largest > 0.0:
        shift = 14 - math.frexp(largest)[1]
        rounded = np.ldexp(x, shift)
        np.rint(rounded, out=rounded)
        residual = a @ np.ldexp(rounded, -shift)
        residual[np.diag_indices(len(residual))] -= 1.0
        size = float(np.linalg.norm(residual))
        np.abs(residual, out=residual)
        mixed = math.sqrt(float(residual.sum(axis=0).max() * residual.sum(axis=1).max()))
        if min(mixed, size) < SURE:
            return ExactArray(x.shape, (in_smallest_type(rounded.astype(np.int64), -shift),))
    shift = max(0, math.ceil(math.log2(max(norm, 1e-300) * math.sqrt(len(a)))) + 6)
    if largest * 2.0**shift >= 2.0**62:
        shift = 61 - math.frexp(largest)[1]
    return ExactArray(x.shape, (in_smallest_type(np.rint(np.ldexp(x, shift)).astype(np.int64), -shift),))


LARGE = 500
"""From this N on a subset of 5N/4 columns is tried first: cheaper by the ratio, the bound of sigma_N a little
smaller.
"""


def used_columns(n: int, m: int) -> int:
    """How many columns a right inverse uses at first."""
    wanted = -(-5 * n // 4)
    return m if n < LARGE or wanted >= m else wanted


def column_choices(n: int, m: int) -> list[NDArray[np.int64] | None]:
    """Column subsets to try in turn; None means all of them."""
    wanted = used_columns(n, m)
    if wanted == m:
        return [None]
    spread = np.unique(np.linspace(0, m - 1, wanted).astype(np.int64))
    return [spread, None]


@np.errstate(all="ignore")
def float_witness(psi: Array, columns: NDArray[np.int64] | None, precision: int) -> RightInverse | str:
    """A right inverse of some columns of the floating-point features, or why there is none.

    Parameters
    ----------
    psi
        Approximate features, shape ``(N, M)``.
    columns
        K strictly increasing columns of it, None for all.
    precision
        Bits of the enclosure that the witness is for.

    Returns
    -------
    RightInverse or str
        X, shape ``(K, N)``, in as few bits as should still certify.
    """
    a = psi if columns is None else psi[:, columns]
    if not np.isfinite(a).all():
        return "the floating-point features overflow"
    x = approx_inverse64(a)
    if x is None:
        return "no right inverse in binary64 (numerically singular)"
    n, k = a.shape
    spread = math.sqrt(n * k) * float(np.linalg.norm(x))
    room = precision - 6 - math.frexp(float(np.abs(a).max()))[1]
    if not 0.0 < spread < math.inf:
        return "the right inverse is not finite"
    bits = max(1, math.ceil(math.log2(spread)) + 8, min(16, room))
    if bits > room:
        return "the right inverse is too large for this precision"
    matrix = compact_right_inverse(a, x, sharp=n < LARGE)
    return RightInverse(matrix, columns, bits, norm_products_for(n))


def high_precision_witness(features: FeatureEnclosure, progress: Progress) -> RightInverse | str:
    """A right inverse at the enclosure's precision, or why there is none."""
    n, m = features.samples, features.columns
    blocks = [block for _, block in features.blocks(progress)]
    magnitude = _magnitude_bits(features)
    if magnitude is None:
        return "some feature has no finite enclosure"
    bits = features.precision - 8 - max(magnitude, 0)
    if bits < 16:
        return "the features are too large for this precision"
    entries = [v for block in blocks for v in round_to_integers(block, None, bits, features.precision)[0].entries()]
    made = approx_right_inverse_bits(fmpz_mat(n, m, entries), bits, features.precision)
    if made is None:
        return "the Gram matrix is numerically singular"
    numerators, exponent = made
    size = max((abs(v).bit_length() for v in numerators), default=0) + exponent
    if size + math.log2(n * m) > bits:
        return "the right inverse is too large for this precision"
    matrix = ExactArray.of_integers(numerators, (m, n), exponent)
    return RightInverse(matrix, None, bits, norm_products_for(n))


def _magnitude_bits(features: FeatureEnclosure) -> int | None:
    """Binary exponent of the largest feature, or None if an enclosure is not finite."""
    largest = 0.0
    for _, block in features.blocks():
        if not block_is_finite(block):
            return None
        largest = max(largest, max(abs(float(value)) for value in block.entries()))
    return math.frexp(largest)[1] if math.isfinite(largest) else None


def approx_inverse64(a: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Untrusted right inverse of a wide matrix (N, K), shape (K, N); None if it breaks down.

    ``A^T (A A^T)^-1`` by Cholesky, with one step ``X <- X + X (I - A X)`` where that still helps; by QR where the Gram
    matrix is too ill conditioned.
    """
    with np.errstate(all="ignore"):
        try:
            # one name at a time, and in place where that is possible: each of these arrays may take gigabytes
            x: NDArray[np.float64] = np.ascontiguousarray(_solved(a @ a.T, a).T)
        except (scipy.linalg.LinAlgError, ValueError):
            return approx_right_inverse(a) if bool(np.isfinite(a).all()) else None
        residual = a @ x
        np.negative(residual, out=residual)
        residual[np.diag_indices(len(a))] += 1.0
        size = float(np.linalg.norm(residual))
        if not size < CONVERGES:
            return approx_right_inverse(a) if bool(np.isfinite(a).all()) else None
        if size > REFINED:
            x += x @ residual
    return x if bool(np.isfinite(x).all()) else None


def _solved(gram: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ``gram Y = a`` by Cholesky, overwriting the symmetric matrix."""
    factor = scipy.linalg.cho_factor(gram.T, lower=True, overwrite_a=True, check_finite=False)
    solution: NDArray[np.float64] = scipy.linalg.cho_solve(factor, a, check_finite=False)
    return solution
