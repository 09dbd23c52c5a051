"""The certified ball (Z2), the ball of full rank, and facts at one point (C1, C3)."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    DIGITS,
    dense,
    ends,
    fraction,
    mp,
    oracle,
    random_parameters,
    random_samples,
    seeds,
)
from planted_problems import random_problem

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.precision import working_precision
from verifier.landscape import neighbourhood, pointwise, zero_loss
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import certify
from verifier.sigma.activations import activation
from verifier.verdict import Verdict


def ball_network(rng, names):
    """Two dense layers, or a convolution, a pool and a dense layer that also reads the input."""
    pick = lambda: activation(str(rng.choice(names)))  # noqa: E731
    if rng.integers(2):
        skip = bool(rng.integers(2))
        return Network((2,), (Dense(3, pick(), skip=skip), Dense(4, pick(), inputs=(0, "input"), skip=True)))
    return Network(
        (1, 4),
        (
            Conv(2, (2,), pick(), bias=str(rng.choice(["tied", "per-unit"])), skip=True),
            AvgPool((2,), inputs=(0,), skip=bool(rng.integers(2))),
            Dense(3, pick(), inputs=(1, "input"), skip=True),
        ),
    )


@seeds(40)
def test_balls_contain_their_corners(rng):
    """B and d of every layer, and the margins' change, at random corners of the ball; prover and checker."""
    names = ["tanh", "sigmoid", "softplus", "sin", "square", "identity"]
    net = ball_network(rng, names)
    u, x = random_parameters(rng, net, scale=float(rng.choice([0.3, 1.0, 2.0]))), random_samples(rng, 3, net)
    v = rng.standard_normal((net.skip_count, 3))
    v[:, rng.integers(3)] *= 8.0
    r = float(2.0 ** rng.integers(-12, 3))
    if rng.integers(2):  # nothing cancels
        u, x = np.abs(u), np.abs(x)
    scalars = neighbourhood._Scalars(net, u, x, ExactArray.of_floats(v))
    with working_precision(64):
        spread, moved = scalars.spread(arb(r)), scalars.margin_change(arb(r))
    if spread is None:  # a range too far for an exponential is left open
        assert moved is None and any(a.activation is not None and "exp" in a.activation.canonical for a in net.layers)
        return
    sizes, changes = spread
    every = Network(net.input_shape, tuple(_all_skip(layer) for layer in net.layers))
    owner = [index for index, units in every.skip_units for _ in units]
    before = np.array(oracle(every, u, x), dtype=object)
    psi = np.array(oracle(net, u, x), dtype=object)
    for _ in range(3):
        step = r * (rng.choice([-1.0, 1.0], u.shape) if rng.integers(2) else np.ones(u.shape))
        w = v + r * rng.choice([-1.0, 1.0], v.shape)
        after, new = (np.array(oracle(n, u + step, x), dtype=object) for n in (every, net))
        slack = Fraction(1, 2**40)  # u + step is rounded
        for j, index in enumerate(owner):
            for i in range(3):
                assert fraction(abs(after[i, j])) <= ends(sizes[index])[1] + slack
                assert fraction(abs(before[i, j])) <= ends(sizes[index])[1] + slack
                assert fraction(abs(after[i, j] - before[i, j])) <= ends(changes[index])[1] + slack
        g0, g1 = psi @ v.astype(object), new @ w.astype(object)
        for a, b in itertools.permutations(range(3), 2):
            change = np.abs((g1[:, a] - g1[:, b]) - (g0[:, a] - g0[:, b])).max()
            assert fraction(change) <= ends(moved)[1] + slack


def _all_skip(layer):
    if isinstance(layer, Dense):
        return Dense(layer.width, layer.activation, inputs=layer.inputs, skip=True)
    if isinstance(layer, Conv):
        return Conv(layer.filters, layer.kernel, layer.activation, bias=layer.bias, inputs=layer.inputs, skip=True)
    return AvgPool(layer.kernel, inputs=layer.inputs, skip=True)


@seeds(40)
def test_a_chain_of_positive_units(rng):
    """One identity unit after the other, all numbers positive: B and d are attained up to the suprema's slack."""
    net = dense([1, 1], ["identity", "identity"], 1)
    x, w, r = (float(2.0 ** rng.integers(-2, 3)) for _ in range(3))
    scalars = neighbourhood._Scalars(
        net, np.array([w, 0.0, w, 0.0]), np.array([[x]]), ExactArray.of_floats(np.array([[8.0, 0.0, 0.0]]))
    )
    with working_precision(64):
        sizes, changes = scalars.spread(arb(r))
        moved = scalars.margin_change(arb(r))
    h = [w * x, w * w * x]
    first = (w + r) * x + r
    moving = [first, (w + r) * first + r]
    for size, change, before, after in zip(sizes, changes, h, moving, strict=True):
        assert after <= float(size.upper()) <= 1.7 * after
        assert after - before <= float(change.upper())
    assert float(changes[0].upper()) <= 1.7 * (moving[0] - h[0])
    assert moving[1] * (8 + 2 * r) - 8 * h[1] <= float(moved.upper())


