"""R5: every claimed bound holds for the exact rank; planted structure is found; numerical smallness is not a reason."""

import numpy as np
import pytest
from planted import dense, numerical_rank, oracle

from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.deficiency import cheap_deficiency, structural_deficiency
from verifier.rank.monomials import monomial_rank
from verifier.rank.unit_forms import MIRRORED
from verifier.sigma.activations import activation


@pytest.mark.parametrize("text", sorted(MIRRORED))
def test_mirror_identities_hold(text):
    sign, offset = MIRRORED[text]
    import mpmath
    from planted import ORACLE

    extra = {"cos(t)": mpmath.cos, "sinh(t)": mpmath.sinh}
    names = {a: activation(a).canonical for a in ORACLE}
    function = extra.get(text) or next(ORACLE[a] for a, canonical in names.items() if canonical == text)
    with mpmath.workdps(40):
        for t in (0.0, 0.3, -2.0, 7.5):
            difference = function(mpmath.mpf(-t)) - sign * function(mpmath.mpf(t)) - int(offset)
            assert abs(difference) < mpmath.mpf(10) ** -35


def test_a_tied_bias_can_fail_for_every_u():
    """The paper's hypothesis on patches holds, yet both columns are one function of the samples (0,0) and (1,1)."""
    net = Network((1, 2), (Conv(1, (1,), activation("tanh"), bias="tied", skip=True),))
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    for seed in range(5):
        found = structural_deficiency(net, initialise(net, seed=seed), x)
        assert found is not None and found.rank_at_most == 1


def test_pools_of_equal_windows_are_one_form():
    net = Network((1, 4), (AvgPool((2,), skip=True), Dense(1, activation("tanh"), inputs=(0,), skip=True)))
    x = np.array([[1.0, 2.0, 2.0, 1.0], [0.0, 4.0, 4.0, 0.0], [3.0, 5.0, 5.0, 3.0]])
    u = np.array([1.0, 0.0, 0.25])
    found = structural_deficiency(net, u, x)
    assert found is not None and found.rank_at_most == 2
    assert numerical_rank(oracle(net, u, x)) == 2
    assert structural_deficiency(net, u, x + np.array([0.0, 0.0, 1.0, 0.0]) * np.arange(3)[:, None]) is None


def test_nearly_equal_units_are_not_equal():
    net = dense([2], ["tanh"], 1)
    x = np.array([[0.0], [1.0]])
    for gap in (5e-324, 1e-300, 2.0**-1000):
        assert structural_deficiency(net, np.array([1.0, 1.0, gap, 0.0]), x) is None
        assert structural_deficiency(net, np.array([1.0, 1.0 + 2**-52, 0.0, 0.0]), x) is None


def test_nearly_equal_samples_are_not_equal():
    net = dense([2], ["tanh"], 1)
    assert cheap_deficiency(net, np.array([[0.0], [5e-324]])) is None
    assert cheap_deficiency(net, np.array([[0.1], [0.1 + 2**-56]])) is None
    assert cheap_deficiency(net, np.array([[0.0], [-0.0]])).rank_at_most == 1


def test_sums_that_only_cancel_in_floating_point_are_not_zero():
    """0.1 + 0.2 - 0.3 is 0 in no exact sense, so the unit is not constant; 0.25 + 0.5 - 0.75 is."""
    net = dense([2], ["tanh"], 3)
    x = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    for weights, bound in (([0.1, 0.2, -0.3], None), ([0.1, 0.2, -(0.1 + 0.2)], None), ([0.25, 0.5, -0.75], 1)):
        u = np.array([*weights, *(2.0 * np.array(weights)), 0.5, 1.0])
        found = structural_deficiency(net, u, x)
        assert (None if found is None else found.rank_at_most) == bound


def test_dense_layers_on_equal_coordinates_merge_their_weights():
    net = dense([2], ["sigmoid"], 2)
    x = np.array([[1.0, 1.0], [2.0, 2.0]])
    assert structural_deficiency(net, np.array([1.0, 2.0, 3.0, 0.0, 0, 0]), x).rank_at_most == 1
    assert structural_deficiency(net, np.array([1.0, 2.0, 3.0, 0.0, 0, 0]), x + np.array([[0, 1], [0, 0]])) is None


def test_one_sample_is_deficient_only_when_psi_is_zero():
    net = dense([2], ["identity"], 1)
    assert structural_deficiency(net, np.array([1.0, 2.0, -3.0, -6.0]), np.array([[3.0]])).rank_at_most == 0
    assert structural_deficiency(net, np.array([1.0, 2.0, -3.0, 0.0]), np.array([[3.0]])) is None


def test_polynomials_of_high_degree_say_nothing_beyond_n():
    assert monomial_rank(np.arange(5.0)[:, None], 4) == 5
    assert monomial_rank(np.arange(5.0)[:, None], 3) == 4
    assert monomial_rank(np.zeros((5, 3)), 7) == 1
    assert monomial_rank(np.array([[1e300], [5e-324], [0.1]]), 1) == 2
