"""Z2: the certified ball of weights, and the ball of hidden weights with full rank."""

import numpy as np
import pytest
from planted import dense
from planted_problems import random_problem

from verifier.balls.exact import Dyadic, ExactArray
from verifier.landscape.activation_bounds import largest_size
from verifier.landscape.neighbourhood import certified_ball, full_rank_radius
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.certify import prove_rank
from verifier.sigma.activations import activation
from verifier.verdict import Verdict


def test_a_function_without_a_bound_is_given_up():
    assert largest_size(lambda t: 1 / t, Dyadic(1, 0).arb()) is None
    assert largest_size(lambda t: t * 0, Dyadic(1, 0).arb()).fraction() == 0


def test_kinks_are_bounded_in_balls_and_far_weights_are_left_open():
    enclosure, labels, _ = random_problem(np.random.default_rng(0), name="tanh")
    rank, sharp = prove_rank(enclosure)
    zero = prove_zero_loss(sharp, labels, 3, witness=rank.witness)
    kinked = Network((2,), (Dense(7, activation("relu"), skip=True),))
    found = certified_ball(kinked, enclosure.u, enclosure.inputs, zero.weights, zero.gamma)
    assert found.verdict is Verdict.PROVED and 0 < float(found.radius) < 1
    far = certified_ball(
        Network((2,), (Dense(7, activation("softplus"), skip=True),)),
        1e8 * enclosure.u,
        enclosure.inputs,
        zero.weights,
        zero.gamma,
    )
    assert far.verdict is Verdict.UNDECIDED and far.radius is None and "\n" not in far.reason


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_radii_of_extreme_weights(scale):
    """The margins scale with V; the radius stays positive and below what the output weights alone allow."""
    enclosure, labels, _ = random_problem(np.random.default_rng(1), name="tanh")
    rank, sharp = prove_rank(enclosure)
    zero = prove_zero_loss(sharp, labels, 3, witness=rank.witness)
    weights = ExactArray.of_floats(zero.weights.approx() * scale)
    gamma = Dyadic.of_float(float(zero.gamma) * scale / 2)
    found = certified_ball(enclosure.network, enclosure.u, enclosure.inputs, weights, gamma)
    assert found.verdict is Verdict.PROVED
    assert 0 < float(found.radius) < float(gamma)


def test_full_rank_needs_one_dense_layer():
    x, sigma = np.array([[1.0, 2.0]]), Dyadic(1, 0)
    assert full_rank_radius(dense([3, 3], ["tanh", "tanh"], 2), x, sigma) is None
    assert full_rank_radius(Network((2,), (Dense(3, activation("tanh"), skip=(0, 1)),)), x, sigma) is None
    assert full_rank_radius(dense([3], ["tanh"], 2), x, Dyadic(0, 0)) is None
    assert full_rank_radius(dense([3], ["square"], 2), x, sigma) is None
    wide = np.ones((450, 430)) / 430
    assert full_rank_radius(dense([3], ["tanh"], 430), wide, sigma).fraction() > 0
