"""Residuals, witness norms and rank bounds of approximate inverses, against exact matrices."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from flint import arb, arb_mat, fmpz_mat
from planted import (
    DIGITS,
    dense,
    exact_rank,
    forward,
    fraction,
    mp,
    random_parameters,
    random_samples,
    seeds,
    smallest_singular_value,
)
from planted_problems import planted_enclosure

from verifier.balls import exact
from verifier.balls import feature_enclosure as features
from verifier.balls.precision import working_precision
from verifier.rank import approx, certify, norms, right_inverse
from verifier.verdict import Verdict


def norm_2(rows):
    """2-norm by mpmath's SVD."""
    with mpmath.workdps(50):
        return max(mpmath.svd_r(mpmath.matrix([[mp(Fraction(v)) for v in row] for row in rows]), compute_uv=False))


@seeds(20)
def test_residual_bounds_the_norm(rng, rounds=3):
    """residual_norm is at least the exact ``||I - Psi X||_2`` and ``||X||_2`` for any X."""
    for _ in range(rounds):
        n, m = 3, 5
        a = np.round(rng.standard_normal((n, m)) * 64) / 64
        x = np.linalg.pinv(a) + float(rng.choice([0, 0.05, 1])) * rng.standard_normal((m, n))
        shift = int(rng.integers(-3, 30))
        numerators = np.rint(np.ldexp(x, shift)).astype(np.int64)
        witness_x = exact.ExactArray.of_integers(numerators.ravel().tolist(), (m, n), -shift)
        fractions = [[Fraction(int(v)) / Fraction(2) ** shift for v in row] for row in numerators]
        radius = float(rng.choice([0, 2.0**-6]))
        witness = right_inverse.RightInverse(witness_x, None, int(rng.integers(1, 20)), int(rng.integers(0, 4)))
        found = right_inverse.residual_norm(planted_enclosure(a, radius), witness)
        for _ in range(3):
            moved = [[Fraction(v) + Fraction(radius) * int(rng.choice([-1, 1])) for v in row] for row in a.tolist()]
            residual = [
                [int(i == j) - sum(moved[i][k] * fractions[k][j] for k in range(m)) for j in range(n)] for i in range(n)
            ]
            with mpmath.workdps(50):
                slack = 1 + mpmath.mpf(10) ** -40
                assert norm_2(residual) <= mp(fraction(found.product) + fraction(found.enclosure)) * slack
        with mpmath.workdps(50):
            assert norm_2(fractions) <= mp(fraction(found.witness_norm)) * (1 + mpmath.mpf(10) ** -40)


@seeds(40)
def test_residual_is_sharp(rng):
    """With fine features the bound is between the 2-norm and the Frobenius norm of the exact residual."""
    a = np.round(rng.standard_normal((4, 6)) * 64) / 64
    numerators = np.rint(np.ldexp(np.linalg.pinv(a), 6)).astype(np.int64)
    witness = right_inverse.RightInverse(
        exact.ExactArray.of_integers(numerators.ravel().tolist(), (6, 4), -6), None, 20, 0
    )
    found = right_inverse.residual_norm(planted_enclosure(a), witness)
    residual = np.eye(4) - a @ (numerators / 64)
    bound = float(found.product + found.enclosure)
    assert np.linalg.norm(residual, 2) * (1 - 1e-12) <= bound <= np.linalg.norm(residual) * (1 + 1e-9)


def test_enclosure_part_counts_every_block():
    """A case where the bound is attained: A = 0 within r, X = (1, 1), so ``||I - A X|| = 1 + 2r`` for A = -(r, r)."""
    x = exact.ExactArray.of_integers([1, 1], (1, 2), 0)
    for r in (1.0, 1024.0):
        found = right_inverse.residual_norm(
            planted_enclosure([[0.0], [0.0]], r), right_inverse.RightInverse(x, None, 4, 0)
        )
        assert fraction(found.product) + fraction(found.enclosure) >= 1 + 2 * Fraction(r)


