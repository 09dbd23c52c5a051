"""An activation is the user's expression on all of R, and defined exactly where that is: nothing cancels unseen."""

import ast
import random

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import ExpressionError
from verifier.sigma import domains
from verifier.sigma.activations import Activation
from verifier.sigma.expressions import parse_expression
from verifier.sigma.kernels import approx_mpmath_kernel

UNDEFINED = {
    "t/t": "t/t",
    "exp(log(t))": "log(t)",
    "sqrt(t)**2": "sqrt(t)",
    "sqrt(t)*sqrt(t)": "sqrt(t)",
    "t^(1/2)*t^(1/2)": "t**(1/2)",
    "(t**(1/3))**3": "t**(1/3)",
    "1/(1/t)": "1/t",
    "log(t) - log(t) + t": "log(t)",
    "exp(log(t)/2)**2": "log(t)",
    "t*log(t)/log(t)": "log(t)",
    "0*log(t) + t": "log(t)",
    "log(t)**0 + t": "log(t)",
    "t + 0/t": "0/t",
    "tanh(t) + 1/t - 1/t": "1/t",
    "t + 0*log(-1)": "log(-1)",
    "t*sqrt(sin(1) - 2)**2": "sqrt(sin(1) - 2)",
    "t**-1*t": "t**-1",
    "t**(-1/2)*t": "t**(-1/2)",
    "log1p(t) - log1p(t) + t": "log1p(t)",
    "sqrt(t + 200)**2": "sqrt(t + 200)",
    "exp(log(t + 101))": "log(t + 101)",
    "sqrt(t**3 + 10**7)": "sqrt(t**3 + 10**7)",
    "sqrt(t**3 + 10**30)**2": "sqrt(t**3 + 10**30)",
    "(exp(t) - 2)/(exp(t) - 2)": "(exp(t) - 2)/(exp(t) - 2)",
    "(tanh(t) - 1/2)/(tanh(t) - 1/2) + t": "(tanh(t) - 1/2)/(tanh(t) - 1/2)",
    "abs(t - 1/7)/abs(t - 1/7)": "abs(t - 1/7)/abs(t - 1/7)",
    "max(t, 0)**-1*max(t, 0)": "max(t, 0)**-1",
}
"""Each with the part that is undefined at some t."""


@pytest.mark.parametrize("text", UNDEFINED)
def test_what_cancels_is_refused_by_its_name(text):
    with pytest.raises(ExpressionError, match="must be a real number for every real t") as caught:
        Activation.from_expression(text)
    part = UNDEFINED[text]
    message = str(caught.value)
    assert repr(part) in message and "\n" not in message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1/log(cosh(t))", "division by zero at t = 0"),
        ("t/(sqrt(1 + t**2) - 1)", "division by zero at t = 0"),
        ("1/log(t**2 + 2*t + 2)", "division by zero at t = -1"),
        ("log(log(cosh(t)))", "log of a number <= 0 at t = 0"),
    ],
)
def test_what_vanishes_exactly_at_a_point_is_refused_though_it_is_no_rational_operation(text, what):
    with pytest.raises(ExpressionError, match="must be a real number for every real t") as caught:
        Activation.from_expression(text)
    assert what in str(caught.value)
    with pytest.raises(ExpressionError, match="must be a real number for every real t"):
        Activation("mine", parse_expression(text))


@pytest.mark.parametrize(
    "text",
    [
        "(sin(t) + 1)/(sin(t) + 1)",
        "1/(1 + sin(t)) - 1/(1 + sin(t)) + t",
        "(1/(1 + sin(t)))**0 + t",
        "0*log(1 + sin(t)) + t",
        "(1 + sin(t))**(3/2)/(1 + sin(t))",
    ],
)
def test_what_may_be_undefined_must_not_cancel(text):
    with pytest.raises(ExpressionError, match=r"may be undefined somewhere.*cancels"):
        Activation.from_expression(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("log(exp(t))", "t"),
        ("sqrt(t**2)", "Abs(t)"),
        ("sqrt(t**4)", "t**2"),
        ("sqrt(t**2 - 2*t/3 + 1/9)", "sqrt(t**2 - 2*t/3 + 1/9)"),
        ("exp(log(1 + t**2))", "t**2 + 1"),
        ("(t**2 + 1)/(t**2 + 1)*t", "t"),
        ("(t**2 + t + 1)/(t**2 + t + 1)*t", "t"),
        ("t/sqrt(2)/sqrt(2)", "t/2"),
        ("sqrt(1 + sin(t))**2", "sin(t) + 1"),
        ("t*exp(t)/exp(t)", "t"),
        ("t*cosh(t)/cosh(t)", "t"),
        ("1/(1 + sin(t))", "1/(sin(t) + 1)"),
        ("t*(1 + sin(t))/(1 + sin(t))**2", "t/(sin(t) + 1)"),
    ],
)
def test_what_is_defined_everywhere_or_stays_is_simplified(text, canonical):
    assert Activation.from_expression(text).canonical == canonical


# Random expressions against an evaluation of what was written


class Undefined(Exception):
    """The expression, as it was written, is not a real number there."""


