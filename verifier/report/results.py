"""The results of a run as they are read back from results.json: typed, and refused in one line if they are not such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from verifier import __version__
from verifier.data.files.regular import read_regular
from verifier.errors import InputError, one_line
from verifier.run.record import CaseRecord, SuiteResult

MAX_BYTES = 2**30
"""A larger file is not read: the results of tens of thousands of cases fit."""


class _Version(msgspec.Struct):
    """What is read first: a file of another version is refused by name."""

    version: str


def read_results(file: str | Path) -> SuiteResult:
    """Read the results of a run: every case with its verdicts, reasons and certificate, as `verifier run` wrote them.

    Parameters
    ----------
    file : str or Path
        Its ``results.json``, or the folder that it was written to (``--out``).

    Returns
    -------
    SuiteResult
        ``records`` holds the cases; `SuiteResult.to_frame` makes a table with a row for each.

    Raises
    ------
    InputError
        If the file is missing, is no results file, or one of another version.

    Examples
    --------
    >>> import verifier as vf
    >>> try:
    ...     vf.read_results("nowhere")
    ... except vf.InputError as error:
    ...     print(error)
    no results in nowhere: nowhere/results.json is missing; `verifier run --out DIR` makes it
    """
    file = Path(file)
    file = file if file.suffix == ".json" else file / "results.json"
    try:
        content = read_regular(file, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no results in {file.parent}: {file} is missing; `verifier run --out DIR` makes it") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    try:
        found = msgspec.json.decode(content, type=_Version).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{file} is not the results of a run; `verifier run --out DIR` makes them") from None
    if found != __version__:
        raise InputError(
            f"{file} has the results of version {one_line(found)}, this is verifier {__version__}; "
            "use that version, or do the run again"
        )
    try:
        document = msgspec.json.decode(content)
        results = msgspec.convert(document, SuiteResult)
        _require_every_field(document, SuiteResult)
        for case in document["cases"]:
            _require_every_field(case, CaseRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} cannot be read as results of this version: {error}; do the run again") from None
    return results


def _require_every_field(entry: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Fields have defaults for the program that fills them in; a file that lacks one could hide what was unexpected."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in entry:
            raise msgspec.ValidationError(f"Object missing required field `{field.encode_name}`")
