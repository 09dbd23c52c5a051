"""Activations: containment of the true value for narrow and wide balls, exact facts, and refused expressions."""

import math
import re
from fractions import Fraction as F
from functools import cache
from random import Random

import mpmath
import pytest
from checking import exact_ball
from flint import arb, fmpq

from verifier.checker.analytic import by_ends
from verifier.checker.claims import loss_of
from verifier.checker.common import Rejection, precision
from verifier.checker.expression import GUARDED, PLAIN, build, parse, rational

EXPRESSIONS = [
    "t",
    "tanh(t)",
    "1/(exp(-t) + 1)",
    "log(exp(t) + 1)",
    "log(1 + exp(2*t))/2",
    "atan(t)",
    "erf(t)",
    "sin(t)",
    "cos(t)",
    "t/(exp(-t) + 1)",
    "t*(erf(sqrt(2)*t/2)/2 + 1/2)",
    "Max(0, t)",
    "Min(t, 1, t**2)",
    "Abs(t)",
    "t**2",
    "t**3",
    "-t**2",
    "t/sqrt(t**2 + 1)",
    "(t**2 + 1)**(-3/2)",
    "(Abs(t) + 1)**(1/3)",
    "2**(1/2)*t",
    "sinh(t/4)",
    "cosh(t/4)",
    "exp(-t**2)",
    "pi*t + E",
    "t - t**3/6",
    "(t + 1)**5",
    "1/(t**2 + 1)",
    "log(t**2 + 1)",
    "t**0",
    "Max(t, -t/10)",
    "3 - 2*tanh(-t)",
]
NAMES = {
    name: getattr(mpmath, name) for name in ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "erf")
}
NAMES |= {"Abs": abs, "Max": max, "Min": min}


@cache
def compiled(text):
    return compile(re.sub(r"(?<![a-z])(\d+)", r"mpf(\1)", text), text, "eval")


def truth(text, t):
    with mpmath.workdps(60):
        return eval(compiled(text), {**NAMES, "mpf": mpmath.mpf, "pi": +mpmath.pi, "E": +mpmath.e, "t": t})


def contains(ball, value, bits=180):
    with precision(bits):
        near = exact_ball(value)
        return ball.overlaps(near + arb(0, 1e-40) * (1 + abs(near)))


def ends(text, t, radius):
    """Return the expression's value at a few points of [t - radius, t + radius]."""
    for step in (-1, F(-1, 2), 0, F(1, 3), 1) if radius else (0,):
        point = t + radius * step
        yield truth(text, mpmath.mpf(point.numerator) / point.denominator)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_containment(text):
    random = Random(text)
    for bits in (32, 53, 64, 200):
        with precision(bits):
            function, direct = (build(parse(text, "").tree, domain) for domain in (GUARDED, PLAIN))
        for _ in range(12):
            t = F(random.randint(-(2**20), 2**20), 2 ** random.randint(16, 24))
            radius = random.choice([F(0), F(1, 2**40), F(1, 2**12), F(1, 4), F(2)])
            with precision(bits), mpmath.workdps(60):
                ball = arb((t.numerator, 1 - t.denominator.bit_length()))
                wide = arb(ball, float(radius))
                result = function(wide)
                unguarded = direct(wide)
                for value in ends(text, t, radius):
                    assert contains(result, value), (text, bits, t, radius, str(result), value)
                    assert not unguarded.is_finite() or contains(unguarded, value), (text, bits, t, radius)
                if radius == 0:
                    assert result.rel_accuracy_bits() > bits - 24 or abs(result) < 2**-10 or result.is_exact()


@pytest.mark.parametrize("text", ["tanh(t)", "erf(t)", "1/(exp(-t) + 1)", "atan(t)", "sin(t)", "Max(0, Min(t, 1))"])
def test_wide_balls_stay_bounded(text):
    with precision(64):
        for ball in (arb(0, 2), arb(1, 5), arb(0, 9), arb(10**6, 10**5)):
            assert abs(build(parse(text, "").tree, GUARDED)(ball)) < 4


