"""Exact dyadic numbers and arrays: nothing is rounded on the way in or out, and bounds are on the right side."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st
from planted import fraction

from verifier.balls.exact import Dyadic, ExactArray, about, at_least, at_most, exactly, lower_float, upper_float
from verifier.balls.limbs import in_smallest_type, limbs
from verifier.balls.stated import round_down, round_up
from verifier.errors import DataError

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.integers(-(2**200), 2**200), min_size=1, max_size=6), st.integers(-3000, 3000))
@example([-(2**63), 2**63 - 1, -(2**62), 2**62], 0)
@example([-(2**124), -1, 0], 5)
@example([0, 0], 7)
def test_any_integers_are_held_exactly(numbers, exponent):
    array = ExactArray.of_integers(numbers, (len(numbers),), exponent)
    found, common = array.integers()
    assert [n * Fraction(2) ** common for n in found] == [n * Fraction(2) ** exponent for n in numbers]


@given(st.lists(finite, min_size=1, max_size=6))
@example([5e-324, 1.7976931348623157e308, -2.2250738585072014e-308])
@example([32768.0, -32768.0])
@example([127.5, 128.0])
@example([-0.0])
def test_any_floats_are_held_exactly(values):
    array = ExactArray.of_floats(np.array(values))
    found, common = array.integers()
    assert [n * Fraction(2) ** common for n in found] == [Fraction(v) for v in values]


@given(finite)
def test_dyadic_of_a_float_is_that_float(value):
    exact = Dyadic.of_float(value)
    assert exact.fraction() == Fraction(value) == fraction(exact.arb())
    assert float(exact) == value
    assert Dyadic.of_arb(exact.arb()).fraction() == Fraction(value)


def test_dyadic_far_outside_binary64_prints_and_converts():
    assert float(Dyadic(3, 5000)) == math.inf and float(Dyadic(-3, 5000)) == -math.inf
    assert float(Dyadic(3, -5000)) == 0.0
    assert about(Dyadic(1, -1000)) == "9.33e-302" and about(arb(1) / 3) == "0.333"


def test_dyadic_has_no_text_without_a_direction():
    for text in (str, "{}".format, "{:.3g}".format, lambda x: f"{x}", lambda x: f"{x!s}"):
        with pytest.raises(TypeError, match=r"at_least.*at_most.*about"):
            text(Dyadic(3, -4))
    assert f"{Dyadic(3, -4)!r}" == "Dyadic(3 * 2^-4, about 0.188)"


def test_chosen_numbers_are_printed_exactly():
    assert exactly(Dyadic(1, -4)) == "0.0625" and exactly(Dyadic(1, 12)) == "4096" and exactly(Dyadic(5, -1)) == "2.5"
    assert exactly(Dyadic(1, -40)) == "2^-40" and exactly(Dyadic(3, 90)) == "3 * 2^90"


def test_numbers_beyond_all_decimals_are_printed_on_their_side():
    for exponent in (10**7, 10**300):
        huge, tiny = Dyadic(3, exponent), Dyadic(3, -exponent)
        assert (at_least(huge), at_most(huge), about(huge)) == ("1e+300000", "inf", "inf")
        assert (at_least(tiny), at_most(tiny), about(tiny)) == ("0", "1e-300000", "0")
        huge, tiny = Dyadic(-3, exponent), Dyadic(-3, -exponent)
        assert (at_least(huge), at_most(huge), about(huge)) == ("-inf", "-1e+300000", "-inf")
        assert (at_least(tiny), at_most(tiny), about(tiny)) == ("-1e-300000", "0", "0")
        assert exactly(Dyadic(1, exponent)) == f"2^{exponent}" and repr(huge).endswith("about -inf)")
    assert at_most(math.nan, below=1) == "nan" and at_least(Dyadic(0, 10**300)) == "0"
    assert at_most(arb((1, 10**300)) + arb(0, 1)) == "inf"


def test_an_upper_bound_stays_below_what_it_is_compared_with():
    close = Fraction(999_999, 1_000_000)
    assert at_most(close) == "1" and at_most(close, below=1) == "0.999999"
    assert at_most(Fraction(3, 2), below=1) == "1.5" and at_most(Fraction(1), below=1) == "1"


@pytest.mark.parametrize("ball", [arb(0, 1), arb("nan"), arb("inf"), arb(0, "inf")])
def test_dyadic_refuses_balls_that_are_not_numbers(ball):
    with pytest.raises(ValueError, match="exact finite"):
        Dyadic.of_arb(ball)


def test_bounds_of_balls_that_are_not_finite_bound_nothing():
    for ball in (arb("nan"), arb(0, "inf"), arb(5, "inf")):
        assert lower_float(ball) == -math.inf and upper_float(ball) == math.inf
        for bound in (round_down, round_up):
            with pytest.raises(ValueError):
                bound(ball)


def test_bounds_leave_out_overflow_and_underflow():
    huge, tiny = arb((1, 3000)), arb((1, -3000))
    assert lower_float(huge) == 1.7976931348623157e308 and upper_float(huge) == math.inf
    assert lower_float(-huge) == -math.inf and upper_float(-huge) == -1.7976931348623157e308
    assert lower_float(tiny) <= 0.0 < upper_float(tiny) and lower_float(-tiny) < 0.0 <= upper_float(-tiny)


def test_one_matrix_product_with_limbs_is_exact():
    entries = [3**60, -(5**40), 7**30, -1]
    matrix, exponent = ExactArray.of_integers(entries, (2, 2), -9).fmpz_mat()
    square = (matrix * matrix).tolist()
    assert int(square[0][0]) * Fraction(2) ** (2 * exponent) == (3**120 - 5**40 * 7**30) * Fraction(2) ** -18


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "at least one term"),
        (((np.zeros(3), 0),), "shape"),
        (((np.array([1.0, np.nan]), 0),), "NaN"),
        (((np.array([1.0, np.inf]), 0),), "NaN"),
        (((np.zeros(2, dtype=np.longdouble), 0),), "float128|longdouble|dtype"),
        (((np.zeros(2, dtype=complex), 0),), "dtype"),
        (((np.zeros(2, dtype=bool), 0),), "dtype"),
        (((np.array([1, None]), 0),), "dtype"),
        (((np.zeros(2), np.int64(3)),), "exponent"),
        (((np.zeros(2), 0.5),), "exponent"),
    ],
)
def test_unusable_terms_are_refused(terms, message):
    with pytest.raises(ValueError, match=message):
        ExactArray((2,), terms)


def test_wide_numbers_are_held_instead_of_rounded():
    third = np.array([1 / np.longdouble(3), 1])
    held = ExactArray.of_floats(third).integers()
    assert [Fraction(n) * Fraction(2) ** held[1] for n in held[0]] == [Fraction(*x.as_integer_ratio()) for x in third]
    tests = ([[2**53 + 1, 0.5]], [[2**53 + 1, 2**62 + 1]], [[Fraction(1, 4), -(2**70) - 1]])
    for numbers in (*tests, np.array(tests[1])):
        array = ExactArray.of_floats(numbers)
        numerators, exponent = array.integers()
        assert array.shape == (1, 2)
        assert [Fraction(n) * Fraction(2) ** exponent for n in numerators] == [
            Fraction(x) for x in np.array(numbers, dtype=object)[0]
        ]
    with pytest.raises(DataError, match=r"values: entry \(0, 1\) is 1/3, no dyadic number"):
        ExactArray.of_floats([[1, Fraction(1, 3)]])
    with pytest.raises(ValueError, match="MaskedArray"):
        ExactArray((1,), ((np.ma.masked_array([1.0], mask=[True]), 0),))


def test_arrays_do_not_follow_their_source():
    source = np.array([0.1, 0.2])
    array = ExactArray.of_floats(source)
    source[0] = 7.0
    assert array.approx().tolist() == [0.1, 0.2]


def test_the_smallest_exact_type_is_chosen():
    def dtype(values):
        ((held, _),) = ExactArray.of_floats(np.array(values)).terms
        return held.dtype

    assert dtype([1.0, -127.0]) == np.int8 and dtype([0.0625, 3.0]) == np.int8
    assert dtype([200.0, 0.5]) == np.int16
    assert dtype([float(np.float32(0.1))]) == np.float32 and dtype([0.1]) == np.float64


@given(st.floats(min_value=1e-300, max_value=1e300), st.integers(1, 8))
def test_printed_lower_bounds_are_lower_bounds(value, digits):
    printed = Fraction(at_least(value, digits))
    assert printed <= Fraction(value) < printed * (1 + Fraction(11, 10**digits))


@pytest.mark.parametrize("largest", [0, 1, 127, 128, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**63 - 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_are_narrowed_without_a_change(largest, sign):
    values = np.array([[0, sign * largest]], dtype=np.int64)
    numbers, exponent = in_smallest_type(values, -5)
    assert (numbers.tolist(), exponent) == (values.tolist(), -5)
    assert (
        ExactArray((1, 2), ((numbers, exponent),)).terms[0][0].dtype
        == limbs([0, sign * largest], (1, 2), 0)[0][0].dtype
    )
