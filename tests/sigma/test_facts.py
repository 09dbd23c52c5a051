"""Facts with planted truth. A wrong "proved" is the worst thing that can happen."""

import itertools
import math
from dataclasses import fields
from fractions import Fraction

import flint
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation, activation, catalogue
from verifier.sigma.expressions import T, parse_expression
from verifier.sigma.facts import with_declared
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.intervals import REALS, Interval
from verifier.sigma.measures import largest_rate
from verifier.sigma.piecewise import split
from verifier.sigma.point_values import ball_at, exact_at
from verifier.sigma.proofs import MAX_SIMPLIFY_RATE
from verifier.sigma.ranges import behaviour
from verifier.sigma.symmetry import Symmetry
from verifier.sigma.tree import Call, Const, Mul, Power, Var, tree_of

OO = sympy.oo
ODD, EVEN, NONE = Symmetry("odd", sympy.S.Zero), Symmetry("even"), Symmetry("none")
UNKNOWN = "unknown"

# analytic, increasing, limit at -oo, limit at +oo, bounded, degree (None: not a polynomial), symmetry
TRUTH = {
    "sigmoid": (True, True, 0, 1, True, None, Symmetry("odd", sympy.S.One)),
    "tanh": (True, True, -1, 1, True, None, ODD),
    "softplus": (True, True, 0, OO, False, None, NONE),
    "softplus(20)": (True, True, 0, OO, False, None, NONE),
    "arctan": (True, True, -sympy.pi / 2, sympy.pi / 2, True, None, ODD),
    "erf": (True, True, -1, 1, True, None, ODD),
    "algebraic": (True, True, -1, 1, True, None, ODD),
    "identity": (True, True, -OO, OO, False, 1, ODD),
    "sin": (True, False, UNKNOWN, UNKNOWN, True, None, ODD),
    "gelu": (True, False, 0, OO, False, None, NONE),
    "silu": (True, False, 0, OO, False, None, NONE),
    "exp": (True, True, 0, OO, False, None, NONE),
    "relu": (False, False, 0, OO, False, None, NONE),
    "leaky_relu": (False, True, -OO, OO, False, None, NONE),
    "elu": (False, True, -1, OO, False, None, NONE),
    "hard_tanh": (False, False, -1, 1, True, None, UNKNOWN),
    "square": (True, False, OO, OO, False, 2, EVEN),
    "cubic": (True, True, -OO, OO, False, 3, ODD),
    "abs(t)": (False, False, OO, OO, False, None, EVEN),
    "t*abs(t)": (False, True, -OO, OO, False, None, ODD),
    "max(t, t**3)": (False, True, -OO, OO, False, None, NONE),
    "max(0, t)**3": (False, False, 0, OO, False, None, NONE),
    "t/(1 + abs(t))": (False, True, -1, 1, True, None, ODD),
    "tanh(t)**3": (True, True, -1, 1, True, None, ODD),
    "t + sin(t)": (True, True, -OO, OO, False, UNKNOWN, ODD),
    "exp(-t**2)": (True, False, 0, 0, True, None, EVEN),
    "log(1 + t**2)": (True, False, OO, OO, False, UNKNOWN, EVEN),
    "2*sigmoid(2*t) - 1": (True, True, -1, 1, True, None, ODD),
    "atan(t) + pi/2": (True, True, 0, sympy.pi, True, None, Symmetry("odd", sympy.pi)),
    "(t + 1)**2 - t**2 - 2*t": (True, False, 1, 1, True, 0, UNKNOWN),
    "min(max(t, 0), 6)": (False, False, 0, 6, True, None, NONE),
    "sqrt(2)*t": (True, True, -OO, OO, False, 1, ODD),
    "log(t**2 - 2*t + 2)": (UNKNOWN, False, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, NONE),
    "(t**2)**(1/3)": (UNKNOWN, False, OO, OO, False, UNKNOWN, EVEN),
}
FIELDS = (
    "real_analytic",
    "strictly_increasing",
    "limit_minus",
    "limit_plus",
    "bounded",
    "polynomial_degree",
    "symmetry",
)


@pytest.mark.parametrize("name", TRUTH)
def test_planted_facts(name):
    facts = activation(name).facts
    for field, expected in zip(FIELDS, TRUTH[name], strict=True):
        fact = getattr(facts, field)
        if isinstance(expected, str):
            assert fact.status == UNKNOWN and fact.value is None, field
        else:
            assert fact.status == "proved", (field, fact)
            assert fact.value == expected, (field, fact)
        assert fact.by and "\n" not in fact.by


def test_every_catalogue_entry_is_planted():
    assert {found.name for found in catalogue()} <= set(TRUTH)


