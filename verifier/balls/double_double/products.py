r"""Products of matrices of pairs with a proved error, by products of slices on the library's BLAS.

Lines are cut as `slices` says. With A = S + R and B = S' + R' in units of the lines' sigma,

.. math:: A B = S S' + A R' + R S' ,

the first term is the sum of the exact ``D_d = sum_{s+t=d} X_s Y_t`` times ``2^-(50 + beta (d - 2))``, and the other two
are computed in binary64. Errors, in units of sigma_i sigma_j, with rho and the slices' norms w_s of `Cut`:

* ``A R' + R S'``: ``(2 gamma_{k+2} + (q + 3) u) 1.01 rho`` for the roundings of the two products, of A, R, R' to
  binary64, and of the sum of q slices (Cauchy and Schwarz).
* ``D_2 + D_3 + D_4`` are added without error (`two_sum`); to their last part e, ``|e| <= u (2u + |D_4|)``, come the
  smaller D_d and the two terms above, in binary64, at most eight roundings of numbers that are at most
  ``lambda = 2.02 rho + |e| + sum_{d >= 5} sum_{s+t=d} w_s w_t``: ``8 u lambda``.
* The last sum is rounded twice, ``1.02 u^2`` of the result.

``sigma <= 2.01 ||line||``, so in all ``|C - A B|_ij <= kappa ||A_i||_2 ||B_j||_2 + TINY``,

.. math:: \kappa = 4.1 \bigl((2 \gamma_{k+2} + (q + 3) u)\, 1.01 \rho + 8 u \lambda\bigr) + 1.02\, u^2 .

Lines longer than `slices.LENGTH` are cut into g pieces, whose products are added as pairs: kappa is that of a piece
(Cauchy and Schwarz over the pieces), and ``3.02 (g - 1) u^2``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import U, gamma, upper
from verifier.balls.binary64.products import Products
from verifier.balls.double_double.pair import (
    ADD,
    U2,
    Pair,
    add,
    all_finite,
    not_error_free,
    of_floats,
    two_sum,
)
from verifier.balls.double_double.slices import (
    FIRST,
    LENGTH,
    MOST_SLICES,
    Cut,
    Sliced,
    cut_of,
    memory,
    of_lines,
    sliced,
)

BITS = 100
"""Bits of a product, relative to the norms of its lines, that are aimed at by default."""

COLUMNS = 1280
"""Columns of a right factor that are cut at a time."""

ROWS, BLOCK = 400, 2**19
"""Rows of a left factor that are cut at a time, or as many as have so many entries: memory is reused."""

NOT_ERROR_FREE = "sums and products are not transformed without error: the library contracts or reassociates them"
"""What is said of a library that fails `not_error_free`."""


def pieces(size: int, most: int) -> list[slice]:
    """Cut ``0..size`` into as few ranges of at most ``most`` as there are, of nearly one length.

    Guarantee: they cover the range in order, each number once.
    """
    count = max(1, -(-size // most))
    step = -(-size // count)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _kappa(cut: Cut) -> float:
    """The error of a product of lines of one piece, relative to their norms; see the module."""
    q, k = cut.slices, cut.length
    sizes = {d: sum(cut.size(s) * cut.size(d - s) for s in range(q) if 0 <= d - s < q) for d in range(2 * q - 1)}
    last = U * (2.0 * U + sizes.get(2, 0.0))
    small = 2.02 * cut.rest + last + sum(size for d, size in sizes.items() if d >= 3)
    found = 4.1 * ((2.0 * gamma(k + 2) + (q + 3) * U) * 1.01 * cut.rest + 8.0 * U * small) + 1.02 * U2
    return float(upper(found, 64))


@lru_cache(maxsize=1024)
def plan(length: int, bits: int) -> tuple[Cut, float]:
    """How the longest piece of lines of this length is cut for so many bits, and kappa."""
    parts = pieces(length, LENGTH)
    longest = parts[0].stop
    sums = 1.01 * ADD * U2 * (len(parts) - 1)
    for slices in range(1, MOST_SLICES + 1):
        cut = cut_of(longest, slices)
        kappa = float(upper(_kappa(cut) + sums, 4))
        if kappa <= 2.0**-bits:
            break
    return cut, kappa


def relative_error(length: int, bits: int = BITS) -> float:
    """Return kappa: the error of a product's entry relative to the 2-norms of its row and its column.

    Guarantee: `matmul` with the same bits satisfies ``|C - A B|_ij <= kappa ||A_i|| ||B_j|| + TINY``. Source: the
    module's text.

    Parameters
    ----------
    length : int
        Inner length k of the product.
    bits : int, optional
        What is aimed at: at most ``2^-bits``, as far as pairs reach.

    Returns
    -------
    float
        The bound, at least 2^-106.

    Examples
    --------
    >>> from verifier.balls.double_double.products import relative_error
    >>> relative_error(1200) < 2.0**-101, relative_error(1200, bits=75) < 2.0**-80
    (True, True)
    """
    return plan(max(1, length), bits)[1]


def matmul(backend: Backend, a: Pair | Array, b: Pair | Array, record: Products, *, bits: int = BITS) -> Pair:
    """Multiply two matrices of pairs, or of float64 numbers.

    Guarantee: if the record's products are as trusted, ``|C - A B|_ij <= kappa ||A_i||_2 ||B_j||_2 + TINY`` with kappa
    of `relative_error`, so that ``||C - A B||_F <= kappa ||A||_F ||B||_F + (m n)^(1/2) TINY``. Source: the
    module's text.

    Parameters
    ----------
    backend : Backend
        The array library.
    a, b : Pair or ndarray of shapes (m, k) and (k, n)
        The factors; ndarrays are of float64.
    record : Products
        Takes in the products of slices, and whether the library adds and multiplies without error.
    bits : int, optional
        What is aimed at: an error of at most ``2^-bits`` of the norms, by 3, 5 or 8 products of float64 matrices.

    Returns
    -------
    Pair of shape (m, n)
        The product.

    Raises
    ------
    NotEnclosed
        If a factor is not finite, or an entry is too large or too small.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> from verifier.balls.binary64.products import Products
    >>> from verifier.balls.double_double.products import matmul
    >>> a, b = np.array([[1.0, 2.0**-70]]), np.array([[3.0], [1.0]])
    >>> product = matmul(vf.numpy_backend(1), a, b, Products())
    >>> product.hi.tolist(), product.lo.tolist() == [[2.0**-70]]
    ([[3.0]], True)
    """
    a, b = factor(backend, a), factor(backend, b)
    m, k, n = (int(size) for size in (*a.hi.shape, b.hi.shape[1]))
    c = _begun(backend, (m, n), record)
    cut = plan(max(1, k), bits)[0]
    for inner in pieces(k, LENGTH) if min(m, k, n) > 0 else []:
        own = cut_of(inner.stop - inner.start, cut.slices)
        across, down = pieces(n, COLUMNS), pieces(m, max(ROWS, BLOCK // max(own.length, min(n, COLUMNS))))
        rooms = [memory(backend, own, own.length * parts[0].stop) for parts in (down, across)]
        for columns in across:
            right = sliced(backend, _part(b, inner, columns), own, rooms[1], right=True)
            for rows in down:
                left = sliced(backend, _part(a, rows, inner), own, rooms[0], right=False)
                products = [backend.matmul(x, y, record) for x, y in zip(left.slots, right.slots, strict=True)]
                _combine(backend, products, own, (left, right), c, (rows, columns), first=inner.start == 0)
    return _finite(backend, c)


def matmul_stack(backend: Backend, a: Pair | Array, b: Pair | Array, record: Products, *, bits: int = BITS) -> Pair:
    """Multiply two stacks of matrices of pairs, or of float64 numbers, one by one.

    Guarantee: as `matmul`, for each of the products.

    Parameters
    ----------
    backend : Backend
        The array library.
    a, b : Pair or ndarray of shapes (B, m, k) and (B, k, n)
        The factors.
    record : Products
        As for `matmul`.
    bits : int, optional
        As for `matmul`.

    Returns
    -------
    Pair of shape (B, m, n)
        The products.

    Raises
    ------
    NotEnclosed
        As `matmul`.
    """
    a, b = factor(backend, a), factor(backend, b)
    count, m, k, n = (int(size) for size in (*a.hi.shape, b.hi.shape[2]))
    c = _begun(backend, (count, m, n), record)
    cut = plan(max(1, k), bits)[0]
    for inner in pieces(k, LENGTH) if min(count, m, k, n) > 0 else []:
        own = cut_of(inner.stop - inner.start, cut.slices)
        rooms = [memory(backend, own, count * side * own.length) for side in (m, n)]
        left = sliced(backend, _part(a, ..., inner), own, rooms[0], right=False)
        right = sliced(backend, _part(b, ..., inner, slice(None)), own, rooms[1], right=True)
        products = [backend.matmul_stack(x, y, record) for x, y in zip(left.slots, right.slots, strict=True)]
        _combine(backend, products, own, (left, right), c, (slice(0, count), ...), first=inner.start == 0)
    return _finite(backend, c)


def _begun(backend: Backend, shape: tuple[int, ...], record: Products) -> Pair:
    record.doubt(not_error_free(backend), NOT_ERROR_FREE)
    return of_floats(backend.xp, backend.xp.zeros(shape, dtype=backend.xp.float64))


def _finite(backend: Backend, c: Pair) -> Pair:
    if not all_finite(backend, c):
        raise NotEnclosed("a product in double-double is not finite")
    return c


def factor(backend: Backend, x: Pair | Array) -> Pair:
    """A factor as a pair; the low part is None where there is none."""
    if isinstance(x, Pair):
        return x
    if x.dtype != backend.xp.float64:
        raise TypeError(f"a factor of {x.dtype}: double-double multiplies float64 only")
    return Pair(x, None)


def _part(x: Pair, *where: Any) -> Pair:
    return Pair(x.hi[where], None if x.lo is None else x.lo[where])


def _combine(
    backend: Backend,
    products: list[Array],
    cut: Cut,
    factors: tuple[Sliced, Sliced],
    c: Pair,
    where: tuple[slice, Any],
    *,
    first: bool,
) -> None:
    """Put the products of slots together, in place of a part of c or added to it."""
    top, columns = where
    shape = products[0].shape

    def work(part: slice) -> None:
        found = _sum([p[part, ...] for p in products], cut)
        for side in factors:
            sigma = of_lines(side.sigma, part)
            found = Pair(found.hi * sigma, found.lo * sigma)
        here = slice(top.start + part.start, top.start + part.stop), columns
        found = found if first else add(Pair(c.hi[here], c.lo[here]), found)
        c.hi[here], c.lo[here] = found

    backend.in_chunks(work, int(shape[0]), max(1, backend.chunk * int(shape[0]) // math.prod(shape)))


def _sum(products: list[Array], cut: Cut) -> Pair:
    """The sum of all products of slices and the two approximate products, in units of sigma_i sigma_j."""
    q = cut.slices
    terms: dict[int, Array] = {2 * s: products[s] for s in range(q)}
    for (s, t), both in zip(cut.pairs, products[q:], strict=False):
        mixed = both - products[s]
        mixed -= products[t]
        terms[s + t] = terms[s + t] + mixed if s + t in terms else mixed
    small = products[-2] + products[-1]
    parts = {d: term * 2.0 ** -(2 * FIRST + cut.bits * d) for d, term in terms.items()}
    for d in range(2 * q - 2, 2, -1):
        small += parts[d]
    if q == 1:
        return two_sum(parts[0], small)
    total = two_sum(parts[0], parts[1])
    rest = two_sum(total.lo, parts[2])
    total = two_sum(total.hi, rest.hi)
    small += rest.lo
    small += total.lo
    return two_sum(total.hi, small)
