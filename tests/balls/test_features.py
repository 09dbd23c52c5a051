"""Enclosures of Psi(U): exact rational networks, mpmath at 100 digits, and an independent forward pass."""

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from planted import ORACLE, contains, dense, ends, forward, random_parameters, random_samples, shuffled_dag

from verifier.balls.feature_enclosure import FeatureEnclosure, block_is_finite, use_threads
from verifier.errors import InputError


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-160, 1e100, 1e300])
def test_subnormal_and_huge_weights_are_exact_numbers(scale):
    rng = np.random.default_rng(3)
    net = dense([2, 2], ["identity", "cubic"], 2, skip=(0, 1))
    u = rng.integers(-9, 10, net.parameter_count) * scale
    u[6:] = rng.standard_normal(6)
    x = random_samples(rng, 3, net)
    truth = forward(net, u, x)
    for precision in (32, 64, 200):
        (block,) = (block for _, block in FeatureEnclosure(net, u, x, precision).blocks())
        assert block_is_finite(block)
        for line, wanted in zip(block.tolist(), truth, strict=True):
            assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))


def test_more_bits_give_smaller_balls_inside_the_truth():
    rng = np.random.default_rng(4)
    net = shuffled_dag(rng, list(ORACLE))
    u, x = random_parameters(rng, net), random_samples(rng, 2, net)
    widths = []
    for precision in (32, 64, 128):
        (block,) = (block for _, block in FeatureEnclosure(net, u, x, precision).blocks())
        widths.append(max(float(ball.rad()) for ball in block.entries()))
    assert widths[0] > 2**20 * widths[1] > 2**40 * widths[2]


def test_hidden_gives_every_layer():
    net = dense([3, 2], ["square", "identity"], 2)
    rng = np.random.default_rng(0)
    u, x = random_parameters(rng, net, grid=4), random_samples(rng, 4, net)
    first, second = FeatureEnclosure(net, u, x, 64).hidden(slice(1, 3))
    assert (first.nrows(), first.ncols(), second.nrows(), second.ncols()) == (2, 3, 2, 2)
    truth = forward(net, u, x)[1:3]
    for line, wanted in zip(second.tolist(), truth, strict=True):
        assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))


def test_progress_reaches_one():
    net = dense([1], ["tanh"], 1)
    seen = []
    list(FeatureEnclosure(net, np.zeros(2), np.zeros((600, 1)), 64).blocks(seen.append))
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) == 3


def test_an_enclosure_keeps_its_own_numbers():
    net = dense([2], ["identity"], 1)
    u, x = np.array([1.0, 2.0, 0.0, 0.0]), np.array([[3.0]])
    made = FeatureEnclosure(net, u, x, 64)
    u[:] = 99.0
    x[:] = 99.0
    ((_, block),) = made.blocks()
    assert [float(v) for v in block.entries()] == [3.0, 6.0]
    again = FeatureEnclosure(net, made.u, made.inputs, 128)
    assert again.u is made.u and again.inputs is made.inputs
    with pytest.raises(ValueError, match="read-only"):
        made.u[0] = 1.0


@pytest.mark.parametrize(
    ("u", "x", "message"),
    [
        (np.zeros(3), np.zeros((1, 1)), "p = 4"),
        (np.zeros(4), np.zeros((1, 2)), "d = 1"),
        (np.zeros(4), np.zeros(1), "d = 1"),
        (np.array([0, 0, np.nan, 0]), np.zeros((1, 1)), r"u: entry \(2,\) is nan"),
        (np.zeros(4), np.array([[np.inf]]), r"inputs: entry \(0, 0\) is inf"),
        (np.zeros(4) + 1j, np.zeros((1, 1)), "u: dtype complex128"),
        (np.zeros(4), np.array([[2**53 + 1]]), r"inputs: entry \(0, 0\) is 9007199254740993, not exactly"),
        (np.ones(4, dtype=np.longdouble) / 3, np.zeros((1, 1)), r"u: entry \(0,\) is 0.333333\d*, not exactly"),
    ],
)
def test_unusable_parameters_and_samples_are_refused(u, x, message):
    with pytest.raises(InputError, match=message):
        FeatureEnclosure(dense([2], ["identity"], 1), u, x, 64)


def test_block_is_finite_sees_every_entry():
    for value in ("nan", "inf", "-inf"):
        for place in range(4):
            entries = [arb(1), arb(0), arb(-2), arb(1e300)]
            assert block_is_finite(arb_mat(2, 2, entries))
            entries[place] = arb(value)
            assert not block_is_finite(arb_mat(2, 2, entries))
    assert not block_is_finite(arb_mat(1, 2, [arb(1), arb(0, "inf")]))


def test_threads_do_not_change_the_enclosures():
    rng = np.random.default_rng(1)
    net = dense([40, 40], ["tanh", "tanh"], 10)
    u, x = random_parameters(rng, net), random_samples(rng, 30, net)
    before = ctx.threads
    found = []
    try:
        for count in (0, 2):
            use_threads(count)
            ((_, block),) = FeatureEnclosure(net, u, x, 64).blocks()
            found.append(block.entries())
    finally:
        ctx.threads = before
    assert all(a.overlaps(b) for a, b in zip(*found, strict=True))
    assert ends(found[0][0])[1] - ends(found[0][0])[0] < 1e-12
