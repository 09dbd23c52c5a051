"""The path from the given start as a statement; P1, E1, E2, E3 and E4.path as claims; what each kind of path says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.landscape.escape_kinds import KINDS
from verifier.statements.claim import ArrayRef, Computed, Exact, Interval, Lower, Point, Upper, printed
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement

RAY = (
    "along the segment to kappa V1 (kappa = {kappa}), then along t V1 to 0, the hidden weights at rest: training error "
    "0 from t = {zero_error_t} on"
)
TARGET = {"target": "the loss is at most {loss} from t = {t} on"}
AFTER = {"after": "then the loss ({lower} .. {upper} at the start) decreases strictly " + RAY, **TARGET}
MAX_PIECES = 4096


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """A loss, and a time on the ray from which it is not exceeded."""

    loss: Upper
    t: Upper


class PathClaim(Computed, frozen=True, kw_only=True):
    """What all paths end with: a segment of output weights, and a ray along which the loss tends to 0."""

    name = "the path"
    needs_labels = True

    start_weights: ArrayRef
    end_weights: ArrayRef
    gamma: Lower
    kappa: Exact
    start_loss: Interval
    zero_error_t: Upper
    targets: Annotated[tuple[Target, ...], Meta(max_length=64)]

    def words(self) -> dict[str, str]:
        """The loss at the start, and what the segment and the ray do, in one phrase."""
        words = super().words()
        reached = "".join(
            f", at most {printed(target.loss, 'upper')} from t = {printed(target.t, 'upper')} on"
            for target in self.targets
        )
        return words | {
            "loss_lower": printed(self.start_loss.lower, "lower"),
            "loss_upper": printed(self.start_loss.upper, "upper"),
            "tail": f"V goes straight to kappa V1, kappa = {words['kappa']}, then along t V1: the loss strictly "
            f"decreases all the way; below log(2)/n from t = {words['zero_error_t']} on (Lemma 2.1: zero training "
            f"error){reached}.",
        }


class P1(PathClaim, frozen=True, kw_only=True, tag="P1"):
    """A path on which the loss strictly decreases, U at rest."""

    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "a path without increase (P1): from the start V0 (loss in [{loss_lower}, {loss_upper}]), {tail} In the paper: "
        "the path in the proof of Theorem 3.4(2), U fixed."
    )
    sentences: ClassVar[dict[str, str]] = {
        "P1": "the loss decreases strictly from {lower} .. {upper} at V0 " + RAY,
        **TARGET,
    }


class EscapeClaim(PathClaim, frozen=True, kw_only=True):
    """A piece on which U leaves the start, and then the path of P1."""

    moves = True

    moved: Point


Pieces = Annotated[int, Meta(ge=1, le=MAX_PIECES)]


class E1(EscapeClaim, frozen=True, kw_only=True, tag="E1"):
    """U and V move while the loss strictly decreases."""

    meaning: ClassVar[str] = (
        "a strictly decreasing path from a start whose features do not separate the classes (E1): U and V move "
        "together while the loss strictly decreases ({pieces} pieces of time, each enclosed whole), then, with U at "
        "rest, {tail} In the paper: Theorem 3.4(2), from a point that is not stationary."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E1": "U and V move straight to other values, and the loss strictly decreases ({pieces} pieces)",
        **AFTER,
    }

    pieces: Pieces
    moved_weights: ArrayRef


class E2(EscapeClaim, frozen=True, kw_only=True, tag="E2"):
    """Units that carry nothing move while the loss is constant."""

    meaning: ClassVar[str] = (
        "a non-increasing path from a start whose features do not separate the classes (E2): equal, constant or zero "
        "units hand their part of the logits over and move, the loss staying exactly constant; then, with U at rest, "
        "{tail} In the paper: Theorem 3.4(2), where the abstract promises a path without increase."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E2": "the loss is constant while {moving} skip units move and {resting} stand still",
        **AFTER,
    }

    rerouted: Point | None


class E3(EscapeClaim, frozen=True, kw_only=True, tag="E3"):
    """U moves while the loss stays below the start's plus epsilon."""

    meaning: ClassVar[str] = (
        "a path that stays below the start's loss plus {epsilon} (E3): U moves ({pieces} pieces of time, each enclosed "
        "whole), then, with U at rest, {tail} In the paper: the sublevel form of Theorem 3.4(2)."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E3": "U moves straight to other values, the loss at most epsilon = {epsilon} above the start's",
        **AFTER,
    }

    pieces: Pieces
    epsilon: Upper


class E4Path(EscapeClaim, frozen=True, kw_only=True, tag="E4.path"):
    """Merged samples part at constant loss, V following."""

    meaning: ClassVar[str] = (
        "a non-increasing path from a start where lower layers merge samples (E4): the merged samples part, V "
        "following so that the loss stays exactly constant ({pieces} pieces of time); then, with U at rest, {tail} In "
        "the paper: Theorem 3.4(2), at a point that neither descends nor has units to spare."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E4.path": "{groups} groups of merged samples part at constant loss, V following continuously",
        **AFTER,
    }

    pieces: Pieces
    right_inverse: ArrayRef


@dataclass(frozen=True, slots=True)
class PathKind:
    """What is said of a proved path from the start.

    Parameters
    ----------
    label
        Of the step: P1, the escape that the path begins with, or X1 where labels conflict.
    sentence
        What the cross-entropy does on it, as half a sentence.
    escape
        What it does while U leaves the start, as a sentence with a place for ``epsilon``; empty if U rests.
    rises
        Whether it may exceed the start's loss, by at most epsilon.
    conflict
        Whether equal samples have different labels, so that its end is near a positive infimum.
    """

    label: str
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
_FALLS = "On the escape U and V move and the loss strictly decreases between the two levels shown."
_RESTS = "On the escape the loss is exactly constant."
_STAYS_BELOW = "On the escape the loss is only known to stay below its start plus epsilon = {epsilon}."
_SAID = {"decreases": (_DECREASES, _FALLS), "constant": (_CONSTANT, _RESTS), "bounded": (_BELOW, _STAYS_BELOW)}
"""By what the loss does on the legs of an escape."""
PATH_KINDS = {
    "P1": PathKind("P1", _DECREASES),
    "X1": PathKind("X1", _CONFLICT, conflict=True),
} | {kind.label: PathKind(kind.label, *_SAID[kind.loss], rises=kind.loss == "bounded") for kind in KINDS}
"""By the label of the path's step."""


def _prove(known: Known) -> Finding:
    return Finding(*known.evidence.path_result)


DOWNHILL_PATH = Statement(
    label="path",
    source="ours",
    name="A path to the infimum from the given start",
    sentence="From the start (U, V) a continuous path leads to loss 0: one on which the loss never increases (P1, "
    "after E1, E2 or E4 where needed), or one that first stays below the start's loss plus epsilon (after E3). Where "
    "equal samples have different labels, the loss decreases to within epsilon of its positive infimum (X1).",
    formula="Phi never increases, or (E3) Phi <= Phi_0 + epsilon; -> inf Phi",
    hypotheses="nothing",
    how="rigorous",
    prove=_prove,
    claims=(P1, E1, E2, E3, E4Path),
)
