"""Enclosure of Psi(U) in binary64 by blocks of rows or of columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verifier.balls.binary64.backend import Array
from verifier.balls.binary64.backend import NotEnclosed as NotEnclosed
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.checker_radii import SHORT_BITS, gains_by_few_bits, predicted_radii
from verifier.balls.binary64.enclosed import Enclosed
from verifier.balls.binary64.float_functions import Unsupported
from verifier.balls.binary64.graph_arithmetic import FloatBalls
from verifier.balls.binary64.row_enclosure import BITS, Block, RowEnclosure
from verifier.network.arithmetic import Geometry
from verifier.network.graph import Feature
from verifier.network.nodes import Affine, Map, Parameter
from verifier.sigma.activations import Activation

CHECKERS_ROOM = 4
"""How much wider than ours a checker's balls at few bits may be: claims leave room for more."""


@dataclass(frozen=True, slots=True)
class Units:
    """A layer whose output is made unit by unit: the nodes of its sources, of its weights, and of its biases if any."""

    sources: tuple[int, ...]
    own: tuple[int, ...]
    sigma: Activation


@dataclass(repr=False)
class FloatEnclosure(RowEnclosure):
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

    engine = FloatBalls
    first_bits = BITS

    @cached_property
    def precision(self) -> int:
        """Bits of Arb's precision for a checker: fewer where these will do and make its products faster."""
        return self._bits_by_depth() if self.checker_radius is None else SHORT_BITS

    @cached_property
    def checker_radius(self) -> float | None:
        """What no radius of a checker's balls is expected to exceed at `SHORT_BITS`; None: more bits are needed.

        They will do if these radii are no more than `CHECKERS_ROOM` times the ones here, entry by entry and in norm:
        the room that claims leave for a checker's enclosures is several times that.
        """
        if not gains_by_few_bits(self.network, self.samples) or self._bits_by_depth() > BITS:
            return None
        one = FloatEnclosure(self.network, self.u, self.inputs[:1], self.backend)
        try:
            radii = predicted_radii(self.network, self.u, float(np.abs(self.inputs).max()))
            ((_, _, own),) = one.row_blocks()
        except (NotEnclosed, Unsupported):
            return None
        each = bool((radii <= CHECKERS_ROOM * self.backend.numpy(own)).all())
        norm = float(np.linalg.norm(radii)) <= CHECKERS_ROOM * float(one.row_norms()[0])
        return float(radii.max()) if each and norm else None

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield ``(columns, midpoints (N, w), radii (w,))`` for all columns in order, w <= ``width``.

        A layer that no node reads is made block by block of its units: its whole output never exists.
        """
        if self._rows is not None:
            require_products(self.record)
            for rows, block in self._rows:
                self._norms[rows] = block.norms
            for start in range(0, self.columns, width):
                yield self._columns(slice(start, min(start + width, self.columns)))
            return
        column, squares = 0, 0.0
        for block in self._by_units(width):
            size = int(block.radius.shape[0])
            squares = squares + block.norms * block.norms
            require_products(self.record)
            yield slice(column, column + size), block.mid, block.radius
            column += size
        self._norms[...] = upper(self.backend.xp.sqrt(squares + TINY), self.columns)

    def _columns(self, part: slice) -> tuple[slice, Array, Array]:
        """Some columns of the blocks of rows that are kept: of each radius the largest over the blocks."""
        xp, blocks = self.backend.xp, [block for _, block in self._rows or ()]
        radius = blocks[0].radius[part]
        for block in blocks[1:]:
            radius = xp.maximum(radius, block.radius[part])
        if len(blocks) == 1:
            return part, self.backend.contiguous(blocks[0].mid[:, part]), radius
        return part, xp.concat([block.mid[:, part] for block in blocks], axis=0), radius

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
