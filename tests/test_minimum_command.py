"""``verifier minimum``: the conclusion first, exit codes, numbers on the safe side, one line for bad input."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from verifier import Verdict, fuzz
from verifier.cli import _guarded
from verifier.cli.minimum import conclusion, numbers

PLACES = {-1.5: "aab", -1.0: "abb", 0.0: "aaab", 1.25: "abbb", 2.25: "ab"}
DATA = "x,label\n" + "".join(f"{x},{label}\n" for x, labels in PLACES.items() for label in labels)
LAYER = '{{ kind = "dense", width = {}, activation = "{}", skip = true }}'
CASE = f'data = {{{{ path = "data.csv" }}}}\nnetwork.layers = [{LAYER}]\n'


def case(folder: Path, width: int = 1, activation: str = "sin", more: str = "") -> Path:
    (folder / "data.csv").write_text(DATA)
    (folder / "case.toml").write_text(CASE.format(width, activation) + more)
    return folder / "case.toml"


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_bad_valley_is_refuted_in_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: None
) -> None:
    assert _guarded(["minimum", str(case(tmp_path)), "--trials", "3", "--out", str(tmp_path / "m.json")]) == 0
    said, trouble = capsys.readouterr()
    first = " ".join(said.split())
    assert first.startswith(
        "case REFUTED no bad local valley: around a strict local minimum (BM) the loss is at least 0."
    )
    told, _, file = said.partition("Certificate: ")
    assert trouble == "" and max(map(len, told.splitlines())) <= 80
    assert Path(file.splitlines()[0].strip()).is_file()


def test_weight_decay_is_said_to_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decay = 'losses.weight_decay = "0.01"\n'
    assert _guarded(["minimum", str(case(tmp_path, activation="softplus", more=decay)), "--trials", "1"]) == 3
    assert "about the loss WITHOUT weight decay" in " ".join(capsys.readouterr().out.split())


def test_nothing_certain_is_exit_code_3_and_json_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--json", "--trials", "1", "--out", str(tmp_path / "m.json")]
    assert _guarded(["minimum", str(case(tmp_path, activation="softplus")), *out]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["no_bad_local_valley"]) == ("UNDECIDED", "UNDECIDED")
    assert document["certificate"] is None and not (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    ("width", "arguments", "words"),
    [
        (5, (), "M = 5 >= N = 5: no suboptimal point is a strict local minimum (C2+)"),
        (-1, (), "computes the same, so that no point is a strict local minimum"),
        (1, ("--trials", "0"), "--trials: must be at least 1"),
        (1, ("--out", "m.txt"), "a certificate's name ends in .json"),
    ],
)
def test_what_cannot_be_asked_gets_one_line(
    width: int, arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = case(tmp_path, width) if width > 0 else case(tmp_path, activation="relu")
    assert _guarded(["minimum", str(file), *arguments]) == 2
    said, trouble = capsys.readouterr()
    assert said == "" and trouble.count("\n") == 1 and words in trouble


def test_printed_numbers_are_on_the_safe_side(tmp_path: Path) -> None:
    found = fuzz.Specimen.of_case(case(tmp_path)).minimum(trials=3)
    assert found.bad is Verdict.PROVED and found.better is not None
    said = dict(numbers(found))
    low, high = (Fraction(x) for x in re.findall(r"[\d.]+(?:e-\d+)?", said["loss at the point"]))
    assert low <= found.value[0].fraction() <= found.value[1].fraction() <= high
    printed = {name: Fraction(re.findall(r"\d[\d.]*(?:e-\d+)?", words)[0]) for name, words in said.items()}
    assert printed["ball around it"] <= found.radius.fraction()
    assert printed["curvature in it"] <= found.curvature.fraction()
    assert printed["gradient"] >= found.gradient.fraction()
    rise = found.curvature.fraction() * found.radius.fraction() ** 2 / 2
    assert 0 < printed["rim of the valley"] <= rise - found.gradient.fraction() * found.radius.fraction()
    floor, better = printed["loss in the ball"], printed["a better point"]
    assert found.better.loss.fraction() <= better < floor <= found.floor.fraction()
    assert conclusion(found)[1].endswith("at another point.")
