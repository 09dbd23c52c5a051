r"""R2: a Cholesky factor of the Gram matrix bounds the smallest singular value from below, at the cost of one product.

For a symmetric H and any lower triangular C, ``H = cI + C C^T + E`` with ``E = H - cI - C C^T``, hence (Weyl)

.. math:: \lambda_{\min}(H) \ge c - \|H - cI - CC^T\|_2 .

C is untrusted. Psi lies within ``B = 1 q^T`` of the midpoints A entrywise, so ``||Psi - A||_2 <= ||B||_2 = sqrt(N)
||q||``; where the rows of Psi - A have 2-norms at most rho_i, it is at most ``(sum rho_i^2)^(1/2)``, too; and

.. math:: \sigma_N(\Psi) \ge \sqrt{\lambda_{\min}(H) - \|H - AA^T\|_2} - \|\Psi - A\|_2 .

(Rump, *Verification of positive definiteness*, BIT 2006, gives the a-priori variant; here the residual is computed.)

Both norms of errors are bounded where the matrices are made: `gram_matrix` and `cholesky`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from flint import arb

from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.exact import at_least, at_most, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.display import Decided
from verifier.errors import needs
from verifier.rank.cholesky import Factor, cholesky_residual, estimate_smallest
from verifier.rank.gram_matrix import BITS, MAX_SIZE, Gram, Plan, accumulate, copied, plan
from verifier.verdict import Verdict

SHIFTS = (0.93, 0.87, 0.82)
"""Tight shifts, as fractions of the estimated smallest eigenvalue."""

RADII_SHARE = 1.3
"""The first shift's share of the squared norm of the radii: the bound is then at least 0.14 times that norm."""

OVERFLOW = "the Gram matrix overflows or is not a number; scale the features"
TOO_SMALL = "; the smallest eigenvalue seems to be below the rounding errors and radii"
"""Reasons why nothing is proved."""


@dataclass(frozen=True, slots=True)
class GramBound(Decided):
    """What R2 proves: if PROVED, ``sigma_N(Psi) >= sigma_lower > 0`` for every Psi in the enclosure.

    UNDECIDED: no bound, for the ``reason`` given, which says nothing about the rank. REFUTED: there are more rows than
    columns.

    Guarantee: ``verdict`` and ``sigma_lower`` only. The rest is for the record; ``estimate`` is an untrusted
    estimate of sigma_N(A).
    """

    verdict: Verdict
    reason: str
    sigma_lower: float = 0.0
    shift: float = math.nan
    residual: float = math.inf
    gram_error: float = math.inf
    enclosure: float = math.inf
    estimate: float = math.nan
    block: int = 0
    width: int = 0
    peak_bytes: int = 0


class GramProver(Protocol):
    """Proves R2 of an enclosure of Psi: `certify_gram`, or something that keeps the Gram matrix elsewhere."""

    def __call__(self, source: FloatEnclosure, *, tight: bool, progress: Progress | None) -> GramBound:
        """Prove ``rank Psi = N`` and a lower bound of sigma_N.

        Guarantee: that of `certify_gram`.
        """


def sigma_bound(gram: Gram, factor: Factor) -> float:
    """Lower bound of sigma_N(Psi) from a factor; ``-inf`` if nothing is proved.

    Guarantee: the result is <= sigma_N(Psi) for every Psi in the enclosure.

    Parameters
    ----------
    gram : Gram
        The Gram matrix of the midpoints, with its errors.
    factor : Factor
        Of a shifted Gram matrix, with its residual.

    Returns
    -------
    float
        The bound. Source: Weyl's inequality, for eigenvalues and then for singular values.
    """
    with working_precision(BITS):
        eigenvalue = arb(factor.shift) - factor.residual - gram.error
        if not eigenvalue > 0:
            return -math.inf
        bound = eigenvalue.sqrt() - gram.enclosure  # Coq: R2 bound
        if not bound > 0:
            return -math.inf
        lowest = lower_float(bound)
        return lowest if 0.0 < lowest < math.inf else -math.inf  # Coq: R2 sigma_gt0


def first_shift(gram: Gram, sizes: Plan, *, tight: bool) -> float:
    """Untrusted small shift: four times the error that is to be expected, and what the radii take away.

    The radii enter only where the shift is to prove something at once, not where it serves an estimate.
    """
    n, nb = sizes.samples, sizes.blocks
    with working_precision(BITS):
        e = gram.error + 2 * arb(gamma(sizes.block + nb + 6)) * gram.squares + 4 * n * arb(TINY)
        return upper_float(4 * e if tight else 4 * e + RADII_SHARE * gram.enclosure * gram.enclosure)


