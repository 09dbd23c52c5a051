"""S(1), S(2), S+: what the architecture proves of paths that never go up, and that each hypothesis is needed."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.network.blocks import Add, Flatten, LayerNorm, MaxPool, Scale
from verifier.network.network import Network
from verifier.rank.sink import free_layers, prove_sink

Dense, Conv = vf.Dense, vf.Conv


def proved(network, samples):
    found = prove_sink(network, samples)
    return found.everywhere.proved, found.almost_everywhere.proved, found.connected.proved


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "hard_tanh", "relu6", "hard_swish", "elu", "selu", "abs", "tanh"]
)
def test_one_layer_of_any_units_leads_down_from_everywhere(name):
    network = Network(2, Dense(5, name, skip=True))
    assert proved(network, 4) == (True, True, True)
    assert proved(network, 5) == (True, True, False)  # S+ needs one column more
    assert proved(network, 6) == (False, False, False)


def test_an_output_bias_is_one_column():
    network = Network(2, Dense(4, "relu", skip=True), output_bias=True)
    assert proved(network, 4) == (True, True, True) and proved(network, 5) == (True, True, False)
    assert proved(network, 6) == (False, False, False)
    assert proved(Network(1, Dense(1, "relu", skip=True)), 1) == (True, True, False)


@pytest.mark.parametrize(("name", "most"), [("identity", 2), ("prelu(1)", 2), ("square", 3), ("cubic", 4)])
def test_polynomials_have_a_largest_number_of_samples(name, most):
    network = Network(1, Dense(9, name, skip=True))
    assert proved(network, most) == (True, True, True) and proved(network, most + 1) == (False, False, False)


NO = [
    Network(2, [Dense(3, "relu"), Dense(6, "relu", skip=True)]),
    Network(2, [Dense(3, "hard_tanh"), Dense(6, "relu", skip=True)]),
    Network(2, [Dense(6, "relu", skip=True), Dense(1, "relu", skip=True)]),
    Network(2, [LayerNorm(), Dense(6, "relu", skip=True)]),
    Network(2, [Dense(2, "tanh"), Add(inputs=("input", 0)), Dense(6, "relu", skip=True)]),
    Network((1, 4), [Conv(2, (2,), "elu"), vf.AvgPool((3,)), Flatten(), Dense(6, "relu", skip=True)]),
    Network((1, 4), [MaxPool((2,)), Flatten(), Dense(6, "relu", skip=True)]),
    Network((1, 5), [Conv(2, (2,), "elu", stride=(2,)), Flatten(), Dense(6, "relu", skip=True)]),
    Network(2, Dense(6, "relu", skip=True), frozen={"layer0.bias": np.zeros(6)}),
    Network(2, [Dense(2, "tanh"), Dense(6, "relu", skip=True)], frozen={"layer0.weight": np.ones((2, 2))}),
    Network(2, Dense(6, "identity", skip=True)),
    Network(2, [Dense(2, "elu", name="a"), Dense(2, "elu", name="a"), Dense(6, "relu", skip=True)]),
]


@pytest.mark.parametrize("network", NO, ids=range(len(NO)))
def test_where_a_hypothesis_fails_nothing_is_proved(network):
    assert proved(network, 5) == (False, False, False)


YES = [
    Network(2, [Dense(1, "leaky_relu"), Dense(6, "relu", skip=True)]),
    Network((1, 4), [Conv(2, (2,), "elu", bias="tied"), Flatten(), Dense(6, "hard_swish", skip=True)]),
    Network((1, 5), [Conv(2, (2,), "selu", stride=(1,)), Dense(3, "silu"), Dense(6, "relu", skip=True)]),
    Network(2, [Scale(0.5), Dense(2, "prelu(-1/4)"), Dense(6, "relu", skip=True)]),
]


@pytest.mark.parametrize("network", YES, ids=range(len(YES)))
def test_injective_layers_below_lead_down_from_almost_everywhere(network):
    assert proved(network, 5) == (False, True, False)


def test_the_input_may_be_scaled_and_read_beside_anything():
    assert proved(Network(2, [Scale(0.5), Dense(5, "relu", skip=True)]), 4) == (True, True, True)
    beside = Network(2, [Dense(3, "relu"), Dense(5, "relu", skip=True, inputs=("input", 0))])
    assert proved(beside, 5) == (True, True, False)  # other parameters: S+ says nothing
    assert proved(beside, 4)[2] is False


def test_the_reasons_name_what_is_in_the_way():
    said = {2: "read", 5: "reads a pool", 7: "leaves out", 8: "weights and biases of their own", 10: "no polynomial"}
    for number, words in said.items():
        assert words in prove_sink(NO[number], 5).almost_everywhere.reason, number
    assert "may take one value on an interval" in prove_sink(NO[0], 5).almost_everywhere.reason
    assert "6 are needed" in str(free_layers(Network(2, Dense(5, "relu", skip=True)), 6))
