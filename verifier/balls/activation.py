"""Arb kernels of activations: the activation's one expression, walked over ball operations.

Wide balls make Arb's elementary functions useless (``arb(0, 2).tanh()`` is ``+-52.7``), so a monotone function of a
wide ball is evaluated at the two exact endpoints, and so is a whole activation that is proved to be increasing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from flint import arb, ctx, fmpq

from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.tree import Ops, Tree, evaluate, tree_of

Kernel = Callable[[arb], arb]

NARROW_BITS = 24
"""A ball with radius below ``2^-24 max(1, |midpoint|)`` is narrow: its image is computed directly."""


def is_wide(z: arb) -> bool:
    """Whether a ball's relative-or-absolute width calls for evaluation at the endpoints."""
    return bool(z.rel_one_accuracy_bits() < NARROW_BITS)


def at_endpoints(function: Kernel) -> Kernel:
    """Evaluate a non-decreasing function of a wide ball at its endpoints.

    Parameters
    ----------
    function : callable
        Maps a ball to a ball that contains a non-decreasing real function's values on it.

    Returns
    -------
    callable
        Guarantee: encloses the same function, and on a wide ball its image is the exact range up to rounding.
    """

    def wrapped(z: arb) -> arb:
        if z.rel_one_accuracy_bits() < NARROW_BITS and z.is_finite():
            return function(z.lower()).union(function(z.upper()))
        return function(z)

    return wrapped


def integer_power(z: arb, n: int) -> arb:
    """Enclose the n-th power of every number in a ball.

    Parameters
    ----------
    z : arb
        Any ball.
    n : int
        At least 1.

    Returns
    -------
    arb
        Guarantee: contains ``x**n`` for every x in z. (Arb's own power of a ball around exactly 0 is not finite.)
    """
    if z.is_exact() or not z.is_finite() or not z.mid().is_zero():
        return z**n
    low, high = z.lower() ** n, z.upper() ** n
    return low.union(high) if n % 2 else arb(0).union(high)


class _ArbOps(Ops[Kernel]):
    """Ball operations; every value is a function of the activation's argument.

    ``guard`` wraps a monotone function: by `at_endpoints`, or not at all where the arguments are known to be narrow.
    """

    def __init__(self, guard: Callable[[Kernel], Kernel]) -> None:
        super().__init__(_identity)
        self.guard = guard

    def const(self, p: int, q: int) -> Kernel:
        value = arb(fmpq(p, q))
        return lambda t: value

    def pi(self) -> Kernel:
        value = arb.pi()
        return lambda t: value

    def e(self) -> Kernel:
        value = arb.const_e()
        return lambda t: value

    def add(self, *terms: Kernel) -> Kernel:
        first, rest = terms[0], terms[1:]

        def total(t: arb) -> arb:
            value = first(t)
            for term in rest:
                value = value + term(t)
            return value

        return total

    def mul(self, *factors: Kernel) -> Kernel:
        first, rest = factors[0], factors[1:]

        def product(t: arb) -> arb:
            value = first(t)
            for factor in rest:
                value = value * factor(t)
            return value

        return product

    def div(self, numerator: Kernel, denominator: Kernel) -> Kernel:
        return lambda t: numerator(t) / denominator(t)

    def pow_int(self, base: Kernel, n: int) -> Kernel:
        return lambda t: integer_power(base(t), n)

    def pow_rational(self, base: Kernel, p: int, q: int) -> Kernel:
        return lambda t: base(t) ** arb(fmpq(p, q))

    def call(self, name: str, *args: Kernel) -> Kernel:
        if name not in FUNCTIONS:
            raise ExpressionError(
                f"function {name!r} has no ball arithmetic; use one of {', '.join(sorted(FUNCTIONS))}"
            )
        function = FUNCTIONS[name]
        if name in ("max", "min"):

            def extreme(t: arb) -> arb:
                value = args[0](t)
                for argument in args[1:]:
                    value = function.arb(value, argument(t))
                return value

            return extreme
        (argument,) = args
        if function.direction < 0:
            mirrored = self.guard(lambda z: function.arb(-z))
            return lambda t: mirrored(-argument(t))
        return _compose(self.guard(function.arb) if function.direction else function.arb, argument)


def _unguarded(function: Kernel) -> Kernel:
    return function


def _identity(t: arb) -> arb:
    return t


def _compose(outer: Kernel, inner: Kernel) -> Kernel:
    return outer if inner is _identity else lambda t: outer(inner(t))


def arb_kernel(activation: Activation, *, narrow: bool = False) -> Kernel:
    """Make the ball version of an activation at the current working precision.

    Parameters
    ----------
    activation
        The activation.
    narrow
        Leave out the tests for wide balls: faster, just as rigorous, useless for wide balls.

    Returns
    -------
    callable
        Guarantee: for a ball z the result contains ``sigma(x)`` for every real x in z (it may be a ball that is not
        finite, which decides nothing). Unless ``narrow``, increasing activations are evaluated at the endpoints of
        wide balls.
    """
    increasing = activation.facts.strictly_increasing.holds
    return _compiled(tree_of(activation.expression), increasing and not narrow, narrow, ctx.prec)


def tree_kernel(tree: Tree) -> Kernel:
    """Make the ball version of any expression tree, for instance a derivative's, at the current working precision.

    Parameters
    ----------
    tree : Tree
        The expression.

    Returns
    -------
    callable
        Guarantee: the image of a ball contains the expression's value at every real point of it, or is not finite.

    Raises
    ------
    ExpressionError
        The tree has a function that is not in `verifier.sigma.functions`.
    """
    return _compiled(tree, False, False, ctx.prec)


@lru_cache(maxsize=256)
def _compiled(tree: Tree, increasing: bool, narrow: bool, precision: int) -> Kernel:
    kernel = evaluate(tree, _ArbOps(_unguarded if narrow else at_endpoints))
    return at_endpoints(kernel) if increasing else kernel
