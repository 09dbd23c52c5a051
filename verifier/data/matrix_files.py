"""Matrices in files: NumPy's .npy, Matrix Market (.mtx) and delimited text; every number exactly as it is written.

A decimal is a rational number: 0.1 is one tenth, not the binary64 number next to it, and an integer may have any number
of digits. SciPy's reader of Matrix Market makes binary64 and int64 of them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from verifier.data.files import open_regular, read_regular
from verifier.data.files.numpy_files import old_headers, read_header
from verifier.data.files.packed import UNSOUND, decompressed
from verifier.data.files.text import decoded
from verifier.data.gate import exact
from verifier.data.gate.scalars import MAX_DECADES
from verifier.errors import DataError, one_line

MAX_BYTES: Final = 2**30
"""Largest file."""
MAX_ENTRIES: Final = 2**22
"""Most entries of a matrix: about 2,000 rows and columns; each is a number of any length."""

_NUMBER: Final = re.compile(r"[-+]?([0-9]*)\.?([0-9]*)(?:[eEdD]([-+]?[0-9]{1,6}))?")
_FRACTION: Final = re.compile(r"[-+]?[0-9]+/[0-9]+")
_NAME: Final = re.compile(r"[^\W\d_]|_+[^\W\d]")
_MISSING: Final = frozenset({"nan", "inf", "infinity", "na", "n/a", "null", "none", "nil", "missing", "true", "false"})
"""Words that stand for numbers, or for missing ones: a first line of them is no header."""
_DELIMITERS: Final = (";", "\t", ",")
_ENDINGS: Final = (".npy", ".mtx", ".mtx.gz", ".csv", ".tsv", ".txt", ".dat")


@dataclass(frozen=True, slots=True)
class ReadMatrix:
    """A matrix as it was read: its shape, its entries row by row, and what was understood, in words."""

    shape: tuple[int, int]
    entries: list[Any]
    words: str


def read_matrix(path: str | Path) -> ReadMatrix:
    """Read a matrix from a file.

    Parameters
    ----------
    path : str or Path
        ``.npy`` (never unpickled), ``.mtx`` or ``.mtx.gz`` (coordinate or array; real, integer or pattern; general,
        symmetric or skew-symmetric), ``.csv``, ``.tsv``, ``.txt``, ``.dat`` (numbers separated by commas, semicolons,
        tabs or blanks).

    Returns
    -------
    ReadMatrix
        Entries are int, float or Fraction. Guarantee: exactly the numbers that the file has.

    Raises
    ------
    DataError
        Unreadable, too large, complex, missing or unusable entries: one line with the place.
    """
    file = Path(path)
    name = file.name.lower()
    try:
        if name.endswith(".npy"):
            return _npy(file)
        if name.endswith((".mtx", ".mtx.gz")):
            return _market(file.name, _lines(file))
        if name.endswith(_ENDINGS):
            return _text(file.name, _lines(file))
    except IsADirectoryError:
        raise DataError(f"{file} is a folder; name a file ({', '.join(_ENDINGS)})") from None
    except csv.Error as error:
        raise DataError(f"{file.name}: {error}; write plain numbers with one delimiter") from None
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from None
    raise DataError(f"{file}: the name must end in {', '.join(_ENDINGS)}; convert the file to one of them")


def parsed(text: str) -> int | Fraction | None:
    """The exact value of an integer, a decimal or a fraction; None if the text is none of these.

    Guarantee: the number that the text writes, without any rounding.

    Parameters
    ----------
    text : str
        Without blanks around it; "d" may stand for the "e" of an exponent, as Fortran writes it.

    Returns
    -------
    int, Fraction or None
        None also where it has more than `MAX_DECADES` digits, or such an exponent.
    """
    # the way to int is by Decimal, which reads any number of digits: int itself takes 4300 of a text at most
    if _FRACTION.fullmatch(text) and len(text) < MAX_DECADES:
        numerator, denominator = (int(Decimal(part)) for part in text.split("/"))
        return Fraction(numerator, denominator) if denominator else None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, rest, power = found.groups()
    if not whole + rest or len(whole) + len(rest) > MAX_DECADES or abs(int(power or 0)) > MAX_DECADES:
        return None
    value = Fraction(*Decimal(text.lower().replace("d", "e")).as_integer_ratio())
    return int(value) if value.denominator == 1 else value


def _entry(text: str, where: str) -> int | Fraction:
    value = parsed(text)
    if value is None:
        raise DataError(
            f"{where}: {one_line(text)} is not a finite real number with an exponent of at most {MAX_DECADES}; fill it "
            "in or correct it"
        )
    return value


def _npy(file: Path) -> ReadMatrix:
    try:
        with open_regular(file, MAX_BYTES) as stream, old_headers():
            shape, dtype = read_header(stream)
            if dtype.hasobject:
                raise DataError(f"{file.name}: it holds Python objects, which only pickle could read; save numbers")
            _check_size(file.name, shape)
            stream.seek(0)
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except OSError:
        raise
    except UNSOUND as error:
        raise DataError(f"{file.name} is not a sound .npy file of one array: {one_line(str(error))}") from None
    entries = exact(array, file.name)
    return ReadMatrix((shape[0], shape[1]), entries.ravel().tolist(), f"{dtype.name} numbers, each exactly")


def _check_size(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise DataError(f"{name}: shape {shape}; give a matrix (N, M) with at least one row and one column")
    if shape[0] * shape[1] > MAX_ENTRIES:
        raise DataError(
            f"{name}: {shape[0]} x {shape[1]} entries are more than {MAX_ENTRIES}; for larger matrices of binary64 "
            "numbers use verifier.certify_gram(verifier.MatrixEnclosure(verifier.numpy_backend(), A))"
        )


def _lines(file: Path) -> list[str]:
    if file.name.lower().endswith(".gz"):
        with open_regular(file, MAX_BYTES) as stream:
            content = decompressed(file.name, stream, "gzip", MAX_BYTES)
    else:
        content = read_regular(file, MAX_BYTES)
    return decoded(file.name, content)[0].splitlines()


def _text(name: str, lines: list[str]) -> ReadMatrix:
    """Delimited text, with or without a header line."""
    body = [(k, line) for k, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith(("#", "%"))]
    if not body:
        raise DataError(f"{name}: no lines with numbers; write a line of numbers for each row")
    delimiter = next((d for d in _DELIMITERS if d in body[0][1]), None)
    rows = [(k, _cells(line, delimiter)) for k, line in body]
    said = [{";": "semicolons", "\t": "tabs", ",": "commas", None: "blanks"}[delimiter]]
    first = rows[0][1]
    if all(map(_is_name, first[1:] if first[0] == "" and len(first) > 1 else first)) and len(rows) > 1:
        if first[0] == "":
            raise DataError(
                f"{name}: line {rows[0][0]} is a header without a name for the first column, which seems to number the "
                "rows; write the file without it (pandas: to_csv(..., index=False))"
            )
        said.append(f"line {rows[0][0]} is a header")
        rows = rows[1:]
    decimal_comma = delimiter != "," and any("," in cell for _, cells in rows for cell in cells)
    if decimal_comma:
        if any("." in cell for _, cells in rows for cell in cells):
            raise DataError(f"{name}: commas and points in the numbers; write decimals with a point and no thousands")
        rows = [(k, [cell.replace(",", ".") for cell in cells]) for k, cells in rows]
        said.append("decimal commas")
    width = len(rows[0][1])
    _check_size(name, (len(rows), width))
    entries: list[Any] = []
    for line, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"{name}: line {line} has {len(cells)} numbers, line {rows[0][0]} has {width}; make them equal"
            )
        entries += [_entry(cell, f"{name}: line {line}, column {k}") for k, cell in enumerate(cells, 1)]
    return ReadMatrix((len(rows), width), entries, f"decimals exactly as written, separated by {', '.join(said)}")


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    return cells[:-1] if len(cells) > 1 and cells[-1] == "" else cells


def _is_name(cell: str) -> bool:
    """Whether a cell can be the name of a column, and not a number that is missing or written in an unknown way."""
    return _NAME.match(cell) is not None and cell.lower() not in _MISSING


def _market(name: str, lines: list[str]) -> ReadMatrix:
    """Read the Matrix Market format, whose description is at `math.nist.gov/MatrixMarket/formats.html`."""
    head = lines[0].lower().split() if lines else []
    if len(head) != 5 or head[:2] != ["%%matrixmarket", "matrix"]:
        raise DataError(f"{name}: the first line must be like '%%MatrixMarket matrix coordinate real general'")
    layout, field, symmetry = head[2:]
    if field == "complex" or symmetry == "hermitian":
        raise DataError(f"{name}: complex numbers; give a real matrix, such as [[Re, -Im], [Im, Re]]")
    if (
        layout not in ("coordinate", "array")
        or field not in ("real", "double", "integer", "pattern")
        or symmetry not in ("general", "symmetric", "skew-symmetric")
        or (layout, field) == ("array", "pattern")
    ):
        raise DataError(f"{name}: '{one_line(' '.join(head[2:]))}' is no layout, field and symmetry that is known here")
    body = [(k, line.split()) for k, line in enumerate(lines[1:], 2) if line.strip() and not line.startswith("%")]
    sizes = _sizes(name, body, 3 if layout == "coordinate" else 2)
    rows, columns = sizes[:2]
    _check_size(name, (rows, columns))
    if symmetry != "general" and rows != columns:
        raise DataError(f"{name}: a {symmetry} matrix of {rows} x {columns}; it must be square")
    table: list[Any] = [0] * (rows * columns)
    seen = set[int]()
    stored = (
        _coordinates(name, body[1:], sizes, field)
        if layout == "coordinate"
        else _columns(name, body[1:], sizes, symmetry)
    )
    for line, i, j, value in stored:
        if not (1 <= i <= rows and 1 <= j <= columns):
            raise DataError(f"{name}: line {line}: ({i}, {j}) is outside 1..{rows}, 1..{columns}")
        if symmetry != "general" and (i < j or (i == j and symmetry == "skew-symmetric" and value)):
            raise DataError(f"{name}: line {line}: ({i}, {j}) is not below the diagonal of a {symmetry} matrix")
        place = (i - 1) * columns + j - 1
        if place in seen:
            raise DataError(f"{name}: line {line}: ({i}, {j}) is there twice; keep one of them")
        seen.add(place)
        table[place] = value
        if symmetry != "general" and i != j:
            table[(j - 1) * columns + i - 1] = value if symmetry == "symmetric" else -value
    count = len(seen)
    said = f"{count} entries stored, the others are 0" if layout == "coordinate" else "all entries stored"
    return ReadMatrix((rows, columns), table, f"{field} {symmetry} {layout}, decimals exactly as written; {said}")


def _sizes(name: str, body: list[tuple[int, list[str]]], count: int) -> list[int]:
    if not body or len(body[0][1]) != count or not all(text.isdecimal() and len(text) < 16 for text in body[0][1]):
        raise DataError(f"{name}: after the comments there must be a line of {count} sizes")
    return [int(text) for text in body[0][1]]


def _coordinates(
    name: str, body: list[tuple[int, list[str]]], sizes: list[int], field: str
) -> Iterator[tuple[int, int, int, Any]]:
    if len(body) != sizes[2]:
        raise DataError(f"{name}: {len(body)} entries, {sizes[2]} are declared; the file is cut off or wrong")
    width = 2 if field == "pattern" else 3
    for line, cells in body:
        if len(cells) != width or not all(text.isdecimal() and len(text) < 16 for text in cells[:2]):
            raise DataError(f"{name}: line {line}: expected a row, a column{' and a number' if width == 3 else ''}")
        value = 1 if width == 2 else _entry(cells[2], f"{name}: line {line}")
        yield line, int(cells[0]), int(cells[1]), value


def _columns(
    name: str, body: list[tuple[int, list[str]]], sizes: list[int], symmetry: str
) -> Iterator[tuple[int, int, int, Any]]:
    rows, columns = sizes
    below = {"general": 0, "symmetric": 0, "skew-symmetric": 1}[symmetry]
    places = [(i, j) for j in range(1, columns + 1) for i in range(1 if symmetry == "general" else j + below, rows + 1)]
    cells = [(line, cell) for line, parts in body for cell in parts]
    if len(cells) != len(places):
        raise DataError(f"{name}: {len(cells)} entries, {len(places)} are expected; the file is cut off or wrong")
    for (line, cell), (i, j) in zip(cells, places, strict=True):
        yield line, i, j, _entry(cell, f"{name}: line {line}")
