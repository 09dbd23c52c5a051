"""Theorem 3.4(3) and C2 as statements: no point is a strict local minimum of a softmax loss."""

from __future__ import annotations

import sympy

from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _softmax_invariance() -> bool:
    """Whether sympy confirms that a margin does not change when every column of V gets the same vector added."""
    own, other, shift = sympy.symbols("V_y V_k v", real=True)
    return bool(sympy.expand((own + shift) - (other + shift) - (own - other)) == 0)


def _with_one_logit(known: Known) -> str:
    """What is to be added where the start is a head (0, z): with z alone trained, the shift leaves the head."""
    v, columns, samples = known.evidence.v, known.evidence.network.columns, known.evidence.data.samples
    if v.shape[1] != 2 or v[:, 0].any() or not v[:, 1].any():
        return ""
    if columns >= samples:
        return "; of V with both columns free, and with the first held at 0 no suboptimal point is one, as M >= N"
    return "; of V with both columns free: with the first held at 0, a single logit, there may be strict ones (M < N)"


def _shift(known: Known) -> Finding:
    arcs = known.evidence.arcs
    if arcs is not None and not arcs.all(axis=1).any():
        return does_not_apply("no column of Psi is connected to every output, so that V + v 1^T leaves the arcs")
    words = "margins, hence Phi, do not change under V -> V + v 1^T: no strict local minimum at any (U, V)"
    words += _with_one_logit(known)
    return Finding(Verdict.PROVED if _softmax_invariance() else Verdict.UNDECIDED, words)


def _no_strict_minimum(known: Known) -> Finding:
    data, network = known.evidence.data, known.evidence.network
    if data.targets is not None and network.columns < data.samples:
        return does_not_apply(f"M = {network.columns} < N = {data.samples}: for the squared error M >= N is needed")
    if data.targets is not None:
        words = (
            "M >= N, squared error: V moves along the kernel of Psi(U) at constant loss; without a kernel M = N, every "
            "output is some Psi(U) V, and a local minimum in V is a global one"
        )
        return Finding(Verdict.PROVED, words)
    words = f"for every (U, V), whatever the network; non-strict ones do exist{_with_one_logit(known)}"
    return Finding(Verdict.PROVED, words, ("C2",))


NO_STRICT_MINIMUM = Statement(
    label="T3.4(3)",
    source="paper",
    place="Theorem 3.4(3)",
    name="no suboptimal strict local minimum",
    sentence="No point is a strict local minimum: for softmax losses adding v 1^T to V changes nothing (C2). For the "
    "squared error of a regression, no suboptimal point is one where M >= N.",
    formula="Phi(U, V + v 1^T) = Phi(U, V)",
    hypotheses="cross-entropy, or the squared error, V free and M >= N",
    how="symbolic",
    prove=_no_strict_minimum,
    regression=True,
    may_rest_on=("C2",),
)
SHIFT_INVARIANCE = Statement(
    label="C2",
    source="ours",
    name="No strict local minimum anywhere",
    sentence="The loss is constant along V + v 1^T. (Non-strict bad local minima do exist: cloned units.)",
    formula="Phi(U, V + v 1^T) = Phi(U, V)",
    hypotheses="a softmax loss",
    how="symbolic",
    prove=_shift,
)
