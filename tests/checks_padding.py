"""Checks of zero padding, for the ordinary tests and for the mutants: exact oracles on planted networks."""

import inspect
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from checks_theorem import checker_bound, data_of, every_u_outcome
from flint import arb
from planted import (
    EXACT,
    contains,
    exact_rank,
    forward,
    fraction,
    numerical_rank,
    oracle,
    padded_dag,
    random_parameters,
    random_samples,
)

from verifier.balls import feature_enclosure as features
from verifier.balls import motion
from verifier.balls.binary64 import float_enclosure as float_features
from verifier.balls.binary64.backend import numpy_backend
from verifier.certificate.writer import CertificateBuilder
from verifier.checker import certificate, common, container, schema
from verifier.checker import escape as checker_escape
from verifier.checker import network as checker_network
from verifier.network import gradient, layers, network
from verifier.rank import dead, deficiency
from verifier.sigma.activations import activation
from verifier.statements import assumption as hypotheses
from verifier.verdict import Verdict


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
    """The loss is that of the features, and the gradient in U agrees with difference quotients."""
    net, u, x = planted(rng, ["tanh", "sigmoid"])
    labels, ones = np.array([0, 1, 1]), np.ones(3, dtype=np.int64)
    v = rng.standard_normal((net.skip_count, 2))
    found = gradient.approx_gradient(net, u, v, x, labels, ones)
    logits = network.approx_features(net, u, x) @ v
    assert abs(found.loss - np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(3), labels])) < 1e-9
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


# --- rank and structure ----------------------------------------------------------------------------------------------


def coarse_samples(rng, net):
    """Few samples whose coordinates often are constant, 0 or equal to others."""
    x = random_samples(rng, int(rng.integers(2, 7)), net, grid=1)
    x[:, rng.random(net.dimension) < 0.3] = float(rng.integers(0, 2))
    if rng.integers(2):
        x = x[:, rng.integers(0, net.dimension, net.dimension)]
    return x


def check_padded_deficiency(rng):
    """Bounds by structure, of the prover and of the checker, at one U and for every U, are never below a rank."""
    found = 0
    for _ in range(4):
        net = padded_dag(rng, ["identity", "square", "cubic"])
        x = coarse_samples(rng, net)
        u = random_parameters(rng, net, grid=1)
        rank = exact_rank(forward(net, u, x))
        at, every = deficiency.structural_deficiency(net, u, x), deficiency.structural_bound_every_u(net, x)
        assert at is None or rank <= at.rank_at_most
        assert every is None or rank <= every.rank_at_most
        found += (at is not None) + (every is not None)
        for claim in (rank - 1, *(claim.rank_at_most for claim in (every,) if claim is not None)):
            if 0 <= claim < len(x):
                accepted = every_u_outcome(net, x, claim).verdict == "ACCEPTED"
                assert accepted == (claim >= rank), (net.summary(), x, claim, rank)
        for claim in (rank - 1, *(claim.rank_at_most for claim in (at,) if claim is not None)):
            if 0 <= claim < len(x):
                assert (outcome_at(net, u, x, claim).verdict == "ACCEPTED") == (claim >= rank)
    return found


def outcome_at(net, u, x, rank):
    """The checker's answer to the claim that rank Psi(U) <= ``rank`` at this U."""
    return checked(net, u, x, deficiency.Deficiency("dependent-units", rank, ""))


def checked(net, u, x, claim):
    builder = CertificateBuilder(data_of(x), net, u, with_labels=False)
    builder.add_deficiency(claim)
    with tempfile.TemporaryDirectory() as folder:
        return certificate.check_file(str(builder.write(Path(folder) / "c.json")), 1)


