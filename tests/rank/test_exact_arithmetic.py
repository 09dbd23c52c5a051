"""R6 on graphs: exact values of every rational kind, symbols that stand for what they say, and refusals."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from oracle_graph import psi_oracle
from planted import DIGITS, ORACLE, fraction, mp, seeds
from planted_graphs import RATIONAL_NAMES, RATIONAL_STEPS, SMOOTH, random_graph, random_point

import verifier as vf
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.tensors import columns
from verifier.checker.certificate import check_file
from verifier.errors import NetworkError
from verifier.network.builder import Builder
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import (
    Add,
    Attend,
    Embed,
    InverseRoot,
    Multiply,
    Normalise,
    Pool,
    Reduce,
    Reshape,
    Softmax,
    Take,
    Window,
)
from verifier.rank import exact_arithmetic
from verifier.rank.certify import prove_rank
from verifier.rank.exact_arithmetic import ExactArithmetic, rational_activations
from verifier.rank.rational import exact_rank, rational_features
from verifier.sigma.activations import activation
from verifier.verdict import Verdict


@seeds(30)
def test_rational_graphs_have_the_exact_values(rng, count=3):
    """Every kind that stays rational, with shared, masked and constant weights."""
    for _ in range(count):
        network = random_graph(rng, RATIONAL_STEPS, steps=int(rng.integers(2, 9)), names=RATIONAL_NAMES)
        u, x = random_point(rng, network, grid=4)
        found = rational_features(network, u, x)
        assert rational_activations(network) and found.rational
        values = [[Fraction(int(c.p), int(c.q)) for c, _ in row] for row in found.values]
        assert values == psi_oracle(network, u, x, Fraction)


def value_of(key, symbols):
    """A value, from its parts: the number that its symbols stand for."""
    p, q, terms = key
    return mpmath.mpf(p) / q + sum(mpmath.mpf(a) / b * symbol_of(symbols[s], symbols) for s, a, b in terms)


def symbol_of(operation, symbols):
    name, *keys = operation
    values = [value_of(key, symbols) for key in keys]
    known = {"*": lambda a, b: a * b, "max": max, "inverse root": lambda a: 1 / mpmath.sqrt(a)}
    named = {activation(other).canonical: function for other, function in ORACLE.items()}
    return (known.get(name) or named[name])(*values)


@seeds(30)
def test_symbols_stand_for_real_numbers(rng):
    """Activations, products, maxima and roots outside the rationals: constants and terms give the oracle's values."""
    kinds = [kind for kind in RATIONAL_STEPS if kind not in ("contract", "gate")] + [
        "inverse-root",
        "map",
        "map",
        "reduce",
    ]
    network = random_graph(rng, kinds, steps=5, names=SMOOTH)
    u, x = random_point(rng, network, grid=4)
    ops = ExactArithmetic(network, u, x)
    psi = columns(network, network.evaluate(ops))
    symbols = {number: key for key, number in ops.symbols.items()}
    truth = [value for row in psi_oracle(network, u, x) for value in row]
    found = psi.entries if psi.rows == len(x) else psi.entries * len(x)
    with mpmath.workdps(DIGITS):
        for value, wanted in zip(found, truth, strict=True):
            made = value_of(exact_arithmetic._key(value), symbols)
            assert abs(fraction(made) - fraction(mp(wanted))) <= Fraction(1, 10**60) * (1 + abs(fraction(mp(wanted))))


def image_network(bias=False):
    """Convolution, max-pool, a residual sum of two branches: the kinds of a small ReLU network."""
    build = Builder((1, 4, 4))
    kernel = Window((2, 2), (1, 1), (1, 1), (1, 1))
    first = build.map(build.affine([0], 3, "conv", over=kernel, bias="tied"), activation("relu"))
    pooled = build.add(Pool((first,), "max", Window((2, 2), (2, 2), (0, 0), (1, 1))))
    inner = build.map(build.affine([pooled], 12, "dense"), activation("relu"))
    flat = build.add(Reshape((pooled,), (12,)))
    build.feature(build.add(Add((flat, inner))))
    if bias:
        build.feature(build.constant([1.0]))
    return Network.of(build.nodes, build.features)


