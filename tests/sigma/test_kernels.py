"""NumPy and mpmath kernels against each other, and the tree's rewrites against the plain expression."""

import itertools
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, arb_series, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation, activation, catalogue
from verifier.sigma.expressions import T
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.kernels import (
    _MpmathOps,
    approx_mpmath_derivative,
    approx_mpmath_kernel,
    approx_numpy_derivative,
    approx_numpy_kernel,
)
from verifier.sigma.point_values import ball_at
from verifier.sigma.ranges import behaviour
from verifier.sigma.tree import Call, Power, Var, evaluate, subtrees, tree_of

NAMES = [
    *(a.name for a in catalogue()),
    "softplus(20)",
    "t/(1 + abs(t))",
    "exp(2*t)/(1 + exp(t))**3",
    "sinh(t)*cosh(t)",
]
POINTS = np.array([-30.0, -3.0, -1.0, -0.25, -1e-9, 0.0, 1e-9, 0.25, 1.0, 2.0, 30.0])


@pytest.mark.parametrize("name", NAMES)
def test_numpy_agrees_with_mpmath(name):
    found = activation(name)
    for fast, slow in [
        (approx_numpy_kernel(found), approx_mpmath_kernel(found)),
        (approx_numpy_derivative(found), approx_mpmath_derivative(found)),
    ]:
        with mpmath.workprec(200):
            expected = np.array([float(slow(t)) for t in POINTS])
        np.testing.assert_allclose(fast(POINTS), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "name", ["sigmoid", "tanh", "softplus", "softplus(20)", "silu", "gelu", "elu", "erf", "arctan"]
)
def test_no_overflow_and_no_nan_far_out(name):
    far = np.array([-1e4, -800.0, 800.0, 1e4])
    found = activation(name)
    assert np.isfinite(approx_numpy_kernel(found)(far)).all()
    assert np.isfinite(approx_numpy_derivative(found)(far)).all()


def test_kernels_keep_shape_and_never_alias():
    for name in ("identity", "tanh", "t*0 + 3 + t - t", "square"):
        kernel = approx_numpy_kernel(Activation.from_expression("3", name) if "0" in name else activation(name))
        for shape in ((), (0,), (3,), (2, 3, 1)):
            argument = np.zeros(shape)
            value = kernel(argument)
            assert value.shape == shape and value.dtype == np.float64
            assert not np.shares_memory(value, argument)
    assert approx_numpy_kernel(activation("relu"))([-1, 0, 2]).tolist() == [0.0, 0.0, 2.0]
    assert np.isinf(approx_numpy_kernel(activation("exp"))(1e4))


