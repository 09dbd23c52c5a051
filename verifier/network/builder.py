"""The builder: adds nodes one by one, names parameters, shares those of one name, freezes those that are given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from verifier.errors import NetworkError
from verifier.network.graph import Array, Feature
from verifier.network.nodes import Affine, Constant, Input, Map, Node, Parameter, Window
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation


class Builder:
    """A graph in the making. Every method that adds a node returns its index.

    Parameters
    ----------
    input_shape : tuple of int
        The shape of one sample.
    frozen : mapping of str to ndarray, optional
        Parameters that are no part of U, by name: their numbers, in the parameter's shape.

    Examples
    --------
    >>> from verifier import Builder, Network
    >>> build = Builder((2, 3))
    >>> build.feature(build.affine([0], 4, "tokens", over="last"))
    >>> Network.of(build.nodes, build.features).node_shapes[-1]
    (2, 4)
    """

    def __init__(self, input_shape: Shape, frozen: Mapping[str, Array] | None = None) -> None:
        """Begin with the input, node 0."""
        self.nodes: list[Node] = [Input(size=input_shape)]
        self.shapes: list[Shape] = [input_shape]
        self.features: list[Feature] = []
        self.frozen = dict(frozen or {})
        self.names: dict[str, int] = {}
        self.layer = 0
        """The index of the layer that is being expanded: it names streams of random numbers."""
        self._drawn = 0

    def begin(self, layer: int) -> None:
        """Begin the expansion of a layer."""
        self.layer, self._drawn = layer, 0

    def add(self, node: Node) -> int:
        """Add a node; `NetworkError` names it if shapes do not fit.

        Raises
        ------
        NetworkError
            The node does not fit what it reads.
        """
        try:
            self.shapes.append(node.shape([self.shapes[i] for i in node.reads]))
        except NetworkError as error:
            message = str(error).removeprefix(f"{node.kind}: ")
            raise NetworkError(f"node {len(self.nodes)} ({node.kind}): {message}") from None
        self.nodes.append(node)
        return len(self.nodes) - 1

    def parameter(self, name: str, shape: Shape, fan_in: int = 0) -> int:
        """A free parameter, or a frozen one; the same node again for a name that exists."""
        if name in self.names:
            known = self.names[name]
            if self.shapes[known] != shape:
                raise NetworkError(f"{name} has shape {self.shapes[known]}, and is to be shared with shape {shape}")
            return known
        if name in self.frozen:
            values = np.asarray(self.frozen[name], dtype=np.float64)
            if values.shape != shape:
                raise NetworkError(f"frozen {name} has shape {values.shape}, expected {shape}")
            found = self.add(Constant(values=values, name=name))
        else:
            found = self.add(Parameter(name=name, size=shape, fan_in=fan_in, stream=(self.layer, self._drawn)))
        self._drawn += 1
        self.names[name] = found
        return found

    def constant(self, values: Array | Sequence[float] | float, name: str = "") -> int:
        """Add a node of fixed numbers and return its index."""
        return self.add(Constant(values=np.asarray(values, dtype=np.float64), name=name))

    def statistic(self, name: str, shape: Shape, default: float) -> int:
        """Fixed numbers that come with trained weights, such as a running mean; by default all the same."""
        if name not in self.names:
            values = np.asarray(self.frozen.get(name, np.full(shape, default)), dtype=np.float64)
            if values.size != math.prod(shape):
                raise NetworkError(f"frozen {name} has shape {values.shape}, expected {shape}")
            self.names[name] = self.constant(values.reshape(shape), name)
        return self.names[name]

    def values_of(self, node: int) -> Array:
        """The numbers of a constant.

        Raises
        ------
        NetworkError
            The node is no constant.
        """
        found = self.nodes[node]
        if not isinstance(found, Constant):
            raise NetworkError(f"node {node} ({found.kind}) is no constant")
        return found.values

    def affine(
        self,
        sources: Sequence[int],
        units: int,
        name: str,
        *,
        over: Window | str = "all",
        bias: str | None = "per-unit",
    ) -> int:
        """Weights and biases of their own, ``NAME.weight`` and ``NAME.bias``, and the affine node.

        ``bias``: "per-unit" (one for each entry of the result), "tied" (one for each filter or feature), or None.
        """
        shapes = [self.shapes[i] for i in sources]
        if over != "all" and not (shapes and shapes[0]):
            raise NetworkError("affine: a number has no last axis and no channels; read it with over = 'all'")
        if isinstance(over, Window):
            inner: Shape = (sum(shape[0] for shape in shapes) // max(1, over.groups), *over.kernel)
        else:
            inner = (sum(math.prod(shape) for shape in shapes) if over == "all" else shapes[0][-1],)
        weight = self.parameter(f"{name}.weight", (units, *inner), math.prod(inner))
        plain = Affine((*sources, weight), over, False)  # type: ignore[arg-type]
        if bias is None:
            return self.add(plain)
        out = plain.shape([*shapes, self.shapes[weight]])
        shift = self.parameter(f"{name}.bias", (units,) if bias == "tied" else out)
        return self.add(Affine((*sources, weight, shift), over, True))  # type: ignore[arg-type]

    def map(self, x: int, sigma: Activation) -> int:
        """Add a node that applies an activation to every entry, and return its index."""
        return self.add(Map((x,), sigma))

    def feature(self, node: int, entries: tuple[int, ...] | None = None) -> None:
        """Connect a node's entries to the outputs, after those that are connected already."""
        self.features.append(Feature(node, entries))
