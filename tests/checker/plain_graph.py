"""Networks of format 2 built node by node, and their values by definition: fractions, or mpmath where they must be."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from checker_writer import Builder
from node_definitions import RULES, Undefined, filled, real, stated

from verifier.checker.container import Arrays
from verifier.checker.network import read_network
from verifier.checker.schema import ARRAY, NETWORK
from verifier.checker.schema import read as read_value

NAMES = {name: getattr(mpmath, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "atan")}
NAMES |= {"Max": max, "Min": min, "Abs": abs}


IRRATIONAL = {"normalise", "inverse-root", "softmax", "attend"}


def rational(node):
    """Whether a node maps fractions to fractions."""
    text = node.get("activation", "")
    called = any(name + "(" in text for name in NAMES if name.islower()) or "**(" in text
    return node["kind"] not in IRRATIONAL and not called


def sigma(text):
    """Return an activation."""
    return lambda t: eval(text, {**NAMES, "t": t})


def exact(x):
    """Return a number as a Fraction of Python's integers."""
    return x if isinstance(x, Fraction) else Fraction(int(x))


class Graph:
    """A network under construction, with its numbers."""

    def __init__(self, shape, inputs):
        self.builder, self.numbers, self.features = Builder(), {}, []
        self.nodes = [{"kind": "input", "reads": [], "shape": list(shape)}]
        self.inputs = [[exact(x) for x in np.ravel(np.array(sample, dtype=object))] for sample in inputs]

    def add(self, kind, *reads, **fields):
        """Add a node and return its number."""
        self.nodes.append({"kind": kind, "reads": list(reads), **fields})
        return len(self.nodes) - 1

    def leaf(self, kind, values, shape=None):
        """Add a parameter or a constant."""
        array = np.array(values, dtype=object)
        shape = list(array.shape if shape is None else shape)
        flat = [exact(x) for x in array.ravel()]
        stored = self.builder.exact(flat, shape or [1])
        number = self.add(kind, name=f"{kind}{len(self.nodes)}", shape=shape, values=stored)
        self.numbers[number] = np.array([*flat, None], dtype=object)[:-1].reshape(shape)
        return number

    def parameter(self, values, shape=None):
        return self.leaf("parameter", values, shape)

    def constant(self, values, shape=None):
        return self.leaf("constant", values, shape)

    def network(self, *features):
        """Return the document's network; features are nodes, or pairs of a node and entries."""
        pairs = [feature if isinstance(feature, tuple) else (feature, None) for feature in features]
        self.features = pairs
        count = sum(len(self.shape(n)) if e is None else len(e) for n, e in pairs)
        described = [{"node": node, "entries": entries} for node, entries in pairs]
        return {"nodes": self.nodes, "features": described, "columns": count}

    def shape(self, node):
        return np.ravel(self.values(self.inputs[0])[node])

    def values(self, sample):
        """Return the values of all nodes for one sample."""
        number = Fraction if all(map(rational, self.nodes)) else real
        found = []
        for index, node in enumerate(self.nodes):
            if index == 0:
                found.append(filled(node["shape"], map(number, sample)))
            elif index in self.numbers:
                found.append(filled(node["shape"], map(number, self.numbers[index].ravel())))
            else:
                read = [found[at] for at in node["reads"]]
                try:
                    found.append(RULES[node["kind"]](stated(node, sigma), read, number))
                except Undefined:  # a root: it has the shape of what it reads
                    found.append(np.full(read[0].shape, mpmath.nan, dtype=object))
        return found

    def psi(self, sample):
        """Return the sample's row of Psi."""
        values = self.values(sample)
        parts = [np.ravel(values[n]) if e is None else np.ravel(values[n])[e] for n, e in self.features]
        return list(np.concatenate(parts))

    def read(self, *features, network=None):
        """Read the network as the checker does."""
        document = network or self.network(*features)
        stored, arrays = self.builder.exact(self.inputs), Arrays(self.builder.arrays())
        data = arrays.exact(read_value(ARRAY, stored, "/data/inputs"), *stored["shape"])
        raw = read_value(NETWORK, document, "/network")
        return read_network(raw, data, len(self.inputs), len(self.inputs[0]), arrays)