def test_mpmath_follows_the_precision_in_force():
    kernel = approx_mpmath_kernel(activation("gelu"))
    with mpmath.workprec(300):
        precise = kernel(Fraction(1, 2).numerator / mpmath.mpf(2))
        assert abs(precise - mpmath.ncdf(mpmath.mpf(1) / 2) / 2) < mpmath.mpf(2) ** -290


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("log(1 + exp(3*t))", "softplus"),
        ("log(1 + t**2)", "log1p"),
        ("exp(t) - 1", "expm1"),
        ("1 + erf(t)", "erfc"),
        ("1 - erf(t)", "erfc"),
        ("1/(1 + exp(-t))", "sigmoid"),
        ("1/(1 + exp(t))**2", "sigmoid"),
        ("exp(t)/(1 + exp(t))", "sigmoid"),
        ("exp(2*t)/(1 + exp(t))**3", "sigmoid"),
        ("exp(3*t)/(1 + exp(t))**2", "sigmoid"),
    ],
)
def test_rewrites_happen_and_are_identities(text, name):
    expression = activation(text).expression
    tree = tree_of(expression)
    assert any(isinstance(node, Call) and node.name == name for node in subtrees(tree))
    plain = sympy.lambdify(T, expression, "mpmath")
    with mpmath.workprec(200):
        for point in (-5, -1, 0, 1, 7):
            expected = plain(mpmath.mpf(point))
            got = evaluate(tree_of(expression), _MpmathOps(mpmath.mpf(point)))
            assert abs(got - expected) <= mpmath.mpf(2) ** -180 * (1 + abs(expected))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_the_table_says_of_a_function_is_true_at_points(name):
    """Range, direction, value at 0, symmetry, limits and every kernel, against mpmath's own function."""
    function = FUNCTIONS[name]
    if name in ("max", "min"):
        assert [
            float(function.symbolic(2, 3)),
            float(function.numpy(2.0, 3.0)),
            float(function.arb(arb(2), arb(3))),
        ] == [max(2, 3) if name == "max" else min(2, 3)] * 3
        return
    plain = sympy.lambdify(T, function.symbolic(T), "mpmath")
    points = [mpmath.mpf(k) / 4 for k in range(-3 if function.need else -40, 41)]
    points = [t for t in points if function.need is None or t + function.need[1] > 0]
    with mpmath.workprec(200):
        values = [mpmath.mpf(plain(t)) for t in points]
        for t, value in zip(points, values, strict=True):
            near = mpmath.mpf(2) ** -150 * (1 + abs(value))
            assert abs(function.mpmath(t) - value) <= near
            assert float(function.numpy(float(t))) == pytest.approx(float(value), rel=1e-13, abs=1e-15)
            assert abs(function.arb(arb(float(t))) - float(value)) <= 1e-14 * (1 + abs(float(value)))
            assert float(function.values.lo) <= value <= float(function.values.hi)
            assert function.symmetry != "even" or abs(plain(-t) - value) <= near
            if function.symmetry == "odd":
                assert abs(plain(-t) + value - int(2 * function.at_zero)) <= near
        if function.direction:
            ordered = values if function.direction > 0 else values[::-1]
            assert all(a <= b for a, b in itertools.pairwise(ordered))
        if function.at_zero is not None:
            assert plain(mpmath.mpf(0)) == mpmath.mpf(function.at_zero.numerator) / function.at_zero.denominator
        for limit, t in zip(function.limits, (60, -60), strict=True):
            if limit in (sympy.oo, -sympy.oo):
                assert plain(mpmath.mpf(t)) * (1 if limit == sympy.oo else -1) >= 50
            elif limit is not None:
                assert abs(plain(mpmath.mpf(t)) - mpmath.mpf(limit.evalf(50))) < mpmath.mpf(1) / 50


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.series is not None])
def test_series_begin_with_value_and_slope(name):
    point = arb(fmpq(3, 4))
    found = FUNCTIONS[name].series(arb_series([point, arb(1)], 2))
    derivative = sympy.lambdify(T, FUNCTIONS[name].symbolic(T).diff(T), "mpmath")
    assert found[0].overlaps(FUNCTIONS[name].arb(point))
    assert abs(float(found[1].mid()) - float(derivative(mpmath.mpf(3) / 4))) < 1e-13


def test_ranges_know_every_function():
    for name in FUNCTIONS:
        behaviour(Call(name, (Power(Var(), 2), Var())[: 2 if name in ("max", "min") else 1]))


def test_trees_outside_the_grammar_are_refused():
    for bad in (
        sympy.Symbol("y"),
        sympy.I * T,
        sympy.gamma(T),
        T ** sympy.sqrt(2),
        sympy.Heaviside(T),
        T**T,
        sympy.oo * T,
    ):
        with pytest.raises(ExpressionError):
            tree_of(bad)


def test_trees_can_be_pickled():
    tree = activation("gelu").tree
    assert pickle.loads(pickle.dumps(tree)) == tree


@settings(max_examples=60)
@given(data=st.data(), point=st.fractions(-3, 3, max_denominator=8))
def test_three_tables_agree(expression_texts, data, point):
    """NumPy and mpmath lie near the Arb enclosure."""
    text = data.draw(expression_texts)
    try:
        found = Activation.from_expression(text)
    except ExpressionError:
        return
    ball = ball_at(found.tree, point)
    if not ball.is_finite() or ball.abs_upper() > 1e100:
        return
    with mpmath.workprec(200):
        slow = float(approx_mpmath_kernel(found)(mpmath.mpf(point.numerator) / point.denominator))
    assert slow == pytest.approx(float(ball), rel=1e-12, abs=1e-12)
    fast = float(approx_numpy_kernel(found)(float(point)))
    condition = 1 + abs(float(ball)) + 10 ** min(found.expression.count_ops(), 12)
    assert abs(fast - slow) < 1e-12 * condition or not np.isfinite(fast)
