"""The rank of Psi(U): structure first where it is cheap, then R1, then R3 with doubling precision.

``PROVED`` needs a right inverse whose residual is certified; ``REFUTED`` needs a structural reason; everything else
is ``UNDECIDED``.
"Not certified" never means "rank deficient".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.balls.features import FeatureEnclosure, Progress, block_is_finite
from verifier.model.network import Array, approx_features
from verifier.model.verdict import Verdict
from verifier.rank.approx import approx_right_inverse, approx_right_inverse_bits, compact_right_inverse
from verifier.rank.deficiency import Deficiency, cheap_deficiency, structural_deficiency
from verifier.rank.right_inverse import (
    RankBound,
    RightInverse,
    certify_right_inverse,
    norm_products_for,
    round_to_integers,
)

FIRST_BITS = 64
DEFAULT_MAX_BITS = 4096
LARGE = 500
"""From this N on a subset of 5N/4 columns is tried first: cheaper by the ratio, the bound of sigma_N a little
smaller.
"""
WORK_LIMIT_SECONDS = 900.0
"""A rung whose dense algebra is estimated to take longer is not climbed: the result is UNDECIDED and says so."""

Stage = Callable[[str], Progress]
"""Announces what is being proved and returns where to report the fraction done."""


@dataclass(frozen=True, slots=True)
class RankResult:
    """What is known of ``rank Psi(U) = N``.

    ``bound`` and ``witness`` are set when PROVED, ``deficiency`` when REFUTED; ``attempts`` tells the ladder's story.
    """

    verdict: Verdict
    samples: int
    columns: int
    precision: int
    reason: str
    attempts: tuple[str, ...]
    bound: RankBound | None = None
    witness: RightInverse | None = None
    deficiency: Deficiency | None = None

    @property
    def label(self) -> str:
        """``R1`` at 64 bits, ``R3`` above, ``R5`` for a proved deficiency, ``R`` if undecided."""
        if self.verdict is Verdict.REFUTED:
            return "R5"
        if self.verdict is Verdict.UNDECIDED:
            return "R"
        return "R1" if self.precision <= FIRST_BITS else "R3"


def silent(_: str) -> Progress:
    """Report nothing."""
    return lambda fraction: None


def prove_rank(
    features: FeatureEnclosure, *, max_bits: int = DEFAULT_MAX_BITS, stage: Stage = silent
) -> tuple[RankResult, FeatureEnclosure]:
    """Decide ``rank Psi(U) = N``.

    Parameters
    ----------
    features
        Enclosure of Psi at 64 bits; higher rungs make their own.
    max_bits
        Last precision tried (64, 128, ... up to this).
    stage
        Progress display.

    Returns
    -------
    (RankResult, FeatureEnclosure)
        The result and the enclosure it used. Guarantee: ``PROVED`` implies rank Psi(U) = N and
        ``sigma_N >= result.bound.sigma_lower``; ``REFUTED`` implies rank Psi(U) <= result.deficiency.rank_at_most < N.
    """
    network, u, inputs = features.network, features.u, features.inputs
    n, m = features.samples, features.columns
    found = cheap_deficiency(network, inputs)
    if found is not None:
        return _refuted(features, found, ()), features
    attempts: list[str] = []
    psi = approx_features(network, u, inputs)
    for columns in _column_choices(n, m):
        stage(f"right inverse of {n} x {m if columns is None else len(columns)} features")
        witness = _float_witness(psi, columns, features.precision)
        if isinstance(witness, str):
            attempts.append(f"{features.precision} bits: {witness}")
            continue
        bound = certify_right_inverse(features, witness, stage("rank: exact residual of the right inverse"))
        if bound is not None:
            attempts.append(f"{features.precision} bits: certified")
            return _proved(features, bound, witness, attempts), features
        attempts.append(f"{features.precision} bits: the residual's bound is not below 1")
    stage("rank: looking for structural deficiency")
    found = structural_deficiency(network, u, inputs)
    if found is not None:
        return _refuted(features, found, tuple(attempts)), features
    return _climb(features, attempts, max_bits, stage)


def _climb(
    features: FeatureEnclosure, attempts: list[str], max_bits: int, stage: Stage
) -> tuple[RankResult, FeatureEnclosure]:
    n, m = features.samples, features.columns
    bits = 2 * features.precision
    while bits <= max_bits:
        seconds = 40e-9 * n * n * (n + m) * (bits / 64) ** 1.3
        if seconds > WORK_LIMIT_SECONDS:
            attempts.append(
                f"{bits} bits: not tried, about {seconds:.0f} s of dense algebra (limit {WORK_LIMIT_SECONDS:.0f} s)"
            )
            break
        higher = FeatureEnclosure(features.network, features.u, features.inputs, bits)
        witness = _high_precision_witness(higher, stage(f"rank: right inverse at {bits} bits"))
        if isinstance(witness, str):
            attempts.append(f"{bits} bits: {witness}")
        else:
            bound = certify_right_inverse(higher, witness, stage(f"rank: exact residual at {bits} bits"))
            if bound is not None:
                attempts.append(f"{bits} bits: certified")
                return _proved(higher, bound, witness, attempts), higher
            attempts.append(f"{bits} bits: the residual's bound is not below 1")
        bits *= 2
    reason = (
        f"no right inverse certified up to {min(bits, max_bits)} bits and no structural deficiency found; "
        "raise rank.max_bits"
    )
    return RankResult(Verdict.UNDECIDED, n, m, features.precision, reason, tuple(attempts)), features


def _proved(features: FeatureEnclosure, bound: RankBound, witness: RightInverse, attempts: list[str]) -> RankResult:
    reason = f"||I - Psi X||_2 <= {bound.alpha} < 1 at {features.precision} bits, so sigma_N >= {bound.sigma_lower}"
    return RankResult(
        Verdict.PROVED, features.samples, features.columns, features.precision, reason, tuple(attempts), bound, witness
    )


def _refuted(features: FeatureEnclosure, found: Deficiency, attempts: tuple[str, ...]) -> RankResult:
    return RankResult(
        Verdict.REFUTED,
        features.samples,
        features.columns,
        features.precision,
        found.explanation,
        attempts,
        deficiency=found,
    )


def _column_choices(n: int, m: int) -> list[NDArray[np.int64] | None]:
    """Column subsets to try in turn; None means all of them."""
    wanted = -(-5 * n // 4)
    if n < LARGE or wanted >= m:
        return [None]
    spread = np.unique(np.linspace(0, m - 1, wanted).astype(np.int64))
    return [spread, None]


@np.errstate(all="ignore")
def _float_witness(psi: Array, columns: NDArray[np.int64] | None, precision: int) -> RightInverse | str:
    a = psi if columns is None else psi[:, columns]
    if not np.isfinite(a).all():
        return "the floating-point features overflow"
    x = approx_right_inverse(a)
    if x is None:
        return "no right inverse in binary64 (numerically singular)"
    n, k = a.shape
    spread = math.sqrt(n * k) * float(np.linalg.norm(x))
    bits = max(16, math.ceil(math.log2(max(spread, 1.0))) + 8) if math.isfinite(spread) else precision
    if bits + math.frexp(float(np.abs(a).max()))[1] > precision - 6:
        return "the right inverse is too large for this precision"
    matrix = compact_right_inverse(a, x, sharp=n < LARGE)
    return RightInverse(matrix, columns, bits, norm_products_for(n))


def _high_precision_witness(features: FeatureEnclosure, progress: Progress) -> RightInverse | str:
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
