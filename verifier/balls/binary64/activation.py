"""Activations in binary64 with one proved error bound per range of arguments.

The activation's expression tree is folded three times: over arrays (the value, plain binary64), over balls with an
error bound (how far the value can be from the truth, for arguments in an interval: a static analysis whose cost does
not depend on the number of units), and its derivative over balls (a Lipschitz constant). Intervals are cut into pieces,
at most 1 wide near 0 and geometric far out, so that the bounds do not suffer from dependencies.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

from flint import arb, fmpq

from verifier.balls.activation import integer_power, tree_kernel
from verifier.balls.binary64 import elementary
from verifier.balls.binary64.bounds import TINY, U
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision
from verifier.sigma.activations import Activation
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.tree import Ops, evaluate, tree_of

Array = Any
MAX_POWER = 64
BITS = 64
_U = arb(U)
_TINY = arb(TINY)
_LARGEST = arb(2) ** 1023
"""Intermediate results must stay below: an overflow in binary64 is not a relative error."""


class Unsupported(Exception):
    """The expression needs a function that this engine has no proved version of."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is known of a node on one piece: a ball around the exact values, and how far the computed ones may be."""

    ball: arb
    error: arb

    @property
    def size(self) -> arb:
        """Upper bound of the exact values' magnitude."""
        return self.ball.abs_upper()


def _rounded(ball: arb, error: arb) -> Image:
    """One rounding on top of an error: ``e + u (|x| + e)``, and an allowance for underflow."""
    if not ball.abs_upper() + error < _LARGEST:
        raise Unsupported("an intermediate result may overflow")
    return Image(ball, (error + _U * (ball.abs_upper() + error) + _TINY).upper())


class _ErrorOps(Ops[Image]):
    """Error analysis on one piece. Guarantee: each rule bounds |computed - exact| for all arguments in the piece."""

    def const(self, p: int, q: int) -> Image:
        value = arb(fmpq(p, q))
        if not (value.abs_upper() < arb(2) ** 1000 and (p == 0 or value.abs_lower() > arb(2) ** -1000)):
            raise Unsupported("a constant outside binary64's range")
        exact = q & (q - 1) == 0 and abs(p) < 2**53 and q < 2**1000
        return Image(value, arb(0) if exact else _U * value.abs_upper() + _TINY)

    def pi(self) -> Image:
        return Image(arb.pi(), _U * 4)

    def e(self) -> Image:
        return Image(arb.const_e(), _U * 4)

    def add(self, *terms: Image) -> Image:
        return reduce(lambda a, b: _rounded(a.ball + b.ball, a.error + b.error), terms)

    def mul(self, *factors: Image) -> Image:
        return reduce(_product, factors)

    def div(self, numerator: Image, denominator: Image) -> Image:
        least = denominator.ball.abs_lower() - denominator.error
        if not least > 0:
            raise Unsupported("a denominator may vanish")
        ball = numerator.ball / denominator.ball
        # |a'/b' - a/b| <= (|a' - a| + |a/b| |b' - b|) / |b'|
        return _rounded(ball, (numerator.error + ball.abs_upper() * denominator.error) / least)

    def pow_int(self, base: Image, n: int) -> Image:
        result = _power(base, n, _product)
        return Image(integer_power(base.ball, n), result.error)

    def pow_rational(self, base: Image, p: int, q: int) -> Image:
        raise Unsupported(f"the power {p}/{q}")

    def call(self, name: str, *args: Image) -> Image:
        if name in ("max", "min"):
            pick = FUNCTIONS[name].arb
            return reduce(lambda a, b: Image(pick(a.ball, b.ball), a.error.max(b.error)), args)
        if name not in FLOAT_FUNCTIONS:
            raise Unsupported(name)
        return FLOAT_FUNCTIONS[name].error(*args)


def _product(a: Image, b: Image) -> Image:
    ball = a.ball * b.ball
    return _rounded(ball, a.size * b.error + b.size * a.error + a.error * b.error)


