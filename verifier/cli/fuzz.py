"""``verifier fuzz``: built-in properties and conjectures of your own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier import __version__
from verifier.cli.common import JsonOption, console
from verifier.errors import InputError, nearest


def fuzz(
    properties: Annotated[
        list[str] | None, typer.Argument(metavar="PROPERTY", help="Built-in properties; none: all of them.")
    ] = None,
    examples: Annotated[
        int | None, typer.Option("--examples", min=1, metavar="N", help="Examples for each (default: 200).")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, metavar="T", help="Time for all of them together.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the examples.")] = 0,
    conjecture: Annotated[
        str | None,
        typer.Option("--conjecture", metavar="FILE.py[:FUNCTION]", help="Search for a counterexample of your own."),
    ] = None,
    case: Annotated[
        Path | None, typer.Option("--case", metavar="CASE.toml", help="Check this case only: replay a counterexample.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the database of failures and for counterexamples.")
    ] = Path("verifier-out/fuzz"),
    list_them: Annotated[bool, typer.Option("--list", help="List the properties and the worked conjectures.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fuzz the prover and the checker, or a conjecture: draw problems, shrink a counterexample, write it as a case.

    Failures are remembered in DIR and tried first in the next run. Exit code 1: a counterexample was found.
    """
    from hypothesis.configuration import set_hypothesis_home_dir

    from verifier.balls.feature_enclosure import use_threads
    from verifier.fuzz.conjecture import load_conjecture, shipped
    from verifier.fuzz.properties.core import PROPERTIES
    from verifier.fuzz.search import DEFAULT_EXAMPLES, replay, search
    from verifier.fuzz.table import print_conclusion, print_properties, print_result, progress

    if list_them:
        print_properties(console(), PROPERTIES, shipped())
        return
    if conjecture is not None and properties:
        raise InputError("--conjecture and properties exclude each other; give one of them")
    unknown = [name for name in properties or [] if name not in PROPERTIES]
    if unknown:
        raise InputError(f"no property {unknown[0]!r}; {nearest(unknown[0], PROPERTIES)}")
    chosen = [PROPERTIES[name] for name in properties or PROPERTIES]
    if conjecture is not None:
        chosen = [load_conjecture(conjecture)]
    use_threads(1)
    set_hypothesis_home_dir(out / "hypothesis")  # not into the working folder
    limit = examples if examples is not None or minutes is not None else DEFAULT_EXAMPLES
    results = []
    for entry in chosen:
        with progress(console(stderr=True), entry.name, limit) as watch:
            if case is not None:
                results.append(replay(entry.name, entry.statement, case, entry.check))
            else:
                share = None if minutes is None else minutes / len(chosen)
                strategy, check = entry.strategy(), entry.check
                result = search(
                    entry.name, entry.statement, strategy, check,
                    examples=limit, minutes=share, seed=seed, folder=out, watch=watch,
                )  # fmt: skip
                results.append(result)
        if not as_json:
            print_result(console(), results[-1])
    if as_json:
        document = {"version": __version__, "seed": seed, "results": [result.as_json() for result in results]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    elif len(results) > 1:
        print_conclusion(console(), results)
    raise typer.Exit(1 if any(result.counterexample for result in results) else 0)
