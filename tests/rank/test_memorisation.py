"""J3: what is proved by exact fractions, how many samples there can be, and what must not be proved."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import verifier as vf
from verifier import Verdict
from verifier.checker.certificate import check_file
from verifier.network.blocks import Activate, Linear, MaxPool
from verifier.network.network import Network
from verifier.rank import memorisation
from verifier.rank.jacobian_rank import JacobianInverse
from verifier.rank.memorisation import best_plan, most_samples, prove_memorisation

FIFTH = "t**5 - t"
"""Exact at fractions, and not homogeneous."""


def exact_jacobian(u, v, x, sigma=lambda t: t**5 - t, slope=lambda t: 5 * t**4 - 1):
    """The logits of one dense layer and their Jacobian in all parameters, in fractions, by its formula."""
    units, outputs = v.shape
    d, rows, values = x.shape[1], [], []
    for sample in x.tolist():
        s = [Fraction(t) for t in sample]
        weights = [[Fraction(t) for t in u[j * d : (j + 1) * d].tolist()] for j in range(units)]
        z = [sum(map(lambda a, b: a * b, w, s)) + Fraction(u[units * d + j]) for j, w in enumerate(weights)]
        value, rate = list(map(sigma, z)), list(map(slope, z))
        for k in range(outputs):
            out = [Fraction(t) for t in v[:, k].tolist()]
            values.append(sum(a * b for a, b in zip(value, out, strict=True)))
            row = [out[j] * rate[j] * t for j in range(units) for t in s]
            row += [out[j] * rate[j] for j in range(units)]
            rows.append(
                row + [value[j] if k == other else Fraction(0) for j in range(units) for other in range(outputs)]
            )
    return values, rows


def rank(rows):
    """The exact rank."""
    return fmpq_mat([[fmpq(t.numerator, t.denominator) for t in row] for row in rows]).rank()


@pytest.mark.parametrize(("d", "units", "outputs"), [(1, 2, 1), (2, 5, 1), (3, 7, 2), (2, 4, 1), (4, 9, 3)])
def test_the_logits_are_0_and_their_jacobian_is_onto_in_fractions(d, units, outputs):
    network = Network(d, vf.Dense(units, FIFTH, skip=True))
    count = most_samples(network, outputs)
    assert count > units
    x = np.random.default_rng(d).permutation(np.arange(8 * count * d))[: count * d].reshape(count, d) / 8.0 - count
    found = prove_memorisation(network, x, outputs)
    if found.proved:
        assert found.where is not None and found.everywhere
        values, rows = exact_jacobian(found.where.u, found.where.v, x)
        assert not any(values)
        assert rank(rows) == count * outputs
        assert count * outputs <= network.parameter_count + units * outputs
    assert found.proved or "||I - J B||_inf" in found.reason


def test_how_many_samples_there_can_be():
    dense = vf.Dense(8, "tanh", skip=True)
    assert most_samples(Network(30, dense), 1) == 128
    assert most_samples(Network(30, dense, output_bias=True), 1) == 129
    assert most_samples(Network(30, dense), 3) == 64
    assert most_samples(Network(30, dense), 2) == 2 * 32 + 2  # two groups of three, two units beside
    assert most_samples(Network(2, dense), 3) == 8  # nothing is gained: q + 1 <= m
    assert most_samples(Network(30, vf.Dense(1, "tanh", skip=True)), 1) == 1
    deep = Network(5, [vf.Dense(3, "tanh", skip=True), vf.Dense(8, "tanh", skip=True)])
    assert most_samples(deep, 1) == 4 * 5 + 3  # the upper layer reads three units; the lower ones are columns beside
    assert best_plan(Network(30, Linear(4, skip=True)), 1) is None  # no activation: no units


def test_what_is_too_large_is_not_tried_or_not_certified(monkeypatch):
    network, x = Network(30, vf.Dense(40, "tanh", skip=True)), np.zeros((601, 30))
    found = prove_memorisation(network, x, 1)
    assert found.verdict is Verdict.UNDECIDED and found.applies and "vf.architecture" in found.reason
    monkeypatch.setattr(memorisation, "MOST_CERTIFIED", 19)
    found = prove_memorisation(Network(6, vf.Dense(6, "tanh", skip=True)), None, 2, samples=10)
    assert found.proved and found.found is None


def test_few_samples_take_few_groups():
    plan = best_plan(Network(30, vf.Dense(40, "tanh", skip=True)), 1, samples=50)
    assert plan is not None and plan.groups == 1 and plan.reach >= 50


@pytest.mark.parametrize(
    ("network", "outputs", "words"),
    [
        (Network(2, vf.Dense(9, "tanh", skip=True)), 1, "M = 9 >= N = 9"),
        (Network(1, vf.Dense(4, "tanh", skip=True)), 1, "is more than 6"),
        (Network(2, [vf.Dense(2, "tanh"), Activate("t", skip=True)]), 1, "needs a dense layer with 2 skip units"),
        (Network(2, vf.Dense(4, "tanh", skip=True)), 3, "needs a dense layer with 4 skip units"),
    ],
)
def test_where_it_says_nothing(network, outputs, words):
    x = np.arange(9.0 * network.dimension).reshape(9, -1)
    found = prove_memorisation(network, x, outputs)
    assert found.verdict is Verdict.UNDECIDED and not found.applies and words in found.reason, found.reason


@pytest.mark.parametrize("sigma", ["t", "square", "cubic"])
def test_homogeneous_activations_stay_undecided_at_the_bound(sigma):
    """Euler's identity: of d + 2 derivatives of a pair one is a combination of the others."""
    network = Network(2, vf.Dense(4, sigma, skip=True))
    found = prove_memorisation(network, np.random.default_rng(0).normal(size=(8, 2)), 1)
    assert found.verdict is Verdict.UNDECIDED and found.applies


