"""Whether an activation crosses 0 at most once, and with a change of sign: what THEORY2 C4 asks of it.

The proof is structural: sums of functions that increase, multiples, reciprocals and compositions of monotone ones, the
maximum or minimum of functions of one direction, or one direction on each side of 0; and products of one such function
and of factors without zeros (SiLU, GELU, Mish). It accepts no more than a certificate's checker does on the printed
expression.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import reduce
from typing import Any, Final

import sympy
from flint import arb

from verifier.sigma.activations import Activation
from verifier.sigma.expressions import T
from verifier.sigma.point_values import ball_at
from verifier.sigma.ranges import behaviour
from verifier.sigma.tree import tree_of

NOWHERE_NEGATIVE, POSITIVE = 1, 2
"""What is known of a sign, in the order of strength."""
EVERYWHERE: Final = arb(0, "inf")
_RISING: Final = (sympy.exp, sympy.tanh, sympy.erf, sympy.sinh, sympy.atan)
_SIDES: Final = ({sympy.Max(0, T): T, sympy.Min(0, T): 0, sympy.Abs(T): T}, {sympy.Max(0, T): 0, sympy.Min(0, T): T})
"""What Max, Min and Abs of 0 and t are for t >= 0 and for t <= 0."""


def turns_once(sigma: Activation) -> str:
    """Why an activation is continuous on R with at most one zero, and with a change of sign there; "" if not proved.

    Parameters
    ----------
    sigma : Activation
        The activation; only its expression matters.

    Returns
    -------
    str
        Guarantee: if not empty, it is continuous on R and has no zero, or one zero with a change of sign there.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.sigma.turning import turns_once
    >>> [turns_once(vf.activation(name)) for name in ("leaky_relu", "silu", "relu")]
    ['strictly monotone', 'a strictly monotone function times factors without zeros', '']
    """
    expression = sigma.expression
    if behaviour(sigma.tree) is None:
        return ""
    if direction(expression):
        return "strictly monotone"
    crossing = [factor for factor in sympy.Mul.make_args(expression) if not _nonzero(factor)]
    if not crossing:
        return "without zeros"
    once = len(crossing) == 1 and bool(direction(crossing[0]))
    return "a strictly monotone function times factors without zeros" if once else ""


def direction(expression: Any) -> int:
    """1 or -1 if an expression is proved to be continuous and strictly increasing or decreasing on R, else 0.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    int
        Guarantee: not 0 only where the expression is continuous and strictly monotone on all of R, and then 1 where
        it increases, -1 where it decreases.
    """
    if behaviour(tree_of(expression)) is None:
        return 0
    if isinstance(expression, sympy.Max | sympy.Min):
        ways = {direction(part) for part in expression.args}
        return ways.pop() if len(ways) == 1 else 0
    smooth = _way(expression)
    if smooth:
        return smooth
    found = {_way(expression.xreplace(side)) for side in _SIDES}
    return (found.pop() or 0) if len(found) == 1 else 0


def _way(expression: Any) -> int | None:
    """The direction of an expression without Max, Min and Abs that is defined on R; 0: constant, None: not proved."""
    if not expression.has(T):
        return 0
    if expression == T or expression == T / sympy.sqrt(T**2 + 1):
        return 1
    if isinstance(expression, sympy.Add):
        ways = [_way(term) for term in expression.args]
        if None in ways or {1, -1}.issubset(ways):
            return None
        return max(ways, key=lambda way: abs(way or 0))
    if isinstance(expression, sympy.Mul):
        constant, rest = expression.as_independent(T, as_Add=False)
        sign, way = _sign(constant), _way(rest) if not isinstance(rest, sympy.Mul) else None
        return None if way is None or sign == 0 else sign * way
    if isinstance(expression, sympy.Pow) and expression.exp.is_Integer:
        base, positive = _way(expression.base), _sign(expression.base) > 0
        if base is None or not (positive or (expression.exp > 0 and expression.exp % 2 == 1)):
            return None
        return base if expression.exp > 0 else -base
    if isinstance(expression, sympy.log):
        return _way(expression.args[0]) if _sign(expression.args[0]) > 0 else None
    return _way(expression.args[0]) if isinstance(expression, _RISING) else None


def _sign(expression: Any) -> int:
    """1 or -1 if the expression is proved, and seen by a checker, to be above 0, or below 0, for all t; else 0."""
    known = behaviour(tree_of(expression))
    if known is None or not known.values.excludes_zero:
        return 0
    values, sign = _seen(expression)
    if known.values.is_positive:
        return int(sign == POSITIVE)
    return -int(values < 0 or bool(expression.has(T) and _way(expression)))


def _seen(expression: Any) -> tuple[arb, int]:
    """What a certificate's checker sees: a ball of all values, and `POSITIVE`, `NOWHERE_NEGATIVE` or 0 (nothing).

    Its balls are symmetric where a part is not bounded, so that it does not see that ``2 - exp(-t**2)`` has no zeros.
    """
    if not expression.has(T):
        value = ball_at(tree_of(expression), Fraction(0))
        return value, POSITIVE if value > 0 else NOWHERE_NEGATIVE if value >= 0 else 0
    if expression == T:
        return EVERYWHERE, 0
    parts = [_seen(part) for part in expression.args]
    (values, sign), others, signs = parts[0], [part[0] for part in parts[1:]], [part[1] for part in parts]
    match expression:
        case sympy.Add():
            values, sign = sum(others, values), max(signs) if all(signs) else 0
        case sympy.Mul():
            values, sign = math.prod(others, start=values), min(signs)
        case sympy.Pow() if expression.exp.is_Integer:
            n = int(expression.exp)
            values = math.prod([values] * abs(n), start=arb(1))
            values, sign = 1 / values if n < 0 else values, max(sign if sign == POSITIVE else 0, 1 - n % 2)
        case sympy.Pow():
            values, sign = EVERYWHERE, max(sign, NOWHERE_NEGATIVE)
        case sympy.Max():
            values, sign = reduce(arb.max, others, values), max(signs)
        case sympy.Min():
            values, sign = reduce(arb.min, others, values), min(signs)
        case sympy.Abs():
            values, sign = abs(values), POSITIVE if sign == POSITIVE or values < 0 else NOWHERE_NEGATIVE
        case sympy.erf() if not values.is_finite():
            values, sign = arb(0, 1), 0
        case _:
            values = getattr(values, expression.func.__name__)()
            sign = POSITIVE if isinstance(expression, sympy.exp | sympy.cosh) else 0
    known = behaviour(tree_of(expression))
    if values > 0 or (known is not None and known.values.is_positive and _way(expression)):
        return values, POSITIVE
    return values, max(sign, NOWHERE_NEGATIVE if values >= 0 else 0)


def _nonzero(expression: Any) -> bool:
    return _sign(expression) != 0
