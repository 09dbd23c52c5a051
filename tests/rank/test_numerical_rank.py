"""The numerical rank: what elimination shows at many bits, and what the ladder makes of it; it proves nothing."""

import numpy as np
import pytest

import verifier as vf
from verifier.rank.numerical_rank import approx_numerical_rank
from verifier.rank.random_witness import random_witness
from verifier.verdict import Verdict


def features(network, x, bits, seed=1, u=None):
    u = vf.initialise(network, seed=seed) if u is None else u
    return vf.FeatureEnclosure(network, u, np.array(x, dtype=float), bits)


def planted(rows, bits):
    """Psi = rows: units of identity activations without biases."""
    rows = np.array(rows, dtype=float)
    d = rows.shape[1]
    u = np.concatenate([np.eye(d).ravel(), np.zeros(d)])
    return vf.FeatureEnclosure(vf.Network(d, vf.Dense(d, "identity", skip=True)), u, rows, bits)


@pytest.mark.parametrize("rank", [1, 3, 6])
@pytest.mark.parametrize("bits", [128, 512])
def test_a_planted_rank_is_found_with_a_gap_below_it(rank, bits):
    rng = np.random.default_rng(rank)
    rows = rng.integers(-9, 10, (6, rank)) @ rng.integers(-9, 10, (rank, 8))
    found = approx_numerical_rank(planted(rows, bits))
    assert found.rank == np.linalg.matrix_rank(rows) == rank
    assert found.deficient is (rank < 6) and found.full is (rank == 6)


def test_a_tiny_pivot_is_seen_once_there_are_bits_enough():
    rows = np.diag([1.0, 2.0**-100, 2.0**-200])
    few, many = (approx_numerical_rank(planted(rows, bits)) for bits in (128, 1024))
    assert few.rank < 3 and not few.full
    assert many.full and not many.deficient and many.last in (-199, -200, -201)
    assert many.enough_bits(128) == 256


def test_features_that_are_all_zero_or_not_finite_have_none():
    assert approx_numerical_rank(planted(np.zeros((2, 3)), 128)) is None
    network = vf.Network(1, vf.Dense(2, "exp", skip=True))
    assert approx_numerical_rank(features(network, [[1.0], [2.0]], 64, u=np.full(4, 1e300))) is None


class Saturated:
    """Units so close to 1 that 1024 bits show a constant matrix, and 2048 full rank."""

    rng = np.random.default_rng(3)
    x = np.abs(rng.normal(size=(12, 4))) + 1
    network = vf.Network(4, vf.Dense(14, "tanh", skip=True))
    u = np.concatenate([50 + np.abs(rng.normal(size=56)), np.full(14, 50.0)])


def test_a_gap_that_closes_at_more_bits_does_not_stop_the_ladder():
    found, _ = vf.prove_rank(features(Saturated.network, Saturated.x, 64, u=Saturated.u))
    assert found.verdict is Verdict.PROVED and found.label == "R3"


def test_at_few_bits_the_advice_is_more_bits_and_it_works():
    given = features(Saturated.network, Saturated.x, 64, u=Saturated.u)
    found, _ = vf.prove_rank(given, max_bits=256)
    assert found.verdict is Verdict.UNDECIDED and "will not help" not in found.reason
    bits = int(found.reason.split("max_bits = ")[1].split()[0])
    while found.verdict is Verdict.UNDECIDED and bits <= 4096:
        found, _ = vf.prove_rank(given, max_bits=bits)
        bits = int(found.reason.split("max_bits = ")[1].split()[0]) if not found.proved else bits
    assert found.proved


LINE = np.linspace(0.0, 1.0, 6)[:, None]
WAVES = vf.Network(1, vf.Dense(8, "sin", skip=True))
ONE_FREQUENCY = np.concatenate([np.ones(8), np.arange(8) / 8])
"""sin(x + b) for eight b: by the addition theorem of rank 2, which no rule of structure knows."""


def test_an_exact_deficiency_that_no_rule_sees_ends_the_ladder_early():
    found, _ = vf.prove_rank(features(WAVES, LINE, 64, u=ONE_FREQUENCY))
    assert found.verdict is Verdict.UNDECIDED and found.numerical.rank == 2
    assert "numerical rank 2 of 6 at 4096 bits" in found.reason and "more bits will not help" in found.reason
    assert [text.split(":")[0] for text in found.attempts if text.startswith("R3")] == [
        "R3 at 128 bits",
        "R3 at 256 bits",
    ]


def test_its_advice_is_another_u_and_that_works():
    assert vf.prove_rank(features(WAVES, LINE, 64, seed=0))[0].proved


def test_where_two_draws_show_one_rank_no_more_are_made():
    network, _ = vf.freeze(WAVES, ONE_FREQUENCY, ["layer0.weight"])
    found = random_witness(network, LINE)
    assert not found.proved and "probably no U has full rank" in found.reason and "rank 2 < N = 6" in found.reason


def test_relu_draws_say_nothing_about_all_u():
    """On a line the kinks of every draw miss most gaps; kinks put into the gaps give full rank."""
    x = np.linspace(0.0, 1.0, 12)[:, None]
    network = vf.Network(1, vf.Dense(14, "relu", skip=True))
    assert "probably" not in random_witness(network, x).reason
    u = np.concatenate([np.ones(14), -(np.arange(14) - 1.5) / 11])
    assert vf.prove_rank(vf.FeatureEnclosure(network, u, x, 64))[0].proved
