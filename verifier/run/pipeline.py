"""From a case to its verdicts: data -> Psi(U) -> rank -> V -> path -> certificate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.canary import CanaryReport, canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure, NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure, arithmetic
from verifier.balls.exact import ExactArray, at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure, block_is_finite
from verifier.certificate.cost import LeftOut, Limits, sentence
from verifier.certificate.writer import CertificateBuilder
from verifier.data.classes import with_classes
from verifier.data.dataset import Dataset, Scale
from verifier.data.grouping import Grouping, group_duplicates
from verifier.data.readers import BUILT_IN, load_builtin, load_dataset
from verifier.display import Brief, Decided, Facts, Judged, Shown, Table, listed, wrapped
from verifier.errors import CaseError, DataError
from verifier.landscape.escape import ORDER, EscapeResult, prove_escape
from verifier.landscape.losses import LossPathResult, prove_loss_path
from verifier.landscape.path import Path as LossPath
from verifier.landscape.path import PathResult, decimal_below, prove_path
from verifier.landscape.zero_loss import ZeroLoss, prove_zero_loss
from verifier.network.network import Array, Network
from verifier.rank.certify import WORK_LIMIT_SECONDS, Stage, prove_rank, silent
from verifier.rank.result import RankResult
from verifier.run.case import Case, build_network
from verifier.run.start import case_start
from verifier.statements.assumption import analytic
from verifier.statements.proof import Evidence, Theorem, walk
from verifier.verdict import Verdict

KEYS = {
    "rank": "full rank at this U",
    "zero_loss": "zero training error",
    "path": "a path towards the infimum of the loss",
    "generic": "full rank at almost every U",
}
"""The verdicts that matter most, in words."""

UNCHECKED_SECONDS = 120.0
"""What the prover may spend on one exact proof of a rank that its certificate will not hold."""

Engine = Literal["binary64", "arb"]
"""What proves: binary64 where it suffices and Arb elsewhere, or Arb alone."""


@dataclass(frozen=True, slots=True)
class Step(Decided):
    """One line of the verdict table: which statement, what was found, why, and how long it took (seconds)."""

    key: str
    label: str
    verdict: Verdict
    reason: str
    seconds: float


@dataclass(repr=False)
class CaseReport(Judged, Shown):
    """Everything that was found out about a case."""

    case: Case
    data: str
    network: Network
    steps: list[Step] = field(default_factory=list)
    rank: RankResult | None = None
    zero_loss: ZeroLoss | None = None
    path: LossPath | None = None
    escape: EscapeResult | None = None
    loss_path: LossPathResult | None = None
    theorem: Theorem | None = None
    engine: str = ""
    certificate: Path | None = None
    left_out: tuple[LeftOut, ...] = ()
    understood: str = ""
    start: str = ""

    def __str__(self) -> str:
        """Every statement with its verdict and reason: what was asked for, then the proof, statement by statement."""
        lines = wrapped(f"{self.data}; M = {self.network.skip_count} skip units")
        for said in (self.understood and f"data: {self.understood}", self.start and f"start: {self.start}"):
            lines += wrapped(said)
        lines += listed((str(step.verdict), f"{step.label}: {step.reason}") for step in self.steps)
        if self.left_out:
            lines += wrapped(sentence(self.left_out))
        if self.theorem is not None:
            lines += ["", "The proof, statement by statement:", *self.theorem.lines()]
        return "\n".join(lines)

    @property
    def proved(self) -> bool:
        """Whether every step that was asked for is PROVED."""
        return all(step.verdict is Verdict.PROVED for step in self.steps)

    def verdict(self, key: str) -> Verdict | None:
        """The verdict of the step with this key, or ``generic``: full rank at almost every U."""
        if key == "generic":
            return None if self.theorem is None else self.theorem.verdict("L3.2 genericity")
        return next((step.verdict for step in self.steps if step.key == key), None)

    def _facts(self) -> Facts:
        rows = tuple((step.label, str(step.verdict), step.reason) for step in self.steps)
        tables = [Table("Step by step", ("step", "verdict", "reason"), rows, True)]
        tables += [] if self.theorem is None else self.theorem._facts().tables
        found = [(key, self.verdict(key)) for key in ("rank", "zero_loss", "path", "generic")]
        values = [(KEYS[key], str(verdict)) for key, verdict in found if verdict is not None]
        title = f"What is proved: {self.case.file.title or self.case.name}"
        sentence = f"{self.data}; M = {self.network.skip_count} skip units"
        values += [(key, text) for key, text in (("data", self.understood), ("start", self.start)) if text]
        return Facts(title, None, sentence, (*values, ("engine", self.engine)), tuple(tables))

    @property
    def surprises(self) -> list[str]:
        """Expectations of the case that were not met."""
        return [
            f"{key}: expected {wanted}, got {'nothing' if self.verdict(key) is None else self.verdict(key)}"
            for key, wanted in self.case.expected.items()
            if self.verdict(key) is not wanted
        ]


@dataclass(frozen=True, slots=True, repr=False)
class Instance(Brief):
    """A case made concrete: grouped data, network, start; `start` says where U and V come from, if from a file."""

    data: Dataset
    grouping: Grouping
    network: Network
    u: Array
    v: Array
    words: str
    start: str = ""


def case_dataset(case: Case) -> Dataset:
    """Load the case's samples as they are, equal ones included.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    section = case.file.data
    if (section.name is None) == (section.path is None):
        raise CaseError("[data] needs exactly one of name (a built-in data set) and path (a file of samples)")
    if section.path is not None and section.path.endswith(".npy"):
        raise CaseError(
            f"data.path = {section.path!r} has no labels, and only `verifier witness` needs none; write "
            "X = numpy.load(path), numpy.savez('data.npz', X=X, y=y), and give data.npz"
        )
    path = None if section.path is None else case.folder / section.path
    if isinstance(section.scale, str) and section.scale not in ("auto", "none"):
        raise CaseError(f'data.scale = {section.scale!r}; use "auto", "none" or an integer')
    scale: Scale = section.scale  # type: ignore[assignment]
    labels = None if section.labels is None else case.folder / section.labels
    if section.name is not None and section.name not in BUILT_IN:
        load_builtin(section.name)  # the error says which there are; a path is given as data.path
    found = load_dataset(
        section.name,
        path=path,
        label=section.label,
        labels=labels,
        columns=section.columns,
        drop=section.drop,
        missing=section.missing,
        delimiter=section.delimiter,
        decimal=section.decimal,
        header=section.header,
        inputs=section.inputs,
        layout=section.layout,
        scale=scale,
        samples=section.samples,
    )
    return found if section.classes is None else with_classes(found, section.classes)