@pytest.mark.parametrize(
    ("text", "gamma"),
    [
        ("softplus", 1),
        ("softplus(20)", 20),
        ("softplus(2/3)", sympy.Rational(2, 3)),
        ("log(1 + exp(20*t))/20", 20),
        ("log(1 + exp(t))/2", None),
        ("-log(1 + exp(-t))", None),
        ("log(1 + exp(t + 1))", None),
        ("log(2 + exp(t))", None),
        ("log(1 + exp(pi*t))/pi", None),
        ("tanh", None),
    ],
)
def test_softplus_is_matched_exactly(text, gamma):
    fact = activation(text).facts.softplus_like
    assert fact.value == gamma
    assert fact.status == ("unknown" if gamma is None else "proved")


def test_holds_means_proved_true():
    facts = activation("tanh").facts
    assert facts.real_analytic.holds
    assert not activation("relu").facts.real_analytic.holds
    assert not activation("log(t**2 - 2*t + 2)").facts.real_analytic.holds


def test_declared_facts_fill_gaps_only():
    text = "log(t**2 - 2*t + 2)"
    declared = Activation.from_expression(text, declared={"real_analytic": True})
    fact = declared.facts.real_analytic
    assert (fact.value, fact.status) == (True, "declared")
    assert not fact.holds
    assert activation(text).facts.real_analytic.status == "unknown"
    assert Activation.from_expression("tanh(t)", declared={"bounded": True}).facts.bounded.status == "proved"
    with pytest.raises(ExpressionError, match="is proved"):
        Activation.from_expression("max(t, 0)", declared={"real_analytic": True})
    with pytest.raises(ExpressionError, match="did you mean 'bounded'"):
        Activation.from_expression("t", declared={"bound": True})
    with pytest.raises(ExpressionError, match="True or False"):
        Activation.from_expression("t", declared={"bounded": 1})
    assert with_declared(activation("t").facts, {}) == activation("t").facts


@settings(max_examples=25)
@given(data=st.data())
def test_no_proved_fact_is_contradicted_by_samples(expression_texts, data):
    text = data.draw(expression_texts)
    try:
        found = Activation.from_expression(text)
    except ExpressionError:
        return
    facts, tree = found.facts, found.tree
    points = [Fraction(k, 3) for k in range(-12, 13)]
    values = [ball_at(tree, point) for point in points]
    if facts.strictly_increasing.holds:
        assert not any(b < a for a, b in itertools.pairwise(values)), facts.strictly_increasing
    if facts.symmetry.status == "proved" and facts.symmetry.value.kind != "none":
        for point, value in zip(points, values, strict=True):
            mirrored = ball_at(tree, -point)
            other = value if facts.symmetry.value.kind == "even" else _constant(facts.symmetry.value.center) - value
            assert not mirrored.is_finite() or not other.is_finite() or mirrored.overlaps(other)
    known = behaviour(tree)
    if known is not None:
        for value in values:
            if value.is_finite():
                assert not value < _lower(known.values) and not value > _upper(known.values)
        if known.analytic:  # an analytic function equals no different analytic piece on a whole interval
            assert facts.real_analytic.holds
    assert all(getattr(facts, field.name).status in ("proved", "unknown") for field in fields(facts))


def _constant(expression):
    return ball_at(tree_of(expression), Fraction(0))


def _lower(interval):
    return -flint.arb("inf") if math.isinf(interval.lo) else flint.arb(flint.fmpq(*interval.lo.as_integer_ratio()))


def _upper(interval):
    return flint.arb("inf") if math.isinf(interval.hi) else flint.arb(flint.fmpq(*interval.hi.as_integer_ratio()))


ENDS = st.one_of(st.fractions(min_value=-4, max_value=4, max_denominator=4), st.just(None))


@st.composite
def domains(draw):
    a, b = draw(ENDS), draw(ENDS)
    if a is not None and b is not None:
        if a == b:
            b = a + 1
        a, b = min(a, b), max(a, b)
    return Interval(-math.inf if a is None else a, math.inf if b is None else b)


@given(
    st.sampled_from(sorted(set(FUNCTIONS) - {"max", "min", "sign"})),
    domains(),
    st.lists(st.fractions(0, 1), max_size=8),
)
def test_ranges_of_functions_contain_their_values(name, domain, places):
    tree = Call(name, (Var(),))
    known = behaviour(tree, domain)
    if known is None:
        assert name in ("log", "log1p", "sqrt")
        return
    lo = domain.lo if isinstance(domain.lo, Fraction) else min(Fraction(-9), domain.hi - 9)
    hi = domain.hi if isinstance(domain.hi, Fraction) else max(Fraction(9), lo + 9)
    for place in places:
        point = lo + (hi - lo) * (place * Fraction(98, 100) + Fraction(1, 100))
        value = ball_at(tree, point)
        assert not value < _lower(known.values) and not value > _upper(known.values)
        if known.values.lo_open and not math.isinf(known.values.lo):
            assert value > _lower(known.values) or not value.is_exact()


