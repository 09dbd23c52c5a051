r"""A bound of ``||I - A' X||`` for a matrix A' enclosed by midpoints and radii: the trusted half of R1.

X is any matrix (K, N), A' = Psi[:, columns], A its midpoints. Let R' bound what is computed of ``A X - I``,

.. math:: |AX - I - R'|_{ij} \le g\,(a_i x_j + [i=j]) + t, \qquad |(A' - A) X|_{ij} \le (q^T|X|)_j = z_j ,

``a_i = ||A_i||_2``, ``x_j = ||X_{:j}||_2``, q the radii of the columns, t < TINY the underflow of one entry, and g the
constant of the product: in binary64 ``gamma_{K+3}`` (Cauchy-Schwarz; a term passes K + 2 roundings in its product and
one more), in double-double that of its sliced products. Both right-hand sides are of rank one but for the identity, so

.. math:: \|I - A'X\| \le \|R'\| + g\,(\|A\|_F \|X\|_F + \|I\|) + \sqrt N\, \|z\|_2 + N t,

where ``(sum rho_i^2)^(1/2) ||X||_2`` may stand for ``sqrt(N) ||z||`` if the rows of A' - A have 2-norms at most rho_i;
in the Frobenius norm (``||I|| = sqrt N``) and in the 2-norm, where ``||R'||_2 <= sqrt(||R'||_1 ||R'||_inf)``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.matrix import RowSource
from verifier.balls.exact import upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.rank.gram_matrix import BITS, error_norm, smaller, total
from verifier.rank.inverse_norm import ROWS, WitnessSums, largest_entry, witness_sums


@dataclass(frozen=True, slots=True)
class Residual64:
    """Upper bounds for a witness X.

    Guarantee: for every Psi in the enclosure, ``||I - Psi[:, columns] X||_F <= frobenius``, the 2-norm is at most
    ``mixed``, ``||X||_2 <= norm_x``, and ``||Psi[:, columns]||_F <= norm_a``. NaN or infinity: no bound.
    """

    frobenius: float
    mixed: float
    norm_x: float
    norm_a: float
    lost: float
    """What of both bounds is due to radii and roundings, not to X."""

    @property
    def alpha(self) -> float:
        """Upper bound of ``||I - Psi[:, columns] X||_2``; infinity if there is none.

        Guarantee: see above.
        """
        finite = [value for value in (self.frobenius, self.mixed) if math.isfinite(value)]
        return min(finite, default=math.inf)


class Multiplier(Protocol):
    """A witness X, shape (K, N), and how rows of midpoints are multiplied by it.

    Guarantee: for every A (h, K), ``|A X - I - R'|_ij <= unit (a_i x_j + [i=j]) + TINY``, R' as `residual` bounds it.
    """

    @property
    def unit(self) -> float:
        """The constant of the product's errors."""

    @property
    def sizes(self) -> Array:
        """Upper bounds of ``|X|``, up to 14 roundings, shape (K, N)."""

    def residual(self, midpoints: Any, index: Array | None, rows: slice) -> tuple[Array, Array]:
        """Bounds of the sizes of ``A = midpoints[:, index]``, (h, K), and of R', (h, N), up to 2 roundings each."""

    def norm(self, sums: WitnessSums) -> float:
        """Bound ``||X||_2`` from above, given sums of X."""


def covering(source: RowSource) -> Iterator[tuple[slice, Any, Array]]:
    """The blocks of rows of a source.

    Guarantee: once all are taken, they have covered each row of Psi, (N, M), once.

    Parameters
    ----------
    source : RowSource
        Midpoints of Psi, shape (N, M), with radii, by blocks of rows.

    Yields
    ------
    (slice, Any, ndarray of shape (M,))
        Rows, midpoints (n, M) and radii.

    Raises
    ------
    ValueError
        If a block does not continue where the one before ended, or rows are missing at the end.
    """
    n, m, covered = source.samples, source.columns, 0
    for rows, whole, radii in source.row_blocks():
        shape = tuple(whole.shape)
        if rows.start != covered or shape != (rows.stop - rows.start, m) or tuple(radii.shape) != (m,):
            raise ValueError(f"row block {rows} of shape {shape} does not continue at row {covered}")
        covered = rows.stop
        yield rows, whole, radii
    if covered != n:
        raise ValueError(f"the row blocks cover {covered} of {n} rows")


