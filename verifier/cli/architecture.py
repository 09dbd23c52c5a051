"""``verifier architecture``: what holds for every data set, or almost every one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
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
    console,
    print_found,
    require_json_name,
    say_more,
    say_written,
)

if TYPE_CHECKING:
    from verifier.architecture import Architecture


def architecture(
    case: CaseArgument,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, metavar="N", help="Number of samples. [default: those of the case's data]"),
    ] = None,
    outputs: Annotated[
        int, typer.Option("--outputs", min=1, metavar="M", help="Number of outputs for J3, where N is larger than M.")
    ] = 1,
    out: CertificateOption = None,
    seed: SeedOption = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Prove, without data, that for EVERY data set (A, S), or almost every one (D), no local valley is bad.

    For all labels and all convex losses. The case needs no [data]; network.input_shape is then the shape of a sample.
    With more samples than features: that almost every data set is memorised, every target attained exactly (J3). D and
    J3 say nothing about a given data set, nor about integer or 8-bit data (a null set). Exit code 0: A, S(1), S(2), D
    or J3 is proved; 2: unusable input; 3: none is proved, which says nothing.
    """
    from verifier.architecture import architecture as prove
    from verifier.run.case import read_case
    from verifier.run.case_architecture import case_architecture
    from verifier.run.progress import ProgressDisplay

    found_case = read_case(case)
    require_json_name(out)
    display = ProgressDisplay(console(stderr=True))
    with display.case(found_case.name, 0, 1) as stage:
        network, count = case_architecture(found_case, samples, seed=seed)
        found = prove(network, count, outputs=outputs, seed=seed or 0, stage=stage)
        written = None if out is None or found.builder.empty else found.builder.write(out)
    if as_json:
        sys.stdout.write(json.dumps(_json(found, found_case.name, written), indent=1) + "\n")
    else:
        decay = found_case.file.losses.weight_decay is not None
        _print(found, found_case.file.title or found_case.name, decay, verbose)
        say_written(out, written, found.builder)
        say_more(verbose)
    raise typer.Exit(0 if found.proved else 3)


def _print(found: Architecture, title: str, decay: bool, verbose: bool) -> None:
    from verifier.display import listed
    from verifier.lines import Conclusion, Line

    said = [("network", found.about), *(("taken over", remark) for remark in found.remarks)]
    applying = [step for step in found.steps if step.applies]
    lines = [Line(step.verdict, step.name, step.label, reason=step.reason) for step in applying]
    conclusion = Conclusion(
        "PROVED" if found.proved else "UNDECIDED", found.conclusion + (WITHOUT_DECAY if decay else "")
    )
    print_found(title, conclusion, said, [("", lines)], verbose=verbose)
    others = [(step.shown, f"{step.name} ({step.label}): {step.reason}") for step in found.steps if not step.applies]
    if verbose and others:
        sys.stdout.write("\n".join(["Do not apply", *listed(others)]) + "\n")


def _json(found: Architecture, name: str, written: Path | None) -> dict[str, Any]:
    return {
        "version": __version__,
        "case": name,
        "samples": found.samples,
        "dimension": found.network.dimension,
        "outputs": found.outputs,
        "columns": found.network.columns,
        "conclusion": found.conclusion,
        "statements": [
            {
                "label": step.label,
                "name": step.statement.name,
                "verdict": str(step.verdict),
                "reason": step.reason,
                "sentence": step.statement.sentence,
            }
            for step in found.steps
        ],
        "certificate": None if written is None else str(written),
    }
