"""``verifier rank`` and ``path``: one case, one question."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verifier import __version__
from verifier.cli.common import (
    CaseArgument,
    CertificateOption,
    DeviceOption,
    JsonOption,
    SeedOption,
    VerboseOption,
    about,
    console,
    print_found,
    require_json_name,
    say_more,
    say_sentence,
    say_written,
)
from verifier.errors import InputError, one_line

if TYPE_CHECKING:
    from verifier.options import Part
    from verifier.outcome import Report, Step
    from verifier.problem import Problem
    from verifier.rank.certify import Stage
    from verifier.run.case import Case


TIGHT_BYTES = 2**30
"""Memory that a tight bound of sigma_N may take where it was not asked for: up to some N = 10,000."""


QUIET_SECONDS = 60.0
"""Lines of progress in a file are at least so far apart."""

WORTH = 1.2
"""How much larger than its bound sigma_N must seem to be for --tight to be named."""


def rank(
    case: CaseArgument,
    out: CertificateOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    tight: Annotated[
        bool | None,
        typer.Option(
            "--tight/--fast",
            help="Bound sigma_N within 10 percent, where binary64 can, or by the cheapest proof. [default: tight, "
            "without --out and while it takes less than 1 GiB]",
        ),
    ] = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
    svd: Annotated[bool, typer.Option("--svd", help="Enclose all singular values of Psi instead (R4).")] = False,
    digits: Annotated[
        int | None, typer.Option("--digits", metavar="N", help="Decimal digits of each singular value (default: 50).")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", metavar="DIR", help="Keep the Gram matrix in DIR (R2); the same command goes on there."),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory", min=0.01, max=1e6, metavar="GIB", help="Memory of a task of --work, beside samples and U."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=1024, metavar="K", help="Do the tasks of --work in K processes.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Do them on the workers of a Dask scheduler."),
    ] = None,
) -> None:
    """Prove the rank of Psi at the case's U (R1-R3, R6) or its deficiency (R5, R6); or enclose singular values (R4).

    Without --out R2 is used where it suffices, in binary64; a certificate carries a right inverse (R1, R3).
    """
    place = None
    if work is None:
        if memory is not None or jobs != 1 or scheduler is not None:
            raise InputError("--memory, --jobs and --scheduler are options of --work; name a folder for the tiles")
    elif svd or out is not None:
        raise InputError("--work is for R2; --out (a certificate carries R1) and --svd (R4) are not: leave one out")
    else:
        place = Place(work, memory, jobs, scheduler)
    if svd:
        if out is not None:
            raise InputError("--svd and --out exclude each other: certificates carry R1 and R5, not singular values")
        _singular_values(case, seed, as_json, 50 if digits is None else digits)
    elif digits is not None:
        raise InputError("--digits is an option of --svd; give both")
    _prove(case, out, seed, as_json, "rank", device=device, tight=tight, verbose=verbose, place=place)


def path(
    case: CaseArgument,
    out: CertificateOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    escape: Annotated[
        str | None, typer.Option("--escape", metavar="E1|E2|E3|E4|S.path", help="Leave the start by this escape only.")
    ] = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a path from the case's start to zero loss: without increase (P1; E1, E2, S.path, E4), or (E3) + epsilon."""
    _prove(case, out, seed, as_json, "path", device=device, escape=escape, verbose=verbose)


