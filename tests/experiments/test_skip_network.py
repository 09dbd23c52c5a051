"""The PyTorch side of a network is the verifier's function: features, weights, and what `from_torch` reads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.errors import InputError
from verifier.experiments.architectures import build, connected
from verifier.network.forward import approx_features
from verifier.network.layers import Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation

pytestmark = pytest.mark.torch

SHAPE = (1, 8, 8)
CASES = [
    (name, act, skip)
    for name, act in [
        ("fc2", "tanh"), ("fc2", "gelu"), ("vgg11", "softplus(20)"), ("cnn13", "sigmoid"), ("densenet121", "sigmoid"),
        ("fc150", "softplus(20)"),
    ]
    for skip in (True, False)
]  # fmt: skip


def made(name: str, act: str, skip: bool, seed: int = 1) -> Any:
    from verifier.experiments.module import SkipNetwork

    network = connected(build(name, SHAPE, 30, act, 1 / 16), SHAPE, 30 if skip else None, seed)
    module = SkipNetwork(network, 10)
    module.initialise(seed)
    return module


def images(n: int = 5, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 17, (n, 64)) / 16.0


@pytest.mark.parametrize(("name", "act", "skip"), CASES)
def test_the_same_function(name: str, act: str, skip: bool) -> None:
    import torch

    module = made(name, act, skip).double()
    u, v = module.weights()
    x = images()
    with torch.no_grad():
        logits = module(torch.tensor(x).reshape(-1, *SHAPE)).numpy()
        psi = module.features(torch.tensor(x).reshape(-1, *SHAPE)).numpy()
    expected = approx_features(module.network, u, x)
    assert psi.shape == (5, module.network.skip_count)
    assert np.allclose(psi, expected, rtol=1e-7, atol=1e-8)  # softplus is cut at 20 in PyTorch: exp(-20) / 20
    assert np.allclose(logits, expected @ v, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "act", "skip"), CASES)
def test_from_torch_reads_it(name: str, act: str, skip: bool) -> None:
    module = made(name, act, skip)
    u, v = module.weights()
    x = images()
    found = vf.from_torch(module, SHAPE)
    assert found.network.columns == module.network.skip_count
    ours = approx_features(module.network, u, x) @ v
    assert np.allclose(approx_features(found.network, found.u, x) @ found.v, ours, rtol=1e-9, atol=1e-9)
    assert np.isin(found.u, u).all() and np.array_equal(np.sort(found.v, None), np.sort(v, None))
    last = max(index for index, _ in module.network.skip_units)
    if last == len(module.network.layers) - 1:  # else layers that no output reads are not taken over
        assert np.array_equal(np.sort(found.u), np.sort(u))


def test_weights_are_the_modules_numbers() -> None:
    module = made("vgg11", "sigmoid", True)
    u, v = module.weights()
    numbers = {name: p.detach().numpy() for name, p in module.named_parameters()}
    assert np.array_equal(v, numbers["head.weight"].T) and v.flags.c_contiguous
    for view in module.network.parameters:
        kind = view.name.rsplit(".", 1)[1]
        assert np.array_equal(view.of(u).ravel(), numbers[f"hidden.{view.block}.{kind}"].ravel())
    assert np.array_equal(u.astype(np.float32), u)
    assert len(u) == sum(p.size for name, p in numbers.items() if name != "head.weight")


def test_initialisation() -> None:
    first, same, other = (made("vgg11", "sigmoid", True, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.weights()[0], same.weights()[0])
    assert not np.array_equal(first.weights()[0], other.weights()[0])
    first.initialise(1, gain=4.0)
    assert np.array_equal(first.weights()[0], np.float64(4.0) * same.weights()[0])
    assert np.array_equal(first.weights()[1], same.weights()[1])
    for index, layer in enumerate(first.network.layers):
        if not isinstance(layer, Conv | Dense):
            continue
        weight, bias = same.hidden[index].weight.detach().numpy(), same.hidden[index].bias.detach().numpy()
        bound = math.sqrt(6 / (weight[0].size + weight.shape[0] * math.prod(weight.shape[2:])))
        assert abs(weight).max() <= bound and not bias.any()
    assert abs(same.head.weight.detach().numpy()).max() <= 1 / math.sqrt(30)


def test_softplus_gets_more() -> None:
    import torch

    wide, usual = (made("fc2", act, True).hidden[1].weight for act in ("softplus(20)", "sigmoid"))
    n = usual.shape[0]
    assert torch.allclose(wide, usual * math.sqrt(6 / n) / math.sqrt(6 / (2 * n)))


def test_the_same_hidden_weights_with_and_without_skips() -> None:
    skip, plain = made("vgg11", "sigmoid", True), made("vgg11", "sigmoid", False)
    assert np.array_equal(skip.weights()[0], plain.weights()[0])


def test_what_has_no_counterpart_is_refused() -> None:
    from verifier.experiments.module import SkipNetwork, torch_activation

    with pytest.raises(InputError, match="'arctan': experiments have"):
        torch_activation(activation("arctan"))
    untied = Network((1, 4, 4), [Conv(2, (3, 3), "tanh", (1, 1), "per-unit", True, (), ())])
    with pytest.raises(InputError, match="one bias per filter"):
        SkipNetwork(untied, 3)
    line = Network((1, 8), [Conv(2, (3,), "tanh", (1,), "tied", True, (), ())])
    with pytest.raises(InputError, match="2-d convolutions"):
        SkipNetwork(line, 3)
