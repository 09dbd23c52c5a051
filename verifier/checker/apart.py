"""Rule A.data: which samples the entries of nodes tell apart at almost every U, found by comparing exact numbers.

Glossary: every entry of a node that varies has a *class* for each sample, a whole number; the classes of one entry are
a *column* (N numbers). Different classes: the entry's values on these two samples differ at almost every U. Entries of
one *family* (the coordinates of the input, the positions of a filter with one bias) are compared with each other, too:
different classes of any two of them, on any two samples, mean different values at almost every U. (Equal classes mean
nothing.) `zero` is the class, in an entry's family, of the number 0 that a padding puts beside it: NOWHERE if no entry
of the family is 0 at every U, None if that is not known.
"""

import itertools
from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

from .analytic import analytic
from .common import require
from .flags import require_analytic
from .geometry import broadcast, concatenated, permuted, taken
from .layered import output_bias, readers_of, unit_layer
from .network import increasing
from .polynomial import no_polynomial
from .sentences import sentence
from .windowed import pool_places, windows_of_affine

NOWHERE = -1
Column = tuple[int, ...]


class Entry(NamedTuple):
    """What is known of one entry of a node; `unit` is the node of the units that it belongs to, as one of them.

    `own` says that such a unit has a bias of its own. Equal columns are one object, so that they are compared quickly.
    """

    column: Column
    family: Any
    zero: int | None
    unit: int | None = None
    own: bool = False


def ranks(rows: Iterable[Any], known: dict[Any, int]) -> Column:
    """Return a number for each of these things, the same for equal ones: those that are known keep theirs."""
    return tuple(known.setdefault(row, len(known)) for row in rows)


