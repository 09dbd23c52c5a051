"""Lemma 3.2, first half, as a statement: there is a U at which Psi has full row rank."""

from __future__ import annotations

from verifier.balls.exact import at_least
from verifier.rank.random_witness import random_witness
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    evidence, every, witness = known.evidence, known.deficiency, known.witness
    if every is not None:
        reason = f"rank Psi(U) <= {every.rank_at_most} < N = {len(evidence.inputs)}: {every.explanation}"
        return Finding(Verdict.REFUTED, reason)
    if evidence.rank.verdict is Verdict.PROVED:
        return Finding(Verdict.PROVED, f"the start's own U ({evidence.rank.label})")
    if witness.verdict is Verdict.PROVED:
        return Finding(Verdict.PROVED, f"the explicit witness ({witness.label})", (witness.label,))
    if known.found.verdict("A") is Verdict.PROVED:
        return Finding(Verdict.PROVED, "almost every U has full rank, by the architecture (A)", ("A",))
    for label in ("S(1)", "S(2)"):
        if known.found.verdict(label) is Verdict.PROVED:
            return Finding(Verdict.PROVED, f"paths of constant loss lead to such a U ({label})", (label,))
    dense = random_witness(evidence.network, evidence.inputs, seed=known.seed, stage=known.stage)
    if dense.rank is None:
        return Finding(Verdict.UNDECIDED, f"no explicit witness: {witness.reason}; and {dense.reason}")
    sigma = dense.rank.sigma_lower
    found = f"sigma_N >= {at_least(sigma)}" if sigma > 0 else dense.rank.reason
    return Finding(Verdict.PROVED, f"a random U (seed {dense.seed}), {dense.rank.label}: {found}")


FULL_RANK_SOMEWHERE = Statement(
    label="L3.2 construction",
    source="paper",
    place="Lemma 3.2",
    name="some U has full rank",
    sentence="There is a U* at which the feature matrix has full row rank.",
    formula="rank Psi(U*) = N",
    hypotheses="nothing: one certified U* is enough (W1, W2, A, S(1), S(2), or a dense random witness by R1, R2, R3)",
    idea="one U of full rank, explicit (W1, W2) or drawn at random and certified (R1, R2, R3); or the "
    "architecture alone (A, S(1), S(2)). Refuted where the structure keeps the rank below N for every U",
    proved_in=(
        "rank/witness.py",
        "rank/random_witness.py",
        "rank/deficiency.py",
    ),
    how="rigorous",
    prove=_prove,
    regression=True,
    may_rest_on=("W1", "W2", "A", "S(1)", "S(2)"),
)
