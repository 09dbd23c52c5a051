r"""R2: a Cholesky factor of the Gram matrix bounds the smallest singular value from below, at the cost of one product.

For a symmetric H and any lower triangular C, ``H = cI + C C^T + E`` with ``E = H - cI - C C^T``, hence (Weyl)

.. math:: \lambda_{\min}(H) \ge c - \|H - cI - CC^T\|_2 .

C is untrusted. Psi lies within ``B = 1 q^T`` of the midpoints A entrywise, so ``||Psi - A||_2 <= ||B||_2 = sqrt(N)
||q||``, and

.. math:: \sigma_N(\Psi) \ge \sqrt{\lambda_{\min}(H) - \|H - AA^T\|_2} - \sqrt N \|q\|_2 .

(Rump, *Verification of positive definiteness*, BIT 2006, gives the a-priori variant; here the residual is computed.)

Rounding. ``a_i = ||A_i||_2``, ``ct_i = ||C_i||_2``, u, gamma and the underflow allowance as in `bounds`.

*Gram matrix.* H is the sum of r products over at most w columns each; only blocks on and below the diagonal are kept,
of the diagonal ones only the lower triangle, mirrored: H is symmetric. ``|H - A A^T|_ij <= gamma_{w+r+2} sum_l
|A_il||A_jl| + t <= gamma_{w+r+2} a_i a_j + t`` (Cauchy-Schwarz), t the underflow of one entry. A non-negative matrix
``a a^T`` has norm ``sum a_i^2``, and the 2-norm is monotone in the entries of non-negative matrices, so

.. math:: \|H - AA^T\|_2 \le \gamma_{w+r+2} \sum a_i^2 + N t.

*Residual.* ``E_ij = H_ij - c [i=j] - sum_l C_il C_jl`` (i >= j) is evaluated as H_ij, minus one product of inner length
<= b for each block column left of j's (at most nb - 1), minus c on the diagonal, minus the product of the block column
itself. A term of a product passes through at most b + 2 roundings in it and nb + 1 outside, H_ij and c through at most
nb + 1. So the computed ``E'`` satisfies ``|E' - E|_ij <= gamma_{b+nb+6} (|H_ij| + c [i=j] + ct_i ct_j) + t``, and with
``|H_ij| <= (1 + gamma_{w+r+2}) a_i a_j + t``

.. math:: \|E\|_2 \le \|E'\| + \gamma_{b+nb+6}\bigl((1+\gamma_{w+r+2})\sum a_i^2 + |c| + \sum ct_i^2\bigr)
    + 2Nt.

``||E'||`` is the smaller of the Frobenius and the infinity norm of the symmetric E'. An entry of H or of E' takes less
than ``3 (M + N + r + nb + 4)`` operations, each of which may underflow by ``2 * 2^-1022`` (flushed operand or result):
``t <= TINY`` for N, M < 2^50. The stored C has no subnormal entry and is exactly zero above the diagonal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from flint import arb

from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.matrix import ColumnSource
from verifier.balls.binary64.products import Products
from verifier.balls.exact import about, at_least, at_most, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.display import Decided
from verifier.errors import needs
from verifier.verdict import Verdict

BITS = 128
"""Bits of the scalar arithmetic; bounds at any precision."""

PROBES = 8
"""Vectors of the inverse subspace iteration."""

MAX_SIZE = 2**40
"""Most rows or columns; the underflow allowance holds far beyond."""

SHIFTS = (0.93, 0.87, 0.82)
"""Tight shifts, as fractions of the estimated smallest eigenvalue."""

RADII_SHARE = 1.3
"""The first shift's share of the squared norm of the radii: the bound is then at least 0.14 times that norm."""

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
        """Block rows."""
        return -(-self.samples // self.block)


def plan(n: int, m: int, *, block: int | None = None, width: int | None = None) -> Plan:
    """Block sizes: about N/8 rows (a multiple of 64 in 256..2048), panels of about N/4 columns (in 128..2048)."""
    b = min(n, block or min(max(256, -(-n // 512) * 64), 2048))
    w = min(m, width or min(max(128, n // 4), 2048))
    nb = -(-n // b)
    edges = [min(n, (i + 1) * b) - i * b for i in range(nb)]
    packed = 8 * sum(edges[i] * edges[k] for i in range(nb) for k in range(i + 1))
    temporary = 8 * 4 * b * b + 8 * 8 * n
    probes = 8 * 4 * PROBES * n + 8 * n * b
    gram = packed + 16 * n * w + 8 * 2 * b * max(b, w) + 8 * 8 * n
    return Plan(n, m, b, w, packed, gram, packed + temporary + probes, 2 * packed + temporary + probes)


def memory_plan_text(sizes: Plan) -> str:
    """One line: what R2 needs for this matrix."""
    full = 8 * sizes.samples**2
    phases = ", ".join(
        f"{name} {value / 1e9:.3g} GB"
        for name, value in (("gram", sizes.gram), ("factor", sizes.factor), ("tight", sizes.tight))
    )
    return (
        f"N = {sizes.samples}, M = {sizes.columns}: blocks of {sizes.block}, panels of {sizes.width}; {phases} "
        f"(a full N x N matrix is {full / 1e9:.3g} GB)"
    )


@dataclass(frozen=True, slots=True)
class GramBound(Decided):
    """What R2 proves: if PROVED, ``sigma_N(Psi) >= sigma_lower > 0`` for every Psi in the enclosure.

    UNDECIDED: no bound, for the ``reason`` given, which says nothing about the rank. REFUTED: there are more rows than
    columns.

    Guarantee: ``verdict`` and ``sigma_lower`` only. The rest is for the record; ``estimate`` is an untrusted
    estimate of sigma_N(A).
    """

    verdict: Verdict
    reason: str
    sigma_lower: float = 0.0
    shift: float = math.nan
    residual: float = math.inf
    gram_error: float = math.inf
    enclosure: float = math.inf
    estimate: float = math.nan
    block: int = 0
    width: int = 0
    peak_bytes: int = 0


@dataclass(slots=True)
class Gram:
    """Computed Gram matrix of the midpoints and upper bounds of what was lost.

    Guarantee: ``H`` (the blocks, mirrored) satisfies ``||H - A A^T||_2 <= error``; ``squares >= sum_i ||A_i||^2``;
    ``sqrt(N sum q_j^2) <= enclosure``; ``|H_ij| <= (1 + relative) a_i a_j + TINY``; ``record`` holds all products that
    this rests on.
    """

    blocks: Blocks
    edges: list[slice]
    squares: arb
    relative: arb
    error: arb
    enclosure: arb
    record: Products = field(default_factory=Products)


@dataclass(slots=True)
class Factor:
    """Blocks of C, and a bound of the residual.

    Guarantee: ``||H - cI - C C^T||_2 <= residual``.
    """

    blocks: Blocks
    shift: float
    residual: arb


def mirrored(backend: Backend, block: Array) -> Array:
    """The symmetric matrix with the lower triangle of ``block``, shape (b, b), exact."""
    xp = backend.xp
    return xp.tril(block) + xp.tril(block, k=-1).T


def flushed(backend: Backend, values: Array) -> Array:
    """Copy with subnormal entries replaced by zero; NaN and infinity stay."""
    xp = backend.xp
    return xp.where(xp.abs(values) < SMALLEST_NORMAL, xp.zeros_like(values), values)


def total(backend: Backend, values: Array) -> arb:
    """Upper bound of the sum of a non-negative vector of upper bounds, not finite if an entry is not."""
    if not backend.all_finite(values):
        return arb("nan")
    return arb(float(upper(backend.xp.sum(values), int(values.shape[0]))))


def record_of(source: ColumnSource) -> Products:
    """The record of a matrix's products, a new one for a source that keeps none: its numbers are given."""
    found = getattr(source, "record", None)
    return found if isinstance(found, Products) else Products()


def accumulate(source: ColumnSource, sizes: Plan, progress: Progress | None = None) -> Gram:
    """Gram matrix of the midpoints by blocks of columns, in one pass.

    Returns
    -------
    Gram
        Guarantee: see there. If an entry is NaN or overflows, a bound is not finite or the residual will not be.
    """
    backend, n, m, b = source.backend, source.samples, source.columns, sizes.block
    xp, record = backend.xp, record_of(source)
    edges = [slice(start, min(start + b, n)) for start in range(0, n, b)]
    blocks: Blocks = {}
    squares = xp.zeros((n,), dtype=xp.float64)
    radii = arb(0)
    covered = widest = passes = 0
    for part, p, q in source.column_blocks(sizes.width):
        w = part.stop - part.start
        if part.start != covered or tuple(p.shape) != (n, w) or tuple(q.shape) != (w,):
            raise ValueError(f"column block {part} of shape {tuple(p.shape)} does not continue at column {covered}")
        covered, widest, passes = part.stop, max(widest, w), passes + 1
        transpose = backend.contiguous(p.T)
        for i, rows in enumerate(edges):
            squares[rows] += xp.sum(p[rows, :] * p[rows, :], axis=1)
            for j in range(i + 1):
                product = backend.matmul(p[rows, :], transpose[:, edges[j]], record)
                if (i, j) in blocks:
                    blocks[i, j] += product
                else:
                    blocks[i, j] = product
                del product
        if not bool(xp.all(q >= 0.0)):
            radii = arb("nan")
        with working_precision(BITS):
            radii += total(backend, upper(q * q, 0))
        del p, transpose
        if progress:
            progress(covered / m)
    if covered != m:
        raise ValueError(f"the column blocks cover {covered} of {m} columns")
    for k in range(len(edges)):
        blocks[k, k] = mirrored(backend, blocks[k, k])
    with working_precision(BITS):
        relative = arb(gamma(widest + passes + 2))
        a_squares = total(backend, upper(squares, m + passes))
        error = relative * a_squares + n * arb(TINY)
        return Gram(blocks, edges, a_squares, relative, error, (n * radii).sqrt(), record)


def cholesky_residual(backend: Backend, gram: Gram, shift: float, progress: Progress | None = None) -> Factor | str:
    """Left-looking blocked Cholesky of ``H - cI``, in place of H's blocks, with its residual.

    Parameters
    ----------
    shift
        c, of either sign.

    Returns
    -------
    Factor or str
        Guarantee: ``||H - cI - C C^T||_2 <= residual`` (see the module's text); or where the factorization broke down,
        which proves nothing.
    """
    xp, blocks, edges, products = backend.xp, gram.blocks, gram.edges, gram.record
    n, nb = edges[-1].stop, len(edges)
    b = edges[0].stop
    row_squares = xp.zeros((n,), dtype=xp.float64)
    row_sums = xp.zeros((n,), dtype=xp.float64)
    factor_squares = xp.zeros((n,), dtype=xp.float64)

    def record(i: int, k: int, error: Array) -> None:
        size = xp.abs(error)
        row_sums[edges[i]] += xp.sum(size, axis=1)
        row_squares[edges[i]] += xp.sum(size * size, axis=1)
        if i != k:
            row_sums[edges[k]] += xp.sum(size, axis=0)
            row_squares[edges[k]] += xp.sum(size * size, axis=0)

    for k in range(nb):
        for j in range(k):
            transpose = backend.contiguous(blocks[k, j].T)
            for i in range(k, nb):
                blocks[i, k] -= backend.matmul(blocks[i, j], transpose, products)
        own = edges[k].stop - edges[k].start
        pivot = mirrored(backend, blocks[k, k]) - shift * xp.eye(own, dtype=xp.float64)
        lower = backend.cholesky(pivot)
        if lower is None:
            where = f"rows {edges[k].start}..{edges[k].stop - 1}"
            return f"the Cholesky factorization of A A^T - {about(shift)} I breaks down at {where}"
        lower = flushed(backend, xp.tril(lower))
        transpose = backend.contiguous(lower.T)
        record(k, k, mirrored(backend, pivot - backend.matmul(lower, transpose, products)))
        factor_squares[edges[k]] += xp.sum(lower * lower, axis=1)
        blocks[k, k] = lower
        for i in range(k + 1, nb):
            try:
                solved = backend.right_solve_transposed(blocks[i, k], lower)
            except np.linalg.LinAlgError:
                return f"the Cholesky factor is singular at rows {edges[k].start}..{edges[k].stop - 1}"
            solved = flushed(backend, backend.contiguous(solved))
            record(i, k, blocks[i, k] - backend.matmul(solved, transpose, products))
            factor_squares[edges[i]] += xp.sum(solved * solved, axis=1)
            blocks[i, k] = solved
        if progress:
            progress(((k + 1) / nb) ** 2)
    with working_precision(BITS):
        frobenius = total(backend, upper(row_squares, 2 * n + nb)).sqrt()
        infinity = arb("nan")
        if backend.all_finite(row_sums):
            infinity = arb(float(upper(xp.max(row_sums), 2 * n + nb)))
        norm = frobenius if frobenius < infinity else infinity
        c_squares = total(backend, upper(factor_squares, n + nb))
        lost = arb(gamma(b + nb + 6)) * ((1 + gram.relative) * gram.squares + abs(arb(shift)) + c_squares)
        return Factor(blocks, shift, norm + lost + 2 * n * arb(TINY))


def sigma_bound(gram: Gram, factor: Factor) -> float:
    """Lower bound of sigma_N(Psi) from a factor; ``-inf`` if nothing is proved.

    Guarantee: the result is <= sigma_N(Psi) for every Psi in the enclosure.
    """
    with working_precision(BITS):
        eigenvalue = arb(factor.shift) - factor.residual - gram.error
        if not eigenvalue > 0:
            return -math.inf
        bound = eigenvalue.sqrt() - gram.enclosure
        if not bound > 0:
            return -math.inf
        lowest = lower_float(bound)
        return lowest if 0.0 < lowest < math.inf else -math.inf


def estimate_smallest(backend: Backend, gram: Gram, factor: Factor, steps: int) -> float:
    """Untrusted estimate of lambda_min(H) by inverse subspace iteration with C; NaN if it fails."""
    xp, blocks, edges = backend.xp, factor.blocks, gram.edges
    n, nb = edges[-1].stop, len(edges)
    probes = min(PROBES, n)
    inverses = []
    for k in range(nb):
        own = edges[k].stop - edges[k].start
        inverses.append(backend.right_solve_transposed(xp.eye(own, dtype=xp.float64), blocks[k, k]))  # C_kk^-T
    v = backend.asarray(np.random.default_rng(1).standard_normal((n, probes)))
    theta = math.nan
    try:
        for _ in range(steps):
            v, _r = xp.linalg.qr(v)
            y = xp.asarray(v, copy=True)
            for k in range(nb):
                for j in range(k):
                    y[edges[k], :] -= xp.matmul(blocks[k, j], y[edges[j], :])
                y[edges[k], :] = xp.matmul(inverses[k].T, y[edges[k], :])
            for k in reversed(range(nb)):
                for i in range(k + 1, nb):
                    y[edges[k], :] -= xp.matmul(blocks[i, k].T, y[edges[i], :])
                y[edges[k], :] = xp.matmul(inverses[k], y[edges[k], :])
            small = backend.numpy(xp.matmul(v.T, y))
            theta = float(np.linalg.eigvalsh(small + small.T)[-1]) / 2.0
            v = y
    except np.linalg.LinAlgError:
        return math.nan
    return 1.0 / theta + factor.shift if theta > 0.0 else math.nan


def first_shift(gram: Gram, sizes: Plan, *, tight: bool) -> float:
    """Untrusted small shift: four times the error that is to be expected, and what the radii take away.

    The radii enter only where the shift is to prove something at once, not where it serves an estimate.
    """
    n, nb = sizes.samples, sizes.blocks
    with working_precision(BITS):
        e = gram.error + 2 * arb(gamma(sizes.block + nb + 6)) * gram.squares + 4 * n * arb(TINY)
        return upper_float(4 * e if tight else 4 * e + RADII_SHARE * gram.enclosure * gram.enclosure)


def certify_gram(
    source: ColumnSource, *, tight: bool = False, progress: Progress | None = None, sizes: Plan | None = None
) -> GramBound:
    """Prove ``rank Psi = N`` and a lower bound of sigma_N by R2.

    Parameters
    ----------
    tight
        Refactor with a shift just below the estimated smallest eigenvalue: the bound is then within 10 percent of the
        truth when rounding and radii allow it; needs a second copy of the packed Gram matrix.
    sizes
        Block sizes; `plan` chooses them by default.

    Returns
    -------
    GramBound
        Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``; the
        platform's canary has tested every product that this rests on.
    """
    needs(source, "enclosure", "column_blocks", "source", "give MatrixEnclosure(numpy_backend(), A), or use matrix(A)")
    backend, n, m = source.backend, source.samples, source.columns
    if n > m:
        return GramBound(Verdict.REFUTED, f"N = {n} exceeds M = {m}: the rank is below N")
    if m > MAX_SIZE:
        return GramBound(Verdict.UNDECIDED, f"M = {m} exceeds {MAX_SIZE}")
    sizes = sizes or plan(n, m)
    try:
        with np.errstate(all="ignore"):
            return _certify(source, backend, tight, progress, sizes)
    except NotEnclosed as error:
        return GramBound(Verdict.UNDECIDED, str(error))


def _certify(source: ColumnSource, backend: Backend, tight: bool, progress: Progress | None, sizes: Plan) -> GramBound:
    share = 0.7 if not tight else 0.5
    gram = accumulate(source, sizes, progress and (lambda f: progress(share * f)))
    shift = first_shift(gram, sizes, tight=tight)
    if not (math.isfinite(shift) and gram.enclosure.is_finite()):
        return GramBound(Verdict.UNDECIDED, "the Gram matrix overflows or is not a number; scale the features")
    kept = _copied(backend, gram) if tight else None
    factor = cholesky_residual(backend, gram, shift, progress and (lambda f: progress(share + (1 - share) / 2 * f)))
    if isinstance(factor, str):
        reason = f"{factor}; the smallest eigenvalue seems to be below the rounding errors and radii"
        return GramBound(Verdict.UNDECIDED, reason)
    sigma = sigma_bound(gram, factor)
    eigenvalue = estimate_smallest(backend, gram, factor, 10 if tight else 4)
    if kept is not None and eigenvalue > 0.0 and math.isfinite(eigenvalue):
        factor.blocks.clear()
        for fraction in SHIFTS:
            trial = Gram(dict(kept), gram.edges, gram.squares, gram.relative, gram.error, gram.enclosure, gram.record)
            if fraction != SHIFTS[-1]:
                trial.blocks = _copied(backend, trial)
            second = cholesky_residual(backend, trial, fraction * eigenvalue)
            if isinstance(second, str):
                continue
            better = sigma_bound(gram, second)
            if better > sigma:
                sigma, factor = better, second
                break
    if progress:
        progress(1.0)
    if not sigma > 0.0:
        with working_precision(BITS):
            parts = (("shift", arb(factor.shift)), ("residual", factor.residual), ("Gram error", gram.error),
                     ("radii", gram.enclosure))  # fmt: skip
            listed = ", ".join(f"{name} {at_most(value, 3)}" for name, value in parts)
        reason = f"rounding errors and radii exceed the smallest singular value: {listed}"
        return GramBound(Verdict.UNDECIDED, reason)
    require(gram.record)
    return GramBound(
        Verdict.PROVED,
        f"rank N = {source.samples}, sigma_N >= {at_least(sigma)}",
        sigma_lower=sigma,
        shift=factor.shift,
        residual=upper_float(factor.residual),
        gram_error=upper_float(gram.error),
        enclosure=upper_float(gram.enclosure),
        estimate=math.sqrt(eigenvalue) if eigenvalue > 0.0 else math.nan,
        block=sizes.block,
        width=sizes.width,
        peak_bytes=max(sizes.gram, sizes.tight if tight else sizes.factor),
    )


def _copied(backend: Backend, gram: Gram) -> Blocks:
    return {key: backend.xp.asarray(block, copy=True) for key, block in gram.blocks.items()}
