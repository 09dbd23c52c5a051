"""Reads values out of the document: every value has its JSON path, and is exactly of the expected kind."""

from __future__ import annotations

import array
import math
import re
from dataclasses import dataclass
from typing import Any

from flint import fmpz_mat

from .container import Tensors
from .exact import Dyadic, Exact
from .rejection import MAX_MANTISSA_DIGITS, Budget, Rejection, product

INTEGER_DTYPES = frozenset({"U8", "I8", "I16", "I32", "I64"})
MANTISSA = re.compile(r"0|-?[1-9][0-9]*")
DYADIC_EXPONENT = 200_000
ARRAY_EXPONENT = 20_000
MAX_TERMS = 160


@dataclass(frozen=True)
class Source:
    """What values refer to: the arrays, and the account of work."""

    tensors: Tensors
    budget: Budget


@dataclass(frozen=True)
class Value:
    """One JSON value, its path, and where its arrays are."""

    data: Any
    path: str
    source: Source | None = None

    def reject(self, rule: str, message: str, claimed: object = None, computed: object = None) -> Rejection:
        """Return (not raise) a rejection at this path."""
        return Rejection(self.path, rule, message, claimed, computed)

    def spend(self, what: str, amount: int) -> None:
        """Count work that this value asks for."""
        self._source().budget.spend(what, amount, self.path)

    def budget(self) -> Budget:
        """Return the account of work."""
        return self._source().budget

    def keys(self, *required: str) -> dict[str, Value]:
        """Return the members of an object that has exactly these keys."""
        if not isinstance(self.data, dict):
            raise self.reject("schema.type", "must be an object", type(self.data).__name__)
        for key in required:
            if key not in self.data:
                raise self.reject("schema.missing-key", f"the key {key} is missing", None, key)
        for key in self.data:
            if key not in required:
                raise self.reject("schema.unknown-key", "an unknown key; allowed: " + ", ".join(required), key)
        return {key: Value(self.data[key], f"{self.path}/{key}", self.source) for key in required}

    def get(self, key: str) -> Value:
        """Return one member of an object (the other members are looked at later)."""
        if not isinstance(self.data, dict):
            raise self.reject("schema.type", "must be an object", type(self.data).__name__)
        if key not in self.data:
            raise self.reject("schema.missing-key", f"the key {key} is missing", None, key)
        return Value(self.data[key], f"{self.path}/{key}", self.source)

    def items(self, least: int, most: int) -> list[Value]:
        """Return the members of a list of bounded length."""
        if not isinstance(self.data, list):
            raise self.reject("schema.type", "must be a list", type(self.data).__name__)
        if not least <= len(self.data) <= most:
            raise self.reject("schema.value", f"must have {least} to {most} entries", len(self.data))
        return [Value(item, f"{self.path}/{i}", self.source) for i, item in enumerate(self.data)]

    def integer(self, least: int, most: int) -> int:
        """Return an integer in a range (true and false are no integers)."""
        if type(self.data) is not int:
            raise self.reject("schema.type", "must be an integer", type(self.data).__name__)
        if not least <= self.data <= most:
            raise self.reject("schema.value", f"must be an integer from {least} to {most}", self.data)
        return self.data

    def integers(self, least: int, most: int, count: int) -> list[int]:
        """Return a list of exactly `count` integers in a range."""
        return [item.integer(least, most) for item in self.items(count, count)]

    def text(self, most: int) -> str:
        """Return a string of bounded length."""
        if not isinstance(self.data, str):
            raise self.reject("schema.type", "must be a string", type(self.data).__name__)
        if not len(self.data) <= most:
            raise self.reject("schema.value", f"must have at most {most} characters", len(self.data))
        return self.data

    def choice(self, *options: str) -> str:
        """Return a string that is one of the options."""
        if self.data not in options or not isinstance(self.data, str):
            claimed = self.data if isinstance(self.data, str | int) else type(self.data).__name__
            raise self.reject("schema.value", "must be one of: " + ", ".join(options), claimed)
        return self.data

    def dyadic(self) -> Dyadic:
        """Return an exact dyadic number."""
        parts = self.keys("mantissa", "exponent")
        text = parts["mantissa"].text(MAX_MANTISSA_DIGITS + 1)
        if not MANTISSA.fullmatch(text) or len(text.lstrip("-")) > MAX_MANTISSA_DIGITS:
            raise parts["mantissa"].reject("schema.value", "must be a decimal integer without leading zeros", text)
        return Dyadic(int(text), parts["exponent"].integer(-DYADIC_EXPONENT, DYADIC_EXPONENT))

    def integer_tensor(self, count: int | None) -> array.array[int]:
        """Return a vector of integers; its length must be `count` where that is given."""
        name, source = self.text(100), self._source()
        dtype, shape = source.tensors.find(name, self.path)
        if dtype not in INTEGER_DTYPES:
            raise self.reject("container.tensor", "must have an integer dtype", dtype)
        if len(shape) != 1 or shape[0] != (shape[0] if count is None else count):
            raise self.reject("shape", "the tensor has another shape", list(shape), [count])
        self.spend(Budget.ENTRIES, shape[0])
        return source.tensors.read(name)

    def exact(self, *shape: int) -> Exact:
        """Return an exact array of the given shape as a matrix: the first extent are the rows (1 row for a vector).

        Guarantee: the sum over the terms of tensor * 2^exponent, without rounding.
        """
        parts, source = self.keys("shape", "terms"), self._source()
        claimed = [item.integer(1, 1 << 62) for item in parts["shape"].items(1, 4)]
        if claimed != list(shape):
            raise parts["shape"].reject("shape", "the array has another shape", claimed, list(shape))
        count = product(shape)
        terms = []
        for term in parts["terms"].items(1, MAX_TERMS):
            keys = term.keys("tensor", "exponent")
            name, exponent = keys["tensor"].text(100), keys["exponent"].integer(-ARRAY_EXPONENT, ARRAY_EXPONENT)
            _, found = source.tensors.find(name, keys["tensor"].path)
            if found != shape:
                raise keys["tensor"].reject("shape", "the tensor has another shape", list(found), list(shape))
            self.spend(Budget.ENTRIES, count)
            terms.append((name, exponent, keys["tensor"]))
        return self._sum(terms, shape[0] if len(shape) > 1 else 1, count)

    def _sum(self, terms: list[tuple[str, int, Value]], rows: int, count: int) -> Exact:
        """Add the terms as integers over the smallest power of two that occurs."""
        source = self._source()
        scaled = []
        for name, exponent, value in terms:
            entries = source.tensors.read(name)
            denominator = 1
            if entries.typecode in "fd":
                if not all(map(math.isfinite, entries)):
                    raise value.reject("container.tensor", "contains NaN or an infinity", name)
                denominator = max(number.as_integer_ratio()[1] for number in entries)
            largest = math.ceil(max(max(entries), -min(entries)))
            low = exponent - (denominator.bit_length() - 1)
            scaled.append((entries, denominator, low, exponent + largest.bit_length()))
        low = min(term[2] for term in scaled)
        bits = max(0, max(term[3] for term in scaled) - low) + len(terms).bit_length()
        self.spend(Budget.BITS, count * bits)
        total: list[int] = []
        for entries, denominator, lowest, _ in scaled:
            numbers = _integers(entries, denominator)
            if lowest > low:
                numbers = [number << (lowest - low) for number in numbers]
            total = [a + b for a, b in zip(total, numbers, strict=True)] if total else numbers
        return Exact(fmpz_mat(rows, count // rows, total), low, bits)

    def _source(self) -> Source:
        if self.source is None:
            raise self.reject("schema.type", "no arrays are allowed here")
        return self.source


def _integers(entries: array.array[Any], denominator: int) -> list[int]:
    """Return entries * denominator, which are integers; scaling by a power of two is exact unless it overflows."""
    if entries.typecode not in "fd":
        return list(entries)
    if denominator.bit_length() < 1000:
        scale = float(denominator)
        products = [number * scale for number in entries]
        if all(map(math.isfinite, products)):
            return list(map(int, products))
    return [p * (denominator // q) for p, q in (number.as_integer_ratio() for number in entries)]
