"""Expressions as their printed form reads back, and the derivatives of activations."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy

from verifier.errors import ExpressionError, one_line
from verifier.sigma.domains import parse_activation
from verifier.sigma.expressions import T
from verifier.sigma.sizes import MAX_DERIVATIVE_TERMS, derivative_size
from verifier.sigma.tree import tree_of

MAX_READINGS: Final = 8
"""How often an expression is printed and read back until it stays the same."""


def settled(expression: sympy.Expr) -> sympy.Expr:
    """Return the equal expression that its own text reads back as: sympy multiplies 2*(t + 1) out when it reads it.

    Raises
    ------
    ExpressionError
        The expression cannot be printed and read back as itself.
    """
    for _ in range(MAX_READINGS):
        again = parse_activation(str(expression))
        if again == expression:
            return expression
        expression = again
    raise ExpressionError(f"expression {one_line(str(expression))}: its printed form keeps changing; simplify it")


@lru_cache(maxsize=256)
def derivative_of(expression: sympy.Expr) -> sympy.Expr:
    """Differentiate an expression of the grammar.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    sympy.Expr
        Its derivative wherever it has one by the rules of differentiation; Max, Min and Abs contribute `sign`.

    Raises
    ------
    ExpressionError
        The derivative is too large.
    """
    if derivative_size(tree_of(expression)) > MAX_DERIVATIVE_TERMS:
        raise ExpressionError(f"expression {one_line(str(expression))}: its derivative is too large; simplify it")
    plain = expression.replace(sympy.Abs, lambda u: sympy.Max(u, -u) if not u.is_Symbol else sympy.Abs(u))
    result = plain.diff(T).replace(sympy.Heaviside, lambda u, *_: (1 + sympy.sign(u)) / 2)
    tree_of(result)
    return result
