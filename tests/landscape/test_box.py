"""Boxes of hidden parameters for any network: balls hold Psi at corners and inside, radii keep what they promise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from oracle_graph import psi_oracle
from planted import contains, fraction, seeds
from planted_graphs import random_graph, random_point

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.jets import Jet, Jets
from verifier.balls.motion import Box
from verifier.balls.tensors import Balls
from verifier.landscape import box
from verifier.landscape.neighbourhood import certified_ball, certified_rank_ball, full_rank_radius
from verifier.network.builder import Builder
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.network.nodes import Add, InverseRoot, Multiply
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

TINY = Fraction(1, 10**25)


def near(rng, u, radius):
    """Points of a box: a corner, points inside, and one with few numbers at the border."""
    signs = rng.choice([-1.0, 1.0], u.shape)
    yield u + radius * signs
    yield u + radius * np.round(rng.uniform(-1, 1, u.shape) * 64) / 64
    yield u + radius * signs * (rng.random(u.shape) < 0.2)


def outside(rng, network, u, x, radius):
    """How many features, or their changes, at points of the box are not in their balls; None if one is not finite."""
    psi, changes = Box(network, u, x, 64).changes(arb(radius))
    if not all(ball.is_finite() for row in [*psi, *changes] for ball in row):
        return None
    found, before = 0, psi_oracle(network, u, x)
    for point in near(rng, u, radius):
        for lines in zip(psi, changes, psi_oracle(network, point, x), before, strict=True):
            for ball, change, value, old in zip(*lines, strict=True):
                slack = TINY * (1 + abs(fraction(value)) + abs(fraction(old)))
                found += not contains(ball, value, slack)
                found += not contains(change, fraction(value) - fraction(old), slack)
    return found


@seeds(25)
def test_points_of_the_box_are_inside(rng):
    network = random_graph(rng, steps=4)
    u, x = random_point(rng, network, grid=32)
    assert not outside(rng, network, u, x, float(rng.choice([2.0**-20, 2.0**-8, 2.0**-4, 0.5])))


def _first(self, x):
    """Whatever the maximum is, the first entry's derivative."""
    value, size = self.values.largest(x.value), x.value.shape[-1]
    slope = [Balls(x.part(k).rows, value.shape, x.part(k).entries[::size]) for k in self.orders]
    return Jet((value, *slope))


def _still(self, geometry, sources, weight, bias):
    """Weights that do not move."""
    return AFFINE(self, geometry, sources, Jet((weight.value, None)[: len(weight.parts)]), bias)


AFFINE = Jets.affine


@pytest.mark.parametrize(("kind", "method", "wrong"), [("reduce", "largest", _first), ("affine", "affine", _still)])
def test_a_broken_rule_is_caught(monkeypatch, kind, method, wrong):
    rng = np.random.default_rng(0)
    networks = [random_graph(rng, [kind, "affine"], 4) for _ in range(12)]
    points = [random_point(rng, network, grid=32) for network in networks]
    pairs = list(zip(networks, points, strict=True))
    assert not any(outside(rng, network, *point, 0.25) for network, point in pairs)
    monkeypatch.setattr(Jets, method, wrong)
    assert any(outside(rng, network, *point, 0.25) for network, point in pairs)


def residual(width=4, output_bias=True, name="tanh"):
    """x -> W2 sigma(W1 x + b1) + W1' x and a head with a bias: not layered."""
    build = Builder((3,))
    first = build.map(build.affine([0], width, "a"), activation(name))
    second = build.map(build.affine([first], width, "b"), activation(name))
    build.feature(build.add(Add((first, second))))
    if output_bias:
        build.feature(build.constant([1.0]))
    return Network.of(build.nodes, build.features)


@pytest.mark.parametrize("scale", [1.0, 64.0])
@seeds(5)
def test_margins_change_by_less_than_gamma(rng, scale):
    """Small output weights change the margins most; large ones make the features' change count."""
    network = residual(name=str(rng.choice(["tanh", "relu", "gelu"])))
    u, x = random_point(rng, network, count=20, grid=32)
    v, gamma = scale * rng.normal(size=(network.columns, 3)), Dyadic(1, -2)
    found = certified_ball(network, u, x, ExactArray.of_floats(v), gamma)
    assert found.verdict is Verdict.PROVED
    radius, before = float(found.radius), np.array(psi_oracle(network, u, x), dtype=float) @ v
    sharpest = 0.0
    for _ in range(10):
        moved = u + radius * rng.choice([-1.0, 1.0], u.shape)
        after = np.array(psi_oracle(network, moved, x), dtype=float) @ (v + radius * rng.choice([-1.0, 1.0], v.shape))
        change = (after - before)[:, :, None] - (after - before)[:, None, :]
        sharpest = max(sharpest, np.abs(change).max())
    assert 0.25 / 40 < sharpest < 0.25


