"""Graphs in ball arithmetic: what is exact, what is sharp, what is not defined, what is refused, and what is cheap."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat
from planted import dense, fraction, random_parameters, random_samples
from planted_graphs import random_graph, random_point

import verifier as vf
from verifier.balls import attention, ball_arithmetic, tensors
from verifier.balls import feature_enclosure as features
from verifier.balls.activation import arb_kernel
from verifier.balls.precision import working_precision
from verifier.errors import NetworkError
from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.network.nodes import (
    Add,
    Affine,
    Attend,
    Embed,
    Expand,
    InverseRoot,
    Multiply,
    Normalise,
    Permute,
    Reshape,
    Scale,
    Softmax,
    Take,
)
from verifier.sigma.activations import activation, catalogue


def psi(build, node, u, x, precision=64):
    """Rows of balls of one node, as the only feature."""
    build.feature(node)
    network = Network.of(build.nodes, build.features)
    enclosure = features.FeatureEnclosure(network, np.asarray(u, dtype=float), np.asarray(x, dtype=float), precision)
    return [row for _, block in enclosure.blocks() for row in block.tolist()]


def transformer(depth, channels=32, tokens=8, heads=2, squared=False):
    """Pre-norm blocks of attention and of a GELU layer on rows of tokens."""
    build, x, width = Builder((tokens, channels)), 0, channels // heads

    def normalised(node, name):
        inner = build.add(Normalise((node,), Fraction(1, 10**5)))
        inner = build.add(Multiply((inner, build.parameter(f"{name}.gain", (channels,)))))
        return build.add(Add((inner, build.parameter(f"{name}.shift", (channels,)))))

    for block in range(depth):
        inner, parts = normalised(x, f"{block}.first"), []
        for name in "qkv":
            part = build.affine([inner], channels, f"{block}.{name}", over="last", bias="tied")
            part = build.add(Reshape((part,), (tokens, heads, width)))
            parts.append(build.add(Permute((part,), (1, 0, 2))))
        seen = build.add(Permute((build.add(Attend(tuple(parts), Fraction(1, width))),), (1, 0, 2)))
        seen = build.add(Reshape((seen,), (tokens, channels)))
        x = build.add(Add((x, build.affine([seen], channels, f"{block}.o", over="last", bias="tied"))))
        inner = build.affine([normalised(x, f"{block}.second")], 4 * channels, f"{block}.up", over="last", bias="tied")
        inner = build.map(inner, activation("gelu"))
        x = build.add(Add((x, build.affine([inner], channels, f"{block}.down", over="last", bias="tied"))))
    build.feature(x)
    return Network.of(build.nodes, build.features)


def weights_of(network, rng):
    """Weights of size 1 / sqrt(fan-in), gains around 1, small shifts."""
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        shape = view.spec.shape
        drawn = rng.standard_normal(shape)
        view.of(u)[...] = drawn / math.sqrt(shape[-1]) if len(shape) > 1 else 0.1 * drawn + view.name.endswith("gain")
    return u


@pytest.mark.parametrize(("depth", "bits", "radius"), [(1, 64, 1e-14), (2, 64, 1e-9), (3, 128, 1e-24)])
def test_transformers_are_enclosed_sharply(depth, bits, radius):
    """Radii as a prototype found them: depth 2 in 64 bits leaves some 1e-10."""
    network = transformer(depth, tokens=4)
    rng = np.random.default_rng(depth)
    u, x = weights_of(network, rng), rng.standard_normal((2, network.dimension))
    for _, block in features.FeatureEnclosure(network, u, x, bits).blocks():
        assert max(float(ball.rad()) for ball in block.entries()) < radius


def test_scores_of_any_size_do_not_overflow():
    """Exponentials of 1e15 and of 1e309 in softmax: the shift is exact, the largest score gets all."""
    build = Builder((3,))
    node = build.add(Softmax((build.add(Scale((0,), Fraction(10**9))),)))
    large, huge = psi(build, node, [], [[1e6, 0, -1e6], [1e300, 0, 0]])
    assert [fraction(ball.mid()) for ball in large] == pytest.approx([1, 0, 0])
    assert all(ball.is_finite() and ball.lower() > -0.1 and ball.upper() < 1.1 for ball in huge)
    with working_precision(64):
        wide = attention.masked_softmax([arb(0, 1e300), arb(1)], None)
        (row,) = attention.masked_softmax([arb(5, 1e300)], None)
        kept = attention.masked_softmax([arb(0, 50), arb(1)], [True, False])
    assert all(ball.is_finite() and ball.lower() > -0.1 and ball.upper() < 1.1 for ball in [*wide, row])
    assert kept[1].is_zero() and abs(kept[0] - 1) < 1e-9


def test_wide_scores_give_the_range():
    """P of two scores from -1 to 1 is between 1 / (1 + e^2) and 1 / (1 + e^-2), and nothing more."""
    with working_precision(64):
        for ball in attention.masked_softmax([arb(0, 1), arb(0, 1)], None):
            assert abs(float(ball.lower()) - 1 / (1 + math.exp(2))) < 1e-8
            assert abs(float(ball.upper()) - 1 / (1 + math.exp(-2))) < 1e-8


def test_saturated_attention_takes_the_value_of_the_largest_score():
    """Radii of scores meet differences of values: one key with all the weight leaves its value alone."""
    with working_precision(64):
        k, v = [arb(0, 1e-6), arb(90, 1e-6)], [arb(10**6), arb(3)]
        (found,) = attention.attended([arb(1)], k, v, (1, 1, 2, 1), arb(1), None)
        (equal,) = attention.attended([arb(1)], k, [arb(7), arb(7)], (1, 1, 2, 1), arb(1), None)
        (far,) = attention.attended([arb(1)], [arb(1e9), arb(1e9)], v, (1, 1, 2, 1), arb(1, 1e-12), None)
    assert abs(found - 3) < 1e-17 and equal.rad() < 1e-17 and far.rad() < 1e-9


@pytest.mark.parametrize("place", range(2))
def test_what_is_undefined_is_not_finite(place):
    """1/sqrt of numbers that are not above 0, at one sample: it reaches every feature that reads it, and no other."""
    x = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0]])
    x[place, 0] = 0.0
    for after in ("tanh", "relu", "weights 0", "mean", "normalise", "softmax", "max", "attend", "gate", "contract"):
        build = Builder((3,))
        root = build.add(InverseRoot((build.add(Take((0,), 0, (0, 0, 1))),)))
        node, u = _after(build, after, root)
        rows = psi(build, node, u, x)
        assert not any(ball.is_finite() for ball in rows[place]), after
        assert all(ball.is_finite() for ball in rows[1 - place]), after


def _after(build, after, root):
    """A node that reads the undefined one, and U."""
    if after in ("tanh", "relu"):
        return build.add(Take((build.map(root, activation(after)),), 0, (0, 1))), []
    if after == "weights 0":
        wide = build.add(Reshape((build.add(Expand((root,), (60, 3))),), (180,)))
        found = build.affine([wide], 150, "p", bias=None)
        return found, np.zeros(150 * 180)
    if after == "contract":
        row = build.add(Expand((root,), (1, 3)))
        return build.add(_node("Contract", (row, build.constant(np.zeros((3, 2)))))), []
    if after == "attend":
        row = build.add(Expand((root,), (1, 3)))
        return build.add(Attend((row, row, row))), []
    if after == "gate":
        return build.add(Take((build.add(_node("Gate", (root, 0, 0))),), 0, (0, 1))), []
    kinds = {"mean": ("Reduce", "mean"), "max": ("Reduce", "max"), "normalise": ("Normalise",), "softmax": ("Softmax",)}
    kind, *fields = kinds[after]
    return build.add(_node(kind, (root,), *fields)), []


def _node(kind, reads, *fields):
    import verifier.network.nodes as nodes

    return getattr(nodes, kind)(reads, *fields)


def test_activations_of_what_is_undefined_are_undefined():
    for sigma in catalogue():
        for narrow in (False, True):
            assert not arb_kernel(sigma, narrow=narrow)(arb("nan")).is_finite(), sigma.name


def test_large_products_with_zeros_keep_what_is_not_finite():
    """FLINT's own product of large matrices forgets a factor that is not finite if the other one is 0."""
    for size in (3, 150):
        zeros = arb_mat(size, size)
        planted = arb_mat(size, size)
        planted[1, 2] = arb("nan")
        left, right = tensors.product(planted, zeros).tolist(), tensors.product(zeros, planted).tolist()
        assert not any(ball.is_finite() for ball in left[1]) and all(ball.is_zero() for ball in left[0])
        assert not any(row[2].is_finite() for row in right) and all(row[0].is_zero() for row in right)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0.0], [3.0]], "sample 1: a token is 3.0; give whole numbers from 0 to 2"),
        ([[-1.0]], "sample 0: a token is -1.0; give whole"),
        ([[0.5]], "sample 0: a token is 0.5; give whole"),
        ([[5e-324]], "sample 0: a token is 5e-324; give whole"),
    ],
)
def test_tokens_that_are_no_rows_are_refused(x, message):
    build = Builder((1,))
    with pytest.raises(NetworkError, match=message):
        psi(build, build.add(Embed((0, build.parameter("table", (3, 2))))), np.arange(6.0), x)


