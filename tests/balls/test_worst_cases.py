"""Bounds at work: products with the worst rounding that they allow for, radii that matter, means of what cancels."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from planted import contains, fraction

from verifier.balls.binary64 import margins
from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.margins import float_margins
from verifier.balls.exact import ExactArray
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import Margins
from verifier.network.layers import AvgPool, Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation

XP = numpy_backend(1).xp
LINEAR = Network((3,), (Dense(3, activation("identity"), skip=True),))
IDENTITY = np.concatenate([np.eye(3).ravel(), np.zeros(3)])


class Known(FloatEnclosure):
    """An enclosure with these midpoints and radii, whatever the network says."""

    def row_blocks(self, progress=None):
        yield slice(0, 2), self.given, self.slack


def known(mid, slack, product):
    features = Known(LINEAR, IDENTITY, np.zeros((2, 3)), Backend(XP, "numpy", product))
    features.given, features.slack = np.array(mid), np.array(slack)
    return features


@pytest.mark.parametrize("sign", [1, -1])
def test_margins_allow_for_any_rounding_of_the_product(sign, monkeypatch):
    """Three terms of size 1 that nearly cancel: a product may be off by 3 u times their sizes."""
    monkeypatch.setattr(margins, "require", lambda record: None)  # the canary refuses such a product, however sound

    def worst(a, b):
        return a @ b + sign * 3 * 2.0**-53 * (np.abs(a) @ np.abs(b))

    mid = [[1.0, 1.0, -2.0], [0.5, -0.25, 1.0]]
    v = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    (rows,) = float_margins(known(mid, [0.0] * 3, worst), [ExactArray.of_floats(v)], np.array([0, 1]))
    truth = [sum(Fraction(p) for p in mid[0]), -sum(Fraction(p) for p in mid[1])]
    for (ball,), value in zip(rows, truth, strict=True):
        assert contains(ball, value) and ball.rad() < 1e-14


def test_margins_move_with_the_radii_of_the_features():
    """Radii of 1/8, 1/4, 1/2: at the corners margins move by sum_j q_j |V_jy - V_jk|; the balls know."""
    mid, slack = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [0.125, 0.25, 0.5]
    v = np.array([[1.0, 0.0], [-2.0, 1.0], [0.0, 4.0]])
    change = [Fraction(a) - Fraction(b) for a, b in v.tolist()]
    (rows,) = float_margins(known(mid, slack, np.matmul), [ExactArray.of_floats(v)], np.array([0, 0]))
    for row, (ball,) in zip(mid, rows, strict=True):
        middle = sum(Fraction(p) * c for p, c in zip(row, change, strict=True))
        reach = sum(Fraction(q) * abs(c) for q, c in zip(slack, change, strict=True))
        assert contains(ball, middle + reach) and contains(ball, middle - reach)
        assert fraction(ball.rad()) < reach * Fraction(1001, 1000)


def test_means_of_what_cancels_are_enclosed():
    """The mean of (2^53, 1, -2^53, 1) is 1/2; binary64 loses a 1 in every order but one."""
    network = Network((1, 4), (AvgPool((4,), skip=True),))
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [0, 2, 1, 3], [1, 3, 0, 2]):
        x = np.array([[2.0**53, 1.0, -(2.0**53), 1.0]])[:, order]
        ((_, mid, radius),) = FloatEnclosure(network, np.zeros(0), x, numpy_backend(1)).row_blocks()
        assert abs(Fraction(float(mid[0, 0])) - Fraction(1, 2)) <= Fraction(float(radius[0]))


def test_an_undefined_margin_is_never_the_smallest():
    """One ball that is not a number among good ones: no lower bound, whatever its place, and no finite loss."""
    good, bad = (arb(2), arb(3)), (arb(5), arb("nan"))
    assert Margins((good, good)).smallest_lo() == 2
    for rows in ((good, bad), (bad, good), (bad, bad)):
        assert not Margins(rows).smallest_lo() > 0
        assert not cross_entropy(rows, [1, 1]).is_finite()
