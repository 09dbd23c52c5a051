"""``verifier connect``: two cases, one sentence, a certificate that is accepted; what cannot be joined is one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from verifier.checker.certificate import check_file
from verifier.cli import _guarded

CASE = """
data.path = "points.csv"
network.layers = [{ kind = "dense", width = 24, activation = "ACTIVATION", skip = true }]
start.output_scale = 0.5
"""
POINTS = "x,y,label\n0,0,a\n0,1,b\n1,0,b\n1,1,a\n2,1,b\n"


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(POINTS)
    path = tmp_path / "a.toml"
    path.write_text(CASE.replace("ACTIVATION", "tanh"))
    return path


def connect(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """Run the command; nothing on stderr."""
    assert _guarded(["connect", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must fail with one line on stderr."""
    assert _guarded(["connect", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_the_conclusion_comes_first_and_the_certificate_is_accepted(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = connect(capsys, case, case, "--seed-b", "1", "--out", "c.json", "-v")
    assert " ".join(said.split()).startswith(
        "a and a PROVED A and B are joined by a continuous path on which the cross-entropy never exceeds the larger of "
        "their two losses: the barrier is 0."
    )
    assert max(map(len, said.splitlines())) <= 80
    assert "a: gaussian weights, seed 0" in said and "a: gaussian weights, seed 1" in said
    assert "Certificate: c.json" in said
    assert "from A the loss strictly falls to at most" in " ".join(said.split())
    answer = check_file("c.json", 1)
    assert answer.verdict == "ACCEPTED", answer.rejection
    assert {claim["label"] for claim in json.loads(Path("c.json").read_text())["claims"]} == {"MC", "MC.line"}


def test_json_says_the_same(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(connect(capsys, case, case, "--seed-b", "1", "--json", "--epsilon", "1e-9"))
    assert found["verdict"] == "PROVED" and found["certificate"] is None
    assert found["pieces"][0]["start"] == "0" and found["pieces"][-1]["end"] == "1"
    low, high = map(float, found["line"]["largest_loss"])
    assert max(float(found["start_loss"][1]), float(found["end_loss"][1])) * 0.99 <= low <= high


def test_without_the_line_the_certificate_has_one_claim(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = connect(capsys, case, case, "--no-line", "--out", "c.json")
    assert "straight line " not in said
    assert [claim["label"] for claim in json.loads(Path("c.json").read_text())["claims"]] == ["MC"]


def test_permuted_it_is_said_to_be_another_point_and_a_file_is_gone_on_from(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (case, case, "--seed-b", "1", "--permute", "--no-line", "--resume", "found.npz")
    first = connect(capsys, *arguments)
    assert "B with its units permuted, which is another point than B," in " ".join(first.split())
    assert "seed 1; units permuted" in first and Path("found.npz").is_file()
    again = connect(capsys, *arguments)
    assert [words for words in again.splitlines() if "time" not in words] == [
        words for words in first.splitlines() if "time" not in words
    ]


def test_a_file_where_the_report_is_to_go_is_refused_before_the_search(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["verifier.connect"], "connect", None)  # not reached
    (tmp_path / "page").write_text("")
    assert _guarded(["connect", str(case), str(case), "--report", str(tmp_path / "page")]) == 2
    assert capsys.readouterr().err.endswith("page: this is a file; name a folder, which is made if it is missing\n")


def test_the_report_is_written_and_named(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = connect(capsys, case, case, "--no-line", "--report", "page")
    page = Path("page") / "connection.html"
    assert f"Report:      {page}\n" in said and "the barrier is 0" in page.read_text("utf-8")


def test_what_is_not_decided_says_why(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (case.parent / "points.csv").write_text(f"{POINTS}2,1,a\n")
    said = connect(capsys, case, case, "--seed-b", "1", "--out", "c.json", code=3)
    assert "\nUNDECIDED  whether A and B are joined" in said and "different labels" in " ".join(said.split())
    assert "No certificate was written: its claims are about one label for each sample.\n" in said


def test_other_networks_are_one_line(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = case.with_name("b.toml")
    other.write_text(CASE.replace("ACTIVATION", "sigmoid"))
    assert "both networks need one architecture" in refused(capsys, case, other)
    assert "epsilon = '0' must be a positive decimal number such as \"1e-6\"" in refused(
        capsys, case, case, "--epsilon", "0"
    )
    assert "a certificate's name ends in .json" in refused(capsys, case, case, "--out", "c.txt")
    assert "no case file" in refused(capsys, case, "none.toml")
