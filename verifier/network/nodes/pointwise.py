"""Nodes that work entry by entry: activations, sums, products, gates, exact multiples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from verifier.network.arithmetic import Arithmetic
from verifier.network.nodes.base import Node, T, broadcast, fail, rational
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation


@dataclass(frozen=True, slots=True)
class Map(Node):
    """An activation, applied to every entry."""

    kind: ClassVar[str] = "map"

    sigma: Activation

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read."""
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Apply the activation to every entry."""
        return ops.map(args[0], self.sigma)

    def fields(self) -> dict[str, Any]:
        """The activation as an expression, as a certificate writes it."""
        return {"activation": self.sigma.canonical}


@dataclass(frozen=True, slots=True)
class Add(Node):
    """The sum of tensors, with broadcasting: residual arcs, biases, positional embeddings."""

    kind: ClassVar[str] = "add"
    arity: ClassVar[tuple[int, int]] = (2, 1 << 20)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape to which all terms broadcast."""
        return broadcast(self.kind, shapes)

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Add the terms from left to right."""
        result = args[0]
        for value in args[1:]:
            result = ops.add(result, value)
        return result


@dataclass(frozen=True, slots=True)
class Multiply(Add):
    """The product of tensors entry by entry, with broadcasting: gates, masks on weights, gains."""

    kind: ClassVar[str] = "multiply"

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Multiply the factors from left to right."""
        result = args[0]
        for value in args[1:]:
            result = ops.multiply(result, value)
        return result


@dataclass(frozen=True, slots=True)
class Gate(Node):
    """``(1 - z) a + z b`` of ``z, a, b``, with broadcasting: the update of a GRU."""

    kind: ClassVar[str] = "gate"
    arity: ClassVar[tuple[int, int]] = (3, 3)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape to which the gate and both tensors broadcast."""
        return broadcast(self.kind, shapes)

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Take ``(1 - z) a + z b`` in the arithmetic's own way."""
        return ops.gate(*args)


@dataclass(frozen=True, slots=True)
class Scale(Node):
    """An exact rational multiple, not 0: ``x / 255``, ``-x``."""

    kind: ClassVar[str] = "scale"

    factor: Fraction = Fraction(1)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read; a factor of 0 is refused."""
        if self.factor == 0:
            raise fail(self.kind, "the factor must not be 0")
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Multiply every entry by the exact factor."""
        return ops.scale(args[0], self.factor)

    def fields(self) -> dict[str, Any]:
        """Numerator and denominator of the factor, as a certificate writes them."""
        return {"factor": rational(self.factor)}


@dataclass(frozen=True, slots=True)
class InverseRoot(Node):
    """``1 / sqrt(x + epsilon)`` entry by entry: batch normalisation's factor, weight normalisation's."""

    kind: ClassVar[str] = "inverse-root"

    epsilon: Fraction = Fraction(0)

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is read; an epsilon below 0 is refused."""
        if self.epsilon < 0:
            raise fail(self.kind, f"epsilon = {self.epsilon} must not be negative")
        return shapes[0]

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """Take ``1 / sqrt(x + epsilon)`` of every entry."""
        return ops.inverse_root(args[0], self.epsilon)

    def fields(self) -> dict[str, Any]:
        """Epsilon as a fraction, as a certificate writes it."""
        return {"epsilon": rational(self.epsilon)}
