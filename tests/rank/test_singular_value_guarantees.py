"""Singular values: enclosures hold planted ones and those of 100 digits."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from flint import arb, arb_mat
from planted import (
    DIGITS,
    dense,
    exact_rank,
    fraction,
    mp,
    oracle,
    random_parameters,
    random_samples,
    seeds,
    smallest_singular_value,
)
from planted_problems import TIGHT, planted_singular_values

from verifier.balls import decimals, exact
from verifier.balls.precision import working_precision
from verifier.rank import certify, eigenvalues, genericity, spectrum_search
from verifier.rank import singular_values as svd
from verifier.rank.rational import PRIME
from verifier.verdict import Verdict


def near_vectors(rng, a):
    """Rows near left singular vectors of a, off by anything from much to little, not quite orthonormal."""
    n = len(a)
    off = np.eye(n) + rng.standard_normal((n, n)) * 10.0 ** -rng.uniform(0.6, 9)
    if rng.integers(2):
        off = np.linalg.qr(off)[0] * (1 + rng.uniform(-1, 1) * 10.0 ** -rng.uniform(0.6, 9))
    return off @ np.linalg.svd(a)[0].T


def squared_singular_values(rows):
    """In decreasing order, by mpmath."""
    with mpmath.workdps(60):
        found = mpmath.svd_r(mpmath.matrix([[mp(Fraction(v)) for v in row] for row in rows]), compute_uv=False)
        return sorted((fraction(v) ** 2 for v in found), reverse=True)


@seeds(10)
def test_eigenvalue_bounds(rng, rounds=25):
    """The bounds contain every squared singular value of every matrix in the balls, whatever Q and the floor are."""
    for _ in range(rounds):
        n, m = int(rng.integers(1, 5)), 5
        u, v = np.linalg.qr(rng.standard_normal((n, n)))[0], np.linalg.qr(rng.standard_normal((m, m)))[0]
        kind = rng.integers(3)
        sigma = np.sort(rng.uniform(0.5, 2, n))[::-1]
        if kind == 1:
            sigma = 1 + np.arange(n) * 10.0 ** -rng.uniform(1, 7)
        elif kind == 2:
            sigma = 10.0 ** -np.sort(rng.uniform(0, 6, n))
        a = (u * sigma) @ v[:n]
        radius = float(rng.choice([0.0, 1e-12, 1e-6, 1e-3]))
        signs = rng.choice([-1, 1], a.shape) if rng.integers(2) else np.sign(a)
        truth = [
            [Fraction(x) + int(e) * Fraction(radius) for x, e in zip(row, line, strict=True)]
            for row, line in zip(a.tolist(), signs.tolist(), strict=True)
        ]
        q = arb_mat(n, n, near_vectors(rng, a).ravel().tolist())
        with working_precision(128):
            b = q * arb_mat(n, m, [arb(x, radius) for x in a.ravel().tolist()])
            half = int(rng.choice([32, 128]))
            s, t = eigenvalues.ball_gram(q, half), eigenvalues.ball_gram(b, half)
            floor = arb(float(rng.choice([0.0, 1e-9, 0.1])))
            found = eigenvalues.eigenvalue_bounds(s, t, floor)
        if found is not None:
            for (low, high), value in zip(found, squared_singular_values(truth), strict=True):
                low, high = fraction(low), fraction(high)
                assert low * (1 - TIGHT) <= value <= high * (1 + TIGHT) + Fraction(1, 10**100)


def test_eigenvalue_bounds_at_the_edge():
    """Bounds of 2 x 2 problems that are attained, or nearly so."""

    def bounds(s, t, floor=0):
        with working_precision(128):
            return eigenvalues.eigenvalue_bounds(arb_mat(s), arb_mat(t), arb(floor))

    one, two = [[1, 0], [0, 1]], [[2, 0], [0, 1]]
    (low, high), (least, most) = bounds(one, [[1, 0.5], [0.5, 1]])  # 3/2 and 1/2
    assert fraction(high) >= Fraction(3, 2) and fraction(least) <= Fraction(1, 2)
    for scale in (Fraction(3, 2), Fraction(2, 3)):  # T = I and S = scale I: both are 1 / scale
        found = bounds([[float(scale), 0], [0, float(scale)]], one)
        assert all(fraction(x) <= 1 / Fraction(float(scale)) <= fraction(y) for x, y in found or [])
    assert bounds([[1, 1], [1, 1]], one) is None and bounds(one, [[arb("nan"), 0], [0, 1]]) is None
    assert bounds(one, [[1, arb("nan")], [0, 1]]) is None and bounds(one, [[1, 0], [0, 0]]) is None
    (low, high), (least, most) = bounds(one, [[1, 0], [0, 0]], 2.0**-40)
    assert fraction(low) <= 1 <= fraction(high) and fraction(least) == 0 <= fraction(most)
    # T = diag and S = I + F: the pencil's eigenvalues are those of S^(-1/2) T S^(-1/2)
    for t in (two, [[1, 0], [0, 1e-3]]):
        for f in (0.25, 0.01, 1e-4, 1e-8):
            (low, high), (least, most) = bounds([[1, f], [f, 1]], t)
            with mpmath.workdps(60):
                d, e, c = mpmath.mpf(t[0][0]), mpmath.mpf(t[1][1]), 1 - mpmath.mpf(f) ** 2
                root = mpmath.sqrt((d + e) ** 2 - 4 * d * e * c)
                first, second = fraction((d + e + root) / (2 * c)), fraction((d + e - root) / (2 * c))
            assert fraction(low) * (1 - TIGHT) <= first <= fraction(high) * (1 + TIGHT)
            assert fraction(least) * (1 - TIGHT) <= second <= fraction(most) * (1 + TIGHT)
    # a wide diagonal entry
    (low, high), _ = bounds(one, [[arb(4, 1), 0], [0, 1]])
    assert fraction(low) <= 3 and fraction(high) >= 5


SPECTRA = (
    [3, 7, 5, 11],
    [7, 7, 7, 7],
    [5, 0, 3, 0],
    [10**20, 10**20 + 1, 10**20 + 2, 1],
    [10**30, 10**30 + 10**10, 10**30 + 10**10 + 1, 4],
    [10**60, 10**40, 10**20, 1],
    [10**30, 2, 1, 0],
    [0, 0, 0, 0],
)


@seeds(5)
def test_planted_singular_values(rng):
    """All digits of planted singular values: distinct, equal, clustered, graded, zero."""
    for sigma in SPECTRA:
        shape = [(4, 4), (4, 6), (5, 4)][int(rng.integers(3))]
        array, truth = planted_singular_values(rng, sigma, shape)
        found = svd.matrix_singular_values(array, 30)
        assert found.verdict is Verdict.PROVED and len(found.lower) == 4
        for low, high, value in zip(found.lower, found.upper, truth, strict=True):
            low, high = low.fraction(), high.fraction()
            assert low <= value <= high and high - low <= low / 10**30


@seeds(10)
def test_exact_ranks(rng):
    """exact_rank is the rank, also where it drops modulo the prime."""
    for _ in range(10):
        n, m, r = (int(v) for v in rng.integers(1, 6, 3))
        rows = rng.integers(-4, 5, (n, r)) @ rng.integers(-4, 5, (r, m))
        flat = [int(v) * PRIME ** int(rng.integers(2)) for v in rows.ravel()]
        array = exact.ExactArray.of_integers(flat, (n, m), -3)
        assert svd.exact_rank(array) == exact_rank([[Fraction(v) for v in flat[i * m : i * m + m]] for i in range(n)])


@seeds(10)
def test_enclosed_features(rng):
    """The radii of Psi's enclosure are part of the enclosure of its singular values, also with few digits."""
    for _ in range(4):
        n, m = int(rng.integers(1, 4)), 4
        psi = rng.standard_normal((n, m))
        radius = float(rng.choice([1e-3, 1e-6, 1e-9]))
        balls = arb_mat(n, m, [arb(x, radius) for x in psi.ravel().tolist()])
        for sign in (-1, 1):
            truth = [
                [Fraction(x) + sign * (1 if x > 0 else -1) * Fraction(radius) for x in row] for row in psi.tolist()
            ]
            search = spectrum_search.SpectrumSearch(
                n, m, 3, 64, lambda _, balls=balls: balls, lambda n=n: n, None, certify.silent
            )
            found = search.run()
            for low, high, value in zip(found.lower, found.upper, squared_singular_values(truth), strict=True):
                assert low.fraction() ** 2 <= value <= high.fraction() ** 2


