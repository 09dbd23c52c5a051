r"""The loss while U and V move together on a straight segment: its value and its derivative for whole balls of times.

With ``m_ik(t)`` the margins along the segment, ``p_k = exp(-m_k) / (1 + sum_j exp(-m_j))`` per sample,

.. math:: \frac{d\Phi}{dt} = -\frac1n \sum_i \mathrm{mult}_i \sum_{k \ne y_i} p_{ik}\, m_{ik}'.

E1 (descent): the enclosure of the derivative is negative on each of the pieces that cover [0, 1]. E3 (sublevel): the
enclosure of the loss stays below the start's loss plus epsilon on each piece.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, fmpq
from numpy.typing import NDArray

from verifier.balls.loss import cross_entropy, softmax_weights
from verifier.balls.margins import Margins, offset_margins
from verifier.balls.motion import Motion, Rows
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.network.network import Array

ORDERS = [1, 3]
"""Plain pairs, and jets that are narrowed from the middle of a piece: see `Motion`."""
NARROWED = 4
"""Up to this many pieces are worth the second way, which takes some fifteen times as long."""


@dataclass(frozen=True, repr=False)
class WeightSegment(Brief):
    """``V(t) = start + t (end - start)`` over a `Motion` of U, with labels, multiplicities and frozen logits."""

    motion: Motion
    start: Array
    end: Array
    labels: NDArray[np.int64]
    multiplicities: Sequence[int]
    offset: Array | None = None

    def loss(self, t: arb) -> arb:
        """Enclose the loss ``Phi(U(t), V(t))`` over a ball of times.

        Guarantee: contains the loss for every time in the ball ``t``.
        """
        with working_precision(self.motion.precision):
            return cross_entropy(self._shifted(self._rows(self.motion.features(t), t)), self.multiplicities)

    def margins(self, t: Fraction) -> Margins:
        """Enclose the margins of Psi(U(t)) V(t), without frozen logits.

        Guarantee: each ball contains the exact margin at the time ``t``.
        """
        with working_precision(self.motion.precision):
            time = arb(fmpq(t.numerator, t.denominator))
            return Margins(tuple(tuple(row) for row in self._rows(self.motion.features(time), time)))

    def slope(self, t: arb) -> arb:
        """Enclose the derivative of ``Phi(U(t), V(t))`` by t over a ball of times.

        Guarantee: contains the derivative for every time in the ball ``t``.
        """
        with working_precision(self.motion.precision):
            psi, drift = self.motion.jets(t)
            margins, carried = self._rows(psi, t), self._rows(drift, t)
            turning = self._rows(psi, None)
            total = arb(0)
            for m, a, b, count in zip(self._shifted(margins), turning, carried, self.multiplicities, strict=True):
                total -= count * sum((p * (x + y) for p, x, y in zip(_softmax(m), a, b, strict=True)), arb(0))
            return total / sum(self.multiplicities)

    def loss_on(self, t0: Fraction, t1: Fraction) -> arb:
        r"""Enclose Phi at all times of an interval by its centred form: sharper than `loss` by an order.

        Guarantee: contains ``Phi(U(t), V(t))`` for every t0 <= t <= t1, or is not finite. With the middle time c, the
        margins m(c) and a ball S that contains ``(m(t) - m(c)) / (t - c)`` for all t, the mean value theorem on the
        straight way from m(c) to m(t) gives

        .. math:: \Phi(t) - \Phi(c) = -\frac{t - c}{n} \sum_i \mathrm{mult}_i \sum_{k \ne y_i} p_{ik}\, S_{ik},

        with p at margins of the box, which is convex. The slopes of the samples cancel before they are widened.
        """
        with working_precision(self.motion.precision):
            low, high = (arb(fmpq(t.numerator, t.denominator)) for t in (t0, t1))
            middle = (low + high) / 2
            whole = low.union(high)
            reach = whole - middle
            centre = self._shifted(self._rows(self.motion.features(middle), middle))
            psi, drift = self.motion.jets(whole)
            plain = self._shifted(self._rows(psi, whole))
            turning, carried = self._rows(psi, None), self._rows(drift, whole)
            box, slope = [], arb(0)
            for m, rough, a, b, count in zip(centre, plain, turning, carried, self.multiplicities, strict=True):
                rates = [x + y for x, y in zip(a, b, strict=True)]
                narrow = [common(x + reach * r, y) for x, r, y in zip(m, rates, rough, strict=True)]
                box.append(narrow)
                slope -= count * sum((p * r for p, r in zip(softmax_weights(narrow), rates, strict=True)), arb(0))
            centred = cross_entropy(centre, self.multiplicities) + reach * slope / sum(self.multiplicities)
            return common(centred, cross_entropy(box, self.multiplicities))

    def decreases(self, pieces: int) -> bool:
        """Whether E1's inequality is proved on ``pieces`` equal pieces, each in one of `ways`.

        Guarantee: True implies ``dPhi/dt < 0`` for all t in [0, 1].
        """
        found = self.ways(pieces)
        return all(any(way.slope(t) < 0 for way in found) for t in covering(pieces, self.motion.precision))

    def stays_below(self, bound: arb, pieces: int) -> bool:
        """Whether E3's inequality is proved on ``pieces`` equal pieces, each in one of `ways`.

        Guarantee: True implies ``Phi(U(t), V(t)) <= bound`` for all t in [0, 1].
        """
        found = self.ways(pieces)
        return all(any(way.loss(t) <= bound for way in found) for t in covering(pieces, self.motion.precision))

    def ways(self, pieces: int) -> list[WeightSegment]:
        """How each of so many pieces may be enclosed, the cheap way first: what the checker tries as well."""
        plain = self.motion.network.layered is not None or pieces > NARROWED
        orders = ORDERS[:1] if plain else ORDERS
        return [replace(self, motion=replace(self.motion, order=order)) for order in orders]

    def _shifted(self, rows: Rows) -> Rows:
        """Add the margins of the frozen logits, which do not move."""
        added = offset_margins(self.offset, self.labels)
        if added is None:
            return rows
        return [[a + k for a, k in zip(mine, others, strict=True)] for mine, others in zip(rows, added, strict=True)]

    def _rows(self, psi: Rows, t: arb | None) -> Rows:
        """``sum_j Psi_ij (V_{j,y} - V_jk)`` for the k != y of every sample, with V(t), or with V' if t is None."""
        classes = self.start.shape[1]
        out: list[list[arb]] = [[] for _ in psi]
        for y in np.unique(self.labels).tolist():
            others = [k for k in range(classes) if k != y]
            first, last = label_differences(self.start, y, others), label_differences(self.end, y, others)
            matrix = last - first if t is None else first + (last - first) * t
            members = np.flatnonzero(self.labels == y).tolist()
            product = (arb_mat([psi[i] for i in members]) * matrix).tolist()
            for i, row in zip(members, product, strict=True):
                out[i] = row
        return out


