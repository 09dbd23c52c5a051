"""What is left open, and why: each way out of a proof next to an instance where the proof succeeds."""

import numpy as np
import pytest
from flint import arb
from landscape.stationary import cloned_stationary_point
from planted import dense
from planted_problems import small_problem

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import Margins, enclose_margins
from verifier.errors import NetworkError
from verifier.landscape import escape_constant, escape_descend, escape_start, escape_sublevel, zero_loss
from verifier.landscape import escape_separate as gateway
from verifier.landscape.activation_bounds import activation_bounds
from verifier.landscape.escape import prove_escape
from verifier.landscape.escape_constant import _hand_over
from verifier.landscape.escape_separate import part_merged_samples, prove_gateway
from verifier.landscape.pointwise import prove_not_stationary
from verifier.landscape.straight_path import prove_path, segment_and_ray
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.layers import Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation
from verifier.verdict import Verdict

TANH = activation("tanh")
XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def fine_and_coarse(scale=1.0):
    """Features tanh(scale) I, by binary64 and by Arb."""
    net = dense([2], ["tanh"], 2)
    u = np.array([scale, 0.0, 0.0, scale, 0.0, 0.0])
    return FloatEnclosure(net, u, np.eye(2), numpy_backend(1)), FeatureEnclosure(net, u, np.eye(2), 64)


def test_what_binary64_does_not_hold_goes_on_in_arb(monkeypatch):
    """Pre-activations of 1e301 and weights of 160 bits: refused by binary64, proved by Arb all the same."""
    labels, counts = np.array([0, 1]), [1, 1]
    zero = prove_zero_loss(fine_and_coarse(1e301)[0], labels, 2)
    assert zero.verdict is Verdict.PROVED and isinstance(zero.features, FeatureEnclosure)
    long = ExactArray.of_integers([1, 3**100, 2, -(3**100)], (2, 2), -100)
    with monkeypatch.context() as patch:
        patch.setattr(
            zero_loss,
            "proposals",
            lambda *_: [("a long one", ExactArray.of_integers([3**100, 0, 0, 3**100], (2, 2), -100))],
        )
        again = prove_zero_loss(fine_and_coarse()[0], labels, 2)
        assert again.verdict is Verdict.PROVED and isinstance(again.features, FeatureEnclosure)
    zero = prove_zero_loss(fine_and_coarse()[0], labels, 2)
    assert zero.verdict is Verdict.PROVED and isinstance(zero.features, FloatEnclosure)
    path = prove_path(zero, long, labels, counts).path
    assert path.start_loss[0].fraction() > 10
    short = ExactArray.of_floats(np.eye(2))
    for weights in (long, short):
        found = prove_not_stationary(fine_and_coarse()[0], Dyadic(1, -1), weights, labels, counts)
        assert found.verdict is Verdict.PROVED


def test_a_path_needs_both_ends_finite_and_times_that_can_be_written():
    features, labels, v0 = small_problem(np.random.default_rng(0))
    zero, start = prove_zero_loss(features, labels, 3), ExactArray.of_floats(v0)
    begin, end = enclose_margins(features, [start, zero.weights], labels)
    given = (features, labels, zero.weights, start, begin, end, zero.gamma, [1] * 6)
    assert segment_and_ray(*given, ["1e-3"]) is not None
    unknown = Margins(((arb("nan"), arb(1)),) * 6)
    assert segment_and_ray(*given, ["1e-3"], origin=unknown) is None
    for targets in (["1e-3"], []):  # a gamma of 0 has no time
        assert segment_and_ray(*given[:6], Dyadic(0, 0), [1] * 6, targets) is None
    assert segment_and_ray(*given[:6], Dyadic(2**60, 0), [1] * 6, ["1e-3"]) is None  # gamma above the margins


def test_margins_without_gamma_are_no_end_of_a_path():
    features, labels, v0 = small_problem(np.random.default_rng(0))
    inseparable = prove_zero_loss(fine_and_coarse(0.0)[1], np.array([0, 1]), 2)
    found = prove_path(inseparable, ExactArray.of_floats(v0), labels, [1] * 6)
    assert found.verdict is Verdict.UNDECIDED and "no certified end" in found.reason and features.samples == 6


def escaped(network, u, v, label, **options):
    labels, counts = np.array([0, 1, 1, 1]), np.ones(4, dtype=np.int64)
    return prove_escape(network, u, v, XOR, labels, counts, order=(label,), **options)


def test_escapes_respect_their_limits(monkeypatch):
    """From U = 0 and a random V all of E1, E2, E3 succeed; with no room for work none of the moving ones does."""
    network = Network((2,), (Dense(6, TANH, skip=True),))
    u, v = np.zeros(network.parameter_count), np.random.default_rng(0).normal(size=(6, 2))
    for label, attempt in (("E1", escape_descend), ("E3", escape_sublevel)):
        assert escaped(network, u, v, label).verdict is Verdict.PROVED
        with monkeypatch.context() as patch:
            patch.setattr(escape_start, "WORK_LIMIT", 0.0)
            assert "too large for enclosures" in escaped(network, u, v, label).reason
        with monkeypatch.context() as patch:
            patch.setattr(escape_start, "PIECES", ())
            found = escaped(network, u, v, label)
            assert found.verdict is Verdict.UNDECIDED and "was certified" in found.reason
        with monkeypatch.context() as patch:
            patch.setattr(attempt, "descend_from", lambda *_, **__: "its end is no beginning")
            assert escaped(network, u, v, label).reason.endswith("its end is no beginning")
    monkeypatch.setattr(escape_constant, "descend_from", lambda *_, **__: "its end is no beginning")
    assert "at constant loss, but its end is no beginning" in escaped(network, u, v, "E2").reason
    kinked = Network((2,), (Dense(6, activation("relu"), skip=True),))
    assert "not proved to be analytic" in escaped(kinked, u, v, "E1").reason


