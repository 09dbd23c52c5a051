"""The house as it is: its rooms, what each is for, and who imports whom, read from the source when pages are built.

The order of the rooms is that of the import contract in `pyproject.toml`; a room's purpose is its docstring's first
sentence. Imports under `if TYPE_CHECKING:` do not count, those inside of functions do, as for the contract.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
ALONE = "checker"
"""The room that imports none of the others; only the next one imports it."""
BESIDE = "coq"
"""The room that imports the checker, and nothing else."""
NOT_ROOMS = ("docs", "__init__", "__main__", "__pycache__")
CELL, LEFT, TOP = 22, 96, 84
"""Sizes of the picture: a cell, the column of names, the row of names (slanted)."""


def rooms() -> list[str]:
    """Return the rooms in the order of the contract, those that import nothing first; the two that stand alone last."""
    contracts = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = next(each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    return [name.removeprefix("verifier.") for name in reversed(layers)] + [ALONE, BESIDE]


def files(room: str) -> list[Path]:
    """Return the modules of a room: a folder's, or one file."""
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    words = ast.get_docstring(ast.parse(files(room)[0].read_text("utf-8"))) or ""
    return " ".join(words.split("\n\n")[0].split())


def lines(room: str) -> int:
    """Return how many lines of Python a room has."""
    return sum(len(path.read_text("utf-8").splitlines()) for path in files(room))


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the rooms that a piece of source imports, once for each statement."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (room for part in child.orelse for room in imported(part))
            case ast.ImportFrom(module="verifier", level=0):
                yield from (alias.name for alias in child.names)
            case ast.ImportFrom(module=str(module), level=0) if module.startswith("verifier."):
                yield module.split(".")[1]
            case ast.Import():
                yield from (alias.name.split(".")[1] for alias in child.names if alias.name.startswith("verifier."))
            case _:
                yield from imported(child)


@cache
def imports() -> dict[str, Counter[str]]:
    """Return for each room how many of its import statements name each other room."""
    known = rooms()
    found = {}
    for room in known:
        named = Counter(name for path in files(room) for name in imported(ast.parse(path.read_text("utf-8"))))
        found[room] = Counter({name: count for name, count in named.items() if name in known and name != room})
    return found


def table() -> str:
    """Return the rooms with their purposes and sizes, as a table of a page; the newest, which import the most, last."""
    rows = ["| room | what it is for | modules | lines |", "|---|---|--:|--:|"]
    for room in rooms():
        name = f"`{room}/`" if (PACKAGE / room).is_dir() else f"`{room}.py`"
        words = purpose(room).replace("|", "\\|").replace("``", "`")
        rows.append(f"| {name} | {words} | {len(files(room))} | {lines(room):,} |")
    return "\n".join(rows)


def picture() -> str:
    """Return the imports as a picture in SVG: a row imports the columns in which it has a dot."""
    names, found = rooms(), imports()
    side = CELL * len(names)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + side + TOP} {TOP + side + 4}" role="img" '
        'font-family="sans-serif" font-size="12" fill="currentColor" style="max-width: 100%; height: auto">',
        "<title>Who imports whom: a dot where the row's room imports the column's, larger for more imports</title>",
    ]
    for number, name in enumerate(names):
        middle = CELL * number + CELL / 2
        parts += [
            f'<text x="{LEFT - 8}" y="{TOP + middle + 4:g}" text-anchor="end">{escape(name)}</text>',
            f'<text transform="translate({LEFT + middle + 3:g} {TOP - 8}) rotate(-50)">{escape(name)}</text>',
            f'<rect x="{LEFT + CELL * number}" y="{TOP + CELL * number}" width="{CELL}" height="{CELL}" '
            'opacity="0.15"/>',
            f'<path d="M{LEFT} {TOP + CELL * number}h{side}M{LEFT + CELL * number} {TOP}v{side}" stroke="currentColor" '
            'opacity="0.12"/>',
        ]
    for row, name in enumerate(names):
        for column, other in enumerate(names):
            if count := found[name][other]:
                size = min(CELL / 2 - 2, 2 + count**0.5)  # the area grows with the number of imports
                parts.append(
                    f'<circle cx="{LEFT + CELL * column + CELL / 2:g}" cy="{TOP + CELL * row + CELL / 2:g}" '
                    f'r="{size:.1f}"><title>{escape(name)} imports {escape(other)}: {count}</title></circle>'
                )
    return "\n".join([*parts, "</svg>"])
