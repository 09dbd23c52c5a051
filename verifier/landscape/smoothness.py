r"""The largest curvature of the cross-entropy in V: a number L with ``grad_V Phi`` Lipschitz, for `gradient_descent`.

With p the softmax of a sample, the Hessian of log-sum-exp is ``diag(p) - p p^T <= I/2``, so

.. math:: L \ge \lambda_{\max}(\Psi^T D \Psi)/(2n) = \|D^{1/2} \Psi\|_2^2/(2n), \qquad D = \mathrm{diag}(c),

c the samples' multiplicities and n their sum. The 2-norm is bounded by a power of the Gram matrix of the shorter side,
``||S||_2 <= ||S^q||_F^(1/q)``, in binary64 or in integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY, U, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.spectral import frobenius_norm, spectral_norm
from verifier.balls.engine import Enclosure
from verifier.balls.feature_enclosure import FeatureEnclosure, block_is_finite
from verifier.balls.precision import working_precision
from verifier.rank.gram_matrix import flushed

BITS = 128
"""Bits of the scalar arithmetic."""
ROOT_BITS = 16
"""Bits behind the point of the roots of multiplicities: they are too large by 2^-16 at most."""
SQUARINGS = 5
"""Of the Gram matrix: 1000 equal singular values are then 12 percent above, and 1 percent as features are."""
LARGEST = 1024
"""Gram matrices of a longer side are not squared: a product costs its cube."""
KEPT_BITS = 40
"""Bits that the entries keep before each squaring."""


def smoothness_bound(features: Enclosure, multiplicities: Sequence[int], feature_bits: int) -> arb | None:
    """Bound L from above by the module's text.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``; with an output bias its column is one of them.
    multiplicities
        How often each sample occurs.
    feature_bits
        Where Psi is rounded to integers, of ``2^feature_bits Psi``.

    Returns
    -------
    arb or None
        Guarantee: its upper end is at least ``lambda_max(Psi^T diag(c) Psi)/(2n)``, hence at least the Lipschitz
        constant of ``grad_V Phi``: ``diag(p) - p p^T <= I/2``. None where there is no bound.
    """
    if isinstance(features, FloatEnclosure):
        try:
            norm = _in_binary64(features, multiplicities)
        except NotEnclosed:
            return None
    else:
        norm = _in_integers(features, multiplicities, feature_bits)
    with working_precision(BITS):
        found: arb = norm * norm / (2 * sum(multiplicities))
    return found if found.is_finite() else None


def rounding_bits(psi: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> int:
    """Choose the bits for integers near ``2^k Psi`` that cost the norm about a thousandth: untrusted, at least 1.

    Parameters
    ----------
    psi
        Features in floating point, ``(N, M)``: their rounding changes the norm by ``2^-(k+1) sqrt(N M)``, and the norm
        is at least ``||Psi||_F / sqrt(min(N, M))``.
    """
    largest = float(np.abs(psi).max())
    if not 0.0 < largest < math.inf:
        return 1
    size = largest * float(np.sqrt(((psi / largest) ** 2).mean()))
    if not 0.0 < size < math.inf:
        return 1
    return max(1, math.ceil(10 + math.log2(min(psi.shape)) / 2 - math.log2(size)))


def _in_binary64(features: FloatEnclosure, counts: Sequence[int]) -> arb:
    """Bound ``||D^(1/2) Psi||_2`` from the midpoints A and their errors."""
    backend, xp = features.backend, features.backend.xp
    rows, middles, errors = [], [], []
    for part, middle, radius in features.row_blocks():
        rows.append(np.asarray(backend.numpy(features.row_norms(part))))
        middles.append(middle)
        errors.append(float(upper(backend.numpy(xp.sum(radius * radius)), features.columns)))
    a = xp.concatenate(middles) if len(middles) > 1 else middles[0]
    if len(set(counts)) > 1:
        a = a * backend.asarray(_roots(counts))[:, None]
    a = flushed(backend, backend.contiguous(a))
    with np.errstate(all="ignore"):
        norm, frobenius = spectral_norm(backend, a, features.record), frobenius_norm(backend, a)
    require(features.record)
    with working_precision(BITS):
        largest = arb(max(counts))
        found = arb(norm) + arb(frobenius) * arb(2 * U) + arb(TINY)  # of the products with roots, and what was flushed
        if len(set(counts)) == 1:
            found *= largest.sqrt()
        by_rows = arb(float(upper((np.concatenate(rows) ** 2).sum(), features.samples)))
        by_columns = features.samples * arb(max(errors))
        square = by_columns if not by_rows.is_finite() or by_columns < by_rows else by_rows
        return (found + (largest * square).sqrt()).upper()


def _roots(counts: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Numbers that are at least the roots of the multiplicities."""
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.array([_root(c) for c in counts]) / 2.0**ROOT_BITS
    return found


def _root(count: int) -> int:
    """The least integer r with ``r >= 2^ROOT_BITS sqrt(count)``."""
    return math.isqrt((count << 2 * ROOT_BITS) - 1) + 1


def _in_integers(features: FeatureEnclosure, counts: Sequence[int], bits: int) -> arb:
    """Bound ``||D^(1/2) Psi||_2`` from integers near ``2^bits Psi``, each row times a root of its multiplicity."""
    rows: list[list[int]] = []
    error, scale = arb(0), arb((fmpz(1), fmpz(bits)))
    for part, block in features.blocks():
        if not block_is_finite(block):
            return arb("nan")
        with working_precision(features.precision + BITS):
            scaled = block * scale
            integers = [[int(entry.mid().floor().unique_fmpz() or 0) for entry in line] for line in scaled.tolist()]
            for entry in (scaled - arb_mat(fmpz_mat(integers))).entries():
                error = error.max(entry.abs_upper())
        rows += [[entry * _root(counts[i]) for entry in line] for i, line in enumerate(integers, part.start)]
    n, m = len(rows), len(rows[0])
    x = fmpz_mat(rows)
    with working_precision(BITS):
        norm = integer_norm(x if m <= n else x.transpose()) * arb((fmpz(1), fmpz(-ROOT_BITS)))
        return ((norm + (error * error * sum(counts) * m).sqrt()) / scale).upper()


def integer_norm(x: fmpz_mat) -> arb:
    """Bound the 2-norm of an integer matrix.

    Guarantee: at least ``||X||_2``, at the working precision. Source: ``||S||_2 <= ||S^q||_F^(1/q)`` with the Gram
    matrix S of its K columns; before a squaring ``S = 2^h (T + E)``, T integer and symmetric, ``0 <= E_ij < 1``, so
    ``||S||_2 <= 2^h (||T||_2 + K)``.

    Parameters
    ----------
    x : fmpz_mat of shape (n, K)
        The matrix.

    Returns
    -------
    arb
        The bound.
    """
    square, size = x.transpose() * x, x.ncols()
    dropped: list[tuple[int, int]] = []
    for _ in range(SQUARINGS if size <= LARGEST else 0):
        entries = [int(entry) for entry in square.entries()]
        shift = max(0, max(map(abs, entries)).bit_length() - KEPT_BITS)
        dropped.append((shift, size if shift else 0))
        square = fmpz_mat(size, size, [entry >> shift for entry in entries])
        square = square * square
    norm = arb(sum(int(entry) ** 2 for entry in square.entries())).sqrt()
    for shift, lost in reversed(dropped):
        norm = (norm.sqrt() + lost) * arb((fmpz(1), fmpz(shift)))
    return norm.sqrt()
