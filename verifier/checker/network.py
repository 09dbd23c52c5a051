"""The network: layers and shapes as the document describes them, and enclosures of the features.

Glossary: a layer reads a *row* (its inputs, flattened in C order, concatenated) and cuts it into *windows*, one per
output position; a dense layer has one window, the whole row. `filters` units read each window.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from flint import arb, arb_mat

from .exact import Exact
from .expression import Expression, parse
from .rejection import MAX_DIMENSION, Budget, Rejection, product, words
from .schema import Value

INPUT = -1  # the index of the network's input in a layer's list of inputs
MAX_LAYERS = 10_000
MAX_BLOCK_ROWS = 256
BLOCK_ENTRIES = 1 << 20  # balls that one block of samples may hold


@dataclass(frozen=True)
class Layer:
    """One layer; `weight` is filters x fan-in (None for a pool), `bias` one row: per unit, or per filter (tied)."""

    path: str
    inputs: list[int]
    shape: tuple[int, ...]
    filters: int
    windows: list[list[int]]
    skip: list[int]
    activation: Expression | None = None
    weight: Exact | None = None
    bias: Exact | None = None

    @property
    def units(self) -> int:
        """Number of units."""
        return product(self.shape)

    @property
    def positions(self) -> int:
        """Number of output positions (1 for a dense layer)."""
        return self.units // self.filters

    def bias_index(self, unit: int) -> int:
        """Return the entry of `bias` that a unit adds."""
        return unit if self.bias is not None and self.bias.columns == self.units else unit // self.positions


@dataclass(frozen=True)
class Network:
    """The layers in order, and for each the last layer that reads it. Columns of Psi: by layer, then by unit."""

    inputs: Exact
    layers: list[Layer]
    skip_units: int
    last_readers: list[int]

    @property
    def samples(self) -> int:
        """Number of rows of Psi."""
        return self.inputs.rows

    def block_rows(self) -> int:
        """Return how many samples are evaluated at a time."""
        largest = max(sum(map(len, layer.windows)) for layer in self.layers)
        largest = max(largest, self.inputs.columns + sum(layer.units for layer in self.layers))
        return max(1, min(MAX_BLOCK_ROWS, BLOCK_ENTRIES // largest))

    def arcs(self) -> int:
        """Return the number of connections between units."""
        return sum(sum(map(len, layer.windows)) * (layer.filters if layer.weight else 1) for layer in self.layers)

    def spend(self, budget: Budget, precision: int) -> None:
        """Count the work of one pass at a precision."""
        steps = sum(layer.units * (layer.activation.size if layer.activation else 1) for layer in self.layers)
        budget.spend(Budget.EVALUATIONS, steps * self.samples * words(precision), "/network")
        budget.spend(Budget.PRODUCTS, self.arcs() * self.samples * words(precision), "/network")


def read_network(value: Value, inputs: Exact) -> Network:
    """Read the network; every shape is derived and compared."""
    keys = value.keys("input_shape", "layers", "skip_units")
    extents = [item.integer(1, MAX_DIMENSION) for item in keys["input_shape"].items(1, 3)]
    if product(extents) != inputs.columns:
        raise keys["input_shape"].reject("shape", "the product must be the dimension", extents, inputs.columns)
    shapes: list[tuple[int, ...]] = []
    layers: list[Layer] = []
    for item in keys["layers"].items(1, MAX_LAYERS):
        layer = _read_layer(item, tuple(extents), shapes, inputs.rows)
        layers.append(layer)
        shapes.append(layer.shape)
    skip_units = keys["skip_units"].integer(1, MAX_DIMENSION)
    found = sum(len(layer.skip) for layer in layers)
    if skip_units != found:
        raise keys["skip_units"].reject("network.skip", "is not the number of skip units", skip_units, found)
    last = list(range(len(layers)))
    for position, layer in enumerate(layers):
        for source in layer.inputs:
            if source != INPUT:
                last[source] = position
    return Network(inputs, layers, skip_units, last)


def _read_layer(value: Value, input_shape: tuple[int, ...], earlier: list[tuple[int, ...]], samples: int) -> Layer:
    kind = value.get("kind").choice("dense", "conv1d", "conv2d", "avgpool")
    common = ("kind", "inputs", "skip")
    more = {
        "dense": ("activation", "units", "weight", "bias"),
        "avgpool": ("kernel", "stride"),
    }.get(kind, ("activation", "filters", "kernel", "stride", "bias_kind", "weight", "bias"))
    keys = value.keys(*common, *more)
    inputs = _read_inputs(keys["inputs"], len(earlier), 1 if kind == "avgpool" else MAX_LAYERS)
    shapes = [input_shape if source == INPUT else earlier[source] for source in inputs]
    activation = None if kind == "avgpool" else parse(keys["activation"].text(2000), keys["activation"].path)
    if kind == "dense":
        units = keys["units"].integer(1, MAX_DIMENSION)
        fan_in = sum(map(product, shapes))
        _limit(keys["units"], samples, units, fan_in, fan_in)
        weight, bias = keys["weight"].exact(units, fan_in), keys["bias"].exact(units)
        skip = _read_skip(keys["skip"], units)
        return Layer(value.path, inputs, (units,), units, [list(range(fan_in))], skip, activation, weight, bias)
    return _read_windowed(value, kind, keys, inputs, shapes, samples, activation)


def _read_windowed(
    value: Value,
    kind: str,
    keys: dict[str, Value],
    inputs: list[int],
    shapes: list[tuple[int, ...]],
    samples: int,
    activation: Expression | None,
) -> Layer:
    spatial = shapes[0][1:]
    axes = len(spatial) if kind == "avgpool" else int(kind[4])
    for shape in shapes:
        if len(shape) != axes + 1 or axes == 0 or shape[1:] != spatial:
            raise keys["inputs"].reject("network.layer", "the inputs' shapes do not fit this layer", shapes)
    kernel = [item.integer(1, most) for item, most in zip(keys["kernel"].items(axes, axes), spatial, strict=True)]
    stride = keys["stride"].integers(1, MAX_DIMENSION, axes)
    outs = tuple((length - k) // s + 1 for length, k, s in zip(spatial, kernel, stride, strict=True))
    channels = sum(shape[0] for shape in shapes)
    filters = channels if kind == "avgpool" else keys["filters"].integer(1, MAX_DIMENSION)
    window = product(kernel) * (1 if kind == "avgpool" else channels)
    _limit(value, samples, filters * product(outs), window, product(outs) * channels * product(kernel))
    groups = [[c] for c in range(channels)] if kind == "avgpool" else [list(range(channels))]
    windows = [cut for group in groups for cut in _windows(group, spatial, kernel, stride, outs)]
    skip = _read_skip(keys["skip"], filters * product(outs))
    if kind == "avgpool":
        return Layer(value.path, inputs, (filters, *outs), filters, windows, skip)
    tied = keys["bias_kind"].choice("per-unit", "tied") == "tied"
    weight = keys["weight"].exact(filters, channels, *kernel)
    bias = keys["bias"].exact(filters) if tied else keys["bias"].exact(filters, *outs)
    flat = Exact(_as_row(bias), bias.exponent, bias.bits)
    return Layer(value.path, inputs, (filters, *outs), filters, windows, skip, activation, weight, flat)


def _as_row(bias: Exact) -> Any:
    return type(bias.integers)(1, bias.rows * bias.columns, bias.integers.entries())


def _windows(
    channels: list[int], spatial: tuple[int, ...], kernel: list[int], stride: list[int], outs: tuple[int, ...]
) -> Iterator[list[int]]:
    """List, per output position in C order, the row's entries (channel, then offset, in C order) that it reads."""
    size = product(spatial)
    steps = [product(spatial[axis + 1 :]) for axis in range(len(spatial))]
    offsets = [
        sum(q * step for q, step in zip(offset, steps, strict=True))
        for offset in itertools.product(*map(range, kernel))
    ]
    for position in itertools.product(*map(range, outs)):
        corner = sum(p * s * step for p, s, step in zip(position, stride, steps, strict=True))
        yield [channel * size + corner + offset for channel in channels for offset in offsets]


