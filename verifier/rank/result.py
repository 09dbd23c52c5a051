"""What is known of the rank of Psi(U): the ladder's result."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import at_least
from verifier.display import Card, Decided, Shown, Table
from verifier.rank.deficiency import Deficiency
from verifier.rank.gram import GramBound
from verifier.rank.numerical_rank import NumericalRank
from verifier.rank.rational import ExactRank
from verifier.rank.right_inverse import RankBound, RightInverse
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class RankResult(Decided, Shown):
    """What is known of ``rank Psi(U) = N``.

    Guarantee: of a result that a prover returns (R1, R2, R3, R5, R6), PROVED says that Psi(U) has rank N in exact
    arithmetic, REFUTED that it has not.

    When PROVED, ``sigma_lower`` is the best proved lower bound of sigma_N; ``bound`` and ``witness`` are what a
    certificate states (R1, R3), ``gram`` is R2's evidence. ``deficiency`` is set when REFUTED; ``exact`` if R6 decided,
    which bounds no singular value (``sigma_lower`` is 0 then); ``precision`` is that of Arb's balls, in the proof or
    in a check of it; ``attempts`` tells the ladder's story with its costs.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> result, _ = vf.prove_rank(vf.FeatureEnclosure(network, u, np.array([[0.0], [0.0], [1.0]]), 64))
    >>> result.label, result.proved, result.deficiency.rank_at_most
    ('R5', False, 2)
    """

    verdict: Verdict
    samples: int
    columns: int
    precision: int
    reason: str
    attempts: tuple[str, ...]
    bound: RankBound | None = None
    witness: RightInverse | None = None
    deficiency: Deficiency | None = None
    gram: GramBound | None = None
    sigma_lower: float = 0.0
    exact: ExactRank | None = None
    numerical: NumericalRank | None = None
    """What elimination shows where nothing is proved; it proves nothing."""

    @property
    def label(self) -> str:
        """``R2`` without a witness, ``R1`` to 64 bits, ``R3`` above, ``R5`` refuted, ``R6`` exact, ``R`` undecided."""
        if self.exact is not None and self.bound is None and self.verdict is not Verdict.UNDECIDED:
            return "R6"
        if self.verdict is Verdict.REFUTED:
            return "R5"
        if self.verdict is Verdict.UNDECIDED:
            return "R"
        if self.bound is None:
            return "R2"
        return "R1" if self.precision <= FIRST_BITS else "R3"

    def _card(self) -> Card:
        values = [("rung", self.label), ("N x M", f"{self.samples} x {self.columns}")]
        if self.verdict is Verdict.PROVED:
            values.append(("rank", str(self.samples)))
        if self.sigma_lower > 0:
            values.append(("sigma_N >=", at_least(self.sigma_lower)))
        if self.deficiency is not None:
            values.append(("rank <=", str(self.deficiency.rank_at_most)))
        values.append(("precision", f"{self.precision} bits"))
        ladder = Table("The ladder: what was tried", ("attempt",), tuple((text,) for text in self.attempts))
        tables = (ladder,) if self.attempts else ()
        return Card("Full row rank of Psi(U)", str(self.verdict), self.reason, tuple(values), tables)
