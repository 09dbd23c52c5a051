"""Operations that slide a window: convolutions and pools, in any number of spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.products import Products
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.network import nodes as kinds
from verifier.network.nodes import Window
from verifier.network.windows import Shape

Pairs = Sequence[tuple[int, int]]


class Windows(Products):
    """Convolutions and pools as affine nodes, pools and rearrangements of the graph."""

    def convolution(
        self,
        x: Value,
        weight: Value,
        bias: Value | None,
        *,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        groups: int = 1,
    ) -> Value:
        """Products of filters with windows.

        Parameters
        ----------
        x : Value
            Of shape ``(B, channels, *space)``.
        weight : Value
            Of shape ``(filters, channels / groups, *kernel)``.
        bias : Value or None
            Of shape ``(filters,)``.
        stride, dilation : tuple of int
            A number for each spatial axis.
        padding : sequence of (int, int)
            How many zeros before and behind, for each spatial axis.
        groups : int
            How many groups of channels have filters of their own.

        Returns
        -------
        Value
            Of shape ``(B, filters, *positions)``.

        Raises
        ------
        Refused
            The samples are not on the first axis; the filters depend on the sample; shapes do not fit.
        """
        filters = self.whole(self.tensor(weight))
        if filters.batch is not None or (isinstance(bias, Tensor) and bias.batch is not None):
            raise Refused("the filters of a convolution depend on the sample; they must be parameters")
        axes = len(filters.shape) - 2
        x, pads = self._padded(self.tensor(x), padding, filters.shape[2:], dilation)
        node, front = self._channels_first(x, axes)
        kernel, size = filters.shape[2:], self.shape_of(node)
        if size[0] != filters.shape[1] * groups:
            raise Refused(f"filters of shape {filters.shape} in {groups} groups for a tensor of shape {x.shape}")
        window = _window(kernel, stride, pads, dilation, groups, front=front)
        weights = self.reshaped(filters.node, (*filters.shape[:2], *window.kernel))
        last = () if bias is None else (self.reshaped(self.whole(self.tensor(bias)).node, filters.shape[:1]),)
        sources = (node,) if front else self._stacked(node)
        found = self.emit(kinds.Affine((*sources, weights, *last), window, bias is not None))
        return self._back(found, x, front)

    def _stacked(self, node: int) -> tuple[int, ...]:
        """The nodes whose channels, one after the other, are those of a node."""
        found = self.build.nodes[node]
        return found.reads if isinstance(found, kinds.Concatenate) and found.axis == 0 else (node,)

    def _padded(self, x: Tensor, padding: Pairs, kernel: Shape, dilation: Shape) -> tuple[Tensor, Shape]:
        """The tensor, with zeros around it where a window's own padding does not do, and that padding."""
        if len(padding) != len(kernel) or len(x.shape) != len(kernel) + 2:
            raise Refused(f"a window of {len(kernel)} axes and a padding of {len(padding)} on shape {x.shape}")
        extents = [(k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True)]
        if all(before == behind < extent for (before, behind), extent in zip(padding, extents, strict=True)):
            return x, tuple(before for before, _ in padding)
        padded = self.pad(x, [(0, 0), (0, 0), *padding])
        return self.tensor(padded), (0,) * len(kernel)

    def _channels_first(self, x: Tensor, axes: int) -> tuple[int, bool]:
        """The node ``(channels, *space)``, and whether other entries of the first axis became a spatial axis."""
        if len(x.shape) != axes + 2:
            raise Refused(f"a window of {axes} axes on shape {x.shape}; expected (samples, channels, *space)")
        x = self.settled(x) if x.batch is not None else self.whole(x)
        for axis in range(1, axes + 2):
            self.place(x, axis, "a window slides, or sums,")
        if x.batch is not None and x.batch.pure:
            return x.node, False
        if self.shape_of(x.node)[0] == 1:
            return self.reshaped(x.node, x.shape[1:]), False
        return self.permuted(x.node, (1, 0, *range(2, axes + 2))), True

    def _back(self, node: int, x: Tensor, front: bool) -> Tensor:
        size = self.shape_of(node)
        if front:
            node = self.permuted(node, (1, 0, *range(2, len(size))))
            return Tensor(node, (x.shape[0], size[0], *size[2:]), x.batch)
        shape = (x.shape[0], *size)
        return Tensor(self.reshaped(node, self.node_shape(shape, x.batch)), shape, x.batch)

    def pool(
        self,
        how: str,
        x: Value,
        *,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
        padding_counts: bool = True,
    ) -> Value:
        """Mean or maximum over windows, channel by channel.

        Parameters
        ----------
        how : "mean" or "max"
            What is taken; places of the padding do not exist for a maximum.
        x : Value
            Of shape ``(B, channels, *space)``.
        kernel, stride, dilation : tuple of int
            A number for each spatial axis.
        padding : sequence of (int, int)
            How many places before and behind, for each spatial axis.
        padding_counts : bool
            Whether the zeros of the padding count in the divisor of a mean.

        Returns
        -------
        Value
            Of shape ``(B, channels, *positions)``.

        Raises
        ------
        Refused
            A window lies in the padding alone; the samples are not on the first axis.
        """
        if how not in ("mean", "max"):
            raise Refused(f"a pool of kind {how!r}; mean or max")
        whole = self.tensor(x)
        if how == "max" and not _own_padding(padding, kernel, dilation):
            whole, padding = self._by_edges(whole, kernel, stride, padding, dilation), [(0, 0)] * len(kernel)
        padded, pads = self._padded(whole, padding, kernel, dilation)
        node, front = self._channels_first(padded, len(kernel))
        window = _window(kernel, stride, pads, dilation, 1, front=front)
        if set(window.kernel) == {1} and set(window.stride) == {1}:
            return padded
        taken: Literal["mean", "max"] = "mean" if how == "mean" else "max"
        found: Value = self._back(self.emit(kinds.Pool((node,), taken, window)), padded, front)
        if how == "mean" and not padding_counts and any(map(any, padding)):
            counts = _counts(whole.shape[2:], kernel, stride, padding, dilation)
            if (counts == 0).any():
                raise Refused("a window of a mean lies in the padding alone; reduce the padding")
            if (counts != math.prod(kernel)).any():
                found = self.divide(self.elementwise(f"{math.prod(kernel)}*t", found), Known(counts))
        return found

    def _by_edges(self, x: Tensor, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Tensor:
        """The tensor with its edges repeated: a window without gaps that reaches beyond an edge contains the edge."""
        if set(dilation) != {1}:
            raise Refused("a maximum over windows with dilation and an uneven padding; make the padding even")
        for axis, (k, s, (before, behind)) in enumerate(zip(kernel, stride, padding, strict=True), 2):
            length = x.shape[axis]
            starts = np.arange(0, length + before + behind - k + 1, s) - before
            if not ((starts < length) & (starts + k > 0)).all():
                raise Refused("a window of a maximum lies in the padding alone; reduce the padding")
            places = np.clip(np.arange(-before, length + behind), 0, length - 1)
            x = self.tensor(self.take(x, axis, places))
        return x


def _own_padding(padding: Pairs, kernel: Shape, dilation: Shape) -> bool:
    extents = [(k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True)]
    return all(before == behind < extent for (before, behind), extent in zip(padding, extents, strict=True))


def _window(kernel: Shape, stride: Shape, pads: Shape, dilation: Shape, groups: int, *, front: bool) -> Window:
    """The window, with an axis of length 1 before its own if ``front``."""
    one, none = ((1,), (0,)) if front else ((), ())
    return Window((*one, *kernel), (*one, *stride), (*none, *pads), (*one, *dilation), groups)


def _counts(space: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> NDArray[np.float64]:
    """How many places of each window are none of the padding's."""
    found = np.ones(())
    for n, k, s, (before, behind), step in zip(space, kernel, stride, padding, dilation, strict=True):
        starts = np.arange(0, n + before + behind - (k - 1) * step, s) - before
        places = starts[:, None] + step * np.arange(k)
        found = np.multiply.outer(found, ((places >= 0) & (places < n)).sum(axis=1))
    return found
