"""Products of matrices of pairs against exact integer products, and what they rest on."""

from __future__ import annotations

import math
from fractions import Fraction

import array_api_strict
import numpy as np
import pytest
from test_pair_arithmetic import fractions, near, off, on

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.bounds import TINY
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.products import Products
from verifier.balls.double_double import pair, products, slices
from verifier.balls.double_double.pair import Pair
from verifier.balls.exact import ExactArray
from verifier.balls.limbs import compact

NUMPY = numpy_backend(1)
BACKENDS = [NUMPY, Backend(array_api_strict, "array-api-strict")]
BITS = (40, 75, 100)
"""One, two and three slices."""


def matrix(rng, *shape, spread=0, reach=2):
    """Pairs whose rows and columns differ by powers of two up to 2^spread, entries by 2^reach."""
    hi = near(rng, math.prod(shape), reach).reshape(shape)
    lo = np.spacing(np.abs(hi)) * (rng.random(shape) - 0.5)
    found = pair.two_sum(hi, lo)
    for axis in (-1, -2):
        sizes = [n if k == axis % len(shape) else 1 for k, n in enumerate(shape)]
        factor = np.ldexp(1.0, rng.integers(-spread, spread + 1, sizes))
        found = Pair(found.hi * factor, found.lo * factor)
    return found


def exact(x):
    """A matrix of pairs as integers over a power of two: a FLINT matrix and the exponent."""
    return ExactArray(x.hi.shape, tuple(compact(np.array(part, order="C")) for part in x)).fmpz_mat()


def exact_product(a, b):
    (p, e), (q, f) = exact(a), exact(b)
    product = p * q
    unit = Fraction(2) ** (e + f)
    return [[int(v) * unit for v in row] for row in product.tolist()]


def rows_of(x):
    return np.reshape(np.array(fractions(Pair(x.hi.ravel(), x.lo.ravel())), dtype=object), x.hi.shape).tolist()


def norms(rows):
    return [math.sqrt(sum(v * v for v in row)) if any(row) else 0.0 for row in rows]


def reach(found, a, b, kappa):
    """The largest error in units of what is allowed, kappa times the norms of a row and a column plus TINY."""
    left, right = norms(rows_of(a)), norms(rows_of(Pair(b.hi.T, b.lo.T)))
    worst = 0.0
    for got, want, size in zip(rows_of(found), exact_product(a, b), left, strict=True):
        for g, w, other in zip(got, want, right, strict=True):
            allowed = Fraction(kappa) * Fraction(size) * Fraction(other) * (1 + Fraction(1, 2**40)) + Fraction(TINY)
            worst = max(worst, float(abs(g - w) / allowed))
    return worst


def multiplied(backend, a, b, bits, record=None):
    record = Products() if record is None else record
    return off(backend, products.matmul(backend, on(backend, a), on(backend, b), record, bits=bits))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 2), (1, 5, 1), (4, 33, 3), (2, 300, 2), (1, 1025, 1)])
def test_products_keep_their_bounds(shape, backend):
    m, k, n = shape
    rng = np.random.default_rng(k)
    for bits in BITS:
        kappa = products.relative_error(k, bits)
        for spread, entries in ((0, 0), (80, 30)):
            a, b = matrix(rng, m, k, spread=spread, reach=entries), matrix(rng, k, n, spread=spread, reach=entries)
            record = Products()
            found = multiplied(backend, a, b, bits, record)
            assert (found.hi + found.lo == found.hi).all()
            assert reach(found, a, b, kappa) <= 1.0
        require(record)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_long_and_wide_factors_are_cut_into_pieces(backend, monkeypatch):
    monkeypatch.setattr(products, "LENGTH", 16)
    monkeypatch.setattr(products, "COLUMNS", 3)
    monkeypatch.setattr(products, "ROWS", 2)
    monkeypatch.setattr(products, "BLOCK", 32)
    monkeypatch.setattr(backend, "chunk", 20)
    products.plan.cache_clear()
    rng = np.random.default_rng(1)
    a, b = matrix(rng, 5, 50), matrix(rng, 50, 4)
    for bits in BITS:
        kappa = products.relative_error(50, bits)
        assert reach(multiplied(backend, a, b, bits), a, b, kappa) <= 1.0
    assert kappa > 3 * 3.01 * pair.U2  # three sums of pairs
    products.plan.cache_clear()


