r"""The 2-norm of a matrix of weights from above, sharp within a few percent, by products alone.

With ``S_0 = A`` and ``S_{i+1} = fl(S_i S_i^T)``, scaled by powers of two so that nothing overflows,

.. math:: \|S_i\|_2^2 = \|S_i S_i^T\|_2 \le \|S_{i+1}\|_2 + \gamma_{k+2} \|S_i\|_F^2 + n\,2^{-960},

and the last one's 2-norm is at most its Frobenius norm: after r products the excess is at most ``n^(1/2^(r+1))``, n the
smaller side of A. (The rounding error's entries are at most ``gamma ||row_i|| ||row_j||``, a matrix of norm at most
``gamma ||S||_F^2``; Cauchy and Schwarz.)
"""

from __future__ import annotations

import math

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import TINY, U, gamma, upper
from verifier.balls.binary64.products import Products

PRODUCTS = 5
"""Products: 256 units are then at most 9 percent above, and 2 percent as weights are."""

LARGEST = 1024
"""Matrices whose smaller side is longer are bounded by sums alone: a product costs its cube."""

SMALL = 128
"""The same where speed matters more."""

MODERATE = (2.0**-300, 2.0**300)
"""Norms outside are left to sums, so that no square under- or overflows."""


def frobenius_norm(backend: Backend, a: Array) -> float:
    """Bound the Frobenius norm ``||A||_F`` of a matrix from above.

    Guarantee: at least the norm; NaN or infinity if there is no bound.

    Parameters
    ----------
    backend : Backend
        Library and device.
    a : ndarray of shape (m, k)
        The matrix.

    Returns
    -------
    float
        The bound.
    """
    xp = backend.xp
    return float(upper(math.sqrt(float(xp.sum(a * a)) + TINY), int(a.shape[0]) * int(a.shape[1])))


def spectral_norm(
    backend: Backend, a: Array, record: Products, *, rough: bool = False, largest: int = LARGEST
) -> float:
    """Upper bound of ``||A||_2``, A of shape (m, k); with ``rough`` by sums alone if A is not small.

    Guarantee: at least the norm if the record's products are as trusted; NaN or infinity if there is no bound. Source:
    the module's text.

    Parameters
    ----------
    backend : Backend
        Library and device.
    a : ndarray of shape (m, k)
        The matrix.
    record : Products
        Takes in the products that the bound rests on.
    rough : bool, optional
        Whether a matrix that is not small is bounded by sums alone.
    largest : int, optional
        A matrix whose smaller side is longer is bounded by sums alone.

    Returns
    -------
    float
        The bound.
    """
    xp, (m, k) = backend.xp, (int(n) for n in a.shape)
    size = xp.abs(a)
    rows, columns = float(xp.max(xp.sum(size, axis=1))), float(xp.max(xp.sum(size, axis=0)))
    best = min(frobenius_norm(backend, a), float(upper(math.sqrt(upper(rows, k) * upper(columns, m) + TINY), 4)))
    n = min(m, k)
    if n == 1 or n > (SMALL if rough else largest) or not MODERATE[0] < best < MODERATE[1]:
        return best
    s = backend.contiguous(a if m <= k else a.T)
    chain: list[tuple[float, float, float]] = []
    for _ in range(PRODUCTS):
        scale = 2.0 ** -math.frexp(frobenius_norm(backend, s))[1]
        s = backend.contiguous(s * scale)
        chain.append((scale, frobenius_norm(backend, s), gamma(int(s.shape[1]) + 2)))
        s = backend.matmul(s, s.T, record)
    found = frobenius_norm(backend, s)
    for scale, whole, constant in reversed(chain):
        squared = (found + constant * whole * whole + n * TINY) * (1.0 + 16.0 * U)
        found = math.sqrt(squared) * (1.0 + 4.0 * U) / scale + TINY
    return min(best, found)
