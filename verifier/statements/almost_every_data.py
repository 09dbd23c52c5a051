"""D as a statement: one certificate for almost every data set of N samples, all labels, all convex losses."""

from __future__ import annotations

from verifier.rank.almost_every_data import jointly_analytic
from verifier.statements.claims.architecture import D
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    beside = known.beside_the_architecture
    smooth, words = jointly_analytic(known.evidence.network)
    if beside or not smooth:
        return does_not_apply(f"does not apply: {beside or words}")
    if known.deficiency is not None:
        return does_not_apply(f"does not apply to these N samples: {known.not_generic}")
    reason = f"{words}, and of full rank at one U on these {len(known.evidence.inputs)} samples, which serve as X*"
    return Finding(Verdict.PROVED, reason, ("LA.1", "L3.2 construction"))


ALMOST_EVERY_DATA_SET = Statement(
    label="D",
    source="ours",
    name="no bad local valley for almost every data set",
    sentence="If Psi is analytic in U and x jointly and rank Psi(U*; X*) = N for one (U*, X*), then the set E of those "
    "X for which no U has full rank is closed and null; for every X outside E (its samples are distinct), ALL labels "
    "and ALL convex finite losses: almost every U has full rank and no local valley is bad. The same for every "
    "N' <= N. Moreover U* itself has full rank for almost every X. It says NOTHING about a given data set, nor about "
    "integer or 8-bit data (a null set).",
    formula="rank Psi(U*; X*) = N  =>  |{X : rank Psi(U; X) < N for all U}| = 0",
    hypotheses="features jointly analytic in (U, x) on R^p x R^d (no ReLU, not even in a frozen front end; no batch "
    "statistics; tokens and masks do not depend on the sample), V free along all arcs (an output bias is its last "
    "row), no frozen logits, no regulariser",
    idea="one pair (U*, X*) of full rank, certified, and features analytic in both",
    proved_in=("rank/almost_every_data.py",),
    checked_in=("checker/architecture.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    may_rest_on=("LA.1", "L3.2 construction"),
    claims=(D,),
)
