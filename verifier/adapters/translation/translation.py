"""The operations that frameworks share, each of which adds the nodes that it needs: `Translation`."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.values import Known, Tensor, Value
from verifier.network.builder import Builder
from verifier.network.network import Array
from verifier.network.windows import Shape


class Translation:
    """A graph in the making, from a framework's operations on tensors with a batch axis.

    Every method takes and returns values; what it cannot state it refuses by `Refused`. Operations on `Known` values
    alone are computed at once only where the result is exact (moves, integers, comparisons); a front end computes the
    others itself, as its framework does. An axis may be negative.
    """

    def __init__(self, input_shape: Shape, samples: int) -> None:
        """Begin with the input of one sample, and the number of samples in the example."""
        self.build = Builder(input_shape)
        self.samples = samples
        self.start: dict[str, Array] = {}
        """The values of the trained parameters, by name."""
        self.remarks: list[str] = []

    # what comes in
    def input(self) -> Tensor: ...
    def parameter(self, name: str, values: Array) -> Tensor: ...  # trained; the same name: the same node

    # entry by entry; `expression` is in t, of the grammar of activations, numbers exact rationals: "t/(1 + exp(-t))"
    def elementwise(self, expression: str, x: Value) -> Value: ...
    def add(self, a: Value, b: Value) -> Value: ...
    def subtract(self, a: Value, b: Value) -> Value: ...
    def multiply(self, a: Value, b: Value) -> Value: ...
    def divide(self, a: Value, b: Value) -> Value: ...
    def power(self, a: Value, b: Value) -> Value: ...
    def maximum(self, a: Value, b: Value) -> Value: ...
    def minimum(self, a: Value, b: Value) -> Value: ...
    def where(self, mask: Known, a: Value, b: Value) -> Value: ...

    # products
    def matmul(self, a: Value, b: Value) -> Value: ...  # NumPy's rules
    def linear(self, x: Value, weight: Value, bias: Value | None) -> Value: ...  # weight (units, fan-in)
    def convolution(  # x (B, channels, *space), weight (filters, channels / groups, *kernel), bias (filters,)
        self, x: Value, weight: Value, bias: Value | None, *, stride: Shape, padding: Sequence[tuple[int, int]],
        dilation: Shape, groups: int = 1,
    ) -> Value: ...
    def attention(  # (..., L, E), (..., S, E), (..., S, F); mask (..., L, S): True, or 0, where seen; -inf where not
        self, q: Value, k: Value, v: Value, mask: Value | None, scale: float, causal: bool
    ) -> Value: ...
    def embedding(self, table: Value, tokens: Value) -> Value: ...

    # normalisations
    def batch_norm(  # channels on axis 1; statistics are known
        self, x: Value, gain: Value | None, shift: Value | None, mean: Known, variance: Known, epsilon: float
    ) -> Value: ...
    def layer_norm(self, x: Value, axes: int, gain: Value | None, shift: Value | None, epsilon: float) -> Value: ...
    def rms_norm(self, x: Value, axes: int, gain: Value | None, epsilon: float) -> Value: ...
    def group_norm(self, x: Value, groups: int, gain: Value | None, shift: Value | None, epsilon: float) -> Value: ...
    def softmax(self, x: Value, axis: int) -> Value: ...
    def log_softmax(self, x: Value, axis: int) -> Value: ...  # only after the head: left out there, with a remark

    # over axes
    def mean(self, x: Value, axes: Sequence[int], keep: bool) -> Value: ...
    def sum(self, x: Value, axes: Sequence[int], keep: bool) -> Value: ...
    def largest(self, x: Value, axes: Sequence[int], keep: bool) -> Value: ...
    def cumsum(self, x: Value, axis: int) -> Value: ...
    def pool(  # "mean": zeros of the padding count if `padding_counts`; "max": they do not exist
        self, how: str, x: Value, *, kernel: Shape, stride: Shape, padding: Sequence[tuple[int, int]], dilation: Shape,
        padding_counts: bool = True,
    ) -> Value: ...

    # moves
    def reshape(self, x: Value, shape: Sequence[int]) -> Value: ...  # one -1 allowed; row-major, samples included
    def permute(self, x: Value, axes: Sequence[int]) -> Value: ...
    def take(self, x: Value, axis: int, entries: NDArray | Sequence[int]) -> Value: ...
    def slice(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value: ...
    def concatenate(self, xs: Sequence[Value], axis: int) -> Value: ...
    def expand(self, x: Value, shape: Sequence[int]) -> Value: ...
    def pad(self, x: Value, pairs: Sequence[tuple[int, int]], value: float = 0.0) -> Value: ...  # a pair for each axis

    def finish(self, output: Value, names: dict[int, str] | None = None) -> Imported:
        """Find the head (the last linear map, its weight trained and read by nobody else), cut it off, drop the rest.

        What follows the head and does not change the minimisers is left out with a remark; what the features do not
        depend on is left out; parameters and their values become U, the head V.
        """
        ...


__all__ = ["Known", "Tensor", "Translation"]
