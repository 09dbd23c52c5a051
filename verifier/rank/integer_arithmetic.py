r"""The arithmetic of integers over one denominator for each node: exact features of piecewise polynomial networks.

ReLU, leaky ReLU, abs, hard tanh, max and average pools, squares and sums: such nodes map rational numbers to rational
numbers whose denominators divide one number that is known beforehand. So a node's values are integers over one positive
denominator, a dense layer is one product of integer matrices, and an activation is a few passes over a list.
Quotients by what varies would give every entry a denominator of its own: they are left to `ExactArithmetic`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from flint import fmpz_mat

from verifier.balls.exact import ExactArray
from verifier.balls.tensors import Tensor, broadcast, gathered, picker, side_by_side
from verifier.errors import NetworkError
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.graph import UNSCALED
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.rank.exact_arithmetic import (
    ACTIVATION_BITS,
    BITS,
    WORK,
    NotRationalError,
    TooLargeError,
    rational_activations,
)
from verifier.sigma.activations import Activation
from verifier.sigma.tree import Div, Ops, Var, evaluate, subtrees

Whole = tuple[list[int], int]
"""Integers and the positive integer below all of them."""


class Integers(Tensor[int]):
    """A tensor of integers over one positive denominator."""

    __slots__ = ("below",)

    def __init__(self, rows: int, shape: Shape, entries: list[int], below: int = 1) -> None:
        """Take the numerators: ``entries`` has ``rows * prod(shape)`` of them."""
        super().__init__(rows, shape, entries)
        self.below = below


def piecewise_polynomial(network: Network) -> bool:
    """Whether every node is of sums, products, max, min and abs, without a quotient by what varies.

    Guarantee: if true, then the features are piecewise polynomials with rational coefficients.
    """
    sigmas = [sigma for node in network.nodes if (sigma := getattr(node, "sigma", None)) is not None]
    return rational_activations(network) and not any(map(_divides, sigmas))


def _divides(activation: Activation) -> bool:
    parts = (part for part in subtrees(activation.tree) if isinstance(part, Div))
    return any(isinstance(inner, Var) for part in parts for inner in subtrees(part.denominator))


class IntegerArithmetic(Arithmetic[Integers]):
    """Integers over one denominator for all samples.

    Guarantee: every value is the node's value in exact arithmetic at every sample.

    ``followed``: no number in an activation is longer than what an independent checker follows.
    """

    def __init__(self, network: Network, u: Array, inputs: Array) -> None:
        """Keep the parameters' views and the samples, ``(N, d)``."""
        self.views, self.inputs = network.views(u), inputs
        self.spent, self.followed = 0.0, True

    def shape(self, value: Integers) -> Shape:
        """The shape of one sample's tensor."""
        return value.shape

    def input(self, shape: Shape) -> Integers:
        """The samples as integers over one denominator, in the input's shape."""
        return _integers(len(self.inputs), shape, self.inputs)

    def parameter(self, name: str, shape: Shape) -> Integers:
        """The stored numbers of this part of U, as integers over one denominator."""
        return _integers(1, shape, self.views[name])

    def constant(self, values: Array) -> Integers:
        """Fixed numbers as integers over one denominator, in one row for all samples."""
        return _integers(1, values.shape, values)

    def affine(
        self, geometry: Geometry, sources: Sequence[Integers], weight: Integers, bias: Integers | None
    ) -> Integers:
        """An exact matrix product for each group of filters, then the biases."""
        rows, zero = max(source.rows for source in sources), [0] if geometry.padded else []
        parted, below = _over_one(sources)
        whole = [row + zero for row in side_by_side(parted, rows)]
        windows = np.arange(len(whole[0]))[None, None] if geometry.windows is None else geometry.windows
        groups, positions, width = windows.shape
        filters, parts = geometry.filters // groups, list[list[int]]()
        for group, places in enumerate(windows):
            pick, first = picker(places.ravel().tolist()), group * filters * width
            patches = [value for row in whole for value in pick(row)]
            parts.append(self._product(patches, weight.entries[first : first + filters * width], width))
        entries = parts[0]
        if groups > 1 or (geometry.filters_first and positions > 1):
            order = np.arange(groups * positions * filters).reshape(groups, positions, filters)
            turn = picker((order.transpose(0, 2, 1) if geometry.filters_first else order).ravel().tolist())
            size, entries = positions * filters, []
            for start in range(0, rows * size, size):
                entries += turn([value for part in parts for value in part[start : start + size]])
        result = Integers(rows, geometry.shape, entries, below * weight.below)
        if bias is None:
            return self._moderate(result)
        lead = geometry.filters_first and bias.size == geometry.filters
        shape = (geometry.filters, *[1] * (len(geometry.shape) - 1)) if lead else bias.shape
        return self.add(result, Integers(bias.rows, shape, bias.entries, bias.below))

    def _product(self, left: list[int], right: list[int], width: int) -> list[int]:
        """All inner products of rows of the one and rows of the other, each of ``width`` numbers."""
        rows, columns = len(left) // width, len(right) // width
        longest = _bits(left) + _bits(right)
        if longest > BITS:
            raise TooLargeError(f"a node needs numbers of more than {BITS} bits")
        self.spent += float(rows) * columns * width * (1 + longest // 64)
        if self.spent > WORK:
            raise TooLargeError(f"the features need more than {WORK:.0e} exact multiply-adds")
        found = fmpz_mat(rows, width, left) * fmpz_mat(columns, width, right).transpose()
        return list(map(int, found.entries()))

    def map(self, x: Integers, sigma: Activation) -> Integers:
        """The exact values of the activation, entry by entry."""
        ops = _Lists(x)
        entries, below = evaluate(sigma.tree, ops)
        self.followed = self.followed and ops.longest <= ACTIVATION_BITS
        return self._moderate(Integers(x.rows, x.shape, entries, below))

    def add(self, a: Integers, b: Integers) -> Integers:
        """Add over the common denominator."""
        (left, right), below = _over_one([a, b])
        return self._moderate(_combined(operator.add, left, right, below))

    def multiply(self, a: Integers, b: Integers) -> Integers:
        """Multiply entry by entry; the denominators are multiplied, too."""
        return self._moderate(_combined(operator.mul, a, b, a.below * b.below))

    def scale(self, x: Integers, factor: Fraction, *, root: bool = False) -> Integers:
        """Multiply by the factor, exactly; its root is refused."""
        if root:
            raise NotRationalError("a square root is not a rational number")
        scaled = [value * factor.numerator for value in x.entries]
        return self._moderate(Integers(x.rows, x.shape, scaled, x.below * factor.denominator))

    def gather(self, sources: Sequence[Integers], places: Places) -> Integers:
        """The same numbers in other places, over a common denominator of the sources."""
        parted, below = _over_one(sources)
        found = gathered(parted, places)
        return Integers(found.rows, found.shape, found.entries, below)

    def contract(self, a: Integers, b: Integers, *, transposed: bool = False) -> Integers:
        """An exact product for each sample and leading entry."""
        (n, k), m = a.shape[-2:], b.shape[-2 if transposed else -1]
        rows, lead = max(a.rows, b.rows), np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left, right = (broadcast(value, rows, (*lead, *value.shape[-2:])) for value in (a, b))
        out: list[int] = []
        for i in range(rows * math.prod(lead)):
            factor = right[i * k * m : (i + 1) * k * m]
            lines = factor if transposed else [factor[j * m + f] for f in range(m) for j in range(k)]
            out += self._product(left[i * n * k : (i + 1) * n * k], lines, k)
        return self._moderate(Integers(rows, (*lead, n, m), out, a.below * b.below))

    def total(self, x: Integers) -> Integers:
        """Sum over the last axis, exactly."""
        return self._moderate(_folded(sum, x))

    def largest(self, x: Integers) -> Integers:
        """The largest numerators: the denominator is positive."""
        return _folded(max, x)

    def inverse_root(self, x: Integers, epsilon: Fraction) -> Integers:
        """Refuse an inverse root: it leaves the rational numbers."""
        raise NotRationalError("an inverse root leaves the rational numbers")

    def softmax(self, x: Integers, mask: Integers | None) -> Integers:
        """Refuse a softmax: exp leaves the rational numbers."""
        raise NotRationalError("softmax leaves the rational numbers")

    def embed(self, tokens: Integers, table: Integers) -> Integers:
        """Rows of the table; tokens that are not whole numbers in range are refused."""
        count, size, out = table.shape[0], table.size // table.shape[0], list[int]()
        for place, token in enumerate(tokens.entries):
            number, rest = divmod(token, tokens.below)
            if rest or not 0 <= number < count:
                where = f"sample {place // tokens.size}" if tokens.rows == len(self.inputs) else "network"
                what = str(Fraction(token, tokens.below))
                raise NetworkError(f"{where}: a token is {what}; give whole numbers from 0 to {count - 1}{UNSCALED}")
            out += table.entries[number * size : (number + 1) * size]
        return Integers(tokens.rows, (*tokens.shape, *table.shape[1:]), out, table.below)

    def _moderate(self, found: Integers) -> Integers:
        """The same numbers over their least denominator; too long ones are refused."""
        common = math.gcd(found.below, *found.entries)
        if common > 1:
            entries = [value // common for value in found.entries]
            found = Integers(found.rows, found.shape, entries, found.below // common)
        if max(_bits(found.entries), found.below.bit_length()) > BITS:
            raise TooLargeError(f"a node needs numbers of more than {BITS} bits")
        return found


def _integers(rows: int, shape: Shape, values: Array) -> Integers:
    numerators, exponent = ExactArray.of_floats(values).integers()
    if exponent < -BITS or exponent > BITS:
        raise TooLargeError(f"a node needs numbers of more than {BITS} bits")
    shift = max(exponent, 0)
    return Integers(rows, shape, [v << shift for v in numerators] if shift else numerators, 1 << max(-exponent, 0))


def _bits(numbers: Sequence[int]) -> int:
    """The bits of the longest of some integers."""
    return max(max(numbers, default=0).bit_length(), min(numbers, default=0).bit_length())


def _over_one(values: Sequence[Integers]) -> tuple[list[Tensor[int]], int]:
    """The numerators of several tensors over one denominator."""
    below = math.lcm(*(value.below for value in values))
    return [Tensor(v.rows, v.shape, _times(v.entries, below // v.below)) for v in values], below


def _times(entries: list[int], factor: int) -> list[int]:
    return entries if factor == 1 else [value * factor for value in entries]


def _combined(operation: Callable[[int, int], int], a: Tensor[int], b: Tensor[int], below: int) -> Integers:
    """Apply an operation to two values entry by entry, with broadcasting."""
    rows, shape = max(a.rows, b.rows), np.broadcast_shapes(a.shape, b.shape)
    entries = list(map(operation, broadcast(a, rows, shape), broadcast(b, rows, shape)))
    return Integers(rows, shape, entries, below)


def _folded(operation: Callable[[list[int]], int], x: Integers) -> Integers:
    """Apply an operation to the numbers of the last axis."""
    size = x.shape[-1]
    entries = [operation(x.entries[start : start + size]) for start in range(0, len(x.entries), size)]
    return Integers(x.rows, x.shape[:-1], entries, x.below)


class _Lists(Ops[Whole]):
    """`Ops` over lists of integers with a denominator; a quotient is by a constant."""

    def __init__(self, argument: Integers) -> None:
        super().__init__((argument.entries, argument.below))
        self.count, self.longest = len(argument.entries), 0

    def _noted(self, entries: list[int], below: int) -> Whole:
        """The value; the longest numerator and denominator, together, are kept."""
        self.longest = max(self.longest, _bits(entries) + below.bit_length())
        return entries, below

    def _shared(self, values: Sequence[Whole]) -> tuple[list[list[int]], int]:
        below = math.lcm(*(value[1] for value in values))
        return [_times(entries, below // own) for entries, own in values], below

    def const(self, p: int, q: int) -> Whole:
        return [p] * self.count, q

    def pi(self) -> Whole:
        raise NotRationalError("pi is not a rational number")

    def e(self) -> Whole:
        raise NotRationalError("e is not a rational number")

    def var(self) -> Whole:
        return self.argument

    def add(self, *terms: Whole) -> Whole:
        lists, below = self._shared(terms)
        return self._noted(list(map(sum, zip(*lists, strict=True))) if len(lists) > 1 else lists[0], below)

    def mul(self, *factors: Whole) -> Whole:
        entries = reduce(lambda a, b: list(map(operator.mul, a, b)), (part for part, _ in factors))
        return self._noted(entries, math.prod(own for _, own in factors))

    def div(self, numerator: Whole, denominator: Whole) -> Whole:
        (top, own), (by, other) = numerator, denominator
        divisor = by[0] if by else 1
        if divisor == 0:
            raise ZeroDivisionError
        sign = 1 if divisor > 0 else -1
        return self._noted(_times(top, sign * other), own * abs(divisor))

    def pow_int(self, base: Whole, n: int) -> Whole:
        entries, below = base
        if max(_bits(entries), below.bit_length()) * n > BITS:
            raise TooLargeError(f"a power needs more than {BITS} bits")
        return self._noted([value**n for value in entries], below**n)

    def pow_rational(self, base: Whole, p: int, q: int) -> Whole:
        raise NotRationalError("a root is not a rational number")

    def call(self, name: str, *args: Whole) -> Any:
        lists, below = self._shared(args)
        if name == "abs":
            return self._noted(list(map(abs, lists[0])), below)
        return self._noted(list(map({"max": max, "min": min}[name], *lists)), below)
