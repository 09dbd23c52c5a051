"""Arrays of numbers: each entry exactly as it was given, or refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import chain
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from verifier.data.gate.foreign import (
    is_table,
    plain_array,
    plain_column,
    refuse_unordered_and_sparse,
    table_columns,
)
from verifier.data.gate.place import Place
from verifier.data.gate.scalars import NOT_FINITE, number
from verifier.errors import DataError

MAX_DEPTH: Final = 32
"""Most axes of nested lists; a list that holds itself ends here."""

_KINDS: Final = {
    "c": "give real numbers, for example the real and imaginary parts",
    "m": "divide it by a unit, such as numpy.timedelta64(1, 's')",
    "M": "subtract a date and divide by a unit, such as numpy.timedelta64(1, 's')",
    "U": "convert it to numbers, such as X.astype(float), or leave the text out",
    "S": "convert it to numbers, such as X.astype(float), or leave the text out",
    "V": "give a plain array of numbers, one axis for the fields",
}
"""Remedies by the kind of NumPy's type."""
_NUMERALS: Final = "make numbers of it with pandas.to_numeric(column)"
_TEXT: Final = "encode it with pandas.get_dummies(X), or leave it out with X.drop(columns=...)"

BINARY64_BITS = 53
LONGDOUBLE_DIGITS = 21
"""Decimals that tell all numbers of extended precision apart."""


def binary64(values: Any, what: str) -> NDArray[np.float64]:
    """Take an array of numbers that binary64 holds; -0.0 becomes 0.0.

    Parameters
    ----------
    values : array_like
        Nested sequences of numbers, NumPy arrays, DataFrames, Series, tensors: integers, booleans, floats of any width
        and byte order, fractions, decimals.
    what : str
        The argument's name, for messages.

    Returns
    -------
    float64 array
        A new C-contiguous array. Guarantee: of the same shape and exactly the same numbers.

    Raises
    ------
    DataError
        Not an array of real numbers, an entry that is missing, masked or not finite, or one that binary64 does not
        hold: named with its place and value.
    """
    numbers = exact(values, what)
    near = numbers if numbers.dtype == np.float64 else _exactly(numbers)
    if near is None:
        near = _refuse_first(numbers, what, [name for name, _ in table_columns(values)] if is_table(values) else None)
    return near + 0.0  # -0.0 + 0.0 is 0.0


def exact(values: Any, what: str) -> NDArray[Any]:
    """Take an array of rational numbers of any size.

    Parameters
    ----------
    values : array_like
        As for `binary64`.
    what : str
        The argument's name, for messages.

    Returns
    -------
    array
        Booleans, integers or floats up to 64 bits in the native byte order, or objects: Python's int and Fraction.
        Guarantee: of the same shape and exactly the same numbers.

    Raises
    ------
    DataError
        Not an array of finite real numbers.
    """
    try:
        return _array(values, Place(what), 0)
    except RecursionError:
        return Place(what).refuse("nested without an end; give a plain array")


def integers(values: Any, what: str) -> NDArray[np.int64]:
    """Take an array of integers below 2^63.

    Parameters
    ----------
    values : array_like
        As for `binary64`; integers, or booleans as 0 and 1. Floats are refused even where they are whole numbers.
    what : str
        The argument's name, for messages.

    Returns
    -------
    int64 array
        A new array. Guarantee: of the same shape and exactly the same numbers.

    Raises
    ------
    DataError
        Something else than integers of 64 bits.
    """
    array = exact(values, what)
    if array.dtype.kind not in "biuO" and array.size:
        raise DataError(f"{what}: dtype {array.dtype} is not integers; convert it")
    wide = array.dtype.kind == "O" or array.dtype == np.uint64
    for position, entry in enumerate(array.ravel().tolist() if wide else ()):
        if not isinstance(entry, int) or not -(2**63) <= entry < 2**63:
            place = Place(what, _unravel(position, array.shape))
            place.refuse_value(entry, "not an integer or beyond 2**63 - 1; use smaller integers")
    return np.array(array, dtype=np.int64, order="C")


