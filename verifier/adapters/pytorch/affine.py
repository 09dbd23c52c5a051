"""Layers with weights, and pools: `torch.nn.Linear`, `Conv1d`, `Conv2d`, `AvgPool1d`, ... as drafts of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from verifier.adapters.pytorch.parameters import Context
from verifier.adapters.pytorch.values import IDENTITY, Array, Draft, Part, Value, natural_shape, refuse
from verifier.network.layers import AvgPool, Conv, Dense, Shape
from verifier.network.windows import positions_of


def per_axis(value: object, axes: int, what: str, where: str) -> Shape:
    """A number, or one for each axis, as a tuple.

    Raises
    ------
    InputError
        Something else.
    """
    entries: tuple[Any, ...] = (value,) * axes
    if isinstance(value, Sequence) and not isinstance(value, str):
        entries = tuple(value) * axes if len(value) == 1 else tuple(value)
    if len(entries) != axes or not all(type(entry) is int for entry in entries):
        refuse(where, f"{what}={value!r} must be an integer, or {axes} of them")
    return entries


def linear(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    """A fully connected layer ``x W^T + b`` without activation, biases 0 if it has none.

    Raises
    ------
    InputError
        Its weights are computed; its input is not flat, or of another size.
    """
    where = context.where
    _require_parameters(arguments, where)
    matrix = context.parameters.take(arguments["weight"], "weight", where)
    if matrix.ndim != 2 or value.shape != matrix.shape[1:]:
        remedy = "flatten it first (torch.flatten(x, 1))" if len(value.shape) > 1 else "see input_shape"
        refuse(where, f"reads shape {value.shape}, its weight has shape {matrix.shape}; {remedy}")
    bias = _bias(context, arguments, matrix)
    draft = Draft(context.name, where, Dense(len(matrix), IDENTITY), value, (len(matrix),), matrix, bias)
    return Value((context.plan.add(draft),), draft.shape)


def convolution(context: Context, value: Value, arguments: dict[str, Any], *, axes: int) -> Value:
    """A convolution over one or two axes without activation; its bias is tied, 0 if it has none.

    Raises
    ------
    InputError
        It has groups, dilation, a padding other than zeros, or its input does not fit.
    """
    where = context.where
    _require_parameters(arguments, where)
    weight = context.parameters.take(arguments["weight"], "weight", where)
    if weight.ndim != axes + 2:
        refuse(where, f"its weight has shape {weight.shape}, expected {axes + 2} axes")
    if arguments.get("groups", 1) != 1:
        refuse(where, f"groups={arguments['groups']} is not supported; use groups=1")
    if per_axis(arguments.get("dilation", 1), axes, "dilation", where) != (1,) * axes:
        refuse(where, f"dilation={arguments['dilation']} is not supported; use dilation=1")
    kernel, stride = weight.shape[2:], per_axis(arguments.get("stride", 1), axes, "stride", where)
    padding = _padding(arguments.get("padding", 0), kernel, where)
    if any(padding) and arguments.get("padding_mode", "zeros") != "zeros":
        refuse(where, f"padding_mode={arguments['padding_mode']!r} is not supported; use 'zeros'")
    _require_channels(value, weight.shape[1], axes, where)
    step = () if set(stride) == {1} else stride
    layer = Conv(len(weight), kernel, IDENTITY, step, "tied", padding=padding)
    sources = [part.shape for part in value.parts]
    shape = (len(weight), *positions_of(sources, kernel, layer.steps, f"from_torch: {where}", layer.padding))
    draft = Draft(context.name, where, layer, value, shape, weight, _bias(context, arguments, weight))
    return Value((context.plan.add(draft),), shape)


def pool(context: Context, value: Value, kernel: Shape, stride: Shape) -> Value:
    """Average pooling without padding: a layer for each layer that is read.

    Raises
    ------
    InputError
        Its input has no positions, or the window does not fit.
    """
    where = context.where
    if not value.spatial or len(value.shape) != len(kernel) + 1:
        refuse(where, f"reads shape {value.shape}; give it channels with {len(kernel)} axes of positions, {_WHOLE}")
    layer, parts = AvgPool(kernel, () if stride == kernel else stride), []
    for part in value.parts:
        shape = (part.shape[0], *positions_of([part.shape], kernel, layer.steps, f"from_torch: {where}"))
        parts.append(context.plan.add(Draft(context.name, where, layer, Value((part,), part.shape), shape)))
    return Value(tuple(parts), natural_shape(parts))


def average(context: Context, value: Value, arguments: dict[str, Any], *, axes: int) -> Value:
    """`torch.nn.AvgPool1d` or `AvgPool2d`.

    Raises
    ------
    InputError
        It has padding, another divisor, or windows that stick out.
    """
    where = context.where
    kernel = per_axis(arguments["kernel_size"], axes, "kernel_size", where)
    step = arguments.get("stride")
    stride = kernel if step is None or step == () else per_axis(step, axes, "stride", where)
    if any(per_axis(arguments.get("padding", 0), axes, "padding", where)):
        refuse(where, f"padding={arguments['padding']} is not supported in a pool; use padding=0")
    if arguments.get("divisor_override") not in (None, math.prod(kernel)):
        refuse(where, f"divisor_override={arguments['divisor_override']} is not supported; leave it out")
    if arguments.get("ceil_mode", False) and len(value.shape) == axes + 1:
        if any((n - k) % max(s, 1) for n, k, s in zip(value.shape[1:], kernel, stride, strict=True)):
            refuse(where, f"ceil_mode makes windows stick out of {value.shape[1:]}; use ceil_mode=False")
    return pool(context, value, kernel, stride)


def adaptive(context: Context, value: Value, arguments: dict[str, Any], *, axes: int) -> Value:
    """`torch.nn.AdaptiveAvgPool1d` or `AdaptiveAvgPool2d` where all its windows are alike.

    Raises
    ------
    InputError
        They are not.
    """
    if len(value.shape) != axes + 1:
        return pool(context, value, (1,) * axes, (1,) * axes)
    where = context.where
    wanted = arguments["output_size"]
    entries = tuple(wanted) if isinstance(wanted, Sequence) else (wanted,) * axes
    if len(entries) == 1:
        entries *= axes
    sizes = tuple(n if size is None else size for n, size in zip(value.shape[1:], entries, strict=True))
    windows = [
        _window(n, size) for n, size in zip(value.shape[1:], per_axis(sizes, axes, "output", where), strict=True)
    ]
    if any(window is None for window in windows):
        refuse(where, f"output_size={wanted} of {value.shape[1:]} has windows of several sizes; use nn.AvgPool{axes}d")
    kernel, stride = zip(*(window for window in windows if window is not None), strict=True)
    return pool(context, value, kernel, stride)


def mean(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    """The mean over all positions, a pool whose window is everything.

    Raises
    ------
    InputError
        It is over other axes.
    """
    axes, count = arguments.get("dim"), len(value.shape) - 1
    over: Any = (axes,) if type(axes) is int else axes
    whole = isinstance(over, Sequence) and all(type(axis) is int for axis in over)
    if not whole or count < 1 or sorted(axis % (count + 2) for axis in over) != list(range(2, count + 2)):
        refuse(context.where, f"is a mean over dim={over!r}; only that over all positions of channels is supported")
    kernel = value.shape[1:]
    pooled = pool(context, value, kernel, kernel)
    return pooled if arguments.get("keepdim", False) else Value(pooled.parts, pooled.shape[:1])


_WHOLE = "whole and not reshaped"


def _window(length: int, count: int) -> tuple[int, int] | None:
    """Kernel and stride of adaptive pooling from ``length`` to ``count`` positions, None if its windows differ."""
    if not 1 <= count <= length:
        return None
    starts = [i * length // count for i in range(count)]
    ends = [-(-(i + 1) * length // count) for i in range(count)]
    kernels = {end - start for start, end in zip(starts, ends, strict=True)}
    steps = {after - before for before, after in pairwise(starts)}
    if len(kernels) != 1 or len(steps) > 1:
        return None
    (kernel,) = kernels
    return kernel, steps.pop() if steps else kernel


def _padding(padding: object, kernel: Shape, where: str) -> Shape:
    if padding == "valid":
        return (0,) * len(kernel)
    if padding != "same":
        return per_axis(padding, len(kernel), "padding", where)
    if any(k % 2 == 0 for k in kernel):
        refuse(where, f"padding='same' with kernel {kernel} pads more on one side; use odd kernels or padding=0")
    return tuple(k // 2 for k in kernel)


def _require_parameters(arguments: dict[str, Any], where: str) -> None:
    import torch

    for name in ("weight", "bias"):
        if not isinstance(arguments.get(name), torch.nn.Parameter | None):
            refuse(where, f"its {name} is not a parameter of the module but computed; make it one")


def _bias(context: Context, arguments: dict[str, Any], weight: Array) -> Array | None:
    """The biases, shape (units,), of a layer with such weights; None if it has none."""
    bias = arguments.get("bias")
    if bias is None:
        return None
    found = context.parameters.take(bias, "bias", context.where)
    if found.shape != weight.shape[:1]:
        refuse(context.where, f"its bias has shape {found.shape}, expected {weight.shape[:1]}")
    return found


def _require_channels(value: Value, channels: int, axes: int, where: str) -> None:
    distinct(value.parts, where)
    if not value.spatial or len(value.shape) != axes + 1:
        refuse(where, f"reads shape {value.shape}; give it channels with {axes} axes of positions, {_WHOLE}")
    if value.shape[0] != channels:
        refuse(where, f"reads {value.shape[0]} channels, its weight has {channels}; see input_shape")


def distinct(parts: Sequence[Part], where: str) -> None:
    """Refuse a layer that reads the same layer twice.

    Raises
    ------
    InputError
        It does.
    """
    if len({part.source for part in parts}) != len(parts):
        refuse(where, "reads the same layer twice; list each once in torch.cat")
