"""How large an expression could grow: what must not be slow is refused, or not tried, by these numbers."""

from __future__ import annotations

import math
from typing import Final

import sympy

T: Final[sympy.Symbol] = sympy.Symbol("t", real=True)
"""The one variable of every activation, a real number."""


def exponential_towers(expression: sympy.Expr) -> int:
    """Find how deep exponentials and hyperbolic functions are nested.

    Parameters
    ----------
    expression : sympy.Expr
        Any.

    Returns
    -------
    int
        0 without any; 2 for ``exp(exp(t))``.
    """
    inner = max((exponential_towers(argument) for argument in expression.args), default=0)
    return inner + isinstance(expression, sympy.exp | sympy.sinh | sympy.cosh)


def largest_power(expression: sympy.Expr) -> int:
    """Find the largest exponent, which says how far an expansion could grow.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    int
        The largest abs(numerator) of a rational exponent; 1 without powers.
    """
    powers = expression.atoms(sympy.Pow)
    return max((abs(int(power.exp.p)) for power in powers if isinstance(power.exp, sympy.Rational)), default=1)


def largest_rate(expression: sympy.Expr) -> int:
    """Find how large a power of one exponential sympy takes the exponentials for.

    ``exp(-10000*t**2)`` is the 10000th power of ``exp(-t**2)`` there, and is expanded as such.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    int
        The largest coefficient in an exponential's argument, over a common denominator; 1 without exponentials.
    """
    arguments = (call.args[0] for call in expression.atoms(sympy.exp))
    rates = [rate for argument in arguments for rate in argument.as_coefficients_dict().values() if rate.is_Rational]
    common = math.lcm(*(int(rate.q) for rate in rates))
    return max((abs(int(rate.p)) * common // int(rate.q) for rate in rates), default=1)


def degree_bound(expression: sympy.Expr) -> int | None:
    """Bound the degree of a polynomial in `T` without expanding it.

    Parameters
    ----------
    expression : sympy.Expr
        Any.

    Returns
    -------
    int or None
        At least the degree; None if the expression is not written as a polynomial.
    """
    if not expression.has(T):
        return 0
    if expression == T:
        return 1
    if isinstance(expression, sympy.Add | sympy.Mul):
        bounds = [degree_bound(argument) for argument in expression.args]
        known = [bound for bound in bounds if bound is not None]
        if len(known) < len(bounds):
            return None
        return max(known) if isinstance(expression, sympy.Add) else sum(known)
    if isinstance(expression, sympy.Pow) and isinstance(expression.exp, sympy.Integer) and expression.exp > 0:
        bound = degree_bound(expression.base)
        return None if bound is None else bound * int(expression.exp)
    return None
