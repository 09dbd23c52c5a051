"""`verifier statements`: the one-page list, everything about one statement, and where each is proved and checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import verifier as vf
from verifier.checker import certificate as checker
from verifier.cli import _guarded
from verifier.display import COLUMNS
from verifier.statements.groups import GROUPS
from verifier.statements.listing import FIELDS, find

PACKAGE = Path(vf.__file__).parent
WHO_CHECKS = checker.SWEPT | checker.ALONE


@pytest.mark.parametrize("label", vf.STATEMENTS)
def test_a_statement_names_files_that_exist_and_who_checks_its_claims(label: str) -> None:
    statement = vf.STATEMENTS[label]
    assert statement.idea and not statement.idea.endswith(".") and statement.proved_in
    assert all((PACKAGE / file).is_file() for file in statement.proved_in + statement.checked_in)
    modules = {WHO_CHECKS[claim.label()].__module__.rpartition(".")[2] for claim in statement.claims}
    named = {Path(file).stem for file in statement.checked_in}
    assert modules <= named, f"claims of {label} are checked in {modules}"


def test_the_page_lists_every_statement_once_in_80_columns() -> None:
    lines = str(vf.STATEMENTS).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    labels = [line[2:21].strip() for line in lines if line.startswith("  ") and line[2] != " "]
    assert sorted(labels) == sorted(vf.STATEMENTS) and lines[0] in GROUPS


def test_everything_about_one_statement_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "w0"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    statement = vf.STATEMENTS["W0"]
    for words in (
        statement.sentence,
        statement.hypotheses,
        statement.idea,
        "verifier/checker/flags.py",
        "verifier run",
    ):
        assert words in told
    assert max(map(len, str(statement).splitlines())) <= COLUMNS


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("R1", ["rank"]),
        ("R2", ["rank"]),
        ("P1", ["path"]),
        ("t3.4(2)", ["T3.4(2)"]),
        ("a3.1", ["A3.1(1)", "A3.1(2)", "A3.1(3)"]),
        ("L3.2  construction", ["L3.2 construction"]),
    ],
)
def test_labels_of_claims_and_beginnings_of_labels_lead_to_statements(asked: str, labels: list[str]) -> None:
    assert [each.label for each in find(vf.STATEMENTS, asked)] == labels


def test_several_labels_are_told_one_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "W1", "L3.2", "construction"]) == 2  # a label with a space comes alone
    assert _guarded(["statements", "W1", "W2"]) == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("W")]
    assert [head.split(":")[0] for head in heads] == ["W1", "W2"]


def test_an_unknown_label_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "T3.4(22)"]) == 2
    assert capsys.readouterr().err == "verifier: 'T3.4(22)' is no label of a statement; did you mean 'T3.4(2)'?\n"
    with pytest.raises(vf.InputError, match="did you mean 'W0'"):
        vf.STATEMENTS["W00"]


def test_json_and_the_table_hold_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(["statements", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["statements"]
    table = vf.STATEMENTS.to_frame()
    assert list(table.columns) == list(FIELDS) and table.label.tolist() == list(vf.STATEMENTS)
    assert told == [dict(row) for row in table.to_dict("records")]
