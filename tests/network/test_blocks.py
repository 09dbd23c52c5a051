"""Blocks: every one expands into a graph whose floating-point pass is the definition, and whose gradient is right."""

import numpy as np
import pytest

from verifier.errors import NetworkError
from verifier.network import blocks as b
from verifier.network.forward import approx_features
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network

TOKENS = (4, 6)
IMAGE = (4, 5, 5)

NETWORKS = {
    "residual": (6, [Dense(6, "tanh"), Dense(6, "gelu"), b.Add(inputs=(0, 1), skip=True)]),
    "batchnorm": (
        IMAGE,
        [Conv(3, (3, 3), "tanh", padding=1), b.BatchNorm(), b.Activate("silu"), Dense(5, "tanh", True)],
    ),
    "groupnorm": (IMAGE, [b.GroupNorm(2), Conv(2, (2, 2), "tanh", dilation=(2, 2), groups=2), b.GlobalPool(skip=True)]),
    "layernorm": (TOKENS, [b.LayerNorm(), b.LayerNorm(axes=2), b.Flatten(skip=True)]),
    "rmsnorm": (TOKENS, [b.RMSNorm(), b.Linear(3, "tanh", skip=True)]),
    "attention": (
        TOKENS,
        [b.Positional(), b.MultiHeadAttention(2), b.Add(inputs=(0, 1)), b.GlobalPool(over="tokens", skip=True)],
    ),
    "causal": (TOKENS, [b.MultiHeadAttention(3, causal=True, width=2, skip=True)]),
    "keys": (TOKENS, [b.Positional("sinusoidal"), b.MultiHeadAttention(1, keys=(0, 2), bias=False, skip=True)]),
    "swiglu": (TOKENS, [b.SwiGLU(5), b.Add(inputs=("input", 0)), b.GLU(2, skip=True)]),
    "recurrent": (TOKENS, [b.Recurrent(5, skip=True)]),
    "gru": (TOKENS, [b.GRU(3, sequence=True, skip=True)]),
    "lora": (6, [b.LoRA(4, "tanh", rank=2), Dense(3, "tanh", skip=True)]),
    "weightnorm": (6, [b.WeightNorm(4, "tanh"), b.Masked(2, "tanh", mask=((0, 3), (1,)), skip=True)]),
    "tied": (6, [Dense(4, "tanh"), b.Transposed("layer0", "tanh", skip=True)]),
    "shared": (6, [Dense(6, "tanh", name="cell"), Dense(6, "tanh", name="cell"), Dense(6, "tanh", True, name="cell")]),
    "pools": (
        IMAGE,
        [b.MaxPool((2, 2), (1, 1), (1, 1)), b.MeanPool((2, 2), padding=(1, 1)), AvgPool((2, 2), skip=True)],
    ),
    "gate": (
        6,
        [
            Dense(6, "sigmoid"),
            Dense(6, "tanh"),
            b.Gate(inputs=(0, 1, "input"), skip=True),
            b.Multiply(inputs=(1, 2), skip=(1, 2)),
        ],
    ),
    "repeated": (
        4,
        [
            Dense(4, "sigmoid"),
            Dense(4, "tanh"),
            b.Gate(inputs=(0, 0, 1)),
            b.Gate(inputs=(2, 2, 2)),
            b.Multiply(inputs=(3, 3, 1)),
            b.Add(inputs=(4, 4, "input"), skip=True),
        ],
    ),
    "moving": (
        TOKENS,
        [
            b.Select((3, 0, 0)),
            b.Permute((1, 0)),
            b.Reshape((9, 2)),
            b.Concatenate(inputs=(2, 2 - 2)) if False else b.Scale("1/3", skip=True),
        ],
    ),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    """A network with one of the blocks, and an output bias."""
    shape, layers = NETWORKS[request.param]
    return Network(shape, layers, output_bias=True)


def test_the_last_column_of_psi_is_one(network):
    """An output bias is a constant column."""
    x = np.random.default_rng(0).standard_normal((7, network.dimension))
    psi = approx_features(network, initialise(network, seed=1), x)
    assert psi.shape == (7, network.columns) and (psi[:, -1] == 1.0).all() and np.isfinite(psi).all()


def test_the_gradient_is_that_of_differences(network):
    """Backpropagation agrees with central differences in a random direction."""
    generator = np.random.default_rng(3)
    x, labels, counts = generator.standard_normal((5, network.dimension)), np.arange(5) % 3, np.ones(5, dtype=np.int64)
    u, v = initialise(network, seed=2, scale=0.7), generator.standard_normal((network.columns, 3))
    found = approx_gradient(network, u, v, x, labels, counts)
    direction = generator.standard_normal(len(u))
    step = 1e-6
    up, down = (approx_gradient(network, u + s * direction, v, x, labels, counts).loss for s in (step, -step))
    assert found.du @ direction == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-7)


def test_nothing_but_layers_is_layered(network):
    """Rules about units with weights of their own do not apply to these networks, and asking for layers says so."""
    assert network.layered is None
    with pytest.raises(NetworkError, match="not made of layers alone"):
        _ = network.layers


def test_an_output_bias_leaves_a_network_layered():
    """Layers and an output bias are recognised."""
    network = Network(3, [Dense(4, "tanh", skip=True)], output_bias=True)
    assert network.layered is not None and network.output_bias
    assert (network.columns, network.skip_units) == (5, ((0, (0, 1, 2, 3)),))
