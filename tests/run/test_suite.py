"""The packaged suite: every case gives the verdicts it expects, and the checker accepts every certificate."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rich.console import Console
from running import until

from verifier.certificate.check_process import CheckerProcess
from verifier.certificate.schema import json_schema
from verifier.certificate.show import describe
from verifier.run.case import parse_case, read_case
from verifier.run.case_problem import case_problem, run_case
from verifier.run.record import SuiteResult
from verifier.run.runner import packaged_cases, run_cases
from verifier.run.table import ProgressDisplay, print_summary, print_table
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.claims.catalogue import CLAIMS
from verifier.verdict import Verdict

LONG = {"float-rank-too-large", "iris-losses", "iris-square", "iris-tanh", "wine-sigmoid"}
LONG |= {f"start-{name}" for name in ("cloned-deep", "constant-units", "huge-margins", "zero-deep", "zero-random")}
LONG |= {f"digits-{name}" for name in ("identity", "cloned", "leaky-relu", "sin", "conv2d", "zero-output", "relu")}
LONG |= {f"digits-{name}" for name in ("gelu-residual", "elu", "lora", "conv2d-pool", "max-pool-relu", "swiglu", "dag")}
LONG |= {f"digits-{name}" for name in ("erf", "hard-tanh", "gelu-concat", "silu", "cubic", "constant-units")}
LONG |= {f"digits-{name}" for name in ("attention", "resnet-batchnorm", "recurrent", "zero-start", "few-units")}
"""Cases of the quick suite that take much of its time; the main job runs them, too, as does `pytest -m slow`."""

FEW_UNITS = """
title = "M = 12 < N = 16"
data.name = "digits"
data.samples = 16
network.layers = [{ kind = "dense", width = 12, activation = "tanh", skip = true }]
expect = { analytic = "PROVED", rank = "REFUTED", zero_loss = "PROVED", path = "PROVED", generic = "REFUTED" }
"""
"""What digits-few-units is about, small."""


@pytest.mark.parametrize("left_out", [LONG, pytest.param(set(), marks=pytest.mark.slow)], ids=["most", "all"])
def test_the_quick_suite(left_out: set[str], tmp_path: Path) -> None:
    """All that is asked of one run of it, in one test: processes of pytest-xdist would each make their own."""
    display = ProgressDisplay(Console(file=io.StringIO(), force_terminal=True))
    cases = [case for case in packaged_cases("quick") if case.name not in left_out]
    cases.append(parse_case(FEW_UNITS, name="few-units"))
    result = run_cases(cases, tmp_path, display)
    is_as_expected(result)
    has_negative_controls_and_all_verdicts(result, tmp_path)
    is_written_once_and_whole(result, tmp_path)
    has_a_table_of_80_columns(result)
    decides_one_dimensional_data_far_below_binary64(result, tmp_path)
    certificates_fit_the_published_schema(result, tmp_path)


def is_as_expected(result: SuiteResult) -> None:
    assert {r.name: (r.surprises, r.check, r.error) for r in result.records if not r.ok} == {}
    assert result.exit_code == 0
    assert len(result.records) >= 22


def has_negative_controls_and_all_verdicts(result: SuiteResult, out: Path) -> None:
    records = result.records
    found = {r.verdict("rank") for r in records} | {r.verdict("path") for r in records}
    assert found == {Verdict.PROVED, Verdict.REFUTED, Verdict.UNDECIDED}
    ranks = [step for record in records for step in record.steps if step.key == "rank"]
    assert {step.label for step in ranks} == {"R1", "R3", "R5", "R6"}
    claims = [claim for record in records for claim in _document(out / str(record.certificate))["claims"]]
    assert {claim["reason"] for claim in claims if claim["label"] == "R5"} == {
        "fewer-units",
        "equal-samples",
        "dependent-units",
        "every-u",
    }


def _document(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_every_case_expects_something() -> None:
    for suite in ("main", "quick"):
        for case in packaged_cases(suite):
            assert case.expected, case.name
            assert case.file.title, case.name


def is_written_once_and_whole(result: SuiteResult, out: Path) -> None:
    document = json.loads((out / "results.json").read_text())
    assert len(document["cases"]) == len(result.records)
    assert not list(out.glob("**/*.part"))
    for case in document["cases"]:
        assert case["ok"] is True
        assert case["check"]["verdict"] == "ACCEPTED"
        assert Path(case["certificate"]).is_file()


def has_a_table_of_80_columns(result: SuiteResult) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    print_table(console, result)
    print_summary(console, result, "out")
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if line.rstrip().endswith(" ok")]) == len(result.records)
    assert "BAD" not in stream.getvalue()


def test_an_unexpected_verdict_is_seen(tmp_path: Path) -> None:
    case = tmp_path / "wrong.toml"
    case.write_text(
        'data.name = "digits"\ndata.samples = 12\nexpect.rank = "REFUTED"\n'
        'network.layers = [{ kind = "dense", width = 20, activation = "tanh", skip = true }]\n'
    )
    result = run_cases([read_case(case)], tmp_path / "out", ProgressDisplay(Console(file=io.StringIO())))
    assert result.exit_code == 1
    assert result.records[0].surprises == ("rank: expected REFUTED, got PROVED",)


def decides_one_dimensional_data_far_below_binary64(result: SuiteResult, out: Path) -> None:
    record = next(r for r in result.records if r.name == "line")
    assert [step.label for step in record.steps if step.key == "rank"] == ["R3"]
    (claim,) = [c for c in _document(out / str(record.certificate))["claims"] if c["label"] == "R3"]
    sigma = claim["sigma_lower"]
    assert 0 < int(sigma["mantissa"]) * 2.0 ** sigma["exponent"] < 1e-30


def test_duplicates_are_grouped_with_their_multiplicity() -> None:
    case = next(c for c in packaged_cases("quick") if c.name == "iris-tanh")
    instance = case_problem(case)
    assert instance.rows.samples == 149
    assert instance.rows.total == 150
    assert sorted(np.unique(instance.rows.multiplicities)) == [1, 2]


def test_conflicting_labels_report_the_positive_infimum() -> None:
    """Three equal samples, labels b, b, a among six: inf = (3/6) H(1/3)."""
    case = next(c for c in packaged_cases("quick") if c.name == "conflicting-labels")
    report, builder = run_case(case)
    step = next(s for s in report.steps if s.key == "zero_loss")
    assert step.verdict is Verdict.REFUTED
    p = 1 / 3
    truth = 0.5 * -(p * np.log(p) + (1 - p) * np.log(1 - p))
    (low,) = (float(x) for x in re.findall(r"inf Phi >= ([0-9.]+) > 0", step.reason))
    assert truth - 1e-4 <= low <= truth
    (path,) = [claim for claim in builder._claims if claim["label"] == "TC.3"]
    end = int(path["end_loss"]["mantissa"]) * 2.0 ** path["end_loss"]["exponent"]
    assert truth <= end <= truth + 1e-6


def test_a_stopped_checker_leaves_no_worker_behind(tmp_path: Path) -> None:
    """Killed with its workers while it checks a certificate that takes a while."""
    text = (
        'data.name = "digits"\ndata.samples = 150\n'
        'network.layers = [{ kind = "dense", width = 2000, activation = "tanh", skip = true }]\n'
    )
    certificate = run_case(parse_case(text), parts=frozenset({"path"}))[1].write(tmp_path / "c.json")
    process = CheckerProcess([certificate], jobs=2)
    group = process.process.pid
    assert until(lambda: len(_alive(group)) == 4)  # it, the process that checks the file, and two workers
    process.stop()
    until(lambda: not _alive(group), 20)  # the system takes a moment to end them
    assert _alive(group) == []


def _alive(group: int) -> list[Path]:
    """The processes of a group that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # a process that ended meanwhile
            state, _, its = entry.read_text().rpartition(")")[2].split()[:3]
            if int(its) == group and state != "Z":
                found.append(entry)
    return found


def certificates_fit_the_published_schema(result: SuiteResult, out: Path) -> None:
    schema = json_schema()
    validator = jsonschema.validators.validator_for(schema)(schema)
    labels = set()
    for record in result.records:
        certificate = out / str(record.certificate)
        document = _document(certificate)
        assert not list(validator.iter_errors(document)), record.name
        labels |= {claim["label"] for claim in document["claims"]}
        assert describe(certificate)
    others = {claim.label() for each in STATEMENTS.values() if each.prove is None for claim in each.claims}
    assert labels == set(CLAIMS) - others - {"J2", "R6", "S", "Z0.error"}  # J2 is about regressions
