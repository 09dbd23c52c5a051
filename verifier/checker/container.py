"""Reads the two files of a certificate, each exactly once, and nothing that is not exactly as the format says.

Glossary: a *tensor* is a named array of the safetensors file; an exact array is a sum of tensors times powers of two.
"""

import array
import hashlib
import json
import math
import os
import re
import stat
import sys
from operator import add, itemgetter
from typing import Any

from flint import fmpz_mat

from .common import Exact, Rejection, require
from .schema import EXTENT, MAX_AXES, read

MAX_DOCUMENT_BYTES = MAX_HEADER_BYTES = 16 << 20  # 16 MiB: more is refused unread
DTYPES = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}  # typecodes of array.array
TENSOR_NAME = re.compile(r"(?!__metadata__$)[A-Za-z0-9_.-]{1,100}")
TENSOR = {"dtype": frozenset(DTYPES), "shape": [EXTENT, 1, MAX_AXES], "data_offsets": [range(1 << 62), 2, 2]}


def read_file(path: str, limit: int, where: str) -> bytes:
    """Read a regular file of at most `limit` bytes; its size is compared before memory is taken."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as stream:
            status = os.fstat(stream.fileno())
            size, regular = status.st_size, stat.S_ISREG(status.st_mode)
            require(regular, where, "container.file", "is not a regular file (a pipe or device is refused)")
            require(size <= limit, where, "container.size", "the file is too large", size, f"limit {limit}")
            content = stream.read(size + 1)
    except IsADirectoryError:
        raise Rejection(where, "container.file", "is a folder") from None
    except (OSError, ValueError) as error:
        raise Rejection("", "container.unreadable", f"cannot be read: {error}") from None
    require(len(content) == size, where, "container.size", "the file changed while it was read", size, len(content))
    return content


def parse_json(content: bytes, where: str) -> Any:
    """Parse strict JSON: UTF-8, no duplicate keys, no floats, no NaN or Infinity, integers of at most 20 digits."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            require(key not in result, where, "container.duplicate-key", "an object has the same key twice", key)
            result[key] = value
        return result

    def whole(digits: str) -> int:
        require(len(digits.lstrip("-")) <= 20, where, "container.json", "more than 20 digits", digits[:40])
        return int(digits)

    def forbidden(number: str) -> Any:
        raise Rejection(where, "container.json", "floats, NaN and Infinity are not allowed: use a dyadic", number[:40])

    hooks: dict[str, Any] = {"object_pairs_hook": unique, "parse_float": forbidden, "parse_constant": forbidden}
    try:
        return json.loads(content.decode("utf-8"), parse_int=whole, **hooks)
    except (ValueError, RecursionError) as error:
        raise Rejection(where, "container.json", f"is not JSON: {error}") from None


def load_arrays(document_path: str, name: str, size: int, digest: str) -> bytes:
    """Read the arrays file that the document names.

    Guarantee: the bytes have the claimed size and SHA-256 (the file is read once: what is hashed is what is parsed).
    """
    bare = len(name) > 0 and not name.startswith(".") and name.isprintable() and not set(name) & set("/\\:")
    require(bare, "/arrays/file", "container.file", "must be a bare file name in the certificate's folder", name)
    content = read_file(os.path.join(os.path.dirname(document_path), name), size, "/arrays/bytes")
    require(len(content) == size, "/arrays/bytes", "container.size", "the file has another size", size, len(content))
    computed = hashlib.sha256(content).hexdigest()
    require(computed == digest, "/arrays/sha256", "container.hash", "the arrays file was changed", digest, computed)
    return content


