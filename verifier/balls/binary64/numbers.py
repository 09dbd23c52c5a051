"""How an engine's midpoints are kept and computed: the one thing in which engines with the same radii differ.

The rules that bound errors (`graph_arithmetic`, `windows`, `fused`, `contraction`) read of midpoints their *heads*,
binary64 numbers within u of them in size, and of the arithmetic what its roundings are below (`Numbers.slack`). Here
midpoints are binary64 numbers; `double_double` has pairs of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64 import elementary
from verifier.balls.binary64.activation import array_kernel, kernel_bounds
from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, U, gamma
from verifier.balls.binary64.products import Products
from verifier.balls.binary64.spectral import spectral_norm
from verifier.sigma.activations import Activation

Number = Any
"""A midpoint: an array of the backend's library, or whatever an engine puts in its place."""


class Numbers:
    """Midpoints that are binary64 numbers, and plain binary64 arithmetic with them.

    Parameters
    ----------
    backend : Backend
        Library and device.
    record : Products
        Takes in every product of matrices.
    """

    unit = U
    """An operation's relative error is at most this; underflow costs less than `bounds.TINY` all together."""

    exp_error = (elementary.EXP_ULPS + 0.01) * U
    """The relative error of `exp`."""

    slight = 1e-12
    """Where one bound per entry is known, too, sharper norms matter at errors above this part of the values."""

    by_terms = True
    """Whether a product's error is relative to the sum of the terms' magnitudes, not only to the product of norms."""

    word = 8
    """Bytes of a midpoint."""

    checked = False
    """Whether every result is looked at: what is not finite may look finite to who reads its head."""

    def __init__(self, backend: Backend, record: Products) -> None:
        """Keep the library and the record."""
        self.backend, self.xp, self.record = backend, backend.xp, record

    def slack(self, more: int, *, product: int = 0, total: int = 0) -> float:
        """Bound what roundings do: ``more`` of them, a product's over so many terms, and a sum's over so many.

        Guarantee: relative to the sum of the magnitudes of what is added up, but for products, unless `by_terms`, to
        the product of the 2-norms of row and column. The two roundings that Jeannerod and Rump (`bounds`) add to those
        of a product are in ``more``.
        """
        return gamma(product + total + more)

    def given(self, values: NDArray[np.float64]) -> Number:
        """Take exact numbers over to the device."""
        return self.backend.asarray(values)

    def head(self, x: Number) -> Array:
        """Binary64 numbers within u of the midpoints, relatively."""
        return x

    def exact(self, x: Number) -> Array | None:
        """The midpoints, if they are binary64 numbers."""
        return x

    def alike(self, function: Callable[..., Array], *values: Number) -> Number:
        """What a function that only moves entries, the same way whatever they are, makes of midpoints."""
        return function(*values)

    def all_finite(self, x: Number) -> bool:
        """Guarantee: True implies that every midpoint is finite."""
        return self.backend.all_finite(x)

    def number(self, value: Fraction, *, root: bool = False) -> tuple[Number, bool]:
        """A number above 0 or below it, or its root, for `times`: off by `unit` and a little; whether it is +-2^k."""
        number = math.sqrt(float(value)) if root else float(value)
        exact = Fraction(number) ** (2 if root else 1) == value and math.frexp(abs(number))[0] == 0.5
        return number, exact

    def add(self, a: Number, b: Number, *, overwrite: bool = False) -> Number:
        """Add b to a, perhaps in the place of a if ``overwrite``."""
        if overwrite:
            a += b
            return a
        return a + b

    def subtract(self, a: Number, b: Number) -> Number:
        """Subtract b from a."""
        return a - b

    def multiply(self, a: Number, b: Number) -> Number:
        """Multiply a by b."""
        return a * b

    def divide(self, a: Number, b: Number) -> Number:
        """Divide a by b."""
        return a / b

    def times(self, a: Number, number: Number) -> Number:
        """Multiply a by one number of `number`."""
        return a * number

    def total(self, x: Number, *, keepdims: bool = False) -> Number:
        """The sum over the last axis."""
        return self.xp.sum(x, axis=-1, keepdims=keepdims)

    def mean(self, x: Number, axis: int) -> Number:
        """Something close to the mean over an axis, which stays with length 1."""
        return self.xp.mean(x, axis=axis, keepdims=True)

    def largest(self, x: Number, *, keepdims: bool = False) -> Number:
        """The largest over the last axis, exact."""
        return self.xp.max(x, axis=-1, keepdims=keepdims)

    def root_quotient(self, x: Number, y: Number) -> Number:
        """``x / sqrt(y)`` for y > 0; x broadcasts. Guarantee: relative error below three roundings."""
        return x / self.xp.sqrt(y)

    def exp(self, x: Number) -> Number:
        """``e^x`` for x <= 0; below -700 the error is below 2^-1000."""
        return self.backend.map(lambda t: elementary.exp(self.xp, t), x)

    def any_subnormal(self, x: Number) -> bool:
        """Guarantee: False implies that every midpoint is 0 or consists of normal numbers."""
        return bool(self.xp.any((self.xp.abs(x) < SMALLEST_NORMAL) & (x != 0.0)))

    def without_subnormal(self, x: Number) -> Number:
        """The same, off by less than 2^-1011, all of it 0 or normal numbers."""
        return (x + TINY) - TINY

    def matmul(self, a: Number, b: Number) -> Number:
        """Matrix product (m, k) by (k, n), in the record."""
        return self.backend.matmul(a, b, self.record)

    def matmul_stack(self, a: Number, b: Number) -> Number:
        """Matrix products (s, m, k) by (s, k, n), in the record."""
        return self.backend.matmul_stack(a, b, self.record)

    def spectral_norm(self, x: Number, *, rough: bool) -> float:
        """``||x||_2`` from above; see `spectral.spectral_norm`."""
        return spectral_norm(self.backend, x, self.record, rough=rough)

    def kernel(self, sigma: Activation, x: Number, *, overwrite: bool) -> Number:
        """An activation's values; perhaps in the place of x if ``overwrite``."""
        return self.backend.map(array_kernel(sigma, self.xp), x, overwrite=overwrite)

    def kernel_bounds(self, sigma: Activation, low: float, high: float) -> tuple[float, float]:
        """Lipschitz constant and the error of `kernel` for arguments in an interval; see `activation.kernel_bounds`."""
        found = kernel_bounds(sigma, low, high)
        return found.lipschitz, found.error

    def concatenated(self, values: Sequence[Number]) -> Number:
        """Matrices side by side."""
        if len(values) == 1:
            return values[0]
        return self.alike(lambda *parts: self.xp.concat(list(parts), axis=1), *values)
