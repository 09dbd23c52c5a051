"""What ``verifier fuzz`` shows: a progress line on stderr, a line per property, and counterexamples in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from verifier.display import count, wrapped
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
    """Print what one search found: the verdict in a sentence, what was searched for, a counterexample in full."""
    found = result.counterexample
    tried = f"{count(result.examples, 'example')} in {result.seconds:.1f} s, {result.rate:.0f}/s"
    verdict, colour = ("TESTED", "green") if found is None else ("REFUTED", "bold red")
    sentence = f"{result.name}: " + (
        f"no counterexample in {tried}" if found is None else f"a counterexample was found ({tried}): {found.reason}"
    )
    first, *others = wrapped(sentence, console.width, f"{verdict:<11}", " " * 11)
    console.print(Text.assemble((verdict, colour), first[len(verdict) :]), soft_wrap=True)
    lines = [*others, *wrapped(f"searched for: {result.statement}", console.width, " " * 11, " " * 11)]
    lines += wrapped(f"seen: {counted(result.outcomes)}", console.width, " " * 11, " " * 11)
    if found is not None:
        lines += [f"    {line}" for line in repr(found.specimen).splitlines()]
        lines += [] if found.case_file is None else [f"Next:        verifier run {found.case_file}"]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_conclusion(console: Console, results: Sequence[SearchResult]) -> None:
    """Print one sentence about several searches."""
    refuted = [result.name for result in results if result.counterexample is not None]
    properties, examples = len(results), count(sum(result.examples for result in results), "example")
    if refuted:
        verdict, words = "REFUTED", f"{len(refuted)} of {properties} properties: {', '.join(refuted)}."
    else:
        verdict, words = (
            "TESTED",
            f"{properties} properties on {examples}: no counterexample was found, which proves nothing.",
        )
    for line in wrapped(words, console.width, f"{verdict:<11}", " " * 11):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_properties(console: Console, properties: Mapping[str, Property], conjectures: Mapping[str, object]) -> None:
    """List what can be fuzzed."""
    for name, entry in properties.items():
        console.print(f"[bold]{escape(name)}[/]", highlight=False)
        console.print(f"    {escape(entry.statement)}", highlight=False, soft_wrap=True)
    console.print(f"Worked conjectures (--conjecture NAME): {', '.join(conjectures)}", highlight=False)
