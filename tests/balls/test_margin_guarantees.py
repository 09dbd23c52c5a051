"""Margins, losses and their derivatives: every ball holds the exact value, or a 60-digit one."""

from __future__ import annotations

from fractions import Fraction

import mpmath
from flint import arb
from planted import (
    contains,
    dense,
    ends,
    forward,
    fraction,
    mp,
    random_parameters,
    random_samples,
    seeds,
)
from planted_problems import TIGHT, inner_points

from verifier.balls import exact, loss, margins
from verifier.balls import feature_enclosure as features
from verifier.balls.precision import working_precision


def planted_features(rng, n, m, *, grid=8, precision=64):
    """An enclosure of a rational Psi (one layer of cubic units) and its exact value."""
    net = dense([m], ["cubic"], 2)
    u, x = random_parameters(rng, net, grid=grid), random_samples(rng, n, net)
    return features.FeatureEnclosure(net, u, x, precision), forward(net, u, x)


def exact_margins(psi, v, labels):
    """Margins of rational features and weights, by the definition."""
    out = []
    for row, y in zip(psi, labels.tolist(), strict=True):
        g = [sum(p * Fraction(c) for p, c in zip(row, column, strict=True)) for column in v.T.tolist()]
        out.append([g[y] - g[k] for k in range(len(g)) if k != y])
    return out


@seeds(40)
def test_margins_contain_the_exact_ones(rng):
    """Margin balls contain the exact rational margins; smallest_lo bounds all of them."""
    for classes in (2, 4):
        enclosure, psi = planted_features(rng, 5, 4)
        labels = rng.integers(0, classes, 5)
        several = [rng.standard_normal((4, classes)), rng.standard_normal((4, classes)) * 1e-12]
        found = margins.enclose_margins(enclosure, [exact.ExactArray.of_floats(v) for v in several], labels)
        for v, made in zip(several, found, strict=True):
            truth = exact_margins(psi, v, labels)
            for line, wanted in zip(made.rows, truth, strict=True):
                assert all(contains(ball, m) for ball, m in zip(line, wanted, strict=True))
            least = min(m for row in truth for m in row)
            assert fraction(made.smallest_lo()) <= least and fraction(made.smallest_lo(room=16)) <= least
            low, high = made.floats()
            assert all(
                Fraction(a) <= m for a, m in zip(low.ravel().tolist(), (m for r in truth for m in r), strict=True)
            )
            assert all(
                Fraction(a) >= m for a, m in zip(high.ravel().tolist(), (m for r in truth for m in r), strict=True)
            )


def test_smallest_margin_counts_radii():
    """The smallest margin is the lower end, not the midpoint, with `room` radii; a NaN anywhere is not hidden."""
    made = margins.Margins(((arb(3, 1), arb(5, 4.5)), (arb(2), arb(9))))
    assert fraction(made.smallest_lo()) <= Fraction(1, 2) and fraction(made.smallest_lo()) > Fraction(49, 100)
    assert fraction(made.smallest_lo(room=2)) <= -4 and fraction(made.smallest_lo(room=2)) > Fraction(-41, 10)
    for place in range(4):
        flat = [arb(1), arb(2), arb(3), arb(4)]
        flat[place] = arb("nan")
        broken = margins.Margins((tuple(flat[:2]), tuple(flat[2:])))
        assert broken.smallest_lo().is_nan() and broken.smallest_lo(room=16).is_nan()
    unbounded = margins.Margins(((arb(1), arb(0, "inf")),))
    assert not unbounded.smallest_lo() > -(10**9) and not unbounded.smallest_lo(room=16) > -(10**9)


def test_scaled_margins():
    """scaled_minus is factor * mine - other."""
    mine, other = margins.Margins(((arb(3), arb(5)),)), margins.Margins(((arb(1), arb(-7)),))
    assert [fraction(v) for v in mine.scaled_minus(arb(2), other).rows[0]] == [5, 17]


def true_loss(row):
    """log(1 + sum exp(-m)) at the oracle's precision."""
    return mpmath.log1p(mpmath.fsum(mpmath.exp(-mp(m)) for m in row))


def true_weights(row):
    """exp(-m_k) / (1 + sum exp(-m))."""
    total = 1 + mpmath.fsum(mpmath.exp(-mp(m)) for m in row)
    return [mpmath.exp(-mp(m)) / total for m in row]


def box_points(rng, row, count=6):
    """Corners and inner points of a box of margins."""
    sides = [ends(ball) for ball in row]
    for _ in range(count):
        share = [Fraction(int(s), 4) for s in rng.choice([0, 4, 1, 2], len(row))]
        yield [low + (high - low) * s for (low, high), s in zip(sides, share, strict=True)]
    yield [low for low, _ in sides]
    yield [high for _, high in sides]


