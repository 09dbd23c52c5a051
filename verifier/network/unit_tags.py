"""Tags that tell which unit each entry of a tensor belongs to, and the groups of units that are permuted together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.network.windows import Shape

Ints = NDArray[np.int64]
FIXED, UNIFORM, PARAMETER = -1, -2, -3
"""In the place of a group: what no permutation moves; one number everywhere; an entry of a parameter, not yet tagged.

Of a parameter's entry ``unit`` is the parameter's number and ``place`` the entry's.
"""


@dataclass(frozen=True, slots=True)
class Tags:
    """For every entry of a tensor its group, its unit and its place: three arrays of the tensor's shape."""

    group: Ints
    unit: Ints
    place: Ints

    @property
    def parts(self) -> tuple[Ints, Ints, Ints]:
        """The three arrays: the group, the unit and the place of every entry."""
        return self.group, self.unit, self.place

    @property
    def shape(self) -> Shape:
        """The shape of the tensor whose entries are tagged."""
        return self.group.shape

    @property
    def flat(self) -> Tags:
        """The entries in C order."""
        return Tags(*(part.ravel() for part in self.parts))

    @property
    def by_last_axis(self) -> Tags:
        """A row for every index of the leading axes."""
        return Tags(*(part.reshape(-1, self.shape[-1]) for part in self.parts))

    def at(self, where: Ints) -> Tags:
        """Some of the entries, by NumPy's indices."""
        return Tags(*(part[where] for part in self.parts))

    def reshaped(self, shape: Shape) -> Tags:
        """The same entries in another shape."""
        return Tags(*(part.reshape(shape) for part in self.parts))

    def broadcast(self, shape: Shape) -> Tags:
        """The entries repeated, as NumPy broadcasts."""
        return Tags(*(np.broadcast_to(part, shape) for part in self.parts))


def untagged(shape: Shape, kind: int = FIXED) -> Tags:
    """Entries of a kind without units."""
    zeros = np.zeros(shape, dtype=np.int64)
    return Tags(np.full(shape, kind, dtype=np.int64), zeros, zeros)


def numbered(group: int, units: int, shape: Shape | None = None) -> Tags:
    """The entries of a group in C order, unit by unit; by default one for each unit."""
    shape = shape or (units,)
    places = math.prod(shape) // units
    entries = np.arange(math.prod(shape), dtype=np.int64)
    return Tags(np.full(shape, group), (entries // places).reshape(shape), (entries % places).reshape(shape))


def side_by_side(parts: Sequence[Tags]) -> Tags:
    """Flattened tags one after the other."""
    return Tags(*(np.concatenate(arrays) for arrays in zip(*(part.flat.parts for part in parts), strict=True)))


def same_rows(table: Ints) -> Ints:
    """Number the rows of a table ``(K, n)`` so that equal ones have equal numbers, ``(K,)``."""
    found: Ints = np.unique(table, axis=0, return_inverse=True)[1].ravel()
    return found


@dataclass
class Groups:
    """Groups of units: some are united, and some held where they are."""

    parents: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    held: set[int] = field(default_factory=set)

    def fresh(self, size: int) -> int:
        """A new group of so many units."""
        self.parents.append(len(self.parents))
        self.sizes.append(size)
        return len(self.parents) - 1

    def root(self, group: int) -> int:
        """The group that a group is part of."""
        while self.parents[group] != group:
            group = self.parents[group]
        return group

    def roots(self, groups: Ints) -> Ints:
        """Those of an array; what is no group stays."""
        known = np.array([*(self.root(g) for g in range(len(self.parents))), 0], dtype=np.int64)
        found: Ints = np.where(groups >= 0, known[np.maximum(groups, 0)], groups)
        return found

    @property
    def free(self) -> set[int]:
        """The groups that are not held."""
        return {self.root(g) for g in range(len(self.parents))} - {self.root(g) for g in self.held}

    def hold(self, *groups: Ints) -> None:
        """Leave the units of these groups where they are; entries that are no groups are left out."""
        for some in groups:
            self.held.update(self.root(g) for g in np.unique(some).tolist() if g >= 0)

    def unite(self, first: Ints, second: Ints) -> None:
        """Permute groups together, pair by pair; entries that are no groups are left out."""
        both = (first >= 0) & (second >= 0)
        if not both.any():
            return
        for a, b in np.unique(np.stack([first[both], second[both]]), axis=1).T.tolist():
            one, other = self.root(a), self.root(b)
            if one != other:
                if self.sizes[one] != self.sizes[other] or {one, other} & self.held:
                    self.held |= {one, other}
                self.parents[other] = one

    def match(self, a: Tags, b: Tags) -> None:
        """Two tensors meet entry by entry: units that meet move together, and what meets something fixed is held."""
        self.unite(a.group, b.group)
        wrong = (a.group >= 0) & (b.group >= 0) & (a.unit != b.unit)
        wrong |= (a.group >= 0) & (b.group == FIXED)
        wrong |= (b.group >= 0) & (a.group == FIXED)
        self.hold(a.group[wrong], b.group[wrong])

    def require_all_units(self, rows: Tags) -> None:
        """Hold the groups of which a row does not have all units equally often at each place."""
        for group in np.unique(rows.group[rows.group >= 0]).tolist():
            mine = rows.group == group
            for k in np.flatnonzero(mine.any(axis=1)).tolist():
                numbers = np.unique(rows.place[k][mine[k]], return_inverse=True)[1]
                counts = np.zeros((self.sizes[group], int(numbers.max()) + 1), dtype=np.int64)
                np.add.at(counts, (rows.unit[k][mine[k]], numbers), 1)
                if not (counts == counts[0]).all():
                    self.hold(np.array(group))
                    break
