"""The search: finds what is planted, shrinks it, remembers it, repeats itself, keeps to its limits, reports crashes."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from verifier import Verdict, fuzz, read_case, run_case
from verifier.cli import _guarded
from verifier.errors import DataError, InputError
from verifier.fuzz.properties import Falsified
from verifier.fuzz.search import replay
from verifier.run.case import MAX_TITLE

search_module = importlib.import_module("verifier.fuzz.search")  # `verifier.fuzz.search` is the function

LAYER = {"kind": "dense", "width": 2, "activation": "tanh", "skip": True}


def specimen_of(a: int, b: int, copies: int = 1) -> fuzz.Specimen:
    rows = np.array([[float(a)], *[[float(b)]] * copies])
    return fuzz.Specimen(rows, [0, *[1] * copies], (LAYER,), np.array([1.0, 2.0, 0.5, -1.0]), np.zeros((2, 2)))


@st.composite
def planted(draw: st.DrawFn) -> fuzz.Specimen:
    """Pairs of numbers, cheap to draw."""
    a, b = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True))
    return specimen_of(a, b, draw(st.integers(1, 3)))


def below_100(specimen: fuzz.Specimen) -> str:
    if specimen.inputs.max() >= 100:
        raise Falsified(f"{specimen.inputs.max():.0f} is not below 100", {"rank": "REFUTED"})
    return "small" if specimen.inputs.max() < 10 else "middle"


def find(check: Callable[[fuzz.Specimen], str] = below_100, **keywords: Any) -> fuzz.SearchResult:
    return fuzz.search("below-100", "All numbers are below 100.", planted(), check, **{"examples": 50} | keywords)


class Clock:
    """Stands in for the search's clock: only checks take time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(search_module, "time", found)
    return found


class Recorder:
    """A check that never fails and notes what it saw; on a clock each takes its time."""

    def __init__(self, seconds: float = 0.0, clock: Clock | None = None) -> None:
        self.seen: list[str] = []
        self.seconds, self.clock = seconds, clock

    def __call__(self, specimen: fuzz.Specimen) -> str:
        self.seen.append(specimen.digest)
        if self.clock is not None:
            self.clock.now += self.seconds
        return str(len(specimen.inputs))


def test_a_false_property_is_found_and_shrunk(tmp_path: Path) -> None:
    found = find(folder=tmp_path)
    assert found.counterexample is not None
    assert found.counterexample.specimen.inputs.tolist() == [[0.0], [100.0]]
    assert found.counterexample.reason == "100 is not below 100"
    assert found.counterexample.expect == {"rank": "REFUTED"}
    assert found.outcomes["FALSIFIED"] == 1
    assert sum(found.outcomes.values()) == found.examples <= 50
    where = found.counterexample.case_file
    assert where is not None
    assert where.parent == tmp_path / "counterexamples" / f"below-100-{found.counterexample.specimen.digest}"
    assert read_case(where).file.title == "below-100: 100 is not below 100"
    document = found.as_json()
    assert document["counterexample"]["case"] == str(where)
    assert document["counterexample"]["specimen"].startswith("2 samples (group): 0.0 -> 0; 100.0 -> 1")
    assert found.rate > 0


def test_the_case_file_reproduces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = find(folder=tmp_path).counterexample
    assert found is not None
    where = str(found.case_file)
    assert run_case(read_case(where))[0].verdict("rank") is Verdict.PROVED
    code = _guarded(["run", where, "--out", str(tmp_path / "out")])  # it expects REFUTED
    assert code == 1
    assert "1 as expected" not in capsys.readouterr().out
    assert fuzz.Specimen.of_case(where).digest == found.specimen.digest
    again = replay("below-100", "", Path(where), below_100)
    assert again.counterexample is not None
    assert again.counterexample.reason == found.reason
    assert again.counterexample.case_file == Path(where)
    assert (again.examples, dict(again.outcomes)) == (1, {"FALSIFIED": 1})


def test_failures_are_tried_first_and_not_forgotten(tmp_path: Path) -> None:
    fresh = find(examples=1, seed=5)
    assert fresh.counterexample is None
    find(folder=tmp_path)
    for seed in (5, 6):
        again = find(examples=1, seed=seed, folder=tmp_path)
        assert again.counterexample is not None
        assert again.counterexample.specimen.inputs.tolist() == [[0.0], [100.0]]
        assert again.examples == 1
    other = fuzz.search("another", "x", planted(), below_100, examples=1, seed=5, folder=tmp_path)
    assert other.counterexample is None


def test_a_failure_that_was_mended_is_no_failure(tmp_path: Path) -> None:
    find(folder=tmp_path)
    seen = Recorder()
    found = find(seen, examples=20, folder=tmp_path)
    assert found.counterexample is None
    assert found.examples == 20
    assert specimen_of(0, 100).digest in seen.seen


def test_the_seed_decides_the_examples() -> None:
    first, again, other = Recorder(), Recorder(), Recorder()
    results = [find(check, seed=seed) for check, seed in ((first, 3), (again, 3), (other, 4))]
    assert first.seen == again.seen
    assert results[0].outcomes == results[1].outcomes
    assert len(set(first.seen) & set(other.seen)) < 10
    assert len(set(first.seen)) > 30


def test_rounds_of_neighbouring_seeds_differ(clock: Clock) -> None:
    first, other = Recorder(0.25, clock), Recorder()
    find(first, seed=0, examples=None, minutes=1.0)
    find(other, seed=1, examples=100)
    assert len(first.seen) > 150
    assert len(set(first.seen) & set(other.seen)) < 50


