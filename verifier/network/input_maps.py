"""Maps of the samples that weights and biases of the first layers can undo (THEORY2 I, normalisation).

If all that reads the input are affine nodes with weights and biases of their own, then ``<w, D x + c> + b`` is
``<D^T w, x> + (b + <w, c>)``: a linear bijection of the parameters carries the network on the samples D x + c to that
on x. Every D that is invertible will do where each unit reads all of the input; a filter asks for one factor and one
shift per channel. One-to-one maps of single coordinates, such as scalers, and unpadded means may come first.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.network.graph import Graph
from verifier.network.nodes import (
    Add,
    Affine,
    Constant,
    InverseRoot,
    Multiply,
    Node,
    Parameter,
    Permute,
    Pool,
    Reshape,
    Scale,
    Take,
)
from verifier.network.nodes.base import flat_places

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class InputMaps:
    """Which maps x -> D x + c a network's first layers undo.

    Parameters
    ----------
    obstacle
        Why there is none; empty if there are some.
    matrix
        Whether D may be any invertible matrix; otherwise it is diagonal.
    leaders
        For each coordinate the one that stands for its group: all of a group have one factor and one shift.
    shift
        Whether c may be any vector (constant on groups); otherwise it is 0.
    """

    obstacle: str
    matrix: bool = False
    leaders: tuple[int, ...] = ()
    shift: bool = False

    @property
    def groups(self) -> int:
        """How many groups of coordinates there are; d: each coordinate has a factor and a shift of its own."""
        return len(set(self.leaders))

    def __str__(self) -> str:
        """The maps in words, or why there is none."""
        if self.obstacle:
            return self.obstacle
        by = "D x + c" if self.shift else "D x"
        shifts = ", c any vector" if self.shift else ""
        if self.matrix:
            return f"{by}, D any invertible matrix{shifts}"
        if self.groups == len(self.leaders):
            return f"{by}, D any diagonal matrix without a 0{shifts}"
        of = "one factor not 0 and one shift" if self.shift else "one factor not 0"
        if self.groups == 1:
            return f"{by}, {of} for all coordinates, which are read alike"
        return f"{by}, {of} for each of {self.groups} groups of coordinates that are read alike, such as channels"


@dataclass(eq=False)
class _View:
    """Entries that are one-to-one functions of one coordinate each, or of the mean of some that are alike.

    ``source`` is the coordinate, ``function`` numbers the functions, ``shifted`` says whether 0 may not go to 0, and
    ``single`` whether no mean was taken.
    """

    source: IntArray
    function: IntArray
    shifted: bool = False
    single: bool = True

    def take(self, places: IntArray) -> _View:
        at = places.ravel()
        return _View(self.source[at], self.function[at], self.shifted, self.single)


class _Refused(Exception):
    """A node reads the input in a way that weights cannot undo."""


def input_maps(graph: Graph) -> InputMaps:
    """Find the maps of the samples that parameters undo.

    Parameters
    ----------
    graph : Graph
        Any network.

    Returns
    -------
    InputMaps
        Guarantee: without an obstacle, for every such D and c there is a bijection of R^p, linear up to a shift by
        numbers that do not depend on U, that carries the features of the samples D x + c to those of x (Lemma I).

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.network.input_maps import input_maps
    >>> print(input_maps(vf.Network(2, vf.Dense(3, "tanh", skip=True))))
    D x + c, D any invertible matrix, c any vector
    >>> tied = vf.Network((1, 4), vf.Conv(3, (2,), "tanh", bias="tied", padding=1, skip=True))
    >>> print(input_maps(tied))
    D x, one factor not 0 for all coordinates, which are read alike
    """
    try:
        return _Search(graph).found()
    except _Refused as refused:
        return InputMaps(str(refused))


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.graph, d = graph, graph.dimension
        self.readers = Counter(read for node in graph.nodes for read in set(node.reads))
        self.shown = {feature.node for feature in graph.features}
        self.views = {0: _View(np.arange(d), np.zeros(d, dtype=np.int64))}
        self.leader = list(range(d))
        self.matrix = self.shift = True
        self.read = False

    def found(self) -> InputMaps:
        for index, node in enumerate(self.graph.nodes):
            if self.views.keys().isdisjoint(node.reads):
                continue
            view = None if index in self.shown else self._view(index, node)
            if view is not None:
                self.views[index] = view
            elif isinstance(node, Affine):
                self._affine(index, node)
            else:
                raise _Refused(f"{self.graph.title(index)} reads the input itself, not through weights")
        if not self.shown.isdisjoint(self.views):
            raise _Refused("the input itself is a column of Psi")
        if not self.read:
            raise _Refused("nothing reads the input")
        leaders = tuple(map(self._leader, range(len(self.leader))))
        return InputMaps("", self.matrix, leaders, self.shift)

    def _view(self, index: int, node: Node) -> _View | None:
        """What the node makes of a view, entry by entry; None if it is something else."""
        (read, *others) = sorted(node.reads, key=lambda read: read not in self.views)
        view, shape = self.views[read], self.graph.node_shapes[index]
        match node:
            case Reshape() | Permute() | Take():
                return view.take(node.places([self.graph.node_shapes[read]]))
            case Scale():
                return view
            case Pool() if node.how == "mean" and not any(node.window.padding):
                size = math.prod(node.window.kernel)
                return self._means(view, node.places(self.graph.node_shapes[read]).reshape(-1, size), index)
            case Add() | Multiply():
                if any(self.graph.varies[other] or self.graph.moves[other] for other in others) or not others:
                    return None
                found = view.take(np.broadcast_to(flat_places(self.graph.node_shapes[read]), shape))
                for other in others:
                    found.function = self._tagged(found.function, other, shape, isinstance(node, Multiply))
                found.shifted |= not isinstance(node, Multiply)
                return found
        return None

    def _tagged(self, function: IntArray, other: int, shape: tuple[int, ...], product: bool) -> IntArray:
        """The functions followed by a sum with fixed numbers, or a product with some that are not 0."""
        fixed = self.graph.nodes[other]
        if isinstance(fixed, Constant):
            values = np.broadcast_to(fixed.values, shape).ravel()
            if product and not values.all():
                raise _Refused(f"{self.graph.title(other)} multiplies a coordinate by 0")
            tags = np.unique(values, return_inverse=True)[1].reshape(-1)
        elif not product or isinstance(fixed, InverseRoot):
            tags = np.broadcast_to(flat_places(self.graph.node_shapes[other]), shape).ravel()
        else:
            raise _Refused(f"{self.graph.title(other)} may multiply a coordinate by 0")
        pairs = function * (int(tags.max()) + 1) + tags
        found: IntArray = np.unique(pairs, return_inverse=True)[1].reshape(-1).astype(np.int64)
        return found

    def _means(self, view: _View, places: IntArray, index: int) -> _View:
        for window in places:
            self._alike(view, window, index)
        first = places[:, 0]
        return _View(view.source[first], view.function[first], view.shifted, False)

    def _alike(self, view: _View, entries: IntArray, index: int) -> None:
        """Treat some coordinates alike: one factor, one shift."""
        if len(np.unique(view.function[entries])) > 1:
            raise _Refused(f"{self.graph.title(index)} reads coordinates alike that were scaled or shifted differently")
        first, *others = view.source[entries].tolist()
        for other in others:
            self.leader[self._leader(other)] = self._leader(first)

    def _leader(self, coordinate: int) -> int:
        """The coordinate that stands for all that are treated like this one."""
        while self.leader[coordinate] != coordinate:
            self.leader[coordinate] = self.leader[self.leader[coordinate]]
            coordinate = self.leader[coordinate]
        return coordinate

    def _affine(self, index: int, node: Affine) -> None:
        """Weights that meet the input, or the like: what they ask of D and c."""
        graph, self.read = self.graph, True
        masked = self._weight(index, node)
        trained = node.bias and self._own(node.reads[-1]) and node.reads[-1] not in node.sources
        geometry = node.geometry([graph.node_shapes[read] for read in node.reads])
        start = 0
        for source in node.sources:
            size = int(np.prod(graph.node_shapes[source], dtype=int))
            if source in self.views:
                view = self.views[source]
                if geometry.padded or not trained:
                    self.shift = False
                    if view.shifted:
                        why = "pads it" if geometry.padded else "has no bias of its own"
                        raise _Refused(f"{graph.title(index)} reads the input, shifted, and {why}")
                whole = view.single and len(view.source) == graph.dimension == len(np.unique(view.source))
                self.matrix &= geometry.windows is None and whole and not masked
                for window in [] if geometry.windows is None else geometry.windows:
                    for slot in window.T:
                        inside = slot[(slot >= start) & (slot < start + size)] - start
                        if inside.size:
                            self._alike(view, np.unique(inside), index)
            start += size

    def _weight(self, index: int, node: Affine) -> bool:
        """Whether the weights are trained numbers under a fixed mask; if they are neither, they are refused."""
        graph = self.graph
        weight = graph.nodes[node.weight]
        if node.bias and node.reads[-1] == node.weight:
            raise _Refused(f"{graph.title(index)}: its weights are its biases")
        if self._own(node.weight) and node.weight not in node.sources:
            return False
        if isinstance(weight, Multiply) and self.readers[node.weight] == 1 and node.weight not in self.shown:
            parts = sorted(weight.reads, key=lambda read: not isinstance(graph.nodes[read], Parameter))
            fixed = all(isinstance(graph.nodes[read], Constant) for read in parts[1:])
            shape = graph.node_shapes[node.weight]
            if (
                self._own(parts[0])
                and fixed
                and graph.node_shapes[parts[0]] == shape
                and node.weight not in node.sources
            ):
                return True
        raise _Refused(f"{graph.title(index)}: its weights are frozen, shared or computed")

    def _own(self, index: int) -> bool:
        """Whether a node is a parameter that one node reads."""
        return isinstance(self.graph.nodes[index], Parameter) and self.readers[index] == 1 and index not in self.shown
