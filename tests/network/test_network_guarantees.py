"""Windows, features, motion and gradients of networks, padded ones included, by other means."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    EXACT,
    contains,
    forward,
    fraction,
    random_parameters,
    random_samples,
    seeds,
    shuffled_dag,
)
from planted_problems import padded_problem

from verifier.balls import feature_enclosure as features
from verifier.balls import motion
from verifier.balls.binary64 import float_enclosure as float_features
from verifier.balls.binary64.backend import numpy_backend
from verifier.network import forward as passes
from verifier.network import gradient, initialise, layers, network


@seeds(40)
def test_windows(rng):
    """window_indices lists, per position, the flat indices of its channel-major window in the weights' order."""
    for _ in range(10):
        axes = int(rng.integers(1, 3))
        shape = (int(rng.integers(1, 4)), *(int(v) for v in rng.integers(2, 6, axes)))
        kernel = tuple(int(rng.integers(1, n + 1)) for n in shape[1:])
        stride = tuple(int(v) for v in rng.integers(1, 4, axes))
        flat = np.arange(np.prod(shape)).reshape(shape)
        wanted = []
        for corner in np.ndindex(*((n - k) // s + 1 for n, k, s in zip(shape[1:], kernel, stride, strict=True))):
            cut = tuple(slice(c * s, c * s + k) for c, s, k in zip(corner, stride, kernel, strict=True))
            wanted.append(flat[(slice(None), *cut)].ravel().tolist())
        assert layers.window_indices(shape, kernel, stride) == wanted


@seeds(40)
def test_approximate_features(rng):
    """approx_features agrees with the exact rational features."""
    net = shuffled_dag(rng, list(EXACT))
    u, x = random_parameters(rng, net, grid=16), random_samples(rng, 3, net)
    truth = np.array([[float(v) for v in row] for row in forward(net, u, x)])
    np.testing.assert_allclose(passes.approx_features(net, u, x), truth, rtol=1e-10, atol=1e-12 * np.abs(truth).max())


@seeds(40)
def test_portable_logarithm(rng):
    """_portable_log is the logarithm to a few ulp."""
    x = np.concatenate([rng.uniform(1e-12, 1, 40), [0.5, 0.7071067811865476, 0.70710678, 1 - 2**-53, 2**-60]])
    found = initialise._portable_log(x)
    with mpmath.workdps(40):
        truth = np.array([float(mpmath.log(mpmath.mpf(v))) for v in x.tolist()])
    np.testing.assert_allclose(found, truth, rtol=1e-14, atol=1e-300)


@seeds(20)
def test_padded_windows(rng):
    """Windows are the slices of the padded array; places in the padding are one past the end."""
    for _ in range(10):
        axes = int(rng.integers(1, 3))
        shape = (int(rng.integers(1, 4)), *(int(v) for v in rng.integers(1, 5, axes)))
        padding = tuple(int(v) for v in rng.integers(0, 3, axes))
        kernel = tuple(int(rng.integers(p + 1, n + 2 * p + 1)) for n, p in zip(shape[1:], padding, strict=True))
        stride = tuple(int(v) for v in rng.integers(1, 4, axes))
        end = int(np.prod(shape))
        block = np.full((shape[0], *(n + 2 * p for n, p in zip(shape[1:], padding, strict=True))), end)
        block[(slice(None), *(slice(p, p + n) for n, p in zip(shape[1:], padding, strict=True)))] = np.arange(
            end
        ).reshape(shape)
        outs = [(n - k) // s + 1 for n, k, s in zip(block.shape[1:], kernel, stride, strict=True)]
        wanted = []
        for corner in np.ndindex(*outs):
            cut = tuple(slice(c * s, c * s + k) for c, s, k in zip(corner, stride, kernel, strict=True))
            wanted.append(block[(slice(None), *cut)].ravel().tolist())
        assert layers.window_indices(shape, kernel, stride, padding) == wanted
        assert all(min(window) < end for window in wanted)  # every window sees some of the input


@seeds(20)
def test_padded_features(rng):
    """Exact rational features are in Arb's enclosures, in those of binary64, and near the approximation."""
    net, u, x = padded_problem(rng)
    truth = forward(net, u, x)
    ((_, block),) = features.FeatureEnclosure(net, u, x, 64).blocks()
    for line, wanted in zip(block.tolist(), truth, strict=True):
        assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))
        largest = max(abs(float(ball.mid())) for ball in line)
        assert all(float(ball.rad()) < 1e-6 * (1 + largest) for ball in line)
    enclosure = float_features.FloatEnclosure(net, u, x, numpy_backend(1))
    for rows, mid, radius in enclosure.row_blocks():
        for line, wanted in zip(mid, truth[rows], strict=True):
            gaps = [abs(Fraction(float(m)) - fraction(w)) for m, w in zip(line, wanted, strict=True)]
            assert all(gap <= Fraction(float(r)) for gap, r in zip(gaps, radius, strict=True))
    exact = np.array([[float(v) for v in row] for row in truth])
    np.testing.assert_allclose(passes.approx_features(net, u, x), exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())


@seeds(20)
def test_padded_motion(rng):
    """Values at inner times are in the balls, and so are the exact derivatives of networks of polynomials."""
    net, u, x = padded_problem(rng, ["identity", "square"])
    end = random_parameters(rng, net, grid=16)
    moving = motion.Motion(net, u, end, x, 128)
    values, slopes = moving.jets(arb(0.5))
    middle = (u + end) / 2
    h = Fraction(1, 2**20)
    here = forward(net, middle, x)

    def at(t):
        return forward(net, (middle + float(t) * (end - u)), x)

    after, before = at(h), at(-h)
    for line, rates, wanted, up, down in zip(values, slopes, here, after, before, strict=True):
        assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))
        largest = max(abs(Fraction(float(rate.mid()))) for rate in rates)
        for rate, a, b in zip(rates, up, down, strict=True):
            exact = (a - b) / (2 * h)
            assert abs(Fraction(float(rate.mid())) - exact) < Fraction(1, 10**4) * (1 + largest)
    hull = moving.features(arb(0.5, 0.25))
    for t in (-0.25, 0.0, 0.25):
        for line, wanted in zip(hull, at(t), strict=True):
            assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))


