"""Zero training error at this U: Z1, which proves it, Z0, which refutes it, and Z2, a ball of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from verifier.statements.claims.claim import ArrayRef, Claim, Computed, Count, Lower, TensorName, counted

MAX_MULTIPLIERS, MAX_FACTOR_DIGITS = 10_000, 4000
"""Of Z0: how many, and the digits of each (Python reads no longer numbers)."""


class Z0(Claim, frozen=True, kw_only=True, tag="Z0"):
    """A relation between rational features that excludes zero training error at this U."""

    name: ClassVar[str] = "no V has zero training error at this U"
    needs_labels: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "zero training error is impossible at this U (Z0): for every V {count}, with positive factors, add up to 0, "
        "exactly; so Phi(U, V) >= log(2)/n."
    )
    sentences: ClassVar[dict[str, str]] = {
        "Z0": "no output weights V classify all samples at the stored hidden weights: for every V, {margins} margins "
        "of {concerned} samples, with positive factors, add up to 0 (exact rational features), so some margin is at "
        "most 0",
    }

    samples: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=MAX_MULTIPLIERS)]
    against: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=MAX_MULTIPLIERS)]
    factors: Annotated[
        tuple[Annotated[str, Meta(pattern=f"^[1-9][0-9]{{0,{MAX_FACTOR_DIGITS - 1}}}$")], ...],
        Meta(min_length=1, max_length=MAX_MULTIPLIERS),
    ]

    def words(self) -> dict[str, str]:
        """Say how many margins are added up."""
        return {"count": counted(len(self.factors), "margin")}


class Z0Loss(Computed, frozen=True, kw_only=True, tag="Z0.loss"):
    """A lower bound of the cross-entropy at this U over all output weights."""

    name: ClassVar[str] = "a lower bound of the loss over all output weights"
    meaning: ClassVar[str] = (
        "a lower bound of the loss at this U (Z0.loss): Phi(U, V) >= {loss_lower} for every V, by probabilities with "
        "which the features balance the labels (convex duality); so no V classifies all samples, and only a change of "
        "U leads below."
    )
    sentences: ClassVar[dict[str, str]] = {
        "Z0.loss": "for EVERY output weights V the cross-entropy at the stored hidden weights is at least "
        "{loss_lower}, so no V classifies all samples there",
    }

    label_counts: TensorName | None
    output_weights: ArrayRef
    support: TensorName
    equal: tuple[Annotated[tuple[Count, ...], Meta(min_length=1)], ...]
    loss_lower: Lower


class Z0Error(Computed, frozen=True, kw_only=True, tag="Z0.error"):
    """A lower bound of the squared error at this U over all output weights."""

    name: ClassVar[str] = "a lower bound of the squared error over all output weights"
    meaning: ClassVar[str] = (
        "a lower bound of the squared error at this U (Z0.error): Phi(U, V) >= {error_lower} for every V, by the part "
        "of the targets that is orthogonal to the features; so Psi(U) V = T has no solution V."
    )
    sentences: ClassVar[dict[str, str]] = {
        "Z0.error": "for EVERY output weights V the squared error at the stored hidden weights is at least "
        "{error_lower}",
    }

    output_weights: ArrayRef
    error_lower: Lower


class Z1(Computed, frozen=True, kw_only=True, tag="Z1"):
    """Output weights with certified margins: zero training error, and the infimum is 0."""

    name: ClassVar[str] = "zero training error"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "zero training error and infimum 0 (Z1): every margin of Psi(U) V1 is at least gamma = {gamma}, so "
        "Phi(U, t V1) <= log(1 + (m-1) exp(-gamma t)) tends to 0. In the paper: the solvability of Psi(U) V = T."
    )
    sentences: ClassVar[dict[str, str]] = {
        "Z1": "zero training error: every margin of V is at least {gamma}; for t > 0 the loss Phi(U, t V) is at most "
        "log(1 + {others} e^(-t {gamma})) and decreases strictly to 0, its infimum",
        "Z1 offset": "zero training error for t V, t large: every margin of Psi V is at least {gamma}, and the frozen "
        "logits lower no margin by more than {drop}; for t > 0 the loss Phi(U, t V) is at most "
        "log(1 + {others} e^({drop} - t {gamma})) and decreases strictly to 0, its infimum",
    }

    output_weights: ArrayRef
    gamma: Lower


class Z2(Computed, frozen=True, kw_only=True, tag="Z2"):
    """Zero training error in a ball of hidden and output weights."""

    name: ClassVar[str] = "the ball of zero training error"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "zero training error in a ball (Z2): for all hidden weights, biases and output weights within {radius} of the "
        "stored ones, each number, every sample is classified correctly; at the centre all margins are >= {gamma}. In "
        "the paper: Theorem 3.4(1), uncountably many solutions, with an explicit radius."
    )
    sentences: ClassVar[dict[str, str]] = {
        "Z2": "zero training error for all hidden weights, biases and output weights within {radius} of the stored "
        "ones, each number: the margins, at least {gamma}, change by at most {change}",
    }

    output_weights: ArrayRef
    gamma: Lower
    radius: Lower