@pytest.mark.parametrize("name", sorted(name for name, known in FUNCTIONS.items() if known.at_zero is not None))
@pytest.mark.parametrize("sign", [1, -1])
def test_the_value_at_zero_is_attained_by_a_function_of_a_square(name, sign):
    """Neither f(t^2) nor f(-t^2) may be said to avoid f(0), which it takes at t = 0."""
    inner = Mul((Const(sign), Power(Var(), 2)))
    known = behaviour(Call(name, (inner,)))
    if known is None:
        assert name in ("sqrt", "log1p", "sign")
        return
    end, values = FUNCTIONS[name].at_zero, known.values
    assert values.lo <= end <= values.hi
    assert not (end == values.lo and values.lo_open) and not (end == values.hi and values.hi_open)


SIMPLE = st.fractions(-3, 3, max_denominator=3)


@st.composite
def intervals(draw):
    a, b = sorted((draw(SIMPLE), draw(SIMPLE)))
    is_open = a < b
    return Interval(a, b, is_open and draw(st.booleans()), is_open and draw(st.booleans()))


@given(intervals(), intervals(), st.integers(2, 4))
def test_interval_arithmetic_knows_which_ends_are_attained(a, b, n):
    """Brute force on a grid that includes the closed ends: attained ends must be closed, values inside."""

    def grid(u):
        steps = [u.lo + (u.hi - u.lo) * Fraction(k, 6) for k in range(7)]
        return [x for k, x in enumerate(steps) if not (k == 0 and u.lo_open) and not (k == 6 and u.hi_open)]

    def check(result, values):
        for value in values:
            assert result.lo < value or (result.lo == value and not result.lo_open)
            assert value < result.hi or (result.hi == value and not result.hi_open)

    check(a + b, [x + y for x in grid(a) for y in grid(b)])
    check(a * b, [x * y for x in grid(a) for y in grid(b)])
    check(a**n, [x**n for x in grid(a)])
    check(-a, [-x for x in grid(a)])
    check(abs(a), [abs(x) for x in grid(a)])
    if a.excludes_zero:
        check(a.reciprocal(), [1 / x for x in grid(a) if x])


@pytest.mark.parametrize(
    ("text", "proved"),
    [
        ("t**2 + 1", True),
        ("1 - tanh(t)**2", True),
        ("exp(t) + t**2", True),
        ("2 - sin(t)", True),
        ("1 - sin(t)", False),  # attains 0
        ("t**2", False),
        ("t**2 - 2*t + 2", False),  # true, not found
        ("cosh(t) - 1", False),
    ],
)
def test_structural_positivity(text, proved):
    known = behaviour(activation(text).tree, REALS)
    assert known is not None
    assert known.values.is_positive is proved


def test_pieces_cover_the_line_and_agree():
    found = activation("max(-1, min(1, t)) + abs(t - 1/2)*max(t, t**3, 0)")
    pieces = split(found.expression)
    assert pieces is not None
    assert pieces[0].domain.lo == -math.inf and pieces[-1].domain.hi == math.inf
    assert all(a.domain.hi == b.domain.lo for a, b in itertools.pairwise(pieces))
    for piece in pieces:
        for point in piece.inner_points:
            assert exact_at(found.tree, point) == exact_at(tree_of(piece.expression), point)
    assert split(activation("max(t, exp(t))").expression) is None
    assert split(activation("max(0, t**2 - 2)").expression) is None  # irrational breakpoints


def test_huge_polynomials_are_not_expanded():
    facts = activation("((t**1000 + 1)**1000 + 1)**1000").facts
    assert facts.real_analytic.holds
    assert facts.polynomial_degree.status == "unknown"
    assert facts.strictly_increasing.value is not True


@pytest.mark.parametrize("text", ["t*(1 + erf(100*t))/2 + t", "exp(-10000*t**2)*t + t", "t*(1 + erf(1000*t/7))/2 + t"])
def test_steep_exponentials_are_not_expanded(text):
    """sympy takes exp(-10000 t^2) for a power of exp(-t^2), and took minutes to factor it."""
    assert largest_rate(parse_expression(text).diff(T)) > MAX_SIMPLIFY_RATE
    assert Activation.from_expression(text).facts.real_analytic.holds


@pytest.mark.parametrize("text", ["1/(1 + sin(t))", "t/(1 + cos(t))", "1/(sin(t) + cos(t) + 3/2)", "log(1 + sin(t))"])
def test_nothing_is_proved_of_what_may_be_undefined(text):
    """A divisor or a logarithm's argument whose range reaches 0: the walk must not go on."""
    sigma = Activation.from_expression(text)
    assert behaviour(sigma.tree) is None
    facts = sigma.facts
    assert not facts.real_analytic.holds and not facts.strictly_increasing.holds and not facts.bounded.holds
    assert facts.limit_minus.status == facts.limit_plus.status == "unknown"
