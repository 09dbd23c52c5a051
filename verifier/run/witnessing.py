"""From a case to a witness: one U of full rank, explicit where that is possible, and what it says about almost every U.

The explicit construction (W1, W2, through depth W3) needs neither a feature matrix nor the weights of the case; samples
may come from a ``.npy`` file that is never loaded whole. Where it does not apply, a dense random U is certified
instead. A structure that keeps the rank below N for every U refutes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verifier.balls.exact import at_least
from verifier.certificate.cost import expected
from verifier.certificate.limits import Limits, judge
from verifier.certificate.size import Size
from verifier.certificate.writer import CertificateBuilder
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.data.samples import SampleSource
from verifier.display import Judged, listed
from verifier.errors import CaseError, DataError
from verifier.lines import Conclusion, Line
from verifier.network.initialise import initialise
from verifier.network.network import Network
from verifier.outcome import Step
from verifier.problem import in_words
from verifier.rank.approx import used_columns
from verifier.rank.certify import Stage, silent
from verifier.rank.deficiency import structural_bound_every_u, structural_deficiency
from verifier.rank.genericity import Genericity, full_rank_fraction, sigma_along_line, write_line
from verifier.rank.random_witness import random_witness
from verifier.rank.result import RankResult
from verifier.rank.witness import WitnessResult, prove_witness
from verifier.run.case import Case
from verifier.run.case_model import build_network
from verifier.run.case_problem import case_dataset, case_options, case_problem, input_shape
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.generic_rank import GenericRank, decide_generic
from verifier.statements.smooth_activations import analytic
from verifier.verdict import Verdict

LINE_SAMPLES = 200
"""Most samples for which sigma_N is tabled along a line."""
LINE_TIMES = np.linspace(-1.0, 1.0, 33)


@dataclass
class WitnessReport(Judged):
    """The steps that were decided, the network and data, and the claims for a certificate (None: nothing to claim)."""

    data: str
    network: Network
    steps: list[Step] = field(default_factory=list)
    builder: CertificateBuilder | None = None
    witness: WitnessResult | None = None
    rank: RankResult | None = None
    genericity: Genericity | None = None
    conclusion: GenericRank | None = None
    understood: str = ""

    def __str__(self) -> str:
        """Write every step with its verdict and its reason, a line each."""
        head = f"{self.data}; {self.network.size_words}"
        return "\n".join([head, *listed((str(step.verdict), f"{step.label} {step.reason}") for step in self.steps)])

    @property
    def proved(self) -> bool:
        """Whether every step that was reached is PROVED, and there is one."""
        return bool(self.steps) and all(step.verdict is Verdict.PROVED for step in self.steps)

    def verdict(self, label: str) -> Verdict:
        """The verdict of a step; UNDECIDED if it was not reached."""
        return next((step.verdict for step in self.steps if step.label == label), Verdict.UNDECIDED)

    @property
    def generic(self) -> Verdict:
        """Whether almost every U has full rank: by W0 if it is so, refuted by a counterexample."""
        return self.conclusion.verdict if self.conclusion is not None else Verdict.UNDECIDED

    def add(self, label: str, verdict: Verdict, reason: str, since: float) -> None:
        """Add a step with the time since ``since``."""
        self.steps.append(Step(label, label, verdict, reason, time.perf_counter() - since))


def run_witness(
    case: Case, *, seed: int | None = None, trials: int = 0, certificate: bool = True, stage: Stage = silent
) -> WitnessReport:
    """Find a full-rank U for a case's network and data and conclude what W0 says.

    Parameters
    ----------
    case
        The case; its ``[start]`` does not matter. ``data.path`` may name a ``.npy`` file of samples (N, d).
    seed
        Of the direction, or of random U; default 0.
    trials
        How many random U are tested as well (TESTED: the fraction of full rank).
    certificate
        Whether the claims must be ones that a certificate carries.
    stage
        Progress display.

    Returns
    -------
    WitnessReport
        Guarantee: verdicts mean what they do in `prove_witness`, `random_witness`, `structural_bound_every_u` and W0.

    Raises
    ------
    InputError
        Anything unusable, in one line.

    Examples
    --------
    >>> from pathlib import Path
    >>> import verifier as vf
    >>> case = vf.read_case(Path(vf.__file__).parent / "run/cases/quick/xor.toml")
    >>> report = vf.run_witness(case)
    >>> [(step.label, str(step.verdict)) for step in report.steps if step.label == "W0"]
    [('W0', 'PROVED')]
    """
    began = time.perf_counter()
    if case.file.network.arcs is not None:
        raise CaseError(
            "network.arcs: what a witness says of valleys is about networks with all arcs only; `verifier run` decides "
            "it where arcs are missing"
        )
    source, dataset, words = _samples(case)
    network = build_network(case, source.shape)
    if network.dimension != source.dimension:
        raise DataError(f"data.shape = {list(source.shape)} does not hold the {source.dimension} input coordinates")
    if case.file.network.freeze:
        if dataset is None:
            raise CaseError("network.freeze does not apply to a .npy file, which has no start; give a data set")
        network = case_problem(case, seed=seed).network
    report = WitnessReport(words, network, understood="" if dataset is None else dataset.understood)
    smooth, why = analytic(network)
    report.add("analytic", smooth, why, began)
    since = time.perf_counter()
    found = prove_witness(network, source, seed=seed or 0, stage=stage)
    report.witness = found
    if found.verdict is Verdict.PROVED:
        report.add(found.label, found.verdict, found.reason, since)
        report.add("L3.2 construction", Verdict.PROVED, _explicit(found), since)
        report.builder = CertificateBuilder(source, network, None, limits=case_options(case).limits)
        report.builder.add_witness(found)
    elif dataset is None:
        report.add("W1/W2", found.verdict, found.reason, since)
        reason = "no explicit witness; a dense one is not sought for samples in a .npy file"
        refuted = found.verdict is Verdict.REFUTED
        report.add("L3.2 construction", found.verdict if refuted else Verdict.UNDECIDED, reason, since)
    else:
        report.add("W1/W2", Verdict.UNDECIDED, found.reason, since)
        _dense(report, network, dataset, seed or 0, case_options(case).limits if certificate else None, stage)
    _conclude(report, network, dataset)
    if trials and dataset is not None:
        since = time.perf_counter()
        report.genericity = full_rank_fraction(network, dataset.inputs, range(trials), stage=stage)
        report.add("sampled", report.genericity.verdict, report.genericity.reason, since)
    return report


def _samples(case: Case) -> tuple[SampleSource, Dataset | None, str]:
    """The case's samples: mapped from a .npy file, or a data set with duplicates grouped."""
    section = case.file.data
    if section.path is not None and section.path.endswith(".npy"):
        if section.samples is not None or section.scale not in ("auto", "none"):
            raise CaseError("data.samples and data.scale do not apply to a .npy file, which is used as it is")
        shape = tuple(section.shape or ())
        source = SampleSource.open(case.folder / section.path, shape=shape)
        return source, None, f"{source.name}: {source.samples} samples x {source.dimension}, mapped from the file"
    full = case_dataset(case)
    grouping = group_duplicates(full)
    grouped = section.duplicates == "group"
    data = grouping.dataset if grouped else full
    shape, words = input_shape(case, full), in_words(full, grouping, grouped)
    source = SampleSource(data.name, data.inputs, data.scaling, shape, data.classes)
    return source, data, words


