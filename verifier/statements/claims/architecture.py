"""D, A: what a certificate claims of almost every data set, or of every one, of given and of scaled samples."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.statements.claims.claim import Claim, Count, Positive, counted


class D(Claim, frozen=True, tag="D"):
    """Full rank at almost every U for almost every data set; it stands on full rank at one U on the stored samples."""

    name: ClassVar[str] = "no bad local valley for almost every data set"
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

    name: ClassVar[str] = "no bad local valley, by the architecture alone"
    needs_weights: ClassVar[bool] = False
    carries: ClassVar[bool] = True
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
        """Say how many units there are, as a clause of the sentence."""
        return {"count": counted(sum(part.count for part in self.units), "unit")}


class ShownUnitsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Some units that are columns of Psi: the node that is their output, and which entries of it they are."""

    node: Count
    entries: Annotated[tuple[Count, ...], Meta(min_length=1)]


class AData(Claim, frozen=True, kw_only=True, tag="A.data"):
    """Full rank at almost every U on the stored samples, by the architecture and exact comparison of the samples."""

    name: ClassVar[str] = "no bad local valley for these samples, by the architecture"
    needs_weights: ClassVar[bool] = False
    carries: ClassVar[bool] = True
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
        """Say how many units there are, as a clause of the sentence."""
        return {"count": counted(sum(len(part.entries) for part in self.units), "unit")}


class I(Claim, frozen=True, tag="I"):  # noqa: E742 - the label of the theory
    """What claims for all U, or almost all, say of the stored samples holds for scaled and shifted ones."""

    name: ClassVar[str] = "the same for scaled samples"
    needs_weights: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "the same for scaled samples (I): what this certificate claims of its samples x for all U, or almost all (W0, "
        "A, E4, S(1), S(2), S+), holds for D x + c, in exact real numbers; D is any invertible matrix where all of the "
        "input is read by weights of their own, and by channels where filters read it; c is 0 beside padding."
    )
    sentences: ClassVar[dict[str, str]] = {
        "I": "what {claims} say of these samples x holds for the samples D x + c, D any invertible matrix "
        "and c any vector: a linear bijection of the weights carries the loss on these to that on x. So raw pixels "
        "settle k/255 and (x - mean)/std, in exact real numbers, not their floating-point roundings",
        "I factors": "what {claims} say of these samples x holds for the samples D x, D any invertible "
        "matrix: a linear bijection of the weights carries the loss on these to that on x. So raw pixels settle "
        "k/255, in exact real numbers, not their floating-point roundings",
        "I groups": "what {claims} say of these samples x holds for the samples D x + c, with one factor, not 0, "
        "and one shift for each group of coordinates that are read alike, such as channels ({groups}): a linear "
        "bijection of the weights carries the loss on these to that on x. So raw pixels settle k/255 and (x - "
        "mean)/std by channels, in exact real numbers, not their floating-point roundings",
        "I groups factors": "what {claims} say of these samples x holds for the samples D x, with one factor, "
        "not 0, for each group of coordinates that are read alike, such as channels ({groups}): a linear "
        "bijection of the weights carries the loss on these to that on x. So raw pixels settle k/255, in exact real "
        "numbers, not their floating-point roundings",
    }
