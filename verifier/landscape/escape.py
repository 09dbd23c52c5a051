"""Escapes: from a start whose features do not separate the classes to a point where P1 begins, along a certified piece.

The order is E1 (descent), E2 and E4 (constant loss), E3 (below Phi + epsilon). Each piece is certified for every time
on it, not at samples; where it ends P1 takes over, with U at rest. What is claimed differs, and is always said:

* E1: the loss strictly decreases all the way from this point.
* E2: the loss is constant on the piece, then strictly decreases: non-increasing from this point.
* E4: as E2, where samples that the lower layers merge have to part first.
* E3: on the piece the loss stays below the start's loss plus epsilon, then it strictly decreases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray, about, at_most, exactly
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import Margins, enclose_margins
from verifier.balls.motion import Motion
from verifier.balls.precision import working_precision
from verifier.data.gate import binary64
from verifier.display import Decided, Facts, Shown, Table
from verifier.errors import InputError, NetworkError
from verifier.landscape.escape_constant import CARRY_BITS, Lift, constant_loss_lifts
from verifier.landscape.escape_kinds import ORDER, Escape, Label
from verifier.landscape.escape_separate import part_merged_samples
from verifier.landscape.legs import Leg, StraightLeg
from verifier.landscape.parting import PartingLeg
from verifier.landscape.path import DEFAULT_TARGETS, Path, decimal_below, segment_and_ray, stated_loss
from verifier.landscape.segment import WeightSegment
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.arguments import given_counts, given_inputs, given_labels, given_parameters
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import portable_gaussian
from verifier.network.layers import AvgPool
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, prove_rank, silent
from verifier.verdict import Verdict

DEFAULT_EPSILON = "1e-3"
MAX_BITS = 2048
"""Last precision tried for what follows an escape."""
PIECES = (1, 4, 16, 64)
"""How many equal pieces of the time interval are tried."""
ROOM, ROOM_WORK = 32, 1e8
"""A certificate states up to this many times as many pieces, as far as this work allows: an independent program's
enclosures may be wider.
"""
STATIONARY = 1e-9
"""A gradient below this multiple of its scale is not followed: nothing would be left of it in a certificate."""
WORK_LIMIT = 2e9
"""Ball multiply-adds that the certification of one moving piece may cost."""
BUDGET = 6e9
"""The same for all attempts of one start together, some two minutes: what is left undecided then is said to be so."""
SPENT = "the budget for escapes at this size is spent"
END_WORK, END_LOGIT_WORK = 150, 80
"""Work for one feature, and for one with one class, where an attempt ends."""
STEPS = 14
"""How often a step is halved."""
WANDERING = 2_000_003
"""Stream of the random directions."""


@dataclass(frozen=True, slots=True, repr=False)
class EscapeResult(Decided, Shown):
    """What was found: the escape if PROVED, else why each attempt failed."""

    verdict: Verdict
    reason: str
    attempts: tuple[str, ...]
    escape: Escape | None = None

    def _facts(self) -> Facts:
        inner = None if self.escape is None else self.escape._facts()
        values, tables = ((), ()) if inner is None else (inner.values, inner.tables)
        if self.attempts:
            tables += (Table("What was tried", ("attempt",), tuple((text,) for text in self.attempts)),)
        return Facts("A way out of the start", str(self.verdict), self.reason, values, tables)


@dataclass(frozen=True)
class _Start:
    """The start and everything that belongs to the instance."""

    network: Network
    u: Array
    v: Array
    inputs: Array
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    targets: Sequence[str]
    max_bits: int
    stage: Stage
    seed: int
    spent: list[float] = field(default_factory=list)

    def afford(self, work: float) -> bool:
        """Whether the budget allows so much more work; it counts as spent."""
        self.spent.append(work)
        return sum(self.spent) <= BUDGET

    @property
    def weights(self) -> ExactArray:
        return ExactArray.of_floats(self.v)

    def origin(self, bits: int) -> Margins:
        """Margins at the start."""
        features = FeatureEnclosure(self.network, self.u, self.inputs, bits)
        return enclose_margins(features, [self.weights], self.labels)[0]

    def moving(self, end_u: Array, end_v: Array, bits: int = FIRST_BITS) -> WeightSegment:
        motion = Motion(self.network, self.u, end_u, self.inputs, bits)
        return WeightSegment(motion, self.v, end_v, self.labels, self.counts.tolist())

    @property
    def work(self) -> float:
        """Ball multiply-adds of one evaluation along a segment."""
        arcs = sum(view.spec.size for view in self.network.parameters)
        return 3.0 * len(self.inputs) * (arcs + 100 * self.network.skip_count)

    def allows(self, pieces: int) -> bool:
        """Whether one way may be enclosed in so many pieces."""
        return pieces * self.work <= WORK_LIMIT and self.afford(pieces * self.work)

    def with_room(self, pieces: int) -> int:
        """How many pieces a certificate states where so many suffice here."""
        return pieces * int(min(max(ROOM_WORK / (pieces * self.work), 2), ROOM))


def prove_escape(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: NDArray[np.int64],
    *,
    epsilon: str = DEFAULT_EPSILON,
    targets: Sequence[str] = DEFAULT_TARGETS,
    order: Sequence[Label] = ORDER,
    max_bits: int = MAX_BITS,
    stage: Stage = silent,
    seed: int = 0,
) -> EscapeResult:
    """Certify a path to zero loss from a start where P1 cannot begin.

    Parameters
    ----------
    network, u, v
        The start: U of shape ``(p,)``, V of shape ``(M, m)``; finite, taken as exact.
    inputs, labels, multiplicities
        Distinct samples ``(N, d)``, true classes ``(N,)``, how often each sample counts ``(N,)``.
    epsilon
        Decimal text: how much E3 may rise above the start's loss.
    targets
        Losses to be reached, as decimal text.
    order
        Which escapes are tried, in this order.
    max_bits, stage, seed
        Last precision of the path after the escape, progress display, seed of the random moves.

    Returns
    -------
    EscapeResult
        Guarantee: ``PROVED`` implies `Escape.claim` for the whole continuous path, which ends in the ray of P1.
    """
    u, inputs = given_parameters(network, u), given_inputs(network, inputs)
    v = binary64(v, "v")
    if v.ndim != 2 or v.shape[0] != network.skip_count or v.shape[1] < 2:
        raise NetworkError(f"v: shape {v.shape}, expected (M, m) with M = {network.skip_count} and m >= 2")
    labels = given_labels(labels, len(inputs), v.shape[1])
    counts = np.array(given_counts(multiplicities, len(inputs)), dtype=np.int64)
    start = _Start(network, u, v, inputs, labels, counts, targets, max_bits, stage, seed)
    rise = decimal_below(epsilon)
    attempts: list[str] = []
    ways: dict[Label, Callable[[_Start], Escape | str]] = {
        "E1": _descend,
        "E2": _lift,
        "E4": _part,
        "E3": lambda s: _wander(s, rise),
    }
    smooth = all(isinstance(layer, AvgPool) or layer.activation.facts.real_analytic.holds for layer in network.layers)
    for label in order:
        found = ways[label](start) if smooth else "an activation is not proved to be analytic"
        if isinstance(found, Escape):
            return EscapeResult(Verdict.PROVED, _words(found), tuple(attempts), found)
        attempts.append(f"{label}: {found}")
    return EscapeResult(Verdict.UNDECIDED, "; ".join(attempts), tuple(attempts))


def _words(escape: Escape) -> str:
    tail = escape.tail
    ray = ", ".join(f"loss <= {target.text} from t = {at_most(target.t)}" for target in tail.targets)
    return f"{escape.sentence()}; then P1 with kappa = {exactly(tail.kappa)}; {ray}"


def _finish(start: _Start, end_u: Array, piece_weights: ExactArray, *, kept: bool) -> Path | str:
    """P1 from the end of a piece, with V there; ``kept``: the piece kept the start's margins (E2, E4)."""
    entries = len(start.inputs) * start.network.skip_count
    if not start.afford(entries * (END_WORK + END_LOGIT_WORK * start.v.shape[1])):
        return SPENT
    features = FeatureEnclosure(start.network, end_u, start.inputs, FIRST_BITS)
    rank, enclosure = prove_rank(features, max_bits=start.max_bits, stage=start.stage)
    zero = prove_zero_loss(
        enclosure if isinstance(enclosure, FeatureEnclosure) else features,
        start.labels,
        start.v.shape[1],
        witness=rank.witness,
        max_bits=start.max_bits,
        stage=start.stage,
        refute=False,
    )
    if zero.weights is None or zero.gamma is None or not isinstance(zero.features, FeatureEnclosure):
        return f"at its end the features do not separate the classes ({zero.reason})"
    bits = zero.precision
    while bits <= start.max_bits:
        here = FeatureEnclosure(start.network, end_u, start.inputs, bits)
        origin = start.origin(bits)
        if kept:
            begin, (end,) = origin, enclose_margins(here, [zero.weights], start.labels)
        else:
            begin, end = enclose_margins(here, [piece_weights, zero.weights], start.labels)
        path = segment_and_ray(
            here,
            start.labels,
            zero.weights,
            piece_weights,
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


def _direction(start: _Start, stream: tuple[int, ...]) -> Array:
    """A random direction in U; a layer's units get their numbers by their weights and not by their order."""
    drawn = portable_gaussian(start.seed, stream, len(start.u))
    direction, network = np.empty_like(drawn), start.network
    for index in range(len(network.layers)):
        views = [view for view in network.parameters if view.layer == index]
        if views:
            rows = np.hstack([view.of(start.u).reshape(len(view.of(start.u)), -1) for view in views])
            order = np.lexsort(rows.T[::-1])
            for view in views:
                view.of(direction)[order] = view.of(drawn)
    return direction


@np.errstate(all="ignore")
def _descend(start: _Start) -> Escape | str:
    """E1: along the negative gradient with a random part of U that is orthogonal to it."""
    point = approx_gradient(start.network, start.u, start.v, start.inputs, start.labels, start.counts)
    scale = point.loss / max(1.0, float(np.linalg.norm(start.v)))
    if not np.isfinite(point.norm) or not point.norm > STATIONARY * max(scale, 1e-300):
        return f"the gradient has norm about {about(point.norm, 2)}: stationary, or too nearly so to be followed"
    if start.work > WORK_LIMIT:
        return "the network is too large for enclosures of the derivative along the way"
    wander = _direction(start, (WANDERING,))
    du, dv = -point.du, -point.dv
    if np.linalg.norm(du) > 0:
        wander -= du * (wander @ du) / (du @ du)
    wander *= 0.5 * point.norm / float(np.linalg.norm(wander))
    reasons = "no step along the negative gradient was certified"
    step = 4.0 / point.norm
    tried = 0
    for _ in range(2 * STEPS):
        end_u, end_v = start.u + step * (du + wander), start.v + step * dv
        step /= 2.0
        if not _seems_to_descend(start, end_u, end_v):
            continue
        tried += 1
        if tried > 4:
            break
        if not start.afford(0.0):
            return SPENT
        segment = start.moving(end_u, end_v)
        pieces = next((k for k in PIECES if start.allows(k) and segment.decreases(k)), None)
        if pieces is None:
            continue
        weights = ExactArray.of_floats(end_v)
        tail = _finish(start, end_u, weights, kept=False)
        if isinstance(tail, Path):
            words = "U and V move straight, the loss strictly decreases (E1)"
            leg = StraightLeg(words, start.u, end_u, start.weights, weights, moving=segment)
            room = start.with_room(pieces)
            return Escape("E1", start.u, start.weights, tail, (leg,), end_weights=weights, pieces=room)
        reasons = tail
    return reasons


def _seems_to_descend(start: _Start, end_u: Array, end_v: Array) -> bool:
    """Whether the derivative is negative at some sampled times, in floating point."""
    for t in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        u, v = start.u + t * (end_u - start.u), start.v + t * (end_v - start.v)
        at = approx_gradient(start.network, u, v, start.inputs, start.labels, start.counts)
        slope = float(at.du @ (end_u - start.u) + (at.dv * (end_v - start.v)).sum())
        if not slope < 0:
            return False
    return True


def _lift(start: _Start) -> Escape | str:
    """E2: at constant loss."""
    features = FeatureEnclosure(start.network, start.u, start.inputs[:1], CARRY_BITS)
    row = next(block for _, block in features.blocks()).tolist()[0]
    lifts = constant_loss_lifts(start.network, start.u, start.v, start.inputs, row, start.seed)
    reason = "no unit can move without changing the logits: nothing equal, constant or zero to carry them"
    for lift in lifts:
        tail = _finish(start, lift.end, lift.weights, kept=True)
        if isinstance(tail, Path):
            return Escape("E2", start.u, start.weights, tail, _lift_legs(start, lift, tail), rerouted=lift.rerouted)
        reason = f"{lift.moved_units} units can move at constant loss, but {tail}"
    return reason


def _lift_legs(start: _Start, lift: Lift, tail: Path) -> tuple[Leg, ...]:
    """E2's legs: V goes to V', outgoing weights are handed over if they must be, then the other units move."""
    u, v, kept = start.u, lift.weights, tail.start_margins
    way = [StraightLeg("V goes to units that stay, the loss is constant (E2)", u, u, start.weights, v, kept)]
    if lift.rerouted is not None:
        way.append(
            StraightLeg("outgoing hidden weights go to equal units, no unit changes", u, lift.rerouted, v, v, kept)
        )
        u = lift.rerouted
    way.append(StraightLeg("units without output weights move, the loss is constant (E2)", u, lift.end, v, v, kept))
    return tuple(way)


def _part(start: _Start) -> Escape | str:
    """E4: merged samples part at constant loss."""
    found = part_merged_samples(start.network, start.u, start.inputs, start.seed)
    if isinstance(found, str):
        return found
    words = "the lower weights part merged samples, V follows, the loss is constant (E4)"
    origin = start.origin(FIRST_BITS)
    leg = PartingLeg(words, start.network, start.u, start.inputs, start.weights, found, origin)
    try:
        begin, end = leg.start_v, leg.exact_v(Fraction(1))
    except InputError as error:
        return f"the samples part at constant loss, but V cannot be computed: {error}"
    tail = _finish(start, found.end, end, kept=True)
    if isinstance(tail, str):
        return f"the samples part at constant loss, but {tail}"
    words = "V goes to where it can follow, the loss is constant (E4)"
    first = StraightLeg(words, start.u, start.u, start.weights, begin, tail.start_margins)
    legs = (first, replace(leg, kept=tail.start_margins))
    inverse = found.right_inverse
    return Escape("E4", start.u, start.weights, tail, legs, pieces=found.pieces, right_inverse=inverse)


def _wander(start: _Start, rise: Dyadic) -> Escape | str:
    """E3: a short random motion of U; the loss stays below Phi + epsilon."""
    if start.work > WORK_LIMIT:
        return "the network is too large for enclosures of the loss along the way"
    wander = _direction(start, (WANDERING, 1))
    step, reason = 0.5, "no motion of U was certified to stay below Phi + epsilon"
    with working_precision(FIRST_BITS):
        begin = start.moving(start.u, start.v).loss(arb(0))
        if not begin.is_finite():
            return "the start's loss has no finite enclosure"
        low = stated_loss(begin)[0].arb() + rise.arb() * 7 / 8  # an independent program's enclosures may be wider
    for _ in range(3 * STEPS):
        end_u = start.u + step * wander
        step /= 2.0
        if np.array_equal(end_u, start.u):
            break
        segment = start.moving(end_u, start.v)
        pieces = next((k for k in PIECES[:3] if start.allows(k) and segment.stays_below(low, k)), None)
        if pieces is None:
            if not start.afford(0.0):
                return SPENT
            continue
        tail = _finish(start, end_u, start.weights, kept=False)
        if isinstance(tail, Path):
            words = "U moves straight, the loss stays below Phi(start) + epsilon (E3)"
            leg = StraightLeg(words, start.u, end_u, start.weights, start.weights, moving=segment)
            room = start.with_room(pieces)
            return Escape("E3", start.u, start.weights, tail, (leg,), pieces=room, epsilon=rise)
        reason = tail
        if step < 1e-6:
            break
    return reason