@seeds(20)
def test_decimals_of_singular_values(rng):
    """The printed number is within the printed bound of both ends; bounds are rounded outward; digits are counted."""
    for _ in range(30):
        low = Fraction(int(rng.integers(1, 2**62))) * Fraction(10) ** int(rng.integers(-330, 330))
        high = low * (1 + Fraction(int(rng.integers(0, 1000)), 10 ** int(rng.integers(3, 40))))
        digits = int(rng.integers(1, 60))
        x, error = (Fraction(part) for part in decimals.decimal_enclosure(low, high, digits).split(" +- "))
        assert x - error <= low <= high <= x + error
        assert error <= (high - low) / 2 * Fraction(11, 10) + x / 10 ** (digits - 1)
        down, up = (Fraction(decimals.decimal_bound(low, digits, up=up)) for up in (False, True))
        assert down <= low <= up and up - down <= low / 10 ** (digits - 1)
        size = 10 ** (digits + 5)
        assert spectrum_search.has_digits(exact.Dyadic(size, -7), exact.Dyadic(size + 10**5, -7), digits)
        assert not spectrum_search.has_digits(exact.Dyadic(size, -7), exact.Dyadic(size + 10**5 + 1, -7), digits)
    assert (
        decimals.decimal_enclosure(Fraction(0), Fraction(0), 5)
        == decimals.decimal_bound(Fraction(0), 5, up=True)
        == "0"
    )
    assert spectrum_search.has_digits(exact.Dyadic(0, 0), exact.Dyadic(0, 0), 9)
    assert not spectrum_search.has_digits(exact.Dyadic(0, 0), exact.Dyadic(1, -9999), 1)


