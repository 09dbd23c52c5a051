"""The statements in groups, by what they speak of, so that a long list can be read: by their labels alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

GROUPS: dict[str, tuple[str, ...]] = {
    "What is assumed": ("L2.1", "A3.1(1)", "A3.1(2)", "A3.1(3)", "LA.1", "X1"),
    "The rank of the features": (*("W1", "W2", "W3", "L3.2 construction", "W0", "L3.2 genericity", "rank", "R6"),),
    "The landscape, wherever one is": (
        *("D3.3", "T3.4(1)", "T1", "T3.4(2)", "T3.4(3)", "T3.4(4)", "TC.3", "A", "D", "S(1)", "S(2)", "S+", "E4"),
        *("C2", "C2+", "C4", "J1", "J3", "I", "WD"),
    ),
    "Two networks": ("MC", "MC.line"),
    "A minimum": ("BM",),
    "This start": ("path", "S", "S.path", "GDV", "Z0", "Z0.loss", "Z2", "C1", "C3", "J2"),
}
"""Heading, and the labels below it; a label that stands nowhere comes under the last heading."""
HERE = "at this start"
"""How the name of a finding ends that is narrower than its statement: it stands with those about the start."""


class Named(Protocol):
    """What was found of a statement."""

    @property
    def label(self) -> str:
        """The label of the statement that was decided."""

    @property
    def title(self) -> str:
        """The name of what was found."""


T = TypeVar("T")


def placed(found: Named) -> str:
    """Give the label by which `grouped` finds the heading: what was found of this start alone stands under no other.

    Parameters
    ----------
    found
        What was found, with its label and title.
    """
    return "path" if found.title.endswith(HERE) else found.label


def grouped(items: Iterable[T], label: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Sort things that belong to statements under the headings, in their own order; headings without any are left out.

    Parameters
    ----------
    items
        Steps or records of statements.
    label
        Gives the label of each.
    """
    found: dict[str, list[T]] = {heading: [] for heading in GROUPS}
    places = {each: heading for heading, labels in GROUPS.items() for each in labels}
    for item in items:
        found[places.get(label(item), list(GROUPS)[-1])].append(item)
    return [(heading, own) for heading, own in found.items() if own]
