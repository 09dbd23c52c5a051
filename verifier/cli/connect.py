"""``verifier connect``: two networks on the same data, and a certified path between them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verifier import __version__
from verifier.cli.common import (
    WITHOUT_DECAY,
    CertificateOption,
    JsonOption,
    VerboseOption,
    console,
    print_found,
    require_folder,
    require_json_name,
    say_more,
    say_places,
    say_sentence,
    say_written,
)

if TYPE_CHECKING:
    from verifier.connect import Joined
    from verifier.landscape.line_barrier import LineBarrier
    from verifier.problem import Problem
    from verifier.run.case import Case


def connect(
    a: Annotated[Path, typer.Argument(metavar="A.toml", help="Case file of the first network.")],
    b: Annotated[Path, typer.Argument(metavar="B.toml", help="That of the second: same data, same architecture.")],
    out: CertificateOption = None,
    seed_a: Annotated[
        int | None, typer.Option("--seed-a", min=0, metavar="N", help="Replace the seed of A's case.")
    ] = None,
    seed_b: Annotated[
        int | None, typer.Option("--seed-b", min=0, metavar="N", help="Replace the seed of B's case.")
    ] = None,
    epsilon: Annotated[
        str | None, typer.Option("--epsilon", metavar="E", help="Keep the loss at most E while U moves, such as 1e-6.")
    ] = None,
    permute: Annotated[
        bool, typer.Option("--permute", help="Put B's units into the order nearest to A's first: another point than B.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE.npz", help="Keep what is found here, and go on from it another time."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write DIR/connection.html, with pictures.")
    ] = None,
    line: Annotated[
        bool, typer.Option("--line/--no-line", help="Also bound the barrier of the straight line of all weights.")
    ] = True,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Join two networks by a certified path whose loss never exceeds the larger of their two losses (MC).

    Two case files with the same data and network that differ in their start: `start.file`, `network.model` or the seed;
    `verifier connect A.toml A.toml --seed-b 1` compares two seeds of one case. Exit code 0: joined, barrier 0; 2:
    unusable input; 3: not decided, which does not mean that there is no such path.
    """
    from verifier.connect import connect as join
    from verifier.run.case import read_case
    from verifier.run.case_problem import case_problem
    from verifier.run.progress import ProgressDisplay

    cases, seeds = (read_case(a), read_case(b)), (seed_a, seed_b)
    kept = None if resume is None else str(resume)
    require_json_name(out)
    if report is not None:
        require_folder(report, "--report")
    display = ProgressDisplay(console(stderr=True))
    with display.case(f"{cases[0].name} and {cases[1].name}", 0, 1) as stage:
        first, second = (case_problem(case, seed=seed) for case, seed in zip(cases, seeds, strict=True))
        found = join(first, second, line=line, epsilon=epsilon, permute=permute, resume=kept, stage=stage)
        written = None if out is None or found.builder.empty else found.builder.write(out)
        starts = [_start(*each) for each in zip((first, second), cases, seeds, strict=True)]
        page = None
        if report is not None:
            from verifier.report.connection import write_connection_report

            page = write_connection_report(found, report, starts=starts)
    if as_json:
        sys.stdout.write(json.dumps(_json(found, starts, written, page), indent=1) + "\n")
    else:
        _print(found, starts, verbose)
        if out is not None and found.line is not None and found.a.rows.labels is None:
            say_sentence("No certificate was written: its claims are about one label for each sample.")
        else:
            say_written(out, written, found.builder)
        if page is not None:
            say_places([("Report", str(page))])
        say_more(verbose)
    raise typer.Exit(0 if found.proved else 3)


def _print(found: Joined, starts: Sequence[str], verbose: bool) -> None:
    """Print what was found, the conclusion first."""
    from verifier.lines import Conclusion, Line
    from verifier.statements.connection import STRAIGHT_LINE, WITHOUT_BARRIER

    order = "; units permuted" if found.permuted else ""
    said = [("data", found.a.words), ("A", starts[0]), ("B", f"{starts[1]}{order}")]
    for name, loss in (("loss of A", found.start_loss), ("loss of B", found.end_loss)):
        said += [] if loss is None else [(name, "in [{}, {}]".format(*_bounds(loss)))]
    between = found.kinds[1:-1]
    if verbose:
        said += [("corners", f"between A and B: {', '.join(between)}")] if between else []
        said.append(("time", f"{found.seconds:.1f} s"))
    why = "" if found.proved else f": {found.reason.removeprefix('does not apply: ')}"
    lines = [Line(found.verdict, WITHOUT_BARRIER.name, WITHOUT_BARRIER.label, reason=f"{found.reason}.")]
    if found.line is not None:
        words, _, reason = found.line.words.partition(": ")
        name = words if found.line.proved else STRAIGHT_LINE.name
        lines.append(Line(found.line.verdict, name, STRAIGHT_LINE.label, reason=reason or words))
    decay = WITHOUT_DECAY if any(problem.weight_decay for problem in (found.a, found.b)) else ""
    title = f"{found.a.name} and {found.b.name}"
    conclusion = Conclusion(str(found.verdict), f"{found.conclusion}{why}.{decay}")
    print_found(title, conclusion, said, [("", lines)], verbose=verbose)


def _start(problem: Problem, case: Case, seed: int | None) -> str:
    """Where a network's weights come from: its case's name, and the file or the seed."""
    drawn = f"{case.file.start.init} weights, seed {case.file.start.seed if seed is None else seed}"
    return f"{problem.name}: {problem.start or drawn}"


def _json(found: Joined, starts: Sequence[str], written: Path | None, page: Path | None) -> dict[str, Any]:
    from verifier.balls.exact import at_least, exactly
    from verifier.problem import with_decay

    return {
        "version": __version__,
        "a": starts[0],
        "b": starts[1],
        "permuted": found.permuted,
        "data": found.a.words,
        "understood": found.a.data.understood,
        "verdict": str(found.verdict),
        "conclusion": found.conclusion,
        "weight_decay": with_decay(found.a.weight_decay or found.b.weight_decay),
        "reason": found.reason,
        "start_loss": None if found.start_loss is None else _bounds(found.start_loss),
        "end_loss": None if found.end_loss is None else _bounds(found.end_loss),
        "gamma": None if found.gamma is None else at_least(found.gamma),
        "kappa": None if found.kappa is None else exactly(found.kappa),
        "corners": list(found.kinds),
        "pieces": [
            {"leg": piece.leg, "start": str(piece.start), "end": str(piece.end), "weights": piece.weights}
            for piece in found.pieces
        ],
        "weights": len(found.weights),
        "seconds": round(found.seconds, 3),
        "line": None if found.line is None else _line_json(found.line),
        "certificate": None if written is None else str(written),
        "report": None if page is None else str(page),
    }


def _bounds(interval: tuple[Any, Any]) -> list[str]:
    """Both ends of an interval, rounded outwards."""
    from verifier.balls.exact import at_least, at_most

    return [at_least(interval[0]), at_most(interval[1])]


def _line_json(line: LineBarrier) -> dict[str, Any]:
    found: dict[str, Any] = {"verdict": str(line.verdict), "reason": line.words}
    if line.proved:
        found |= {"barrier": _bounds((line.lower, line.upper))}
        found |= {"largest_loss": _bounds((line.loss_lower, line.loss_upper)), "time": str(line.time)}
    return found | {"pieces": len(line.bounds)}
