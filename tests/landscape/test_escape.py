"""Escapes: each of the starts, by each escape that can work; the pieces are what they say, at 50 digits."""

from __future__ import annotations

import itertools
from pathlib import Path

import mpmath
import numpy as np
import pytest
from flint import arb

import verifier.run
from verifier.balls.motion import Motion
from verifier.errors import NetworkError
from verifier.landscape import escape_start
from verifier.landscape.escape import prove_escape
from verifier.landscape.escape_constant import constant_loss_lifts
from verifier.landscape.escape_separate import part_merged_samples, prove_gateway
from verifier.landscape.segment import WeightSegment, covering
from verifier.landscape.stationary import cloned_stationary_point
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import initialise, output_weights
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network, approx_features
from verifier.run.case import read_case
from verifier.run.case_problem import case_problem
from verifier.sigma.activations import activation
from verifier.sigma.kernels import approx_mpmath_kernel
from verifier.verdict import Verdict

QUICK = Path(verifier.run.__file__).parent / "cases" / "quick"
TABLE = {  # which escapes are certified from which start; the others must be UNDECIDED
    "digits-zero-start": ("E2", "E3"),
    "start-zero-random": ("E1", "E2", "E3"),
    "start-zero-deep": ("E1", "E2", "E3"),
    "start-cloned-deep": ("E1", "E2", "E3"),
    "start-constant-units": ("E1", "E2", "E3"),
    "start-trained-clone": ("E2", "E3"),
    "start-duplicate-square": ("E1", "E2", "E3"),
    "start-gateway": ("E3", "E4"),
}


def escape_of(name, **options):
    at = case_problem(read_case(QUICK / f"{name}.toml"))
    return at, prove_escape(at.network, at.u, at.v, at.rows.inputs, at.rows.labels, at.rows.multiplicities, **options)


def forward(network, u, inputs, digits=50):
    """Psi(U) for dense networks in mpmath."""
    views, psi = network.views(u), []
    with mpmath.workdps(digits):
        for x in inputs:
            values = []
            for index, layer in enumerate(network.layers):
                z = [v for s in network.sources[index] for v in (map(mpmath.mpf, x) if s == "input" else values[s])]
                kernel = approx_mpmath_kernel(layer.activation)
                weight, bias = views[f"layer{index}.weight"], views[f"layer{index}.bias"]
                values.append(
                    [kernel(mpmath.fdot(row, z) + b) for row, b in zip(weight.tolist(), bias.tolist(), strict=True)]
                )
            psi.append([values[index][unit] for index, units in network.skip_units for unit in units])
    return mpmath.matrix(psi)


def exact_loss(psi, v, labels):
    with mpmath.workdps(50):
        logits, total = psi * mpmath.matrix(v.tolist()), mpmath.mpf(0)
        for i, y in enumerate(labels.tolist()):
            total += mpmath.log(sum(mpmath.exp(logits[i, k] - logits[i, y]) for k in range(v.shape[1])))
        return total / len(labels)


@pytest.mark.parametrize(("name", "label"), [(n, x) for n in TABLE for x in ("E1", "E2", "E3", "E4")])
def test_the_table_of_starts_and_escapes(name, label):
    _, found = escape_of(name, order=(label,))
    wanted = Verdict.PROVED if label in TABLE[name] else Verdict.UNDECIDED
    assert found.verdict is wanted, found.reason
    if found.escape is not None:
        assert found.escape.label == label and found.escape.claim in found.reason


def test_the_order_is_kept():
    _, found = escape_of("start-trained-clone")
    assert found.escape.label == "E2" and [a[:2] for a in found.attempts] == ["E1"]
    _, found = escape_of("start-gateway")
    assert found.escape.label == "E4" and [a[:2] for a in found.attempts] == ["E1", "E2"]


