"""The network: a straight-line programme of nodes, the columns of Psi, and what each node depends on.

Glossary: a node *varies* if it depends on the sample, and *moves* if it depends on U, whose parts are the parameter
nodes, in their order. A node that does not vary has one value for all samples.
"""

from math import prod
from operator import lt
from types import SimpleNamespace
from typing import Any

from .attention import has_mask
from .common import Exact, afford, require, words
from .container import Arrays
from .expression import parse
from .nodes import KINDS
from .windowed import affine_parts

# of all nodes together: entries, places in windows, multiply-adds of products. A short document can ask for any number.
MAX_UNITS, MAX_PLACES, MAX_WORK = 1 << 26, 1 << 27, 1 << 32
# 64-bit words that the balls of one block of samples may take; words of a ball besides its digits
BLOCK_WORDS, BALL_WORDS = 1 << 24, 16


def read_network(raw: Any, inputs: Exact | None, samples: int, dimension: int, arrays: Arrays) -> SimpleNamespace:
    """Read the network; every shape is derived and compared. Without inputs, or weights, no node has a value."""
    nodes, sizes = raw.nodes, SimpleNamespace(units=0, places=0, widest=0, work=0)
    for number, node in enumerate(nodes):
        read_node(number, node, nodes, sizes)
        read_values(node, arrays)
    found = prod(nodes[0].shape)
    require(found == dimension, nodes[0].path + "/shape", "shape", "not the dimension", list(nodes[0].shape), dimension)
    columns = sum(read_feature(feature, nodes) for feature in raw.features)
    message = "is not the number of the features' entries"
    require(raw.columns == columns, raw.path + "/columns", "network.features", message, raw.columns, columns)
    return SimpleNamespace(
        inputs=inputs,
        nodes=nodes,
        features=raw.features,
        columns=columns,
        samples=samples,
        units=sum(prod(node.shape) for node in nodes if node.varies),
        widest=sizes.widest,
    )


def read_node(number: int, node: SimpleNamespace, nodes: list[Any], sizes: SimpleNamespace) -> None:
    """Derive a node's shape and what it depends on; `sizes`, which are bounded, grow by the node's own."""
    kind, path = KINDS[node.kind], node.path
    node.number, node.stated_shape = number, tuple(getattr(node, "shape", ()))
    require((number == 0) == (node.kind == "input"), path, "network.node", "node 0 is the input, and no other", number)
    count = len(node.reads)
    message = f"{node.kind} reads {kind.least} to {kind.most} nodes"
    require(kind.least <= count <= kind.most, path + "/reads", "network.reads", message, count)
    earlier = all(read < number for read in node.reads)
    require(earlier, path + "/reads", "network.reads", "reads a node that is not an earlier one", node.reads[:20])
    node.shapes = [nodes[read].shape for read in node.reads]
    node.work = 0
    if node.kind == "map":
        node.activation = parse(node.activation, path + "/activation")
    node.shape = kind.shape(node)
    node.varies = number == 0 or any(nodes[read].varies for read in node.reads)
    node.moves = node.kind == "parameter" or any(nodes[read].moves for read in node.reads)
    require_dependence(node, nodes)
    measure(node, sizes)


def require_dependence(node: SimpleNamespace, nodes: list[Any]) -> None:
    """Guarantee: weights and tables do not depend on the sample, tokens and masks not on U."""
    path = node.path + "/reads"
    if node.kind == "affine":
        fixed = not any(nodes[read].varies for read in node.reads[len(affine_parts(node)[0]) :])
        require(fixed, path, "network.reads", "weights or biases depend on the sample", node.reads[-2:])
    if node.kind == "embed":
        tokens, table = (nodes[read] for read in node.reads)
        fixed = not (tokens.moves or table.varies)
        require(fixed, path, "network.reads", "tokens depend on U, or the table on the sample", node.reads)
    if has_mask(node):
        require(not nodes[node.reads[-1]].moves, path, "network.reads", "the mask depends on U", node.reads[-1])


def measure(node: SimpleNamespace, sizes: SimpleNamespace) -> None:
    """Add the node's sizes to those of the others, which are bounded."""
    size = prod(node.shape)
    sizes.units += size if node.reads else 0  # the values of leaves cost the files as much
    afford(sizes.units, MAX_UNITS, node.path, "entries of all nodes")
    if node.kind in ("affine", "pool") and node.window is not None:
        sources = node.shapes if node.kind == "pool" else node.shapes[: len(affine_parts(node)[0])]
        places = prod(node.window.outs) * prod(node.window.kernel) * sum(shape[0] for shape in sources)
        sizes.places, sizes.widest = sizes.places + places, max(sizes.widest, places)
        afford(sizes.places, MAX_PLACES, node.path, "places in windows")
    sizes.work += max(node.work, size * len(node.reads))
    afford(sizes.work, MAX_WORK, node.path, "multiply-adds of one sample")


def read_values(node: SimpleNamespace, arrays: Arrays) -> None:
    """Replace the reference to a leaf's values by the values: `exact`, or None."""
    node.exact = None
    if node.kind in ("parameter", "constant") and node.values is not None:
        node.exact = arrays.exact(node.values, *(node.shape or (1,)))


def read_feature(feature: SimpleNamespace, nodes: list[Any]) -> int:
    """Return how many columns of Psi a feature is."""
    path = feature.path
    require(feature.node < len(nodes), path + "/node", "schema.value", "is not a node", feature.node, len(nodes))
    size, entries = int(prod(nodes[feature.node].shape)), feature.entries
    if entries is None:
        return size
    ordered = increasing(entries)
    require(ordered, path + "/entries", "network.features", "must be strictly increasing", entries[:20])
    inside = entries[-1] < size
    require(inside, path + "/entries", "network.features", "is not an entry of the node", entries[-1], size)
    return len(entries)


def move(network: SimpleNamespace, point: list[SimpleNamespace], arrays: Arrays) -> SimpleNamespace:
    """Return the same network with other values of the parameters that `point` lists."""
    nodes = list(network.nodes)
    for entry in point:
        known = entry.node < len(nodes) and nodes[entry.node] is network.nodes[entry.node]
        known = known and nodes[entry.node].kind == "parameter"
        message = "no such parameter node, or listed twice"
        require(known, entry.path + "/node", "network.parameter", message, entry.node)
        nodes[entry.node] = SimpleNamespace(**vars(network.nodes[entry.node]))
        nodes[entry.node].values = entry.values
        read_values(nodes[entry.node], arrays)
    return SimpleNamespace(**{**vars(network), "nodes": nodes})


def increasing(numbers: list[int]) -> bool:
    """Return whether the numbers are strictly increasing."""
    return all(map(lt, numbers, numbers[1:]))


def cut_blocks(
    network: SimpleNamespace, labels: list[int], jobs: int, bits: int, others: int = 0, held: int = 0
) -> list[list[int]]:
    """Cut the samples, ordered by their labels, into blocks that are evaluated together.

    The balls of a block, of so many bits and `others` more for each sample, fit into BLOCK_WORDS, or into half the room
    of the `held` numbers that stay in memory, or it has one sample.

    Guarantee: every sample is in exactly one block.
    """
    widest = max(network.units, network.widest, others)
    count = -(-network.samples // max(1, max(BLOCK_WORDS, held // 2) // (widest * (BALL_WORDS + words(bits)))))
    rows = -(-network.samples // (-(-count // jobs) * jobs))  # equal blocks, as many for each process
    ordered = sorted(range(network.samples), key=labels.__getitem__)
    return [ordered[start : start + rows] for start in range(0, len(ordered), rows)]
