"""Tensors with one entry per number and sample, in a list; those of balls are kept as a matrix, too.

Guarantee: what computes on `Balls` returns balls that contain the exact result for all numbers in the balls that it is
given, at any working precision (inclusion isotonicity of Arb's operations; Johansson, Arb, 2017); what only moves
entries changes none.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

import numpy as np
from flint import arb, arb_mat

from verifier.network.arithmetic import Places
from verifier.network.network import Network
from verifier.network.windows import Shape

E = TypeVar("E")
S = TypeVar("S", bound="Tensor[Any]")


class Tensor(Generic[E]):
    """One tensor of shape ``shape`` for each of ``rows`` samples; one row stands for all samples.

    ``entries`` are its numbers in C order, samples first.
    """

    __slots__ = ("_entries", "rows", "shape", "size")

    def __init__(self, rows: int, shape: Shape, entries: list[E]) -> None:
        """Take the entries, sample by sample: ``rows * prod(shape)`` of them."""
        self.rows, self.shape, self.size = rows, shape, math.prod(shape)
        self._entries = entries

    @property
    def entries(self) -> list[E]:
        """All numbers, sample by sample."""
        return self._entries

    def shaped(self: S, shape: Shape) -> S:
        """The same numbers in another shape of as many entries."""
        return type(self)(self.rows, shape, self._entries)


class Balls(Tensor[arb]):
    """A tensor of balls: the entries of a matrix, whatever that matrix's shape, or of a list, whichever came first."""

    __slots__ = ("_matrix", "_transposed")

    def __init__(self, rows: int, shape: Shape, content: arb_mat | list[arb]) -> None:
        """Take balls, or an exact matrix, of ``rows * prod(shape)`` entries."""
        super().__init__(rows, shape, [] if isinstance(content, arb_mat) else content)
        self._matrix = content if isinstance(content, arb_mat) else None
        self._transposed: arb_mat | None = None

    @property
    def entries(self) -> list[arb]:
        """All balls, sample by sample."""
        if not self._entries and self._matrix is not None:
            self._entries = self._matrix.entries()
        return self._entries

    def matrix(self, rows: int, columns: int) -> arb_mat:
        """All balls as a matrix of a given shape."""
        kept = self._matrix
        if kept is None or kept.nrows() != rows or kept.ncols() != columns:
            self._matrix = kept = arb_mat(rows, columns, self.entries)
        return kept

    def whole(self) -> arb_mat:
        """All balls as a matrix with columns of the last axis."""
        last = self.shape[-1] if self.shape else 1
        return self.matrix(self.rows * self.size // last, last)

    def transposed(self) -> arb_mat:
        """All balls of one row, the first axis last, ``(rest, first)``: weights, ready for a product from the right."""
        if self._transposed is None:
            self._transposed = self.matrix(self.shape[0], self.size // self.shape[0]).transpose()
        return self._transposed

    def shaped(self, shape: Shape) -> Balls:
        """The same balls in another shape of as many entries."""
        same = Balls(self.rows, shape, self._entries)
        same._matrix = self._matrix
        return same

    def scaled(self, factor: arb) -> Balls:
        """Every entry times a ball."""
        if self._matrix is not None:
            return Balls(self.rows, self.shape, self._matrix * factor)
        return Balls(self.rows, self.shape, [z * factor for z in self.entries])

    def plus(self, other: Balls) -> Balls:
        """The sum, with broadcasting; of two matrices of one shape if both are kept as such."""
        a, b = self._matrix, other._matrix
        same = (self.rows, self.shape) == (other.rows, other.shape)
        if same and a is not None and b is not None and (a.nrows(), a.ncols()) == (b.nrows(), b.ncols()):
            return Balls(self.rows, self.shape, a + b)
        return combined(operator.add, self, other)


def product(a: arb_mat, b: arb_mat) -> arb_mat:
    """The matrix product; not finite where a row of a or a column of b is not.

    Guarantee: contains A B for all A in a and B in b.

    FLINT takes large products with a matrix of zeros for 0, whatever the other factor is: then the row sums decide.

    Parameters
    ----------
    a, b : arb_mat of shapes (n, k) and (k, m)
        The factors.

    Returns
    -------
    arb_mat of shape (n, m)
        The products.
    """
    found = a * b
    if found[0, 0].is_zero():
        ones = arb_mat(a.ncols(), 1, [1] * a.ncols())
        undefined = (a * ones) * arb_mat(1, b.ncols(), [1] * b.ncols())
        undefined += arb_mat(a.nrows(), 1, [1] * a.nrows()) * (ones.transpose() * b)
        if not all(z.is_finite() for z in undefined.entries()):
            return found + (undefined - undefined)
    return found


def picker(places: Iterable[int]) -> Callable[[Sequence[E]], Sequence[E]]:
    """Make a function that takes the entries at some places of a sequence, in order."""
    found = list(places)
    if len(found) == 1:
        (only,) = found
        return lambda entries: (entries[only],)
    return itemgetter(*found)


def gathered(sources: Sequence[S], places: Places) -> S:
    """Take entries by flat places in the sources, side by side; the result has the shape of ``places``."""
    size = sources[0].size
    if len(sources) == 1 and places.size == size and bool((places.ravel() == np.arange(size)).all()):
        return sources[0].shaped(places.shape)
    rows = max(source.rows for source in sources)
    pick, out = picker(places.ravel().tolist()), list[Any]()
    for row in side_by_side(sources, rows):
        out += pick(row)
    return type(sources[0])(rows, places.shape, out)


def columns(network: Network, found: Mapping[int, S], gather: Callable[[Sequence[S], Places], S] | None = None) -> S:
    """The columns of Psi, shape ``(M,)``, from the values of the nodes that features read."""
    start, places = 0, []
    for feature in network.features:
        size = found[feature.node].size
        places.append(start + np.arange(size) if feature.entries is None else start + np.array(feature.entries))
        start += size
    return (gather or gathered)([found[feature.node] for feature in network.features], np.concatenate(places))


def side_by_side(sources: Sequence[Tensor[E]], rows: int) -> Iterable[list[E]]:
    """For each sample the entries of all sources, one after the other."""
    parts = [(source.entries, source.size, source.rows > 1) for source in sources]
    for i in range(rows):
        row: list[E] = []
        for entries, size, moving in parts:
            row += entries[i * size : (i + 1) * size] if moving else entries
        yield row


def broadcast(value: Tensor[E], rows: int, shape: Shape) -> list[E]:
    """All entries of a tensor, broadcast to a number of samples and a shape."""
    entries, full = value.entries, math.prod(shape)
    trimmed = value.shape
    while trimmed and trimmed[0] == 1:
        trimmed = trimmed[1:]
    if trimmed == shape[len(shape) - len(trimmed) :]:  # whole tensors, one after the other
        if value.rows == 1:
            return entries * (rows * full // value.size)
        if value.size == full:
            return entries
    places = np.broadcast_to(np.arange(value.size).reshape(value.shape), shape)
    pick, spread = picker(places.ravel().tolist()), list[E]()
    for start in range(0, len(entries), value.size):
        spread += pick(entries[start : start + value.size])
    return spread if value.rows == rows else spread * rows


def combined(operation: Callable[[E, E], E], a: S, b: S) -> S:
    """Apply an operation entry by entry, with broadcasting."""
    rows, shape = max(a.rows, b.rows), np.broadcast_shapes(a.shape, b.shape)
    return type(a)(rows, shape, list(map(operation, broadcast(a, rows, shape), broadcast(b, rows, shape))))
