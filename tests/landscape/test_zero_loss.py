"""Z1: gamma is a true lower bound of every margin; no claim without one."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from planted import dense, fraction
from planted_problems import fractions_of, oracle_margins, small_problem

from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.landscape import zero_loss
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.initialise import initialise
from verifier.rank.certify import prove_rank
from verifier.verdict import Verdict


def separable(samples=12):
    """M = 2 < N: the identity on the line, and a constant."""
    net = dense([2], ["identity"], 1)
    x = np.concatenate([np.linspace(-2, -1, samples // 2), np.linspace(1, 2, samples // 2)])[:, None]
    u = np.array([1.0, 0.0, 0.0, 1.0])
    return FeatureEnclosure(net, u, x, 64), np.repeat([0, 1], samples // 2)


def test_fewer_units_than_samples_are_proved_when_separable():
    features, labels = separable()
    assert prove_rank(features)[0].verdict is Verdict.REFUTED
    found = prove_zero_loss(features, labels, 2)
    assert found.verdict is Verdict.PROVED
    for row in oracle_margins(features, fractions_of(found.weights), labels):
        assert all(fraction(m) >= found.gamma.fraction() > 0 for m in row)


def test_inseparable_data_are_refuted_or_left_open_if_that_is_not_wanted():
    features, labels = separable(4)
    found = prove_zero_loss(features, np.array([0, 1, 0, 1]), 2)
    assert found.verdict is Verdict.REFUTED and found.gamma is None and found.weights is None
    assert "for every V" in found.reason and "log(2)/n" not in found.reason
    found = prove_zero_loss(features, np.array([0, 1, 0, 1]), 2, refute=False)
    assert found.verdict is Verdict.UNDECIDED and "open" in found.reason and found.excluded is None
    assert labels.tolist() == [0, 0, 1, 1]


def only(monkeypatch, *weights):
    def proposals(psi, labels, classes, witness):
        for k, v in enumerate(weights):
            yield f"planted {k}", ExactArray.of_floats(np.asarray(v, dtype=float))

    monkeypatch.setattr(zero_loss, "proposals", proposals)


def test_margins_of_1e_minus_12_are_decided(monkeypatch):
    features, labels = separable()
    only(monkeypatch, [[-1e-12, 0], [0, 0]])
    found = prove_zero_loss(features, labels, 2)
    assert found.verdict is Verdict.PROVED
    assert Fraction(999, 1000) * Fraction(1e-12) <= found.gamma.fraction() <= Fraction(1e-12)


def test_a_margin_that_is_exactly_zero_is_never_proved(monkeypatch):
    features, labels = separable()
    for v in ([[0, 0], [0, 0]], [[-1, 0], [1, 0]], [[-1, 0], [-1, 0]], [[1, 1], [3, 3]]):
        only(monkeypatch, v)
        found = prove_zero_loss(features, labels, 2, max_bits=256)
        assert found.verdict is Verdict.UNDECIDED


def test_a_wrong_sign_on_one_sample_of_many_is_seen(monkeypatch):
    net = dense([1], ["identity"], 1)
    x = np.concatenate([np.linspace(1, 2, 300), [-1e-9]])[:, None]
    only(monkeypatch, [[1.0, 0.0]])
    features = FeatureEnclosure(net, np.array([1.0, 0.0]), x, 64)
    assert prove_zero_loss(features, np.zeros(301, dtype=np.int64), 2).verdict is Verdict.REFUTED
    right = FeatureEnclosure(net, np.array([1.0, 0.0]), x[:300], 64)
    assert prove_zero_loss(right, np.zeros(300, dtype=np.int64), 2).verdict is Verdict.PROVED


def test_bad_proposals_are_passed_over(monkeypatch):
    features, labels = separable()
    only(monkeypatch, [[1, 0], [0, 0]], [[-1, 0], [0, 0]])
    found = prove_zero_loss(features, labels, 2)
    assert found.verdict is Verdict.PROVED and "planted 1" in found.reason


def test_more_bits_are_taken_when_the_sign_is_open(monkeypatch):
    """tanh(1 + 2^-60) - tanh(1): the balls of 32 bits overlap zero, those of 128 bits do not."""
    net = dense([2], ["tanh"], 1)
    features = FeatureEnclosure(net, np.array([1.0, 1.0, 0.0, 2.0**-52]), np.array([[1.0]]), 32)
    only(monkeypatch, [[-1.0, 0.0], [1.0, 0.0]])
    low = prove_zero_loss(features, np.array([0]), 2, max_bits=32)
    high = prove_zero_loss(features, np.array([0]), 2, max_bits=256)
    assert low.verdict is Verdict.UNDECIDED
    assert high.verdict is Verdict.PROVED and high.precision > 32 and high.features.precision == high.precision
    with mpmath.workdps(60):
        gap = mpmath.tanh(1 + mpmath.mpf(2) ** -52) - mpmath.tanh(1)
    assert 0 < high.gamma.fraction() <= fraction(gap)


def test_the_right_inverse_separates_where_floats_cannot():
    """1-d data with sigma_N far below binary64: V1 comes from the exact right inverse."""
    net = dense([20], ["tanh"], 1)
    x = np.arange(16)[:, None] / 16.0
    rank, features = prove_rank(FeatureEnclosure(net, initialise(net, seed=3), x, 64))
    assert rank.verdict is Verdict.PROVED and rank.precision > 64
    labels = np.arange(16) % 2
    found = prove_zero_loss(features, labels, 2, witness=rank.witness)
    assert found.verdict is Verdict.PROVED
    truth = oracle_margins(features, fractions_of(found.weights), labels)
    assert all(fraction(m) >= found.gamma.fraction() for row in truth for m in row)


@pytest.mark.parametrize("classes", [2, 5])
def test_any_number_of_classes(classes):
    features, _, _ = small_problem(np.random.default_rng(0), n=6, m=10)
    labels = np.arange(6) % classes
    assert prove_zero_loss(features, labels, classes).verdict is Verdict.PROVED
