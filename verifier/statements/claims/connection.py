"""MC and MC.line: what a certificate claims of two networks, of a path between them and of their straight line."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.statements.claims.claim import (
    ArrayRef,
    Computed,
    Count,
    Exact,
    Interval,
    Lower,
    MovedParameter,
    Rational,
    Upper,
    counted,
    printed,
    stated,
)

Corner = Annotated[tuple[MovedParameter, ...], Meta(max_length=10_000, description="a U, by what differs")]
"""Another U, or with no entries the stored one."""
MAX_CORNERS, MAX_PIECES, MAX_WEIGHTS = 256, 65_536, 4096
"""The limits of the format, which the checker has in its schema."""


class PathPiece(Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a leg: it ends at a time of the leg, 1 at its end, and some output weights belong to it."""

    leg: Count
    until: Rational
    weights: Count


class TwoNetworks(Computed, frozen=True, kw_only=True):
    """What a claim about two networks has: the output weights of both, and bounds of both losses."""

    needs_labels = True
    moves = True

    start_weights: ArrayRef
    end_weights: ArrayRef
    start_loss: Interval
    end_loss: Interval

    def words(self) -> dict[str, str]:
        """Say between which bounds both losses lie."""
        found = super().words()
        for key, loss in (("start", self.start_loss), ("end", self.end_loss)):
            found |= {f"{key}_lower": printed(loss.lower, "lower"), f"{key}_upper": printed(loss.upper, "upper")}
        return found


class MC(TwoNetworks, frozen=True, kw_only=True, tag="MC"):
    """A path between two networks on which the loss never exceeds the larger of theirs."""

    name: ClassVar[str] = "two networks joined without a barrier"
    meaning: ClassVar[str] = (
        "two networks joined without a barrier (MC): from the stored (U_A, V_A), loss in [{start_lower}, "
        "{start_upper}], a continuous path leads to (U_B, V_B), loss in [{end_lower}, {end_upper}], on which the "
        "cross-entropy never exceeds the larger of the two: {how}. It is about this (U_B, V_B), not about the same "
        "network with its units in another order."
    )
    sentences: ClassVar[dict[str, str]] = {
        "MC": "the stored (U_A, V_A) and (U_B, V_B) are joined by a continuous path on which the cross-entropy never "
        "exceeds the larger of their two losses, {start_lower} .. {start_upper} and {end_lower} .. {end_upper}: the "
        "barrier is 0. It is about this (U_B, V_B), not about the same network with its units in another order",
        "MC moves": "U at rest, V goes straight from V_A to kappa V_1 (kappa = {kappa}), and the loss strictly "
        "decreases to at most {level}; it stays at most that, and with a larger kappa as small as one likes, while U "
        "goes straight from corner to corner (legs: {legs}; pieces: K = {pieces}; V = kappa V_k on piece k, where "
        "every margin of Psi(U) V_k is at least {gamma}, and straight to kappa V_(k+1) between two of them); then, U "
        "at rest, V goes straight from kappa V_K to V_B, and the loss strictly increases to that of (U_B, V_B)",
        "MC rests": "both have the same U, and V goes straight from V_A to V_B: the loss is convex on this segment",
        "MC logit": "the same with the column of V of class 0 held at 0 (one logit)",
    }

    corners: Annotated[tuple[Corner, ...], Meta(max_length=MAX_CORNERS)]
    weights: Annotated[tuple[ArrayRef, ...], Meta(max_length=MAX_WEIGHTS)]
    pieces: Annotated[tuple[PathPiece, ...], Meta(max_length=MAX_PIECES)]
    gamma: Lower | None
    kappa: Exact | None

    def words(self) -> dict[str, str]:
        """Say between which bounds the losses lie, and how the path goes."""
        found = super().words()
        if self.gamma is None or self.kappa is None:
            return found | {"how": "both have the same U, and V goes straight from V_A to V_B"}
        ways = f"{counted(len(self.corners), 'straight leg')} in {counted(len(self.pieces), 'piece')}"
        matrices = f"{len(self.weights)} matrices" if len(self.weights) > 1 else "one matrix"
        return found | {
            "how": f"V goes straight to kappa V_1, kappa = {found['kappa']}, the loss strictly decreasing; then U "
            f"moves on {ways}, with {matrices} of output weights whose margins are at least {found['gamma']} all the "
            "way; then V goes straight to V_B, the loss strictly increasing"
        }


class MCLine(TwoNetworks, frozen=True, kw_only=True, tag="MC.line"):
    """Bounds of the loss on the straight line between two networks, U and V moving together."""

    name: ClassVar[str] = "the barrier of the straight line"
    meaning: ClassVar[str] = (
        "the straight line between two networks (MC.line): all weights move together from the stored (U_A, V_A), loss "
        "in [{start_lower}, {start_upper}], to (U_B, V_B), loss in [{end_lower}, {end_upper}]; the largest "
        "cross-entropy on the way is in [{loss_lower}, {loss_upper}], and at least the first at t = {at} "
        "({count} pieces of time, each enclosed whole). It is about this line, not about other paths."
    )
    sentences: ClassVar[dict[str, str]] = {
        "MC.line": "on the straight line of all weights from the stored (U_A, V_A) to (U_B, V_B), whose losses are "
        "{start_lower} .. {start_upper} and {end_lower} .. {end_upper}, the largest cross-entropy is in [{loss_lower}, "
        "{loss_upper}], and the barrier, what it is above the larger of the two, in [{barrier_lower}, {barrier_upper}]",
    }

    end: Corner
    pieces: Annotated[tuple[Rational, ...], Meta(min_length=2, max_length=MAX_PIECES)]
    time: Rational
    loss_lower: Lower
    loss_upper: Upper

    def words(self) -> dict[str, str]:
        """The losses, the bounds on the way, the time of the lower one, and how many pieces there are."""
        return super().words() | {"at": stated(self.time), "count": str(len(self.pieces) - 1)}
