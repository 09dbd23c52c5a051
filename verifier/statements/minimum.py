"""BM as a statement: a certified strict local minimum of a narrow network, and the valley around it."""

from __future__ import annotations

from verifier.statements.claims.minimum import BM
from verifier.statements.statement import Statement

STRICT_MINIMUM = Statement(
    label="BM",
    source="ours",
    name="a strict local minimum",
    sentence="Let Phi be twice continuously differentiable with Hess Phi >= lambda I on the ball of radius r around "
    "theta0 = (U, V), the last column of V held at 0, and |grad Phi(theta0)| <= g < lambda r / 2. Then the ball "
    "contains exactly one local minimum, a strict one, Phi >= l = Phi(theta0) - g^2 / (2 lambda) on it, and the local "
    "valley around theta0, its component of {Phi < Phi(theta0) + lambda r^2 / 2 - g r}, lies in the ball. With all of "
    "V free the same holds up to the shifts V + v 1^T. A point anywhere with Phi < l makes it a bad local valley.",
    formula="Hess Phi >= lambda I on |theta - theta0| <= r,  2 |grad Phi(theta0)| < lambda r",
    hypotheses="cross-entropy, labels may conflict; theta is all of U that is trained and V along all arcs; no kink in "
    "the box |theta_j - theta0_j| <= r; no regulariser; frozen logits K may be added. At M >= N it can only be found "
    "at the infimum (C2+)",
    idea="the Hessian, without the shift of the softmax, is positive definite in a box around the point, and "
    "the gradient is small against it",
    proved_in=("landscape/minimum.py",),
    checked_in=("checker/minimum.py",),
    how="rigorous",
    command="minimum",
    claims=(BM,),
)
