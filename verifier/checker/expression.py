"""Activations: expressions in t, read with Python's own parser, a whitelist, and exact facts for rule R5."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from flint import arb

from .rejection import Rejection

Function = Callable[[arb], arb]

MAX_DEPTH = 100  # of nested operations
MAX_CHARACTERS = 2000
MAX_POWER = 1000
MAX_RATIONAL_BITS = 8192
NARROW = 20  # a ball this many bits narrower than its midpoint goes to Arb directly; wider ones by their endpoints
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-*/()., ")
UNDEFINED = arb("nan")

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
ODD = frozenset({"tanh", "sin", "atan", "erf", "sinh"})
EVEN = frozenset({"cos", "cosh", "Abs"})


def divide(x: arb, y: arb) -> arb:
    """Return x / y, undefined unless y is certainly not zero."""
    return x / y if y > 0 or y < 0 else UNDEFINED


def increasing(function: Function) -> Function:
    """Evaluate an increasing function at the endpoints of wide balls, where Arb's own enclosure may blow up.

    Guarantee: f(x) lies between f(lower end) and f(upper end) for every x in the ball.
    """

    def enclose(x: arb) -> arb:
        if x.rel_accuracy_bits() >= NARROW:
            return function(x)
        return function(x.lower()).union(function(x.upper()))

    return enclose


def even(function: Function) -> Function:
    """Evaluate an even function that increases on [0, oo) at the endpoints of |x| for wide balls x.

    Guarantee: f(x) = f(|x|) lies between f(min |x|) and f(max |x|).
    """

    def enclose(x: arb) -> arb:
        if x.rel_accuracy_bits() >= NARROW:
            return function(x)
        return function(x.abs_lower()).union(function(x.abs_upper()))

    return enclose


def where(function: Function, inside: Callable[[arb], bool]) -> Function:
    """Restrict a function to arguments that are certainly inside its domain."""
    return lambda x: function(x) if inside(x) else UNDEFINED


def extreme(function: Callable[[arb, arb], arb]) -> Callable[..., arb]:
    """Fold the maximum or minimum of two balls over several."""

    def fold(first: arb, *others: arb) -> arb:
        for other in others:
            first = function(first, other)
        return first

    return fold


def power(exponent: Fraction) -> Function:
    """Return t ** exponent; a fractional power of a possibly negative number is undefined."""
    count = abs(exponent.numerator)
    root = increasing(lambda x: x.root(exponent.denominator) if x > 0 else x if x.is_zero() else UNDEFINED)

    def whole(x: arb) -> arb:
        result, square, left = arb(1), x, count
        while left:
            result = result * square if left & 1 else result
            left >>= 1
            square = square * square if left else square
        return result if x.is_finite() else UNDEFINED

    raised = even(whole) if count % 2 == 0 else increasing(whole)
    based = raised if exponent.denominator == 1 else lambda x: raised(root(x)) if x >= 0 else UNDEFINED
    return based if exponent >= 0 else lambda x: divide(arb(1), based(x))


log1p = where(increasing(arb.log1p), lambda x: x > -1)
DIRECT: dict[str, Function] = {  # defined everywhere and increasing
    "exp": arb.exp,
    "tanh": arb.tanh,
    "sinh": arb.sinh,
    "atan": arb.atan,
    "erf": arb.erf,
}
FUNCTIONS: dict[str, Callable[..., arb]] = {name: increasing(function) for name, function in DIRECT.items()} | {
    "cosh": even(arb.cosh),
    "Abs": even(abs),
    "sin": arb.sin,
    "cos": arb.cos,
    "log": where(increasing(arb.log), lambda x: x > 0),
    "sqrt": where(increasing(arb.sqrt), lambda x: x >= 0),
    "Max": extreme(arb.max),
    "Min": extreme(arb.min),
}


def parse(text: str, path: str) -> Expression:
    """Read an activation; every node of the tree must be on the whitelist."""

    def wrong(message: str, claimed: object = None) -> Rejection:
        return Rejection(path, "network.expression", message, text[:200] if claimed is None else claimed)

    def check(node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise wrong(f"is nested more than {MAX_DEPTH} deep")
        match node:
            case ast.Constant(value=value) if type(value) is int:
                children: list[ast.expr] = []
            case ast.Name(id="t" | "pi" | "E"):
                children = []
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                children = [operand]
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
                children = [left, right]
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                check(right, depth + 1)
                exponent_of(right, path)
                children = [left]
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                if len(arguments) != 1 if name not in ("Max", "Min") else len(arguments) < 2:
                    raise wrong(f"{name} has the wrong number of arguments")
                children = arguments
            case _:
                raise wrong("contains something that is not allowed", ast.unparse(node)[:200])
        for child in children:
            check(child, depth + 1)

    if not 1 <= len(text) <= MAX_CHARACTERS or not ALLOWED.issuperset(text):
        raise wrong(f"must be 1 to {MAX_CHARACTERS} characters of an arithmetic expression")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
        check(tree, 0)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise wrong(f"can not be read as an expression: {type(error).__name__}") from None
    return Expression(tree, ast.unparse(tree))


def exponent_of(node: ast.expr, path: str) -> Fraction:
    """Return the exact rational value of an exponent, or reject it."""
    try:
        value = None if uses_t(node) else rational(node, Fraction(0))
    except ZeroDivisionError:
        value = None
    if value is None or not max(abs(value.numerator), value.denominator) <= MAX_POWER:
        message = f"an exponent must be a constant rational, numerator and denominator at most {MAX_POWER}"
        raise Rejection(path, "network.expression", message, ast.unparse(node)[:200])
    return value


def uses_t(node: ast.expr) -> bool:
    """Return whether the variable occurs."""
    return any(isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(node))


def rational(node: ast.expr, t: Fraction) -> Fraction | None:
    """Return the exact value at a rational t if only rational operations occur (and the numbers stay small)."""
    result: Fraction | None = None
    match node:
        case ast.Constant(value=int(value)):
            result = Fraction(value)
        case ast.Name(id="t"):
            result = t
        case ast.UnaryOp(operand=operand):
            inner = rational(operand, t)
            result = None if inner is None else -inner
        case ast.BinOp(left=left, op=op, right=right):
            a, b = rational(left, t), rational(right, t)
            if a is not None and b is not None:
                if not isinstance(op, ast.Pow):
                    result = OPERATORS.get(type(op), operator.truediv)(a, b)
                elif b.denominator == 1 and abs(b) * bits(a) <= MAX_RATIONAL_BITS:
                    result = a ** int(b)
        case ast.Call(func=ast.Name(id="Abs" | "Max" | "Min" as name), args=arguments):
            values = [rational(argument, t) for argument in arguments]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                result = abs(known[0]) if name == "Abs" else max(known) if name == "Max" else min(known)
    return result if result is not None and bits(result) <= MAX_RATIONAL_BITS else None


def bits(value: Fraction) -> int:
    """Return the size of a rational in bits."""
    return value.numerator.bit_length() + value.denominator.bit_length()


@dataclass(frozen=True)
class Expression:
    """A checked activation sigma(t): its tree, and its text in normal spacing, by which activations are compared."""

    tree: ast.expr = field(compare=False)
    text: str

    def compiled(self) -> Function:
        """Return sigma as a function of balls, with constants evaluated at the current working precision.

        Guarantee: the result contains sigma(x) for every x in the argument, or is not finite.
        """
        function = _compile(self.tree)
        return _constantly(function) if isinstance(function, arb) else function

    def mapped(self) -> Callable[[list[arb]], list[arb]]:
        """Return `compiled` for lists; a bare function of narrow balls is called without a detour.

        Guarantee: as for `compiled`, entry by entry.
        """
        function = self.compiled()
        direct = None
        match self.tree:
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id="t")]):
                direct = DIRECT.get(name)

        def every(balls: list[arb]) -> list[arb]:
            if direct is not None and min(map(arb.rel_accuracy_bits, balls)) >= NARROW:
                return list(map(direct, balls))
            return list(map(function, balls))

        return every

    def at(self, t: Fraction) -> Fraction | None:
        """Return the exact sigma(t) where rational operations suffice; division by zero raises ZeroDivisionError."""
        return rational(self.tree, t)

    @property
    def size(self) -> int:
        """The number of constants, variables and operations."""
        return sum(isinstance(node, ast.expr) for node in ast.walk(self.tree))

    @property
    def is_constant(self) -> bool:
        """Whether t does not occur."""
        return not uses_t(self.tree)

    @property
    def mirror(self) -> tuple[int, int] | None:
        """The pair (c0, s) such that sigma(-t) = c0 + s sigma(t) for all t, s = 1 or -1, if one is known."""
        if self.text in ("1 / (exp(-t) + 1)", "1 / (1 + exp(-t))"):
            return 1, -1
        symmetry = _symmetry(self.tree)
        return None if symmetry is None else (0, symmetry)

    @property
    def degree(self) -> int | None:
        """An upper bound of the degree, if sigma is a polynomial (with real coefficients)."""
        return _degree(self.tree)


def _compile(node: ast.expr) -> arb | Function:
    match node:
        case ast.Constant(value=int(value)):
            return arb(value)
        case ast.Name(id=name):
            return (lambda t: t) if name == "t" else arb.pi() if name == "pi" else arb.const_e()
        case ast.UnaryOp(operand=operand):
            return _combine(operator.neg, [operand])
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _combine(power(exponent_of(right, "")), [left])
        case ast.BinOp(left=left, op=op, right=right):
            return _combine(OPERATORS.get(type(op), divide), [left, right])
        case ast.Call(func=ast.Name(id="log"), args=[ast.BinOp(left=ast.Constant(value=1), op=ast.Add(), right=u)]):
            return _combine(log1p, [u])
        case ast.Call(func=ast.Name(id="log"), args=[ast.BinOp(left=u, op=ast.Add(), right=ast.Constant(value=1))]):
            return _combine(log1p, [u])
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _combine(FUNCTIONS[name], arguments)
    raise TypeError(f"unexpected node {node!r}")


def _combine(function: Callable[..., arb], arguments: list[ast.expr]) -> arb | Function:
    """Compose a function with its arguments; constants are evaluated once, a bare t costs nothing."""
    parts = [_compile(argument) for argument in arguments]
    constants = [part for part in parts if isinstance(part, arb)]
    if len(constants) == len(parts):
        return function(*constants)
    inner = [_constantly(part) if isinstance(part, arb) else part for part in parts]
    if len(inner) == 1:
        only = inner[0]
        return function if isinstance(arguments[0], ast.Name) else lambda t: function(only(t))
    if len(inner) == 2:
        first, second = inner
        return lambda t: function(first(t), second(t))
    return lambda t: function(*[part(t) for part in inner])


def _constantly(value: arb) -> Function:
    return lambda t: value


def _symmetry(node: ast.expr) -> int | None:
    """Return 1 for a certainly even function of t, -1 for a certainly odd one, None if neither is known."""
    if not uses_t(node):
        return 1
    match node:
        case ast.Name():
            return -1
        case ast.UnaryOp(operand=operand):
            return _symmetry(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = _symmetry(left), exponent_of(right, "")
            if base == -1:
                return None if exponent.denominator != 1 else 1 if exponent.numerator % 2 == 0 else -1
            return base
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _symmetry(left), _symmetry(right)
            if a is None or b is None:
                return None
            return a * b if isinstance(op, ast.Mult | ast.Div) else a if a == b else None
        case ast.Call(func=ast.Name(id=name), args=arguments):
            inner = {_symmetry(argument) for argument in arguments}
            if inner == {1} or (inner == {-1} and name in EVEN):
                return 1
            return -1 if inner == {-1} and name in ODD else None
    return None


def _degree(node: ast.expr) -> int | None:
    if not uses_t(node):
        return 0
    match node:
        case ast.Name():
            return 1
        case ast.UnaryOp(operand=operand):
            return _degree(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = _degree(left), exponent_of(right, "")
            return None if base is None or exponent.denominator != 1 or exponent < 0 else base * int(exponent)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _degree(left), _degree(right)
            if a is None or b is None or (isinstance(op, ast.Div) and uses_t(right)):
                return None
            return a + b if isinstance(op, ast.Mult) else max(a, b)
    return None
