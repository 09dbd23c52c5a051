"""Which units of a network may be permuted, and where their numbers stand: found by pattern in any graph.

Every entry of every node is *tagged* with a group of units, its unit within the group, and a *place* that tells the
entries of one unit apart (positions of a filter, tokens). Permuting the units of a group moves the entries of one place
among themselves. An affine node with parameters of its own makes a new group, one unit for each row of its weights; a
sum makes one group of two (residual streams); what is not symmetric in its units, or not known to be, *holds* a group:
its units stay where they are. At the end a group is free only if each parameter holds all of its units at each place.

The permuted network computes the same function: the same numbers stand elsewhere, none is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.unit_tags import (
    FIXED,
    PARAMETER,
    UNIFORM,
    Groups,
    Ints,
    Tags,
    numbered,
    same_rows,
    side_by_side,
    untagged,
)
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

OUTPUT = ""
"""The name of V among the blocks: no parameter has it."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the units of each free group stand along one axis of an array: ``(units, places)``, by group."""

    length: int
    where: dict[int, Ints]

    def order(self, permutations: Mapping[int, Ints]) -> Ints:
        """Which entry comes to each place if unit k of a group becomes what unit ``permutations[group][k]`` was."""
        found = np.arange(self.length)
        for group, table in self.where.items():
            if group in permutations:
                found[table] = table[permutations[group]]
        return found


@dataclass(frozen=True, slots=True)
class Block:
    """An array of parameters as a matrix: its name, empty for V, and its two axes."""

    name: str
    rows: Axis
    columns: Axis

    def matrix(self, network: Network, u: Array, v: Array) -> Array:
        """The array at a point; writing to it writes to the point, if that is contiguous."""
        whole = v if self.name == OUTPUT else network.view(u, self.name)
        return whole.reshape(self.rows.length, self.columns.length)


@dataclass(frozen=True, slots=True)
class UnitSymmetry:
    """The free groups of units with their sizes, and the blocks of parameters that their permutations move."""

    sizes: dict[int, int]
    blocks: tuple[Block, ...]

    def permuted(
        self, network: Network, u: Array, v: Array, permutations: Mapping[int, Ints]
    ) -> Iterator[tuple[Block, Array]]:
        """Give each block with its numbers after permutations, as `Axis.order` says."""
        for block in self.blocks:
            order = np.ix_(block.rows.order(permutations), block.columns.order(permutations))
            yield block, block.matrix(network, u, v)[order]


def unit_symmetry(network: Network, outputs: int) -> UnitSymmetry:
    """Find the groups of units that may be permuted.

    Parameters
    ----------
    network
        Any network.
    outputs
        m, the columns of V.

    Returns
    -------
    UnitSymmetry
        No groups where nothing was recognised.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.network.unit_symmetry import unit_symmetry
    >>> found = unit_symmetry(vf.Network(2, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", skip=True)]), 2)
    >>> list(found.sizes.values())
    [3, 4]
    """
    tagger = _Tagger()
    values = network.evaluate(tagger)
    columns = []
    for feature in network.features:
        flat = tagger.tagged(values[feature.node]).flat
        columns.append(flat if feature.entries is None else flat.at(np.array(feature.entries)))
    tagger.arrays[OUTPUT] = side_by_side(columns), untagged((outputs,))
    return tagger.symmetry()


