"""The bridge: the theorems of Coq, their hypotheses, and the lines of the checker that establish them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import ValidationError
from msgspec.structs import replace

from verifier.certificate import description
from verifier.checker.sentences import SENTENCES
from verifier.cli import _guarded
from verifier.display import COLUMNS
from verifier.statements.bridge import complete, marks, rows, table
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.claims.catalogue import CLAIMS

ROOT = Path(__file__).resolve().parents[2] / "verifier"
SAID = complete.stated((ROOT / "formal" / "statements.txt").read_text("utf-8"))
FORMAT = (Path(description.__file__).parent / "FORMAT.md").read_text("utf-8")
TABLE = {theorem.name: theorem for theorem in table.theorems()}
MARKS = marks.of_package(table.theorems())


def faults(**changed: Any) -> list[str]:
    """What is wrong with the table after some changes."""
    parts = {"theorems": [*TABLE.values()], "said": SAID, "marks": MARKS, "unproved": table.unproved()} | changed
    return complete.faults(**parts, sentences=SENTENCES, labels=STATEMENTS, claims=CLAIMS)


def test_the_table_is_complete() -> None:
    assert faults() == []


def test_coq_was_asked_for_every_theorem_whose_assumptions_are_compared() -> None:
    listed = re.findall(r"^ +@(\w+),?$", (ROOT / "formal" / "assumptions.v").read_text("utf-8"), re.MULTILINE)
    assert listed == [*SAID] and len(set(listed)) == len(listed)
    assert {path.name for path in (ROOT / "formal").glob("*.v")} >= {said.file for said in SAID.values()}


@pytest.mark.parametrize("name", TABLE)
def test_every_sentence_that_a_theorem_proves_stands_in_the_format(name: str) -> None:
    plain = " ".join(FORMAT.split())
    for key in TABLE[name].sentences:
        assert SENTENCES[key].replace("{{", "{").replace("}}", "}") in plain, key


def test_every_claim_rests_on_a_theorem_or_its_sentences_are_called_unproved() -> None:
    known = {label for theorem in TABLE.values() for label in theorem.claims}
    for label, claim in CLAIMS.items():
        assert label in known or set(claim.sentences) <= set(table.unproved()), label


@pytest.mark.parametrize(
    ("said", "hypotheses"),
    [
        ("forall [R : realType] [A : 'M_(N, K)], 0 < a -> (forall x : R, x -> y) -> a", [False, False, True, True]),
        ("forall x y : R, x <= y -> forall b : 'I_(f, x), [/\\ a -> b, c & d]", [False, False, True, False]),
        ("a -> exists2 f : R, 0 <= f & forall t, t -> a", [True]),
    ],
)
def test_premises_are_told_from_variables(said: str, hypotheses: list[bool]) -> None:
    assert complete.premises(said) == hypotheses


def test_what_coq_prints_is_read() -> None:
    assert SAID["R1"].file == "R1.v"
    assert SAID["R1"].hypotheses == ("e_ge0", "enclosed", "xi_gt0", "size", "exact", "sum", "sigma_gt0", "bound")
    assert SAID["R5_fewer_units"].hypotheses == ()


BROKEN: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "a theorem is left out": (
        lambda: {"theorems": [each for each in TABLE.values() if each.name != "R1"]},
        "R1: a theorem, not in the table",
    ),
    "a theorem is there twice": (lambda: {"theorems": [*TABLE.values(), TABLE["R1"]]}, "R1: twice in the table"),
    "a theorem that is none": (lambda: changed("R1", name="R17"), "R17: no theorem that Coq states"),
    "the wrong file": (lambda: changed("R1", file="R2.v"), "R1: stands in R1.v, not in R2.v"),
    "a hypothesis is misspelt": (
        lambda: changed("P1", hypotheses={**TABLE["P1"].hypotheses, "segmnt": "A segment."}),
        "P1: segmnt is none of its hypotheses",
    ),
    "a hypothesis is left out": (
        lambda: changed("P1", hypotheses={k: v for k, v in TABLE["P1"].hypotheses.items() if k != "segment"}),
        "P1: its hypothesis segment is not in the table",
    ),
    "a hypothesis is established and given": (
        lambda: changed("P1", given={"segment": "Because."}),
        "P1: segment is established and given",
    ),
    "a hypothesis is established nowhere": (
        lambda: {"marks": [mark for mark in MARKS if (mark.theorem, mark.hypothesis) != ("P1", "segment")]},
        "P1: no line establishes segment",
    ),
    "a mark for nothing": (
        lambda: {"marks": [*MARKS, *marks.marked("checker/a.py", "x = 1\ny = 2  # Coq: P1 sgment")]},
        "checker/a.py, line 2: names no hypothesis: P1 sgment",
    ),
    "a mark that cannot be read": (
        lambda: {"marks": [*MARKS, *marks.marked("checker/a.py", "x = 1  # Coq: segment")]},
        "checker/a.py, line 1: names no hypothesis:  ",
    ),
    "no such function": (
        lambda: changed("R1", checker="claims.py:RankClaim.concludes"),
        "R1: there is no function RankClaim.concludes in verifier/checker/claims.py",
    ),
    "no such file": (
        lambda: changed("R1", checker="claim.py:RankClaim.conclude"),
        "R1: there is no function RankClaim.conclude in verifier/checker/claim.py",
    ),
    "concluded nowhere, and no reason": (lambda: changed("R1", checker=""), "R1: give one of checker, prover, unused"),
    "no such claim": (lambda: changed("R1", claims=("R9",)), "R1: R9 is no claim"),
    "no such statement": (lambda: changed("L2_1", statements=("L2.2",)), "L2_1: L2.2 is no statement"),
    "no such sentence": (lambda: changed("R1", sentences=("R9",)), "R1: R9 is no sentence"),
    "nothing rests on it": (lambda: changed("R1", claims=()), "R1: no claim and no statement rests on it"),
    "a sentence is forgotten": (
        lambda: {"unproved": {key: why for key, why in table.unproved().items() if key != "Z2"}},
        "sentence, no theorem, and no reason why: Z2",
    ),
    "a sentence is proved and unproved": (
        lambda: {"unproved": {**table.unproved(), "R6": "No."}},
        "sentence, proved, and called unproved: R6",
    ),
    "a sentence that is none is called unproved": (
        lambda: {"unproved": {**table.unproved(), "R9": "No."}},
        "sentence, not there: R9",
    ),
}


def changed(theorem: str, /, **fields: Any) -> dict[str, Any]:
    """The table with other fields of one theorem."""
    return {"theorems": [replace(each, **fields) if each.name == theorem else each for each in TABLE.values()]}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_table_is_refused(what: str) -> None:
    broken, fault = BROKEN[what]
    assert fault in faults(**broken())


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="hypothesis"):
        table.read('[[theorem]]\nname = "A"\nfile = "A.v"\nsays = "A."\nhypothesis = {}')


def test_a_mark_is_about_its_line_or_the_next_line_of_code() -> None:
    text = "a = 1  # Coq: R1 size, R1 sum\n    # Coq: Z1 margins\n    # because\n    b = 2"
    found = [(m.theorem, m.hypothesis, m.place.line) for m in marks.marked("checker/a.py", text)]
    assert found == [("R1", "size", 1), ("R1", "sum", 1), ("Z1", "margins", 4)]
    places, lost = marks.by_hypothesis(table.theorems(), marks.marked("checker/a.py", text))
    assert {name for name, _ in places} == {"R1", "Z1_zero_error", "Z1_decreases", "Z1_tail", "Z1_limit"} and not lost


def test_all_marks_of_the_package_are_looked_at() -> None:
    """No comment stands in a file that `of_package` does not read."""
    seen = {mark.place.file for mark in MARKS}
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    assert {file for file in files if list(marks.marked(file, (ROOT / file).read_text("utf-8")))} == seen


def test_a_statement_is_told_with_its_theorems(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "rank"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    told = " ".join(" ".join(lines).split())
    place = marks.places()["R1", "sum"][0]
    source = (ROOT / place.file).read_text("utf-8").splitlines()
    assert "alpha <= claimed" in source[place.line - 1]
    assert (
        "in Coq R1 in verifier/formal/R1.v, concluded in RankClaim.conclude (verifier/checker/claims.py, line" in told
    )
    assert f"- sum: {TABLE['R1'].hypotheses['sum'][:-1]} (claims.py, line {place.line})." in told
    assert f"- xi_gt0, given: {TABLE['R1'].given['xi_gt0']}" in told
    assert "R2 in verifier/formal/R2.v, concluded in sigma_bound (verifier/rank/gram.py, line" in told


@pytest.mark.parametrize("label", STATEMENTS)
def test_every_statement_is_told_in_80_columns(label: str) -> None:
    assert max(map(len, str(STATEMENTS[label]).splitlines())) <= COLUMNS


def test_a_statement_without_a_theorem_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "WD"]) == 0
    assert f"  in Coq        {rows.NONE}\n" in capsys.readouterr().out


def test_the_theorems_are_told_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "--json", "rank", "WD"]) == 0
    rank, decay = json.loads(capsys.readouterr().out)["statements"]
    assert decay["theorems"] == []
    first = rank["theorems"][0]
    assert (first["name"], first["file"], first["says"]) == ("R1", "verifier/formal/R1.v", TABLE["R1"].says)
    line = first["concluded"]["line"]
    assert "def conclude(" in (ROOT / "checker" / "claims.py").read_text("utf-8").splitlines()[line - 1]
    known = {each["name"]: each for each in first["hypotheses"]}
    assert set(known) == set(SAID["R1"].hypotheses) and known["xi_gt0"] == {
        "name": "xi_gt0",
        "given": TABLE["R1"].given["xi_gt0"],
    }
    assert known["sum"]["places"][0]["file"] == "verifier/checker/claims.py"
