"""Reads the two files of a certificate, each exactly once, and nothing that is not exactly as the format says."""

from __future__ import annotations

import array
import hashlib
import json
import os
import stat
import sys
from typing import Any

from .rejection import (
    MAX_ARRAYS_BYTES,
    MAX_DIMENSION,
    MAX_DOCUMENT_BYTES,
    MAX_HEADER_BYTES,
    MAX_INTEGER_DIGITS,
    Rejection,
    Unreadable,
    product,
)

# dtype of the safetensors format: typecode of array.array, bytes per entry
DTYPES = {
    "U8": ("B", 1),
    "I8": ("b", 1),
    "I16": ("h", 2),
    "I32": ("i", 4),
    "I64": ("q", 8),
    "F32": ("f", 4),
    "F64": ("d", 8),
}
TENSOR_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def read_regular_file(path: str, limit: int, where: str) -> bytes:
    """Read a regular file of at most `limit` bytes; its size is compared before memory is taken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot open: {getattr(error, 'strerror', None) or error}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Rejection(where, "container.file", "is not a regular file (a folder, pipe or device is refused)")
    with os.fdopen(descriptor, "rb") as stream:
        if not status.st_size <= limit:
            raise Rejection(where, "container.size", "the file is too large", status.st_size, f"limit {limit}")
        try:
            content = stream.read(status.st_size + 1)
        except OSError as error:
            raise Unreadable(f"cannot read: {error.strerror or error}") from None
    if len(content) != status.st_size:
        raise Rejection(where, "container.size", "the file changed while it was read", status.st_size, len(content))
    return content


def parse_json(content: bytes, where: str) -> Any:
    """Parse strict JSON: UTF-8, no duplicate keys, no floats, no NaN or Infinity, integers of at most 20 digits."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise Rejection(where, "container.duplicate-key", "an object has the same key twice", twice)
        return result

    def integer(text: str) -> int:
        if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
            raise Rejection(where, "container.json", "an integer has more than 20 digits", text[:40])
        return int(text)

    def forbidden(text: str) -> Any:
        raise Rejection(where, "container.json", "floats, NaN and Infinity are not allowed: use a dyadic", text[:40])

    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=integer,
            parse_float=forbidden,
            parse_constant=forbidden,
        )
    except UnicodeDecodeError as error:
        raise Rejection(where, "container.json", f"is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise Rejection(where, "container.json", "is nested too deeply") from None
    except ValueError as error:
        raise Rejection(where, "container.json", f"is not JSON: {error}") from None


class Tensors:
    """The arrays of a safetensors file, verified to fill it exactly."""

    def __init__(self, content: bytes, where: str) -> None:
        self.data = memoryview(content)
        self.entries: dict[str, tuple[str, tuple[int, ...], int, int]] = {}
        self.unused: set[str] = set()
        self._parse(where)

    def _parse(self, where: str) -> None:
        size = len(self.data)
        length = int.from_bytes(self.data[:8], "little")
        if size < 8 or not length <= min(MAX_HEADER_BYTES, size - 8):
            raise Rejection(where, "container.header", "the header's length does not fit the file", length, size)
        start = 8 + length
        header = parse_json(bytes(self.data[8:start]), where)
        if not isinstance(header, dict) or bytes(self.data[8:9]) != b"{":
            raise Rejection(where, "container.header", "the header is not a JSON object")
        spans = []
        for name, entry in header.items():
            dtype, shape, begin, end = self._parse_entry(name, entry, size - start, where)
            self.entries[name] = (dtype, shape, start + begin, start + end)
            spans.append((begin, end, name))
        position = 0
        for begin, end, name in sorted(spans):
            if begin != position:
                raise Rejection(where, "container.tensor", f"{name}: a gap or an overlap before it", begin, position)
            position = end
        if position != size - start:
            raise Rejection(where, "container.tensor", "bytes after the last tensor", position, size - start)
        self.unused = set(self.entries)

    @staticmethod
    def _parse_entry(name: str, entry: Any, size: int, where: str) -> tuple[str, tuple[int, ...], int, int]:
        def wrong(message: str, claimed: object = None, computed: object = None) -> Rejection:
            return Rejection(where, "container.tensor", f"tensor {name[:100]}: {message}", claimed, computed)

        if not 1 <= len(name) <= 100 or not TENSOR_NAME.issuperset(name) or name == "__metadata__":
            raise wrong("its name is not 1 to 100 characters of [A-Za-z0-9_.-], or __metadata__")
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise wrong("its keys are not dtype, shape, data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise wrong("unknown dtype", dtype)
        for numbers, longest in ((shape, 4), (offsets, 2)):
            if not isinstance(numbers, list) or not 1 <= len(numbers) <= longest:
                raise wrong("shape is not 1 to 4 numbers or data_offsets not 2", numbers)
            if not all(type(number) is int and number >= 0 for number in numbers):
                raise wrong("shape or data_offsets are not nonnegative integers", numbers)
        if len(offsets) != 2 or not all(1 <= extent <= MAX_DIMENSION for extent in shape):
            raise wrong("an extent of the shape is 0 or too large, or data_offsets is not a pair", shape)
        begin, end = offsets
        need = product(shape) * DTYPES[dtype][1]
        if not begin < end <= size or need != end - begin:
            raise wrong("the shape's bytes are not its data_offsets in the file", need, f"{begin}..{end} of {size}")
        return dtype, tuple(shape), begin, end

    def find(self, name: str, path: str) -> tuple[str, tuple[int, ...]]:
        """Return dtype and shape of a tensor and note that it is referenced."""
        if name not in self.entries:
            raise Rejection(path, "container.tensor", "the arrays file has no tensor of this name", name)
        self.unused.discard(name)
        dtype, shape, _, _ = self.entries[name]
        return dtype, shape

    def read(self, name: str) -> array.array[Any]:
        """Return the tensor's entries in C order."""
        dtype, _, begin, end = self.entries[name]
        result: array.array[Any] = array.array(DTYPES[dtype][0])
        result.frombytes(self.data[begin:end])
        if sys.byteorder == "big":
            result.byteswap()
        return result


def load_document(path: str) -> Any:
    """Read the JSON document of a certificate."""
    return parse_json(read_regular_file(path, MAX_DOCUMENT_BYTES, ""), "")


def load_tensors(document_path: str, name: str, size: int, digest: str) -> Tensors:
    """Read the arrays file that the document names.

    Guarantee: on return the parsed bytes have the claimed size and SHA-256 (the file is read once: what is hashed is
    what is parsed), and the tensors fill them without gap or overlap.
    """
    where = "/arrays/file"
    if not 1 <= len(name) <= 200 or name.startswith(".") or not name.isprintable() or set(name) & set("/\\:"):
        raise Rejection(where, "container.file", "must be a bare file name in the certificate's folder", name)
    path = os.path.join(os.path.dirname(document_path), name)
    content = read_regular_file(path, min(size, MAX_ARRAYS_BYTES), "/arrays/bytes")
    if len(content) != size:
        raise Rejection("/arrays/bytes", "container.size", "the arrays file has another size", size, len(content))
    computed = hashlib.sha256(content).hexdigest()
    if computed != digest:
        raise Rejection("/arrays/sha256", "container.hash", "the arrays file was changed", digest, computed)
    return Tensors(content, where)
