"""What the tests of long runs share: a small family, runs in processes of their own, and what they leave behind."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
from rich.console import Console

from verifier.run.table import ProgressDisplay

FAMILY = """
title = "Points on a line"

[data]
path = "line.csv"

[network]
layers = [{ kind = "dense", width = 8, activation = "tanh", skip = true }]

[expect]
rank = "PROVED"
path = "PROVED"

[[vary]]
"network.layers.0.activation" = ["tanh", "sigmoid", "softplus"]

[[vary]]
"start.seed" = [0, 1]
"""
LINE = "x,label\n0,a\n1,b\n2,a\n3.5,b\n4,b\n"
SILENT = ProgressDisplay(Console(file=io.StringIO()))


def family(folder: Path, text: str = FAMILY) -> Path:
    """Write the family, with its data, into a folder."""
    (folder / "line.csv").write_text(LINE)
    path = folder / "line.toml"
    path.write_text(text)
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start `verifier` in a process, and group, of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "verifier", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
        preexec_fn=_heed_interrupts,
        **options,
    )


def _heed_interrupts() -> None:
    """A shell's background jobs inherit that an interruption is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def verifier(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end: in a fork of this process if it starts no workers."""
    if "--jobs" not in arguments or arguments[arguments.index("--jobs") + 1] == 1:
        return commands.verifier(*arguments, NO_COLOR="1", **options)
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def until(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Wait until something holds, and give what it is; after so many seconds the test goes on without."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def ledger_rows(path: Path) -> dict[str, tuple[int, bool]]:
    """Name -> (executions, whether the case is done) of a ledger that nobody is writing."""
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT name, executions, record IS NOT NULL FROM cases").fetchall()
    except sqlite3.OperationalError:  # killed before the tables were made
        rows = []
    finally:
        connection.close()
    return {name: (executions, bool(done)) for name, executions, done in rows}


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    """A results document without what may differ between two runs: times, memory, where it lies, what was redone."""
    found = copy.deepcopy(document)
    for key in ("seconds", "peak_bytes", "checker_peak_bytes", "from_ledger"):
        del found[key]
    for case in found["cases"]:
        del case["seconds"]
        case["certificate"] = Path(case["certificate"]).name
        case["attempts"] = [text.rpartition(" (")[0] for text in case["attempts"]]
        for step in case["steps"]:
            del step["seconds"]
        if case["check"]:
            del case["check"]["seconds"]
    return found


def results(out: Path, name: str = "results.json") -> dict[str, Any]:
    return json.loads((out / name).read_text())


def certificates(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "certificates").iterdir())}


def workers_of(pid: int) -> list[int]:
    """The worker processes of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            command = (entry.parent / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if parent == pid and b"spawn_main" in command:
            found.append(int(entry.parent.name))
    return found
