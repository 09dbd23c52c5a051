r"""Norms of matrices of pairs, and ``I - A X`` with a bound of its error.

What is cancelled in ``I - A X`` keeps its bits: the products of slices are exact, and their sums are exact down to
``2^-100`` or so of the norms, so that the residual's error is that of the product, relative to ``||A|| ||X||``, and no
more. Only entries of the diagonal are rounded again, when 1 is added: ``2.01 u^2`` of the residual.
"""

from __future__ import annotations

import math

from verifier.balls.binary64 import spectral
from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import TINY, U, upper
from verifier.balls.binary64.products import Products
from verifier.balls.double_double.pair import ADD_FLOAT, U2, Pair, add_float, negate
from verifier.balls.double_double.products import BITS, factor, matmul, relative_error


def line_norms(backend: Backend, x: Pair | Array, *, axis: int) -> Array:
    """Bound the 2-norms of rows (axis 1) or columns (axis 0) of a matrix from above.

    Guarantee: upper bounds; infinite or NaN where squares overflow.

    Parameters
    ----------
    backend : Backend
        The array library.
    x : Pair or ndarray of shape (m, n)
        The matrix.
    axis : int
        The axis that the sums run over.

    Returns
    -------
    ndarray of shape (m,) or (n,)
        The bounds.
    """
    high, xp = factor(backend, x).hi, backend.xp
    return upper(xp.sqrt(xp.sum(high * high, axis=axis) + TINY), int(high.shape[axis]) + 2)


def frobenius_norm(backend: Backend, x: Pair | Array) -> float:
    """Bound the Frobenius norm of a matrix of pairs from above.

    Guarantee: at least the norm, since ``|hi + lo| <= (1 + u)|hi|``; NaN or infinity if there is no bound.

    Parameters
    ----------
    backend : Backend
        The array library.
    x : Pair or ndarray of shape (m, n)
        The matrix.

    Returns
    -------
    float
        The bound.
    """
    return float(upper(spectral.frobenius_norm(backend, factor(backend, x).hi), 0))


def spectral_norm(backend: Backend, x: Pair | Array, record: Products, *, rough: bool = False) -> float:
    """Bound the 2-norm of a matrix of pairs from above.

    Guarantee: at least the norm if the record's products are as trusted: ``||hi||_2 + u ||hi||_F``; NaN or infinity if
    there is no bound.

    Parameters
    ----------
    backend : Backend
        The array library.
    x : Pair or ndarray of shape (m, n)
        The matrix.
    record : Products
        Takes in the products that the bound rests on.
    rough : bool, optional
        Whether a matrix that is not small is bounded by sums alone.

    Returns
    -------
    float
        The bound.
    """
    high = factor(backend, x).hi
    found = spectral.spectral_norm(backend, high, record, rough=rough)
    return float(upper(found + U * spectral.frobenius_norm(backend, high), 0))


def residual(
    backend: Backend, a: Pair | Array, x: Pair | Array, record: Products, *, bits: int = BITS
) -> tuple[Pair, float]:
    """Compute ``I - A X``, and bound how far it is off.

    Guarantee: if the record's products are as trusted, the Frobenius norm (and so the 2-norm) of what is returned minus
    ``I - A X`` is at most the number returned; NaN or infinity if there is no bound. Source: the module's text.

    Parameters
    ----------
    backend : Backend
        The array library.
    a, x : Pair or ndarray of shapes (n, k) and (k, n)
        The factors.
    record : Products
        Takes in the products that the residual rests on.
    bits : int, optional
        As for `products.matmul`.

    Returns
    -------
    (Pair of shape (n, n), float)
        The residual, and the bound of its error.

    Raises
    ------
    NotEnclosed
        As `products.matmul`.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> from verifier.balls.binary64.products import Products
    >>> third = np.array([[1.0 / 3.0]])
    >>> rest, off = residual(vf.numpy_backend(1), np.array([[3.0]]), third, Products())
    >>> rest.hi.tolist() == [[2.0**-54]], off < 2.0**-104
    (True, True)
    """
    a, x = factor(backend, a), factor(backend, x)
    n, k = (int(size) for size in a.hi.shape)
    product = matmul(backend, a, x, record, bits=bits)
    found = add_float(negate(product), backend.xp.eye(n, dtype=backend.xp.float64))
    norms = frobenius_norm(backend, a) * frobenius_norm(backend, x)
    off = relative_error(k, bits) * norms + ADD_FLOAT * U2 * frobenius_norm(backend, found) + math.sqrt(n * n) * TINY
    return found, float(upper(off, 0))
