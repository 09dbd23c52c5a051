"""D at random samples, by exact fractions; where no U has full rank on almost all data nothing is proved."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from planted import seeds

import verifier as vf
from verifier.fuzz import oracle
from verifier.network.blocks import Activate, Add, Flatten, LayerNorm, MaxPool, MultiHeadAttention
from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.rank.almost_every_data import jointly_analytic, prove_almost_every_data_set
from verifier.statements.smooth_activations import analytic

Dense = vf.Dense
RATIONAL = ("identity", "square", "cubic", "t**3 - t")


@seeds(8)
def test_the_stored_point_has_full_rank_on_random_data(rng):
    """U* is fixed and the samples are drawn anew: exact fractions."""
    d, widths = int(rng.integers(1, 4)), rng.integers(1, 6, 2)
    names = [RATIONAL[int(rng.integers(4))] for _ in range(2)]
    layers = [Dense(int(widths[0]), names[0], skip=bool(rng.integers(2))), Dense(int(widths[1]), names[1], skip=True)]
    network = Network(d, layers, output_bias=bool(rng.integers(2)))
    count = int(rng.integers(1, network.columns + 1))
    found = prove_almost_every_data_set(network, count, seed=int(rng.integers(5)))
    if found.proved:
        assert found.u is not None and found.x is not None and found.x.shape == (count, d)
        for x in (found.x, rng.integers(-99, 100, (count, d)) / 16.0):
            assert oracle.exact_rank(network, found.u, x) == count
    else:  # no U that is drawn has full rank on these samples, either
        x = rng.integers(-99, 100, (count, d)) / 16.0
        u = rng.integers(-9, 10, network.parameter_count) / 8.0
        assert oracle.exact_rank(network, u, x) < count


def frozen(*layers, **numbers):
    return Network(2, list(layers), frozen={name.replace("_", "."): np.array(v) for name, v in numbers.items()})


FEW = {
    "the same units twice": (
        Network(2, [Dense(3, "tanh", skip=True, name="a"), Dense(3, "tanh", skip=True, name="a", inputs=("input",))]),
        3),
    "units behind frozen zeros": (
        frozen(Dense(4, "tanh", skip=True), layer0_weight=np.zeros((4, 2))), 1),
    "lines in the plane": (Network(2, Dense(9, "identity", skip=True)), 3),
    "lines and an output bias": (Network(2, Dense(9, "identity", skip=True), output_bias=True), 3),
    "cubes on a line": (Network(1, Dense(9, "cubic", skip=True)), 4),
    "a bottleneck of one number": (Network(3, [Dense(1, "identity"), Dense(9, "square", skip=True)]), 3),
    "a normalised row": (Network(4, [LayerNorm(), Dense(9, "identity", skip=True)]), 4),
}  # fmt: skip
"""Networks with more columns than the largest rank that any U has on random samples."""


@pytest.mark.parametrize("name", FEW)
def test_nothing_is_proved_beyond_the_largest_rank(name):
    network, most = FEW[name]
    assert network.columns > most
    assert prove_almost_every_data_set(network, most).proved
    found = prove_almost_every_data_set(network, most + 1)
    assert found.verdict is vf.Verdict.UNDECIDED and found.u is None and found.applies


def with_a_mask_of_the_samples():
    build = Builder((2, 2))
    scores = build.affine([0], 2, "a", over="last")
    build.feature(build.add(vf.nodes.Softmax((scores, 0))))
    return Network.of(build.nodes, build.features)


def with_a_root_of_the_samples(epsilon):
    build = Builder((2,))
    square = build.add(vf.nodes.Multiply((0, 0)))
    root = build.add(vf.nodes.InverseRoot((square,), Fraction(epsilon)))
    build.feature(build.map(build.affine([root], 3, "a"), vf.activation("tanh")))
    return Network.of(build.nodes, build.features)


REFUSED = {
    "relu in node 4 (map)": Network(2, Dense(5, "relu", skip=True)),
    "relu in node 1 (map)": Network(2, [Activate("relu"), Dense(5, "tanh", skip=True)]),
    "a maximum that depends on U or the sample": Network((1, 4), [MaxPool((2,)), Dense(5, "tanh", skip=True)]),
    "node 1 (map)": Network(2, [Activate("abs"), Dense(5, "tanh", skip=True)]),
    "epsilon = 0": Network(3, [LayerNorm(epsilon=0), Dense(5, "tanh", skip=True)]),
    "node 2 (embed): tokens": Network(3, [vf.Embedding(4, 2), Flatten(), Dense(5, "tanh", skip=True)]),
    "the mask depend": with_a_mask_of_the_samples(),
    "1/sqrt(x)": with_a_root_of_the_samples(0),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_not_analytic_in_the_samples_is_refused_by_its_node(words):
    found = prove_almost_every_data_set(REFUSED[words], 3)
    assert found.verdict is vf.Verdict.UNDECIDED and not found.applies and words in found.reason


def test_what_is_frozen_and_not_analytic_passes_in_w0_only():
    network = frozen(
        Dense(3, "relu"), Dense(5, "tanh", skip=True), layer0_weight=np.ones((3, 2)), layer0_bias=[0.0] * 3
    )
    assert analytic(network)[0] is vf.Verdict.PROVED and not jointly_analytic(network)[0]
    maximum = REFUSED["a maximum that depends on U or the sample"]
    assert analytic(maximum)[0] is vf.Verdict.PROVED and not jointly_analytic(maximum)[0]


def test_what_is_analytic_in_both_is_taken():
    assert prove_almost_every_data_set(with_a_root_of_the_samples(1), 2).proved
    attention = Network((2, 4), [LayerNorm(), MultiHeadAttention(2), Add(inputs=("input", 1)), Flatten(skip=True)])
    assert prove_almost_every_data_set(attention, 4).proved
    assert prove_almost_every_data_set(Network((1, 4), vf.Conv(2, (2,), "gelu", bias="tied", skip=True)), 5).proved


def test_the_same_seed_gives_the_same_point_and_another_another():
    network = Network(2, Dense(4, "tanh", skip=True))
    first, again, other = (prove_almost_every_data_set(network, 3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.x, again.x) and np.array_equal(first.u, again.u)
    assert not np.array_equal(first.x, other.x) and not np.array_equal(first.u, other.u)


def test_sizes_that_do_not_fit_are_said():
    network = Network(2, Dense(4_000_000, "tanh", skip=True))
    assert "more than 8000000 entries" in prove_almost_every_data_set(network, 3).reason
    short = prove_almost_every_data_set(Network(2, Dense(4, "tanh", skip=True)), 5)
    assert "needs M >= N: M = 4 skip units, and N = 5; the largest N for it is 4" in short.reason and not short.applies
