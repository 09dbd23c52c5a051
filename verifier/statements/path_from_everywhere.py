"""E4 as a statement: from every point a non-increasing path leads to loss 0."""

from __future__ import annotations

from verifier.landscape.escape_separate import prove_gateway
from verifier.statements.claims.paths import E4
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    if known.evidence.arcs is not None:
        return does_not_apply("arcs from columns of Psi to outputs are missing")
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
    name="a non-increasing path from every start",
    sentence="For a wide last layer of free units over layers that separate the samples, a non-increasing path to loss "
    "0 leads from EVERY point.",
    formula="for all (U, V)",
    hypotheses="cross-entropy, equal samples have equal labels, analytic non-polynomial activation, M >= N, nothing "
    "reads the last layer",
    idea="a wide last layer of free units over separating layers; divided differences turn the rows that merge "
    "into a Hermite matrix, whose rank one ball matrix proves for all times",
    proved_in=(
        "landscape/escape_separate.py",
        "landscape/parting.py",
    ),
    checked_in=("checker/parting.py",),
    how="structural",
    prove=_prove,
    claims=(E4,),
)
