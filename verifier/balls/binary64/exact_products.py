r"""The canary's second part: matrix products whose exact result is known, at any shape and in any layout.

For an inner length k, ``A = 2^d (U G) 2^e`` and ``B = 2^-e (H W) 2^f`` with integers U (m, 2), G (2, k), H (k, 2), W
(2, n), so that ``A B = 2^d U (G H) W 2^f``: exact in binary64 whatever the order of summation, and wrong under
Strassen's or similar recombination, in less than 50 bits, in fixed point, or if one term is lost. G, H and e belong to
k alone; a row of A and a column of B do not depend on how many there are. So the operands of all shapes of one inner
length are parts of the same two matrices.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import WRONG_PRODUCT, Backend
from verifier.balls.binary64.pools import as_many_threads
from verifier.balls.binary64.products import (
    LINE,
    WORD,
    Array,
    Key,
    Layout,
    Product,
    Shape3,
    Signature,
    Use,
    address,
)
from verifier.balls.binary64.rounding import FLUSHED, Bits, mismatch, show

RANK = 2
"""Rank of the integer matrices, so that their product is known entry by entry at O(m n) cost."""

INNER, OUTER = 400, 50
"""Exponents of the scalings: column k of A by ``2^e``, row k of B by ``2^-e``; rows of A and columns of B."""

PROBE: Shape3 = (37, 53, 41)
"""Shape of the products that are tested whatever is multiplied: layouts, small spans, subnormal numbers."""

BLOCK = 1 << 16
"""Entries built or compared at a time: they stay in a cache."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def powers(exponents: Integers) -> Floats:
    """Powers of two, written as bits."""
    return ((exponents + 1023) << 52).view(np.float64)


def _odd(raw: Bits, bits: Integers | int) -> Integers:
    """Draw odd positive integers of so many bits, whose second bit is set, too."""
    top = np.where(np.asarray(bits) > 1, 3 << np.maximum(np.asarray(bits) - 2, 0), 1)
    return (raw >> (64 - np.asarray(bits)).astype(np.uint64)).astype(np.int64) | top | 1


def _signed(raw: Bits, bits: int) -> Integers:
    """Odd integers below ``2^bits`` in absolute value, in each row of one sign, so that nothing cancels."""
    return _odd(raw, bits) * (1 - 2 * (raw[:, :1] & np.uint64(1)).astype(np.int64))


def _exponents(raw: Bits, reach: int) -> Integers:
    return (raw % np.uint64(2 * reach + 1)).astype(np.int64) - reach


