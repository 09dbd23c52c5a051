r"""erf, arctan, sin and cos of pairs by tables of Taylor polynomials, with errors that are proved when a table is made.

A table has a row for each multiple c of 1/128 in its range; x belongs to the nearest one, c = 0 included, so that
``x_hi - c`` is exact (Sterbenz, for c != 0) and a multiple of ulp(x_hi), and ``s = x - c`` is a pair by `fast_two_sum`,
``|s| <= h = 1/256`` (and a thousandth). The polynomial ``a_0 + a_1 s + ... + a_12 s^12`` is evaluated by Horner's rule,
in binary64 for a_12 to a_6, of which only the leading bits matter, and in pairs for a_5 to a_0.

**The bound**, row by row, by balls. v_k is the value of ``a_k + s (a_(k+1) + ...)``, computed as ``hi + lo``; V, W and
E bound ``|hi|``, ``|lo|`` and the error; u = 2^-53.

* In binary64 (W = 0): ``hi' = fl(fl(hi s_hi) + a)``: ``E' = h E + 2.01 u h V + 1.01 u V' + |a - a_k|``, V' = |a| + h V;
  the first 2 is the product's rounding and s_lo.
* In pairs, P = h V: ``hi s_hi`` is a `two_product` whose rest is below u P; ``mixed = hi s_lo + lo s_hi + rest`` is
  below ``M = 2 u P + W h`` and rounds by ``u (4 u P + 3 W h)``, and ``lo s_lo``, below u W h, is left out; the leading
  parts are added to a_hi by `two_sum`, rest below ``u (|a| + P)``, and ``lo' = (mixed + a_lo) + rest`` rounds by ``u (2
  M + 3 u |a| + u P)``. So ``W' = M + 2 u |a| + u P``, V' = (|a| + P)(1 + 2u), and E' = h E + these + |a - a_k|.
* The remainder is ``sup |f^(13)|/13! h^13``, by Arb's power series over the cell. The last sum is normalised exactly.

What is of second order is covered by a factor 1.01. arctan beyond 1 is ``pi/2 - arctan(1/x)``: the quotient is off by
`DIVIDE`, which the slope ``1/(1 + y^2)`` halves at least, and the difference by `ADD` of 1.58 and pi/2 by 1. erf beyond
8.5 is taken as erf(8.5), 2^-107.9 below 1.

**sin, cos**, ``|x| <= 2^20``: k = round(2 x_hi / pi) has 20 bits, ``pi/2 = P1 + P2 + P3`` with P1 of 33 bits, a
multiple of 2^-32, P2 of 32 bits, ``|P3| < 2^-68``: k P1, k P2 and ``x_hi - k P1`` are exact (multiples of a common
unit, smaller than x or than 1), `fast_two_sum` adds x_lo and `two_sum` k P2. What rounds is ``e0 + e1 - k P3``: at most
1.5 u^2 (both sums are near 2^-53) and three times ``u |k P3|``, 3.6e-5 |x| u^2. cos(r) and sin(r) are rows of one
table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb, arb_series, ctx, fmpq
from numpy.typing import NDArray

from verifier.balls.binary64.bounds import U
from verifier.balls.binary64.elementary import TRIGONOMETRIC_LIMIT, nearest, on_device, one_at_a_time
from verifier.balls.double_double.elementary import reciprocal, signed
from verifier.balls.double_double.pair import (
    ADD,
    DIVIDE,
    U2,
    Array,
    Pair,
    fast_two_sum,
    subtract,
    two_product,
    two_sum,
)
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision

DEGREE = 12
"""Of the Taylor polynomials: within 1/256 of c the remainder is below a hundredth of U2 for all four functions."""
PAIRED = 6
"""Coefficients that are pairs: ``(1/256)^6`` is below 2^-47, so that binary64 is enough for the others."""
ROWS_PER_UNIT = 128
"""A power of two, so that the midpoints are exact; a larger table leaves the cache, a smaller one needs more terms."""
ERF_END = 8.5
"""``1 - erf(8.5)`` is below 2^-107."""
BITS = 192
"""Of the tables, whose bounds hold at any precision."""
_ROUNDING = 1.5 * 2.0**45
"""Added and subtracted it rounds to a multiple of 1/128."""
_P1, _P2, _P3 = (float.fromhex(part) for part in ("0x1.921fb544p+0", "0x1.0b4611a6p-34", "0x1.3198a2e037073p-69"))
"""pi/2 in three parts, of 33, 32 and 53 bits at most."""

Series = Callable[[arb_series], arb_series]


@dataclass(frozen=True, eq=False)
class Table:
    """Taylor polynomials of functions at multiples of 1/128, and a proved bound of their absolute error.

    Parameters
    ----------
    name : str
        Of the table.
    first : float
        The first row's midpoint times 128.
    rows : int
        Rows of each function; the functions follow one another.
    high : ndarray
        Coefficients, shape (rows, DEGREE + 1).
    low : ndarray
        The low parts of the first of them, shape (rows, PAIRED).
    error : float
        Guarantee: bounds ``|f(x) - value|`` for all pairs x in the range of the rows.
    """

    name: str
    first: float
    rows: int
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    error: float

    def __call__(self, xp: Any, x: Pair, shift: Array | float = 0.0) -> Pair:
        """Evaluate the function, or the one whose rows start ``shift`` later, at one-dimensional x in the range."""
        centre = x.hi + _ROUNDING
        centre -= _ROUNDING
        s = fast_two_sum(x.hi - centre, x.lo)
        centre *= float(ROWS_PER_UNIT)
        centre += shift - self.first
        index = xp.astype(centre, xp.int64)
        hi = xp.take(self._column(xp, "high", DEGREE), index)
        for k in range(DEGREE - 1, PAIRED - 1, -1):
            hi *= s.hi
            hi += xp.take(self._column(xp, "high", k), index)
        lo = xp.zeros_like(hi)
        for k in range(PAIRED - 1, -1, -1):
            product = two_product(hi, s.hi)
            lo *= s.hi
            lo += hi * s.lo
            lo += product.lo
            total = two_sum(xp.take(self._column(xp, "high", k), index), product.hi)
            lo += xp.take(self._column(xp, "low", k), index)
            lo += total.lo
            hi = total.hi
        return two_sum(hi, lo)

    def _column(self, xp: Any, part: str, k: int) -> Array:
        return on_device(xp, f"{self.name}.{part}.{k}", lambda: np.ascontiguousarray(getattr(self, part)[:, k]))


_TABLES: dict[str, tuple[tuple[Series, ...], float, float]] = {
    "pair erf": ((arb_series.erf,), 0.0, ERF_END),
    "pair atan": ((arb_series.atan,), 0.0, 1.0),
    "pair sin cos": ((arb_series.sin, arb_series.cos), -0.8046875, 0.8046875),
}


@lru_cache(maxsize=8)
@one_at_a_time
def table(name: str) -> Table:
    """The table of a function, with its error proved.

    Guarantee: `error` bounds ``|f(x) - value|`` for all x in the table's range: remainder, coefficients and roundings
    as the module says, the worst of the rows.
    """
    functions, low, high = _TABLES[name]
    first, count = round(low * ROWS_PER_UNIT), round((high - low) * ROWS_PER_UNIT) + 1
    before = ctx.cap
    ctx.cap = DEGREE + 2
    try:
        with working_precision(BITS):
            half = arb(fmpq(1, 2 * ROWS_PER_UNIT)) * arb(fmpq(1001, 1000))
            worst, leading, rest = arb(0), [], []
            for function in functions:
                for row in range(first, first + count):
                    centre = arb(fmpq(row, ROWS_PER_UNIT))
                    exact = function(arb_series([centre, arb(1)], prec=DEGREE + 1))
                    over = function(arb_series([centre + half * arb(0, 1), arb(1)], prec=DEGREE + 2))
                    floats = [nearest(exact[k]) for k in range(DEGREE + 1)]
                    small = [nearest(exact[k] - arb(floats[k])) for k in range(PAIRED)]
                    away = [abs(exact[k] - arb(a)) for k, a in enumerate(floats)]
                    away[:PAIRED] = [abs(exact[k] - arb(floats[k]) - arb(b)) for k, b in enumerate(small)]
                    remainder = abs(over[DEGREE + 1]) * half ** (DEGREE + 1)
                    worst = worst.max((_horner_error(floats, away, half) + remainder).upper())
                    leading.append(floats)
                    rest.append(small)
    finally:
        ctx.cap = before
    return Table(name, float(first), count, np.array(leading), np.array(rest), upper_float(worst * fmpq(101, 100)))


def _horner_error(floats: list[float], away: list[arb], h: arb) -> arb:
    """Bound the error of a row's polynomial for ``|s| <= h``: V, W and E of the module's text."""
    u, value, low, error = arb(U), arb(abs(floats[DEGREE])), arb(0), away[DEGREE]
    for k in range(DEGREE - 1, -1, -1):
        size, product, error = arb(abs(floats[k])), h * value, h * error + away[k]
        if k >= PAIRED:
            value = size + product
            error += fmpq(201, 100) * u * product + fmpq(101, 100) * u * value
            continue
        mixed = 2 * u * product + low * h
        error += u * (4 * u * product + 3 * low * h) + u * low * h
        error += u * (2 * mixed + 3 * u * size + u * product)
        low = mixed + 2 * u * size + u * product
        value = (size + product) * (1 + 2 * u)
    return error


def _limited(xp: Any, x: Pair, most: float) -> tuple[Pair, Array]:
    """``min(|x|, most)``, and where x is beyond."""
    magnitude = signed(xp, x, x)
    beyond = magnitude.hi >= most
    low = xp.where(beyond, xp.asarray(0.0, dtype=xp.float64), magnitude.lo)
    return Pair(xp.minimum(magnitude.hi, xp.asarray(most, dtype=xp.float64)), low), beyond


def erf(xp: Any, x: Pair) -> Pair:
    """Error function. Guarantee: absolute error at most ``erf_error()`` for every finite argument."""
    return signed(xp, table("pair erf")(xp, _limited(xp, x, ERF_END)[0]), x)


def erf_error() -> float:
    """Absolute error of `erf`: the table's, and ``1 - erf(8.5)``.

    Guarantee: the result is at least the error for every finite argument.
    """
    return table("pair erf").error + 2.0**-107


def arctan(xp: Any, x: Pair) -> Pair:
    """Arctangent; beyond 1 by ``pi/2 - arctan(1/x)``. Guarantee: absolute error at most ``arctan_error()``."""
    inner, large = _limited(xp, x, 1.0)
    outer, one = _limited(xp, x, 2.0**900)[0], xp.ones_like(x.hi)
    inverse = reciprocal(xp, Pair(xp.where(large, outer.hi, one), xp.where(large, outer.lo, 0.0 * one)))
    chosen = Pair(xp.where(large, inverse.hi, inner.hi), xp.where(large, inverse.lo, inner.lo))
    value = table("pair atan")(xp, chosen)
    turned = subtract(Pair(xp.full_like(x.hi, _P1 + _P2), xp.full_like(x.hi, (_P1 - (_P1 + _P2)) + _P2 + _P3)), value)
    return signed(xp, Pair(xp.where(large, turned.hi, value.hi), xp.where(large, turned.lo, value.lo)), x)


def arctan_error() -> float:
    """Absolute error of `arctan`: the table's, that of the quotient, of pi/2 and of the difference.

    Guarantee: the result is at least the error for every finite argument.
    """
    return table("pair atan").error + (DIVIDE / 2.0 + 1.58 * ADD + 1.0) * U2 * 1.01


def sin(xp: Any, x: Pair, quarter: int = 0) -> Pair:
    """``sin(x + quarter pi/2)`` for ``|x| <= 2^20``. Guarantee: absolute error at most ``sin_error(|x|)``."""
    turns = x.hi * (2.0 / math.pi)
    turns += 1.5 * 2.0**52
    turns -= 1.5 * 2.0**52
    leading = fast_two_sum(x.hi - turns * _P1, x.lo)
    r = two_sum(leading.hi, turns * -_P2)
    rest = leading.lo
    rest += r.lo
    rest -= turns * _P3
    turns += float(quarter)
    turns -= 4.0 * xp.floor(turns * 0.25)  # exact: 0, 1, 2, 3
    waves = table("pair sin cos")
    odd = xp.astype((turns == 1.0) | (turns == 3.0), xp.float64)
    value = waves(xp, two_sum(r.hi, rest), odd * float(waves.rows))
    return signed(xp, value, Pair(1.5 - turns, turns))


def sin_error(size: float) -> float:
    """Absolute error of `sin` for arguments up to a size, at most 2^20: the table's and the reduction's.

    Guarantee: the result is at least the error.
    """
    return table("pair sin cos").error + (1.6 + 4e-5 * min(size, TRIGONOMETRIC_LIMIT)) * U2
