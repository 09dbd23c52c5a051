"""kill -9 at any moment: what is finished stays finished, nothing is torn, the end is that of an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from running import FAMILY, certificates, family, ledger_rows, results, start, timeless, until, verifier, workers_of


@dataclass
class Experiment:
    """Runs that are killed, one after the other, in one folder; the ledger is looked at after each."""

    family: Path
    out: Path
    jobs: int
    kills: int = 0
    again: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    run: str = ""
    finished: bool = False

    def kill(self, delay: float, *, group: bool = True) -> None:
        """Start, wait until the ledger is there and then ``delay`` seconds, and kill without mercy."""
        process = start("run", self.family, "--out", self.out, "--jobs", self.jobs, "--json")
        until(lambda: process.poll() is not None or _has_lock(process.pid))
        time.sleep(delay)
        if process.poll() is None:
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            self.kills += 1
        else:
            assert process.returncode == 0, process.stderr.read()
        process.communicate()
        self.look()

    def look(self) -> None:
        """Assert that nothing that was done is lost or has been done again, and that no certificate is torn."""
        path = self.out / "ledger.sqlite"
        run, self.finished = _run(path)
        if run != self.run:  # the run before had come to its end
            self.run, self.done = run, {}
        rows = ledger_rows(path)
        for name, executions in self.done.items():
            assert rows[name] == (executions, True), name
        self.done = {name: executions for name, (executions, done) in rows.items() if done}
        self.again[run] = sum(executions - 1 for executions, _ in rows.values())
        for document in sorted(self.out.glob("certificates/*.json")):
            arrays = json.loads(document.read_text())["arrays"]
            content = document.with_suffix(".safetensors").read_bytes()
            assert hashlib.sha256(content).hexdigest() == arrays["sha256"], document.name
        if (self.out / "results.json").exists():
            assert results(self.out)["exit_code"] == 0


def _has_lock(pid: int) -> bool:
    """Whether a process has taken the ledger's lock."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(words[1] == "FLOCK" and words[4] == str(pid) for words in locks)


def _run(path: Path) -> tuple[str, bool]:
    """The run's identity in a ledger, and whether it is finished."""
    if not path.exists():
        return "", False
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("SELECT id, finished FROM run").fetchone()
    except sqlite3.OperationalError:  # killed before the tables were made
        found = None
    finally:
        connection.close()
    return ("", False) if found is None else (found[0], bool(found[1]))


def _experiment(tmp_path: Path, calm: Path, jobs: int, kills: int) -> Experiment:
    """Kill ``kills`` runs at random moments, complete the last one, and compare with a run that nobody disturbed."""
    length = results(calm)["seconds"]
    chance = random.Random(20190506 + jobs)
    experiment = Experiment(family(tmp_path), tmp_path / "out", jobs)
    while experiment.kills < kills:
        experiment.kill(chance.uniform(0, length / 2), group=chance.random() < 0.5)
    done = 0 if experiment.finished else len(experiment.done)
    finished = json.loads(verifier("run", experiment.family, "--out", experiment.out, "--jobs", jobs, "--json").stdout)
    experiment.look()
    assert finished["from_ledger"] == done
    assert len(experiment.done) == len(finished["cases"]) == 6
    assert {case["check"]["verdict"] for case in finished["cases"]} == {"ACCEPTED"}
    assert timeless(finished) == timeless(results(calm))
    assert certificates(experiment.out) == certificates(calm)
    left = {entry.name for entry in experiment.out.iterdir()}
    assert left <= {"ledger.sqlite", ".ledger.lock", "results.json", "report.html", "certificates"}
    assert verifier("check", *sorted(experiment.out.glob("certificates/*.json"))).returncode == 0
    return experiment


@pytest.mark.thorough
@pytest.mark.parametrize(("jobs", "kills"), [(1, 3), (2, 2)])
def test_killed_at_random_moments_it_goes_on_and_ends_as_if_undisturbed(
    jobs: int, kills: int, calm: Path, tmp_path: Path
) -> None:
    assert _experiment(tmp_path, calm, jobs, kills).kills >= kills


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_many_times(jobs: int, calm: Path, tmp_path: Path) -> None:
    experiment = _experiment(tmp_path, calm, jobs, 45)
    again = sum(experiment.again.values())
    print(f"jobs {jobs}: {experiment.kills} kills in {len(experiment.again)} runs, {again} executions of cases in vain")


@pytest.mark.thorough
def test_workers_end_with_the_process_that_they_work_for(tmp_path: Path) -> None:
    """Killed alone, so that nobody tells the workers."""
    heavy = FAMILY.replace("width = 8", "width = 300").replace('path = "line.csv"', 'name = "digits"\nsamples = 200')
    process = start("run", family(tmp_path, heavy), "--out", tmp_path / "out", "--jobs", 2)
    assert until(lambda: len(workers_of(process.pid)) == 2)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    assert until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 60)
