"""Weight matching: which units may be permuted in any graph, and that a permutation changes no logit."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq
from planted_graphs import random_graph, random_point

from verifier import AvgPool, Conv, Dense, Network
from verifier.fuzz import oracle
from verifier.landscape.weight_matching import match_weights, permuted_point
from verifier.network.builder import Builder
from verifier.network.forward import approx_features
from verifier.network.nodes import Add, Concatenate, Expand, Multiply, Normalise, Reduce, Take
from verifier.network.unit_symmetry import unit_symmetry
from verifier.network.unit_tags import Groups
from verifier.sigma.activations import activation


def streams(rng, steps=7):
    """A random network whose nodes all have 4 entries, so that they meet in sums, products and norms."""
    build = Builder((4,))
    pool = [0]
    for k in range(steps):
        x, y = (int(pool[-1 - rng.integers(min(3, len(pool)))]) for _ in range(2))
        kind = int(rng.integers(9))
        if kind < 3:
            made = build.map(build.affine([x], 4, f"w{k}"), activation("tanh"))
        elif kind == 3:
            made = build.add(Add((x, y)))
        elif kind == 4:
            made = build.add(Multiply((x, build.parameter(f"gain{k}", (4,)))))
        elif kind == 5:
            made = build.add(Normalise((x,)))
        elif kind == 6:  # in another order
            made = build.add(Take((x,), 0, tuple(rng.permutation(4).tolist())))
        elif kind == 7:
            made = build.affine([build.add(Concatenate((x, y), 0))], 4, f"w{k}")
        else:  # the mean of some entries, at every place
            some = tuple(sorted(rng.choice(4, int(rng.integers(2, 5)), replace=False).tolist()))
            mean = build.add(Reduce((build.add(Take((x,), 0, some)),), "mean", 1))
            made = build.add(Expand((mean,), (4,)))
        pool.append(made)
    build.feature(pool[-2])
    build.feature(pool[-1])
    return Network.of(build.nodes, build.features)


def shuffled(network, point, rng):
    """The symmetry, and the point with random permutations of all free groups."""
    symmetry = unit_symmetry(network, point[1].shape[1])
    permutations = {group: rng.permutation(size) for group, size in symmetry.sizes.items()}
    return symmetry, permuted_point(network, symmetry, point, permutations)


def point_of(network, rng, classes=3):
    return rng.normal(size=network.parameter_count), rng.normal(size=(network.columns, classes))


def disagreements(seeds, make=streams):
    """On how many random graphs a permutation changes the logits, and how many have one."""
    wrong = free = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        network = make(rng)
        u, x = random_point(rng, network)
        v = rng.normal(size=(network.columns, 2))
        symmetry, moved = shuffled(network, (u, v), rng)
        if symmetry.sizes:
            before, after = (approx_features(network, point[0], x) @ point[1] for point in ((u, v), moved))
            free += 1
            wrong += not np.allclose(before, after, rtol=1e-7, atol=1e-7 * np.abs(before).max(), equal_nan=True)
    return wrong, free


def test_permutations_of_random_graphs_change_no_logit():
    wrong, free = disagreements(range(60))
    assert wrong == 0 and free > 20
    wrong, free = disagreements(range(25), random_graph)
    assert wrong == 0 and free > 0


@pytest.mark.parametrize("rule", ["match", "require_all_units"])
def test_a_symmetry_without_one_of_its_rules_is_caught(monkeypatch, rule):
    """The planted bugs: units that meet are not permuted together; norms and means of some units count as of all."""
    monkeypatch.setattr(Groups, rule, lambda self, *tags: None)
    assert disagreements(range(22))[0] > 0


def test_logits_are_the_same_rational_numbers():
    rng = np.random.default_rng(1)
    layers = [Conv(3, (2, 2), "relu", padding=1), Conv(4, (2, 2), "relu", bias="tied"), AvgPool((2, 2))]
    network = Network((1, 3, 3), [*layers, Dense(5, "relu", skip=True)], output_bias=True)
    inputs = rng.integers(-4, 5, (3, 9)) / 4
    u, v = (np.round(4 * part) / 4 for part in point_of(network, rng))
    symmetry, moved = shuffled(network, (u, v), rng)
    assert list(symmetry.sizes.values()) == [3, 4, 5]
    before, after = (
        oracle.times(
            oracle.exact_features(network, u, inputs), [[fmpq(int(4 * x), 4) for x in row] for row in v.tolist()]
        )
        for u, v in ((u, v), moved)
    )
    assert before == after and sorted(moved[0].tolist()) == sorted(u.tolist()) and not np.array_equal(moved[0], u)


def residual(held=False):
    """x -> relu(A x), h + relu(B h), normalised; two groups, the residual stream one of them."""
    build = Builder((3,))
    stem = build.map(build.affine([0], 4, "stem"), activation("relu"))
    inner = build.map(build.affine([stem], 5, "inner"), activation("relu"))
    back = build.affine([inner], 4, "back")
    total = build.add(Add((stem, back)))
    if held:
        total = build.add(Concatenate((total, 0), 0))
        build.feature(build.add(Normalise((total,))))
    else:
        build.feature(build.add(Normalise((total,))))
    return Network.of(build.nodes, build.features)


def test_a_residual_stream_is_one_group():
    assert list(unit_symmetry(residual(), 2).sizes.values()) == [4, 5]
    assert list(unit_symmetry(residual(held=True), 2).sizes.values()) == [4, 5]


@pytest.mark.parametrize("kind", ["dense", "residual"])
def test_planted_permutations_are_found_again(kind):
    rng = np.random.default_rng(7)
    network = Network(3, [Dense(6, "tanh"), Dense(7, "tanh", skip=True)], True) if kind == "dense" else residual()
    a = point_of(network, rng)
    symmetry, b = shuffled(network, a, rng)
    found = match_weights(network, a, b, rng.normal(size=(4, 3)))
    assert not isinstance(found, str)
    assert np.array_equal(found.u, a[0]) and np.array_equal(found.v, a[1]) and found.after == 0.0 < found.before
    assert len(found.permutations) == len(symmetry.sizes) and "is another point than B" in repr(found)


def test_where_nothing_may_be_permuted_it_does_not_apply():
    build = Builder((3,))
    weights = build.affine([0], 3, "w")
    build.feature(build.add(Add((weights, 0))))  # a sum with the input: each unit has its own place
    network = Network.of(build.nodes, build.features)
    point = point_of(network, np.random.default_rng(0))
    assert str(match_weights(network, point, point, np.ones((1, 3)))).startswith("does not apply: no units")


def test_missing_arcs_that_do_not_match_are_refused():
    rng = np.random.default_rng(2)
    network = Network(2, [Dense(2, "tanh", skip=True)])
    a, arcs = point_of(network, rng, 2), np.array([[True, False], [False, True]])
    a = a[0], np.where(arcs, a[1], 0.0)
    _, b = a, (np.concatenate([a[0][[2, 3, 0, 1]], a[0][[5, 4]]]), np.where(arcs, 1e-3, 0.0))
    assert "arcs to the outputs are missing" in str(match_weights(network, a, b, np.ones((1, 2)), arcs=arcs))
