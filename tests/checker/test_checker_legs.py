"""Legs of the checker on random graphs: the oracle's values and quotients lie in the balls, by both ways."""

from __future__ import annotations

import ast
from functools import cache

import mpmath
import numpy as np
import pytest
from checker_graph import as_graph
from flint import arb, fmpq
from oracle_graph import psi_oracle
from test_checker_segment import GRID, KINKS, SMOOTH, ball, case

from verifier.checker import legs
from verifier.checker.common import Rejection, precision
from verifier.checker.expression import GUARDED, build, parse
from verifier.checker.legs import Leg, piece_of
from verifier.checker.rates import SILU, TURNS, slope_of

ALL, LAYERS = (*SMOOTH, *KINKS), ("affine", "map")


def outside(seed, way="features", names=ALL, kinds=None):
    """Return what of the oracle's values and quotients is outside, and how many were looked at."""
    rng, network, u, x = case(seed, names, kinds)
    step = np.round(rng.standard_normal(len(u)) * GRID / 64) / GRID
    low = int(rng.integers(0, 16))
    with precision(100), mpmath.workdps(60):
        leg = Leg(as_graph(network, u, x), as_graph(network, u + step, x))
        try:
            mid, rate = getattr(leg, way)(leg.block([0, 1]), piece_of(fmpq(low, 16), fmpq(low + 1, 16)))
        except Rejection as rejection:
            assert rejection.rule in ("features.finite", "network.expression")
            return [], 0
        bad, seen, middle = [], 0, (2 * low + 1) / 32
        here = psi_oracle(network, u + middle * step, x)
        for time in (low / 16, (4 * low + 1) / 64, (low + 1) / 16):
            there = psi_oracle(network, u + time * step, x)
            for rows in zip(mid, rate, here, there, strict=True):
                for m, q, a, b in zip(*rows, strict=True):
                    seen += 1
                    slope, slack = (b - a) / (time - middle), mpmath.mpf(10) ** -25
                    inside = m.overlaps(ball(a, abs(a) * slack)) and q.overlaps(ball(slope, (1 + abs(slope)) * slack))
                    if not inside:
                        bad.append((time, m, q, a, slope))
    return bad, seen


@pytest.mark.parametrize("kinds", [None, LAYERS])
@pytest.mark.parametrize("seed", range(10))
def test_values_and_quotients_are_enclosed(seed, kinds):
    bad, seen = outside(seed, kinds=kinds)
    assert bad == [] and seen


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_of_higher_order_enclose_the_same(seed):
    bad, _ = outside(seed, "by_taylor", SMOOTH)
    assert bad == []


def test_a_broken_product_rule_is_noticed(monkeypatch):
    plain, calls = legs.products, []

    def without_moving_weights(layout, table, weights):
        calls.append(0)
        found = plain(layout, table, weights)
        return found if len(calls) % 3 else [part * 0 for part in found]  # the third product: H(t) W_q

    monkeypatch.setattr(legs, "products", without_moving_weights)
    assert outside(2, kinds=LAYERS)[0]


def test_forgotten_biases_are_noticed(monkeypatch):
    monkeypatch.setattr(legs, "shifted", lambda layout, sums, bias: sums)
    assert outside(2, kinds=LAYERS)[0]


GELU, MISH = "t*(erf(sqrt(2)*t/2) + 1)/2", "t*tanh(log(exp(t) + 1))"
TEXTS = (
    *("tanh(t)", "1/(exp(-t) + 1)", "1/(1 + exp(-t))", "Max(0, t)", "Max(t/4, t)", "Abs(t)", "t**2", "t**3", "sin(t)"),
    *(
        "t/(exp(-t) + 1)",
        "log(exp(t) + 1)",
        "t*(erf(t/2) + 1)",
        "Min(6, Max(0, t + 3))",
        "Max(-1, Min(1, t))",
        "atan(t)",
    ),
    *(
        "exp(-t**2)",
        "sqrt(t**2 + 1)",
        "1/(t**2 + 1)",
        "Max(0, t)**2",
        "Max(0, t) + Min(0, exp(t) - 1)",
        "2",
        "cosh(t)/9",
    ),
    *("Abs(Abs(t) - 1)", "t/sqrt(t**2 + 1)", "3*t - 1", "-t", "1 - tanh(t)", "Max(t, -t, t/2)", "pi*t", "t**0"),
    *("t*(erf(sqrt(2)*t/2) + 1)/2", "exp(Min(0, t)) + Max(0, t) - 1", "log(exp(3*t) + 1)/3", "1/(t/8 + 1/2)", MISH),
)


