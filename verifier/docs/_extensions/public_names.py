"""What `import verifier` offers, as sections of a page: each name with a link, its sentence and its example.

The examples are those of the docstrings, which the tests run.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from textwrap import indent

import house


def sections() -> str:
    """Return the public names by room, those first that import the most: each with its sentence and its example."""
    package = import_module("verifier")
    rooms: dict[str, list[str]] = {room: [] for room in ("api", *reversed(house.rooms()))}
    for name in package.__all__:
        if name in package._HOMES:
            home = package._HOMES[name]
            room = (home if home != "verifier" else f"verifier.{name}").split(".")[1]
            rooms[room].append(_entry(name, getattr(package, name), home))
    return "\n".join(
        f"## verifier.{room}\n\n{house.purpose(room).replace('``', '`')}\n\n" + "\n".join(entries)
        for room, entries in rooms.items()
        if entries
    )


def _entry(name: str, value: object, home: str) -> str:
    """Return a name as an entry of a definition list."""
    documented = import_module(home) if isinstance(value, dict) else value  # data has its module's docstring
    docstring = inspect.getdoc(documented) or ""
    words = " ".join(docstring.split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")
    _, _, example = docstring.partition("Examples\n--------\n")
    example = re.split(r"\n\w+\n-{3,}\n", example)[0].strip()
    whole = f"verifier.{name}" if inspect.ismodule(value) else f"{home}.{name}"
    shown = indent(f"```pycon\n{example}\n```", "  ")
    return f"{{py:obj}}`{name} <{whole}>`\n: {words}\n\n{shown}\n"
