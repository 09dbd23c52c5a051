"""Layers of hidden units: dense, convolution with shared weights, average pooling.

A layer says which earlier outputs it reads (``inputs``), what shape it has and how its parameters are laid out.
Shapes follow the certificate format: a dense layer has shape ``(n,)``, a convolution or pool ``(channels,
positions...)``;
units are numbered in C order of that shape. Convolutions are cross-correlations; padding is by zeros.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, SupportsIndex

import numpy as np

from verifier.display import MAX_ENTRIES, brief
from verifier.errors import NetworkError, nearest, one_line
from verifier.sigma.activations import Activation, activation

Source = int | Literal["input"]
"""Where a layer reads from: the network's input, or the index of an earlier layer."""

Skip = bool | tuple[int, ...]
"""Which units are connected to the outputs: all, none, or the listed unit indices."""

Shape = tuple[int, ...]

SkipLike = bool | Sequence[int]
"""What a layer's ``skip`` may be given as."""
InputsLike = Source | Sequence[Source]
"""What a layer's ``inputs`` may be given as."""

BIASES = ("per-unit", "tied")

MAX_WINDOW_ENTRIES = 100_000_000
"""Entries of all windows of a padded convolution; without padding the input's extent bounds the kernel."""


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
    """

    width: int
    activation: Activation
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    kind = "dense"

    def __init__(
        self, width: int, activation: Activation | str | None = None, skip: SkipLike = False, inputs: InputsLike = ()
    ) -> None:
        """Take lists for tuples and names for activations."""
        _set(self, width=_positive_whole(width, "Dense: width"), activation=_sigma(activation, "Dense"))
        _set(self, skip=_skip(skip, "Dense"), inputs=_inputs(inputs, "Dense"))

    def __repr__(self) -> str:
        """The call that makes it."""
        return f"Dense({self.width}, {self.activation.name!r}{_wiring(self)})"

    def output_shape(self, sources: Sequence[Shape], where: str) -> Shape:
        """Shape of the output, ``(width,)``."""
        _positive(self.width, f"{where}: width")
        return (self.width,)

    def parameters(self, sources: Sequence[Shape]) -> tuple[ParameterSpec, ...]:
        """Weight and bias specifications."""
        fan_in = sum(math.prod(shape) for shape in sources)
        return (ParameterSpec("weight", (self.width, fan_in), fan_in), ParameterSpec("bias", (self.width,), 0))


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
    """

    filters: int
    kernel: tuple[int, ...]
    activation: Activation
    stride: tuple[int, ...] = ()
    bias: Literal["per-unit", "tied"] = "per-unit"
    skip: Skip = False
    inputs: tuple[Source, ...] = ()
    padding: tuple[int, ...] = ()

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
    ) -> None:
        """Take lists for tuples, names for activations, and a padding of zeros only for none."""
        _set(self, filters=_positive_whole(filters, "Conv: filters"), kernel=_axes(kernel, "Conv: kernel"))
        _set(self, activation=_sigma(activation, "Conv"), stride=_axes(stride, "Conv: stride"))
        if bias not in BIASES:
            raise NetworkError(f"Conv: bias = {one_line(bias)} is unknown; {nearest(str(bias), BIASES)}")
        _set(self, bias=bias, skip=_skip(skip, "Conv"), inputs=_inputs(inputs, "Conv"))
        _set(self, padding=_padding(padding, len(self.kernel)))

    def __repr__(self) -> str:
        """The call that makes it."""
        more = f", stride={self.stride}" if self.stride else ""
        more += f", padding={self.padding}" if self.padding else ""
        more += ", bias='tied'" if self.bias == "tied" else ""
        return f"Conv({self.filters}, {self.kernel}, {self.activation.name!r}{more}{_wiring(self)})"

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
        out = _positions(sources, self.kernel, self.steps, where, self.padding)
        entries = sum(shape[0] for shape in sources) * math.prod(self.kernel) * math.prod(out)
        if self.padding and entries > MAX_WINDOW_ENTRIES:
            raise NetworkError(
                f"{where}: padding {list(self.padding)} and kernel {list(self.kernel)} make windows of {entries} "
                f"entries, more than {MAX_WINDOW_ENTRIES}; reduce them"
            )
        return (self.filters, *out)

    def parameters(self, sources: Sequence[Shape]) -> tuple[ParameterSpec, ...]:
        """Weight and bias specifications."""
        channels = sum(shape[0] for shape in sources)
        weight = (self.filters, channels, *self.kernel)
        positions = _positions(sources, self.kernel, self.steps, "conv", self.padding)
        bias = (self.filters,) if self.bias == "tied" else (self.filters, *positions)
        return (ParameterSpec("weight", weight, math.prod(weight[1:])), ParameterSpec("bias", bias, 0))


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
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    skip: Skip = False
    inputs: tuple[Source, ...] = ()

    kind = "avgpool"

    def __init__(
        self, kernel: Sequence[int], stride: Sequence[int] = (), skip: SkipLike = False, inputs: InputsLike = ()
    ) -> None:
        """Take lists for tuples."""
        _set(self, kernel=_axes(kernel, "AvgPool: kernel"), stride=_axes(stride, "AvgPool: stride"))
        _set(self, skip=_skip(skip, "AvgPool"), inputs=_inputs(inputs, "AvgPool"))

    def __repr__(self) -> str:
        """The call that makes it."""
        return f"AvgPool({self.kernel}{f', stride={self.stride}' if self.stride else ''}{_wiring(self)})"

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


