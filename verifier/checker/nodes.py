"""The node kinds: for each one rule for the shape of its tensor, and one for the numbers in it.

A kind is a line of the table KINDS at the end. `shape` derives the shape of the node's tensor from the shapes of what
it reads, and refuses what does not fit. `compute` says, by the operations of arithmetic.py, what its table is; it is
the definition of the kind, in whatever arithmetic the numbers are. FORMAT.md says the same in words.

Glossary: `node.shapes` are the shapes of what the node reads, in order, `node.shape` is its own. `tables` are the
tables of what it reads. The *last axis* of a row is its pieces of the length `shape[-1]`.
"""

from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any, NamedTuple

from flint import fmpq

from .arithmetic import Arithmetic, Row, Table, groups, paired, side_by_side
from .common import Rejection, require
from .geometry import (
    Places,
    Shape,
    broadcast,
    common_shape,
    concatenated,
    extent_of,
    permuted,
    taken,
    windows_of,
)

Node = SimpleNamespace
MANY = 1 << 20  # the most nodes that one node may read


def fits(holds: bool, node: Node, message: str) -> None:
    """Guarantee: on return what the node reads fits, as far as this condition says it."""
    require(holds, node.path, "network.node", f"{node.kind}: {message}", [list(shape) for shape in node.shapes[:8]])


def spread(ops: Arithmetic, table: Table, shape: Shape, target: Shape) -> Table:
    """Return a tensor's entries in a larger shape, to which it broadcasts."""
    return ops.gather([table], broadcast(shape, target))


# ---- leaves


def own_shape(node: Node) -> Shape:
    """Return the shape that the node states."""
    return tuple(node.stated_shape)


