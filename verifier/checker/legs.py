"""The network while U moves on a straight leg: of every node values at a middle time, and difference quotients.

Glossary: U(t) = A + t (B - A), t in a *piece* [t0, t1] of [0, 1], c its middle, h = t1 - t0. A *strip* encloses what
a node computes on the piece: `mid` its values at c, `whole` those at all times, `rate` all quotients
(x(t) - x(c)) / (t - c), t != c, so that x(t) is in mid + [-h/2, h/2] rate. Quotients obey the rules of derivatives,
with the values of one factor at c and of the other at t, and by the mean value theorem; at kinks by bounds of all
slopes. A node *moves* if it depends on a parameter that moves, and is *straight* if it is an affine function of t.
"""

from typing import Any, NamedTuple

from flint import arb, arb_mat, fmpq

from .analytic import by_ends
from .arithmetic import Table, side_by_side
from .common import Rejection
from .features import Features, Layout, tile
from .motion import Moving, joined, part
from .nodes import KINDS, columns_of
from .rates import slope_of
from .segment import Segment, changes, occurrences
from .series import narrower
from .windowed import affine_parts

ZERO = arb(0)
TAYLOR = 3  # order of the second way
LINEAR = {"add", "scale", "reshape", "permute", "take", "concatenate", "expand", "cumsum"}


class Strip(NamedTuple):
    """Three tables of a node; a rate of None is 0 everywhere."""

    mid: Table
    whole: Table
    rate: Table | None


class Piece(NamedTuple):
    """The middle time of a piece and the differences of all of its times from there, both as balls."""

    middle: arb
    reach: arb
    first: fmpq
    last: fmpq


def piece_of(first: fmpq, last: fmpq) -> Piece:
    """Return the piece [first, last] of a leg: its middle, its reach and both ends."""
    half = arb((last - first) / 2)
    return Piece(arb((first + last) / 2), arb(0, 1) * half.abs_upper(), first, last)


class Block(NamedTuple):
    """Some samples on a leg: the tables of all nodes at both of its ends, and of straight nodes their differences."""

    samples: list[int]
    begin: dict[int, Table]
    end: dict[int, Table]
    slopes: dict[int, Any]


