"""Zero loss and the path to it: margins and losses at 100 digits."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    contains,
    dense,
    ends,
    fraction,
    mp,
    seeds,
)
from planted_problems import TIGHT, fractions_of, oracle_margins, small_problem

from verifier.balls import exact, margins
from verifier.balls import feature_enclosure as features
from verifier.balls.precision import working_precision
from verifier.landscape import straight_path as path
from verifier.landscape import zero_loss
from verifier.verdict import Verdict


@seeds(40)
def test_gamma_is_below_every_margin(rng):
    """PROVED Z1: gamma > 0 is a lower bound of the margins at 100 digits."""
    enclosure, labels, _ = small_problem(rng)
    found = zero_loss.prove_zero_loss(enclosure, labels, 3)
    assert found.verdict is Verdict.PROVED and found.gamma.fraction() > 0
    truth = oracle_margins(enclosure, fractions_of(found.weights), labels)
    assert all(fraction(m) >= found.gamma.fraction() for row in truth for m in row)


def test_loss_bound():
    """The bound of Z1 encloses log(1 + (m-1) exp(-t gamma))."""
    with working_precision(64), mpmath.workdps(50):
        for classes, gamma, t in ((2, 0.5, 3.0), (5, 1e-3, 1e4), (3, 2.0, 400.0)):
            value = fraction(mpmath.log1p((classes - 1) * mpmath.exp(-mpmath.mpf(gamma) * mpmath.mpf(t))))
            found = zero_loss.loss_bound(classes, arb(gamma), arb(t))
            assert contains(found, value, value * Fraction(1, 10**40)) and ends(found)[1] <= value * (
                1 + Fraction(1, 10**12)
            )


@seeds(40)
def test_path_decreases(rng, times=9):
    """PROVED P1: at 100 digits the loss falls from each time to the next; targets and L2.1 are reached."""
    scale = float(rng.choice([1e-3, 1.0, 30.0]))
    enclosure, labels, v0 = small_problem(rng, scale=scale)
    counts = [int(c) for c in rng.integers(1, 4, len(labels))]
    zero = zero_loss.prove_zero_loss(enclosure, labels, 3)
    found = path.prove_path(zero, exact.ExactArray.of_floats(v0), labels, counts, targets=("1e-3", "1e-40"))
    assert found.verdict is Verdict.PROVED, found.reason
    way = found.path
    start = oracle_margins(enclosure, [[Fraction(c) for c in row] for row in v0.tolist()], labels)
    end = oracle_margins(enclosure, fractions_of(zero.weights), labels)
    kappa, n = way.kappa.fraction(), sum(counts)
    assert kappa > 0

    def truth(s):
        with mpmath.workdps(300):
            k, total = mp(kappa), mpmath.mpf(0)
            for a, b, c in zip(start, end, counts, strict=True):
                both = zip(a, b, strict=True)
                row = [(1 - s) * x + s * k * y if s <= 1 else s * k * y for x, y in both]
                total += c * mpmath.log1p(mpmath.fsum(mpmath.exp(-m) for m in row))
            return total / n

    with mpmath.workdps(300):
        grid = [mpmath.mpf(j) / times for j in range(times + 1)] + [mpmath.mpf(2), mpmath.mpf(7)]
        values = [truth(s) for s in grid]
        assert all(b < a for a, b in itertools.pairwise(values))
        low, high = (mp(bound.fraction()) for bound in way.start_loss)
        assert low <= values[0] <= high
        for s in (0.0, 0.375, 1.0, 3.0):
            value = fraction(truth(mpmath.mpf(s)))
            assert contains(way.exact_loss(s), value, value * TIGHT)
        h = mpmath.mpf(10) ** -60
        for s in (0.25, 0.875):
            found = way.derivatives(arb(s))
            first = (truth(s + h) - truth(s - h)) / (2 * h)
            second = (truth(s + h) - 2 * truth(s) + truth(s - h)) / h**2
            for ball, value in zip((found.value, found.first, found.second), (truth(s), first, second), strict=True):
                assert contains(ball, value, abs(fraction(value)) * Fraction(1, 10**40) + Fraction(1, 10**50))
        for target in way.targets:
            assert target.loss.fraction() <= Fraction(target.text) and target.t.fraction() >= kappa
            assert truth(mp(target.t.fraction()) / mp(kappa)) <= mp(Fraction(target.text))
            assert way.time_of(target) >= 1 and Fraction(way.time_of(target)) >= target.t.fraction() / kappa
            bound = mpmath.log1p(2 * mpmath.exp(-mp(target.t.fraction() * way.gamma.fraction())))
            assert bound <= mp(target.loss.fraction())
        assert truth(mp(way.zero_error_t.fraction()) / mp(kappa)) < mpmath.log(2) / n
        bound = mpmath.log1p(2 * mpmath.exp(-mp(way.zero_error_t.fraction() * way.gamma.fraction())))
        assert bound < mpmath.log(2) / n and way.zero_error_t.fraction() >= kappa


def test_segment_condition():
    """The segment is accepted only where kappa m1 > m0 holds for every margin, with room for the radii; else None."""
    weights = exact.ExactArray.of_floats(np.zeros((1, 2)))
    net = dense([1], ["tanh"], 1)
    enclosure = features.FeatureEnclosure(net, np.zeros(2), np.zeros((2, 1)), 64)

    def segment(start, end, gamma=(1, -1)):
        rows = [margins.Margins(tuple((b,) for b in side)) for side in (start, end)]
        labels = np.zeros(2, dtype=np.int64)
        return path.segment_and_ray(enclosure, labels, weights, weights, *rows, exact.Dyadic(*gamma), [1, 1], ["1e-3"])

    good = segment([arb(3), arb(-2)], [arb(1), arb(2)])
    assert good.kappa.fraction() > 3
    assert segment([arb(3), arb(-2)], [arb(1), arb(0.25)]) is None  # gamma = 1/2 is not below the second margin
    assert segment([arb(3), arb(-2)], [arb(1), arb(2, 1.75)]) is None  # ... nor below every point of its ball
    assert segment([arb(3, 1), arb(-2)], [arb(1), arb(2)]) is None  # 16 radii of the first start margin are too much
    assert segment([arb("nan"), arb(-2)], [arb(1), arb(2)]) is None
    assert segment([arb(0, "inf"), arb(-2)], [arb(1), arb(2)]) is None


@seeds(40)
def test_kappa_covers_every_ratio(rng):
    """kappa m1 > m0 for the proposed kappa, whatever the sizes."""
    for _ in range(10):
        scale = 10.0 ** rng.integers(-12, 13)
        start = margins.Margins(
            ((arb(float(rng.standard_normal() * scale)), arb(float(rng.standard_normal() * scale))),)
        )
        end = margins.Margins(((arb(float(rng.uniform(1e-3, 1))), arb(float(rng.uniform(1e-3, 1)))),))
        kappa = path.proposed_kappa(start, end).fraction()
        both = zip(start.rows[0], end.rows[0], strict=True)
        assert kappa > 0 and all(kappa * fraction(b) > fraction(a) for a, b in both)


def test_decimals_round_down():
    """decimal_below is at most the decimal and within 2^-51 of it, for any exponent."""
    for text in ("1e-6", "0.1", "1e-400", "3", "7.25", "123456789.123456789123456789", "1e30"):
        value, found = Fraction(text), path.decimal_below(text).fraction()
        assert found <= value and value - found <= value / 2**51
