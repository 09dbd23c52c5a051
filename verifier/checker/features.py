"""Enclosures of the network's values: the operations of arithmetic.py on balls, and the rows of Psi.

The balls of all rows have the working precision at which the object was made. Every operation returns balls that
contain the exact results for all numbers in the balls that it gets, or balls that are not finite; those are rejected
where they arise.
"""

import itertools
from functools import reduce
from math import prod
from typing import Any

from flint import arb, arb_mat, fmpq, fmpz_mat

from .analytic import by_ends
from .arithmetic import Arithmetic, Row, Table, groups, paired, pick, side_by_side
from .common import Exact, Rejection
from .expression import GUARDED, PLAIN, build
from .nodes import KINDS, columns_of
from .products import multiply, ones, short_factor
from .windowed import affine_parts, windows_of_affine

GATHER = 5  # multiply-adds that take as long as to bring one ball to its place in a window
NARROW_SUM = 2.0**-20  # balls whose radii add up to less need no guard
WIDE = 2.0**-10  # the radius from which a ball may gain by a bound that holds in any case
exp, ZERO = GUARDED["exp"], arb(0)


def tile(bias: arb_mat, rows: int) -> arb_mat:
    """Return the biases (positions x filters, or one row for all positions) under each other, to so many rows."""
    if bias.nrows() == 1:
        return ones(rows, 1) * bias
    rounded = bias * arb(1)  # to the working precision: the copies are short
    return arb_mat(rows, bias.ncols(), rounded.entries() * (rows // bias.nrows()))


def by_unit(values: Row, filters: int, size: int) -> Table:
    """Bring values from the order (sample, position, filter) to rows in the order (filter, position)."""
    starts = range(0, len(values), size)
    if filters in (1, size):
        return [values[start : start + size] for start in starts]
    return [[u for a in range(filters) for u in values[i + a : i + size : filters]] for i in starts]


def unroll(windows: list[Any], weights: list[Row], width: int, zero: Any) -> list[Row] | None:
    """Return the weights of one window, the whole row, where that costs less: almost only padding in the windows.

    Guarantee: if not None, then there is one vector of `width` weights for each filter and each position, in that
    order, and its product with the row of all sources is that of the filter with the window. (A window has each place
    of the row once at most; those in the padding, with the index `width`, are left out.)
    """
    if len(weights) * width > len(windows[0]) * (GATHER + len(weights)):
        return None
    found = []
    for filter_weights in weights:
        for window in windows:
            row = [zero] * width
            for place, weight in zip(window, filter_weights, strict=True):
                if place < width:
                    row[place] = weight
            found.append(row)
    return found


class Inputs:
    """The samples' inputs as balls of radius zero, made when they are asked for: all at once may be too many."""

    def __init__(self, inputs: Exact) -> None:
        self.inputs, self.places = inputs, range(inputs.integers.ncols())

    def __getitem__(self, sample: int) -> Row:
        """Return the row of one sample."""
        integers = [self.inputs.integers[sample, place] for place in self.places]
        row: Row = self.inputs._replace(integers=fmpz_mat(1, len(integers), integers)).balls().entries()
        return row


class Layout:
    """How the sources of an affine node are cut, and how weights and biases lie: matrices, one per group of filters.

    The matrices are of balls, or of another kind of numbers.
    """

    def __init__(self, node: Any, weight: Row, matrix: Any = arb_mat, zero: Any = ZERO) -> None:
        self.node, self.windows, self.matrix, self.zero = node, windows_of_affine(node), matrix, zero
        self.width = sum(map(prod, (node.shapes[part] for part in affine_parts(node)[0])))
        self.unrolled = False
        if node.window is not None and len(self.windows) == 1:
            self.unrolled = unroll(self.windows[0], groups(weight, node.fan_in), self.width, zero) is not None
        self.whole = self.unrolled or node.window is None  # then the pieces of a row are the windows, in order
        self.picks = [] if self.whole else [pick(list(itertools.chain(*group))) for group in self.windows]
        self.positions = 1 if self.unrolled else node.positions
        self.filters = (node.filters if not self.unrolled else node.filters * node.positions) // len(self.windows)

    def weights(self, weight: Row) -> list[Any]:
        """Return for each group the weights, fan-in x filters."""
        lines = groups(weight, self.node.fan_in)
        if self.unrolled:
            lines = unroll(self.windows[0], lines, self.width, self.zero) or []
        return [
            self.matrix(lines[start : start + self.filters]).transpose() for start in range(0, len(lines), self.filters)
        ]

    def biases(self, bias: Row) -> list[Any]:
        """Return for each group the biases, positions x filters, or one row for all positions."""
        node = self.node
        each = len(bias) == node.filters  # one for each filter
        if self.unrolled:
            return [self.matrix([[b for b in bias for _ in range(node.positions)] if each else bias])]
        lines = [[b] for b in bias] if each else groups(bias, node.positions)  # by filters
        if not each and not node.filters_first:
            lines = [bias[a :: node.filters] for a in range(node.filters)]
        return [
            self.matrix(lines[start : start + self.filters]).transpose() for start in range(0, len(lines), self.filters)
        ]

    def cut(self, rows: Table) -> list[Any]:
        """Return for each group all windows of all rows, one under the other."""
        count = len(rows) * self.positions
        if self.whole:
            flat = list(itertools.chain(*rows))
            return [self.matrix(count, len(flat) // count, flat)]
        padded = [[*row, self.zero] for row in rows]
        flats = (list(itertools.chain(*map(take, padded))) for take in self.picks)
        return [self.matrix(count, len(flat) // count, flat) for flat in flats]

    def rows(self, sums: list[Any]) -> Table:
        """Return the rows of the node from the products of the windows of each group with its weights."""
        size, parts = self.positions * self.filters, [part.entries() for part in sums]
        if not self.node.filters_first or self.unrolled:
            return groups(parts[0], size)
        return side_by_side([by_unit(part, self.filters, size) for part in parts])


class Balls(Arithmetic):
    """Operations on tables of balls (Arb), which contain the exact values."""

    zero = arb(0)

    def __init__(self) -> None:
        self.prepared: dict[int, Any] = {}  # of affine nodes, by their numbers
        self.functions: dict[str, Any] = {}  # of activations, by their texts

    def number(self, value: fmpq) -> arb:
        """Return a ball around an exact rational."""
        return arb(value)

    def affine(self, node: Any, sources: list[Table], weight: Table, bias: Table | None) -> Table:
        """Return windows of the sources times weights, plus biases."""
        if node.number not in self.prepared:
            self.prepared[node.number] = self.prepare(node, weight[0], None if bias is None else bias[0])
        layout, parts, biases = self.prepared[node.number]
        windows = layout.cut(side_by_side(sources))
        sums = [multiply(cut, part) for cut, part in zip(windows, parts, strict=True)]
        if biases is not None:
            sums = [total + tile(b, total.nrows()) for total, b in zip(sums, biases, strict=True)]
        found: Table = layout.rows(sums)
        return found

    def prepare(self, node: Any, weight: Row, bias: Row | None) -> Any:
        """Return the layout of an affine node, its weights as right factors, and its biases."""
        layout = Layout(node, weight)
        parts = [short_factor(matrix) for matrix in layout.weights(weight)]
        return layout, parts, None if bias is None else layout.biases(bias)

    def map(self, node: Any, x: Table) -> Table:
        """Apply the node's activation; that of narrow balls directly, of wide ones by their endpoints."""
        if node.activation.text not in self.functions:
            tree = node.activation.tree
            self.functions[node.activation.text] = by_ends(tree), build(tree, PLAIN)
        narrow = sum(itertools.chain(*x), self.zero).rad() < NARROW_SUM  # this radius is at least every radius
        function = self.functions[node.activation.text][narrow]
        return [list(map(function, row)) for row in x]

    def product(self, a: Row, b: Row, n: int, k: int, m: int, transposed: bool) -> Row:
        """Return the entries of the (n, k) matrix a times the (k, m) matrix b, which is (m, k) if `transposed`."""
        right = arb_mat(m, k, b).transpose() if transposed else arb_mat(k, m, b)
        found: Row = (arb_mat(n, k, a) * right).entries()
        return found

    def average(self, weights: Row, values: Row, n: int, k: int, m: int) -> Row:
        """Multiply an n x k matrix whose rows add up to 1 by a k x m matrix.

        Guarantee: P v = P (v - o) + o for every row o, as every row of P adds up to 1; with o in the middle of the
        values, the radii of P count only as far as the values differ.
        """
        middles = [(sum(values[column::m], arb(0)) / k).mid() for column in range(m)]
        rest = [value - o for value, o in zip(values, itertools.cycle(middles), strict=False)]
        found = self.product(weights, rest, n, k, m, False)
        return [part + o for part, o in zip(found, itertools.cycle(middles), strict=False)]

    def gate(self, z: Table, a: Table, b: Table) -> Table:
        """Return (1 - z) a + z b.

        Guarantee: for every c it is (1 - z) (a - c) + z (b - c) + c; with c in the middle, the radius of z counts only
        as far as a and b differ.
        """
        found = []
        for rows in paired([z, a, b]):
            row = []
            for share, x, y in zip(*rows, strict=True):
                c = ((x + y) / 2).mid()
                row.append((1 - share) * (x - c) + share * (y - c) + c)
            found.append(row)
        return found

    def largest(self, node: Any, numbers: Row) -> arb:
        """Return the largest of some numbers."""
        found: arb = reduce(arb.max, numbers)
        return found

    def root(self, node: Any) -> arb:
        """Return the square root of the node's `square`, a positive rational."""
        return arb(node.square).sqrt()

    def inverse_root(self, node: Any, x: Table) -> Table:
        """Return 1 / sqrt(x + epsilon); of balls that are not certainly above 0, a ball that is not finite."""
        epsilon = arb(node.epsilon)
        return [[inverse_root(entry, epsilon) for entry in row] for row in x]

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return (x - c) / sqrt(mean (x - c)^2 + epsilon), c the mean of the numbers or 0.

        Guarantee: the mean of squares is not below 0, and every |y_i| is at most sqrt(n).
        """
        count = len(numbers)
        if node.centre:
            centre = sum(numbers, arb(0)) / count
            numbers = [number - centre for number in numbers]
        squares = sum((number * number for number in numbers), arb(0)) / count
        factor = inverse_root(squares, arb(node.epsilon), 0)
        bound = arb(count).sqrt().upper()
        return [clipped(number * factor, -bound, bound) for number in numbers]

    def softmax(self, node: Any, scores: Row) -> Row:
        """Return exp(x_j) / sum_k exp(x_k).

        Guarantee: a common shift of the scores changes nothing; with one near the largest of them nothing overflows.
        The shares are between 0 and 1.
        """
        shift = reduce(arb.max, scores).mid()
        powers = [exp(score - shift) for score in scores]
        total = sum(powers, arb(0))
        if not total > 0 and all(map(arb.is_finite, scores)):
            return [arb(0).union(arb(1))] * len(scores)
        return [clipped(power / total, arb(0), arb(1)) for power in powers]

    def whole(self, number: arb) -> int | None:
        """Return the whole number that this certainly is, else None."""
        found = number.unique_fmpz() if number.is_exact() else None
        return None if found is None else int(found)


def inverse_root(x: arb, epsilon: arb, least: Any = None) -> arb:
    """Return 1 / sqrt(x + epsilon), a decreasing function, of wide balls by their endpoints.

    Guarantee: the result contains it for every x in the ball that is at least `least` (None: for every x), or is not
    finite, which it is unless all these x + epsilon are above 0.
    """
    if x.rad() < WIDE * x.abs_lower() and x > 0:
        return (x + epsilon).rsqrt()
    low, high = x.lower() if least is None else x.lower().max(arb(least)), x.upper()
    ends = [end + epsilon for end in (low, high)]
    return ends[0].rsqrt().union(ends[1].rsqrt()) if all(end > 0 for end in ends) else arb("nan")


def clipped(x: arb, low: arb, high: arb) -> arb:
    """Return a ball of the same numbers, which are known to be between two exact bounds."""
    return x if x.rad() < WIDE else x.max(low).min(high)


class Features(Balls):
    """Evaluates the network in ball arithmetic at the working precision at which it was made."""

    def __init__(self, network: Any, still: bool = False) -> None:
        """Evaluate what does not depend on the sample; if `still`, then, here and later, only what does not move."""
        super().__init__()
        self.network, self.still = network, still
        self.inputs = None if network.inputs is None else Inputs(network.inputs)
        self.fixed: dict[int, Table] = {}  # the tables of nodes that do not depend on the sample: one row each
        for node in network.nodes:
            if not node.varies and not (still and node.moves):
                self.fixed[node.number] = self.evaluate(node, self.fixed, [])
        for node in network.nodes:  # here, so that processes that look at parts of the samples share it
            if node.kind == "affine" and node.varies and not (still and node.moves):
                _, weight, bias = affine_parts(node)
                own = None if bias is None else self.fixed[node.reads[bias]][0]
                self.prepared[node.number] = self.prepare(node, self.fixed[node.reads[weight]][0], own)

    def rows(self, samples: list[int]) -> Table:
        """Return the rows of Psi for the samples.

        Guarantee: each ball contains the exact value of Psi at the stored numbers, and is finite. Every node is
        evaluated, also those that do not matter; one that is not finite is a rejection.
        """
        return columns_of(self, self.network, self.values(samples))

    def values(self, samples: list[int]) -> dict[int, Table]:
        """Return the tables of all nodes for these samples."""
        values = dict(self.fixed)
        for node in self.network.nodes:
            if node.varies and not (self.still and node.moves):
                values[node.number] = self.evaluate(node, values, samples)
        return values

    def evaluate(self, node: Any, values: dict[int, Table], samples: list[int]) -> Table:
        """Return the table of one node, from those of what it reads."""
        if node.kind == "input":
            return [self.inputs[sample] for sample in samples] if self.inputs is not None else []
        if not node.reads:
            return [node.exact.balls().entries()]
        found = KINDS[node.kind].compute(self, node, [values[read] for read in node.reads])
        for number, row in enumerate(found):
            if not all(map(arb.is_finite, row)):
                bad = str(next(entry for entry in row if not entry.is_finite()))[:100]
                where = f"sample {samples[number]}: " if node.varies else ""
                message = where + "a unit's value is undefined or its enclosure is infinite"
                raise Rejection(node.path, "features.finite", message, None, bad)
        return found
