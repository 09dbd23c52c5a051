"""What a worker does: prove one case, have it checked, send everything back. It needs no file system but a scratch."""

from __future__ import annotations

import os
import tempfile
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import msgspec

from verifier.balls.binary64.backend import Backend, backend_for
from verifier.certificate.check_process import Checked, CheckerProcess, planned
from verifier.certificate.memory import own_peak
from verifier.certificate.writer import CertificateBuilder
from verifier.data.idx import is_idx, labels_beside
from verifier.errors import CertificateError, InputError, VerifierError
from verifier.prove import prove
from verifier.rank.certify import Stage, silent
from verifier.run.case import Case
from verifier.run.case_problem import case_options, case_problem
from verifier.run.curve import curve_of
from verifier.run.executors import ONE_AT_A_TIME
from verifier.run.ledger import environment
from verifier.run.record import CaseRecord, CheckRecord, Failure, record_of
from verifier.run.summary import summarise

OTHER_SOURCES = (
    "a worker has other sources or versions (verifier, Python, NumPy, SciPy, python-flint) than this process; "
    "install the same there"
)
"""Why a worker cannot work."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A case to be proved elsewhere, its text for the record, the bytes of the files that it names, how to prove it.

    ``files`` is keyed by the case's key (``data.path``); ``shown`` are the files' names for messages. ``threads`` is
    how many threads a worker may use, ``scratch`` where it may write (by default where the system does).
    """

    name: str
    case: Case
    toml: str
    files: dict[str, bytes]
    shown: dict[str, str]
    seed: int | None
    device: str
    threads: int
    environment: str
    scratch: str | None = None


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """A record with the bytes of its certificate, and peak memory in bytes of the worker and of its checker.

    ``unable`` says why the worker could not work at all, which is no fault of the case.
    """

    record: CaseRecord
    document: bytes = b""
    arrays: bytes = b""
    peak_bytes: int = 0
    checker_peak_bytes: int = 0
    unable: str = ""


def run_task(task: Task) -> TaskResult:
    """Prove a case and have it checked, in a temporary folder; every error of the case is part of the result."""
    blank = CaseRecord(name=task.name, title="", toml=task.toml)
    if task.environment != environment():
        return TaskResult(
            record=blank,
            unable=OTHER_SOURCES,
        )
    begun = time.perf_counter()
    try:
        with ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="verifier-", dir=task.scratch) as name:
            folder = Path(name)
            case = unpacked(task, folder)
            try:
                return _proved(task, case, folder / f"{task.name}.json")
            except (OSError, CertificateError):
                raise
            except Exception as error:  # whatever it is, it is this case's, and the others go on
                failure = failure_of(error)
                for key, place in _places(task).items():
                    message = failure.message.replace(str(folder / place), task.shown[key])
                    failure = Failure(failure.kind, message)
                return TaskResult(record=failed(blank, task.case, failure, time.perf_counter() - begun))
    except (OSError, CertificateError) as error:
        return TaskResult(record=blank, unable=f"a worker cannot go on: {error}")


def unpacked(task: Task, folder: Path) -> Case:
    """The case of a task, whose files are written to a folder.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    file, places = deepcopy(task.case.file), _places(task)  # of this process, where the executor is one of threads
    for key, place in places.items():
        section, _, field = key.partition(".")
        setattr(getattr(file, section), field, place)
        (folder / key).mkdir()
        if key in task.files:
            (folder / place).write_bytes(task.files[key])
    return replace(task.case, file=file, folder=folder)


def _places(task: Task) -> dict[str, str]:
    """Where the files of a task's case are in its folder."""
    return {key: f"{key}/{Path(shown).name}" for key, shown in task.shown.items()}


def _proved(task: Task, case: Case, target: Path) -> TaskResult:
    begun = time.perf_counter()
    backend = backend_for(task.device)
    record, builder = proved(case, task.name, task.toml, seed=task.seed, backend=backend, threads=task.threads)
    if builder.empty:
        return TaskResult(record=record, peak_bytes=own_peak())
    written = builder.write(target)
    memory, seconds = planned([case_options(case).limits])
    process = CheckerProcess([written], jobs=task.threads, memory=memory, cpu_seconds=seconds)
    try:
        (check,) = process.wait()
    finally:
        process.stop()
    return TaskResult(
        record=msgspec.structs.replace(record, check=answered(check), seconds=time.perf_counter() - begun),
        document=written.read_bytes(),
        arrays=written.with_suffix(".safetensors").read_bytes(),
        peak_bytes=own_peak(),
        checker_peak_bytes=process.peak_bytes,
    )


def proved(
    case: Case,
    name: str,
    toml: str,
    *,
    seed: int | None,
    backend: Backend,
    threads: int | None = None,
    stage: Stage = silent,
) -> tuple[CaseRecord, CertificateBuilder]:
    """Prove a case with at most ``threads`` threads: its record, and the claims ready to be written.

    Raises
    ------
    VerifierError
        Unusable input.
    """
    begun = time.perf_counter()
    problem = case_problem(case, seed=seed)
    report = prove(problem, case_options(case, backend=backend, threads=threads), stage=stage)
    stage("the loss along the path")
    escape = None if report.escape is None else report.escape.escape
    curve = curve_of(report.descent, escape, report.near_infimum)
    record = record_of(report, case, name, toml, time.perf_counter() - begun)
    summary = summarise(case, problem, seed)
    return msgspec.structs.replace(record, refusal=report.builder.refusal, summary=summary, curve=curve), (
        report.builder
    )


def answered(check: Checked) -> CheckRecord:
    """The checker's answer without the place of the file, which the record knows."""
    return CheckRecord(check.verdict, check.reason, check.seconds)


def failure_of(error: Exception) -> Failure:
    """What an exception says about a case."""
    if isinstance(error, MemoryError):
        return Failure("memory", "out of memory; use fewer samples or narrower layers, or give a worker more")
    if isinstance(error, VerifierError):
        return Failure("input", str(error))
    return Failure("internal", f"error in this program, please report it: {type(error).__name__}: {error}")


def failed(blank: CaseRecord, case: Case, failure: Failure, seconds: float) -> CaseRecord:
    """The record of a case that has no verdicts."""
    return msgspec.structs.replace(
        blank, title=case.file.title, expected=dict(case.expected), error=failure, seconds=seconds
    )


def packed(case: Case) -> tuple[dict[str, bytes], dict[str, str]]:
    """The bytes of the files that a case names, by key, and their names for messages; a missing one is left out."""
    named = {"data.path": case.file.data.path, "data.labels": case.file.data.labels, "start.file": case.file.start.file}
    shown = {key: case.folder / name for key, name in named.items() if name is not None}
    if "data.path" in shown and is_idx(shown["data.path"]) and "data.labels" not in shown:
        try:
            shown["data.labels"] = labels_beside(shown["data.path"])
        except InputError:
            pass  # the case will say so
    files = {}
    for key, path in shown.items():
        if os.path.isfile(path) and os.access(path, os.R_OK):  # a name too long is no file, and no error here
            files[key] = path.read_bytes()
    return files, {key: str(path) for key, path in shown.items()}
