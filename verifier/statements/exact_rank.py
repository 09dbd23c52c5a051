"""R6: the exact rank of rational features at the start's own weights, as a statement and a claim."""

from __future__ import annotations

from verifier.balls.motion import ball_work
from verifier.rank.exact_arithmetic import TooLargeError, not_rational
from verifier.rank.rational import ExactRank, exact_rank, rational_features
from verifier.statements.claims.full_rank import R6
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

WORK, PATIENCE = 2e8, 5.0
"""Multiply-adds of features, and seconds of a proof, that an exact rank may take where a bound below N is known."""


def _prove(known: Known) -> Finding:
    evidence, rank = known.evidence, known.evidence.rank
    node = not_rational(evidence.network)
    if node is not None:
        return does_not_apply(f"does not apply: {node}")
    if rank.verdict is Verdict.PROVED:
        how = "exact arithmetic" if rank.label == "R6" else rank.label
        return Finding(Verdict.PROVED, f"all features are rational, and their rank is N = {rank.samples}, by {how}")
    found = rank.exact or _computed(known)
    if found is not None and found.exact and found.rational:
        return Finding(Verdict.REFUTED, f"rank Psi(U) = {found.rank} < N = {rank.samples}, exactly")
    if rank.verdict is Verdict.REFUTED and rank.deficiency is not None:
        words = f"rank Psi(U) <= {rank.deficiency.rank_at_most} < N = {rank.samples}"
        return Finding(Verdict.REFUTED, f"{words}; the exact rank would take long and was not computed")
    return Finding(Verdict.UNDECIDED, rank.reason)


def _computed(known: Known) -> ExactRank | None:
    """The exact rank where structure bounded it, if that is cheap."""
    evidence = known.evidence
    deficient = evidence.rank.verdict is Verdict.REFUTED
    if not deficient or len(evidence.inputs) * ball_work(evidence.network) > WORK:
        return None
    values = rational_features(evidence.network, evidence.u, evidence.inputs)
    if isinstance(values, str):
        return None
    try:
        return exact_rank(values, PATIENCE)
    except TooLargeError:
        return None


EXACT_RANK = Statement(
    label="R6",
    source="ours",
    name="full rank at these weights, exactly",
    sentence="All features at the start's U are rational numbers, computed exactly, and the feature matrix has full "
    "row rank over the rationals; refuted if its exact rank is smaller.",
    formula="rank Psi(U) = N over the rationals",
    hypotheses="features that are rational numbers: ReLU, leaky ReLU, max and average pools, squares, quotients",
    idea="where all features are rational numbers, ranks modulo primes; where some are not, exact linear "
    "relations between samples still refute full rank",
    proved_in=("rank/rational.py",),
    checked_in=("checker/exact.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    claims=(R6,),
)