def residual_bounds(
    source: RowSource, witness: Multiplier, chosen: list[int] | None, progress: Progress | None = None
) -> Residual64:
    """Bound ``||I - Psi[:, chosen] X||`` and ``||X||_2`` in one pass over the rows.

    Parameters
    ----------
    source : RowSource
        Midpoints of Psi, shape (N, M), with radii, by blocks of rows.
    witness : Multiplier
        X, shape (K, N).
    chosen : list of int or None
        The K columns of Psi that X multiplies; None: all.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Residual64
        Guarantee: see there, if the products that the witness has recorded are as trusted.

    Raises
    ------
    ValueError
        If the row blocks do not cover the rows in order.
    """
    backend, n = source.backend, source.samples
    xp, sizes = backend.xp, witness.sizes
    k = int(sizes.shape[0])
    index = None if chosen is None else xp.asarray(chosen, dtype=xp.int64)
    sums = witness_sums(backend, sizes)
    column_sums = xp.zeros((n,), dtype=xp.float64)
    squares, row, a_squares, q_squares, z_squares = arb(0), 0.0, arb(0), arb(0), arb(0)
    for rows, whole, radii in covering(source):
        h = rows.stop - rows.start
        q = radii if index is None else xp.take(radii, index, axis=0)
        a, r = witness.residual(whole, index, rows)
        column_sums += xp.sum(r, axis=0)
        row = max(row, largest_entry(backend, upper(xp.sum(r, axis=1), n)))
        with working_precision(BITS):
            squares += total(backend, upper(xp.sum(r * r, axis=1), n))
            a_squares += total(backend, upper(xp.sum(a * a, axis=1), k))
            q_squares += h * total(backend, upper(q * q, 0))
            z = _radius_sums(backend, sizes, q) if bool(xp.all(q >= 0.0)) else q * math.nan
            if backend.all_finite(z):
                z_squares += h * total(backend, upper(z * z, 0))
            else:
                z_squares = arb("nan")
        if progress:
            progress(rows.stop / n)
    with working_precision(BITS):
        g = arb(witness.unit)
        product = (a_squares * total(backend, sums.squares)).sqrt()
        norm_x = witness.norm(sums)
        enclosure = smaller(z_squares.sqrt(), error_norm(source) * arb(norm_x))
        common = g * product + enclosure + n * arb(TINY)
        mixed = (arb(largest_entry(backend, upper(column_sums, 2 * n))) * arb(row)).sqrt() + common + g
        frobenius = squares.sqrt() + common + g * arb(n).sqrt()
        norm_a = upper_float(a_squares.sqrt() + q_squares.sqrt())
        return Residual64(upper_float(frobenius), upper_float(mixed), norm_x, norm_a, upper_float(common))


def _radius_sums(backend: Backend, sizes: Array, q: Array) -> Array:
    """Bound ``q^T |X|``, shape (N,), entry by entry from above; ``sizes`` are those of X, (K, N).

    Guarantee: an upper bound.
    """
    xp, (k, n) = backend.xp, sizes.shape
    z = xp.zeros((n,), dtype=xp.float64)
    for start in range(0, k, ROWS):
        part = slice(start, min(start + ROWS, k))
        z += xp.sum(xp.reshape(q[part], (-1, 1)) * sizes[part, :], axis=0)
    return upper(z, 2 * k)


def chosen_columns(columns: NDArray[np.int64] | None, m: int, k: int) -> list[int] | None:
    """The K columns of Psi, (N, M), that X multiplies, as a list; None for all of them.

    Guarantee: they are different columns of Psi: a repeated one would raise sigma.

    Raises
    ------
    ValueError
        If they are not K strictly increasing indices below M.
    """
    if columns is None:
        if k != m:
            raise ValueError(f"X has {k} rows for {m} columns")
        return None
    chosen = [int(j) for j in columns]
    increasing = all(a < b for a, b in itertools.pairwise(chosen))
    if len(chosen) != k or not increasing or (chosen and not 0 <= chosen[0] <= chosen[-1] < m):
        raise ValueError(f"columns {chosen[:8]} must be {k} strictly increasing column indices below {m}")
    return chosen
