"""Definition 3.3 and Theorem 3.4(2) as statements: what a bad local valley is, and that there is none."""

from __future__ import annotations

from verifier.landscape.target_loss import TargetLoss
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement
from verifier.verdict import Verdict

EVIDENCE = {
    "A": "the architecture, without numerics",
    "W0": "one U of full rank settles almost every U",
    "S(1)": "paths that never increase lead to full rank from every point",
    "S(2)": "paths that never increase lead to full rank from almost every point",
}
"""The statements that each prove that no local valley is bad, for every convex loss; the first PROVED is named."""


def _infimum(known: Known) -> Finding:
    evidence = known.evidence
    solved = evidence.zero_loss is not None and evidence.zero_loss.verdict is Verdict.PROVED
    if evidence.outputs_ranked not in (None, Verdict.PROVED) and not solved:
        return Finding(Verdict.UNDECIDED, "arcs to the outputs are missing, and the infimum is not proved")
    ranked = known.found.verdict("L3.2 construction") is Verdict.PROVED
    targets = evidence.data.targets
    if targets is not None and not TargetLoss(targets, evidence.data.multiplicities).agree and ranked:
        words = "the infimum is the spread of equal samples' targets around their means, attained at every full-rank U"
        return Finding(Verdict.PROVED, words, ("X1", "L3.2 construction"))
    if targets is None and not evidence.labels_agree and not ranked:
        words = (
            "inf Phi is at least the entropy of the groups (X1), and it is that if some U has full rank: none is known"
        )
        return Finding(Verdict.UNDECIDED, words)
    if targets is None and not evidence.labels_agree:
        words = "the infimum is the entropy of the groups, approached at every full-rank U"
        return Finding(Verdict.PROVED, words, ("X1", "L3.2 construction"))
    if targets is None and (solved or (evidence.escape is not None and evidence.escape.escape is not None)):
        return Finding(Verdict.PROVED, "inf Phi = 0: a valley is bad if Phi stays away from 0 on it (Z1)")
    if not ranked:
        words = (
            "inf Phi is not known: no U of full rank is, nor a (U, V) without training errors; one of either would do"
        )
        return Finding(Verdict.UNDECIDED, words)
    return Finding(Verdict.PROVED, "inf Phi = 0, since Psi V = T is solvable for some U", ("L3.2 construction",))


def stands_on_full_rank(known: Known, words: str) -> Finding:
    """What is found of a statement whose proof is that full rank is reached from everywhere.

    Parameters
    ----------
    known
        What is known of the problem; the statements of `EVIDENCE` are decided.
    words
        What follows, for every convex loss, if one of them is proved.
    """
    for label, why in EVIDENCE.items():
        if known.found.verdict(label) is Verdict.PROVED:
            return Finding(Verdict.PROVED, f"by {label} ({why}): {words}", (label,))
    if known.found.verdict("W0") is None:
        why = f"open: the proof rests on W0, which does not apply: {known.not_generic}"
        return Finding(Verdict.UNDECIDED, why)
    return Finding(Verdict.UNDECIDED, "rests on W0, which is not proved here")


def _no_bad_valley(known: Known) -> Finding:
    words = "every component of {Phi < a} holds a full-rank U, from where Phi comes arbitrarily close to its infimum"
    return stands_on_full_rank(known, words)


BAD_VALLEY = Statement(
    label="D3.3",
    source="paper",
    place="Definition 3.3",
    name="the infimum that bad local valleys stay above",
    sentence="A local valley is a connected component of {Phi < a}; it is bad if Phi does not come arbitrarily close "
    "to its infimum there.",
    formula="inf over the component > inf Phi",
    hypotheses="nothing: a definition; the infimum is 0 unless labels conflict (X1)",
    idea="a definition; what is decided for a problem is which number the infimum is",
    proved_in=("statements/valleys.py",),
    how="symbolic",
    prove=_infimum,
    regression=True,
    may_rest_on=("X1", "L3.2 construction"),
)
NO_BAD_VALLEY = Statement(
    label="T3.4(2)",
    source="paper",
    place="Theorem 3.4(2)",
    name="no bad local valley",
    sentence="Every local valley contains points of loss arbitrarily close to the infimum.",
    formula="inf over every component of {Phi < a} = inf Phi",
    hypotheses="A3.1 in the paper; here one of A, W0, S(1), S(2)",
    idea="from A, W0, S(1) or S(2), whichever is proved: each leads from every component of a sublevel set to "
    "the infimum",
    proved_in=("statements/valleys.py",),
    how="structural",
    prove=_no_bad_valley,
    regression=True,
    may_rest_on=tuple(EVIDENCE),
)
