r"""MC.line: how high the loss rises on the straight line of ALL weights between two networks, from both sides.

On ``(U, V)(t) = (1 - t) (U_A, V_A) + t (U_B, V_B)`` the loss is enclosed at one time, where floating point finds it
largest: a lower bound of its maximum. On pieces that cover [0, 1] its centred form gives upper bounds; the pieces with
the largest ones are halved until the two sides agree. The *barrier* is the maximum minus the larger end value. Labels
may conflict, and there may be frozen logits: nothing is asked of the loss but its value.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.data.dataset import Dataset, IntArray
from verifier.display import Card, Decided, Shown, count
from verifier.landscape.approx_loss import Point, approx_losses_on_line
from verifier.landscape.leg_margins import LegMargins
from verifier.network.network import Array, Network
from verifier.verdict import Verdict

WIDTH = 0.02
"""Both sides of the barrier agree to this relative width, unless they run out of pieces."""
LOW = 0.125
"""A barrier below this share of the largest loss counts as that large: its relative width costs too many pieces."""
MOST = 512
"""Pieces at most."""
GRID = 65
"""Times at which the loss is sampled in floating point."""
ZOOM, ROUNDS = 9, 3
"""Times of a finer grid around the best one, and how often that is refined."""
SECONDS = 60.0
"""After so long no piece is halved any more."""
ROOM = 0.5
"""Share of a piece's width that its upper bound gets on top: a checker's own may be wider by so much."""
ROUNDING = 2.0**-30
"""What bounds at one time get on both sides, relatively: far more than the rounding of an independent evaluation."""
PRECISION = 64
"""Bits with which a checker is to evaluate."""

WIDE = "; both sides are still far apart, and no certificate claims them"
"""What is said of bounds that do not agree as was asked."""

Bounds = tuple[float, float]
"""A lower and an upper bound."""


class LossOnLine(Protocol):
    """What bounds the loss on a part of the line."""

    def __call__(self, t0: Fraction, t1: Fraction, /) -> Bounds:
        """Bounds of the loss that hold for every time of ``[t0, t1]``, -inf or inf where nothing is known."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LineBarrier(Decided, Shown):
    """The largest loss on the straight line of all weights, from both sides.

    Guarantee: PROVED implies that the loss at ``time`` is at least ``loss_lower``, that it is at most ``loss_upper`` at
    every time of [0, 1], and that the end losses lie in their bounds.

    Parameters
    ----------
    verdict, reason
        UNDECIDED where on some piece no finite bound was found.
    start, end
        The two points, U of shape ``(p,)`` and V of shape ``(M, m)``.
    time
        Where the lower bound is attained.
    loss_lower, loss_upper
        Bounds of the maximum.
    start_loss, end_loss
        Bounds of the loss at both ends.
    pieces
        The breakpoints 0 = t_0 < .. < t_K = 1, dyadic numbers.
    bounds
        The loss's lower and upper bound on each of the K pieces.
    agreed
        Whether both sides agree as was asked; if not, pieces are so long that a checker may bound nothing on them.
    precision
        Bits with which a checker is to evaluate.
    seconds
        What it took.
    """

    verdict: Verdict
    reason: str
    start: Point
    end: Point
    time: Fraction
    loss_lower: Dyadic
    loss_upper: Dyadic
    start_loss: tuple[Dyadic, Dyadic]
    end_loss: tuple[Dyadic, Dyadic]
    pieces: tuple[Fraction, ...]
    bounds: tuple[Bounds, ...]
    agreed: bool = True
    precision: int = PRECISION
    seconds: float = 0.0

    @property
    def start_weights(self) -> ExactArray:
        """The output weights V_A at the start of the line, (M, m), exact."""
        return ExactArray.of_floats(self.start[1])

    @property
    def end_weights(self) -> ExactArray:
        """The output weights V_B at the end of the line, (M, m), exact."""
        return ExactArray.of_floats(self.end[1])

    @property
    def lower(self) -> Fraction:
        """A lower bound of the barrier: at least 0, as the ends are on the line."""
        ends = max(self.start_loss[1].fraction(), self.end_loss[1].fraction())
        return max(Fraction(0), self.loss_lower.fraction() - ends)

    @property
    def upper(self) -> Fraction:
        """An upper bound of the barrier."""
        ends = max(self.start_loss[0].fraction(), self.end_loss[0].fraction())
        return max(Fraction(0), self.loss_upper.fraction() - ends)

    @property
    def words(self) -> str:
        """The barrier in one sentence."""
        if not self.proved:
            return f"the barrier of the straight line of all weights is not bounded: {self.reason}"
        return (
            f"the straight line of all weights has a barrier of at least {at_least(self.lower)} and at most "
            f"{at_most(self.upper)}: the larger end loss is at most {at_most(self._largest_end)}, the largest loss on "
            f"the line at least {at_least(self.loss_lower)} (at t = {float(self.time):.4g}) and at most "
            f"{at_most(self.loss_upper)}" + ("" if self.agreed else WIDE)
        )

    @property
    def _largest_end(self) -> Fraction:
        return max(self.start_loss[1].fraction(), self.end_loss[1].fraction())

    def _card(self) -> Card:
        values: tuple[tuple[str, str], ...] = ()
        if self.proved:
            ends = [f"in [{at_least(low)}, {at_most(high)}]" for low, high in (self.start_loss, self.end_loss)]
            values = (
                ("barrier", f"in [{at_least(self.lower)}, {at_most(self.upper)}]"),
                ("largest loss", f"in [{at_least(self.loss_lower)}, {at_most(self.loss_upper)}]"),
                ("start loss", ends[0]),
                ("end loss", ends[1]),
                ("pieces", str(len(self.bounds))),
            )
        return Card("The straight line of all weights (MC.line)", str(self.verdict), self.words, values)


