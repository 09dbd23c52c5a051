"""Decoding a text file: by its byte order mark, as UTF-8, or in the encodings of older systems."""

from __future__ import annotations

import re
from typing import Final

from verifier.errors import DataError

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Byte order marks and their encodings; that of UTF-32 begins as that of UTF-16, so it comes first."""


def decoded(name: str, content: bytes) -> tuple[str, str]:
    """Decode a text: UTF-8, UTF-16 or UTF-32 with their marks, UTF-16 without, else Windows-1252 or Latin-1.

    Returns
    -------
    text : str
        Without a byte order mark.
    encoding : str
        What it was, in words; empty for UTF-8.

    Raises
    ------
    DataError
        It is no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strict(name, content[len(mark) :], encoding), "" if encoding == "utf-8" else encoding.upper()
    # UTF-16 without a mark: every other byte of a text in Latin letters is 0, its first 4 KiB tell; 0.8 leaves room
    pairs = content[: 2 * (len(content[:4096]) // 2)][:4096]
    if pairs and b"\0" in pairs:
        for encoding, zeros, others in (("utf-16-le", pairs[1::2], pairs[::2]), ("utf-16-be", pairs[::2], pairs[1::2])):
            if zeros.count(0) > 0.8 * len(zeros) and others.count(0) == 0:
                return _strict(name, content, encoding), encoding.upper()
        raise DataError(
            f"{name}: byte {content.index(0)} is 0, so this is no text; give a text file such as CSV, or a .npz"
        )
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    if re.search(rb"[\x01-\x08\x0e-\x1a\x7f]", content[:65536]):
        raise DataError(
            f"{name}: neither text nor an archive that is read here; give a text file such as CSV, or a .npz"
        )
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def _strict(name: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: byte {error.start} is not {encoding.upper()}, which its first bytes announce; save the file as"
            " UTF-8 text"
        ) from None
