"""W1 and W2: the bounds of prover and checker at exact and random instances, and whole constructions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import numpy as np
from checker.checker_writer import Builder, dyadic
from flint import arb
from planted import fraction, mp, seeds
from planted_problems import SOFTPLUS, STEPS

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.precision import working_precision
from verifier.checker import common, container, expression, schema
from verifier.checker import network as checker_network
from verifier.checker import witness as checker
from verifier.data import samples
from verifier.network.graph import Feature
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.network.nodes import Map
from verifier.network.units import dense_units
from verifier.rank import witness, witness_values
from verifier.rank import witness_proof as prover
from verifier.sigma.activations import activation


def at_least(bound, truth):
    """Whether the upper end of a ball is >= an mpmath number, up to 1e-40."""
    top = fraction(bound.upper())
    return mpmath.mpf(top.numerator) / top.denominator >= truth * (1 - mpmath.mpf(10) ** -40)


def row_norm(matrix):
    return max(sum(abs(matrix[i, j]) for j in range(matrix.cols)) for i in range(matrix.rows))


class Instance:
    """Random ascending values and blocks with known exact parameters: weights 2^k, thresholds between the values."""

    def __init__(self, rng, ramp=None, steepness=1):
        self.n = int(rng.integers(1, 8))
        self.z = [Fraction(int(v), 8) for v in np.cumsum(rng.integers(1, 30, self.n)) - 60]
        cuts = sorted({0, self.n, *(int(c) for c in rng.integers(0, self.n + 1, 2))}) if ramp is None else [0, self.n]
        self.blocks = []
        for first, last in itertools.pairwise(cuts):
            text = ramp or str(rng.choice(list(STEPS)))
            sign = 1
            if ramp is None:
                low, high = STEPS[text][1:]
                sign = int(rng.choice([s for s, end in ((1, high), (-1, low)) if end != 0]))
            weight = Fraction(2) ** int(rng.integers(-2, 4)) * sign * steepness * (1 if ramp is None else 4)
            biases = []
            for j in range(first, last):
                below = self.z[j - 1] if j else self.z[0] - Fraction(int(rng.integers(1, 20)), 8)
                place = (
                    Fraction(int(rng.integers(2, 15)), 16) if ramp is None else Fraction(int(rng.integers(-2, 3)), 256)
                )
                place = Fraction(0) if ramp is not None and j == 0 else place
                biases.append(-weight * (below + place * ((self.z[j] - below) if ramp is None else 1)))
            self.blocks.append((text, first, last, weight, biases))

    def truth(self, function_of, error=Fraction(0), rng=None):
        """Psi and T at 60 digits; each pre-activation moved by +-error, always for the worse or at random."""
        psi, t = mpmath.matrix(self.n, self.n), mpmath.matrix(self.n, self.n)
        for text, first, last, weight, biases in self.blocks:
            function, low, high = function_of(text)
            top, bottom = (high, low) if weight > 0 else (low, high)
            for j in range(first, last):
                for i in range(self.n):
                    towards = -1 if (i >= j) == (weight > 0) else 1
                    move = error * towards if rng is None or rng.integers(2) else error * int(rng.integers(-1, 2))
                    psi[i, j] = function(mp(weight * self.z[i] + biases[j - first] + move))
                    t[i, j] = top if i >= j else bottom
        return psi, t

    def network(self):
        layers = tuple(
            Dense(last - first, activation(text), True, ("input",)) for text, first, last, _, _ in self.blocks
        )
        return Network((1,), layers)

    def prover_blocks(self):
        return [
            prover.Block(
                index,
                0,
                Dyadic(
                    1 if weight > 0 else -1, abs(weight).numerator.bit_length() - abs(weight).denominator.bit_length()
                ),
                np.arange(last - first),
                ExactArray.of_integers([int(b * 2**20) for b in biases], (last - first,), -20),
            )
            for index, (_, first, last, weight, biases) in enumerate(self.blocks)
        ]

    def prover_values(self, exact):
        if exact:
            return witness_values.AscendingValues(np.array([int(z * 8) for z in self.z]), -3)
        return witness_values.AscendingValues(balls=tuple(arb((int(z * 8), -3)) + arb(0, 2.0**-50) for z in self.z))

    def checker_blocks(self):
        """The blocks as the checker's rules see them, with exact arguments."""
        found = []
        for text, first, last, weight, biases in self.blocks:
            sign, ends = 1 if weight > 0 else -1, []
            for offset in (0, 1):
                pairs = [(self.z[j - offset], biases[j - first]) for j in range(first, last) if j >= offset]
                ends.append([arb((int(sign * (weight * z + b) * 2**30), -30)) for z, b in pairs])
            layer = SimpleNamespace(activation=expression.parse(text, ""), path="")
            entry = {"layer": layer, "sign": sign, "columns": last - first, "path": "", "weight": arb(sign)}
            found.append(SimpleNamespace(**entry, above=ends[0], below=ends[1]))
        return found

    def document(self, label, radius=None, precision=64):
        """A certificate with this witness; the values come from two coordinates in another order of the samples."""
        b = Builder()
        order = [(k * 5 + 3) % self.n for k in range(self.n)] if self.n % 5 else list(range(self.n))
        rows = [[self.z[k] - 7, Fraction(7)] for k in order]
        data = b.data(rows)
        layers = [
            {"kind": "dense", "inputs": ["input"], "activation": text, "units": last - first, "skip": True}
            | {"weight": None, "bias": None, "weight_shape": [last - first, 2], "bias_shape": [last - first]}
            for text, first, last, _, _ in self.blocks
        ]
        blocks = [
            {"node": 4 * index + 4, "links": 0, "weight": dyadic(weight), "biases": b.exact(biases)}
            | {"units": b.tensor(list(range(last - first)), "I32")}
            for index, (_, first, last, weight, biases) in enumerate(self.blocks)
        ]
        claim = {"label": label, "precision": precision, "direction": b.tensor([1, 1], "I8"), "chain": []}
        claim |= {"radius": None if radius is None else dyadic(radius), "blocks": blocks}
        return b, b.document(data, [2], layers, self.n, [claim])


