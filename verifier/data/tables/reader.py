"""From a table's cells to samples with labels, and the line that says what was understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from verifier.data.dataset import Dataset, FloatArray, IntArray, Scale, scaled_inputs
from verifier.data.files.kinds import not_samples
from verifier.data.files.packed import read_content
from verifier.data.files.text import decoded
from verifier.data.gate import binary64
from verifier.data.labels import file_names, text_labels
from verifier.data.names import mapping_in_words, numbered
from verifier.data.tables.arff import read_arff_table
from verifier.data.tables.columns import Choice, Label, chosen_columns
from verifier.data.tables.dialect import DELIMITERS, checked_delimiter, is_libsvm, lines_in_words, split_cells
from verifier.data.tables.heading import PROBED_ROWS, table_of
from verifier.data.tables.numbers import (
    column_floats,
    decimal_mark,
    has_groups,
    is_infinite,
    is_missing,
    is_numeric,
    kind_of,
    plain,
    truth_pair,
)
from verifier.data.tables.table import Table
from verifier.display import count
from verifier.errors import DataError, one_line

MAX_LISTED: Final = 4
"""Names of columns in the line that says what was understood, before it only counts them."""


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a user says about a table, as `verifier.load_dataset` has it; each default means that it is found out."""

    label: Label = None
    columns: Sequence[str | int] | None = None
    drop: Sequence[str | int] | None = None
    missing: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None


def read_table(file: Path, options: TableOptions, scale: Scale) -> Dataset:
    """Read a table of text or an ARFF file, compressed or not.

    Parameters
    ----------
    file : Path
        The file.
    options : TableOptions
        What is not to be found out.
    scale : "auto", "none" or int
        See `verifier.data.dataset.scaled_inputs`.

    Returns
    -------
    Dataset
        Decimals become the nearest binary64; statements are about those. ``understood`` says how the file was read.

    Raises
    ------
    DataError
        One line with file, line, column, value and remedy.
    """
    if options.missing not in (None, "drop rows"):
        raise DataError(
            f'data.missing = {one_line(options.missing)}: must be "drop rows"; leave it out to keep all rows'
        )
    if options.decimal not in (None, ".", ","):
        raise DataError(f'data.decimal = {one_line(options.decimal)}: must be "." or ","')
    delimiter = checked_delimiter(options.delimiter)
    inner, content = read_content(file)
    text, encoding = decoded(file.name, content)
    if inner.lower().endswith(".arff"):
        table = read_arff_table(file.name, text)
    else:
        _refuse_markup(file.name, text)
        table = table_of(file.name, split_cells(file.name, text, delimiter), options.header)
    if encoding:
        table.notes.append(f"read as {encoding}")
    choice = chosen_columns(table, options.label, options.columns, options.drop)
    _refuse_second_header(table, choice)
    _refuse_texts(table, choice, options.missing)
    notes = _without_missing(table, choice, options.missing)
    values, more = _inputs(table, choice, options.decimal)
    labels, names = _labels(table, choice)
    inputs, scaling = scaled_inputs(binary64(values, file.name), scale)
    return Dataset(
        name=file.name,
        inputs=inputs,
        labels=labels,
        classes=len(names),
        scaling=f"decimals to nearest binary64; {scaling}",
        label_names=names,
        understood=_understood(table, choice, names, [*notes, *more]),
    )


def _refuse_markup(name: str, text: str) -> None:
    start = text.lstrip()[:1]
    if start in ("{", "["):
        raise not_samples(name, "json")
    if start == "<":
        raise not_samples(name, "html" if "<html" in text[:2000].lower() or "<table" in text[:2000].lower() else "xml")
    if is_libsvm(text):
        raise not_samples(name, "libsvm")


def _without_missing(table: Table, choice: Choice, missing: str | None) -> list[str]:
    """Leave out rows that lack a value, if that was asked for; say which."""
    lacking: dict[int, int] = {}  # row and its first column without a value
    columns = []
    for k in sorted((*choice.inputs, *choice.label)):
        signs = "+" in table.values(k) and k in choice.label  # then - is a class
        absent = {cell for cell in table.values(k) if is_missing(cell) and not (signs and cell == "-")}
        if absent:
            columns.append(k)
            for row, cell in enumerate(table.column(k)):
                if cell in absent:
                    lacking.setdefault(row, k)
    if not lacking:
        return []
    where = sorted(lacking)
    kept = [row for row in range(len(table.rows)) if row not in lacking]
    if missing is None:
        raise _missing_value(table, choice, lacking, columns, kept)
    if not kept:
        k = lacking[0]
        remedy = choice.without(table, [k]) if k in choice.inputs else ""
        raise DataError(
            f"{table.name}: every row lacks a value, {table.words(k)} does in line {table.lines[0]}; "
            + (f"leave the column out: {remedy}" if remedy else "fill the values in")
        )
    shown = lines_in_words([table.lines[row] for row in where])
    table.keep(kept)
    return [f"{count(len(where), 'row')} with missing values left out ({shown})"]


