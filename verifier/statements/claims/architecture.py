"""D, A: what a certificate claims of almost every data set, or of every one; no labels, and for A no samples."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.statements.claims.claim import Claim, Count, Positive, counted


class D(Claim, frozen=True, tag="D"):
    """Full rank at almost every U for almost every data set; it stands on full rank at one U on the stored samples."""

    name: ClassVar[str] = "almost every data set"
    needs_weights: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "no bad local valley for almost every data set (D): the features are real analytic in U and the sample, so, "
        "with the full rank also claimed, the data sets for which no U has full rank are a closed null set; for every "
        "other data set of as many samples or fewer, all labels and all convex finite losses, almost every U has full "
        "rank and every local valley reaches the infimum. Nothing is said of a given data set, nor of integer or 8-bit "
        "data (a null set)."
    )
    sentences: ClassVar[dict[str, str]] = {
        "D": "for almost every data set of N = {samples} samples in R^{dimension}, or of fewer (the others are a "
        "closed null set), its samples are distinct, and for ALL labels and ALL convex finite losses of Psi V, V free: "
        "rank Psi(U) = N for almost every U, and every local valley reaches the infimum; moreover U* itself has full "
        "rank for almost every data set. This says NOTHING about a given data set, nor about integer or 8-bit data (a "
        "null set)",
    }


class UnitsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Some units of a dense layer that are columns of Psi: the node that is its output, and how many."""

    node: Count
    count: Positive


class A(Claim, frozen=True, kw_only=True, tag="A"):
    """Full rank at almost every U for every data set of distinct samples, by the architecture alone."""

    name: ClassVar[str] = "every data set"
    needs_weights: ClassVar[bool] = False
    needs_samples: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "no bad local valley for EVERY data set (A): by the architecture alone ({count}, dense, with weights of their "
        "own and analytic activations, over layers that tell distinct samples apart), for every set of as many "
        "distinct samples or fewer, all labels and all convex finite losses, almost every U has full rank and every "
        "local valley reaches the infimum."
    )
    sentences: ClassVar[dict[str, str]] = {
        "A": "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, ALL labels and ALL "
        "convex finite losses of Psi V, V free: rank Psi(U) = N for almost every U (the others are a closed set of "
        "measure zero), and every local valley reaches the infimum; T3.4(4) does not follow from this",
    }

    units: Annotated[tuple[UnitsOf, ...], Meta(max_length=65536)]

    def words(self) -> dict[str, str]:
        """How many units there are."""
        return {"count": counted(sum(part.count for part in self.units), "unit")}


class ShownUnitsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Some units that are columns of Psi: the node that is their output, and which entries of it they are."""

    node: Count
    entries: Annotated[tuple[Count, ...], Meta(min_length=1)]


class AData(Claim, frozen=True, kw_only=True, tag="A.data"):
    """Full rank at almost every U on the stored samples, by the architecture and exact comparison of the samples."""

    name: ClassVar[str] = "these samples by the architecture"
    needs_weights: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "no bad local valley for these samples (A): by the architecture and exact comparison of the samples ({count} "
        "with weights of their own and analytic activations, which read what tells all samples apart), for all labels "
        "and all convex finite losses, almost every U has full rank and every local valley reaches the infimum."
    )
    sentences: ClassVar[dict[str, str]] = {
        "A.data": "for these N = {samples} samples, ALL labels and ALL convex finite losses of Psi V, V free, by the "
        "architecture and exact comparison of the samples: rank Psi(U) = N for almost every U (the others are a "
        "closed set of measure zero), and every local valley reaches the infimum; T3.4(4) does not follow from this",
    }

    units: Annotated[tuple[ShownUnitsOf, ...], Meta(max_length=65536)]

    def words(self) -> dict[str, str]:
        """How many units there are."""
        return {"count": counted(sum(len(part.entries) for part in self.units), "unit")}
