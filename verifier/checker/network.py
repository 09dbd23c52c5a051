"""The network: layers and shapes as the document describes them, and enclosures of the features.

Glossary: every layer is written in one form. Its inputs, flattened and concatenated, are a *row*; the row is cut into
*windows*, one per output *position*; each of `filters` weight vectors (`weight` is filters x window length) meets each
window, the bias (positions x filters) is added, the sum is divided by `divisor`, and the activation is applied. Unit
(filter, position) has the number filter * positions + position. A dense layer has one window, the whole row; in an
average pool, every channel has its own windows, the one filter is of ones, and the divisor is its length. A place in a
window has the index of its entry in the row; one in the padding has the index after the last: whoever cuts windows puts
an exact zero at the end of the row.
"""

import itertools
from math import prod
from operator import itemgetter, lt
from types import SimpleNamespace
from typing import Any

from flint import arb, arb_mat, ctx, fmpz, fmpz_mat

from .analytic import by_ends
from .common import Exact, Rejection, afford, precision, require, words
from .container import Arrays
from .expression import PLAIN, build, parse
from .schema import INPUT

AXES = {"dense": 0, "conv1d": 1, "conv2d": 2}
# of all layers together: units with weights, and places in windows. A short document can ask for any number of them.
MAX_UNITS, MAX_PLACES = 1 << 26, 1 << 27
# 64-bit words that the balls of one block of samples may take; words of a ball besides its digits
BLOCK_WORDS, BALL_WORDS = 1 << 24, 16
GATHER = 5  # multiply-adds that take as long as to bring one ball to its place in a window
# Arb is fast for matrices whose sides are all above CLASSICAL; radii up to 2^(bits - precision), for these bits, may be
# bounded by their maximum
CLASSICAL, NARROW_BITS = 120, (2, 10)
NARROW_SUM = 2.0**-20  # balls whose radii add up to less need no guard


def read_network(raw: Any, inputs: Exact | None, samples: int, dimension: int, arrays: Arrays) -> SimpleNamespace:
    """Read the network; every shape is derived and compared. Without inputs, or weights, no unit has a value."""
    extents, shapes = raw.input_shape, {INPUT: raw.input_shape}
    sizes = SimpleNamespace(units=0, places=0)
    require(prod(extents) == dimension, raw.path + "/input_shape", "shape", "not the dimension", extents, dimension)
    for number, layer in enumerate(raw.layers):
        shapes[number] = read_layer(layer, shapes, arrays, sizes)
    found, message = sum(len(layer.skip) for layer in raw.layers), "is not the number of skip units"
    require(raw.skip_units == found, raw.path + "/skip_units", "network.skip", message, raw.skip_units, found)
    units = sum(map(prod, shapes.values()))
    return SimpleNamespace(inputs=inputs, layers=raw.layers, skip_units=found, samples=samples, units=units)


def move(network: SimpleNamespace, point: list[SimpleNamespace], arrays: Arrays) -> SimpleNamespace:
    """Return the same network with other weights and biases in the layers that `point` lists."""
    layers = list(network.layers)
    for entry in point:
        known = entry.layer < len(layers) and layers[entry.layer] is network.layers[entry.layer]
        known, path = known and layers[entry.layer].kind != "avgpool", entry.path + "/layer"
        require(known, path, "network.layer", "no such layer with weights, or listed twice", entry.layer)
        layers[entry.layer] = SimpleNamespace(**vars(network.layers[entry.layer]))
        read_weights(layers[entry.layer], entry.weight, entry.bias, arrays)
    return SimpleNamespace(**{**vars(network), "layers": layers})