@pytest.mark.parametrize("bias", [False, True])
def test_a_max_pool_net_is_proved_and_refuted(bias):
    """Random weights have full rank; dead convolutions leave no rank but that of the constant column."""
    network, rng = image_network(bias), np.random.default_rng(3)
    u, x = rng.standard_normal(network.parameter_count), rng.standard_normal((8, 16))
    assert exact_rank(rational_features(network, u, x)).rank == 8
    u[network.parameters[0].offset :] = -np.abs(u)
    found, _ = prove_rank(FeatureEnclosure(network, u, np.abs(x), 64))
    assert found.verdict is Verdict.REFUTED and found.deficiency.rank_at_most == int(bias)


def test_max_pool_net_through_the_pipeline(tmp_path):
    """What R6 says of a graph stands in a certificate that is accepted, or in none."""
    network, rng = image_network(), np.random.default_rng(5)
    x, y = np.round(rng.random((8, 16)) * 8) / 8, np.arange(8) % 2
    found = vf.verify(x, y, network, -np.ones(network.parameter_count))
    assert found.rank.verdict is found.zero_loss.verdict is Verdict.REFUTED
    assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Normalise((0,)), "normalisation"), (Softmax((0,)), "softmax"), (Attend((0, 0, 0)), "attention")],
)
def test_kinds_that_are_not_rational_are_refused(kind, message):
    network = Network.of([*Builder((2, 2)).nodes, kind], [Feature(1)])
    assert not rational_activations(network)
    assert message in rational_features(network, np.zeros(0), np.ones((1, 4)))


def test_roots_are_symbols_and_undefined_ones_are_said_to_be():
    build = Builder((2,))
    build.feature(build.add(InverseRoot((0,), Fraction(1))))
    network = Network.of(build.nodes, build.features)
    assert not rational_activations(network)
    (row,) = rational_features(network, np.zeros(0), np.array([[3.0, 3.0]])).values
    assert row[0] == row[1] and row[0][1]
    assert "undefined" in rational_features(network, np.zeros(0), np.array([[3.0, -1.0]]))


def test_a_product_of_equal_factors_is_one_symbol_in_either_order():
    build = Builder((2,))
    image = build.map(0, activation("tanh"))
    first, second = build.add(Take((image,), 0, (0,))), build.add(Take((image,), 0, (1,)))
    build.feature(build.add(Multiply((first, second))))
    build.feature(build.add(Multiply((second, first))))
    build.feature(build.add(Reduce((image,), "max")))
    network = Network.of(build.nodes, build.features)
    (row, same) = rational_features(network, np.zeros(0), np.array([[0.5, 2.0], [1.0, 1.0]])).values
    assert row[0] == row[1] != same[0] == same[1]
    assert same[2] not in same[:2] and row[2] != same[2] and row[2][1]


def test_tokens_are_exact_whole_numbers():
    build = Builder((2,))
    build.feature(build.add(Embed((0, build.parameter("table", (2, 1))))))
    network = Network.of(build.nodes, build.features)
    (row,) = rational_features(network, np.array([3.0, 5.0]), np.array([[1.0, 0.0]])).values
    assert [int(c) for c, _ in row] == [5, 3]
    with pytest.raises(NetworkError, match="sample 1: a token is 2; give whole numbers from 0 to 1"):
        rational_features(network, np.array([3.0, 5.0]), np.array([[1.0, 0.0], [0.0, 2.0]]))


def test_too_many_entries_name_the_node(monkeypatch):
    network = image_network()
    monkeypatch.setattr("verifier.rank.rational.ENTRIES", 100)
    found = rational_features(network, np.zeros(network.parameter_count), np.zeros((5, 16)))
    assert found == "node 3 (affine) has more than 100 entries on all samples"


def test_long_sums_are_refused():
    """Quotients with many different denominators: their sum is longer than a checker follows, though no part is."""
    build = Builder((12,))
    build.feature(build.affine([build.map(0, activation("1/(1 + t**2)"))], 1, "p", bias=None))
    network = Network.of(build.nodes, build.features)
    x = np.array([[1.0 + 2.0**-50 * k for k in range(12)]]) * 2.0**900
    found = rational_features(network, np.ones(12), x)
    assert found == "a node needs numbers of more than 20000 bits"
