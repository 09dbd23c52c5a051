"""P1, E1, E2, E3, E4.path, S.path: a path from the stored start; E4: one from every point; as claims."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.statements.claims.claim import ArrayRef, Computed, Exact, Interval, Lower, Point, Upper, printed

RAY = (
    "along the segment to kappa V1 (kappa = {kappa}), then along t V1 to 0, the hidden weights at rest: training error "
    "0 from t = {zero_error_t} on"
)
TARGET = {"target": "the loss is at most {loss} from t = {t} on"}
AFTER = {"after": "then the loss ({lower} .. {upper} at the start) decreases strictly " + RAY, **TARGET}
MAX_PIECES = 4096
"""The limit of the format, which the checker has in its schema."""


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


class SPath(EscapeClaim, frozen=True, kw_only=True, tag="S.path"):
    """Units that nothing reads move while a column basis of Psi carries all logits."""

    meaning: ClassVar[str] = (
        "a non-increasing path from a start whose features do not have full rank (S.path): the output weights go to "
        "features that span all others (exact rational arithmetic), the other units, which nothing reads, move, the "
        "loss staying exactly constant; then, with U at rest, {tail} In the paper: Theorem 3.4(2), without analyticity."
    )
    sentences: ClassVar[dict[str, str]] = {
        "S.path": "the loss is constant while {moving} columns of Psi move and {resting} stand still, whose rank, "
        "{rank}, is that of all columns (exact rational features)",
        **AFTER,
    }


class E4(Computed, frozen=True, kw_only=True, tag="E4"):
    """From every (U, V) a non-increasing path exists; ``separating`` is a U that tells the samples apart."""

    name: ClassVar[str] = "a path from every point"
    carries: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "a non-increasing path from every point (E4): from EVERY (U, V) a path on which the cross-entropy does not "
        "increase leads to loss 0, for labels without conflict and a wide last layer of units with weights of their "
        "own over layers that separate the samples. In the paper: the abstract's 'from any point', for this network."
    )
    sentences: ClassVar[dict[str, str]] = {
        "E4": "for the labels of these data, one for each sample: from EVERY (U, V) a continuous path on which the "
        "cross-entropy never increases leads to loss 0 in the limit",
    }

    separating: Point | None
