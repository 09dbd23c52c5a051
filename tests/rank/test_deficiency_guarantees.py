"""Deficiency by structure at one U: bounds are never below the rank, and planted reasons are found."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
from flint import fmpz
from planted import (
    dense,
    exact_rank,
    numerical_rank,
    oracle,
    random_parameters,
    random_samples,
    seeds,
    shuffled_dag,
)

from verifier.network import layers, network
from verifier.rank import deficiency, monomials
from verifier.sigma.activations import activation


def random_structure(rng):
    """A network with clones, mirrors, constant units, equal coordinates and polynomials, its parameters and samples."""
    kind = int(rng.integers(4))
    names = ["tanh", "sigmoid", "square", "cubic", "sin", "identity", "softplus"]
    if kind == 0:
        net = shuffled_dag(rng, names)
    else:
        depth = int(rng.integers(1, 3))
        net = dense([3] * (depth - 1) + [6], [str(n) for n in rng.choice(names, depth)], 3, skip=range(depth))
    u = random_parameters(rng, net, grid=4)
    for view in net.parameters:
        part = view.of(u)
        for j in range(len(part)):
            change = rng.integers(6)
            if change == 0:
                part[j] = part[0]
            elif change == 1:
                part[j] = -part[0]
            elif change == 2:
                part[j] = 0.0
    x = random_samples(rng, int(rng.integers(2, 7)), net, grid=2)
    if rng.integers(2):
        x[:, 0] = x[0, 0]
    if rng.integers(2):
        x[:, -1] = x[:, 0]
    return net, u, x


def bounds_by_structure(rng, rounds=12):
    """Hold the bounds of random networks against their ranks; return how many bounds there were."""
    found_some = 0
    for _ in range(rounds):
        net, u, x = random_structure(rng)
        claims = [deficiency.cheap_deficiency(net, x), deficiency.structural_deficiency(net, u, x)]
        for claim in claims:
            if claim is not None:
                found_some += 1
                assert claim.rank_at_most < len(x)
                assert numerical_rank(oracle(net, u, x)) <= claim.rank_at_most, (claim, net.summary())
    return found_some


@seeds(10)
def test_deficiency_is_true(rng):
    """A claimed rank bound is never below the rank of Psi, computed by pivoting at 100 digits."""
    bounds_by_structure(rng)


def test_deficiency_is_true_of_many():
    """The random networks do have bounds."""
    assert sum(bounds_by_structure(np.random.default_rng(seed)) for seed in range(3)) >= 10


def layered(name, weights, biases, x):
    """One dense layer with given weights, as (network, U, samples)."""
    weights, biases = np.asarray(weights, dtype=float), np.asarray(biases, dtype=float)
    net = dense([len(weights)], [name], weights.shape[1])
    return net, np.concatenate([weights.ravel(), biases]), np.asarray(x, dtype=float)


def test_planted_deficiencies():
    """Each structural reason is found where it is planted and not where it is not (exact rank bound given)."""
    line = [[0.0], [1.0], [2.0], [4.0]]
    plane = [[0.0, 1.0], [1.0, 3.0], [2.0, -1.0], [4.0, 0.5]]
    cases = [
        # name, weights, biases, samples, bound of the rank (None: nothing may be claimed)
        ("tanh", [[1], [1], [2], [3]], [0, 0, 0, 0], line, 3),
        ("tanh", [[1], [-1], [2], [3]], [0.5, -0.5, 0, 0], line, 3),
        ("tanh", [[1], [-1], [2], [3]], [0.5, 0.5, 0, 0], line, None),
        ("tanh", [[1], [-1], [2], [3]], [0.5, -0.25, 0, 0], line, None),
        ("sigmoid", [[1], [-1], [2], [-2]], [0.5, -0.5, 1, -1], line, 3),
        ("sigmoid", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, None),
        ("softplus", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, None),
        ("square", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, 3),
        ("cubic", [[1], [1], [2], [3]], [0, 1, 2, 3], line, None),
        ("identity", [[1, 2], [1, 0], [0, 1], [5, 5]], [0, 1, 2, 3], plane, 3),
        ("square", [[1, 0], [0, 1], [1, 1], [1, 2]], [1, 0, 0, 0], plane, None),
        ("tanh", [[0], [0], [1], [2]], [1, 2, 0, 0], line, 3),
        ("tanh", [[0], [1], [2], [3]], [1, 0, 0, 0], line, None),
        ("square", [[0], [0], [1], [2]], [0, 1, 0, 0], line, 3),
        ("tanh", [[1, 1], [2, 0], [0, 2], [3, 1]], [0] * 4, [[v, v] for (v,) in line], 2),
        ("tanh", [[1, 1], [1, 2], [1, 3], [1, 4]], [1] * 4, [[v, 0.5] for (v,) in line], None),
        ("tanh", [[1, 2], [1, 4], [1, 0], [2, 1]], [0, -1, 1, 0], [[v, 0.5] for (v,) in line], 2),
    ]
    for name, weights, biases, x, bound in cases:
        net, u, samples = layered(name, weights, biases, x)
        found = deficiency.structural_deficiency(net, u, samples)
        assert (None if found is None else found.rank_at_most) == bound, (name, weights, biases, found)
        rank = numerical_rank(oracle(net, u, samples))
        assert rank <= (len(x) if bound is None else bound)


def test_mirrors_and_constants_below_the_top():
    """Two layers: what a mirrored, constant or linear unit below means for the units above is found exactly."""
    line = np.array([[0.0], [1.0], [2.0], [4.0]])

    def bound(lower, upper, first, second):
        (w1, b1), (w2, b2) = first, second
        net = dense([len(b1), len(b2)], [lower, upper], 1)
        u = np.concatenate([np.asarray(a, dtype=float).ravel() for a in (w1, b1, w2, b2)])
        found = deficiency.structural_deficiency(net, u, line)
        claimed = len(line) if found is None else found.rank_at_most
        assert numerical_rank(oracle(net, u, line)) <= claimed, (lower, upper, first, second)
        return claimed

    def pair(lower, upper, signs, shifts):
        """Upper units 0 and 1 read lower units 0 and 1 = mirror of 0; equal iff the signs and shifts fit."""
        lower_layer = ([[1], [-1]], [0.5, -0.5])
        return bound(lower, upper, lower_layer, ([[2, 0], [0, signs], [1, 0], [3, 0]], [1, shifts, 0, 0]))

    assert pair("tanh", "tanh", -2, 1) == 3 and pair("tanh", "softplus", -2, 1) == 3
    assert pair("tanh", "softplus", 2, 1) == 4
    assert pair("sigmoid", "softplus", -2, 3) == 3
    assert pair("sigmoid", "softplus", -2, 1) == 4 and pair("sigmoid", "softplus", 2, 3) == 4
    assert pair("identity", "softplus", -2, 1) == 3 and pair("identity", "softplus", 2, 1) == 4
    assert pair("square", "softplus", 2, 1) == 3 and pair("square", "softplus", -2, 1) == 4
    constant = ([[0], [1]], [0.75, 0.25])
    assert bound("square", "tanh", constant, ([[1, 1], [2, 1], [3, 0], [1, 2]], [0, -0.5625, 0, 0])) == 3
    assert bound("tanh", "tanh", constant, ([[1, 0], [2, 0], [3, 0], [1, 2]], [0, 1, 2, 0])) == 2
    assert bound("tanh", "tanh", constant, ([[1, 1], [2, 1], [3, 1], [1, 2]], [0, 1, 2, 0])) == 4
    halved = ([[2, 1], [4, 1], [3, 1], [1, 2]], [0, -1, 2, 0])  # 2 / 2 and 4 / 2 - 1 are the same
    assert bound("sigmoid", "softplus", ([[0], [1]], [0, 0.25]), halved) == 3
    assert bound("sigmoid", "softplus", ([[0], [1]], [0.5, 0.25]), halved) == 4


def test_shared_weights_keep_their_own_biases():
    """One filter, two positions: columns differ with biases per unit, not with a tied bias."""
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    for bias, u, bound in (
        ("tied", [1.0, 0.5], 1),
        ("per-unit", [1.0, 0.5, -0.5], None),
        ("per-unit", [1.0, 0.5, 0.5], 1),
    ):
        net = network.Network((1, 2), (layers.Conv(1, (1,), activation("tanh"), bias=bias, skip=True),))
        found = deficiency.structural_deficiency(net, np.array(u), x)
        assert (None if found is None else found.rank_at_most) == bound


@seeds(40)
def test_monomial_rank(rng):
    """monomial_rank is the exact rank of all monomials (independent construction), never below it."""
    for _ in range(8):
        n, d, degree = int(rng.integers(1, 9)), int(rng.integers(1, 4)), int(rng.integers(0, 4))
        x = rng.integers(-2, 3, (n, d)) / 2.0
        if rng.integers(2):
            x[:, 0] = 0.25
        grids = np.ndindex(*([degree + 1] * d))
        powers = [p for p in grids if sum(p) <= degree]
        rows = [[math.prod((Fraction(v) ** e for v, e in zip(row, p, strict=True)), start=Fraction(1)) for p in powers]
                for row in x.tolist()]  # fmt: skip
        assert exact_rank(rows) <= monomials.monomial_rank(x, degree) <= n
        moving = sum(len(set(column)) > 1 for column in x.T.tolist())
        if math.comb(moving + degree, degree) >= n:
            assert monomials.monomial_rank(x, degree) == exact_rank(rows)
    # The only 3 x 3 minor is the largest prime below 2^62: rank 3, but 2 modulo that prime.
    short = next(k for k in itertools.count(1) if fmpz(2**62 - k).is_prime())
    assert monomials.monomial_rank(np.array([[0.0, 0.0], [2.0**31, short], [1.0, 2.0**31]]), 1) == 3
