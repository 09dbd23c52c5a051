"""The first lines of a table: names of the columns, scikit-learn's title, trailing delimiters, lines of equal width."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from verifier.data.tables.dialect import Cells
from verifier.data.tables.numbers import TRUTH, is_infinite, is_missing, is_numeric, truth_pair
from verifier.data.tables.table import LONGEST_NAME, Table
from verifier.errors import DataError, one_line

LABEL_NAMES: Final = frozenset(
    "label labels class classes target targets species diagnosis outcome category classlabel classification variety"
    " targetclass classname targetname labelname survived".split()
)
"""Names, in lower case and without marks between words, by which a column is the label."""
PROBED_ROWS: Final = 1000
"""Rows that tell what a column holds."""
_COUNT: Final = re.compile("[0-9]{1,9}")
SURE_COUNT: Final = 4
"""A first line 0, 1, 2, ... of at least so many cells is taken for the columns' names."""


def table_of(name: str, cells: Cells, header: bool | None) -> Table:
    """Give names to the columns of a file's cells.

    Parameters
    ----------
    name : str
        The file's name.
    cells : Cells
        Its records.
    header : bool, optional
        Whether the first record holds the columns' names; by default found out.

    Returns
    -------
    Table
        At least one row; all rows of equal width.

    Raises
    ------
    DataError
        Lines of different width, no samples, or a first line that may be names as well as a sample.
    """
    if header is not None and not isinstance(header, bool):
        raise DataError(f"data.header = {one_line(header)}: must be true or false")
    table = Table(name, list(cells.rows), list(cells.lines), cells.delimiter, None, list(cells.notes))
    if header is None and _scikit_title(table):
        table.class_names = tuple(table.rows[0][2:])
        table.notes.append(f"line {table.lines[0]} is scikit-learn's: {' '.join(table.rows[0][:2])} and the classes")
        table.rows, table.lines = table.rows[1:], table.lines[1:]
        header = False
    _cut_trailing(table)
    has_names = _row_names(table) and header is not False
    if has_names:
        table.rows[0] = ["", *table.rows[0]]
    _need_equal_widths(table)
    if table.width < 2:
        raise DataError(
            f"{name}: one column only; at least one input and a label are needed, separated by commas, semicolons, tabs"
            " or spaces; another mark is given as data.delimiter"
        )
    if header if header is not None else has_names or _is_header(table):
        table.header, line = table.rows[0], table.lines[0]
        table.rows, table.lines = table.rows[1:], table.lines[1:]
        table.notes.insert(0, f"header in line {line}")
        if not table.rows:
            raise DataError(f"{name}: no samples, only a header line; add lines of data")
    elif header is None and cells.heading is not None and _names(cells.heading, table.width):
        table.header = cells.heading
        table.notes.insert(0, "header in a comment")
    else:
        table.notes.insert(0, "no header")
    return table


def is_label_name(name: str) -> bool:
    """Whether a column's name says that it is the label."""
    return re.sub(r"[\s_.:-]", "", name).lower() in LABEL_NAMES


def _names(heading: list[str], width: int) -> bool:
    return len(heading) == width and not any(is_numeric(cell) or not cell for cell in heading)


def _scikit_title(table: Table) -> bool:
    """Whether the first line is that of scikit-learn's own files: samples, features, names of the classes."""
    first, rest = table.rows[0], table.rows[1:]
    if len(first) < 4 or len(rest) < 2 or first[0] != str(len(rest)) or not _COUNT.fullmatch(first[1]):
        return False
    return all(len(row) == int(first[1]) + 1 for row in rest) and not any(map(is_numeric, first[2:]))


def _cut_trailing(table: Table) -> None:
    """Remove the empty cell behind a delimiter at the end of each line."""
    first, rest = table.rows[0], table.rows[1:]
    if rest and all(len(row) > 1 and not row[-1] for row in rest):
        widths = {len(row) for row in rest}
        if len(widths) == 1 and (len(first) == widths.copy().pop() - 1 or not first[-1]):
            table.rows = [first if first[-1] else first[:-1], *(row[:-1] for row in rest)]
            table.notes.append("an empty cell behind the last delimiter of each line")
            return
    if rest and len(first) > 2 and not first[-1] and all(len(row) == len(first) - 1 for row in rest):
        table.rows = [first[:-1], *rest]


def _row_names(table: Table) -> bool:
    """Whether the first line lacks the name of the first column only, as R writes it."""
    first, rest = table.rows[0], table.rows[1:]
    return bool(rest) and all(len(row) == len(first) + 1 for row in rest) and not any(map(_is_value, first))