def _limit(value: Value, samples: int, units: int, fan_in: int, windows: int) -> None:
    """Refuse a layer whose evaluation would be too large, before anything is allocated."""
    for what, amount in ((Budget.EVALUATIONS, units * samples), (Budget.PRODUCTS, units * fan_in * samples)):
        if not amount <= Budget.LIMITS[what]:
            raise value.reject("container.limits", f"the layer is too large: {what}", amount, Budget.LIMITS[what])
    value.spend(Budget.UNITS, units)
    value.spend(Budget.WINDOWS, windows)


def _read_inputs(value: Value, earlier: int, most: int) -> list[int]:
    inputs = []
    for item in value.items(1, most):
        if item.data == "input":
            inputs.append(INPUT)
        else:
            inputs.append(item.integer(0, earlier - 1))
    if len(set(inputs)) != len(inputs):
        raise value.reject("network.layer", "an input is listed twice", inputs)
    return inputs


def _read_skip(value: Value, units: int) -> list[int]:
    if isinstance(value.data, bool):
        return list(range(units)) if value.data else []
    skip = [item.integer(0, units - 1) for item in value.items(1, units)]
    if not all(a < b for a, b in itertools.pairwise(skip)):
        raise value.reject("network.skip", "must be strictly increasing", skip[:20])
    return skip


