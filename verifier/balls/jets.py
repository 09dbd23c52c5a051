r"""Jets: Taylor coefficients in one variable t of every node's value, for a whole ball of times at once.

A jet has balls c_0, .., c_K of which c_k contains ``x^(k)(t) / k!`` at every time t of a ball: c_0 the values, c_1 the
derivatives. Whatever identities the derivatives satisfy, evaluated in ball arithmetic, give enclosures. Sums, products
and moved entries have those of power series. With ``r = (x + epsilon)^(-1/2)``, ``p = softmax(s)`` and ``z = r d`` the
normalised ``d = x - mean x`` (or d = x), ``r = (mean d^2 + epsilon)^(-1/2)``,

.. math:: r' = -\tfrac{1}{2} r^3 x', \qquad p_j' = p_j (s_j' - \sum_k p_k s_k'), \qquad
    z' = r (d' - z m), \quad r' = -r^2 m, \quad m = \operatorname{mean}(z d'),

the last since ``(mean d^2)' = 2 mean(d d')``: each gives the coefficient k + 1 from those up to k.

What does not move has coefficients that are exactly 0 and are not computed: None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.activation import integer_power, tree_kernel
from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.series import taylor
from verifier.balls.tensors import Balls, broadcast
from verifier.errors import ExpressionError
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

Part = Balls | None


@dataclass(frozen=True, slots=True)
class Jet:
    """The coefficients of a tensor, by order; None is exactly 0. The first is not None."""

    parts: tuple[Part, ...]

    @property
    def value(self) -> Balls:
        """The values themselves, the coefficients of order 0."""
        first = self.parts[0]
        if first is None:
            raise ValueError("a jet has values")
        return first

    @property
    def moves(self) -> bool:
        """Whether a coefficient is not exactly 0."""
        return any(part is not None for part in self.parts[1:])

    @property
    def is_finite(self) -> bool:
        """Whether all coefficients are finite."""
        return all(all(map(arb.is_finite, part.entries)) for part in self.parts if part is not None)

    def part(self, order: int) -> Balls:
        """The coefficients of one order, zeros written out."""
        value, found = self.value, self.parts[order]
        return Balls(1, value.shape, [arb(0)] * value.size) if found is None else found


class Jets(Arithmetic[Jet]):
    """Jets of an order over the operations of an arithmetic of balls.

    Parameters
    ----------
    values : BallArithmetic
        The arithmetic of the values, which encloses what it computes.
    parameter : callable
        The jet of the parameter of a name and shape.
    order : int, optional
        K: each jet has K + 1 coefficients.
    kinks : bool, optional
        Whether the derivative of a maximum is that of any entry that may attain it, K = 1: enough where it is needed at
        almost all times only, because there it is that of an entry that does.

    Notes
    -----
    Guarantee: if the jets of the parameters contain their coefficients at every time of a ball, so do the jets of all
    nodes, wherever they are as often differentiable; or they are not finite. A maximum is so where one entry attains it
    for the whole ball.
    """

    def __init__(
        self, values: BallArithmetic, parameter: Callable[[str, Shape], Jet], order: int = 1, *, kinks: bool = False
    ) -> None:
        """Take the values' arithmetic, and where parameters come from."""
        self.values, self.given, self.orders, self.kinks = values, parameter, range(1, order + 1), kinks

    def shape(self, value: Jet) -> Shape:
        """The shape of the values."""
        return value.value.shape

    def input(self, shape: Shape) -> Jet:
        """The samples as jets that stand still: all derivatives are exactly 0."""
        return self._still(self.values.input(shape))

    def parameter(self, name: str, shape: Shape) -> Jet:
        """The jet of a parameter, as the caller gave it by `given`."""
        return self.given(name, shape)

    def constant(self, values: NDArray[np.float64]) -> Jet:
        """Fixed numbers as jets that stand still: all derivatives are exactly 0."""
        return self._still(self.values.constant(values))

    def affine(self, geometry: Geometry, sources: Sequence[Jet], weight: Jet, bias: Jet | None) -> Jet:
        """``H W + b``: the product of power series."""
        ops, read = self.values, [source.value for source in sources]
        parts: list[Part] = [ops.affine(geometry, read, weight.value, bias.value if bias else None)]
        moving = [j for j in range(len(weight.parts)) if weight.parts[j] is not None]
        for k in self.orders:
            shift, found = bias.parts[k] if bias else None, None
            for j in moving:
                factor = weight.parts[j]
                if j > k or factor is None or all(source.parts[k - j] is None for source in sources):
                    continue
                term = ops.affine(geometry, [source.part(k - j) for source in sources], factor, shift)
                found, shift = self._sum(found, term), None
            if shift is not None:
                zeros = [self._zeros(source) for source in sources]
                found = self._sum(found, ops.affine(geometry, zeros, weight.value, shift))
            parts.append(found)
        return Jet(tuple(parts))

    def map(self, x: Jet, sigma: Activation) -> Jet:
        """The activation of z, with ``sigma'(z) z'``; higher orders by power series."""
        value = self.values.map(x.value, sigma)
        if not x.moves:
            return self._still(value)
        rates, first = Balls(value.rows, value.shape, _rates(sigma, x.value.entries)), x.parts[1]
        slope = None if first is None else self.values.multiply(rates, first)
        if len(self.orders) == 1:
            return Jet((value, slope))
        rows = max(part.rows for part in x.parts if part is not None)
        columns = [broadcast(x.part(k), rows, value.shape) for k in range(len(x.parts))]
        found = [_series(sigma, list(line)) for line in zip(*columns, strict=True)]
        higher = [Balls(rows, value.shape, [line[k] for line in found]) for k in range(1, len(columns))]
        return Jet((value, higher[0] if slope is None else _narrower(slope, higher[0]), *higher[1:]))

    def add(self, a: Jet, b: Jet) -> Jet:
        """Order by order, broadcast as the values are."""
        parts: list[Part] = [self.values.add(a.value, b.value)]
        for k in self.orders:
            still = a.parts[k] is None and b.parts[k] is None
            parts.append(None if still else self.values.add(a.part(k), b.part(k)))
        return Jet(tuple(parts))

    def multiply(self, a: Jet, b: Jet) -> Jet:
        """The product of power series; a square is a product as well, as it is to the checker."""
        value = self.values.multiply(a.value, b.value.shaped(b.value.shape))
        return self._with(value, lambda k: self._at(a.parts, b.parts, k))

    def scale(self, x: Jet, factor: Fraction, *, root: bool = False) -> Jet:
        """Scale the coefficients of every order alike."""
        return self._linear(x, lambda part: self.values.scale(part, factor, root=root))

    def gather(self, sources: Sequence[Jet], places: Places) -> Jet:
        """Gather the coefficients of every order alike."""

        def taken(k: int) -> Part:
            if all(source.parts[k] is None for source in sources):
                return None
            return self.values.gather([source.part(k) for source in sources], places)

        return self._with(self.values.gather([source.value for source in sources], places), taken)

    def contract(self, a: Jet, b: Jet, *, transposed: bool = False) -> Jet:
        """The matrix product of two jets: that of power series."""

        def product(p: Balls, q: Balls) -> Balls:
            return self.values.contract(p, q, transposed=transposed)

        return self._with(product(a.value, b.value), lambda k: self._at(a.parts, b.parts, k, product))

    def total(self, x: Jet) -> Jet:
        """Sum the coefficients of every order alike."""
        return self._linear(x, self.values.total)

    def largest(self, x: Jet) -> Jet:
        """The coefficients of the entry that attains the maximum, if a single one can; else see ``kinks``."""
        value, size, entries = self.values.largest(x.value), x.value.shape[-1], x.value.entries
        if not x.moves:
            return self._still(value)
        able = []
        for k, top in enumerate(value.entries):
            able.append([j for j in range(k * size, (k + 1) * size) if not entries[j] < top])

        def chosen(k: int) -> Part:
            slopes = broadcast(x.part(k), x.value.rows, x.value.shape)
            hull = [_hull([slopes[j] for j in at]) if len(at) == 1 or self.kinks else arb("nan") for at in able]
            return Balls(value.rows, value.shape, hull)

        return self._with(value, chosen)

    def inverse_root(self, x: Jet, epsilon: Fraction) -> Jet:
        """The inverse root r, with ``r' = -r^3 x' / 2``; higher orders from the lower ones."""
        r: list[Part] = [self.values.inverse_root(x.value, epsilon)]
        rate = self._rate(x)
        for k in self.orders:
            squares = [self._at(r, r, j) for j in range(k)]
            cubes = [self._at(squares, r, j) for j in range(k)]
            r.append(self._scaled(self._at(cubes, rate, k - 1), Fraction(-1, 2 * k)))
        return Jet(tuple(r))

    def softmax(self, x: Jet, mask: Jet | None) -> Jet:
        """``p_j' = p_j (s_j' - sum_k p_k s_k')``."""
        p: list[Part] = [self.values.softmax(x.value, mask.value if mask else None)]
        turned, rate = list[Part](), self._rate(x)
        for k in self.orders:
            common = self._at(p, rate, k - 1)
            spread = None if common is None else self._spread(self.values.total(common), x)
            turned.append(self._difference(rate[k - 1], spread))
            p.append(self._scaled(self._at(p, turned, k - 1), Fraction(1, k)))
        return Jet(tuple(p))

    def normalise(self, x: Jet, epsilon: Fraction, *, centre: bool) -> Jet:
        """``z' = r (d' - z m)`` and ``r' = -r^2 m`` with ``m = mean(z d')``."""
        ops = self.values
        value = ops.normalise(x.value, epsilon, centre=centre)
        if not x.moves:
            return self._still(value)
        d = self._linear(x, lambda part: self._minus(part, self._spread(ops.mean(part), x))) if centre else x
        r: list[Part] = [self._spread(ops.inverse_root(ops.mean(ops.multiply(d.value, d.value)), epsilon), x)]
        z: list[Part] = [value]
        rate, m, inward = self._rate(d), list[Part](), list[Part]()
        for k in self.orders:
            along = self._at(z, rate, k - 1)
            m.append(None if along is None else self._spread(ops.mean(along), x))
            inward.append(self._difference(rate[k - 1], self._at(z, m, k - 1)))
            squares = [self._at(r, r, j) for j in range(k)]
            z.append(self._scaled(self._at(r, inward, k - 1), Fraction(1, k)))
            r.append(self._scaled(self._at(squares, m, k - 1), Fraction(-1, k)))
        return Jet(tuple(z))

    def attend(self, q: Jet, k: Jet, v: Jet, square: Fraction, mask: Jet | None) -> Jet:
        """``P v``, its values by the fused rule of the values' arithmetic.

        The derivatives of a row of P have the sum 0: they are those of ``P (v - o)``, every row of o the same.
        """
        value = self.values.attend(q.value, k.value, v.value, square, mask.value if mask else None)
        weights = self.softmax(self.scale(self.contract(q, k, transposed=True), square, root=True), mask)
        about = Jet((self._minus(v.value, _middles(v.value)), *v.parts[1:]))
        return Jet((value, *self.contract(weights, about).parts[1:]))

    def gate(self, z: Jet, a: Jet, b: Jet) -> Jet:
        """``(1 - z) a + z b``: the gate of each order, and z's other orders times ``b - a``."""
        gaps = [self._difference(second, first) for first, second in zip(a.parts, b.parts, strict=True)]

        def mixed(k: int) -> Part:
            moved = self._at((None, *z.parts[1:]), gaps, k)
            if a.parts[k] is None and b.parts[k] is None:
                return moved
            return self._sum(moved, self.values.gate(z.value, a.part(k), b.part(k)))

        return self._with(self.values.gate(z.value, a.value, b.value), mixed)

    def embed(self, tokens: Jet, table: Jet) -> Jet:
        """The rows of a table in every order alike; tokens stand still."""
        return self._linear(table, lambda part: self.values.embed(tokens.value, part))

    def _still(self, value: Balls) -> Jet:
        return Jet((value, *[None] * len(self.orders)))

    def _with(self, value: Balls, at: Callable[[int], Part]) -> Jet:
        return Jet((value, *(at(k) for k in self.orders)))

    def _linear(self, x: Jet, operation: Callable[[Balls], Balls]) -> Jet:
        return Jet(tuple(None if part is None else operation(part) for part in x.parts))

    def _at(
        self, a: Sequence[Part], b: Sequence[Part], k: int, product: Callable[[Balls, Balls], Balls] | None = None
    ) -> Part:
        """The coefficient of order k of the product of two power series."""
        found: Part = None
        for i in range(k + 1):
            p, q = a[i], b[k - i]
            if p is not None and q is not None:
                found = self._sum(found, (product or self.values.multiply)(p, q))
        return found

    def _rate(self, x: Jet) -> list[Part]:
        """The power series of the derivative."""
        return [self._scaled(x.parts[k], Fraction(k)) for k in self.orders]

    def _spread(self, part: Balls, x: Jet) -> Balls:
        return self.values.spread(part, x.value.shape[-1])

    def _scaled(self, part: Part, factor: Fraction) -> Part:
        return None if part is None else self.values.scale(part, factor)

    def _difference(self, a: Part, b: Part) -> Part:
        minus = self._scaled(b, Fraction(-1))
        return a if minus is None else self._sum(a, minus)

    def _minus(self, a: Balls, b: Balls) -> Balls:
        return self.values.add(a, self.values.scale(b, Fraction(-1)))

    def _sum(self, a: Part, b: Balls) -> Balls:
        return b if a is None else self.values.add(a, b)

    def _zeros(self, x: Jet) -> Balls:
        return Balls(1, x.value.shape, [arb(0)] * x.value.size)


