"""onnx's reference evaluator, with those of its operators written anew that are not what the standard says.

Some reference operators compute in binary32 whatever they are given (Erf, GELU), some are those of a later version
(Softmax and BatchNormalization below opsets 13 and 14), and MaxPool reads paddings that differ before and behind in
another order. Both are written here once more, in NumPy, by the standard's text.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[Any]

COERCED_BELOW: Final = 13
"""Below this opset softmax sees its input as a matrix: all axes from ``axis`` on are one."""
COERCED: Final = ("Softmax", "LogSoftmax", "Hardmax")
"""Operators of which that is so."""
STASHED: Final = frozenset({"GroupNormalization"})
"""Operators with an attribute that says in which type they compute."""


def evaluator(proto: Any, opset: int) -> Any:
    """A reference evaluator of a model in which operators are the standard's.

    Parameters
    ----------
    proto : onnx.ModelProto
        The model.
    opset : int
        Its version of ai.onnx.

    Returns
    -------
    onnx.reference.ReferenceEvaluator
        ``run(None, feeds)`` gives the outputs.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    for node in proto.graph.node:
        if (
            opset < COERCED_BELOW
            and node.op_type in COERCED
            and not any(each.name == "axis" for each in node.attribute)
        ):
            node.attribute.append(helper.make_attribute("axis", 1))  # the evaluator has later versions' default, -1
    return ReferenceEvaluator(proto, new_ops=list(_operators(opset)))


def stack_windows(x: Array, kernel: list[int], strides: list[int], gaps: list[int]) -> Array:
    """All windows over the spatial axes of ``(B, C, *space)``, flat in a last axis."""
    for axis, (width, step, gap) in enumerate(zip(kernel, strides, gaps, strict=True), start=2):
        count = (x.shape[axis] - (width - 1) * gap - 1) // step + 1
        places = step * np.arange(count)[:, None] + gap * np.arange(width)
        x = np.moveaxis(np.take(x, places, axis=axis), axis + 1, -1)
    return x.reshape(*x.shape[: 2 + len(kernel)], -1)


def max_pool(
    x: Array, kernel: list[int], strides: list[int], gaps: list[int], pads: list[int], *, up: bool, same: str
) -> Array:
    """Maxima over windows; the padding does not exist."""
    space = x.shape[2:]
    pairs = []
    for axis, (length, width, step, gap) in enumerate(zip(space, kernel, strides, gaps, strict=True)):
        before, behind, reach = pads[axis], pads[axis + len(space)], (width - 1) * gap + 1
        if same.startswith("SAME"):
            missing = max(0, (-(-length // step) - 1) * step + reach - length)
            before = missing // 2 if same == "SAME_UPPER" else missing - missing // 2
            behind = missing - before
        if up:
            count = -(-(length + before + behind - reach) // step) + 1
            count -= (count - 1) * step >= length + before
            behind = max(behind, (count - 1) * step + reach - length - before)
        pairs.append((before, behind))
    padded = np.pad(x, [(0, 0), (0, 0), *pairs], constant_values=-np.inf)
    found: Array = stack_windows(padded, kernel, strides, gaps).max(axis=-1).astype(x.dtype)
    return found


def below_maximum(x: Array, axis: int) -> Array:
    """All axes from one on as one, less the largest entry."""
    flat = x.reshape(*x.shape[: axis % x.ndim], -1)
    found: Array = flat - flat.max(axis=-1, keepdims=True)
    return found


@cache
def _operators(opset: int) -> tuple[Any, ...]:
    from onnx.reference.op_run import OpRun

    class Erf(OpRun):  # type: ignore[misc]  # mypy does not follow onnx
        def _run(self, x: Array) -> tuple[Array]:
            return (erf(x).astype(x.dtype),)

    class Gelu(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, approximate: str = "none") -> tuple[Array]:
            if approximate == "tanh":
                inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
                return ((0.5 * x * (1 + np.tanh(inner))).astype(x.dtype),)
            return ((0.5 * x * (1 + erf(x / np.sqrt(2.0)))).astype(x.dtype),)

    class HardSwish(OpRun):  # type: ignore[misc]
        def _run(self, x: Array) -> tuple[Array]:
            return ((x * np.clip(x / 6 + 0.5, 0, 1)).astype(x.dtype),)

    class MaxPool(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, **given: Any) -> tuple[Array]:
            axes, kernel = x.ndim - 2, given["kernel_shape"]
            strides, gaps = given.get("strides") or [1] * axes, given.get("dilations") or [1] * axes
            pads, same = given.get("pads") or [0] * (2 * axes), given.get("auto_pad") or "NOTSET"
            return (max_pool(x, kernel, strides, gaps, pads, up=bool(given.get("ceil_mode")), same=same),)

    class Softmax(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
            powers = np.exp(below_maximum(x, axis))
            return ((powers / powers.sum(axis=-1, keepdims=True)).reshape(x.shape),)

    class LogSoftmax(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
            flat = below_maximum(x, axis)
            return ((flat - np.log(np.exp(flat).sum(axis=-1, keepdims=True))).reshape(x.shape),)

    class Hardmax(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
            flat = below_maximum(x, axis)
            first = np.arange(flat.shape[-1]) == flat.argmax(axis=-1)[..., None]
            return (first.astype(x.dtype).reshape(x.shape),)

    class BatchNormalization(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, gain: Array, shift: Array, mean: Array, variance: Array, **given: Any) -> tuple[Array]:
            shape = (1, -1, *(1,) * (x.ndim - 2))
            factor = gain / np.sqrt(variance + given.get("epsilon", np.float32(1e-5)))
            return (((x - mean.reshape(shape)) * factor.reshape(shape) + shift.reshape(shape)).astype(x.dtype),)

    class LpNormalization(OpRun):  # type: ignore[misc]
        def _run(self, x: Array, axis: int = -1, p: int = 2) -> tuple[Array]:
            return (x / np.linalg.norm(x, ord=p, axis=axis, keepdims=True),)

    found: tuple[Any, ...] = (LpNormalization, Erf, Gelu, HardSwish, MaxPool, BatchNormalization)
    return (*found, Softmax, LogSoftmax, Hardmax) if opset < COERCED_BELOW else found
