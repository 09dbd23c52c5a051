"""Whether almost every U has full rank: the hypotheses of W0 are decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.display import Decided
from verifier.network.network import Array, Network
from verifier.rank.dead import DeadOpenSet, dead_open_set
from verifier.statements.smooth_activations import analytic
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class GenericRank(Decided):
    """Whether almost every U has full rank, why, and whether W0 says something here at all.

    Parameters
    ----------
    verdict
        ``PROVED`` by W0; ``REFUTED`` by a bound for every U, or on an open set of U; else ``UNDECIDED``.
    reason
        In words.
    applies
        Whether W0's hypotheses are not known to fail: nothing that depends on U is a maximum or an activation that is
        proved not to be analytic, and a U of full rank is not excluded.
    lacks_witness
        Whether nothing but a U of full rank is missing for PROVED.
    dead
        A box of U on which the rank is below N, if one refutes.
    """

    verdict: Verdict
    reason: str
    applies: bool
    lacks_witness: bool = False
    dead: DeadOpenSet | None = None

    @property
    def label(self) -> str:
        """The statement that is decided: W0, or Lemma 3.2's conclusion where that is refuted."""
        return "L3.2 genericity" if self.verdict is Verdict.REFUTED else "W0"


def decide_generic(network: Network, full_rank: Verdict, inputs: Array | None = None) -> GenericRank:
    """Decide W0's hypotheses, and with them whether almost every U has full rank.

    Parameters
    ----------
    network
        The network.
    full_rank
        ``PROVED`` if one U is known at which Psi has rank N, ``REFUTED`` if there is none, else ``UNDECIDED``: what
        "L3.2 construction" says.
    inputs
        The samples, shape ``(N, d)``; None if no open set of deficient U is to be sought in them.

    Returns
    -------
    GenericRank
        Guarantee: ``PROVED`` only if Psi is proved to be real analytic in U and ``full_rank`` is PROVED: then
        ``{U : rank Psi(U) < N}`` is closed and of measure zero, for ``det(Psi Psi^T)`` is analytic in U on all of R^p
        and not identically zero (THEORY W0; Mityagin, The zero set of a real analytic function, 2015). ``REFUTED``
        only if no U has full rank, or a box of positive measure has none.
    """
    if full_rank is Verdict.REFUTED:
        return GenericRank(Verdict.REFUTED, "no U has full rank", False)
    smooth, why = analytic(network)
    if smooth is Verdict.REFUTED:
        dead = None if inputs is None else dead_open_set(network, inputs)
        if dead is None:
            return GenericRank(Verdict.UNDECIDED, f"W0 does not apply: {why}", False)
        reason = f"rank Psi(U) <= {dead.rank_at_most} < N on an open set of U: {dead.explanation}"
        return GenericRank(Verdict.REFUTED, reason, False, dead=dead)
    if smooth is not Verdict.PROVED:
        return GenericRank(Verdict.UNDECIDED, f"W0 needs features that are analytic in U: {why}", True)
    if full_rank is not Verdict.PROVED:
        return GenericRank(Verdict.UNDECIDED, "no U of full rank is known", True, lacks_witness=True)
    reason = "analytic, and of full rank at one U: so at almost every U (the exceptions are closed and null)"
    return GenericRank(Verdict.PROVED, reason, True)