def test_the_wanted_bits_are_reached():
    for k in (1, 2, 31, 257, 1200, 1536):
        found = [products.relative_error(k, bits) for bits in (40, 59, 75, 100)]
        assert found == sorted(found, reverse=True)
        assert all(kappa <= 2.0**-bits for kappa, bits in zip(found, (40, 59, 75, 100), strict=True))
    assert products.relative_error(100_000) <= 2.0**-98
    assert products.relative_error(10, 200) == products.relative_error(10)  # as far as pairs reach
    assert products.relative_error(0) == products.relative_error(1)


def cut_into(x, cut, right):
    return slices.sliced(NUMPY, x, cut, slices.memory(NUMPY, cut, x.hi.size), right=right)


def planted_lines(cut, rng, count, right):
    """Lines whose slices are as large as they may be: all but the first at 2^(beta - 1), less an odd number."""
    k, q = cut.length, cut.slices
    top = 2 ** (cut.bits - 1)
    rest = (1 - top * 2.0 ** -cut.exponent(1) * 2.0) if q > 1 else 1.0
    first = max(1, int(rest * 2.0**slices.FIRST / math.sqrt(k) - 1))
    parts = [np.full((count, k), first)] + [top - rng.integers(1, 4, (count, k)) for _ in range(q - 1)]
    exponents = [cut.exponent(s) for s in range(q)]
    total = [[sum(int(p[i, j]) << exponents[-1] - e for p, e in zip(parts, exponents, strict=True)) for j in range(k)]
             for i in range(count)]  # fmt: skip
    unit = Fraction(1, 2 ** exponents[-1])
    hi = np.array([[float(v * unit) for v in row] for row in total])
    lo = np.array([[float(v * unit - Fraction(h)) for v, h in zip(row, line, strict=True)]
                   for row, line in zip(total, hi.tolist(), strict=True)])  # fmt: skip
    return Pair(hi.T, lo.T) if right else Pair(hi, lo)


@pytest.mark.parametrize("length", [1, 2, 130, 511, 512, 1536])
def test_products_of_the_largest_slices_are_exact(length):
    """Of planted slices at their bounds, with odd integers: one bit more, and sums above 2^53 would be rounded."""
    rng = np.random.default_rng(length)
    for count in (1, 2, 3):
        cut = slices.cut_of(length, count)
        left = cut_into(planted_lines(cut, rng, 2, False), cut, right=False)
        right = cut_into(planted_lines(cut, rng, 2, True), cut, right=True)
        for x, y in list(zip(left.slots, right.slots, strict=True))[:-2]:
            want = np.array(x.astype(np.int64), dtype=object) @ np.array(y.astype(np.int64), dtype=object)
            assert (x == np.trunc(x)).all() and (NUMPY.matmul(x, y).astype(np.int64) == want).all()
            assert int(np.array(want).max()) <= 2**53


