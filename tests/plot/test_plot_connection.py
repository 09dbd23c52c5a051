"""Pictures of two joined networks: what is drawn as certified is what was certified, and samples lie inside of it."""

import dataclasses

import numpy as np
import pytest
from drawn import axes, named, words
from matplotlib.figure import Figure

import verifier as vf
from verifier.errors import InputError
from verifier.network.forward import approx_features


@pytest.fixture(scope="module")
def joined():
    """Two networks of 9 units on five samples, each with output weights of its own, joined."""
    inputs = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 1.0]])
    data = vf.Dataset("five", inputs, np.array([0, 1, 1, 0, 2]), 3, np.array([1, 2, 1, 1, 1]))
    network, ends = vf.Network(2, vf.Dense(9, "tanh", skip=True)), []
    for seed in (3, 4):
        u = vf.initialise(network, seed=3) + 0.25 * vf.initialise(network, seed=seed)
        psi = approx_features(network, u, inputs)
        v = np.linalg.solve(psi.T @ psi + 0.1 * np.eye(9), psi.T @ (4.0 * np.eye(3)[data.labels]))
        ends.append(vf.Problem(data, network, u, v))
    return vf.connect(*ends, line=True)


@pytest.fixture(scope="module")
def ax(joined):
    """Its picture; not to be changed."""
    return vf.plot.connection(joined, axes(), points=40)


def test_samples_of_the_path_lie_below_what_is_certified(joined, ax):
    bound, samples = named(ax, "path bound"), named(ax, "path samples")
    times, losses = samples.get_data()
    tops = np.interp(times, *bound.get_data())
    assert (losses <= tops * (1 + 1e-9)).all() and times[0] == 0.0 and times[-1] == 1.0
    high = max(float(joined.start_loss[1]), float(joined.end_loss[1]))
    assert bound.get_ydata().max() == pytest.approx(high, rel=1e-9) and bound.get_ydata().max() >= high * (1 - 1e-12)
    level = np.log1p(2 * np.exp(-float(joined.kappa) * float(joined.gamma)))
    assert level < high and np.interp(0.5, *bound.get_data()) == pytest.approx(level, rel=1e-9)
    assert "certified path: at most" in words(ax) and f"{len(joined.pieces)} piece" in words(ax)


def test_the_drawn_bound_is_nowhere_below_the_chord_of_a_convex_loss(joined):
    """A straight line on a logarithmic axis is: the loss of the path itself could be above it."""
    data, network, u = joined.a.data, joined.a.network, joined.a.u
    steep = np.linalg.pinv(approx_features(network, u, data.inputs)) @ (20.0 * np.eye(3)[data.labels])
    found = vf.connect(*(vf.Problem(data, network, u, v) for v in (0.0 * steep, steep)))
    xs, tops = named(vf.plot.connection(found, axes(), points=8), "path bound").get_data()
    start, end = float(found.start_loss[1]), float(found.end_loss[1])
    assert start > 100.0 * end
    for x in np.linspace(0.0, 1.0, 200):
        drawn = np.exp(np.interp(x, xs, np.log(tops)))
        assert drawn >= ((1 - x) * start + x * end) * (1 - 1e-12)


def test_the_straight_line_lies_inside_its_band(joined, ax):
    times, losses = named(ax, "line samples").get_data()
    starts = [float(piece) for piece in joined.line.pieces[:-1]]
    for t, loss in zip(times, losses, strict=True):
        low, high = joined.line.bounds[int(np.searchsorted(starts, t, side="right")) - 1]
        assert low * (1 - 1e-9) <= loss <= high * (1 + 1e-9)
    assert f"barrier {vf.at_least(joined.line.lower, 3)} to {vf.at_most(joined.line.upper, 3)}" in words(ax)


def test_margins_lie_above_gamma(joined):
    ax = vf.plot.connection_margins(joined, axes())
    gamma = named(ax, "gamma").get_ydata()[0]
    drawn = [line for line in ax.lines if line.get_gid() == "margins"]
    assert len(drawn) == len(joined.pieces) and gamma == float(joined.gamma)
    assert all((line.get_ydata() >= gamma * (1 - 1e-9)).all() for line in drawn)
    assert f"gamma >= {vf.at_least(joined.gamma, 3)}" in words(ax)


def test_the_plane_holds_both_ends_and_says_how_far_the_path_leaves_it(joined):
    figure = Figure()
    ax = vf.plot.connection_plane(joined, figure.subplots(), points=5)
    path = named(ax, "path").get_xydata()
    assert np.allclose(path[0], [0.0, 0.0], atol=1e-9) and np.allclose(path[-1], [1.0, 0.0], atol=1e-9)
    assert "leaves it by" in words(ax) and "approx." in figure.axes[1].get_ylabel()


def test_what_cannot_be_drawn_is_said(joined):
    same = vf.connect(joined.a, vf.Problem(joined.a.data, joined.a.network, joined.a.u, joined.b.v))
    assert "V moves alone" in words(vf.plot.connection(same, axes(), points=8))
    for draw in (vf.plot.connection_margins, vf.plot.connection_plane):
        with pytest.raises(InputError, match="both networks have the same U"):
            draw(same, axes())
    with pytest.raises(InputError, match="points = 3; give at least 8"):
        vf.plot.connection(joined, axes(), points=3)
    conflict = vf.dataset_from_arrays([[0.0, 1.0], [0.0, 1.0]], [0, 1])
    problem = vf.Problem(conflict, joined.a.network, joined.a.u, joined.a.v[:, :2])
    with pytest.raises(InputError, match="no path was certified here, so there is none to draw"):
        vf.plot.connection(vf.connect(problem, problem), axes())
    for draw in (vf.plot.connection, vf.plot.connection_margins, vf.plot.connection_plane):
        with pytest.raises(InputError, match=r"a Problem is no result .* give what vf\.connect returned"):
            draw(problem, axes())


def test_without_a_path_the_straight_line_is_drawn_alone(joined):
    undecided = dataclasses.replace(joined, verdict=vf.Verdict.UNDECIDED)
    ax = vf.plot.connection(undecided, axes(), points=8)
    assert "no path was certified" in words(ax) and named(ax, "line samples") and "certified path" not in words(ax)
    assert not [line for line in ax.lines if line.get_gid() == "path bound"]
