"""Checks on convex losses (TC.3), the certified ball (Z2), pointwise facts (C1, C3) and the checker's series domain.

Run by the ordinary tests over many seeds, and by the mutants on broken kernels; the package is reached through its
modules only.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
from flint import arb
from planted import DIGITS, contains, dense, ends, forward, fraction, oracle, random_parameters, random_samples

from verifier.balls import feature_enclosure as features
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.precision import working_precision
from verifier.certificate.writer import CertificateBuilder
from verifier.checker import certificate, common, expression
from verifier.checker import losses as checker_losses
from verifier.checker import pointwise as checker_pointwise
from verifier.data.dataset import Dataset
from verifier.landscape import loss_path, losses, neighbourhood, pointwise, zero_loss
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import certify
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

CURVES = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "sigmoid": (lambda t: 1 / (1 + mpmath.exp(-t)), lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2),
    "softplus": (lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t))),
    "arctan": (mpmath.atan, lambda t: 1 / (1 + t * t)),
    "erf": (mpmath.erf, lambda t: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-t * t)),
    "sin": (mpmath.sin, mpmath.cos),
    "square": (lambda t: t * t, lambda t: 2 * t),
    "identity": (lambda t: t, lambda t: mpmath.mpf(1)),
    "algebraic": (lambda t: t / mpmath.sqrt(1 + t * t), lambda t: (1 + t * t) ** mpmath.mpf(-1.5)),
    "gelu": (
        lambda t: t * mpmath.ncdf(t),
        lambda t: mpmath.ncdf(t) + t * mpmath.npdf(t),
    ),
}
"""Activations and their derivatives, written down a second time."""


def mp(value):
    """An mpmath number from a fraction, exactly enough."""
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)


# --- the losses ------------------------------------------------------------------------------------------------------


def truth(name, g, label):
    """The loss at exact logits: a fraction for the rational ones, else an mpmath number."""
    others = [k for k in range(len(g)) if k != label]
    if name == "squared":
        return sum((x - (k == label)) ** 2 for k, x in enumerate(g)) / 2
    if name == "weston-watkins":
        return sum(max(Fraction(0), 1 - g[label] + g[k]) for k in others)
    if name == "crammer-singer":
        return max(Fraction(0), *(1 - g[label] + g[k] for k in others))
    if name == "cross-entropy":
        return mpmath.log1p(mpmath.fsum(mpmath.exp(mp(g[k] - g[label])) for k in others))
    parts = [mpmath.log1p(mpmath.exp(mp(g[k]))) for k in others]
    return mpmath.log1p(mpmath.exp(-mp(g[label]))) + mpmath.fsum(parts)


def left_slope(name, g, d, label):
    """The derivative from the left at 0 of t -> l(g + t d)."""
    others = [k for k in range(len(g)) if k != label]
    if name == "squared":
        return sum((x - (k == label)) * d[k] for k, x in enumerate(g))
    if name == "cross-entropy":
        parts = [mpmath.exp(mp(g[k] - g[label])) for k in others]
        return mpmath.fsum(p * mp(d[k] - d[label]) for p, k in zip(parts, others, strict=True)) / (
            1 + mpmath.fsum(parts)
        )
    if name == "one-vs-rest":
        signs = [(-1 if k == label else 1) for k in range(len(g))]
        return mpmath.fsum(s * mp(d[k]) / (1 + mpmath.exp(-s * mp(g[k]))) for k, s in enumerate(signs))
    lines = [(1 - g[label] + g[k], d[k] - d[label]) for k in others]
    groups = [[line] for line in lines] if name == "weston-watkins" else [lines]
    total = Fraction(0)
    for group in groups:
        top = max(Fraction(0), *(x for x, _ in group))
        total += min([s for x, s in group if x == top] + [Fraction(0)] * (top == 0))
    return total


def random_logits(rng, classes):
    """A ball and an exact number in it, per class; ties of the hinges and of exact numbers are frequent."""
    balls, points = [], []
    for _ in range(classes):
        middle = Fraction(int(rng.integers(-6, 7)), 2) if rng.integers(3) else Fraction(float(rng.normal() * 8))
        radius = Fraction(0) if rng.integers(2) else Fraction(float(rng.random())) / int(rng.choice([1, 64, 2**40]))
        ball = arb(exact(middle), exact(radius))
        low, high = ends(ball)
        points.append(low + (high - low) * Fraction(int(rng.integers(0, 5)), 4))
        balls.append(ball)
    return balls, points


def exact(value):
    """The exact ball of a dyadic fraction."""
    return arb((value.numerator, 1 - value.denominator.bit_length()))


def checker_loss(name, logits, directions, label):
    """A loss of the checker where every class is evaluated."""
    return checker_losses.LOSSES[name](logits, directions, label, [1] * len(logits))


def check_losses_contain_the_truth(rng):
    """Loss and slope bound of every loss, of prover and checker, against exact rationals and 60 digits."""
    for name in losses.LOSSES:
        for classes in (2, 3, 5):
            (g, x), (d, v) = random_logits(rng, classes), random_logits(rng, classes)
            label = int(rng.integers(classes))
            with mpmath.workdps(60):
                value, slope = truth(name, x, label), left_slope(name, x, v, label)
            for function in (losses.loss_and_slope, checker_loss):
                with working_precision(64):
                    found, bound = function(name, g, d, label)
                assert contains(found, value, Fraction(1, 10**40)), name
                if bound.is_finite():
                    assert fraction(slope) <= ends(bound)[1] + Fraction(1, 10**40), name
                if all(ball.is_exact() for ball in g + d):
                    assert found.rad() < 1e-12 * (1 + abs(found.mid())), name
                    assert name != "squared" or contains(bound, slope, Fraction(1, 10**40))


def check_ties_of_hinges(rng):
    """Exact ties: the slope bound is that of the least line that attains the maximum."""
    one, zero = arb(1), arb(0)
    for function in (losses.loss_and_slope, checker_loss):
        for name in losses.HINGES:
            with working_precision(64):
                # margin exactly 1: the hinge is 0, and coming from the left with a growing margin its slope counts
                value, slope = function(name, [one, zero], [one, zero], 0)
                assert value == 0 and slope <= 0
                # coming from the left with a shrinking margin, 0 is the least slope
                value, slope = function(name, [one, zero], [-one, zero], 0)
                assert value == 0 and slope <= 0
                # far inside: slope 0 whatever the direction
                value, slope = function(name, [arb(3), zero], [-one, one], 0)
                assert value == 0 and slope == 0
                # active: the true slope
                value, slope = function(name, [zero, zero], [arb(-2), one], 0)
                assert value == 1 and slope == 3
                # undecided: not below either of the possible slopes
                value, slope = function(name, [one, arb(0, 1e-3)], [-one, zero], 0)
                assert not slope < 1


def random_problem(rng, *, name="square", n=4, m=7, classes=3):
    """Exact features (or tanh), distinct samples, labels, and V0; full rank with room."""
    net = dense([m], [name], 2)
    u, x = random_parameters(rng, net, scale=1.0), random_samples(rng, n, net)
    u, x = np.round(u * 64) / 64, np.round(x * 8) / 8
    x[:, 0] = np.arange(n) / 2
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n)])[:n].astype(np.int64)
    v0 = np.round(rng.standard_normal((m, classes)) * 16) / 16
    return features.FeatureEnclosure(net, u, x, 64), labels, ExactArray.of_floats(v0)


def fractions_of(array):
    """Rows of an exact two-dimensional array."""
    numerators, exponent = array.integers()
    flat = [Fraction(n) * Fraction(2) ** exponent for n in numerators]
    return [flat[i : i + array.shape[1]] for i in range(0, len(flat), array.shape[1])]


def phi(name, psi, v, counts, factors):
    """The loss at exact features and weights, as an mpmath number."""
    total = mpmath.mpf(0)
    for row, count in zip(psi, counts.tolist(), strict=True):
        logits = [sum(p * column[k] for p, column in zip(row, v, strict=True)) for k in range(len(v[0]))]
        total += mpmath.fsum(
            c * mp(f) * mp(truth(name, logits, y)) for y, (c, f) in enumerate(zip(count, factors, strict=True)) if c
        )
    return total / int(counts.sum())


def random_counts(rng, labels, classes, conflict):
    """Label counts, with or without conflicts, and the multiplicities."""
    counts = np.zeros((len(labels), classes), dtype=np.int64)
    counts[np.arange(len(labels)), labels] = rng.integers(1, 4, len(labels))
    if conflict:
        counts[0] += rng.integers(0, 3, classes)
        counts[-1, (labels[-1] + 1) % classes] += 1
    return counts


def check_segments_are_enclosed(rng):
    """Both losses, the slope and the least margin of any segment, against exact rationals or 60 digits."""
    for name in losses.LOSSES:
        classes = int(rng.choice([2, 3]))
        enclosure, labels, v0 = random_problem(rng, classes=classes)
        v1 = ExactArray.of_floats(np.round(rng.standard_normal(v0.shape) * 16) / 64)
        counts = random_counts(rng, labels, classes, bool(rng.integers(2)))
        factors = tuple(Dyadic(int(rng.integers(1, 9)), -2) for _ in range(classes))
        found = losses.enclose_segment(enclosure, losses.LabelledLoss(name, counts, factors), v0, v1)
        psi, weights = forward(enclosure.network, enclosure.u, enclosure.inputs), [f.fraction() for f in factors]
        first, last = fractions_of(v0), fractions_of(v1)
        with mpmath.workdps(60):
            assert contains(found.start, phi(name, psi, first, counts, weights), 1e-30)
            assert contains(found.end, phi(name, psi, last, counts, weights), 1e-30)
            slope, margins = mpmath.mpf(0), []
            for row, count in zip(psi, counts.tolist(), strict=True):
                g0, g1 = (
                    [sum(p * w[k] for p, w in zip(row, v, strict=True)) for k in range(classes)] for v in (first, last)
                )
                d = [b - a for a, b in zip(g0, g1, strict=True)]
                for y, c in enumerate(count):
                    if c:
                        slope += c * mp(weights[y]) * mp(left_slope(name, g1, d, y))
                        alone = name == "one-vs-rest"
                        margins += [-x if alone else g1[y] - x for k, x in enumerate(g1) if k != y] + [g1[y]] * alone
            slope /= int(counts.sum())
            assert fraction(slope) <= ends(found.slope)[1] + Fraction(1, 10**30)
            assert abs(float(found.slope.mid()) - float(slope)) <= 1e-9 * (1 + abs(float(slope)))
            assert contains(found.margin, min(margins))


def check_loss_paths_never_increase(rng):
    """The certified segment at 60 digits: start, end, infimum, slope, monotone; every loss, labels or counts."""
    for name, conflict in itertools.product(losses.LOSSES, (False, True)):
        classes = int(rng.choice([2, 3]))
        enclosure, labels, v0 = random_problem(rng, classes=classes)
        counts = random_counts(rng, labels, classes, conflict)
        given = counts if conflict else labels
        weights = [Dyadic(int(rng.integers(1, 9)), -2) for _ in range(classes)] if rng.integers(2) else None
        rank, sharp = certify.prove_rank(enclosure)
        assert rank.verdict is Verdict.PROVED
        many = counts.sum(axis=1).tolist()
        found = loss_path.prove_loss_path(
            sharp, name, v0, given, many, rank.witness, class_weights=weights, max_bits=256
        )
        assert found.verdict is Verdict.PROVED or (conflict and name in losses.HINGES), (name, found.reason)
        if found.end_weights is None:
            continue
        psi = forward(enclosure.network, enclosure.u, enclosure.inputs)
        factors = [w.fraction() for w in weights] if weights else [Fraction(1)] * classes
        first, last = fractions_of(v0), fractions_of(found.end_weights)
        with mpmath.workdps(60):
            values = []
            for step in [*range(17), Fraction(31, 2), Fraction(16) - Fraction(1, 2**20)]:
                s = Fraction(step) / 16
                v = [[a + s * (b - a) for a, b in zip(*rows, strict=True)] for rows in zip(first, last, strict=True)]
                values.append((s, phi(name, psi, v, counts, factors)))
            values.sort()
            numbers = [value for _, value in values]
            slack = mpmath.mpf(10) ** -45 * (1 + abs(numbers[0]))
            assert all(b <= a + slack for a, b in itertools.pairwise(numbers)), name
            assert not found.strict or all(b < a for a, b in itertools.pairwise(numbers)), name
            low, high = (mp(bound.fraction()) for bound in found.start_loss)
            assert low <= numbers[0] <= high and high - low <= mpmath.mpf(10) ** -5 * (1 + high)
            assert numbers[-1] <= mp(found.end_loss.fraction()) + slack
            least = planted_infimum(name, counts, factors)
            if least is not None:
                low, high = (mp(bound.fraction()) for bound in found.infimum)
                assert low <= least + slack and least <= high + slack
                assert numbers[-1] - least <= mpmath.mpf("1e-6") or found.gamma is not None
        if found.gamma is not None:
            margins = []
            for row, y in zip(psi, counts.argmax(axis=1).tolist(), strict=True):
                g = [sum(p * column[k] for p, column in zip(row, last, strict=True)) for k in range(classes)]
                alone = name == "one-vs-rest"
                margins += [-x if alone else g[y] - x for k, x in enumerate(g) if k != y] + [g[y]] * alone
            assert 0 < found.gamma.fraction() <= min(margins)


def planted_infimum(name, counts, factors):
    """The infimum over all logits by the known minimisers; None where none is known."""
    total = mpmath.mpf(0)
    for row in counts.tolist():
        a = {k: c * mp(f) for k, (c, f) in enumerate(zip(row, factors, strict=True)) if c}
        mass = mpmath.fsum(a.values())
        if len(a) == 1:
            continue
        if name in losses.HINGES:
            return None
        if name == "cross-entropy":
            total -= mpmath.fsum(x * mpmath.log(x / mass) for x in a.values())
        elif name == "squared":
            for y, x in a.items():
                total += x * mpmath.fsum((a.get(k, 0) / mass - (k == y)) ** 2 for k in range(len(row))) / 2
        else:
            for x in a.values():
                total -= x * mpmath.log(x / mass) + (mass - x) * mpmath.log((mass - x) / mass)
    return total / int(counts.sum())


def check_infimum_is_the_least(rng):
    """The enclosed infimum, of prover and checker: at the minimiser's value, and below random logits' losses."""
    for name in losses.LOSSES:
        classes = int(rng.integers(2, 5))
        counts = rng.integers(0, 4, (3, classes))
        counts[counts.sum(axis=1) == 0, 0] = 1
        factors = [Dyadic(int(rng.integers(1, 9)), -2) for _ in range(classes)]
        problem = losses.LabelledLoss(name, counts, tuple(factors))
        with working_precision(128):
            found = problem.infimum()
            parts = (checker_losses.least(name, [w for _, w in problem.weights(i)]) for i in range(3))
            other = sum(parts, arb(0)) / int(counts.sum())
        with mpmath.workdps(60):
            exact_factors = [f.fraction() for f in factors]
            least = planted_infimum(name, counts, exact_factors)
            assert least is None or (contains(found, least, 1e-30) and contains(other, least, 1e-30))
            assert least is not None or (found == 0 and other == 0)
            for _ in range(5):
                rows = [[Fraction(float(x)) for x in rng.normal(size=classes) * 3] for _ in range(3)]
                unit = [[Fraction(int(i == j)) for j in range(3)] for i in range(3)]
                assert mp(ends(found)[0]) <= phi(name, unit, rows, counts, exact_factors) + mpmath.mpf(10) ** -30


# --- the ball ---------------------------------------------------------------------------------------------------------


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


def check_balls_contain_their_corners(rng):
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
        assert moved is None and any(
            "exp" in getattr(a, "activation", activation("tanh")).canonical for a in net.layers
        )
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


def check_a_chain_of_positive_units(rng):
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


def check_linear_ball_is_sharp(rng):
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


def check_activation_bounds(rng):
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


def check_series_contain_value_and_slope(rng):
    """The checker's jets on balls: value and slope at random points, constants, and what is undefined."""
    for name, (function, derivative) in CURVES.items():
        tree = expression.parse(activation(name).canonical, "").tree
        with common.precision(int(rng.choice([40, 64, 128]))):
            build = expression.build(tree, expression.SERIES)
            middle, radius = float(rng.normal() * 3), float(rng.choice([0, 1e-12, 0.01, 0.5, 3]))
            rate = arb(float(rng.normal()), float(rng.choice([0, 0.1])))
            z = arb(middle, radius)
            value, slope = expression.jet(build, z, rate)
            low, high = ends(z)
            with mpmath.workdps(60):
                for t in (low, high, (low + high) / 2, low + (high - low) * Fraction(float(rng.random()))):
                    for c in ends(rate):
                        assert contains(value, function(mp(t)), Fraction(1, 10**40)), name
                        assert contains(slope, derivative(mp(t)) * mp(c), Fraction(1, 10**40)), name
            still = expression.jet(build, z, arb(0))
            assert still[1] == 0 and contains(still[0], function(mpmath.mpf(middle)), Fraction(1, 10**10))