def _explicit(found: WitnessResult) -> str:
    depth = f", through {len(found.chain)} layers below" if found.chain else ""
    ball = found.radius
    radius = "" if ball is None else f"; full rank at every U' within {at_least(ball)} of it in each parameter"
    sigma = "sigma_N > 0" if found.sigma_lower is None else f"sigma_N >= {at_least(found.sigma_lower)}"
    return f"an explicit U from {found.samples} thresholds{depth}: {sigma}{radius}"


def _dense(
    report: WitnessReport, network: Network, dataset: Dataset, seed: int, limits: Limits | None, stage: Stage
) -> None:
    """No explicit witness: refute for every U, or certify a random U, for a certificate that has ``limits``."""
    since = time.perf_counter()
    every = structural_bound_every_u(network, dataset.inputs)
    if every is not None:
        reason = f"rank Psi(U) <= {every.rank_at_most} < N = {dataset.samples}: {every.explanation}"
        report.add("L3.2 construction", Verdict.REFUTED, reason, since)
        report.builder = CertificateBuilder(dataset, network, np.zeros(network.parameter_count))
        report.builder.add_deficiency(every)
        return
    size = Size.of(network, dataset.samples, dataset.classes)
    used = used_columns(dataset.samples, network.skip_count)
    checkable = limits is not None and judge(expected(size, ("R1",), used=used)[0], (), size, limits) is None
    dense = random_witness(network, dataset.inputs, seed=seed, certificate=checkable, stage=stage)
    if dense.rank is None:
        report.add("L3.2 construction", Verdict.UNDECIDED, f"no dense random witness: {dense.reason}", since)
        return
    reason = f"a dense random U (seed {dense.seed}): {dense.rank.reason}"
    report.add("L3.2 construction", Verdict.PROVED, reason, since)
    report.rank = dense.rank
    if limits is not None:
        report.builder = CertificateBuilder(dataset, network, dense.u, limits=limits)
        report.builder.add_rank(dense.rank)


