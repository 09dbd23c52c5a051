"""Values of a framework's programme: numbers that are known now, and tensors that are nodes of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from verifier.errors import InputError
from verifier.network.windows import Shape


@dataclass(frozen=True, slots=True)
class Batch:
    """Where the samples lie in a tensor: ``axis`` has ``outer * samples * inner`` entries, in this order.

    ``outer`` and ``inner`` are 1 unless the programme merged the samples with other axes, as ``(B, T, C) -> (B T, C)``
    or ``(T, B, C) -> (T, B heads, C/heads)`` do.
    """

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def pure(self) -> bool:
        """Whether the axis holds the samples alone, so that nodes have no such axis."""
        return self.outer == self.inner == 1


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Numbers that depend neither on the input nor on trained parameters: float64, int64 or bool, all exact.

    ``name`` is what the model calls them: ``"layer.running_mean"``.
    """

    array: NDArray[Any]
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor as the framework sees it: a node of the graph, and what is still to be done to it.

    Parameters
    ----------
    node : int
        The node of the builder. Its shape is ``shape`` without the samples: the batch axis is left out if it holds
        samples alone, else it has ``outer * inner`` entries. Without a batch an axis along which all entries are alike
        may have the length 1 in the node.
    shape : tuple of int
        The shape in the framework, the samples of the example included.
    batch : Batch or None
        Where the samples are; None for a tensor that depends on parameters alone.
    expression : str or None
        A function of t still to be applied to each entry, so that chains of operations become one node.
    hidden : array of bool or None
        Where the entries are minus infinity; broadcasts to ``shape``. Only a softmax may read such a tensor.
    classes : int or None
        The axis of a ``log_softmax`` that was left out; only moves may follow.
    """

    node: int
    shape: Shape
    batch: Batch | None = None
    expression: str | None = None
    hidden: NDArray[Any] | None = None
    classes: int | None = None


Value: TypeAlias = Known | Tensor


class Refused(InputError):
    """An operation that cannot be stated: what it is, and the remedy. The front end adds where it stands."""