def test_kinks_below_and_in_the_layer():
    x = np.random.default_rng(1).normal(size=(12, 4))
    below = Network(4, [vf.Dense(6, "relu"), vf.Dense(4, "tanh", skip=True)])
    found = prove_memorisation(below, x, 1)
    assert found.proved and not found.everywhere  # on these samples alone
    assert prove_memorisation(below, None, 1, samples=12).applies is False
    pooled = Network((1, 8), [MaxPool((2,)), vf.Dense(4, "tanh", skip=True)])
    assert prove_memorisation(pooled, None, 1, samples=10).applies is False


def test_equal_samples_pixels_and_frozen_numbers():
    network = Network(4, vf.Dense(4, "gelu", skip=True))
    pixels = np.random.default_rng(2).integers(0, 256, (12, 4)).astype(float)
    assert prove_memorisation(network, pixels, 1).proved
    pixels[5] = pixels[3]
    found = prove_memorisation(network, pixels, 1)
    assert not found.applies and "equal samples" in found.reason
    frozen = Network(4, vf.Dense(4, "gelu", skip=True), frozen={"layer0.bias": np.zeros(4)})
    assert not prove_memorisation(frozen, pixels[6:], 1).applies


def test_a_bound_that_lies_is_seen_in_fractions(monkeypatch):
    """A broken copy: with a false bound the square is PROVED, and the exact rank refutes it."""
    zeros = JacobianInverse(np.arange(8), np.zeros((8, 8)), vf.ExactArray.of_floats(np.zeros((8, 8))), 1.0)
    monkeypatch.setattr(memorisation, "approx_inverse", lambda _: zeros)
    x = np.random.default_rng(0).integers(-20, 20, (8, 2)) / 8.0
    network = Network(2, vf.Dense(4, "square", skip=True))
    assert not prove_memorisation(network, x, 1).proved
    monkeypatch.setattr(memorisation, "residual_bound", lambda *_: 0.0)
    found = prove_memorisation(network, x, 1)
    assert found.proved
    assert rank(exact_jacobian(found.where.u, found.where.v, x, lambda t: t * t, lambda t: 2 * t)[1]) == 5 < 8


def test_the_statement_and_its_certificate(tmp_path):
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=(30, 6)), 3), rng.integers(0, 2, 30)
    report = vf.verify(x, y, vf.Dense(15, "tanh", skip=True))
    assert report.verdict("J3") is Verdict.PROVED
    found = check_file(str(report.write(tmp_path / "c.json")), 1)
    assert found.verdict == "ACCEPTED" and "J3" in {claim["label"] for claim in found.claims}
    wide = vf.verify(x, y, vf.Dense(40, "tanh", skip=True))
    assert wide.verdict("J3") is None