def case_data(case: Case) -> tuple[Dataset, Grouping, tuple[int, ...], str]:
    """Load the case's data: the samples that Psi has rows for, their grouping, the input's shape, a line in words.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    section, full = case.file.data, case_dataset(case)
    grouping = group_duplicates(full)
    data = grouping.dataset if section.duplicates == "group" else full
    shape = tuple(section.shape) if section.shape is not None else data.shape
    if math.prod(shape) != data.dimension or any(length < 1 for length in shape):
        raise DataError(f"data.shape = {list(shape)} does not hold the {data.dimension} input coordinates")
    return data, grouping, shape, in_words(full, grouping, section.duplicates == "group")


def in_words(full: Dataset, grouping: Grouping, grouped: bool) -> str:
    """Describe a data set in a line."""
    words = f"{full.name}: {full.samples} samples x {full.dimension}, {full.classes} classes"
    count = full.samples - grouping.dataset.samples
    if count:
        words += f", {count} duplicate{'s' if count > 1 else ''} {'grouped' if grouped else 'kept'}"
    return words


def case_instance(case: Case, *, seed: int | None = None) -> Instance:
    """Load the case's data and network and draw its start.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    data, grouping, shape, words = case_data(case)
    network = build_network(case, shape)
    u, v, start = case_start(case, network, data, seed)
    return Instance(data, grouping, network, u, v, words, start)


