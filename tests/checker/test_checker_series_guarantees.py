"""The checker's series and features, against 60 digits."""

from __future__ import annotations

import ast
from fractions import Fraction

import mpmath
from flint import arb
from planted import (
    contains,
    ends,
    forward,
    mp,
    seeds,
)
from planted_problems import CURVES, as_read, padded_problem

from verifier.checker import common, expression, features
from verifier.sigma.activations import activation


@seeds(20)
def test_series_contain_value_and_slope(rng):
    """The checker's jets on balls: value and slope at random points, constants, and what is undefined."""
    for name, (function, derivative) in CURVES.items():
        tree = expression.parse(activation(name).canonical, "").tree
        with common.precision(int(rng.choice([40, 64, 128]))):
            build = expression.build(tree, expression.SERIES)
            middle, radius = float(rng.normal() * 3), float(rng.choice([0, 1e-12, 0.01, 0.5, 3]))
            rate = arb(float(rng.normal()), float(rng.choice([0, 0.1])))
            z = arb(middle, radius)
            value, slope = expression.jet(build, z, rate)
            low, high = ends(z)
            with mpmath.workdps(60):
                for t in (low, high, (low + high) / 2, low + (high - low) * Fraction(float(rng.random()))):
                    for c in ends(rate):
                        assert contains(value, function(mp(t)), Fraction(1, 10**40)), name
                        assert contains(slope, derivative(mp(t)) * mp(c), Fraction(1, 10**40)), name
            still = expression.jet(build, z, arb(0))
            assert still[1] == 0 and contains(still[0], function(mpmath.mpf(middle)), Fraction(1, 10**10))


@seeds(20)
def test_series_contain_taylor_coefficients(rng):
    """The checker's power series of more than two orders, of balls, and the orders that 0/0 loses."""
    texts = {"tanh(t)", "1 / (exp(-t) + 1)", "log(exp(t) + 1)", "t / sqrt(t**2 + 1)", "t**3 - 2*t", "sin(t)*cos(t)"}
    texts |= {"erf(t)", "atan(t)", "sinh(t) + cosh(2*t)", "(t**2 + 1)**(1/3)", "exp(-t**2)", "(t**2 + 1)**-2"}
    for text in sorted(texts):
        function = expression.build(expression.parse(text, "").tree, expression.SERIES)
        names = {"log": mpmath.log, "exp": mpmath.exp, "sqrt": mpmath.sqrt, "erf": mpmath.erf, "atan": mpmath.atan}
        names |= {name: getattr(mpmath, name) for name in ("sin", "cos", "tanh", "sinh", "cosh")}
        code = compile(text.replace("1/3", "one/3"), "", "eval")
        middle, w = float(rng.normal()), float(rng.normal())
        with common.precision(128), mpmath.workdps(50):
            names["one"] = mpmath.mpf(1)
            for radius in (0.0, 2.0**-10):
                found = expression.taylor(function, [arb(middle, radius), arb(w), arb(0), arb(0), arb(0)])
                at = mpmath.mpf(middle) + radius * float(rng.uniform(-1, 1))
                truth = mpmath.taylor(lambda t, code=code, names=names: eval(code, names | {"t": t}), at, 4)
                for order, (ball, coefficient) in enumerate(zip(found, truth, strict=True)):
                    assert contains(ball, coefficient * mpmath.mpf(w) ** order, Fraction(1, 10**9)), (text, order)
                    assert (
                        ball.rad() < (0.1 if radius else 1e-25) * (9 + abs(float(coefficient))) * (1 + abs(w)) ** 4
                    ), (text, order)
    with common.precision(64):
        inner = [arb(0), arb(1), arb(0), arb(0)]
        cube = expression.taylor(expression.build(expression.parse("t**3", "").tree, expression.SERIES), inner)
        assert [float(c) for c in cube] == [0, 0, 0, 1] and all(c.is_exact() for c in cube)
        for text in ("sin(t)/t", "exp(t**2/t)", "1/t"):
            lost = expression.build(expression.parse(text, "").tree, expression.SERIES)
            assert not any(c.is_finite() for c in expression.taylor(lost, inner)), text


def test_undefined_series_are_not_finite():
    """0/0, logarithms and roots at the end of their domain, and functions that are not differentiable."""
    with common.precision(64):
        for text, at in (("t/t", 0), ("sin(t)/t", 0), ("exp(t/t)", 0), ("1/t", 0), ("log(t)", 0), ("log(t)", -1)):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(at), arb(1)
            )
            assert not (both[0].is_finite() and both[1].is_finite()), text
        for text in ("sqrt(t)", "t**(1/2)", "sqrt(t**2)"):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(0), arb(1)
            )
            assert not both[1].is_finite(), text
        for text, value, slope in (
            ("3", 3, 0),
            ("pi*t/pi", 2, 1),
            ("t**3", 8, 12),
            ("t**-1", 0.5, -0.25),
            ("-t", -2, -1),
        ):
            both = expression.jet(
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES), arb(2), arb(1)
            )
            assert both[0].contains(arb(value)) and both[1].contains(arb(slope)), text
            assert both[0].rad() < 1e-15 and both[1].rad() < 1e-15
        for name in ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf"):
            value, slope = expression.jet(expression.SERIES[name], arb(2), arb(3))
            with mpmath.workdps(40):
                planted = getattr(mpmath, name)
                assert contains(value, planted(2), 1e-25) and contains(slope, 3 * mpmath.diff(planted, 2), 1e-15), name
        for text in ("Abs(t)", "Max(t, 0)", "Min(t, 0)"):
            try:
                expression.build(ast.parse(text, mode="eval").body, expression.SERIES)
            except KeyError:
                continue
            raise AssertionError(text)


@seeds(10)
def test_padded_checker_features(rng):
    """The checker reads the prover's padded networks and encloses their exact features."""
    net, u, x = padded_problem(rng)
    truth = forward(net, u, x)
    known = as_read(net, u, x)
    limits = features.unroll.__globals__
    usual = limits["GATHER"]
    for gather in (usual, -(10**9)):  # small layers as dense ones, and none of them
        limits["GATHER"] = gather
        try:
            with common.precision(128):
                rows = features.Features(known).rows(list(range(len(x))))
        finally:
            limits["GATHER"] = usual
        for line, wanted in zip(rows, truth, strict=True):
            assert all(contains(ball, value) for ball, value in zip(line, wanted, strict=True))
            largest = max(abs(float(ball.mid())) for ball in line)
            assert all(float(ball.rad()) < 1e-20 * (1 + largest) for ball in line)
