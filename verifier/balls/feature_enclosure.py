"""Enclosure of every hidden unit and of the feature matrix Psi(U), by Arb.

Samples are processed in blocks of rows. A dense layer is one ball matrix product; the activation is applied ball by
ball.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from flint import arb, arb_mat, ctx, fmpz

from verifier.balls.activation import NARROW_BITS, Kernel, arb_kernel
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.network.arguments import given_inputs, given_parameters
from verifier.network.forward import approx_features
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Array, Network
from verifier.network.windows import window_indices

BLOCK_ROWS = 256
"""Samples enclosed together: large enough for fast products, small enough that a block stays in tens of megabytes."""

CACHE_ENTRIES = 12_000_000
"""Entries of Psi kept between passes (an Arb ball takes 48 bytes: about 600 MB)."""

Progress = Callable[[float], None]
"""Called with the fraction done, 0..1."""


@dataclass(repr=False)
class PsiEnclosure(Brief):
    """What an enclosure of Psi(U), shape ``(N, M)``, is about: a network, U and samples, as exact numbers.

    Guarantee: ``u`` and ``inputs`` are finite, of the network's shapes, exactly the numbers given, and nobody else can
    write to them, so that an enclosure once made stays about the same U.
    """

    network: Network
    u: Array
    inputs: Array

    def __post_init__(self) -> None:
        """Check shapes and finiteness; keep private copies."""
        self.u = _read_only(given_parameters(self.network, self.u))
        self.inputs = _read_only(given_inputs(self.network, self.inputs))

    @property
    def samples(self) -> int:
        """The number N of samples."""
        return len(self.inputs)

    @property
    def columns(self) -> int:
        """The number M of skip units."""
        return self.network.skip_count


@dataclass(repr=False)
class FeatureEnclosure(PsiEnclosure):
    """Balls for Psi(U), shape ``(N, M)``, at a stated precision, computed once and kept if it fits.

    Parameters
    ----------
    network
        The network.
    u
        Hidden parameters, shape ``(p,)``, finite; taken as exact numbers.
    inputs
        Samples, shape ``(N, d)``, finite; taken as exact numbers.
    precision
        Arb's working precision in bits.

    Notes
    -----
    Guarantee: ``block(i)`` contains the exact-real value of every feature of its samples.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> features = vf.FeatureEnclosure(network, u, x, 64)
    >>> rows, psi = next(features.blocks())
    >>> rows, psi.nrows(), psi.ncols()
    (slice(0, 3, None), 3, 3)
    >>> bool(psi[0, 0].rad() < 1e-15)
    True
    """

    precision: int
    _blocks: dict[int, arb_mat] = field(default_factory=dict, repr=False)
    _weights: dict[int, tuple[arb_mat, list[arb]]] = field(default_factory=dict, repr=False)

    def approx(self) -> Array:
        """Psi in plain floating point, ``(N, M)``: an approximation for proposals."""
        return approx_features(self.network, self.u, self.inputs)

    def row_slices(self) -> list[slice]:
        """The rows of each block, in order."""
        return [slice(i, min(i + BLOCK_ROWS, self.samples)) for i in range(0, self.samples, BLOCK_ROWS)]

    def blocks(self, progress: Progress | None = None) -> Iterator[tuple[slice, arb_mat]]:
        """Yield ``(rows, enclosure of Psi[rows])`` for all blocks in order."""
        keep = self.samples * self.columns <= CACHE_ENTRIES
        for index, rows in enumerate(self.row_slices()):
            block = self._blocks.get(index)
            if block is None:
                with working_precision(self.precision):
                    block = _skip_columns(self.network, self._hidden(rows))
                if keep:
                    self._blocks[index] = block
            yield rows, block
            if progress is not None:
                progress(rows.stop / self.samples)

    def hidden(self, rows: slice) -> list[arb_mat]:
        """Enclose every hidden unit of every layer for the samples ``rows``: one ``(rows, units)`` matrix per layer."""
        with working_precision(self.precision):
            return self._hidden(rows)

    def _parameters(self, index: int) -> tuple[arb_mat, list[arb]]:
        """Transposed weights (fan_in, units or filters) and biases, exact."""
        if index not in self._weights:
            weight = self.network.view(self.u, f"layer{index}.weight")
            flat = weight.reshape(weight.shape[0], -1).T
            bias = [arb(b) for b in self.network.view(self.u, f"layer{index}.bias").ravel().tolist()]
            self._weights[index] = (arb_mat(flat.shape[0], flat.shape[1], flat.ravel().tolist()), bias)
        return self._weights[index]

    def _hidden(self, rows: slice) -> list[arb_mat]:
        network, count = self.network, rows.stop - rows.start
        x = arb_mat(count, network.dimension, self.inputs[rows].ravel().tolist())
        values: list[arb_mat] = []
        for index, layer in enumerate(network.layers):
            parts = [x if s == "input" else values[int(s)] for s in network.sources[index]]
            z = parts[0] if len(parts) == 1 else _concatenate(parts)
            if isinstance(layer, Dense):
                weight, bias = self._parameters(index)
                pre = z * weight
                kernel = arb_kernel(layer.activation, narrow=_all_narrow(pre))
                values.append(arb_mat(count, layer.width, _activate(kernel, pre.entries(), bias)))
                continue
            sources = network.source_shapes(index)
            shape = (sum(s[0] for s in sources), *sources[0][1:])
            if isinstance(layer, Conv):
                values.append(self._convolve(index, layer, z, shape))
            else:
                values.append(_pool(layer, z, shape))
        return values

    def _convolve(self, index: int, layer: Conv, z: arb_mat, shape: tuple[int, ...]) -> arb_mat:
        windows = window_indices(shape, layer.kernel, layer.steps, layer.padding)
        if layer.padding:
            z = _concatenate([z, arb_mat(z.nrows(), 1)])  # windows in the padding read this exact zero
        weight, bias = self._parameters(index)
        count, width, positions = z.nrows(), z.ncols(), len(windows)
        flat = z.entries()
        patches = [flat[i * width + j] for i in range(count) for window in windows for j in window]
        convolved = arb_mat(count * positions, len(windows[0]), patches) * weight
        kernel = arb_kernel(layer.activation, narrow=_all_narrow(convolved))
        product = convolved.entries()
        # (sample, position, filter) -> (sample, filter, position)
        filters = layer.filters
        pre = [
            product[(i * positions + p) * filters + f]
            for i in range(count)
            for f in range(filters)
            for p in range(positions)
        ]
        if layer.bias == "tied":
            bias = [b for b in bias for _ in range(positions)]
        return arb_mat(count, filters * positions, _activate(kernel, pre, bias))


def _read_only(values: Array) -> Array:
    """Copy an array that somebody could still write to."""
    if values.flags.owndata and not values.flags.writeable:
        return values
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def _all_narrow(pre: arb_mat) -> bool:
    """Whether every radius is below ``2^-NARROW_BITS``: the radius of the sum of all balls is at least each of them."""
    rows, columns = pre.nrows(), pre.ncols()
    total = arb_mat(1, rows, [1] * rows) * pre * arb_mat(columns, 1, [1] * columns)
    return bool(total[0, 0].rad() < arb((fmpz(1), fmpz(-NARROW_BITS))))


def _activate(kernel: Kernel, pre: Sequence[arb], bias: Sequence[arb]) -> list[arb]:
    width = len(bias)
    out: list[arb] = []
    for start in range(0, len(pre), width):
        out += [kernel(z + b) for z, b in zip(pre[start : start + width], bias, strict=True)]
    return out


def _pool(layer: AvgPool, z: arb_mat, shape: tuple[int, ...]) -> arb_mat:
    channels, plane = shape[0], math.prod(shape[1:])
    windows = window_indices((1, *shape[1:]), layer.kernel, layer.steps)
    size = len(windows[0])
    out = []
    for i in range(z.nrows()):
        for c in range(channels):
            for window in windows:
                total = arb(0)
                for j in window:
                    total += z[i, c * plane + j]
                out.append(total / size)
    return arb_mat(z.nrows(), channels * len(windows), out)


def _concatenate(parts: Sequence[arb_mat]) -> arb_mat:
    rows = zip(*(part.tolist() for part in parts), strict=True)
    flat = [value for row in rows for piece in row for value in piece]
    return arb_mat(parts[0].nrows(), sum(part.ncols() for part in parts), flat)


def _skip_columns(network: Network, values: Sequence[arb_mat]) -> arb_mat:
    parts = []
    for index, units in network.skip_units:
        value = values[index]
        if len(units) == value.ncols():
            parts.append(value)
        else:
            parts.append(arb_mat(value.nrows(), len(units), [row[u] for row in value.tolist() for u in units]))
    return parts[0] if len(parts) == 1 else _concatenate(parts)


def block_is_finite(block: arb_mat) -> bool:
    """Whether every ball is finite: an infinite or NaN entry makes its row sum so."""
    ones = arb_mat(block.ncols(), 1, [1] * block.ncols())
    return all(value.is_finite() for value in (block * ones).entries())


def use_threads(count: int) -> None:
    """Let FLINT use ``count`` threads in matrix products (results are enclosures whatever the number)."""
    ctx.threads = max(1, count)
