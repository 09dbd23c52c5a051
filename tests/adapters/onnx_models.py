"""Small ONNX models that tests make themselves, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def numbers(*shape: int, seed: int = 0, kind: str = "float32", scale: float = 0.7) -> Any:
    """Random numbers, the same in every run."""
    return (scale * np.random.default_rng([seed, *shape]).standard_normal(shape)).astype(kind)


class Draft:
    """A model in the making: ``x`` is the input, every method returns the name of its output."""

    def __init__(self, shape: Sequence[int | str | None], *, opset: int = 17, kind: str = "float32") -> None:
        self.shape, self.opset, self.kind = list(shape), opset, kind
        self.nodes: list[Any] = []
        self.arrays: dict[str, Any] = {}

    def store(self, name: str, array: Any) -> str:
        self.arrays[name] = np.asarray(array)
        return name

    def add(self, op: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        from onnx import helper

        names = [f"v{len(self.nodes)}" if place == 0 else f"v{len(self.nodes)}_{place}" for place in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if count == 1 else names

    def constant(self, array: Any) -> str:
        from onnx import numpy_helper

        return self.add("Constant", value=numpy_helper.from_array(np.asarray(array)))

    def head(self, x: str, width: int, outputs: int = 3, name: str = "head") -> str:
        """A Gemm with a bias."""
        weight = self.store(f"{name}.weight", numbers(outputs, width, seed=91, kind=self.kind))
        bias = self.store(f"{name}.bias", numbers(outputs, seed=92, kind=self.kind))
        return self.add("Gemm", x, weight, bias, transB=1)

    def linear(self, x: str, width: int, units: int, name: str = "first") -> str:
        """A MatMul by a weight of shape (inputs, units), and an Add."""
        weight = self.store(f"{name}.weight", numbers(width, units, seed=93, kind=self.kind))
        bias = self.store(f"{name}.bias", numbers(units, seed=94, kind=self.kind))
        return self.add("Add", self.add("MatMul", x, weight), bias)

    def model(self, *outputs: str, **changes: Any) -> Any:
        from onnx import helper, numpy_helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.kind)) if "kind" not in changes else changes.pop("kind")
        graph = helper.make_graph(
            self.nodes,
            "tested",
            [helper.make_tensor_value_info("x", kind, self.shape)],
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(self.kind)), [None, None])
                for name in outputs
            ],
            [numpy_helper.from_array(array, name) for name, array in self.arrays.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8, **changes)


def mlp(shape: Sequence[int | str | None] = ("N", 4), **options: Any) -> tuple[Draft, str]:
    """Four inputs, five tanh units, three logits."""
    draft = Draft(shape, **options)
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    return draft, draft.head(hidden, 5)
