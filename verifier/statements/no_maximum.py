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
    if known.evidence.data.targets is not None:
        return _of_squared_error(known)
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


def _of_squared_error(known: Known) -> Finding:
    """The squared error is strictly convex in the outputs: along V it has no maximum where some output moves with V."""
    if known.evidence.network.output_bias:
        return Finding(Verdict.PROVED, "squared error: at no (U, V), for it is strictly convex along an output bias")
    if known.evidence.rank.verdict is not Verdict.PROVED:
        return Finding(Verdict.UNDECIDED, "squared error: not at this start if Psi(U) != 0, which is not proved here")
    words = "squared error: not at this start, as Psi(U) != 0; nor at any (U, V) where that holds"
    return Finding(Verdict.PROVED, words, ("rank",))


NO_MAXIMUM = Statement(
    label="T3.4(4)",
    source="paper",
    place="Theorem 3.4(4)",
    name="no local maximum",
    sentence="The start is not a local maximum of the cross-entropy (C3); wherever Psi(U) != 0 the same argument "
    "applies, with an output bias at every (U, V). The same for the squared error of a regression. (False for hinge "
    "losses, which are 0 on open sets.)",
    formula="d^2 Phi / dV^2 > 0 in some direction",
    hypotheses="cross-entropy or squared error, Psi(U) != 0",
    how="rigorous",
    prove=_no_maximum,
    may_rest_on=("C3", "rank"),
    regression=True,
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
