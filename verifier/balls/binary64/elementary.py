r"""Elementary functions from ``+ - * /``, powers of two and comparisons alone, with proved errors.

No library function is trusted (their errors are unknown and differ by processor). Arguments are finite binary64 arrays,
one-dimensional, inside the stated range; u = 2^-53. Every function is written for an array API namespace ``xp``.

**exp**, ``|x| <= 709``: with ``m = round(64 x / ln 2)`` (by adding and subtracting 1.5 * 2^52; any integer with
``|r| <= 0.00545`` would do) and ``ln 2 / 64 = L1 + L2``, L1 of 32 bits, ``r = (x - m L1) - m L2``, the result is
``T_m + T_m p(r)``, ``T_m = fl(2^(m/64))`` from a table made by Arb, ``p = r + r^2 (1/2 + r/6 + ... + r^4/720)``.

*Proof of the bound.* ``|m| < 2^17``, so ``m L1`` has at most 49 bits: exact, fused or not. ``x - m L1`` is a multiple
of the smaller of ulp(x) and the last bit of L1, which is at most 2^53 times finer than the difference, below 2^-7:
exact. ``|m L2| < 2^-22``, so rounding it costs 2^-22 u, L2's own rounding 2^-70; the subtraction rounds by
``|r| u <= 0.0055 u``. Hence r is off by at most 0.0056 u. The Taylor remainder is below ``r^7/5040 < 3e-20 < 0.001 u``.
``|p| <= 0.00547``, computed with a relative error below 3.2 u, i.e. 0.018 u absolutely; times T_m, rounded: 0.0055 u
more. T_m is rounded to nearest: u. The last addition rounds by u relative to the result. In all, relative to
``e^x >= 0.994 T_m``: ``2 u + (0.0056 + 0.001 + 0.018 + 0.0055) u / 0.994 + O(u^2) < 2.05 u``. `EXP` claims 2.09 u.
Arguments below -708 are evaluated at -708: the result and the truth are then both in ``[0, 2^-1021]``.

**tanh** ``= sign(t) (1 - F)/(1 + F)``, ``F = exp(-2|t|)``: numerator and denominator have errors at most
``2.09 u F + u (1 -+ F)``, the quotient one rounding more; the sum of the three contributions is largest at F = 0:
absolute error <= 3.01 u. **sigmoid** with ``E = exp(-|t|)``: ``1/(1+E)`` or ``E/(1+E)``, relative error at most
``2.09 u + (1 + 2.09/2) u + u < 5.8 u``. **log1p** on [0, 1] is ``2 artanh(z)``, ``z = y/(2+y) <= 1/3``: 17 terms of
``2 (z + z^3/3 + ...)`` leave ``z^35/35 * 9/8 < 0.02 u`` relative; z has relative error 2.01 u and artanh has condition
at most 1.09; Horner's last product and sum cost less than 2 u: relative error <= 6.1 u. **softplus**
``= max(t, 0) + log1p(exp(-|t|))``: relative error <= 9.3 u.

**Tables.** erf on [0, 6], arctan on [0, 1], sin and cos on [-1, 1]: on cells of width 1/32 around midpoints c, a Taylor
polynomial of degree `DEGREE` with coefficients by Arb. The Lagrange remainder is enclosed by Arb's power series of the
function over the whole cell; the roundings of Horner's rule and of the coefficients are added. The constants that come
out are proved when the table is made, and `error` returns them.

**log**: an untrusted logarithm ``y0`` is accepted if ``w = fl(x exp(-y0))`` is close to 1:
``log x = y0 + log(x e^-y0)``, so ``|y0 - log x| <= 1.01 |w - 1| + 3.2 u``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from flint import arb, arb_series, ctx, fmpq
from numpy.typing import NDArray

from verifier.balls.binary64.bounds import U
from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision

Array = Any

P = ParamSpec("P")
T = TypeVar("T")

EXP_ULPS = 2.09
"""``|exp(x) - fl(exp(x))| <= 2.09 u e^x`` for -708 <= x <= 709."""
TANH_ULPS = 3.01
"""Absolute error of tanh in units of u, all finite arguments."""
SIGMOID_ULPS = 5.8
"""Relative error of sigmoid in units of u, all finite arguments."""
SOFTPLUS_ULPS = 9.3
"""Relative error of softplus in units of u, all finite arguments."""
EXP_LOW, EXP_HIGH = -708.0, 709.0
"""``e^-708`` is above the smallest normal number, ``e^709`` below the largest number."""
EXP_FLUSHED = 2.0**-1021
"""Absolute error of exp below -708."""
TRIGONOMETRIC_LIMIT = 2.0**20
"""Largest argument of sin and cos; beyond it nothing is claimed."""
LOG_CHECK = 16.0 * U
"""``|x exp(-log x) - 1|`` above ``LOG_CHECK (1 + |log x|)`` refuses the library's logarithm."""

