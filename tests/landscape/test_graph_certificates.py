"""Escapes and balls of networks that are not layered: the checker accepts what is claimed, and nothing larger."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from planted_problems import checked

from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.writer import CertificateBuilder
from verifier.checker.certificate import check_file
from verifier.data.dataset import Dataset
from verifier.landscape.escape import prove_escape
from verifier.landscape.neighbourhood import certified_ball
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.network.nodes import Add, Attend, Gate, Multiply, Normalise, Pool, Take, Window
from verifier.rank.certify import prove_rank
from verifier.sigma.activations import activation

TANH, SIGMOID = activation("tanh"), activation("sigmoid")


def _norm(build, x):
    return build.add(Normalise((x,), Fraction(1, 2**10), True))


def residual():
    """A residual block with LayerNorm, and a head with a bias."""
    build = Builder((3,))
    x = build.affine([0], 4, "in")
    x = build.add(Add((x, build.affine([build.map(build.affine([_norm(build, x)], 4, "a"), TANH)], 4, "b"))))
    build.feature(build.map(build.affine([x], 8, "top"), TANH))
    build.feature(build.constant([1.0], "output bias"))
    return Network.of(build.nodes, build.features)


def recurrent():
    """Two steps of a gated cell with shared weights."""
    build = Builder((2, 2))
    h = build.constant(np.zeros(3))
    for step in range(2):
        x = build.add(Take((0,), 0, (step,)))
        z, n = (build.map(build.affine([x, h], 3, name), sigma) for name, sigma in (("z", SIGMOID), ("n", TANH)))
        h = build.add(Gate((z, h, n)))
    build.feature(build.map(build.affine([h], 8, "top"), TANH))
    return Network.of(build.nodes, build.features)


def attention():
    """One head of attention over two tokens, after a normalisation with gains."""
    build = Builder((2, 3))
    x = build.add(Multiply((_norm(build, 0), build.parameter("gain", (3,)))))
    q, k, v = (build.affine([x], 2, name, over="last", bias=None) for name in "qkv")
    build.feature(build.map(build.affine([build.add(Attend((q, k, v), Fraction(1, 2)))], 8, "top"), TANH))
    return Network.of(build.nodes, build.features)


def pooled():
    """A maximum over windows of ReLU units."""
    build = Builder((1, 4))
    window = Window((2,), (1,), (0,), (1,))
    x = build.map(build.affine([0], 3, "c", over=window, bias="tied"), activation("relu"))
    build.feature(build.add(Pool((x,), "max", window)))
    build.feature(build.constant([1.0], "output bias"))
    return Network.of(build.nodes, build.features)


def _problem(network, samples=4):
    rng = np.random.default_rng(5)
    x, u = np.round(rng.normal(size=(samples, network.dimension)) * 8) / 8, rng.normal(size=network.parameter_count)
    return u, 0.3 * rng.normal(size=(network.columns, 2)), Dataset("toy", x, np.arange(samples) % 2, 2)


@pytest.mark.parametrize("label", ["E1", "E3"])
@pytest.mark.parametrize("make", [residual, recurrent, attention])
def test_escapes_are_accepted(make, label):
    network = make()
    u, v, data = _problem(network)
    found = prove_escape(network, u, v, data.inputs, data.labels, np.ones(4, dtype=np.int64), order=(label,))
    assert found.escape is not None, found.reason
    builder = CertificateBuilder(data, network, u, with_labels=True)
    builder.add_escape(found.escape)
    result = checked(builder)
    assert result.verdict == "ACCEPTED", result.rejection


def test_a_maximum_is_not_escaped_from():
    network = pooled()
    u, v, data = _problem(network)
    found = prove_escape(network, u, v, data.inputs, data.labels, np.ones(4, dtype=np.int64), order=("E1",))
    assert found.escape is None and "analytic" in found.reason


@pytest.mark.parametrize("make", [residual, recurrent, attention, pooled])
def test_balls_are_accepted_and_larger_ones_rejected(make, tmp_path):
    network = make()
    u, _, data = _problem(network)
    rank, features = prove_rank(FeatureEnclosure(network, u, data.inputs, 64))
    zero = prove_zero_loss(features, data.labels, 2, witness=rank.witness)
    ball = certified_ball(network, u, data.inputs, zero.weights, zero.gamma, precision=zero.precision)
    assert ball.radius is not None
    builder = CertificateBuilder(data, network, u, with_labels=True)
    builder.add_zero_loss(zero)
    builder.add_ball(ball)
    assert checked(builder).verdict == "ACCEPTED"
    path = builder.write(tmp_path / "c.json")
    document = json.loads(path.read_text())
    (claim,) = (claim for claim in document["claims"] if claim["label"] == "Z2")
    claim["radius"]["exponent"] = int(claim["radius"]["exponent"]) + 8
    path.write_text(json.dumps(document))
    rejected = check_file(str(path), 1)
    assert rejected.verdict == "REJECTED" and rejected.rejection.rule in ("Z2.change", "features.finite")


def test_without_hidden_parameters_nothing_moves():
    """E1 moves U: with no parameter at all it does not apply, and no certificate says that it does."""
    build = Builder((2,))
    build.feature(build.map(build.affine([0], 4, "a"), TANH))
    trained = Network.of(build.nodes, build.features)
    u, v, data = _problem(trained, 2)
    frozen = Builder((2,), trained.views(u))
    frozen.feature(frozen.map(frozen.affine([0], 4, "a"), TANH))
    network = Network.of(frozen.nodes, frozen.features)
    found = prove_escape(network, np.zeros(0), v, data.inputs, data.labels, np.ones(2, dtype=np.int64), order=("E1",))
    assert found.escape is None and "no step" in found.reason
