"""R1 in double-double: planted singular values, exact residuals, and what must prove nothing."""

from __future__ import annotations

import math
from fractions import Fraction

import array_api_strict
import numpy as np
import pytest
from flint import arb, arb_mat, fmpz
from planted import fraction, seeds, smallest_singular_value

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.products import Products
from verifier.balls.double_double.pair import Pair
from verifier.balls.double_double.products import relative_error
from verifier.balls.precision import working_precision
from verifier.rank import double_double_inverse as r1
from verifier.rank.residual import residual_bounds
from verifier.rank.right_inverse import RightInverse

BACKEND = numpy_backend(1)
STRICT = Backend(array_api_strict, "array-api-strict")


class Given:
    """A matrix of integers times a power of two, as pairs, with radii of the columns, by blocks of rows."""

    def __init__(self, numerators, exponent=0, radii=None, *, backend=BACKEND, block=5):
        rows = [[Fraction(v) * Fraction(2) ** exponent for v in row] for row in numerators]
        self.hi = np.array([[float(v) for v in row] for row in rows])
        lines = list(zip(rows, self.hi.tolist(), strict=True))
        self.lo = np.array([[float(v - Fraction(h)) for v, h in zip(*line, strict=True)] for line in lines])
        self.exact = exact_pair((self.hi, self.lo))
        self.backend, self.block, self.record = backend, block, Products()
        self.samples, self.columns = self.hi.shape
        self.radii = np.zeros(self.columns) if radii is None else np.asarray(radii, dtype=np.float64)

    def row_blocks(self):
        b = self.backend
        for start in range(0, self.samples, self.block):
            rows = slice(start, min(start + self.block, self.samples))
            yield rows, Pair(b.asarray(self.hi[rows]), b.asarray(self.lo[rows])), b.asarray(self.radii)


def hadamard(n):
    """Signs with orthogonal rows, n a power of two: its singular values are sqrt(n)."""
    h = np.ones((1, 1), dtype=np.int64)
    while len(h) < n:
        h = np.block([[h, h], [h, -h]])
    return h


def graded(n, exponents, seed=0):
    """``H diag(2^(last - e)) H^T`` for exponents e up to last: integers, singular values ``n 2^(last - e)``."""
    h, last = hadamard(n).astype(object), max(exponents)
    turned = h[np.random.default_rng(seed).permutation(n)]
    return (h * [1 << (last - e) for e in exponents]) @ turned.T


def spread(n, last):
    return [round(last * k / (n - 1)) for k in range(n)]


def exact_pair(x):
    """Fractions of a pair, as a list of rows."""
    hi, lo = (np.asarray(part).tolist() for part in x)
    return [[Fraction(a) + Fraction(b) for a, b in zip(*rows, strict=True)] for rows in zip(hi, lo, strict=True)]


def exact_residual(a, x):
    """``A X - I`` in fractions."""
    columns = list(zip(*x, strict=True))
    return [[sum(map(Fraction.__mul__, row, c)) - (i == j) for j, c in enumerate(columns)] for i, row in enumerate(a)]


def squares(rows):
    return sum(v * v for row in rows for v in row)


@pytest.mark.parametrize("backend", [BACKEND, STRICT], ids=["numpy", "strict"])
@pytest.mark.parametrize("last", [33, 64, 75])
def test_planted_singular_values_are_found(backend, last):
    """Condition numbers from 1e10 to 4e22: proved, below the truth, and within five percent of it."""
    n = 16
    found = r1.certify_inverse_pair(Given(graded(n, spread(n, last)), -last, backend=backend))
    assert found.proved
    assert Fraction(95, 100) * n < Fraction(found.sigma_lower) * 2**last <= n


def test_a_size_of_blas_and_many_small_values():
    """N = 128 with sigma_N / sigma_1 = 2^-70 and half of the singular values below 2^-50 of the largest."""
    n, last = 128, 70
    exponents = [0] * 32 + [35] * 32 + [last - 20] * 32 + [last] * 32
    h = hadamard(n).astype(np.float64)
    parts = [h * [2.0 ** (b - e) * (a <= e < b) for e in exponents] @ h.T for a, b in ((0, 40), (40, last + 1))]
    source = Given([[0]])
    source.hi, source.lo = parts[0] * 2.0**-40, parts[1] * 2.0 ** -(last + 1)
    whole = source.hi + source.lo
    source.hi, source.lo = whole, source.lo - (whole - source.hi)
    source.samples = source.columns = n
    source.radii, source.block = np.zeros(n), n
    found = r1.certify_inverse_pair(source)
    assert found.proved
    assert 0.9 * n * 2.0**-last < found.sigma_lower <= n * 2.0**-last