_STEPS = 64
"""Values of exp in an octave that the table holds: ``|r|`` is at most half of ``ln 2 / 64``."""
_MAGIC = 1.5 * 2.0**52
"""Added and subtracted it rounds a number below 2^51 to an integer: numbers of this size are integers."""
_L1 = float.fromhex("0x1.62e42feep-7")
_L2 = float.fromhex("0x1.a39ef35793c76p-39")
_INVERSE = float.fromhex("0x1.71547652b82fep+6")
_LOWEST = -1022 * _STEPS
"""The m of the first number in the table, 2^-1022."""
_C2, _C3, _C4, _C5, _C6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720
"""Taylor coefficients of exp."""
DEGREE = 8
"""Of the Taylor polynomials: within 1/64 of c the remainder is below a tenth of u for all four functions."""
CELLS_PER_UNIT = 32
"""The tables stay small: 192 cells for erf, 64 and fewer for the others."""
_ARTANH_TERMS = 17
"""What is left of the series is below 0.02 u; see the text above."""


class LogarithmRefused(ArithmeticError):
    """The library's logarithm is too far from the inverse of our exp."""


_MAKING = threading.RLock()


def one_at_a_time(make: Callable[P, T]) -> Callable[P, T]:
    """Let one thread at a time make tables: Arb's precision is one for all threads (`working_precision`).

    Guarantee: no two threads are inside functions made so; one thread may go from one into another.
    """

    @wraps(make)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with _MAKING:
            return make(*args, **kwargs)

    return alone


@lru_cache(maxsize=1)
def _powers() -> NDArray[np.float64]:
    """``2^(m/64)`` rounded to nearest, m from -1022 * 64 to 1024 * 64 - 1."""
    with working_precision(128):
        steps = [arb(2) ** arb(fmpq(j, _STEPS)) for j in range(_STEPS)]
        found = [nearest(step) for step in steps]
    return np.concatenate([np.ldexp(np.array(found), k) for k in range(-1022, 1024)])


def nearest(value: arb) -> float:
    """The binary64 number nearest to a narrow ball."""
    candidate = float(value.mid())
    near = (math.nextafter(candidate, -math.inf), candidate, math.nextafter(candidate, math.inf))
    distances = [(abs(value - arb(c)), c) for c in near]
    best = distances[1]
    for entry in distances:
        if entry[0] < best[0]:
            best = entry
    return best[1]


_DEVICE_TABLES: dict[tuple[Any, str], Array] = {}


@one_at_a_time
def on_device(xp: Any, name: str, values: Callable[[], NDArray[np.float64]]) -> Array:
    """The table as an array of the library, made once, by one thread."""
    key = (xp, name)
    if key not in _DEVICE_TABLES:
        _DEVICE_TABLES[key] = xp.asarray(values())
    return _DEVICE_TABLES[key]


def exp(xp: Any, x: Array) -> Array:
    """``e^x`` for one-dimensional x <= 709.

    Guarantee: relative error <= 2.09 u on [-708, 709]; below, both value and truth are in [0, 2^-1021].
    """
    x = xp.maximum(x, xp.asarray(EXP_LOW, dtype=xp.float64))
    m = x * _INVERSE
    m += _MAGIC
    m -= _MAGIC
    r = m * _L1
    r = x - r
    r -= m * _L2
    p = r * _C6
    p += _C5
    p *= r
    p += _C4
    p *= r
    p += _C3
    p *= r
    p += _C2
    p *= r
    p *= r
    p += r
    m -= _LOWEST
    t = xp.take(on_device(xp, "exp2", _powers), xp.astype(m, xp.int64))
    p *= t
    p += t
    return p


