"""The search for a counterexample: Hypothesis draws, shrinks and remembers; what it finds becomes a case file.

Failing examples are kept in a database below the output folder, one folder per property, and are tried first in the
next run. Draws depend on the seed, on the versions, and on the numbers written in loaded Python files outside of
site-packages, which Hypothesis likes to try: the same command draws the same.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as with_seed
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import FlakyFailure
from hypothesis.strategies import SearchStrategy

from verifier.display import Card, Shown, Table
from verifier.errors import InputError, one_line
from verifier.fuzz.pair import specimen_of_case
from verifier.fuzz.properties.core import Check, Falsified
from verifier.fuzz.specimen import Specimen
from verifier.run.case import MAX_TITLE
from verifier.verdict import Verdict

ROUND = 100
"""Examples in a round when the time is limited, not their number."""
MAX_ROUND = 10_000
DEFAULT_EXAMPLES = 200
SEEDS = 2**64
"""Between the seeds of one round and the next."""

Watch = Callable[[int, Mapping[str, int]], None]
"""Told after every example how many there were and what was found in them."""


@dataclass(frozen=True)
class Counterexample:
    """A specimen for which the property fails, shrunk; why; and its case file, if a folder was given."""

    specimen: Specimen
    reason: str
    expect: Mapping[str, str] = field(default_factory=dict)
    case_file: Path | None = None


@dataclass(frozen=True, repr=False)
class SearchResult(Shown):
    """What a search found: how many examples in how many seconds, what they were, and a counterexample or None.

    ``examples`` counts those that were drawn, not the ones that shrinking tried.
    """

    name: str
    statement: str
    examples: int
    seconds: float
    outcomes: Mapping[str, int]
    counterexample: Counterexample | None = None

    @property
    def rate(self) -> float:
        """How many examples were tried per second."""
        return self.examples / self.seconds if self.seconds > 0 else 0.0

    def _card(self) -> Card:
        seen = ", ".join(f"{count} {word}" for word, count in self.outcomes.items())
        values = (("examples", f"{self.examples}: {seen}" if seen else str(self.examples)),)
        if self.counterexample is None:
            return Card(
                self.statement, str(Verdict.TESTED), "No counterexample was found, which proves nothing.", values
            )
        rows = tuple((line,) for line in repr(self.counterexample.specimen).splitlines())
        table = Table("The counterexample, shrunk", ("samples, layers, weights",), rows, unfolded=True)
        return Card(self.statement, str(Verdict.REFUTED), self.counterexample.reason, values, (table,))

    def as_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        found = self.counterexample
        return {
            "name": self.name,
            "statement": self.statement,
            "examples": self.examples,
            "seconds": round(self.seconds, 3),
            "outcomes": dict(self.outcomes),
            "counterexample": None
            if found is None
            else {
                "reason": found.reason,
                "case": None if found.case_file is None else str(found.case_file),
                "specimen": repr(found.specimen),
            },
        }


def search(
    name: str,
    statement: str,
    strategy: SearchStrategy[Specimen],
    check: Check,
    *,
    examples: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    folder: Path | None = None,
    watch: Watch | None = None,
) -> SearchResult:
    """Search for a specimen that fails a check, and shrink it.

    Parameters
    ----------
    name, statement
        What is searched for, for the report and for file names.
    strategy
        Draws specimens.
    check
        Returns in a word what was found, or raises `Falsified`. Any other exception but an `InputError`, and any
        warning, counts as a failure too.
    examples
        How many are drawn; default 200, without bound if ``minutes`` is given.
    minutes
        Go on, with fresh seeds, until that much time has passed; an example that has begun is finished.
    seed
        Of the draws.
    folder
        For ``examples/NAME`` (the database) and ``counterexamples/NAME-DIGEST/case.toml``; None: nothing is written.
    watch
        Told of the progress.

    Returns
    -------
    SearchResult
        Without a counterexample: none was found, which proves nothing.

    Raises
    ------
    InputError
        From the check; ``minutes`` is no number; the folder cannot be made; the strategy fails to draw.
    """
    if minutes is not None and not minutes >= 0:
        raise InputError(f"minutes = {minutes}: give a number that is not negative")
    if folder is not None:
        _make(folder)
    began = time.monotonic()
    limit = examples if examples is not None or minutes is not None else DEFAULT_EXAMPLES
    until = None if minutes is None else began + 60 * minutes
    state = _State(check, limit, until, watch)
    number = 0
    database = None if folder is None else folder / "examples" / name
    while state.failure is None and not state.over:
        left = ROUND if limit is None else limit - state.examples
        _round(state, strategy, min(left, MAX_ROUND), seed + number * SEEDS, database)
        number += 1
    seconds = time.monotonic() - began
    found = state.failure
    if found is not None and folder is not None:
        where = folder / "counterexamples" / f"{name}-{found.specimen.digest}"
        title = one_line(f"{name}: {found.reason}", limit=MAX_TITLE).strip("'\"")
        file = found.specimen.write(where, title=title, expect=found.expect)
        found = Counterexample(found.specimen, found.reason, found.expect, file)
    return SearchResult(name, statement, state.examples, seconds, dict(state.outcomes), found)


def replay(name: str, statement: str, case: Path, check: Check) -> SearchResult:
    """Check one case file: a counterexample that was found before, or any other.

    Raises
    ------
    InputError
        The case cannot be read.
    """
    began = time.monotonic()
    state = _State(check, 1, None, None)
    specimen = specimen_of_case(case)
    try:
        state.look(specimen)
    except Exception:
        if state.failure is None:  # unusable input is no finding
            raise
    found = state.failure
    if found is not None:
        found = Counterexample(specimen, found.reason, found.expect, case)
    return SearchResult(name, statement, 1, time.monotonic() - began, dict(state.outcomes), found)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror}; name another folder") from None


class _Over(BaseException):
    """Enough examples, or no more time; like a Ctrl-C it is no failure of the example."""


class _State:
    """What was seen so far. ``failure`` is the last failing example: after shrinking, the smallest."""

    def __init__(self, check: Check, limit: int | None, until: float | None, watch: Watch | None) -> None:
        self.check, self.limit, self.until, self.watch = check, limit, until, watch
        self.examples, self.outcomes = 0, Counter[str]()
        self.failure: Counterexample | None = None

    @property
    def over(self) -> bool:
        """Whether the number of examples or the time is used up."""
        late = self.until is not None and time.monotonic() >= self.until
        return late or (self.limit is not None and self.examples >= self.limit)

    def look(self, specimen: Specimen) -> None:
        """Check one example; stop Hypothesis when the time is up, which would go on drawing."""
        if self.failure is None and self.over:
            raise _Over
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                outcome = self.check(specimen)
        except InputError:
            raise
        except Exception as error:  # whatever goes wrong with a specimen is a finding
            expect = error.expect if isinstance(error, Falsified) else {}
            words = str(error) if isinstance(error, Falsified) else f"{type(error).__name__}: {error}"
            if self.failure is None:
                self._count("FALSIFIED")
            self.failure = Counterexample(specimen, words, expect)
            raise
        if self.failure is None:
            self._count(outcome)

    def _count(self, outcome: str) -> None:
        self.examples += 1
        self.outcomes[outcome] += 1
        if self.watch is not None:
            self.watch(self.examples, self.outcomes)


def _round(state: _State, strategy: SearchStrategy[Specimen], examples: int, seed: int, database: Path | None) -> None:
    """Let Hypothesis draw some examples, and shrink the first failure."""

    @settings(  # outside of the seed, which would switch the database off
        max_examples=examples,
        database=None if database is None else DirectoryBasedExampleDatabase(database),
        phases=[Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    @with_seed(seed)
    @given(strategy)
    def property_holds(specimen: Specimen) -> None:
        state.look(specimen)

    before = state.examples
    try:
        property_holds()
    except _Over:
        return
    except InputError:
        raise
    except FlakyFailure:
        if state.failure is not None:
            words = f"{state.failure.reason} (not every time: it depends on more than the specimen)"
            state.failure = Counterexample(state.failure.specimen, words, state.failure.expect)
    except Exception as error:
        if state.failure is None:
            what = f"{type(error).__name__}: {one_line(str(error))}"
            raise InputError(f"no example can be drawn: {what}; correct the strategy") from error
    if state.failure is None and state.examples == before and state.limit is not None:
        state.limit = state.examples  # the strategy has no more to give
