"""C4, C2+: what a certificate claims of local maxima and strict local minima at every (U, V), by the architecture."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import Claim, Count


class C4(Claim, frozen=True, tag="C4"):
    """No local maximum at any (U, V); the node of the units whose bias moves, or None beside an output bias."""

    name: ClassVar[str] = "no local maximum anywhere"
    needs_weights: ClassVar[bool] = False
    needs_samples: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "no local maximum anywhere (C4): for EVERY data set, conflicting labels too, no (U, V) is a local maximum of "
        "the cross-entropy or the squared error; {how}. In the paper: Theorem 3.4(4), at every point, also where "
        "Psi(U) = 0."
    )
    sentences: ClassVar[dict[str, str]] = {
        "C4": "for EVERY data set (equal samples may have different labels): no (U, V) at which Phi is defined is a "
        "local maximum of the squared error or, for two outputs or more, of the cross-entropy or any other finite "
        "loss of the logits Psi V that is convex, and strictly so along every direction with a row that is not "
        "constant",
    }

    node: Count | None

    def words(self) -> dict[str, str]:
        """What moves: an output bias, or a bias in U."""
        return {
            "how": "along an output bias" if self.node is None else f"at Psi(U) = 0 a bias of node {self.node} moves"
        }


class C2Plus(Claim, frozen=True, tag="C2+"):
    """No suboptimal strict local minimum at any (U, V), as Psi has as many columns as there are samples."""

    name: ClassVar[str] = "no suboptimal strict local minimum"
    needs_weights: ClassVar[bool] = False
    needs_samples: ClassVar[bool] = False
    meaning: ClassVar[str] = (
        "no suboptimal strict local minimum (C2+): M >= N, so for every data set of as many samples, or fewer, all "
        "labels and every convex finite loss no (U, V) above the infimum is one; for softmax losses not even up to "
        "V + v 1^T. In the paper: Theorem 3.4(3)."
    )
    sentences: ClassVar[dict[str, str]] = {
        "C2+": "for EVERY data set of N = {samples} samples, or of fewer, all labels and every convex finite loss phi "
        "of the logits Psi V, V free: no (U, V) whose loss is above the infimum is a strict local minimum; if phi does "
        "not change when all logits of a sample change alike, not even one with a column of V held at 0",
    }
