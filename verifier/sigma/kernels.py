"""Untrusted kernels of an activation: NumPy (fast) and mpmath (any precision). Both are tables for the one tree walker.

Nothing here is rigorous, so every name starts with `approx_`: these kernels propose, enclosures prove.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import mpmath
import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from verifier.sigma.activations import Activation
from verifier.sigma.tree import Ops, Tree, compile_expression, evaluate

__all__ = [
    "Ops",
    "approx_mpmath_derivative",
    "approx_mpmath_kernel",
    "approx_numpy_derivative",
    "approx_numpy_kernel",
    "compile_expression",
    "evaluate",
]

FloatArray: TypeAlias = NDArray[np.float64]
NumpyKernel: TypeAlias = Callable[[ArrayLike], FloatArray]
MpmathKernel: TypeAlias = Callable[[Any], Any]


def approx_numpy_kernel(activation: Activation) -> NumpyKernel:
    """Return a vectorised binary64 function of t; approximate.

    Parameters
    ----------
    activation : Activation
        What to evaluate.

    Returns
    -------
    callable
        Maps an array of any shape to a float64 array of that shape; silent on overflow.
    """
    return _numpy(activation.tree)


def approx_numpy_derivative(activation: Activation) -> NumpyKernel:
    """Return the derivative as a vectorised binary64 function of t; approximate.

    Parameters
    ----------
    activation : Activation
        What to differentiate. At a breakpoint of Max, Min or Abs: the mean of both sides.

    Returns
    -------
    callable
        Maps an array of any shape to a float64 array of that shape; silent on overflow.
    """
    return _numpy(activation.derivative_tree)


def approx_mpmath_kernel(activation: Activation) -> MpmathKernel:
    """Return a function of one number at mpmath's working precision; approximate, an oracle only.

    Parameters
    ----------
    activation : Activation
        What to evaluate.

    Returns
    -------
    callable
        Maps a number (anything `mpmath.mpf` takes) to an mpf at the precision in force when it is called.
    """
    return _mpmath(activation.tree)


def approx_mpmath_derivative(activation: Activation) -> MpmathKernel:
    """Return the derivative of one number at mpmath's working precision; approximate, an oracle only.

    Parameters
    ----------
    activation : Activation
        What to differentiate.

    Returns
    -------
    callable
        Maps a number (anything `mpmath.mpf` takes) to an mpf at the precision in force when it is called.
    """
    return _mpmath(activation.derivative_tree)


def _numpy(tree: Tree) -> NumpyKernel:
    def kernel(t: ArrayLike) -> FloatArray:
        argument = np.asarray(t, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = evaluate(tree, _NumpyOps(argument))
        # a constant expression has no array in it; a copy keeps sigma(t) = t from handing out its argument
        return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), argument.shape))

    return kernel


def _mpmath(tree: Tree) -> MpmathKernel:
    def kernel(t: Any) -> Any:
        return evaluate(tree, _MpmathOps(mpmath.mpf(t)))

    return kernel


def _softplus(u: Any) -> Any:
    return np.logaddexp(0.0, u)


_NUMPY_CALLS: Final[dict[str, Callable[..., Any]]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "erf": scipy.special.erf,
    "abs": np.abs,
    "max": np.maximum,
    "min": np.minimum,
    "sign": np.sign,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "erfc": scipy.special.erfc,
    "sigmoid": scipy.special.expit,
    "softplus": _softplus,
}


class _NumpyOps:
    """`Ops` over float64 arrays; constants are NumPy scalars."""

    def __init__(self, argument: FloatArray) -> None:
        self.argument = argument

    def const(self, p: int, q: int) -> Any:
        try:
            return np.float64(p / q)
        except OverflowError:
            return np.float64(np.inf if p > 0 else -np.inf)

    def pi(self) -> Any:
        return np.float64(np.pi)

    def e(self) -> Any:
        return np.float64(math.e)

    def var(self) -> Any:
        return self.argument

    def add(self, *terms: Any) -> Any:
        return sum(terms[1:], start=terms[0])

    def mul(self, *factors: Any) -> Any:
        return _product(factors)

    def div(self, numerator: Any, denominator: Any) -> Any:
        return numerator / denominator

    def pow_int(self, base: Any, n: int) -> Any:
        return np.square(base) if n == 2 else np.power(base, float(n))

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        return np.power(base, p / q)

    def call(self, name: str, *args: Any) -> Any:
        function = _NUMPY_CALLS[name]
        value = function(*args[:2])
        for argument in args[2:]:
            value = function(value, argument)
        return value


def _mp_softplus(u: Any) -> Any:
    return mpmath.log1p(mpmath.exp(-abs(u))) + max(u, mpmath.mpf(0))


def _mp_sigmoid(u: Any) -> Any:
    small = mpmath.exp(-abs(u))
    return (1 if u >= 0 else small) / (1 + small)


_MPMATH_CALLS: Final[dict[str, Callable[..., Any]]] = {
    **{name: getattr(mpmath, name) for name in "exp log sqrt tanh sinh cosh sin cos atan erf".split()},
    **{name: getattr(mpmath, name) for name in "sign log1p expm1 erfc".split()},
    "abs": abs,
    "max": max,
    "min": min,
    "sigmoid": _mp_sigmoid,
    "softplus": _mp_softplus,
}


class _MpmathOps:
    """`Ops` over mpmath numbers at the precision in force."""

    def __init__(self, argument: Any) -> None:
        self.argument = argument

    def const(self, p: int, q: int) -> Any:
        return mpmath.mpf(p) / q

    def pi(self) -> Any:
        return +mpmath.pi

    def e(self) -> Any:
        return +mpmath.e

    def var(self) -> Any:
        return self.argument

    def add(self, *terms: Any) -> Any:
        return mpmath.fsum(terms)

    def mul(self, *factors: Any) -> Any:
        return _product(factors)

    def div(self, numerator: Any, denominator: Any) -> Any:
        return numerator / denominator

    def pow_int(self, base: Any, n: int) -> Any:
        return base**n

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        return mpmath.power(base, mpmath.mpf(p) / q)

    def call(self, name: str, *args: Any) -> Any:
        return _MPMATH_CALLS[name](*args)


def _product(factors: tuple[Any, ...]) -> Any:
    result = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result