def tanh(xp: Any, t: Array) -> Array:
    """Hyperbolic tangent. Guarantee: absolute error <= 3.01 u for every finite argument."""
    f = xp.abs(t)
    f *= -2.0
    f = exp(xp, f)
    low = 1.0 - f
    f += 1.0
    low /= f
    return xp.copysign(low, t)


def sigmoid(xp: Any, t: Array) -> Array:
    """``1/(1 + e^-t)``. Guarantee: relative error <= 5.8 u, and 2^-1021 absolutely where it is below that."""
    e = exp(xp, -xp.abs(t))
    return xp.where(t < 0.0, e, xp.asarray(1.0, dtype=xp.float64)) / (1.0 + e)


def log1p_unit(xp: Any, y: Array) -> Array:
    """``log(1 + y)`` for y in [0, 1]. Guarantee: relative error <= 6.1 u, plus 2^-1021 absolutely."""
    z = y / (y + 2.0)
    s = z * z
    total = s * (1.0 / (2 * _ARTANH_TERMS - 1))
    for k in range(_ARTANH_TERMS - 2, 0, -1):
        total += 1.0 / (2 * k + 1)
        total *= s
    total *= z
    total += z
    return 2.0 * total


def softplus(xp: Any, t: Array) -> Array:
    """``log(1 + e^t)``. Guarantee: relative error <= 9.3 u, plus 2^-1021."""
    value = log1p_unit(xp, exp(xp, -xp.abs(t)))
    value += xp.maximum(t, xp.asarray(0.0, dtype=xp.float64))
    return value


def log(xp: Any, x: Array) -> Array:
    """Natural logarithm of numbers in [2^-1000, 2^1000].

    Guarantee: ``|result - log x| <= 1.01 LOG_CHECK (1 + |result|) + 3.2 u``.

    Raises
    ------
    LogarithmRefused
        If the library's value fails the check.
    """
    y = xp.log(x)
    w = xp.abs(x * exp(xp, -y) - 1.0)
    if not bool(xp.all(w <= LOG_CHECK * (1.0 + xp.abs(y)))):
        raise LogarithmRefused("the array library's log is not the inverse of exp to 16 units of roundoff")
    return y


@dataclass(frozen=True)
class Table:
    """Taylor polynomials of one function on [low, high], and a proved bound of their absolute error."""

    name: str
    low: float
    cells: int
    coefficients: NDArray[np.float64]
    error: float

    def __call__(self, xp: Any, x: Array) -> Array:
        """Evaluate the function at a one-dimensional array x within [low, high]."""
        position = xp.floor((x - self.low) * float(CELLS_PER_UNIT))
        position = xp.clip(position, 0.0, float(self.cells - 1))
        s = x - ((position + 0.5) * (1.0 / CELLS_PER_UNIT) + self.low)
        index = xp.astype(position, xp.int64)
        total = xp.take(self._column(xp, DEGREE), index)
        for k in range(DEGREE - 1, -1, -1):
            total *= s
            total += xp.take(self._column(xp, k), index)
        return total

    def _column(self, xp: Any, k: int) -> Array:
        return on_device(xp, f"{self.name}.{k}", lambda: np.ascontiguousarray(self.coefficients[:, k]))


_SERIES: dict[str, tuple[Callable[[arb_series], arb_series], float, float]] = {
    "erf": (arb_series.erf, 0.0, 6.0),
    "atan": (arb_series.atan, 0.0, 1.0),
    "sin": (arb_series.sin, -1.0, 1.0),
    "cos": (arb_series.cos, -1.0, 1.0),
}