def check_series_contain_taylor_coefficients(rng):
    """The checker's power series of more than two orders, of balls, and the orders that 0/0 loses."""
    texts = {"tanh(t)", "1 / (exp(-t) + 1)", "log(exp(t) + 1)", "t / sqrt(t**2 + 1)", "t**3 - 2*t", "sin(t)*cos(t)"}
    texts |= {"erf(t)", "atan(t)", "sinh(t) + cosh(2*t)", "(t**2 + 1)**(1/3)", "exp(-t**2)", "(t**2 + 1)**-2"}
    for text in sorted(texts):
        function = expression.build(expression.parse(text, "").tree, expression.SERIES)
        names = {"log": mpmath.log, "exp": mpmath.exp, "sqrt": mpmath.sqrt, "erf": mpmath.erf, "atan": mpmath.atan}
        names |= {name: getattr(mpmath, name) for name in ("sin", "cos", "tanh", "sinh", "cosh")}
        code = compile(text.replace("1/3", "one/3"), "", "eval")
        middle, w = float(rng.normal()), float(rng.normal())
        with common.precision(128), mpmath.workdps(50):
            names["one"] = mpmath.mpf(1)
            for radius in (0.0, 2.0**-10):
                found = expression.taylor(function, [arb(middle, radius), arb(w), arb(0), arb(0), arb(0)])
                at = mpmath.mpf(middle) + radius * float(rng.uniform(-1, 1))
                truth = mpmath.taylor(lambda t, code=code, names=names: eval(code, names | {"t": t}), at, 4)
                for order, (ball, coefficient) in enumerate(zip(found, truth, strict=True)):
                    assert contains(ball, coefficient * mpmath.mpf(w) ** order, Fraction(1, 10**9)), (text, order)
                    assert (
                        ball.rad() < (0.1 if radius else 1e-25) * (9 + abs(float(coefficient))) * (1 + abs(w)) ** 4
                    ), (text, order)
    with common.precision(64):
        inner = [arb(0), arb(1), arb(0), arb(0)]
        cube = expression.taylor(expression.build(expression.parse("t**3", "").tree, expression.SERIES), inner)
        assert [float(c) for c in cube] == [0, 0, 0, 1] and all(c.is_exact() for c in cube)
        for text in ("sin(t)/t", "exp(t**2/t)", "1/t"):
            lost = expression.build(expression.parse(text, "").tree, expression.SERIES)
            assert not any(c.is_finite() for c in expression.taylor(lost, inner)), text


