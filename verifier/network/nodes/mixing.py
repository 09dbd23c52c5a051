"""Nodes that combine the entries of an axis: normalisation, products of two tensors, softmax, attention, pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from verifier.network.arithmetic import Arithmetic, Places
from verifier.network.nodes.affine import EVERYWHERE, Window
from verifier.network.nodes.base import Node, T, broadcast, fail, flat_places, rational
from verifier.network.windows import Shape


@dataclass(frozen=True, slots=True)
class Normalise(Node):
    """``(x - c) / sqrt(mean (x - c)^2 + epsilon)`` over the last axis; c is the mean, or 0 (RMSNorm)."""

    kind: ClassVar[str] = "normalise"

    epsilon: Fraction = Fraction(1, 2**17)
    centre: bool = True

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read, which needs a last axis."""
        if not shapes[0]:
            raise fail(self.kind, "a number has no last axis")
        if self.epsilon < 0:
            raise fail(self.kind, f"epsilon = {self.epsilon} must not be negative")
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Fused: no rounding of the mean is seen twice."""
        return ops.normalise(args[0], self.epsilon, centre=self.centre)

    def fields(self) -> dict[str, Any]:
        """Epsilon, and whether the mean is subtracted, as a certificate writes them."""
        return {"epsilon": rational(self.epsilon), "centre": self.centre}


@dataclass(frozen=True, slots=True)
class Contract(Node):
    """Matrix products over the last two axes; leading axes broadcast. If ``transposed``, b is its transpose."""

    kind: ClassVar[str] = "contract"
    arity: ClassVar[tuple[int, int]] = (2, 2)

    transposed: bool = False

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape ``(..., n, m)`` of a matrix product; leading axes broadcast."""
        a, b = shapes
        if len(a) < 2 or len(b) < 2:
            raise fail(self.kind, f"shapes {a} and {b}; both need two axes")
        inner, columns = (b[-1], b[-2]) if self.transposed else (b[-2], b[-1])
        if a[-1] != inner:
            raise fail(self.kind, f"shapes {a} and {b} do not fit")
        return (*broadcast(self.kind, [a[:-2], b[:-2]]), a[-2], columns)

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """One product for each entry of the leading axes."""
        return ops.contract(args[0], args[1], transposed=self.transposed)

    def fields(self) -> dict[str, Any]:
        """Whether the second factor is transposed, as a certificate writes it."""
        return {"transposed": self.transposed}


@dataclass(frozen=True, slots=True)
class CumulativeSum(Node):
    """The running sums along the last axis: entry j is ``x_0 + ... + x_j``."""

    kind: ClassVar[str] = "cumsum"

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read, which needs a last axis."""
        if not shapes[0]:
            raise fail(self.kind, "a number has no last axis")
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Sums over the last axis of a triangle of entries, zeros beyond the diagonal."""
        shape = ops.shape(args[0])
        size = shape[-1]
        rows = np.broadcast_to(flat_places(shape)[..., None, :], (*shape, size))
        triangle = np.where(np.tri(size, dtype=bool), rows, math.prod(shape))
        return ops.total(ops.gather([args[0], ops.constant(np.zeros(1))], triangle))


@dataclass(frozen=True, slots=True)
class Softmax(Node):
    """Softmax over the last axis; a second node read is a mask of exact zeros and ones that broadcasts."""

    kind: ClassVar[str] = "softmax"
    arity: ClassVar[tuple[int, int]] = (1, 2)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of the scores, to which a mask broadcasts."""
        if not shapes[0] or broadcast(self.kind, shapes) != shapes[0]:
            raise fail(self.kind, f"a mask of shape {shapes[-1]} for scores of shape {shapes[0]}")
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Take a softmax over the last axis; masked terms are left out."""
        return ops.softmax(args[0], args[1] if len(args) > 1 else None)


