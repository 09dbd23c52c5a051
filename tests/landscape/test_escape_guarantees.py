"""Escapes: segments, covers, motions and partings, against a plain evaluation."""

from __future__ import annotations

import dataclasses
import itertools

import mpmath
import numpy as np
import pytest
from certificate import test_tamper_escape as tampering
from flint import arb
from planted import seeds
from planted_problems import checked, inside_float

from verifier.balls import feature_enclosure as features
from verifier.balls import motion
from verifier.balls.exact import ExactArray
from verifier.balls.margins import enclose_margins
from verifier.balls.precision import working_precision
from verifier.certificate.writer import CertificateBuilder
from verifier.data.dataset import Dataset
from verifier.landscape import escape, escape_constant, segment, zero_loss
from verifier.landscape import escape_separate as gateway
from verifier.landscape import straight_path as path
from verifier.network.forward import approx_features
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.run.case import read_case
from verifier.run.case_problem import case_problem
from verifier.sigma.activations import activation


@seeds(3)
def test_segments_contain_loss_and_slope(rng):
    layers = (
        Conv(2, (2, 2), activation("sin"), (1, 1)),
        AvgPool((2, 2), skip=True),
        Dense(3, activation("tanh"), True),
    )
    network = Network((1, 3, 3), layers)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.7)
    end, x = u + 0.1 * rng.normal(size=u.shape), rng.normal(size=(4, 9))
    v = rng.normal(size=(network.skip_count, 3)) * 3
    w, labels, counts = v + rng.normal(size=v.shape), np.array([0, 1, 2, 1]), np.array([1, 3, 1, 2])
    for target in (end, u):  # at rest everything but the time is exact
        along = segment.WeightSegment(motion.Motion(network, u, target, x, 64), v, w, labels, counts.tolist())
        _loss_and_slope_are_inside(along, (network, u, target, v, w, x, labels, counts))


def _loss_and_slope_are_inside(along, where):
    network, u, end, v, w, x, labels, counts = where
    for ball in segment.covering(3, 64):
        loss, slope = along.loss(ball), along.slope(ball)
        for t in (float(ball.mid()), float(ball.lower()), float(ball.upper())):
            at = approx_gradient(network, u + t * (end - u), v + t * (w - v), x, labels, counts)
            assert inside_float(loss, at.loss, 1e-11)
            assert inside_float(slope, float(at.du @ (end - u) + (at.dv * (w - v)).sum()), 1e-10)


def test_the_cover_is_whole():
    for pieces in (1, 2, 5, 64):
        balls = segment.covering(pieces, 60)
        assert len(balls) == pieces and balls[0].lower() <= 0 and balls[-1].upper() >= 1
        assert all(a.upper() >= b.lower() for a, b in itertools.pairwise(balls))


def test_pieces_decide():
    """A segment that goes down and up again is neither decreasing nor below its start."""
    network = Network((1,), (Dense(2, activation("tanh"), skip=True),))
    u, x, labels = np.array([1.0, -0.5, 0.25, 0.5]), np.array([[1.0], [-1.0]]), np.array([0, 1])
    best = np.array([[1.0, -1.0], [-1.0, 1.0]])
    still = motion.Motion(network, u, u, x, 64)
    down = segment.WeightSegment(still, -best, best, labels, [1, 1])
    up = segment.WeightSegment(still, best, -best, labels, [1, 1])
    alike = motion.Motion(network, u, u, np.array([[1.0], [1.0 + 2.0**-40]]), 64)
    valley = segment.WeightSegment(alike, -best, 3 * best, labels, [1, 1])  # down, then up
    assert down.decreases(8) and not up.decreases(8) and not valley.decreases(8)
    with working_precision(64):
        assert down.stays_below(down.loss(arb(0)).upper() + 1, 8)
        assert not up.stays_below(up.loss(arb(0)).upper(), 8)
        assert not up.stays_below(up.loss(arb(0)).upper(), 1), "undecided is not below"
        assert not segment.WeightSegment(still, best, 9 * best, labels, [1, 1]).stays_below(arb(0), 8)