def test_beyond_its_reach_it_says_what_it_sees():
    """sigma_N / sigma_1 = 2^-120: undecided, with an estimate that is not far below the truth."""
    n, last = 8, 120
    found = r1.certify_inverse_pair(Given(graded(n, spread(n, last)), -last))
    assert not found.proved and "sigma_N seems to be about" in found.reason
    assert found.residual.norm_x > 2.0**95 / n
    assert found.sigma_lower == 0.0


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 1.0, 1.01, 3.0])
def test_radii_take_their_share_of_sigma(share):
    """Singular vectors of signs / sqrt(n): some matrix within the radii has ``sigma_N = (1 - share) n 2^-last``."""
    n, last = 8, 60
    found = r1.certify_inverse_pair(Given(graded(n, [0] * 7 + [last]), -last, np.full(n, share * 2.0**-last)))
    left = (1 - Fraction(share)) * n
    assert found.proved == (share < 1)
    assert not found.proved or left * Fraction(99, 100) < Fraction(found.sigma_lower) * 2**last <= left


@seeds(12)
def test_singular_values_of_unimodular_and_wide_matrices(rng):
    """Integers of up to 100 bits with determinant 1 or with more columns: never above the truth."""
    n = int(rng.integers(1, 6))
    m = n + int(rng.integers(0, 3))
    rows = [[int(i == j) for j in range(m)] for i in range(n)]
    for _ in range(12 * n):
        i, j = rng.integers(0, n, 2).tolist()
        c = int(rng.integers(-(2**9), 2**9))
        if i != j:
            rows[i] = [a + c * b for a, b in zip(rows[i], rows[j], strict=True)]
        j, k = rng.integers(0, m, 2).tolist()
        if j != k and max(abs(v) for row in rows for v in row) < 2**80:
            for row in rows:
                row[j] += c * row[k]
    source = Given(rows, int(rng.integers(-150, 100)))
    found = r1.certify_inverse_pair(source)
    if found.proved:
        assert fraction(found.sigma_lower) <= fraction(smallest_singular_value(source.exact)) * (1 + Fraction(1, 2**60))
        assert squares(exact_residual(source.exact, exact_pair(found.x))) <= Fraction(found.residual.frobenius) ** 2


@seeds(6)
def test_singular_matrices_prove_nothing(rng):
    n, m = 6, int(rng.integers(6, 9))
    rank = int(rng.integers(1, n))
    left, right = (rng.integers(-(2**20), 2**20, shape).astype(object) for shape in ((n, rank), (rank, m)))
    right = right * [1 << int(e) for e in rng.integers(0, 40, m)]
    source = Given((left @ right).tolist(), int(rng.integers(-60, 60)))
    assert not r1.certify_inverse_pair(source).proved
    assert not r1.certify_inverse_pair(Given([[0] * m] * n)).proved


@seeds(6)
def test_the_residual_is_bounded_for_any_x_and_all_matrices_within_the_radii(rng):
    """Corners of the enclosure, in fractions; X random, so that the residual is of any size."""
    n, m = int(rng.integers(1, 5)), int(rng.integers(5, 8))
    source = Given(rng.integers(-(2**50), 2**50, (n, m)).tolist(), -50, 2.0 ** -rng.integers(5, 60, m), block=2)
    chosen = sorted(rng.choice(m, n + 1, replace=False).tolist())
    x = Pair(rng.standard_normal((n + 1, n)), rng.standard_normal((n + 1, n)) * 2.0**-55)
    x = Pair(x.hi + x.lo, x.lo - ((x.hi + x.lo) - x.hi))
    witness = r1._PairWitness(BACKEND, x, source.record)
    found = residual_bounds(source, witness, chosen)
    signs = rng.choice([-1, 1], (n, m))
    corner = [[source.exact[i][j] + int(signs[i, j]) * Fraction(source.radii[j]) for j in chosen] for i in range(n)]
    residual = exact_residual(corner, exact_pair(x))
    assert squares(residual) <= Fraction(found.frobenius) ** 2
    assert squares(corner) <= Fraction(found.norm_a) ** 2
    assert np.linalg.norm([[float(v) for v in row] for row in residual], 2) <= found.mixed * (1 + 1e-12)
    assert np.linalg.norm(x.hi + x.lo, 2) <= found.norm_x * (1 + 1e-12)