def run_case(
    case: Case,
    *,
    instance: Instance | None = None,
    seed: int | None = None,
    stage: Stage = silent,
    parts: frozenset[str] = frozenset({"rank", "path", "theorem"}),
    backend: Backend | None = None,
    engine: Engine = "binary64",
    tight: bool = False,
    certificate: bool = True,
) -> tuple[CaseReport, CertificateBuilder]:
    """Prove what the case states.

    Parameters
    ----------
    case
        The case.
    instance
        The case made concrete already, for data and weights in memory; by default read as the case says.
    seed
        Replaces the case's seed if not None.
    stage
        Progress display.
    parts
        Of ``rank``, ``path`` and ``theorem`` (all steps of the proof, which needs the other two).
    backend
        Array library of the binary64 engine, NumPy by default.
    engine
        ``binary64`` first and Arb where it does not suffice, or Arb alone.
    tight
        Ask for a sharp lower bound of sigma_N.
    certificate
        Whether a witness of the rank is wanted for a certificate.

    Returns
    -------
    (CaseReport, CertificateBuilder)
        The verdicts, and the claims ready to be written. Guarantee: nothing proved in binary64 is reported unless the
        platform's canary passed before and after; where it fails, everything is proved again by Arb.
    """
    instance = instance or case_instance(case, seed=seed)
    if engine == "arb":
        return _run(case, instance, stage, parts, None, tight, certificate, "Arb")
    backend = backend or numpy_backend()
    before = canary(backend, [])
    if not before.passed:
        return _run(case, instance, stage, parts, None, tight, certificate, _refusal(before))
    with backend.heard() as products:
        found = _run(case, instance, stage, parts, backend, tight, certificate, f"binary64, {backend.describe()}")
    stage("checking the platform again")
    after = canary(backend, products)
    if not after.passed:
        return _run(case, instance, stage, parts, None, tight, certificate, _refusal(after))
    found[1].arithmetic = (
        f"proposed and proved in {found[0].engine} where it suffices, else arb; platform canary passed before and after"
        f" at {len(after.shapes)} product shapes in every layout in use"
    )
    return found


def _refusal(report: CanaryReport) -> str:
    return f"Arb (binary64 refused: {report.failure})"


def _run(
    case: Case,
    instance: Instance,
    stage: Stage,
    parts: frozenset[str],
    backend: Backend | None,
    tight: bool,
    certificate: bool,
    engine: str,
) -> tuple[CaseReport, CertificateBuilder]:
    data, network = instance.data, instance.network
    report = CaseReport(case, instance.words, network, engine=engine, understood=data.understood, start=instance.start)
    timed = _Timer(report)
    max_bits = case.file.rank.max_bits
    timed("analytic", "analytic", lambda: analytic(network))
    streamed = "path" not in parts and not certificate
    features = _first_enclosure(instance, backend, stage, streamed)
    timed("features", "Psi", lambda: _finite(features, streamed))
    labelled = not {"path", "theorem"}.isdisjoint(parts)
    limits = case_limits(case) if certificate else Limits()
    builder = CertificateBuilder(data, network, instance.u, with_labels=labelled, limits=limits)
    unchecked = builder.too_expensive("R1") is not None  # then the rank is proved in the way that is cheapest here
    rank, features = prove_rank(
        features,
        max_bits=max_bits,
        stage=stage,
        tight=tight,
        certificate=certificate and not unchecked,
        guard=False,
        patience=UNCHECKED_SECONDS if unchecked else WORK_LIMIT_SECONDS,
    )
    timed("rank", rank.label, lambda: (rank.verdict, rank.reason))
    report.rank = rank
    if "rank" in parts:
        builder.add_rank(rank)
    if "path" in parts:
        _prove_descent(instance, report, builder, features, timed, stage, max_bits)
        _prove_losses(instance, report, builder, features, timed, stage, max_bits)
    if "theorem" in parts:
        _walk_through(instance, report, builder, features, stage)
    report.left_out = tuple(builder.left_out) if certificate else ()
    return report, builder


