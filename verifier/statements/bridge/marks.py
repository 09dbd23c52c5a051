"""Where the checker establishes the hypotheses of theorems: its comments, found in its sources when they are asked for.

A comment ``Coq: R1 enclosed, Z1 margins`` at the end of a line, or alone on the line above it, says that the line
establishes the hypothesis ``enclosed`` of the theorem R1, and ``margins`` of all theorems of ``Z1.v`` that have one of
this name: where no theorem is called like the first word, it is a file of ``verifier/formal``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from verifier.statements.bridge.table import Theorem, theorems

CHECKER = "checker"
"""The folder of the checker, in ``verifier``."""
_MARK = re.compile(r"#\s*Coq:(.*)$")
_PART = re.compile(r"([\w']+) ([\w']+)")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file of ``verifier``, counted from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What one comment says: a theorem, or a file of theorems, and a hypothesis; empty if it cannot be read."""

    theorem: str
    hypothesis: str
    place: Place


Places = dict[tuple[str, str], list[Place]]
"""Lines by theorem and hypothesis."""


def source(file: str) -> str:
    """Return the text of a file of ``verifier``, such as ``"checker/claims.py"``."""
    return (resources.files("verifier") / file).read_text("utf-8")


def marked(file: str, text: str) -> Iterator[Mark]:
    """Yield the marks of one file.

    Parameters
    ----------
    file
        Its path in ``verifier``.
    text
        Its text.

    Yields
    ------
    Mark
        At the line that it is about: that of the comment, or the next line of code if it stands alone.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        found = _MARK.search(line)
        if found is None:
            continue
        place = Place(file, number if line[: found.start()].strip() else _next_code(lines, number))
        for part in found[1].split(","):
            named = _PART.fullmatch(part.strip())
            yield Mark(named[1], named[2], place) if named else Mark("", "", place)


def _next_code(lines: Sequence[str], number: int) -> int:
    """The number of the first line after this one that is no comment."""
    return next(i for i, line in enumerate(lines[number:], number + 1) if not line.lstrip().startswith("#"))


def of_package(known: Iterable[Theorem]) -> list[Mark]:
    """Return the marks of the checker, and of the rooms of the prover in which theorems are concluded.

    Parameters
    ----------
    known
        The theorems.
    """
    rooms = sorted({CHECKER} | {each.function[0].split("/")[0] for each in known if each.function})
    return [mark for room in rooms for file in _sources(room) for mark in marked(file, source(file))]


def _sources(folder: str) -> Iterator[str]:
    """Yield the Python files in a folder of ``verifier``, and in the folders in it."""
    for each in sorted((resources.files("verifier") / folder).iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _sources(f"{folder}/{each.name}")
        elif each.name.endswith(".py"):
            yield f"{folder}/{each.name}"


def by_hypothesis(known: Collection[Theorem], marks: Iterable[Mark]) -> tuple[Places, list[Mark]]:
    """Tell which lines establish which hypotheses.

    Parameters
    ----------
    known
        The theorems.
    marks
        What the comments say.

    Returns
    -------
    (dict, list of Mark)
        The lines, and the marks that name nothing.
    """
    named = {each.name: [each] for each in known}
    of_file: dict[str, list[Theorem]] = {}
    for each in known:
        of_file.setdefault(each.file.removesuffix(".v"), []).append(each)
    places: Places = {}
    lost: list[Mark] = []
    for mark in marks:
        meant = named.get(mark.theorem) or of_file.get(mark.theorem, [])
        found = [(each.name, mark.hypothesis) for each in meant if mark.hypothesis in each.hypotheses]
        for key in found:
            places.setdefault(key, []).append(mark.place)
        if not found:
            lost.append(mark)
    return places, lost


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def definition(text: str, name: str) -> int | None:
    """Return the line of a function in a source text, such as ``"RankClaim.conclude"``; None if there is none."""
    body: Sequence[ast.stmt] = _parsed(text).body
    line = None
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.ClassDef
        found = next((node for node in body if isinstance(node, kinds) and node.name == part), None)
        if found is None:
            return None
        body, line = found.body, found.lineno
    return line


@cache
def places() -> Mapping[tuple[str, str], list[Place]]:
    """Return the lines that establish each hypothesis, by theorem and hypothesis, in the sources that are installed."""
    return by_hypothesis(theorems(), of_package(theorems()))[0]


def concluded(theorem: Theorem) -> Place | None:
    """Return where a theorem's conclusion is drawn: the line of the function; None if nothing draws it."""
    if theorem.function is None:
        return None
    file, name = theorem.function
    line = definition(source(file), name)
    return None if line is None else Place(file, line)
