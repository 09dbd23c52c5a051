"""The bridge from theorems to lines of the checker, made from its table and the checker's comments.

Each theorem has a section with the anchor `theorem-r1-size` for R1_size.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from statement_list import _slug, _words, anchor

BRIDGE = "verifier.statements.bridge"


def _theorems() -> Any:
    return import_module(f"{BRIDGE}.table").theorems()


def _target(name: str) -> str:
    return f"theorem-{_slug(name)}"


def _links(theorems: Any) -> str:
    return ", ".join(f"[{_words(each.name)}](#{_target(each.name)})" for each in theorems)


def labels() -> str:
    """Return the labels of statements with the theorems on which each rests, in a table; those that have none last."""
    rows_of = import_module(f"{BRIDGE}.rows").theorems_of
    rows, without = ["| label | theorems |", "|---|---|"], []
    for label, statement in import_module("verifier.statements.catalogue").STATEMENTS.items():
        link = f"[{_words(label)}](#{anchor(label)})"
        found = rows_of(label, [claim.label() for claim in statement.claims])
        if found:
            rows.append(f"| {link} | {_links(found)} |")
        else:
            without.append(link)
    return "\n".join([*rows, f"| {', '.join(without)} | not stated in Coq |"])


def sections() -> str:
    """Return a section on each theorem: what it says, where it is concluded, and its hypotheses in a table."""
    return "\n".join(map(_section, _theorems()))


def unproved() -> str:
    """Return the keys of the sentences that no theorem proves, with the reasons, in a table."""
    reasons = import_module(f"{BRIDGE}.table").unproved()
    return "\n".join(
        [
            "| sentence | why |",
            "|---|---|",
            *(f"| {_words(key)} | {_words(reason)} |" for key, reason in reasons.items()),
        ]
    )


def _section(theorem: Any) -> str:
    marks, rows = import_module(f"{BRIDGE}.marks"), import_module(f"{BRIDGE}.rows")
    known, place = marks.places(), marks.concluded(theorem)
    lines = [f"({_target(theorem.name)})=", f"### {_words(theorem.name)}", "", f"{_words(theorem.says)}", ""]
    lines.append(f"* *Stated in:* `verifier/formal/{theorem.file}`")
    if place is None:
        lines.append(f"* *Not concluded by the checker:* {_words(theorem.unused)}")
    else:
        said = f", for the claims {', '.join(map(_words, theorem.claims))}" if theorem.claims else ""
        lines.append(f"* *Concluded by:* `{theorem.function[1]}` (`verifier/{place.file}`, line {place.line}){said}")
    lines += _sentences(theorem)
    if theorem.hypotheses or theorem.given:
        lines += ["", "| hypothesis | in words | established by |", "|---|---|---|"]
    for name, words in theorem.hypotheses.items():
        lines.append(f"| `{name}` | {_words(words)} | {_words(rows.at(known[theorem.name, name]))} |")
    lines += [f"| `{name}` | *given:* {_words(words)} | |" for name, words in theorem.given.items()]
    return "\n".join([*lines, ""])


def _sentences(theorem: Any) -> list[str]:
    known = import_module("verifier.checker.sentences").SENTENCES
    quoted = dict.fromkeys(known[key] for key in theorem.sentences)  # R1 and R3 have the same
    keys = {text: [key for key in theorem.sentences if known[key] == text] for text in quoted}
    return [f"* *Sentence of {', '.join(map(_words, keys[text]))}:* “{_words(text)}”" for text in quoted]
