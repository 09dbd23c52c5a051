"""Writes results.md: the tables of an experiment in Markdown, as the findings page of the documentation has them.

The text is a function of results.json, as the page is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from verifier.display import count
from verifier.experiments.claims import Claim, judge_claims
from verifier.experiments.comparison import Judgement
from verifier.experiments.groups import Condition, grouped
from verifier.experiments.record import Experiment, Planned, Run
from verifier.experiments.styles import STYLES
from verifier.experiments.table import FINDINGS, DataTable, certified_sentence, data_tables

SHORT: Final = {"PROVED": "P", "REFUTED": "R", "UNDECIDED": "U"}
OUTCOMES: Final = ("reproduced", "not reproduced", "inconclusive")


def markdown(experiment: Experiment) -> bytes:
    """The tables of errors, claims, proofs and costs, and what was not run, in UTF-8.

    Parameters
    ----------
    experiment : Experiment
        Runs in any order.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        Two runs with the same network, condition and seed.
    """
    tables = data_tables(experiment.runs)
    lines: list[str] = []
    for table in tables:
        lines += [f"**{_title(table)}.** Misclassified in %, mean ± half-width of the 95 % interval over seeds.", ""]
        lines += [*_errors(table), ""]
        lines += ["What was proved at the weights of the end, in runs PROVED / REFUTED / UNDECIDED, and seconds:", ""]
        lines += [*_proved(table), ""]
    for claim, judgements in judge_claims(experiment.runs):
        if judgements:
            lines += [*_claim(claim, judgements, several=len(tables) > 1), ""]
    lines += [certified_sentence(experiment.runs), ""]
    lines += _budget(experiment)
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _title(table: DataTable) -> str:
    return f"{_cell(table.data)}, N = {table.samples}, {table.tests} test samples"


def _errors(table: DataTable) -> list[str]:
    heads = [f"{name}: {part}" for name in table.columns for part in ("train", "test")]
    rows = [
        [row.group.words, *(text or "–" for cell in row.cells for text in (cell.train, cell.test)), row.seeds]
        for row in table.rows
    ]
    return _table(["network", *heads, "seeds"], rows)


def _proved(table: DataTable) -> list[str]:
    """A row for each network and condition: verdicts of its runs, errors proved exactly, certificates, time."""
    rows = []
    for group, by in grouped(table.runs).items():
        for condition, seeds in by.items():
            rows.append([group.words, *_proved_cells(condition, list(seeds.values()))])
    heads = [words for words, _ in FINDINGS.values()]
    return _table(["network", "", "M", *heads, "errors exact", "accepted", "seconds a run"], rows)


def _proved_cells(condition: Condition, runs: Sequence[Run]) -> list[str]:
    found = [run.certified for run in runs if run.certified is not None]
    verdicts = []
    for key in FINDINGS:
        tally = Counter(certified.verdict(key) for certified in found)
        verdicts.append(" / ".join(str(tally[verdict]) for verdict in SHORT) if found else "–")
    exact = sum(certified.errors_low == certified.errors_high for certified in found)
    accepted = sum(certified.check == "ACCEPTED" for certified in found)
    seconds = sum(run.seconds for run in runs) / len(runs)
    units = " / ".join(map(str, sorted({run.skip_units for run in runs})))
    return [STYLES[condition].words, units, *verdicts, f"{exact} of {len(runs)}", str(accepted), f"{seconds:.0f}"]


def _claim(claim: Claim, judgements: Sequence[Judgement], *, several: bool) -> list[str]:
    """The claim, and of each data set how many networks have which outcome; then its numbers."""
    lines = [f"* **{claim.key}**: {claim.statement}"]
    for (data, samples), members in _by_data(judgements):
        single = [j for j in members if not j.pooled]
        tally = Counter(j.outcome for j in single)
        told = ", ".join(f"{outcome} {tally[outcome]}" for outcome in OUTCOMES if tally[outcome])
        where = f"{_cell(data)}, N = {samples}: " if several else ""
        lines.append(f"  * {where}{told} of {count(len(single), 'network')}")
        lines += [f"    * {_cell(j.group.words)}: {j.outcome}; {_cell(j.words)}" for j in members]
    return lines


def _by_data(judgements: Sequence[Judgement]) -> Iterable[tuple[tuple[str, int], list[Judgement]]]:
    """Judgements of each data set and size, pooled ones last."""
    ordered = sorted(judgements, key=lambda j: (j.group.data, j.group.samples, j.pooled))
    return ((key, list(members)) for key, members in groupby(ordered, lambda j: (j.group.data, j.group.samples)))


def _budget(experiment: Experiment) -> list[str]:
    """The budget as it was stated, and what was not run."""
    if experiment.budget is None:
        return []
    missing = experiment.budget.missing
    if not missing:
        return [f"{experiment.budget.words} All were run.", ""]
    return [experiment.budget.words, "", f"Not run, {count(len(missing), 'run')}:", "", *not_run(missing), ""]


def not_run(missing: Sequence[Planned]) -> list[str]:
    """A line for each group of missing runs that differ by the seed alone."""
    seeds: dict[tuple[str, bool], list[str]] = {}
    for run in missing:
        words, _, seed = run.words.rpartition(", seed ")
        seeds.setdefault((words, run.chosen), []).append(seed)
    lines = []
    for (words, chosen), numbers in seeds.items():
        which = f"seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}"
        lines.append(f"* {_cell(words)}, {which}{': the hours were over' if chosen else ''}")
    return lines


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    written = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(map(_cell, row))} |" for row in written]


def _cell(text: str) -> str:
    """Text of a cell, in which nothing ends it or is markup."""
    return "".join(f"\\{c}" if c in "|*_`[]<>\\$" else " " if c in "\r\n" else c for c in text)
