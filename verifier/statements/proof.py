"""The proof, step by step, for one instance: every statement with its verdict, its evidence and what it rests on.

A step is PROVED only if everything that it rests on is PROVED: `_Walk.add` sees to it. What does not apply to the
instance (W2 without softplus, X1 without duplicates) is listed as such.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, upper_float
from verifier.balls.precision import working_precision
from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping
from verifier.data.samples import SampleSource
from verifier.display import Brief, Decided, Facts, Judged, Shown, Table, count, joined, listed
from verifier.landscape.escape import EscapeResult
from verifier.landscape.escape_separate import GatewayResult, prove_gateway
from verifier.landscape.neighbourhood import BallResult, certified_ball, certified_rank_ball, full_rank_radius
from verifier.landscape.path import Path
from verifier.landscape.pointwise import CurvatureResult, GradientResult, prove_curvature, prove_not_stationary
from verifier.landscape.zero_loss import ZeroLoss
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, silent
from verifier.rank.deficiency import Deficiency, structural_bound_every_u
from verifier.rank.random_witness import random_witness
from verifier.rank.result import RankResult
from verifier.rank.witness import WitnessResult, prove_witness
from verifier.statements.almost_every_u import decide_generic
from verifier.statements.assumption import analytic, check_assumption, what_remains
from verifier.statements.catalogue import STATEMENTS, Statement
from verifier.statements.threshold import check_instance, prove_threshold
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class TheoremStep(Decided):
    """A statement on this instance: verdict, reason, the labels it rests on, whether it applies here at all."""

    statement: Statement
    verdict: Verdict
    reason: str
    rests_on: tuple[str, ...] = ()
    applies: bool = True

    @property
    def label(self) -> str:
        """The statement's label."""
        return self.statement.label


@dataclass(frozen=True, repr=False)
class Evidence(Brief):
    """What is to be walked through: samples, network, start, and what was proved of it so far.

    ``data`` are the samples that Psi has rows for: the distinct ones unless duplicates are kept. ``features`` encloses
    Psi at the start's U; ``path`` is that of P1, also the one after an escape; ``path_result`` is the verdict and the
    reason of the path.
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

    @property
    def inputs(self) -> Array:
        """The samples that Psi has rows for."""
        return self.features.inputs


@dataclass(repr=False)
class Theorem(Judged, Shown):
    """All steps in the paper's order, and the proofs that a certificate can carry."""

    steps: list[TheoremStep] = field(default_factory=list)
    remains: tuple[str, ...] = ()
    witness: WitnessResult | None = None
    deficiency: Deficiency | None = None
    ball: BallResult | None = None
    gradient: GradientResult | None = None
    curvature: CurvatureResult | None = None
    gateway: GatewayResult | None = None
    rank_radius: Dyadic | None = None
    rank_ball: Dyadic | None = None

    def as_json(self) -> list[dict[str, Any]]:
        """The steps as JSON values: the statement in words and in a formula, and what was found."""
        return [
            {
                "label": step.label,
                "source": step.statement.source,
                "title": step.statement.title,
                "statement": step.statement.words,
                "formula": step.statement.formula,
                "assumes": step.statement.assumes,
                "how": step.statement.how,
                "applies": step.applies,
                "verdict": str(step.verdict),
                "reason": step.reason,
                "rests_on": list(step.rests_on),
            }
            for step in self.steps
        ]

    def _facts(self) -> Facts:
        rows = tuple(
            (step.label, str(step.verdict) if step.applies else "-", f"{step.statement.title}: {step.reason}")
            for step in self.steps
        )
        proved = sum(step.applies and step.verdict is Verdict.PROVED for step in self.steps)
        applying = sum(step.applies for step in self.steps)
        sentence = f"{proved} of the {count(applying, 'statement')} that apply to this instance are PROVED"
        others = [f"{step.label} {step.verdict}" for step in self.steps if step.applies and step.verdict != "PROVED"]
        values = (("not proved", joined(others, 12)),) if others else ()
        listed = Table("The proof, statement by statement", ("label", "verdict", "statement and reason"), rows)
        return Facts("The proof, step by step", None, sentence, values, (listed,))

    def __str__(self) -> str:
        """Every statement with its verdict and reason; ``-`` where it does not apply."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The same, line by line."""
        return listed(
            (str(step.verdict) if step.applies else "-", f"{step.label} - {step.statement.title}: {step.reason}")
            for step in self.steps
        )

    @property
    def proved(self) -> bool:
        """Whether every statement that applies to this instance is PROVED."""
        return all(step.verdict is Verdict.PROVED for step in self.steps if step.applies)

    def verdict(self, label: str) -> Verdict | None:
        """The verdict of a statement, None if it does not apply."""
        return next((step.verdict for step in self.steps if step.label == label and step.applies), None)


