"""Nodes that move entries and compute nothing, and rows of tables by tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from verifier.network.arithmetic import Arithmetic, Places
from verifier.network.nodes.base import Node, T, broadcast, fail, flat_places
from verifier.network.windows import Shape


@dataclass(frozen=True, slots=True)
class Rearrange(Node):
    """Base of the kinds that move entries and compute nothing."""

    def places(self, shapes: Sequence[Shape]) -> Places:
        """For each entry its flat place in what is read, flattened, one after the other."""
        raise NotImplementedError

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Take the entries at `places` of what is read."""
        return ops.gather(list(args), self.places([ops.shape(value) for value in args]))

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of `places`: one place for each entry of the result."""
        return self.places(shapes).shape


@dataclass(frozen=True, slots=True)
class Reshape(Rearrange):
    """The same entries in another shape, in C order."""

    kind: ClassVar[str] = "reshape"

    size: Shape = ()

    def places(self, shapes: Sequence[Shape]) -> Places:
        """The places of all entries in their order, in the new shape."""
        if math.prod(shapes[0]) != math.prod(self.size) or any(n < 1 for n in self.size):
            raise fail(self.kind, f"shape {shapes[0]} has not as many entries as {self.size}")
        return flat_places(self.size)

    def fields(self) -> dict[str, Any]:
        """The new shape, as a certificate writes it."""
        return {"shape": list(self.size)}


@dataclass(frozen=True, slots=True)
class Permute(Rearrange):
    """The axes in another order; axis k of the result is axis ``axes[k]`` of what is read."""

    kind: ClassVar[str] = "permute"

    axes: Shape = ()

    def places(self, shapes: Sequence[Shape]) -> Places:
        """The places of all entries, with the axes in the new order."""
        if sorted(self.axes) != list(range(len(shapes[0]))):
            raise fail(self.kind, f"axes {self.axes} are no order of the axes of shape {shapes[0]}")
        return flat_places(shapes[0]).transpose(self.axes)

    def fields(self) -> dict[str, Any]:
        """The order of the axes, as a certificate writes it."""
        return {"axes": list(self.axes)}


@dataclass(frozen=True, slots=True)
class Take(Rearrange):
    """Entries along one axis, in a given order: slices, selections, repetitions, reversals."""

    kind: ClassVar[str] = "take"

    axis: int = 0
    entries: Shape = ()

    def places(self, shapes: Sequence[Shape]) -> Places:
        """The places of the chosen entries along the axis."""
        if not 0 <= self.axis < len(shapes[0]):
            raise fail(self.kind, f"axis {self.axis} of a tensor of shape {shapes[0]}")
        length = shapes[0][self.axis]
        if not self.entries or not all(0 <= entry < length for entry in self.entries):
            raise fail(self.kind, f"entries {list(self.entries)[:8]} of an axis of length {length}")
        return np.take(flat_places(shapes[0]), self.entries, axis=self.axis)

    def fields(self) -> dict[str, Any]:
        """The axis and the entries that are taken, as a certificate writes them."""
        return {"axis": self.axis, "entries": list(self.entries)}


@dataclass(frozen=True, slots=True)
class Concatenate(Rearrange):
    """Tensors one after the other along an axis."""

    kind: ClassVar[str] = "concatenate"
    arity: ClassVar[tuple[int, int]] = (1, 1 << 20)

    axis: int = 0

    def places(self, shapes: Sequence[Shape]) -> Places:
        """Those of each, behind those of the ones before."""
        parts, start = [], 0
        for shape in shapes:
            parts.append(flat_places(shape) + start)
            start += math.prod(shape)
        fits = all(len(shape) == len(shapes[0]) for shape in shapes) and 0 <= self.axis < len(shapes[0])
        others = {shape[: self.axis] + shape[self.axis + 1 :] for shape in shapes}
        if not fits or len(others) != 1:
            raise fail(self.kind, f"shapes {', '.join(map(str, shapes))} along axis {self.axis}")
        return np.concatenate(parts, axis=self.axis)

    def fields(self) -> dict[str, Any]:
        """The axis along which tensors are joined, as a certificate writes it."""
        return {"axis": self.axis}


@dataclass(frozen=True, slots=True)
class Expand(Rearrange):
    """A tensor broadcast to a shape."""

    kind: ClassVar[str] = "expand"

    size: Shape = ()

    def places(self, shapes: Sequence[Shape]) -> Places:
        """The places of all entries, repeated to the new shape."""
        if broadcast(self.kind, [shapes[0], self.size]) != self.size:
            raise fail(self.kind, f"shape {shapes[0]} does not broadcast to {self.size}")
        return np.broadcast_to(flat_places(shapes[0]), self.size).copy()

    def fields(self) -> dict[str, Any]:
        """The new shape, as a certificate writes it."""
        return {"shape": list(self.size)}


@dataclass(frozen=True, slots=True)
class Embed(Node):
    """Rows of a table, ``(n, ...)``, by tokens: a node of whole numbers from 0 to n - 1 that no parameter moves."""

    kind: ClassVar[str] = "embed"
    arity: ClassVar[tuple[int, int]] = (2, 2)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of the tokens, and after it that of a row of the table."""
        if not shapes[1]:
            raise fail(self.kind, "the table has no rows")
        return (*shapes[0], *shapes[1][1:])

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Take the rows of the table whose numbers are the tokens."""
        return ops.embed(args[0], args[1])
