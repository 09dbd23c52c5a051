"""A run whose certificate cannot hold everything: it ends accepted, and says in every place what was left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from verifier.certificate.cost import expected, predict
from verifier.certificate.size import Size
from verifier.errors import CaseError
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.report.page import write_report
from verifier.run.case import parse_case
from verifier.run.case_problem import case_options
from verifier.run.runner import run_cases
from verifier.run.table import ProgressDisplay, print_steps, print_summary
from verifier.run.toml import case_toml

CASE = """
[data]
path = "data.csv"

[network]
layers = [{ kind = "dense", width = 330, activation = "tanh", skip = true }]

[certificate]
max_check_seconds = %s
"""


def made_up(folder: Path, samples: int) -> None:
    """Random samples with three decimals and labels 0..2."""
    rng = np.random.default_rng(1)
    rows = np.round(rng.uniform(-2, 2, (samples, 4)), 3)
    lines = [
        ",".join([*map(str, row), str(label)]) for row, label in zip(rows, rng.integers(0, 3, samples), strict=True)
    ]
    (folder / "data.csv").write_text("a,b,c,d,label\n" + "\n".join(lines) + "\n")


def test_a_run_says_what_its_certificate_lacks(tmp_path: Path) -> None:
    made_up(tmp_path, 300)
    size = Size.of(Network(4, [Dense(330, "tanh", skip=True)]), 300, 3)
    limit = 1.2 * predict(expected(size, ["Z1", "P1", "Z2", "C3", "W1", "W0", "E4"]), size).seconds
    case = parse_case(CASE % f"{limit:.3f}", name="lean", folder=tmp_path)
    with (tmp_path / "log").open("w") as log:
        result = run_cases([case], tmp_path / "out", ProgressDisplay(Console(file=log)))
    (record,) = result.records
    assert record.check is not None
    assert record.check.verdict == "ACCEPTED"
    assert record.exit_code == 0
    assert [left.label for left in record.left_out] == ["R1", "B1", "C1", "GDV"]
    entry = json.loads((tmp_path / "out" / "results.json").read_text())["cases"][0]
    assert [left["label"] for left in entry["left_out"]] == ["R1", "B1", "C1", "GDV"]
    assert entry["left_out"][0]["what"] == "full row rank at this U"
    page = write_report(tmp_path / "out").read_text()
    assert "Proved, but not in the certificate: " in page
    assert "which does not hold everything that was proved" in page
    with (tmp_path / "log").open("w") as log:
        console = Console(record=True, width=400, file=log)
        print_steps(console, record)
        print_summary(console, result, str(tmp_path / "out"))
    text = " ".join(console.export_text().split())
    assert "Proved, but not in the certificate: R1 (full row rank at this U" in text
    assert "ACCEPTED the certificate" in text and "; it does not hold everything that was proved (see above)" in text
    again = parse_case(record.toml, name="lean", folder=tmp_path)
    assert case_options(again).limits == case_options(case).limits


def test_the_limits_of_a_case_are_read_and_written() -> None:
    case = parse_case(CASE % "42" + "max_check_gib = 1.5\n")
    assert (case_options(case).limits.seconds, case_options(case).limits.gib) == (42.0, 1.5)
    assert case_options(parse_case(case_toml(case))).limits == case_options(case).limits
    usual = parse_case(CASE.partition("[certificate]")[0])
    assert case_options(usual).limits.seconds == 300.0


@pytest.mark.parametrize("value", ["0", "-1.0", "nan", "inf", "1e7"])
def test_a_limit_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(CaseError, match="max_check_seconds"):
        parse_case(CASE % value)
