"""Numbers of classes, and names of classes and columns as they are printed, whatever characters were given."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np

from verifier.data.dataset import IntArray

MAX_NAME: Final = 80
"""Longest name of a class; the rest is cut."""
MAX_MAPPED: Final = 12
"""How many classes the line that says what was understood lists."""


def numbered(values: Sequence[Hashable], order: Sequence[Hashable]) -> IntArray:
    """Number N values, shape (N,), by their places in an order in which each of them occurs."""
    number = {value: k for k, value in enumerate(order)}
    return np.array([number[value] for value in values], dtype=np.int64)


def printable(text: str) -> str:
    """Return a text with a question mark for each character that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


def class_names(classes: Sequence[Any]) -> tuple[str, ...]:
    """Name classes: printable texts, all different, at most `MAX_NAME` characters."""
    texts = [str(value) for value in classes]
    if len(set(texts)) < len(texts):
        texts = [repr(value) for value in classes]
    return tuple(printable(text[:MAX_NAME]) for text in texts)


def mapping_in_words(names: Sequence[str]) -> str:
    """Say which class has which number: "setosa = 0, versicolor = 1"; numbers that are their own: "0 to 9"."""
    if list(names) == [str(k) for k in range(len(names))]:
        return f"{len(names)} classes, 0 to {len(names) - 1}"
    pairs = [f"{name} = {number}" for number, name in enumerate(names)]
    if len(pairs) > MAX_MAPPED:
        pairs = [*pairs[: MAX_MAPPED - 2], "...", pairs[-1]]
    return f"{len(names)} classes, {', '.join(pairs)}"
