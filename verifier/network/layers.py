"""Layers of hidden units: dense, convolution with shared weights, average pooling.

A layer says which earlier outputs it reads (``inputs``), what shape it has and how its parameters are laid out.
Shapes follow the certificate format: a dense layer has shape ``(n,)``, a convolution or pool ``(channels,
positions...)``;
units are numbered in C order of that shape. Convolutions are cross-correlations; padding is by zeros.

Every layer answers the same questions, so that nobody has to ask for its kind: ``activation`` (None: linear units
without weights), ``bias`` ("per-unit", "tied", or None without weights), ``kernel``, ``steps`` and ``padding`` (empty:
it reads everything at once), ``shares_weights``, ``rows`` (the units of one window) and ``windows``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from verifier.display import MAX_ENTRIES, brief
from verifier.errors import NetworkError, nearest, one_line
from verifier.network.builder import Builder
from verifier.network.layer_arguments import (
    InputsLike,
    Skip,
    SkipLike,
    inputs_of,
    name_of,
    numbers_per_axis,
    padding_of,
    positive_number,
    sigma_of,
    skip_of,
)
from verifier.network.layer_arguments import Source as Source
from verifier.network.nodes import Pool, Window
from verifier.network.windows import Shape as Shape
from verifier.network.windows import stacked
from verifier.network.windows import window_indices as window_indices
from verifier.sigma.activations import Activation

BIASES = ("per-unit", "tied")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Dense:
    """Fully connected layer: unit j is ``sigma(b_j + sum_k W_jk z_k)``, weights ``(n, fan_in)``, biases ``(n,)``.

    Parameters
    ----------
    width : int
        The number n of units.
    activation : Activation or str
        Sigma, or what `verifier.activation` takes: ``"tanh"``, ``"softplus(20)"``, an expression in t.
    skip : bool or sequence of int, optional
        The units that are connected to the outputs: all, none, or these.
    inputs : sequence, optional
        What the layer reads, by index, or ``"input"``; by default the layer before it.

    Raises
    ------
    NetworkError, ExpressionError
        Something of another kind.

    Examples
    --------
    >>> from verifier import Dense
    >>> Dense(16, "tanh", skip=True)
    Dense(16, 'tanh', skip=True)
    """

    width: int
    activation: Activation
    skip: Skip = False
    inputs: tuple[Source, ...] = ()
    name: str = ""

    kind: ClassVar[str] = "dense"
    # it has one window, of everything, and each unit has weights and a bias of its own
    bias: ClassVar[Literal["per-unit"]] = "per-unit"
    kernel: ClassVar[tuple[int, ...]] = ()
    steps: ClassVar[tuple[int, ...]] = ()
    padding: ClassVar[tuple[int, ...]] = ()
    shares_weights: ClassVar[bool] = False
    dense: ClassVar[bool] = True
    """Whether each unit reads everything with weights and a bias of its own."""

    def __init__(
        self,
        width: int,
        activation: Activation | str | None = None,
        skip: SkipLike = False,
        inputs: InputsLike = (),
        name: str = "",
    ) -> None:
        """Take lists for tuples and names for activations."""
        _set(self, width=positive_number(width, "Dense: width"), activation=sigma_of(activation, "Dense"))
        _set(self, skip=skip_of(skip, "Dense"), inputs=inputs_of(inputs, "Dense"), name=name_of(name, "Dense"))

    def __repr__(self) -> str:
        """The call that makes the layer."""
        return f"Dense({self.width}, {self.activation.name!r}{_wiring(self)})"

    @property
    def rows(self) -> int:
        """How many units read the one window: all of them."""
        return self.width

    def windows(self, sources: Sequence[Shape]) -> list[list[int]]:
        """One window, which holds every flat index of the concatenated sources."""
        return [list(range(sum(math.prod(shape) for shape in sources)))]

    def expand(self, build: Builder, sources: Sequence[int], name: str) -> int:
        """Add the layer's nodes to a graph and return the index of its output."""
        return build.map(build.affine(sources, self.width, name), self.activation)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Conv:
    """Convolution (1-d or 2-d) with shared weights ``(filters, channels, *kernel)``, stride and zero padding.

    Parameters
    ----------
    filters : int
        The number of filters.
    kernel : sequence of int
        Its size along each axis: ``(3,)`` or ``(3, 3)``.
    activation : Activation or str
        As for `Dense`.
    stride : sequence of int, optional
        Step along each axis, by default 1.
    bias : "per-unit" or "tied", optional
        Of shape ``(filters, *positions)``, or ``(filters,)``. With a tied bias the paper's Lemma 3.2 can fail (two
        equal patches give two equal columns for every U).
    skip, inputs
        As for `Dense`; units are numbered filter by filter.
    padding : int or sequence of int, optional
        Zeros put before and behind the input, along every or along each axis: 0 by default, below the kernel's size,
        so that every window sees some of the input.

    Raises
    ------
    NetworkError, ExpressionError
        Something of another kind.

    Examples
    --------
    >>> from verifier import Conv
    >>> Conv(4, (3, 3), "softplus", padding=1, bias="tied")
    Conv(4, (3, 3), 'softplus', padding=(1, 1), bias='tied')
    """

    filters: int
    kernel: tuple[int, ...]
    activation: Activation
    stride: tuple[int, ...] = ()
    bias: Literal["per-unit", "tied"] = "per-unit"
    skip: Skip = False
    inputs: tuple[Source, ...] = ()
    padding: tuple[int, ...] = ()
    name: str = ""
    dilation: tuple[int, ...] = ()
    groups: int = 1

    shares_weights: ClassVar[bool] = True
    dense: ClassVar[bool] = False

    def __init__(
        self,
        filters: int,
        kernel: Sequence[int],
        activation: Activation | str,
        stride: Sequence[int] = (),
        bias: Literal["per-unit", "tied"] = "per-unit",
        skip: SkipLike = False,
        inputs: InputsLike = (),
        padding: int | Sequence[int] = (),
        name: str = "",
        dilation: Sequence[int] = (),
        groups: int = 1,
    ) -> None:
        """Take lists for tuples, names for activations, and a padding of zeros only for none."""
        _set(self, filters=positive_number(filters, "Conv: filters"), kernel=numbers_per_axis(kernel, "Conv: kernel"))
        _set(self, activation=sigma_of(activation, "Conv"), stride=numbers_per_axis(stride, "Conv: stride"))
        if bias not in BIASES:
            raise NetworkError(f"Conv: bias = {one_line(bias)} is unknown; {nearest(str(bias), BIASES)}")
        _set(self, bias=bias, skip=skip_of(skip, "Conv"), inputs=inputs_of(inputs, "Conv"))
        _set(self, padding=padding_of(padding, len(self.kernel)), name=name_of(name, "Conv"))
        steps = numbers_per_axis(dilation, "Conv: dilation")
        _set(self, dilation=() if set(steps) <= {1} else steps, groups=positive_number(groups, "Conv: groups"))

    def __repr__(self) -> str:
        """The call that makes the layer."""
        more = f", stride={self.stride}" if self.stride else ""
        more += f", padding={self.padding}" if self.padding else ""
        more += ", bias='tied'" if self.bias == "tied" else ""
        more += f", dilation={self.dilation}" if self.dilation else ""
        more += f", groups={self.groups}" if self.groups > 1 else ""
        return f"Conv({self.filters}, {self.kernel}, {self.activation.name!r}{more}{_wiring(self)})"

    @property
    def kind(self) -> str:
        """The certificate format's name: ``conv1d`` or ``conv2d``."""
        return f"conv{len(self.kernel)}d"

    @property
    def steps(self) -> tuple[int, ...]:
        """The stride, 1 in every direction by default."""
        return self.stride or (1,) * len(self.kernel)

    @property
    def rows(self) -> int:
        """How many units read the same window: one per filter."""
        return self.filters

    def windows(self, sources: Sequence[Shape]) -> list[list[int]]:
        """For each position the flat indices of the concatenated sources that it reads, as `window_indices` does."""
        return window_indices(stacked(sources), self.kernel, self.steps, self.padding)

    def expand(self, build: Builder, sources: Sequence[int], name: str) -> int:
        """Add the layer's nodes to a graph and return the index of its output."""
        axes = len(self.kernel)
        padding, dilation = self.padding or (0,) * axes, self.dilation or (1,) * axes
        window = Window(self.kernel, self.steps, padding, dilation, self.groups)
        return build.map(build.affine(sources, self.filters, name, over=window, bias=self.bias), self.activation)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AvgPool:
    """Average pooling over windows, per channel: linear units without parameters.

    Parameters
    ----------
    kernel : sequence of int
        The window's size along each axis.
    stride : sequence of int, optional
        Step along each axis, by default the window's size.
    skip, inputs
        As for `Dense`.

    Raises
    ------
    NetworkError
        Something of another kind.

    Examples
    --------
    >>> from verifier import AvgPool, Conv, Network
    >>> Network((1, 4, 4), [Conv(2, (3, 3), "tanh"), AvgPool((2, 2), skip=True)]).shapes
    ((2, 2, 2), (2, 1, 1))
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    kind: ClassVar[str] = "avgpool"
    name: ClassVar[str] = ""
    activation: ClassVar[None] = None
    bias: ClassVar[None] = None
    padding: ClassVar[tuple[int, ...]] = ()
    shares_weights: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    rows: ClassVar[int] = 1
    """Units of one window: each channel has windows of its own."""

    def __init__(
        self, kernel: Sequence[int], stride: Sequence[int] = (), skip: SkipLike = False, inputs: InputsLike = ()
    ) -> None:
        """Read the sizes; lists stand for tuples."""
        _set(
            self, kernel=numbers_per_axis(kernel, "AvgPool: kernel"), stride=numbers_per_axis(stride, "AvgPool: stride")
        )
        _set(self, skip=skip_of(skip, "AvgPool"), inputs=inputs_of(inputs, "AvgPool"))

    def __repr__(self) -> str:
        """The call that makes the layer."""
        return f"AvgPool({self.kernel}{f', stride={self.stride}' if self.stride else ''}{_wiring(self)})"

    @property
    def steps(self) -> tuple[int, ...]:
        """The stride, by default the kernel (disjoint windows)."""
        return self.stride or self.kernel

    def windows(self, sources: Sequence[Shape]) -> list[list[int]]:
        """For each unit, channel by channel, the flat indices of the source that it averages."""
        (shape,) = sources
        plane = math.prod(shape[1:])
        positions = window_indices((1, *shape[1:]), self.kernel, self.steps)
        return [[channel * plane + j for j in window] for channel in range(shape[0]) for window in positions]

    def expand(self, build: Builder, sources: Sequence[int], name: str) -> int:
        """Add the layer's nodes to a graph and return the index of its output."""
        if len(sources) != 1:
            raise NetworkError(f"avgpool reads one input, got {len(sources)}; pool each input in a layer of its own")
        axes = len(self.kernel)
        return build.add(Pool(tuple(sources), "mean", Window(self.kernel, self.steps, (0,) * axes, (1,) * axes)))


Layer = Dense | Conv | AvgPool


def _set(layer: Layer, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def _wiring(layer: Layer) -> str:
    """Skip units and inputs as arguments, where they are not the default."""
    many = isinstance(layer.skip, tuple) and len(layer.skip) > MAX_ENTRIES
    skip = "" if layer.skip is False else f", skip={brief(layer.skip) if many else layer.skip}"
    named = f", name={layer.name!r}" if layer.name else ""
    return skip + (f", inputs={layer.inputs}" if layer.inputs else "") + named
