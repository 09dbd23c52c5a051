"""The table of theorems: what each says, where it is stated in Coq, and which hypotheses it has.

Glossary: a *theorem* is one of ``verifier/formal``, under its name there. Its *hypotheses* are what the checker, or the
prover, establishes, in words, under their names in Coq; what no line has to establish is *given*, with the reason.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from msgspec import Struct, convert, field

FILES = ("rank_and_path.toml", "landscape.toml")
"""The table, in the order in which it is shown."""
UNPROVED = "unproved.toml"
"""Sentences of FORMAT.md that no theorem in Coq proves, with the reasons."""


class Theorem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One theorem that Coq has checked, and what the checker has to do with it.

    Parameters
    ----------
    name
        Its name in Coq.
    file
        The file of ``verifier/formal`` that states it.
    says
        What it says, in a sentence.
    claims
        Labels of the claims of certificates that rest on it.
    statements
        Labels of the statements that rest on it where none of their claims does.
    sentences
        Keys of the sentences of FORMAT.md, in ``verifier/checker/sentences.py``, whose words it proves.
    checker
        Where the checker draws its conclusion: a file of ``verifier/checker`` and a function in it, ``"a.py:F.g"``.
    prover
        The same in ``verifier``, where no certificate holds the conclusion.
    unused
        Why neither of them draws it.
    hypotheses
        Those that a line of the checker, or of the prover, establishes: in words, by their names in Coq.
    given
        Those that no line has to establish: why, by their names in Coq.
    """

    name: str
    file: str
    says: str
    claims: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    checker: str = ""
    prover: str = ""
    unused: str = ""
    hypotheses: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)

    @property
    def function(self) -> tuple[str, str] | None:
        """The file in ``verifier`` and the function in it that draws its conclusion; None if none does."""
        place = f"checker/{self.checker}" if self.checker else self.prover
        file, _, name = place.partition(":")
        return (file, name) if place else None


def read(text: str) -> tuple[Theorem, ...]:
    """Read one file of the table.

    Parameters
    ----------
    text
        In TOML: a table ``[[theorem]]`` for each theorem, with the fields of `Theorem`.

    Returns
    -------
    tuple of Theorem
        In the order of the file.

    Raises
    ------
    msgspec.ValidationError
        A table has another field, or lacks one.
    """
    return convert(tomllib.loads(text)["theorem"], tuple[Theorem, ...])


def _text(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


@cache
def theorems() -> tuple[Theorem, ...]:
    """Return all theorems, in the order of `FILES`."""
    return tuple(theorem for name in FILES for theorem in read(_text(name)))


@cache
def unproved() -> dict[str, str]:
    """Return why no theorem in Coq proves a sentence of FORMAT.md, by the sentence's key."""
    return convert(tomllib.loads(_text(UNPROVED))["sentences"], dict[str, str])
