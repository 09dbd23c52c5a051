"""The zoo's models that do not come from PyTorch: scikit-learn's, and files in ONNX; imported by `zoo_specimens`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fitted(estimator: Any) -> Callable[[NDArray[Any], NDArray[Any]], Any]:
    """A function that fits a fresh copy of the estimator, however few its iterations are."""
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    def fit(X: NDArray[Any], y: NDArray[Any]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return clone(estimator).fit(X, y)

    return fit


def exported(module: Any, X: NDArray[Any], file: Path, *, older: bool = False) -> Path:
    """The file that one of the two exporters of PyTorch makes of a module, for any number of samples."""
    import torch

    export = partial(torch.onnx.export, module, (torch.from_numpy(X[:2]).float(),), str(file), input_names=["input"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters' own making
        if older:
            export(dynamic_axes={"input": {0: "batch"}}, opset_version=17, dynamo=False)
        else:
            batch = ({0: torch.export.Dim("batch")},)
            export(dynamic_shapes=batch, dynamo=True, external_data=False, verbose=False)
    return file


def foreign(file: Path, *, width: int = 200, layers: int = 6, classes: int = 10, seed: int = 5) -> Path:
    """A network in ONNX as other people's tools write it, for one image at a time: (x - 0.5)/0.5, sigmoids, a Gemm."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)

    def number(name: str, value: float) -> Any:
        tensor = numpy_helper.from_array(np.array([value], dtype=np.float32), f"{name}_value")
        return helper.make_node("Constant", [], [name], value=tensor)

    nodes = [
        number("mean", 0.5),
        helper.make_node("Sub", ["image", "mean"], ["centred"]),
        number("deviation", 0.5),
        helper.make_node("Div", ["centred", "deviation"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["h0"], axis=1),
    ]
    weights, fan_in = [], 64

    def weight(name: str, *shape: int) -> str:
        values = rng.normal(size=shape) * (4 / np.sqrt(shape[0]) if len(shape) == 2 else 1)
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    for k in range(layers):
        read = [f"h{k}", weight(f"dense_{k}/kernel", fan_in, width)]
        nodes += [
            helper.make_node("MatMul", read, [f"product{k}"], name=f"dense_{k}/MatMul"),
            helper.make_node("Add", [f"product{k}", weight(f"dense_{k}/bias", width)], [f"sum{k}"]),
            helper.make_node("Sigmoid", [f"sum{k}"], [f"h{k + 1}"]),
        ]
        fan_in = width
    read = [f"h{layers}", weight("head/kernel", width, classes), weight("head/bias", classes)]
    nodes.append(helper.make_node("Gemm", read, ["logits"], alpha=1.0, beta=1.0))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])
    graph = helper.make_graph(nodes, "network", [image], [logits], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], producer_name="someone else's")
    model.ir_version = 6
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file
