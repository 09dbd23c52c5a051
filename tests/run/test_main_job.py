"""The main job in full: all of digits on both networks. Minutes, so marked slow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_main_job_proves_everything_within_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verifier", "run", "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    cases = {case["name"]: case for case in document["cases"]}
    for name in ("digits-wide", "digits-deep"):
        verdicts = cases[name]["verdicts"]
        assert {verdicts[key] for key in ("analytic", "rank", "zero_loss", "path")} == {"PROVED"}
        assert cases[name]["check"]["verdict"] == "ACCEPTED"
    assert all(case["ok"] for case in cases.values())
    assert document["peak_bytes"] + document["checker_peak_bytes"] < 6 * 2**30


@pytest.mark.slow
def test_the_full_suite_is_as_expected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verifier", "run", "--suite", "full", "--jobs", "2", "--json"]
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["cases"]) >= 400
    assert [case["name"] for case in document["cases"] if not case["ok"]] == []
    assert {case["check"]["verdict"] for case in document["cases"]} == {"ACCEPTED"}
    report = (tmp_path / "out" / "report.html").read_bytes()
    assert len(report) <= 3 * 2**20 and report.count(b"<svg") > 800  # with pictures, and small enough to hand on
