"""Runs one attack in a folder of its own and says what is wrong with how the program took it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
MAX_SECONDS, MAX_MEBIBYTES = 5.0, 700.0
SNAPSHOT_BYTES = 1 << 26
FORBIDDEN = ("Traceback", "internal", "out of memory")
VERDICTS = {0: "accepted", 1: "rejected", 2: "unreadable", 3: "too expensive"}
MEANING = {"ACCEPTED": 0, "REJECTED": 1, "UNREADABLE": 2, "TOO EXPENSIVE": 3}


@dataclass(frozen=True)
class Attack:
    """Files and a command: `place` writes into an empty folder and returns the command's arguments.

    `codes` are the exit codes that are right; `says` must be in the message; `truth` looks at the folder where the
    program believed the files (exit code 0) and returns what is wrong with that.
    """

    family: str
    name: str
    program: str
    place: Callable[[Path], list[str]]
    codes: frozenset[int]
    says: str = ""
    truth: Callable[[Path], str | None] = field(default=lambda folder: None)

    @property
    def id(self) -> str:
        """Name the test."""
        return re.sub(r"[^A-Za-z0-9_.,+=()\[\]/*\\-]", "_", f"{self.family}: {ascii(self.name)[1:-1]}")[:160]


@dataclass(frozen=True)
class Outcome:
    """What happened, and what is wrong with it (nothing: the attack failed, as it should)."""

    code: int
    seconds: float
    mebibytes: float
    message: str
    problems: list[str]


class Servers:
    """One process per program, started when it is first needed."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def ask(self, program: str, **job) -> dict:
        """Run a command in a fork."""
        if program not in self.processes:
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}
            self.processes[program] = subprocess.Popen(
                [sys.executable, str(SERVER), program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            assert self.processes[program].stdout.readline() == "ready\n"
        process = self.processes[program]
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def close(self) -> None:
        """End the processes."""
        for process in self.processes.values():
            process.stdin.close()
            process.wait()
            process.stdout.close()


def snapshot(folder: Path) -> dict[str, tuple]:
    """Describe everything in a folder: kind, size, time of change, contents."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(where, name)
            status = path.lstat()
            content = ""
            if stat.S_ISREG(status.st_mode) and status.st_size <= SNAPSHOT_BYTES:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
    return found


def run(attack: Attack, servers: Servers, room: Path) -> Outcome:
    """Place the files, run the command, compare the folder before and after, judge."""
    scene, log = room / "scene", room / "log"
    for folder in (scene / "in", scene / "out", log):
        folder.mkdir(parents=True)
    canaries = ("canary.json", "canary.safetensors", "canary.csv", "c.safetensors")
    for name in canaries:
        (scene / name).write_text(f"canary {name}")
    arguments = attack.place(scene / "in")
    before = snapshot(scene)
    answer = servers.ask(attack.program, arguments=arguments, folder=str(scene / "in"), log=str(log))
    after = {path: what for path, what in snapshot(scene).items() if not path.startswith(str(scene / "out") + os.sep)}
    out, err = ((log / name).read_text("utf-8", "replace") for name in ("stdout", "stderr"))
    problems = judge(attack, answer, out, err)
    drop = str(scene / "out")
    if {k: v for k, v in after.items() if k != drop} != {k: v for k, v in before.items() if k != drop}:
        problems.append(f"files outside the output folder changed: {sorted(set(after.items()) ^ set(before.items()))}")
    if answer["code"] == 0 or (attack.program == "prover" and answer["code"] in (1, 3)):
        wrong = attack.truth(scene / "in")
        problems += [wrong] if wrong else []
    shutil.rmtree(room)
    return Outcome(answer["code"], answer["seconds"], answer["mebibytes"], err or out, problems)


def judge(attack: Attack, answer: dict, out: str, err: str) -> list[str]:
    """Return what is wrong with an answer."""
    code, problems, said = answer["code"], [], out + err
    if code not in attack.codes:
        problems.append(f"exit code {code}, expected {sorted(attack.codes)}: {said[-600:]}")
    if answer["seconds"] > MAX_SECONDS:
        problems.append(f"{answer['seconds']:.1f} s")
    if answer["mebibytes"] > MAX_MEBIBYTES:
        problems.append(f"{answer['mebibytes']:.0f} MiB")
    problems += [f"says {word!r}: {said[-600:]}" for word in FORBIDDEN if word in said and code != 0]
    if attack.says not in said:
        problems.append(f"does not say {attack.says!r}: {said[-600:]}")
    if any(not (c.isprintable() or c == "\n") for c in said):
        problems.append(f"prints control characters: {said[-600:]!r}")
    if attack.program == "checker":
        verdict = next((word for word in MEANING if out.startswith(f"{word} ")), out.split(" ", 1)[0])
        if err or MEANING.get(verdict) != code:
            problems.append(f"verdict {verdict!r} with exit code {code}; stderr {err!r}")
        if code in (1, 2, 3) and len(out.splitlines()) > 7:
            problems.append(f"the reason is longer than a line: {out}")
    elif code == 2 and (out or not err.startswith("verifier: ") or err.count("\n") != 1 or len(err) > 1000):
        problems.append(f"not one line of at most 1000 characters: {out!r} {err[:2000]!r}")
    return problems
