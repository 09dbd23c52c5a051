"""Matrices known as binary64 midpoints with one radius per column, delivered by blocks of columns or of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, upper
from verifier.balls.binary64.products import Products
from verifier.data.gate import binary64
from verifier.errors import InputError

ROW_BLOCK = 512
"""Rows per block of `MatrixEnclosure.row_blocks`."""


class RowSource(Protocol):
    """An N x M matrix Psi enclosed by midpoints A and column radii q, computed or stored by blocks of rows.

    Guarantee (of whoever implements it): ``|Psi[i, j] - A[i, j]| <= q[j]`` for every block delivered; every pass
    delivers the same A; entries and radii are finite, zero or normal, radii not negative. Midpoints have a ``shape``:
    float64, or pairs of them.
    """

    @property
    def backend(self) -> Backend:
        """The array library that holds the blocks."""

    @property
    def record(self) -> Products:
        """The products that the matrix rests on, and those made with it."""

    @property
    def samples(self) -> int:
        """The number N of rows."""

    @property
    def columns(self) -> int:
        """The number M of columns."""

    def row_blocks(self) -> Iterator[tuple[slice, Any, Array]]:
        """Yield (rows, midpoints (n, M), radii (M,)), covering 0..N in order."""


class ColumnSource(RowSource, Protocol):
    """The same, with float64 midpoints, by blocks of columns as well: the same A by rows and by columns."""

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield (columns, midpoints (N, w), radii (w,)), ``w <= width``, covering 0..M in order."""


def squared_row_norms(source: RowSource) -> Array | None:
    """Bounds of ``||Psi_i - A_i||_2^2``, one per row, of a source that knows them apart from its radii, shape (N,).

    Guarantee: upper bounds, infinite or NaN where nothing is known; None if the source does not know them. They are
    known once a pass has gone through all rows, for the midpoints of the last pass.

    Parameters
    ----------
    source : RowSource
        Midpoints A of Psi, with radii, by blocks.

    Returns
    -------
    ndarray of shape (N,) or None
        The bounds.
    """
    row_norms = getattr(source, "row_norms", None)
    return None if row_norms is None else upper(row_norms() * row_norms(), 0)


class MatrixEnclosure:
    """A given dense matrix with column radii.

    Guarantee: every matrix within the given radii of the given midpoints is within the kept ones of the kept midpoints.

    Parameters
    ----------
    backend
        Array library.
    midpoints
        Shape (N, M), numbers that binary64 holds: an array, nested lists, a DataFrame, a tensor.
        Subnormal entries become zero, and the radius of their column grows by 2^-1022.
    radii
        Shape (M,), likewise; None for an exact matrix. Subnormal radii become 2^-1022.

    Raises
    ------
    InputError
        In one line, for another shape, an entry that binary64 does not hold exactly, a negative radius.

    Examples
    --------
    >>> import verifier as vf
    >>> source = vf.MatrixEnclosure(vf.numpy_backend(1), [[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]])
    >>> source.samples, source.columns
    (2, 3)
    """

    def __init__(self, backend: Backend, midpoints: NDArray[np.float64], radii: NDArray[np.float64] | None = None):
        a = binary64(midpoints, "midpoints")
        if a.ndim != 2 or 0 in a.shape:
            raise InputError(f"midpoints: shape {a.shape}; give a matrix (N, M) with at least one row and one column")
        q = np.zeros(a.shape[1]) if radii is None else binary64(radii, "radii")
        if q.shape != (a.shape[1],):
            raise InputError(f"radii of shape {q.shape}; give one per column, shape ({a.shape[1]},)")
        if not (q >= 0.0).all():
            k = int(np.argwhere(q < 0.0)[0, 0])
            raise InputError(f"radii: entry ({k},) is {float(q[k])}; radii must not be negative")
        q[(q > 0.0) & (q < SMALLEST_NORMAL)] = SMALLEST_NORMAL
        small = (a != 0.0) & (np.abs(a) < SMALLEST_NORMAL)
        a[small] = 0.0
        touched = small.any(axis=0)
        with np.errstate(over="ignore"):  # refused below
            q[touched] = np.nextafter(q[touched] + SMALLEST_NORMAL, np.inf)
        if not np.isfinite(q).all():
            raise InputError("a radius overflows")
        self.backend = backend
        self.record = Products()
        self.samples, self.columns = a.shape
        self._a = backend.asarray(a)
        self._q = backend.asarray(q)

    def __repr__(self) -> str:
        """Its size and where it lies, never its entries."""
        return f"<MatrixEnclosure {self.samples} x {self.columns}, {self.backend.describe()}>"

    def column_blocks(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield (columns, midpoints (N, w), radii (w,)) in order.

        Guarantee: see `ColumnSource`.
        """
        for start in range(0, self.columns, width):
            part = slice(start, min(start + width, self.columns))
            yield part, self.backend.contiguous(self._a[:, part]), self._q[part]

    def row_blocks(self) -> Iterator[tuple[slice, Array, Array]]:
        """Yield (rows, midpoints (n, M), radii (M,)) in order, at most `ROW_BLOCK` rows each.

        Guarantee: see `ColumnSource`.
        """
        for start in range(0, self.samples, ROW_BLOCK):
            part = slice(start, min(start + ROW_BLOCK, self.samples))
            yield part, self._a[part, :], self._q
