"""What a property is: a statement about every specimen, a strategy for specimens, and a check that can fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps

from hypothesis.strategies import SearchStrategy

from verifier.errors import VerifierError
from verifier.fuzz.node_values import Undefined
from verifier.fuzz.specimen import Specimen

Check = Callable[[Specimen], str]
"""Looks at one specimen: returns in a word what was found there (these are counted), or raises `Falsified`."""


class Falsified(VerifierError):
    """A property does not hold for a specimen.

    Parameters
    ----------
    reason : str
        What is wrong, with both sides of the comparison.
    expect : mapping, optional
        The verdicts that are right: they become ``[expect]`` of the counterexample's case file, so that running it
        shows the wrong one.
    """

    def __init__(self, reason: str, expect: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.expect = dict(expect or {})


@dataclass(frozen=True)
class Property:
    """A named statement with a strategy and a check."""

    name: str
    statement: str
    strategy: Callable[[], SearchStrategy[Specimen]]
    check: Check


PROPERTIES: dict[str, Property] = {}
"""The built-in properties by name, in the order of their modules."""


def holds_for(strategy: Callable[[], SearchStrategy[Specimen]]) -> Callable[[Check], Check]:
    """Register a check as a built-in property: its name with dashes, its docstring as the statement."""

    def register(check: Check) -> Check:
        @wraps(check)
        def checked(specimen: Specimen) -> str:
            try:
                return check(specimen)
            except Undefined:  # nothing to compare with: another property sees to it that nothing is claimed there
                return "undefined at this U"

        name = check.__name__.replace("_", "-")
        words = " ".join((check.__doc__ or "").split())
        PROPERTIES[name] = Property(name, words, strategy, checked)
        return checked

    return register
