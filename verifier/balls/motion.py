r"""Psi and its derivative while the hidden parameters move on a straight segment, for a whole ball of times at once.

With ``U(t) = U0 + t (U1 - U0)`` every node of the network has a value and a derivative in t; in ball arithmetic at a
ball ``t`` the first-order jets of `verifier.balls.jets` enclose all that occur for a time in the ball.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.jets import Jet, Jets
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
    """The straight segment from ``start`` to ``end`` (both of shape ``(p,)``, finite, exact), on samples ``(N, d)``."""

    network: Network
    start: Array
    end: Array
    inputs: Array
    precision: int

    def features(self, t: arb) -> Rows:
        """Rows of Psi(U(t)).

        Guarantee: each ball contains the exact value for every time in the ball ``t``, or is not finite.
        """
        with working_precision(self.precision):
            values = BallArithmetic(self.inputs, lambda name, shape: self._moving(name, shape, t).value)
            return _features(self.network, self.network.evaluate(values), len(self.inputs))

    def jets(self, t: arb) -> tuple[Rows, Rows]:
        """Rows of Psi(U(t)) and of its derivative in t.

        Guarantee: each ball contains the exact value, and the derivative if there is one, for every time in the ball
        ``t``, or is not finite.
        """
        found, count = self._evaluate(t), len(self.inputs)
        values, slopes = ({i: part(jet) for i, jet in found.items()} for part in (_value, _slope))
        return _features(self.network, values, count), _features(self.network, slopes, count)

    def node_jets(self, node: int, t: arb) -> tuple[Rows, Rows]:
        """All entries of one node's tensor, ``(N, size)``, and their derivatives in t.

        Guarantee: as for `jets`.
        """
        jet, count = self._evaluate(t, [node])[node], len(self.inputs)
        return _rows(_value(jet), count), _rows(_slope(jet), count)

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

    def _evaluate(self, t: arb, wanted: Sequence[int] | None = None) -> dict[int, Jet]:
        with working_precision(self.precision):
            values = BallArithmetic(self.inputs, lambda name, shape: self._moving(name, shape, t).value)
            jets = Jets(values, lambda name, shape: self._moving(name, shape, t))
            return self.network.evaluate(jets, wanted)

    def _moving(self, name: str, shape: Shape, t: arb) -> Jet:
        """A parameter at the times t, and how it moves."""
        first, last = (self.network.view(u, name).ravel() for u in (self.start, self.end))
        a = [arb(v) for v in first.tolist()]
        if (first == last).all():
            return Jet(Balls(1, shape, a))
        rate = [arb(q) - p for p, q in zip(a, last.tolist(), strict=True)]
        return Jet(Balls(1, shape, [p + d * t for p, d in zip(a, rate, strict=True)]), Balls(1, shape, rate))


@dataclass(frozen=True, repr=False)
class Box(Brief):
    """All parameters near ``u`` of shape ``(p,)``, on samples ``(N, d)``; both finite, exact."""

    network: Network
    u: Array
    inputs: Array
    precision: int

    def features(self, radius: arb, rows: slice = slice(None)) -> Rows:
        """Rows of Psi(U') for the samples ``rows``.

        Guarantee: each ball contains the exact value for every U' with ``|U'_k - U_k| <= radius``, or is not finite.
        """
        inputs = self.inputs[rows]

        def around(name: str, shape: Shape) -> Balls:
            return Balls(1, shape, [arb(v, radius) for v in self.network.view(self.u, name).ravel().tolist()])

        with working_precision(self.precision):
            found = self.network.evaluate(BallArithmetic(inputs, around, rows.start or 0))
            return _features(self.network, found, len(inputs))


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


def _value(jet: Jet) -> Balls:
    return jet.value


def _slope(jet: Jet) -> Balls:
    return Balls(1, jet.value.shape, [arb(0)] * jet.value.size) if jet.slope is None else jet.slope


def _features(network: Network, values: dict[int, Balls], count: int) -> Rows:
    """The features of every sample, in the order of Psi's columns."""
    parts = [(_rows(values[f.node], count), f.entries) for f in network.features]
    return [[v for rows, units in parts for v in _take(rows[i], units)] for i in range(count)]


def _rows(value: Balls, count: int) -> Rows:
    """A row for each sample."""
    entries = broadcast(value, count, value.shape)
    return [entries[i * value.size : (i + 1) * value.size] for i in range(count)]


def _take(row: list[arb], units: tuple[int, ...] | None) -> list[arb]:
    return row if units is None else [row[unit] for unit in units]
