r"""Values with their derivatives in K directions at once: forward differentiation in any arithmetic.

A *tangent* is a value of shape S for each sample, and its derivatives along K directions in the space of parameters, a
value of shape ``(K, *S)``, or None where it does not move. The rules are those of first-order calculus, written in the
operations of the values' own arithmetic: where these enclose, so do the tangents. Reverse accumulation in this
arithmetic (`verifier.network.reverse`) gives K rows of a Hessian.

Guarantee: if the operations of the engine enclose, and the directions are enclosed, then so are all values and their
derivatives; what has a kink is refused (`NotSmooth`).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.differentiable import Differentiable
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

T = TypeVar("T")


class TwiceDifferentiable(Differentiable[T]):
    """An arithmetic with an activation's second derivative, too."""

    @abstractmethod
    def second(self, x: T, sigma: Activation) -> T:
        """An activation's second derivative, entry by entry; `NotSmooth` where it may have a kink."""


@dataclass(frozen=True, slots=True)
class Tangent(Generic[T]):
    """A value, and its derivatives along the directions; None: it does not move."""

    value: T
    along: T | None = None


class Tangents(Arithmetic[Tangent[T]]):
    """First-order calculus over the operations of an arithmetic.

    Parameters
    ----------
    engine : TwiceDifferentiable
        What the values are.
    directions : mapping of str to T
        For each parameter that moves its derivatives, ``(K, *shape)``, one row.
    count : int
        K.
    """

    def __init__(self, engine: TwiceDifferentiable[T], directions: Mapping[str, T], count: int) -> None:
        """Take the engine, and the directions along which parameters move."""
        self.engine, self.ops, self.directions, self.count = engine, engine.ops, directions, count
        self.zero = engine.ops.constant(np.zeros(1))

    def shape(self, value: Tangent[T]) -> Shape:
        """The shape of the value."""
        return self.ops.shape(value.value)

    def input(self, shape: Shape) -> Tangent[T]:
        """The samples, which have no derivative along the direction."""
        return Tangent(self.ops.input(shape))

    def parameter(self, name: str, shape: Shape) -> Tangent[T]:
        """A part of U, and how it moves."""
        return Tangent(self.ops.parameter(name, shape), self.directions.get(name))

    def constant(self, values: NDArray[np.float64]) -> Tangent[T]:
        """Fixed numbers, which have no derivative along the direction."""
        return Tangent(self.ops.constant(values))

    def affine(
        self, geometry: Geometry, sources: Sequence[Tangent[T]], weight: Tangent[T], bias: Tangent[T] | None
    ) -> Tangent[T]:
        """``(H W + b)' = H' W + H W' + b'``, window by window."""
        ops = self.ops
        value = ops.affine(geometry, [s.value for s in sources], weight.value, None if bias is None else bias.value)
        still = weight.along is None and all(source.along is None for source in sources)
        found: T | None = None
        filters, positions = geometry.filters, geometry.positions
        order = np.arange(filters * positions).reshape(filters, positions).T  # (positions, filters): where they go
        if not geometry.filters_first:
            order = np.arange(filters * positions).reshape(positions, filters)
        if not still:
            found = self._affine_along(geometry, sources, weight, order)
        if bias is not None and bias.along is not None:
            size = math.prod(ops.shape(bias.value))
            owner = np.arange(size)
            if size == filters:
                owner = np.empty(order.size, dtype=np.int64)
                owner[order.ravel()] = np.tile(np.arange(filters), positions)
            found = self._sum(found, self._taken([bias.along], [size], owner.reshape(geometry.shape)))
        return Tangent(value, found)

    def _affine_along(
        self, geometry: Geometry, sources: Sequence[Tangent[T]], weight: Tangent[T], order: Places
    ) -> T | None:
        """The derivatives of the products, ``(K, *shape)``; ``order`` says where each position and filter goes."""
        windows = geometry.windows
        read = list(sources)
        if windows is None:
            windows = np.arange(sum(math.prod(self.shape(s)) for s in sources))[None, None, :]
        elif geometry.padded:
            read.append(Tangent(self.zero))
        groups, positions, width = windows.shape
        per = geometry.filters // groups
        parts: list[T | None] = []
        places = np.empty(order.size, dtype=np.int64)
        for group, window in enumerate(windows):
            rows = np.arange(group * per * width, (group + 1) * per * width).reshape(per, width)
            patches, own = self.gather(read, window), self.gather([weight], rows)
            parts.append(self._contracted(patches, own, transposed=True))  # (K, positions, per)
            start = group * positions * per
            here = np.arange(start, start + positions * per).reshape(positions, per)
            places[order[:, group * per : (group + 1) * per].ravel()] = here.ravel()
        return self._taken(parts, [positions * per] * groups, places.reshape(geometry.shape))

    def map(self, x: Tangent[T], sigma: Activation) -> Tangent[T]:
        """The activation of x, with the derivative ``sigma'(x) x'``."""
        value = self.ops.map(x.value, sigma)
        if x.along is None:
            return Tangent(value)
        return Tangent(value, self.ops.multiply(x.along, self.engine.rate(x.value, sigma)))

    def add(self, a: Tangent[T], b: Tangent[T]) -> Tangent[T]:
        """The sum of two values, with the sum of their derivatives."""
        value = self.ops.add(a.value, b.value)
        shape = self.ops.shape(value)
        return Tangent(value, self._sum(self._wide(a, shape), self._wide(b, shape)))

    def multiply(self, a: Tangent[T], b: Tangent[T]) -> Tangent[T]:
        """The product a b, with the derivative ``a' b + a b'``."""
        ops, value = self.ops, self.ops.multiply(a.value, b.value)
        shape = ops.shape(value)
        left, right = self._wide(a, shape), self._wide(b, shape)
        first = None if left is None else ops.multiply(left, b.value)
        second = None if right is None else ops.multiply(right, a.value)
        return Tangent(value, self._sum(first, second))

    def scale(self, x: Tangent[T], factor: Fraction, *, root: bool = False) -> Tangent[T]:
        """The value and its derivative times the same exact factor."""
        along = None if x.along is None else self.ops.scale(x.along, factor, root=root)
        return Tangent(self.ops.scale(x.value, factor, root=root), along)

    def gather(self, sources: Sequence[Tangent[T]], places: Places) -> Tangent[T]:
        """Entries in other places, with their derivatives."""
        sizes = [math.prod(self.shape(source)) for source in sources]
        along = self._taken([source.along for source in sources], sizes, places)
        return Tangent(self.ops.gather([source.value for source in sources], places), along)

    def _taken(self, parts: Sequence[T | None], sizes: Sequence[int], places: Places) -> T | None:
        """Entries of derivatives side by side, ``(K, *places.shape)``, each part of ``(K, any shape of its size)``."""
        moving = [part for part in parts if part is not None]
        if not moving:
            return None
        starts = np.concatenate([[0], np.cumsum(sizes)])
        part_of = np.searchsorted(starts, places, side="right") - 1
        begins, start = np.full(len(parts), -1), 0  # where each moving part begins among the derivatives
        for k, part in enumerate(parts):
            if part is not None:
                begins[k], start = start, start + self.count * sizes[k]
        direction = np.arange(self.count).reshape(-1, *(1,) * places.ndim)
        own = begins[part_of] + direction * np.array(sizes)[part_of] + (places - starts[part_of])
        whole = np.where(begins[part_of] >= 0, own, start)
        return self.ops.gather([*moving, self.zero] if len(moving) < len(parts) else moving, whole)

    def contract(self, a: Tangent[T], b: Tangent[T], *, transposed: bool = False) -> Tangent[T]:
        """The matrix product A B, with the derivative ``A' B + A B'``."""
        value = self.ops.contract(a.value, b.value, transposed=transposed)
        return Tangent(value, self._contracted(a, b, transposed=transposed))

    def _contracted(self, a: Tangent[T], b: Tangent[T], *, transposed: bool) -> T | None:
        ops, axes = self.ops, max(len(self.shape(a)), len(self.shape(b)))
        first = second = None
        if a.along is not None:
            first = ops.contract(self._lifted(a.along, axes), b.value, transposed=transposed)
        if b.along is not None:
            second = ops.contract(a.value, self._lifted(b.along, axes), transposed=transposed)
        return self._sum(first, second)

    def total(self, x: Tangent[T]) -> Tangent[T]:
        """The sum over the last axis, of the values and of their derivatives."""
        return Tangent(self.ops.total(x.value), None if x.along is None else self.ops.total(x.along))

    def largest(self, x: Tangent[T]) -> Tangent[T]:
        """The derivatives of the entry that attains the maximum."""
        value = self.ops.largest(x.value)
        if x.along is None:
            return Tangent(value)
        return Tangent(value, self.ops.total(self.ops.multiply(x.along, self.engine.attained(x.value))))

    def inverse_root(self, x: Tangent[T], epsilon: Fraction) -> Tangent[T]:
        """The inverse root r, with the derivative ``r' = -r^3 x' / 2``."""
        ops, r = self.ops, self.ops.inverse_root(x.value, epsilon)
        if x.along is None:
            return Tangent(r)
        cubes = ops.multiply(ops.multiply(r, r), r)
        return Tangent(r, ops.scale(ops.multiply(x.along, cubes), Fraction(-1, 2)))

    def softmax(self, x: Tangent[T], mask: Tangent[T] | None) -> Tangent[T]:
        """``p_j' = p_j (x_j' - sum_k p_k x_k')``."""
        ops, p = self.ops, self.ops.softmax(x.value, None if mask is None else mask.value)
        along = self._wide(x, ops.shape(p))
        if along is None:
            return Tangent(p)
        common = ops.spread(ops.total(ops.multiply(along, p)), ops.shape(p)[-1])
        return Tangent(p, ops.multiply(ops.add(along, ops.scale(common, Fraction(-1))), p))

    def normalise(self, x: Tangent[T], epsilon: Fraction, *, centre: bool) -> Tangent[T]:
        """``z' = r (d' - z mean(z d'))``, r = (mean d^2 + epsilon)^(-1/2)."""
        ops, size = self.ops, self.shape(x)[-1]
        z = ops.normalise(x.value, epsilon, centre=centre)
        if x.along is None:
            return Tangent(z)
        d, change = (self._centred(part, size) if centre else part for part in (x.value, x.along))
        r = ops.spread(ops.inverse_root(ops.mean(ops.multiply(d, d)), epsilon), size)
        along = ops.spread(ops.mean(ops.multiply(change, z)), size)
        inward = ops.add(change, ops.scale(ops.multiply(along, z), Fraction(-1)))
        return Tangent(z, ops.multiply(inward, r))

    def _centred(self, x: T, size: int) -> T:
        return self.ops.add(x, self.ops.scale(self.ops.spread(self.ops.mean(x), size), Fraction(-1)))

    def embed(self, tokens: Tangent[T], table: Tangent[T]) -> Tangent[T]:
        """Rows of the table's derivatives: the directions are moved behind the tokens, and back."""
        ops, value = self.ops, self.ops.embed(tokens.value, table.value)
        if table.along is None:
            return Tangent(value)
        rows, *rest = self.shape(table)
        size, places = math.prod(rest), math.prod(self.shape(tokens))
        turned = np.arange(self.count * rows * size).reshape(self.count, rows, size).swapaxes(0, 1)
        chosen = ops.embed(tokens.value, ops.gather([table.along], turned))  # (*tokens, K, size)
        back = np.arange(places * self.count * size).reshape(places, self.count, size).swapaxes(0, 1)
        return Tangent(value, ops.gather([chosen], back.reshape(self.count, *ops.shape(value))))

    def _sum(self, a: T | None, b: T | None) -> T | None:
        if a is None or b is None:
            return b if a is None else a
        return self.ops.add(a, b)

    def _lifted(self, along: T, axes: int) -> T:
        """New axes of length 1 behind the directions, so that there are ``axes`` more than these."""
        shape = self.ops.shape(along)
        missing = axes + 1 - len(shape)
        if missing <= 0:
            return along
        return self.ops.gather([along], np.arange(math.prod(shape)).reshape(shape[0], *(1,) * missing, *shape[1:]))

    def _wide(self, x: Tangent[T], shape: Shape) -> T | None:
        """The derivatives, broadcast to ``(K, *shape)``."""
        if x.along is None or self.shape(x) == shape:
            return x.along
        lifted = self._lifted(x.along, len(shape))
        own = self.ops.shape(lifted)
        places = np.broadcast_to(np.arange(math.prod(own)).reshape(own), (self.count, *shape))
        return self.ops.gather([lifted], places)


class TangentSlopes(Differentiable[Tangent[T]]):
    """Activations' derivatives with their own derivatives along the directions."""

    def __init__(self, ops: Tangents[T]) -> None:
        """Take the arithmetic of values with their derivatives."""
        self.ops: Tangents[T] = ops

    def rate(self, x: Tangent[T], sigma: Activation) -> Tangent[T]:
        """The activation's derivative ``sigma'(x)``, with its own derivative ``sigma''(x) x'``."""
        engine = self.ops.engine
        rate = engine.rate(x.value, sigma)
        if x.along is None:
            return Tangent(rate)
        return Tangent(rate, engine.ops.multiply(x.along, engine.second(x.value, sigma)))

    def attained(self, x: Tangent[T]) -> Tangent[T]:
        """The same entry near a place where one attains the maximum alone."""
        return Tangent(self.ops.engine.attained(x.value))
