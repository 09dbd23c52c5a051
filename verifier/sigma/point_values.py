"""Values of an expression at rational points: exact rationals where possible, Arb balls otherwise.

They refute (a certified inequality at two points) and guard; the engine that encloses whole networks is
`verifier.balls`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import flint

from verifier.errors import VerifierError
from verifier.sigma.expressions import MAX_CONSTANT_BITS
from verifier.sigma.tree import Tree, evaluate

POINT_BITS: Final = 256
"""Arb's working precision for values at points."""
TEST_POINTS: Final = (*(Fraction(k, 2) for k in range(-20, 21)), Fraction(-100), Fraction(100))
"""Where expressions are tried: -10, -9.5, .., 10 and +-100."""


def size_of(value: Fraction) -> int:
    """Count the bits of a rational.

    Parameters
    ----------
    value : Fraction
        Any.

    Returns
    -------
    int
        Of the larger of numerator and denominator.
    """
    return max(value.numerator.bit_length(), value.denominator.bit_length())


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
        return evaluate(tree, _BallOps(flint.arb(flint.fmpq(point.numerator, point.denominator))))


def exact_at(tree: Tree, point: Fraction) -> Fraction | None:
    """Evaluate by rational operations.

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
    except (_IrrationalError, ZeroDivisionError):
        return None


class _BallOps:
    """`Ops` over Arb balls, for one exact argument."""

    def __init__(self, argument: flint.arb) -> None:
        self.argument = argument

    def const(self, p: int, q: int) -> flint.arb:
        return flint.arb(flint.fmpq(p, q))

    def pi(self) -> flint.arb:
        return flint.arb.pi()

    def e(self) -> flint.arb:
        return flint.arb.const_e()

    def var(self) -> flint.arb:
        return self.argument

    def add(self, *terms: flint.arb) -> flint.arb:
        result = terms[0]
        for term in terms[1:]:
            result = result + term
        return result

    def mul(self, *factors: flint.arb) -> flint.arb:
        result: flint.arb = _product(factors)
        return result

    def div(self, numerator: flint.arb, denominator: flint.arb) -> flint.arb:
        if denominator.is_zero():
            raise UndefinedError("division by zero")
        return numerator / denominator

    def pow_int(self, base: flint.arb, n: int) -> flint.arb:
        return base**n

    def pow_rational(self, base: flint.arb, p: int, q: int) -> flint.arb:
        if base < 0:
            raise UndefinedError(f"power {p}/{q} of a negative number")
        return flint.arb(0) if base.is_zero() else base ** flint.arb(flint.fmpq(p, q))

    def call(self, name: str, *args: flint.arb) -> flint.arb:
        u = args[0]
        if name in ("max", "min"):
            for other in args[1:]:
                u = u.max(other) if name == "max" else u.min(other)
            return u
        if (name == "log" and u <= 0) or (name == "log1p" and u <= -1):
            raise UndefinedError("log of a number <= 0")
        if name == "sqrt" and u < 0:
            raise UndefinedError("square root of a negative number")
        result: flint.arb = _BALL_CALLS[name](u)
        return result


def _ball_softplus(u: flint.arb) -> flint.arb:
    return u + (-u).exp().log1p() if u > 0 else u.exp().log1p()


_BALL_CALLS: Final[dict[str, Callable[[Any], Any]]] = {
    **{
        name: getattr(flint.arb, name)
        for name in "exp log sqrt tanh sinh cosh sin cos atan erf erfc log1p expm1".split()
    },
    "abs": abs,
    "sign": flint.arb.sgn,
    "sigmoid": lambda u: 1 / (1 + (-u).exp()),
    "softplus": _ball_softplus,
}


class _IrrationalError(Exception):
    """The value leaves the rationals, is too large, or cannot be followed there."""


class _ExactOps:
    """`Ops` over exact rationals; everything else gives up."""

    def __init__(self, argument: Fraction) -> None:
        self.argument = argument

    def const(self, p: int, q: int) -> Fraction:
        return Fraction(p, q)

    def pi(self) -> Fraction:
        raise _IrrationalError

    def e(self) -> Fraction:
        raise _IrrationalError

    def var(self) -> Fraction:
        return self.argument

    def add(self, *terms: Fraction) -> Fraction:
        return sum(terms, start=Fraction(0))

    def mul(self, *factors: Fraction) -> Fraction:
        result: Fraction = _product(factors)
        return result

    def div(self, numerator: Fraction, denominator: Fraction) -> Fraction:
        return numerator / denominator

    def pow_int(self, base: Fraction, n: int) -> Fraction:
        if size_of(base) * n > MAX_CONSTANT_BITS:
            raise _IrrationalError
        return base**n

    def pow_rational(self, base: Fraction, p: int, q: int) -> Fraction:
        if base in (0, 1):
            return base
        raise _IrrationalError

    def call(self, name: str, *args: Fraction) -> Fraction:
        u = args[0]
        match name:
            case "max":
                return max(args)
            case "min":
                return min(args)
            case "abs":
                return abs(u)
            case "sqrt" | "tanh" | "sinh" | "sin" | "atan" | "erf" | "log1p" | "expm1" if u == 0:
                return u
            case "exp" | "cosh" | "cos" | "erfc" if u == 0:
                return Fraction(1)
            case "sigmoid" if u == 0:
                return Fraction(1, 2)
        raise _IrrationalError


def _product(factors: tuple[Any, ...]) -> Any:
    result = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result
