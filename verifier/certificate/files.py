"""Files that are written whole or not at all: under a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from verifier.errors import CertificateError, InputError, one_line


def named(file: object) -> Path:
    """Take the name of a certificate to be written.

    Parameters
    ----------
    file : str or Path
        Ends in ``.json``; the arrays go beside it.

    Raises
    ------
    InputError
        It does not, or is no name.
    """
    if not isinstance(file, str | Path):
        raise InputError(f"write({one_line(file)}): not a file's name; name a file that ends in .json")
    if Path(file).suffix != ".json":
        raise InputError(f"write({one_line(str(file))}): a certificate's name ends in .json; its arrays go beside it")
    return Path(file)


def holds(path: Path, content: bytes) -> bool:
    """Whether a file is there and has exactly this content."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    CertificateError
        If it is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from None


def atomic_write(path: Path, content: bytes, *, remedy: str = "choose another folder with --out") -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, then rename: whole or not at all.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is missing.
    content : bytes
        All of it.
    remedy : str, optional
        What the caller's user can do if the folder cannot be written.

    Raises
    ------
    CertificateError
        If the folder cannot be written (read-only, full, missing).
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror or error}; {remedy}") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def leftover_parts(folder: Path) -> Sequence[Path]:
    """Temporary files that a killed run left behind in ``folder``."""
    return sorted(folder.glob(".*.part")) if folder.is_dir() else ()