class _Walk:
    """Collects steps and keeps PROVED from resting on what is not."""

    def __init__(self) -> None:
        self.found = Theorem()

    def add(self, label: str, verdict: Verdict, reason: str, *rests_on: str) -> Verdict:
        """Guarantee: a step is PROVED only if all steps that it rests on are."""
        missing = [name for name in rests_on if self.found.verdict(name) is not Verdict.PROVED]
        if verdict is Verdict.PROVED and missing:
            verdict, reason = Verdict.UNDECIDED, f"rests on {', '.join(missing)}, which is not proved here"
        self.found.steps.append(TheoremStep(STATEMENTS[label], verdict, reason, tuple(rests_on)))
        return verdict

    def skip(self, label: str, reason: str) -> None:
        """List a statement that says nothing about this instance."""
        self.found.steps.append(TheoremStep(STATEMENTS[label], Verdict.UNDECIDED, reason, (), False))


def walk(instance: Evidence, *, seed: int = 0, stage: Stage = silent) -> Theorem:
    """Go through the proof for one instance.

    Parameters
    ----------
    instance
        Data, network, start, and what is known of rank, zero loss and path.
    seed
        Of the witness's direction and of random witnesses.
    stage
        Progress display.

    Returns
    -------
    Theorem
        Guarantee: every PROVED step is a theorem about this instance, and so is everything that it rests on.
    """
    steps = _Walk()
    stage("theorem: hypotheses")
    threshold = prove_threshold()
    proof = f"{len(threshold.steps)} steps verified symbolically; sharp: N = 1, m = 2, tied logits have loss log 2"
    steps.add("L2.1", threshold.verdict, proof + _threshold_on_path(instance))
    assumption = check_assumption(instance.network, instance.grouping)
    steps.found.remains = what_remains(assumption)
    steps.add("A3.1(1)", assumption.activations.verdict, assumption.activations.reason)
    steps.add("A3.1(2)", assumption.units.verdict, assumption.units.reason)
    steps.add("A3.1(3)", assumption.patches.verdict, assumption.patches.reason)
    smooth, why = analytic(instance.network)
    zeros = "det(Psi Psi^T) is analytic in U on R^p: identically zero, or zero on a null set"
    if smooth is Verdict.REFUTED:  # a hypothesis fails: the lemma says nothing here, and is not refuted
        steps.skip("LA.1", f"does not apply: {why}")
    else:
        steps.add("LA.1", smooth, f"{why}; {zeros}" if smooth is Verdict.PROVED else why)
    stage("theorem: witness")
    _witness(instance, steps, seed)
    _full_rank(instance, steps, seed, stage, why)
    _duplicates(instance, steps)
    stage("theorem: landscape")
    _landscape(instance, steps)
    if steps.found.verdict("L3.2 genericity") is Verdict.REFUTED:
        steps.found.remains = tuple(words for words in steps.found.remains if "W0" not in words)
    return steps.found


def _threshold_on_path(instance: Evidence) -> str:
    """L2.1 on this instance: where the path is certified to be below log(2)/n its margins are compared with it."""
    path = instance.path
    if path is None:
        return ""
    with working_precision(path.precision):
        time = upper_float(path.zero_error_t.arb() / path.kappa.arb())
    found = check_instance(path.margins(max(time, 1.0)).rows, path.multiplicities)
    return f"; on the path at t = {at_most(path.zero_error_t)}: {found.reason}"


def _witness(instance: Evidence, steps: _Walk, seed: int) -> None:
    source = SampleSource("samples", instance.inputs, shape=instance.network.input_shape)
    found = prove_witness(instance.network, source, seed=seed)
    steps.found.witness = found
    for label in ("W1", "W2"):
        if found.label == label:
            radius = "" if found.radius is None else f"; a ball of radius {at_least(found.radius)} in every parameter"
            steps.add(label, found.verdict, f"{found.reason}{radius}")
        else:
            steps.skip(label, f"not needed: {found.label} applies" if found.label else found.reason)
    if found.chain:
        layers = ", ".join(str(link.layer) for link in found.chain)
        words = f"{count(len(found.chain), 'link')}, in layer{'s' * (len(found.chain) > 1)} {layers}"
        steps.add("W3", found.verdict, words, found.label)
    else:
        steps.skip("W3", "no chain is needed" if found.label else "no chain is possible")


