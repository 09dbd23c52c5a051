"""Whether an activation is no polynomial of a low degree, proved by how fast it grows and by its differences.

A polynomial whose size is at most ``C (1 + |t|)^g`` has a degree of at most g; so what grows no faster is a polynomial
of degree <= g, or none. A polynomial of degree < r has differences of order r that are 0; one that is not excludes it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import flint

from verifier.sigma.activations import Activation
from verifier.sigma.facts import Facts
from verifier.sigma.measures import degree_bound
from verifier.sigma.point_values import UndefinedError, ball_at
from verifier.sigma.ranges import behaviour
from verifier.sigma.tree import Add, Call, Div, Mul, Power, Tree, Var

MAX_ORDER: Final = 256
"""Of differences: a checker computes no longer ones."""
BITS_PER_ORDER: Final = 8
"""Of the working precision: differences of order r lose about r bits and more."""
STARTS: Final = (Fraction(0), Fraction(1), Fraction(-3))
"""Where differences begin: at 0, and to both sides of it."""
STEPS: Final = (Fraction(1), Fraction(1, 4))
"""Where differences are tried."""
WIDE: Final = 16
"""A step beyond the kinks of most activations."""


def excludes_polynomials(sigma: Activation, degree: int) -> bool:
    """Whether an activation is proved to be no polynomial of at most this degree.

    Parameters
    ----------
    sigma : Activation
        Defined on all of R.
    degree : int
        At least -1; 0 asks whether it is not constant, -1 whether it is not the function 0.

    Returns
    -------
    bool
        Guarantee: if true, it is none (THEORY2, Lemma S': what units with free weights need).

    Examples
    --------
    >>> from verifier import activation
    >>> from verifier.sigma.polynomials import excludes_polynomials
    >>> [excludes_polynomials(activation(name), 2) for name in ("gelu", "cubic", "square")]
    [True, True, False]
    """
    if behaviour(sigma.tree) is None:
        return False
    if degree_bound(sigma.expression) is not None:
        exact = sigma.facts.polynomial_degree
        if exact.status == "proved" and exact.value is not None and exact.value > 0:
            return exact.value > degree
    order = min(degree, _degree_if_polynomial(sigma)) + 1
    if order > MAX_ORDER:
        return False
    tree, count = sigma.tree, int(order)
    places = [(start, step) for start in STARTS for step in STEPS]
    places += [(-step * ((count + 1) // 2), step) for step in STEPS]  # around 0, where most kinks are
    places += [(WIDE * start, Fraction(WIDE)) for start in STARTS]
    return any(_differs(tree, count, start, step) for start, step in places)


def _degree_if_polynomial(sigma: Activation) -> float:
    """At least the degree of the function if it is a polynomial; infinity if nothing is known."""
    bound = growth(sigma.tree)
    return 0 if math.isinf(bound) and _levels_off(sigma.facts) else bound


def _levels_off(facts: Facts) -> bool:
    """Whether it is monotone with a finite limit at one end: as a polynomial it would be constant."""
    limits = [fact.value for fact in (facts.limit_minus, facts.limit_plus) if fact.status == "proved"]
    known = (facts.strictly_increasing, facts.real_analytic)  # a checker follows no other monotone functions
    rises = all(fact.status == "proved" and fact.holds for fact in known)
    return rises and any(value is not None and bool(value.is_finite) for value in limits)


def growth(tree: Tree) -> float:
    """Bound how fast a function grows.

    Parameters
    ----------
    tree : Tree
        Of a function that is defined on all of R.

    Returns
    -------
    float
        Guarantee: a number g with ``|f(t)| <= C (1 + |t|)^g`` for all t and some C; or infinity, which says nothing.
    """
    known = behaviour(tree)
    if known is not None and known.values.is_bounded:
        return 0
    match tree:
        case Var():
            return 1
        case Add(terms):
            return max(map(growth, terms))
        case Mul(factors):
            return sum(map(growth, factors))
        case Power(base, p, q):
            return growth(base) * math.ceil(Fraction(p, q))
        case Div(numerator, denominator):
            inner = behaviour(denominator)
            away = inner is not None and (inner.values.lo > 0 or inner.values.hi < 0)
            return growth(numerator) if away else math.inf
        case Call("softplus" | "abs", (argument,)):  # |log(1 + exp(u))| <= log 2 + |u|
            return growth(argument)
        case Call("max" | "min", arguments):
            return max(map(growth, arguments))
    return math.inf


def _differs(tree: Tree, order: int, start: Fraction, step: Fraction) -> bool:
    """Whether the difference of this order at these points is certainly not 0."""
    bits = 128 + BITS_PER_ORDER * order
    try:
        values = [ball_at(tree, start + j * step, bits=bits) for j in range(order + 1)]
    except UndefinedError:
        return False
    with flint.ctx.workprec(bits):
        terms = (math.comb(order, j) * (-1) ** (order - j) * value for j, value in enumerate(values))
        return bool(sum(terms, flint.arb(0)) != 0)
