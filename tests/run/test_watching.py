"""`vf.progress`: a line below a notebook's cell that changes and goes; nothing where nobody looks."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import verifier as vf
from verifier.run import watching


class Cell:
    """What a notebook's front end is told."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        assert raw and display_id and not self.shown
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    found = Cell()
    shell, display = ModuleType("IPython"), ModuleType("IPython.display")
    shell.get_ipython = lambda: SimpleNamespace(kernel=None)
    display.display = found.display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(watching, "EVERY", 0.0)
    return found


def test_the_line_says_what_is_done_and_is_gone_at_the_end(cell: Cell) -> None:
    with vf.progress("two points") as stage:
        vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True), stage=stage)
    texts = [bundle["text/plain"] for bundle in cell.shown]
    assert texts[0] == "two points ..." and texts[-1] == ""
    assert any(text.startswith("two points: enclosing Psi(U), 2 x 4, 0:0") for text in texts)


def test_the_line_goes_after_an_error_and_its_text_is_no_markup(cell: Cell) -> None:
    with pytest.raises(ZeroDivisionError), vf.progress("a<b") as stage:
        stage("c & d")(0.5)
        raise ZeroDivisionError
    assert [bundle["text/plain"].partition(",")[0] for bundle in cell.shown[1:3]] == ["a<b: c & d", "a<b: c & d (50%)"]
    assert "a&lt;b: c &amp; d" in cell.shown[1]["text/html"] and cell.shown[-1]["text/html"] == ""


def test_updates_are_rare_enough_for_a_browser(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 60.0)
    with vf.progress() as stage:
        for number in range(50):
            stage(str(number))
    assert len(cell.shown) == 3


def test_a_search_tells_how_many_examples_there_were() -> None:
    told: list[str] = []

    def holds(specimen: Any) -> vf.Verdict:
        """Nothing is claimed."""
        return vf.Verdict.PROVED

    from verifier import fuzz

    fuzz.falsify(holds, examples=2, stage=told.append)
    assert told == ["1 of 2 examples: 1 PROVED", "2 of 2 examples: 2 PROVED"]


def test_outside_of_notebooks_and_terminals_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with vf.progress() as stage:
        stage("something")(0.5)
    assert capsys.readouterr() == ("", "")
