"""How results show themselves: a short ``repr`` everywhere, and a card of plain HTML in a notebook.

A result says once what it has to say, as `Card`; `Shown` makes both forms of it. `Brief` is for what only needs a
``repr`` that never prints an array. The HTML is self-contained: inline styles, no script, colours that read on light
and on dark pages, every text escaped; it is still in order where a page strips the styles.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from verifier.errors import InputError

if TYPE_CHECKING:
    import pandas

MAX_TEXT = 88
"""Longest value inside a short ``repr``."""
COLUMNS = 80
"""Columns of a printed report."""
MAX_ENTRIES = 6
"""Entries of a sequence that a short ``repr`` shows."""

WORDS = {
    "PROVED": "#1a7f37",
    "ACCEPTED": "#1a7f37",
    "REFUTED": "#b42318",
    "REJECTED": "#b42318",
    "UNREADABLE": "#b42318",
    "TOO EXPENSIVE": "#8a5a00",
    "UNDECIDED": "#8a5a00",
    "TESTED": "#0b628f",
}
"""Background of a verdict's badge under white text: contrast at least 4.5, and a shape on light and on dark pages."""
OTHER = "#57606a"

_LINE = "1px solid rgba(127,127,127,.35)"
_CARD = f"border:{_LINE};border-radius:6px;padding:.6em .8em;margin:.3em 0;max-width:60em;line-height:1.45"
_CELL = "text-align:left;vertical-align:top;padding:.2em .9em .2em 0;background:transparent;white-space:normal"
_TABLE = "border-collapse:collapse;border:none;margin:.4em 0 0 0;background:transparent;color:inherit;font-size:inherit"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that unfolds: what it lists, its columns' heads, its rows. A cell that is a verdict becomes a badge."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    unfolded: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What a result has to say: a title, a verdict if it is one, a sentence, named values, tables."""

    title: str
    verdict: str | None = None
    sentence: str = ""
    values: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()


class Judged:
    """Base of what states a verdict: it does not stand in an ``if``, where any object is true.

    Ask `proved` (of the checker's answer ``accepted``, of the platform's test ``passed``), or compare ``verdict``.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        """Raise an error: a verdict is neither true nor false in an ``if``.

        Raises
        ------
        TypeError
            Always: a REFUTED statement would count as true.
        """
        asked = next((name for name in ("accepted", "passed") if hasattr(self, name)), "proved")
        raise TypeError(f"{type(self).__name__} is neither true nor false in an if; ask .{asked}")


class Decided(Judged):
    """Base of results with a field ``verdict``."""

    __slots__ = ()

    @property
    def proved(self) -> bool:
        """Whether the verdict is PROVED."""
        return str(self.verdict) == "PROVED"  # type: ignore[attr-defined]


class Shown:
    """Base of results that show themselves: give `_card`, get ``repr`` and HTML."""

    __slots__ = ()

    def _card(self) -> Card:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Two or three lines, whatever the arrays' size."""
        return as_text(type(self).__name__, self._card())

    def _repr_html_(self) -> str:
        return as_html(self._card())


class Brief:
    """Base of dataclasses whose ``repr`` abbreviates: arrays by type and shape, long sequences by their length."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The type with its fields, each abbreviated, on one line."""
        if not is_dataclass(self):
            return object.__repr__(self)
        shown = [field.name for field in fields(self) if field.repr and not field.name.startswith("_")]
        parts = [f"{name}={brief(getattr(self, name))}" for name in shown]
        return f"{type(self).__name__}({', '.join(parts)})"


def brief(value: object) -> str:
    """Render a value in at most `MAX_TEXT` characters or so: arrays by type and shape, long sequences by length.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        One line.
    """
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and kind is not None:
        return f"<{kind} {shape}>"
    if isinstance(value, dict) and len(value) > MAX_ENTRIES:
        return f"<{len(value)} entries>"
    if isinstance(value, Shown):
        return f"<{type(value).__name__} ...>"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        if len(value) > MAX_ENTRIES:
            return f"<{len(value)} entries>"
        inside = ", ".join(brief(entry) for entry in value)
        text = f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        return text if len(text) <= MAX_TEXT else f"<{len(value)} entries>"
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def as_text(name: str, card: Card) -> str:
    """Render a card for a terminal: the verdict with its sentence, then the values on a line of their own.

    Parameters
    ----------
    name : str
        The type's name.
    card : Card
        What is to be said.

    Returns
    -------
    str
        A few lines.
    """
    verdict = "" if card.verdict is None else f" {card.verdict}"
    lines = [f"<{name}{verdict}: {card.sentence or card.title}"]
    if card.values:
        lines.append("  " + "; ".join(f"{key} {value}" for key, value in card.values))
    return "\n".join(lines) + ">"


