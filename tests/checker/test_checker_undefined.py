"""What is undefined stays undefined next to an exact zero: power series of Arb drop a zero before they multiply."""

from fractions import Fraction as F

import pytest
from checker_writer import Builder, dyadic, write
from flint import arb

from verifier.checker.certificate import check_file
from verifier.checker.common import precision
from verifier.checker.expression import SERIES, build, jet, parse

UNDEFINED = [
    ("0*log(t)", -5, 0),
    ("0/log(t)", -5, 0),
    ("log(t)**0", -5, 0),
    ("0*sqrt(t)", -5, 0),
    ("(t - t)*log(t)", -5, 0),
    ("0/t", 0, 1),
    ("0*(1/t)", 0, 1),
    ("t + 0*log(4*t**2 - 1)", 0, 1),
]


@pytest.mark.parametrize(("text", "middle", "radius"), UNDEFINED)
def test_series_know_where_they_are_undefined(text, middle, radius):
    with precision(64):
        found = jet(build(parse(text, "").tree, SERIES), arb(middle, radius), arb(1))
        assert not any(value.is_finite() for value in found)


@pytest.mark.parametrize("text", ["0*log(t)", "t + 0*sqrt(t)", "log(t)**0", "0/t", "0*(1/t)"])
def test_and_where_they_are_defined(text):
    with precision(64):
        found = jet(build(parse(text, "").tree, SERIES), arb(5, 0.25), arb(1))
        assert all(value.is_finite() for value in found)


def outcome(tmp_path, builder, document):
    found = check_file(str(write(tmp_path, document, builder.arrays())), 1)
    return found.verdict, found.rejection and found.rejection.rule


@pytest.mark.parametrize("text", ["t + 0*log(13/2 - t)", "t + 0/log(15/2 - t)", "t + log(13/2 - t)**0 - 1"])
def test_a_ball_that_reaches_where_a_unit_is_undefined(text, tmp_path):
    """One sample x = 3 and one unit z = w x, 6 at w = 2: within r = 1/4 there is w = 9/4 and z = 27/4."""
    b = Builder()
    claim = {"label": "Z2", "precision": 64, "output_weights": b.exact([[1, 0]])}
    claim |= {"gamma": dyadic(F(47, 8)), "radius": dyadic(F(1, 4))}
    document = b.document(b.data([[3]], [0]), [1], [b.dense([[2]], [0], text)], 1, [claim])
    assert outcome(tmp_path, b, document) == ("REJECTED", "Z2.range")


def test_a_rank_ball_that_reaches_where_a_unit_is_undefined(tmp_path):
    b = Builder()
    rank = b.right_inverse([[F(1, 4)]], rank=1, feature_bits=8, alpha=F(3, 4), sigma=F(1, 2))
    layer = b.dense([[2]], [0], "t/2 + 0*log(49/8 - t)")
    document = b.document(b.data([[3]], [0]), [1], [layer], 1, [rank, {"label": "B1", "radius": dyadic(F(1, 16))}])
    assert outcome(tmp_path, b, document) == ("REJECTED", "Z2.range")


@pytest.mark.parametrize("text", ["t + 0/t", "t + 0*(1/t)", "t + 0*log(4*t**2 - 1)"])
@pytest.mark.parametrize("label", ["E1", "E3"])
def test_a_motion_through_where_a_unit_is_undefined(text, label, tmp_path):
    """The pre-activation moves straight from -1 to 1; the activation is undefined at 0, or on [-1/2, 1/2]."""
    b = Builder()
    v = b.exact([[1, 0]])
    claim = {"label": label, "precision": 64, "start_weights": v, "end_weights": v, "gamma": dyadic(F(1, 2))}
    claim |= {"kappa": dyadic(4), "start_loss": {"lower": dyadic(1), "upper": dyadic(2)}, "zero_error_t": dyadic(16)}
    claim |= {"targets": [], "moved": [{"node": 1, "values": b.exact([[1]])}], "pieces": 1}
    claim |= {"epsilon": dyadic(4)} if label == "E3" else {"moved_weights": v}
    document = b.document(b.data([[1]], [0]), [1], [b.dense([[-1]], [0], text)], 1, [claim])
    assert outcome(tmp_path, b, document) == ("REJECTED", "features.finite")