def _power(base: Any, n: int, times: Callable[[Any, Any], Any]) -> Any:
    """``base^n`` by one fixed sequence of products, the same for values and for errors."""
    if not 1 <= n <= MAX_POWER:
        raise Unsupported(f"the power {n}")
    result = base
    for digit in bin(n)[3:]:
        result = times(result, result)
        if digit == "1":
            result = times(result, base)
    return result


def _exp(x: Image) -> Image:
    top = x.ball.upper() + x.error
    if not top <= elementary.EXP_HIGH:
        raise Unsupported("exp overflows")
    moved = top.exp() * x.error.expm1()
    return Image(x.ball.exp(), (moved + top.exp() * elementary.EXP_ULPS * _U + elementary.EXP_FLUSHED).upper())


def _expm1(x: Image) -> Image:
    return _rounded(x.ball.expm1(), _exp(x).error)


def _sqrt(x: Image) -> Image:
    if not x.ball.upper() >= 0:
        raise Unsupported("the root of a negative number")
    low = x.ball.lower().max(arb(0))
    change = x.error.sqrt()
    if low > 0:
        change = change.min(x.error / low.sqrt())
    return _rounded(low.sqrt().union(x.ball.upper().sqrt()), change)


def _log(x: Image) -> Image:
    low = x.ball.lower() - x.error
    if not (low > arb(2) ** -1000 and x.size + x.error < arb(2) ** 1000):
        raise Unsupported("a logarithm near 0 or infinity")
    ball = x.ball.log()
    size = ball.abs_upper() + x.error / low
    return Image(ball, (x.error / low + arb(fmpq(103, 100)) * elementary.LOG_CHECK * (1 + size) + 4 * _U).upper())


def _log1p(x: Image) -> Image:
    return _log(_rounded(x.ball + 1, x.error))


def _lipschitz(name: str, own: Callable[[Image], arb], slope: float = 1.0) -> Callable[[Image], Image]:
    """An increasing function with Lipschitz constant ``slope`` and a computed version that is off by ``own``."""
    function = FUNCTIONS[name].arb

    def rule(x: Image) -> Image:
        ball = function(x.ball.lower()).union(function(x.ball.upper()))
        return Image(ball, (slope * x.error + own(x) + _TINY).upper())

    return rule


def _trigonometric(function: Callable[[arb], arb]) -> Callable[[Image], Image]:
    def rule(x: Image) -> Image:
        if not x.size + x.error < elementary.TRIGONOMETRIC_LIMIT:
            raise Unsupported("a trigonometric function of a large argument")
        return Image(function(x.ball), (x.error + elementary.sin_error() + _TINY).upper())

    return rule


def _erf(x: Image) -> Image:
    ball = x.ball.lower().erf().union(x.ball.upper().erf())
    return Image(ball, (arb(fmpq(1129, 1000)) * x.error + elementary.erf_error() + _TINY).upper())


def _erfc(x: Image) -> Image:
    inner = _erf(x)
    return Image(x.ball.lower().erfc().union(x.ball.upper().erfc()), _rounded(1 - inner.ball, inner.error).error)


@dataclass(frozen=True, slots=True)
class FloatFunction:
    """A function in binary64 and the proof of how good it is.

    Parameters
    ----------
    array : callable
        Maps an array namespace and a one-dimensional float64 array to the computed values.
    error : callable
        Guarantee: maps what is known of the argument to what is known of these values.
    """

    array: Callable[[Any, Array], Array]
    error: Callable[[Image], Image]


def _hyperbolic(even: bool) -> FloatFunction:
    def kernel(xp: Any, x: Array) -> Array:
        plus, minus = elementary.exp(xp, x), elementary.exp(xp, -x)
        return (plus + minus if even else plus - minus) * 0.5

    def rule(x: Image) -> Image:
        plus, minus = _exp(x), _exp(Image(-x.ball, x.error))
        inner = _rounded(plus.ball + minus.ball, plus.error + minus.error)
        return Image(x.ball.cosh() if even else x.ball.sinh(), inner.error / 2 + _TINY)

    return FloatFunction(kernel, rule)


