"""The estimate comes from measured times only; nothing is shown where there is no terminal."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from verifier.run.progress import MEASURED, Pace, ProgressDisplay, span, time_left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0s"),
        (5.34, "5.3s"),
        (99.94, "99.9s"),
        (99.96, "100s"),
        (599.6, "600s"),
        (4500, "75min"),
        (43_200, "12h"),
    ],
)
def test_spans_are_short(seconds: float, words: str) -> None:
    assert span(seconds) == words
    assert len(words) <= 5


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.2, 0.4, "about 1 s"),
        (7, 7.4, "about 7 s"),
        (21, 43, "20 s to 45 s"),
        (88, 200, "90 s to 3 min"),
        (5000, 9000, "83 min to 2 h"),
    ],
)
def test_estimates_have_two_digits_at_most(low: float, high: float, words: str) -> None:
    assert time_left(low, high) == words


def test_nothing_is_said_before_enough_is_measured() -> None:
    pace = Pace()
    for _ in range(MEASURED - 1):
        pace.times.append(10.0)
        assert pace.remaining(5, 0.0) == ""
    pace.times.append(10.0)
    assert pace.remaining(5, 0.0) == "about 50 s left to prove"
    assert pace.remaining(5, 5.0) == "about 45 s left to prove"
    assert pace.remaining(5, 500.0) == "about 40 s left to prove"  # the running case is late: at least the others
    assert pace.remaining(0, 0.0) == ""


def test_uneven_times_give_a_range() -> None:
    pace = Pace()
    pace.times = [100.0, 1.0, 1.0, 1.0]
    assert pace.remaining(20, 0.0) == "20 s to 9 min left to prove"


def test_the_estimate_appears_after_three_cases() -> None:
    stream = io.StringIO()
    display = ProgressDisplay(Console(file=stream, force_terminal=True, width=80))
    for position in range(5):
        with display.case(f"case{position}", position, 5) as stage:
            stage("a [bold]stage[/bold]\x1b[31m")(0.5)
            time.sleep(0.25)
    said = stream.getvalue()
    assert "left to prove" not in said[: said.index("[4/5]")]
    assert "left to prove" in said[said.index("[4/5]") :]
    assert "[bold]stage[/bold]?[31m" in said


def test_side_by_side_the_ledgers_cases_do_not_count() -> None:
    stream = io.StringIO()
    with ProgressDisplay(Console(file=stream, force_terminal=True, width=80)).many(100) as show:
        show(90, ["a"])  # an earlier run did 90
        time.sleep(0.3)
        assert "left" not in stream.getvalue()
        show(96, ["a", "b"])
        time.sleep(0.3)
    assert "[96/100] a, b" in stream.getvalue()
    assert re.search(r"about \d s left", stream.getvalue())  # four of six as long again


def test_silent_where_it_is_no_terminal() -> None:
    stream = io.StringIO()
    display = ProgressDisplay(Console(file=stream))
    with display.case("case", 0, 3) as stage:
        stage("stage")(0.5)
    with display.many(3) as show:
        show(1, ["a"])
    assert stream.getvalue() == ""
