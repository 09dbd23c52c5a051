"""W0: full rank at almost every U, as a certificate claims it."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import Claim


class W0(Claim, frozen=True, tag="W0"):
    """Full rank at almost every U; it stands on a claim of full rank at some U."""

    name: ClassVar[str] = "full rank at almost every U"
    needs_weights: ClassVar[bool] = False
    carries: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "full rank almost everywhere (W0): the features are real analytic in U, so, with the full rank also claimed, "
        "{{U : rank Psi(U) < N}} is closed and has measure zero, and every local valley of every convex finite loss of "
        "Psi V reaches the infimum. In the paper: Lemma 3.2 and Theorem 3.4(2), for this network and these data."
    )
    sentences: ClassVar[dict[str, str]] = {
        "W0": "rank Psi(U) = N = {samples} for almost every U (the others are a closed set of measure zero); for these "
        "data and this architecture every local valley of every convex finite loss of Psi V, V free, reaches the "
        "infimum (L3.2, T3.4(2)); T3.4(4) does not follow from this",
        "W0 arcs": "for almost every U (the others are a closed set of measure zero) the columns of Psi(U) with an arc "
        "to any one output have rank N = {samples}; for these data and this architecture every local valley of every "
        "convex finite loss of Psi V, V free along the arcs, reaches the infimum (L3.2, T3.4(2)); T3.4(4) does not "
        "follow from this",
    }
