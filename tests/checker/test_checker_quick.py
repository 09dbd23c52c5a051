"""The quick ways of large cases enclose the exact truth."""

from fractions import Fraction as F
from random import Random
from time import process_time
from types import SimpleNamespace

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz_mat
from test_checker_network import random_case, read

from verifier.checker import network, products
from verifier.checker.claims import RankClaim
from verifier.checker.common import Exact, precision
from verifier.checker.features import Features
from verifier.checker.network import cut_blocks
from verifier.checker.products import multiply, multiply_plain, multiply_tall, ones, shape, short_factor
from verifier.checker.rounding import largest_error, largest_error_plain


@pytest.fixture
def always_quick(monkeypatch):
    """Take the quick way wherever the balls allow it, however small the matrices are."""
    monkeypatch.setattr(products, "CLASSICAL", 0)
    monkeypatch.setattr(products, "SHORTEST", 0)


def dyadic(random, scale, bits=40):
    """Return a random dyadic below 2^scale."""
    return F(random.randint(-(2**bits), 2**bits)) * F(2) ** (scale - bits)


def exact(value):
    return arb((value.numerator, 1 - value.denominator.bit_length()))


def planted(random, rows, columns, scale, radii):
    """Return a matrix of balls and, for each ball, one exact number in it: often an end."""
    balls, truth = [], []
    for _ in range(rows * columns):
        middle, radius = dyadic(random, scale), F(random.choice(radii))
        balls.append(arb(exact(middle), exact(radius)))
        truth.append(middle + radius * random.choice([-1, 1, 1, -1, 0, F(1, 3), F(-7, 8)]))
    return arb_mat(rows, columns, balls), [truth[i : i + columns] for i in range(0, len(truth), columns)]


def inside(ball, value):
    """Return whether a ball contains a fraction, exactly."""
    with precision(20_000):
        return (ball * value.denominator - value.numerator).contains(0)


def check_product(random, shape, scale, radii, weight_scale, bits=64):
    rows, inner, columns = shape
    left, truth = planted(random, rows, inner, scale, radii)
    integers = fmpz_mat(inner, columns, [random.randint(-(2**30), 2**30) for _ in range(inner * columns)])
    right = Exact(integers, weight_scale - 30, 31)
    with precision(bits):
        factor = short_factor(right.balls())
        found = multiply(left, factor)
        assert found.overlaps(multiply_plain(left, factor))
    unit = F(2) ** (weight_scale - 30)
    exactly = fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in truth]) * fmpq_mat(integers)
    for (i, j), value in zip(np.ndindex(rows, columns), exactly.entries(), strict=True):
        assert inside(found[i, j], F(int(value.p), int(value.q)) * unit), (shape, i, j)
    return found


RADII = {
    "none": [0],
    "narrow": [0, F(1, 2**64), F(1, 2**70)],
    "mixed": [0, F(1, 2**64), F(1, 2**9)],
    "wide": [3, F(1, 2), 10**9],
    "one wide": [0] * 40 + [7],
}


@pytest.mark.parametrize("radii", RADII)
@pytest.mark.parametrize("scale", [-300, -40, -1, 0, 3, 200])
@pytest.mark.usefixtures("always_quick")
def test_quick_products_contain_the_truth(scale, radii):
    random = Random(f"{scale} {radii}")
    for sides in ((1, 1, 1), (1, 9, 1), (1, 4, 7), (6, 1, 3), (5, 8, 4)):
        for weight_scale in (-500, 0, 1, 5, 400):
            for bits in (32, 54, 64):
                check_product(random, sides, scale, RADII[radii], weight_scale, bits)


@pytest.mark.usefixtures("always_quick")
def test_quick_products_at_the_ends_of_the_interval():
    """Everything in [-1, 1] or [-16, 16]: the midpoints are rounded to multiples of powers of two."""
    near = [F(1, 2**200), 1 - F(1, 2**90), -1 + F(1, 2**66)]
    for values in ([1, -1, 1], [0, 0, 0], near, [F(1, 2)] * 3, [16 * value for value in near]):
        left = arb_mat(1, 3, list(map(exact, map(F, values))))
        for weights in ([1, 1, 1], [2**300, -1, 3], [0, 0, 0], [F(1, 2**80), 1 - F(1, 2**70), -F(1, 3 * 2**8)]):
            with precision(200):
                right = arb_mat(3, 1, [arb(w.numerator) / w.denominator for w in map(F, weights)])
            with precision(50):
                found = multiply(left, short_factor(right))
            assert inside(found[0, 0], sum(F(v) * w for v, w in zip(values, weights, strict=True)))


