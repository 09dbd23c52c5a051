"""What moves entries and computes nothing: shapes, slices, selections by known indices, padding, repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.pytorch.operators.table import Context, number, operator, positive, shape_of
from verifier.adapters.translation.values import Known, Refused, Value

PADDINGS: Final[dict[str, Any]] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Of padding by entries, and what NumPy calls it."""


@operator(
    "view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten", "unflatten", "view_as", "reshape_as",
)  # fmt: skip
def reshape(c: Context, x: Any, *_: Any, **__: Any) -> Value:
    """Put the same entries, in order, into another shape."""
    return c.to.reshape(x, c.shape)


@operator("permute")
def permute(c: Context, x: Any, dims: Sequence[int]) -> Value:
    """Put the axes into another order."""
    return c.to.permute(x, [positive(axis, len(dims)) for axis in dims])


@operator("transpose", "swapaxes", "swapdims")
def transpose(c: Context, x: Any, one: int, other: int) -> Value:
    """Exchange two axes of a tensor: nothing is computed."""
    order = list(range(len(c.shape)))
    one, other = positive(one, len(order)), positive(other, len(order))
    order[one], order[other] = other, one
    return c.to.permute(x, order)


@operator("t", "numpy_T", "mT", "adjoint")
def turned(c: Context, x: Any) -> Value:
    """Exchange the last two axes, or turn all of them round."""
    order = list(range(len(c.shape)))
    if c.node.target.__name__.startswith("numpy_T"):
        return c.to.permute(x, order[::-1])
    return c.to.permute(x, [*order[:-2], *order[-2:][::-1]])


@operator("movedim", "moveaxis")
def move_axes(c: Context, x: Any, source: Any, target: Any) -> Value:
    """Move some axes to other places; the others keep their order."""
    axes = len(c.shape)
    one = [positive(a, axes) for a in (source if isinstance(source, list | tuple) else [source])]
    two = [positive(a, axes) for a in (target if isinstance(target, list | tuple) else [target])]
    rest = iter([a for a in range(axes) if a not in one])
    return c.to.permute(x, [one[two.index(a)] if a in two else next(rest) for a in range(axes)])