def check_planted_padding():
    """Border windows that are equal because of the padding, and such that would be if it were anything but 0."""
    tanh = activation("tanh")
    a = np.array([1.0, 2.0, 3.0, 5.0])
    zero, one = np.zeros(4), np.ones(4)

    def bound(columns, layer, shape=None):
        net = network.Network(shape or (1, len(columns)), layer)
        x = np.stack(columns, axis=1)
        every, accepted = deficiency.structural_bound_every_u(net, x), checker_bound(net, x)
        u = random_parameters(np.random.default_rng(0), net)
        assert numerical_rank(oracle(net, u, x)) <= accepted == (every.rank_at_most if every is not None else 4)
        return accepted

    def conv(k, p, bias="tied", filters=1, **more):
        return layers.Conv(filters, k, tanh, bias=bias, skip=True, padding=p, **more)

    # windows [. a][a 0][0 a][a .], . the padding: a place in it is the constant 0, so that there are two units
    assert bound([a, zero, a], conv((2,), 1)) == 2
    assert bound([a, one, a], conv((2,), 1)) == 4
    assert bound([a, zero, a], conv((2,), 1, "per-unit")) == 4
    # one pixel: windows [. . a][. a .][a . .], three units with different weights; of a second filter as well
    assert bound([a], conv((3,), 2), (1, 1)) == 3
    assert bound([a], conv((3,), 2, filters=2), (1, 1)) == 4
    # a column of pixels, padded at its sides: all positions of a row are [. a .]
    assert bound([a, a, a], conv((1, 3), (0, 1)), (1, 3, 1)) == 1
    assert bound([a, a + 1, a], conv((1, 3), (0, 1)), (1, 3, 1)) == 2
    # windows without a coordinate that moves are constant
    assert bound([zero, a, one], conv((2,), 1, filters=1, stride=(3,))) == 1  # [. 0] and [1 .]: both constant
    # at one U: equal weights at the taps of the pixel make equal units
    net = network.Network((1, 1), layers.Conv(1, (3,), tanh, skip=True, bias="tied", padding=2))
    u = np.array([0.5, 2.0, 0.5, 0.25])
    found = deficiency.structural_deficiency(net, u, a[:, None])
    assert found is not None and found.rank_at_most == 2 and outcome_at(net, u, a[:, None], 2).verdict == "ACCEPTED"
    assert outcome_at(net, u, a[:, None], 1).verdict == "REJECTED"


def check_padded_checker_features(rng):
    """The checker reads the prover's padded networks and encloses their exact features."""
    net, u, x = planted(rng)
    truth = forward(net, u, x)
    builder = CertificateBuilder(data_of(x), net, u, with_labels=False)
    builder.add_deficiency(deficiency.Deficiency("every-u", 2, ""))
    with tempfile.TemporaryDirectory() as folder:
        path = builder.write(Path(folder) / "c.json")
        document, arrays = json.loads(path.read_text()), container.Arrays(path.with_suffix(".safetensors").read_bytes())
    inputs = arrays.exact(schema.read(schema.ARRAY, document["data"]["inputs"], "/data/inputs"), *x.shape)
    raw = schema.read(schema.NETWORK, document["network"], "/network")
    known = checker_network.read_network(raw, inputs, *x.shape, arrays)
    limits = checker_network.Features.__init__.__globals__
    usual = limits["GATHER"]
    for gather in (usual, -(10**9)):  # small layers as dense ones, and none of them
        limits["GATHER"] = gather
        try:
            with common.precision(128):
                rows = checker_network.Features(known).rows(list(range(len(x))))
        finally:
            limits["GATHER"] = usual
        for line, wanted in zip(rows, truth, strict=True):
            assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))
            largest = max(abs(float(ball.mid())) for ball in line)
            assert all(float(ball.rad()) < 1e-20 * (1 + largest) for ball in line)


def check_padded_patches(rng):
    """A3.1(3) with padding, against an enumeration of padded patches by fractions."""
    tanh = activation("tanh")
    for _ in range(8):
        length, p = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        k, s = int(rng.integers(p + 1, length + 2 * p + 1)), int(rng.integers(1, 3))
        net = network.Network((2, length), layers.Conv(1, (k,), tanh, (s,), padding=p, skip=True))
        x = rng.integers(0, 3, (int(rng.integers(2, 5)), net.dimension)) / 2.0
        wide = np.pad(x.reshape(len(x), 2, length), ((0, 0), (0, 0), (p, p)))
        seen = [[tuple(row[:, at : at + k].ravel()) for row in wide] for at in range(0, length + 2 * p - k + 1, s)]
        equal = {position for position, patches in enumerate(seen) if len(set(patches)) < len(patches)}
        found = hypotheses.distinct_patches(net, data_of(x))
        assert found.verdict is (Verdict.REFUTED if equal else Verdict.PROVED), (net.summary(), x)
        if found.evidence is not None:
            i, j = found.evidence.samples
            assert (
                found.evidence.position in equal
                and seen[found.evidence.position][i] == seen[found.evidence.position][j]
            )
            assert all(0 <= c < net.dimension for c in found.evidence.coordinates)


