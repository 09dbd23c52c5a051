"""What the attempts to escape from a start have in common: the start, a budget of work, and P1 from where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import Margins, enclose_margins
from verifier.balls.motion import Motion, ball_work
from verifier.landscape.path import Path
from verifier.landscape.segment import NARROWED, WeightSegment
from verifier.landscape.straight_path import segment_and_ray
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.flags import flags_of
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network, ParameterView
from verifier.rank.certify import Stage, prove_rank

PIECES = (1, 4, 16, 64)
"""How many equal pieces of the time interval are tried."""
ROOM, ROOM_WORK = 32, 1e8
"""A certificate states up to this many times as many pieces, as far as this work allows: an independent program's
enclosures may be wider.
"""
WORK_LIMIT = 2e9
"""Ball multiply-adds that the certification of one moving piece may cost."""
BUDGET = 6e9
"""The same for all attempts of one start together, some two minutes: what is left undecided then is said to be so."""
PLAIN_WORK, NARROWED_WORK = 1.5, 16.0
"""What the derivative costs in a graph, in evaluations of its values; and what narrowed jets cost, in derivatives."""
SPENT = "the budget for escapes at this size is spent"
END_WORK, END_LOGIT_WORK = 150, 80
"""Work for one feature, and for one with one class, where an attempt ends."""
SMALLEST_STEPS = 14
"""How often a step is halved before an attempt is given up; its unit is a step of relative size one."""
WANDERING = 2_000_003
"""Stream of the random directions."""


@dataclass(frozen=True)
class Start:
    """The start of an escape and everything that belongs to the problem.

    Parameters
    ----------
    network, u, v
        U of shape ``(p,)`` and V of shape ``(M, m)``, taken as exact.
    inputs, labels, counts
        Distinct samples ``(N, d)``, true classes ``(N,)``, how often each sample counts ``(N,)``.
    rise
        What E3 may rise above the start's loss.
    targets
        Losses to be reached, as decimal text.
    max_bits, stage, seed
        Last precision of the path after the escape, progress display, seed of the random moves.
    offset
        Frozen logits ``(N, m)`` that are added to Psi V; None: none.
    """

    network: Network
    u: Array
    v: Array
    inputs: Array
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    rise: Dyadic
    targets: Sequence[str]
    max_bits: int
    stage: Stage
    seed: int
    offset: Array | None = None
    spent: list[float] = field(default_factory=list)

    def afford(self, work: float) -> bool:
        """Whether the budget allows so much more work; it counts as spent."""
        self.spent.append(work)
        return sum(self.spent) <= BUDGET

    @property
    def weights(self) -> ExactArray:
        """The output weights V as exact numbers, shape ``(M, m)``."""
        return ExactArray.of_floats(self.v)

    def origin(self, bits: int) -> Margins:
        """Margins of Psi V at the start, at a precision of so many bits."""
        features = FeatureEnclosure(self.network, self.u, self.inputs, bits)
        return enclose_margins(features, [self.weights], self.labels)[0]

    def moving(self, end_u: Array, end_v: Array) -> WeightSegment:
        """The straight way from the start to another point."""
        motion = Motion(self.network, self.u, end_u, self.inputs, FIRST_BITS)
        return WeightSegment(motion, self.v, end_v, self.labels, self.counts.tolist(), self.offset)

    @property
    def work(self) -> float:
        """Ball multiply-adds of one plain evaluation along a segment."""
        if self.network.layered is None:
            return PLAIN_WORK * len(self.inputs) * ball_work(self.network)
        arcs = sum(view.spec.size for view in self.network.parameters)
        return 3.0 * len(self.inputs) * (arcs + 100 * self.network.skip_count)

    def work_of(self, pieces: int) -> float:
        """Ball multiply-adds of all evaluations on so many pieces."""
        narrowed = self.network.layered is None and pieces <= NARROWED
        return pieces * self.work * (NARROWED_WORK if narrowed else 1.0)

    @property
    def too_large(self) -> bool:
        """Whether even one evaluation along a segment is beyond the limit for one way."""
        return self.work_of(1) > WORK_LIMIT

    def pieces_that_prove(self, holds: Callable[[int], bool], most: int = PIECES[-1]) -> int | None:
        """The smallest number of equal pieces of a way, up to ``most``, on each of which an inequality is proved."""
        for pieces in PIECES:
            work = self.work_of(pieces)
            if pieces <= most and work <= WORK_LIMIT and self.afford(work) and holds(pieces):
                return pieces
        return None

    def with_room(self, pieces: int) -> int:
        """How many pieces a certificate states where so many suffice here; narrowed jets take the checker long."""
        if self.network.layered is None:
            return 2 * pieces
        return pieces * int(min(max(ROOM_WORK / (pieces * self.work), 2), ROOM))

    def direction(self, *stream: int) -> Array:
        """A random direction in U; a layer's units get their numbers by their weights and not by their order."""
        drawn = portable_gaussian(self.seed, (WANDERING, *stream), len(self.u))
        direction = np.empty_like(drawn)
        groups: dict[tuple[int, int], list[ParameterView]] = {}
        for view in self.network.parameters:
            groups.setdefault((view.block, _rows(view)), []).append(view)
        for (_, count), views in groups.items():
            rows = np.hstack([view.of(self.u).reshape(count, -1) for view in views])
            order = np.lexsort(rows.T[::-1])
            for view in views:
                view.of(direction).reshape(count, -1)[order] = view.of(drawn).reshape(count, -1)
        return direction


