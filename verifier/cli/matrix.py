"""``verifier matrix``: rank, singular values and definiteness of a matrix in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier import __version__

EXIT_CODES = {"PROVED": 0, "REFUTED": 1, "UNDECIDED": 3}


def matrix(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A matrix: .npy, .mtx (Matrix Market), .csv, .tsv or .txt.")
    ],
    digits: Annotated[
        int, typer.Option("--digits", min=0, max=1000, metavar="N", help="Digits of each singular value; 0: none.")
    ] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")] = False,
) -> None:
    """Prove the rank, all singular values, and for a symmetric matrix its definiteness, of exactly these numbers.

    Exit code 0: full rank; 1: not full rank, the exact rank is stated; 2: unusable file; 3: undecided.
    """
    from verifier.rank.matrix import as_json as to_json
    from verifier.rank.matrix import describe
    from verifier.rank.matrix import matrix as prove

    found = prove(file, digits or None)
    if as_json:
        text = json.dumps({"version": __version__, "file": file.name} | to_json(found), indent=1)
    else:
        text = "\n".join(describe(found, every=True))
    sys.stdout.write(f"{text}\n")
    raise typer.Exit(EXIT_CODES[str(found.verdict)])
