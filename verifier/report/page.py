"""Renders the page. Every text is escaped by the template engine; the page runs no script and loads nothing.

Its Content-Security-Policy forbids everything but the one style sheet in the page, named by its hash. Filters,
unfolding and printing are HTML and CSS. The page is a function of results.json: the same results give the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
import msgspec

from verifier.certificate.files import atomic_write
from verifier.certificate.limits import sentence as left_out_sentence
from verifier.conclusion import conclude, lines
from verifier.display import count
from verifier.errors import InputError, nearest, one_line
from verifier.lines import Conclusion, Line
from verifier.outcome import Step
from verifier.report import page_template, picture, sentences
from verifier.report.results import read_results
from verifier.report.text import formula, visible
from verifier.run.record import CaseRecord, StatementRecord, SuiteResult
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.downhill_path import PATH_KINDS
from verifier.statements.groups import grouped, placed
from verifier.verdict import Verdict

MAX_BYTES = 4 * 2**20
"""A page that would be larger is written with less detail."""

Level = Literal["full", "compact", "brief"]
LEVELS: tuple[Level, ...] = ("full", "compact", "brief")
"""How much is said of each case of several: everything; each statement explained once, smaller pictures; verdicts."""
LEAST: dict[Level, int] = {"full": 16 * 2**10, "compact": 4 * 2**10, "brief": 0}
"""A case takes more bytes than this: what cannot fit is not tried."""

SHOWN_ELSEWHERE = {"analytic": "LA.1", "rank": "rank", "path": "path"}
"""Computed statements that the proof has as steps, with the same reasons."""
USUAL = 0.2
"""Share of the cases from which on evidence for a statement is usual."""


VALLEYS = "T3.4(2)"
"""The statement that no local valley is bad."""
COLUMNS = {
    VALLEYS: "no bad local valley",
    "rank": "full rank at this U",
    "zero_loss": "zero training error",
    "path": "path",
}
"""What the index says of each case, in words."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A verdict of the index, what stands where there is none, a note; ``calm``: not PROVED, but as expected."""

    words: str
    verdict: Verdict | None
    nothing: str
    note: str
    calm: bool


