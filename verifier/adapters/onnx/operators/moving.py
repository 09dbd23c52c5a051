"""Operators that move entries and compute nothing; shapes of tensors as known whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, axis_of, shape_of
from verifier.adapters.translation.values import Known, Refused, Value

OLD_RESIZE = 10
"""Up to this opset Resize and Upsample read their factors as input 1."""


def _identity(call: Call) -> Value:
    return call.value(0)


def _dropout(call: Call) -> Value:
    if call.has(2) and bool(np.ravel(call.known(2, "training mode"))[0]):
        raise Refused("it drops entries at random (training mode); export the model for evaluation")
    call.only(1)
    return call.value(0)


def _shape(call: Call) -> Value:
    shape = shape_of(call.value(0))
    start, end = int(call.attributes.get("start", 0)), call.attributes.get("end")
    return Known(np.asarray(shape[start : None if end is None else int(end)], dtype=np.int64))


def _size(call: Call) -> Value:
    return Known(np.asarray(math.prod(shape_of(call.value(0))), dtype=np.int64))


def _reshape(call: Call) -> Value:
    old = shape_of(call.value(0))
    wanted = [int(entry) for entry in np.ravel(call.known(1, "shape"))]
    if not call.flag("allowzero"):
        if any(entry == 0 and place >= len(old) for place, entry in enumerate(wanted)):
            raise Refused(f"its shape {wanted} keeps an axis that an input of shape {old} does not have")
        wanted = [old[place] if entry == 0 else entry for place, entry in enumerate(wanted)]
    return reshaped(call, call.value(0), wanted)


def reshaped(call: Call, value: Value, wanted: Sequence[int]) -> Value:
    """A reshape, unless nothing changes."""
    return value if tuple(wanted) == shape_of(value) else call.translation.reshape(value, wanted)


def _flatten(call: Call) -> Value:
    shape = shape_of(call.value(0))
    axis = int(call.attributes.get("axis", 1))
    if not -len(shape) <= axis <= len(shape):
        raise Refused(f"axis {axis} of a tensor with {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return reshaped(call, call.value(0), (math.prod(shape[:axis]), math.prod(shape[axis:])))


def _transpose(call: Call) -> Value:
    rank = len(shape_of(call.value(0)))
    axes = tuple(int(axis) for axis in call.attributes.get("perm", range(rank)[::-1]))
    return call.value(0) if axes == tuple(range(rank)) else call.translation.permute(call.value(0), axes)


def _squeeze(call: Call) -> Value:
    shape = shape_of(call.value(0))
    given = call.integers("axes", 1)
    if given is None:
        gone = {place for place, length in enumerate(shape) if length == 1}
    else:
        gone = {axis_of(axis, len(shape)) for axis in given}
    if any(shape[axis] != 1 for axis in gone):
        raise Refused(f"squeezes an axis of shape {shape} that has not length 1")
    return reshaped(call, call.value(0), [length for place, length in enumerate(shape) if place not in gone])


def _unsqueeze(call: Call) -> Value:
    shape = list(shape_of(call.value(0)))
    given = call.integers("axes", 1) or ()
    rank = len(shape) + len(given)
    for axis in sorted(axis_of(axis, rank) for axis in given):
        shape.insert(axis, 1)
    return reshaped(call, call.value(0), shape)


def _concat(call: Call) -> Value:
    rank = len(shape_of(call.value(0)))
    return call.translation.concatenate(call.values(), axis_of(int(call.attributes["axis"]), rank))


def _split(call: Call) -> list[Value | None]:
    t, x = call.translation, call.value(0)
    shape = shape_of(x)
    axis = axis_of(int(call.attributes.get("axis", 0)), len(shape))
    lengths = call.integers("split", 1)
    if lengths is None:
        parts = int(call.attributes.get("num_outputs", len(call.outputs)))
        each = -(-shape[axis] // parts)
        lengths = tuple(min(each, shape[axis] - each * place) for place in range(parts))
    if sum(lengths) != shape[axis] or any(length < 1 for length in lengths):
        raise Refused(f"parts of lengths {list(lengths)} of an axis of length {shape[axis]}")
    ends = np.cumsum(lengths).tolist()
    return [
        t.slice(x, axis, end - length, end) if call.wanted(place) else None
        for place, (end, length) in enumerate(zip(ends, lengths, strict=True))
    ]


def _slice(call: Call) -> Value:
    found = call.value(0)
    shape = shape_of(found)
    starts, ends = call.integers("starts", 1), call.integers("ends", 2)
    if starts is None or ends is None:
        raise Refused("its starts and ends are missing")
    axes, steps = call.integers("axes", 3), call.integers("steps", 4)
    axes = tuple(range(len(starts))) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or (1,) * len(starts), strict=True):
        place = axis_of(axis, len(shape))
        entries = range(*slice(*_bounds(start, end, step, shape[place])).indices(shape[place]))
        if len(entries) == 0:
            raise Refused(f"takes nothing of axis {axis}, which has length {shape[place]}")
        if step == 1 and len(entries) != shape[place]:
            found = call.translation.slice(found, place, entries[0], entries[-1] + 1)
        elif step != 1:
            found = call.translation.take(found, place, np.asarray(entries))
    return found


def _bounds(start: int, end: int, step: int, length: int) -> tuple[int, int | None, int]:
    """As Python has them: an end before the first entry is None where steps are negative."""
    return start, None if step < 0 and end < -length else end, step


def _expand(call: Call) -> Value:
    shape = shape_of(call.value(0))
    wanted = [int(entry) for entry in np.ravel(call.known(1, "shape"))]
    target = np.broadcast_shapes(shape, tuple(wanted))
    return call.value(0) if target == shape else call.translation.expand(call.value(0), target)


def _tile(call: Call) -> Value:
    found = call.value(0)
    for axis, count in enumerate(int(entry) for entry in np.ravel(call.known(1, "repeats"))):
        if count != 1:
            found = call.translation.take(found, axis, np.tile(np.arange(shape_of(found)[axis]), count))
    return found


def _pad(call: Call) -> Value:
    t, found = call.translation, call.value(0)
    rank, pads = len(shape_of(found)), call.integers("pads", 1)
    value = float(call.attributes.get("value", 0.0))
    if call.has(2):
        value = float(np.ravel(call.known(2, "value").astype(np.float64))[0])
    axes = call.integers("axes", 3) or tuple(range(rank))
    if pads is None or len(pads) != 2 * len(axes):
        raise Refused("its pads must be two numbers for each axis")
    pairs = [(0, 0)] * rank
    for axis, before, behind in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        pairs[axis_of(axis, rank)] = (before, behind)
    how = call.text("mode", "constant")
    for axis, (before, behind) in enumerate(pairs):
        length = shape_of(found)[axis]
        if how == "constant" and min(before, behind) >= 0:
            continue
        places = np.arange(length)[max(0, -before) : length - max(0, -behind)]
        if how != "constant":
            kind = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}[how]
            places = np.pad(places, (max(0, before), max(0, behind)), mode=kind)  # type: ignore[call-overload]
        if len(places) != length or before or behind:
            found = t.take(found, axis, places)
    if how != "constant":
        return found
    pairs = [(max(0, before), max(0, behind)) for before, behind in pairs]
    return t.pad(found, pairs, value) if any(map(any, pairs)) else found


def _trilu(call: Call) -> Value:
    rows, columns = shape_of(call.value(0))[-2:]
    offset = int(np.ravel(call.known(1, "diagonal"))[0]) if call.has(1) else 0
    ones = np.ones((rows, columns), dtype=bool)
    mask = np.triu(ones, offset) if call.flag("upper", 1) else np.tril(ones, offset)
    return call.translation.where(Known(mask), call.value(0), Known(np.asarray(0.0)))


def _depth_to_space(call: Call) -> Value:
    t, x, size = call.translation, call.value(0), int(call.attributes["blocksize"])
    batch, channels, height, width = shape_of(x)
    less = channels // size**2
    if call.text("mode", "DCR") == "DCR":
        split, order = (batch, size, size, less, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (batch, less, size, size, height, width), (0, 1, 4, 2, 5, 3)
    return t.reshape(t.permute(t.reshape(x, split), order), (batch, less, height * size, width * size))


def _space_to_depth(call: Call) -> Value:
    t, x, size = call.translation, call.value(0), int(call.attributes["blocksize"])
    batch, channels, height, width = shape_of(x)
    split = (batch, channels, height // size, size, width // size, size)
    depth_first = call.text("mode", "DCR") == "DCR"
    moved = t.permute(t.reshape(x, split), (0, 3, 5, 1, 2, 4) if depth_first else (0, 1, 3, 5, 2, 4))
    return t.reshape(moved, (batch, channels * size**2, height // size, width // size))


def _resize(call: Call) -> Value:
    """Enlargement by whole factors, each entry repeated."""
    shape = shape_of(call.value(0))
    plain = call.opset > OLD_RESIZE
    if call.has(3):
        sizes = [int(entry) for entry in np.ravel(call.known(3, "sizes"))]
        factors = [size / length for size, length in zip(sizes, shape, strict=False)]
    else:
        factors = [float(entry) for entry in np.ravel(call.known(2 if plain else 1, "scales"))]
    coordinates = call.text("coordinate_transformation_mode", "half_pixel")
    rounding = call.text("nearest_mode", "round_prefer_floor")
    repeats = (coordinates, rounding) == ("asymmetric", "floor") or (
        coordinates == "half_pixel" and rounding.startswith("round")
    )
    whole = len(factors) == len(shape) and all(factor >= 1 and factor == int(factor) for factor in factors)
    extra = {"axes", "keep_aspect_ratio_policy"} & set(call.attributes)
    if call.text("mode", "nearest") != "nearest" or not (whole and repeats) or extra:
        raise Refused("only an enlargement by whole factors with mode = nearest is stated; use that")
    found = call.value(0)
    for axis, factor in enumerate(factors):
        if factor != 1:
            found = call.translation.take(found, axis, np.repeat(np.arange(shape[axis]), int(factor)))
    return found


def _cast(call: Call) -> Value:
    """The identity of the real function; what whole numbers may be used for is checked where nodes are visited."""
    from onnx import TensorProto as kinds

    floats = (kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16)
    if int(call.attributes["to"]) not in (*floats, kinds.INT32, kinds.INT64):
        raise Refused("casts values that depend on the data to truth values or short whole numbers; leave the cast out")
    return call.value(0)


RULES: dict[str, Rule] = {
    "Identity": _identity,
    "Dropout": _dropout,
    "Cast": _cast,
    "Shape": _shape,
    "Size": _size,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Trilu": _trilu,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Resize": _resize,
    "Upsample": _resize,
}
"""By operator."""
