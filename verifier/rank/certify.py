"""The rank of Psi(U): a ladder of proofs, cheapest first.

Structure where it is cheap; in binary64 R2 (Gram matrix and residual Cholesky) or, when a certificate is wanted, R1 (a
right inverse, which is what a certificate carries); R1 in Arb; structural deficiency; R3 with doubling precision.
``PROVED`` needs a right inverse whose residual is certified; ``REFUTED`` needs a structural reason; everything else
is ``UNDECIDED``.
"Not certified" never means "rank deficient".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, fmpz, fmpz_mat
from numpy.typing import NDArray

from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.features import FloatEnclosure, NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure, sharper
from verifier.balls.exact import ExactArray, round_down, round_up, text_below
from verifier.balls.features import FeatureEnclosure, Progress, block_is_finite
from verifier.balls.precision import working_precision
from verifier.display import Decided, Facts, Shown, Table
from verifier.errors import needs
from verifier.model.network import Array
from verifier.model.verdict import Verdict
from verifier.rank.approx import approx_right_inverse_bits, compact_right_inverse
from verifier.rank.deficiency import Deficiency, cheap_deficiency, structural_deficiency
from verifier.rank.float_inverse import approx_inverse64, certify_inverse64, residual64
from verifier.rank.gram import GramBound, certify_gram
from verifier.rank.right_inverse import (
    NORM_PRECISION,
    SLACK,
    RankBound,
    RightInverse,
    certify_right_inverse,
    norm_products_for,
    round_to_integers,
    witness_norm,
)

DEFAULT_MAX_BITS = 4096
LARGE = 500
"""From this N on a subset of 5N/4 columns is tried first: cheaper by the ratio, the bound of sigma_N a little
smaller.
"""
INVERSE_BYTES = 4 * 10**9
"""A right inverse is not sought if Psi alone takes more memory than this: R2 needs no more than its Gram matrix."""

ARB_SECONDS_PER_FEATURE = 3e-6
WORK_LIMIT_SECONDS = 900.0
"""A rung whose dense algebra is estimated to take longer is not climbed: the result is UNDECIDED and says so."""

Stage = Callable[[str], Progress]
"""Announces what is being proved and returns where to report the fraction done."""


@dataclass(frozen=True, slots=True, repr=False)
class RankResult(Decided, Shown):
    """What is known of ``rank Psi(U) = N``.

    When PROVED, ``sigma_lower`` is the best proved lower bound of sigma_N; ``bound`` and ``witness`` are what a
    certificate states (R1, R3), ``gram`` is R2's evidence. ``deficiency`` is set when REFUTED; ``attempts`` tells the
    ladder's story with its costs.
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
    gram: GramBound | None = None
    sigma_lower: float = 0.0

    @property
    def label(self) -> str:
        """``R2`` without a witness, ``R1`` up to 64 bits, ``R3`` above, ``R5`` refuted, ``R`` undecided."""
        if self.verdict is Verdict.REFUTED:
            return "R5"
        if self.verdict is Verdict.UNDECIDED:
            return "R"
        if self.bound is None:
            return "R2"
        return "R1" if self.precision <= FIRST_BITS else "R3"

    def _facts(self) -> Facts:
        values = [("rung", self.label), ("N x M", f"{self.samples} x {self.columns}")]
        if self.verdict is Verdict.PROVED:
            values += [("rank", str(self.samples)), ("sigma_N >=", text_below(self.sigma_lower))]
        if self.deficiency is not None:
            values.append(("rank <=", str(self.deficiency.rank_at_most)))
        values.append(("precision", f"{self.precision} bits"))
        ladder = Table("The ladder: what was tried", ("attempt",), tuple((text,) for text in self.attempts))
        tables = (ladder,) if self.attempts else ()
        return Facts("Full row rank of Psi(U)", str(self.verdict), self.reason, tuple(values), tables)


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
        Run the platform canary before and after what is proved in binary64. Leave it on unless the caller does.

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
    n, m = features.samples, features.columns
    if ARB_SECONDS_PER_FEATURE * n * m > WORK_LIMIT_SECONDS:
        attempts.append(f"Arb: not tried, about {ARB_SECONDS_PER_FEATURE * n * m:.0f} s to enclose Psi")
        reason = "binary64 does not decide it, and Psi is too large for Arb"
        return RankResult(Verdict.UNDECIDED, n, m, features.precision, reason, tuple(attempts)), features
    psi = features.approx()
    for columns in _column_choices(n, m):
        begun = time.perf_counter()
        stage(f"right inverse of {n} x {m if columns is None else len(columns)} features")
        witness = _float_witness(psi, columns, features.precision)
        if isinstance(witness, str):
            attempts.append(f"R1 at {features.precision} bits: {witness}")
            continue
        bound = certify_right_inverse(features, witness, stage("rank: exact residual of the right inverse"))
        if bound is not None:
            attempts.append(f"R1 at {features.precision} bits: certified{_cost(begun)}")
            return _proved(features, bound, witness, attempts), features
        attempts.append(f"R1 at {features.precision} bits: the residual's bound is not below 1{_cost(begun)}")
    stage("rank: looking for structural deficiency")
    found = structural_deficiency(network, u, inputs)
    if found is not None:
        return _refuted(features, found, tuple(attempts)), features
    return _climb(features, attempts, max_bits, stage)


