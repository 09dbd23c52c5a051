"""What statements are decided from: what was proved of a problem before, and what several statements share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic
from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping, distinct_rows
from verifier.data.samples import SampleSource
from verifier.display import Brief
from verifier.landscape.escape import EscapeResult
from verifier.landscape.least_error import LeastError
from verifier.landscape.loss_bound import LossBound
from verifier.landscape.path import Path
from verifier.landscape.sink_start import SinkStart, prove_sink_start
from verifier.landscape.turning_layer import NoMaximum, prove_no_maximum
from verifier.landscape.zero_loss import ZeroLoss
from verifier.network.arguments import BoolArray
from verifier.network.flags import flags_of
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, silent
from verifier.rank.deficiency import Deficiency, structural_bound_every_u
from verifier.rank.every_data import EveryDataSet, prove_every_data_set
from verifier.rank.given_data import GivenData, prove_given_data
from verifier.rank.memorisation import Memorisation, prove_memorisation
from verifier.rank.result import RankResult
from verifier.rank.sink import Sink, prove_sink
from verifier.rank.witness import WitnessResult, prove_witness
from verifier.statements.assumption import Assumption, check_assumption
from verifier.statements.generic_rank import GenericRank, decide_generic
from verifier.statements.smooth_activations import analytic
from verifier.statements.statement import Finding, Statement
from verifier.statements.theorem import Theorem, TheoremStep
from verifier.verdict import Verdict


@dataclass(frozen=True, repr=False)
class Evidence(Brief):
    """Samples, network, start, and what was proved of them before the statements.

    Parameters
    ----------
    data
        The N samples that Psi has rows for: the distinct ones unless duplicates are kept.
    grouping
        Which of all samples are equal.
    network, u, v
        The network and its start, shapes ``(p,)`` and ``(M, m)``.
    features
        An enclosure of Psi at the start's U.
    rank, zero_loss, escape
        What was proved at the start; None where it was not tried.
    path
        That of P1, also the one after an escape.
    path_result
        The verdict and the reason of the path.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``; None: all.
    loss_bound
        The bounds of the loss over all V at the start's U, if the lower one is above 0.
    outputs_ranked
        Whether each output's own columns have full row rank at the start's U; None where there are no other columns.
    weight_decay
        The lambda of WD, a decimal number; every other statement is about the loss without it.
    """

    data: Dataset
    grouping: Grouping
    network: Network
    u: Array
    v: Array
    features: Enclosure
    rank: RankResult
    zero_loss: ZeroLoss | None
    path: Path | None
    escape: EscapeResult | None
    path_result: tuple[Verdict, str]
    arcs: BoolArray | None = None
    outputs_ranked: Verdict | None = None
    loss_bound: LossBound | LeastError | None = None
    weight_decay: str | None = None

    @property
    def inputs(self) -> Array:
        """The samples that Psi has rows for, shape ``(N, d)``."""
        return self.features.inputs

    @property
    def labels_agree(self) -> bool:
        """Whether there are labels and equal samples have equal ones."""
        return self.grouping.labels_agree and self.data.labels is not None


class Known:
    """What is known of a problem while its statements are decided, one after the other.

    Parameters
    ----------
    evidence
        What was proved before.
    seed
        Of the witness's direction and of random witnesses.
    stage
        Progress display.

    Attributes
    ----------
    found
        The statements decided so far, and their proofs.
    """

    def __init__(self, evidence: Evidence, *, seed: int = 0, stage: Stage = silent) -> None:
        self.evidence, self.seed, self.stage = evidence, seed, stage
        self.found = Theorem()

    def add(self, statement: Statement, finding: Finding) -> TheoremStep:
        """Add what was found of a statement to the steps of the proof.

        Parameters
        ----------
        statement
            What was decided.
        finding
            What was found.

        Returns
        -------
        TheoremStep
            Guarantee: it is PROVED only if everything that it rests on is.
        """
        verdict, reason = finding.verdict, finding.reason
        missing = [label for label in finding.rests_on if self.found.verdict(label) is not Verdict.PROVED]
        if verdict is Verdict.PROVED and missing:
            verdict, reason = Verdict.UNDECIDED, f"rests on {', '.join(missing)}, which is not proved here"
        step = TheoremStep(statement, verdict, reason, finding.rests_on, finding.applies, finding.name)
        self.found.steps.append(step)
        return step

    @cached_property
    def assumption(self) -> Assumption:
        """What was found of Assumption 3.1, part by part."""
        return check_assumption(self.evidence.network, self.evidence.grouping)

    @cached_property
    def analytic(self) -> tuple[Verdict, str]:
        """Whether every activation is real analytic, and why."""
        return analytic(self.evidence.network)

    @cached_property
    def witness(self) -> WitnessResult:
        """The explicit U of full rank (W1, W2, W3), kept for the certificate."""
        evidence = self.evidence
        source = SampleSource("samples", evidence.inputs, shape=evidence.network.input_shape)
        self.found.witness = prove_witness(evidence.network, source, seed=self.seed)
        return self.found.witness

    @cached_property
    def deficiency(self) -> Deficiency | None:
        """A bound below N of rank Psi(U) for every U, kept for the certificate."""
        self.found.deficiency = structural_bound_every_u(self.evidence.network, self.evidence.inputs)
        return self.found.deficiency

    @cached_property
    def generic(self) -> GenericRank:
        """Whether almost every U has full rank; a U of full rank, or its absence, is decided before."""
        full_rank = self.found.verdict("L3.2 construction")
        known = Verdict.UNDECIDED if full_rank is None else full_rank
        return decide_generic(self.evidence.network, known, self.evidence.inputs)

    @cached_property
    def every_data_set(self) -> EveryDataSet:
        """What the architecture alone proves for every set of as many distinct samples, kept for the certificate."""
        self.found.every_data_set = prove_every_data_set(self.evidence.network, len(self.evidence.inputs))
        return self.found.every_data_set

    @cached_property
    def undefined_here(self) -> bool:
        """Whether Psi seems to have no value at the start's U, in floating point: then nothing is said of Phi."""
        solved = self.evidence.zero_loss is not None and self.evidence.zero_loss.weights is not None
        if solved or self.evidence.rank.verdict is Verdict.PROVED or not flags_of(self.evidence.network).undefined:
            return False
        return not bool(np.isfinite(self.evidence.features.approx()).all())

    @cached_property
    def no_maximum(self) -> NoMaximum:
        """Whether no (U, V) at all is a local maximum, kept for the certificate."""
        self.found.no_maximum = prove_no_maximum(self.evidence.network)
        return self.found.no_maximum

    @cached_property
    def memorisation(self) -> Memorisation:
        """Whether every target on these samples is attained exactly, M < N, kept for the certificate."""
        evidence = self.evidence
        outputs = evidence.v.shape[1]
        self.found.memorisation = prove_memorisation(evidence.network, evidence.inputs, outputs, seed=self.seed)
        return self.found.memorisation

    @cached_property
    def sink(self) -> Sink:
        """What the architecture alone proves of paths that never go up (S(1), S(2), S+), kept for the certificate."""
        self.found.sink = prove_sink(self.evidence.network, len(self.evidence.inputs))
        return self.found.sink

    @cached_property
    def sink_start(self) -> SinkStart:
        """Whether the samples differ in what a wide last layer reads at the start's U (S), kept for the certificate."""
        evidence = self.evidence
        self.stage("telling the samples apart below the last layer")
        self.found.sink_start = prove_sink_start(evidence.network, evidence.u, evidence.features, seed=self.seed)
        return self.found.sink_start

    @cached_property
    def samples_differ(self) -> bool:
        """Whether the rows are pairwise distinct: kept duplicates are not, nor equal samples with frozen logits."""
        inputs = self.evidence.inputs + 0.0
        return int(distinct_rows(inputs).max()) + 1 == len(inputs)

    @cached_property
    def given_data(self) -> GivenData:
        """What the architecture proves for these samples by comparing them, kept for the certificate."""
        smooth, why = self.analytic
        if smooth is not Verdict.PROVED:
            return GivenData(Verdict.UNDECIDED, why)
        self.found.given_data = prove_given_data(self.evidence.network, self.evidence.inputs)
        return self.found.given_data

    @property
    def beside_the_architecture(self) -> str:
        """What the problem has that statements about other data sets say nothing of; "" if there is nothing."""
        if self.evidence.arcs is not None:
            return "arcs to the outputs are missing"
        return "" if self.evidence.data.offset is None else "the frozen logits belong to these data"

    @property
    def not_generic(self) -> str:
        """Why W0 does not apply, and what to change so that it may, in words."""
        samples, columns = len(self.evidence.inputs), self.evidence.network.columns
        why, changes = [], []
        if self.deficiency is not None:
            bound = f"rank Psi(U) <= {self.deficiency.rank_at_most} < N = {samples} for every U"
            why.append(f"no U has full rank ({f'M = {columns} < N = {samples}' if columns < samples else bound})")
            changes.append("M >= N features (an output bias counts)" if columns < samples else "other features")
        if self.analytic[0] is Verdict.REFUTED:
            why.append(self.analytic[1].partition(": ")[0])
            changes.append("analytic nodes alone (tanh, softplus, GELU, SiLU, no maximum)")
        return f"{', and '.join(why)}; with {' and '.join(changes)} it may apply" if why else self.analytic[1]

    @property
    def sigma_lower(self) -> Dyadic | None:
        """A lower bound of sigma_N(Psi) at the start's U, one that a certificate can state; None without full rank."""
        rank = self.evidence.rank
        if rank.verdict is not Verdict.PROVED:
            return None
        return Dyadic.of_float(rank.sigma_lower) if rank.bound is None else rank.bound.sigma_lower
