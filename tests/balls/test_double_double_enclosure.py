"""Enclosures in double-double: how narrow they are, their arithmetic against fractions, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import array_api_strict
import numpy as np
import pytest
from flint import arb
from planted import seeds
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.binary64 import row_enclosure
from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.enclosed import Enclosed
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.graph_arithmetic import Shared
from verifier.balls.binary64.products import Products
from verifier.balls.double_double import enclosure
from verifier.balls.double_double.elementary import INVERSE_ROOT
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.balls.double_double.graph_arithmetic import UNIT, DoubleDoubleBalls, PairNumbers
from verifier.balls.double_double.pair import ADD, DIVIDE, MULTIPLY, U2, Pair
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.experiments.architectures import build, connected
from verifier.network.graph import Feature
from verifier.network.initialise import initialise
from verifier.network.network import Network
from verifier.network.nodes import Input, Normalise

NUMPY = numpy_backend(1)
BACKENDS = [NUMPY, Backend(array_api_strict, "array-api-strict")]


def planted_pairs(rng, shape):
    """Pairs of many sizes with low parts."""
    hi = rng.standard_normal(shape) * 10.0 ** rng.integers(-9, 9, shape)
    return Pair(hi, hi * 2.0**-53 * rng.uniform(-0.9, 0.9, shape) / 2.0)


def exactly(x):
    """The numbers as fractions, an array of objects."""
    return np.vectorize(lambda h, low: Fraction(h) + Fraction(low), otypes=[object])(x.hi, x.lo)


def held(features, bits=256):
    """Whether every entry's ball by Arb is within its radius of the midpoint, and the largest radius."""
    balls = [row for _, block in FeatureEnclosure(features.network, features.u, features.inputs, bits).blocks()
             for row in block.tolist()]  # fmt: skip
    widest = 0.0
    with working_precision(bits):
        for rows, mid, radius in features.row_blocks():
            hi, lo, room = (np.asarray(part) for part in (mid.hi, mid.lo, radius))
            widest = max(widest, float(room.max()))
            for i, row in enumerate(balls[rows]):
                for j, ball in enumerate(row):
                    if not abs(ball - arb(float(hi[i, j])) - arb(float(lo[i, j]))) <= arb(float(room[j])):
                        return False, widest
    return True, widest


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_radii_are_some_2_53rd_of_those_in_binary64(kind):
    rng = np.random.default_rng(sorted(STEPS).index(kind))
    network = random_graph(rng, kinds=[kind, kind, "map", "affine"], steps=4)
    u, x = random_point(rng, network, count=2, scale=1.0)
    plain, pairs = FloatEnclosure(network, u, x, NUMPY), DoubleDoubleEnclosure(network, u, x, NUMPY)
    assert len(list(plain.row_blocks())) == len(list(pairs.row_blocks()))
    assert (np.asarray(pairs.row_norms()) <= 3e-15 * np.asarray(plain.row_norms()) + 1e-140).all()
    assert np.abs(pairs.approx() - plain.approx()).max() <= 1e-6 * np.abs(plain.approx()).max()
    assert pairs.precision == plain.precision + 64


@pytest.mark.parametrize(("name", "most"), [("fc2", 1e-26), ("vgg11", 1e-22), ("cnn13", 1e-20)])
def test_networks_of_the_paper(name, most):
    samples = 12
    network = connected(build(name, (1, 8, 8), samples, "sigmoid"), (1, 8, 8), samples, 0)
    x = np.random.default_rng(3).integers(0, 17, (samples, 64)) / 16.0
    found, widest = held(DoubleDoubleEnclosure(network, initialise(network, seed=1), x, NUMPY))
    assert found and widest < most


def test_blocks_of_rows(monkeypatch):
    rng = np.random.default_rng(7)
    network = random_graph(rng, kinds=["affine", "map"], steps=3)
    u, x = random_point(rng, network, count=5, scale=1.0)
    whole = DoubleDoubleEnclosure(network, u, x, NUMPY)
    assert held(whole)[0] and held(whole)[0]  # the second time from memory
    monkeypatch.setattr(DoubleDoubleEnclosure, "rows", 1)
    for name, size in (("BLOCK_BYTES", 1), ("BLOCK_ROWS", 1), ("CACHE_BYTES", 0)):
        monkeypatch.setattr(row_enclosure, name, size)
    parts = DoubleDoubleEnclosure(network, u, x, NUMPY)
    assert len(list(parts.row_blocks())) == 5 and held(parts)[0]
    assert (np.asarray(parts.row_norms()) <= 2.0 * np.asarray(whole.row_norms()) + 1e-140).all()


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@seeds(6)
def test_sums_and_means_against_fractions(rng, backend):
    numbers = PairNumbers(backend, Products())
    for count in (1, 2, 3, 7, 64, 129):
        x = planted_pairs(rng, (3, count))
        given = Pair(*(backend.asarray(part) for part in x))
        truth = exactly(x)
        sizes = np.abs(truth).sum(axis=-1)
        total = exactly(Pair(*(np.asarray(part) for part in numbers.total(given))))
        assert (np.abs(total - truth.sum(axis=-1)) <= Fraction(numbers.slack(0, total=count)) * sizes).all()
        mean = exactly(Pair(*(np.asarray(part) for part in numbers.mean(given, -1))))[..., 0]
        room = Fraction(numbers.slack(3, total=count)) * sizes / count
        assert (np.abs(mean - truth.sum(axis=-1) / count) <= room).all()


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@seeds(3)
def test_products_against_fractions(rng, backend):
    numbers = PairNumbers(backend, Products())
    for m, k, n in ((1, 1, 1), (2, 9, 3)):
        a, b = planted_pairs(rng, (m, k)), planted_pairs(rng, (k, n))
        left, right = (Pair(*(backend.asarray(part) for part in x)) for x in (a, b))
        found, truth = exactly(Pair(*map(np.asarray, numbers.matmul(left, right)))), exactly(a) @ exactly(b)
        room = numbers.slack(0, product=k) * np.linalg.norm(a.hi, axis=1)[:, None] * np.linalg.norm(b.hi, axis=0) * 1.01
        assert (np.abs(found - truth) <= np.vectorize(Fraction, otypes=[object])(room)).all()


