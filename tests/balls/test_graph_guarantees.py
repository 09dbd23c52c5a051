"""Graphs in ball arithmetic: every ball of Psi holds the exact value, for random graphs, scales and precisions."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from oracle_graph import psi_oracle
from planted import DIGITS, contains, fraction, mp, seeds
from planted_graphs import RATIONAL_NAMES, RATIONAL_STEPS, STEPS, random_graph, random_point
from planted_problems import inner_points

from verifier.balls import attention, ball_arithmetic
from verifier.balls import feature_enclosure as features
from verifier.balls.precision import working_precision
from verifier.balls.tensors import Balls

ERROR = Fraction(1, 10**70)
"""What cancellation leaves of the oracle's digits, relative to values of moderate size."""


def psi(network, u, x, precision):
    """Rows of balls."""
    blocks = [block.tolist() for _, block in features.FeatureEnclosure(network, u, x, precision).blocks()]
    return [row for block in blocks for row in block]


@seeds(40)
def test_random_graphs_contain_the_oracle(rng, count=4):
    """Every node kind, at weights of several sizes, at any precision; finite and small where there are enough bits."""
    for _ in range(count):
        net = random_graph(rng, steps=int(rng.integers(2, 9)))
        u, x = random_point(rng, net, scale=float(rng.choice([0.1, 1.0, 3.0])))
        precision = int(rng.choice([32, 53, 64, 128, 200]))
        for row, truth in zip(psi(net, u, x, precision), psi_oracle(net, u, x), strict=True):
            for ball, value in zip(row, truth, strict=True):
                value = fraction(value)
                assert ball.is_finite() and contains(ball, value, ERROR * (1 + abs(value)))
                assert precision < 128 or fraction(ball.rad()) <= Fraction(1, 10**6) * (1 + abs(value))


@seeds(20)
def test_rational_graphs_contain_the_exact_values(rng, count=3):
    for _ in range(count):
        net = random_graph(rng, RATIONAL_STEPS, names=RATIONAL_NAMES)
        u, x = random_point(rng, net, grid=8)
        for row, truth in zip(psi(net, u, x, int(rng.choice([32, 64]))), psi_oracle(net, u, x, Fraction), strict=True):
            assert all(contains(ball, value) for ball, value in zip(row, truth, strict=True))


@seeds(20)
def test_each_kind_by_itself(rng):
    """Short graphs of one kind, at sizes up to 1e200: nothing hides behind the nodes that follow."""
    for kind in STEPS:
        net = random_graph(rng, [kind], steps=2)
        large = 1e200 if kind in RATIONAL_STEPS and kind not in ("map", "gate") else 10.0
        u, x = random_point(rng, net, scale=float(rng.choice([1e-200, 1.0, large])))
        for row, truth in zip(psi(net, u, x, 64), psi_oracle(net, u, x), strict=True):
            for ball, value in zip(row, truth, strict=True):
                assert contains(ball, value, ERROR * (1 + abs(fraction(value)))), kind


def random_balls(rng, count, radius, scale=1.0):
    return [arb(float(rng.standard_normal() * scale), float(radius * rng.random())) for _ in range(count)]


def points_of(rng, balls):
    """Points of balls: ends, middles and points between."""
    return [inner_points(ball)[int(rng.integers(len(inner_points(ball))))] for ball in balls]


def held(ball, value):
    return contains(ball, fraction(value), ERROR * (1 + abs(fraction(value))))


@seeds(40)
def test_softmax_of_balls(rng):
    """Narrow and wide scores, masked or not: P of every point is in the balls, and wide ones stay between 0 and 1."""
    with mpmath.workdps(DIGITS):
        n, radius = int(rng.integers(1, 6)), float(rng.choice([0.0, 1e-20, 1e-3, 1.0, 30.0, 1e6]))
        kept = [bool(rng.integers(2)) for _ in range(n)]
        kept = None if rng.integers(2) else [keep or j == 0 for j, keep in enumerate(kept)]
        with working_precision(int(rng.choice([32, 64, 128]))):
            scores = random_balls(rng, n, radius, float(rng.choice([1.0, 100.0, 1e8])))
            found = attention.masked_softmax(scores, kept)
        for _ in range(4):
            x = [mp(p) for p in points_of(rng, scores)]
            top = max(x)
            terms = [mpmath.exp(z - top) if kept is None or kept[j] else mp(0) for j, z in enumerate(x)]
            assert all(held(ball, term / sum(terms)) for ball, term in zip(found, terms, strict=True))
        assert all(-1e-6 < ball.lower() and ball.upper() < 1 + 1e-6 for ball in found)


