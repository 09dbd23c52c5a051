"""J1: full row rank of the Jacobian where it is planted, never where it is not."""

import numpy as np
import pytest

import verifier as vf
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.jacobian import Jacobian, Parameters, enclose_jacobian
from verifier.network.approx_jacobian import approx_jacobian
from verifier.rank.jacobian_rank import approx_inverse, column_choices, prove_jacobian_rank, residual_bound
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)


def two_layers(width, last, sigma="tanh", dimension=3):
    return vf.Network(dimension, (vf.Dense(width, sigma), vf.Dense(last, sigma, skip=True)))


def case(network, count, outputs, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, network.dimension))
    return vf.initialise(network, seed=seed), rng.standard_normal((network.columns, outputs)), x


@pytest.mark.parametrize(("sigma", "count", "outputs", "reduced"), [
    ("tanh", 12, 1, False), ("relu", 12, 2, False), ("gelu", 12, 3, True), ("tanh", 40, 2, True),
])  # fmt: skip
def test_more_samples_than_features(sigma, count, outputs, reduced):
    network = two_layers(10, 6, sigma)
    u, v, x = case(network, count, outputs)
    found = prove_jacobian_rank(network, u, v, x, reduced=reduced, backend=BACKEND)
    assert found.proved and found.rows == count * (outputs - reduced)
    jacobian = approx_jacobian(network, u, v, x)[1].reshape(count, outputs, -1)
    jacobian = jacobian[:, :-1] - jacobian[:, -1:] if reduced else jacobian
    jacobian = jacobian.reshape(found.rows, -1)
    assert np.linalg.matrix_rank(jacobian) == found.rows
    product = jacobian[:, found.found.columns] @ found.found.inverse
    assert np.abs(np.eye(found.rows) - product).sum(axis=1).max() <= found.found.bound + 1e-9


def test_what_is_rank_deficient_is_never_certified():
    duplicate = np.array([[0.5, -1.0, 2.0]] * 2)
    network = two_layers(8, 3)
    u, v, x = case(network, 6, 1)
    refused = {"equal samples": (network, u, v, np.concatenate([x, duplicate]))}
    linear = vf.Network(2, (vf.Dense(9, "identity"), vf.Dense(4, "identity", skip=True)))
    refused["linear units"] = (linear, *case(linear, 5, 1))
    dead = two_layers(8, 3, "relu")
    u, v, x = case(dead, 5, 1)
    dead.views(u)[dead.parameters[-1].name][...] = -1000.0
    refused["dead units"] = (dead, u, v, x)
    twins = vf.Network(2, (vf.Dense(2, "tanh", skip=True),))
    u, v, x = case(twins, 5, 1)  # P = 8, but rank 4 at most
    for view in twins.views(u).values():
        view[1] = view[0]
    refused["equal units"] = (twins, u, v, x)
    for what, (network, u, v, x) in refused.items():
        found = prove_jacobian_rank(network, u, v, x, backend=BACKEND)
        assert found.verdict is Verdict.UNDECIDED, what
        assert "smaller rank" in found.reason or "only bounded" in found.reason, (what, found.reason)


def test_it_needs_as_many_parameters_as_rows_and_no_kinks():
    network = vf.Network(1, vf.Dense(1, "relu", skip=True))  # P = 3
    u, v, x = np.array([1.0, 0.0]), np.ones((1, 1)), np.array([[0.0], [1.0], [2.0], [3.0]])
    assert "3 free parameters are fewer than the 4 rows" in prove_jacobian_rank(network, u, v, x).reason
    found = prove_jacobian_rank(network, u, v, x[:2])
    assert not found.proved and "not differentiable there: node" in found.reason


def test_missing_arcs_have_no_column():
    network = vf.Network(2, vf.Dense(4, "tanh", skip=True))
    u, v, x = case(network, 4, 2)
    arcs = np.array([[False, True]] * 4)
    found = prove_jacobian_rank(network, u, np.where(arcs, v, 0.0), x, reduced=True, arcs=arcs, backend=BACKEND)
    assert found.proved
    of_v = found.found.columns[found.found.columns >= len(u)] - len(u)
    assert (of_v % 2 == 1).all()


def test_a_wide_enclosure_is_not_certified():
    """The radii count: the midpoints alone have full rank."""
    middles = np.eye(3)
    inverse = approx_inverse(middles).inverse
    assert residual_bound(Jacobian(middles, np.zeros((3, 3))), inverse, BACKEND) < 0.01
    assert residual_bound(Jacobian(middles, np.full((3, 3), 0.5)), inverse, BACKEND) >= 1.5
    assert residual_bound(Jacobian(middles, np.zeros((3, 3))), np.full((3, 3), np.nan), BACKEND) == np.inf
    assert residual_bound(Jacobian(middles, np.zeros((3, 3))), inverse[:2], BACKEND) == np.inf


def test_a_subset_of_columns_serves_where_there_are_many():
    network = two_layers(30, 20)
    u, v, x = case(network, 70, 1)
    found = prove_jacobian_rank(network, u, v, x, backend=BACKEND)
    assert found.proved and len(found.found.columns) == 88 < 760
    whole = enclose_jacobian(network, Parameters.at(u, v), x, np.arange(760), BACKEND)
    part = enclose_jacobian(network, Parameters.at(u, v), x, found.found.columns, BACKEND)
    gap = np.abs(whole.middles[:, found.found.columns] - part.middles)
    assert (gap <= part.radii + whole.radii[:, found.found.columns]).all()
    assert [len(c) for c in column_choices(np.arange(760), 70)] == [88, 280, 760]
