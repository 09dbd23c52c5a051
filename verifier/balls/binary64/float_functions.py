"""The elementary functions in floating point: ONE table of how each is computed, and of a proved bound of how well.

`verifier.sigma.functions` says what the functions are, `verifier.balls.binary64.elementary` computes them in binary64,
`verifier.balls.double_double` in pairs of binary64 numbers. How an error of the argument is carried on is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import arb, fmpq

from verifier.balls.binary64 import elementary
from verifier.balls.binary64.bounds import TINY, U
from verifier.balls.double_double import elementary as paired
from verifier.balls.double_double import pair, tables
from verifier.balls.exact import upper_float
from verifier.sigma.functions import FUNCTIONS

Array = Any
_U = arb(U)
_U2 = arb(pair.U2)
_TINY = arb(TINY)


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

    @property
    def computed(self) -> arb:
        """A ball around the computed values. Guarantee: contains all of them."""
        return self.ball + self.error * arb(0, 1)


Rule = Callable[[Image], Image]
Own = Callable[[arb], arb]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function in one arithmetic and the proof of how good it is.

    Parameters
    ----------
    values : callable
        Maps an array namespace and one-dimensional arguments to the computed values: float64 arrays, or pairs of them.
    error : callable
        Guarantee: maps a ball to a bound of ``|computed - exact|`` for all arguments of the arithmetic in it.
    """

    values: Callable[[Any, Any], Any]
    error: Own


@dataclass(frozen=True, slots=True)
class FloatFunction:
    """A function of the table.

    Parameters
    ----------
    moved : callable
        Guarantee: maps what is known of the argument to a ball around the exact values at the exact arguments, and to
        a bound of how far the exact values at the computed arguments are from them.
    float64 : Kernel
        The function in binary64.
    pairs : Kernel, optional
        The function in pairs of binary64 numbers; without one Arb takes over.
    """

    moved: Rule
    float64: Kernel
    pairs: Kernel | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """An arithmetic by the relative errors of its operations, beside `TINY`.

    Parameters
    ----------
    name : "float64" or "pairs"
        The column of `FLOAT_FUNCTIONS`.
    constant, add, multiply, divide : arb
        Relative errors of a constant, and of an operation.
    largest : arb
        What is below is computed with these errors: an overflow is not a relative error.
    """

    name: str
    constant: arb
    add: arb
    multiply: arb
    divide: arb
    largest: arb

    def rounded(self, ball: arb, error: arb, relative: arb) -> Image:
        """Add one operation's error: ``e + relative (|x| + e)``, and an allowance for underflow.

        Parameters
        ----------
        ball : arb
            Contains the exact values.
        error : arb
            How far the exact results of computed arguments may be from them.
        relative : arb
            The operation's relative error.

        Returns
        -------
        Image
            Guarantee: bounds the computed values' distance from the exact ones.

        Raises
        ------
        Unsupported
            A value may overflow.
        """
        return self.moderate(Image(ball, (error + relative * (ball.abs_upper() + error) + _TINY).upper()))

    def moderate(self, x: Image) -> Image:
        """Return what does not overflow.

        Raises
        ------
        Unsupported
            A value may overflow.
        """
        if not x.size + x.error < self.largest:
            raise Unsupported("an intermediate result may overflow")
        return x

    def kernel(self, name: str) -> Kernel:
        """Return the function of that name in this arithmetic.

        Raises
        ------
        Unsupported
            The table does not have it.
        """
        found: Kernel | None = getattr(FLOAT_FUNCTIONS.get(name), self.name, None)
        if found is None:
            raise Unsupported(name)
        return found

    def image(self, name: str, x: Image) -> Image:
        """What is known of a function's values.

        Guarantee: the ball contains the exact values, and the computed ones are within the error of them.

        Raises
        ------
        Unsupported
            The table does not have the function, or it overflows or is not defined.
        """
        own, moved = self.kernel(name).error(x.computed), FLOAT_FUNCTIONS[name].moved(x)
        return self.moderate(Image(moved.ball, (moved.error + own + _TINY).upper()))


BINARY64 = Arithmetic("float64", _U, _U, _U, _U, arb(2) ** 1023)
"""One rounding for each operation."""
PAIRS = Arithmetic("pairs", _U2, pair.ADD * _U2, pair.MULTIPLY * _U2, pair.DIVIDE * _U2, arb(2) ** 990)
"""Pairs of binary64 numbers; their factors must be below 2^996."""


def _moved_exp(x: Image) -> Image:
    return Image(x.ball.exp(), ((x.ball.upper() + x.error).exp() * x.error.expm1()).upper())