@seeds(10)
def test_padded_gradient(rng):
    """The loss is that of the features, and the gradient in U agrees with difference quotients."""
    net, u, x = padded_problem(rng, ["tanh", "sigmoid"])
    labels, ones = np.array([0, 1, 1]), np.ones(3, dtype=np.int64)
    v = rng.standard_normal((net.skip_count, 2))
    found = gradient.approx_gradient(net, u, v, x, labels, ones)
    logits = passes.approx_features(net, u, x) @ v
    assert abs(found.loss - np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(3), labels])) < 1e-9
    for k in range(net.parameter_count):
        step = np.zeros_like(u)
        step[k] = 1e-5
        up, down = (gradient.approx_gradient(net, u + s, v, x, labels, ones).loss for s in (step, -step))
        assert abs((up - down) / 2e-5 - found.du[k]) < 1e-6


@seeds(10)
def test_padding_by_hand(rng):
    """A padded first layer is the layer without padding on inputs with zeros around them, exactly."""
    for axes in (1, 2):
        space = tuple(int(n) for n in rng.integers(1, 4, axes))
        padding = tuple(int(p) for p in rng.integers(0, 3, axes))
        channels = int(rng.integers(1, 3))
        kernel = tuple(int(rng.integers(p + 1, n + 2 * p + 1)) for n, p in zip(space, padding, strict=True))
        how = {"stride": tuple(int(s) for s in rng.integers(1, 3, axes)), "bias": str(rng.choice(["tied", "per-unit"]))}
        whole = tuple(n + 2 * p for n, p in zip(space, padding, strict=True))
        padded = network.Network(
            (channels, *space), layers.Conv(2, kernel, "square", skip=True, padding=padding, **how)
        )
        plain = network.Network((channels, *whole), layers.Conv(2, kernel, "square", skip=True, **how))
        assert padded.shapes == plain.shapes and padded.parameter_count == plain.parameter_count
        u, x = random_parameters(rng, padded, grid=16), random_samples(rng, 3, padded)
        sides = [(0, 0), (0, 0), *((p, p) for p in padding)]
        wide = np.pad(x.reshape(3, channels, *space), sides).reshape(3, -1)
        truth = forward(plain, u, wide)
        assert forward(padded, u, x) == truth
        ((_, block),) = features.FeatureEnclosure(padded, u, x, 64).blocks()
        ((_, other),) = features.FeatureEnclosure(plain, u, wide, 64).blocks()
        for line, far, wanted in zip(block.tolist(), other.tolist(), truth, strict=True):
            assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))
            assert all(contains(ball, value) for ball, value in zip(far, wanted, strict=True))
        np.testing.assert_array_equal(passes.approx_features(padded, u, x), passes.approx_features(plain, u, wide))
