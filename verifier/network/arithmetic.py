"""What an arithmetic can do with the values of a network's nodes: the one interface of all forward passes.

A *value* holds one tensor for each of several samples. What depends on parameters alone has one row, which stands for
all samples, so that binary operations broadcast along the samples as along every other axis. Node kinds are written in
these operations once (`Node.compute`); an arithmetic (plain floating point, balls, Taylor models, exact rationals,
facts about U) says what they do with its values, and may replace a fused one by a sharper rule of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

T = TypeVar("T")

Places = NDArray[np.int64]
"""For each entry of a result the flat index of the entry that is taken."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How an affine node reads its sources, flattened and put side by side into a row.

    Parameters
    ----------
    windows : ndarray of shape (groups, positions, fan_in) or None
        The places of a row that each position reads, for each group of filters; the place after the last is the
        padding's exact zero. None: one group with one position, which reads the whole row in order.
    filters : int
        The number of weight vectors; each group has ``filters / groups`` of them.
    positions : int
        How many positions each filter has.
    filters_first : bool
        Whether the result is numbered filter by filter (convolutions), or position by position (the last axis).
    padded : bool
        Whether a window reads the padding.
    shape : tuple of int
        The result's shape.
    """

    windows: Places | None
    filters: int
    positions: int
    filters_first: bool
    padded: bool
    shape: Shape


class Arithmetic(ABC, Generic[T]):
    """Operations on values of one kind; shapes are those of one sample."""

    @abstractmethod
    def shape(self, value: T) -> Shape:
        """The shape of one sample's tensor."""

    @abstractmethod
    def input(self, shape: Shape) -> T:
        """The samples themselves, in the input's shape."""

    @abstractmethod
    def parameter(self, name: str, shape: Shape) -> T:
        """A free parameter: the part of U with this name."""

    @abstractmethod
    def constant(self, values: NDArray[np.float64]) -> T:
        """Fixed numbers, exact: one row that stands for all samples."""

    @abstractmethod
    def affine(self, geometry: Geometry, sources: Sequence[T], weight: T, bias: T | None) -> T:
        """Windows of the sources times weights, plus biases.

        ``weight`` has shape ``(filters, ...)`` with as many further entries as a window; ``bias`` has one entry for
        each filter, or one for each entry of the result, in the result's order.
        """

    @abstractmethod
    def map(self, x: T, sigma: Activation) -> T:
        """Apply a function to every entry."""

    @abstractmethod
    def add(self, a: T, b: T) -> T:
        """Add entry by entry, with broadcasting."""

    @abstractmethod
    def multiply(self, a: T, b: T) -> T:
        """Multiply entry by entry, with broadcasting."""

    @abstractmethod
    def scale(self, x: T, factor: Fraction, *, root: bool = False) -> T:
        """Multiply by an exact number above 0 or below it, or by its square root if ``root``."""

    @abstractmethod
    def gather(self, sources: Sequence[T], places: Places) -> T:
        """Take entries: ``places`` are flat indices into the sources, each flattened, one after the other.

        The result has the shape of ``places``.
        """

    @abstractmethod
    def contract(self, a: T, b: T, *, transposed: bool = False) -> T:
        """Matrix products over the last two axes, ``(..., n, k)`` times ``(..., k, m)``; leading axes broadcast.

        If ``transposed``, then b is given as ``(..., m, k)``.
        """

    @abstractmethod
    def total(self, x: T) -> T:
        """The sum over the last axis, ``(..., k)`` to ``(...)``."""

    @abstractmethod
    def largest(self, x: T) -> T:
        """The maximum over the last axis, ``(..., k)`` to ``(...)``; not analytic."""

    @abstractmethod
    def inverse_root(self, x: T, epsilon: Fraction) -> T:
        """``1 / sqrt(x + epsilon)``, where ``x + epsilon > 0``."""

    @abstractmethod
    def softmax(self, x: T, mask: T | None) -> T:
        """``m_j exp(x_j) / sum_k m_k exp(x_k)`` over the last axis.

        The mask broadcasts to x; its entries are exactly 0 or 1 (all 1 if None), in every row at least one is 1.
        """

    @abstractmethod
    def embed(self, tokens: T, table: T) -> T:
        """Rows of the table, ``(n, ...)``, by tokens, which are exact whole numbers from 0 to n - 1."""

    def mean(self, x: T) -> T:
        """The mean over the last axis."""
        return self.scale(self.total(x), Fraction(1, self.shape(x)[-1]))

    def normalise(self, x: T, epsilon: Fraction, *, centre: bool) -> T:
        """``(x - c) / sqrt(mean (x - c)^2 + epsilon)`` over the last axis, c the mean if ``centre``, else 0."""
        size = self.shape(x)[-1]
        if centre:
            x = self.add(x, self.spread(self.scale(self.mean(x), Fraction(-1)), size))
        squares = self.mean(self.multiply(x, x))
        return self.multiply(x, self.spread(self.inverse_root(squares, epsilon), size))

    def spread(self, x: T, size: int) -> T:
        """Repeat every entry ``size`` times along a new last axis."""
        shape = self.shape(x)
        count = math.prod(shape)
        return self.gather([x], np.repeat(np.arange(count), size).reshape(*shape, size))

    def attend(self, q: T, k: T, v: T, square: Fraction, mask: T | None) -> T:
        """``contract(softmax(sqrt(square) q k^T, mask), v)``.

        Shapes: q ``(..., t, c)``, k ``(..., s, c)``, v ``(..., s, e)``; result ``(..., t, e)``.
        """
        scores = self.scale(self.contract(q, k, transposed=True), square, root=True)
        return self.contract(self.softmax(scores, mask), v)

    def gate(self, z: T, a: T, b: T) -> T:
        """``(1 - z) a + z b``, with broadcasting."""
        kept = self.add(self.constant(np.ones(())), self.scale(z, Fraction(-1)))
        return self.add(self.multiply(kept, a), self.multiply(z, b))
