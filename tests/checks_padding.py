"""Checks of zero padding, for the ordinary tests and for the mutants: exact oracles on planted networks."""

from fractions import Fraction

import numpy as np
from planted import EXACT, contains, forward, fraction, padded_dag, random_parameters, random_samples

from verifier.balls import features, motion
from verifier.balls.binary64 import features as float_features
from verifier.balls.binary64.backend import numpy_backend
from verifier.model import gradient, layers, network


def planted(rng, names=tuple(EXACT)):
    """A padded network, parameters and samples on grids."""
    net = padded_dag(rng, names)
    return net, random_parameters(rng, net, grid=16), random_samples(rng, 3, net)


def check_padded_windows(rng):
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


def check_padded_features(rng):
    """Exact rational features are in Arb's enclosures, in those of binary64, and near the approximation."""
    net, u, x = planted(rng)
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
    np.testing.assert_allclose(network.approx_features(net, u, x), exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())


def check_padded_motion(rng):
    """Values at inner times are in the balls, and so are the exact derivatives of networks of polynomials."""
    from flint import arb

    net, u, x = planted(rng, ["identity", "square"])
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


def check_padded_gradient(rng):
    """The gradient in U agrees with difference quotients."""
    net, u, x = planted(rng, ["tanh", "sigmoid"])
    labels, ones = np.array([0, 1, 1]), np.ones(3, dtype=np.int64)
    v = rng.standard_normal((net.skip_count, 2))
    found = gradient.approx_gradient(net, u, v, x, labels, ones)
    for k in range(net.parameter_count):
        step = np.zeros_like(u)
        step[k] = 1e-5
        up, down = (gradient.approx_gradient(net, u + s, v, x, labels, ones).loss for s in (step, -step))
        assert abs((up - down) / 2e-5 - found.du[k]) < 1e-6


def check_padding_by_hand(rng):
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
        np.testing.assert_array_equal(network.approx_features(padded, u, x), network.approx_features(plain, u, wide))


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


def run_check(name, seed=0):
    """Run one check with a generator."""
    CHECKS[name](np.random.default_rng(seed))
