"""WD: what a certificate claims of the loss with weight decay, and of no other loss."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import ArrayRef, Computed, Lower, Point, Upper


class WD(Computed, frozen=True, kw_only=True, tag="WD"):
    """A point at which the loss with weight decay is below its value at the origin."""

    name: ClassVar[str] = "a bad local valley with weight decay"
    needs_labels: ClassVar[bool] = True
    moves: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "weight decay makes a bad local valley (WD): for every lambda > 0 up to {weight_decay} the cross-entropy + "
        "(lambda/2) (|U|^2 + |V|^2) has a strict local minimum at U = 0, V = 0, of value log m, as all classes have as "
        "many samples with the same sum; at the stored other point it is at most {value} < log m. The other claims are "
        "about the loss without weight decay."
    )
    sentences: ClassVar[dict[str, str]] = {
        "WD": "of ANOTHER loss than the other claims, the cross-entropy + (lambda/2) (|U|^2 + |V|^2), for every "
        "lambda > 0 up to {weight_decay}: U = 0, V = 0 is a strict local minimum of value log {classes}, in a "
        "bad local valley, as the loss is at most {value} at another point; with more units in a layer, too",
        "WD logit": "the same with the column of V of class 0 held at 0 (one logit)",
    }

    weight_decay: Lower
    moved: Point | None
    moved_weights: ArrayRef
    value: Upper
