r"""Whether an exact symmetric matrix is definite: the signs of its eigenvalues.

1. *Small matrices, exactly.* All roots of the characteristic polynomial ``p(x) = det(x I - A)`` are real, so Descartes'
   rule of signs is exact: as many eigenvalues are positive as the coefficients change sign, and 0 is a root as often as
   the lowest coefficients vanish (Horn and Johnson, *Matrix Analysis*, 4.1.P; every step is done in integers).
2. *Larger ones, by balls.* For any real Q with k rows let ``T = Q A Q^T``. If ``d_i != 0`` and, with
   ``s = |d|^(-1/2)``, ``||diag(s) T diag(s) - diag(sign d)||_2 < 1``, then ``diag(s) T diag(s)`` and ``diag(sign d)``
   are joined by nonsingular symmetric matrices, so that no eigenvalue changes its sign: T has as many positive and
   negative eigenvalues, p and q, as d, and ``p + q = k``. The form of A is positive on a space of dimension p and
   negative on one of dimension q, so A has at least p positive and q negative eigenvalues (Courant and Fischer). If k
   is a proved upper bound of the rank of A, these are all. Q is untrusted.
3. *Indefinite, by two exact numbers.* ``x^T A x > 0 > y^T A y`` in integers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat

from verifier.balls.precision import working_precision
from verifier.display import Card, Decided, Shown
from verifier.verdict import Verdict

EXACT_WORK: Final = 2e9
"""Bit operations, about, that a characteristic polynomial may take: ``n^4`` times the entries' bits, over 64."""
BALL_BITS: Final = 256
"""Of the products of the second way; what they prove holds at any precision."""
MAX_SIZE: Final = 1500
"""Largest matrix of the second way."""


@dataclass(frozen=True, slots=True, repr=False)
class Definiteness(Decided, Shown):
    """What is known of the signs of a symmetric matrix's eigenvalues.

    Parameters
    ----------
    verdict : Verdict
        ``PROVED`` if ``kind`` is, else ``UNDECIDED``.
    kind : str
        ``positive definite``, ``negative definite``, ``positive semidefinite`` (and singular), ``negative
        semidefinite`` (and singular), ``indefinite``, ``zero``, or ``undecided``.
    reason : str
        How it was proved, or why not.
    positive, zero, negative : int or None
        How many eigenvalues are, where that was proved.
    """

    verdict: Verdict
    kind: str
    reason: str
    positive: int | None = None
    zero: int | None = None
    negative: int | None = None

    def _card(self) -> Card:
        return Card(f"Eigenvalues of a symmetric matrix: {self.kind}", str(self.verdict), self.reason)


def is_symmetric(a: fmpz_mat) -> bool:
    """Whether an integer matrix equals its transpose, exactly.

    Guarantee: the comparison is of integers, entry by entry.
    """
    return bool(a.nrows() == a.ncols() and a == a.transpose())


