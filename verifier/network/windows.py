"""Windows that slide over an input: at how many positions they fit, and what each reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from verifier.errors import NetworkError

Shape = tuple[int, ...]
"""Sizes of an array: ``(n,)``, or ``(channels, *space)``."""


def stacked(sources: Sequence[Shape]) -> Shape:
    """Return the shape of sources that share one spatial shape, concatenated along their channels."""
    return (sum(shape[0] for shape in sources), *sources[0][1:])


def positions_of(
    sources: Sequence[Shape],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    where: str,
    padding: tuple[int, ...] = (),
    dilation: tuple[int, ...] = (),
) -> Shape:
    """Find at how many positions along each axis a window fits.

    Parameters
    ----------
    sources : sequence of tuple of int
        Shapes ``(channels, *space)`` of what the window slides over.
    kernel, stride : tuple of int
        Window and step per spatial axis.
    where : str
        The layer, for messages.
    padding : tuple of int, optional
        Places before and behind the input per spatial axis; empty: none.
    dilation : tuple of int, optional
        Step between the places of one window per spatial axis; empty: 1.

    Returns
    -------
    tuple of int
        The number of positions along each axis, at least 1.

    Raises
    ------
    NetworkError
        The sources have different spatial shapes, or the window does not fit them.
    """
    spatial = {shape[1:] for shape in sources}
    if len(spatial) != 1:
        raise NetworkError(f"{where}: its inputs have different spatial shapes {sorted(spatial)}; they must agree")
    (space,) = spatial
    if len(space) != len(kernel):
        raise NetworkError(
            f"{where}: kernel {list(kernel)} has {len(kernel)} axes but its input has spatial shape {list(space)}; "
            "set [data] shape or use a kernel of that dimension"
        )
    if len(stride) != len(kernel):
        raise NetworkError(f"{where}: stride {list(stride)} and kernel {list(kernel)} differ in length")
    pads = padding or (0,) * len(kernel)
    if len(pads) != len(kernel):
        raise NetworkError(f"{where}: padding {list(pads)} and kernel {list(kernel)} differ in length")
    steps = dilation or (1,) * len(kernel)
    if len(steps) != len(kernel):
        raise NetworkError(f"{where}: dilation {list(steps)} and kernel {list(kernel)} differ in length")
    out = []
    for length, size, s, p, step in zip(space, kernel, stride, pads, steps, strict=True):
        if step < 1:
            raise NetworkError(f"{where}: dilation {step} must be at least 1")
        k = (size - 1) * step + 1 if size > 1 else size
        if p < 0:
            raise NetworkError(f"{where}: padding {p} must be at least 0")
        whole = length + 2 * p
        if not 1 <= k <= whole:
            padded = f", {whole} with its padding" if p else ""
            raise NetworkError(
                f"{where}: kernel size {k} does not fit an input of length {length}{padded}; use 1..{whole}"
            )
        if p >= k:
            raise NetworkError(
                f"{where}: padding {p} must be below the kernel size {k}, else some windows hold nothing but zeros"
            )
        if s < 1:
            raise NetworkError(f"{where}: stride {s} must be at least 1")
        out.append((whole - k) // s + 1)
    return tuple(out)


def window_indices(
    shape: Shape,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...] = (),
    dilation: tuple[int, ...] = (),
) -> list[list[int]]:
    """List the flat indices into one channel-major block that each output position reads.

    Parameters
    ----------
    shape
        ``(channels, *space)`` of the (concatenated) input.
    kernel, stride
        Window and step per spatial axis.
    padding
        Places before and behind the input per spatial axis; empty: none.
    dilation
        Step between the places of one window per spatial axis; empty: 1.

    Returns
    -------
    list of list of int
        One list per position (C order), each of ``channels * prod(kernel)`` indices in the weights' C order. A place
        in the padding has the index ``prod(shape)``, one past the end: whoever has padding appends a zero there.
    """
    block = np.arange(math.prod(shape)).reshape(shape)
    if any(padding):
        sides = [(0, 0), *((p, p) for p in padding)]
        block = np.pad(block, sides, constant_values=math.prod(shape))
    axes = tuple(range(1, len(shape)))
    spread = dilation or (1,) * len(kernel)
    extents = tuple((k - 1) * step + 1 for k, step in zip(kernel, spread, strict=True))
    places = np.lib.stride_tricks.sliding_window_view(block, extents, axis=axes)  # (channels, *positions, *extents)
    positions_taken = (slice(None, None, step) for step in stride)
    stepped = places[:, *positions_taken, *(slice(None, None, step) for step in spread)]
    positions = np.moveaxis(stepped, 0, len(axes))  # (*positions, channels, *kernel)
    found: list[list[int]] = positions.reshape(-1, shape[0] * math.prod(kernel)).tolist()
    return found
