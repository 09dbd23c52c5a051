"""Motions, slopes and Taylor models of networks along a segment hold what mpmath finds."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    ends,
    fraction,
    seeds,
)
from planted_problems import CURVES, SMOOTH, inside_float, smooth_network

from verifier.balls import motion, series
from verifier.balls.precision import working_precision
from verifier.checker import common, expression
from verifier.checker import pointwise as checker_pointwise
from verifier.landscape import neighbourhood
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation
from verifier.sigma.kernels import approx_mpmath_kernel

EVERY = (*SMOOTH, "exp", "cubic", "square", "identity")


@seeds(3)
def test_motion_contains_values_and_slopes(rng):
    """At the ends and inside of a ball of times, against finite differences."""
    network = smooth_network(rng)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.5)
    end, x = u + 0.2 * rng.normal(size=u.shape), rng.normal(size=(3, 16))
    moving = motion.Motion(network, u, end, x, 80)
    middle, h = 0.3 + 0.4 * rng.random(), 1e-6
    psi, slopes = moving.jets(arb(middle, 0.05))
    assert max(float(s.rad()) for row in slopes for s in row) < 10, "too wide to be of use"
    for t in (middle - 0.05, middle, middle + 0.05):
        at, before, after = (approx_features(network, u + s * (end - u), x) for s in (t, t - h, t + h))
        for i, j in itertools.product(range(3), range(network.skip_count)):
            assert inside_float(psi[i][j], at[i, j], 1e-11)
            assert inside_float(slopes[i][j], (after[i, j] - before[i, j]) / (2 * h), 1e-6)


def test_slopes_at_the_ends_of_a_ball():
    """One unit whose bias moves: everything but sigma' is exact."""
    network = Network((1,), (Dense(1, activation("tanh"), skip=True),))
    moving = motion.Motion(network, np.array([1.0, -1.0]), np.array([1.0, 1.0]), np.array([[0.5]]), 64)
    psi, slopes = moving.jets(arb(0.5, 0.25))
    for t in (0.25, 0.5, 0.75):
        value = np.tanh(0.5 - 1 + 2 * t)
        assert inside_float(psi[0][0], value, 1e-12) and inside_float(slopes[0][0], 2 * (1 - value**2), 1e-12)


@seeds(3)
def test_taylor_coefficients(rng):
    """Orders 0 to 4 of sigma(z + w s) at points of a ball, against mpmath at 60 digits, for the whole catalogue."""
    middle, w = float(rng.normal()) * 2, float(rng.normal()) * 2
    for name in EVERY:
        for sign in (1, -1):
            _taylor_is_right(activation(name), sign * middle, w)


def _taylor_is_right(sigma, middle, w):
    with mpmath.workdps(60), working_precision(128):
        kernel = approx_mpmath_kernel(sigma)
        balls = series.taylor(sigma, [arb(middle, 2.0**-10), arb(w), *[arb(0)] * 3])
        for shift in (-(2.0**-10), 2.0**-10):
            for order, truth in enumerate(mpmath.taylor(kernel, middle + shift, 4)):
                value = truth * mpmath.mpf(w) ** order
                low, high = (mpmath.mpf(e.str(50, radius=False)) for e in (balls[order].lower(), balls[order].upper()))
                slack = (1 + abs(value)) * mpmath.mpf(10) ** -35
                assert low - slack <= value <= high + slack


def test_taylor_never_drops_an_order():
    """0/0 shortens a power series: such coefficients must not be finite."""
    sigma = activation("t/sqrt(t**2 + 1)")
    assert all(c.is_finite() for c in series.taylor(sigma, [arb(0), arb(1), arb(0)]))
    lossy = _Lossy()
    assert not any(c.is_finite() for c in series.taylor(lossy, [arb(0), arb(1)]))


class _Lossy:
    """sin(t)/t, which has no expression that is defined at 0."""

    tree = None

    def __init__(self):
        import sympy

        from verifier.sigma.expressions import T
        from verifier.sigma.tree import tree_of

        self.tree = tree_of(sympy.sin(T) / T)


@seeds(10)
def test_activation_bounds(rng):
    """Suprema over [-reach, reach], prover and checker: above every value, not far above the largest."""
    for name, (function, derivative) in CURVES.items():
        reach = float(rng.choice([1e-3, 0.7, 3.0, 40.0, 240.0])) * float(1 + rng.random())
        found = neighbourhood.activation_bounds(activation(name), arb(reach))
        layer_function = expression.build(expression.parse(activation(name).canonical, "").tree, expression.SERIES)
        with common.precision(64):
            other = checker_pointwise.suprema(layer_function, arb(reach), "", 5)
        points = [reach * k / 40 for k in range(-40, 41)] + list(rng.uniform(-3, 3, 20).clip(-reach, reach))
        with mpmath.workdps(40):
            for bounds in (tuple(b.fraction() for b in found), tuple(ends(b)[1] for b in other)):
                for bound, curve in zip(bounds, (function, derivative), strict=True):
                    most = max(abs(curve(mpmath.mpf(t))) for t in points)
                    assert fraction(most) <= bound, name
                    assert bound <= Fraction(13, 10) * fraction(most) + Fraction(1, 2**18), name
    huge = neighbourhood.activation_bounds(activation("tanh"), arb(1e300))
    assert all(1 <= b.fraction() <= Fraction(5, 4) for b in huge)
    assert neighbourhood.activation_bounds(activation("relu"), arb(1)) is None