def test_an_end_whose_features_do_not_separate_is_no_escape():
    """One unit, XOR: whatever the weights, four samples are not separated."""
    network = Network((2,), (Dense(1, TANH, skip=True),))
    found = escaped(network, np.array([1.0, 0.5, 0.0]), np.array([[1.0, 0.0]]), "E3", max_bits=64)
    assert found.verdict is Verdict.UNDECIDED and "no output weights with certified positive margins" in found.reason


def merging(top_weight, layers=None, size=2):
    """A gate that reads the first coordinate only merges the XOR points in pairs."""
    network = Network((2,), layers or (Dense(1, TANH), Dense(4, TANH, skip=True, inputs=(0, "input"))))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = [[1.0, 0.0]]
    network.views(u)["layer1.weight"][...] = top_weight
    network.views(u)["layer1.bias"][...] = [0.0, 0.5, 1.0, -0.7]
    return network, u


def test_parting_needs_a_gate_that_can_move(monkeypatch):
    slopes = np.array([1.0, 2.0, -1.5, 0.6])
    through_the_gate, past_it = np.zeros((4, 3)), np.zeros((4, 3))
    through_the_gate[:, 0], past_it[:, 1] = slopes, slopes
    network, u = merging(through_the_gate)
    assert part_merged_samples(network, u, XOR) == "a layer that reads the input is not dense"
    network, u = merging(slopes[:, None], (Dense(1, TANH), Dense(4, TANH, skip=True)))
    found = part_merged_samples(network, u, XOR)
    assert sorted(found.groups) == [(0, 1), (2, 3)]
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "MAX_GROUP", 1)
        assert part_merged_samples(network, u, XOR) == "more than 1 samples are merged into one"
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "_part", lambda *_: None)
        assert "no short line was certified" in part_merged_samples(network, u, XOR)
    _, same = merging(np.ones((4, 1)), network.layers)
    network.views(same)["layer1.bias"][...] = 0.0
    assert "no short line was certified" in part_merged_samples(network, same, XOR)  # equal units: rank 1
    conv = Network((1, 2), (Conv(1, (1,), TANH), Dense(4, TANH, skip=True)))
    weights = np.zeros(conv.parameter_count)
    conv.views(weights)["layer1.weight"][:, 0] = slopes
    assert part_merged_samples(conv, weights, XOR) == "a layer that reads the input is not dense"
    plain = Network((2,), (Dense(4, TANH, skip=True),))
    direct = np.zeros(plain.parameter_count)
    plain.views(direct)["layer0.weight"][:, 0] = slopes
    assert part_merged_samples(plain, direct, XOR) == "the skip units read an input coordinate, which cannot move"


def test_samples_that_no_random_weights_separate_are_left_open():
    network = Network((2,), (Dense(4, TANH, skip=True),))
    assert prove_gateway(network, XOR).verdict is Verdict.PROVED
    assert "no random U" in prove_gateway(network, XOR, seeds=0).reason


def test_weights_are_handed_over_only_if_their_sum_is_exact():
    weight = np.array([[1.0, 2.0], [0.5, 0.25]])
    assert _hand_over(weight, 0, 1, 0, zero=False) and weight.tolist() == [[3.0, 0.0], [0.75, 0.0]]
    for pair in ([1.0, 2.0**-60], [1e308, 1e308]):
        weight = np.array([pair])
        with np.errstate(over="ignore"):
            assert not _hand_over(weight, 0, 1, 0, zero=False) and weight.tolist() == [pair]
    assert _hand_over(weight, 0, 1, 0, zero=True) and weight.tolist() == [[1e308, 0.0]]


def test_activations_without_enclosed_bounds_are_left_open(monkeypatch):
    assert activation_bounds(TANH, arb(3)) is not None
    assert activation_bounds(activation("relu"), arb(3)) is None
    assert activation_bounds(TANH, arb("inf")) is None
    assert activation_bounds(activation("exp"), arb(1000)) is None
    monkeypatch.setattr("verifier.sigma.derivatives.MAX_DERIVATIVE_TERMS", 1)
    assert activation_bounds(Activation.from_expression("sin(t)*tanh(t)/7"), arb(3)) is None


def test_a_stationary_point_at_infinity_is_refused():
    """Separable data: the loss has no minimum at finite weights."""
    with pytest.raises(NetworkError, match="lies at infinity"):
        cloned_stationary_point(
            np.array([[-1e-3], [1e-3]]), np.array([0, 1]), 2, activation("exp"), units=1, copies=2, seed=0
        )