@dataclass(frozen=True, slots=True)
class Usual:
    """The evidence for a statement that most cases share, and how many do."""

    verdict: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class View:
    """A case as the templates need it."""

    case: CaseRecord
    id: str
    level: Level
    shared: Mapping[str, Usual | None]
    told: Mapping[tuple[str, Verdict], Line]
    steps: Mapping[str, str]

    @property
    def conclusion(self) -> Conclusion:
        """The verdict that stands for the case, and what it is about in one sentence."""
        return conclude(self.case)

    @property
    def about(self) -> str:
        """What the conclusion is the verdict of, in words."""
        if self.case.error is not None:
            return ""
        if self.case.theorem:
            return COLUMNS[VALLEYS] + (", without weight decay" if self.case.weight_decay else "")
        return COLUMNS["path" if self.case.step("path") is not None else "rank"]

    def line(self, found: Step | StatementRecord) -> Line | None:
        """What is said of a step or a statement in a line: whether its verdict is bad news."""
        names = (found.label, getattr(found, "key", ""))
        return next((line for name in names if (line := self.told.get((name, found.verdict))) is not None), None)

    def name(self, found: Step | StatementRecord) -> str:
        """What a verdict is the verdict of, in words; the reason that follows it may say why it is REFUTED."""
        return found.title if isinstance(found, StatementRecord) else self.steps[found.key]

    def title(self, statement: StatementRecord) -> str:
        """A statement's name; that of the path says which kind was proved: to near the infimum, by epsilon upwards."""
        return self.steps.get("path", statement.title) if statement.label == "path" else statement.title

    @property
    def cells(self) -> list[Cell]:
        """What the index says of the case, in the order of `COLUMNS`."""
        case = self.case
        statement = next((step for step in case.theorem if step.label == VALLEYS and step.applies), None)
        return [self._cell(VALLEYS, statement), *(self._cell(key, case.step(key)) for key in COLUMNS if key != VALLEYS)]

    def _cell(self, key: str, found: Step | StatementRecord | None) -> Cell:
        if found is None:
            nothing = "does not apply" if key == VALLEYS and self.case.theorem else "not asked for"
            nothing = nothing if self.case.error is None else "error"
            return Cell(COLUMNS[key], None, nothing, "", False)
        line = self.line(found)
        note = line.expected if line is not None and line.calm else ""
        if found.verdict is Verdict.PROVED and found.label in PATH_KINDS:
            kind = PATH_KINDS[found.label]
            note = "may rise by epsilon" if kind.rises else "to near the infimum" if kind.conflict else ""
        if key == VALLEYS and self.case.weight_decay:
            note = ", ".join(filter(None, ("without weight decay", note)))
        if key == "path" and found.verdict is Verdict.REFUTED:
            note = ", ".join(filter(None, ["to the least loss asked for", note]))
        return Cell(COLUMNS[key], found.verdict, "", note, line is not None and line.calm)

    @property
    def panels(self) -> list[picture.Panel]:
        """The pictures of the path."""
        return [] if self.case.curve is None else picture.panels(self.case.curve, fine=self.level == "full")

    @property
    def own(self) -> list[Step | StatementRecord]:
        """What was computed and is no step of the proof, and the proof's steps whose evidence is not the usual one."""
        there = {step.label for step in self.case.theorem if step.applies}
        computed = [step for step in self.case.steps if SHOWN_ELSEWHERE.get(step.key) not in there]
        return [*computed, *(step for step in self.case.theorem if step.applies and not self._is_usual(step))]

    @property
    def usual(self) -> dict[str, list[str]]:
        """Labels of the statements whose evidence is as in most cases, by verdict."""
        found: dict[str, list[str]] = {}
        for step in self.case.theorem:
            if step.applies and self._is_usual(step):
                found.setdefault(step.verdict, []).append(step.label)
        return found

    def _is_usual(self, step: StatementRecord) -> bool:
        usual = self.shared.get(step.label)
        return usual is not None and (usual.verdict, usual.reason) == (step.verdict, step.reason)

    @property
    def groups(self) -> list[tuple[str, list[StatementRecord]]]:
        """The statements that apply to the case, under headings."""
        return grouped([step for step in self.case.theorem if step.applies], placed)

    @property
    def inapplicable(self) -> list[StatementRecord]:
        """The statements that do not apply to the case."""
        return [step for step in self.case.theorem if not step.applies]


def write_report(folder: Path, suffix: str = "", only: str | None = None) -> Path:
    """Write the page of a folder's results beside them.

    Parameters
    ----------
    folder
        Where ``results.json`` is.
    suffix
        Of a shard's files.
    only
        Write a page with everything about this case, whatever the size of the run, named after it.

    Returns
    -------
    Path
        The page, ``report.html`` or ``report-NAME.html``.

    Raises
    ------
    InputError
        No results, results of another version, no case of this name.
    CertificateError
        If the folder cannot be written.
    """
    results = read_results(folder / f"results{suffix}.json")
    target = folder / f"report{suffix}.html"
    if only is not None:
        chosen = tuple(case for case in results.records if case.name == only)
        if not chosen:
            known = [case.name for case in results.records]
            raise InputError(f"--only {one_line(only)}: no case of this name in {folder}; {nearest(only, known)}")
        results = msgspec.structs.replace(results, records=chosen)
        target = folder / f"report{suffix}-{only}.html"
    atomic_write(target, page(results))
    return target


def page(results: SuiteResult) -> bytes:
    """The page in UTF-8, with as much detail as fits `MAX_BYTES`; with the least of it, however large it is."""
    found = b""
    cases = len(results.records)
    for level in LEVELS[:1] if cases == 1 else LEVELS:
        if cases > 1 and cases * LEAST[level] > MAX_BYTES:
            continue
        found = _render(results, level).encode()
        if len(found) <= MAX_BYTES:
            break
    return found