def common(a: arb, b: arb) -> arb:
    """Narrow two enclosures of the same numbers to one.

    Guarantee: contains every number that lies in both balls; a ball that is not finite says nothing.

    Parameters
    ----------
    a, b : arb
        Enclosures of the same numbers.

    Returns
    -------
    arb
        What both allow.
    """
    if not a.is_finite() or not b.is_finite():
        return b if b.is_finite() else a
    return a.intersection(b)


def label_differences(weights: Array, y: int, others: Sequence[int]) -> arb_mat:
    """Columns ``V_y - V_k`` of exact weights, as balls.

    Guarantee: every ball contains the exact difference.

    Parameters
    ----------
    weights : ndarray of shape (M, m)
        V, exact.
    y : int
        A class.
    others : sequence of int
        The other classes, in the order of the columns.

    Returns
    -------
    arb_mat of shape (M, len(others))
        The differences.
    """
    rows = [[arb(v) for v in row] for row in weights.tolist()]
    return arb_mat([[row[y] - row[k] for k in others] for row in rows])


def _softmax(margins: Sequence[arb]) -> list[arb]:
    """``p_k = 1 / (exp(m_k) + sum_j exp(m_k - m_j))``: no overflow for large margins of either sign."""
    weights = []
    for k, own in enumerate(margins):
        total = own.exp() + 1
        for j, other in enumerate(margins):
            if j != k:
                total += (own - other).exp()
        weights.append(1 / total)
    return weights


def covering(pieces: int, precision: int) -> list[arb]:
    """Balls around equal pieces of [0, 1].

    Parameters
    ----------
    pieces, precision
        How many, and with how many bits.

    Returns
    -------
    list of arb
        Guarantee: every t in [0, 1] lies in one of them.
    """
    with working_precision(precision):
        ends = [arb(k) / pieces for k in range(pieces + 1)]
        return [a.union(b) for a, b in itertools.pairwise(ends)]
