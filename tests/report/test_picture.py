"""The path's picture: bands hold the points and the steps between them, axes have readable ticks, lines are apart."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from verifier.report.picture import HEIGHT, LEFT, RIGHT, WIDTH, panels
from verifier.report.results import read_results
from verifier.run.curve import Curve, Mark, Piece


def corners(path: str) -> list[tuple[int, int]]:
    """The corners of an outline of M, h, v, V commands."""
    found = [(0, 0)]
    for command, numbers in re.findall(r"([MhvVz])([-0-9 ]*)", path):
        x, y = found[-1]
        if command == "M":
            a, b = numbers.split()
            found.append((int(a), int(b)))
        elif command in "hvV":
            n = int(numbers)
            found.append((x + n, y) if command == "h" else (x, y + n) if command == "v" else (x, n))
    return found[1:]


def curve(*pieces: Piece, **more: object) -> Curve:
    return Curve(label="P1", pieces=pieces, **more)  # type: ignore[arg-type]


def test_the_band_goes_along_upper_bounds_and_back_along_lower_ones() -> None:
    segment = Piece(kind="segment", points=((0.0, 0.0, 1.0), (0.5, -5.0, -4.0), (1.0, -9.0, -9.0)))
    (panel,) = panels(curve(segment))
    (band,) = panel.bands
    found = corners(band)
    left, middle, right = LEFT, (LEFT + WIDTH - RIGHT) // 2, WIDTH - RIGHT
    assert [x for x, _ in found] == [left, middle, middle, right, right, right, middle, middle, left, left]
    high = {x: y for x, y in found[:1]}
    assert high[left] == found[1][1] and found[1][1] < found[2][1] == found[3][1] < found[4][1]
    low = found[5:]
    assert low[0][1] == low[1][1] == found[4][1] and low[2][1] == low[3][1] and low[2][1] < low[1][1]
    assert low[4][1] < low[3][1]
    assert all(LEFT <= x <= WIDTH - RIGHT and 0 <= y <= HEIGHT for x, y in found)


def test_every_real_curve_is_drawn_inside_its_panel(finished: Path) -> None:
    seen = set()
    for case in read_results(finished / "results.json").records:
        if case.curve is None:
            continue
        seen.add(case.curve.label)
        for fine in (True, False):
            found = panels(case.curve, fine=fine)
            assert len(found) == (1 if case.curve.label == "X1" else 2)
            for panel in found:
                assert 2 <= len(panel.x_ticks) <= 7 and 1 <= len(panel.y_ticks) <= 9, (case.name, panel)
                assert len({tick.text for tick in panel.y_ticks}) == len(panel.y_ticks)
                for band in panel.bands:
                    assert all(LEFT <= x <= WIDTH - RIGHT and 0 <= y <= HEIGHT for x, y in corners(band))
                named = [level.y for level in panel.levels if level.text]
                assert all(abs(a - b) > 25 for k, a in enumerate(named) for b in named[:k])
    assert {"P1", "E3", "X1"} <= seen and len(seen) >= 4


def test_targets_beyond_binary64_and_flat_curves_have_ticks() -> None:
    ray = Piece(kind="ray", points=((1.0, -300.0, -299.0), (9.0, -480.0, -479.0)))
    (panel,) = panels(curve(ray, targets=(Mark(text="1e-400", log10=-400.0, time=5.0),)))
    assert [level.text for level in panel.levels] == ["target 10⁻⁴⁰⁰"] and panel.levels[0].x is not None
    assert any(tick.text == "10⁻⁴⁵⁰" for tick in panel.y_ticks)
    flat = Piece(kind="segment", points=((0.0, -0.3011, -0.301), (1.0, -0.3012, -0.3011)))
    (panel,) = panels(curve(flat))
    assert [tick.text for tick in panel.y_ticks] == ["0.4", "0.5", "0.6", "0.7"]


def test_ticks_that_are_many_or_huge_stand_apart_and_fit() -> None:
    segment = Piece(kind="segment", points=((0.0, -1.5, 0.25), (1.0, -1.5, -1.5)))
    (panel,) = panels(curve(segment))
    assert [tick.text for tick in panel.y_ticks] == ["0.05", "0.1", "0.2", "0.5", "1", "2"]
    assert all(a.at - b.at > 25 for a, b in itertools.pairwise(panel.y_ticks))
    ray = Piece(kind="ray", points=((1.0, -4e19, -2e19), (2.0, -6e19, -5e19)))
    (panel,) = panels(curve(ray))
    assert [tick.text for tick in panel.y_ticks] == ["10⁻⁶ᵉ¹⁹", "10⁻⁵ᵉ¹⁹", "10⁻⁴ᵉ¹⁹", "10⁻³ᵉ¹⁹", "10⁻²ᵉ¹⁹"]


def test_a_target_is_named_where_the_curve_is_below_its_line() -> None:
    points = tuple((float(t), -50.0 * t, -50.0 * t) for t in range(5))
    early, late = Mark(text="1e-10", log10=-10.0, time=1.0), Mark(text="1e-190", log10=-190.0, time=4.0)
    (panel,) = panels(curve(Piece(kind="segment", points=points), targets=(early, late)))
    assert [level.right for level in panel.levels] == [True, False]


@pytest.mark.parametrize("label", ["E3", "X1"])
def test_where_only_bounds_are_known_no_line_is_drawn(label: str, finished: Path) -> None:
    cases = read_results(finished / "results.json").records
    (found,) = [case.curve for case in cases if case.curve is not None and case.curve.label == label]
    first = panels(found)[0]
    assert len(first.lines) == len(first.bands) - 1
