"""The instances behind the figures, with what is proved of them."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.errors import PrecisionError
from verifier.landscape.path import Path, prove_path
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.network import Array, Network
from verifier.rank.certify import prove_rank
from verifier.statements.evidence import Evidence
from verifier.statements.proof import prove_statements
from verifier.statements.theorem import Theorem
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Proof:
    """An instance, and the path and the theorem's steps that were proved for it."""

    data: Dataset
    network: Network
    u: Array
    v: Array
    path: Path
    theorem: Theorem | None


def prove_instance(samples: Dataset, network: Network, u: Array, v: Array, *, theorem: bool = False) -> Proof:
    """Prove full rank and the path from (U, V); all by Arb.

    Raises
    ------
    PrecisionError
        If that does not succeed.
    """
    grouping = group_duplicates(samples)
    data = grouping.dataset
    if data.labels is None:
        raise PrecisionError("equal samples have different labels: there is no path to loss 0")
    rank, features = prove_rank(FeatureEnclosure(network, u, data.inputs, FIRST_BITS))
    zero = prove_zero_loss(features, data.labels, data.classes, witness=rank.witness)
    found = prove_path(zero, ExactArray.of_floats(v), data.labels, data.multiplicities.tolist())
    if rank.verdict is not Verdict.PROVED or found.path is None:
        raise PrecisionError(f"nothing to draw: {rank.reason}; {found.reason}")
    steps = None
    if theorem:
        result = (found.verdict, found.reason)
        steps = prove_statements(
            Evidence(data, grouping, network, u, v, features, rank, zero, found.path, None, result)
        )
    return Proof(data, network, u, v, found.path, steps)
