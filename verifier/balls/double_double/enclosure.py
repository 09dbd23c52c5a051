"""Enclosure of Psi(U) in double-double: midpoints are pairs of binary64 numbers, about 102 bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from verifier.balls.binary64.graph_arithmetic import Shared
from verifier.balls.binary64.row_enclosure import BITS, RowEnclosure
from verifier.balls.double_double.graph_arithmetic import DoubleDoubleBalls
from verifier.balls.double_double.pair import not_error_free
from verifier.balls.double_double.products import NOT_ERROR_FREE


@dataclass(repr=False)
class DoubleDoubleEnclosure(RowEnclosure):
    """Enclosure of Psi(U), shape ``(N, M)``, in double-double, made by blocks of rows.

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
    Guarantee: every block of `row_blocks` contains the exact-real features of its samples: entry ij is within
    ``radius_j`` of ``hi_ij + lo_ij``; both parts are finite, zero or normal numbers. A block is yielded once the canary
    has tested every product that it rests on.

    Raises
    ------
    NotEnclosed
        From `row_blocks`, if there is no finite enclosure, or the platform is not as trusted.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> features = DoubleDoubleEnclosure(network, u, x, vf.numpy_backend(1))
    >>> rows, midpoints, radii = next(features.row_blocks())
    >>> rows, midpoints.hi.shape, radii.shape, bool(radii.max() < 1e-28)
    (slice(0, 3, None), (3, 3), (3,), True)
    """

    engine = DoubleDoubleBalls
    rows = 16  # weights are cut into slices for each block anew
    first_bits = 2 * BITS

    @cached_property
    def _shared(self) -> Shared:
        """What the blocks share; the library's error-free transformations are tested first."""
        self.record.doubt(not_error_free(self.backend), NOT_ERROR_FREE)
        return Shared(self.backend, self.record, self.network.views(self.u))
