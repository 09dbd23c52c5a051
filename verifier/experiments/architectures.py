"""The paper's networks, scaled to the input and to the training set, as layers of `verifier.network`.

One description serves both sides: `verifier.experiments.module` trains it in PyTorch, the verifier proves about it.
Differences from the networks of the literature: average instead of max pooling (max-pooling is not analytic), no
batch normalisation (its statistics couple the samples), and stages stop pooling when the map is one pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from verifier.errors import InputError, nearest
from verifier.network.layers import AvgPool, Conv, Dense, Layer, Source
from verifier.network.network import Network
from verifier.network.windows import Shape

VGG: Final = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
}
"""Convolutions per block, with 64, 128, 256, 512, 512 filters."""
FILTERS: Final = (64, 128, 256, 512, 512)
DENSE_BLOCKS: Final = (6, 12, 24, 16)
"""Pairs of convolutions per block of DenseNet-121."""
GROWTH: Final = 32
DEPTH: Final = 150
ROOM: Final = 1.25
"""Fully connected networks have so many hidden units for each skip unit that is drawn from them."""
WIDEST: Final = 16
"""The largest factor of filters."""
FULL_SIZE: Final = 28
"""Images from this size on get the full widths by default."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The input's shape, M, the activation, and the factor that filters are multiplied by."""

    shape: Shape
    units: int
    activation: str
    width: float

    def filters(self, full: int) -> int:
        """Number of filters of a layer that has ``full`` of them in the full-size network."""
        return max(1, round(full * self.width))


def build(name: str, shape: Sequence[int], units: int, activation: str, width: float | None = None) -> list[Layer]:
    """Layers of an architecture, none of them connected to the outputs yet.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.
    shape : sequence of int
        ``(channels, height, width)``.
    units : int
        M, at most N, which sets the width of the fully connected networks.
    activation : str
        As for `verifier.activation`.
    width : float, optional
        What filters are multiplied by; by default 1 from 28 pixels on, and 1/8 below.

    Returns
    -------
    list of Layer

    Raises
    ------
    InputError
        Unknown name, a shape that is not that of images, or a width that is not positive.
    """
    if name not in ARCHITECTURES:
        raise InputError(f"architecture {name!r} is unknown; {nearest(name, ARCHITECTURES)}")
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"shape = {tuple(shape)}: networks are scaled to images, (channels, height, width)")
    if width is None:
        width = 1.0 if min(shape[1:]) >= FULL_SIZE else 1 / 8
    if not 0 < width <= WIDEST:
        raise InputError(f"width = {width}: filters are multiplied by it; use a number above 0, up to {WIDEST}")
    return ARCHITECTURES[name](Scale(tuple(shape), units, activation, width))


def connected(layers: Sequence[Layer], shape: Sequence[int], units: int | None, seed: int) -> Network:
    """Connect hidden units to the outputs.

    Parameters
    ----------
    layers : sequence of Layer
        From `build`.
    shape : sequence of int
        The input's shape.
    units : int or None
        M units drawn at random from all hidden units that have an activation (at most all of them); None: the plain
        network, the last hidden layer alone.
    seed : int
        Of the draw.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        No skip units.
    """
    last = [replace(layer, skip=index == len(layers) - 1) for index, layer in enumerate(layers)]
    plain = Network(tuple(shape), last)
    if units is None:
        return plain
    sizes = _units(plain)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    if units < 1:
        raise InputError(f"skip_units = {units}: at least one unit must be connected to the outputs")
    count = min(units, int(starts[-1]))
    drawn = np.sort(np.random.default_rng([seed, count]).choice(int(starts[-1]), size=count, replace=False))
    skips: list[bool | tuple[int, ...]] = []
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        inside = drawn[(drawn >= start) & (drawn < stop)] - start
        skips.append(tuple(inside.tolist()) if len(inside) else False)
    return Network(tuple(shape), [replace(layer, skip=skip) for layer, skip in zip(layers, skips, strict=True)])


def hidden_units(network: Network) -> int:
    """The number of hidden units that skip units are drawn from: all but those of pools."""
    return sum(_units(network))


