r"""The arithmetic of Arb balls: every node kind's enclosure, at the current working precision.

Every operation of Arb returns a ball that contains the exact result for all points of its arguments (Johansson, Arb:
efficient arbitrary-precision midpoint-radius interval arithmetic, IEEE Trans. Comput. 66, 2017), so a formula of
operations encloses what the formula says. What is done beyond that is written where it is done, with its reason.

Guarantee: if the values that an operation is given contain those of a sample, so does what it returns. What is not
known to be defined, such as ``1 / sqrt(x)`` of a ball with numbers that are not above 0, is a ball that is not finite,
and stays one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import add, mul

import numpy as np
from flint import arb, arb_mat, fmpq, fmpz

from verifier.balls.activation import NARROW_BITS, arb_kernel
from verifier.balls.attention import attended, masked_softmax
from verifier.balls.tensors import Balls, broadcast, combined, gathered, picker, product, side_by_side
from verifier.errors import NetworkError
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.graph import UNSCALED, Array
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

Parameters = Callable[[str, Shape], Balls]


class BallArithmetic(Arithmetic[Balls]):
    """Arithmetic of Arb balls, for all values of a network on some samples.

    Parameters
    ----------
    inputs : ndarray of shape (rows, d)
        The samples, exact.
    parameters : callable
        Balls for the parameter of a name and shape.
    first : int, optional
        The number of the first of these samples, for messages.
    """

    def __init__(self, inputs: Array, parameters: Parameters, first: int = 0) -> None:
        """Take the samples, (rows, d), and the function that gives parameters' balls."""
        self.inputs, self.parameters, self.first = inputs, parameters, first

    def shape(self, value: Balls) -> Shape:
        """The shape of one sample's tensor."""
        return value.shape

    def input(self, shape: Shape) -> Balls:
        """The samples: binary64 numbers, hence balls of radius 0."""
        rows, numbers = len(self.inputs), self.inputs.ravel().tolist()
        return Balls(rows, shape, arb_mat(rows, math.prod(shape), numbers))

    def parameter(self, name: str, shape: Shape) -> Balls:
        """The balls of the parameter of this name, one row for all samples."""
        return self.parameters(name, shape)

    def constant(self, values: Array) -> Balls:
        """The numbers as balls of radius 0, one row for all samples."""
        return exact_balls(values)

    def affine(self, geometry: Geometry, sources: Sequence[Balls], weight: Balls, bias: Balls | None) -> Balls:
        """One ball matrix product for each group of filters; padding is an exact zero."""
        rows = max(source.rows for source in sources)
        width = weight.size // geometry.filters
        if geometry.windows is not None and geometry.filters_first:
            out = self._slid(geometry.windows, geometry, sources, weight)
            if bias is None:
                return Balls(rows, geometry.shape, out)
            row, each = bias.entries, geometry.positions if bias.size == geometry.filters else 1
            return Balls(rows, geometry.shape, list(map(add, out, [b for b in row for _ in range(each)] * rows)))
        if geometry.windows is None:
            read = _stacked(sources, rows).matrix(rows, width)
        else:  # the last axis at every position
            read = sources[0].matrix(rows * geometry.positions, width)
        found = product(read, weight.transposed())
        if bias is not None and bias.size == found.ncols():
            found += arb_mat(found.nrows(), 1, [1] * found.nrows()) * bias.matrix(1, bias.size)
        elif bias is not None:
            return Balls(rows, geometry.shape, list(map(add, found.entries(), bias.entries * rows)))
        return Balls(rows, geometry.shape, found)

    def _slid(self, windows: Places, geometry: Geometry, sources: Sequence[Balls], weight: Balls) -> list[arb]:
        """Products for windows at many positions: ``(sample, filter, position)``."""
        groups, positions, width = windows.shape
        rows, filters, flat = max(source.rows for source in sources), geometry.filters // groups, weight.entries
        zero = [arb(0)] if geometry.padded else []
        whole = [row + zero for row in side_by_side(sources, rows)]
        step, products = max(1, PATCH_ENTRIES // (positions * width)), list[list[arb]]()
        for group, places in enumerate(windows):
            pick, found = picker(places.ravel().tolist()), list[arb]()
            part = flat[group * filters * width : (group + 1) * filters * width]
            right = weight.transposed() if groups == 1 else arb_mat(filters, width, part).transpose()
            for start in range(0, rows, step):
                patches = [z for row in whole[start : start + step] for z in pick(row)]
                found += product(arb_mat(len(patches) // width, width, patches), right).entries()
            products.append(found)
        size = positions * filters
        turn = picker(np.arange(size).reshape(positions, filters).T.ravel().tolist())
        out: list[arb] = []
        for i in range(rows):
            for found in products:
                out += turn(found[i * size : (i + 1) * size])
        return out

    def map(self, x: Balls, sigma: Activation) -> Balls:
        """Apply the activation's ball kernel to every entry."""
        if sigma.canonical == "t":
            return x
        kernel = arb_kernel(sigma, narrow=_all_narrow(x.whole()))
        return Balls(x.rows, x.shape, list(map(kernel, x.entries)))

    def add(self, a: Balls, b: Balls) -> Balls:
        """The sum of two tensors, ball by ball."""
        return a.plus(b)

    def multiply(self, a: Balls, b: Balls) -> Balls:
        """Ball by ball; the square of one node's value is at least 0."""
        if a is b:
            return Balls(a.rows, a.shape, [square(z) for z in a.entries])
        return combined(mul, a, b)

    def scale(self, x: Balls, factor: Fraction, *, root: bool = False) -> Balls:
        """Every ball times a ball around the factor; a change of sign is exact."""
        if factor == 1:
            return x
        return x.scaled(ball_of(factor).sqrt() if root else ball_of(factor))

    def gather(self, sources: Sequence[Balls], places: Places) -> Balls:
        """The same balls at other places: nothing is computed."""
        return gathered(sources, places)

    def contract(self, a: Balls, b: Balls, *, transposed: bool = False) -> Balls:
        """A ball matrix product for each sample and leading entry; one for all if b is one matrix for all samples."""
        (n, k), m = a.shape[-2:], b.shape[-2 if transposed else -1]
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if b.rows == 1 and len(b.shape) == 2:
            right = b.transposed() if transposed else b.matrix(k, m)
            return Balls(a.rows, (*lead, n, m), product(a.matrix(a.rows * a.size // k, k), right))
        rows, out = max(a.rows, b.rows), list[arb]()
        left, right_entries = broadcast(a, rows, (*lead, n, k)), broadcast(b, rows, (*lead, *b.shape[-2:]))
        for i in range(rows * math.prod(lead)):
            factor = right_entries[i * k * m : (i + 1) * k * m]
            right = arb_mat(m, k, factor).transpose() if transposed else arb_mat(k, m, factor)
            out += product(arb_mat(n, k, left[i * n * k : (i + 1) * n * k]), right).entries()
        return Balls(rows, (*lead, n, m), out)

    def total(self, x: Balls) -> Balls:
        """The sum over the last axis, by a matrix product with ones."""
        return Balls(x.rows, x.shape[:-1], x.whole() * arb_mat(x.shape[-1], 1, [1] * x.shape[-1]))

    def largest(self, x: Balls) -> Balls:
        """Arb's maximum, one after the other; exact up to rounding."""
        out, size = [], x.shape[-1]
        for start in range(0, len(x.entries), size):
            value = x.entries[start]
            for other in x.entries[start + 1 : start + size]:
                value = value.max(other)
            out.append(value)
        return Balls(x.rows, x.shape[:-1], out)

    def inverse_root(self, x: Balls, epsilon: Fraction) -> Balls:
        """``1 / sqrt(x + epsilon)`` ball by ball, not finite where ``x + epsilon > 0`` is not known."""
        shift = ball_of(epsilon)
        return Balls(x.rows, x.shape, [inverse_root(z + shift) for z in x.entries])

    def normalise(self, x: Balls, epsilon: Fraction, *, centre: bool) -> Balls:
        r"""Row by row, with the mean of squares kept at or above 0 and the result clipped.

        With :math:`s = \frac1n \sum_j d_j^2` and epsilon >= 0 every entry is at most sqrt(n) in absolute value,
        because :math:`d_j^2 \le n s`; that is used where the row is finite and its denominator is known to exist.
        """
        size, shift, entries = x.shape[-1], ball_of(epsilon), x.entries
        bound = arb(size).sqrt().upper()
        limits = arb(0, bound)
        out: list[arb] = []
        for start in range(0, len(entries), size):
            row = entries[start : start + size]
            if centre:
                middle = sum(row, arb(0)) / size
                row = [z - middle for z in row]
            squares = sum(map(square, row), arb(0)) / size
            factor = _inverse_root_of_mean(squares, shift)
            scaled = [z * factor for z in row]
            known = factor.is_finite() and all(z.is_finite() for z in scaled)  # else an entry may be undefined
            if known and not all(z.rad() < CLIPPED for z in scaled):
                scaled = [z.intersection(limits) for z in scaled]
            out += scaled
        return Balls(x.rows, x.shape, out)

    def softmax(self, x: Balls, mask: Balls | None) -> Balls:
        """The softmax over the last axis, of the scores that the mask keeps, by `masked_softmax`."""
        rows = x.rows if mask is None else max(x.rows, mask.rows)
        kept = None if mask is None else self._kept(mask, rows, x.shape)
        scores, size, out = broadcast(x, rows, x.shape), x.shape[-1], list[arb]()
        for start in range(0, len(scores), size):
            out += masked_softmax(scores[start : start + size], kept and kept[start : start + size])
        return Balls(rows, x.shape, out)

    def _kept(self, mask: Balls, rows: int, shape: Shape) -> list[bool]:
        """A mask as truth values, broadcast; what is not exactly 0 or 1 is refused, and a row of zeros."""
        for place, z in enumerate(mask.entries):
            if not (z.is_zero() or (z - 1).is_zero()):
                raise NetworkError(f"{self._sample(place, mask)}: a mask has the entry {float(z.mid())}; use 0 or 1")
        kept = [not z.is_zero() for z in broadcast(mask, rows, shape)]
        size = shape[-1]
        for start in range(0, len(kept), size):
            if not any(kept[start : start + size]):
                sample = self.first + start // math.prod(shape)
                raise NetworkError(f"sample {sample}: a mask leaves no entry of a row; leave at least one 1 in each")
        return kept

    def _sample(self, place: int, value: Balls) -> str:
        return f"sample {self.first + place // value.size}" if value.rows == len(self.inputs) else "network"

    def attend(self, q: Balls, k: Balls, v: Balls, square: Fraction, mask: Balls | None) -> Balls:
        """Attention for each sample and leading entry, by `attended`."""
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        (t, c), (s, e) = q.shape[-2:], v.shape[-2:]
        rows = max(value.rows for value in (q, k, v, *(() if mask is None else (mask,))))
        kept = None if mask is None else self._kept(mask, rows, (*lead, t, s))
        queries, keys, values = (broadcast(value, rows, (*lead, *value.shape[-2:])) for value in (q, k, v))
        factor, out = ball_of(square).sqrt(), list[arb]()
        for i in range(rows * math.prod(lead)):
            out += attended(
                queries[i * t * c : (i + 1) * t * c],
                keys[i * s * c : (i + 1) * s * c],
                values[i * s * e : (i + 1) * s * e],
                (t, c, s, e),
                factor,
                kept and kept[i * t * s : (i + 1) * t * s],
            )
        return Balls(rows, (*lead, t, e), out)

    def gate(self, z: Balls, a: Balls, b: Balls) -> Balls:
        """``c + (1 - z) (a - c) + z (b - c)`` with c the midpoint of a, which is the same number for every c.

        So the radius of z is multiplied by ``|b - a|``, and not by ``|a| + |b|``.
        """
        rows, shape = max(z.rows, a.rows, b.rows), np.broadcast_shapes(z.shape, a.shape, b.shape)
        return Balls(rows, shape, list(map(_mixed, *(broadcast(value, rows, shape) for value in (z, a, b)))))

    def embed(self, tokens: Balls, table: Balls) -> Balls:
        """Rows of the table; tokens that are not exactly whole numbers in range are refused.

        Raises
        ------
        NetworkError
            A token is not the number of a row.
        """
        count, size, out = table.shape[0], table.size // table.shape[0], list[arb]()
        for place, token in enumerate(tokens.entries):
            whole = token.unique_fmpz() if token.is_integer() else None
            row = -1 if whole is None else int(whole)
            if not 0 <= row < count:
                raise NetworkError(
                    f"{self._sample(place, tokens)}: a token is {float(token.mid())}; give whole numbers from 0 "
                    f"to {count - 1}{UNSCALED}"
                )
            out += table.entries[row * size : (row + 1) * size]
        return Balls(tokens.rows, (*tokens.shape, *table.shape[1:]), out)


PATCH_ENTRIES = 4_000_000
"""Entries of all windows of some samples that are read at once: some hundred megabytes."""

CLIPPED = arb(0.5)
"""Normalised entries with a smaller radius are left alone: clipping could not make them much smaller."""


def exact_balls(values: Array) -> Balls:
    """Balls of radius 0, one row for all samples; kept as weights are, the first axis against the others."""
    rows = values.shape[0] if values.ndim > 1 else 1
    return Balls(1, values.shape, arb_mat(rows, values.size // rows, values.ravel().tolist()))


def ball_of(number: Fraction) -> arb:
    """A ball around a rational number, exact where it fits the precision."""
    return arb(fmpq(number.numerator, number.denominator))


def square(z: arb) -> arb:
    """Enclose the square of a ball.

    Guarantee: contains ``x**2`` for every x in z, and nothing far below 0.

    Parameters
    ----------
    z : arb
        Any ball.

    Returns
    -------
    arb
        The squares.
    """
    if z.rel_accuracy_bits() < NARROW_BITS:
        return (z.abs_lower() ** 2).union(z.abs_upper() ** 2)
    return z * z


def inverse_root(z: arb) -> arb:
    """Enclose ``1 / sqrt(x)`` over a ball.

    Guarantee: contains it for every x in z, and is not finite if some x <= 0.

    Parameters
    ----------
    z : arb
        Any ball.

    Returns
    -------
    arb
        The inverse roots.
    """
    if z.rel_one_accuracy_bits() < NARROW_BITS and z.is_finite():
        return z.lower().rsqrt().union(z.upper().rsqrt())
    return z.rsqrt()


def _inverse_root_of_mean(squares: arb, shift: arb) -> arb:
    """``1 / sqrt(s + shift)`` for every s in a ball that is at least 0, as means of squares are."""
    if squares.rel_one_accuracy_bits() < NARROW_BITS and squares.is_finite():
        low = squares.lower()
        return ((low if low > 0 else arb(0)) + shift).rsqrt().union((squares.upper() + shift).rsqrt())
    return (squares + shift).rsqrt()


def _mixed(z: arb, a: arb, b: arb) -> arb:
    centre = a.mid()
    return centre + (1 - z) * (a - centre) + z * (b - centre)


def _all_narrow(pre: arb_mat) -> bool:
    """Whether every radius is below ``2^-NARROW_BITS``: the radius of the sum of all balls is at least each of them."""
    rows, columns = pre.nrows(), pre.ncols()
    total = arb_mat(1, rows, [1] * rows) * pre * arb_mat(columns, 1, [1] * columns)
    return bool(total[0, 0].rad() < arb((fmpz(1), fmpz(-NARROW_BITS))))


def _stacked(sources: Sequence[Balls], rows: int) -> Balls:
    """All sources of each sample side by side."""
    if len(sources) == 1:
        return sources[0]
    size = sum(source.size for source in sources)
    return Balls(rows, (size,), [z for row in side_by_side(sources, rows) for z in row])
