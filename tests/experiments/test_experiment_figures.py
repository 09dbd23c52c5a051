"""Figures: the planted numbers are where they belong, labels say what is certified, both looks can be read."""

from __future__ import annotations

import itertools
import math
from operator import attrgetter
from xml.etree import ElementTree

import matplotlib
import msgspec
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.collections import PolyCollection
from planted_runs import PATH, curve, epoch, everything, family, run

from verifier.errors import InputError
from verifier.experiments import figures, styles
from verifier.experiments.groups import CONDITIONS
from verifier.plot.description import content as file_content
from verifier.plot.style import PALETTES, style
from verifier.report.inline import inline_svg

DEEP = {"architecture": "fc150"}


def deep_runs():
    return [run(seed=s, skip=skip, epochs=curve(skip, s), **DEEP) for skip in (True, False) for s in range(3)]


def line(ax, gid):
    (found,) = [artist for artist in ax.get_lines() if (artist.get_gid() or "").startswith(gid)]
    return found


def texts(figure):
    named = [text.get_text() for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    boxes = [ax.get_legend() for ax in figure.axes if ax.get_legend()] + figure.legends
    return " | ".join([*named, *(text.get_text() for box in boxes for text in box.get_texts())])


def test_progress_has_a_thin_line_per_seed_and_the_mean():
    figure = figures.progress_figure([*deep_runs(), *family("rand", (9,), **DEEP)])
    left, right = figure.axes
    assert left.get_yscale() == "log" and right.get_yscale() == "linear"
    assert len(left.get_lines()) == len(right.get_lines()) == 8  # 3 + 1, with skips and without
    errors = [[900 * math.exp(-k) for k in range(6)]]
    assert line(right, "skip error").get_ydata() == pytest.approx([(round(e) + 1) / 10 for e in errors[0]])
    assert line(right, "plain error").get_ydata() == pytest.approx([90.0] * 6)
    assert line(left, "skip loss").get_ydata() == pytest.approx([2.3 * math.exp(-0.4 * k) for k in range(6)])
    assert "SGD with skips, mean of 3" in texts(figure) and "floating point" in texts(figure)
    assert "rand" not in texts(figure)
    assert "nothing in this figure is proved" in figures.progress_caption(deep_runs())
    assert not pyplot.get_fignums()


def test_progress_means_only_over_epochs_that_all_seeds_have():
    runs = deep_runs()
    runs[0] = msgspec.structs.replace(runs[0], epochs=runs[0].epochs[:3])
    (left, _) = figures.progress_figure(runs).axes
    assert list(line(left, "skip loss").get_xdata()) == [0, 1, 2] and list(line(left, "plain loss").get_xdata()) == [
        *range(6)
    ]


def test_progress_of_several_networks_or_none_is_refused():
    for runs, words in (([], "of 0 groups"), (family("rand", (1,)), "of 0 groups"), (everything(), "of 3 groups")):
        with pytest.raises(InputError, match=words):
            figures.progress_figure(runs)


def test_diverged_losses_are_left_out(tmp_path):
    ends = [msgspec.structs.replace(epoch(2, 900, 90, math.nan), train_loss=bad) for bad in (math.nan, math.inf)]
    runs = [run(seed=k, epochs=(epoch(), epoch(1), end), path=PATH) for k, end in enumerate(ends)]
    figures.progress_figure(runs).savefig(tmp_path / "a.png")
    figure = figures.trajectory_figure(runs[0])
    assert len(line(figure.axes[0], "sgd").get_xdata()) == 2
    figure.savefig(tmp_path / "b.png")


def test_a_trajectory_has_the_epochs_and_the_certified_band():
    subject = run(epochs=curve(True, 0), path=PATH)
    figure = figures.trajectory_figure(subject)
    (ax,) = figure.axes
    sgd = line(ax, "sgd")
    assert sgd.get_xdata() == pytest.approx([1.5 * math.sqrt(k) for k in range(6)])
    assert sgd.get_ydata() == pytest.approx([2.3 * math.exp(-0.4 * k) for k in range(6)])
    (band,) = [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_gid() == "band"]
    corners = {(float(x), float(y)) for x, y in band.get_paths()[0].vertices}
    assert {(p.distance, p.high) for p in PATH} | {(p.distance, p.low) for p in PATH} <= corners
    assert "between proved bounds" in texts(figure) and "epochs (floating point)" in texts(figure)
    assert ax.get_xscale() == "symlog" and ax.get_yscale() == "log"
    assert ax.get_ylim()[0] < PATH[-1].low and ax.get_ylim()[1] > 2.3105
    caption = figures.trajectory_caption(subject)
    assert "Certified: the loss" in caption and "claim nothing between them" in caption
    with pytest.raises(InputError, match="has no certified path"):
        figures.trajectory_figure(run())


def test_paths_of_one_length_are_on_a_linear_axis_and_a_bound_of_zero_is_drawn(tmp_path):
    path = tuple(msgspec.structs.replace(p, distance=p.distance / 30, low=0.0 if p.time else p.low) for p in PATH)
    figure = figures.trajectory_figure(run(epochs=curve(True, 0), path=path))
    assert figure.axes[0].get_xscale() == "linear"
    figure.savefig(tmp_path / "a.png")
    nowhere = run(epochs=(epoch(),), path=(msgspec.structs.replace(PATH[0], distance=0.0),))
    figures.trajectory_figure(nowhere).savefig(tmp_path / "b.png")


def test_errors_have_the_means_and_the_intervals():
    runs = [*family("plain", (10, 12, 11)), *family("skip", (5, 5, 8)), *family("rand", (20,))]
    (ax,) = figures.errors_figure(runs).axes
    markers = {gid: line(ax, gid).get_xdata()[0] for gid in ("plain", "skip", "rand")}
    assert markers == pytest.approx({"plain": 11.0, "skip": 6.0, "rand": 20.0})
    spans = [artist.get_xdata() for artist in ax.get_lines() if len(artist.get_xdata()) == 2]
    assert len(spans) == 2  # none for one seed
    assert spans[0] == pytest.approx((11 - 4.303 / math.sqrt(3), 11 + 4.303 / math.sqrt(3)), rel=1e-3)
    assert ax.get_xscale() == "linear" and [t.get_text() for t in ax.get_yticklabels()] == ["vgg11, sigmoid"]
    (wide,) = figures.errors_figure(everything()).axes
    assert wide.get_xscale() == "function" and "square-root axis" in wide.get_xlabel()
    order = [t.get_text() for t in wide.get_yticklabels()]
    assert (
        order == ["vgg11, sigmoid", "vgg11, softplus(20)", "fc150, sigmoid"] and wide.get_ylim()[0] > wide.get_ylim()[1]
    )
    for bad in ([], [run(), run(data="mnist")]):
        with pytest.raises(InputError, match="one data set at a time"):
            figures.errors_figure(bad)


def test_a_row_has_room_for_all_conditions():
    conditions = [(c, {}) for c in ("plain", "skip", "rand", "interpolation")]
    conditions += [(c, {"skip": False}) for c in ("rand", "interpolation")]
    runs = [f for c, how in conditions for a in ("vgg11", "cnn13") for f in family(c, (9, 12), architecture=a, **how)]
    figure = figures.errors_figure(runs)
    (ax,) = figure.axes
    places = sorted(float(artist.get_ydata()[0]) for artist in ax.get_lines() if artist.get_gid())
    assert len(places) == 12 and max(places[:6]) < 0.5 < min(places[6:])
    assert min(b - a for a, b in itertools.pairwise(places)) > 0.12
    assert line(ax, "interpolation 0").get_marker() == "^" and "Ψ V = onehot" in texts(figure)
    solved = run(method="interpolation", epochs=(epoch(), epoch(1, distance=3.0)), path=PATH)
    assert "V solved for (floating point)" in texts(figures.trajectory_figure(solved))


def test_the_first_seed_with_a_path_stands_for_its_network():
    runs = [run(seed=2, path=PATH), run(seed=1, path=PATH), run(seed=0), run(seed=0, skip=False, path=PATH)]
    assert [(r.seed, r.skip) for r in figures.first_with_path(runs).values()] == [(0, False), (1, True)]


@pytest.mark.parametrize("look", ["light", "dark"])
def test_both_looks_have_contrast_and_words_stay_inside(look):
    with style(look):
        palette = PALETTES[look]
        made = [
            figures.progress_figure(deep_runs()),
            figures.trajectory_figure(run(epochs=curve(True, 0), path=PATH)),
            figures.errors_figure(everything()),
        ]
        for figure in made:
            assert matplotlib.colors.to_hex(figure.get_facecolor()) == palette.background
            figure.canvas.draw()
            for text in figure.findobj(matplotlib.text.Text):
                if text.get_text().strip() and text.get_visible() and not text.get_clip_on():
                    box = text.get_window_extent()
                    assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text.get_text()
    tints = [styles.STYLES[condition].colour(palette) for condition in ("plain", "skip", "rand", "interpolation")]
    rgb = [np.array(matplotlib.colors.to_rgb(tint)) for tint in tints]
    assert min(np.abs(a - b).sum() for a, b in itertools.combinations(rgb, 2)) > 0.4
    for look in (attrgetter("name"), attrgetter("marker"), attrgetter("line"), lambda s: s.colour(palette)):
        distinct = {condition: look(style) for condition, style in styles.STYLES.items()}
        assert list(distinct) == list(CONDITIONS) and len(set(distinct.values())) == len(CONDITIONS)


def svg(figure):
    """The figure's file, with a title that would break it and its page."""
    found = file_content(figure, "svg", "a </title><script>\x00", "1 < 2 & \x1b")
    assert ElementTree.fromstring(found)[1].text == "1 < 2 & ?"
    return found


def test_names_are_no_mathematics_and_no_missing_glyphs(tmp_path):
    odd = {"architecture": "a$\\frac$^b_c \u202e\u4e2d" + "x" * 300, "activation": "</text><script>", "data": "$"}
    runs = [msgspec.structs.replace(r, **odd) for r in [run(epochs=curve(True, 0), path=PATH), *family("rand", (9,))]]
    for figure in (
        figures.progress_figure(runs[:1]),
        figures.trajectory_figure(runs[0]),
        figures.errors_figure(runs),
    ):
        content = svg(figure)
        assert b"<script" not in content


def test_an_inline_svg_has_no_styles_and_nothing_outside_itself():
    with style("light"):
        content = svg(figures.trajectory_figure(run(epochs=curve(True, 0), path=PATH)))
        assert svg(figures.trajectory_figure(run(epochs=curve(True, 0), path=PATH))) == content
    assert b"style=" in content and b"<style" in content and b"xlink:href" in content  # what is to be removed
    found = inline_svg(content, prefix="f0l", name='a "name" <b>', description="<i>1 < 2")
    root = ElementTree.fromstring(found)
    assert root.tag == "svg" and root[0].tag == "title" and root[0].text == 'a "name" <b>'
    assert root[1].tag == "desc" and root[1].text == "<i>1 < 2"
    assert root.attrib["aria-describedby"] == root[1].attrib["id"]
    assert root.attrib["aria-labelledby"] == root[0].attrib["id"] and root.attrib["role"] == "img"
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) > 20
    assert len(ids) == len(set(ids)) and all(name.startswith("f0l-") for name in ids)
    for element in root.iter():
        assert element.tag not in ("style", "script", "metadata", "image") and ":" not in element.tag
        assert not [key for key in element.attrib if key == "style" or key.startswith(("on", "{"))]
        assert "href" not in element.attrib or element.attrib["href"][1:] in ids
        for value in element.attrib.values():
            assert "url(" not in value or value[5:-1] in ids
    fills = {element.attrib.get("fill") for element in root.iter()}
    assert PALETTES["light"].main.lower() in fills  # the presentation is still there
