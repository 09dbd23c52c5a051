"""Layers that are found in the graph: units with weights and biases of their own, and averages over windows.

A network is *layered* if it consists of layers alone: nodes ``map`` of ``affine`` whose weights and biases are
parameters that nothing else reads (over everything: dense; over windows: a convolution), and means over windows without
padding; each layer reads the input or earlier layers; features are entries of layers, perhaps followed by one constant
column that is not 0, the output bias. What this finds is a second description of the same network, never another one.

Glossary: a layer's inputs, flattened and side by side, are a *row*; the row is cut into *windows*, one per output
*position*; each of the weight vectors (`weight` is filters x window length) meets each window, the bias (positions x
filters, or one row for all) is added, the sum is divided by `divisor`, and the activation applied. Unit (filter,
position) has the number filter * positions + position. An average has one filter, of ones, and windows of each channel.
"""

from collections import Counter
from math import prod
from types import SimpleNamespace
from typing import Any

from flint import fmpz_mat

from .common import Exact, require
from .expression import parse
from .geometry import windows_of
from .windowed import affine_parts, windows_of_affine

INPUT = -1  # the number of the network's input in a layer's list of inputs


def layered(network: Any) -> Any:
    """Return the network as a list of layers, or None if it is not made of layers.

    Guarantee: if not None, then every node is the input, part of one layer, a parameter of one, or the output bias;
    Psi is the skip units of the layers, in order, and after them one column of ones times a number that is not 0 if
    `output_bias`. The namespace has `layers`, `skip_units` (their number, without the output bias), `output_bias`,
    `inputs`, `samples`.
    """
    readers = readers_of(network)
    numbers = {0: INPUT}  # of the layers, by the nodes that are their outputs
    layers: list[SimpleNamespace] = []
    explained = {0}
    for node in network.nodes:
        found = None
        if node.kind == "map":
            found = units_of(network, node, readers)
        elif node.kind == "pool":
            found = average_of(node)
        if found is None:
            continue
        layer, sources, parts = found
        if not set(sources) <= set(numbers) or len(set(sources)) != len(sources):
            return None
        layer.number, layer.node, layer.path = len(layers), node.number, node.path
        layer.inputs, layer.skip = [numbers[source] for source in sources], []
        numbers[node.number] = layer.number
        layers.append(layer)
        explained |= {node.number, *parts}
    bias = output_bias(network)
    explained |= set() if bias is None or readers[bias] else {bias}
    ordered = place_skips(network, layers, numbers, bias is not None)
    if not ordered or len(explained) != len(network.nodes):
        return None
    return SimpleNamespace(
        layers=layers,
        skip_units=sum(len(layer.skip) for layer in layers),
        output_bias=bias is not None,
        inputs=network.inputs,
        samples=network.samples,
    )


def readers_of(network: Any) -> Counter[int]:
    """Return for each node how many nodes read it."""
    return Counter(read for node in network.nodes for read in set(node.reads))


def require_layered(network: Any, raw: Any) -> Any:
    """Return the network as layers; a claim whose rule is about layers does not apply to other networks."""
    found = layered(network)
    message = "this rule is about layers of units with weights of their own; the network is not such layers alone"
    require(found is not None, raw.path, "network.layered", message, raw.label)
    return found


def own_parameter(node: Any, readers: Any) -> bool:
    """Return whether a node is a parameter that one node reads, and no feature can be."""
    return bool(node.kind == "parameter" and readers[node.number] == 1)


def unit_layer(network: Any, node: Any, readers: Any) -> Any:
    """Return the affine node of units with weights and biases of their own whose output is this node, or None.

    Guarantee: the node is the activation of the affine node, and the only node that reads it; its weights and biases
    are different parameters that nothing else reads; no feature shows any of these. Were a second activation applied to
    the affine node, units of both would have the same weights: such units are not their own.
    """
    if node.kind != "map":
        return None
    inner = network.nodes[node.reads[0]]
    if inner.kind != "affine" or not inner.bias:
        return None
    weight, bias = (network.nodes[read] for read in inner.reads[-2:])
    own = len({weight.number, bias.number, *inner.reads[:-2]}) == len(set(inner.reads[:-2])) + 2
    own = own and own_parameter(weight, readers) and own_parameter(bias, readers)
    own = own and readers[inner.number] == 1
    shown = {feature.node for feature in network.features} & {inner.number, weight.number, bias.number}
    return inner if own and not shown else None  # Coq: A own


def units_of(network: Any, node: Any, readers: Any) -> Any:
    """Return a dense or convolutional layer, the nodes that it reads, and the nodes that it consists of; or None."""
    inner = unit_layer(network, node, readers)
    if inner is None:
        return None
    dense = inner.over == "all"
    plain = dense or (inner.window is not None and inner.over.groups == 1 and set(inner.over.dilation) <= {1})
    if not plain:
        return None
    weight, bias = (network.nodes[read] for read in inner.reads[-2:])
    windows, outs = windows_of_affine(inner)[0], [] if dense else list(inner.window.outs)
    layer = SimpleNamespace(
        kind="dense" if dense else "conv",
        windows=windows,
        activation=node.activation,
        units=prod(node.shape),
        width=sum(prod(network.nodes[read].shape) for read in inner.reads[:-2]),
        outs=outs,
        divisor=1,
        tied=not dense and bias.shape == (inner.filters,) and inner.positions > 1,
        weight_node=weight.number,
        bias_node=bias.number,
        weight=None,
        bias=None,
    )
    if weight.exact is not None and bias.exact is not None:
        layer.weight = weight.exact
        rows = inner.positions if len(bias.exact.integers.entries()) > inner.filters else 1
        entries = fmpz_mat(inner.filters, rows, bias.exact.integers.entries()).transpose().entries()
        layer.bias = bias.exact._replace(integers=fmpz_mat(rows, inner.filters, entries))
    sources = [inner.reads[part] for part in affine_parts(inner)[0]]
    return layer, sources, [inner.number, weight.number, bias.number]


def average_of(node: Any) -> Any:
    """Return the layer of a mean over windows without padding, the node that it reads, and no more nodes; or None."""
    if node.how != "mean" or any(node.padding) or not set(node.dilation) <= {1}:
        return None
    channels = [range(channel, channel + 1) for channel in range(node.shapes[0][0])]
    layer = SimpleNamespace(
        kind="avgpool",
        windows=[window for windows in windows_of(node.window, channels) for window in windows],
        activation=parse("t", node.path),
        units=prod(node.shape),
        width=prod(node.shapes[0]),
        outs=list(node.window.outs),
        divisor=node.length,
        tied=True,
        weight_node=None,
        bias_node=None,
        weight=Exact(fmpz_mat(1, node.length, [1] * node.length), 0, 1),
        bias=Exact(fmpz_mat(1, 1), 0, 1),  # one row stands for all positions
    )
    return layer, list(node.reads), []


def output_bias(network: Any) -> int | None:
    """Return the node of the last feature if that is a constant column that is not 0."""
    last = network.nodes[network.features[-1].node]
    one = last.kind == "constant" and prod(last.shape) == 1 and last.exact.integers[0, 0] != 0  # Coq: A start
    return int(last.number) if one else None


def place_skips(network: Any, layers: list[Any], numbers: dict[int, int], bias: bool) -> bool:
    """Note the skip units of every layer; return whether the features are those of layers, in their order."""
    before = -1
    for feature in network.features[: -1 if bias else None]:
        number = numbers.get(feature.node, INPUT)
        if number <= before:
            return False
        before = number
        layers[number].skip = range(layers[number].units) if feature.entries is None else feature.entries
    return before >= 0
