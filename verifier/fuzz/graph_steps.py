"""How a node of each kind is drawn, from the nodes there are, with parameters, masks and windows that fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, Literal, TypeVar

import numpy as np
from hypothesis import strategies as st

from verifier.errors import NetworkError
from verifier.fuzz.node_values import RATIONAL_KINDS
from verifier.network import nodes as kinds
from verifier.network.builder import Builder
from verifier.network.nodes import KINDS
from verifier.sigma.activations import activation

T = TypeVar("T")
Shape = tuple[int, ...]

MAX_ENTRIES: Final = 24
"""Entries of a node: larger ones take the oracles too long."""
TOKENS: Final = 3
"""Rows of an embedding's table."""
READING: Final = tuple(kind for kind in KINDS if kind not in ("input", "parameter", "constant"))
"""The kinds that are drawn; leaves come with them."""
OFTEN: Final = ("attend", "contract", "attend", "normalise", "softmax", "contract")
"""Kinds that fit few nodes, and are tried more often."""
RATIONAL: Final = tuple(kind for kind in READING if kind in RATIONAL_KINDS)
"""The kinds that map rational numbers to rational numbers, if their activations do."""


class Drawing:
    """A graph in the making, whose nodes are drawn one after the other."""

    def __init__(self, draw: st.DrawFn, shape: Shape, names: st.SearchStrategy[str]) -> None:
        self.draw, self.names = draw, names
        self.build = Builder(shape)
        self.pool = [0]

    def shape(self, node: int) -> Shape:
        """The shape of a node."""
        return self.build.shapes[node]

    def flag(self) -> bool:
        """Draw true or false; it shrinks to false."""
        return self.draw(st.booleans())

    def number(self, low: int, high: int) -> int:
        """An integer between two others, which are included."""
        return self.draw(st.integers(low, high))

    def one(self, values: Sequence[T]) -> T:
        """Draw one of several values; it shrinks to the first."""
        return self.draw(st.sampled_from(values))

    def node(self, axes: int = 0) -> int:
        """A node with at least so many axes."""
        fitting = [node for node in self.pool if len(self.shape(node)) >= axes]
        if not fitting:
            raise NetworkError("no node has so many axes")
        return self.one(fitting)

    def parameter(self, shape: Shape) -> int:
        """A new parameter, or one of this shape again."""
        known = [node for node in self.build.names.values() if self.shape(node) == shape]
        if known and self.flag():
            return self.one(known)
        return self.build.parameter(f"p{len(self.build.nodes)}", shape)

    def dyadic(self, shape: Shape) -> int:
        """Draw a constant node of eighths between -2 and 2, and return its index."""
        count = math.prod(shape)
        entries = self.draw(st.lists(st.integers(-16, 16), min_size=count, max_size=count))
        return self.build.constant(np.array(entries, dtype=np.float64).reshape(shape) / 8.0)

    def mask(self, shape: Shape) -> int:
        """A constant of zeros and ones, at least one of them in each row."""
        count = math.prod(shape)
        found = np.array(self.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.float64)
        found = found.reshape(shape)
        found[..., self.number(0, shape[-1] - 1)] = 1.0
        return self.build.constant(found)

    def partner(self, node: int) -> int:
        """A node, parameter or constant that broadcasts to a node."""
        alike = [other for other in self.pool if self.shape(other) == self.shape(node)]
        if self.flag():
            return self.one(alike)
        shape = tuple(1 if self.number(0, 3) == 3 else n for n in self.shape(node))
        shape = shape[self.number(0, len(shape)) :]
        return self.parameter(shape) if self.flag() else self.dyadic(shape)

    def window(self, space: Shape, groups: int = 1) -> kinds.Window:
        """A window that may fit a space of this shape."""
        kernel = tuple(self.number(1, n) for n in space)
        padding = tuple(self.number(0, k - 1) for k in kernel)
        stride, dilation = tuple(self.number(1, 2) for _ in space), tuple(self.number(1, 2) for _ in space)
        return kinds.Window(kernel, stride, padding, dilation, groups)

    def affine(self) -> int:
        """Add a node of kind affine; `NetworkError` if none fits."""
        over = self.one(["all", "last", "window"])
        source = self.node({"all": 0, "last": 1, "window": 2}[over])
        sources, shape = [source], self.shape(source)
        units, bias = self.number(1, 3), self.one([None, "tied", "per-unit"])
        reads: kinds.Window | Literal["all", "last"] = "all"
        if over == "window":
            groups = 2 if shape[0] % 2 == 0 and self.flag() else 1
            reads, units = self.window(shape[1:], groups), units * groups
            weight = self.parameter((units, shape[0] // groups, *reads.kernel))
        elif over == "last":
            fitting = [n for n in self.build.names.values() if self.shape(n)[1:] == shape[-1:]]
            weight = self.one(fitting) if fitting and self.flag() else self.parameter((units, shape[-1]))
            reads, units = "last", self.shape(weight)[0]
        else:
            sources += [self.node()] if self.flag() else []
            weight = self.parameter((units, sum(math.prod(self.shape(node)) for node in sources)))
        if self.flag():
            weight = self.build.add(kinds.Multiply((weight, self.mask(self.shape(weight)))))
        plain = kinds.Affine((*sources, weight), reads, False)
        if bias is None:
            return self.build.add(plain)
        out = plain.shape([self.shape(node) for node in (*sources, weight)])
        shift = self.parameter((units,) if bias == "tied" else out)
        return self.build.add(kinds.Affine((*sources, weight, shift), reads, True))

    def map(self) -> int:
        """Add a node of kind map; `NetworkError` if none fits."""
        return self.build.map(self.node(), activation(self.draw(self.names)))

    def add(self) -> int:
        """Add a node of kind add; `NetworkError` if none fits."""
        node = self.node()
        more = (node,) if self.flag() else ()
        return self.build.add(kinds.Add((node, self.partner(node), *more)))

    def multiply(self) -> int:
        """Add a node of kind multiply; `NetworkError` if none fits."""
        node = self.node()
        return self.build.add(kinds.Multiply((self.partner(node), node)))

    def gate(self) -> int:
        """Add a node of kind gate; `NetworkError` if none fits."""
        node = self.node()
        return self.build.add(kinds.Gate((node, self.partner(node), self.partner(node))))

    def fraction(self) -> Fraction:
        """A rational number, not 0."""
        return Fraction(self.number(1, 9), self.one([7, 8, -3]))

    def scale(self) -> int:
        """Add a node of kind scale; `NetworkError` if none fits."""
        return self.build.add(kinds.Scale((self.node(),), self.fraction()))

    def epsilon(self) -> Fraction:
        """Draw an epsilon from 1/4 down to 0."""
        return self.one([Fraction(1, 4), Fraction(1, 1000), Fraction(1, 2**30), Fraction(0)])

    def inverse_root(self) -> int:
        """Add a node of kind inverse-root; `NetworkError` if none fits."""
        node = self.node()
        square = self.build.add(kinds.Multiply((node, node))) if self.number(0, 3) else node
        return self.build.add(kinds.InverseRoot((square,), self.epsilon()))

    def normalise(self) -> int:
        """Add a node of kind normalise; `NetworkError` if none fits."""
        return self.build.add(kinds.Normalise((self.node(1),), self.epsilon(), self.flag()))

    def contract(self) -> int:
        """Add a node of kind contract; `NetworkError` if none fits."""
        node = self.node(2)
        if self.flag():
            return self.build.add(kinds.Contract((node, node), True))
        *_, inner = self.shape(node)
        turned, columns = self.flag(), self.number(1, 3)
        other = self.parameter((columns, inner) if turned else (inner, columns))
        return self.build.add(kinds.Contract((node, other), turned))

    def softmax(self) -> int:
        """Add a node of kind softmax; `NetworkError` if none fits."""
        node = self.node(1)
        more = (self.mask(self.shape(node)),) if self.flag() else ()
        return self.build.add(kinds.Softmax((node, *more)))

    def attend(self) -> int:
        """Add a node of kind attend; `NetworkError` if none fits."""
        node = self.node(2)
        rows, channels = self.shape(node)[-2:]
        parts = [node]
        for _ in range(2):
            if self.flag():
                weight = self.parameter((channels, channels))
                parts.append(self.build.add(kinds.Affine((node, weight), "last", False)))
            else:
                parts.append(node)
        more = (self.mask((rows, rows)),) if self.flag() else ()
        return self.build.add(kinds.Attend((*parts, *more), Fraction(1, self.number(1, 3))))

    def reduce(self) -> int:
        """Add a node of kind reduce; `NetworkError` if none fits."""
        node = self.node(1)
        axes = self.number(1, len(self.shape(node)))
        return self.build.add(kinds.Reduce((node,), self.one(["sum", "mean", "max"]), axes))

    def pool_windows(self) -> int:
        """Add a node of kind pool; `NetworkError` if none fits."""
        node = self.node(2)
        return self.build.add(kinds.Pool((node,), self.one(["mean", "max"]), self.window(self.shape(node)[1:])))

    def reshape(self) -> int:
        """Add a node of kind reshape; `NetworkError` if none fits."""
        node = self.node()
        shape = self.shape(node)
        return self.build.add(kinds.Reshape((node,), (*shape[2:], math.prod(shape[:2]))))

    def permute(self) -> int:
        """Add a node of kind permute; `NetworkError` if none fits."""
        node = self.node()
        axes = self.draw(st.permutations(range(len(self.shape(node)))))
        return self.build.add(kinds.Permute((node,), tuple(axes)))

    def take(self) -> int:
        """Add a node of kind take; `NetworkError` if none fits."""
        node = self.node(1)
        axis = self.number(0, len(self.shape(node)) - 1)
        entry = st.integers(0, self.shape(node)[axis] - 1)
        return self.build.add(kinds.Take((node,), axis, tuple(self.draw(st.lists(entry, min_size=1, max_size=3)))))

    def concatenate(self) -> int:
        """Add a node of kind concatenate; `NetworkError` if none fits."""
        node = self.node(1)
        alike = [other for other in self.pool if self.shape(other) == self.shape(node)]
        axis = self.number(0, len(self.shape(node)) - 1)
        return self.build.add(kinds.Concatenate((node, self.one(alike)), axis))

    def expand(self) -> int:
        """Add a node of kind expand; `NetworkError` if none fits."""
        node = self.node()
        return self.build.add(kinds.Expand((node,), (2, *self.shape(node))))

    def embed(self) -> int:
        """Add a node of kind embed; `NetworkError` if none fits."""
        return self.build.add(kinds.Embed((0, self.parameter((TOKENS, 2) if self.flag() else (TOKENS,)))))


def _step(kind: str) -> Callable[[Drawing], int]:
    """How a node of a kind is added: by its method, or, if it reads one node and has no fields, without one."""
    name = {"pool": "pool_windows"}.get(kind, kind.replace("-", "_"))
    if hasattr(Drawing, name):
        step: Callable[[Drawing], int] = getattr(Drawing, name)
        return step
    return lambda drawing: drawing.build.add(KINDS[kind]((drawing.node(1),)))


STEPS: Final[dict[str, Callable[[Drawing], int]]] = {kind: _step(kind) for kind in READING}
"""How a node of each kind is added."""
