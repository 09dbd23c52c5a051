"""What each column of a table is: label, input, row index, left out. Nothing is guessed that could be otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from verifier.data.tables.heading import PROBED_ROWS, is_label_name
from verifier.data.tables.numbers import is_infinite, is_missing, is_numeric, number_text, truth_pair
from verifier.data.tables.table import Table
from verifier.display import count
from verifier.errors import DataError, nearest, one_line

Column = str | int
Label = Column | Sequence[Column] | None

FEW_CLASSES: Final = 2
"""So many different values are classes however few samples there are."""
LONGEST: Final = 400
"""Characters of a list of columns in a message; a longer one names them by index, or names the others."""
ID_DIGITS: Final = 4
"""Identifiers have so many digits or more."""
SURE_ROWS: Final = 5
"""A first column that counts so many rows is asked about."""

_UNNAMED: Final = re.compile(r"unnamed(: ?[0-9]+)?(_level_[0-9]+)?", re.IGNORECASE)
_INDEX_NAMES: Final = frozenset("index idx id rowid rownames rowname level0 identifier".split())
_COUNT_NAMES: Final = frozenset(
    "row rows no nr num number sno sample rank record case obs observation instance n #".split()
)
_ID_NAME: Final = re.compile(r".*([_ .-](id|ID|Id)|[a-z](Id|ID))")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which columns are inputs, which are the label (several: one per class), which were left out and why."""

    inputs: tuple[int, ...]
    label: tuple[int, ...]
    one_hot: bool
    left_out: tuple[str, ...]
    dropped: tuple[int, ...] = ()
    """The columns that data.drop names."""
    by_name: bool = False
    """Whether data.columns names the inputs."""

    def without(self, table: Table, columns: Sequence[int]) -> str:
        """What to write in a case file so that columns are left out as well; empty if no input would be left."""
        rest = [k for k in self.inputs if k not in columns]
        if not rest:
            return ""
        lists = {"columns": rest} if self.by_name else {"drop": [*self.dropped, *columns], "columns": rest}
        ways = [f"data.{key} = [{', '.join(map(table.key, found))}]" for key, found in lists.items()]
        ways += [f"data.{key} = {found}" for key, found in lists.items()]
        return next((way for way in ways if len(way) <= LONGEST), min(ways, key=len))


def chosen_columns(table: Table, label: Label, columns: object, drop: object) -> Choice:
    """Choose the label, the inputs and what is left out.

    Parameters
    ----------
    table : table.Table
        The cells.
    label : str, int, sequence of them, or None
        The label column, or one column for each class; None to find it out.
    columns : sequence of str or int, or None
        The inputs, in this order; None for all others.
    drop : sequence of str or int, or None
        Columns that are left out; None also leaves out an index of the rows, which is then said.

    Returns
    -------
    Choice
        At least one input.

    Raises
    ------
    DataError
        A name that no column has, columns that are used twice, or a question that only the user can answer; the message
        says what to write.
    """
    several = isinstance(label, list | tuple)
    if several and len(label) < 2:  # type: ignore[arg-type]
        raise DataError(f"data.label = {one_line(label)}: a list names a column for each class; name two or more")
    labels = [] if label is None else [_found(table, "label", one) for one in (label if several else [label])]  # type: ignore[union-attr]
    dropped = _listed(table, "drop", drop)
    wanted = _listed(table, "columns", columns)
    for key, used in (("columns", wanted), ("drop", dropped)):
        both = next((k for k in used or () if k in labels), None)
        if both is not None:
            raise DataError(f"data.{key} names {table.words(both)}, which is the label; leave it out of data.{key}")
    left_out = [f"{table.words(k)} (data.drop)" for k in dropped or ()]
    free = [k for k in range(table.width) if k not in (dropped or ())]
    if dropped != [] and columns is None:
        for k, why in _indices(table, [k for k in free if k not in labels], bool(labels)):
            free.remove(k)
            keeps = "data.drop = []" if not dropped else "naming it in data.columns"
            left_out.append(f"{table.words(k)}, {why} ({keeps} keeps it)")
    one_hot = several
    if not labels:
        candidates = [k for k in free if k not in (wanted or ())]
        labels = _guessed_label(table, candidates, wanted is not None)
        one_hot = len(labels) > 1
    if wanted is not None:
        both = next((k for k in wanted if k in (dropped or ())), None)
        if both is not None:
            raise DataError(f"data.columns and data.drop both name {table.words(both)}; leave it out of one of them")
        others = [k for k in free if k not in wanted and k not in labels]
        if others:
            left_out.append(f"{count(len(others), 'column')} that data.columns does not name")
        inputs = wanted
    else:
        inputs = [k for k in free if k not in labels]
    if not inputs:
        raise DataError(f"{table.name}: no column is left as an input beside the label; leave out fewer")
    choice = Choice(tuple(inputs), tuple(labels), one_hot, tuple(left_out), tuple(dropped or ()), wanted is not None)
    if dropped != [] and columns is None:
        _ask_about_counts(table, choice)
    return choice


