"""The parser, the catalogue, the canonical strings that certificates hold."""

import pickle
from fractions import Fraction

import flint
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import ExpressionError
from verifier.sigma import activations
from verifier.sigma.activations import Activation, activation, catalogue, leaky_relu, register, softplus
from verifier.sigma.expressions import MAX_LENGTH, T, parse_expression
from verifier.sigma.measures import degree_bound
from verifier.sigma.point_values import ball_at

CANONICAL = {
    "sigmoid": "1/(1 + exp(-t))",
    "tanh": "tanh(t)",
    "softplus": "log(exp(t) + 1)",
    "arctan": "atan(t)",
    "erf": "erf(t)",
    "algebraic": "t/sqrt(t**2 + 1)",
    "identity": "t",
    "sin": "sin(t)",
    "gelu": "t*(erf(sqrt(2)*t/2) + 1)/2",
    "silu": "t/(1 + exp(-t))",
    "exp": "exp(t)",
    "relu": "Max(0, t)",
    "leaky_relu": "Max(t/100, t)",
    "elu": "exp(Min(0, t)) + Max(0, t) - 1",
    "hard_tanh": "Max(-1, Min(1, t))",
    "square": "t**2",
    "cubic": "t**3",
}
ALL = [a.name for a in catalogue()]


def test_the_catalogue_is_complete():
    assert set(ALL) >= set(CANONICAL)


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_strings_are_pinned_and_read_back(name):
    found = activation(name)
    assert found.canonical == CANONICAL[name]
    again = Activation.from_expression(found.canonical, name)
    assert again == found
    assert again.canonical == found.canonical
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("softplus(20)", "log(exp(20*t) + 1)/20"),
        ("softplus(1/3)", "3*log(exp(t/3) + 1)"),
        ("softplus(0.5)", "2*log(exp(t/2) + 1)"),
        ("leaky_relu(0.2)", "Max(t/5, t)"),
        (" tanh ", "tanh(t)"),
        ("arctan(x)", "atan(t)"),
        ("relu(t)", "Max(0, t)"),
        ("abs(t)", "Abs(t)"),
        ("log1p(exp(t))", "log(exp(t) + 1)"),
        ("expm1(t)", "exp(t) - 1"),
        ("sigmoid(2*t)", "1/(1 + exp(-2*t))"),
        ("0.1*t", "t/10"),
        ("1e-3*t + .5", "t/1000 + 1/2"),
        ("-t", "-t"),
        ("+t", "t"),
        ("pi*t/E", "pi*t*exp(-1)"),
        ("max(t, 0, -1)", "Max(0, t)"),
        ("sqrt(t**2)", "Abs(t)"),
        ("t**2**1", "t**2"),
        ("t^2", "t**2"),
        ("-t^2", "-t**2"),
        ("t + 2*t^3", "2*t**3 + t"),
        ("0.5/(1 + t**2) + exp(t)", "exp(t) + 1/(2*t**2 + 2)"),
    ],
)
def test_expressions_are_read_exactly(text, canonical):
    assert activation(text).canonical == canonical


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("tanhh", "did you mean 'tanh'?"),
        ("tan(t)", "unknown function 'tan'; tan has poles"),
        ("t + y", "unknown name 'y'"),
        ("t + x", "both t and x"),
        ("t**t", "rational constant"),
        ("2**t", "rational constant"),
        ("t**0.0001", "beyond 1000"),
        ("t**1001", "beyond 1000"),
        ("t + (9**1000)**1000", "bits"),
        ("t/0", "division by zero"),
        ("t + 0**-1", "division by zero"),
        ("log(0)*t", "undefined or infinite"),
        ("log(-1)*t", "not real"),
        ("sqrt(-1)*t", "not real"),
        ("exp(sqrt(2)*log(3))*t", "exponent outside the grammar"),
        ("t.real", "Attribute is not allowed"),
        ("(lambda: t)()", "only named functions"),
        ("[t for t in t]", "ListComp is not allowed"),
        ("t if t else 1", "IfExp is not allowed"),
        ("t < 1", "Compare is not allowed"),
        ("t; t", "invalid syntax"),
        ("t = 1", "invalid syntax"),
        ("1j*t", "not a number"),
        ("True*t", "not a number"),
        ("'t'", "not a number"),
        ("1_000*t", "not a number"),
        ("0x10*t", "not a number"),
        ("1e9999*t", "exponent beyond"),
        ("max(t)", "two or more arguments"),
        ("sin(t, t)", "one argument, got 2"),
        ("exp(*t)", "plain arguments"),
        ("exp(t=t)", "plain arguments"),
        ("exp*t", "needs an argument"),
        ("t\n", None),
        ("t\n+1", "one line"),
        ("t²", "ASCII"),
        ("(t", "never closed"),
        ("-" * 100 + "t", "nested too deeply"),
        ("exp(" * 70 + "t" + ")" * 70, "nested too deeply"),
        ("(" * 900 + "t" + ")" * 900, "t"),
        ("t+" * MAX_LENGTH + "t", "characters, more than"),
        ("", "no such name"),
        ("1 + 1", "no such name"),
        ("softplus(0)", "must be positive"),
        ("softplus(-1/2)", "must be positive"),
        ("softplus(1/0)", "must be a number"),
        ("leaky_relu(1)", "must be in [0, 1)"),
        ("leaky_relu(e)", "must be a number"),
        ("t**(1/3)", "root of a negative number at t = -1/1000"),
        ("sqrt(1 + t)", "root of a negative number at t = -3/2"),
        ("log(t)", "undefined at a real root of t"),
        ("1/t", "undefined at a real root of t"),
        ("t**-2", "undefined at a real root of t"),
        ("1/(3*t - 1)", "undefined at a real root"),
        ("1/(t**2 - 2)", "undefined at a real root"),
        ("log(sin(t))", "log of a number <= 0"),
    ],
)
def test_bad_expressions_are_refused_in_one_line(text, fragment):
    if fragment is None:
        assert activation(text).canonical == "t"
        return
    with pytest.raises(ExpressionError) as caught:
        activation(text)
    message = str(caught.value)
    assert fragment in message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize("value", [None, 3, b"t", ["t"]])