def test_the_trained_start_is_stationary_and_its_units_are_clones():
    at = case_problem(read_case(QUICK / "start-trained-clone.toml"))
    psi = forward(at.network, at.u, at.rows.inputs)
    with mpmath.workdps(50):
        logits, n, m = psi * mpmath.matrix(at.v.tolist()), at.rows.samples, 2
        residual = mpmath.matrix(n, m)
        for i, y in enumerate(at.rows.labels.tolist()):
            total = sum(mpmath.exp(logits[i, k]) for k in range(m))
            for k in range(m):
                residual[i, k] = mpmath.exp(logits[i, k]) / total - (k == y)
        in_v = psi.T * residual / n
        weight = at.network.views(at.u)["layer0.weight"]
        by_unit = residual * mpmath.matrix(at.v.tolist()).T
        in_u = [
            sum(by_unit[i, 0] * (1 - psi[i, 0] ** 2) * power for i, power in enumerate(column)) / n
            for column in (at.rows.inputs[:, 0].tolist(), [1.0] * n)
        ]
        assert max(abs(g) for g in [*in_v, *in_u]) < mpmath.mpf(10) ** -15
    assert len(set(weight.ravel().tolist())) == 1 and at.network.skip_count == at.rows.samples
    assert approx_gradient(at.network, at.u, at.v, at.rows.inputs, at.rows.labels, at.rows.multiplicities).loss > 0.5


def test_the_trained_start_can_be_made_again():
    at = case_problem(read_case(QUICK / "start-trained-clone.toml"))
    made = cloned_stationary_point(at.rows.inputs, at.rows.labels, 2, activation("tanh"), units=1, copies=8, seed=0)
    assert np.allclose(made.u, at.u, atol=1e-6) and np.allclose(made.v, at.v, atol=1e-6) and made.gradient < 1e-14
    with pytest.raises(NetworkError, match="power of two"):
        cloned_stationary_point(at.rows.inputs, at.rows.labels, 2, activation("tanh"), units=1, copies=3, seed=0)


def test_the_loss_decreases_on_e1_and_stays_low_on_e3():
    for label in ("E1", "E3"):
        at, found = escape_of("start-duplicate-square", order=(label,))
        escape = found.escape
        end_v = at.v if escape.end_weights is None else escape.end_weights.approx()
        times = np.linspace(0, 1, 21)
        losses = [
            exact_loss(
                forward(at.network, at.u + t * (escape.end_u - at.u), at.rows.inputs),
                at.v + t * (end_v - at.v),
                at.rows.labels,
            )
            for t in times
        ]
        if label == "E1":
            assert all(b < a for a, b in itertools.pairwise(losses))
        else:
            assert max(losses) < losses[0] + mpmath.mpf(float(escape.epsilon))