def attention_at(q, k, v, factor, kept):
    """One head at points, by its definition."""
    out = []
    for i, row in enumerate(q):
        scores = [factor * sum(a * b for a, b in zip(row, key, strict=True)) for key in k]
        chosen = [j for j in range(len(k)) if kept is None or kept[i * len(k) + j]]
        top = max(scores[j] for j in chosen)
        terms = {j: mpmath.exp(scores[j] - top) for j in chosen}
        out += [sum(terms[j] * v[j][e] for j in chosen) / sum(terms.values()) for e in range(len(v[0]))]
    return out


def rows_of(flat, size):
    return [[mp(z) for z in flat[i : i + size]] for i in range(0, len(flat), size)]


@seeds(40)
def test_attention_of_balls(rng):
    """Points of queries, keys, values and factor: the result is in the balls; wide ones stay within the values."""
    t, c, s, e = (int(rng.integers(1, 4)) for _ in range(4))
    radius = float(rng.choice([0.0, 1e-20, 1e-4, 0.1, 3.0]))
    kept = None if rng.integers(2) else [bool(rng.integers(2)) or j % s == 0 for j in range(t * s)]
    with mpmath.workdps(DIGITS):
        with working_precision(int(rng.choice([32, 64, 128]))):
            size = float(rng.choice([1.0, 20.0]))
            q, k, v = (random_balls(rng, n, radius, size) for n in (t * c, s * c, s * e))
            factor = arb(2).sqrt()
            found = attention.attended(q, k, v, (t, c, s, e), factor, kept)
        for _ in range(4):
            points = [points_of(rng, part) for part in (q, k, v)]
            truth = attention_at(
                rows_of(points[0], c), rows_of(points[1], c), rows_of(points[2], e), mpmath.sqrt(2), kept
            )
            assert all(held(ball, value) for ball, value in zip(found, truth, strict=True))
    largest = max(fraction(z.abs_upper()) for z in v)
    assert all(fraction(ball.abs_upper()) <= largest * (1 + Fraction(1, 10**6)) for ball in found)


@seeds(40)
def test_normalise_and_inverse_root_of_balls(rng):
    """Points of a row, narrow and wide, near and far from constant; wide results stay below sqrt(n)."""
    n, radius = int(rng.integers(1, 5)), float(rng.choice([0.0, 1e-20, 1e-6, 0.1, 10.0]))
    epsilon, centre = Fraction(1, int(rng.choice([1, 10**5]))), bool(rng.integers(2))
    with mpmath.workdps(DIGITS):
        with working_precision(int(rng.choice([32, 64, 128]))):
            row = random_balls(rng, n, radius, float(rng.choice([1e-9, 1.0, 1e9])))
            ops = ball_arithmetic.BallArithmetic(np.zeros((1, 1)), None)
            found = ops.normalise(Balls(1, (n,), row), epsilon, centre=centre).entries
            roots = [ball_arithmetic.inverse_root(z) for z in row]
            squares = [ball_arithmetic.square(z) for z in row]
        for _ in range(4):
            points = points_of(rng, row)
            assert all(contains(ball, p * p) for ball, p in zip(squares, points, strict=True))
            for ball, p in zip(roots, points, strict=True):
                assert not ball.is_finite() if p <= 0 else held(ball, 1 / mpmath.sqrt(mp(p)))
            x = [mp(p) for p in points]
            mean = sum(x) / n if centre else mp(0)
            root = mpmath.sqrt(sum((z - mean) ** 2 for z in x) / n + mp(epsilon))
            assert all(held(ball, (z - mean) / root) for ball, z in zip(found, x, strict=True))
    assert all(fraction(ball.abs_upper()) ** 2 <= n * (1 + Fraction(1, 10**6)) + 1 for ball in found)
    assert all(fraction(ball.lower()) >= -fraction(ball.rad()) / 10**6 for ball in squares)


@seeds(20)
def test_gates_of_balls_take_the_radius_of_z_times_a_difference(rng):
    """The gate of any points is in the ball; equal a and b leave nothing of the radius of z."""
    with mpmath.workdps(DIGITS), working_precision(64):
        z, a, b = (random_balls(rng, 1, radius, 10.0) for radius in (1.0, 1e-6, 1e-3))
        ops = ball_arithmetic.BallArithmetic(np.zeros((1, 1)), None)
        (found,) = ops.gate(*(Balls(1, (), part) for part in (z, a, b))).entries
        for p, q, r in itertools.product(*(inner_points(part[0]) for part in (z, a, b))):
            assert contains(found, (1 - p) * q + p * r)
        (same,) = ops.gate(*(Balls(1, (), part) for part in (z, [arb(1e9)], [arb(1e9)]))).entries
        assert same.rad() < 1e-6


@seeds(20)
def test_maxima_of_balls(rng):
    with working_precision(64):
        row = random_balls(rng, 4, float(rng.choice([0.0, 1e-3, 2.0])))
        (found,) = ball_arithmetic.BallArithmetic(np.zeros((1, 1)), None).largest(Balls(1, (4,), row)).entries
    for _ in range(8):
        assert contains(found, max(points_of(rng, row)))