def bound_line_barrier(
    network: Network,
    start: Point,
    end: Point,
    data: Dataset,
    loss: LossOnLine,
    *,
    width: float = WIDTH,
    most: int = MOST,
    seconds: float = SECONDS,
    stage: Callable[[str], None] | None = None,
) -> LineBarrier:
    """Bound the largest loss on the straight line of all weights, from both sides.

    Parameters
    ----------
    network, start, end
        The line.
    data
        Labelled samples, see `with_labels`; here only to find where the loss is largest, in floating point.
    loss
        What bounds the loss, rigorously, on parts of the line.
    width
        The relative width of the barrier's bounds at which no piece is halved any more.
    most
        How many pieces are allowed.
    seconds
        After how long no piece is halved any more.
    stage
        Told how far it is.

    Returns
    -------
    LineBarrier
        Guarantee: that of `LineBarrier`, if ``loss`` keeps its own.
    """
    began = time.perf_counter()
    zero, one = Fraction(0), Fraction(1)
    ends = [_outward(loss(t, t)) for t in (zero, one)]
    peak = Fraction(_approx_peak(network, start, end, data))
    sampled = {t: _outward(loss(t, t))[0] for t in (zero, one, peak)}
    peak = max(sampled, key=sampled.__getitem__)
    lower = sampled[peak]
    queue: list[tuple[float, Fraction, Fraction, Bounds]] = []

    def add(t0: Fraction, t1: Fraction) -> None:
        bounds = _roomy(loss(t0, t1))
        heapq.heappush(queue, (-bounds[1], t0, t1, bounds))

    add(zero, one)
    goal = lower + width * max(lower - max(high for _, high in ends), LOW * lower)
    while -queue[0][0] > goal and len(queue) < most and time.perf_counter() < began + seconds:
        _, t0, t1, _ = heapq.heappop(queue)
        middle = (t0 + t1) / 2
        add(t0, middle)
        add(middle, t1)
        if stage is not None:
            stage(f"straight line: {count(len(queue), 'piece')}, the loss is at most {at_most(-queue[0][0], 3)}")
    upper, worst = -queue[0][0], queue[0]
    pieces = sorted(queue, key=lambda piece: piece[1])
    known = all(math.isfinite(bound) for bound in (lower, upper, *ends[0], *ends[1]))
    return LineBarrier(
        verdict=Verdict.PROVED if known else Verdict.UNDECIDED,
        reason=count(len(pieces), "piece") if known else _why(worst, len(pieces)),
        start=start,
        end=end,
        time=peak,
        loss_lower=_dyadic(lower),
        loss_upper=_dyadic(upper),
        start_loss=(_dyadic(ends[0][0]), _dyadic(ends[0][1])),
        end_loss=(_dyadic(ends[1][0]), _dyadic(ends[1][1])),
        pieces=(*(piece[1] for piece in pieces), one),
        bounds=tuple(piece[3] for piece in pieces),
        agreed=upper <= goal,
        seconds=time.perf_counter() - began,
    )