def _rows(view: ParameterView) -> int:
    """How many units a parameter has numbers for: its first axis, or one."""
    return view.spec.shape[0] if view.spec.shape else 1


def not_analytic(network: Network) -> str | None:
    """Why Psi is not proved to be real analytic in U, None if it is.

    Guarantee: None only if every node is proved to be real analytic in U on R^p.
    """
    obstacles = flags_of(network).obstacles
    return obstacles[0].words if obstacles else None


def descend_from(start: Start, end_u: Array, end_weights: ExactArray, *, kept: bool) -> Path | str:
    """P1 from where an escape ends, or why there is none.

    Parameters
    ----------
    start
        Where the escape began.
    end_u, end_weights
        Where it ends: U of shape ``(p,)``, V of shape ``(M, m)``.
    kept
        Whether the escape kept the start's margins (E2, E4).

    Returns
    -------
    Path or str
        Guarantee: a path satisfies every obligation of P1, and its start loss bounds the loss at ``start``.
    """
    classes = start.v.shape[1]
    entries = len(start.inputs) * start.network.skip_count
    if not start.afford(entries * (END_WORK + END_LOGIT_WORK * classes)):
        return SPENT
    features = FeatureEnclosure(start.network, end_u, start.inputs, FIRST_BITS, offset=start.offset)
    rank, enclosure = prove_rank(features, max_bits=start.max_bits, stage=start.stage)
    zero = prove_zero_loss(
        enclosure if isinstance(enclosure, FeatureEnclosure) else features,
        start.labels,
        classes,
        witness=rank.witness,
        max_bits=start.max_bits,
        stage=start.stage,
        refute=False,
    )
    if zero.weights is None or zero.gamma is None or not isinstance(zero.features, FeatureEnclosure):
        return "at its end no output weights with certified positive margins were found"
    bits = zero.precision
    while bits <= start.max_bits:
        here = FeatureEnclosure(start.network, end_u, start.inputs, bits, offset=start.offset)
        origin = start.origin(bits)
        if kept:
            begin, (end,) = origin, enclose_margins(here, [zero.weights], start.labels)
        else:
            begin, end = enclose_margins(here, [end_weights, zero.weights], start.labels)
        path = segment_and_ray(
            here,
            start.labels,
            zero.weights,
            end_weights,
            begin,
            end,
            zero.gamma,
            start.counts.tolist(),
            start.targets,
            origin=origin,
        )
        if path is not None:
            return path
        bits *= 2
    return "the margins at its end are not decided; raise max_bits"
