"""What ``verifier fuzz`` shows: a progress line on stderr, a line per property, and counterexamples in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from verifier.display import count
from verifier.fuzz.properties.core import Property
from verifier.fuzz.search import SearchResult, Watch

MAX_OUTCOMES = 5
"""How many outcomes the progress line names."""


@contextmanager
def progress(console: Console, name: str, limit: int | None) -> Iterator[Watch | None]:
    """Show how many examples there were and what they were; nothing when stderr is not a terminal."""
    if not console.is_terminal:
        yield None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task(escape(name), total=limit)

        def watch(examples: int, outcomes: Mapping[str, int]) -> None:
            words = escape(f"{name}: {counted(outcomes)}")
            shrinking = "FALSIFIED" in outcomes
            bars.update(task, completed=examples, description=f"{words}, shrinking" if shrinking else words)

        yield watch


def counted(outcomes: Mapping[str, int]) -> str:
    """Outcomes with their numbers, the most frequent first."""
    ranked = sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{count} {word}" for word, count in ranked[:MAX_OUTCOMES])
    return shown + (f", {sum(count for _, count in ranked[MAX_OUTCOMES:])} other" if ranked[MAX_OUTCOMES:] else "")


def print_result(console: Console, result: SearchResult) -> None:
    """Print what one search found, its counterexample in full."""
    found = result.counterexample
    verdict = "[green]no counterexample[/]" if found is None else "[bold red]COUNTEREXAMPLE[/]"
    speed = f"{count(result.examples, 'example')} in {result.seconds:.1f} s, {result.rate:.0f}/s"
    console.print(f"{verdict}  [bold]{escape(result.name)}[/]  {speed}", highlight=False)
    console.print(f"  {escape(result.statement)}", highlight=False, soft_wrap=True)
    console.print(f"  {escape(counted(result.outcomes))}", highlight=False, soft_wrap=True)
    if found is None:
        return
    console.print(f"  [red]{escape(found.reason)}[/]", highlight=False, soft_wrap=True)
    for line in repr(found.specimen).splitlines():
        console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)
    if found.case_file is not None:
        words = f"  verifier run {found.case_file}"
        console.print(words, highlight=False, markup=False, soft_wrap=True)


def print_properties(console: Console, properties: Mapping[str, Property], conjectures: Mapping[str, object]) -> None:
    """List what can be fuzzed."""
    for name, entry in properties.items():
        console.print(f"[bold]{escape(name)}[/]", highlight=False)
        console.print(f"    {escape(entry.statement)}", highlight=False, soft_wrap=True)
    console.print(f"Worked conjectures (--conjecture NAME): {', '.join(conjectures)}", highlight=False)
