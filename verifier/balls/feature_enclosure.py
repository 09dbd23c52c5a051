"""Enclosure of the feature matrix Psi(U), and of a layered network's hidden units, by Arb.

Samples are processed in blocks of rows; the programme runs in the arithmetic of balls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flint import arb_mat, ctx

from verifier.balls.ball_arithmetic import BallArithmetic, exact_balls
from verifier.balls.precision import working_precision
from verifier.balls.tensors import Balls, columns
from verifier.display import Brief
from verifier.errors import NetworkError
from verifier.network.arguments import given_inputs, given_parameters
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network

BLOCK_ROWS = 256
"""Samples enclosed together: large enough for fast products, small enough that a block stays in tens of megabytes."""

BLOCK_ENTRIES = 1_000_000
"""Entries of the largest node's value in one block of samples."""

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
    offset: Array | None = field(default=None, kw_only=True)
    """Frozen logits K, ``(N, m)``, which losses add to Psi V; no part of Psi."""

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
    _parameters: dict[str, Balls] = field(default_factory=dict, repr=False)

    def approx(self) -> Array:
        """Psi in plain floating point, ``(N, M)``: an approximation for proposals."""
        return approx_features(self.network, self.u, self.inputs)

    def row_slices(self) -> list[slice]:
        """The rows of each block, in order."""
        shapes = zip(self.network.node_shapes, self.network.varies, strict=True)
        largest = max(math.prod(shape) for shape, varies in shapes if varies)
        step = max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // largest))
        return [slice(i, min(i + step, self.samples)) for i in range(0, self.samples, step)]

    def blocks(self, progress: Progress | None = None) -> Iterator[tuple[slice, arb_mat]]:
        """Yield ``(rows, enclosure of Psi[rows])`` for all blocks in order."""
        keep = self.samples * self.columns <= CACHE_ENTRIES
        for index, rows in enumerate(self.row_slices()):
            block = self._blocks.get(index)
            if block is None:
                with working_precision(self.precision):
                    block = self._features(rows)
                if keep:
                    self._blocks[index] = block
            yield rows, block
            if progress is not None:
                progress(rows.stop / self.samples)

    def hidden(self, rows: slice) -> list[arb_mat]:
        """Enclose every hidden unit of a layered network for some samples: a ``(rows, units)`` matrix per layer.

        Raises
        ------
        NetworkError
            The network is not made of layers alone.
        """
        layered = self.network.layered
        if layered is None:
            raise NetworkError("network: it has units that belong to no layer; read its features by blocks()")
        with working_precision(self.precision):
            found = self.network.evaluate(self._arithmetic(rows), layered.outputs)
            return [found[index].matrix(found[index].rows, found[index].size) for index in layered.outputs]

    def is_defined(self) -> bool:
        """Whether every node, read by a feature or not, is enclosed on every sample: what a checker asks (FORMAT, R5).

        Guarantee: True implies that all nodes have a value at U on all samples.
        """
        with working_precision(self.precision):
            for rows in self.row_slices():
                values = self.network.evaluate(self._arithmetic(rows), range(len(self.network.nodes)))
                if not all(block_is_finite(value.matrix(value.rows, value.size)) for value in values.values()):
                    return False
        return True

    def _arithmetic(self, rows: slice) -> BallArithmetic:
        return BallArithmetic(self.inputs[rows], self._parameter, rows.start)

    def _parameter(self, name: str, shape: tuple[int, ...]) -> Balls:
        """A part of U, exact; kept, with its transpose, from block to block."""
        if name not in self._parameters:
            self._parameters[name] = exact_balls(self.network.view(self.u, name))
        return self._parameters[name]

    def _features(self, rows: slice) -> arb_mat:
        """The columns of Psi, feature by feature."""
        count, psi = rows.stop - rows.start, columns(self.network, self.network.evaluate(self._arithmetic(rows)))
        if psi.rows == count:
            return psi.matrix(count, psi.size)
        return arb_mat(count, psi.size, psi.entries * count)  # no feature depends on the sample


def _read_only(values: Array) -> Array:
    """Copy an array that somebody could still write to."""
    if values.flags.owndata and not values.flags.writeable:
        return values
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def block_is_finite(block: arb_mat) -> bool:
    """Whether every ball is finite: an infinite or NaN entry makes its row sum so."""
    ones = arb_mat(block.ncols(), 1, [1] * block.ncols())
    return all(value.is_finite() for value in (block * ones).entries())


def use_threads(count: int) -> None:
    """Let FLINT use ``count`` threads in matrix products (results are enclosures whatever the number)."""
    ctx.threads = max(1, count)