FUNCTIONS = {"max": max, "min": min, "abs": abs, "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u))}
LOWEST = {"log": 0, "log1p": -1}


def written(node, t):
    """The value of an expression as it was written, by mpmath: undefined is undefined, whatever is done with it."""
    match node:
        case ast.Constant(value=value):
            return mpmath.mpf(value)
        case ast.Name():
            return t
        case ast.UnaryOp(operand=operand):
            return -written(operand, t)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = written(left, t), written(right, t)
            if isinstance(op, ast.Pow):
                return power(a, b)
            if isinstance(op, ast.Div) and b == 0:
                raise Undefined
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
            return a / b
        case ast.Call(func=ast.Name(id=name), args=arguments):
            u = [written(argument, t) for argument in arguments]
            if (name in LOWEST and u[0] <= LOWEST[name]) or (name == "sqrt" and u[0] < 0):
                raise Undefined
            return FUNCTIONS.get(name, getattr(mpmath, name, None))(*u)
    raise AssertionError(ast.dump(node))


def power(base, exponent):
    whole = exponent == mpmath.floor(exponent)
    if (exponent < 0 and base == 0) or (not whole and base < 0):
        raise Undefined
    return mpmath.mpf(1) if exponent == 0 else base ** int(exponent) if whole else base**exponent


ATOMS = ("t", "t", "1", "2", "1/3", "t**2", "tanh(t)", "exp(t)", "(t - 1)", "(t**2 + 1)", "(t - 1/3)", "sin(t)")
SHAPES = [
    *("({a} + {b})", "({a} - {b})", "({a}*{b})", "({a}/{b})", "({a})**2", "({a})**-1", "({a})**(1/2)", "({a})**(2/3)"),
    *("sqrt({a})", "log({a})", "exp({a})", "tanh({a})", "abs({a})", "max({a}, {b})", "sigmoid({a})", "({a})**0"),
    *("sqrt({a})**2", "exp(log({a}))", "({a})/({a})", "log({a}) - log({a}) + {b}", "0*log({a}) + {b}", "log1p({a})"),
    *("({a})*({b})/({a})", "1/(1/({a}))", "log(exp({a}))", "sqrt(({a})**2)", "(({a})**(1/3))**3", "0/({a}) + {b}"),
]


def random_text(rng):
    """An expression whose parts come up again, so that they cancel."""
    pool = list(ATOMS)
    for _ in range(rng.randint(1, 4)):
        pool.append(rng.choice(SHAPES).format(a=rng.choice(pool), b=rng.choice(pool)))
    return pool[-1]


POINTS = [mpmath.mpf(p) / q for p in range(-12, 13) for q in (1, 3, 7)] + [mpmath.mpf(x) for x in (-300, -50, 50, 300)]
BITS = 400


def compared(text):
    """Compare an activation with what was written at many points; return whether it was read.

    Where what was written is undefined, the activation must be, too, or not finite; where both are defined, equal.
    """
    try:
        found = Activation.from_expression(text)
    except ExpressionError:
        return False
    node, kernel = ast.parse(text, mode="eval").body, approx_mpmath_kernel(found)
    with mpmath.workprec(BITS):
        for t in POINTS:
            try:
                truth = written(node, +t)
            except Undefined:
                truth = None
            except OverflowError:
                continue
            if truth is not None and not (mpmath.isfinite(truth) and abs(truth) < 1e300):
                continue
            try:
                got = kernel(+t)
            except (ZeroDivisionError, ValueError):
                got = mpmath.nan
            defined = isinstance(got, mpmath.mpf) and bool(mpmath.isfinite(got))
            assert defined is (truth is not None), (text, found.canonical, t, truth, got)
            if truth is not None:
                assert abs(got - truth) <= mpmath.mpf(2) ** -120 * (1 + abs(truth)), (text, found.canonical, t)
    return True


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_expressions_keep_their_domain_and_their_values(seed):
    compared(random_text(random.Random(seed)))


def test_many_random_expressions_are_read():
    rng = random.Random(5)
    assert 10 < sum(compared(random_text(rng)) for _ in range(60)) < 55


BROKEN = {
    "nothing is judged": ("require_conditions", lambda *_: None),
    "roots of polynomials are not counted": ("_by_roots", lambda *_: domains.Judgement(True)),
    "what cancels stands": ("judge", lambda *_: domains.Judgement(None)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_copy_is_noticed(monkeypatch, name):
    target, replacement = BROKEN[name]
    judge = domains.judge
    judge.cache_clear()
    monkeypatch.setattr(domains, target, replacement)
    if name == "what cancels stands":
        monkeypatch.setattr(domains, "_stands", lambda *_: True)
    noticed = 0
    for text in [*UNDEFINED, "(sin(t) - 1)/(sin(t) - 1)"]:
        if text in ("t^(1/2)*t^(1/2)",):
            continue
        try:
            compared(text)
        except AssertionError:
            noticed += 1
    judge.cache_clear()
    assert noticed > 5


def test_plain_reading_is_left_alone():
    """`parse_expression` reads what is no activation as well, such as a parameter."""
    assert str(parse_expression("1/3")) == "1/3"
    assert str(parse_expression("t/t")) == "1"


@pytest.mark.parametrize(
    ("text", "degree"),
    [("t**1000", 1000), ("(((t+1)**10+1)**10+1)**10", 1000), ("(t**2+t+1)**500", 1000), ("((t+1)**30)**30/7", 900)],
)
def test_large_degrees_are_found_quickly(text, degree):
    """By FLINT; sympy's expansion of nested powers takes minutes."""
    assert Activation.from_expression(text).facts.polynomial_degree.value == degree


def test_large_degrees_with_irrational_coefficients_are_left_open():
    assert Activation.from_expression("(t + pi)**61").facts.polynomial_degree.status == "unknown"
    assert Activation.from_expression("(t + pi)**9").facts.polynomial_degree.value == 9
    assert Activation.from_expression("(t + 1)**9 - (t - 1)**9").facts.polynomial_degree.value == 8
