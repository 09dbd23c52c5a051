"""Which units carry a witness: the chain, one unit per layer, and the blocks of columns that make N of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import lower_float
from verifier.balls.precision import working_precision
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.monotone import Limits, monotone_limits
from verifier.sigma.activations import Activation

MAX_LINKS = 1000


MAX_CHAINS = 200
"""Chains that are tried, the shortest first."""


IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """The chain (layer, unit), and the blocks (layer, links, units), for the construction ``label`` (W1, W2)."""

    label: str
    chain: tuple[tuple[int, int], ...]
    blocks: tuple[tuple[int, int, IntArray], ...]


def plan_columns(network: Network, n: int) -> ColumnPlan | None:
    """Choose the chain (layer, unit) and the blocks (layer, links, units): the first chain that gives N columns."""
    skips = dict(network.skip_units)
    with working_precision(FIRST_BITS):
        limits = {index: limits_of(network, index) for index in skips}
    order = {index: -lower_float(max(abs(f.low), abs(f.high), key=float)) for index, f in limits.items() if f}
    for path in _chains(network):
        chain = tuple((index, _spare_unit(network, index, skips)) for index in path)
        reserved = dict(chain)
        sources: tuple[int | str, ...] = ("input", *path)
        usable: list[tuple[int, int, IntArray]] = []
        for index in sorted(skips, key=lambda index: order.get(index, 0.0)):
            links = next((c for c, s in enumerate(sources) if s in network.sources[index]), None)
            if links is not None and isinstance(network.layers[index], Dense):
                units = np.array(skips[index], dtype=np.int64)
                usable.append((index, links, units[units != reserved.get(index, -1)]))
        blocks, missing = [], n
        for index, links, units in usable:
            if limits[index] is not None and missing > 0 and units.size:
                blocks.append((index, links, units[:missing]))
                missing -= blocks[-1][2].size
        if missing == 0:
            return ColumnPlan("W1", chain, tuple(blocks))
        for index, links, units in usable:
            if units.size >= n and sharpness_of(network, index) is not None:
                return ColumnPlan("W2", chain, ((index, links, units[:n]),))
    return None


def limits_of(network: Network, index: int) -> Limits | None:
    """The limits of a dense layer's activation if it is proved monotone and bounded."""
    layer = network.layers[index]
    found = monotone_limits(layer.activation) if isinstance(layer, Dense) else None
    return found if found is not None and found.bounded else None


def sharpness_of(network: Network, index: int) -> Fraction | None:
    """Return g if the layer's activation is softplus_g."""
    layer = network.layers[index]
    fact = layer.activation.facts.softplus_like if isinstance(layer, Dense) else None
    if fact is None or fact.status != "proved" or fact.value is None:
        return None
    return Fraction(int(fact.value.p), int(fact.value.q))


def _chains(network: Network) -> list[tuple[int, ...]]:
    """Return paths of dense layers from the input, the shortest first: to each layer the shortest, and the richest."""
    skips = {index: len(units) for index, units in network.skip_units}
    readers = {index: 0 for index in range(len(network.layers))}
    for index, count in skips.items():
        for source in network.sources[index]:
            if source != "input":
                readers[int(source)] += count
    shortest: dict[int, tuple[int, ...]] = {}
    richest: dict[int, tuple[int, tuple[int, ...]]] = {}
    for index, layer in enumerate(network.layers):
        if not isinstance(layer, Dense):
            continue
        sources = network.sources[index]
        known = [s for s in sources if s != "input" and s in shortest]
        before = [()] if "input" in sources else [shortest[s] for s in known]
        rich = [richest[s] for s in known] + ([(0, ())] if "input" in sources else [])
        if before:
            shortest[index] = (*min(before, key=len), index)
            most, path = max(rich, key=lambda entry: entry[0])
            richest[index] = most + readers[index], (*path, index)
    paths = {(), *shortest.values(), *(path for _, path in sorted(richest.values())[-3:])}
    return sorted((p for p in paths if len(p) <= MAX_LINKS), key=lambda p: (len(p), p))[:MAX_CHAINS]


def _spare_unit(network: Network, index: int, skips: dict[int, tuple[int, ...]]) -> int:
    """Choose the chain's unit in a layer: one that is no skip unit, else the last."""
    width, used = network.shapes[index][0], skips.get(index, ())
    if len(used) == width:
        return width - 1
    return min(set(range(len(used) + 1)) - set(used))


def activation_of(network: Network, index: int) -> Activation:
    """The activation of a dense layer."""
    layer = network.layers[index]
    if not isinstance(layer, Dense):
        raise TypeError(f"layer {index} is not dense")
    return layer.activation
