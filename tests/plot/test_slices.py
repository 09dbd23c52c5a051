"""Loss slices: filter normalisation and the values drawn."""

import math

import numpy as np
import pytest
from drawn import axes, named, words

import verifier as vf
from verifier.errors import InputError
from verifier.plot.slices import approx_loss, losses_on_plane


def test_directions_get_the_norms_of_the_weights(small):
    du, dv = vf.plot.filter_normalised(
        small.network, small.u, small.v, vf.plot.random_direction(small.network, 3, seed=5)
    )
    views, moves = small.network.views(small.u), small.network.views(du)
    for layer, width in ((0, 3), (1, 6)):
        names = (f"layer{layer}.weight", f"layer{layer}.bias")
        for unit in range(width):
            sizes = [math.hypot(*part[names[0]][unit], part[names[1]][unit]) for part in (views, moves)]
            assert sizes[0] == pytest.approx(sizes[1], rel=1e-12)
    np.testing.assert_allclose(np.linalg.norm(dv, axis=0), np.linalg.norm(small.v, axis=0), rtol=1e-12)


@pytest.mark.parametrize("bias", ["tied", "per-unit"])
def test_a_filter_is_one_block_with_its_biases(bias):
    layers = (vf.Conv(2, (2,), vf.activation("tanh"), bias=bias), vf.AvgPool((2,), skip=True))
    network = vf.Network((1, 5), layers)
    u = vf.initialise(network, seed=1)
    v = vf.output_weights(network, 2)
    du, _ = vf.plot.filter_normalised(network, u, v, (np.ones_like(u), np.ones_like(v)))
    for view in (network.views(u), network.views(du)):
        assert view["layer0.weight"].shape[0] == view["layer0.bias"].shape[0] == 2
    for f in range(2):
        sizes = [
            np.hypot(np.linalg.norm(w["layer0.weight"][f]), np.linalg.norm(w["layer0.bias"][f]))
            for w in (network.views(u), network.views(du))
        ]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-12)


def test_what_is_zero_stays_zero(small):
    zero = (0 * small.u, 0 * small.v)
    for du, dv in (
        vf.plot.filter_normalised(small.network, small.u, small.v, zero),
        vf.plot.filter_normalised(small.network, *zero, vf.plot.random_direction(small.network, 3)),
    ):
        assert not du.any() and not dv.any()


def test_the_approximate_loss_lies_at_the_enclosure(small):
    (_, low, high) = small.path.path.sample([0.0])[0]
    assert approx_loss(small.network, small.u, small.v, small.data) == pytest.approx(0.5 * (low + high), rel=1e-12)
    deep = small.path.path.V(3.0)
    ((_, low, high),) = small.path.path.sample([3.0])
    assert approx_loss(small.network, small.u, deep, small.data) == pytest.approx(0.5 * (low + high), rel=1e-6)
    far = approx_loss(small.network, small.u, 1e4 * small.v, small.data)
    assert math.isfinite(far) and far > 100


def test_a_slice_shows_the_loss_along_the_direction(small):
    direction = vf.plot.random_direction(small.network, 3, seed=1)
    ax = vf.plot.loss_slice(small.network, small.u, small.v, small.data, direction, axes(), points=5, span=0.5)
    line = named(ax, "slice")
    du, dv = vf.plot.filter_normalised(small.network, small.u, small.v, direction)
    expected = [approx_loss(small.network, small.u + t * du, small.v + t * dv, small.data) for t in line.get_xdata()]
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
    assert line.get_xdata().tolist() == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert named(ax, "centre").get_ydata()[0] == pytest.approx(expected[2])
    assert "approx" in words(ax) and "filter-normalised" in words(ax)
    raw = vf.plot.loss_slice(small.network, small.u, small.v, small.data, ax=axes(), points=3, normalise=False)
    assert "not normalised" in words(raw)


def test_a_surface_is_evaluated_on_its_grid(small):
    du, dv = vf.plot.random_direction(small.network, 3)
    moving, still = (du, 0 * dv), (0 * du, dv)
    steps = np.array([-1.0, 0.0, 2.0])
    for pair in ((moving, still), (still, moving), (moving, (du[::-1].copy(), dv))):
        table = losses_on_plane(small.network, small.u, small.v, small.data, pair, steps, steps[:2])
        assert table.shape == (2, 3)
        for b, row in zip(steps[:2], table, strict=True):
            for a, value in zip(steps, row, strict=True):
                u = small.u + a * pair[0][0] + b * pair[1][0]
                v = small.v + a * pair[0][1] + b * pair[1][1]
                assert value == pytest.approx(approx_loss(small.network, u, v, small.data), rel=1e-12)
    ax = vf.plot.loss_surface(small.network, small.u, small.v, small.data, ax=axes(), points=5)
    assert named(ax, "surface") is not None and "approx" in ax.figure.axes[1].get_ylabel()


def test_unusable_input_is_one_clear_error(small):
    network, u, v, data = small.network, small.u, small.v, small.data
    with pytest.raises(InputError, match="U and V have shapes"):
        vf.plot.loss_slice(network, u[:-1], v, data, ax=axes())
    with pytest.raises(InputError, match="has no labels"):
        vf.plot.loss_surface(network, u, v, vf.Dataset("bare", data.inputs, None, 3), ax=axes())
    with pytest.raises(InputError, match="3 coordinates"):
        vf.plot.loss_slice(network, u, v, vf.Dataset("wide", np.eye(3), np.array([0, 1, 2]), 3), ax=axes())
    with pytest.raises(InputError, match="direction has shapes"):
        vf.plot.loss_slice(network, u, v, data, (u[:-1], v), axes())
    with pytest.raises(InputError, match="NaN"):
        vf.plot.loss_slice(network, u, v, data, (np.nan * u, v), axes())
    with pytest.raises(InputError, match="pair"):
        vf.plot.loss_slice(network, u, v, data, u, axes())
    with pytest.raises(InputError, match="two pairs"):
        vf.plot.loss_surface(network, u, v, data, [(u, v)], axes())
    with pytest.raises(InputError, match="span = 0"):
        vf.plot.loss_surface(network, u, v, data, ax=axes(), span=0)
    with pytest.raises(InputError, match="points = 1"):
        vf.plot.loss_slice(network, u, v, data, ax=axes(), points=1)
