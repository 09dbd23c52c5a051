"""First-order jets of random graphs hold values and derivatives at every time of a ball; broken rules are caught."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from everyday import one_in
from flint import arb
from oracle_graph import psi_oracle
from planted import contains, fraction, seeds
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls import jets, motion
from verifier.balls.jets import Jet, Jets
from verifier.balls.motion import Motion
from verifier.balls.tensors import Balls
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import Add, Affine, Input, Map, Parameter, Pool, Reduce, Window
from verifier.sigma.activations import activation

SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "square")
STEP = 2.0**-16
"""Of difference quotients; the points are dyadic numbers of few digits, so that they are exact."""


def problem(rng, kinds=None, steps=4, width=2.0**-6, order=1):
    """A random smooth network, two points of few digits, samples, and a ball of times around a dyadic one."""
    network = random_graph(rng, kinds, steps, SMOOTH)
    u, x = random_point(rng, network, grid=32)
    end, _ = random_point(rng, network, grid=32)
    end = np.where(rng.random(u.shape) < 0.25, u, u + np.round((end - u) * 4) / 32)
    middle = float(rng.integers(1, 8)) / 8
    return Motion(network, u, end, x, int(rng.choice([53, 64, 128])), order), middle, width


def truth(motion, t):
    """Psi at a time, by the oracle: exactly there, since the numbers have few digits."""
    return psi_oracle(motion.network, motion.start + t * (motion.end - motion.start), motion.inputs)


def truths(motion, middle, width):
    """At three times of a ball: the time, Psi there, and two difference quotients, of `STEP` and of twice that."""
    times = (middle - width, middle, middle + width)
    return [(truth(motion, t), _quotient(motion, t, STEP), _quotient(motion, t, 2 * STEP)) for t in times]


def wrong(motion, middle, width, known=None):
    """How many entries at three times of the ball are outside of their balls; None if one is not finite.

    ``known`` are the `truths`, where they have been found before.
    """
    psi, slopes = motion.jets(arb(middle, width))
    if not all(ball.is_finite() for row in [*psi, *slopes] for ball in row):
        return None
    found = 0
    for at in known or truths(motion, middle, width):
        for row, rates, values, near, far in zip(psi, slopes, *at, strict=True):
            for ball, rate, value, a, b in zip(row, rates, values, near, far, strict=True):
                error = fraction(abs(a - b)) + fraction(1e-25 * (1 + abs(float(a))))
                found += not contains(ball, value, fraction(1e-25 * (1 + abs(float(value)))))
                found += not contains(rate, a, error)
    return found


def _quotient(motion, t, h):
    after, before = truth(motion, t + h), truth(motion, t - h)
    with mpmath.workdps(60):
        return [[(a - b) / (2 * h) for a, b in zip(*rows, strict=True)] for rows in zip(after, before, strict=True)]


@seeds(30)
def test_random_graphs(rng):
    """Every node kind, shared and still parameters, wide and narrow balls, plain pairs and narrowed jets."""
    width, order = float(rng.choice([0.0, 2.0**-30, 2.0**-8, 2.0**-4])), int(rng.choice([1, 2, 3, 4]))
    motion, middle, width = problem(rng, width=width, order=order)
    assert not wrong(motion, middle, width)
    values = motion.features(arb(middle, width))
    assert len(values) == len(motion.inputs) and all(len(row) == motion.network.columns for row in values)


@pytest.mark.parametrize("kind", one_in(3, sorted(STEPS)))
def test_each_kind_is_enclosed_and_sharp(kind):
    """Over a thin ball of times the derivative is known to many digits."""
    sharp = dict.fromkeys((1, 3), 0)
    for seed in range(4):
        known = None
        for order in sharp:
            motion, middle, width = problem(np.random.default_rng(seed), [kind, "affine"], 3, 2.0**-30, order)
            known = known or truths(motion, middle, width)
            found = wrong(motion, middle, width, known)
            assert not found
            if found is not None:
                rates = [rate for row in motion.jets(arb(middle, width))[1] for rate in row]
                sharp[order] += all(rate.rad() < 1e-3 * (1 + abs(rate.mid())) for rate in rates)
    assert min(sharp.values()) >= 3


def _affine(self, geometry, sources, weight, bias):
    """Inputs that do not move."""
    return KEPT["affine"](self, geometry, [Jet((x.value, *[None] * len(self.orders))) for x in sources], weight, bias)


def _no_mean(self, x, epsilon, *, centre):
    """Normalisation whose root is held fixed."""
    ops, right = self.values, KEPT["normalise"](self, x, epsilon, centre=centre)
    d = self._linear(x, lambda part: self._minus(part, self._spread(ops.mean(part), x))) if centre else x
    r = self._spread(ops.inverse_root(ops.mean(ops.multiply(d.value, d.value)), epsilon), x)
    return Jet((right.value, *(None if part is None else ops.multiply(r, part) for part in d.parts[1:])))


def _no_carry(self, a, b, k, product=None):
    """Products with the values of one factor only."""
    p, q = a[k], b[0]
    return None if p is None or q is None else (product or self.values.multiply)(p, q)


def _first(self, x):
    """The first entry's derivative."""
    value, size = self.values.largest(x.value), x.value.shape[-1]
    slopes = [Balls(x.part(k).rows, value.shape, x.part(k).entries[::size]) for k in self.orders]
    return Jet((value, *slopes))