def test_tokens_take_exact_rows():
    build = Builder((2,))
    (row,) = psi(build, build.add(Embed((0, build.parameter("table", (3, 2))))), np.arange(6.0), [[2.0, 0.0]])
    assert [float(ball) for ball in row] == [4.0, 5.0, 0.0, 1.0] and all(ball.is_exact() for ball in row)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], "sample 1: a mask leaves no entry"),
        ([[1.0, 0.5, 1.0]], r"sample 0: a mask has the entry 0.5; use 0 or 1"),
    ],
)
def test_masks_that_are_none_are_refused(mask, message):
    """A mask that depends on the sample is looked at sample by sample."""
    build = Builder((3,))
    scores = build.constant([1.0, 2.0, 3.0])
    with pytest.raises(NetworkError, match=message):
        psi(build, build.add(Softmax((scores, 0))), [], mask)
    build = Builder((3,))
    (row,) = psi(build, build.add(Softmax((build.constant([1.0, 2.0, 3.0]), 0))), [], [[0.0, 1.0, 0.0]])
    assert [float(ball) for ball in row] == [0.0, 1.0, 0.0]


def test_features_that_depend_on_no_sample_are_the_same_in_every_row():
    build = Builder((1,))
    rows = psi(build, build.parameter("p", (2,)), [3.0, 4.0], np.zeros((3, 1)))
    assert [[float(ball) for ball in row] for row in rows] == [[3.0, 4.0]] * 3


