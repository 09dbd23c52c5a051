"""Whether the table of theorems is complete: against what Coq says, against the checker, and against FORMAT.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from verifier.statements.bridge.marks import Mark, by_hypothesis, definition, source
from verifier.statements.bridge.table import Theorem

_STATED = re.compile(r"^([\w']+) :(.*?)\n\nArguments \1 (.*?)\nExpands to: \w+ Landscape\.([\w']+)\.", re.DOTALL | re.M)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Stated:
    """What Coq says of a theorem: the file that states it, and the names of its hypotheses."""

    file: str
    hypotheses: tuple[str, ...]


def stated(text: str) -> dict[str, Stated]:
    """Read what ``verifier/formal/statements`` prints of the theorems.

    Parameters
    ----------
    text
        For each theorem its type, the names of its arguments, and where it stands.

    Returns
    -------
    dict
        By theorem. A hypothesis is an argument that has a name and that the type does not bind by a ``forall``; what
        has no name there is part of the conclusion, such as ``0 < t -> ...``.
    """
    found = {}
    for name, kind, arguments, file in _STATED.findall(text):
        names = re.findall(r"[\w']+", re.sub(r"%\w+", "", arguments))
        pairs = zip(names, premises(" ".join(kind.split())), strict=False)
        hypotheses = tuple(each for each, premise in pairs if premise and each != "_")
        found[name] = Stated(f"{file}.v", hypotheses)
    return found


def premises(kind: str) -> list[bool]:
    """Tell of each argument of a type whether it is a premise ``P -> ...``, and not bound by a ``forall``.

    Parameters
    ----------
    kind
        The type, on one line.
    """
    found: list[bool] = []
    while not kind.startswith("exists"):
        if kind.startswith("forall "):
            binders, _, kind = _cut(kind.removeprefix("forall "), ",")
            found += [False] * _bound(binders)
        else:
            _, arrow, rest = _cut(kind, "->")
            if not arrow:
                break
            found.append(True)
            kind = rest
        kind = kind.strip()
    return found


def _bound(binders: str) -> int:
    """Count the names that binders bind: ``[N M : nat] (x : R)``, or ``x y : R``."""
    if binders[0] not in _OPENING:
        return len(_cut(binders, ":")[0].split())
    count = 0
    while binders:
        group, _, binders = _cut(binders[1:], _CLOSING[_OPENING.index(binders[0])])
        count += len(_cut(group, ":")[0].split())
        binders = binders.strip()
    return count


def _cut(text: str, mark: str) -> tuple[str, str, str]:
    """Cut a text in two at the first mark that is in no brackets."""
    depth = 0
    for i, letter in enumerate(text):
        if depth == 0 and text.startswith(mark, i):
            return text[:i], mark, text[i + len(mark) :]
        depth += (letter in _OPENING) - (letter in _CLOSING)
    return text, "", ""


def faults(
    theorems: Sequence[Theorem],
    said: Mapping[str, Stated],
    marks: Iterable[Mark],
    unproved: Mapping[str, str],
    sentences: Collection[str],
    labels: Collection[str],
    claims: Collection[str],
) -> list[str]:
    """List what is wrong with a table of theorems.

    Parameters
    ----------
    theorems
        The table.
    said
        What Coq says of the theorems.
    marks
        The comments in the sources.
    unproved
        The sentences of FORMAT.md that no theorem proves, with reasons.
    sentences
        The keys of all sentences of FORMAT.md.
    labels, claims
        The labels of all statements, and of all claims.

    Returns
    -------
    list of str
        In words; empty if the table is complete.
    """
    found = [f"{name}: twice in the table" for name, times in Counter(t.name for t in theorems).items() if times > 1]
    named = {each.name: each for each in theorems}
    found += [f"{name}: a theorem, not in the table" for name in said if name not in named]
    for name, each in named.items():
        found += [f"{name}: {fault}" for fault in _faults_of(each, said.get(name))]
        known = (("sentence", each.sentences, sentences), ("statement", each.statements, labels))
        for kind, own, every in (*known, ("claim", each.claims, claims)):
            found += [f"{name}: {key} is no {kind}" for key in own if key not in every]
    places, lost = by_hypothesis(theorems, marks)
    found += [f"{m.place.file}, line {m.place.line}: names no hypothesis: {m.theorem} {m.hypothesis}" for m in lost]
    keys = [(each.name, hypothesis) for each in theorems for hypothesis in each.hypotheses]
    found += [f"{key[0]}: no line establishes {key[1]}" for key in keys if key not in places]
    return found + _of_sentences({key for each in theorems for key in each.sentences}, unproved, sentences)


def _of_sentences(proved: set[str], unproved: Mapping[str, str], sentences: Collection[str]) -> list[str]:
    """List the sentences that are neither proved nor called unproved, or both, and those that there are not."""
    found = [f"no theorem, and no reason why: {key}" for key in sentences if key not in proved and key not in unproved]
    found += [f"proved, and called unproved: {key}" for key in unproved if key in proved]
    return [f"sentence, {fault}" for fault in found + [f"not there: {key}" for key in unproved if key not in sentences]]


def _faults_of(theorem: Theorem, said: Stated | None) -> list[str]:
    """List what is wrong with one theorem alone."""
    if said is None:
        return ["no theorem that Coq states"]
    found = [] if theorem.file == said.file else [f"stands in {said.file}, not in {theorem.file}"]
    own = (*theorem.hypotheses, *theorem.given)
    found += [f"its hypothesis {each} is not in the table" for each in said.hypotheses if each not in own]
    found += [f"{each} is none of its hypotheses" for each in own if each not in said.hypotheses]
    found += [f"{each} is established and given" for each in theorem.hypotheses if each in theorem.given]
    ways = [way for way in (theorem.checker, theorem.prover, theorem.unused) if way]
    found += [] if len(ways) == 1 else ["give one of checker, prover, unused"]
    if theorem.function is not None:
        file, name = theorem.function
        try:
            line = definition(source(file), name)
        except OSError:
            line = None
        found += [] if line is not None else [f"there is no function {name} in verifier/{file}"]
    if not (theorem.claims or theorem.statements or theorem.unused):
        found.append("no claim and no statement rests on it")
    return found + ([] if theorem.says.endswith(".") else ["what it says is no sentence"])
