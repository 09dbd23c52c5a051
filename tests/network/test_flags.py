"""Flags: what is analytic in U, what is positive, on planted networks and random graphs; broken rules are caught."""

from fractions import Fraction

import numpy as np
import pytest
from planted_graphs import random_graph, random_point

from verifier import Dense, Network
from verifier.network import flags
from verifier.network.blocks import (
    GRU,
    Activate,
    Add,
    BatchNorm,
    Embedding,
    GlobalPool,
    LayerNorm,
    Linear,
    LoRA,
    MaxPool,
    MultiHeadAttention,
    Multiply,
    Recurrent,
    RMSNorm,
    SwiGLU,
    WeightNorm,
)
from verifier.network.builder import Builder
from verifier.network.flags import Sign, flags_of
from verifier.network.forward import FloatArithmetic
from verifier.network.nodes import Add as Sum
from verifier.network.nodes import InverseRoot, Map, Normalise, Reduce
from verifier.network.nodes import Multiply as Product
from verifier.sigma.activations import activation

ANALYTIC = {
    "residual": Network(3, [Dense(3, "tanh"), Dense(3, "gelu"), Add(inputs=(0, 1), skip=True)]),
    "gate": Network(3, [Dense(3, "tanh"), Dense(3, "sigmoid", inputs=("input",)), Multiply(inputs=(0, 1), skip=True)]),
    "attention": Network((4, 4), [LayerNorm(), MultiHeadAttention(2, causal=True), Add(inputs=(0, 1), skip=True)]),
    "rms": Network((2, 3), [RMSNorm(), SwiGLU(4, skip=True)]),
    "gru": Network((3, 2), [GRU(3, skip=True)]),
    "recurrent": Network((3, 2), [Recurrent(3, "tanh", skip=True)]),
    "batch": Network(3, [BatchNorm(), Activate("tanh", skip=True)]),
    "shared": Network(3, [Dense(3, "tanh", name="a"), Dense(3, "tanh", name="a", skip=True)]),
    "embedding": Network(3, [Embedding(5, 2), MultiHeadAttention(1, skip=True)]),
    "frozen relu": Network(
        2, [Dense(3, "relu"), Dense(3, "tanh", skip=True)],
        frozen={"layer0.weight": np.ones((3, 2)), "layer0.bias": np.zeros(3)},
    ),
    "lora": Network(2, [LoRA(3, "tanh", rank=1, skip=True)], frozen={"layer0.weight": np.ones((3, 2))}),
    "max of the data": Network((1, 4), [MaxPool((2,)), Dense(3, "tanh", skip=True)]),
    "relu of a positive number": Network(2, [Dense(3, "softplus"), Activate("relu", skip=True)]),
}  # fmt: skip
NOT_ANALYTIC = {
    "a maximum that depends on U": Network((1, 4), [Linear(4), MaxPool((2,), skip=True)]),
    "in node 4 (reduce), is not analytic": Network((1, 4), [Linear(4), GlobalPool("max", skip=True)]),
    "relu in node 8 (map) is not real analytic": Network(2, [Dense(3, "tanh"), Dense(3, "relu", skip=True)]),
    "normalisation with epsilon = 0": Network((2, 3), [LayerNorm(epsilon=0), Dense(3, "tanh", skip=True)]),
    "1/sqrt(x) in node": Network(2, [WeightNorm(3, "tanh", skip=True)]),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_what_is_analytic_for_every_u(name):
    found = flags_of(ANALYTIC[name])
    assert not found.obstacles
    assert not found.undefined


@pytest.mark.parametrize("words", NOT_ANALYTIC)
def test_what_is_not_says_why(words):
    found = flags_of(NOT_ANALYTIC[words])
    assert words in found.obstacles[0].words
    assert bool(found.undefined) == ("1/sqrt" in words or "epsilon" in words)
    assert found.obstacles[0].refuted == (not found.undefined)


def positive_chain(*, sign=1.0, epsilon=0, square=False):
    """``1 / sqrt(x + epsilon)``, x the sum ``exp(u) + c``, c = (``sign``, 0), or ``u * u``."""
    build = Builder((1,))
    u = build.parameter("u", (2,))
    if square:
        inner = build.add(Product((u, u)))
    else:
        inner = build.add(Sum((build.map(u, activation("exp(t)")), build.constant([sign, 0.0]))))
    build.feature(build.add(InverseRoot((inner,), Fraction(epsilon))))
    return Network.of(build.nodes, build.features)


def test_roots_of_what_is_certainly_positive():
    assert not flags_of(positive_chain()).obstacles  # exp(u) + c, c >= 0
    assert flags_of(positive_chain(sign=-1.0)).obstacles
    assert flags_of(positive_chain(square=True)).obstacles  # u * u may be 0
    assert not flags_of(positive_chain(square=True, epsilon=Fraction(1, 9))).obstacles


def test_a_product_with_an_equal_but_different_tensor_is_no_square():
    build = Builder((1,))
    u, v = build.parameter("u", (2,)), build.parameter("v", (2,))
    build.feature(build.add(InverseRoot((build.add(Product((u, v))),), Fraction(1))))
    assert flags_of(Network.of(build.nodes, build.features)).obstacles


def test_what_does_not_depend_on_u_must_be_defined():
    build = Builder((2,))
    kept = build.add(Normalise((0,), Fraction(0)))
    build.feature(build.affine([kept], 2, "w"))
    assert "epsilon = 0" in flags_of(Network.of(build.nodes, build.features)).obstacles[0].words


@pytest.mark.parametrize("seed", range(60))
def test_signs_and_definedness_hold_at_random_points(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng, steps=8)
    found = flags_of(network)
    for scale in (0.0, 1.0, 10.0):
        u, x = random_point(rng, network, scale=scale)
        values = network.evaluate(FloatArithmetic(network.views(u), x), range(len(network.nodes)))
        for index, sign in enumerate(found.signs):
            assert sign is Sign.UNKNOWN or (values[index] >= 0).all()  # > 0 may underflow
            assert sign is not Sign.POSITIVE or scale == 10.0 or (values[index] > 0).all()
            assert values[index].shape[1:] == network.node_shapes[index]
            assert found.undefined or scale == 10.0 or np.isfinite(values[index]).all()


def by_recursion(network):
    """Whether all nodes are analytic by the table of kinds alone: a second reading of the rules."""
    for index, node in enumerate(network.nodes):
        if not network.moves[index]:
            continue
        if isinstance(node, Map) and not node.sigma.facts.real_analytic.holds:
            return False
        if (isinstance(node, Reduce) and node.how == "max") or (node.kind == "pool" and node.how == "max"):
            return False
    return True


@pytest.mark.parametrize("seed", range(60, 120))
def test_random_graphs_are_analytic_as_the_table_of_kinds_says(seed):
    # roots and normalisations of random graphs have a positive epsilon
    network = random_graph(np.random.default_rng(seed), steps=8)
    if by_recursion(network):
        assert not flags_of(network).obstacles
    elif flags_of(network).obstacles == ():
        assert all(flags_of(network).signs[n.reads[0]] is Sign.POSITIVE for n in network.nodes if kinked(n))


def kinked(node):
    return isinstance(node, Map) and not node.sigma.facts.real_analytic.holds


def planted():
    """Everything that the tests above plant, as one verdict per network."""
    good = [not flags_of(network).obstacles for network in ANALYTIC.values()]
    bad = [bool(flags_of(network).obstacles) for network in NOT_ANALYTIC.values()]
    roots = [
        not flags_of(positive_chain()).obstacles,
        bool(flags_of(positive_chain(sign=-1.0)).obstacles),
        bool(flags_of(positive_chain(square=True)).obstacles),
    ]
    return all(good + bad + roots)


BROKEN = {
    "a maximum is analytic": ("largest", lambda self, x: flags.Flag(x.shape[:-1], x.moves, x.sign)),
    "every root is defined": ("inverse_root", lambda self, x, epsilon: flags.Flag(x.shape, x.moves, Sign.POSITIVE)),
    "epsilon may be 0": ("normalise", lambda self, x, epsilon, centre: flags.Flag(x.shape, x.moves, Sign.UNKNOWN)),
    "every product is a square": ("multiply", lambda self, a, b: self._joined(a, b, Sign.POSITIVE)),
    "a positive term makes a sum positive": ("add", lambda self, a, b: self._joined(a, b, max(a.sign, b.sign))),
    "parameters rest": ("parameter", lambda self, name, shape: flags.Flag(shape, False, Sign.UNKNOWN)),
    "every activation is analytic": ("_analytic", lambda self, sigma, on_positive: None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_caught(name, monkeypatch):
    assert planted()
    method, rule = BROKEN[name]
    monkeypatch.setattr(flags._Facts, method, rule)
    assert not planted()
