"""The features that a head reads, and the network that computes them: what it does not need is left out."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.expressions import affine_text
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.norms import Norms
from verifier.adapters.translation.values import Refused
from verifier.errors import NetworkError
from verifier.network import nodes as kinds
from verifier.network.graph import Feature
from verifier.network.network import Array, Network
from verifier.network.nodes import Node, Parameter
from verifier.network.windows import Shape

Entries = NDArray[np.int64]
MOVES = kinds.Reshape | kinds.Permute | kinds.Take | kinds.Expand | kinds.Concatenate


@dataclass(frozen=True, slots=True)
class Part:
    """One linear map of the head: its features, entry by entry of nodes, and its weights, a column for each output."""

    features: tuple[tuple[int, int], ...]
    weights: Array
    name: str


@dataclass(slots=True)
class Sum:
    """The logits as a sum of linear maps and a bias."""

    parts: list[Part]
    bias: Array | None = None
    factor: Fraction = Fraction(1)


class Features(Norms):
    """A network from the linear maps of its head."""

    def __init__(self, input_shape: Shape, samples: int) -> None:
        """Begin without known places of parameters."""
        super().__init__(input_shape, samples)
        self._known_places: dict[int, tuple[tuple[int, ...], Entries, Entries]] = {}
        self._owned: list[int] = []
        """The parameters that the head consists of: each is used once, and by no feature."""

    def _places(self, node: int) -> tuple[tuple[int, ...], Entries, Entries]:
        """Of a node that moves entries: what it reads, the place of each entry there, and where each part begins."""
        if node not in self._known_places:
            found = self.build.nodes[node]
            if not isinstance(found, MOVES):
                raise Refused(f"a node of kind {found.kind} is no move")
            places = np.asarray(found.places([self.shape_of(read) for read in found.reads]))
            starts = np.cumsum([0, *(math.prod(self.shape_of(read)) for read in found.reads)])
            self._known_places[node] = (found.reads, places.ravel(), starts)
        return self._known_places[node]

    def _resolved(self, place: tuple[int, int]) -> tuple[int, int]:
        """The entry that a moved entry is."""
        node, entry = place
        while isinstance(self.build.nodes[node], MOVES):
            reads, flat, starts = self._places(node)
            target = int(flat[entry])
            which = int(np.searchsorted(starts, target, side="right")) - 1
            node, entry = reads[which], target - int(starts[which])
        return node, entry

    def _assembled(self, head: Sum) -> Imported:
        self._require_own((), twice=True)
        places = [place for part in head.parts for place in part.features]
        v = np.concatenate([part.weights for part in head.parts], axis=0)
        resolved = [self._resolved(place) for place in places]
        constant = [isinstance(self.build.nodes[node], kinds.Constant) for node, _ in resolved]
        kept = []
        for index, (node, entry) in enumerate(resolved):
            if constant[index]:
                values = self.build.nodes[node]
                if isinstance(values, kinds.Constant) and values.values.ravel()[entry] != 0:
                    raise Refused("the head reads a constant beside its features; use the bias of the linear layer")
            else:
                kept.append(index)
        if not kept:
            raise Refused("the head reads constants alone")
        chosen = [resolved[index] for index in kept]
        if len(set(chosen)) != len(chosen):
            chosen = [places[index] for index in kept]
        if len(set(chosen)) != len(chosen):
            raise Refused("two linear maps of the head read the same features, and their sum alone matters; keep one")
        v = v[kept] if head.bias is None else np.concatenate([v[kept], head.bias[None]], axis=0)
        multiple = _multiple(v, head.factor)
        if multiple is None:
            chosen = self._scaled(chosen, head)
        v = v if multiple is None else multiple
        order = sorted(range(len(chosen)), key=chosen.__getitem__)
        v = v[order if head.bias is None else [*order, len(chosen)]]
        name = " + ".join(dict.fromkeys(part.name.removesuffix(".weight") for part in head.parts))
        return self._network([chosen[index] for index in order], v, name, bias=head.bias is not None)

    def _scaled(self, chosen: Sequence[tuple[int, int]], head: Sum) -> list[tuple[int, int]]:
        """The features times a factor of the logits that the weights cannot take exactly."""
        factor = float(head.factor)
        if head.bias is not None:
            raise Refused(f"the logits are multiplied by {factor}; fold the factor into the head's weights and bias")
        self.remark(f"the factor {factor:.6g} of the logits is taken before the head, whose weights stay as they are")
        return [(self.apply(node, affine_text(head.factor, Fraction(0))), entry) for node, entry in chosen]

    def _network(self, places: list[tuple[int, int]], v: Array, name: str, *, bias: bool) -> Imported:
        """What the features depend on, in order, as a network."""
        needed = {0, *(node for node, _ in places)}
        for index in range(len(self.build.nodes) - 1, -1, -1):
            if index in needed:
                needed.update(self.build.nodes[index].reads)
        self._require_own(needed)
        if 0 not in self._behind({node for node, _ in places}):
            raise Refused("the features do not depend on the input")
        nodes, number, start = self._pruned(sorted(needed), {node for node, _ in places})
        by_node: dict[int, list[int]] = {}
        for node, entry in places:
            by_node.setdefault(node, []).append(entry)
        features = []
        for node, entries in by_node.items():
            whole = len(entries) == math.prod(self.shape_of(node))
            features.append(Feature(number[node], None if whole else tuple(entries)))
        if bias:
            nodes.append(kinds.Constant(values=np.ones(1), name="output bias"))
            features.append(Feature(len(nodes) - 1))
        try:
            network = Network.of(nodes, features)
        except NetworkError as error:
            raise Refused(str(error)) from None
        flat = [start[view.name].ravel() for view in network.parameters]
        u = np.concatenate([np.zeros(0), *flat])
        return Imported(network, u, np.ascontiguousarray(v), name, tuple(self.remarks))

    def _require_own(self, needed: Container[int], *, twice: bool = False) -> None:
        """Refuse a head whose weights are part of U as well, or stand at two places of V."""
        for node in self._owned:
            found = self.build.nodes[node]
            if node in needed or (twice and self._owned.count(node) > 1):
                name = getattr(found, "name", "")
                tied = "are used elsewhere, too (tied weights); give the head weights of its own"
                raise Refused(f"the head's weights {name!r} {tied}")

    def _behind(self, ends: set[int]) -> set[int]:
        found, waiting = set(ends), list(ends)
        while waiting:
            fresh = [read for read in self.build.nodes[waiting.pop()].reads if read not in found]
            found.update(fresh)
            waiting += fresh
        return found

    def _pruned(
        self, needed: Sequence[int], ends: Container[int]
    ) -> tuple[list[Node], dict[int, int], dict[str, Array]]:
        """The nodes that are needed, renumbered; a parameter that is read moved only is held as it is read."""
        readers: dict[int, set[int]] = {}
        for index in needed:
            for read in self.build.nodes[index].reads:
                readers.setdefault(read, set()).add(index)
        nodes: list[Node] = []
        number: dict[int, int] = {}
        start = {name: values for name, values in self.start.items()}
        held: dict[int, Node] = {}
        for index in needed:
            node = self.build.nodes[index]
            only = next(iter(readers.get(index, {-1}))) if len(readers.get(index, ())) == 1 else -1
            moved = self.build.nodes[only] if only >= 0 else None
            if isinstance(node, Parameter) and index not in ends and isinstance(moved, kinds.Reshape | kinds.Permute):
                size = self.shape_of(only)
                held[only] = replace(node, size=size, fan_in=math.prod(size[1:]) if len(size) > 1 else 0)
                values = start[node.name]
                turned = values.transpose(moved.axes) if isinstance(moved, kinds.Permute) else values
                start[node.name] = turned.reshape(self.shape_of(only))
                if isinstance(moved, kinds.Permute):
                    self.remark(f"{node.name} is held transposed, as it is used")
                continue
            number[index] = len(nodes)
            kept = held.get(index)
            nodes.append(replace(node, reads=tuple(number[i] for i in node.reads)) if kept is None else kept)
        return nodes, number, start


def _multiple(values: Array, factor: Fraction) -> Array | None:
    """An exact multiple of numbers; None if it would be rounded."""
    if factor == 1:
        return values
    with np.errstate(over="ignore"):
        found = values * float(factor)
    exact = Fraction(float(factor)) == factor and bool(np.isfinite(found).all())
    exact = exact and all(
        Fraction(a) * factor == Fraction(b)
        for a, b in zip(values.ravel().tolist(), found.ravel().tolist(), strict=True)
    )
    return found if exact else None
