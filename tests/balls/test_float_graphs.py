"""The engines on arrays, binary64 and double-double, on graphs of every node kind, against the oracle in mpmath."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import array_api_strict
import mpmath
import numpy as np
import oracle_graph
import pytest
from everyday import one_in
from oracle_graph import psi_oracle
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.balls.double_double.pair import Pair
from verifier.network.builder import Builder
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import (
    Add,
    Attend,
    Constant,
    Embed,
    Input,
    InverseRoot,
    Normalise,
    Reduce,
    Scale,
    Softmax,
)
from verifier.sigma.activations import activation

NUMPY = numpy_backend(1)
STRICT = Backend(array_api_strict, "array-api-strict")


def holds(blocks, truth, by_rows=True):
    """Whether every exact entry is within its radius; the squared distances of all rows."""
    found, squares = True, [mpmath.mpf(0)] * len(truth)
    for part, mid, radius in blocks:
        room = np.asarray(radius).tolist()
        parts = [np.asarray(one).tolist() for one in (mid if isinstance(mid, Pair) else (mid,))]
        for i, line in enumerate(zip(*parts, strict=True)):
            for j, values in enumerate(zip(*line, strict=True)):
                row, column = (part.start + i, j) if by_rows else (i, part.start + j)
                distance = abs(truth[row][column] - sum(map(mpmath.mpf, values)))
                squares[row] += distance * distance
                found = found and bool(distance <= mpmath.mpf(room[j]))
    return found, squares


def enclosed(network, u, x, backend=NUMPY, width=None, digits=60, by=FloatEnclosure, truth=None):
    """Whether Psi is enclosed, entry by entry and row by row; None if the engine refuses.

    ``truth`` is the oracle's Psi, where it has been found before.
    """
    features = by(network, u, x, backend)
    try:
        blocks = list(features.row_blocks() if width is None else features.column_blocks(width))
    except NotEnclosed:
        return None
    with mpmath.workdps(digits):
        found, squares = holds(blocks, truth or psi_oracle(network, u, x), width is None)
        norms = np.asarray(features.row_norms()).tolist()
        return found and all(s <= mpmath.mpf(norm) ** 2 for s, norm in zip(squares, norms, strict=True))


ENGINES = [FloatEnclosure, DoubleDoubleEnclosure]


@cache
def graph_of_kind(kind, seed):
    """A graph of one kind, with others below it, parameters of all sizes, samples, and Psi by the oracle."""
    rng = np.random.default_rng([seed, sorted(STEPS).index(kind)])
    network = random_graph(rng, kinds=[kind, kind, "map", "affine"], steps=4)
    u, x = random_point(rng, network, count=2, scale=(1.0, 1e-3, 10.0, 1e3)[seed])
    return network, u, x, psi_oracle(network, u, x)


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("kind", one_in(2, sorted(STEPS)))
@pytest.mark.parametrize("backend", [NUMPY, STRICT], ids=lambda b: b.name)
def test_every_node_kind_is_enclosed(kind, backend, by):
    for seed in range(4 if by is FloatEnclosure or backend is NUMPY else 1):
        network, u, x, truth = graph_of_kind(kind, seed)
        assert enclosed(network, u, x, backend, by=by, truth=truth) is not False


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_are_enclosed(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng, steps=int(rng.integers(1, 8)))
    u, x = random_point(rng, network, count=int(rng.integers(1, 4)), scale=float(10.0 ** rng.integers(-3, 4)))
    truth = psi_oracle(network, u, x)
    assert enclosed(network, u, x, truth=truth) is not False
    assert enclosed(network, u, x, width=2, truth=truth) is not False
    assert enclosed(network, u, x, by=DoubleDoubleEnclosure, truth=truth) is not False


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e-80, 1e80, 1e150, 1e300])
@pytest.mark.parametrize("seed", range(4))
def test_parameters_near_the_ends_of_the_range(seed, scale, by, monkeypatch):
    """Products that underflow, squares that overflow: enclosed or refused, and no warning."""
    monkeypatch.setattr(oracle_graph, "DIGITS", 700)
    rng = np.random.default_rng([seed, 7])
    network = random_graph(rng, steps=3)
    u, x = random_point(rng, network, count=1, scale=scale)
    assert enclosed(network, u, x, digits=700, by=by) is not False


def chain(*nodes):
    """A network of an input of two tokens with three channels, and nodes on it; the last is Psi."""
    return Network.of([Input(size=(2, 3)), *nodes], [Feature(len(nodes))])


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("value", [0.0, 5.0, -1e-3, 1e120])
def test_equal_channels_and_saturated_scores(value, by):
    """Zero variance, ties, scores far apart: normalisation with epsilon > 0, softmax and attention are enclosed."""
    x = np.full((2, 6), value)
    x[1, ::2] += 2000.0 if abs(value) < 100.0 else 0.0
    for node in (Normalise((0,)), Normalise((0,), centre=False), Softmax((0,)), Reduce((0,), "max", 1)):
        found = enclosed(chain(node), np.zeros(0), x, by=by)
        assert found is True or (found is None and abs(value) > 100.0), node
    if abs(value) < 100.0:
        assert enclosed(chain(Attend((0, 0, 0))), np.zeros(0), x, digits=3000, by=by) is True


@pytest.mark.parametrize("by", ENGINES)
def test_what_is_not_enclosed_is_refused(by):
    zero = np.zeros((1, 6))
    assert enclosed(chain(Normalise((0,), Fraction(0))), np.zeros(0), zero, by=by) is None
    assert enclosed(chain(InverseRoot((0,), Fraction(0))), np.zeros(0), zero, by=by) is None
    assert enclosed(chain(Normalise((0,), Fraction(10**400))), np.zeros(0), zero, by=by) is None
    assert enclosed(chain(Scale((0,), Fraction(10**400))), np.zeros(0), zero, by=by) is None
    half = Constant(values=np.full((2, 3), 0.5))
    assert enclosed(chain(half, Softmax((0, 1))), np.zeros(0), zero, by=by) is None
    table = Constant(values=np.ones((3, 2)))
    assert enclosed(chain(table, Embed((0, 1))), np.zeros(0), zero + 2.5, by=by) is None
    assert enclosed(chain(table, Embed((0, 1))), np.zeros(0), zero + 2.0, by=by) is True


def test_deep_networks_are_refused_before_radii_explode():
    """Each block multiplies radii by some number; binary64 gives up where they are as large as the values."""
    build = Builder((4, 8))
    last = 0
    for block in range(30):
        inner = build.affine([build.add(Normalise((last,)))], 8, f"inner{block}", over="last")
        last = build.add(
            Add((last, build.affine([build.map(inner, activation("gelu"))], 8, f"outer{block}", over="last")))
        )
    build.feature(last)
    network = Network.of(build.nodes, build.features)
    rng = np.random.default_rng(0)
    features = FloatEnclosure(
        network, rng.standard_normal(network.parameter_count) * 3, rng.standard_normal((3, 32)), NUMPY
    )
    with pytest.raises(NotEnclosed, match="radius is as large as the value"):
        list(features.row_blocks())
    assert features.precision > 256


def test_pre_activations_that_others_read_stay():
    """An activation may not write over what a feature or another node reads."""
    build = Builder((2,))
    inner = build.affine([0], 3, "inner")
    outer = build.map(inner, activation("tanh"))
    build.feature(inner)
    build.feature(build.add(Add((inner, outer))))
    network = Network.of(build.nodes, build.features)
    rng = np.random.default_rng(1)
    u, x = random_point(rng, network, count=3)
    assert enclosed(network, u, x) is True and enclosed(network, u, x, width=2) is True


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("exponent", [-2000, -1100, 1100])
def test_scales_of_scores_beyond_binary64_are_refused(exponent, by):
    """A square of 2^-1100 is 0 in binary64, the scores 2^450 are not."""
    build = Builder((2, 1))
    build.feature(build.add(Attend((0, 0, 0), Fraction(2) ** exponent)))
    network = Network.of(build.nodes, build.features)
    assert enclosed(network, np.zeros(0), np.array([[2.0**500, 2.0**499]]), by=by) is None
