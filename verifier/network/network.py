"""The network: a directed acyclic graph of layers, its parameter vector U, its skip units.

``U`` is one flat float64 vector of length p; ``views`` names its parts (``layer0.weight`` of shape ``(n, fan_in)``,
...).
``V`` is an ``(M, m)`` float64 array. ``Psi(U)`` has one column per skip unit: by layer, then by unit index.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verifier.display import MAX_ENTRIES, Card, Shown, Table
from verifier.errors import NetworkError, one_line
from verifier.network.layers import AvgPool, Conv, Dense, Layer, ParameterSpec, Source
from verifier.network.windows import Shape

Array = NDArray[np.float64]

MAX_UNITS = 10_000_000
"""Hidden units a network may declare; a larger number is a typing error, not a network."""


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A named slice of U: ``U[offset : offset + size].reshape(shape)``."""

    name: str
    layer: int
    offset: int
    spec: ParameterSpec

    def of(self, u: Array) -> Array:
        """Return the view of the flat vector ``u`` (no copy)."""
        return u[self.offset : self.offset + self.spec.size].reshape(self.spec.shape)


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """A set of weights that moves independently of the others, and the skip units computed with it.

    ``skip_columns`` are columns of Psi. More than one column means that these skip units share their incoming weights.
    """

    name: str
    layer: int
    skip_columns: tuple[int, ...]


