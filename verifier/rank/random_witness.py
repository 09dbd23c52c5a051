"""A dense random witness: some random U at which Psi is certified to have full row rank.

For convolutions with shared weights, and where no chain leads to enough units, the explicit construction (W1, W2) does
not apply. By W0 any one U will do, and almost every one does.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.motion import ball_work
from verifier.display import Brief, Decided
from verifier.network.arguments import given_inputs
from verifier.network.flags import flags_of
from verifier.network.initialise import initialise
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, prove_rank, silent
from verifier.rank.result import RankResult
from verifier.verdict import Verdict

TRIALS = 3
"""Seeds that are tried, each with the scales below."""
SCALES = ((1.0, True), (3.0, True), (1.0, False))
"""Standard deviations of the weights, and whether they are divided by sqrt(fan-in)."""
ENTRIES = 8_000_000
"""Largest Psi for which a dense witness is sought."""
MAX_BITS = 512
"""The last precision for a draw; one that needs more gives way to the next."""
DRAW_SECONDS = 60.0
"""A rung of a draw that may be estimated to take longer is not climbed."""
SLOW_DRAW = 5e8
"""Multiply-adds of Psi from which on a network with kinks gets one draw: its first one shows what the others will."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DenseWitness(Decided, Brief):
    """If PROVED, a random U, shape ``(p,)``, from ``seed``, with the proof that rank Psi(U) = N.

    Else why there is none, which says nothing about the rank.
    """

    verdict: Verdict
    reason: str
    u: Array | None = None
    seed: int = 0
    rank: RankResult | None = None


def random_witness(
    network: Network, inputs: Array, *, seed: int = 0, certificate: bool = False, stage: Stage = silent
) -> DenseWitness:
    """Look for a random U of certified full rank.

    Parameters
    ----------
    network, inputs
        The network and distinct samples ``(N, d)``.
    seed
        The first of a few seeds.
    certificate
        Whether the proof must be one that a certificate can carry (R1, R3).
    stage
        Progress display.

    Returns
    -------
    DenseWitness
        Guarantee: PROVED implies ``rank Psi(U) = N`` at its U.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> found = vf.random_witness(network, x)
    >>> found.proved, found.u.shape
    (True, (6,))
    """
    inputs = given_inputs(network, inputs)
    n, m = len(inputs), network.skip_count
    if m < n:
        return DenseWitness(Verdict.UNDECIDED, f"M = {m} < N = {n}")
    if n * m > ENTRIES:
        return DenseWitness(Verdict.UNDECIDED, f"Psi would have {n * m} entries, more than {ENTRIES}")
    smooth = not flags_of(network).obstacles
    ranks: dict[int, int] = {}
    """The numerical rank by the seed, where it is below N."""
    trials = TRIALS if smooth or n * ball_work(network) < SLOW_DRAW else 1
    for trial in range(seed, seed + trials):
        for scale, fan_in in SCALES if smooth else SCALES[:1]:
            u = initialise(network, seed=trial, scale=scale, fan_in=fan_in)
            features = FloatEnclosure(network, u, inputs, numpy_backend())
            found, _ = prove_rank(
                features,
                max_bits=MAX_BITS,
                stage=stage,
                certificate=certificate,
                patience=DRAW_SECONDS,
                refute=False,
            )
            if found.verdict is Verdict.PROVED:
                return DenseWitness(Verdict.PROVED, found.reason, u, trial, found)
            if found.deficiency is not None:
                ranks[trial] = max(ranks.get(trial, 0), found.deficiency.rank_at_most)
            elif found.numerical is not None and found.numerical.deficient:
                ranks[trial] = max(ranks.get(trial, 0), found.numerical.rank)
        if smooth and len(ranks) > 1 and len(set(ranks.values())) == 1:
            rank = max(ranks.values())
            words = f"no random U was certified to have full rank: two draws have numerical rank {rank} < N = {n}. "
            words += "Features analytic in U have their largest rank at almost every U, so probably no U has full rank"
            return DenseWitness(Verdict.UNDECIDED, f"{words}; then only other features help")
    tried = trials * (len(SCALES) if smooth else 1)
    was = "was" if tried == 1 else "were"
    return DenseWitness(Verdict.UNDECIDED, f"{tried} random U {was} tried, none was certified to have full rank")
