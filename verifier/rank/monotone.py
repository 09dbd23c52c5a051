"""Monotone activations with their limits, proved by recursion over the expression: what rule W1 rests on.

The recursion accepts no more than a certificate's checker does on the expression's printed text: sums of functions
that increase (or all decrease), constant multiples, integer powers, reciprocals of functions without zeros, and exp,
tanh, sinh, atan, erf of them; besides ``t/sqrt(t**2 + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy
from flint import arb

from verifier.balls.activation import tree_kernel
from verifier.sigma.activations import Activation
from verifier.sigma.expressions import T
from verifier.sigma.tree import tree_of

_INFINITY = arb("inf")
_ALGEBRAIC = T / sympy.sqrt(T**2 + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a strictly monotone function (sign 1 or -1) or a constant (0): enclosures of its limits at -oo and +oo."""

    sign: int
    low: arb
    high: arb

    @property
    def bounded(self) -> bool:
        """Whether both limits are certainly finite and different."""
        jump = self.high - self.low
        return bool(jump.is_finite() and (jump > 0 or jump < 0))


def monotone_limits(activation: Activation) -> Limits | None:
    """Prove that an activation is strictly monotone, and find its limits at the current working precision.

    Parameters
    ----------
    activation
        The activation; only its expression matters.

    Returns
    -------
    Limits or None
        Guarantee: if not None, the activation is defined, continuous and strictly monotone on R with limits in the
        balls. None: not proved.
    """
    found = _walk(activation.expression)
    return found if found is not None and found.sign != 0 else None


def _walk(expression: Any) -> Limits | None:
    if not expression.has(T):
        value = tree_kernel(tree_of(expression))(arb(0))
        return Limits(0, value, value) if value.is_finite() else None
    if expression == T:
        return Limits(1, -_INFINITY, _INFINITY)
    if expression == _ALGEBRAIC:
        return Limits(1, arb(-1), arb(1))
    if isinstance(expression, sympy.Add):
        return _sum([_walk(term) for term in expression.args])
    if isinstance(expression, sympy.exp):
        return _compose(_walk(expression.args[0]), arb.exp, arb(0), _INFINITY)
    if isinstance(expression, sympy.Mul):
        factors = [factor for factor in expression.args if factor.has(T)]
        constant = _walk(sympy.Mul(*(factor for factor in expression.args if not factor.has(T))))
        return _times(constant, _walk(factors[0])) if len(factors) == 1 else None
    if isinstance(expression, sympy.Pow):
        return _power(_walk(expression.base), expression.exp)
    half_pi = arb.pi() / 2
    ends: dict[Any, tuple[Any, arb, arb]] = {
        sympy.tanh: (arb.tanh, arb(-1), arb(1)),
        sympy.erf: (arb.erf, arb(-1), arb(1)),
        sympy.sinh: (arb.sinh, -_INFINITY, _INFINITY),
        sympy.atan: (arb.atan, -half_pi, half_pi),
    }
    if expression.func in ends:
        return _compose(_walk(expression.args[0]), *ends[expression.func])
    return None


def _sum(terms: list[Limits | None]) -> Limits | None:
    total = Limits(0, arb(0), arb(0))
    for term in terms:
        if term is None or total.sign * term.sign < 0:
            return None
        total = Limits(total.sign or term.sign, total.low + term.low, total.high + term.high)
    return total


def _times(constant: Limits | None, f: Limits | None) -> Limits | None:
    if constant is None or f is None:
        return None
    c = constant.low
    if c > 0 or c < 0:
        return Limits(f.sign if c > 0 else -f.sign, c * f.low, c * f.high)
    return None


def _compose(inner: Limits | None, function: Any, bottom: arb, top: arb) -> Limits | None:
    """Apply an increasing function with these limits."""
    if inner is None:
        return None
    low, high = (
        end_value if infinite else function(end)
        for end in (inner.low, inner.high)
        for infinite, end_value in [(abs(end) == _INFINITY, top if end > 0 else bottom)]
    )
    return Limits(inner.sign, low, high)


def _power(base: Limits | None, exponent: Any) -> Limits | None:
    """Raise to an integer power: odd, or of a function >= 0; a negative one of a function without zeros."""
    if base is None or not exponent.is_Integer or exponent == 0:
        return None
    count, positive = abs(int(exponent)), bool(base.low >= 0 and base.high >= 0)
    if not positive and count % 2 == 0:
        return None
    low, high = (end**count if end.is_finite() else end for end in (base.low, base.high))
    if exponent > 0:
        return Limits(base.sign, low, high)
    if not positive and not (low <= 0 and high <= 0):
        return None
    at_zero = _INFINITY if positive else -_INFINITY
    low, high = (at_zero if end == 0 else 1 / end for end in (low, high))
    return Limits(-base.sign, low, high)
