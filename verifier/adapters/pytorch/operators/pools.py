"""Pools over windows: means and maxima, adaptive ones whose windows differ, nearest upsampling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from verifier.adapters.pytorch.operators.table import Context, operator, per_axis
from verifier.adapters.translation.values import Known, Refused, Value
from verifier.network.windows import Shape


def _axes(c: Context) -> int:
    """How many axes of positions the operator has, by its name."""
    name = c.node.target.__name__
    return next(count for count in (1, 2, 3) if f"{count}d" in name)


def _space(c: Context, axes: int) -> Shape:
    shape = tuple(c.inputs[0].shape)
    if len(shape) != axes + 2:
        raise Refused(f"a pool over {axes} axes reads (samples, channels, ...), not {len(shape)} axes; x.unsqueeze(1)")
    return shape[2:]


@operator("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices")
def max_pool(
    c: Context, x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """The largest of each window; windows may stick out."""
    axes = _axes(c)
    size, spread, pads = per_axis(kernel, axes), per_axis(dilation, axes), per_axis(padding, axes)
    step = per_axis(stride, axes) if stride else size
    several = c.node.target.__name__.endswith(("with_indices.default", "with_indices"))
    positions = tuple((c.result[0] if several else c.result).shape[2:])
    pairs = _sides(_space(c, axes), positions, size, step, pads, spread)
    found = c.to.pool("max", x, kernel=size, stride=step, padding=pairs, dilation=spread)
    return (found, None) if several else found


def _sides(
    space: Shape, positions: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> list[tuple[int, int]]:
    """The padding before and behind each axis with which exactly these positions exist."""
    pairs = []
    for n, out, size, step, pad, spread in zip(space, positions, kernel, stride, padding, dilation, strict=True):
        end = (out - 1) * step + spread * (size - 1) + 1
        pairs.append((pad, max(pad, end - n - pad)))
    return pairs


@operator("avg_pool1d", "avg_pool2d", "avg_pool3d")
def mean_pool(
    c: Context, x: Any, kernel: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Value:  # fmt: skip
    """The mean of each window, or its sum divided by a number of one's own."""
    axes = _axes(c)
    size, pads = per_axis(kernel, axes), per_axis(padding, axes)
    step = per_axis(stride, axes) if stride else size
    space = _space(c, axes)
    pairs = _sides(space, c.shape[2:], size, step, pads, (1,) * axes)
    whole = all(behind == pad for (_, behind), pad in zip(pairs, pads, strict=True))
    if divisor_override is None and whole:
        return c.to.pool(
            "mean", x, kernel=size, stride=step, padding=pairs, dilation=(1,) * axes,
            padding_counts=count_include_pad or not any(pads),
        )  # fmt: skip
    found = c.to.pool("mean", x, kernel=size, stride=step, padding=pairs, dilation=(1,) * axes)
    count = math.prod(size)
    divisor = np.full(c.shape[2:], float(divisor_override or 0))
    if divisor_override is None:
        divisor = _counts(space, c.shape[2:], size, step, pads, count_include_pad)
    return c.to.divide(c.to.multiply(found, Known(np.asarray(count))), Known(divisor))


def _counts(space: Shape, positions: Shape, kernel: Shape, stride: Shape, pads: Shape, padded: bool) -> Any:
    """How many places of each window count: those of the input, and of the padding if it counts."""
    lengths = []
    for n, out, size, step, pad in zip(space, positions, kernel, stride, pads, strict=True):
        start = np.arange(out) * step - pad
        end = np.minimum(start + size, n + pad)
        lengths.append(end - start if padded else np.minimum(end, n) - np.maximum(start, 0))
    found = np.ones(())
    for length in lengths:
        found = np.multiply.outer(found, length.astype(np.float64))
    return found


@operator(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"
)
def adaptive_mean(c: Context, x: Any, *_: Any) -> Value:
    """Translate a mean over a number of windows, which may differ in size."""
    axes = _axes(c)
    space = _space(c, axes)
    windows = [_window(n, out) for n, out in zip(space, c.shape[2:], strict=True)]
    if all(window is not None for window in windows):
        kernel, stride = zip(*(window for window in windows if window is not None), strict=True)
        return c.to.pool(
            "mean", x, kernel=kernel, stride=stride, padding=[(0, 0)] * axes, dilation=(1,) * axes, padding_counts=True
        )
    for axis, (n, out) in enumerate(zip(space, c.shape[2:], strict=True), start=2):
        starts, ends = _limits(n, out)
        sums = (np.arange(n)[:, None] >= starts) & (np.arange(n)[:, None] < ends)
        order = [*range(2), *(k for k in range(2, axes + 2) if k != axis), axis]
        moved = c.to.matmul(c.to.permute(x, order), Known(sums.astype(np.float64)))
        x = c.to.permute(c.to.divide(moved, Known((ends - starts).astype(np.float64))), list(np.argsort(order)))
    value: Value = x
    return value


@operator("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max(c: Context, x: Any, *_: Any) -> Any:
    """Translate a maximum over a number of windows, which must be alike."""
    axes = _axes(c)
    windows = [_window(n, out) for n, out in zip(_space(c, axes), c.result[0].shape[2:], strict=True)]
    if any(window is None for window in windows):
        raise Refused("its windows are of several sizes; choose an output size that divides the input's")
    kernel, stride = zip(*(window for window in windows if window is not None), strict=True)
    pairs = [(0, 0)] * axes
    return c.to.pool("max", x, kernel=kernel, stride=stride, padding=pairs, dilation=(1,) * axes), None


def _limits(length: int, count: int) -> tuple[Any, Any]:
    """Where each of ``count`` adaptive windows over ``length`` places starts and ends."""
    at = np.arange(count)
    return at * length // count, -(-(at + 1) * length // count)


def _window(length: int, count: int) -> tuple[int, int] | None:
    """Kernel and stride of adaptive pooling from ``length`` to ``count`` positions, None if its windows differ."""
    starts, ends = _limits(length, count)
    kernel, stride = int(ends[0]), int(starts[1]) if count > 1 else 1
    alike = np.array_equal(starts, np.arange(count) * stride) and bool(np.all(ends - starts == kernel))
    return (kernel, stride) if alike and stride > 0 else None


@operator("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def nearest(c: Context, x: Any, *_: Any, **__: Any) -> Value:
    """Each position as often as it is repeated."""
    import torch

    for axis, (n, out) in enumerate(zip(_space(c, _axes(c)), c.shape[2:], strict=True), start=2):
        line = torch.arange(n, dtype=torch.float64)[None, None]
        entries = torch.nn.functional.interpolate(line, size=out, mode="nearest")[0, 0].long().numpy()
        x = c.to.take(x, axis, entries)
    value: Value = x
    return value