@dataclass(frozen=True)
class Block:
    """Some rows of Psi as balls; what several claims need of them is made once."""

    samples: range
    rows: list[list[arb]]
    groups: dict[int, tuple[list[int], arb_mat]] = field(default_factory=dict)
    products: dict[tuple[int, int], list[list[arb]]] = field(default_factory=dict)

    def by_label(self, labels: Sequence[int]) -> dict[int, tuple[list[int], arb_mat]]:
        """Return, per label, the samples that have it and the matrix of their rows."""
        if not self.groups:
            members: dict[int, list[int]] = {}
            for sample in self.samples:
                members.setdefault(labels[sample], []).append(sample)
            for label, chosen in sorted(members.items()):
                flat = list(itertools.chain.from_iterable(self.rows[sample - self.samples.start] for sample in chosen))
                self.groups[label] = chosen, arb_mat(len(chosen), len(flat) // len(chosen), flat)
        return self.groups


class Features:
    """Evaluates the network in ball arithmetic at the current working precision."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.functions = [None if layer.activation is None else layer.activation.mapped() for layer in network.layers]
        self.weights = [None if layer.weight is None else layer.weight.balls().transpose() for layer in network.layers]
        self.biases = [[] if layer.bias is None else layer.bias.balls().entries() for layer in network.layers]
        self.picks = [_picker(layer) for layer in network.layers]
        self.inputs = network.inputs.balls().tolist()
        self.tiles: dict[int, arb_mat] = {}

    def block(self, samples: range) -> Block:
        """Return the rows of Psi for the samples.

        Guarantee: each ball contains the exact value of Psi at the stored numbers, and is finite. Every hidden unit is
        evaluated, also those that do not matter; one that is not finite is a rejection.
        """
        values: dict[int, list[list[arb]]] = {INPUT: [self.inputs[i] for i in samples]}
        psi: list[list[arb]] = [[] for _ in samples]
        for position, layer in enumerate(self.network.layers):
            rows = values[layer.inputs[0]]
            for source in layer.inputs[1:]:
                rows = [a + b for a, b in zip(rows, values[source], strict=True)]
            result = self._layer(position, layer, rows, samples)
            for row, new in zip(psi, result, strict=True):
                row += new if len(layer.skip) == layer.units else [new[unit] for unit in layer.skip]
            values[position] = result
            for source in [*layer.inputs, position]:
                if source != INPUT and self.network.last_readers[source] <= position:
                    values.pop(source, None)
        return Block(samples, psi)

    def _layer(self, position: int, layer: Layer, rows: list[list[arb]], samples: range) -> list[list[arb]]:
        pick, function, weight = self.picks[position], self.functions[position], self.weights[position]
        flat = list(itertools.chain.from_iterable(map(pick, rows) if pick else rows))
        fan_in, filters = len(layer.windows[0]), layer.filters
        if weight is None or function is None:
            units = [sum(flat[i : i + fan_in], arb(0)) / fan_in for i in range(0, len(flat), fan_in)]
            return self._finite(layer, units, samples)
        positions = layer.positions
        sums = arb_mat(len(rows) * positions, fan_in, flat) * weight + self._tile(position, layer, len(rows))
        units = function(sums.entries())
        if positions > 1:  # from (position, filter) to the unit numbers' (filter, position)
            size = positions * filters
            units = [
                unit
                for start in range(0, len(units), size)
                for a in range(filters)
                for unit in units[start + a : start + size : filters]
            ]
        return self._finite(layer, units, samples)

    def _tile(self, position: int, layer: Layer, count: int) -> arb_mat:
        """Return the bias as a matrix for a block of rows; it is kept, since most blocks have the same size."""
        if position in self.tiles and self.tiles[position].nrows() == count * layer.positions:
            return self.tiles[position]
        bias = self.biases[position]
        one = [
            bias[layer.bias_index(a * layer.positions + p)]
            for p in range(layer.positions)
            for a in range(layer.filters)
        ]
        self.tiles[position] = arb_mat(count * layer.positions, layer.filters, one * count)
        return self.tiles[position]

    @staticmethod
    def _finite(layer: Layer, units: list[arb], samples: range) -> list[list[arb]]:
        if not all(map(arb.is_finite, units)):
            bad = next(i for i, unit in enumerate(units) if not unit.is_finite())
            message = (
                f"sample {samples[bad // layer.units]}, unit {bad % layer.units}: the value is undefined or its "
                "enclosure is infinite; raise the precision, or the network leaves the activation's domain"
            )
            raise Rejection(layer.path, "features.finite", message, None, str(units[bad])[:100])
        return [units[i : i + layer.units] for i in range(0, len(units), layer.units)]


def _picker(layer: Layer) -> Callable[[list[arb]], Any] | None:
    """Return the function that cuts a row into its windows (None: the row is the window)."""
    if len(layer.shape) == 1:
        return None
    indices = [index for window in layer.windows for index in window]
    return itemgetter(*indices) if len(indices) > 1 else lambda row: (row[indices[0]],)