FLOAT_FUNCTIONS: dict[str, FloatFunction] = {
    "exp": FloatFunction(elementary.exp, _exp),
    "expm1": FloatFunction(lambda xp, x: elementary.exp(xp, x) - 1.0, _expm1),
    "sinh": _hyperbolic(even=False),
    "cosh": _hyperbolic(even=True),
    "sqrt": FloatFunction(lambda xp, x: xp.sqrt(xp.maximum(x, xp.asarray(0.0, dtype=xp.float64))), _sqrt),
    "log": FloatFunction(elementary.log, _log),
    "log1p": FloatFunction(lambda xp, x: elementary.log(xp, x + 1.0), _log1p),
    "tanh": FloatFunction(elementary.tanh, _lipschitz("tanh", lambda x: arb(elementary.TANH_ULPS) * _U)),
    "sigmoid": FloatFunction(
        elementary.sigmoid, _lipschitz("sigmoid", lambda x: arb(elementary.SIGMOID_ULPS) * _U, 0.25)
    ),
    "softplus": FloatFunction(
        elementary.softplus,
        _lipschitz(
            "softplus",
            lambda x: arb(elementary.SOFTPLUS_ULPS) * _U * FUNCTIONS["softplus"].arb(x.ball.upper() + x.error),
        ),
    ),
    "atan": FloatFunction(elementary.arctan, _lipschitz("atan", lambda x: arb(elementary.arctan_error()))),
    "erf": FloatFunction(elementary.erf, _erf),
    "erfc": FloatFunction(lambda xp, x: 1.0 - elementary.erf(xp, x), _erfc),
    "sin": FloatFunction(elementary.sin, _trigonometric(arb.sin)),
    "cos": FloatFunction(lambda xp, x: elementary.sin(xp, x, 1), _trigonometric(arb.cos)),
    "abs": FloatFunction(lambda xp, x: xp.abs(x), lambda x: Image(abs(x.ball), x.error)),
}
"""The functions of `verifier.sigma.functions` that this engine has, but max and min, by name."""


class _ArrayOps(Ops[Any]):
    """The same tree over one-dimensional arrays."""

    def __init__(self, xp: Any, t: Array) -> None:
        super().__init__(t)
        self.xp = xp

    def const(self, p: int, q: int) -> Any:
        return p / q

    def pi(self) -> Any:
        return math.pi

    def e(self) -> Any:
        return math.e

    def pow_int(self, base: Any, n: int) -> Any:
        return _power(base, n, operator.mul)

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        raise Unsupported(f"the power {p}/{q}")

    def call(self, name: str, *args: Any) -> Any:
        values = [self.array(value) for value in args]
        if name in ("max", "min"):
            return reduce(self.xp.maximum if name == "max" else self.xp.minimum, values)
        return FLOAT_FUNCTIONS[name].array(self.xp, *values)

    def array(self, value: Any) -> Array:
        """Spread a constant over the argument's shape."""
        if isinstance(value, float | int):
            return self.xp.full(self.argument.shape, float(value), dtype=self.xp.float64)
        return value


def array_kernel(activation: Activation, xp: Any) -> Callable[[Array], Array]:
    """The activation over one-dimensional float64 arrays; `kernel_bounds` says how good it is.

    Entries of the result are 0 or at least 2^-1013 in magnitude: adding and subtracting 2^-960 removes what is smaller.

    Raises
    ------
    Unsupported
        When it is applied, if the expression needs a function that this engine does not have.
    """
    tree = tree_of(activation.expression)

    def kernel(t: Array) -> Array:
        ops = _ArrayOps(xp, t)
        value = ops.array(evaluate(tree, ops))
        return (value + TINY) - TINY

    return kernel