def examine(builder, document):
    """Run the checker's rule on the first claim, through its modules; returns the result or the Rejection."""
    raw = schema.read(schema.DOCUMENT, document | {"arrays": {"file": "c", "bytes": 8, "sha256": ""}}, "")
    arrays, data = container.Arrays(builder.arrays()), raw.data
    network = checker_network.read_network(raw.network, None, data.samples, data.dimension, arrays)
    try:
        return checker.check_witness(raw.claims[0], network, arrays, data)
    except common.Rejection as rejection:
        return rejection


@seeds(5)
@mpmath.workdps(60)
def test_steps_bound_the_truth(rng):
    """W1 in the prover: ||T^-1|| and ||Psi - T|| are bounded, with perturbed pre-activations too, and not absurdly."""
    instance = Instance(rng)
    blocks = instance.prover_blocks()
    activations = [activation(text) for text, *_ in instance.blocks]
    error = Fraction(int(rng.integers(0, 3)), 16)
    for exact in (True, False):
        with working_precision(64):
            values = instance.prover_values(exact)
            arguments = [
                prover.arguments_of(values, b, first) for b, (_, first, *_) in zip(blocks, instance.blocks, strict=True)
            ]
            moved = arb((int(error * 16), -4))
            norm, distance = prover.certify_steps(blocks, activations, arguments, moved)
        psi, t = instance.truth(STEPS.get, error, rng)
        assert at_least(distance, row_norm(psi - t))
        worst = instance.truth(STEPS.get, error)[0]
        assert at_least(distance, row_norm(worst - t))
        inverse = row_norm(mpmath.inverse(t))
        assert at_least(norm, inverse) and float(norm) <= 8 * float(inverse)


def _softplus(text):
    slope = mp(SOFTPLUS[text])
    return lambda u: mpmath.log1p(mpmath.exp(slope * u)) / slope if u < 100 else u, 0, 0


