"""J1, J2, J3: what a certificate claims by the Jacobian of the logits in all trained parameters, U and V.

The parameters theta = (U, V) are numbered: the parameter nodes in order, each flat in C order, then V, flat in C order.
A claim speaks of a point theta0: the stored U, but for the values that ``point`` lists, and the output weights
``weights``. ``columns`` are the parameters, by their numbers, whose columns of the Jacobian are used (None: all), and
``right_inverse`` has a row for each of them.
"""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import ArrayRef, Computed, Exact, Point, TensorName, Upper

OF_THE_LOGITS = "the Jacobian of the logits in U and V"
OF_DIFFERENCES = "the Jacobian of the differences of logits in U and V"
NO_SUBOPTIMAL = (
    "stationary for no differentiable convex finite loss of the logits, except where the loss is least among all logits"
)


class JacobianClaim(Computed, frozen=True, kw_only=True):
    """What J1, J2 and J3 have: a point, and an approximate right inverse of the Jacobian there."""

    point: Point | None
    weights: ArrayRef
    columns: TensorName | None
    right_inverse: ArrayRef


class J1(JacobianClaim, frozen=True, kw_only=True, tag="J1"):
    """Full row rank of the Jacobian: stationary points are global minima, here or almost everywhere."""

    name: ClassVar[str] = "full rank of the Jacobian"
    meaning: ClassVar[str] = (
        "no suboptimal stationary point {where} (J1): the Jacobian of the {rows} in U and V has full row rank, by an "
        "approximate right inverse B, ||I - J B||_inf < 1; so {what}."
    )
    sentences: ClassVar[dict[str, str]] = {
        "J1": f"at the stored U and V {OF_THE_LOGITS} has full row rank N m = {{rank}}: (U, V) is {NO_SUBOPTIMAL}",
        "J1 reduced": f"at the stored U and V {OF_DIFFERENCES} has full row rank N (m - 1) = {{rank}}: (U, V) is no "
        "stationary point of the cross-entropy of these labels",
        "J1 everywhere": f"for almost every (U, V) (the others are a closed set of measure zero) {OF_THE_LOGITS} has "
        f"full row rank N m = {{rank}}, and then (U, V) is {NO_SUBOPTIMAL}",
        "J1 everywhere reduced": "for almost every (U, V) (the others are a closed set of measure zero) "
        f"{OF_DIFFERENCES} has full row rank N (m - 1) = {{rank}}, and then (U, V) is no stationary point of the "
        "cross-entropy of these labels",
    }

    reduced: bool
    everywhere: bool

    def words(self) -> dict[str, str]:
        """Where it holds, of which rows, and what follows."""
        found = {"where": "at the stored U and V", "rows": "logits"}
        if self.everywhere:
            found["where"] = "but in a closed set of measure zero"
        if self.reduced:
            return found | {"rows": "differences of logits", "what": "the cross-entropy is not stationary there"}
        return found | {"what": "a stationary point there has the least value of every differentiable convex loss"}


class J2(JacobianClaim, frozen=True, kw_only=True, tag="J2"):
    """An exact interpolant of real targets near the stored point, and the dimension of the solutions there."""

    name: ClassVar[str] = "an exact interpolant nearby"
    meaning: ClassVar[str] = (
        "an exact interpolant (J2): some (U, V) whose numbers differ from the stored U and the start's V by at most "
        "{distance} has exactly the targets as its logits, and the solutions near it are a manifold."
    )
    sentences: ClassVar[dict[str, str]] = {
        "J2": "some (U, V) within {distance} of the stored U and the start's V, each number, has exactly the targets "
        "as its logits on all N = {samples} samples; near it the solutions are a manifold of dimension P - N m = "
        "{dimension}",
    }

    start_weights: ArrayRef
    rho: Exact
    distance: Upper


class J3(JacobianClaim, frozen=True, kw_only=True, tag="J3"):
    """Every target is attained exactly: on these samples, or on almost every set of as many."""

    name: ClassVar[str] = "certified memorisation"
    meaning: ClassVar[str] = (
        "certified memorisation (J3): for EVERY real target on {data} some (U, V) has exactly it as logits: the logits "
        "are 0 by structure (equal units whose output weights add up to 0) at a point where their Jacobian has full "
        "row rank."
    )
    sentences: ClassVar[dict[str, str]] = {
        "J3": "for EVERY target T in R^(N x m), N = {samples}, m = {outputs}, some (U, V) has exactly T as its logits "
        "on these samples",
        "J3 almost every": "for almost every data set of N = {samples} samples in R^{dimension}, or of fewer (the "
        "others are a closed null set), and EVERY target T in R^(N x m), m = {outputs}, some (U, V) has exactly T as "
        "its logits; the same on the samples of this certificate. This says NOTHING about another given data set, nor "
        "about integer or 8-bit data (a null set)",
    }

    almost_every_data: bool

    def words(self) -> dict[str, str]:
        """Say of which data sets the claim speaks."""
        return {"data": "almost every set of as many samples" if self.almost_every_data else "these samples"}
