r"""The record of the matrix products behind an enclosure or a proof, and a spot check of each of them.

A conclusion from binary64 rests on matrix products. What is recorded of each is all that a library may choose its way
by: the shape, where both operands lie in memory, and the number of threads. The platform's canary (`canary`) then tests
every entry of the record before anything is concluded from it.

Spot check. For a random vector x, ``1 <= |x_j| < 2``, of a computed ``C = fl(A B)`` (m, k) times (k, n):

.. math:: |fl(Cx) - fl(A\,fl(Bx))|_i \le 4\gamma_{k+n+8} \|A_i\|_2 \sqrt n\, \|B\|_F + 2^{-960},

whatever the order of summation: each of the three products with x moves a term by at most ``gamma_n``, ``gamma_n`` and
``gamma_k`` of ``2 (|A||B| 1)_i``, the product itself by ``gamma_k`` of it, and ``(|A||B|1)_i <= ||A_i|| sqrt(n)
||B||_F`` (Cauchy and Schwarz). An honest product always passes; a wrong one (a panel lost, single precision, another
matrix) passes with small probability only. This is evidence about the very product in use, at O(mk + kn + mn).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.bounds import TINY, gamma, upper

if TYPE_CHECKING:
    from verifier.balls.binary64.backend import Backend

Array = Any
"""An array of the backend's library."""

Shape3 = tuple[int, int, int]

Product = Callable[[Array, Array], Array]

WORD = 8
"""Bytes of a float64."""

LINE = 64
"""Bytes of a cache line: alignments are told apart up to it."""

OPEN_CHECKS = 64
"""Outcomes of spot checks left on a device before they are joined."""


class Layout(NamedTuple):
    """Where a matrix lies in memory, in elements: from row to row, from column to column, past a 64-byte boundary."""

    row: int
    column: int
    offset: int


class Signature(NamedTuple):
    """What a library may choose its way by: shape (m, k, n), layouts, one operand twice, threads.

    A layout is None where the library does not tell (or for a fresh matrix in C order); ``twin`` says that the right
    operand is the left one transposed, in the same memory; ``threads`` is 0 where it is unknown.
    """

    m: int
    k: int
    n: int
    left: Layout | None = None
    right: Layout | None = None
    twin: bool = False
    threads: int = 0

    @property
    def shape(self) -> Shape3:
        """The shape (m, k, n) of the product of (m, k) and (k, n)."""
        return self.m, self.k, self.n

    def __str__(self) -> str:
        """Print the shape, and how the operands lie if not in C order."""
        ways = [
            f"{side} {_layout_words(layout, rows, columns)}"
            for side, layout, rows, columns in (
                ("left", self.left, self.m, self.k),
                ("right", self.right, self.k, self.n),
            )
            if layout is not None and _layout_words(layout, rows, columns)
        ]
        ways += ["a matrix by its own transpose"] if self.twin else []
        return "x".join(map(str, self.shape)) + (f" ({', '.join(ways)})" if ways else "")


def _layout_words(layout: Layout, rows: int, columns: int) -> str:
    if layout.column == 1:
        return "" if layout.row == columns or rows == 1 else f"in rows {layout.row} apart"
    return "transposed" if layout.column == rows or columns == 1 else f"transposed, in columns {layout.column} apart"


Use = tuple["Backend", Product, Signature]
"""A product: by whom, by which function, of what."""

Key = tuple[int, int, Signature]
"""Identity of the backend, identity of its product function, signature."""


@dataclass
class Products:
    """Which products of matrices a proof rests on: their shapes and layouts, for the canary.

    Parameters
    ----------
    used
        Every distinct product: by backend, product function and signature. The objects are kept, so that no other
        object takes over an identity.
    passed
        Those that the canary tested after their first use and that were right.
    failure
        The first thing that was found wrong, one line; nothing is concluded from the record from then on.
    """

    used: dict[Key, Use] = field(default_factory=dict)
    passed: set[Key] = field(default_factory=set)
    failure: str = ""
    pending: list[tuple[Array, str]] = field(default_factory=list)

    def add(self, backend: Backend, product: Product, signature: Signature) -> None:
        """Take a product into the record, once per signature."""
        self.used.setdefault((id(backend), id(product), signature), (backend, product, signature))

    def fail(self, failure: str) -> None:
        """Keep a failure, if it is the first."""
        self.failure = self.failure or failure

    def doubt(self, wrong: Array, failure: str) -> None:
        """Take in a spot check whose outcome, one truth value, may still be on its way on a device."""
        self.pending.append((wrong, failure))
        if len(self.pending) >= OPEN_CHECKS:
            self.settle()

    def settle(self) -> None:
        """Wait for the outcomes of all spot checks."""
        for wrong, failure in self.pending:
            if bool(wrong):
                self.fail(failure)
        self.pending.clear()

    def untested(self) -> dict[Key, Use]:
        """Return the products that the canary has not tested yet."""
        return {key: use for key, use in self.used.items() if key not in self.passed}