@pytest.mark.parametrize("count", [1, 7, 120])
def test_the_number_of_examples_is_kept(count: int) -> None:
    seen = Recorder()
    found = find(seen, examples=count)
    assert found.examples == count == len(seen.seen)
    assert found.counterexample is None
    assert found.as_json()["counterexample"] is None


def test_the_default_number() -> None:
    assert find(Recorder(), examples=None).examples == 200


def test_the_time_is_kept(clock: Clock) -> None:
    seen = Recorder(0.25, clock)
    found = find(seen, examples=None, minutes=1.0)
    assert found.examples == len(seen.seen) == 240
    assert found.seconds == 60.0
    assert find(Recorder(0.25, clock), examples=3, minutes=60).examples == 3
    assert find(Recorder(), minutes=0.0).examples == 0
    assert find(Recorder(0.25, clock), examples=9_000, minutes=0.1).examples == 24


@pytest.mark.parametrize("minutes", [float("nan"), -1.0])
def test_a_time_that_is_none(minutes: float) -> None:
    with pytest.raises(InputError, match="minutes = "):
        find(Recorder(), examples=None, minutes=minutes)


def test_a_strategy_with_few_examples_repeats_them() -> None:
    seen = Recorder()
    found = fuzz.search("few", "x", st.sampled_from([specimen_of(0, 1), specimen_of(0, 2)]), seen, examples=50)
    assert found.examples == 50
    assert len(set(seen.seen)) == 2


def test_a_small_strategy_is_repeated_while_there_is_time(clock: Clock) -> None:
    found = fuzz.search("few", "x", st.just(specimen_of(0, 1)), Recorder(0.25, clock), minutes=0.1)
    assert found.examples == 24


def test_the_watch_is_told() -> None:
    told: list[tuple[int, dict[str, int]]] = []
    find(examples=30, watch=lambda count, outcomes: told.append((count, dict(outcomes))))
    assert [count for count, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][1]["FALSIFIED"] == 1


def test_a_crash_is_a_finding(tmp_path: Path) -> None:
    def divides(specimen: fuzz.Specimen) -> str:
        return str(1 // int(specimen.inputs.min()))

    found = find(divides, folder=tmp_path).counterexample
    assert found is not None
    assert found.reason == "ZeroDivisionError: integer division or modulo by zero"
    assert found.specimen.inputs.tolist() == [[0.0], [1.0]]
    assert found.case_file is not None
    again = replay("divides", "", found.case_file, divides).counterexample
    assert again is not None
    assert again.reason == found.reason


def test_a_warning_is_a_finding() -> None:
    def overflows(specimen: fuzz.Specimen) -> str:
        return str(np.exp(1000.0 * specimen.inputs).max())

    found = find(overflows).counterexample
    assert found is not None
    assert found.reason.startswith("RuntimeWarning: overflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert overflows(found.specimen) == "inf"


def test_unusable_input_passes_through(tmp_path: Path) -> None:
    def refuses(specimen: fuzz.Specimen) -> str:
        raise DataError("nothing to be done")

    with pytest.raises(DataError, match="nothing to be done"):
        find(refuses)
    where = specimen_of(0, 1).write(tmp_path)
    with pytest.raises(DataError, match="nothing to be done"):
        replay("refuses", "", where, refuses)
    with pytest.raises(InputError, match="no case file"):
        replay("refuses", "", tmp_path / "nowhere.toml", below_100)


def test_a_replay_that_holds(tmp_path: Path) -> None:
    found = replay("below-100", "Says so.", specimen_of(0, 5).write(tmp_path), below_100)
    assert (found.counterexample, dict(found.outcomes), found.statement) == (None, {"small": 1}, "Says so.")


def test_a_check_that_fails_only_sometimes_is_reported_as_such() -> None:
    calls = []

    def flaky(specimen: fuzz.Specimen) -> str:
        calls.append(1)
        if len(calls) == 4:
            raise Falsified("once only")
        return "fine"

    found = find(flaky).counterexample
    assert found is not None
    assert found.reason == "once only (not every time: it depends on more than the specimen)"


@st.composite
def _broken(draw: st.DrawFn) -> fuzz.Specimen:
    return specimen_of(draw(st.integers(0, 1)) // 0, 1)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (_broken(), "ZeroDivisionError"),
        (st.integers().filter(lambda _: False).map(lambda k: specimen_of(0, k)), "Unsatisfiable"),
        (st.nothing(), ""),
    ],
)
def test_a_strategy_that_cannot_draw(strategy: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"no example can be drawn: {message}"):
        fuzz.search("broken", "x", strategy, Recorder(), examples=10)


@pytest.mark.parametrize("reason", ["𝜎 is too small", "x" * 400, "'\"\\ [red]\n\t\x7f"])
def test_any_reason_makes_a_readable_case_file(reason: str, tmp_path: Path) -> None:
    def refuses(specimen: fuzz.Specimen) -> str:
        raise Falsified(reason)

    found = find(refuses, examples=1, folder=tmp_path).counterexample
    assert found is not None
    assert found.case_file is not None
    title = read_case(found.case_file).file.title
    assert title.startswith("below-100: ")
    assert len(title) <= MAX_TITLE
    assert fuzz.Specimen.of_case(found.case_file).digest == found.specimen.digest


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = find()
    assert found.counterexample is not None
    assert found.counterexample.case_file is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match=r"cannot write into .*file/below: "):
        find(folder=blocked / "below")
