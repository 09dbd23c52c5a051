r"""Values at one time and rates over an interval, in binary64, while the parameters move on a straight segment.

A node carries its value at the middle c of the interval, enclosed by `FloatBalls`, and a set that contains its rate at
almost every time of the interval. Where that set is bounded the value is Lipschitz in t, so that for all t in it

.. math:: x(t) \in x(c) + [-r, r] \cdot \sup |x'|, \qquad r = \text{half the interval's length};

the rates follow from these hulls by the rules of `rates`. Kinks are allowed: at almost every time the rate of a maximum
is that of an entry that attains it, and that of ``sigma(x)`` is ``sigma'(x) x'``, or 0 where x stays at a kink for a
set of times that is not null; x' is 0 at almost all of these.

An affine node whose sources stand still is linear in t: its values at both ends of the segment are enclosed once, and

.. math:: x(t) = (1 - t) x(0) + t x(1), \qquad x' = x(1) - x(0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64 import rates, span
from verifier.balls.binary64.bounds import TINY, U, upper
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries, two_norm
from verifier.balls.binary64.graph_arithmetic import FloatBalls, short_axes
from verifier.balls.binary64.span import Span
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation


@dataclass(slots=True)
class Moving:
    """A node's values at the middle, and its rates over the interval, None if it stands still.

    ``ends`` are a parameter's values at both ends of the segment, ``hull`` the values over the interval, once known.
    """

    value: Enclosed
    rate: Span | None
    ends: tuple[Enclosed, Enclosed] | None = None
    hull: Span | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A node that moves linearly: its midpoints at the start, its bounds at every time, and its rate."""

    start: Array
    each: Array | None
    norm: Array | None
    rate: Span


@dataclass
class Segment:
    """Some samples on a segment: the engine, the parameters at both ends by name, and what is kept for all intervals.

    ``node`` is the one that is being computed.
    """

    ops: FloatBalls
    start: Mapping[str, Array]
    end: Mapping[str, Array]
    kept: dict[int, Moving] = field(default_factory=dict)
    lines: dict[int, Line] = field(default_factory=dict)
    node: int = 0

    def evaluate(
        self, network: Network, middle: Fraction, reach: float, parameters: dict[str, Moving]
    ) -> dict[int, Moving]:
        """The nodes that features read, at the times within ``reach`` of ``middle``.

        Guarantee: as `FloatMotion`. What stands still is computed once; ``parameters`` keeps the parts of U for other
        samples at the same times.
        """
        motion = FloatMotion(self, middle, reach, parameters)
        wanted = {feature.node for feature in network.features}
        needed = set(wanted)
        for index in range(len(network.nodes) - 1, -1, -1):
            if index in needed:
                needed.update(network.nodes[index].reads)
        values = dict[int, Moving]()
        for index in sorted(needed):
            node = network.nodes[index]
            self.node = index
            found = self.kept.get(index)
            if found is None:
                found = node.compute(motion, [values[i] for i in node.reads])
                if not network.moves[index]:
                    self.kept[index] = found
            values[index] = found
            for read in set(node.reads) - wanted:
                if network.last_reader[read] == index:
                    values.pop(read, None)
        return {index: values[index] for index in wanted}


