"""``verifier rank``, ``path`` and ``witness``: one case, one question."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
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
    console,
    require_json_name,
    say_written,
)
from verifier.errors import InputError, one_line

if TYPE_CHECKING:
    from verifier.options import Part
    from verifier.outcome import Report, Step
    from verifier.problem import Problem
    from verifier.run.case import Case


TIGHT_BYTES = 2**30
"""Memory that a tight bound of sigma_N may take where it was not asked for: up to some N = 10,000."""


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
    as_json: JsonOption = False,
    svd: Annotated[bool, typer.Option("--svd", help="Enclose all singular values of Psi instead (R4).")] = False,
    digits: Annotated[
        int | None, typer.Option("--digits", metavar="N", help="Decimal digits of each singular value (default: 50).")
    ] = None,
) -> None:
    """Prove the rank of Psi at the case's U (R1-R3, R6) or its deficiency (R5, R6); or enclose singular values (R4).

    Without --out R2 is used where it suffices, in binary64; a certificate carries a right inverse (R1, R3).
    """
    if svd:
        if out is not None:
            raise InputError("--svd and --out exclude each other: certificates carry R1 and R5, not singular values")
        _singular_values(case, seed, as_json, 50 if digits is None else digits)
    elif digits is not None:
        raise InputError("--digits is an option of --svd; give both")
    _prove(case, out, seed, as_json, "rank", device=device, tight=tight)


def path(
    case: CaseArgument,
    out: CertificateOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    escape: Annotated[
        str | None, typer.Option("--escape", metavar="E1|E2|E3|E4|S.path", help="Leave the start by this escape only.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove a path from the case's start to zero loss: without increase (P1; E1, E2, S.path, E4), or (E3) + epsilon."""
    _prove(case, out, seed, as_json, "path", device=device, escape=escape)


def witness(
    case: CaseArgument,
    out: CertificateOption = None,
    seed: SeedOption = None,
    seeds: Annotated[
        int,
        typer.Option("--seeds", min=0, max=10_000, metavar="K", help="Also test K random U for full rank."),
    ] = 0,
    line: Annotated[
        Path | None,
        typer.Option("--line", metavar="FILE.csv", help="Also table sigma_N along a line through a deficient U."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Construct a U of full rank (W1-W3, or a dense random one): full rank at almost every U, no bad local valley."""
    from verifier.options import at_most_threads
    from verifier.run.case import read_case
    from verifier.run.progress import ProgressDisplay
    from verifier.run.table import print_witness
    from verifier.run.witnessing import run_witness, table_along_line
    from verifier.verdict import Verdict

    found_case = read_case(case)
    require_json_name(out)
    display = ProgressDisplay(console(stderr=True))
    with at_most_threads(), display.case(found_case.name, 0, 1) as stage:
        report = run_witness(found_case, seed=seed, trials=seeds, certificate=out is not None, stage=stage)
        table = None if line is None else table_along_line(found_case, line, seed=seed, stage=stage)
        written = None if out is None or report.builder is None or report.builder.empty else report.builder.write(out)
    if as_json:
        document: dict[str, Any] = {"version": __version__, "case": found_case.name, "data": report.data}
        document["understood"] = report.understood
        document["steps"] = _steps(report.steps)
        document |= {"certificate": None if written is None else str(written), "line": table}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print_witness(console(), found_case, report, table)
        say_written(out, written, report.builder)
    raise typer.Exit({Verdict.PROVED: 0, Verdict.REFUTED: 1}.get(report.generic, 3))


def _steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {"key": s.key, "label": s.label, "verdict": str(s.verdict), "reason": s.reason, "seconds": s.seconds}
        for s in steps
    ]


def _singular_values(case_path: Path, seed: int | None, as_json: bool, digits: int) -> NoReturn:
    from verifier.balls.engine import FIRST_BITS
    from verifier.balls.feature_enclosure import FeatureEnclosure
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
    understood = problem.data.understood
    if as_json:
        head: dict[str, Any] = {"version": __version__, "case": case.name, "data": problem.words}
        head |= {"understood": understood, "seconds": round(seconds, 3)}
        sys.stdout.write(json.dumps(head | to_json(found), indent=1) + "\n")
    else:
        told = [f"data: {understood}"] if understood else []
        lines = [f"{case.name}: {problem.words}", *told, *describe(found, seconds)]
        sys.stdout.write("\n".join(lines) + "\n")
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
) -> None:
    from verifier.balls.binary64.backend import backend_for
    from verifier.prove import prove
    from verifier.run.case import ESCAPES, read_case
    from verifier.run.case_problem import case_options, case_problem
    from verifier.run.progress import ProgressDisplay
    from verifier.run.record import record_of
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
        found = prove(problem, case_options(case, **changes), stage=stage)
        builder = found.builder
        written = None if out is None or builder.empty else builder.write(out)
    if as_json:
        sys.stdout.write(json.dumps(_report_json(found, written), indent=1) + "\n")
    else:
        print_steps(console(), record_of(found, case, case.name, "", sum(step.seconds for step in found.steps)))
        say_written(out, written, builder)
    raise typer.Exit(_exit_code(found, case, part))


def _how_much_better(found: Report) -> str:
    """What a tight bound of sigma_N seems to be worth, in a sentence; empty where none is to be had."""
    from verifier.balls.exact import about, at_least

    gram, sigma = found.rank.gram, found.rank.sigma_lower
    if gram is None or not sigma * WORTH < gram.estimate < math.inf:
        return ""
    return (
        f"sigma_N >= {at_least(sigma)} is the cheapest bound: sigma_N seems to be about {about(gram.estimate, 2)} "
        "(not proved), and --tight proves a bound near what it is."
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
        "steps": _steps(found.steps),
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