def loss_of_leg(leg: LegMargins, start: Array, end: Array, data: Dataset) -> LossOnLine:
    """Bound the loss on a leg of U along which V moves straight from ``start`` to ``end``, both ``(M, m)``.

    Guarantee: the two numbers bound the loss at all times of an interval; (-inf, inf) where nothing is known.

    Parameters
    ----------
    leg
        U's leg, on the samples and labels of ``data``.
    start, end
        Output weights at both ends.
    data
        Labelled samples, see `with_labels`; multiplicities and frozen logits count.

    Returns
    -------
    callable
        From two times of an interval to two bounds of the loss on it.
    """
    counts: list[int] = data.multiplicities.tolist()
    return lambda t0, t1: leg.interval(t0, t1).loss_bounds(start, end, counts, data.offset)


def with_labels(rows: Dataset, label_counts: IntArray | None) -> Dataset:
    """Give every row one label: a row whose labels conflict becomes one row for each label that occurs.

    Parameters
    ----------
    rows
        The rows of Psi, ``(N, d)``.
    label_counts
        How often each of the m labels occurs, ``(N, m)``; needed where the rows have no labels.

    Returns
    -------
    Dataset
        With labels and the same cross-entropy at every point.
    """
    if rows.labels is not None or label_counts is None:
        return rows
    which, labels = np.nonzero(label_counts)
    return replace(
        rows,
        inputs=rows.inputs[which],
        labels=labels.astype(np.int64),
        multiplicities=label_counts[which, labels],
        offset=None if rows.offset is None else rows.offset[which],
    )


def _approx_peak(network: Network, start: Point, end: Point, data: Dataset) -> float:
    """The time at which floating point finds the largest loss."""
    low, high, points, best = 0.0, 1.0, GRID, 0.0
    for _ in range(ROUNDS):
        times: Array = np.linspace(low, high, points)
        losses = approx_losses_on_line(network, start, end, data, times)
        best = float(times[int(np.argmax(np.nan_to_num(losses, nan=-np.inf, posinf=-np.inf)))])
        step = (high - low) / (points - 1)
        low, high, points = max(best - step, 0.0), min(best + step, 1.0), ZOOM
    return best


def _outward(bounds: Bounds) -> Bounds:
    """Bounds at one time, which an independent evaluation reaches."""
    low, high = bounds
    return max(low * (1 - ROUNDING), 0.0) if math.isfinite(low) else low, high * (1 + ROUNDING)


def _roomy(bounds: Bounds) -> Bounds:
    """Bounds on a piece, which an independent enclosure reaches; never NaN."""
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high)):
        return -math.inf, math.inf
    return max(low, 0.0), high + ROOM * (high - low) + ROUNDING * abs(high)


def _dyadic(bound: float) -> Dyadic:
    """A bound as an exact number; where none is known the verdict says so."""
    return Dyadic.of_float(bound if math.isfinite(bound) else 0.0)


def _why(worst: tuple[float, Fraction, Fraction, Bounds], pieces: int) -> str:
    _, t0, t1, _ = worst
    return (
        f"no finite bound of the loss was found for t from {float(t0):.6g} to {float(t1):.6g} with {pieces} pieces: "
        "a node may be undefined on the way, or its slope not bounded, as that of a root at 0, or its values overflow"
    )
