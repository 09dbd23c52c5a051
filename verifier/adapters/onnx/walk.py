"""All nodes of a model in order: what is known is computed by onnx, everything else becomes nodes of the network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.onnx.call import Call, Comparison, Held, Result
from verifier.adapters.onnx.one_sample import OneSample
from verifier.adapters.onnx.operators import RANDOM, RULES, reason
from verifier.adapters.onnx.reading import Model, array_of, refuse, where
from verifier.adapters.onnx.reference import evaluator
from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Known, Refused, Tensor
from verifier.errors import InputError, one_line
from verifier.network.nodes.base import MAX_ENTRIES

if TYPE_CHECKING:
    from verifier.adapters.onnx.call import Translator

Array = NDArray[Any]
METADATA = ("Shape", "Size")
"""Operators that read a tensor's shape alone, which is known."""
MOVING = frozenset(
    {
        "Identity",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Transpose",
        "Slice",
        "Split",
        "Concat",
        "Expand",
        "Shape",
    }
    | {"Size", "Tile"}
)
"""What may be done to whole numbers before they choose rows of a table."""
STATISTICS = (3, 4)
"""Mean and variance among the inputs of BatchNormalization."""
DEEPEST = 16
"""Choices (If) inside one another."""


class Walk:
    """The values of a model by name, as its nodes are visited.

    Parameters
    ----------
    model : Model
        The model.
    shape : tuple of int
        The shape of one sample.
    samples : int
        How many samples the batch has.
    trained : collection of str
        The initialisers that are parameters of U.
    axis : int, optional
        The axis of the input along which the samples lie.
    """

    def __init__(
        self, model: Model, shape: tuple[int, ...], samples: int, trained: Iterable[str], axis: int = 0
    ) -> None:
        """Begin with the input and the initialisers."""
        self.axis = axis
        self.model = model
        single = model.dimensions[axis] == 1
        self.translation: Translator = OneSample(shape, samples) if single else Translation(shape, samples)
        self.values: dict[str, Held] = {}
        self.trained = set(trained)
        self.read: frozenset[str] = frozenset()
        self.steps: list[Any] = []
        """The nodes that were translated, choices taken: what is to be compared."""
        self.whole: dict[str, bool] = {model.input: True} if model.input_type.kind in "iu" else {}
        """Tensors of whole numbers; False for those that a cast cuts off, which choose rows of tables alone."""
        self.computed: dict[str, Array] = {}
        """What was known, by name: the comparison takes these numbers, too."""
        for name, array in model.arrays.items():
            if name not in self.trained:
                self.values[name] = array
        samples_first = self.translation.input()
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(shape) + 1)]
        moved = self.translation.permute(samples_first, order) if axis else samples_first
        self.values[model.input] = moved if isinstance(moved, Tensor) else samples_first

    def run(self, outputs: Sequence[str]) -> dict[str, Held]:
        """Visit the nodes that the outputs need.

        Raises
        ------
        InputError
            A node that cannot be stated, by its name.
        """
        self._visit_all(self.model.nodes, outputs, 0)
        return {name: self._value(name) for name in outputs}

    def _visit_all(self, nodes: Sequence[Any], outputs: Sequence[str], depth: int) -> None:
        needed = needed_nodes(nodes, outputs)
        before, self.read = self.read, frozenset(name for node in needed for name in node.input) | set(outputs)
        for node in needed:
            try:
                self._visit(node, depth)
            except Refused as error:
                refuse(f"{where(node)}: {error}")
            except InputError as error:
                if str(error).startswith("from_onnx: "):
                    raise
                refuse(f"{where(node)}: {error}")
            except (ValueError, IndexError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
                why = f"{type(error).__name__}: {one_line(str(error))}"
                refuse(
                    f"{where(node)}: what it reads is not stated in this way ({why}); export the model in another way"
                )
        self.read = before

    def _value(self, name: str) -> Held:
        """What a name stands for; a trained initialiser becomes a parameter when it is first read."""
        if name not in self.values and name in self.trained:
            stored = np.asarray(self.model.arrays[name], dtype=np.float64)
            if not np.isfinite(stored).all():
                refuse(f"initialiser {one_line(name)} has entries that are not finite; train the model anew")
            self.values[name] = self.translation.parameter(name, stored)
        if name not in self.values:
            refuse(f"{one_line(name)} is read before it is computed; export the model anew")
        return self.values[name]

    def _input(self, node: Any, place: int) -> Held | None:
        """What a node reads; running statistics are fixed numbers, even where weights are the same initialiser."""
        name = node.input[place]
        if node.op_type == "BatchNormalization" and place in STATISTICS:
            name = stored_name(self.model, name)
            return self.model.arrays[name] if name in self.trained else self._value(name)
        return self._value(name) if name else None

    def _visit(self, node: Any, depth: int) -> None:
        inputs = tuple(self._input(node, place) for place in range(len(node.input)))
        if node.op_type in RANDOM:
            raise Refused(reason(node.op_type))
        if node.op_type == "If":
            return self._choose(node, inputs, depth)
        if not any(isinstance(held, Tensor | Comparison) for held in inputs) and node.op_type not in METADATA:
            return self._compute(node, inputs)
        self._check_whole(node)
        names, outputs = self._names(node), tuple(node.output)
        attributes = attributes_of(node)
        call = Call(node.op_type, self.model.opset, inputs, names, attributes, outputs, self.translation, self.read)
        if node.op_type not in RULES:
            raise Refused(reason(node.op_type))
        found = RULES[node.op_type](call)
        self.steps.append(node)
        results: Sequence[Result | None] = [found] if isinstance(found, Known | Tensor | Comparison) else found
        for name, value in zip(node.output, results, strict=False):
            if name and value is not None:
                self._keep(name, value.array if isinstance(value, Known) else value)
        return None

    def _names(self, node: Any) -> tuple[str, ...]:
        """What inputs are called; statistics that are the initialiser of a weight, too, have a name of their own."""
        shared = node.op_type == "BatchNormalization"
        return tuple(
            f"{name} (statistics)" if shared and place in STATISTICS and name in self.trained else name
            for place, name in enumerate(node.input)
        )

    def _check_whole(self, node: Any) -> None:
        """Whole numbers choose rows of tables, or are cast to floats before anything is computed with them."""
        whole = [self.whole[name] for name in node.input if name in self.whole]
        if node.op_type == "Cast":
            if attributes_of(node)["to"] not in float_kinds():
                self.whole[node.output[0]] = all(whole) and bool(whole)
            elif not all(whole):
                raise Refused("floats are cut to whole numbers, which jump; only rows of a table may be chosen by them")
        elif not whole:
            return
        elif node.op_type in MOVING:
            self.whole.update(dict.fromkeys(node.output, all(whole)))
        elif not (node.op_type == "Gather" and node.input[1] in self.whole and node.input[0] not in self.whole):
            if not (node.op_type == "OneHot" and node.input[0] in self.whole):
                raise Refused("computes with whole numbers that depend on the data; cast them to floats first")

    def _keep(self, name: str, held: Held) -> None:
        self.values[name] = held
        if isinstance(held, np.ndarray):
            self.computed[name] = held

    def _compute(self, node: Any, inputs: Sequence[Held | None]) -> None:
        """A node of known numbers, by onnx's own reference operator, in the model's own types."""
        arrays = {name: held for name, held in zip(node.input, inputs, strict=True) if isinstance(held, np.ndarray)}
        require_size(node.op_type, [held for held in inputs if isinstance(held, np.ndarray)])
        try:
            results = evaluated(node, arrays, self.model.opset)
        except InputError:
            raise
        except Exception as error:  # whatever an operator of the reference raises
            raise Refused(f"it cannot be computed ({one_line(str(error))}); export the model anew") from None
        for name, result in zip([name for name in node.output if name], results, strict=True):
            self._keep(name, result)

    def _choose(self, node: Any, inputs: Sequence[Held | None], depth: int) -> None:
        """The branch that a known condition takes."""
        if not isinstance(inputs[0], np.ndarray):
            raise Refused(reason("If"))
        if depth >= DEEPEST:
            raise Refused(f"more than {DEEPEST} choices inside one another; export a simpler model")
        branches = {attribute.name: attribute.g for attribute in node.attribute}
        body = branches["then_branch" if bool(np.ravel(inputs[0])[0]) else "else_branch"]
        for tensor in body.initializer:
            self._keep(tensor.name, array_of(tensor, f"initialiser {one_line(tensor.name)}"))
        names = [value.name for value in body.output]
        self._visit_all(tuple(body.node), names, depth + 1)
        for outer, inner in zip(node.output, names, strict=True):
            self._keep(outer, self._value(inner))
            if isinstance(self.values[outer], Tensor):
                self.steps.append(identity_node(inner, outer))


def require_size(kind: str, arrays: Sequence[Array]) -> None:
    """Refuse operators whose result would not fit into memory.

    Raises
    ------
    Refused
        It would have more entries than a node of a network may.
    """
    sizes: Iterable[Any] = ()
    if kind in ("ConstantOfShape", "Expand", "Tile") and arrays:
        sizes = np.ravel(arrays[-1]).tolist()
    elif kind == "Range":
        start, limit, step = (float(np.ravel(array)[0]) for array in arrays)
        sizes = (abs(limit - start) / abs(step) if step else 0,)
    elif kind in ("OneHot", "Pad", "Resize", "Upsample", "EyeLike"):
        sizes = (max((float(np.abs(array).max()) for array in arrays[1:] if array.size), default=0.0),)
    if math.prod(max(1, abs(size)) for size in sizes) > MAX_ENTRIES:
        raise Refused(f"its result would have more than {MAX_ENTRIES} entries; export a smaller model")


def statistics(model: Model) -> set[str]:
    """The initialisers that are read as running statistics."""
    norms = (node for node in model.nodes if node.op_type == "BatchNormalization")
    return {stored_name(model, node.input[place]) for node in norms for place in STATISTICS}


def stored_name(model: Model, name: str) -> str:
    """The initialiser behind copies of it, or the name itself."""
    maker = {out: node.input[0] for node in model.nodes if node.op_type == "Identity" for out in node.output}
    while name in maker and name not in model.arrays:
        name = maker[name]
    return name


def needed_nodes(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """The nodes that outputs depend on, in order; what a body reads of its surroundings counts."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            found.append(node)
            wanted.update(_reads(node))
    return found[::-1]


def _reads(node: Any) -> Iterable[str]:
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _reads(inner)
            yield from (value.name for value in body.output)


def identity_node(source: str, name: str) -> Any:
    """A node that gives a value another name."""
    from onnx import helper

    return helper.make_node("Identity", [source], [name])


def float_kinds() -> tuple[int, ...]:
    """ONNX's numbers for the types of floats."""
    from onnx import TensorProto as kinds

    return kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16


def attributes_of(node: Any) -> dict[str, Any]:
    """The attributes of a node as Python has them."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def evaluated(node: Any, arrays: dict[str, Array], opset: int) -> list[Array]:
    """The outputs of one node by onnx's reference evaluator.

    Parameters
    ----------
    node : NodeProto
        The node.
    arrays : dict of str to array
        Its inputs.
    opset : int
        The version of ai.onnx.

    Returns
    -------
    list of array
        For each output that has a name.

    Raises
    ------
    InputError
        It stores numbers that are not read here.
    """
    from onnx import helper

    if node.op_type == "Constant":
        for attribute in node.attribute:
            if attribute.name == "value":
                return [array_of(attribute.t, "a constant")]
    names = [name for name in node.output if name]
    inputs = [helper.make_tensor_value_info(name, kind_of(array), None) for name, array in arrays.items()]
    outputs = [helper.make_tensor_value_info(name, 0, None) for name in names]
    graph = helper.make_graph([node], "one", inputs, outputs)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    results: list[Array] = [np.asarray(found) for found in evaluator(proto, opset).run(None, arrays)]
    odd = next((found for found in results if found.dtype.kind not in "biuf" and found.dtype.name != "bfloat16"), None)
    if odd is not None:
        raise Refused(f"its result has type {odd.dtype}; only real numbers are stated here")
    return results


def kind_of(array: Array) -> int:
    """ONNX's number for a type of NumPy."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))