def _full_rank(instance: Evidence, steps: _Walk, seed: int, stage: Stage, why: str) -> None:
    rank, witness, network = instance.rank, steps.found.witness, instance.network
    every = structural_bound_every_u(network, instance.inputs)
    steps.found.deficiency = every
    proved = rank.verdict is Verdict.PROVED
    if proved:
        sigma = Dyadic.of_float(rank.sigma_lower) if rank.bound is None else rank.bound.sigma_lower
        steps.found.rank_radius = full_rank_radius(network, instance.inputs, sigma)
        steps.found.rank_ball = certified_rank_ball(network, instance.u, instance.inputs, sigma)
    if every is not None:
        reason = f"rank Psi(U) <= {every.rank_at_most} < N = {len(instance.inputs)}: {every.explanation}"
        steps.add("L3.2 construction", Verdict.REFUTED, reason)
    elif proved:
        steps.add("L3.2 construction", Verdict.PROVED, f"the start's own U ({rank.label})")
    elif witness is not None and witness.verdict is Verdict.PROVED:
        steps.add("L3.2 construction", Verdict.PROVED, f"the explicit witness ({witness.label})", witness.label)
    else:
        dense = random_witness(network, instance.inputs, seed=seed, stage=stage)
        if dense.rank is None:
            reason = f"no witness ({'' if witness is None else witness.reason}), and {dense.reason}"
            steps.add("L3.2 construction", Verdict.UNDECIDED, reason)
        else:
            found = (
                f"sigma_N >= {at_least(dense.rank.sigma_lower)}" if dense.rank.sigma_lower > 0 else dense.rank.reason
            )
            reason = f"a random U (seed {dense.seed}), {dense.rank.label}: {found}"
            steps.add("L3.2 construction", Verdict.PROVED, reason)
    known = steps.found.verdict("L3.2 construction")
    generic = decide_generic(network, Verdict.UNDECIDED if known is None else known, instance.inputs)
    if generic.applies:
        reason = "analytic, and of full rank at one U: so at almost every U (the exceptions are closed and null)"
        steps.add("W0", Verdict.PROVED, reason, "LA.1", "L3.2 construction")
        steps.add("L3.2 genericity", Verdict.PROVED, "by W0; A3.1 is not needed", "W0")
    else:
        steps.skip("W0", f"does not apply: {why if every is None else generic.reason}")
        undecided = "neither Lemma 3.2 nor W0 applies: not analytic"
        words = generic.reason if generic.verdict is Verdict.REFUTED else undecided
        steps.add("L3.2 genericity", generic.verdict, words)
    distance, each = steps.found.rank_radius, steps.found.rank_ball
    ball = "" if each is None else f"; so has every U within {at_least(each)} in each parameter (B1)"
    ball += "" if distance is None else f", and within Frobenius distance {at_least(distance)}"
    steps.add("rank", rank.verdict, f"{rank.label}: {rank.reason}{ball}")


def _duplicates(instance: Evidence, steps: _Walk) -> None:
    grouping = instance.grouping
    distinct, total = grouping.dataset.samples, grouping.group_of.size
    if not grouping.has_duplicates:
        steps.skip("X1", "all samples are distinct")
    elif grouping.labels_agree:
        words = f"{total} samples, {distinct} distinct; equal samples have equal labels"
        steps.add("X1", Verdict.PROVED, words)
    else:
        low, high = grouping.infimum or (0.0, 0.0)
        words = (
            f"{total} samples, {distinct} distinct, {len(grouping.conflicts)} with conflicting labels: Phi is never "
        )
        words += f"below the groups' entropy, which is at least {at_least(low)} and at most {at_most(high)}; it is the "
        words += "infimum if some U has full rank"
        steps.add("X1", Verdict.PROVED, words)


