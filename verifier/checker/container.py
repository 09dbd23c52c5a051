"""Reads the two files of a certificate, each exactly once, and nothing that is not exactly as the format says.

Glossary: a *tensor* is a named array of the safetensors file; an exact array is a sum of tensors times powers of two.
"""

from __future__ import annotations

import array
import hashlib
import json
import math
import os
import re
import stat
import sys
from operator import add
from types import SimpleNamespace
from typing import Any

from flint import fmpz_mat

from .exact import Exact
from .rejection import Budget, Rejection, require, words
from .schema import MAX_EXTENT, choice, integer, items, record

MAX_DOCUMENT_BYTES = MAX_HEADER_BYTES = 16 << 20
MAX_DIGITS = 20
WORDS_PER_ENTRY = 8  # memory of one entry of a tensor while it is read
DTYPES = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}  # typecodes of array.array
TENSOR_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
TENSOR = record(
    dtype=choice(*DTYPES),
    shape=items(integer(1, MAX_EXTENT), 1, 4),
    data_offsets=items(integer(0, 1 << 62), 2, 2),
)


def read_file(path: str, limit: int, where: str) -> bytes:
    """Read a regular file of at most `limit` bytes; its size is compared before memory is taken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            size, regular = status.st_size, stat.S_ISREG(status.st_mode)
            require(regular, where, "container.file", "is not a regular file (a folder, pipe or device is refused)")
            require(size <= limit, where, "container.size", "the file is too large", size, f"limit {limit}")
            with open(descriptor, "rb", closefd=False) as stream:
                content = stream.read(size + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        message = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise Rejection("", "container.unreadable", message) from None
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
        short = len(digits.lstrip("-")) <= MAX_DIGITS
        require(short, where, "container.json", "an integer has more than 20 digits", digits[:40])
        return int(digits)

    def forbidden(number: str) -> Any:
        raise Rejection(where, "container.json", "floats, NaN and Infinity are not allowed: use a dyadic", number[:40])

    hooks: dict[str, Any] = {"object_pairs_hook": unique, "parse_float": forbidden, "parse_constant": forbidden}
    try:
        return json.loads(content.decode("utf-8"), parse_int=whole, **hooks)
    except (ValueError, RecursionError) as error:
        raise Rejection(where, "container.json", f"is not JSON: {error}") from None


def load_document(path: str) -> Any:
    """Read the JSON document of a certificate."""
    return parse_json(read_file(path, MAX_DOCUMENT_BYTES, ""), "")


def load_arrays(document_path: str, name: str, size: int, digest: str) -> bytes:
    """Read the arrays file that the document names.

    Guarantee: the bytes have the claimed size and SHA-256 (the file is read once: what is hashed is what is parsed).
    """
    bare = 1 <= len(name) and not name.startswith(".") and name.isprintable() and not set(name) & set("/\\:")
    require(bare, "/arrays/file", "container.file", "must be a bare file name in the certificate's folder", name)
    content = read_file(os.path.join(os.path.dirname(document_path), name), size, "/arrays/bytes")
    same = len(content) == size
    require(same, "/arrays/bytes", "container.size", "the arrays file has another size", size, len(content))
    computed = hashlib.sha256(content).hexdigest()
    require(computed == digest, "/arrays/sha256", "container.hash", "the arrays file was changed", digest, computed)
    return content


class Arrays:
    """The tensors of a safetensors file, the account of work, and the names that nothing has referred to yet."""

    def __init__(self, content: bytes, where: str = "/arrays/file") -> None:
        """Guarantee: the tensors fill the file without gap or overlap."""
        size, length = len(content), int.from_bytes(content[:8], "little")
        fits = size >= 8 and length <= min(MAX_HEADER_BYTES, size - 8)
        require(fits, where, "container.header", "the header's length does not fit the file", length, size)
        self.data, self.budget = memoryview(content)[8 + length :], Budget()
        header = parse_json(content[8 : 8 + length], where)
        plain = isinstance(header, dict) and content[8:9] == b"{"
        require(plain, where, "container.header", "the header is not a JSON object")
        self.tensors: dict[str, SimpleNamespace] = {}
        for name, entry in header.items():
            try:
                self.tensors[name] = TENSOR(entry, "")
            except Rejection as wrong:
                message = f"tensor {name[:100]}{wrong.path} {wrong.message}"
                raise Rejection(where, "container.tensor", message, wrong.claimed) from None
        position = 0
        for name, tensor in sorted(self.tensors.items(), key=lambda item: list(item[1].data_offsets)):
            begin, end = tensor.data_offsets
            named = bool(TENSOR_NAME.fullmatch(name)) and name != "__metadata__"
            require(named, where, "container.tensor", "a name is not 1 to 100 characters of [A-Za-z0-9_.-]", name[:100])
            need = math.prod(tensor.shape) * array.array(DTYPES[tensor.dtype]).itemsize
            fits = begin == position and end - begin == need
            require(fits, where, "container.tensor", f"{name}: wrong size, a gap or an overlap", [begin, end], need)
            position = end
        exact = position == len(self.data)
        require(exact, where, "container.tensor", "the tensors do not fill the file", position, len(self.data))
        self.unused = set(self.tensors)
        self.known: dict[Any, Exact] = {}

    def read(self, name: str, path: str, shape: list[int] | None = None, integral: bool = False) -> array.array[Any]:
        """Return a tensor's entries in C order; its shape, or that it is a vector of integers, is compared."""
        require(name in self.tensors, path, "container.tensor", "the arrays file has no tensor of this name", name)
        self.unused.discard(name)
        tensor = self.tensors[name]
        if integral:
            require(tensor.dtype[0] in "UI", path, "container.tensor", "must have an integer dtype", tensor.dtype)
        same = tensor.shape == shape if shape else len(tensor.shape) == 1
        require(same, path, "shape", "the tensor has another shape", tensor.shape, shape)
        self.budget.spend(path, memory=math.prod(tensor.shape) * WORDS_PER_ENTRY)
        result = array.array(DTYPES[tensor.dtype])
        result.frombytes(self.data[slice(*tensor.data_offsets)])
        if sys.byteorder == "big":
            result.byteswap()
        return result

    def integers(self, name: str, path: str, count: int | None = None) -> list[int]:
        """Return a vector of integers; its length must be `count` where that is given."""
        return list(self.read(name, path, [count] if count else None, integral=True))

    def exact(self, reference: Any, *shape: int) -> Exact:
        """Return an exact array of the given shape; rows are the first axis. Equal references are one object.

        Guarantee: the sum over the terms of tensor * 2^exponent, without rounding.
        """
        path, expected = reference.path, list(shape)
        require(reference.shape == expected, path + "/shape", "shape", "another shape", reference.shape, expected)
        key = shape, tuple((term.tensor, term.exponent) for term in reference.terms)
        if key not in self.known:
            terms = []
            for term in reference.terms:
                entries, power = self.read(term.tensor, term.path + "/tensor", expected), 0
                if entries.typecode in "fd":
                    finite = all(map(math.isfinite, entries))
                    require(finite, term.path, "container.tensor", "contains NaN or an infinity", term.tensor)
                    power = max(number.as_integer_ratio()[1] for number in entries).bit_length() - 1
                largest = math.ceil(max(max(entries), -min(entries))).bit_length()
                terms.append((entries, power, term.exponent - power, term.exponent + largest))
            low, high = min(term[2] for term in terms), max(term[3] for term in terms)
            bits = max(0, high - low) + len(terms).bit_length()
            self.budget.spend(path, memory=math.prod(shape) * words(bits))
            total: list[int] = []
            for entries, power, lowest, _ in terms:
                numbers = scaled(entries, power)
                numbers = [number << (lowest - low) for number in numbers] if lowest > low else numbers
                total = list(map(add, total, numbers)) if total else numbers
            self.known[key] = Exact(fmpz_mat(shape[0], math.prod(shape[1:]), total), low, bits)
        return self.known[key]


def scaled(entries: array.array[Any], power: int) -> list[int]:
    """Return entries * 2^power, which are integers."""
    if entries.typecode not in "fd":
        return list(entries)
    if power < 900 and max(map(abs, entries)) < 2.0**100:
        return [int(number * 2.0**power) for number in entries]  # a power of two: exact
    return [p << (power + 1 - q.bit_length()) for p, q in map(float.as_integer_ratio, entries)]
