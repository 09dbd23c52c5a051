"""E4 as a statement: from every point a non-increasing path leads to loss 0."""

from __future__ import annotations

from typing import ClassVar

from verifier.landscape.escape_separate import prove_gateway
from verifier.statements.claim import Computed, Point
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


class E4(Computed, frozen=True, kw_only=True, tag="E4"):
    """From every (U, V) a non-increasing path exists; ``separating`` is a U that tells the samples apart."""

    name: ClassVar[str] = "a path from every point"
    needs_labels: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "a non-increasing path from every point (E4): from EVERY (U, V) a path on which the cross-entropy does not "
        "increase leads to loss 0, for labels without conflict and a wide last layer of units with weights of their "
        "own over layers that separate the samples. In the paper: the abstract's 'from any point', for this network."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E4": "for the labels of these data, one for each sample: from EVERY (U, V) a continuous path on which the "
        "cross-entropy never increases leads to loss 0 in the limit",
    }

    separating: Point | None


def _prove(known: Known) -> Finding:
    evidence = known.evidence
    if not evidence.labels_agree:
        return does_not_apply("labels conflict")
    found = prove_gateway(evidence.network, evidence.inputs, evidence.u)
    known.found.gateway = found
    if found.verdict is not Verdict.PROVED:
        return does_not_apply(found.reason)
    return Finding(Verdict.PROVED, found.reason)


PATH_FROM_EVERYWHERE = Statement(
    label="E4",
    source="ours",
    name="A non-increasing path from every start",
    sentence="For a wide last layer of free units over layers that separate the samples, a non-increasing path to loss "
    "0 leads from EVERY point.",
    formula="for all (U, V)",
    hypotheses="cross-entropy, equal samples have equal labels, analytic non-polynomial activation, M >= N, nothing "
    "reads the last layer",
    how="structural",
    prove=_prove,
    claims=(E4,),
)
