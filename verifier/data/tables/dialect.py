"""The dialect of a text file: comments, delimiter, and the cells of each line."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from verifier.data.tables.numbers import is_missing, is_numeric, kind_of
from verifier.display import count
from verifier.errors import DataError, one_line

SPACES: Final = "whitespace"
"""The delimiter of columns that any number of blanks and tabs separates."""
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", SPACES: SPACES}
"""The delimiters that are found out, in the order of preference, and their names."""
PROBED_RECORDS: Final = 300
"""Records that are looked at to find the delimiter out."""

ONE_COLUMN: Final = -1.0
"""The score of a delimiter that does not occur."""

_BLANKS: Final = re.compile("[ \\t]+")
_STRONG: Final = re.compile("[;|\t]")
_SEP: Final = re.compile(r'"?sep=(.)"?[ \t]*$', re.IGNORECASE)
_LIBSVM: Final = re.compile(r"[-+]?[0-9.]+(,[0-9.]+)*([ \t]+[0-9]+:[-+0-9.eE]+)+[ \t]*(#.*)?")


@dataclass(slots=True)
class Cells:
    """What the lines of a file hold: cells without spaces around them, and each record's (last) line number."""

    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    notes: list[str] = field(default_factory=list)
    heading: list[str] | None = None
    """The cells of a comment just above the first record."""


class _Lines:
    """The lines of a text without comments; a comment cannot begin inside a quoted cell."""

    def __init__(self, text: str, delimiter: str, skip: int) -> None:
        self.source = io.StringIO(text, newline=None)
        self.delimiter, self.skip = delimiter, skip
        self.number = 0
        self.fresh = True  # whether a record begins at the next line
        self.comments: list[int] = []
        self.heading = ""

    def __iter__(self) -> Iterator[str]:
        for line in self.source:
            self.number += 1
            if self.number <= self.skip:
                continue
            if self.fresh and self._is_comment(line):
                self.comments.append(self.number)
                self.heading = line
                continue
            self.fresh = False
            yield _BLANKS.sub(" ", line).strip(" \n") + "\n" if self.delimiter == SPACES else line

    def _is_comment(self, line: str) -> bool:
        bare = line.lstrip(" \t\ufeff")
        if not bare.startswith(("#", "%")):
            return False
        return self.delimiter == SPACES or not bare[1:].startswith(self.delimiter)  # a column may be called "#"


def split_cells(name: str, text: str, delimiter: str | None) -> Cells:
    """Split a text into records and cells.

    Parameters
    ----------
    name : str
        The file's name, for messages.
    text : str
        The whole file.
    delimiter : str, optional
        One character or "whitespace"; by default that of a first line ``sep=;``, else the one under which the lines are
        alike and the most cells are numbers.

    Returns
    -------
    Cells
        Without blank lines, lines of empty cells and comments (lines that begin with # or %), which `notes` counts.

    Raises
    ------
    DataError
        No data, a quoted cell without an end, or a file in the LIBSVM format.
    """
    first = text[: text.find("\n")] if "\n" in text[:100] else text[:100]
    said = _SEP.match(first.rstrip("\r"))
    skip = 1 if said else 0
    if delimiter is None and said:
        delimiter = said[1]
    if delimiter is None:
        delimiter = _found_delimiter(text)
    found = Cells([], [], delimiter)
    lines = _Lines(text, delimiter, skip)
    empty = 0
    try:
        for number, cells in _records(lines):
            if any(cells):
                if not found.rows and lines.heading:
                    found.heading = _heading_cells(lines)
                found.rows.append(cells)
                found.lines.append(number)
            elif len(cells) > 1:
                empty += 1
    except csv.Error as error:
        what = "a cell of more than 131,072 characters" if "field limit" in str(error) else str(error)
        raise DataError(
            f"{name}: line {lines.number}: {what}; close the quotation mark before it, or save the file as plain CSV"
        ) from None
    if lines.comments:
        found.notes.append(
            f"{lines_in_words(lines.comments)} {'is a comment' if len(lines.comments) == 1 else 'are comments'}"
        )
    if empty:
        found.notes.append(f"{count(empty, 'line')} of empty cells left out")
    if not found.rows:
        only = f" ({', '.join(found.notes)})" if found.notes else ""
        raise DataError(f"{name}: no lines with data{only}; write samples into it")
    return found