def test_radii_alone_are_bounded_too():
    """Midpoints 0: the norm of Psi is that of the radii, in every row."""
    source = Given([[0, 0]] * 3, radii=[3.0, 4.0], block=2)
    found = residual_bounds(source, r1._PairWitness(BACKEND, Pair(np.ones((2, 3)), np.zeros((2, 3))), Products()), None)
    assert 75 <= Fraction(found.norm_a) ** 2 < 76
    assert 3 * 3 * 49 <= Fraction(found.lost) ** 2


@seeds(3)
def test_low_parts_count(rng):
    """Where leading parts say that X is an inverse, the low parts alone tell how far from one it is."""
    n = int(rng.integers(2, 7))
    tail = 2.0**-54
    witness = r1._PairWitness(BACKEND, Pair(np.eye(n), np.eye(n) * tail), Products())
    a = Pair(np.eye(n), np.eye(n) * tail)
    sizes, residual = witness.residual(a, None, slice(0, n))
    assert all(Fraction(v) >= 2 * Fraction(tail) for v in np.diag(residual).tolist())
    assert all(Fraction(v) >= 1 for v in np.diag(sizes).tolist())
    small = r1._PairWitness(BACKEND, Pair(np.full((n, n), tail), np.full((n, n), tail * 2.0**-53)), Products())
    assert Fraction(float(small.sizes.min())) >= Fraction(tail) * (1 + Fraction(1, 2**53)) * (1 - Fraction(1, 2**52))
    sums = r1.witness_sums(BACKEND, small.sizes)
    assert Fraction(small.norm(sums)) >= n * Fraction(tail) * (1 + Fraction(1, 2**53))


def test_any_rounding_of_the_product_is_covered(monkeypatch):
    """A product that is off by nearly all that it may be: the true residual is still below the bound."""
    n = 8
    kappa = relative_error(n)
    off = 0.97 * kappa
    x = Pair(np.where(np.eye(n) > 0, 1.0, off), np.where(np.eye(n) > 0, off, 0.0))
    monkeypatch.setattr(r1, "matmul", lambda backend, a, b, record: Pair(np.eye(n), np.zeros((n, n))))
    source = Given(np.eye(n, dtype=int).tolist(), block=n)
    found = residual_bounds(source, r1._PairWitness(BACKEND, x, source.record), None)
    assert Fraction(found.frobenius) >= n * Fraction(off)
    assert Fraction(found.mixed) >= n * Fraction(off)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_proves_nothing(value):
    for part in ("hi", "lo", "radii"):
        source = Given(np.eye(4, dtype=int).tolist())
        getattr(source, part)[..., 1] = value
        assert not r1.certify_inverse_pair(source).proved
    source = Given(np.eye(4, dtype=int).tolist(), radii=[-1.0, 0, 0, 0])
    assert not r1.certify_inverse_pair(source).proved


@pytest.mark.parametrize("exponent", [-1000, -500, 480, 900])
def test_extreme_scales_are_proved_rightly_or_not_at_all(exponent):
    source = Given(graded(4, [0, 10, 20, 60]), exponent - 60)
    found = r1.certify_inverse_pair(source)
    assert not found.proved or Fraction(found.sigma_lower) <= 4 * Fraction(2) ** (exponent - 60)


def test_columns_are_chosen_and_must_increase():
    rows = np.array(graded(8, spread(8, 60)), dtype=object)
    wide = Given(np.concatenate([rows[:, :4], np.ones((8, 2), dtype=object), rows[:, 4:]], axis=1).tolist(), -60)
    found = r1.certify_inverse_pair(wide, np.array([0, 1, 2, 3, 6, 7, 8, 9]))
    assert found.proved and found.sigma_lower <= 8 * 2.0**-60
    stated = r1.exact_witness(found, np.array([0, 1, 2, 3, 6, 7, 8, 9]))
    assert stated is not None and stated[0].columns is not None and stated[0].columns[4] == 6
    for columns in ([1, 0, 2, 3, 4, 5, 6, 7], [0, 0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6, 10]):
        with pytest.raises(ValueError, match="strictly increasing"):
            r1.certify_inverse_pair(wide, np.array(columns))
    few = r1.certify_inverse_pair(wide, np.arange(7))
    assert not few.proved and "7 columns for N = 8" in few.reason


