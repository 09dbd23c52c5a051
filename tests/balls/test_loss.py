"""Cross-entropy on boxes of margins: containment, relative accuracy at 1e-300, extremes, derivatives."""

from fractions import Fraction

import mpmath
import pytest
from flint import arb
from planted import contains, ends, fraction

from verifier.balls.loss import cross_entropy, hull, loss_along_segment, sample_loss, softmax_weights
from verifier.balls.precision import working_precision


@pytest.mark.parametrize("margin", [690.0, 745.0, 5000.0])
def test_a_loss_far_below_1e_minus_300_stays_positive_and_sharp(margin):
    with working_precision(64):
        loss = sample_loss([arb(margin), arb(margin + 1)])
    low, high = ends(loss)
    assert 0 < low and high <= low * (1 + Fraction(1, 10**9))
    with mpmath.workdps(3000):
        value = mpmath.log1p(mpmath.exp(-margin) + mpmath.exp(-margin - 1))
    assert contains(loss, value, fraction(value) / 10**100)


@pytest.mark.parametrize("margin", [-50.0, -1e4, -1e300])
def test_a_huge_loss_is_the_margin(margin):
    with working_precision(64):
        loss = sample_loss([arb(margin), arb(3.0)])
    value = -Fraction(margin)
    assert loss.is_finite() and contains(loss, value, 1) and ends(loss)[1] - ends(loss)[0] <= value / 2**50


UNDECIDED = [[arb("nan")], [arb("nan"), arb(1)], [arb(1), arb("nan")], [arb(0, "inf")], [arb(3), arb(0, "inf")]]


@pytest.mark.parametrize("row", UNDECIDED)
def test_undecided_margins_give_an_undecided_loss(row):
    with working_precision(64):
        assert not sample_loss(row).is_finite()
        assert not cross_entropy([[arb(1)] * len(row), row], [1, 1]).is_finite()
        assert not all(weight.is_finite() and weight < 1 for weight in softmax_weights(row))


def test_exact_tied_margins_give_log_m():
    with working_precision(64):
        for others in (1, 2, 9):
            value = fraction(mpmath.log(others + 1))
            assert contains(sample_loss([arb(0)] * others), value, value / 10**12)


@pytest.mark.parametrize("counts", [[0, 1], [1, -2]])
def test_multiplicities_below_one_are_refused(counts):
    with pytest.raises(ValueError, match="at least 1"):
        cross_entropy([[arb(1)], [arb(2)]], counts)


def test_lengths_must_agree():
    with pytest.raises(ValueError):
        cross_entropy([[arb(1)], [arb(2)]], [1])
    with pytest.raises(ValueError):
        loss_along_segment([[arb(1)]], [[arb(1)], [arb(2)]], [1], arb(0))


def test_hull_contains_what_lies_between():
    joined = hull(arb(-1), arb(2, 0.5))
    assert all(contains(joined, Fraction(v, 2)) for v in (-2, 0, 3, 4, 5))


def test_second_derivative_is_not_negative_even_where_the_box_is_wide():
    with working_precision(64):
        found = loss_along_segment([[arb(0, 0.5), arb(1, 2)]], [[arb(3), arb(-2, 1)]], [1], arb(0.5, 0.5))
    assert not found.second < 0 and ends(found.second)[1] >= 0 and ends(found.second)[0] >= -Fraction(1, 10**5)