def check_undefined_series_are_not_finite():
    """0/0, logarithms and roots at the end of their domain, and functions that are not differentiable."""
    with common.precision(64):
        for text, at in (("t/t", 0), ("sin(t)/t", 0), ("exp(t/t)", 0), ("1/t", 0), ("log(t)", 0), ("log(t)", -1)):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(at), arb(1)
            )
            assert not (both[0].is_finite() and both[1].is_finite()), text
        for text in ("sqrt(t)", "t**(1/2)", "sqrt(t**2)"):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(0), arb(1)
            )
            assert not both[1].is_finite(), text
        for text, value, slope in (
            ("3", 3, 0),
            ("pi*t/pi", 2, 1),
            ("t**3", 8, 12),
            ("t**-1", 0.5, -0.25),
            ("-t", -2, -1),
        ):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(2), arb(1)
            )
            assert both[0].contains(arb(value)) and both[1].contains(arb(slope)), text
            assert both[0].rad() < 1e-15 and both[1].rad() < 1e-15
        for name in ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf"):
            value, slope = expression.jet(expression.SERIES[name], arb(2), arb(3))
            with mpmath.workdps(40):
                planted = getattr(mpmath, name)
                assert contains(value, planted(2), 1e-25) and contains(slope, 3 * mpmath.diff(planted, 2), 1e-15), name
        for text in ("Abs(t)", "Max(t, 0)", "Min(t, 0)"):
            try:
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES)
            except KeyError:
                continue
            raise AssertionError(text)