def test_an_inverse_that_breaks_down_is_made_regular():
    """The leading parts are exactly singular; the low parts make the matrix regular."""
    tail = Fraction(1, 2**60)
    source = Given([[1, 1], [1, 1]])
    source.lo[1, 1] = float(tail)
    found = r1.certify_inverse_pair(source)
    assert found.proved
    assert Fraction(found.sigma_lower) <= tail / 2 * (1 + tail) and found.sigma_lower > 0.4 * float(tail)


@pytest.mark.parametrize("n, last", [(1, 0), (8, 40), (8, 64), (8, 80)])
def test_what_a_certificate_states_holds_exactly(n, last):
    """The rounded right inverse, in fractions: its residual, its norm, and sigma_N."""
    source = Given(graded(n, spread(n, last) if n > 1 else [0]), -last)
    found = r1.certify_inverse_pair(source)
    witness, bound = r1.exact_witness(found, None)
    assert isinstance(witness, RightInverse)
    numerators, exponent = witness.matrix.integers()
    x = [[Fraction(v) * Fraction(2) ** exponent for v in numerators[i * n : (i + 1) * n]] for i in range(n)]
    alpha = bound.alpha.fraction()
    assert squares(exact_residual(source.exact, x)) <= alpha**2 < 1
    truth = n * Fraction(2) ** -last
    assert Fraction(9, 10) * truth < bound.sigma_lower.fraction() <= truth
    with working_precision(256):
        rounded = arb_mat(n, n, [arb(fmpz(round(v * 2**witness.feature_bits))) for row in source.exact for v in row])
        product = rounded * witness.matrix.arb_mat() * arb((fmpz(1), fmpz(-witness.feature_bits)))
        size = sum((product[i, j] - int(i == j)) ** 2 for i in range(n) for j in range(n)).sqrt()
        assert size < bound.alpha.arb()


def test_the_rounding_of_the_right_inverse_is_counted():
    """1 / a lies halfway between two multiples of its last place."""
    source = Given([[round(Fraction(2**101, 129))]], -90)
    found = r1.certify_inverse_pair(source)
    witness, bound = r1.exact_witness(found, None)
    (numerator,), exponent = witness.matrix.integers()
    gap = abs(source.exact[0][0] * numerator * Fraction(2) ** exponent - 1)
    assert Fraction(1, 130) < gap <= bound.alpha.fraction() < 1


@seeds(4)
def test_pairs_are_rounded_to_the_nearest_multiple(rng):
    """Of either sign, with one limb and with two, halves included."""
    bits = int(rng.integers(-10, 111))
    hi = np.concatenate(
        [rng.standard_normal(40) * 2.0 ** rng.integers(-20, bits - 3, 40), [0.5, -0.5, -1e-30, 2.0**-60 - 1]]
    )
    lo = np.ldexp(hi, -53) * rng.uniform(-1, 1, len(hi))
    shift = int(rng.integers(-40, 40))
    hi, lo = np.ldexp(hi, -shift), np.ldexp(lo, -shift)
    numerators, exponent = r1.rounded_pair(hi, lo, shift).integers()
    for number, a, b in zip(numerators, hi.tolist(), lo.tolist(), strict=True):
        gap = abs(number * Fraction(2) ** exponent - Fraction(a) - Fraction(b))
        assert gap <= Fraction(2) ** (-shift - 1) * (1 + Fraction(1, 2**50))
    with pytest.raises(ValueError, match="bits"):
        r1.rounded_pair(np.array([2.0**113]), np.zeros(1), 0)


def test_a_wrong_product_is_refused():
    """A library that loses a panel of its products: nothing is proved."""

    def wrong(a, b):
        c = a @ b
        c[..., -1] *= 1 - 2.0**-20
        return c

    found = r1.certify_inverse_pair(Given(graded(8, spread(8, 60)), -60, backend=Backend(np, "numpy", wrong)))
    assert not found.proved and "product" in found.reason


def test_what_cannot_be_enclosed_is_undecided():
    class Refused(Given):
        def row_blocks(self):
            raise NotEnclosed("sin of a wide range")
            yield

    found = r1.certify_inverse_pair(Refused([[1]]))
    assert not found.proved and found.reason == "sin of a wide range"
    assert found.residual is None and r1.exact_witness(found, None) is None
    assert math.isfinite(found.sigma_lower)
