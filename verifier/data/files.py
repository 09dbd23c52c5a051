"""Opening a file that somebody else wrote: regular files only, and of a bounded size, before anything is read."""

from __future__ import annotations

import errno
import io
import os
import stat
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

import numpy as np

MAX_RATIO: Final = 100
"""Most bytes that one compressed byte may stand for, beyond `SMALL_BYTES`: more is a decompression bomb."""
SMALL_BYTES: Final = 8 * 2**20
"""Up to this size contents are decompressed whatever the ratio."""

UNSOUND: Final = (
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError, EOFError, OSError, RuntimeError),
    *(ValueError, ArithmeticError, TypeError),
)
"""What Python's and NumPy's readers raise for archives and arrays that are not sound."""

MAX_NPY_HEADER: Final = 10_000
"""Bytes of a .npy file's header that NumPy reads."""
_HEADERS: Final = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}


def open_regular(path: str | Path, limit: int) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device neither blocks nor fills the memory.

    Parameters
    ----------
    path : str or Path
        The file; symbolic links are followed.
    limit : int
        Most bytes that it may have.

    Returns
    -------
    binary stream
        At the file's beginning; the caller closes it.

    Raises
    ------
    OSError
        It cannot be opened (`FileNotFoundError`, ...), is a folder, a pipe or a device, or too large; ``strerror`` says
        why.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a NUL character in the name
        raise OSError(errno.EINVAL, str(error)) from None
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file (a pipe or a device is refused)")
    raise OSError(errno.EFBIG, f"{status.st_size} bytes, more than {limit}")


def read_regular(path: str | Path, limit: int) -> bytes:
    """Read a whole file as `open_regular` opens it.

    Raises
    ------
    OSError
        As `open_regular`.
    """
    with open_regular(path, limit) as stream:
        size = os.fstat(stream.fileno()).st_size
        content = stream.read(size + 1)
    if len(content) != size:
        raise OSError(errno.EIO, "its size is not what the system says; copy it to an ordinary file")
    return content


def read_npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the beginning of a .npy file: the array's shape and type.

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


def is_bomb(size: int, compressed: int) -> bool:
    """Whether so many bytes out of so few are a decompression bomb rather than data."""
    return size > SMALL_BYTES and size > MAX_RATIO * compressed
