"""The certified loss along the path: it contains the loss as mpmath evaluates it, whatever the path; plain data."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest
from mpmath import mp, mpf

from verifier.balls.precision import working_precision
from verifier.landscape.path import Path
from verifier.outcome import Report
from verifier.problem import Problem
from verifier.run import curve as module
from verifier.run.case import Case, parse_case
from verifier.run.case_problem import case_problem, run_case
from verifier.run.curve import Curve, Piece, curve_of
from verifier.run.runner import packaged_cases
from verifier.run.summary import summarise


def named(name: str) -> Case:
    return next(case for case in packaged_cases("quick") if case.name == name)


@cache
def proved(name: str) -> tuple[Problem, Report]:
    case = named(name)
    instance = case_problem(case)
    return instance, run_case(case, parts=frozenset({"path"}))[0]


def curve(name: str) -> Curve:
    report = proved(name)[1]
    found = curve_of(report.descent, None if report.escape is None else report.escape.escape, report.near_infimum)
    assert found is not None
    return found


def piece(found: Curve, kind: str) -> Piece:
    return next(piece for piece in found.pieces if piece.kind == kind)


def log10_loss(path: Path, s: float) -> mpf:
    """The loss from the midpoints of the margins at both ends, in 60 digits: another formula, other arithmetic."""
    s -= len(path.before)
    with mp.workdps(60), working_precision(path.precision):
        ends = [
            [[mpf(int(b.mid().man_exp()[0])) * mpf(2) ** int(b.mid().man_exp()[1]) for b in row] for row in rows]
            for rows in (path.start_margins.rows, path.end_margins.rows)
        ]
        kappa, t, total = mpf(float(path.kappa)), mpf(s), mpf(0)
        for first, last, count in zip(*ends, path.multiplicities, strict=True):
            margins = [
                (1 - t) * a + t * kappa * b if s <= 1 else t * kappa * b for a, b in zip(first, last, strict=True)
            ]
            total += count * mp.log1p(sum(mp.exp(-m) for m in margins))
        return mp.log10(total / sum(path.multiplicities))


@pytest.mark.parametrize("name", ["xor", "iris-tanh", "line", "start-zero-deep", "start-huge-margins"])
def test_every_point_contains_the_loss(name: str) -> None:
    report = proved(name)[1]
    path = report.path
    for part in curve(name).pieces:
        if part.kind != "escape":
            for s, low, high in part.points[:: max(1, len(part.points) // 4)]:
                truth = log10_loss(path, s)
                assert low is not None and low - 1e-6 <= truth <= high + 1e-6, (s, low, truth, high)
                assert high - low < 0.01


def test_bounds_by_two_margins_contain_the_enclosures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where evaluations are dear the ray is bounded, and the segment has few points."""
    dear = curve("iris-tanh")
    monkeypatch.setattr(module, "EVALUATIONS", 1)
    cheap = curve("iris-tanh")
    assert len(piece(cheap, "segment").points) == module.FEWEST < len(piece(dear, "segment").points) == module.MOST
    for (s, low, high), (t, below, above) in zip(piece(dear, "ray").points, piece(cheap, "ray").points, strict=True):
        assert s == t and below is not None and low is not None and below <= low <= high <= above < below + 5
    assert set(piece(cheap, "segment").points) <= set(piece(dear, "segment").points)


@pytest.mark.parametrize("name", ["xor", "start-zero-random", "start-gateway", "conflicting-labels"])
def test_a_curve_does_not_increase(name: str) -> None:
    found = curve(name)
    points = [point for part in found.pieces for point in part.points]
    assert all(b[1] is not None and b[1] <= a[2] for a, b in itertools.pairwise(points))
    times = [s for part in found.pieces for s, _, _ in part.points]
    assert times == sorted(times) and times[0] == 0.0


