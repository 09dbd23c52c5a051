"""The last lines of a run: what the checker says, whether all is as expected, where everything is, what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from verifier.display import count
from verifier.run.record import CERTIFICATES, CaseRecord

KILOBYTES = 100_000
"""Below so many bytes a certificate's size is said in kB."""
DEFAULT_OUT = "verifier-out"
"""The folder of the results, unless another one is asked for."""
FEW_CASES = 3
"""So many case files are named again in a command to type next."""


def closing_sentence(records: Sequence[CaseRecord]) -> str:
    """Say what the checker says of the certificates, and whether all is as expected.

    Parameters
    ----------
    records : sequence of CaseRecord
        All cases.

    Returns
    -------
    str
        One or two sentences.
    """
    alone = len(records) == 1
    parts = [_checked(records) + _size(records)]
    short = [record for record in records if record.left_out and record.certificate is not None]
    if short and alone:
        parts[0] += "; it does not hold everything that was proved (see above)"
    elif short:
        parts[0] += f"; {len(short)} of them do not hold everything that was proved"
    wrong, asked = sum(not record.ok for record in records), [record for record in records if record.expected]
    if wrong:
        parts.append(f"NOT as expected: {count(wrong, 'case')}, named above")
    elif asked and len(asked) == len(records):
        parts.append("Everything is as the case expects" if alone else "Everything is as the cases expect")
    elif asked:
        parts.append(f"{count(len(asked), 'case')} expected something, and got it")
    return ". ".join(f"{part[:1].upper()}{part[1:]}" for part in parts) + "."


def where_and_next(
    records: Sequence[CaseRecord], out: str, cases: Sequence[str] = (), *, verbose: bool = False
) -> list[str]:
    """Where certificate and report are, and what to type next, a line each.

    Parameters
    ----------
    records : sequence of CaseRecord
        All cases.
    out : str
        The folder of the results; its ``report.html`` is named if there is one.
    cases : sequence of str, optional
        The case files, as they were given.
    verbose : bool, optional
        Whether reasons were printed already.
    """
    written = [str(Path(out) / record.certificate) for record in records if record.certificate is not None]
    alone, report = len(records) == 1, Path(out) / "report.html"
    said = [f"Report:      {report}" if report.is_file() else f"Results:     {out}"]
    if written:
        first = f"Certificate: {written[0]}" if alone else f"Certificates: {Path(out) / CERTIFICATES}"
        said = [first, *said, f"Next:        verifier show {shlex.quote(written[0])}"]
    if cases and not verbose and len(cases) <= FEW_CASES:
        what = "everything, with its reasons" if alone else "each case, statement by statement"
        given = cases if out == DEFAULT_OUT else [*cases, "--out", out]
        said.append(f"{'' if written else 'Next:':<13}verifier run -v {shlex.join(given)}  ({what})")
    return said


def _checked(records: Sequence[CaseRecord]) -> str:
    """What the independent checker says of the certificates."""
    written = [record for record in records if record.certificate is not None]
    if not written:
        return "there is no certificate"
    accepted = sum(record.check is not None and record.check.accepted for record in written)
    costly = sum(record.check is not None and record.check.verdict == "TOO EXPENSIVE" for record in written)
    if len(written) > 1:
        words = f"the independent checker ACCEPTED {accepted} of {len(written)} certificates"
        return words + (f" ({costly} too expensive to check, see above)" if costly else "")
    if accepted:
        return "the independent checker ACCEPTED the certificate"
    why = " (it was too expensive to check, see above)" if costly else ""
    return f"the independent checker did not accept the certificate{why}"


def _size(records: Sequence[CaseRecord]) -> str:
    """The largest certificate: its size, and how long its check took."""
    largest = max(records, key=lambda record: record.certificate_bytes, default=None)
    if largest is None or not largest.certificate_bytes:
        return ""
    bytes_ = largest.certificate_bytes
    size = f"{bytes_ / 1e6:.1f} MB" if bytes_ >= KILOBYTES else f"{bytes_ / 1e3:.1f} kB"
    check = f", checked in {largest.check.seconds:.1f} s" if largest.check is not None else ""
    several = sum(record.certificate is not None for record in records) > 1
    whose = "" if len(records) == 1 else f"the largest, {largest.name}: " if several else f"{largest.name}: "
    return f" ({whose}{size}{check})"