@dataclass(frozen=True)
class Problem:
    """The two matrices of an inner length k, with as many rows and columns as are wanted.

    Parameters
    ----------
    k
        Inner length.
    spread
        Largest exponent of ``2^e``.
    outer
        Bits of U and W.
    g, h, e
        Shapes (2, k), (k, 2), (k,).
    twin
        Whether B is the transpose of A (spread 0).

    Notes
    -----
    Guarantee: ``U G`` and ``H W`` are integers, and ``sum_k |UG|_ik |HW|_kj < 2^53`` for all i, j. So all terms of an
    entry of A B are multiples of one power of two, all partial sums in any order are exact in binary64, with fused
    multiply-add or without, and the computed entry is the exact one. Its integer is odd (all terms are, but for one of
    an even number) and above 2^49 (no two terms have opposite signs): it is wrong if less than 50 bits are kept.
    """

    k: int
    spread: int
    outer: int
    g: Integers
    h: Integers
    e: Integers
    twin: bool = False

    @classmethod
    def of(cls, k: int, spread: int = INNER, twin: bool = False) -> Problem:
        """The problem of an inner length, at least 1."""
        generator = np.random.PCG64([k, spread, int(twin)])

        def raw(*sides: int) -> Bits:
            return np.asarray(generator.random_raw(math.prod(sides)), dtype=np.uint64).reshape(sides)

        # |UG| < 2 2^(outer + q), |HW| < 2 2^(inner - q + outer), k terms
        budget = 53 - (RANK * RANK * k).bit_length()
        outer = budget // 4
        inner = budget - 2 * outer
        if twin:
            g = _odd(raw(RANK, k), inner // 2)
            g[:, 0] -= 1 - k % 2
            return cls(k, 0, outer, g, g.T, np.zeros(k, dtype=np.int64), True)
        share = 1 + (raw(k) % np.uint64(inner - 1)).astype(np.int64)
        e = _exponents(raw(k), spread)
        if k > 1:
            e[0], e[-1] = -spread, spread
        g, h = _odd(raw(RANK, k), share[None, :]), _odd(raw(k, RANK), inner - share[:, None])
        g[:, np.argmax(share)] -= 1 - k % 2
        return cls(k, spread, outer, g, h, e)

    def _side(self, count: int, stream: int) -> tuple[Integers, Integers]:
        """Rows of U, shape (count, 2), with their exponents d; or columns of W, with f."""
        return _drawn((self.k, self.spread, int(self.twin), 0 if self.twin else stream), count, self.outer)

    def left(self, m: int) -> Floats:
        """The left operand A, shape (m, k)."""
        u, d = self._side(m, 1)
        return _outer(u * powers(d)[:, None], self.g * powers(self.e))

    def right(self, n: int) -> Floats:
        """The right operand B, shape (k, n)."""
        w, f = self._side(n, 2)
        return _outer(self.h * powers(-self.e)[:, None], w.T * powers(f))

    def mismatch(self, backend: Backend, product: Array, m: int, n: int) -> str:
        """The first entry of a computed product that is not the exact one, every entry being compared."""
        if tuple(product.shape) != (m, n) or product.dtype != backend.xp.float64:
            return f"expected float64 of shape {(m, n)}, got {product.dtype} of shape {tuple(product.shape)}"
        (u, d), (w, f) = self._side(m, 1), self._side(n, 2)
        core = (u @ (self.g @ self.h)) * powers(d)[:, None]
        across = w.T * powers(f)
        computed = backend.numpy(product)
        rows = max(1, BLOCK // n)
        for start in range(0, m, rows):
            part = slice(start, min(start + rows, m))
            got = np.ascontiguousarray(computed[part, :])
            want = _outer(core[part], across).view(np.uint64)
            at = mismatch(got, want)
            if at is not None:
                found = int(got.view(np.uint64)[at])
                return f"entry ({start + at[0]}, {at[1]}): expected {show(int(want[at]))}, got {show(found)}"
        return ""


@functools.lru_cache(maxsize=8)  # the canary's layouts ask for the same ones again and again
def _drawn(seed: tuple[int, ...], count: int, bits: int) -> tuple[Integers, Integers]:
    """Integers of so many bits, shape (count, 2), and exponents; neither can be written to."""
    raw = np.asarray(np.random.PCG64(seed).random_raw(count * (RANK + 1)), dtype=np.uint64).reshape(count, RANK + 1)
    exponents = _exponents(raw[:, RANK], OUTER)
    exponents[:2] = (-OUTER, OUTER)[: len(exponents)]
    integers = _signed(raw[:, :RANK], bits)
    integers[:, 1:] &= ~1  # one odd number times odd ones and even ones: what they sum up to is odd
    for each in (integers, exponents):
        each.setflags(write=False)
    return integers, exponents


def _outer(left: Floats, right: Floats) -> Floats:
    """``left right`` with a short inner side, by blocks of rows; exact where all partial sums are."""
    m, n = left.shape[0], right.shape[1]
    result = np.empty((m, n))
    step = max(1, BLOCK // n)
    for start in range(0, m, step):
        rows, part = left[start : start + step], result[start : start + step]
        np.multiply(rows[:, :1], right[:1], out=part)
        for r in range(1, right.shape[0]):
            part += rows[:, r : r + 1] * right[r : r + 1]
    return result


def placed(backend: Backend, values: Floats, layout: Layout | None) -> Array:
    """A copy of a matrix on the device that lies in memory as the layout says; NaN fills the gaps."""
    if layout is None:
        return backend.asarray(values)
    if isinstance(values, np.ndarray) and backend.name == "numpy" and _lies(values, layout):
        return values
    m, k = values.shape
    by_rows = layout.column == 1 and layout.row >= k
    stride, lines, length = (layout.row, m, k) if by_rows else (layout.column, k, m)
    buffer = backend.xp.full((lines * stride + 2 * LINE // WORD,), math.nan, dtype=backend.xp.float64)
    begin = (layout.offset - address(buffer) % LINE // WORD) % (LINE // WORD)
    view = backend.xp.reshape(buffer[begin : begin + lines * stride], (lines, stride))[:, :length]
    view = view if by_rows else view.T
    view[...] = backend.asarray(values)
    return view


def _lies(values: Floats, layout: Layout) -> bool:
    down, across = values.strides
    return (down, across, address(values) % LINE) == (
        layout.row * WORD,
        layout.column * WORD,
        layout.offset * WORD,
    )


def judged(found: str) -> str:
    """What was found, with the remedy; nothing if nothing was found."""
    return f"{found}; {WRONG_PRODUCT}" if found else ""


class Operands:
    """The operands of one inner length, made once for the largest shape and cut to size."""

    def __init__(self, k: int, signatures: Iterable[Signature]) -> None:
        """Make room for what the signatures of inner length k need."""
        mine = [s for s in signatures if s.k == k]
        self.problem = Problem.of(k)
        self.most = (
            max((s.m for s in mine if not s.twin), default=0),
            max((s.n for s in mine if not s.twin), default=0),
        )

    @functools.cached_property
    def left(self) -> Floats:
        """The left operand with the most rows that is asked for."""
        return self.problem.left(self.most[0])

    @functools.cached_property
    def right(self) -> Floats:
        """The right operand with the most columns that is asked for."""
        return self.problem.right(self.most[1])

    def test(self, backend: Backend, product: Product, signature: Signature) -> str:
        """One product with operands that lie as the signature says, every entry compared with the exact one."""
        m, n, problem = signature.m, signature.n, self.problem
        if signature.twin:
            problem = Problem.of(signature.k, 0, twin=True)
            left = placed(backend, problem.left(m), signature.left)
            right = left.T
        else:
            left = placed(backend, self.left[:m], signature.left)
            right = placed(backend, self.right[:, :n], signature.right)
        with as_many_threads(signature.threads):
            found = problem.mismatch(backend, product(left, right), m, n)
        return judged(found)


def tests(uses: dict[Key, Use], passed: set[Key]) -> Iterator[tuple[Signature, str]]:
    """Test products, those of one inner length together and the longest first; stop at the first that is wrong.

    Yields
    ------
    (Signature, str)
        What was tested, and what is wrong with it or nothing; what is right was put into ``passed``.
    """
    by_length: dict[int, list[Key]] = {}
    for key in sorted(uses, key=lambda key: _cost(key[2])):
        by_length.setdefault(key[2].k, []).append(key)
    for k, keys in by_length.items():
        operands = Operands(k, (key[2] for key in keys))
        for key in keys:
            backend, product, signature = uses[key]
            if min(signature.shape) > 0:
                with np.errstate(all="ignore"):
                    found = operands.test(backend, product, signature)
                yield signature, found
                if found:
                    return
            passed.add(key)


def _cost(signature: Signature) -> tuple[int, Signature]:
    return -signature.m * signature.k * signature.n, signature


def layouts(backend: Backend) -> str:
    """Transposed operands, a matrix times its own transpose, and smaller spans of exponents, at a small shape."""
    m, k, n = PROBE
    for spread in (0, 20, INNER):
        problem = Problem.of(k, spread)
        a, b = problem.left(m), problem.right(n)
        straight = backend.asarray(a), backend.asarray(b)
        turned = backend.asarray(a.T).T, backend.asarray(b.T).T
        for x in (straight[0], turned[0]):
            for y in (straight[1], turned[1]):
                found = problem.mismatch(backend, backend.product(x, y), m, n)
                if found:
                    return judged(found)
    problem = Problem.of(k, 0, twin=True)
    a = backend.asarray(problem.left(m))
    return judged(problem.mismatch(backend, backend.product(a, a.T), m, m))


def subnormal_products(backend: Backend) -> str:
    """Products of normal numbers that are subnormal, and products of subnormal numbers that are not; all exact."""
    m, k, n = PROBE
    raw = np.asarray(np.random.PCG64(1022).random_raw((m + n) * k), dtype=np.uint64)
    left = _odd(raw[: m * k], 10).reshape(m, k)
    right = _odd(raw[m * k :], 10).reshape(k, n)
    exact = left @ right
    # integers below 2^53 are the bits of that many units 2^-1074
    small = (exact << 14).view(np.uint64)
    large = (exact * powers(np.array([-1010]))).view(np.uint64)
    halves = left * powers(np.array([-540])), right * powers(np.array([-520]))
    tiny = (left << 4).view(np.float64), right * powers(np.array([60]))
    for (a, b), want in ((halves, small), (tiny, large)):
        got = np.ascontiguousarray(backend.numpy(backend.product(backend.asarray(a), backend.asarray(b))))
        if got.shape != want.shape or got.dtype != np.float64:
            return judged(f"expected float64 of shape {want.shape}, got {got.dtype} of shape {got.shape}")
        at = mismatch(got, want)
        if at is not None:
            found = show(int(got.view(np.uint64)[at]))
            return f"entry {at}: expected {show(int(want[at]))}, got {found}; {FLUSHED}; or {WRONG_PRODUCT}"
    return ""
