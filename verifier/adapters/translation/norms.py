"""Means, sums and maxima over axes, and normalisations, whole or in pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np

from verifier.adapters.translation.base import floats, shape_of
from verifier.adapters.translation.expressions import affine_text, power_of, symbolic
from verifier.adapters.translation.pointwise import ROUNDED
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.adapters.translation.windows import Windows
from verifier.network import nodes as kinds
from verifier.network.nodes import Window
from verifier.network.windows import Shape
from verifier.sigma.expressions import T


class Norms(Windows):
    """Builds the nodes of reductions and of normalisations over axes."""

    def __init__(self, input_shape: Shape, samples: int) -> None:
        """Begin without nodes that are known to be means."""
        super().__init__(input_shape, samples)
        self.means: dict[int, tuple[int, Shape]] = {}
        """For a node that is a mean, its axes kept: of which node, over which axes."""

    def mean(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The mean over axes, which stay with length 1 if ``keep``."""
        return self._reduced("mean", x, axes, keep)

    def sum(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The sum over axes, which stay with length 1 if ``keep``."""
        return self._reduced("sum", x, axes, keep)

    def largest(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """The maximum over axes, which stay with length 1 if ``keep``."""
        return self._reduced("max", x, axes, keep)

    def variance(self, x: Value, axes: Sequence[int], keep: bool, correction: int = 0) -> Value:
        """The sum of squared deviations from the mean over ``n - correction``, n the number of entries."""
        count = math.prod(shape_of(x)[self.axis(x, axis)] for axis in axes)
        if count <= correction:
            raise Refused(f"a variance of {count} entries with correction {correction} divides by 0")
        deviation = self.subtract(x, self.mean(x, axes, True))
        found = self.mean(self.elementwise("t**2", deviation), axes, keep)
        return self.elementwise(f"({count}/{count - correction})*t", found) if correction else found

    def _reduced(self, how: Literal["sum", "mean", "max"], x: Value, axes: Sequence[int], keep: bool) -> Value:
        over = tuple(sorted({self.axis(x, axis) for axis in axes}))
        if isinstance(x, Known):
            if how == "mean" or (how == "sum" and x.array.dtype.kind == "f"):
                raise Refused(ROUNDED)
            return Known((np.sum if how == "sum" else np.max)(x.array, axis=over, keepdims=keep))
        if not over:
            return x
        places = tuple(self.place(x, axis, f"a {how} is taken") for axis in over)
        x = self._commuting(x) if how != "max" and x.batch is not None else self.partly(x, over)
        if x.hidden is not None or x.classes is not None:
            self.node(x)
        kept_shape = tuple(1 if axis in over else n for axis, n in enumerate(x.shape))
        size = self.shape_of(x.node)
        kept_size = tuple(1 if axis in places else n for axis, n in enumerate(size))
        found = self.reshaped(self._over(how, x.node, places), kept_size)
        if how == "mean" and x.expression is None:
            self.means[found] = (x.node, places)
        whole = replace(x, node=found, shape=kept_shape)
        if keep:
            return whole
        shape = tuple(n for axis, n in enumerate(kept_shape) if axis not in over)
        batch = x.batch
        if batch is not None:
            batch = replace(batch, axis=batch.axis - sum(axis < batch.axis for axis in over))
        return replace(whole, node=self.reshaped(found, self.node_shape(shape, batch)), shape=shape, batch=batch)

    def _over(self, how: Literal["sum", "mean", "max"], node: int, places: Shape) -> int:
        size = self.shape_of(node)
        if all(size[place] == 1 for place in places):
            return node
        rank = len(size)
        if how != "sum" and places == tuple(range(1, rank)) and self._slides(node):
            space = size[1:]
            window = Window(space, space, (0,) * len(space), (1,) * len(space))
            return self.emit(kinds.Pool((node,), how, window))
        others = [axis for axis in range(rank) if axis not in places]
        turned = self.permuted(node, (*others, *places))
        return self.emit(kinds.Reduce((turned,), how, len(places)))

    def _slides(self, node: int) -> bool:
        """Whether a node is a layer of a convolutional network."""
        found = self.build.nodes[node]
        if isinstance(found, kinds.Map):
            found = self.build.nodes[found.reads[0]]
        return isinstance(found, kinds.Pool) or (isinstance(found, kinds.Affine) and isinstance(found.over, Window))

    def batch_norm(
        self, x: Value, gain: Value | None, shift: Value | None, mean: Known, variance: Known, epsilon: float
    ) -> Value:
        """``(x - mean) / sqrt(variance + epsilon) * gain + shift``, a number for each channel, axis 1.

        Raises
        ------
        Refused
            A variance plus epsilon is not above 0.
        """
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        column = (-1, *(1,) * (len(x.shape) - 2))
        spread = floats(variance.array)
        small = Fraction(epsilon)
        if not np.isfinite(spread).all() or any(Fraction(v) + small <= 0 for v in spread.ravel().tolist()):
            raise Refused("a variance plus epsilon is not above 0")
        found: Value = x
        if mean.array.any():
            centre = Known(-floats(mean.array).reshape(column), mean.name and f"-{mean.name}")
            found = self.add(found, centre)
        of = self.tensor(Known(spread.reshape(column), variance.name))
        found = self.multiply(found, replace(of, node=self.emit(kinds.InverseRoot((of.node,), small))))
        return self._trained(found, gain, shift, column)

    def _trained(self, x: Value, gain: Value | None, shift: Value | None, shape: Sequence[int]) -> Value:
        """``gain x + shift``, both in a shape that broadcasts."""
        if gain is not None:
            x = self.multiply(x, self.reshape(gain, shape))
        return x if shift is None else self.add(x, self.reshape(shift, shape))

    def layer_norm(self, x: Value, axes: int, gain: Value | None, shift: Value | None, epsilon: float) -> Value:
        """Layer normalisation over the last ``axes`` axes; gain and shift have their shape."""
        return self._layer_norm(x, axes, gain, shift, epsilon, centre=True)

    def rms_norm(self, x: Value, axes: int, gain: Value | None, epsilon: float) -> Value:
        """Root mean square normalisation over the last ``axes`` axes: without the mean."""
        return self._layer_norm(x, axes, gain, None, epsilon, centre=False)

    def _layer_norm(
        self, x: Value, axes: int, gain: Value | None, shift: Value | None, epsilon: float, *, centre: bool
    ) -> Value:
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        rank = len(x.shape)
        if not 1 <= axes <= rank:
            raise Refused(f"a normalisation over {axes} axes of shape {x.shape}")
        found = self.normalised(x, tuple(range(rank - axes, rank)), Fraction(epsilon), centre=centre)
        return self._trained(found, gain, shift, x.shape[rank - axes :])

    def group_norm(self, x: Value, groups: int, gain: Value | None, shift: Value | None, epsilon: float) -> Value:
        """Group normalisation of ``(B, channels, *space)``: over the channels of each group and all positions."""
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        count, channels, *space = x.shape
        if groups < 1 or channels % groups:
            raise Refused(f"{groups} groups do not divide {channels} channels")
        split = self.reshape(x, (count, groups, channels // groups * math.prod(space)))
        found = self.reshape(self._layer_norm(split, 1, None, None, epsilon, centre=True), x.shape)
        return self._trained(found, gain, shift, (-1, *(1,) * len(space)))

    def normalised(self, x: Tensor, axes: Shape, epsilon: Fraction, *, centre: bool) -> Tensor:
        """Normalisation over axes of a tensor, as one node."""
        places = tuple(self.place(x, axis, "normalisation") for axis in axes)
        x = self.partly(x, axes)
        return replace(x, node=self._normalise(x.node, places, epsilon, centre=centre))

    def _normalise(self, node: int, places: Shape, epsilon: Fraction, *, centre: bool) -> int:
        size = self.shape_of(node)
        order = (*(axis for axis in range(len(size)) if axis not in places), *places)
        turned = self.permuted(node, order)
        lead = tuple(size[axis] for axis in order[: len(size) - len(places)])
        flat = self.reshaped(turned, (*lead, math.prod(size[axis] for axis in places)))
        found = self.emit(kinds.Normalise((flat,), epsilon, centre))
        whole = self.reshaped(found, tuple(size[axis] for axis in order))
        return self.permuted(whole, tuple(int(axis) for axis in np.argsort(order)))

    def normalised_quotient(self, a: Value, b: Value) -> Tensor | None:
        """``(x - mean x) / sqrt(mean (x - mean x)^2 + epsilon)``, or without the means, as one node."""
        if isinstance(a, Known) or isinstance(b, Known) or b.expression is None or b.node not in self.means:
            return None
        power = power_of(b.expression)
        if power is None or power.halves != -1 or power.slope <= 0 or power.shift < 0 or a.batch != b.batch:
            return None
        squares, places = self.means[b.node]
        if a.hidden is not None or a.classes is not None or not self._is_square(squares, self.node(a)):
            return None
        deviation = self.node(a)
        if tuple(np.broadcast_shapes(a.shape, b.shape)) != a.shape or a.batch is None:
            return None
        epsilon = power.shift / power.slope
        source = self._deviation(deviation, places)
        centre = source is not None
        node = self._normalise(deviation if source is None else source, places, epsilon, centre=centre)
        found = Tensor(node, a.shape, a.batch)
        if power.slope != 1:
            one = self.emit(kinds.Scale((self.constant(np.ones(())),), power.slope))
            node = self.emit(kinds.Multiply((node, self.emit(kinds.InverseRoot((one,))))))
            found = Tensor(node, a.shape, a.batch)
        return found if power.factor == 1 else replace(found, expression=affine_text(power.factor, Fraction(0)))

    def _is_square(self, squares: int, node: int) -> bool:
        """Whether the entries of a node are the squares of another's."""
        (base, text), (source, other) = self.origin_of(squares), self.origin_of(node)
        found, inner = symbolic(text), symbolic(other)
        if base == node or found is None or inner is None:
            return base == node and found == T**2
        return bool(base == source and found == inner**2)

    def _deviation(self, node: int, places: Shape) -> int | None:
        """The node of which this is the deviation from its mean over axes; None if it is none."""
        found = self.build.nodes[node]
        if type(found) is kinds.Add and len(found.reads) == 2:
            for x, minus in (found.reads, found.reads[::-1]):
                mean = self._negative(minus)
                if mean is not None and self.means.get(mean) == (x, places):
                    return x
        return None
