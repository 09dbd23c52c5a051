r"""Enclosure of Psi(U) in binary64: midpoints, and one radius per unit.

A layer reads ``H`` (samples x k) with ``|h_ij - H_ij| <= q_j`` and makes ``Z = fl(H W^T + b)``, one product. With
``eta >= max_i ||H_i||_2`` the pre-activations z satisfy, by Cauchy and Schwarz,

.. math:: |z_{ij} - Z_{ij}| \le \sum_k |W_{jk}| q_k + \gamma_{k+3} (\eta \|W_j\|_2 + |b_j|) + 2^{-960} =: r_j,

and with a Lipschitz constant L of the activation and the error e of its kernel on the layer's range, the new radii are
``L r_j + e``. So the radii are rank-one matrices (a column of ones times a row) and cost one matrix-vector product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verifier.balls.binary64.activation import array_kernel, kernel_bounds
from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.backend import NotEnclosed as NotEnclosed
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, gamma, inflation, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.elementary import LogarithmRefused
from verifier.balls.binary64.float_functions import Unsupported
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress, PsiEnclosure
from verifier.display import Brief
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Array as NumpyArray
from verifier.network.windows import window_indices
from verifier.sigma.activations import Activation

BLOCK_BYTES = 64 * 2**20
"""Size of a block's widest layer when samples are processed in blocks of rows."""

CACHE_BYTES = 2**30
"""Psi is kept between passes up to this size."""

QUIETLY = np.errstate(all="ignore")
"""Overflow is no news: what is not finite is not enclosed, and that is checked."""


@dataclass(frozen=True, slots=True, repr=False)
class Enclosed(Brief):
    """Midpoints ``(samples, units)`` and radii ``(units,)``. Guarantee: ``|exact_ij - mid_ij| <= radius_j``."""

    mid: Array
    radius: Array


