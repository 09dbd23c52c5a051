"""GDV as a statement: gradient descent on V alone classifies all samples from a certified step on."""

from __future__ import annotations

from verifier.balls.exact import ExactArray
from verifier.landscape.gradient_descent import prove_gradient_descent
from verifier.statements.claims.descent import GDV
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    evidence, zero = known.evidence, known.evidence.zero_loss
    data = evidence.data
    if not evidence.labels_agree or data.labels is None:
        return does_not_apply("labels conflict: equal samples with different labels are never all classified correctly")
    if zero is None or zero.verdict is Verdict.REFUTED:
        return does_not_apply("no V has zero training error at this U (Z1), so that U must move, too")
    if zero.weights is None:
        return does_not_apply("no V is known to have zero training error at this U (Z1)")
    start, counts = ExactArray.of_floats(evidence.v), data.multiplicities.tolist()
    found = prove_gradient_descent(
        evidence.features, start, [zero.weights], data.labels, counts, arcs=evidence.arcs, stage=known.stage
    )
    known.found.descent = found
    return Finding(found.verdict, found.reason, ("L2.1",))


GRADIENT_DESCENT = Statement(
    label="GDV",
    source="ours",
    name="gradient descent on V classifies all samples",
    sentence="With U fixed, gradient descent on V with step 1/L in exact arithmetic has a loss of at most "
    "Phi(Z) + L |V_0 - Z|^2 / (2t) at every step t >= 1, never increasing, whatever Z is; and where that is below "
    "log(2)/n, all samples are classified correctly, and stay so. (The same where entries of V in which Z agrees with "
    "V_0 are held fixed.)",
    formula="Phi(V_t) <= Phi(Z) + L |V_0 - Z|_F^2 / (2t)",
    hypotheses="cross-entropy (the unweighted mean over all n samples), U at rest, "
    "L >= lambda_max(Psi^T diag(c) Psi) / (2n), exact real arithmetic; an output bias is a row of V",
    idea="the loss is smooth and convex in V, with a bound of its curvature; Z is the V of Z1",
    proved_in=("landscape/gradient_descent.py",),
    checked_in=("checker/descent.py",),
    how="rigorous",
    prove=_prove,
    may_rest_on=("L2.1",),
    claims=(GDV,),
)