def _heading_cells(lines: _Lines) -> list[str]:
    text = lines.heading.strip().lstrip("#% \t")
    parts = text.split() if lines.delimiter == SPACES else text.split(lines.delimiter)
    return [part.strip().strip('"') for part in parts]


def _records(lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    mark = " " if lines.delimiter == SPACES else lines.delimiter
    reader = csv.reader(iter(lines), delimiter=mark, skipinitialspace=True, strict=True)
    while True:
        lines.fresh = True
        try:
            cells = next(reader)
        except StopIteration:
            return
        yield lines.number, [cell.strip() for cell in cells]


def _found_delimiter(text: str) -> str:
    """Find the delimiter: lines of equal width whose cells are numbers count for it."""
    best, most = ",", ONE_COLUMN
    for delimiter in DELIMITERS:
        rows = []
        with contextlib.suppress(csv.Error):  # a quotation mark without an end: the lines before it tell
            for _, cells in itertools.islice(_records(_Lines(text, delimiter, 0)), PROBED_RECORDS):
                if any(cells):
                    rows.append(cells)
        score = _score(rows)
        if score > most:
            best, most = delimiter, score
    return best


def _score(rows: list[list[str]]) -> float:
    if not rows:
        return ONE_COLUMN
    width, often = Counter(len(row) for row in rows).most_common(1)[0]
    if width < 2:
        return ONE_COLUMN if max(map(len, rows)) < 2 else 0.0
    alike = [row for row in rows if len(row) == width]
    told = [cell for row in alike for cell in row if not is_missing(cell)]
    numbers = sum(is_numeric(cell) or kind_of(cell) != "not a number" for cell in told)
    whole = sum(not _STRONG.search(cell) for cell in told)  # what is cut at the wrong mark holds the right one
    # lines alike and cells whole are needed together, so their product; numbers outweigh both: texts hold any mark
    share, clean = often / len(rows), whole / max(1, len(told))
    return (share * clean) ** 2 * (1 + 100 * numbers / max(1, len(told)))


def is_libsvm(text: str) -> bool:
    """Whether the first lines are those of a LIBSVM file, ``1 3:0.5 7:1.2``."""
    head = [line for line in text[:20_000].splitlines()[:20] if line.strip()]
    return bool(head) and all(_LIBSVM.fullmatch(line.strip()) for line in head[: max(1, len(head) - 1)])


def lines_in_words(numbers: list[int], most: int = 5) -> str:
    """Name lines: "line 3", "lines 3, 5", "7 lines (3, 5, ...)"."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) <= most:
        return f"lines {', '.join(map(str, numbers))}"
    return f"{len(numbers)} lines ({', '.join(map(str, numbers[:most]))}, ...)"


def checked_delimiter(delimiter: object) -> str | None:
    """Take the delimiter that a user gave.

    Raises
    ------
    DataError
        Neither one character nor a name.
    """
    if delimiter is None:
        return None
    named = {words: mark for mark, words in DELIMITERS.items()} | {"space": SPACES, " ": SPACES}
    if isinstance(delimiter, str):
        found = named.get(delimiter, delimiter)
        if found == SPACES or (len(found) == 1 and found not in '"\r\n#%' and not found.isalnum()):
            return found
    raise DataError(
        f"data.delimiter = {one_line(delimiter)}: must be one character that is no letter, digit or quotation mark, or"
        f" one of {', '.join(sorted(named)[1:])}"
    )