def test_quick_products_of_real_size_keep_the_precision():
    found = check_product(Random(1), (40, 125, 121), 0, RADII["narrow"], 0, bits=54)
    widest = max(float(ball.rad()) for ball in found.entries())
    assert widest < 125 * 2 * 2.0**-54


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "bits"), [(40, 121, 121, 55), (39, 121, 121, 54), (40, 120, 121, 54)]
)
def test_small_products_and_long_numbers_are_arb_s_own(rows, inner, columns, bits):
    with precision(bits):
        left, right = ones(rows, inner) / 3, short_factor(ones(inner, columns) / 7)
        quick, plain = multiply(left, right), multiply_plain(left, right)
        assert quick.contains(plain) and plain.contains(quick)


@pytest.mark.parametrize("rows", [1, 7, products.TALL - 1, products.TALL])
@pytest.mark.parametrize(
    ("bits", "radii"), [(53, ("mixed", "none")), (53, ("none", "mixed")), (200, ("one wide", "mixed"))]
)
def test_rows_of_zeros_change_no_row(rows, bits, radii):
    left, truth = planted(Random(rows), rows, 9, 0, RADII[radii[0]])
    right, other = planted(Random(bits), 9, 11, 3, RADII[radii[1]])
    with precision(bits):
        found = multiply_tall(left, right)
    assert shape(found) == (rows, 11)
    for (i, j), line in zip(np.ndindex(rows, 11), found.entries(), strict=True):
        assert inside(line, sum(truth[i][k] * other[k][j] for k in range(9)))


def test_few_rows_of_a_large_product_are_as_quick_as_many():
    """Arb alone takes ten times as long for half as many rows."""
    factor = short_factor(Exact(fmpz_mat(400, 1000, [k % 8191 for k in range(400 * 1000)]), -16, 13).balls())
    seconds = {}
    for rows in (30, products.TALL):
        left = arb_mat(rows, 400, [arb((k % 255, -8)) for k in range(rows * 400)])
        for way in (multiply, multiply_plain):
            begun = process_time()
            way(left, factor)
            seconds[rows, way] = process_time() - begun
    for way in (multiply, multiply_plain):
        assert seconds[30, way] < 3 * seconds[products.TALL, way]


@pytest.mark.usefixtures("always_quick")
def test_the_quick_way_is_taken_and_pays_for_every_rounding(monkeypatch):
    """At very few bits each of the terms e b_j and K m f is most of the radius."""
    random, slow = Random(7), []
    monkeypatch.setattr(products, "multiply_plain", lambda *parts: slow.append(1) or multiply_plain(*parts))
    for guard in (-20, 0, 6):
        monkeypatch.setattr(products, "GUARD", guard)
        for scale in (0, 3, 9):
            for _ in range(20):
                left, truth = planted(random, 2, 3, scale, [0, 0, 0, F(1, 2**22)])
                weights = [[dyadic(random, 0) for _ in range(2)] for _ in range(3)]
                with precision(32):
                    right = arb_mat([[exact(w) for w in row] for row in weights])
                    found = multiply(left, short_factor(right))
                for i, j in np.ndindex(2, 2):
                    assert inside(found[i, j], sum(truth[i][k] * weights[k][j] for k in range(3)))
    assert 0 < len(slow) < 90, "of 180"


