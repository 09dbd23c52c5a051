r"""One tile of the Cholesky factor of ``H - cI``, with the norm of what is left there.

The arithmetic is that of `cholesky`, block by block, whatever the tiles: from block H_ik the products ``C_ij C_kj^T``
of the block columns j < k are subtracted one after the other, then the block is factored (`pivot`, i = k) or solved
(`solved`), which leaves E'_ik. Its bound holds with b rows per block and nb block rows of the whole matrix:

.. math:: \|E\|_2 \le \|E'\|_F + \gamma_{b+nb+6}\bigl(\||H|\|_F + |c| + \sum ct_i^2\bigr) + 2Nt,

where ``|H|`` is bounded tile by tile (`GramNumbers.size`). A tile records the sum of squares of its part of E', blocks
off the diagonal twice, and of its part of C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import upper
from verifier.balls.binary64.products import Products
from verifier.balls.exact import about
from verifier.balls.feature_enclosure import Progress
from verifier.errors import VerifierError
from verifier.rank.cholesky import pivot, solved
from verifier.rank.tiles.folder import FactorNumbers
from verifier.rank.tiles.layout import Layout

Column = dict[int, Array]
"""A block column of a tile: block row -> block."""

Read = Callable[[int, int, int], Column]
"""Gives a block column of tile (I, K) of the factor: of I, K and the block column's number."""


class Breakdown(VerifierError):
    """The factorization breaks down: nothing is proved with this shift."""


@dataclass(slots=True)
class FactorTile:
    """Tile (I, K) of the factor, by block columns, and the sums of squares of `FactorNumbers`, as computed."""

    columns: list[list[NDArray[np.float64]]] = field(default_factory=list)
    residual: float = 0.0
    squares: float = 0.0

    def numbers(self, cut: Layout) -> FactorNumbers:
        """Upper bounds: a square passes through the sums of a row, of a block's rows, and of the tile's blocks."""
        roundings = 2 * cut.sizes.block + cut.per * cut.per + 4
        return FactorNumbers(float(upper(self.residual, roundings)), float(upper(self.squares, roundings)))


def factor_tile(
    backend: Backend,
    cut: Layout,
    place: tuple[int, int],
    shift: float,
    gram: Callable[[int], Column],
    factor: Read,
    products: Products,
    progress: Progress | None = None,
) -> FactorTile:
    """Tile (I, K) of the factor, from the tile of the Gram matrix and the tiles of the factor to the left.

    Parameters
    ----------
    backend : Backend
        Array library.
    cut : Layout
        Blocks and tiles.
    place : (int, int)
        (I, K), I >= K.
    shift : float
        c.
    gram : callable
        Gives the block columns of the tile (I, K) of the Gram matrix.
    factor : callable
        Gives block columns of the factor's tiles (I, J) and (K, J) for J < K, and of (K, K) if I > K.
    products : Products
        Takes what is multiplied; whoever uses the tile has it tested first (`canary.require`).
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    FactorTile
        Guarantee: the sums are those of the tile's part of E' and of C; the bound of the module's text holds for them.

    Raises
    ------
    Breakdown
        A diagonal block is not positive definite, or singular.
    """
    i, k = place
    own, across = cut.members(i), cut.members(k)
    done, steps = 0, k * cut.per + len(across)

    def say() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done / steps)

    def subtract(left: Column, right: Column, wanted: range) -> None:
        for c in wanted:
            turned = backend.contiguous(right[c].T)
            for row in range(max(own.start, c), own.stop):
                blocks[row, c] -= backend.matmul(left[row], turned, products)

    blocks = {(row, c): block for c in across for row, block in gram(c).items()}
    for j in range(k):
        for b in cut.members(j):
            left = factor(i, j, b)
            subtract(left, left if i == k else factor(k, j, b), across)
            say()
    found = FactorTile()
    for c in across:
        finished: Column = {}
        if i == k:
            made = pivot(backend, blocks[c, c], shift, products)
            if made is None:
                what = f"the Cholesky factorization of A A^T - {about(shift)} I"
                raise Breakdown(f"{what} breaks down at rows {_words(cut, c)}")
            lower, turned, error = made
            finished[c] = lower
            found.residual += _squared(backend, error)
        else:
            above = factor(k, k, c)
            lower, turned = above[c], backend.contiguous(above[c].T)
        for row in range(max(own.start, c + 1), own.stop):
            below = solved(backend, blocks.pop((row, c)), lower, turned, products)
            if below is None:
                raise Breakdown(f"the Cholesky factor is singular at rows {_words(cut, c)}")
            finished[row] = below[0]
            found.residual += 2.0 * _squared(backend, below[1])
        for block in finished.values():
            found.squares += _squared(backend, block)
        subtract(finished, finished if i == k else above, range(c + 1, across.stop))
        found.columns.append([backend.numpy(block) for block in finished.values()])
        say()
    return found


def _words(cut: Layout, block: int) -> str:
    rows = cut.edges[block]
    return f"{rows.start}..{rows.stop - 1}"


def _squared(backend: Backend, block: Array) -> float:
    """The sum of squares, rounded: each passes at most 2 b roundings."""
    return float(backend.xp.sum(backend.xp.sum(block * block, axis=1)))
