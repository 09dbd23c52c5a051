"""Margins along a leg of U: below the exact ones at every time, and close to them on short intervals."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq

import verifier as vf
from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.precision import working_precision
from verifier.balls.tensors import Balls
from verifier.landscape.float_leg_margins import FloatLegMargins
from verifier.landscape.leg_engines import margins_on_leg
from verifier.landscape.leg_margins import ROOM, WIDE_ROOM, BallLegMargins, room_for

RNG = np.random.default_rng(5)
X, LABELS = RNG.standard_normal((5, 2)), np.array([0, 2, 1, 0, 2])
NETWORKS = {
    "tanh": vf.Network(2, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", skip=True)], output_bias=True),
    "relu": vf.Network(2, [vf.Dense(3, "relu"), vf.Dense(4, "relu", skip=True)]),
    "max": vf.Network((1, 2), [vf.Conv(3, (1,), "elu"), vf.MaxPool((2,)), vf.Flatten(skip=True)]),
}


def exact_margins(network, start, end, weights, t):
    """The margins at one exact time, evaluated in another way: all weights are put there, in balls."""
    with working_precision(200):
        time = arb(fmpq(t.numerator, t.denominator))

        def parameter(name, shape):
            ends = (network.view(u, name).ravel().tolist() for u in (start, end))
            return Balls(1, shape, [(1 - time) * arb(a) + time * arb(b) for a, b in zip(*ends, strict=True)])

        values = network.evaluate(BallArithmetic(X.reshape(5, -1), parameter), {f.node for f in network.features})
        psi = [[] for _ in X]
        for feature in network.features:
            value = values[feature.node]
            for i, row in enumerate(psi):
                first = 0 if value.rows == 1 else i * value.size
                entries = range(value.size) if feature.entries is None else feature.entries
                row += [value.entries[first + j] for j in entries]
        matrix = arb_mat(psi) * arb_mat(weights.tolist())
        return [matrix[i, y] - matrix[i, k] for i, y in enumerate(LABELS.tolist()) for k in range(3) if k != y]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("make", [BallLegMargins, FloatLegMargins], ids=["balls", "binary64"])
def test_no_margin_is_below_the_bound(name, make):
    network = NETWORKS[name]
    inputs = X.reshape(5, -1)
    start, end = vf.initialise(network, seed=1), vf.initialise(network, seed=2)
    weights = RNG.standard_normal((network.columns, 3))
    leg = make(network, start, end, inputs, LABELS)
    for t0, t1 in [(Fraction(1, 4), Fraction(1, 2)), (Fraction(3, 8), Fraction(49, 128)), (Fraction(1), Fraction(1))]:
        part = leg.interval(t0, t1)
        bound = part.smallest(weights)
        times = [t0 + (t1 - t0) * Fraction(k, 16) for k in range(17)]
        least = min(float(m.lower()) for t in times for m in exact_margins(network, start, end, weights, t))
        assert bound <= least
        assert part.smallest(weights, 1.5) <= bound
        if t1 - t0 < Fraction(1, 64):
            assert bound > least - 0.1
        low, high = part.loss_bounds(weights, weights, [1, 2, 1, 1, 1])
        assert low <= high
        assert part.middle_features.shape == (5, network.columns)


@pytest.mark.parametrize("without", [False, True], ids=["binary64", "balls"])
def test_what_jumps_or_is_undefined_on_the_way_bounds_nothing(without):
    """x / |x| has the rate 0 on both sides of 0: a bound from the middle and that rate alone would be false."""
    network = vf.Network((1, 1), [vf.Linear(1), vf.RMSNorm(epsilon=0), vf.Flatten(skip=True)])
    start, end = np.array([1.0, -0.25, 1.0]), np.array([1.0, -2.25, 1.0])
    backend = [vf.numpy_backend(1), None][without]
    leg = margins_on_leg(backend, network, start, end, np.array([[1.0]]), np.array([0]))
    weights = np.array([[1.0, 0.0]])  # the margin is 1 until t = 3/8, and -1 from there on
    assert 0.0 < leg.interval(Fraction(0), Fraction(1, 8)).smallest(weights) <= 1.0
    for t0, t1 in [(Fraction(1, 4), Fraction(7, 16)), (Fraction(3, 8), Fraction(3, 8)), (Fraction(0), Fraction(1))]:
        part = leg.interval(t0, t1)
        assert part.smallest(weights) == -math.inf
        assert part.loss_bounds(weights, weights, [1]) == (-math.inf, math.inf)


def test_more_room_is_left_where_the_checker_goes_step_by_step():
    def room(*blocks):
        return room_for(vf.Network(2, [*blocks, vf.Dense(2, "tanh", skip=True)]))

    assert room() == room(vf.Dense(2, "gelu")) == room(vf.Dense(2, "max(t, 0)")) == ROOM
    assert room(vf.Dense(2, "t*exp(-t**2)")) == room(vf.LayerNorm()) == WIDE_ROOM > ROOM


def test_times_are_in_order():
    network = NETWORKS["tanh"]
    u = vf.initialise(network)
    leg = margins_on_leg(None, network, u, u, X, LABELS)
    with pytest.raises(ValueError, match="in order"):
        leg.interval(Fraction(1, 2), Fraction(1, 4))


@pytest.mark.parametrize("end", [Fraction(1, 1024), Fraction(1, 4)], ids=str)
def test_balls_stand_behind_binary64(end):
    """Where binary64 overflows at every time, all intervals are bounded by balls."""
    network = vf.Network(1, vf.Dense(1, "exp(t)", skip=True))
    first, last = np.array([0.0, 800.0]), np.array([0.0, 801.0])
    leg = margins_on_leg(vf.numpy_backend(1), network, first, last, np.array([[1.0]]), np.array([0]))
    part = leg.interval(Fraction(0), end)
    assert part.smallest(np.array([[1.0, 0.0]])) > 1e300


def test_a_long_interval_whose_middle_binary64_encloses_is_left_to_be_halved(monkeypatch):
    """Balls would refuse it, too, after some hundred times as long."""
    network = vf.Network((1, 1), [vf.Linear(1), vf.RMSNorm(epsilon=0), vf.Flatten(skip=True)])
    first, last = np.array([1.0, -0.25, 1.0]), np.array([1.0, -2.25, 1.0])
    leg = margins_on_leg(vf.numpy_backend(1), network, first, last, np.array([[1.0]]), np.array([0]))
    monkeypatch.setattr(BallLegMargins, "interval", None)
    part = leg.interval(Fraction(1, 4), Fraction(7, 16))
    assert part.smallest(np.array([[1.0, 0.0]])) == -math.inf
    assert part.middle_features == [[1.0]]
