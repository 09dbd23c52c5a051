"""Taylor coefficients of an activation over balls, by truncated power series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from flint import arb, arb_series, ctx, fmpq

from verifier.errors import ExpressionError
from verifier.sigma.tree import Tree, evaluate


class HasTree(Protocol):
    """An activation, of which only the expression matters here."""

    @property
    def tree(self) -> Tree:
        """The expression."""


def taylor(activation: HasTree, coefficients: Sequence[arb]) -> list[arb]:
    """Taylor coefficients in s of ``sigma(c_0 + c_1 s + ...)``, as many as are given.

    Guarantee: they contain those of every choice of the coefficients within their balls, at the working precision, or
    are not finite.

    Raises
    ------
    ExpressionError
        If the activation has pieces (Max, Min, Abs).
    """
    length, before = len(coefficients), ctx.cap
    try:
        ctx.cap = length
        x = arb_series(list(coefficients), length)
        found = evaluate(activation.tree, _SeriesOps(x)) + 0 * x
        # a quotient of two series that begin with 0 is shorter: what is missing is not 0
        return [found[k] if found.prec >= length else arb("nan") for k in range(length)]
    finally:
        ctx.cap = before


def _tanh(x: arb_series) -> arb_series:
    # The exponential of a non-negative argument: no loss of relative accuracy.
    return -_tanh(-x) if x[0] < 0 else 1 - 2 / ((2 * x).exp() + 1)


_CALLS: dict[str, Callable[[arb_series], arb_series]] = {
    "exp": arb_series.exp,
    "log": arb_series.log,
    "sqrt": arb_series.sqrt,
    "sin": arb_series.sin,
    "cos": arb_series.cos,
    "atan": arb_series.atan,
    "erf": arb_series.erf,
    "erfc": arb_series.erfc,
    "tanh": _tanh,
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2,
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "log1p": lambda x: (1 + x).log(),
    "expm1": lambda x: x.exp() - 1,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: (1 + x.exp()).log(),
}


class _SeriesOps:
    """Operations on truncated power series (or balls, for constant parts)."""

    def __init__(self, x: arb_series) -> None:
        self.x = x

    def const(self, p: int, q: int) -> arb_series:
        return arb_series([arb(fmpq(p, q))])

    def pi(self) -> arb_series:
        return arb_series([arb.pi()])

    def e(self) -> arb_series:
        return arb_series([arb.const_e()])

    def var(self) -> arb_series:
        return self.x

    def add(self, *terms: arb_series) -> arb_series:
        return sum(terms[1:], terms[0])

    def mul(self, *factors: arb_series) -> arb_series:
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def div(self, numerator: arb_series, denominator: arb_series) -> arb_series:
        return numerator / denominator

    def pow_int(self, base: arb_series, n: int) -> arb_series:
        return base**n

    def pow_rational(self, base: arb_series, p: int, q: int) -> arb_series:
        return (base.log() * arb(fmpq(p, q))).exp()

    def call(self, name: str, *args: arb_series) -> arb_series:
        if name not in _CALLS:
            raise ExpressionError(f"function {name!r} has no Taylor series everywhere; use an analytic activation")
        return _CALLS[name](args[0])