@dataclass
class _Tagger(Arithmetic[Tags]):
    """Tags for values; ``arrays`` has those of the rows and columns of every parameter, in ``names``' order."""

    groups: Groups = field(default_factory=Groups)
    names: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    arrays: dict[str, tuple[Tags, Tags]] = field(default_factory=dict)

    def symmetry(self) -> UnitSymmetry:
        """Keep the groups of which every array holds all units at each place."""
        while True:
            free, bad = self.groups.free, set[int]()
            blocks = []
            for name, (rows, columns) in self.arrays.items():
                blocks.append(Block(name, self._axis(rows, free, bad), self._axis(columns, free, bad)))
            if not bad:
                break
            self.groups.hold(np.array(sorted(bad)))
        moved = tuple(block for block in blocks if block.rows.where or block.columns.where)
        used = {group for block in moved for axis in (block.rows, block.columns) for group in axis.where}
        return UnitSymmetry({group: self.groups.sizes[group] for group in sorted(used)}, moved)

    def _axis(self, tags: Tags, free: set[int], bad: set[int]) -> Axis:
        where: dict[int, Ints] = {}
        roots = self.groups.roots(tags.group)
        for group in sorted(free & set(roots.tolist())):
            entries = np.flatnonzero(roots == group)
            numbers = np.unique(tags.place[entries], return_inverse=True)[1]
            table = np.full((self.groups.sizes[group], int(numbers.max()) + 1), -1, dtype=np.int64)
            table[tags.unit[entries], numbers] = entries
            if len(entries) != table.size or (table < 0).any():
                bad.add(group)
            where[group] = table
        return Axis(len(roots), where)

    def tagged(self, x: Tags) -> Tags:
        """Tags in the place of a parameter's entries: the units of one that has none yet are its last axis."""
        mask = x.group == PARAMETER
        if not mask.any():
            return x
        parts = tuple(part.copy() for part in x.parts)
        for number in np.unique(x.unit[mask]).tolist():
            mine, shape = mask & (x.unit == number), self.shapes[number]
            rows, columns = self.arrays[self.names[number]]
            if rows.group.size != math.prod(shape):  # weights of an affine node, read in another way as well
                self.groups.hold(rows.group, columns.group)
                rows = untagged((math.prod(shape),))
            elif (rows.group == PARAMETER).all():
                group = self.groups.fresh(shape[-1])
                entries = np.arange(math.prod(shape))
                rows = Tags(np.full(entries.shape, group), entries % shape[-1], entries // shape[-1])
                self.arrays[self.names[number]] = rows, columns
            else:
                some = rows.group == PARAMETER
                self.groups.hold(rows.group[~some] if some.any() else np.array(FIXED))
            for part, given in zip(parts, rows.parts, strict=True):
                part[mine] = given[x.place[mine]]
        return Tags(np.where(parts[0] == PARAMETER, FIXED, parts[0]), *parts[1:])

    def _tag(self, number: int, entries: Ints, tags: Tags) -> None:
        """Tag entries of a parameter by what they are combined with; a second tag must be the same unit."""
        rows, columns = self.arrays[self.names[number]]
        if rows.group.size != math.prod(self.shapes[number]):
            self.groups.hold(rows.group, columns.group, tags.group)
            return
        parts = tuple(part.copy() for part in rows.parts)
        fresh = rows.group[entries] == PARAMETER
        for part, given in zip(parts, tags.parts, strict=True):
            part[entries[fresh]] = given[fresh]
        now = Tags(*parts)
        self.groups.match(now.at(entries), tags)
        self.arrays[self.names[number]] = now, columns

    def shape(self, value: Tags) -> Shape:
        """The shape of the tensor whose entries are tagged."""
        return value.shape

    def input(self, shape: Shape) -> Tags:
        """The samples without tags: no exchange of units moves them."""
        return untagged(shape)

    def parameter(self, name: str, shape: Shape) -> Tags:
        """Entries without tags; a single number is the same everywhere."""
        size = math.prod(shape)
        if size == 1:
            return untagged(shape, UNIFORM)
        self.names.append(name)
        self.shapes.append(shape)
        self.arrays[name] = untagged((size,), PARAMETER), untagged((1,))
        number = np.full(shape, len(self.names) - 1, dtype=np.int64)
        return Tags(np.full(shape, PARAMETER, dtype=np.int64), number, np.arange(size).reshape(shape))

    def constant(self, values: Array) -> Tags:
        """Fixed numbers; one that stands everywhere holds nothing."""
        uniform = values.size > 0 and bool((values == values.flat[0]).all())
        return untagged(values.shape, UNIFORM if uniform else FIXED)

    def affine(self, geometry: Geometry, sources: Sequence[Tags], weight: Tags, bias: Tags | None) -> Tags:
        """A group of its own: a unit for each row of the weights, whose columns have the tags of what they read."""
        row, filters = side_by_side([self.tagged(x) for x in sources]), geometry.filters
        name = self._own(weight)
        if name is None or (geometry.windows is not None and len(geometry.windows) > 1):
            self.groups.hold(row.group, *(self.tagged(part).group for part in (weight, bias) if part is not None))
            return untagged(geometry.shape)
        found = numbered(self.groups.fresh(filters), filters, (filters, geometry.positions))
        if not geometry.filters_first:
            found = Tags(*(part.T for part in found.parts))
        found = found.reshaped(geometry.shape)
        rows = numbered(int(found.group.flat[0]), filters)
        self.arrays[name] = rows, row if geometry.windows is None else self._columns(row, geometry.windows[0])
        if bias is not None:
            self.add(bias, rows if bias.group.size == filters else found)
        return found

    def _own(self, weight: Tags) -> str | None:
        """The name of the parameter that the weights are, in its own order and not yet used."""
        flat = weight.flat
        if (flat.group != PARAMETER).any() or (flat.unit != flat.unit[0]).any():
            return None
        name = self.names[int(flat.unit[0])]
        fresh = np.array_equal(flat.place, np.arange(math.prod(self.shapes[int(flat.unit[0])])))
        return name if fresh and (self.arrays[name][0].group == PARAMETER).all() else None

    def _columns(self, row: Tags, windows: Places) -> Tags:
        """One tag for what each column of the weights reads at all positions, ``(positions, fan_in)``."""
        seen = side_by_side([row, untagged((1,), UNIFORM)]).at(windows)
        inside = seen.group != UNIFORM
        first = np.argmax(inside, axis=0)
        columns = Tags(*(part[first, np.arange(windows.shape[1])] for part in seen.parts))
        self.groups.match(columns.broadcast(windows.shape), seen)
        return Tags(columns.group, columns.unit, same_rows(np.where(inside, seen.place, -1).T))

    def map(self, x: Tags, sigma: Activation) -> Tags:
        """Keep the tags: one function is applied to all entries."""
        return self.tagged(x)

    def scale(self, x: Tags, factor: Fraction, *, root: bool = False) -> Tags:
        """Keep the tags: all entries have one factor."""
        return x

    def add(self, a: Tags, b: Tags) -> Tags:
        """Units that meet are permuted together; a parameter gets the tags of what it meets."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = a.broadcast(shape), b.broadcast(shape)
        if ((a.group == PARAMETER) & (b.group == PARAMETER)).any():
            a = self.tagged(a)
        for given, other in ((a, b), (b, a)):
            mask = (given.group == PARAMETER) & (other.group != UNIFORM)
            for number in np.unique(given.unit[mask]).tolist():
                mine = mask & (given.unit == number)
                self._tag(number, given.place[mine], Tags(*(part[mine] for part in other.parts)))
        loose = [bool((y.group[x.group == PARAMETER] == UNIFORM).all()) for x, y in ((a, b), (b, a))]
        a, b = (x if free else self.tagged(x) for x, free in zip((a, b), loose, strict=True))
        self.groups.match(a, b)
        second = (a.group == UNIFORM) | ((a.group == FIXED) & (b.group >= 0))
        group, unit = (np.where(second, y, x) for x, y in ((a.group, b.group), (a.unit, b.unit)))
        both = (a.group >= 0) & (b.group >= 0)
        pairs = np.stack([np.where(second, b.place, a.place), np.where(both, b.place, -1)], axis=-1)
        place = same_rows(pairs.reshape(-1, 2)).reshape(shape) if both.any() else pairs[..., 0]
        return Tags(group, unit, place)

    def multiply(self, a: Tags, b: Tags) -> Tags:
        """As in a sum: gains get the tags of what they multiply."""
        return self.add(a, b)

    def gather(self, sources: Sequence[Tags], places: Places) -> Tags:
        """Move the tags with the entries."""
        return side_by_side(sources).at(places)

    def contract(self, a: Tags, b: Tags, *, transposed: bool = False) -> Tags:
        """Not followed: what is multiplied stays where it is."""
        self.groups.hold(self.tagged(a).group, self.tagged(b).group)
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return untagged((*lead, a.shape[-2], b.shape[-2 if transposed else -1]))

    def total(self, x: Tags) -> Tags:
        """Over the entries of one unit it is that unit's; over all units of groups no permutation moves it."""
        rows = self.tagged(x).by_last_axis
        inside = rows.group != UNIFORM
        first, every = np.argmax(inside, axis=1), np.arange(len(rows.group))
        group, unit = rows.group[every, first], rows.unit[every, first]
        one = (~inside | ((rows.group == group[:, None]) & (rows.unit == unit[:, None]))).all(axis=1)
        self.groups.require_all_units(rows.at(np.flatnonzero(~one)))
        place = same_rows(np.sort(np.where(inside, rows.place, -1), axis=1))
        found = Tags(np.where(one, group, FIXED), np.where(one, unit, 0), np.where(one, place, 0))
        return found.reshaped(x.shape[:-1])

    def largest(self, x: Tags) -> Tags:
        """Tag a maximum as a sum: both are the same in every order of the entries."""
        return self.total(x)

    def inverse_root(self, x: Tags, epsilon: Fraction) -> Tags:
        """Keep the tags: one function is applied to all entries."""
        return self.tagged(x)

    def normalise(self, x: Tags, epsilon: Fraction, *, centre: bool) -> Tags:
        """Symmetric in the entries of the last axis."""
        x = self.tagged(x)
        self.groups.require_all_units(x.by_last_axis)
        return x

    def softmax(self, x: Tags, mask: Tags | None) -> Tags:
        """Hold the units that the scores are tagged with: they are not exchanged."""
        self.groups.hold(self.tagged(x).group)
        return untagged(x.shape)

    def embed(self, tokens: Tags, table: Tags) -> Tags:
        """Each row of a table has the same units, at places of its own; followed where they are the last axis."""
        table = self.tagged(table)
        row = Tags(*(part[0] for part in table.parts))
        self.groups.match(row.broadcast(table.shape), table)
        shape = (*tokens.shape, *row.shape)
        wide, count = row.broadcast(shape), math.prod(tokens.shape)
        token = np.arange(count).reshape(*tokens.shape, *(1,) * len(row.shape))
        return Tags(wide.group, wide.unit, wide.place + (1 + int(row.place.max())) * token)
