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
from verifier.balls.binary64.bounds import TINY
from verifier.balls.binary64.float_functions import BINARY64, Arithmetic, Array, Image, Unsupported
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision
from verifier.sigma.activations import Activation
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.tree import Ops, evaluate, tree_of

MAX_POWER = 64
"""A larger power is left to Arb: each product adds a rounding to the error."""
BITS = 64
"""Of the error analysis, whose bounds hold at any precision."""
_TINY = arb(TINY)


class _ErrorOps(Ops[Image]):
    """Error analysis on a piece. Guarantee: each rule bounds ``|computed - exact|`` for all arguments in the piece."""

    def __init__(self, argument: Image, arithmetic: Arithmetic = BINARY64) -> None:
        super().__init__(argument)
        self.arithmetic = arithmetic

    def const(self, p: int, q: int) -> Image:
        value = arb(fmpq(p, q))
        if not (value.abs_upper() < arb(2) ** 900 and (p == 0 or value.abs_lower() > arb(2) ** -900)):
            raise Unsupported("a constant outside binary64's range")
        exact = q & (q - 1) == 0 and abs(p) < 2**53
        return Image(value, arb(0) if exact else self.arithmetic.constant * value.abs_upper() + _TINY)

    def pi(self) -> Image:
        return Image(arb.pi(), self.arithmetic.constant * 4)

    def e(self) -> Image:
        return Image(arb.const_e(), self.arithmetic.constant * 4)

    def add(self, *terms: Image) -> Image:
        relative = self.arithmetic.add
        return reduce(lambda a, b: self.arithmetic.rounded(a.ball + b.ball, a.error + b.error, relative), terms)

    def mul(self, *factors: Image) -> Image:
        return reduce(self._product, factors)

    def div(self, numerator: Image, denominator: Image) -> Image:
        least = denominator.ball.abs_lower() - denominator.error
        if not least > 0:
            raise Unsupported("a denominator may vanish")
        ball = numerator.ball / denominator.ball
        # |a'/b' - a/b| <= (|a' - a| + |a/b| |b' - b|) / |b'|, and so is what underflows in the quotient times b'
        moved = (numerator.error + ball.abs_upper() * denominator.error + _TINY) / least
        return self.arithmetic.rounded(ball, moved, self.arithmetic.divide)

    def pow_int(self, base: Image, n: int) -> Image:
        result = power(base, n, self._product)
        return Image(integer_power(base.ball, n), result.error)

    def pow_rational(self, base: Image, p: int, q: int) -> Image:
        raise Unsupported(f"the power {p}/{q}")

    def call(self, name: str, *args: Image) -> Image:
        if name in ("max", "min"):
            pick = FUNCTIONS[name].arb
            return reduce(lambda a, b: Image(pick(a.ball, b.ball), a.error.max(b.error)), args)
        (argument,) = args
        return self.arithmetic.image(name, argument)

    def _product(self, a: Image, b: Image) -> Image:
        error = a.size * b.error + b.size * a.error + a.error * b.error
        return self.arithmetic.rounded(a.ball * b.ball, error, self.arithmetic.multiply)


def power(base: Any, n: int, times: Callable[[Any, Any], Any]) -> Any:
    """``base^n`` by one fixed sequence of products, the same for values and for errors.

    Raises
    ------
    Unsupported
        The power is below 1 or above `MAX_POWER`.
    """
    if not 1 <= n <= MAX_POWER:
        raise Unsupported(f"the power {n}")
    result = base
    for digit in bin(n)[3:]:
        result = times(result, result)
        if digit == "1":
            result = times(result, base)
    return result


class _ArrayOps(Ops[Any]):
    """The operations of an activation's tree on one-dimensional arrays."""

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
        return power(base, n, operator.mul)

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        raise Unsupported(f"the power {p}/{q}")

    def call(self, name: str, *args: Any) -> Any:
        values = [self.array(value) for value in args]
        if name in ("max", "min"):
            return reduce(self.xp.maximum if name == "max" else self.xp.minimum, values)
        return BINARY64.kernel(name).values(self.xp, *values)

    def array(self, value: Any) -> Array:
        """Spread a constant over the argument's shape."""
        if isinstance(value, float | int):
            return self.xp.full(self.argument.shape, float(value), dtype=self.xp.float64)
        return value


def array_kernel(activation: Activation, xp: Any) -> Callable[[Array], Array]:
    """Make the activation's kernel over one-dimensional float64 arrays; `kernel_bounds` says how good it is.

    Parameters
    ----------
    activation : Activation
        What to evaluate.
    xp : module
        The array library, NumPy or CuPy.

    Returns
    -------
    callable
        Maps an array to the computed values. Entries are 0 or at least 2^-1013 in magnitude: adding and subtracting
        2^-960 removes what is smaller.

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


def kernel_bounds(activation: Activation, low: float, high: float, arithmetic: Arithmetic = BINARY64) -> KernelBounds:
    """Bound an activation's slope and its kernel's error for arguments in an interval.

    Parameters
    ----------
    activation : Activation
        The activation.
    low, high : float
        The ends of the interval.
    arithmetic : Arithmetic, optional
        That of the kernel: `array_kernel`'s, or `PAIRS` for that of `double_double.activation`.

    Returns
    -------
    KernelBounds
        Guarantee: ``|sigma(x) - sigma(y)| <= lipschitz |x - y|`` for x, y in the interval, and for every number t of
        the arithmetic in it the kernel's value is within ``error`` of ``sigma(t)``. The interval is first widened to
        short numbers, so that results can be kept.

    Raises
    ------
    Unsupported
        If there is no finite bound, or a function is missing.
    """
    if not (-1e300 < low <= high < 1e300 and arb(2.0 * max(-low, high)) < arithmetic.largest):
        raise Unsupported("arguments overflow")
    return _bounds(activation, _outward(low, -1), _outward(high, 1), arithmetic)


def _outward(value: float, direction: int) -> float:
    """A number with a 4-bit mantissa beyond ``value``; never closer to it."""
    if value == 0.0:
        return direction * 2.0**-20
    mantissa, exponent = math.frexp(value)
    return math.ldexp((math.floor(mantissa * 16.0) if direction < 0 else math.ceil(mantissa * 16.0)), exponent - 4)


@lru_cache(maxsize=1024)
def _bounds(activation: Activation, low: float, high: float, arithmetic: Arithmetic) -> KernelBounds:
    pieces = _pieces(low, high)
    with working_precision(BITS):
        error = max(_error_on(activation, a, b, arithmetic) for a, b in pieces)
        return KernelBounds(_lipschitz_constant(activation, pieces), error)


@lru_cache(maxsize=1 << 14)
def _error_on(activation: Activation, a: float, b: float, arithmetic: Arithmetic) -> float:
    """Upper bound of the kernel's error on one piece."""
    argument = Image(arb(a).union(arb(b)), arb(0))
    found = evaluate(tree_of(activation.expression), _ErrorOps(argument, arithmetic)).error + 4 * _TINY
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
