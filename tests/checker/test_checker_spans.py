"""What spans the columns of Psi on any graph: the bound is never below the rank, at any U."""

from __future__ import annotations

import numpy as np
import pytest
from checker_graph import as_graph
from planted_graphs import STEPS, random_graph, random_point

from verifier.checker import spans
from verifier.checker.spans import span_bound
from verifier.network.forward import approx_features

FORMS = [
    "normalise",
    "add",
    "multiply",
    "scale",
    "reshape",
    "permute",
    "take",
    "concatenate",
    "expand",
    "affine",
    "map",
]
ABOVE = 1e-9
"""Singular values above this multiple of the largest count: the numerical rank is then at most the true one."""


def ranks(seed, kinds):
    """Return the bound and the numerical ranks at three points."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng, kinds=kinds, steps=8)
    u, x = random_point(rng, network, count=40)
    bound, _ = span_bound(as_graph(network, u, x))
    found = []
    for _ in range(3):
        psi = approx_features(network, rng.standard_normal(len(u)) * rng.integers(0, 2, len(u)), x)
        if np.isfinite(psi).all():
            values = np.linalg.svd(psi, compute_uv=False)
            found.append(int((values > ABOVE * max(values[0], 1e-300)).sum()))
    return bound, found


@pytest.mark.parametrize("kinds", [FORMS, list(STEPS)], ids=["forms", "all"])
@pytest.mark.parametrize("seed", range(25))
def test_the_bound_is_never_below_the_rank(seed, kinds):
    bound, found = ranks(seed, kinds)
    assert all(rank <= bound for rank in found)


def test_a_forgotten_constant_is_caught(monkeypatch):
    """A broken copy in which sums with a constant are not shifted claims less than the rank somewhere."""
    monkeypatch.setattr(spans, "CONSTANT", spans.NOTHING)
    found = (ranks(seed, FORMS) for seed in range(40))
    assert any(rank > bound for bound, each in found for rank in each)


def test_pieces_that_are_no_piece_are_caught(monkeypatch):
    """A broken copy in which every normalisation has a mean, or none of its channels is missed."""
    monkeypatch.setattr(spans.Forms, "normalise", lambda self, node, numbers: [self.new()] * len(numbers))
    found = (ranks(seed, FORMS) for seed in range(40))
    assert any(rank > bound for bound, each in found for rank in each)
