"""LA.1 as a statement: an analytic function vanishes everywhere, or on a null set."""

from __future__ import annotations

from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    smooth, why = known.analytic
    if smooth is Verdict.REFUTED:  # a hypothesis fails: the lemma says nothing here, and is not refuted
        return does_not_apply(f"does not apply: {why}")
    zeros = "det(Psi Psi^T) is analytic in U on R^p: identically zero, or zero on a null set"
    return Finding(smooth, f"{why}; {zeros}" if smooth is Verdict.PROVED else why)


ANALYTIC_ZEROS = Statement(
    label="LA.1",
    source="paper",
    place="Lemma A.1",
    name="zeros of analytic functions",
    sentence="An analytic function on a connected open set that is not identically zero vanishes on a null set only; "
    "here: det(Psi Psi^T) as a function of U, defined and analytic on all of R^p.",
    formula="f != 0 analytic on R^p  =>  |{f = 0}| = 0",
    hypotheses="every node real analytic in U",
    idea="a lemma; decided for each network by what its nodes are: analytic, and defined for every U",
    proved_in=("statements/smooth_activations.py",),
    how="symbolic",
    prove=_prove,
    regression=True,
)