def read_layer(
    layer: SimpleNamespace, shapes: dict[int, list[int]], arrays: Arrays, sizes: SimpleNamespace
) -> list[int]:
    """Bring a layer to the one form and return its output's shape.

    `shapes` are those of the earlier layers; to `sizes`, which are bounded, the layer's own are added.
    """
    path, dense, pool = layer.path, layer.kind == "dense", layer.kind == "avgpool"
    sources = source_shapes(layer, shapes)
    channels = sum(shape[0] for shape in sources)
    window = read_window(layer, sources)
    filters = channels if pool else layer.units if dense else layer.filters
    positions = prod(window.outs)
    layer.units, layer.width = filters * positions, channels * prod(window.extents)
    sizes.units += layer.units if pool or layer.weight is not None else 0
    sizes.places += 0 if dense else positions * channels * prod(window.kernel)
    afford(sizes.units, MAX_UNITS, path, "units")
    afford(sizes.places, MAX_PLACES, path, "places in windows")
    if dense:
        layer.windows = [range(channels)]
    else:
        layer.windows = windows_of(window, channels, each_channel_alone=pool)
    layer.skip = read_skip(layer)
    layer.activation = parse("t" if pool else layer.activation, path + "/activation")
    layer.outs = window.outs
    if pool:
        set_mean(layer, prod(window.kernel))
    else:
        layer.divisor, layer.shape = 1, [filters, channels, *window.kernel]
        layer.tied = not dense and layer.bias_kind == "tied"
        given = (layer.weight is None) + (layer.bias is None)
        require(given != 1, path, "network.layer", "give both weight and bias, or null for both")
        if given == 0:
            read_weights(layer, layer.weight, layer.bias, arrays)
    return [filters, *window.outs]


def source_shapes(layer: SimpleNamespace, shapes: dict[int, list[int]]) -> list[list[int]]:
    """Return the shapes of a layer's inputs; a dense layer sees each of them flattened."""
    path = layer.path + "/inputs"
    known = all(index in shapes for index in layer.inputs)
    require(known, path, "schema.value", "an input is not an earlier layer", layer.inputs)
    once = len(set(layer.inputs)) == len(layer.inputs)
    require(once, path, "network.layer", "an input is listed twice", layer.inputs)
    if layer.kind == "dense":
        return [[prod(shapes[index])] for index in layer.inputs]
    return [shapes[index] for index in layer.inputs]


