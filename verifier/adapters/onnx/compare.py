"""The network against onnx's own reference evaluation, in binary64, on random samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.onnx.reading import refuse
from verifier.adapters.onnx.reference import STASHED, evaluator
from verifier.adapters.onnx.walk import Walk, attributes_of, float_kinds, identity_node, needed_nodes
from verifier.adapters.translation.imported import Imported
from verifier.errors import one_line
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network
from verifier.network.nodes import Embed

TOLERANCE: Final = 1e-9
"""Largest difference, relative to the largest logit: rounding makes 1e-13, and a wrong conversion far more."""
TAIL: Final = frozenset(
    {"Softmax", "LogSoftmax", "Sigmoid", "Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Cast", "Transpose"}
)
"""What may follow the logits."""
SAMPLES: Final = 3
DOUBLE: Final = 11
"""ONNX's number for binary64."""


def samples_for(network: Network, kind: np.dtype[Any], count: int) -> list[Array]:
    """Random samples ``(count, d)``, of several sizes; whole numbers where they choose rows of a table."""
    random = np.random.default_rng(0)
    tables = [network.node_shapes[node.reads[1]][0] for node in network.nodes if isinstance(node, Embed)]
    shape = (count, network.dimension)
    if tables or kind.kind in "iu":
        return [random.integers(0, min(tables, default=256), shape).astype(np.float64)]
    return [random.uniform(0.0, 1.0, shape), random.standard_normal(shape)]


def require_equal(walk: Walk, output: str, found: Imported, parameters: Mapping[str, NDArray[Any]], label: str) -> None:
    """Require that the graph's logits are ONNX Runtime's on random samples.

    Parameters
    ----------
    walk : Walk
        The nodes that were translated, and what was known.
    output : str
        The model's output.
    found : Imported
        What was made of it.
    parameters : mapping of str to array
        The trained initialisers' numbers that ``found`` has.
    label : str
        The model, for messages.

    Raises
    ------
    InputError
        They differ by more than `TOLERANCE`, or cannot be computed.
    """
    logits = _before_tail(walk, output)
    reference = _Reference(walk, logits, parameters, label)
    batch = walk.translation.samples
    compared = False
    for inputs in samples_for(found.network, walk.model.input_type, SAMPLES if batch == 1 else batch):
        shape = found.network.input_shape
        runs = [inputs[start : start + batch] for start in range(0, len(inputs), batch)]
        theirs = np.concatenate([reference.logits(part.reshape(len(part), *shape), walk.axis) for part in runs])
        ours = approx_features(found.network, found.u, inputs) @ found.v
        rows = np.isfinite(theirs).all(axis=1)
        if not rows.any():
            continue
        compared = True
        if ours.shape != theirs.shape:
            refuse(
                f"{label}: its logits have shape {theirs.shape}, the network's {ours.shape}; please report this model"
            )
        scale = max(float(np.abs(theirs[rows]).max()), np.finfo(np.float64).tiny)
        difference = float(np.abs(ours[rows] - theirs[rows]).max()) / scale
        if not difference <= TOLERANCE:
            refuse(
                f"{label}: the network's logits differ from onnx's own evaluation by {difference:.1e}, relative; they "
                "would be another model's, so nothing is proved: please report this model"
            )
    if not compared:
        refuse(f"{label}: its logits are not finite on random samples; train it anew")


def _before_tail(walk: Walk, output: str) -> str:
    """The name of the logits: what the last layers that keep the minimisers read."""
    maker = {name: node for node in walk.steps for name in node.output}
    while output in maker and maker[output].op_type in TAIL:
        output = maker[output].input[0]
    return output


class _Reference:
    """The translated part of the model, its numbers in binary64; what was known stays what it was."""

    def __init__(self, walk: Walk, logits: str, parameters: Mapping[str, NDArray[Any]], label: str) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self.label, self.input = label, walk.model.input
        self.whole = walk.model.input_type.kind in "iu"
        nodes = [_in_double(node) for node in needed_nodes(walk.steps, [logits])]
        if not nodes:
            nodes = [identity_node(logits, "logits")]
        read = {name for node in nodes for name in node.input if name}
        known = {name: held for name, held in walk.values.items() if isinstance(held, np.ndarray)}
        numbers = {name: array for name, array in (known | dict(parameters)).items() if name in read}
        stored = [numpy_helper.from_array(np.array(_double(array), order="C"), name) for name, array in numbers.items()]
        kind = TensorProto.INT64 if self.whole else TensorProto.DOUBLE
        graph = helper.make_graph(
            nodes,
            "compared",
            [helper.make_tensor_value_info(self.input, kind, None)],
            [helper.make_tensor_value_info(logits, TensorProto.DOUBLE, None)],
            stored,
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", walk.model.opset)])
        self.evaluator = evaluator(proto, walk.model.opset)

    def logits(self, inputs: Array, axis: int) -> Array:
        """Their logits, ``(B, m)``, of samples ``(B, *shape)`` that the model has along an axis."""
        given = np.moveaxis(inputs.astype(np.int64) if self.whole else inputs, 0, axis)
        try:
            with np.errstate(all="ignore"):
                (found,) = self.evaluator.run(None, {self.input: given})
        except Exception as error:  # whatever an operator of the reference raises
            refuse(f"{self.label}: onnx's own evaluation fails ({one_line(str(error))}), so nothing can be compared")
        return np.asarray(found, dtype=np.float64).reshape(len(inputs), -1)


def _double(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind in "biu" else array.astype(np.float64)


def _in_double(node: Any) -> Any:
    """The node, casting to binary64 where it casts to floats, and computing in it."""
    if node.op_type in STASHED:
        kept = {name: value for name, value in attributes_of(node).items() if name != "stash_type"}
        return helper_node(node, kept | {"stash_type": DOUBLE})
    if node.op_type != "Cast" or attributes_of(node)["to"] not in float_kinds():
        return node
    return helper_node(node, {"to": DOUBLE})


def helper_node(node: Any, attributes: dict[str, Any]) -> Any:
    """The node with other attributes."""
    from onnx import helper

    return helper.make_node(node.op_type, list(node.input), list(node.output), name=node.name, **attributes)
