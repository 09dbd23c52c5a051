"""Z0 as a statement: no output weights classify all samples at this U, and how large the loss is at least."""

from __future__ import annotations

from verifier.landscape.zero_loss import IMPOSSIBLE
from verifier.statements.claims.zero_error import Z0, Z0Error, Z0Loss
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    evidence = known.evidence
    zero, bound = evidence.zero_loss, evidence.loss_bound
    if zero is not None and zero.verdict is Verdict.REFUTED:
        return Finding(Verdict.PROVED, zero.reason.removeprefix(f"{IMPOSSIBLE}: ").removeprefix(f"{IMPOSSIBLE}; "))
    if evidence.data.targets is not None:
        if bound is None:
            return does_not_apply("it is not known that no V attains the targets at this U")
        return Finding(Verdict.PROVED, bound.words)
    if bound is not None:
        return Finding(Verdict.PROVED, f"equal samples have different labels; {bound.words}")
    if not evidence.labels_agree:
        return does_not_apply("equal samples with different labels exclude zero training error at every U (X1)")
    if zero is None:
        return does_not_apply("zero training error was not looked for at this U")
    if zero.verdict is Verdict.PROVED:
        return does_not_apply("some V classifies all samples at this U (Z1): the infimum over V is 0")
    if evidence.data.offset is not None:
        return does_not_apply("beside frozen logits K the margins are not those of Psi V alone")
    if evidence.arcs is not None:
        return does_not_apply("arcs to the outputs are missing: a V that classifies all samples may lack some of them")
    return Finding(Verdict.UNDECIDED, zero.reason)


NO_ZERO_ERROR = Statement(
    label="Z0",
    source="ours",
    name="no V has zero training error at this U",
    sentence="For every V some sample has a margin that is not positive, and the cross-entropy is at least a positive "
    "number, which is stated: the entropy of probabilities q_i with which the features balance the labels. With real "
    "targets: no V attains them, and the squared error is at least that of their projection.",
    formula="sum_i psi_i (x) (A_i q_i - a_i) = 0  =>  Phi(U, V) >= (1/n) sum_i A_i H(q_i) for every V",
    hypotheses="the features at this U alone, of any network; no frozen logits",
    idea="factors lambda >= 0, not all 0, with which the margins of every V add up to 0 (Gordan), as for equal "
    "rows of Psi with different labels; the bound by convex duality",
    proved_in=(
        "landscape/inseparable.py",
        "landscape/loss_bound.py",
        "landscape/least_error.py",
    ),
    checked_in=(
        "checker/exact.py",
        "checker/loss_bound.py",
    ),
    how="rigorous",
    regression=True,
    prove=_prove,
    claims=(Z0, Z0Loss, Z0Error),
)
