"""A folder for a referee: a certificate, the program that checks it in one file, and how to run it.

The program, ``checker.pyz``, is the folder ``verifier/checker`` as a zip archive that Python runs; it needs the
standard library and python-flint only. Its bytes depend on nothing but its files: equal sources are equal archives.
"""

from __future__ import annotations

import hashlib
import io
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path

import flint

from verifier import __version__
from verifier.certificate.check_process import CHECKER, limit_options
from verifier.certificate.reading import operand, read_document
from verifier.certificate.schema import Document
from verifier.errors import InputError, one_line
from verifier.statements.claims.claim import plain

ARCHIVE, README = "checker.pyz", "README.txt"
FORMAT_FILE = Path(__file__).with_name("FORMAT.md")
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the archive: the first that the zip format has."""
READABLE = 0o100644 << 16
"""Of every file in the archive: a regular file that all may read."""
UNIX = 3
"""The system that the archive says it was made on, wherever that was."""
WIDTH = 100
"""Characters of a line of the README, but for names of files."""


def checker_archive() -> bytes:
    """Make ``checker.pyz``: the checker's sources, its licence and FORMAT.md, stored without compression.

    Returns
    -------
    bytes
        A zip archive that ``python -I checker.pyz FILE`` runs; the same bytes for the same sources, on every machine.

    Examples
    --------
    >>> checker_archive() == checker_archive()
    True
    """
    sources = [*CHECKER.parent.glob("*.py"), CHECKER.with_name("LICENSE"), FORMAT_FILE]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for source in sorted(sources, key=lambda source: source.name):
            entry = zipfile.ZipInfo(source.name, EARLIEST)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, source.read_bytes().replace(b"\r\n", b"\n"))
    return content.getvalue()


def write_standalone(file: Path, folder: Path, *, memory: float | None = None, cpu_seconds: float | None = None) -> int:
    """Check a certificate by the program that a referee will run, and leave both in a folder if it is accepted.

    Parameters
    ----------
    file : Path
        The certificate's ``.json``.
    folder : Path
        What is written: a new or an empty folder. It appears whole or not at all.
    memory, cpu_seconds : float, optional
        The limits of the check, as for `verifier.check`; the README repeats those that are given.

    Returns
    -------
    int
        The exit code of the check, whose words are printed: 0 accepted, and only then the folder is there.

    Raises
    ------
    InputError
        The folder is not empty or cannot be written, or the file is no certificate of this version.
    """
    options = limit_options(memory, cpu_seconds)
    document = read_document(file)
    names = (file.name, document.arrays.file)
    _require_free(folder)
    _require_names(names)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            staging.chmod(0o755)
            for name in names:
                shutil.copyfile(file.with_name(name), staging / name)
            document = read_document(staging / file.name)  # what is checked below, whatever the file is by then
            (staging / ARCHIVE).write_bytes(checker_archive())
            command = [sys.executable, "-I", ARCHIVE, *options, "--", file.name]
            code = subprocess.run(command, cwd=staging, check=False).returncode
            if code == 0:
                (staging / README).write_text(_readme(document, names, staging, options), encoding="utf-8")
                if folder.exists():
                    folder.rmdir()
                staging.rename(folder)
            return code
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(folder)
        raise InputError(
            f"--standalone {folder}: {where}: {error.strerror or error}; name a folder that can be written"
        ) from None


def command_line(name: str, options: Sequence[str] = ()) -> str:
    """Say what a referee types in the folder.

    Parameters
    ----------
    name : str
        Of the certificate's file.
    options : sequence of str
        Limits of the check, as the program takes them.
    """
    return shlex.join(["python", "-I", ARCHIVE, *options, operand(name)])


def _require_free(folder: Path) -> None:
    """See that the folder is not there, or is empty: what somebody has is never overwritten."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"--standalone {folder}: it exists and is not an empty folder; name a new one")


def _require_names(names: tuple[str, str]) -> None:
    """See that the certificate's files can lie beside the program, and that a person can type their names."""
    for name in names:
        if name.lower() in (ARCHIVE.lower(), README.lower()):
            raise InputError(f"a certificate's file called {name} cannot lie beside the checker's; rename it")
        if not name.isprintable():
            raise InputError(f"{one_line(name)}: a file's name with unprintable characters; rename it")


def _readme(document: Document, names: tuple[str, str], folder: Path, options: list[str]) -> str:
    """What a referee needs: what is claimed, what to install, what to type, what it prints, SHA-256, licence."""
    claims = "; ".join(dict.fromkeys(f"{claim.name} ({claim.label()})" for claim in document.claims))
    named = "none" if document.data.inputs is None else f"{one_line(plain(document.data.name))}, a name as given"
    install = f"pip install python-flint=={flint.__version__}"
    command = command_line(names[0], options)
    return "\n".join(
        [
            "A certificate about the loss landscape of a neural network, and the program that checks it.",
            _wrapped(f"It claims: {claims} (data: {named}). The program says what exactly."),
            f"It needs Python 3.11 or newer and python-flint ({install}), nothing else. Here:",
            f"    {command}",
            _wrapped(
                "It prints ACCEPTED (exit code 0) and what it proved of each claim; REJECTED (1), where and why; "
                "UNREADABLE (2); or TOO EXPENSIVE (3), which is neither: it ran into its limits of memory or time."
            ),
            f"What a claim means: FORMAT.md in the program, a zip archive (python -m zipfile -e {ARCHIVE} checker).",
            f"SHA-256 (sha256sum -c {README}):",
            *(f"{_sha256(folder / name)}  {name}" for name in (*names, ARCHIVE)),
            f"{ARCHIVE} is of loss-landscape-verifier {__version__}, MIT licence (LICENSE in the archive).",
            "",
        ]
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