def read_window(layer: SimpleNamespace, sources: list[list[int]]) -> SimpleNamespace:
    """Return how a window slides over the inputs, a number per axis each: extents, kernel, stride, padding, outs.

    A dense layer has no axes: its one window is the whole row.
    """
    path, extents = layer.path, sources[0][1:]
    axes = max(1, len(extents)) if layer.kind == "avgpool" else AXES[layer.kind]
    fit = len(extents) == axes and all(shape[1:] == extents for shape in sources)
    require(fit, path + "/inputs", "network.layer", "the inputs' shapes do not fit this layer", sources)
    kernel, stride = ([], []) if layer.kind == "dense" else (layer.kernel, layer.stride)
    padding = getattr(layer, "padding", [0] * axes)
    require(len(padding) == axes, path + "/padding", "schema.value", "must have a number per axis", padding, axes)
    fit = len(kernel) == len(stride) == axes
    fit = fit and all(p < k <= n + 2 * p for n, k, p in zip(extents, kernel, padding, strict=True))
    message = "kernel, stride or padding do not fit the inputs"
    require(fit, path, "schema.value", message, [kernel, stride, padding], extents)
    steps = zip(extents, kernel, stride, padding, strict=True)
    outs = [(n + 2 * p - k) // s + 1 for n, k, s, p in steps]
    return SimpleNamespace(extents=extents, kernel=kernel, stride=stride, padding=padding, outs=outs)


def windows_of(window: SimpleNamespace, channels: int, each_channel_alone: bool) -> list[list[int]]:
    """Return for every position what its window sees: indices into the row of all channels, in C order.

    Each axis gives offsets of its own, which add up to an index. An offset outside of the inputs is so far below 0 that
    the sum is: such a place is in the padding, and has the index after the last. An average pool has the windows of one
    channel after those of the other.
    """
    plane, padding = prod(window.extents), channels * prod(window.extents)
    axes = []  # for each axis the offsets of each of its windows
    for axis, (n, k, s, p, out) in enumerate(
        zip(window.extents, window.kernel, window.stride, window.padding, window.outs, strict=True)
    ):
        unit = prod(window.extents[axis + 1 :])
        starts = [position * s - p for position in range(out)]
        axes.append([[x * unit if 0 <= x < n else -padding for x in range(at, at + k)] for at in starts])
    boxes = [[sum(offsets) for offsets in itertools.product(*box)] for box in itertools.product(*axes)]
    seen = [[channel] for channel in range(channels)] if each_channel_alone else [list(range(channels))]
    return [[c * plane + i if i >= 0 else padding for c in group for i in box] for group in seen for box in boxes]


def windows_of_plain(window: SimpleNamespace, channels: int, each_channel_alone: bool) -> list[list[int]]:
    """Return what `windows_of` returns, place by place: the definition, which the tests compare with it."""
    windows = []
    for group in [[channel] for channel in range(channels)] if each_channel_alone else [range(channels)]:
        for position in itertools.product(*(range(out) for out in window.outs)):
            places = []
            for channel in group:
                for offset in itertools.product(*(range(k) for k in window.kernel)):
                    index, inside = channel, True
                    for n, s, p, at, q in zip(
                        window.extents, window.stride, window.padding, position, offset, strict=True
                    ):
                        coordinate = at * s + q - p
                        inside = inside and 0 <= coordinate < n
                        index = index * n + coordinate
                    places.append(index if inside else channels * prod(window.extents))
            windows.append(places)
    return windows


def read_skip(layer: SimpleNamespace) -> Any:
    """Return the layer's skip units: a range or a list, empty if there are none."""
    path = layer.path + "/skip"
    skip = range(layer.units) if layer.skip is True else layer.skip or []
    ordered = type(skip) is range or increasing(skip)
    require(ordered, path, "network.skip", "must be strictly increasing", skip[:20])
    inside = len(skip) == 0 or skip[-1] < layer.units
    require(inside, path, "schema.value", "is not a unit", skip[-1:], layer.units)
    return skip


def set_mean(layer: SimpleNamespace, length: int) -> None:
    """Make a layer the mean over its windows, which have this length: weights 1, no bias, then a divisor."""
    layer.divisor, layer.weight = length, Exact(fmpz_mat(1, length, [1] * length), 0, 1)
    layer.bias = Exact(fmpz_mat(1, 1), 0, 1)  # one row stands for all positions


def read_weights(layer: SimpleNamespace, weight: Any, bias: Any, arrays: Arrays) -> None:
    """Replace a layer's weights and biases by those that the references name."""
    filters, outs = layer.shape[0], layer.outs
    layer.weight, exact = arrays.exact(weight, *layer.shape), arrays.exact(bias, filters, *([] if layer.tied else outs))
    positions = 1 if layer.tied else prod(outs)  # one row of biases stands for all positions
    layer.bias = exact._replace(integers=fmpz_mat(positions, filters, exact.integers.transpose().entries()))


def increasing(numbers: list[int]) -> bool:
    """Return whether the numbers are strictly increasing."""
    return all(map(lt, numbers, numbers[1:]))


def pick(indices: list[int]) -> Any:
    """Return the function that takes these entries of a list."""
    return itemgetter(*indices) if len(indices) > 1 else lambda row: (row[indices[0]],)


def cut_blocks(network: SimpleNamespace, labels: list[int], jobs: int, bits: int, others: int = 0) -> list[list[int]]:
    """Cut the samples, ordered by their labels, into blocks that are evaluated together.

    The balls of a block, of so many bits and `others` more for each sample, fit into BLOCK_WORDS, or it has one sample.

    Guarantee: every sample is in exactly one block.
    """
    widest = max(network.units, others, *(sum(map(len, layer.windows)) for layer in network.layers))
    count = -(-network.samples // max(1, BLOCK_WORDS // (widest * (BALL_WORDS + words(bits)))))
    rows = -(-network.samples // (-(-count // jobs) * jobs))  # equal blocks, as many for each process
    ordered = sorted(range(network.samples), key=labels.__getitem__)
    return [ordered[start : start + rows] for start in range(0, len(ordered), rows)]


def ones(rows: int, columns: int) -> arb_mat:
    """Return a matrix of ones."""
    return arb_mat(rows, 1, [1] * rows) * arb_mat(1, columns, [1] * columns)


def multiply(left: arb_mat, right: arb_mat, sums: arb_mat) -> arb_mat:
    """Multiply balls by exact numbers; `sums` has the sums of the sizes of the entries of each column of `right`.

    Guarantee: the result contains A right for every A in `left`. The quick way, for large matrices of narrow balls in
    [-1, 1]: the midpoints are rounded, the radii growing, to multiples M of 2^-precision, which makes the integers
    that FLINT multiplies small; if then every radius is at most e, |((A - M) right)_ij| <= e sums_j.
    """
    frame = ones(left.nrows(), left.ncols())
    if min(left.nrows(), left.ncols(), right.ncols()) > CLASSICAL and (frame * arb(0, 1)).contains(left):
        with precision(ctx.prec + 2):
            rounded = (left + 3 * frame) - 3 * frame
        middle = rounded.mid()
        for error in (arb(0, 1) * arb((1, bits - ctx.prec)) for bits in NARROW_BITS):
            if (frame * error).contains(rounded - middle):
                return middle * right + ones(left.nrows(), 1) * sums * (2 * error)
    return left * right


def unroll(layer: SimpleNamespace) -> SimpleNamespace:
    """Return the layer, or the dense layer that it equals where that costs less: almost only padding in its windows.

    Guarantee: every unit has the same value. Unit (filter, position) reads entry i of the row with the sum of the
    weights at the places of its window that have index i; those in the padding, index `width`, are left out.
    """
    window, filters = len(layer.windows[0]), layer.weight.integers.nrows()
    if layer.kind not in ("conv1d", "conv2d") or filters * layer.width > window * (GATHER + filters):
        return layer
    found, places = [[0] * layer.width for _ in range(layer.units)], len(layer.windows)
    for a, weights in enumerate(layer.weight.integers.tolist()):
        for p, indices in enumerate(layer.windows):
            row = found[a * places + p]
            for index, weight in zip(indices, weights, strict=True):
                if index < layer.width:
                    row[index] += weight
    biases = layer.bias.integers.transpose().entries()  # by filters, then positions
    biases = [b for b in biases for _ in range(places)] if layer.bias.integers.nrows() == 1 else biases
    weight, bias = layer.weight._replace(integers=fmpz_mat(found)), layer.bias._replace(integers=fmpz_mat([biases]))
    changed = {"windows": [range(layer.width)], "weight": weight, "bias": bias}
    return SimpleNamespace(**{**vars(layer), **changed})


class Inputs:
    """The samples' inputs as balls of radius zero, made when they are asked for: all at once may be too many."""

    def __init__(self, inputs: Exact) -> None:
        self.inputs, self.places = inputs, range(inputs.integers.ncols())

    def __getitem__(self, sample: int) -> list[arb]:
        """Return the row of one sample."""
        integers = [self.inputs.integers[sample, place] for place in self.places]
        row: list[arb] = self.inputs._replace(integers=fmpz_mat(1, len(integers), integers)).balls().entries()
        return row


class Features:
    """Evaluates the network in ball arithmetic at the working precision at which it was made."""

    def __init__(self, network: SimpleNamespace) -> None:
        self.layers = list(map(unroll, network.layers))
        weights = [layer.weight for layer in self.layers]
        self.weights, self.inputs = [w.balls().transpose() for w in weights], Inputs(network.inputs)
        sums = (fmpz_mat([[sum(map(abs, row), fmpz(0)) for row in w.integers.tolist()]]) for w in weights)
        self.sums = [Exact(s, w.exponent, w.bits + 64).balls() for s, w in zip(sums, weights, strict=True)]
        self.biases = [layer.bias.balls() for layer in self.layers]
        self.picks = [pick(list(itertools.chain(*layer.windows))) for layer in self.layers]
        trees = [layer.activation.tree for layer in self.layers]
        self.functions = [(by_ends(tree), build(tree, PLAIN)) for tree in trees]

    def rows(self, samples: list[int]) -> list[list[arb]]:
        """Return the rows of Psi for the samples.

        Guarantee: each ball contains the exact value of Psi at the stored numbers, and is finite. Every hidden unit is
        evaluated, also those that do not matter; one that is not finite is a rejection.
        """
        values = self.values(samples, [self.inputs[sample] for sample in samples])
        return join([list(map(pick(layer.skip), values[n])) for n, layer in enumerate(self.layers) if layer.skip])

    def values(self, samples: list[int], rows: list[list[arb]]) -> dict[int, list[list[arb]]]:
        """Return the units of every layer, from the inputs of these samples."""
        values = {INPUT: rows}
        for number, layer in enumerate(self.layers):
            values[number] = self.evaluate(number, layer, join([values[s] for s in layer.inputs]), samples)
        return values

    def windows(self, number: int, rows: list[list[arb]]) -> arb_mat:
        """Return the windows of a layer's inputs as the rows of a matrix."""
        layer, cut = self.layers[number], (self.picks[number]([*row, arb(0)]) for row in rows)
        flat = list(itertools.chain(*cut))
        return arb_mat(len(rows) * len(layer.windows), len(layer.windows[0]), flat)

    def evaluate(self, number: int, layer: Any, rows: list[list[arb]], samples: list[int]) -> list[list[arb]]:
        """Return the units of one layer."""
        sums = multiply(self.windows(number, rows), self.weights[number], self.sums[number])
        sums = (sums + tile(self.biases[number], sums.nrows())) / layer.divisor
        total = ones(1, sums.nrows()) * sums * ones(sums.ncols(), 1)
        function = self.functions[number][total[0, 0].rad() < NARROW_SUM]  # this radius bounds every radius
        units = list(map(function, sums.entries()))
        if not all(map(arb.is_finite, units)):
            bad = next(index for index, unit in enumerate(units) if not unit.is_finite())
            message = f"sample {samples[bad // layer.units]}: a unit's value is undefined or its enclosure is infinite"
            raise Rejection(layer.path, "features.finite", message, None, str(units[bad])[:100])
        return by_unit(units, sums.ncols(), layer.units)


def by_unit(values: list[arb], filters: int, size: int) -> list[list[arb]]:
    """Bring values from the order (sample, position, filter) to rows in the order of the unit numbers."""
    starts = range(0, len(values), size)
    if filters in (1, size):
        return [values[start : start + size] for start in starts]
    return [[u for a in range(filters) for u in values[i + a : i + size : filters]] for i in starts]


def join(parts: list[list[Any]]) -> list[list[arb]]:
    """Concatenate the rows of several sources."""
    return [list(itertools.chain(*row)) for row in zip(*parts, strict=True)]


def tile(bias: arb_mat, rows: int) -> arb_mat:
    """Return the biases (positions x filters, or one row for all positions) under each other, to so many rows."""
    if bias.nrows() == 1:
        return ones(rows, 1) * bias
    rounded = bias * arb(1)  # to the working precision: the copies are short
    return arb_mat(rows, bias.ncols(), rounded.entries() * (rows // bias.nrows()))