def _render(results: SuiteResult, level: Level) -> str:
    shared = _shared(results.records) if level == "compact" else {}
    views = [
        View(case, f"c{index}", level, shared, _told(case), _steps(case))
        for index, case in enumerate(results.records, start=1)
    ]
    single = len(views) == 1
    style, policy = page_template.style_sheet()
    title = (views[0].case.title or views[0].case.name) if single else count(len(views), "case")
    verdicts = {view.conclusion.verdict for view in views}
    agreed = verdicts.pop() if len(verdicts) == 1 and all(view.case.ok for view in views) else None
    return _environment().get_template("report.html.j2").render(
        title=visible(title, page_template.LONGEST_TITLE),
        kind="report",
        style=style,
        policy=policy,
        single=single,
        cases=views,
        columns=COLUMNS.values(),
        level=level,
        results=results,
        versions=results.versions,
        meanings=sentences.MEANING,
        trust=sentences.TRUST,
        summary=sentences.summary(results.records),
        overall="" if agreed is None else page_template.code_of(agreed),
        filters=_filters(views),
        unexpected=sum(not view.case.ok for view in views),
        glossary=_glossary(results.records) if level == "compact" else (),
        usual=shared,
    )  # fmt: skip


def _told(case: CaseRecord) -> dict[tuple[str, Verdict], Line]:
    """What is said of each statement and step in a line, by its label and verdict: steps may share a label."""
    return {(line.label, line.verdict): line for _, own in lines(case, verbose=True) for line in own}


def _steps(case: CaseRecord) -> dict[str, str]:
    """What each step is about, in words, by its key: the lines of the steps are the first ones."""
    if not case.steps:
        return {}
    return {step.key: line.words for step, line in zip(case.steps, lines(case, verbose=True)[0][1], strict=True)}


def _filters(views: Sequence[View]) -> list[dict[str, Any]]:
    """The groups of choices by which index and cases are filtered; only those verdicts that occur."""
    groups = []
    for name, legend, codes in (
        ("valley", "No bad local valley", [page_template.code_of(view.case.statement(VALLEYS)) for view in views]),
        ("path", "Path from the start", [page_template.code_of(view.case.verdict("path")) for view in views]),
        ("rank", "Full rank at the start's U", [page_template.code_of(view.case.verdict("rank")) for view in views]),
    ):
        options = [{"code": "A", "text": "all", "count": len(views)}]
        for verdict, code in page_template.CODES.items():
            if code in codes:
                text = "no verdict" if code == "N" else verdict
                options.append({"code": code, "text": text, "count": codes.count(code)})
        groups.append({"name": name, "legend": legend, "options": options})
    return groups


def _glossary(cases: Sequence[CaseRecord]) -> list[StatementRecord]:
    """Every statement of the cases once, by the name that it has wherever it is found, in the order of the cases."""
    found: dict[str, StatementRecord] = {}
    for case in cases:
        for step in case.theorem:
            known = STATEMENTS.get(step.label)
            title = step.title if known is None else known.title
            found.setdefault(step.label, msgspec.structs.replace(step, title=title))
    return list(found.values())


def _shared(cases: Sequence[CaseRecord]) -> dict[str, Usual | None]:
    """For each statement the evidence that occurs most often, if that is often enough to be given once for all."""
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for case in cases:
        for step in case.theorem:
            counts.setdefault(step.label, Counter())
            if step.applies:
                counts[step.label][step.verdict, step.reason] += 1
    found: dict[str, Usual | None] = {}
    for label, counter in counts.items():
        ((verdict, reason), count) = counter.most_common(1)[0] if counter else (("", ""), 0)
        found[label] = Usual(verdict, reason, count) if count > max(1, USUAL * len(cases)) else None
    return found


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", label.replace("+", "-plus")).strip("-")


@cache
def _environment() -> jinja2.Environment:
    environment = page_template.environment("verifier.report")
    environment.filters |= {
        "formula": formula,
        "slug": _slug,
        "seconds": sentences.short_seconds,
        "size": sentences.short_size,
        "capital": lambda text: text[:1].upper() + text[1:],
        "caption": sentences.caption,
        "commands": sentences.commands,
        "certificate_file": sentences.certificate_file,
        "left_out": left_out_sentence,
    }
    environment.globals |= {
        "width": picture.WIDTH,
        "height": picture.HEIGHT,
        "left": picture.LEFT,
        "right": picture.RIGHT,
        "top": picture.TOP,
        "bottom": picture.BOTTOM,
        "valleys": VALLEYS,
    }
    return environment
