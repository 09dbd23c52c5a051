"""The graph: a straight-line programme of nodes, the columns of Psi that it gives, and the parameters U that it reads.

``U`` is one flat float64 vector of length p; ``views`` names its parts, one for each `Parameter` node, in the order of
the nodes. ``V`` is an ``(M, m)`` float64 array. ``Psi(U)`` has one column per feature: by node, then by entry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from verifier.errors import NetworkError
from verifier.network.arithmetic import Arithmetic
from verifier.network.nodes import Affine, Constant, Embed, Input, Node, Parameter
from verifier.network.windows import Shape

Array = NDArray[np.float64]
T = TypeVar("T")

MAX_LISTED = 8
"""The largest number of nodes to read that a message states as the most."""
UNSCALED = '; data.scale = "none" (vf.verify: data_scale="none") keeps numbers as they are'
"""What is said of tokens that are no whole numbers."""
MAX_UNITS = 2**26
"""Entries that all computed nodes may have per sample; a larger number is a typing error, not a network."""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """Name, shape and fan-in of one parameter array (``fan_in`` 0 marks biases, gains and the like)."""

    name: str
    shape: Shape
    fan_in: int

    @property
    def size(self) -> int:
        """The number of entries of the array."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A named slice of U: ``U[offset : offset + size].reshape(shape)``, the values of one node."""

    name: str
    node: int
    offset: int
    spec: ParameterSpec
    stream: tuple[int, ...] = ()

    @property
    def block(self) -> int:
        """The block that the parameter was made for; its node, if it was made for none."""
        return self.stream[0]

    def of(self, u: Array) -> Array:
        """Return the view of the flat vector ``u`` (no copy)."""
        return u[self.offset : self.offset + self.spec.size].reshape(self.spec.shape)


@dataclass(frozen=True, slots=True)
class Feature:
    """Entries of a node that are columns of Psi: flat indices in increasing order, or all if None.

    Examples
    --------
    >>> from verifier import Feature
    >>> Feature(3, (0, 2))
    Feature(node=3, entries=(0, 2))
    """

    node: int
    entries: tuple[int, ...] | None = None