def test_the_unit_covers_every_operation():
    """Two of them cover a quotient by a root, one a product with a rounded number."""
    assert max(ADD, MULTIPLY, DIVIDE, 3.0 + MULTIPLY) * U2 < UNIT
    assert (INVERSE_ROOT + MULTIPLY + 0.01) * U2 < 2.0 * UNIT < 32.0 * U2


@seeds(3)
def test_pairs_times_a_number(rng):
    numbers = PairNumbers(NUMPY, Products())
    x = planted_pairs(rng, (40,))
    for factor in (Fraction(3), Fraction(1, 3), Fraction(-4), Fraction(1, 8), Fraction(2**60 + 1)):
        number, exact = numbers.number(factor)
        away = np.abs(exactly(numbers.times(x, number)) - exactly(x) * factor)
        assert (away <= (0 if exact else Fraction(numbers.slack(1))) * np.abs(exactly(x) * factor)).all()


def test_what_is_not_finite_is_refused_in_either_part():
    """Halves of numbers from 2^996 on overflow: the high part of a product is finite, the low one is not."""
    ops = DoubleDoubleBalls(Shared(NUMPY, Products(), {}), np.zeros((1, 1)))
    for a, b in ((1e200, 1e200), (2.0**1000, 0.5), (np.inf, 1.0), (np.nan, 1.0)):
        with pytest.raises(NotEnclosed), np.errstate(all="ignore"):
            ops.multiply(*(Enclosed(ops.numbers.given(np.full((1, 2), value))) for value in (a, b)))


@seeds(6)
def test_numbers_and_their_roots(rng):
    numbers = PairNumbers(NUMPY, Products())
    for _ in range(20):
        value = Fraction(int(rng.integers(1, 2**60)), int(rng.integers(1, 2**60))) * Fraction(2) ** int(
            rng.integers(-300, 300)
        )
        (hi, lo), exact = numbers.number(-value)
        assert abs(Fraction(hi) + Fraction(lo) + value) <= Fraction(U2) * value and not exact
        (hi, lo), exact = numbers.number(value, root=True)
        assert abs((Fraction(hi) + Fraction(lo)) ** 2 - value) <= 6 * Fraction(U2) * value and not exact
        assert hi == hi + lo
    assert numbers.number(Fraction(1, 4), root=True) == (Pair(0.5, 0.0), True)
    assert numbers.number(Fraction(-8)) == (Pair(-8.0, 0.0), True)
    assert not any(numbers.number(value)[1] for value in (Fraction(2**60 + 1, 2**60), Fraction(3)))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_the_largest_pair_is_found_by_its_low_part(backend):
    numbers = PairNumbers(backend, Products())
    hi, lo = np.array([[1.0, 1.0, 0.5], [-1.0, -1.0, -2.0]]), np.array([[-(2.0**-60), 2.0**-70, 2.0**-56]] * 2)
    found = numbers.largest(Pair(backend.asarray(hi), backend.asarray(lo)))
    assert [np.asarray(part).tolist() for part in found] == [[1.0, -1.0], [2.0**-70, 2.0**-70]]


def test_tokens_and_masks_with_low_parts_are_refused():
    ops = DoubleDoubleBalls(Shared(NUMPY, Products(), {}), np.zeros((1, 1)))
    one, less = (Enclosed(Pair(np.ones((1, 2)), np.full((1, 2), low))) for low in (0.0, -(2.0**-60)))
    table = Enclosed(ops.numbers.given(np.arange(6.0).reshape(1, 3, 2)))
    assert ops.embed(one, table).mid.hi.tolist() == [[[2.0, 3.0], [2.0, 3.0]]]
    assert ops.softmax(one, one).mid.hi.tolist() == [[0.5, 0.5]]
    with pytest.raises(NotEnclosed, match="whole numbers"):
        ops.embed(less, table)
    with pytest.raises(NotEnclosed, match="not exactly 0 or 1"):
        ops.softmax(one, less)


def test_a_library_that_contracts_is_refused(monkeypatch):
    network = Network.of([Input(size=(3,)), Normalise((0,))], [Feature(1)])
    features = DoubleDoubleEnclosure(network, np.zeros(0), np.array([[1.0, 2.0, 4.0]]), NUMPY)
    assert held(features)[0]
    monkeypatch.setattr(enclosure, "not_error_free", lambda backend: np.True_)
    with pytest.raises(NotEnclosed, match="contracts or reassociates"):
        list(DoubleDoubleEnclosure(network, features.u, features.inputs, NUMPY).row_blocks())


def test_variances_beyond_the_range_of_roots_are_refused():
    network = Network.of([Input(size=(3,)), Normalise((0,))], [Feature(1)])
    for size, refused in ((1e100, False), (2.0**480, True)):
        features = DoubleDoubleEnclosure(network, np.zeros(0), np.array([[1.0, 2.0, 4.0]]) * size, NUMPY)
        if refused:
            with pytest.raises(NotEnclosed):
                list(features.row_blocks())
        else:
            assert held(features)[0]
