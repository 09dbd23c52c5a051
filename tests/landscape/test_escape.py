"""Escapes: each of the starts, by each escape that can work; the pieces are what they say, at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from everyday import one_in
from flint import arb
from landscape.starts import escape_from, problem_of
from landscape.stationary import cloned_stationary_point
from planted import oracle

from verifier.errors import NetworkError
from verifier.landscape import escape_start
from verifier.landscape.escape_constant import constant_loss_motions
from verifier.landscape.escape_separate import part_merged_samples, prove_gateway
from verifier.network.forward import approx_features
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

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


@pytest.mark.parametrize(("name", "label"), one_in(3, [(n, x) for n in TABLE for x in ("E1", "E2", "E3", "E4")]))
def test_the_table_of_starts_and_escapes(name, label):
    found = escape_from(name, label)
    wanted = Verdict.PROVED if label in TABLE[name] else Verdict.UNDECIDED
    assert found.verdict is wanted, found.reason
    if found.escape is not None:
        assert found.escape.label == label and found.escape.claim in found.reason


def test_the_order_is_kept():
    found = escape_from("start-trained-clone")
    assert found.escape.label == "E2" and [a[:2] for a in found.attempts] == ["E1"]
    found = escape_from("start-gateway")
    assert found.escape.label == "E4" and [a[:2] for a in found.attempts] == ["E1", "E2", "S."]


def test_the_trained_start_is_stationary_and_its_units_are_clones():
    at = problem_of("start-trained-clone")
    psi = mpmath.matrix(oracle(at.network, at.u, at.rows.inputs))
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
    at = problem_of("start-trained-clone")
    made = cloned_stationary_point(at.rows.inputs, at.rows.labels, 2, activation("tanh"), units=1, copies=8, seed=0)
    assert np.allclose(made.u, at.u, atol=1e-6) and np.allclose(made.v, at.v, atol=1e-6) and made.gradient < 1e-14
    with pytest.raises(NetworkError, match="power of two"):
        cloned_stationary_point(at.rows.inputs, at.rows.labels, 2, activation("tanh"), units=1, copies=3, seed=0)


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
    start = mpmath.matrix(oracle(network, u, x))
    row = [arb(str(start[0, j])) for j in range(network.skip_count)]
    motions = constant_loss_motions(network, u, v, x, row, seed)
    assert motions and motions[0].moved_units >= 2
    for motion in motions:
        middle = u if motion.rerouted is None else motion.rerouted
        with mpmath.workdps(50):
            for t in (mpmath.mpf(1) / 3, mpmath.mpf(1)):
                onway = mpmath.matrix(oracle(network, u + float(t) * (middle - u), x))
                assert mpmath.mnorm(onway - start, "f") < (1e-14 if t < 1 else mpmath.mpf(10) ** -40)
            later = [mpmath.matrix(oracle(network, u, x)) for u in (middle + 0.5 * (motion.end - middle), motion.end)]
            rest = [
                j
                for j in range(network.skip_count)
                if all(mpmath.mnorm(at[:, j] - start[:, j], "f") < mpmath.mpf(10) ** -40 for at in later)
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
    assert constant_loss_motions(network, u, v, x, [arb(1)] * 5) == []


def test_a_unit_that_is_zero_carries_no_constant():
    """Units 0 and tanh(1), both constant, and a generic one: nothing at rest can take over the part of tanh(1)."""
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    u, x = np.array([0.0, 0.0, 0.0, 0.0, 0.5, -1.0, 0.0, 1.0, 0.25]), np.eye(2)
    row, v = [arb(0), arb(1).tanh(), arb("0.635")], np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    found = constant_loss_motions(network, u, v, x, row)
    assert all(motion.end[7] == 1.0 and not motion.end[2:4].any() for motion in found)
    u[6], row[0] = 2.0, arb(2).tanh()  # the first unit is tanh(2): it carries the other's part
    assert any(motion.end[7] != 1.0 for motion in constant_loss_motions(network, u, v, x, row))


def test_equal_constant_units_carry_each_other_though_their_value_may_be_zero():
    """tanh(1) twice, in an enclosure that does not exclude 0: the second unit's part goes to the first all the same."""
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    u, x = np.array([0.0, 0.0, 0.0, 0.0, 0.5, -1.0, 1.0, 1.0, 0.25]), np.eye(2)
    v = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    motion = constant_loss_motions(network, u, v, x, [arb(0, 1), arb(0, 1), arb("0.635")])[0]
    assert motion.end[7] != 1.0 and motion.weights.approx().tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]]


def test_a_row_of_equal_output_weights_does_not_matter():
    """Every row of V is constant over the classes: all units may move although nothing carries them."""
    network = Network((2,), (Dense(5, activation("tanh"), skip=True),))
    u, x = initialise(network, "cloned", seed=0, units=2), np.eye(2)
    assert constant_loss_motions(network, u, np.ones((5, 2)), x, [arb(1)] * 5)


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
        ((Dense(4, activation("cubic"), True),), Verdict.UNDECIDED, "a polynomial of degree 3"),
        ((Dense(3, activation("relu")), Dense(4, activation("tanh"), True)), Verdict.UNDECIDED, "real analytic"),
        ((Dense(4, activation("tanh"), True), Dense(1, activation("tanh"))), Verdict.UNDECIDED, "is read by"),
        ((Dense(2, activation("tanh"), True),), Verdict.UNDECIDED, "M = 2 < N = 3"),
    ],
)
def test_gateway_hypotheses(layers, verdict, words):
    found = prove_gateway(Network((2,), layers), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert found.verdict is verdict and words in found.reason


def test_an_impossible_start_is_undecided():
    """A tied bias makes both columns equal for every U: no escape exists, and none is claimed."""
    at = problem_of("tied-bias")
    found = escape_from("tied-bias", max_bits=256)
    assert found.verdict is Verdict.UNDECIDED and len(found.attempts) == 5
    psi = approx_features(at.network, at.u, at.rows.inputs)
    assert np.linalg.matrix_rank(psi) == 1


@pytest.mark.parametrize("label", ["E1", "E2", "E3"])
def test_the_budget_of_a_start_ends_its_attempts(label, monkeypatch):
    monkeypatch.setattr(escape_start, "BUDGET", 0.0)
    found = escape_from.__wrapped__("start-zero-random", label)
    assert found.verdict is Verdict.UNDECIDED
    assert "the budget for escapes at this size is spent" in found.reason