@pytest.mark.parametrize("text", TEXTS)
def test_slopes_on_a_ball_are_all_slopes(text):
    """Quotients from one number of a random ball to others, some with a kink inside or at an end."""
    rng, slope = np.random.default_rng(len(text)), slope_of(parse(text, "").tree)
    names = {name: getattr(mpmath, name) for name in ("tanh", "exp", "sin", "log", "erf", "sqrt", "atan", "cosh", "pi")}
    names |= {"Max": max, "Min": min, "Abs": abs, "sinh": mpmath.sinh, "cos": mpmath.cos}
    code = compile(text, text, "eval")
    sigma = cache(lambda t: mpmath.mpf(eval(code, {"__builtins__": {}}, {**names, "t": t})))
    with precision(80), mpmath.workdps(40):
        for _ in range(30):
            low, c, high = sorted(mpmath.mpf(int(v)) / 8 for v in rng.integers(-24, 25, 3))
            value, quotient = slope(arb(float(low)).union(arb(float(high))), arb(float(c)), ball(sigma(c), 1e-25))
            points = [low, *(low + (high - low) * mpmath.mpf(r) for r in rng.random(4)), high]
            slack = mpmath.mpf(10) ** -20
            assert all(value.overlaps(ball(sigma(point), slack)) for point in points), (low, high)
            for s in points:
                if s != c:
                    assert quotient.overlaps(ball((sigma(s) - sigma(c)) / (s - c), slack)), (low, c, high, s)


@pytest.mark.parametrize(
    "text", ["tanh(t)", "1/(exp(-t) + 1)", "t/(exp(-t) + 1)", "log(exp(t) + 1)", GELU, "sin(t)", MISH]
)
@pytest.mark.parametrize(("c", "radius"), [(0.5, 2.0**-10), (-3.0, 2.0), (1.0, 4.0)])
def test_slopes_are_sharp(text, c, radius):
    """On wide balls, too, they are hardly more than all derivatives that occur."""
    with precision(64), mpmath.workdps(30):
        found = slope_of(parse(text, "").tree)(arb(c, radius), arb(c), parse_value(text, c))[1]
        sigma = lambda t: mpmath.mpf(eval(text, {"__builtins__": {}}, {"t": t, **vars(mpmath)}))  # noqa: E731
        slopes = [mpmath.diff(sigma, c + radius * mpmath.mpf(k) / 32) for k in range(-32, 33)]
        assert found.rad() <= (max(slopes) - min(slopes)) / 2 * (1.5 if text == MISH else 1.03)
        assert all(found.overlaps(ball(slope, 1e-9)) for slope in slopes) or radius < 1


def test_where_slopes_turn():
    """The bends of GELU and SiLU change their signs in these balls."""
    with mpmath.workdps(30):
        assert TURNS[str(ast.unparse(parse(GELU, "").tree))][0].contains(arb(2).sqrt())
        two = lambda t: t * mpmath.tanh(mpmath.mpf(t) / 2)  # noqa: E731
        middle, radius = float(SILU.mid()), float(SILU.rad())
        assert two(middle - radius) < 2 < two(middle + radius)


def parse_value(text, t):
    """Return the activation at t as a ball."""
    return build(parse(text, "").tree, GUARDED)(arb(t))


@pytest.mark.parametrize("text", ["1/t", "sqrt(t)", "log(t)", "0/t", "t**(1/3)", "Max(1/t, 0)", "Max(0, 0/t)"])
def test_what_is_undefined_on_the_ball_is_not_finite(text):
    with precision(64):
        for wild in (arb(0, 1), arb("nan"), arb(0, "inf")):
            value, slope = slope_of(parse(text, "").tree)(wild, arb(1), arb(1))
            assert not (value.is_finite() and slope.is_finite())


def test_a_kink_has_the_slopes_of_both_sides():
    with precision(64):
        relu = slope_of(parse("Max(0, t)", "").tree)
        value, slope = relu(arb(0, 1), arb(0), arb(0))
        assert value.contains(arb(1)) and slope.contains(arb(0)) and slope.contains(arb(1)) and slope.rad() < 0.51
        assert relu(arb(3, 1), arb(3), arb(3))[1] == 1