def check_full_rank_radius(rng):
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


# --- one point --------------------------------------------------------------------------------------------------------


def check_pointwise_bounds_are_below_the_truth(rng):
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


# --- certificates -----------------------------------------------------------------------------------------------------


def certified(rng, conflict=False, name="tanh", classes=3, ranked=True):
    """A data set, and a builder with R1, Z2, C1, C3 and every TC.3 that was proved; V0's numbers for the oracle."""
    enclosure, labels, v0 = random_problem(rng, name=name, classes=classes)
    counts = random_counts(rng, labels, classes, conflict)
    many = counts.sum(axis=1)
    data = Dataset("planted", enclosure.inputs, None if conflict else labels, classes, many)
    builder = CertificateBuilder(data, enclosure.network, enclosure.u, with_labels=not conflict)
    rank, sharp = certify.prove_rank(enclosure)
    if ranked:
        builder.add_rank(rank)
    if not conflict:
        zero = zero_loss.prove_zero_loss(sharp, labels, classes, witness=rank.witness)
        ball = neighbourhood.certified_ball(
            enclosure.network, enclosure.u, enclosure.inputs, zero.weights, zero.gamma, precision=zero.precision
        )
        builder.add_ball(ball)
        builder.add_not_stationary(
            pointwise.prove_not_stationary(sharp, rank.bound.sigma_lower, v0, labels, many.tolist())
        )
        builder.add_curvature(pointwise.prove_curvature(sharp, v0, labels, many.tolist()))
    for number, loss in enumerate(losses.LOSSES):
        weights = [Dyadic(int(w), -1) for w in rng.integers(1, 5, classes)] if number % 2 else None
        given = counts if conflict else labels
        builder.add_loss_path(
            loss_path.prove_loss_path(
                sharp, loss, v0, given, many.tolist(), rank.witness, class_weights=weights, max_bits=128
            )
        )
    return builder


