"""The ``verifier`` command.

Exit codes: 0 proved, accepted, or as the case expects; 1 refuted, rejected or an unexpected verdict; 2 usage or bad
input (one
line, no traceback); 3 undecided; 130 interrupted.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verifier import __version__
from verifier.commands_matrix import matrix
from verifier.errors import InputError, VerifierError, nearest, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from verifier.certificate.writer import CertificateBuilder
    from verifier.run.case import Case
    from verifier.run.pipeline import CaseReport, Step

# Typer may carry Click inside or use the installed one: the base of its usage errors, wherever it lives.
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Prove, with certificates that an independent checker accepts or rejects, that a network's loss "
    "landscape has a path without increase from a start to zero loss.",
)

INTERRUPTED = "interrupted; finished certificates are complete, nothing half-written is left"

USAGE = (
    (r"Invalid value for '([^']+)':", r"\1:"),
    (r"Input should be a valid integer.*", "must be an integer"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be (greater|less) than or equal to", r"must be \1"),
    (r"must be greater", "must be at least"),
    (r"must be less", "must be at most"),
    (r" \(Possible options: *([^)]*)\)", r"; did you mean one of \1?"),
    (r"\. Did you mean", "; did you mean"),
)
"""Typer's words and ours."""

MAX_DETAILED = 20
"""Cases that `verifier run CASE.toml ...` prints step by step."""

CaseArgument = Annotated[Path, typer.Argument(metavar="CASE.toml", help="Case file; `verifier init` writes a sample.")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Replace the case's seed.")]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="cpu|gpu", help="Where the binary64 engine computes (gpu: CuPy).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


@app.command()
def run(
    cases: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CASE.toml ...]", help="Case files or families of cases; none: the main job."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", metavar="quick|full", help="Run a packaged suite: quick (44 cases), full (these and 440 more)."
        ),
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
    as_json: JsonOption = False,
) -> None:
    """Main job: without arguments all of digits (two networks) and the quick suite; or the given cases.

    A run that was killed goes on where it stopped when the same command is given again.
    """
    from verifier.report.page import write_report
    from verifier.run.executors import workers
    from verifier.run.family import read_cases
    from verifier.run.ledger import suffix
    from verifier.run.runner import packaged_cases, parse_shard, run_cases, to_json
    from verifier.run.table import ProgressDisplay, print_steps, print_summary, print_table

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
            ProgressDisplay(_console(stderr=True)),
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
        console = _console()
        for record in result.records[: 0 if suite else MAX_DETAILED if cases else 2]:
            print_steps(console, record)
        print_table(console, result)
        print_summary(console, result, str(out))
    raise typer.Exit(result.exit_code)


@app.command()
def rank(
    case: CaseArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate here (.json).")
    ] = None,
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    tight: Annotated[
        bool, typer.Option("--tight", help="Bound sigma_N within 10 percent, where binary64 can.")
    ] = False,
    as_json: JsonOption = False,
    svd: Annotated[bool, typer.Option("--svd", help="Enclose all singular values of Psi instead (R4).")] = False,
    digits: Annotated[
        int | None, typer.Option("--digits", metavar="N", help="Decimal digits of each singular value (default: 50).")
    ] = None,
) -> None:
    """Prove the rank of Psi at the case's U (R1-R3, R6) or its deficiency (R5, R6); or enclose singular values (R4).

    Without --out the cheapest proof is used (R2, in binary64); a certificate carries a right inverse (R1, R3).
    """
    if svd:
        if out is not None:
            raise InputError("--svd and --out exclude each other: certificates carry R1 and R5, not singular values")
        _singular_values(case, seed, as_json, 50 if digits is None else digits)
    elif digits is not None:
        raise InputError("--digits is an option of --svd; give both")
    _prove(case, out, seed, as_json, "rank", ("rank",), device=device, tight=tight)


