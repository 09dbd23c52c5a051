"""Operations of `Translation` beside NumPy's on a whole batch: values that are compared after every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Known, Tensor, Value
from verifier.network.forward import FloatArithmetic, approx_features
from verifier.network.graph import Graph

Array = NDArray[np.float64]


class Partial(Graph):
    """A graph that is not finished: its nodes, and no features."""

    def __init__(self, nodes: Any) -> None:
        self.nodes, self.features = tuple(nodes), ()


def batched(t: Translation, x: Value, inputs: Array) -> Array:
    """What a value is on the samples, in the framework's shape, by the graph alone."""
    if isinstance(x, Known):
        return np.asarray(x.array)
    node = t.node(x)
    ops = FloatArithmetic(t.start, inputs.reshape(len(inputs), -1))
    (value,) = Partial(t.build.nodes).evaluate(ops, [node]).values()
    if x.batch is None:
        return np.broadcast_to(value[0], x.shape)
    batch, samples = x.batch, len(inputs)
    value = np.broadcast_to(value, (samples, *value.shape[1:]))
    lead, rest = x.shape[: batch.axis], x.shape[batch.axis + 1 :]
    split = value.reshape(samples, *lead, batch.outer, batch.inner, *rest)
    return np.moveaxis(split, 0, len(lead) + 1).reshape(x.shape)


@dataclass
class Twin:
    """A value of the translation, and what NumPy computes for the whole batch."""

    value: Value
    array: Array


class Lab:
    """A translation with samples; every result is compared at once."""

    def __init__(self, shape: tuple[int, ...], samples: int = 3, seed: int = 0, whole: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.t = Translation(shape, samples)
        self.inputs = self.rng.normal(size=(samples, *shape))
        if whole:
            self.inputs = self.rng.integers(0, 3, size=(samples, *shape)).astype(float)
        self.count = 0

    @property
    def x(self) -> Twin:
        return Twin(self.t.input(), self.inputs)

    def parameter(self, *shape: int, name: str = "") -> Twin:
        self.count += 1
        values = np.round(self.rng.normal(size=shape) * 64) / 64
        return Twin(self.t.parameter(name or f"p{self.count}", values), values)

    def known(self, array: Any) -> Twin:
        return Twin(Known(np.asarray(array)), np.asarray(array))

    def twin(self, value: Value, array: Any) -> Twin:
        self.same(value, np.asarray(array))
        return Twin(value, np.asarray(array))

    def same(self, value: Value, array: Array) -> None:
        shape = value.shape if isinstance(value, Tensor) else value.array.shape
        assert shape == array.shape, (shape, array.shape)
        if isinstance(value, Tensor) and value.hidden is not None:
            return
        found = batched(self.t, value, self.inputs)
        np.testing.assert_allclose(found, array, rtol=1e-9, atol=1e-9)

    def do(self, name: str, reference: Callable[..., Any], *args: Any, **kwargs: Any) -> Twin:
        """The operation of that name on twins and plain arguments, and its reference on the arrays."""
        values = [arg.value if isinstance(arg, Twin) else arg for arg in args]
        arrays = [arg.array if isinstance(arg, Twin) else arg for arg in args]
        return self.twin(getattr(self.t, name)(*values, **kwargs), reference(*arrays))

    def kinds(self, x: Twin) -> list[str]:
        """The kinds of the nodes that a value depends on, leaves left out."""
        assert isinstance(x.value, Tensor)
        end = self.t.node(x.value)
        needed = {end}
        for index in range(end, -1, -1):
            if index in needed:
                needed.update(self.t.build.nodes[index].reads)
        leaves = ("input", "parameter", "constant")
        return [node.kind for i, node in enumerate(self.t.build.nodes) if i in needed and node.kind not in leaves]

    def finished(self, x: Twin) -> Imported:
        """The network, whose logits are those of the twin."""
        found = self.t.finish(x.value)
        assert found.u.shape == (found.network.parameter_count,)
        psi = approx_features(found.network, found.u, self.inputs.reshape(len(self.inputs), -1))
        np.testing.assert_allclose(psi @ found.v, x.array.reshape(len(self.inputs), -1), rtol=1e-9, atol=1e-9)
        return found


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)
