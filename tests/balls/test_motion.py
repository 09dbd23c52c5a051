"""Features and their derivatives along a segment: the balls contain 60-digit values at every time in the ball."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from flint import arb

from verifier.balls.motion import Motion
from verifier.balls.precision import working_precision
from verifier.balls.series import taylor
from verifier.errors import ExpressionError
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation
from verifier.sigma.kernels import approx_mpmath_kernel

SMOOTH = (
    "tanh",
    "sigmoid",
    "softplus",
    "arctan",
    "erf",
    "algebraic",
    "sin",
    "gelu",
    "silu",
    "exp",
    "cubic",
    "identity",
)


def _network(seed):
    rng = np.random.default_rng(seed)
    a, b, c = (activation(name) for name in rng.choice(SMOOTH[:9], 3))
    layers = (
        Conv(2, (2, 2), a, (1, 1), "per-unit" if seed % 2 else "tied", skip=True),
        AvgPool((2, 2), (1, 1), skip=(0, 3)),
        Dense(3, b, inputs=("input", 1), skip=(0, 2)),
        Dense(2, c, inputs=(2, 0), skip=True),
    )
    return Network((1, 4, 4), layers)


def _inside(ball, value):
    return abs(value - mpmath.mpf(float(ball.mid()))) <= float(ball.rad()) + 1e-11 * (1 + abs(value))


@pytest.mark.parametrize("seed", range(6))
def test_jets_contain_values_and_slopes(seed):
    network, rng = _network(seed), np.random.default_rng(seed)
    u = initialise(network, seed=seed, scale=0.5)
    end, x = u + 0.2 * rng.normal(size=u.shape), rng.normal(size=(3, 16))
    motion = Motion(network, u, end, x, 80)
    ball = arb(0.4, 0.05)
    psi, slopes = motion.jets(ball)
    assert [[str(v) for v in row] for row in motion.features(ball)] == [[str(v) for v in row] for row in psi]
    for t in (0.35, 0.4, 0.45):
        at = approx_features(network, u + t * (end - u), x)
        h = 1e-6
        rate = (
            approx_features(network, u + (t + h) * (end - u), x) - approx_features(network, u + (t - h) * (end - u), x)
        ) / (2 * h)
        for i in range(3):
            for j in range(network.skip_count):
                assert _inside(psi[i][j], at[i, j])
                assert abs(rate[i, j] - float(slopes[i][j].mid())) <= float(slopes[i][j].rad()) + 1e-7


def test_a_point_gives_the_features_there():
    network = _network(3)
    u, x = initialise(network, seed=1, scale=0.5), np.random.default_rng(0).normal(size=(2, 16))
    motion = Motion(network, u, u + 1.0, x, 64)
    for t, point in ((arb(0), u), (arb(1), u + 1.0)):
        found = np.array([[float(v.mid()) for v in row] for row in motion.features(t)])
        assert np.allclose(found, approx_features(network, point, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_taylor_coefficients_contain_the_truth(name):
    """Orders 0 to 5 of sigma(z + w s) at points of a ball, against mpmath's derivatives at 60 digits."""
    sigma = activation(name)
    with mpmath.workdps(60), working_precision(128):
        kernel = approx_mpmath_kernel(sigma)
        for middle, w in ((0.3, 2.0), (-1.25, -0.5), (2.5, 1.0)):
            balls = taylor(sigma, [arb(middle, 2.0**-10), arb(w), *[arb(0)] * 4])
            for shift in (-(2.0**-10), 0.0, 2.0**-11):
                truth = mpmath.taylor(kernel, middle + shift, 5)
                for order, ball in enumerate(balls):
                    value = truth[order] * mpmath.mpf(w) ** order
                    low, high = (mpmath.mpf(str(end.str(50, radius=False))) for end in (ball.lower(), ball.upper()))
                    assert low - abs(value) * mpmath.mpf(10) ** -40 - mpmath.mpf(10) ** -40 <= value
                    assert value <= high + abs(value) * mpmath.mpf(10) ** -40 + mpmath.mpf(10) ** -40


def test_taylor_of_a_constant_part_and_of_pieces():
    with working_precision(64):
        assert [float(c) for c in taylor(Activation.from_expression("t**2 + 3"), [arb(1), arb(1), arb(0)])] == [
            4.0,
            2.0,
            1.0,
        ]
        with pytest.raises(ExpressionError, match="Taylor"):
            taylor(activation("relu"), [arb(1), arb(1)])
