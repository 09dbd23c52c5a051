r"""Enclosures of softmax and of attention, without overflow and without differences of large balls.

For every real c, softmax(x) = softmax(x - c); for every fixed kappa, the scores <q, k_j - kappa> differ from <q, k_j>
by a number that does not depend on j; and because the weights P_j have the sum 1, for every nu

.. math:: \sum_j P_j v_j = \nu + \frac{\sum_j e_j (v_j - \nu)}{\sum_j e_j}, \qquad e_j = m_j e^{x_j - c}.

So c is an exact number near the largest score (no exponential is large), kappa one near the mean of the keys (the
radius of q meets k_j - kappa instead of k_j), and nu one near the result itself: then the numerator is small, and the
radius of the denominator, and of what all e_j have in common, meets almost nothing. To first order the radius of the
result is :math:`\sum_j P_j (\rho_j |v_j - o| + r_j)` for radii rho of the scores and r of the values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import arb, arb_mat

from verifier.balls.activation import NARROW_BITS

NARROW = arb(math.ldexp(1.0, -NARROW_BITS))
"""Scores with smaller radii: the plain quotient is sharp enough."""

UNIT = arb(0.5, 0.5)
"""All numbers from 0 to 1."""


def masked_softmax(scores: Sequence[arb], kept: Sequence[bool] | None) -> list[arb]:
    r"""Enclose :math:`P_j = m_j e^{x_j} / \sum_k m_k e^{x_k}`.

    Parameters
    ----------
    scores : sequence of arb
        Balls for x.
    kept : sequence of bool or None
        Where m is 1, in one place at least; None: everywhere.

    Returns
    -------
    list of arb
        Guarantee: each ball contains P_j for all x in the scores; none is finite if a score is not.

    Notes
    -----
    P_j increases in x_j and decreases in every other score, so that wide scores give the range between
    ``a / (a + sum of the others' upper ends)`` with the lower end a of ``e_j``, and the same with ends exchanged.
    """
    if not all(z.is_finite() for z in scores):
        return [arb("nan")] * len(scores)
    chosen = list(scores) if kept is None else [z for z, keep in zip(scores, kept, strict=True) if keep]
    shifted = _shifted(chosen)
    if all(z.rad() < NARROW for z in shifted):
        terms = [z.exp() for z in shifted]
        total = sum(terms, arb(0))
        shares = [term / total for term in terms]
    else:
        shares = _shares_between(shifted)
    if kept is None:
        return shares
    found = iter(shares)
    return [next(found) if keep else arb(0) for keep in kept]


def _shifted(scores: Sequence[arb]) -> list[arb]:
    """Scores minus an exact number near the largest."""
    top = max(z.mid() for z in scores)
    return [z - top for z in scores]


def _shares_between(scores: Sequence[arb]) -> list[arb]:
    """The range of every P_j over wide scores; from 0 to 1 where an exponential overflows."""
    low, high = [z.lower().exp() for z in scores], [z.upper().exp() for z in scores]
    shares = []
    for a, b, others_low, others_high in zip(low, high, _sums_of_others(low), _sums_of_others(high), strict=True):
        share = (a / (a + others_high)).union(b / (b + others_low))
        shares.append(share.intersection(UNIT) if share.is_finite() else UNIT)
    return shares


def _sums_of_others(terms: Sequence[arb]) -> list[arb]:
    """For each term the sum of all others, without a difference."""
    before, after = [arb(0)], [arb(0)]
    for term in terms[:-1]:
        before.append(before[-1] + term)
    for term in reversed(terms[1:]):
        after.append(after[-1] + term)
    return [a + b for a, b in zip(before, reversed(after), strict=True)]


def attended(
    queries: list[arb],
    keys: list[arb],
    values: list[arb],
    sizes: tuple[int, int, int, int],
    factor: arb,
    kept: Sequence[bool] | None,
) -> list[arb]:
    r"""Enclose :math:`\mathrm{softmax}(f q k^T) v` of one head.

    Parameters
    ----------
    queries, keys, values : list of arb
        Balls for q ``(t, c)``, k ``(s, c)``, v ``(s, e)``.
    sizes : tuple of int
        t, c, s, e.
    factor : arb
        A ball around f.
    kept : sequence of bool or None
        Which of the ``(t, s)`` scores are not masked, one in each row at least; None: all.

    Returns
    -------
    list of arb
        Guarantee: balls for the result, ``(t, e)``, that contain it for all q, k, v and f in the arguments. They are
        not finite if an argument is not.
    """
    t, c, s, e = sizes
    k, v = arb_mat(s, c, keys), arb_mat(s, e, values)
    ones = arb_mat(s, 1, [1] * s)
    kappa = (ones.transpose() * k).mid() / s
    scores = ((arb_mat(t, c, queries) * (k - ones * kappa.mid()).transpose()) * factor).entries()
    if not all(z.is_finite() for z in scores) or not all(z.is_finite() for z in values):
        return [arb("nan")] * (t * e)
    out: list[arb] = []
    for i in range(t):
        row, keep = scores[i * s : (i + 1) * s], None if kept is None else kept[i * s : (i + 1) * s]
        chosen = row if keep is None else [z for z, k in zip(row, keep, strict=True) if k]
        narrow = all(z.rad() < NARROW for z in chosen)
        if narrow:
            found = iter([z.exp() for z in _shifted(chosen)])
            weights = [next(found) if k else arb(0) for k in keep or [True] * s]
            total = sum(weights, arb(0))
        else:
            weights, total = masked_softmax(row, keep), arb(1)
        shares = arb_mat(1, s, weights)
        near = ((shares.mid() * v.mid()) / total).mid()
        result = (near + shares * (v - ones * near) / total).entries()
        out += result if narrow else _within(result, values, keep, s, e)
    return out


def _within(result: list[arb], values: list[arb], keep: Sequence[bool] | None, s: int, e: int) -> list[arb]:
    """Means of values with weights of the sum 1 lie between the least and the largest of the values."""
    out = []
    for j, found in enumerate(result):
        column = [values[i * e + j] for i in range(s) if keep is None or keep[i]]
        between = min(z.lower() for z in column).union(max(z.upper() for z in column))
        out.append(found.intersection(between) if found.is_finite() else between)
    return out