def examine(builder, change=None):
    """Write, perhaps change the document, and check; with the classes that are in the modules now."""
    with tempfile.TemporaryDirectory() as folder:
        file = builder.write(Path(folder) / "c.json")
        if change is not None:
            document = json.loads(file.read_text())
            change(document)
            file.write_text(json.dumps(document))
        certificate.SWEPT |= {"Z2": checker_pointwise.BallClaim, "C1": checker_pointwise.GradientClaim}
        certificate.SWEPT |= {"C3": checker_pointwise.CurvatureClaim, "TC.3": checker_losses.LossClaim}
        return certificate.check_file(str(file), 1)


def rule_of(outcome):
    """The rule by which a certificate was rejected; None if it was accepted."""
    return outcome.rejection and outcome.rejection.rule


def turn_round(claim):
    """Exchange both ends of a segment, and claim little of the losses."""
    claim["start_weights"], claim["end_weights"] = claim["end_weights"], claim["start_weights"]
    most = {"mantissa": "1", "exponent": 40}
    claim |= {"start_loss": {"lower": {"mantissa": "0", "exponent": 0}, "upper": most}, "end_loss": most, "gamma": None}


def scaled(number, numerator, denominator=1):
    """A dyadic times a fraction whose denominator is a power of two."""
    power = denominator.bit_length() - 1
    return {"mantissa": str(int(number["mantissa"]) * numerator), "exponent": number["exponent"] - power}