def test_a_zero_constant_carries_nothing():
    """Constant units, one of value 0 that no symbol shows: it cannot carry the others."""
    network = Network((1,), (Dense(4, activation("tanh(t) + t"), skip=True),))
    u = np.array([0.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.5, 0.25])
    v, x = np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 1.0], [1.0, 1.5]]), np.array([[1.0], [-1.0], [2.0]])
    row = [arb(float(value), 1e-12) for value in approx_features(network, u, x)[0]]
    for way in escape_constant.constant_loss_motions(network, u, v, x, row, 0):
        assert network.views(way.end)["layer0.bias"][1] == 1.0, "the unit of value tanh(1) + 1 has to stay"
    exact = Network((1,), (Dense(3, activation("tanh"), skip=True),))
    free = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.5])  # values 0, tanh(1), and one that varies: the 1 stays, the 0 moves
    first = [arb(0), arb(0.76, 0.01), arb(0.9, 0.1)]
    for way in escape_constant.constant_loss_motions(exact, free, v[:3], x, first, 0):
        assert exact.views(way.end)["layer0.bias"][1] == 1.0


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_mirrored_units_are_carried_with_their_sign(name):
    """sigma(-a) = c0 - sigma(a): the loss of the whole E2 leg is constant, evaluated anew at its own U and V."""
    network = Network((2,), (Dense(5, activation(name), skip=True),))
    x, labels = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.25]]), np.array([0, 1, 0])
    signs = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = signs[:, None] * np.array([0.5, -0.25])
    network.views(u)["layer0.bias"][...] = signs * 0.125
    v = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5], [1.0, -2.0], [0.25, 0.5]])
    found = escape.prove_escape(network, u, v, x, labels, [1, 1, 1], order=("E2",)).escape
    assert found is not None
    (start,) = enclose_margins(features.FeatureEnclosure(network, u, x, 128), [ExactArray.of_floats(v)], labels)
    for s in np.linspace(0.0, len(found.path.before), 9).tolist():
        here = features.FeatureEnclosure(network, found.path.U(s), x, 128)
        (margins,) = enclose_margins(here, [ExactArray.of_floats(found.path.V(s))], labels)
        for (m,), (m0,) in zip(margins.rows, start.rows, strict=True):
            assert abs(float(m.mid()) - float(m0.mid())) < 1e-12, s


def test_weights_are_handed_over_exactly_or_not_at_all():
    """A rounded sum would change what the readers read: the loss would not be constant."""
    for leader, moved, exact in ((1.0, 0.5, True), (1.0, 2.0**-60, False), (1.5, -1.5, True), (1e308, 1e308, False)):
        weight = np.array([[leader, moved], [0.25, 0.5]])
        with np.errstate(over="ignore"):
            done = escape_constant._hand_over(weight, 0, 1, 0, zero=False)
        assert done == exact
        assert not exact or weight.tolist() == [[leader + moved, 0.0], [0.75, 0.0]]


def _gateway():
    at = case_problem(read_case(tampering.QUICK / "start-gateway.toml"))
    return at, gateway.part_merged_samples(at.network, at.u, at.rows.inputs)


def test_parting_keeps_the_logits():
    """V(t) exists for every t and stays bounded as the samples merge: at 80 digits."""
    at, parting = _gateway()
    assert not isinstance(parting, str) and sorted(map(len, parting.groups)) == [3, 4]
    views = at.network.views
    for name in ("layer1.weight", "layer1.bias"):
        assert np.array_equal(views(parting.end)[name], views(at.u)[name]), "the skip layer has to rest"
    with mpmath.workdps(80):
        logits = None
        for t in (0.0, 1.0, 0.25, 2.0**-10):
            point = views(at.u + t * (parting.end - at.u))
            gate = [
                mpmath.tanh(mpmath.fdot(point["layer0.weight"][0].tolist(), row) + float(point["layer0.bias"][0]))
                for row in at.rows.inputs.tolist()
            ]
            top = list(zip(point["layer1.weight"][:, 0].tolist(), point["layer1.bias"].tolist(), strict=True))
            psi = mpmath.matrix([[mpmath.tanh(w * z + b) for w, b in top] for z in gate])
            if logits is None:
                logits = psi * mpmath.matrix(at.v.tolist())
                continue
            for group in parting.groups:
                assert all(abs(gate[i] - gate[j]) > 1e-10 * t for i, j in itertools.combinations(group, 2))
            divided = _divided_differences(psi, gate, parting.groups) * mpmath.matrix(
                parting.right_inverse.approx().tolist()
            )
            assert mpmath.mnorm(divided - mpmath.eye(len(gate)), "f") < 1, "the right inverse proves no rank at this t"
            solved = psi**-1 * logits
            assert mpmath.mnorm(psi * solved - logits, "f") < mpmath.mpf(10) ** -30
            assert mpmath.mnorm(solved, "f") < 1e5


