"""Compressed files, decompressed up to a bound, and refused where they are decompression bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from verifier.data.files.kinds import NOT_SAMPLES, ending_by_beginning, ending_of, kind_of, not_samples
from verifier.data.files.regular import MAX_BYTES, opened
from verifier.errors import DataError, one_line

CHUNK: Final = 2**20
"""Bytes that are decompressed before the bound is looked at again."""
ENDINGS: Final = (".gz", ".bz2", ".xz", ".zip")
"""Endings of compressed files, which say nothing about what is inside."""
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\x03\x04": "zip"}

MAX_RATIO: Final = 100
"""Most bytes that one compressed byte may stand for, beyond `SMALL_BYTES`: more is a decompression bomb."""
SMALL_BYTES: Final = 8 * 2**20
"""Up to this size contents are decompressed whatever the ratio."""

UNSOUND: Final = (
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError, EOFError, OSError, RuntimeError),
    *(ValueError, ArithmeticError, TypeError),
)
"""What Python's and NumPy's readers raise for archives and arrays that are not sound."""


def is_bomb(size: int, compressed: int) -> bool:
    """Whether so many bytes out of so few are a decompression bomb rather than data."""
    return size > SMALL_BYTES and size > MAX_RATIO * compressed


def bare_name(name: str) -> str:
    """Return a file's name without the endings of compression."""
    lowered = name.lower()
    ending = next((end for end in ENDINGS if lowered.endswith(end)), "")
    return name[: len(name) - len(ending)] if ending else name


def _not_read(name: str) -> str | None:
    """Return the ending, without the dot, of a name that says that its file does not hold samples."""
    ending = ending_of(bare_name(name))
    return None if kind_of(NOT_SAMPLES, ending) is None else ending


def read_content(file: Path) -> tuple[str, bytes]:
    """Read a file of samples, decompressed if it is compressed.

    Parameters
    ----------
    file : Path
        Plain, or one file compressed by gzip, bzip2, xz or zip.

    Returns
    -------
    name : str
        The name of what was inside, without the ending of the compression.
    content : bytes
        At most `MAX_BYTES`.

    Raises
    ------
    DataError
        It cannot be read, is a decompression bomb, holds several files, or is of a kind that is not read here.
    """
    ending = _not_read(file.name)
    if ending is not None and not file.is_dir():
        raise not_samples(file.name, ending)
    with opened(file) as stream:
        start = stream.read(8)
        stream.seek(0)
        packing = next((words for magic, words in _MAGIC.items() if start.startswith(magic)), None)
        if packing == "zip":
            name, content = _unzipped(file.name, stream)
        elif packing is not None:
            name, content = bare_name(file.name), decompressed(file.name, stream, packing)
        else:
            name, content = file.name, stream.read()
    if not content:
        raise DataError(f"path = {one_line(str(file))}: the file is empty; write samples into it")
    ending = ending_by_beginning(content) or _not_read(name)
    if ending is not None:
        raise not_samples(file.name, ending)
    return name, content


def decompressed(name: str, stream: BinaryIO, packing: str, limit: int = MAX_BYTES) -> bytes:
    """Decompress a regular file whose ``packing`` is gzip, bzip2 or xz, up to ``limit`` bytes.

    Raises
    ------
    DataError
        It is damaged or cut off, or holds too much.
    """
    try:
        return _read(name, _decompressor(packing, stream), os.fstat(stream.fileno()).st_size, limit)
    except (*UNSOUND, lzma.LZMAError) as error:
        raise _damaged(name, packing, error) from None


def _decompressor(packing: str, stream: BinaryIO) -> IO[bytes]:
    if packing == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    return cast(IO[bytes], bz2.BZ2File(stream) if packing == "bzip2" else lzma.LZMAFile(stream))


def _read(name: str, plain: IO[bytes], size: int, limit: int) -> bytes:
    """Read what ``size`` compressed bytes hold, and stop where it becomes more than data."""
    found = io.BytesIO()
    while chunk := plain.read(CHUNK):
        found.write(chunk)
        if found.tell() > limit or is_bomb(found.tell(), size):
            raise DataError(f"{name}: {size} bytes hold more than {found.tell() - 1}; decompress the file first")
    return found.getvalue()


def _unzipped(name: str, stream: BinaryIO) -> tuple[str, bytes]:
    """Read the one file of a zip archive: its name and content."""
    try:
        with zipfile.ZipFile(stream) as archive:
            member = _only_member(name, archive)
            with archive.open(member) as plain:
                size = max(1, member.compress_size)
                return Path(member.filename).name, _read(name, plain, size, MAX_BYTES)
    except UNSOUND as error:
        raise _damaged(name, "zip", error) from None


def _only_member(name: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
    names = [info.filename for info in members]
    if "[Content_Types].xml" in names:
        raise not_samples(name, "xlsx")
    if any(member.endswith("data.pkl") for member in names):
        raise not_samples(name, "pt")
    if "mimetype" in names:
        raise not_samples(name, "ods")
    if len(members) != 1:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(f"{name}: a zip archive of {len(members)} files ({one_line(shown)}); give one of them alone")
    return members[0]


def _damaged(name: str, packing: str, error: Exception) -> DataError:
    return DataError(f"{name}: not a sound {packing} file ({one_line(str(error))}); fetch it again")