def _rates(sigma: Activation, values: Sequence[arb]) -> list[arb]:
    """The derivative of an activation, not finite where the derivative's expression is too large."""
    try:
        return list(map(tree_kernel(sigma.derivative_tree), values))
    except ExpressionError:
        return [arb("nan")] * len(values)


def _series(sigma: Activation, coefficients: list[arb]) -> list[arb]:
    """`taylor`, not finite for activations with pieces, or if a coefficient is not: series take 0 times nan for 0."""
    try:
        found = taylor(sigma, coefficients) if all(c.is_finite() for c in coefficients) else []
    except ExpressionError:
        found = []
    return found or [arb("nan")] * len(coefficients)


def _middles(v: Balls) -> Balls:
    """The middle of the rows of matrices ``(..., s, e)``, an exact number for each column, at every row."""
    (s, e), found = v.shape[-2:], list[arb]()
    for start in range(0, len(v.entries), s * e):
        part = v.entries[start : start + s * e]
        found += [(sum(part[column::e], arb(0)) / s).mid() for column in range(e)] * s
    return Balls(v.rows, v.shape, found)


def _hull(balls: Sequence[arb]) -> arb:
    found = balls[0]
    for ball in balls[1:]:
        found = found.union(ball)
    return found


def _narrower(a: Balls, b: Balls) -> Balls:
    """Entry by entry the ball of the smaller radius, of two tensors of balls that contain the same numbers."""
    rows = max(a.rows, b.rows)
    pairs = zip(broadcast(a, rows, a.shape), broadcast(b, rows, a.shape), strict=True)
    return Balls(rows, a.shape, [_smaller(p, q) for p, q in pairs])


