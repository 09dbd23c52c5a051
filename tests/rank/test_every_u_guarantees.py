"""Deficiency for every U, by prover and checker, and dead boxes: never below the rank at random U."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from planted import (
    dense,
    exact_rank,
    forward,
    numerical_rank,
    oracle,
    random_parameters,
    random_samples,
    seeds,
)
from planted_problems import PATCHES, checker_bound, free_network

from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import dead, deficiency
from verifier.sigma.activations import Activation, activation


def bounds_by_structure(rng):
    """Hold the bounds of random networks against their ranks; return how many bounds there were."""
    found_some = 0
    for _ in range(6):
        net, x = free_network(rng)
        found = deficiency.structural_bound_every_u(net, x)
        if found is None:
            continue
        found_some += 1
        assert found.reason == "every-u" and found.rank_at_most < len(x) and "EVERY U" in found.explanation
        for scale in (1.0, 4.0):
            u = random_parameters(rng, net, scale, grid=4)
            assert numerical_rank(oracle(net, u, x)) <= found.rank_at_most, (found, net.summary(), x)
    return found_some


@seeds(10)
def test_every_u(rng):
    """A bound for every U is never below the rank at random U, by exact or 100-digit arithmetic."""
    bounds_by_structure(rng)


def test_every_u_of_many():
    """The random networks do have bounds."""
    assert sum(bounds_by_structure(np.random.default_rng(seed)) for seed in range(4)) >= 8


def test_planted_every_u():
    """The bound for every U where it is known, and that generic U attain it."""
    tanh, square, identity, cubic = map(activation, ("tanh", "square", "identity", "cubic"))
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])
    plane = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, -1.0], [4.0, 0.5], [1.5, 2.5], [3.0, 3.0], [-1.0, -2.0]])
    flat = np.array([[0.0, 3.0], [1.0, 3.0], [2.0, 3.0]])

    def conv(filters, bias, sigma=tanh, **more):
        return Conv(filters, (1,), sigma, bias=bias, skip=True, **more)

    cases = [
        ((1, 2), (conv(1, "tied"),), PATCHES, 1),
        ((1, 2), (conv(1, "per-unit"),), PATCHES, None),
        ((1, 2), (conv(2, "tied"),), PATCHES, None),
        ((1, 2), (conv(2, "tied"),), line, 2),
        ((1, 2), (conv(2, "tied"),), line[::-1] * [[1, 2]], None),
        ((1, 2), (conv(2, "tied"),), flat, None),
        ((1, 2), (conv(1, "tied"), conv(1, "tied", inputs=(0,))), line, 2),
        ((1, 2), (conv(1, "per-unit"), conv(1, "tied", inputs=(0,))), line, None),
        ((1, 2), (conv(1, "tied"), conv(1, "tied", inputs=("input",))), line, 2),
        ((2,), (Dense(2, tanh, skip=True), Dense(2, tanh, skip=True)), plane[:4], None),
        ((2,), (Dense(3, tanh, skip=True),), plane[:3], None),
        ((2,), (Dense(3, tanh, skip=True),), plane, 3),
        ((2,), (Dense(8, tanh, skip=True),), plane[[0, 1, 1, 2]], 3),
        ((2,), (Dense(9, identity, skip=True),), plane, 3),
        ((2,), (Dense(9, identity, skip=True),), line, 2),
        ((2,), (Dense(9, square, skip=True),), plane, 6),
        ((2,), (Dense(9, square, skip=True),), plane[:6], None),
        ((2,), (Dense(9, square, skip=True),), line, 3),
        ((2,), (Dense(9, cubic, skip=True),), line, None),
        ((2,), (Dense(2, identity), Dense(9, square, skip=True)), line, 3),
        ((2,), (Dense(2, square), Dense(9, square, skip=True)), line, None),
        ((2,), (Dense(9, identity, skip=True), Dense(1, tanh, skip=True, inputs=("input",))), plane, 4),
        ((2,), (Dense(9, identity, skip=True), Dense(4, tanh, skip=True, inputs=("input",))), plane, None),
        ((1, 2), (AvgPool((2,), skip=True), Dense(1, tanh, True, ("input",))), PATCHES, None),
        ((1, 2), (AvgPool((1,), skip=True), AvgPool((2,), (1,), True, ("input",))), line, 1),
        ((1, 2), (conv(4, "per-unit", inputs=("input",)), Dense(8, tanh, True, (0,))), flat[:, ::-1] * 0 + 1, 1),
    ]  # fmt: skip
    for shape, layers, x, bound in cases:
        net = Network(shape, layers)
        found = deficiency.structural_bound_every_u(net, x)
        assert (None if found is None else found.rank_at_most) == bound, (net.summary(), x, found)
        assert checker_bound(net, x) == (len(x) if bound is None else bound), (net.summary(), x)
        u = random_parameters(np.random.default_rng(3), net, 0.5, grid=64)
        assert numerical_rank(oracle(net, u, x)) == (len(x) if bound is None else bound), (net.summary(), x)
    fixed = Network((2,), (Dense(9, Activation.from_expression("pi"), skip=True),))
    assert deficiency.structural_bound_every_u(fixed, plane).rank_at_most == checker_bound(fixed, plane) == 1


def test_mirrored_units():
    """Units c0 - z span no constant unless z occurs, too: sigmoids that are all mirrored, and a mirrored pair."""
    line = np.array([[0.0], [1.0], [2.0]])
    for weights, bound in (([-1, -1, -1], 1), ([-1, -1, -2], 2), ([-1, 1, 1], 2), ([-1, 1, -2], None)):
        net = dense([3], ["sigmoid"], 1)
        u = np.array([*weights, *weights], dtype=float)
        found = deficiency.structural_deficiency(net, u, line)
        assert (None if found is None else found.rank_at_most) == bound, weights
        assert numerical_rank(oracle(net, u, line)) == (bound or 3)


@seeds(5)
def test_checker_every_u(rng):
    """The checker's bound for every U is never below the rank at random U, and at most the prover's."""
    for _ in range(6):
        net, x = free_network(rng)
        bound = checker_bound(net, x)
        found = deficiency.structural_bound_every_u(net, x)
        assert found is None or not found.stated or bound <= found.rank_at_most, (net.summary(), x)
        for scale in (1.0, 4.0):
            u = random_parameters(rng, net, scale, grid=4)
            rank = numerical_rank(oracle(net, u, x))
            assert rank <= bound and (found is None or rank <= found.rank_at_most), (net.summary(), x)


@seeds(5)
def test_dead_open_set(rng):
    """At random U of the box all features are constant over the samples, exactly, and the rank is as stated."""
    rational = {"relu": lambda t: max(t, Fraction(0)), "hard_tanh": lambda t: max(Fraction(-1), min(Fraction(1), t))}
    rational |= {"identity": lambda t: t, "square": lambda t: t * t}
    for _ in range(6):
        name, lower = str(rng.choice(["relu", "hard_tanh"])), str(rng.choice(["identity", "square", "relu"]))
        layers = (
            Conv(2, (2,), activation(lower), bias=str(rng.choice(["tied", "per-unit"]))),
            AvgPool((2,)),
            Dense(3, activation(name), inputs=(0, 1, "input"), skip=True),
            AvgPool((1,), inputs=(1,), skip=False),
            Dense(2, activation(name), inputs=(2,), skip=(1,)),
        )
        net = Network((1, 4), layers)
        x = random_samples(rng, 4, net) * float(rng.choice([0.25, 1.0, 1000.0]))
        found = dead.dead_open_set(net, x)
        assert found is not None and 0 < found.radius <= 1 and found.rank_at_most == int(name == "hard_tanh")
        for _ in range(6):
            corner = rng.choice([-1.0, 1.0, 0.5], net.parameter_count) * (found.radius * (1 - 2.0**-20))
            psi = forward(net, found.u + corner, x, Fraction, rational)
            assert exact_rank(psi) <= found.rank_at_most
            assert all(row == psi[0] for row in psi)
    for name in ("tanh", "leaky_relu", "elu", "Abs(t)"):
        assert dead.dead_open_set(dense([5], [name], 1), np.array([[0.0], [1.0]])) is None
    for name, rank in (("relu", 0), ("hard_tanh", 1), ("Max(0, t) + 1", 1)):
        found = dead.dead_open_set(dense([5], [name], 1), np.array([[0.0], [1.0]]))
        assert found.rank_at_most == rank and (found.radius, found.u.tolist()[:5]) == (0.25, [0.0] * 5)
    assert dead.dead_open_set(dense([5], ["hard_tanh"], 1), np.array([[3.0]])) is None  # rank 1 = N
    assert dead.dead_open_set(dense([5], ["relu"], 1), np.array([[-1.0], [-1.0]])).radius <= 0.5
