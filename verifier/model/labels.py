"""Labels as they come in files: text is numbered in sorted order, numbers must be 0..m-1 already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.errors import DataError, one_line
from verifier.model.data import IntArray

MAX_NAMES: Final = 5
"""How many label values a message lists."""


def named_labels(name: str, texts: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Return labels 0..m-1, shape (N,), and the class names: the texts in sorted order.

    Raises
    ------
    DataError
        Fewer than two different texts.
    """
    names = tuple(sorted(set(texts)))
    _need_two(name, len(names))
    numbers = {text: number for number, text in enumerate(names)}
    return np.array([numbers[text] for text in texts], dtype=np.int64), names


def array_labels(name: str, target: NDArray[Any]) -> tuple[IntArray, tuple[str, ...]]:
    """Return labels 0..m-1, shape (N,), and the class names, from an array of numbers or texts.

    Raises
    ------
    DataError
        Numbers other than 0..m-1, each at least once; texts that are not UTF-8; fewer than two classes.
    """
    if target.dtype.kind == "U":
        return named_labels(name, target.tolist())
    if target.dtype.kind == "S":
        try:
            return named_labels(name, [text.decode() for text in target.tolist()])
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: the label {one_line(error.object)} is not UTF-8; use numbers or text") from None
    if target.dtype.kind not in "biuf":
        raise DataError(f"{name}: labels of dtype {target.dtype} are not supported; use integers or text")
    values = np.unique(target)
    if target.dtype.kind == "f":
        wrong = values[~np.isfinite(values) | (values != np.floor(values))]
        if wrong.size:
            raise DataError(f"{name}: label {wrong[0]} is not an integer; give classes 0..m-1, or names as text")
    _need_two(name, values.size)
    if not np.array_equal(values.astype(np.float64), np.arange(values.size)):
        shown = ", ".join(f"{value:.0f}" for value in values[:MAX_NAMES].astype(np.float64).tolist())
        more = ", ..." if values.size > MAX_NAMES else ""
        raise DataError(
            f"{name}: the {values.size} integer labels are {shown}{more}, not 0..{values.size - 1};"
            " renumber them, for example y = numpy.unique(y, return_inverse=True)[1]"
        )
    return target.astype(np.int64), tuple(str(k) for k in range(values.size))


def _need_two(name: str, classes: int) -> None:
    if classes < 2:
        raise DataError(f"{name}: {classes} class among the labels; at least 2 are needed, is the label column right?")