@lru_cache(maxsize=8)
@one_at_a_time
def table(name: str) -> Table:
    """The table of a function, with its error proved.

    Per cell with midpoint c and half-width h = 1/64: remainder ``sup |f^(n+1)|/(n+1)! h^(n+1)`` by Arb over the cell;
    coefficients rounded (error <= ``u |a_k| h^k`` each); Horner's rule in binary64 with ``|s| <= h``: error <=
    ``sum_k gamma_(2k+2) |a_k| h^k``; the argument ``s = x - c`` is off by at most 2u (rounding of the difference, where
    it is not exact), which moves the value by at most ``2u sup |f'|``, and x may lie 4u outside of the cell.

    Guarantee: `error` bounds ``|f(x) - value|`` for all x in the table's range.
    """
    function, low, high = _SERIES[name]
    cells = round((high - low) * CELLS_PER_UNIT)
    before = ctx.cap
    ctx.cap = DEGREE + 2
    try:
        with working_precision(128):
            half = arb(fmpq(1, 2 * CELLS_PER_UNIT)) * arb(fmpq(1001, 1000))
            worst, rows = arb(0), []
            for cell in range(cells):
                centre = arb(fmpq(2 * cell + 1, 2 * CELLS_PER_UNIT)) + arb(low)
                exact = function(arb_series([centre, arb(1)], prec=DEGREE + 1))
                over = function(arb_series([centre + half * arb(0, 1), arb(1)], prec=DEGREE + 2))
                floats = [float(exact[k].mid()) for k in range(DEGREE + 1)]
                error = abs(over[DEGREE + 1]) * half ** (DEGREE + 1) + 2 * arb(U) * abs(over[1])
                for k, value in enumerate(floats):
                    size = arb(abs(value)) * half**k
                    error += abs(exact[k] - arb(value)) * half**k + size * (2 * k + 4) * arb(U)
                worst = worst.max(error.upper())
                rows.append(floats)
    finally:
        ctx.cap = before
    return Table(name, low, cells, np.array(rows), upper_float(worst) * 1.001)


def erf(xp: Any, x: Array) -> Array:
    """Error function. Guarantee: absolute error <= ``erf_error()``."""
    magnitude = xp.minimum(xp.abs(x), xp.asarray(6.0, dtype=xp.float64))
    return xp.copysign(table("erf")(xp, magnitude), x)


def erf_error() -> float:
    """Absolute error of `erf`: the table's, and ``1 - erf(6) < 2.2e-17`` beyond 6.

    Guarantee: the result is at least the error for every finite argument.
    """
    return table("erf").error + 2.2e-17


def arctan(xp: Any, x: Array) -> Array:
    """Arctangent; beyond 1 by ``pi/2 - arctan(1/x)``. Guarantee: absolute error <= ``arctan_error()``."""
    magnitude = xp.abs(x)
    one = xp.asarray(1.0, dtype=xp.float64)
    large = magnitude > 1.0
    inner = xp.where(large, 1.0 / xp.maximum(magnitude, one), magnitude)
    value = table("atan")(xp, inner)
    value = xp.where(large, 1.5707963267948966 - value, value)
    return xp.copysign(value, x)


def arctan_error() -> float:
    """Absolute error of `arctan`: the table's, u for the quotient, 2u for pi/2 and the difference.

    Guarantee: the result is at least the error for every finite argument.
    """
    return table("atan").error + 4.0 * U


_P1, _P2 = float.fromhex("0x1.921fb544p+0"), float.fromhex("0x1.0b4611a4p-34")
"""Leading parts of pi/2, 31 and 31 bits or fewer; `_P3` is the rest."""


@lru_cache(maxsize=1)
@one_at_a_time
def _p3() -> float:
    with working_precision(256):
        return float((arb.pi() / 2 - arb(_P1) - arb(_P2)).mid())


def sin(xp: Any, x: Array, quarter: int = 0) -> Array:
    """``sin(x + quarter pi/2)`` for ``|x| <= 2^20``.

    With ``k = round(2x/pi)``: ``k P1`` and ``k P2`` are exact (21 + 31 bits), ``x - k P1`` is exact (multiples of a
    common unit, smaller than x), the other two differences round by u each (they are below 1), ``k P3`` by less.

    Guarantee: absolute error <= ``sin_error()``.
    """
    k = x * 0.6366197723675814
    k += _MAGIC
    k -= _MAGIC
    r = x - k * _P1
    r -= k * _P2
    r -= k * _p3()
    r = xp.clip(r, -1.0, 1.0)
    turn = k + float(quarter)
    turn -= 4.0 * xp.floor(turn * 0.25)  # exact: 0, 1, 2, 3
    value = xp.where((turn == 1.0) | (turn == 3.0), table("cos")(xp, r), table("sin")(xp, r))
    return xp.where(turn >= 2.0, -value, value)


def sin_error() -> float:
    """Absolute error of `sin`: the larger table's, 4u for the reduction.

    Guarantee: the result is at least the error for all arguments up to 2^20 in size.
    """
    return max(table("sin").error, table("cos").error) + 4.0 * U
