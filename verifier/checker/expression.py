"""Activations: expressions in t, read with Python's own parser and a whitelist, and exact facts for rule R5.

Glossary: a *domain* is what an expression is evaluated in: balls (directly, or guarded: monotone functions of wide
balls by their endpoints), or exact rationals (where only rational operations occur).
"""

from __future__ import annotations

import ast
import functools
import operator
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from flint import arb, fmpq

from .rejection import Rejection

Function = Callable[..., Any]

MAX_DEPTH = 100  # of nested operations
MAX_POWER = 1000  # numerator and denominator of an exponent
MAX_DEGREE = 1000  # polynomials of a higher degree count as other functions
MAX_RATIONAL_BITS = 8192
NARROW = 20  # a ball this many bits narrower than its midpoint goes to Arb directly; wider ones by their endpoints
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-*/()., ")
OPERATORS: dict[type[ast.operator], Function] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
# sigma(-t) = c0 + s sigma(t) for all t: the pair (c0, s), by the expression's text in normal spacing
ODD, EVEN = (0, -1), (0, 1)
MIRRORS = dict.fromkeys(
    ("t", "t ** 3", "t / sqrt(t ** 2 + 1)", "tanh(t)", "sinh(t)", "sin(t)", "atan(t)", "erf(t)"), ODD
)
MIRRORS |= {"t ** 2": EVEN, "cos(t)": EVEN, "1 / (exp(-t) + 1)": (1, -1), "1 / (1 + exp(-t))": (1, -1)}


def guard(function: Function, even: bool = False) -> Function:
    """Evaluate an increasing function, or an even one that increases on [0, oo), at the endpoints of wide balls.

    Guarantee: f(x) lies between the values at the ends of the ball (of its absolute values), or is not finite.
    """

    def enclose(x: arb) -> arb:
        if x.rel_accuracy_bits() >= NARROW:
            return function(x)
        low, high = (x.abs_lower(), x.abs_upper()) if even else (x.lower(), x.upper())
        return function(low).union(function(high))

    return enclose


def plainly(function: Function, even: bool = False) -> Function:
    """Leave the function as it is."""
    return function


def maximum(*balls: arb) -> arb:
    """Return the largest of several balls."""
    return functools.reduce(arb.max, balls)


def minimum(*balls: arb) -> arb:
    """Return the smallest of several balls."""
    return functools.reduce(arb.min, balls)


def root(x: arb, index: int) -> arb:
    """Return the index-th root; undefined where x is possibly negative."""
    return x if index == 1 or x.is_zero() else x.root(index) if x > 0 else arb("nan")


def ball_power(wrap: Function, exponent: fmpq) -> Function:
    """Return t ** exponent on balls."""
    count, index = abs(int(exponent.p)), int(exponent.q)
    rooted = wrap(functools.partial(root, index=index)) if index > 1 else None
    raised = wrap(lambda x: x**count if x.is_finite() else x, even=count % 2 == 0)

    def power(x: arb) -> arb:
        result = raised(rooted(x) if rooted else x)
        return 1 / result if exponent < 0 else result

    return power


def rational_power(exponent: fmpq) -> Function:
    """Return t ** exponent on rationals, for an integer exponent and results that stay small."""

    def power(x: fmpq) -> fmpq:
        if exponent.q != 1 or abs(exponent) * rational_bits(x) > MAX_RATIONAL_BITS:
            raise ValueError("not a small rational")
        return x ** int(exponent.p)

    return power


def rational_bits(x: fmpq) -> int:
    """Return the size of a rational in bits."""
    return int(x.p).bit_length() + int(x.q).bit_length()


class Domain(NamedTuple):
    """The numbers in which an expression is evaluated: integers, constants, functions and powers there."""

    number: Function
    constants: dict[str, Function]
    functions: dict[str, Function]
    power: Function


def ball_domain(wrap: Function) -> Domain:
    """Return the domain of balls; `wrap` decides how monotone functions are evaluated."""
    functions = {"sin": arb.sin, "cos": arb.cos, "Max": maximum, "Min": minimum}
    for name in ("exp", "log", "sqrt", "tanh", "sinh", "atan", "erf"):
        functions[name] = wrap(getattr(arb, name))
    functions |= {"cosh": wrap(arb.cosh, even=True), "Abs": wrap(abs, even=True)}
    return Domain(arb, {"pi": arb.pi, "E": arb.const_e}, functions, functools.partial(ball_power, wrap))


