"""Words never lie on curves: boxes of words against the drawn curves, in pixels, for paths of all shapes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from drawn import words
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import verifier as vf
from verifier.plot import places

SIZES = ((3.2, 2.4), (5.6, 3.6))
CURVES = ("band", "between", "piece", "threshold", "targets", "slice", "path bound", "line samples", "gamma", "margins")


def _pixels(ax):
    """Points on everything that is drawn, closer than a pixel; on areas, on their rims."""
    for artist in [*ax.lines, *ax.collections]:
        if artist.get_gid() not in CURVES:
            continue
        shapes = [artist.get_path()] if artist in list(ax.lines) else artist.get_paths()
        for shape in shapes:
            corners = artist.get_transform().transform(shape.vertices)
            if artist in list(ax.lines) and artist.get_linestyle() == "None":
                yield corners
                continue
            for a, b in itertools.pairwise(corners[np.isfinite(corners).all(axis=1)]):
                steps = int(np.hypot(*(b - a))) + 2
                yield a + np.linspace(0.0, 1.0, steps)[:, None] * (b - a)


def _boxes(ax):
    """Where words stand: the legend, labels, and an inset with its numbers and its title."""
    figure = ax.figure
    figure.draw_without_rendering()
    labels = [text for text in ax.texts if text.get_position()[1] >= 0 or text.get_gid()]
    found = [(text.get_text(), Bbox(Text.get_window_extent(text).get_points())) for text in labels]
    found += [("legend", ax.get_legend().get_window_extent())] if ax.get_legend() else []
    found += [("inset", inset.get_tightbbox()) for inset in ax.child_axes]
    frame = ax.get_window_extent()
    return [(name, box) for name, box in found if frame.y0 <= box.y0 and box.y1 <= frame.y1]  # beside it: no curves


def assert_clear(ax) -> None:
    boxes = _boxes(ax)
    points = np.concatenate([np.zeros((0, 2)), *_pixels(ax)])
    assert len(points) > 100
    for name, box in boxes:
        inside = (points > box.p0).all(axis=1) & (points < box.p1).all(axis=1)
        assert not inside.any(), (name, points[inside][:3])
        assert ax.figure.bbox.x0 <= box.x0 and box.x1 <= ax.figure.bbox.x1, name
    for (name, box), (other, second) in itertools.combinations(boxes, 2):
        assert not box.overlaps(second), (name, other)
    title = ax.title.get_window_extent()
    assert ax.figure.bbox.x0 <= title.x0 and title.x1 <= ax.figure.bbox.x1


def _axes(size):
    return Figure(figsize=size, layout="constrained").subplots()


@pytest.fixture(scope="module")
def paths(small):
    """Paths from starts of very different losses, so that segment and ray are long or short; and an escape."""
    labels, counts = small.data.labels, small.data.multiplicities.tolist()
    found = [small.path.path]
    start = vf.ExactArray.of_floats(1e3 * small.v)
    found.append(vf.prove_path(small.zero, start, labels, counts).path)
    escape = vf.prove_escape(small.network, 0 * small.u, small.v, small.data.inputs, labels, small.data.multiplicities)
    return [*found, escape]


def test_words_of_a_path_stand_beside_its_curve(paths):
    for path, size in zip(paths, (SIZES[1], SIZES[0], SIZES[0]), strict=True):
        ax = vf.plot.loss_along_path(path, _axes(size), points=8)
        assert_clear(ax)
        if size == SIZES[1]:
            assert all(target.text in words(ax) for target in path.targets)


def test_an_inset_that_is_asked_for_gets_room_in_the_dark_look_too(paths):
    with vf.plot.style("dark"):
        ax = vf.plot.loss_along_path(paths[1], _axes(SIZES[1]), points=8, inset=True)
        assert len(ax.child_axes) == 1
        assert_clear(ax)


def test_words_of_a_slice_and_of_margins_stand_beside_them(small):
    assert_clear(vf.plot.loss_slice(small.network, small.u, small.v, small.data, ax=_axes(SIZES[0]), points=41))
    assert_clear(vf.plot.margins(small.zero, _axes(SIZES[0])))


def test_where_nothing_is_free_the_axis_grows(small):
    """A curve that fills its axes leaves no place: the legend gets one below it."""
    ax = _axes(SIZES[0])
    ax.plot(np.linspace(0, 1, 400), np.sin(np.linspace(0, 300, 400)), gid="slice", label="fills everything")
    low = ax.get_ylim()[0]
    places.free_legend(ax, (1.0, 1.0))
    assert ax.get_ylim()[0] < low
    assert_clear(ax)
    bare = _axes(SIZES[0])
    assert places.place_label(places.Places(bare), (0.5, 0.5), "x" * 200) is None
