"""A model that was exported for one sample: the translation with the samples on an axis that the model does not see.

Such a model may put its axis of length 1 anywhere, merge it with others and split it again; which axis was the batch is
then no longer to be seen. It need not be: the model is a function of one sample, so its tensors are translated with an
axis of samples in front of all that it has, and its own axis of length 1 is one like others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.onnx.call import axis_of, shape_of
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Batch, Known, Refused, Tensor, Value
from verifier.network.network import Array

FRONT: Final = Batch(0)
HIDDEN: Final = Batch(-1)
"""Marks tensors whose shape is the model's, without the samples in front."""
Pairs = Sequence[tuple[int, int]]


class OneSample:
    """The methods of `Translation` on tensors of one sample, all axes as the model counts them.

    Parameters
    ----------
    input_shape : tuple of int
        The shape of one sample.
    samples : int
        How many samples are in front.
    """

    def __init__(self, input_shape: tuple[int, ...], samples: int) -> None:
        """Begin with the input, of which every sample has this shape."""
        self.inner = Translation(input_shape, samples)
        self.batch = samples

    @property
    def samples(self) -> int:
        """How many samples the model sees."""
        return 1

    # between the model's view and the translation's
    def _real(self, x: Value, rank: int = 0) -> Value:
        """The tensor with the samples in front; axes of length 1 behind them make up the rank."""
        if isinstance(x, Known) or x.batch != HIDDEN:
            return x
        found: Value = replace(x, shape=(self.batch, *x.shape), batch=FRONT)
        if rank > len(x.shape):
            ones = (1,) * (rank - len(x.shape))
            found = self.inner.reshape(found, (self.batch, *ones, *x.shape))
        return found

    def _view(self, x: Value) -> Value:
        if isinstance(x, Known) or x.batch is None:
            return x
        if x.batch != FRONT:
            raise Refused("samples are mixed with other axes; please report this model")
        return replace(x, shape=x.shape[1:], batch=HIDDEN)

    def _shift(self, x: Value) -> int:
        return int(isinstance(x, Tensor) and x.batch == HIDDEN)

    def _along(self, method: str, x: Value, axis: int, *rest: Any) -> Value:
        """An operation along one axis."""
        place = axis_of(axis, len(shape_of(x))) + self._shift(x)
        return self._view(getattr(self.inner, method)(self._real(x), place, *rest))

    def _over(self, method: str, x: Value, axes: Sequence[int], keep: bool) -> Value:
        places = [axis_of(axis, len(shape_of(x))) + self._shift(x) for axis in axes]
        return self._view(getattr(self.inner, method)(self._real(x), places, keep))

    def _broadcast(self, method: str, *values: Value) -> Value:
        """An operation entry by entry, or over the last axes."""
        rank = max(len(shape_of(x)) for x in values)
        return self._view(getattr(self.inner, method)(*(self._real(x, rank) for x in values)))

    def _images(self, method: str, x: Value, *rest: Any, **options: Any) -> Value:
        """An operation on ``(batch, channels, *space)``: the model's first axis joins the samples."""
        if not self._shift(x):
            return self._view(getattr(self.inner, method)(x, *rest, **options))
        count, *shape = shape_of(x)
        merged = self.inner.reshape(self._real(x), (self.batch * count, *shape))
        found = getattr(self.inner, method)(merged, *rest, **options)
        return self._view(self.inner.reshape(found, (self.batch, count, *shape_of(found)[1:])))

    # what comes in and what goes out
    def input(self) -> Tensor:
        """The sample, with the model's own axis of length 1 in front."""
        x = self.inner.input()
        found = self._view(self.inner.reshape(x, (self.batch, 1, *x.shape[1:])))
        if not isinstance(found, Tensor):
            raise Refused("the input is known")
        return found

    def parameter(self, name: str, values: Array) -> Tensor:
        """A trained parameter, which has no axis of samples."""
        return self.inner.parameter(name, values)

    def remark(self, sentence: str) -> None:
        """Say something about the conversion, once, to the user."""
        self.inner.remark(sentence)

    def finish(self, output: Value) -> Imported:
        """Find the head; the logits are all entries of the output."""
        flat = self.inner.reshape(self._real(output), (self.batch, math.prod(shape_of(output))))
        return self.inner.finish(flat if self._shift(output) else output)

    # entry by entry
    def elementwise(self, expression: str, x: Value) -> Value:
        """A function of each entry."""
        return self._view(self.inner.elementwise(expression, self._real(x)))

    def add(self, a: Value, b: Value) -> Value:
        """``a + b``, entry by entry, broadcast along the model's own axes."""
        return self._broadcast("add", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        """``a - b``, entry by entry, broadcast along the model's own axes."""
        return self._broadcast("subtract", a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        """``a b``, entry by entry, broadcast along the model's own axes."""
        return self._broadcast("multiply", a, b)

    def divide(self, a: Value, b: Value) -> Value:
        """``a / b``, entry by entry, broadcast along the model's own axes."""
        return self._broadcast("divide", a, b)

    def power(self, a: Value, b: Value) -> Value:
        """``a ** b``, entry by entry, broadcast along the model's own axes."""
        return self._broadcast("power", a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger of two values, entry by entry, with broadcasting."""
        return self._broadcast("maximum", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller of two values, entry by entry, with broadcasting."""
        return self._broadcast("minimum", a, b)

    def where(self, mask: Known, a: Value, b: Value) -> Value:
        """``a`` where the mask is true, else ``b``."""
        return self._broadcast("where", mask, a, b)

    # products
    def matmul(self, a: Value, b: Value) -> Value:
        """Products as NumPy's; where one row is multiplied, a vector for each sample."""
        if self._shift(a) and not self._shift(b) and len(shape_of(b)) == 2 and math.prod(shape_of(a)[:-1]) == 1:
            return self._of_row(a, lambda row: self.inner.matmul(row, b))
        if min(len(shape_of(a)), len(shape_of(b))) < 2:
            return self._view(self.inner.matmul(self._real(a), self._real(b)))
        return self._broadcast("matmul", a, b)

    def linear(self, x: Value, weight: Value, bias: Value | None) -> Value:
        """``x W^T + b`` over the last axis."""
        if self._shift(x) and math.prod(shape_of(x)[:-1]) == 1:
            return self._of_row(x, lambda row: self.inner.linear(row, weight, bias))
        return self._view(self.inner.linear(self._real(x), weight, bias))

    def _of_row(self, x: Value, product: Any) -> Value:
        *lead, width = shape_of(x)
        found = product(self.inner.reshape(self._real(x), (self.batch, width)))
        return self._view(self.inner.reshape(found, (self.batch, *lead, shape_of(found)[-1])))

    def convolution(self, x: Value, weight: Value, bias: Value | None, **options: Any) -> Value:
        """A convolution of ``(batch, channels, *space)``."""
        return self._images("convolution", x, weight, bias, **options)

    def attention(
        self, q: Value, k: Value, v: Value, mask: Value | None, scale: float | Fraction | None, causal: bool
    ) -> Value:
        """Attention by scaled dot products, ``softmax(scale q k^T + mask) v``."""
        real = None if mask is None else self._real(mask, len(shape_of(q)))
        return self._view(self.inner.attention(self._real(q), self._real(k), self._real(v), real, scale, causal))

    def embedding(self, table: Value, tokens: Value) -> Value:
        """The rows of a table whose numbers are the tokens."""
        return self._view(self.inner.embedding(table, self._real(tokens)))

    # normalisations
    def batch_norm(self, x: Value, *rest: Any) -> Value:
        """Batch normalisation with known statistics."""
        return self._images("batch_norm", x, *rest)

    def group_norm(self, x: Value, *rest: Any) -> Value:
        """Group normalisation of ``(batch, channels, *space)``."""
        return self._images("group_norm", x, *rest)

    def layer_norm(self, x: Value, *rest: Any) -> Value:
        """Layer normalisation over the last axes."""
        return self._view(self.inner.layer_norm(self._real(x), *rest))

    def rms_norm(self, x: Value, *rest: Any) -> Value:
        """Root mean square normalisation over the last axes."""
        return self._view(self.inner.rms_norm(self._real(x), *rest))

    def softmax(self, x: Value, axis: int) -> Value:
        """The softmax along one axis, which is not that of the samples."""
        return self._along("softmax", x, axis)

    def log_softmax(self, x: Value, axis: int) -> Value:
        """The logarithm of the softmax along an axis."""
        return self._along("log_softmax", x, axis)

    # over axes
    def mean(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The mean over some axes, which are not that of the samples."""
        return self._over("mean", x, axes, keep)

    def sum(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The sum over some axes, which are not that of the samples."""
        return self._over("sum", x, axes, keep)

    def largest(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The maximum over some axes, which are not that of the samples."""
        return self._over("largest", x, axes, keep)

    def cumsum(self, x: Value, axis: int) -> Value:
        """Running sums along an axis."""
        return self._along("cumsum", x, axis)

    def pool(self, how: str, x: Value, **options: Any) -> Value:
        """Mean or maximum over windows."""
        if not self._shift(x):
            return self._view(self.inner.pool(how, x, **options))
        count, *shape = shape_of(x)
        merged = self.inner.reshape(self._real(x), (self.batch * count, *shape))
        found = self.inner.pool(how, merged, **options)
        return self._view(self.inner.reshape(found, (self.batch, count, *shape_of(found)[1:])))

    # moves
    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The entries in another shape."""
        if not self._shift(x):
            return self.inner.reshape(x, shape)
        size, known = math.prod(shape_of(x)), math.prod(n for n in shape if n != -1)
        target = [size // max(1, known) if n == -1 else n for n in shape]
        return self._view(self.inner.reshape(self._real(x), (self.batch, *target)))

    def permute(self, x: Value, axes: Sequence[int]) -> Value:
        """The axes in another order."""
        if not self._shift(x):
            return self.inner.permute(x, axes)
        rank = len(shape_of(x))
        return self._view(self.inner.permute(self._real(x), [0, *(1 + axis_of(axis, rank) for axis in axes)]))

    def take(self, x: Value, axis: int, entries: NDArray[Any] | Sequence[int]) -> Value:
        """The chosen entries along one axis, which is not that of the samples."""
        return self._along("take", x, axis, entries)

    def slice(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Entries of a range along an axis."""
        return self._along("slice", x, axis, start, stop, step)

    def concatenate(self, xs: Sequence[Value], axis: int) -> Value:
        """Tensors one after the other."""
        place = axis_of(axis, len(shape_of(xs[0])))
        if not any(self._shift(x) for x in xs):
            return self.inner.concatenate(xs, place)
        parts = [self._repeated(x) for x in xs]
        return self._view(self.inner.concatenate(parts, place + 1))

    def _repeated(self, x: Value) -> Value:
        """What does not depend on the sample, for each sample."""
        if isinstance(x, Known):
            return Known(np.broadcast_to(x.array, (self.batch, *x.array.shape)), x.name)
        if self._shift(x):
            return self._real(x)
        return self.inner.expand(self.inner.reshape(x, (1, *x.shape)), (self.batch, *x.shape))

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """The tensor broadcast to a shape."""
        if not self._shift(x):
            return self.inner.expand(x, shape)
        return self._view(self.inner.expand(self._real(x, len(shape)), (self.batch, *shape)))

    def pad(self, x: Value, pairs: Pairs, value: float = 0.0) -> Value:
        """A number before and behind the entries."""
        front = [(0, 0)] if self._shift(x) else []
        return self._view(self.inner.pad(self._real(x), [*front, *pairs], value))
