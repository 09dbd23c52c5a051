"""Whether an activation is no polynomial of a low degree: what rule A asks of it.

Two facts together prove it. A polynomial whose size is at most C (1 + |t|)^g for all t has a degree of at most g, so
what grows no faster is a polynomial of degree <= g, or none. And the differences of order r of a polynomial of degree <
r are 0: one that is not shows that the function is no polynomial of degree < r, whatever else it is.
"""

import ast
import math
from typing import Any

from flint import arb

from .analytic import known, monotone
from .common import precision
from .expression import GUARDED, build, degree_of, exponent_of, uses_t

MAX_ORDER = 256  # of differences; beyond it nothing is proved
BITS_PER_ORDER, BITS = 8, 128  # of the working precision: differences of order r lose about r bits and more
STARTS, STEPS = (0, 1, -3), ((1, 0), (1, -2))  # where differences are tried; the steps are mantissas and exponents of 2
WIDE = 16  # beyond the kinks of most activations


def bounded(tree: ast.expr) -> bool:
    """Return whether the function, defined on all of R, is proved to be bounded.

    Guarantee: if true, its range was enclosed, or it is monotone with finite limits, or it is exp(u) with u <= 0, or a
    quotient of such a function and one that is bounded away from 0.
    """
    if known(tree).values.is_finite() or all(end.is_finite() for end in monotone(tree)[1:]):
        return True
    match tree:
        case ast.Call(func=ast.Name(id="exp"), args=[argument]):
            return nowhere_positive(argument)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return bounded(left) and away_from_zero(right)
    return False


def nowhere_positive(tree: ast.expr) -> bool:
    """Return whether the function is proved to be at most 0, for all t."""
    if (-known(tree)).sign:
        return True
    match tree:
        case ast.UnaryOp(operand=operand):
            return bool(known(operand).sign)
        case ast.Call(func=ast.Name(id="Min"), args=arguments):
            return any(map(nowhere_positive, arguments))
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            pairs = ((left, right), (right, left))
            return any(nowhere_positive(one) and known(other).sign for one, other in pairs)
    return False


def away_from_zero(tree: ast.expr) -> bool:
    """Return whether the function is proved to be at least some number above 0, for all t."""
    if known(tree).values > 0:
        return True
    match tree:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pairs = ((left, right), (right, left))
            return any(away_from_zero(one) and known(other).sign for one, other in pairs)
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument]):
            return away_from_zero(argument)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return exponent_of(right) > 0 and away_from_zero(left)
    return False


def growth(tree: ast.expr) -> float:
    """Return g such that |f(t)| <= C (1 + |t|)^g for all real t and some C, or infinity if none is found.

    Guarantee: as said, for f that is defined on all of R. Sums grow as the faster term, products as both together, what
    is bounded does not grow, what is divided by a function away from 0 grows no faster, |sqrt(u)| <= 1 + |u|, and a
    maximum or a minimum is one of its arguments.
    """
    if bounded(tree):
        return 0
    match tree:
        case ast.Name():
            return 1
        case ast.UnaryOp(operand=operand):
            return growth(operand)
        case ast.Call(func=ast.Name(id="sqrt" | "Abs"), args=[argument]):
            return growth(argument)
        case ast.Call(func=ast.Name(id="Max" | "Min"), args=arguments):
            return max(map(growth, arguments))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            exponent = exponent_of(right)
            whole = exponent.q == 1 and exponent > 0
            return growth(left) * int(exponent.p) if whole else math.inf
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return max(growth(left), growth(right))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return growth(left) + growth(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            inverse = ast.BinOp(ast.Constant(1), ast.Div(), right)
            return growth(left) if not uses_t(right) or bounded(inverse) else math.inf
    return math.inf


def degree_if_polynomial(tree: ast.expr) -> float:
    """Return a number that is at least the degree of the function, defined on all of R, if it is a polynomial.

    Guarantee: as said. A monotone function with a finite limit at one end is bounded there: as a polynomial, constant.
    """
    if any(end.is_finite() for end in monotone(tree)[1:]):
        return 0
    return min(growth(tree), degree_of(tree))


def difference(function: Any, order: int, start: arb, step: arb) -> arb:
    """Return the difference of this order, sum_j (-1)^(order - j) binomial(order, j) f(start + j step)."""
    total = arb(0)
    for j in range(order + 1):
        total += (-1) ** (order - j) * math.comb(order, j) * function(start + j * step)  # Coq: Sprime differs
    return total


def no_polynomial(tree: ast.expr, degree: int) -> bool:
    """Return whether the function is proved to be no polynomial of degree <= `degree` (-1: not the function 0).

    Guarantee: if true, so it is, for a function that is defined on all of R.
    """
    order = min(degree, degree_if_polynomial(tree)) + 1  # Coq: Sprime few, Sprime grows
    if order > MAX_ORDER:
        return False
    order = int(order)
    with precision(BITS + BITS_PER_ORDER * order):
        function = build(tree, GUARDED)
        places = [(arb(start), arb(step)) for start in STARTS for step in STEPS]
        places += [(-arb(step) * ((order + 1) // 2), arb(step)) for step in STEPS]  # around 0, where most kinks are
        places += [(arb(WIDE * start), arb(WIDE)) for start in STARTS]
        for start, step in places:
            found = difference(function, order, start, step)
            if found > 0 or found < 0:  # Coq: Sprime differs
                return True
    return False
