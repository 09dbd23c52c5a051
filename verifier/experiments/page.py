"""Renders results.html: one page about an experiment that runs no script and loads nothing, as the report of a run.

The page is a function of results.json. Every text is escaped by the template engine, figures are part of the page.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Final

import jinja2
from markupsafe import Markup

from verifier.balls.decimals import decimal_bound
from verifier.display import count
from verifier.experiments.claims import Claim, judge_claims
from verifier.experiments.comparison import Judgement
from verifier.experiments.groups import condition_of, group_of
from verifier.experiments.record import Experiment, Run
from verifier.experiments.styles import STYLES
from verifier.experiments.table import FINDINGS, DataTable, certified_sentence, data_tables
from verifier.report.page_template import LONGEST_TITLE, environment, figure_rules, style_sheet
from verifier.report.text import typeset, visible

MARKS: Final = {"reproduced": "P", "not reproduced": "R", "inconclusive": "U"}
"""Letters of the outcomes, which the style sheet has colours for."""
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-3, 1e4
"""Bounds between these are shown without a power of ten."""
FEW_JUDGED: Final = 3
"""A list of more judgements than this is folded, if all are reproduced or inconclusive."""
DIGITS: Final = 4
"""Digits of a bound that is shown, rounded outwards."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure of the page in both looks, with its caption.

    ``about`` is the table that it belongs to, or ""; ``path`` is whose path it shows, or "". ``light`` and ``dark`` are
    elements made by `verifier.report.inline`.
    """

    light: Markup
    dark: Markup
    caption: str
    about: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class _Certified:
    """Runs of one network and condition, and how many of them were certified."""

    name: str
    condition: str
    words: str
    runs: tuple[Run, ...]


def page(experiment: Experiment, pictures: Sequence[Picture] = ()) -> bytes:
    """Write the page of an experiment as HTML in UTF-8.

    Parameters
    ----------
    experiment
        Configuration, versions and runs, in any order.
    pictures
        Those about a data set follow its table, the others are a section of their own.

    Raises
    ------
    InputError
        Two runs with the same network, condition and seed.
    """
    tables = data_tables(experiment.runs)
    style, policy = style_sheet(_rules())
    claims = judge_claims(experiment.runs)
    shown = _environment().get_template("results.html.j2").render(
        title=visible(experiment.name, LONGEST_TITLE),
        kind="experiment",
        style=style,
        policy=policy,
        experiment=experiment,
        summary=summary(experiment, claims),
        proved=certified_sentence(experiment.runs),
        tables=[(table, _figures_of(table, pictures)) for table in tables],
        several=len(tables) > 1,
        claims=claims,
        figures=[picture for picture in pictures if not picture.about and not picture.path],
        paths=[picture for picture in pictures if picture.path],
        few=FEW_JUDGED,
        findings=[(key, words) for key, (words, _) in FINDINGS.items()],
        certified_groups=_certified_groups(tables),
    )  # fmt: skip
    return shown.encode("utf-8", "backslashreplace")


def summary(experiment: Experiment, claims: Sequence[tuple[Claim, tuple[Judgement, ...]]]) -> str:
    """Say what was run, and how many judgements have which outcome.

    Parameters
    ----------
    experiment
        All runs.
    claims
        The paper's claims, each with what was judged of it.
    """
    networks = {(run.data, run.samples, run.architecture, run.activation) for run in experiment.runs}
    every = [judgement for _, judgements in claims for judgement in judgements]
    told = _outcomes([j for j in every if not j.pooled]) or "none could be judged"
    together = _outcomes([j for j in every if j.pooled])
    judged = sum(bool(judgements) for _, judgements in claims)
    return (
        f"{count(len(experiment.runs), 'run')} of {count(len(networks), 'network')}. Of {len(claims)} claims"
        f" {judged} could be judged, each network by itself: {told}{'; all networks together: ' if together else ''}"
        f"{together}."
    )


def _outcomes(judgements: Sequence[Judgement]) -> str:
    outcomes = Counter[str](judgement.outcome for judgement in judgements)
    return ", ".join(f"{outcomes[name]} {name}" for name in MARKS if outcomes[name])


def table_key(data: str, samples: int, tests: int) -> str:
    """What a picture is about: the data set of a table."""
    return f"{data}, {samples}, {tests}"


def _figures_of(table: DataTable, pictures: Sequence[Picture]) -> list[Picture]:
    key = table_key(table.data, table.samples, table.tests)
    return [picture for picture in pictures if picture.about == key]


def _certified_groups(tables: Sequence[DataTable]) -> list[_Certified]:
    found: dict[tuple[str, str], list[Run]] = {}
    for table in tables:
        for run in table.runs:
            size = f"; {table.data}, N = {table.samples}" if len(tables) > 1 else ""
            name = f"{group_of(run).words}{size}"
            found.setdefault((name, STYLES[condition_of(run)].words), []).append(run)
    return [_Certified(*key, _certified_words(runs), tuple(runs)) for key, runs in found.items()]


def _certified_words(runs: Sequence[Run]) -> str:
    parts = []
    for key, (_, words) in FINDINGS.items():
        proved = sum(run.certified is not None and run.certified.verdict(key) == "PROVED" for run in runs)
        parts.append(f"{words} {proved}/{len(runs)}")
    return f"proved: {', '.join(parts)}"


@cache
def _rules() -> str:
    own = (resources.files("verifier.experiments") / "templates" / "results.css").read_text(encoding="utf-8")
    return figure_rules() + own


def _bound(up: bool) -> Callable[[float], Markup]:
    """A bound in few digits that is still one."""

    def shown(value: float) -> Markup:
        if not math.isfinite(value):
            return Markup("∞") if value > 0 else Markup("−∞")
        text = decimal_bound(abs(Fraction(value)), DIGITS, up=up == (value >= 0))
        if text != "0" and SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
            text = f"{Decimal(text):f}"
        return Markup("−" if value < 0 else "") + typeset(text)

    return shown


@cache
def _environment() -> jinja2.Environment:
    made = environment("verifier.experiments")
    filters: Mapping[str, Callable[..., object]] = {
        "mark": lambda outcome: MARKS[outcome],
        "up": _bound(True),
        "down": _bound(False),
    }
    made.filters |= filters
    return made
