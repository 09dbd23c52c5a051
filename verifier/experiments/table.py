"""The paper's table over seeds, one flat CSV row per run, and the summary in the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from verifier.display import count
from verifier.experiments.claims import judge_claims
from verifier.experiments.comparison import Judgement, Outcome
from verifier.experiments.groups import Condition, Group, condition_of, grouped, in_order
from verifier.experiments.record import Certified, Epoch, Experiment, Run
from verifier.experiments.statistics import mean_interval

COLUMNS: Final[tuple[Condition, ...]] = ("plain", "skip", "rand")
"""The columns of the table."""
FURTHER_COLUMNS: Final[tuple[Condition, ...]] = ("interpolation",)
"""Columns of a table only where some of its runs are in them."""
FINDINGS: Final = {
    "rank": ("Full rank", "rank"),
    "generic": ("Full rank at almost every U", "W0"),
    "threshold": ("Zero error by the loss", "L2.1"),
    "zero_loss": ("Zero error for some V", "Z1"),
    "path": ("Path to 1e-6", "path"),
}
"""What is certified of a run, in the order of the proof: in words, and in the line of a network."""
SPELT_OUT: Final = 2
"""The numbers of a claim about at most so many networks are printed; results.html has all of them."""
STYLES: Final[dict[Outcome, str]] = {"reproduced": "green", "not reproduced": "red", "inconclusive": "yellow"}


@dataclass(frozen=True, slots=True)
class Cell:
    """Training and test error in percent, ``mean ± half-width`` over so many seeds; "" without runs."""

    train: str = ""
    test: str = ""
    seeds: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """An architecture with an activation: a cell for each column of its table."""

    group: Group
    cells: tuple[Cell, ...]

    @property
    def seeds(self) -> str:
        """How many seeds the cells have: one number where all that have runs agree."""
        numbers = [cell.seeds for cell in self.cells]
        there = {number for number in numbers if number}
        return str(*there) if len(there) == 1 else " / ".join(map(str, numbers))


@dataclass(frozen=True, slots=True)
class DataTable:
    """The rows of one data set and size, and all of its runs in order.

    ``columns`` are `COLUMNS`, and those of `FURTHER_COLUMNS` that have runs.
    """

    data: str
    samples: int
    tests: int
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    columns: tuple[Condition, ...] = COLUMNS


def data_tables(runs: Sequence[Run]) -> tuple[DataTable, ...]:
    """The paper's table for each data set.

    Raises
    ------
    InputError
        Two runs with the same group, condition and seed.
    """
    found: dict[tuple[str, int, int, str], list[Run]] = {}
    for run in in_order(runs):
        found.setdefault((run.data, run.samples, run.tests, run.experiment), []).append(run)
    return tuple(_table(key, members) for key, members in found.items())


def csv_bytes(runs: Sequence[Run]) -> bytes:
    """One row per run in UTF-8: all scalar fields, the final epoch, what was certified at the end and at the start.

    Floats are written so that they read back as the same numbers; None is an empty cell.
    """
    rows = [_flat(run) for run in in_order(runs)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_flat_names())
    for row in rows:
        writer.writerow([_text(row[name]) for name in _flat_names()])
    return stream.getvalue().encode("utf-8", "backslashreplace")


def print_experiment(console: Console, experiment: Experiment) -> None:
    """Print the table of test errors and the outcome of each claim that has runs.

    Parameters
    ----------
    console : Console
        It need not be wider than 80 columns.
    experiment : Experiment
        Runs in any order.

    Raises
    ------
    InputError
        Two runs with the same group, condition and seed.
    """
    tables = data_tables(experiment.runs)
    for data in tables:
        title = f"{data.data}: {data.samples} training and {data.tests} test samples; test error in %, 95% over seeds"
        console.print(f"[bold]{escape(title)}[/bold]", highlight=False)
        console.print(_terminal_table(data, console.width))
        if "interpolation" in data.columns:
            console.print("[dim]rand: V minimises the cross-entropy; interpolation: least-norm Psi V = onehot[/]")
    judged = judge_claims(experiment.runs)
    for claim, judgements in judged:
        if judgements:
            console.print(f"[bold]{claim.key}[/bold]: {_tally(judgements)}", highlight=False)
            _print_numbers(console, judgements, several=len(tables) > 1)
    without = [claim.key for claim, judgements in judged if not judgements]
    if without:
        console.print(f"[dim]not judged: {', '.join(without)} (no runs)[/]", highlight=False)
    console.print(escape(certified_sentence(experiment.runs)), highlight=False)
    if experiment.budget is not None:
        missing = len(experiment.budget.missing)
        told = f"{count(missing, 'run')} not run: results.md and results.html list them" if missing else "all were run"
        console.print(f"{escape(experiment.budget.words)} Now {told}.", highlight=False)


def _terminal_table(data: DataTable, width: int) -> Table:
    """Names of networks are folded where the numbers need the width."""
    further = len(data.columns) > len(COLUMNS)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("network", overflow="fold", max_width=max(26, width - 54))
    for head in data.columns:
        table.add_column(head, no_wrap=True, justify="right", min_width=None if further else 12)
    table.add_column("seeds", no_wrap=not further, overflow="fold", justify="right")
    for row in data.rows:
        cells = [cell.test or "-" for cell in row.cells]
        table.add_row(escape(row.group.words), *cells, row.seeds.replace(" ", ""))
    return table


def _print_numbers(console: Console, judgements: Sequence[Judgement], *, several: bool) -> None:
    """The numbers of few networks, and of all together; which data set, where there are several."""
    few = sum(not j.pooled for j in judgements) <= SPELT_OUT
    for j in judgements:
        about = f"{j.group.words}{f'; {j.group.data}, N = {j.group.samples}' if several else ''}"
        outcome = f"[{STYLES[j.outcome]}]{j.outcome}[/]; " if j.pooled else ""
        if few or j.pooled:
            console.print(f"  {escape(about)}: {outcome}{escape(j.words)}", highlight=False)


def _tally(judgements: Sequence[Judgement]) -> str:
    """How many groups have each outcome; those that are not reproduced by name."""
    parts, single = [], [j for j in judgements if not j.pooled]
    for outcome, colour in STYLES.items():
        having = [j.group.words for j in single if j.outcome == outcome]
        names = f" ({escape('; '.join(having))})" if outcome == "not reproduced" else ""
        parts += [f"[{colour}]{outcome}[/] {len(having)}{names}"] if having else []
    return f"{', '.join(parts)} of {count(len(single), 'network')}"


def certified_sentence(runs: Sequence[Run]) -> str:
    """What was proved of how many runs, in one sentence."""
    found = [run.certified for run in runs if run.certified is not None]
    if not runs:
        return "No run is finished."
    if not found:
        return f"Of {count(len(runs), 'run')} none was certified."
    proved = {key: sum(c.verdict(key) == "PROVED" for c in found) for key in FINDINGS}
    accepted = sum(c.check == "ACCEPTED" for c in found)
    return (
        f"Proved at the weights of the end, of {count(len(runs), 'run')}: full rank in {proved['rank']}, full"
        f" rank at almost every U in {proved['generic']}, zero training error by the loss alone (L2.1) in"
        f" {proved['threshold']} and for some V (Z1) in {proved['zero_loss']}, a path to loss 1e-6 in {proved['path']};"
        f" {count(accepted, 'certificate')} accepted by the independent checker."
    )


def _table(key: tuple[str, int, int, str], runs: Sequence[Run]) -> DataTable:
    present = {condition_of(run) for run in runs}
    columns = (*COLUMNS, *(condition for condition in FURTHER_COLUMNS if condition in present))
    rows = [
        Row(group, tuple(_cell(list(by.get(condition, {}).values())) for condition in columns))
        for group, by in grouped(runs).items()
    ]
    return DataTable(*key[:3], tuple(rows), tuple(runs), columns)


def _cell(runs: Sequence[Run]) -> Cell:
    if not runs:
        return Cell()
    return Cell(_error([run.train_error for run in runs]), _error([run.test_error for run in runs]), len(runs))


def _error(shares: Sequence[float]) -> str:
    interval = mean_interval(shares).scaled(100.0)
    return f"{interval.mean:.2f}" + ("" if interval.half is None else f" ±\N{NO-BREAK SPACE}{interval.half:.2f}")


_NESTED: Final = ("epochs", "certified", "certified_start", "path")
_EPOCH: Final = tuple(field.name for field in msgspec.structs.fields(Epoch))
_SCALARS: Final = tuple(field.name for field in msgspec.structs.fields(Run) if field.name not in _NESTED)
_BOUNDS: Final = tuple(field.name for field in msgspec.structs.fields(Certified) if field.name != "findings")


def _flat_names() -> list[str]:
    names = [*_SCALARS, *(f"final_{name}" for name in _EPOCH), "train_error", "test_error"]
    for part in ("certified", "start"):
        names += [f"{part}_{name}" for name in (*FINDINGS, *_BOUNDS)]
    return [*names, "path_points"]


def _flat(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(run, name) for name in _SCALARS}
    row |= {f"final_{name}": getattr(run.last, name) for name in _EPOCH}
    row |= {"train_error": run.train_error, "test_error": run.test_error, "path_points": len(run.path)}
    for part, found in (("certified", run.certified), ("start", run.certified_start)):
        row |= {f"{part}_{name}": "" if found is None else found.verdict(name) for name in FINDINGS}
        row |= {f"{part}_{name}": None if found is None else getattr(found, name) for name in _BOUNDS}
    return row


def _text(value: object) -> str:
    """A cell: floats by the shortest text that reads back as the same number."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
