"""R1, R3, R5, R6, B1: what a certificate claims of the rank at the stored U, or bounds it by for every U."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from verifier.statements.claims.claim import ArrayRef, BelowOne, Claim, Computed, Count, Lower, Positive, TensorName

FULL_RANK = (
    "rank Psi = N = {rank}: the feature matrix at the stored weights has full row rank, and its smallest singular "
    "value is at least {sigma_lower}"
)
REFUTES = "proved by structure; this refutes full rank, not the absence of bad valleys"
EXACTLY = "exactly: at the stored weights all features are rational numbers"

DeficiencyReason = Literal["fewer-units", "equal-samples", "dependent-units", "every-u"]


class RightInverse(Computed, frozen=True, kw_only=True):
    """What R1 and R3 state: a right inverse of Psi with an exact residual."""

    name = "full row rank at this U"
    ranks = True
    full_rank_somewhere = True
    swept = True

    rank: Positive
    columns: TensorName | None
    feature_bits: Annotated[int, Meta(ge=1, le=16384)]
    right_inverse: ArrayRef
    norm_products: Annotated[int, Meta(ge=0, le=12)]
    alpha: BelowOne
    sigma_lower: Lower


class R1(RightInverse, frozen=True, kw_only=True, tag="R1"):
    """Full row rank by a right inverse, at 64 bits at most."""

    meaning: ClassVar[str] = (
        "full row rank by an approximate right inverse X (R1): ||I - Psi X||_2 <= {alpha} < 1, so rank Psi(U) = {rank} "
        "and sigma_N(Psi(U)) >= {sigma_lower}. In the paper: the conclusion of Lemma 3.2 at this U."
    )
    sentences: ClassVar[dict[str, str]] = {"R1": FULL_RANK}


class R3(RightInverse, frozen=True, kw_only=True, tag="R3"):
    """Full row rank by a right inverse, after the precision was raised above 64 bits."""

    meaning: ClassVar[str] = (
        "full row rank by an approximate right inverse X at {precision} bits (R3): ||I - Psi X||_2 <= {alpha} < 1, so "
        "rank Psi(U) = {rank} and sigma_N(Psi(U)) >= {sigma_lower}. In the paper: the conclusion of Lemma 3.2 at this "
        "U."
    )
    sentences: ClassVar[dict[str, str]] = {"R3": FULL_RANK}


class R5(Claim, frozen=True, kw_only=True, tag="R5"):
    """A bound of the rank by structure: at this U, or with the reason ``every-u`` at every U."""

    name: ClassVar[str] = "the rank's deficiency"
    meaning: ClassVar[str] = "rank deficiency by structure (R5, {reason}): rank Psi(U) <= {rank_at_most} < N."
    meaning_for_every_u: ClassVar[str] = (
        "rank deficiency for every U (R5, {reason}): rank Psi(U) <= {rank_at_most} < N for EVERY U; the stored hidden "
        "weights do not matter. In the paper: the conclusion of Lemma 3.2 fails for this network and data."
    )
    sentences: ClassVar[dict[str, str]] = {
        "R5": "rank Psi <= {rank_at_most} < N = {samples} at the stored weights, " + REFUTES,
        "R5 every-u": "for EVERY U: rank Psi(U) <= {rank_at_most} < N = {samples}, " + REFUTES,
    }

    reason: DeficiencyReason
    rank_at_most: Count

    @property
    def for_every_u(self) -> bool:
        """Whether the bound holds for every U."""
        return self.reason == "every-u"

    def said(self) -> str:
        """The claim in words; a bound for every U says so."""
        return (self.meaning_for_every_u if self.for_every_u else self.meaning).format(**self.words())


class R6(Claim, frozen=True, kw_only=True, tag="R6"):
    """The exact rank of rational features."""

    name: ClassVar[str] = "the exact rank"
    meaning: ClassVar[str] = (
        "the exact rank (R6): at the stored weights all features are rational numbers, and rank Psi(U) = {rank}."
    )
    sentences: ClassVar[dict[str, str]] = {
        "R6": "rank Psi = {rank} < N = {samples}, "
        + EXACTLY
        + "; this refutes full rank at these weights, not the absence of bad valleys",
        "R6 full": "rank Psi = N = {samples}, " + EXACTLY,
    }

    rank: Count


class B1(Claim, frozen=True, kw_only=True, tag="B1"):
    """Full rank in a ball of hidden weights; it stands on a claim of full rank at this U."""

    name: ClassVar[str] = "the ball of full rank"
    meaning: ClassVar[str] = (
        "full rank in a ball (B1): with the full rank also claimed, rank Psi(U') = N for every U' whose hidden weights "
        "and biases are within {radius} of the stored ones, each number."
    )
    sentences: ClassVar[dict[str, str]] = {
        "B1": "rank Psi(U') = N = {samples} for every U' within {radius} of the stored hidden weights and biases, each "
        "number",
    }

    radius: Lower
