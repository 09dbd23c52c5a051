"""A network in words: a line per layer, block or node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from verifier.network.layer_arguments import Source
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

if TYPE_CHECKING:
    from verifier.network.network import Network


def by(sizes: Sequence[int]) -> str:
    """Write sizes with crosses between them, as in 3x32x32."""
    return "x".join(map(str, sizes))


def kind_of(block: object) -> str:
    """The kind of a block as its table calls it."""
    return str(getattr(block, "kind", type(block).__name__))


def layer_line(network: Network, index: int) -> str:
    """Describe one layer of a layered network."""
    layer, shape = network.layers[index], network.shapes[index]
    reads = ", ".join("input" if s == "input" else f"layer {s}" for s in network.sources[index])
    skip = len(dict(network.skip_units).get(index, ()))
    what = f"{layer.kind} bias {layer.bias}" if layer.shares_weights else layer.kind
    for name, sizes in (("kernel", layer.kernel), ("stride", layer.steps), ("padding", layer.padding)):
        what += f" {name} {by(sizes)}" if sizes else ""
    what += "" if layer.activation is None else f" {layer.activation.name}"
    return f"layer {index:<8} {what}, {_sizes(shape, skip)}, reads {reads}"


def block_lines(network: Network) -> list[str]:
    """Describe a network that was made from blocks, a line per block."""
    lines = []
    for index, (block, output) in enumerate(zip(network.blocks, network.outputs, strict=True)):
        default: tuple[Source, ...] = ("input",) if index == 0 else (index - 1,)
        reads = ", ".join("input" if s == "input" else f"layer {s}" for s in tuple(block.inputs) or default)
        shape = network.node_shapes[output]
        skip = math.prod(shape) if block.skip is True else len(block.skip or ())
        sigma = getattr(block, "activation", None)
        what = f"{kind_of(block)} {sigma.name}" if isinstance(sigma, Activation) else kind_of(block)
        lines.append(f"layer {index:<8} {what}, {_sizes(shape, skip)}, reads {reads}")
    return lines


def node_lines(network: Network) -> list[str]:
    """Describe any network, a line per node that depends on the sample."""
    skips = {
        feature.node: math.prod(network.node_shapes[feature.node]) if feature.entries is None else len(feature.entries)
        for feature in network.features
    }
    lines = []
    for index, node in enumerate(network.nodes):
        if network.varies[index] and index:
            reads = ", ".join("input" if read == 0 else f"node {read}" for read in node.reads if network.varies[read])
            sizes = _sizes(network.node_shapes[index], skips.get(index, 0))
            lines.append(f"node {index:<9} {node.kind}, {sizes}, reads {reads}")
    return lines


def _sizes(shape: Shape, skip: int) -> str:
    return f"shape {by(shape)} = {math.prod(shape)} units, {skip} to the outputs"
