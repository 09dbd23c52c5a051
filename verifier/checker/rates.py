"""Slopes of activations on balls, also where they have kinks: expressions in values, slopes and second derivatives.

Glossary: a *bend* is a second derivative. A `Curve` stands for a function f of t on a ball of numbers t: value contains
all f(t), slope all quotients (f(s) - f(t)) / (s - t), bend all second derivatives; at kinks it is not finite.
"""

import ast
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from flint import arb, fmpq

from .analytic import sharpness
from .expression import GUARDED, PLAIN, build
from .series import narrower

ONE, ZERO, NAN = arb(1), arb(0), arb("nan")
WIDE, PARTS = 2.0**-3, 32  # the radius from which a ball is cut, and into how many parts at most
Slope = Callable[[arb, arb, arb], tuple[arb, arb]]


def square(x: arb) -> arb:
    """Return the squares of the numbers in x, none of them below 0."""
    low, high = x.abs_lower(), x.abs_upper()
    return (low * low).union(high * high)


class Curve:
    """A function of t on a ball; other operands are constants."""

    __slots__ = ("bend", "slope", "value")

    def __init__(self, value: arb, slope: arb, bend: arb) -> None:
        self.value, self.slope, self.bend = value, slope, bend

    def __neg__(self) -> "Curve":
        """Return -f: value, slope and bend change their signs."""
        return Curve(-self.value, -self.slope, -self.bend)

    def __add__(self, other: Any) -> "Curve":
        """Return f + g, or f plus a constant."""
        if isinstance(other, Curve):
            return Curve(self.value + other.value, self.slope + other.slope, self.bend + other.bend)
        return Curve(self.value + other, self.slope, self.bend)

    def __radd__(self, other: arb) -> "Curve":
        """Return a constant plus f."""
        return Curve(other + self.value, self.slope, self.bend)

    def __sub__(self, other: Any) -> "Curve":
        """Return f - g, or f less a constant."""
        found: Curve = self + -other
        return found

    def __rsub__(self, other: arb) -> "Curve":
        """Return a constant less f; the slope and the bend are those of -f."""
        return Curve(other - self.value, -self.slope, -self.bend)

    def __mul__(self, other: Any) -> "Curve":
        """Return a product: f(s) g(s) - f(t) g(t) = f(s) (g(s) - g(t)) + (f(s) - f(t)) g(t)."""
        if not isinstance(other, Curve):
            return Curve(self.value * other, self.slope * other, self.bend * other)
        bend = self.value * other.bend + 2 * self.slope * other.slope + self.bend * other.value
        return Curve(self.value * other.value, self.value * other.slope + self.slope * other.value, bend)

    def __rmul__(self, other: arb) -> "Curve":
        """Return a constant times f."""
        return Curve(other * self.value, other * self.slope, other * self.bend)

    def __truediv__(self, other: Any) -> "Curve":
        """Return f / g, or f divided by a constant."""
        if isinstance(other, Curve):
            return self * reciprocal(other)
        return Curve(self.value / other, self.slope / other, self.bend / other)

    def __rtruediv__(self, other: arb) -> "Curve":
        """Return a constant divided by f."""
        found = reciprocal(self)
        return Curve(other * found.value, other * found.slope, other * found.bend)


def reciprocal(x: Curve) -> Curve:
    """Return 1 / f: 1 / f(s) - 1 / f(t) = -(f(s) - f(t)) / (f(s) f(t)); not finite where f may be 0."""
    value = 1 / x.value
    rate = -square(value)
    return composed(x, value, rate, -2 * rate * value)


def composed(x: Curve, value: arb, slope: arb, bend: arb) -> Curve:
    """Return g(f), from g, g', g'' on the values of f, by the mean value theorem and the chain rule."""
    return Curve(value, slope * x.slope, bend * square(x.slope) + slope * x.bend)


