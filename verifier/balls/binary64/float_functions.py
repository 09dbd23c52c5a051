"""The elementary functions in binary64: ONE table of how each is computed, and of a proved bound of how well.

`verifier.sigma.functions` says what the functions are, `verifier.balls.binary64.elementary` computes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import arb, fmpq

from verifier.balls.binary64 import elementary
from verifier.balls.binary64.bounds import TINY, U
from verifier.sigma.functions import FUNCTIONS

Array = Any
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


def rounded(ball: arb, error: arb) -> Image:
    """Add one rounding to an error: ``e + u (|x| + e)``, and an allowance for underflow.

    Parameters
    ----------
    ball : arb
        Contains the exact values.
    error : arb
        How far the computed values may be from them before they are rounded.

    Returns
    -------
    Image
        Guarantee: bounds the rounded values' distance from the exact ones.

    Raises
    ------
    Unsupported
        A value may overflow, which is no relative error.
    """
    if not ball.abs_upper() + error < _LARGEST:
        raise Unsupported("an intermediate result may overflow")
    return Image(ball, (error + _U * (ball.abs_upper() + error) + _TINY).upper())


def _exp(x: Image) -> Image:
    top = x.ball.upper() + x.error
    if not top <= elementary.EXP_HIGH:
        raise Unsupported("exp overflows")
    moved = top.exp() * x.error.expm1()
    return Image(x.ball.exp(), (moved + top.exp() * elementary.EXP_ULPS * _U + elementary.EXP_FLUSHED).upper())


def _expm1(x: Image) -> Image:
    return rounded(x.ball.expm1(), _exp(x).error)


def _sqrt(x: Image) -> Image:
    if not x.ball.upper() >= 0:
        raise Unsupported("the root of a negative number")
    low = x.ball.lower().max(arb(0))
    change = x.error.sqrt()
    if low > 0:
        change = change.min(x.error / low.sqrt())
    return rounded(low.sqrt().union(x.ball.upper().sqrt()), change)


def _log(x: Image) -> Image:
    low = x.ball.lower() - x.error
    if not (low > arb(2) ** -1000 and x.size + x.error < arb(2) ** 1000):
        raise Unsupported("a logarithm near 0 or infinity")
    ball = x.ball.log()
    size = ball.abs_upper() + x.error / low
    return Image(ball, (x.error / low + arb(fmpq(103, 100)) * elementary.LOG_CHECK * (1 + size) + 4 * _U).upper())


def _log1p(x: Image) -> Image:
    return _log(rounded(x.ball + 1, x.error))


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
    return Image(x.ball.lower().erfc().union(x.ball.upper().erfc()), rounded(1 - inner.ball, inner.error).error)


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
        inner = rounded(plus.ball + minus.ball, plus.error + minus.error)
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
