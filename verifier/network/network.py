"""The network: a graph made from layers, and the layers that a graph consists of, where it is layered.

``U`` is one flat float64 vector of length p; ``views`` names its parts (``layer0.weight`` of shape ``(n, fan_in)``,
...).
``V`` is an ``(M, m)`` float64 array. ``Psi(U)`` has one column per skip unit: by layer, then by unit index; with an
output bias its last column is the constant 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from verifier.display import MAX_ENTRIES, Card, Shown, Table
from verifier.errors import NetworkError, one_line
from verifier.network.builder import Builder
from verifier.network.description import block_lines, by, kind_of, layer_line, node_lines
from verifier.network.graph import MAX_UNITS as MAX_UNITS
from verifier.network.graph import Array as Array
from verifier.network.graph import Feature, Graph, require_units
from verifier.network.graph import ParameterView as ParameterView
from verifier.network.layer_arguments import Skip, Source
from verifier.network.layered import Layered, layered_of
from verifier.network.layers import Layer
from verifier.network.nodes import Node
from verifier.network.windows import Shape

PARTS = ("weight", "bias")
"""What a layer with weights calls its parameters."""


@runtime_checkable
class Block(Protocol):
    """What a network can be made from: a layer, or any block of nodes that reads earlier ones."""

    @property
    def skip(self) -> Skip:
        """The units that are connected to the outputs."""

    @property
    def inputs(self) -> tuple[Source, ...]:
        """What is read, by index, or "input"; empty: the block before."""

    @property
    def name(self) -> str:
        """The name of its parameters; empty: ``layerN``. Blocks of one name share their parameters."""

    def expand(self, build: Builder, sources: Sequence[int], name: str) -> int:
        """Add the nodes to a graph and return the index of the output."""


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """A set of weights that moves independently of the others, and the skip units computed with it.

    ``skip_columns`` are columns of Psi. More than one column means that these skip units share their incoming weights.
    """

    name: str
    layer: int
    skip_columns: tuple[int, ...]


@dataclass(frozen=True, init=False, repr=False)
class Network(Graph, Shown):
    """A graph of nodes with M features connected to the outputs by V.

    Parameters
    ----------
    input_shape : int or sequence of int
        ``(d,)``, ``(channels, length)``, ``(channels, height, width)``, or ``(tokens, channels)``; a number d means
        ``(d,)``.
    layers : Block or sequence of Block
        Layers and blocks in order. One with empty ``inputs`` reads the one before it (the input, if first).
    output_bias : bool, optional
        Whether Psi has a last column of ones, so that the last row of V is an output bias.
    frozen : mapping of str to ndarray, optional
        Parameters that are no part of U, by name, with their numbers.

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

    nodes: tuple[Node, ...]
    features: tuple[Feature, ...]
    blocks: tuple[Block, ...] = field(compare=False)
    outputs: tuple[int, ...] = field(compare=False)
    """The node that is each block's output."""

    def __init__(
        self,
        input_shape: int | Sequence[int],
        layers: Block | Sequence[Block],
        output_bias: bool = False,
        frozen: Mapping[str, Array] | None = None,
    ) -> None:
        """Expand the layers into nodes, and validate the graph."""
        blocks = _blocks_of(layers)
        if not blocks:
            raise NetworkError("network: no layers; give at least one hidden layer")
        shape = _shape_of(input_shape)
        if not shape or any(n < 1 for n in shape):
            raise NetworkError(f"network: input shape {list(shape)} must have positive entries")
        build = Builder(shape, frozen)
        outputs = _expand(build, blocks)
        unknown = set(build.frozen) - set(build.names)
        if unknown:
            known = ", ".join(sorted(build.names)[:8])
            raise NetworkError(f"network: frozen {sorted(unknown)[0]!r} is no parameter; there are {known}")
        if output_bias:
            build.feature(build.constant([1.0], "output bias"))
        self._set(tuple(build.nodes), tuple(build.features), blocks, outputs)

    @classmethod
    def of(cls, nodes: Sequence[Node], features: Sequence[Feature]) -> Network:
        """Make a network from nodes, the first of them the input, and the features that are columns of Psi."""
        network = object.__new__(cls)
        network._set(tuple(nodes), tuple(features), (), ())
        return network

    def with_columns(self, columns: Sequence[int]) -> Network:
        """The network with some columns of Psi only, in increasing order: one output's own features."""
        parts: list[Feature] = []
        start, wanted = 0, set(columns)
        for feature in self.features:
            entries = feature.entries or tuple(range(math.prod(self.node_shapes[feature.node])))
            kept = tuple(entry for place, entry in enumerate(entries, start) if place in wanted)
            start += len(entries)
            if kept:
                parts.append(Feature(feature.node, kept))
        return Network.of(self.nodes, parts)

    def with_nodes(self, nodes: Sequence[Node]) -> Network:
        """The network with other nodes in the same places, such as fixed numbers for parameters."""
        network = object.__new__(type(self))
        network._set(tuple(nodes), self.features, self.blocks, self.outputs)
        return network

    def _set(
        self,
        nodes: tuple[Node, ...],
        features: tuple[Feature, ...],
        blocks: tuple[Block, ...],
        outputs: tuple[int, ...],
    ) -> None:
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "outputs", outputs)
        self.check()

    def _card(self) -> Card:
        rows = [line.split(None, 2) for line in self.summary().splitlines()[1:-1]]
        table = Table("Layers", ("layer", "what it is"), tuple((row[1], row[2]) for row in rows), True)
        columns = "columns" if self.output_bias else "skip units"
        sentence = f"input {by(self.input_shape)}; M = {self.columns} {columns}, p = {self.parameter_count} parameters"
        listed = self.blocks or self.nodes[1:]
        values = () if len(listed) > MAX_ENTRIES else (("layers", ", ".join(map(repr, listed))),)
        return Card("Network", None, sentence, values, (table,))

    @cached_property
    def layered(self) -> Layered | None:
        """The layers, if the network consists of layers with weights of their own alone; see `layered_of`."""
        return layered_of(self)

    def _require_layered(self) -> Layered:
        if self.layered is None:
            raise NetworkError("network: it is not made of layers alone, so this rule does not apply to it")
        return self.layered

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a layered network; `NetworkError` for others: ask `layered` first."""
        found = self._require_layered().layers
        given = tuple(block for block in self.blocks if isinstance(block, Layer))
        return given if len(given) == len(found) else found

    @property
    def sources(self) -> tuple[tuple[Source, ...], ...]:
        """For each layer of a layered network what it reads, with the default made explicit."""
        return self._require_layered().sources

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The output shape of every layer of a layered network, in order."""
        return tuple(self.node_shapes[output] for output in self._require_layered().outputs)

    def source_shapes(self, index: int) -> list[Shape]:
        """The shapes of what layer ``index`` reads, in the order in which it reads it."""
        return [self.input_shape if s == "input" else self.shapes[int(s)] for s in self.sources[index]]

    @cached_property
    def skip_units(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """``(layer, unit indices)`` of a layered network's skip units, in the order of Psi's columns."""
        layer = {output: index for index, output in enumerate(self._require_layered().outputs)}
        out = []
        for feature in self.features[: -1 if self.output_bias else None]:
            units = range(math.prod(self.node_shapes[feature.node])) if feature.entries is None else feature.entries
            out.append((layer[feature.node], tuple(units)))
        return tuple(out)

    def views(self, u: Array) -> dict[str, Array]:
        """Named views of the flat vector ``u`` of shape ``(p,)``; writing to a view writes to ``u``.

        A layered network's weights and biases are found under ``layer0.weight``, ``layer0.bias``, ... as well.
        """
        found = super().views(u)
        return {alias: found[name] for alias, name in self._numbered.items()} | found

    def layer_views(self, u: Array) -> dict[str, Array]:
        """Views under ``layer0.weight``, ``layer0.bias``, ... alone, whatever the parameters are called.

        A parameter may be called ``layer1.weight`` and belong to layer 0: rules that count layers read these.
        """
        found = super().views(u)
        return {alias: found[name] for alias, name in self._numbered.items()}

    def view(self, u: Array, name: str) -> Array:
        """One of `views`, without the others."""
        own = any(view.name == name for view in self.parameters)
        return super().view(u, name if own else self._numbered.get(name, name))

    @cached_property
    def _numbered(self) -> dict[str, str]:
        """The names of a layered network's parameters by layer: ``layer0.weight`` and what it is called."""
        if self.layered is None:
            return {}
        pairs = enumerate(self.layered.names)
        return {
            f"layer{index}.{kind}": name for index, names in pairs for kind, name in zip(PARTS, names, strict=False)
        }

    def layer_of(self, view: ParameterView) -> int:
        """The layer of a layered network whose weights or biases a view shows."""
        return next(index for index, names in enumerate(self._require_layered().names) if view.name in names)

    @property
    def skip_count(self) -> int:
        """M, the number of columns of Psi; an output bias counts as one."""
        return self.columns

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
        """Describe the network in words: a line per layer or block, or per node if it was made from nodes."""
        lines = [f"input          shape {by(self.input_shape)}"]
        if self.layered is not None:
            lines += [layer_line(self, index) for index in range(len(self.layers))]
            shared = sum(len(group.skip_columns) > 1 for group in self.parameter_groups)
            groups = f", {len(self.parameter_groups)} independent groups, {shared} of them shared by several skip units"
        else:
            lines += block_lines(self) if self.blocks else node_lines(self)
            groups = ""
        columns = f"M = {self.columns} skip units"
        if self.output_bias:
            columns = f"M = {self.columns} columns, {self.columns - 1} skip units and the output bias"
        lines.append(f"{columns}, p = {self.parameter_count} parameters{groups}")
        return "\n".join(lines)


def network_for(
    input_shape: Sequence[int],
    layers: Block | Sequence[Block],
    output_bias: bool = False,
    frozen: Mapping[str, Array] | None = None,
) -> Network:
    """Put layers on inputs of a shape; flat inputs of a convolution or pool become one channel.

    Parameters
    ----------
    input_shape : sequence of int
        As for `Network`.
    layers : Block or sequence of Block
        The layers.
    output_bias, frozen
        As for `Network`.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    NetworkError
        As for `Network`.
    """
    found = _blocks_of(layers)
    slides = any(getattr(block, "kernel", ()) for block in found)
    shape = (1, *input_shape) if slides and len(input_shape) == 1 else input_shape
    return Network(shape, found, output_bias, frozen)


def _shape_of(given: object) -> Shape:
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    try:
        return tuple(operator.index(entry) for entry in entries)  # type: ignore[arg-type]
    except TypeError:
        raise NetworkError(
            f"network: input shape {one_line(given)} must be integers: d, (channels, length) or (channels, height, "
            "width)"
        ) from None


def _blocks_of(given: object) -> tuple[Block, ...]:
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    found: list[Block] = []
    if hasattr(given, "state_dict") and hasattr(given, "named_modules"):
        raise NetworkError(
            f"network: a PyTorch module ({type(given).__name__}); take it over: found = from_torch(module, X), "
            "then verify(X, y, found.network, found.u, found.v)"
        )
    for index, entry in enumerate(entries):
        if isinstance(entry, type) or not isinstance(entry, Block):
            raise NetworkError(
                f'network: layers[{index}] is {one_line(entry)}, not a layer; write for example Dense(100, "tanh", '
                "skip=True)"
            )
        found.append(entry)
    return tuple(found)


def _expand(build: Builder, blocks: Sequence[Block]) -> tuple[int, ...]:
    """Add the nodes of all blocks and return their outputs; the features are the skip units, block by block."""
    outputs: list[int] = []
    for index, block in enumerate(blocks):
        default: tuple[Source, ...] = ("input",) if index == 0 else (index - 1,)
        inputs = tuple(block.inputs) or default
        if len(set(inputs)) != len(inputs) and not getattr(block, "repeats", False):
            raise NetworkError(f"layer {index}: inputs {list(inputs)} repeat an entry; list each source once")
        for source in inputs:
            if source != "input" and not (type(source) is int and 0 <= source < index):
                raise NetworkError(
                    f'layer {index}: input {source!r} is not an earlier layer; use "input" or an index below {index}'
                )
        build.begin(index)
        sources = [0 if source == "input" else outputs[int(source)] for source in inputs]
        try:
            outputs.append(block.expand(build, sources, block.name or f"layer{index}"))
        except NetworkError as error:
            raise NetworkError(f"layer {index} ({kind_of(block)}): {error}") from None
        if not isinstance(block.skip, bool):
            require_units(f"layer {index}", tuple(block.skip), math.prod(build.shapes[outputs[-1]]))
        if block.skip is not False:
            build.feature(outputs[-1], None if block.skip is True else tuple(block.skip))
    return tuple(outputs)