def certify_gram(
    source: ColumnSource, *, tight: bool = False, progress: Progress | None = None, sizes: Plan | None = None
) -> GramBound:
    """Prove ``rank Psi = N`` and a lower bound of sigma_N by R2.

    Parameters
    ----------
    source
        Enclosure of a matrix, shape (N, M), such as `MatrixEnclosure` or `FloatEnclosure`.
    tight
        Refactor with a shift just below the estimated smallest eigenvalue: the bound is then within 10 percent of the
        truth when rounding and radii allow it; needs a second copy of the packed Gram matrix.
    progress
        Called with the fraction done.
    sizes
        Block sizes; `plan` chooses them by default.

    Returns
    -------
    GramBound
        Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``; the
        platform's canary has tested every product that this rests on. Source: the module's text (Weyl; Rump, BIT 2006).

    Raises
    ------
    InputError
        If ``source`` is no enclosure.
    ValueError
        If its blocks do not cover the columns in order.

    Examples
    --------
    >>> import verifier as vf
    >>> source = vf.MatrixEnclosure(vf.numpy_backend(1), [[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]])  # sigma_2 = 5
    >>> found = vf.certify_gram(source, tight=True)
    >>> found.proved, 4.5 < found.sigma_lower <= 5
    (True, True)
    """
    needs(source, "enclosure", "column_blocks", "source", "give MatrixEnclosure(numpy_backend(), A), or use matrix(A)")
    backend, n, m = source.backend, source.samples, source.columns
    if n > m:
        return GramBound(Verdict.REFUTED, f"N = {n} exceeds M = {m}: the rank is below N")
    if m > MAX_SIZE:
        return GramBound(Verdict.UNDECIDED, f"M = {m} exceeds {MAX_SIZE}")
    sizes = sizes or plan(n, m)
    try:
        with np.errstate(all="ignore"):
            return _certify(source, backend, tight, progress, sizes)
    except NotEnclosed as error:
        return GramBound(Verdict.UNDECIDED, str(error))


def _certify(source: ColumnSource, backend: Backend, tight: bool, progress: Progress | None, sizes: Plan) -> GramBound:
    share = 0.7 if not tight else 0.5
    gram = accumulate(source, sizes, progress and (lambda f: progress(share * f)))
    shift = first_shift(gram, sizes, tight=tight)
    if not (math.isfinite(shift) and gram.enclosure.is_finite()):
        return GramBound(Verdict.UNDECIDED, OVERFLOW)
    kept = copied(backend, gram) if tight else None
    factor = cholesky_residual(backend, gram, shift, progress and (lambda f: progress(share + (1 - share) / 2 * f)))
    if isinstance(factor, str):
        return GramBound(Verdict.UNDECIDED, f"{factor}{TOO_SMALL}")
    sigma = sigma_bound(gram, factor)
    eigenvalue = estimate_smallest(backend, factor.column, gram.edges, factor.shift, 10 if tight else 4)
    if kept is not None and eigenvalue > 0.0 and math.isfinite(eigenvalue):
        factor.blocks.clear()
        for fraction in SHIFTS:
            trial = Gram(dict(kept), gram.edges, gram.squares, gram.relative, gram.error, gram.enclosure, gram.record)
            if fraction != SHIFTS[-1]:
                trial.blocks = copied(backend, trial)
            second = cholesky_residual(backend, trial, fraction * eigenvalue)
            if isinstance(second, str):
                continue
            better = sigma_bound(gram, second)
            if better > sigma:
                sigma, factor = better, second
                break
    if progress:
        progress(1.0)
    return concluded(gram, factor, sizes, sigma, eigenvalue, max(sizes.gram, sizes.tight if tight else sizes.factor))


def concluded(gram: Gram, factor: Factor, sizes: Plan, sigma: float, eigenvalue: float, peak: int) -> GramBound:
    """State what R2 proves.

    Parameters
    ----------
    gram, factor : Gram, Factor
        What the bound comes from; every product in the Gram matrix's record is tested here.
    sizes : Plan
        Block sizes.
    sigma : float
        `sigma_bound` of both.
    eigenvalue : float
        Untrusted estimate of the smallest eigenvalue.
    peak : int
        Bytes that were needed, about.

    Returns
    -------
    GramBound
        Guarantee: that of `certify_gram`, if sigma is a lower bound of sigma_N.

    Raises
    ------
    NotEnclosed
        The platform's canary refuses a product.
    """
    if not sigma > 0.0:
        with working_precision(BITS):
            parts = (("shift", arb(factor.shift)), ("residual", factor.residual), ("Gram error", gram.error),
                     ("radii", gram.enclosure))  # fmt: skip
            listed = ", ".join(f"{name} {at_most(value, 3)}" for name, value in parts)
        reason = f"rounding errors and radii exceed the smallest singular value: {listed}"
        return GramBound(Verdict.UNDECIDED, reason)
    require(gram.record)
    return GramBound(
        Verdict.PROVED,
        f"rank N = {sizes.samples}, sigma_N >= {at_least(sigma)}",
        sigma_lower=sigma,
        shift=factor.shift,
        residual=upper_float(factor.residual),
        gram_error=upper_float(gram.error),
        enclosure=upper_float(gram.enclosure),
        estimate=math.sqrt(eigenvalue) if eigenvalue > 0.0 else math.nan,
        block=sizes.block,
        width=sizes.width,
        peak_bytes=peak,
    )
