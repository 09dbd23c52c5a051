"""The binary64 engine on graphs of every node kind, against the oracle of graphs in mpmath."""

from __future__ import annotations

import array_api_strict
import mpmath
import numpy as np
import pytest
from oracle_graph import psi_oracle
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure

NUMPY = numpy_backend(1)
STRICT = Backend(array_api_strict, "array-api-strict")


def holds(blocks, truth, by_rows=True):
    """Whether every exact entry is within its radius; the squared distances of all rows."""
    found, squares = True, [mpmath.mpf(0)] * len(truth)
    for part, mid, radius in blocks:
        middle, room = np.asarray(mid), np.asarray(radius).tolist()
        for i in range(middle.shape[0]):
            for j, value in enumerate(middle[i].tolist()):
                row, column = (part.start + i, j) if by_rows else (i, part.start + j)
                distance = abs(truth[row][column] - mpmath.mpf(value))
                squares[row] += distance * distance
                found = found and bool(distance <= mpmath.mpf(room[j]))
    return found, squares


def enclosed(network, u, x, backend=NUMPY, width=None):
    """Whether Psi is enclosed, entry by entry and row by row; None if binary64 refuses."""
    features = FloatEnclosure(network, u, x, backend)
    try:
        blocks = list(features.row_blocks() if width is None else features.column_blocks(width))
    except NotEnclosed:
        return None
    with mpmath.workdps(60):
        found, squares = holds(blocks, psi_oracle(network, u, x), width is None)
        norms = np.asarray(features.row_norms()).tolist()
        return found and all(s <= mpmath.mpf(norm) ** 2 for s, norm in zip(squares, norms, strict=True))


@pytest.mark.parametrize("kind", sorted(STEPS))
@pytest.mark.parametrize("backend", [NUMPY, STRICT], ids=lambda b: b.name)
def test_every_node_kind_is_enclosed(kind, backend):
    """Graphs of one kind, with others below it; parameters of all sizes."""
    for seed in range(4):
        rng = np.random.default_rng([seed, sorted(STEPS).index(kind)])
        network = random_graph(rng, kinds=[kind, kind, "map", "affine"], steps=4)
        u, x = random_point(rng, network, count=2, scale=(1.0, 1e-3, 10.0, 1e3)[seed])
        assert enclosed(network, u, x, backend) is not False


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_are_enclosed(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng, steps=int(rng.integers(1, 8)))
    u, x = random_point(rng, network, count=int(rng.integers(1, 4)), scale=float(10.0 ** rng.integers(-3, 4)))
    assert enclosed(network, u, x) is not False
    assert enclosed(network, u, x, width=2) is not False
