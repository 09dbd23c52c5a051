"""The paper's figures: what their titles say is proved, and what they show agrees with it."""

import math

import numpy as np
import pytest
from drawn import named, words
from matplotlib import pyplot

import verifier as vf
from verifier.errors import InputError, PrecisionError
from verifier.plot import __main__ as command
from verifier.plot import figures
from verifier.plot.slices import approx_loss
from verifier.plot.surface import project
from verifier.plot.valley import prove_bad_valley

ONE = vf.Network((1,), (vf.Dense(1, vf.activation("sigmoid"), skip=True),))
INSIDE, LOWER = figures._point([-3.0], [-6.0]), figures._point([6.0], [10.0])


def _pair(counts=(3, 1)):
    return vf.Dataset("pair", np.array([[1.0], [-1.0]]), np.array([0, 1]), 2, np.array(counts))


def test_the_bad_valley_is_proved_and_its_bound_holds_at_random_points():
    found = prove_bad_valley(ONE, _pair(), INSIDE, LOWER)
    assert found.verdict is vf.Verdict.PROVED and found.share == (3, 4)
    assert found.elsewhere < 0.75 * math.log(2) < found.inside < math.log(2)
    rng = np.random.default_rng(0)
    below = 0
    for u in rng.normal(scale=4.0, size=(2000, 2)):
        v = np.array([rng.normal(scale=4.0, size=2)])
        loss, w = approx_loss(ONE, u, v, _pair()), v[0, 0] - v[0, 1]
        assert loss > (0.75 if w < 0 else 0.25) * math.log(2)
        below += bool(w < 0 and loss < math.log(2))
    assert below > 10


def test_what_is_no_bad_valley_is_not_proved_to_be_one():
    undecided = vf.Verdict.UNDECIDED
    assert prove_bad_valley(ONE, _pair((1, 1)), INSIDE, LOWER).verdict is undecided
    assert prove_bad_valley(ONE, _pair(), LOWER, INSIDE).verdict is undecided  # the deeper one is not bad
    assert prove_bad_valley(ONE, _pair(), figures._point([3.0], [-6.0]), LOWER).verdict is undecided  # above log 2
    assert prove_bad_valley(ONE, _pair(), figures._point([-3.0], [0.0]), LOWER).verdict is undecided  # on the pass
    signed = vf.Network((1,), (vf.Dense(1, vf.activation("tanh"), skip=True),))
    assert "positive" in prove_bad_valley(signed, _pair(), INSIDE, LOWER).reason
    with pytest.raises(InputError, match="one dense unit"):
        prove_bad_valley(vf.Network((1,), (vf.Dense(2, vf.activation("sigmoid"), skip=True),)), _pair(), INSIDE, LOWER)
    with pytest.raises(InputError, match="one sample per class"):
        prove_bad_valley(ONE, vf.Dataset("one class", np.eye(2)[:, :1], np.array([0, 0]), 2), INSIDE, LOWER)


def test_figure_1_shows_a_bad_valley_and_none():
    figure = figures.figure1(points=24)
    left, right = figure.axes[:2]
    assert "PROVED: a bad local valley" in words(left) and "PROVED: no bad local valley" in words(right)
    path = named(right, "path")
    w1, w2 = path.get_ydata(), path.get_xdata()
    assert (w2[0], w1[0]) == (0.0, -6.0) == (0.0, named(left, "start").get_ydata()[0])
    two = vf.Network((1,), (vf.Dense(2, vf.activation("sigmoid"), skip=True),))
    losses = [
        approx_loss(two, *figures._point([-3.0, 3.0], [a, b]), _pair())
        for a, b in zip(w1.tolist(), w2.tolist(), strict=True)
    ]
    assert (np.diff(losses) < 0).all() and losses[0] == pytest.approx(approx_loss(ONE, *INSIDE, _pair()))
    assert not pyplot.get_fignums()


def test_figure_1_refuses_to_say_what_was_not_proved(monkeypatch):
    monkeypatch.setattr(figures, "COUNTS", (2, 2))
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
    assert "less than 1e-12 of its length" in left.get_title() and " % of its length" in right.get_title()
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
