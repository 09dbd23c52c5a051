r"""Elementary functions of pairs of binary64 numbers, from ``+ - * /``, roots and comparisons, with proved errors.

As in `verifier.balls.binary64.elementary` no library function is trusted but the operations of IEEE 754. Arguments are
finite pairs of one-dimensional arrays, ``hi = fl(hi + lo)``, inside the stated range; u = 2^-53, and errors are in
units of u^2 = 2^-106 (`pair.U2`). Nothing depends on fused operations: each operation is one call of the library.

**exp**, ``x <= 709``. ``m = round(x_hi 4096 / ln 2)`` by adding and subtracting 1.5 2^52; ``ln 2 / 4096 = L1 + L2 +
L3`` with L1 a multiple of 2^-43 and L2 of 2^-74, 31 bits at most, and ``|L3| < 2^-78``; ``|m| < 2^22``, so m L1 and m
L2 are exact. x_hi and m L1 are multiples of ``q = min(ulp(x_hi), 2^-43)`` and their difference is below both 2^-13 and
2^53 q: exact, and a multiple of ulp(x_hi) wherever ``|x_hi| < 2^10``, so that `fast_two_sum` may add x_lo to it. With
`two_sum` for m L2 all that rounds is ``r_lo = e0 + e1 - m L3``, ``|r_lo| <= 2^-66 + 2^-56.2``: ``r = x - m ln 2 /
4096`` is known as ``r_hi + r_lo`` within 0.34 u^2, ``|r| <= R = 2^-13.52``.

``p = e^r - 1 = r + r^2/2 + r^3/6 + r^4/24 (1 + r/5 + r^2/30 + r^3/210) + ...``; the rest is below R^8/40320 < 2^-123.

* ``r^2/2 = q1 + q2``: with a = r_hi rounded to a multiple of 2^-40, q1 = a^2/2 is exact (53 bits), and ``q2 = (r_hi -
  a)(r_hi + a)/2 + r_hi r_lo``, ``|q2| <= 2^-54.5``, is off by three roundings, 1.07 u^2; r_lo^2/2 < 2^-113.
* ``r^3/6 = (q1 + q2)(r/3)``: ``r/3 = g + d``, g a multiple of 2^-40 (25 bits), ``r_hi - 3 g`` exact; with q1 cut at
  2^-55 the product c1 of the leading parts is exact, the others are below 2^-69: 0.05 u^2.
* The fourth term is below 2^-58.7 and goes through 11 roundings: 0.22 u^2.
* The exact parts r_hi, q1, c1 are added by `fast_two_sum` (each is smaller than the sum before it); the small parts,
  below 2^-54.1 and 2^-54, are added with three roundings: 1.5 u^2.

So p is ``p_hi + p_lo`` within 3.2 u^2, ``|p_lo| <= 2^-53.9``. T_m = 2^(m/4096), in [1, 2) but for a power of two, is
``t_hi + t_lo`` within u^2/2 (a table made by Arb), ``|t_lo| <= 2^-53``. ``T p = t_hi p_hi`` (`two_product`) ``+ t_hi
p_lo + t_lo (p_hi + p_lo)``; relative to T: 0.54 u^2 for the product t_hi p_lo, twice 0.6 u^2 for sums below 2^-53.8 T,
1.62 u^2 and 2.6 u^2 for the sums with t_lo and with the rest of ``t_hi + t_hi p_hi``, below 2^-52.3 T and 2^-51.6 T. In
all ``3.2 + 0.5 + 0.54 + 1.2 + 1.62 + 2.6 < 9.7 u^2``; `EXP` claims 10. The power of two is exact, but for underflow:
below -708 the argument is taken as -708, value and truth are then in ``[0, 2^-1020]``, and so is what underflows above.

**tanh** ``= sign(t) (1 - F)/(1 + F)``, ``F = exp(-2|t|)``. 1 and F_hi are added without error, the low parts with one
rounding: errors of 10 F + 1 and 10 F + 1.5 u^2 (low parts below 2^-53 and 1.5 2^-53; both parts are larger than their
low parts, so that `fast_two_sum` may normalise them: F >= 1/2 makes 1 - F_hi exact and a multiple of 2^-53). `divide`
adds `DIVIDE`: ``(10 F + 1)/D + N (10 F + 1.5)/D^2 + 14.01 N/D`` is largest at F = 0: 16.6 u^2 absolutely.

**sigmoid** ``1/(1 + E)`` or ``E/(1 + E)``, ``E = exp(-|t|)``: ``(10 E + 1.5)/D^2 + 14.01/D`` and ``(E/D)(10 + (10 E +
1.5)/D + 14.01)`` are at most 15.6 u^2 absolutely.

**log**, x in [2^-890, 2^890]: with an untrusted y0, ``log x = y0 + log(1 + w)``, ``w = x e^(-y0) - 1``, within ``10 +
8.01`` u^2 (`EXP`, `MULTIPLY`; the difference of the leading part and 1 is exact, a multiple of 2^-53 and, unless it is
0, not below the low part, so that `fast_two_sum` makes a pair of w). ``|w| <= 2^-40`` is tested, so ``w_hi + (w_lo -
w_hi^2/2)`` is log(1 + w) within 2^-121, its rounding below 2^-133 (w_hi w_lo is, too: without a pair it would be
2^-93), and adding it to y0 rounds by ``u^2 |log x|`` and little: 18.1 u^2 + 1.1 u^2 |log x|.

**softplus** ``= max(t, 0) + log(1 + E)``: 1 + E is off by 10 E + 1.5, 5.75 relatively, ``log(1 + E) <= 0.7``: 24.7 u^2,
and `ADD` of the result.

**sqrt** ``= s + (x - s^2)/(2 s)``, s = fl(sqrt(x_hi)): ``x_hi - s^2`` is a `two_product` and exact differences, rounded
at 2.01 u x_hi, then with x_lo at 3.01 u x_hi, divided by 2s: 2.51 u^2; the quotient rounds by 1.51 u^2, and what
Newton's step leaves is ``(3.01 u)^2/8`` = 1.14 u^2: 5.2 u^2 relatively. Below 2^-899 root and correction are wrong by
less than 2^-450 whatever underflows.

**inverse_root**, x in [2^-890, 2^890]: y + y e (1/2 + 3 e/8), ``e = 1 - x y^2``, y = fl(1/sqrt(x_hi)) with 2.01 u:
``|e| <= 5.1 u``, off by `MULTIPLY` and one rounding, 13.2 u^2, halved; the correction 2.55 u y goes through three
roundings: 14.3 u^2 relatively.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from verifier.balls.binary64.elementary import LogarithmRefused, nearest, on_device
from verifier.balls.double_double.pair import (
    Array,
    Pair,
    add,
    add_float,
    divide,
    fast_two_sum,
    multiply,
    of_floats,
    two_product,
    two_sum,
)
from verifier.balls.precision import working_precision

EXP = 10.0
"""Relative error of exp in units of U2."""
TANH = 16.6
"""Absolute error of tanh in units of U2, all finite arguments."""
SIGMOID = 15.6
"""Absolute error of sigmoid in units of U2, all finite arguments."""
SOFTPLUS = 25.0
"""Absolute error of softplus in units of U2, beside `ADD` of its value."""
LOG = 18.1
"""Absolute error of log in units of U2, beside `LOG_SIZE` of its value."""
LOG_SIZE = 1.1
"""Relative error of log in units of U2, beside `LOG`."""
SQRT = 5.3
"""Relative error of sqrt in units of U2, beside `SQRT_FLUSHED`."""
INVERSE_ROOT = 14.5
"""Relative error of inverse_root in units of U2."""
EXP_LOW, EXP_HIGH = -708.0, 709.0
"""``e^-708`` is above the smallest normal number, ``e^709`` below the largest number."""
EXP_FLUSHED = 2.0**-1020
"""Absolute error of exp beside the relative one: what underflows, and all below -708."""
SQRT_FLUSHED = 2.0**-450
"""Absolute error of sqrt beside the relative one."""
LOG_RANGE = 2.0**890
"""Logarithms and inverse roots are taken of numbers up to this, and from its inverse on."""
LOG_CHECK = 2.0**-40
"""``|x exp(-y) - 1|`` above refuses the library's logarithm y."""