def _conclude(report: WitnessReport, network: Network, dataset: Dataset | None) -> None:
    """Say what W0 says of almost every U, and claim it if it is proved."""
    since = time.perf_counter()
    witness = report.verdict("L3.2 construction")
    found = decide_generic(network, witness, None if dataset is None else dataset.inputs)
    report.conclusion = found
    reason = found.reason
    if found.proved:
        reason = "rank Psi(U) = N for almost every U (Lemma 3.2), and no bad local valley (Theorem 3.4(2))"
    report.add(found.label, found.verdict, reason, since)
    if found.proved and report.builder is not None:
        report.builder.add_generic()


def table_along_line(case: Case, file: Path, *, seed: int | None = None, stage: Stage = silent) -> dict[str, Any]:
    """Write sigma_N(Psi(U0 + t D)) for t in [-1, 1] as CSV: how isolated the rank-deficient points of a line are.

    U0 is the case's start if structure proves it deficient, else the start with all units of each layer cloned, else 0;
    D is Gaussian, N(0, 1/4).

    Returns
    -------
    dict
        The file, the start in words, how many of the points are certified to have full rank.

    Raises
    ------
    InputError
        Unusable input, or more than 200 samples: the singular values of every point are enclosed to 6 digits.
    """
    problem = case_problem(case, seed=seed)
    inputs, network = problem.rows.inputs, problem.network
    if len(inputs) > LINE_SAMPLES:
        raise CaseError(f"--line takes at most {LINE_SAMPLES} samples, the case has {len(inputs)}; set data.samples")
    chosen = case.file.start.seed if seed is None else seed
    starts = {
        "the case's start": problem.u,
        "cloned units": initialise(network, "cloned", seed=chosen),
        "U = 0": initialise(network, "zeros"),
    }
    words = next((name for name, u in starts.items() if structural_deficiency(network, u, inputs)), "U = 0")
    direction = initialise(network, "gaussian", seed=chosen + 1, scale=0.5)
    stage("sigma_N along a line")
    rows = sigma_along_line(network, inputs, starts[words], direction, LINE_TIMES)
    write_line(rows, file)
    full = sum(row.lower.mantissa > 0 for row in rows)
    return {"file": str(file), "through": words, "points": len(rows), "full_rank": full}


def conclude_witness(report: WitnessReport, weight_decay: str = "") -> Conclusion:
    """Say in one sentence what was found.

    Parameters
    ----------
    report
        What was found.
    weight_decay
        Which loss it is about, where weight decay is stated.

    Returns
    -------
    Conclusion
        Its verdict is that of full rank at almost every U. Guarantee: that of the verdicts in ``report``.
    """
    verdict, somewhere = report.generic, report.verdict("L3.2 construction")
    reason = "" if report.conclusion is None else report.conclusion.reason
    if verdict is Verdict.PROVED:
        words = "Psi(U) has full row rank at almost every U, and this loss landscape has no bad local valley"
        if weight_decay:
            words += "; the latter is about the loss WITHOUT weight decay"
    elif somewhere is Verdict.REFUTED:
        words = f"no U gives Psi(U) full row rank: {_reason(report, 'L3.2 construction')}"
        words += "; of bad local valleys this says nothing"
    elif verdict is Verdict.REFUTED:
        words = f"it is not at almost every U that Psi(U) has full row rank: {reason}"
        words += "; of bad local valleys this says nothing"
    else:
        words = f"whether Psi(U) has full row rank at almost every U is open: {reason}"
    if somewhere is Verdict.PROVED:
        words += f". One U of full rank: {_reason(report, 'L3.2 construction')}"
    return Conclusion(str(verdict), f"{words}.")


def witness_lines(report: WitnessReport, expected: Mapping[str, Verdict] | None = None) -> list[tuple[str, list[Line]]]:
    """Say what was found, a line a statement, without a heading.

    Parameters
    ----------
    report
        What was found.
    expected
        The verdicts that the case expects, by key or label: what is not PROVED as expected is no bad news.
    """
    lines = []
    for each in report.steps:
        calm = each.verdict is not Verdict.PROVED and (expected or {}).get(each.label) is each.verdict
        reason, words = f"{each.reason} ({each.seconds:.1f} s)", "as expected" if calm else ""
        lines.append(Line(each.verdict, _name(each.label), each.label, words, calm, reason))
    return [("", lines)]


def _name(label: str) -> str:
    if label in STATEMENTS:
        return STATEMENTS[label].name
    return {"analytic": "every node is real analytic in U", "W1/W2": "an explicit U of full rank"}.get(
        label, "full rank at random U"
    )


def _reason(report: WitnessReport, label: str) -> str:
    return next(step.reason for step in report.steps if step.label == label)
