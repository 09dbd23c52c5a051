"""The independent checker as a service: one isolated process that answers for one certificate after the other.

The prover never imports the checker, and neither does this: the process gets the checker's folder and nothing else.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from verifier.certificate.check_process import CHECKER

LOOP = """
import importlib, json, sys, types
sys.modules["checker"] = package = types.ModuleType("checker")
package.__path__ = [sys.argv[1]]
cli = importlib.import_module("checker.cli")
check_file = importlib.import_module("checker.certificate").check_file
for line in sys.stdin:
    print(json.dumps(cli.as_record(check_file(json.loads(line), 1))), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The checker's verdict, ``ACCEPTED``, ``REJECTED`` or ``UNREADABLE``, and why not; its claims when accepted."""

    verdict: str
    reason: str
    claims: tuple[dict[str, Any], ...]


class CheckerService:
    """A running checker; `check` asks it. Started at the first question, ended with the interpreter or by `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="verifier-fuzz-"))

    def check(self, file: Path) -> Answer:
        """Check one certificate. A checker that dies has accepted nothing: its answer is ``UNREADABLE``."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", LOOP, str(CHECKER.parent)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        process = self._process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            return Answer("UNREADABLE", "the checker has no pipes", ())
        try:
            process.stdin.write(json.dumps(str(file)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            process.wait()
            lines = process.stderr.read().strip().splitlines()
            return Answer("UNREADABLE", f"the checker died: {lines[-1] if lines else process.returncode}", ())
        record = json.loads(line)
        why = record["rejection"]
        reason = "" if not why else f"{why['path']}: {why['rule']}: {why['message']}"
        return Answer(record["verdict"], reason, tuple(record["claims"]))

    def close(self) -> None:
        """End the process and remove the working folder."""
        self._end()
        for file in self.folder.glob("*"):
            file.unlink()
        if self.folder.is_dir():
            self.folder.rmdir()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None


@lru_cache(maxsize=1)
def checker_service() -> CheckerService:
    """The one service of this process."""
    service = CheckerService()
    atexit.register(service.close)
    return service
