"""Positively homogeneous activations, and those that are not."""

import pytest

import verifier as vf
from verifier.sigma.piecewise import degree_of_homogeneity

DEGREES = {"relu": 1, "leaky_relu": 1, "identity": 1, "square": 2, "abs(t)": 1, "t*abs(t)": 2, "max(0, t)**2": 2}


@pytest.mark.parametrize(("name", "degree"), DEGREES.items())
def test_homogeneous(name, degree):
    assert degree_of_homogeneity(vf.activation(name).expression) == degree


@pytest.mark.parametrize("name", ["tanh", "hard_tanh", "relu6", "elu", "t**3 + t", "max(t, t**2)", "1 + max(0, t)"])
def test_not_homogeneous(name):
    assert degree_of_homogeneity(vf.activation(name).expression) is None