@pytest.mark.parametrize("seed", range(12))
def test_lifts_keep_every_logit(seed):
    """Random clones, constant and zero units, two layers: V moved onto what rests gives the same logits all the way."""
    rng = np.random.default_rng(seed)
    names = ("tanh", "sigmoid", "sin", "erf")
    layers = (
        Dense(4, activation(names[seed % 4]), skip=bool(seed % 2)),
        Dense(6, activation(names[seed // 4]), skip=True),
    )
    network = Network((2,), layers)
    u = rng.integers(-6, 7, network.parameter_count) / 4.0
    views = network.views(u)
    views["layer0.weight"][2], views["layer0.bias"][2] = views["layer0.weight"][0], views["layer0.bias"][0]
    views["layer0.weight"][3], views["layer0.bias"][3] = 0.0, 0.0
    views["layer1.weight"][4], views["layer1.bias"][4] = views["layer1.weight"][1], views["layer1.bias"][1]
    if seed % 3 == 0:
        views["layer1.weight"][5] = 0.0
        views["layer1.weight"][3] = 0.0
    v, x = rng.normal(size=(network.skip_count, 3)), rng.normal(size=(3, 2))
    start = forward(network, u, x)
    row = [arb(str(start[0, j])) for j in range(network.skip_count)]
    lifts = constant_loss_lifts(network, u, v, x, row, seed)
    assert lifts and lifts[0].moved_units >= 2
    for lift in lifts:
        middle = u if lift.rerouted is None else lift.rerouted
        with mpmath.workdps(50):
            for t in (mpmath.mpf(1) / 3, mpmath.mpf(1)):
                onway = forward(network, u + float(t) * (middle - u), x)
                assert mpmath.mnorm(onway - start, "f") < (1e-14 if t < 1 else mpmath.mpf(10) ** -40)
            end = forward(network, lift.end, x)
            rest = [
                j
                for j in range(network.skip_count)
                if mpmath.mnorm(end[:, j] - start[:, j], "f") < mpmath.mpf(10) ** -40
            ]
            # the logits lie in the span of the columns that rest: least squares leaves nothing
            logits = start * mpmath.matrix(v.tolist())
            basis = mpmath.matrix([[start[i, j] for j in rest] for i in range(3)])
            stacked = np.array(basis.tolist(), dtype=float).reshape(3, len(rest))
            want = np.array(logits.tolist(), dtype=float)
            margins = want - want[:, :1]
            assert np.linalg.norm(stacked @ np.linalg.lstsq(stacked, margins, rcond=None)[0] - margins) < 1e-9


def test_nothing_to_lift():
    network = Network((2,), (Dense(5, activation("tanh"), skip=True),))
    u, v, x = initialise(network, seed=0), np.ones((5, 2)) * [[1.0, 2.0]], np.eye(2)
    assert constant_loss_lifts(network, u, v, x, [arb(1)] * 5) == []


def test_a_unit_that_is_zero_carries_no_constant():
    """Units 0 and tanh(1), both constant, and a generic one: nothing at rest can take over the part of tanh(1)."""
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    u, x = np.array([0.0, 0.0, 0.0, 0.0, 0.5, -1.0, 0.0, 1.0, 0.25]), np.eye(2)
    row, v = [arb(0), arb(1).tanh(), arb("0.635")], np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    assert all(lift.end[7] == 1.0 and not lift.end[2:4].any() for lift in constant_loss_lifts(network, u, v, x, row))
    u[6], row[0] = 2.0, arb(2).tanh()  # the first unit is tanh(2): it carries the other's part
    assert any(lift.end[7] != 1.0 for lift in constant_loss_lifts(network, u, v, x, row))


def test_equal_constant_units_carry_each_other_though_their_value_may_be_zero():
    """tanh(1) twice, in an enclosure that does not exclude 0: the second unit's part goes to the first all the same."""
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    u, x = np.array([0.0, 0.0, 0.0, 0.0, 0.5, -1.0, 1.0, 1.0, 0.25]), np.eye(2)
    v = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    lift = constant_loss_lifts(network, u, v, x, [arb(0, 1), arb(0, 1), arb("0.635")])[0]
    assert lift.end[7] != 1.0 and lift.weights.approx().tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]]


def test_a_row_of_equal_output_weights_does_not_matter():
    """Every row of V is constant over the classes: all units may move although nothing carries them."""
    network = Network((2,), (Dense(5, activation("tanh"), skip=True),))
    u, x = initialise(network, "cloned", seed=0, units=2), np.eye(2)
    assert constant_loss_lifts(network, u, np.ones((5, 2)), x, [arb(1)] * 5)


def test_merged_samples_part_with_the_same_logits():
    at = case_problem(read_case(QUICK / "start-gateway.toml"))
    parting = part_merged_samples(at.network, at.u, at.rows.inputs)
    assert sorted(map(len, parting.groups)) == [3, 4]
    start = forward(at.network, at.u, at.rows.inputs, 80)
    with mpmath.workdps(80):
        logits = start * mpmath.matrix(at.v.tolist())
        for t in (1.0, 0.125):
            psi = forward(at.network, at.u + t * (parting.end - at.u), at.rows.inputs, 80)
            solved = psi**-1 * logits  # M = N: the only V(t) that keeps the logits
            assert mpmath.mnorm(psi * solved - logits, "f") < mpmath.mpf(10) ** -40
            assert mpmath.mnorm(solved, "f") < 1e6  # it stays bounded as the samples merge


def test_parting_says_why_not():
    tanh = activation("tanh")
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    wide = Network((2,), (Dense(1, tanh), Dense(3, tanh, skip=True)))
    assert part_merged_samples(wide, initialise(wide, seed=0), x) == "no samples are merged"
    assert "M = 2 < N = 3" in part_merged_samples(Network((2,), (Dense(1, tanh), Dense(2, tanh, True))), np.zeros(7), x)
    plain = Network((2,), (Dense(3, tanh, skip=True),))
    assert "one and the same unit" in part_merged_samples(plain, initialise(plain, seed=0), x)
    both = Network((2,), (Dense(3, tanh, skip=True), Dense(3, tanh, skip=True)))
    assert "not those of one dense layer" in part_merged_samples(both, initialise(both, seed=0), x)


@pytest.mark.parametrize(
    ("layers", "verdict", "words"),
    [
        ((Dense(3, activation("tanh")), Dense(4, activation("tanh"), True)), Verdict.PROVED, "from EVERY"),
        ((Dense(4, activation("gelu"), True),), Verdict.PROVED, "from EVERY"),
        ((Dense(4, activation("cubic"), True),), Verdict.UNDECIDED, "no polynomial"),
        ((Dense(3, activation("relu")), Dense(4, activation("tanh"), True)), Verdict.UNDECIDED, "real analytic"),
        ((Dense(4, activation("tanh"), True), Dense(1, activation("tanh"))), Verdict.UNDECIDED, "is read by"),
        ((Dense(2, activation("tanh"), True),), Verdict.UNDECIDED, "M = 2 < N = 3"),
    ],
)
def test_gateway_hypotheses(layers, verdict, words):
    found = prove_gateway(Network((2,), layers), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert found.verdict is verdict and words in found.reason


def test_equal_samples_are_never_separated():
    network = Network((1,), (Dense(3, activation("tanh"), True),))
    assert prove_gateway(network, np.array([[1.0], [1.0]])).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("seed", range(4))
def test_slopes_and_losses_along_a_segment(seed):
    rng = np.random.default_rng(seed)
    network = Network(
        (1, 3, 3),
        (Conv(2, (2, 2), activation("sin"), (1, 1)), AvgPool((2, 2), skip=True), Dense(3, activation("tanh"), True)),
    )
    u, x = initialise(network, seed=seed, scale=0.7), rng.normal(size=(4, 9))
    end, v = u + 0.1 * rng.normal(size=u.shape), output_weights(network, 3, seed=seed)
    w, labels, counts = v + 0.1 * rng.normal(size=v.shape), np.array([0, 1, 2, 1]), np.array([1, 3, 1, 2])
    segment = WeightSegment(Motion(network, u, end, x, 64), v, w, labels, counts.tolist())
    for ball in covering(3, 64):
        loss, slope = segment.loss(ball), segment.slope(ball)
        for t in (float(ball.mid()), float(ball.lower()), float(ball.upper())):
            at = approx_gradient(network, u + t * (end - u), v + t * (w - v), x, labels, counts)
            rate = float(at.du @ (end - u) + (at.dv * (w - v)).sum())
            assert abs(at.loss - float(loss.mid())) <= float(loss.rad()) + 1e-12
            assert abs(rate - float(slope.mid())) <= float(slope.rad()) + 1e-12


def test_the_cover_leaves_no_gap():
    for pieces in (1, 3, 7, 64):
        balls = covering(pieces, 53)
        assert balls[0].contains(arb(0)) and balls[-1].contains(arb(1))
        assert all(a.upper() >= b.lower() for a, b in itertools.pairwise(balls))


def test_an_impossible_start_is_undecided():
    """A tied bias makes both columns equal for every U: no escape exists, and none is claimed."""
    at = case_problem(read_case(QUICK / "tied-bias.toml"))
    found = prove_escape(at.network, at.u, at.v, at.rows.inputs, at.rows.labels, at.rows.multiplicities, max_bits=256)
    assert found.verdict is Verdict.UNDECIDED and len(found.attempts) == 4
    psi = approx_features(at.network, at.u, at.rows.inputs)
    assert np.linalg.matrix_rank(psi) == 1


@pytest.mark.parametrize("label", ["E1", "E2", "E3"])
def test_the_budget_of_a_start_ends_its_attempts(label, monkeypatch):
    monkeypatch.setattr(escape_start, "BUDGET", 0.0)
    _, found = escape_of("start-zero-random", order=(label,))
    assert found.verdict is Verdict.UNDECIDED
    assert "the budget for escapes at this size is spent" in found.reason