def never(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Leaves have values of their own, which whoever evaluates the network knows."""
    raise NotImplementedError


# ---- affine: dense layers, convolutions, products along the last axis


def affine_parts(node: Node) -> tuple[list[int], int, int | None]:
    """Return which reads are the sources, the weights, and the biases."""
    count = len(node.reads) - (2 if node.bias else 1)
    return list(range(count)), count, count + 1 if node.bias else None


def affine_shape(node: Node) -> Shape:
    """Return the shape, and note `filters`, `positions` and `filters_first`.

    The result is numbered filter by filter for windows, else position by position.
    """
    parts, weight_at, bias_at = affine_parts(node)
    fits(len(parts) >= 1, node, "it reads no source")
    sources, weight = [node.shapes[part] for part in parts], node.shapes[weight_at]
    fits(len(weight) >= 1 and (len(weight) >= 2 or node.over == "all"), node, "weights without an axis of units")
    node.filters, node.positions, node.window = weight[0], 1, None
    if node.over == "all":
        shape: Shape = (node.filters,)
        read = sum(map(prod, sources))
    elif node.over == "last":
        fits(len(sources) == 1 and len(sources[0]) >= 1, node, "it must read one source with an axis")
        node.positions, read = prod(sources[0][:-1]), sources[0][-1]
        shape = (*sources[0][:-1], node.filters)
    else:
        channels = stacked_channels(node, sources)
        node.window = read_window(node, node.over, sources[0][1:])
        count = node.over.groups
        fits(channels % count == 0 == node.filters % count, node, "its groups divide neither channels nor filters")
        kernel = tuple(node.over.kernel)
        fits(weight[1:] == (channels // count, *kernel), node, "the weights are not filters x channels x kernel")
        node.positions, read = prod(node.window.outs), prod(weight[1:])
        shape = (node.filters, *node.window.outs)
    fits(read == prod(weight[1:]), node, "a unit reads more or fewer numbers than it has weights")
    node.fan_in, node.filters_first = read, node.over != "last"
    if bias_at is not None:
        known = (shape, (node.filters,))
        fits(node.shapes[bias_at] in known, node, "the biases are neither one per filter nor one per entry")
    return shape


def stacked_channels(node: Node, sources: list[Shape]) -> int:
    """Return the number of channels of sources over which windows slide."""
    deep = all(len(shape) >= 1 for shape in sources) and len({shape[1:] for shape in sources}) == 1
    fits(deep, node, "its sources have different extents")
    return sum(shape[0] for shape in sources)


def read_window(node: Node, window: Any, extents: Shape) -> SimpleNamespace:
    """Return how a window slides, a number per axis each: extents, kernel, stride, padding, dilation, outs."""
    kernel, stride, padding, dilation = window.kernel, window.stride, window.padding, window.dilation
    same = {len(extents)} == {len(kernel), len(stride), len(padding), len(dilation)}
    fits(same, node, "kernel, stride, padding and dilation need a number per axis")
    lengths = [extent_of(k, d) for k, d in zip(kernel, dilation, strict=True)]
    inside = all(p < k <= n + 2 * p for n, k, p in zip(extents, lengths, padding, strict=True))
    fits(inside, node, "kernel, dilation or padding do not fit the extents")
    outs = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(extents, lengths, stride, padding, strict=True)]
    return SimpleNamespace(
        extents=extents, kernel=kernel, stride=stride, padding=padding, dilation=dilation, outs=tuple(outs)
    )


def windows_of_affine(node: Node) -> list[list[Any]]:
    """Return for each group of filters, for each position, the places that it reads in the sources side by side."""
    if node.window is None:
        return [[range(at * node.fan_in, (at + 1) * node.fan_in) for at in range(node.positions)]]
    channels = sum(shape[0] for shape in node.shapes[: len(affine_parts(node)[0])])
    size = channels // node.over.groups
    return list(windows_of(node.window, [range(g * size, (g + 1) * size) for g in range(node.over.groups)]))


def affine(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return bias + sum of weight * source over the window, for every filter at every position."""
    parts, weight_at, bias_at = affine_parts(node)
    bias = None if bias_at is None else tables[bias_at]
    return ops.affine(node, [tables[part] for part in parts], tables[weight_at], bias)


# ---- entry by entry


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
    """Return an exact multiple."""
    return ops.scale(tables[0], ops.number(node.factor))


def inverse_root(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return 1 / sqrt(x + epsilon)."""
    return ops.inverse_root(node, tables[0])


# ---- along the last axis


def with_last_axis(node: Node) -> Shape:
    """Return the shape of what is read, which has an axis."""
    fits(len(node.shapes[0]) >= 1, node, "a single number has no last axis")
    return same_shape(node)


def normalised(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Normalise every piece of the last axis."""
    length = node.shape[-1]
    return [[y for piece in groups(row, length) for y in ops.normalise(node, piece)] for row in tables[0]]


def softmax_shape(node: Node) -> Shape:
    """Return the shape of the scores, to which a mask broadcasts."""
    node.scores = with_last_axis(node)
    fits(common_shape(node.shapes) == node.scores, node, "the mask does not broadcast to the scores")
    found: Shape = node.scores
    return found


def has_mask(node: Node) -> bool:
    """Return whether the last node that is read is a mask."""
    return node.kind in ("softmax", "attend") and len(node.reads) == KINDS[node.kind].most


def seen_places(ops: Arithmetic, node: Node, mask: Table) -> list[list[Places]]:
    """Return, for each row of a mask and each piece of the scores' last axis, the places in it that are not left out.

    Guarantee: the mask's entries are exactly 0 or 1, at least one in each piece is 1; otherwise Rejection.
    """
    found = []
    for row in spread(ops, mask, node.shapes[-1], node.scores):
        pieces = groups(list(map(ops.whole, row)), node.scores[-1])
        plain = all(1 in piece and set(piece) <= {0, 1} for piece in pieces)
        require(plain, node.path, "network.mask", "a row of a mask is not of exact zeros and ones, one 1 at least")
        found.append([[place for place, entry in enumerate(piece) if entry == 1] for piece in pieces])
    return found


def all_seen(node: Node) -> list[list[Places]]:
    """Return what `seen_places` returns for a mask of ones."""
    length = node.scores[-1]
    return [[list(range(length))] * (prod(node.scores) // length)]


def shares(ops: Arithmetic, node: Node, scores: Row, seen: list[Places]) -> Row:
    """Return the softmax of every piece; what the mask leaves out has the share 0, and its score does not count."""
    length, found = node.scores[-1], list[Any]()
    for number, kept in enumerate(seen):
        piece = [ops.zero] * length
        chosen = [scores[number * length + place] for place in kept]
        for place, share in zip(kept, ops.softmax(node, chosen), strict=True):
            piece[place] = share
        found += piece
    return found


def softmax(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the softmax along the last axis."""
    seen = seen_places(ops, node, tables[1]) if has_mask(node) else all_seen(node)
    return [shares(ops, node, scores, places) for scores, places in paired([tables[0], seen])]


# ---- products of two tensors


def contract_shape(node: Node) -> Shape:
    """Return (..., n, m) of (..., n, k) and (..., k, m), or (..., m, k) if transposed."""
    a, b = node.shapes
    fits(len(a) >= 2 and len(b) >= 2, node, "both need two axes")
    inner, columns = (b[-1], b[-2]) if node.transposed else (b[-2], b[-1])
    fits(a[-1] == inner, node, "the inner extents differ")
    lead = common_shape([a[:-2], b[:-2]])
    fits(lead is not None, node, "the leading axes do not broadcast")
    node.work = prod(lead or ()) * a[-2] * inner * columns
    return (*(lead or ()), a[-2], columns)


def contract(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return one matrix product for every place of the leading axes."""
    (n, k), m, lead = node.shapes[0][-2:], node.shape[-1], node.shape[:-2]
    a, b = (spread(ops, table, shape, (*lead, *shape[-2:])) for table, shape in zip(tables, node.shapes, strict=True))
    found = []
    for left, right in paired([a, b]):
        pairs = zip(groups(left, n * k), groups(right, k * m), strict=True)
        found.append([entry for x, y in pairs for entry in ops.product(x, y, n, k, m, node.transposed)])
    return found


def attend_shape(node: Node) -> Shape:
    """Return (..., t, e) of q (..., t, c), k (..., s, c), v (..., s, e), and perhaps a mask of (..., t, s)."""
    q, k, v = node.shapes[:3]
    fits(min(len(q), len(k), len(v)) >= 2, node, "q, k and v need two axes")
    fits(q[-1] == k[-1] and k[-2] == v[-2], node, "the extents of q, k and v do not fit")
    lead = common_shape([q[:-2], k[:-2], v[:-2]])
    if lead is None:
        raise Rejection(node.path, "network.node", "attend: the leading axes do not broadcast", node.shapes)
    node.lead, node.scores = lead, (*lead, q[-2], k[-2])
    fits(
        common_shape([node.scores, *node.shapes[3:]]) == node.scores, node, "the mask does not broadcast to the scores"
    )
    node.work = prod(node.scores) * (q[-1] + v[-1])
    return (*lead, q[-2], v[-1])


def attend(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return softmax(sqrt(square) q k^T, mask) v for every place of the leading axes."""
    (t, c), (s, e) = node.shapes[0][-2:], node.shapes[2][-2:]
    spreads = [
        spread(ops, table, shape, (*node.lead, *shape[-2:]))
        for table, shape in zip(tables[:3], node.shapes[:3], strict=True)
    ]
    seen = seen_places(ops, node, tables[3]) if has_mask(node) else all_seen(node)
    factor, found = ops.root(node), []
    for q, k, v, places in paired([*spreads, seen]):
        row: Row = []
        for at in range(prod(node.lead)):
            scores = ops.product(q[at * t * c : (at + 1) * t * c], k[at * s * c : (at + 1) * s * c], t, c, s, True)
            scores = [score * factor for score in scores]
            weights = shares(ops, node, scores, places[at * t : (at + 1) * t])
            row += ops.average(weights, v[at * s * e : (at + 1) * s * e], t, s, e)
        found.append(row)
    return found


# ---- sums, means, maxima


def reduce_shape(node: Node) -> Shape:
    """Return the shape without the last axes."""
    shape = node.shapes[0]
    fits(1 <= node.axes <= len(shape), node, "fewer axes than it takes")
    node.length = prod(shape[len(shape) - node.axes :])
    return tuple(shape[: len(shape) - node.axes])


def reduce_by(ops: Arithmetic, node: Node, table: Table, length: int) -> Table:
    """Return the sum, mean or maximum of pieces of one length."""
    if node.how == "max":
        return [[ops.largest(node, piece) for piece in groups(row, length)] for row in table]
    total = ops.total(table, length)
    return total if node.how == "sum" else ops.scale(total, ops.number(fmpq(1, length)))


def reduced(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the sum, mean or maximum over the last axes."""
    return reduce_by(ops, node, tables[0], node.length)


def pool_shape(node: Node) -> Shape:
    """Return (channels, *positions)."""
    shape = node.shapes[0]
    fits(len(shape) >= 1, node, "a single number has no channels")
    node.window = read_window(node, node, shape[1:])
    node.length = prod(node.kernel)
    return (shape[0], *node.window.outs)


def pool_places(node: Node) -> Places:
    """Return the places of all windows, channel by channel; a maximum looks at the first place instead of padding."""
    shape, size = node.shapes[0], prod(node.shapes[0])
    found: Places = []
    for windows in windows_of(node.window, [range(channel, channel + 1) for channel in range(shape[0])]):
        for window in windows:
            inside = [place for place in window if place < size]
            if node.how == "max":
                fits(bool(inside), node, "a window lies in the padding alone")
                window = [place if place < size else inside[0] for place in window]
            found += window
    return found


def pooled(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the mean, padding counted as zeros, or the maximum, padding left out, over every window."""
    windows = ops.gather([tables[0], [[ops.zero]]], places(node, pool_places))
    return reduce_by(ops, node, windows, node.length)


# ---- kinds that move entries and compute nothing


def places(node: Node, make: Callable[[Node], Places | None]) -> Places | None:
    """Return the places that a node reads, made once."""
    if not hasattr(node, "places"):
        node.places = make(node)
    return node.places


def reshape_shape(node: Node) -> Shape:
    """Return the stated shape."""
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
    found, count = [list(map(ops.whole, row)) for row in tokens], node.shapes[1][0]
    known = all(number is not None and 0 <= number < count for row in found for number in row)
    require(known, node.path, "network.token", "a token is not the number of a row of the table", None, f"{count} rows")
    return found


def embed(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the table's rows that the tokens number, from 0 on."""
    lines = groups(tables[1][0], prod(node.shapes[1][1:]))
    return [[entry for number in row for entry in lines[number]] for row in token_rows(ops, node, tables[0])]


class Kind(NamedTuple):
    """A node kind: the least and the largest number of nodes that it reads, its shape, its numbers."""

    least: int
    most: int
    shape: Callable[[Node], Shape]
    compute: Callable[[Arithmetic, Node, list[Table]], Table]


KINDS = {
    "input": Kind(0, 0, own_shape, never),
    "parameter": Kind(0, 0, own_shape, never),
    "constant": Kind(0, 0, own_shape, never),
    "affine": Kind(2, MANY, affine_shape, affine),
    "map": Kind(1, 1, same_shape, activation),
    "add": Kind(2, MANY, common, added),
    "multiply": Kind(2, MANY, common, multiplied),
    "gate": Kind(3, 3, common, gated),
    "scale": Kind(1, 1, same_shape, scaled),
    "inverse-root": Kind(1, 1, same_shape, inverse_root),
    "normalise": Kind(1, 1, with_last_axis, normalised),
    "softmax": Kind(1, 2, softmax_shape, softmax),
    "attend": Kind(3, 4, attend_shape, attend),
    "contract": Kind(2, 2, contract_shape, contract),
    "reduce": Kind(1, 1, reduce_shape, reduced),
    "pool": Kind(1, 1, pool_shape, pooled),
    "reshape": Kind(1, 1, reshape_shape, reshaped),
    "permute": Kind(1, 1, permute_shape, permute),
    "take": Kind(1, 1, take_shape, take),
    "concatenate": Kind(1, MANY, concatenate_shape, concatenate),
    "expand": Kind(1, 1, expand_shape, expand),
    "embed": Kind(2, 2, embed_shape, embed),
}


def columns_of(ops: Arithmetic, network: Any, values: dict[int, Table]) -> Table:
    """Return the rows of Psi from the tables of the nodes: the features side by side."""
    count, parts = max(map(len, values.values())), []
    for feature in network.features:
        chosen = ops.gather([values[feature.node]], feature.entries)
        parts.append(chosen if len(chosen) == count else chosen * count)
    return side_by_side(parts)
