"""Counts of what one evaluation of a network takes, operation by operation, from shapes alone: an arithmetic.

A value is its shape, and whether there is one for each sample. Nothing is computed; a new node kind that is written in
the operations of `Arithmetic` is counted without a line here.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

CLASSICAL = 120
"""FLINT multiplies matrices of balls by blocks of integers where all sides are longer."""
NORMALISE, SOFTMAX, ROOT = 6, 8, 4
"""Steps for each entry: of a normalisation (its mean, squares and product), a softmax, a reciprocal square root."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The shape of a value, and whether it depends on the sample."""

    shape: Shape
    varies: bool

    @property
    def size(self) -> int:
        """The number of entries of one sample's tensor."""
        return math.prod(self.shape)


@dataclass(slots=True)
class Tally(Arithmetic[Counted]):
    """Counts for one sample; what depends on no sample is counted in ``fixed``.

    ``units`` results of sums of products, ``arcs`` multiply-adds in them, ``quick`` those in products of large
    matrices, ``steps`` operations on one ball, ``held`` balls of all values, ``widest`` balls of the largest window.
    """

    units: int = 0
    arcs: int = 0
    quick: int = 0
    steps: int = 0
    held: int = 0
    widest: int = 0
    fixed: int = 0
    expressions: dict[str, int] = field(default_factory=dict)

    def _made(self, shape: Shape, varies: bool, steps: int, *, held: bool = True) -> Counted:
        found = Counted(shape, varies)
        if varies:
            self.steps += steps
            self.held += found.size if held else 0
        else:
            self.fixed += steps
        return found

    def shape(self, value: Counted) -> Shape:
        """The shape of one sample's tensor."""
        return value.shape

    def input(self, shape: Shape) -> Counted:
        """The samples, which vary; no step is counted for them."""
        return self._made(shape, True, 0)

    def parameter(self, name: str, shape: Shape) -> Counted:
        """A free parameter: nothing is computed."""
        return Counted(shape, False)

    def constant(self, values: NDArray[np.float64]) -> Counted:
        """Fixed numbers: nothing is computed."""
        return Counted(values.shape, False)

    def _product(self, varies: bool, results: int, length: int, *, large: bool) -> None:
        if varies:
            self.units += results
            self.arcs += results * length
            self.quick += results * length if large else 0
        else:
            self.fixed += results * (1 + length)

    def affine(self, geometry: Geometry, sources: Sequence[Counted], weight: Counted, bias: Counted | None) -> Counted:
        """One multiply-add for each weight of each unit."""
        varies = any(source.varies for source in sources)
        length = weight.size // geometry.filters
        width = math.prod(geometry.shape)
        self._product(varies, width, length, large=min(geometry.filters, length) > CLASSICAL)
        read = sum(source.size for source in sources) if geometry.windows is None else geometry.windows.size
        self.widest = max(self.widest, read)
        return self._made(geometry.shape, varies, 0, held=False)

    def map(self, x: Counted, sigma: Activation) -> Counted:
        """As many steps as its expression has nodes."""
        text = sigma.canonical
        if text not in self.expressions:
            self.expressions[text] = sum(1 for _ in ast.walk(ast.parse(text, mode="eval").body))
        return self._made(x.shape, x.varies, x.size * self.expressions[text])

    def _combined(self, steps: int, *values: Counted) -> Counted:
        shape = tuple(np.broadcast_shapes(*(value.shape for value in values)))
        return self._made(shape, any(value.varies for value in values), steps * math.prod(shape))

    def add(self, a: Counted, b: Counted) -> Counted:
        """Count a step for each entry of the sum."""
        return self._combined(1, a, b)

    def multiply(self, a: Counted, b: Counted) -> Counted:
        """Count a step for each entry of the product."""
        return self._combined(1, a, b)

    def gate(self, z: Counted, a: Counted, b: Counted) -> Counted:
        """Count a difference, a product and a sum for each entry."""
        return self._combined(3, z, a, b)

    def scale(self, x: Counted, factor: Fraction, *, root: bool = False) -> Counted:
        """Count a step for each entry."""
        return self._combined(1, x)

    def gather(self, sources: Sequence[Counted], places: Places) -> Counted:
        """A step for each entry that is brought to its place."""
        return self._made(places.shape, any(source.varies for source in sources), places.size)

    def contract(self, a: Counted, b: Counted, *, transposed: bool = False) -> Counted:
        """One multiply-add for each entry of the factors' common axis."""
        columns = b.shape[-2] if transposed else b.shape[-1]
        lead = tuple(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
        shape, varies = (*lead, a.shape[-2], columns), a.varies or b.varies
        self._product(varies, math.prod(shape), a.shape[-1], large=False)
        return self._made(shape, varies, 0)

    def total(self, x: Counted) -> Counted:
        """Count a step for each term of the sums."""
        return self._made(x.shape[:-1], x.varies, x.size)

    def largest(self, x: Counted) -> Counted:
        """Count a step for each entry of what is compared."""
        return self._made(x.shape[:-1], x.varies, x.size)

    def inverse_root(self, x: Counted, epsilon: Fraction) -> Counted:
        """Count a sum, a root and a quotient for each entry."""
        return self._combined(ROOT, x)

    def normalise(self, x: Counted, epsilon: Fraction, *, centre: bool) -> Counted:
        """The mean, the squares, the root, the products."""
        return self._combined(NORMALISE, x)

    def softmax(self, x: Counted, mask: Counted | None) -> Counted:
        """Count a shift, an exponential and a quotient for each entry."""
        return self._combined(SOFTMAX, x)

    def embed(self, tokens: Counted, table: Counted) -> Counted:
        """A step for each entry that is looked up."""
        shape = (*tokens.shape, *table.shape[1:])
        return self._made(shape, tokens.varies, math.prod(shape))
