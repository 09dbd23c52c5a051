"""The operations of arithmetic.py on functions of the time: every node while the parameters move.

Glossary: the numbers of a table are here series (series.py), Taylor coefficients in the time up to some order. Where
kinks are allowed only values and difference quotients are followed: then c_1 contains (x(t) - x(s)) / (t - s) for all
times s and t, which obeys the rules of the derivative, by the mean value theorem.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

from flint import arb, arb_mat, fmpq

from .arithmetic import Arithmetic, Row, Table, paired, side_by_side
from .features import Layout, tile
from .series import Series, inverse_root, largest, mapped, normalised, softmax, still

Matrices = list[arb_mat]  # one for each order
Function = Callable[..., Any]


def part(table: Table, order: int) -> Table:
    """Return one coefficient of every entry of a table."""
    return [[entry.c[order] for entry in row] for row in table]


def joined(parts: list[Table]) -> Table:
    """Return the table of which these are the coefficients, from order 0 on."""
    return [[Series(c) for c in zip(*rows, strict=True)] for rows in zip(*parts, strict=True)]


def products(a: Matrices, b: Matrices) -> Matrices:
    """Return the coefficients of a product of matrices.

    Guarantee: the coefficient of order k contains sum_{i + j = k} a_i b_j; matrices that are exactly 0 are left out.
    """
    left, right = ([not all(map(arb.is_zero, x.entries())) for x in factor] for factor in (a, b))
    found = []
    for order in range(len(a)):
        terms = (a[i] * b[order - i] for i in range(order + 1) if left[i] and right[order - i])
        found.append(sum(terms, arb_mat(a[0].nrows(), b[0].ncols())))
    return found


class Moving(Arithmetic):
    """Operations on tables of series with a number of coefficients."""

    def __init__(self, length: int, functions: dict[int, tuple[Function, Function]], kinks: bool) -> None:
        """Remember each map's activation, on balls and on power series, by the number of its node."""
        self.length, self.functions, self.kinks = length, functions, kinks
        self.orders, self.zero = range(length), still(arb(0), length)

    def number(self, value: fmpq) -> Series:
        """Return an exact rational."""
        return still(arb(value), self.length)

    def root(self, node: Any) -> Series:
        """Return the square root of the node's `square`, a positive rational."""
        return still(arb(node.square).sqrt(), self.length)

    def whole(self, number: Series) -> int | None:
        """Return the whole number that this certainly is, at every time, else None."""
        value, *others = number.c
        found = value.unique_fmpz() if value.is_exact() and all(map(arb.is_zero, others)) else None
        return None if found is None else int(found)

    def scale(self, x: Table, factor: Series) -> Table:
        """Multiply every entry by a number that stands still."""
        return [[entry.times(factor.c[0]) for entry in row] for row in x]

    def affine(self, node: Any, sources: list[Table], weight: Table, bias: Table | None) -> Table:
        """Return windows of the sources times weights, plus biases: Z = H W + b, by the product rule."""
        table, weights = side_by_side(sources), [part(weight, order)[0] for order in self.orders]
        layout = Layout(node, weights[0])
        cuts = zip(*(layout.cut(part(table, order)) for order in self.orders), strict=True)
        filters = zip(*map(layout.weights, weights), strict=True)
        sums = [products(list(h), list(w)) for h, w in zip(cuts, filters, strict=True)]
        found = []
        for order in self.orders:
            of_groups = [group[order] for group in sums]
            if bias is not None:
                rows = layout.biases(part(bias, order)[0])
                of_groups = [z + tile(b, z.nrows()) for z, b in zip(of_groups, rows, strict=True)]
            found.append(layout.rows(of_groups))
        return joined(found)

    def map(self, node: Any, x: Table) -> Table:
        """Apply the activation to every entry."""
        function, lifted = self.functions[node.number]
        return [[mapped(function, lifted, entry) for entry in row] for row in x]

    def product(self, a: Row, b: Row, n: int, k: int, m: int, transposed: bool) -> Row:
        """Multiply two matrices."""
        left = [arb_mat(n, k, line) for (line,) in (part([a], order) for order in self.orders)]
        lines = [line for (line,) in (part([b], order) for order in self.orders)]
        right = [arb_mat(m, k, line).transpose() if transposed else arb_mat(k, m, line) for line in lines]
        return [Series(c) for c in zip(*(z.entries() for z in products(left, right)), strict=True)]

    def average(self, weights: Row, values: Row, n: int, k: int, m: int) -> Row:
        """Multiply an n x k matrix whose rows add up to 1 by a k x m matrix.

        Guarantee: P v = P (v - o) + o for every row o; o stands still in the middle of the values.
        """
        middles = [(sum((value.c[0] for value in values[column::m]), arb(0)) / k).mid() for column in range(m)]
        rows = [still(middle, self.length) for middle in middles]
        rest = [value - o for value, o in zip(values, cycle(rows), strict=False)]
        return [z + o for z, o in zip(self.product(weights, rest, n, k, m, False), cycle(rows), strict=False)]

    def gate(self, z: Table, a: Table, b: Table) -> Table:
        """Return (1 - z) a + z b.

        Guarantee: for every c it is (1 - z) (a - c) + z (b - c) + c; c stands still in the middle of a and b.
        """
        found, one = [], self.number(fmpq(1))
        for rows in paired([z, a, b]):
            row = []
            for share, x, y in zip(*rows, strict=True):
                c = still(((x.c[0] + y.c[0]) / 2).mid(), self.length)
                row.append((one - share) * (x - c) + share * (y - c) + c)
            found.append(row)
        return found

    def largest(self, node: Any, numbers: Row) -> Series:
        """Return the largest of some numbers."""
        return largest(numbers, self.kinks)

    def inverse_root(self, node: Any, x: Table) -> Table:
        """Return 1 / sqrt(x + epsilon)."""
        return [[inverse_root(entry, arb(node.epsilon)) for entry in row] for row in x]

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return (x - c) / sqrt(mean (x - c)^2 + epsilon), c the mean of the numbers or 0."""
        return normalised(numbers, arb(node.epsilon), centre=node.centre)

    def softmax(self, node: Any, scores: Row) -> Row:
        """Return exp(x_j) / sum_k exp(x_k) of numbers that no mask leaves out."""
        return softmax(scores)
