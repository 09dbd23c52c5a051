"""Which units carry a witness: the chain, one unit per layer, and the blocks of columns that make N of them.

Layers are dense units with weights and biases of their own, in any graph, and called by the node that is their output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import lower_float
from verifier.balls.precision import working_precision
from verifier.network.network import Network
from verifier.network.units import DenseUnits, dense_units
from verifier.rank.monotone import Limits, monotone_limits
from verifier.sigma.activations import Activation

MAX_LINKS = 1000
"""The longest chain that a certificate can hold."""


MAX_CHAINS = 200
"""Chains that are tried, the shortest first."""


IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """The chain (node, unit), and the blocks (node, links, units), for the construction ``label`` (W1, W2).

    ``units`` are all dense units of the network.
    """

    label: str
    chain: tuple[tuple[int, int], ...]
    blocks: tuple[tuple[int, int, IntArray], ...]
    units: Mapping[int, DenseUnits]


def plan_columns(network: Network, n: int) -> ColumnPlan | None:
    """Choose the chain (node, unit) and the blocks (node, links, units): the first chain that gives N columns.

    Guarantee: in a plan the chain runs from the input through dense units that read one another, the blocks have N
    different skip units together, none of them the chain's, each reads its link, and their activations are proved
    monotone and bounded (W1), or softplus-like in one block (W2). That they give a U of full rank is proved elsewhere.

    Parameters
    ----------
    network : Network
        Any network.
    n : int
        N, the number of columns wanted.

    Returns
    -------
    ColumnPlan or None
        The first plan found.
    """
    layers = dense_units(network)
    skips = {index: layer for index, layer in layers.items() if layer.skip}
    with working_precision(FIRST_BITS):
        limits = {index: limits_of(layer.activation) for index, layer in skips.items()}
    order = {index: -lower_float(max(abs(f.low), abs(f.high), key=float)) for index, f in limits.items() if f}
    for path in _chains(layers):
        chain = tuple((index, _spare_unit(layers[index])) for index in path)
        reserved = dict(chain)
        sources = (0, *path)
        usable: list[tuple[int, int, IntArray]] = []
        for index in sorted(skips, key=lambda index: order.get(index, 0.0)):
            links = next((c for c, source in enumerate(sources) if source in skips[index].sources), None)
            if links is not None:
                units = np.array(skips[index].skip, dtype=np.int64)
                usable.append((index, links, units[units != reserved.get(index, -1)]))
        blocks, missing = [], n
        for index, links, units in usable:
            if limits[index] is not None and missing > 0 and units.size:
                blocks.append((index, links, units[:missing]))
                missing -= blocks[-1][2].size
        if missing == 0:
            return ColumnPlan("W1", chain, tuple(blocks), layers)
        for index, links, units in usable:
            if units.size >= n and sharpness_of(skips[index].activation) is not None:
                return ColumnPlan("W2", chain, ((index, links, units[:n]),), layers)
    return None


def limits_of(activation: Activation) -> Limits | None:
    """The limits of an activation if it is proved monotone and bounded.

    Guarantee: if not None, then as `monotone_limits`, and both limits are finite.
    """
    found = monotone_limits(activation)
    return found if found is not None and found.bounded else None


def sharpness_of(activation: Activation) -> Fraction | None:
    """Return g if the activation is softplus_g.

    Guarantee: if g is not None, then sigma(t) = log(1 + e^(g t)) / g, proved by `facts`.
    """
    fact = activation.facts.softplus_like
    if fact.status != "proved" or fact.value is None:
        return None
    return Fraction(int(fact.value.p), int(fact.value.q))


def _chains(layers: Mapping[int, DenseUnits]) -> list[tuple[int, ...]]:
    """Return paths of dense layers from the input, the shortest first: to each layer the shortest, and the richest."""
    readers = dict.fromkeys(layers, 0)
    for layer in layers.values():
        for source in layer.sources:
            if source in readers:
                readers[source] += len(layer.skip)
    shortest: dict[int, tuple[int, ...]] = {}
    richest: dict[int, tuple[int, tuple[int, ...]]] = {}
    for index, layer in layers.items():
        known = [source for source in layer.sources if source in shortest]
        before = [()] if 0 in layer.sources else [shortest[source] for source in known]
        rich = [richest[source] for source in known] + ([(0, ())] if 0 in layer.sources else [])
        if before:
            shortest[index] = (*min(before, key=len), index)
            most, path = max(rich, key=lambda entry: entry[0])
            richest[index] = most + readers[index], (*path, index)
    paths = {(), *shortest.values(), *(path for _, path in sorted(richest.values())[-3:])}
    return sorted((p for p in paths if len(p) <= MAX_LINKS), key=lambda p: (len(p), p))[:MAX_CHAINS]


def _spare_unit(layer: DenseUnits) -> int:
    """Choose the chain's unit in a layer: one that is no skip unit, else the last."""
    if len(layer.skip) == layer.width:
        return layer.width - 1
    return min(set(range(len(layer.skip) + 1)) - set(layer.skip))
