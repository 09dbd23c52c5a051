"""What the rules of all node kinds share, and the rules of the kinds that work entry by entry.

Glossary: `node.shapes` are the shapes of what the node reads, in order, `node.shape` is its own. `tables` are the
tables of what it reads. A rule for shapes returns the node's own shape, and refuses what does not fit; a rule for
numbers returns its table, by the operations of arithmetic.py.
"""

from collections.abc import Callable
from types import SimpleNamespace

from .arithmetic import Arithmetic, Table
from .common import Rejection, require
from .geometry import Places, Shape, broadcast, common_shape

Node = SimpleNamespace


def fits(holds: bool, node: Node, message: str) -> None:
    """Guarantee: on return what the node reads fits, as far as this condition says it."""
    require(holds, node.path, "network.node", f"{node.kind}: {message}", [list(shape) for shape in node.shapes[:8]])


def spread(ops: Arithmetic, table: Table, shape: Shape, target: Shape) -> Table:
    """Return a tensor's entries in a larger shape, to which it broadcasts."""
    return ops.gather([table], broadcast(shape, target))


def own_shape(node: Node) -> Shape:
    """Return the shape that the node states."""
    return tuple(node.stated_shape)


def never(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Leaves have values of their own, which whoever evaluates the network knows."""
    raise NotImplementedError


def same_shape(node: Node) -> Shape:
    """Return the shape of what is read."""
    found: Shape = node.shapes[0]
    return found


def activation(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Apply the activation to every entry."""
    return ops.map(node, tables[0])


def common(node: Node) -> Shape:
    """Return the shape to which all that is read broadcasts."""
    found = common_shape(node.shapes)
    if found is None:
        raise Rejection(node.path, "network.node", f"{node.kind}: the shapes do not broadcast", node.shapes[:8])
    return found


def all_spread(ops: Arithmetic, node: Node, tables: list[Table]) -> list[Table]:
    """Return all tables in the common shape."""
    return [spread(ops, table, shape, node.shape) for table, shape in zip(tables, node.shapes, strict=True)]


def added(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the sum, entry by entry."""
    first, *others = all_spread(ops, node, tables)
    for other in others:
        first = ops.add(first, other)
    return first


def multiplied(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the product, entry by entry."""
    first, *others = all_spread(ops, node, tables)
    for other in others:
        first = ops.multiply(first, other)
    return first


def gated(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return (1 - z) a + z b."""
    z, a, b = all_spread(ops, node, tables)
    return ops.gate(z, a, b)


def scaled(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the table that is read times the node's exact factor."""
    return ops.scale(tables[0], ops.number(node.factor))


def inverse_root(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return 1 / sqrt(x + epsilon)."""
    return ops.inverse_root(node, tables[0])


def places(node: Node, make: Callable[[Node], Places | None]) -> Places | None:
    """Return the places that a node reads, made once."""
    if not hasattr(node, "places"):
        node.places = make(node)
    found: Places | None = node.places
    return found
