"""The network in plain floating point, node by node: untrusted proposals, never a proof.

A value is an array of shape ``(rows, *shape)``: a row for each sample, or one row for what depends on parameters alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.nodes import Affine
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation
from verifier.sigma.kernels import approx_numpy_kernel

BLOCK_BYTES: Final = 256 * 2**20
"""What the layers of a block of samples may take."""


class FloatArithmetic(Arithmetic[Array]):
    """NumPy's arithmetic on the samples ``inputs``, ``(N, d)``, at the parameters that ``views`` names."""

    def __init__(self, views: dict[str, Array], inputs: Array) -> None:
        """Take the parameters' values by name, and the samples, (n, d)."""
        self.views, self.inputs = views, inputs

    def shape(self, value: Array) -> Shape:
        """The shape of one sample's tensor: that of the array without its first axis."""
        return value.shape[1:]

    def input(self, shape: Shape) -> Array:
        """The samples in the input's shape."""
        return self.inputs.reshape(len(self.inputs), *shape)

    def parameter(self, name: str, shape: Shape) -> Array:
        """The part of U, as one row."""
        return self.views[name][None]

    def constant(self, values: Array) -> Array:
        """The numbers, as one row."""
        return values[None]

    def affine(self, geometry: Geometry, sources: Sequence[Array], weight: Array, bias: Array | None) -> Array:
        """One matrix product for each group of filters."""
        row = side_by_side(sources, geometry.padded)
        flat = weight.reshape(geometry.filters, -1)
        products = [
            at_once(patches, part)
            for patches, part in zip(patches_of(row, geometry), np.split(flat, groups_of(geometry)), strict=True)
        ]  # (rows, positions, filters of the group)
        product = products[0] if len(products) == 1 else np.concatenate(products, axis=2)
        return in_order(geometry, product, bias)

    def map(self, x: Array, sigma: Activation) -> Array:
        """Apply the activation's NumPy kernel to every entry."""
        return approx_numpy_kernel(sigma)(x)

    def add(self, a: Array, b: Array) -> Array:
        """Add as NumPy broadcasts, from the last axis on."""
        a, b = aligned(a, b)
        return a + b

    def multiply(self, a: Array, b: Array) -> Array:
        """Multiply as NumPy broadcasts, from the last axis on."""
        a, b = aligned(a, b)
        return a * b

    def scale(self, x: Array, factor: Fraction, *, root: bool = False) -> Array:
        """Multiply by the float next to the factor, or next to its root."""
        return x * (math.sqrt(factor) if root else float(factor))

    def gather(self, sources: Sequence[Array], places: Places) -> Array:
        """By fancy indexing, or without a copy where nothing moves."""
        row = side_by_side(sources)
        if places.size == row.shape[1] and places.size and _in_place(places):
            return row.reshape(len(row), *places.shape)
        return row[:, places.ravel()].reshape(len(row), *places.shape)

    def contract(self, a: Array, b: Array, *, transposed: bool = False) -> Array:
        """Matrix products over the last two axes by NumPy's matmul."""
        a, b = aligned(a, b)
        product: Array = a @ (np.swapaxes(b, -1, -2) if transposed else b)
        return product

    def total(self, x: Array) -> Array:
        """The sum over the last axis, as NumPy orders it."""
        found: Array = x.sum(axis=-1)
        return found

    def largest(self, x: Array) -> Array:
        """The maximum over the last axis."""
        found: Array = x.max(axis=-1)
        return found

    def inverse_root(self, x: Array, epsilon: Fraction) -> Array:
        """Not a number where it is not defined."""
        found: Array = 1.0 / np.sqrt(x + float(epsilon))
        return found

    def softmax(self, x: Array, mask: Array | None) -> Array:
        """Take a softmax with the largest score subtracted, so that nothing overflows."""
        if mask is not None:
            x, mask = aligned(x, mask)
            x = np.where(mask > 0.0, x, -np.inf)
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        found: Array = powers / powers.sum(axis=-1, keepdims=True)
        return found

    def embed(self, tokens: Array, table: Array) -> Array:
        """Take the rows of a table whose numbers are the tokens."""
        found: Array = table[0][tokens.astype(np.int64)]
        return found

    def normalise(self, x: Array, epsilon: Fraction, *, centre: bool) -> Array:
        """Divide ``x``, less its mean if `centre`, by the root of its mean square plus epsilon."""
        if centre:
            x = x - x.mean(axis=-1, keepdims=True)
        found: Array = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + float(epsilon))
        return found


