"""A small expression tree and ONE walker over it: every kernel of an activation is a table of operations.

sympy holds an activation; `tree_of` turns it once into the tree below, with the rewrites that keep floating point
stable, and `evaluate` folds the tree over an `Ops` table (NumPy, mpmath, Arb, exact rationals, ranges). No sympy is
needed after that, and a tree is hashable and can be pickled.

Rewrites, each an identity on the domain of its left side (u any subexpression, n >= 1)::

    log(1 + exp(u))         ->  softplus(u)
    log(1 + u)              ->  log1p(u)
    exp(u) - 1              ->  expm1(u)
    1 + erf(u)              ->  erfc(-u)               1 - erf(u)  ->  erfc(u)
    (1 + exp(u))**-n        ->  sigmoid(-u)**n
    exp(k u) (1 + exp(u))**-n  ->  sigmoid(u)**k sigmoid(-u)**(n-k)    (1 <= k <= n)
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

import sympy

from verifier.errors import ExpressionError, one_line
from verifier.sigma.expressions import MAX_EXPONENT, T
from verifier.sigma.functions import FUNCTIONS

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Const:
    """The rational number p/q, q >= 1, in lowest terms."""

    p: int
    q: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """The constant `pi` or `e`."""

    name: str


@dataclass(frozen=True, slots=True)
class Var:
    """The variable t of an activation."""


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two or more terms."""

    terms: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Mul:
    """The product of two or more factors."""

    factors: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Div:
    """The quotient numerator / denominator."""

    numerator: Tree
    denominator: Tree


