r"""One tile of the Gram matrix, from features that are enclosed anew, and an upper bound of what it lost.

A task encloses the features of the rows I and of the rows J (J <= I) by panels of columns: midpoints A_I, A_J, with
``||Psi_I - A_I||_F <= e_I``, ``||A_I||_F <= a_I``, and likewise for J. It sums up G_IJ from r products over at most w
columns each, so that (`gram_matrix`)

.. math:: \|G_{IJ} - A_IA_J^T\|_F \le \gamma_{w+r+2}\, a_I a_J + \sqrt{n_I n_J}\, t.

Another task, on another machine, may have other midpoints of the same rows: they differ in their last bits. Therefore
each task also bounds what separates its midpoints from the exact features. With E = Psi_I - A_I and F = Psi_J - A_J,

.. math:: \Psi_I\Psi_J^T - A_IA_J^T = EA_J^T + A_IF^T + EF^T, \qquad
    \|\Psi_I\Psi_J^T - A_IA_J^T\|_F \le e_I a_J + a_I e_J + e_I e_J,

for ``||XY||_F <= ||X||_F ||Y||_2`` and ``||Y||_2 <= ||Y||_F``. Both bounds hold for the diagonal tile, I = J, whose
blocks above the diagonal are those below it, mirrored, as those of both exact products are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import TINY
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.binary64.products import Products
from verifier.balls.exact import upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.rank.gram_matrix import BITS, Pass, mirrored
from verifier.rank.tiles.folder import GramNumbers
from verifier.rank.tiles.layout import STRIPS, Layout


@dataclass(frozen=True, slots=True)
class GramTile:
    """Tile (I, J) of the Gram matrix, shape (n_I, n_J), and what it lost.

    Guarantee: that of `GramNumbers`; of the diagonal tile the blocks below and on the diagonal are meant, mirrored.
    """

    values: Array
    numbers: GramNumbers

    def columns(self, backend: Backend, cut: Layout, i: int, j: int) -> Iterator[Iterator[NDArray[np.float64]]]:
        """The blocks of the tile, block column by block column."""
        first, start, edges = cut.rows(i).start, cut.rows(j).start, cut.edges
        for k in cut.members(j):
            across = slice(edges[k].start - start, edges[k].stop - start)
            rows = [slice(edges[m].start - first, edges[m].stop - first) for m, _, _ in cut.column(i, j, k)]
            yield (backend.numpy(self.values[own, across]) for own in rows)


def gram_tile(
    rows: ColumnSource, others: ColumnSource | None, cut: Layout, record: Products, progress: Progress | None = None
) -> GramTile:
    """Tile (I, J) of the Gram matrix.

    Parameters
    ----------
    rows : ColumnSource
        The rows I of Psi, (n_I, M).
    others : ColumnSource or None
        The rows J of Psi, (n_J, M); None: J = I.
    cut : Layout
        How many columns are multiplied at a time.
    record : Products
        Takes what is multiplied; whoever uses the tile has it tested first (`canary.require`).
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    GramTile
        Guarantee: see there; source: the module's text (Higham, Accuracy and Stability, 2002, chapter 3, and Cauchy and
        Schwarz). If an entry is NaN or overflows, a bound is not finite.

    Raises
    ------
    ValueError
        The column blocks do not cover the columns in order.
    """
    backend, m = rows.backend, rows.columns
    n, n_j = rows.samples, rows.samples if others is None else others.samples
    values = backend.xp.zeros((n, n_j), dtype=backend.xp.float64)
    first, second = Pass(rows), None if others is None else Pass(others)
    shas = [hashlib.sha256(), hashlib.sha256()]
    width = cut.sizes.width
    if second is None:
        for p in first.blocks(width):
            _digested(shas[0].update, backend, p)
            turned = backend.contiguous(p.T)
            for start in range(0, n, cut.sizes.block):
                stop = min(start + cut.sizes.block, n)
                values[start:stop, :stop] += backend.matmul(p[start:stop, :], turned[:, :stop], record)
            del p, turned
            if progress:
                progress(first.covered / m)
        for start in range(0, n, cut.sizes.block):
            own = slice(start, min(start + cut.sizes.block, n))
            values[own, own] = mirrored(backend, values[own, own])
    else:
        strip = -(-n // STRIPS)
        for p, q in zip(first.blocks(width), second.blocks(width), strict=True):
            for sha, panel in zip(shas, (p, q), strict=True):
                _digested(sha.update, backend, panel)
            for start in range(0, n, strip):
                stop = min(start + strip, n)
                values[start:stop, :] += backend.matmul(p[start:stop, :], q.T, record)
            del p, q
            if progress:
                progress(first.covered / m)
    with working_precision(BITS):
        squares_i, e_i, relative = first.norms()
        squares_j, e_j, _ = (squares_i, e_i, relative) if second is None else second.norms()
        a_i, a_j = squares_i.sqrt(), squares_j.sqrt()
        lost = arb(n * n_j).sqrt() * arb(TINY)
        numbers = GramNumbers(
            rounding=upper_float(relative * a_i * a_j + lost),
            moved=upper_float(e_i * a_j + a_i * e_j + e_i * e_j),
            size=upper_float((1 + relative) * a_i * a_j + lost),
            errors=(upper_float(e_i), upper_float(e_j)),
            midpoints=(shas[0].hexdigest(), shas[0 if second is None else 1].hexdigest()),
        )
    return GramTile(values, numbers)


def _digested(take: Callable[[bytes | memoryview], None], backend: Backend, panel: Array) -> None:
    """Give a panel of midpoints to their digest: its shape, and its numbers in C order."""
    take(f"{tuple(panel.shape)}".encode())
    take(backend.numpy(backend.contiguous(panel)).data.cast("B"))