def shifted(number, amount):
    """A dyadic plus 2^amount."""
    exponent = min(number["exponent"], amount)
    mantissa = (int(number["mantissa"]) << (number["exponent"] - exponent)) + (1 << (amount - exponent))
    return {"mantissa": str(mantissa), "exponent": exponent}


def check_certificates_are_accepted(rng):
    """What was proved is accepted, with labels and with conflicting counts."""
    for conflict in (False, True):
        outcome = examine(certified(rng, conflict))
        assert outcome.verdict == "ACCEPTED", str(outcome.rejection and outcome.rejection.args)
        found = [claim["label"] for claim in outcome.claims]
        assert found.count("TC.3") >= 3 and (conflict or {"Z2", "C1", "C3"} <= set(found))


def check_certificates_beyond_the_truth_are_rejected(rng):
    """One number of one claim beyond the truth: rejected, by the claim's own rule."""
    builder = certified(rng)
    claims = {c["label"]: k for k, c in enumerate(builder._claims)}
    paths = {c["loss"]: k for k, c in enumerate(builder._claims) if c["label"] == "TC.3"}
    tampers = [
        ("Z2", "Z2.change", lambda c: c.update(radius=scaled(c["radius"], 64))),
        ("C1", "C1.gradient", lambda c: c.update(gradient_lower=scaled(c["gradient_lower"], 17, 16))),
        ("C3", "C3.curvature", lambda c: c.update(curvature_lower=scaled(c["curvature_lower"], 17, 16))),
    ]
    for label, rule, change in tampers:
        outcome = examine(builder, lambda d, k=claims[label], f=change: f(d["claims"][k]))
        assert outcome.verdict == "REJECTED" and rule_of(outcome) == rule, (label, outcome.rejection)
    for loss, k in paths.items():
        for rule, change in (
            ("start-loss", lambda c: c["start_loss"].update(lower=scaled(c["start_loss"]["lower"], 17, 16))),
            ("start-loss", lambda c: c["start_loss"].update(upper=scaled(c["start_loss"]["upper"], 15, 16))),
            ("infimum", lambda c: c["infimum"].update(lower=shifted(c["infimum"]["lower"], -60))),
            ("end-weights", turn_round),
        ):
            outcome = examine(builder, lambda d, k=k, f=change: f(d["claims"][k]))
            assert rule_of(outcome) == f"TC.3.{rule}", (loss, rule)
        if int(builder._claims[k]["end_loss"]["mantissa"]):
            outcome = examine(
                builder, lambda d, k=k: d["claims"][k].update(end_loss=scaled(d["claims"][k]["end_loss"], 15, 16))
            )
            assert rule_of(outcome) == "TC.3.end-loss", loss
        if builder._claims[k]["gamma"] is not None:
            outcome = examine(
                builder, lambda d, k=k: d["claims"][k].update(gamma=scaled(d["claims"][k]["gamma"], 17, 16))
            )
            assert rule_of(outcome) == "TC.3.margin", loss


