"""``verifier run`` and ``verifier report``: suites and cases, and the page about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli.common import DeviceOption, JsonOption, SeedOption, VerboseOption, console
from verifier.errors import InputError

MAX_DETAILED = 20
"""Cases that `verifier run CASE.toml ...` tells one by one."""
MAIN_CASES = 2
"""Cases of the main job that are told one by one: those on all of digits."""


def run(
    cases: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CASE.toml", help="Case files or families of cases; none: the main job."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="quick|full", help="Run a packaged suite: quick, or full (some 500 cases)."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for certificates, results and the ledger.")
    ] = Path("verifier-out"),
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=1024, metavar="K", help="Prove in K processes.")] = 1,
    memory: Annotated[
        float | None,
        typer.Option("--memory", min=1.0, metavar="GIB", help="Address space of each process of --jobs."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Run the I-th of N parts; without it, combine them.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Prove on the workers of a Dask scheduler."),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="Run the one case (or member of a family) NAME.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Discard what a killed run finished; by default it is gone on with.")
    ] = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Prove all statements about cases: what is proved is said first, then a line a statement.

    Without arguments the main job: all of digits on two networks, and the quick suite. Certificates, results.json and
    report.html are left in DIR. A run that was killed goes on where it stopped when the same command is given again.
    """
    from verifier.report.page import write_report
    from verifier.run.closing import FEW_CASES
    from verifier.run.executors import workers
    from verifier.run.family import read_cases
    from verifier.run.ledger import suffix
    from verifier.run.progress import ProgressDisplay
    from verifier.run.record import to_json
    from verifier.run.runner import packaged_cases, parse_shard, run_cases
    from verifier.run.table import print_conclusions, print_steps, print_summary, print_table

    if suite is not None and suite not in ("quick", "full"):
        raise InputError(f"--suite {suite}: unknown suite; use quick or full")
    if suite is not None and cases:
        raise InputError("--suite and case files exclude each other; give one of them")
    part = None if shard is None else parse_shard(shard)
    if cases:
        chosen = [case for path in cases for case in read_cases(path)]
    else:
        chosen = packaged_cases(suite) if suite else packaged_cases("main") + packaged_cases("quick")
    with workers(jobs, memory, scheduler) as executor:
        result = run_cases(
            chosen,
            out,
            ProgressDisplay(console(stderr=True)),
            seed=seed,
            device=device,
            executor=executor,
            shard=part,
            only=only,
            fresh=fresh,
        )
    write_report(out, suffix(part))
    if as_json:
        sys.stdout.write(json.dumps(to_json(result, out), indent=1) + "\n")
    else:
        terminal = console()
        told = result.records[: 0 if suite else MAX_DETAILED if cases else MAIN_CASES]
        alone = len(result.records) == 1
        if verbose or alone:
            for record in told:
                print_steps(terminal, record, verbose=verbose)
        else:
            print_conclusions(terminal, told if len(told) <= FEW_CASES else ())
        if not alone:
            print_table(terminal, result)
        print_summary(terminal, result, str(out), [str(path) for path in cases or ()], verbose=verbose)
    raise typer.Exit(result.exit_code)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run: its --out.")],
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="A page about the one case NAME, report-NAME.html.")
    ] = None,
) -> None:
    """Write DIR/report.html again from DIR/results.json: one HTML page that needs nothing else, to be handed on."""
    from verifier.report.page import write_report

    console().print(f"Wrote {write_report(folder, only=only)}", highlight=False, markup=False, soft_wrap=True)
