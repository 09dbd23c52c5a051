"""Theorem 3.4(3), C2 and C2+ as statements: no point is a strict local minimum, or no suboptimal one."""

from __future__ import annotations

import sympy

from verifier.network.graph import Graph
from verifier.statements.claims.extrema import C2Plus
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

BOTH_COLUMNS = ", if both columns of V move"
"""What is to be added to a name where the start is a head (0, z): z alone may have strict minima."""


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
    if arcs is not None and not arcs.all(axis=1).any():  # Coq: C2 row_free
        return does_not_apply("no column of Psi is connected to every output, so that V + v 1^T leaves the arcs")
    words = "margins, hence Phi, do not change under V -> V + v 1^T: no strict local minimum at any (U, V)"
    logit = _with_one_logit(known)
    name = f"{SHIFT_INVARIANCE.name}{BOTH_COLUMNS}" if logit else ""
    return Finding(Verdict.PROVED if _softmax_invariance() else Verdict.UNDECIDED, words + logit, name=name)


def enough_columns(network: Graph, samples: int) -> bool:
    """Whether M >= N, an output bias counted: all that C2+ asks of a network whose V is free.

    Parameters
    ----------
    network : Network
        The network.
    samples : int
        N, the rows of Psi.
    """
    return network.columns >= samples


def _wide(known: Known) -> Finding:
    if known.undefined_here:
        return does_not_apply("Psi(U) has no value at the start")
    if known.evidence.arcs is not None:
        return does_not_apply("arcs from columns of Psi to outputs are missing: V is not free")
    return finding(known.evidence.network, known.evidence.data.samples)


def finding(network: Graph, samples: int) -> Finding:
    """What is found of C2+ for a network whose V is free.

    Parameters
    ----------
    network, samples
        As for `enough_columns`.
    """
    if not enough_columns(network, samples):
        return does_not_apply(f"M >= N is needed (an output bias counts): M = {network.columns}, N = {samples}")
    kernel = "the kernel of Psi(U), at constant loss" if network.columns > samples else "a kernel of Psi(U)"
    words = f"M = {network.columns} >= N = {samples}, every convex loss: V moves along {kernel}"
    if network.columns == samples:
        words += "; without one Psi(U) is invertible, and a local minimum in V is a global one"
    return Finding(Verdict.PROVED, words)


def _no_strict_minimum(known: Known) -> Finding:
    wide = known.found.verdict("C2+") is Verdict.PROVED
    if known.evidence.data.targets is not None:
        if not wide:
            return does_not_apply("the squared error needs C2+: M >= N, and V free")
        return Finding(Verdict.PROVED, "squared error: no suboptimal (U, V) is one", ("C2+",))
    logit = _with_one_logit(known)
    words = f"for every (U, V), whatever the network; non-strict ones do exist{logit}"
    name = f"{NO_STRICT_MINIMUM.name}{BOTH_COLUMNS}" if logit and not wide else ""
    if wide:
        words += "; no suboptimal one is strict up to that shift, either (C2+)"
    return Finding(Verdict.PROVED, words, ("C2", "C2+") if wide else ("C2",), name=name)


NO_STRICT_MINIMUM = Statement(
    label="T3.4(3)",
    source="paper",
    place="Theorem 3.4(3)",
    name="no suboptimal strict local minimum",
    sentence="No point is a strict local minimum of a softmax loss, as adding v 1^T to V changes nothing (C2); and "
    "where M >= N no suboptimal point is one even up to that shift, nor of any other convex loss, such as the squared "
    "error of a regression (C2+).",
    formula="Phi(U, V + v 1^T) = Phi(U, V);  M >= N: Psi(U) w = 0, or Psi(U) invertible",
    hypotheses="cross-entropy; with C2+ every convex finite loss, V free",
    idea="C2, and C2+ where M >= N",
    proved_in=("statements/no_strict_minimum.py",),
    how="symbolic",
    prove=_no_strict_minimum,
    regression=True,
    may_rest_on=("C2", "C2+"),
)
SHIFT_INVARIANCE = Statement(
    label="C2",
    source="ours",
    name="no strict local minimum anywhere",
    sentence="The loss is constant along V + v 1^T. (Non-strict bad local minima do exist: cloned units.)",
    formula="Phi(U, V + v 1^T) = Phi(U, V)",
    hypotheses="a softmax loss",
    idea="adding v 1^T to V changes no margin",
    proved_in=("statements/no_strict_minimum.py",),
    how="symbolic",
    prove=_shift,
)
WIDE_MINIMA = Statement(
    label="C2+",
    source="ours",
    name="no suboptimal strict local minimum",
    sentence="If M >= N (an output bias counts) and V is free, no (U, V) above the infimum is a strict local minimum, "
    "for any U, any activation and every convex finite loss; for softmax losses not even up to V + v 1^T.",
    formula="Psi(U) w = 0: V + s w e_1^T keeps all logits; else Psi(U) is invertible, and V -> Psi(U) V onto",
    hypotheses="V free along all arcs; nothing of the rank, nothing of the features but that Phi is defined",
    idea="V moves along the kernel of Psi(U), at constant loss; where Psi(U) is invertible the logits are arbitrary",
    proved_in=("statements/no_strict_minimum.py",),
    checked_in=("checker/extrema.py",),
    how="structural",
    prove=_wide,
    regression=True,
    claims=(C2Plus,),
)
