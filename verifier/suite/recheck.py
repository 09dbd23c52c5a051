"""Runs the independent checker in a process of its own, by path: the prover never imports it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKER = Path(__file__).resolve().parent.parent / "checker" / "__main__.py"


@dataclass(frozen=True, slots=True)
class Checked:
    """The checker's answer for one certificate, ``ACCEPTED``, ``REJECTED`` or ``UNREADABLE``, why, and its seconds."""

    file: str
    verdict: str
    reason: str
    seconds: float


def checker_command(arguments: list[str]) -> list[str]:
    """The command line of an isolated checker process."""
    return [sys.executable, "-I", str(CHECKER), *arguments]


class CheckerProcess:
    """A checker started on some certificates; ``wait`` collects its answers."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.process = subprocess.Popen(
            checker_command(["--json", *map(str, files)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether the checker still works."""
        return self.process.poll() is None

    def wait(self) -> list[Checked]:
        """Wait for the answers, one per file; a checker that dies has accepted nothing."""
        out, err = self.process.communicate()
        try:
            results: list[dict[str, Any]] = json.loads(out)["results"]
        except (ValueError, KeyError, TypeError):
            lines = err.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"the checker ended with status {self.process.returncode}"
            return [Checked(str(file), "UNREADABLE", reason, 0.0) for file in self.files]
        return [_checked(entry) for entry in results]

    def stop(self) -> None:
        """End the process and its workers, which are its session, if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()


def _checked(entry: dict[str, Any]) -> Checked:
    rejection = entry.get("rejection")
    reason = "" if not rejection else f"{rejection['path']}: {rejection['rule']}: {rejection['message']}"
    return Checked(str(entry["file"]), str(entry["verdict"]), reason, float(entry["seconds"]))