def _array(values: Any, place: Place, depth: int) -> NDArray[Any]:
    """Take whatever may be an array, or a part of one."""
    if depth > MAX_DEPTH:
        place.refuse(f"nested more than {MAX_DEPTH} deep; give a plain array")
    plain = plain_array(values, place)
    if plain is not None:
        return _numpy(plain, place)
    if is_table(values):
        columns = [_column(column, Place(place.what, (), name)) for name, column in table_columns(values)]
        return _stacked(columns, 1) if columns else np.zeros((len(values), 0))
    if isinstance(values, np.generic) and not isinstance(values, np.void):
        return _numpy(np.asarray(values), place)
    if isinstance(values, str | bytes | bytearray) or values is None:
        return np.array(number(values, place))
    refuse_unordered_and_sparse(values, place)
    if isinstance(values, memoryview) or type(values).__module__ == "array":
        return _numpy(_converted(values, place), place)
    if isinstance(values, Sequence):
        return _sequence(values, place, depth)
    if hasattr(values, "__array__") or hasattr(values, "__array_interface__"):
        return _numpy(_converted(values, place), place)
    return _flat([values], (), place)


def _converted(values: Any, place: Place) -> NDArray[Any]:
    """Let another library make a NumPy array of its own; a warning of it is a refusal, too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(values.get() if hasattr(values, "get") else values)
    except Exception as error:  # foreign code may raise anything
        reason = " ".join(str(error).split())[:200]
        return place.refuse(f"a {type(values).__name__} does not become an array ({reason}); give a NumPy array")


def _sequence(values: Sequence[Any], place: Place, depth: int) -> NDArray[Any]:
    entries = list(values)
    kinds = set(map(type, entries))
    if kinds and kinds <= {list, tuple}:
        widths = set(map(len, entries))
        flat = list(chain.from_iterable(entries)) if len(widths) == 1 else []
        if flat and set(map(type, flat)) <= {int, float, bool}:  # a matrix of plain numbers, all at once
            return _flat(flat, (len(entries), *widths), place)
    if not any(_has_axes(entry) for entry in entries):
        return _flat(entries, (len(entries),), place)
    parts = [_array(entry, place.part(k), depth + 1) for k, entry in enumerate(entries)]
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        odd = next(k for k, part in enumerate(parts) if part.shape != parts[0].shape)
        place.refuse(
            f"ragged: part 0 has shape {parts[0].shape}, part {odd} has {parts[odd].shape}; give every sample the same "
            "number of columns"
        )
    return _stacked(parts, 0)


def _has_axes(entry: Any) -> bool:
    """Whether an entry of a list is itself an array, not a number."""
    if isinstance(entry, str | bytes | bytearray | int | float):
        return False
    axes = getattr(entry, "ndim", None)
    if isinstance(axes, int):
        return axes > 0
    return isinstance(entry, Iterable) or hasattr(entry, "__array__")


def _column(column: Any, place: Place) -> NDArray[Any]:
    """Take a column of a table, whose name is in its place: a list, or a Series of pandas."""
    if isinstance(column, list):
        return _flat(column, (len(column),), place)
    plain = plain_column(column, place)
    if plain.dtype.kind == "O":
        texts = [k for k, entry in enumerate(plain.tolist()) if isinstance(entry, str)]
        if texts:
            remedy = _NUMERALS if all(_is_numeral(plain[k]) for k in texts) else _TEXT
            place.refuse(f"is text (row {texts[0]} is {plain[texts[0]]!r}); {remedy}")
    return _numpy(plain, place)


def _is_numeral(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numpy(array: NDArray[Any], place: Place) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind == "O":
        return _flat(list(array.ravel().tolist()), array.shape, place)
    if kind == "V" and array.dtype.names is None and "float" in array.dtype.name:  # bfloat16 and float8 of ml_dtypes
        return _checked(array.astype(np.float64), place)
    if kind not in "biuf":
        remedy = _TEXT if place.column is not None and kind in "US" else _KINDS.get(kind, "convert it to numbers")
        return place.refuse(f"dtype {array.dtype} is not real numbers; {remedy}")
    return _checked(array, place)


def _flat(entries: list[Any], shape: tuple[int, ...], place: Place) -> NDArray[Any]:
    """Take entries in C order, one by one where their types differ."""
    kinds = set(map(type, entries))
    if kinds <= {float, np.float64}:
        return _checked(np.array(entries, dtype=np.float64).reshape(shape), place)
    if kinds <= {int, bool}:
        try:
            return _checked(np.array(entries, dtype=np.int64).reshape(shape), place)
        except OverflowError:
            pass
    numbers = [number(e, place.part(*_unravel(k, shape))) for k, e in enumerate(entries)]
    if all(type(value) is int for value in numbers):
        try:
            return _checked(np.array(numbers, dtype=np.int64).reshape(shape), place)
        except OverflowError:
            pass
    near = _near(numbers)
    return _objects(numbers, shape) if near is None else near.reshape(shape)


def _near(numbers: list[Any]) -> NDArray[np.float64] | None:
    """The numbers as binary64, None if one of them is none."""
    found = []
    for value in numbers:
        try:
            near = value if isinstance(value, float) else float(value)
        except OverflowError:
            return None
        if near != value:  # Python compares floats with integers and fractions exactly
            return None
        found.append(near)
    return np.array(found, dtype=np.float64)


def _checked(array: NDArray[Any], place: Place) -> NDArray[Any]:
    """Check that entries are finite, and take them in a type that holds them in the native byte order."""
    kind = array.dtype.kind
    if kind == "f" and not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        place.part(*where).refuse_value(array[where], NOT_FINITE)
    if kind == "f" and array.dtype.itemsize <= 8:
        return np.array(array, dtype=np.float64, order="C")
    if kind in "biu":
        return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    near = _exactly(array)  # of a longdouble
    if near is not None:
        return near
    return _objects([number(value, place) for value in array.ravel()], array.shape)


def _exactly(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """The array as binary64, None if an entry is no binary64 number."""
    if array.dtype.kind == "O":
        found = _near(array.ravel().tolist())
        return None if found is None else found.reshape(array.shape)
    with np.errstate(all="ignore"):
        near: NDArray[np.float64] = np.array(array, dtype=np.float64, order="C")
    return None if _lost(array, near).any() else near


def _lost(array: NDArray[Any], near: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which entries the conversion to binary64 changed."""
    if array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            return np.asarray(near.astype(array.dtype) != array)
    lost = np.zeros(array.shape, dtype=bool)
    if array.dtype.kind != "b" and array.dtype.itemsize == 8:
        for where in np.argwhere(np.abs(near) >= 2.0**53):
            at = tuple(where)
            lost[at] = int(array[at]) != int(near[at])
    return lost


