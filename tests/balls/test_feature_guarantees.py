"""Activations and features: every ball holds the exact value, or a 100-digit one."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    DIGITS,
    EXACT,
    ORACLE,
    contains,
    dense,
    ends,
    forward,
    fraction,
    mp,
    oracle,
    random_parameters,
    random_samples,
    seeds,
    shuffled_dag,
)
from planted_problems import TIGHT, inner_points, random_ball

from verifier.balls import activation as activation_balls
from verifier.balls import exact, margins
from verifier.balls import feature_enclosure as features
from verifier.balls.precision import working_precision
from verifier.sigma.activations import activation


@seeds(20)
def test_kernels_contain_their_values(rng, names=tuple(ORACLE), rounds=6):
    """The image of a ball contains the value at the ball's ends and between them: narrow, wide, huge, tiny."""
    with mpmath.workdps(DIGITS):
        for name in names:
            for _ in range(rounds):
                middle = float(rng.choice([0.0, 0.3, 1.0, 7.0, 40.0, 1e-9])) * rng.standard_normal()
                radius = float(rng.choice([0.0, 1e-30, 1e-9, 1e-3, 1.0, 20.0])) * abs(rng.standard_normal())
                with working_precision(int(rng.choice([32, 53, 64, 128, 190]))):
                    ball = arb(middle, radius)
                    image = activation_balls.arb_kernel(activation(name))(ball)
                for point in inner_points(ball):
                    value = fraction(ORACLE[name](mp(point)))
                    assert contains(image, value, abs(value) * TIGHT + Fraction(1, 10**85)), (name, ball, point, image)


@seeds(40)
def test_wide_images_stay_tight(rng):
    """A wide ball's image under an increasing activation is its range, up to rounding."""
    for name in ("tanh", "sigmoid", "softplus", "arctan", "erf", "algebraic", "cubic", "elu"):
        middle, radius = rng.standard_normal(), float(rng.uniform(0.5, 8))
        with working_precision(64), mpmath.workdps(30):
            ball = arb(middle, radius)
            low, high = ends(activation_balls.arb_kernel(activation(name))(ball))
            first, last = (fraction(ORACLE[name](mp(point))) for point in ends(ball))
        assert low <= first + Fraction(1, 10**20) and last - Fraction(1, 10**20) <= high
        assert high - low <= (last - first) * (1 + Fraction(1, 10**8)), name


@seeds(40)
def test_powers_of_balls(rng):
    """integer_power contains the powers of a ball's points and is finite around 0."""
    for n in (1, 2, 3, 4, 7):
        for ball in (arb(0, 1), arb(0, 1e-40), arb(0.5, 2), arb(-3, 0.25), arb(-2), random_ball(rng), random_ball(rng)):
            image = activation_balls.integer_power(ball, n)
            assert image.is_finite()
            assert all(contains(image, point**n) for point in inner_points(ball))


@seeds(40)
def test_features_contain_the_exact_values(rng, count=3):
    """Rational networks (convolutions, pools, several sources): balls contain the exact features."""
    for _ in range(count):
        net = shuffled_dag(rng, list(EXACT))
        u, x = random_parameters(rng, net, grid=16), random_samples(rng, 3, net)
        _compare(net, u, x, forward(net, u, x), int(rng.choice([32, 64, 150])), Fraction(0))


@seeds(40)
def test_features_contain_the_oracle(rng, count=3):
    """Any activations, any precision: every ball of Psi contains the value of a 100-digit evaluation."""
    for _ in range(count):
        net = shuffled_dag(rng, list(ORACLE))
        u, x = random_parameters(rng, net, scale=float(rng.choice([0.1, 1.0, 3.0]))), random_samples(rng, 2, net)
        _compare(net, u, x, oracle(net, u, x), int(rng.choice([32, 53, 64, 200])), TIGHT)


def _compare(net, u, x, truth, precision, relative):
    enclosure = features.FeatureEnclosure(net, u, x, precision)
    seen = 0
    for rows, block in enclosure.blocks():
        for i, line in zip(range(rows.start, rows.stop), block.tolist(), strict=True):
            seen += 1
            for ball, value in zip(line, truth[i], strict=True):
                value = fraction(value)
                assert ball.is_finite() and contains(ball, value, relative * (1 + abs(value))), (ball, float(value))
                assert precision < 64 or ends(ball)[1] - ends(ball)[0] <= Fraction(1, 10**6) * (1 + abs(value))
    assert seen == len(x)


def test_blocks_cover_all_samples():
    """More samples than one block holds: every row of Psi and of the margins belongs to its own sample."""
    n = 2 * features.BLOCK_ROWS + 3
    net = dense([1], ["identity"], 1)
    x = np.arange(n, dtype=float)[:, None]
    enclosure = features.FeatureEnclosure(net, np.array([1.0, 0.5]), x, 64)
    labels = np.arange(n) % 2
    for _ in range(2):  # the second time from the cache
        rows = [value for _, block in enclosure.blocks() for value in block.entries()]
        assert [fraction(value) for value in rows] == [i + Fraction(1, 2) for i in range(n)]
    (made,) = margins.enclose_margins(enclosure, [exact.ExactArray.of_floats(np.array([[1.0, 0.0]]))], labels)
    wanted = [[(i + Fraction(1, 2)) * (1 if i % 2 == 0 else -1)] for i in range(n)]
    assert [[fraction(margin) for margin in row] for row in made.rows] == wanted
