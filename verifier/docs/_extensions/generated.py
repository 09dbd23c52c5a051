"""Parts of pages that are made from the code: a comment, alone on a line of the page's source, says which.

* `<!-- modules: verifier.rank -->`: every module of a room, with what its docstrings say;
* `<!-- other modules -->`: the modules that no page names in this way;
* `<!-- public names -->`: the names of `import verifier`, each with its example (`public_names`);
* `<!-- list of statements -->` and `<!-- statements -->`: labels and names, then a section on each (`statement_list`);
* `<!-- bridge: labels -->`, `<!-- bridge: theorems -->` and `<!-- bridge: unproved -->`: the theorems of Coq, their
  hypotheses and the lines that establish them (`bridge_table`);
* `<!-- command line -->`: what every command answers to `--help`;
* `<!-- rooms -->` and `<!-- imports -->`: the rooms of the house, and the picture of who imports whom (see `house`).
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import bridge_table
import house
import public_names
import statement_list
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

PACKAGE = Path(__file__).resolve().parents[2]
ROOMS = re.compile(r"^<!-- modules: ([\w.]+) -->$", re.MULTILINE)
ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[~?tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?(\w+)\]\]"
)
SKIPPED = ("__main__", "docs")
ASKED = """
import sys
from verifier.cli import _guarded
for command in sys.argv[1:]:
    _guarded([*command.split(), "--help"])
    print(end="\\0")
"""


def modules_of(room: str) -> list[str]:
    """Return the dotted names of a room's modules, the room itself first."""
    start = PACKAGE.joinpath(*room.split(".")[1:])
    if not start.is_dir():
        return [room]
    names = []
    for path in sorted(start.rglob("*.py"), key=lambda p: p.with_suffix("").as_posix().replace("__init__", "")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] not in SKIPPED and parts[0] not in SKIPPED and (path.parent / "__init__.py").exists():
            names.append(".".join(("verifier", *parts)).removesuffix(".__init__"))
    return names


def _automodule(names: list[str]) -> str:
    return "\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```\n"
        for name in names
    )


def _command_line() -> str:
    (words,) = _help("")
    commands = re.findall(r"^ {2}([a-z]+) {2,}\S", words.partition("Commands:")[2], re.MULTILINE)
    parts = [f"```text\n{words}\n```\n"]
    answers = zip(commands, _help(*commands), strict=True)
    parts += [f"## verifier {name}\n\n```text\n{said}\n```\n" for name, said in answers]
    return "\n".join(parts)


def _help(*commands: str) -> list[str]:
    """Return what each command answers to ``--help``, the program itself to no command; one process asks them all."""
    environment = os.environ | {"COLUMNS": "88", "TERMINAL_WIDTH": "88", "NO_COLOR": "1", "TERM": "dumb"}
    environment["PYTHONPATH"] = str(PACKAGE.parent)
    line = [sys.executable, "-c", ASKED, *commands]
    said = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout
    return [words.strip() for words in said.split("\0")[:-1]]


def _other_modules() -> str:
    named = {room for page in (PACKAGE / "docs").rglob("*.md") for room in ROOMS.findall(page.read_text("utf-8"))}
    known = {name for room in named for name in modules_of(room)}
    return _automodule([name for name in modules_of("verifier") if name not in known | {"verifier"}])


MARKS: dict[str, Callable[[], str]] = {
    "<!-- other modules -->": _other_modules,
    "<!-- public names -->": public_names.sections,
    "<!-- list of statements -->": statement_list.overview,
    "<!-- statements -->": statement_list.sections,
    "<!-- bridge: labels -->": bridge_table.labels,
    "<!-- bridge: theorems -->": bridge_table.sections,
    "<!-- bridge: unproved -->": bridge_table.unproved,
    "<!-- command line -->": _command_line,
    "<!-- rooms -->": house.table,
    "<!-- imports -->": lambda: f"```{{raw}} html\n{house.picture()}\n```",
}


def fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the marks of a page's source."""
    source[0] = ROOMS.sub(lambda mark: _automodule(modules_of(mark[1])), source[0])
    for mark, make in MARKS.items():
        if mark in source[0].splitlines():
            source[0] = source[0].replace(f"\n{mark}\n", f"\n{make()}\n")


def mend(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Let a docstring mean what it says: |x| is an absolute value, no substitution; `Guarantee:` is easy to find."""
    parts = re.split(r"(``.*?``|^[ \t]*\.\. math::.*?(?=\n\S|\Z))", "\n".join(lines), flags=re.DOTALL | re.MULTILINE)
    for i in range(0, len(parts), 2):  # between literals and formulas
        parts[i] = re.sub(r"(?<=, )\*(?=[A-Z]\b)", r"\*", parts[i].replace("|", "\\|"))  # the shape (rows, *S)
        parts[i] = re.sub(r"\bGuarantee( \([^)]*\))?:", r"**Guarantee**\1:", parts[i])
    lines[:] = "".join(parts).split("\n")
    if what in ("data", "attribute", "property"):
        lines.insert(0, "\\ ")  # else napoleon takes what is before a colon for a type


def shorten(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Write arrays as the code does."""
    texts = [text and ARRAY.sub(r"NDArray[\1]", text) for text in (signature, returned)]
    return texts[0], texts[1]


@cache
def origins(module: str) -> dict[str, str]:
    """Return the names that a module imports from others of the package, each with its dotted origin."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = {}
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("verifier"):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def settle(app: Sphinx, doctree: nodes.document) -> None:
    """Let a short name in a signature mean what it means in its module: `Interval`, `Known`, `Problem` exist twice."""
    for link in doctree.findall(addnodes.pending_xref):
        module, target = link.get("py:module") or "", link.get("reftarget", "")
        if link.get("refdomain") == "py" and module.startswith("verifier") and "." not in target:
            link["reftarget"] = origins(module).get(target, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what fills in pages, and what mends docstrings, with the events of Sphinx."""
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", mend, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", shorten)
    app.connect("doctree-read", settle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
