"""The checker's Jacobian against differences of 100 digits, over every node kind, and the corpus of its claims."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from checker_graph import as_graph
from everyday import one_in
from flint import arb, fmpz_mat
from oracle_graph import psi_oracle
from planted import DIGITS, contains, seeds
from planted_graphs import STEPS, random_graph, random_point

from verifier.checker.certificate import check_file
from verifier.checker.common import Exact, Rejection, precision
from verifier.checker.jacobian import Jacobian
from verifier.checker.slopes import surrounded

STEP, GRID, NEAR = 2.0**-20, 64, Fraction(1, 10**15)
BITS = 200
CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if {"J1", "J2", "J3"} & set(entry["labels"])]


def weights_of(rng, rows, outputs):
    """Output weights that are eighths, as numbers and as the checker holds them."""
    whole = rng.integers(-16, 17, (rows, outputs))
    return whole / 8.0, Exact(fmpz_mat(whole.tolist()), -3, 8)


def logits(network, u, v, x):
    """The logits, one list for each sample."""
    with mpmath.workdps(DIGITS):
        return [
            [mpmath.fsum(psi * mpmath.mpf(v[j, k]) for j, psi in enumerate(row)) for k in range(v.shape[1])]
            for row in psi_oracle(network, u, x)
        ]


def slope_of(network, u, v, x, number):
    """All logits' derivatives by one parameter, by differences at four points, up to about STEP^4."""

    def at(multiple):
        theta = np.concatenate([u, v.ravel()])
        theta[number] += multiple * STEP
        return logits(network, theta[: len(u)], theta[len(u) :].reshape(v.shape), x)

    with mpmath.workdps(DIGITS):
        rows = zip(*(itertools.chain(*at(multiple)) for multiple in (1, -1, 2, -2)), strict=True)
        return [(8 * (a - b) - (c - d)) / (12 * mpmath.mpf(STEP)) for a, b, c, d in rows]


def compared(rng, network, u, x, reduced=False, tried=4):
    """Compare some columns of the checker's Jacobian; False if it is rejected: a kink, a value that is not there."""
    v, weights = weights_of(rng, network.columns, int(rng.integers(2, 4)))
    total = len(u) + v.size
    chosen = sorted(rng.choice(total, size=min(tried, total), replace=False).tolist())
    with precision(BITS):
        try:
            jacobian = Jacobian(as_graph(network, u, x), weights, chosen, None, reduced)
            rows = [row for _, block in jacobian.blocks() for row in block]
        except Rejection as rejection:
            assert rejection.rule in ("J.differentiable", "features.finite", "network.token"), rejection
            return False
    for place, number in enumerate(chosen):
        truth = slope_of(network, u, v, x, number)
        if reduced:
            lines = [truth[start : start + v.shape[1]] for start in range(0, len(truth), v.shape[1])]
            truth = [entry - line[-1] for line in lines for entry in line[:-1]]
        scale = max(1, *(abs(entry) for entry in truth))
        for row, entry in zip(rows, truth, strict=True):
            assert contains(row[place], entry, NEAR * Fraction(int(scale) + 1)), (number, row[place], entry)
    return True


@pytest.mark.parametrize("kind", one_in(2, sorted(STEPS)))
def test_the_jacobian_of_every_kind_is_that_of_differences(kind):
    rng = np.random.default_rng(sorted(STEPS).index(kind))
    found = 0
    for _ in range(4):
        network = random_graph(rng, kinds=[kind, "affine", "map"], steps=3)
        u, x = random_point(rng, network, count=2, grid=GRID)
        if kind in {node.kind for node in network.nodes}:
            found += compared(rng, network, u, x, tried=2)
    assert found >= 1


@seeds(8)
def test_the_jacobian_of_random_graphs_is_that_of_differences(rng):
    network = random_graph(rng, steps=7)
    u, x = random_point(rng, network, count=2, grid=GRID)
    compared(rng, network, u, x, reduced=bool(rng.integers(2)))


def test_the_corpus_of_jacobians():
    for entry in OWN:
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


@pytest.mark.parametrize("number", ["0", "1", "1e-150", "-1e-300", "0 +/- 1e-5", "1 +/- 1e-9"])
def test_a_point_is_surrounded_and_one_near_a_kink_at_0_stays_away_from_it(number):
    """Units of weights of 1e-150 are as differentiable as others: no absolute width may reach the kink."""
    entry = arb(number)
    found = surrounded(entry)
    assert found.contains_interior(entry)
    assert found.contains(0) == entry.contains(0)