def case_limits(case: Case) -> Limits:
    """What checking the case's certificate may take, as predicted."""
    section, usual = case.file.certificate, Limits()
    return Limits(
        usual.seconds if section.max_check_seconds is None else section.max_check_seconds,
        usual.gib if section.max_check_gib is None else section.max_check_gib,
    )


def _first_enclosure(instance: Instance, backend: Backend | None, stage: Stage, streamed: bool) -> Enclosure:
    """Binary64 where it can enclose Psi, else Arb at 64 bits."""
    progress = stage(f"enclosing Psi(U), {instance.data.samples} x {instance.network.skip_count}")
    if backend is not None:
        features = FloatEnclosure(instance.network, instance.u, instance.data.inputs, backend)
        if streamed:
            return features
        try:
            for _ in features.row_blocks(progress):
                pass
            return features
        except NotEnclosed:
            pass
    reference = FeatureEnclosure(instance.network, instance.u, instance.data.inputs, FIRST_BITS)
    for _ in reference.blocks(progress):
        pass
    return reference


def _finite(features: Enclosure, streamed: bool) -> tuple[Verdict, str]:
    size = f"Psi(U) is {features.samples} x {features.columns}"
    if isinstance(features, FloatEnclosure):
        if streamed:
            return Verdict.PROVED, f"{size}, enclosed in binary64 as it is used"
        largest = max(float(features.backend.xp.max(radius)) for _, _, radius in features.row_blocks())
        return Verdict.PROVED, f"{size}, every entry enclosed in binary64, radii at most {at_most(largest, 2)}"
    if not all(block_is_finite(block) for _, block in features.blocks()):
        return Verdict.UNDECIDED, f"{size}; some feature has no finite enclosure in {arithmetic(features)}"
    return Verdict.PROVED, f"{size}, every entry enclosed at {features.precision} bits"


def _prove_descent(
    instance: Instance,
    report: CaseReport,
    builder: CertificateBuilder,
    features: Enclosure,
    timed: _Timer,
    stage: Stage,
    max_bits: int,
) -> None:
    targets = [str(target) for target in report.case.file.path.targets]
    try:
        smallest = min((decimal_below(text).fraction() for text in targets), default=None)
    except (ValueError, ZeroDivisionError):
        raise CaseError(f'path.targets = {targets} must be positive decimal numbers such as "1e-6"') from None
    grouping, labels = instance.grouping, instance.data.labels
    if not grouping.labels_agree or labels is None:
        low, _ = grouping.infimum or (0.0, 0.0)
        samples = grouping.conflicts[0].indices[:2] if grouping.conflicts else ()
        reason = (
            f"samples {list(samples)} are equal with different labels: "
            f"inf Phi >= {at_least(low)} > 0, the entropy of the groups (X1)"
        )
        timed("zero_loss", "X1", lambda: (Verdict.REFUTED, reason))
        if labels is None and grouping.label_counts is not None:
            found = _loss_path(instance, report, features, "cross-entropy", grouping.label_counts, stage, max_bits)
            timed("path", "X1", lambda: (found.verdict, found.reason))
            report.loss_path = found
            if not found.needs_rank or builder.stands_on_rank("TC.3"):
                builder.add_loss_path(found)
        else:
            beyond = smallest is not None and smallest < low
            verdict = Verdict.REFUTED if beyond else Verdict.UNDECIDED
            timed("path", "P1", lambda: (verdict, f"no path reaches a loss below inf Phi >= {at_least(low)}"))
        return
    witness = None if report.rank is None else report.rank.witness
    zero = prove_zero_loss(features, labels, instance.data.classes, witness=witness, max_bits=max_bits, stage=stage)
    timed("zero_loss", "Z1", lambda: (zero.verdict, zero.reason))
    report.zero_loss = zero
    builder.add_zero_loss(zero)
    counts = [int(c) for c in instance.data.multiplicities]
    descent: PathResult = prove_path(
        zero, ExactArray.of_floats(instance.v), labels, counts, targets=targets, max_bits=max_bits, stage=stage
    )
    if descent.path is not None:
        timed("path", "P1", lambda: (descent.verdict, descent.reason))
        report.path = descent.path
        builder.add_path(descent.path)
        return
    escape = _escape(instance, report.case, targets, stage)
    report.escape = escape
    leaves = escape.escape
    timed("path", "P1" if leaves is None else leaves.label, lambda: (escape.verdict, escape.reason))
    if leaves is not None:
        builder.add_escape(leaves)