# of each function its first and second derivative, from the argument and the value
Derivatives = tuple[Callable[[arb, arb], arb], Callable[[arb, arb], arb]]
DERIVATIVES: dict[str, Derivatives] = {
    "exp": (lambda x, v: v, lambda x, v: v),
    "expm1": (lambda x, v: 1 + v, lambda x, v: 1 + v),
    "log": (lambda x, v: 1 / x, lambda x, v: -1 / square(x)),
    "log1p": (lambda x, v: 1 / (1 + x), lambda x, v: -1 / square(1 + x)),
    "sqrt": (lambda x, v: 1 / (2 * v), lambda x, v: -1 / (4 * v * x)),
    "tanh": (lambda x, v: 1 - square(v), lambda x, v: -2 * v * (1 - square(v))),
    "sin": (lambda x, v: x.cos(), lambda x, v: -v),
    "cos": (lambda x, v: -x.sin(), lambda x, v: -v),
    "sinh": (lambda x, v: GUARDED["cosh"](x), lambda x, v: v),
    "cosh": (lambda x, v: GUARDED["sinh"](x), lambda x, v: v),
    "atan": (lambda x, v: 1 / (1 + square(x)), lambda x, v: -2 * x / square(1 + square(x))),
    "erf": (lambda x, v: bell(x), lambda x, v: -2 * x * bell(x)),
}
DERIVATIVES["erf + 1"] = DERIVATIVES["erf"]


def bell(x: arb) -> arb:
    """Return the derivative of erf, 2 exp(-x^2) / sqrt(pi)."""
    found: arb = 2 * GUARDED["exp"](-square(x)) / arb.pi().sqrt()
    return found


def curved(name: str, x: Any) -> Any:
    """Return a smooth function of a curve, or of a constant."""
    if isinstance(x, arb):
        return GUARDED[name](x)
    value = GUARDED[name](x.value)
    first, second = (derivative(x.value, value) for derivative in DERIVATIVES[name])
    return composed(x, value, first, second)


def power_curve(exponent: fmpq, x: Any) -> Any:
    """Return x ** exponent for a curve or a ball x, with slope and bend."""
    if isinstance(x, arb):
        return GUARDED["power"](exponent)(x)
    found, factor = [], arb(1)
    for k in range(3):
        found.append(factor * GUARDED["power"](exponent - k)(x.value) if factor != 0 else ZERO * x.value)
        factor *= arb(exponent - k)
    return composed(x, *found)


def largest_curve(*parts: Any) -> Any:
    """Return max(f_1, .., f_k) on a ball, with slope and bend.

    Guarantee: if f_j is the largest at t and f_i at s, then f_j(s) - f_j(t) <= max(s) - max(t) <= f_i(s) - f_i(t): for
    s > t so are the quotients, for s < t the other way round. What is nowhere the largest is left out. Where one is the
    largest everywhere, the bend is its own.
    """
    if all(isinstance(part, arb) for part in parts):
        return reduce(arb.max, parts)
    curves = [part if isinstance(part, Curve) else Curve(part, ZERO, ZERO) for part in parts]
    top = reduce(arb.max, (part.value for part in curves))
    able = [part for part in curves if not part.value < top]
    return able[0] if len(able) == 1 else Curve(top, reduce(arb.union, (part.slope for part in able)), NAN)