def check_patches_beside_other_layers():
    """A kernel of length 1 sees less of the input than the padded layer beside it: equal patches are undecided."""
    tanh = activation("tanh")
    first = layers.Conv(1, (3,), tanh, padding=1)
    mixed = layers.Conv(1, (1,), tanh, inputs=("input", 0), skip=True)
    net = network.Network((1, 3), (first, mixed))
    x = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 1.0], [2.0, 0.0, 5.0]])
    found = hypotheses.distinct_patches(net, data_of(x))
    assert found.verdict is Verdict.UNDECIDED and "samples 0 and 1 show layer 1" in found.reason
    assert hypotheses.distinct_patches(net, data_of(x + np.array([[0.0], [4.0], [20.0]]))).verdict is Verdict.PROVED
    alone = layers.Conv(1, (1,), tanh, inputs="input", skip=True)
    for order in ((first, mixed, alone), (first, alone, mixed)):
        assert hypotheses.distinct_patches(network.Network((1, 3), order), data_of(x)).verdict is Verdict.REFUTED


def check_padded_selection():
    """A3.1(2): a place in the padding is no source, so that no free path leads through it."""
    plus = activation("softplus")

    def verdict(skip, unit):
        net = network.Network(
            (1, 2),
            (
                layers.Conv(1, (1,), plus),
                layers.AvgPool((1,), inputs=(0,), skip=(skip,)),
                layers.Conv(1, (2,), plus, inputs=(0,), padding=1, skip=(unit,)),
            ),
        )
        return hypotheses.suitable_units(net, 1).verdict

    assert all(verdict(0, unit) is Verdict.PROVED for unit in range(3))
    # an inner layer of two positions, of which a pool as skip unit blocks the first: unit 0 reads only that one
    pool = layers.AvgPool((1,), skip=(0,))
    chain = (layers.Conv(1, (1,), plus), pool, layers.Conv(1, (2,), plus, inputs=(1,), padding=1, skip=(0,)))
    refuted = hypotheses.suitable_units(network.Network((1, 2), chain), 1)
    assert refuted.verdict is Verdict.REFUTED, refuted.reason
    other = (*chain[:2], layers.Conv(1, (2,), plus, inputs=(1,), padding=1, skip=(1,)))
    assert hypotheses.suitable_units(network.Network((1, 2), other), 1).verdict is Verdict.UNDECIDED


def check_padded_box(rng):
    """Open boxes of dead features below padded convolutions: constant at random points of the box, exactly."""
    rational = {**EXACT, "relu": lambda t: max(t, Fraction(0))}
    for _ in range(4):
        net = padded_dag(rng, ["relu"])
        x = random_samples(rng, 4, net)
        box = dead.dead_open_set(net, x)
        if box is None:
            continue
        for _ in range(2):
            u = box.u + box.radius * 0.99 * rng.uniform(-1, 1, len(box.u))
            rows = forward(net, u, x, functions=rational)
            assert all(row == rows[0] for row in rows) and exact_rank(rows) <= box.rank_at_most


def check_padding_rests(rng):
    """The checker's resting units: of a padded layer that reads what moves, exactly those rest that do not see it."""
    length, k = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    p = int(rng.integers(1, k))
    net = network.Network(
        (1, length),
        (layers.Conv(1, (1,), "tanh"), layers.Conv(1, (k,), "tanh", inputs=(0,), padding=p, skip=True)),
    )
    u = random_parameters(rng, net)
    end = u.copy()
    move = int(rng.integers(length))
    net.views(end)["layer0.bias"][0, move] += 1.0
    reads = [[j - p + i for i in range(k)] for j in range(length + 2 * p - k + 1)]
    assert checker_escape.units_at_rest(*(as_read(net, point) for point in (u, end))) == [move not in r for r in reads]


def as_read(net, u):
    """The network at a U as the checker reads it."""
    x = np.zeros((2, net.dimension))
    builder = CertificateBuilder(data_of(x), net, u, with_labels=False)
    builder.add_deficiency(deficiency.Deficiency("every-u", 1, ""))
    with tempfile.TemporaryDirectory() as folder:
        path = builder.write(Path(folder) / "c.json")
        document, arrays = json.loads(path.read_text()), container.Arrays(path.with_suffix(".safetensors").read_bytes())
    inputs = arrays.exact(schema.read(schema.ARRAY, document["data"]["inputs"], "/data/inputs"), *x.shape)
    return checker_network.read_network(
        schema.read(schema.NETWORK, document["network"], "/network"), inputs, *x.shape, arrays
    )


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}


def run_check(name, seed=0):
    """Run one check; those that draw random cases get a generator."""
    check = CHECKS[name]
    check(*[np.random.default_rng(seed)] * ("rng" in inspect.signature(check).parameters))
