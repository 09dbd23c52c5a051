"""What the commands share: arguments, consoles, where a certificate went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from verifier.certificate.writer import CertificateBuilder


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


def say_written(out: Path | None, written: Path | None, builder: CertificateBuilder | None) -> None:
    """Say where the certificate is and what it leaves out, or why there is none."""
    from verifier.certificate.limits import sentence

    if written is not None:
        console().print(f"Certificate: {written}", highlight=False, markup=False, soft_wrap=True)
        if builder is not None and builder.left_out:
            words = sentence(builder.left_out)
            console().print(f"{words[:1].upper()}{words[1:]}.", highlight=False, markup=False)
    elif out is not None:
        why = "nothing was proved" if builder is None else builder.nothing
        console().print(f"No certificate was written: {why}.", highlight=False, markup=False)
