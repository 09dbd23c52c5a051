r"""R4's bounds of the eigenvalues of ``A A^T``, from any matrix whose rows approximate left singular vectors of A.

Let A be ``(N, M)`` with ``N <= M`` (else transpose), ``lambda_1 >= ... >= lambda_N >= 0`` the eigenvalues of ``G = A
A^T``, so that ``sigma_i = sqrt(lambda_i)``. Let Q be any real ``(N, N)`` matrix, an untrusted witness whose rows
approximate left singular vectors, and

.. math:: S = Q Q^T = I + F, \qquad T = (QA)(QA)^T = D + H, \qquad \|F\|_2 \le a < 1,

with D diagonal (any; here the midpoints of T's diagonal). Choose ``g_j >= d_j``, ``g_j > 0`` and let
``eta >= ||g^(-1/2) H g^(-1/2)||_2``.

1. *First order.* ``-eta diag(g) <= H <= eta diag(g)`` in the order of symmetric matrices, so by Weyl's monotonicity the
   eigenvalues of T lie between those of the diagonal matrices ``D - eta diag(g)`` and ``D + eta diag(g)``. By Ostrowski
   ``lambda_k(T) = theta_k lambda_k(G)`` with theta_k between the extreme eigenvalues of S (Q is nonsingular as a < 1).
   Since ``g_j = max(d_j, floor)`` for one ``floor >= 0``, the bounds below are monotone in d and for decreasing d

   .. math:: \frac{\max(d_k - \eta g_k, 0)}{1 + a} \;\le\; \lambda_k(G) \;\le\; \frac{d_k + \eta g_k}{1 - a}.

2. *Second order.* Let ``lambda = lambda_k(G)`` lie in ``[l, u]``, l > 0. ``T - lambda S`` is singular. Partition off
   row and column k; ``B`` is the rest and v the off-diagonal part of column k. With ``Delta_j = max(g_j, u)``,

   .. math:: \sigma_{\min}(\Delta^{-1/2} B \Delta^{-1/2}) \;\ge\;
             h := \min_{j \ne k} \frac{\mathrm{dist}(d_j, [l, u])}{\Delta_j} - \eta - a ,

   because ``B = diag(d_j - lambda) + H' - lambda F'`` and ``lambda <= u <= Delta_j``. If h > 0, B is nonsingular and
   the Schur complement ``T_kk - lambda S_kk - v^T B^(-1) v`` vanishes, hence

   .. math:: |T_{kk} - \lambda S_{kk}| \le \frac{1}{h}
             \Bigl( \sqrt{\sum_{j \ne k} T_{kj}^2 / g_j} + \sqrt{u \sum_{j \ne k} S_{kj}^2} \Bigr)^2 .

   The quotient ``dist / Delta`` grows with the distance of d_j from ``[l, u]`` on either side, so that the neighbours
   in the order of d attain the minimum.
"""

from __future__ import annotations

from flint import arb, arb_mat, ctx

from verifier.balls.precision import MIN_BITS, working_precision
from verifier.rank.right_inverse import NORM_PRECISION

Interval = tuple[arb, arb]
"""Lower and upper bound."""


def ball_gram(b: arb_mat, bits: int) -> arb_mat:
    """Enclose ``B B^T``, its diagonal at the working precision and the rest at ``bits`` bits if that is less.

    Guarantee: every entry contains the exact value for every matrix in the ball matrix B.

    Parameters
    ----------
    b : arb_mat of shape (n, k)
        Any balls.
    bits : int
        The precision of what is off the diagonal.

    Returns
    -------
    arb_mat of shape (n, n)
        The Gram matrix.
    """
    if bits >= ctx.prec:
        return b * b.transpose()
    exact = [sum_of_squares(row) for row in b.tolist()]
    with working_precision(max(bits, MIN_BITS)):
        rounded = b * arb(1)
        product = rounded * rounded.transpose()
    for i, value in enumerate(exact):
        product[i, i] = value
    return product


