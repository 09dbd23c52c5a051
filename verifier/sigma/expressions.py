"""Reading an activation from text: a strict parser from a small grammar to one sympy expression.

The text is parsed by `ast` and every node is checked against a whitelist before sympy sees anything; nothing is
evaluated as Python. Numbers stay exact: `0.1` is the rational 1/10.

Grammar: integers, decimals, `pi`, `E`, one variable `t` (or `x`), `+ - * / **` (or `^`, the same as `**`), parentheses,
the functions of `GRAMMAR` and the aliases of `ALIASES`. The exponent of `**` is a rational constant, numerator and
denominator at most 1000 in size.

sympy simplifies what it is given, and may so enlarge the domain: ``t/t`` becomes 1. Every quotient, logarithm and root
is noted as a `Condition` before that; `verifier.sigma.domains` judges them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import sympy

from verifier.errors import ExpressionError, nearest, one_line
from verifier.sigma.functions import FUNCTIONS, Need
from verifier.sigma.intervals import MAX_CONSTANT_BITS
from verifier.sigma.measures import T as T
from verifier.sigma.measures import exponential_towers
from verifier.sigma.names import REASONS, plain

MAX_LENGTH: Final = 2000
"""Longest expression in characters: the certificate format's bound."""
MAX_DEPTH: Final = 60
"""Deepest nesting in levels: enough for a polynomial of degree 30 by Horner's rule."""
FUNCTION_LEVELS: Final = 5
"""How many levels a function, a denominator or a power counts: sympy's time grows exponentially with their nesting."""
TOO_DEEP: Final = (
    f"nested too deeply; at most {MAX_DEPTH} levels, of which a function, a power or a denominator counts"
    f" {FUNCTION_LEVELS}"
)
MAX_EXPONENT: Final = 1000
"""Bound on the numerator and the denominator of an exponent: the certificate format's."""
MAX_ARGUMENTS: Final = 16
"""Most arguments of Max and Min: sympy compares every two of them."""
MAX_TOWERS: Final = 2
"""Deepest nesting of exp, sinh and cosh in a constant: exp(exp(exp(9))) has no digits that anybody could compute."""
GRAMMAR: Final[dict[str, Callable[..., Any]]] = {
    function.symbolic.__name__: function.symbolic for function in FUNCTIONS.values() if function.written
}
"""The functions that certificates know, as sympy spells them; one argument each, two or more for Max and Min."""

ALIASES: Final[dict[str, Callable[..., Any]]] = {
    **{name: function.symbolic for name, function in FUNCTIONS.items() if name != "sign"},
    "arctan": sympy.atan,
    "relu": lambda u: sympy.Max(0, u),
    "silu": lambda u: u / (1 + sympy.exp(-u)),
    "swish": lambda u: u / (1 + sympy.exp(-u)),
}
"""Convenient spellings, written out in certificates as the functions above."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a part of an expression needs to be defined: that its argument is nonzero, positive or not negative.

    Parameters
    ----------
    need : "nonzero", "positive" or "nonnegative"
        For a divisor, a logarithm, a root.
    argument : sympy.Expr
        Of which it is needed, in the symbol `T`.
    part : str
        The part as it was written.
    """

    need: Need
    argument: sympy.Expr
    part: str


_CALLABLE: Final = GRAMMAR | ALIASES
_VARIADIC: Final = frozenset({"Max", "Min", "max", "min"})
_CONSTANTS: Final[dict[str, Any]] = {"pi": sympy.pi, "E": sympy.E}
_NUMBER: Final = re.compile(r"[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,6})?")
_VARIABLES: Final = ("t", "x")
_ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def parse_expression(text: str) -> sympy.Expr:
    """Read an expression in the real variable t; `verifier.sigma.domains.parse_activation` looks at its domain, too.

    Parameters
    ----------
    text : str
        For example ``"log(1 + exp(t))"``; at most 2000 ASCII characters. ``x`` may stand for ``t``.

    Returns
    -------
    sympy.Expr
        The expression in the symbol `T`, after sympy's automatic simplifications.

    Raises
    ------
    ExpressionError
        The text is outside the grammar, or denotes no finite real constant somewhere.
    """
    return read_expression(text)[0]


