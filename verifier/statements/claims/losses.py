"""TC.3: a path for another convex loss, as a certificate claims it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from verifier.statements.claims.claim import ArrayRef, Computed, Exact, Interval, Lower, TensorName, Upper, printed

LossName = Literal["cross-entropy", "squared", "weston-watkins", "crammer-singer", "one-vs-rest", "squared-error"]


class TC3(Computed, frozen=True, kw_only=True, tag="TC.3"):
    """A segment on which a convex loss never increases."""

    name: ClassVar[str] = "another loss's path"
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "a path without increase for the loss {loss}{variant} (TC.3): from the start V0 (loss in [{loss_lower}, "
        "{loss_upper}]) straight to V1, where it is at most {end_loss}; the infimum is in [{least}, {most}]{ray}. In "
        "the paper: Theorem C.3 (convex losses), the path in its proof, U fixed."
    )
    sentences: ClassVar[dict[str, str]] = {
        "TC.3": "the loss Phi ({loss}) {way} from {lower} .. {upper} at V0 along the segment to V1, where it is at "
        "most {end_loss}; its infimum over V is in [{infimum_lower}, {infimum_upper}]",
        "TC.3 ray": "beyond V1 it never increases along t V1 and tends to 0",
    }

    loss: LossName
    class_weights: Annotated[tuple[Exact, ...], Meta(min_length=2, max_length=10_000)] | None
    label_counts: TensorName | None
    start_weights: ArrayRef
    end_weights: ArrayRef
    start_loss: Interval
    end_loss: Upper
    infimum: Interval
    gamma: Lower | None

    def words(self) -> dict[str, str]:
        """The loss's variant, its bounds, and what is known of the ray."""
        weighted = ", classes weighted" if self.class_weights is not None else ""
        conflict = ", equal samples with different labels" if self.label_counts is not None else ""
        alone = " G_y and -G_k (k != y)" if self.loss == "one-vs-rest" else ""
        words = super().words()
        ray = f"; all margins{alone} there are at least {words['gamma']}, and along t V1 the loss tends to 0"
        return words | {
            "loss_lower": printed(self.start_loss.lower, "lower"),
            "loss_upper": printed(self.start_loss.upper, "upper"),
            "least": printed(self.infimum.lower, "lower"),
            "most": printed(self.infimum.upper, "upper"),
            "variant": weighted + conflict,
            "ray": "" if self.gamma is None else ray,
        }
