"""R5 through linear layers: the bound holds at every U, is sharp where it should be, and stays out of certificates."""

import numpy as np
import pytest

import verifier as vf
from verifier.rank.affine_basis import affine_basis
from verifier.verdict import Verdict

RNG = np.random.default_rng(5)
X = RNG.integers(-8, 9, (12, 6)) / 4.0
IMAGES = RNG.integers(-8, 9, (12, 1, 4, 4)) / 4.0
TOKENS = RNG.integers(-8, 9, (12, 4, 3)) / 4.0

BOUNDED = {
    "linear above tanh": (X, [vf.Dense(3, "tanh"), vf.Dense(20, "identity", skip=True)], 4),
    "two linear layers": (X, [vf.Dense(3, "tanh"), vf.Linear(9), vf.Linear(20, skip=True)], 4),
    "a narrow linear layer": (X, [vf.Dense(9, "tanh"), vf.Linear(2), vf.Linear(20, skip=True)], 3),
    "a linear network": (X, [vf.Dense(4, "identity"), vf.Dense(20, "identity", skip=True)], 5),
    "sums and scales": (
        X,
        [vf.Dense(4, "tanh"), vf.Scale("1/3"), vf.Add(inputs=(0, 1)), vf.Linear(20, skip=True, inputs=(2,))],
        5,
    ),
    "a mean over positions": (
        IMAGES,
        [vf.Conv(3, (2, 2), "tanh", bias="tied"), vf.GlobalPool(), vf.Linear(20, skip=True)],
        4,
    ),
    "linear above a normalisation": (X, [vf.Linear(4), vf.LayerNorm(), vf.Linear(20, skip=True)], 5),
    "linear above attention": (
        TOKENS,
        [vf.MultiHeadAttention(heads=1), vf.GlobalPool(), vf.Linear(20, skip=True)],
        5,
    ),
    "two skips": (
        X,
        [vf.Dense(2, "tanh"), vf.Dense(9, "identity", skip=True), vf.Dense(9, "identity", inputs=(0,), skip=True)],
        3,
    ),
}
FREE = {
    "an activation in between": (X, [vf.Dense(3, "tanh"), vf.Dense(20, "tanh", skip=True)]),
    "a square in between": (X, [vf.Dense(9, "tanh"), vf.Dense(20, "square", skip=True)]),
    "a product of two": (
        X,
        [vf.Dense(20, "tanh"), vf.Dense(20, "sin", inputs=["input"]), vf.Multiply(inputs=(0, 1), skip=True)],
    ),
}


def build(x, blocks, **changes):
    return vf.Network(x.shape[1:], blocks, **changes)


def rank_of(network, x):
    u = vf.initialise(network, seed=1)
    return vf.prove_rank(vf.FeatureEnclosure(network, u, x.reshape(len(x), -1), 64))[0]


@pytest.mark.parametrize("name", BOUNDED)
def test_the_bound_holds_at_random_u(name):
    x, blocks, bound = BOUNDED[name]
    network = build(x, blocks)
    assert affine_basis(network).rank_at_most <= bound
    for seed in range(3):
        psi = vf.FeatureEnclosure(network, vf.initialise(network, seed=seed), x.reshape(len(x), -1), 64).approx()
        assert np.linalg.matrix_rank(psi, tol=1e-9) <= affine_basis(network).rank_at_most


@pytest.mark.parametrize("name", BOUNDED)
def test_full_rank_is_refuted_at_this_u_and_at_every_u(name):
    x, blocks, _ = BOUNDED[name]
    network = build(x, blocks)
    every = vf.structural_bound_every_u(network, x.reshape(len(x), -1))
    assert rank_of(network, x).verdict is Verdict.REFUTED and every.rank_at_most < len(x)


@pytest.mark.parametrize("name", FREE)
def test_what_is_not_linear_is_not_bounded(name):
    x, blocks = FREE[name]
    network = build(x, blocks)
    assert affine_basis(network).entries == network.columns == 20
    assert rank_of(network, x).proved


def test_an_output_bias_is_in_the_span():
    network = build(X, BOUNDED["linear above tanh"][1], output_bias=True)
    assert affine_basis(network).rank_at_most == 4
    assert rank_of(network, X).verdict is Verdict.REFUTED


def test_a_certificate_does_not_say_what_its_checker_does_not_know():
    network = build(*BOUNDED["linear above tanh"][:2])
    data = vf.dataset_from_arrays(X, [0, 1] * 6)
    builder = vf.CertificateBuilder(data, network, vf.initialise(network, seed=1))
    found = vf.structural_bound_every_u(network, X)
    assert not found.stated and "not stated in the certificate" in found.explanation
    builder.add_deficiency(found)
    assert builder.empty


def test_zero_training_error_is_refuted_through_the_narrow_layer():
    """Nine random labels of 12 points from three features and the constant: some relation excludes them."""
    network, y = build(*BOUNDED["linear above tanh"][:2]), np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0])
    features = vf.FeatureEnclosure(network, vf.initialise(network, seed=1), X, 64)
    found = vf.prove_zero_loss(features, y, 2)
    assert found.verdict is Verdict.REFUTED
    psi = features.approx()
    total = np.zeros((2, psi.shape[1]))
    for sample, other, factor in found.excluded.multipliers:
        assert factor > 0 and other != y[sample]
        total[y[sample]] += float(factor) * psi[sample]
        total[other] -= float(factor) * psi[sample]
    assert np.abs(total).max() < 1e-9