@dataclass(frozen=True, slots=True)
class Power:
    """base**(p/q) with p/q in lowest terms, q >= 1, p/q neither 0 nor 1, and p > 0 (else a `Div` is made)."""

    base: Tree
    p: int
    q: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` at its arguments: one, or two or more for max and min."""

    name: str
    args: tuple[Tree, ...]


Tree = Const | Named | Var | Add | Mul | Div | Power | Call


class Ops(ABC, Generic[Value]):
    """What a kernel supplies, one method per kind of tree node. `Value` is an array, a ball, a number, a range, ...

    By default values are joined by Python's own operators, and functions are one column of `FUNCTIONS`.

    Parameters
    ----------
    argument : Value
        What t is.
    """

    column: ClassVar[Literal["numpy", "mpmath", "arb", "series"]]

    def __init__(self, argument: Value) -> None:
        self.argument = argument

    @abstractmethod
    def const(self, p: int, q: int) -> Value:
        """Return p/q, q >= 1."""

    @abstractmethod
    def pi(self) -> Value:
        """Return the value that stands for the constant pi."""

    @abstractmethod
    def e(self) -> Value:
        """Return the value that stands for the constant exp(1)."""

    def var(self) -> Value:
        """Return the value that stands for the variable t."""
        return self.argument

    def add(self, *terms: Value) -> Value:
        """Return the sum of two terms or more, from left to right."""
        return reduce(operator.add, terms)

    def mul(self, *factors: Value) -> Value:
        """Return the product of two factors or more, from left to right."""
        return reduce(operator.mul, factors)

    def div(self, numerator: Value, denominator: Value) -> Value:
        """Return the quotient of two values."""
        quotient: Value = operator.truediv(numerator, denominator)
        return quotient

    def pow_int(self, base: Value, n: int) -> Value:
        """Return base**n, n >= 2."""
        power: Value = operator.pow(base, n)
        return power

    @abstractmethod
    def pow_rational(self, base: Value, p: int, q: int) -> Value:
        """Return the real base**(p/q), base >= 0, p >= 1, q >= 2; a square root arrives as ``call("sqrt", base)``."""

    def call(self, name: str, *args: Value) -> Value:
        """Return the value of a function of `FUNCTIONS`; max and min take two arguments at a time."""
        function = getattr(FUNCTIONS[name], self.column)
        result: Value = reduce(function, args) if len(args) > 1 else function(*args)
        return result


class NotProvedError(Exception):
    """A fold cannot say anything of a part, and so not of the whole."""


def evaluate(tree: Tree, ops: Ops[Value]) -> Value:
    """Fold a tree over a table of operations.

    Parameters
    ----------
    tree : Tree
        From `tree_of`.
    ops : Ops
        What each node becomes.

    Returns
    -------
    Value
        The tree's value; whatever `ops` makes.
    """
    match tree:
        case Const(p, q):
            return ops.const(p, q)
        case Named(name):
            return ops.pi() if name == "pi" else ops.e()
        case Var():
            return ops.var()
        case Add(terms):
            return ops.add(*(evaluate(term, ops) for term in terms))
        case Mul(factors):
            return ops.mul(*(evaluate(factor, ops) for factor in factors))
        case Div(numerator, denominator):
            return ops.div(evaluate(numerator, ops), evaluate(denominator, ops))
        case Power(base, p, 1):
            return ops.pow_int(evaluate(base, ops), p)
        case Power(base, 1, 2):
            return ops.call("sqrt", evaluate(base, ops))
        case Power(base, p, q):
            return ops.pow_rational(evaluate(base, ops), p, q)
        case Call(name, args):
            return ops.call(name, *(evaluate(argument, ops) for argument in args))


def children(tree: Tree) -> tuple[Tree, ...]:
    """List the trees right below a node.

    Parameters
    ----------
    tree : Tree
        Any node.

    Returns
    -------
    tuple of Tree
        From left to right; empty for constants and the variable.
    """
    match tree:
        case Add(parts) | Mul(parts) | Call(_, parts):
            return parts
        case Div(numerator, denominator):
            return numerator, denominator
        case Power(base, _, _):
            return (base,)
    return ()


def subtrees(tree: Tree) -> Iterator[Tree]:
    """Yield the tree and everything below it, parents first.

    Parameters
    ----------
    tree : Tree
        Where to start.

    Yields
    ------
    Tree
        Each node.
    """
    yield tree
    for child in children(tree):
        yield from subtrees(child)


_NAMES: Final[dict[Any, str]] = {function.symbolic: name for name, function in FUNCTIONS.items()}


@lru_cache(maxsize=512)
def tree_of(expression: sympy.Expr) -> Tree:
    """Turn a sympy expression in `T` into a tree, with the module's rewrites.

    Parameters
    ----------
    expression : sympy.Expr
        In the grammar of certificates, or a derivative of such an expression.

    Returns
    -------
    Tree
        Equal to the expression wherever that is defined.

    Raises
    ------
    ExpressionError
        A node is outside the grammar: another symbol, an irrational exponent, an unknown function.
    """
    if isinstance(expression, sympy.Rational):
        return Const(int(expression.p), int(expression.q))
    if expression == T:
        return Var()
    if expression == sympy.pi or expression == sympy.E:
        return Named("pi" if expression == sympy.pi else "e")
    if isinstance(expression, sympy.Add):
        return _sum(expression)
    if isinstance(expression, sympy.Mul):
        return _product(expression)
    if isinstance(expression, sympy.Pow):
        return _product(expression)
    if isinstance(expression, sympy.log):
        return _logarithm(expression)
    name = _NAMES.get(expression.func)
    if name is None:
        raise ExpressionError(
            f"expression: {one_line(str(expression))} is outside the grammar; rewrite it with its functions"
        )
    return Call(name, tuple(tree_of(argument) for argument in sorted(expression.args, key=sympy.default_sort_key)))


def _sum(expression: sympy.Add) -> Tree:
    """Translate a sum; a 1 or -1 next to exp or erf is absorbed into the stable function."""
    constant, rest = expression.as_coeff_Add()
    if len(sympy.Add.make_args(rest)) == 1:  # only then is it sure that nothing else cancels
        if constant == 1 and isinstance(rest, sympy.erf):
            return Call("erfc", (tree_of(-rest.args[0]),))
        if constant == 1 and isinstance(-rest, sympy.erf):
            return Call("erfc", (tree_of((-rest).args[0]),))
    if constant == -1:
        terms = list(sympy.Add.make_args(rest))
        found = next((k for k, term in enumerate(terms) if isinstance(term, sympy.exp)), None)
        if found is not None:
            small = Call("expm1", (tree_of(terms.pop(found).args[0]),))
            return Add((small, *map(tree_of, terms))) if terms else small
    return Add(tuple(tree_of(term) for term in expression.as_ordered_terms()))


def _logarithm(expression: sympy.Expr) -> Tree:
    """Translate log; log(1 + u) becomes softplus or log1p."""
    argument = expression.args[0]
    constant, rest = argument.as_coeff_Add()
    if constant != 1 or rest == 0:
        return Call("log", (tree_of(argument),))
    if isinstance(rest, sympy.exp):
        return Call("softplus", (tree_of(rest.args[0]),))
    return Call("log1p", (tree_of(rest),))


def _product(expression: sympy.Expr) -> Tree:
    """Translate a product or a power: sigmoids first, then factors with a negative exponent form the denominator."""
    powers: dict[sympy.Expr, sympy.Expr] = {}
    for factor in sympy.Mul.make_args(expression):
        # sympy splits exp(u) into E**u; it stays whole here
        base, exponent = (factor, sympy.S.One) if isinstance(factor, sympy.exp) else factor.as_base_exp()
        powers[base] = powers.get(base, sympy.S.Zero) + exponent
    above: list[Tree] = []
    below: list[Tree] = []
    for base in list(powers):
        inner = _sigmoid_argument(base)
        exponent = powers.get(base)
        if inner is None or exponent is None or not (exponent.is_Integer and exponent.is_negative):
            continue
        del powers[base]
        count = int(-exponent)
        for factor in [f for f in powers if isinstance(f, sympy.exp) and powers[f] == 1]:
            times = factor.args[0] / inner
            if isinstance(times, sympy.Integer) and 1 <= times <= count:
                del powers[factor]
                above.append(_power(Call("sigmoid", (tree_of(inner),)), times))
                count -= int(times)
        if count:
            above.append(_power(Call("sigmoid", (tree_of(-inner),)), sympy.Integer(count)))
    for base, exponent in powers.items():
        if isinstance(base, sympy.Rational) and exponent == 1:
            above.extend([Const(int(base.p))] if base.p != 1 else [])
            below.extend([Const(int(base.q))] if base.q != 1 else [])
        elif not isinstance(exponent, sympy.Rational) or max(abs(exponent.p), exponent.q) > MAX_EXPONENT:
            raise ExpressionError(
                f"expression: the power {one_line(str(base**exponent))} has an exponent outside the grammar;"
                f" rational constants up to {MAX_EXPONENT} are allowed"
            )
        elif isinstance(base, sympy.Rational) and base.is_negative and exponent.q > 1:
            raise ExpressionError(
                f"expression: {one_line(str(expression))} is not real; take roots of positive numbers"
            )
        else:
            (below if exponent.is_negative else above).append(_power(tree_of(base), abs(exponent)))
    numerator = _joined(above)
    return Div(numerator, _joined(below)) if below else numerator


def _sigmoid_argument(base: sympy.Expr) -> sympy.Expr | None:
    """Return u if the base is 1 + exp(u)."""
    constant, rest = base.as_coeff_Add()
    return rest.args[0] if constant == 1 and isinstance(rest, sympy.exp) else None


def _power(base: Tree, exponent: sympy.Rational) -> Tree:
    return base if exponent == 1 else Power(base, int(exponent.p), int(exponent.q))


def _joined(factors: list[Tree]) -> Tree:
    if not factors:
        return Const(1)
    return factors[0] if len(factors) == 1 else Mul(tuple(factors))
