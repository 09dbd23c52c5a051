r"""Cross-entropy on enclosures of margins, and its derivatives along a segment of output weights.

With the margins ``m_ik = G_{i,y_i} - G_ik`` (k != y_i) the loss of sample i is ``log(1 + sum_k exp(-m_ik))``: it
decreases in
every margin, so evaluating at the two ends of each margin's enclosure gives the exact range over the box, and the form
``log1p`` keeps full relative accuracy when the loss is 1e-300.

Along a segment of V the margins are affine, ``m(t) = a + t b``. Then per sample, with ``p_k = exp(-m_k) / (1 + sum_j
exp(-m_j))``,

.. math:: h' = -\sum_k p_k b_k, \qquad h'' = \mathrm{Var}_p(b) = \sum_k p_k b_k^2 - \Bigl(\sum_k p_k b_k\Bigr)^2

where the true class carries ``b = 0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

Row = Sequence[arb]
"""The m - 1 margins of one sample."""


def hull(low: arb, high: arb) -> arb:
    """Give a ball that contains both balls.

    Guarantee: contains every point of ``low``, of ``high`` and of the interval between them.

    Parameters
    ----------
    low, high : arb
        Any balls.

    Returns
    -------
    arb
        The ball.
    """
    return low.union(high)


def sample_loss(margins: Row) -> arb:
    """Enclose ``log(1 + sum_k exp(-m_k))`` over a box of margins.

    Guarantee: contains the loss for all margins in their balls; the range over the box is exact up to rounding, because
    the loss decreases in every margin.

    Parameters
    ----------
    margins : list of arb
        The m - 1 margins of one sample.

    Returns
    -------
    arb
        The loss.
    """
    if all(m.is_exact() for m in margins):
        return _loss_at(margins)
    return hull(_loss_at([m.upper() for m in margins]), _loss_at([m.lower() for m in margins]))


def _loss_at(margins: Row) -> arb:
    smallest = min((float(m.mid()) for m in margins), default=0.0)
    if smallest >= -30.0:
        total = arb(0)
        for m in margins:
            total += (-m).exp()
        return total.log1p()
    # Factor out the largest exponential: log sum exp = s + log sum exp(. - s). Any exact shift s is correct.
    shift = min(margins, key=lambda m: float(m.mid())).mid()
    total = shift.exp()
    for m in margins:
        total += (shift - m).exp()
    return total.log() - shift


def cross_entropy(margins: Sequence[Row], multiplicities: Sequence[int]) -> arb:
    """Enclose ``Phi = (1/n) sum_i mult_i log(1 + sum_k exp(-m_ik))``, ``n = sum mult_i``.

    Guarantee: contains the loss for all margins in their balls. Source: log-sum-exp is monotone in each argument.

    Parameters
    ----------
    margins : sequence of list of arb
        The margins of N samples, m - 1 each.
    multiplicities : sequence of int
        How often each sample occurs, at least 1.

    Returns
    -------
    arb
        The mean loss.

    Raises
    ------
    ValueError
        If a multiplicity is below 1: the loss would not be the convex function that the theorems speak of.
    """
    if min(multiplicities, default=1) < 1:
        raise ValueError(f"multiplicity {min(multiplicities)} must be at least 1; drop samples that do not occur")
    total, n = arb(0), 0
    for row, multiplicity in zip(margins, multiplicities, strict=True):
        total += multiplicity * sample_loss(row)
        n += multiplicity
    return total / n


@dataclass(frozen=True, slots=True)
class SegmentLoss:
    """Enclosures of the loss and of its first two derivatives in t."""

    value: arb
    first: arb
    second: arb


def loss_along_segment(start: Sequence[Row], end: Sequence[Row], multiplicities: Sequence[int], t: arb) -> SegmentLoss:
    """Enclose Phi, dPhi/dt and d2Phi/dt2 at ``V(t) = V_start + t (V_end - V_start)``; ``t`` may be a ball.

    Parameters
    ----------
    start, end
        Margins (N rows of m - 1 balls) at t = 0 and t = 1, for one fixed feature matrix.
    multiplicities
        How often each sample occurs.
    t
        The parameter, exact or an interval.

    Returns
    -------
    SegmentLoss
        Guarantee: for every t in the ball and all margins in theirs, the three quantities lie in the three enclosures.
    """
    value, first, second, n = arb(0), arb(0), arb(0), 0
    for a, e, multiplicity in zip(start, end, multiplicities, strict=True):
        slope = [y - x for x, y in zip(a, e, strict=True)]
        margins = [x + t * b for x, b in zip(a, slope, strict=True)]
        weights = softmax_weights(margins)
        mean = arb(0)
        for p, b in zip(weights, slope, strict=True):
            mean += p * b
        # Var_p(b) = sum_k p_k (b_k - mean)^2, the true class having b = 0 and the remaining weight.
        variance = _weight_of_truth(margins) * mean * mean
        for p, b in zip(weights, slope, strict=True):
            variance += p * (b - mean) * (b - mean)
        value += multiplicity * sample_loss(margins)
        first -= multiplicity * mean
        second += multiplicity * variance.nonnegative_part()
        n += multiplicity
    return SegmentLoss(value / n, first / n, second / n)


def softmax_weights(margins: Row) -> list[arb]:
    """Enclose ``p_k = exp(-m_k) / (1 + sum_j exp(-m_j))`` over a box of margins.

    Guarantee: contains p_k for all margins in their balls. Each p_k decreases in its own margin and increases in the
    others, so the two extreme corners of the box give its exact range; with relative accuracy however small it is.

    Parameters
    ----------
    margins : list of arb
        The m - 1 margins of one sample.

    Returns
    -------
    list of arb
        The m - 1 weights p_k of the other classes.
    """
    low, high = [m.lower() for m in margins], [m.upper() for m in margins]
    weights = []
    for k in range(len(margins)):
        smallest = _weight_at(high[k], [*low[:k], *low[k + 1 :]])
        largest = _weight_at(low[k], [*high[:k], *high[k + 1 :]])
        weights.append(hull(smallest, largest))
    return weights


def _weight_at(own: arb, others: Row) -> arb:
    total = 1 + own.exp()
    for m in others:
        total += (own - m).exp()
    return 1 / total


def _weight_of_truth(margins: Row) -> arb:
    """Weight of the true class, ``1 / (1 + sum exp(-m))``, from the box."""
    low, high = arb(1), arb(1)
    for m in margins:
        low += (-m.lower()).exp()
        high += (-m.upper()).exp()
    return hull(1 / low, 1 / high)
