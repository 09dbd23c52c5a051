"""What was understood of a file is one line of every output: the terminal, JSON, results.json, `verify`."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import verifier as vf
from verifier.cli import _guarded
from verifier.errors import DataError

ROWS = "".join(f"{k},{1.5 * k},{0.5 * k * k - k},{'xy'[k % 2]}\n" for k in range(6))
UNDERSTOOD = (
    "6 rows x 2 columns (a, b); label kind: 2 classes, x = 0, y = 1; comma-separated, header in line 1; left out:"
    " column 1, unnamed, which counts the rows (data.drop = [] keeps it)"
)
CASE = """
[data]
path = "d.csv"
[network]
layers = [{ kind = "dense", width = 8, activation = "tanh", skip = true }]
[start]
file = "w.safetensors"
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text(",a,b,kind\n" + ROWS)
    (tmp_path / "c.toml").write_text(CASE)
    rng = np.random.default_rng(0)
    save_file({"0.weight": rng.normal(size=(8, 2)), "0.bias": rng.normal(size=8)}, tmp_path / "w.safetensors")
    return tmp_path / "c.toml"


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


START = "U from w.safetensors: '0.weight', '0.bias' in this order; the file has no V, which is drawn: gaussian, seed 0"


def test_in_the_terminal(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["rank", str(case)], ["path", str(case)], ["run", str(case), "--out", str(tmp_path / "out")]):
        assert _guarded(arguments) in (0, 3)
        printed = words(capsys)
        assert f"read as: {UNDERSTOOD} " in printed and f"start: {START} " in printed
    (entry,) = json.loads((tmp_path / "out" / "results.json").read_text())["cases"]
    assert (entry["understood"], entry["start"]) == (UNDERSTOOD, START)
    assert "left out: column 1, unnamed" in (tmp_path / "out" / "report.html").read_text()
    assert _guarded(["witness", str(case)]) in (0, 3)
    assert f"read as: {UNDERSTOOD} " in words(capsys)


def test_in_json(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["rank", "--json"], ["rank", "--svd", "--json", "--digits", "3"], ["witness", "--json"]):
        _guarded([arguments[0], str(case), *arguments[1:]])
        assert json.loads(capsys.readouterr().out)["understood"] == UNDERSTOOD


def test_in_python(case: Path, tmp_path: Path) -> None:
    network = vf.Dense(8, "tanh", skip=True)
    found = vf.verify(tmp_path / "d.csv", network=network)
    assert found.data.understood == UNDERSTOOD
    assert f"data: {UNDERSTOOD}" in " ".join(str(found).split())
    (tmp_path / "d.csv").write_text(",a,b,kind\n" + ROWS.replace("1,1.5,", "1,?,"))
    with pytest.raises(DataError, match=r"data\.KEY = VALUE is here verify\(load_dataset\(path=\.\.\., KEY=VALUE\)"):
        vf.verify(str(tmp_path / "d.csv"), network=network)
    found = vf.verify(vf.load_dataset(path=tmp_path / "d.csv", missing="drop rows"), network=network)
    assert "1 row with missing values left out (line 3)" in found.data.understood


def test_what_is_refused_ends_with_code_2(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.csv").write_text("a,town,kind\n1,Rome,x\n2,Oslo,y\n")
    for arguments in (["rank", str(case)], ["run", str(case), "--out", str(tmp_path / "o")]):
        assert _guarded(arguments) == 2
        captured = capsys.readouterr()
        said = [line for line in (captured.out + captured.err).splitlines() if "Rome" in line]
        assert said and all('data.drop = ["town"]' in line for line in said)
        assert "Traceback" not in captured.out + captured.err