def _landscape(instance: Evidence, steps: _Walk) -> None:
    found, zero, escape = steps.found, instance.zero_loss, instance.escape
    agree = instance.grouping.labels_agree and instance.data.labels is not None
    solved = zero is not None and zero.verdict is Verdict.PROVED
    if not agree:
        words = "the infimum is the entropy of the groups, approached at every full-rank U"
        steps.add("D3.3", Verdict.PROVED, words, "X1", "L3.2 construction")
    elif solved or (escape is not None and escape.escape is not None):
        steps.add("D3.3", Verdict.PROVED, "inf Phi = 0: a valley is bad if Phi stays away from 0 on it (Z1)")
    else:
        steps.add("D3.3", Verdict.PROVED, "inf Phi = 0, since Psi V = T is solvable for some U", "L3.2 construction")
    _ball(instance, steps)
    if agree:
        steps.add("T3.4(1)", Verdict.PROVED, "every point of the ball of Z2 has zero training error", "Z2")
    else:
        steps.skip("T3.4(1)", "equal samples with different labels exclude zero training error")
    words = "every component of {Phi < a} holds a full-rank U, from where Phi comes arbitrarily close to its infimum"
    other = "no bad local valley for any convex finite phi(Psi V): the infimum of every valley is inf phi"
    for label, valleys in (("T3.4(2)", words), ("TC.3", other)):
        if found.verdict("W0") is None:
            steps.add(label, Verdict.UNDECIDED, "W0 does not apply here, and the theorem's proof rests on it")
        else:
            steps.add(label, Verdict.PROVED, valleys, "W0")
    verdict, reason = instance.path_result
    steps.add("path", verdict, reason)
    if agree:
        found.gateway = prove_gateway(instance.network, instance.inputs, instance.u)
        if found.gateway.verdict is Verdict.PROVED:
            steps.add("E4", Verdict.PROVED, found.gateway.reason)
        else:
            steps.skip("E4", found.gateway.reason)
    else:
        steps.skip("E4", "labels conflict")
    invariant = _softmax_invariance()
    shift = "margins, hence Phi, do not change under V -> V + v 1^T: no strict local minimum at any (U, V)"
    steps.add("C2", Verdict.PROVED if invariant else Verdict.UNDECIDED, shift)
    steps.add("T3.4(3)", Verdict.PROVED, "for every (U, V), whatever the network; non-strict ones do exist", "C2")
    _pointwise(instance, steps, agree)
    found.steps.sort(key=lambda step: list(STATEMENTS).index(step.label))


def _softmax_invariance() -> bool:
    """Whether sympy confirms that a margin does not change when every column of V gets the same vector added."""
    own, other, shift = sympy.symbols("V_y V_k v", real=True)
    return bool(sympy.expand((own + shift) - (other + shift) - (own - other)) == 0)


def _ball(instance: Evidence, steps: _Walk) -> None:
    zero, escape = instance.zero_loss, instance.escape
    if zero is not None and zero.weights is not None and zero.gamma is not None:
        u, weights, gamma, bits, where = instance.u, zero.weights, zero.gamma, zero.precision, "the start's U"
    elif escape is not None and escape.escape is not None:
        tail = escape.escape.tail
        u, weights, gamma, bits, where = tail.u, tail.end_weights, tail.gamma, tail.precision, "the escape's end"
    else:
        steps.add("Z2", Verdict.UNDECIDED, "no output weights with certified margins are known")
        return
    found = certified_ball(instance.network, u, instance.inputs, weights, gamma, precision=bits)
    if instance.u is u:
        steps.found.ball = found
    steps.add("Z2", found.verdict, f"at {where}: {found.reason}")


def _pointwise(instance: Evidence, steps: _Walk, agree: bool) -> None:
    labels = instance.data.labels
    if not agree or labels is None:
        for label in ("C1", "C3", "T3.4(4)"):
            steps.skip(label, "labels conflict: certified for agreeing labels only")
        return
    counts = instance.data.multiplicities.tolist()
    start = ExactArray.of_floats(instance.v)
    if instance.rank.verdict is Verdict.PROVED:
        bound = instance.rank.bound  # what a certificate can state
        sigma = Dyadic.of_float(instance.rank.sigma_lower) if bound is None else bound.sigma_lower
        found = prove_not_stationary(instance.features, sigma, start, labels, counts)
        steps.found.gradient = found
        steps.add("C1", found.verdict, found.reason, "rank")
    else:
        steps.skip("C1", "Psi(U) is not known to have full rank at this U")
    curvature = prove_curvature(instance.features, start, labels, counts)
    steps.found.curvature = curvature
    steps.add("C3", curvature.verdict, curvature.reason)
    everywhere = "cross-entropy: not at this start; nor at any (U, V) where Psi(U) != 0, by the same argument"
    steps.add("T3.4(4)", Verdict.PROVED, everywhere, "C3")
