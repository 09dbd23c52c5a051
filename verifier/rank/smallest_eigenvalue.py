r"""A lower bound of the smallest eigenvalue of every symmetric matrix in an enclosure (R2).

For symmetric A, any shift s and any C let ``E = A - s I - C C^T``. As ``C C^T`` has no negative eigenvalue,

.. math:: \lambda_{\min}(A + D) \ge s - \|E\|_2 - \|D\|_2

for every symmetric D, and the 2-norm of a symmetric matrix is at most its largest row sum of magnitudes. C is a
Cholesky factor of midpoints, which nobody has to trust. The computed E is off by less than

.. math:: \gamma_{K+4} (|A| + |s| I + |C| |C|^T) + K t, \qquad t < 2^{-960},

K the number of rows: a term passes K + 2 roundings in the product and two more.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.products import Products
from verifier.network.network import Array

BELOW = 2.0**-8
"""How far the shift stays below the approximate smallest eigenvalue, relatively, so that Cholesky succeeds."""
RELATIVE = 2.0**-42
"""And relatively to the largest one: far above what a factorization loses."""


@np.errstate(all="ignore")
def smallest_eigenvalue(middles: Array, radii: Array, backend: Backend, record: Products, room: float = 1.0) -> float:
    """Bound the smallest eigenvalue of all symmetric matrices in an enclosure.

    Parameters
    ----------
    middles, radii
        ``(K, K)``, both symmetric; radii not negative.
    backend
        The array library that multiplies; NumPy's.
    record
        The products that the enclosure rests on.
    room
        Radii count so many times, 1 or more.

    Returns
    -------
    float
        Guarantee: a lower bound of the smallest eigenvalue of every symmetric matrix within ``room`` times the radii of
        the midpoints; -inf if none is known. Source: Rump 2011, (3.16).

    Raises
    ------
    NotEnclosed
        The platform's products are not as trusted.
    """
    size = len(middles)
    if not (np.isfinite(middles).all() and np.isfinite(radii).all()):
        return -math.inf
    try:
        values = np.linalg.eigvalsh(middles)
        shift = float(values[0] - max(BELOW * abs(values[0]), RELATIVE * np.abs(values).max()))
        factor = np.linalg.cholesky(middles - shift * np.eye(size))
    except np.linalg.LinAlgError:
        return -math.inf
    factor = (factor + TINY) - TINY  # no subnormal entries
    error = middles - shift * np.eye(size)
    error = error - backend.matmul(factor, np.ascontiguousarray(factor.T), record)
    sizes = np.abs(factor)
    terms = np.abs(middles).sum(axis=1) + abs(shift) + (sizes * sizes.sum(axis=0)).sum(axis=1)
    rows = np.abs(error).sum(axis=1) + gamma(size + 4) * terms + size * TINY
    residual = float(upper(rows, 2 * size + 8).max())
    spread = float(upper(room * radii.sum(axis=1), size).max())
    require(record)
    if not (math.isfinite(residual) and math.isfinite(spread)):
        return -math.inf
    bound = Fraction(shift) - Fraction(residual) - Fraction(spread)
    return math.nextafter(float(bound), -math.inf)