@dataclass(frozen=True, slots=True)
class KernelBounds:
    """Lipschitz constant of the activation on an interval, and the absolute error of its array kernel there."""

    lipschitz: float
    error: float


def kernel_bounds(activation: Activation, low: float, high: float) -> KernelBounds:
    """Bounds for arguments in [low, high].

    Returns
    -------
    KernelBounds
        Guarantee: ``|sigma(x) - sigma(y)| <= lipschitz |x - y|`` for x, y in the interval, and for every binary64
        number t in it the kernel's value is within ``error`` of ``sigma(t)``. The interval is first widened to short
        numbers, so that results can be kept.

    Raises
    ------
    Unsupported
        If there is no finite bound, or a function is missing.
    """
    if not -1e300 < low <= high < 1e300:
        raise Unsupported("arguments overflow")
    return _bounds(activation, _outward(low, -1), _outward(high, 1))


def _outward(value: float, direction: int) -> float:
    """A number with a 4-bit mantissa beyond ``value``; never closer to it."""
    if value == 0.0:
        return direction * 2.0**-20
    mantissa, exponent = math.frexp(value)
    return math.ldexp((math.floor(mantissa * 16.0) if direction < 0 else math.ceil(mantissa * 16.0)), exponent - 4)


@lru_cache(maxsize=1024)
def _bounds(activation: Activation, low: float, high: float) -> KernelBounds:
    pieces = _pieces(low, high)
    with working_precision(BITS):
        error = max(_error_on(activation, a, b) for a, b in pieces)
        return KernelBounds(_lipschitz_constant(activation, pieces), error)


@lru_cache(maxsize=1 << 14)
def _error_on(activation: Activation, a: float, b: float) -> float:
    """Upper bound of the kernel's error on one piece."""
    found = evaluate(tree_of(activation.expression), _ErrorOps(Image(arb(a).union(arb(b)), arb(0)))).error + 2 * _TINY
    if not found.is_finite():
        raise Unsupported("an error bound is not finite")
    return upper_float(found)


def _lipschitz_constant(activation: Activation, pieces: list[tuple[float, float]]) -> float:
    """Upper bound of ``|sigma'|`` over the pieces: the worst pieces are halved a while, to sharpen what they bound."""
    found = [(_steepest(activation, a, b), a, b) for a, b in pieces]
    for _ in range(2 * len(pieces) + 64):
        index = max(range(len(found)), key=lambda i: found[i][0])
        _, a, b = found[index]
        middle = 0.5 * (a + b)
        if not a < middle < b:
            break
        halves = [(_steepest(activation, a, middle), a, middle), (_steepest(activation, middle, b), middle, b)]
        if max(h[0] for h in halves) >= 0.98 * found[index][0] and math.isfinite(found[index][0]):
            break
        found[index] = halves[0]
        found.append(halves[1])
    worst = max(entry[0] for entry in found)
    if not math.isfinite(worst):
        raise Unsupported("no finite Lipschitz constant")
    return worst


@lru_cache(maxsize=1 << 14)
def _steepest(activation: Activation, a: float, b: float) -> float:
    value = tree_kernel(activation.derivative_tree)(arb(a).union(arb(b)))
    return upper_float(abs(value)) if value.is_finite() else math.inf


def _pieces(low: float, high: float) -> list[tuple[float, float]]:
    """Cut [low, high] at 0, at +-2^k, and at the integers up to 32."""
    cuts = {low, high}
    marks = [0.0] + [2.0**k for k in range(-3, 1)] + [float(k) for k in range(2, 33)] + [2.0**k for k in range(6, 998)]
    for mark in marks:
        for cut in (mark, -mark):
            if low < cut < high:
                cuts.add(cut)
    ordered = sorted(cuts)
    return list(pairwise(ordered)) if len(ordered) > 1 else [(low, high)]
