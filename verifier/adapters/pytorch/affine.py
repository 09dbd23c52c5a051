"""Layers with weights, and pools: `torch.nn.Linear`, `Conv1d`, `Conv2d`, `AvgPool1d`, ... as drafts of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from verifier.adapters.pytorch.parameters import Parameters
from verifier.adapters.pytorch.values import IDENTITY, Array, Draft, Part, Plan, Value, natural_shape, refuse
from verifier.network.layers import AvgPool, Conv, Dense, Shape


def per_axis(given: object, axes: int, what: str, where: str) -> Shape:
    """A number, or one for each axis, as a tuple.

    Raises
    ------
    InputError
        Something else.
    """
    entries: tuple[Any, ...] = (given,) * axes
    if isinstance(given, Sequence) and not isinstance(given, str):
        entries = tuple(given) * axes if len(given) == 1 else tuple(given)
    if len(entries) != axes or not all(type(entry) is int for entry in entries):
        refuse(where, f"{what}={given!r} must be an integer, or {axes} of them")
    return entries


def linear(plan: Plan, parameters: Parameters, value: Value, weight: Any, bias: Any, name: str, where: str) -> Value:
    """A fully connected layer ``x W^T + b`` without activation, biases 0 if it has none.

    Raises
    ------
    InputError
        Its input is not flat, or of another size.
    """
    matrix = parameters.take(weight, "weight", where)
    if matrix.ndim != 2 or value.shape != matrix.shape[1:]:
        remedy = "flatten it first (torch.flatten(x, 1))" if len(value.shape) > 1 else "see input_shape"
        refuse(where, f"reads shape {value.shape}, its weight has shape {matrix.shape}; {remedy}")
    offset = None if bias is None else _bias(parameters, bias, matrix, where)
    draft = Draft(name, where, Dense(len(matrix), IDENTITY), value, (len(matrix),), matrix, offset)
    return Value((plan.add(draft),), draft.shape)


def convolution(
    plan: Plan, parameters: Parameters, value: Value, axes: int, name: str, where: str, given: dict[str, Any]
) -> Value:
    """A convolution over one or two axes without activation; its bias is tied, 0 if it has none.

    Raises
    ------
    InputError
        It has groups, dilation, a padding other than zeros, or its input does not fit.
    """
    weight = parameters.take(given["weight"], "weight", where)
    if weight.ndim != axes + 2:
        refuse(where, f"its weight has shape {weight.shape}, expected {axes + 2} axes")
    if given.get("groups", 1) != 1:
        refuse(where, f"groups={given['groups']} is not supported; use groups=1")
    if per_axis(given.get("dilation", 1), axes, "dilation", where) != (1,) * axes:
        refuse(where, f"dilation={given['dilation']} is not supported; use dilation=1")
    kernel, stride = weight.shape[2:], per_axis(given.get("stride", 1), axes, "stride", where)
    padding = _padding(given.get("padding", 0), kernel, where)
    if any(padding) and given.get("padding_mode", "zeros") != "zeros":
        refuse(where, f"padding_mode={given['padding_mode']!r} is not supported; use 'zeros'")
    _require_channels(value, weight.shape[1], axes, where)
    step = () if set(stride) == {1} else stride
    layer = Conv(len(weight), kernel, IDENTITY, step, "tied", padding=padding)
    shape = layer.output_shape([part.shape for part in value.parts], f"from_torch: {where}")
    bias = None if given.get("bias") is None else _bias(parameters, given["bias"], weight, where)
    return Value((plan.add(Draft(name, where, layer, value, shape, weight, bias)),), shape)


def pool(plan: Plan, value: Value, kernel: Shape, stride: Shape, name: str, where: str) -> Value:
    """Average pooling without padding: a layer for each layer that is read.

    Raises
    ------
    InputError
        Its input has no positions, or the window does not fit.
    """
    if not value.spatial or len(value.shape) != len(kernel) + 1:
        refuse(where, f"reads shape {value.shape}; give it channels with {len(kernel)} axes of positions, {_WHOLE}")
    layer, parts = AvgPool(kernel, () if stride == kernel else stride), []
    for part in value.parts:
        shape = layer.output_shape([part.shape], f"from_torch: {where}")
        parts.append(plan.add(Draft(name, where, layer, Value((part,), part.shape), shape)))
    return Value(tuple(parts), natural_shape(parts))


def average(plan: Plan, value: Value, axes: int, name: str, where: str, given: dict[str, Any]) -> Value:
    """`torch.nn.AvgPool1d` or `AvgPool2d`.

    Raises
    ------
    InputError
        It has padding, another divisor, or windows that stick out.
    """
    kernel = per_axis(given["kernel_size"], axes, "kernel_size", where)
    step = given.get("stride")
    stride = kernel if step is None or step == () else per_axis(step, axes, "stride", where)
    if any(per_axis(given.get("padding", 0), axes, "padding", where)):
        refuse(where, f"padding={given['padding']} is not supported in a pool; use padding=0")
    if given.get("divisor_override") not in (None, math.prod(kernel)):
        refuse(where, f"divisor_override={given['divisor_override']} is not supported; leave it out")
    if given.get("ceil_mode", False) and len(value.shape) == axes + 1:
        if any((n - k) % max(s, 1) for n, k, s in zip(value.shape[1:], kernel, stride, strict=True)):
            refuse(where, f"ceil_mode makes windows stick out of {value.shape[1:]}; use ceil_mode=False")
    return pool(plan, value, kernel, stride, name, where)


def adaptive(plan: Plan, value: Value, axes: int, name: str, where: str, given: dict[str, Any]) -> Value:
    """`torch.nn.AdaptiveAvgPool1d` or `AdaptiveAvgPool2d` where all its windows are alike.

    Raises
    ------
    InputError
        They are not.
    """
    if len(value.shape) != axes + 1:
        return pool(plan, value, (1,) * axes, (1,) * axes, name, where)
    wanted = given["output_size"]
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
    return pool(plan, value, kernel, stride, name, where)


def mean(plan: Plan, value: Value, name: str, where: str, axes: object, keep: bool) -> Value:
    """The mean over all positions, a pool whose window is everything.

    Raises
    ------
    InputError
        It is over other axes.
    """
    count = len(value.shape) - 1
    given = per_axis(axes, 1, "dim", where) if type(axes) is int else axes
    if not isinstance(given, Sequence) or not all(type(axis) is int for axis in given):
        refuse(where, f"is a mean over dim={given!r}; only that over all positions of channels is supported")
    if count < 1 or sorted(axis % (count + 2) for axis in given) != list(range(2, count + 2)):
        refuse(where, f"is a mean over dim={given!r}; only that over all positions of channels is supported")
    kernel = value.shape[1:]
    pooled = pool(plan, value, kernel, kernel, name, where)
    return pooled if keep else Value(pooled.parts, pooled.shape[:1])


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


def _padding(given: object, kernel: Shape, where: str) -> Shape:
    if given == "valid":
        return (0,) * len(kernel)
    if given != "same":
        return per_axis(given, len(kernel), "padding", where)
    if any(k % 2 == 0 for k in kernel):
        refuse(where, f"padding='same' with kernel {kernel} pads more on one side; use odd kernels or padding=0")
    return tuple(k // 2 for k in kernel)


def _bias(parameters: Parameters, bias: Any, weight: Array, where: str) -> Array:
    found = parameters.take(bias, "bias", where)
    if found.shape != weight.shape[:1]:
        refuse(where, f"its bias has shape {found.shape}, expected {weight.shape[:1]}")
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