def _missing_value(
    table: Table, choice: Choice, lacking: dict[int, int], columns: Sequence[int], kept: Sequence[int]
) -> DataError:
    """Name the first value that is missing, and the remedies that work."""
    row = min(lacking)
    column = lacking[row]
    what = f"{table.place(row, column)}: {one_line(table.rows[row][column])} is a missing value"
    if column in choice.label:
        what = f"{table.place(row, column)}: the label is missing ({one_line(table.rows[row][column])})"
    remedies = []
    if len({tuple(table.rows[k][j] for j in choice.label) for k in kept}) > 1:
        rows = "the row" if len(lacking) == 1 else f"the {len(lacking)} rows that lack a value"
        remedies.append(f'data.missing = "drop rows" to leave out {rows}')
    other = "" if set(columns) & set(choice.label) else choice.without(table, columns)
    if other:
        remedies.append(f"{other} to leave out {'the column' if len(columns) == 1 else f'the {len(columns)} columns'}")
    return DataError(f"{what}; write {', or '.join(remedies)}" if remedies else f"{what}; fill it in")


def _inputs(table: Table, choice: Choice, decimal: str | None) -> tuple[FloatArray, list[str]]:
    """Read the input columns, shape (N, d); say what was understood about them."""
    values = np.empty((len(table.rows), len(choice.inputs)))
    truths = {}
    for k in choice.inputs:
        pair = truth_pair(table.values(k))
        if pair is not None:
            truths[k] = pair
    numeric = [k for k in choice.inputs if k not in truths]
    names = [table.words(k) for k in numeric]
    mark = decimal or decimal_mark(table.name, [table.values(k) for k in numeric], names, table.delimiter)
    grouped = 0
    for position, k in enumerate(choice.inputs):
        numbers: Mapping[str, float] = truths[k] if k in truths else _numbers(table, choice, k, mark)
        values[:, position] = [numbers[cell] for cell in table.column(k)]
        if k not in truths:
            marked = {cell for cell in numbers if has_groups(cell, mark)}
            grouped += sum(map(marked.__contains__, table.column(k))) if marked else 0
    notes = ["decimal commas"] if mark == "," else []
    if grouped:
        notes.append(f"{count(grouped, 'number')} with marks between thousands")
    meanings: dict[str, list[int]] = {}
    for k, found in truths.items():
        words = ", ".join(f"{cell} = {value}" for cell, value in sorted(found.items(), key=lambda item: -item[1]))
        meanings.setdefault(words, []).append(k)
    notes += [f"{_names(table, columns)}: {words}" for words, columns in meanings.items()]
    return values, notes


def _numbers(table: Table, choice: Choice, column: int, mark: str) -> dict[str, float]:
    """Read the different cells of a column."""

    def place(cell: str) -> str:
        return table.place(table.column(column).index(cell), column)

    texts = {}
    remedy = choice.without(table, [column])
    for cell in table.values(column):
        text = plain(cell, mark)
        if text is None:
            _need_numbers(table, choice, column)
            point = "point" if mark == "." else "comma"
            raise DataError(
                f"{place(cell)}: {one_line(cell)} is not a number with a decimal {point}; correct it"
                + (f", or leave the column out: {remedy}" if remedy else "")
            )
        texts[cell] = text
    return column_floats(texts, place, f", or leave it out: {remedy}" if remedy else "")


def _need_numbers(table: Table, choice: Choice, column: int) -> None:
    """Refuse a column with cells that are no finite numbers; name the first, and what to do."""
    wrong = {cell for cell in table.values(column) if not is_numeric(cell)}
    if not wrong:
        return
    cells = table.column(column)
    rows = [row for row, cell in enumerate(cells) if cell in wrong]
    cell = cells[rows[0]]
    what = f"{table.place(rows[0], column)}: {one_line(cell)} is {kind_of(cell)}"
    remedy = choice.without(table, [column])
    raise DataError(f"{what}; correct it" + (f", or leave the column out: {remedy}" if remedy else ""))


def _refuse_second_header(table: Table, choice: Choice) -> None:
    """Refuse a second line of names or units."""
    first = [table.rows[0][k] for k in choice.inputs]
    if len(first) > 1 and not any(is_numeric(cell) or is_missing(cell) or is_infinite(cell) for cell in first):
        if all(any(map(is_numeric, table.values(k))) for k in choice.inputs):
            k = choice.inputs[0]
            raise DataError(
                f"{table.place(0, k)}: {one_line(first[0])} is not a number, nor are the others in line"
                f" {table.lines[0]}; delete that line if it holds names or units"
            )


