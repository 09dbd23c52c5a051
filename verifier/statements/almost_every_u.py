"""W0 and the second half of Lemma 3.2 as statements: one U of full rank settles almost every U."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claim import Claim
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


class W0(Claim, frozen=True, tag="W0"):
    """Full rank at almost every U; it stands on a claim of full rank at some U."""

    name: ClassVar[str] = "full rank at almost every U"
    needs_weights: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "full rank almost everywhere (W0): all activations are real analytic, so, with the full rank also claimed, "
        "{{U : rank Psi(U) < N}} is closed and has measure zero, and every local valley of every convex finite loss of "
        "Psi V reaches the infimum. In the paper: Lemma 3.2 and Theorem 3.4(2), for this network and these data."
    )
    sentences: ClassVar[dict[str, str]] = {
        "W0": "rank Psi(U) = N = {samples} for almost every U (the others are a closed set of measure zero); for these "
        "data and this architecture every local valley of every convex finite loss of Psi V, V free, reaches the "
        "infimum (L3.2, T3.4(2)); T3.4(4) does not follow from this",
    }


def _prove(known: Known) -> Finding:
    found = known.generic
    if found.applies:
        reason = "analytic, and of full rank at one U: so at almost every U (the exceptions are closed and null)"
        return Finding(Verdict.PROVED, reason, ("LA.1", "L3.2 construction"))
    return does_not_apply(f"does not apply: {known.analytic[1] if known.deficiency is None else found.reason}")


def _conclude(known: Known) -> Finding:
    found = known.generic
    if found.applies:
        return Finding(Verdict.PROVED, "by W0; A3.1 is not needed", ("W0",))
    if found.verdict is Verdict.REFUTED:
        return Finding(Verdict.REFUTED, found.reason)
    return Finding(Verdict.UNDECIDED, "neither Lemma 3.2 nor W0 applies: not analytic")


ALMOST_EVERY_U = Statement(
    label="W0",
    source="ours",
    name="One witness settles almost every U",
    sentence="If Psi is analytic in U on R^p and has full row rank at one U*, then at almost every U, and every local "
    "valley of every convex finite loss of Psi V reaches the infimum.",
    formula="rank Psi(U*) = N  =>  |{U : rank Psi(U) < N}| = 0",
    hypotheses="analytic activations, V free, no output bias, no regulariser",
    how="structural",
    prove=_prove,
    may_rest_on=("LA.1", "L3.2 construction"),
    claims=(W0,),
)
GENERIC_RANK = Statement(
    label="L3.2 genericity",
    source="paper",
    place="Lemma 3.2",
    name="almost every U has full rank",
    sentence="The set of U where Psi(U) has rank below N has Lebesgue measure zero.",
    formula="|{U : rank Psi(U) < N}| = 0",
    hypotheses="A3.1 in the paper; here W0",
    how="structural",
    prove=_conclude,
    may_rest_on=("W0",),
)
