"""Assumption 3.1 on networks and data where it is known, against enumerations of paths, filters and patches."""

from importlib import import_module

import numpy as np
import pytest
from planted import dense, numerical_rank, oracle, random_parameters
from planted_problems import data_of, one_pixel

from verifier.data.grouping import group_duplicates
from verifier.data.readers import load_dataset
from verifier.errors import NetworkError
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation
from verifier.statements import assumption as hypotheses
from verifier.statements.assumption import (
    check_assumption,
    distinct_patches,
    increasing_activations,
    suitable_units,
    what_remains,
)
from verifier.verdict import Verdict

pipeline = import_module("verifier.prove")


def test_the_pipeline_uses_the_same_analyticity():
    assert pipeline.analytic is hypotheses.analytic


def test_a_declared_fact_is_no_proof():
    sigma = Activation.from_expression("tanh(t) + t*exp(-t**2)/9", declared={"strictly_increasing": True})
    assert increasing_activations(Network((1,), (Dense(1, sigma, skip=True),))).verdict is Verdict.UNDECIDED


def test_the_paper_applies_to_digits():
    data = load_dataset("digits").first(100)
    found = check_assumption(dense([30, 120], ["softplus", "softplus"], 64), data)
    assert found.verdict is Verdict.PROVED and "Theorem 3.4 of the paper" in what_remains(found)[0]
    assert found.units.evidence.layers == ((1, 0, 120),) and len(found.units.evidence.selected) == 100
    too_few = check_assumption(dense([30, 99], ["softplus", "softplus"], 64), data)
    assert (too_few.verdict, too_few.units.verdict) == (Verdict.REFUTED, Verdict.REFUTED)


def test_tanh_is_outside_the_assumption_but_not_outside_w0():
    found = check_assumption(dense([5], ["tanh"], 1), data_of([[0], [1], [2]]))
    assert found.verdict is Verdict.REFUTED and found.activations.verdict is Verdict.PROVED
    assert "limit -1 at -oo" in found.units.reason
    assert "ONE U" in what_remains(found)[0]


def test_relu_leaves_only_statements_at_a_given_u():
    found = check_assumption(dense([5], ["relu"], 1), data_of([[0], [1], [2]]))
    assert "identity theorem" in found.activations.reason
    words = what_remains(found)
    assert "says nothing about almost every U" in words[0] and any("at a given U" in line for line in words)


def test_duplicates_refute_the_patches_until_they_are_grouped():
    whole = data_of([[0, 1], [2, 3], [0, 1], [4, 5]])
    net = dense([4], ["sigmoid"], 2)
    refuted = distinct_patches(net, whole)
    assert refuted.verdict is Verdict.REFUTED and refuted.evidence.samples == (0, 2)
    grouped = check_assumption(net, group_duplicates(whole))
    assert grouped.verdict is Verdict.PROVED and grouped.units.evidence.needed == 3


def test_witnesses_of_a_grouping_keep_the_original_numbers():
    whole = data_of([[7, 7], [7, 7], [0, 1], [0, 2]])
    found = distinct_patches(one_pixel("per-unit"), group_duplicates(whole))
    assert (found.evidence.samples, found.evidence.position, found.evidence.coordinates) == ((2, 3), 0, (0,))


def test_patches_that_differ_in_the_last_bit_are_distinct():
    for a, b in ((0.1, np.nextafter(0.1, 1)), (0.0, 5e-324), (1e300, -1e300)):
        assert distinct_patches(dense([2], ["tanh"], 1), data_of([[a], [b]])).verdict is Verdict.PROVED
    assert distinct_patches(dense([2], ["tanh"], 1), data_of([[0.0], [-0.0]])).verdict is Verdict.REFUTED


def test_one_sample_has_nothing_to_be_equal_to():
    assert distinct_patches(one_pixel("tied"), data_of([[3, 3]])).verdict is Verdict.PROVED
    assert suitable_units(dense([1], ["sigmoid"], 1), 1).verdict is Verdict.PROVED


@pytest.mark.parametrize(
    "layers",
    [
        (AvgPool((2,)), Dense(3, activation("sigmoid"), skip=True)),
        (Conv(1, (1,), activation("sigmoid"), bias="tied"), AvgPool((2,)), Dense(3, activation("sigmoid"), skip=True)),
    ],
    ids=["pool of the input", "pool of a tied filter"],
)
def test_three_true_conditions_outside_the_setting_prove_nothing(layers):
    """A mean does not tell (0, 1) from (1, 0): Psi has rank 1 < 2 for every U, although all three conditions hold."""
    net, x = Network((1, 2), layers), np.array([[0.0, 1.0], [1.0, 0.0]])
    found = check_assumption(net, data_of(x))
    parts = {found.activations.verdict, found.units.verdict, found.patches.verdict}
    assert parts == {Verdict.PROVED} and found.verdict is Verdict.UNDECIDED
    assert "can fail" in what_remains(found)[2]
    u = random_parameters(np.random.default_rng(0), net)
    assert numerical_rank(oracle(net, u, x)) == 1


def test_a_wrong_dimension_is_one_line():
    with pytest.raises(NetworkError, match="reads d = 3 coordinates and the samples have 2"):
        check_assumption(dense([2], ["tanh"], 3), data_of([[0, 1], [1, 1]]))


def test_thousands_of_images_take_seconds():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (20_000, 64)).astype(float)
    net = Network((1, 8, 8), (Conv(4, (5, 5), activation("sigmoid"), skip=True),))
    found = distinct_patches(net, data_of(x))
    assert (found.verdict, found.windows) == (Verdict.PROVED, 16)
