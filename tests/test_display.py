"""Short reprs and HTML cards: escaped, self-contained, readable on light and on dark pages, never an array."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pytest

import verifier as vf
from verifier.display import WORDS, Brief, Card, Shown, Table, as_html, as_text, badge, brief

HOSTILE = '<img src=x onerror="alert(1)">&\x1b[31m\u202e'


class Reader(HTMLParser):
    """Collects tags and sees that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_hostile_text_stays_text() -> None:
    table = Table(HOSTILE, (HOSTILE, "verdict"), ((HOSTILE, "PROVED"), ("x", HOSTILE)))
    found = as_html(Card(HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), (table,)))
    reader = read(found)
    assert reader.tags == {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
    assert reader.attributes == {"style", "scope"}  # each table has headers, for those who hear it
    assert (found.count('<th scope="row"'), found.count('<th scope="col"')) == (1, 2)
    assert found.count("&lt;img") == 9
    assert "\x1b" not in found
    assert "\u202e" not in found


def test_a_card_needs_nothing_from_elsewhere() -> None:
    found = as_html(Card("title", "PROVED", "why", (("a", "b"),), (Table("t", ("h",), (("REFUTED",),), True),)))
    assert not re.search(r"http|url\(|<script|<style|<link|class=|id=", found)
    assert "<details open>" in found
    assert found.count("background:#") == 2  # the verdict's badge and that of the cell


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("word", [*WORDS, "anything"])
def test_badges_have_contrast(word: str) -> None:
    (colour,) = re.findall(r"background:(#[0-9a-f]{6})", badge(word))
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_other_text_takes_the_pages_colours() -> None:
    found = as_html(Card("title", None, "why", (("a", "b"),), (Table("t", ("h",), (("cell",),)),)))
    assert not re.search(r"(?<!-)color:(?!inherit)", found)
    assert set(re.findall(r"background:([^;\"]+)", found)) == {"transparent"}


def test_text_is_short() -> None:
    assert as_text("X", Card("title", "PROVED", "why", (("a", "1"), ("b", "2")))) == "<X PROVED: why\n  a 1; b 2>"
    assert as_text("X", Card("title")) == "<X: title>"


@dataclass(frozen=True, repr=False)
class Sample(Brief):
    array: np.ndarray
    rows: tuple[int, ...]
    few: tuple[object, ...]
    text: str
    _private: int = 0


def test_brief_never_prints_arrays_or_long_sequences() -> None:
    found = repr(Sample(np.zeros((300, 400)), tuple(range(1000)), (1, np.zeros(2)), "x" * 1000))
    assert found.startswith(
        "Sample(array=<float64 (300, 400)>, rows=<1000 entries>, few=(1, <float64 (2,)>), text='xxx"
    )
    assert len(found) < 200
    assert "_private" not in found
    assert brief([1, 2]) == "[1, 2]"
    assert brief((1,)) == "(1,)"
    assert brief({k: k for k in range(10)}) == "<10 entries>"


def test_a_base_without_facts_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Shown()._repr_html_()


def test_verdicts_are_badges_in_a_notebook() -> None:
    assert vf.Verdict.PROVED._repr_html_() == badge("PROVED")
    assert str(vf.Verdict.PROVED) == "PROVED"
