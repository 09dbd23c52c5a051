"""What is not proved is said to be unknown, and what cannot be read is refused: each beside what just can."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

import verifier
from verifier.errors import ExpressionError
from verifier.sigma import activations, derivatives, limits
from verifier.sigma import piecewise as pieces
from verifier.sigma.activations import Activation, activation
from verifier.sigma.derivatives import derivative_of
from verifier.sigma.expressions import T, parse_expression
from verifier.sigma.intervals import Interval
from verifier.sigma.kernels import approx_mpmath_kernel, approx_numpy_kernel
from verifier.sigma.limits import limit_at_infinity, sign_of
from verifier.sigma.piecewise import split
from verifier.sigma.point_values import ball_at, exact_at
from verifier.sigma.ranges import behaviour
from verifier.sigma.symmetry import Symmetry, symmetry_of
from verifier.sigma.tree import tree_of

OO = sympy.oo


def test_the_package_has_the_names_that_it_lists():
    assert set(dir(verifier)) == set(verifier.__all__) and verifier.prove_rank is not None
    with pytest.raises(AttributeError, match="no attribute 'prove_everything'"):
        _ = verifier.prove_everything


@pytest.mark.parametrize(
    ("text", "sign", "value"),
    [
        ("E*t", 1, OO),
        ("E + 0*t", 1, sympy.E),
        ("cosh(t) - sinh(t)", 1, None),
        ("sqrt(t**2 + 1) - t", 1, 0),
        ("sqrt(t**2 + 1) - t", -1, OO),
        ("(1 + t**2)**(1/3)", -1, OO),
        ("(2 + tanh(t))**(1/3)", 1, sympy.cbrt(3)),
        ("log1p(exp(-t))", 1, 0),
        ("log(2 + tanh(t))", 1, sympy.log(3)),
        ("max(t, 3, -t)", -1, OO),
        ("min(tanh(t), 2, t)", 1, 1),
        ("min(max(t, 0), pi, E)", 1, sympy.E),
        ("max(1, 1, tanh(t))", 1, 1),
        ("tanh(t)*t", -1, OO),
        ("t/(2 + tanh(t))", -1, -OO),
        ("sin(t)", 1, None),
        ("sin(t)*exp(t)", 1, None),
        ("exp(-t)*t", -1, -OO),
        ("t - sin(t)", 1, OO),
    ],
)
def test_limits(text, sign, value):
    assert limit_at_infinity(parse_expression(text), sign)[0] == value


@pytest.mark.parametrize("wrong", [7, OO, -OO, sympy.nan, sympy.I, None])
def test_what_sympy_says_of_limits_is_compared_with_balls(wrong, monkeypatch):
    """The limit of sqrt(t^2 + 1) - t is 0; sympy is made to say something else, or to fail."""
    gap = parse_expression("sqrt(t**2 + 1) - t")
    assert limit_at_infinity(gap, 1)[0] == 0

    def lie(*_):
        if wrong is None:
            raise NotImplementedError
        return sympy.sympify(wrong)

    monkeypatch.setattr(limits.sympy, "limit", lie)
    value, words = limit_at_infinity(gap, 1)
    assert value is None and ("not confirmed" in words or "failed" in words or "found none" in words)


def test_signs_of_constants():
    assert [sign_of(c) for c in (OO, -OO, sympy.S.Zero, sympy.pi - 3, 3 - sympy.pi)] == [1, -1, 0, 1, -1]
    hidden_zero = sympy.sqrt(2) * sympy.sqrt(3) - sympy.sqrt(6, evaluate=False) + sympy.exp(-1000) * 0
    assert sign_of(hidden_zero) in (0, None)
    assert sign_of(sympy.exp(-sympy.exp(10))) in (1, None)
    assert sign_of(sympy.tan(1)) is None  # outside the grammar


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [
        ("1 - erf(t)", Symmetry("odd", sympy.Integer(2))),
        ("E*tanh(t)", Symmetry("odd", sympy.S.Zero)),
        ("E + tanh(t)", Symmetry("odd", 2 * sympy.E)),
        ("tanh(t)/(1 + t**2)", Symmetry("odd", sympy.S.Zero)),
        ("(1 + t**2)**(1/3)", Symmetry("even")),
        ("1/(2 + tanh(t))", None),
        ("t**2*sigmoid(t)", None),
        ("max(t, 0)", None),
        ("exp(t)", None),
        ("sigmoid(t)**2", None),
        ("2**(1/3)*tanh(t)", Symmetry("odd", sympy.S.Zero)),
    ],
)
def test_symmetries(text, symmetry):
    assert symmetry_of(parse_expression(text)) == symmetry


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("pi + 0*t", 3, Fraction(22, 7)),
        ("E + tanh(t)", Fraction(3, 2), 4),
        ("1 - erf(t)", 0, 2),
        ("expm1(t)", -1, float("inf")),
        ("max(tanh(t), -2)", -1, 1),
        ("min(tanh(t), 2)", -1, 1),
        ("max(2, tanh(t))", 2, 2),
        ("abs(-1 - t**2)", 1, float("inf")),
        ("abs(tanh(t))", 0, 1),
        ("1/(-2 - tanh(t))", -1, Fraction(-1, 3)),
        ("(-1 - tanh(t))**2", 0, 4),
        ("(-2 - t**2)**3", float("-inf"), -8),
        ("cosh(t)", 1, float("inf")),
    ],
)
def test_ranges(text, low, high):
    found = behaviour(tree_of(parse_expression(text))).values
    assert (found.lo, found.hi) == (low, high)


def test_ranges_are_given_up_where_nothing_is_proved():
    positive = Interval(Fraction(0), float("inf"))
    for text, domain in (("1/t", None), ("log(t)", None), ("sqrt(t)", None), ("log(t - 1)", positive)):
        tree = tree_of(sympy.sympify(text, locals={"t": T}))
        assert (behaviour(tree) if domain is None else behaviour(tree, domain)) is None
    assert behaviour(tree_of(sympy.log(T)), positive).analytic
    huge = parse_expression("((((t + 3)**1000 + 1)**1000 + 1)**1000 + 1)**1000")
    assert behaviour(tree_of(huge), Interval(Fraction(2), Fraction(3))) is None
    assert behaviour(tree_of(sympy.sign(T))) is None
    assert behaviour(tree_of(sympy.sign(T)), positive).values == Interval(Fraction(1), Fraction(1), False, False)


@pytest.mark.parametrize(
    ("text", "bounded"),
    [("(tanh(t) + 3)**1000 + t", False), ("max(t, 10**400)", False), ("1/((2 + sin(t))**900 + 1)", True)],
)
def test_ends_beyond_binary64_are_ends_like_others(text, bounded):
    """Fractions that no float holds, and that are too long to be printed, on the way to a fact."""
    sigma = Activation.from_expression(text)
    assert sigma.facts.bounded.value is bounded
    assert len(sigma.facts.real_analytic.by) < 1000
    ends = Interval(Fraction(10) ** 400, -(Fraction(10) ** -400))
    assert "a number of 1329 bits" in str(ends) and str(Interval(Fraction(1, 3), float("inf"))) == "(1/3, oo)"


@pytest.mark.parametrize("text", ["pi", "E", "1/3", "2**(1/3)", "(1 + t**2)**(1/3)", "max(t, 1, -t)", "t + E*pi"])
def test_all_tables_agree_on_constants_and_powers(text):
    sigma = Activation.from_expression(text if "t" in text else f"{text} + t")
    for point in (-1.5, 0.0, 2.0):
        ball = ball_at(sigma.tree, Fraction(point))
        with mpmath.workdps(30):
            slow = approx_mpmath_kernel(sigma)(mpmath.mpf(point))
        assert float(ball.mid()) == pytest.approx(float(slow), rel=1e-14)
        assert approx_numpy_kernel(sigma)(np.array([point]))[0] == pytest.approx(float(slow), rel=1e-14)
        exact = exact_at(sigma.tree, Fraction(point))
        assert exact is None or float(exact) == pytest.approx(float(slow), rel=1e-14)
    assert exact_at(Activation.from_expression("E*t").tree, Fraction(1)) is None


def test_constants_beyond_binary64_overflow_to_infinity():
    assert approx_numpy_kernel(Activation.from_expression("t + 10**400"))(np.zeros(1)).tolist() == [np.inf]
    assert approx_numpy_kernel(Activation.from_expression("t - 10**400"))(np.zeros(1)).tolist() == [-np.inf]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("(" * 900 + "t" + ")" * 900, "too many nested"),
        ("-" * 1900 + "t", "nested too deeply"),
        ("t + 1j", "not a number"),
        ("t + 1e99999", "exponent beyond"),
        ("t + " * 4000 + "t", "more than"),
    ],
)
def test_texts_that_are_too_much(text, fragment):
    with pytest.raises(ExpressionError, match=fragment) as caught:
        activation(text) if len(text) < 3000 else Activation.from_expression(text, "a")
    assert len(str(caught.value)) < 300


def test_expressions_that_are_too_large_or_unstable_are_refused(monkeypatch):
    wave = sympy.Add(*(sympy.sin(k * T) for k in range(1, 700)))
    with pytest.raises(ExpressionError, match="prints as"):
        Activation("a", wave)
    monkeypatch.setattr(derivatives, "MAX_DERIVATIVE_TERMS", 10)
    with pytest.raises(ExpressionError, match="derivative is too large"):
        derivative_of(parse_expression("tanh(t)*sin(t)/11"))
    assert derivative_of(parse_expression("t/11")) == sympy.Rational(1, 11)
    states = iter(range(10**6))
    monkeypatch.setattr(derivatives, "parse_activation", lambda text: T + next(states))
    with pytest.raises(ExpressionError, match="keeps changing"):
        derivatives.settled(sympy.tanh(T))


def test_nesting_beyond_the_stack_is_refused(monkeypatch):
    def deep(*_):
        raise RecursionError

    monkeypatch.setattr(activations, "tree_of", deep)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Activation("a", sympy.tanh(T) / 13)
    monkeypatch.setattr(activations, "parse_activation", deep)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Activation.from_expression("tanh(t)")


def test_pieces_need_rational_breakpoints_and_not_too_many(monkeypatch):
    assert len(split(parse_expression("max(0, t)"))) == 2
    assert split(parse_expression("max(0, t**3 - 2)")) is None
    four = parse_expression("abs(t) + abs(t - 1) + abs(t - 2)")
    assert len(split(four)) == 4
    monkeypatch.setattr(pieces, "MAX_PIECES", 3)
    assert split(four) is None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("pi*t", "polynomial_degree", 1),
        ("(sqrt(2)*sqrt(3) - sqrt(6))*t**2 + t", "polynomial_degree", 1),
        ("max(t, 0)", "polynomial_degree", None),
        ("exp(t)", "polynomial_degree", None),
        ("t*sin(t)", "strictly_increasing", False),
        ("t**3 + sin(t)", "strictly_increasing", None),
        ("exp(exp(exp(t)))", "limit_minus", sympy.E),
        ("max(0, exp(t) - 3)", "strictly_increasing", None),
        ("exp(t**64)", "bounded", False),
    ],
)
def test_facts_at_the_edge_of_what_is_proved(text, field, value):
    """A proved fact is the true one; where nothing is proved the value is None."""
    fact = getattr(Activation.from_expression(text).facts, field)
    assert fact.value == value and fact.status in ("proved", "unknown")
