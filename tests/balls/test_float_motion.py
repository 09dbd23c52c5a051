"""Values and rates along a segment in binary64 contain exact ones: planted corners, and quotients of graphs' values."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import oracle_graph
import pytest
from planted import mp, seeds
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.binary64 import span
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.slope_table import table_for
from verifier.landscape.float_leg_margins import FloatLegMargins
from verifier.network.builder import Builder
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.network.nodes import InverseRoot
from verifier.sigma.activations import Activation, activation
from verifier.sigma.kernels import approx_mpmath_kernel

DIGITS = 50


def planted(rng, shape, scale, positive, relative=0.3):
    mid = rng.normal(size=shape) * scale
    mid = np.abs(mid) if positive else mid
    return span.Span(mid, np.abs(rng.normal(size=shape)) * scale * float(rng.choice([0.0, 1e-15, relative])))


def corner(rng, x):
    """Exact numbers at the intervals' ends: far from 0 if all midpoints are positive, else anywhere."""
    signs = rng.choice([-1, 1], size=x.mid.shape) if (x.mid < 0).any() else np.ones(x.mid.shape)
    rad = np.broadcast_to(x.rad, x.mid.shape)
    pairs = zip(x.mid.ravel(), rad.ravel(), signs.ravel(), strict=True)
    found = np.array([Fraction(m) + int(s) * Fraction(r) for m, r, s in pairs], dtype=object)
    return found.reshape(x.mid.shape)


def inside(found, exact):
    mid, rad = (np.broadcast_to(part, exact.shape).ravel() for part in (found.mid, found.rad))
    return all(
        abs(e - Fraction(m)) <= Fraction(r) for m, r, e in zip(mid.tolist(), rad.tolist(), exact.ravel(), strict=True)
    )


@seeds(8)
def test_intervals_contain_their_corners(rng):
    scale, positive = float(rng.choice([1.0, 1e-3, 1e5])), bool(rng.integers(2))
    a = planted(rng, (2, 3, 4), scale, positive)
    b = planted(rng, (2, 4) if rng.integers(2) else (1, 3, 1), scale, positive)
    p, q = corner(rng, a), corner(rng, b)
    wide = q if q.ndim == 3 else q[:, None, :]
    assert inside(span.plus(a, b), p + wide) and inside(span.minus(a, b), p - wide)
    assert inside(span.times(a, b), p * wide)
    assert inside(span.summed(a), p.sum(axis=-1)) and inside(span.mean(a), p.sum(axis=-1, keepdims=True) / 4)
    assert inside(span.scaled(a, 1 / 3), p / 3) and inside(span.scaled(a, 7.1), p * Fraction(71, 10))
    low, high = span.ends(a)
    assert inside(span.Span(low * 0.5 + high * 0.5, (high - low) * 0.5 * (1 + 1e-15)), p)
    assert inside(span.between(low, high), p)
    c = planted(rng, (1, 4, 5), scale, positive)
    r = corner(rng, c)
    product = span.matrix_product(np.matmul, a, c)
    exact = np.array([[[sum(p[n, i, j] * r[0, j, k] for j in range(4)) for k in range(5)] for i in range(3)]
                      for n in range(2)], dtype=object)  # fmt: skip
    assert inside(product, exact)


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "abs(t)", "softplus", "hard_tanh", "sin", "t/(1 + t**2)"])
def test_ranges_of_derivatives_contain_quotients(name):
    sigma = activation(name) if name[:2] not in ("t/", "ab") else Activation.from_expression(name)
    rng = np.random.default_rng(0)
    low = np.concatenate([[0.0, -0.0, -1.0, 2.0**-6, 1.0 - 2.0**-53], rng.normal(size=40) * 2])
    high = low + np.concatenate([[0.0, 0.0, 1.0, 2.0**-7, 2.0**-53], rng.exponential(size=40) * 0.3])
    least, most = table_for(sigma, 12.0).ranges(low, high)
    with mpmath.workdps(DIGITS):
        kernel = approx_mpmath_kernel(sigma)
        for a, b, lo, hi in zip(low.tolist(), high.tolist(), least.tolist(), most.tolist(), strict=True):
            points = [a + (b - a) * f for f in (mpmath.mpf(0), mpmath.mpf("0.01"), mpmath.mpf("0.5"), mpmath.mpf(1))]
            for p, q in itertools.pairwise(points):
                if p < q:
                    assert lo <= (kernel(q) - kernel(p)) / (q - p) <= hi, (a, b)
    assert (most - least)[5:].mean() < 0.6


