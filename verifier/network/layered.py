"""The layers of a layered network, found in its graph by pattern.

A network is *layered* if it consists of layers alone: units ``sigma(<w, z> + b)`` with weights and a bias that nobody
else reads (`Dense`, `Conv`), and averages over windows (`AvgPool`), each of which reads the input or earlier layers; of
features that are units of layers; and perhaps of an output bias. Rules that speak of units with weights of their own
are about layered networks. What is not recognised is not layered: then those rules do not apply.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from verifier.network.graph import Graph
from verifier.network.layer_arguments import Skip, Source
from verifier.network.layers import AvgPool, Conv, Dense, Layer
from verifier.network.nodes import Affine, Constant, Map, Parameter, Pool, Window

NOT_LAYERED = "the network is not made of layers alone, whose units have weights of their own"
"""Why a rule about such units says nothing."""


@dataclass(frozen=True, slots=True)
class Layered:
    """The layers, what each reads, the node that is its output, and its weights and biases by name (empty: none)."""

    layers: tuple[Layer, ...]
    sources: tuple[tuple[Source, ...], ...]
    outputs: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]


def layered_of(graph: Graph) -> Layered | None:
    """Recognise the layers of a graph.

    Returns
    -------
    Layered or None
        Guarantee: if not None, every node is part of a layer, a parameter of exactly one, or the output bias, and
        Psi(U) is that of the layers, its columns in their order.
    """
    return _Recognition(graph).found()


class _Recognition:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.readers = Counter(read for node in graph.nodes for read in set(node.reads))
        self.layers: list[Layer] = []
        self.sources: list[tuple[Source, ...]] = []
        self.outputs: list[int] = []
        self.names: list[tuple[str, ...]] = []
        self.place: dict[int, Source] = {0: "input"}
        self.explained = {0}

    def found(self) -> Layered | None:
        graph = self.graph
        skips = self._skips()
        if skips is None:
            return None
        for index, node in enumerate(graph.nodes):
            skip = skips.get(index, False)
            if isinstance(node, Map) and not self._units(index, node, skip):
                return None
            if isinstance(node, Pool) and not self._average(index, node, skip):
                return None
        if len(self.explained) != len(graph.nodes) or not set(skips) <= set(self.outputs):
            return None
        return Layered(tuple(self.layers), tuple(self.sources), tuple(self.outputs), tuple(self.names))

    def _skips(self) -> dict[int, Skip] | None:
        """The skip units by node; None if the features are not in the layers' order."""
        graph, skips, before = self.graph, dict[int, Skip](), 0
        features = list(graph.features)
        if graph.output_bias:
            last = features.pop()
            self.explained.add(last.node)
            if self.readers[last.node]:
                return None
        for feature in features:
            if feature.node <= before or isinstance(graph.nodes[feature.node], Constant):
                return None
            before = feature.node
            whole = feature.entries is None or len(feature.entries) == math.prod(graph.node_shapes[feature.node])
            skips[feature.node] = True if whole else feature.entries or ()
        return skips if skips else None

    def _sources(self, reads: tuple[int, ...]) -> tuple[Source, ...] | None:
        found = [self.place[i] for i in reads if i in self.place]
        return tuple(found) if len(found) == len(reads) and len(set(reads)) == len(reads) else None

    def _units(self, index: int, node: Map, skip: Skip) -> bool:
        graph = self.graph
        (inner,) = node.reads
        affine = graph.nodes[inner]
        if not (isinstance(affine, Affine) and affine.bias and self.readers[inner] == 1):
            return False
        if any(feature.node == inner for feature in graph.features):
            return False
        weight, bias = (graph.nodes[i] for i in affine.reads[-2:])
        own = all(self.readers[i] == 1 for i in affine.reads[-2:]) and affine.reads[-1] != affine.reads[-2]
        if not (isinstance(weight, Parameter) and isinstance(bias, Parameter) and own):
            return False
        sources = self._sources(affine.sources)
        if sources is None:
            return False
        layer: Layer
        if affine.over == "all" and len(weight.size) == 2:
            layer = Dense(weight.size[0], node.sigma, skip, sources)
        elif isinstance(affine.over, Window) and affine.over.groups == 1 and set(affine.over.dilation) == {1}:
            window = affine.over
            tied = len(bias.size) == 1
            layer = Conv(
                *(weight.size[0], window.kernel, node.sigma, window.stride, "tied" if tied else "per-unit"),
                *(skip, sources, window.padding),
            )
        else:
            return False
        self._keep(index, layer, sources, (weight.name, bias.name))
        self.explained.update((inner, *affine.reads[-2:]))
        return True

    def _average(self, index: int, node: Pool, skip: Skip) -> bool:
        window, sources = node.window, self._sources(node.reads)
        plain = node.how == "mean" and not any(window.padding) and set(window.dilation) == {1}
        if sources is None or not plain:
            return False
        self._keep(index, AvgPool(window.kernel, window.stride, skip, sources), sources, ())
        return True

    def _keep(self, index: int, layer: Layer, sources: tuple[Source, ...], names: tuple[str, ...]) -> None:
        self.place[index] = len(self.layers)
        self.layers.append(layer)
        self.sources.append(sources)
        self.outputs.append(index)
        self.names.append(names)
        self.explained.add(index)
