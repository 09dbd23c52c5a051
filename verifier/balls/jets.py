r"""First-order jets over balls: every node's value and its derivative in one variable t, for a whole ball of times.

Products, sums and moved entries have the derivatives of calculus. With ``p = softmax(s)``, ``r = (x + epsilon)^(-1/2)``
and ``y = c r`` the normalised ``c = x - mean x`` (or c = x),

.. math:: p_j' = p_j (s_j' - \sum_k p_k s_k'), \qquad r' = -\tfrac12 r^3 x', \qquad
    y' = r (c' - y \operatorname{mean}(y c')),

the last since ``r' = -r^3 mean(c c')``. Evaluated in ball arithmetic at a ball t each encloses what occurs for a time
in the ball. What does not move has no derivative to compute: its slope is None, which is exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.activation import tree_kernel
from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.tensors import Balls, broadcast
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation


@dataclass(frozen=True, slots=True)
class Jet:
    """Balls of a tensor's values and of their derivatives in t; None: all derivatives are exactly 0."""

    value: Balls
    slope: Balls | None = None


class Jets(Arithmetic[Jet]):
    """Pairs (value, derivative) over the operations of an arithmetic of balls.

    Parameters
    ----------
    values : BallArithmetic
        The arithmetic of the values, which encloses what it computes.
    parameter : callable
        The jet of the parameter of a name and shape.

    Notes
    -----
    Guarantee: if the jets of the parameters contain their values and derivatives at every time of a ball, so do the
    jets of all nodes, wherever there is a derivative; or they are not finite. A maximum has one where a single entry
    attains it.
    """

    def __init__(self, values: BallArithmetic, parameter: Callable[[str, Shape], Jet]) -> None:
        """Take the values' arithmetic, and where parameters come from."""
        self.values, self.given = values, parameter

    def shape(self, value: Jet) -> Shape:
        """The shape of the values."""
        return self.values.shape(value.value)

    def input(self, shape: Shape) -> Jet:
        """The samples stand still."""
        return Jet(self.values.input(shape))

    def parameter(self, name: str, shape: Shape) -> Jet:
        """As it was given."""
        return self.given(name, shape)

    def constant(self, values: NDArray[np.float64]) -> Jet:
        """Fixed numbers stand still."""
        return Jet(self.values.constant(values))

    def affine(self, geometry: Geometry, sources: Sequence[Jet], weight: Jet, bias: Jet | None) -> Jet:
        """``(H W + b)' = H' W + H W' + b'``."""
        ops, read, shift = self.values, [source.value for source in sources], bias.slope if bias else None
        value = ops.affine(geometry, read, weight.value, bias.value if bias else None)
        slope = None
        if weight.slope is not None or shift is not None:
            slope = ops.affine(geometry, read, self._slope(weight), shift)
        if any(source.slope is not None for source in sources):
            moved = ops.affine(geometry, [self._slope(source) for source in sources], weight.value, None)
            slope = self._sum(slope, moved)
        return Jet(value, slope)

    def map(self, x: Jet, sigma: Activation) -> Jet:
        """``sigma'(z) z'``."""
        value = self.values.map(x.value, sigma)
        if x.slope is None:
            return Jet(value)
        rate = tree_kernel(sigma.derivative_tree)
        rates = Balls(x.value.rows, x.value.shape, list(map(rate, x.value.entries)))
        return Jet(value, self.values.multiply(rates, x.slope))

    def add(self, a: Jet, b: Jet) -> Jet:
        """The sum of the derivatives, broadcast as the values are."""
        value = self.values.add(a.value, b.value)
        if a.slope is None and b.slope is None:
            return Jet(value)
        return Jet(value, self.values.add(self._slope(a), self._slope(b)))

    def multiply(self, a: Jet, b: Jet) -> Jet:
        """``(a b)' = a' b + a b'``."""
        return self._product(self.values.multiply, a, b, self.values.multiply(a.value, b.value))

    def scale(self, x: Jet, factor: Fraction, *, root: bool = False) -> Jet:
        """Both alike."""
        return self._linear(x, lambda part: self.values.scale(part, factor, root=root))

    def gather(self, sources: Sequence[Jet], places: Places) -> Jet:
        """Both alike."""
        value = self.values.gather([source.value for source in sources], places)
        if all(source.slope is None for source in sources):
            return Jet(value)
        return Jet(value, self.values.gather([self._slope(source) for source in sources], places))

    def contract(self, a: Jet, b: Jet, *, transposed: bool = False) -> Jet:
        """``(A B)' = A' B + A B'``."""

        def product(p: Balls, q: Balls) -> Balls:
            return self.values.contract(p, q, transposed=transposed)

        return self._product(product, a, b, product(a.value, b.value))

    def total(self, x: Jet) -> Jet:
        """Both alike."""
        return self._linear(x, self.values.total)

    def largest(self, x: Jet) -> Jet:
        """The derivative of the entry that attains the maximum, if a single one can; else not finite."""
        value = self.values.largest(x.value)
        if x.slope is None:
            return Jet(value)
        size, entries = x.value.shape[-1], x.value.entries
        slopes = broadcast(x.slope, x.value.rows, x.value.shape)
        found = []
        for k, top in enumerate(value.entries):
            at = [j for j in range(k * size, (k + 1) * size) if not entries[j] < top]
            found.append(slopes[at[0]] if len(at) == 1 else arb("nan"))
        return Jet(value, Balls(value.rows, value.shape, found))

    def inverse_root(self, x: Jet, epsilon: Fraction) -> Jet:
        """``r' = -r^3 x' / 2``."""
        ops = self.values
        r = ops.inverse_root(x.value, epsilon)
        if x.slope is None:
            return Jet(r)
        cube = ops.multiply(ops.multiply(r, r), r)
        return Jet(r, ops.scale(ops.multiply(cube, x.slope), Fraction(-1, 2)))

    def softmax(self, x: Jet, mask: Jet | None) -> Jet:
        """``p_j' = p_j (s_j' - sum_k p_k s_k')``."""
        p = self.values.softmax(x.value, mask.value if mask else None)
        return Jet(p, None if x.slope is None else self._turned(p, x.slope))

    def normalise(self, x: Jet, epsilon: Fraction, *, centre: bool) -> Jet:
        """``y' = r (c' - y mean(y c'))``."""
        ops = self.values
        y = ops.normalise(x.value, epsilon, centre=centre)
        if x.slope is None:
            return Jet(y)
        c, rate = (self._centred(part) if centre else part for part in (x.value, x.slope))
        r = ops.inverse_root(ops.mean(ops.multiply(c, c)), epsilon)
        along = ops.multiply(y, self._spread_mean(ops.multiply(y, rate)))
        return Jet(y, ops.multiply(ops.spread(r, x.value.shape[-1]), self._difference(rate, along)))

    def attend(self, q: Jet, k: Jet, v: Jet, square: Fraction, mask: Jet | None) -> Jet:
        """``(P v)' = P' v + P v'``, the values by the fused rule of the values' arithmetic."""
        value = self.values.attend(q.value, k.value, v.value, square, mask.value if mask else None)
        scores = self.scale(self.contract(q, k, transposed=True), square, root=True)
        if scores.slope is None and v.slope is None:
            return Jet(value)
        return Jet(value, self.contract(self.softmax(scores, mask), v).slope)

    def gate(self, z: Jet, a: Jet, b: Jet) -> Jet:
        """``((1 - z) a + z b)' = (1 - z) a' + z b' + z' (b - a)``."""
        ops = self.values
        value = ops.gate(z.value, a.value, b.value)
        slope = None
        if a.slope is not None or b.slope is not None:
            slope = ops.gate(z.value, self._slope(a), self._slope(b))
        if z.slope is not None:
            slope = self._sum(slope, ops.multiply(z.slope, self._difference(b.value, a.value)))
        return Jet(value, slope)

    def embed(self, tokens: Jet, table: Jet) -> Jet:
        """Both alike; tokens stand still."""
        return self._linear(table, lambda part: self.values.embed(tokens.value, part))

    def _slope(self, x: Jet) -> Balls:
        """The derivatives, zeros written out."""
        return self.values.constant(np.zeros(x.value.shape)) if x.slope is None else x.slope

    def _linear(self, x: Jet, operation: Callable[[Balls], Balls]) -> Jet:
        return Jet(operation(x.value), None if x.slope is None else operation(x.slope))

    def _product(self, operation: Callable[[Balls, Balls], Balls], a: Jet, b: Jet, value: Balls) -> Jet:
        slope = None if a.slope is None else operation(a.slope, b.value)
        if b.slope is not None:
            slope = self._sum(slope, operation(a.value, b.slope))
        return Jet(value, slope)

    def _turned(self, p: Balls, rate: Balls) -> Balls:
        """``p_j (s_j' - sum_k p_k s_k')``."""
        ops = self.values
        common = ops.spread(ops.total(ops.multiply(p, rate)), p.shape[-1])
        return ops.multiply(p, self._difference(rate, common))

    def _centred(self, x: Balls) -> Balls:
        return self._difference(x, self._spread_mean(x))

    def _spread_mean(self, x: Balls) -> Balls:
        return self.values.spread(self.values.mean(x), x.shape[-1])

    def _difference(self, a: Balls, b: Balls) -> Balls:
        return self.values.add(a, self.values.scale(b, Fraction(-1)))

    def _sum(self, a: Balls | None, b: Balls) -> Balls:
        return b if a is None else self.values.add(a, b)
