"""J3 as a statement: every target on N > M samples is attained exactly (certified memorisation)."""

from __future__ import annotations

from verifier.rank.memorisation import Memorisation
from verifier.statements.claims.jacobian import J3
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    if known.beside_the_architecture:
        return does_not_apply(f"does not apply: {known.beside_the_architecture}")
    return finding(known.memorisation)


def finding(found: Memorisation) -> Finding:
    """What is found of J3 from what its proof found.

    Parameters
    ----------
    found
        The proof, or why there is none.
    """
    if not found.applies:
        return does_not_apply(f"does not apply: {found.reason}")
    if found.verdict is not Verdict.PROVED:
        return Finding(found.verdict, found.reason)
    where = "almost every data set of as many samples, and these" if found.everywhere else "these samples"
    return Finding(Verdict.PROVED, f"on {where}: {found.reason}", ("LA.1",) if found.everywhere else ())


MEMORISATION = Statement(
    label="J3",
    source="ours",
    name="every target on N > M samples is attained exactly",
    sentence="If the logits are 0 at some (U, V) and their Jacobian in (U, V) has full row rank N m there, then EVERY "
    "target T in R^(N x m) is attained exactly: G(U, V) = T for some (U, V). If they are 0 by structure (groups of "
    "skip units with equal weights and rows of V that add up to 0) and jointly analytic in the parameters and x, then "
    "the same for almost every data set of N' <= N samples; this says NOTHING about another given data set, nor about "
    "integer or 8-bit data (a null set).",
    formula="G(theta0) = 0, rank J(theta0) = N m  =>  G(R^P) = R^(N x m)",
    hypotheses="M < N; distinct samples; G = Psi V, V free along all arcs (an output bias is its last row), no frozen "
    "logits (they do not scale with V), no regulariser",
    idea="units in pairs, whose rows of V cancel, make the logits 0; the Jacobian there has full row rank, in balls",
    proved_in=("rank/memorisation.py",),
    checked_in=("checker/jacobian.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    may_rest_on=("LA.1",),
    claims=(J3,),
)