@seeds(5)
def test_sigma_along_line(rng):
    """Every enclosure contains sigma_N by mpmath at the rounded U; 0 where structure proves it."""
    net = dense([4], [str(rng.choice(["tanh", "sigmoid"]))], 2)
    x = random_samples(rng, 3, net)
    start, direction = np.zeros(net.parameter_count), random_parameters(rng, net)
    rows = genericity.sigma_along_line(net, x, start, direction, [-0.3, 0.0, 0.5, 1.0])
    for row in rows:
        u = start + row.t * direction
        with mpmath.workdps(DIGITS):
            truth = fraction(smallest_singular_value(oracle(net, u, x))) if row.t else Fraction(0)
        slack = Fraction(1, 10**60)
        assert row.lower.fraction() - slack <= truth <= row.upper.fraction() + slack
        assert row.exact == (row.t != -0.3)
    assert rows[1].lower.mantissa == rows[1].upper.mantissa == 0
    assert all(row.lower.mantissa > 0 for row in rows if row.t)


def test_full_rank_fraction():
    """The counts are those of the single verdicts, and a sample is never more than TESTED."""
    line = np.array([[0.0], [1.0], [2.0], [4.0]])
    found = genericity.full_rank_fraction(dense([5], ["tanh"], 1), line, range(4))
    assert (found.verdict, found.fraction, found.count(Verdict.PROVED)) == (Verdict.TESTED, 1.0, 4)
    assert sum(found.labels.values()) == 4 and [t.seed for t in found.trials] == [0, 1, 2, 3]
    assert len({t.sigma_lower for t in found.trials}) == 4 and min(t.sigma_lower for t in found.trials) > 0
    none = genericity.full_rank_fraction(dense([5], ["square"], 1), line, range(3))
    assert (none.count(Verdict.REFUTED), none.labels, none.fraction) == (3, {"R5": 3}, 0.0)
    hard = genericity.full_rank_fraction(dense([30], ["tanh"], 1), np.arange(1, 25.0)[:, None] / 40, [0], max_bits=64)
    assert hard.count(Verdict.UNDECIDED) == 1 and hard.labels == {"R": 1}
