r"""Psi and its derivative while the hidden parameters move on a straight segment, for a whole ball of times at once.

With ``U(t) = U0 + t (U1 - U0)`` every node of the network has a value and a derivative in t; in ball arithmetic at a
ball ``t`` the first-order jets of `verifier.balls.jets` enclose all that occur for a time in the ball.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from flint import arb

from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.jets import Jet, Jets, narrowed
from verifier.balls.precision import working_precision
from verifier.balls.tensors import Balls, broadcast
from verifier.display import Brief
from verifier.errors import NetworkError
from verifier.network.network import Array, Network
from verifier.network.nodes import Affine
from verifier.network.windows import Shape

Rows = list[list[arb]]
ENTRY = 20
"""Multiply-adds that take as long as an operation on one entry."""


@dataclass(frozen=True, repr=False)
class Motion(Brief):
    """The straight segment from ``start`` to ``end`` (both of shape ``(p,)``, finite, exact), on samples ``(N, d)``.

    ``order`` is that of the jets: 1 for plain pairs (value, derivative); above it they are narrowed at every node by
    the coefficients at the middle of the ball of times, which costs more and is sharper where the ball is wide. With
    ``kinks`` the jets, of order 1, are narrowed as well, and kinks and maxima do no harm: every value is Lipschitz in
    t, and its rate contains the derivative wherever there is one, at almost all times (see `Box.changes`).
    """

    network: Network
    start: Array
    end: Array
    inputs: Array
    precision: int
    order: int = 1
    kinks: bool = False

    def features(self, t: arb) -> Rows:
        """Enclose the rows of Psi(U(t)) at a ball of times, (n, M).

        Guarantee: each ball contains the exact value for every time in the ball ``t``, or is not finite.
        """
        if self.order > 1 or self.kinks:
            return self.jets(t)[0]
        with working_precision(self.precision):
            found = self.network.evaluate(self._jets_at(t, 0), self._watched())
        return self._columns(found, 0)

    def jets(self, t: arb) -> tuple[Rows, Rows]:
        """Rows of Psi(U(t)) and of its derivative in t.

        Guarantee: each ball contains the exact value, and the derivative if there is one, for every time in the ball
        ``t``, or is not finite. Where all are finite, a value changes between two times of the ball by the integral of
        numbers of its rate's ball.
        """
        found = self._evaluate(t, self._watched())
        return self._columns(found, 0), self._columns(found, 1)

    def _columns(self, found: dict[int, Jet], order: int) -> Rows:
        """The coefficients of the features; none is finite if those of a node that nobody reads are not."""
        if not all(found[index].is_finite for index in _unread(self.network)):
            return [[arb("nan")] * self.network.columns for _ in self.inputs]
        return _features(self.network, {index: jet.part(order) for index, jet in found.items()}, len(self.inputs))

    def _watched(self) -> set[int]:
        """Features, and moving nodes that nobody reads: the checker evaluates these, too."""
        return {feature.node for feature in self.network.features} | set(_unread(self.network))

    def node_jets(self, node: int, t: arb) -> tuple[Rows, Rows]:
        """All entries of one node's tensor, ``(N, size)``, and their derivatives in t.

        Guarantee: as for `jets`.
        """
        jet, count = self._evaluate(t, [node])[node], len(self.inputs)
        return _rows(jet.value, count), _rows(jet.part(1), count)

    def layer_jets(self, layer: int, t: arb) -> tuple[Rows, Rows]:
        """All units of one layer of a layered network and their derivatives in t.

        Guarantee: as for `jets`.

        Raises
        ------
        NetworkError
            The network is not layered.
        """
        layered = self.network.layered
        if layered is None:
            raise NetworkError("motion: the network is not made of layers alone; ask for a node instead of a layer")
        return self.node_jets(layered.outputs[layer], t)

    def _evaluate(self, t: arb, wanted: Iterable[int]) -> dict[int, Jet]:
        with working_precision(self.precision):
            whole = self._jets_at(t, self.order)
            if self.order == 1 and not self.kinks:
                return self.network.evaluate(whole, wanted)
            return _narrowing(self.network, whole, self._jets_at(t.mid(), self.order - 1), t - t.mid(), wanted)

    def _jets_at(self, t: arb, order: int) -> Jets:
        values = BallArithmetic(self.inputs, lambda name, shape: self._moving(name, shape, t, 0).value)
        return Jets(values, lambda name, shape: self._moving(name, shape, t, order), order, kinks=self.kinks)

    def _moving(self, name: str, shape: Shape, t: arb, order: int) -> Jet:
        """A parameter at the times t, and how it moves."""
        first, last = (self.network.view(u, name).ravel() for u in (self.start, self.end))
        a = [arb(v) for v in first.tolist()]
        if (first == last).all():
            return Jet((Balls(1, shape, a), *[None] * order))
        rate = [arb(q) - p for p, q in zip(a, last.tolist(), strict=True)]
        value = Balls(1, shape, [p + d * t for p, d in zip(a, rate, strict=True)])
        return Jet((value, Balls(1, shape, rate), *[None] * order)[: order + 1])


@dataclass(frozen=True, repr=False)
class Box(Brief):
    """All parameters near ``u`` of shape ``(p,)``, on samples ``(N, d)``; both finite, exact."""

    network: Network
    u: Array
    inputs: Array
    precision: int

    def changes(self, radius: arb, rows: slice = slice(None)) -> tuple[Rows, Rows]:
        """Rows of Psi(U') and of Psi(U') - Psi(U) for the samples ``rows``.

        Guarantee: each ball contains the exact number for every U' with ``|U'_k - U_k| <= radius``, or is not finite.
        On the segments ``U + t (U' - U)``, 0 <= t <= 1, of all U' at once every value is Lipschitz, and where it has a
        derivative, at almost all times, the first-order jet contains it, kinks and maxima included; so a change is an
        integral of numbers of that ball. Values are those at U plus that, where it is narrower.
        """
        inputs, every = self.inputs[rows], arb(0, 1) * radius

        def around(name: str, shape: Shape, size: arb) -> Jet:
            middle = self.network.view(self.u, name).ravel().tolist()
            return Jet((Balls(1, shape, [arb(v) + size for v in middle]), Balls(1, shape, [every] * len(middle))))

        def jets(size: arb, order: int) -> Jets:
            values = BallArithmetic(inputs, lambda name, shape: around(name, shape, size).value, rows.start or 0)
            return Jets(
                values, lambda name, shape: Jet(around(name, shape, size).parts[: order + 1]), order, kinks=True
            )

        with working_precision(self.precision):
            found = _narrowing(
                self.network,
                jets(every, 1),
                jets(arb(0), 0),
                arb(0.5, 0.5),
                {feature.node for feature in self.network.features},
            )
        parts = ({index: jet.part(order) for index, jet in found.items()} for order in (0, 1))
        psi, changes = (_features(self.network, part, len(inputs)) for part in parts)
        return psi, changes


def _narrowing(network: Network, whole: Jets, point: Jets, reach: arb, wanted: Iterable[int]) -> dict[int, Jet]:
    """Evaluate jets for a ball of times, each node's narrowed by those at one of the times; see `narrowed`.

    If anything that moves is not finite, nothing is: the checker, too, gives up there, and sooner is cheaper.
    """
    kept = set(wanted)
    values, points = dict[int, Jet](), dict[int, Jet]()
    for index, node in enumerate(network.nodes):
        found = node.compute(whole, [values[i] for i in node.reads])
        if network.moves[index]:
            points[index] = node.compute(point, [points[i] for i in node.reads])
            found = narrowed(found, points[index], reach)
            if not found.is_finite:
                shapes = {i: network.node_shapes[i] for i in kept}
                return {i: Jet(tuple(_unknown(shape) for _ in found.parts)) for i, shape in shapes.items()}
        else:
            points[index] = Jet(found.parts[:-1])
        values[index] = found
        for read in set(node.reads) - kept:
            if network.last_reader[read] == index:
                del values[read], points[read]
    return {index: values[index] for index in kept}


def _unread(network: Network) -> list[int]:
    """Nodes that move, are read by no node, and are no feature."""
    return [index for index, last in enumerate(network.last_reader) if last == index and network.moves[index]]


def _unknown(shape: Shape) -> Balls:
    return Balls(1, shape, [arb("nan")] * math.prod(shape))


def ball_work(network: Network) -> float:
    """Estimate the ball multiply-adds of evaluating a network on one sample."""
    total, shapes = 0.0, network.node_shapes
    for node, shape in zip(network.nodes, shapes, strict=True):
        inner = ENTRY
        if isinstance(node, Affine):
            inner += math.prod(shapes[node.weight][1:])
        elif node.kind in ("contract", "attend"):
            inner += shapes[node.reads[0]][-1] + shapes[node.reads[1]][-2] * (node.kind == "attend")
        total += math.prod(shape) * inner
    return total


def _features(network: Network, values: dict[int, Balls], count: int) -> Rows:
    """The features of every sample, in the order of Psi's columns."""
    parts = [(_rows(values[f.node], count), f.entries) for f in network.features]
    return [[v for rows, units in parts for v in _take(rows[i], units)] for i in range(count)]


def _rows(value: Balls, count: int) -> Rows:
    """Return the row of each sample, also where one row stands for all."""
    entries = broadcast(value, count, value.shape)
    return [entries[i * value.size : (i + 1) * value.size] for i in range(count)]


def _take(row: list[arb], units: tuple[int, ...] | None) -> list[arb]:
    return row if units is None else [row[unit] for unit in units]