def _ramp_truth(instance, text, error=Fraction(0), rng=None):
    """Return ||T^-1|| and ||T^-1 (Psi - T)|| with T_ij = w (z_i - z_{j-1})_+, z_0 the first threshold."""
    (_, _, _, weight, biases), n = instance.blocks[0], instance.n
    z = [-biases[0] / weight, *instance.z]
    t = mpmath.matrix(n, n)
    for i in range(n):
        for j in range(n):
            t[i, j] = mp(max(weight * (z[i + 1] - z[j]), Fraction(0)))
    psi = instance.truth(_softplus, error, rng)[0]
    return row_norm(mpmath.inverse(t)), row_norm(mpmath.inverse(t) * (psi - t))


@seeds(5)
@mpmath.workdps(60)
def test_ramps_bound_the_truth(rng):
    """W2 in the prover: the two norms are bounded, with displaced thresholds and perturbed pre-activations."""
    text = str(rng.choice(list(SOFTPLUS)))
    instance, error = Instance(rng, text), Fraction(int(rng.integers(0, 2)), 64)
    (block,) = instance.prover_blocks()
    for exact in (True, False):
        with working_precision(64):
            found = prover.arguments_of(instance.prover_values(exact), block, 0)
            moved = arb((int(error * 64), -6))
            norm, distance = prover.certify_ramps(Fraction(SOFTPLUS[text]), found, moved, instance.n)
        if not norm * distance < 1:
            continue
        for source in (None, rng):
            inverse, q = _ramp_truth(instance, text, error, source)
            assert at_least(norm, inverse) and at_least(norm * distance, q)


@seeds(5)
@mpmath.workdps(60)
def test_ramps_move(rng):
    """W2, steep, so that only displaced thresholds and perturbations count: q in prover and checker is large enough."""
    instance = Instance(rng, "log(exp(t) + 1)", 2**12)
    error = Fraction(2**12, 64) * int(rng.integers(2))
    if error:  # thresholds at the values
        (text, first, last, weight, biases), z = instance.blocks[0], instance.z
        instance.blocks = [(text, first, last, weight, [biases[0], *(-weight * value for value in z[:-1])])]
    inverse, q = _ramp_truth(instance, "log(exp(t) + 1)", error, rng)
    (block,), moved = instance.prover_blocks(), arb(int(error))
    with working_precision(128):
        found = prover.arguments_of(instance.prover_values(True), block, 0)
        norm, distance = prover.certify_ramps(Fraction(1), found, moved, instance.n)
        assert at_least(norm * distance, q) and at_least(norm, inverse)
        norm, distance = checker.ramps(instance.checker_blocks()[0], moved, instance.n)
        assert at_least(norm * distance, q) and at_least(norm, inverse)


@seeds(5)
@mpmath.workdps(60)
def test_checker_steps_bound_the_truth(rng):
    """W1 in the checker: ||T^-1|| and ||Psi - T|| are bounded, with perturbed pre-activations too."""
    instance, error = Instance(rng), Fraction(int(rng.integers(0, 3)), 16)
    with common.precision(64):
        norm, distance = checker.steps(instance.checker_blocks(), arb((int(error * 16), -4)))
    psi, t = instance.truth(STEPS.get, error)
    assert at_least(distance, row_norm(psi - t))
    assert at_least(norm, row_norm(mpmath.inverse(t)))


