"""Theorem C.3 as a statement: no bad local valley for other convex losses; a path for one of them as a claim."""

from __future__ import annotations

from verifier.statements.claims.losses import TC3
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement
from verifier.statements.valleys import EVIDENCE, stands_on_full_rank


def _prove(known: Known) -> Finding:
    words = "no bad local valley for any convex finite phi(Psi V): the infimum of every valley is inf phi"
    return stands_on_full_rank(known, words)


CONVEX_LOSSES = Statement(
    label="TC.3",
    source="paper",
    place="Theorem C.3",
    name="no bad local valley for other convex losses",
    sentence="No bad local valley for any convex loss of the logits (of T3.4 only (2): that there is no local maximum "
    "is false for hinge losses); with certified paths for the losses asked for.",
    formula="inf over every component of {phi(Psi V) < a} = inf phi; h'(1) <= 0 along V0 -> V1",
    hypotheses="phi convex and finite everywhere (the paper: bounded below, too); A3.1 in the paper, here one of A, "
    "W0, S(1), S(2)",
    idea="convex along V0 to V1, with a slope of at most 0 at the end; the infimum and the end's loss are enclosed",
    proved_in=(
        "landscape/losses.py",
        "landscape/loss_path.py",
    ),
    checked_in=("checker/losses.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    may_rest_on=tuple(EVIDENCE),
    claims=(TC3,),
)
