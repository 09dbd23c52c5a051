"""The rules of node kinds that move entries and compute nothing, and of the one that takes rows of a table by tokens.

Glossary: as in rules.py. A *place* is an index into the rows of what the node reads, side by side, see geometry.py.
"""

from math import prod

from .arithmetic import Arithmetic, Table, groups
from .common import require
from .geometry import Shape, broadcast, common_shape, concatenated, permuted, taken
from .rules import Node, fits, own_shape, places


def reshape_shape(node: Node) -> Shape:
    """Return the shape that a reshape states, which must have as many entries as what it reads."""
    fits(prod(node.stated_shape) == prod(node.shapes[0]), node, "another number of entries")
    return own_shape(node)


def reshaped(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the same entries in the same order."""
    return tables[0]


def permute_shape(node: Node) -> Shape:
    """Return the extents in the order of the axes."""
    shape = node.shapes[0]
    fits(sorted(node.axes) == list(range(len(shape))), node, "the axes are no order of those that it reads")
    return tuple(shape[axis] for axis in node.axes)


def permute(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the entries with the axes in another order: axis k is axis axes[k] of what is read."""
    return ops.gather(tables, places(node, lambda node: permuted(node.shapes[0], node.axes)))


def take_shape(node: Node) -> Shape:
    """Return the shape with as many entries along the axis as are taken."""
    shape = node.shapes[0]
    inside = node.axis < len(shape) and max(node.entries) < shape[node.axis]
    fits(inside, node, "the axis, or an entry of it, is not there")
    return (*shape[: node.axis], len(node.entries), *shape[node.axis + 1 :])


def take(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return entries along one axis."""
    return ops.gather(tables, places(node, lambda node: taken(node.shapes[0], node.axis, node.entries)))


def concatenate_shape(node: Node) -> Shape:
    """Return the shape with the extents along the axis added up."""
    first, axis = node.shapes[0], node.axis
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in node.shapes}
    same = axis < len(first) and len(others) == 1 and {len(shape) for shape in node.shapes} == {len(first)}
    fits(same, node, "the shapes differ in other axes")
    return (*first[:axis], sum(shape[axis] for shape in node.shapes), *first[axis + 1 :])


def concatenate(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return tensors one after the other along an axis."""
    return ops.gather(tables, places(node, lambda node: concatenated(node.shapes, node.axis)))


def expand_shape(node: Node) -> Shape:
    """Return the stated shape, to which what is read broadcasts."""
    target = own_shape(node)
    fits(common_shape([node.shapes[0], target]) == target, node, "it does not broadcast to the stated shape")
    return target


def expand(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the entries, repeated along axes of extent 1 and along new axes."""
    return ops.gather(tables, places(node, lambda node: broadcast(node.shapes[0], node.shape)))


def embed_shape(node: Node) -> Shape:
    """Return the tokens' shape and then that of a row of the table."""
    fits(len(node.shapes[1]) >= 1, node, "the table has no rows")
    return (*node.shapes[0], *node.shapes[1][1:])


def token_rows(ops: Arithmetic, node: Node, tokens: Table) -> list[list[int]]:
    """Return the tokens. Guarantee: they are whole numbers of rows of the table; otherwise Rejection."""
    count, found = node.shapes[1][0], list[list[int]]()
    for row in tokens:
        numbers = [number for number in map(ops.whole, row) if number is not None and 0 <= number < count]
        message = "a token is not the number of a row of the table"
        require(len(numbers) == len(row), node.path, "network.token", message, None, f"{count} rows")
        found.append(numbers)
    return found


def embed(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the table's rows that the tokens number, from 0 on."""
    lines = groups(tables[1][0], prod(node.shapes[1][1:]))
    return [[entry for number in row for entry in lines[number]] for row in token_rows(ops, node, tables[0])]