@dataclass(repr=False)
class FloatEnclosure(PsiEnclosure):
    """Enclosure of Psi(U), shape ``(N, M)``, in binary64; made by blocks of rows or of columns.

    Parameters
    ----------
    network, u, inputs
        As for `FeatureEnclosure`.
    backend
        The array library.
    record
        The products that the features rest on, from the first one on, and those that are made with them.

    Notes
    -----
    Guarantee: every block yielded contains the exact-real features of its samples and units: entry ij is within
    ``radius_j`` of the midpoint; midpoints are finite, zero or normal numbers. A block is yielded once the canary has
    tested every product that it rests on.

    Raises
    ------
    NotEnclosed
        From the block iterators, if there is no finite enclosure, or the platform's products are not as trusted.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> features = vf.FloatEnclosure(network, u, x, vf.numpy_backend(1))
    >>> rows, midpoints, radii = next(features.row_blocks())
    >>> rows, midpoints.shape, radii.shape, bool(radii.max() < 1e-14)
    (slice(0, 3, None), (3, 3), (3,), True)
    """

    backend: Backend
    record: Products = field(default_factory=Products, repr=False)
    _rows: list[tuple[slice, Enclosed]] | None = field(default=None, repr=False)
    _weights: dict[str, Array] = field(default_factory=dict, repr=False)

    @property
    def precision(self) -> int:
        """Bits of Arb's precision at which a checker's enclosures are narrower than these."""
        return 64

    def approx(self) -> NumpyArray:
        """The midpoints as one NumPy array ``(N, M)``: an approximation of Psi for proposals, of whatever platform."""
        return np.concatenate([self.backend.numpy(mid) for _, mid, _ in self._row_blocks(None)])

    def row_blocks(self, progress: Progress | None = None) -> Iterator[tuple[slice, Array, Array]]:
        """Yield ``(rows, midpoints (n, M), radii (M,))`` for all samples in order; kept if Psi is small."""
        for rows, mid, radius in self._row_blocks(progress):
            require_products(self.record)
            yield rows, mid, radius

    def _row_blocks(self, progress: Progress | None) -> Iterator[tuple[slice, Array, Array]]:
        """Yield the blocks of rows before anything is known of the platform."""
        if self._rows is not None:
            for rows, block in self._rows:
                yield rows, block.mid, block.radius
            return
        widest = max(self.network.dimension, self.columns, *(int(np.prod(s)) for s in self.network.shapes))
        count = max(1, min(self.samples, BLOCK_BYTES // (8 * widest)))
        kept: list[tuple[slice, Enclosed]] | None = [] if 8 * self.samples * self.columns <= CACHE_BYTES else None
        for start in range(0, self.samples, count):
            rows = slice(start, min(start + count, self.samples))
            block = self._skip_units(rows)
            if kept is not None:
                kept.append((rows, block))
            yield rows, block.mid, block.radius
            if progress is not None:
                progress(rows.stop / self.samples)
        self._rows = kept

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield ``(columns, midpoints (N, w), radii (w,))`` for all skip units in order, w <= ``width``.

        A dense layer that no other layer reads is made block by block of its units: its whole output never exists.
        """
        if self._rows is not None and len(self._rows) == 1:
            require_products(self.record)
            block = self._rows[0][1]
            for start in range(0, self.columns, width):
                part = slice(start, min(start + width, self.columns))
                yield part, self.backend.contiguous(block.mid[:, part]), block.radius[part]
            return
        yield from self._by_units(width)

    def _by_units(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        network, rows = self.network, slice(0, self.samples)
        readers = {s for sources in network.sources for s in sources}
        last = {s: max(i for i, r in enumerate(network.sources) if s in r) for s in readers}
        skips = dict(network.skip_units)
        values: dict[Any, Enclosed] = {"input": self._input(rows)}
        column = 0
        for index, layer in enumerate(network.layers):
            z = self._gather(values, index)
            units = skips.get(index, ())
            if index in readers or not isinstance(layer, Dense):
                whole = self._layer(index, z)
                if index in readers:
                    values[index] = whole
                pieces = (self._pick(whole, units[a : a + width]) for a in range(0, len(units), width))
            else:
                pieces = (self._dense(index, layer, z, units[a : a + width]) for a in range(0, len(units), width))
            for piece in pieces:
                size = int(piece.radius.shape[0])
                require_products(self.record)
                yield slice(column, column + size), piece.mid, piece.radius
                column += size
            for source in [s for s in values if last.get(s, -1) <= index]:
                del values[source]

    def _skip_units(self, rows: slice) -> Enclosed:
        xp, network = self.backend.xp, self.network
        values: dict[Any, Enclosed] = {"input": self._input(rows)}
        for index in range(len(network.layers)):
            values[index] = self._layer(index, self._gather(values, index))
        parts = [self._pick(values[index], units) for index, units in network.skip_units]
        if len(parts) == 1:
            return parts[0]
        return Enclosed(xp.concat([p.mid for p in parts], axis=1), xp.concat([p.radius for p in parts], axis=0))

    def _pick(self, value: Enclosed, units: tuple[int, ...]) -> Enclosed:
        if len(units) == int(value.radius.shape[0]):
            return value
        if list(units) == list(range(units[0], units[-1] + 1)):
            part = slice(units[0], units[-1] + 1)
            return Enclosed(self.backend.contiguous(value.mid[:, part]), value.radius[part])
        xp = self.backend.xp
        chosen = xp.asarray(np.array(units, dtype=np.int64))
        return Enclosed(xp.take(value.mid, chosen, axis=1), xp.take(value.radius, chosen, axis=0))

    def _input(self, rows: slice) -> Enclosed:
        x = self.inputs[rows]
        tiny = np.abs(x) < SMALLEST_NORMAL
        lost = bool((tiny & (x != 0.0)).any())
        mid = self.backend.asarray(np.where(tiny, 0.0, x) if lost else x)
        return Enclosed(mid, self.backend.asarray(np.full(x.shape[1], SMALLEST_NORMAL if lost else 0.0)))

    def _gather(self, values: dict[Any, Enclosed], index: int) -> Enclosed:
        parts = [values[s] for s in self.network.sources[index]]
        if len(parts) == 1:
            return parts[0]
        xp = self.backend.xp
        return Enclosed(xp.concat([p.mid for p in parts], axis=1), xp.concat([p.radius for p in parts], axis=0))

    def _parameter(self, name: str) -> Array:
        """A parameter of the network on the device, refused if it holds a subnormal number."""
        if name not in self._weights:
            value = self.network.view(self.u, name)
            if bool(((np.abs(value) < SMALLEST_NORMAL) & (value != 0.0)).any()):
                raise NotEnclosed(f"{name} holds subnormal numbers")
            self._weights[name] = self.backend.asarray(value)
        return self._weights[name]

    def _layer(self, index: int, z: Enclosed) -> Enclosed:
        layer = self.network.layers[index]
        if isinstance(layer, Dense):
            return self._dense(index, layer, z, tuple(range(layer.width)))
        sources = self.network.source_shapes(index)
        shape = (sum(s[0] for s in sources), *sources[0][1:])
        if isinstance(layer, Conv):
            return self._convolution(index, layer, z, shape)
        return self._pool(layer, z, shape)

    @QUIETLY
    def _dense(self, index: int, layer: Dense, z: Enclosed, units: tuple[int, ...]) -> Enclosed:
        weight, bias = self._parameter(f"layer{index}.weight"), self._parameter(f"layer{index}.bias")
        if len(units) != layer.width:
            xp = self.backend.xp
            if list(units) == list(range(units[0], units[-1] + 1)):
                weight, bias = weight[units[0] : units[-1] + 1, :], bias[units[0] : units[-1] + 1]
            else:
                chosen = xp.asarray(np.array(units, dtype=np.int64))
                weight, bias = xp.take(weight, chosen, axis=0), xp.take(bias, chosen, axis=0)
        pre = self.backend.matmul(z.mid, weight.T, self.record)
        pre += bias
        radius = self._radius(weight, z.radius, self._largest_norm(z.mid), self.backend.xp.abs(bias))
        return self._activate(layer.activation, pre, radius)

    def _radius(self, weight: Array, q: Array, eta: float, bias: Array) -> Array:
        """``sum_k |W_jk| q_k + gamma (eta ||W_j|| + |b_j|)`` as an upper bound, for each row j of the weights."""
        xp, k = self.backend.xp, int(weight.shape[1])
        norm = upper(xp.sqrt(xp.sum(weight * weight, axis=1) + TINY), k)
        spread = upper(xp.sum(xp.abs(weight) * q, axis=1), k)
        return upper(spread + gamma(k + 3) * (eta * norm + bias), 8)

    def _largest_norm(self, values: Array) -> float:
        """Upper bound of the rows' 2-norms."""
        xp, k = self.backend.xp, int(values.shape[1])
        squares = [float(xp.max(xp.sum(part * part, axis=1))) for part in self._row_parts(values)]
        return float(upper(math.sqrt(max(squares) + TINY), k))

    def _row_parts(self, values: Array) -> Iterator[Array]:
        step = max(1, self.backend.chunk * 16 // max(1, int(values.shape[1])))
        for start in range(0, int(values.shape[0]), step):
            yield values[start : min(start + step, int(values.shape[0])), :]

    def _activate(self, activation: Activation, pre: Array, radius: Array) -> Enclosed:
        xp = self.backend.xp
        low, high, most = float(xp.min(pre)), float(xp.max(pre)), float(xp.max(radius))
        if not (-1e300 < low <= high < 1e300 and most < 1e300):
            raise NotEnclosed("a pre-activation overflows binary64")
        room = most * inflation(4) + 1e-300
        try:
            found = kernel_bounds(activation, (low - room) - abs(low) * 1e-15, (high + room) + abs(high) * 1e-15)
            mid = self.backend.map(array_kernel(activation, xp), pre)
        except (Unsupported, LogarithmRefused) as error:
            raise NotEnclosed(f"{activation.name}: {error}") from None
        out = upper(found.lipschitz * radius + found.error, 4)
        if not (self.backend.all_finite(mid) and self.backend.all_finite(out)):
            raise NotEnclosed(f"{activation.name}: a feature overflows binary64")
        return Enclosed(mid, out)

    @QUIETLY
    def _convolution(self, index: int, layer: Conv, z: Enclosed, shape: tuple[int, ...]) -> Enclosed:
        xp = self.backend.xp
        windows = np.array(window_indices(shape, layer.kernel, layer.steps, layer.padding), dtype=np.int64)
        positions, k = windows.shape
        count = int(z.mid.shape[0])
        if layer.padding:  # windows in the padding read this exact zero: midpoint 0, radius 0
            zero = xp.asarray(np.zeros(1))
            z = Enclosed(xp.concat([z.mid, xp.zeros_like(z.mid[:, :1])], axis=1), xp.concat([z.radius, zero], axis=0))
        chosen = xp.asarray(np.ascontiguousarray(windows.ravel()))
        weight = xp.reshape(self._parameter(f"layer{index}.weight"), (layer.filters, k))
        bias = xp.reshape(self._parameter(f"layer{index}.bias"), (layer.filters, -1))  # (filters, positions or 1)
        patches = xp.reshape(xp.take(z.mid, chosen, axis=1), (count * positions, k))
        product = self.backend.matmul(patches, weight.T, self.record)
        pre = xp.permute_dims(xp.reshape(product, (count, positions, layer.filters)), (0, 2, 1)) + bias
        pre = self.backend.contiguous(xp.reshape(pre, (count, layer.filters * positions)))
        eta = self._largest_norm(patches)
        spread = xp.reshape(xp.take(z.radius, chosen, axis=0), (positions, k))
        norm = upper(xp.sqrt(xp.sum(weight * weight, axis=1) + TINY), k)  # (filters,)
        moved = upper(xp.sum(xp.abs(weight)[:, None, :] * spread[None, :, :], axis=2), k)  # (filters, positions)
        radius = upper(moved + gamma(k + 3) * (eta * norm[:, None] + xp.abs(bias)), 8)
        return self._activate(layer.activation, pre, xp.reshape(radius, (layer.filters * positions,)))

    @QUIETLY
    def _pool(self, layer: AvgPool, z: Enclosed, shape: tuple[int, ...]) -> Enclosed:
        """Means over windows: the sum of k numbers, times 1/k: ``gamma_{k+3}`` times the mean of the magnitudes."""
        xp = self.backend.xp
        windows = np.array(window_indices((1, *shape[1:]), layer.kernel, layer.steps), dtype=np.int64)
        positions, k = windows.shape
        count, channels = int(z.mid.shape[0]), shape[0]
        plane = int(np.prod(shape[1:]))
        flat = (np.arange(channels)[:, None, None] * plane + windows[None]).reshape(-1)
        chosen = xp.asarray(flat)
        patches = xp.reshape(xp.take(z.mid, chosen, axis=1), (count, channels * positions, k))
        mean = (xp.sum(patches, axis=2) * (1.0 / k) + TINY) - TINY
        largest = xp.max(xp.sum(xp.abs(patches), axis=2), axis=0)
        spread = xp.sum(xp.reshape(xp.take(z.radius, chosen, axis=0), (channels * positions, k)), axis=1)
        radius = upper((spread + gamma(k + 3) * upper(largest, k)) * (1.0 / k) + 4.0 * TINY, k)
        if not (self.backend.all_finite(mean) and self.backend.all_finite(radius)):
            raise NotEnclosed("a pooled feature overflows binary64")
        return Enclosed(mean, radius)