def check_conflicting_infima_need_the_rank(rng):
    """Without R1 the entropy is only a lower bound of the infimum; the claimed upper bound must then be attained."""
    builder = certified(rng, conflict=True)
    number = next(k for k, c in enumerate(builder._claims) if c.get("loss") == "cross-entropy")
    for side, factor in (("lower", 1025), ("upper", 1023)):

        def change(document, side=side, factor=factor):
            bounds = document["claims"][number]["infimum"]
            bounds[side] = scaled(bounds[side], factor, 1024)

        assert rule_of(examine(builder, change)) == "TC.3.infimum"
    assert rule_of(examine(certified(rng, conflict=True, ranked=False))) == "TC.3.rank"


def check_rank_balls():
    """B1: one linear unit per sample, where the largest radius is known; the checker agrees and takes no larger one."""
    network = Network((1,), (Dense(2, activation("identity"), skip=True),))
    u, x = np.array([1.0, -1.0, 1.0, 1.0]), np.array([[2.0], [-1.0]])  # Psi = [[3, -1], [0, 2]]
    sigma = Dyadic.of_float(1.9)  # below sigma_N = 1.9...: sqrt(7 - sqrt 13)
    found = neighbourhood.certified_rank_ball(network, u, x, sigma)
    truth = 1.9 / (2 * 3.0)  # ||Psi' - Psi||_F <= sqrt(2 * 2) (2 r + r)
    assert 0.6 * truth < float(found) < 0.9 * truth, float(found)
    data = Dataset("b", x, np.array([0, 1]), 2)
    result, _ = certify.prove_rank(features.FeatureEnclosure(network, u, x, 64))
    for scale, verdict in ((0.5, "ACCEPTED"), (1.2, "REJECTED")):
        builder = CertificateBuilder(data, network, u, with_labels=True)
        builder.add_rank(result)
        bound = float(result.bound.sigma_lower) / 6 * scale
        builder._claims.append({"label": "B1", "radius": {"mantissa": str(int(bound * 2**40)), "exponent": -40}})
        with tempfile.TemporaryDirectory() as folder:
            assert certificate.check_file(str(builder.write(Path(folder) / "c.json")), 1).verdict == verdict


CHECKS = {name: check for name, check in globals().items() if name.startswith("check_") and inspect.isfunction(check)}


def run_check(name, seed=0):
    """Run one check; those that draw random cases get a generator."""
    check = CHECKS[name]
    if "rng" in inspect.signature(check).parameters:
        check(np.random.default_rng(seed))
    else:
        check()
