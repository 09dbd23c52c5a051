"""The sampler of the loss along a path: it contains the loss at mpmath's digits, on every piece, dear or cheap."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from landscape.starts import escape_from, problem_of
from landscape.test_whole_path import true_loss

from verifier.errors import InputError
from verifier.landscape.sampling import loss_on_legs, sample_loss, sample_times

STARTS = [
    ("start-duplicate-square", "E1", "decreases"),
    ("start-duplicate-square", "E2", "constant"),
    ("start-gateway", "E4", "constant"),
    ("start-gateway", "E3", "bounded"),
]


@pytest.mark.parametrize(("name", "label", "loss"), STARTS)
def test_samples_contain_the_loss_at_their_points(name, label, loss):
    at, escape = problem_of(name), escape_from(name, label).escape
    assert escape.kind.loss == loss and escape.kind.name and escape.claim in escape.sentence()
    path, legs = escape.path, len(escape.legs)
    times = [0.0, 0.375, legs - 0.5, float(legs), legs + 0.25, path.corner, path.corner + 0.5, path.corner + 3.0]
    samples = sample_loss(path, times)
    kinds = ["escape"] * 3 + ["segment"] * 3 + ["ray"] * 2
    assert [sample.kind for sample in samples] == kinds and [sample.s for sample in samples] == times
    for sample in samples:
        assert np.array_equal(sample.U, path.U(sample.s)) and np.array_equal(sample.V, path.V(sample.s))
        true = true_loss(at.network, sample.U, sample.V, at.rows.inputs, at.rows.labels, at.rows.multiplicities)
        ((s, low, high),) = path.sample([sample.s])  # at the rounded numbers, too
        assert low <= sample.low <= sample.high <= high and mpmath.mpf(low) <= true <= mpmath.mpf(high)
        assert path.sample([s], rounded=False) == [(sample.s, sample.low, sample.high)]


@pytest.mark.parametrize(("name", "label", "loss"), STARTS)
def test_what_is_certified_of_the_legs_holds_at_every_time(name, label, loss):
    escape = escape_from(name, label).escape
    start, whole = loss_on_legs(escape)
    path, end = escape.path, float(len(escape.legs))
    first, *others = sample_loss(path, np.linspace(0.0, end, 9, endpoint=False).tolist())
    assert start.overlaps(first.loss) and whole.overlaps(first.loss)
    for sample in others:
        assert sample.high >= float(whole.lower()) and sample.low <= float(whole.upper())
        assert loss != "constant" or start.overlaps(sample.loss)
    if loss == "decreases":
        assert all(a.low >= b.low for a, b in itertools.pairwise(others))
        assert whole.contains(sample_loss(path, [end])[0].loss.mid())


def test_bounds_by_two_margins_hold_the_enclosures():
    escape = escape_from("start-duplicate-square", "E1").escape
    path = escape.path
    times = [path.corner - 0.5, path.corner + 0.5, path.corner + 40.0]
    sharp, cheap = sample_loss(path, times), sample_loss(path, times, evaluations=1)
    assert cheap[0].loss.mid() == sharp[0].loss.mid()
    for a, b in zip(sharp[1:], cheap[1:], strict=True):
        assert b.low <= a.low <= a.high <= b.high and b.low < a.low
    assert [s.loss.mid() for s in sample_loss(path, times, evaluations=10**6)] == [s.loss.mid() for s in sharp]


def test_times_show_every_piece_and_reach_every_target():
    escape = escape_from("start-duplicate-square", "E2").escape
    path, legs = escape.path, len(escape.legs)
    times = sample_times(path, 5, 4)
    assert times == sorted(times) and len(times) == len(set(times)) == 9
    assert times[0] == legs and times[4] == path.corner
    last = max(path.time_of(target) for target in path.targets)
    assert times[-1] == pytest.approx(max(1.05 * last, path.corner + 1.0))
    ratios = [b / a for a, b in itertools.pairwise(times[4:])]
    assert last <= 4 * path.corner or max(ratios) == pytest.approx(min(ratios))


def test_times_beyond_floats_are_refused(monkeypatch):
    escape = escape_from("start-duplicate-square", "E2").escape
    monkeypatch.setattr(type(escape.path), "time_of", lambda path, target: math.inf)
    with pytest.raises(InputError, match="largest float"):
        sample_times(escape.path, 5, 4)
    with pytest.raises(ValueError, match="outside"):
        sample_loss(escape.path, [-1.0])
