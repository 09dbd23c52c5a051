"""C1 as a statement: the start is no stationary point of the cross-entropy."""

from __future__ import annotations

from verifier.balls.exact import ExactArray
from verifier.landscape.pointwise import prove_not_stationary
from verifier.statements.claims.pointwise import C1
from verifier.statements.evidence import Known
from verifier.statements.no_maximum import CONFLICT
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    if known.evidence.arcs is not None:
        return does_not_apply("arcs from columns of Psi to outputs are missing")
    data, sigma = known.evidence.data, known.sigma_lower
    if not known.evidence.labels_agree or data.labels is None:
        return does_not_apply(CONFLICT)
    if sigma is None:
        lacks = "lacks" if known.evidence.rank.verdict is Verdict.REFUTED else "is not known to have"
        return does_not_apply(f"Psi(U) {lacks} full rank at this U")
    start, counts = ExactArray.of_floats(known.evidence.v), data.multiplicities.tolist()
    found = prove_not_stationary(known.evidence.features, sigma, start, data.labels, counts)
    known.found.gradient = found
    return Finding(found.verdict, found.reason, ("rank",))


NOT_STATIONARY = Statement(
    label="C1",
    source="ours",
    name="the start is not stationary",
    sentence="At a full-rank U the gradient of the cross-entropy in V is not zero, at any V.",
    formula="||grad_V Phi|| >= sigma_N ||P|| / n > 0",
    hypotheses="cross-entropy, full rank at this U, equal samples have equal labels",
    idea="sigma_N times the norm of P, the probabilities minus the labels, bounds the gradient from below",
    proved_in=("landscape/pointwise.py",),
    checked_in=("checker/pointwise.py",),
    how="rigorous",
    prove=_prove,
    may_rest_on=("rank",),
    claims=(C1,),
)
