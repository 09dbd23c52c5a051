"""R5: the structural bound is never below the true rank, and claims below the bound are rejected."""

import math
from fractions import Fraction as F
from random import Random

import pytest
from checker_writer import Builder, graph, write
from flint import fmpz_mat
from test_checker_network import random_case, read

from verifier.checker.certificate import check_file
from verifier.checker.layered import layered
from verifier.checker.structure import Structure


def claim(reason, rank):
    return {"label": "R5", "reason": reason, "rank_at_most": rank}


def check(tmp_path, inputs, layers, reason, rank, builder, units=None):
    data = builder.data(inputs)
    units = units or sum(layer.get("units", 0) for layer in layers)
    document = builder.document(data, [len(inputs[0])], layers, units, [claim(reason, rank)])
    return check_file(str(write(tmp_path, document, builder.arrays())), 1)


POINTS = [[F(i), F(i * i % 7), F(1)] for i in range(12)]  # the third coordinate is constant


def structure(weights, biases, activation):
    """Return (weights, biases, activation, the smallest provable bound) as one dense layer on POINTS."""
    builder = Builder()
    return builder, [builder.dense(weights, biases, activation)]


PLANTED = {
    "twins": ([[1, 2, 0], [1, 2, 0], [1, 3, 0]], [0, 0, 1], "tanh(t)", 2),
    "constant input folded": ([[1, 2, 5], [1, 2, 1], [1, 3, 0]], [0, 4, 1], "tanh(t)", 2),
    "mirror tanh": ([[1, 2, 0], [-1, -2, 0]], [1, -1], "tanh(t)", 1),
    "mirror sigmoid": ([[1, 2, 0], [-1, -2, 0], [0, 0, 1], [0, 0, 2]], [1, -1, 0, 0], "1/(exp(-t) + 1)", 2),
    "mirror sigmoid pair": ([[1, 2, 0], [-1, -2, 0]], [1, -1], "1/(exp(-t) + 1)", 2),
    "mirror sigmoid alone": ([[-1, -2, 0], [-1, -2, 0]], [-1, -1], "1/(exp(-t) + 1)", 1),
    "mirror cos": ([[1, 2, 0], [-1, -2, 0]], [1, -1], "cos(t)", 1),
    "no mirror for exp": ([[1, 2, 0], [-1, -2, 0]], [1, -1], "exp(t)", 2),
    "constants": ([[0, 0, 1], [0, 0, 2], [0, 0, 3]], [1, 2, 3], "exp(t)", 1),
    "zero column": ([[0, 0, 1], [1, 1, 0]], [-1, 0], "tanh(t)", 1),
    "dead relu": ([[0, 0, 1], [1, 1, 0]], [-3, 0], "Max(0, t)", 1),
    "linear": ([[i, j, 0] for i in range(1, 3) for j in range(1, 4)], [0] * 6, "t", 3),
    "quadratic": ([[i, j, 1] for i in range(1, 4) for j in range(1, 4)], [1] * 9, "t**2 + t", 6),
    "constant activation": ([[1, 0, 0], [0, 1, 0]], [0, 0], "pi", 1),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name, tmp_path):
    weights, biases, activation, bound = PLANTED[name]
    builder, layers = structure(weights, biases, activation)
    outcome = check(tmp_path, POINTS, layers, "dependent-units", bound, builder)
    assert outcome.verdict == "ACCEPTED", outcome.rejection.message
    builder, layers = structure(weights, biases, activation)
    outcome = check(tmp_path, POINTS, layers, "dependent-units", bound - 1, builder)
    assert (outcome.verdict, outcome.rejection.rule) == ("REJECTED", "R5.bound")
    assert outcome.rejection.path == "/claims/0/rank_at_most"


def test_monomials_need_their_rank(tmp_path):
    """All samples on the line x1 = 2 x0: the linear functions have rank 2, not 3."""
    inputs = [[F(i), F(2 * i)] for i in range(9)]
    weights = [[i, j] for i in range(1, 4) for j in range(1, 4)]
    for rank, verdict in ((2, "ACCEPTED"), (1, "REJECTED")):
        builder = Builder()
        layers = [builder.dense(weights, list(range(9)), "t")]
        assert check(tmp_path, inputs, layers, "dependent-units", rank, builder).verdict == verdict


def test_reasons(tmp_path):
    inputs = [[1, 2], [1, 2], [3, 4], [5, 6]]
    for reason, rank, verdict in (
        ("fewer-units", 2, "ACCEPTED"),
        ("fewer-units", 1, "REJECTED"),
        ("equal-samples", 3, "ACCEPTED"),
        ("equal-samples", 2, "REJECTED"),
        ("dependent-units", 2, "ACCEPTED"),
        ("fewer-units", 4, "REJECTED"),
    ):
        builder = Builder()
        layers = [builder.dense([[1, 1], [1, 2]], [0, 0], "tanh(t)")]
        outcome = check(tmp_path, inputs, layers, reason, rank, builder)
        assert outcome.verdict == verdict, (reason, rank)
        if rank == 4:
            assert outcome.rejection.rule == "schema.value"


