"""``verifier witness``: one U of full rank, and what it says about almost every U."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from verifier import __version__
from verifier.cli.common import (
    CaseArgument,
    CertificateOption,
    JsonOption,
    SeedOption,
    VerboseOption,
    console,
    print_found,
    require_json_name,
    say_more,
    say_written,
)
from verifier.cli.prove import steps_json


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
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Construct a U of full rank (W1-W3, or a dense random one): full rank at almost every U, no bad local valley."""
    from verifier.options import at_most_threads
    from verifier.problem import with_decay
    from verifier.run.case import read_case
    from verifier.run.progress import ProgressDisplay
    from verifier.run.witnessing import conclude_witness, run_witness, table_along_line, witness_lines
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
        document["steps"] = steps_json(report.steps)
        document |= {"certificate": None if written is None else str(written), "line": table}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        decay = with_decay(found_case.file.losses.weight_decay)
        said = [
            ("data", report.data),
            ("read as", report.understood),
            ("network", report.network.size_words),
            ("weight decay", decay),
        ]
        if table is not None:
            full = f"{table['full_rank']} of {table['points']} points have certified full rank"
            said.append(("on a line", f"through {table['through']}: {full}; table: {table['file']}"))
        title = found_case.file.title or found_case.name
        lines = witness_lines(report, found_case.expected)
        print_found(title, conclude_witness(report, decay), said, lines, verbose=verbose)
        say_written(out, written, report.builder)
        say_more(verbose)
    raise typer.Exit({Verdict.PROVED: 0, Verdict.REFUTED: 1}.get(report.generic, 3))
