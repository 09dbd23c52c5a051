"""Blocks against PyTorch's modules with the same numbers: the same definitions, to rounding."""

import numpy as np
import pytest

from verifier.network import blocks as b
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import Conv
from verifier.network.network import Network

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

GENERATOR = np.random.default_rng(5)
TOKENS = GENERATOR.standard_normal((3, 4, 6))
IMAGES = GENERATOR.standard_normal((3, 4, 5, 5))


def tensor(values):
    """A double tensor."""
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float64)


def ours(shape, block, samples, **frozen):
    """The network of one block, its parameters by name, its output for the samples."""
    network = Network(shape, [block], frozen=frozen)
    u = initialise(network, seed=4)
    return network.views(u), approx_features(network, u, samples.reshape(len(samples), -1))


def same(mine, theirs):
    """Equal up to rounding."""
    np.testing.assert_allclose(mine, theirs.detach().numpy().reshape(mine.shape), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal):
    """Heads, scale, causal mask and projections are those of torch.nn.MultiheadAttention."""
    views, mine = ours((4, 6), b.MultiHeadAttention(2, causal=causal, skip=True), TOKENS)
    module = torch.nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    parts = [[views[f"layer0.{part}.{kind}"] for part in ("query", "key", "value")] for kind in ("weight", "bias")]
    with torch.no_grad():
        module.in_proj_weight.copy_(tensor(np.concatenate(parts[0])))
        module.in_proj_bias.copy_(tensor(np.concatenate(parts[1])))
        module.out_proj.weight.copy_(tensor(views["layer0.output.weight"]))
        module.out_proj.bias.copy_(tensor(views["layer0.output.bias"]))
    x = tensor(TOKENS)
    mask = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1) if causal else None
    same(mine, module(x, x, x, attn_mask=mask)[0])


def test_gru():
    """The last state of torch.nn.GRU."""
    views, mine = ours((4, 6), b.GRU(5, skip=True), TOKENS)
    module = torch.nn.GRU(6, 5, batch_first=True, dtype=torch.float64)
    reset, update = (views[f"layer0.{part}.weight"] for part in ("reset", "update"))
    with torch.no_grad():
        module.weight_ih_l0.copy_(tensor(np.concatenate([reset[:, :6], update[:, :6], views["layer0.input.weight"]])))
        module.weight_hh_l0.copy_(tensor(np.concatenate([reset[:, 6:], update[:, 6:], views["layer0.state.weight"]])))
        biases = [views["layer0.reset.bias"], views["layer0.update.bias"], views["layer0.input.bias"]]
        module.bias_ih_l0.copy_(tensor(np.concatenate(biases)))
        module.bias_hh_l0.copy_(tensor(np.concatenate([np.zeros(10), views["layer0.state.bias"]])))
    same(mine, module(tensor(TOKENS))[1])


def test_normalisations():
    """Layer, group and batch normalisation in evaluation."""
    views, mine = ours((4, 6), b.LayerNorm(skip=True), TOKENS)
    weight, bias = (tensor(views[f"layer0.{kind}"]) for kind in ("weight", "bias"))
    same(mine, torch.nn.functional.layer_norm(tensor(TOKENS), (6,), weight, bias))
    views, mine = ours((4, 5, 5), b.GroupNorm(2, skip=True), IMAGES)
    weight, bias = (tensor(views[f"layer0.{kind}"]).flatten() for kind in ("weight", "bias"))
    same(mine, torch.nn.functional.group_norm(tensor(IMAGES), 2, weight, bias))
    mean, variance = GENERATOR.standard_normal(4), GENERATOR.random(4) + 0.5
    statistics = {"layer0.running_mean": mean, "layer0.running_var": variance}
    views, mine = ours((4, 5, 5), b.BatchNorm(skip=True), IMAGES, **statistics)
    weight, bias = (tensor(views[f"layer0.{kind}"]).flatten() for kind in ("weight", "bias"))
    same(mine, torch.nn.functional.batch_norm(tensor(IMAGES), tensor(mean), tensor(variance), weight, bias))


def test_convolution_with_groups_and_dilation():
    """torch.nn.functional.conv2d's groups, dilation, stride and padding."""
    layer = Conv(6, (3, 2), "tanh", (2, 1), "tied", True, padding=(2, 1), dilation=(2, 1), groups=2)
    views, mine = ours((4, 5, 5), layer, IMAGES)
    weight, bias = (tensor(views[f"layer0.{kind}"]) for kind in ("weight", "bias"))
    found = torch.nn.functional.conv2d(tensor(IMAGES), weight, bias, (2, 1), (2, 1), (2, 1), 2)
    same(mine, torch.tanh(found))


def test_pooling():
    """Maxima leave the padding out, means count its zeros."""
    _, mine = ours((4, 5, 5), b.MaxPool((3, 3), (2, 2), (1, 1), skip=True), IMAGES)
    same(mine, torch.nn.functional.max_pool2d(tensor(IMAGES), 3, 2, 1))
    _, mine = ours((4, 5, 5), b.MeanPool((3, 3), (2, 2), (1, 1), skip=True), IMAGES)
    same(mine, torch.nn.functional.avg_pool2d(tensor(IMAGES), 3, 2, 1))
