"""Exact ranks by ranks modulo primes: against fractions, and broken copies that are noticed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import verifier as vf
from verifier.checker import modular as checking
from verifier.checker.common import TooExpensive
from verifier.fuzz.properties.sink_path import fraction_rank
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import modular
from verifier.rank.exact_arithmetic import ExactArithmetic
from verifier.rank.integer_arithmetic import piecewise_polynomial
from verifier.rank.rational import rational_features

PRIME = next(modular.primes())


def matrices():
    """Matrices of planted rank, with rows and columns that are 0, copies and multiples; long and short numbers."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, k, rank = rng.integers(1, 8, 3).tolist()
        a, b = rng.integers(-9, 10, (n, min(rank, n, k))), rng.integers(-9, 10, (min(rank, n, k), k))
        rows = [[int(x) << 40 * (seed % 3) for x in row] for row in (a @ b).tolist()]
        rows += [[-3 * x for x in rows[0]], [0] * k][: seed % 3]
        yield [[*row, row[0], 0] for row in rows]


def test_ranks_are_those_of_an_elimination_in_fractions():
    for rows in matrices():
        truth = fraction_rank([[Fraction(x) for x in row] for row in rows])
        found = modular.integer_rank(rows, 9.0)
        assert (found.rank, found.exact) == (truth, True) and found.primes >= 1
        assert checking.exact_rank(rows, "") == truth
    assert modular.integer_rank([[0, 0]], 0.0).rank == checking.exact_rank([[0, 0]], "") == 0


@pytest.mark.parametrize("scale", [PRIME, PRIME**2, 3 * PRIME])
def test_a_prime_that_divides_a_minor_is_not_the_last_word(scale):
    """Modulo the first prime the rank is 2; the columns are no multiples of others."""
    rows = [[1, 0, 1, 1], [0, 1, 1, 2], [1, 1, 2 + scale, 3]]
    assert modular.modular_rank(rows, PRIME) == 2
    assert modular.integer_rank(rows, 9.0).rank == checking.exact_rank(rows, "") == 3


def test_what_would_take_long_is_not_begun(monkeypatch):
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    found = modular.integer_rank(rows, 0.0)
    assert (found.rank, found.exact) == (2, False) and found.seconds > 0
    monkeypatch.setattr(checking, "MAX_STEPS", 0)
    with pytest.raises(TooExpensive, match="elimination"):
        checking.exact_rank(rows, "")
    assert checking.exact_rank([[1, 2], [3, 4]], "") == 2


def test_primes_are_primes():
    small = [n for n in range(2, 2000) if all(n % d for d in range(2, n))]
    assert [n for n in range(2000) if checking.is_prime(n)] == small
    strong = [2047, 3215031751, 3825123056546413051, 318665857834031151167461]  # for 1, 4, 9 and 12 bases
    assert not any(map(checking.is_prime, strong)) and not checking.is_prime(checking.LARGEST)
    ours, theirs = modular.primes(), checking.primes()
    assert [next(ours) for _ in range(5)] == [next(theirs) for _ in range(5)]
    assert next(checking.primes()) == (1 << 62) - 57


def test_a_bound_of_minors_that_is_too_small_would_be_noticed(monkeypatch):
    """The rank modulo the first prime is 2, and a product above the bound ends the search: the bound decides."""
    rows = [[1, 0, 1, 1], [0, 1, 1, 2], [1, 1, 2 + PRIME, 3]]
    monkeypatch.setattr(checking, "largest_minor", lambda *_: 1)
    monkeypatch.setattr(modular, "minor_bound", lambda *_: 1)
    assert checking.exact_rank(rows, "") == modular.integer_rank(rows, 9.0).rank == 2


@pytest.mark.parametrize("activation", ["relu", "max(t, t/8)", "max(0, t)**2 - t/3", "max(-1, min(1, t))", "abs(t)"])
def test_integers_over_one_denominator_are_the_values_of_fractions(activation):
    rng = np.random.default_rng(0)
    network = Network((2, 6), [Conv(3, (2,), activation, padding=(1,)), AvgPool((3,)), Dense(4, activation, skip=True)])
    assert piecewise_polynomial(network)
    u, x = rng.normal(size=network.parameter_count), rng.integers(-255, 256, (3, 12)) / 255
    found, ops = rational_features(network, u, x), ExactArithmetic(network, u, x)
    slow = network.evaluate(ops)[network.features[0].node].entries
    assert [value for row in found.values for value in row] == slow


def test_signs_are_those_of_exact_numbers():
    """1e16 + 1 - 1e16 is 1; in binary64 it is 0, and both features would be 0."""
    network = Network((3,), [Dense(2, "relu", skip=True)])
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][...] = [[1.0, 1.0, -1.0], [1.0, 0.0, -1.0]]
    (row,) = rational_features(network, u, np.array([[1e16, 1.0, 1e16]])).whole
    assert row == [1, 0]


def test_quotients_by_what_varies_are_left_to_fractions():
    assert not piecewise_polynomial(Network((1,), [Dense(2, "t/(1 + t**2)", skip=True)]))
    assert piecewise_polynomial(Network((1,), [Dense(2, "t/3", skip=True)]))


@pytest.mark.parametrize(("activation", "verdict"), [("relu", "PROVED"), ("tanh", None)])
def test_the_statement_about_the_exact_rank(activation, verdict):
    x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    found = vf.verify(x, [0, 1, 1, 0], Dense(8, activation, skip=True))
    (step,) = [step for step in found.theorem.steps if step.label == "R6"]
    assert (str(step.verdict) if step.applies else None) == verdict
    assert ("node 4 (map): tanh" in step.reason) == (verdict is None)
    few = vf.verify(x, [0, 1, 1, 0], Dense(3, "relu", skip=True))
    assert str(few.verdict("R6")) == "REFUTED"
