"""``verifier fuzz``: exit codes, one-line errors, one JSON document, replayed cases."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from rich.console import Console

from verifier.cli import _guarded
from verifier.fuzz import PROPERTIES, Specimen
from verifier.fuzz.table import counted, progress

SPECIMEN = Specimen(
    inputs=np.array([[0.0], [1.0], [2.0]]),
    labels=np.array([0, 1, 1]),
    layers=({"kind": "dense", "width": 3, "activation": "square", "skip": True},),
    u=np.linspace(-1.0, 2.0, 6),
    v=np.zeros((3, 2)),
)
FALSE = '''
import numpy as np
from hypothesis import strategies as st
from verifier import Verdict, fuzz
LAYER = {"kind": "dense", "width": 1, "activation": "tanh", "skip": True}
def specimens():
    rows = st.integers(2, 5).map(lambda n: np.arange(float(n))[:, None])
    return rows.map(lambda x: fuzz.Specimen(x, np.arange(len(x)) % 2, (LAYER,), np.zeros(2), np.zeros((1, 2))))
def conjecture(specimen):
    """No problem has 3 samples."""
    return Verdict.REFUTED if len(specimen.inputs) == 3 else Verdict.PROVED
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    set_hypothesis_home_dir(None)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return SPECIMEN.write(tmp_path / "case")


@pytest.fixture
def conjecture(tmp_path: Path) -> Path:
    path = tmp_path / "three.py"
    path.write_text(FALSE)
    return path


def fuzz(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """Run the command; nothing on stderr."""
    assert _guarded(["fuzz", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must fail with one line on stderr."""
    assert _guarded(["fuzz", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verifier: ")
    assert err.count("\n") == 1, err
    return err


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    out = fuzz(capsys, "--list")
    assert all(name in out for name in PROPERTIES)
    words = "half_scale, joined_by_a_line, one_unit_short, strict_minima, tied_biases"
    assert f"Worked conjectures (--conjecture NAME): {words}" in " ".join(out.split())
    assert "the independent checker accepts." in out


def test_one_property_in_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verifier", "fuzz", "exact-rank", "--examples", "2"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0
    assert found.stderr == ""
    assert found.stdout.startswith("TESTED     exact-rank: no counterexample in 2 examples in ")
    assert {path.name for path in tmp_path.iterdir()} <= {"verifier-out"}


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(fuzz(capsys, "exact-rank", "engines-agree", "--examples", "2", "--seed", "3", "--json"))
    assert document["seed"] == 3
    assert [(found["name"], found["examples"]) for found in document["results"]] == [
        ("exact-rank", 2),
        ("engines-agree", 2),
    ]
    assert all(found["counterexample"] is None for found in document["results"])


def test_a_counterexample_is_shown_and_replayed(
    conjecture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = fuzz(capsys, "--conjecture", conjecture, "--examples", "60", code=1)
    lines = out.splitlines()
    told = " ".join(out.split())
    assert told.startswith("REFUTED three: a counterexample was found (")
    assert "the conjecture's function says REFUTED searched for: No problem has 3 samples. seen: " in told
    assert "1 FALSIFIED" in told and any(line.startswith("    3 samples (") for line in lines)
    assert lines[-1].startswith("Next:        verifier run ")
    case = lines[-1].removeprefix("Next:        verifier run ")
    assert (tmp_path / case).is_file()
    assert case.startswith("verifier-out/fuzz/counterexamples/three-")
    assert {path.name for path in tmp_path.iterdir()} == {"three.py", "verifier-out"}
    again = fuzz(capsys, "--conjecture", conjecture, "--case", case, "--json", code=1)
    (found,) = json.loads(again)["results"]
    assert found["counterexample"]["case"] == case
    assert (found["examples"], found["outcomes"]) == (1, {"FALSIFIED": 1})
    remembered = fuzz(capsys, "--conjecture", conjecture, "--examples", "1", "--seed", "9", code=1)
    assert "(1 example in " in remembered


def test_a_case_that_holds(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = fuzz(capsys, "exact-rank", "--case", case)
    assert out.startswith("TESTED     exact-rank: no counterexample in 1 example in ")
    assert "seen: 1 PROVED, full" in out


def test_exact_fractions_do_not_judge_a_case_whose_activations_are_not_rational(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = replace(SPECIMEN, layers=({**SPECIMEN.layers[0], "activation": "tanh"},)).write(tmp_path / "tanh")
    assert "seen: 1 no rational activations" in fuzz(capsys, "exact-rank", "--case", case)


def test_a_case_that_crashes_the_check_is_a_finding(
    case: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: Any) -> int:
        raise ArithmeticError("out of [bold] numbers")

    monkeypatch.setattr("verifier.fuzz.oracle.exact_rank", crashes)
    out = fuzz(capsys, "exact-rank", "--case", case, code=1)
    assert "ArithmeticError: out of [bold] numbers" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exact-ranc"], "no property 'exact-ranc'; did you mean 'exact-rank'?"),
        (["exact-rank", "--conjecture", "half_scale"], "exclude each other"),
        (["--examples", "0"], "--examples"),
        (["--minutes", "-1"], "--minutes"),
        (["exact-rank", "--minutes", "nan"], "minutes"),
        (["exact-rank", "--case", "nowhere.toml"], "no case file nowhere.toml"),
        (["--conjecture", "nowhere.py"], "--conjecture nowhere.py: no such file"),
        (["exact-rank", "--examples", "2", "--out", "three.py/below"], "cannot write into three.py/below"),
    ],
)
def test_refusals(arguments: list[str], words: str, conjecture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in refused(capsys, *arguments)
    assert [path.name for path in conjecture.parent.iterdir()] == ["three.py"]


def test_a_strategy_that_breaks_is_one_line(conjecture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "def specimens():\n    from hypothesis import strategies as st\n"
    broken = head + "    return st.integers().map(lambda k: k // 0)\n"
    conjecture.write_text(FALSE + broken)
    assert "no example can be drawn: ZeroDivisionError" in refused(capsys, "--conjecture", conjecture)


def test_outcomes_in_words() -> None:
    assert counted({}) == ""
    assert counted({"b": 2, "a": 2, "c": 5}) == "5 c, 2 a, 2 b"
    assert counted({str(k): k for k in range(1, 8)}) == "7 7, 6 6, 5 5, 4 4, 3 3, 3 other"


def test_progress_on_a_terminal() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with progress(terminal, "name [x]", 3) as watch:
        assert watch is not None
        watch(1, {"PROVED": 1})
        watch(2, {"PROVED": 1, "FALSIFIED": 1})
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "name [x]" in shown
    assert "shrinking" in shown
    with progress(Console(file=io.StringIO()), "name", None) as watch:
        assert watch is None
