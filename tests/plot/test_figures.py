"""The paper's figures: what their titles say is proved, and what they show agrees with it."""

import math

import numpy as np
import pytest
from drawn import named, words
from matplotlib import pyplot

import verifier as vf
from verifier.errors import PrecisionError
from verifier.plot import __main__ as command
from verifier.plot import figures
from verifier.plot.slices import approx_loss
from verifier.plot.surface import project


def test_figure_1_shows_a_bad_valley_and_none():
    """The left start is the minimum, above the other point; the right path starts there, and the loss falls."""
    figure = figures.figure1(points=12)
    left, right = figure.axes[:2]
    assert "PROVED: a bad local valley" in words(left) and "PROVED: no bad local valley" in words(right)
    data = vf.group_duplicates(figures.unequal_pair()).dataset
    (slope,), (height,) = named(left, "start").get_data()
    assert slope == pytest.approx(math.log(2), abs=1e-12)  # the ratio of the unit's values is largest there
    at = approx_loss(figures.units(1), *figures._point([slope], [height]), data)
    for step in np.eye(2) * 1e-3:
        for sign in (1, -1):
            moved = figures._point([slope + sign * step[0]], [height + sign * step[1]])
            assert approx_loss(figures.units(1), *moved, data) > at
    assert approx_loss(figures.units(1), *figures._point(*([x] for x in figures.LOW_POINT)), data) < at - 0.02
    path = named(right, "path")
    w1, w2 = path.get_ydata(), path.get_xdata()
    assert (w2[0], w1[0]) == (0.0, height)
    losses = [
        approx_loss(figures.units(2), *figures._point([slope, figures.ADDED], [a, b]), data)
        for a, b in zip(w1.tolist(), w2.tolist(), strict=True)
    ]
    assert (np.diff(losses) < 0).all() and losses[0] == pytest.approx(at)
    assert not pyplot.get_fignums()


def test_figure_1_refuses_to_say_what_was_not_proved(monkeypatch):
    monkeypatch.setattr(figures, "LOW_POINT", (1.0, 1.0))  # in the same valley
    with pytest.raises(PrecisionError, match="not proved to be bad"):
        figures.figure1(points=4)


def test_figure_2_has_the_plain_network_and_the_one_with_skips():
    left, right = figures.figure2().axes
    assert "M = 4" in left.get_title() and "M = 12" in right.get_title()
    assert len(named(right, "outputs from layer0").get_paths()) == 8 * 3
    with pytest.raises(ValueError):
        named(left, "outputs from layer0")


def test_projection_is_orthogonal_and_its_error_is_the_distance():
    points = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 4.0, 0.5]])
    seen = project(points, points[0], np.array([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0]]))
    np.testing.assert_allclose(seen.coordinates, [[0, 0], [3, 0], [1, 2]], atol=1e-14)
    assert seen.length == pytest.approx(3 + math.hypot(4, 0.5)) and seen.error == pytest.approx(0.5 / seen.length)


def test_figure_3_shows_the_certified_path_and_its_distance_from_the_plane():
    figure = figures.figure3(points=9, samples=12)
    left, right = figure.axes[:2]
    titles = [" ".join(ax.get_title().split()) for ax in (left, right)]
    assert "less than 1e-12 of its length" in titles[0] and " % of its length" in titles[1]
    for ax in (left, right):
        segment = named(ax, "segment")
        assert (segment.get_xdata()[0], segment.get_ydata()[0]) == (0.0, 0.0)
        assert segment.get_xdata()[-1] == pytest.approx(1.0) and segment.get_ydata()[-1] == pytest.approx(0, abs=1e-9)
    assert named(left, "ray").get_ydata()[-1] > 0.01
    assert "PROVED" in figure.get_suptitle()


def test_the_command_writes_svg_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "FIGURES", {"figure2": figures.figure2})
    assert command.main([str(tmp_path / "out"), "dark"]) == 0
    written = (tmp_path / "out" / "figure2.svg").read_bytes()
    assert written.startswith(b"<?xml") and b"#14171c" in written
    assert command.main([str(tmp_path / "again"), "dark"]) == 0
    assert (tmp_path / "again" / "figure2.svg").read_bytes() == written
    capsys.readouterr()
    for arguments, said in (
        ([], "usage"),
        (["a", "b", "c"], "usage"),
        ([str(tmp_path / "x"), "pink"], "style = 'pink'"),
    ):
        assert command.main(arguments) == 2
        assert said in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert command.main([str(tmp_path / "file")]) == 2 and "choose another folder" in capsys.readouterr().err
