"""The checker's second derivatives against differences of 100 digits, over every node kind, and the corpus of BM."""

from __future__ import annotations

import json
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import mpmath
import numpy as np
import pytest
from checker_graph import as_graph
from flint import arb, arb_mat, fmpz_mat
from oracle_graph import psi_oracle
from planted import DIGITS, contains, seeds
from planted_graphs import SMOOTH as NAMES
from planted_graphs import STEPS, random_graph, random_point

from verifier.checker.certificate import check_file
from verifier.checker.common import Exact, Rejection, precision
from verifier.checker.curvature import LINEAR, RULES
from verifier.checker.minimum import Loss, require_at_least
from verifier.checker.nodes import KINDS
from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.sigma.activations import activation

STEP, GRID, NEAR, BITS = 2.0**-20, 64, Fraction(1, 10**12), 200
CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if "BM" in entry["labels"]]


def loss(network, u, v, x, counts):
    """N times the cross-entropy, by definition."""
    total = mpmath.mpf(0)
    for row, own in zip(psi_oracle(network, u, x), counts, strict=True):
        logits = [mpmath.fsum(a * mpmath.mpf(b) for a, b in zip(row, column, strict=True)) for column in v.T]
        top = mpmath.log(mpmath.fsum(map(mpmath.exp, logits)))
        total += mpmath.fsum(count * (top - g) for count, g in zip(own, logits, strict=True))
    return total


def along(network, u, v, x, counts, direction):
    """First and second derivative of the loss along a direction of theta, by differences at five points."""

    def at(multiple):
        own = v.copy()
        own[:, :-1] += multiple * STEP * direction[len(u) :].reshape(len(v), -1)
        return loss(network, u + multiple * STEP * direction[: len(u)], own, x, counts)

    with mpmath.workdps(DIGITS):
        a, b, c, d, e = map(at, (-2, -1, 0, 1, 2))
        h = mpmath.mpf(STEP)
        return (a - 8 * b + 8 * d - e) / (12 * h), (-a + 16 * b - 30 * c + 16 * d - e) / (12 * h * h)


def compared(rng, network, without):
    """Compare the checker's derivatives along a random direction; False if it rejects, or `without` changes nothing.

    `without` is a context in which some nodes count as linear.
    """
    u, x = random_point(rng, network, count=2, grid=GRID)
    outputs = int(rng.integers(2, 4))
    whole = rng.integers(-16, 17, (network.columns, outputs))
    whole[:, -1] = 0
    counts = rng.integers(0, 4, (2, outputs)) + np.eye(2, outputs, dtype=int)
    graph, weights = as_graph(network, u, x), Exact(fmpz_mat(whole.tolist()), -3, 8)
    direction = rng.integers(-8, 9, len(u) + network.columns * (outputs - 1)) / 8.0
    column = arb_mat([[entry] for entry in direction.tolist()])
    with precision(BITS):
        try:
            exact = Loss(graph, weights, counts.tolist(), None, None)
            matrix = exact.hessian()
            first, second = arb_mat([exact.gradient()]) * column, column.transpose() * matrix * column
        except Rejection as rejection:
            assert rejection.rule in ("BM.differentiable", "features.finite", "network.token"), rejection
            return False
        try:
            box = Loss(graph, weights, counts.tolist(), None, arb(2) ** -30).hessian()
            assert box.contains(matrix)
        except Rejection:
            pass
        with without:
            changed = not matrix.overlaps(exact.hessian())
    truth = along(network, u, whole / 8.0, x, counts.tolist(), direction)
    scale = Fraction(int(1 + max(map(abs, truth))))
    assert contains(first[0, 0], truth[0], NEAR * scale) and contains(second[0, 0], truth[1], NEAR * scale), truth
    return changed


def graph_of(rng, kind):
    """A graph whose feature is a node of a kind that reads what depends on trained weights."""
    build = Builder((2, 3))
    pool = [build.map(build.affine([0], 2, f"p{k}", over="last"), activation("tanh")) for k in range(2)]
    build.feature(STEPS[kind](rng, build, pool, NAMES if kind == "map" else ("tanh", "sigmoid")))
    return Network.of(build.nodes, build.features)


@pytest.mark.parametrize("kind", sorted(RULES))
def test_the_second_derivatives_of_every_kind_are_those_of_differences(kind):
    rng = np.random.default_rng(sorted(RULES).index(kind))
    found = 0
    for _ in range(20):
        found += compared(rng, graph_of(rng, kind), patch.dict(RULES, {kind: nothing}))
        if found == (len(NAMES) if kind == "map" else 2):
            return
    pytest.fail("no graph was compared")


@seeds(4)
def test_the_second_derivatives_of_random_graphs_are_those_of_differences(rng):
    compared(rng, random_graph(rng, steps=4), nullcontext())


def nothing(*_):
    """The rule of a linear node."""
    return []


def test_every_kind_is_linear_or_has_a_rule():
    assert RULES.keys() | LINEAR | {"input", "parameter", "constant"} == KINDS.keys()
    assert not RULES.keys() & LINEAR


def test_the_corpus_of_minima():
    for entry in OWN:
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


@pytest.mark.parametrize(
    ("rows", "bound", "holds"),
    [
        ([["2", "1"], ["1", "2"]], "1 - 1e-9", True),
        ([["2", "1"], ["1", "2"]], "1 + 1e-9", False),
        ([["2 +/- 0.25", "1 +/- 0.25"], ["1 +/- 0.25", "2 +/- 0.25"]], "0.499", True),
        ([["2 +/- 0.25", "1 +/- 0.25"], ["1 +/- 0.25", "2 +/- 0.25"]], "0.501", False),
        ([["1", "1"], ["1", "1"]], "1e-12", False),
        ([["1", "0"], ["0", "0"]], "1e-12", False),
        ([["1", "2"], ["2", "1"]], "1e-12", False),
        ([["1", "nan"], ["nan", "1"]], "1e-12", False),
        ([["1e400", "0"], ["0", "1e400"]], "1", False),
        ([["1e-321", "0"], ["0", "1e-321"]], "9e-322", False),  # binary64 has few bits there
        ([["1e-20 +/- 1e-24"]], "9.9e-21", True),
        ([["1 +/- 1", "0"], ["0", "1"]], "0.001", False),
    ],
)
def test_least_eigenvalues_of_balls(rows, bound, holds):
    with precision(BITS):
        matrix = arb_mat([[arb(entry) for entry in row] for row in rows])
        least, _, rest = bound.partition(" ")
        bounded = arb(least) + arb(rest.replace(" ", "") or "0")
        try:
            require_at_least(matrix, bounded, "")
        except Rejection as rejection:
            assert (rejection.rule, holds) == ("BM.curvature", False)
        else:
            assert holds
