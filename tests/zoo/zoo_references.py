"""What a model computes, by its own framework and in float64: features, logits, and how long one forward pass takes."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REPEATS = 5
"""A forward pass takes the least time of so many."""


def of_torch(module: Any, head: str, X: NDArray[Any]) -> tuple[Array, Array]:
    """Features and logits of a float64 copy of a module: what its head reads, and what it gives."""
    import torch

    double = copy.deepcopy(module).double().eval()
    seen: list[tuple[Any, Any]] = []
    double.get_submodule(head).register_forward_hook(lambda _, read, given: seen.append((read[0], given)))
    with torch.no_grad():
        double(torch.from_numpy(X))
    (both,) = seen
    features, logits = (value[:, -1] if value.ndim == 3 else value for value in both)  # of the last token
    return features.numpy(), logits.numpy()


def of_onnx(file: Path, X: NDArray[Any]) -> tuple[Array, Array]:
    """The same of a file whose last Gemm is the head, by ONNX's own reference evaluator with float64 weights.

    Its GELU is our own line: the evaluator's is in float32.
    """
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun
    from scipy.special import erf

    class Gelu(OpRun):
        def _run(self, x: Array, approximate: str = "none") -> tuple[Array]:
            assert approximate == "none"
            return (x * (1 + erf(x / np.sqrt(2))) / 2,)

    model = onnx.load(file)
    head = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
    tensors = list(model.graph.initializer)
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.type == onnx.AttributeProto.TENSOR]
    for tensor in tensors:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    (image,) = model.graph.input
    fixed = image.type.tensor_type.shape.dim[0].dim_value == 1
    wanted = [head.input[0], head.output[0]]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    evaluator = ReferenceEvaluator(model, new_ops=[Gelu])
    found = [evaluator.run(wanted, {image.name: x}) for x in (X[:, None] if fixed else [X])]
    features, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    assert features.dtype == logits.dtype == np.float64
    return features, logits


def of_sklearn(estimator: Any, X: NDArray[Any]) -> tuple[Array, Array]:
    """The same of an `MLPClassifier` or `MLPRegressor`, perhaps behind scalers: its layers by hand, in NumPy."""
    from scipy.special import expit

    *scalers, last = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    for scaler in scalers:
        X = scaler.transform(X)
    act = {"tanh": np.tanh, "relu": lambda t: np.maximum(t, 0), "logistic": expit}[last.activation]
    *hidden, output = zip(last.coefs_, last.intercepts_, strict=True)
    for weights, shift in hidden:
        X = act(X @ weights + shift)
    return X, X @ output[0] + output[1]


def best_seconds(function: Any) -> float:
    """The least CPU time that a call takes."""
    found = []
    for _ in range(REPEATS):
        began = time.process_time()
        function()
        found.append(time.process_time() - began)
    return min(found)


def forward_of_torch(module: Any, X: NDArray[Any]) -> float:
    """CPU seconds of one forward pass of all samples in the module's own precision, by one thread: others may spin."""
    import torch

    inputs = torch.from_numpy(X)
    inputs = inputs.float() if inputs.is_floating_point() else inputs
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            return best_seconds(lambda: module(inputs))
    finally:
        torch.set_num_threads(threads)