_STEPS = 4096
"""Values of 2^x in an octave that the table holds: ``|r|`` is at most half of ``ln 2 / 4096``."""
_L1 = float.fromhex("0x1.62e42ffp-13")
_L2 = float.fromhex("-0x1.718432ap-47")
_L3 = float.fromhex("-0x1.b0e2633fe0685p-79")
_INVERSE = float.fromhex("0x1.71547652b82fep+12")
_INTEGER = 1.5 * 2.0**52
"""Added and subtracted it rounds to an integer, for numbers up to 2^51; the next two to multiples of 2^-40, 2^-55."""
_AT_40 = 1.5 * 2.0**12
_AT_55 = 1.5 * 2.0**-3


@lru_cache(maxsize=1)
def _powers() -> NDArray[np.float64]:
    """``2^(i/4096)`` as pairs: shape (2, 4096)."""
    with working_precision(192):
        roots = [arb(2) ** arb(fmpq(i, _STEPS)) for i in range(_STEPS)]
        high = [nearest(root) for root in roots]
        low = [nearest(root - arb(h)) for root, h in zip(roots, high, strict=True)]
    return np.array([high, low])


def _scales() -> NDArray[np.float64]:
    """``2^k``, k from -1022 to 1023."""
    return np.ldexp(1.0, np.arange(-1022, 1024))