def side_by_side(sources: Sequence[Array], padded: bool = False) -> Array:
    """Values flattened and put side by side, ``(rows, entries)``; if ``padded``, an exact zero behind them."""
    rows = max(len(value) for value in sources)
    parts = [value.reshape(len(value), -1) for value in sources]
    if padded:
        parts.append(np.zeros((1, 1)))
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.broadcast_to(part, (rows, part.shape[1])) for part in parts], axis=1)


def groups_of(geometry: Geometry) -> int:
    """How many groups of filters read windows of their own."""
    return 1 if geometry.windows is None else len(geometry.windows)


def patches_of(row: Array, geometry: Geometry) -> list[Array]:
    """What each position reads, ``(rows, positions, fan_in)`` for each group."""
    if geometry.windows is None:
        return [row[:, None, :]]
    if not geometry.filters_first:
        return [row.reshape(len(row), geometry.positions, -1)]
    return [row[:, places] for places in geometry.windows]


def at_once(patches: Array, weights: Array) -> Array:
    """Windows ``(rows, positions, fan_in)`` times weights ``(filters, fan_in)``, as one product of two matrices.

    NumPy would make as many products as there are rows, and read all weights for each.
    """
    rows, positions, fan_in = patches.shape
    return (patches.reshape(rows * positions, fan_in) @ weights.T).reshape(rows, positions, len(weights))


def in_order(geometry: Geometry, product: Array, bias: Array | None) -> Array:
    """Bring ``(rows, positions, filters)`` to the result's order and add the biases."""
    if bias is not None and bias[0].size == geometry.filters:
        product = product + bias.reshape(geometry.filters)
    if geometry.filters_first:
        product = product.transpose(0, 2, 1)
    result = product.reshape(len(product), *geometry.shape)
    return result if bias is None or bias[0].size == geometry.filters else result + bias


def aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """Give two values as many axes, so that their samples' axes meet."""
    axes = max(a.ndim, b.ndim)
    return _with_axes(a, axes), _with_axes(b, axes)


def _with_axes(value: Array, axes: int) -> Array:
    return value.reshape(len(value), *(1,) * (axes - value.ndim), *value.shape[1:])


def _in_place(places: Places) -> bool:
    flat = places.ravel()
    return bool(flat[0] == 0 and flat[-1] == flat.size - 1 and (flat == np.arange(flat.size)).all())


@np.errstate(all="ignore")
def approx_nodes(network: Network, u: Array, inputs: Array, wanted: Iterable[int]) -> dict[int, Array]:
    """Evaluate nodes in plain floating point.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, samples ``(N, d)``.
    wanted : iterable of int
        The nodes.

    Returns
    -------
    dict
        Their values by index, ``(N, *shape)``, or ``(1, *shape)`` for nodes on parameters alone; an untrusted proposal.
    """
    return network.evaluate(FloatArithmetic(network.views(u), inputs), wanted)


@np.errstate(all="ignore")
def approx_features(network: Network, u: Array, inputs: Array) -> Array:
    """Evaluate Psi(U) in plain floating point: an untrusted proposal, never a proof.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, samples ``(N, d)``.

    Returns
    -------
    ndarray of shape (N, M)
        One column for each feature; entries that overflow are not finite.

    Raises
    ------
    NetworkError
        U has another length.
    """
    views, step = network.views(u), rows_at_a_time(network)
    if len(inputs) <= step:
        values = network.evaluate(FloatArithmetic(views, inputs))
        return np.ascontiguousarray(gathered(network, values, len(inputs)))
    psi = np.empty((len(inputs), network.skip_count))
    for start in range(0, len(inputs), step):
        some = inputs[start : start + step]
        psi[start : start + step] = gathered(network, network.evaluate(FloatArithmetic(views, some)), len(some))
    return psi


def rows_at_a_time(network: Network) -> int:
    """How many samples' values fit into `BLOCK_BYTES`, at least one."""
    shapes = network.node_shapes
    held = sum(math.prod(shape) for shape, varies in zip(shapes, network.varies, strict=True) if varies)
    copied = 0
    for node in network.nodes:
        if isinstance(node, Affine):
            windows = node.geometry([shapes[index] for index in node.reads]).windows
            copied = max(copied, 0 if windows is None else windows.size)  # every position reads a copy of its own
    return max(1, BLOCK_BYTES // (8 * (held + network.skip_count + copied)))


def gathered(network: Network, values: dict[int, Array], samples: int) -> Array:
    """Take the columns of Psi, ``(N, M)``, from the values of the nodes that features read."""
    columns = []
    for feature in network.features:
        value = values[feature.node]
        part = value.reshape(len(value), -1)
        part = part if feature.entries is None else part[:, list(feature.entries)]
        columns.append(np.broadcast_to(part, (samples, part.shape[1])))
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
