"""The graph: every unit and arc once, equal colours exactly for equal weights."""

import itertools

import numpy as np
import pytest
from drawn import all_named, axes, named, words

import verifier as vf
from verifier.errors import InputError
from verifier.plot.figures import shared_network

TANH = vf.activation("tanh")


def _style(arcs):
    return (*np.round(arcs.get_edgecolor()[0], 6), str(arcs.get_linestyle()))


def test_every_unit_and_arc_is_drawn():
    net = vf.Network((1, 6), (vf.Conv(2, (3,), TANH, skip=True), vf.Dense(5, TANH), vf.Dense(4, TANH, skip=(0, 2))))
    ax = vf.plot.network(net, axes(), outputs=3)
    counts = {name: len(named(ax, name).get_offsets()) for name in ("input", "layer0", "layer1", "layer2", "outputs")}
    assert counts == {"input": 6, "layer0": 8, "layer1": 5, "layer2": 4, "outputs": 3}
    assert len(named(ax, "arcs layer1").get_segments()) == 8 * 5
    assert len(named(ax, "arcs layer2").get_segments()) == 5 * 4
    assert len(named(ax, "outputs from layer0").get_paths()) == 8 * 3
    assert len(named(ax, "outputs from layer2").get_paths()) == 2 * 3
    ringed = named(ax, "layer2").get_linewidths()
    assert [width > 1 for width in ringed] == [True, False, True, False]
    captions = [label.get_text() for label in ax.get_xticklabels()]
    assert "2 to outputs" in captions[3] and "all to outputs" in captions[1] and "softplus" not in captions[1]


def test_shared_weights_have_one_colour_and_different_ones_different_colours():
    net = shared_network(skip=True)
    ax = vf.plot.network(net, axes())
    arcs = {(f, k): named(ax, f"arcs layer0 weight {f},{k}") for f, k in itertools.product(range(2), range(3))}
    assert len({_style(found) for found in arcs.values()}) == 6
    places = {x: named(ax, name).get_offsets() for x, name in enumerate(("input", "layer0"))}
    for (f, k), found in arcs.items():
        assert len(found.get_edgecolor()) == 1  # one colour for all positions
        expected = [(places[0][p + k], places[1][4 * f + p]) for p in range(4)]
        np.testing.assert_allclose(found.get_segments(), expected)


def test_arcs_from_the_padding_are_not_drawn():
    net = vf.Network((1, 3), (vf.Conv(1, (3,), TANH, skip=True, padding=1),))
    ax = vf.plot.network(net, axes())
    places = {x: named(ax, name).get_offsets() for x, name in enumerate(("input", "layer0"))}
    for k in range(3):
        expected = [(places[0][p + k - 1], places[1][p]) for p in range(3) if 0 <= p + k - 1 < 3]
        np.testing.assert_allclose(named(ax, f"arcs layer0 weight 0,{k}").get_segments(), expected)


def test_more_weights_than_colours_differ_in_their_dashes():
    net = vf.Network((1, 8), (vf.Conv(4, (5,), TANH, skip=True),))
    ax = vf.plot.network(net, axes(), most=40)
    styles = {_style(a) for f in range(4) for k in range(5) for a in all_named(ax, f"arcs layer0 weight {f},{k}")}
    assert len(styles) == 20


def test_skipping_arcs_stay_clear_of_the_units_that_they_pass():
    net = vf.Network((2,), (vf.Dense(4, TANH, skip=True), vf.Dense(9, TANH), vf.Dense(3, TANH, skip=True)))
    ax = vf.plot.network(net, axes())
    for curve in named(ax, "outputs from layer0").get_paths():
        points = curve.interpolated(1).to_polygons(closed_only=False)[0]
        crossing = [y for x, y in points if abs(x - 2.0) < 0.02]
        assert all(abs(y) > 4.0 for y in crossing)
        assert ax.get_ylim()[0] < points[:, 1].min() and points[:, 1].max() < ax.get_ylim()[1]


def test_pools_and_dag_arcs_are_read_from_the_network():
    layers = (
        vf.Conv(2, (3, 3), TANH),
        vf.AvgPool((2, 2)),
        vf.Dense(3, TANH, skip=True, inputs=("input", 1)),
    )
    ax = vf.plot.network(vf.Network((1, 6, 6), layers), axes(), most=40)
    assert len(named(ax, "arcs layer1").get_segments()) == 8 * 4
    assert len(named(ax, "arcs layer2").get_segments()) == 3 * (36 + 8)
    starts = {segment[0][0] for segment in named(ax, "arcs layer2").get_segments()}
    assert starts == {0.0, 2.0}


def test_large_layers_are_abridged_and_say_their_size():
    net = vf.Network((100,), (vf.Dense(1000, TANH, skip=True),))
    ax = vf.plot.network(net, axes(), most=5)
    assert len(named(ax, "layer0").get_offsets()) == 5 and words(ax).count("\u22ee") == 2
    assert len(named(ax, "arcs layer0").get_segments()) == 25
    assert "1000 units" in ax.get_xticklabels()[1].get_text()


def test_unusable_input_is_one_clear_error():
    with pytest.raises(InputError, match="dict is no network"):
        vf.plot.network({}, axes())
    with pytest.raises(InputError, match="outputs = 1"):
        vf.plot.network(shared_network(False), axes(), outputs=1)