def test_only_text_is_looked_up(value):
    with pytest.raises(ExpressionError, match="expected a name"):
        activation(value)
    with pytest.raises(ExpressionError, match="expected text"):
        parse_expression(value)


def test_nothing_is_evaluated_as_python(tmp_path):
    for text in [f"open('{tmp_path}/x', 'w') + t", "__import__('os') + t", "t.__class__", "exec('t')", "print(t)"]:
        with pytest.raises(ExpressionError):
            activation(text)
    assert not list(tmp_path.iterdir())


def test_an_activation_needs_the_one_symbol():
    with pytest.raises(ExpressionError, match="sympy expression"):
        Activation("a", sympy.Symbol("t"))  # not the real one
    with pytest.raises(ExpressionError, match="sympy expression"):
        Activation("a", "t")
    with pytest.raises(ExpressionError, match="name"):
        Activation("", T)
    with pytest.raises(ExpressionError, match="outside the grammar"):
        Activation("a", sympy.tan(T))
    with pytest.raises(ExpressionError, match="nested too deeply"):
        deep = T
        for _ in range(100):
            deep = sympy.sin(deep)
        Activation("a", deep)


def test_long_sums_are_no_deep_nesting():
    text = "+".join(f"t**{k}" for k in range(150))
    assert degree_bound(activation(text).expression) == 149


def test_register(monkeypatch):
    monkeypatch.setattr(activations, "_REGISTERED", {})
    bump = Activation.from_expression("exp(-t**2)", "bump")
    assert register(bump) is bump
    assert register(bump) is bump
    assert activation("bump") is bump
    assert bump in catalogue()
    for taken in ("tanh", "softplus", "bump"):
        with pytest.raises(ExpressionError, match="taken"):
            register(Activation.from_expression("t + 1", taken))
    for bad in ("t", "x", "two words", "1a"):
        with pytest.raises(ExpressionError, match="identifier"):
            register(Activation.from_expression("t + 1", bad))


def test_families():
    assert softplus(1) == activation("softplus")
    assert leaky_relu() == activation("leaky_relu")
    assert softplus(Fraction(1, 2)).name == "softplus(1/2)"
    assert activation(softplus(Fraction(1, 2)).name) == softplus(Fraction(1, 2))


