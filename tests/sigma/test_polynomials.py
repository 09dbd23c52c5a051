"""Which activations are polynomials of what degree, on planted truth, by the prover and by the checker."""

import math

import mpmath
import pytest
from flint import arb

from verifier import activation
from verifier.checker import polynomial as checker
from verifier.checker.common import precision
from verifier.checker.expression import parse
from verifier.sigma.kernels import approx_mpmath_kernel
from verifier.sigma.polynomials import excludes_polynomials, growth

NO_POLYNOMIALS = (
    "sigmoid tanh softplus softplus(20) arctan erf algebraic sin gelu silu mish exp cos(t) exp(-t**2) 1/(t**2+1) "
    "t+sin(t)**2 t*exp(-t**2) t*atan(t) t**3+tanh(t) t/2+sqrt(t**2+4)/2 t**2/(t**2+1) t*(tanh(t+t**3)+1)/2"
).split()
POLYNOMIALS = {"identity": 1, "square": 2, "cubic": 3, "t**5-t": 5, "(t+1)**2*t/7": 3, "t**2-2*t+1": 2}
DISGUISED = {
    "t - t": -1,
    "exp(t) - exp(t)": -1,
    "sin(t)**2 + cos(t)**2": 0,
    "0*t + 1": 0,
    "exp(log(exp(t)+1))-exp(t)": 0,
}
"""Polynomials that are written as something else, with their degrees (-1: the function 0)."""


def excluded(text, degree):
    """What the checker proves of a text in its grammar."""
    return checker.no_polynomial(parse(text, "").tree, degree)


def both(name, degree):
    """What prover and checker prove, if it is the same."""
    sigma = activation(name)
    found = excludes_polynomials(sigma, degree)
    assert excluded(sigma.canonical, degree) == found, (name, degree)
    return found


@pytest.mark.parametrize("name", NO_POLYNOMIALS)
def test_no_polynomial_of_any_degree(name):
    assert all(both(name, degree) for degree in (-1, 0, 1, 2, 7, 10**9))


@pytest.mark.parametrize(("name", "exact"), POLYNOMIALS.items())
def test_a_polynomial_is_none_of_a_lower_degree(name, exact):
    for degree in range(-1, exact + 3):
        assert both(name, degree) == (degree < exact)


@pytest.mark.parametrize(("text", "exact"), DISGUISED.items())
def test_a_polynomial_in_disguise_is_never_excluded(text, exact):
    assert [excluded(text, degree) for degree in range(-1, 4)] == [degree < exact for degree in range(-1, 4)]


def test_what_grows_faster_than_all_polynomials_is_none_of_those_that_are_tried():
    for name in ("sinh(t)", "t*exp(t)", "cosh(t)"):
        assert [both(name, degree) for degree in (0, 3, 255, 256)] == [True, True, True, False]


@pytest.mark.parametrize("name", [*NO_POLYNOMIALS, *POLYNOMIALS])
def test_the_growth_bounds_the_values(name):
    """|f(t)| / |t|^g stays bounded as t grows, by another evaluation."""
    sigma = activation(name)
    kernel = approx_mpmath_kernel(sigma)
    for bound in (growth(sigma.tree), checker.growth(parse(sigma.canonical, "").tree)):
        if math.isfinite(bound):
            sizes = [
                abs(kernel(sign * mpmath.mpf(10) ** k)) / mpmath.mpf(10) ** (k * bound)
                for k in (1, 2, 3)
                for sign in (-1, 1)
            ]
            assert max(sizes) < 100, (name, bound)


def test_differences_of_polynomials_vanish_exactly():
    with precision(200):
        cube = lambda t: t**3 - 2 * t  # noqa: E731
        assert checker.difference(cube, 3, arb(1), arb((1, -2))) == arb(6) / 64
        assert checker.difference(cube, 4, arb(1), arb((1, -2))) == 0
        assert checker.difference(cube, 0, arb(2), arb(1)) == 4


BOUNDED = "exp(-t**2); exp(-t**2/2); 1/(t**2 + 1); sin(t)/(t**2 + 1); 1/(exp(-t) + 1); exp(-t**2*t**4); cos(exp(t))"
BOUNDED += "; exp(Min(0, t)); exp(3*Min(0, t)); exp(Min(t, -t**2)/2)"
UNBOUNDED = "exp(t**2); exp(-t); t/(t**2 + 1); tanh(t)/exp(-t); exp(-t**2*t); exp(t*t**2); exp(-t*t**2); t + sin(t)"
UNBOUNDED += "; exp(Min(t, t**2)); exp(Max(0, t)); exp(-3*Min(0, t)); Max(0, t)"
AWAY = "t**2 + 1; sqrt(t**2 + 1); (t**2 + 1)**2; exp(t) + 1; 1 + t**4; 3; (exp(t) + 1)**(1/2)"
NOT_AWAY = "t**2; exp(t); t + 1; 1/(t**2 + 1); sin(t) + 1; exp(t) + t**2; sqrt(t**2); exp(t)**2; 1 - t**2"


def test_functions_that_are_bounded_or_not():
    """Some of those that are not shown to be bounded, or away from 0, are so: the rules are few."""
    for rule, holds, fails in ((checker.bounded, BOUNDED, UNBOUNDED), (checker.away_from_zero, AWAY, NOT_AWAY)):
        assert [text for text in holds.split("; ") if not rule(parse(text, "").tree)] == []
        assert [text for text in fails.split("; ") if rule(parse(text, "").tree)] == []


def test_prover_and_checker_exclude_the_same_kinked_polynomials():
    for name in ("elu", "selu", "celu(1/3)", "exp(t) + max(t, -1)", "t*max(0, t)", "abs(t)**3", "relu6"):
        sigma = activation(name)
        tree = parse(sigma.canonical, "").tree
        for degree in (-1, 0, 1, 2, 3, 300):
            assert excludes_polynomials(sigma, degree) is checker.no_polynomial(tree, degree), (name, degree)
