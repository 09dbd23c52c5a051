"""Activations' derivatives, first and second, and maxima: in balls of Arb, and in binary64.

A derivative exists and is continuous wherever its expression has a finite enclosure; an activation with Max, Min or Abs
is differentiated piece by piece, where a ball lies inside one piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import sympy
from flint import arb, fmpq

from verifier.balls.activation import tree_kernel
from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.elementary import LogarithmRefused
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries
from verifier.balls.binary64.float_functions import Unsupported
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision
from verifier.balls.tangents import TwiceDifferentiable
from verifier.balls.tensors import Balls
from verifier.errors import ExpressionError
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Array
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation
from verifier.sigma.derivatives import derivative_of
from verifier.sigma.piecewise import has_kinks, split
from verifier.sigma.tree import Tree, tree_of

KINK = "{} may have a kink there"
TIE = "two entries may be the largest"
BITS = 64
"""Precision of derivatives that binary64 leaves to Arb."""


@lru_cache(maxsize=256)
def _pieces(sigma: Activation, order: int) -> tuple[tuple[fmpq | None, fmpq | None, Tree], ...]:
    """A derivative of an activation on open intervals, their ends (None: infinite) first."""
    if not has_kinks(sigma.expression):
        return ((None, None, tree_of(_differentiated(sigma.expression, order))),)
    pieces = split(sigma.expression)
    if pieces is None:
        raise NotSmooth(f"the pieces of {sigma.name} are not known")
    found = []
    for piece in pieces:
        ends = [None if isinstance(end, float) else fmpq(end.numerator, end.denominator)
                for end in (piece.domain.lo, piece.domain.hi)]  # fmt: skip
        found.append((ends[0], ends[1], tree_of(_differentiated(piece.expression, order))))
    return tuple(found)


def _differentiated(expression: sympy.Expr, order: int) -> sympy.Expr:
    """A derivative of an expression without Max, Min and Abs."""
    for _ in range(order):
        expression = derivative_of(expression)
    return expression


def smooth_kernel(sigma: Activation, order: int = 1) -> Callable[[arb], arb]:
    """Make the ball version of an activation's derivative, at the current working precision.

    Parameters
    ----------
    sigma : Activation
        The activation.
    order : int, optional
        1, or 2 for the second derivative.

    Returns
    -------
    callable
        Guarantee: if it returns a ball for the ball z, sigma is as often continuously differentiable in the interior of
        z, on a neighbourhood of z if that is inside one piece, and the ball contains the derivative at every x in z.

    Raises
    ------
    NotSmooth
        From the callable, if sigma may have a kink in z, or its derivative has no finite enclosure there.
    """
    try:
        kernels = [(lo, hi, tree_kernel(tree)) for lo, hi, tree in _pieces(sigma, order)]
    except ExpressionError:
        raise NotSmooth(f"the derivative of {sigma.name} is too large an expression") from None

    def kernel(z: arb) -> arb:
        for lo, hi, derivative in kernels:
            if (lo is None or z > lo) and (hi is None or z < hi):
                found = derivative(z)
                if found.is_finite():
                    return found
                break
        raise NotSmooth(KINK.format(sigma.name))

    return kernel


class BallSlopes(TwiceDifferentiable[Balls]):
    """Derivatives of activations in Arb balls, entry by entry."""

    def __init__(self, ops: BallArithmetic) -> None:
        """Take the ball arithmetic whose values are differentiated."""
        self.ops = ops

    def rate(self, x: Balls, sigma: Activation) -> Balls:
        """Enclose ``sigma'`` at every entry; a kink in a ball raises `NotSmooth`."""
        return Balls(x.rows, x.shape, list(map(smooth_kernel(sigma), x.entries)))

    def second(self, x: Balls, sigma: Activation) -> Balls:
        """Enclose ``sigma''`` at every entry; a kink in a ball raises `NotSmooth`."""
        return Balls(x.rows, x.shape, list(map(smooth_kernel(sigma, 2), x.entries)))

    def attained(self, x: Balls) -> Balls:
        """Mark with 1 the entry of each row that is above all others; a possible tie raises `NotSmooth`.

        Raises
        ------
        NotSmooth
            Two entries may both be the largest.
        """
        entries, size, found = x.entries, x.shape[-1], list[arb]()
        for start in range(0, len(entries), size):
            row = entries[start : start + size]
            top = max(range(size), key=lambda j: float(row[j].mid()))
            if not all(row[j] < row[top] for j in range(size) if j != top):
                raise NotSmooth(TIE)
            found += [arb(int(j == top)) for j in range(size)]
        return Balls(x.rows, x.shape, found)


