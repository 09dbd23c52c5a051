"""Margins from exact differences of columns: containment, lower bounds, refusals."""

from fractions import Fraction

import numpy as np
import pytest
from planted import contains, dense, ends, fraction

from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import enclose_margins
from verifier.errors import NetworkError


def small(columns=2, samples=3):
    net = dense([columns], ["tanh"], 1)
    rng = np.random.default_rng(0)
    return FeatureEnclosure(net, rng.standard_normal(net.parameter_count), rng.standard_normal((samples, 1)), 64)


def test_what_the_columns_of_v_share_cancels_exactly():
    features = small()
    huge = np.array([[1e200, 1e200 + 0.0], [-3e180, -3e180]])
    tiny = np.array([[1e-20, 0.0], [0.0, 0.0]])
    common = ExactArray.of_floats(huge)
    numerators, exponent = common.integers()
    added, low = ExactArray.of_floats(tiny).integers()
    shift = exponent - low
    total = ExactArray.of_integers([(a << shift) + b for a, b in zip(numerators, added, strict=True)], (2, 2), low)
    labels = np.zeros(3, dtype=np.int64)
    zero, plain, shifted = enclose_margins(features, [common, ExactArray.of_floats(tiny), total], labels)
    assert all(row[0].is_zero() for row in zero.rows)
    for a, b in zip(plain.rows, shifted.rows, strict=True):
        assert a[0].overlaps(b[0]) and ends(b[0])[1] - ends(b[0])[0] < Fraction(1, 10**30)


def test_margins_of_1e_minus_12_have_a_decided_sign():
    features = small()
    ((_, block),) = features.blocks()
    column = [fraction(row[0].mid()) for row in block.tolist()]
    v = np.array([[1e-12, 0.0], [0.0, 0.0]])
    (made,) = enclose_margins(features, [ExactArray.of_floats(v)], np.zeros(3, dtype=np.int64))
    for (ball,), value in zip(made.rows, column, strict=True):
        assert (ball > 0) == (value > 0) and (ball < 0) == (value < 0)
        assert contains(ball, Fraction(1e-12) * value)


@pytest.mark.parametrize(
    ("labels", "v", "message"),
    [
        (np.array([0, 1]), np.zeros((2, 2)), "labels"),
        (np.array([0, 1, 0, 1]), np.zeros((2, 2)), "labels"),
        (np.array([[0, 1, 0]]), np.zeros((2, 2)), "labels"),
        (np.array([0.0, 1.0, 0.0]), np.zeros((2, 2)), "integers"),
        (np.array([0, 1, 2]), np.zeros((2, 2)), "0..m-1"),
        (np.array([0, -1, 1]), np.zeros((2, 2)), "0..m-1"),
        (np.array([0, 0, 0]), np.zeros((2, 1)), "m >= 2"),
        (np.array([0, 1, 0]), np.zeros((3, 2)), "expected"),
    ],
)
def test_labels_and_weights_that_do_not_fit_are_refused(labels, v, message):
    with pytest.raises(NetworkError, match=message):
        enclose_margins(small(), [ExactArray.of_floats(v)], labels)


def test_two_weights_need_one_number_of_classes():
    weights = [ExactArray.of_floats(np.zeros((2, 2))), ExactArray.of_floats(np.zeros((2, 3)))]
    with pytest.raises(NetworkError, match="expected"):
        enclose_margins(small(), weights, np.zeros(3, dtype=np.int64))
