"""Theorem 3.4(4) and C3 as statements: the start is no local maximum of the cross-entropy."""

from __future__ import annotations

from verifier.balls.exact import ExactArray
from verifier.landscape.pointwise import prove_curvature
from verifier.statements.claims.pointwise import C3
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

CONFLICT = "labels conflict: certified for agreeing labels only"


def _curvature(known: Known) -> Finding:
    data = known.evidence.data
    if not known.evidence.labels_agree or data.labels is None:
        return does_not_apply(CONFLICT)
    start, counts = ExactArray.of_floats(known.evidence.v), data.multiplicities.tolist()
    found = prove_curvature(known.evidence.features, start, data.labels, counts, arcs=known.evidence.arcs)
    known.found.curvature = found
    return Finding(found.verdict, found.reason)


def _no_maximum(known: Known) -> Finding:
    if not known.evidence.labels_agree:
        return does_not_apply(CONFLICT)
    arcs = known.evidence.arcs
    if arcs is not None and not arcs.any(axis=1).all():
        return does_not_apply("a column of Psi is connected to no output")
    if known.evidence.network.output_bias:
        words = "cross-entropy: at no (U, V), for along an output bias the second derivative is positive everywhere"
        return Finding(Verdict.PROVED, words)
    words = "cross-entropy: not at this start; nor at any (U, V) where Psi(U) != 0, by the same argument"
    return Finding(Verdict.PROVED, words, ("C3",))


NO_MAXIMUM = Statement(
    label="T3.4(4)",
    source="paper",
    place="Theorem 3.4(4)",
    name="no local maximum",
    sentence="The start is not a local maximum of the cross-entropy (C3); wherever Psi(U) != 0 the same argument "
    "applies, with an output bias at every (U, V). (False for hinge losses, which are 0 on open sets.)",
    formula="d^2 Phi / dV^2 > 0 in some direction",
    hypotheses="cross-entropy, Psi(U) != 0",
    how="rigorous",
    prove=_no_maximum,
    may_rest_on=("C3",),
)
POSITIVE_CURVATURE = Statement(
    label="C3",
    source="ours",
    name="The start is not a local maximum",
    sentence="Along one output weight the second derivative is positive.",
    formula="(1/n) sum_i mult_i Psi_ij^2 p_ik (1 - p_ik) > 0",
    hypotheses="cross-entropy, equal samples have equal labels, a column of Psi that is not zero",
    how="rigorous",
    prove=_curvature,
    claims=(C3,),
)
