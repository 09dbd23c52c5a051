"""Agg only, no figure left open, and one small instance for all tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

matplotlib.use("Agg")

import verifier as vf
from verifier.landscape.straight_path import PathResult
from verifier.landscape.zero_loss import ZeroLoss


@dataclass(frozen=True)
class Small:
    data: vf.Dataset
    network: vf.Network
    u: np.ndarray
    v: np.ndarray
    features: vf.FeatureEnclosure
    zero: ZeroLoss
    path: PathResult


@pytest.fixture(scope="session")
def small() -> Small:
    inputs = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 1.0]])
    data = vf.Dataset("five", inputs, np.array([0, 1, 2, 0, 1]), 3, np.array([1, 2, 1, 1, 1]))
    layers = (vf.Dense(3, vf.activation("tanh"), skip=True), vf.Dense(6, vf.activation("sigmoid"), skip=True))
    network = vf.Network((2,), layers)
    u, v = vf.initialise(network, seed=3), vf.output_weights(network, 3, seed=3)
    rank, features = vf.prove_rank(vf.FeatureEnclosure(network, u, inputs, 64))
    zero = vf.prove_zero_loss(features, data.labels, 3, witness=rank.witness)
    path = vf.prove_path(zero, vf.ExactArray.of_floats(v), data.labels, data.multiplicities.tolist())
    assert path.path is not None and isinstance(features, vf.FeatureEnclosure)
    return Small(data, network, u, v, features, zero, path)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every test closes what it opens; what is made from given axes opens nothing."""
    pyplot.close("all")
    yield
    pyplot.close("all")
