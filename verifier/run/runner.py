"""Runs the cases of a suite, keeps a ledger of what is done, and writes the results."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from importlib import resources
from pathlib import Path

from verifier.certificate.files import atomic_write
from verifier.certificate.memory import own_peak
from verifier.errors import InputError, nearest, one_line
from verifier.run.case import Case
from verifier.run.executors import Workers, of_executor
from verifier.run.family import read_cases
from verifier.run.ledger import digest, job_key, open_ledger, suffix, versions
from verifier.run.record import CaseRecord, SuiteResult, intact, to_json
from verifier.run.scheduler import Display, Job, Scheduler
from verifier.run.toml import case_toml
from verifier.run.worker import packed

SUITES = {"main": ("main",), "quick": ("quick",), "full": ("quick", "full")}
"""The packaged suites: the folders of cases that they consist of."""


def packaged_cases(suite: str) -> list[Case]:
    """The cases shipped with the package: ``main`` (digits), ``quick``, or ``full`` (quick and the families)."""
    found = []
    for folder in SUITES[suite]:
        with resources.as_file(resources.files("verifier.run") / "cases" / folder) as where:
            for file in sorted(where.glob("*.toml")):
                found += read_cases(file)
    return found


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``, 1 <= i <= n <= 10000.

    Raises
    ------
    InputError
        Anything else.
    """
    found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 10_000:
        raise InputError(f"--shard {one_line(text)}: give i/n with 1 <= i <= n <= 10000, such as 2/8")
    return int(found[1]), int(found[2])


def run_cases(
    cases: Sequence[Case],
    out: Path,
    display: Display,
    *,
    seed: int | None = None,
    device: str = "cpu",
    executor: Executor | Workers | None = None,
    shard: tuple[int, int] | None = None,
    only: str | None = None,
    fresh: bool = False,
) -> SuiteResult:
    """Prove, write, check; results in ``out/certificates`` and ``out/results.json``, progress in ``out/ledger.sqlite``.

    A run that was interrupted or killed is gone on with: what the ledger holds, with certificates that are still what
    they were, is not done again.

    Parameters
    ----------
    cases
        What to run, in order.
    out
        Folder for results; made if missing.
    display
        Progress.
    seed
        Replaces every case's seed if not None.
    device
        Where the binary64 engine computes.
    executor
        Any executor with `submit`, or workers from `verifier.run.executors`; by default this process proves one case
        after the other while the checker works. Activations that this process registered must be known there too.
    shard
        Run the i-th of n parts of the cases, into a ledger and results of its own.
    only
        Run the case of this name only.
    fresh
        Discard the ledger.

    Returns
    -------
    SuiteResult
        A record for each case, in order.

    Raises
    ------
    VerifierError
        Unusable input in a case that is alone; a folder that cannot be written; a ledger that is none or is in use.
        Of several cases one with unusable input is a record with an error, and the others go on.
    """
    started = time.perf_counter()
    jobs = _jobs(cases, seed, device, shard, only)
    keys = [job.key for job in jobs]
    with open_ledger(out, shard, keys, fresh=fresh) as ledger:
        run = Scheduler(jobs, out, display, seed, device, ledger)
        run.clean()
        known = run.take_over(CaseRecord, lambda job, record: record.error is None and intact(record, out))
        if executor is None:
            run.here()
        else:
            run.by_workers(executor if isinstance(executor, Workers) else of_executor(executor))
        result = SuiteResult(
            versions=versions(),
            seconds=time.perf_counter() - started,
            peak_bytes=max(run.peaks[0], own_peak()),
            checker_peak_bytes=run.peaks[1],
            from_ledger=known,
            records=tuple(run.records[job.key] for job in jobs),
        )
        document = json.dumps(to_json(result, out), indent=1) + "\n"
        atomic_write(out / f"results{suffix(shard)}.json", document.encode())
        ledger.finish(keys)
    return result


def _jobs(
    cases: Sequence[Case], seed: int | None, device: str, shard: tuple[int, int] | None, only: str | None
) -> list[Job]:
    """Names are unique, so that two cases never write the same certificate; then one is chosen, or a shard."""
    seen: dict[str, int] = {}
    named = []
    for case in cases:
        count = seen[case.name] = seen.get(case.name, 0) + 1
        named.append((case.name if count == 1 else f"{case.name}-{count}", case))
    if only is not None:
        named = [(name, case) for name, case in named if name == only]
        if not named:
            raise InputError(f"--only {one_line(only)}: no case of this name; {nearest(only, seen)}")
    i, n = shard or (1, 1)
    found = []
    for position, (name, case) in enumerate(named[i - 1 :: n]):
        toml = case_toml(case)
        found.append(Job(position, name, case, toml, case_key(name, toml, packed(case)[0], seed, device)))
    return found


def case_key(name: str, toml: str, files: Mapping[str, bytes], seed: int | None, device: str) -> str:
    """Digest of everything that a case's outcome depends on; ``files`` are the bytes of its data and weights."""
    return job_key(name, toml, {key: digest(content) for key, content in sorted(files.items())}, seed, device)
