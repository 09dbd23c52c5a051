"""prove_rank: PROVED only at full rank, REFUTED only below it, everything else UNDECIDED."""

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from planted import (
    dense,
    mp,
    oracle,
    random_parameters,
    random_samples,
    shuffled_dag,
    smallest_singular_value,
)

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.rank import approx, certify
from verifier.rank.certify import prove_rank
from verifier.verdict import Verdict


def rank_of(net, u, x, **keywords):
    found, _ = prove_rank(FeatureEnclosure(net, u, x, 64), **keywords)
    return found


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "gelu", "sin"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (12, 12), (40, 60), (100, 130)])
def test_sigma_lower_is_below_sigma_and_within_a_factor_two(name, n, m):
    rng = np.random.default_rng(n * m)
    net = dense([m], [name], 8)
    u, x = initialise(net, seed=n + m), random_samples(rng, n, net)
    found = rank_of(net, u, x)
    assert found.verdict is Verdict.PROVED and found.label in ("R1", "R3")
    truth = np.linalg.svd(approx_features(net, u, x), compute_uv=False)[-1]
    assert 0.5 * truth <= float(found.bound.sigma_lower) <= truth * (1 + 1e-9)
    assert found.bound.alpha.fraction() < 1


def test_one_dimensional_data_with_sigma_below_1e_minus_30_is_proved():
    net = dense([60], ["tanh"], 1)
    x = np.arange(40)[:, None] / 40.0
    found = rank_of(net, initialise(net, seed=1), x)
    assert found.verdict is Verdict.PROVED and found.label == "R3" and found.precision > 64
    sigma = found.bound.sigma_lower.fraction()
    assert 0 < sigma < Fraction(1, 10**30)


def test_a_tiny_sigma_is_below_the_oracle():
    net = dense([12], ["tanh"], 1)
    u, x = initialise(net, seed=2), np.arange(10)[:, None] / 10.0
    found = rank_of(net, u, x)
    assert found.verdict is Verdict.PROVED
    with mpmath.workdps(60):
        truth = smallest_singular_value(oracle(net, u, x))
        assert truth / 2 <= mp(found.bound.sigma_lower.fraction()) <= truth


def test_a_float_subset_of_columns_proves_the_same(monkeypatch):
    monkeypatch.setattr(approx, "LARGE", 10)
    net = dense([64], ["tanh"], 6)
    rng = np.random.default_rng(0)
    u, x = initialise(net, seed=5), random_samples(rng, 20, net)
    found = rank_of(net, u, x)
    assert found.verdict is Verdict.PROVED and len(found.witness.columns) == 25
    assert float(found.bound.sigma_lower) <= np.linalg.svd(approx_features(net, u, x), compute_uv=False)[-1]


def test_when_the_subset_of_columns_is_singular_all_columns_are_tried(monkeypatch):
    monkeypatch.setattr(approx, "LARGE", 4)
    net = dense([16], ["tanh"], 3)
    u = initialise(net, seed=5)
    first, everything = approx.column_choices(6, 16)
    assert everything is None and len(first) == 8
    for view in net.views(u).values():
        view[first[2:]] = view[first[0]]  # the subset has rank 2 at most, all columns have rank 6
    found = rank_of(net, u, random_samples(np.random.default_rng(0), 6, net))
    assert found.verdict is Verdict.PROVED and found.witness.columns is None and len(found.attempts) == 2


