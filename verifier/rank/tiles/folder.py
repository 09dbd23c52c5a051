"""Tiles on disk: each is one file, whole or not there, with its digests, and with those of the tiles it was made from.

A file holds the blocks of a tile, block column by block column, each in C order, little-endian float64; then the record
as MessagePack; then the record's SHA-256, its length and `MAGIC`. It is written under another name, flushed to disk and
renamed. A block column is used only if its SHA-256 is that of the record, and a tile counts only if the tiles that it
was made from are still those, and it was made for the folder's problem and layout, its owner: what is torn, altered,
out of date or of another problem is made again.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from verifier.errors import InputError, VerifierError

MAGIC = b"verifier tile 2\n"
"""The end of a tile's file; the number is the format's."""

ENDING = ".tile"
"""Of a tile's file."""

PART = ".part"
"""Of a file that is being written."""

_LENGTH = struct.Struct("<Q")


class TornTile(VerifierError):
    """A tile's file is not what its record says; it has been removed, and is to be made again."""

    def __init__(self, name: str) -> None:
        """Say which tile is torn and that it is made again; `tile` has its name."""
        super().__init__(f"tile {name} is torn or was altered; it is made again")
        self.tile = name


class GramNumbers(msgspec.Struct, frozen=True, tag="gram"):
    """Upper bounds of what a Gram task lost; see `gram_tile`.

    ``rounding``: ``||G - A_I A_J^T||_F``; ``moved``: ``||Psi_I Psi_J^T - A_I A_J^T||_F``; ``size``: the Frobenius norm
    of bounds of ``|G|``'s entries; ``relative``: of that the part for roundings of the products; ``errors``:
    ``||Psi_I - A_I||_F`` and ``||Psi_J - A_J||_F``; ``midpoints``: SHA-256 of A_I and of A_J.
    """

    rounding: float
    moved: float
    size: float
    errors: tuple[float, float]
    midpoints: tuple[str, str]


class FactorNumbers(msgspec.Struct, frozen=True, tag="factor"):
    """Upper bounds of a factor's tile: the sum of squares of what is left, mirrored, and of the tile's own entries."""

    residual: float
    squares: float


class TileRecord(msgspec.Struct, frozen=True):
    """What is known of a tile: its place, SHA-256 of its block columns, digests of the tiles it was made from.

    ``owner`` says which problem, cut in which way, it is a tile of.
    """

    name: str
    owner: str
    place: tuple[int, int]
    panels: tuple[str, ...]
    needs: dict[str, str]
    numbers: GramNumbers | FactorNumbers

    @property
    def digest(self) -> str:
        """SHA-256 of the whole tile, through the digests of its block columns."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()


Found = TypeVar("Found")


def whole_file(target: Path, write: Callable[[BinaryIO], Found]) -> Found:
    """Write a file, whole or not at all, so that it survives a kill and a loss of power.

    Parameters
    ----------
    target : Path
        The file; its folder exists.
    write : callable
        Writes the content to a stream.

    Returns
    -------
    object
        What ``write`` returned.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=PART)
        with os.fdopen(handle, "wb") as stream:
            found = write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # for workers of another user
        os.replace(temporary, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too
        finally:
            os.close(folder)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; make room there and go on") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return found


Blocks = dict[int, NDArray[np.float64]]
"""A block column of a tile: block row -> block."""


def write_tile(
    stream: BinaryIO, columns: Iterable[Iterable[NDArray[np.float64]]], record: Callable[[tuple[str, ...]], TileRecord]
) -> TileRecord:
    """Write a tile to a stream.

    Parameters
    ----------
    stream : binary file
        Where to.
    columns : iterable of iterables of ndarrays
        The blocks, block column by block column.
    record : callable
        Makes the record, given the digests of the block columns.

    Returns
    -------
    TileRecord
        What was written at the end.
    """
    panels = []
    for column in columns:
        sha = hashlib.sha256()
        for block in column:
            content = np.ascontiguousarray(block, dtype="<f8").data.cast("B")
            sha.update(content)
            stream.write(content)
        panels.append(sha.hexdigest())
    made = record(tuple(panels))
    text = msgspec.msgpack.encode(made)
    stream.write(text + hashlib.sha256(text).digest() + _LENGTH.pack(len(text)) + MAGIC)
    return made


class TileFolder:
    """The tiles of one problem in a folder.

    Parameters
    ----------
    path : Path
        The folder; it exists.
    owner : str, optional
        Digest of the problem and of how its matrix is cut: tiles of others do not count.
    """

    def __init__(self, path: Path, owner: str = "") -> None:
        self.path, self.owner = path, owner

    def file(self, name: str) -> Path:
        """Where a tile is."""
        return self.path / f"{name}{ENDING}"

    def names(self) -> list[str]:
        """The tiles that are there, whole or not."""
        return sorted(path.stem for path in self.path.glob(f"*{ENDING}"))

    def discard(self, name: str) -> None:
        """Remove a tile if it is there."""
        self.file(name).unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what a killed task left half-written."""
        for part in self.path.glob(f".*{PART}"):
            part.unlink(missing_ok=True)

    def put(self, name: str, write: Callable[[BinaryIO], TileRecord]) -> TileRecord:
        """Write a tile, whole or not at all.

        Parameters
        ----------
        name : str
            The tile's.
        write : callable
            Writes it to a stream and returns its record.

        Returns
        -------
        TileRecord

        Raises
        ------
        InputError
            The folder cannot be written.
        """
        return whole_file(self.file(name), write)

    def record(self, name: str, size: int) -> TileRecord | None:
        """Read a tile's record.

        Parameters
        ----------
        name : str
            The tile's.
        size : int
            Bytes of its numbers.

        Returns
        -------
        TileRecord or None
            None if there is no whole file of that name, size and owner. (The numbers are looked at when they are read.)
        """
        try:
            with self.file(name).open("rb") as stream:
                stream.seek(size)
                rest = stream.read()
            end = len(rest) - len(MAGIC) - _LENGTH.size - hashlib.sha256().digest_size
            text = rest[: max(end, 0)]
            if rest[max(end, 0) :] != hashlib.sha256(text).digest() + _LENGTH.pack(len(text)) + MAGIC:
                return None
            found = msgspec.msgpack.decode(text, type=TileRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return found if (found.name, found.owner) == (name, self.owner) else None

    def column(self, record: TileRecord, index: int, shapes: list[list[tuple[int, int, int]]]) -> Blocks:
        """Read one block column of a tile.

        Parameters
        ----------
        record : TileRecord
            The tile's.
        index : int
            Which of its block columns, from 0.
        shapes : list of lists of (block row, rows, columns)
            The blocks of all its block columns, in the file's order.

        Returns
        -------
        dict
            Block row -> block. Guarantee: the numbers that the record speaks of: their SHA-256 is its own.

        Raises
        ------
        TornTile
            They are not; the file is then removed.
        """
        start = sum(8 * a * b for column in shapes[:index] for _, a, b in column)
        count = sum(a * b for _, a, b in shapes[index])
        try:
            with self.file(record.name).open("rb") as stream:
                values = np.fromfile(stream, dtype="<f8", count=count, offset=start)
        except OSError:
            values = np.empty(0)
        if len(values) != count or hashlib.sha256(values.data.cast("B")).hexdigest() != record.panels[index]:
            self.discard(record.name)
            raise TornTile(record.name)
        found: Blocks = {}
        at = 0
        for row, a, b in shapes[index]:
            found[row] = values[at : at + a * b].reshape(a, b)
            at += a * b
        return found
