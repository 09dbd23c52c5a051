"""The rank of Psi(U): a ladder of proofs, cheapest first.

Structure where it is cheap; in binary64 R2 (Gram matrix and residual Cholesky) or, when a certificate is wanted, R1 (a
right inverse, which is what a certificate carries); R1 in Arb; structural deficiency; where the features are rational
numbers their exact rank (R6); R3 with doubling precision.
``PROVED`` needs a right inverse whose residual is certified, or a nonzero minor of exact numbers; ``REFUTED`` needs a
structural reason or the exact rank; everything else is ``UNDECIDED``.
"Not certified" never means "rank deficient".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verifier.balls.binary64.canary import canary, require_products
from verifier.balls.binary64.float_enclosure import FloatEnclosure, NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure, sharper
from verifier.balls.exact import at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress
from verifier.errors import needs
from verifier.network.network import Array
from verifier.rank.approx import (
    approx_inverse64,
    column_choices,
    float_witness,
    high_precision_witness,
    used_columns,
)
from verifier.rank.deficiency import Deficiency, cheap_deficiency, structural_deficiency
from verifier.rank.float_inverse import bound_in_binary64, certify_inverse64
from verifier.rank.gram import GramBound, certify_gram
from verifier.rank.rational import ExactRank, TooLargeError, exact_rank, rational_activations, rational_features
from verifier.rank.result import RankResult
from verifier.rank.right_inverse import (
    RankBound,
    RightInverse,
    certify_right_inverse,
)
from verifier.verdict import Verdict

DEFAULT_MAX_BITS = 4096
INVERSE_BYTES = 4 * 10**9
"""A right inverse is not sought if Psi alone takes more memory than this: R2 needs no more than its Gram matrix."""

ARB_SECONDS_PER_FEATURE, EXACT_SECONDS_PER_PRODUCT = 3e-6, 5e-10
WORK_LIMIT_SECONDS = 900.0
"""A rung whose dense algebra is estimated to take longer is not climbed: the result is UNDECIDED and says so."""

Stage = Callable[[str], Progress]
"""Announces what is being proved and returns where to report the fraction done."""


def silent(_: str) -> Progress:
    """Report nothing."""
    return lambda fraction: None


def prove_rank(
    features: Enclosure,
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
    tight: bool = False,
    certificate: bool = True,
    guard: bool = True,
    patience: float = WORK_LIMIT_SECONDS,
) -> tuple[RankResult, Enclosure]:
    """Decide ``rank Psi(U) = N``.

    Parameters
    ----------
    features
        Enclosure of Psi in binary64, or by Arb at 64 bits; higher rungs make their own.
    max_bits
        Last precision tried (64, 128, ... up to this); below 64, of an enclosure in binary64: no other.
    stage
        Progress display.
    tight
        Ask for a lower bound of sigma_N within 10 percent of the truth, where binary64 can give it.
    certificate
        Whether a witness for a certificate is wanted; if not, R2, which is cheaper, comes first.
    guard
        Run the whole platform canary before and after what is proved in binary64. Leave it on unless the caller does;
        every product is tested in either case.
    patience
        Seconds that a rung by Arb may be estimated to take; one that may take longer is not tried.

    Returns
    -------
    (RankResult, Enclosure)
        The result and the enclosure it used. Guarantee: ``PROVED`` implies rank Psi(U) = N and
        ``sigma_N >= result.sigma_lower``; ``REFUTED`` implies rank Psi(U) <= result.deficiency.rank_at_most < N.
    """
    needs(features, "enclosure of Psi", "network", "features", "for a matrix of your own use matrix(A)")
    network, u, inputs = features.network, features.u, features.inputs
    found = cheap_deficiency(network, inputs)
    if found is not None:
        return _refuted(features, found, ()), features
    attempts: list[str] = []
    if isinstance(features, FloatEnclosure):
        result = _guarded(features, attempts, stage, tight, certificate, guard)
        if result is not None:
            return result, features
        if max_bits < FIRST_BITS:
            return _without_arb(features, attempts, stage), features
        features = sharper(features)
    full: ExactRank | None = None
    if rational_activations(network):  # then no precision is climbed before it is known that it can help
        stage("rank: looking for structural deficiency")
        found = structural_deficiency(network, u, inputs)
        if found is not None:
            return _refuted(features, found, tuple(attempts)), features
        decided = _exactly(features, attempts, stage)
        if decided is not None and decided.verdict is not Verdict.PROVED:
            return decided, features
        full = None if decided is None else decided.exact
    n, m = features.samples, features.columns
    seconds = ARB_SECONDS_PER_FEATURE * n * m + EXACT_SECONDS_PER_PRODUCT * n * n * used_columns(n, m)
    if seconds > patience:
        attempts.append(f"Arb: not tried, about {seconds:.0f} s to enclose Psi and a residual (limit {patience:.0f} s)")
        if full is not None:
            return _proved_exactly(features, full, attempts), features
        reason = "binary64 does not decide it, and Psi is too large for Arb"
        return RankResult(Verdict.UNDECIDED, n, m, features.precision, reason, tuple(attempts)), features
    psi = features.approx()
    for columns in column_choices(n, m):
        begun = time.perf_counter()
        stage(f"right inverse of {n} x {m if columns is None else len(columns)} features")
        witness = float_witness(psi, columns, features.precision)
        if isinstance(witness, str):
            attempts.append(f"R1 at {features.precision} bits: {witness}")
            continue
        bound = certify_right_inverse(features, witness, stage("rank: exact residual of the right inverse"))
        if bound is not None:
            attempts.append(f"R1 at {features.precision} bits: certified{_cost(begun)}")
            return _proved(features, bound, witness, attempts), features
        attempts.append(f"R1 at {features.precision} bits: the residual's bound is not below 1{_cost(begun)}")
    if full is not None:
        return _climb(features, attempts, max_bits, stage, patience, full)
    stage("rank: looking for structural deficiency")
    found = structural_deficiency(network, u, inputs)
    if found is not None:
        return _refuted(features, found, tuple(attempts)), features
    if not rational_activations(network):
        decided = _exactly(features, attempts, stage)
        if decided is not None:
            return decided, features
    return _climb(features, attempts, max_bits, stage, patience, None)


def _exactly(features: Enclosure, attempts: list[str], stage: Stage) -> RankResult | None:
    """R6: the rank over the rationals; None if it is not known, with the reason in ``attempts``.

    Features that are no rational numbers are numbered, not evaluated: that can refute full rank and never proves it.
    """
    begun, n = time.perf_counter(), features.samples
    stage("rank: exact rational features")
    values = rational_features(features.network, features.u, features.inputs)
    if isinstance(values, str):
        attempts.append(f"R6, exact features: not computed, {values}")
        return None
    stage("rank: exact rank over the rationals")
    try:
        found = exact_rank(values)
    except TooLargeError as error:
        attempts.append(f"R6, exact rank: not computed, {error}")
        return None
    kind = "the rank over the rationals" if found.exact else "the rank modulo a prime"
    attempts.append(f"R6, exact features: {kind} is {found.rank}{_cost(begun)}")
    if found.rank == n:
        return _proved_exactly(features, found, attempts) if found.rational else None
    if not found.exact:
        if not found.rational:
            return None
        reason = (
            f"all features are rational numbers, and modulo a prime their rank is {found.rank} < N = {n}, so full rank "
            "is most unlikely and no precision would show it; the exact rank is too large a computation: take fewer "
            "samples or units, or shorter numbers"
        )
        return _undecided(features, reason, attempts)
    words = "in exact rational arithmetic" if found.rational else "by exact relations between the samples' features"
    what = f"rank Psi(U) {'=' if found.rational else '<='} {found.rank} < N = {n}, {words}"
    what += "" if _stated(features, found) else " (not stated in the certificate)"
    refuted = _refuted(features, Deficiency("exact-rank", found.rank, what), tuple(attempts))
    return replace(refuted, exact=found)


def _stated(features: Enclosure, found: ExactRank) -> bool:
    """Whether a certificate can say it: the checker follows rational operations on numbers of moderate length."""
    return found.rational and found.followed and rational_activations(features.network)


def _proved_exactly(features: Enclosure, found: ExactRank, attempts: list[str]) -> RankResult:
    n, m = features.samples, features.columns
    reason = f"rank Psi(U) = {n}: some {n} x {n} minor of rational features is not 0 (not 0 modulo a prime); "
    reason += "no bound of sigma_N" + ("" if _stated(features, found) else " (not stated in the certificate)")
    return RankResult(Verdict.PROVED, n, m, features.precision, reason, tuple(attempts), exact=found)


def _undecided(features: Enclosure, reason: str, attempts: list[str]) -> RankResult:
    n, m = features.samples, features.columns
    return RankResult(Verdict.UNDECIDED, n, m, features.precision, reason, tuple(attempts))


def _without_arb(features: FloatEnclosure, attempts: list[str], stage: Stage) -> RankResult:
    """Structure decides what binary64 did not, or nothing does."""
    stage("rank: looking for structural deficiency")
    found = structural_deficiency(features.network, features.u, features.inputs)
    if found is not None:
        return _refuted(features, found, tuple(attempts))
    decided = _exactly(features, attempts, stage) if rational_activations(features.network) else None
    if decided is not None:
        return decided
    reason = (
        "no right inverse certified in binary64 and no structural deficiency found; higher precision was not asked for"
    )
    verdict = Verdict.UNDECIDED
    return RankResult(verdict, features.samples, features.columns, features.precision, reason, tuple(attempts))


def _cost(begun: float) -> str:
    return f" ({time.perf_counter() - begun:.2f} s)"


def _guarded(
    features: FloatEnclosure, attempts: list[str], stage: Stage, tight: bool, certificate: bool, guard: bool
) -> RankResult | None:
    """The binary64 rungs between two runs of the canary; None if they prove nothing or the platform is refused."""
    if guard:
        report = canary(features.backend, [])
        if not report.passed:
            attempts.append(f"binary64: refused, {report.failure}")
            return None
    try:
        result = _float_rungs(features, attempts, stage, tight, certificate)
    except NotEnclosed as error:
        attempts.append(f"binary64: {error}")
        return None
    if result is None:
        return None
    if guard:
        stage("checking the platform again")
        report = canary(features.backend, features.record)
        if not report.passed:
            attempts.append(f"binary64: its result is discarded, {report.failure}")
            return None
    return replace(result, attempts=tuple(attempts))


def _float_rungs(
    features: FloatEnclosure, attempts: list[str], stage: Stage, tight: bool, certificate: bool
) -> RankResult | None:
    """R2 and R1 in binary64."""
    n, m = features.samples, features.columns
    inverse = 8 * n * m <= INVERSE_BYTES
    gram: GramBound | None = None
    if tight or not certificate or not inverse:
        begun = time.perf_counter()
        found = certify_gram(features, tight=tight, progress=stage(f"rank: Gram matrix of {n} x {m} features"))
        outcome = (
            found.reason
            if found.verdict is not Verdict.PROVED
            else f"certified, sigma_N >= {at_least(found.sigma_lower)}"
        )
        attempts.append(f"R2 in binary64: {outcome}{_cost(begun)}")
        if found.verdict is Verdict.PROVED:
            gram = found
            if not certificate or not inverse:
                return _proved_by_gram(features, found)
    if not inverse:
        attempts.append(f"R1 in binary64: not tried, Psi takes {8 * n * m / 1e9:.1f} GB")
        return None
    psi = features.approx()
    require_products(features.record)  # a wrong product is named at once, not taken for a singular matrix
    for columns in column_choices(n, m):
        begun = time.perf_counter()
        stage(f"right inverse of {n} x {m if columns is None else len(columns)} features")
        witness = float_witness(psi, columns, FIRST_BITS)
        if isinstance(witness, str):
            attempts.append(f"R1 in binary64: {witness}")
            continue
        bound = bound_in_binary64(features, witness)
        if bound is None:
            attempts.append(f"R1 in binary64: the residual's bound is not below 1{_cost(begun)}")
            continue
        attempts.append(f"R1 in binary64: certified{_cost(begun)}")
        best = max(float(bound.sigma_lower), 0.0 if gram is None else gram.sigma_lower)
        if tight and gram is None:
            begun = time.perf_counter()
            sharp = certify_inverse64(features, _full_inverse(psi), tight=True)
            sharpened = sharp.verdict is Verdict.PROVED
            outcome = f"sigma_N >= {at_least(sharp.sigma_lower)}" if sharpened else sharp.reason
            attempts.append(f"R1 in binary64, tight: {outcome}{_cost(begun)}")
            best = max(best, sharp.sigma_lower if sharpened else 0.0)
        reason = f"||I - Psi X||_2 <= {at_most(bound.alpha, below=1)} < 1 in binary64, so sigma_N >= "
        reason += at_least(_below(best))
        return RankResult(
            Verdict.PROVED, n, m, FIRST_BITS, reason, (), bound, witness, gram=gram, sigma_lower=_below(best)
        )
    return None if gram is None else _proved_by_gram(features, gram)


def _below(value: float) -> float:
    """A number below the real one that ``value`` is the nearest float of."""
    return math.nextafter(value, 0.0)


def _full_inverse(psi: Array) -> Array:
    x = approx_inverse64(psi)
    return np.zeros(psi.shape[::-1]) if x is None else x


def _proved_by_gram(features: FloatEnclosure, bound: GramBound) -> RankResult:
    reason = f"Psi Psi^T - {at_least(bound.shift)} I is positive definite up to proved errors, so sigma_N >= "
    reason += at_least(bound.sigma_lower)
    return RankResult(
        Verdict.PROVED,
        features.samples,
        features.columns,
        FIRST_BITS,
        reason,
        (),
        gram=bound,
        sigma_lower=bound.sigma_lower,
    )


def _climb(
    features: FeatureEnclosure,
    attempts: list[str],
    max_bits: int,
    stage: Stage,
    patience: float,
    full: ExactRank | None,
) -> tuple[RankResult, Enclosure]:
    """R3 with doubling precision; if it fails, `full` still proves the rank."""
    n, m = features.samples, features.columns
    bits = 2 * features.precision
    while bits <= max_bits:
        seconds = 40e-9 * n * n * (n + m) * (bits / 64) ** 1.3
        if seconds > patience:
            attempts.append(f"R3 at {bits} bits: not tried, about {seconds:.0f} s of algebra (limit {patience:.0f} s)")
            break
        begun = time.perf_counter()
        higher = FeatureEnclosure(features.network, features.u, features.inputs, bits)
        witness = high_precision_witness(higher, stage(f"rank: right inverse at {bits} bits"))
        if isinstance(witness, str):
            attempts.append(f"R3 at {bits} bits: {witness}")
        else:
            bound = certify_right_inverse(higher, witness, stage(f"rank: exact residual at {bits} bits"))
            if bound is not None:
                attempts.append(f"R3 at {bits} bits: certified{_cost(begun)}")
                return _proved(higher, bound, witness, attempts), higher
            attempts.append(f"R3 at {bits} bits: the residual's bound is not below 1{_cost(begun)}")
        bits *= 2
    if full is not None:
        return _proved_exactly(features, full, attempts), features
    reason = f"no right inverse certified up to {bits // 2} bits and no structural deficiency found; "
    if bits <= max_bits:
        reason += f"{bits} bits would take too long for this N and M"
    else:
        reason += f"rank.max_bits = {bits} helps if Psi is nearly singular, not if it is exactly singular"
    return _undecided(features, reason, attempts), features


def _proved(features: Enclosure, bound: RankBound, witness: RightInverse, attempts: list[str]) -> RankResult:
    reason = f"||I - Psi X||_2 <= {at_most(bound.alpha, below=1)} < 1 at {features.precision} bits, so sigma_N >= "
    reason += at_least(bound.sigma_lower)
    return RankResult(
        Verdict.PROVED,
        features.samples,
        features.columns,
        features.precision,
        reason,
        tuple(attempts),
        bound,
        witness,
        sigma_lower=_below(float(bound.sigma_lower)),
    )


def _refuted(features: Enclosure, found: Deficiency, attempts: tuple[str, ...]) -> RankResult:
    return RankResult(
        Verdict.REFUTED,
        features.samples,
        features.columns,
        features.precision,
        found.explanation,
        attempts,
        deficiency=found,
    )
