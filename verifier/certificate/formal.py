"""A small certificate as a Coq file, written by a process of its own: the prover never imports the checker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from verifier.certificate.files import atomic_write
from verifier.certificate.reading import read_document
from verifier.errors import CertificateError, InputError

MODULE = re.compile(r"[A-Za-z]\w*", re.ASCII)
"""What Coq takes as the name of a file."""


class NotWritten(CertificateError):
    """A certificate is not written for Coq; ``verdict`` is the checker's word of it."""

    def __init__(self, message: str, verdict: str) -> None:
        """Say why, and what to do."""
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class CoqFile:
    """A Coq file about a certificate's own numbers.

    Parameters
    ----------
    path : Path
        Where it was written.
    theorems : tuple of str
        The names of its theorems: ``claim0_R1`` is about claim 0 of the certificate.
    left_out : tuple of str
        The labels of the certificate's claims that have no theorem in it.
    lines : int
        Its length.
    """

    path: Path
    theorems: tuple[str, ...]
    left_out: tuple[str, ...]
    lines: int


def write_coq(certificate: Path, target: Path | None = None) -> CoqFile:
    """Write a certificate's claims R1, R3, Z1 and P1 as theorems of Coq about these very numbers, with proofs.

    Parameters
    ----------
    certificate : Path
        The ``.json`` of a small certificate, which the independent checker accepts.
    target : Path, optional
        The Coq file, ``NAME.v``; by default the certificate's name with this ending, beside it.

    Returns
    -------
    CoqFile
        What was written.
        Guarantee: the file proves nothing by being written; Coq's kernel accepts it only if every step is proved.

    Raises
    ------
    NotWritten
        The checker does not accept the certificate, it has no such claim, or it is too large for Coq.
    InputError
        The file is missing or is no certificate of this version, or the target's name is none that Coq takes.
    """
    read_document(certificate)
    if target is None:
        stem = re.sub(r"\W", "_", certificate.stem, flags=re.ASCII)
        target = certificate.with_name(f"{stem if MODULE.fullmatch(stem) else f'c_{stem}'}.v")
    if target.suffix != ".v" or not MODULE.fullmatch(target.stem):
        raise InputError(
            f"{target.name} is no name of a Coq file: give a letter, then letters, digits and _, then .v, such as xor.v"
        )
    command = [sys.executable, "-P", "-m", "verifier.coq", str(certificate.resolve()), target.name]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(process.stdout)
    except ValueError:
        last = (process.stderr.strip() or "it was killed").splitlines()[-1]
        raise CertificateError(f"{certificate} could not be written for Coq ({last}); please report it") from None
    if "refused" in answer:
        raise NotWritten(f"{certificate} is not written for Coq: {answer['refused']}", answer["verdict"])
    text: str = answer["text"]
    atomic_write(target, text.encode(), remedy="name a file in another folder with --out")
    return CoqFile(target, tuple(answer["theorems"]), tuple(answer["left_out"]), text.count("\n"))
