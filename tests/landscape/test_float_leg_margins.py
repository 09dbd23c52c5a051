"""Margins and losses on intervals of a leg in binary64 hold at exact times, beside what balls say."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import oracle_graph
import pytest
from planted import mp, seeds
from planted_graphs import random_graph, random_point

from verifier.balls.binary64.backend import NotEnclosed
from verifier.landscape.float_leg_margins import FloatLegMargins
from verifier.landscape.leg_margins import BallLegMargins
from verifier.network.builder import Builder
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation

ONE = Network((1,), (Dense(1, activation("identity"), skip=True),))


def truth(network, ends, weights, x, labels, t, offset=None):
    """Exact margins (one list a sample) at U(t), V(t)."""
    (u0, u1), (v0, v1) = ends, weights
    t = Fraction(t)
    u = [mp(Fraction(a) + t * (Fraction(b) - Fraction(a))) for a, b in zip(u0.tolist(), u1.tolist(), strict=True)]
    v = [[mp(Fraction(a) + t * (Fraction(b) - Fraction(a))) for a, b in zip(p, q, strict=True)]
         for p, q in zip(v0.tolist(), v1.tolist(), strict=True)]  # fmt: skip
    found = []
    for i, row in enumerate(oracle_graph.psi_oracle(network, u, x)):
        logits = [sum(a * line[k] for a, line in zip(row, v, strict=True)) for k in range(v0.shape[1])]
        logits = logits if offset is None else [g + mp(o) for g, o in zip(logits, offset[i].tolist(), strict=True)]
        y = int(labels[i])
        found.append([logits[y] - g for k, g in enumerate(logits) if k != y])
    return found


def loss_of(margins, counts):
    losses = [c * mpmath.log(1 + sum(mpmath.exp(-m) for m in row)) for row, c in zip(margins, counts, strict=True)]
    return sum(losses) / sum(counts)


@seeds(6)
def test_margins_and_losses_hold_at_every_time(rng, monkeypatch):
    monkeypatch.setattr(oracle_graph, "DIGITS", 40)
    network = random_graph(rng, ["affine", "map", "normalise", "affine"])
    u0, x = random_point(rng, network, 3)
    u1 = u0 + rng.normal(size=u0.shape) * float(rng.choice([0.1, 1.0]))
    labels, counts = rng.integers(0, 3, 3), [1, 2, 5]
    v0, v1 = (rng.normal(size=(network.columns, 3)) * float(rng.choice([1.0, 5.0])) for _ in range(2))
    offset = rng.normal(size=(3, 3)) if rng.integers(2) else None
    parts = 2 ** int(rng.integers(0, 6))
    first = int(rng.integers(parts))
    t0, t1 = Fraction(first, parts), Fraction(first + int(rng.integers(4) > 0), parts)
    try:
        part = FloatLegMargins(network, u0, u1, x, labels).interval(t0, t1)
    except NotEnclosed:
        return
    smallest, (low, high) = part.smallest(v0), part.loss_bounds(v0, v1, counts, offset)
    assert part.smallest(v0, room=1.5) <= smallest
    with mpmath.workdps(40):
        for t in (t0, (3 * t0 + t1) / 4, (t0 + t1) / 2, t1):
            margins = truth(network, (u0, u1), (v0, v0), x, labels, t)
            assert min(itertools.chain(*margins)) >= smallest
            moved = truth(network, (u0, u1), (v0, v1), x, labels, t, offset)
            assert low <= loss_of(moved, counts) <= high


def test_it_is_about_as_sharp_as_balls():
    rng = np.random.default_rng(5)
    network = Network((4,), (Dense(6, activation("tanh")), Dense(5, activation("relu"), skip=True)))
    u0, u1 = initialise(network, seed=1), initialise(network, seed=2)
    x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    fast, slow = (engine(network, u0, u1, x, labels) for engine in (FloatLegMargins, BallLegMargins))
    v0, v1 = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    for k in (0, 7, 31):
        a, b = (leg.interval(Fraction(k, 32), Fraction(k + 1, 32)) for leg in (fast, slow))
        assert np.allclose(a.middle_features, b.middle_features)
        middle = part_margin(fast, k, v0)
        assert middle - a.smallest(v0) < 1.2 * (middle - b.smallest(v0)) + 0.02
        (low, high), (least, most) = (part.loss_bounds(v0, v1, [1] * 8) for part in (a, b))
        assert high - low < 1.5 * (most - least) + 0.01 and low < most and least < high


def part_margin(leg, k, v):
    """The smallest margin at the middle of a piece."""
    t = Fraction(2 * k + 1, 64)
    return leg.interval(t, t).smallest(v)


def test_the_largest_loss_is_met_where_slopes_cancel():
    """Two samples pull the bias to opposite sides: the loss is flat to first order at t = 1/2."""
    u0, u1 = np.array([0.0, -1.0]), np.array([0.0, 1.0])
    x, labels = np.array([[1.0], [2.0]]), np.array([0, 1])
    v = np.array([[1.0, -1.0]])
    part = FloatLegMargins(ONE, u0, u1, x, labels).interval(Fraction(15, 32), Fraction(17, 32))
    low, high = part.loss_bounds(v, v, [1, 1])
    assert low <= math.log(2) <= high < math.log(2) + 0.01 and high - low < 0.02


def test_weights_of_extreme_size_prove_nothing():
    x, labels = np.array([[1.0], [1.0]]), np.array([0, 1])
    part = FloatLegMargins(ONE, np.array([1.0, 0.0]), np.array([2.0, 0.0]), x, labels).interval(
        Fraction(0), Fraction(1)
    )
    for bad in (1e200, 1e-300, 5e-324, math.inf, math.nan):
        v = np.array([[bad, 0.0]])
        assert part.smallest(v) == -math.inf
        assert part.loss_bounds(v, np.zeros((1, 2)), [1, 1]) == (-math.inf, math.inf)
    assert part.smallest(np.zeros((1, 2))) <= 0.0
    assert -2.0 * (1 + 1e-12) < part.smallest(np.array([[1.0, 0.0]])) <= -2.0


def test_one_column_has_no_margins_and_unused_labels_none():
    x, labels = np.array([[1.0]]), np.array([2])
    part = FloatLegMargins(ONE, np.array([1.0, 0.0]), np.array([3.0, 0.0]), x, labels).interval(
        Fraction(0), Fraction(1)
    )
    assert 0.999 < part.smallest(np.array([[0.0, 0.0, 1.0]])) <= 1.0
    with pytest.raises(ValueError, match="in order"):
        FloatLegMargins(ONE, np.zeros(2), np.zeros(2), x, labels).interval(Fraction(1), Fraction(0))


@seeds(6)
def test_roundings_of_margins_are_counted(rng):
    """Exact features, one sample, one moment: nothing but the products' roundings is between bound and truth."""
    build = Builder((60,))
    build.feature(0)
    build.feature(build.affine([0], 1, "p"), (0,))
    network = Network.of(build.nodes, build.features)
    for _ in range(10):
        x, v = rng.normal(size=(1, 60)), rng.normal(size=(61, 2))
        x *= 10.0 ** rng.integers(0, 6, 60)
        v[60] = 0.0
        terms = zip(x[0].tolist(), v.tolist()[:60], strict=True)
        exact = sum(Fraction(a) * (Fraction(p) - Fraction(q)) for a, (p, q) in terms)
        u = np.zeros(network.parameter_count)
        found = FloatLegMargins(network, u, u, x, np.array([0])).interval(Fraction(1, 2), Fraction(1, 2)).smallest(v)
        assert Fraction(found) <= exact <= Fraction(found) + Fraction(1, 10**6)
