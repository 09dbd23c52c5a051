"""The oracle of graphs against the oracle of layers, which shares nothing with it, and against values by hand."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from oracle_graph import RULES, node_values, psi_oracle
from planted import DIGITS, ORACLE, forward, oracle, padded_dag, random_parameters, random_samples, seeds, shuffled_dag
from planted_graphs import STEPS, random_graph, random_point

from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import KINDS, Attend, Constant, Gate, Input, Normalise, Softmax


@seeds(10)
def test_layers_agree_with_the_layers_oracle(rng):
    for net in (shuffled_dag(rng, list(ORACLE)), padded_dag(rng, list(ORACLE))):
        u, x = random_parameters(rng, net), random_samples(rng, 2, net)
        for row, truth in zip(psi_oracle(net, u, x), oracle(net, u, x), strict=True):
            assert all(
                abs(a - b) <= mpmath.mpf(10) ** (10 - DIGITS) * (1 + abs(b)) for a, b in zip(row, truth, strict=True)
            )


@seeds(10)
def test_rational_layers_agree_exactly(rng):
    net = shuffled_dag(rng, ["identity", "square"])
    u, x = random_parameters(rng, net, grid=16), random_samples(rng, 2, net)
    assert psi_oracle(net, u, x, Fraction) == forward(net, u, x)


@seeds(30)
def test_random_graphs_have_the_stated_shapes(rng):
    net = random_graph(rng)
    u, x = random_point(rng, net)
    with mpmath.workdps(15):
        values = node_values(net, u, x[0])
    assert [value.shape for value in values] == list(net.node_shapes)
    assert len(psi_oracle(net, u, x)[0]) == net.columns


def test_every_kind_has_a_rule_and_is_drawn():
    leaves = {"input", "parameter", "constant"}
    assert set(RULES) == set(STEPS) == set(KINDS) - leaves


def _values(*nodes, x=(0.0,)):
    net = Network.of(nodes, [Feature(len(nodes) - 1)])
    return [float(v) for v in node_values(net, np.zeros(0), np.array(x))[-1].ravel()]


def test_values_by_hand():
    two = Constant(values=np.array([0.0, np.log(3.0)]))
    assert _values(Input(size=(1,)), two, Softmax((1,))) == pytest.approx([0.25, 0.75])
    gate = Gate((1, 2, 3))
    fixed = [Constant(values=np.array([v])) for v in (0.25, 8.0, 16.0)]
    assert _values(Input(size=(1,)), *fixed, gate) == [10.0]
    rows = Constant(values=np.array([[1.0, 3.0]]))
    assert _values(Input(size=(1,)), rows, Normalise((1,), Fraction(3), True)) == [-0.5, 0.5]
    assert _values(Input(size=(1,)), rows, Normalise((1,), Fraction(4), False)) == pytest.approx([1 / 3, 1.0])
    q, k = Constant(values=np.array([[1.0]])), Constant(values=np.array([[0.0], [np.log(3.0)]]))
    v = Constant(values=np.array([[4.0, 0.0], [8.0, 1.0]]))
    assert _values(Input(size=(1,)), q, k, v, Attend((1, 2, 3))) == pytest.approx([7.0, 0.75])
    assert _values(Input(size=(1,)), q, k, v, Attend((1, 2, 3), Fraction(4))) == pytest.approx([7.6, 0.9])
    mask = Constant(values=np.array([[1.0, 0.0]]))
    assert _values(Input(size=(1,)), q, k, v, mask, Attend((1, 2, 3, 4))) == pytest.approx([4.0, 0.0])
