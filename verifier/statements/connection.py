"""MC and MC.line as statements: two networks, a path between them without a barrier, and their straight line."""

from __future__ import annotations

from verifier.statements.claims.connection import MC, MCLine
from verifier.statements.statement import Statement

WITHOUT_BARRIER = Statement(
    label="MC",
    source="ours",
    name="two networks joined without a barrier",
    sentence="Let U(t) go from U_A to U_B on straight legs, in pieces of time, and let every piece have output weights "
    "V_k with all margins of Psi(U(t)) V_k at least gamma > 0 at all of its times. If the margins of kappa V_1 at U_A "
    "are above those of V_A, those of kappa V_K at U_B above those of V_B, and log(1 + (m-1) e^(-kappa gamma)) is at "
    "most the larger of Phi(U_A, V_A) and Phi(U_B, V_B), then a continuous path joins (U_A, V_A) and (U_B, V_B) on "
    "which the cross-entropy never exceeds the larger of the two: the barrier is 0. M < N and ReLU are allowed.",
    formula="max Phi along the path = max(Phi(U_A, V_A), Phi(U_B, V_B))",
    hypotheses="cross-entropy, one label for each sample; V free along its arcs (an output bias is its last row), no "
    "frozen logits; all nodes defined at every U on the way; no regulariser. It is about these two networks: with the "
    "units of one in another order it is about another point",
    idea="P1 down to kappa V1; a polygon in U, in pieces of time on which all margins of one V_k are at least "
    "gamma; P1 backwards",
    proved_in=(
        "landscape/joining.py",
        "landscape/leg_margins.py",
    ),
    checked_in=("checker/connection.py",),
    how="rigorous",
    command="connect",
    claims=(MC,),
)
STRAIGHT_LINE = Statement(
    label="MC.line",
    source="ours",
    name="the barrier of the straight line",
    sentence="On the straight line of all weights from (U_A, V_A) to (U_B, V_B) the largest cross-entropy lies between "
    "two stated numbers, and so does the barrier: what it is above the larger of the losses at the two ends.",
    formula="max Phi((1-t) (U_A, V_A) + t (U_B, V_B)) - max(Phi(U_A, V_A), Phi(U_B, V_B))",
    hypotheses="cross-entropy, one label for each sample in a certificate; frozen logits are allowed; all nodes "
    "defined at every U on the way",
    idea="the loss is enclosed at one time, and on pieces that cover the line, halved where its bound is largest",
    proved_in=("landscape/line_barrier.py",),
    checked_in=("checker/line_barrier.py",),
    how="rigorous",
    command="connect",
    claims=(MCLine,),
)