def _listed(table: Table, key: str, value: object) -> list[int] | None:
    if value is None:
        return None
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise DataError(f'data.{key} = {one_line(value)}: must be a list of names or indices, such as ["id"] or [0]')
    found = [_found(table, key, one) for one in value]
    twice = next((k for k in found if found.count(k) > 1), None)
    if twice is not None:
        raise DataError(f"data.{key} names {table.words(twice)} twice; name it once")
    if key == "columns" and not found:
        raise DataError("data.columns = []: no inputs; name at least one column")
    return found


def _found(table: Table, key: str, wanted: Any) -> int:
    """Find a column by its name or index."""
    width, name = table.width, table.name
    if isinstance(wanted, str):
        header = table.header
        if header is None:
            raise DataError(
                f"{name}: data.{key} names {one_line(wanted)}, but the file has no header line; give an index"
                f" 0..{width - 1}, or data.header = true if line {table.lines[0]} holds names"
            )
        found = [k for k, cell in enumerate(header) if cell == wanted] or [
            k for k, cell in enumerate(header) if cell.lower() == wanted.strip().lower()
        ]
        if len(found) > 1:
            raise DataError(
                f"{name}: data.{key} = {one_line(wanted)} names {len(found)} columns; give an index 0..{width - 1}"
            )
        if not found:
            raise DataError(
                f"{name}: data.{key} = {one_line(wanted)} is not in the header line; {nearest(wanted, header)}"
            )
        return found[0]
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not -width <= wanted < width:
        header_words = "without a header" if table.header is None else "with a header"
        raise DataError(
            f"{name} ({header_words}): data.{key} = {one_line(wanted)} must be a column's name or an index"
            f" -{width}..{width - 1}"
        )
    return wanted % width


def _indices(table: Table, free: Sequence[int], has_label: bool) -> list[tuple[int, str]]:
    """Find the columns whose name says that they only number the rows, and unnamed ones that are empty."""
    if table.header is None:
        return []
    found: list[tuple[int, str]] = []
    for k in free:
        name, cells = table.header[k], table.column(k)
        unnamed = not name or _UNNAMED.fullmatch(name) is not None
        bare = re.sub(r"[\s_.:-]", "", name).lower()
        if unnamed and not any(cells):
            found.append((k, "which is unnamed and empty"))
        elif len(free) - len(found) > 2 - has_label and len(set(cells)) == len(cells) > 1:
            telling = bare in _INDEX_NAMES or _ID_NAME.fullmatch(name) is not None
            counts = _counts(cells)
            if (unnamed and k == 0) or telling or (bare in _COUNT_NAMES and counts) or (unnamed and counts):
                if all(map(_is_whole, cells)) or not any(map(is_numeric, cells)):
                    what = "which counts the rows" if counts else "a different value in each row"
                    found.append((k, what if name else f"unnamed, {what}"))
    return found


