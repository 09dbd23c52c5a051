"""Defined on all of R: what the prover claims the checker can follow, and neither believes what is not true."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from verifier import Dense, Network
from verifier.checker.analytic import total
from verifier.checker.expression import parse
from verifier.network.flags import flags_of
from verifier.rank.deficiency import structural_bound_every_u
from verifier.sigma.activations import Activation, catalogue, leaky_relu, softplus

CATALOGUE = [*catalogue(), softplus(Fraction(1, 10)), softplus(20), leaky_relu(0), leaky_relu(Fraction(1, 5))]
TOTAL = [
    "t/(1 + Abs(t))",
    "t*tanh(log(exp(t) + 1))",
    "Max(0, Min(6, t))",
    "t*Max(0, Min(1, t/6 + 1/2))",
    "sqrt(t**2 + 1)",
    "sqrt(t**2)",
    "Abs(t)**(1/3)",
    "1/(sin(t) + 2)",
    "log(exp(-Abs(t)) + 1)",
    "exp(-t**2)",
    "1/cosh(t)",
    "log(Max(t, 1))",
    "sqrt(Max(0, t))",
    "exp(t)/(exp(t) + 1)",
]
PARTIAL = [
    "log(t)",
    "sqrt(t)",
    "1/t",
    "t**(1/3)",
    "t**(-1)",
    "0/(t - t)",
    "log(-1 - t**2)",
    "0*log(t)",
    "log(t)**0",
    "1/(1 - 1)",
    "log(0)*t",
    "Max(t, log(t))",
    "exp(log(t))",
    "sqrt(t)**2",
    "1/(t - 1/3)",
    "1/(tanh(t) - 1/2)",
    "1/(t**3 + 1)",
    "1/Abs(t)",
    "1/Max(0, t)",
    "log(Abs(t))",
    "log(cos(t) + 1)",
    "sqrt(-t**2)",
    "Abs(t)**(-1/2)",
    "tanh(1/t)",
    "log(Min(1, t))",
]


@pytest.mark.parametrize("activation", CATALOGUE, ids=lambda a: a.name)
def test_the_whole_catalogue_is_total_for_both(activation):
    assert total(parse(activation.canonical, "").tree)
    assert not flags_of(Network(1, [Dense(1, activation, skip=True)])).undefined


@pytest.mark.parametrize("text", TOTAL)
def test_other_total_functions(text):
    assert total(parse(text, "").tree)


@pytest.mark.parametrize("text", TOTAL)
def test_what_the_prover_proves_total_the_checker_proves_too(text):
    activation = Activation.from_expression(text)
    if not flags_of(Network(1, [Dense(1, activation, skip=True)])).undefined:
        assert total(parse(activation.canonical, "").tree)


@pytest.mark.parametrize("text", PARTIAL)
def test_partial_functions_are_not_called_total(text):
    assert not total(parse(text, "").tree)


def test_nothing_is_claimed_for_every_u_where_psi_may_not_exist():
    import numpy as np

    # defined at every point that is tried for a counterexample, but not on all of R
    activation = Activation.from_expression("1/(1 + sin(t))")
    network = Network(1, [Dense(1, activation, skip=True)])
    assert flags_of(network).undefined
    assert structural_bound_every_u(network, np.array([[0.0], [1.0]])) is None
    assert math.sin(-math.pi / 2) == -1  # where it has no value
