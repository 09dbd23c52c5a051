"""C1, C3: what a certificate claims of the cross-entropy at the stored point: no stationary point, no maximum."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import ArrayRef, Computed, Count, Lower


class C1(Computed, frozen=True, kw_only=True, tag="C1"):
    """A lower bound of the gradient in V; it stands on a claim of full rank at this U."""

    name: ClassVar[str] = "the start is not stationary"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "not a stationary point (C1): with the full row rank also claimed, ||grad_V Phi(U, V)||_F >= {gradient_lower} "
        "> 0 for the cross-entropy Phi, so (U, V) is no local minimum and no local maximum."
    )
    sentences: ClassVar[dict[str, str]] = {
        "C1": "(U, V) is not a stationary point of the cross-entropy, hence no local extremum: ||grad_V Phi||_F >= "
        "{gradient_lower}",
    }

    start_weights: ArrayRef
    gradient_lower: Lower


class C3(Computed, frozen=True, kw_only=True, tag="C3"):
    """A positive second derivative along one output weight."""

    name: ClassVar[str] = "the start is not a local maximum"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "no local maximum (C3): the cross-entropy's second derivative along the weight from column {unit} of Psi to "
        "output {output} is at least {curvature_lower} > 0. In the paper: Theorem 3.4(4), at this point."
    )
    sentences: ClassVar[dict[str, str]] = {
        "C3": "(U, V) is no local maximum of the cross-entropy: along the weight from column {unit} of Psi to output "
        "{output} its second derivative is at least {curvature_lower}",
    }

    start_weights: ArrayRef
    unit: Count
    output: Count
    curvature_lower: Lower
