"""The atlas of bad minima: every descent is counted once, a run goes on where it stopped, none is bad at M >= N."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from verifier.experiments import minima
from verifier.experiments.minima import OUTCOMES, Cell, explore, main, read_atlas
from verifier.experiments.minima_figure import draw_atlas


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minima, "DATA_SETS", 1)
    monkeypatch.setattr(minima, "STARTS", 4)


@pytest.mark.parametrize(
    ("kind", "units", "parameters"), [("one filter", 1, 3), ("one filter", 4, 6), ("dense", 4, 12)]
)
def test_every_descent_is_counted_once(kind: str, units: int, parameters: int) -> None:
    cell = explore(kind, 4, units)
    assert cell.parameters == parameters and cell.runs == 4
    assert sum(getattr(cell, name) for name in OUTCOMES) == cell.runs
    assert (cell.bad + cell.strict > 0) is (units < cell.samples)


def test_a_run_goes_on_and_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [("one filter", 4, 1), ("one filter", 4, 2), ("dense", 4, 2)]
    seen: list[tuple[str, int, int]] = []

    def counted(kind: str, samples: int, units: int) -> Cell:
        seen.append((kind, samples, units))
        return Cell(kind, samples, units, 3, 4, bad=1, strict=0, infimum=3, flat=0, moving=0, seconds=0.5)

    monkeypatch.setattr(minima, "explore", counted)
    monkeypatch.setattr(minima, "cells", lambda: iter(places[:2]))
    table, picture = tmp_path / "atlas.csv", tmp_path / "atlas.png"
    assert main([str(table)]) == 0
    monkeypatch.setattr(minima, "cells", lambda: iter(places))
    assert main([str(table), str(picture)]) == 0
    assert seen == places and picture.stat().st_size > 0
    found = read_atlas(table)
    assert [(cell.network, cell.samples, cell.units) for cell in found] == places and found[0].bad == 1
    figure = draw_atlas(found)
    assert "certified bad" in figure.axes[0].texts[-1].get_text()
    plt.close("all")


def test_usage() -> None:
    assert main([]) == main(["-x"]) == 2
