"""Which samples the entries of a network's nodes tell apart at almost every U, by exact comparison (THEORY2 A).

Glossary: every entry of a node that depends on the sample has a *class* of each sample, a whole number. Two samples of
different classes are *told apart*: the entry differs on them at almost every U. Entries of one *family* (the positions
of a filter with a tied bias, the coordinates of the input) are compared with each other as well: different classes mean
different values at almost every U, whichever of these entries and samples they belong to. (Equal classes mean nothing.)
The class *zero* of a family is that of the number 0, which padding puts beside its entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.network.graph import Array, Graph
from verifier.network.nodes import (
    Add,
    Affine,
    Constant,
    Input,
    InverseRoot,
    Map,
    Multiply,
    Node,
    Parameter,
    Pool,
    Reduce,
    Scale,
)
from verifier.network.nodes.base import flat_places
from verifier.network.nodes.moving import Rearrange
from verifier.sigma.polynomials import excludes_polynomials

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NOWHERE, INCOMPARABLE = -1, -2
"""The class of 0 where no entry is 0 at every U, and where it is not known which is."""
MAX_KEY = 1 << 62
"""Of a tuple of classes as one number."""
MAX_COMPARED = 150_000_000
"""Numbers that are compared, about 30 s; more are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is known of the entries of a node, arrays of shape ``(size,)`` each.

    Parameters
    ----------
    column
        Which row of `Separation.columns` has an entry's classes.
    family
        Entries of the same number are compared with each other.
    zero
        The class of the number 0, or `NOWHERE`, or `INCOMPARABLE`.
    unit
        The node of the units that the entries are, -1 for others.
    own
        Whether such a unit has a bias that no other entry has.
    """

    column: IntArray
    family: IntArray
    zero: IntArray
    unit: IntArray
    own: BoolArray

    def take(self, places: IntArray) -> Told:
        """The entries at these places."""
        at = places.ravel()
        parts = (self.column, self.family, self.zero, self.unit, self.own)
        return Told(*(part[at] for part in parts))  # type: ignore[arg-type]


def numbered(parts: Iterable[IntArray]) -> IntArray:
    """Number tuples of classes: equal numbers, from 0 on, where the tuples are equal.

    Parameters
    ----------
    parts
        Their first members, their second ones, ..., arrays of one shape.
    """
    key, bound = np.zeros(1, dtype=np.int64), 1
    for part in parts:
        low = int(part.min(initial=0))
        spread = int(part.max(initial=0)) - low + 1
        if bound * spread >= MAX_KEY:
            key = _shortened(key)
            bound = int(key.max(initial=0)) + 1
            if bound == key.size:  # all are different, and stay so
                return key
        key, bound = key * spread + (part - low), bound * spread
    return _shortened(key)


def _shortened(key: NDArray[Any]) -> IntArray:
    """The same numbers by their rank."""
    return np.unique(key, return_inverse=True)[1].reshape(key.shape).astype(np.int64)


class Separation:
    """The classes of all nodes of a network on some samples.

    Parameters
    ----------
    graph
        A network whose nodes are analytic in U on these samples.
    inputs
        The samples, shape ``(N, d)``.

    Attributes
    ----------
    columns
        Classes of the N samples, by their number.
    """

    def __init__(self, graph: Graph, inputs: Array) -> None:
        self.graph = graph
        self.columns: list[IntArray] = [np.zeros(len(inputs), dtype=np.int64)]
        self._families = 0
        self._ancestors = [frozenset[int]()] * len(graph.nodes)
        self._told: dict[int, Told] = {}
        for index, node in enumerate(graph.nodes):
            self._ancestors[index] = frozenset(node.reads).union(*(self._ancestors[read] for read in node.reads))
            if graph.varies[index]:
                self._told[index] = self._of(index, node, inputs)

    def classes(self, node: int) -> Told:
        """What is known of a node that depends on the sample."""
        return self._told[node]

    def tells_all_apart(self, node: int, entry: int) -> bool:
        """Whether an entry has another class on each sample.

        Guarantee: if so, it has N different values at almost every U.
        """
        classes = self.columns[int(self._told[node].column[entry])]
        return len(np.unique(classes)) == len(classes)

    def _of(self, index: int, node: Node, inputs: Array) -> Told:
        found: Told | None = None
        match node:
            case Input():
                found = self._input(inputs)
            case Map():
                found = self._units(index, node)
            case Pool() | Reduce():
                found = self._averages(index, node)
            case Scale():
                found = self._image(self._told[node.reads[0]], np.zeros(self._size(index), dtype=np.int64))
            case Add() | Multiply():
                found = self._shifted(index, node)
            case Rearrange():
                found = self._beside(node.reads).take(node.places([self.graph.node_shapes[i] for i in node.reads]))
        return self._nothing(index) if found is None else found

    def _size(self, index: int) -> int:
        return math.prod(self.graph.node_shapes[index])

    def _new_families(self, size: int) -> IntArray:
        start, self._families = self._families, self._families + size
        return np.arange(start, self._families)

    def _nothing(self, index: int) -> Told:
        """Return what is known of a node of which nothing is known: no entry tells samples apart."""
        size = self._size(index)
        numbers = np.zeros(size, dtype=np.int64)
        no = np.zeros(size, dtype=np.bool_)
        return Told(numbers, self._new_families(size), numbers + INCOMPARABLE, numbers - 1, no)

    def _add_columns(self, classes: IntArray) -> IntArray:
        """Keep classes, shape ``(k, N)``; return their k numbers."""
        start = len(self.columns)
        self.columns.extend(classes)
        return np.arange(start, len(self.columns))

    def _input(self, inputs: Array) -> Told:
        """Return the entries of the input, of which equal classes are equal numbers."""
        values, found = np.unique(inputs, return_inverse=True)
        where = np.flatnonzero(values == 0.0)
        size = inputs.shape[1]
        numbers = np.zeros(size, dtype=np.int64)
        zero = numbers + (int(where[0]) if where.size else NOWHERE)
        columns = self._add_columns(found.reshape(inputs.shape).T.astype(np.int64))
        no = np.zeros(size, dtype=np.bool_)
        return Told(columns, numbers + self._new_families(1), zero, numbers - 1, no)

    def _beside(self, reads: tuple[int, ...]) -> Told:
        """The entries of some nodes side by side; those that do not depend on the sample tell nothing apart."""
        parts = [self._told[read] if self.graph.varies[read] else self._nothing(read) for read in reads]
        if len(parts) == 1:
            return parts[0]
        names = Told.__slots__
        return Told(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _image(self, told: Told, tags: IntArray) -> Told:
        """One-to-one images of entries, by the same function for entries of one family with the same tag."""
        pairs = numbered((told.family, tags))
        families = self._new_families(int(pairs.max()) + 1)[pairs]
        return replace(told, family=families, unit=np.full_like(told.unit, -1), own=np.zeros_like(told.own))

    def _shifted(self, index: int, node: Node) -> Told | None:
        """A node times what is nowhere 0, or plus anything, that does not depend on the sample."""
        varying = [read for read in node.reads if self.graph.varies[read]]
        if len(varying) != 1:
            return None
        shape, sums = self.graph.node_shapes[index], not isinstance(node, Multiply)
        places = np.broadcast_to(flat_places(self.graph.node_shapes[varying[0]]), shape)
        told, tags = self._told[varying[0]].take(places), np.zeros(self._size(index), dtype=np.int64)
        lost = np.zeros(self._size(index), dtype=np.bool_)
        for read in node.reads:
            other = self.graph.nodes[read]
            if self.graph.varies[read]:
                continue
            if isinstance(other, Constant):
                values = np.broadcast_to(other.values, shape).ravel()
                lost |= (values == 0.0) & (not sums)
                tags = numbered((tags, _shortened(values)))
            elif sums or isinstance(other, InverseRoot):
                own = np.broadcast_to(flat_places(self.graph.node_shapes[read]), shape).ravel()
                tags = numbered((tags, own))
            else:
                return None
        found = self._image(told, tags)
        found = replace(found, zero=np.full_like(found.zero, INCOMPARABLE)) if sums else found
        nothing = self._nothing(index)
        parts = ((getattr(found, name), getattr(nothing, name)) for name in Told.__slots__)
        return Told(*(np.where(lost, no, yes) for yes, no in parts)) if lost.any() else found

    def _units(self, index: int, node: Map) -> Told | None:
        """Units with trained weights and biases that no ancestor of them uses, activation analytic and not constant."""
        inner = self.graph.nodes[node.reads[0]]
        if not (isinstance(inner, Affine) and inner.bias and inner.reads[-1] != inner.reads[-2]):
            return None
        below = set(inner.sources).union(*(self._ancestors[source] for source in inner.sources))
        kinds = [self.graph.nodes[read] for read in inner.reads[-2:]]
        smooth = node.sigma.facts.real_analytic
        free = all(isinstance(kind, Parameter) for kind in kinds) and below.isdisjoint(inner.reads[-2:])
        if not (free and smooth.status == "proved" and smooth.holds and excludes_polynomials(node.sigma, 0)):
            return None
        geometry = inner.geometry([self.graph.node_shapes[read] for read in inner.reads])
        tied = geometry.positions > 1 and self.graph.node_shapes[inner.reads[-1]] == (geometry.filters,)
        row = self._with_padding(self._beside(inner.sources))
        total = len(row.column) - 1
        windows = np.arange(total)[None, None, :] if geometry.windows is None else geometry.windows
        each = geometry.filters // len(windows)  # filters of one group
        columns, families = [], []
        for places in windows:
            comparable = tied and _comparable(row, places, total)
            found = self._add_columns(self._patches(row, places, total))
            columns.append(np.tile(found, (each, 1)))
            own = self._new_families(each if comparable else each * len(places))
            families.append(np.repeat(own, len(places)) if comparable else own)
        shape = (geometry.filters, geometry.positions)

        def ordered(parts: list[NDArray[np.generic]]) -> NDArray[np.generic]:
            whole = np.concatenate([part.reshape(-1, geometry.positions) for part in parts]).reshape(shape)
            return (whole if geometry.filters_first else whole.T).ravel()

        size = self._size(index)
        return Told(
            ordered(columns),  # type: ignore[arg-type]
            ordered(families),  # type: ignore[arg-type]
            np.full(size, NOWHERE),
            np.full(size, index),
            np.full(size, not tied),
        )

    @staticmethod
    def _with_padding(row: Told) -> Told:
        """The entries, and after the last the padding's 0."""
        ends = (0, -1, NOWHERE, -1, False)
        parts = (getattr(row, name) for name in Told.__slots__)
        return Told(*(np.append(part, end) for part, end in zip(parts, ends, strict=True)))

    def _patches(self, row: Told, places: IntArray, total: int) -> IntArray:
        """The classes of what each position reads, shape ``(positions, N)``: the classes of its entries, in order."""
        padding = places == total
        zero = row.zero[np.where(padding, places.min(axis=0), places)]  # that of the entries beside the padding
        seen = np.unique(np.where(padding, INCOMPARABLE - 1 - zero, row.column[places]), axis=1)
        return self._tuples(seen, INCOMPARABLE - 1)

    def _tuples(self, seen: IntArray, padding: int) -> IntArray:
        """Number the tuples of classes in some columns, ``(k, n)``; a number below 0 there is the class itself."""
        one = np.ones_like(self.columns[0])
        slots = (np.array([self.columns[at] if at >= 0 else one * (padding - at) for at in slot]) for slot in seen.T)
        return numbered(slots)

    def _averages(self, index: int, node: Pool | Reduce) -> Told | None:
        """Means over positions of units: of one filter with a tied bias, or of units with biases of their own."""
        if node.how == "max":
            return None
        (read,) = node.reads
        shape = self.graph.node_shapes[read]
        places = node.places(shape) if isinstance(node, Pool) else flat_places(shape)
        places = places.reshape(self._size(index), -1)
        row = self._with_padding(self._told[read])
        total = len(row.column) - 1
        units, padding = row.unit[places], places == total
        first = int(row.unit[0])
        if first < 0 or not ((units == first) | padding).all() or padding.all(axis=1).any():
            return None
        map_node = self.graph.nodes[first]
        if not isinstance(map_node, Map):
            return None
        size, sigma = self._size(index), map_node.sigma
        columns = np.where(padding, -1, row.column[places])
        no, none = np.zeros(size, dtype=np.bool_), np.full(size, -1)
        if row.own[:-1].all() and excludes_polynomials(sigma, 1):
            windows, which = np.unique(columns, axis=0, return_inverse=True)
            found = self._add_columns(self._tuples(windows, INCOMPARABLE))[which.ravel()]
            return Told(found, self._new_families(size), np.full(size, NOWHERE), none, no)
        family = row.family[np.where(padding, places.min(axis=1, keepdims=True), places)]
        one = (family == family[:, :1]).all()
        if not one or not excludes_polynomials(sigma, 2 * places.shape[1] - 2):
            return None
        windows, which = np.unique(np.sort(columns, axis=1), axis=0, return_inverse=True)
        found = self._add_columns(self._multisets(windows))[which.ravel()]
        _, filters = np.unique(family[:, 0], return_inverse=True)
        families = self._new_families(int(filters.max()) + 1)[filters]
        return Told(found, families, np.full(size, NOWHERE), none, no)

    def _multisets(self, windows: IntArray) -> IntArray:
        """Number the multisets of classes in some columns, ``(k, n)``; -1 there is a place of the padding."""
        padding = np.full_like(self.columns[0], -1)
        found = [np.sort([self.columns[at] if at >= 0 else padding for at in row], axis=0) for row in windows]
        return numbered(np.array([classes[slot] for classes in found]) for slot in range(windows.shape[1]))


def _comparable(row: Told, places: IntArray, total: int) -> bool:
    """Whether what the positions of a filter read is compared across positions: entries of one family, slot by slot."""
    padding = places == total
    families = np.where(padding, -1, row.family[places])
    one = ((families == families.max(axis=0)) | padding).all()
    mixed = padding.any(axis=0) & ~padding.all(axis=0)
    known = row.zero[np.where(padding, places.min(axis=0), places)] != INCOMPARABLE
    return bool(one and (known | ~mixed).all())


def compared(graph: Graph, samples: int) -> int:
    """How many numbers are compared at most."""
    found = 0
    for node in graph.nodes:
        if isinstance(node, Affine):
            geometry = node.geometry([graph.node_shapes[read] for read in node.reads])
            found += geometry.positions * math.prod(graph.node_shapes[node.weight][1:])
        elif isinstance(node, Pool):
            found += math.prod(graph.node_shapes[node.reads[0]]) * 4
    return found * samples
