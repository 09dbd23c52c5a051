"""S.path: a path from ReLU starts without full rank, constant and then decreasing; its parts and its refusals."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.fuzz import oracle
from verifier.landscape import sink_path
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.rational import RationalFeatures
from verifier.verdict import Verdict

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = [0, 1, 1, 0]


def start(layers, *, planted):
    """A random start, of whose last layer's units the first ones are dead."""
    network = Network((2,), layers)
    u = vf.initialise(network, seed=3)
    views = network.layer_views(u)
    views["layer0.weight"][...] = abs(views["layer0.weight"])
    views["layer0.bias"][...] = 0.5
    views[f"layer{len(layers) - 1}.bias"][:planted] = -64.0
    return network, u, np.random.default_rng(0).normal(size=(network.skip_count + network.output_bias, 2))


@pytest.mark.parametrize(
    ("layers", "planted"),
    [
        ([Dense(6, "relu", skip=True)], 6),
        ([Dense(6, "relu", skip=True)], 5),
        ([Dense(5, "relu"), Dense(6, "max(t, t/8)", skip=True)], 0),
        ([Dense(2, "relu", skip=True), Dense(6, "relu", skip=True)], 6),
    ],
)
def test_a_start_of_small_rank_gets_a_path_that_the_checker_proves(layers, planted, tmp_path):
    network, u, v = start(layers, planted=planted)
    if not planted:
        network.views(u)["layer1.weight"][...] = network.views(u)["layer1.weight"][0]
        network.views(u)["layer1.bias"][...] = network.views(u)["layer1.bias"][0]
    found = vf.verify(X, Y, network, u, v)
    escape = found.escape.escape
    assert found.verdict("path") is Verdict.PROVED and escape.label == "S.path"
    assert "constant, then strictly decreasing" in escape.claim and len(escape.path.before) == 2
    low, high = escape.path.start_loss
    for s in (0.0, 0.5, 1.0, 1.5, 2.0):
        loss = escape.path.exact_loss(s)
        assert low.arb() <= loss.upper() and loss.lower() <= high.arb()
    values = [float(escape.path.exact_loss(s).mid()) for s in (2.0, 2.5, 3.0, 99.0)]
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 2
    certificate = found.write(tmp_path / "c.json")
    assert check_file(str(certificate), 1).verdict == "ACCEPTED"
    assert "S.path" in {claim["label"] for claim in json.loads(certificate.read_text())["claims"]}


def test_the_weights_that_carry_the_logits_are_exact_to_many_digits():
    rng = np.random.default_rng(1)
    rows = [[int(x) for x in row] for row in (rng.integers(-99, 99, (9, 5)) @ rng.integers(-99, 99, (5, 12)))]
    values, v = RationalFeatures(None, True, rows, 64), rng.normal(size=(12, 3))
    basis = sink_path.column_basis(values, 5, False)
    assert len(basis) == 5
    carried = sink_path.carried_by(values, basis, v)
    numerators, exponent = carried.integers()
    exact = [[Fraction(x) * Fraction(2) ** exponent for x in numerators[i : i + 3]] for i in range(0, 36, 3)]
    assert not any(any(exact[j]) for j in range(12) if j not in basis)
    for row in rows:
        for k in range(3):
            wanted = sum(a * Fraction(b) for a, b in zip(row, v[:, k].tolist(), strict=True))
            here = sum(a * b[k] for a, b in zip(row, exact, strict=True))
            assert abs(here - wanted) < Fraction(1, 2**150)
    square, right = [row[:5] for row in rows[:5]], sink_path.fmpz_mat([[1], [2], [3], [4], [5]])
    balls, floats = sink_path._solved(square, right), sink_path._refined(square, right)
    both = [[Fraction(x) * Fraction(2) ** low for x in numbers] for numbers, low in (balls, floats)]
    assert max(abs(a - b) for a, b in zip(*both, strict=True)) < Fraction(1, 2**150)


def test_the_output_bias_is_in_the_basis():
    rows = [[2, 1, 1], [4, 2, 1], [6, 3, 1]]
    assert 2 in sink_path.column_basis(RationalFeatures(None, True, rows, 1), 2, True)
    assert sink_path._leading_columns(rows, [2, 0, 1]) == [0, 2]


def test_a_basis_is_one_or_there_is_none():
    """Modulo the prime the columns have rank 1, over the rationals 2; in binary64 they look equal."""
    rows = [[1, 1], [1, 1 + sink_path.PRIME]]
    assert sink_path.column_basis(RationalFeatures(None, True, rows, 1), 2, False) is None
    nearly = [[10**20, 10**20, 0], [10**20, 10**20 + 1, 0], [0, 0, 0]]
    assert sink_path.column_basis(RationalFeatures(None, True, nearly, 1), 2, False) == [0, 1]
    assert sink_path.column_basis(RationalFeatures(None, True, [[0, 0]], 1), 0, False) == []


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([Dense(6, "tanh", skip=True)], "node 4 (map): tanh does not map rational numbers"),
        (
            [Dense(6, "relu", skip=True), Dense(3, "relu", skip=True)],
            "samples 0 and 1, of different classes, are equal in",
        ),
    ],
)
def test_why_there_is_none(layers, why):
    network, u, v = start(layers, planted=0)
    u[:] = 0.0
    found = vf.prove_escape(network, u, v, X, Y, [1] * 4, order=["S.path"])
    assert found.verdict is Verdict.UNDECIDED and why in found.reason, found.reason


def test_full_rank_leaves_nothing_to_move():
    network, u, v = start([Dense(8, "t**3", skip=True)], planted=0)
    network.views(u)["layer0.bias"][...] = np.arange(8.0)
    psi = oracle.exact_features(network, u, X)
    found = vf.prove_escape(network, u, v, X, Y, [1] * 4, order=["S.path"])
    assert len(psi) == 4 and "full rank at this U already" in found.reason
