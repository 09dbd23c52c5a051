"""Results as tables of pandas; a path that is asked for where none was certified."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import verifier as vf
from verifier.cli import _guarded

CASE = """[data]
path = "xor.csv"
[network]
layers = [{ kind = "dense", width = 2, activation = "tanh", skip = true }]
[[vary]]
"network.layers" = [
  [{ kind = "dense", width = 2, activation = "tanh", skip = true }],
  [{ kind = "dense", width = 5, activation = "tanh", skip = true }],
]
"""
XOR = "x1,x2,label\n0,0,even\n0,1,odd\n1,0,odd\n1,1,even\n"


@pytest.fixture(scope="module")
def report() -> vf.Report:
    return vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], vf.Dense(4, "tanh", skip=True))


def test_a_row_for_each_step_and_statement(report: vf.Report) -> None:
    table = report.to_frame()
    assert list(table.columns) == ["label", "name", "verdict", "reason", "rests_on", "applies", "seconds"]
    decided = [*report.steps, *report.theorem.steps]
    assert table.label.tolist() == [each.label for each in decided]
    assert table.verdict.tolist() == [str(each.verdict) for each in decided]
    assert all(table.name) and not table.applies.all()
    assert table.seconds.notna().sum() == len(report.steps)


def test_without_pandas_the_remedy_is_one_line(report: vf.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(vf.InputError, match="pip install pandas"):
        report.to_frame()


def test_a_run_becomes_a_table(tmp_path: Path) -> None:
    (tmp_path / "xor.csv").write_text(XOR)
    (tmp_path / "family.toml").write_text(CASE)
    assert _guarded(["run", str(tmp_path / "family.toml"), "--out", str(tmp_path / "out")]) == 1
    table = vf.read_results(tmp_path / "out").to_frame()
    assert table.M.tolist() == [2, 5] and table.N.tolist() == [4, 4]
    assert table["rank"].tolist() == ["REFUTED", "PROVED"] and table.no_bad_valley.tolist() == ["UNDECIDED", "PROVED"]
    assert table.sigma_lower[0] == 0 < table.sigma_lower[1]
    assert table.check.tolist() == ["ACCEPTED", "ACCEPTED"] and table.ok.all()


def test_a_path_that_was_not_certified_says_why() -> None:
    few = vf.verify([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], vf.Dense(1, "tanh", skip=True))
    assert not few.has_path
    with pytest.raises(vf.InputError, match=r"none was certified, ask report\.has_path first: "):
        _ = few.path
    conflict = vf.verify([[0.0], [0.0], [1.0]], [0, 1, 0], vf.Dense(4, "tanh", skip=True))
    with pytest.raises(vf.InputError, match=r"report\.near_infimum"):
        _ = conflict.path


def test_a_path_that_was_not_asked_for(report: vf.Report) -> None:
    assert report.has_path and report.path.sample([0.0])[0][1] > 0
    only = vf.prove(report.problem, vf.Options(parts=frozenset({"rank"})))
    with pytest.raises(vf.InputError, match="add 'path' to the parts"):
        _ = only.path