@pytest.mark.parametrize("count", [1, 2, 3])
def test_cuts_meet_their_condition_and_bounds(count):
    rng = np.random.default_rng(count)
    for length in (1, 5, 64, 700):
        cut = slices.cut_of(length, count)
        x = matrix(rng, 3, length, spread=10, reach=6)
        found = cut_into(x, cut, right=False)
        whole = rows_of(x)
        for i, sigma in enumerate(found.sigma[:, 0].tolist()):
            scaled = [v / Fraction(sigma) for v in whole[i]]
            assert norms([scaled])[0] < 1.0 <= 2.01 * norms([scaled])[0]
            for s in range(count):
                values = [Fraction(v) / 2 ** cut.exponent(s) for v in found.slots[s][i].tolist()]
                assert norms([values])[0] <= cut.size(s)
                scaled = [v - w for v, w in zip(scaled, values, strict=True)]
            assert norms([scaled])[0] <= cut.rest
    for wrong in ((0, 1), (slices.LENGTH + 1, 1), (5, 0), (5, 4)):
        with pytest.raises(ValueError, match=r"cut_of\(\d+, \d\): the length must be in 1..1536, slices in 1..3"):
            slices.cut_of(*wrong)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_what_cancels_keeps_its_bits(backend):
    """[P, -P] [S + 2^-70 T; S] = 2^-70 P T: all 53 bits of the high parts cancel."""
    rng = np.random.default_rng(70)
    p, s, t = matrix(rng, 4, 40), matrix(rng, 40, 3), matrix(rng, 40, 3)
    moved = Pair(s.hi, pair.two_sum(0.0 * s.hi, 2.0**-70 * t.hi).hi)  # S is of float64 numbers
    a = Pair(np.hstack([p.hi, -p.hi]), np.hstack([p.lo, -p.lo]))
    b = Pair(np.vstack([moved.hi, s.hi]), np.vstack([moved.lo, 0.0 * s.lo]))
    found = multiplied(backend, a, b, 100)
    for got, want in zip(rows_of(found), exact_product(a, b), strict=True):
        for g, w in zip(got, want, strict=True):
            assert w != 0 and abs(g - w) <= Fraction(2.0**-25) * abs(w)
    assert reach(found, a, b, products.relative_error(80)) <= 1.0


def unimodular(rng, n):
    """An integer matrix of determinant 1, and its inverse."""
    lower = np.tril(rng.integers(-2, 3, (n, n)), -1).astype(object) + np.eye(n, dtype=object)
    inverse = np.eye(n, dtype=object)
    for _ in range(n):
        inverse = np.eye(n, dtype=object) + inverse - lower @ inverse
    return lower @ lower.T, inverse.T @ inverse


def of_integers(values):
    hi = np.array([[float(v) for v in row] for row in values])
    lo = np.array([[float(v - int(h)) for v, h in zip(row, line, strict=True)]
                   for row, line in zip(values, hi, strict=True)])  # fmt: skip
    return Pair(hi, lo)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_matrix_times_its_inverse(backend):
    """Of an ill-conditioned integer matrix: I for the exact inverse, and I + A E for one that is off by E."""
    rng = np.random.default_rng(3)
    whole, inverse = unimodular(rng, 16)
    a, x = of_integers(whole), of_integers(inverse)
    assert np.linalg.norm(a.hi) * np.linalg.norm(x.hi) > 1e9
    found = multiplied(backend, a, x, 100)
    assert (found.hi == np.eye(16)).all() and not found.lo.any()
    moved = pair.add_float(x, np.ldexp(rng.standard_normal((16, 16)), -60))
    found = multiplied(backend, a, moved, 100)
    assert reach(found, a, moved, products.relative_error(16)) <= 1.0


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_stacks_and_floats_are_multiplied_alike(backend, monkeypatch):
    rng = np.random.default_rng(11)
    a, b = matrix(rng, 3, 4, 9, spread=5), matrix(rng, 3, 9, 2, spread=5)
    record = Products()
    monkeypatch.setattr(backend, "chunk", 30)
    for bits in BITS:
        kappa = products.relative_error(9, bits)
        found = off(backend, products.matmul_stack(backend, on(backend, a), on(backend, b), record, bits=bits))
        for i in range(3):
            one = [Pair(x.hi[i], x.lo[i]) for x in (found, a, b)]
            assert reach(*one, kappa) <= 1.0
        x, w = Pair(a.hi[0], a.lo[0]), Pair(b.hi[0], 0.0 * b.lo[0])
        found = off(backend, products.matmul(backend, on(backend, x), backend.asarray(w.hi), record, bits=bits))
        assert reach(found, x, w, kappa) <= 1.0
    require(record)
    with pytest.raises(TypeError, match="a factor of float32: double-double multiplies float64 only"):
        products.matmul(NUMPY, np.ones((1, 1), dtype=np.float32), np.ones((1, 1)), record)


