"""Arithmetic on pairs of binary64 numbers against exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import array_api_strict
import numpy as np
import pytest

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.bounds import TINY
from verifier.balls.double_double import pair
from verifier.balls.double_double.pair import U2, Pair

STRICT = Backend(array_api_strict, "array-api-strict")
BACKENDS = [numpy_backend(1), STRICT]
POINTS = 1500

OPERATIONS = {
    "add": (pair.ADD, 0.9, lambda x, y: x + y),
    "subtract": (pair.ADD, 0.9, lambda x, y: x - y),
    "multiply": (pair.MULTIPLY, 1.5, lambda x, y: x * y),
    "divide": (pair.DIVIDE, 2.0, lambda x, y: x / y),
    "add_float": (pair.ADD_FLOAT, 0.8, lambda x, y: x + y),
    "times_float": (pair.TIMES_FLOAT, 0.8, lambda x, y: x * y),
}
"""The claimed error, an error that occurs, and the exact operation."""


def near(rng, count, reach):
    """Numbers at and beside powers of two, short ones, and any."""
    kind = rng.integers(4, size=count)
    base = np.where(kind == 0, 1.0, np.where(kind == 1, rng.integers(1, 9, count), 1.0 + rng.random(count)))
    base = np.where(kind == 2, np.nextafter(base, rng.choice([0.0, 4.0], count)), base)
    base = np.where(kind == 3, 1.0 + rng.random(count) * 2.0**-12, base)
    return np.ldexp(base, rng.integers(-reach, reach + 1, count)) * rng.choice([-1.0, 1.0], count)


def pairs(rng, count, reach=3):
    """Pairs with low parts of any size, at the edge of what is allowed, and zero."""
    hi = near(rng, count, reach)
    size = np.spacing(np.abs(hi)) * rng.choice([0.0, 0.5, 0.25, 2.0**-20, 2.0**-60], count)
    lo = size * np.where(rng.integers(4, size=count) == 0, 1.0, rng.random(count)) * rng.choice([-1.0, 1.0], count)
    return pair.two_sum(hi, np.where(hi + lo == hi, lo, 0.0))


def partners(rng, x):
    """A second operand: any pair, or one that nearly cancels the first."""
    other = pairs(rng, len(x.hi))
    close = pair.add_float(Pair(-x.hi, -x.lo), x.hi * rng.choice([0.0, 2.0**-52, 2.0**-100, 2.0**-30], len(x.hi)))
    kind = rng.integers(4, size=len(x.hi)) == 0
    return Pair(*(np.where(kind & (close.hi != 0.0), c, o) for c, o in zip(close, other, strict=True)))


def fractions(x):
    return [Fraction(a) + Fraction(b) for a, b in zip(x.hi.tolist(), x.lo.tolist(), strict=True)]


def on(backend, x):
    return Pair(*(backend.asarray(part) for part in x))


def off(backend, x):
    return Pair(*(backend.numpy(part) for part in x))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_their_relative_errors(name, backend):
    claimed, seen, exact = OPERATIONS[name]
    rng = np.random.default_rng(len(name))
    x = pairs(rng, POINTS)
    y = partners(rng, x)
    floats = name.endswith("float")
    second = backend.asarray(y.hi) if floats else on(backend, y)
    found = off(backend, getattr(pair, name)(on(backend, x), second))
    assert (found.hi + found.lo == found.hi).all()
    other = fractions(Pair(y.hi, 0.0 * y.lo) if floats else y)
    wanted = [exact(a, b) for a, b in zip(fractions(x), other, strict=True)]
    errors = [
        float(abs(got - want) / abs(want) / Fraction(U2)) if want else float(got)
        for got, want in zip(fractions(found), wanted, strict=True)
    ]
    assert max(errors) <= claimed
    assert max(errors) >= seen  # the points are hard ones


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_transformations_are_exact(backend):
    rng = np.random.default_rng(5)
    a, b = near(rng, POINTS, 300), near(rng, POINTS, 300)
    mixed = np.where(np.abs(a) >= np.abs(b), a, b), np.where(np.abs(a) >= np.abs(b), b, a)
    for transform, exact, (x, y) in (
        (pair.two_sum, Fraction.__add__, (a, b)),
        (pair.fast_two_sum, Fraction.__add__, mixed),
        (pair.two_product, Fraction.__mul__, (a, b)),
        (pair.two_product, Fraction.__mul__, (a, a)),
    ):
        there = backend.asarray(x)
        found = off(backend, transform(there, there if x is y else backend.asarray(y)))
        for hi, lo, p, q in zip(found.hi.tolist(), found.lo.tolist(), x.tolist(), y.tolist(), strict=True):
            want = exact(Fraction(p), Fraction(q))
            assert hi == float(want) and Fraction(hi) + Fraction(lo) == want


def test_what_underflows_is_within_the_allowance():
    rng = np.random.default_rng(6)
    x, y = pairs(rng, 300), pairs(rng, 300)
    for down in (-400, -500, -530):
        a, b = pair.scaled(x, down), pair.scaled(y, down)
        for found, wanted in (
            (pair.multiply(a, b), [p * q for p, q in zip(fractions(a), fractions(b), strict=True)]),
            (pair.times_float(a, b.hi), [p * Fraction(q) for p, q in zip(fractions(a), b.hi.tolist(), strict=True)]),
        ):
            for got, want in zip(fractions(found), wanted, strict=True):
                assert abs(got - want) <= 9 * Fraction(U2) * abs(want) + Fraction(TINY)


def test_what_overflows_is_not_finite():
    backend, big = BACKENDS[0], np.array([2.0**1023, -(2.0**1010), 1.5 * 2.0**1000])
    with np.errstate(all="ignore"):
        x, one = pair.of_floats(np, big), pair.of_floats(np, np.ones(3))
        wrong = [pair.multiply(x, x), pair.square(x), pair.times_float(x, big), pair.multiply(x, one)]
        wrong += [pair.add(Pair(big[:1], np.zeros(1)), Pair(big[:1], np.zeros(1))), pair.scaled(x, 100)]
        zero, bad = pair.of_floats(np, np.zeros(3)), pair.of_floats(np, np.full(3, np.nan))
        endless = pair.of_floats(np, np.full(3, np.inf))
        wrong += [pair.divide(one, zero), pair.divide(zero, zero), pair.divide(one, endless)]
        wrong += [f(one, bad) for f in (pair.add, pair.multiply, pair.divide)]
    for found in wrong:
        assert not np.isfinite(found.hi + found.lo).any()
        assert not pair.all_finite(backend, found)
    assert pair.all_finite(backend, one) and not pair.all_finite(backend, Pair(np.ones(1), np.array([np.nan])))


def test_exact_passages():
    x = pairs(np.random.default_rng(7), 40)
    for power in (-30, 0, 70):
        assert fractions(pair.scaled(x, power)) == [v * Fraction(2) ** power for v in fractions(x)]
    assert fractions(pair.negate(x)) == [-v for v in fractions(x)]
    assert fractions(pair.of_floats(np, x.hi)) == [Fraction(v) for v in x.hi.tolist()]
    with pytest.raises(ValueError, match=r"scaled by 2\^1001: the exponent must be in -1000..1000"):
        pair.scaled(x, 1001)


@pytest.mark.parametrize("threads", [1, 3])
def test_maps_visit_every_entry_once(threads):
    backend = Backend(numpy_backend(1).xp, "numpy", threads=threads, chunk=40)
    x, y = (pairs(np.random.default_rng(seed), 60) for seed in (8, 9))
    shaped = [Pair(*(np.reshape(part, (4, 15)) for part in value)) for value in (x, y)]
    found = pair.map_pairs(backend, pair.add, *shaped)
    assert found.hi.shape == (4, 15)
    assert fractions(Pair(found.hi.ravel(), found.lo.ravel())) == fractions(pair.add(x, y))


@dataclass(eq=False)
class Extended(Backend):
    """A library that computes in 80 bits, or contracts: its rests are not those of binary64."""

    def asarray(self, values):
        return np.asarray(values, dtype=np.longdouble)


def test_a_library_that_is_not_free_of_errors_is_found():
    for backend in BACKENDS:
        assert not bool(pair.not_error_free(backend))
    assert bool(pair.not_error_free(Extended(np, "extended")))
