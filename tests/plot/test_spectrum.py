"""Psi, singular values, sigma_N along a line, margins."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from drawn import all_named, axes, bars, named, words
from flint import arb

import verifier as vf
from verifier.errors import InputError


def test_the_bars_are_the_certified_intervals(small):
    found = vf.singular_values(small.features, 12)
    ax = vf.plot.singular_values(found, axes())
    drawn = bars(ax, "intervals")
    assert [x for x, _, _ in drawn] == list(range(1, 6)) and ax.get_yscale() == "log"
    for (_, low, high), lower, upper in zip(drawn, found.lower, found.upper, strict=True):
        assert Fraction(low) <= lower.fraction() <= upper.fraction() <= Fraction(high)
        assert Fraction(high) - Fraction(low) <= upper.fraction() - lower.fraction() + Fraction(high) / 2**50
    assert "5 x 9" in words(ax)


def test_vanishing_singular_values_are_said_to_be_proved():
    matrix = vf.ExactArray.of_floats(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]]))
    found = vf.matrix_singular_values(matrix, 8)
    ax = vf.plot.singular_values(found, axes())
    assert len(bars(ax, "intervals")) == 2 and named(ax, "zeros").get_xdata().tolist() == [3]
    assert "proved to be 0 (1 of them)" in words(ax)


def test_singular_values_that_cannot_be_drawn_are_refused(small):
    found = vf.singular_values(small.features, 5)
    with pytest.raises(InputError, match="no enclosures to draw: too hard"):
        vf.plot.singular_values(dataclasses.replace(found, lower=(), upper=(), reason="too hard"), axes())
    zero = vf.matrix_singular_values(vf.ExactArray.of_floats(np.zeros((2, 2))), 5)
    with pytest.raises(InputError, match="all singular values are proved to be 0"):
        vf.plot.singular_values(zero, axes())
    with pytest.raises(InputError, match="list has no singular values"):
        vf.plot.singular_values([1.0], axes())


def test_sigma_along_a_line_breaks_where_the_rank_does(small):
    times = [-0.5, 0.0, 0.5]
    line = vf.sigma_along_line(small.network, small.data.inputs, 0 * small.u, small.u, times)
    ax = vf.plot.sigma_along_line(line, axes())
    assert named(ax, "zeros").get_xdata().tolist() == [0.0]
    drawn = bars(ax, "intervals")
    assert [x for x, _, _ in drawn] == [-0.5, 0.5]
    for (_, low, high), point in zip(drawn, (line[0], line[2]), strict=True):
        assert Fraction(low) <= point.lower.fraction() and point.upper.fraction() <= Fraction(high)
    joined = next(artist for artist in ax.lines if np.isnan(artist.get_ydata()).any())
    assert joined.get_xdata().tolist() == times
    with pytest.raises(InputError, match="at least two points"):
        vf.plot.sigma_along_line(line[:1], axes())
    with pytest.raises(InputError, match="0 or unknown"):
        vf.plot.sigma_along_line([line[1], line[1]], axes())


def test_psi_is_drawn_as_it_is(small):
    ax = vf.plot.psi(small.features, axes())
    image = named(ax, "psi")
    np.testing.assert_array_equal(image.get_array(), small.features.approx())
    assert image.norm.vmin == -image.norm.vmax == -np.abs(small.features.approx()).max()
    assert [line.get_xdata()[0] for line in all_named(ax, "layer border")] == [2.5]
    assert "5 samples, 9 units" in words(ax) and "layer 1" in words(ax)
    assert len(ax.figure.axes) == 2 and len(vf.plot.psi(np.zeros((2, 3)), axes(), bar=False).figure.axes) == 1
    for bad in (np.zeros(3), np.array([[np.nan]]), np.zeros((0, 2))):
        with pytest.raises(InputError, match="give a matrix"):
            vf.plot.psi(bad, axes())


def test_margins_are_sorted_and_enclosed(small):
    ax = vf.plot.margins(small.zero, axes(), labels=small.data.labels)
    low, high = small.zero.margins.floats()
    expected = sorted(zip(low.min(axis=1), high.min(axis=1), strict=True))
    drawn = bars(ax, "intervals")
    assert [(a, b) for _, a, b in drawn] == expected and [x for x, _, _ in drawn] == [1, 2, 3, 4, 5]
    (gamma,) = set(named(ax, "gamma").get_ydata())
    assert Fraction(gamma) <= small.zero.gamma.fraction() and all(gamma < a for _, a, _ in drawn)
    dots = {name: named(ax, f"class {name}").get_xdata() for name in range(3)}
    assert sorted(np.concatenate(list(dots.values())).tolist()) == [1, 2, 3, 4, 5] and len(dots[2]) == 1
    assert "5 of 5 samples certified correct" in words(ax)


def test_wrong_and_open_samples_are_counted():
    ax = vf.plot.margins([[arb(1), arb(2)], [arb(3), arb(-1)], [arb(0, 1), arb(5)]], axes())
    assert "1 of 3 samples certified correct, 1 certified wrong, 1 open" in " ".join(ax.get_title().split())
    assert not all_named(ax, "gamma") and [a for _, a, _ in bars(ax, "intervals")] == pytest.approx([-1, -1, 1])


def test_margins_that_cannot_be_drawn_are_refused(small):
    with pytest.raises(InputError, match="give 5 integers"):
        vf.plot.margins(small.zero, axes(), labels=[0, 1])
    with pytest.raises(InputError, match="none to draw: open"):
        vf.plot.margins(dataclasses.replace(small.zero, margins=None, reason="open"), axes())
    with pytest.raises(InputError, match="at least one sample"):
        vf.plot.margins([], axes())
    with pytest.raises(InputError, match=r"flint\.arb"):
        vf.plot.margins([[1.0]], axes())
    with pytest.raises(InputError, match="no finite enclosure"):
        vf.plot.margins([[arb("nan")]], axes())
