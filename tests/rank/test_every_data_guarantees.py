"""A holds on sets of samples that are no random ones, by exact fractions; where it fails nothing is proved."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from planted import seeds

import verifier as vf
from verifier.fuzz.oracle import exact_rank
from verifier.fuzz.properties.architecture import awkward_data_sets
from verifier.network.blocks import Activate, Add, Concatenate, LayerNorm, Masked, Reshape, Scale, Select
from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.rank.every_data import CountedUnits, prove_every_data_set
from verifier.rank.sink import prove_sink

FIFTH = "t**5 - t"
"""Exact at fractions, and no polynomial of degree 4: enough for N = 6."""
Dense = vf.Dense


def generic_rank(network, x, count=3):
    """The largest exact rank of Psi at some random U of small fractions."""
    rng = np.random.default_rng(7)
    return max(exact_rank(network, rng.integers(-9, 10, network.parameter_count) / 8.0, x) for _ in range(count))


def random_network(rng):
    """One or two dense layers that read the input or each other, perhaps behind an image of the input."""
    d, layers = int(rng.integers(1, 4)), []
    if rng.integers(2):
        layers.append([Scale(Fraction(-1, 3)), Reshape((d, 1)), Activate("t + 1")][int(rng.integers(2))])
    if rng.integers(2):
        layers.append(
            Dense(
                int(rng.integers(1, 3)), ["cubic", "identity", FIFTH][int(rng.integers(3))], skip=bool(rng.integers(2))
            )
        )
    beside = ("input", len(layers) - 1) if layers and rng.integers(2) and not isinstance(layers[-1], Reshape) else ()
    layers.append(Dense(int(rng.integers(1, 6)), [FIFTH, "cubic"][int(rng.integers(2))], skip=True, inputs=beside))
    return Network(d, layers, output_bias=bool(rng.integers(2)))


@seeds(12)
def test_what_is_proved_has_full_rank_on_every_kind_of_data(rng):
    network = random_network(rng)
    for count in range(1, min(network.columns, 6) + 2):
        found = prove_every_data_set(network, count)
        if not found.proved:
            continue
        assert sum(part.count for part in found.units) == count - network.output_bias
        x = rng.permutation(np.arange(count * network.dimension)).reshape(count, -1).astype(float)
        for words, samples in awkward_data_sets(x):
            assert generic_rank(network, samples) == count, (words, network)


def test_the_random_networks_are_not_all_refused():
    networks = [random_network(np.random.default_rng(seed)) for seed in range(40)]
    assert sum(prove_every_data_set(network, min(network.columns, 4)).proved for network in networks) >= 20


def tied_with_an_ancestor():
    """u2 x1 + c, u1 x2 + d below u1 A1 + u2 A2 + b: with x2 = -x1 all samples look the same."""
    build = Builder((2,))
    u, c, b = build.parameter("u", (1, 2), 2), build.parameter("c", (2,)), build.parameter("b", (1,))
    turned = build.add(vf.nodes.Reshape((build.add(vf.nodes.Take((u,), 1, (1, 0))),), (2,)))
    below = build.add(vf.nodes.Add((build.add(vf.nodes.Multiply((0, turned))), c)))
    build.feature(build.map(build.add(vf.nodes.Affine((below, u, b), "all", True)), vf.activation(FIFTH)))
    build.feature(build.constant([1.0]))
    return Network.of(build.nodes, build.features)


def times(factors):
    """Five units on the input times fixed numbers."""
    build = Builder((2,))
    build.feature(
        build.map(
            build.affine([build.add(vf.nodes.Multiply((0, build.constant(factors))))], 5, "a"), vf.activation(FIFTH)
        )
    )
    return Network.of(build.nodes, build.features)


def shown_twice():
    """Three units, of which one is two columns."""
    build = Builder((2,))
    units = build.map(build.affine([0], 3, "a"), vf.activation(FIFTH))
    build.feature(units, (0, 1))
    build.feature(units, (1, 2))
    return Network.of(build.nodes, build.features)


MIRRORED = np.array([[1.0, -1.0], [2.0, -2.0], [5.0, -5.0]])
ONE_COLOUR = np.array([[0.0, 0.0], [1.0, 1.0]])
FIRST_EQUAL = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]])
OPPOSITE = np.array([[1.0], [-1.0], [3.0]])
LINE = np.arange(5.0)[:, np.newaxis]
FALSE = {
    "a bias that is tied over positions": (
        Network((1, 2), vf.Conv(1, (1,), FIFTH, bias="tied", skip=True)), ONE_COLOUR),
    "weights shared with an ancestor": (tied_with_an_ancestor(), MIRRORED[:2]),
    "weights shared by two layers": (
        Network(2, [Dense(2, FIFTH, skip=True, name="a"), Dense(2, FIFTH, skip=True, name="a", inputs=("input",))]),
        MIRRORED),
    "one coordinate of two": (Network(2, [Select((0,), axis=0), Dense(5, FIFTH, skip=True)]), FIRST_EQUAL),
    "weights that are held at 0": (Network(2, Masked(5, FIFTH, mask=((0,),) * 5, skip=True)), FIRST_EQUAL),
    "an input times 0": (times([1.0, 0.0]), FIRST_EQUAL),
    "absolute values alone": (Network(1, [Activate("t**2"), Dense(5, FIFTH, skip=True)]), OPPOSITE),
    "constant units below": (Network(1, [Dense(2, "0*t + 2"), Dense(5, FIFTH, skip=True)]), OPPOSITE),
    "cubes for five": (Network(1, Dense(9, "cubic", skip=True)), LINE),
    "lines for three": (Network(1, Dense(9, "identity", skip=True)), OPPOSITE),
    "lines and a bias for three": (Network(1, Dense(9, "identity", skip=True), output_bias=True), OPPOSITE),
    "frozen weights": (
        Network(2, [Dense(5, FIFTH, skip=True)], frozen={"layer0.weight": np.ones((5, 2)), "layer0.bias": np.ones(5)}),
        MIRRORED),
    "units shown twice": (shown_twice(), np.array([[1.0, 0], [2, 0], [3, 1], [0, 4]])),
    "fewer units than samples": (Network(2, Dense(2, FIFTH, skip=True)), MIRRORED),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_negative_controls(name):
    """There the rank is below N at every U, on a set of distinct samples."""
    network, x = FALSE[name]
    assert len(np.unique(x, axis=0)) == len(x)
    assert generic_rank(network, x) < len(x)
    found = prove_every_data_set(network, len(x))
    assert found.verdict is vf.Verdict.UNDECIDED and found.units == () and found.reason


UNPROVED = {
    "relu": Network(2, Dense(5, "relu", skip=True)),
    "relu below": Network(2, [Dense(5, "relu"), Dense(5, "tanh", skip=True)]),
    "a norm that is undefined for some samples": Network(
        2, [LayerNorm(epsilon=0), Dense(5, "tanh", skip=True, inputs=("input", 0))]),
    "convolutions": Network((1, 4), vf.Conv(2, (2,), "tanh", skip=True)),
    "residual sums": Network(3, [Dense(3, "tanh"), Add(inputs=("input", 0)), Dense(5, "tanh", skip=True)]),
    "tokens": Network(3, [vf.Embedding(4, 2), vf.GlobalPool("mean", over="tokens"), Dense(5, "tanh", skip=True)]),
}  # fmt: skip


@pytest.mark.parametrize("name", UNPROVED)
def test_what_is_not_proved_names_what_is_in_the_way(name):
    found = prove_every_data_set(UNPROVED[name], 3)
    assert found.verdict is vf.Verdict.UNDECIDED
    assert "node" in found.reason or "are needed" in found.reason


def test_a_frozen_front_end_may_be_anything_that_is_defined_beside_the_input():
    frozen = {"layer0.weight": np.eye(2), "layer0.bias": np.zeros(2)}
    layers = [Dense(2, "relu"), Dense(4, FIFTH, skip=True, inputs=("input", 0))]
    network = Network(2, layers, frozen=frozen)
    assert prove_every_data_set(network, 4).units == (CountedUnits(8, 4),)
    alone = Network(2, [layers[0], Dense(4, FIFTH, skip=True)], frozen=frozen)
    assert not prove_every_data_set(alone, 4).proved
    assert (
        generic_rank(network, -np.arange(8.0).reshape(4, 2)) == 4 > generic_rank(alone, -np.arange(8.0).reshape(4, 2))
    )


def test_an_output_bias_takes_the_place_of_one_unit():
    network = Network(2, Dense(4, "tanh", skip=True), output_bias=True)
    assert prove_every_data_set(network, 5).units == (CountedUnits(4, 4),)
    assert "largest N for it is 5" in prove_every_data_set(network, 6).reason
    only = Network(1, Dense(1, "tanh", skip=(0,)), output_bias=True)
    assert prove_every_data_set(only, 1).units == () and prove_every_data_set(only, 1).proved


def test_an_input_may_be_scaled_and_shifted_first():
    assert prove_every_data_set(times([2.0, -0.5]), 5).proved
    image = [Scale(Fraction(1, 255)), Reshape((4, 1)), vf.Flatten(), Dense(4, "tanh", skip=True)]
    assert prove_every_data_set(Network((2, 2), image), 4).proved


def test_units_are_counted_from_below_and_concatenations_separate():
    layers = [Dense(2, "gelu", skip=True), Concatenate(inputs=("input", 0)), Dense(9, "sin", skip=(1, 3, 5))]
    assert prove_every_data_set(Network(2, layers), 4).units == (CountedUnits(4, 2), CountedUnits(9, 2))


@pytest.mark.parametrize(
    ("mask", "valid"), [([1.0, 0.0], True), ([0.0, 0.0], False), ([0.5, 1.0], False), ([2.0, 1.0], False)]
)
def test_a_fixed_mask_must_keep_an_entry_of_each_row(mask, valid):
    """Where it does not, Psi has no values at all, on no data set, and nothing is said of it."""
    build = Builder((1, 2))
    seen = build.add(vf.nodes.Take((build.constant([mask]),), 1, (1, 0)))  # computed, from numbers alone
    build.feature(build.add(vf.nodes.Softmax((0, seen))))
    build.feature(build.map(build.affine([0], 4, "wide"), vf.activation("tanh")))
    network = Network.of(build.nodes, build.features)
    assert prove_every_data_set(network, 4).proved == prove_sink(network, 4).everywhere.proved == valid


@pytest.mark.parametrize(("token", "valid"), [(2.0, True), (3.0, False), (0.5, False), (-1.0, False)])
def test_a_fixed_token_must_be_a_row_of_its_table(token, valid):
    build = Builder((2,))
    build.feature(build.add(vf.nodes.Embed((build.constant([token]), build.constant(np.ones((3, 2)))))))
    build.feature(build.map(build.affine([0], 4, "wide"), vf.activation("tanh")))
    network = Network.of(build.nodes, build.features)
    assert prove_every_data_set(network, 4).proved == prove_sink(network, 4).everywhere.proved == valid


def test_millions_of_samples_cost_nothing():
    network = Network(3, [Dense(7, "softplus"), Dense(4_000_000, "silu", skip=True)])
    assert prove_every_data_set(network, 4_000_000).units == (CountedUnits(8, 4_000_000),)
