"""Theorem 3.4(4), C3 and C4 as statements: no local maximum of the cross-entropy, at this start or anywhere."""

from __future__ import annotations

from verifier.balls.exact import ExactArray
from verifier.landscape.pointwise import prove_curvature
from verifier.landscape.turning_layer import NoMaximum
from verifier.statements.claims.extrema import C4
from verifier.statements.claims.pointwise import C3
from verifier.statements.evidence import Known
from verifier.statements.groups import HERE
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

CONFLICT = "labels conflict: certified for agreeing labels only"
AT_THIS_START = f"no local maximum {HERE}"
UNCONNECTED = "a column of Psi is connected to no output"


def _curvature(known: Known) -> Finding:
    data = known.evidence.data
    if not known.evidence.labels_agree or data.labels is None:
        return does_not_apply(CONFLICT)
    start, counts = ExactArray.of_floats(known.evidence.v), data.multiplicities.tolist()
    found = prove_curvature(known.evidence.features, start, data.labels, counts, arcs=known.evidence.arcs)
    known.found.curvature = found
    return Finding(found.verdict, found.reason)


def _all_connected(known: Known) -> bool:
    """Whether every column of Psi, an output bias among them, is connected to some output."""
    arcs = known.evidence.arcs
    return arcs is None or bool(arcs.any(axis=1).all())


def _anywhere(known: Known) -> Finding:
    if known.undefined_here:
        return does_not_apply("Psi(U) has no value at the start")
    if not _all_connected(known):
        return does_not_apply(UNCONNECTED)
    return finding(known.no_maximum)


def finding(found: NoMaximum) -> Finding:
    """What is found of C4 from what its proof found.

    Parameters
    ----------
    found
        The proof, or why there is none.
    """
    return Finding(found.verdict, found.reason) if found.proved else does_not_apply(f"does not apply: {found.reason}")


def _no_maximum(known: Known) -> Finding:
    squared = known.evidence.data.targets is not None
    if known.found.verdict("C4") is Verdict.PROVED:
        return Finding(Verdict.PROVED, f"{'squared error' if squared else 'cross-entropy'}: at no (U, V)", ("C4",))
    if not _all_connected(known):
        return does_not_apply(UNCONNECTED)
    if squared:
        return _of_squared_error(known)
    if not known.evidence.labels_agree:
        return does_not_apply(CONFLICT)
    words = "cross-entropy: not at this start; nor at any (U, V) where Psi(U) != 0, by the same argument"
    return Finding(Verdict.PROVED, words, ("C3",), name=AT_THIS_START)


def _of_squared_error(known: Known) -> Finding:
    """The squared error is strictly convex in the outputs: along V it has no maximum where some output moves with V."""
    if known.evidence.rank.verdict is not Verdict.PROVED:
        words = "squared error: not at this start if Psi(U) != 0, which is not proved here"
        return Finding(Verdict.UNDECIDED, words, name=AT_THIS_START)
    words = "squared error: not at this start, as Psi(U) != 0; nor at any (U, V) where that holds"
    return Finding(Verdict.PROVED, words, ("rank",), name=AT_THIS_START)


NO_MAXIMUM = Statement(
    label="T3.4(4)",
    source="paper",
    place="Theorem 3.4(4)",
    name="no local maximum",
    sentence="No (U, V) is a local maximum of the cross-entropy, where C4 applies; else the start is none (C3), nor is "
    "any (U, V) where Psi(U) != 0. The same for the squared error of a regression. (False for hinge losses, which are "
    "0 on open sets.)",
    formula="d^2 Phi / dV^2 > 0 in some direction",
    hypotheses="cross-entropy or squared error; C4, or Psi(U) != 0",
    idea="C4 where it applies, else C3 at the start and wherever Psi is not 0",
    proved_in=("statements/no_maximum.py",),
    how="rigorous",
    prove=_no_maximum,
    may_rest_on=("C3", "C4", "rank"),
    regression=True,
)
POSITIVE_CURVATURE = Statement(
    label="C3",
    source="ours",
    name="the start is not a local maximum",
    sentence="Along one output weight the second derivative is positive.",
    formula="(1/n) sum_i mult_i Psi_ij^2 p_ik (1 - p_ik) > 0",
    hypotheses="cross-entropy, equal samples have equal labels, a column of Psi that is not zero",
    idea="the second derivative along one output weight is enclosed, above 0",
    proved_in=("landscape/pointwise.py",),
    checked_in=("checker/pointwise.py",),
    how="rigorous",
    prove=_curvature,
    claims=(C3,),
)
NO_MAXIMUM_ANYWHERE = Statement(
    label="C4",
    source="ours",
    name="no local maximum anywhere",
    sentence="No (U, V) at all is a local maximum of the cross-entropy (labels may conflict) or the squared error: "
    "with an output bias for any features; else if some trained bias moves, of all columns of Psi, only units of one "
    "layer, at least one, whose activation is continuous with at most one zero, and a change of sign there (tanh, "
    "softplus, leaky ReLU, ELU, SiLU, GELU, Mish; not ReLU, nor hard swish).",
    formula="Psi(U) = 0: phi(e 1 v^T) > phi(0) + e <c, v>, e of both signs",
    hypotheses="a loss that is strictly convex in every direction with a row that is not constant, m >= 2 (the squared "
    "error: m >= 1); frozen logits do not depend on U; every column of Psi connected to some output",
    idea="where Psi is not 0 the loss is strictly convex in V; where it is 0 the last layer's units, which "
    "cross 0 once at most, move it off 0 in two directions",
    proved_in=("landscape/turning_layer.py",),
    checked_in=("checker/extrema.py",),
    how="structural",
    prove=_anywhere,
    regression=True,
    claims=(C4,),
)
