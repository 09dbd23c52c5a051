r"""Rounding error constants, and how a computed bound becomes an upper bound.

Standard model (u = 2^-53, round to nearest, no operand subnormal): ``fl(a op b) = (a op b)(1 + d) + t``, ``|d| <= u``,
``|t| <= 2^-1022`` (t covers gradual underflow and flushing to zero alike).

Inner products of length k, summed in any order, with or without fused multiply-add (Jeannerod and Rump 2013, Higham
2002, chapter 3):

.. math:: |fl(x^T y) - x^T y| \le \gamma_{k+2} |x|^T|y| + 3k\,2^{-1022}, \qquad \gamma_k = \frac{ku}{1 - ku}.

A sum of r such products, each over at most B terms, has the constant ``gamma_{B+r+2}``: no term passes through more
than B + 2 roundings inside its product and r outside.
"""

from __future__ import annotations

from typing import Any

U = 2.0**-53
"""Unit roundoff of binary64."""

TINY = 2.0**-960
"""Absolute allowance for underflow: more than ``2^60 * 2^-1022``, whatever the number of operations."""

SMALLEST_NORMAL = 2.0**-1022
"""The smallest positive number with 53 bits; a result below it may be off by more than u of its size."""

MAX_LENGTH = 2**40
"""Longest inner product for which the constants below are used: ``k u`` stays below 2^-12."""


def gamma(k: int) -> float:
    """``k u / (1 - k u)``, rounded up.

    Guarantee: the result is at least gamma_k, that of Higham, Accuracy and Stability of Numerical Algorithms, 2002,
    Lemma 3.1: it bounds what k roundings do to a product.

    Parameters
    ----------
    k : int
        The number of roundings.

    Returns
    -------
    float
        The bound, rounded up.

    Raises
    ------
    ValueError
        If ``k`` is outside 0..2^40.
    """
    if not 0 <= k <= MAX_LENGTH:
        raise ValueError(f"gamma({k}): the length must be in 0..2^40")
    return k * U / (1.0 - k * U) * (1.0 + 8.0 * U)


def inflation(n: int) -> float:
    """The factor that turns a computed value into an upper bound, ``1 + 8 (n + 16) u``.

    Guarantee: let x >= 0 be an expression in non-negative numbers by ``+ *``, divisions by exact numbers and roots of
    sums that `TINY` was added to, with at most n + 14 roundings on any path, and ``y`` its computed value. Then
    ``fl(fl(y * inflation(n)) + TINY) >= x``: ``y >= x (1-u)^(n+14) - 2^-1000``, and
    ``(1-u)^(n+16) (1 + 8(n+16)u) >= 1`` for ``(n+16) u <= 1/16``. (What underflows below a root would grow by the root
    beyond that; `TINY`, added there, pays for it.)

    Parameters
    ----------
    n : int
        The number of roundings on any path is at most n + 14.

    Returns
    -------
    float
        The factor.
    """
    return 1.0 + 8.0 * (n + 16) * U


def upper(x: Any, n: int) -> Any:
    """Upper bound of a non-negative expression computed as ``x`` with at most n + 14 roundings on any path.

    Guarantee: see `inflation`. NaN and infinity stay what they are.

    Parameters
    ----------
    x : float or ndarray
        The computed value, not negative.
    n : int
        The number of roundings on any path is at most n + 14.

    Returns
    -------
    float or ndarray
        At least the exact value of the expression, in the shape of x.
    """
    return x * inflation(n) + TINY
