"""The straight line of all weights: its barrier from both sides, against closed forms and mpmath's digits."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verifier import Dense, Network
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.fuzz import oracle
from verifier.landscape import segment as segments
from verifier.landscape.leg_margins import BallLegMargins
from verifier.landscape.line_barrier import bound_line_barrier, loss_of_leg, with_labels

DIGITS = 40


def line_of(network, start, end, data):
    """The loss on pieces of the line, by Arb."""
    leg = BallLegMargins(network, start[0], end[0], data.inputs, data.labels)
    return loss_of_leg(leg, start[1], end[1], data)


def bounded(network, start, end, data, **options):
    return bound_line_barrier(network, start, end, data, line_of(network, start, end, data), **options)


def true_loss(network, start, end, data, t):
    """The loss at the exact time, in mpmath numbers."""
    with mpmath.workdps(DIGITS):
        time = mpmath.mpf(t.numerator) / t.denominator
        psi = oracle.approx_features_between(network, start[0], end[0], time, data.inputs, DIGITS)
        first, last = (np.vectorize(mpmath.mpf, otypes=[object])(v) for v in (start[1], end[1]))
        v = (first + time * (last - first)).tolist()
        logits = oracle.times(psi, v)
        if data.offset is not None:
            pairs = zip(logits, data.offset.tolist(), strict=True)
            logits = [[g + mpmath.mpf(k) for g, k in zip(row, more, strict=True)] for row, more in pairs]
        return oracle.approx_loss_to(logits, data.labels.tolist(), data.multiplicities.tolist())


def mirrored(activation):
    """One unit on x = 1, at (1, 1) and at (-1, -1): the same function of odd units, and logit 0 half-way."""
    network = Network(1, Dense(1, activation, skip=True))
    points = [(np.array([s, 0.0]), np.array([[s, 0.0]])) for s in (1.0, -1.0)]
    return network, *points, Dataset("one", [[1.0]], [0], 2)


def random_line(seed, activation="tanh", samples=5, width=3, classes=3, offset=False):
    rng = np.random.default_rng(seed)
    network = Network(2, Dense(width, activation, skip=True))
    shapes = (network.parameter_count,), (width, classes)
    points = [tuple(rng.normal(size=shape) * 2 for shape in shapes) for _ in range(2)]
    more = rng.normal(size=(samples, classes)) if offset else None
    labels = rng.integers(0, classes, samples)
    counts = rng.integers(1, 4, samples)
    return network, *points, Dataset("random", rng.normal(size=(samples, 2)), labels, classes, counts, offset=more)


def test_the_barrier_between_mirrored_units_is_the_closed_form():
    network, start, end, data = mirrored("identity")  # margin (1 - 2t)^2: the loss is log 2 half-way
    found = bounded(network, start, end, data)
    truth = math.log(2.0) - math.log1p(math.exp(-1.0))
    assert found.proved and found.time == Fraction(1, 2)
    assert float(found.lower) <= truth <= float(found.upper) and found.upper - found.lower < 0.02
    sharp = bounded(network, start, end, data, width=1e-6)
    assert sharp.upper - sharp.lower < 1e-6 and len(sharp.bounds) < 80
    assert "barrier of at least 0.3798" in sharp.words and "at most 0.37989" not in sharp.words


def test_no_barrier_where_the_loss_is_convex_in_v_alone():
    network, start, end, data = random_line(3)
    end = (start[0], end[1])
    found = bounded(network, start, end, data)
    assert found.proved and found.lower == 0 and found.time in (0, 1) and found.upper < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_at_exact_points_of_the_line(seed):
    network, start, end, data = random_line(seed, ("tanh", "softplus", "tanh", "relu")[seed], offset=seed % 2 == 1)
    found = bounded(network, start, end, data, most=24)
    with mpmath.workdps(DIGITS):
        assert true_loss(network, start, end, data, found.time) >= mpmath.mpf(float(found.loss_lower))
        for t, (low, high) in ((Fraction(0), found.start_loss), (Fraction(1), found.end_loss)):
            assert float(low) <= true_loss(network, start, end, data, t) <= float(high)
        for k, (low, high) in enumerate(found.bounds):
            for share in (Fraction(0), Fraction(1, 3), Fraction(1)):
                t = found.pieces[k] + share * (found.pieces[k + 1] - found.pieces[k])
                true = true_loss(network, start, end, data, t)
                assert low <= true <= high and float(high) <= float(found.loss_upper)
    assert found.pieces[0] == 0 and found.pieces[-1] == 1 and list(found.pieces) == sorted(set(found.pieces))


def test_a_centred_form_with_half_the_reach_is_caught(monkeypatch):
    """The planted bug: the piece's reach counts by half."""
    network, start, end, data = mirrored("identity")
    piece = Fraction(0), Fraction(1, 2)
    true = [true_loss(network, start, end, data, t) for t in piece]

    def holds():
        low, high = line_of(network, start, end, data)(*piece)
        return all(low <= value <= high for value in true)

    assert holds()
    common = segments.common
    monkeypatch.setattr(segments, "common", lambda a, b: common((a + a.mid()) / 2, (b + b.mid()) / 2))
    assert not holds()


def test_conflicting_labels_count_once_for_each_label():
    network, start, end, _ = random_line(5)
    raw = Dataset("conflict", [[1.0, 2.0], [1.0, 2.0], [0.5, 0.0], [1.0, 2.0]], [0, 1, 2, 1], 3)
    grouping = group_duplicates(raw)
    assert grouping.dataset.labels is None
    data = with_labels(grouping.dataset, grouping.label_counts)
    assert data.labels.tolist() == [0, 1, 2] and data.multiplicities.tolist() == [1, 2, 1]
    found, plain = (bounded(network, start, end, rows) for rows in (data, raw))
    assert found.pieces == plain.pieces and found.proved
    assert float(found.loss_upper) == pytest.approx(float(plain.loss_upper), rel=1e-12)


def test_where_a_piece_has_no_finite_bound_it_is_undecided():
    network, start, end, data = mirrored("tanh")
    loss = line_of(network, start, end, data)

    def undefined_half_way(t0, t1):
        return (-math.inf, math.inf) if t0 <= Fraction(1, 2) <= t1 else loss(t0, t1)

    found = bound_line_barrier(network, start, end, data, undefined_half_way, most=16)
    assert (
        str(found.verdict) == "UNDECIDED"
        and "undefined on the way" in found.words
        and "barrier of at" not in found.words
    )


def test_bounds_that_do_not_agree_hold_and_say_so():
    network, start, end, data = random_line(0)
    found = bounded(network, start, end, data, most=2)
    assert found.proved and not found.agreed and "no certificate claims them" in found.words
    assert len(bounded(network, start, end, data, seconds=0.0).bounds) == 1
    assert bounded(network, start, end, data).agreed


def test_huge_and_tiny_losses_are_bounded_without_overflow():
    network, start, end, data = mirrored("identity")
    far = [(u * 1e120, v * 1e120) for u, v in (start, end)]
    found = bounded(network, *far, data, width=0.9, most=64)
    assert found.proved and float(found.loss_lower) == pytest.approx(math.log(2.0), rel=1e-6)
    assert float(found.loss_upper) >= math.log(2.0) and found.start_loss[0].mantissa == 0
