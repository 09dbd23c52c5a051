r"""R5 through layers without an activation: few values of which all columns of Psi are affine functions.

A linear layer above a narrow one adds no rank: if every column is, for each U, a combination of K functions of the
sample and the constant 1, with coefficients that depend on U alone, then

.. math:: \operatorname{rank} \Psi(U) \le K + 1 \quad\text{for every } U.

Affine nodes, sums, means, moves of entries, scales, products with what does not depend on the sample, and activations
that are polynomials of degree 1 pass such combinations on; every other node makes functions of its own, and so does a
node with fewer entries than what it is made from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

Nodes = frozenset[int]


@dataclass(frozen=True, slots=True)
class AffineBasis:
    """Nodes of which all columns of Psi are affine functions, and how many entries these nodes have.

    Guarantee: for every U at which Psi is defined each column is a combination of these nodes' entries, as functions of
    the sample, and of the constant 1; so ``rank Psi(U) <= rank_at_most = entries + 1``, on any samples.
    """

    nodes: tuple[int, ...]
    entries: int

    @property
    def rank_at_most(self) -> int:
        """How many entries span all, with one more for the constant."""
        return self.entries + 1


def affine_basis(network: Network) -> AffineBasis:
    """Find few values of which all columns of Psi are affine functions, for every U.

    Parameters
    ----------
    network
        Any network.

    Returns
    -------
    AffineBasis
        Guarantee: see there. Proof: at the top of this module.

    Examples
    --------
    >>> import verifier as vf
    >>> network = vf.Network(4, [vf.Dense(10, "tanh"), vf.Dense(60, "identity", skip=True)])
    >>> affine_basis(network).rank_at_most
    11
    """
    ops, made = _Combinations(), list[_Value]()
    sizes = [math.prod(shape) for shape in network.node_shapes]
    for index, node in enumerate(network.nodes):
        value = node.compute(ops, [made[read] for read in node.reads])
        if value.varies and (value.of is None or sum(sizes[i] for i in value.of) >= sizes[index]):
            value = _Value(value.shape, frozenset((index,)))
        made.append(value)
    found: set[int] = set()
    for feature in network.features:
        found |= made[feature.node].of or frozenset()
    return AffineBasis(tuple(sorted(found)), sum(sizes[i] for i in found))


@dataclass(frozen=True, slots=True)
class _Value:
    """A tensor of affine functions of the entries of nodes; ``of`` is None if none are known, empty for numbers."""

    shape: Shape
    of: Nodes | None

    @property
    def varies(self) -> bool:
        """Whether this entry may depend on the sample."""
        return self.of is None or bool(self.of)


def _joined(shape: Shape, *parts: _Value) -> _Value:
    """A combination of these, with coefficients that are numbers."""
    of: Nodes | None = frozenset()
    for part in parts:
        of = None if of is None or part.of is None else of | part.of
    return _Value(shape, of)


def _other(shape: Shape, *parts: _Value) -> _Value:
    """A function of these: a number if they are numbers."""
    return _Value(shape, None if any(part.varies for part in parts) else frozenset())


class _Combinations(Arithmetic[_Value]):
    """The arithmetic of affine combinations."""

    def shape(self, value: _Value) -> Shape:
        return value.shape

    def input(self, shape: Shape) -> _Value:
        return _Value(shape, None)

    def parameter(self, name: str, shape: Shape) -> _Value:
        return _Value(shape, frozenset())

    def constant(self, values: Array) -> _Value:
        return _Value(values.shape, frozenset())

    def affine(self, geometry: Geometry, sources: Sequence[_Value], weight: _Value, bias: _Value | None) -> _Value:
        numbers = [weight] if bias is None else [weight, bias]
        if any(part.varies for part in numbers):
            return _other(geometry.shape, *sources, *numbers)
        return _joined(geometry.shape, *sources)

    def map(self, x: _Value, sigma: Activation) -> _Value:
        power = sigma.facts.polynomial_degree
        straight = power.status == "proved" and power.value is not None and power.value <= 1
        return x if straight else _other(x.shape, x)

    def add(self, a: _Value, b: _Value) -> _Value:
        return _joined(_broadcast(a.shape, b.shape), a, b)

    def multiply(self, a: _Value, b: _Value) -> _Value:
        return self._product(_broadcast(a.shape, b.shape), a, b)

    def _product(self, shape: Shape, a: _Value, b: _Value) -> _Value:
        """Linear in one factor where the other is a number."""
        return _other(shape, a, b) if a.varies and b.varies else _joined(shape, a, b)

    def scale(self, x: _Value, factor: Fraction, *, root: bool = False) -> _Value:
        return x

    def gather(self, sources: Sequence[_Value], places: Places) -> _Value:
        return _joined(places.shape, *sources)

    def contract(self, a: _Value, b: _Value, *, transposed: bool = False) -> _Value:
        shape = (*_broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-2 if transposed else -1])
        return self._product(shape, a, b)

    def total(self, x: _Value) -> _Value:
        return _Value(x.shape[:-1], x.of)

    def largest(self, x: _Value) -> _Value:
        return _other(x.shape[:-1], x)

    def inverse_root(self, x: _Value, epsilon: Fraction) -> _Value:
        return _other(x.shape, x)

    def softmax(self, x: _Value, mask: _Value | None) -> _Value:
        return _other(x.shape, x) if mask is None else _other(x.shape, x, mask)

    def embed(self, tokens: _Value, table: _Value) -> _Value:
        return _other((*tokens.shape, *table.shape[1:]), tokens, table)


def _broadcast(a: Shape, b: Shape) -> Shape:
    return tuple(np.broadcast_shapes(a, b))
