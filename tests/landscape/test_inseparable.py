"""Z1 refuted: multipliers exclude zero training error, proved over the integers or by balls, never by floats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb

import verifier as vf
from verifier.landscape import inseparable
from verifier.landscape.inseparable import is_relation, prove_inseparable
from verifier.network.forward import approx_features
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.rational import rational_features
from verifier.verdict import Verdict


def identity(x, y, classes, activation="identity"):
    """The features are the inputs themselves (or the activation of each)."""
    d = x.shape[1]
    network = Network((d,), (Dense(d, activation, skip=True),))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = np.eye(d)
    return network, u, prove_inseparable(network, u, x, y, classes)


def holds(x, y, classes, multipliers):
    """The relation, anew, in Fractions."""
    total = [[Fraction(0)] * x.shape[1] for _ in range(classes)]
    for i, k, factor in multipliers:
        assert factor > 0 and k != y[i]
        for j, value in enumerate(x[i].tolist()):
            total[y[i]][j] += factor * Fraction(value)
            total[k][j] -= factor * Fraction(value)
    return bool(multipliers) and not any(v for row in total for v in row)


@pytest.mark.parametrize("seed", range(12))
def test_planted_separable_data_is_never_refuted(seed):
    rng = np.random.default_rng(seed)
    classes, d = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    x = rng.integers(-9, 10, (20, d)).astype(float)
    g = x @ rng.integers(-5, 6, (d, classes))
    order = np.sort(g, axis=1)
    x, y = x[order[:, -1] > order[:, -2]], g.argmax(axis=1)[order[:, -1] > order[:, -2]]
    assert identity(x, y, classes)[2] is None


@pytest.mark.parametrize("seed", range(12))
def test_planted_relations_are_found_and_are_exact(seed):
    """A point that is a positive combination of points of the other class; dyadic data, two to four classes."""
    rng = np.random.default_rng(100 + seed)
    classes, d = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    x = rng.integers(-99, 100, (3 * d, d)) / 8.0
    y = rng.integers(0, classes, 3 * d)
    others = np.flatnonzero(y != y[0])[:d]
    # -sum of the others, labelled like sample 0: its margin against their class cancels theirs
    y[others] = (y[0] + 1) % classes
    x = np.vstack([x, rng.integers(1, 5, len(others)) @ x[others]])
    y = np.append(y, y[0])
    found = identity(x, y, classes)[2]
    assert found is not None and holds(x, y, classes, found.multipliers), found
    assert "for every V" in found.explanation


def test_a_wrong_multiplier_is_rejected():
    x = [[1, 2], [3, 1], [4, 3]]
    y = np.array([0, 0, 1])  # x_0 + x_1 = x_2
    good = [(0, 1, 1), (1, 1, 1), (2, 0, 1)]
    assert is_relation(x, y, 2, good)
    for bad in (
        [(0, 1, 1), (1, 1, 2), (2, 0, 1)],
        [(0, 1, 1), (1, 1, 1)],
        [],
        [(0, 1, -1), (1, 1, -1), (2, 0, -1)],
        [(0, 1, 0), (1, 1, 0), (2, 0, 0)],
        [(0, 0, 1), (1, 0, 1), (2, 1, 1)],  # a class against itself cancels and says nothing
        [*good, (0, 2, 1)],
    ):
        assert not is_relation(x, y, 2, bad), bad


def test_what_floating_point_proposes_is_not_believed(monkeypatch):
    """A vertex of a linear program that is not quite one: x_0 + x_1 = x_2 but for the last bit."""
    x = np.array([[1.0, 2.0], [3.0, 1.0], [4.0, np.nextafter(3.0, 4.0)]])
    y = np.array([0, 0, 1])
    assert holds(
        np.array([[1.0, 2], [3, 1], [4, 3]]), y, 2, identity(np.array([[1.0, 2], [3, 1], [4, 3]]), y, 2)[2].multipliers
    )
    monkeypatch.setattr(inseparable, "_solve", lambda *a: [(0, 1, 1), (1, 1, 1), (2, 0, 1)])
    assert identity(x, y, 2)[2] is None


def test_equal_features_and_zero_features():
    net = Network((1,), (Dense(3, "sigmoid", skip=True),))
    found = prove_inseparable(net, np.zeros(6), np.array([[0.0], [1.0]]), np.array([0, 1]), 2)
    assert found.kind == "equal-features" and "samples 0 and 1" in found.explanation
    net = Network((1,), (Dense(3, "tanh", skip=True),))
    assert prove_inseparable(net, np.zeros(6), np.array([[0.0], [1.0]]), np.array([0, 1]), 2).kind == "zero-features"
    # merged below a tanh layer: the features are unknown numbers, but the same ones
    net = Network((2,), (Dense(1, "tanh"), Dense(3, "tanh", skip=True)))
    u = np.array([1.0, 0.0, 0.0, 0.3, 0.7, -2.0, 0.1, 0.2, 0.3])
    x = np.array([[0.5, 1.0], [0.5, 2.0], [1.0, 0.0]])
    assert prove_inseparable(net, u, x, np.array([0, 1, 0]), 2).kind == "equal-features"
    assert prove_inseparable(net, u, x, np.array([0, 0, 1]), 2) is None


@pytest.mark.parametrize("seed", range(4))
def test_general_features_by_balls(seed):
    """tanh features in general position: refuted where the labels are random, never where they are planted."""
    rng = np.random.default_rng(seed)
    classes, m = 2 + seed % 2, 3
    x = rng.normal(size=(40, 2))
    net = Network((2,), (Dense(m, "tanh", skip=True),))
    u = rng.normal(size=net.parameter_count)
    y = rng.integers(0, classes, 40)
    found = prove_inseparable(net, u, x, y, classes)
    assert found.kind == "ball-relation"
    used = {k for _, k, _ in found.multipliers} | {int(y[i]) for i, _, _ in found.multipliers}
    assert len(found.multipliers) == m * (len(used) - 1) + 1
    assert all(factor > 0 for _, _, factor in found.multipliers)
    psi = approx_features(net, u, x)
    y = (psi @ rng.normal(size=(m, classes))).argmax(axis=1)
    assert prove_inseparable(net, u, x, y, classes) is None


def test_a_dead_unit_is_no_equation():
    """One live unit over tanh, one dead on all samples: positive numbers with different labels."""
    net = Network((1,), (Dense(1, "sigmoid"), Dense(2, "relu", skip=True)))
    u = np.array([1.0, 0.0, 1.0, -1.0, 0.0, 0.0])
    x = np.array([[0.5], [1.0], [2.0]])
    found = prove_inseparable(net, u, x, np.array([0, 1, 0]), 2)
    assert found.kind == "ball-relation" and len(found.multipliers) == 2
    assert prove_inseparable(net, u, x, np.array([1, 1, 1]), 2) is None


def test_three_points_on_a_line_with_an_irrational_relation():
    """(0, 1/2), (tanh 1, 1/2), (tanh 2, 1/2), labels 0, 1, 0: the factors are no rational numbers."""
    net = Network((1,), (Dense(1, "tanh", skip=True), Dense(1, "sigmoid", skip=True, inputs=("input",))))
    u = np.array([1.0, 0.0, 0.0, 0.0])
    x = np.array([[0.0], [1.0], [2.0]])
    found = prove_inseparable(net, u, x, np.array([0, 1, 0]), 2)
    shares = {i: factor for i, _, factor in found.multipliers}
    ratio = shares[0] / shares[1]  # 1 - tanh(1)/tanh(2)
    assert ratio.overlaps(1 - arb(1).tanh() / arb(2).tanh())
    assert prove_inseparable(net, u, x, np.array([0, 0, 1]), 2) is None


def test_the_statement_in_the_pipeline():
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    eye = {"layer0.weight": np.eye(2), "layer0.bias": np.zeros(2)}
    found = vf.verify(x, [0, 1, 1, 0], [vf.Dense(2, "identity", skip=True)], eye)
    assert found.verdict("zero_loss") is Verdict.REFUTED and found.zero_loss.excluded is not None
    assert "open" not in found.zero_loss.reason
    shifted = vf.verify(x + 1.0, [0, 1, 1, 0], [vf.Dense(2, "identity", skip=True)], eye)
    assert shifted.verdict("zero_loss") is Verdict.REFUTED
    assert holds(x + 1.0, [0, 1, 1, 0], 2, shifted.zero_loss.excluded.multipliers)


def test_large_programs_are_left_alone(monkeypatch):
    monkeypatch.setattr(inseparable, "LP_ENTRIES", 0)
    x = np.array([[1.0, 2.0], [3.0, 1.0], [4.0, 3.0]])
    assert identity(x, np.array([0, 0, 1]), 2)[2] is None
    assert isinstance(rational_features(*identity(x, np.array([0, 0, 1]), 2)[:2], x).values, list)
