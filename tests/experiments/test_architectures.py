"""The paper's networks as layers: how many, how large, and which units are connected to the outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from verifier.errors import InputError, VerifierError
from verifier.experiments.architectures import ARCHITECTURES, build, connected, hidden_units
from verifier.network.layers import AvgPool, Conv, Dense

DIGITS, MNIST, CIFAR = (1, 8, 8), (1, 28, 28), (3, 32, 32)
HIDDEN = {"cnn13": 12, "vgg11": 10, "vgg13": 12, "vgg16": 15, "densenet121": 121, "fc150": 150, "fc2": 2}
"""Hidden layers with weights; V is one more."""


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("shape", [DIGITS, MNIST, CIFAR], ids=str)
def test_layers_and_shapes(name: str, shape: tuple[int, ...]) -> None:
    layers = build(name, shape, 300, "sigmoid", 1 / 16)
    assert sum(not isinstance(layer, AvgPool) for layer in layers) == HIDDEN[name]
    network = connected(layers, shape, None, 0)
    assert network.input_shape == shape
    assert [index for index, _ in network.skip_units] == [len(layers) - 1]
    assert network.skip_count == math.prod(network.shapes[-1])
    if name.startswith("vgg"):
        maps = [s[1] for layer, s in zip(layers, network.shapes, strict=True) if isinstance(layer, AvgPool)]
        assert maps == [shape[1] // 2**k for k in range(1, len(maps) + 1)] and maps[-1] == 1


def test_counts_of_the_literature() -> None:
    blocks = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3)}
    for name, counts in blocks.items():
        layers = build(name, CIFAR, 10, "sigmoid", 1.0)
        filters = [layer.filters for layer in layers if isinstance(layer, Conv)]
        assert filters == [f for n, f in zip(counts, (64, 128, 256, 512, 512), strict=True) for _ in range(n)]
        assert len(filters) + sum(isinstance(layer, Dense) for layer in layers) + 1 == int(name[3:])
    dense = build("densenet121", CIFAR, 10, "sigmoid", 1.0)
    assert sum(isinstance(layer, Conv) for layer in dense) == 1 + 2 * (6 + 12 + 24 + 16) + 3
    assert connected(dense, CIFAR, None, 0).skip_count == 1024  # as many channels as DenseNet-121 averages over
    assert sum(isinstance(layer, Conv) for layer in build("cnn13", MNIST, 10, "sigmoid")) == 11


def test_strides_of_the_cnn_divide_the_map() -> None:
    network = connected(build("cnn13", MNIST, 10, "sigmoid", 0.1), MNIST, None, 0)
    assert [shape[1] for shape in network.shapes[:-1]] == [28, 28, 14, 14, 14, 7, 7, 7, 4, 4, 4]


def test_fully_connected_widths_follow_n() -> None:
    deep = connected(build("fc150", DIGITS, 1198, "sigmoid"), DIGITS, 1198, 0)
    assert deep.skip_count == 1198 and hidden_units(deep) >= 1.25 * 1198
    assert {layer.width for layer in deep.layers} == {10}
    assert [layer.width for layer in build("fc2", DIGITS, 1198, "sigmoid")] == [749, 749]
    assert [layer.width for layer in build("fc2", DIGITS, 3, "sigmoid")] == [10, 10]


def test_widths_scale_filters() -> None:
    assert [layer.filters for layer in build("vgg11", DIGITS, 10, "sigmoid")[:1]] == [8]  # an eighth by default
    assert [layer.filters for layer in build("vgg11", CIFAR, 10, "sigmoid")[:1]] == [64]
    assert [layer.filters for layer in build("vgg11", CIFAR, 10, "sigmoid", 0.5)[:1]] == [32]
    assert [layer.filters for layer in build("vgg11", CIFAR, 10, "sigmoid", 1e-9)[:1]] == [1]


@pytest.mark.parametrize("name", ["vgg11", "densenet121", "fc150"])
def test_units_are_drawn_at_random_without_repetition_and_never_from_pools(name: str) -> None:
    layers = build(name, DIGITS, 100, "sigmoid", 1 / 8)
    network = connected(layers, DIGITS, 100, 3)
    assert network.skip_count == 100
    for index, units in network.skip_units:
        assert not isinstance(network.layers[index], AvgPool)
        assert len(set(units)) == len(units) and 0 <= min(units) and max(units) < math.prod(network.shapes[index])
    assert connected(layers, DIGITS, 100, 3).skip_units == network.skip_units
    assert connected(layers, DIGITS, 100, 4).skip_units != network.skip_units
    assert [layer.__class__ for layer in network.layers] == [layer.__class__ for layer in layers]
    assert network.sources == connected(layers, DIGITS, None, 0).sources
    assert network.parameter_count == connected(layers, DIGITS, None, 0).parameter_count


def test_every_unit_is_as_likely() -> None:
    layers, drawn = build("fc2", DIGITS, 16, "sigmoid"), np.zeros(20)
    for seed in range(400):
        for index, units in connected(layers, DIGITS, 5, seed).skip_units:
            drawn[10 * index + np.array(units)] += 1
    assert abs(drawn / 400 - 5 / 20).max() < 5 * math.sqrt(0.25 * 0.75 / 400)


def test_no_more_units_than_there_are() -> None:
    layers = build("fc2", DIGITS, 16, "sigmoid")
    network = connected(layers, DIGITS, 10**6, 0)
    assert network.skip_count == hidden_units(network) == 20
    pooled = connected(build("vgg11", DIGITS, 16, "sigmoid", 0.1), DIGITS, 10**6, 0)
    assert pooled.skip_count == hidden_units(pooled) < sum(math.prod(shape) for shape in pooled.shapes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg12", DIGITS, 10, "sigmoid"), "vgg1"),
        (("vgg11", (64,), 10, "sigmoid"), "(channels, height, width)"),
        (("vgg11", (1, 0, 8), 10, "sigmoid"), "(channels, height, width)"),
        (("vgg11", DIGITS, 10, "sigmoid", 0.0), "width = 0.0"),
        (("vgg11", DIGITS, 10, "sigmoid", 17.0), "up to 16"),
        (("vgg11", DIGITS, 10, "sigmoid", math.nan), "width = nan"),
        (("fc2", DIGITS, 10, "sigmoidal"), "sigmoid"),
    ],
)
def test_refusals(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(VerifierError) as caught:
        connected(build(*arguments), DIGITS, 5, 0)  # type: ignore[arg-type]
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_needs_skip_units() -> None:
    with pytest.raises(InputError, match="skip_units = 0"):
        connected(build("fc2", DIGITS, 10, "sigmoid"), DIGITS, 0, 0)
