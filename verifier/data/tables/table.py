"""A table as it was read: cells, names of the columns, and what messages and case files call its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from verifier.data.names import printable
from verifier.errors import one_line

LONGEST_NAME: Final = 60
"""Longer texts are no names of columns."""


@dataclass(slots=True)
class Table:
    """A table: its cells, the columns' names if it has any, each row's line in the file."""

    name: str
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    header: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    class_names: tuple[str, ...] = ()
    """Names of the labels 0, 1, ... as scikit-learn's first line gives them."""
    nominal: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """ARFF: the declared values of a column, in order."""
    _columns: list[tuple[str, ...]] = field(default_factory=list)
    _values: dict[int, list[str]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Number of columns, which all rows have."""
        return len(self.rows[0])

    def title(self, column: int) -> str:
        """The name of a column in the header, "" if it has none."""
        return "" if self.header is None else self.header[column]

    def words(self, column: int) -> str:
        """What messages call a column: "column 2 'width'"; counted from 1."""
        name = self.title(column)
        return f"column {column + 1} {one_line(name, limit=LONGEST_NAME)}" if name else f"column {column + 1}"

    def place(self, row: int, column: int) -> str:
        """What messages call a cell: file, line and column."""
        return f"{self.name}: line {self.lines[row]}, {self.words(column)}"

    def key(self, column: int) -> str:
        """How a case file names a column: its name in quotation marks if that is safe, else its index from 0."""
        name = self.title(column)
        plain = name.isprintable() and " ".join(name.split()) == name and not set(name) & set("\"\\'")
        alone = self.header is not None and self.header.count(name) == 1
        return f'"{name}"' if name and plain and alone and len(name) <= LONGEST_NAME else str(column)

    def short(self, column: int) -> str:
        """A column's name, cut where it is long, or "column 3"."""
        shown = printable(" ".join(self.title(column).split()))
        return (shown if len(shown) <= 40 else f"{shown[:37]}...") or f"column {column + 1}"

    def column(self, column: int) -> tuple[str, ...]:
        """The cells of a column, one for each row."""
        if not self._columns:
            self._columns = list(zip(*self.rows, strict=True))
        return self._columns[column]

    def values(self, column: int) -> list[str]:
        """The different cells of a column, in the order in which they come."""
        if column not in self._values:
            self._values[column] = list(dict.fromkeys(self.column(column)))
        return self._values[column]

    def keep(self, rows: list[int]) -> None:
        """Leave out all rows but those with these indices."""
        self.rows, self.lines = [self.rows[k] for k in rows], [self.lines[k] for k in rows]
        self._columns, self._values = [], {}