def read_expression(text: str) -> tuple[sympy.Expr, tuple[Condition, ...]]:
    """Read an expression, and note what its parts need to be defined before anything cancels.

    Parameters
    ----------
    text : str
        As for `parse_expression`.

    Returns
    -------
    (sympy.Expr, tuple of Condition)
        The expression after sympy's automatic simplifications; the conditions of all quotients, logarithms and roots,
        as they were written, each once.

    Raises
    ------
    ExpressionError
        As `parse_expression`.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"expression: expected text, got {one_line(text)}; write for example 'tanh(t)'")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression: {len(text)} characters, more than {MAX_LENGTH}; shorten it")
    if not text.strip():
        raise ExpressionError("expression: empty; write for example 'tanh(t)'")
    if not text.isascii() or not text.isprintable():
        raise ExpressionError(
            f"expression {one_line(text)}: only printable ASCII on one line is allowed; spell pi as 'pi'"
        )
    source = text.strip().replace("^", "**")  # nothing else in the grammar has this sign
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of things like `1(t)`, which is refused below anyway
            tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        position = f" at character {error.offset}" if error.offset else ""
        raise ExpressionError(f"expression {one_line(text)}: {error.msg}{position}; see the grammar") from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError(f"expression {one_line(text)}: {TOO_DEEP}") from None
    reader = _Reader(source)
    result = reader.read(tree.body, 0)
    check_real(result, text)
    return result, tuple(reader.conditions.values())


def check_real(expression: sympy.Expr, text: str) -> None:
    """Refuse an expression in which sympy found an infinite, undefined or complex part.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.
    text : str
        How the user wrote it, for the message.

    Raises
    ------
    ExpressionError
        The expression contains an infinity, an undefined number or the imaginary unit.
    """
    bad = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)
    if expression.has(*bad):
        raise ExpressionError(
            f"expression {one_line(text)}: has an undefined or infinite part ({expression}); divide by no zero"
        )
    if expression.has(sympy.I):
        raise ExpressionError(
            f"expression {one_line(text)}: not real ({expression}); take roots and logs of positive numbers"
        )


class _Reader:
    """One pass over the syntax tree; every method returns a sympy expression or raises."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.variable: str | None = None
        self.conditions: dict[tuple[Need, sympy.Expr], Condition] = {}

    def needs(self, need: Need, argument: sympy.Expr, node: ast.expr) -> None:
        """Note what a part needs to be defined, once."""
        self.conditions.setdefault((need, argument), Condition(need, argument, self.segment(node)))

    def read(self, node: ast.expr, depth: int) -> sympy.Expr:
        if depth > MAX_DEPTH:
            raise self.error(node, TOO_DEEP)
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign):
                operand = self.read(node.operand, depth + 1)
                return -operand if isinstance(sign, ast.USub) else operand
            case ast.BinOp(op=ast.Pow()):
                return self.power(node, depth)
            case ast.BinOp() if isinstance(node.op, _ARITHMETIC):
                return self.arithmetic(node, depth)
            case ast.Call():
                return self.call(node, depth)
        raise self.error(node, f"{type(node).__name__} is not allowed; see the grammar")

    def number(self, node: ast.Constant) -> sympy.Expr:
        digits = self.segment(node)
        if _NUMBER.fullmatch(digits) is None:
            raise self.error(node, f"{one_line(digits)} is not a number; use plain integers or decimals")
        if type(node.value) is int:
            return sympy.Integer(node.value)
        if type(node.value) is float:
            _, _, exponent = digits.lower().partition("e")
            if abs(int(exponent or "0")) > MAX_EXPONENT:
                raise self.error(node, f"exponent beyond 10**{MAX_EXPONENT}; scale the expression")
            exact = Fraction(digits)
            return sympy.Rational(exact.numerator, exact.denominator)
        raise self.error(node, f"{one_line(digits)} is not a number; use plain integers or decimals")

    def name(self, node: ast.Name) -> sympy.Expr:
        if node.id in _VARIABLES:
            if self.variable not in (None, node.id):
                raise self.error(node, "both t and x occur; an activation has one variable, call it t")
            self.variable = node.id
            return T
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        if node.id in _CALLABLE:
            raise self.error(node, f"the function {node.id!r} needs an argument; write {node.id}(t)")
        raise self.error(node, f"unknown name {node.id!r}; {nearest(node.id, [*_VARIABLES, *_CONSTANTS, *_CALLABLE])}")

    def arithmetic(self, node: ast.BinOp, depth: int) -> sympy.Expr:
        spine: list[ast.BinOp] = []  # a long sum leans to the left: a loop, so that only true nesting counts as depth
        first: ast.expr = node
        while isinstance(first, ast.BinOp) and isinstance(first.op, _ARITHMETIC):
            spine.append(first)
            first = first.left
        result = self.read(first, depth + 1)
        for step in reversed(spine):
            right = self.read(step.right, depth + (FUNCTION_LEVELS if isinstance(step.op, ast.Div) else 1))
            match step.op:
                case ast.Add():
                    result = result + right
                case ast.Sub():
                    result = result - right
                case ast.Mult():
                    result = result * right
                case _:
                    if right == 0 or (not right.has(T) and right.is_zero):
                        raise self.error(step, "division by zero; remove it")
                    self.needs("nonzero", right, step)
                    result = result / right
            if isinstance(result, sympy.Rational) and int(result.p * result.q).bit_length() > MAX_CONSTANT_BITS:
                raise self.error(step, f"a constant of more than {MAX_CONSTANT_BITS} bits; scale the expression")
        return result

    def power(self, node: ast.BinOp, depth: int) -> sympy.Expr:
        base, exponent = (self.read(part, depth + FUNCTION_LEVELS) for part in (node.left, node.right))
        if not isinstance(exponent, sympy.Rational):
            raise self.error(node.right, "an exponent is a rational constant; write exp(a*log(b)) for b**a")
        if max(abs(exponent.p), exponent.q) > MAX_EXPONENT:
            raise self.error(node.right, f"exponent {exponent} has a part beyond {MAX_EXPONENT}; use a smaller one")
        if isinstance(base, sympy.Rational):
            if base.is_zero and exponent.is_negative:
                raise self.error(node, "division by zero; remove it")
            bits = max(int(base.p).bit_length(), int(base.q).bit_length())
            if bits * abs(exponent.p) > MAX_CONSTANT_BITS:
                raise self.error(node, f"a constant of more than {MAX_CONSTANT_BITS} bits; scale the expression")
        if exponent.is_negative:
            self.needs("nonzero", base, node)
        if exponent.q > 1:
            self.needs("nonnegative", base, node)
        return base**exponent

    def call(self, node: ast.Call, depth: int) -> sympy.Expr:
        if not isinstance(node.func, ast.Name):
            raise self.error(node, "only named functions may be called; see the grammar")
        name = node.func.id
        if name not in _CALLABLE:
            raise self.error(node, f"unknown function {name!r}; {REASONS.get(plain(name)) or nearest(name, _CALLABLE)}")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, f"{name} takes plain arguments only; write {name}(t)")
        wanted = "two or more arguments" if name in _VARIADIC else "one argument"
        if (len(node.args) < 2) if name in _VARIADIC else (len(node.args) != 1):
            raise self.error(node, f"{name} takes {wanted}, got {len(node.args)}")
        if len(node.args) > MAX_ARGUMENTS:
            raise self.error(node, f"{name} of {len(node.args)} arguments, more than {MAX_ARGUMENTS}; nest it")
        arguments = [self.read(argument, depth + FUNCTION_LEVELS) for argument in node.args]
        if any(not argument.has(T) and exponential_towers(argument) >= MAX_TOWERS for argument in arguments):
            raise self.error(node, f"a constant of more than {MAX_TOWERS} nested exponentials; write its value")
        for argument in arguments:
            check_real(argument, self.source)
        known = FUNCTIONS.get(name)
        if known is not None and known.need is not None:
            need, shift = known.need
            self.needs(need, arguments[0] + shift, node)
        try:
            return _CALLABLE[name](*arguments)
        except (ValueError, TypeError) as error:
            raise self.error(node, f"{name}: {error}") from None

    def segment(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.source, node) or ""

    def error(self, node: ast.expr, reason: str) -> ExpressionError:
        where = f"character {node.col_offset + 1}, {one_line(self.segment(node), limit=40)}"
        return ExpressionError(f"expression {one_line(self.source)}: {where}: {reason}")
