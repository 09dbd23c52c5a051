"""D: almost every data set of N samples has full rank at almost every U, from one pair (U*, X*) (THEORY2 D).

Psi is analytic in U and in the samples, both of which run through all real numbers; then det(Psi Psi^T), which is not 0
at one pair, is 0 on a null set only.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.display import Brief, Decided
from verifier.network.flags import flags_of
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, silent
from verifier.rank.deficiency import structural_bound_every_u
from verifier.rank.every_data import chosen_by_samples, in_the_way, too_few_columns
from verifier.rank.random_witness import ENTRIES, random_witness
from verifier.rank.result import RankResult
from verifier.verdict import Verdict

SAMPLE_STREAM = 1_000_033
"""A stream of random numbers that no layer and no output has."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AlmostEveryDataSet(Decided, Brief):
    """Whether almost every data set has full rank at almost every U, and why.

    Where a hypothesis fails it does not apply. If PROVED, ``u``, shape ``(p,)``, and ``x``, shape ``(N, d)``, are U*
    and X*, and ``rank`` is the proof that rank Psi(U*; X*) = N.
    """

    verdict: Verdict
    reason: str
    u: Array | None = None
    x: Array | None = None
    rank: RankResult | None = None
    applies: bool = True


def prove_almost_every_data_set(
    network: Network, samples: int, *, seed: int = 0, stage: Stage = silent
) -> AlmostEveryDataSet:
    """Prove D: draw samples X* and look for a U* of certified full rank.

    Parameters
    ----------
    network : Network
        Any network; frozen parameters keep their numbers.
    samples : int
        N >= 1.
    seed : int, optional
        Of X*, and the first seed of U*.
    stage : callable, optional
        Progress display.

    Returns
    -------
    AlmostEveryDataSet
        Guarantee: ``PROVED`` implies that Psi is real analytic in (U, x) on R^p x R^d and rank Psi(U*; X*) = N, so that
        D holds for N samples. ``UNDECIDED`` says nothing.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.rank.almost_every_data import prove_almost_every_data_set
    >>> found = prove_almost_every_data_set(vf.Network(2, vf.Dense(5, "tanh", skip=True)), 4)
    >>> found.verdict, found.x.shape
    (<Verdict.PROVED: 'PROVED'>, (4, 2))
    """
    short = too_few_columns(network, samples)
    if short:
        return AlmostEveryDataSet(Verdict.UNDECIDED, short, applies=False)
    smooth, words = jointly_analytic(network)
    if not smooth:
        return AlmostEveryDataSet(Verdict.UNDECIDED, words, applies=False)
    if samples * max(network.columns, network.dimension) > ENTRIES:
        words = f"Psi or X would have more than {ENTRIES} entries; take fewer samples"
        return AlmostEveryDataSet(Verdict.UNDECIDED, words)
    draws = portable_gaussian(seed, (SAMPLE_STREAM,), samples * network.dimension)
    x = draws.reshape(samples, network.dimension)
    every = structural_bound_every_u(network, x)
    if every is not None:
        words = f"for the samples drawn rank Psi(U) <= {every.rank_at_most} < N at every U: {every.explanation}"
        return AlmostEveryDataSet(Verdict.UNDECIDED, words)
    found = random_witness(network, x, seed=seed, certificate=True, stage=stage)
    if found.u is None or found.rank is None:
        return AlmostEveryDataSet(Verdict.UNDECIDED, f"for the samples drawn {found.reason}")
    words = f"analytic in U and x, and of full rank at one pair (U*, X*): {found.rank.label}, {found.reason}"
    return AlmostEveryDataSet(Verdict.PROVED, words, found.u, x, found.rank)


def jointly_analytic(network: Network) -> tuple[bool, str]:
    """Whether every node is real analytic in U and the sample together.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    (bool, str)
        Guarantee: true only if it is, on R^p x R^d, and no mask or tokens depend on the sample. And the reason.
    """
    obstacles = [*chosen_by_samples(network), *flags_of(network, jointly=True).obstacles]
    if obstacles:
        return False, f"not analytic in U and the sample: {in_the_way(obstacles[0])}"
    return True, "analytic in U and the sample"