PLAIN, GUARDED = ball_domain(plainly), ball_domain(guard)
RATIONAL = Domain(fmpq, {}, {"Abs": abs, "Max": max, "Min": min}, rational_power)


def uses_t(node: ast.expr) -> bool:
    """Return whether the variable occurs."""
    return any(isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(node))


def exponent_of(node: ast.expr) -> fmpq:
    """Return the exact rational value of an exponent."""
    value = rational(node, None)
    if value is None or max(abs(value.p), value.q) > MAX_POWER:
        raise ValueError(f"an exponent must be a constant rational, numerator and denominator at most {MAX_POWER}")
    return value


def rational(node: ast.expr, t: fmpq | None) -> fmpq | None:
    """Return the exact value at t if only rational operations occur and the numbers stay small."""
    try:
        value = build(node, RATIONAL)(t)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return value if value is not None and rational_bits(value) <= MAX_RATIONAL_BITS else None


def build(node: ast.expr, domain: Domain, depth: int = 0) -> Function:
    """Return the expression as a function of t; constant parts are evaluated once. Only whitelisted nodes pass.

    Guarantee: in a domain of balls, at the current working precision, the result contains sigma(x) for every x in
    the argument, or is not finite.
    """
    operation: Function
    children: list[ast.expr]
    match node:
        case ast.Name(id="t"):
            return lambda t: t
        case ast.Constant(value=value) if type(value) is int:
            operation, children = functools.partial(domain.number, value), []
        case ast.Name(id="pi" | "E" as name):
            operation, children = domain.constants[name], []
        case ast.UnaryOp(op=ast.USub(), operand=child):
            operation, children = operator.neg, [child]
        case ast.BinOp(left=child, op=ast.Pow(), right=exponent):
            operation, children = domain.power(exponent_of(exponent)), [child]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            operation, children = OPERATORS[type(op)], [left, right]
        case ast.Call(func=ast.Name(id=name), args=children, keywords=[]) if name in PLAIN.functions:
            if (len(children) < 2) if name in ("Max", "Min") else (len(children) != 1):
                raise ValueError(f"{name} has the wrong number of arguments")
            operation = domain.functions[name]
        case _:
            raise ValueError(f"contains something that is not allowed: {ast.unparse(node)[:100]}")
    if depth >= MAX_DEPTH:
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    parts = [build(child, domain, depth + 1) for child in children]
    if not uses_t(node):
        constant = operation(*[part(None) for part in parts])
        return lambda t: constant
    if len(parts) == 1:
        (inner,) = parts
        return operation if isinstance(children[0], ast.Name) else lambda t: operation(inner(t))
    return lambda t: operation(*[part(t) for part in parts])


def degree_of(node: ast.expr) -> int | None:
    """Return an upper bound of the degree if the expression is a polynomial with real coefficients."""
    if not uses_t(node):
        return 0
    match node:
        case ast.Name():
            return 1
        case ast.UnaryOp(operand=operand):
            return degree_of(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = degree_of(left), exponent_of(right)
            return None if base is None or exponent.q != 1 or exponent < 0 else base * int(exponent.p)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = degree_of(left), degree_of(right)
            if a is not None and b is not None and not (isinstance(op, ast.Div) and uses_t(right)):
                return a + b if isinstance(op, ast.Mult) else max(a, b)
    return None


class Expression(NamedTuple):
    """A checked activation: its text in normal spacing (by which activations are compared), its tree, its facts."""

    text: str
    tree: ast.expr
    steps: int
    constant: bool
    mirror: tuple[int, int] | None
    degree: int | None


def parse(text: str, path: str) -> Expression:
    """Read an activation; every node of the tree must be on the whitelist."""
    try:
        if not ALLOWED.issuperset(text):
            raise ValueError("contains a character that is not allowed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
        build(tree, PLAIN)
    except (SyntaxError, ValueError, MemoryError, RecursionError, ArithmeticError) as error:
        message = f"cannot be read as an expression: {type(error).__name__}: {error}".splitlines()[0]
        raise Rejection(path, "network.expression", message, text[:200]) from None
    name, steps = ast.unparse(tree), sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    return Expression(name, tree, steps, not uses_t(tree), MIRRORS.get(name), degree_of(tree))
