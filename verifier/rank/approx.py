"""Untrusted right inverses.

Guarantee: none. Whatever these functions return, R1 decides.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from flint import arb, arb_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.balls.precision import MAX_BITS, working_precision

Array = NDArray[np.float64]


def approx_right_inverse(a: Array) -> Array | None:
    """Pseudoinverse of a wide matrix ``a`` (N, K) by QR in binary64, shape ``(K, N)``; None if it breaks down."""
    try:
        q, r = scipy.linalg.qr(a.T, mode="economic", check_finite=False)
        diagonal = np.abs(np.diag(r))
        if not np.isfinite(r).all() or diagonal.min() <= 1e-14 * diagonal.max():
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
        rounded = np.rint(np.ldexp(x, shift))
        residual = a @ np.ldexp(rounded, -shift)
        residual[np.diag_indices(len(residual))] -= 1.0
        mixed = math.sqrt(float(np.abs(residual).sum(axis=0).max() * np.abs(residual).sum(axis=1).max()))
        if min(mixed, float(np.linalg.norm(residual))) < 0.9:
            return ExactArray.of_integers(rounded.astype(np.int64).ravel().tolist(), x.shape, -shift)
    shift = max(0, math.ceil(math.log2(max(norm, 1e-300) * math.sqrt(len(a)))) + 6)
    if largest * 2.0**shift >= 2.0**62:
        shift = 61 - math.frexp(largest)[1]
    return ExactArray.of_integers(np.rint(np.ldexp(x, shift)).astype(np.int64).ravel().tolist(), x.shape, -shift)
