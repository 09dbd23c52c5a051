"""Whether an activation crosses 0 at most once, and with a change of sign: rule C4.

Every function of the grammar is continuous where it is defined, so that an expression that is defined for all t is a
continuous function on R.
"""

import ast
from collections.abc import Iterator

from .analytic import known, monotone, total


def direction(tree: ast.expr) -> int:
    """Return 1 or -1 if the function is proved to be continuous and strictly increasing or decreasing on R, else 0.

    Guarantee: as said. The maximum and the minimum of such functions of one direction are one; and so is a function
    that is one where t >= 0 and where t <= 0, if Max, Min and Abs of t and 0 are read as what they are there.
    """
    if way := monotone(tree)[0]:
        return way
    match tree:
        case ast.Call(func=ast.Name(id="Max" | "Min"), args=parts):
            ways = set(map(direction, parts))
        case _:
            ways = {monotone(half(tree, sign))[0] for sign in (1, -1)}
    return ways.pop() if len(ways) == 1 else 0


def half(tree: ast.expr, sign: int) -> ast.expr:
    """Return an expression that is equal to this one for all t >= 0 (sign 1), or for all t <= 0 (sign -1)."""
    match tree:
        case ast.Call(func=ast.Name(id="Max" | "Min" as name), args=[ast.Constant(value=0), ast.Name(id="t") as t]):
            return t if (name == "Max") == (sign > 0) else ast.Constant(0)
        case ast.Call(func=ast.Name(id="Abs"), args=[ast.Name(id="t") as t]):
            return t if sign > 0 else ast.UnaryOp(ast.USub(), t)
        case ast.Call(func=function, args=parts):
            return ast.Call(function, [half(part, sign) for part in parts], [])
        case ast.UnaryOp(op=operation, operand=part):
            return ast.UnaryOp(operation, half(part, sign))
        case ast.BinOp(left=left, op=operator, right=right):
            return ast.BinOp(half(left, sign), operator, half(right, sign))
    return tree


def factors(tree: ast.expr) -> Iterator[ast.expr]:
    """Yield the functions whose product, or quotients of which, the function is, up to its sign."""
    match tree:
        case ast.UnaryOp(operand=part):
            yield from factors(part)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            yield from factors(left)
            yield from factors(right)
        case _:
            yield tree


def turns_once(tree: ast.expr) -> bool:
    """Return whether the function is proved to be continuous on R with at most one zero, and a change of sign there.

    Guarantee: as said: all factors but one have no zeros, so that each keeps its sign, and that one is strictly
    monotone. (A factor below a stroke has no zeros at all, as the quotient is defined for all t.)
    """
    if not total(tree):
        return False
    crossing = [factor for factor in factors(tree) if not known(factor).nonzero()]
    return len(crossing) == 0 or (len(crossing) == 1 and direction(crossing[0]) != 0)
