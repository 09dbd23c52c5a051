"""Rule I: what claims say of the samples x for all U, or almost all, holds for the samples D x + c as well.

Glossary: a *view* is a node whose entries are one-to-one functions t -> a t + k of one coordinate of the input each, or
of the mean of some coordinates; of an entry its *coordinate* (one of them) and its *function* (a name, the same for the
same a and k) are known. Coordinates of one *group* have one factor and one shift in common: D is diagonal then.
"""

import itertools
from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

from .common import require
from .geometry import broadcast, permuted, taken
from .layered import own_parameter, readers_of
from .sentences import sentence
from .windowed import pool_places, windows_of_affine

CARRIED = ("W0", "A", "A.data", "E4", "S(1)", "S(2)", "S+")  # labels of claims for all U, or almost all


class View(NamedTuple):
    """Coordinates and functions of the entries; whether k may not be 0; whether a mean was taken."""

    coordinates: list[int]
    functions: list[Any]
    shifted: bool
    mean: bool


class Reading:
    """How the input is read: `matrix` if every invertible D is undone by weights, else the `groups`; `shift` if c is.

    Guarantee: otherwise Rejection. <w, D x + c> + b = <D^T w, x> + (b + <w, c>): weights that are trained and used
    nowhere else, and biases that are, change by a linear bijection. The padding's zeros ask for c = 0.
    """

    def __init__(self, network: Any, path: str) -> None:
        self.network, self.path, self.readers = network, path, readers_of(network)
        self.shown = {feature.node for feature in network.features}
        size = prod(network.nodes[0].shape)
        self.leader = list(range(size))
        self.views = {0: View(list(range(size)), [()] * size, False, False)}
        self.matrix, self.shift = True, True
        affine = [node for node in network.nodes[1:] if not self.seen(node)]
        for node in affine:
            self.weigh(node)
        self.require(bool(affine), "nothing reads the input through weights")
        self.require(self.shown.isdisjoint(self.views), "the input itself is a column of Psi")

    def require(self, holds: bool, message: str, node: Any = None) -> None:
        """Guarantee: on return this holds; else the claim of the input is rejected at the node."""
        require(holds, self.path if node is None else node.path, "I.input", message)

    def seen(self, node: Any) -> bool:
        """Return whether a node is a view, which is noted, or does not read one; otherwise it is to be affine."""
        if self.views.keys().isdisjoint(node.reads):
            return True
        view = self.view(node)
        if view is not None:
            self.views[node.number] = view
            return True
        self.require(node.kind == "affine", f"{node.kind}: reads the input itself, not through weights", node)
        return False

    def view(self, node: Any) -> View | None:
        """Return a node as a view, or None."""
        views = [self.views[read] for read in node.reads if read in self.views]
        if len(views) != 1:
            return None
        view, size = views[0], prod(node.shape)
        if node.kind in ("reshape", "scale"):  # a factor that is not 0, the same for all entries
            return view
        if node.kind == "permute":
            return self.at(view, permuted(node.shapes[0], node.axes))
        if node.kind == "take":
            return self.at(view, taken(node.shapes[0], node.axis, node.entries))
        if node.kind == "pool" and node.how == "mean" and not any(node.padding):
            places = pool_places(node)
            windows = [places[start : start + node.length] for start in range(0, len(places), node.length)]
            for window in windows:
                self.alike(view, window, node)
            return self.at(view, [window[0] for window in windows])._replace(mean=True)
        if node.kind not in ("add", "multiply"):
            return None
        found = None
        functions: list[Any] = [()] * size
        for read in node.reads:
            other = self.network.nodes[read]
            places = broadcast(other.shape, node.shape) or list(range(size))
            if read in self.views:
                found = self.at(view, places)
                continue
            if other.varies or other.moves:
                return None
            tags, known = [(read, place) for place in places], node.kind == "add" or other.kind == "inverse-root"
            if other.kind == "constant":
                numbers = list(map(int, other.exact.integers.entries()))
                tags, known = [(read, numbers[place]) for place in places], known or 0 not in numbers
            self.require(known, "may multiply a coordinate by 0", node)
            functions = [(*function, tag) for function, tag in zip(functions, tags, strict=True)]
        if found is None:
            return None
        together = list(zip(found.functions, functions, strict=True))
        return found._replace(functions=together, shifted=found.shifted or node.kind == "add")

    def at(self, view: View, places: Iterable[int]) -> View:
        """Return a view's entries at these places."""
        chosen = list(places)
        coordinates = [view.coordinates[place] for place in chosen]
        return view._replace(coordinates=coordinates, functions=[view.functions[place] for place in chosen])

    def find(self, coordinate: int) -> int:
        """Return the coordinate that stands for a group."""
        while self.leader[coordinate] != coordinate:
            self.leader[coordinate] = self.leader[self.leader[coordinate]]
            coordinate = self.leader[coordinate]
        return coordinate

    def alike(self, view: View, entries: list[int], node: Any) -> None:
        """Put the coordinates of some entries, which are of one function, into one group."""
        one = len({view.functions[entry] for entry in entries}) == 1
        self.require(one, "reads coordinates alike that were scaled or shifted differently", node)
        for entry in entries[1:]:
            self.leader[self.find(view.coordinates[entry])] = self.find(view.coordinates[entries[0]])

    def weigh(self, node: Any) -> None:
        """Note what an affine node that reads views asks of D and c."""
        sources = node.reads[: -2 if node.bias else -1]
        weight = self.network.nodes[node.reads[len(sources)]]
        masked = self.masked(weight)
        own = masked or self.own(weight)
        self.require(own and weight.number not in sources, "the weights are frozen, shared or computed", node)
        biased = False
        if node.bias:
            bias = self.network.nodes[node.reads[-1]]
            self.require(bias.number != weight.number, "the weights are the biases", node)
            biased = self.own(bias) and bias.number not in sources
        padded = node.window is not None and any(node.window.padding)
        start = 0
        for source in sources:
            size = prod(self.network.nodes[source].shape)
            if source in self.views:
                view = self.views[source]
                if padded or not biased:
                    self.shift = False
                    message = "reads the input behind a shift, and pads it or has no bias of its own"
                    self.require(not view.shifted, message, node)
                whole = not view.mean and sorted(view.coordinates) == list(range(len(self.leader)))
                self.matrix = self.matrix and node.over == "all" and whole and not masked
                if node.over != "all":
                    for slot in itertools.chain(*(zip(*windows, strict=True) for windows in windows_of_affine(node))):
                        entries = sorted({place - start for place in slot if start <= place < start + size})
                        self.alike(view, entries, node) if entries else None
            start += size

    def own(self, node: Any) -> bool:
        """Return whether a node is a parameter that one node reads and no feature shows."""
        return own_parameter(node, self.readers) and node.number not in self.shown

    def masked(self, node: Any) -> bool:
        """Return whether a node is a parameter of its own times fixed numbers, entry by entry."""
        if node.kind != "multiply" or self.readers[node.number] != 1 or node.number in self.shown:
            return False
        reads = [self.network.nodes[read] for read in node.reads]
        trained = [read for read in reads if read.kind == "parameter"]
        fixed = all(read.kind == "constant" for read in reads if read.kind != "parameter")
        return fixed and len(trained) == 1 and self.own(trained[0]) and trained[0].shape == node.shape

    def groups(self) -> int:
        """Return how many groups of coordinates there are."""
        return sum(self.find(k) == k for k in range(len(self.leader)))


def check_invariance(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim I, beside accepted claims for all U, or for almost all.

    Guarantee: for the D and c that the sentence names there is a linear bijection of R^p that carries the features, and
    with the same V the loss, on the samples D x + c to those on the samples x. It keeps null sets, closed sets, paths
    and sublevel sets. So whatever is said for all U, or almost all, on the samples x holds on the samples D x + c.
    """
    rests = [label for label in CARRIED if label in data.labels_claimed]
    message = "needs an accepted claim for all U, or almost all: W0, A, A.data, E4, S(1), S(2) or S+"
    require(bool(rests), raw.path, "I.rests", message)
    reading = Reading(network, raw.path)
    name = ("I" if reading.matrix else "I groups") + ("" if reading.shift else " factors")
    said = sentence(name, claims=", ".join(rests), groups=reading.groups())
    return {"statement": said, "groups": reading.groups()}
