"""Runs cases one after the other, writes their certificates, and has the independent checker check them meanwhile."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from verifier import __version__
from verifier.balls.binary64.backend import Backend
from verifier.certificate.writer import atomic_write, leftover_parts
from verifier.model.case import Case, read_case
from verifier.model.verdict import Verdict
from verifier.rank.certify import Stage
from verifier.suite.pipeline import CaseReport, run_case
from verifier.suite.recheck import Checked, CheckerProcess

BLAS_THREADS = max(1, (os.cpu_count() or 1) // 2)
"""OpenBLAS threads wait by spinning: with a checker at work on the same cores, a QR took 100 times longer."""

LARGE_BYTES = 4 * 2**20
"""A certificate from this size on is checked in a process of its own while the next case is proved."""


class Display(Protocol):
    """Where progress goes."""

    def case(self, name: str, position: int, count: int) -> AbstractContextManager[Stage]:
        """Announce a case; the context's value announces its stages."""


@dataclass
class Outcome:
    """A case with its check: ``ok`` if every verdict is as expected and the certificate, if any, was accepted."""

    report: CaseReport
    seconds: float
    check: Checked | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is as expected."""
        return not self.report.surprises and (self.check is None or self.check.verdict == "ACCEPTED")

    @property
    def exit_code(self) -> int:
        """0 as expected or proved; 1 refuted, rejected or unexpected; 3 undecided."""
        if not self.ok:
            return 1
        found = [step.verdict for step in self.report.steps if step.key in ("rank", "zero_loss", "path")]
        open_questions = [step for step in self.report.steps if step.key not in self.report.case.expected]
        unexpected = [step.verdict for step in open_questions if step.key in ("rank", "zero_loss", "path")]
        if not self.report.case.expected:
            unexpected = found
        if Verdict.REFUTED in unexpected:
            return 1
        return 3 if Verdict.UNDECIDED in unexpected else 0


@dataclass
class SuiteResult:
    """All outcomes, wall time in seconds and peak memory in bytes (of this process and of the checker)."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    peak_bytes: int = 0
    checker_peak_bytes: int = 0

    @property
    def exit_code(self) -> int:
        """The worst: 1 before 3 before 0."""
        codes = {outcome.exit_code for outcome in self.outcomes}
        return 1 if 1 in codes else 3 if 3 in codes else 0


def packaged_cases(suite: str) -> list[Case]:
    """The cases shipped with the package: ``main`` (digits) or ``quick``."""
    folder = resources.files("verifier.suite") / "cases" / suite
    with resources.as_file(folder) as where:
        return [read_case(file) for file in sorted(where.glob("*.toml"))]


def run_cases(
    cases: list[Case], out: Path, display: Display, *, seed: int | None = None, backend: Backend | None = None
) -> SuiteResult:
    """Prove, write, check; results in ``out/certificates`` and ``out/results.json``.

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
    backend
        Array library of the binary64 engine, NumPy by default.

    Raises
    ------
    VerifierError
        Unusable input in a case, or a folder that cannot be written.
    """
    started = time.perf_counter()
    result = SuiteResult()
    folder = out / "certificates"
    for part in leftover_parts(folder):
        part.unlink(missing_ok=True)
    waiting: list[tuple[CheckerProcess, list[Outcome]]] = []
    small: list[Outcome] = []
    try:
        for position, (name, case) in enumerate(_named(cases)):
            with display.case(name, position, len(cases)) as stage:
                begun = time.perf_counter()
                busy = any(process.running for process, _ in waiting)
                with threadpool_limits(BLAS_THREADS if busy else None):
                    report, builder = run_case(case, seed=seed, stage=stage, backend=backend)
                if not builder.empty:
                    stage("writing the certificate")
                    report.certificate = builder.write(folder / f"{name}.json")
            outcome = Outcome(report, time.perf_counter() - begun)
            result.outcomes.append(outcome)
            if report.certificate is None:
                continue
            if report.certificate.with_suffix(".safetensors").stat().st_size >= LARGE_BYTES:
                waiting.append((CheckerProcess([report.certificate]), [outcome]))
            else:
                small.append(outcome)
        if small:
            files = [o.report.certificate for o in small if o.report.certificate is not None]
            waiting.append((CheckerProcess(files), small))
        with display.case("independent check", len(cases), len(cases)) as stage:
            stage("waiting for the checker")
            for process, outcomes in waiting:
                for outcome, checked in zip(outcomes, process.wait(), strict=True):
                    outcome.check = checked
    finally:
        for process, _ in waiting:
            process.stop()
    result.seconds = time.perf_counter() - started
    result.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result.checker_peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    atomic_write(out / "results.json", (json.dumps(as_json(result), indent=1) + "\n").encode())
    return result


def _named(cases: list[Case]) -> Iterator[tuple[str, Case]]:
    """Unique names, so that two cases never write the same certificate."""
    seen: dict[str, int] = {}
    for case in cases:
        count = seen[case.name] = seen.get(case.name, 0) + 1
        yield (case.name if count == 1 else f"{case.name}-{count}"), case


def as_json(result: SuiteResult) -> dict[str, Any]:
    """The result as one JSON document."""
    return {
        "version": __version__,
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 3),
        "peak_bytes": result.peak_bytes,
        "checker_peak_bytes": result.checker_peak_bytes,
        "cases": [_outcome_json(outcome) for outcome in result.outcomes],
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    report = outcome.report
    return {
        "name": report.case.name,
        "title": report.case.file.title,
        "data": report.data,
        "ok": outcome.ok,
        "seconds": round(outcome.seconds, 3),
        "verdicts": {step.key: str(step.verdict) for step in report.steps},
        "steps": [
            {
                "key": s.key,
                "label": s.label,
                "verdict": str(s.verdict),
                "reason": s.reason,
                "seconds": round(s.seconds, 3),
            }
            for s in report.steps
        ],
        "theorem": [] if report.theorem is None else report.theorem.as_json(),
        "engine": report.engine,
        "attempts": list(report.rank.attempts) if report.rank else [],
        "surprises": report.surprises,
        "certificate": None if report.certificate is None else str(report.certificate),
        "certificate_bytes": certificate_bytes(report),
        "check": None
        if outcome.check is None
        else {"verdict": outcome.check.verdict, "reason": outcome.check.reason, "seconds": outcome.check.seconds},
    }


def certificate_bytes(report: CaseReport) -> int:
    """Size of the certificate's two files (0 if there is none)."""
    if report.certificate is None:
        return 0
    return sum(path.stat().st_size for path in (report.certificate, report.certificate.with_suffix(".safetensors")))
