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


@dataclass(frozen=True, slots=True)
class Known:
    """Numbers that depend neither on the input nor on trained parameters: float64, int64 or bool, all exact."""

    array: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A node of the graph, as the framework sees it.

    Parameters
    ----------
    node : int
        The node of the builder. Its shape is ``shape`` without the samples: the batch axis is left out if it holds
        samples alone, else it has ``outer * inner`` entries.
    shape : tuple of int
        The shape in the framework, the samples of the example included.
    batch : Batch or None
        Where the samples are; None for a tensor that depends on parameters alone.
    """

    node: int
    shape: Shape
    batch: Batch | None = None


Value: TypeAlias = Known | Tensor


class Refused(InputError):
    """An operation that cannot be stated: what it is, and the remedy. The front end adds where it stands."""
