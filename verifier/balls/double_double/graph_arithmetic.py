r"""The double-double engine: the radius rules of `binary64`, with midpoints that are pairs of binary64 numbers.

`DoubleDoubleBalls` is `FloatBalls` with other `Numbers`: every rule that bounds errors is the same, with the unit of
rounding below for u and the slack of `PairNumbers.slack` for ``gamma``. What they need:

* Every elementwise operation has a relative error of at most `UNIT` (`pair`: the largest is that of divisions), also
  with a factor that `number` rounded, ``(3 + MULTIPLY) 2^-106``; `root_quotient` has less than two of them,
  ``(INVERSE_ROOT + MULTIPLY + 0.01) 2^-106``.
* A sum of k terms is made by halving: a term passes ``ceil(log2 k)`` additions, each off by ``ADD 2^-106`` of its
  result, whose magnitude is at most the sum of the magnitudes of the terms (times ``1 + 2^-90``).
* A product of matrices is within ``products.relative_error(k)`` of the exact one, times the 2-norms of a row and of a
  column, and TINY.
* The head of a pair is its high part, within u of it.

An operation's underflow costs `TINY` at most, and no operation of the engine makes more than four of them for an entry:
`DoubleDoubleBalls.made` adds that to every bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, NotEnclosed
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY
from verifier.balls.binary64.enclosed import Axes, Enclosed
from verifier.balls.binary64.graph_arithmetic import Bound, FloatBalls
from verifier.balls.binary64.numbers import Number, Numbers
from verifier.balls.binary64.spectral import frobenius_norm, spectral_norm
from verifier.balls.double_double import pair
from verifier.balls.double_double.activation import pair_bounds, pair_kernel
from verifier.balls.double_double.elementary import EXP, LOG_RANGE, exp, inverse_root
from verifier.balls.double_double.pair import ADD, DIVIDE, MULTIPLY, PAIR_SHARE, U2, Pair
from verifier.balls.double_double.products import matmul, matmul_stack, relative_error
from verifier.sigma.activations import Activation

UNIT = 1.07 * max(ADD, MULTIPLY, DIVIDE) * U2
"""Relative error of an operation on pairs, ``14.99 * 2^-106``: one of `pair`, or half of a `root_quotient`."""

UNDERFLOW = 8.0 * TINY
"""What four operations lose by underflow, and the addition of so small a number rounds away."""

LARGEST = 4096
"""Weights up to this side have a sharp norm: its five products are few beside those of slices, and it pays by layer."""

GROWTH = 1.0 + 2.0**-40
"""Pays for the products of so few and so small errors with each other, and for the roundings of slacks themselves."""


class PairNumbers(Numbers):
    """Midpoints that are pairs of binary64 numbers; see the module for their errors."""

    unit = UNIT
    exp_error = (EXP + 0.01) * U2
    slight = 0.0
    by_terms = False
    word = 16
    checked = True

    def slack(self, more: int, *, product: int = 0, total: int = 0) -> float:
        """Bound what roundings do; see `Numbers.slack` and the module."""
        found = more * UNIT + (total - 1).bit_length() * ADD * U2 if total > 1 else more * UNIT
        return (found + (relative_error(product) if product else 0.0)) * GROWTH

    def given(self, values: NDArray[np.float64]) -> Pair:
        """Take exact numbers over to the device."""
        return pair.of_floats(self.xp, self.backend.asarray(values))

    def head(self, x: Pair) -> Array:
        """The high parts: within u of the midpoints, relatively."""
        return x.hi

    def exact(self, x: Pair) -> Array | None:
        """The midpoints, if they are binary64 numbers."""
        return None if bool(self.xp.any(x.lo != 0.0)) else x.hi

    def alike(self, function: Callable[..., Array], *values: Pair) -> Pair:
        """Move high parts and low parts the same way."""
        return Pair(function(*(value.hi for value in values)), function(*(value.lo for value in values)))

    def all_finite(self, x: Pair) -> bool:
        """Guarantee: True implies that every midpoint is finite."""
        return pair.all_finite(self.backend, x)

    def number(self, value: Fraction, *, root: bool = False) -> tuple[Pair, bool]:
        """A number above 0 or below it, or its root, as a pair; whether it is +-2^k.

        Guarantee: within 3 * 2^-106, relatively, and 2^-1073: the quotient by 2 hi of what hi leaves of the square is
        off from what is left of the root by its rounding and by half the square of that.
        """
        high = math.sqrt(float(value)) if root else float(value)
        rest = (value - Fraction(high) ** 2) / Fraction(2.0 * high) if root else value - Fraction(high)
        low = float(rest)
        total = high + low
        exact = not rest and math.frexp(abs(high))[0] == 0.5
        return Pair(total, low - (total - high)), exact

    def add(self, a: Pair, b: Pair, *, overwrite: bool = False) -> Pair:
        """Add b to a."""
        return self._by_rows(pair.add, a, b)

    def subtract(self, a: Pair, b: Pair) -> Pair:
        """Subtract b from a."""
        return self._by_rows(pair.subtract, a, b)

    def multiply(self, a: Pair, b: Pair) -> Pair:
        """Multiply a by b."""
        return self._by_rows(pair.multiply, a, b)

    def divide(self, a: Pair, b: Pair) -> Pair:
        """Divide a by b."""
        return self._by_rows(pair.divide, a, b)

    def times(self, a: Pair, number: Pair) -> Pair:
        """Multiply a by one number of `number`; exact for powers of two."""
        if number.lo == 0.0 and math.frexp(abs(number.hi))[0] == 0.5:
            return self.alike(lambda part: part * number.hi, a)
        return self._by_rows(lambda x: pair.multiply(x, number), a)

    def total(self, x: Pair, *, keepdims: bool = False) -> Pair:
        """The sum over the last axis, by halving."""
        while (count := x.shape[-1]) > 1:
            half = count // 2
            last = _columns_of(x, 2 * half, count)
            x = self.add(_columns_of(x, 0, half), _columns_of(x, half, 2 * half))
            x = self.alike(lambda *parts: self.xp.concat(list(parts), axis=-1), x, last) if count % 2 else x
        return x if keepdims else self.alike(lambda part: part[..., 0], x)

    def mean(self, x: Pair, axis: int) -> Pair:
        """Something close to the mean over an axis, which stays with length 1."""
        count = x.shape[axis]
        moved = self.alike(lambda part: self.xp.moveaxis(part, axis, -1), x)
        found = self.times(self.total(moved, keepdims=True), self.number(Fraction(1, count))[0])
        return self.alike(lambda part: self.xp.moveaxis(part, -1, axis), found)

    def largest(self, x: Pair, *, keepdims: bool = False) -> Pair:
        """The largest over the last axis, exact: of the largest high parts that with the largest low part."""
        high = self.xp.max(x.hi, axis=-1, keepdims=True)
        below = self.xp.full(x.lo.shape, -math.inf, dtype=self.xp.float64)
        low = self.xp.max(self.xp.where(x.hi == high, x.lo, below), axis=-1, keepdims=True)
        found = Pair(high, low)
        return found if keepdims else self.alike(lambda part: part[..., 0], found)

    def root_quotient(self, x: Pair, y: Pair) -> Pair:
        """``x / sqrt(y)`` for y > 1e-200; x broadcasts. Guarantee: relative error below two of `UNIT`."""
        if not bool(self.xp.all(y.hi < LOG_RANGE)):
            raise NotEnclosed("a square root of a number of 2^890 or more")
        return self.multiply(x, pair.map_pairs(self.backend, lambda t: inverse_root(self.xp, t), y))

    def exp(self, x: Pair) -> Pair:
        """``e^x`` for x <= 0; below -700 the error is below 2^-1000."""
        return pair.map_pairs(self.backend, lambda t: exp(self.xp, t), x)

    def any_subnormal(self, x: Pair) -> bool:
        """Guarantee: False implies that every midpoint is 0 or consists of normal numbers."""
        return any(super(PairNumbers, self).any_subnormal(part) for part in x)

    def without_subnormal(self, x: Pair) -> Pair:
        """The same, off by less than 2^-1020, all of it 0 or normal numbers."""
        zero = self.xp.asarray(0.0, dtype=self.xp.float64)
        return self.alike(lambda part: self.xp.where(self.xp.abs(part) < SMALLEST_NORMAL, zero, part), x)

    def matmul(self, a: Pair, b: Pair) -> Pair:
        """Matrix product (m, k) by (k, n), in the record."""
        return matmul(self.backend, self._short(a), self._short(b), self.record)

    def matmul_stack(self, a: Pair, b: Pair) -> Pair:
        """Matrix products (s, m, k) by (s, k, n), in the record."""
        return matmul_stack(self.backend, self._short(a), self._short(b), self.record)

    def spectral_norm(self, x: Pair, *, rough: bool) -> float:
        """``||x||_2 <= ||hi||_2 + ||lo||_F`` from above."""
        found = spectral_norm(self.backend, x.hi, self.record, rough=rough, largest=LARGEST)
        return found if self.exact(x) is not None else (found + frobenius_norm(self.backend, x.lo)) * GROWTH

    def kernel(self, sigma: Activation, x: Pair, *, overwrite: bool) -> Pair:
        """An activation's values at pairs of any shape, with the error that `kernel_bounds` states."""
        return pair.map_pairs(self.backend, pair_kernel(sigma, self.xp), x)

    def kernel_bounds(self, sigma: Activation, low: float, high: float) -> tuple[float, float]:
        """Lipschitz constant and the error of `kernel` for arguments in an interval; see `activation.pair_bounds`."""
        found = pair_bounds(sigma, low, high)
        return found.lipschitz, found.error

    def _short(self, x: Pair) -> Pair | Array:
        """The high parts alone if the low ones are all 0: a product then has fewer slices."""
        short = self.exact(x)
        return x if short is None else short

    def _by_rows(self, function: Callable[..., Pair], *values: Pair) -> Pair:
        """Apply an elementwise function that broadcasts to some rows at a time, so that temporaries stay in a cache."""
        shape = np.broadcast_shapes(*(value.shape for value in values))
        rows, row = (shape[0], math.prod(shape[1:])) if shape else (1, 1)
        step = max(1, self.backend.chunk // (PAIR_SHARE * max(1, row)))
        if step >= rows:
            return function(*values)
        hi, lo = (self.xp.empty(shape, dtype=self.xp.float64) for _ in range(2))

        def work(part: slice) -> None:
            taken = (_rows_of(value, part, len(shape)) for value in values)
            hi[part, ...], lo[part, ...] = function(*taken)

        self.backend.in_chunks(work, rows, step)
        return Pair(hi, lo)


def _rows_of(value: Pair, part: slice, axes: int) -> Pair:
    """Some rows of a value that broadcasts to so many axes: all of it, if it has one row for all."""
    if len(value.shape) < axes or value.shape[0] == 1:
        return value
    return Pair(value.hi[part, ...], value.lo[part, ...])


def _columns_of(value: Pair, start: int, stop: int) -> Pair:
    return Pair(value.hi[..., start:stop], value.lo[..., start:stop])


class DoubleDoubleBalls(FloatBalls):
    """Enclosures in double-double of all nodes' values on some samples; see `FloatBalls`."""

    arithmetic = PairNumbers

    def made(
        self, mid: Number, each: Bound | None, norm: Bound | None = None, axes: Axes = (), *, look: bool = True
    ) -> Enclosed:
        """A result, with room for what its operations lose by underflow, if all of it is finite."""
        each = None if each is None else each + UNDERFLOW
        norm = None if norm is None else norm + UNDERFLOW * math.prod(mid.shape[1:])
        return super().made(mid, each, norm, axes, look=look)
