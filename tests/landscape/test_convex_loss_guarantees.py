"""TC.3: losses, slopes, segments and infima of convex losses, against fractions and 60 digits."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    contains,
    ends,
    forward,
    fraction,
    mp,
    seeds,
)
from planted_problems import fractions_of, phi, random_counts, random_problem, truth

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.precision import working_precision
from verifier.checker import losses as checker_losses
from verifier.landscape import loss_path, losses
from verifier.rank import certify
from verifier.verdict import Verdict


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


@seeds(40)
def test_losses_contain_the_truth(rng):
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


@seeds(3)
def test_ties_of_hinges(rng):
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


@seeds(40)
def test_segments_are_enclosed(rng):
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


@seeds(10)
def test_loss_paths_never_increase(rng):
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


@seeds(20)
def test_infimum_is_the_least(rng):
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