def _set(layer: Layer, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def _whole(value: object, what: str) -> int:
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise NetworkError(f"{what} = {one_line(value)} must be an integer") from None


def _positive_whole(value: object, what: str) -> int:
    number = _whole(value, what)
    if number < 1:
        raise NetworkError(f"{what} is {number}; it must be at least 1")
    return number


def _sigma(given: object, where: str) -> Activation:
    if given is None:
        raise NetworkError(f"{where}: it has no activation; write for example {where}(16, 'tanh')")
    if isinstance(given, Activation):
        return given
    if isinstance(given, str):
        return activation(given)
    raise NetworkError(
        f'{where}: activation = {one_line(given)} must be a name such as "tanh", an expression in t, or an Activation'
    )


def _axes(given: object, what: str) -> tuple[int, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise NetworkError(f"{what} = {one_line(given)} must have a number per axis, such as (3,) or (3, 3)")
    return tuple(_whole(entry, f"{what}: an entry") for entry in given)


def _padding(given: object, axes: int) -> tuple[int, ...]:
    if isinstance(given, bool | np.bool_ | str) or not isinstance(given, Iterable | SupportsIndex):
        raise NetworkError(
            f"Conv: padding = {one_line(given)} must be an integer, or have one per axis, such as (1, 1)"
        )
    if not isinstance(given, Iterable):
        given = (given,) * axes
    padding = _axes(given, "Conv: padding")
    return () if padding == (0,) * axes else padding


def _skip(given: object, where: str) -> Skip:
    if isinstance(given, bool | np.bool_):
        return bool(given)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise NetworkError(f"{where}: skip = {one_line(given)} must be True, False or a list of unit indices")
    return tuple(_whole(entry, f"{where}: an entry of skip") for entry in given)


def _inputs(given: object, where: str) -> tuple[Source, ...]:
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    names = [entry if isinstance(entry, str) else _whole(entry, f"{where}: an entry of inputs") for entry in entries]
    return tuple(names)  # type: ignore[arg-type]  # the network, which knows the layer's number, checks the names


def _wiring(layer: Layer) -> str:
    """Skip units and inputs as arguments, where they are not the default."""
    many = isinstance(layer.skip, tuple) and len(layer.skip) > MAX_ENTRIES
    skip = "" if layer.skip is False else f", skip={brief(layer.skip) if many else layer.skip}"
    return skip + (f", inputs={layer.inputs}" if layer.inputs else "")


def _positive(value: int, what: str) -> None:
    if value < 1:
        raise NetworkError(f"{what} is {value}; it must be at least 1")


def _positions(
    sources: Sequence[Shape],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    where: str,
    padding: tuple[int, ...] = (),
) -> Shape:
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
    pads = padding or (0,) * len(kernel)
    if len(pads) != len(kernel):
        raise NetworkError(f"{where}: padding {list(pads)} and kernel {list(kernel)} differ in length")
    out = []
    for length, k, s, p in zip(space, kernel, stride, pads, strict=True):
        if p < 0:
            raise NetworkError(f"{where}: padding {p} must be at least 0")
        whole = length + 2 * p
        if not 1 <= k <= whole:
            padded = f", {whole} with its padding" if p else ""
            raise NetworkError(
                f"{where}: kernel size {k} does not fit an input of length {length}{padded}; use 1..{whole}"
            )
        if p >= k:
            raise NetworkError(
                f"{where}: padding {p} must be below the kernel size {k}, else some windows hold nothing but zeros"
            )
        if s < 1:
            raise NetworkError(f"{where}: stride {s} must be at least 1")
        out.append((whole - k) // s + 1)
    return tuple(out)


def window_indices(
    shape: Shape, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...] = ()
) -> list[list[int]]:
    """Flat indices into one channel-major block read by each output position.

    Parameters
    ----------
    shape
        ``(channels, *space)`` of the (concatenated) input.
    kernel, stride
        Window and step per spatial axis.
    padding
        Places before and behind the input per spatial axis; empty: none.

    Returns
    -------
    list of list of int
        One list per position (C order), each of ``channels * prod(kernel)`` indices in the weights' C order. A place
        in the padding has the index ``prod(shape)``, one past the end: whoever has padding appends a zero there.
    """
    if any(padding):
        sides = [(0, 0), *((p, p) for p in padding)]
        block = np.arange(math.prod(shape)).reshape(shape)
        places = np.pad(block, sides, constant_values=math.prod(shape))
        table = places.ravel().tolist()
        return [[table[j] for j in window] for window in window_indices(places.shape, kernel, stride)]
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
