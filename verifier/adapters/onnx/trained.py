"""Which initialisers of a model are trained parameters, the parts of U, and which are fixed numbers.

ONNX does not say it. An initialiser of floats is taken as trained where it is read as weights are: as a factor of
MatMul, Gemm, Conv or Einsum whose other factor is data; as their bias; as gain or shift of a normalisation; as the
table of an embedding; as weights of an RNN, GRU or LSTM; as the slopes of PRelu. So are arrays of more than one number
that are added to, multiplied with or put beside values behind a weight: positional embeddings, layer scales, class
tokens. What meets the input itself (a mean and a standard deviation, 255) is fixed; so are single numbers, running
statistics, masks, and the constants of Constant nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np

from verifier.adapters.onnx.reading import Model, refuse
from verifier.errors import nearest, one_line

SLOTS: Final[dict[str, tuple[int, ...]]] = {
    "MatMul": (0, 1),
    "Gemm": (0, 1, 2),
    "Einsum": tuple(range(16)),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1, 2),
    "PRelu": (1,),
    "Gather": (0,),
    "RNN": (1, 2, 3),
    "GRU": (1, 2, 3),
    "LSTM": (1, 2, 3, 7),
}
"""Inputs that are read as weights, by operator."""
LOGIC: Final = ("Shape", "Size", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Not", "And", "Or", "Xor")
"""Operators whose results hold no trained number."""
COMBINE: Final = ("Add", "Sub", "Mul", "Concat", "Sum", "Where")
"""Operators whose other inputs may be trained where one is behind a weight."""
MOVES: Final = (
    "Identity",
    "Cast",
    "Transpose",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Split",
    "Concat",
    "Expand",
)
"""Operators that keep even a single number what it is."""
MASKED: Final = -1e4
"""Numbers of this size or below are a mask's minus infinity."""


def trained_names(model: Model, frozen: str | Sequence[str] = (), trained: str | Sequence[str] = ()) -> tuple[str, ...]:
    """The initialisers that are parameters of U, in the model's order.

    Parameters
    ----------
    model : Model
        The model.
    frozen : str or sequence of str
        Initialisers to be held fixed, by name or pattern: ``"encoder.*"``.
    trained : str or sequence of str
        Initialisers that are trained, wherever they are read.

    Returns
    -------
    tuple of str
        Names.

    Raises
    ------
    InputError
        A pattern that fits no initialiser.
    """
    floats = [name for name, array in model.arrays.items() if _is_float(array)]
    chosen = {*_Search(model).found(), *_named(floats, trained, "trained")} - _named(floats, frozen, "frozen")
    return tuple(name for name in model.arrays if name in chosen)


def _named(names: Sequence[str], patterns: str | Sequence[str], argument: str) -> set[str]:
    """Return the names of the initialisers that the patterns match."""
    found: set[str] = set()
    for pattern in (patterns,) if isinstance(patterns, str) else tuple(patterns):
        if not isinstance(pattern, str):
            refuse(f'{argument} has {one_line(pattern)}; give names or patterns of initialisers, such as "encoder.*"')
        matches = {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            refuse(f"{argument}: no initialiser is called {one_line(pattern)}; {nearest(pattern, names)}")
        found |= matches
    return found


class _Search:
    def __init__(self, model: Model) -> None:
        self.model = model
        floats = {name for name, array in model.arrays.items() if _is_float(array)}
        self.sources = {name: frozenset({name}) for name in floats}  # of values without data: what they are made of
        self.data = {model.input}
        self.behind: set[str] = set()
        self.products: set[str] = set()  # outputs of MatMul itself, which a bias follows
        self.trained: set[str] = set()

    def found(self) -> list[str]:
        for node in self.model.nodes:
            self._visit(node)
        return [name for name in self.model.arrays if name in self.trained]

    def _visit(self, node: Any) -> None:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                self._visit_body(body, node.output)
        reads = [name for name in node.input if name]
        if not any(name in self.data for name in reads):
            return self._without_data(node, reads)
        if node.op_type in ("Shape", "Size"):
            return None
        weights = [name for place, name in enumerate(node.input) if place in SLOTS.get(node.op_type, ())]
        taken = frozenset[str]().union(*(self.sources.get(name, frozenset()) for name in weights))
        behind = any(name in self.behind for name in reads)
        if node.op_type in COMBINE:
            after = any(name in self.products for name in reads)
            chosen = reads[1:] if node.op_type == "Where" else reads
            others = frozenset[str]().union(*(self.sources.get(name, frozenset()) for name in chosen))
            taken = frozenset(name for name in others if behind and self._is_array(name, after))
        self.trained |= taken
        self.data.update(node.output)
        if behind or taken:
            self.behind.update(node.output)
        if node.op_type in ("MatMul", "Einsum") and taken:
            self.products.update(node.output)
        return None

    def _visit_body(self, body: Any, outputs: Sequence[str]) -> None:
        """A branch of a choice, whose results are the node's."""
        for inner in body.node:
            self._visit(inner)
        for name, value in zip(outputs, body.output, strict=False):
            for known in (self.data, self.behind):
                if value.name in known:
                    known.add(name)

    def _without_data(self, node: Any, reads: list[str]) -> None:
        found = frozenset[str]().union(*(self.sources.get(name, frozenset()) for name in reads))
        if node.op_type not in MOVES:
            found = frozenset(name for name in found if self.model.arrays[name].size > 1)
        for name in node.output if node.op_type not in LOGIC else ():
            self.sources[name] = found

    def _is_array(self, name: str, after_product: bool) -> bool:
        """Whether an initialiser is more than a number, a mask aside; one behind a product may be a single bias."""
        array = np.asarray(self.model.arrays[name], dtype=np.float64)
        several = array.size > 1 or (after_product and array.ndim > 0)
        mask = set(np.unique(array).tolist()) == {0.0, 1.0} or (array <= MASKED).any()
        return several and bool(np.isfinite(array).all()) and not mask


def _is_float(array: np.ndarray[Any, Any]) -> bool:
    return bool(array.dtype.kind == "f" or array.dtype.name == "bfloat16")