@seeds(40)
def test_integer_sums_are_exact(rng):
    """Sums of integers of any size, block by block, against Python's integers."""
    for bits in (1, 20, 21, 22, 42, 55, 58, 60, 61, 62, 63, 64, 130):
        rows, columns = (int(v) for v in rng.integers(1, 6, 2))
        top = 2**bits - 1
        entries = [[int(rng.choice([top, -top, top // 3, 1, 0])) if bits < 62 else int(rng.integers(-3, 4)) * top // 3
                    for _ in range(columns)] for _ in range(rows)]  # fmt: skip
        sums = norms.IntegerSums([0] * columns)
        cut = int(rng.integers(0, rows))
        for part in (entries[:cut], entries[cut:]):
            if part:
                sums.add(fmpz_mat(part))
        assert sums.largest_row == max(sum(map(abs, row)) for row in entries)
        assert sums.columns == [sum(map(abs, column)) for column in zip(*entries, strict=True)]
        assert sums.squares == sum(v * v for row in entries for v in row)
        with working_precision(64):
            bound = fraction(sums.spectral_bound().upper())
        assert mp(bound) >= norm_2(entries) * (1 - mpmath.mpf(10) ** -30)


def witness_norm(x, exponent, products):
    """The bound of ``||X||_2`` as a fraction."""
    return fraction(right_inverse.witness_norm(x, exponent, products, norms.integer_sums(x)))


@seeds(40)
def test_witness_norms(rng):
    """witness_norm is at least ``||X||_2`` for every number of products, and with 6 products within 2 percent of it."""
    for products in (0, 1, 2, 3, 6):
        x = rng.integers(-50, 50, (7, 4))
        exponent = int(rng.integers(-9, 5))
        found = witness_norm(fmpz_mat(x.tolist()), exponent, products)
        truth = norm_2(x.tolist()) * mpmath.mpf(2) ** exponent
        assert mp(found) >= truth * (1 - mpmath.mpf(10) ** -30)
        assert products != 6 or mp(found) <= truth * 1.02
    for flat in ([[3, 0], [0, 3]], [[3, 0], [0, 0]], [[3, 0], [0, 1]]):
        assert witness_norm(fmpz_mat(flat), 0, 0) >= 3
    assert witness_norm(fmpz_mat([[1, 1], [1, 1]]), 0, 0) >= 2


@seeds(40)
def test_integers_near_the_features(rng):
    """round_to_integers: the second value bounds ``||2^bits Psi - a||_F^2`` for every matrix in the enclosure."""
    for _ in range(6):
        bits, radius = int(rng.integers(1, 80)), float(rng.choice([0, 2.0**-9, 2.0**-30]))
        values = rng.standard_normal((3, 4)) * float(rng.choice([1.0, 1e6, 1e-6]))
        block = arb_mat(3, 4, [arb(v, radius) for v in values.ravel().tolist()])
        picked = [0, 2, 3] if rng.integers(2) else None
        integers, bound = right_inverse.round_to_integers(block, picked, bits, 64)
        used = values[:, picked] if picked else values
        assert (integers.nrows(), integers.ncols()) == used.shape
        worst = sum(
            (abs(Fraction(v) * 2**bits - int(a)) + Fraction(radius) * 2**bits) ** 2
            for v, a in zip(used.ravel().tolist(), integers.entries(), strict=True)
        )
        assert fraction(bound) >= worst * (1 - Fraction(1, 2**60))


def test_rank_bound_is_honest():
    """alpha covers both parts of the residual; nothing is claimed at alpha >= 1, at infinity, or for a zero witness."""

    def bound(product, enclosure, norm):
        return right_inverse.rank_bound(right_inverse.Residual(arb(product), arb(enclosure), arb(norm)))

    for product, enclosure, norm in ((0.25, 0.0, 2.0), (0.5, 1 / 128, 3.0), (0.0, 1 / 64, 1e-9), (0.875, 0.0, 1e9)):
        found = bound(product, enclosure, norm)
        alpha = Fraction(product) + Fraction(enclosure)
        assert alpha < found.alpha.fraction() < 1
        assert 0 < found.sigma_lower.fraction() < (1 - alpha) / Fraction(norm)
        assert found.sigma_lower.fraction() <= (1 - found.alpha.fraction()) / Fraction(norm)
    for product, enclosure, norm in (
        (1.0, 0.0, 1.0), (0.5, 0.5, 1.0), (1.5, 0.0, 1.0), (0.0, 2.0, 1.0), ("nan", 0, 1), ("inf", 0, 1), (0, "nan", 1),
        (0.5, 0, "nan"), (0.5, 0, "inf"), (0.5, 0, 0), (0.5, 0, -1.0), (1 - 2.0**-50, 0.0, 1.0),
    ):  # fmt: skip
        assert bound(product, enclosure, norm) is None, (product, enclosure, norm)


@seeds(40)
def test_singular_features_are_never_certified(rng):
    """Whatever the witness, a Psi of rank < N gets no bound: pseudoinverses, zero, noise, huge numbers."""
    n, m = 3, 5
    low = np.round(rng.standard_normal((n, n - 1)) * 8) @ np.round(rng.standard_normal((n - 1, m)) * 8)
    assert exact_rank([[Fraction(v) for v in row] for row in low.tolist()]) < n
    for x in (
        np.linalg.pinv(low), 2 * np.linalg.pinv(low), np.zeros((m, n)), rng.standard_normal((m, n)),
        np.linalg.pinv(low + 1e-7 * rng.standard_normal((n, m))), 1e15 * np.ones((m, n)),
    ):  # fmt: skip
        for radius in (0.0, 1e-9):
            for bits in (1, 30):
                witness = right_inverse.RightInverse(exact.ExactArray.of_floats(x), None, bits, 0)
                assert right_inverse.certify_right_inverse(planted_enclosure(low, radius), witness) is None
    # An enclosure so wide that it contains a singular matrix proves nothing, however good its midpoint is.
    identity = exact.ExactArray.of_floats(np.eye(2))
    wide = planted_enclosure(np.eye(2), radius=1.0)
    assert right_inverse.certify_right_inverse(wide, right_inverse.RightInverse(identity, None, 8, 0)) is None


@seeds(40)
def test_sigma_is_below_the_truth(rng):
    """sigma_lower is below sigma_N for every matrix in the enclosure, any columns, and within a factor 2."""
    for radius in (0.0, 2.0**-12):
        a = np.round(rng.standard_normal((4, 7)) * 256) / 256
        for columns in (None, np.array([0, 2, 3, 5, 6])):
            picked = a if columns is None else a[:, columns]
            x = exact.ExactArray.of_floats(np.linalg.pinv(picked))
            found = right_inverse.certify_right_inverse(
                planted_enclosure(a, radius), right_inverse.RightInverse(x, columns, 30, 6)
            )
            for _ in range(4):
                moved = a + radius * rng.choice([-1, 1], a.shape)
                assert float(found.sigma_lower) <= np.linalg.svd(moved, compute_uv=False)[-1]
            truth = np.linalg.svd(picked, compute_uv=False)[-1]
            assert radius > 0 or float(found.sigma_lower) >= 0.5 * truth


@seeds(20)
def test_prove_rank_on_planted_ranks(rng, rounds=4):
    """prove_rank against exact ranks of rational networks: PROVED only at rank N, REFUTED only below it."""
    for _ in range(rounds):
        n = int(rng.integers(1, 6))
        m = n + int(rng.integers(0, 3))
        net = dense([m], ["cubic"], 2)
        u, x = random_parameters(rng, net, grid=4), random_samples(rng, n, net, grid=2)
        weight, bias = net.views(u)["layer0.weight"], net.views(u)["layer0.bias"]
        if rng.integers(2):
            weight[-1], bias[-1] = -weight[0], -bias[0]
        psi = forward(net, u, x)
        rank = exact_rank(psi)
        found, _ = certify.prove_rank(features.FeatureEnclosure(net, u, x, 64), max_bits=128)
        if found.verdict is Verdict.PROVED:
            assert rank == n
            with mpmath.workdps(DIGITS):
                assert mp(found.bound.sigma_lower.fraction()) <= smallest_singular_value(psi)
        elif found.verdict is Verdict.REFUTED:
            assert rank <= found.deficiency.rank_at_most < n
        assert rank < n or found.verdict is Verdict.PROVED


@seeds(3)
def test_high_precision_inverse(rng):
    """approx_right_inverse_bits inverts an ill-conditioned integer matrix well enough for R1."""
    n = 8
    entries = [round(2.0**60 / (i + j + 1)) for i in range(n) for j in range(n)]
    numerators, exponent = approx.approx_right_inverse_bits(fmpz_mat(n, n, entries), 60, 128)
    product = (fmpz_mat(n, n, entries) * fmpz_mat(n, n, numerators)).tolist()
    worst = max(
        abs(int(product[i][j]) * Fraction(2) ** (exponent - 60) - int(i == j)) for i in range(n) for j in range(n)
    )
    assert worst < Fraction(1, 2**5)
