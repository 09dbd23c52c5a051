"""The one-page list of statements: labels and names under headings; and everything about one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verifier.display import COLUMNS, wrapped
from verifier.errors import InputError, nearest, one_line
from verifier.statements.bridge.rows import as_data, in_words, theorems_of
from verifier.statements.claims.claim import Claim
from verifier.statements.groups import grouped
from verifier.statements.statement import Statement

LABELS = 19
"""Columns of the labels in the list."""
NAMES = 16
"""Columns of what stands before each paragraph about one statement."""
OTHER_WAYS = {"R2": "rank", "R4": "rank"}
"""What has a label, is neither a statement nor a claim, and belongs to a statement."""
FIELDS = (
    *("label", "name", "sentence", "formula", "hypotheses", "source", "place", "idea", "how", "command"),
    *("claims", "proved_in", "checked_in", "theorems", "may_rest_on"),
)
"""What is told of each statement as plain data."""
SOURCES = {"paper": "the paper", "ours": "this project"}
HOW = {
    "symbolic": "once for all problems, in symbols",
    "rigorous": "for each problem, by enclosures or exact arithmetic",
    "structural": "for each problem, from the architecture and exact equalities",
    "sampled": "by evidence only",
}


def one_page(statements: Iterable[Statement]) -> list[str]:
    """List statements by label and name, under headings.

    Parameters
    ----------
    statements
        In the order of the list.

    Returns
    -------
    list of str
        Lines of at most 80 columns.
    """
    lines: list[str] = []
    for heading, own in grouped(statements, lambda each: each.label):
        lines += ["", heading]
        for each in own:
            lines += wrapped(each.title, COLUMNS, f"  {each.label:<{LABELS}}", " " * (LABELS + 2))
    return lines[1:]


def in_full(statement: Statement) -> list[str]:
    """Say everything about one statement.

    Parameters
    ----------
    statement
        Any.

    Returns
    -------
    list of str
        Its label and title, then what it says, assumes, and rests on, how and where it is proved and checked, and where
        the theorems that it needs are stated in Coq.
    """
    claims = ", ".join(_claims(statement))
    if claims:
        checked = f"{_files(statement.checked_in)}, as the {'claims' if ', ' in claims else 'claim'} {claims}"
    elif statement.checked_in:
        checked = f"{_files(statement.checked_in)}, in the claims {', '.join(statement.may_rest_on)}"
    else:
        checked = "not in certificates as a claim of its own"
        checked += "; what it rests on may be" if statement.may_rest_on else ""
    in_coq, *more = in_words(theorems_of(statement.label, _claims(statement)))
    rows = (
        ("says", statement.sentence),
        ("as a formula", statement.formula),
        ("assumes", statement.hypotheses),
        ("comes from", f"{SOURCES[statement.source]}{f', {statement.place}' if statement.place else ''}"),
        ("is decided", f"{HOW[statement.how]}, by `verifier {statement.command}`"),
        ("how", statement.idea),
        ("proved in", _files(statement.proved_in)),
        ("checked in", checked),
        ("in Coq", in_coq),
        *(("", words) for words in more),
        ("may rest on", ", ".join(statement.may_rest_on) or "nothing else"),
    )
    lines = wrapped(f"{statement.label}: {statement.title}")
    for name, words in rows:
        lines += wrapped(words, COLUMNS, f"  {name:<{NAMES - 2}}", " " * NAMES)
    return lines


def as_json(statement: Statement) -> dict[str, Any]:
    """Make plain JSON values of a statement, under the names in `FIELDS`.

    Parameters
    ----------
    statement
        Any.
    """
    made = {"claims": _claims(statement), "theorems": as_data(theorems_of(statement.label, _claims(statement)))}
    found = {name: made[name] if name in made else getattr(statement, name) for name in FIELDS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def find(statements: Mapping[str, Statement], asked: str) -> list[Statement]:
    """Find statements by a label, by the label of a claim or of a rung of the rank's ladder, or by a label's beginning.

    Parameters
    ----------
    statements
        By label.
    asked
        ``"T3.4(2)"``, ``"R1"`` (a claim of ``rank``), ``"R2"`` (a rung), ``"A3.1"`` (all of its parts); in any case.

    Returns
    -------
    list of Statement
        At least one.

    Raises
    ------
    InputError
        There is none.
    """
    word = " ".join(asked.split()).lower()
    found = [each for label, each in statements.items() if label.lower() == word]
    found = found or [each for each in statements.values() if word in (_label(claim) for claim in each.claims)]
    found = found or [statements[home] for label, home in OTHER_WAYS.items() if label.lower() == word]
    found = found or [each for label, each in statements.items() if label.lower().startswith((f"{word}(", f"{word} "))]
    if not found:
        claims = [claim.label() for each in statements.values() for claim in each.claims]
        known = list(dict.fromkeys([*statements, *claims, *OTHER_WAYS]))
        raise InputError(f"{one_line(asked)} is no label of a statement; {nearest(asked, known)}")
    return found


def _claims(statement: Statement) -> list[str]:
    return [claim.label() for claim in statement.claims]


def _label(claim: type[Claim]) -> str:
    return claim.label().lower()


def _files(names: Sequence[str]) -> str:
    return ", ".join(f"verifier/{name}" for name in names)
