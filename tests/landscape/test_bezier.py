"""The trained Bezier curve: its ends are the networks, training lowers what is sampled, and it claims no proof."""

from __future__ import annotations

import numpy as np

from verifier import Dense, Network
from verifier.data.dataset import Dataset
from verifier.landscape.approx_loss import approx_losses_on_line
from verifier.landscape.bezier import approx_bezier
from verifier.network.forward import approx_features


def pair():
    """Two networks of 5 random units that fit 4 samples, each with output weights of its own."""
    rng = np.random.default_rng(4)
    network = Network(2, Dense(5, "tanh", skip=True))
    data = Dataset("four", rng.normal(size=(4, 2)), [0, 1, 1, 0], 2)
    points = []
    for _ in range(2):
        u = 2.0 * rng.normal(size=network.parameter_count)
        psi = approx_features(network, u, data.inputs)
        points.append((u, np.linalg.pinv(psi) @ np.where(np.eye(2)[data.labels] > 0, 2.0, -2.0)))
    return network, *points, data


def test_training_lowers_the_barrier_between_the_same_ends():
    network, start, end, data = pair()
    curve = approx_bezier(network, start, end, data, steps=100)
    line = approx_losses_on_line(network, start, end, data, curve.times)
    assert curve.losses[0] == line[0] and curve.losses[-1] == line[-1]
    assert curve.losses.max() < 0.5 * line.max() and curve.barrier == curve.losses.max() - max(line[0], line[-1])
    again = approx_bezier(network, start, end, data, steps=100)
    assert np.array_equal(again.control[0], curve.control[0]) and np.array_equal(curve.at(1.0)[1], end[1])
    assert "nothing is proved of it" in repr(curve)


def test_without_steps_it_is_the_straight_line():
    network, start, end, data = pair()
    curve = approx_bezier(network, start, end, data, steps=0)
    assert np.allclose(curve.losses, approx_losses_on_line(network, start, end, data, curve.times), rtol=1e-12)


def test_missing_arcs_stay_missing():
    network, start, end, data = pair()
    arcs = np.array([[True, True]] * 4 + [[True, False]])
    start, end = ((u, np.where(arcs, v, 0.0)) for u, v in (start, end))
    curve = approx_bezier(network, start, end, data, arcs=arcs, steps=20)
    assert not curve.control[1][~arcs].any() and curve.control[1][arcs].all()
