"""Bounds of an activation and of its derivative, on an interval and on all of R, by bisection with ball arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import sympy
from flint import arb, fmpq, fmpz

from verifier.balls.activation import arb_kernel, tree_kernel
from verifier.balls.exact import Dyadic
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_up
from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation
from verifier.sigma.expressions import T
from verifier.sigma.intervals import Interval
from verifier.sigma.ranges import behaviour

BITS = 64
"""Working precision for the few scalars."""

MAX_PIECES = 1 << 12
"""Pieces of a bisection before it is given up: a checker that repeats it must not take long."""

SHARP, TINY = arb(fmpq(9, 8)), arb((fmpz(1), fmpz(-20)))
"""A piece's bound that is at most SHARP times a value attained elsewhere, or TINY, is sharp enough."""

CHECKED = SHARP * SHARP
"""By the same rule, with enclosures of its own, a checker's bounds are at most CHECKED times ours, plus TINY."""

FAR_EXPONENTIAL = 500
"""Beyond this range, times the steepness g of ``exp(g t)``, no bounds are sought: a checker needs too many pieces."""

TAIL = 64
"""Where the tails of an activation begin, for bounds on all of R."""


def activation_bounds(activation: Activation, reach: arb) -> tuple[Dyadic, Dyadic] | None:
    """Bound ``|sigma|`` and ``|sigma'|`` on ``[-reach, reach]``.

    Parameters
    ----------
    activation
        Only one that is proved to be real analytic is accepted, so that the derivative is one.
    reach
        A nonnegative ball; its upper end counts.

    Returns
    -------
    tuple of Dyadic, or None
        Guarantee: both are upper bounds for ``|t| <= reach``. Source: bisection with ball arithmetic. None if that
        fails.
    """
    if not (reach.is_finite() and activation.facts.real_analytic.holds):
        return None
    if "exp" in activation.canonical and not reach * _steepness(activation) < FAR_EXPONENTIAL:
        return None
    return _bounds(activation, round_up(reach, 8))


@lru_cache(maxsize=256)
def _steepness(activation: Activation) -> arb:
    """The largest of 1 and all g in ``exp(g t + ..)``: such an expression needs pieces of width 1/g."""
    slopes = (call.args[0].diff(T) for call in activation.expression.atoms(sympy.exp))
    sizes = [abs(slope) for slope in slopes if slope.is_Rational]
    largest = max(sizes, default=sympy.Integer(1))
    return arb(fmpq(int(largest.p), int(largest.q))).max(arb(1))


@lru_cache(maxsize=256)
def _bounds(activation: Activation, reach: Dyadic) -> tuple[Dyadic, Dyadic] | None:
    """`activation_bounds` for a reach of few bits, so that nearly equal ones are met again."""
    try:
        with working_precision(BITS):
            value, slope = arb_kernel(activation), tree_kernel(activation.derivative_tree)
            found = [largest_size(function, reach.arb()) for function in (value, slope)]
    except ExpressionError:
        return None
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def largest_size(function: Callable[[arb], arb], reach: arb) -> Dyadic | None:
    """Bound ``|function|`` on ``[-reach, reach]`` by bisection.

    Parameters
    ----------
    function
        Encloses its values on balls.
    reach
        A nonnegative exact number.

    Returns
    -------
    Dyadic or None
        Guarantee: an upper bound, at most SHARP times the largest value, up to TINY. None after MAX_PIECES pieces.
    """
    pieces, attained, most = [(-reach, reach)], arb(0), arb(0)
    for _ in range(MAX_PIECES):
        if not pieces:
            break
        low, high = pieces.pop()
        middle = ((low + high) / 2).mid()
        bound, value = function(low.union(high)).abs_upper(), function(middle).abs_lower()
        attained = attained.max(value) if value.is_finite() else attained
        if bound <= SHARP * attained + TINY:
            most = most.max(bound)
        else:
            pieces += [(low, middle), (middle, high)]
    return None if pieces or not most.is_finite() else round_up(most)


def global_lipschitz(activation: Activation) -> Dyadic | None:
    """Bound ``|sigma'|`` on all of R; None if no bound is proved.

    Guarantee: an upper bound. Source: bisection on [-64, 64], and the structural ranges of sigma' on both tails.

    Parameters
    ----------
    activation : Activation
        Real analytic on R, or the result is None.

    Returns
    -------
    Dyadic or None
        The bound.
    """
    if not activation.facts.real_analytic.holds:
        return None
    ends = Fraction(TAIL), math.inf
    tails = [behaviour(activation.derivative_tree, Interval(*d)) for d in (ends, (-ends[1], -ends[0]))]
    middle = activation_bounds(activation, arb(TAIL))
    if middle is None or not all(tail is not None and tail.values.is_bounded for tail in tails):
        return None
    with working_precision(BITS):
        most = middle[1].arb()
        for tail in tails:
            for end in (tail.values.lo, tail.values.hi) if tail is not None else ():
                most = most.max(abs(arb(fmpq(Fraction(end).numerator, Fraction(end).denominator))))
        return round_up(most)