@app.command()
def path(
    case: CaseArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate here (.json).")
    ] = None,
    seed: SeedOption = None,
    device: DeviceOption = "cpu",
    escape: Annotated[
        str | None, typer.Option("--escape", metavar="E1|E2|E3|E4", help="Leave the start by this escape only.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove a path from the case's start to zero loss: without increase (P1; E1, E2, E4 first), or (E3) + epsilon."""
    _prove(case, out, seed, as_json, "path", ("path",), device=device, tight=False, escape=escape)


@app.command()
def witness(
    case: CaseArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate here (.json).")
    ] = None,
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
    from verifier.balls.feature_enclosure import use_threads
    from verifier.run.case import read_case
    from verifier.run.table import ProgressDisplay, print_witness
    from verifier.run.witnessing import run_witness, table_along_line
    from verifier.verdict import Verdict

    found_case = read_case(case)
    _json_name(out)
    display = ProgressDisplay(_console(stderr=True))
    use_threads(os.cpu_count() or 1)
    with display.case(found_case.name, 0, 1) as stage:
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
        print_witness(_console(), found_case, report, table)
        _say_written(out, written, report.builder)
    raise typer.Exit({Verdict.PROVED: 0, Verdict.REFUTED: 1}.get(report.generic, 3))


def _json_name(out: Path | None) -> None:
    if out is not None and out.suffix != ".json":
        raise InputError(f"--out {out}: a certificate's name ends in .json (its arrays go beside it in .safetensors)")


def _say_written(out: Path | None, written: Path | None, builder: CertificateBuilder | None) -> None:
    from verifier.certificate.cost import sentence

    if written is not None:
        _console().print(f"Certificate: {written}", highlight=False, markup=False, soft_wrap=True)
        if builder is not None and builder.left_out:
            words = sentence(builder.left_out)
            _console().print(f"{words[:1].upper()}{words[1:]}.", highlight=False, markup=False)
    elif out is not None:
        why = "nothing was proved" if builder is None else builder.nothing
        _console().print(f"No certificate was written: {why}.", highlight=False, markup=False)


def _steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {"key": s.key, "label": s.label, "verdict": str(s.verdict), "reason": s.reason, "seconds": s.seconds}
        for s in steps
    ]


def _singular_values(case_path: Path, seed: int | None, as_json: bool, digits: int) -> NoReturn:
    import time

    from threadpoolctl import threadpool_limits

    from verifier.balls.engine import FIRST_BITS
    from verifier.balls.feature_enclosure import FeatureEnclosure, use_threads
    from verifier.rank.singular_values import as_json as to_json
    from verifier.rank.singular_values import describe, singular_values
    from verifier.run.case import read_case
    from verifier.run.pipeline import case_instance
    from verifier.run.scheduler import BLAS_THREADS
    from verifier.run.table import ProgressDisplay
    from verifier.verdict import Verdict

    case = read_case(case_path)
    use_threads(os.cpu_count() or 1)
    display = ProgressDisplay(_console(stderr=True))
    with threadpool_limits(BLAS_THREADS), display.case(case.name, 0, 1) as stage:
        instance = case_instance(case, seed=seed)
        features = FeatureEnclosure(instance.network, instance.u, instance.data.inputs, FIRST_BITS)
        started = time.perf_counter()
        found = singular_values(features, digits, max_bits=case.file.rank.max_bits, stage=stage)
        seconds = time.perf_counter() - started
    if as_json:
        head: dict[str, Any] = {"version": __version__, "case": case.name, "data": instance.words}
        head["understood"] = instance.data.understood
        head["seconds"] = round(seconds, 3)
        sys.stdout.write(json.dumps(head | to_json(found), indent=1) + "\n")
    else:
        told = [f"data: {instance.data.understood}"] if instance.data.understood else []
        lines = [f"{case.name}: {instance.words}", *told, *describe(found, seconds)]
        sys.stdout.write("\n".join(lines) + "\n")
    raise typer.Exit(0 if found.verdict is Verdict.PROVED else 3)


def _prove(
    case_path: Path,
    out: Path | None,
    seed: int | None,
    as_json: bool,
    part: str,
    keys: tuple[str, ...],
    *,
    device: str,
    tight: bool,
    escape: str | None = None,
) -> None:
    from verifier.balls.binary64.backend import backend_for
    from verifier.balls.feature_enclosure import use_threads
    from verifier.run.case import ESCAPES, read_case
    from verifier.run.pipeline import run_case
    from verifier.run.record import record_of
    from verifier.run.table import ProgressDisplay, print_steps

    case = read_case(case_path)
    _json_name(out)
    display = ProgressDisplay(_console(stderr=True))
    backend = backend_for(device)
    use_threads(os.cpu_count() or 1)
    if escape is not None:
        if escape not in ESCAPES:
            raise InputError(f"--escape {one_line(escape)}: no such escape; use one of {', '.join(ESCAPES)}")
        case.file.path.escapes = [escape]
    with display.case(case.name, 0, 1) as stage:
        report, builder = run_case(
            case,
            seed=seed,
            stage=stage,
            parts=frozenset({part}),
            backend=backend,
            tight=tight,
            certificate=part != "rank" or out is not None,
        )
        written = None if out is None or builder.empty else builder.write(out)
    if as_json:
        sys.stdout.write(json.dumps(_report_json(report, written), indent=1) + "\n")
    else:
        console = _console()
        print_steps(console, record_of(report, case.name, "", sum(step.seconds for step in report.steps)))
        _say_written(out, written, builder)
    raise typer.Exit(_exit_code(report, case, keys))


def _report_json(report: CaseReport, written: Path | None) -> dict[str, Any]:
    return {
        "version": __version__,
        "case": report.case.name,
        "data": report.data,
        "understood": report.understood,
        "start": report.start,
        "steps": _steps(report.steps),
        "engine": report.engine,
        "attempts": [] if report.rank is None else list(report.rank.attempts),
        "sigma_lower": 0.0 if report.rank is None else report.rank.sigma_lower,
        "certificate": None if written is None else str(written),
    }


def _exit_code(report: CaseReport, case: Case, keys: tuple[str, ...]) -> int:
    """0 proved or as expected, 1 refuted or unexpected, 3 undecided, over the statements that were asked for."""
    codes = set()
    for key in keys:
        verdict = report.verdict(key)
        wanted = case.expected.get(key)
        if wanted is not None:
            codes.add(0 if verdict is wanted else 1)
        else:
            codes.add({"PROVED": 0, "REFUTED": 1}.get(str(verdict), 3))
    return 1 if 1 in codes else 3 if 3 in codes else 0


@app.command()
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
    from verifier.run.table import ProgressDisplay

    backend = backend_for(device)
    found = run_bench(backend, ProgressDisplay(_console(stderr=True)), full=full)
    if as_json:
        sys.stdout.write(json.dumps(to_json(found), indent=1, allow_nan=False) + "\n")
    else:
        print_bench(_console(), found)


@app.command()
def fuzz(
    properties: Annotated[
        list[str] | None, typer.Argument(metavar="[PROPERTY ...]", help="Built-in properties; none: all of them.")
    ] = None,
    examples: Annotated[
        int | None, typer.Option("--examples", min=1, metavar="N", help="Examples for each (default: 200).")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, metavar="T", help="Time for all of them together.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the examples.")] = 0,
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
    from verifier.fuzz.properties import PROPERTIES
    from verifier.fuzz.search import DEFAULT_EXAMPLES, replay, search
    from verifier.fuzz.table import print_properties, print_result, progress

    if list_them:
        print_properties(_console(), PROPERTIES, shipped())
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
        with progress(_console(stderr=True), entry.name, limit) as watch:
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
            print_result(_console(), results[-1])
    if as_json:
        document = {"version": __version__, "seed": seed, "results": [result.as_json() for result in results]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    raise typer.Exit(1 if any(result.counterexample for result in results) else 0)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE ...", help="Certificates (.json).")],
    as_json: JsonOption = False,
    memory: Annotated[
        float | None,
        typer.Option(help="GiB of address space for each file, all processes together; 0: no limit. [default: 6]"),
    ] = None,
    cpu_seconds: Annotated[
        int | None,
        typer.Option(help="CPU time for each file, all processes together; 0: no limit. [default: 600]"),
    ] = None,
) -> None:
    """Check certificates by the independent checker, in an isolated process of its own.

    Exit code: 0 all accepted, 1 one rejected, 2 one unreadable, 3 one too expensive to check under the limits, which
    the operating system enforces: neither accepted nor rejected.
    """
    from verifier.certificate.check_process import checker_command, limit_options

    arguments = (["--json"] if as_json else []) + limit_options(memory, cpu_seconds) + ["--", *map(str, files)]
    raise typer.Exit(subprocess.run(checker_command(arguments), check=False).returncode)


app.command()(matrix)


@app.command()
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate (.json).")]) -> None:
    """Say in words what a certificate claims, for which data and network, and its trust base (without checking it)."""
    from verifier.certificate.show import describe

    _console().print(describe(file), highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run: its --out.")],
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="A page about the one case NAME, report-NAME.html.")
    ] = None,
) -> None:
    """Write DIR/report.html again from DIR/results.json: one HTML page that needs nothing else, to be handed on."""
    from verifier.report.page import write_report

    _console().print(f"Wrote {write_report(folder, only=only)}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def experiment(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="tables, depth150, surface, rand-vs-sgd, or all of them: all.")
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
    from verifier.experiments.config import changed, read_configuration
    from verifier.experiments.plan import jobs_of
    from verifier.experiments.results import print_experiment, results_json
    from verifier.experiments.runner import configuration_toml, run_experiment
    from verifier.run.executors import workers
    from verifier.run.table import ProgressDisplay

    configuration = changed(read_configuration(config), data=data, root=root, seeds=seeds)
    count = len(jobs_of(name, configuration))
    if defaults:
        sys.stdout.write(configuration_toml(configuration))
        return
    display = ProgressDisplay(_console(stderr=True))
    width = min(count, os.cpu_count() or 1) if jobs is None else jobs
    with workers(width, None, None) as executor, display.many(count) as show:
        found = run_experiment(name, configuration, out, workers=executor, show=show, fresh=fresh)
    if as_json:
        sys.stdout.write(results_json(found).decode())
    else:
        print_experiment(_console(), found)
        _console().print(f"Everything is in {out}: results.html, results.csv, figures/", markup=False, soft_wrap=True)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write the sample.")] = Path("case.toml"),
) -> None:
    """Write a sample case file with every key explained."""
    from verifier.certificate.writer import atomic_write
    from verifier.run.case import SAMPLE

    if file.exists():
        raise InputError(f"{file} exists; name another file")
    atomic_write(file, SAMPLE.encode(), remedy="name a file in another folder")
    _console().print(f"Wrote {file}. Run it: verifier run {file}", highlight=False, markup=False)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"verifier {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=False)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: errors are one line on stderr, never a traceback for a user's mistake."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding lacks is escaped, never a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _guarded(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # what comes now ends the process without a word
        signal.signal(number, signal.SIG_DFL)
    sys.exit(code)


def _guarded(arguments: list[str] | None) -> int:
    if not (sys.argv[1:] if arguments is None else arguments):
        arguments = ["--help"]
    try:
        found = app(args=arguments, prog_name="verifier", standalone_mode=False)
        code = found if isinstance(found, int) else 0
    except typer.Exit as error:
        code = error.exit_code
    except _UsageError as error:
        return _fail(_usage(error.format_message()), 2)
    except InputError as error:
        return _fail(str(error), 2)
    except VerifierError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail("out of memory; use fewer samples or narrower layers", 2)
    # Typer turns Ctrl-C into this exit code without a word.
    return _fail(INTERRUPTED, 130) if code == 130 else code


def _usage(message: str) -> str:
    """Typer's words for a usage error in ours: one line that begins small and ends with where to look."""
    words = " ".join(message.split()).rstrip(".")
    for theirs, own in USAGE:
        words = re.sub(theirs, own, words)
    return f"{words[:1].lower()}{words[1:]} (see verifier --help)"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"verifier: {message}\n")
    return code
