"""I: weights and biases that undo D x + c give the same features, by exact fractions; other networks are refused."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.fuzz.oracle import exact_features, exact_rank
from verifier.network.blocks import Activate, Add, Flatten, LayerNorm, Masked, Reshape, Scale, Select
from verifier.network.builder import Builder
from verifier.network.input_maps import input_maps
from verifier.network.layers import AvgPool
from verifier.network.network import Network
from verifier.network.nodes import Add as Sum
from verifier.network.nodes import Multiply

Conv, Dense = vf.Conv, vf.Dense
RNG = np.random.default_rng(3)


def drawn(*shape):
    """Random quarters."""
    return RNG.integers(-8, 9, shape) / 4.0


def test_dense_layers_undo_every_matrix_and_shift():
    network = Network(3, [Dense(2, "cubic"), Dense(3, "square", inputs=("input", 0), skip=True)], output_bias=True)
    found = input_maps(network)
    assert found.matrix and found.shift and found.groups == 3
    u, x, d, c = drawn(network.parameter_count), drawn(4, 3), drawn(3, 3), drawn(3)
    moved = u.copy()
    views = network.views(moved)
    for layer in ("layer0", "layer1"):
        weight, bias = views[f"{layer}.weight"], views[f"{layer}.bias"]
        bias += weight[:, :3] @ c
        weight[:, :3] = weight[:, :3] @ d
    assert exact_features(network, u, x @ d.T + c) == exact_features(network, moved, x)


def test_filters_undo_a_factor_and_a_shift_per_channel():
    network = Network((2, 4), [Conv(2, (2,), "cubic", bias="tied"), Flatten(), Dense(2, "square", skip=True)])
    found = input_maps(network)
    assert not found.matrix and found.shift and found.leaders == (*[found.leaders[0]] * 4, *[found.leaders[4]] * 4)
    u, x, factors, shift = drawn(network.parameter_count), drawn(3, 8), np.array([2.0, -0.5]), np.array([1.0, 3.0])
    moved = u.copy()
    weight, bias = network.views(moved)["layer0.weight"], network.views(moved)["layer0.bias"]
    bias += (weight.sum(axis=2) * shift).sum(axis=1)
    weight *= factors[None, :, None]
    scaled = x * np.repeat(factors, 4) + np.repeat(shift, 4)
    assert exact_features(network, u, scaled) == exact_features(network, moved, x)


def test_padding_and_shifts_do_not_go_together():
    """THEORY2 I: rank 1 at every U on (0, 1), (1, 0), rank 2 on (1, 2), (2, 1)."""
    filters = Conv(2, (2,), "t**5 - t", bias="tied", padding=1)
    network = Network((1, 2), [filters, AvgPool((3,)), Dense(2, "t**5 - t", skip=True)])
    found = input_maps(network)
    assert not found.shift and found.groups == 1 and str(found).startswith("D x, one factor not 0 for all")
    x, u = np.array([[0.0, 1.0], [1.0, 0.0]]), RNG.integers(-99, 99, network.parameter_count) / 16.0
    assert exact_rank(network, u, x) == 1 and exact_rank(network, u, x + 1.0) == 2


def masked_input():
    """A coordinate times 0."""
    build = Builder((2,))
    build.feature(build.affine([build.add(Multiply((0, build.constant([1.0, 0.0]))))], 2, "a"))
    return Network.of(build.nodes, build.features)


def with_the_input_shown():
    """The input and a unit."""
    build = Builder((2,))
    build.feature(0)
    build.feature(build.affine([0], 2, "a"))
    return Network.of(build.nodes, build.features)


def shifted(*layers, by=(1.0,)):
    """Layers on the input plus fixed numbers."""
    build = Builder((1, 4))
    node = build.add(Sum((0, build.constant(np.array(by)))))
    for index, layer in enumerate(layers):
        node = layer.expand(build, [node], f"layer{index}")
    build.feature(node)
    return Network.of(build.nodes, build.features)


TIED = Conv(1, (2,), "tanh", bias="tied")
ALIKE = "for all coordinates, which are read alike"
SAID = {
    "D x + c, D any invertible matrix, c any vector": [
        Network(2, Dense(2, "relu", skip=True)),
        Network((2, 2), [Scale(0.5), Flatten(), Reshape((4, 1)), Dense(2, "tanh", skip=True)]),
        shifted(Dense(2, "tanh"), by=(1.0, 2.0, 3.0, 4.0)),
    ],
    "D x, D any invertible matrix": [
        Network(2, Dense(2, "tanh", skip=True), frozen={"layer0.bias": np.ones(2)}),
    ],
    "D x + c, D any diagonal matrix without a 0, c any vector": [
        Network(2, Masked(2, "tanh", mask=((1, 0), (1, 1)), skip=True)),
        Network(2, [Select((0,), axis=0), Dense(2, "tanh", skip=True)]),
    ],
    f"D x + c, one factor not 0 and one shift {ALIKE}": [
        Network((1, 4), [TIED, Dense(2, "tanh", skip=True)]),
        shifted(TIED),
        Network((1, 4), [AvgPool((3,), (1,)), Dense(2, "tanh", skip=True)]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("words", SAID)
def test_maps_in_words(words):
    for network in SAID[words]:
        assert str(input_maps(network)) == words


REFUSED = {
    "node 5 (add) reads the input itself": Network(2, [Dense(2, "tanh"), Add(inputs=("input", 0), skip=True)]),
    "node 1 (map) reads the input itself": Network(2, [Activate("tanh"), Dense(2, "tanh", skip=True)]),
    "node 1 (normalise) reads": Network(2, [LayerNorm(), Dense(2, "tanh", skip=True)]),
    "weights are frozen": Network(2, Dense(2, "tanh", skip=True), frozen={"layer0.weight": np.ones((2, 2))}),
    "frozen, shared or computed": Network(
        2, [Dense(2, "tanh", name="a"), Dense(2, "tanh", name="a", inputs=("input",)), Dense(2, "tanh", skip=True)]
    ),
    "node 1 (reshape) reads the input itself": Network(2, [Reshape((2,), skip=True), Dense(2, "tanh", skip=True)]),
    "the input itself is a column of Psi": with_the_input_shown(),
    "multiplies a coordinate by 0": masked_input(),
    "scaled or shifted differently": shifted(TIED, by=(1.0, 2.0, 1.0, 1.0)),
    "reads the input, shifted, and pads it": shifted(Conv(1, (2,), "tanh", padding=1)),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_weights_cannot_undo_is_refused_by_its_node(words):
    found = input_maps(REFUSED[words])
    assert words in found.obstacle and not found.matrix and not found.groups and not found.shift
