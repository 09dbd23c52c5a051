"""The loss along a path: what is drawn is what was certified."""

import dataclasses
import itertools
import math
import types

import numpy as np
import pytest
from drawn import axes, corners, named, words
from matplotlib import pyplot

import verifier as vf
from verifier.errors import InputError
from verifier.options import Options
from verifier.plot.descent import sample_descent
from verifier.problem import Problem
from verifier.prove import prove


@pytest.fixture(scope="module")
def ax(small):
    """The picture of its path; not to be changed."""
    return vf.plot.loss_along_path(small.path, axes(), points=20)


def test_the_band_is_the_paths_own_enclosure(small, ax):
    path = small.path.path
    band = corners(ax, "band")
    times = sorted(set(band[:, 0].tolist()))
    assert times[0] == 0.0 and 1.0 in times and len(times) == 20
    assert times[-1] >= max(path.time_of(target) for target in path.targets)
    for time, low, high in path.sample(times, rounded=False):
        drawn = set(band[band[:, 0] == time, 1].tolist())
        assert drawn == {low, high} and low < high
    assert ax.get_yscale() == "log"


def test_between_two_times_the_loss_stays_inside_the_steps(small, ax):
    path, steps = small.path.path, corners(ax, "between")
    samples = sample_descent(small.path, points=20).samples
    for (a, _, high), (b, low, _) in itertools.pairwise(samples):
        ((_, low_between, high_between),) = path.sample([0.5 * (a + b)], rounded=False)
        assert low <= high_between and low_between <= high
        assert any(math.isclose(y, low) for y in steps[:, 1]) and any(math.isclose(y, high) for y in steps[:, 1])


def test_the_marks_are_at_the_proved_times_and_losses(small, ax):
    path = small.path.path
    assert named(ax, "threshold").get_ydata()[0] == pytest.approx(math.log(2) / sum(path.multiplicities), rel=1e-15)
    assert set(named(ax, "segment end").get_xdata()) == {1.0}
    targets = named(ax, "targets")
    assert targets.get_xdata().tolist() == [path.time_of(target) for target in path.targets]
    assert targets.get_ydata().tolist() == [float(target.loss) for target in path.targets]
    for time, loss in zip(targets.get_xdata(), targets.get_ydata(), strict=True):
        assert path.sample([time])[0][1] <= loss
    text = words(ax)
    assert "1e-100" in text and "log(2)/n" in text and "certified" in text and f"{float(path.kappa):g}" in text


def test_the_inset_can_be_asked_for_and_left_out(small, ax):
    assert len(ax.child_axes) == 1
    assert not vf.plot.loss_along_path(small.path, axes(), points=10, inset=False).child_axes
    assert len(vf.plot.loss_along_path(small.path.path, axes(), points=10, inset=True).child_axes) == 1


def _escape(small, u, v, label):
    data = small.data
    found = vf.prove_escape(small.network, u, v, data.inputs, data.labels, data.multiplicities, order=(label,))
    assert found.escape is not None, found.reason
    return found


def test_a_constant_piece_is_flat_at_the_starts_loss(small):
    found = _escape(small, 0 * small.u, 0 * small.v, "E2")
    piece = corners(vf.plot.loss_along_path(found, axes(), points=10), "piece")
    assert piece[:, 0].min() == 0.0 and piece[:, 0].max() == len(found.escape.path.before)
    assert piece[:, 1].min() <= math.log(3) <= piece[:, 1].max()
    assert np.ptp(piece[:, 1]) < 1e-9
    assert "constant" in words(vf.plot.loss_along_path(found.escape, axes(), points=10))


@pytest.mark.parametrize("label", ["E1", "E3"])
def test_a_moving_piece_is_enclosed_where_the_problem_is_given(small, label):
    u = 0 * small.u
    found = _escape(small, u, small.v, label)
    problem = types.SimpleNamespace(network=small.network, data=small.data, u=u)
    descent = sample_descent(found, points=10, problem=problem)
    assert [time for time, _, _ in descent.piece] == pytest.approx(np.linspace(0, 1, 11))
    tail = found.escape.tail
    start, end = descent.piece[0], descent.piece[-1]
    assert start[1] <= float(tail.start_loss[1]) and float(tail.start_loss[0]) <= start[2]
    first = tail.sample([0.0])[0]
    assert end[1] <= first[2] and first[1] <= end[2]  # the piece ends where P1 begins
    rough = sample_descent(found, points=10).piece
    for _, low, high in descent.piece:
        assert min(r[1] for r in rough) <= high and low <= max(r[2] for r in rough)
    with pytest.raises(InputError, match="another U"):
        sample_descent(found, points=10, problem=types.SimpleNamespace(**{**vars(problem), "u": u + 1}))


def test_a_report_of_a_case_is_drawn(tmp_path):
    case = tmp_path / "case.toml"
    layer = '{kind = "dense", width = 60, activation = "tanh", skip = true}'
    case.write_text(f'[data]\nname = "iris"\nsamples = 55\n[network]\nlayers = [{layer}]\n')
    report, _ = vf.run_case(vf.read_case(case), parts=frozenset({"rank", "path"}))
    ax = vf.plot.loss_along_path(report, axes(), points=10)
    assert corners(ax, "band")[:, 1].max() >= float(report.path.start_loss[0])


def test_a_report_whose_path_begins_with_an_escape_shows_its_legs(small):
    report = prove(Problem(small.data, small.network, 0 * small.u, 0 * small.v), Options(frozenset({"rank", "path"})))
    ax = vf.plot.loss_along_path(report, axes(), points=10)
    assert report.escape.escape.label == "E1" and "moving piece (E1)" in words(ax) and named(ax, "piece end")


def test_nothing_to_draw_is_one_clear_error(small):
    nothing = dataclasses.replace(small.path, path=None, reason="the rank is open")
    with pytest.raises(InputError, match="the rank is open"):
        vf.plot.loss_along_path(nothing, axes())
    with pytest.raises(InputError, match="ndarray is no path"):
        vf.plot.loss_along_path(np.zeros(3), axes())
    with pytest.raises(InputError, match="points = 3"):
        vf.plot.loss_along_path(small.path, axes(), points=3)
    assert not pyplot.get_fignums()
