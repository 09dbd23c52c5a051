"""A certificate that is too expensive to check: neither accepted nor rejected, exit code 3, checked again later."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
from commands import verifier
from everyday import one_in
from rich.console import Console

import verifier as vf
from verifier.certificate import check_process as recheck
from verifier.certificate.check_process import limit_options
from verifier.errors import InputError
from verifier.report.page import write_report
from verifier.report.results import read_results
from verifier.report.sentences import summary
from verifier.run.case import Case, parse_case
from verifier.run.case_problem import run_case
from verifier.run.family import read_cases
from verifier.run.record import CaseRecord, CheckRecord
from verifier.run.runner import run_cases
from verifier.run.table import ProgressDisplay, print_summary

CASE = """
title = "small"
data = { name = "digits", samples = 16 }
network.layers = [{ kind = "dense", width = 24, activation = "tanh", skip = true }]
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_case(parse_case(CASE), parts=frozenset({"rank"}))[1].write(tmp_path_factory.mktemp("one") / "c.json")


def quiet() -> ProgressDisplay:
    return ProgressDisplay(Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("verdict", "ok", "checked", "code"),
    [
        ("ACCEPTED", True, True, 0),
        ("REJECTED", False, True, 1),
        ("UNREADABLE", False, False, 1),
        ("TOO EXPENSIVE", True, False, 3),
    ],
)
def test_a_record_with_each_answer(verdict: str, ok: bool, checked: bool, code: int) -> None:
    answer = CheckRecord(verdict, "why", 1.0)
    record = CaseRecord(name="x", title="", toml="", certificate="x.json", check=answer)
    assert (record.ok, record.checked, record.exit_code) == (ok, checked, code)
    assert answer.accepted == (verdict == "ACCEPTED")
    surprised = msgspec.structs.replace(record, surprises=("rank: expected REFUTED",))
    assert surprised.exit_code == 1


def test_the_api_and_its_limits(certificate: Path) -> None:
    assert vf.check(certificate).accepted
    assert vf.check(certificate, memory=0, cpu_seconds=0).accepted
    answer = vf.check(certificate, memory=0.001)
    assert (answer.verdict, answer.accepted) == ("TOO EXPENSIVE", False)
    assert answer.reason.startswith("cost.memory at /: the check needs more than 0.001 GiB")
    assert "TOO EXPENSIVE" in repr(answer) or "TOO EXPENSIVE" in str(answer)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(InputError, match="memory"):
            vf.check(certificate, memory=wrong)


def test_options_of_the_checker() -> None:
    assert limit_options(None, None) == []
    assert limit_options(0.5, 2.5) == ["--memory", "0.5", "--cpu-seconds", "3"]
    assert limit_options(0, 0) == ["--memory", "0", "--cpu-seconds", "0"]


@pytest.mark.parametrize(("options", "code"), one_in(3, [(["--memory", "0.001"], 3), ([], 0), (["--memory", "-1"], 2)]))
def test_the_command_line(options: list[str], code: int, certificate: Path) -> None:
    found = verifier("check", "--json", *options, certificate)
    assert found.returncode == code, found.stderr
    if code != 2:
        (result,) = json.loads(found.stdout)["results"]
        assert result["verdict"] == {0: "ACCEPTED", 3: "TOO EXPENSIVE"}[code]


def cases(folder: Path) -> list[Case]:
    (folder / "small.toml").write_text(CASE)
    return read_cases(folder / "small.toml")


def test_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table, results.json and the report say it; a run with higher limits checks what is there."""
    out = tmp_path / "out"
    command = recheck.checker_command
    monkeypatch.setattr(recheck, "checker_command", lambda arguments: command(["--memory", "0.001", *arguments]))
    result = run_cases(cases(tmp_path), out, quiet())
    assert result.exit_code == 3
    (record,) = result.records
    assert record.check is not None and record.check.verdict == "TOO EXPENSIVE"
    said = io.StringIO()
    print_summary(Console(file=said, width=400), result, str(out))
    assert "did not accept the certificate (it was too expensive to check" in said.getvalue()
    assert "NOT as expected" not in said.getvalue()
    assert "--memory GIB raises it" in said.getvalue()
    (entry,) = read_results(out / "results.json").records
    assert entry.check is not None and entry.check.verdict == "TOO EXPENSIVE"
    assert "accepted 0 of 1 certificate (1 too expensive to check)" in summary([entry])
    assert "too expensive to check, so it is neither accepted nor rejected" in write_report(out).read_text()
    monkeypatch.setattr(recheck, "checker_command", command)
    again = run_cases(cases(tmp_path), out, quiet())
    assert again.exit_code == 0
    (record,) = again.records
    assert record.check is not None and record.check.accepted
