"""Each command says first, in one sentence after its verdict, what it found; a line a statement; reasons with -v."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import verifier as vf
from verifier.cli import _guarded
from verifier.conclusion import conclude

XOR = "x1,x2,label\n0,0,even\n0,1,odd\n1,0,odd\n1,1,even\n"
CASE = 'data.path = "xor.csv"\nnetwork.layers = [{ kind = "dense", width = WIDTH, activation = "NAME", skip = true }]\n'


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xor.csv").write_text(XOR)
    (tmp_path / "few.toml").write_text(CASE.replace("WIDTH", "2").replace("NAME", "tanh"))
    (tmp_path / "relu.toml").write_text(CASE.replace("WIDTH", "6").replace("NAME", "relu"))
    (tmp_path / "case.toml").write_text(CASE.replace("WIDTH", "5").replace("NAME", "tanh"))
    return tmp_path / "case.toml"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert _guarded(list(arguments)) == code
    out, err = capsys.readouterr()
    assert err == "" and max(map(len, out.splitlines())) <= 80
    return out


@pytest.mark.parametrize(
    ("command", "file", "code", "conclusion"),
    [
        ("rank", "case", 0, "PROVED Psi(U) has full row rank at this U: its smallest singular value is at least "),
        ("rank", "few", 1, "REFUTED Psi(U) does not have full row rank at this U: Psi has only M = 2 columns"),
        ("path", "case", 0, "PROVED from this start (U, V) a continuous path on which the cross-entropy strictly "),
        ("path", "few", 3, "UNDECIDED no path from this start (U, V) to loss 0 was certified: whether one exists is "),
        ("witness", "case", 0, "PROVED Psi(U) has full row rank at almost every U, and this loss landscape has no bad"),
        ("witness", "few", 1, "REFUTED no U gives Psi(U) full row rank: "),
        ("witness", "relu", 1, "REFUTED it is not at almost every U that Psi(U) has full row rank: "),
        ("architecture", "case", 0, "PROVED For EVERY data set of N = 4 samples of 2 real coordinates, or fewer, "),
        (
            "architecture",
            "few",
            0,
            "PROVED Certified memorisation: for almost every data set of N = 4 samples of 2 real ",
        ),
    ],
)
def test_the_conclusion_is_the_second_line(
    command: str, file: str, code: int, conclusion: str, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, command, f"{file}.toml", code=code)
    assert " ".join(out.partition("\n")[2].split()).startswith(conclusion)
    assert out.endswith("The same command with -v says why, and what was tried.\n")
    assert re.findall(r"^[A-Z]+  .*\(\S.*\)$", out, re.MULTILINE)  # a statement with its label at the end


def test_reasons_come_with_v(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, long = said(capsys, "rank", "case.toml"), said(capsys, "rank", "case.toml", "-v")
    assert "tried: R2 in binary64: certified" in " ".join(long.split()) and "tried: " not in short


def test_where_the_certificate_is_and_what_to_type_next(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "path", "case.toml", "--out", "p.json")
    assert "Certificate: p.json\nNext:        verifier check p.json\n" in out
    first = said(capsys, "show", "p.json").splitlines()[0]
    assert first == "Claimed, not checked: zero training error (Z1); the path (P1)."


def bound(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[float, str]:
    out = " ".join(said(capsys, "rank", "case.toml", *options).split())
    return float(out.partition("singular value is at least ")[2].partition(". ")[0]), out


def test_sigma_is_bounded_tightly_unless_asked_otherwise(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.linalg.svd(vf.run_case(vf.read_case(case))[0].features.approx())[1][-1]
    tight, _ = bound(capsys)
    fast, words = bound(capsys, "--fast")
    assert fast < 0.01 * truth < 0.9 * truth <= tight <= truth * (1 + 1e-12)
    assert "--tight bounds it within 10 percent, where binary64 can" in words
    assert _guarded(["rank", "case.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sigma_lower"] >= tight


def test_weight_decay_is_not_what_a_witness_speaks_of(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case.write_text(case.read_text() + 'losses.weight_decay = "0.01"\n')
    words = " ".join(said(capsys, "witness", "case.toml").split())
    assert "no bad local valley; the latter is about the loss WITHOUT weight decay." in words


def test_what_a_case_expects_is_not_red(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("few.toml").write_text(Path("few.toml").read_text() + '[expect]\nrank = "REFUTED"\n')
    report = vf.run_case(vf.read_case(Path("few.toml")))[0]
    assert not conclude(report).calm  # a report expects nothing
    assert "full rank at the given U (R5), as expected\n" in said(capsys, "rank", "few.toml")
