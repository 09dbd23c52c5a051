r"""Enclosure of Psi(U) in binary64: midpoints, one radius per column, and one 2-norm per row.

The network's programme runs in the arithmetic of `FloatBalls` on blocks of samples; the columns of Psi are taken from
the values of the nodes that its features read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.backend import NotEnclosed as NotEnclosed
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries, bound_of_norm, over_rows
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress, PsiEnclosure
from verifier.display import Brief
from verifier.network.arithmetic import Geometry
from verifier.network.graph import Feature
from verifier.network.network import Array as NumpyArray
from verifier.network.nodes import Affine, Map, Parameter
from verifier.sigma.activations import Activation

BLOCK_BYTES = 64 * 2**20
"""Size of a block's widest node when samples are processed in blocks of rows."""

CACHE_BYTES = 2**30
"""Psi is kept between passes up to this size."""

BITS, LEVELS = 64, 8
"""Arb's bits for so many levels of nodes that mix entries; for each further group of levels as many again."""

MIXING = ("affine", "contract", "attend", "gate")
"""Kinds of nodes through which radii of single entries grow faster than 2-norms."""

QUIETLY = np.errstate(all="ignore")
"""Overflow is no news: what is not finite is not enclosed, and that is checked."""


@dataclass(frozen=True, slots=True, repr=False)
class Block(Brief):
    """Columns of Psi for some samples.

    Guarantee: ``|exact_ij - mid_ij| <= radius_j``, and the 2-norm of row i of the difference is at most ``norms_i``;
    shapes (n, w), (w,), (n,).
    """

    mid: Array
    radius: Array
    norms: Array


