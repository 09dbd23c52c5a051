"""`run_witness`: explicit where it can be, dense where not, refuted for every U by structure; .npy files; tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import verifier.run
from verifier.checker.certificate import check_file
from verifier.cli import _guarded
from verifier.errors import CaseError, DataError
from verifier.run.case import parse_case, read_case
from verifier.run.case_problem import run_case
from verifier.run.witnessing import run_witness, table_along_line
from verifier.verdict import Verdict

QUICK = Path(verifier.run.__file__).parent / "cases" / "quick"
DENSE = '\nnetwork.layers = [{ kind = "dense", width = 40, activation = "tanh", skip = true }]\n'


def accepted(file):
    found = check_file(str(file), 1)
    return found.verdict == "ACCEPTED", [claim["label"] for claim in found.claims]


@pytest.mark.parametrize(
    ("case", "label", "generic", "claims"),
    [
        ("xor", "W1", Verdict.PROVED, ["W1", "W0"]),
        ("wine-sigmoid", "W1", Verdict.PROVED, ["W1", "W0"]),
        ("breast-cancer-softplus", "W2", Verdict.PROVED, ["W2", "W0"]),
        ("start-gateway", "W1", Verdict.PROVED, ["W1", "W0"]),
        ("digits-conv2d", "W1/W2", Verdict.PROVED, ["R1", "W0"]),
        ("digits-gelu-concat", "W1/W2", Verdict.PROVED, ["R1", "W0"]),
        ("digits-sin", "W1/W2", Verdict.PROVED, ["R1", "W0"]),
        ("tied-bias", "W1/W2", Verdict.REFUTED, ["R5"]),
        ("digits-identity", "W1/W2", Verdict.REFUTED, ["R5"]),
        ("digits-few-units", "W1/W2", Verdict.REFUTED, ["R5"]),
        ("digits-relu", "W1/W2", Verdict.REFUTED, ["R1"]),
        ("digits-elu", "W1/W2", Verdict.UNDECIDED, ["R1"]),
    ],
)
def test_each_kind_of_network(case, label, generic, claims, tmp_path):
    report = run_witness(read_case(QUICK / f"{case}.toml"))
    assert report.steps[1].label == label and report.generic is generic
    assert accepted(report.builder.write(tmp_path / "w.json")) == (True, claims)


def test_samples_from_a_npy_file(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (30, 5), dtype=np.uint8))
    case = parse_case('data.path = "x.npy"' + DENSE, folder=tmp_path)
    report = run_witness(case)
    assert report.verdict("W0") is Verdict.PROVED and "mapped" in report.data
    assert accepted(report.builder.write(tmp_path / "w.json")) == (True, ["W1", "W0"])
    with pytest.raises(CaseError, match="only `verifier witness` needs none"):
        run_case(case)
    for extra in ("samples = 3", "scale = 2"):
        with pytest.raises(CaseError, match="do not apply"):
            run_witness(parse_case(f'data.path = "x.npy"\ndata.{extra}' + DENSE, folder=tmp_path))
    with pytest.raises(DataError, match="shape"):
        run_witness(parse_case('data.path = "x.npy"\ndata.shape = [2, 2]' + DENSE, folder=tmp_path))
    np.save(tmp_path / "x.npy", np.zeros((30, 5)))
    equal = run_witness(case)
    assert equal.verdict("L3.2 construction") is Verdict.REFUTED and "are equal" in equal.steps[1].reason
    assert equal.generic is Verdict.REFUTED and equal.steps[-1].label == "L3.2 genericity"


def test_random_u_are_tested_as_well():
    report = run_witness(read_case(QUICK / "xor.toml"), trials=4)
    assert report.genericity.fraction == 1.0 and report.steps[-1].verdict is Verdict.TESTED


def test_a_line_through_a_deficient_point(tmp_path):
    """sigma_N is 0 at t = 0 only: a rank-deficient U is isolated on a generic line."""
    found = table_along_line(read_case(QUICK / "xor.toml"), tmp_path / "line.csv")
    assert found["points"] == 33 and found["full_rank"] == 32
    rows = list(csv.DictReader((tmp_path / "line.csv").read_text().splitlines()))
    zero = [row for row in rows if float(row["t"]) == 0.0]
    assert len(rows) == 33 and float(zero[0]["sigma_lower"]) == 0.0 == float(zero[0]["sigma_upper"])
    assert all(float(row["sigma_lower"]) > 0 for row in rows if float(row["t"]) != 0.0)
    with pytest.raises(CaseError, match="at most 200 samples"):
        table_along_line(parse_case('data.name = "digits"' + DENSE), tmp_path / "x.csv")


def test_the_command(tmp_path, capsys):
    case = str(QUICK / "xor.toml")
    assert _guarded(["witness", case, "--out", str(tmp_path / "w.json"), "--seeds", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [step["label"] for step in document["steps"]] == ["analytic", "W1", "L3.2 construction", "W0", "sampled"]
    assert Path(document["certificate"]).is_file() and document["line"] is None
    assert _guarded(["witness", case, "--line", str(tmp_path / "l.csv")]) == 0
    assert "32 of 33 points" in " ".join(capsys.readouterr().out.split())
    assert _guarded(["witness", str(QUICK / "tied-bias.toml")]) == 1
    assert _guarded(["witness", case, "--out", "w.txt"]) == 2
    assert "ends in .json" in capsys.readouterr().err


@pytest.mark.parametrize(("escape", "code"), [("E4", 0), ("E3", 0), ("E2", 3), ("E9", 2)])
def test_path_by_one_escape(escape, code, capsys, tmp_path):
    text = (QUICK / "start-gateway.toml").read_text().split("[expect]")[0].replace("data/", f"{QUICK}/data/")
    (tmp_path / "gate.toml").write_text(text)
    assert _guarded(["path", str(tmp_path / "gate.toml"), "--escape", escape]) == code
    said = capsys.readouterr()
    assert ("no such escape" in said.err) if code == 2 else (escape in said.out)
