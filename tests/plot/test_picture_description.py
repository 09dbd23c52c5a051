"""Pictures say what they show: on axes, on figures of several, in files; reports go in as they are."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from drawn import axes
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

import verifier as vf
from verifier.errors import CertificateError, InputError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report():
    return vf.verify([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 0], vf.Dense(5, "tanh", skip=True), seed=1)


def test_what_a_report_has_is_drawn_from_it(report):
    for draw in (vf.plot.loss_along_path, vf.plot.margins, vf.plot.psi, vf.plot.singular_values, vf.plot.network):
        ax = axes()
        assert draw(report, ax) is ax and vf.plot.description(ax.figure) == vf.plot.description(ax)
    assert "outputs, 2" in vf.plot.description(ax)
    for draw in (vf.plot.loss_slice, vf.plot.loss_surface):
        assert "nothing in this picture is certified" in vf.plot.description(draw(report, ax=axes(), points=3))
        with pytest.raises(InputError, match="a report has its own U, V and samples; leave them out"):
            draw(report, report.u, ax=axes())
        with pytest.raises(InputError, match="a network alone is no point; give a report"):
            draw(report.network, ax=axes())
        with pytest.raises(InputError, match="str is no network; give a report"):
            draw("net", ax=axes())
    matrix = vf.matrix([[2.0, 0.0], [0.0, 1.0]], digits=5)
    assert "The largest is at least 2, " in vf.plot.description(vf.plot.singular_values(matrix, axes()))
    with pytest.raises(InputError, match="dict is no feature matrix"):
        vf.plot.psi({}, axes())
    with pytest.raises(InputError, match="Report is no line; give the points"):
        vf.plot.sigma_along_line(report, axes())


def test_numbers_are_rounded_to_the_safe_side(report):
    words = vf.plot.description(vf.plot.loss_along_path(report, axes(), points=8))
    low, high = (float(words.split("at the start it is between ")[1].split()[k].rstrip(";")) for k in (0, 2))
    ((_, exact_low, exact_high),) = report.path.sample([0.0])
    assert low <= exact_low <= exact_high <= high
    gamma = float(vf.plot.description(vf.plot.margins(report, axes())).split("at least ")[1].rstrip("."))
    assert gamma <= min(float(ball.lower()) for row in report.zero_loss.margins.rows for ball in row)


def test_a_file_keeps_title_and_description(report, tmp_path):
    figure = Figure(figsize=(5, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    vf.plot.psi(report, left)
    vf.plot.network(report, right)
    root = ElementTree.parse(vf.plot.save(figure, tmp_path / "new" / "both.svg")).getroot()
    title, words = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert (
        title.text == "Feature matrix Psi(U); Network" and "drawn in floating point. Network: From left" in words.text
    )
    assert (root.get("role"), root.get("aria-labelledby"), root.get("aria-describedby")) == (
        "img",
        title.get("id"),
        words.get("id"),
    )
    with Image.open(vf.plot.save(right, tmp_path / "both.png")) as image:
        assert image.info["Description"] == words.text
    assert b"Feature matrix" in vf.plot.save(figure, tmp_path / "both.pdf").read_bytes()


def test_what_cannot_be_saved_is_one_line(report, tmp_path):
    ax = vf.plot.psi(report, axes())
    for of, file, said in (
        (ax, "a.jpg", "give a name such as picture.svg"),
        (3, "a.svg", "3 is no picture"),
        (axes(), "a.svg", "nothing was drawn here by vf.plot"),
    ):
        with pytest.raises(InputError, match=said):
            vf.plot.save(of, tmp_path / file)
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateError, match="choose another folder"):
        vf.plot.save(ax, tmp_path / "file" / "a.svg")
    assert not pyplot.get_fignums()
