"""Enclosures of Psi(U) on an array library: midpoints of any kind, one radius per column, one 2-norm per row.

The network's programme runs in an engine's arithmetic on blocks of samples; the columns of Psi are taken from the
values of the nodes that its features read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries, bound_of_norm, over_rows
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.binary64.numbers import Number, Numbers
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress, PsiEnclosure
from verifier.display import Brief
from verifier.network.graph import Feature
from verifier.network.network import Array as NumpyArray
from verifier.network.nodes import Map

BLOCK_BYTES = 4 * 2**20
"""Size of a block's widest node when samples are processed in blocks of rows: passes over it stay in a cache."""

BLOCK_ROWS, MOST_BYTES = 128, 64 * 2**20
"""So many rows make products fast: a block has them, whatever its size up to the second number."""

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

    mid: Number
    radius: Array
    norms: Array


@dataclass(repr=False)
class RowEnclosure(PsiEnclosure):
    """Enclosure of Psi(U), shape ``(N, M)``, by an engine of `FloatBalls`; made by blocks of rows.

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
    Guarantee: every block yielded contains the exact-real features of its samples: entry ij is within ``radius_j`` of
    the midpoint; midpoints are finite, zero or normal numbers. A block is yielded once the canary has tested every
    product that it rests on.

    Raises
    ------
    NotEnclosed
        From the block iterators, if there is no finite enclosure, or the platform's products are not as trusted.
    """

    backend: Backend
    record: Products = field(default_factory=Products, repr=False)
    _rows: list[tuple[slice, Block]] | None = field(default=None, repr=False)

    engine: ClassVar[type[FloatBalls]]
    """The engine's arithmetic."""

    rows: ClassVar[int] = 1
    """Times `BLOCK_ROWS`: rows that make the engine's products fast."""

    first_bits: ClassVar[int]
    """Bits of Arb's precision that are more than the engine's in shallow networks."""

    @cached_property
    def precision(self) -> int:
        """Bits of Arb's precision at which a checker's enclosures are expected to be narrower than these."""
        return self._bits_by_depth()

    def _bits_by_depth(self) -> int:
        """Arb's balls hold entries one by one, so that what they lose grows with depth where 2-norms grow less."""
        depth: list[int] = []
        for node in self.network.nodes:
            depth.append(max((depth[i] for i in node.reads), default=0) + (node.kind in MIXING))
        return self.first_bits + BITS * (max(depth) // LEVELS)

    def approx(self) -> NumpyArray:
        """The midpoints as one NumPy array ``(N, M)``: an approximation of Psi for proposals, of whatever platform."""
        return np.concatenate([self.backend.numpy(self._numbers.head(mid)) for _, mid, _ in self._row_blocks(None)])

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
    def _numbers(self) -> Numbers:
        return self.engine.arithmetic(self.backend, self.record)

    @cached_property
    def _shared(self) -> Shared:
        return Shared(self.backend, self.record, self.network.views(self.u))

    def row_blocks(self, progress: Progress | None = None) -> Iterator[tuple[slice, Number, Array]]:
        """Yield ``(rows, midpoints (n, M), radii (M,))`` for all samples in order; kept if Psi is small."""
        for rows, mid, radius in self._row_blocks(progress):
            require_products(self.record)
            yield rows, mid, radius

    def _row_blocks(self, progress: Progress | None) -> Iterator[tuple[slice, Number, Array]]:
        """Yield the blocks of rows before anything is known of the platform."""
        if self._rows is not None:
            for rows, block in self._rows:
                self._norms[rows] = block.norms
                yield rows, block.mid, block.radius
            return
        network = self.network
        sizes = (math.prod(shape) for shape, v in zip(network.node_shapes, network.varies, strict=True) if v)
        word = self.engine.arithmetic.word
        row = word * max(self.columns, *sizes)
        count = max(1, min(self.samples, max(BLOCK_BYTES // row, min(self.rows * BLOCK_ROWS, MOST_BYTES // row))))
        kept: list[tuple[slice, Block]] | None = [] if word * self.samples * self.columns <= CACHE_BYTES else None
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

    def _engine(self, rows: slice) -> FloatBalls:
        """The arithmetic on some samples; in a layered network pre-activations are read once, by their activation."""
        return self.engine(self._shared, self.inputs[rows], self.network.layered is not None)

    @QUIETLY
    def _features(self, rows: slice) -> Block:
        ops = self._engine(rows)
        values = self.network.evaluate(ops)
        parts = [self._picked(ops, feature, values[feature.node]) for feature in self.network.features]
        return self._block(parts, rows.stop - rows.start)

    def _picked(self, ops: FloatBalls, feature: Feature, value: Enclosed) -> Enclosed:
        """The entries of a node that are columns of Psi, side by side."""
        size, numbers = math.prod(value.shape), ops.numbers
        chosen = np.arange(size) if feature.entries is None else np.array(feature.entries, dtype=np.int64)
        if len(value.shape) != 1 or len(chosen) != size:
            value = ops.gather([value], chosen)
        if isinstance(self.network.nodes[feature.node], Map) and not numbers.checked:
            return value
        if not numbers.all_finite(value.mid):
            raise NotEnclosed("a feature overflows binary64")
        return ops.flushed(value) if numbers.any_subnormal(value.mid) else value

    def _block(self, parts: Sequence[Enclosed], count: int) -> Block:
        xp, numbers = self.backend.xp, self._numbers

        def repeated(part: Array) -> Array:
            return xp.broadcast_to(part, (count, part.shape[1])) if int(part.shape[0]) != count else part

        mids, radii, squares = [], [], 0.0
        for part in parts:
            width = part.shape[0]
            mids.append(numbers.alike(repeated, part.mid))
            largest = Enclosed(part.mid, *(b if b is None else over_rows(xp, b) for b in (part.each, part.norm)))
            entry = bound_of_entries(xp, largest, 1) + xp.zeros((1, width), dtype=xp.float64)
            radii.append(xp.reshape(entry, (width,)))
            norm = bound_of_norm(xp, part, part.shape, (0,))
            squares = squares + norm * norm
        radius = radii[0] if len(parts) == 1 else xp.concat(radii, axis=0)
        mid = numbers.alike(self.backend.contiguous, mids[0]) if len(parts) == 1 else numbers.concatenated(mids)
        if isinstance(squares, float):
            return Block(mid, radius, xp.zeros((count,), dtype=xp.float64))
        norms = upper(xp.sqrt(squares + TINY), len(parts) + 2)
        return Block(mid, radius, xp.reshape(xp.broadcast_to(norms, (count, 1)), (count,)))
