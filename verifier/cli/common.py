"""What the commands share: arguments, consoles, where a certificate went."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from verifier.certificate.writer import CertificateBuilder
    from verifier.lines import Conclusion, Line
    from verifier.problem import Problem
    from verifier.run.case import Case


CaseArgument = Annotated[Path, typer.Argument(metavar="CASE.toml", help="Case file; `verifier init` writes a sample.")]
CertificateOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate here (.json).")
]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, metavar="N", help="Replace the case's seed.")]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="cpu|gpu", help="Where the binary64 engine computes (gpu: CuPy).")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say why, statement by statement, and what does not apply.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


def console(*, stderr: bool = False) -> Console:
    """A console for results, or for progress on stderr."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=False)


def require_json_name(out: Path | None) -> None:
    """See that a certificate's name ends in .json.

    Raises
    ------
    InputError
        It does not.
    """
    if out is not None and out.suffix != ".json":
        raise InputError(f"--out {out}: a certificate's name ends in .json (its arrays go beside it in .safetensors)")


def require_folder(folder: Path, option: str) -> None:
    """See that what is to become a folder is no plain file, before there is something to write into it.

    Raises
    ------
    InputError
        It is one.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{option} {folder}: this is a file; name a folder, which is made if it is missing")


def print_found(
    title: str,
    conclusion: Conclusion,
    said: Sequence[tuple[str, str]],
    sections: Sequence[tuple[str, Sequence[Line]]],
    *,
    verbose: bool = False,
) -> None:
    """Print what a command found: its conclusion first, then what it is about, and a line a statement.

    Parameters
    ----------
    title, conclusion, said, sections, verbose
        As for `verifier.conclusion.composed`; what is empty in ``said`` is left out.
    """
    from verifier.lines import composed
    from verifier.run.table import print_told, text_width

    screen, named = console(), [(name, words) for name, words in said if words]
    for kind, text in composed(title, conclusion, named, sections, verbose=verbose, width=text_width(screen)):
        print_told(screen, kind, text)


def about(case: Case, problem: Problem, seed: int | None = None) -> list[tuple[str, str]]:
    """What a case is about, by name: data, how they were read, network, start, weight decay.

    Parameters
    ----------
    case, problem
        The case, and what was made of it.
    seed
        Replaces the case's.
    """
    from verifier.problem import with_decay
    from verifier.run.summary import summarise

    return [
        ("data", problem.words),
        ("read as", problem.data.understood),
        ("network", problem.network.size_words),
        ("start", summarise(case, problem, seed).start),
        ("weight decay", with_decay(problem.weight_decay)),
    ]


WITHOUT_DECAY = " All of this is about the loss WITHOUT weight decay."
"""Follows a conclusion where weight decay is stated."""


def say_sentence(words: str) -> None:
    """Print a sentence in lines that break between words."""
    from verifier.display import wrapped
    from verifier.run.table import text_width

    screen = console()
    text = "\n".join(wrapped(words, text_width(screen)))
    screen.print(text, highlight=False, markup=False, soft_wrap=True)


def say_written(out: Path | None, written: Path | None, builder: CertificateBuilder | None) -> None:
    """Say where the certificate is, what it leaves out and how it is checked, or why there is none."""
    from verifier.certificate.limits import sentence

    if written is not None:
        if builder is not None and builder.left_out:
            words = sentence(builder.left_out)
            say_sentence(f"{words[:1].upper()}{words[1:]}.")
        say_places([("Certificate", str(written)), ("Next", f"verifier check {shlex.quote(str(written))}")])
    elif out is not None:
        why = "nothing was proved" if builder is None else builder.nothing
        say_sentence(f"No certificate was written: {why}.")


def say_places(places: Sequence[tuple[str, str]]) -> None:
    """Print where files are and what to type next, each on a line of its own that can be copied."""
    for name, words in places:
        console().print(f"{name + ':':<13}{words}", highlight=False, markup=False, soft_wrap=True)


def say_more(verbose: bool) -> None:
    """Say how to see the reasons, unless they were shown."""
    if not verbose:
        say_sentence("The same command with -v says why, and what was tried.")
