"""Where a number stands in what the user gave, for messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from verifier.errors import DataError, one_line


@dataclass(frozen=True, slots=True)
class Place:
    """An argument of the user's, or a part of it, as messages name it.

    Parameters
    ----------
    what : str
        The argument's name.
    index : tuple of int, optional
        Which part of it.
    column : str, optional
        The column's name if the part is a column of a table.
    """

    what: str
    index: tuple[int, ...] = ()
    column: str | None = None

    def part(self, *index: int) -> Place:
        """The place of a part of what stands here, by its index there."""
        return replace(self, index=(*self.index, *index))

    def __str__(self) -> str:
        """``X``, ``X: entry (0, 3)`` or ``X: column 'age', row 3``."""
        if self.column is not None:
            row = f", row {', '.join(map(str, self.index))}" if self.index else ""
            return f"{self.what}: column {self.column}{row}"
        return f"{self.what}: entry {self.index}" if self.index else self.what

    def refuse(self, reason: str) -> NoReturn:
        """Refuse what stands here, in one line.

        Raises
        ------
        DataError
            Always.
        """
        join = " " if reason.startswith("is ") else ": "
        raise DataError(f"{self}{join}{reason}")

    def refuse_value(self, value: object, reason: str) -> NoReturn:
        """Refuse a value that stands here, in one line with the value.

        Raises
        ------
        DataError
            Always.
        """
        self.refuse(f"is {shown(value)}, {reason}" if self.index else f"{shown(value)} is {reason}")


def shown(value: object) -> str:
    """A value for a message: a NumPy number without its type's name, anything else by its ``repr``."""
    try:
        return str(value) if type(value).__module__ == "numpy" and not hasattr(value, "__len__") else one_line(value)
    except Exception:  # a foreign object whose repr fails must not hide the refusal
        return f"an object of type {type(value).__name__}"
