"""``verifier experiment``: the paper's experiments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli.common import JsonOption, console


def experiment(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="tables, depth150, surface, rand-vs-sgd, or all; in parts: digits, mnist, parts."
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE.toml", help="Change the defaults; see --defaults.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="digits|mnist|fashion-mnist|cifar10", help="The data set.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Folder of its files; digits needs none.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, max=1000, metavar="K", help="Use the seeds 0..K-1.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for runs, weights, certificates, tables, figures.")
    ] = Path("verifier-out/experiments"),
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, max=1024, metavar="K", help="Processes (default: one per core)."),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", metavar="H", help="All runs together take about H hours; what does not fit is listed."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Discard what is finished; by default a killed experiment is gone on with.")
    ] = False,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Print the configuration as TOML and do nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Repeat the paper's experiments: skip networks trained by SGD beside random features, and what is proved there.

    Needs PyTorch: in your clone, pip install ".[torch]". An experiment that was killed goes on where it stopped.
    """
    from verifier.experiments.config import PRESETS, changed, preset, read_configuration
    from verifier.experiments.plan import jobs_of
    from verifier.experiments.results import results_json
    from verifier.experiments.runner import configuration_toml, run_experiment
    from verifier.experiments.table import print_experiment
    from verifier.run.executors import workers
    from verifier.run.progress import ProgressDisplay

    given = preset(name) if config is None and name in PRESETS else config
    configuration = changed(read_configuration(given), data=data, root=root, seeds=seeds, hours=hours)
    count = len(jobs_of(name, configuration))
    if defaults:
        sys.stdout.write(configuration_toml(configuration))
        return

    def say(line: str) -> None:
        console(stderr=True).print(line, markup=False, highlight=False)

    display = ProgressDisplay(console(stderr=True))
    width = min(count, os.cpu_count() or 1) if jobs is None else jobs
    with workers(width, None, None) as executor, display.many(count) as show:
        found = run_experiment(name, configuration, out, workers=executor, show=show, fresh=fresh, say=say)
    if as_json:
        sys.stdout.write(results_json(found).decode())
    else:
        print_experiment(console(), found)
        console().print(
            f"Everything is in {out}: results.html, results.md, results.csv, figures/", markup=False, soft_wrap=True
        )
