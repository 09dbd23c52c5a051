"""Sums over forms are exact and equal only where they are the same; a weight costs a number, not a fraction."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from planted import dense, seeds

from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import exact_sums, unit_forms
from verifier.rank.deficiency import structural_deficiency
from verifier.sigma.activations import activation

HARD = np.array([0.0, -0.0, 1.0, -1.0, 0.1, -0.3, 5e-324, -1e-310, 1.7e308, -1.7e308, 2.0**53, -1.0 - 2.0**-52])
"""Weights whose sums round, cancel, overflow or underflow in binary64."""


def coefficients_of(collected):
    """The coefficients and the constant of a sum, as fractions."""
    forms = np.frombuffer(collected.forms, dtype=np.int64).tolist()
    rational = iter(collected.rational)
    found = [Fraction(c) if c else next(rational) for c in np.frombuffer(collected.binary).tolist()]
    assert next(rational, None) is None and forms == sorted(set(forms)) and 0 not in found
    return dict(zip(forms, found, strict=True)), collected.constant


def drawn_window(rng):
    """Units that a window shows, some of one form, some mirrored, some constant: as fractions and as a `Window`."""
    width = int(rng.integers(1, 9))
    forms, signs = rng.integers(-1, int(rng.integers(1, 9)), width), rng.choice([-1.0, 1.0], width)
    offsets = [Fraction(int(k), 3) for k in rng.integers(0, 3, width)]
    groups = {c: np.array([j for j in range(width) if offsets[j] == c]) for c in set(offsets) - {Fraction(0)}}
    return list(zip(forms.tolist(), signs.tolist(), offsets, strict=True)), exact_sums.Window(forms, signs, groups)


@seeds(20)
def test_sums_are_those_of_fractions(rng):
    """Each coefficient and the constant, their order and their first sign, and the same with the other sign."""
    for _ in range(30):
        units, window = drawn_window(rng)
        weights, bias = rng.choice(HARD, len(units)), float(rng.choice(HARD))
        expected, constant = {}, Fraction(bias)
        for weight, (form, sign, offset) in zip(weights.tolist(), units, strict=True):
            constant += Fraction(weight) * offset
            if form >= 0:
                expected[form] = expected.get(form, Fraction(0)) + Fraction(weight) * int(sign)
        found = window.sum(weights, bias)
        assert found == exact_sums.weighted(expected, constant)  # coefficients 0 are left out
        expected = {form: c for form, c in expected.items() if c}
        assert coefficients_of(found) == (expected, constant)
        assert found == exact_sums.weighted(expected, constant) and hash(found) == hash(
            exact_sums.weighted(expected, constant)
        )
        opposite = {form: -c for form, c in expected.items()}
        assert found.negated() == exact_sums.weighted(opposite, -constant)
        assert found.begins_negative == bool(expected and expected[min(expected)] < 0)


def test_sums_that_differ_by_less_than_rounding_are_different():
    """1 + 2^-60 is no binary64 number, and not 1; nor is twice the largest number anything but itself."""
    window = exact_sums.Window(np.zeros(2, dtype=np.int64), np.ones(2), {})
    sums = [window.sum(np.array(pair), 0.0) for pair in ([1.0, 0.0], [1.0, 2.0**-60], [1.0, -(2.0**-60)])]
    assert len(set(sums)) == 3
    large = [window.sum(np.array([1.7e308, extra]), 0.0) for extra in (1.7e308, 1.6e308)]
    assert large[0] != large[1] and coefficients_of(large[0])[0] == {0: 2 * Fraction(1.7e308)}
    assert window.sum(np.array([1.7e308, -1.7e308]), 0.0) == exact_sums.weighted({}, Fraction(0))


def test_shares_that_are_no_binary_numbers_stay_apart():
    """A mean of three equal pixels is that pixel; a mean of three with one other is not 1/3 rounded."""
    net = Network((1, 6), (AvgPool((3,), skip=True), Dense(1, activation("tanh"), inputs=(0,), skip=True)))
    x = np.array([[1.0, 1, 1, 1, 1, 2], [4.0, 4, 4, 4, 4, 6], [7.0, 7, 7, 7, 7, 3]])
    assert structural_deficiency(net, np.array([1.0, 0.5, 0.25]), x) is None
    x[:, 5] = x[:, 0]
    found = structural_deficiency(net, np.array([1.0, 0.5, 0.25]), x)
    assert found is not None and found.rank_at_most == 2


def test_constants_below_any_activation_are_constant_above():
    """What a polynomial of constants is, whatever made them, is a constant: the span of the rest alone counts."""
    net = dense([2, 3], ["tanh", "square"], 1)
    line = np.array([[0.0], [1.0], [2.0], [4.0]])
    u = np.array([0.0, 1.0, 0.5, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.5])
    found = structural_deficiency(net, u, line)
    assert found is not None and found.rank_at_most == 2


@pytest.mark.parametrize("name", ["softplus", "sigmoid"])
def test_a_weight_costs_a_number(name):
    """About eight bytes for each weight, and not seconds: as fractions this takes 200 bytes a weight."""
    net = dense([400, 800], [name, name], 400)
    u = initialise(net, seed=1)
    x = np.random.default_rng(1).normal(size=(3, 400))
    table = unit_forms.FormTable()
    tracemalloc.start()
    try:
        unit_forms.unit_forms(net, u, x, table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 12 * u.size and len(table.constant) == 400 + 400 + 800


def test_convolutions_share_the_forms_of_equal_windows():
    """A filter over a constant border sees one window many times; per position it is one form with a tied bias."""
    net = Network((1, 6, 6), (Conv(2, (2, 2), activation("softplus"), bias="tied", skip=True),))
    x = np.zeros((3, 6, 6))
    x[:, 2:4, 2:4] = np.random.default_rng(2).normal(size=(3, 2, 2))
    u = initialise(net, seed=3)
    table = unit_forms.FormTable()
    (units,) = unit_forms.unit_forms(net, u, x.reshape(3, -1), table)
    seen = {unit.form for unit in units if not table.constant[unit.form]}
    assert len(units) == 50 and len(seen) == 18
    assert len({unit.form for unit in units}) == 20
