"""The binary64 engine: its functions, features and margins against Arb, mpmath and fractions."""

from __future__ import annotations

import math

import numpy as np
from flint import arb
from planted import (
    EXACT,
    contains,
    dense,
    forward,
    fraction,
    random_parameters,
    seeds,
    shuffled_dag,
)
from planted_problems import fractions_of

from verifier.balls import activation as activation_balls
from verifier.balls import exact
from verifier.balls.binary64 import activation as activation64
from verifier.balls.binary64 import elementary
from verifier.balls.binary64 import float_enclosure as features64
from verifier.balls.binary64 import margins as margins64
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.precision import working_precision
from verifier.network import layers, network
from verifier.sigma.activations import activation

U64 = 2.0**-53


ELEMENTARY = {
    "exp": (lambda xp, x: elementary.exp(xp, x), lambda t: t.exp()),
    "tanh": (lambda xp, x: elementary.tanh(xp, x), lambda t: t.tanh()),
    "sigmoid": (lambda xp, x: elementary.sigmoid(xp, x), lambda t: 1 / (1 + (-t).exp())),
    "softplus": (
        lambda xp, x: elementary.softplus(xp, x),
        lambda t: t + (-t).exp().log1p() if t > 0 else t.exp().log1p(),
    ),
    "log1p_unit": (lambda xp, x: elementary.log1p_unit(xp, x), lambda t: t.log1p()),
    "log": (lambda xp, x: elementary.log(xp, x), lambda t: t.log()),
    "erf": (lambda xp, x: elementary.erf(xp, x), lambda t: t.erf()),
    "arctan": (lambda xp, x: elementary.arctan(xp, x), lambda t: t.atan()),
    "sin": (lambda xp, x: elementary.sin(xp, x), lambda t: t.sin()),
    "cos": (lambda xp, x: elementary.sin(xp, x, 1), lambda t: t.cos()),
}
"""Elementary functions in binary64 and by Arb."""


def _claimed(name, x, value):
    """The error that is claimed at x, where the true value is ``value``."""
    size = abs(value)
    if name == "exp":
        return 2.09 * U64 * size if x >= -708.0 else 2.0**-1021
    if name == "tanh":
        return elementary.TANH_ULPS * U64
    if name in ("sigmoid", "softplus"):
        ulps = elementary.SIGMOID_ULPS if name == "sigmoid" else elementary.SOFTPLUS_ULPS
        return ulps * U64 * size + 2.0**-1021
    if name == "log1p_unit":
        return 6.1 * U64 * size + 2.0**-1021
    if name == "log":
        return 1.01 * elementary.LOG_CHECK * (1 + size) + 3.2 * U64
    return {"erf": elementary.erf_error, "arctan": elementary.arctan_error}.get(name, elementary.sin_error)()


