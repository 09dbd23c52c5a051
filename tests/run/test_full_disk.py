"""A disk that is full and a folder that is read-only: one line, exit code 2, nothing half-written, resumable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import FAMILY, SILENT, environment, family, ledger_rows, results, timeless, verifier

from verifier.run.family import read_cases
from verifier.run.runner import run_cases


def _one_line(found: subprocess.CompletedProcess[str]) -> str:
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1 and found.stderr.startswith("verifier: cannot ")
    return found.stderr


@pytest.mark.parametrize(
    "limit", [60_000, *(pytest.param(limit, marks=pytest.mark.thorough) for limit in (1000, 30_000, 120_000))]
)
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(limit: int, calm: Path, tmp_path: Path) -> None:
    path, out = family(tmp_path), tmp_path / "out"
    _one_line(verifier("run", path, "--out", out, file_bytes=limit))
    assert not list(tmp_path.glob("**/*.part"))
    for document in (out / "certificates").glob("*.json"):
        assert (
            document.with_suffix(".safetensors").stat().st_size == json.loads(document.read_text())["arrays"]["bytes"]
        )
    assert not (out / "results.json").exists()
    done = sum(done for _, done in ledger_rows(out / "ledger.sqlite").values())
    found = run_cases(read_cases(path), out, SILENT)
    assert (found.from_ledger, found.exit_code) == (done, 0)
    assert timeless(results(out)) == timeless(results(calm))


SCRIPT = """
set -e
mount -t tmpfs -o size=$SIZE tmpfs "$OUT"
run() {
  code=0
  "$PYTHON" -m verifier run "$FAMILY" --out "$OUT/out" --jobs "$JOBS" --json || code=$?
  echo "code $code"
}
run
find "$OUT" -name '*.part'
mount -o remount,ro "$OUT"
run
mount -o remount,rw,size=50m "$OUT"
run
"""


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_small_file_system_that_becomes_read_only_and_then_large(jobs: int, tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0:
        pytest.skip("needs a mount namespace (unshare -rm)")
    (tmp_path / "mounted").mkdir()
    three = FAMILY.replace('"start.seed" = [0, 1]', '"start.seed" = [0]')
    given = {
        "SIZE": "120k", "OUT": str(tmp_path / "mounted"), "PYTHON": sys.executable,
        "FAMILY": str(family(tmp_path, three)), "JOBS": str(jobs),
    }  # fmt: skip
    command = ["unshare", "-rm", "bash", "-c", SCRIPT]
    found = subprocess.run(command, capture_output=True, text=True, env=environment() | given, check=False)
    assert found.returncode == 0, found.stderr
    full, read_only = found.stderr.splitlines()
    assert "No space left" in full or "full" in full or "I/O" in full
    assert "read-only" in read_only.lower() or "readonly" in read_only
    assert found.stdout.startswith("code 2\ncode 2\n{") and found.stdout.endswith("code 0\n")
    document = json.loads(found.stdout.removeprefix("code 2\ncode 2\n").removesuffix("code 0\n"))
    assert [case["ok"] for case in document["cases"]] == [True] * 3


@pytest.mark.parametrize("out", ["/proc/verifier-out", "/dev/null", "/dev/null/out"])
def test_a_folder_that_cannot_be_made(out: str, tmp_path: Path) -> None:
    assert f"cannot write {out}" in _one_line(verifier("run", family(tmp_path), "--out", out))
