"""What the tests of the report share: a small real run with all kinds of verdicts, and reading a page back."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from rich.console import Console

from verifier.run.case import Case
from verifier.run.runner import packaged_cases, run_cases
from verifier.run.table import ProgressDisplay

NAMES = (
    "conflicting-labels",
    "digits-exp",
    "line",
    "start-duplicate-square",
    "start-gateway",
    "start-gateway-sublevel",
    "start-trained-clone",
    "tied-bias",
    "xor",
)
"""Paths by P1, E1, E2 or E4, E3, X1, and none; rank proved, refuted, undecided."""

VOID = {"meta", "input", "br"}


def quick(*names: str) -> list[Case]:
    return [case for case in packaged_cases("quick") if case.name in names]


def run(cases: list[Case], out: Path) -> Path:
    """Run cases in this process."""
    with (out.parent / f"{out.name}.log").open("w") as log:
        run_cases(cases, out, ProgressDisplay(Console(file=log)))
    return out


class Page(HTMLParser):
    """The elements of a page in order, with their attributes, and its text."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "li" and self.open[-1] == "li":  # an li ends where the next one begins, or its list ends
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag == "ul" and self.open[-1] == "li":
            self.open.pop()
        assert self.open and self.open[-1] == tag, f"</{tag}> where {self.open[-3:]} are open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]