def _refuse_texts(table: Table, choice: Choice, missing: str | None) -> None:
    """Refuse columns of texts, dates, ...: all of them at once, so that the remedy does not lead to the next."""
    columns = [k for k in choice.inputs if _holds_texts(table, k)]
    if not columns:
        return
    k = columns[0]
    cells = table.column(k)
    row = next(row for row, cell in enumerate(cells) if not is_numeric(cell) and not is_missing(cell))
    what = f"{table.place(row, k)}: {one_line(cells[row])} is {kind_of(cells[row])}"
    if len(columns) > 1:
        more = [table.short(j) for j in columns[1:]]
        what += f" ({', '.join(more[:MAX_LISTED])}{', ...' if len(more) > MAX_LISTED else ''} likewise)"
    remedy = choice.without(table, columns)
    the, texts = ("the column", "its") if len(columns) == 1 else (f"the {len(columns)} columns", "their")
    rest = [j for j in (*choice.inputs, *choice.label) if j not in columns]
    if remedy and missing is None and any(is_missing(cell) for j in rest for cell in table.values(j) if cell != "-"):
        remedy += ' and data.missing = "drop rows"'
    leave = f"; leave {the} out: {remedy}" if remedy else "; no input would be left without such columns"
    dummies = (
        f", or make numbers of {texts} texts with pandas.get_dummies" if kind_of(cells[row]) == "not a number" else ""
    )
    raise DataError(f"{what}{leave}{dummies}")


def _holds_texts(table: Table, column: int) -> bool:
    """Whether most cells of a column that are there are neither numbers nor truth values."""
    there = [cell for cell in table.values(column)[:PROBED_ROWS] if not is_missing(cell)]
    wrong = {cell for cell in there if not is_numeric(cell) and not is_infinite(cell)}
    if not wrong or truth_pair(there) is not None:
        return False
    counts = Counter(table.column(column))
    return 2 * sum(counts[cell] for cell in wrong) > sum(counts[cell] for cell in there)


def _labels(table: Table, choice: Choice) -> tuple[IntArray, tuple[str, ...]]:
    """Number the labels, shape (N,), and name the classes."""
    if choice.one_hot:
        return _one_hot_labels(table, choice.label)
    k = choice.label[0]
    where = f"{table.name}: {table.words(k)}"
    labels, names = text_labels(where, table.column(k), lambda row: table.place(row, k))
    if k in table.nominal:
        order = [value for value in table.nominal[k] if value in names]
        if sorted(order) == sorted(names):
            labels, names = numbered(table.column(k), order), file_names(order)
    if table.class_names and names == tuple(str(n) for n in range(len(table.class_names))):
        names = table.class_names
    return labels, names


def _one_hot_labels(table: Table, columns: Sequence[int]) -> tuple[IntArray, tuple[str, ...]]:
    numbers = np.zeros((len(table.rows), len(columns)), dtype=np.int64)
    for position, k in enumerate(columns):
        for row, cell in enumerate(table.column(k)):
            text = {"true": "1", "false": "0"}.get(cell.lower(), plain(cell, ".") or "")
            if text == "" or float(text) not in (0.0, 1.0):
                raise DataError(
                    f"{table.place(row, k)}: {one_line(cell)} is not 0 or 1; a list of label columns holds one 1 in"
                    " each row"
                )
            numbers[row, position] = int(float(text))
    sums = numbers.sum(axis=1)
    wrong = np.flatnonzero(sums != 1)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{table.name}: line {table.lines[row]}: {sums[row]} of the {len(columns)} label columns are 1, expected"
            " one in each row; a sample of several classes is not covered"
        )
    found = numbers.argmax(axis=1)
    if np.unique(found).size < 2:
        raise DataError(f"{table.name}: 1 class among the labels; at least 2 are needed, are these the label columns?")
    return found.astype(np.int64), tuple(table.short(k) for k in columns)


def _names(table: Table, columns: Sequence[int]) -> str:
    if table.header is None:
        if len(columns) > 2 and list(columns) == list(range(columns[0], columns[-1] + 1)):
            return f"columns {columns[0] + 1} to {columns[-1] + 1}"
        if len(columns) > MAX_LISTED + 1:
            shown = ", ".join(str(k + 1) for k in columns[: MAX_LISTED - 1])
            return f"columns {shown}, ..., {columns[-1] + 1}"
        return ("column " if len(columns) == 1 else "columns ") + ", ".join(str(k + 1) for k in columns)
    names = [table.short(k) for k in columns]
    if len(names) > MAX_LISTED + 1:
        return f"{', '.join(names[: MAX_LISTED - 1])}, ..., {names[-1]}"
    return ", ".join(names)


def _understood(table: Table, choice: Choice, names: Sequence[str], notes: Sequence[str]) -> str:
    """The one line: rows, columns, label, classes, dialect, what was left out."""
    rows, columns = len(table.rows), len(choice.inputs)
    shape = f"{rows} rows x {count(columns, 'column')} ({_names(table, choice.inputs)})"
    label = "label columns " if choice.one_hot and table.header is not None else "label "
    parts = [shape, f"{label}{_names(table, choice.label)}: {mapping_in_words(names)}"]
    kind = (
        table.delimiter
        if table.delimiter == "ARFF"
        else f"{DELIMITERS.get(table.delimiter, repr(table.delimiter))}-separated"
    )
    parts.append(", ".join([kind, *table.notes, *notes]))
    if choice.left_out:
        parts.append(f"left out: {', '.join(choice.left_out)}")
    return "; ".join(parts)
