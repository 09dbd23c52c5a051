"""Opening a file that somebody else wrote: regular files only, and of a bounded size, before anything is read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from verifier.errors import DataError, one_line

MAX_BYTES: Final = 4 * 2**30
"""Largest file of samples or weights, and largest array inside an archive: 4 GiB."""


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

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Most bytes that it may have.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    OSError
        As `open_regular`; or its size is not what the system says.
    """
    with open_regular(path, limit) as stream:
        size = os.fstat(stream.fileno()).st_size
        content = stream.read(size + 1)
    if len(content) != size:
        raise OSError(errno.EIO, "its size is not what the system says; copy it to an ordinary file")
    return content


def opened(path: str | Path, limit: int = MAX_BYTES) -> BinaryIO:
    """Open a file of samples as `open_regular` does, if it is not empty; the caller closes it.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int, optional
        The largest size in bytes.

    Returns
    -------
    file object
        Opened for reading bytes.

    Raises
    ------
    DataError
        One line that names the file and says why it cannot be opened.
    """
    shown = f"path = {one_line(str(path))}"
    try:
        stream = open_regular(path, limit)
    except IsADirectoryError:
        raise DataError(f"{shown}: is a directory; give one file, such as .csv or .npz") from None
    except OSError as error:
        raise DataError(f"{shown}: {error.strerror}; check the path") from None
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise DataError(f"{shown}: the file is empty; write samples into it")
    return stream
