"""Enclosures of the gradient and the Hessian of the cross-entropy, held against differences at 80 digits."""

import mpmath
import numpy as np
import pytest
import sympy
from jacobians import small_case
from planted_graphs import STEPS

import verifier as vf
from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.hessian import Labelled, enclose_gradient, enclose_hessian, enclose_loss
from verifier.balls.jacobian import Parameters
from verifier.balls.tangents import Tangent, Tangents, TangentSlopes
from verifier.fuzz import oracle
from verifier.network.builder import Builder
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Network
from verifier.sigma.activations import activation

ENGINES = (numpy_backend(1), None)
DIGITS, STEP = 80, mpmath.mpf(10) ** -20
BOX = 2.0**-24


def labelled(case, outputs):
    """Label counts, some samples with two labels; frozen logits for every other case."""
    counts = case.rng.integers(0, 3, (len(case.inputs), outputs))
    counts[:, 0] += counts.sum(axis=1) == 0
    offset = case.rng.standard_normal(counts.shape) if case.rng.integers(2) else None
    return Labelled.of(case.inputs, counts.astype(np.int64), offset)


def loss_to(network, theta, samples):
    """Phi at parameters that are mpmath numbers, from the definition."""
    p, m, total = network.parameter_count, samples.counts.shape[1], mpmath.mpf(0)
    v = [theta[p + j * m : p + (j + 1) * m] for j in range(network.columns)]
    for i, x in enumerate(samples.inputs.tolist()):
        psi = oracle.feature_row(network, theta[:p], list(map(mpmath.mpf, x)), oracle.REAL)
        frozen = [0.0] * m if samples.offset is None else samples.offset[i].tolist()
        g = [mpmath.fsum(f * v[j][k] for j, f in enumerate(psi)) + frozen[k] for k in range(m)]
        for y, count in enumerate(samples.counts[i].tolist()):
            total += count * (mpmath.log(mpmath.fsum(map(mpmath.exp, g))) - g[y])
    return total / samples.total


def second(case, samples, u, v, j, k):
    """The second derivative of Phi by two parameters."""
    with mpmath.workdps(DIGITS):
        theta = list(map(mpmath.mpf, [*u.tolist(), *v.ravel().tolist()]))

        def at(a, b):
            moved = list(theta)
            moved[j] += a * STEP
            moved[k] += b * STEP
            return loss_to(case.network, moved, samples)

        return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * STEP * STEP)


def wrong_entries(case, samples, engine, pairs, reach=0.0):
    """How many entries of an enclosure, over a box, do not contain the truth at a random point of it."""
    free = np.arange(case.size)
    found = enclose_hessian(case.network, Parameters.at(case.u, case.v).around(np.full(case.size, reach)), samples,
                            free, engine)  # fmt: skip
    inside = np.random.default_rng(1).uniform(-1, 1, case.size) * reach
    u, v = case.u + inside[: len(case.u)], case.v + inside[len(case.u) :].reshape(case.v.shape)
    wrong = 0
    for j, k in pairs:
        exact = second(case, samples, u, v, j, k) * samples.total
        off = abs(mpmath.mpf(float(found.middles[j, k])) - exact)
        wrong += not off <= mpmath.mpf(float(found.radii[j, k])) + mpmath.mpf(10) ** -22 * (1 + abs(exact))
    return wrong


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_every_node_kind(kind):
    """Both engines contain second derivatives at a point and in a box; the gradient is contained as well."""
    case = small_case(kind, 3)
    samples = labelled(case, 2)
    pairs = case.rng.integers(0, case.size, (1, 2)).tolist()
    for engine in ENGINES:
        try:
            assert wrong_entries(case, samples, engine, pairs, BOX) == 0, (kind, engine)
        except NotSmooth as error:
            assert "may" in str(error)
            return
        except NotEnclosed:
            assert engine is not None
    gradient = enclose_gradient(case.network, case.u, case.v, samples, np.arange(case.size))
    with mpmath.workdps(DIGITS):
        theta = list(map(mpmath.mpf, [*case.u.tolist(), *case.v.ravel().tolist()]))
        j = pairs[0][0]
        ends = [loss_to(case.network, [t + s * STEP * (i == j) for i, t in enumerate(theta)], samples) for s in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * STEP)
        assert abs(slope - mpmath.mpf(gradient[j].mid().str(40, radius=False))) < mpmath.mpf(10) ** -22 * (
            1 + abs(slope)
        )


