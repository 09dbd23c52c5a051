"""Shapes and places: where each entry of a node's tensor is found in the flat rows of what the node reads.

Glossary: the tensor of one sample is a *row*, its entries in C order (the last index runs fastest). A *place* is an
index into a row, or into several rows put side by side. A *window* is the list of places that one position reads; the
padding of a window has the place after the last, where whoever cuts windows puts an exact zero.
"""

import itertools
from math import prod
from types import SimpleNamespace

Shape = tuple[int, ...]
Places = list[int]


def strides(shape: Shape) -> list[int]:
    """Return for each axis how far apart in the row two neighbours along it are."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def grid(axes: list[list[int]]) -> Places:
    """Return all sums of one offset from each axis, the last axis fastest."""
    found = [0]
    for offsets in axes:
        found = [place + offset for place in found for offset in offsets]
    return found


def common_shape(shapes: list[Shape]) -> Shape | None:
    """Return the shape to which all of these broadcast: from the last axis on, equal or 1; None if there is none."""
    found: list[int] = []
    for extents in itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        longer = {extent for extent in extents if extent != 1}
        if len(longer) > 1:
            return None
        found.append(longer.pop() if longer else 1)
    return tuple(reversed(found))


def broadcast(shape: Shape, target: Shape) -> Places | None:
    """Return the places that a tensor's entries take in a larger shape, to which it broadcasts; None: all in order."""
    if prod(shape) == prod(target):
        return None
    padded = (1,) * (len(target) - len(shape)) + shape
    steps = zip(padded, target, strides(padded), strict=True)
    return grid([[i * step if n > 1 else 0 for i in range(extent)] for n, extent, step in steps])


def permuted(shape: Shape, axes: list[int]) -> Places:
    """Return the places of a tensor whose axis k is axis `axes[k]` of one of this shape."""
    steps = strides(shape)
    return grid([[i * steps[axis] for i in range(shape[axis])] for axis in axes])


def taken(shape: Shape, axis: int, entries: list[int]) -> Places:
    """Return the places of these entries along one axis."""
    steps = strides(shape)
    axes = [[i * step for i in range(n)] for n, step in zip(shape, steps, strict=True)]
    axes[axis] = [entry * steps[axis] for entry in entries]
    return grid(axes)


def concatenated(shapes: list[Shape], axis: int) -> Places:
    """Return the places, in the rows side by side, of tensors that stand one after the other along an axis."""
    starts = itertools.accumulate(map(prod, shapes), initial=0)
    chunks = [(start, prod(shape[axis:])) for start, shape in zip(starts, shapes, strict=False)]
    return [
        start + lead * chunk + i
        for lead in range(prod(shapes[0][:axis]))
        for start, chunk in chunks
        for i in range(chunk)
    ]


def extent_of(size: int, dilation: int) -> int:
    """Return how long a window of so many places is."""
    return (size - 1) * dilation + 1


def windows_of(window: SimpleNamespace, groups: list[range]) -> list[list[Places]]:
    """Return for every group of channels, for every position, what its window sees: places in the row of all channels.

    Each axis gives offsets of its own, which add up to a place. An offset outside of the extents is so far below 0 that
    the sum is: such a place is in the padding, and has the index after the last.
    """
    plane, padding = prod(window.extents), groups[-1].stop * prod(window.extents)
    axes = []  # for each axis the offsets of each of its windows
    for axis, (n, k, s, p, d, out) in enumerate(
        zip(window.extents, window.kernel, window.stride, window.padding, window.dilation, window.outs, strict=True)
    ):
        unit = prod(window.extents[axis + 1 :])
        seen = [range(at * s - p, at * s - p + extent_of(k, d), d) for at in range(out)]
        axes.append([[x * unit if 0 <= x < n else -padding for x in places] for places in seen])
    boxes = [grid(list(box)) for box in itertools.product(*axes)]
    return [
        [[c * plane + i if i >= 0 else padding for c in channels for i in box] for box in boxes] for channels in groups
    ]
