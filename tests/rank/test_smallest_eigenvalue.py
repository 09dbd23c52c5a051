"""A lower bound of the smallest eigenvalue: planted spectra, wide enclosures, and copies that are broken."""

import math

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.products import Products
from verifier.rank import smallest_eigenvalue as module
from verifier.rank.smallest_eigenvalue import smallest_eigenvalue

BACKEND = numpy_backend(1)


def bound(middles, radii=None, room=1.0):
    radii = np.zeros_like(middles) if radii is None else radii
    return smallest_eigenvalue(middles, radii, BACKEND, Products(), room)


def is_definite_below(matrix, value):
    """Whether ``matrix - value I`` is positive definite, by exact leading minors."""
    a = [[fmpq(*float(x).as_integer_ratio()) for x in row] for row in matrix.tolist()]
    shift = fmpq(*float(value).as_integer_ratio())
    for i in range(len(a)):
        a[i][i] -= shift
    return all(fmpq_mat([row[:k] for row in a[:k]]).det() > 0 for k in range(1, len(a) + 1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("smallest", [1.0, 1e-6, -0.25, 0.0])
def test_it_is_below_the_exact_one_and_near(seed, smallest):
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    a = q @ np.diag([smallest, 2.0, 3.0, 50.0, 200.0]) @ q.T
    a = (a + a.T) / 2
    found = bound(a)
    assert is_definite_below(a, found)
    assert smallest - max(abs(smallest) / 100, 1e-9) <= found


def test_radii_count():
    """Around 2 I with radii 1 there is a singular matrix: the all-ones matrix is subtracted."""
    middles, radii = 2.0 * np.eye(2), np.ones((2, 2))
    assert -0.1 < bound(middles, radii) <= 0.0
    assert bound(middles, radii, room=2.0) <= -2.0
    rng = np.random.default_rng(0)
    a, r = 10.0 * np.eye(6) + rng.standard_normal((6, 6)), rng.uniform(0, 0.3, (6, 6))
    a, r = (a + a.T) / 2, (r + r.T) / 2
    found = bound(a, r)
    for _ in range(20):
        change = rng.choice([-1.0, 1.0], (6, 6)) * r
        assert np.linalg.eigvalsh(a + np.tril(change) + np.tril(change, -1).T)[0] > found
    worst = a - r  # by Perron and Frobenius a sign pattern that matters
    assert np.linalg.eigvalsh(worst)[0] > found


@pytest.mark.parametrize("matrix", [[[math.nan]], [[math.inf]], [[1.0, math.nan], [math.nan, 1.0]]])
def test_what_is_not_finite_bounds_nothing(matrix):
    assert bound(np.array(matrix)) == -math.inf
    assert bound(np.eye(1), np.array([[math.inf]])) == -math.inf


@pytest.mark.parametrize("row", [0, 3])
def test_nobody_trusts_the_factor(row, monkeypatch):
    """A factor with one wrong row costs as much as its residual, and no truth."""
    a = np.diag([1.0, 2.0, 3.0, 4.0])
    right = np.linalg.cholesky

    def wrong(matrix):
        factor = right(matrix)
        factor[row, row] += 0.25
        return factor

    monkeypatch.setattr(np.linalg, "cholesky", wrong)
    found = bound(a)
    assert is_definite_below(a, found) and found < 0.95
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda matrix: np.array([9.0, 9.0]))  # as far off as that
    monkeypatch.setattr(np.linalg, "cholesky", lambda matrix: np.eye(4))
    assert is_definite_below(a, bound(a))


def _no_residual(middles, radii, backend, record, room=1.0):
    return float(np.linalg.eigvalsh(middles)[0])


def test_a_broken_copy_is_caught(monkeypatch):
    """One that trusts the factorization, or forgets the radii."""
    monkeypatch.setattr(module, "smallest_eigenvalue", _no_residual)
    a = np.array([[1.0, 1.0], [1.0, 1.0]]) * (1 / 3)
    claims = [(a, None), (2.0 * np.eye(2), np.ones((2, 2)))]
    caught = sum(
        module.smallest_eigenvalue(m, r, BACKEND, Products()) > 0 or not is_definite_below(m, bound(m) * 2)
        for m, r in claims
    )
    assert caught
