r"""Matrices cut into slices of so few bits that products of slices are exact in binary64.

**Cutting** (Ozaki, Ogita, Oishi and Rump, *Error-free transformations of matrix multiplication by using fast routines
of matrix multiplication and its applications*, Numerical Algorithms 59, 2012; the extraction is Rump's). A line (a row
of A, a column of B) of length k is divided by a power of two sigma, ``||hi||_2 < sigma <= 2.01 ||hi||_2``, and

.. math:: a = \sum_{s=1}^q 2^{-e_s} x_s + r, \qquad e_s = 25 + \beta (s - 1), \qquad x_s \in \mathbb Z^k,

where ``x_s`` is what is left before slice s, rounded to a multiple of ``2^-e_s``: ``fl(fl(h + c) - c)`` with ``c = 1.5
2^(52 - e_s)``, exact since ``|h| <= 2^(51 - e_s)``; the rest ``h - fl(...)`` is exact, too, and joined with the low
part by `two_sum`. So ``|r_s| <= (1/2 + 2^-28) 2^-e_s`` after slice s (the low part is at most u times the high one),
and with ``beta <= 25``

.. math:: \|x_1\|_2 \le X := 2^{25} + \sqrt k / 2, \qquad |x_s| \le 2^{\beta - 1}, \quad
          \|x_s\|_2 \le L := \sqrt k\, 2^{\beta - 1} \ (s \ge 2), \qquad \|r\|_2 \le \rho := 0.501 \sqrt k\, 2^{-e_q}.

**Exact products.** beta is the largest number up to 25 with ``k 4^beta <= 2^53``, that is ``2L <= 2^26.5``; then
``X + L <= 2^26.5``, too. The entries of ``X_s Y_s`` and of ``(X_s + X_t)(Y_s + Y_t)`` are sums of integers whose
magnitudes add up to at most ``max(X + L, 2L)^2 <= 2^53`` (Cauchy and Schwarz). So every partial sum, in any order,
fused or not, is an integer of at most 2^53: the computed products are exact. So are

.. math:: X_s Y_t + X_t Y_s = (X_s + X_t)(Y_s + Y_t) - X_s Y_s - X_t Y_t

(Karatsuba) and ``X_1 Y_3 + X_3 Y_1 + X_2 Y_2``: all differences and sums on the way are integers within the same bound.
``q (q + 1) / 2`` products give all q^2 products of slices.

A line is cut only if its largest entry is 0 or in [2^-901, 2^500); numbers below 2^-1022 that scaling makes are off by
at most 2^-1022 in units of sigma.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.balls.binary64.bounds import upper
from verifier.balls.binary64.products import LINE, WORD
from verifier.balls.double_double.pair import Array, Pair, two_sum

FIRST = 25
"""Bits of the first slice below sigma."""

MOST_BITS = 25
"""Largest beta: the text above needs it."""

MOST_SLICES = 3
"""More would give bits that a pair does not hold."""

LENGTH = 1536
"""Longest line that is cut; longer ones are cut into pieces first, each with its own sigma."""

SMALLEST, LARGEST = -900, 500
"""Exponents between which the largest entry of a line must lie if it is not 0."""

_SHIFT = 1.5 * 2.0**52
"""Added and subtracted it rounds a number below 2^51 to an integer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How lines of length k are cut: the number q of slices, and the bits beta of each but the first.

    Guarantee: ``k 4^beta <= 2^53``, so that products of slices are exact.
    """

    length: int
    slices: int
    bits: int

    @property
    def products(self) -> int:
        """The number of matrix products, and so of slots of a factor."""
        return self.slices * (self.slices + 1) // 2 + 2

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Slices s < t, from 0, whose sums are multiplied as well."""
        return tuple(itertools.combinations(range(self.slices), 2))

    def exponent(self, s: int) -> int:
        """The exponent ``e_s`` of slice s, from 0."""
        return FIRST + self.bits * s

    def size(self, s: int) -> float:
        """An upper bound of ``||2^-e_s x_s||_2`` for slice s, from 0, in units of sigma."""
        root = math.sqrt(self.length) * (1.0 + 2.0**-50)
        return 1.0 + root * 2.0**-FIRST if s == 0 else root * 2.0 ** (self.bits - 1 - self.exponent(s))

    @property
    def rest(self) -> float:
        """An upper bound rho of ``||r||_2`` in units of sigma."""
        return 0.501 * math.sqrt(self.length) * 2.0 ** -self.exponent(self.slices - 1)