class Arrays:
    """The tensors of a safetensors file, and the names that nothing has referred to yet."""

    def __init__(self, content: bytes, where: str = "/arrays/file") -> None:
        """Guarantee: the tensors fill the file without gap or overlap."""
        position = 0
        size, length = len(content), int.from_bytes(content[:8], "little")
        fits = size >= 8 and length <= min(MAX_HEADER_BYTES, size - 8) and content[8:9] == b"{"
        require(fits, where, "container.header", "no header (a JSON object) of the stated length", length, size)
        header, self.data = parse_json(content[8 : 8 + length], where), memoryview(content)[8 + length :]
        try:
            self.tensors = {name: read(TENSOR, entry, f" {name[:100]}") for name, entry in header.items()}
        except Rejection as wrong:
            raise Rejection(where, "container.tensor", f"tensor{wrong.path} {wrong.message}", wrong.claimed) from None
        for name, tensor in sorted(self.tensors.items(), key=lambda item: list(item[1].data_offsets)):
            begin, end = tensor.data_offsets
            need = math.prod(tensor.shape) * array.array(DTYPES[tensor.dtype]).itemsize
            fits = begin == position and end - begin == need and bool(TENSOR_NAME.fullmatch(name))
            message = f"{name[:100]}: a bad name, a wrong size, a gap or an overlap"
            require(fits, where, "container.tensor", message, [begin, end], [position, position + need])
            position = end
        require(position == len(self.data), where, "container.tensor", "the tensors do not fill the file", position)
        self.unused, self.known = set(self.tensors), dict[Any, Exact]()

    def entries(self, name: str, path: str, shape: list[int] | None = None, rows: range | None = None) -> Any:
        """Return a tensor's entries (or those of some rows) in C order; without a shape it must be a vector."""
        require(name in self.tensors, path, "container.tensor", "the arrays file has no tensor of this name", name)
        self.unused.discard(name)
        tensor = self.tensors[name]
        same, rows = tensor.shape == shape if shape else len(tensor.shape) == 1, rows or range(tensor.shape[0])
        require(same, path, "shape", "the tensor has another shape", tensor.shape, shape)
        (begin, end), result = tensor.data_offsets, array.array(DTYPES[tensor.dtype])
        size = (end - begin) // tensor.shape[0]  # of a row
        begin, end = begin + rows.start * size, begin + rows.stop * size
        result.frombytes(self.data[begin:end])
        if sys.byteorder == "big":
            result.byteswap()
        return result

    def require_shape(self, reference: Any, *shape: int) -> None:
        """Guarantee: on return the file has the entries of an array of this shape; none of them is read."""
        path, expected = reference.path, list(shape)
        require(reference.shape == expected, path + "/shape", "shape", "another shape", reference.shape, expected)
        for term in reference.terms:
            where, known = term.path + "/tensor", term.tensor in self.tensors
            require(known, where, "container.tensor", "the arrays file has no tensor of this name", term.tensor)
            found = self.tensors[term.tensor].shape
            require(found == expected, where, "shape", "the tensor has another shape", found, expected)
            self.unused.discard(term.tensor)

    def integers(self, name: str, path: str, count: int | None = None) -> list[int]:
        """Return a vector of integers; its length must be `count` where that is given."""
        entries = self.entries(name, path, [count] if count else None)
        require(entries.typecode not in "fd", path, "container.tensor", "must have an integer dtype", name)
        return list(entries)

    def exact(self, reference: Any, *shape: int) -> Exact:
        """Return an exact array of the given shape; rows are the first axis. Equal references are one object.

        Guarantee: the sum over the terms of tensor * 2^exponent, without rounding.
        """
        key = tuple(reference.shape), shape, tuple((term.tensor, term.exponent) for term in reference.terms)
        if key not in self.known:
            total, low, bits = self.numbers(reference, *shape)
            self.known[key] = Exact(fmpz_mat(shape[0], math.prod(shape[1:]), total), low, bits)
        return self.known[key]

    def numbers(self, reference: Any, *shape: int, rows: range | None = None) -> tuple[list[int], int, int]:
        """Return an exact array's (or some rows') integers in C order, their common exponent, a bound of their bits."""
        path, expected, terms, total = reference.path, list(shape), [], list[int]()
        require(reference.shape == expected, path + "/shape", "shape", "another shape", reference.shape, expected)
        for term in reference.terms:
            entries, power = self.entries(term.tensor, term.path + "/tensor", expected, rows), 0
            if entries.typecode in "fd":
                finite = all(map(math.isfinite, entries))
                require(finite, term.path, "container.tensor", "contains NaN or an infinity", term.tensor)
                power = max(map(itemgetter(1), map(float.as_integer_ratio, entries))).bit_length() - 1
            terms.append((entries, power, term.exponent - power))
        low = min(lowest for _, _, lowest in terms)
        for entries, power, lowest in terms:
            numbers = scaled(entries, power) if entries.typecode in "fd" else entries.tolist()
            numbers = [number << (lowest - low) for number in numbers] if lowest > low else numbers
            total = list(map(add, total, numbers)) if total else numbers
        return total, low, max(max(total), -min(total)).bit_length()


def scaled(entries: "array.array[Any]", power: int) -> list[int]:
    """Return entries * 2^power, which are integers."""
    factor = 1 << power
    if power < 900 and max(map(abs, entries)) < 2.0**100:
        return [int(number * factor) for number in entries]  # a float times a power of two: exact
    return [p << (power + 1 - q.bit_length()) for p, q in map(float.as_integer_ratio, entries)]
