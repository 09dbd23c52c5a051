"""The verdict table and the progress display in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
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
from verifier.suite.pipeline import CaseReport
from verifier.suite.runner import Outcome, SuiteResult, certificate_bytes
from verifier.suite.witnessing import WitnessReport
from verifier.theorem.steps import Theorem

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


def print_steps(console: Console, report: CaseReport, seconds: float) -> None:
    """Print one case in full: a line per statement with its reason."""
    console.print(f"[bold]{escape(report.case.file.title or report.case.name)}[/bold]  ({seconds:.1f} s)")
    for words in (f"{report.data}; M = {report.network.skip_count} skip units", f"engine: {report.engine}"):
        console.print(f"  {escape(words)}", highlight=False)
    steps = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, 9, None, 7):
        steps.add_column(width=width, no_wrap=width is not None)
    for step in report.steps:
        verdict = f"[{STYLE.get(step.verdict, 'cyan')}]{step.verdict}[/]"
        steps.add_row(verdict, step.label, escape(step.reason), f"{step.seconds:.1f} s")
        if step.key == "rank" and report.rank is not None and report.rank.attempts:
            steps.add_row("", "ladder", escape("; ".join(report.rank.attempts)), "")
    console.print(steps)
    if report.theorem is not None:
        print_theorem(console, report.theorem)


def print_theorem(console: Console, theorem: Theorem) -> None:
    """Print the steps of the proof: label, verdict, title, reason, what it rests on."""
    console.print("  [bold]The proof, step by step[/bold] (ours: W, E, C, X, Z; - does not apply here)")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (10, 17, None):
        table.add_column(width=width, no_wrap=width is not None)
    for step in theorem.steps:
        verdict = f"[{STYLE.get(step.verdict, 'cyan')}]{step.verdict}[/]" if step.applies else "[dim]-[/]"
        rests = f" [dim]\\[rests on {', '.join(step.rests_on)}][/]" if step.rests_on else ""
        style = "" if step.applies else "dim"
        words = f"[{style}]{escape(step.reason)}[/]" if style else escape(step.reason)
        table.add_row(verdict, escape(step.label), words + rests)
    console.print(table)
    if any(theorem.verdict(f"A3.1({k})") is not Verdict.PROVED for k in (1, 2, 3)):
        console.print("  A3.1 fails; what remains:", highlight=False)
        for sentence in theorem.remains:
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
    table.add_column("case", overflow="ellipsis", no_wrap=True, max_width=23)
    for head in ("analytic", "rank", "zero", "path", "check"):
        table.add_column(head, no_wrap=True, min_width=8)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for outcome in result.outcomes:
        cells = [escape(outcome.report.case.name)]
        for key in COLUMNS:
            cells.append(_verdict(outcome.report.verdict(key)))
        cells.append(_check(outcome))
        table.add_row(*cells, f"{outcome.seconds:.1f}s", "ok" if outcome.ok else "[bold red]BAD[/]")
    console.print(table)


def print_summary(console: Console, result: SuiteResult, out: str) -> None:
    """Print what was unexpected, the certificates' sizes and times, and one closing sentence."""
    for outcome in result.outcomes:
        for surprise in outcome.report.surprises:
            console.print(f"[bold red]{escape(outcome.report.case.name)}[/]: {surprise}", highlight=False)
        if outcome.check is not None and outcome.check.verdict != "ACCEPTED":
            console.print(
                f"[bold red]{escape(outcome.report.case.name)}[/]: {escape(outcome.check.reason)}", highlight=False
            )
    proved = sum(
        step.verdict is Verdict.PROVED and step.key == "path" for o in result.outcomes for step in o.report.steps
    )
    accepted = sum(o.check is not None and o.check.verdict == "ACCEPTED" for o in result.outcomes)
    written = sum(o.check is not None for o in result.outcomes)
    largest = max(result.outcomes, key=lambda o: certificate_bytes(o.report), default=None)
    if largest is not None and written:
        size = certificate_bytes(largest.report) / 1e6
        check = f", checked in {largest.check.seconds:.1f} s" if largest.check else ""
        console.print(
            f"Largest certificate: {escape(largest.report.case.name)}, {size:.1f} MB{check}.", highlight=False
        )
    expected = sum(o.ok for o in result.outcomes)
    own, checker = result.peak_bytes / 2**30, result.checker_peak_bytes / 2**30
    console.print(
        f"{_count(len(result.outcomes), 'case')}, {expected} as expected; "
        f"{_count(proved, 'path')} to zero loss PROVED; "
        f"{accepted} of {_count(written, 'certificate')} accepted by the independent checker. "
        f"{result.seconds:.0f} s, peak memory {own:.1f} GiB (checker {checker:.1f} GiB). Results: {escape(out)}",
        highlight=False,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _verdict(verdict: Verdict | None) -> str:
    return "-" if verdict is None else f"[{STYLE.get(verdict, 'cyan')}]{SHORT[verdict]}[/]"


def _check(outcome: Outcome) -> str:
    if outcome.check is None:
        return "-"
    text = "unread." if outcome.check.verdict == "UNREADABLE" else outcome.check.verdict.lower()
    return f"[{STYLE[outcome.check.verdict]}]{text}[/]"
