"""An ONNX file as nodes and exact arrays; what cannot be stated as a whole is refused here, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from verifier.data.files import MAX_BYTES, read_regular
from verifier.errors import InputError, one_line

LEAST_OPSET: Final = 9
GREATEST_OPSET: Final = 28
"""Operators are read as these versions of ai.onnx define them; a later one may define them in another way."""
STANDARD: Final = ("", "ai.onnx")
"""Names of the domain whose operators are known."""
INLINE: Final = "onnx.save(model, path, save_as_external_data=False), or torch.onnx.export(..., external_data=False)"
Dimensions = tuple[int | str, ...]


def refuse(what: str) -> NoReturn:
    """Raise the one line that says why a file is not read.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(f"from_onnx: {what}")


def where(node: Any) -> str:
    """A node as messages call it: by its name, else by its first output."""
    name = node.name or (node.output[0] if node.output else "")
    return f"node {one_line(name)} ({node.op_type})"


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose functions are inlined, with one real input.

    Parameters
    ----------
    label : str
        What messages call it: the file's name.
    opset : int
        The version of ai.onnx.
    nodes : tuple of NodeProto
        In the order of computation.
    arrays : dict of str to array
        The initialisers in their own types, exactly.
    input, input_type
        The name of the one input that is no initialiser, and its type as NumPy has it.
    dimensions : tuple of int or str
        Its shape, a name (``"?"`` if it has none) for what is not fixed.
    outputs : tuple of str
        Names.
    """

    label: str
    opset: int
    nodes: tuple[Any, ...]
    arrays: dict[str, NDArray[Any]]
    input: str
    input_type: np.dtype[Any]
    dimensions: Dimensions
    outputs: tuple[str, ...]

    def with_nodes(self, nodes: tuple[Any, ...]) -> Model:
        """The same model of other nodes."""
        return replace(self, nodes=nodes)


def read_model(source: str | Path | Any) -> Model:
    """Read a file, or take a ``ModelProto``.

    Parameters
    ----------
    source : str, Path or onnx.ModelProto
        What to read.

    Returns
    -------
    Model
        Guarantee: arrays are exactly the numbers stored.

    Raises
    ------
    InputError
        It cannot be read, or has what is not stated here: external data, custom domains, training information, sparse
        initialisers, another number of inputs than one.
    """
    import onnx

    if isinstance(source, onnx.ModelProto):
        proto, label = source, source.graph.name or "the model"
    elif isinstance(source, str | Path):
        proto, label = _loaded(Path(source)), Path(source).name
    else:
        refuse(f"model = {one_line(source)} must be the path of an ONNX file")
    opset = _checked(proto, label)
    proto = _inlined(proto, label)
    arrays = {
        tensor.name: array_of(tensor, f"initialiser {one_line(tensor.name)}") for tensor in proto.graph.initializer
    }
    inputs = [value for value in proto.graph.input if value.name not in arrays]
    if len(inputs) != 1:
        names = ", ".join(one_line(value.name) for value in inputs) or "none"
        refuse(
            f"{label} has {len(inputs)} inputs ({names}); a network reads one: fix the others, or export one of them"
        )
    name, kind, dimensions = _input_of(inputs[0], label)
    outputs = tuple(value.name for value in proto.graph.output)
    return Model(label, opset, tuple(proto.graph.node), arrays, name, kind, dimensions, outputs)


def array_of(tensor: Any, title: str) -> NDArray[Any]:
    """The numbers of a stored tensor, in their own type.

    Raises
    ------
    InputError
        Its numbers lie in another file, are strings or complex or of a quantised type, or are not as many as its shape
        says.
    """
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        refuse(f"{title}: its numbers are in another file (external data); store them inside: {INLINE}")
    kinds = onnx.TensorProto
    plain = {kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16, kinds.BOOL, *_integers()}
    if tensor.data_type not in plain:
        known = tensor.data_type in kinds.DataType.values()
        name = kinds.DataType.Name(tensor.data_type) if known else str(tensor.data_type)
        refuse(f"{title}: type {name} is not read; use float16, bfloat16, float32, float64 or whole numbers")
    try:
        found: NDArray[Any] = np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # whatever a broken tensor raises
        refuse(f"{title}: it cannot be read ({one_line(str(error))}); export the model anew")
    return found


def _integers() -> tuple[int, ...]:
    from onnx import TensorProto as kinds

    return kinds.INT8, kinds.INT16, kinds.INT32, kinds.INT64, kinds.UINT8, kinds.UINT16, kinds.UINT32, kinds.UINT64


def _loaded(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    shown = one_line(str(path))
    try:
        content = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        refuse(f"no file {shown}; give the path of an ONNX file")
    except OSError as error:
        refuse(f"cannot read {shown}: {error.strerror or one_line(error)}")
    if not content:
        refuse(f"{shown} is empty; export the model anew")
    try:
        return onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        refuse(f"{shown} is not an ONNX file ({one_line(str(error))}); torch.onnx.export writes one")


def _checked(proto: Any, label: str) -> int:
    """Refuse what a model must not have; return its opset."""
    import onnx

    if not proto.graph.node or not proto.opset_import:
        refuse(f"{label} is not an ONNX model, or an empty one: it has no operators; torch.onnx.export writes one")
    if proto.training_info:
        refuse(f"{label} has training information; export the model for inference")
    domains = {entry.domain: entry.version for entry in proto.opset_import}
    opset = next((domains[name] for name in STANDARD if name in domains), 0)
    if not LEAST_OPSET <= opset <= GREATEST_OPSET:
        refuse(
            f"{label}: opset {opset} of ai.onnx is not read, only {LEAST_OPSET} to {GREATEST_OPSET}; export it with one"
        )
    for tensor in _tensors(proto.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            refuse(
                f"{label}: the numbers of {one_line(tensor.name)} are in another file (external data); store them "
                f"inside: {INLINE}"
            )
    if proto.graph.sparse_initializer:
        refuse(f"{label} has sparse initialisers; store them densely")
    try:
        onnx.checker.check_model(proto)
    except Exception as error:  # ValidationError, and whatever else the checker raises
        lines = [line for line in str(error).splitlines() if line.strip()]
        why = one_line(lines[0] if lines else type(error).__name__)
        refuse(f"{label} is not a valid ONNX model: {why}; export it anew")
    return int(opset)


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor that a graph stores, those of its nodes and of their bodies included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for body in (attribute.g, *attribute.graphs):
                yield from _tensors(body)


def _inlined(proto: Any, label: str) -> Any:
    """Put the bodies of the model's own functions in their places, and refuse operators of other domains."""
    if proto.functions:
        from onnx import inliner

        try:
            proto = inliner.inline_local_functions(proto)
        except Exception as error:  # the inliner's own errors are plain RuntimeErrors
            refuse(
                f"{label}: its functions cannot be put in place ({one_line(str(error))}); export it without functions"
            )
    for node in proto.graph.node:
        if node.domain not in STANDARD:
            refuse(
                f"{where(node)}: operators of the domain {one_line(node.domain)} are not read; export the model with "
                "operators of ai.onnx alone, before a runtime has optimised it"
            )
    return proto


def _input_of(value: Any, label: str) -> tuple[str, np.dtype[Any], Dimensions]:
    import onnx

    if not value.type.HasField("tensor_type"):
        refuse(f"{label}: its input {one_line(value.name)} is no tensor")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        refuse(f"{label}: the shape of its input {one_line(value.name)} is not stored; export the model with one")
    allowed = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    if tensor.elem_type not in (*allowed, *_integers()):
        refuse(f"{label}: its input {one_line(value.name)} holds neither floats nor whole numbers")
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    dimensions: list[int | str] = []
    for entry in tensor.shape.dim:
        fixed = entry.HasField("dim_value") and entry.dim_value > 0
        dimensions.append(entry.dim_value if fixed else entry.dim_param or "?")
    return value.name, np.dtype(kind), tuple(dimensions)
