"""Series of the checker: at sampled times the exact derivatives of random functions lie in the coefficients."""

from __future__ import annotations

from fractions import Fraction as F
from functools import cache
from random import Random

import mpmath
import pytest
from checking import exact_ball
from everyday import one_in
from flint import arb

from verifier.checker import series
from verifier.checker.common import precision
from verifier.checker.expression import GUARDED, SERIES, build
from verifier.checker.grammar import read_expression
from verifier.checker.segment import CHANGES
from verifier.checker.series import Series

DIGITS = 60


def polynomial(random, scale):
    """A random polynomial with rational coefficients."""
    return [F(random.randint(-64, 64), 16) * scale for _ in range(4)]


def value(coefficients, t):
    return mpmath.mpf(0) + sum(mpmath.mpf(c.numerator) / c.denominator * t**k for k, c in enumerate(coefficients))


def ball(low, high):
    return (arb(low.numerator) / low.denominator).union(arb(high.numerator) / high.denominator)


def enclosed(coefficients, times, length):
    """The series of a polynomial on a ball of times: coefficient k is x^(k)(t) / k!, by Horner's rule."""
    found, current = [], [arb(c.numerator) / c.denominator for c in coefficients]
    for order in range(length):
        total = arb(0)
        for c in reversed(current):
            total = total * times + c
        found.append(total)
        current = [(k + 1) * c / (order + 1) for k, c in enumerate(current[1:])]
    return Series(found)


def softmax_of(x):
    powers = [mpmath.exp(entry) for entry in x]
    return [power / mpmath.fsum(powers) for power in powers]


def normalised_of(x, epsilon, centre):
    middle = mpmath.fsum(x) / len(x) if centre else 0
    d = [entry - middle for entry in x]
    root = mpmath.sqrt(mpmath.fsum(entry**2 for entry in d) / len(x) + epsilon)
    return [entry / root for entry in d]


RULES = {
    "softmax": (lambda group: series.softmax(group), softmax_of),
    "centred": (
        lambda group: series.normalised(group, arb(1) / 8, centre=True),
        lambda x: normalised_of(x, mpmath.mpf(1) / 8, True),
    ),
    "not centred": (
        lambda group: series.normalised(group, arb(1) / 8, centre=False),
        lambda x: normalised_of(x, mpmath.mpf(1) / 8, False),
    ),
    "inverse root": (
        lambda group: [series.inverse_root(entry * entry, arb(1) / 4) for entry in group],
        lambda x: [1 / mpmath.sqrt(entry**2 + mpmath.mpf(1) / 4) for entry in x],
    ),
    "product": (lambda group: [a * b for a in group for b in group], lambda x: [a * b for a in x for b in x]),
    "activation": (
        lambda group: [series.mapped(*GELU, entry) for entry in group],
        lambda x: [entry * (1 + mpmath.erf(entry)) for entry in x],
    ),
}
TREE = read_expression("t * (erf(t) + 1)")
GELU = build(TREE, GUARDED), build(TREE, SERIES)


def escapes(rule, seed):
    """Return what is not enclosed, for a random group of polynomials on a random ball of times."""
    compute, exact = RULES[rule]
    random = Random(seed)
    size, length = random.choice([1, 2, 3, 5]), random.choice([1, 2, 3, 4])
    scale, width = random.choice([F(1, 64), F(1), F(4)]), random.choice([F(0), F(1, 2**20), F(1, 16), F(1, 2)])
    group = [polynomial(random, scale) for _ in range(size)]
    first = F(random.randint(-8, 8), 8)

    @cache
    def at_once(s, bits):
        return exact([value(entry, s) for entry in group])

    with precision(random.choice([53, 100])), mpmath.workdps(DIGITS):
        times = ball(first, first + width)
        found = compute([enclosed(entry, times, length) for entry in group])
        bad = []
        for step in range(5):
            t = (
                mpmath.mpf(first.numerator) / first.denominator
                + step * mpmath.mpf(width.numerator) / width.denominator / 4
            )
            for order in range(length):
                for j, one in enumerate(found):
                    at = lambda s, j=j: at_once(s, mpmath.mp.prec)[j]  # noqa: E731
                    number = mpmath.diff(at, t, order, h=mpmath.mpf(10) ** -12) / mpmath.factorial(order)
                    if one.c[order].is_finite() and not one.c[order].overlaps(near(number)):
                        bad.append((order, j, one.c[order], number))
        return bad, found


