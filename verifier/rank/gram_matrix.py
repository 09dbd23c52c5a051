r"""The Gram matrix of the midpoints by blocks, with an upper bound of what rounding lost: the first half of R2.

Rounding. ``a_i = ||A_i||_2``, u, gamma and the underflow allowance as in `bounds`.

H is the sum of r products over at most w columns each; only blocks on and below the diagonal are kept,
of the diagonal ones only the lower triangle, mirrored: H is symmetric. ``|H - A A^T|_ij <= gamma_{w+r+2} sum_l
|A_il||A_jl| + t <= gamma_{w+r+2} a_i a_j + t`` (Cauchy-Schwarz), t the underflow of one entry. A non-negative matrix
``a a^T`` has norm ``sum a_i^2``, and the 2-norm is monotone in the entries of non-negative matrices, so

.. math:: \|H - AA^T\|_2 \le \gamma_{w+r+2} \sum a_i^2 + N t.

An entry of H takes less than ``3 (M + N + r + nb + 4)`` operations (nb block rows), each of which may underflow by
``2 * 2^-1022`` (flushed operand or result): ``t <= TINY`` for N, M < 2^50.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flint import arb

from verifier.balls.binary64.backend import Array, Backend
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, gamma, upper
from verifier.balls.binary64.matrix import ColumnSource, RowSource, squared_row_norms
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision

BITS = 128
"""Bits of the scalar arithmetic; bounds at any precision."""


PROBES = 8
"""Vectors of a block of the inverse Lanczos iteration."""

SQUARES = 2048
"""Rows whose entries are squared at a time."""

MAX_SIZE = 2**40
"""Most rows or columns; the underflow allowance holds far beyond."""


Blocks = dict[tuple[int, int], Array]
"""Packed lower block triangle: (i, k) -> block, i >= k."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Block sizes and memory of R2 for an N x M matrix; all sizes in bytes of float64 storage."""

    samples: int
    columns: int
    block: int
    width: int
    packed: int
    """Lower block triangle."""
    gram: int
    """Peak while the Gram matrix is accumulated: packed blocks, a panel and its transpose, a product."""
    factor: int
    """Peak while factoring in place."""
    tight: int
    """Peak while factoring a copy."""

    @property
    def blocks(self) -> int:
        """The number of block rows."""
        return -(-self.samples // self.block)


def plan(n: int, m: int, *, block: int | None = None, width: int | None = None) -> Plan:
    """Block sizes: about N/8 rows (a multiple of 64 in 256..2048), panels of about N/4 columns (in 128..2048)."""
    b = min(n, block or min(max(256, -(-n // 512) * 64), 2048))
    w = min(m, width or min(max(128, n // 4), 2048))
    nb = -(-n // b)
    edges = [min(n, (i + 1) * b) - i * b for i in range(nb)]
    packed = 8 * sum(edges[i] * edges[k] for i in range(nb) for k in range(i + 1))
    temporary = 8 * 4 * b * b + 8 * 8 * n
    probes = 8 * 24 * PROBES * n + 8 * n * b
    gram = packed + 16 * n * w + 8 * 2 * b * max(b, w) + 8 * 8 * n
    return Plan(n, m, b, w, packed, gram, packed + temporary + probes, 2 * packed + temporary + probes)


@dataclass(slots=True)
class Gram:
    """Computed Gram matrix of the midpoints and upper bounds of what was lost.

    Guarantee: ``H`` (the blocks, mirrored) satisfies ``||H - A A^T||_2 <= error``; ``squares >= sum_i ||A_i||^2``;
    ``||Psi - A||_2 <= enclosure``; ``|H_ij| <= (1 + relative) a_i a_j + TINY``; ``record`` holds all products that
    this rests on.
    """

    blocks: Blocks
    edges: list[slice]
    squares: arb
    relative: arb
    error: arb
    enclosure: arb
    record: Products = field(default_factory=Products)


def mirrored(backend: Backend, block: Array) -> Array:
    """The symmetric matrix with the lower triangle of ``block``, shape (b, b), exact."""
    xp = backend.xp
    return xp.tril(block) + xp.tril(block, k=-1).T


def flushed(backend: Backend, values: Array) -> Array:
    """Copy with subnormal entries replaced by zero; NaN and infinity stay."""
    xp = backend.xp
    return xp.where(xp.abs(values) < SMALLEST_NORMAL, xp.zeros_like(values), values)


def total(backend: Backend, values: Array) -> arb:
    """Upper bound of the sum of a non-negative vector of upper bounds, not finite if an entry is not.

    Guarantee: the ball's upper end is at least the sum.

    Parameters
    ----------
    backend : Backend
        Library and device.
    values : ndarray of shape (n,)
        Upper bounds, not negative.

    Returns
    -------
    arb
        The sum, or NaN.
    """
    if not backend.all_finite(values):
        return arb("nan")
    return arb(float(upper(backend.xp.sum(values), int(values.shape[0]))))


def error_norm(source: RowSource) -> arb:
    """Bound ``||Psi - A||_F`` by the 2-norms of rows, if the source knows them; infinite or NaN if not.

    Guarantee: the ball's upper end is at least the norm, once a pass has gone through all rows.

    Parameters
    ----------
    source : RowSource
        Midpoints A of Psi, with radii, by blocks.

    Returns
    -------
    arb
        The bound.
    """
    squares = squared_row_norms(source)
    return arb("inf") if squares is None else total(source.backend, squares).sqrt()


def smaller(a: arb, b: arb) -> arb:
    """The smaller of two upper bounds; one that is not finite is none.

    Guarantee: the result is a or b, and finite if one of them is.

    Parameters
    ----------
    a, b : arb
        Upper bounds of one number.

    Returns
    -------
    arb
        The one to take.
    """
    return b if b.is_finite() and not a < b else a


def record_of(source: RowSource) -> Products:
    """The record of a matrix's products, a new one for a source that keeps none: its numbers are given."""
    found = getattr(source, "record", None)
    return found if isinstance(found, Products) else Products()


@dataclass(slots=True)
class Pass:
    """One pass through the columns of Psi, and what it learns about the midpoints A and about Psi - A.

    Parameters
    ----------
    source : ColumnSource
        Midpoints A of Psi, (N, M), with radii, by blocks.
    """

    source: ColumnSource
    squares: Array = field(init=False)
    radii: arb = field(init=False)
    covered: int = 0
    widest: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        """Begin before the first column."""
        xp = self.source.backend.xp
        self.squares, self.radii = xp.zeros((self.source.samples,), dtype=xp.float64), arb(0)

    def blocks(self, width: int) -> Iterator[Array]:
        """Yield the midpoints, (N, w) with ``w <= width``, in order.

        Raises
        ------
        ValueError
            The column blocks do not cover the columns in order.
        """
        source, backend = self.source, self.source.backend
        n, m, xp = source.samples, source.columns, backend.xp
        for part, p, q in source.column_blocks(width):
            w = part.stop - part.start
            if part.start != self.covered or tuple(p.shape) != (n, w) or tuple(q.shape) != (w,):
                raise ValueError(
                    f"column block {part} of shape {tuple(p.shape)} does not continue at column {self.covered}"
                )
            self.covered, self.widest, self.count = part.stop, max(self.widest, w), self.count + 1
            for start in range(0, n, SQUARES):
                rows = slice(start, min(start + SQUARES, n))
                self.squares[rows] += xp.sum(p[rows, :] * p[rows, :], axis=1)
            if not bool(xp.all(q >= 0.0)):
                self.radii = arb("nan")
            with working_precision(BITS):
                self.radii += total(backend, upper(q * q, 0))
            yield p
            del p
        if self.covered != m:
            raise ValueError(f"the column blocks cover {self.covered} of {m} columns")

    def norms(self) -> tuple[arb, arb, arb]:
        """What is known at the end of the pass, in the working precision of the caller.

        Returns
        -------
        (arb, arb, arb)
            Guarantee: upper bounds of ``sum_i ||A_i||^2``, of ``||Psi - A||_F`` (infinite or NaN where nothing is
            known), and ``gamma_{w+r+2}`` for the sum of this pass's r products over at most w columns each.
        """
        source = self.source
        squares = total(source.backend, upper(self.squares, source.columns + self.count))
        enclosure = smaller((source.samples * self.radii).sqrt(), error_norm(source))  # Coq: R2 enclosed
        return squares, enclosure, arb(gamma(self.widest + self.count + 2))


def accumulate(source: ColumnSource, sizes: Plan, progress: Progress | None = None) -> Gram:
    """Gram matrix of the midpoints by blocks of columns, in one pass.

    Parameters
    ----------
    source : ColumnSource
        Midpoints A of Psi, (N, M), with radii, by blocks.
    sizes : Plan
        How many columns a block has.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Gram
        Guarantee: see there. If an entry is NaN or overflows, a bound is not finite or the residual will not be.

    Raises
    ------
    ValueError
        The column blocks do not cover the columns in order.
    """
    backend, n, m, b = source.backend, source.samples, source.columns, sizes.block
    record, seen = record_of(source), Pass(source)
    edges = [slice(start, min(start + b, n)) for start in range(0, n, b)]
    blocks: Blocks = {}
    for p in seen.blocks(sizes.width):
        transpose = backend.contiguous(p.T)
        for i, rows in enumerate(edges):
            for j in range(i + 1):
                product = backend.matmul(p[rows, :], transpose[:, edges[j]], record)
                if (i, j) in blocks:
                    blocks[i, j] += product
                else:
                    blocks[i, j] = product
                del product
        del p, transpose
        if progress:
            progress(seen.covered / m)
    for k in range(len(edges)):
        blocks[k, k] = mirrored(backend, blocks[k, k])
    with working_precision(BITS):
        squares, enclosure, relative = seen.norms()
        error = relative * squares + n * arb(TINY)  # Coq: R2 gram
        return Gram(blocks, edges, squares, relative, error, enclosure, record)


def copied(backend: Backend, gram: Gram) -> Blocks:
    """A second copy of the blocks, for a factorization in place."""
    return {key: backend.xp.asarray(block, copy=True) for key, block in gram.blocks.items()}