def _without_arb(features: FloatEnclosure, attempts: list[str], stage: Stage) -> RankResult:
    """Structure decides what binary64 did not, or nothing does."""
    stage("rank: looking for structural deficiency")
    found = structural_deficiency(features.network, features.u, features.inputs)
    if found is not None:
        return _refuted(features, found, tuple(attempts))
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
        report = canary(features.backend, [(min(features.samples, 256), 64, min(features.columns, 256))])
        if not report.passed:
            attempts.append(f"binary64: refused, {report.failure}")
            return None
        features.backend.shapes.clear()
    try:
        result = _float_rungs(features, attempts, stage, tight, certificate)
    except NotEnclosed as error:
        attempts.append(f"binary64: {error}")
        return None
    if guard and result is not None:
        stage("checking the platform again")
        report = canary(features.backend, features.backend.shapes)
        if not report.passed:
            attempts.append(f"binary64: its result is discarded, {report.failure}")
            return None
    return None if result is None else replace(result, attempts=tuple(attempts))


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
            else f"certified, sigma_N >= {text_below(found.sigma_lower)}"
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
    for columns in _column_choices(n, m):
        begun = time.perf_counter()
        stage(f"right inverse of {n} x {m if columns is None else len(columns)} features")
        witness = _float_witness(psi, columns, FIRST_BITS)
        if isinstance(witness, str):
            attempts.append(f"R1 in binary64: {witness}")
            continue
        bound = _bound64(features, witness)
        if bound is None:
            attempts.append(f"R1 in binary64: the residual's bound is not below 1{_cost(begun)}")
            continue
        attempts.append(f"R1 in binary64: certified{_cost(begun)}")
        best = max(float(bound.sigma_lower), 0.0 if gram is None else gram.sigma_lower)
        if tight and gram is None:
            begun = time.perf_counter()
            sharp = certify_inverse64(features, _full_inverse(psi), tight=True)
            sharpened = sharp.verdict is Verdict.PROVED
            outcome = f"sigma_N >= {text_below(sharp.sigma_lower)}" if sharpened else sharp.reason
            attempts.append(f"R1 in binary64, tight: {outcome}{_cost(begun)}")
            best = max(best, sharp.sigma_lower if sharpened else 0.0)
        reason = f"||I - Psi X||_2 <= {bound.alpha} < 1 in binary64, so sigma_N >= {text_below(_below(best))}"
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
    reason = f"Psi Psi^T - {bound.shift:.3g} I is positive definite up to proved errors, so sigma_N >= "
    reason += text_below(bound.sigma_lower)
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


def _bound64(features: FloatEnclosure, witness: RightInverse) -> RankBound | None:
    """R1's claim from a binary64 residual, with room for a checker that rounds Psi to ``feature_bits``.

    Guarantee: if a bound is returned, rank Psi(U) = N and ``sigma_N >= sigma_lower > 0``.
    """
    x = witness.matrix.approx()
    found = residual64(features, x, witness.columns)
    k, n = x.shape
    if not (math.isfinite(found.alpha) and 0.0 < found.norm_x < math.inf):
        return None
    with working_precision(NORM_PRECISION):
        norm = arb(found.norm_x)
        if witness.norm_products:
            integers, exponent = witness.matrix.fmpz_mat()
            norm = witness_norm(integers, exponent, witness.norm_products)
        rounding = arb(n * k).sqrt() * arb(float(np.linalg.norm(x))) * arb((fmpz(1), fmpz(-witness.feature_bits)))
        alpha = round_up(arb(found.alpha) * (1 + SLACK) + 2 * rounding)
        if not alpha.arb() < 1:
            return None
        # x is the witness, possibly rounded to binary64: SLACK is far more than the difference of their norms
        sigma = round_down((1 - alpha.arb()) / (norm * (1 + SLACK)))
    return RankBound(alpha, sigma) if sigma.mantissa > 0 else None


def _climb(
    features: FeatureEnclosure, attempts: list[str], max_bits: int, stage: Stage
) -> tuple[RankResult, Enclosure]:
    n, m = features.samples, features.columns
    bits = 2 * features.precision
    while bits <= max_bits:
        seconds = 40e-9 * n * n * (n + m) * (bits / 64) ** 1.3
        if seconds > WORK_LIMIT_SECONDS:
            attempts.append(
                f"R3 at {bits} bits: not tried, about {seconds:.0f} s of algebra (limit {WORK_LIMIT_SECONDS:.0f} s)"
            )
            break
        begun = time.perf_counter()
        higher = FeatureEnclosure(features.network, features.u, features.inputs, bits)
        witness = _high_precision_witness(higher, stage(f"rank: right inverse at {bits} bits"))
        if isinstance(witness, str):
            attempts.append(f"R3 at {bits} bits: {witness}")
        else:
            bound = certify_right_inverse(higher, witness, stage(f"rank: exact residual at {bits} bits"))
            if bound is not None:
                attempts.append(f"R3 at {bits} bits: certified{_cost(begun)}")
                return _proved(higher, bound, witness, attempts), higher
            attempts.append(f"R3 at {bits} bits: the residual's bound is not below 1{_cost(begun)}")
        bits *= 2
    reason = (
        f"no right inverse certified up to {min(bits, max_bits)} bits and no structural deficiency found; "
        "raise rank.max_bits"
    )
    return RankResult(Verdict.UNDECIDED, n, m, features.precision, reason, tuple(attempts)), features


def _proved(features: Enclosure, bound: RankBound, witness: RightInverse, attempts: list[str]) -> RankResult:
    reason = f"||I - Psi X||_2 <= {bound.alpha} < 1 at {features.precision} bits, so sigma_N >= {bound.sigma_lower}"
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