def definiteness(a: fmpz_mat, floats: Any, rank_at_most: int) -> Definiteness:
    """Decide the signs of the eigenvalues of a symmetric integer matrix.

    Parameters
    ----------
    a : fmpz_mat
        Symmetric, ``(n, n)``.
    floats : (n, n) float64
        An untrusted approximation of it, up to a positive factor.
    rank_at_most : int
        A proved upper bound of its rank.

    Returns
    -------
    Definiteness
        Guarantee: a ``kind`` with verdict PROVED, and the counts, are true of the exact matrix. Source: the module's
        text.
    """
    n = a.nrows()
    bits = max((abs(int(entry)).bit_length() for entry in a.entries()), default=0)
    if bits == 0:
        return Definiteness(Verdict.PROVED, "zero", "all entries are 0: every eigenvalue is 0", 0, n, 0)
    if float(n) ** 4 * (bits / 64 + 1) <= EXACT_WORK:
        positive, zero, negative = _inertia(a)
        return _stated(
            positive, zero, negative, "signs of the exact characteristic polynomial's coefficients (Descartes)"
        )
    approximation = _approx_eigenvectors(floats) if n <= MAX_SIZE else None
    if approximation is None:
        return Definiteness(
            Verdict.UNDECIDED, "undecided", f"a symmetric matrix of {n} rows is too large for this test"
        )
    values, vectors = approximation
    chosen = np.sort(np.argsort(-np.abs(values))[:rank_at_most])
    found = _by_congruence(a, vectors[:, chosen])
    if found is not None:
        how = "signs of Q A Q^T, enclosed by balls, and the rank" if rank_at_most < n else "signs of Q A Q^T, by balls"
        return _stated(found[0], n - rank_at_most, found[1], how)
    top, bottom = _form(a, vectors[:, -1]), _form(a, vectors[:, 0])
    if top > 0 > bottom:
        return Definiteness(Verdict.PROVED, "indefinite", "x^T A x > 0 > y^T A y for two exact vectors")
    return Definiteness(
        Verdict.UNDECIDED,
        "undecided",
        "an eigenvalue is too near 0, or is 0, for the test by balls, and the matrix is too large for the exact one",
    )


def _approx_eigenvectors(floats: Any) -> Any:
    """Untrusted eigenvalues, increasing, and orthonormal eigenvectors as columns; None if that breaks down."""
    try:
        with np.errstate(all="ignore"):
            values, vectors = np.linalg.eigh(floats)
    except np.linalg.LinAlgError:
        return None
    return (values, vectors) if np.isfinite(values).all() and np.isfinite(vectors).all() else None


def _inertia(a: fmpz_mat) -> tuple[int, int, int]:
    """How many eigenvalues are positive, zero, negative.

    Guarantee: exact.
    """
    n = a.nrows()
    coefficients = [int(c) for c in a.charpoly().coeffs()]  # from the constant one up
    zero = next(k for k, c in enumerate(coefficients) if c)
    signs = [c > 0 for c in coefficients if c]
    positive = sum(one != other for one, other in itertools.pairwise(signs))
    return positive, zero, n - zero - positive


def _stated(positive: int, zero: int, negative: int, how: str) -> Definiteness:
    if positive and negative:
        kind = "indefinite"
    else:
        kind = f"{'positive' if positive else 'negative'} {'semidefinite' if zero else 'definite'}"
    reason = f"{positive} positive, {zero} zero, {negative} negative eigenvalues: {how}"
    return Definiteness(Verdict.PROVED, kind, reason, positive, zero, negative)


def _by_congruence(a: fmpz_mat, vectors: Any) -> tuple[int, int] | None:
    """Numbers p and q with ``p + q = k``, the number of vectors, if they can be proved.

    Guarantee: if not None, at least p eigenvalues are positive and at least q negative.
    """
    k, n = vectors.shape[1], a.nrows()
    with working_precision(BALL_BITS):
        q = arb_mat(k, n, vectors.T.ravel().tolist())
        rows = (q * arb_mat(a) * q.transpose()).tolist()
        diagonal = [rows[i][i].mid() for i in range(k)]
        if not all(d.is_finite() and d != 0 for d in diagonal):
            return None
        scale = [1 / abs(d).sqrt() for d in diagonal]
        total = arb(0)
        for i, row in enumerate(rows):
            for j, entry in enumerate(row):
                rest = entry - diagonal[i] if i == j else entry
                moved = rest * scale[i] * scale[j]
                total += moved * moved
        if not total < 1:  # the Frobenius norm bounds the 2-norm
            return None
    positive = sum(d > 0 for d in diagonal)
    return positive, k - positive


def _form(a: fmpz_mat, vector: Any) -> fmpz:
    """``x^T A x`` for an integer vector x near a multiple of ``vector``, exactly."""
    n = a.nrows()
    largest = float(np.abs(vector).max())
    x = fmpz_mat(n, 1, [int(value) for value in np.rint(vector / largest * 2.0**40).tolist()])
    return (x.transpose() * a * x)[0, 0]
