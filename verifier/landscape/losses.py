r"""The convex losses: value, left derivative, infimum, and their enclosures on a segment of output weights.

With ``G = Psi V``, true class y and ``m_k = G_y - G_k``:

================  ==================================================================================
cross-entropy     ``log(1 + sum_{k != y} exp(-m_k))``
squared           ``1/2 sum_k (G_k - onehot_k)^2``
one-vs-rest       ``log(1 + exp(-G_y)) + sum_{k != y} log(1 + exp(G_k))``
weston-watkins    ``sum_{k != y} max(0, 1 - m_k)``
crammer-singer    ``max(0, max_{k != y} (1 - m_k))``
================  ==================================================================================

``Phi = (1/n) sum_i sum_y c_iy w_y l_y(G_i)``, c the label counts (equal samples may have different labels: X1), w
positive class weights. Over all logits the infimum of a sample with the weights ``a_y = c_y w_y``, ``A = sum a``, is 0
if only one of them is not 0, else ``sum a log(A/a)`` for cross-entropy (Gibbs), ``sum a log(A/a) + (A-a) log(A/(A-a))``
for one-vs-rest (Gibbs per class), ``sum a (A - a) / 2A`` for the squared loss (the mean is best). Full row rank makes
every matrix of logits a ``Psi V``; then the infimum over V is the same.

The margins of a sample, where labels agree, are the ``m_k``; for one-vs-rest ``G_y`` and the ``-G_k``, k != y; the
squared loss has none. If all are at least gamma > 0 at ``V1``, the loss never increases along ``t V1``, t >= 1, and
tends to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from flint import arb, arb_mat, fmpz
from numpy.typing import NDArray

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.network.network import Array
from verifier.rank.right_inverse import ENCLOSURE_SLACK

Row = Sequence[arb]


@dataclass(frozen=True, slots=True)
class LossFunction:
    """One loss of a sample, convex in its logits G.

    Parameters
    ----------
    name
        As users write it.
    value_and_slope
        From logits, direction and true class: see `loss_and_slope`.
    infimum
        Encloses the infimum over all logits where labels conflict, from the weights ``a_y``; None where no more is
        known than that it is not below 0.
    margins
        From logits and true class: where all are positive at V1, the loss tends to 0 along ``t V1`` if it ``decays``.
    margin_words
        What the margins are, for people.
    decays
        False for a loss that grows again beyond its minimum.
    best_logits
        From the shares ``a_y / A`` of each sample, ``(N, m)``, floating-point logits of nearly least loss; those that
        should be infinite are at most the second argument in size. Not rigorous.
    """

    name: str
    value_and_slope: Callable[[Row, Row, int], tuple[arb, arb]]
    infimum: Callable[[Row], arb] | None
    margins: Callable[[Row, int], list[arb]]
    margin_words: str
    decays: bool
    best_logits: Callable[[Array, float], Array]


def _cross_entropy(g: Row, d: Row, label: int) -> tuple[arb, arb]:
    weight, slope = arb(0), arb(0)
    for k in range(len(g)):
        if k != label:
            p = (g[k] - g[label]).exp()
            weight, slope = weight + p, slope + p * (d[k] - d[label])
    return weight.log1p(), slope / (1 + weight)


def _squared(g: Row, d: Row, label: int) -> tuple[arb, arb]:
    value, slope = arb(0), arb(0)
    for k, (x, change) in enumerate(zip(g, d, strict=True)):
        rest = x - int(k == label)
        value, slope = value + rest * rest / 2, slope + rest * change
    return value, slope


def _one_vs_rest(g: Row, d: Row, label: int) -> tuple[arb, arb]:
    value, slope = arb(0), arb(0)
    for k, (x, change) in enumerate(zip(g, d, strict=True)):
        sign = -1 if k == label else 1
        value += (sign * x).exp().log1p()
        slope += sign * change / (1 + (-sign * x).exp())
    return value, slope


def _weston_watkins(g: Row, d: Row, label: int) -> tuple[arb, arb]:
    value, slope = arb(0), arb(0)
    for line in _lines(g, d, label):
        highest, steepest = _upper_envelope([line])
        value, slope = value + highest, slope + steepest
    return value, slope


def _crammer_singer(g: Row, d: Row, label: int) -> tuple[arb, arb]:
    return _upper_envelope(_lines(g, d, label))


def _lines(g: Row, d: Row, label: int) -> list[tuple[arb, arb]]:
    """The hinges ``1 - m_k`` and their slopes in the direction d, k != label."""
    return [(1 + g[k] - g[label], d[k] - d[label]) for k in range(len(g)) if k != label]


def _upper_envelope(lines: Sequence[tuple[arb, arb]]) -> tuple[arb, arb]:
    """Enclose ``max(0, lines)`` at 0 and bound its left derivative."""
    highest = arb(0)
    for value, _ in lines:
        highest = highest.max(value)
    active = [slope for value, slope in lines if not value < highest]
    if not any(value > 0 for value, _ in lines):
        active.append(arb(0))
    if all(value <= 0 for value, _ in lines):  # 0 attains the maximum, so no larger slope is the least one
        return highest, arb(0)
    steepest = active[0]
    for slope in active[1:]:
        steepest = steepest.max(slope)
    return highest, steepest


def _entropy(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((a * (total / a).log() for a in weights), arb(0))


def _entropies(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((_entropy([a, total - a]) for a in weights), arb(0))


def _least_squares(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((a * (total - a) for a in weights), arb(0)) / (2 * total)


def differences(g: Row, label: int) -> list[arb]:
    """The margins ``G_y - G_k``, k != y.

    Guarantee: every ball contains the margins of all logits in their balls.

    Parameters
    ----------
    g : list of m arb
        The logits of one sample.
    label : int
        Its class y.

    Returns
    -------
    list of m - 1 arb
        The margins.
    """
    return [g[label] - x for k, x in enumerate(g) if k != label]


def _signed(g: Row, label: int) -> list[arb]:
    """The margins of one-vs-rest: ``-G_k``, k != y, and ``G_y``."""
    return [*(-x for k, x in enumerate(g) if k != label), g[label]]


def _log_shares(share: Array, far: float) -> Array:
    floored: Array = np.maximum(np.log(share), -far)
    return floored


def _log_odds(share: Array, far: float) -> Array:
    clipped: Array = np.clip(np.log(share) - np.log1p(-share), -far, far)
    return clipped


def _label_shares(share: Array, far: float) -> Array:
    return share


def _twice_label_shares(share: Array, far: float) -> Array:
    return 2.0 * share


FUNCTIONS = {
    function.name: function
    for function in (
        LossFunction("cross-entropy", _cross_entropy, _entropy, differences, "margins", True, _log_shares),
        LossFunction("squared", _squared, _least_squares, differences, "margins", False, _label_shares),
        LossFunction("weston-watkins", _weston_watkins, None, differences, "margins", True, _twice_label_shares),
        LossFunction("crammer-singer", _crammer_singer, None, differences, "margins", True, _twice_label_shares),
        LossFunction("one-vs-rest", _one_vs_rest, _entropies, _signed, "G_y and -G_k", True, _log_odds),
    )
}
LOSSES = tuple(FUNCTIONS)
HINGES = tuple(name for name, function in FUNCTIONS.items() if function.infimum is None)


def loss_and_slope(name: str, g: Row, d: Row, label: int) -> tuple[arb, arb]:
    """Enclose one sample's loss at logits g, and bound its left derivative in the direction d.

    Parameters
    ----------
    name
        One of `LOSSES`.
    g, d
        Logits and direction, m balls each.
    label
        The true class.

    Returns
    -------
    tuple of arb
        Guarantee: the first ball contains the loss for all logits in their balls; the upper end of the second is at
        least the derivative from the left, at 0, of ``t -> l(g + t d)``, for all g, d in their balls.

    Notes
    -----
    For smooth losses it is ``<grad l, d>``. A maximum of affine functions has as left derivative the least slope among
    those that attain it; it is at most the largest slope of those that may attain it.
    """
    return FUNCTIONS[name].value_and_slope(g, d, label)


@dataclass(frozen=True, slots=True)
class LabelledLoss:
    """A loss with its data: label counts ``(N, m)`` and class weights ``(m,)``."""

    name: str
    counts: NDArray[np.int64]
    factors: tuple[Dyadic, ...]

    @property
    def function(self) -> LossFunction:
        """What the loss of one sample is."""
        return FUNCTIONS[self.name]

    @property
    def agree(self) -> bool:
        """Whether every sample has labels of one class only."""
        return bool(((self.counts > 0).sum(axis=1) == 1).all())

    @property
    def exact(self) -> bool:
        """Whether `infimum` is the infimum, and not only a lower bound."""
        return self.agree or self.function.infimum is not None

    @property
    def total(self) -> int:
        """n, the number of samples with multiplicity."""
        return sum(self.counts.ravel().tolist())

    def weights(self, sample: int) -> list[tuple[int, arb]]:
        """Give the classes y that occur for a sample, with ``c_y w_y``."""
        counts = self.counts[sample].tolist()
        return [(y, c * self.factors[y].arb()) for y, c in enumerate(counts) if c]

    def part(self, sample: int, g: Row, d: Row) -> tuple[arb, arb]:
        """Enclose a sample's share of n Phi at logits g, and bound that of its left derivative in the direction d.

        Guarantee: see `loss_and_slope`.
        """
        value, slope = arb(0), arb(0)
        for y, weight in self.weights(sample):
            own, change = loss_and_slope(self.name, g, d, y)
            value, slope = value + weight * own, slope + weight * change
        return value, slope

    def margins(self, sample: int, g: Row) -> list[arb]:
        """Enclose the sample's margins, of every label that it has."""
        return [x for y, _ in self.weights(sample) for x in self.function.margins(g, y)]

    def infimum(self) -> arb:
        """Enclose the infimum over all logits, or for conflicting labels under a hinge loss a lower bound of it.

        Guarantee: see the module; exactly 0 if labels agree.
        """
        least = self.function.infimum
        if self.agree or least is None:
            return arb(0)
        total = arb(0)
        for sample in np.flatnonzero((self.counts > 0).sum(axis=1) > 1).tolist():
            total += least([weight for _, weight in self.weights(sample)])
        return total / self.total