@pytest.mark.parametrize(
    "text", ["log(t)", "1/t", "sqrt(t)", "t**(-1)", "t**(1/2)", "t**(-1/3)", "log(1 + t)", "1/(t*t)"]
)
def test_undefined_is_not_finite(text):
    with precision(64):
        for outer in (
            "{}",
            "tanh({})",
            "Max(1, {})",
            "Min({}, 1)",
            "Abs({})",
            "({})**0",
            "0*({})",
            "1/({})",
            "exp(-({}))",
        ):
            tree = parse(outer.format(text), "").tree
            for ball in (arb(-1, 2), arb(-3), arb(-1)):
                if ball.overlaps(arb(0)) or text not in ("1/t", "t**(-1)", "1/(t*t)"):
                    for domain in (GUARDED, PLAIN):
                        assert not build(tree, domain)(ball).is_finite(), (outer, text, str(ball))


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.parametrize("huge", ["1e300", "-1e300", "1e100000", "-1e100000", "1e-100000", "1e300 +/- 1e299"])
def test_huge_arguments_end(text, huge):
    with precision(64):
        build(parse(text, "").tree, GUARDED)(arb(huge)).is_finite()


REFUSED = [
    "",
    " ",
    "x",
    "t t",
    "t +",
    "import os",
    "__import__('os')",
    "t.real",
    "t[0]",
    "(t, t)",
    "[t]",
    "lambda: t",
    "t if t else t",
    "1.5",
    "1e3",
    "True",
    "None",
    "'t'",
    "t == t",
    "t and t",
    "t // 2",
    "t % 2",
    "t @ t",
    "+t",
    "~t",
    "t << 1",
    "tanh",
    "tanh()",
    "tanh(t, t)",
    "Max(t)",
    "exp(t=1)",
    "exp(*t)",
    "open(t)",
    "sympy.exp(t)",
    "t**t",
    "2**t",
    "t**pi",
    "t**sqrt(2)",
    "t**1001",
    "t**(1/1001)",
    "t**(9**9**9**9)",
    "t**(1/0)",
    "t**(1000**1000)",
    "(" * 300 + "t" + ")" * 300,
    "-" * 1500 + "t",
    "t" + "+t" * 999 + "+tt",
    "exp(" * 150 + "t" + ")" * 150,
    "t\n",
    "t#",
    "ｔ",
    "t;t",
    "t:=1",
    "x" * 2001,
    "0x1.8p3",
    "1jt",
    "1j",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    with pytest.raises(Rejection) as caught:
        parse(text, "/x")
    assert (caught.value.rule, caught.value.path) == ("network.expression", "/x")


@pytest.mark.parametrize(
    ("text", "mirror", "degree"),
    [
        ("t", (0, -1), 1),
        ("tanh(t)", (0, -1), None),
        ("sin(t)", (0, -1), None),
        ("atan(t)", (0, -1), None),
        ("erf(t)", (0, -1), None),
        ("t**3", (0, -1), 3),
        ("t/sqrt(t**2 + 1)", (0, -1), None),
        ("sinh(t)", (0, -1), None),
        ("1/(exp(-t) + 1)", (1, -1), None),
        ("t**2", (0, 1), 2),
        ("cos(t)", (0, 1), None),
        ("Abs(t)", None, None),
        ("exp(t)", None, None),
        ("t + 1", None, 1),
        ("t**2 + t", None, 2),
        ("log(exp(t) + 1)", None, None),
        ("1/(exp(t) + 2)", None, None),
        ("(t + 1)**3/pi", None, 3),
        ("t*tanh(t)", None, None),
        ("5", None, 0),
        ("Max(0, t)", None, None),
        ("t**(1/3)", None, None),
        ("sqrt(2)*t**4 - 1", None, 4),
        ("1/t", None, None),
    ],
)
def test_facts(text, mirror, degree):
    expression = parse(text, "")
    assert (expression.mirror, expression.degree) == (mirror, math.inf if degree is None else degree)
    if mirror:
        c0, sign = mirror
        for t in (0.3, 1.7):
            assert truth(text, -mpmath.mpf(t)) == pytest.approx(c0 + sign * truth(text, mpmath.mpf(t)), abs=1e-12)


def at(text, t):
    return rational(parse(text, "").tree, fmpq(t.numerator, t.denominator))


def test_exact_rationals():
    assert at("(t + 1)**3/4 - 2**-2", F(1, 3)) == fmpq(4, 3) ** 3 / 4 - fmpq(1, 4)
    assert at("Max(0, t, Abs(-3))", F(1)) == 3
    assert at("tanh(t)", F(1)) is None
    assert at("pi", F(1)) is None
    assert at("t**1000", F(10**6)) is None  # too large: treated as unknown
    assert at("1/t", F(0)) is None
    assert at("t**-1", F(0)) is None


@pytest.mark.parametrize("radius", [1e-30, 0.5, 3.0])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_powers_of_balls_around_zero_are_finite_and_contain(radius: float, count: int) -> None:
    """Arb's own power of a ball with midpoint 0 is NaN."""
    for domain in (PLAIN, GUARDED):
        found = build(parse(f"t**{count}" if count > 1 else "t", "").tree, domain)(arb(0, radius))
        assert found.is_finite()
        for x in (-radius, 0.0, radius / 3, radius):
            assert found.contains(arb(x) ** count)


SIGMOID, TANH = "1/(exp(-t) + 1)", "tanh(t)"


@pytest.mark.parametrize(("text", "least", "most"), [(SIGMOID, 0, 1), (TANH, -1, 1), ("3 - 2*tanh(t)", 1, 5)])
@pytest.mark.parametrize("radius", [1, 1000, 2.0**97])
def test_monotone_functions_of_wide_balls_are_sharp(text, least, most, radius):
    with precision(64):
        value = by_ends(parse(text, "").tree)(arb(0, radius))
        assert value.contains(arb(truth(text, mpmath.mpf(radius)).__float__()))
        assert value.lower() >= least - 0.01 and value.upper() <= most + 0.01


@pytest.mark.parametrize("text", ["1/(t**2 + 1)", "cos(t)", "exp(-t**2)", "Abs(t)"])
def test_other_functions_of_wide_balls_keep_what_is_between(text):
    with precision(64):
        value = by_ends(parse(text, "").tree)(arb(0, 3))
        assert all(value.contains(arb(float(truth(text, mpmath.mpf(t))))) for t in (-3, 0, 0.5, 3))


@pytest.mark.parametrize("domain", [PLAIN, GUARDED])
@pytest.mark.parametrize("t", [-30, -9, -1, 0, 2, 30])
def test_erf_and_one_do_not_cancel(domain, t):
    with precision(64), mpmath.workdps(500):
        value = build(parse("t*(erf(t) + 1)/2", "").tree, domain)(arb(t))
        true = mpmath.mpf(t) * mpmath.erfc(-t) / 2
        assert value.contains(arb(mpmath.nstr(true, 60)).mid()) and value.rad() <= abs(value) * 2.0**-40


def test_functions_of_long_numbers_with_long_radii_are_finite():
    """At 2^63 +- 1 a ball is narrow beside its midpoint, but not for exp."""
    with precision(64):
        far = arb(2) ** 63
        assert build(parse(SIGMOID, "").tree, GUARDED)(-far + arb(0, 1)).is_finite()


@pytest.mark.parametrize("middle", [-(10**18), -40, 0, 40])
@pytest.mark.parametrize("radius", [0, 1, 300])
def test_losses_of_wide_margins_lie_between_those_of_their_ends(middle, radius):
    with precision(64), mpmath.workdps(60):
        loss = loss_of([arb(middle, radius), arb(middle + 1, radius)], [1, 1])
        assert loss.is_finite()
        ends = []
        for t in (middle - radius, middle + radius):
            ends.append(mpmath.log1p(mpmath.exp(-mpmath.mpf(t)) + mpmath.exp(-mpmath.mpf(t) - 1)))
            assert abs(loss - arb(mpmath.nstr(ends[-1], 50))).lower() <= 0
        size = float(ends[0] - ends[1])
        assert loss.rad() <= size / 2 * 1.001 + 1e-17 * float(ends[0])