def exp(xp: Any, x: Pair) -> Pair:
    """``e^x`` for one-dimensional x <= 709.

    Guarantee: ``|result - e^x| <= EXP U2 e^x + EXP_FLUSHED``; below 2^-960 the low part may be one unit too large.
    """
    inside = x.hi >= EXP_LOW
    hi = xp.maximum(x.hi, xp.asarray(EXP_LOW, dtype=xp.float64))
    lo = x.lo * xp.astype(inside, xp.float64)
    m = hi * _INVERSE
    m += _INTEGER
    m -= _INTEGER
    p_hi, p_lo = _expm1_reduced(*_reduced(hi, lo, m))
    octave = xp.floor(m * (1.0 / _STEPS))
    m -= octave * _STEPS
    octave += 1022.0
    index = xp.astype(m, xp.int64)
    t_hi = xp.take(on_device(xp, "pair 2^x hi", lambda: _powers()[0]), index)
    t_lo = xp.take(on_device(xp, "pair 2^x lo", lambda: _powers()[1]), index)
    scale = xp.take(on_device(xp, "2^k", _scales), xp.astype(octave, xp.int64))
    product = two_product(t_hi, p_hi)
    rest = product.lo
    rest += t_hi * p_lo
    p_lo += p_hi
    p_lo *= t_lo
    rest += p_lo
    rest += t_lo
    total = fast_two_sum(t_hi, product.hi)
    rest += total.lo
    found = fast_two_sum(total.hi, rest)
    return Pair(found.hi * scale, found.lo * scale)


def _reduced(hi: Array, lo: Array, m: Array) -> tuple[Array, Array]:
    """``x - m ln 2 / 4096`` as a leading part, at most 2^-13.52, and the rest."""
    leading = fast_two_sum(hi - m * _L1, lo)
    r = two_sum(leading.hi, m * -_L2)
    rest = leading.lo
    rest += r.lo
    rest -= m * _L3
    return r.hi, rest


def _expm1_reduced(r: Array, rest: Array) -> tuple[Array, Array]:
    """``e^(r + rest) - 1`` as a leading part and the rest; see the module."""
    a = r + _AT_40
    a -= _AT_40
    q2 = r - a
    q1 = a * a
    q1 *= 0.5
    a += r
    a *= 0.5
    q2 *= a
    q2 += r * rest
    third = r * (1.0 / 3.0)
    g = third + _AT_40
    g -= _AT_40
    d = r - g * 3.0
    d += rest
    d *= 1.0 / 3.0
    leading = q1 + _AT_55
    leading -= _AT_55
    small = q1 - leading
    small *= g
    d *= q1
    small += d
    third *= q2
    small += third
    c1 = leading
    c1 *= g
    small += _fourth_term(r + rest)
    q2 += rest
    small += q2
    first = fast_two_sum(r, q1)
    second = fast_two_sum(first.hi, c1)
    low = first.lo
    low += second.lo
    low += small
    return second.hi, low


def _fourth_term(r: Array) -> Array:
    """``e^r - 1 - r - r^2/2 - r^3/6``, in binary64."""
    factor = r * (1.0 / 210.0)
    factor += 1.0 / 30.0
    factor *= r
    factor += 0.2
    factor *= r
    factor += 1.0
    power = r * r
    power *= 0.5
    power *= power
    power *= 1.0 / 6.0
    factor *= power
    return factor


def expm1(xp: Any, x: Pair) -> Pair:
    """``e^x - 1``. Guarantee: error at most that of `exp`, and `ADD_FLOAT` of the result."""
    return add_float(exp(xp, x), -1.0)


def _sized(x: Pair, factor: float, xp: Any) -> Pair:
    """``factor |x|``, for a factor whose size is a power of two."""
    sign = xp.copysign(xp.full_like(x.hi, factor), x.hi * factor)
    return Pair(x.hi * sign, x.lo * sign)


def _beside_one(x: Pair, sign: float) -> Pair:
    """``1 + sign x`` for x in [0, 1]; one rounding of the low parts."""
    hi = x.hi * sign
    hi += 1.0
    rest = hi - 1.0
    rest -= x.hi * sign
    low = x.lo * sign
    low -= rest
    return fast_two_sum(hi, low)


