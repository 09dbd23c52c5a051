"""The pipeline, and the only one: ``prove(problem, options)`` proves what the theory says about a problem.

data -> Psi(U) -> rank -> V -> path -> statements -> claims of a certificate. What decides how it is computed is here
(and in `verifier.options`) and nowhere else: engine, threads, precision, the platform's canary, limits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS, Enclosure, finiteness, sharper
from verifier.balls.exact import ExactArray, at_least
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.unheld import UnheldFeatures, too_large
from verifier.certificate.limits import Limits
from verifier.certificate.writer import CertificateBuilder
from verifier.data.dataset import IntArray
from verifier.errors import CaseError
from verifier.landscape.escape import EscapeResult, no_way_out, prove_escape
from verifier.landscape.escape_kinds import ORDER
from verifier.landscape.least_error import LeastError, bound_error
from verifier.landscape.loss_bound import LossBound, bound_loss
from verifier.landscape.loss_path import LossPathResult, prove_loss_path
from verifier.landscape.path import Path as LossPath
from verifier.landscape.separate import along_arcs
from verifier.landscape.straight_path import prove_path
from verifier.landscape.target_loss import SQUARED_ERROR, TargetLoss
from verifier.landscape.targets import decimal_below
from verifier.landscape.training_errors import TrainingErrors, count_training_errors
from verifier.landscape.without_features import nothing_of_v
from verifier.landscape.zero_loss import ZeroLoss, prove_zero_loss
from verifier.network.arguments import BoolArray
from verifier.network.network import Array
from verifier.options import SMALL_ENTRIES, UNCHECKED_SECONDS, Options, by_engine
from verifier.outcome import Report, Step
from verifier.problem import Problem
from verifier.rank.certify import WORK_LIMIT_SECONDS, Stage, prove_rank, silent
from verifier.rank.output_ranks import prove_ranks_of_outputs
from verifier.rank.result import RankResult
from verifier.statements.evidence import Evidence
from verifier.statements.proof import prove_statements
from verifier.statements.smooth_activations import analytic
from verifier.statements.theorem import Theorem
from verifier.verdict import Verdict


def prove(problem: Problem, options: Options | None = None, *, stage: Stage = silent) -> Report:
    """Prove what the theory says about a problem.

    Parameters
    ----------
    problem : Problem
        What is verified.
    options : Options, optional
        How, and which parts.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    Report
        Verdicts, proofs and claims. Guarantee: every statement is about the exact real network at exactly the problem's
        numbers, and nothing proved in binary64 is reported unless the platform's canary passed before and after; where
        it fails, everything is proved again by Arb.

    Raises
    ------
    InputError
        Unusable input, in one line.

    Notes
    -----
    FLINT's precision belongs to the process: do not call this from several threads at a time.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> network = vf.Network(1, vf.Dense(4, "tanh", skip=True))
    >>> problem = vf.Problem(data, network, vf.initialise(network, seed=0), vf.output_weights(network, 2))
    >>> report = vf.prove(problem, vf.Options(parts=frozenset({"rank"})))
    >>> report.rank.verdict
    <Verdict.PROVED: 'PROVED'>
    """
    options = options or Options()
    small = problem.rows.samples * problem.network.skip_count < SMALL_ENTRIES
    found, arithmetic = by_engine(
        options, small, lambda backend, engine: _Run(problem, options, stage, backend, engine).report(), stage
    )
    found.builder.arithmetic = arithmetic
    return found


@dataclass
class _Run:
    """One pass through the pipeline with one engine: what was found so far."""

    problem: Problem
    options: Options
    stage: Stage
    backend: Backend | None
    engine: str
    steps: list[Step] = field(default_factory=list)
    zero_loss: ZeroLoss | None = None
    descent: LossPath | None = None
    escape: EscapeResult | None = None
    near_infimum: LossPathResult | None = None
    errors: TrainingErrors | None = None
    loss_bound: LossBound | LeastError | None = None
    """The bounds of the loss over all V at this U, if the lower one is above 0."""
    outputs_ranked: Verdict | None = None
    """Whether each output's own columns have full row rank at the start; None where all outputs read all columns."""
    last: float = field(default_factory=time.perf_counter)

    def report(self) -> Report:
        """Prove everything that is asked for, and return the report."""
        problem, options = self.problem, self.options
        self.add("analytic", "analytic", *analytic(problem.network))
        streamed = "path" not in options.parts and not options.certificate
        features = self._first_enclosure(streamed)
        self.add("features", "Psi", *finiteness(features, used_as_streamed=streamed))
        labelled = not {"path", "theorem"}.isdisjoint(options.parts)
        limits = options.limits if options.certificate else Limits()
        builder = CertificateBuilder(
            problem.rows, problem.network, problem.u, with_labels=labelled, limits=limits, arcs=problem.arcs
        )
        unchecked = builder.too_expensive("R1") is not None  # then the rank is proved in the way that is cheapest here
        rank, features = prove_rank(
            features,
            max_bits=options.max_bits,
            stage=self.stage,
            tight=options.tight,
            certificate=options.certificate and not unchecked,
            guard=False,
            patience=UNCHECKED_SECONDS if unchecked else WORK_LIMIT_SECONDS,
            gram=options.gram,
        )
        self.add("rank", rank.label, rank.verdict, rank.reason)
        if "rank" in options.parts:
            builder.add_rank(rank)
        if problem.arcs is not None:
            self._ranks_of_outputs(builder, problem.arcs)
        if "path" in options.parts:
            self._path(builder, features, rank)
            self._other_losses(builder, features, rank)
        proof = self._statements(builder, features, rank) if "theorem" in options.parts else None
        return Report(
            problem,
            tuple(self.steps),
            rank,
            self.zero_loss,
            self.descent,
            self.escape,
            self.near_infimum,
            proof,
            self.engine,
            builder,
            tuple(builder.left_out) if options.certificate else (),
            self.errors,
            self.loss_bound,
        )

    def add(self, key: str, label: str, verdict: Verdict, reason: str) -> None:
        """Append a step with the time since the step before."""
        now = time.perf_counter()
        self.steps.append(Step(key, label, verdict, reason, now - self.last))
        self.last = now

    def _first_enclosure(self, streamed: bool) -> Enclosure:
        """Binary64 where it can enclose Psi, else Arb at 64 bits; what stands for it where Psi is not to be held."""
        problem, network = self.problem, self.problem.network
        if too_large(problem.rows.samples, network.skip_count) and not streamed:
            return cast(Enclosure, UnheldFeatures(network, problem.u, problem.rows.inputs, self.backend, FIRST_BITS))
        progress = self.stage(f"enclosing Psi(U), {problem.rows.samples} x {network.skip_count}")
        reference = FeatureEnclosure(network, problem.u, problem.rows.inputs, FIRST_BITS, offset=problem.rows.offset)
        if self.backend is not None:
            features = FloatEnclosure(network, problem.u, problem.rows.inputs, self.backend, offset=problem.rows.offset)
            if streamed:
                return features
            try:
                for _ in features.row_blocks(progress):
                    pass
                return features
            except NotEnclosed:
                reference = sharper(features, self.options.max_bits)
        for _ in reference.blocks(progress):
            pass
        return reference

    def _ranks_of_outputs(self, builder: CertificateBuilder, arcs: BoolArray) -> None:
        """The rank of each output's own columns F_k at the start's U, equal ones once (THEORY2 G(c))."""
        problem = self.problem
        ranks = prove_ranks_of_outputs(
            problem.network, problem.u, problem.rows.inputs, arcs, max_bits=self.options.max_bits, stage=self.stage
        )
        for own, found in ranks.found.items():
            builder.add_rank(found, columns=own)
        self.outputs_ranked = ranks.verdict
        self.add("arcs", "R1 per output", ranks.verdict, ranks.reason)

    def _path(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult) -> None:
        problem, options = self.problem, self.options
        labels = problem.rows.labels
        if isinstance(features, UnheldFeatures):
            for step in nothing_of_v(problem.grouping, features.reason):
                self.add(*step)
            return
        if problem.rows.targets is not None:
            self._regression(builder, features, rank, problem.rows.targets)
            return
        if not problem.grouping.labels_agree or labels is None:
            self._to_positive_infimum(builder, features, rank)
            return
        start, counts = ExactArray.of_floats(problem.v), problem.rows.multiplicities.tolist()
        self.errors = count_training_errors(features, start, labels, counts, stage=self.stage)
        zero = prove_zero_loss(
            features,
            labels,
            problem.rows.classes,
            witness=rank.witness,
            candidates=None if problem.arcs is None else along_arcs(features.approx(), labels, problem.arcs),
            multiplicities=counts,
            max_bits=options.max_bits,
            stage=self.stage,
        )
        beside = "" if zero.bound is None else zero.bound.beside(self.errors.loss)
        self.add("zero_loss", "Z1", zero.verdict, zero.reason + beside)
        self.zero_loss, self.loss_bound = zero, zero.bound
        builder.add_zero_loss(zero)
        found = prove_path(
            zero, start, labels, counts, targets=list(problem.targets), max_bits=options.max_bits, stage=self.stage
        )
        if found.path is not None:
            self.add("path", "P1", found.verdict, found.reason)
            self.descent = found.path
            builder.add_path(found.path)
            return
        if problem.arcs is not None:
            reason = f"{found.reason}; escapes are not tried where arcs to the outputs are missing"
            self.add("path", "P1", found.verdict, reason)
            return
        self.escape = prove_escape(
            problem.network,
            problem.u,
            problem.v,
            problem.rows.inputs,
            labels,
            problem.rows.multiplicities,
            epsilon=problem.epsilon,
            targets=list(problem.targets),
            order=[label for label in ORDER if label in options.escapes],
            stage=self.stage,
            offset=problem.rows.offset,
        )
        leaves = self.escape.escape
        reason = self.escape.reason
        if leaves is None:
            reason = no_way_out(self.escape, excluded=zero.verdict is Verdict.REFUTED)
        self.add("path", "P1" if leaves is None else leaves.label, self.escape.verdict, reason)
        if leaves is not None:
            builder.add_escape(leaves)

    def _regression(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult, targets: Array) -> None:
        """Real targets T: whether Psi V = T has a solution, and a path towards the infimum of the squared error."""
        problem = self.problem
        loss = TargetLoss(targets, problem.rows.multiplicities)
        solvable, reason = rank.verdict, "Psi(U) V = T has a solution V for all targets T: Psi(U) has full row rank"
        label = rank.label if rank.proved else "R1"
        if not loss.agree:
            label, solvable = "X1", Verdict.REFUTED
            reason = "equal samples have different targets, so that the squared error is > 0"
        elif rank.verdict is not Verdict.PROVED:
            solvable, reason = Verdict.UNDECIDED, "it is open whether Psi(U) V = T has a solution V"
        error = None if rank.verdict is Verdict.PROVED else bound_error(features, loss, self.stage)
        if error is not None:
            reason = "no V attains all targets at this U" if solvable is Verdict.UNDECIDED else reason
            solvable, reason, self.loss_bound = Verdict.REFUTED, f"{reason}; {error.words}", error
            builder.add_error_bound(error)
        self.add("zero_loss", "Z0" if error else label, solvable, reason)
        found = self._loss_path(features, rank, SQUARED_ERROR, None, targets)
        self.add("path", "TC.3", found.verdict, found.reason)
        self.near_infimum = found
        if not found.needs_rank or builder.stands_on_rank("TC.3"):
            builder.add_loss_path(found)

    def _to_positive_infimum(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult) -> None:
        """X1: equal samples have different labels, so that no path leads to loss 0."""
        problem, grouping = self.problem, self.problem.grouping
        low, _ = grouping.infimum or (0.0, 0.0)
        samples = grouping.conflicts[0].indices[:2] if grouping.conflicts else ()
        reason = (
            f"samples {list(samples)} are equal with different labels: "
            f"inf Phi >= {at_least(low)} > 0, the entropy of the groups (X1)"
        )
        reason += self._bound_over_v(builder, features, rank)
        self.add("zero_loss", "X1", Verdict.REFUTED, reason)
        if problem.rows.labels is None and grouping.label_counts is not None:
            found = self._loss_path(features, rank, "cross-entropy", grouping.label_counts)
            self.add("path", "X1", found.verdict, found.reason)
            self.near_infimum = found
            if not found.needs_rank or builder.stands_on_rank("TC.3"):
                builder.add_loss_path(found)
            return
        smallest = min((decimal_below(text).fraction() for text in problem.targets), default=None)
        beyond = smallest is not None and smallest < low
        verdict = Verdict.REFUTED if beyond else Verdict.UNDECIDED
        self.add("path", "P1", verdict, f"no path reaches a loss below inf Phi >= {at_least(low)}")

    def _bound_over_v(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult) -> str:
        """Bound the loss over all V at this U where labels conflict; with full rank it is the groups' entropy (X1)."""
        rows = self.problem.rows
        labels = self.problem.grouping.label_counts if rows.labels is None else rows.labels
        if rank.verdict is Verdict.PROVED or labels is None:
            return ""
        counts = rows.multiplicities.tolist()
        self.loss_bound = bound_loss(features, labels, rows.classes, counts, stage=self.stage, arcs=self.problem.arcs)
        if self.loss_bound is None:
            return ""
        builder.add_loss_bound(self.loss_bound)
        return f"; at this U {self.loss_bound.words}"

    def _other_losses(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult) -> None:
        """TC.3: paths for the other losses that the problem names."""
        rows = self.problem.rows
        labels = rows.labels if rows.labels is not None else self.problem.grouping.label_counts
        if labels is None:
            return
        for kind in self.problem.losses:
            found = self._loss_path(features, rank, kind, labels, weights=self.problem.class_weights)
            weighted = "" if self.problem.class_weights is None else ", classes weighted"
            self.add(kind, "TC.3", found.verdict, f"{found.loss}{weighted}: {found.reason}")
            if not found.needs_rank or builder.stands_on_rank("TC.3"):
                builder.add_loss_path(found)

    def _loss_path(
        self,
        features: Enclosure,
        rank: RankResult,
        kind: str,
        labels: IntArray | None,
        targets: Array | None = None,
        weights: tuple[float, ...] | None = None,
    ) -> LossPathResult:
        """A path for a loss; ``weights`` are its class weights, which the cross-entropy of the statements never has."""
        problem = self.problem
        if isinstance(features, UnheldFeatures) or problem.rows.offset is not None or problem.arcs is not None:
            reason = "a path for this loss is not proved beside frozen logits, or where arcs to the outputs are missing"
            reason = features.reason if isinstance(features, UnheldFeatures) else reason
            start = ExactArray.of_floats(problem.v)
            return LossPathResult(Verdict.UNDECIDED, reason, kind, features.precision, start)
        try:
            return prove_loss_path(
                features,
                kind,
                ExactArray.of_floats(problem.v),
                labels,
                problem.rows.multiplicities.tolist(),
                rank.witness,
                targets=targets,
                class_weights=weights,
                epsilon=problem.loss_epsilon,
                max_bits=self.options.max_bits,
                stage=self.stage,
            )
        except (ValueError, OverflowError) as error:
            raise CaseError(f"[losses]: {error}") from None

    def _statements(self, builder: CertificateBuilder, features: Enclosure, rank: RankResult) -> Theorem:
        """All steps of the proof; those with numbers of their own go into the certificate."""
        problem, path = self.problem, next(step for step in self.steps if step.key == "path")
        leaves = None if self.escape is None else self.escape.escape
        tail = None if leaves is None else leaves.tail
        # an escape that was tried says which; without one the reason does not name the path
        named = path.reason if self.escape is not None and path.reason else f"{path.label}: {path.reason}"
        evidence = Evidence(
            problem.rows,
            problem.grouping,
            problem.network,
            problem.u,
            problem.v,
            features,
            rank,
            self.zero_loss,
            self.descent or tail,
            self.escape,
            (path.verdict, named),
            problem.arcs,
            self.outputs_ranked,
            self.loss_bound,
            problem.weight_decay,
        )
        theorem = prove_statements(evidence, stage=self.stage)
        builder.add_theorem(theorem)
        return theorem
