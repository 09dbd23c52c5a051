"""Tensors of balls, one for each sample, kept as a matrix or as a list, whichever came first."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from flint import arb, arb_mat

from verifier.network.arithmetic import Places
from verifier.network.windows import Shape


class Balls:
    """One tensor of balls of shape ``shape`` for each of ``rows`` samples; one row stands for all samples.

    Its numbers in C order, samples first, are the entries of ``matrix``, whatever that matrix's shape, or of a list.
    """

    __slots__ = ("_entries", "_matrix", "_transposed", "rows", "shape", "size")

    def __init__(self, rows: int, shape: Shape, content: arb_mat | list[arb]) -> None:
        """``content`` has ``rows * prod(shape)`` entries."""
        self.rows, self.shape, self.size = rows, shape, math.prod(shape)
        self._matrix = content if isinstance(content, arb_mat) else None
        self._entries = None if isinstance(content, arb_mat) else content
        self._transposed: arb_mat | None = None

    @property
    def entries(self) -> list[arb]:
        """All balls, sample by sample."""
        if self._entries is None:
            self._entries = [] if self._matrix is None else self._matrix.entries()
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
        """All balls but the first axis's, ``(rest, first)``: weights, ready for a product from the right."""
        if self._transposed is None:
            self._transposed = self.matrix(self.shape[0], self.size // self.shape[0]).transpose()
        return self._transposed

    def shaped(self, shape: Shape) -> Balls:
        """The same numbers in another shape of as many entries."""
        same = Balls(self.rows, shape, [])
        same._matrix, same._entries = self._matrix, self._entries
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


def picker(places: Iterable[int]) -> Any:
    """A function that takes the entries at some places of a sequence, in order."""
    found = list(places)
    if len(found) == 1:
        (only,) = found
        return lambda entries: (entries[only],)
    return itemgetter(*found)


def in_order(places: Places, size: int) -> bool:
    """Whether places are all of a tensor's, in its own order."""
    return places.size == size and bool((places.ravel() == np.arange(size)).all())


def gathered(sources: Sequence[Balls], places: Places) -> Balls:
    """Take entries by flat places in the sources, side by side; the result has the shape of ``places``."""
    if len(sources) == 1 and in_order(places, sources[0].size):
        return sources[0].shaped(places.shape)
    rows = max(source.rows for source in sources)
    pick, out = picker(places.ravel().tolist()), []
    for row in side_by_side(sources, rows):
        out += pick(row)
    return Balls(rows, places.shape, out)


def side_by_side(sources: Sequence[Balls], rows: int) -> Iterable[list[arb]]:
    """For each sample the entries of all sources, one after the other."""
    parts = [(source.entries, source.size, source.rows > 1) for source in sources]
    for i in range(rows):
        row: list[arb] = []
        for entries, size, moving in parts:
            row += entries[i * size : (i + 1) * size] if moving else entries
        yield row


def broadcast(value: Balls, rows: int, shape: Shape) -> list[arb]:
    """All entries of a tensor, broadcast to a number of samples and a shape."""
    entries = value.entries
    trimmed = value.shape
    while trimmed and trimmed[0] == 1:
        trimmed = trimmed[1:]
    if trimmed != shape[len(shape) - len(trimmed) :]:
        places = np.arange(value.size).reshape(value.shape)
        pick, spread = picker(np.broadcast_to(places, shape).ravel().tolist()), []
        for start in range(0, len(entries), value.size):
            spread += pick(entries[start : start + value.size])
        entries = spread
    elif value.rows == 1:
        return entries * (rows * math.prod(shape) // value.size)
    elif value.size != math.prod(shape):
        times, size = math.prod(shape) // value.size, value.size
        repeated = (entries[start : start + size] * times for start in range(0, len(entries), size))
        entries = [z for row in repeated for z in row]
    return entries if value.rows == rows else entries * rows


def combined(operation: Any, a: Balls, b: Balls) -> Balls:
    """Apply an operation of two balls entry by entry, with broadcasting."""
    rows, shape = max(a.rows, b.rows), np.broadcast_shapes(a.shape, b.shape)
    return Balls(rows, shape, list(map(operation, broadcast(a, rows, shape), broadcast(b, rows, shape))))