def tanh(xp: Any, t: Pair) -> Pair:
    """Hyperbolic tangent. Guarantee: absolute error at most ``TANH U2`` for every finite argument."""
    f = exp(xp, _sized(t, -2.0, xp))
    found = divide(_beside_one(f, -1.0), _beside_one(f, 1.0))
    return signed(xp, found, t)


def signed(xp: Any, x: Pair, like: Pair) -> Pair:
    """``x`` with its sign changed where ``like`` is negative."""
    sign = xp.copysign(xp.ones_like(like.hi), like.hi)
    return Pair(x.hi * sign, x.lo * sign)


def sigmoid(xp: Any, t: Pair) -> Pair:
    """``1/(1 + e^-t)``. Guarantee: absolute error at most ``SIGMOID U2`` for every finite argument."""
    e = exp(xp, _sized(t, -1.0, xp))
    left = t.hi < 0.0
    zero, one = xp.asarray(0.0, dtype=xp.float64), xp.asarray(1.0, dtype=xp.float64)
    return divide(Pair(xp.where(left, e.hi, one), xp.where(left, e.lo, zero)), _beside_one(e, 1.0))


def softplus(xp: Any, t: Pair) -> Pair:
    """``log(1 + e^t)``. Guarantee: absolute error at most ``(SOFTPLUS + ADD |result|) U2`` for ``|t| < 2^1000``."""
    return add(positive_part(xp, t), log(xp, _beside_one(exp(xp, _sized(t, -1.0, xp)), 1.0)))


def log(xp: Any, x: Pair) -> Pair:
    """Natural logarithm of numbers in [2^-890, 2^890].

    Guarantee: ``|result - log x| <= (LOG + LOG_SIZE |log x|) U2``.

    Raises
    ------
    LogarithmRefused
        If the library's value fails the check.
    """
    y = xp.log(x.hi)
    product = multiply(x, exp(xp, of_floats(xp, -y)))
    above = product.hi - 1.0
    if not bool(xp.all(xp.abs(above) <= LOG_CHECK)):
        raise LogarithmRefused("the array library's log is not the inverse of exp to 2^-40")
    w = fast_two_sum(above, product.lo)
    rest = w.lo
    rest -= 0.5 * w.hi * w.hi
    total = two_sum(y, w.hi)
    rest += total.lo
    return fast_two_sum(total.hi, rest)


def sqrt(xp: Any, x: Pair) -> Pair:
    """Square root of what is positive, 0 of the rest.

    Guarantee: ``|result - sqrt(x)| <= SQRT U2 sqrt(x) + SQRT_FLUSHED`` for 0 <= x <= 2^1000.
    """
    x = positive_part(xp, x)
    root = xp.sqrt(x.hi)
    square = two_product(root, root)
    rest = x.hi - square.hi
    rest -= square.lo
    rest += x.lo
    rest /= xp.maximum(2.0 * root, xp.asarray(2.0**-500, dtype=xp.float64))
    return fast_two_sum(root, rest)


def inverse_root(xp: Any, x: Pair) -> Pair:
    """``1 / sqrt(x)`` for x in [2^-890, 2^890]. Guarantee: relative error at most ``INVERSE_ROOT U2``."""
    y = 1.0 / xp.sqrt(x.hi)
    z = multiply(x, two_product(y, y))
    e = 1.0 - z.hi
    e -= z.lo
    e *= 0.375 * e + 0.5
    e *= y
    return fast_two_sum(y, e)


def reciprocal(xp: Any, x: Pair) -> Pair:
    """``1 / x`` for ``|x|`` in [2^-890, 2^890]. Guarantee: relative error at most ``DIVIDE U2``."""
    return divide(of_floats(xp, xp.ones_like(x.hi)), x)


def absolute(xp: Any, x: Pair) -> Pair:
    """Return ``|x|``. Guarantee: exact."""
    return signed(xp, x, x)


def positive_part(xp: Any, x: Pair) -> Pair:
    """``max(x, 0)``. Guarantee: exact."""
    zero = xp.asarray(0.0, dtype=xp.float64)
    return Pair(xp.maximum(x.hi, zero), xp.where(x.hi > 0.0, x.lo, zero))


def maximum(xp: Any, x: Pair, y: Pair, *, least: bool = False) -> Pair:
    """The larger of two, or the smaller: pairs with ``hi = fl(hi + lo)`` have the order of their parts.

    Guarantee: exact.
    """
    above = (x.hi > y.hi) | ((x.hi == y.hi) & (x.lo > y.lo))
    if least:
        x, y = y, x
    return Pair(xp.where(above, x.hi, y.hi), xp.where(above, x.lo, y.lo))
