"""Values and slopes of activations on balls, also where they have kinks: expressions in dual numbers.

Glossary: a *dual* is a value and a slope, both balls. If value contains f(t) for all t in a ball, then slope contains
all quotients (f(s) - f(t)) / (s - t) of two of its numbers.
"""

import ast
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from flint import arb, fmpq

from .expression import GUARDED, PLAIN, SLOPES, build

ONE, ZERO, NAN = arb(1), arb(0), arb("nan")
# increasing activations with slopes that follow from their values
BY_VALUE: dict[str, Callable[[arb], arb]] = dict.fromkeys(
    ("1 / (exp(-t) + 1)", "1 / (1 + exp(-t))"), lambda v: v * (1 - v)
)


class Dual:
    """A function of t on a ball; other operands are constants."""

    __slots__ = ("slope", "value")

    def __init__(self, value: arb, slope: arb) -> None:
        self.value, self.slope = value, slope

    def __neg__(self) -> "Dual":
        """Return -f."""
        return Dual(-self.value, -self.slope)

    def __add__(self, other: Any) -> "Dual":
        """Return a sum."""
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    def __radd__(self, other: arb) -> "Dual":
        """Return a sum with a constant."""
        return Dual(other + self.value, self.slope)

    def __sub__(self, other: Any) -> "Dual":
        """Return a difference."""
        found: Dual = self + -other
        return found

    def __rsub__(self, other: arb) -> "Dual":
        """Return a constant less f."""
        return Dual(other - self.value, -self.slope)

    def __mul__(self, other: Any) -> "Dual":
        """Return a product: f(s) g(s) - f(t) g(t) = f(s) (g(s) - g(t)) + (f(s) - f(t)) g(t)."""
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)
        return Dual(self.value * other, self.slope * other)

    def __rmul__(self, other: arb) -> "Dual":
        """Return a multiple."""
        return Dual(other * self.value, other * self.slope)

    def __truediv__(self, other: Any) -> "Dual":
        """Return a quotient."""
        if isinstance(other, Dual):
            return self * inverse(other)
        return Dual(self.value / other, self.slope / other)

    def __rtruediv__(self, other: arb) -> "Dual":
        """Return a constant divided by f."""
        reciprocal = inverse(self)
        return Dual(other * reciprocal.value, other * reciprocal.slope)


def inverse(x: Dual) -> Dual:
    """Return 1 / f: 1 / f(s) - 1 / f(t) = -(f(s) - f(t)) / (f(s) f(t)); not finite where f may be 0."""
    value = 1 / x.value
    return Dual(value, -(value * value) * x.slope)


def square(x: arb) -> arb:
    """Return the squares of the numbers in x, none of them below 0."""
    low, high = x.abs_lower(), x.abs_upper()
    return (low * low).union(high * high)


# slopes of functions that follow from their values
OWN: dict[str, Callable[[arb], arb]] = {"tanh": lambda v: 1 - square(v), "exp": lambda v: v, "expm1": lambda v: 1 + v}
OWN["sqrt"] = lambda v: 1 / (2 * v)
BY_VALUE["tanh(t)"] = OWN["tanh"]


def lifted(name: str, x: Any) -> Any:
    """Return a differentiable function of a dual, by the mean value theorem, or of a constant."""
    if isinstance(x, arb):
        return GUARDED[name](x)
    value = GUARDED[name](x.value)
    slope = OWN[name](value) if name in OWN else SLOPES[name](x.value)
    return Dual(value, slope * x.slope)


def power_rates(exponent: fmpq, x: Any) -> Any:
    """Return x ** exponent."""
    if isinstance(x, arb):
        return GUARDED["power"](exponent)(x)
    if exponent == 0:
        return Dual(GUARDED["power"](exponent)(x.value), ZERO * x.slope)
    rate = GUARDED["power"](exponent - 1)(x.value) * arb(exponent)
    return Dual(GUARDED["power"](exponent)(x.value), rate * x.slope)


def largest_rate(*parts: Any) -> Any:
    """Return the largest of some functions.

    Guarantee: if f_j is the largest at t and f_i at s, then f_j(s) - f_j(t) <= max(s) - max(t) <= f_i(s) - f_i(t): for
    s > t so are the quotients, for s < t the other way round. What is nowhere the largest is left out.
    """
    if all(isinstance(part, arb) for part in parts):
        return reduce(arb.max, parts)
    duals = [part if isinstance(part, Dual) else Dual(part, ZERO) for part in parts]
    top = reduce(arb.max, (part.value for part in duals))
    return Dual(top, reduce(arb.union, (part.slope for part in duals if not part.value < top)))


DUAL: dict[str, Any] = {name: partial(lifted, name) for name in SLOPES}
DUAL |= {"number": arb, "power": lambda exponent: partial(power_rates, exponent), "pi": arb.pi, "E": arb.const_e}
DUAL |= {"Max": largest_rate, "Min": lambda *parts: -largest_rate(*(-part for part in parts))}
DUAL["Abs"] = lambda part: largest_rate(part, -part)


def by_value(rising: Callable[[arb], arb], slope: Callable[[arb], arb]) -> Callable[[arb], tuple[arb, arb]]:
    """Return what `rate_of` does, for an increasing function whose slope is a function of its value."""

    def rate(x: arb) -> tuple[arb, arb]:
        value = rising(x.lower()).union(rising(x.upper()))
        return value, slope(value)

    return rate


def rate_of(tree: ast.expr) -> Callable[[arb], tuple[arb, arb]]:
    """Return the function from a ball to all values of an activation on it, and all of its slopes.

    Guarantee: if both are finite, then the activation is defined, and Lipschitz, on all of the ball.
    """
    text = ast.unparse(tree)
    if text in BY_VALUE:
        return by_value(build(tree, PLAIN), BY_VALUE[text])
    function = build(tree, DUAL)

    def rate(x: arb) -> tuple[arb, arb]:
        try:
            found = function(Dual(x, ONE))
        except (ValueError, ArithmeticError):  # a quotient that is not defined
            return NAN, NAN
        return (found.value, found.slope) if isinstance(found, Dual) else (found, ZERO)

    return rate
