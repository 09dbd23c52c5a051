"""A transcript on a page names statements as the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verifier.statements.catalogue import STATEMENTS

GUIDE = Path(__file__).resolve().parents[2] / "verifier" / "docs" / "guide"
TEXT = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINE = re.compile(
    r"^(?:PROVED|REFUTED|UNDECIDED) +((?:.|\n {11})*?) \(([^\s()]+(?:\(\d\))?(?: \w+)?)\)(?:$|,)", re.MULTILINE
)


@pytest.mark.parametrize("page", ["verdicts"])
def test_lines_of_a_transcript_have_the_names_of_the_catalogue(page: str) -> None:
    lines = [found for text in TEXT.findall((GUIDE / f"{page}.md").read_text("utf-8")) for found in LINE.findall(text)]
    known = {label: " ".join(words.split()) for words, label in lines if label in STATEMENTS}
    assert len(known) > 20
    assert known == {label: STATEMENTS[label].name for label in known}


def test_another_name_is_seen() -> None:
    (words, label), (other, _) = LINE.findall(
        "PROVED     a path\n           on (S(1))\nREFUTED    rank (W0), as expected\n"
    )
    assert (" ".join(words.split()), label, other) == ("a path on", "S(1)", "rank")
