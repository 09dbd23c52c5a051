"""GDV: what a certificate claims of gradient descent on V."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from verifier.statements.claims.claim import ArrayRef, Computed, Exact, Upper

MAX_STEPS = 10**18
"""Of a number of steps in the format."""


class GDV(Computed, frozen=True, kw_only=True, tag="GDV"):
    """A number of steps after which gradient descent on V has classified all samples, and stays there."""

    name: ClassVar[str] = "gradient descent on V"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "gradient descent on V (GDV): with U at rest, V_(t+1) = V_t - (1/L) grad_V Phi(V_t), L = {smoothness}, in "
        "exact arithmetic from the stored start classifies all samples from step {steps} on; the loss is at most "
        "{loss} + L |V_0 - Z|^2 / (2t) at every step t, Z stored, and never increases."
    )
    sentences: ClassVar[dict[str, str]] = {
        "GDV": "gradient descent on the output weights, V_(t+1) = V_t - (1/L) grad_V Phi(V_t) with L = {smoothness}, "
        "in exact arithmetic from the stored V_0, the hidden weights at rest: the cross-entropy never increases, is at "
        "most {loss} + {distance} / t at every step t >= 1, and every sample is classified correctly from step {steps} "
        "on; the same where entries of V in which the stored Z agrees with V_0 are held fixed",
    }

    start_weights: ArrayRef
    end_weights: ArrayRef
    smoothness: Exact
    feature_bits: Annotated[int, Meta(ge=1, le=16384)]
    loss: Upper
    steps: Annotated[int, Meta(ge=1, lt=MAX_STEPS)]
