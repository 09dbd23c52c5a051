r"""Arithmetic on pairs of binary64 numbers, with a proved relative error for each operation.

A pair stands for the exact number ``hi + lo``, with ``hi = fl(hi + lo)``, so ``|lo| <= u |hi|``, ``u = 2^-53``. Errors
are relative to the exact result, in units of ``U2 = u^2 = 2^-106``; to each belongs the absolute allowance ``TINY`` for
underflow. What overflows ends in a pair that is not finite, never in a wrong finite one: a number that overflows is
subtracted from its like or multiplied, which gives NaN or infinity, and both stay. (Factors must be below 2^996, else
their halves overflow: NaN.)

**Error-free transformations** (Dekker 1971; Knuth). ``two_sum`` and ``fast_two_sum`` (for ``|a| >= |b|`` or a = 0) give
s = fl(a + b) and the exact rest; ``two_product`` cuts factors into halves of at most 26 bits (Veltkamp), whose products
are exact, so that p = fl(a b) and the exact rest come out without fused multiply-add. Each operation is one call of the
library that stores its result: there is nothing to contract. `not_error_free` tests that.

**Errors.** P = |x_hi y_hi|, all up to a factor ``1 + O(u)`` that the constants' last digits pay for.

* `add`, `subtract`: AccurateDWPlusDW of Joldes, Muller and Popescu, *Tight and rigorous error bounds for basic building
  blocks of double-word arithmetic*, ACM TOMS 44 (2017), Theorem 3.1: ``3 u^2 / (1 - 4u)``; proved in Coq by Muller and
  Rideau, ACM TOMS 48 (2022). `add_float`: DWPlusFP, Theorem 2.2: ``2 u^2``.
* `multiply`: the product of the low parts is left out, u^2 P; the mixed products are at most u P each and are rounded,
  2 u^2 P; so is their sum, 2 u^2 P, and its sum with the rest of x_hi y_hi, 3 u^2 P: 8 u^2 P in all.
* `times_float`: one mixed product, u^2 P, and its sum with the rest of x_hi y, 2 u^2 P: 3 u^2 P in all.
* `divide`: with ``q = fl(x_hi / y_hi)``, ``|x - q y| <= 3 u |x_hi|``; computed, with an error of 3 u^2 |x_hi| from
  `times_float`, 2 u^2 |x_hi| from the difference of the low parts, 3 u^2 |x_hi| from the last sum (the difference of
  the high parts is exact, by Sterbenz); divided by y_hi for y, 3 u^2 |q|, and rounded, 3 u^2 |q|: 14 u^2 in all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.bounds import U

Array = Any
"""An array of the backend's library."""

Floats = NDArray[np.float64]

U2 = U * U
"""``2^-106``, the unit of relative errors."""

ADD = 3.01
"""Relative error of `add` and `subtract` in units of U2."""
ADD_FLOAT = 2.01
"""Relative error of `add_float` in units of U2."""
MULTIPLY = 8.01
"""Relative error of `multiply` and `square` in units of U2."""
TIMES_FLOAT = 3.01
"""Relative error of `times_float` in units of U2."""
DIVIDE = 14.01
"""Relative error of `divide` in units of U2."""

PAIR_SHARE = 4
"""Functions of pairs have many temporaries: their chunks are so much shorter than those of functions of numbers."""

_SPLITTER = 2.0**27 + 1.0
"""Veltkamp's factor: it cuts 53 bits into halves of 26, a sign included."""


