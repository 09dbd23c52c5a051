"""Runs the independent checker in a process of its own, by path: the prover never imports it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.certificate.limits import Limits
from verifier.certificate.memory import MemoryWatch
from verifier.display import Card, Judged, Shown
from verifier.errors import InputError

_running: set[CheckerProcess] = set()

CHECKER = Path(__file__).resolve().parent.parent / "checker" / "__main__.py"


class CheckerVerdict:
    """What the checker's word means, for the answers that have one as ``verdict``."""

    __slots__ = ()
    verdict: str

    @property
    def accepted(self) -> bool:
        """Whether the checker proved every claim of the certificate anew."""
        return self.verdict == "ACCEPTED"

    @property
    def answered(self) -> bool:
        """Whether the checker came to an end: it accepted or rejected the certificate."""
        return self.verdict in ("ACCEPTED", "REJECTED")

    @property
    def refused(self) -> bool:
        """Whether the checker found the certificate wrong or unreadable; one too expensive to check is neither."""
        return self.verdict in ("REJECTED", "UNREADABLE")


@dataclass(frozen=True, slots=True, repr=False)
class Checked(CheckerVerdict, Judged, Shown):
    """The checker's answer for one certificate, why, and its seconds.

    The verdict is ``ACCEPTED``, ``REJECTED``, ``UNREADABLE``, or ``TOO EXPENSIVE``: the check ran into its limit of
    memory or CPU time, which says nothing about the certificate.

    Parameters
    ----------
    file : str
        The certificate.
    verdict, reason : str
        The answer, and the rule that a rejected certificate breaks.
    seconds : float
        What the check took.
    claims : tuple of (str, str)
        The label of each claim that was proved anew, and what it says: sentences of FORMAT.md, bounds rounded to the
        safe side. Empty unless all were.
    trust : str
        What the checker computed with.

    Examples
    --------
    >>> import verifier as vf
    >>> answer = vf.Checked("c.json", "TOO EXPENSIVE", "CPU time beyond 600 s", 600.0)
    >>> answer.accepted, answer.refused
    (False, False)
    """

    file: str
    verdict: str
    reason: str
    seconds: float
    claims: tuple[tuple[str, str], ...] = ()
    trust: str = ""

    def _card(self) -> Card:
        said = self.reason or "the independent checker proved every claim anew from the stored numbers"
        values = (("file", self.file), ("seconds", f"{self.seconds:.2f}")) if self.file else ()
        return Card("Independent check", self.verdict, said, values)


def planned(limits: Sequence[Limits]) -> tuple[float | None, float | None]:
    """GiB and CPU seconds of a checker for certificates that were planned for these limits.

    None where it allows itself enough.
    """
    usual = Limits().checker
    seconds = max((each.checker[0] for each in limits), default=usual[0])
    gib = max((each.checker[1] for each in limits), default=usual[1])
    return gib if gib > usual[1] else None, seconds if seconds > usual[0] else None


def checker_command(arguments: list[str]) -> list[str]:
    """The command line of an isolated checker process."""
    return [sys.executable, "-I", str(CHECKER), *arguments]


def limit_options(memory: float | None, cpu_seconds: float | None) -> list[str]:
    """The checker's options for limits of GiB and of seconds, none for those that are None.

    Parameters
    ----------
    memory
        GiB of address space of each process; 0 for no limit.
    cpu_seconds
        Seconds of all processes together; 0 for no limit.

    Raises
    ------
    InputError
        A limit that is negative or no number.
    """
    options = []
    for name, value in (("memory", memory), ("cpu-seconds", cpu_seconds)):
        if value is not None:
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name.replace('-', '_')} = {value}: give a number >= 0, where 0 is no limit")
            options += [f"--{name}", str(value if name == "memory" else math.ceil(value))]
    return options


class CheckerProcess:
    """A checker started on some certificates; ``wait`` collects its answers.

    Parameters
    ----------
    files
        Certificates.
    jobs
        Processes that it may use; by default as many as it likes.
    memory, cpu_seconds
        GiB of address space and seconds of CPU time that the check of one file may take, all its processes together;
        0 for no limit, None for the checker's own default.
    """

    def __init__(
        self,
        files: list[Path],
        *,
        jobs: int | None = None,
        memory: float | None = None,
        cpu_seconds: float | None = None,
    ) -> None:
        self.files = files
        options = ["--json", *limit_options(memory, cpu_seconds)]
        options += [] if jobs is None else ["--jobs", str(jobs)]
        # Files, not pipes: a checker with much to say must be able to end before anybody listens.
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            checker_command([*options, "--", *map(str, files)]),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )
        self._memory = MemoryWatch(self.process.pid)
        _running.add(self)

    @property
    def peak_bytes(self) -> int:
        """The most memory that one of its processes was seen to take, in bytes; 0 if the system does not say."""
        return self._memory.peak_bytes

    @property
    def running(self) -> bool:
        """Whether the checker's process has not ended yet."""
        return self.process.poll() is None

    def wait(self) -> list[Checked]:
        """Wait for the answers, one per file; a checker that dies has accepted nothing."""
        self.process.wait()
        self._memory.stop()
        _running.discard(self)
        with self._out as out, self._err as err:
            for stream in (out, err):
                stream.seek(0)
            answer, complaint = out.read(), err.read()
        try:
            results: list[dict[str, Any]] = json.loads(answer)["results"]
        except (ValueError, KeyError, TypeError):
            lines = complaint.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"the checker ended with status {self.process.returncode}"
            return [Checked(str(file), "UNREADABLE", reason, 0.0) for file in self.files]
        return [_checked(entry) for entry in results]

    def stop(self) -> None:
        """End the process and its workers, which are its session, if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._memory.stop()
        _running.discard(self)
        self._out.close()
        self._err.close()


def check_file(file: Path, *, memory: float | None = None, cpu_seconds: float | None = None) -> Checked:
    """Have one certificate checked, and wait for the answer.

    Parameters
    ----------
    file : Path
        The certificate.
    memory, cpu_seconds : float, optional
        The limits of the check, as for `CheckerProcess`.
    """
    process = CheckerProcess([file], memory=memory, cpu_seconds=cpu_seconds)
    try:
        (answer,) = process.wait()
    finally:
        process.stop()
    return answer


def stop_all() -> None:
    """Stop every checker that this process started."""
    for process in list(_running):
        process.stop()


def _checked(entry: dict[str, Any]) -> Checked:
    rejection = entry.get("rejection")
    reason = "" if not rejection else _said(rejection)
    claims = tuple((str(claim["label"]), str(claim["statement"])) for claim in entry["claims"])
    return Checked(
        str(entry["file"]), str(entry["verdict"]), reason, float(entry["seconds"]), claims, str(entry["trust"])
    )


def _said(rejection: dict[str, Any]) -> str:
    """A rejection in one line: rule, place, reason; what concerns the check as a whole has no rule and no place."""
    if not rejection["rule"]:
        return str(rejection["message"])
    return f"{rejection['rule']} at {rejection['path'] or '/'}: {rejection['message']}"