class FloatMotion(Arithmetic[Moving]):
    """Values at the time ``middle`` and rates for all times within ``reach`` of it, an upper bound.

    Guarantee: if what an operation reads encloses values and contains rates as the module says, so does its result,
    whose midpoints and bounds are finite, but for the values of affine nodes, which whoever reads them looks at.
    """

    def __init__(self, segment: Segment, middle: Fraction, reach: float, parameters: dict[str, Moving]) -> None:
        """Keep the samples' segment and the times, and the parts of U that are known at these times."""
        self.segment, self.ops, self.parameters = segment, segment.ops, parameters
        self.middle, self.time, self.reach = middle, float(middle), reach

    def shape(self, value: Moving) -> Shape:
        """The shape of one sample's tensor."""
        return value.value.shape

    def hull(self, x: Moving) -> Span:
        """The values over the whole interval."""
        if x.hull is None:
            x.hull = self.at_middle(x) if x.rate is None else self.widened(self.at_middle(x), x.rate)
        return x.hull

    def at_middle(self, x: Moving) -> Span:
        """The values at the middle of the interval."""
        mid, rad = x.value.mid, bound_of_entries(np, x.value, len(x.value.shape))
        return span.checked(mid, np.zeros((1,) * mid.ndim) if isinstance(rad, float) else rad)

    def widened(self, middle: Span, rate: Span) -> Span:
        """Values over the interval, from those at its middle and their rates."""
        return span.checked(middle.mid, upper(middle.rad + self.reach * rate.size, 4))

    def rate(self, x: Moving) -> Span:
        """The rates, zeros written out."""
        return span.still(np.zeros((1, *x.value.shape))) if x.rate is None else x.rate

    def input(self, shape: Shape) -> Moving:
        """The samples, which have no rate: they do not move."""
        return Moving(self.ops.input(shape), None)

    def constant(self, values: NDArray[np.float64]) -> Moving:
        """Fixed numbers, which have no rate: they do not move."""
        return Moving(self.ops.constant(values), None)

    def parameter(self, name: str, shape: Shape) -> Moving:
        """A part of U on its segment, made once for all samples."""
        if name not in self.parameters:
            self.parameters[name] = self._parameter(name)
        return self.parameters[name]

    def _parameter(self, name: str) -> Moving:
        """On its segment: ``a + c (b - a)``; its four roundings are below ``4.1 u |b - a| + 1.1 u |mid|``."""
        first, last = self.segment.start[name], self.segment.end[name]
        ends = self.ops.constant(first), self.ops.constant(last)
        if bool((first == last).all()):
            return Moving(ends[0], None)
        step = last[None] - first[None]
        mid = ((first[None] + self.time * step) + TINY) - TINY
        each = upper(4.1 * U * np.abs(step) + 1.1 * U * np.abs(mid), 4)
        rate = span.checked(step, upper(1.1 * U * np.abs(step), 2))
        return Moving(self.ops.made(mid, each), rate, ends)

    def affine(self, geometry: Geometry, sources: Sequence[Moving], weight: Moving, bias: Moving | None) -> Moving:
        """``H' W + H W' + b'``; a line where the sources stand still and what moves is a parameter itself."""
        own = [weight] if bias is None else [weight, bias]
        moving = [part for part in (*sources, *own) if part.rate is not None]
        if moving and all(part.ends is not None for part in moving) and not any(s.rate is not None for s in sources):
            return self._on_line(geometry, sources, own)
        value = self._affine(geometry, sources, [part.value for part in own])
        return Moving(value, rates.affine_rate(self, geometry, sources, weight, bias) if moving else None)

    def _affine(self, geometry: Geometry, sources: Sequence[Moving], own: Sequence[Enclosed]) -> Enclosed:
        read = [source.value for source in sources]
        return self.ops.affine(geometry, read, own[0], own[1] if len(own) > 1 else None)

    def _on_line(self, geometry: Geometry, sources: Sequence[Moving], own: Sequence[Moving]) -> Moving:
        """The node at the middle, from what is known of it at both ends of the segment."""
        line = self.segment.lines.get(self.segment.node)
        if line is None:
            ends = [[part.value if part.ends is None else part.ends[k] for part in own] for k in (0, 1)]
            line = _line(*(self._affine(geometry, sources, end) for end in ends))
            self.segment.lines[self.segment.node] = line
        return Moving(Enclosed(line.start + self.time * line.rate.mid, line.each, line.norm), line.rate)

    def map(self, x: Moving, sigma: Activation) -> Moving:
        """``sigma'(x) x'`` with the derivative's range over the hull."""
        value = self.ops.map(x.value, sigma)
        if x.rate is None:
            return Moving(value, None)
        return Moving(value, span.times(rates.derivative(self.hull(x), sigma), x.rate))

    def add(self, a: Moving, b: Moving) -> Moving:
        """The sum a + b, with the rate ``a' + b'``."""
        value = self.ops.add(a.value, b.value)
        if a.rate is None or b.rate is None:
            only = a.rate or b.rate
            return Moving(value, None if only is None else rates.spread_out(only, value.shape))
        return Moving(value, span.plus(a.rate, b.rate))

    def multiply(self, a: Moving, b: Moving) -> Moving:
        """The product a b, with the rate ``a' b + a b'``."""
        return self._product(a, b, self.ops.multiply, span.times)

    def _product(
        self,
        a: Moving,
        b: Moving,
        values: Callable[[Enclosed, Enclosed], Enclosed],
        spans: Callable[[Span, Span], Span],
    ) -> Moving:
        found = values(a.value, b.value)
        left = None if a.rate is None else spans(a.rate, self.hull(b))
        right = None if b.rate is None else spans(self.hull(a), b.rate)
        if left is None or right is None:
            return Moving(found, left or right)
        return Moving(found, span.plus(left, right))

    def scale(self, x: Moving, factor: Fraction, *, root: bool = False) -> Moving:
        """A value and its rate times the same factor."""
        value = self.ops.scale(x.value, factor, root=root)
        number = float(factor) ** 0.5 if root else float(factor)
        return Moving(value, None if x.rate is None else span.scaled(x.rate, number, 4.0 * U))

    def gather(self, sources: Sequence[Moving], places: Places) -> Moving:
        """Entries in other places, with their rates."""
        value = self.ops.gather([source.value for source in sources], places)
        if all(source.rate is None for source in sources):
            return Moving(value, None)
        return Moving(value, rates.gathered([self.rate(source) for source in sources], places))

    def contract(self, a: Moving, b: Moving, *, transposed: bool = False) -> Moving:
        """The matrix product a b, with the rate ``a' b + a b'``."""
        return self._product(
            a,
            b,
            lambda p, q: self.ops.contract(p, q, transposed=transposed),
            lambda p, q: rates.contracted(self.ops, p, q, transposed=transposed),
        )

    def total(self, x: Moving) -> Moving:
        """The sum over the last axis, with the sum of the rates."""
        return Moving(self.ops.total(x.value), None if x.rate is None else span.summed(x.rate))

    def largest(self, x: Moving) -> Moving:
        """The rates of all entries that may be the largest."""
        value = self.ops.largest(x.value)
        return Moving(value, None if x.rate is None else rates.largest_rate(self.hull(x), x.rate))

    def inverse_root(self, x: Moving, epsilon: Fraction) -> Moving:
        """The inverse root, with the rate ``-x' / (2 (x + epsilon)^(3/2))``."""
        value = self.ops.inverse_root(x.value, epsilon)
        if x.rate is None:
            return Moving(value, None)
        root = rates.inverse_root_hull(self.hull(x), epsilon)
        cube = span.times(span.times(root, root), root)
        return Moving(value, span.scaled(span.times(cube, x.rate), -0.5))

    def softmax(self, x: Moving, mask: Moving | None) -> Moving:
        """The softmax p, with the rate ``p_j (x_j' - sum_k p_k x_k')``."""
        value = self.ops.softmax(x.value, None if mask is None else mask.value)
        if x.rate is None:
            return Moving(value, None)
        return Moving(value, rates.softmax_rate(self, x, mask)[1])

    def embed(self, tokens: Moving, table: Moving) -> Moving:
        """The rows of a table, and with them the rows of its rates."""
        value = self.ops.embed(tokens.value, table.value)
        if table.rate is None:
            return Moving(value, None)
        parts = (np.broadcast_to(part, table.rate.mid.shape) for part in (table.rate.mid, table.rate.rad))
        return Moving(value, Span(*(self.ops.embed(tokens.value, Enclosed(part)).mid for part in parts)))

    def normalise(self, x: Moving, epsilon: Fraction, *, centre: bool) -> Moving:
        """The values by the fused rule; the rates see `rates.normalise_rate`."""
        value = self.ops.normalise(x.value, epsilon, centre=centre)
        return Moving(value, None if x.rate is None else rates.normalise_rate(self, x, epsilon, centre=centre))

    def attend(self, q: Moving, k: Moving, v: Moving, square: Fraction, mask: Moving | None) -> Moving:
        """The values by the fused rule; the rates see `rates.attend_rate`."""
        value = self.ops.attend(q.value, k.value, v.value, square, None if mask is None else mask.value)
        if q.rate is None and k.rate is None and v.rate is None:
            return Moving(value, None)
        return Moving(value, rates.attend_rate(self, q, k, v, square, mask))

    def gate(self, z: Moving, a: Moving, b: Moving) -> Moving:
        """``z' (b - a) + (1 - z) a' + z b'``."""
        value = self.ops.gate(z.value, a.value, b.value)
        terms = []
        if z.rate is not None:
            terms.append(span.times(z.rate, span.minus(self.hull(b), self.hull(a))))
        if a.rate is not None:
            terms.append(span.times(a.rate, span.minus(span.still(np.ones((1,))), self.hull(z))))
        if b.rate is not None:
            terms.append(span.times(b.rate, self.hull(z)))
        if not terms:
            return Moving(value, None)
        return Moving(value, rates.spread_out(reduce(span.plus, terms), value.shape))


def _line(a: Enclosed, b: Enclosed) -> Line:
    r"""A node that is a at the time 0 and b at 1, and linear between.

    With midpoints A, B the computed ``A + t (B - A)`` is off by at most ``5 u (|A| + |B|)`` from ``(1 - t) A + t B``,
    and that by at most the larger of both bounds from the value.
    """
    sizes, step = np.abs(a.mid) + np.abs(b.mid), b.mid - a.mid
    each = norm = None
    if a.each is not None and b.each is not None:
        each = upper(a.each + b.each + 5.0 * U * sizes.max(axis=0, keepdims=True), 8)
    if a.norm is not None and b.norm is not None:
        norm = upper(a.norm + b.norm + 5.0 * U * two_norm(np, sizes, short_axes(a.norm)), 8)
    errors = [bound_of_entries(np, end, len(end.shape)) for end in (a, b)]
    return Line(a.mid, each, norm, span.checked(step, upper(errors[0] + errors[1] + 1.1 * U * np.abs(step), 8)))
