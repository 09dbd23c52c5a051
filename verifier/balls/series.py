"""Taylor coefficients of an activation over balls, by truncated power series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flint import arb, arb_series, ctx, fmpq

from verifier.errors import ExpressionError
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.tree import Ops, Tree, evaluate


class HasTree(Protocol):
    """An activation, of which only the expression matters here."""

    @property
    def tree(self) -> Tree:
        """The expression as a tree."""


def taylor(activation: HasTree, coefficients: Sequence[arb]) -> list[arb]:
    """Enclose the Taylor coefficients in s of ``sigma(c_0 + c_1 s + ...)``, as many as are given.

    Parameters
    ----------
    activation : HasTree
        Sigma.
    coefficients : sequence of arb
        ``c_0, c_1, ...``, at least one.

    Returns
    -------
    list of arb
        Guarantee: they contain those of every choice of the coefficients within their balls, at the working precision,
        or are not finite.

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
    except (ValueError, ZeroDivisionError):  # a divisor that may be 0
        return [arb("nan")] * length
    finally:
        ctx.cap = before


class _SeriesOps(Ops[Any]):
    """Operations on truncated power series (or balls, for constant parts)."""

    column = "series"

    def const(self, p: int, q: int) -> arb_series:
        return arb_series([arb(fmpq(p, q))])

    def pi(self) -> arb_series:
        return arb_series([arb.pi()])

    def e(self) -> arb_series:
        return arb_series([arb.const_e()])

    def pow_rational(self, base: arb_series, p: int, q: int) -> arb_series:
        return (base.log() * arb(fmpq(p, q))).exp()

    def call(self, name: str, *args: arb_series) -> arb_series:
        if FUNCTIONS[name].series is None:
            raise ExpressionError(f"function {name!r} has no Taylor series everywhere; use an analytic activation")
        value: arb_series = super().call(name, *args)
        return value
