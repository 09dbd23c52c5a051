"""The network along a segment of U: enclosures of every node and its derivatives, for a whole ball of times at once.

Glossary: U(t) = U0 + t D, 0 <= t <= 1. For a segment D = U1 - U0; for a box all D with entries of at most r are meant
at once, so that D is a ball. A node *moves* if it reads, perhaps through others, a parameter whose part of D is not 0;
all others have the values of features.py.
"""

import ast
from collections.abc import Iterator
from functools import reduce
from typing import Any

from flint import arb, arb_series

from .analytic import by_ends
from .arithmetic import Row, Table
from .common import Rejection
from .expression import SERIES, build
from .features import Features
from .motion import Function, Moving
from .nodes import KINDS, columns_of
from .series import Series, largest, narrowed, narrowed_change, still

Changes = dict[int, Row]  # D, by the numbers of the parameter nodes


def highest(*parts: Any) -> Any:
    """Return the largest of functions on balls, or on power series of two coefficients: value and change."""
    if all(isinstance(part, arb) for part in parts):
        return reduce(arb.max, parts)
    series = [part if isinstance(part, arb_series) else arb_series([part], 2) for part in parts]
    if any(part.prec != 2 for part in series):
        raise ArithmeticError("an order was lost, or there is more than a change")
    return arb_series(largest([Series([part[0], part[1]]) for part in series], kinks=True).c, 2)


CHANGES: dict[str, Function] = SERIES | {
    "Max": highest,
    "Min": lambda *parts: -highest(*(-part for part in parts)),
    "Abs": lambda part: highest(part, -part),
}


def occurrences(tree: ast.expr) -> int:
    """Return how often the variable occurs."""
    return sum(isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(tree))


def differentiable(node: Any, kinks: bool = False) -> tuple[Function, Function]:
    """Return the activation of a node, or of a layer, on balls and on power series; kinks are refused, or not.

    Power series use endpoints of wide balls in every function; on balls more is known only where t occurs twice.
    """
    tree = node.activation.tree
    try:
        series = build(tree, CHANGES if kinks else SERIES)
        return by_ends(tree) if occurrences(tree) > 1 else series, series
    except KeyError as missing:
        message = f"not an analytic expression: {missing} has no derivative everywhere"
        path = node.path + "/activation"
        raise Rejection(path, "network.expression", message, node.activation.text) from None


def pieces(count: int) -> Iterator[arb]:
    """Yield equal balls of times that cover [0, 1]."""
    for piece in range(count):
        yield (arb(piece) / count).union(arb(piece + 1) / count)


def changes(network: Any, moved: Any) -> Changes:
    """Return what the parameters change by, node by node."""
    found = {}
    for old, new in zip(network.nodes, moved.nodes, strict=True):
        if old.kind == "parameter" and new is not old:
            found[old.number] = (new.exact.balls() - old.exact.balls()).entries()
    return found


class Segment:
    """The network while its parameters move on a straight line, from the stored ones by t times their changes."""

    def __init__(self, network: Any, changes: Changes, kinks: bool = False) -> None:
        """Find what moves; the balls of all values have the working precision of this moment."""
        self.network, self.kinks, self.resting = network, kinks, Features(network)
        self.changes = {number: row for number, row in changes.items() if not all(map(arb.is_zero, row))}
        self.starts = {number: network.nodes[number].exact.balls().entries() for number in self.changes}
        self.known: tuple[list[int], dict[int, Table]] = [], {}  # samples, and the nodes that rest on them
        self.moving = set(self.changes)
        for node in network.nodes:
            if self.moving.intersection(node.reads):
                self.moving.add(node.number)
        moved = (network.nodes[number] for number in sorted(self.moving))
        self.functions = {node.number: differentiable(node, kinks) for node in moved if node.kind == "map"}

    def rows(self, samples: list[int], t: arb, order: int = 1, middle: arb | None = None) -> Table:
        """Return the rows of Psi for these samples, as series to an order."""
        return columns_of(self.resting, self.network, self.values(samples, t, order, middle))

    def values(self, samples: list[int], t: arb, order: int = 1, middle: arb | None = None) -> dict[int, Table]:
        """Return the tables of all nodes for these samples, at the ball of times t, as series to an order.

        Guarantee: the balls contain the derivatives at every time in t, divided by k!. With a time `middle` in t, at
        which the coefficients below the highest order are known better, they are narrowed from there at every node.
        """
        stretches = [Stretch(self, t, order + 1)]
        if middle is not None:
            stretches.append(Stretch(self, middle, order))
        known, whole = self.at_rest(samples), stretches[0].tables
        for node in self.network.nodes:
            if node.number not in self.moving:
                for stretch in stretches:
                    stretch.rest(node.number, known[node.number])
                continue
            for stretch in stretches:
                stretch.compute(node)
            if middle is not None:
                known_point = stretches[1].tables[node.number]
                whole[node.number] = self.narrow(whole[node.number], known_point, t - middle)
            require_finite(node, whole[node.number], samples)
        return whole

    def at_rest(self, samples: list[int]) -> dict[int, Table]:
        """Return the tables of the nodes that do not move, for these samples; they are the same at all times."""
        if self.known[0] != samples:
            found = dict(self.resting.fixed)
            for node in self.network.nodes:
                if node.varies and node.number not in self.moving:
                    found[node.number] = self.resting.evaluate(node, found, samples)
            self.known = samples, found
        return self.known[1]

    def narrow(self, whole: Table, point: Table, reach: arb) -> Table:
        """Return narrower enclosures of all entries of a table, from those at one time."""
        pairs = (zip(*rows, strict=True) for rows in zip(whole, point, strict=True))
        if self.kinks:
            return [[narrowed_change(x, at.c[0]) for x, at in row] for row in pairs]
        return [[narrowed(x, at, reach) for x, at in row] for row in pairs]


def require_finite(node: Any, table: Table, samples: list[int]) -> None:
    """Guarantee: on return all coefficients of all entries are finite."""
    for number, row in enumerate(table):
        bad = next((entry for entry in row if not entry.is_finite()), None)
        if bad is not None:
            where = f"sample {samples[number]}: " if node.varies else ""
            message = where + "a unit's value or its derivative is not finite on the way"
            raise Rejection(node.path, "features.finite", message, None, str(bad.c[0])[:100])


class Stretch:
    """The tables of the nodes so far, at one ball of times."""

    def __init__(self, segment: Segment, t: arb, length: int) -> None:
        self.segment, self.t, self.length = segment, t, length
        self.ops = Moving(length, segment.functions, segment.kinks, t.is_exact())
        self.tables: dict[int, Table] = {}

    def rest(self, number: int, table: Table) -> None:
        """Note the table of a node that does not move."""
        self.tables[number] = [[still(entry, self.length) for entry in row] for row in table]

    def compute(self, node: Any) -> None:
        """Find the table of a node that moves."""
        if node.reads:
            found = KINDS[node.kind].compute(self.ops, node, [self.tables[read] for read in node.reads])
        else:
            found = [self.leaf(node)]
        self.tables[node.number] = found

    def leaf(self, node: Any) -> Row:
        """Return the moving parameter U0 + t D, whose derivative is D."""
        pairs = zip(self.segment.starts[node.number], self.segment.changes[node.number], strict=True)
        zeros = [arb(0)] * self.length
        return [Series([start + change * self.t, change, *zeros][: self.length]) for start, change in pairs]
