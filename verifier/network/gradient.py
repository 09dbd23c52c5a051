"""The gradient of the cross-entropy by backpropagation in floating point: an untrusted direction, never a proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.forward import (
    FloatArithmetic,
    aligned,
    gathered,
    groups_of,
    in_order,
    patches_of,
    side_by_side,
)
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation
from verifier.sigma.kernels import approx_numpy_derivative


@dataclass(frozen=True, slots=True)
class Gradient:
    """Approximate loss and gradient: ``du`` of shape ``(p,)``, ``dv`` of shape ``(M, m)``."""

    loss: float
    du: Array
    dv: Array

    @property
    def norm(self) -> float:
        """Euclidean norm of the whole gradient."""
        return float(np.hypot(np.linalg.norm(self.du), np.linalg.norm(self.dv)))


Pullback = Callable[[Array], Sequence[Array]]
"""From the derivative by a result to those by what it was made of, each to be summed over broadcast axes."""


@dataclass(slots=True, eq=False)
class Traced:
    """A value, what it was made of, and the derivative of the loss by it (None: nothing arrived yet)."""

    value: Array
    parents: tuple[Traced, ...] = ()
    pullback: Pullback | None = None
    slope: Array | None = field(default=None, repr=False)

    def receive(self, slope: Array) -> None:
        """Add a derivative, summed over the axes along which the value was broadcast."""
        extra = slope.ndim - self.value.ndim
        if extra:
            slope = slope.sum(axis=tuple(range(1, extra + 1)))
        wide = tuple(k for k, n in enumerate(self.value.shape) if n == 1 and slope.shape[k] > 1)
        slope = slope.sum(axis=wide, keepdims=True) if wide else slope
        self.slope = slope if self.slope is None else self.slope + slope


class Tape(Arithmetic[Traced]):
    """Plain floating point that remembers how each value was made."""

    def __init__(self, views: dict[str, Array], inputs: Array) -> None:
        """Begin an empty tape."""
        self.plain = FloatArithmetic(views, inputs)
        self.made: list[Traced] = []
        self.parameters: dict[str, Traced] = {}

    def _keep(self, value: Array, parents: Sequence[Traced] = (), pullback: Pullback | None = None) -> Traced:
        found = Traced(value, tuple(parents), pullback)
        self.made.append(found)
        return found

    def backward(self) -> None:
        """Hand every derivative on, from the last value to the first."""
        for traced in reversed(self.made):
            if traced.slope is None or traced.pullback is None:
                continue
            for parent, slope in zip(traced.parents, traced.pullback(traced.slope), strict=True):
                parent.receive(slope)

    def shape(self, value: Traced) -> Shape:
        """Without the samples' axis."""
        return value.value.shape[1:]

    def input(self, shape: Shape) -> Traced:
        """The samples."""
        return self._keep(self.plain.input(shape))

    def parameter(self, name: str, shape: Shape) -> Traced:
        """A part of U, whose derivative is wanted."""
        self.parameters[name] = self._keep(self.plain.parameter(name, shape))
        return self.parameters[name]

    def constant(self, values: Array) -> Traced:
        """Fixed numbers."""
        return self._keep(self.plain.constant(values))

    def affine(self, geometry: Geometry, sources: Sequence[Traced], weight: Traced, bias: Traced | None) -> Traced:
        """Backwards: the weights meet the derivatives, the derivatives meet the windows."""
        row = side_by_side([source.value for source in sources], geometry.padded)
        patches, groups = patches_of(row, geometry), groups_of(geometry)
        parts = np.split(weight.value.reshape(geometry.filters, -1), groups)
        products = [patch @ part.T for patch, part in zip(patches, parts, strict=True)]
        product = products[0] if groups == 1 else np.concatenate(products, axis=2)
        value = in_order(geometry, product, None if bias is None else bias.value)

        def pullback(slope: Array) -> list[Array]:
            flat = slope.reshape(len(slope), geometry.filters, geometry.positions)
            if not geometry.filters_first:
                flat = slope.reshape(len(slope), geometry.positions, geometry.filters).transpose(0, 2, 1)
            of_groups = np.split(flat, groups, axis=1)  # (rows, filters of the group, positions)
            dw = [
                np.tensordot(d, np.broadcast_to(patch, (len(d), *patch.shape[1:])), axes=((0, 2), (0, 1)))
                for d, patch in zip(of_groups, patches, strict=True)
            ]
            onto = np.zeros((len(slope), row.shape[1]))
            for g, (d, part) in enumerate(zip(of_groups, parts, strict=True)):
                back = d.transpose(0, 2, 1) @ part  # (rows, positions, fan_in)
                if geometry.windows is None or not geometry.filters_first:
                    onto += back.reshape(len(onto), -1)
                else:
                    np.add.at(onto.T, geometry.windows[g], back.transpose(1, 2, 0))
            found = _cut(onto, [source.value for source in sources])
            found.append(np.concatenate(dw).reshape(weight.value.shape))
            if bias is not None:
                tied = bias.value[0].size == geometry.filters
                found.append(flat.sum(axis=2).reshape(len(flat), *bias.value.shape[1:]) if tied else slope)
            return found

        parents = [*sources, weight] if bias is None else [*sources, weight, bias]
        return self._keep(value, parents, pullback)

    def map(self, x: Traced, sigma: Activation) -> Traced:
        """The activation's derivative."""
        return self._keep(
            self.plain.map(x.value, sigma), [x], lambda slope: [slope * approx_numpy_derivative(sigma)(x.value)]
        )

    def add(self, a: Traced, b: Traced) -> Traced:
        """To both."""
        return self._keep(self.plain.add(a.value, b.value), [a, b], lambda slope: [slope, slope])

    def multiply(self, a: Traced, b: Traced) -> Traced:
        """Times the other factor."""
        left, right = aligned(a.value, b.value)
        return self._keep(left * right, [a, b], lambda slope: [slope * right, slope * left])

    def scale(self, x: Traced, factor: Fraction, *, root: bool = False) -> Traced:
        """By the same factor."""
        return self._keep(
            self.plain.scale(x.value, factor, root=root), [x], lambda d: [self.plain.scale(d, factor, root=root)]
        )

    def gather(self, sources: Sequence[Traced], places: Places) -> Traced:
        """Back to where the entries came from."""
        values = [source.value for source in sources]

        def pullback(slope: Array) -> list[Array]:
            onto = np.zeros((len(slope), sum(value[0].size for value in values)))
            np.add.at(onto.T, places.ravel(), slope.reshape(len(slope), -1).T)
            return _cut(onto, values)

        return self._keep(self.plain.gather(values, places), sources, pullback)

    def contract(self, a: Traced, b: Traced, *, transposed: bool = False) -> Traced:
        """Products with the other factor."""
        left, right = aligned(a.value, b.value)
        right = np.swapaxes(right, -1, -2) if transposed else right

        def pullback(slope: Array) -> list[Array]:
            da, db = slope @ np.swapaxes(right, -1, -2), np.swapaxes(left, -1, -2) @ slope
            return [da, np.swapaxes(db, -1, -2) if transposed else db]

        return self._keep(left @ right, [a, b], pullback)

    def total(self, x: Traced) -> Traced:
        """To all entries."""
        return self._keep(
            self.plain.total(x.value), [x], lambda slope: [np.broadcast_to(slope[..., None], x.value.shape)]
        )

    def largest(self, x: Traced) -> Traced:
        """To the largest entry, the first of several."""

        def pullback(slope: Array) -> list[Array]:
            onto = np.zeros(x.value.shape)
            np.put_along_axis(onto, x.value.argmax(axis=-1, keepdims=True), slope[..., None], axis=-1)
            return [onto]

        return self._keep(self.plain.largest(x.value), [x], pullback)

    def inverse_root(self, x: Traced, epsilon: Fraction) -> Traced:
        """``-y^3 / 2``."""
        y = self.plain.inverse_root(x.value, epsilon)
        return self._keep(y, [x], lambda slope: [-0.5 * slope * y**3])

    def softmax(self, x: Traced, mask: Traced | None) -> Traced:
        """``y_j (d_j - sum_k y_k d_k)``."""
        y = self.plain.softmax(x.value, None if mask is None else mask.value)
        return self._keep(y, [x], lambda slope: [y * (slope - (slope * y).sum(axis=-1, keepdims=True))])

    def embed(self, tokens: Traced, table: Traced) -> Traced:
        """Row by row."""
        chosen = tokens.value.astype(np.int64)

        def pullback(slope: Array) -> list[Array]:
            onto = np.zeros(table.value.shape)
            np.add.at(onto[0], chosen, slope)
            return [onto]

        return self._keep(self.plain.embed(tokens.value, table.value), [table], pullback)