class Apart:
    """The entries of all nodes that vary, in `entries`."""

    def __init__(self, network: Any) -> None:
        self.network, self.samples = network, network.samples
        self.constants: dict[int, Column] = {}
        self.same = self.constant(0)  # nothing is told apart
        self.families = itertools.count()
        self.below: list[frozenset[int]] = []  # of each node all that it reads, directly or not
        self.entries: dict[int, list[Entry]] = {}
        for node in network.nodes:
            self.below.append(frozenset(node.reads).union(*(self.below[read] for read in node.reads)))
            if node.varies:
                self.entries[node.number] = self.told(node) or self.nothing(node)

    def nothing(self, node: Any) -> list[Entry]:
        """Return the node's entries with a new family each: nothing is known of them."""
        return [Entry(self.same, (next(self.families),), None) for _ in range(prod(node.shape))]

    def told(self, node: Any) -> list[Entry] | None:
        """Return what is known of a node's entries, or None if nothing is."""
        if node.kind == "input":
            return self.coordinates()
        if node.kind == "map":
            return self.units(node)
        if node.kind in ("pool", "reduce"):
            return self.averages(node)
        if node.kind in ("add", "multiply"):
            return self.with_constants(node)
        if node.kind == "scale":  # a factor that is not 0
            return [self.image(entry, (node.number,)) for entry in self.entries[node.reads[0]]]
        if node.kind in ("reshape", "permute", "take", "expand", "concatenate"):
            return self.moved(node)
        return None

    def coordinates(self) -> list[Entry]:
        """Return the coordinates of the input: classes of equal numbers."""
        integers, known = self.network.inputs.integers, dict[Any, int]()
        width, numbers = integers.ncols(), list(map(int, integers.entries()))
        columns = [ranks(numbers[k::width], known) for k in range(width)]
        return [Entry(column, "input", known.get(0, NOWHERE)) for column in columns]

    def moved(self, node: Any) -> list[Entry]:
        """Return the entries that are read, in the places to which the node moves them."""
        row = self.side_by_side(node.reads)
        if node.kind == "reshape":
            return row
        if node.kind == "permute":
            places = permuted(node.shapes[0], node.axes)
        elif node.kind == "take":
            places = taken(node.shapes[0], node.axis, node.entries)
        elif node.kind == "concatenate":
            places = concatenated(node.shapes, node.axis)
        else:
            places = broadcast(node.shapes[0], node.shape) or range(len(row))  # type: ignore[assignment]
        return [row[place] for place in places]

    def side_by_side(self, reads: Iterable[int]) -> list[Entry]:
        """Return the entries of several nodes; those that do not vary tell nothing apart."""
        nodes = [self.network.nodes[read] for read in reads]
        return [entry for node in nodes for entry in self.entries.get(node.number) or self.nothing(node)]

    def image(self, entry: Entry, how: tuple[Any, ...], zero: bool = True) -> Entry:
        """Return a one-to-one image of an entry: `how` says which function it is, `zero` whether it keeps 0."""
        return Entry(entry.column, (entry.family, how), entry.zero if zero else None)

    def with_constants(self, node: Any) -> list[Entry] | None:
        """Return entries plus what does not vary, or times what does not vary and is not 0."""
        reads = [self.network.nodes[read] for read in node.reads]
        varying = [read for read in reads if read.varies]
        if len(varying) != 1:
            return None
        size, sums = prod(node.shape), node.kind == "add"
        places = broadcast(varying[0].shape, node.shape) or range(size)
        row = [self.entries[varying[0].number][place] for place in places]
        functions: list[tuple[Any, ...]] = [(node.number,)] * size
        lost = [False] * size  # times 0
        for other in reads:
            if other.varies:
                continue
            places = broadcast(other.shape, node.shape) or range(size)
            if other.kind == "constant":
                numbers = list(map(int, other.exact.integers.entries()))
                tags: list[Any] = [numbers[place] for place in places]
                lost = [gone or (not sums and number == 0) for gone, number in zip(lost, tags, strict=True)]
            elif sums or other.kind == "inverse-root":
                tags = list(places)
            else:
                return None
            functions = [(*function, tag) for function, tag in zip(functions, tags, strict=True)]
        found = [self.image(entry, function, not sums) for entry, function in zip(row, functions, strict=True)]
        return [none if gone else entry for none, gone, entry in zip(self.nothing(node), lost, found, strict=True)]

    def units(self, node: Any) -> list[Entry] | None:
        """Return units of trained weights and biases that no ancestor uses, analytic and not constant.

        Guarantee: if a source z of a unit differs on two samples at some U, then (w z + b, w z' + b) runs through R^2
        with its weight w and bias b, the other weights 0: z and z' do not depend on these. The activation differs at
        some two numbers; the unit, analytic in U, then differs at almost every U. The positions of a filter with one
        bias are the same function of what they read: there the same holds of any two positions and samples.
        """
        inner = self.network.nodes[node.reads[0]]
        if inner.kind != "affine" or not inner.bias or inner.reads[-1] == inner.reads[-2]:
            return None
        sources = inner.reads[:-2]
        used = set(sources).union(*(self.below[source] for source in sources))
        trained = all(self.network.nodes[read].kind == "parameter" for read in inner.reads[-2:])
        tree = node.activation.tree
        if not (trained and used.isdisjoint(inner.reads[-2:]) and analytic(tree) and no_polynomial(tree, 0)):
            return None
        row = self.side_by_side(sources)
        tied = inner.positions > 1 and self.network.nodes[inner.reads[-1]].shape == (inner.filters,)
        groups = windows_of_affine(inner)
        filters: list[list[Entry]] = []
        for windows in groups:
            comparable = tied and self.comparable(row, windows)
            columns = self.tuples(row, windows)
            for _ in range(inner.filters // len(groups)):
                family, made = next(self.families), []
                for at, column in enumerate(columns):
                    name = (family,) if comparable else (family, at)
                    made.append(Entry(column, name, NOWHERE, node.number, not tied))
                filters.append(made)
        if inner.filters_first:
            return list(itertools.chain(*filters))
        return [made[at] for at in range(inner.positions) for made in filters]

    def comparable(self, row: list[Entry], windows: list[Any]) -> bool:
        """Return whether, slot by slot, the positions of a filter read entries of one family, or a comparable 0."""
        for slot in zip(*windows, strict=True):
            read = [row[place] for place in slot if place < len(row)]
            if len({entry.family for entry in read}) > 1 or (
                len(read) < len(slot) and any(e.zero is None for e in read)
            ):
                return False
        return True

    def tuples(self, row: list[Entry], windows: list[Any]) -> list[Column]:
        """Return for each window the classes of the tuples that it sees of the samples, numbered together.

        The place after the last is the padding's 0: its class is that of the family beside which it stands.
        """
        kept: dict[tuple[int, ...], list[Column]] = {}  # slots, those that see the same in every window once
        for slot in zip(*windows, strict=True):
            zero = next((row[place].zero for place in slot if place < len(row)), NOWHERE)
            padding = self.constant(NOWHERE if zero is None else zero)
            seen = [row[place].column if place < len(row) else padding for place in slot]
            kept.setdefault(tuple(map(id, seen)), seen)
        known: dict[Any, int] = {}
        return [ranks(zip(*columns, strict=True), known) for columns in zip(*kept.values(), strict=True)]

    def constant(self, number: int) -> Column:
        """Return a column of one class, always the same object for one class."""
        return self.constants.setdefault(number, (number,) * self.samples)

    def averages(self, node: Any) -> list[Entry] | None:
        """Return means or sums over units of one filter with one bias, or of units with biases of their own.

        Guarantee: let the values differ in classes on two samples, or at two entries of one family. One bias: the
        multisets of the units' classes differ. At almost every U what units of different classes read are different
        vectors, so that each vector v has one class. The difference is sum_v c_v sigma(<w, v> + b) over different
        vectors v, at most 2 n of them, with whole numbers c_v; those of one class add up to how often it occurs more,
        which is not 0 for all classes. So not all c_v are 0, and by Lemma S' it is not 0 for some w and b. Own
        biases: some unit's source differs, z != z'; in its bias b the difference is sigma(w z + b) - sigma(w z' + b)
        and what does not depend on b. Were that 0 for all w and b, sigma' would have every period and be constant.
        """
        if node.how == "max":
            return None
        row = self.entries[node.reads[0]]
        places = pool_places(node) if node.kind == "pool" else list(range(len(row)))
        windows = [places[start : start + node.length] for start in range(0, len(places), node.length)]
        inside = [[place for place in window if place < len(row)] for window in windows]
        units = {entry.unit for entry in row}
        unit = units.pop()
        if unit is None or units or not all(inside):
            return None
        tree = self.network.nodes[unit].activation.tree
        if all(entry.own for entry in row) and no_polynomial(tree, 1):
            seen = [[row[place].column for place in window] for window in inside]
            names: list[Any] = [(next(self.families),) for _ in inside]
            return self.means(seen, names, tuple)
        one = all(len({row[place].family for place in window}) == 1 for window in inside)
        if not one or not no_polynomial(tree, 2 * node.length - 2):
            return None
        seen = [sorted((row[place].column for place in window), key=id) for window in inside]
        names = [(row[window[0]].family, node.number) for window in inside]
        return self.means(seen, names, lambda classes: tuple(sorted(classes)))

    def means(self, windows: list[list[Column]], names: list[Any], of: Any) -> list[Entry]:
        """Return entries whose classes are those of the tuples, or of the multisets, that windows see."""
        known, made, found = dict[Any, int](), dict[tuple[int, ...], Column](), list[Entry]()
        for columns, name in zip(windows, names, strict=True):
            key = tuple(map(id, columns))
            if key not in made:
                made[key] = ranks(map(of, zip(*columns, strict=True)), known)
            found.append(Entry(made[key], name, NOWHERE))
        return found


def check_given_data(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim A.data: at almost every U, rank Psi(U) = N on the samples of the certificate.

    Guarantee: on the certificate's samples almost every U has rank Psi(U) = N. Let j_1, .., j_K be the units, layer by
    layer, K = N, or K = N - 1 and the column of ones first; no two of them are positions of one filter. Nothing but j_r
    uses its weights and its bias: nodes are read by later ones only, so that neither its source nor the columns before
    it depend on them. As in rule A, at almost every U the columns before j_r are independent if they are at one, and
    the source of j_r has different values on all samples; then some weights and bias of j_r put its column outside of
    the span of those before it.
    """
    require_analytic(network, "A.data")
    apart, readers, samples, total = Apart(network), readers_of(network), network.samples, 0
    message = "must be increasing nodes"
    require(increasing([part.node for part in raw.units]), raw.path + "/units", "A.data.units", message)  # Coq: A own
    for part in raw.units:
        known = part.node in apart.entries  # a node that varies
        inner = unit_layer(network, network.nodes[part.node], readers) if known else None
        message = "is not the output of units with weights and biases of their own"
        require(inner is not None, part.path + "/node", "A.data.layer", message, part.node)  # Coq: A own
        tree = network.nodes[part.node].activation.tree
        message = f"the activation is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
        # Coq: A spans
        require(no_polynomial(tree, samples - 2), part.path + "/node", "A.data.polynomial", message, part.node)
        require_entries(part, network, inner)
        for entry in part.entries:
            classes = set(apart.entries[part.node][entry].column)
            message = "a unit is not proved to read what has different values on all samples"
            # Coq: A separates
            require(len(classes) == samples, part.path + "/entries", "A.data.apart", message, entry, len(classes))
        total += len(part.entries)
    enough = total + (output_bias(network) is not None) >= samples
    message = "fewer than N units (N - 1 beside an output bias)"
    require(enough, raw.path + "/units", "A.data.units", message, total, samples)  # Coq: W0 witness_rank
    return {"statement": sentence("A.data", samples=samples), "units": total}


def require_entries(part: Any, network: Any, inner: Any) -> None:
    """Guarantee: on return the entries are columns of Psi, different ones, and units of different weights."""
    path, size = part.path + "/entries", prod(network.nodes[part.node].shape)
    shown: set[int] = set()
    for feature in network.features:
        if feature.node == part.node:
            shown |= set(range(size) if feature.entries is None else feature.entries)
    require(increasing(part.entries), path, "A.data.units", "must be strictly increasing", part.entries[:20])
    message = "are not all columns of Psi"
    require(shown.issuperset(part.entries), path, "A.data.units", message, part.entries[:20])
    filters = [entry // inner.positions if inner.filters_first else entry % inner.filters for entry in part.entries]
    message = "two units are positions of one filter, which share their weights"
    require(len(set(filters)) == len(filters), path, "A.data.units", message, part.entries[:20])  # Coq: A own