def _own_exp(relative: arb, flushed: float, most: float) -> Own:
    def own(z: arb) -> arb:
        if not z.upper() <= most:
            raise Unsupported("exp overflows")
        return z.upper().exp() * relative + flushed

    return own


def _moved_sqrt(x: Image) -> Image:
    if not x.ball.upper() >= 0:
        raise Unsupported("the root of a negative number")
    low = x.ball.lower().max(arb(0))
    change = x.error.sqrt()
    if low > 0:
        change = change.min(x.error / low.sqrt())
    return Image(low.sqrt().union(x.ball.upper().sqrt()), change.upper())


def _moved_log(x: Image) -> Image:
    low = x.ball.lower() - x.error
    if not low > 0:
        raise Unsupported("the logarithm of a number that may not be positive")
    return Image(x.ball.log(), (x.error / low).upper())


def _own_log(limit: arb, own: Own) -> Own:
    """The error ``own`` maps log's values to, for arguments between 1/limit and limit."""

    def checked(z: arb) -> arb:
        if not (z.lower() > 1 / limit and z.upper() < limit):
            raise Unsupported("a logarithm near 0 or infinity")
        return own(z.log().abs_upper())

    return checked


def _moved_log1p(x: Image) -> Image:
    return Image(x.ball.log1p(), _moved_log(Image(x.ball + 1, x.error)).error)


def _own_log1p(arithmetic: Arithmetic, log: Own) -> Own:
    def own(z: arb) -> arb:
        inner = arithmetic.rounded(z + 1, arb(0), arithmetic.add)
        return _moved_log(inner).error + log(inner.computed)

    return own


def _increasing(name: str, slope: fmpq | int = 1) -> Rule:
    """An increasing function with Lipschitz constant ``slope``."""
    function = FUNCTIONS[name].arb

    def rule(x: Image) -> Image:
        return Image(function(x.ball.lower()).union(function(x.ball.upper())), (slope * x.error).upper())

    return rule


def _constant(error: Callable[[], float]) -> Own:
    return lambda z: arb(error())


def _trigonometric(error: Callable[[float], float]) -> Own:
    def own(z: arb) -> arb:
        if not z.abs_upper() < elementary.TRIGONOMETRIC_LIMIT:
            raise Unsupported("a trigonometric function of a large argument")
        return arb(error(upper_float(z.abs_upper())))

    return own


def _then(arithmetic: Arithmetic, exact: Callable[[arb], arb], own: Own) -> Own:
    """One sum with a constant after a function with an error of its own."""
    return lambda z: arithmetic.rounded(exact(z), own(z), arithmetic.add).error


def _hyperbolic(even: bool) -> FloatFunction:
    def moved(x: Image) -> Image:
        both = _moved_exp(x).error + _moved_exp(Image(-x.ball, x.error)).error
        return Image(x.ball.cosh() if even else x.ball.sinh(), (both / 2).upper())

    def own(arithmetic: Arithmetic, exp: Own) -> Own:
        return lambda z: arithmetic.rounded(z.exp() + (-z).exp(), exp(z) + exp(-z), arithmetic.add).error / 2 + _TINY

    def float64(xp: Any, x: Array) -> Array:
        plus, minus = elementary.exp(xp, x), elementary.exp(xp, -x)
        return (plus + minus if even else plus - minus) * 0.5

    def pairs(xp: Any, x: pair.Pair) -> pair.Pair:
        plus, minus = paired.exp(xp, x), paired.exp(xp, pair.negate(x))
        return pair.scaled(pair.add(plus, minus) if even else pair.subtract(plus, minus), -1)

    return FloatFunction(moved, Kernel(float64, own(BINARY64, _EXP)), Kernel(pairs, own(PAIRS, _PAIR_EXP)))


_EXP = _own_exp(arb(elementary.EXP_ULPS) * _U, elementary.EXP_FLUSHED, elementary.EXP_HIGH)
_PAIR_EXP = _own_exp(arb(paired.EXP) * _U2, paired.EXP_FLUSHED, paired.EXP_HIGH)
_LOG = _own_log(arb(2) ** 1000, lambda size: arb(fmpq(103, 100)) * elementary.LOG_CHECK * (1 + size) + 4 * _U)
_PAIR_LOG = _own_log(arb(paired.LOG_RANGE), lambda size: (paired.LOG + paired.LOG_SIZE * size) * _U2)
_ERF, _PAIR_ERF = _constant(elementary.erf_error), _constant(tables.erf_error)
_ERF_SLOPE = fmpq(1129, 1000)
"""``2 / sqrt(pi)`` = 1.12838."""

