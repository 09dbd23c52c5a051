"""The cases of a run, proved in this process or by workers; every one that is done is written and in the ledger."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from verifier.balls.binary64.backend import Backend, backend_for
from verifier.certificate.check_process import CheckerProcess, planned
from verifier.certificate.files import leftover_parts
from verifier.errors import CertificateError, InputError
from verifier.rank.certify import Stage
from verifier.run.case import Case
from verifier.run.case_problem import case_options
from verifier.run.executors import Workers
from verifier.run.ledger import Ledger, environment
from verifier.run.record import CERTIFICATES, CaseRecord, Failure, file_digest, store_certificate
from verifier.run.resumable import Resumable, Show
from verifier.run.worker import Task, TaskResult, answered, failed, failure_of, packed, proved, run_task

LARGE_BYTES = 4 * 2**20
"""A certificate from this size on is checked in a process of its own while the next case is proved."""

BATCH = 16
"""So many smaller certificates are checked by one process."""


class Display(Protocol):
    """What is told of the progress of a run: `verifier.run.progress.ProgressDisplay`."""

    def case(self, name: str, position: int, count: int) -> AbstractContextManager[Stage]:
        """Announce the case at a position among ``count``, from 0; the context's value announces its stages."""

    def many(self, count: int) -> AbstractContextManager[Show]:
        """Announce cases that run side by side; the context's value is told how many are done, and which run."""


@dataclass(frozen=True, slots=True)
class Job:
    """A case that is to be run: its unique name, its text, its place in the suite, and its key in the ledger."""

    position: int
    name: str
    case: Case
    toml: str
    key: str

    @property
    def blank(self) -> CaseRecord:
        """A record that says nothing yet."""
        return CaseRecord(name=self.name, title=self.case.file.title, toml=self.toml)