class Pair(NamedTuple):
    """The exact numbers ``hi + lo``: two float64 arrays of one shape, ``hi = fl(hi + lo)``."""

    hi: Array
    lo: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of both arrays."""
        return tuple(int(n) for n in self.hi.shape)


def two_sum(a: Array, b: Array) -> Pair:
    """Add two arrays of numbers without error.

    Guarantee: ``hi = fl(a + b)`` and ``hi + lo = a + b``, unless it overflows. Source: Knuth; see the module.
    """
    s = a + b
    t = s - a
    rest = s - t
    rest = a - rest
    t = b - t
    rest += t
    return Pair(s, rest)


def fast_two_sum(a: Array, b: Array) -> Pair:
    """Add without error what is no larger: ``|a| >= |b|`` or a = 0, entry by entry.

    Guarantee: ``hi = fl(a + b)`` and ``hi + lo = a + b``, unless it overflows. Source: Dekker 1971.
    """
    s = a + b
    rest = s - a
    rest = b - rest
    return Pair(s, rest)


def _halves(a: Array) -> Pair:
    """Cut numbers into two halves of at most 26 bits each whose sum they are."""
    c = a * _SPLITTER
    high = c - a
    high = c - high
    return Pair(high, a - high)


def two_product(a: Array, b: Array) -> Pair:
    """Multiply two arrays of numbers without error.

    Guarantee: ``hi = fl(a b)`` and ``|hi + lo - a b| <= TINY``, with equality unless the product is below 2^-900; not
    finite if a factor reaches 2^996 or the product overflows. Source: Dekker 1971; see the module.
    """
    p = a * b
    x, y = _halves(a), (_halves(b) if b is not a else None)
    y = x if y is None else y
    rest = x.hi * y.hi
    rest = rest - p
    rest += x.hi * y.lo
    rest += x.lo * y.hi
    rest += x.lo * y.lo
    return Pair(p, rest)


def add(x: Pair, y: Pair) -> Pair:
    """Return ``x + y``.

    Guarantee: relative error at most ``ADD * U2``. Source: Joldes, Muller and Popescu 2017, Theorem 3.1.
    """
    s, t = two_sum(x.hi, y.hi), two_sum(x.lo, y.lo)
    v = fast_two_sum(s.hi, s.lo + t.hi)
    return fast_two_sum(v.hi, t.lo + v.lo)


def subtract(x: Pair, y: Pair) -> Pair:
    """Return ``x - y``.

    Guarantee: relative error at most ``ADD * U2``. Source: as `add`.
    """
    return add(x, negate(y))


def add_float(x: Pair, y: Array) -> Pair:
    """Return ``x + y`` for float64 y.

    Guarantee: relative error at most ``ADD_FLOAT * U2``. Source: Joldes, Muller and Popescu 2017, Theorem 2.2.
    """
    s = two_sum(x.hi, y)
    return fast_two_sum(s.hi, x.lo + s.lo)


def multiply(x: Pair, y: Pair) -> Pair:
    """Return ``x y``.

    Guarantee: relative error at most ``MULTIPLY * U2``, plus `TINY`. Source: the module's text.
    """
    p = two_product(x.hi, y.hi)
    mixed = x.hi * y.lo
    mixed += x.lo * y.hi
    mixed += p.lo
    return fast_two_sum(p.hi, mixed)


def square(x: Pair) -> Pair:
    """Return ``x^2``.

    Guarantee: relative error at most ``MULTIPLY * U2``, plus `TINY`. Source: as `multiply`.
    """
    return multiply(x, x)


def times_float(x: Pair, y: Array) -> Pair:
    """Return ``x y`` for float64 y, an array or a number.

    Guarantee: relative error at most ``TIMES_FLOAT * U2``, plus `TINY`. Source: the module's text.
    """
    p = two_product(x.hi, y)
    mixed = x.lo * y
    mixed += p.lo
    return fast_two_sum(p.hi, mixed)


def divide(x: Pair, y: Pair) -> Pair:
    """Return ``x / y``.

    Guarantee: relative error at most ``DIVIDE * U2``, plus `TINY` and, where the quotient times y is below 2^-900, its
    underflow divided by y; not finite where y is zero or not finite. Source: the module's text.
    """
    q = x.hi / y.hi
    r = times_float(y, q)
    rest = x.hi - r.hi
    rest += x.lo - r.lo
    return fast_two_sum(q, rest / y.hi)


def negate(x: Pair) -> Pair:
    """Return ``-x`` of a pair of any shape; no rounding occurs."""
    return Pair(-x.hi, -x.lo)


def scaled(x: Pair, exponent: int) -> Pair:
    """Return ``x 2^exponent``.

    Guarantee: exact, up to `TINY` where it underflows; not finite where it overflows.

    Raises
    ------
    ValueError
        If the exponent is outside -1000..1000.
    """
    if not -1000 <= exponent <= 1000:
        raise ValueError(f"scaled by 2^{exponent}: the exponent must be in -1000..1000")
    factor = 2.0**exponent
    return Pair(x.hi * factor, x.lo * factor)


def of_floats(xp: Any, values: Array) -> Pair:
    """Return float64 numbers as pairs, exactly."""
    return Pair(values, xp.zeros_like(values))


def all_finite(backend: Backend, x: Pair) -> bool:
    """Whether no entry is NaN or infinite.

    Guarantee: True implies that every number of both arrays is finite.
    """
    return backend.all_finite(x.hi) and backend.all_finite(x.lo)


def map_pairs(backend: Backend, function: Callable[..., Pair], *values: Pair) -> Pair:
    """Apply an elementwise function of pairs by chunks that fit the cache.

    Guarantee: each entry of the result is the function's value at the entries at the same place.

    Parameters
    ----------
    backend : Backend
        The library, and the size of a chunk.
    function : callable
        Takes as many pairs of one-dimensional arrays as there are values, and returns one.
    *values : Pair
        Of one shape.

    Returns
    -------
    Pair
        Of that shape.
    """
    xp, shape = backend.xp, values[0].hi.shape
    flat = [Pair(*(xp.reshape(part, (-1,)) for part in value)) for value in values]
    size = int(flat[0].hi.shape[0])
    hi, lo = xp.empty_like(flat[0].hi), xp.empty_like(flat[0].hi)

    def work(part: slice) -> None:
        hi[part], lo[part] = function(*(Pair(value.hi[part], value.lo[part]) for value in flat))

    backend.in_chunks(work, size, max(1, backend.chunk // PAIR_SHARE))
    return Pair(xp.reshape(hi, shape), xp.reshape(lo, shape))


PROBED = 512
"""Operands of each transformation that `not_error_free` tries."""


@functools.lru_cache(maxsize=1)
def _planted() -> tuple[Floats, Floats, Floats, Floats]:
    """Operands a, b, and the exact rests of their rounded sums and products."""
    generator = np.random.default_rng(1971)
    a, b = (generator.standard_normal(PROBED) * 2.0 ** generator.integers(-40, 40, PROBED) for _ in range(2))
    exact = [(Fraction(x), Fraction(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    sums = [float(x + y - Fraction(float(x + y))) for x, y in exact]
    products = [float(x * y - Fraction(float(x * y))) for x, y in exact]
    return a, b, np.array(sums), np.array(products)


def not_error_free(backend: Backend) -> Array:
    """Whether a library does not transform sums and products without error; one truth value, for `Products.doubt`.

    Guarantee: False only if the rests of planted sums and products, by `two_sum` and `two_product`, are the exact ones:
    evidence that the library neither contracts nor reassociates across calls.
    """
    a, b, sums, products = (backend.asarray(part) for part in _planted())
    xp = backend.xp
    return xp.any((two_sum(a, b).lo != sums) | (two_product(a, b).lo != products))
