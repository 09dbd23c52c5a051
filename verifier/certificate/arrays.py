"""The arrays of a certificate: named tensors, each stored once, and references to them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from verifier.balls.exact import ExactArray
from verifier.statements.claims.claim import ArrayRef, Term

MAX_PLAIN = 80
"""Characters of a parameter's name that a tensor's name keeps: the format has room for 100."""


class ArrayStore:
    """Tensors by name; equal ones are stored once, under the first name."""

    def __init__(self) -> None:
        self._tensors: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}  # names by content

    def exact(self, name: str, values: ExactArray) -> ArrayRef:
        """Store an exact array under a name; equal tensors are stored once.

        Parameters
        ----------
        name
            Its tensors are called ``name.0``, ``name.1``, ...
        values
            Numbers of any shape.

        Returns
        -------
        ArrayRef
            What stands for it in the document.
        """
        terms = []
        for position, (tensor, exponent) in enumerate(values.terms):
            content = hashlib.sha256(np.ascontiguousarray(tensor).data).digest()
            key = (tensor.dtype.str, tensor.shape, content)
            if key not in self._known:
                self._known[key] = self._free_name(f"{name}.{position}")
            label = self._known[key]
            self._tensors[label] = tensor
            terms.append(Term(label, exponent))
        return ArrayRef(tuple(values.shape), tuple(terms))

    def parameter(self, name: str, values: NDArray[np.float64]) -> ArrayRef:
        """Store the values of a parameter or constant under its name, which may be any text.

        An array in the format has an axis: a number is stored as a list of one.
        """
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:MAX_PLAIN] or "values"
        return self.exact(plain, ExactArray.of_floats(values.reshape(values.shape or (1,))))

    def _free_name(self, label: str) -> str:
        """The label, or one like it that no other tensor has."""
        taken = set(self._known.values()) | set(self._tensors)
        count, free = 1, label
        while free in taken:
            count, free = count + 1, f"{label}-{count}"
        return free

    def integers(self, name: str, values: NDArray[np.int64]) -> str:
        """Store integers >= 0 in the smallest type of the format that holds them; the name stands for them."""
        types = (np.uint8, np.int16, np.int32, np.int64)
        self._tensors[name] = values.astype(
            next(t for t in types if values.size == 0 or values.max() <= np.iinfo(t).max)
        )
        return name

    def as_it_is(self, name: str, values: NDArray[Any]) -> str:
        """Store a tensor with its type; the name stands for it."""
        self._tensors[name] = values
        return name

    def keep(self, names: Collection[str]) -> None:
        """Forget the tensors that are not among these names: what nothing refers to takes no memory."""
        self._tensors = {name: values for name, values in self._tensors.items() if name in names}

    def file(self, names: Collection[str]) -> bytes:
        """The safetensors file of the tensors that are among these names."""
        kept = {name: values for name, values in self._tensors.items() if name in names}
        return save({name: np.ascontiguousarray(values) for name, values in kept.items()})


def names_in(value: Any) -> set[str]:
    """All strings in a JSON value: the names of the tensors that it refers to are among them."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(names_in, value))
    return {value} if isinstance(value, str) else set()


def stored_bits(values: ExactArray) -> int:
    """Bits of the integers that hold an exact array, at most."""
    lowest = min(exponent for _, exponent in values.terms)
    return max(
        exponent - lowest + (8 * v.dtype.itemsize - 1 if v.dtype.kind in "iu" else 62) for v, exponent in values.terms
    )
