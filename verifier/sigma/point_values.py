"""Values of an expression at rational points: exact rationals where possible, Arb balls otherwise.

They refute (a certified inequality at two points) and guard; the engine that encloses whole networks is
`verifier.balls`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import flint

from verifier.errors import VerifierError
from verifier.sigma.functions import FUNCTIONS, exact_value
from verifier.sigma.intervals import MAX_CONSTANT_BITS, size_of
from verifier.sigma.tree import Const, NotProvedError, Ops, Tree, evaluate

POINT_BITS: Final = 256
"""Arb's working precision for values at points."""
TEST_POINTS: Final = (*(Fraction(k, 2) for k in range(-20, 21)), Fraction(-100), Fraction(100))
"""Where expressions are tried: -10, -9.5, .., 10 and +-100."""


class UndefinedError(VerifierError):
    """An expression is certainly undefined, or not real, at a point."""


def ball_at(tree: Tree, point: Fraction, *, bits: int = POINT_BITS) -> flint.arb:
    """Enclose an expression's value at a rational point.

    Parameters
    ----------
    tree : Tree
        The expression.
    point : Fraction
        Where.
    bits : int, optional
        Arb's working precision.

    Returns
    -------
    flint.arb
        Guarantee: contains the value, if the expression is defined there. May be not finite, which says nothing.

    Raises
    ------
    UndefinedError
        The expression is certainly undefined there: division by exact 0, log of a number <= 0, root of a number < 0.
    """
    with flint.ctx.workprec(bits):
        value: flint.arb = evaluate(tree, _BallOps(flint.arb(flint.fmpq(point.numerator, point.denominator))))
        return value


def exact_at(tree: Tree, point: Fraction) -> Fraction | None:
    """Evaluate an expression at a rational point, if rational operations are enough.

    Parameters
    ----------
    tree : Tree
        The expression.
    point : Fraction
        Where.

    Returns
    -------
    Fraction or None
        Guarantee: the exact value; None if a constant, a root or a function leaves the rationals.
    """
    try:
        return evaluate(tree, _ExactOps(point))
    except (NotProvedError, ZeroDivisionError):
        return None


def sign_between(a: Tree, at_a: Fraction, b: Tree, at_b: Fraction) -> int | None:
    """Find the sign of ``a(at_a) - b(at_b)``.

    Parameters
    ----------
    a, b : Tree
        Two expressions.
    at_a, at_b : Fraction
        Where each is evaluated.

    Returns
    -------
    int or None
        Guarantee: 1, -1 or 0 is the sign, exactly where both are rational, by Arb otherwise; None: undecided, or one
        of them is certainly undefined there.
    """
    exact_a, exact_b = exact_at(a, at_a), exact_at(b, at_b)
    if exact_a is not None and exact_b is not None:
        return (exact_a > exact_b) - (exact_a < exact_b)
    try:
        difference = ball_at(a, at_a) - ball_at(b, at_b)
    except UndefinedError:
        return None
    return 1 if difference > 0 else -1 if difference < 0 else None


def sign_at(tree: Tree, point: Fraction) -> int | None:
    """Find the sign of an expression at a rational point, with the guarantee of `sign_between`.

    A ball that is the number 0 alone decides, too: log(cosh(0)) and sqrt(1 + 0**2) - 1 are 0 though not rational
    operations.
    """
    sign = sign_between(tree, point, Const(0), point)
    if sign is not None:
        return sign
    try:
        return 0 if ball_at(tree, point).is_zero() else None
    except UndefinedError:
        return None


class _BallOps(Ops[Any]):
    """`Ops` over Arb balls, for one exact argument."""

    column = "arb"

    def const(self, p: int, q: int) -> flint.arb:
        return flint.arb(flint.fmpq(p, q))

    def pi(self) -> flint.arb:
        return flint.arb.pi()

    def e(self) -> flint.arb:
        return flint.arb.const_e()

    def div(self, numerator: flint.arb, denominator: flint.arb) -> flint.arb:
        if denominator.is_zero():
            raise UndefinedError("division by zero")
        return numerator / denominator

    def pow_rational(self, base: flint.arb, p: int, q: int) -> flint.arb:
        if base < 0:
            raise UndefinedError(f"power {p}/{q} of a negative number")
        return flint.arb(0) if base.is_zero() else base ** flint.arb(flint.fmpq(p, q))

    def call(self, name: str, *args: flint.arb) -> flint.arb:
        need, shift = FUNCTIONS[name].need or (None, 0)
        if need == "positive" and args[0] <= -shift:
            raise UndefinedError("log of a number <= 0")
        if need == "nonnegative" and args[0] < -shift:
            raise UndefinedError("square root of a negative number")
        value: flint.arb = super().call(name, *args)
        return value


class _ExactOps(Ops[Fraction]):
    """`Ops` over exact rationals; everything else gives up."""

    def const(self, p: int, q: int) -> Fraction:
        return Fraction(p, q)

    def pi(self) -> Fraction:
        raise NotProvedError

    def e(self) -> Fraction:
        raise NotProvedError

    def pow_int(self, base: Fraction, n: int) -> Fraction:
        if size_of(base) * n > MAX_CONSTANT_BITS:
            raise NotProvedError
        return base**n

    def pow_rational(self, base: Fraction, p: int, q: int) -> Fraction:
        if base in (0, 1):
            return base
        raise NotProvedError

    def call(self, name: str, *args: Fraction) -> Fraction:
        found: Fraction | None = exact_value(name, *args)
        if found is None:
            raise NotProvedError
        return found
