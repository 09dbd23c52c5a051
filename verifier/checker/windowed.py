"""The rules of node kinds that read windows: affine (dense layers, convolutions, products along the last axis), pools.

Glossary: as in rules.py. A *window* is the list of places that one position reads, see geometry.py.
"""

import itertools
from math import prod
from types import SimpleNamespace
from typing import Any

from flint import fmpq

from .arithmetic import Arithmetic, Table, groups
from .geometry import Places, Shape, extent_of, windows_of
from .rules import Node, fits, places


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


def reduce_shape(node: Node) -> Shape:
    """Return the shape that is read, without the last axes, which the node takes together."""
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


def running(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the running sums along the last axis: x_0, x_0 + x_1, .."""
    found = []
    for row in tables[0]:
        pieces = groups(row, node.shape[-1])
        found.append([total for piece in pieces for total in itertools.accumulate(piece)])
    return found


def pool_shape(node: Node) -> Shape:
    """Return the shape (channels, and one length for each axis of positions)."""
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