def random_row(rng):
    """Margins from -1000 to 1000, some exact, some wide."""
    size = float(rng.choice([0.1, 1.0, 40.0, 700.0]))
    radii = rng.choice([0.0, 1e-12, 0.5, 20.0], 3)
    return [arb(float(m), float(r)) for m, r in zip(size * rng.standard_normal(3), radii, strict=True)]


@seeds(20)
def test_loss_contains_the_truth(rng, rounds=5):
    """The loss of a box of margins contains the loss at its points, stays positive, and is no wider than the range."""
    fixed = [[arb(-31), arb(5), arb(7)], [arb(-33), arb(-32), arb(900)], [arb(690), arb(691), arb(1000)]]
    for row in fixed + [random_row(rng) for _ in range(rounds)]:
        with working_precision(64):
            found = loss.sample_loss(row)
        with mpmath.workdps(700):
            for point in box_points(rng, row):
                value = fraction(true_loss(point))
                assert contains(found, value, value * TIGHT), (row, found)
            low, high = fraction(true_loss([ends(b)[1] for b in row])), fraction(true_loss([ends(b)[0] for b in row]))
        assert ends(found)[0] > 0 or ends(found)[1] > 2**20 * low
        assert ends(found)[1] - ends(found)[0] <= 2 * (high - low) + high * Fraction(1, 10**15)


@seeds(20)
def test_softmax_weights(rng, rounds=5):
    """Softmax weights of a box contain the weights at its points, and keep relative accuracy for exact margins."""
    for _ in range(rounds):
        row = random_row(rng)
        with working_precision(64):
            found = loss.softmax_weights(row)
            rest = loss._weight_of_truth(row)
        with mpmath.workdps(700):
            for point in box_points(rng, row):
                wanted = [fraction(w) for w in true_weights(point)]
                assert all(contains(b, w, w * TIGHT) for b, w in zip(found, wanted, strict=True)), (row, found)
                assert contains(rest, 1 - sum(wanted), TIGHT)
    with working_precision(64):
        (small,) = loss.softmax_weights([arb(800)])
    assert ends(small)[0] > 0


def test_mean_loss_uses_multiplicities():
    """Phi weighs each sample by its multiplicity and divides by their sum."""
    rows = [[arb(1)], [arb(-2)], [arb(3)]]
    with working_precision(64), mpmath.workdps(50):
        found = loss.cross_entropy(rows, [1, 5, 2])
        value = sum(m * true_loss([fraction(r[0])]) for m, r in zip((1, 5, 2), rows, strict=True)) / 8
        assert contains(found, value, fraction(value) * TIGHT) and ends(found)[1] - ends(found)[0] < Fraction(1, 10**15)


@seeds(20)
def test_derivatives_contain_difference_quotients(rng, rounds=4):
    """Phi, Phi' and Phi'' over a ball of t contain the exact ones at points of it (closed forms, at 60 digits)."""
    for _ in range(rounds):
        size = float(rng.choice([1.0, 10.0]))
        start = [[arb(float(v)) for v in row] for row in size * rng.standard_normal((3, 2))]
        end = [[arb(float(v)) for v in row] for row in size * rng.standard_normal((3, 2))]
        counts = [1, 3, 2]
        radius = float(rng.choice([0.0, 1e-6, 0.2]))
        t = arb(float(rng.uniform(0.2, 0.8)), radius)
        with working_precision(64):
            found = loss.loss_along_segment(start, end, counts, t)
        with mpmath.workdps(80):
            for point in inner_points(t, 2):

                def phi(s, start=start, end=end, counts=counts):
                    total = mpmath.mpf(0)
                    for a, e, c in zip(start, end, counts, strict=True):
                        pairs = [(fraction(x), fraction(y)) for x, y in zip(a, e, strict=True)]
                        exps = [mpmath.exp(-(mp(x) + s * (mp(y) - mp(x)))) for x, y in pairs]
                        total += c * mpmath.log1p(mpmath.fsum(exps))
                    return total / 6

                h = mpmath.mpf(10) ** -20
                s = mp(point)
                first = (phi(s + h) - phi(s - h)) / (2 * h)
                second = (phi(s + h) - 2 * phi(s) + phi(s - h)) / h**2
                room = Fraction(1, 10**30)
                assert contains(found.value, phi(s), room)
                assert contains(found.first, first, room) and contains(found.second, second, room)
        if radius == 0:
            assert all(ends(b)[1] - ends(b)[0] < Fraction(1, 10**12) for b in (found.value, found.first, found.second))
