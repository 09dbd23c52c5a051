"""The path from the start as a statement; P1, E1, E2, E3, E4.path, S.path as claims; what each kind of path says."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.landscape.escape_kinds import KINDS
from verifier.statements.claims.paths import E1, E2, E3, P1, E4Path, SPath
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class PathKind:
    """What is said of a proved path from the start.

    Parameters
    ----------
    label
        Of the step: P1, the escape that the path begins with, X1 where labels conflict, TC.3 in a regression.
    name
        What it is called, in few words.
    sentence
        What the loss does on it, as half a sentence.
    escape
        What it does while U leaves the start, as a sentence with a place for ``epsilon``; empty if U rests.
    rises
        Whether it may exceed the start's loss, by at most epsilon.
    conflict
        Whether equal samples have different labels, so that its end is near a positive infimum.
    """

    label: str
    name: str
    sentence: str
    escape: str = ""
    rises: bool = False
    conflict: bool = False


_FROM_HERE = "from this start (U, V) a continuous path"
_DECREASES = f"{_FROM_HERE} on which the cross-entropy strictly decreases leads to loss 0"
_CONSTANT = (
    f"{_FROM_HERE} on which the cross-entropy never increases (constant, then strictly decreasing) leads to loss 0"
)
_BELOW = (
    f"{_FROM_HERE} leads to loss 0 on which the cross-entropy first stays below its value at the start plus epsilon "
    "and then strictly decreases (that it never increases is not claimed)"
)
_CONFLICT = (
    f"{_FROM_HERE} on which the cross-entropy does not increase comes within the epsilon asked for of the infimum, "
    "which is positive because equal samples have different labels"
)
_SQUARED = (
    f"{_FROM_HERE} on which the squared error does not increase comes within the epsilon asked for of its infimum"
)
_NAMES = {
    "decreases": "a path on which the loss strictly decreases to 0",
    "constant": "a path on which the loss never increases and tends to 0",
    "bounded": "a path to loss 0 that may first rise by epsilon",
}
_NEAR = "a path on which the loss never increases, to near its infimum"
_FALLS = "On the escape U and V move and the loss strictly decreases between the two levels shown."
_RESTS = "On the escape the loss is exactly constant."
_STAYS_BELOW = "On the escape the loss is only known to stay below its start plus epsilon = {epsilon}."
_SAID = {"decreases": (_DECREASES, _FALLS), "constant": (_CONSTANT, _RESTS), "bounded": (_BELOW, _STAYS_BELOW)}
"""By what the loss does on the legs of an escape."""
PATH_KINDS = {
    "P1": PathKind("P1", _NAMES["decreases"], _DECREASES),
    "X1": PathKind("X1", _NEAR, _CONFLICT, conflict=True),
    "TC.3": PathKind("TC.3", _NEAR, _SQUARED),
} | {
    kind.label: PathKind(kind.label, _NAMES[kind.loss], *_SAID[kind.loss], rises=kind.loss == "bounded")
    for kind in KINDS
}
"""By the label of the path's step."""


TO_A_LOSS = "a path to the least of the losses asked for"
"""What is REFUTED where labels conflict and a loss below the infimum is asked for: a path to the infimum is not."""
NEAR_THE_INFIMUM = "a path to near the infimum from the given start"
"""What is PROVED where labels conflict, and in a regression: it ends within an epsilon of the infimum."""


def _prove(known: Known) -> Finding:
    verdict, reason = known.evidence.path_result
    near = known.evidence.data.targets is not None or not known.evidence.labels_agree
    names = {Verdict.REFUTED: TO_A_LOSS, Verdict.PROVED: NEAR_THE_INFIMUM if near else ""}
    return Finding(verdict, reason, name=names.get(verdict, ""))


DOWNHILL_PATH = Statement(
    label="path",
    source="ours",
    name="a path to the infimum from the given start",
    sentence="From the start (U, V) a continuous path leads to loss 0 where labels agree: one on which the loss never "
    "increases (P1, after E1, E2, S.path or E4 where needed), or one that first stays below the start's loss plus "
    "epsilon (after E3). Where equal samples have different labels (X1), and in a regression (TC.3), the loss never "
    "increases on it and comes within epsilon of its infimum.",
    formula="Phi never increases, or (E3) Phi <= Phi_0 + epsilon; -> inf Phi",
    hypotheses="nothing",
    idea="P1: kappa times each margin of V1 exceeds that of V0, and the loss is convex in V: strictly "
    "decreasing on the segment to kappa V1 and on the ray t V1. Before it, where needed: E1, descent "
    "along a segment, its slope enclosed; E2 and S.path, motion at exactly constant loss; E3, a short "
    "motion of U on which the loss may rise by less than epsilon; E4",
    proved_in=(
        "landscape/path.py",
        "landscape/escape.py",
        "landscape/segment.py",
        "landscape/escape_constant.py",
        "landscape/sink_path.py",
    ),
    checked_in=(
        "checker/claims.py",
        "checker/escape.py",
    ),
    how="rigorous",
    prove=_prove,
    regression=True,
    claims=(P1, E1, E2, E3, E4Path, SPath),
)
