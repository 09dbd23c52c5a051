"""What all operations stand on: nodes that are added once, and values that are brought to one form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.expressions import (
    activation_of,
    affine_of,
    affine_text,
    composed,
    on_nonnegative,
    power_of,
    states,
)
from verifier.adapters.translation.signs import sign_of
from verifier.adapters.translation.values import Batch, Known, Refused, Tensor, Value
from verifier.errors import ExpressionError, NetworkError
from verifier.network import nodes as kinds
from verifier.network.builder import Builder
from verifier.network.flags import Sign
from verifier.network.network import Array
from verifier.network.nodes import Node
from verifier.network.windows import Shape

SAME = (Fraction(1), Fraction(0))
EXACT_INTEGERS = 2**53
MIXED = "the samples are mixed with one another, or with other axes; the output for a sample may read this sample alone"


class Base:
    """A graph in the making, with what the conversion knows of its nodes."""

    def __init__(self, input_shape: Shape, samples: int) -> None:
        """Begin with the input of one sample, and the number of samples in the example."""
        self.build = Builder(input_shape)
        self.samples = samples
        self.start: dict[str, Array] = {}
        """The values of the trained parameters, by name."""
        self.remarks: list[str] = []
        self.index: dict[Node, int] = {self.build.nodes[0]: 0}
        self._signs: dict[int, Sign] = {}
        self.origin: dict[int, tuple[int, str | None]] = {}
        """For a node that applies a function to each entry of another: that node, and the function."""

    def remark(self, sentence: str) -> None:
        """Say something about the conversion, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    # nodes
    def emit(self, node: Node) -> int:
        """Add a node, or find the one that computes the same."""
        found = self.index.get(node)
        if found is None:
            try:
                found = self.build.add(node)
            except NetworkError as error:
                raise Refused(str(error).partition("): ")[2] or str(error)) from None
            self.index[node] = found
        return found

    def shape_of(self, node: int) -> Shape:
        """The shape of a node's tensor, one sample at a time."""
        return self.build.shapes[node]

    def reshaped(self, node: int, shape: Shape) -> int:
        """The node's entries in a shape; a reshape of a reshape is one."""
        before = self.build.nodes[node]
        if isinstance(before, kinds.Reshape):
            node = before.reads[0]
        if self.shape_of(node) == shape:
            return node
        if isinstance(before := self.build.nodes[node], kinds.Constant):
            return self.constant(before.values.reshape(shape), before.name)
        return self.emit(kinds.Reshape((node,), shape))

    def permuted(self, node: int, axes: Sequence[int]) -> int:
        """The node's axes in another order; none if nothing moves."""
        axes = tuple(axes)
        before = self.build.nodes[node]
        if isinstance(before, kinds.Permute):
            node, axes = before.reads[0], tuple(before.axes[axis] for axis in axes)
        if axes == tuple(range(len(axes))):
            return node
        if isinstance(before := self.build.nodes[node], kinds.Constant):
            return self.constant(before.values.transpose(axes), before.name)
        shape = self.shape_of(node)
        long = [axis for axis in axes if shape[axis] > 1]
        if long == sorted(long):
            return self.reshaped(node, tuple(shape[axis] for axis in axes))
        return self.emit(kinds.Permute((node,), axes))

    def constant(self, array: NDArray[Any], name: str = "") -> int:
        """Add a node of fixed numbers, which are exactly these floats, and return it."""
        values = floats(array)
        if not np.isfinite(values).all():
            raise Refused("infinite or undefined numbers meet the network; only a mask of attention may have them")
        return self.emit(kinds.Constant(values=np.ascontiguousarray(values), name=name))

    def number(self, value: Fraction) -> int | None:
        """A number as a constant; None if it is no float64."""
        try:
            exact = float(value)
        except OverflowError:
            return None
        return self.constant(np.array(exact)) if Fraction(exact) == value else None

    def apply(self, node: int, expression: str | None) -> int:
        """A function of each entry as nodes; after a function it is one, and reshapes come after both."""
        if expression is None or affine_of(expression) == SAME:
            return node
        before = self.build.nodes[node]
        if isinstance(before, kinds.Reshape):
            return self.reshaped(self.apply(before.reads[0], expression), before.size)
        if isinstance(before, kinds.Expand):
            return self.expanded(self.apply(before.reads[0], expression), before.size)
        if isinstance(before, kinds.Map) and node in self.origin:
            base, inner = self.origin[node]
            whole = composed(expression, inner)
            if states(whole):
                return self.apply(base, whole)
        found = self._applied(node, expression)
        self.origin[found] = (node, expression)
        return found

    def origin_of(self, node: int) -> tuple[int, str | None]:
        """The node that this one applies a function to, and the function; itself, and None."""
        before = self.build.nodes[node]
        if isinstance(before, kinds.Reshape) and before.reads[0] in self.origin:
            base, expression = self.origin[before.reads[0]]
            return self.reshaped(base, before.size), expression
        return self.origin.get(node, (node, None))

    def _applied(self, node: int, expression: str) -> int:
        affine = affine_of(expression)
        if affine is not None:
            slope, shift = affine
            added = self.number(shift) if shift else None
            if slope == 0 and (added is not None or not shift):
                return self.constant(np.full(self.shape_of(node), float(shift)))
            if slope and (added is not None or not shift):
                scaled = node if slope == 1 else self.emit(kinds.Scale((node,), slope))
                return scaled if added is None else self.emit(kinds.Add((scaled, added)))
        try:
            expression = self.on_its_values(node, expression)
            return self.emit(kinds.Map((node,), activation_of(expression)))
        except ExpressionError as error:
            found = self._power(node, expression)
            if found is None:
                raise Refused(str(error)) from None
            return found

    def on_its_values(self, node: int, expression: str) -> str:
        """The expression, or one that is the same where the node's values lie and defined everywhere."""
        if sign_of(self.build.nodes, node, self._signs) is Sign.UNKNOWN:
            return expression
        power = power_of(expression)
        if power is not None and (power.halves < 0 or power.shift != 0):
            return expression
        return on_nonnegative(expression) or expression

    def _power(self, node: int, expression: str) -> int | None:
        """A power of an affine function, where that is positive, by roots."""
        power = power_of(expression)
        if power is None or power.slope == 0 or power.factor == 0:
            return None
        if power.halves % 2 == 0:
            inner = self._applied(node, affine_text(power.slope, power.shift))
            return self._inverse(inner, -power.halves // 2, power.factor)
        if power.shift < 0:
            return None
        inner = node if power.slope == 1 else self.emit(kinds.Scale((node,), power.slope))
        root = self.emit(kinds.InverseRoot((inner,), power.shift))
        if power.halves < 0:
            return self._product([root] * -power.halves, power.factor)
        whole = self._applied(node, affine_text(power.slope, power.shift))
        return self._product([whole] * ((power.halves + 1) // 2) + [root], power.factor)

    def _inverse(self, node: int, times: int, factor: Fraction) -> int | None:
        """``factor / u**times`` for u of either sign: 1/u is u (1 / sqrt(u^2))^2."""
        if times < 1:
            return None
        if times % 2 == 0:
            root = self.emit(kinds.InverseRoot((self.emit(kinds.Multiply((node, node))),), Fraction(0)))
            return self._product([root] * times, factor)
        if sign_of(self.build.nodes, node, self._signs) is Sign.POSITIVE:
            root = self.emit(kinds.InverseRoot((node,), Fraction(0)))
            return self._product([root] * (2 * times), factor)
        root = self.emit(kinds.InverseRoot((self.emit(kinds.Multiply((node, node))),), Fraction(0)))
        return self._product([node, *[root] * (times + 1)], factor)

    def _product(self, parts: Sequence[int], factor: Fraction) -> int:
        found = parts[0] if len(parts) == 1 else self.emit(kinds.Multiply(tuple(parts)))
        return found if factor == 1 else self.emit(kinds.Scale((found,), factor))

    # values
    def node(self, x: Tensor) -> int:
        """The node of a tensor, with everything done that was still to be done."""
        if x.classes is not None:
            raise Refused("log_softmax is followed by another operation; only the loss may read it")
        if x.hidden is not None:
            raise Refused("entries are minus infinity, and no softmax follows; only masks of attention may be infinite")
        return self.apply(x.node, x.expression)

    def settled(self, x: Tensor) -> Tensor:
        """The same tensor without anything still to be done."""
        return replace(x, node=self.node(x), expression=None)

    def tensor(self, x: Value) -> Tensor:
        """A value as a tensor: known numbers become a constant."""
        if isinstance(x, Tensor):
            return x
        array = x.array
        for axis in range(array.ndim):
            first = array.take([0], axis=axis) if array.shape[axis] > 1 else array
            array = first if np.array_equal(np.broadcast_to(first, array.shape), array) else array
        return Tensor(self.constant(array, x.name), x.array.shape)

    def whole(self, x: Tensor) -> Tensor:
        """A tensor without anything still to be done, no axis of which is abbreviated."""
        x = self.settled(x)
        if x.batch is None and self.shape_of(x.node) != x.shape:
            return replace(x, node=self.expanded(x.node, x.shape))
        return x

    def partly(self, x: Tensor, axes: Iterable[int]) -> Tensor:
        """A tensor without anything still to be done, these axes of which are not abbreviated."""
        x = self.settled(x)
        if x.batch is not None:
            return x
        size = list(self.shape_of(x.node))
        for axis in axes:
            size[axis] = x.shape[axis]
        return replace(x, node=self.expanded(x.node, tuple(size)))

    def expanded(self, node: int, shape: Shape) -> int:
        """The node broadcast to a shape."""
        if self.shape_of(node) == shape:
            return node
        if math.prod(self.shape_of(node)) == math.prod(shape):
            return self.reshaped(node, shape)
        if isinstance(before := self.build.nodes[node], kinds.Constant):
            return self.constant(np.broadcast_to(before.values, shape).copy(), before.name)
        return self.emit(kinds.Expand((node,), shape))

    def axis(self, x: Value, axis: int) -> int:
        """An axis as a number from 0."""
        rank = len(shape_of(x))
        if not -rank <= axis < rank:
            raise Refused(f"axis {axis} of a tensor of shape {shape_of(x)}")
        return axis % rank

    def place(self, x: Tensor, axis: int, what: str) -> int:
        """The axis of the node for one of the tensor's; the samples' is refused, with what was to be done along it."""
        batch = x.batch
        if batch is None:
            return axis
        if axis == batch.axis:
            raise Refused(f"{what} along the samples' axis {axis} of shape {x.shape}: {MIXED}")
        return axis - 1 if batch.pure and axis > batch.axis else axis

    def node_shape(self, shape: Shape, batch: Batch | None) -> Shape:
        """The shape of a node for a tensor's shape."""
        if batch is None:
            return shape
        kept = () if batch.pure else (batch.outer * batch.inner,)
        return (*shape[: batch.axis], *kept, *shape[batch.axis + 1 :])

    def without_samples(self, array: NDArray[Any], axis: int, batch: Batch) -> NDArray[Any]:
        """Numbers with the samples' axis left out as in nodes; refused if they differ from sample to sample."""
        length = array.shape[axis]
        if length == 1:
            return array.reshape(array.shape[:axis] + array.shape[axis + 1 :]) if batch.pure else array
        lead, rest = array.shape[:axis], array.shape[axis + 1 :]
        split = array.reshape(*lead, batch.outer, self.samples, batch.inner, *rest)
        first = split.take([0], axis=axis + 1)
        if not np.array_equal(np.broadcast_to(first, split.shape), split):
            raise Refused("numbers that differ from sample to sample meet the network; it sees one sample at a time")
        return first.reshape((*lead, *rest) if batch.pure else (*lead, batch.outer * batch.inner, *rest))

    def aligned(self, values: Sequence[Value], keep: int = 0) -> tuple[list[int], Shape, Batch | None]:
        """Nodes that broadcast against one another, all axes but the last ``keep``.

        Returns
        -------
        (list of int, tuple of int, Batch or None)
            The nodes, the tensors' common shape without the last ``keep`` axes, and where the samples are in it.
        """
        shapes = [shape_of(x) for x in values]
        if any(len(shape) < keep for shape in shapes):
            raise Refused(f"shapes {', '.join(map(str, shapes))} do not fit")
        try:
            lead = tuple(np.broadcast_shapes(*(shape[: len(shape) - keep] for shape in shapes)))
        except ValueError:
            raise Refused(f"shapes {', '.join(map(str, shapes))} do not broadcast") from None
        found = {
            (len(x.shape) - x.batch.axis, x.batch.outer, x.batch.inner)
            for x in values
            if isinstance(x, Tensor) and x.batch is not None
        }
        if len(found) > 1:
            raise Refused(
                f"tensors of shapes {', '.join(map(str, shapes))} have their samples on different axes: {MIXED}"
            )
        if not found:
            return [self.node(self.tensor(x)) for x in values], lead, None
        ((right, outer, inner),) = found
        batch = Batch(len(lead) + keep - right, outer, inner)
        if right <= keep or lead[batch.axis] != outer * self.samples * inner:
            raise Refused(f"shapes {', '.join(map(str, shapes))}: {MIXED}")
        return [self._beside(x, right, batch, keep) for x in values], lead, batch

    def _beside(self, x: Value, right: int, batch: Batch, keep: int) -> int:
        """The node of a value that is combined with tensors whose samples' axis is the ``right``-th from the right."""
        shape = shape_of(x)
        axis = len(shape) - right
        if isinstance(x, Known):
            array = x.array if axis < 0 else self.without_samples(x.array, axis, batch)
            while array.ndim > keep and array.shape[0] == 1:
                array = array[0]
            return self.constant(array, x.name)
        node = self.node(x)
        if x.batch is not None:
            return node
        size = self.shape_of(node)
        if axis >= 0 and size[axis] != 1:
            raise Refused(
                f"a parameter of shape {shape} has entries for single samples, or for {shape[axis]} alone: {MIXED}"
            )
        kept = list(range(len(size)))
        if axis >= 0 and batch.pure:
            kept.remove(axis)
        return self.reshaped(node, tuple(size[i] for i in kept))

    def fitted(self, node: int, shape: Shape, batch: Batch | None) -> Tensor:
        """A tensor from a node that may still broadcast to its shape."""
        if batch is None:
            if len(self.shape_of(node)) < len(shape):
                size = self.shape_of(node)
                node = self.reshaped(node, (1,) * (len(shape) - len(size)) + size)
            return Tensor(node, shape)
        return Tensor(self.expanded(node, self.node_shape(shape, batch)), shape, batch)


def shape_of(x: Value) -> Shape:
    """The shape in the framework."""
    return tuple(x.array.shape) if isinstance(x, Known) else x.shape


def floats(array: NDArray[Any]) -> Array:
    """Return numbers as a float64 array, exactly; what would be rounded is refused."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise Refused(f"numbers of type {array.dtype} meet the network; it computes with real numbers")
    if array.dtype.kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > EXACT_INTEGERS:
        raise Refused("whole numbers beyond 2**53 meet the network; use smaller ones")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise Refused(f"numbers of type {array.dtype} meet the network; use float64")
    return array.astype(np.float64)


def uniform(x: Value) -> Fraction | None:
    """The number that all entries of known numbers are, None if they differ, or are not finite."""
    if not isinstance(x, Known) or not x.array.size or x.array.dtype.kind not in "fiub":
        return None
    first = x.array.flat[0]
    if not np.isfinite(first) or not (x.array == first).all():
        return None
    return Fraction(first.item())
