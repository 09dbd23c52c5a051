"""Networks of format 2 built node by node, and their definition once more: NumPy arrays of exact or mpmath numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
from checker_writer import Builder

from verifier.checker.container import Arrays
from verifier.checker.network import read_network
from verifier.checker.schema import ARRAY, NETWORK
from verifier.checker.schema import read as read_value

NAMES = {name: getattr(mpmath, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "atan")}
NAMES |= {"Max": max, "Min": min, "Abs": abs}


def sigma(text, t):
    """Return the value of an activation, exact where only rational operations occur."""
    transcendental = any(name + "(" in text for name in NAMES if name.islower()) or "**(" in text
    return eval(text, {**NAMES, "t": real(t) if transcendental else t})


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
        found = []
        for number, node in enumerate(self.nodes):
            if number == 0:
                found.append(np.array([*sample, None], dtype=object)[:-1].reshape(node["shape"]))
            elif number in self.numbers:
                found.append(self.numbers[number])
            else:
                found.append(value_of(node, [found[read] for read in node["reads"]]))
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


def number(pair):
    return Fraction(int(pair[0]), int(pair[1]))


def real(value):
    """Return an mpmath number of an exact one."""
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


reals = np.vectorize(real, otypes=[object])


def windows(x, node):
    """Yield positions and the windows (channels, *kernel) of an array, padded with zeros, and where they are inside."""
    pads = [(0, 0), *((p, p) for p in node["padding"])]
    whole = np.pad(x, pads, constant_values=Fraction(0))
    inside = np.pad(np.ones(x.shape, dtype=bool), pads)
    extents = [(k - 1) * d + 1 for k, d in zip(node["kernel"], node["dilation"], strict=True)]
    counts = [(n - k) // s + 1 for n, k, s in zip(whole.shape[1:], extents, node["stride"], strict=True)]
    for at in itertools.product(*map(range, counts)):
        cut = zip(at, node["stride"], extents, node["dilation"], strict=True)
        where = (slice(None), *(slice(a * s, a * s + e, d) for a, s, e, d in cut))
        yield at, whole[where], inside[where]


def affine_value(node, read):
    bias, weight = (read[-1], read[-2]) if node["bias"] else (None, read[-1])
    sources, over = read[: -2 if node["bias"] else -1], node["over"]
    flat = weight.reshape(weight.shape[0], -1)
    if over == "all":
        result = flat @ np.concatenate([np.ravel(s) for s in sources])
    elif over == "last":
        result = sources[0] @ flat.T
    else:
        x = np.concatenate(sources)
        size, filters = len(x) // over["groups"], len(weight) // over["groups"]
        columns = {}
        for at, window, _ in windows(x, over):
            parts = [window[f // filters * size : (f // filters + 1) * size] for f in range(len(weight))]
            columns[at] = [(weight[f] * part).sum() for f, part in enumerate(parts)]
        counts = [max(at[k] for at in columns) + 1 for k in range(len(over["kernel"]))]
        result = np.empty((len(weight), *counts), dtype=object)
        for at, column in columns.items():
            result[(slice(None), *at)] = column
    if bias is None:
        return result
    if over not in ("all", "last") and bias.ndim == 1:
        bias = bias.reshape(-1, *[1] * (result.ndim - 1))
    return result + bias


def softmax(scores, mask):
    e = np.vectorize(mpmath.exp, otypes=[object])(reals(scores)) * (1 if mask is None else reals(mask))
    return e / e.sum(axis=-1, keepdims=True)


def root(x):
    return np.vectorize(mpmath.sqrt, otypes=[object])(reals(x))


def value_of(node, read):
    """Return the value of a node, from the values of what it reads."""
    kind, x = node["kind"], read[0]
    if kind == "affine":
        return affine_value(node, read)
    if kind == "map":
        return np.vectorize(lambda t: sigma(node["activation"], t), otypes=[object])(x)
    if kind == "add":
        return sum(read[1:], x)
    if kind == "multiply":
        for other in read[1:]:
            x = x * other
        return x
    if kind == "gate":
        return (1 - x) * read[1] + x * read[2]
    if kind == "scale":
        return x * (number(node["factor"]) if isinstance(x.ravel()[0], Fraction) else real(number(node["factor"])))
    if kind == "inverse-root":
        return 1 / root(reals(x) + real(number(node["epsilon"])))
    if kind == "normalise":
        x = reals(x)
        y = x - x.mean(axis=-1, keepdims=True) if node["centre"] else x
        return y / root((y * y).mean(axis=-1, keepdims=True) + real(number(node["epsilon"])))
    if kind == "softmax":
        return softmax(x, read[1] if len(read) > 1 else None)
    if kind == "attend":
        q, k, v = map(reals, read[:3])
        scores = mpmath.sqrt(real(number(node["square"]))) * (q @ np.swapaxes(k, -1, -2))
        return softmax(scores, read[3] if len(read) > 3 else None) @ v
    if kind == "contract":
        return x @ (np.swapaxes(read[1], -1, -2) if node["transposed"] else read[1])
    if kind == "reduce":
        flat = x.reshape(*x.shape[: x.ndim - node["axes"]], -1)
        size = flat.shape[-1]
        whole = {"sum": flat.sum(axis=-1), "max": flat.max(axis=-1)}.get(
            node["how"], flat.sum(axis=-1) / Fraction(size)
        )
        return np.array(whole, dtype=object)
    if kind == "pool":
        result = {}
        for at, window, inside in windows(x, node):
            for channel, (part, real_ones) in enumerate(zip(window, inside, strict=True)):
                mean = part.sum() / Fraction(part.size)
                result[(channel, *at)] = mean if node["how"] == "mean" else max(part[real_ones])
        shape = [max(at[k] for at in result) + 1 for k in range(1 + len(node["kernel"]))]
        found = np.empty(shape, dtype=object)
        for at, value in result.items():
            found[at] = value
        return found
    if kind in ("reshape", "expand"):
        shape = node["shape"]
        return x.reshape(shape) if kind == "reshape" else np.broadcast_to(x, shape)
    if kind == "permute":
        return x.transpose(node["axes"])
    if kind == "take":
        return np.take(x, node["entries"], axis=node["axis"])
    if kind == "concatenate":
        return np.concatenate(read, axis=node["axis"])
    if kind == "embed":
        return read[1][x.astype(int)]
    raise ValueError(kind)
