"""WD as a statement: what weight decay breaks. PROVED is bad news about the regularised loss, and about it alone."""

from __future__ import annotations

from verifier.landscape.weight_decay import classes_differ, prove_weight_decay
from verifier.network.layered import NOT_LAYERED
from verifier.statements.claims.weight_decay import WD
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    evidence, decay = known.evidence, known.evidence.weight_decay
    data, labels, network = evidence.data, evidence.data.labels, evidence.network
    if decay is None:
        return does_not_apply("does not apply: no weight decay is stated (weight_decay)")
    if known.beside_the_architecture:
        return does_not_apply(f"does not apply: {known.beside_the_architecture}")
    if labels is None:
        return does_not_apply("does not apply: equal samples have different labels")
    if network.layered is None:
        return does_not_apply(f"does not apply: {NOT_LAYERED}")
    if known.analytic[0] is not Verdict.PROVED:
        return does_not_apply(f"does not apply: {known.analytic[1]}")
    differ = classes_differ(evidence.inputs, labels, data.multiplicities, data.classes)
    if differ is not None:
        return does_not_apply(f"does not apply: {differ}; the origin need be no stationary point")
    found = prove_weight_decay(
        network, evidence.inputs, labels, data.multiplicities, data.classes, decay, (evidence.u, evidence.v)
    )
    known.found.weight_decay = found
    return Finding(found.verdict, found.reason)


WEIGHT_DECAY = Statement(
    label="WD",
    source="ours",
    name="weight decay makes a bad local valley",
    sentence="If every class has the same number of samples with the same sum (as in XOR), then, for layers with "
    "analytic activations and every lambda > 0, the origin is a strict local minimum of the mean cross-entropy + "
    "(lambda/2) (|U|^2 + |V|^2), of value log m, at every width; where some point is lower it lies in a bad local "
    "valley. So W0 and T3.4(2) cannot hold with a regulariser.",
    formula="Hess Phi_lambda(0) >= lambda I,  Phi_lambda(U, V) < log m = Phi_lambda(0)",
    hypotheses="weight decay on all of U and V, biases included; nothing shared or frozen; no frozen logits, V free "
    "along all arcs (or one logit, m = 2)",
    idea="second-order terms cancel where classes have equal sums; another point is lower",
    proved_in=("landscape/weight_decay.py",),
    checked_in=("checker/decay.py",),
    how="rigorous",
    prove=_prove,
    claims=(WD,),
)
