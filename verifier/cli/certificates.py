"""``verifier check``, ``show``, ``formal`` and ``init``: certificates, and a sample case."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli.common import JsonOption, console, say_sentence
from verifier.errors import InputError

CODES = {"REJECTED": 1, "UNREADABLE": 2, "TOO EXPENSIVE": 3}
"""Exit codes of the checker's verdicts but for ACCEPTED."""


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Certificates (.json).")],
    as_json: JsonOption = False,
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="GIB", help="GiB of address space for each file, all processes together; 0: no limit. [default: 6]"
        ),
    ] = None,
    cpu_seconds: Annotated[
        int | None,
        typer.Option(metavar="S", help="CPU time for each file, all processes together; 0: no limit. [default: 600]"),
    ] = None,
    standalone: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write FILE, if it is accepted, and the checker in one file into a new folder."
        ),
    ] = None,
) -> None:
    """Check certificates by the independent checker, in an isolated process of its own.

    Exit code: 0 all accepted, 1 one rejected, 2 one unreadable, 3 one too expensive to check under the limits, which
    the operating system enforces: neither accepted nor rejected.
    """
    if standalone is not None:
        raise typer.Exit(_standalone(files, standalone, as_json, memory, cpu_seconds))
    from verifier.certificate.check_process import checker_command, limit_options

    arguments = (["--json"] if as_json else []) + limit_options(memory, cpu_seconds) + ["--", *map(str, files)]
    raise typer.Exit(subprocess.run(checker_command(arguments), check=False).returncode)


def _standalone(files: list[Path], folder: Path, as_json: bool, memory: float | None, cpu_seconds: float | None) -> int:
    from verifier.certificate.check_process import limit_options
    from verifier.certificate.standalone import command_line, write_standalone

    if len(files) != 1 or as_json:
        raise InputError("--standalone writes one certificate's folder: name one FILE, without --json")
    code = write_standalone(files[0], folder, memory=memory, cpu_seconds=cpu_seconds)
    said = f"Wrote {folder}. A referee runs there: {command_line(files[0].name, limit_options(memory, cpu_seconds))}"
    said = said if code == 0 else f"{folder} is not written: only a certificate that is accepted gets a folder."
    console().print(said, highlight=False, markup=False, soft_wrap=True)
    return code


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate (.json).")],
    latex: Annotated[
        bool,
        typer.Option("--latex", help="Check it, and write a LaTeX proposition with BibTeX; only if it is accepted."),
    ] = False,
    memory: Annotated[
        float | None, typer.Option(metavar="GIB", help="With --latex: limit of the check, as of `verifier check`.")
    ] = None,
    cpu_seconds: Annotated[
        int | None, typer.Option(metavar="S", help="With --latex: limit of the check, as of `verifier check`.")
    ] = None,
) -> None:
    """Say in words what a certificate claims, for which data and network, and its trust base (without checking it).

    With --latex: a proposition for a paper. Then the checker runs first; exit codes are those of `verifier check`.
    """
    from verifier.certificate.latex import NotAccepted, proposition
    from verifier.certificate.show import describe

    if not latex:
        if memory is not None or cpu_seconds is not None:
            raise InputError("--memory and --cpu-seconds limit a check, and show checks with --latex only")
        for paragraph in describe(file).splitlines():
            say_sentence(paragraph)
        return
    try:
        typer.echo(proposition(file, memory=memory, cpu_seconds=cpu_seconds), nl=False)
    except NotAccepted as error:
        typer.echo(f"verifier: {error}", err=True)
        raise typer.Exit(CODES[error.answer.verdict]) from None


def formal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A small certificate (.json).")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="NAME.v", help="The Coq file. [default: beside FILE, with its name]"),
    ] = None,
) -> None:
    """Write a small certificate's rank (R1, R3), zero error (Z1) and path (P1) as theorems of Coq, with proofs.

    The file defines the samples, the network and its features as real numbers. Coq encloses tanh, exp and the others by
    interval arithmetic whose proofs its kernel checks, and ends with one theorem for each of these claims.
    """
    from verifier.certificate.formal import NotWritten, write_coq

    try:
        written = write_coq(file, out)
    except NotWritten as error:
        typer.echo(f"verifier: {error}", err=True)
        raise typer.Exit(CODES.get(error.verdict, 2)) from None
    say_sentence(f"Wrote {written.path}, {written.lines} lines, with the theorems {', '.join(written.theorems)}.")
    if written.left_out:
        say_sentence(f"Without a theorem there: the claims {', '.join(written.left_out)}.")
    say_sentence(f"Nothing is proved until Coq accepts it, in a clone: verifier/formal/check {written.path}")


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the sample.")] = Path("case.toml"),
    model: Annotated[
        Path | None, typer.Option("--model", metavar="NET.onnx", help="Write a case for this model instead.")
    ] = None,
) -> None:
    """Write a sample case file with every key explained; or, with --model, a case for an ONNX file."""
    from verifier.certificate.files import atomic_write

    if file.exists():
        raise InputError(f"{file} exists; name another file")
    if model is None:
        sample = resources.files("verifier.run").joinpath("sample.toml").read_bytes()
    else:
        from verifier.run.model_sample import model_sample

        sample = model_sample(model, file).encode()
    atomic_write(file, sample, remedy="name a file in another folder")
    console().print(f"Wrote {file}. Run it: verifier run {file}", highlight=False, markup=False)
