"""What is told of the theorems that a statement rests on: in words, with files and lines, and as plain data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from verifier.statements.bridge.marks import CHECKER, Place, concluded, places
from verifier.statements.bridge.table import Theorem, theorems

NONE = "not stated in Coq"
"""What is said of a statement that no theorem is about."""


def theorems_of(label: str, claims: Collection[str]) -> list[Theorem]:
    """Return the theorems on which a statement rests, or the claims that state it.

    Parameters
    ----------
    label
        Of the statement.
    claims
        The labels of its claims.
    """
    return [each for each in theorems() if label in each.statements or not set(claims).isdisjoint(each.claims)]


def in_words(found: Iterable[Theorem]) -> list[str]:
    """Say where theorems are stated and concluded, and which lines establish their hypotheses.

    Parameters
    ----------
    found
        Those of one statement.

    Returns
    -------
    list of str
        A paragraph for each theorem, and one for each of its hypotheses.
    """
    lines, known = list[str](), places()
    for each in found:
        lines.append(f"{each.name} in verifier/formal/{each.file}{_drawn(each)}: {each.says}")
        lines += [f"- {name}: {words[:-1]} ({at(known[each.name, name])})." for name, words in each.hypotheses.items()]
        lines += [f"- {name}, given: {words}" for name, words in each.given.items()]
    return lines or [NONE]


def _drawn(theorem: Theorem) -> str:
    place = concluded(theorem)
    if theorem.function is None or place is None:
        return ""
    return f", concluded in {theorem.function[1]} (verifier/{place.file}, line {place.line})"


def at(found: Iterable[Place]) -> str:
    """Say which lines these are: ``claims.py, lines 70 and 73; rank/gram.py, line 9``, the checker's by name alone."""
    parts = []
    for file, own in groupby(found, key=lambda place: place.file):
        numbers = [str(place.line) for place in own]
        *others, last = numbers
        lines = f"lines {', '.join(others)} and {last}" if others else f"line {last}"
        parts.append(f"{file.removeprefix(f'{CHECKER}/')}, {lines}")
    return "; ".join(parts)


def as_data(found: Iterable[Theorem]) -> list[dict[str, Any]]:
    """Make plain JSON values of theorems.

    Parameters
    ----------
    found
        Those of one statement.

    Returns
    -------
    list of dict
        Name, file, sentence, where it is concluded, and the hypotheses with the lines that establish them, or the
        reasons why they are given.
    """
    return [_data(each) for each in found]


def _data(theorem: Theorem) -> dict[str, Any]:
    known, place = places(), concluded(theorem)
    established = [
        {"name": name, "says": words, "places": [_place(each) for each in known[theorem.name, name]]}
        for name, words in theorem.hypotheses.items()
    ]
    given = [{"name": name, "given": words} for name, words in theorem.given.items()]
    function = theorem.function[1] if theorem.function else None
    drawn = None if place is None else {"function": function, **_place(place)}
    values = {"name": theorem.name, "file": f"verifier/formal/{theorem.file}", "says": theorem.says}
    return values | {"concluded": drawn, "hypotheses": established + given}


def _place(place: Place) -> dict[str, Any]:
    return {"file": f"verifier/{place.file}", "line": place.line}
