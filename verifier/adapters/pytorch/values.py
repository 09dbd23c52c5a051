"""What flows through a traced module: outputs of layers that are not final yet, for a whole batch.

A `Value` is what a node of the traced graph computes: the outputs of some layers (`Part`), one after the other. Layers
are `Draft` while the graph is walked through: an activation that follows belongs to the layer itself, so a draft counts
the activations that it has been given (``stage``), and a part says which of these stages it is. A layer that is read
both with and without its activation has no counterpart, and in-place operations in the module show as just that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from verifier.errors import ExpressionError, InputError
from verifier.network.layers import Layer, Shape, Source
from verifier.sigma.activations import Activation, activation
from verifier.sigma.expressions import T

Array = NDArray[np.float64]
Columns = NDArray[np.intp]

IDENTITY = activation("identity")


def refuse(where: str, why: str) -> NoReturn:
    """Raise the error of a part of the module that has no counterpart.

    Raises
    ------
    InputError
        Always: one line that names the place, the reason and the remedy.
    """
    raise InputError(f"from_torch: {where}: {why}")


class Known:
    """What modules may ask about a batch although nothing is computed: `BATCH`, its size, and `DEVICE`."""


BATCH, DEVICE = Known(), Known()


@dataclass(frozen=True, slots=True)
class Part:
    """The output of one layer, or the input, as it is after ``stage`` activations; ``shape`` without the batch."""

    source: Source
    stage: int
    shape: Shape


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """Outputs of layers one after the other (along channels, or flat), for each sample of the batch.

    Parameters
    ----------
    parts : tuple of Part
        Whose outputs.
    shape : tuple of int
        Shape without the batch.
    columns : array of int, optional
        A selection: entries of the flat concatenation of all parts, one for each entry of ``shape``; by default all.
    """

    parts: tuple[Part, ...]
    shape: Shape
    columns: Columns | None = None

    @property
    def size(self) -> int:
        """Number of entries for each sample."""
        return math.prod(self.shape)

    @property
    def spatial(self) -> bool:
        """Whether it is whole channels with positions, as a convolution reads them."""
        return self.columns is None and len(self.shape) > 1 and self.shape == natural_shape(self.parts)

    def reshaped(self, shape: Shape) -> Value | None:
        """The same entries in another shape; None if that is neither flat nor the layers' own shape."""
        if math.prod(shape) != self.size:
            return None
        possible = len(shape) == 1 or self.columns is not None or shape == natural_shape(self.parts)
        return Value(self.parts, shape, self.columns) if possible else None

    def indices(self) -> Columns:
        """The selection, of shape ``shape``, made explicit."""
        chosen = np.arange(self.size) if self.columns is None else self.columns
        return chosen.reshape(self.shape)

    def units(self) -> list[tuple[Source, int]]:
        """The layer and the unit that each entry is."""
        every = [(part.source, unit) for part in self.parts for unit in range(math.prod(part.shape))]
        return [every[index] for index in self.indices().ravel()]


def natural_shape(parts: Sequence[Part]) -> Shape:
    """The shape of layers' outputs one after the other: along channels if their positions agree, else flat."""
    spaces = {part.shape[1:] for part in parts}
    if len(spaces) == 1:
        return (sum(part.shape[0] for part in parts), *spaces.pop())
    return (sum(math.prod(part.shape) for part in parts),)


def concatenate(values: Sequence[Value], where: str) -> Value:
    """Values one after the other, along channels or flat.

    Raises
    ------
    InputError
        Their positions differ.
    """
    if len({value.shape[1:] for value in values}) != 1:
        refuse(where, f"concatenates shapes {[value.shape for value in values]}; flatten them first")
    parts = tuple(part for value in values for part in value.parts)
    shape = (sum(value.shape[0] for value in values), *values[0].shape[1:])
    if all(value.columns is None for value in values):
        return Value(parts, shape)
    chosen, offset = [], 0
    for value in values:
        chosen.append(value.indices() + offset)
        offset += sum(math.prod(part.shape) for part in value.parts)
    return Value(parts, shape, np.concatenate(chosen).ravel())


@dataclass(slots=True)
class Draft:
    """A layer of the network to be: its kind and parameters, what it reads, the activations given so far."""

    name: str
    where: str
    layer: Layer
    reads: Value
    shape: Shape
    weight: Array | None = None
    bias: Array | None = None
    stage: int = 0
    readers: list[str] = field(default_factory=list)


class Plan:
    """The drafts of a module's layers, in the order of their computation."""

    def __init__(self, input_shape: Shape) -> None:
        """Begin a plan without layers: there is the input alone."""
        self.drafts: list[Draft] = []
        self.input = Value((Part("input", 0, input_shape),), input_shape)

    def add(self, draft: Draft) -> Part:
        """Add a layer; what it reads becomes final.

        Raises
        ------
        InputError
            It reads a layer both with and without its activation.
        """
        for part in draft.reads.parts:
            if part.source == "input":
                continue
            read = self.drafts[part.source]
            if part.stage != read.stage:
                refuse(draft.where, f"reads {read.where} before its activation, which others follow; {_TWO}")
            read.readers.append(draft.where)
        self.drafts.append(draft)
        return Part(len(self.drafts) - 1, 0, draft.shape)

    def activate(self, value: Value, sigma: Activation, where: str) -> Value:
        """Give the layers of a value an activation, after those that they have.

        Raises
        ------
        InputError
            One of them is the input or a pool, or is also read without this activation.
        """
        if value.columns is not None:
            refuse(where, "is applied to a selection of units; apply it to the whole layer, and select in the head")
        return Value(tuple(self._activated(part, sigma, where) for part in value.parts), value.shape)

    def _activated(self, part: Part, sigma: Activation, where: str) -> Part:
        if part.source == "input":
            refuse(where, "is applied to the input; apply it to the data before they are given")
        draft = self.drafts[part.source]
        inner = draft.layer.activation
        if inner is None:
            refuse(where, f"is applied to {draft.where}, and a pool has no activation; apply it before the pool")
        if part.stage != draft.stage or draft.readers:
            reader = draft.readers[0] if draft.readers else "another activation"
            refuse(where, f"is applied to {draft.where}, which {reader} reads without it; {_TWO}")
        try:
            draft.layer = replace(draft.layer, activation=composed(sigma, inner))  # type: ignore[arg-type]  # no pool
        except ExpressionError as error:
            refuse(where, str(error))
        draft.stage += 1
        return replace(part, stage=draft.stage)


_TWO = "a layer has one activation: use a layer of its own for each"


def composed(outer: Activation, inner: Activation) -> Activation:
    """Return the activation ``outer(inner(t))``; the identity adds nothing to the expression."""
    if inner == IDENTITY:
        return outer
    if outer == IDENTITY:
        return inner
    return Activation.from_expression(str(outer.expression.xreplace({T: inner.expression})))
