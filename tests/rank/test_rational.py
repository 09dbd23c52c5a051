"""R6: features in exact rational arithmetic, their rank over the rationals, and what the ladder concludes from it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq

import verifier as vf
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.checker.certificate import check_file
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import integer_arithmetic, rational
from verifier.rank.certify import prove_rank
from verifier.rank.exact_arithmetic import rational_activations
from verifier.rank.rational import exact_rank, rational_features
from verifier.verdict import Verdict

PIECEWISE = ["relu", "max(t, t/8)", "abs(t)", "max(-1, min(1, t))", "t", "t**2", "t/(1 + t**2)", "max(0, min(6, t))"]


def fraction_rank(rows):
    """Gaussian elimination in Fractions, pivot by pivot: another arithmetic than FLINT's."""
    rows, rank = [list(map(Fraction, row)) for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] / rows[rank][column]
            if factor:
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


def dead_relu(n, m, dead, seed=0):
    """A ReLU layer of which some units are 0 on all samples; returns its network, U and the samples."""
    rng = np.random.default_rng(seed)
    x, w, b = rng.random((n, 8)), rng.normal(size=(m, 8)), 0.3 * rng.normal(size=m)
    w[:dead], b[:dead] = -np.abs(w[:dead]), -0.1
    network = Network((8,), (Dense(m, "relu", skip=True),))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = w
    network.views(u)["layer0.bias"][...] = b
    return network, u, x


def fractions_of(values):
    assert all(not terms for row in values.values for _, terms in row)
    return [[Fraction(int(c.p), int(c.q)) for c, _ in row] for row in values.values]


@pytest.mark.parametrize("activation", PIECEWISE)
@pytest.mark.parametrize("seed", range(2))
def test_values_are_exact_through_layers_convolutions_and_pools(activation, seed):
    rng = np.random.default_rng(seed)
    nets = [
        Network((3,), (Dense(4, activation, skip=True), Dense(5, activation, skip=True, inputs=("input", 0)))),
        Network((2, 6), (Conv(3, (3,), activation, padding=1), AvgPool((2,)), Dense(4, activation, skip=True))),
    ]
    for network in nets:
        u, x = rng.normal(size=network.parameter_count), rng.normal(size=(5, network.dimension))
        if "/" in activation:  # quotients of long numbers become too long to be followed
            u, x = np.round(64 * u) / 64, np.round(64 * x) / 64
        found = rational_features(network, u, x)
        assert found.rational and rational_activations(network)
        enclosure = FeatureEnclosure(network, u, x, 512)
        (balls,) = [block.tolist() for _, block in enclosure.blocks()]
        with working_precision(512):
            for row, line in zip(found.values, balls, strict=True):
                for (value, _), ball in zip(row, line, strict=True):
                    assert ball.contains(arb(value)) or abs(ball - arb(value)) < arb(2) ** -400 * (1 + abs(ball))


def test_symbols_are_equal_only_for_equal_numbers():
    """Clones, mirrored units and merged samples; two units whose arguments differ in the last bit stay apart."""
    network = Network((1,), (Dense(4, "tanh", skip=True), Dense(2, "sigmoid", skip=True, inputs=("input",))))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = [[1.0], [-1.0], [np.nextafter(1.0, 2.0)], [0.0]]
    network.views(u)["layer1.weight"][...] = [[1.0], [-1.0]]
    found = rational_features(network, u, np.array([[0.0], [0.5], [-0.5]]))
    zero, half, minus = found.values
    assert all(not terms for _, terms in zero[:4]) and zero[4] == zero[5] == (fmpq(1, 2), ())
    assert half[0][1][0][0] == half[1][1][0][0] != half[2][1][0][0]
    assert half[0][1][0][1] == -half[1][1][0][1] == minus[1][1][0][1]
    assert half[3] == (0, ())
    # sigmoid(-t) = 1 - sigmoid(t): a constant, and the same number with the other sign
    assert half[4][0] + half[5][0] == 1 and half[4][1][0][1] == -half[5][1][0][1]
    assert not found.rational


@pytest.mark.parametrize(("n", "m", "rank"), [(6, 9, 4), (9, 9, 9), (9, 12, 8), (12, 12, 1)])
def test_the_rank_is_that_of_an_elimination_in_fractions(n, m, rank):
    rng = np.random.default_rng(n * m + rank)
    a, b = rng.integers(-9, 10, (n, rank)), rng.integers(-9, 10, (rank, m))
    network = Network((m,), (Dense(m, "identity", skip=True),))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = np.eye(m)
    values = rational_features(network, u, (a @ b) / 64.0)
    found = exact_rank(values)
    assert found.exact and found.rational and found.rank == fraction_rank(fractions_of(values))


@pytest.mark.parametrize(("n", "m", "dead"), [(12, 14, 5), (40, 44, 12)])
def test_dead_units_are_refuted_in_seconds(n, m, dead):
    network, u, x = dead_relu(n, m, dead)
    rank = fraction_rank(fractions_of(rational_features(network, u, x)))
    for features in (FloatEnclosure(network, u, x, numpy_backend()), FeatureEnclosure(network, u, x, 64)):
        found, _ = prove_rank(features)
        assert found.verdict is Verdict.REFUTED and found.label == "R6", found.reason
        assert found.deficiency.rank_at_most == rank
        assert not any("R3" in text for text in found.attempts)
    few, _ = prove_rank(FloatEnclosure(network, u, x, numpy_backend()), max_bits=53)
    assert few.verdict is Verdict.REFUTED and few.label == "R6"


