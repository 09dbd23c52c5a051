"""Jobs that survive a kill: what is done is in a ledger, and what is missing is done by this process or by workers.

A suite's cases and an experiment's runs are such jobs. A record says that everything about its job is on disk, so it is
kept last; what a ledger's record names may have been changed or removed since, so it is looked at before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from itertools import takewhile
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from verifier.run.executors import Workers, completed
from verifier.run.ledger import Ledger
from verifier.run.record import Failure


class Job(Protocol):
    """Something that is to be done once: its unique name, and its key in the ledger (`verifier.run.ledger.job_key`)."""

    @property
    def name(self) -> str:
        """Name of its files, unique among the jobs."""

    @property
    def key(self) -> str:
        """Digest of everything that its outcome depends on."""


AJob = TypeVar("AJob", bound=Job)
Record = TypeVar("Record", bound=msgspec.Struct)
Result = TypeVar("Result")

Show = Callable[[int, Sequence[str]], None]
"""Told how many jobs are done, and which are under way."""


class Resumable(Generic[AJob, Record]):
    """Jobs, the ledger that they are kept in, and the records of those that are done, by key.

    Parameters
    ----------
    jobs : sequence of Job
        In the order of the results.
    ledger : Ledger
        Open, and this process's alone.
    """

    def __init__(self, jobs: Sequence[AJob], ledger: Ledger) -> None:
        self.jobs, self.ledger = list(jobs), ledger
        self.records: dict[str, Record] = {}

    def take_over(self, kind: type[Record], usable: Callable[[AJob, Record], bool]) -> int:
        """Take what earlier runs have done from the ledger.

        Parameters
        ----------
        kind : type
            Of the records.
        usable : callable
            Whether a job's record still counts: its files are what they were.

        Returns
        -------
        int
            Number of jobs that are done.

        Raises
        ------
        InputError
            The ledger cannot be read.
        """
        known = self.ledger.records(kind, (job.key for job in self.jobs))
        self.records = {
            job.key: known[job.key] for job in self.jobs if job.key in known and usable(job, known[job.key])
        }
        return len(self.records)

    @property
    def remaining(self) -> list[AJob]:
        """The jobs that are not done yet, in order."""
        return [job for job in self.jobs if job.key not in self.records]

    def finished(self, job: AJob, record: Record) -> None:
        """Keep a record, here and in the ledger."""
        self.ledger.commit(job.key, job.name, record)
        self.records[job.key] = record

    def elsewhere(
        self,
        workers: Workers,
        jobs: Sequence[AJob],
        *,
        function: Callable[[Any], Result],
        payload: Callable[[AJob], object],
        take: Callable[[AJob, Result | Failure], None],
        show: Show,
        go_on: Callable[[AJob], bool] = lambda job: True,
    ) -> None:
        """Have jobs done by workers.

        Parameters
        ----------
        workers : Workers
            They do the jobs.
        jobs : sequence of Job
            What is to be done, in the order in which it begins.
        function : callable
            What a worker calls; it can be sent, as its argument and result can.
        payload : callable
            Makes the argument for a job, when the job begins.
        take : callable
            Given each job with its result, or with what became of its worker.
        show : callable
            Told of the progress.
        go_on : callable, optional
            Whether a job may begin; if not, neither does any after it.

        Raises
        ------
        InputError
            Workers that cannot work.
        VerifierError
            What a job raised.
        """
        flying: list[str] = []

        def submit(executor: Executor, job: AJob) -> Future[Result]:
            self.ledger.begin(job.key, job.name)
            flying.extend([job.name] if job.name not in flying else [])
            show(done, flying)
            return executor.submit(function, payload(job))

        done = len(self.jobs) - len(jobs)
        for job, result in completed(workers, takewhile(go_on, jobs), submit):
            take(job, result)
            flying.remove(job.name)
            done += 1
            show(done, flying)