@pytest.mark.parametrize("name", ALL)
def test_derivative_is_the_slope(name):
    """Difference quotient at 200 bits, away from breakpoints."""
    found = activation(name)
    step = Fraction(1, 2**60)
    for point in (Fraction(-7, 3), Fraction(-1, 3), Fraction(2, 7), Fraction(9, 4)):
        rise = ball_at(found.tree, point + step) - ball_at(found.tree, point)
        slope = ball_at(found.derivative_tree, point)
        assert abs(rise * 2**60 - slope) < 1e-12


def test_derivative_at_a_breakpoint_is_the_mean():
    for name, point, slope in [
        ("relu", 0, Fraction(1, 2)),
        ("leaky_relu", 0, Fraction(101, 200)),
        ("abs(t)", 0, 0),
        ("hard_tanh", 1, Fraction(1, 2)),
        ("hard_tanh", -1, Fraction(1, 2)),
    ]:
        assert abs(ball_at(activation(name).derivative_tree, Fraction(point)) - float(slope)) < 1e-12


@settings(max_examples=25)
@given(data=st.data())
def test_canonical_text_is_a_fixed_point(expression_texts, data):
    text = data.draw(expression_texts)
    try:
        found = Activation.from_expression(text)
    except ExpressionError as error:  # sympy made something outside the grammar: refused, not mangled
        assert "outside the grammar" in str(error) or "bits" in str(error) or "nested" in str(error)
        return
    assert Activation.from_expression(found.canonical).expression == found.expression


NAMES = {
    "swish": "t/(1 + exp(-t))",
    "SiLU": "t/(1 + exp(-t))",
    "ReLU": "Max(0, t)",
    "Tanh": "tanh(t)",
    "LeakyReLU": "Max(t/100, t)",
    "mish": "t*tanh(log(exp(t) + 1))",
    "hard_sigmoid": "Max(0, Min(1, t/6 + 1/2))",
    "HardSwish": "t*Max(0, Min(1, t/6 + 1/2))",
    "hardtanh": "Max(-1, Min(1, t))",
    "relu6": "Min(6, Max(0, t))",
    "softsign": "t/(Abs(t) + 1)",
    "log-sigmoid": "-log(1 + exp(-t))",
    "cos": "cos(t)",
    "linear": "t",
    "celu": "exp(Min(0, t)) + Max(0, t) - 1",
    "celu(2)": "2*exp(Min(0, t)/2) + Max(0, t) - 2",
    "elu(0.5)": "exp(Min(0, t))/2 + Max(0, t) - 1/2",
    "prelu(0.25)": "Max(0, t) + Min(0, t)/4",
    "prelu(-3)": "Max(0, t) - 3*Min(0, t)",
    "swish(1.5)": "t/(1 + exp(-3*t/2))",
    "gelu_tanh": "t*(tanh(sqrt(2)*(8943*t**3/200000 + t)/sqrt(pi)) + 1)/2",
}


@pytest.mark.parametrize("name", NAMES)
def test_other_libraries_names(name):
    assert activation(name).canonical == NAMES[name]


def test_selu_has_its_published_digits():
    found = activation("selu")
    scale, alpha = Fraction("1.0507009873554804934193349852946"), Fraction("1.6732632423543772848170429916717")
    assert abs(ball_at(found.tree, Fraction(3)) - flint.arb(flint.fmpq(3 * scale.numerator, scale.denominator))) < 1e-13
    below = ball_at(found.tree, Fraction(-1000))
    assert abs(float(below.mid()) + float(scale * alpha)) < 1e-15


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("swich", "did you mean 'swish'?"),
        ("tanhh", "did you mean 'tanh'?"),
        ("blorp", "write it as an expression in t"),
        ("softmax", "acts on a whole layer"),
        ("log_softmax", "acts on a whole layer"),
        ("heaviside", "not continuous"),
        ("sign", "not continuous"),
        ("prelu", "prelu(0.25)"),
        ("tan", "poles"),
        ("log", "undefined for t <= 0"),
        ("celu(0)", "must be positive"),
        ("glu", "one number"),
    ],
)
def test_unknown_names_are_answered_rightly(name, fragment):
    with pytest.raises(ExpressionError) as caught:
        activation(name)
    assert fragment in str(caught.value) and "'sin'" not in str(caught.value).partition(", or use")[0]
