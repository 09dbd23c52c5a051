"""A as a statement: every data set of N distinct samples, all labels, all convex losses, by the architecture alone."""

from __future__ import annotations

from verifier.rank.every_data import EveryDataSet
from verifier.statements.claims.architecture import A, AData
from verifier.statements.evidence import Known
from verifier.statements.sink_everywhere import EQUAL_SAMPLES
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    if known.evidence.arcs is not None:
        return does_not_apply(f"does not apply: {known.beside_the_architecture}")
    beside = known.beside_the_architecture
    every = does_not_apply(f"does not apply: {beside}") if beside else finding(known.every_data_set)
    if every.applies:
        return every if known.samples_differ else does_not_apply(EQUAL_SAMPLES)
    given = known.given_data
    if given.proved:
        return Finding(Verdict.PROVED, given.reason, ("LA.1",))
    return does_not_apply(f"{every.reason}; of these samples: {given.reason}")


def finding(found: EveryDataSet) -> Finding:
    """What is found of A from what its data-free proof found.

    Parameters
    ----------
    found
        The proof, or why there is none.
    """
    if found.verdict is Verdict.PROVED:
        return Finding(Verdict.PROVED, found.reason, ("LA.1",))
    return does_not_apply(f"does not apply: {found.reason}")


EVERY_DATA_SET = Statement(
    label="A",
    source="ours",
    name="no bad local valley, by the architecture alone",
    sentence="If all activations are real analytic and N skip units (N - 1 with an output bias), none a polynomial of "
    "degree <= N - 2, stand in dense layers, each with weights and biases of its own, activations not constant, and "
    "reading ALL inputs or ALL of an earlier such layer (and anything else), then for EVERY set of N distinct samples, "
    "ALL labels and ALL convex finite losses: almost every U has full rank and no local valley is bad. For GIVEN "
    "samples the same holds where N skip units with weights of their own, of each filter one position at most, read "
    "what tells these samples apart, compared exactly.",
    formula="x_i distinct  =>  |{U : rank Psi(U) < N}| = 0",
    hypotheses="features analytic in U on R^p whatever the samples are; nothing in these layers shared or frozen; V "
    "free along all arcs (an output bias is its last row), no frozen logits, no regulariser",
    idea="N free analytic units over layers that separate the samples; for given samples what the units read "
    "is compared exactly. No numerics",
    proved_in=(
        "rank/every_data.py",
        "rank/given_data.py",
    ),
    checked_in=(
        "checker/architecture.py",
        "checker/apart.py",
    ),
    how="structural",
    prove=_prove,
    regression=True,
    may_rest_on=("LA.1",),
    claims=(A, AData),
)
