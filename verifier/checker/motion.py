"""The operations of arithmetic.py on functions of the time: every node while the parameters move.

Glossary: the numbers of a table are here series (series.py), Taylor coefficients in the time up to some order. Where
kinks are allowed (boxes.py) only values and changes are followed: c_1 contains x' - x, where x and x', both in c_0, are
the values before and after a change of U. By the mean value theorem it obeys the rules of the derivative.
"""

from collections.abc import Callable
from functools import reduce
from itertools import chain, cycle
from typing import Any

from flint import arb, arb_mat, fmpq

from .arithmetic import Arithmetic, Row, Table, paired, side_by_side
from .features import Layout, tile
from .series import Series, exp, inverse_root, largest, mapped, narrower, normalised, softmax, still, within

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


def centre(entries: Row) -> Series:
    """Return exact coefficients in the middle of those of some series."""
    return Series((sum(c, arb(0)) / len(entries)).mid() for c in zip(*(entry.c for entry in entries), strict=True))


class Moving(Arithmetic):
    """Operations on tables of series with a number of coefficients."""

    def __init__(
        self, length: int, functions: dict[int, tuple[Function, Function]], kinks: bool, instant: bool
    ) -> None:
        """Remember each map's activation, on balls and on power series, by its node; and if there is one time only."""
        self.length, self.functions, self.kinks, self.instant = length, functions, kinks, instant
        self.orders, self.zero = range(length), still(arb(0), length)

    def number(self, value: fmpq) -> Series:
        """Return an exact rational as a series that stands still."""
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
        """Return the entries of a product of (n, k) and (k, m) matrices of series; b is (m, k) if `transposed`."""
        left = [arb_mat(n, k, line) for (line,) in (part([a], order) for order in self.orders)]
        lines = [line for (line,) in (part([b], order) for order in self.orders)]
        right = [arb_mat(m, k, line).transpose() if transposed else arb_mat(k, m, line) for line in lines]
        return [Series(c) for c in zip(*(z.entries() for z in products(left, right)), strict=True)]

    def scores(self, q: Row, k: Row, t: int, c: int, s: int) -> Row:
        """Return q (k - o)^T, o an exact row in the middle of the keys.

        Guarantee: in every row all scores are smaller by one function, which changes no softmax.
        """
        middles = [centre(k[column::c]) for column in range(c)]
        return self.product(q, [key - o for key, o in zip(k, cycle(middles), strict=False)], t, c, s, True)

    def attended(self, node: Any, scores: Row, lines: list[Row]) -> Row:
        """Return the sum o of p_j v_j, p the softmax of the scores x, v_j the lines.

        Guarantee: o = c + sum_j p_j (v_j - c) for every c, as the coefficients of sum_j p_j are 1, 0, 0, ..; it is
        between the v_j. Narrow scores are better with c + sum_j e_j (v_j - c) / sum_j e_j, e_j = exp(x_j - shift); and
        with the derivatives o' = sum_j p_j (x'_j - d) (v_j - o) + sum_j p_j v'_j for every d, by p'_j = p_j (x'_j -
        sum_k p_k x'_k) and sum_j p_j (v_j - o) = 0. All c and d are exact and near what they are taken from.
        """
        count, p = len(lines), softmax(scores)
        values = [arb_mat(part(lines, order)) for order in self.orders]
        below, shift = arb_mat(count, 1, [1] * count), reduce(arb.max, (x.c[0] for x in scores)).mid()
        powers = arb_mat(1, count, [exp(x.c[0] - shift) for x in scores])
        shares = [arb_mat(1, count, [entry.c[order] for entry in p]) for order in self.orders]
        near = [(shares[0].mid() * v.mid()).mid() for v in values]
        rest = [v - below * c for v, c in zip(values, near, strict=True)]  # the v_j - c
        means = [z + c for z, c in zip(products(shares, rest), near, strict=True)]
        quotients = near[0] + (powers * rest[0]) / (powers * below)[0, 0]
        hulls = [reduce(arb.union, column) for column in zip(*values[0].tolist(), strict=True)]
        exists = all(entry.c[0].is_finite() for entry in (*scores, *chain(*lines)))
        pairs = zip(means[0].entries(), quotients.entries(), hulls, strict=True)
        found = [arb_mat([[within(narrower(a, b), hull, exists) for a, b, hull in pairs]])]
        slopes = [x.slope() for x in scores]
        middle = centre(slopes)
        turns = [entry * (slope - middle) for entry, slope in zip(p, slopes, strict=True)]
        for order in self.orders[1:]:
            total = order * near[order]
            for a, b in ((a, order - 1 - a) for a in range(order)):
                turn = arb_mat(1, count, [entry.c[a] for entry in turns])
                total += turn * (values[b] - below * found[b]) + shares[a] * ((b + 1) * rest[b + 1])
            found.append(arb_mat([list(map(narrower, means[order].entries(), (total / order).entries()))]))
        return [Series(o) for o in zip(*(o.entries() for o in found), strict=True)]

    def gate(self, z: Table, a: Table, b: Table) -> Table:
        """Return (1 - z) a + z b.

        Guarantee: for every c it is (1 - z) (a - c) + z (b - c) + c; c is exact, in the middle of a and b.
        """
        found, one = [], self.number(fmpq(1))
        for rows in paired([z, a, b]):
            row = []
            for share, x, y in zip(*rows, strict=True):
                c = centre([x, y])
                row.append((one - share) * (x - c) + share * (y - c) + c)
            found.append(row)
        return found

    def largest(self, node: Any, numbers: Row) -> Series:
        """Return the largest of some numbers."""
        return largest(numbers, self.kinks, self.instant)

    def inverse_root(self, node: Any, x: Table) -> Table:
        """Return 1 / sqrt(x + epsilon)."""
        return [[inverse_root(entry, arb(node.epsilon)) for entry in row] for row in x]

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return (x - c) / sqrt(mean (x - c)^2 + epsilon), c the mean of the numbers or 0."""
        return normalised(numbers, arb(node.epsilon), centre=node.centre)

    def softmax(self, node: Any, scores: Row) -> Row:
        """Return exp(x_j) / sum_k exp(x_k) of numbers that no mask leaves out."""
        return softmax(scores)