@seeds(40)
def test_linear_ball_is_sharp(rng):
    """One identity unit per class, planted: the margin h (V_y - V_k) is lost just beyond a known radius."""
    net = dense([1], ["identity"], 1)
    x, w = np.array([[float(rng.integers(1, 5))]]), float(rng.integers(1, 5))
    weights = ExactArray.of_floats(np.array([[1.0, 0.0]]))
    gamma = Dyadic.of_float(w * x[0, 0])
    found = neighbourhood.certified_ball(net, np.array([w, 0.0]), x, weights, gamma)
    assert found.verdict is Verdict.PROVED
    # at the worst corner the margin is ((w - r) x - r) (1 - 2 r): zero at the smaller of these radii
    lost = min(w * x[0, 0] / (x[0, 0] + 1), 0.5)
    assert 0.05 * lost <= float(found.radius) <= lost


@seeds(40)
def test_full_rank_radius(rng):
    """``||[X 1]||_2`` against LAPACK; identity units, for which the distance to a rank-deficient layer is known."""
    x = np.round(rng.standard_normal((int(rng.integers(1, 6)), int(rng.integers(1, 5)))) * 16) / 16
    norm = float(np.linalg.norm(np.hstack([x, np.ones((len(x), 1))]), 2))
    bound = neighbourhood.augmented_norm(x)
    assert norm * (1 - 1e-12) <= float(bound.upper()) <= norm * 1.3
    for name, slope in (("identity", 1), ("tanh", 1), ("sigmoid", 0.25), ("arctan", 1), ("sin", 1)):
        found = float(neighbourhood.global_lipschitz(activation(name)))
        assert slope <= found <= (2.1 if name == "sigmoid" else 1.3) * slope, name
    assert neighbourhood.global_lipschitz(activation("square")) is None
    # one sample x, one unit: Psi = w x + b is lost at the distance |w x + b| / ||(x, 1)||, which is sigma / norm
    net, one = dense([1], ["identity"], x.shape[1]), x[:1]
    sigma = Dyadic.of_float(float(rng.integers(1, 9)))
    radius = neighbourhood.full_rank_radius(net, one, sigma)
    exact_square = sigma.fraction() ** 2 / (1 + sum(Fraction(c) ** 2 for c in one[0].tolist()))
    assert exact_square * Fraction(1, 2) <= radius.fraction() ** 2 < exact_square


@seeds(20)
def test_pointwise_bounds_are_below_the_truth(rng):
    """C1 and C3 against 100 digits, from ordinary starts to losses of 1e-100, multiplicities, m = 2 and 3."""
    classes, scale = int(rng.choice([2, 3])), float(rng.choice([0.0, 1.0, 30.0, 300.0]))
    enclosure, labels, _ = random_problem(rng, name="tanh", classes=classes)
    v = np.round(rng.standard_normal((enclosure.columns, classes)) * 64) / 64
    many = rng.integers(1, 5, len(labels)).tolist()
    rank, sharp = certify.prove_rank(enclosure)
    assert rank.verdict is Verdict.PROVED
    if scale == 300.0:  # a start that classifies everything, with tiny losses
        v = scale * zero_loss.prove_zero_loss(sharp, labels, classes, witness=rank.witness).weights.approx()
    else:
        v = scale * v
    weights = ExactArray.of_floats(v)
    gradient = pointwise.prove_not_stationary(sharp, rank.bound.sigma_lower, weights, labels, many)
    curvature = pointwise.prove_curvature(sharp, weights, labels, many)
    assert gradient.verdict is Verdict.PROVED and curvature.verdict is Verdict.PROVED
    psi = oracle(enclosure.network, enclosure.u, enclosure.inputs)
    with mpmath.workdps(DIGITS + 400):
        total, bent, residual = mpmath.matrix(enclosure.columns, classes), mpmath.mpf(0), mpmath.mpf(0)
        for row, y, count in zip(psi, labels.tolist(), many, strict=True):
            g = [
                mpmath.fsum(a * mpmath.mpf(b) for a, b in zip(row, v[:, k].tolist(), strict=True))
                for k in range(classes)
            ]
            e = [mpmath.exp(x - g[y]) for x in g]
            s = mpmath.fsum(e)
            p = [x / s - (k == y) for k, x in enumerate(e)]
            residual += count**2 * mpmath.fsum(x * x for x in p)
            for j, a in enumerate(row):
                for k, b in enumerate(p):
                    total[j, k] += count * a * b
            k = curvature.output
            bent += count * row[curvature.unit] ** 2 * (e[k] / s) * (1 - e[k] / s)
        norm = mpmath.sqrt(mpmath.fsum(a * a for a in total)) / sum(many)
        bent, residual = bent / sum(many), mpmath.sqrt(residual) / sum(many)
        assert 0 < mp(gradient.gradient_lower.fraction()) <= norm
        assert mp(gradient.gradient_lower.fraction()) <= residual * mp(rank.bound.sigma_lower.fraction())
        assert mp(gradient.gradient_lower.fraction()) >= residual * mp(rank.bound.sigma_lower.fraction()) * (
            1 - mpmath.mpf("1e-3")
        )
        assert 0 < mp(curvature.curvature_lower.fraction()) <= bent
        assert mp(curvature.curvature_lower.fraction()) >= bent * (1 - mpmath.mpf("1e-3"))
