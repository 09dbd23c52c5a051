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


def _shift(known: Known) -> Finding:
    arcs = known.evidence.arcs
    if arcs is not None and not arcs.all(axis=1).any():
        return does_not_apply("no column of Psi is connected to every output, so that V + v 1^T leaves the arcs")
    words = "margins, hence Phi, do not change under V -> V + v 1^T: no strict local minimum at any (U, V)"
    return Finding(Verdict.PROVED if _softmax_invariance() else Verdict.UNDECIDED, words)


def _no_strict_minimum(known: Known) -> Finding:
    words = "for every (U, V), whatever the network; non-strict ones do exist"
    return Finding(Verdict.PROVED, words, ("C2",))


NO_STRICT_MINIMUM = Statement(
    label="T3.4(3)",
    source="paper",
    place="Theorem 3.4(3)",
    name="no suboptimal strict local minimum",
    sentence="No point is a strict local minimum: for softmax losses adding v 1^T to V changes nothing (C2).",
    formula="Phi(U, V + v 1^T) = Phi(U, V)",
    hypotheses="cross-entropy",
    how="symbolic",
    prove=_no_strict_minimum,
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