class Scheduler(Resumable[Job, CaseRecord]):
    """The cases of a run, where their results go, and how they are proved.

    Parameters
    ----------
    jobs : list of Job
        The cases in order.
    out : Path
        Folder of the results.
    display : Display
        Progress.
    seed : int or None
        Replaces every case's seed.
    device : str
        Where the binary64 engine computes.
    ledger : Ledger
        What is done already.
    """

    def __init__(
        self, jobs: list[Job], out: Path, display: Display, seed: int | None, device: str, ledger: Ledger
    ) -> None:
        super().__init__(jobs, ledger)
        self.out, self.display, self.seed, self.device = out, display, seed, device
        self.peaks = (0, 0)  # peak memory of workers and of their checkers, in bytes

    @property
    def scratch(self) -> Path:
        """Where this machine's workers write; it goes when the run ends, or when the next one begins."""
        return self.out / f".{self.ledger.path.stem}.scratch"

    def clean(self) -> None:
        """Remove what a killed run of these cases left half-written."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        own = {job.name for job in self.jobs}
        for part in leftover_parts(self.out / CERTIFICATES):
            found = re.fullmatch(r"\.(.+)\.(?:json|safetensors)\.[^.]+\.part", part.name)
            if found and found[1] in own:
                part.unlink(missing_ok=True)
        suffix = self.ledger.path.stem.removeprefix("ledger")
        for part in leftover_parts(self.out):
            if part.name.startswith((f".results{suffix}.json.", f".report{suffix}.html.")):
                part.unlink(missing_ok=True)

    def here(self) -> None:
        """Prove one case after the other in this process, and have them checked meanwhile.

        Raises
        ------
        VerifierError
            Unusable input in a case that is alone; a folder that cannot be written.
        """
        backend = backend_for(self.device)
        checks = _Checks(self)
        try:
            for job in self.jobs:
                record = self.records.get(job.key)
                if record is None:
                    with self.display.case(job.name, job.position, len(self.jobs)) as stage:
                        self.ledger.begin(job.key, job.name)
                        record = self._proved_here(job, backend, stage)
                        self.finished(job, record)
                if not record.checked:
                    checks.add(job, record)
            with self.display.case("independent check", len(self.jobs), len(self.jobs)) as stage:
                stage("waiting for the checker")
                checks.wait()
        finally:
            checks.stop()

    def _proved_here(self, job: Job, backend: Backend, stage: Stage) -> CaseRecord:
        begun = time.perf_counter()
        try:
            record, builder = proved(job.case, job.name, job.toml, seed=self.seed, backend=backend, stage=stage)
        except Exception as error:  # of one case among several: it is marked, the others go on
            if len(self.jobs) == 1:
                raise
            return failed(job.blank, job.case, failure_of(error), time.perf_counter() - begun)
        if builder.empty:
            return record
        stage("writing the certificate")
        written = builder.write(self.out / CERTIFICATES / f"{job.name}.json")
        files = {path.suffix: path for path in (written, written.with_suffix(".safetensors"))}
        return replace(
            record,
            certificate=f"{CERTIFICATES}/{written.name}",
            certificate_bytes=sum(path.stat().st_size for path in files.values()),
            sha256={ending: file_digest(path) or "" for ending, path in files.items()},
            seconds=time.perf_counter() - begun,
        )

    def by_workers(self, workers: Workers) -> None:
        """Have the cases proved and checked by workers, and write what they send.

        Raises
        ------
        InputError
            Unusable input in a case that is alone; workers that cannot work.
        CertificateError
            A folder that cannot be written.
        """
        checks = _Checks(self)
        try:
            for job in self.jobs:  # proved by an earlier run that had no time to check them
                if job.key in self.records and not self.records[job.key].checked:
                    checks.add(job, self.records[job.key])
            with self.display.many(len(self.jobs)) as show:
                self.elsewhere(
                    workers,
                    self.remaining,
                    function=run_task,
                    payload=lambda job: self._task(job, workers),
                    take=self._take,
                    show=show,
                )
            checks.wait()
        finally:
            checks.stop()
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _task(self, job: Job, workers: Workers) -> Task:
        if workers.local:
            try:
                self.scratch.mkdir(exist_ok=True)
            except OSError as error:
                raise CertificateError(
                    f"cannot write {self.scratch}: {error.strerror}; choose another folder with --out"
                ) from None
        files, shown = packed(job.case)
        return Task(
            name=job.name,
            case=job.case,
            toml=job.toml,
            files=files,
            shown=shown,
            seed=self.seed,
            device=self.device,
            threads=workers.threads,
            environment=environment(),
            scratch=str(self.scratch.absolute()) if workers.local else None,
        )

    def _take(self, job: Job, result: TaskResult | Failure) -> None:
        """Write the certificate that a worker sent, and keep the record."""
        if isinstance(result, Failure):
            self.finished(job, failed(job.blank, job.case, result, 0.0))
            return
        if result.unable:
            raise InputError(result.unable)
        record = result.record
        if record.error is not None and record.error.kind == "input" and len(self.jobs) == 1:
            raise InputError(record.error.message)
        if result.document:
            name, digests = store_certificate(self.out, job.name, result.document, result.arrays)
            size = len(result.document) + len(result.arrays)
            record = replace(record, certificate=name, certificate_bytes=size, sha256=digests)
        self.peaks = (max(self.peaks[0], result.peak_bytes), max(self.peaks[1], result.checker_peak_bytes))
        self.finished(job, record)


class _Checks:
    """Checkers at work on certificates that are written: a process for each large one, one for many small ones."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._small: list[tuple[Job, CaseRecord]] = []
        self._running: list[tuple[CheckerProcess, list[tuple[Job, CaseRecord]]]] = []

    def add(self, job: Job, record: CaseRecord) -> None:
        """Have a certificate checked, sooner or later."""
        if record.certificate_bytes >= LARGE_BYTES:
            self._start([(job, record)])
        else:
            self._small.append((job, record))
        self._collect()
        if len(self._small) >= BATCH and not self._running:
            self._flush()

    def wait(self) -> None:
        """Wait until every certificate that was added is checked."""
        self._flush()
        while self._running:
            self._answer(*self._running.pop(0))

    def stop(self) -> None:
        """End the checkers that still work."""
        for process, _ in self._running:
            process.stop()

    def _flush(self) -> None:
        if self._small:
            self._start(self._small)
            self._small = []

    def _start(self, those: list[tuple[Job, CaseRecord]]) -> None:
        files = [self.scheduler.out / record.certificate for _, record in those if record.certificate is not None]
        memory, seconds = planned([case_options(job.case).limits for job, _ in those])
        self._running.append((CheckerProcess(files, memory=memory, cpu_seconds=seconds), those))

    def _collect(self) -> None:
        for entry in [entry for entry in self._running if not entry[0].running]:
            self._running.remove(entry)
            self._answer(*entry)

    def _answer(self, process: CheckerProcess, those: list[tuple[Job, CaseRecord]]) -> None:
        try:
            answers = process.wait()
            self.scheduler.peaks = (self.scheduler.peaks[0], max(self.scheduler.peaks[1], process.peak_bytes))
            for (job, record), checked in zip(those, answers, strict=True):
                self.scheduler.finished(job, replace(record, check=answered(checked)))
        finally:
            process.stop()