CURVES: dict[str, Any] = {name: partial(curved, name) for name in DERIVATIVES}
CURVES |= {"number": arb, "power": lambda exponent: partial(power_curve, exponent), "pi": arb.pi, "E": arb.const_e}
CURVES |= {"Max": largest_curve, "Min": lambda *parts: -largest_curve(*(-part for part in parts))}
CURVES["Abs"] = lambda part: largest_curve(part, -part)
# increasing activations whose slope follows from the value
BY_VALUE: dict[str, Callable[[arb], arb]] = {"tanh(t)": lambda v: 1 - square(v)}
BY_VALUE |= dict.fromkeys(("1 / (exp(-t) + 1)", "1 / (1 + exp(-t))"), lambda v: (1 - square(2 * v - 1)) / 4)
# activations defined on R whose slope is monotone but at these numbers, at which their bends change their signs:
# 2 - t^2 times a bell for GELU, (2 - t tanh(t/2)) times a bell for SiLU, -3t / (t^2 + 1)^(5/2); ELU's slope increases
TURNS: dict[str, tuple[arb, ...]] = {
    "t * (erf(sqrt(2) * t / 2) + 1) / 2": (arb(1.4142135623730951, 2.0**-40), arb(-1.4142135623730951, 2.0**-40)),
    "t / sqrt(t ** 2 + 1)": (ZERO,),
    "exp(Min(0, t)) + Max(0, t) - 1": (),
}
SILU = arb(2.3993572805154, 2.0**-40)  # contains the zero of 2 - t tanh(t/2), which has one for t > 0
TURNS |= dict.fromkeys(("t / (1 + exp(-t))", "t / (exp(-t) + 1)"), (SILU, -SILU))


def slope_of(tree: ast.expr) -> Slope:
    """Return a function of a ball x, a number c in it and sigma(c): values of sigma, and quotients from c to other s.

    Guarantee: if both are finite, then the activation is defined, and Lipschitz, on all of the ball. With the bend, a
    quotient is sigma'(c) + sigma''(r) (s - c) / 2 with r between, by Taylor's theorem; where the slope is monotone
    between known numbers, it is between the slopes at these, and at the ends of x.
    """
    text = ast.unparse(tree)
    if text in BY_VALUE:
        return slope_by_value(build(tree, PLAIN), BY_VALUE[text])
    function = build(tree, CURVES)
    turns = () if sharpness(text) > 0 else TURNS.get(text)  # the slope of a softplus increases

    def found(x: arb) -> Curve:
        try:
            curve = function(Curve(x, ONE, ZERO))
        except (ValueError, ArithmeticError):  # a quotient that is not defined
            return Curve(NAN, NAN, NAN)
        return curve if isinstance(curve, Curve) else Curve(curve, ZERO, ZERO)

    def slope_between_turns(x: arb, c: arb, at: arb) -> tuple[arb, arb]:
        places = [x.lower(), x.upper(), *(turn for turn in turns or () if x.overlaps(turn))]
        quotients = reduce(arb.union, (found(place).slope for place in places))
        return at + quotients * (x - c), quotients

    def slope(x: arb, c: arb, at: arb) -> tuple[arb, arb]:
        curve = found(x)
        if curve.slope.is_exact() or not curve.bend.is_finite():
            return curve.value, curve.slope
        quotients = narrower(curve.slope, found(c).slope + curve.bend * (x - c) / 2)
        if x.rad() > WIDE:
            quotients = narrower(quotients, reduce(arb.union, map(centred, parts_of(x))))
        return curve.value, quotients

    def centred(part: arb) -> arb:
        curve, middle = found(part), part.mid()
        return narrower(curve.slope, found(middle).slope + curve.bend * (part - middle))

    return slope if turns is None else slope_between_turns


def parts_of(x: arb) -> list[arb]:
    """Return balls that cover a ball: PARTS at most, of the radius WIDE where so many are enough."""
    low, high, count = x.lower(), x.upper(), min(PARTS, 1 + int(float(x.rad()) / WIDE))
    ends = [low, *((low + (high - low) * k / count).mid() for k in range(1, count)), high]
    return list(map(arb.union, ends, ends[1:]))


def slope_by_value(rising: Callable[[arb], arb], slope: Callable[[arb], arb]) -> Slope:
    """Return what `slope_of` does, for an increasing function whose slope is a function of its value."""

    def found(x: arb, c: arb, at: arb) -> tuple[arb, arb]:
        value = rising(x.lower()).union(rising(x.upper()))
        return value, slope(value)

    return found