@operator("slice")
def part(c: Context, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Value:
    """Take the entries from one place to another along an axis."""
    length = shape_of(x)[dim]
    first, last, _ = slice(start, end).indices(length)
    if (first, last, step) == (0, length, 1):
        value: Value = x
        return value
    return c.to.slice(x, dim, first, last, step)


@operator("narrow")
def narrow(c: Context, x: Any, dim: int, start: int, length: int) -> Value:
    """Take so many entries from one place on along an axis."""
    return c.to.slice(x, dim, start, start + length)


@operator("select")
def select(c: Context, x: Any, dim: int, index: int) -> Value:
    """Take one entry along an axis; the axis goes."""
    return c.to.reshape(c.to.take(x, dim, [index % shape_of(x)[dim]]), c.shape)


@operator("unbind")
def unbind(c: Context, x: Any, dim: int = 0) -> tuple[Value, ...]:
    """All entries along an axis, each by itself."""
    shape = tuple(c.result[0].shape)
    return tuple(c.to.reshape(c.to.take(x, dim, [k]), shape) for k in range(shape_of(x)[dim]))


@operator("split", "split_with_sizes", "chunk", "tensor_split")
def split(c: Context, x: Any, _: Any, dim: int = 0) -> tuple[Value, ...]:
    """Parts along an axis, one after the other."""
    parts, start = [], 0
    for each in c.result:
        parts.append(part(c, x, dim, start, start + each.shape[dim]))
        start += each.shape[dim]
    return tuple(parts)


@operator("cat", "concat", "concatenate")
def concatenate(c: Context, xs: Sequence[Any], dim: int = 0) -> Value:
    """One after the other along an axis; empty ones do not count."""
    return c.to.concatenate([x for x in xs if math.prod(shape_of(x))], positive(dim, len(c.shape)))


@operator("stack")
def stack(c: Context, xs: Sequence[Any], dim: int = 0) -> Value:
    """Put values side by side along a new axis."""
    axis = positive(dim, len(c.shape))
    one = (*c.shape[:axis], 1, *c.shape[axis + 1 :])
    return c.to.concatenate([c.to.reshape(x, one) for x in xs], axis)


def _plain(kind: str) -> str:
    """A type as NumPy calls one of its kind."""
    return "float64" if "float" in kind else kind


@operator("expand", "expand_as", "broadcast_to")
def expand(c: Context, x: Any, *_: Any, **__: Any) -> Value:
    """Repeat entries up to the shape that PyTorch records."""
    return number(x) if shape_of(x) == c.shape else c.to.expand(x, c.shape)


@operator("copy")
def copy(c: Context, _: Any, source: Any, *__: Any, **___: Any) -> Value:
    """The second argument's entries in the first one's shape and type; no root of what the first is the root of."""
    if not np.can_cast(_plain(c.kind_of(c.node.args[1])), _plain(c.kind), "same_kind"):
        raise Refused(f"writes {c.kind_of(c.node.args[1])} into {c.kind}, which loses numbers; make it a float tensor")
    return expand(c, source)


@operator("repeat", "tile")
def repeat(c: Context, x: Any, repeats: Sequence[int]) -> Value:
    """One after the other along each axis, so often."""
    counts = [1] * (len(c.shape) - len(repeats)) + list(repeats)
    shape = shape_of(x)
    if len(shape) < len(counts):
        shape = (*(1,) * (len(counts) - len(shape)), *shape)
        x = c.to.reshape(x, shape)
    for axis, (n, times) in enumerate(zip(shape, counts, strict=True)):
        if times > 1 and n > 1:
            x = c.to.take(x, axis, np.tile(np.arange(n), times))
    return number(x) if shape_of(x) == c.shape else c.to.expand(x, c.shape)


@operator("repeat_interleave")
def repeat_each(c: Context, x: Any, repeats: Any, dim: int | None = None, **_: Any) -> Value:
    """Repeat each entry along an axis so often."""
    if dim is None or not isinstance(repeats, int):
        raise Refused("repeats without an axis, or by a tensor; give a number and dim")
    return c.to.take(x, dim, np.repeat(np.arange(shape_of(x)[dim]), repeats))


@operator("flip", "roll")
def rearranged(c: Context, x: Any, first: Any, dims: Any = None) -> Value:
    """Turn entries round, or move them along cyclically."""
    flips = c.node.target.__name__.startswith("flip")
    axes = first if flips else dims
    if not axes and axes != 0:
        raise Refused("rolls over everything as one; give the axes: torch.roll(x, 1, dims=1)")
    axes = axes if isinstance(axes, list | tuple) else [axes]
    shifts = first if isinstance(first, list | tuple) else [first]
    for place, axis in enumerate(axes):
        entries = np.arange(shape_of(x)[axis])
        x = c.to.take(x, axis, entries[::-1] if flips else np.roll(entries, shifts[place]))
    return number(x)


@operator("index_select")
def index_select(c: Context, x: Any, dim: int, index: Any) -> Value:
    """Take the entries at known places along an axis."""
    return c.to.take(x, dim, indices(index).ravel())


def indices(index: Any) -> NDArray[np.int64]:
    """Known places; a mask as the places where it is true.

    Raises
    ------
    Refused
        They depend on values, or are no whole numbers.
    """
    if not isinstance(index, Known):
        raise Refused("its indices depend on the input or on trained parameters; register them as a buffer")
    if index.array.dtype.kind == "b":
        return np.flatnonzero(index.array)
    if index.array.dtype.kind != "i":
        raise Refused("its indices are no whole numbers; use torch.long")
    return index.array


@operator("index", "_unsafe_index")
def index(c: Context, x: Any, places: Sequence[Any]) -> Value:
    """Entries by known places along one axis or several that follow one another."""
    given = [axis for axis, each in enumerate(places) if each is not None]
    shape = list(shape_of(x))
    axis, masks = given[0], [places[k] for k in given]
    if given != list(range(axis, axis + len(given))):
        raise Refused("indexes axes that are apart; index one after the other")
    if len(masks) == 1 and isinstance(masks[0], Known) and masks[0].array.dtype.kind == "b":
        length = math.prod(shape[axis : axis + masks[0].array.ndim])
        x = c.to.reshape(x, [*shape[:axis], length, *shape[axis + masks[0].array.ndim :]])
        return c.to.take(x, axis, indices(masks[0]))
    known = np.broadcast_arrays(*(indices(each) for each in masks))
    sizes = shape[axis : axis + len(given)]
    bounded = [np.where(each < 0, each + n, each) for each, n in zip(known, sizes, strict=True)]
    flat = np.ravel_multi_index(bounded, sizes)
    if len(given) > 1:
        x = c.to.reshape(x, [*shape[:axis], math.prod(sizes), *shape[axis + len(given) :]])
    taken = c.to.take(x, axis, flat.ravel())
    return taken if flat.ndim == 1 else c.to.reshape(taken, c.shape)


@operator("gather")
def gather(c: Context, x: Any, dim: int, places: Any, **_: Any) -> Value:
    """Entries by known places that are the same in all the other axes."""
    known, axis = indices(places), positive(dim, len(c.shape))
    lines = np.moveaxis(known, axis, -1).reshape(-1, known.shape[axis])
    if len(lines) and (lines != lines[0]).any():
        raise Refused("gathers other places in each row; use an index that is the same in all (index_select)")
    same = all(n == m for k, (n, m) in enumerate(zip(shape_of(x), c.shape, strict=True)) if k != axis)
    if not same:
        raise Refused("gathers from a part of the other axes; slice first")
    return c.to.take(x, axis, lines[0])


@operator("unfold")
def windows(c: Context, x: Any, dim: int, size: int, step: int) -> Value:
    """Windows along an axis, their entries along a new last axis."""
    shape = shape_of(x)
    axis = positive(dim, len(shape))
    count = c.shape[axis]
    entries = (np.arange(count)[:, None] * step + np.arange(size)).ravel()
    wide = c.to.reshape(c.to.take(x, axis, entries), [*shape[:axis], count, size, *shape[axis + 1 :]])
    return c.to.permute(wide, [k for k in range(len(shape) + 1) if k != axis + 1] + [axis + 1])


@operator("constant_pad_nd", "pad")
def pad(c: Context, x: Any, pads: Sequence[int], mode: Any = "constant", value: Any = None) -> Value:
    """Numbers, or entries of its own, around a tensor; negative padding cuts."""
    if c.node.target.__name__.startswith("constant"):
        mode, value = "constant", 0.0 if mode == "constant" else mode
    shape = shape_of(x)
    pairs = [(0, 0)] * (len(shape) - len(pads) // 2) + list(zip(pads[-2::-2], pads[-1::-2], strict=True))
    for axis, (before, behind) in enumerate(pairs):
        if before < 0 or behind < 0:
            x = c.to.slice(x, axis, max(0, -before), shape[axis] - max(0, -behind))
    grown = [(max(0, before), max(0, behind)) for before, behind in pairs]
    if not any(before or behind for before, behind in grown):
        return number(x)
    if mode == "constant":
        return c.to.pad(x, grown, float(value or 0.0))
    for axis, pair in enumerate(grown):
        if any(pair):
            x = c.to.take(x, axis, np.pad(np.arange(shape_of(x)[axis]), pair, mode=PADDINGS[mode]))
    return number(x)


@operator("slice_scatter")
def replace_part(
    c: Context, x: Any, source: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Value:
    """Replace a part of a tensor by another value."""
    length = shape_of(x)[dim]
    first, last, _ = slice(start, end).indices(length)
    if step != 1:
        raise Refused("replaces every other entry; write it as torch.stack")
    parts = [part(c, x, dim, 0, first)] if first else []
    parts += [source] + ([part(c, x, dim, last, length)] if last < length else [])
    return number(source) if len(parts) == 1 else c.to.concatenate(parts, positive(dim, len(c.shape)))


@operator("select_scatter")
def replace_entry(c: Context, x: Any, source: Any, dim: int, place: int) -> Value:
    """A tensor, one entry along an axis replaced."""
    axis = positive(dim, len(c.shape))
    at = place % c.shape[axis]
    one = c.to.reshape(source, [*c.shape[:axis], 1, *c.shape[axis + 1 :]])
    return replace_part(c, x, one, axis, at, at + 1)
