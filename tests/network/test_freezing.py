"""Freezing: the same features, fewer parameters, no longer layers with weights of their own."""

import numpy as np
import pytest

from verifier import Dense, LoRA, Network, freeze, initialise
from verifier.errors import NetworkError
from verifier.network.forward import approx_features

NETWORK = Network(3, [LoRA(4, "tanh", rank=2), Dense(5, "tanh", skip=True)], output_bias=True)


def test_the_features_stay_and_the_parameters_go():
    """What is frozen is no part of U, and Psi is the same."""
    u, x = initialise(NETWORK, seed=3), np.random.default_rng(0).standard_normal((6, 3))
    frozen, rest = freeze(NETWORK, u, ["layer0.weight", "layer1.*"])
    assert [view.name for view in frozen.parameters] == ["layer0.lora_A", "layer0.lora_B", "layer0.bias"]
    np.testing.assert_array_equal(approx_features(frozen, rest, x), approx_features(NETWORK, u, x))


def test_a_frozen_layer_has_no_weights_of_its_own():
    """Rules about units with free weights do not apply to a network with a frozen layer."""
    network = Network(3, [Dense(4, "tanh"), Dense(5, "tanh", skip=True)])
    frozen, _ = freeze(network, initialise(network), "layer0.*")
    assert network.layered is not None and frozen.layered is None
    assert frozen != network and hash(frozen) == hash(freeze(network, initialise(network), "layer0.*")[0])


@pytest.mark.parametrize(("names", "message"), [("layer7.*", "no parameter is called"), ("*", "leave one to train")])
def test_what_cannot_be_frozen_is_refused(names, message):
    """One line, with the name."""
    with pytest.raises(NetworkError, match=message):
        freeze(NETWORK, initialise(NETWORK), names)
