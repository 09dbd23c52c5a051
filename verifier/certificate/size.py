"""The shapes of a network on a data set that the cost of a check depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.certificate.tally import Tally
from verifier.network.network import Network
from verifier.network.nodes import Affine, Constant

BLOCK_BALLS = 1 << 20
"""Balls that the checker holds of one block of samples."""


@dataclass(frozen=True, slots=True)
class Size:
    """The shapes that a check depends on.

    ``units`` results of sums of products in all nodes, ``arcs`` multiply-adds in them (a shared weight counts each
    time), ``steps`` other operations on one ball, such as nodes of activations' expressions, ``weights`` stored
    numbers, ``widest`` the balls of one sample.
    """

    samples: int
    dimension: int
    classes: int
    columns: int
    units: int
    arcs: int
    steps: int
    weights: int
    widest: int
    below: int
    """Arcs below the layers that have skip units."""
    straight: int
    """Arcs from what does not depend on parameters: on a straight way of all weights their sums are straight."""
    quick: int
    """Arcs in products of large matrices, which are cheaper."""
    fixed: int
    """Operations of nodes that depend on parameters alone."""
    layered: bool
    """Whether the network consists of layers, for which balls of weights have a rule of their own."""

    @classmethod
    def of(cls, network: Network, samples: int, classes: int) -> Size:
        """The shapes of a network on so many samples of so many classes.

        Parameters
        ----------
        network
            The network.
        samples, classes
            N and m.
        """
        all_of, lower = Tally(), Tally()
        network.evaluate(all_of, range(len(network.nodes)))
        if network.layered is not None:
            network.evaluate(lower, _read_by_skip_units(network))
        frozen = sum(node.values.size for node in network.nodes if isinstance(node, Constant))
        return cls(
            samples=samples,
            dimension=network.dimension,
            classes=classes,
            columns=network.columns,
            units=all_of.units,
            arcs=all_of.arcs,
            steps=all_of.steps,
            weights=network.parameter_count + frozen,
            widest=max(all_of.widest, all_of.held),
            below=lower.arcs,
            straight=_of_inputs(network),
            quick=all_of.quick,
            fixed=all_of.fixed,
            layered=network.layered is not None,
        )

    @property
    def blocks(self) -> int:
        """Blocks into which the checker cuts the samples."""
        return -(-self.samples // max(1, BLOCK_BALLS // self.widest))


def _of_inputs(network: Network) -> int:
    """Multiply-adds of affine nodes none of whose sources moves."""
    shapes, moves, found = network.node_shapes, network.moves, 0
    for node, shape in zip(network.nodes, shapes, strict=True):
        if isinstance(node, Affine) and not any(moves[index] for index in node.sources):
            found += math.prod(shape) * math.prod(shapes[node.weight][1:])
    return found


def _read_by_skip_units(network: Network) -> set[int]:
    """What the layers of a layered network that have skip units read."""
    found: set[int] = set()
    for feature in network.features:
        for index in network.nodes[feature.node].reads:
            node = network.nodes[index]
            found.update(node.sources if isinstance(node, Affine) else ())
    return found