class FloatBallSlopes(TwiceDifferentiable[Enclosed]):
    """Derivatives of activations in binary64 enclosures, on the backend's device."""

    def __init__(self, ops: FloatBalls) -> None:
        """Take the binary64 arithmetic whose values are differentiated."""
        self.ops: FloatBalls = ops

    def rate(self, x: Enclosed, sigma: Activation) -> Enclosed:
        """Enclose ``sigma'`` at every entry; a kink in an enclosure raises `NotSmooth`."""
        return self._derived(x, sigma, 1)

    def second(self, x: Enclosed, sigma: Activation) -> Enclosed:
        """Enclose ``sigma''`` at every entry; a kink in an enclosure raises `NotSmooth`."""
        return self._derived(x, sigma, 2)

    def _derived(self, x: Enclosed, sigma: Activation, order: int) -> Enclosed:
        """By the derivative's own kernel, or entry by entry in Arb: where there are kinks, or binary64 refuses."""
        if not has_kinks(sigma.expression):
            try:
                return self.ops.map(x, _derivative(sigma, order))
            except (NotEnclosed, Unsupported, LogarithmRefused, ExpressionError):
                pass
        middles, errors = self._numbers(x)
        values, slack = np.empty(middles.size), np.empty(middles.size)
        with working_precision(BITS):
            kernel = smooth_kernel(sigma, order)
            for k, (middle, error) in enumerate(zip(middles.ravel().tolist(), errors.ravel().tolist(), strict=True)):
                found = kernel(arb(middle, error))
                values[k] = float(found.mid())
                slack[k] = upper_float(abs(found - arb(values[k])))
        return self._made(values.reshape(middles.shape), slack.reshape(middles.shape))

    def attained(self, x: Enclosed) -> Enclosed:
        """By comparing midpoints that are further apart than their bounds.

        Raises
        ------
        NotSmooth
            Two entries may both be the largest.
        """
        middles, errors = self._numbers(x)
        low, high = np.nextafter(middles - errors, -np.inf), np.nextafter(middles + errors, np.inf)
        top = middles.argmax(axis=-1, keepdims=True)
        least = np.take_along_axis(low, top, axis=-1)
        found = np.zeros(middles.shape)
        np.put_along_axis(found, top, 1.0, axis=-1)
        if not bool(((high < least) | (found == 1.0)).all()):
            raise NotSmooth(TIE)
        return self._made(found, None)

    def _numbers(self, x: Enclosed) -> tuple[Array, Array]:
        """Midpoints and bounds as NumPy arrays of one shape."""
        middles = self.ops.backend.numpy(x.mid)
        bound = bound_of_entries(self.ops.xp, x, len(x.shape))
        errors = bound if isinstance(bound, float) else self.ops.backend.numpy(bound)
        return middles, np.broadcast_to(np.asarray(errors, dtype=np.float64), middles.shape)

    def _made(self, values: Array, slack: Array | None) -> Enclosed:
        """Put midpoints and bounds, NumPy arrays of one shape, back on the device."""
        put = self.ops.backend.asarray
        return self.ops.made(put(values), None if slack is None else put(slack))


@lru_cache(maxsize=256)
def _derivative(sigma: Activation, order: int) -> Activation:
    """Return the first or second derivative of an activation as an activation."""
    return Activation(f"a derivative of {sigma.name}"[:80], _differentiated(sigma.expression, order))


class BoxOfFloatBalls(FloatBalls):
    """Enclosures in binary64 while parameters move within bounds of their own."""

    def __init__(self, shared: Shared, inputs: Array, reach: Mapping[str, Array]) -> None:
        """``reach`` has the bounds by the parameters' names, of their shapes."""
        super().__init__(shared, inputs)
        self.reach = reach

    def parameter(self, name: str, shape: Shape) -> Enclosed:
        """The part of U, and how far it may be."""
        middle, reach = super().parameter(name, shape), self.reach[name]
        if not reach.any():
            return middle
        return Enclosed(middle.mid, self.backend.asarray(reach.reshape(1, *shape)))


def float_bounds(z: arb) -> tuple[float, float]:
    """A float near a ball's midpoint and how far the ball may be from it; the bound is infinite if it is not finite.

    Guarantee: every number of the ball is within the bound of the float.
    """
    if not z.is_finite():
        return 0.0, math.inf
    middle = float(z.mid())
    return middle, upper_float(abs(z - arb(middle)))
