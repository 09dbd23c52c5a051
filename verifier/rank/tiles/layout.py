"""How the packed Gram matrix is cut: tiles, the unit of a task and of a file, which consist of whole blocks.

Rows 0..N are cut into blocks of b rows, consecutive ones form a tile row. Tile (I, K), I >= K, holds the blocks (i, k)
of its rows and columns with i >= k. A block is what is multiplied at a time, so that inner products have length b.

Guarantee: the tiles of a layout hold every block (i, k), i >= k, once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.errors import InputError
from verifier.rank.gram_matrix import Plan, plan

WORD = 8
"""Bytes of a float64."""

LINE = 8
"""Numbers in a cache line: blocks of whole lines lie alike, so that few layouts are multiplied and tested."""

BLOCK = 2048
"""Most rows of a block, and most columns of Psi multiplied at a time: the longest inner product."""

LARGEST_TILE = 12288
"""Most rows of a tile: beyond that the features, made again for each tile, are no longer the smaller part of the work,
and a kill loses more than five minutes."""

SMALLEST_TILE = 64
"""Least rows of a tile, unless there are fewer: smaller ones are all overhead."""

STRIPS = 3
"""A tile off the diagonal is multiplied in so many strips of rows: the product in memory is that part of a tile."""

PANELS = 7
"""Panels of BLOCK columns in memory beside a tile: features of both tile rows, a pre-activation, transposes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Blocks and tiles of an N x N Gram matrix of an N x M matrix.

    Parameters
    ----------
    sizes : Plan
        Rows of a block, and columns of Psi multiplied at a time.
    per : int
        Blocks in a tile row.
    """

    sizes: Plan
    per: int

    @property
    def edges(self) -> list[slice]:
        """The rows of each block."""
        n, b = self.sizes.samples, self.sizes.block
        return [slice(start, min(start + b, n)) for start in range(0, n, b)]

    @property
    def tiles(self) -> int:
        """The number of tile rows."""
        return -(-self.sizes.blocks // self.per)

    @property
    def names(self) -> list[tuple[int, int]]:
        """The tiles (I, K), I >= K, row by row."""
        return [(i, k) for i in range(self.tiles) for k in range(i + 1)]

    def members(self, tile: int) -> range:
        """The blocks of a tile row."""
        return range(tile * self.per, min((tile + 1) * self.per, self.sizes.blocks))

    def rows(self, tile: int) -> slice:
        """The rows of a tile row."""
        own, edges = self.members(tile), self.edges
        return slice(edges[own[0]].start, edges[own[-1]].stop)

    def column(self, i: int, k: int, block: int) -> list[tuple[int, int, int]]:
        """The blocks of tile (i, k) in one block column, in order: block row, rows, columns."""
        edges = self.edges
        width = edges[block].stop - edges[block].start
        return [(m, edges[m].stop - edges[m].start, width) for m in self.members(i) if m >= block]

    def tile_bytes(self, i: int, k: int) -> int:
        """Bytes of the numbers in a tile."""
        return sum(WORD * a * b for block in self.members(k) for _, a, b in self.column(i, k, block))

    @property
    def disk_bytes(self) -> int:
        """Bytes of all tiles of the Gram matrix and of one factor."""
        return 2 * sum(self.tile_bytes(i, k) for i, k in self.names)

    @property
    def memory_bytes(self) -> int:
        """Bytes that the largest task takes, beside the samples and the parameters."""
        return task_bytes(max(self.rows(i).stop - self.rows(i).start for i in range(self.tiles)), self.sizes.width)


def task_bytes(rows: int, width: int) -> int:
    """Bytes of a task on a tile of so many rows: the tile, a strip of its product, panels of features."""
    return WORD * (rows * rows * (STRIPS + 1) // STRIPS + PANELS * rows * width)


def layout(n: int, m: int, memory: int, *, rows: int | None = None) -> Layout:
    """Cut the Gram matrix of an N x M matrix into tiles.

    Parameters
    ----------
    n, m : int
        Rows and columns of Psi.
    memory : int
        Bytes that a task may take, beside the samples and the parameters.
    rows : int, optional
        Most rows of a tile, by default as many as fit, at most `LARGEST_TILE`.

    Returns
    -------
    Layout
        Tiles of nearly equal sizes.

    Raises
    ------
    InputError
        Not even a tile of one block fits.

    Examples
    --------
    >>> found = layout(60_000, 90_000, 3 * 2**30)
    >>> found.tiles, found.rows(0), found.sizes.block
    (5, slice(0, 12000, None), 2000)
    """
    width = min(m, BLOCK)
    most = largest_tile(memory, width) if rows is None else rows
    if rows is None and most < min(n, SMALLEST_TILE):
        need = task_bytes(min(n, SMALLEST_TILE), width) / 2**30
        raise InputError(f"memory of {memory / 2**30:.2g} GiB: the smallest task takes {need:.2g} GiB; allow more")
    tiles = -(-n // min(n, most))
    share = -(-n // tiles)
    per = -(-share // BLOCK)
    block = -(-share // per)
    return Layout(plan(n, m, block=-(-block // LINE) * LINE if n > BLOCK else block, width=width), per)


def largest_tile(memory: int, width: int) -> int:
    """The most rows of a tile whose task takes at most so many bytes; at most `LARGEST_TILE`."""
    square, linear = WORD * (STRIPS + 1) / STRIPS, WORD * PANELS * width
    rows = int((math.sqrt(linear * linear + 4.0 * square * memory) - linear) / (2.0 * square))
    return min(rows, LARGEST_TILE)
