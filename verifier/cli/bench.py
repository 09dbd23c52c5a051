"""``verifier bench``: the speed of this version on this machine."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from verifier.cli.common import JsonOption, console


def bench(
    as_json: JsonOption = False,
    device: Annotated[str, typer.Option("--device", metavar="cpu|gpu", help="Where the binary64 engine runs.")] = "cpu",
    full: Annotated[
        bool, typer.Option("--full", help="Measure mpmath at full size instead of scaling it: minutes.")
    ] = False,
) -> None:
    """Measure the speed of this version on this machine, against SVD, a plain product, Arb and mpmath."""
    from verifier.balls.binary64.backend import backend_for
    from verifier.bench import as_json as to_json
    from verifier.bench import print_bench, run_bench
    from verifier.run.progress import ProgressDisplay

    backend = backend_for(device)
    found = run_bench(backend, ProgressDisplay(console(stderr=True)), full=full)
    if as_json:
        sys.stdout.write(json.dumps(to_json(found), indent=1, allow_nan=False) + "\n")
    else:
        print_bench(console(), found)