def _smaller(a: arb, b: arb) -> arb:
    """What is not finite, and may not even be defined, stays so."""
    return b if a.is_finite() and b.is_finite() and b.rad() < a.rad() else a


def narrowed(whole: Jet, point: Jet, reach: arb) -> Jet:
    r"""Narrow a jet by the coefficients at one time.

    Parameters
    ----------
    whole : Jet
        Of order K, for a ball of times.
    point : Jet
        Of order K - 1, for one of these times.
    reach : arb
        Contains the differences of all times of the ball from that one.

    Returns
    -------
    Jet
        Guarantee: it contains the coefficients at every time of the ball, as ``whole`` does. By Taylor's theorem
        ``x^(j)(t) / j! = sum_{k=j}^{K-1} C(k, j) point_k s^(k-j) + C(K, j) x^(K)(tau) / K! s^(K-j)`` with s in reach
        and some tau between: the last coefficient is finite only where x is K times differentiable.
    """
    top = len(point.parts)
    last = whole.parts[top]
    if last is None:
        return whole
    powers = [arb(1), *(integer_power(reach, k) for k in range(1, top + 1))]
    found: list[Part] = []
    for j in range(top):
        narrow = last.scaled(comb(top, j) * powers[top - j])
        for k in range(j, top):
            part = point.parts[k]
            if part is not None:
                narrow = narrow.plus(part.scaled(comb(k, j) * powers[k - j]))
        found.append(_narrower(whole.part(j), narrow))
    return Jet((*found, last))