class Graph:
    """What every network is: ``nodes``, the first of them the input, and ``features``."""

    nodes: tuple[Node, ...]
    features: tuple[Feature, ...]

    def check(self) -> None:
        """Validate by computing everything that depends on shapes; `NetworkError` names the node."""
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise NetworkError("network: node 0 must be the input")
        if not self.nodes[0].size or any(n < 1 for n in self.nodes[0].size):
            raise NetworkError(f"network: input shape {list(self.nodes[0].size)} must have positive entries")
        stored = (Parameter, Constant)
        pairs = zip(self.nodes, self.node_shapes, strict=True)
        if sum(math.prod(shape) for node, shape in pairs if not isinstance(node, stored)) > MAX_UNITS:
            raise NetworkError(f"network: its nodes have more than {MAX_UNITS} entries for a sample; reduce the widths")
        names = [view.name for view in self.parameters]
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise NetworkError(f"network: two parameters are called {twice!r}; read the same node for shared weights")
        for feature in self.features:
            if not 0 <= feature.node < len(self.nodes):
                raise NetworkError(f"network: a feature reads node {feature.node}, which does not exist")
            size = math.prod(self.node_shapes[feature.node])
            if feature.entries is not None:
                require_units(f"network: a feature of {self.title(feature.node)}", feature.entries, size, "entries")
        if self.columns == 0:
            raise NetworkError(
                "network: no unit is connected to the outputs; set skip = true on at least one layer, or list "
                "columns of Psi in features"
            )
        self._check_reads()

    def _check_reads(self) -> None:
        """Weights and tables do not depend on the sample; tokens and masks not on U; the input is node 0 only."""
        for index, node in enumerate(self.nodes):
            if isinstance(node, Input) and index:
                raise NetworkError(f"{self.title(index)}: only node 0 is the input")
            if isinstance(node, Affine) and any(self.varies[i] for i in node.reads[len(node.sources) :]):
                raise NetworkError(f"{self.title(index)}: its weights or biases depend on the sample; use contract")
            if isinstance(node, Embed) and (self.moves[node.reads[0]] or self.varies[node.reads[1]]):
                raise NetworkError(f"{self.title(index)}: tokens must not depend on U, nor the table on the sample")
            masked = node.kind in ("softmax", "attend") and len(node.reads) == node.arity[1]
            if masked and self.moves[node.reads[-1]]:
                raise NetworkError(f"{self.title(index)}: a mask must not depend on U")

    def title(self, index: int) -> str:
        """A node as messages call it."""
        return f"node {index} ({self.nodes[index].kind})"

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample."""
        first = self.nodes[0]
        return first.size if isinstance(first, Input) else ()

    @property
    def dimension(self) -> int:
        """The number d of input coordinates."""
        return math.prod(self.input_shape)

    @cached_property
    def node_shapes(self) -> tuple[Shape, ...]:
        """The shape of every node's tensor, one sample at a time.

        Raises
        ------
        NetworkError
            A node reads what does not come before it, or does not fit what it reads.
        """
        known: list[Shape] = []
        for index, node in enumerate(self.nodes):
            least, most = node.arity
            if not least <= len(node.reads) <= most or not all(0 <= i < index for i in node.reads):
                most_said = f"{least} to {most}" if most <= MAX_LISTED else f"at least {least}"
                count = f"{least}" if least == most else most_said
                wanted = f"{count} earlier node{'' if count == '1' else 's'}" if most else "nothing"
                raise NetworkError(f"{self.title(index)}: reads {list(node.reads)[:8]}; it reads {wanted}")
            try:
                known.append(node.shape([known[i] for i in node.reads]))
            except NetworkError as error:
                message = str(error).removeprefix(f"{node.kind}: ")
                raise NetworkError(f"{self.title(index)}: {message}") from None
        return tuple(known)

    @cached_property
    def varies(self) -> tuple[bool, ...]:
        """Whether a node depends on the sample."""
        return self._after(Input)

    @cached_property
    def moves(self) -> tuple[bool, ...]:
        """Whether a node depends on U."""
        return self._after(Parameter)

    def _after(self, kind: type[Node]) -> tuple[bool, ...]:
        """Whether a node is of a kind, or depends on one that is."""
        found: list[bool] = []
        for node in self.nodes:
            found.append(isinstance(node, kind) or any(found[i] for i in node.reads))
        return tuple(found)

    @cached_property
    def last_reader(self) -> tuple[int, ...]:
        """For each node the index of the last node that reads it; the number of nodes for features."""
        last = list(range(len(self.nodes)))
        for index, node in enumerate(self.nodes):
            for read in node.reads:
                last[read] = index
        for feature in self.features:
            last[feature.node] = len(self.nodes)
        return tuple(last)

    @cached_property
    def parameters(self) -> tuple[ParameterView, ...]:
        """The named views of U, in order."""
        views, offset = [], 0
        for index, node in enumerate(self.nodes):
            if isinstance(node, Parameter):
                spec = ParameterSpec(node.name, node.size, node.fan_in)
                views.append(ParameterView(node.name, index, offset, spec, node.stream or (index,)))
                offset += spec.size
        return tuple(views)

    @cached_property
    def parameter_count(self) -> int:
        """The number p of hidden weights and biases."""
        return sum(view.spec.size for view in self.parameters)

    def views(self, u: Array) -> dict[str, Array]:
        """Named views of the flat vector ``u`` of shape ``(p,)``; writing to a view writes to ``u``."""
        self._require_length(u)
        return {view.name: view.of(u) for view in self.parameters}

    def view(self, u: Array, name: str) -> Array:
        """One of `views`, without the others."""
        self._require_length(u)
        return self._by_name[name].of(u)

    def _require_length(self, u: Array) -> None:
        if not isinstance(u, np.ndarray) or u.shape != (self.parameter_count,):
            what = f"shape {u.shape}" if isinstance(u, np.ndarray) else f"type {type(u).__name__}"
            raise NetworkError(
                f"U has {what}; this network has p = {self.parameter_count} parameters: give a flat array of shape "
                f"({self.parameter_count},), weights and biases layer by layer, such as initialise(network)"
            )

    @cached_property
    def _by_name(self) -> dict[str, ParameterView]:
        return {view.name: view for view in self.parameters}

    @cached_property
    def columns(self) -> int:
        """M, the number of columns of Psi, and of rows of V; an output bias counts as one."""
        sizes = (math.prod(self.node_shapes[f.node]) if f.entries is None else len(f.entries) for f in self.features)
        return sum(sizes)

    @cached_property
    def output_bias(self) -> bool:
        """Whether the last column of Psi is the constant 1, so that the last row of V is an output bias."""
        last = self.nodes[self.features[-1].node]
        return isinstance(last, Constant) and last.values.shape == (1,) and bool(last.values[0] == 1.0)

    @property
    def size_words(self) -> str:
        """M in words, as outputs say it; an output bias is a column of Psi and no skip unit."""
        return columns_in_words(self.columns, self.output_bias)

    def evaluate(self, ops: Arithmetic[T], wanted: Iterable[int] | None = None) -> dict[int, T]:
        """Run the programme in an arithmetic.

        Parameters
        ----------
        ops : Arithmetic
            What the values are, and what is done with them.
        wanted : iterable of int, optional
            The nodes whose values are kept; by default those that features read. What they do not need is not computed.

        Returns
        -------
        dict
            The wanted nodes' values, by index.
        """
        kept = {feature.node for feature in self.features} if wanted is None else set(wanted)
        needed = set(kept)
        for index in range(len(self.nodes) - 1, -1, -1):
            if index in needed:
                needed.update(self.nodes[index].reads)
        last: dict[int, int] = {}
        for index in sorted(needed):
            last.update(dict.fromkeys(self.nodes[index].reads, index))
        values: dict[int, T] = {}
        for index in sorted(needed):
            node = self.nodes[index]
            values[index] = node.compute(ops, [values[i] for i in node.reads])
            for read in node.reads:
                if last[read] == index and read not in kept:
                    values.pop(read, None)
        return values


def columns_in_words(columns: int, output_bias: bool) -> str:
    """M in words: skip units, or columns of Psi, the last of which is the output bias."""
    return f"M = {columns} {'columns, the last the output bias' if output_bias else 'skip units'}"


def require_units(where: str, units: Sequence[int], size: int, key: str = "skip") -> None:
    """Refuse what are no increasing indices below ``size``.

    Raises
    ------
    NetworkError
        They are not.
    """
    if not units or list(units) != sorted(set(units)) or units[0] < 0 or units[-1] >= size:
        wanted = f"unit indices in 0..{size - 1}, true or false" if key == "skip" else f"indices in 0..{size - 1}"
        raise NetworkError(f"{where}: {key} = {list(units)[:8]} must be increasing {wanted}")
