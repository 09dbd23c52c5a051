"""Untrusted kernels of an activation: NumPy (fast) and mpmath (any precision), two columns of the table of functions.

Nothing here is rigorous, so every name starts with `approx_`: these kernels propose, enclosures prove.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.sigma.activations import Activation
from verifier.sigma.tree import Ops, Tree, evaluate

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


class _NumpyOps(Ops[Any]):
    """`Ops` over float64 arrays; constants are NumPy scalars."""

    column = "numpy"

    def const(self, p: int, q: int) -> Any:
        try:
            return np.float64(p / q)
        except OverflowError:
            return np.float64(np.inf if p > 0 else -np.inf)

    def pi(self) -> Any:
        return np.float64(np.pi)

    def e(self) -> Any:
        return np.float64(math.e)

    def pow_int(self, base: Any, n: int) -> Any:
        return np.square(base) if n == 2 else np.power(base, float(n))

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        return np.power(base, p / q)


class _MpmathOps(Ops[Any]):
    """`Ops` over mpmath numbers at the precision in force."""

    column = "mpmath"

    def const(self, p: int, q: int) -> Any:
        return mpmath.mpf(p) / q

    def pi(self) -> Any:
        return +mpmath.pi

    def e(self) -> Any:
        return +mpmath.e

    def add(self, *terms: Any) -> Any:
        return mpmath.fsum(terms)  # rounded once

    def pow_rational(self, base: Any, p: int, q: int) -> Any:
        return mpmath.power(base, mpmath.mpf(p) / q)
