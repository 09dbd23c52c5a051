"""BM: what a certificate claims of a strict local minimum of the cross-entropy, its valley, and a better point."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from verifier.statements.claims.claim import (
    ArrayRef,
    Computed,
    Exact,
    Interval,
    Lower,
    Point,
    TensorName,
    Upper,
    printed,
)


class Better(Struct, frozen=True, forbid_unknown_fields=True):
    """A point at which the loss is lower than anywhere in the valley; ``point`` None: at the stored U."""

    point: Point | None
    weights: ArrayRef
    loss: Upper


class BM(Computed, frozen=True, kw_only=True, tag="BM"):
    """The Hessian is at least ``curvature`` on a ball around the stored U and V, whose last column is 0."""

    name: ClassVar[str] = "a strict local minimum"
    meaning: ClassVar[str] = (
        "a strict local minimum (BM): on the ball of radius {radius} around the stored U and V, the last column of V "
        "held at 0, the Hessian of the cross-entropy is at least {curvature} and its gradient at the centre at most "
        "{gradient}, so that the ball has exactly one local minimum, a strict one up to the shifts V + v 1^T, and the "
        "local valley around the centre lies in it{bad}. The loss at the centre is in {value}."
    )
    sentences: ClassVar[dict[str, str]] = {
        "BM": "theta = (U, V), P = {parameters}, the last column of V held at 0: on the ball around the stored "
        "theta0, of a radius from {narrow} to {wide}, the cross-entropy Phi is twice continuously differentiable and "
        "every eigenvalue of its Hessian is at least {curvature}; the ball contains exactly one local minimum, a "
        "strict one, with a value from {lower} to {upper}; the local valley around theta0, the connected part of all "
        "points with Phi < Phi(theta0) + {rise} that contains it, lies in the ball; with all of V free the same holds "
        "up to the shifts V + v 1^T, which change no loss",
        "BM bad": "the loss is at most {better} at another point, below all values on the ball: the local valley is "
        "bad",
    }

    label_counts: TensorName | None
    weights: ArrayRef
    radius: Exact
    curvature: Lower
    gradient: Upper
    value: Interval
    better: Better | None

    def words(self) -> dict[str, str]:
        """The bounds of the loss, and whether the valley is bad."""
        better, bad = self.better, ""
        if better is not None:
            loss = printed(better.loss, "upper")
            bad = f"; the loss is at most {loss} elsewhere, below all values on the ball: the valley is bad"
        lower, upper = printed(self.value.lower, "lower"), printed(self.value.upper, "upper")
        return super().words() | {"bad": bad, "value": f"[{lower}, {upper}]"}