def sum_of_squares(values: list[arb]) -> arb:
    """Enclose the sum of the squares.

    Guarantee: contains the sum for all numbers in their balls.

    Parameters
    ----------
    values : list of arb
        Any balls.

    Returns
    -------
    arb
        The sum.
    """
    total = arb(0)
    for value in values:
        total += value * value
    return total


def eigenvalue_bounds(s: arb_mat, t: arb_mat, floor: arb) -> list[Interval] | None:
    """Bounds of the eigenvalues of ``G = A A^T`` from ``S = Q Q^T`` and ``T = Q G Q^T``.

    Parameters
    ----------
    s, t
        Enclosures of S and T for one Q, shape ``(N, N)``, rows in any order.
    floor
        At least 0: rows of T with smaller diagonal are taken for parts of a null space and get absolute bounds.

    Returns
    -------
    list of (arb, arb), or None
        Exact lower and upper bounds in decreasing order; None if S is not proved to be near the identity or a diagonal
        entry of T is not positive though ``floor = 0``, or something is not finite.
        Guarantee: the k-th largest eigenvalue of G lies in the k-th interval. Source: the module's text; Weyl and
        Ostrowski (Horn and Johnson, *Matrix Analysis*, 4.3.1 and 4.5.9).
    """
    n = s.nrows()
    t_rows, s_rows = t.tolist(), s.tolist()
    d = [t_rows[i][i].mid() for i in range(n)]
    if not all(v.is_finite() for v in d):
        return None
    g = [v if v > floor else floor for v in d]
    if not all(v > 0 for v in g):
        return None
    weights, ones = [1 / v for v in g], [arb(1)] * n
    with working_precision(NORM_PRECISION):
        squares = [_weighted_squares(row, weights, i) for i, row in enumerate(t_rows)]
        skew = [_weighted_squares(row, ones, i) for i, row in enumerate(s_rows)]
    eta_squared, a_squared = arb(0), arb(0)
    for i in range(n):
        own = (t_rows[i][i] - d[i]) * weights[i]
        eta_squared += squares[i] * weights[i] + own * own
        a_squared += skew[i] + (s_rows[i][i] - 1) * (s_rows[i][i] - 1)
    eta, a = eta_squared.upper().sqrt().upper(), a_squared.upper().sqrt().upper()
    if not (a < 1 and eta.is_finite()):
        return None
    order = sorted(range(n), key=lambda i: d[i], reverse=True)
    first: list[Interval] = []
    for i in order:
        low, high = ((d[i] - eta * g[i]) / (1 + a)).lower(), ((d[i] + eta * g[i]) / (1 - a)).upper()
        first.append((low if low > 0 else arb(0), high))
    out: list[Interval] = []
    for k, i in enumerate(order):
        low, high = first[k]
        h = arb(1)
        if k > 0:
            above = order[k - 1]
            h = _least(h, (d[above] - high) / larger_of(g[above], high))
        if k + 1 < n:
            below = order[k + 1]
            h = _least(h, (low - d[below]) / larger_of(g[below], high))
        h = h - eta - a
        if low > 0 and h > 0:
            width = (squares[i].sqrt() + (high * skew[i]).sqrt()) ** 2 / h
            low = larger_of(low, ((t_rows[i][i] - width) / s_rows[i][i]).lower())
            high = _least(high, ((t_rows[i][i] + width) / s_rows[i][i]).upper())
        out.append((low, high))
    return out


def _weighted_squares(row: list[arb], weights: list[arb], skip: int) -> arb:
    """Upper bound of the sum of ``weights_j row_j^2`` over all j but one."""
    total = arb(0)
    for value, weight in zip(row[:skip] + row[skip + 1 :], weights[:skip] + weights[skip + 1 :], strict=True):
        total += value * value * weight
    return total.upper()


def _least(x: arb, y: arb) -> arb:
    """Lower bound of the smaller one, exact."""
    low, other = x.lower(), y.lower()
    return low if low < other else other


def larger_of(x: arb, y: arb) -> arb:
    """The larger of two exact numbers."""
    return x if x > y else y
