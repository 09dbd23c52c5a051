"""W0 and the second half of Lemma 3.2 as statements: one U of full rank settles almost every U."""

from __future__ import annotations

from verifier.statements.claims.almost_every_u import W0
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    found = known.generic
    if found.applies and known.evidence.outputs_ranked not in (None, Verdict.PROVED):
        words = "arcs to the outputs are missing, and not every output's own columns are proved to have full row rank"
        return Finding(Verdict.UNDECIDED, words)
    if found.applies and known.analytic[0] is not Verdict.PROVED:
        return Finding(Verdict.UNDECIDED, found.reason)
    if found.applies:
        reason = "analytic, and of full rank at one U: so at almost every U (the exceptions are closed and null)"
        return Finding(Verdict.PROVED, reason, ("LA.1", "L3.2 construction"))
    return does_not_apply(f"does not apply: {known.not_generic}")


def _conclude(known: Known) -> Finding:
    found = known.generic
    if found.applies:
        return Finding(Verdict.PROVED, "by W0; A3.1 is not needed", ("W0",))
    if found.verdict is Verdict.REFUTED:
        return Finding(Verdict.REFUTED, found.reason)
    return Finding(Verdict.UNDECIDED, f"open: the paper's Lemma 3.2 does not apply, nor does W0: {known.not_generic}")


ALMOST_EVERY_U = Statement(
    label="W0",
    source="ours",
    name="one witness settles almost every U",
    sentence="If Psi is analytic in U on R^p and has full row rank at one U*, then at almost every U, and every local "
    "valley of every convex finite loss of Psi V reaches the infimum.",
    formula="rank Psi(U*) = N  =>  |{U : rank Psi(U) < N}| = 0",
    hypotheses="features analytic in U on R^p, V free (an output bias is its last row; where arcs to the outputs are "
    "missing, each output's own columns have full row rank), no regulariser",
    idea="one U of full rank and real analytic features: det(Psi Psi^T) is analytic and not identically zero. "
    "A3.1 is not needed",
    proved_in=(
        "statements/generic_rank.py",
        "statements/almost_every_u.py",
    ),
    checked_in=("checker/flags.py",),
    how="structural",
    prove=_prove,
    regression=True,
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
    idea="W0; refuted by an open set of U on which units are constant",
    proved_in=(
        "statements/generic_rank.py",
        "rank/dead.py",
    ),
    how="structural",
    prove=_conclude,
    regression=True,
    may_rest_on=("W0",),
)