def _need_equal_widths(table: Table) -> None:
    first = table.rows[0]
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != len(first):
            beyond = min(len(row), len(first)) + 1
            titled = len(first) == 1 and len({len(other) for other in table.rows[1:]}) == 1
            raise DataError(
                f"{table.name}: line {line} has {len(row)} cells, line {table.lines[0]} has {len(first)}: from column"
                f" {beyond} on they do not correspond; make them equal"
                + (f": delete line {table.lines[0]} if it is a title" if titled else "")
            )


def _is_value(cell: str) -> bool:
    return is_numeric(cell) or is_infinite(cell) or (is_missing(cell) and cell != "")


def _counts_beside_names(first: list[str], rest: list[list[str]], numbers: list[int]) -> bool:
    """Whether a line counts (0, 1, 2, 3 or 2019, 2020, 2021) beside texts that do not occur below."""
    if (
        len(numbers) < SURE_COUNT - 1
        or len(numbers) == len(first)
        or not all(_COUNT.fullmatch(first[k]) for k in numbers)
    ):
        return False
    start = int(first[numbers[0]])
    counts = [int(first[k]) for k in numbers] == list(range(start, start + len(numbers)))
    others = [k for k in range(len(first)) if k not in numbers and first[k]]
    columns = [[row[k] for row in rest] for k in others]
    return counts and all(
        first[k] not in cells and len(set(cells)) < len(cells) for k, cells in zip(others, columns, strict=True)
    )


def _is_header(table: Table) -> bool:
    """Whether the first record holds names; a record that may be both is asked about, never guessed."""
    first, rest = table.rows[0], table.rows[1:]
    if any(is_label_name(cell) and all(row[k] != cell for row in rest) for k, cell in enumerate(first)):
        return True
    numbers = [k for k, cell in enumerate(first) if _is_value(cell) or _is_truth(rest, k, cell)]
    counted = first[1:] if not first[0] else first
    if rest and counted == [str(k) for k in range(len(counted))]:
        if len(counted) >= SURE_COUNT or not first[0]:
            return True
        if len(counted) == SURE_COUNT - 1:
            raise _asked(table, f"{','.join(first)} may count the columns or be a sample.")
    if not rest:
        return not numbers
    if _counts_beside_names(first, rest, numbers):
        if first[numbers[0]] == "0" and len(numbers) >= SURE_COUNT:
            return True
        raise _asked(table, f"{','.join(first)} may be the columns' names or a sample.")
    texts = [k for k, cell in enumerate(first) if cell and k not in numbers]
    if texts and numbers and all(_is_alone(rest, k, first[k]) for k in texts):
        k = texts[0]
        raise _asked(
            table,
            f"{table.words(k)} is {one_line(first[k])}, which occurs nowhere below: a name, or a class of its own?",
        )
    named = [k for k in texts if _is_number_column(rest, k)]
    if not named:
        return not numbers and len(texts) == len(first) and _unlike(first, rest)
    if not numbers:
        return True
    k = named[0]
    raise _asked(
        table,
        f"{table.words(k)} is {one_line(first[k])}, but {one_line(rest[0][k])} below, and column {numbers[0] + 1} is"
        f" {one_line(first[numbers[0]])}: names or a sample with a mistake?",
    )


def _unlike(first: list[str], rest: list[list[str]]) -> bool:
    """Whether a line of texts above texts (nowhere numbers) names them: none of its cells occurs again."""
    return len(rest) > 1 and all(row[k] != cell for k, cell in enumerate(first) for row in rest)


def _asked(table: Table, what: str) -> DataError:
    return DataError(
        f"{table.name}: line {table.lines[0]}: {what} Write data.header = true if it holds the columns' names, or"
        " data.header = false if it is a sample"
    )


def _is_alone(rest: list[list[str]], column: int, cell: str) -> bool:
    """Whether a text is above texts that all occur several times, but not above itself."""
    below = Counter(row[column] for row in rest)
    return (
        len(rest) >= SURE_COUNT
        and len(cell) <= LONGEST_NAME
        and cell not in below
        and min(below.values()) > 1
        and not any(map(_is_value, below))
    )


def _is_truth(rest: list[list[str]], column: int, cell: str) -> bool:
    """Whether a cell is a truth value above such values."""
    if cell.lower() not in TRUTH:
        return False
    below = {row[column] for row in rest if not is_missing(row[column])}
    return bool(below) and truth_pair([cell, *below]) is not None


def _is_number_column(rest: list[list[str]], column: int) -> bool:
    cells = [row[column] for row in rest[:PROBED_ROWS] if not is_missing(row[column])]
    cells = cells or [row[column] for row in rest if not is_missing(row[column])]
    return bool(cells) and sum(map(is_numeric, cells)) > len(cells) / 2