@dataclass(frozen=True, init=False, repr=False)
class Network(Shown):
    """A DAG of hidden layers with M skip units connected to the outputs by V (no output bias).

    Parameters
    ----------
    input_shape : int or sequence of int
        ``(d,)``, ``(channels, length)`` or ``(channels, height, width)``; a number d means ``(d,)``.
    layers : Layer or sequence of Layer
        Dense, Conv and AvgPool layers in order. A layer with empty ``inputs`` reads the layer before it (the input,
        if first).

    Raises
    ------
    NetworkError
        If shapes do not fit, a layer reads a later layer, or no unit is connected to the outputs.

    Examples
    --------
    >>> from verifier import Dense, Network
    >>> Network(2, [Dense(3, "tanh", skip=True)])
    <Network: input 2; M = 3 skip units, p = 9 parameters
      layers Dense(3, 'tanh', skip=True)>
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    def __init__(self, input_shape: int | Sequence[int], layers: Layer | Sequence[Layer]) -> None:
        """Validate by computing everything that depends on shapes."""
        object.__setattr__(self, "input_shape", _shape_of(input_shape))
        object.__setattr__(self, "layers", _layers_of(layers))
        if not self.layers:
            raise NetworkError("network: no layers; give at least one hidden layer")
        if not self.input_shape or any(n < 1 for n in self.input_shape):
            raise NetworkError(f"network: input shape {list(self.input_shape)} must have positive entries")
        if sum(math.prod(shape) for shape in self.shapes) > MAX_UNITS:
            raise NetworkError(f"network: more than {MAX_UNITS} hidden units; reduce the widths")
        for index, layer in enumerate(self.layers):
            if not isinstance(layer.skip, bool):
                _require_units(index, tuple(layer.skip), math.prod(self.shapes[index]))
        if self.skip_count == 0:
            raise NetworkError("network: no unit is connected to the outputs; set skip = true on at least one layer")

    def _card(self) -> Card:
        rows = [line.split(None, 2) for line in self.summary().splitlines()[1:-1]]
        table = Table("Layers", ("layer", "what it is"), tuple((row[1], row[2]) for row in rows), True)
        shape = "x".join(map(str, self.input_shape))
        sentence = f"input {shape}; M = {self.skip_count} skip units, p = {self.parameter_count} parameters"
        values = () if len(self.layers) > MAX_ENTRIES else (("layers", ", ".join(map(repr, self.layers))),)
        return Card("Network", None, sentence, values, (table,))

    @cached_property
    def sources(self) -> tuple[tuple[Source, ...], ...]:
        """For each layer what it reads, with the default made explicit."""
        out: list[tuple[Source, ...]] = []
        for index, layer in enumerate(self.layers):
            default: tuple[Source, ...] = ("input",) if index == 0 else (index - 1,)
            inputs = tuple(layer.inputs) or default
            if len(set(inputs)) != len(inputs):
                raise NetworkError(f"layer {index}: inputs {list(inputs)} repeat an entry; list each source once")
            for source in inputs:
                if source != "input" and not (type(source) is int and 0 <= source < index):
                    raise NetworkError(
                        f"layer {index}: input {source!r} is not an earlier layer; "
                        f'use "input" or an index below {index}'
                    )
            out.append(inputs)
        return tuple(out)

    def _source_shapes(self, index: int, known: Sequence[Shape]) -> list[Shape]:
        return [self.input_shape if s == "input" else known[int(s)] for s in self.sources[index]]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The output shape of every layer, in order."""
        known: list[Shape] = []
        for index, layer in enumerate(self.layers):
            known.append(layer.output_shape(self._source_shapes(index, known), f"layer {index} ({layer.kind})"))
        return tuple(known)

    def source_shapes(self, index: int) -> list[Shape]:
        """The shapes of what layer ``index`` reads, in the order in which it reads it."""
        return self._source_shapes(index, self.shapes)

    @cached_property
    def parameters(self) -> tuple[ParameterView, ...]:
        """The named views of U, in order."""
        views, offset = [], 0
        for index, layer in enumerate(self.layers):
            for spec in layer.parameters(self.source_shapes(index)):
                views.append(ParameterView(f"layer{index}.{spec.name}", index, offset, spec))
                offset += spec.size
        return tuple(views)

    @cached_property
    def parameter_count(self) -> int:
        """The number p of hidden weights and biases."""
        return sum(view.spec.size for view in self.parameters)

    def views(self, u: Array) -> dict[str, Array]:
        """Named views of the flat vector ``u`` of shape ``(p,)``; writing to a view writes to ``u``."""
        self._require_length(u)
        return {view.name: view.of(u) for view in self.parameters}

    def view(self, u: Array, name: str) -> Array:
        """One of `views`, without the others."""
        self._require_length(u)
        return self._by_name[name].of(u)

    def _require_length(self, u: Array) -> None:
        if not isinstance(u, np.ndarray) or u.shape != (self.parameter_count,):
            what = f"shape {u.shape}" if isinstance(u, np.ndarray) else f"type {type(u).__name__}"
            raise NetworkError(
                f"U has {what}; this network has p = {self.parameter_count} parameters: give a flat array of shape "
                f"({self.parameter_count},), weights and biases layer by layer, such as initialise(network)"
            )

    @cached_property
    def _by_name(self) -> dict[str, ParameterView]:
        return {view.name: view for view in self.parameters}

    @cached_property
    def skip_units(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """``(layer, unit indices)`` of the skip units, in the order of Psi's columns."""
        out = []
        for index, layer in enumerate(self.layers):
            if layer.skip is not False:
                units = range(math.prod(self.shapes[index])) if layer.skip is True else layer.skip
                out.append((index, tuple(units)))
        return tuple(out)

    @cached_property
    def skip_count(self) -> int:
        """M, the number of skip units."""
        return sum(
            math.prod(shape) if layer.skip is True else len(layer.skip or ())
            for layer, shape in zip(self.layers, self.shapes, strict=True)
        )

    @property
    def dimension(self) -> int:
        """The number d of input coordinates."""
        return math.prod(self.input_shape)

    @cached_property
    def parameter_groups(self) -> tuple[ParameterGroup, ...]:
        """The independent parameter groups: one per dense unit, one per convolution filter.

        Skip units in the same group share weights (a filter's positions); pool units have no parameters and are in no
        group.
        """
        columns: dict[tuple[int, int], list[int]] = {}
        column = 0
        for index, units in self.skip_units:
            size = math.prod(self.shapes[index][1:])
            for unit in units:
                columns.setdefault((index, unit // size), []).append(column)
                column += 1
        groups = []
        for index, layer in enumerate(self.layers):
            if layer.activation is None:
                continue
            noun = "filter" if layer.shares_weights else "unit"
            for leader in range(self.shapes[index][0]):
                groups.append(
                    ParameterGroup(f"layer{index}.{noun}{leader}", index, tuple(columns.get((index, leader), ())))
                )
        return tuple(groups)

    def summary(self) -> str:
        """Describe the network in words, a line per layer."""
        skips = dict(self.skip_units)
        lines = [f"input          shape {'x'.join(map(str, self.input_shape))}"]
        for index, layer in enumerate(self.layers):
            reads = ", ".join("input" if s == "input" else f"layer {s}" for s in self.sources[index])
            size, skip = math.prod(self.shapes[index]), len(skips.get(index, ()))
            what = f"{layer.kind} bias {layer.bias}" if layer.shares_weights else layer.kind
            for name, sizes in (("kernel", layer.kernel), ("stride", layer.steps), ("padding", layer.padding)):
                what += f" {name} {'x'.join(map(str, sizes))}" if sizes else ""
            what += "" if layer.activation is None else f" {layer.activation.name}"
            lines.append(
                f"layer {index:<8} {what}, shape {'x'.join(map(str, self.shapes[index]))} = {size} units, "
                f"{skip} to the outputs, reads {reads}"
            )
        shared = sum(len(group.skip_columns) > 1 for group in self.parameter_groups)
        lines.append(
            f"M = {self.skip_count} skip units, p = {self.parameter_count} parameters, "
            f"{len(self.parameter_groups)} independent groups, {shared} of them shared by several skip units"
        )
        return "\n".join(lines)


def network_for(input_shape: Sequence[int], layers: Layer | Sequence[Layer]) -> Network:
    """Put layers on inputs of a shape; flat inputs of a convolution or pool become one channel.

    Parameters
    ----------
    input_shape : sequence of int
        As for `Network`.
    layers : Layer or sequence of Layer
        The layers.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    NetworkError
        As for `Network`.
    """
    found = _layers_of(layers)
    slides = any(layer.kernel for layer in found)
    return Network((1, *input_shape) if slides and len(input_shape) == 1 else input_shape, found)


def _shape_of(given: object) -> Shape:
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    try:
        return tuple(operator.index(entry) for entry in entries)  # type: ignore[arg-type]
    except TypeError:
        raise NetworkError(
            f"network: input shape {one_line(given)} must be integers: d, (channels, length) or (channels, height, "
            "width)"
        ) from None


def _layers_of(given: object) -> tuple[Layer, ...]:
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    found: list[Layer] = []
    if hasattr(given, "state_dict") and hasattr(given, "named_modules"):
        raise NetworkError(
            f"network: a PyTorch module ({type(given).__name__}); take it over: found = from_torch(module, shape), "
            "then verify(X, y, found.network, found.u, found.v)"
        )
    for index, entry in enumerate(entries):
        if not isinstance(entry, Dense | Conv | AvgPool):
            raise NetworkError(
                f'network: layers[{index}] is {one_line(entry)}, not a layer; write for example Dense(100, "tanh", '
                "skip=True)"
            )
        found.append(entry)
    return tuple(found)


def _require_units(index: int, units: tuple[int, ...], size: int) -> None:
    if not units or list(units) != sorted(set(units)) or units[0] < 0 or units[-1] >= size:
        raise NetworkError(
            f"layer {index}: skip = {list(units)[:8]} must be increasing unit indices in 0..{size - 1}, true or false"
        )
