"""The rank of each output's own columns of Psi, where some columns have no arc to some outputs (THEORY2 G(c))."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.display import Brief, Decided
from verifier.network.arguments import BoolArray
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, prove_rank, silent
from verifier.rank.result import RankResult
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class OutputRanks(Decided, Brief):
    """Whether each output's own columns have full row rank, why, and the rank by the indices of the columns."""

    verdict: Verdict
    reason: str
    found: dict[tuple[int, ...], RankResult] = field(default_factory=dict)


def prove_ranks_of_outputs(
    network: Network, u: Array, inputs: Array, arcs: BoolArray, *, max_bits: int, stage: Stage = silent
) -> OutputRanks:
    """Prove the rank of each output's own columns at one U; outputs with equal columns share a proof.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, the samples ``(N, d)``.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``.
    max_bits
        Last precision of the ladder.
    stage
        Progress display.

    Returns
    -------
    OutputRanks
        Guarantee: ``PROVED`` implies rank F_k(U) = N for every output k, F_k its own columns of Psi.
    """
    found: dict[tuple[int, ...], RankResult] = {}
    for own in dict.fromkeys(tuple(np.flatnonzero(column).tolist()) for column in arcs.T):
        features = FeatureEnclosure(network.with_columns(own), u, inputs, FIRST_BITS)
        found[own], _ = prove_rank(features, max_bits=max_bits, stage=stage, guard=False)
    if all(result.verdict is Verdict.PROVED for result in found.values()):
        return OutputRanks(Verdict.PROVED, "each output's own columns of Psi have full row rank", found)
    fewest, samples = int(arcs.sum(axis=0).min()), len(inputs)
    why = "each has enough of them: another U may do"
    if fewest < samples:
        why = f"an output has only {fewest} of its own for N = {samples} samples; give each at least N"
    words = "not proved that each output's own columns of Psi have full row rank"
    return OutputRanks(Verdict.UNDECIDED, f"{words}{':' if fewest < samples else ';'} {why}", found)
