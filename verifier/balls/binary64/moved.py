r"""Where the bounds of errors go when entries move: the norms of rearranged tensors.

A norm bounds the error over a *cell* of a tensor, the entries along its short axes. A cell of the result takes entries
from several cells c of what is read, an entry at most ``w_c`` times (with what is a broadcast, more than once), so

.. math:: \|d_{result}\|_2^2 \le \sum_c w_c \|d_c\|_2^2 .
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.enclosed import Axes, Enclosed, aligned, bound_of_entries
from verifier.balls.binary64.products import Array
from verifier.network.arithmetic import Places
from verifier.network.windows import Shape

if TYPE_CHECKING:
    from verifier.balls.binary64.graph_arithmetic import FloatBalls


@dataclass(frozen=True, slots=True)
class Cells:
    """For each cell of a result the cells that it takes from: ``index`` and ``weight``, both (cells, most)."""

    axes: Axes
    shape: Shape
    index: NDArray[np.int64]
    weight: NDArray[np.float64]

    def norms(self, xp: Any, norms: Array) -> Array:
        """The result's norms ``(rows, *shape)``, 1 long at ``axes``, from the sources' cells ``(rows, cells)``.

        Guarantee: upper bounds, if the sources' are.
        """
        rows, (count, most) = int(norms.shape[0]), self.index.shape
        taken = xp.take(norms, xp.asarray(self.index.ravel()), axis=1)
        if most > 1 or bool((self.weight != 1.0).any()):
            taken = xp.reshape(taken, (rows, count, most))
            squares = xp.sum(taken * taken * xp.asarray(self.weight), axis=2)
            taken = upper(xp.sqrt(squares + TINY), most)
        return xp.reshape(taken, (rows, *self.shape))


def gather(ops: FloatBalls, sources: Sequence[Enclosed], places: Places) -> Enclosed:
    """Take entries of values with their bounds.

    Guarantee: entry by entry, and in norms as the module says.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    sources : sequence of Enclosed
        The values.
    places : ndarray
        For each entry of the result its flat place in the sources, flattened, one after the other.

    Returns
    -------
    Enclosed
        Of the shape of the places.
    """
    xp = ops.xp
    rows = max(int(v.mid.shape[0]) for v in sources)
    mid = ops.numbers.alike(
        lambda *parts: _taken_from(xp, [ops.flat(part, rows) for part in parts], places), *(v.mid for v in sources)
    )
    if all(v.exact for v in sources):
        return Enclosed(mid)
    each = norm = None
    axes: Axes = ()
    if all(v.exact or v.each is not None for v in sources):
        none = xp.zeros((1, 1), dtype=xp.float64)
        bounds = [aligned(xp, none if v.each is None else v.each, len(v.shape)) for v in sources]
        bounds = [xp.broadcast_to(b, (b.shape[0], *v.shape)) for b, v in zip(bounds, sources, strict=True)]
        most = max(int(b.shape[0]) for b in bounds)
        each = _taken_from(xp, [ops.flat(b, most) for b in bounds], places)
    if any(v.norm is not None for v in sources):
        bounds = [ops.cells(v) for v in sources]
        most = max(int(b.shape[0]) for b in bounds)
        cells = cells_of([tuple(b.shape[1:]) for b in bounds], [v.shape for v in sources], places)
        axes = cells.axes
        norm = cells.norms(xp, _side_by_side(xp, [ops.flat(b, most) for b in bounds]))
    return ops.made(mid, each, norm, axes)


def embed(ops: FloatBalls, tokens: Enclosed, table: Enclosed) -> Enclosed:
    """Take rows of a table, and of its bounds, by tokens.

    Guarantee: the rows that the tokens name, with bounds of their entries' errors.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    tokens : Enclosed
        Exact whole numbers from 0 to n - 1.
    table : Enclosed of shape (n, ...)
        What is looked up.

    Returns
    -------
    Enclosed
        Of the shape of the tokens and then of a row.

    Raises
    ------
    NotEnclosed
        If a token is none.
    """
    xp, whole = ops.xp, ops.numbers.exact(tokens.mid)
    if not tokens.exact or whole is None:
        raise NotEnclosed("tokens that are no exact whole numbers")
    numbers = ops.backend.numpy(whole)
    size, rest = table.shape[0], table.shape[1:]
    if not bool(((numbers == np.floor(numbers)) & (numbers >= 0.0) & (numbers < size)).all()):
        raise NotEnclosed(f"tokens that are no whole numbers from 0 to {size - 1}")
    rows = xp.asarray(numbers.astype(np.int64).ravel())

    def looked_up(values: Array) -> Array:
        every = xp.reshape(xp.broadcast_to(values, (1, *table.shape)), table.shape)
        return xp.reshape(xp.take(every, rows, axis=0), (*numbers.shape, *rest))

    entry = bound_of_entries(xp, table, len(table.shape))
    mid = ops.numbers.alike(looked_up, table.mid)
    return Enclosed(mid, None if isinstance(entry, float) else looked_up(entry))


def _side_by_side(xp: Any, parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else xp.concat(list(parts), axis=1)


def _taken_from(xp: Any, parts: Sequence[Array], places: Places) -> Array:
    """Entries of flat parts side by side, ``(rows, *places.shape)``."""
    row = _side_by_side(xp, parts)
    order = np.ascontiguousarray(places).ravel()
    shape = (row.shape[0], *places.shape)
    if order.size == int(row.shape[1]) and bool((order == np.arange(order.size)).all()):
        return xp.reshape(row, shape)
    return xp.reshape(xp.take(row, xp.asarray(order), axis=1), shape)


def cells_of(dims: Sequence[Shape], shapes: Sequence[Shape], places: Places, axes: Axes | None = None) -> Cells:
    """Find the cells of a rearranged tensor.

    Parameters
    ----------
    dims, shapes : sequences of tuples of int
        For each source the shape of its norms (1 long along the axes of a cell), and of its tensor.
    places : ndarray
        For each entry of the result its flat place in the sources, flattened, one after the other.
    axes : tuple of int, optional
        The axes that the result's norms are taken over; by default those along which entries stay in one cell, or the
        last one.

    Returns
    -------
    Cells
        Guarantee: every cell of the result takes entries from its ``index`` alone, none of them more than ``weight``
        times.
    """
    parts, start = [], 0
    for short, shape in zip(dims, shapes, strict=True):
        parts.append(np.broadcast_to(np.arange(math.prod(short)).reshape(short), shape).ravel() + start)
        start += math.prod(short)
    owner = np.concatenate(parts)
    cell = owner[places]
    if axes is None:
        axes = tuple(k for k in range(places.ndim) if _constant(cell, k) and not _constant(places, k))
        if not axes and places.ndim and places.shape[-1] > 1:
            axes = (places.ndim - 1,)
    rest = tuple(k for k in range(places.ndim) if k not in axes)
    shape = tuple(1 if k in axes else n for k, n in enumerate(places.shape))
    flat = places.transpose((*rest, *axes)).reshape(math.prod(shape), -1)
    return Cells(axes, shape, *_taken(flat, owner))


def _constant(values: NDArray[np.int64], axis: int) -> bool:
    """Whether nothing changes along an axis."""
    return bool((values == np.take(values, [0], axis=axis)).all())


def _taken(places: NDArray[np.int64], owner: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each row of places the owners of its entries, each once, with the largest number of times of an entry."""
    count, size = places.shape[0], len(owner)
    keys, times = np.unique(places + np.arange(count)[:, None] * size, return_counts=True)
    row, cell = keys // size, owner[keys % size]
    order = np.lexsort((cell, row))
    row, cell, times = row[order], cell[order], times[order]
    first = np.flatnonzero(np.r_[True, (row[1:] != row[:-1]) | (cell[1:] != cell[:-1])])
    most, row, cell = np.maximum.reduceat(times, first), row[first], cell[first]
    begin = np.searchsorted(row, np.arange(count))
    within = np.arange(len(row)) - begin[row]
    width = int(within.max()) + 1
    index, weight = np.zeros((count, width), dtype=np.int64), np.zeros((count, width))
    index[row, within], weight[row, within] = cell, most
    return index, weight