def _units(network: Network) -> list[int]:
    """Hidden units with an activation in each layer: none in a pool."""
    pairs = zip(network.layers, network.shapes, strict=True)
    return [0 if layer.activation is None else math.prod(shape) for layer, shape in pairs]


def _conv(
    filters: int, size: int, activation: str, kernel: int = 3, stride: int = 1, inputs: Sequence[Source] = ()
) -> Conv:
    """A square convolution that keeps the map's size (divided by the stride); on one pixel the kernel is 1 x 1."""
    kernel = kernel if size > 1 else 1
    stride = stride if size > 1 else 1
    pad = kernel // 2
    return Conv(
        filters, (kernel, kernel), activation, (stride, stride), "tied", False, tuple(inputs), (pad, pad) if pad else ()
    )


def _cnn13(scale: Scale) -> list[Layer]:
    """Thirteen layers of weights for MNIST-like images: eleven convolutions, strides for pooling, two dense layers."""
    size, layers = min(scale.shape[1:]), list[Layer]()
    plan = [(64, 3, 1), (64, 3, 1), (64, 3, 2), (128, 3, 1), (128, 3, 1), (128, 3, 2)]
    plan += [(256, 3, 1), (256, 1, 1), (256, 3, 2), (256, 1, 1), (256, 1, 1)]
    for full, kernel, stride in plan:
        layers.append(_conv(scale.filters(full), size, scale.activation, kernel, stride))
        size = -(-size // stride)
    return [*layers, Dense(scale.filters(256), scale.activation)]


def _vgg(blocks: Sequence[int]) -> Callable[[Scale], list[Layer]]:
    def layers_of(scale: Scale) -> list[Layer]:
        size, layers = min(scale.shape[1:]), list[Layer]()
        for count, full in zip(blocks, FILTERS, strict=True):
            layers += [_conv(scale.filters(full), size, scale.activation) for _ in range(count)]
            if size > 1:
                layers.append(AvgPool((2, 2)))
                size //= 2
        return [*layers, *(Dense(scale.filters(512), scale.activation) for _ in range(2))]

    return layers_of


def _densenet121(scale: Scale) -> list[Layer]:
    """Blocks whose convolutions read all earlier ones of the block: 120 convolutions, and a dense layer below V."""
    size, growth = min(scale.shape[1:]), scale.filters(GROWTH)
    layers: list[Layer] = [_conv(2 * growth, size, scale.activation, stride=2)]
    size = -(-size // 2)
    channels, sources = 2 * growth, [0]
    for block, pairs in enumerate(DENSE_BLOCKS):
        for _ in range(pairs):
            layers.append(_conv(4 * growth, size, scale.activation, kernel=1, inputs=sources))
            layers.append(_conv(growth, size, scale.activation, inputs=[len(layers) - 1]))
            sources, channels = [*sources, len(layers) - 1], channels + growth
        if block < len(DENSE_BLOCKS) - 1:
            channels //= 2
            layers.append(_conv(channels, size, scale.activation, kernel=1, inputs=sources))
            if size > 1:
                layers.append(AvgPool((2, 2)))
                size //= 2
            sources = [len(layers) - 1]
    layers.append(Dense(channels, scale.activation, inputs=tuple(sources)))
    return layers


def _fc150(scale: Scale) -> list[Layer]:
    return [Dense(max(10, math.ceil(ROOM * scale.units / DEPTH)), scale.activation) for _ in range(DEPTH)]


def _fc2(scale: Scale) -> list[Layer]:
    return [Dense(max(10, math.ceil(ROOM * scale.units / 2)), scale.activation) for _ in range(2)]


ARCHITECTURES: Final[dict[str, Callable[[Scale], list[Layer]]]] = {
    "cnn13": _cnn13,
    **{name: _vgg(blocks) for name, blocks in VGG.items()},
    "densenet121": _densenet121,
    "fc150": _fc150,
    "fc2": _fc2,
}
"""Makers of the hidden layers of each network, by its name."""
