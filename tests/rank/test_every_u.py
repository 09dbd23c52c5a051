"""Deficiency for every U: never below a rank, found where it is planted; open boxes of dead features."""

import numpy as np
import pytest
from planted import dense, over_seeds
from planted_problems import PATCHES, free_network, one_pixel

from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.dead import dead_open_set
from verifier.rank.deficiency import structural_bound_every_u, structural_deficiency
from verifier.sigma.activations import activation


def test_the_example_of_the_paper_with_a_tied_bias():
    found = structural_bound_every_u(one_pixel("tied"), PATCHES)
    assert (found.reason, found.rank_at_most) == ("every-u", 1)
    assert "are only 1 different non-constant function (layer 0: with a tied bias" in found.explanation


@over_seeds(share=4)
def test_every_u_is_at_least_every_single_u(seed):
    """What holds for every U holds at each: the bound at one U is never larger than the one for all."""
    rng = np.random.default_rng(seed)
    net, x = free_network(rng)
    every = structural_bound_every_u(net, x)
    at_zero = structural_deficiency(net, np.zeros(net.parameter_count), x)
    if every is not None and every.rank_at_most < min(len(x), net.skip_count, len(np.unique(x, axis=0))):
        assert at_zero is not None and at_zero.rank_at_most <= every.rank_at_most


def test_coordinates_must_agree_on_all_samples():
    x = np.array([[0.0, 0.0], [1.0, 1.0 + 2**-52]])
    assert structural_bound_every_u(one_pixel("tied"), x) is None


def test_units_on_constant_coordinates_are_constant_whatever_the_weights():
    layers = (Conv(3, (1,), activation("sigmoid"), skip=True),)
    x = np.array([[5.0, 0.0], [5.0, 1.0], [5.0, 2.0], [5.0, 3.0]])
    net = Network((1, 2), layers)
    assert structural_bound_every_u(net, x) is None  # one constant, three units on the other pixel: 4 = N
    few = Network(
        (1, 2), (Conv(2, (1,), activation("sigmoid"), skip=True), AvgPool((1,), inputs=("input",), skip=(0,)))
    )
    assert structural_bound_every_u(few, x).rank_at_most == 3


def test_wide_layers_are_quick():
    net = dense([3000, 3000], ["tanh", "tanh"], 64)
    x = np.random.default_rng(0).integers(0, 9, (200, 64)).astype(float)
    assert structural_bound_every_u(net, x) is None


@pytest.mark.parametrize("name", ["relu", "hard_tanh"])
def test_the_box_explains_itself(name):
    net = Network((2,), (Dense(3, activation("tanh")), Dense(9, activation(name), skip=True)))
    found = dead_open_set(net, np.array([[1.0, 2.0], [3.0, -4.0], [0.0, 0.0]]))
    assert found.u.shape == (net.parameter_count,) and found.radius > 0
    assert "no null set" in found.explanation
    weights = net.views(found.u)
    assert not weights["layer1.weight"].any() and (weights["layer1.bias"] < 0).all()


def test_the_box_shrinks_with_the_samples():
    """The radius is at least of the order 1 / (1 + sum |x|), down to hidden layers that grow."""
    net, x = dense([4], ["relu"], 3), np.array([[1.0, 2.0, -3.0], [0.5, 0.0, 1.0]])
    for scale in (1.0, 2.0**20, 2.0**60):
        radius = dead_open_set(net, x * scale).radius
        assert 1 / 4 <= radius * (1 + scale * 6) <= 1
    assert dead_open_set(net, x * 1e200) is None  # beyond the smallest box that is tried


def test_a_dead_box_is_inhabited():
    net, x = dense([4, 4], ["relu", "relu"], 1), np.array([[0.0], [1.0], [2.0]])
    found = dead_open_set(net, x)
    u = found.u + found.radius * np.clip(initialise(net), -0.99, 0.99)
    assert structural_deficiency(net, u, x) is None  # not by structure at this U, but by enclosure
    assert found.rank_at_most == 0
