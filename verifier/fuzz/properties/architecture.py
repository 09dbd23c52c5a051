"""Properties of the statements without data: what is proved for all data sets, or almost all, holds on others."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.network.initialise import initialise
from verifier.network.network import Array, Network
from verifier.rank.almost_every_data import prove_almost_every_data_set
from verifier.rank.every_data import prove_every_data_set

SEEDS = (21, 22, 23)


def _small() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=4, max_dimension=4, kinds=("integers", "dyadic"))
    layers = specimens(data=data, max_layers=2, max_width=5, wide=True, convolutions=False)
    return layers | specimens(data=data, max_layers=2, max_width=4) | graph_specimens()


def awkward_data_sets(x: Array) -> Iterator[tuple[str, Array]]:
    """Yield sets of distinct samples that are no random ones, with as many rows and coordinates.

    Parameters
    ----------
    x
        Distinct samples, ``(N, d)``.
    """
    n, d = x.shape
    one = np.arange(n, dtype=np.float64)[:, np.newaxis]
    yield "the drawn samples", x
    yield "one coordinate alone", one * (np.arange(d) == d - 1)
    yield "mirrored coordinates", (one + 1) * (-1.0) ** np.arange(d)
    yield "equal coordinates", np.where(one % 2 == 0, one + 1, -one) * np.ones(d)
    turned = np.array([np.roll(np.arange(1.0, d + 1), k) for k in range(min(n, d))])
    rest = np.array([np.full(d, 7.0 + k) for k in range(n - len(turned))]).reshape(-1, d)
    yield "permuted coordinates", np.concatenate([turned, rest])


@holds_for(_small)
def every_data_set(specimen: Specimen) -> str:
    """Where A is PROVED, awkward sets of distinct samples have rank N at some random U, at 200 digits."""
    network, x = specimen.network, np.unique(specimen.inputs, axis=0)
    found = prove_every_data_set(network, len(x))
    if not found.proved:
        return str(found.verdict)
    for words, samples in awkward_data_sets(x):
        ranks = [_rank(network, initialise(network, seed=seed, scale=2.0), samples) for seed in SEEDS]
        if max(ranks) < len(x):
            raise Falsified(f"A is PROVED; on {words} the ranks at the random U of seeds {SEEDS} are {ranks}")
    return "PROVED"


@holds_for(_small)
def almost_every_data_set(specimen: Specimen) -> str:
    """Where D is PROVED, random samples have rank N at its U*, and at some random U, at 200 digits."""
    network, count = specimen.network, len(np.unique(specimen.inputs, axis=0))
    found = prove_almost_every_data_set(network, count)
    if not found.proved or found.u is None:
        return str(found.verdict)
    for seed in SEEDS:
        x = np.random.default_rng(seed).normal(size=(count, network.dimension))
        here, there = (_rank(network, u, x) for u in (found.u, initialise(network, seed=seed)))
        if max(here, there) < count:
            words = f"on the random samples of seed {seed} the ranks at U* and at a random U are {here} and {there}"
            raise Falsified(f"D is PROVED for N = {count}; {words}")
        if here < count:
            raise Falsified(f"D is PROVED for N = {count}; on the random samples of seed {seed} U* has rank {here}")
    return "PROVED"


def _rank(network: Network, u: Array, x: Array) -> int:
    with mpmath.workdps(oracle.DIGITS):
        return oracle.approx_rank_to(oracle.approx_features_to(network, u, x))