def test_a_rank_that_no_precision_at_hand_shows_is_proved():
    """Two ReLU rows that differ by 2^-900: 64 bits do not tell them apart, exact numbers do."""
    network = Network((2,), (Dense(2, "relu", skip=True),))
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = [[1.0, 0.0], [1.0, 2.0**-900]]
    x = np.array([[1.0, 0.0], [1.0, 1.0]])
    found, _ = prove_rank(FeatureEnclosure(network, u, x, 64), max_bits=128)
    assert found.verdict is Verdict.PROVED and found.label == "R6" and found.sigma_lower == 0.0
    assert "minor" in found.reason and "sigma_N >=" not in repr(found)
    equal, _ = prove_rank(FeatureEnclosure(network, u * 0 + 1.0, x, 64), max_bits=128)
    assert equal.verdict is Verdict.REFUTED


def test_what_is_not_decided_says_so_and_why(monkeypatch):
    network, rng = Network((4,), (Dense(14, "relu", skip=True),)), np.random.default_rng(3)
    u, x = rng.normal(size=network.parameter_count), rng.random((12, 4))
    network.views(u)["layer0.bias"][...] = 99.0  # all units are affine on the samples, and none is a copy
    monkeypatch.setattr(rational, "RANK_SECONDS", 0.0)
    found, _ = prove_rank(FeatureEnclosure(network, u, x, 64))
    assert found.verdict is Verdict.UNDECIDED and "max_bits" not in found.reason
    assert "no precision would show it" in found.reason
    monkeypatch.setattr(integer_arithmetic, "WORK", 0)
    assert "multiply-adds" in rational_features(network, u, x)
    found, _ = prove_rank(FeatureEnclosure(network, u, x, 64), max_bits=128)
    assert found.verdict is Verdict.UNDECIDED and any("not computed" in text for text in found.attempts)
    assert "numerical rank 5 of 12" in found.reason and "max_bits = 4096 tells better" in found.reason


def test_the_whole_pipeline_and_what_the_certificate_holds(tmp_path):
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), [0, 1, 1, 0]
    w = {"layer0.weight": [[1, 1], [1, -1], [-1, 1], [-1, -1], [-1, -2.0]], "layer0.bias": [0.5, 0.25, 0.125, -1, -1]}
    found = vf.verify(x, y, [vf.Dense(5, "relu", skip=True)], w)
    assert found.verdict("rank") is Verdict.REFUTED and found.rank.label == "R6"
    assert found.verdict("zero_loss") is Verdict.PROVED and found.verdict("path") is Verdict.PROVED
    written = found.write(tmp_path / "c.json")
    assert vf.check(written).accepted is True


def test_rational_columns_beside_others_prove_full_rank_and_no_certificate_says_so(tmp_path):
    """The checker takes rational activations only: nothing that it would reject is written."""
    units = (Dense(2, "relu", skip=True), Dense(1, "tanh", skip=True, inputs=("input",)))
    network = Network((2,), units)
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = [[1.0, 0.0], [1.0, 2.0**-900]]
    network.views(u)["layer1.weight"][...] = [[1.0, 0.5]]
    x = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert not rational_activations(network)
    values = rational_features(network, u, x)
    assert not values.rational and exact_rank(values).rank == 2 and exact_rank(values).rational
    network.views(u)["layer1.weight"][...] = 0.0  # tanh(0) = 0: a rational number after all
    assert rational_features(network, u, x).rational
    for weight in (0.0, 0.5):
        network.views(u)["layer1.weight"][...] = weight
        found = vf.verify(x, [0, 1], network, u)
        assert found.verdict("rank") is Verdict.PROVED
        assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


@pytest.mark.parametrize("activation", ["sqrt(Max(0, t - 10))", "Max(t, 0) + exp(Max(0, t - 99)) - 1"])
def test_an_activation_that_is_rational_only_here_is_in_no_certificate(activation, tmp_path):
    """Its values on these samples are rational numbers, but not by arithmetic alone: the checker would reject them."""
    network = Network((1,), (Dense(4, activation, skip=True),))
    assert not rational_activations(network)
    found = vf.verify([[-1.0], [0.0], [1.0], [2.0]], [0, 1, 0, 1], network, np.zeros(8))
    assert found.zero_loss.verdict is Verdict.REFUTED
    assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


def test_numbers_that_are_too_long_for_the_checker_are_in_no_certificate(tmp_path):
    """The checker follows 8192 bits in an activation, the prover longer ones: what it proves by them stands alone."""
    network = Network((1,), (Dense(1, "t/(1 + t**2)"), Dense(1, "t/(1 + t**2)"), Dense(4, "t/(1 + t**2)", skip=True)))
    u = np.full(network.parameter_count, 2.0**-300 / 3)
    network.views(u)["layer2.weight"][...] = 1.0
    found = vf.verify([[1 / 3], [2.0**-200 / 3], [3.0], [-0.7]], [0, 1, 0, 1], network, u)
    assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
    values = rational_features(network, u, found.data.inputs)
    assert values.rational and not values.followed
    assert found.rank.verdict is Verdict.REFUTED and found.zero_loss.verdict is Verdict.REFUTED
