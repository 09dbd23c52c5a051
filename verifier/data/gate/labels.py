"""Labels: one class per sample, taken entry by entry as Python values that compare by value."""

from __future__ import annotations

import enum
import numbers
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.data.gate.foreign import (
    is_missing,
    is_table,
    plain_array,
    plain_tensor,
    refuse_unordered_and_sparse,
    table_columns,
)
from verifier.data.gate.place import Place
from verifier.data.gate.scalars import number
from verifier.errors import DataError, one_line

Labels: TypeAlias = ArrayLike | Sequence[Hashable]
"""One class per sample: numbers, texts, booleans, enumeration members, tuples, ..."""

_MISSING: Final = "a missing label; drop these samples"


def label_entries(values: Any, what: str, *, count: int | None = None) -> list[Any]:
    """Take labels, or the names of classes.

    Parameters
    ----------
    values : sequence of labels
        A list, a NumPy array, a Series, a tensor, ... of numbers, texts, booleans, dates, enumeration members.
    what : str
        The argument's name, for messages.
    count : int, optional
        How many there must be, for messages.

    Returns
    -------
    list
        Guarantee: two entries are equal if and only if the labels given are the same number, text, ...: a whole number
        is an int whatever held it, and nothing that compares by identity is taken.

    Raises
    ------
    DataError
        Not a sequence of such values, an entry that is missing, masked, a real number that is no whole number, or
        ambiguous: booleans beside numbers, a text beside the number that it writes.
    """
    place = Place(what)
    expected = "one class per sample" if count is None else f"expected ({count},), one class per sample"
    if isinstance(values, str | bytes):
        raise DataError(f"{what}: {one_line(values)} is one text; give a sequence of {count or 'the'} classes")
    entries = _entries(values, place, expected)
    if len(entries) > 1 and all(map(_is_one_hot, entries)) and len({len(entry) for entry in entries}) == 1:
        place.refuse(f"its entries are one-hot rows, {expected}; use numpy.argmax(y, axis=1)")
    labels = [_label(entry, place.part(k)) for k, entry in enumerate(entries)]
    _refuse_ambiguous(labels, place)
    return labels


def _entries(values: Any, place: Place, expected: str) -> list[Any]:
    plain = plain_array(values, place)
    if plain is not None:
        return _of_array(plain, place, expected)
    if is_table(values):
        columns = table_columns(values)
        if len(columns) == 1:
            place.refuse(f"a table of one column, {expected}; give the column: y.iloc[:, 0]")
        remedy = "give one column, or the columns' numbers of one-hot ones: y.to_numpy().argmax(axis=1)"
        place.refuse(f"a table of {len(columns)} columns, {expected}; {remedy}")
    refuse_unordered_and_sparse(values, place)
    if isinstance(values, Sequence):
        return list(values)
    if hasattr(values, "__array__"):
        return _of_array(np.asarray(values), place, expected)
    if isinstance(values, Iterable) and hasattr(values, "__len__"):
        place.refuse(f"a {type(values).__name__} has no order that is known here; give a list")
    return place.refuse(f"{one_line(values)} is no sequence, {expected}; give a list")


def _of_array(array: NDArray[Any], place: Place, expected: str) -> list[Any]:
    if array.ndim != 1:
        remedy = "y.argmax(axis=1)" if array.ndim == 2 and array.shape[1] > 1 else "y.ravel()"
        if array.dtype.kind == "f" and np.any(array != np.round(array)):
            place.refuse(f"shape {array.shape}, and no whole numbers; real targets of a regression: regression=True")
        place.refuse(f"shape {array.shape}, {expected}; use {remedy}")
    kind = array.dtype.kind
    if kind == "M":
        missing = np.flatnonzero(np.isnat(array))
        if missing.size:
            place.part(int(missing[0])).refuse_value("NaT", _MISSING)
        return [str(text) for text in np.datetime_as_string(array)]
    if kind in "cmV":
        place.refuse(f"dtype {array.dtype} is no class; give integers or names")
    return list(array.tolist()) if kind != "f" else list(array)


def _label(value: Any, place: Place) -> Any:
    """One label as a value that compares by value."""
    if is_missing(value) or (isinstance(value, float | np.floating) and value != value):
        place.refuse_value(value, _MISSING)
    tensor = plain_tensor(value, place)
    array = value if tensor is None else tensor
    if isinstance(array, np.ndarray):
        if array.ndim:
            place.refuse(f"has shape {array.shape}, which is not one class; give one class per sample")
        return _label(array[()], place)
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | np.datetime64):
        return value if isinstance(value, bytes) else str(value)
    if isinstance(value, complex | np.complexfloating | np.timedelta64):
        place.refuse_value(value, "no class; give integers or names")
    if isinstance(value, numbers.Number | np.number):
        return _whole(value, place)
    if isinstance(value, tuple):
        return tuple(_label(entry, place) for entry in value)
    return _by_value(value, place)


def _whole(value: Any, place: Place) -> int:
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        place.refuse_value(value, "no class; give integers or names")
    exact = Fraction(number(value, place))
    if exact.denominator != 1:
        place.refuse_value(value, "and classes are integers or names; real targets of a regression: regression=True")
    return int(exact)


def _by_value(value: Any, place: Place) -> Any:
    """An object of another kind: taken if its type says when two of them are equal."""
    kind: Any = type(value)
    try:
        hash(value)
    except TypeError:
        place.refuse(
            f"is {one_line(value)}, which is not hashable; give one class per sample, such as an integer or a text"
        )
    by_identity = kind.__eq__ is object.__eq__ or kind.__hash__ is object.__hash__
    if by_identity or (value == value) is not True:
        place.refuse(
            f"is of type {kind.__name__}, of which two are never equal; give an integer or a text for each class"
        )
    return value


def _is_one_hot(entry: Any) -> bool:
    if not isinstance(entry, list | tuple) or len(entry) < 2:
        return False
    return all(isinstance(e, int | float) for e in entry) and sorted(entry) == [0] * (len(entry) - 1) + [1]


def _refuse_ambiguous(labels: list[Any], place: Place) -> None:
    """Refuse labels of which it is not clear whether they are the same class."""
    kinds: dict[type, int] = {}
    for position, value in enumerate(labels):
        kinds.setdefault(type(value), position)
    numeric = [k for k, value in enumerate(labels) if isinstance(value, int) and not isinstance(value, bool)]
    if bool in kinds and numeric:
        place.refuse(
            f"entry {kinds[bool]} is {labels[kinds[bool]]} and entry {numeric[0]} is {labels[numeric[0]]!r}: booleans "
            "beside numbers; convert them to one kind, for example with int"
        )
    if len(kinds) < 2:
        return
    seen: dict[str, tuple[int, Any]] = {}
    for position, value in enumerate(labels):
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        first, other = seen.setdefault(text, (position, value))
        if type(other) is not type(value):
            place.refuse(
                f"entry {first} is {one_line(other)} and entry {position} is {one_line(value)}, which may be the same "
                "class; convert them to one kind, for example with str"
            )