@pytest.mark.parametrize("entries", [1, 7])
def test_small_blocks_give_the_same_balls(monkeypatch, entries):
    """However the samples are parted, every row of Psi is its own sample's; parameters are enclosed once."""
    rng = np.random.default_rng(entries)
    network = random_graph(rng, ["affine", "affine", "map", "attend", "normalise"])
    u, x = random_point(rng, network, count=5)
    whole = features.FeatureEnclosure(network, u, x, 64)
    (block,) = [block.tolist() for _, block in whole.blocks()]
    monkeypatch.setattr(features, "BLOCK_ENTRIES", entries)
    monkeypatch.setattr(ball_arithmetic, "PATCH_ENTRIES", entries)
    parted = features.FeatureEnclosure(network, u, x, 64)
    rows = [row for _, part in parted.blocks() for row in part.tolist()]
    assert len(list(parted.blocks())) > 1
    assert all(a.overlaps(b) for row, line in zip(block, rows, strict=True) for a, b in zip(row, line, strict=True))


def test_windows_of_few_samples_at_a_time_give_the_same_balls(monkeypatch):
    rng, found = np.random.default_rng(0), []
    network = vf.Network((2, 4, 4), [vf.Conv(4, (2, 2), "tanh", padding=1, skip=True)])
    u, x = random_parameters(rng, network), random_samples(rng, 5, network)
    for entries in (10**6, 2 * 25 * 8, 1):
        monkeypatch.setattr(ball_arithmetic, "PATCH_ENTRIES", entries)
        ((_, block),) = features.FeatureEnclosure(network, u, x, 64).blocks()
        found.append(block.entries())
    assert all(a.overlaps(b) and a.overlaps(c) for a, b, c in zip(*found, strict=True))


def test_hidden_units_are_those_of_layers():
    build = Builder((2,))
    build.feature(build.add(Affine((0, build.parameter("w", (3, 2))), "all", False)))
    network = Network.of(build.nodes, build.features)
    with pytest.raises(NetworkError, match="belong to no layer"):
        features.FeatureEnclosure(network, np.zeros(6), np.zeros((1, 2)), 64).hidden(slice(0, 1))


def _calls(network, rng, samples):
    """How many functions an enclosure calls, Python's and FLINT's."""
    u, x = random_parameters(rng, network), random_samples(rng, samples, network)
    enclosure, count = features.FeatureEnclosure(network, u, x, 64), 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        list(enclosure.blocks())
    finally:
        sys.setprofile(None)
    return count


def test_layers_cost_one_product_and_one_kernel_per_unit():
    """Nothing but the activation is done unit by unit in Python: dense layers stay as fast as FLINT's product."""
    rng = np.random.default_rng(0)
    units = 40 * 50
    few = _calls(dense([50], ["identity"], 30), rng, 40)
    assert few < units / 2
    assert _calls(dense([50], ["tanh"], 30), rng, 40) < few + 3 * units
    assert _calls(dense([50, 50], ["identity", "identity"], 30), rng, 40) < few + units / 2


def test_normalised_rows_are_clipped():
    """A row of which nothing is known but that it is finite: its entries stay below sqrt(n)."""
    with working_precision(64):
        ops = ball_arithmetic.BallArithmetic(np.zeros((1, 1)), None)
        found = ops.normalise(tensors.Balls(1, (4,), [arb(0, 1e9)] * 4), Fraction(1, 10**5), centre=False).entries
    assert all(ball.is_finite() and ball.upper() < 2.1 for ball in found)


def test_one_network_through_every_door():
    """A block of the library, and the same nodes by hand."""
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    network = vf.Network((3,), [vf.Dense(4, "tanh"), vf.Dense(2, "identity", skip=True)], output_bias=True)
    u = vf.initialise(network, seed=2)
    ((_, block),) = vf.FeatureEnclosure(network, u, x, 64).blocks()
    assert [float(row[-1]) for row in block.tolist()] == [1.0, 1.0]
