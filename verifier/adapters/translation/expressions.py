"""Functions of one entry t as text: composed, recognised as affine or as a power, made an activation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy

from verifier.errors import ExpressionError, VerifierError
from verifier.sigma.activations import Activation, catalogue
from verifier.sigma.domains import parse_activation
from verifier.sigma.expressions import MAX_LENGTH, T, read_expression

_VARIABLE = re.compile(r"\bt\b")
SIGMOID = "1/(1 + exp(-t))"


@dataclass(frozen=True, slots=True)
class Power:
    """``factor * (slope t + shift)**(halves/2)`` on the numbers where ``slope t + shift > 0``."""

    factor: Fraction
    slope: Fraction
    shift: Fraction
    halves: int


def number(value: Fraction) -> str:
    """A rational number in the grammar of activations."""
    if value.denominator == 1:
        return str(value.numerator) if value >= 0 else f"({value.numerator})"
    return f"({value.numerator}/{value.denominator})"


def affine_text(slope: Fraction, shift: Fraction) -> str:
    """``slope t + shift`` in the grammar of activations."""
    return f"({number(slope)}*t + {number(shift)})" if shift else f"({number(slope)}*t)"


def composed(outer: str, inner: str | None) -> str:
    """The outer function at the inner one."""
    if inner is None:
        return outer
    first, second = affine_of(outer), affine_of(inner)
    if first is not None and second is not None:
        return affine_text(first[0] * second[0], first[0] * second[1] + first[1])
    return _VARIABLE.sub(lambda match: f"({inner})", outer)


@lru_cache(maxsize=4096)
def symbolic(text: str | None) -> sympy.Expr | None:
    """The expression, None if it is outside the grammar or too long."""
    if text is None:
        return T
    try:
        return read_expression(text)[0] if len(text) <= MAX_LENGTH else None
    except VerifierError:
        return None


@lru_cache(maxsize=4096)
def affine_of(text: str | None) -> tuple[Fraction, Fraction] | None:
    """Slope and shift, None if the function is not affine with rational numbers."""
    if text is None:
        return Fraction(1), Fraction(0)
    if re.search(r"[a-zA-Z]{2}", text):
        return None
    try:
        found = parse_activation(text)
    except VerifierError:
        return None
    shift = found.subs(T, 0)
    slope = sympy.expand(found - shift).coeff(T, 1)
    if not (isinstance(shift, sympy.Rational) and isinstance(slope, sympy.Rational)):
        return None
    if sympy.expand(found - slope * T - shift) != 0:
        return None
    return _fraction(slope), _fraction(shift)


@lru_cache(maxsize=4096)
def power_of(text: str) -> Power | None:
    """The function as a power of an affine one; None if it is none, or has conditions of another kind."""
    try:
        found, conditions = read_expression(text)
    except VerifierError:
        return None
    factor, rest = found.as_coeff_Mul(rational=True)
    base, exponent = rest.as_base_exp()
    inner = affine_of(f"({base})") if not base.has(sympy.exp, sympy.log) else None
    halves = 2 * exponent
    if inner is None or not isinstance(factor, sympy.Rational) or not getattr(halves, "is_Integer", False):
        return None
    odd = halves % 2 == 1
    if not all(_implied(condition.need, condition.argument, base, odd) for condition in conditions):
        return None
    return Power(_fraction(factor), *inner, int(halves))


def _implied(need: str, argument: sympy.Expr, base: sympy.Expr, odd: bool) -> bool:
    """Whether a part is defined wherever the base is positive, or not 0 if its power is whole."""
    if argument.is_number and need == "nonzero":
        return bool(argument.is_zero is False)
    factor, rest = argument.as_coeff_Mul(rational=True)
    inner, _ = rest.as_base_exp()
    ratio = sympy.cancel(inner / base)
    if not ratio.is_Rational or ratio == 0 or factor == 0:
        return False
    return need == "nonzero" or (odd and bool(ratio > 0) and bool(factor > 0))


@lru_cache(maxsize=4096)
def activation_of(text: str) -> Activation:
    """The activation, by its name in the catalogue if it is there; `ExpressionError` if it is none."""
    found = Activation.from_expression(text)
    return next((known for known in catalogue() if known.expression == found.expression), found)


@lru_cache(maxsize=4096)
def on_nonnegative(text: str) -> str | None:
    """A function that is defined on R and the same for t >= 0, where the text is defined there; None if it is not.

    ``sqrt(t)**2`` is t, ``Max(sqrt(t), 1)`` is ``Max(sqrt(abs(t)), 1)``.
    """
    if states(text):
        return text
    above = _VARIABLE.sub("(abs(t))", text)
    if not states(above):
        return None
    found = symbolic(text)
    half = sympy.Symbol("t", nonnegative=True)
    simpler = None if found is None else str(found.subs(T, half))
    return simpler if simpler is not None and states(simpler) else above


@lru_cache(maxsize=4096)
def states(text: str) -> bool:
    """Whether the text is a function that is defined on R."""
    try:
        activation_of(text)
    except ExpressionError:
        return False
    return True


def are_complements(z: str | None, rest: str | None) -> bool:
    """Whether ``rest`` is ``1 - z``."""
    first, second = symbolic(z), symbolic(rest)
    return first is not None and second is not None and sympy.expand(first + second - 1) == 0


def _fraction(value: sympy.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))
