"""Segments and boxes of the checker on random graphs: the oracle's values at sampled points lie in the balls."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from checker_graph import as_graph
from checking import exact_ball
from everyday import one_in
from flint import arb
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier.checker import motion, segment, series
from verifier.checker.boxes import changes_in_box
from verifier.checker.common import Rejection, precision
from verifier.checker.escape import changes
from verifier.checker.segment import Segment

SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "square")
GRID = 256
KINKS = ("relu", "leaky_relu", "abs(t)", "hard_tanh", "tanh")


def ball(number, error):
    return exact_ball(number - error).union(exact_ball(number + error))


def case(seed, names=SMOOTH, kinds=None, scale=0.5):
    """A random graph, two points of U on a grid, two samples."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng, kinds=kinds, names=names)
    u, x = random_point(rng, network, scale=scale, grid=GRID)
    return rng, network, u, x


def segment_of(network, first, last, x):
    """The checker's segment between two points of U."""
    start, end = as_graph(network, first, x), as_graph(network, last, x)
    return Segment(start, changes(start, end))


def misses(seed, kinds=None, order=1, from_middle=False, names=SMOOTH):
    """Return what of the oracle's values and derivatives is outside, and how many coefficients were looked at."""
    rng, network, u, x = case(seed, names, kinds)
    step = np.round(rng.standard_normal(len(u)) * GRID / 64) / GRID
    low = int(rng.integers(0, 16))
    with precision(100), mpmath.workdps(60):
        t = (arb(low) / 16).union(arb(low + 1) / 16)
        try:
            rows = segment_of(network, u, u + step, x).rows([0, 1], t, order, t.mid() if from_middle else None)
        except Rejection as rejection:
            assert rejection.rule in ("features.finite", "network.expression")
            return [], 0

        bad, seen, h = [], 0, 2.0**-20
        for time in (low / 16, (2 * low + 1) / 32, (low + 1) / 16):
            # the oracle takes binary64: these numbers have few bits, so that they are exact
            before, here, after = (psi_oracle(network, u + at * step, x) for at in (time - h, time, time + h))
            for row, *known in zip(rows, before, here, after, strict=True):
                for entry, a, b, c in zip(row, *known, strict=True):
                    seen += 1
                    slope = (c - a) / (2 * h)
                    inside = entry.c[0].overlaps(ball(b, abs(b) * mpmath.mpf(10) ** -30))
                    inside &= entry.c[1].overlaps(ball(slope, (1 + abs(slope)) * mpmath.mpf(10) ** -9))
                    if not inside:
                        bad.append((time, entry.c[:2], b, slope))
        return bad, seen


@pytest.mark.parametrize("way", [(1, False), (1, True), (3, True)])
@pytest.mark.parametrize("seed", one_in(2, range(12)))
def test_values_and_derivatives_are_enclosed(seed, way):
    bad, _ = misses(seed, None, *way)
    assert bad == []


def escapes_box(seed, kinds=None, names=KINKS):
    """Return what of the oracle's changes in a box is beyond the bounds, and how many columns were looked at."""
    rng, network, u, x = case(seed, names, kinds)
    bits = int(rng.integers(2, 14))
    with precision(100), mpmath.workdps(60):
        try:
            found = list(changes_in_box(as_graph(network, u, x), arb((1, -bits))))
        except Rejection as rejection:
            assert rejection.rule == "features.finite"
            return [], 0
        here, bad, seen = psi_oracle(network, u, x), [], 0
        for number in range(4):
            move = rng.choice([-1.0, 1.0], len(u)) if number < 2 else rng.integers(-8, 9, len(u)) / 8
            there = psi_oracle(network, u + move * 2.0**-bits, x)
            for bounds, row, other in zip(found, here, there, strict=True):
                for (size, change), a, b in zip(bounds, row, other, strict=True):
                    seen += 1
                    slack = mpmath.mpf(10) ** -25
                    if not (size >= ball(abs(b) - slack, 0) and change >= ball(abs(b - a) - slack, 0)):
                        bad.append((number, size, change, a, b))
        return bad, seen


@pytest.mark.parametrize("seed", range(16))
def test_changes_in_boxes_are_bounded(seed):
    bad, _ = escapes_box(seed)
    assert bad == []


def no_product_rule(a, b):
    """A broken copy: the derivative of a product without its second term."""
    return [a[0] * b[0], *(a[k] * b[0] for k in range(1, len(a)))]


def half_change(whole, point):
    """A broken copy: half of the change."""
    return series.Series([whole.c[0], whole.c[1] / 2])


def first_entry(x, kinks=False, instant=False):
    """A broken copy: the first entry attains every maximum."""
    return x[0]


@pytest.mark.parametrize(
    ("room", "name", "broken", "find"),
    [
        (motion, "products", no_product_rule, misses),
        (segment, "narrowed_change", half_change, escapes_box),
        (motion, "largest", first_entry, escapes_box),
        (motion, "largest", first_entry, misses),
    ],
)
def test_broken_copies_are_caught(room, name, broken, find, monkeypatch):
    """Whatever is wrong with a rule, one of the random graphs shows it."""
    monkeypatch.setattr(room, name, broken)
    kinds = None if name != "largest" else ["reduce", "pool", "affine"]
    assert any(find(seed, kinds)[0] for seed in range(40))


def test_narrow_balls_of_times_give_narrow_balls():
    """The enclosures shrink with the ball of times, and third order shrinks faster than first."""
    _, network, u, x = case(7, kinds=["affine", "map", "normalise"])
    along = segment_of(network, u, u + 0.25, x)
    with precision(100):
        radii = {}
        for bits in (4, 8):
            for order in (1, 3):
                t = arb(0.5, 2.0**-bits)
                rows = along.rows([0, 1], t, order, arb(0.5))
                radii[bits, order] = max(float(entry.c[1].rad().mid()) for row in rows for entry in row)
    assert radii[8, 1] < radii[4, 1] / 8 and radii[8, 3] < radii[4, 3] / 64
