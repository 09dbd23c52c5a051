"""The verdict table in the terminal, and the sentence at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from verifier.certificate.limits import sentence
from verifier.display import count as _count
from verifier.network.graph import columns_in_words
from verifier.outcome import Step
from verifier.problem import with_decay
from verifier.run.case import Case
from verifier.run.progress import ProgressDisplay, span
from verifier.run.record import CaseRecord, SuiteResult
from verifier.run.witnessing import WitnessReport
from verifier.statements.downhill_path import PATH_KINDS
from verifier.statements.groups import grouped
from verifier.statements.theorem import inapplicable
from verifier.verdict import Verdict

KILOBYTES = 100_000
"""Below so many bytes a certificate's size is said in kB."""

__all__ = [
    "ProgressDisplay",
    "closing_sentence",
    "print_steps",
    "print_summary",
    "print_table",
    "print_theorem",
    "print_witness",
]

STYLE = {
    "PROVED": "green",
    "REFUTED": "red",
    "UNDECIDED": "yellow",
    "ACCEPTED": "green",
    "REJECTED": "bold red",
    "UNREADABLE": "bold red",
    "TOO EXPENSIVE": "yellow",
}
COLUMNS = ("analytic", "rank", "zero_loss", "path")
SHORT = {Verdict.PROVED: "PROVED", Verdict.REFUTED: "REFUTED", Verdict.UNDECIDED: "UNDEC.", Verdict.TESTED: "TESTED"}


def print_steps(console: Console, record: CaseRecord) -> None:
    """Print one case in full: what it is, a line per step with its reason, then the proof, statement by statement.

    Parameters
    ----------
    console : Console
        Where.
    record : CaseRecord
        The case; if it has no verdicts, why.
    """
    console.print(f"[bold]{escape(record.title or record.name)}[/bold]  ({record.seconds:.1f} s)")
    if record.error is not None:
        console.print(f"  {escape(record.error.message)}", highlight=False)
        return
    lines = [f"{record.data}; {columns_in_words(record.units, record.output_bias)}"]
    lines += [f"data: {record.understood}"] if record.understood else []
    lines += [f"start: {record.start}"] if record.start else []
    lines += [] if record.errors is None else [f"training errors: {record.errors.reason}"]
    lines += [f"weight decay: {record.weight_decay}"] if record.weight_decay else []
    for words in (*lines, f"engine: {record.engine}"):
        console.print(f"  {escape(words)}", highlight=False, soft_wrap=words.startswith(("data: ", "start: ")))
    console.print(_steps(record.steps, 9, record.attempts))
    if record.refusal is not None:
        console.print(f"  no certificate: {escape(record.refusal)}", highlight=False)
    if record.left_out:
        console.print(f"  {escape(sentence(record.left_out))}.", highlight=False)
    if record.theorem:
        print_theorem(console, record)


def print_theorem(console: Console, record: CaseRecord) -> None:
    """Print the steps of the proof: verdict, label, the statement's name, the reason, what it rests on."""
    console.print("  [bold]The proof, step by step[/bold]")
    proved = record.statement("T3.4(2)") is Verdict.PROVED
    for heading, steps in grouped([each for each in record.theorem if each.applies], lambda each: each.label):
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
        for width in (10, 17, None):
            table.add_column(width=width, no_wrap=width is not None)
        for step in steps:
            rests = f" [dim]\\[rests on {', '.join(step.rests_on)}][/]" if step.rests_on else ""
            words = escape(f"{step.title}: {step.reason}" if step.title else step.reason)
            needless = proved and step.label.startswith("A3.1") and step.verdict is not Verdict.PROVED
            verdict = f"[dim]{step.verdict}[/]" if needless else _coloured(step.verdict)
            table.add_row(verdict, escape(step.label), words + rests)
        console.print(f"  [bold]{heading}[/bold]")
        console.print(table)
    others = inapplicable((each.label, each.title) for each in record.theorem if not each.applies)
    if others:
        console.print(f"  [dim]{escape(others)}; report.html says why[/]", highlight=False)
    if record.remains:
        applies = any(step.applies for step in record.theorem if step.label.startswith("A3.1"))
        console.print(f"  A3.1 {'fails' if applies else 'does not apply'}; what remains:", highlight=False)
        for sentence in record.remains:
            console.print(Padding(escape(f"* {sentence}"), (0, 0, 0, 2)), highlight=False)


