"""First-order jets of random graphs hold values and derivatives at every time of a ball; broken rules are caught."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from flint import arb
from oracle_graph import psi_oracle
from planted import contains, fraction, seeds
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.jets import Jet, Jets
from verifier.balls.motion import Motion
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import Add, Input, Parameter, Pool, Reduce, Window

SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "square")
STEP = 2.0**-16
"""Of difference quotients; the points are dyadic numbers of few digits, so that they are exact."""


def problem(rng, kinds=None, steps=4, width=2.0**-6):
    """A random smooth network, two points of few digits, samples, and a ball of times around a dyadic one."""
    network = random_graph(rng, kinds, steps, SMOOTH)
    u, x = random_point(rng, network, grid=32)
    end, _ = random_point(rng, network, grid=32)
    end = np.where(rng.random(u.shape) < 0.25, u, u + np.round((end - u) * 4) / 32)
    middle = float(rng.integers(1, 8)) / 8
    return Motion(network, u, end, x, int(rng.choice([53, 64, 128]))), middle, width


def truth(motion, t):
    """Psi at a time, by the oracle: exactly there, since the numbers have few digits."""
    return psi_oracle(motion.network, motion.start + t * (motion.end - motion.start), motion.inputs)


def wrong(motion, middle, width):
    """How many entries at three times of the ball are outside of their balls; None if one is not finite."""
    psi, slopes = motion.jets(arb(middle, width))
    if not all(ball.is_finite() for row in [*psi, *slopes] for ball in row):
        return None
    found = 0
    for t in (middle - width, middle, middle + width):
        at, quotients = truth(motion, t), [_quotient(motion, t, h) for h in (STEP, 2 * STEP)]
        for row, rates, values, near, far in zip(psi, slopes, at, *quotients, strict=True):
            for ball, rate, value, a, b in zip(row, rates, values, near, far, strict=True):
                error = fraction(abs(a - b)) + fraction(1e-25 * (1 + abs(float(a))))
                found += not contains(ball, value, fraction(1e-25 * (1 + abs(float(value)))))
                found += not contains(rate, a, error)
    return found


def _quotient(motion, t, h):
    after, before = truth(motion, t + h), truth(motion, t - h)
    with mpmath.workdps(60):
        return [[(a - b) / (2 * h) for a, b in zip(*rows, strict=True)] for rows in zip(after, before, strict=True)]


@seeds(25)
def test_random_graphs(rng):
    """Every node kind, shared and still parameters, wide and narrow balls."""
    motion, middle, width = problem(rng, width=float(rng.choice([0.0, 2.0**-30, 2.0**-8, 2.0**-4])))
    assert not wrong(motion, middle, width)
    values = motion.features(arb(middle, width))
    assert len(values) == len(motion.inputs) and all(len(row) == motion.network.columns for row in values)


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_each_kind_is_enclosed_and_sharp(kind):
    """Over a thin ball of times the derivative is known to many digits."""
    sharp = 0
    for seed in range(6):
        motion, middle, width = problem(np.random.default_rng(seed), [kind, "affine"], 3, 2.0**-30)
        found = wrong(motion, middle, width)
        assert not found
        if found is not None:
            rates = [rate for row in motion.jets(arb(middle, width))[1] for rate in row]
            sharp += all(rate.rad() < 1e-3 * (1 + abs(rate.mid())) for rate in rates)
    assert sharp >= 3


def _still_norm(self, x, epsilon, *, centre):
    """Normalisation whose root is held fixed."""
    ops = self.values
    y = ops.normalise(x.value, epsilon, centre=centre)
    if x.slope is None:
        return Jet(y)
    c, rate = (self._centred(part) if centre else part for part in (x.value, x.slope))
    r = ops.inverse_root(ops.mean(ops.multiply(c, c)), epsilon)
    return Jet(y, ops.multiply(ops.spread(r, x.value.shape[-1]), rate))


BROKEN = {
    ("affine", "affine"): lambda self, g, s, w, b: Jet(
        self.values.affine(g, [x.value for x in s], w.value, b.value if b else None),
        self.values.affine(g, [x.value for x in s], self._slope(w), b.slope if b else None),
    ),
    ("map", "map"): lambda self, x, sigma: Jet(self.values.map(x.value, sigma), x.slope),
    ("multiply", "multiply"): lambda self, a, b: self._linear(a, lambda part: self.values.multiply(part, b.value)),
    ("contract", "contract"): lambda self, a, b, transposed=False: self._linear(
        a, lambda part: self.values.contract(part, b.value, transposed=transposed)
    ),
    ("inverse-root", "inverse_root"): lambda self, x, e: self._linear(
        x, lambda part: self.values.inverse_root(x.value, e) if part is x.value else x.slope
    ),
    ("softmax", "_turned"): lambda self, p, rate: self.values.multiply(p, rate),
    ("attend", "_turned"): lambda self, p, rate: self.values.multiply(p, rate),
    ("normalise", "normalise"): _still_norm,
    ("gate", "gate"): lambda self, z, a, b: Jet(
        self.values.gate(z.value, a.value, b.value), self.values.gate(z.value, self._slope(a), self._slope(b))
    ),
    ("embed", "embed"): lambda self, tokens, table: Jet(self.values.embed(tokens.value, table.value)),
    ("reduce", "total"): lambda self, x: Jet(self.values.total(x.value)),
    ("pool", "gather"): lambda self, s, places: Jet(
        self.values.gather([x.value for x in s], places), self.values.gather([x.value for x in s], places)
    ),
}
"""A node kind, and a method of `Jets` that is replaced by a wrong one."""


@pytest.mark.parametrize(("kind", "method"), BROKEN)
def test_a_broken_rule_is_caught(monkeypatch, kind, method):
    problems = [problem(np.random.default_rng(seed), [kind, "affine"], 3) for seed in range(14)]
    assert not any(wrong(*given) for given in problems)
    monkeypatch.setattr(Jets, method, BROKEN[kind, method])
    assert any(wrong(*given) for given in problems)


@pytest.mark.parametrize("kind", ["reduce", "pool"])
def test_a_maximum_with_two_candidates_has_no_slope(kind):
    """Where two entries may attain it, nothing is said; where one does, its derivative is."""
    node = Reduce((2,), "max") if kind == "reduce" else Pool((2,), "max", Window((2,), (1,), (0,), (1,)))
    nodes = [Input(size=(1, 2)), Parameter(name="p", size=(1, 2)), Add((0, 1)), node]
    network = Network.of(nodes, [Feature(3)])
    motion = Motion(network, np.array([0.0, 1.0]), np.array([1.0, 0.5]), np.zeros((1, 2)), 64)
    assert not motion.jets(arb(0.65, 0.05))[1][0][0].is_finite()
    values, slopes = motion.jets(arb(0.25, 0.125))
    assert values[0][0].overlaps(arb(0.875)) and slopes[0][0] == -0.5
    assert motion.jets(arb(0.875, 0.0625))[1][0][0] == 1