@pytest.mark.parametrize("seed", range(8))
def test_planted_clones_and_mirrors_are_never_proved(seed):
    """Fewer than N different columns: REFUTED where R5 sees it, UNDECIDED otherwise, never PROVED."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 9))
    name = str(rng.choice(["tanh", "sin", "square", "softplus"]))
    net = dense([n + 4], [name], 5)
    u = random_parameters(rng, net)
    weight, bias = net.views(u)["layer0.weight"], net.views(u)["layer0.bias"]
    for j in range(n - 1, n + 4):
        k = int(rng.integers(0, n - 1))
        sign = -1 if name != "softplus" and rng.integers(2) else 1
        weight[j], bias[j] = sign * weight[k], sign * bias[k]
    found = rank_of(net, u, random_samples(rng, n, net), max_bits=128)
    assert found.verdict is Verdict.REFUTED and found.deficiency.rank_at_most <= n - 1


@pytest.mark.parametrize("gap", [2.0**-200, 2.0**-300, 5e-324])
def test_a_numerical_dependence_without_structure_is_undecided(gap):
    """tanh(t) and tanh(t + gap) are different functions: too close for the bits allowed, so nothing is said."""
    net = dense([3], ["tanh"], 1)
    u = np.array([1.0, 1.0, 1.0, 0.0, gap, 2.0**-60])
    found = rank_of(net, u, np.array([[0.5], [1.0], [2.0]]), max_bits=128)
    assert found.verdict is Verdict.UNDECIDED and found.bound is None and found.deficiency is None
    assert found.label == "R" and "max_bits" in found.reason and len(found.attempts) >= 2


def test_fewer_units_and_equal_samples_are_refuted_for_every_u():
    net = dense([3], ["tanh"], 2)
    few = rank_of(net, initialise(net), np.arange(8.0).reshape(4, 2))
    assert few.verdict is Verdict.REFUTED and few.deficiency.reason == "fewer-units" and few.label == "R5"
    equal = rank_of(net, initialise(net), np.array([[1.0, 0.0], [1.0, -0.0], [2.0, 3.0]]))
    assert equal.verdict is Verdict.REFUTED and equal.deficiency.reason == "equal-samples"
    assert equal.deficiency.rank_at_most == 2


def test_zero_initialisation_is_refuted():
    for name, most in (("tanh", 0), ("sigmoid", 1), ("exp", 1)):  # tanh(0) = 0 exactly
        net = dense([6], [name], 2)
        found = rank_of(net, initialise(net, "zeros"), np.arange(8.0).reshape(4, 2))
        assert found.verdict is Verdict.REFUTED and found.deficiency.rank_at_most == most


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["identity", "square", "cubic", "tanh", "softplus", "exp", "gelu"])
@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-30, 1e30, 1e150, 1e300])
def test_extreme_weights_neither_crash_nor_prove_a_falsehood(name, scale):
    net = dense([4], [name], 2)
    rng = np.random.default_rng(0)
    u, x = random_parameters(rng, net, scale=1.0) * scale, rng.standard_normal((3, 2))
    found = rank_of(net, u, x, max_bits=256)
    if found.label == "R6" and found.verdict is Verdict.PROVED:
        assert found.bound is None and found.sigma_lower == 0.0 and name in ("identity", "square", "cubic")
    elif found.verdict is Verdict.PROVED and scale < 1e100:
        with mpmath.workdps(60):
            assert mp(found.bound.sigma_lower.fraction()) <= smallest_singular_value(oracle(net, u, x)) * (1 + 1e-30)
    if found.verdict is Verdict.REFUTED:
        assert name == "identity" and found.deficiency.rank_at_most >= 2


def test_a_budget_that_is_too_small_is_said():
    net = dense([30], ["tanh"], 1)
    found = rank_of(net, initialise(net, seed=1), np.arange(25)[:, None] / 25.0, patience=0.0)
    assert found.verdict is Verdict.UNDECIDED and "not tried" in found.attempts[-1]


def test_equal_units_are_found_without_time_for_arb():
    """Structure needs no Arb: a network too large for it is refuted all the same."""
    net, half = dense([30], ["tanh"], 1), np.linspace(0.3, 1.2, 15)
    found = rank_of(net, np.tile(half, 4), np.arange(25)[:, None] / 25.0, patience=0.0)
    assert found.verdict is Verdict.REFUTED and found.deficiency.rank_at_most == 15


def test_convolutions_and_pools_are_proved_and_bounded():
    rng = np.random.default_rng(7)
    net = shuffled_dag(rng, ["tanh", "sigmoid"], skip_some=False)
    u, x = random_parameters(rng, net), random_samples(rng, 4, net)
    found = rank_of(net, u, x)
    assert found.verdict is Verdict.PROVED
    assert float(found.bound.sigma_lower) <= np.linalg.svd(approx_features(net, u, x), compute_uv=False)[-1]


def test_the_attempts_tell_the_ladder():
    net = dense([30], ["tanh"], 1)
    stages = []

    def stage(words):
        stages.append(words)
        return lambda fraction: None

    x = np.arange(20)[:, None] / 20.0
    found = rank_of(net, initialise(net, seed=1), x, stage=stage)
    assert found.verdict is Verdict.PROVED and ": certified (" in found.attempts[-1]
    assert found.attempts[0].startswith("R1 at 64 bits") and any("structural" in words for words in stages)


def test_what_binary64_proved_is_discarded_where_the_canary_fails_afterwards(monkeypatch):
    network = dense([6], ["tanh"], 1)
    u, x = initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    honest, asked = certify.canary, []

    def failing_the_second_time(backend, products):
        asked.append(products)
        report = honest(backend, products)
        return report if len(asked) == 1 else dataclasses.replace(report, passed=False, failure="planted")

    monkeypatch.setattr(certify, "canary", failing_the_second_time)
    found, enclosure = prove_rank(FloatEnclosure(network, u, x, numpy_backend(1)))
    assert len(asked) == 2 and "binary64: its result is discarded, planted" in found.attempts
    assert isinstance(enclosure, FeatureEnclosure) and found.label == "R1" and "at 64 bits" in found.reason
