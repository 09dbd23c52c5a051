"""Activations of pairs of binary64 numbers: the expression's tree over pairs, and one proved error bound per range.

The functions and the error analysis are those of `verifier.balls.binary64.activation`, with the errors of pairs. What
has no version of its own there raises `Unsupported`, so that Arb takes over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

from verifier.balls.binary64.activation import KernelBounds, kernel_bounds, power
from verifier.balls.binary64.bounds import TINY
from verifier.balls.binary64.float_functions import PAIRS, Unsupported
from verifier.balls.double_double import elementary, pair
from verifier.balls.double_double.pair import Pair
from verifier.sigma.activations import Activation
from verifier.sigma.tree import Ops, evaluate, tree_of

_PI = Pair(math.pi, float.fromhex("0x1.1a62633145c07p-53"))
_E = Pair(math.e, float.fromhex("0x1.4d57ee2b1013ap-53"))


class _PairOps(Ops[Pair]):
    """The operations of an activation's tree on pairs of one-dimensional arrays; a constant is a pair of numbers.

    Guarantee: each is within the errors of `float_functions.PAIRS`.
    """

    def __init__(self, xp: Any, t: Pair) -> None:
        super().__init__(t)
        self.xp = xp

    def const(self, p: int, q: int) -> Pair:
        value = p / q
        return Pair(value, float(Fraction(p, q) - Fraction(value)))

    def pi(self) -> Pair:
        return _PI

    def e(self) -> Pair:
        return _E

    def add(self, *terms: Pair) -> Pair:
        return reduce(_sum, terms)

    def mul(self, *factors: Pair) -> Pair:
        return reduce(_product, factors)

    def div(self, numerator: Pair, denominator: Pair) -> Pair:
        return pair.divide(self.array(numerator), self.array(denominator))

    def pow_int(self, base: Pair, n: int) -> Pair:
        result: Pair = power(base, n, _product)
        return result

    def pow_rational(self, base: Pair, p: int, q: int) -> Pair:
        raise Unsupported(f"the power {p}/{q}")

    def call(self, name: str, *args: Pair) -> Pair:
        if name in ("max", "min"):
            return reduce(lambda x, y: elementary.maximum(self.xp, x, y, least=name == "min"), map(self.whole, args))
        found: Pair = PAIRS.kernel(name).values(self.xp, *map(self.array, args))
        return found

    def array(self, value: Pair) -> Pair:
        """Make a constant an array of one entry, which serves wherever one of the argument's shape does."""
        if isinstance(value.hi, float):
            return Pair(*(self.xp.full((1,), part, dtype=self.xp.float64) for part in value))
        return value

    def whole(self, value: Pair) -> Pair:
        """Spread a constant, or what was computed of constants, over the argument's shape."""
        shape = self.argument.hi.shape
        return Pair(*(self.xp.broadcast_to(part, shape) for part in self.array(value)))


def _sum(x: Pair, y: Pair) -> Pair:
    for one, other in ((x, y), (y, x)):
        if isinstance(one.lo, float) and one.lo == 0.0:
            return pair.add_float(other, one.hi)
    return pair.add(x, y)


def _product(x: Pair, y: Pair) -> Pair:
    for one, other in ((x, y), (y, x)):
        if isinstance(one.lo, float) and one.lo == 0.0:
            if abs(math.frexp(one.hi)[0]) == 0.5:
                return Pair(other.hi * one.hi, other.lo * one.hi)
            return pair.times_float(other, one.hi)
    return pair.multiply(x, y)


def pair_kernel(activation: Activation, xp: Any) -> Callable[[Pair], Pair]:
    """Make the activation's kernel over pairs of one-dimensional arrays; `pair_bounds` says how good it is.

    Parameters
    ----------
    activation : Activation
        What to evaluate.
    xp : module
        The array library, NumPy or CuPy.

    Returns
    -------
    callable
        Maps a pair to the computed values, a pair with ``hi = fl(hi + lo)``. Its numbers are 0 or at least 2^-1013 in
        magnitude: adding and subtracting 2^-960 removes what is smaller. It is meant for chunks that fit the cache.

    Raises
    ------
    Unsupported
        When it is applied, if the expression needs a function that this engine does not have.

    Examples
    --------
    >>> import array_api_compat.numpy as xp
    >>> from verifier import activation
    >>> from verifier.balls.double_double.pair import Pair
    >>> value = pair_kernel(activation("tanh"), xp)(Pair(xp.asarray([1.0]), xp.asarray([2.0**-60])))
    >>> float(value.hi[0])
    0.7615941559557649
    """
    tree = tree_of(activation.expression)

    def kernel(t: Pair) -> Pair:
        ops = _PairOps(xp, t)
        value = ops.whole(evaluate(tree, ops))
        return pair.fast_two_sum((value.hi + TINY) - TINY, (value.lo + TINY) - TINY)

    return kernel


def pair_bounds(activation: Activation, low: float, high: float) -> KernelBounds:
    """Bound an activation's slope and the error of its `pair_kernel` for arguments in an interval.

    Parameters
    ----------
    activation : Activation
        The activation.
    low, high : float
        The ends of the interval.

    Returns
    -------
    KernelBounds
        Guarantee: ``|sigma(x) - sigma(y)| <= lipschitz |x - y|`` for x, y in the interval, and for every pair t in it
        the kernel's value is within ``error`` of ``sigma(t)``.

    Raises
    ------
    Unsupported
        If there is no finite bound, or a function is missing.
    """
    return kernel_bounds(activation, low, high, PAIRS)