def test_deep_mirrors(tmp_path):
    """A second layer that reads z and c0 - z with weights that cancel is constant; pools are linear forms."""
    inputs = [[F(i), F(i % 3)] for i in range(6)]
    builder = Builder()
    first = builder.dense([[1, 2], [-1, -2], [3, 1]], [1, -1, 0], "1/(exp(-t) + 1)", skip=False)
    second = builder.dense([[1, 1, 0], [2, 2, 0], [1, 0, 1], [0, -1, 1]], [0, -1, 0, 1], "tanh(t)", inputs=[0])
    outcome = check(tmp_path, inputs, [first, second], "dependent-units", 2, builder, units=4)
    assert outcome.verdict == "ACCEPTED", outcome.rejection.message


def test_squaring_chain_does_not_explode(tmp_path):
    builder = Builder()
    layers = [builder.dense([[1, 0]], [3], "t**2", skip=False)]
    layers += [builder.dense([[1]], [0], "t**2", inputs=[i], skip=i == 198) for i in range(199)]
    inputs = [[1, i] for i in range(3)]
    outcome = check(tmp_path, inputs, layers, "dependent-units", 1, builder, units=1)
    assert outcome.verdict == "ACCEPTED"
    assert outcome.seconds < 5


@pytest.mark.parametrize("seed", range(60))
def test_bound_is_never_below_the_rank(seed):
    """On random rational networks the bound is at least the exact rank of Psi."""
    builder, inputs, document, truth = random_case(seed)
    network = read(builder, inputs, document)
    scale = 1
    for row in truth:
        for value in row:
            scale = scale * value.denominator // math.gcd(scale, value.denominator)
    rank = fmpz_mat([[int(value * scale) for value in row] for row in truth]).rank()
    assert Structure(layered(network)).bound(0, network.samples)[0] >= rank


@pytest.mark.parametrize("seed", range(40))
def test_rank_of_small_weight_networks(seed):
    """Few different weights, so that twins, mirrors and constants abound; activations rational; bound >= rank."""
    random = Random(seed)
    activation = random.choice(["t", "t**2", "t**3", "Max(0, t)", "t/(t**2 + 1)", "t**3 - t + 1"])
    builder, units = Builder(), random.randint(2, 8)
    points = [[F(random.randint(-2, 2)), F(random.randint(0, 1)), F(1)] for _ in range(8)]
    weights = [[random.randint(-1, 1) for _ in range(3)] for _ in range(units)]
    second = [[random.randint(-1, 1) for _ in range(units)] for _ in range(units)]
    biases = [random.randint(-1, 1) for _ in range(units)]
    layers = [builder.dense(weights, biases, activation), builder.dense(second, biases, activation, inputs=[0])]
    network = read(builder, builder.exact(points), graph([3], layers, 2 * units))
    sigma = eval(f"lambda t: {activation}", {"Max": max})
    psi = []
    for x in points:
        z = [
            F(sigma(b + sum(w * v for w, v in zip(row, x, strict=True))))
            for row, b in zip(weights, biases, strict=True)
        ]
        psi.append(
            z
            + [
                F(sigma(b + sum(w * v for w, v in zip(row, z, strict=True))))
                for row, b in zip(second, biases, strict=True)
            ]
        )
    scale = 1
    for value in (v for row in psi for v in row):
        scale = scale * value.denominator // math.gcd(scale, value.denominator)
    rank = fmpz_mat([[int(value * scale) for value in row] for row in psi]).rank()
    assert Structure(layered(network)).bound(0, network.samples)[0] >= rank


def modular_rank(rows, prime=2**61 - 1):
    """Rank modulo a prime, by elimination in Python: never above the rank."""
    rows, rank = [[int(v) % prime for v in row] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        factor = pow(rows[rank][column], -1, prime)
        for r in range(rank + 1, len(rows)):
            if rows[r][column]:
                f = rows[r][column] * factor % prime
                rows[r] = [(a - f * b) % prime for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


def test_flint_rank_is_exact():
    """The rank that R5 trusts FLINT for, in all its branches (small, fraction-free, certified modular)."""
    random = Random(5)
    sizes = [(size, bits, (1, size // 2, size - 1)) for size, bits in ((6, 5), (12, 70), (40, 20), (40, 70))]
    for size, bits, ranks in [*sizes, (130, 20, (65,)), (130, 70, (1, 129))]:  # 65 of 130, with 70 bits, takes seconds
        for r in ranks:
            left = fmpz_mat(size, r, [random.randint(-9, 9) for _ in range(size * r)])
            right = fmpz_mat(r, size + 3, [random.randint(-(2**bits), 2**bits) for _ in range(r * (size + 3))])
            matrix = left * right
            assert matrix.rank() == modular_rank(matrix.tolist()) <= r
    assert fmpz_mat([[0, 0], [0, 0]]).rank() == 0


def test_rank_is_not_lost_to_a_prime():
    """Entries that vanish modulo large primes must still count."""
    for first in (2**62 - 57, (2**62 - 57) * (2**62 - 87), math.prod(range(2**61, 2**61 + 600))):
        for size in (2, 30, 60):
            rows = [[(first if i == 0 else 1) * int(i == j) for j in range(size)] for i in range(size)]
            assert fmpz_mat(rows).rank() == size