FLOAT_FUNCTIONS: dict[str, FloatFunction] = {
    "exp": FloatFunction(_moved_exp, Kernel(elementary.exp, _EXP), Kernel(paired.exp, _PAIR_EXP)),
    "expm1": FloatFunction(
        lambda x: Image(x.ball.expm1(), _moved_exp(x).error),
        Kernel(lambda xp, x: elementary.exp(xp, x) - 1.0, _then(BINARY64, arb.expm1, _EXP)),
        Kernel(paired.expm1, _then(PAIRS, arb.expm1, _PAIR_EXP)),
    ),
    "sinh": _hyperbolic(even=False),
    "cosh": _hyperbolic(even=True),
    "sqrt": FloatFunction(
        _moved_sqrt,
        Kernel(
            lambda xp, x: xp.sqrt(xp.maximum(x, xp.asarray(0.0, dtype=xp.float64))),
            lambda z: _U * z.upper().max(arb(0)).sqrt(),
        ),
        Kernel(paired.sqrt, lambda z: paired.SQRT * _U2 * z.upper().max(arb(0)).sqrt() + paired.SQRT_FLUSHED),
    ),
    "log": FloatFunction(_moved_log, Kernel(elementary.log, _LOG), Kernel(paired.log, _PAIR_LOG)),
    "log1p": FloatFunction(
        _moved_log1p,
        Kernel(lambda xp, x: elementary.log(xp, x + 1.0), _own_log1p(BINARY64, _LOG)),
        Kernel(lambda xp, x: paired.log(xp, pair.add_float(x, 1.0)), _own_log1p(PAIRS, _PAIR_LOG)),
    ),
    "tanh": FloatFunction(
        _increasing("tanh"),
        Kernel(elementary.tanh, lambda z: arb(elementary.TANH_ULPS) * _U),
        Kernel(paired.tanh, lambda z: arb(paired.TANH) * _U2),
    ),
    "sigmoid": FloatFunction(
        _increasing("sigmoid", fmpq(1, 4)),
        Kernel(elementary.sigmoid, lambda z: arb(elementary.SIGMOID_ULPS) * _U),
        Kernel(paired.sigmoid, lambda z: arb(paired.SIGMOID) * _U2),
    ),
    "softplus": FloatFunction(
        _increasing("softplus"),
        Kernel(
            elementary.softplus,
            lambda z: arb(elementary.SOFTPLUS_ULPS) * _U * FUNCTIONS["softplus"].arb(z.upper()),
        ),
        Kernel(
            paired.softplus,
            lambda z: (paired.SOFTPLUS + pair.ADD * FUNCTIONS["softplus"].arb(z.upper())) * _U2,
        ),
    ),
    "atan": FloatFunction(
        _increasing("atan"),
        Kernel(elementary.arctan, _constant(elementary.arctan_error)),
        Kernel(tables.arctan, _constant(tables.arctan_error)),
    ),
    "erf": FloatFunction(_increasing("erf", _ERF_SLOPE), Kernel(elementary.erf, _ERF), Kernel(tables.erf, _PAIR_ERF)),
    "erfc": FloatFunction(
        lambda x: Image(x.ball.lower().erfc().union(x.ball.upper().erfc()), (_ERF_SLOPE * x.error).upper()),
        Kernel(lambda xp, x: 1.0 - elementary.erf(xp, x), _then(BINARY64, arb.erfc, _ERF)),
        Kernel(lambda xp, x: pair.add_float(pair.negate(tables.erf(xp, x)), 1.0), _then(PAIRS, arb.erfc, _PAIR_ERF)),
    ),
    "sin": FloatFunction(
        lambda x: Image(x.ball.sin(), x.error),
        Kernel(elementary.sin, _trigonometric(lambda size: elementary.sin_error())),
        Kernel(tables.sin, _trigonometric(tables.sin_error)),
    ),
    "cos": FloatFunction(
        lambda x: Image(x.ball.cos(), x.error),
        Kernel(lambda xp, x: elementary.sin(xp, x, 1), _trigonometric(lambda size: elementary.sin_error())),
        Kernel(lambda xp, x: tables.sin(xp, x, 1), _trigonometric(tables.sin_error)),
    ),
    "abs": FloatFunction(
        lambda x: Image(abs(x.ball), x.error),
        Kernel(lambda xp, x: xp.abs(x), lambda z: arb(0)),
        Kernel(paired.absolute, lambda z: arb(0)),
    ),
}
"""The functions of `verifier.sigma.functions` that this engine has, but max and min, by name."""