def _refuse_first(array: NDArray[Any], what: str, columns: list[str] | None) -> NoReturn:
    """Refuse the first entry that is no binary64 number, by its column's name if the array was a table."""
    position, value = next((k, value) for k, value in enumerate(array.ravel()) if _near([_plain(value)]) is None)
    index = _unravel(position, array.shape)
    place = Place(what, index) if columns is None else Place(what, index[:1], columns[index[1]])
    if isinstance(_plain(value), int):
        remedy = "subtract a constant from its column, leave the column out, or convert it with float"
    else:
        remedy = "scale or round it first, for example with float"
    place.refuse_value(value if array.dtype.kind != "O" else _Short(value), f"not exactly a binary64 number; {remedy}")


def _plain(value: Any) -> Any:
    """An entry of an array as Python's number."""
    return value.item() if isinstance(value, np.generic) else value


class _Short:
    """Shows a number of any length in a message."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        size = max(abs(self.value.numerator), self.value.denominator) if isinstance(self.value, int | Fraction) else 0
        bits = int(size).bit_length()
        if bits > 1000:
            return f"a number of {bits} bits"
        if isinstance(self.value, Fraction) and bits > BINARY64_BITS and _power_of_two(self.value.denominator):
            with localcontext(prec=LONGDOUBLE_DIGITS):  # a float of another format, which people write as a decimal
                return str(Decimal(self.value.numerator) / Decimal(self.value.denominator))
        return str(self.value)


def _power_of_two(denominator: int) -> bool:
    return denominator > 1 and denominator.bit_count() == 1


def _stacked(parts: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    """Stack arrays of one shape without changing a number."""
    if len({part.dtype for part in parts}) == 1:
        return np.stack(parts, axis)
    near = [_exactly(part) for part in parts]
    floats = [part for part in near if part is not None]
    if len(floats) == len(parts):
        return np.stack(floats, axis)
    return np.stack([_objects(part.ravel().tolist(), part.shape) for part in parts], axis)


def _objects(numbers: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of Python's int and Fraction."""
    held = np.empty(len(numbers), dtype=object)
    held[:] = [Fraction(value) if isinstance(value, float) else int(value) if isinstance(value, bool) else value
               for value in numbers]  # fmt: skip
    return held.reshape(shape)


def _unravel(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(position, shape)) if shape else ()
