"""The rank of Psi(U): a ladder of proofs, cheapest first.

Structure where it is cheap; in binary64 R2 (Gram matrix and residual Cholesky) or, when a certificate is wanted, R1 (a
right inverse, which is what a certificate carries); R1 in double-double; R1 in Arb; structural deficiency; where the
features are rational numbers their exact rank (R6); R3 with doubling precision.
``PROVED`` needs a right inverse whose residual is certified, or a nonzero minor of exact numbers; ``REFUTED`` needs a
structural reason or the exact rank; everything else is ``UNDECIDED``.
"Not certified" never means "rank deficient".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.canary import canary, require_products
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS, Enclosure, sharper
from verifier.balls.exact import at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress
from verifier.balls.motion import ball_work
from verifier.balls.unheld import UnheldFeatures
from verifier.errors import needs
from verifier.network.flags import flags_of
from verifier.network.network import Array
from verifier.rank.approx import approx_inverse64, column_choices, float_witness, high_precision_witness, used_columns
from verifier.rank.deficiency import Deficiency, cheap_deficiency, structural_deficiency
from verifier.rank.double_double_rung import PAIR_BITS, prove_in_double_double
from verifier.rank.exact_arithmetic import TooLargeError, rational_activations
from verifier.rank.float_inverse import bound_in_binary64, certify_inverse64
from verifier.rank.gram import GramBound, GramProver, certify_gram
from verifier.rank.numerical_rank import FEW_SECONDS, Elimination, NumericalRank, at_precision, seconds_of_algebra
from verifier.rank.rational import exact_rank, rational_features
from verifier.rank.result import RankResult
from verifier.rank.right_inverse import RankBound, RightInverse, certify_right_inverse
from verifier.verdict import Verdict

DEFAULT_MAX_BITS = 4096
"""Last precision of R3: a sigma_N of about 2^-2000 can be told from 0."""
DEFINED_BITS = 128
"""At which precision features are enclosed to see that they are defined."""
INVERSE_BYTES = 4 * 10**9
"""A right inverse is not sought if Psi alone takes more memory than this: R2 needs no more than its Gram matrix."""

ARB_SECONDS_PER_PRODUCT, EXACT_SECONDS_PER_PRODUCT = 3e-9, 5e-10
"""Measured costs at 64 bits: a multiply-add of balls in enclosing Psi, and one of exact integers."""
WORK_LIMIT_SECONDS = 900.0
"""A rung whose dense algebra is estimated to take longer is not climbed: the result is UNDECIDED and says so."""

Stage = Callable[[str], Progress]
"""Announces what is being proved and returns where to report the fraction done."""


def silent(_: str) -> Progress:
    """Report neither what is being proved nor how far."""
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
    refute: bool = True,
    gram: GramProver = certify_gram,
) -> tuple[RankResult, Enclosure]:
    """Decide ``rank Psi(U) = N``.

    Parameters
    ----------
    features
        Enclosure of Psi in binary64, or by Arb at 64 bits; higher rungs make their own.
    max_bits
        Last precision tried: of an enclosure in binary64 below 64 no other, from 106 on double-double; 64, 128, ...
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
    refute
        Whether a smaller rank is to be proved; if not, what is exact is computed only where it could prove full rank.
    gram
        Proves R2: by default in memory.

    Returns
    -------
    (RankResult, Enclosure)
        The result and the enclosure it used. Guarantee: ``PROVED`` implies rank Psi(U) = N and
        ``sigma_N >= result.sigma_lower``; ``REFUTED`` implies rank Psi(U) <= result.deficiency.rank_at_most < N.
        Source: R1 and R3, Rump 2011, Lemma 2.1; R2, Weyl's inequality; R5 and R6, exact arithmetic.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> result, features = vf.prove_rank(vf.FloatEnclosure(network, u, x, vf.numpy_backend(1)))
    >>> result.label, result.proved, vf.at_least(result.sigma_lower, digits=2)
    ('R1', True, '0.0029')
    """
    needs(features, "enclosure of Psi", "network", "features", "for a matrix of your own use matrix(A)")
    ladder = _Ladder(features, stage, max_bits, tight, certificate, guard, patience, refute, gram)
    return ladder.climb(), ladder.features


Rung = Callable[[], RankResult | None]
"""Returns its result, or None if it decides nothing and the next one is to be tried."""


@dataclass
class _Ladder:
    """One climb: the enclosure in use, what the caller asked for, and what was tried so far."""

    features: Enclosure
    stage: Stage
    max_bits: int
    tight: bool
    certificate: bool
    guard: bool
    patience: float
    refute: bool
    gram: GramProver
    attempts: list[str] = field(default_factory=list)
    refused: bool = False  # whether the platform's canary failed
    least_bits: int = 0  # below it a right inverse is not worth trying, as double-double saw it

    def climb(self) -> RankResult:
        """Try the rungs of the ladder, the cheapest first, until one decides."""
        deficient = cheap_deficiency(self.features.network, self.features.inputs)
        if deficient is not None:
            return self._refuted(deficient)
        if isinstance(self.features, UnheldFeatures):
            return self._undecided(f"{self.features.reason}; `verifier rank CASE --work DIR` needs less memory")
        rational = rational_activations(self.features.network)
        # structure proves no full rank, and what is exact proves it of rational features only
        exactly: tuple[Rung, ...] = (self._exact_features,) if self.refute or rational else ()
        exactly = (self._structure, *exactly) if self.refute else exactly
        if isinstance(self.features, FloatEnclosure):
            found = self._guarded("binary64", self.features, self._in_binary64)
            if found is None and self.max_bits < FIRST_BITS:
                found = self._first(exactly if rational else exactly[:1])
                reason = "no right inverse certified in binary64 and no structural deficiency found; "
                return self._undecided(f"{reason}higher precision was not asked for") if found is None else found
            return self._by_arb(sharper(self.features, self.max_bits), exactly, rational) if found is None else found
        return self._by_arb(self.features, exactly, rational)

    def _by_arb(self, features: FeatureEnclosure, exactly: Sequence[Rung], rational: bool) -> RankResult:
        """The rungs that binary64 leaves; where all features are rational, what is exact decides first."""
        given, self.features = self.features, features
        full = self._first(exactly) if rational else None  # so no precision is climbed where none can help
        if full is not None and full.verdict is not Verdict.PROVED:
            return full
        if isinstance(given, FloatEnclosure) and self.max_bits >= PAIR_BITS and not self.refused:
            found = self._guarded("double-double", given, self._in_double_double)
            if found is not None:
                self.features = given
                return found
        if self._too_long_for_arb(self.patience if full is None else FEW_SECONDS):
            full = self._first(exactly[:1]) if full is None and self.refute else full  # structure needs no Arb
            too_large = self._undecided("binary64 does not decide it, and Psi is too large for Arb")
            return too_large if full is None else full
        found = None if self.least_bits > features.precision else self._right_inverse(features)
        if found is None and not rational:
            found = self._first(exactly)
        if found is None and full is not None:  # the rank is known; only a bound of sigma_N is not
            return replace(full, attempts=tuple(self.attempts))
        return self._higher_precision(features) if found is None else found

    def _first(self, rungs: Sequence[Rung]) -> RankResult | None:
        return next((found for rung in rungs if (found := rung()) is not None), None)

    def _guarded(self, where: str, given: FloatEnclosure, rung: Callable[..., RankResult | None]) -> RankResult | None:
        """A rung in floating point between two runs of the canary; None if it proves nothing or these do not pass."""
        report = canary(given.backend, []) if self.guard else None
        if report is not None and not report.passed:
            self.refused = True
            self._tried(f"{where}: refused, {report.failure}")
            return None
        try:
            result = rung(given)
        except NotEnclosed as error:
            self._tried(f"{where}: {error}")
            return None
        if result is not None and self.guard:
            self.stage("checking the platform again")
            report = canary(given.backend, given.record)
            if not report.passed:
                self.refused = True
                self._tried(f"{where}: its result is discarded, {report.failure}")
                return None
        return result

    def _in_binary64(self, features: FloatEnclosure) -> RankResult | None:
        """R2 where it may do, then R1; between them they decide what is best known of sigma_N."""
        n, m = features.samples, features.columns
        inverse = 8 * n * m <= INVERSE_BYTES
        gram: GramBound | None = None
        if self.tight or not self.certificate or not inverse:
            begun = time.perf_counter()
            progress = self.stage(f"rank: Gram matrix of {n} x {m} features")
            found = self.gram(features, tight=self.tight, progress=progress)
            gram = found if found.verdict is Verdict.PROVED else None
            outcome = found.reason if gram is None else f"certified, sigma_N >= {at_least(found.sigma_lower)}"
            self._tried(f"R2 in binary64: {outcome}", begun)
            if gram is not None and not (self.certificate and inverse):
                return self._proved_by_gram(gram)
        if not inverse:
            self._tried(f"R1 in binary64: not tried, Psi takes {8 * n * m / 1e9:.1f} GB")
            return None
        psi = features.approx()
        require_products(features.record)  # a wrong product is named at once, not taken for a singular matrix
        for witness, begun in self._witnesses(psi, FIRST_BITS, "in binary64"):
            bound = bound_in_binary64(features, witness)
            if bound is None:
                self._tried("R1 in binary64: the residual's bound is not below 1", begun)
                continue
            self._tried("R1 in binary64: certified", begun)
            best = max(float(bound.sigma_lower), 0.0 if gram is None else gram.sigma_lower)
            if self.tight and gram is None:
                best = max(best, self._tight_bound(features, psi))
            return self._proved(bound, witness, "in binary64", _below(best), gram)
        return None if gram is None else self._proved_by_gram(gram)

    def _in_double_double(self, features: FloatEnclosure) -> RankResult | None:
        """R1 by pairs of float64: where sigma_N is below binary64's roundings or radii."""
        begun, stage = time.perf_counter(), self.stage("rank: right inverse in double-double")
        proof, outcome, self.least_bits = prove_in_double_double(features, self.patience, stage)
        self._tried(f"R1 in double-double: {outcome}", begun)
        if proof is None:
            return None
        result = self._proved(proof.bound, proof.witness, "in double-double", _below(proof.found.sigma_lower))
        return replace(result, precision=proof.precision)

    def _tight_bound(self, features: FloatEnclosure, psi: Array) -> float:
        """R1 from a right inverse that is not rounded: a lower bound of sigma_N, 0 if there is none."""
        begun, x = time.perf_counter(), approx_inverse64(psi)
        sharp = certify_inverse64(features, np.zeros(psi.shape[::-1]) if x is None else x, tight=True)
        proved = sharp.verdict is Verdict.PROVED
        outcome = f"sigma_N >= {at_least(sharp.sigma_lower)}" if proved else sharp.reason
        self._tried(f"R1 in binary64, tight: {outcome}", begun)
        return sharp.sigma_lower if proved else 0.0

    def _witnesses(self, psi: Array, precision: int, where: str) -> Iterator[tuple[RightInverse, float]]:
        """Right inverses to try, each with the time when its making began."""
        for columns in column_choices(*psi.shape):
            begun = time.perf_counter()
            self.stage(f"right inverse of {len(psi)} x {psi.shape[1] if columns is None else len(columns)} features")
            witness = float_witness(psi, columns, precision)
            if isinstance(witness, str):
                self._tried(f"R1 {where}: {witness}")
            else:
                yield witness, begun

    def _structure(self) -> RankResult | None:
        """R5: units that are equal, mirrored, constant or polynomial."""
        self.stage("rank: looking for structural deficiency")
        found = structural_deficiency(self.features.network, self.features.u, self.features.inputs)
        return None if found is None else self._refuted(found)

    def _exact_features(self) -> RankResult | None:
        """R6: the rank over the rationals.

        Features that are no rational numbers are numbered, not evaluated: that can refute full rank and never proves
        it.
        """
        begun, n = time.perf_counter(), self.features.samples
        self.stage("rank: exact rational features")
        values = rational_features(self.features.network, self.features.u, self.features.inputs)
        if isinstance(values, str):
            self._tried(f"R6, exact features: not computed, {values}")
            return None
        self.stage("rank: exact rank over the rationals")
        try:
            found = exact_rank(values, None if self.refute else 0.0)
        except TooLargeError as error:
            self._tried(f"R6, exact rank: not computed, {error}")
            return None
        kind = "the rank over the rationals" if found.exact else "the rank modulo a prime"
        self._tried(f"R6, exact features: {kind} is {found.rank}", begun)
        # a certificate can say it where the checker follows: rational operations on numbers of moderate length
        stated = found.rational and found.followed and rational_activations(self.features.network)
        unsaid = "" if stated else " (not stated in the certificate)"
        if found.rank == n and found.rational:
            return self._result(Verdict.PROVED, f"{found.words(n)}; no bound of sigma_N{unsaid}", exact=found)
        if found.rank == n or not (found.exact or found.rational):
            return None
        if not found.exact:
            return self._undecided(found.words(n))
        return replace(self._refuted(Deficiency("exact-rank", found.rank, found.words(n) + unsaid)), exact=found)

    def _too_long_for_arb(self, limit: float) -> bool:
        n, m = self.features.samples, self.features.columns
        seconds = ARB_SECONDS_PER_PRODUCT * n * ball_work(self.features.network)
        seconds += EXACT_SECONDS_PER_PRODUCT * n * n * used_columns(n, m)
        if seconds > limit:
            self._tried(f"Arb: not tried, about {seconds:.0f} s to enclose Psi and a residual (limit {limit:.0f} s)")
        return seconds > limit

    def _right_inverse(self, features: FeatureEnclosure) -> RankResult | None:
        """R1 by Arb, from a right inverse made in binary64."""
        where = f"at {features.precision} bits"
        for witness, begun in self._witnesses(features.approx(), features.precision, where):
            bound = certify_right_inverse(features, witness, self.stage("rank: exact residual of the right inverse"))
            if bound is not None:
                self._tried(f"R1 {where}: certified", begun)
                return self._proved(bound, witness, where)
            self._tried(f"R1 {where}: the residual's bound is not below 1", begun)
        return None

    def _higher_precision(self, features: FeatureEnclosure) -> RankResult:
        """R3: doubling precision, as long as the numerical rank lets hope."""
        bits = max(2 * features.precision, self.least_bits)
        seen, too_slow = Elimination(self.max_bits, self.stage), None
        while bits <= self.max_bits and not seen.hopeless:
            where, seconds = f"at {bits} bits", seconds_of_algebra(features.samples, features.columns, bits)
            if seconds > self.patience:
                limit, too_slow = f"(limit {self.patience:.0f} s)", bits
                self._tried(f"R3 {where}: not tried, about {seconds:.0f} s of algebra {limit}")
                break
            begun, higher = time.perf_counter(), at_precision(features, bits)
            witness = high_precision_witness(higher, self.stage(f"rank: right inverse {where}"))
            if isinstance(witness, str):
                self._tried(f"R3 {where}: {witness}")
            else:
                bound = certify_right_inverse(higher, witness, self.stage(f"rank: exact residual {where}"))
                if bound is not None:
                    self._tried(f"R3 {where}: certified", begun)
                    self.features = higher
                    return self._proved(bound, witness, where)
                self._tried(f"R3 {where}: the residual's bound is not below 1", begun)
            begun, bits = time.perf_counter(), seen.next_bits(higher)
            if seen.last is not None:
                self._tried(seen.last.words(), begun)
        reason = "no right inverse certified and no structural deficiency found; "
        return self._undecided(reason + seen.advice(too_slow, self.least_bits), seen.last)

    def _tried(self, outcome: str, begun: float | None = None) -> None:
        """Add to the ladder's story, with the seconds that it took where they are known."""
        cost = "" if begun is None else f" ({time.perf_counter() - begun:.2f} s)"
        self.attempts.append(outcome + cost)

    def _result(self, verdict: Verdict, reason: str, **found: Any) -> RankResult:
        features = self.features
        return RankResult(
            verdict, features.samples, features.columns, features.precision, reason, tuple(self.attempts), **found
        )

    def _proved(
        self,
        bound: RankBound,
        witness: RightInverse | None,
        where: str,
        sigma_lower: float | None = None,
        gram: GramBound | None = None,
    ) -> RankResult:
        """R1 or R3; in binary64 some lower bound of sigma_N may be better than the certificate's."""
        stated = bound.sigma_lower if sigma_lower is None else sigma_lower
        reason = f"||I - Psi X||_2 <= {at_most(bound.alpha, below=1)} < 1 {where}, so sigma_N >= {at_least(stated)}"
        lowest = _below(float(bound.sigma_lower)) if sigma_lower is None else sigma_lower
        return self._result(Verdict.PROVED, reason, bound=bound, witness=witness, gram=gram, sigma_lower=lowest)

    def _proved_by_gram(self, bound: GramBound) -> RankResult:
        reason = f"Psi Psi^T - {at_least(bound.shift)} I is positive definite up to proved errors, so sigma_N >= "
        reason += at_least(bound.sigma_lower)
        return self._result(Verdict.PROVED, reason, gram=bound, sigma_lower=bound.sigma_lower)

    def _refuted(self, found: Deficiency) -> RankResult:
        """R5: a matrix that is not proved to be defined has no rank, whatever its structure would be."""
        given, partial = self.features, flags_of(self.features.network).undefined
        if partial and not FeatureEnclosure(given.network, given.u, given.inputs, DEFINED_BITS).is_defined():
            return self._undecided(f"Psi(U) is not proved to be defined: {partial[0]}")
        few = ": no U has full rank. Zero training error may be possible all the same: Z1 or Z0 decides it at this U"
        reason = found.explanation + (few if found.reason == "fewer-units" else "")
        return self._result(Verdict.REFUTED, reason, deficiency=found)

    def _undecided(self, reason: str, numerical: NumericalRank | None = None) -> RankResult:
        return self._result(Verdict.UNDECIDED, reason, numerical=numerical)


def _below(value: float) -> float:
    """A number below the real one that ``value`` is the nearest float of."""
    return math.nextafter(value, 0.0)