def test_empty_products_and_zero_lines():
    for m, k, n in ((0, 3, 2), (2, 0, 3), (2, 3, 0)):
        found = products.matmul(NUMPY, np.ones((m, k)), np.ones((k, n)), Products())
        assert found.hi.shape == (m, n) and not found.hi.any() and not found.lo.any()
    assert products.matmul_stack(NUMPY, np.ones((0, 2, 3)), np.ones((0, 3, 1)), Products()).hi.shape == (0, 2, 1)
    a, b = np.array([[0.0, 0.0], [1.0, 2.0**-1060]]), np.array([[3.0, 0.0], [2.0**-1074, 0.0]])
    found = products.matmul(NUMPY, a, b, Products())
    assert found.hi.tolist() == [[0.0, 0.0], [3.0, 0.0]] and np.abs(found.lo).max() <= TINY


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 2.0**500, 2.0**-902, 5e-324])
def test_what_cannot_be_cut_is_refused(wrong, backend):
    """Entries that are not finite, too large, or too small to be the largest of their line."""
    x = np.array([[1.0, 2.0], [wrong, 0.0]])
    for a, b in ((x, np.eye(2)), (np.eye(2), x.T)):
        with pytest.raises(NotEnclosed):
            products.matmul(backend, backend.asarray(a), backend.asarray(b), Products())
    low = Pair(np.ones((1, 1)), np.full((1, 1), wrong))
    if not 0.0 <= wrong < 1.0:
        with pytest.raises(NotEnclosed, match="not finite, or the parts of its pairs overlap"):
            products.matmul(backend, on(backend, low), backend.asarray(np.ones((1, 1))), Products())
    with pytest.raises(NotEnclosed):
        products.matmul(NUMPY, Pair(np.ones((1, 1)), np.full((1, 1), 2.0**-52)), np.ones((1, 1)), Products())


def in_single(a, b):
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.float64)


def without_last(a, b):
    return a[:, :-1] @ b[:-1]


def twice_accumulated(a, b):
    """Strassen's first step: a matrix and its like are added before they are multiplied."""
    half = a.shape[1] // 2
    both = (a[:, :half] + a[:, half:]) @ (b[:half] + b[half:])
    return both - a[:, :half] @ b[half:] - a[:, half:] @ b[:half]


@pytest.mark.parametrize("product", [in_single, without_last, twice_accumulated])
def test_wrong_products_are_refused(product):
    """At the shape in use and through the slots' own products."""
    rng = np.random.default_rng(4)
    record, backend = Products(), Backend(np, "numpy", product=lambda a, b: product(a, b))
    products.matmul(backend, matrix(rng, 6, 20), matrix(rng, 20, 6), record)
    with pytest.raises(NotEnclosed, match="refused"):
        require(record)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_products_that_are_not_finite_are_refused(wrong):
    backend = Backend(np, "numpy", product=lambda a, b: np.where(a @ b > 0.0, wrong, 0.0))
    with pytest.raises(NotEnclosed, match="a product in double-double is not finite"):
        products.matmul(backend, np.eye(3), np.eye(3), Products())


def test_a_library_that_contracts_is_refused(monkeypatch):
    monkeypatch.setattr(products, "not_error_free", lambda backend: True)
    record = Products()
    products.matmul(NUMPY, np.eye(2), np.eye(2), record)
    with pytest.raises(NotEnclosed, match="not transformed without error"):
        require(record)


def test_slots_lie_alike():
    """The canary tests one layout for all products of a call."""
    record = Products()
    products.matmul(NUMPY, matrix(np.random.default_rng(2), 7, 13), matrix(np.random.default_rng(3), 13, 5), record)
    assert len(record.used) == 1
