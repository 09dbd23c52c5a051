"""Lower bounds of the loss over all V: held against other minimisers, planted entropies, and broken copies."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from flint import arb

import verifier as vf
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.stated import round_up
from verifier.landscape import loss_bound
from verifier.landscape.loss_bound import bound_loss
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.rational import rational_features
from verifier.verdict import Verdict

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def least(psi, counts):
    """Another minimiser: BFGS on all entries of V."""
    shape = psi.shape[1], counts.shape[1]

    def loss(flat):
        g = psi @ flat.reshape(shape)
        top = g.max(axis=1, keepdims=True)
        shares = np.exp(g - top)
        sums = shares.sum(axis=1, keepdims=True)
        total = counts.sum(axis=1, keepdims=True)
        value = (total * (top + np.log(sums))).sum() - (counts * g).sum()
        return value / counts.sum(), (psi.T @ (total * shares / sums - counts)).ravel() / counts.sum()

    start = np.random.default_rng(0).standard_normal(shape[0] * shape[1])
    return scipy.optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}).fun


def problem(seed, activation, bias=False):
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(4, 12)), int(rng.integers(2, 4))
    x = rng.integers(-4, 5, (n, 2)) / 2.0
    network = Network((2,), (Dense(int(rng.integers(1, 4)), activation, skip=True),), output_bias=bias)
    labels = rng.integers(0, classes, n)
    times = rng.integers(1, 4, n)
    return FeatureEnclosure(network, initialise(network, seed=seed), x, 64), labels, classes, times.tolist()


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("bias", [False, True])
def test_nothing_that_another_minimiser_finds_is_below(activation, bias):
    tight = 0
    for seed in range(6):
        features, labels, classes, times = problem(seed, activation, bias)
        found = bound_loss(features, labels, classes, times)
        counts = np.array(times)[:, None] * (labels[:, None] == np.arange(classes))
        value = least(features.approx(), counts)
        if found is None:
            continue
        assert float(found.lower) <= value + 1e-12
        assert 0 < float(found.lower) <= float(found.upper)
        tight += float(found.upper) - float(found.lower) < 1e-6 and value - float(found.lower) < 1e-6
    assert tight >= 2


def test_multiplicities_are_copies():
    features, labels, classes, times = problem(3, "tanh")
    once = bound_loss(features, labels, classes, times)
    copies = np.repeat(np.arange(len(labels)), times)
    same = FeatureEnclosure(features.network, features.u, features.inputs[copies], 64)
    again = bound_loss(same, labels[copies], classes, [1] * len(copies))
    assert once is not None and again is not None
    assert abs(float(once.lower) - float(again.lower)) < 1e-12
    assert abs(float(once.lower) - float(bound_loss(features, labels, classes, [1] * len(labels)).lower)) > 1e-3


def test_dead_units_are_at_log_m():
    network = Network((1,), (Dense(3, "relu", skip=True),))
    u = np.concatenate([-np.ones(3), -np.ones(3)])
    features = FeatureEnclosure(network, u, np.arange(10.0)[:, None], 64)
    found = bound_loss(features, np.arange(10), 10, [1] * 10)
    assert vf.at_least(found.lower, 12) == "2.30258509299" and vf.at_most(found.upper, 8) == "2.3025851"
    words = "Phi(U, V) >= 2.30258 for every V, and its infimum over V is at most 2.30259"
    assert found.words == f"{words}: hardly below V = 0, whose loss log(10) is about 2.30259"


def test_equal_rows_that_are_no_dyadic_numbers():
    """All weights 0, biases not: tanh of the biases is the same number at all samples, which only symbols tell."""
    network = Network((1,), (Dense(2, "tanh", skip=True),))
    u, x = np.array([0.0, 0.0, 0.5, 0.75]), np.arange(4.0)[:, None]
    features, values = FeatureEnclosure(network, u, x, 64), rational_features(network, u, x)
    labels = np.array([0, 1, 1, 1])
    found = bound_loss(features, labels, 2, [1] * 4, values)
    assert vf.at_least(found.lower, 8) == "0.56233514" and not found.checkable and len(found.equal) == 1
    report = vf.verify(x, labels, network, u)
    assert report.zero_loss.bound.lower == found.lower
    assert "(not stated in the certificate)" in report.zero_loss.reason


def test_classes_that_are_told_apart_are_left_out():
    """Class 2 has a ReLU unit of its own; the others are those of the problem without it, two of three samples more."""
    x = np.array([[1.0, 0], [2, 0], [3, 0], [-1, 4], [-1, 5]])
    network = Network((2,), (Dense(2, "relu", skip=True),))
    u = np.array([1.0, 0, 0, 1, 0, 0])
    found = bound_loss(FeatureEnclosure(network, u, x, 64), np.array([0, 1, 0, 2, 2]), 3, [1] * 5)
    alone = bound_loss(FeatureEnclosure(network, u, x[:3], 64), np.array([0, 1, 0]), 2, [1] * 3)
    assert abs(float(found.lower) * 5 - float(alone.lower) * 3) < 1e-9
    assert found.support.tolist() == [[1, 1, 0]] * 3 + [[0, 0, 1]] * 2


def test_separable_problems_have_no_bound_and_large_ones_are_not_tried(monkeypatch):
    network = Network((2,), (Dense(5, "tanh", skip=True),))
    features = FeatureEnclosure(network, initialise(network), XOR, 64)
    assert bound_loss(features, np.array([0, 1, 1, 0]), 2, [1] * 4) is None
    features, labels, classes, times = problem(3, "tanh")
    monkeypatch.setattr(loss_bound, "WORK", 1)
    assert bound_loss(features, labels, classes, times) is None


def test_the_report_says_it_and_the_statement_is_proved():
    network = Network((2,), (Dense(2, "tanh", skip=True),))
    report = vf.verify(XOR, [0, 1, 1, 0], network)
    assert report.verdict("zero_loss") is Verdict.REFUTED and report.verdict("Z0") is Verdict.PROVED
    assert report.loss_bound is report.zero_loss.bound
    assert report.loss_bound.words in report.zero_loss.reason
    assert "0.54" in next(step.reason for step in report.theorem.steps if step.label == "Z0")
    wide = vf.verify(XOR, [0, 1, 1, 0], vf.Dense(5, "tanh", skip=True))
    assert wide.verdict("Z0") is None and wide.loss_bound is None


def test_conflicting_labels_have_a_sharper_bound_at_this_u():
    x = np.vstack([XOR, XOR[:1]])
    report = vf.verify(x, [0, 1, 1, 0, 1], vf.Dense(2, "tanh", skip=True))
    entropy = report.problem.grouping.infimum[1]
    assert float(report.loss_bound.lower) > entropy + 0.1
    assert report.verdict("Z0") is Verdict.PROVED and report.loss_bound.label_counts is not None


@pytest.mark.parametrize("broken", ["entropy rounded up", "probabilities that are not balanced"])
def test_broken_copies_are_noticed(broken, monkeypatch):
    """Each makes the bound exceed what the other minimiser finds."""
    features, labels, classes, times = problem(3, "tanh")
    value = least(features.approx(), np.array(times)[:, None] * (labels[:, None] == np.arange(classes)))
    if broken == "entropy rounded up":
        monkeypatch.setattr(loss_bound, "round_down", lambda x, bits: round_up(x * (1 + arb(2) ** -20), bits))
    else:
        log_m = sum(times) * arb(classes).log()  # of V = 0
        step = np.zeros((features.columns, classes))
        monkeypatch.setattr(loss_bound, "bound_mixed", lambda *_: loss_bound.MixedBound(log_m, arb(0), step))
    assert float(bound_loss(features, labels, classes, times).lower) > value + 1e-12


def test_a_step_that_overflows_is_no_traceback():
    """The left tail of GELU: features of 1e-5000 beside others of 100, and no V in binary64 balances them."""
    x = np.array([[-1.0, 0], [2, -1], [0, 2], [1, 2], [2, 0], [1, 1]])
    u = np.array([1.05, -1.78, 1.44, 0.41, 2.4, -0.86, -1.1, -0.55, 71.9, 162.9, -155.0, -71.1])
    features = FeatureEnclosure(Network((2,), (Dense(4, "gelu", skip=True),)), u, x, 64)
    assert bound_loss(features, np.array([1, 0, 1, 0, 0, 0]), 2, [1] * 6) is None