def _cut(onto: Array, values: Sequence[Array]) -> list[Array]:
    """Part a row's derivative among the sources that were put side by side; the padding's share goes nowhere."""
    found, start = [], 0
    for value in values:
        size = value[0].size
        found.append(onto[:, start : start + size].reshape(len(onto), *value.shape[1:]))
        start += size
    return found


@np.errstate(all="ignore")
def approx_gradient(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: NDArray[np.int64],
    offset: Array | None = None,
) -> Gradient:
    """Evaluate Phi and its gradient at ``(U, V)``; approximate.

    Parameters
    ----------
    network, u, v
        The point: U of shape ``(p,)``, V of shape ``(M, m)``.
    inputs, labels, multiplicities
        Samples ``(N, d)``, classes ``(N,)``, how often each sample counts ``(N,)``.
    offset
        Frozen logits ``(N, m)`` that are added to Psi V; None: none.

    Returns
    -------
    Gradient
        An untrusted direction, never a proof; not finite where something overflows.
    """
    tape = Tape(network.views(u), inputs)
    values = network.evaluate(tape)
    psi = gathered(network, {node: traced.value for node, traced in values.items()}, len(inputs))
    share = multiplicities / multiplicities.sum()
    logits = psi @ v if offset is None else psi @ v + offset
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-(share * np.log(p[rows, labels])).sum())
    p[rows, labels] -= 1.0
    residual = p * share[:, None]
    _begin(network, values, residual @ v.T)
    tape.backward()
    du = np.zeros_like(u)
    for name, view in network.views(du).items():
        traced = tape.parameters.get(name)
        if traced is not None and traced.slope is not None:
            view[...] = traced.slope.reshape(view.shape)
    return Gradient(loss, du, psi.T @ residual)


def _begin(network: Network, values: dict[int, Traced], slopes: Array) -> None:
    """Hand the derivative by Psi, ``(N, M)``, to the nodes that features read."""
    column = 0
    for feature in network.features:
        traced = values[feature.node]
        size = traced.value[0].size
        chosen = range(size) if feature.entries is None else feature.entries
        onto = np.zeros((len(slopes), size))
        onto[:, list(chosen)] = slopes[:, column : column + len(chosen)]
        column += len(chosen)
        traced.receive(onto.reshape(len(slopes), *traced.value.shape[1:]))
