"""The one-page list of statements, made from the catalogue when the pages are built.

Each statement has a section with an anchor: `label-t3-4-2` for T3.4(2), beside `statement-t3-4-2`, its proof. The
section is called by the label alone, so that the search finds it: in text Sphinx takes T3.4(2) for three words.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

UNCLAIMED = "not in certificates as a claim of its own"


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower().replace("+", "-plus")).strip("-")


def proof(label: str) -> str:
    """Return the target of a statement's section with its proof: `statement-t3-4-2`, `statement-s-plus`."""
    return f"statement-{_slug(label)}"


def anchor(label: str) -> str:
    """Return the target of a statement in the list: `label-t3-4-2`, `label-s-plus`."""
    return f"label-{_slug(label)}"


def _words(text: str) -> str:
    """Return plain text as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|^$~])", r"\\\1", text)


def _modules(paths: tuple[str, ...]) -> str:
    return ", ".join(f"{{py:mod}}`{path} <verifier.{path.removesuffix('.py').replace('/', '.')}>`" for path in paths)


def _section(statement: Any) -> str:
    how = import_module("verifier.statements.listing").HOW[statement.how]
    claims = ", ".join(f"`{claim.label()}`" for claim in statement.claims)
    checked = f"in certificates as {claims}, checked by {_modules(statement.checked_in)}" if claims else UNCLAIMED
    return f"""({anchor(statement.label)})=
### {_words(statement.label)}

**{_words(statement.title)}.** {_words(statement.sentence)}

* *Supposes:* {_words(statement.hypotheses)}
* *Proof:* {_words(statement.idea)}; {how} ([the whole proof](#{proof(statement.label)}))
* *Where:* {_modules(statement.proved_in)}; {checked}
* *Command:* `verifier {statement.command}`
"""


def overview() -> str:
    """Return label and name of all statements in a table, under the headings that the terminal uses."""
    rows = ["| label | statement |", "|---|---|"]
    for heading, statements in _grouped():
        rows.append(f"| | **{heading}** |")
        rows += [f"| [{_words(each.label)}](#{anchor(each.label)}) | {_words(each.name)} |" for each in statements]
    return "\n".join(rows)


def sections() -> str:
    """Return a section on each statement."""
    return "\n".join(
        f"## {heading}\n\n" + "\n".join(_section(each) for each in statements) for heading, statements in _grouped()
    )


def _grouped() -> list[tuple[str, list[Any]]]:
    table = import_module("verifier.statements.catalogue").STATEMENTS
    found: list[tuple[str, list[Any]]] = import_module("verifier.statements.groups").grouped(
        table.values(), lambda statement: statement.label
    )
    return found