@seeds(5)
@mpmath.workdps(60)
def test_steps_move_by_the_error(rng):
    """W1: an error moves the argument nearer to the threshold; the worst row sum is N (1 - tanh(nearest - e))."""
    n, near, far, e = int(rng.integers(2, 9)), Fraction(int(rng.integers(8, 30)), 8), Fraction(9), Fraction(1, 2)
    truth = n * (1 - mpmath.tanh(mp(near - e)))
    for up, down in ((near, far), (far, near)):
        for sign in (1, -1):
            ends = [arb((int(x * 8), -3)) for x in (up, down)]
            with working_precision(64):
                block = prover.Block(0, 0, Dyadic(sign, 0), np.arange(n), ExactArray.of_integers([0] * n, (n,), 0))
                found = prover.Arguments(ends[0], -ends[1], ends[1], ends[0])
                _, distance = prover.certify_steps([block], [activation("tanh")], [found], arb(0.5))
                assert at_least(distance, truth) and float(distance) <= float(truth) * 1.001
                layer = SimpleNamespace(activation=expression.parse("tanh(t)", ""), path="")
                block = SimpleNamespace(layer=layer, sign=sign, columns=n, weight=arb(sign), path="")
                block.above, block.below = [arb(20), ends[0], arb(30)], [arb(-30), -ends[1], arb(-20)]
                _, distance = checker.steps([block], arb(0.5))
                assert at_least(distance, truth) and float(distance) <= float(truth) * 1.001


@seeds(5)
@mpmath.workdps(60)
def test_checker_bounds_the_truth(rng):
    """W1 and W2 in the checker: q and sigma_lower on the right side of the truth, acceptance only if q < 1."""
    for label, text in (("W1", None), ("W2", str(rng.choice(list(SOFTPLUS))))):
        instance = Instance(rng, text)
        radius = [None, Fraction(1, 2**12), Fraction(1, 2**8)][int(rng.integers(3))]
        found = examine(*instance.document(label, radius))
        error = (radius or 0) * max(abs(z - 7) + 8 for z in instance.z)
        if label == "W1":
            psi, t = instance.truth(STEPS.get, error)
            norm = row_norm(mpmath.inverse(t))
            q = norm * row_norm(psi - t)
        else:
            psi = instance.truth(_softplus, error)[0]
            norm, q = _ramp_truth(instance, text, error)
        if isinstance(found, common.Rejection):
            assert found.rule in (f"{label}.distance", "W2.gap"), vars(found)
            assert label == "W2" or radius is not None or q * 3 >= 1, q
            continue
        assert q < 1 and float(found["q"]) >= float(q) * (1 - 1e-5)
        lowest = mpmath.svd_r(psi, compute_uv=False)[instance.n - 1]
        assert 0 < float(found["sigma_lower"]) <= float(lowest) * (1 + 1e-9)