def _prove_losses(
    instance: Instance,
    report: CaseReport,
    builder: CertificateBuilder,
    features: Enclosure,
    timed: _Timer,
    stage: Stage,
    max_bits: int,
) -> None:
    """TC.3: paths for the other losses that the case names."""
    labels = instance.data.labels if instance.data.labels is not None else instance.grouping.label_counts
    for kind in report.case.file.losses.kinds:
        if labels is not None:
            found = _loss_path(instance, report, features, kind, labels, stage, max_bits)
            timed(kind, "TC.3", partial(_told, found))
            if not found.needs_rank or builder.stands_on_rank("TC.3"):
                builder.add_loss_path(found)


def _told(found: LossPathResult) -> tuple[Verdict, str]:
    return found.verdict, f"{found.loss}: {found.reason}"


def _loss_path(
    instance: Instance,
    report: CaseReport,
    features: Enclosure,
    kind: str,
    labels: NDArray[np.int64],
    stage: Stage,
    max_bits: int,
) -> LossPathResult:
    section = report.case.file.losses
    weights = section.class_weights
    try:
        return prove_loss_path(
            features,
            kind,
            ExactArray.of_floats(instance.v),
            labels,
            instance.data.multiplicities.tolist(),
            None if report.rank is None else report.rank.witness,
            class_weights=weights,
            epsilon=str(section.epsilon),
            max_bits=max_bits,
            stage=stage,
        )
    except (ValueError, OverflowError) as error:
        raise CaseError(f"[losses]: {error}") from None


def _escape(instance: Instance, case: Case, targets: list[str], stage: Stage) -> EscapeResult:
    """Leave a start from which P1 cannot begin."""
    section, labels = case.file.path, instance.data.labels
    order = [label for label in ORDER if label in section.escapes]
    if labels is None or len(order) < len(section.escapes):
        raise CaseError(f"path.escapes = {section.escapes}: name some of {', '.join(ORDER)}")
    try:
        decimal_below(str(section.epsilon))
    except (ValueError, ZeroDivisionError):
        raise CaseError(f"path.epsilon = {section.epsilon} must be a positive decimal number such as 0.001") from None
    return prove_escape(
        instance.network,
        instance.u,
        instance.v,
        instance.data.inputs,
        labels,
        instance.data.multiplicities,
        epsilon=str(section.epsilon),
        targets=targets,
        order=order,
        stage=stage,
    )


def _walk_through(
    instance: Instance, report: CaseReport, builder: CertificateBuilder, features: Enclosure, stage: Stage
) -> None:
    """All steps of the proof; those with numbers of their own go into the certificate."""
    path = next(step for step in report.steps if step.key == "path")
    assert report.rank is not None  # noqa: S101  # for the type checker: the rank comes first
    theorem = walk(
        Evidence(
            instance.data,
            instance.grouping,
            instance.network,
            instance.u,
            instance.v,
            features,
            report.rank,
            report.zero_loss,
            report.path
            or (None if report.escape is None or report.escape.escape is None else report.escape.escape.tail),
            report.escape,
            (path.verdict, path.reason if path.reason.startswith("E") else f"{path.label}: {path.reason}"),
        ),
        stage=stage,
    )
    report.theorem = theorem
    builder.add_theorem(theorem)


class _Timer:
    """Appends steps with the time since the step before."""

    def __init__(self, report: CaseReport) -> None:
        self.report, self.last = report, time.perf_counter()

    def __call__(self, key: str, label: str, found: Callable[[], tuple[Verdict, str]]) -> None:
        verdict, reason = found()
        now = time.perf_counter()
        self.report.steps.append(Step(key, label, verdict, reason, now - self.last))
        self.last = now
