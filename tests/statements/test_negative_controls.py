"""Where the theory's conclusion fails, or floating point misleads, the verdict is right, and for the right reason."""

import numpy as np
import pytest
from planted import dense, exact_rank, forward, numerical_rank, oracle, random_parameters
from planted_problems import PATCHES, data_of, every_u_outcome, one_pixel

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.certify import prove_rank
from verifier.rank.dead import dead_open_set
from verifier.rank.deficiency import structural_bound_every_u
from verifier.rank.genericity import full_rank_fraction
from verifier.run.case_problem import run_case
from verifier.run.record import surprises
from verifier.run.runner import packaged_cases
from verifier.sigma.activations import activation
from verifier.statements.assumption import check_assumption, distinct_patches
from verifier.verdict import Verdict


def test_a_tied_bias_fails_for_every_u_although_the_patches_are_distinct():
    net = one_pixel("tied", "sigmoid")
    assumption = check_assumption(net, data_of(PATCHES))
    assert assumption.patches.verdict is Verdict.PROVED and assumption.activations.verdict is Verdict.PROVED
    assert assumption.units.verdict is Verdict.REFUTED and "tied bias" in assumption.units.reason
    found = structural_bound_every_u(net, PATCHES)
    assert found.rank_at_most == 1 and every_u_outcome(net, PATCHES, 1).verdict == "ACCEPTED"
    sampled = full_rank_fraction(net, PATCHES, range(3))
    assert sampled.count(Verdict.REFUTED) == 3 and sampled.labels == {"R5": 3}
    own = full_rank_fraction(one_pixel("per-unit", "sigmoid"), PATCHES, range(3))
    assert own.count(Verdict.PROVED) == 3  # with a bias per unit the same filter has full rank


def test_identical_samples_fail_for_every_u_and_the_patches_say_so():
    net, x = dense([5], ["sigmoid"], 1), np.array([[0.0], [1.0], [0.0]])
    assert distinct_patches(net, data_of(x)).evidence.samples == (0, 2)
    found = structural_bound_every_u(net, x)
    assert found.rank_at_most == 2 and "only 2 of the N = 3 samples are distinct" in found.explanation


def test_fewer_units_than_samples_fail_for_every_u_and_the_units_say_so():
    net, x = dense([2], ["sigmoid"], 1), np.array([[0.0], [1.0], [2.0]])
    assumption = check_assumption(net, data_of(x))
    assert assumption.units.verdict is Verdict.REFUTED and "N = 3 are needed" in assumption.units.reason
    found = structural_bound_every_u(net, x)
    assert found.rank_at_most == 2 and "M = 2 columns" in found.explanation


@pytest.mark.parametrize(("name", "bound"), [("identity", 3), ("square", 6)])
def test_too_few_monomials_fail_for_every_u(name, bound):
    """d = 2: polynomials of degree 1 and 2 span 3 and 6 dimensions; one sample fewer and the rank is full."""
    rng = np.random.default_rng(1)
    net, x = dense([9], [name], 2), rng.integers(-5, 6, (7, 2)) / 2.0
    found = structural_bound_every_u(net, x)
    assert found.rank_at_most == bound and f"span only {bound} dimensions" in found.explanation
    for _ in range(3):
        assert exact_rank(forward(net, random_parameters(rng, net, grid=8), x)) == bound
    assert structural_bound_every_u(net, x[:bound]) is None
    assert full_rank_fraction(net, x[:bound], [0]).fraction == 1.0


@pytest.mark.parametrize("name", ["relu", "hard_tanh"])
def test_dead_units_fail_on_an_open_set_while_other_u_have_full_rank(name):
    net, x = dense([9], [name], 1), np.array([[0.0], [1.0], [2.0]])
    assert check_assumption(net, data_of(x)).activations.verdict is Verdict.REFUTED
    found = dead_open_set(net, x)
    for seed in range(3):
        near = found.u + found.radius * np.clip(initialise(net, seed=seed), -0.99, 0.99)
        assert numerical_rank(oracle(net, near, x)) <= found.rank_at_most < len(x)
    assert full_rank_fraction(net, x, range(8)).count(Verdict.PROVED) > 0  # so it is not deficient for every U
    assert structural_bound_every_u(net, x) is None


def sequential_features(weight, bias, x):
    """tanh of sums in float64, term by term, the bias last."""
    psi = np.empty((len(x), len(weight)))
    for i, sample in enumerate(x.tolist()):
        for j, row in enumerate(weight.tolist()):
            total = 0.0
            for w, v in zip(row, sample, strict=True):
                total += w * v
            psi[i, j] = np.tanh(total + bias[j])
    return psi


def test_float64_says_full_rank_and_the_units_are_equal():
    """2^53 x + x + x - 2^53 is 0 at x = 1 in float64 and 2 exactly, which (2^53, 2, 0) gets right."""
    big = 2.0**53
    weight, bias = np.array([[big, 1.0, 1.0], [big, 2.0, 0.0]]), np.array([-big, -big])
    x = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert np.linalg.matrix_rank(sequential_features(weight, bias, x)) == 2
    net = Network((3,), (Dense(2, activation("tanh"), skip=True),))
    u = np.concatenate([weight.ravel(), bias])
    assert numerical_rank(oracle(net, u, x)) == 1
    for features in (FloatEnclosure(net, u, x, numpy_backend()), FeatureEnclosure(net, u, x, 64)):
        found, _ = prove_rank(features)
        assert (found.verdict, found.label, found.deficiency.rank_at_most) == (Verdict.REFUTED, "R5", 1)
        assert "1 different non-constant function" in found.reason
    assert structural_bound_every_u(net, x) is None  # at other U the two units differ


def test_float64_says_deficient_and_the_rank_is_full():
    x = np.arange(1, 17.0)[:, None] / 40
    net = dense([18], ["sigmoid"], 1)
    features = FeatureEnclosure(net, initialise(net), x, 64)
    assert np.linalg.matrix_rank(features.approx()) < 16
    found, _ = prove_rank(features)
    assert (found.verdict, found.label) == (Verdict.PROVED, "R3")
    assert 0 < found.sigma_lower < 1e-20


@pytest.mark.parametrize(("name", "label"), [("float-rank-too-large", "R5"), ("float-rank-too-small", "R3")])
def test_the_packaged_cases_show_both(name, label):
    case = next(case for case in packaged_cases("quick") if case.name == name)
    report, _ = run_case(case)
    assert not surprises(report, case) and report.rank.label == label
