"""ARFF, the format of Weka: attributes with their types, then the data."""

from __future__ import annotations

import re
from typing import Final

from verifier.data.tables.numbers import is_infinite, is_missing, plain
from verifier.data.tables.table import Table
from verifier.errors import DataError, one_line

_NUMERIC: Final = frozenset({"numeric", "real", "integer"})
_QUOTED: Final = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_ATTRIBUTE: Final = re.compile(rf"@attribute\s+({_QUOTED}|[^\s'\"{{]\S*?)\s*(?:(\{{.*)|\s(\S.*))$", re.IGNORECASE)
_CELL: Final = re.compile(rf"\s*({_QUOTED}|[^,'\"][^,]*?|)\s*(,|$)")
_SPACED: Final = re.compile(rf"\s*({_QUOTED}|\S+)")


def read_arff_table(name: str, text: str) -> Table:
    """Read an ARFF file as a table with names of its columns.

    Parameters
    ----------
    name : str
        The file's name, for messages.
    text : str
        The whole file.

    Returns
    -------
    table.Table
        ``nominal`` holds the declared values of nominal attributes.

    Raises
    ------
    DataError
        Sparse data, attributes of a type that is not read, values that were not declared, rows of another length.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    names: list[str] = []
    types: list[tuple[str, ...] | str] = []
    table = Table(name, [], [], "ARFF", header=names)
    in_data = False
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare.startswith("%"):
            continue
        if in_data:
            table.rows.append(_row(name, number, bare, names, types))
            table.lines.append(number)
        elif bare.lower().startswith("@attribute"):
            attribute, kind = _attribute(name, number, bare)
            if attribute in names:
                raise DataError(f"{name}: line {number}: the attribute {one_line(attribute)} occurs twice; rename one")
            if isinstance(kind, tuple):
                table.nominal[len(names)] = kind
            names.append(attribute)
            types.append(kind)
        elif bare.lower() == "@data":
            in_data = True
        elif not bare.lower().startswith("@relation"):
            raise DataError(
                f"{name}: line {number}: {one_line(bare)} is no line of an ARFF header; @data begins the data"
            )
    if not in_data or not table.rows:
        raise DataError(f"{name}: no samples behind @data; is the file complete?")
    if len(names) < 2:
        raise DataError(f"{name}: {len(names)} attribute; at least one input and a label are needed")
    absent = [
        f"{value!r} of {names[k]}"
        for k, values in table.nominal.items()
        for value in values
        if k == len(names) - 1 and all(row[k] != value for row in table.rows)
    ]
    if absent:
        table.notes.append(f"declared, but in no row: {', '.join(absent[:5])}")
    return table


def _attribute(name: str, number: int, line: str) -> tuple[str, tuple[str, ...] | str]:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise DataError(f"{name}: line {number}: {one_line(line)} is not '@attribute NAME TYPE'; correct it")
    attribute = _unquoted(found[1])
    if found[2] is not None:
        inside = found[2].strip()
        if not inside.endswith("}"):
            raise DataError(
                f"{name}: line {number}: the values of {one_line(attribute)} do not end with }}; correct it"
            )
        values = _cells(inside[1:-1])
        if values is None:
            raise DataError(f"{name}: line {number}: the values of {one_line(attribute)} are not separated by commas")
        return attribute, tuple(value for value, _ in values)
    kind = found[3].strip().lower()
    if kind in _NUMERIC or re.fullmatch(r"(numeric|real|integer)\s*\[.*\]", kind):
        return attribute, "numeric"
    if kind == "string" or kind.startswith("date"):
        return attribute, "string"
    raise DataError(
        f"{name}: line {number}: the attribute {one_line(attribute)} has type {one_line(found[3].strip())}; numeric,"
        " nominal {a, b}, string and date are read"
    )


def _row(name: str, number: int, line: str, names: list[str], types: list[tuple[str, ...] | str]) -> list[str]:
    if line.startswith("{"):
        raise DataError(
            f"{name}: line {number}: sparse data ({one_line(line, limit=40)}) are not read; write the file dense, with"
            " Weka's filter SparseToNonSparse"
        )
    found = _cells(line)
    if found is not None and len(found) == 1 < len(names):
        found = [(_unquoted(m[1]), m[1] != _unquoted(m[1])) for m in _SPACED.finditer(line)]
    if found is None:
        raise DataError(
            f"{name}: line {number}: {one_line(line, limit=60)}: cells and quotation marks do not fit; correct it"
        )
    if found and len(found) == len(names) + 1 and found[-1][0].startswith("{"):
        raise DataError(f"{name}: line {number}: a weight {found[-1][0]} of a sample is not covered; repeat the sample")
    if len(found) != len(names):
        raise DataError(
            f"{name}: line {number} has {len(found)} cells for {len(names)} attributes: from column"
            f" {min(len(found), len(names)) + 1} on they do not correspond; make them equal"
        )
    cells = []
    for k, ((cell, quoted), kind) in enumerate(zip(found, types, strict=True)):
        where = f"{name}: line {number}, column {k + 1} {one_line(names[k], limit=60)}"
        if isinstance(kind, tuple) and cell not in kind and (quoted or cell != "?"):
            raise DataError(f"{where}: {one_line(cell)} is none of the declared values; correct it, or declare it")
        if kind == "numeric" and plain(cell, ".") is None and not is_missing(cell) and not is_infinite(cell):
            raise DataError(f"{where}: {one_line(cell)} is not a number, as its type says; correct it")
        cells.append(cell)
    return cells


def _cells(line: str) -> list[tuple[str, bool]] | None:
    """Split at commas outside quotation marks: the texts, and whether they were quoted. None if that fails."""
    cells: list[tuple[str, bool]] = []
    at = 0
    while True:
        found = _CELL.match(line, at)
        if found is None:
            return None
        cells.append((_unquoted(found[1]), found[1][:1] in ("'", '"')))
        at = found.end()
        if found[2] != ",":
            return cells if at == len(line) else None


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1]).strip()
    return text.strip()