class Leg:
    """The network while its parameters move straight from those of one network to those of another."""

    def __init__(self, first: Any, last: Any) -> None:
        """Find what moves and what is straight; the balls have the working precision of this moment."""
        self.network, self.start, self.end = first, Features(first), Features(last)
        self.ends, self.segment = (first, last), list[Segment]()
        self.moving, self.straight = set[int](), set[int]()
        self.slopes: dict[str, Any] = {}  # of activations, by their texts
        for old, new in zip(first.nodes, last.nodes, strict=True):
            if old.kind == "parameter" and new is not old and old.exact.balls() != new.exact.balls():
                self.moving.add(old.number)
                self.straight.add(old.number)
            elif self.moving.intersection(old.reads):
                self.moving.add(old.number)
                if self.is_straight(old):
                    self.straight.add(old.number)
        bent = self.moving - self.straight
        self.wanted = {read for node in first.nodes if node.number in bent for read in node.reads}
        self.read = frozenset(self.wanted)
        self.wanted |= {feature.node for feature in first.features} | bent

    def is_straight(self, node: Any) -> bool:
        """Return whether a moving node is an affine function of t, by those that it reads."""
        moved = [read for read in node.reads if read in self.moving]
        if not self.straight.issuperset(moved):
            return False
        if node.kind == "affine":  # the sources rest, or the weights do
            sources, weight, _ = affine_parts(node)
            return self.moving.isdisjoint(node.reads[i] for i in range(len(sources))) or node.reads[weight] not in moved
        return node.kind in LINEAR or (node.kind in ("reduce", "pool") and node.how != "max")

    def block(self, samples: list[int]) -> Block:
        """Evaluate the network at both ends of the leg.

        Guarantee: all values of all nodes, also of those that nobody reads, are finite there.
        """
        return Block(samples, self.start.values(samples), self.end.values(samples), {})

    def columns(self, tables: dict[int, Table]) -> Table:
        """Return the rows of Psi, or of its quotients."""
        return columns_of(self.start, self.network, tables)

    def features(self, block: Block, piece: Piece) -> tuple[Table, Table]:
        """Return the rows of Psi at the middle time, and of its quotients on the piece.

        Guarantee: every node has a value at every time of the piece, and the balls contain the exact numbers.
        """
        found = self.strips(block, piece)
        count = len(block.samples)
        rates = {n: rest(s.mid) if s.rate is None else s.rate for n, s in found.items()}
        sized = {-1: [[ZERO]] * count}  # so that a row is made for every sample, whatever rests
        return self.columns({**{n: s.mid for n, s in found.items()}, **sized}), self.columns({**rates, **sized})

    def strips(self, block: Block, piece: Piece) -> dict[int, Strip]:
        """Return the strips of the nodes that bend, and of those that these read or that are features."""
        found: dict[int, Strip] = {}
        for node in self.network.nodes:
            number = node.number
            if number not in self.wanted:
                continue
            if number not in self.moving:
                found[number] = Strip(block.begin[number], block.begin[number], None)
            elif number in self.straight:
                found[number] = self.line(block, number, piece)
            else:
                found[number] = self.bend(node, [found[read] for read in node.reads], piece)
                require_finite(node, found[number], block.samples)
        return found

    def line(self, block: Block, number: int, piece: Piece) -> Strip:
        """Return the strip of an affine function of t, from its values at both ends of the leg."""
        if number not in block.slopes:
            begin = arb_mat(block.begin[number])
            change = arb_mat(block.end[number]) - begin
            block.slopes[number] = begin, change, change.tolist()
        begin, change, rate = block.slopes[number]
        mid = begin + change * piece.middle
        return Strip(mid.tolist(), (mid + change * piece.reach).tolist() if number in self.read else [], rate)

    def bend(self, node: Any, read: list[Strip], piece: Piece) -> Strip:
        """Return the strip of a node that is not straight."""
        if node.kind == "affine":
            return self.affine(node, read, piece)
        if node.kind == "map":
            return self.map(node, read[0], piece)
        mid = KINDS[node.kind].compute(self.start, node, [strip.mid for strip in read])
        both = (joined([s.whole, rest(s.whole) if s.rate is None else s.rate]) for s in read)
        found = KINDS[node.kind].compute(Moving(2, {}, True, False), node, list(both))
        whole, rate = part(found, 0), part(found, 1)
        return Strip(
            mid, [list(map(narrower, *rows)) for rows in zip(whole, reached(mid, rate, piece), strict=True)], rate
        )

    def affine(self, node: Any, read: list[Strip], piece: Piece) -> Strip:
        """Return windows of the sources times weights, plus biases: (H W)_q = H_q W(c) + H(t) W_q."""
        parts, at, bias_at = affine_parts(node)
        sources, weight = read[: len(parts)], read[at]
        layout = Layout(node, weight.mid[0])
        at_middle = layout.weights(weight.mid[0])
        mid = products(layout, side_by_side([s.mid for s in sources]), at_middle)
        moving = side_by_side([rest(s.mid) if s.rate is None else s.rate for s in sources])
        rate = products(layout, moving, at_middle)
        if weight.rate is not None:
            turned = products(layout, side_by_side([s.whole for s in sources]), layout.weights(weight.rate[0]))
            rate = [a + b for a, b in zip(rate, turned, strict=True)]
        if bias_at is not None:
            bias = read[bias_at]
            mid = shifted(layout, mid, bias.mid[0])
            if bias.rate is not None:
                rate = shifted(layout, rate, bias.rate[0])
        middle, quotients = layout.rows(mid), layout.rows(rate)
        return Strip(middle, reached(middle, quotients, piece) if node.number in self.read else [], quotients)

    def map(self, node: Any, x: Strip, piece: Piece) -> Strip:
        """Apply an activation: sigma(x)_q = s x_q, where s contains the quotients of sigma between x(c) and x(t)."""
        text, tree = node.activation.text, node.activation.tree
        if text not in self.slopes:
            self.slopes[text] = slope_of(tree), by_ends(tree) if occurrences(tree) > 1 else None
        slope, sharper = self.slopes[text]
        mid, whole, rate = self.start.map(node, x.mid), list[Any](), list[Any]()
        for values, at, images, quotients in zip(x.whole, x.mid, mid, x.rate or [], strict=True):
            pairs = [slope(*triple) for triple in zip(values, at, images, strict=True)]
            known = [value for value, _ in pairs]
            if sharper is not None:
                known = [narrower(a, sharper(value)) for a, value in zip(known, values, strict=True)]
            whole.append(known)
            rate.append([s * q for (_, s), q in zip(pairs, quotients, strict=True)])
        if node.number in self.read:
            whole = [list(map(narrower, *rows)) for rows in zip(whole, reached(mid, rate, piece), strict=True)]
        return Strip(mid, whole, rate)

    def by_taylor(self, block: Block, piece: Piece) -> tuple[Table, Table]:
        """Return what `features` does, by derivatives up to a high order, narrowed from the middle: dear, and sharp.

        Guarantee: as there; the quotients are derivatives at times between. A network with kinks is a Rejection.
        """
        if not self.segment:
            self.segment.append(Segment(self.network, changes(*self.ends)))
        times = piece.middle + piece.reach
        mid = part(self.segment[0].rows(block.samples, piece.middle, 0), 0)
        return mid, part(self.segment[0].rows(block.samples, times, TAYLOR, piece.middle), 1)


def rest(table: Table) -> Table:
    """Return the quotients of a table that does not move."""
    return [[ZERO] * len(row) for row in table]


def products(layout: Layout, table: Table, weights: list[Any]) -> list[Any]:
    """Return the products of the windows of all rows with the weights, group by group."""
    return [cut * matrix for cut, matrix in zip(layout.cut(table), weights, strict=True)]


def shifted(layout: Layout, sums: list[Any], bias: Any) -> list[Any]:
    """Return the sums plus the biases, or the same of their quotients on a piece."""
    return [total + tile(b, total.nrows()) for total, b in zip(sums, layout.biases(bias), strict=True)]


def reached(mid: Table, rate: Table, piece: Piece) -> Table:
    """Return balls of mid + t rate for all t in [-h/2, h/2], h the length of the piece."""
    return (arb_mat(mid) + arb_mat(rate) * piece.reach).tolist()


def require_finite(node: Any, strip: Strip, samples: list[int]) -> None:
    """Guarantee: on return the node has finite values and quotients on the piece."""
    for table in strip:
        for number, row in enumerate(table or []):
            if not all(map(arb.is_finite, row)):
                where = f"sample {samples[number]}: " if node.varies else ""
                message = where + "a unit's value or its change is not finite on the way"
                raise Rejection(node.path, "features.finite", message)