def elementary_points(name, rng, count):
    """At least ``count`` arguments: the whole range, all scales, boundaries of reductions and cells and their
    neighbours.
    """
    low, high = {
        "exp": (-720.0, 709.0), "log1p_unit": (0.0, 1.0), "log": (2.0**-1000, 2.0**1000), "sin": (-(2.0**20), 2.0**20),
        "cos": (-(2.0**20), 2.0**20), "softplus": (-1e300, 1e300),
    }.get(name, (-1e300, 1e300))  # fmt: skip
    third = -(-count // 3)
    near = np.array([0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1e-300, 1.0, -1.0, 6.0, -6.0, low, high, -708.0])
    if name == "log":
        edges = np.concatenate([2.0 ** rng.integers(-999, 1000, third), 1 + np.arange(third // 8) / 2.0**40])
    elif name in ("erf", "arctan", "log1p_unit"):
        edges = rng.integers(-7 * 64, 7 * 64 + 1, third) / 64.0
        edges = np.where(rng.random(third) < 0.3, 1.0 / np.where(edges == 0, 1.0, edges), edges)
    elif name in ("sin", "cos"):
        edges = np.where(
            rng.random(third) < 0.5,
            (rng.integers(-(10**5), 10**5, third) + 0.5) * (math.pi / 2),
            rng.integers(-200, 201, third) / 64.0 + rng.integers(-600000, 600000, third) * (math.pi / 2),
        )
    else:  # half-way between the reduction's multiples of ln 2 / 64, halved for tanh
        edges = (rng.integers(-65500, 65500, third) + 0.5) * (math.log(2) / 64)
        if name == "tanh":
            edges /= 2 * rng.choice([1.0, 30.0], third)
    scales = rng.standard_normal(third) * 10.0 ** rng.uniform(-12, 3, third)
    span = rng.uniform(max(low, -750.0), min(high, 750.0), third)
    points = np.concatenate([near, edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), scales, span])
    points = np.abs(points) if name in ("log", "log1p_unit") else points
    return np.clip(points, low, high)


def worst_errors(name, points):
    """Largest ratio of the error to the claim."""
    function, truth = ELEMENTARY[name]
    found = np.asarray(function(numpy_backend(1).xp, points.copy()))
    assert np.isfinite(found).all()
    worst = 0.0
    with working_precision(140):
        for x, y in zip(points.tolist(), found.tolist(), strict=True):
            exact = truth(arb(x))
            error, claim = float((arb(y) - exact).abs_upper()), _claimed(name, x, float(exact))
            if error > 0.0:
                worst = max(worst, error / claim if claim > 0.0 else math.inf)
    return worst


@seeds(3)
def test_elementary_functions(rng):
    """Every elementary function is within its claim at boundaries and at random, and the claims are as proved."""
    for name in ELEMENTARY:
        points = elementary_points(name, rng, 240)
        assert worst_errors(name, points) <= 1.0, name


ARGUMENTS = {
    "sigmoid": 40.0, "tanh": 20.0, "softplus": 40.0, "arctan": 50.0, "erf": 7.0, "algebraic": 1e3, "identity": 1e9,
    "sin": 1e3, "gelu": 8.0, "silu": 30.0, "exp": 20.0, "square": 1e3, "cubic": 1e2, "relu": 1e3, "leaky_relu": 1e3,
    "elu": 20.0, "hard_tanh": 5.0,
}  # fmt: skip
"""Catalogue activations and the range to try them on."""


@seeds(10)
def test_binary64_kernels(rng, count=60):
    """kernel_bounds: the array kernel is within its error of Arb's value, difference quotients within the constant."""
    activation64._bounds.cache_clear()
    xp = numpy_backend(1).xp
    for name, reach in ARGUMENTS.items():
        sigma = activation(name)
        a, b = sorted((rng.standard_normal(2) * reach * float(rng.choice([1e-3, 0.1, 0.5]))).clip(-reach, reach))
        points = np.sort(np.concatenate([[a, b], rng.uniform(a, b, count)]))
        bounds = activation64.kernel_bounds(sigma, float(a), float(b))
        values = np.asarray(activation64.array_kernel(sigma, xp)(points.copy())).tolist()
        with working_precision(140):
            exact = activation_balls.tree_kernel(sigma.tree)
            truth = [exact(arb(v)) for v in points.tolist()]
            for value, wanted in zip(values, truth, strict=True):
                assert not abs(arb(value) - wanted) > bounds.error, name
            for k in range(len(points) - 1):
                gap = arb(float(points[k + 1])) - arb(float(points[k]))
                assert not abs(truth[k + 1] - truth[k]) > arb(bounds.lipschitz) * gap, name


def _inside(mid, radius, rows):
    for line, wanted in zip(np.asarray(mid).tolist(), rows, strict=True):
        for value, r, true in zip(line, np.asarray(radius).tolist(), wanted, strict=True):
            assert abs(fraction(value) - true) <= fraction(r)


@seeds(40)
def test_binary64_features(rng):
    """Exact rational features are within the radii: random networks, and layers that cancel, whole and by columns."""
    activation64._bounds.cache_clear()
    cancelling = dense([3, 4], ["identity", "identity"], 4, skip=(0, 1))
    u = rng.standard_normal(cancelling.parameter_count)
    x = rng.standard_normal((3, 4)) * 1e8
    first = u[:12].reshape(3, 4)
    first[:, 3] = -np.round(first[:, :3].sum(axis=1) * 2.0**20) / 2.0**20
    x[:, :] = x[:, :1] * (1 + rng.standard_normal((3, 4)) * 1e-9)
    pooled = network.Network(
        (1, 5),
        (
            layers.AvgPool((3,), stride=(1,), inputs=("input",), skip=True),
            layers.Dense(2, activation("square"), skip=True),
        ),
    )
    cases = [(cancelling, u, x), (pooled, rng.standard_normal(pooled.parameter_count), rng.standard_normal((3, 5)))]
    net = shuffled_dag(rng, list(EXACT))
    cases.append((net, random_parameters(rng, net), rng.standard_normal((2, net.dimension))))
    for net, u, x in cases:
        truth = forward(net, u, x)
        made = features64.FloatEnclosure(net, u, x, numpy_backend(1))
        for width in (1, 3, net.skip_count):
            for part, mid, radius in made.column_blocks(width):
                _inside(mid, radius, [row[part] for row in truth])
        for rows, mid, radius in made.row_blocks():
            _inside(mid, radius, truth[rows])


@seeds(40)
def test_binary64_margins(rng):
    """Exact margins are within the balls, for features that are exact and for features with large radii."""
    activation64._bounds.cache_clear()
    ones = dense([9], ["hard_tanh"], 3)  # features that are exactly 1: only the product's rounding is left
    u = np.concatenate([np.ones(27), np.full(9, 50.0)])
    made = features64.FloatEnclosure(ones, u, rng.standard_normal((4, 3)), numpy_backend(1))
    weights = exact.ExactArray.of_floats(rng.standard_normal((9, 2)))
    (rows,) = margins64.float_margins(made, [weights], np.array([0, 1, 1, 0]))
    first, second = (sum(column) for column in zip(*fractions_of(weights), strict=True))
    for row, sign in zip(rows, (1, -1, -1, 1), strict=True):
        assert contains(row[0], sign * (first - second))
    for inexact in (False, True):
        width = 9
        net = dense([width], ["identity"], 3)
        u = rng.standard_normal(net.parameter_count) if inexact else rng.integers(-99, 99, net.parameter_count) / 8.0
        x = rng.standard_normal((4, 3)) if inexact else np.round(rng.standard_normal((4, 3)) * 64) / 64
        if inexact:  # features that cancel, so that their radii are what matters
            u[: 3 * width] = np.repeat(u[: 3 * width : 3] * 1e9, 3)
            x[:, 2] = -(x[:, 0] + x[:, 1])
            u[3 * width :] = 0.0
        made = features64.FloatEnclosure(net, u, x, numpy_backend(1))
        weights = exact.ExactArray.of_floats(rng.standard_normal((width, 3)))
        labels = rng.integers(0, 3, 4)
        (rows,) = margins64.float_margins(made, [weights], labels)
        v = fractions_of(weights)
        for line, row, y in zip(forward(net, u, x), rows, labels.tolist(), strict=True):
            g = [sum(p * column[k] for p, column in zip(line, v, strict=True)) for k in range(3)]
            wanted = [g[y] - g[k] for k in range(3) if k != y]
            assert all(contains(ball, value) for ball, value in zip(row, wanted, strict=True))
