"""The base of node kinds: what a network is a straight-line programme of, one tensor per sample and node.

A node reads earlier nodes (``reads``, indices), says the shape of its tensor (``shape``), and how it is computed in any
arithmetic (``compute``). Nodes that depend on parameters alone have no samples; every kind may stand among them. The
fields of a node are what a certificate says of it (``fields``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from verifier.errors import NetworkError
from verifier.network.arithmetic import Arithmetic, Places
from verifier.network.windows import Shape

Array = NDArray[np.float64]
Reads = tuple[int, ...]
T = TypeVar("T")


MAX_ENTRIES = 100_000_000
"""Entries of one node's tensor, or of all its windows: a larger number is a typing error, not a network."""


def fail(kind: str, message: str) -> NetworkError:
    """Make the error of a node kind, one line."""
    return NetworkError(f"{kind}: {message}")


def flat_places(shape: Shape) -> Places:
    """The places of a tensor's entries in its own shape."""
    return np.arange(math.prod(shape)).reshape(shape)


def broadcast(kind: str, shapes: Sequence[Shape]) -> Shape:
    """The common shape of tensors that are combined entry by entry.

    Raises
    ------
    NetworkError
        The shapes do not broadcast to each other.
    """
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        raise fail(kind, f"shapes {', '.join(map(str, shapes))} do not broadcast") from None


def rational(number: Fraction) -> list[str]:
    """Numerator and denominator of an exact number, as texts."""
    return [str(number.numerator), str(number.denominator)]


KINDS: dict[str, type[Node]] = {}
"""Every node kind by its name in certificates: a class with a ``kind`` is one."""


@dataclass(frozen=True, slots=True)
class Node:
    """Base of node kinds: earlier nodes that are read, by index."""

    kind: ClassVar[str] = ""
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """The least and the largest number of nodes that are read."""

    reads: Reads

    def __init_subclass__(cls) -> None:
        """Know the kind by its name; a class that only bears others has none."""
        if cls.kind:
            KINDS[cls.kind] = cls

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of the tensor, from those of what is read; `NetworkError` if they do not fit."""
        raise NotImplementedError

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """The value in an arithmetic, from the values of what is read."""
        raise NotImplementedError

    def fields(self) -> dict[str, Any]:
        """What a certificate says of the node beside ``kind`` and ``reads``."""
        return {}