@seeds(5)
@mpmath.workdps(60)
def test_checker_at_the_edge(rng):
    """One block of tanh with arguments exactly +-A: accepted iff q < 1, to four digits; the same with a radius."""
    n = int(rng.integers(2, 7))
    instance = Instance(rng)
    instance.n, instance.z = n, [Fraction(k) for k in range(n)]
    edge = mpmath.atanh(1 - mpmath.mpf(1) / n)  # n (1 - tanh A) = 1
    for factor, accepted in ((1 + mpmath.mpf(10) ** -4, True), (1 - mpmath.mpf(10) ** -4, False)):
        weight = Fraction(int(mpmath.floor(2 * edge * factor * 2**40)), 2**40)
        instance.blocks = [("tanh(t)", 0, n, weight, [-weight * (Fraction(2 * j - 1, 2)) for j in range(n)])]
        for sign in (1, -1):
            instance.blocks[0] = ("tanh(t)", 0, n, sign * abs(weight), [sign * b for b in instance.blocks[0][4]])
            found = examine(*instance.document("W1"))
            assert isinstance(found, dict) == accepted
            instance.blocks[0] = ("tanh(t)", 0, n, abs(weight), [sign * b for b in instance.blocks[0][4]])
        if accepted:  # e = radius (d 2^bits + 1) with d = 2 and entries up to 7
            assert isinstance(examine(*instance.document("W1", Fraction(1, 2**40))), dict)
            slack = mp(weight) / 2 - edge
            most = Fraction(int(mpmath.ceil(slack * 2**60)), 2**60) / 17
            outcome = examine(*instance.document("W1", Fraction(int(most * 2**70) * 21 // 20, 2**70)))
            assert isinstance(outcome, common.Rejection)


@seeds(5)
@mpmath.workdps(60)
def test_witness_has_full_rank(rng):
    """prove_witness: sigma_N of Psi at its parameters, and nearby, is at least sigma_lower; with chains and blocks."""
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    source = samples.SampleSource("x", np.unique(rng.integers(-9, 9, (n, d)), axis=0))
    n = source.samples
    deep, ramp = bool(rng.integers(2)), bool(rng.integers(2))
    text = "log(exp(20*t) + 1)/20" if ramp else str(rng.choice(["tanh(t)", "1/(1 + exp(-t))", "tanh(t) - 1"]))
    function = _softplus(text)[0] if ramp else STEPS[text][0]
    skip = True if ramp or n == 1 else tuple(range(1, n // 2 + 2))
    layers = [Dense(2, activation("tanh"))] if deep else []
    layers += [Dense(n + 1, activation(text), skip)]
    layers += [] if ramp else [Dense(n, activation("tanh"), True, (0,) if deep else ("input",))]
    network = Network((d,), tuple(layers))
    result = witness.prove_witness(network, source, seed=int(rng.integers(99)))
    assert result.verdict == "PROVED", result.reason
    chosen = sum(block.units.size for block in result.blocks)
    assert chosen == n
    projected = [sum(int(a) * int(x) for a, x in zip(result.direction, row, strict=True)) for row in source.array]
    radius = Fraction(0) if result.radius is None else result.radius.fraction()
    for moved in (False, True) if radius else (False,):
        values = [[Fraction(p) for p in projected]]
        for link in result.chain:
            w, b = link.weight.fraction(), link.bias.fraction()
            values.append([mpmath.tanh(mp(w) * mp(v) + mp(b)) if isinstance(v, Fraction) else None for v in values[-1]])
        columns = []
        for block in result.blocks:
            numbers, exponent = block.biases.integers()
            w = block.weight.fraction()
            here = STEPS["tanh(t)"][0] if block.node == network.layered.outputs[-1] and not ramp else function
            for bias in numbers:
                column = []
                for i, row in enumerate(source.array.tolist()):
                    exact = bias * Fraction(2) ** exponent
                    move = radius * (sum(map(abs, row)) + 1) * int(rng.choice([-1, 1])) if moved else 0
                    h = values[block.links][i]
                    column.append(here(mp(w) * (mp(h) if block.links == 0 else h) + mp(exact + move)))
                columns.append(column)
        psi = mpmath.matrix(columns).T
        lowest = mpmath.svd_r(psi, compute_uv=False)[n - 1]
        assert mp(result.sigma_lower.fraction()) <= lowest * (1 + mpmath.mpf(10) ** -30)


def test_two_activations_of_one_unit_are_no_two_units():
    """The columns sigma(w z + b) and tau(w z + b) share w and b: no witness may give them weights of their own."""
    instance = Instance(np.random.default_rng(0))
    instance.n, instance.z = 2, [Fraction(0), Fraction(1)]
    blocks = [("tanh(t)", j, j + 1, Fraction(64), [Fraction(32 - 64 * j)]) for j in range(2)]
    instance.blocks = blocks
    builder, document = instance.document("W1")
    assert isinstance(examine(builder, document), dict)
    nodes = document["network"]["nodes"]
    assert nodes[8]["reads"] == [7] and nodes[4]["reads"] == [3]
    nodes[8]["reads"] = [3]  # equal columns for every U
    found = examine(builder, document)
    assert isinstance(found, common.Rejection) and found.rule == "witness.layer"


def test_the_prover_takes_no_unit_with_two_activations():
    nodes = list(Network(1, [Dense(2, "tanh"), Dense(2, "tanh", skip=True)]).nodes)
    nodes[8] = Map((3,), activation("tanh"))
    network = Network.of(nodes, [Feature(4), Feature(8)])
    assert dense_units(network) == {}
    source = samples.SampleSource("x", np.array([[0], [1], [2]]))
    assert witness.prove_witness(network, source).verdict == "UNDECIDED"