@pytest.mark.usefixtures("always_quick")
def test_quick_products_of_infinite_balls_are_not_finite():
    for bad in (arb("nan"), arb("inf"), arb(0, "inf"), arb("-inf")):
        left = arb_mat(2, 2, [arb(1), bad, arb(1), arb(1)])
        with precision(50):
            products_of = multiply(left, short_factor(ones(2, 2))), multiply(ones(2, 2), short_factor(left))
        for found in products_of:
            assert not found[0, 1].is_finite()
        assert not products_of[0][0, 0].is_finite()


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.usefixtures("always_quick")
def test_quick_forward(seed):
    """Networks against Fractions, all products the quick way where the balls allow it."""
    builder, inputs, document, truth = random_case(seed)
    net = read(builder, inputs, document)
    for bits, room in ((300, 2.0**-60), (54, 2.0**-20)):
        with precision(bits):
            rows = Features(net).rows(list(range(net.samples)))
        for row, expected in zip(rows, truth, strict=True):
            for ball, value in zip(row, expected, strict=True):
                assert inside(ball, value)
                assert (ball - exact_near(value)).abs_upper() < room * (1 + abs(value))


def exact_near(value):
    with precision(300):
        return arb(value.numerator) / value.denominator


@pytest.mark.parametrize("k", [1, 24, 31, 40, 60, 3000])
@pytest.mark.parametrize("radius", [0, F(1, 2**64), F(1, 2**30), F(5, 2)])
def test_rounded_features_are_near(k, radius):
    """2^k z is within e of a for the midpoint and both ends, whichever way e was found."""
    for scale in (-1100, -400, -30, 0, 5):
        random = Random(f"{k} {radius} {scale}")
        left, _ = planted(random, 3, 5, scale, [radius])
        claim = object.__new__(RankClaim)
        claim.raw, claim.used = SimpleNamespace(feature_bits=k, path=""), 5
        with precision(64):
            integers, error = claim.round(left.entries(), 3)
        for z, a in zip(left.entries(), integers.entries(), strict=True):
            with precision(20_000):
                assert (z * arb((1, k)) - arb(a)).abs_upper() <= error
        if radius == 0:
            assert error <= 0.5 + 2.0**-11


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("samples", [1, 2, 7, 300])
def test_blocks_are_a_partition(samples, jobs, monkeypatch):
    monkeypatch.setattr(network, "BLOCK_WORDS", 18_000)
    random = Random(samples)
    for units in (1, 90, 5000):
        labels = [random.randrange(4) for _ in range(samples)]
        net = SimpleNamespace(samples=samples, units=units, widest=1)
        blocks = cut_blocks(net, labels, jobs, 64)
        assert sorted(sample for block in blocks for sample in block) == list(range(samples))
        assert max(map(len, blocks)) <= max(1, 1000 // units)
        assert [labels[s] for block in blocks for s in block] == sorted(labels)
        for bits, others, rows in ((64, 9000, 1), (16_384, 1, 18_000 // (273 * units)), (16_384, 9000, 1)):
            blocks = cut_blocks(net, labels, jobs, bits, others)
            assert sorted(sample for block in blocks for sample in block) == list(range(samples))
            assert max(map(len, blocks)) <= max(1, rows), "balls of more digits, fewer of them"
        larger = cut_blocks(net, labels, jobs, 64, 0, 72_000)
        assert sorted(sample for block in larger for sample in block) == list(range(samples))
        assert max(map(len, larger)) <= max(1, 2000 // units)
        if samples > 2000 // units:
            assert max(map(len, larger)) > 1000 // units, "beside 72,000 numbers there may be twice as many"


@pytest.mark.parametrize("size", [0, F(1, 4), F(1, 2), F(1, 2) + F(1, 2**14), F(51, 100), 7])
def test_the_quick_bound_of_rounding_errors_is_no_less_than_the_plain_one(size):
    """And at most the half that it stands for, or equal."""
    random = Random(f"{size}")
    for _ in range(20):
        rows, columns = random.randint(1, 4), random.randint(1, 4)
        entries = [random.choice([-1, 1, 0, F(1, 3)]) * F(size) for _ in range(rows * columns)]
        entries[0] = F(size)
        distance = arb_mat(rows, columns, [exact(F(int(v * 2**20), 2**20)) for v in entries])
        plain, quick = largest_error_plain(distance), largest_error(distance)
        assert quick >= plain
        assert quick == plain or quick <= 0.5 + 2.0**-11
