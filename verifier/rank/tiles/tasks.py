"""The tasks: a tile of the Gram matrix or of a factor; what it needs, whether it is done, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress
from verifier.rank.tiles.factor_tile import Column, factor_tile
from verifier.rank.tiles.folder import TileFolder, TileRecord, TornTile, write_tile
from verifier.rank.tiles.gram_tile import gram_tile
from verifier.rank.tiles.layout import Layout

Source = Callable[[slice], ColumnSource]
"""Encloses some rows of Psi."""


class Task(msgspec.Struct, frozen=True):
    """Tile (i, k) of the Gram matrix, or, with a shift, of the factor of the Gram matrix minus that shift."""

    i: int
    k: int
    shift: float | None = None

    @property
    def name(self) -> str:
        """The tile's name, which is that of its file in the folder."""
        kind = "gram" if self.shift is None else f"factor_{self.shift.hex()}"
        return f"{kind}_{self.i}_{self.k}"

    @property
    def needs(self) -> list[Task]:
        """The tasks whose tiles this one reads."""
        if self.shift is None:
            return []
        left = {(row, j) for row in (self.i, self.k) for j in range(self.k)} | {(self.k, self.k)}
        left.discard((self.i, self.k))
        return [Task(self.i, self.k), *(Task(row, j, self.shift) for row, j in sorted(left))]

    def operations(self, cut: Layout) -> float:
        """Floating-point operations of the products, about."""
        rows, columns = cut.rows(self.i), cut.rows(self.k)
        length = cut.sizes.columns if self.shift is None else (columns.start + columns.stop) / 2.0
        entries = (rows.stop - rows.start) * (columns.stop - columns.start)
        return float(entries * length) * (1.0 if self.i == self.k else 2.0)


def tasks_of(cut: Layout, shift: float | None = None) -> list[Task]:
    """All tasks of the Gram matrix, or of a factor, in an order in which they can be done."""
    if shift is None:
        return [Task(i, k) for i, k in cut.names]
    return [Task(i, k, shift) for k in range(cut.tiles) for i in range(k, cut.tiles)]


def standing(folder: TileFolder, cut: Layout, shift: float | None = None) -> dict[str, TileRecord]:
    """The tiles that count: whole, and made from tiles that still count.

    Parameters
    ----------
    folder : TileFolder
        Where they are.
    cut : Layout
        Blocks and tiles.
    shift : float, optional
        Of the factor whose tiles are wanted with those of the Gram matrix.

    Returns
    -------
    dict
        Name -> record. Guarantee: a factor's tile was made from exactly the tiles whose records are returned.
    """
    found: dict[str, TileRecord] = {}
    digests: dict[str, str] = {}
    for task in tasks_of(cut) + ([] if shift is None else tasks_of(cut, shift)):
        record = folder.record(task.name, cut.tile_bytes(task.i, task.k))
        wanted = {need.name for need in task.needs}
        if record is None or record.needs.keys() != wanted:
            continue
        if all(digests.get(name) == digest for name, digest in record.needs.items()):
            found[task.name], digests[task.name] = record, record.digest
    return found


@dataclass(slots=True)
class Maker:
    """Does tasks: with a folder of tiles, an array library, and rows of Psi.

    ``record`` holds the products of all tasks of this process: what the canary has tested need not be tested again.
    """

    folder: TileFolder
    cut: Layout
    source: Source
    backend: Backend
    record: Products

    def write(self, task: Task, progress: Progress | None = None) -> Callable[[BinaryIO], TileRecord]:
        """Make a tile, and return what writes it.

        Parameters
        ----------
        task : Task
            Which.
        progress : callable, optional
            Called with the fraction done.

        Returns
        -------
        callable
            Writes the tile to a stream and returns its record. Guarantee: that of `gram_tile` or `factor_tile`; every
            product that it rests on has passed the platform's canary.

        Raises
        ------
        TornTile
            A tile that it reads is torn, and was removed.
        Breakdown
            The factorization breaks down.
        NotEnclosed
            The features have no finite enclosure, or the platform is not trusted.
        """
        with np.errstate(all="ignore"):
            make = self._gram if task.shift is None else self._factor
            write = make(task, progress)
        require(self.record)
        return write

    def _gram(self, task: Task, progress: Progress | None) -> Callable[[BinaryIO], TileRecord]:
        cut, i, k = self.cut, task.i, task.k
        rows = self.source(cut.rows(i))
        made = gram_tile(rows, None if i == k else self.source(cut.rows(k)), cut, self.record, progress)

        def record(panels: tuple[str, ...]) -> TileRecord:
            return TileRecord(task.name, self.folder.owner, (i, k), panels, {}, made.numbers)

        return lambda stream: write_tile(stream, made.columns(self.backend, cut, i, k), record)

    def _factor(self, task: Task, progress: Progress | None) -> Callable[[BinaryIO], TileRecord]:
        cut, shift = self.cut, task.shift
        records: dict[str, TileRecord] = {}
        for need in task.needs:
            found = self.folder.record(need.name, cut.tile_bytes(need.i, need.k))
            if found is None:
                self.folder.discard(need.name)
                raise TornTile(need.name)
            records[need.name] = found

        def read(needed: Task, block: int) -> Column:
            return self.column(records[needed.name], needed, block)

        made = factor_tile(
            self.backend,
            cut,
            (task.i, task.k),
            0.0 if shift is None else shift,
            lambda block: read(Task(task.i, task.k), block),
            lambda i, k, block: read(Task(i, k, shift), block),
            self.record,
            progress,
        )
        needs = {name: found.digest for name, found in records.items()}

        def record(panels: tuple[str, ...]) -> TileRecord:
            return TileRecord(task.name, self.folder.owner, (task.i, task.k), panels, needs, made.numbers(cut))

        return lambda stream: write_tile(stream, made.columns, record)

    def column(self, record: TileRecord, task: Task, block: int) -> Column:
        """Read a block column of a tile onto the device."""
        own = self.cut.members(task.k)
        shapes = [self.cut.column(task.i, task.k, c) for c in own]
        found = self.folder.column(record, block - own.start, shapes)
        return {row: self.backend.asarray(values) for row, values in found.items()}


def missing(tasks: list[Task], known: Mapping[str, TileRecord]) -> list[Task]:
    """The tasks that are not done and whose needs are there, in order."""
    return [task for task in tasks if task.name not in known and all(need.name in known for need in task.needs)]