def test_escapes_say_what_their_claim_says() -> None:
    assert {
        name: curve(name).label for name in ("start-zero-random", "start-zero-deep", "start-gateway", "relu-dead-start")
    } == {
        "start-zero-random": "E1",
        "relu-dead-start": "S.path",
        "start-zero-deep": "E2",
        "start-gateway": "E4",
    }
    (_, low, high), (_, lower, higher) = piece(curve("start-zero-random"), "escape").points
    assert lower < low and higher < high
    first, last = piece(curve("start-zero-deep"), "escape").points
    assert first[1:] == last[1:]
    weak = curve("start-gateway-sublevel")
    assert weak.label == "E3" and float(weak.epsilon) == pytest.approx(1e-3)
    (_, low, high), _ = piece(weak, "escape").points
    start = float(proved("start-gateway-sublevel")[1].escape.escape.tail.start_loss[1])
    assert low is None and 10**high == pytest.approx(start + 1e-3, rel=1e-3) and 10**high >= start + 1e-3 * 0.999


def test_conflicting_labels_have_a_floor() -> None:
    """Three equal samples, labels b, b, a among six: the infimum is (3/6) H(1/3)."""
    found = curve("conflicting-labels")
    truth = math.log10(0.5 * -(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3))
    assert found.floor is not None and found.floor <= truth <= found.floor + 1e-3
    last = found.pieces[0].points[-1]
    assert last[1] == found.floor and truth <= last[2] <= truth + 1e-3


def test_targets_beyond_binary64() -> None:
    text = (
        'data.name = "digits"\ndata.samples = 6\npath.targets = ["1e-400"]\n'
        'network.layers = [{ kind = "dense", width = 9, activation = "tanh", skip = true }]\nstart.scale = 3.0\n'
    )
    report, _ = run_case(parse_case(text), parts=frozenset({"path"}))
    found = curve_of(report.descent, None, None)
    assert found is not None and found.targets[0].log10 == -400.0
    assert piece(found, "ray").points[-1][2] < -400
    s = found.targets[0].time
    assert log10_loss(report.path, s) <= -400


def test_no_path_no_curve_and_plain_data() -> None:
    assert curve_of(None, None, None) is None
    found = curve("start-zero-deep")
    assert sum(len(part.points) for part in found.pieces) <= 120
    assert msgspec.json.decode(msgspec.json.encode(found), type=Curve) == found


def test_the_summary_in_words() -> None:
    instance, _ = proved("start-zero-deep")
    found = summarise(named("start-zero-deep"), instance, None)
    assert found.rows == len(instance.rows.inputs) and found.layers[0].startswith("dense, ")
    assert "reads layer 0" in found.layers[1] and found.start.startswith("U: zeros; V: gaussian")
    assert summarise(named("start-zero-deep"), instance, 7).start.endswith("seed 7")
    case = next(case for case in packaged_cases("quick") if case.name == "tied-bias")
    words = summarise(case, case_problem(case), None).layers[0]
    assert "conv1d, 2 units (1 x 2); kernel 1, stride 1; tied bias; tanh" in words
    assert np.prod(summarise(case, case_problem(case), None).shape) == 2
    case.file.network.layers[0] |= {"kernel": 3, "padding": 1}
    words = summarise(case, case_problem(case), None).layers[0]
    assert "conv1d, 2 units (1 x 2); kernel 3, stride 1; padding 1; tied bias; tanh" in words


def test_where_arcs_are_missing_no_unit_is_said_to_be_connected_to_all_outputs() -> None:
    case, (problem, _) = named("xor"), proved("xor")
    arcs = np.ones(problem.v.shape, dtype=bool)
    arcs[1:3, 0] = False
    found = summarise(case, replace(problem, v=problem.v * arcs, arcs=arcs), None)
    assert found.layers[0].endswith("all connected to the outputs by the arcs of the case")
    assert found.head == f"2 of the {arcs.size} arcs to outputs are missing, V is 0 there"
