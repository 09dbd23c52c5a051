"""``verifier minimum``: a certified strict local minimum, and whether its valley is bad (BM)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verifier import __version__
from verifier.cli.common import (
    WITHOUT_DECAY,
    CaseArgument,
    CertificateOption,
    JsonOption,
    SeedOption,
    VerboseOption,
    about,
    console,
    print_found,
    require_json_name,
    say_more,
    say_written,
)
from verifier.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.minimum import FoundMinimum
    from verifier.problem import Problem
    from verifier.run.case import Case

DIGITS, MOST_DIGITS = 6, 17
"""Digits of the losses: so many, and more where the valley's and the better point's would look the same."""

SHOWN = ("loss at the point", "ball around it", "a better point", "starts")
"""Numbers that are always shown."""


def minimum(
    case: CaseArgument,
    out: CertificateOption = None,
    seed: SeedOption = None,
    trials: Annotated[
        int,
        typer.Option("--trials", min=1, max=10_000, metavar="K", help="Starts: the case's own and K - 1 random ones."),
    ] = 24,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find a strict local minimum of the cross-entropy, prove it (BM), and that it is bad where some loss is lower.

    Exit code 0: a minimum is PROVED, bad or not; 3: none is; 2: unusable input, such as M >= N, where no strict minimum
    is bad (C2+).
    """
    from verifier.minimum import find_minimum
    from verifier.run.case import read_case
    from verifier.run.case_problem import case_problem
    from verifier.run.progress import ProgressDisplay

    found_case = read_case(case)
    require_json_name(out)
    display = ProgressDisplay(console(stderr=True))
    with display.case(found_case.name, 0, 1) as stage:
        problem = case_problem(found_case, seed=seed)
        start = found_case.file.start.seed if seed is None else seed
        found = find_minimum(problem, seed=start, trials=trials, stage=stage)
        if found.tried == 0:  # nothing was looked for
            raise InputError(f"{case}: {found.reason}")
        written = None if out is None or found.builder.empty else found.builder.write(out)
    if as_json:
        sys.stdout.write(json.dumps(_document(found_case, problem, found, written), indent=1) + "\n")
    else:
        _print(found_case, problem, found, verbose)
        say_written(out, written, found.builder)
        say_more(verbose)
    raise typer.Exit(0 if found.proved else 3)


def conclusion(found: FoundMinimum) -> tuple[str, str]:
    """The verdict that comes first, and the conclusion in one sentence."""
    from verifier.balls.exact import at_most
    from verifier.statements.minimum import STRICT_MINIMUM

    name = f"{STRICT_MINIMUM.name} ({STRICT_MINIMUM.label})"
    if not found.proved:
        return "UNDECIDED", f"{name}: {found.reason}."
    if found.better is None:
        where = f"within {at_most(found.radius)} of the point that was found"
        return "PROVED", f"{name}, {where}. No lower point is known: it may be a global one."
    floor, better = _apart(found)
    return "REFUTED", (
        f"no bad local valley: around {name} the loss is at least {floor} in the whole valley, and at most {better} "
        "at another point."
    )


def _apart(found: FoundMinimum) -> tuple[str, str]:
    """The valley's loss from below and the better point's from above, with as many digits as tell them apart."""
    from verifier.balls.exact import at_least, at_most

    if found.better is None:
        return at_least(found.floor, DIGITS), ""
    upper = found.better.loss
    pairs = [(at_least(found.floor, digits), at_most(upper, digits)) for digits in range(DIGITS, MOST_DIGITS + 1)]
    return next((pair for pair in pairs if float(pair[1]) < float(pair[0])), pairs[-1])


def numbers(found: FoundMinimum) -> list[tuple[str, str]]:
    """What was proved, by name, each number rounded to the safe side.

    Parameters
    ----------
    found
        The minimum.
    """
    from verifier.balls.exact import at_least, at_most

    starts = [("starts", f"{found.tried}, in {found.seconds:.1f} s")]
    if not found.proved:
        return starts
    floor, better = _apart(found)
    lower, upper = at_least(found.value[0], DIGITS), at_most(found.value[1], DIGITS)
    radius, curvature, gradient = (x.fraction() for x in (found.radius, found.curvature, found.gradient))
    rise = at_least(curvature * radius**2 / 2 - gradient * radius)
    rows = [
        ("free parameters", f"{found.parameters}: U, and V with its last column at 0"),
        ("loss at the point", f"in [{lower}, {upper}]"),
        ("ball around it", f"of radius {at_least(found.radius)} or more"),
        ("loss in the ball", f"at least {floor}"),
        ("curvature in it", f"lambda >= {at_least(found.curvature)} (eigenvalues of the Hessian)"),
        ("gradient", f"at most {at_most(found.gradient)} long at the point"),
        ("rim of the valley", f"{rise} or more above the point's loss"),
    ]
    if found.better is not None:
        rows.append(("a better point", f"loss at most {better}"))
    return rows + starts


def _print(case: Case, problem: Problem, found: FoundMinimum, verbose: bool) -> None:
    from verifier.lines import Conclusion, Line
    from verifier.statements.minimum import STRICT_MINIMUM
    from verifier.statements.valleys import NO_BAD_VALLEY
    from verifier.verdict import Verdict

    verdict, sentence = conclusion(found)
    lines = [Line(found.verdict, STRICT_MINIMUM.name, STRICT_MINIMUM.label, reason=found.reason)]
    if verdict == "REFUTED":
        lines.append(Line(Verdict.REFUTED, NO_BAD_VALLEY.name, NO_BAD_VALLEY.label))
    said = [each for each in about(case, problem) if each[0] != "start"]  # the descents begin anywhere
    said += [each for each in numbers(found) if verbose or each[0] in SHOWN]
    sentence += WITHOUT_DECAY if problem.weight_decay else ""
    print_found(case.file.title or case.name, Conclusion(verdict, sentence), said, [("", lines)], verbose=verbose)


def _document(case: Case, problem: Problem, found: FoundMinimum, written: Path | None) -> dict[str, Any]:
    verdict, sentence = conclusion(found)
    return {
        "version": __version__,
        "case": case.name,
        "data": problem.words,
        "understood": problem.data.understood,
        "verdict": str(found.verdict),
        "no_bad_local_valley": "REFUTED" if verdict == "REFUTED" else "UNDECIDED",
        "conclusion": sentence,
        "reason": found.reason,
        "numbers": dict(numbers(found)),
        "certificate": None if written is None else str(written),
    }
