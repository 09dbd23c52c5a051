"""Deficiency and dead boxes of padded convolutions: a place in the padding is the constant 0, nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from planted import (
    EXACT,
    exact_rank,
    forward,
    numerical_rank,
    oracle,
    padded_dag,
    random_parameters,
    random_samples,
    seeds,
)
from planted_problems import checked, checker_bound, claiming, every_u_outcome

from verifier.network import layers, network
from verifier.rank import dead, deficiency
from verifier.sigma.activations import activation


def coarse_samples(rng, net):
    """Few samples whose coordinates often are constant, 0 or equal to others."""
    x = random_samples(rng, int(rng.integers(2, 7)), net, grid=1)
    x[:, rng.random(net.dimension) < 0.3] = float(rng.integers(0, 2))
    if rng.integers(2):
        x = x[:, rng.integers(0, net.dimension, net.dimension)]
    return x


def bounds_by_structure(rng):
    """Hold the bounds of random networks against their ranks; return how many bounds there were."""
    found = 0
    for _ in range(4):
        net = padded_dag(rng, ["identity", "square", "cubic"])
        x = coarse_samples(rng, net)
        u = random_parameters(rng, net, grid=1)
        rank = exact_rank(forward(net, u, x))
        at, every = deficiency.structural_deficiency(net, u, x), deficiency.structural_bound_every_u(net, x)
        assert at is None or rank <= at.rank_at_most
        assert every is None or rank <= every.rank_at_most
        found += (at is not None) + (every is not None)
        for claim in (rank - 1, *(claim.rank_at_most for claim in (every,) if claim is not None)):
            if 0 <= claim < len(x):
                accepted = every_u_outcome(net, x, claim).verdict == "ACCEPTED"
                assert accepted == (claim >= rank), (net.summary(), x, claim, rank)
        for claim in (rank - 1, *(claim.rank_at_most for claim in (at,) if claim is not None)):
            if 0 <= claim < len(x):
                assert (outcome_at(net, u, x, claim).verdict == "ACCEPTED") == (claim >= rank)
    return found


@seeds(10)
def test_padded_deficiency(rng):
    """Bounds by structure, of the prover and of the checker, at one U and for every U, are never below a rank."""
    bounds_by_structure(rng)


def test_padded_deficiency_of_many():
    """The random networks do have bounds."""
    assert sum(bounds_by_structure(np.random.default_rng(seed)) for seed in range(4)) >= 8


def outcome_at(net, u, x, rank):
    """The checker's answer to the claim that rank Psi(U) <= ``rank`` at this U."""
    return checked(claiming(net, u, x, deficiency.Deficiency("dependent-units", rank, "")))


def test_planted_padding():
    """Border windows that are equal because of the padding, and such that would be if it were anything but 0."""
    tanh = activation("tanh")
    a = np.array([1.0, 2.0, 3.0, 5.0])
    zero, one = np.zeros(4), np.ones(4)

    def bound(columns, layer, shape=None):
        net = network.Network(shape or (1, len(columns)), layer)
        x = np.stack(columns, axis=1)
        every, accepted = deficiency.structural_bound_every_u(net, x), checker_bound(net, x)
        u = random_parameters(np.random.default_rng(0), net)
        assert numerical_rank(oracle(net, u, x)) <= accepted == (every.rank_at_most if every is not None else 4)
        return accepted

    def conv(k, p, bias="tied", filters=1, **more):
        return layers.Conv(filters, k, tanh, bias=bias, skip=True, padding=p, **more)

    # windows [. a][a 0][0 a][a .], . the padding: a place in it is the constant 0, so that there are two units
    assert bound([a, zero, a], conv((2,), 1)) == 2
    assert bound([a, one, a], conv((2,), 1)) == 4
    assert bound([a, zero, a], conv((2,), 1, "per-unit")) == 4
    # one pixel: windows [. . a][. a .][a . .], three units with different weights; of a second filter as well
    assert bound([a], conv((3,), 2), (1, 1)) == 3
    assert bound([a], conv((3,), 2, filters=2), (1, 1)) == 4
    # a column of pixels, padded at its sides: all positions of a row are [. a .]
    assert bound([a, a, a], conv((1, 3), (0, 1)), (1, 3, 1)) == 1
    assert bound([a, a + 1, a], conv((1, 3), (0, 1)), (1, 3, 1)) == 2
    # windows without a coordinate that moves are constant
    assert bound([zero, a, one], conv((2,), 1, filters=1, stride=(3,))) == 1  # [. 0] and [1 .]: both constant
    # at one U: equal weights at the taps of the pixel make equal units
    net = network.Network((1, 1), layers.Conv(1, (3,), tanh, skip=True, bias="tied", padding=2))
    u = np.array([0.5, 2.0, 0.5, 0.25])
    found = deficiency.structural_deficiency(net, u, a[:, None])
    assert found is not None and found.rank_at_most == 2 and outcome_at(net, u, a[:, None], 2).verdict == "ACCEPTED"
    assert outcome_at(net, u, a[:, None], 1).verdict == "REJECTED"


@seeds(5)
def test_padded_box(rng):
    """Open boxes of dead features below padded convolutions: constant at random points of the box, exactly."""
    rational = {**EXACT, "relu": lambda t: max(t, Fraction(0))}
    for _ in range(4):
        net = padded_dag(rng, ["relu"])
        x = random_samples(rng, 4, net)
        box = dead.dead_open_set(net, x)
        if box is None:
            continue
        for _ in range(2):
            u = box.u + box.radius * 0.99 * rng.uniform(-1, 1, len(box.u))
            rows = forward(net, u, x, functions=rational)
            assert all(row == rows[0] for row in rows) and exact_rank(rows) <= box.rank_at_most
