"""X1 as a statement: equal samples, whose labels may conflict."""

from __future__ import annotations

from verifier.balls.exact import at_least, at_most
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.data.grouping import INFIMUM_BITS
from verifier.landscape.target_loss import TargetLoss
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    grouping = known.evidence.grouping
    distinct, total = grouping.dataset.samples, grouping.group_of.size
    if not grouping.has_duplicates:
        frozen = "no two samples with equal frozen logits are equal"
        return does_not_apply("all samples are distinct" if grouping.dataset.offset is None else frozen)
    groups = len(grouping.equal)
    counts = f"{total} samples, {distinct} distinct; {groups} group{'s' if groups > 1 else ''} of equal ones: "
    counts += grouping.equal_words
    targets = grouping.dataset.targets
    if targets is not None:
        return _of_targets(TargetLoss(targets, grouping.dataset.multiplicities), counts)
    if grouping.labels_agree:
        return Finding(Verdict.PROVED, f"{counts}; equal samples have equal labels")
    low, high = grouping.infimum or (0.0, 0.0)
    words = (
        f"{counts}; {len(grouping.conflicts)} with conflicting labels: Phi is never below the groups' entropy, which "
        f"is at least {at_least(low)} and at most {at_most(high)}; it is the infimum if some U has full rank"
    )
    return Finding(Verdict.PROVED, words)


def _of_targets(loss: TargetLoss, counts: str) -> Finding:
    """What is found where equal samples have real targets."""
    if loss.agree:
        return Finding(Verdict.PROVED, f"{counts}; equal samples have equal targets")
    with working_precision(INFIMUM_BITS):
        infimum = loss.infimum()
        low, high = at_least(round_down(infimum)), at_most(round_up(infimum))
    words = (
        f"{counts}; some with different targets: Phi is never below their spread around their means, which is at least "
        f"{low} and at most {high}; it is the infimum if some U has full rank"
    )
    return Finding(Verdict.PROVED, words)


DUPLICATES = Statement(
    label="X1",
    source="ours",
    name="duplicate samples",
    sentence="Equal samples are grouped; if their labels agree everything holds for the distinct ones, else no "
    "loss is below the entropy of the groups (of real targets: their spread around the means), which is the infimum if "
    "some U has full rank.",
    formula="Phi >= inf phi = (1/n) sum_g n_g H(c_g / n_g)",
    hypotheses="nothing",
    idea="equal samples are grouped exactly; if their labels conflict, the group entropies bound the loss from "
    "below, and are its infimum if some U has full rank; the path's end is compared with it",
    proved_in=(
        "data/grouping.py",
        "landscape/loss_path.py",
    ),
    how="rigorous",
    prove=_prove,
    regression=True,
)
