"""Cells of a table: numbers under either decimal mark, missing values, truth values, and what other cells are.

A number is read as the binary64 nearest to its decimal text. Where that would change what the data say (two different
decimals of a column become equal, an integer is no binary64) it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from verifier.errors import DataError, one_line

MISSING: Final = frozenset(
    {"", "?", "-", "--", ".", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "+nan", "nat", "null", "none", "missing"}
)
"""Texts, in lower case, that stand for a value that is not there."""
EXACT_DIGITS: Final = 15
"""Different decimals of at most so many digits become different binary64 numbers (IEEE 754's decimal precision)."""
SMALLEST_NORMAL: Final = 2.0**-1022
"""Below it binary64 has fewer digits."""
TRUTH: Final = {"true": 1, "false": 0, "yes": 1, "no": 0, "t": 1, "f": 0, "y": 1, "n": 0}
"""Texts, in lower case, that stand for 1 and 0."""

_PAIRS: Final = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
_GROUP: Final = "[\u00a0\u202f\u2009'\u2019]"
"""Marks between groups of three digits that are never a decimal mark: hard and thin spaces, apostrophes."""
_POINT: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_COMMA: Final = re.compile(r"[-+]?([0-9]+(,[0-9]+)?|,[0-9]+)([eE][-+]?[0-9]+)?")
_POINT_GROUPS: Final = re.compile(rf"[-+]?[0-9]{{1,3}}(?:(?:,[0-9]{{3}})+|(?:{_GROUP}[0-9]{{3}})+)(\.[0-9]*)?")
_COMMA_GROUPS: Final = re.compile(rf"[-+]?[0-9]{{1,3}}(?:(?:\.[0-9]{{3}})+|(?:{_GROUP}[0-9]{{3}})+)(,[0-9]*)?")
_EITHER: Final = re.compile(r"[-+]?[1-9][0-9]{0,2}([.,])[0-9]{3}")
"""1,200 or 1.200: a thousand and two hundred, or one and two tenths."""
_INFINITE: Final = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
_KINDS: Final = (
    (
        "a date or a time",
        re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?"),
    ),
    ("a percentage", re.compile(r"[-+]?[0-9.,]+ ?%")),
    ("an amount of money", re.compile(r"[-+]?[$€£¥] ?[-+]?[0-9.,]+|[-+]?[0-9.,]+ ?([$€£¥]|USD|EUR|GBP)")),
)


def is_missing(cell: str) -> bool:
    """Whether a cell says that its value is not there."""
    return not cell[:1].isdecimal() and cell.lower() in MISSING


def is_infinite(cell: str) -> bool:
    """Whether a cell is an infinity."""
    return _INFINITE.fullmatch(cell) is not None


def is_numeric(cell: str) -> bool:
    """Whether a cell is a number under one of the decimal marks."""
    return number_text(cell) is not None


def number_text(cell: str) -> str | None:
    """Write a number under either decimal mark as Python reads it; None if the cell is no number."""
    return plain(cell, ".") or plain(cell, ",")


def plain(cell: str, decimal: str) -> str | None:
    """Write a number as Python reads it: with a decimal point and without groups of digits.

    Parameters
    ----------
    cell : str
        The text, without spaces around it.
    decimal : "." or ","
        The decimal mark; the other one may stand between groups of three digits.

    Returns
    -------
    str or None
        None if the cell is no number.
    """
    if decimal == "." and _POINT.fullmatch(cell):
        return cell
    text = cell.replace("\u2212", "-")  # the minus sign of typesetters
    if decimal == ".":
        if _POINT.fullmatch(text):
            return text
        return re.sub(f",|{_GROUP}", "", text) if _POINT_GROUPS.fullmatch(text) else None
    if _COMMA.fullmatch(text):
        return text.replace(",", ".")
    return re.sub(rf"\.|{_GROUP}", "", text).replace(",", ".") if _COMMA_GROUPS.fullmatch(text) else None


def has_groups(cell: str, decimal: str) -> bool:
    """Whether a number has marks between groups of digits."""
    if ("," if decimal == "." else ".") in cell:
        return True
    return not cell.isalnum() and re.search(_GROUP, cell) is not None


def truth_pair(cells: Sequence[str]) -> dict[str, int] | None:
    """Return the texts of a column of truth values with their numbers; None if it is no such column.

    Parameters
    ----------
    cells : sequence of str
        The column, without missing values.
    """
    if not cells or cells[0].lower() not in TRUTH:
        return None
    used = dict.fromkeys(cells)
    lowered = {cell.lower() for cell in used}
    letter = len(lowered) == 1 and len(cells[0]) == 1  # F alone may be anything
    if not letter and any(lowered <= pair for pair in _PAIRS):
        return {cell: TRUTH[cell.lower()] for cell in used}
    return None


def kind_of(cell: str) -> str:
    """Say what a cell is that is no number."""
    if is_infinite(cell):
        return "not finite"
    found = next((words for words, pattern in _KINDS if pattern.fullmatch(cell)), None)
    return "not a number" if found is None else f"{found}, not a number"


def decimal_mark(name: str, columns: Sequence[Sequence[str]], names: Sequence[str], delimiter: str) -> str:
    """Find the decimal mark of a file out.

    Parameters
    ----------
    name : str
        The file's name, for messages.
    columns : sequence of sequence of str
        The cells of the columns that are used as numbers.
    names : sequence of str
        What a message calls each column.
    delimiter : str
        The delimiter of the columns.

    Returns
    -------
    "." or ","
        The mark under which every cell that tells is a number.

    Raises
    ------
    DataError
        Both marks are used, or a cell may be a number of thousands as well as a decimal.
    """
    if delimiter != ";" and not any("," in cell for cells in columns for cell in cells):
        return "."
    sure: dict[str, tuple[int, str]] = {}
    either: list[tuple[int, str, str]] = []
    for k, cells in enumerate(columns):
        for cell in cells:
            if "," not in cell and "." not in cell:
                continue
            found = _EITHER.fullmatch(cell)
            if found is not None:
                either.append((k, cell, found[1]))
                continue
            marks = [mark for mark in ".," if plain(cell, mark) is not None]
            if len(marks) == 1 and marks[0] not in sure:
                sure[marks[0]] = (k, cell)
    if len(sure) == 2:
        (k, point), (j, comma) = sure["."], sure[","]
        raise DataError(
            f"{name}: {names[k]} has {one_line(point)} with a decimal point, {names[j]} has {one_line(comma)} with a"
            " decimal comma; write all with one mark in the file"
        )
    decimal = next(iter(sure), None)
    for k, cell, mark in either:
        alone = decimal is None and (mark == "," or delimiter == ";" or any(m == "," for *_, m in either))
        other = decimal is not None and mark != decimal and not _certain(columns[k], decimal, mark, delimiter)
        if alone or other:
            value = cell.replace(mark, "")
            choices = [f'data.decimal = "{decimal}" if it is {value}'] if decimal is not None else []
            if decimal is None:
                choices = [f'data.decimal = "{mark}" if it is {cell.replace(mark, ".")}']
                choices.append(f'data.decimal = "{"," if mark == "." else "."}" if it is {value}')
            raise DataError(
                f"{name}: {names[k]}: {one_line(cell)} may be {value} or {cell.replace(mark, '.')}; write"
                f" {_or(choices)}"
            )
    return decimal or "."


def _or(choices: Sequence[str]) -> str:
    return ", ".join(choices[:-1]) + (", or " if len(choices) > 1 else "") + choices[-1]


def _certain(cells: Sequence[str], decimal: str, mark: str, delimiter: str) -> bool:
    """Whether the column, or the delimiter, tells that a mark stands between thousands."""
    quoted = mark == "," and delimiter == ","  # nobody separates by commas who writes decimal commas
    return quoted or any(_tells(cell, decimal) for cell in cells)


def _tells(cell: str, decimal: str) -> bool:
    other = "," if decimal == "." else "."
    return _EITHER.fullmatch(cell) is None and plain(cell, decimal) is not None and plain(cell, other) is None


def column_floats(texts: Mapping[str, str], place: Callable[[str], str], remedy: str) -> dict[str, float]:
    """Read a column of numbers as binary64.

    Guarantee: each value is the binary64 nearest to its decimal, integers are exact, and different decimals of the
    column are different values.

    Parameters
    ----------
    texts : mapping of str to str
        For each different cell what `plain` writes.
    place : callable
        The file, line and column of a cell, for messages.
    remedy : str
        How to leave the column out, for messages.

    Returns
    -------
    dict of str to float
        The value of each cell; finite.

    Raises
    ------
    DataError
        Beyond binary64's range, an integer that is no binary64, or different decimals that would become equal.
    """
    values = {}
    long = False
    for cell, text in texts.items():
        value = values[cell] = float(text)
        if len(text) <= EXACT_DIGITS and "e" not in text and "E" not in text:
            continue  # at most so many digits, so neither too large nor too small nor equal to another decimal
        mantissa = re.split("[eE]", text)[0]
        if not math.isfinite(value):
            raise DataError(f"{place(cell)}: {one_line(cell)} is beyond binary64's 1.8e308; rescale the column")
        if value == 0.0 and any(digit in "123456789" for digit in mantissa):
            raise DataError(
                f"{place(cell)}: {one_line(cell)} is below binary64's 4.9e-324 and would become 0; rescale the column"
            )
        if len(mantissa) > EXACT_DIGITS or abs(value) < SMALLEST_NORMAL:
            long = True
            if not any(mark in text for mark in ".eE") and Decimal(text) != Decimal(value):
                raise DataError(
                    f"{place(cell)}: {one_line(cell)} is an integer that binary64 cannot hold, the nearest is"
                    f" {int(value)}; subtract a constant from the column{remedy}"
                )
    if long:
        _check_distinct(texts, values, place, remedy)
    return values


def _check_distinct(
    texts: Mapping[str, str], values: Mapping[str, float], place: Callable[[str], str], remedy: str
) -> None:
    first: dict[float, str] = {}
    for cell, text in texts.items():
        known = first.setdefault(values[cell], cell)
        if known != cell and values[cell] != 0 and Decimal(texts[known]) != Decimal(text):  # comparisons are exact
            raise DataError(
                f"{place(cell)}: {one_line(cell)} and {one_line(known)} ({place(known)}) are different, but the same in"
                f" binary64; subtract a constant from the column{remedy}"
            )