def test_one_unit_against_sympy():
    """A closed form: one sin unit, two samples, two classes."""
    w, b, v = sympy.symbols("w b v")
    x, labels, point = (sympy.Rational(1, 2), -1), (0, 1), {w: sympy.Rational(3, 4), b: -2, v: sympy.Rational(5, 8)}
    margins = [(v if y == 0 else -v) * sympy.sin(w * s + b) for s, y in zip(x, labels, strict=True)]
    loss = sum(sympy.log(1 + sympy.exp(-margin)) for margin in margins)
    exact = sympy.hessian(loss, (w, b, v)).subs(point).evalf(40)
    network = vf.Network(1, vf.Dense(1, "sin", skip=True))
    samples = Labelled.of(np.array([[0.5], [-1.0]]), np.eye(2, dtype=np.int64))
    where, free = Parameters.at(np.array([0.75, -2.0]), np.array([[0.625, 0.0]])), np.arange(3)
    for engine in ENGINES:
        found = enclose_hessian(network, where, samples, free, engine)
        for i in range(3):
            for j in range(3):
                off = abs(sympy.Float(float(found.middles[i, j]), 40) - exact[i, j])
                assert off <= float(found.radii[i, j]) < 1e-12
    value = enclose_loss(network, where.u, where.v, samples)
    assert abs(float(value.mid()) - float(loss.subs(point).evalf(20)) / 2) < 1e-15


def shared_case():
    """One bias that is read twice, before and behind a tanh; a square of one node."""
    build = Builder((2,))
    first = build.affine([0], 2, "w", bias=None)
    bias = build.parameter("b", (2,))
    inner = build.map(build.add(vf.nodes.Add((first, bias))), activation("tanh"))
    last = build.add(vf.nodes.Multiply((inner, inner)))
    build.feature(build.add(vf.nodes.Add((last, bias))))
    return small_case(None, 0, network=Network.of(build.nodes, build.features))


def _without_second(slopes, x, sigma):
    return Tangent(slopes.ops.engine.rate(x.value, sigma), None)


def _one_factor(ops, a, b):
    value = ops.ops.multiply(a.value, b.value)
    return Tangent(value, None if a.along is None else ops.ops.multiply(ops._wide(a, ops.ops.shape(value)), b.value))


BROKEN = {
    "no second derivative": (TangentSlopes, "rate", _without_second),
    "half a product rule": (Tangents, "multiply", _one_factor),
    "a box taken for a point": (Parameters, "around", lambda where, reach: where),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_copies_are_caught(name, monkeypatch):
    case = shared_case()
    samples = labelled(case, 2)
    pairs = [(0, 0), (4, 0), (5, 5), (6, 4)]
    assert wrong_entries(case, samples, ENGINES[0], pairs, BOX) == 0
    monkeypatch.setattr(*BROKEN[name])
    assert wrong_entries(case, samples, ENGINES[0], pairs, BOX) > 0


@pytest.mark.parametrize("name", ["relu", "elu", "hard_tanh", "t*abs(t)"])
def test_kinks_in_the_box_are_refused_and_pieces_are_not(name):
    """ELU and ``t |t|`` have a continuous derivative, but no continuous second one, at 0."""
    network = vf.Network(1, vf.Dense(1, name, skip=True))
    samples, free = Labelled.of(np.array([[1.0]]), np.array([[1, 2]])), np.arange(3)
    for engine in ENGINES:
        where = Parameters.at(np.array([0.25, 0.25]), np.array([[1.0, 0.0]]))
        found = enclose_hessian(network, where.around(np.array([0.125, 0.0625, 0.0, 0.0])), samples, free, engine)
        assert np.isfinite(found.radii).all()
        with pytest.raises(NotSmooth, match=r"node .*kink"):
            enclose_hessian(network, where.around(np.array([0.25, 0.25, 0.0, 0.0])), samples, free, engine)


def test_too_many_samples_for_binary64():
    with pytest.raises(NotEnclosed, match="samples"):
        Labelled.of(np.zeros((1, 1)), np.array([[2**53, 1]]))
