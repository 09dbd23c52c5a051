"""The verdict table and the progress display in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from verifier.balls.features import Progress as Fraction
from verifier.model.case import Case
from verifier.model.verdict import Verdict
from verifier.rank.certify import Stage, silent
from verifier.suite.record import CaseRecord
from verifier.suite.runner import SuiteResult
from verifier.suite.witnessing import WitnessReport

STYLE = {
    "PROVED": "green",
    "REFUTED": "red",
    "UNDECIDED": "yellow",
    "ACCEPTED": "green",
    "REJECTED": "bold red",
    "UNREADABLE": "bold red",
}
COLUMNS = ("analytic", "rank", "zero_loss", "path")
SHORT = {Verdict.PROVED: "PROVED", Verdict.REFUTED: "REFUTED", Verdict.UNDECIDED: "UNDEC.", Verdict.TESTED: "TESTED"}


class ProgressDisplay:
    """A progress bar on stderr that tells what is being proved; silent when stderr is not a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def case(self, name: str, position: int, count: int) -> Iterator[Stage]:
        """Show one case while it runs."""
        if not self.console.is_terminal:
            yield silent
            return
        counter = f"[{min(position + 1, count)}/{count}]"
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn(),
            console=self.console, transient=True,
        ) as bars:  # fmt: skip
            task = bars.add_task(f"{counter} {escape(name)}", total=None)

            def stage(text: str) -> Fraction:
                bars.update(task, description=f"{counter} {escape(name)}: {escape(text)}", total=None)

                def report(fraction: float) -> None:
                    bars.update(task, total=1.0, completed=fraction)

                return report

            yield stage

    @contextmanager
    def many(self, count: int) -> Iterator[Callable[[int, Sequence[str]], None]]:
        """Show how many of ``count`` cases are done and which run, while they run side by side."""
        if not self.console.is_terminal:
            yield lambda done, running: None
            return
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn(),
            console=self.console, transient=True,
        ) as bars:  # fmt: skip
            task = bars.add_task("", total=count)

            def show(done: int, running: Sequence[str]) -> None:
                words = f"[{done}/{count}] {escape(', '.join(running))}"
                bars.update(task, description=words, completed=done)

            yield show


def print_steps(console: Console, record: CaseRecord) -> None:
    """Print one case in full: a line per statement with its reason."""
    console.print(f"[bold]{escape(record.title or record.name)}[/bold]  ({record.seconds:.1f} s)")
    if record.error is not None:
        console.print(f"  {escape(record.error.message)}", highlight=False)
        return
    for words in (f"{record.data}; M = {record.units} skip units", f"engine: {record.engine}"):
        console.print(f"  {escape(words)}", highlight=False)
    steps = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, 9, None, 7):
        steps.add_column(width=width, no_wrap=width is not None)
    for step in record.steps:
        verdict = f"[{STYLE.get(step.verdict, 'cyan')}]{step.verdict}[/]"
        steps.add_row(verdict, step.label, escape(step.reason), f"{step.seconds:.1f} s")
        if step.key == "rank" and record.attempts:
            steps.add_row("", "ladder", escape("; ".join(record.attempts)), "")
    console.print(steps)
    if record.refusal is not None:
        console.print(f"  no certificate: {escape(record.refusal)}", highlight=False)
    if record.theorem:
        print_theorem(console, record)


def print_theorem(console: Console, record: CaseRecord) -> None:
    """Print the steps of the proof: label, verdict, title, reason, what it rests on."""
    console.print("  [bold]The proof, step by step[/bold] (ours: W, E, C, X, Z; - does not apply here)")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, 17, None):
        table.add_column(width=width, no_wrap=width is not None)
    for step in record.theorem:
        applies, verdict = step["applies"], step["verdict"]
        shown = f"[{STYLE.get(verdict, 'cyan')}]{verdict}[/]" if applies else "[dim]-[/]"
        rests = f" [dim]\\[rests on {', '.join(step['rests_on'])}][/]" if step["rests_on"] else ""
        words = escape(step["reason"]) if applies else f"[dim]{escape(step['reason'])}[/]"
        table.add_row(shown, escape(step["label"]), words + rests)
    console.print(table)
    if record.remains:
        console.print("  A3.1 fails; what remains:", highlight=False)
        for sentence in record.remains:
            console.print(f"  * {escape(sentence)}", highlight=False)