@dataclass(frozen=True, slots=True)
class Attend(Node):
    """``softmax(sqrt(square) q k^T) v`` of ``q, k, v`` and, if four nodes are read, a mask of exact zeros and ones."""

    kind: ClassVar[str] = "attend"
    arity: ClassVar[tuple[int, int]] = (3, 4)

    square: Fraction = Fraction(1)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """``(..., t, e)`` for q ``(..., t, c)``, k ``(..., s, c)``, v ``(..., s, e)``."""
        q, k, v = shapes[:3]
        if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
            raise fail(self.kind, f"shapes {q}, {k}, {v} do not fit; expected (..., t, c), (..., s, c), (..., s, e)")
        if self.square <= 0:
            raise fail(self.kind, f"the scale's square {self.square} must be above 0")
        lead = broadcast(self.kind, [q[:-2], k[:-2], v[:-2]])
        scores = (*lead, q[-2], k[-2])
        if len(shapes) == 4 and broadcast(self.kind, [scores, shapes[3]]) != scores:
            raise fail(self.kind, f"a mask of shape {shapes[3]} for scores of shape {scores}")
        return (*lead, q[-2], v[-1])

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Scores, softmax and weighted sum as one operation of the arithmetic."""
        return ops.attend(args[0], args[1], args[2], self.square, args[3] if len(args) > 3 else None)

    def fields(self) -> dict[str, Any]:
        """The square of the factor of the scores."""
        return {"square": rational(self.square)}


@dataclass(frozen=True, slots=True)
class Reduce(Node):
    """Sum, mean or maximum over the last ``axes`` axes."""

    kind: ClassVar[str] = "reduce"

    how: Literal["sum", "mean", "max"] = "mean"
    axes: int = 1

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read, without its last `axes` axes."""
        if not 1 <= self.axes <= len(shapes[0]):
            raise fail(self.kind, f"axes = {self.axes} of a tensor of shape {shapes[0]}")
        return shapes[0][: -self.axes]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Reduce the last axes as if they were one."""
        shape = ops.shape(args[0])
        whole = ops.gather([args[0]], flat_places((*shape[: -self.axes], math.prod(shape[-self.axes :]))))
        return {"sum": ops.total, "mean": ops.mean, "max": ops.largest}[self.how](whole)

    def fields(self) -> dict[str, Any]:
        """What is taken, and over how many axes."""
        return {"how": self.how, "axes": self.axes}


@dataclass(frozen=True, slots=True)
class Pool(Node):
    """Mean or maximum over windows, channel by channel, ``(channels, *space)`` to ``(channels, *positions)``.

    The padding's places count as zeros in a mean (its divisor is the window's length); a maximum leaves them out.
    """

    kind: ClassVar[str] = "pool"

    how: Literal["mean", "max"] = "mean"
    window: Window = EVERYWHERE

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape ``(channels, *positions)``, the positions being those of the window."""
        return (shapes[0][0], *self.window.positions(shapes, "pool"))

    def places(self, shape: Shape) -> Places:
        """What each unit reads, ``(channels, *positions, prod(kernel))``; the padding is one past the end.

        In a maximum the padding's places repeat another place of the window.
        """
        plane, size = math.prod(shape[1:]), math.prod(shape)
        one = self.window.places((1, *shape[1:]))
        if self.how == "max":
            if (one == plane).all(axis=1).any():
                raise fail(self.kind, "a window lies in the padding alone; reduce the padding")
            one = np.where(one == plane, one.min(axis=1, keepdims=True), one)
        channels = np.arange(shape[0])[:, None, None] * plane
        found: Places = np.where(one == plane, size, one + channels)
        return found.reshape(*self.shape([shape]), -1)

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Reduce each window, after all windows were put into one tensor."""
        places = self.places(ops.shape(args[0]))
        padded = bool(places.size) and int(places.max()) == math.prod(ops.shape(args[0]))
        sources = [args[0], ops.constant(np.zeros(1))] if padded else [args[0]]
        return (ops.mean if self.how == "mean" else ops.largest)(ops.gather(sources, places))

    def fields(self) -> dict[str, Any]:
        """What is taken, and how the window slides."""
        numbers = self.window.fields()
        return {"how": self.how} | {name: numbers[name] for name in ("kernel", "stride", "padding", "dilation")}
