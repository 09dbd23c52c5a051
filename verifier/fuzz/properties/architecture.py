"""Properties of structural statements: what is proved for data sets, given samples or scaled ones holds at random U."""

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
from verifier.network.input_maps import input_maps
from verifier.network.network import Array, Network
from verifier.rank.almost_every_data import prove_almost_every_data_set
from verifier.rank.every_data import prove_every_data_set
from verifier.rank.given_data import prove_given_data
from verifier.run.layer_tables import build_layers
from verifier.statements.smooth_activations import analytic
from verifier.verdict import Verdict

SEEDS = (21, 22, 23)
SMALL = 0.5
"""Scale of the weights above polynomials, whose values would be so large that 200 digits of tanh say 1."""


def _small() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=4, max_dimension=4, kinds=("integers", "dyadic"))
    layers = specimens(data=data, max_layers=2, max_width=5, wide=True, convolutions=False)
    return layers | specimens(data=data, max_layers=2, max_width=4) | graph_specimens()


ACTIVATIONS = ("tanh", "softplus", "sin", "cubic", "identity", "t**5 - t")
"""Some are polynomials, which tell less apart."""


@st.composite
def _filtered(draw: st.DrawFn) -> Specimen:
    """Filters with one bias or several, perhaps padded, averages over them, and dense units; samples of 0, 1 and 2."""
    length, names = draw(st.integers(2, 4)), st.sampled_from(ACTIVATIONS)
    count = draw(st.integers(2, 4))
    x = np.array(draw(st.lists(st.integers(0, 2), min_size=count * length, max_size=count * length)), dtype=np.float64)
    tables: list[dict[str, object]] = []
    left, stages = length, draw(st.integers(1, 2))
    for _ in range(stages):
        kernel = draw(st.integers(1, min(2, left)))
        padding = draw(st.integers(0, kernel - 1))
        bias = draw(st.sampled_from(["tied", "tied", "per-unit"]))
        tables.append(
            {"kind": "conv1d", "filters": draw(st.integers(1, 2)), "kernel": [kernel], "activation": draw(names)}
        )
        tables[-1] |= {"bias": bias, "padding": [padding], "skip": draw(st.booleans())}
        left += 2 * padding - kernel + 1
        if draw(st.booleans()):
            window = draw(st.sampled_from(sorted({1, min(2, left), left})))
            tables.append({"kind": "avgpool", "kernel": [window]})
            left //= window
    tables.append({"kind": "dense", "width": count, "activation": draw(names), "skip": True})
    network = Network((1, length), build_layers(tables))
    u, v = np.ones(network.parameter_count), np.zeros((network.columns, 2))
    labels = np.zeros(count, dtype=np.int64)
    labels[0] = 1
    return Specimen(x.reshape(count, length), labels, tuple(tables), u, v, (1, length))


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


@holds_for(lambda: _filtered() | graph_specimens())
def given_data(specimen: Specimen) -> str:
    """Where A is PROVED for given samples, they have rank N at some random U, at 200 digits."""
    network, x = specimen.network, np.unique(specimen.inputs, axis=0)
    if analytic(network)[0] is not Verdict.PROVED:
        return "not analytic"
    found = prove_given_data(network, x)
    if not found.proved:
        return str(found.verdict)
    ranks = [_rank(network, initialise(network, seed=seed, scale=SMALL), x) for seed in SEEDS]
    if max(ranks) < len(x):
        raise Falsified(f"A is PROVED for these samples; the ranks at the random U of seeds {SEEDS} are {ranks}")
    return "PROVED"


@holds_for(lambda: _filtered() | _small())
def scaled_samples(specimen: Specimen) -> str:
    """Where weights undo D x + c, the largest rank at random U is the same for x and D x + c, at 200 digits."""
    network, x = specimen.network, np.unique(specimen.inputs, axis=0)
    found, d = input_maps(network), network.dimension
    if found.obstacle:
        return "none"
    rng = np.random.default_rng(SEEDS[0])
    leaders = np.array(found.leaders)
    factors = np.diag(rng.choice([-1.0, 0.5, 1.5], d)[leaders])
    if found.matrix:
        factors = np.tril(rng.integers(-1, 2, (d, d)), -1) + factors
    shift = rng.integers(-2, 3, d)[leaders] / 2 * found.shift
    ranks = []
    for samples in (x, x @ factors.T + shift):
        ranks.append(max(_rank(network, initialise(network, seed=seed, scale=SMALL), samples) for seed in SEEDS))
    if ranks[0] != ranks[1]:
        raise Falsified(f"{found}: yet the largest ranks at the random U of seeds {SEEDS} are {ranks} on x and D x + c")
    return ("matrix" if found.matrix else "groups") + (" and shift" if found.shift else "")


def _rank(network: Network, u: Array, x: Array) -> int:
    with mpmath.workdps(oracle.DIGITS):
        return oracle.approx_rank_to(oracle.approx_features_to(network, u, x))
