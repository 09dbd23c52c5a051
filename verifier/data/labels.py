"""Labels as they come in files: texts and integers of any kind are numbered 0..m-1 in sorted order."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import IntArray
from verifier.data.names import MAX_NAME, numbered, printable
from verifier.data.tables.numbers import is_infinite, is_missing, is_numeric, number_text
from verifier.errors import DataError, one_line

IN_PYTHON = "real targets, regression, are not covered in files: in Python, verify(X, y, network, regression=True)"
"""Where real targets are taken, as a part of messages."""


def file_names(order: Sequence[Hashable]) -> tuple[str, ...]:
    """Name the classes of a file: as they are written, with single blanks."""
    return tuple(printable(" ".join(str(value)[:MAX_NAME].split())) for value in order)


def named_labels(name: str, texts: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Return labels 0..m-1, shape (N,), and the class names: the texts in sorted order.

    Raises
    ------
    DataError
        Fewer than two different texts.
    """
    order = sorted(set(texts))
    _need_two(name, len(order), order[0] if order else None)
    return numbered(texts, order), file_names(order)


def text_labels(name: str, cells: Sequence[str], place: Callable[[int], str]) -> tuple[IntArray, tuple[str, ...]]:
    """Number the labels in the cells of a table: by value if all are integers, written in any way, else as texts.

    Parameters
    ----------
    name : str
        File and column, for messages.
    cells : sequence of str
        The labels as they are written.
    place : callable
        The file, line and column of a row, for messages.

    Returns
    -------
    labels : (N,) int64
        0..m-1 in sorted order.
    names : tuple of str
        The integers or texts.

    Raises
    ------
    DataError
        Real numbers, which are no classes, or fewer than two classes.
    """
    if not all(map(is_numeric, set(cells))):
        wrong = next(
            (row for row, cell in enumerate(cells) if is_infinite(cell) or (is_missing(cell) and cell != "-")), None
        )
        if wrong is not None:
            raise DataError(
                f"{place(wrong)}: label {cells[wrong]} is not an integer; give classes, or leave the row out"
            )
        return named_labels(name, cells)
    values = {}
    for cell in dict.fromkeys(cells):
        text = number_text(cell) or ""
        nearest = float(text)
        is_zero = not any(digit in "123456789" for digit in re.split("[eE]", text)[0])
        in_range = is_zero or (math.isfinite(nearest) and nearest != 0)  # else 1e999999999 would be written out
        value = Decimal(0) if is_zero or not in_range else Decimal(text)
        if not in_range or value != value.to_integral_value():
            raise DataError(
                f"{place(list(cells).index(cell))}: label {cell} is not an integer; classes are integers or texts: "
                f"name their column as data.label ({IN_PYTHON})"
            )
        values[cell] = int(value)
    order = sorted(set(values.values()))
    _need_two(name, len(order), order[0] if order else None)
    return numbered([values[cell] for cell in cells], order), file_names(order)


def array_labels(name: str, target: NDArray[Any]) -> tuple[IntArray, tuple[str, ...]]:
    """Return labels 0..m-1, shape (N,), and the class names, from an array of numbers, truth values or texts.

    Raises
    ------
    DataError
        Numbers that are not integers; texts that are not UTF-8; fewer than two classes.
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
            raise DataError(
                f"{name}: label {wrong[0]} is not an integer; give classes as integers or texts ({IN_PYTHON})"
            )
    exact = [int(value) for value in values]
    _need_two(name, len(exact), exact[0] if exact else None)
    return np.searchsorted(values, target).astype(np.int64), tuple(str(value) for value in exact)


def _need_two(name: str, classes: int, only: object = None) -> None:
    if classes < 2:
        shown = "" if only is None else f" ({one_line(only)})"
        raise DataError(
            f"{name}: {classes} class among the labels{shown}; at least 2 are needed, is the label column right?"
        )
