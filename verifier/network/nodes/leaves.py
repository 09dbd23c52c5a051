"""The nodes that read nothing: the sample, free parameters, fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from verifier.network.arithmetic import Arithmetic
from verifier.network.nodes.base import Array, Node, Reads, T, fail
from verifier.network.windows import Shape


@dataclass(frozen=True, slots=True)
class Input(Node):
    """The sample, in the network's input shape; always node 0."""

    kind: ClassVar[str] = "input"
    arity: ClassVar[tuple[int, int]] = (0, 0)

    size: Shape = ()
    reads: Reads = ()

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of one sample, which the network states."""
        return self.size

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """The samples, in the shape of one sample each."""
        return ops.input(self.size)

    def fields(self) -> dict[str, Any]:
        """The shape of one sample, as a certificate writes it."""
        return {"shape": list(self.size)}


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A free parameter: a named part of U of its own.

    ``fan_in`` (0 for biases and the like) and ``stream``, which names a stream of random numbers, matter for random
    weights alone.
    """

    kind: ClassVar[str] = "parameter"
    arity: ClassVar[tuple[int, int]] = (0, 0)

    name: str = ""
    size: Shape = ()
    fan_in: int = 0
    stream: tuple[int, ...] = ()
    reads: Reads = ()

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of this part of U."""
        return self.size

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """The part of U that has this name."""
        return ops.parameter(self.name, self.size)

    def fields(self) -> dict[str, Any]:
        """Its name and shape; its values are not the network's."""
        return {"name": self.name, "shape": list(self.size)}


@dataclass(frozen=True, slots=True, eq=False)
class Constant(Node):
    """Fixed numbers: a frozen parameter, a mask, a table of positions; no part of U."""

    kind: ClassVar[str] = "constant"
    arity: ClassVar[tuple[int, int]] = (0, 0)

    values: Array = field(default_factory=lambda: np.zeros(()))
    name: str = ""
    reads: Reads = ()

    def __post_init__(self) -> None:
        """Keep a private copy of finite numbers."""
        kept = np.array(self.values, dtype=np.float64)
        if not np.isfinite(kept).all():
            raise fail("constant", f"{self.name or 'its numbers'} must be finite")
        kept.flags.writeable = False
        object.__setattr__(self, "values", kept)

    def __eq__(self, other: object) -> bool:
        """Equal numbers in the same shape under the same name."""
        return isinstance(other, Constant) and self._key() == other._key()

    def __hash__(self) -> int:
        """Hash the numbers, the shape and the name."""
        return hash(self._key())

    def _key(self) -> tuple[str, Shape, bytes]:
        return self.name, self.values.shape, (self.values + 0.0).tobytes()

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of the fixed numbers."""
        return self.values.shape

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """The fixed numbers, which stand for every sample."""
        return ops.constant(self.values)

    def fields(self) -> dict[str, Any]:
        """Its name and shape; the numbers are stored as an array."""
        return {"name": self.name, "shape": list(self.values.shape)}