def steps_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps as plain JSON values."""
    return [
        {"key": s.key, "label": s.label, "verdict": str(s.verdict), "reason": s.reason, "seconds": s.seconds}
        for s in steps
    ]


def _singular_values(case_path: Path, seed: int | None, as_json: bool, digits: int) -> NoReturn:
    from verifier.balls.engine import FIRST_BITS
    from verifier.balls.feature_enclosure import FeatureEnclosure
    from verifier.lines import Conclusion
    from verifier.options import at_most_threads
    from verifier.rank.singular_values import as_json as to_json
    from verifier.rank.singular_values import describe, singular_values
    from verifier.run.case import read_case
    from verifier.run.case_problem import case_problem
    from verifier.run.progress import ProgressDisplay
    from verifier.verdict import Verdict

    case = read_case(case_path)
    display = ProgressDisplay(console(stderr=True))
    with at_most_threads(), display.case(case.name, 0, 1) as stage:
        problem = case_problem(case, seed=seed)
        features = FeatureEnclosure(problem.network, problem.u, problem.rows.inputs, FIRST_BITS)
        started = time.perf_counter()
        found = singular_values(features, digits, max_bits=case.file.rank.max_bits, stage=stage)
        seconds = time.perf_counter() - started
    if as_json:
        head: dict[str, Any] = {"version": __version__, "case": case.name, "data": problem.words}
        head |= {"understood": problem.data.understood, "seconds": round(seconds, 3)}
        sys.stdout.write(json.dumps(head | to_json(found), indent=1) + "\n")
    else:
        sentence = f"singular values of Psi(U), N x M = {problem.rows.samples} x {problem.network.columns} (R4): "
        conclusion = Conclusion(str(found.verdict), f"{sentence}{found.reason}.")
        print_found(case.file.title or case.name, conclusion, about(case, problem, seed), [])
        sys.stdout.write("\n".join(describe(found, seconds)[1:]) + "\n")
    raise typer.Exit(0 if found.verdict is Verdict.PROVED else 3)


def _prove(
    case_path: Path,
    out: Path | None,
    seed: int | None,
    as_json: bool,
    part: Part,
    *,
    device: str,
    tight: bool | None = None,
    escape: str | None = None,
    verbose: bool = False,
    place: Place | None = None,
) -> None:
    from msgspec.structs import replace

    from verifier.balls.binary64.backend import backend_for
    from verifier.prove import prove
    from verifier.run.case import ESCAPES, read_case
    from verifier.run.case_problem import case_options, case_problem
    from verifier.run.progress import ProgressDisplay
    from verifier.run.record import record_of
    from verifier.run.summary import summarise
    from verifier.run.table import print_steps

    case = read_case(case_path)
    require_json_name(out)
    changes: dict[str, Any] = {"parts": frozenset({part}), "backend": backend_for(device)}
    changes["certificate"] = part != "rank" or out is not None
    if escape is not None:
        if escape not in ESCAPES:
            raise InputError(f"--escape {one_line(escape)}: no such escape; use one of {', '.join(ESCAPES)}")
        changes["escapes"] = (escape,)
    display = ProgressDisplay(console(stderr=True))
    with display.case(case.name, 0, 1) as stage:
        problem = case_problem(case, seed=seed)
        if part == "rank":
            changes["tight"] = (out is None and _cheap(problem)) if tight is None else tight
        if place is not None:
            changes["threads"] = os.cpu_count()
        with _gram(case, problem, place, seed, device, stage) as gram:
            found = prove(problem, case_options(case, **changes, **gram), stage=stage)
        builder = found.builder
        written = None if out is None or builder.empty else builder.write(out)
    if as_json:
        sys.stdout.write(json.dumps(_report_json(found, written), indent=1) + "\n")
    else:
        seconds = sum(step.seconds for step in found.steps)
        record = record_of(found, case, case.name, "", seconds)
        record = replace(record, summary=summarise(case, problem, seed))
        print_steps(console(), record, verbose=verbose)
        better = _how_much_better(found)
        if better:
            say_sentence(better)
        say_written(out, written, builder)
        say_more(verbose)
    raise typer.Exit(_exit_code(found, case, part))


@dataclass(frozen=True, slots=True)
class Place:
    """Where R2 keeps its tiles, how much memory a task may take, and who does the tasks."""

    work: Path
    memory: float | None
    jobs: int
    scheduler: str | None


@contextmanager
def _gram(
    case: Case, problem: Problem, place: Place | None, seed: int | None, device: str, stage: Stage
) -> Iterator[dict[str, Any]]:
    """The option that has R2 proved out of core, while its folder and its workers are open; none without a folder."""
    if place is None:
        yield {}
        return
    from verifier.run.executors import workers
    from verifier.run.ledger import environment
    from verifier.run.progress import time_left
    from verifier.run.tiling import Elsewhere, OutOfCore
    from verifier.run.toml import case_toml
    from verifier.run.work_folder import work_folder
    from verifier.run.worker import Task, packed

    screen, last = console(stderr=True), [time.monotonic()]

    def say(words: str, fraction: float, left: float) -> None:
        known = not math.isnan(left)
        rest = f", {100 * fraction:.0f} %, {time_left(left, left)} left" if known else ""
        if screen.is_terminal:
            stage(f"{words}{rest}")(fraction)
        elif not known or time.monotonic() - last[0] > QUIET_SECONDS:
            last[0] = time.monotonic()
            sys.stderr.write(f"{words}{rest}\n")
            sys.stderr.flush()

    with work_folder(place.work, problem, place.memory) as work, workers(place.jobs, None, place.scheduler) as found:
        sys.stderr.write(f"{work.words}\n")
        elsewhere = None
        if found is not None:
            files, shown = packed(case)
            task = Task(
                name=case.name, case=case, toml=case_toml(case), files=files, shown=shown, seed=seed, device=device,
                threads=found.threads, environment=environment(),
            )  # fmt: skip
            elsewhere = Elsewhere(found, task)
        try:
            yield {"gram": OutOfCore(work, say, elsewhere)}
        except KeyboardInterrupt:
            sys.stderr.write(f"the same command goes on from the finished tiles in {one_line(str(place.work))}\n")
            raise


def _how_much_better(found: Report) -> str:
    """What a tight bound of sigma_N seems to be worth, in a sentence; empty where none is to be had."""
    from verifier.balls.exact import about, at_least

    gram, sigma = found.rank.gram, found.rank.sigma_lower
    if gram is None or not sigma * WORTH < gram.estimate < math.inf:
        return ""
    return (
        f"sigma_N >= {at_least(sigma)} is the cheapest bound: sigma_N seems to be about {about(gram.estimate, 2)} "
        "(not proved), and --tight bounds it within 10 percent, where binary64 can."
    )


def _cheap(problem: Problem) -> bool:
    """Whether the second copy of the Gram matrix that a tight bound needs is small enough to be made unasked."""
    from verifier.rank.gram_matrix import plan

    return plan(problem.rows.samples, problem.network.columns).tight <= TIGHT_BYTES


def _report_json(found: Report, written: Path | None) -> dict[str, Any]:
    from verifier.problem import with_decay

    return {
        "version": __version__,
        "case": found.problem.name,
        "data": found.problem.words,
        "understood": found.problem.data.understood,
        "start": found.problem.start,
        "training_errors": "" if found.errors is None else found.errors.reason,
        "weight_decay": with_decay(found.problem.weight_decay),
        "steps": steps_json(found.steps),
        "engine": found.engine,
        "attempts": list(found.rank.attempts),
        "sigma_lower": found.rank.sigma_lower,
        "certificate": None if written is None else str(written),
    }


def _exit_code(found: Report, case: Case, part: Part) -> int:
    """0 proved or as expected, 1 refuted or unexpected, 3 undecided, over the statement that was asked for."""
    verdict, wanted = found.verdict(part), case.expected.get(part)
    if wanted is not None:
        return 0 if verdict is wanted else 1
    return {"PROVED": 0, "REFUTED": 1}.get(str(verdict), 3)
