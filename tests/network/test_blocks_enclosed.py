"""Blocks in ball arithmetic, and in exact numbers where they are rational: the oracle's values are held."""

import numpy as np
import pytest
from oracle_graph import psi_oracle
from planted import contains, fraction
from test_blocks import NETWORKS

from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.network.initialise import initialise
from verifier.network.network import Network


@pytest.mark.parametrize("name", NETWORKS)
def test_balls_hold_the_oracle(name):
    network = Network(*NETWORKS[name])
    u, x = initialise(network, seed=3), np.random.default_rng(1).standard_normal((1, network.dimension))
    if any(node.kind == "embed" for node in network.nodes):
        x = np.abs(np.round(x)) % 2
    ((_, block),) = FeatureEnclosure(network, u, x, 128).blocks()
    for ball, value in zip(block.entries(), psi_oracle(network, u, x)[0], strict=True):
        exact = fraction(value)
        assert contains(ball, exact, (1 + abs(exact)) / 10**60)
        assert fraction(ball.rad()) < (1 + abs(exact)) / 10**25