def print_witness(console: Console, case: Case, report: WitnessReport, line: dict[str, Any] | None) -> None:
    """Print what a witness proves, a line per statement.

    Parameters
    ----------
    console : Console
        Where.
    case : Case
        The case that was asked about.
    report : WitnessReport
        What was found.
    line : dict or None
        What was found on a line through U-space, if it was asked for: ``through``, ``full_rank``, ``points``, ``file``.
    """
    console.print(f"[bold]{escape(case.file.title or case.name)}[/bold]")
    console.print(f"  {escape(report.data)}; {report.network.size_words}", highlight=False)
    if report.understood:
        console.print(f"  data: {escape(report.understood)}", highlight=False, soft_wrap=True)
    decay = with_decay(case.file.losses.weight_decay)
    if decay:
        console.print(f"  weight decay: {escape(decay)}", highlight=False)
    console.print(_steps(report.steps, 17))
    if line is not None:
        words = f"sigma_N along a line through {line['through']}: {line['full_rank']} of {line['points']} points have"
        console.print(f"  {words} certified full rank; table: {escape(line['file'])}", highlight=False)


def print_table(console: Console, result: SuiteResult) -> None:
    """Print the verdict table of all cases; it fits 80 columns.

    Parameters
    ----------
    console : Console
        Where.
    result : SuiteResult
        The cases.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("case", overflow="fold", max_width=max(23, console.width - 57))
    for head in ("analytic", "rank", "zero", "path", "check"):
        table.add_column(head, no_wrap=True, min_width=8)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for record in result.records:
        cells = [escape(record.name), *(_verdict(record.verdict(key)) for key in COLUMNS), _check(record)]
        table.add_row(*cells, span(record.seconds), "ok" if record.ok else "[bold red]BAD[/]")
    console.print(table)


def print_summary(console: Console, result: SuiteResult, out: str) -> None:
    """Print what was unexpected, the certificates' sizes and times, and one closing sentence.

    Parameters
    ----------
    console : Console
        Where.
    result : SuiteResult
        The cases.
    out : str
        The folder of the results, as it was given.
    """
    records = result.records
    for record in records:
        reasons = list(record.surprises)
        if record.check is not None and not record.check.accepted:
            reasons.append(record.check.reason)
        if record.error is not None:
            reasons.append(record.error.message)
        for reason in reasons:
            console.print(f"[bold red]{escape(record.name)}[/]: {escape(reason)}", highlight=False)
    largest = max(records, key=lambda record: record.certificate_bytes, default=None)
    if largest is not None and largest.certificate_bytes:
        check = f", checked in {largest.check.seconds:.1f} s" if largest.check is not None else ""
        bytes_ = largest.certificate_bytes
        size = f"{bytes_ / 1e6:.1f} MB" if bytes_ >= KILOBYTES else f"{bytes_ / 1e3:.1f} kB"
        console.print(
            f"Largest certificate: {escape(largest.name)}, {size}{check}.",
            highlight=False,
        )
    if result.from_ledger:
        console.print(
            f"{result.from_ledger} of {_count(len(records), 'case')} came from the ledger: "
            "an earlier run had finished them.",
            highlight=False,
        )
    own, checker = result.peak_bytes / 2**30, result.checker_peak_bytes / 2**30
    console.print(
        f"{_count(len(records), 'case')} in {span(result.seconds)}, peak memory {own:.1f} GiB (checker "
        f"{checker:.1f} GiB).",
        highlight=False,
    )
    console.print(escape(closing_sentence(records, out)), highlight=False)


def closing_sentence(records: Sequence[CaseRecord], out: str) -> str:
    """One sentence: what was proved, what the checker says, whether all is as expected, and where to read on.

    Parameters
    ----------
    records : sequence of CaseRecord
        All cases.
    out : str
        The folder of the results; its ``report.html`` is named if there is one.

    Returns
    -------
    str
        Counts of what is PROVED only.
    """
    alone = len(records) == 1
    parts = []
    for words, number in _proved(records):
        if number:
            parts.append(words if alone else f"{words} in {number}")
    subject = f"for {records[0].name}" if alone else f"in {_count(len(records), 'case')}"
    proved = (
        f"Proved {subject}: {', '.join(parts)}"
        if parts
        else f"Of rank, zero error, path and valleys nothing was proved {subject}"
    )
    written = [record for record in records if record.certificate is not None]
    accepted = sum(record.check is not None and record.check.accepted for record in written)
    checked = "; there is no certificate"
    if written:
        which = "the certificate" if len(written) == 1 else f"{accepted} of {len(written)} certificates"
        verb = "accepted" if accepted or len(written) > 1 else "did not accept"
        costly = sum(record.check is not None and record.check.verdict == "TOO EXPENSIVE" for record in written)
        checked = f"; the independent checker {verb} {which}"
        if costly:
            which = "it was" if len(written) == 1 else f"{costly} {'was' if costly == 1 else 'were'}"
            checked += f" ({which} too expensive to check, see above)"
        short = [record for record in written if record.left_out]
        if short and alone:
            checked += f", which does not hold {', '.join(left.label for left in short[0].left_out)} (see above)"
        elif short:
            checked += f", {len(short)} of which do not hold everything that was proved"
    wrong = sum(not record.ok for record in records)
    surprise = f"; NOT as expected: {_count(wrong, 'case')}, named above" if wrong else ""
    if not wrong and all(record.expected for record in records):
        surprise = "; everything is as expected"
    report = Path(out) / "report.html"
    place = f"the report is {report}" if report.is_file() else f"the results are in {out}"
    return f"{proved}{checked}{surprise}; {place}."


def _proved(records: Sequence[CaseRecord]) -> list[tuple[str, int]]:
    """What is PROVED in how many cases; a path that may rise by epsilon (E3) is no path without increase."""

    def having(key: str) -> list[CaseRecord]:
        return [record for record in records if record.verdict(key) is Verdict.PROVED]

    def rises(record: CaseRecord) -> bool:
        path = record.step("path")
        return path is not None and path.label in PATH_KINDS and PATH_KINDS[path.label].rises

    paths = having("path")
    generic = [record for record in records if record.statement("W0") is Verdict.PROVED]
    valleys = [record for record in records if record.statement("T3.4(2)") is Verdict.PROVED]
    without = " (without weight decay, where it is stated)" if any(record.weight_decay for record in valleys) else ""
    return [
        ("full row rank at the start", len(having("rank"))),
        ("zero training error there", len(having("zero_loss"))),
        ("a path without increase towards the infimum of the loss", sum(not rises(record) for record in paths)),
        ("a path that rises by at most epsilon", sum(rises(record) for record in paths)),
        ("full rank at almost every U", len(generic)),
        (f"no bad local valley{without}", len(valleys)),
    ]


def _steps(steps: Sequence[Step], label_width: int, attempts: Sequence[str] = ()) -> Table:
    """A line per step: verdict, label, reason, seconds; below the rank what was tried for it."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, label_width, None, 7):
        table.add_column(width=width, no_wrap=width is not None)
    for step in steps:
        table.add_row(_coloured(step.verdict), step.label, escape(step.reason), f"{step.seconds:.1f} s")
        if step.key == "rank" and attempts:
            table.add_row("", "ladder", escape("; ".join(attempts)), "")
    return table


def _coloured(verdict: str, shown: str = "") -> str:
    """A verdict, or what is shown for it, in its colour."""
    return f"[{STYLE.get(verdict, 'cyan')}]{shown or verdict}[/]"


def _verdict(verdict: Verdict | None) -> str:
    return "-" if verdict is None else _coloured(verdict, SHORT[verdict])


def _check(record: CaseRecord) -> str:
    if record.check is None:
        return "-"
    short = {"UNREADABLE": "unread.", "TOO EXPENSIVE": "too expensive"}
    text = short.get(record.check.verdict, record.check.verdict.lower())
    return _coloured(record.check.verdict, text)