def cut_of(length: int, slices: int) -> Cut:
    """Return how lines are cut into so many slices, each of as many bits as keep products exact.

    Guarantee: as `Cut`.

    Parameters
    ----------
    length : int
        Length k of the lines, 1 to `LENGTH`.
    slices : int
        Number q, 1 to `MOST_SLICES`.

    Raises
    ------
    ValueError
        If a number is outside its range.
    """
    if not 1 <= length <= LENGTH or not 1 <= slices <= MOST_SLICES:
        raise ValueError(f"cut_of({length}, {slices}): the length must be in 1..{LENGTH}, slices in 1..{MOST_SLICES}")
    return Cut(length, slices, min(MOST_BITS, (53 - (length - 1).bit_length()) // 2))


@dataclass(frozen=True, slots=True, repr=False)
class Sliced:
    """A matrix, or a stack of them, cut line by line: what is multiplied slot by slot, and the lines' sigma.

    Slots are the integer slices, the sums of two of them in the order of `Cut.pairs`, and two approximate matrices in
    units of sigma: of a left factor the matrix itself and the rest r, of a right one r and the sum of the slices.
    """

    slots: tuple[Array, ...]
    sigma: Array


def _scales(backend: Backend, x: Pair, axis: int) -> tuple[Array, Array]:
    """Powers of two sigma above the 2-norms of lines along an axis, which stays with length 1, and 1 / sigma."""
    xp = backend.xp
    found = backend.numpy(xp.max(xp.abs(x.hi), axis=axis, keepdims=True))
    if (x.lo is not None and not bool(xp.all(x.hi + x.lo == x.hi))) or not np.isfinite(found).all():
        raise NotEnclosed("a factor is not finite, or the parts of its pairs overlap")
    exponents = np.frexp(found)[1].astype(np.int64)
    if ((found > 0.0) & ((exponents < SMALLEST) | (exponents > LARGEST))).any():
        raise NotEnclosed(f"a line's largest entry is outside 2^{SMALLEST} to 2^{LARGEST}: scale the factors")
    values = x.hi * backend.asarray(np.ldexp(1.0, -exponents))
    values *= values
    norms = upper(np.sqrt(backend.numpy(xp.sum(values, axis=axis, keepdims=True))), int(x.hi.shape[axis]))
    exponents = np.where(found > 0.0, exponents + np.frexp(norms)[1], 0)
    return backend.asarray(np.ldexp(1.0, exponents)), backend.asarray(np.ldexp(1.0, -exponents))


def _stride(size: int) -> int:
    """Numbers from one slot of so many to the next: whole lines of a cache, so that all slots lie alike."""
    return -(-size * WORD // LINE) * LINE // WORD


def memory(backend: Backend, cut: Cut, size: int) -> Array:
    """Room for the slots of factors with at most so many entries, which one after the other are cut into it."""
    return backend.xp.empty((cut.products * _stride(size),), dtype=backend.xp.float64)


def sliced(backend: Backend, x: Pair, cut: Cut, room: Array, *, right: bool) -> Sliced:
    """Cut a factor of a matrix product, or a stack of factors, line by line.

    Guarantee: the module's identities and bounds, for every line.

    Parameters
    ----------
    backend : Backend
        The array library.
    x : Pair of shape (..., m, k), or (..., k, n) for a right factor
        The factor; its low part is None where there is none.
    cut : Cut
        For lines of length k.
    room : ndarray
        Where the slots are put, of `memory`; they hold until something else is cut into it.
    right : bool
        Whether lines are columns.

    Returns
    -------
    Sliced
        Its slots, each of the factor's shape.

    Raises
    ------
    NotEnclosed
        If the factor is not finite, too large or too small, or its pairs are none.
    """
    shape = tuple(int(n) for n in x.hi.shape)
    sigma, inverse = _scales(backend, x, -2 if right else -1)
    size = math.prod(shape)
    starts = range(0, cut.products * _stride(size), _stride(size))
    slots = tuple(backend.xp.reshape(room[start : start + size], shape) for start in starts)

    def work(part: slice) -> None:
        scale = of_lines(inverse, part)
        low = None if x.lo is None else x.lo[part, ...] * scale
        for slot, values in zip(slots, _cut(x.hi[part, ...] * scale, low, cut, right), strict=True):
            slot[part, ...] = values

    backend.in_chunks(work, shape[0], max(1, backend.chunk * shape[0] // size))
    return Sliced(slots, sigma)


def of_lines(scales: Array, part: slice) -> Array:
    """The scales of some matrices or rows; all of them if there is one for each column only."""
    return scales if int(scales.shape[0]) == 1 else scales[part, ...]


def _cut(x: Array, low: Array | None, cut: Cut, right: bool) -> list[Array]:
    """The slots' values of some lines, given in units of sigma by high and low parts."""
    slices, integers, high = [], [], x
    for s in range(cut.slices):
        if s > 0 and low is not None:
            high, low = two_sum(high, low)
        shift = _SHIFT * 2.0 ** -cut.exponent(s)
        nearest = high + shift
        nearest -= shift
        slices.append(nearest)
        integers.append(nearest * 2.0 ** cut.exponent(s))
        high = high - nearest
    if low is not None:
        high += low
    slots = [*integers, *(integers[s] + integers[t] for s, t in cut.pairs)]
    if not right:
        return [*slots, x, high]
    total = slices[-1]
    for nearest in slices[-2::-1]:
        total = nearest + total
    return [*slots, high, total]
