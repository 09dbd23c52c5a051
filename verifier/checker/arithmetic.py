"""What the rules of the node kinds are written in: a few operations on tables of numbers.

Glossary: a *table* has one row for each sample, or a single row that stands for all of them; a row has the entries of
one tensor in C order. The rule of a node kind (nodes.py) says by these operations what the node's table is; a subclass
says what a number is: a ball (features.py), a rational (exact.py), a ball with its derivative, ...
"""

import itertools
from collections.abc import Callable, Iterator
from operator import add, itemgetter, mul
from typing import Any

from flint import fmpq

from .geometry import Places

Row = list[Any]
Table = list[Row]


def pick(indices: Any) -> Callable[[Any], Any]:
    """Return the function that takes these entries of a list."""
    return itemgetter(*indices) if len(indices) > 1 else lambda row: (row[indices[0]],)


def paired(tables: list[Table]) -> Iterator[tuple[Row, ...]]:
    """Yield the rows of several tables that belong together; a single row belongs to all rows of the others."""
    count = max(map(len, tables))
    return zip(*(table if len(table) == count else table * count for table in tables), strict=True)


def side_by_side(tables: list[Table]) -> Table:
    """Return one table whose rows are those of the tables, one after the other."""
    if len(tables) == 1:
        return tables[0]
    return [list(itertools.chain(*rows)) for rows in paired(tables)]


def groups(row: Row, length: int) -> list[Row]:
    """Cut a row into pieces of one length."""
    return [row[start : start + length] for start in range(0, len(row), length)]


class Arithmetic:
    """Operations on tables; the numbers have ``+``, ``*``, and those that a subclass gives them."""

    zero: Any = 0

    def number(self, value: fmpq) -> Any:
        """Return an exact rational as a number."""
        raise NotImplementedError

    def affine(self, node: Any, sources: list[Table], weight: Table, bias: Table | None) -> Table:
        """Return windows of the sources times weights, plus biases; `plan_affine` says what a window is."""
        raise NotImplementedError

    def map(self, node: Any, x: Table) -> Table:
        """Apply the node's activation to every entry."""
        raise NotImplementedError

    def largest(self, node: Any, numbers: Row) -> Any:
        """Return the largest of some numbers."""
        raise NotImplementedError

    def inverse_root(self, node: Any, x: Table) -> Table:
        """Return 1 / sqrt(x + epsilon)."""
        raise NotImplementedError

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return (x - c) / sqrt(mean (x - c)^2 + epsilon), c the mean of the numbers or 0."""
        raise NotImplementedError

    def softmax(self, node: Any, scores: Row) -> Row:
        """Return exp(x_j) / sum_k exp(x_k); what a mask leaves out is not among the numbers."""
        raise NotImplementedError

    def root(self, node: Any) -> Any:
        """Return the square root of the node's `square`, a positive rational."""
        raise NotImplementedError

    def whole(self, number: Any) -> int | None:
        """Return the whole number that this certainly is, else None."""
        raise NotImplementedError

    # the rest follows from these

    def gather(self, tables: list[Table], places: Places | None) -> Table:
        """Take entries of the tables side by side; None: all, in order."""
        table = side_by_side(tables)
        if places is None:
            return table
        take = pick(places)
        return [list(take(row)) for row in table]

    def add(self, a: Table, b: Table) -> Table:
        """Return the sum of two tables, entry by entry; a single row is added to every row."""
        return [list(map(add, x, y)) for x, y in paired([a, b])]

    def multiply(self, a: Table, b: Table) -> Table:
        """Return the product of two tables, entry by entry; a single row multiplies every row."""
        return [list(map(mul, x, y)) for x, y in paired([a, b])]

    def scale(self, x: Table, factor: Any) -> Table:
        """Multiply every entry by a number."""
        return [[entry * factor for entry in row] for row in x]

    def total(self, x: Table, length: int) -> Table:
        """Add up pieces of one length."""
        return [[sum(piece, self.zero) for piece in groups(row, length)] for row in x]

    def gate(self, z: Table, a: Table, b: Table) -> Table:
        """Return (1 - z) a + z b entry by entry."""
        return [[(1 - s) * x + s * y for s, x, y in zip(*rows, strict=True)] for rows in paired([z, a, b])]

    def product(self, a: Row, b: Row, n: int, k: int, m: int, transposed: bool) -> Row:
        """Multiply an n x k matrix by a k x m matrix, or by the transpose of an m x k matrix."""
        lines = groups(b, k) if transposed else [b[column::m] for column in range(m)]
        return [sum(map(mul, line, other), self.zero) for line in groups(a, k) for other in lines]

    def average(self, weights: Row, values: Row, n: int, k: int, m: int) -> Row:
        """Multiply an n x k matrix whose rows add up to 1 by a k x m matrix."""
        return self.product(weights, values, n, k, m, False)

    def scores(self, q: Row, k: Row, t: int, c: int, s: int) -> Row:
        """Return q k^T, a t x c matrix times the transpose of an s x c matrix, or what has the same softmax by rows."""
        return self.product(q, k, t, c, s, True)

    def attended(self, node: Any, scores: Row, lines: list[Row]) -> Row:
        """Return the sum of p_j times line j, p the softmax of the scores; what a mask leaves out is not among them."""
        return self.average(self.softmax(node, scores), list(itertools.chain(*lines)), 1, len(lines), len(lines[0]))