def near(number):
    """A ball around a derivative that central differences have found to some twenty digits."""
    error = (abs(number) + 1) * mpmath.mpf(10) ** -14
    return exact_ball(number - error).union(exact_ball(number + error))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", one_in(3, range(12)))
def test_exact_derivatives_are_enclosed(rule, seed):
    bad, _ = escapes(rule, seed)
    assert bad == []


@pytest.mark.parametrize("rule", ["softmax", "centred", "activation", "inverse root"])
def test_narrow_times_give_narrow_coefficients(rule):
    """At one exact time nothing but roundings is left, so that the containment above is not for free."""
    group = [enclosed([F(k), F(1, 2), F(1, 4)], arb(1) / 4, 4) for k in (0, 1, 2)]
    with precision(100):
        found = RULES[rule][0](group)
    assert all(c.rad() < 1e-20 for one in found for c in one.c)


BROKEN = {
    "softmax": ("softmax", lambda x: [Series([c if k < 1 else 2 * c for k, c in enumerate(p.c)]) for p in SOFTMAX(x)]),
    "centred": ("normalised", lambda x, e, centre: NORMALISED(x, e, centre=False)),
}
SOFTMAX, NORMALISED = series.softmax, series.normalised


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_rules_are_caught(rule, monkeypatch):
    name, broken = BROKEN[rule]
    monkeypatch.setattr(series, name, broken)
    assert any(escapes(rule, seed)[0] for seed in range(12))


def test_taylor_narrows():
    """x = t^2 on [0, 1] from the midpoint: x' = 1 + 2 (t - 1/2) exactly."""
    whole = Series([arb(0.5, 4), arb(1, 8), arb(1)])
    found = series.narrowed(whole, Series([arb(0.25), arb(1)]), arb(0, 0.5))
    assert found.c[0].contains(arb(0)) and found.c[0].contains(arb(1)) and found.c[0].rad() < 0.8
    assert found.c[1].contains(arb(0)) and found.c[1].contains(arb(2)) and found.c[1].rad() < 1.001


def test_what_is_undefined_stays_so():
    assert not series.narrowed(Series([arb("nan"), arb(1)]), Series([arb(1)]), arb(0, 1)).is_finite()
    assert not series.inverse_root(Series([arb(0, 1), arb(1)]), arb(0)).is_finite()
    assert not series.normalised([Series([arb(0), arb(1)])] * 2, arb(0), centre=True)[0].is_finite()
    assert not series.clipped(arb("nan"), arb(0, 1)).is_finite()
    assert not series.softmax([Series([arb("nan"), arb(1)]), Series([arb(0), arb(0)])])[1].is_finite()


def test_maximum():
    """One entry for all times, or with kinks the hull of the quotients of those that may attain it."""
    low, mid, top = Series([arb(0, 0.1), arb(5)]), Series([arb(1, 0.2), arb(1)]), Series([arb(1.1, 0.2), arb(2)])
    assert series.largest([low, top]) is top and series.largest([top, top]) is top
    assert not series.largest([low, mid, top]).is_finite()
    found = series.largest([low, mid, top], kinks=True)
    assert found.c[0].contains(arb(1)) and found.c[1].contains(arb(1)) and found.c[1].contains(arb(2))
    assert not found.c[1].contains(arb(4))


def test_the_rates_of_both_factors_cancel_before_they_are_multiplied_by_a_ball():
    """At t = -1/2 the rates of t and of 1 + erf(t) have opposite signs: 0.479 - 0.439, not 0.479 + 0.439."""
    with precision(100):
        found = series.mapped(*GELU, Series([arb(-0.5), arb(0, 1) / 1000]))
        assert 0.039e-3 < float(found.c[1].abs_upper()) < 0.041e-3


def test_a_change_across_a_kink_is_contained():
    """From x to x + d a maximum of t and t/4 may change by d/4 up to d, whatever the sign."""
    kinked = build(read_expression("Max(t, t/4)"), CHANGES)
    with precision(100):
        found = series.mapped(kinked, kinked, Series([arb(0, 1), arb(0, 1) / 8]))
        for x in (F(-1), F(-1, 16), F(0), F(1, 32), F(7, 8)):
            for d in (F(-1, 8), F(1, 8), F(1, 16)):
                change = max(x + d, (x + d) / 4) - max(x, x / 4)
                assert found.c[1].contains(arb(change.numerator) / change.denominator)
