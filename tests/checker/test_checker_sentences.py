"""What the checker prints about a claim is a sentence of FORMAT.md, word for word, with rounded numbers in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checker_toy import toy
from checker_writer import write
from test_checker_witness import ramps, steps

import verifier.certificate
from verifier.checker.certificate import check_file
from verifier.checker.schema import CLAIMS
from verifier.checker.sentences import SENTENCES, sentence

FORMAT = (Path(verifier.certificate.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")


def stated() -> dict[str, str]:
    """Return the sentences of FORMAT.md by their names."""
    block = FORMAT.split("## Sentences")[1].split("```")[1]
    return dict(line.split(": ", 1) for line in block.strip().splitlines())


def said_by_the_format(label: str, statement: str) -> bool:
    """Return whether a statement is made of sentences of the format, that of the label first."""
    patterns = {name: re.sub(r"\\\{\w+\\\}", "[^;]+?", re.escape(text)) for name, text in stated().items()}
    added = ("every-u", "full", "offset", "arcs", "reduced", "everywhere", "everywhere reduced", "almost every")
    added += ("groups", "factors", "groups factors")
    names = [label, *(f"{label} {more}" for more in added)]
    first = "|".join(text for name, text in patterns.items() if name in names)
    first = f"(?:{first})"
    more = {"P1": ["target"], "TC.3": ["TC.3 ray"], "W1": ["W radius"], "W2": ["W radius"], "WD": ["WD logit"]}
    more["MC"] = ["MC moves", "MC rests", "MC logit"]
    more |= {name: ["after", "target"] for name in ("E1", "E2", "E3", "E4.path", "S.path")}
    more["BM"] = ["BM bad"]
    others = "|".join(patterns[name] for name in more.get(label, []))
    return re.fullmatch(f"{first}(?:; (?:{others}))*" if others else first, statement) is not None


def test_the_format_and_the_checker_have_the_same_sentences():
    assert stated() == SENTENCES


def test_every_label_has_a_sentence():
    assert set(CLAIMS) <= set(SENTENCES)


@pytest.mark.parametrize("make", [toy, steps, ramps])
def test_statements_are_sentences(make, tmp_path):
    builder, document = make()
    outcome = check_file(str(write(tmp_path, document, builder.arrays())), 1)
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    for claim in outcome.claims:
        assert said_by_the_format(claim["label"], claim["statement"]), claim["statement"]


def test_this_test_can_fail():
    said = sentence("W1", samples=3, sigma_lower="0.5", q="0.1")
    assert said_by_the_format("W1", said)
    assert not said_by_the_format("W1", said + ", on every data set that leaves such gaps")
    assert not said_by_the_format("W1", said + "; rank N also elsewhere")