def laid_out(backend: Backend, matrix: Array) -> tuple[Array, Layout | None]:
    """A matrix as the library multiplies it, and how it lies in memory.

    What does not lie in rows or in columns (a step along both axes, a broadcast, a reversed axis) is copied to C order
    first, as a BLAS would, so that the record can say how it lies.
    """
    strides = getattr(matrix, "strides", None)
    if strides is None:
        return matrix, None
    rows, columns = matrix.shape
    down, across = strides
    by_rows = across == WORD and down >= WORD * columns and down % WORD == 0
    by_columns = down == WORD and across >= WORD * rows and across % WORD == 0
    if not (by_rows or by_columns):
        matrix = backend.contiguous(matrix)
        if rows <= 1 or columns <= 1:  # a library may keep odd strides where they say nothing
            matrix = backend.xp.reshape(backend.xp.asarray(matrix, copy=True), (rows, columns))
        down, across = matrix.strides
    if min(rows, columns) == 0:
        return matrix, None
    return matrix, Layout(down // WORD, across // WORD, address(matrix) % LINE // WORD)


def address(matrix: Array) -> int:
    """Where an array begins in memory; 0 if its library does not tell."""
    if isinstance(matrix, np.ndarray):
        return int(matrix.__array_interface__["data"][0])
    return int(getattr(getattr(matrix, "data", None), "ptr", 0))


@functools.lru_cache(maxsize=32)
def _probe(length: int) -> NDArray[np.float64]:
    """A fixed random vector, ``1 <= |x_j| < 2``."""
    generator = np.random.default_rng([length, 1977])
    found: NDArray[np.float64] = (1.0 + generator.random(length)) * generator.choice((-1.0, 1.0), length)
    found.setflags(write=False)
    return found


def spot_check(backend: Backend, a: Array, b: Array, c: Array) -> Array:
    """Whether ``c`` is certainly no product of ``a`` (m, k) and ``b`` (k, n) in binary64; one truth value.

    Guarantee: False for every product evaluated in binary64 as sums of products in any order, unless it overflows.
    A row that is not finite is not judged: nothing is concluded from it.

    Parameters
    ----------
    backend : Backend
        The library that multiplied.
    a, b : ndarray of shapes (m, k) and (k, n)
        The factors.
    c : ndarray of shape (m, n)
        What was computed as their product.

    Returns
    -------
    ndarray of shape ()
        True only if c cannot be right.
    """
    xp, k, n = backend.xp, int(b.shape[0]), int(b.shape[1])
    with np.errstate(all="ignore"):
        x = _probe(n) if backend.name == "numpy" else backend.asarray(_probe(n))
        there, here = a @ (b @ x), c @ x
        if backend.name == "numpy":
            rows, whole = np.einsum("mk,mk->m", a, a), float(np.einsum("kn,kn->", b, b))
        else:
            rows, whole = xp.sum(a * a, axis=1), xp.sum(b * b)
        sizes = upper(xp.sqrt(rows + TINY), k) * upper((whole + TINY) ** 0.5, k * n) * math.sqrt(n)
        room = upper(4.0 * gamma(k + n + 8) * sizes, 8)
        return xp.any(xp.abs(there - here) > room)


def spot_check_stack(backend: Backend, a: Array, b: Array, c: Array) -> Array:
    """Whether some ``c[i]`` is certainly no product of ``a[i]`` (m, k) and ``b[i]`` (k, n); one truth value.

    Guarantee: as `spot_check`.

    Parameters
    ----------
    backend : Backend
        The library that multiplied.
    a, b : ndarray of shapes (s, m, k) and (s, k, n)
        The factors.
    c : ndarray of shape (s, m, n)
        What was computed as their products.

    Returns
    -------
    ndarray of shape ()
        True only if some c[i] cannot be right.
    """
    xp, k, n = backend.xp, int(b.shape[1]), int(b.shape[2])
    with np.errstate(all="ignore"):
        x = backend.asarray(_probe(n))
        there, here = xp.sum(a * xp.sum(b * x, axis=2)[:, None, :], axis=2), xp.sum(c * x, axis=2)
        rows, whole = xp.sum(a * a, axis=2), xp.sum(b * b, axis=(1, 2))
        sizes = upper(xp.sqrt(rows + TINY), k) * upper(xp.sqrt(whole + TINY), k * n)[:, None] * math.sqrt(n)
        return xp.any(xp.abs(there - here) > upper(4.0 * gamma(k + n + 8) * sizes, 8))
