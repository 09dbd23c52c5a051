"""Convolutions and pools: windows that slide over spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.adapters.onnx.call import Call, Rule, shape_of
from verifier.adapters.translation.values import Refused, Value

Pairs = list[tuple[int, int]]


def _numbers(call: Call, name: str, default: int, axes: int) -> tuple[int, ...]:
    found = tuple(int(entry) for entry in call.attributes.get(name, (default,) * axes))
    if len(found) != axes:
        raise Refused(f"its {name} = {list(found)} must have {axes} numbers")
    return found


def _padding(
    call: Call, space: Sequence[int], kernel: Sequence[int], steps: Sequence[int], gaps: Sequence[int]
) -> Pairs:
    """Zeros before and behind each spatial axis, by ``pads`` or ``auto_pad``."""
    how = call.text("auto_pad", "NOTSET")
    if how == "NOTSET":
        pads = _numbers(call, "pads", 0, 2 * len(space))
        return list(zip(pads[: len(space)], pads[len(space) :], strict=True))
    if how == "VALID":
        return [(0, 0)] * len(space)
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        raise Refused(f"auto_pad = {how!r} is unknown")
    pairs = []
    for length, width, step, gap in zip(space, kernel, steps, gaps, strict=True):
        outputs = -(-length // step)
        missing = max(0, (outputs - 1) * step + (width - 1) * gap + 1 - length)
        small, large = missing // 2, missing - missing // 2
        pairs.append((small, large) if how == "SAME_UPPER" else (large, small))
    return pairs


def _convolution(call: Call) -> Value:
    x, weight = call.value(0), call.value(1)
    space, kernel = shape_of(x)[2:], shape_of(weight)[2:]
    if not space or len(kernel) != len(space):
        raise Refused(f"weights of shape {shape_of(weight)} for an input of shape {shape_of(x)}")
    steps, gaps = _numbers(call, "strides", 1, len(space)), _numbers(call, "dilations", 1, len(space))
    return call.translation.convolution(
        x,
        weight,
        call.optional(2),
        stride=steps,
        padding=_padding(call, space, kernel, steps, gaps),
        dilation=gaps,
        groups=int(call.attributes.get("group", 1)),
    )


def _pool(how: str) -> Rule:
    def rule(call: Call) -> Value:
        call.only(1)
        x = call.value(0)
        space = shape_of(x)[2:]
        kernel = _numbers(call, "kernel_shape", 1, len(space))
        steps, gaps = _numbers(call, "strides", 1, len(space)), _numbers(call, "dilations", 1, len(space))
        pairs = _padding(call, space, kernel, steps, gaps)
        counts = call.flag("count_include_pad")
        longer = _ceiling(space, kernel, steps, gaps, pairs) if call.flag("ceil_mode") else pairs
        if longer != pairs and how == "mean" and counts:
            raise Refused("ceil_mode with count_include_pad makes windows of several sizes; use ceil_mode = 0")
        return call.translation.pool(
            how, x, kernel=kernel, stride=steps, padding=longer, dilation=gaps, padding_counts=counts
        )

    return rule


def _ceiling(
    space: Sequence[int], kernel: Sequence[int], steps: Sequence[int], gaps: Sequence[int], pairs: Pairs
) -> Pairs:
    """The padding with which the last windows that begin inside the input or the padding before it fit, too."""
    longer = []
    for length, width, step, gap, (before, behind) in zip(space, kernel, steps, gaps, pairs, strict=True):
        reach = (width - 1) * gap + 1
        positions = -(-(length + before + behind - reach) // step) + 1
        if (positions - 1) * step >= length + before:
            positions -= 1
        longer.append((before, max(behind, (positions - 1) * step + reach - length - before)))
    return longer


def _global(how: str) -> Rule:
    def rule(call: Call) -> Value:
        x = call.value(0)
        axes = tuple(range(2, len(shape_of(x))))
        found: Value = getattr(call.translation, how)(x, axes, True)
        return found

    return rule


RULES: dict[str, Rule] = {
    "Conv": _convolution,
    "MaxPool": _pool("max"),
    "AveragePool": _pool("mean"),
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("largest"),
}
"""By operator."""