def at(u, end, t):
    """U(t), exactly."""
    return [mp(Fraction(a) + t * (Fraction(b) - Fraction(a))) for a, b in zip(u.tolist(), end.tolist(), strict=True)]


def check(rng, network, monkeypatch, *, count=2):
    """Psi at the middle, and quotients of its differences on the interval, lie in the spans, if there are any."""
    monkeypatch.setattr(oracle_graph, "DIGITS", DIGITS)
    u, x = random_point(rng, network, count, scale=float(rng.choice([0.3, 1.0, 2.0])))
    end = [u + 0.1 * rng.normal(size=u.shape), rng.normal(size=u.shape), np.where(rng.random(u.shape) < 0.5, u, -u)]
    end = end[int(rng.integers(3))]
    parts = 2 ** int(rng.choice([0, 1, 2, 4, 6, 50, 60]))
    first = int(rng.integers(parts))
    t0, t1 = Fraction(first, parts), Fraction(first + 1, parts)
    leg = FloatLegMargins(network, u, end, x, rng.integers(0, 3, count))
    try:
        found = leg.interval(t0, t1)
    except NotEnclosed:
        return False
    with mpmath.workdps(DIGITS):
        times = [t0, t0 + (t1 - t0) / 100, (t0 + t1) / 2, t1]
        values = [oracle_graph.psi_oracle(network, at(u, end, t), x[leg.order]) for t in times]
        middle = np.array(values[2], dtype=object)
        assert within(found.psi, middle)
        for (p, a), (q, b) in itertools.combinations(zip(times, values, strict=True), 2):
            assert within(found.rate, (np.array(b, dtype=object) - np.array(a, dtype=object)) / mp(q - p)), (p, q)
    return True


def within(found, exact):
    room = mpmath.mpf(10) ** (24 - DIGITS)
    return all(
        abs(value - mpmath.mpf(m)) <= mpmath.mpf(r) + room * (1 + abs(value))
        for m, r, value in zip(found.mid.ravel().tolist(), found.rad.ravel().tolist(), exact.ravel(), strict=True)
    )


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_every_node_kind_moves(kind, monkeypatch):
    rng = np.random.default_rng(sorted(STEPS).index(kind))
    tried = [check(rng, random_graph(rng, [kind, "affine", "map"]), monkeypatch) for _ in range(2)]
    assert any(tried)


@seeds(8)
def test_random_graphs_move(rng, monkeypatch):
    check(rng, random_graph(rng), monkeypatch)


@seeds(3)
def test_rates_of_mixing_nodes(rng, monkeypatch):
    for kind in ("attend", "softmax", "normalise", "inverse-root", "gate", "contract", "reduce", "pool"):
        check(rng, random_graph(rng, [kind, kind, "affine"], steps=4), monkeypatch)


def test_what_is_undefined_or_overflows_is_refused():
    x, labels = np.array([[1.0]]), np.array([0])
    build = Builder((1,))
    moved = build.affine([0], 1, "p")
    build.feature(build.add(InverseRoot((moved,), Fraction(1))))
    leg = FloatLegMargins(
        Network.of(build.nodes, build.features), np.array([0.5, 0.0]), np.array([-3.0, 0.0]), x, labels
    )
    assert leg.interval(Fraction(0), Fraction(1, 4)).psi.mid.shape == (1, 1)
    with pytest.raises(NotEnclosed, match="a root is taken of may be 0"):
        leg.interval(Fraction(1, 4), Fraction(1, 2))
    plain = Network((1,), (Dense(1, activation("identity"), skip=True),))
    with pytest.raises(NotEnclosed):
        FloatLegMargins(plain, np.array([1e308, 0.0]), np.array([-1e308, 0.0]), x, labels).interval(
            Fraction(0), Fraction(1)
        )