def print_witness(console: Console, case: Case, report: WitnessReport, line: dict[str, Any] | None) -> None:
    """Print what a witness proves, a line per statement."""
    console.print(f"[bold]{escape(case.file.title or case.name)}[/bold]")
    console.print(f"  {escape(report.data)}; M = {report.network.skip_count} skip units", highlight=False)
    steps = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, 17, None, 7):
        steps.add_column(width=width, no_wrap=width is not None)
    for step in report.steps:
        verdict = f"[{STYLE.get(step.verdict, 'cyan')}]{step.verdict}[/]"
        steps.add_row(verdict, step.label, escape(step.reason), f"{step.seconds:.1f} s")
    console.print(steps)
    if line is not None:
        words = f"sigma_N along a line through {line['through']}: {line['full_rank']} of {line['points']} points have"
        console.print(f"  {words} certified full rank; table: {escape(line['file'])}", highlight=False)


def print_table(console: Console, result: SuiteResult) -> None:
    """Print the verdict table of all cases; it fits 80 columns."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("case", overflow="fold", max_width=max(23, console.width - 57))
    for head in ("analytic", "rank", "zero", "path", "check"):
        table.add_column(head, no_wrap=True, min_width=8)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for record in result.records:
        cells = [escape(record.name), *(_verdict(record.verdict(key)) for key in COLUMNS), _check(record)]
        table.add_row(*cells, f"{record.seconds:.1f}s", "ok" if record.ok else "[bold red]BAD[/]")
    console.print(table)


def print_summary(console: Console, result: SuiteResult, out: str) -> None:
    """Print what was unexpected, the certificates' sizes and times, and one closing sentence."""
    records = result.records
    for record in records:
        reasons = list(record.surprises)
        if record.check is not None and record.check.verdict != "ACCEPTED":
            reasons.append(record.check.reason)
        if record.error is not None:
            reasons.append(record.error.message)
        for reason in reasons:
            console.print(f"[bold red]{escape(record.name)}[/]: {escape(reason)}", highlight=False)
    proved = sum(record.verdict("path") is Verdict.PROVED for record in records)
    accepted = sum(record.check is not None and record.check.verdict == "ACCEPTED" for record in records)
    written = sum(record.certificate is not None for record in records)
    largest = max(records, key=lambda record: record.certificate_bytes, default=None)
    if largest is not None and largest.certificate_bytes:
        check = f", checked in {largest.check.seconds:.1f} s" if largest.check else ""
        console.print(
            f"Largest certificate: {escape(largest.name)}, {largest.certificate_bytes / 1e6:.1f} MB{check}.",
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
        f"{_count(len(records), 'case')}, {sum(record.ok for record in records)} as expected; "
        f"{_count(proved, 'path')} to zero loss PROVED; "
        f"{accepted} of {_count(written, 'certificate')} accepted by the independent checker. "
        f"{result.seconds:.0f} s, peak memory {own:.1f} GiB (checker {checker:.1f} GiB). Results: {escape(out)}",
        highlight=False,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _verdict(verdict: Verdict | None) -> str:
    return "-" if verdict is None else f"[{STYLE.get(verdict, 'cyan')}]{SHORT[verdict]}[/]"


def _check(record: CaseRecord) -> str:
    if record.check is None:
        return "-"
    text = "unread." if record.check.verdict == "UNREADABLE" else record.check.verdict.lower()
    return f"[{STYLE[record.check.verdict]}]{text}[/]"