def _divided_differences(psi, nodes, groups):
    """Newton's divided differences of the rows of psi, in each group in order."""
    rows = []
    for group in groups:
        table = [[psi[i, j] for j in range(psi.cols)] for i in group]
        for order in range(len(group)):
            rows.append(table[0])
            table = [
                [
                    (b - a) / (nodes[group[k + order + 1]] - nodes[group[k]])
                    for a, b in zip(table[k], table[k + 1], strict=True)
                ]
                for k in range(len(table) - 1)
            ]
    return mpmath.matrix(rows)


def test_no_parting_of_equal_directions():
    """Two top units alike: the Hermite matrix is singular, nothing is claimed."""
    at, _ = _gateway()
    u = at.u.copy()
    views = at.network.views(u)
    for name in ("weight", "bias"):
        views[f"layer1.{name}"][3] = views[f"layer1.{name}"][5]
    assert isinstance(gateway.part_merged_samples(at.network, u, at.rows.inputs), str)
    views["layer0.weight"][0] = [0.0, 1.0, 1.0]  # other samples merge now: they are grouped anew
    groups = gateway._merged(at.network, u, at.rows.inputs)
    sums = [row[1] + row[2] for row in at.rows.inputs.tolist()]
    assert sorted(sorted(group) for group in groups) == sorted(
        sorted(i for i, s in enumerate(sums) if s == value) for value in set(sums)
    )


def test_gateway_separates():
    network = Network((1,), (Dense(4, activation("tanh"), skip=True),))
    assert gateway.prove_gateway(network, np.array([[1.0], [1.0]])).verdict == "UNDECIDED"
    assert gateway.prove_gateway(network, np.array([[1.0], [1.0 + 2.0**-52]])).verdict == "PROVED"


def test_a_valley_is_no_descent():
    """U rests, V goes through a valley and up again: E1 must be rejected, whatever the number of pieces."""
    network = Network((1,), (Dense(2, activation("tanh"), skip=True),))
    u, x = np.array([1.0, -0.5, 0.25, 0.5]), np.array([[1.0], [-1.0]])
    at = Dataset("v", x, np.array([0, 1]), 2)
    best = np.array([[1.0, -1.0], [-1.0, 1.0]])
    start = np.array([[0.0, 0.0], [0.0, 0.0]])
    features_ = features.FeatureEnclosure(network, u, x, 64)
    zero = zero_loss.prove_zero_loss(features_, at.labels, 2)
    tail = path.prove_path(zero, ExactArray.of_floats(best), at.labels, [1, 1]).path
    for target, verdict in ((best, "ACCEPTED"), (-best, "REJECTED")):
        tail = path.prove_path(zero, ExactArray.of_floats(target), at.labels, [1, 1]).path
        begin = path.prove_path(zero, ExactArray.of_floats(start), at.labels, [1, 1]).path
        made = escape.Escape(
            "E1", u, ExactArray.of_floats(start), dataclasses.replace(tail, start_loss=begin.start_loss), (),
            end_weights=ExactArray.of_floats(target), pieces=16,
        )  # fmt: skip
        builder = CertificateBuilder(at, network, u, with_labels=True)
        builder.add_escape(made)
        builder._claims[0]["moved"] = builder._point("moved", u, np.zeros_like(u))
        found = checked(builder)
        assert found.verdict == verdict, (verdict, found.rejection)