KEPT = {name: getattr(Jets, name) for name in ("affine", "normalise", "map", "gate", "embed", "total", "gather")}
BROKEN = {
    ("affine", "affine"): _affine,
    ("map", "map"): lambda self, x, sigma: Jet((self.values.map(x.value, sigma), *x.parts[1:])),
    ("multiply", "_at"): _no_carry,
    ("contract", "_at"): _no_carry,
    ("attend", "_at"): _no_carry,
    ("inverse-root", "_scaled"): lambda self, part, factor: part,
    ("softmax", "_difference"): lambda self, a, b: a,
    ("normalise", "normalise"): _no_mean,
    ("gate", "gate"): lambda self, z, a, b: KEPT["gate"](self, Jet((z.value, *[None] * len(self.orders))), a, b),
    ("embed", "embed"): lambda self, tokens, table: self._still(self.values.embed(tokens.value, table.value)),
    ("reduce", "total"): lambda self, x: self._still(self.values.total(x.value)),
    ("pool", "largest"): _first,
    ("take", "gather"): lambda self, sources, places: (
        KEPT["gather"](self, sources, places[::-1]) if places.ndim else KEPT["gather"](self, sources, places)
    ),
}
"""A node kind, and a method of `Jets` that is replaced by a wrong one."""


@pytest.mark.parametrize(("kind", "method"), one_in(2, BROKEN))
def test_a_broken_rule_is_caught(monkeypatch, kind, method):
    """On one of 14 problems the broken rule is wrong, where the rule as it is holds."""
    for seed in range(14):
        given = problem(np.random.default_rng(seed), [kind, "affine"], 3)
        known = truths(*given)
        assert not wrong(*given, known)
        with monkeypatch.context() as broken:
            broken.setattr(Jets, method, BROKEN[kind, method])
            if wrong(*given, known):
                return
    pytest.fail("the broken rule is not caught")


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


def test_narrowing_keeps_the_truth_and_narrows():
    """exp(t w) on a wide ball: the narrowed jet of order 4 is far sharper than the pair, and both hold the truth."""
    network = Network.of(
        [
            Input(size=(1,)),
            Parameter(name="w", size=(1, 1)),
            Affine((0, 1), "all", False),
            Map((2,), activation("exp")),
        ],
        [Feature(3)],
    )
    ball, widths = arb(0.5, 0.25), []
    for order in (1, 4):
        values, slopes = Motion(network, np.zeros(1), np.ones(1), np.array([[1.0]]), 64, order).jets(ball)
        for t in (0.25, 0.5, 0.75):
            assert contains(values[0][0], np.exp(t), 1e-15) and contains(slopes[0][0], np.exp(t), 1e-15)
        widths.append(float(slopes[0][0].rad()))
    assert widths[1] <= widths[0]


def test_a_wrong_reach_is_caught(monkeypatch):
    """Half of the ball of times is not enough."""
    kept = jets.narrowed
    problems = [problem(np.random.default_rng(seed), ["affine", "map"], 3, 0.25, 3) for seed in range(4)]
    assert not any(wrong(*given) for given in problems)
    monkeypatch.setattr(motion, "narrowed", lambda whole, point, reach: kept(whole, point, reach / 2))
    assert any(wrong(*given) for given in problems)