@dataclass(frozen=True, slots=True)
class Units:
    """A layer whose output is made unit by unit: the nodes of its sources, of its weights, and of its biases if any."""

    sources: tuple[int, ...]
    own: tuple[int, ...]
    sigma: Activation


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
    _rows: list[tuple[slice, Block]] | None = field(default=None, repr=False)

    @cached_property
    def precision(self) -> int:
        """Bits of Arb's precision at which a checker's enclosures are expected to be narrower than these.

        Arb's balls hold entries one by one, so that what they lose grows with depth where 2-norms grow less.
        """
        depth: list[int] = []
        for node in self.network.nodes:
            depth.append(max((depth[i] for i in node.reads), default=0) + (node.kind in MIXING))
        return BITS * (1 + max(depth) // LEVELS)

    def approx(self) -> NumpyArray:
        """The midpoints as one NumPy array ``(N, M)``: an approximation of Psi for proposals, of whatever platform."""
        return np.concatenate([self.backend.numpy(mid) for _, mid, _ in self._row_blocks(None)])

    def row_norms(self, rows: slice = slice(None)) -> Array:
        """Bounds of the 2-norms of rows of Psi minus midpoints, one per sample.

        Guarantee: upper bounds for the midpoints that the last pass delivered, by rows or by columns; infinity for rows
        that no pass has gone through yet. (Another pass may deliver midpoints that differ in their last bits.)
        """
        return self._norms[rows]

    @cached_property
    def _norms(self) -> Array:
        return self.backend.asarray(np.full(self.samples, math.inf))

    @cached_property
    def _shared(self) -> Shared:
        return Shared(self.backend, self.record, self.network.views(self.u))

    def row_blocks(self, progress: Progress | None = None) -> Iterator[tuple[slice, Array, Array]]:
        """Yield ``(rows, midpoints (n, M), radii (M,))`` for all samples in order; kept if Psi is small."""
        for rows, mid, radius in self._row_blocks(progress):
            require_products(self.record)
            yield rows, mid, radius

    def _row_blocks(self, progress: Progress | None) -> Iterator[tuple[slice, Array, Array]]:
        """Yield the blocks of rows before anything is known of the platform."""
        if self._rows is not None:
            for rows, block in self._rows:
                self._norms[rows] = block.norms
                yield rows, block.mid, block.radius
            return
        network = self.network
        sizes = (math.prod(shape) for shape, v in zip(network.node_shapes, network.varies, strict=True) if v)
        count = max(1, min(self.samples, BLOCK_BYTES // (8 * max(self.columns, *sizes))))
        kept: list[tuple[slice, Block]] | None = [] if 8 * self.samples * self.columns <= CACHE_BYTES else None
        for start in range(0, self.samples, count):
            rows = slice(start, min(start + count, self.samples))
            block = self._features(rows)
            self._norms[rows] = block.norms
            if kept is not None:
                kept.append((rows, block))
            yield rows, block.mid, block.radius
            if progress is not None:
                progress(rows.stop / self.samples)
        self._rows = kept

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield ``(columns, midpoints (N, w), radii (w,))`` for all columns in order, w <= ``width``.

        A layer that no node reads is made block by block of its units: its whole output never exists.
        """
        if self._rows is not None and len(self._rows) == 1:
            require_products(self.record)
            block = self._rows[0][1]
            self._norms[...] = block.norms
            for start in range(0, self.columns, width):
                part = slice(start, min(start + width, self.columns))
                yield part, self.backend.contiguous(block.mid[:, part]), block.radius[part]
            return
        column, squares = 0, 0.0
        for block in self._by_units(width):
            size = int(block.radius.shape[0])
            squares = squares + block.norms * block.norms
            require_products(self.record)
            yield slice(column, column + size), block.mid, block.radius
            column += size
        self._norms[...] = upper(self.backend.xp.sqrt(squares + TINY), self.columns)

    def _engine(self, rows: slice) -> FloatBalls:
        """The arithmetic on some samples; in a layered network pre-activations are read once, by their activation."""
        return FloatBalls(self._shared, self.inputs[rows], self.network.layered is not None)

    @QUIETLY
    def _features(self, rows: slice) -> Block:
        ops = self._engine(rows)
        values = self.network.evaluate(ops)
        parts = [self._picked(ops, feature, values[feature.node]) for feature in self.network.features]
        return self._block(parts, rows.stop - rows.start)

    def _by_units(self, width: int) -> Iterator[Block]:
        network, ops = self.network, self._engine(slice(None))
        layers = [self._units(feature.node) for feature in network.features]
        wanted: set[int] = set()
        for feature, layer in zip(network.features, layers, strict=True):
            wanted.update((feature.node,) if layer is None else (*layer.sources, *layer.own))
        with np.errstate(all="ignore"):
            values = network.evaluate(ops, wanted)
        for feature, layer in zip(network.features, layers, strict=True):
            whole = range(math.prod(network.node_shapes[feature.node]))
            entries = whole if feature.entries is None else feature.entries
            for start in range(0, len(entries), width):
                chosen = tuple(entries[start : start + width])
                with np.errstate(all="ignore"):
                    if layer is None:
                        part = self._picked(ops, Feature(feature.node, chosen), values[feature.node])
                    else:
                        part = self._layer(ops, layer, [values[i] for i in (*layer.sources, *layer.own)], chosen)
                    block = self._block([part], self.samples)
                yield block

    def _units(self, index: int) -> Units | None:
        """How a node is made unit by unit: it is a layer with weights of its own that no node reads."""
        nodes = self.network.nodes
        node = nodes[index]
        if not isinstance(node, Map) or any(index in other.reads for other in nodes):
            return None
        affine = nodes[node.reads[0]]
        if not isinstance(affine, Affine) or affine.over != "all":
            return None
        own = affine.reads[len(affine.sources) :]
        return Units(affine.sources, own, node.sigma) if all(isinstance(nodes[i], Parameter) for i in own) else None

    def _layer(self, ops: FloatBalls, layer: Units, values: Sequence[Enclosed], units: tuple[int, ...]) -> Enclosed:
        xp, count = self.backend.xp, len(layer.sources)
        chosen = xp.asarray(np.array(units, dtype=np.int64))
        consecutive = units[-1] - units[0] + 1 == len(units)
        own = [
            Enclosed(v.mid[:, units[0] : units[-1] + 1, ...] if consecutive else xp.take(v.mid, chosen, axis=1))
            for v in values[count:]
        ]
        geometry = Geometry(None, len(units), 1, True, False, (len(units),))
        return ops.map(ops.affine(geometry, values[:count], own[0], own[1] if len(own) > 1 else None), layer.sigma)

    def _picked(self, ops: FloatBalls, feature: Feature, value: Enclosed) -> Enclosed:
        """The entries of a node that are columns of Psi, side by side."""
        xp, size = self.backend.xp, math.prod(value.shape)
        chosen = np.arange(size) if feature.entries is None else np.array(feature.entries, dtype=np.int64)
        if len(value.shape) != 1 or len(chosen) != size:
            value = ops.gather([value], chosen)
        if isinstance(self.network.nodes[feature.node], Map):
            return value
        if not self.backend.all_finite(value.mid):
            raise NotEnclosed("a feature overflows binary64")
        if bool(xp.any((xp.abs(value.mid) < SMALLEST_NORMAL) & (value.mid != 0.0))):
            return ops.flushed(value)
        return value

    def _block(self, parts: Sequence[Enclosed], count: int) -> Block:
        xp = self.backend.xp
        mids, radii, squares = [], [], 0.0
        for part in parts:
            width = part.shape[0]
            mids.append(xp.broadcast_to(part.mid, (count, width)) if int(part.mid.shape[0]) != count else part.mid)
            largest = Enclosed(part.mid, *(b if b is None else over_rows(xp, b) for b in (part.each, part.norm)))
            entry = bound_of_entries(xp, largest, 1) + xp.zeros((1, width), dtype=xp.float64)
            radii.append(xp.reshape(entry, (width,)))
            norm = bound_of_norm(xp, part, part.shape, (0,))
            squares = squares + norm * norm
        if len(parts) == 1:
            mid, radius = self.backend.contiguous(mids[0]), radii[0]
        else:
            mid, radius = xp.concat(mids, axis=1), xp.concat(radii, axis=0)
        if isinstance(squares, float):
            return Block(mid, radius, xp.zeros((count,), dtype=xp.float64))
        norms = upper(xp.sqrt(squares + TINY), len(parts) + 2)
        return Block(mid, radius, xp.reshape(xp.broadcast_to(norms, (count, 1)), (count,)))
