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
from urllib.parse import quote

import jinja2
from markupsafe import escape

from verifier.certificate.cost import sentence
from verifier.certificate.writer import atomic_write
from verifier.errors import InputError, nearest, one_line
from verifier.outcome import Step
from verifier.report import page_template as sheet
from verifier.report import picture
from verifier.report import sentences as words
from verifier.report.results import Results, read_results
from verifier.report.text import formula, typeset, visible
from verifier.run.record import CaseRecord, StatementRecord

MAX_BYTES = 3 * 2**20
"""A page that would be larger is written with less detail."""
LONGEST_TITLE, LONGEST_FILE = 200, 20_000

Level = Literal["full", "compact", "brief"]
LEVELS: tuple[Level, ...] = ("full", "compact", "brief")
"""How much is said of each case of several: everything; each statement explained once, smaller pictures; verdicts."""
LEAST: dict[Level, int] = {"full": 16 * 2**10, "compact": 4 * 2**10, "brief": 0}
"""A case takes more bytes than this: what cannot fit is not tried."""

CODES = {"PROVED": "P", "REFUTED": "R", "UNDECIDED": "U", "TESTED": "T", "ERROR": "N"}
SHOWN_ELSEWHERE = {"analytic": "LA.1", "rank": "rank", "path": "path"}
"""Computed statements that the proof has as steps, with the same reasons."""
USUAL = 0.2
"""Share of the cases from which on evidence for a statement is usual."""


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

    @property
    def headline(self) -> str:
        """The verdict that stands for the case."""
        return words.headline(self.case)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return words.sentence(self.case)

    @property
    def left_out(self) -> str:
        """What was proved and is not in the certificate, in one sentence."""
        return sentence(self.case.left_out)

    @property
    def rank(self) -> str | None:
        """The verdict of full row rank at the start's U."""
        return self.case.verdict("rank")

    @property
    def zero(self) -> str | None:
        """The verdict of zero training error."""
        return self.case.verdict("zero_loss")

    @property
    def panels(self) -> list[picture.Panel]:
        """The pictures of the path."""
        return [] if self.case.curve is None else picture.panels(self.case.curve, fine=self.level == "full")

    @property
    def caption(self) -> str:
        """What the pictures show."""
        return "" if self.case.curve is None else words.caption(self.case.curve, short=self.level != "full")

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
    def inapplicable(self) -> list[StatementRecord]:
        """The statements that do not apply to the case."""
        return [step for step in self.case.theorem if not step.applies]

    @property
    def commands(self) -> tuple[str, str, str] | None:
        """The command lines that check and show the certificate."""
        return words.commands(self.case)

    @property
    def file(self) -> str:
        """The certificate's place beside the page."""
        return words.certificate_file(self.case.certificate or "")

    @property
    def link(self) -> str:
        """The same as a relative address."""
        return quote(self.file)


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
        chosen = tuple(case for case in results.cases if case.name == only)
        if not chosen:
            known = [case.name for case in results.cases]
            raise InputError(f"--only {one_line(only)}: no case of this name in {folder}; {nearest(only, known)}")
        results = Results(
            results.version, results.versions, results.seconds, results.peak_bytes, results.checker_peak_bytes, chosen
        )
        target = folder / f"report{suffix}-{only}.html"
    atomic_write(target, page(results))
    return target


def page(results: Results) -> bytes:
    """The page in UTF-8, with as much detail as fits `MAX_BYTES`; with the least of it, however large it is."""
    found = b""
    count = len(results.cases)
    for level in LEVELS[:1] if count == 1 else LEVELS:
        if count > 1 and count * LEAST[level] > MAX_BYTES:
            continue
        found = _render(results, level).encode()
        if len(found) <= MAX_BYTES:
            break
    return found


def _render(results: Results, level: Level) -> str:
    shared = _shared(results.cases) if level == "compact" else {}
    views = [View(case, f"c{index}", level, shared) for index, case in enumerate(results.cases, start=1)]
    single = len(views) == 1
    style, policy = sheet.style_sheet()
    title = (views[0].case.title or views[0].case.name) if single else words.cases_of(len(views))
    overall = {view.headline for view in views}
    return _environment().get_template("report.html.j2").render(
        title=visible(title, LONGEST_TITLE),
        style=style,
        policy=policy,
        single=single,
        cases=views,
        level=level,
        results=results,
        versions=results.versions,
        meanings=words.MEANING,
        trust=words.TRUST,
        summary=words.summary(results.cases),
        overall=CODES[overall.pop()] if len(overall) == 1 and all(view.case.ok for view in views) else "",
        filters=_filters(views),
        unexpected=sum(not view.case.ok for view in views),
        glossary=_glossary(results.cases) if level == "compact" else (),
        usual=shared,
    )  # fmt: skip


def _filters(views: Sequence[View]) -> list[dict[str, Any]]:
    """The groups of choices by which index and cases are filtered; only those verdicts that occur."""
    groups = []
    for name, legend, codes in (
        ("path", "Path", [_code(view.headline) for view in views]),
        ("rank", "Rank at the start's U", [_code(view.rank) for view in views]),
    ):
        options = [{"code": "A", "text": "all", "count": len(views)}]
        for verdict, code in CODES.items():
            if code in codes:
                text = "no verdict" if code == "N" else verdict
                options.append({"code": code, "text": text, "count": codes.count(code)})
        groups.append({"name": name, "legend": legend, "options": options})
    return groups


def _glossary(cases: Sequence[CaseRecord]) -> list[StatementRecord]:
    """Every statement once."""
    found: dict[str, StatementRecord] = {}
    for case in cases:
        for step in case.theorem:
            found.setdefault(step.label, step)
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


def _code(verdict: str | None) -> str:
    return "N" if verdict is None else CODES.get(verdict, "N")


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")


@cache
def _environment() -> jinja2.Environment:
    environment = sheet.environment("verifier.report")
    environment.filters |= {
        "math": typeset,
        "formula": formula,
        "code": _code,
        "slug": _slug,
        "said": words.said,
        "size": words.megabytes,
        "title": lambda text: visible(text, LONGEST_TITLE),
        "file": lambda text: escape(visible(text, LONGEST_FILE)),
    }
    environment.globals |= {
        "width": picture.WIDTH,
        "height": picture.HEIGHT,
        "left": picture.LEFT,
        "right": picture.RIGHT,
        "top": picture.TOP,
        "bottom": picture.BOTTOM,
    }
    return environment
