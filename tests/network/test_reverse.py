"""Reverse accumulation and enclosures of the Jacobian, held against differences at 120 digits for every node kind."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from jacobians import derivative_at, off_by, small_case
from planted_graphs import STEPS

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.graph_arithmetic import FloatBalls
from verifier.balls.jacobian import Parameters, enclose_jacobian
from verifier.balls.slopes import BoxOfFloatBalls
from verifier.network.approx_jacobian import approx_jacobian
from verifier.network.builder import Builder
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Network
from verifier.network.nodes import Affine, Pool, Reduce, Window
from verifier.network.reverse import Reverse
from verifier.sigma.activations import activation

ENGINES = (numpy_backend(1), None)
BOX = 2.0**-24


def enclosed(case, engine, reach=None, reduced=False):
    where = Parameters.at(case.u, case.v)
    where = where if reach is None else where.around(reach)
    return enclose_jacobian(case.network, where, case.inputs, np.arange(where.size), engine, reduced=reduced)


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_every_node_kind_at_a_point(kind):
    """Both engines contain the derivatives along single parameters, and plain floating point is near."""
    case = small_case(kind)
    columns = case.rng.choice(case.size, size=3, replace=False)
    exact = {j: derivative_at(case, case.u, case.v, j) for j in columns}
    for engine in ENGINES:
        try:
            found = enclosed(case, engine)
        except NotSmooth as error:
            assert "may" in str(error)
            return
        for j, column in exact.items():
            assert off_by(found, int(j), column) == 0, (kind, engine, j)
    _, plain = approx_jacobian(case.network, case.u, case.v, case.inputs)
    assert np.allclose(plain, found.middles, rtol=1e-6, atol=1e-6 * (1 + np.abs(plain).max()))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_hold_random_points(seed):
    case = small_case(None, seed)
    reach = np.full(case.size, BOX)
    inside = case.rng.uniform(-1, 1, case.size) * BOX
    u, v = case.u + inside[: len(case.u)], case.v + inside[len(case.u) :].reshape(case.v.shape)
    j = int(case.rng.integers(case.size))
    column = derivative_at(case, u, v, j)
    for engine in ENGINES:
        assert off_by(enclosed(case, engine, reach), j, column) == 0


def test_reduced_rows_are_differences_to_the_last_output():
    case = small_case(None, 1)
    whole = approx_jacobian(case.network, case.u, case.v, case.inputs)[1].reshape(len(case.inputs), -1, case.size)
    expected = (whole[:, :-1] - whole[:, -1:]).reshape(-1, case.size)
    for engine in ENGINES:
        found = enclosed(case, engine, reduced=True)
        assert (np.abs(found.middles - expected) <= found.radii + 1e-9 * (1 + np.abs(expected).max())).all()


def shared_weights():
    """One weight matrix read by two layers, at three positions each."""
    build = Builder((3, 3))
    first = build.affine([0], 3, "w", over="last", bias=None)
    weight = build.nodes[first].weight
    second = build.add(Affine((build.map(first, activation("tanh")), weight), "last", False))
    build.feature(build.map(second, activation("tanh")))
    return Network.of(build.nodes, build.features)


def violations(case):
    """Entries of both engines' Jacobians that do not contain the truth, all columns, at a point and in a box."""
    wrong = 0
    inside = case.rng.uniform(-1, 1, case.size) * BOX
    places = ((None, 0 * inside), (np.full(case.size, BOX), inside))
    for reach, moved in places:
        u, v = case.u + moved[: len(case.u)], case.v + moved[len(case.u) :].reshape(case.v.shape)
        columns = [derivative_at(case, u, v, j) for j in range(case.size)]
        for engine in ENGINES:
            found = enclosed(case, engine, reach)
            wrong += sum(off_by(found, j, column) for j, column in enumerate(columns))
    return wrong


def _not_turned(reverse, x):
    return x


def _forgets(reverse, traced, slope):
    if traced.slope is None:
        traced.slope = slope


BROKEN = {
    "a transposed index": (Reverse, "turned", _not_turned),
    "a forgotten shared contribution": (Reverse, "receive", _forgets),
    "a missing radius": (BoxOfFloatBalls, "parameter", FloatBalls.parameter),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_copies_are_caught(name, monkeypatch):
    case = small_case(None, 0, network=shared_weights())
    assert violations(case) == 0
    monkeypatch.setattr(*BROKEN[name])
    assert violations(case) > 0


@pytest.mark.parametrize(
    ("name", "value"), [("relu", 0.0), ("leaky_relu", 0.0), ("hard_tanh", 1.0), ("t/(1 + abs(t))", 0.0), ("elu", 0.0)]
)
def test_kinks_are_refused_by_the_nodes_name(name, value):
    build = Builder((1,))
    build.feature(build.map(build.affine([0], 1, "w", bias=None), activation(name)))
    network = Network.of(build.nodes, build.features)
    where, columns = Parameters.at(np.array([value]), np.array([[1.0]])), np.arange(2)
    for engine in ENGINES:
        with pytest.raises(NotSmooth, match=r"node 3 \(map\): .*kink"):
            enclose_jacobian(network, where, np.array([[1.0]]), columns, engine)
        beside = Parameters.at(np.array([value + 0.5]), np.array([[1.0]]))
        assert np.isfinite(enclose_jacobian(network, beside, np.array([[1.0]]), columns, engine).middles).all()
        with pytest.raises(NotSmooth):
            enclose_jacobian(network, beside.around(np.array([0.5, 0.0])), np.array([[1.0]]), columns, engine)


@pytest.mark.parametrize("node", [Reduce((2,), "max", 1), Pool((2,), "max", Window((2,), (1,), (0,), (1,)))])
def test_ties_of_a_maximum_are_refused(node):
    build = Builder((1, 2))
    build.add(replace(node, reads=(build.parameter("w", (1, 2)),)))
    build.feature(len(build.nodes) - 1)
    network = Network.of(build.nodes, build.features)
    v, x = np.ones((1, 1)), np.zeros((1, 2))
    for engine in ENGINES:
        tied, apart = (Parameters.at(np.array([1.0, b]), v) for b in (1.0, 0.5))
        with pytest.raises(NotSmooth, match="two entries may be the largest"):
            enclose_jacobian(network, tied, x, np.arange(3), engine)
        found = enclose_jacobian(network, apart, x, np.arange(3), engine)
        assert found.middles.tolist() == [[1.0, 0.0, 1.0]]


def test_the_derivative_is_exact_at_120_digits():
    """The oracle itself, on a formula: d/dw tanh(w x) v = x v / cosh^2(w x)."""
    build = Builder((1,))
    build.feature(build.map(build.affine([0], 1, "w", bias=None), activation("tanh")))
    case = small_case(None, 0, network=Network.of(build.nodes, build.features), outputs=1)
    with mpmath.workdps(60):
        w, v = mpmath.mpf(float(case.u[0])), mpmath.mpf(float(case.v[0, 0]))
        for x, value in zip(case.inputs.ravel().tolist(), derivative_at(case, case.u, case.v, 0), strict=True):
            assert abs(value - x * v / mpmath.cosh(w * x) ** 2) < mpmath.mpf(10) ** -40
