"""Operations that move entries: the samples' axis is followed through each of them by its structure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.base import MIXED, Base, floats, shape_of
from verifier.adapters.translation.expressions import affine_of
from verifier.adapters.translation.values import Batch, Known, Refused, Tensor, Value
from verifier.network import nodes as kinds
from verifier.network.windows import Shape

Move = Callable[[NDArray[Any]], NDArray[Any]]


class Moves(Base):
    """Reshapes, permutations, selections, concatenations, paddings."""

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The entries in another shape, row-major, samples included.

        The samples' axis of the result is the only one with what is before it before it, and what is behind behind.

        Parameters
        ----------
        x : Value
            A tensor.
        shape : sequence of int
            The new shape, one entry of which may be -1.

        Returns
        -------
        Value
            The tensor in that shape.

        Raises
        ------
        Refused
            The sizes do not fit, or no axis of the result holds the samples in order.
        """
        before = shape_of(x)
        target = _resolved(before, shape)
        if isinstance(x, Known):
            return Known(x.array.reshape(target), x.name)
        if target == before:
            return x
        if x.batch is None and x.hidden is None:
            return self._without_batch(x, target)
        x = self._unabbreviated(x)
        batch = None if x.batch is None else self._batch_of(x.shape, x.batch, target)
        size = self.node_shape(target, batch)
        return self._moved(
            x, lambda node: self.reshaped(node, size), target, batch, lambda array: array.reshape(target)
        )

    def _without_batch(self, x: Tensor, target: Shape) -> Tensor:
        x = self._commuting(x)
        size, expression = self.shape_of(x.node), x.expression
        if size != x.shape:  # axes that stand for all their entries stay so, if they stay axes
            abbreviated = _abbreviated(x.shape, size, target)
            if abbreviated is not None:
                return Tensor(self.reshaped(x.node, abbreviated), target, None, expression)
        return Tensor(self.reshaped(self.expanded(x.node, x.shape), target), target, None, expression)

    def _batch_of(self, shape: Shape, batch: Batch, target: Shape) -> Batch:
        """Where the samples are after a reshape."""
        before = math.prod(shape[: batch.axis]) * batch.outer
        behind = math.prod(shape[batch.axis + 1 :]) * batch.inner
        found = []
        for axis in range(len(target)):
            lead, rest = math.prod(target[:axis]), math.prod(target[axis + 1 :])
            if before % lead == 0 and behind % rest == 0:
                found.append(Batch(axis, before // lead, behind // rest))
        if not found:
            raise Refused(f"reshape from {shape} to {target}: {MIXED}")
        return min(found, key=lambda one: (one != batch, not one.pure, abs(one.axis - batch.axis), one.axis))

    def permute(self, x: Value, axes: Sequence[int]) -> Value:
        """The axes in another order: axis k of the result is axis ``axes[k]`` of x."""
        order = tuple(self.axis(x, axis) for axis in axes)
        if sorted(order) != list(range(len(shape_of(x)))):
            raise Refused(f"axes {tuple(axes)} are no order of the axes of shape {shape_of(x)}")
        if isinstance(x, Known):
            return Known(x.array.transpose(order), x.name)
        shape = tuple(x.shape[axis] for axis in order)
        batch, kept = x.batch, list(order)
        if batch is not None:
            batch = replace(batch, axis=order.index(batch.axis))
            if batch.pure:
                kept.remove(x.batch.axis if x.batch else 0)
        ranks = {axis: place for place, axis in enumerate(sorted(kept))}
        places = [ranks[axis] for axis in kept]
        return self._moved(
            x, lambda node: self.permuted(node, places), shape, batch, lambda array: array.transpose(order)
        )

    def take(self, x: Value, axis: int, entries: NDArray[Any] | Sequence[int]) -> Value:
        """Entries along an axis, by index; an array of indices gives its axes in place of the axis.

        Raises
        ------
        Refused
            The axis holds the samples, and not all of them are taken in order; an index is out of range.
        """
        axis = self.axis(x, axis)
        indices = np.asarray(entries)
        if indices.dtype.kind not in "iu":
            if indices.size or indices.dtype.kind != "f":
                raise Refused("entries are taken by whole numbers")
            indices = indices.astype(np.int64)
        length = shape_of(x)[axis]
        if not indices.size:
            raise Refused("an empty selection")
        if indices.min() < -length or indices.max() >= length:
            raise Refused(f"entry {int(indices.max())} of an axis of length {length}")
        indices = indices % length
        if isinstance(x, Known):
            return Known(x.array.take(indices, axis=axis), x.name)
        flat = tuple(int(entry) for entry in indices.ravel())
        shape = (*x.shape[:axis], len(flat), *x.shape[axis + 1 :])
        found: Value = x
        if flat != tuple(range(length)):
            found = self._taken(x, axis, flat, shape)
        if indices.ndim == 1:
            return found
        return self.reshape(found, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))

    def _taken(self, x: Tensor, axis: int, flat: tuple[int, ...], shape: Shape) -> Tensor:
        if x.classes == axis:
            raise Refused("single classes are taken after log_softmax; only the loss may read it")
        if x.batch is not None and axis == x.batch.axis:
            return self._of_samples(x, axis, flat, shape)
        if x.hidden is None and x.batch is None and self.shape_of(x.node)[axis] == 1 and x.shape[axis] > 1:
            return replace(x, shape=shape)
        x = self._unabbreviated(x)
        place = self.place(x, axis, "entries are taken")

        def taken(node: int) -> int:
            if isinstance(before := self.build.nodes[node], kinds.Constant):
                return self.constant(before.values.take(flat, axis=place))
            return self.emit(kinds.Take((node,), place, flat))

        return self._moved(x, taken, shape, x.batch, lambda array: array.take(flat, axis=axis))

    def _of_samples(self, x: Tensor, axis: int, flat: tuple[int, ...], shape: Shape) -> Tensor:
        """A selection along an axis that holds the samples among others: the same for every sample, or refused."""
        batch = x.batch
        if batch is None or batch.pure or len(flat) % self.samples:
            raise Refused(f"single samples are taken from axis {axis} of shape {x.shape}: {MIXED}")
        inner = [outer for outer in range(1, len(flat) + 1) if len(flat) % (outer * self.samples) == 0]
        entries = np.array(flat)
        for count in inner:
            split = entries.reshape(-1, self.samples, count)
            place = np.unravel_index(split, (batch.outer, self.samples, batch.inner))
            own = np.array_equal(place[1], np.broadcast_to(np.arange(self.samples)[:, None], split.shape))
            chosen = place[0] * batch.inner + place[2]
            if own and (chosen == chosen[:, :1]).all():
                after = Batch(axis, split.shape[0], count)
                kept = tuple(int(entry) for entry in chosen[:, 0].ravel())
                found = self.emit(kinds.Take((self.node(x),), axis, kept))
                return Tensor(self.reshaped(found, self.node_shape(shape, after)), shape, after)
        raise Refused(f"single samples are taken from axis {axis} of shape {x.shape}: {MIXED}")

    def slice(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Entries ``start, start + step, ...`` before ``stop`` along an axis, as Python counts them."""
        axis = self.axis(x, axis)
        length = shape_of(x)[axis]
        entries = range(length)[slice(start, stop, step)]
        if len(entries) == 0:
            raise Refused(f"the slice {start}:{stop}:{step} of an axis of length {length} is empty")
        return self.take(x, axis, list(entries))

    def concatenate(self, xs: Sequence[Value], axis: int) -> Value:
        """Tensors one after the other along an axis, which may not be the samples'."""
        if not xs:
            raise Refused("a concatenation of nothing")
        axis = self.axis(xs[0], axis)
        xs = [x for x in xs if shape_of(x) != (0,)] or list(xs)
        if len(xs) == 1:
            return xs[0]
        if all(isinstance(x, Known) for x in xs):
            arrays = [x.array for x in xs if isinstance(x, Known)]
            same = len({array.dtype for array in arrays}) == 1
            return Known(np.concatenate(arrays if same else [floats(array) for array in arrays], axis=axis))
        shapes = [shape_of(x) for x in xs]
        others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if len(others) != 1 or len({len(shape) for shape in shapes}) != 1:
            raise Refused(f"shapes {', '.join(map(str, shapes))} do not fit along axis {axis}")
        found = {x.batch for x in xs if isinstance(x, Tensor) and x.batch is not None}
        if len(found) > 1:
            raise Refused(
                f"tensors of shapes {', '.join(map(str, shapes))} have their samples on different axes: {MIXED}"
            )
        shape = (*shapes[0][:axis], sum(one[axis] for one in shapes), *shapes[0][axis + 1 :])
        if not found:
            parts = [self.whole(self.tensor(x)).node for x in xs]
            return Tensor(self._concatenated(parts, axis), shape)
        (batch,) = found
        if axis == batch.axis:
            raise Refused(f"a concatenation along the samples' axis {axis}: {MIXED}")
        place = axis - 1 if batch.pure and axis > batch.axis else axis
        parts = [
            self.expanded(self._beside(x, len(shape) - batch.axis, batch, 0), self.node_shape(shape_of(x), batch))
            for x in xs
        ]
        return Tensor(self._concatenated(parts, place), shape, batch)

    def _concatenated(self, parts: Sequence[int], axis: int) -> int:
        flat: list[int] = []
        for part in parts:
            node = self.build.nodes[part]
            flat += node.reads if isinstance(node, kinds.Concatenate) and node.axis == axis else [part]
        return self.emit(kinds.Concatenate(tuple(flat), axis))

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """The tensor broadcast to a shape; -1 keeps an axis as it is."""
        before = shape_of(x)
        new = len(shape) - len(before)
        target = tuple(before[i - new] if size == -1 and i >= new else size for i, size in enumerate(shape))
        if new < 0 or np.broadcast_shapes(before, target) != target or -1 in target:
            raise Refused(f"shape {before} does not broadcast to {tuple(shape)}")
        if isinstance(x, Known):
            return Known(np.broadcast_to(x.array, target), x.name)
        if target == before:
            return x
        if x.hidden is not None and x.batch is None:
            x = self._unabbreviated(x)
            return self._moved(
                x, lambda node: self.expanded(node, target), target, None, lambda array: np.broadcast_to(array, target)
            )
        if x.batch is None:
            size = self.shape_of(x.node)
            return replace(
                self._commuting(x), node=self.reshaped(self._commuting(x).node, (1,) * new + size), shape=target
            )
        batch = replace(x.batch, axis=x.batch.axis + new)
        if target[batch.axis] != x.shape[x.batch.axis]:
            raise Refused(f"the samples of shape {before} are repeated to {target}: {MIXED}")
        size = self.node_shape(target, batch)
        return self._moved(
            x, lambda node: self.expanded(node, size), target, batch, lambda array: np.broadcast_to(array, target)
        )

    def pad(self, x: Value, pairs: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
        """A number before and behind the entries, a pair of counts for each axis; negative counts cut off.

        Parameters
        ----------
        x : Value
            A tensor.
        pairs : sequence of (int, int)
            How many before and behind, for every axis.
        value : float
            The number.

        Returns
        -------
        Value
            The padded tensor.

        Raises
        ------
        Refused
            The samples' axis is padded.
        """
        if len(pairs) != len(shape_of(x)):
            raise Refused(f"{len(pairs)} pairs of a padding for {len(shape_of(x))} axes")
        for axis, (before, behind) in enumerate(pairs):
            if before < 0 or behind < 0:
                x = self.slice(x, axis, max(0, -before), shape_of(x)[axis] - max(0, -behind))
            lead, behind_it = shape_of(x)[:axis], shape_of(x)[axis + 1 :]
            sides = [Known(np.full((*lead, max(0, count), *behind_it), value)) for count in (before, behind)]
            parts = [part for part in (sides[0], x, sides[1]) if shape_of(part)[axis]]
            x = self.concatenate(parts, axis)
        return x

    def _unabbreviated(self, x: Tensor) -> Tensor:
        """A tensor with hidden entries, no axis of which is abbreviated."""
        if x.batch is not None or x.hidden is None:
            return x
        return replace(self.whole(replace(x, hidden=None)), hidden=x.hidden)

    def _commuting(self, x: Tensor) -> Tensor:
        """A tensor whose entries may be moved before what is still to be done to them: an exact factor."""
        affine = affine_of(x.expression)
        if x.expression is None or (affine is not None and affine[1] == 0 and x.node != 0 and affine[0] != 0):
            return x
        return replace(x, node=self.apply(x.node, x.expression), expression=None)

    def _moved(self, x: Tensor, step: Callable[[int], int], shape: Shape, batch: Batch | None, move: Move) -> Tensor:
        """The tensor with its entries moved, and with them what is still to be done."""
        x = self._commuting(x)
        hidden, classes = x.hidden, x.classes
        if hidden is not None:
            hidden = np.array(move(np.broadcast_to(hidden, x.shape)))
        if classes is not None:
            labels = move(
                np.broadcast_to(np.arange(x.shape[classes]).reshape(-1, *(1,) * (len(x.shape) - classes - 1)), x.shape)
            )
            classes = _axis_of(np.array(labels), x.shape[classes])
        return Tensor(step(x.node), shape, batch, x.expression, hidden, classes)


def _axis_of(labels: NDArray[Any], length: int) -> int:
    """The axis along which labels are counted."""
    for axis in range(labels.ndim):
        count = np.arange(length).reshape(-1, *(1,) * (labels.ndim - axis - 1))
        if labels.shape[axis] == length and np.array_equal(np.broadcast_to(count, labels.shape), labels):
            return axis
    raise Refused("log_softmax is followed by a reshape that mixes classes; only the loss may read it")


def _resolved(before: Shape, shape: Sequence[int]) -> Shape:
    """The shape with its -1 resolved."""
    sizes = [int(size) for size in shape]
    rest = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) == 1 and rest > 0:
        sizes[sizes.index(-1)] = math.prod(before) // rest
    if math.prod(sizes) != math.prod(before) or any(size < 1 for size in sizes):
        raise Refused(f"reshape of shape {before} to {tuple(shape)}: the numbers of entries differ")
    return tuple(sizes)


def _abbreviated(shape: Shape, size: Shape, target: Shape) -> Shape | None:
    """The shape for ``target`` of a node whose axes are abbreviated to 1 where all their entries are alike."""
    found = list(target)
    position = 0
    for axis, (whole, kept) in enumerate(zip(shape, size, strict=True)):
        if whole == kept:
            continue
        lead = math.prod(shape[:axis])
        fits = [k for k in range(position, len(target)) if math.prod(target[:k]) == lead and target[k] == whole]
        if not fits:
            return None
        found[fits[-1]] = 1
        position = fits[-1] + 1
    return tuple(found) if math.prod(found) == math.prod(size) else None
