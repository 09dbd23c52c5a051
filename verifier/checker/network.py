"""The network: layers and shapes as the document describes them, and enclosures of the features.

Glossary: every layer is written in one form. Its inputs, flattened and concatenated, are a *row*; the row is cut into
*windows*, one per output *position*; each of `filters` weight vectors meets each window, the bias is added, the sum is
divided by `divisor`, and the activation is applied. Unit (filter, position) has the number filter * positions +
position. A dense layer has one window, the whole row; an average pool has one filter of ones, and the divisor is its
length; then every channel has its own windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod
from operator import itemgetter, lt, mul
from typing import Any, NamedTuple

from flint import arb, arb_mat, fmpz_mat

from .container import Arrays
from .exact import Exact
from .expression import GUARDED, PLAIN, Expression, build, parse
from .rejection import Rejection, require, words
from .schema import INPUT

AXES = {"dense": 0, "conv1d": 1, "conv2d": 2}
ACTIVATION_WORK = 1000  # one step of an activation, in multiply-adds
UNIT_MEMORY, WINDOW_MEMORY = 64, 16  # words per unit, per entry of a window
BLOCK_ENTRIES = 1 << 20  # balls that one block of samples may hold
MAX_BLOCK_ROWS = 256
NARROW_SUM = 2.0**-20  # balls whose radii add up to less need no guard
IDENTITY = parse("t", "")


class Layer(NamedTuple):
    """One layer; `weight` is filters x window length, `bias` positions x filters."""

    path: str
    inputs: list[int]
    windows: list[list[int]]
    weight: Exact
    bias: Exact
    divisor: int
    activation: Expression
    skip: list[int]

    def sizes(self) -> tuple[int, int, int]:
        """Return the numbers of positions, filters and units."""
        positions, filters = int(self.bias.integers.nrows()), int(self.bias.integers.ncols())
        return positions, filters, positions * filters


class Network(NamedTuple):
    """The inputs (samples x dimension) and the layers in order. Columns of Psi: by layer, then by unit."""

    inputs: Exact
    layers: list[Layer]
    skip_units: int
    samples: int
    arcs: int
    units: int
    work: int


def read_network(raw: Any, inputs: Exact, arrays: Arrays) -> Network:
    """Read the network; every shape is derived and compared."""
    samples, dimension = int(inputs.integers.nrows()), int(inputs.integers.ncols())
    extents = raw.input_shape
    require(prod(extents) == dimension, raw.path + "/input_shape", "shape", "not the dimension", extents, dimension)
    shapes: dict[int, list[int]] = {INPUT: extents}
    layers: list[Layer] = []
    arcs = steps = 0
    for number, item in enumerate(raw.layers):
        layer, shapes[number] = read_layer(item, shapes, arrays)
        layers.append(layer)
        units = prod(shapes[number])
        arcs += units * len(layer.windows[0])
        steps += units * layer.activation.steps
    found = sum(len(layer.skip) for layer in layers)
    path = raw.path + "/skip_units"
    require(raw.skip_units == found, path, "network.skip", "is not the number of skip units", raw.skip_units, found)
    units = sum(map(prod, shapes.values()))
    return Network(inputs, layers, found, samples, arcs, units, samples * (arcs + ACTIVATION_WORK * steps))


def read_layer(raw: Any, shapes: dict[int, list[int]], arrays: Arrays) -> tuple[Layer, list[int]]:
    """Return a layer and the shape of its output; `shapes` are those of the earlier layers."""
    path, pool = raw.path, raw.kind == "avgpool"
    known = all(source in shapes for source in raw.inputs)
    require(known, path + "/inputs", "schema.value", "an input is not an earlier layer", raw.inputs)
    once = len(set(raw.inputs)) == len(raw.inputs)
    require(once, path + "/inputs", "network.layer", "an input is listed twice", raw.inputs)
    sources = [shapes[source] if raw.kind != "dense" else [prod(shapes[source])] for source in raw.inputs]
    spatial = sources[0][1:]
    axes = max(1, len(spatial)) if pool else AXES[raw.kind]
    fit = len(spatial) == axes and all(shape[1:] == spatial for shape in sources)
    require(fit, path + "/inputs", "network.layer", "the inputs' shapes do not fit this layer", sources)
    kernel, stride = ([], []) if raw.kind == "dense" else (raw.kernel, raw.stride)
    fit = len(kernel) == len(stride) == axes and all(k <= length for k, length in zip(kernel, spatial, strict=True))
    require(fit, path, "schema.value", "kernel or stride do not fit the inputs", [kernel, stride], spatial)
    outs = [(length - k) // s + 1 for length, k, s in zip(spatial, kernel, stride, strict=True)]
    channels = sum(shape[0] for shape in sources)
    filters = channels if pool else raw.units if raw.kind == "dense" else raw.filters
    units, entries = filters * prod(outs), prod(outs) * channels * prod(kernel)
    arrays.budget.spend(path, memory=units * UNIT_MEMORY + entries * WINDOW_MEMORY)
    steps = [prod(spatial[axis + 1 :]) for axis in range(axes)]
    offsets = [sum(map(mul, offset, steps)) for offset in itertools.product(*map(range, kernel))]
    places = itertools.product(*(range(0, out * s, s) for out, s in zip(outs, stride, strict=True)))
    corners = [sum(map(mul, place, steps)) for place in places]
    groups = [[c] for c in range(channels)] if pool else [list(range(channels))]
    windows = [[c * prod(spatial) + p + q for c in group for q in offsets] for group in groups for p in corners]
    skip = list(range(units)) if raw.skip is True else raw.skip or []
    require(all(unit < units for unit in skip), path + "/skip", "schema.value", "is not a unit", skip[-1:], units)
    require(increasing(skip), path + "/skip", "network.skip", "must be strictly increasing", skip[:20])
    shape, length = [filters, *outs], len(windows[0])
    if pool:
        ones, zeros = fmpz_mat(1, length, [1] * length), fmpz_mat(units, 1)
        return Layer(path, raw.inputs, windows, Exact(ones, 0, 1), Exact(zeros, 0, 1), length, IDENTITY, skip), shape
    activation = parse(raw.activation, path + "/activation")
    weight = arrays.exact(raw.weight, filters, channels, *kernel)
    tied = raw.kind != "dense" and raw.bias_kind == "tied"
    bias = arrays.exact(raw.bias, filters) if tied else arrays.exact(raw.bias, *shape)
    spread = fmpz_mat(prod(outs), filters, bias.integers.transpose().entries() * (prod(outs) if tied else 1))
    return Layer(path, raw.inputs, windows, weight, bias._replace(integers=spread), 1, activation, skip), shape


def increasing(numbers: list[int]) -> bool:
    """Return whether the numbers are strictly increasing."""
    return all(map(lt, numbers, numbers[1:]))


def pick(indices: list[int]) -> Callable[[list[arb]], Any]:
    """Return the function that takes these entries of a list."""
    return itemgetter(*indices) if len(indices) > 1 else lambda row: (row[indices[0]],)


def network_blocks(network: Network, labels: list[int], jobs: int) -> list[list[int]]:
    """Cut the samples into blocks that are evaluated together; all samples of a block have the same label.

    Guarantee: every sample is in exactly one block.
    """
    widest = max(network.units, *(sum(map(len, layer.windows)) for layer in network.layers))
    rows = max(1, min(MAX_BLOCK_ROWS, BLOCK_ENTRIES // widest, network.samples // (2 * jobs)))
    members: dict[int, list[int]] = {}
    for sample, label in enumerate(labels):
        members.setdefault(label, []).append(sample)
    return [chosen[i : i + rows] for chosen in members.values() for i in range(0, len(chosen), rows)]


class Features:
    """Evaluates the network in ball arithmetic at the working precision at which it was made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.inputs = network.inputs.balls().tolist()
        self.weights = [layer.weight.balls().transpose() for layer in network.layers]
        self.biases = [layer.bias.balls().entries() for layer in network.layers]
        self.picks = [pick(list(itertools.chain(*layer.windows))) for layer in network.layers]
        self.functions = [[build(layer.activation.tree, d) for d in (PLAIN, GUARDED)] for layer in network.layers]

    def rows(self, samples: list[int]) -> list[list[arb]]:
        """Return the rows of Psi for the samples.

        Guarantee: each ball contains the exact value of Psi at the stored numbers, and is finite. Every hidden unit is
        evaluated, also those that do not matter; one that is not finite is a rejection.
        """
        values: dict[int, list[list[arb]]] = {INPUT: [self.inputs[sample] for sample in samples]}
        psi: list[list[arb]] = [[] for _ in samples]
        for number, layer in enumerate(self.network.layers):
            rows = [list(itertools.chain(*parts)) for parts in zip(*(values[s] for s in layer.inputs), strict=True)]
            values[number] = self.layer(number, rows, samples)
            for row, new in zip(psi, values[number], strict=True):
                row += new if len(layer.skip) == len(new) else [new[unit] for unit in layer.skip]
        return psi

    def layer(self, number: int, rows: list[list[arb]], samples: list[int]) -> list[list[arb]]:
        """Return the units of one layer."""
        layer = self.network.layers[number]
        positions, filters, size = layer.sizes()
        flat = list(itertools.chain(*map(self.picks[number], rows)))
        sums = arb_mat(len(rows) * positions, len(layer.windows[0]), flat) * self.weights[number]
        sums += arb_mat(len(rows) * positions, filters, self.biases[number] * len(rows))
        sums = sums if layer.divisor == 1 else sums / layer.divisor
        left, right = arb_mat(1, sums.nrows(), [1] * sums.nrows()), arb_mat(filters, 1, [1] * filters)
        narrow = (left * sums * right)[0, 0].rad() < NARROW_SUM  # the sum's radius bounds every radius
        plain, guarded = self.functions[number]
        units = list(map(plain if narrow else guarded, sums.entries()))
        if not all(map(arb.is_finite, units)):
            bad = next(index for index, unit in enumerate(units) if not unit.is_finite())
            message = f"sample {samples[bad // size]}: a unit's value is undefined or its enclosure is infinite"
            raise Rejection(layer.path, "features.finite", message, None, str(units[bad])[:100])
        if positions == 1 or filters == 1:
            return [units[start : start + size] for start in range(0, len(units), size)]
        starts = range(0, len(units), size)  # from (position, filter) to the unit numbers' (filter, position)
        return [[u for a in range(filters) for u in units[i + a : i + size : filters]] for i in starts]


def pass_work(network: Network, bits: int) -> int:
    """Return the work of evaluating all samples at a precision."""
    return network.work * words(bits)
