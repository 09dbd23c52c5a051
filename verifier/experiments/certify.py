"""What is proved at the weights that a method ended with, or started from: rank, training error, loss, path.

These are statements about the exact real network whose parameters are the float32 numbers that PyTorch holds, on the
training samples; how the numbers were found plays no part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from flint import arb

from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.binary64.canary import between_canaries
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS, Enclosure, arithmetic
from verifier.balls.exact import ExactArray, at_least, at_most, lower_float, upper_float
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import Margins, enclose_margins
from verifier.balls.precision import working_precision
from verifier.certificate.check_process import CheckerProcess
from verifier.certificate.writer import CertificateBuilder
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.data.samples import SampleSource
from verifier.errors import DataError, PrecisionError
from verifier.experiments.baseline import solve
from verifier.experiments.config import CertifySection
from verifier.experiments.data import labels_of
from verifier.experiments.enclosing import USEFUL_RADIUS, arb_enclosure, arb_evaluations, path_points, widest_radius
from verifier.experiments.features import feature_blocks
from verifier.experiments.record import Certified, Finding, PathPoint
from verifier.landscape.path import Path as LossPath
from verifier.landscape.separate import times_right_inverse
from verifier.landscape.straight_path import PathResult, prove_path
from verifier.landscape.zero_loss import ZeroLoss, prove_zero_loss
from verifier.network.flags import flags_of
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, prove_rank, silent
from verifier.rank.deficiency import structural_deficiency
from verifier.rank.result import RankResult
from verifier.rank.right_inverse import RightInverse
from verifier.rank.witness import WitnessResult, prove_witness
from verifier.statements.generic_rank import decide_generic
from verifier.verdict import Verdict

PASSES = 300
"""Passes over Psi that looking for V may take, where the given V misclassifies."""
FLOAT_BITS = 53
"""Precision of binary64, beyond which Arb takes over."""


@dataclass(frozen=True, slots=True)
class Point:
    """Weights of a network on the training samples: U, (p,), V, (M, m), and how V came about."""

    network: Network
    u: Array
    v: Array
    found_by: str


def certify(
    point: Point,
    data: Dataset,
    section: CertifySection,
    *,
    certificate: Path | None = None,
    thorough: bool = False,
    picture: bool = False,
    stage: Stage = silent,
) -> tuple[Certified, tuple[PathPoint, ...]]:
    """Prove what can be proved at a point within the section's budget.

    Parameters
    ----------
    point : Point
        The weights.
    data : Dataset
        The training samples; equal ones are grouped (X1).
    section : CertifySection
        The budget and the target loss.
    certificate : Path, optional
        Where to write a certificate (``.json``), which is then checked; none where Arb would exceed the budget.
    thorough : bool, optional
        Prove by Arb what binary64 does not decide, even where that exceeds the budget.
    picture : bool, optional
        Enclose points of the path.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    (Certified, tuple of PathPoint)
        Guarantee: a finding PROVED or REFUTED is so by the theorems named in its label; the numbers of `Certified` are
        bounds as its docstring says; so are ``low`` and ``high`` of the path's points. What was computed in binary64
        counts only if the platform's canary passes before and after.

    Raises
    ------
    DataError
        No labels, or equal samples with different labels.
    PrecisionError
        The canary fails: nothing in binary64 counts on this machine.
    """
    begun = time.perf_counter()
    grouping = group_duplicates(data)
    rows = grouping.dataset
    labels_of(data)
    if rows.labels is None:
        raise DataError(f"{data.name}: equal samples have different labels; no V has training error zero (X1)")
    backend = numpy_backend()
    features = FloatEnclosure(point.network, point.u, rows.inputs, backend)
    affordable = arb_evaluations(features) <= section.evaluations
    large = section.entries < rows.samples * point.network.skip_count
    done, report = between_canaries(
        backend, lambda: _Proofs(point, rows, section, features, large, affordable or thorough, stage).everything()
    )
    if done is None:
        raise PrecisionError(f"binary64 is refused on this machine: {report.failure}")
    found, path, builder = done
    written_name = answered = ""
    builder.arithmetic = f"proposed and proved in {found.engine} where it suffices, else arb; platform canary passed"
    if certificate is not None and affordable and not large and not builder.empty:
        stage("certificate: writing and checking")
        written = builder.write(certificate)
        process = CheckerProcess([written], jobs=1)
        try:
            (answer,) = process.wait()
        finally:
            process.stop()
        written_name, answered = written.name, answer.verdict
    seconds = time.perf_counter() - begun
    points = path_points(path, point.v) if picture and path is not None else ()
    return msgspec.structs.replace(found, certificate=written_name, check=answered, seconds=seconds), points


class _Proofs:
    """The proofs at one point, one after the other, with what they share."""

    def __init__(
        self,
        point: Point,
        rows: Dataset,
        section: CertifySection,
        features: FloatEnclosure,
        large: bool,
        arb: bool,
        stage: Stage,
    ) -> None:
        self.point, self.rows, self.section, self.large, self.stage = point, rows, section, large, stage
        self.features: Enclosure = features
        self.binary64 = features
        self.arb = arb and not large
        stage("enclosing Psi(U)")
        self.widest = widest_radius(features, large)
        if self.widest > USEFUL_RADIUS and self.arb:
            self.features = arb_enclosure(features, self.widest)
        elif math.isinf(self.widest):
            raise PrecisionError(f"binary64 does not enclose Psi, and Arb would exceed {self._budget()}")
        self.labels, self.counts = labels_of(rows), [int(c) for c in rows.multiplicities]
        self.v = ExactArray.of_floats(point.v)
        self.builder = CertificateBuilder(rows, point.network, point.u, with_labels=True)

    def everything(self) -> tuple[Certified, LossPath | None, CertificateBuilder]:
        """Prove all findings; with them the path, and the claims of a certificate."""
        findings: dict[str, Finding] = {}
        rank = self._rank()
        findings["rank"] = self._of_rank(rank)
        findings["generic"] = self._generic(rank)
        low, high, correct, wrong = self._errors(self._margins())
        if correct + wrong < sum(self.counts) and self.arb and isinstance(self.features, FloatEnclosure):
            self.features = arb_enclosure(self.features, self.widest)
            low, high, correct, wrong = self._errors(self._margins())
        findings["threshold"] = self._threshold(low, high)
        zero = self._zero(rank, wrong == 0 and correct == sum(self.counts))
        why = f"; binary64's radii are too wide, and Arb would exceed {self._budget()}" if self.short else ""
        findings["zero_loss"] = _finding("Z1", zero.verdict, zero.reason + why)
        descent = self._path(zero)
        findings["path"] = _finding("P1", descent.verdict, descent.reason)
        path = descent.path
        total = sum(self.counts)
        found = Certified(
            findings=findings,
            errors_low=wrong,
            errors_high=total - correct,
            loss_low=low,
            loss_high=high,
            sigma_lower=0.0 if rank is None else rank.sigma_lower,
            gamma_lower=0.0 if zero.gamma is None else lower_float(zero.gamma.arb()),
            ray_from=None if path is None else path.time_of(path.targets[0]),
            engine=arithmetic(self.features),
        )
        return found, path, self.builder

    @property
    def max_bits(self) -> int:
        """The last precision for margins: what Psi is enclosed with."""
        return max(self.section.max_bits, self.features.precision) if self.arb else FLOAT_BITS

    @property
    def short(self) -> bool:
        """Whether the budget allows nothing that could decide margins."""
        return self.widest > USEFUL_RADIUS and not self.arb

    def _budget(self) -> str:
        return "certify.entries" if self.large else "certify.evaluations"

    def _rank(self) -> RankResult | None:
        """Binary64, then structure, which is cheap beside the rungs above: double-double and Arb."""
        section = self.section
        if self.large and self.point.network.skip_count >= self.rows.samples:
            return None
        rank, _ = prove_rank(self.binary64, max_bits=FLOAT_BITS, stage=self.stage, guard=False)
        if rank.verdict is Verdict.UNDECIDED and section.max_bits > FLOAT_BITS:
            rank, _ = prove_rank(
                self.binary64, max_bits=section.max_bits, stage=self.stage, guard=False, refute=False,
                patience=section.rank_seconds,
            )  # fmt: skip
        self.builder.add_rank(rank)
        return rank

    def _of_rank(self, rank: RankResult | None) -> Finding:
        """What is known of the rank; of a Psi that is too large only what its structure tells."""
        if rank is not None:
            return _finding(rank.label, rank.verdict, rank.reason)
        self.stage("rank: looking for structural deficiency")
        network = self.point.network
        found = structural_deficiency(network, self.point.u, self.rows.inputs)
        if found is not None and not flags_of(network).undefined:  # a matrix that is not defined has no rank
            return _finding("R5", Verdict.REFUTED, found.explanation)
        return _finding("R", Verdict.UNDECIDED, "not tried: Psi has more entries than certify.entries")

    def _generic(self, rank: RankResult | None) -> Finding:
        """W0: analytic, and of full rank at one U: this one, or one that is constructed."""
        network = self.point.network
        if network.skip_count < self.rows.samples:
            full, words = Verdict.REFUTED, "M < N: no U has full row rank"
        else:
            full = Verdict.PROVED if rank is not None and rank.verdict is Verdict.PROVED else Verdict.UNDECIDED
            words = "analytic, and of full rank at these weights: at almost every U"
        found = decide_generic(network, full)
        if found.lacks_witness:
            witness: WitnessResult = prove_witness(
                network, SampleSource.of_dataset(self.rows), max_bits=FIRST_BITS, stage=self.stage
            )
            found = decide_generic(network, witness.verdict)
            if not found.proved:
                return _finding("W0", Verdict.UNDECIDED, witness.reason)
            words = f"analytic, and of full rank at an explicit U: {witness.reason}"
            self.builder.add_witness(witness)
            self.builder.add_generic()
        elif found.proved and self.builder.ranked:
            self.builder.add_generic()
        return _finding(found.label, found.verdict, found.reason if found.verdict is Verdict.UNDECIDED else words)

    def _margins(self) -> Margins | None:
        self.stage("margins of V")
        try:
            return enclose_margins(self.features, [self.v], self.labels)[0]
        except NotEnclosed:
            return None

    def _errors(self, margins: Margins | None) -> tuple[float | None, float | None, int, int]:
        """Bounds of the loss; how many samples are certainly right, and certainly wrong (ties are wrong)."""
        if margins is None:
            return None, None, 0, 0
        correct, wrong, tied = 0, 0, self._tied()
        with working_precision(self.features.precision):
            for row, label, count in zip(margins.rows, self.labels.tolist(), self.counts, strict=True):
                if label in tied or any(margin <= 0 for margin in row):
                    wrong += count
                elif all(margin > 0 for margin in row):
                    correct += count
            loss = cross_entropy(margins.rows, self.counts)
            if not loss.is_finite():
                return None, None, correct, wrong
            return max(0.0, lower_float(loss)), upper_float(loss), correct, wrong

    def _tied(self) -> set[int]:
        """Classes with the very V of another class: some margin of their samples is exactly 0, whatever Psi."""
        columns = [column.tobytes() for column in (self.point.v + 0.0).T]  # without -0.0
        return {k for k, column in enumerate(columns) if columns.count(column) > 1}

    def _threshold(self, low: float | None, high: float | None) -> Finding:
        """L2.1: below log(2)/N no sample is misclassified."""
        if low is None or high is None:
            return _finding("L2.1", Verdict.UNDECIDED, "the loss has no finite enclosure")
        with working_precision(FIRST_BITS):
            bound = arb(2).log() / sum(self.counts)
            verdict = Verdict.PROVED if arb(high) < bound else Verdict.REFUTED if arb(low) >= bound else None
            limit = at_least(bound, 6)
        return _finding("L2.1", verdict, f"Phi is in [{at_least(low, 6)}, {at_most(high, 6)}], log(2)/N >= {limit}")

    def _zero(self, rank: RankResult | None, separates: bool) -> ZeroLoss:
        witness = None if rank is None else rank.witness
        candidates = self._candidates(witness, separates)
        zero = prove_zero_loss(
            self.features, self.labels, self.rows.classes, candidates=candidates, max_bits=self.max_bits,
            stage=self.stage,
        )  # fmt: skip
        self.builder.add_zero_loss(zero)
        return zero

    def _candidates(self, witness: RightInverse | None, separates: bool) -> Iterator[tuple[str, ExactArray]]:
        """The V at hand, then one that is solved for, then that of a certified right inverse."""
        if separates:
            yield self.point.found_by, self.v
        if self.large or self.short:
            return
        columns = self.point.network.skip_count
        blocks = feature_blocks(self.point.network, self.point.u, self.rows.inputs)
        solved = solve(blocks, self.labels, self.rows.classes, columns, PASSES)
        if solved.errors == 0:
            yield solved.method, ExactArray.of_floats(solved.v)
        if witness is not None:
            target = ExactArray.of_floats(np.eye(self.rows.classes)[self.labels])
            yield "right inverse", times_right_inverse(witness, target, columns)

    def _path(self, zero: ZeroLoss) -> PathResult:
        descent = prove_path(
            zero,
            self.v,
            self.labels,
            self.counts,
            targets=[self.section.target],
            max_bits=self.max_bits,
            stage=self.stage,
        )
        if descent.path is not None:
            self.builder.add_path(descent.path)
        return descent


def _finding(label: str, verdict: Verdict | None, reason: str) -> Finding:
    return Finding(label=label, verdict=str(Verdict.UNDECIDED if verdict is None else verdict), reason=reason)