@seeds(5)
def test_the_rank_stays_full(rng):
    network = residual(8, output_bias=bool(rng.integers(2)))
    u, x = random_point(rng, network, count=5, grid=32)
    before = np.array(psi_oracle(network, u, x), dtype=float)
    sigma = np.linalg.svd(before, compute_uv=False)[-1] * 0.99
    radius = float(certified_rank_ball(network, u, x, Dyadic.of_float(sigma)))
    for _ in range(10):
        moved = u + radius * rng.choice([-1.0, 1.0], u.shape)
        assert np.linalg.norm(np.array(psi_oracle(network, moved, x), dtype=float) - before) < sigma
    assert certified_rank_ball(network, u, x, Dyadic(0, 0)) is None
    assert full_rank_radius(network, x, Dyadic(1, 0)) is None


def test_every_sample_counts():
    """The first samples do not move; the last one, far away, does."""
    network = residual(name="softplus")
    u, x = random_point(np.random.default_rng(3), network, count=40, grid=32)
    x[:39] = 0.0
    near, far = (certified_rank_ball(network, u, part, Dyadic(1, 0)) for part in (x[:39], x * 1e6))
    assert float(far) < 1e-4 * float(near)
    gamma, v = Dyadic(1, 0), ExactArray.of_floats(np.eye(5, 3))
    radii = [float(certified_ball(network, u, part, v, gamma).radius) for part in (x[:39], x * 1e6)]
    assert radii[1] < 1e-4 * radii[0]


def test_the_output_bias_is_one_more_output_weight():
    """Of a layered network as well: a margin changes by 2 r through the bias alone."""
    network = Network(1, Dense(1, "tanh", skip=True), output_bias=True)
    u, x, v = np.zeros(2), np.zeros((1, 1)), ExactArray.of_floats(np.zeros((2, 2)))
    found = certified_ball(network, u, x, v, Dyadic(1, 0))
    radius = found.radius.fraction()
    assert 0 < 2 * radius < 1
    plain = certified_ball(
        Network(1, Dense(1, "tanh", skip=True)), u, x, ExactArray.of_floats(np.zeros((1, 2))), Dyadic(1, 0)
    )
    assert plain.radius.fraction() > radius
    assert full_rank_radius(network, x, Dyadic(1, 0)) is not None


def test_what_is_too_large_or_not_finite_gives_no_radius(monkeypatch):
    network = residual(name="exp")
    u, x = random_point(np.random.default_rng(0), network, count=2, grid=32)
    assert certified_rank_ball(network, 1e300 * u, x, Dyadic(1, 0)) is None
    assert certified_rank_ball(network, u, x, Dyadic(1, 0)) is not None
    monkeypatch.setattr(box, "WORK", 1.0)
    assert certified_rank_ball(network, u, x, Dyadic(1, 0)) is None
    found = certified_ball(network, u, x, ExactArray.of_floats(np.ones((5, 2))), Dyadic(1, 0))
    assert found.verdict is Verdict.UNDECIDED and "\n" not in found.reason


@pytest.mark.parametrize("read", [True, False])
def test_what_the_checker_does_not_enclose_is_not_claimed(read):
    """1 / sqrt(v v + 1/64) with v near 0: to the checker v v is a product like any other, and every node counts."""
    build = Builder((2,))
    v = build.affine([0], 2, "v", bias=None)
    root = build.add(InverseRoot((build.add(Multiply((v, v))),), Fraction(1, 64)))
    build.feature(root if read else v)
    network = Network.of(build.nodes, build.features)
    u, x = np.full(4, 2.0**-6), np.ones((1, 2))
    assert all(ball.is_finite() for ball in Box(network, u, x, 64).changes(arb(2.0**-7))[1][0])
    assert not any(ball.is_finite() for ball in Box(network, u, x, 64).changes(arb(1.0))[1][0])


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("fits", [-172, -90, -700, 3])
def test_a_radius_is_found_in_few_evaluations(fits, degree):
    """A measure that grows by a power of the radius, and has no bound at ten octaves more."""
    tried = []

    def measured(quarters):
        tried.append(quarters)
        if quarters > fits + 40:
            return arb("nan")
        return arb(2) ** (arb(degree * (quarters - fits)) / 4 - arb("0.01"))

    assert box._fitting(measured, arb(1), 16, degree) == fits
    assert len(tried) <= 9