@dataclass(frozen=True, slots=True)
class Segment:
    """Enclosures of the loss at both ends, of a bound of the left derivative at the end, and of the least margin there.

    For one-vs-rest the margin is the smallest of ``G_y`` and ``-G_k``.
    """

    start: arb
    end: arb
    slope: arb
    margin: arb


class SampledLoss(Protocol):
    """What a segment is enclosed for: a loss with its labels, or with its targets (`TargetLoss`)."""

    @property
    def total(self) -> int:
        """n, the number of samples with multiplicity."""

    def part(self, sample: int, g: Row, d: Row) -> tuple[arb, arb]:
        """Enclose a sample's share of n Phi at logits g, and bound that of its left derivative in the direction d."""

    def margins(self, sample: int, g: Row) -> list[arb]:
        """Enclose the margins of one sample from its logits g, (m,)."""


def enclose_segment(
    features: FeatureEnclosure, loss: SampledLoss, start: ExactArray, end: ExactArray, room: int = ENCLOSURE_SLACK
) -> Segment:
    """Enclose losses, slope and margin of a segment.

    Parameters
    ----------
    features, loss
        Enclosure of Psi(U), ``(N, M)``, and the loss with its data.
    start, end
        V0 and V1, exact, ``(M, m)``.
    room
        All radii of the logits are taken so many times, so that an independent program with somewhat wider enclosures
        agrees.

    Returns
    -------
    Segment
        Guarantee: see `Segment`. ``D = Psi (V1 - V0)`` is made from the exact difference.
    """
    classes, total = end.shape[1], loss.total
    joined = _side_by_side(start, end)
    first, last, slope, margin = arb(0), arb(0), arb(0), arb("inf")
    for rows, block in features.blocks():
        with working_precision(features.precision):
            for offset, line in enumerate((block * joined).tolist()):
                wide = [arb(x.mid(), room * x.rad()) for x in line]
                g0, g1, d = (wide[part * classes : (part + 1) * classes] for part in range(3))
                first += loss.part(rows.start + offset, g0, g0)[0]
                value, change = loss.part(rows.start + offset, g1, d)
                last, slope = last + value, slope + change
                for x in loss.margins(rows.start + offset, g1):
                    margin = margin.min(x)
    with working_precision(features.precision):
        return Segment(first / total, last / total, slope / total, margin)


def _side_by_side(start: ExactArray, end: ExactArray) -> arb_mat:
    """Give ``[V0 | V1 | V1 - V0]`` as exact balls."""
    (first, low), (last, other) = start.integers(), end.integers()
    common, (units, classes) = min(low, other), start.shape
    first, last = [v << (low - common) for v in first], [v << (other - common) for v in last]
    rows: list[arb] = []
    for j in range(0, units * classes, classes):
        pair = first[j : j + classes], last[j : j + classes]
        entries = [*pair[0], *pair[1], *(b - a for a, b in zip(*pair, strict=True))]
        rows += [arb((fmpz(v), fmpz(common))) for v in entries]
    return arb_mat(units, 3 * classes, rows)
