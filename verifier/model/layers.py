"""Layers of hidden units: dense, convolution with shared weights, average pooling.

A layer says which earlier outputs it reads (``inputs``), what shape it has and how its parameters are laid out.
Shapes follow the certificate format: a dense layer has shape ``(n,)``, a convolution or pool ``(channels,
positions...)``;
units are numbered in C order of that shape. Convolutions are cross-correlations without padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from verifier.errors import NetworkError
from verifier.model.activations import Activation

Source = int | Literal["input"]
"""Where a layer reads from: the network's input, or the index of an earlier layer."""

Skip = bool | tuple[int, ...]
"""Which units are connected to the outputs: all, none, or the listed unit indices."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """Name, shape and fan-in of one parameter array of a layer (``fan_in`` 0 marks biases)."""

    name: str
    shape: Shape
    fan_in: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected layer: unit j is ``sigma(b_j + sum_k W_jk z_k)``, weights ``(n, fan_in)``, biases ``(n,)``."""

    width: int
    activation: Activation
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    kind = "dense"

    def output_shape(self, sources: Sequence[Shape], where: str) -> Shape:
        """Shape of the output, ``(width,)``."""
        _positive(self.width, f"{where}: width")
        return (self.width,)

    def parameters(self, sources: Sequence[Shape]) -> tuple[ParameterSpec, ...]:
        """Weight and bias specifications."""
        fan_in = sum(math.prod(shape) for shape in sources)
        return (ParameterSpec("weight", (self.width, fan_in), fan_in), ParameterSpec("bias", (self.width,), 0))


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution (1-d or 2-d) with shared weights ``(filters, channels, *kernel)`` and stride.

    ``bias`` is ``"per-unit"``, shape ``(filters, *positions)``, or ``"tied"``, shape ``(filters,)``. With a tied bias
    the
    paper's Lemma 3.2 can fail (two equal patches give two equal columns for every U).
    """

    filters: int
    kernel: tuple[int, ...]
    activation: Activation
    stride: tuple[int, ...] = ()
    bias: Literal["per-unit", "tied"] = "per-unit"
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    @property
    def kind(self) -> str:
        """``conv1d`` or ``conv2d``."""
        return f"conv{len(self.kernel)}d"

    @property
    def steps(self) -> tuple[int, ...]:
        """The stride, 1 in every direction by default."""
        return self.stride or (1,) * len(self.kernel)

    def output_shape(self, sources: Sequence[Shape], where: str) -> Shape:
        """Shape of the output, ``(filters, *positions)``."""
        _positive(self.filters, f"{where}: filters")
        return (self.filters, *_positions(sources, self.kernel, self.steps, where))

    def parameters(self, sources: Sequence[Shape]) -> tuple[ParameterSpec, ...]:
        """Weight and bias specifications."""
        channels = sum(shape[0] for shape in sources)
        weight = (self.filters, channels, *self.kernel)
        positions = _positions(sources, self.kernel, self.steps, "conv")
        bias = (self.filters,) if self.bias == "tied" else (self.filters, *positions)
        return (ParameterSpec("weight", weight, math.prod(weight[1:])), ParameterSpec("bias", bias, 0))


@dataclass(frozen=True, slots=True)
class AvgPool:
    """Average pooling over windows, per channel: linear units without parameters."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    kind = "avgpool"

    @property
    def steps(self) -> tuple[int, ...]:
        """The stride, by default the kernel (disjoint windows)."""
        return self.stride or self.kernel

    def output_shape(self, sources: Sequence[Shape], where: str) -> Shape:
        """Shape of the output, ``(channels, *positions)``."""
        if len(sources) != 1:
            raise NetworkError(
                f"{where}: avgpool reads one input, got {len(sources)}; pool each input in a layer of its own"
            )
        return (sources[0][0], *_positions(sources, self.kernel, self.steps, where))

    def parameters(self, sources: Sequence[Shape]) -> tuple[ParameterSpec, ...]:
        """No parameters."""
        return ()


Layer = Dense | Conv | AvgPool


def _positive(value: int, what: str) -> None:
    if value < 1:
        raise NetworkError(f"{what} is {value}; it must be at least 1")


def _positions(sources: Sequence[Shape], kernel: tuple[int, ...], stride: tuple[int, ...], where: str) -> Shape:
    """Spatial shape after sliding a window over sources that share one spatial shape."""
    spatial = {shape[1:] for shape in sources}
    if len(spatial) != 1:
        raise NetworkError(f"{where}: its inputs have different spatial shapes {sorted(spatial)}; they must agree")
    (space,) = spatial
    if len(space) != len(kernel):
        raise NetworkError(
            f"{where}: kernel {list(kernel)} has {len(kernel)} axes but its input has spatial shape {list(space)}; "
            "set [data] shape or use a kernel of that dimension"
        )
    if len(stride) != len(kernel):
        raise NetworkError(f"{where}: stride {list(stride)} and kernel {list(kernel)} differ in length")
    out = []
    for length, k, s in zip(space, kernel, stride, strict=True):
        if not 1 <= k <= length:
            raise NetworkError(f"{where}: kernel size {k} does not fit an input of length {length}; use 1..{length}")
        if s < 1:
            raise NetworkError(f"{where}: stride {s} must be at least 1")
        out.append((length - k) // s + 1)
    return tuple(out)


def window_indices(shape: Shape, kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[list[int]]:
    """Flat indices into one channel-major block read by each output position.

    Parameters
    ----------
    shape
        ``(channels, *space)`` of the (concatenated) input.
    kernel, stride
        Window and step per spatial axis.

    Returns
    -------
    list of list of int
        One list per position (C order), each of ``channels * prod(kernel)`` indices in the weights' C order.
    """
    channels, space = shape[0], shape[1:]
    out = [(length - k) // s + 1 for length, k, s in zip(space, kernel, stride, strict=True)]
    strides = [math.prod(space[axis + 1 :]) for axis in range(len(space))]
    plane = math.prod(space)
    offsets = [
        c * plane + sum(o * st for o, st in zip(_unravel(q, kernel), strides, strict=True))
        for c in range(channels)
        for q in range(math.prod(kernel))
    ]
    positions = []
    for p in range(math.prod(out)):
        base = sum(o * s * st for o, s, st in zip(_unravel(p, tuple(out)), stride, strides, strict=True))
        positions.append([base + offset for offset in offsets])
    return positions


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    out = []
    for length in reversed(shape):
        index, digit = divmod(index, length)
        out.append(digit)
    return tuple(reversed(out))
