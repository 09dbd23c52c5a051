"""NumPy's files, never unpickled: headers, and members of archives whose size is compared before memory is taken."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from verifier.data.files.packed import is_bomb
from verifier.errors import DataError

MAX_NPY_HEADER: Final = 10_000
"""Bytes of a .npy file's header that NumPy reads."""
_HEADERS: Final = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}


WRITE: Final = "numpy.savez(path, X=X, y=y)"
"""How an archive is written, for messages."""


@contextmanager
def old_headers() -> Iterator[None]:
    """Read headers in the style of Python 2 without NumPy's warning: they are read all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def numpy_archive(stream: BinaryIO) -> Iterator[tuple[zipfile.ZipFile, list[str]]]:
    """Open an .npz archive: it, for `read_member`, and the names of its arrays in their order.

    Raises
    ------
    UNSOUND
        Any of these errors, then or while it is read: the archive is damaged.
    """
    with zipfile.ZipFile(stream) as archive, old_headers():
        yield archive, [info.filename.removesuffix(".npy") for info in archive.infolist()]


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the beginning of a .npy file: the array's shape and type.

    The shape is not compared with the file's size here, and the type may be that of Python objects, which nobody reads.

    Raises
    ------
    UNSOUND
        Any of these errors: it is not the beginning of a .npy file of version 1 or 2, or its header is too long.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"npy version {version}; write it with numpy")
    digits, read = _HEADERS[version]
    length = stream.read(digits)
    if int.from_bytes(length, "little") > MAX_NPY_HEADER:
        raise ValueError(f"a header of {int.from_bytes(length, 'little')} bytes")
    try:
        shape, _, dtype = read(io.BytesIO(length + stream.read(int.from_bytes(length, "little"))))
    except MemoryError:  # of Python's parser
        raise ValueError("a header that is nested too deeply") from None
    return shape, dtype


def read_member(name: str, archive: zipfile.ZipFile, key: str, max_bytes: int) -> NDArray[Any]:
    """Read one array after its header's size was compared with the archive's directory.

    Guarantee: exactly the numbers stored.

    Parameters
    ----------
    name : str
        The file's name in messages.
    archive : ZipFile
        The opened .npz file.
    key : str
        The array's name, without ``.npy``.
    max_bytes : int
        The largest size that is read.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    DataError
        No or several arrays of that name, Python objects, sizes that do not fit.
    UNSOUND
        Any of these errors: the archive is damaged.
    """
    found = [info for info in archive.infolist() if info.filename == f"{key}.npy"]
    if len(found) != 1:
        raise DataError(f"{name}: {len(found)} arrays named {key!r}; write {WRITE}")
    size = found[0].file_size
    if size > max_bytes:
        raise DataError(f"{name}: {key} takes {size} bytes, more than {max_bytes}; use fewer samples")
    if is_bomb(size, found[0].compress_size):
        raise DataError(
            f"{name}: {key} takes {size} bytes, compressed to {found[0].compress_size}; write it with numpy.savez,"
            " uncompressed"
        )
    with archive.open(found[0]) as stream:
        declared = _declared_bytes(name, key, stream)
        header = stream.tell()
    if header + declared != size:
        raise DataError(
            f"{name}: {key} declares {declared} bytes of numbers, {size - header} are there; write the file again"
        )
    with archive.open(found[0]) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # at the end of the member its checksum is compared
    return array


def _declared_bytes(name: str, key: str, stream: IO[bytes]) -> int:
    shape, dtype = read_header(stream)
    if dtype.hasobject:
        raise DataError(
            f"{name}: {key} holds Python objects, which only pickle could read, and a pickle can run any program; write"
            f" it as numbers or text: {key} = {key}.astype(str) for labels, {key}.astype(float) for samples"
        )
    if any(extent < 0 for extent in shape):
        raise DataError(f"{name}: {key} declares the shape {shape}; write the file again")
    return math.prod(shape) * dtype.itemsize