def _is_whole(cell: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+(\.0*)?", cell) is not None


def _counts(cells: Sequence[str]) -> bool:
    """Whether a column is 0, 1, 2, ... or 1, 2, 3, ..."""
    if cells[0] not in ("0", "1"):
        return False
    start = int(cells[0])
    return all(cell == str(k) for k, cell in enumerate(cells, start))


def _ask_about_counts(table: Table, choice: Choice) -> None:
    """Ask whether a first column that seems to number the rows, by no telling name, is an input."""
    inputs = choice.inputs
    if inputs[0] != 0 or len(inputs) < 2 or len(table.rows) < SURE_ROWS:
        return
    cells = table.column(0)
    if _counts(cells):
        what = f"counts the rows {cells[0]}, {cells[1]}, ..."
    elif _identifies(cells):
        what = f"has integers such as {cells[0]}, another in nearly every row, as identifiers have"
    else:
        return
    keep = f"data.columns = [{', '.join(table.key(k) for k in inputs)}]" if choice.dropped else "data.drop = []"
    raise DataError(
        f"{table.name}: {table.words(0)} {what}; write {choice.without(table, [0])} if it is no input, or {keep} if it"
        " is one"
    )


def _identifies(cells: Sequence[str]) -> bool:
    """Whether a column seems to hold identifiers: long integers that hardly ever repeat."""
    # some repeat where a table was joined of others: nine tenths of the values still differ
    enough = len(cells) >= 2 * SURE_ROWS and len(set(cells)) >= 0.9 * len(cells)
    return enough and all(cell.isdecimal() and len(cell) >= ID_DIGITS for cell in cells)


def _guessed_label(table: Table, free: Sequence[int], named: bool) -> list[int]:
    """Find the label: by its name, as the only column of texts, as columns 0/1 at the end, or as the last one."""
    if not free:
        raise DataError(f"{table.name}: no column is left as the label; leave out fewer, or give data.label")
    if len(free) == 1 and named:
        return [free[0]]
    header = table.header
    by_name = [] if header is None else [k for k in free if is_label_name(header[k])]
    if len(by_name) == 1:
        return by_name
    if len(by_name) > 1:
        raise _asked(table, f"{len(by_name)} columns are named as labels", by_name)
    texts = [k for k in free if _is_text(table.values(k))]
    weak = [] if header is None else [k for k in free if header[k].lower() == "y" and _may_be_classes(table, k)]
    last = free[-1]
    if weak and (not texts or weak == texts):
        return weak[:1]
    if texts == [last] and _may_be_classes(table, last):
        return texts
    if len(texts) == 1 and _may_be_classes(table, texts[0]) and len(table.values(texts[0])) > 1:
        others = [k for k in {*weak, last} if header is not None and k not in texts and _may_be_classes(table, k)]
        if others:
            raise DataError(
                f"{table.name}: no column is named as the label, and {table.words(texts[0])} holds text; write"
                f" data.label = {table.key(texts[0])} if it is the label, or data.drop = [{table.key(texts[0])}] if"
                f" {table.words(others[-1])} is"
            )
        return texts  # a text can be nothing but the label
    if last in texts and _may_be_classes(table, last):
        return [last]
    if texts:
        raise _asked_about_texts(table, texts, free)
    hot = _one_hot(table, free)
    groups = _dummy_groups(table, free)
    whole = [group for group in groups if _one_in_each_row(table, group)]
    if any(group != hot for group in whole) and any(last in group for group in [hot, *groups]):
        choices = [f"data.label = [{', '.join(table.key(k) for k in group)}]" for group in whole[:4]]
        raise DataError(
            f"{table.name}: no column is named as the label, and several columns of 0 and 1 may be classes; say which"
            f" is the label: {' or '.join([*choices, f'data.label = {table.key(last)}'])}"
        )
    if len(hot) > 2:
        return hot
    if len(hot) == 2:
        keys = ", ".join(table.key(k) for k in hot)
        raise DataError(
            f"{table.name}: {table.words(hot[0])} and {table.words(hot[1])} are 0 and 1 with one 1 in each row; write"
            f" data.label = [{keys}] if they are the two classes, or data.label = {table.key(last)} if the last alone"
            " is the label"
        )
    if not _may_be_classes(table, last):
        likely = [k for k in free if _may_be_classes(table, k)]
        cells = table.values(last)
        real = next((cell for cell in cells if not _is_whole_number(cell) and not is_missing(cell)), None)
        why = f"has {one_line(real)}" if real is not None else f"has {len(cells)} values in {len(table.rows)} rows"
        why += " (real targets, regression, are not covered)" if real is not None and is_numeric(real) else ""
        if not likely:
            raise DataError(
                f"{table.name}: no column holds classes: the last, {table.words(last)}, {why}; give a column of classes"
            )
        raise _asked(table, f"no column is named as the label, and the last, {table.words(last)}, {why}", likely, whole)
    return [last]


def _asked_about_texts(table: Table, texts: Sequence[int], free: Sequence[int]) -> DataError:
    """Ask where columns of texts come before a last column that is none."""
    keys, last = ", ".join(table.key(k) for k in texts), free[-1]
    choices = [f"data.drop = [{keys}] if {table.words(last)} is"] if _may_be_classes(table, last) else []
    for k in [k for k in texts if _may_be_classes(table, k) and len(table.values(k)) > 1][:3]:
        others = ", ".join(table.key(j) for j in texts if j != k)
        choices.append(f"data.label = {table.key(k)} with data.drop = [{others}] if {table.words(k)} is")
    whole = [k for k in free if k not in texts and k != last and _may_be_classes(table, k)]
    for k in sorted(whole, key=lambda k: len(table.values(k)))[: 0 if _may_be_classes(table, last) else 2]:
        choices.append(f"data.label = {table.key(k)} with data.drop = [{keys}] if {table.words(k)} is")
    if len(texts) == 1:
        choices = choices or [f"data.drop = [{keys}] to leave it out"]
    holds = f"{table.words(texts[0])} holds texts" if len(texts) == 1 else f"{len(texts)} columns hold texts"
    asked = f"which is the label? Write {', or '.join(choices)}" if choices else f"leave them out: data.drop = [{keys}]"
    return DataError(f"{table.name}: no column is named as the label, and {holds} ({keys}); {asked}")


def _asked(table: Table, why: str, likely: Sequence[int], groups: Sequence[Sequence[int]] = ()) -> DataError:
    hot = [k for group in groups for k in group]  # columns of 0 and 1 that are one label together, or no label
    likely = [k for k in likely if k not in hot] or ([] if groups else likely)
    counts = {k: len(table.values(k)) for k in likely}
    few = sorted(likely, key=counts.__getitem__)[:4]
    choices = [f"data.label = [{', '.join(map(table.key, group))}]" for group in groups[:2]]
    choices += [f"data.label = {table.key(k)} ({counts[k]} values)" for k in sorted(few)]
    return DataError(f"{table.name}: {why}; say which is the label: {' or '.join(choices)}")


def _is_text(cells: Sequence[str]) -> bool:
    """Whether the different values of a column hold neither numbers nor truth values, apart from a few cells."""
    there = [cell for cell in cells[:PROBED_ROWS] if not is_missing(cell)]
    if not there or truth_pair(there) is not None:
        return False
    return sum(is_numeric(cell) or is_infinite(cell) for cell in there) < len(there) / 2


def _is_whole_number(cell: str) -> bool:
    text = number_text(cell)
    return text is not None and float(text).is_integer()


def _may_be_classes(table: Table, column: int) -> bool:
    """Whether a column's values may be classes: texts or integers, not nearly as many as rows."""
    values = [cell for cell in table.values(column) if not is_missing(cell)]
    cells = table.rows
    if not values or (any(map(is_numeric, values)) and not all(map(_is_whole_number, filter(is_numeric, values)))):
        return False
    # a class is there twice on the average; in a few rows nothing can be said
    return len(values) <= FEW_CLASSES or len(values) <= len(cells) / 2 or len(cells) < 2 * SURE_ROWS


_ONES: Final = frozenset({"1", "1.0", "true"})
_ONES_AND_ZEROS: Final = _ONES | {"0", "0.0", "false"}


def _dummy_groups(table: Table, free: Sequence[int]) -> list[list[int]]:
    """Return the groups of columns of 0 and 1 that share what is before the last "_" of their names (get_dummies)."""
    found: dict[str, list[int]] = {}
    for k in free:
        prefix = "" if table.header is None else table.header[k].rpartition("_")[0]
        if prefix and {cell.lower() for cell in table.values(k)[: len(_ONES_AND_ZEROS) + 1]} <= _ONES_AND_ZEROS:
            found.setdefault(prefix, []).append(k)
    return [group for group in found.values() if len(group) > 1]


def _one_in_each_row(table: Table, columns: Sequence[int]) -> bool:
    return all(sum(row[k].lower() in _ONES for k in columns) == 1 for row in table.rows)


def _one_hot(table: Table, free: Sequence[int]) -> list[int]:
    """Return the columns at the end that are 0 or 1 with exactly one 1 in each row, [] if there are none."""
    sums = [0] * len(table.rows)
    for width, k in enumerate(reversed(free), 1):
        values = {cell.lower() for cell in table.values(k)}
        if not values <= _ONES_AND_ZEROS or not values & _ONES:
            return []
        sums = [total + (cell.lower() in _ONES) for total, cell in zip(sums, table.column(k), strict=True)]
        if max(sums) > 1:
            return []
        if min(sums) == 1:
            return list(free[len(free) - width :]) if 2 <= width < len(free) else []
    return []