def as_html(card: Card) -> str:
    """Render a card for a notebook.

    Parameters
    ----------
    card : Card
        What is to be said; nothing in it is trusted to be free of markup.

    Returns
    -------
    str
        One ``<div>``.
    """
    mark = "" if card.verdict is None else f"{badge(card.verdict)} "
    parts = [f'<div style="{_CARD}">', f"<div>{mark}<b>{_text(card.title)}</b></div>"]
    if card.sentence:
        parts.append(f'<div style="margin-top:.3em">{_text(card.sentence)}</div>')
    if card.values:
        rows = "".join(_row((f"<b>{_text(key)}</b>", _cell(value)), whole=False) for key, value in card.values)
        parts.append(f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>')
    parts += [_folded(table) for table in card.tables]
    return "".join([*parts, "</div>"])


def badge(word: str) -> str:
    """A verdict as a coloured word.

    Parameters
    ----------
    word : str
        ``PROVED``, ``REJECTED``, ...; anything else is grey.

    Returns
    -------
    str
        One ``<span>``.
    """
    style = f"background:{WORDS.get(word, OTHER)};color:#fff;border-radius:4px;padding:.1em .5em;font-size:85%"
    return f'<span style="{style}"><b>{_text(word)}</b></span>'


def wrapped(text: str, width: int = COLUMNS, first: str = "", rest: str = "") -> list[str]:
    """A text in lines of at most ``width`` columns, ``first`` and ``rest`` before them.

    Words stay whole, unless one is longer than a line: then words are parted, at hyphens if there are any.
    """
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    part = any(len(word) > width - max(len(first), len(rest)) for word in plain.split())
    return textwrap.wrap(
        plain, width, initial_indent=first, subsequent_indent=rest, break_long_words=part, break_on_hyphens=part
    )


def listed(entries: Iterable[tuple[str, str]], width: int = COLUMNS) -> list[str]:
    """List verdicts with what they are about, for a terminal: lines of at most ``width`` columns where words allow.

    Parameters
    ----------
    entries : iterable of (str, str)
        A verdict (or ``-``), and what it says.
    width : int, optional
        Columns.

    Returns
    -------
    list of str
        Lines; those that go on are indented below the text.
    """
    lines: list[str] = []
    for verdict, text in entries:
        first = f"{verdict:<9}  "
        lines += wrapped(text, width, first, " " * 11) or [first.rstrip()]
    return lines


def count(number: int, noun: str) -> str:
    """A number with its noun in the right form: ``1 case``, ``2 cases``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def matrices(number: int) -> str:
    """How many output weights V there are: ``1 matrix V``, ``2 matrices V``."""
    return f"{number} {'matrix' if number == 1 else 'matrices'} V"


def joined(values: Iterable[object], most: int = MAX_ENTRIES) -> str:
    """List values, at most so many of them."""
    texts = [str(value) for value in values]
    return ", ".join(texts[:most]) + (f", ... ({len(texts)})" if len(texts) > most else "")


def frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pandas.DataFrame:
    """Make a table of pandas, which this package does not need otherwise.

    Parameters
    ----------
    columns : sequence of str
        Their names.
    rows : iterable of sequences
        The values of each row, one for each column.

    Returns
    -------
    pandas.DataFrame
        With rows numbered from 0.

    Raises
    ------
    InputError
        The package pandas is not installed.

    Examples
    --------
    >>> frame(("label", "verdict"), [("W0", "PROVED")]).loc[0, "verdict"]
    'PROVED'
    """
    try:
        import pandas
    except ImportError:
        raise InputError("to_frame() makes a DataFrame of pandas, which is not installed: pip install pandas") from None
    return pandas.DataFrame([list(row) for row in rows], columns=list(columns))


def _folded(table: Table) -> str:
    heads = "".join(f'<th style="{_CELL};border-bottom:{_LINE}">{_text(head)}</th>' for head in table.heads)
    rows = "".join(_row([_cell(cell) for cell in row]) for row in table.rows)
    start = "<details open>" if table.unfolded else "<details>"
    body = (
        f'<table style="{_TABLE}"><thead><tr style="background:transparent">{heads}</tr></thead><tbody>{rows}</tbody>'
    )
    summary = f'<summary style="cursor:pointer">{_text(table.title)}</summary>'
    return f'<div style="margin-top:.4em">{start}{summary}{body}</table></details></div>'


def _row(cells: Sequence[str], *, whole: bool = True) -> str:
    """A row of a table; its first cell stays on one line, unless a phone would have no room for the others."""
    first = f'<td style="{_CELL}{";white-space:nowrap" if whole else ""}">{cells[0]}</td>'
    others = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells[1:])
    return f'<tr style="background:transparent">{first}{others}</tr>'


def _cell(value: str) -> str:
    return badge(value) if value in WORDS else _text(value)


def _text(value: str) -> str:
    return html.escape("".join(c if c.isprintable() or c == "\n" else "?" for c in value))
