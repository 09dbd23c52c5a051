"""Prove that two networks are joined by a path without a barrier (MC): the polygon, then both ends.

At the ends P1' with ``kappa m1 > m0``: from V_A to ``kappa V_1`` the loss strictly falls, from ``kappa V_K`` to V_B it
strictly rises. (For the barrier alone this is not needed: the loss is convex in V, so on these segments at most the
larger one of the end's loss and of that on the polygon.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from flint import arb

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, exactly
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import Margins
from verifier.balls.precision import working_precision
from verifier.balls.stated import STATABLE, round_down
from verifier.display import count, matrices
from verifier.landscape.connection import Connection, Piece
from verifier.landscape.polygon_search import Memory, PolygonSearch, Progress, Route, Sought
from verifier.landscape.refit import unit_scaled
from verifier.landscape.sharpening import sharpened_margins
from verifier.landscape.straight_path import proposed_kappa
from verifier.landscape.targets import decimal_below, stated_loss, time_for
from verifier.landscape.zero_loss import loss_bound
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK
from verifier.verdict import Verdict

LEAST_STATED = Dyadic(1, -STATABLE)
"""The least bound above 0 of a loss that is stated, see `statable`."""
LARGE = Dyadic(1, 0)
"""The loss on the polygon that is aimed at where the ends' losses are larger: the ``exp`` of those may overflow."""
Features = Callable[[Array], Enclosure]
"""Makes the first enclosure of Psi at hidden parameters of shape ``(p,)``."""


@dataclass(frozen=True, slots=True)
class End:
    """One of the two networks: U of shape ``(p,)`` and V of shape ``(M, m)``."""

    u: Array
    v: Array


@dataclass(frozen=True, slots=True)
class _ProvedEnd:
    """Bounds of the loss at an end, and of margins: of its own V, and of the V_k that meets it there."""

    loss: tuple[Dyadic, Dyadic]
    own: Margins
    meeting: Margins
    least: Dyadic
    precision: int

    def allows(self, kappa: Dyadic) -> bool:
        """Whether ``kappa m1 > m0`` entrywise, with room for the checker's enclosures."""
        with working_precision(self.precision):
            return bool(self.meeting.scaled_minus(kappa.arb(), self.own).smallest_lo(room=ENCLOSURE_SLACK) > 0)


def prove_connection(
    sought: Sought,
    a: End,
    b: End,
    features: Features,
    *,
    tell: Progress = lambda leg, t, pieces, weights: None,
    memory: Memory | None = None,
    seed: int = 0,
    epsilon: str | None = None,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> Connection:
    """Join two networks by a path on which the loss never exceeds the larger one of both ends' losses (MC).

    Parameters
    ----------
    sought
        The network, samples whose labels agree, and what encloses margins on a leg. No frozen logits.
    a, b
        The two networks.
    features
        What encloses Psi at an end.
    tell, memory, seed
        Progress of the search, what an earlier one found, and the seed of random corners.
    epsilon
        What the loss on the polygon shall not exceed, as decimal text; None: the smaller loss of both ends,
        or, where no factor does that, the larger one.
    max_bits, stage
        Last precision tried at the ends, and progress display.

    Returns
    -------
    Connection
        Guarantee: ``PROVED`` implies that the path of `Connection` is as it says, by Theorem MC; with one U at both
        ends by convexity in V.

    Raises
    ------
    ValueError
        ``epsilon`` is no positive decimal number.
    """
    goal = None if epsilon is None else decimal_below(epsilon)
    began = time.perf_counter()
    same = np.array_equal(a.u, b.u)
    v_a, v_b = ExactArray.of_floats(a.v), ExactArray.of_floats(b.v)
    kinds = ("A and B",) if same else ("A", "B")
    found = Connection(Verdict.UNDECIDED, "", (a.u,) if same else (a.u, b.u), kinds, v_a, v_b, classes=sought.classes)
    if not same:
        starts = unit_scaled(a.v), unit_scaled(b.v)
        search = PolygonSearch(sought, a.u, b.u, *starts, tell, memory or Memory(), seed)
        route = search.route()
        if route is None:
            return replace(_stuck(found, search.obstacle), seconds=time.perf_counter() - began)
        found = _along(found, route)
    meeting = v_a, v_b
    if not same:
        first, last = (found.weights[piece.weights] for piece in (found.pieces[0], found.pieces[-1]))
        meeting = ExactArray.of_floats(first), ExactArray.of_floats(last)
    pairs = ((a.u, v_a, meeting[0]), (b.u, v_b, meeting[1]))
    ends = [_end(sought, features(u), own, other, max_bits, stage) for u, own, other in pairs]
    proved = _concluded(found, goal, *ends)
    return replace(proved, seconds=time.perf_counter() - began)


def _stuck(found: Connection, obstacle: str) -> Connection:
    remedy = "networks with more units, or with a smaller loss, are joined more easily"
    return replace(found, reason=f"{obstacle}; {remedy}")


def _along(found: Connection, route: Route) -> Connection:
    """Return the polygon's corners in order, with every V_k once."""
    numbers: dict[bytes, int] = {}
    pieces, weights, least = list[Piece](), list[Array](), float("inf")
    for leg, stretches in enumerate(route.legs):
        for stretch in stretches:
            number = numbers.setdefault(stretch.weights.tobytes(), len(weights))
            weights += [stretch.weights] if number == len(weights) else []
            pieces.append(Piece(leg, stretch.start, stretch.end, number))
            least = min(least, stretch.smallest)
    return replace(
        found,
        corners=route.corners,
        kinds=route.kinds,
        pieces=tuple(pieces),
        weights=tuple(weights),
        gamma=round_down(arb(least)),
    )


def _end(
    sought: Sought, features: Enclosure, own: ExactArray, meeting: ExactArray, max_bits: int, stage: Stage
) -> _ProvedEnd | None:
    """What is proved at one end, and a factor that `_ProvedEnd.allows`; None if no precision decides it.

    Where ``own`` itself is what meets it, both networks have one U and no factor is needed.
    """
    counts, task = sought.multiplicities.tolist(), "margins and losses of A and B"
    for enclosure, (m0, m1) in sharpened_margins(features, [own, meeting], sought.labels, max_bits, stage, task):
        with working_precision(enclosure.precision):
            loss, least = cross_entropy(m0.rows, counts), Dyadic(1, 0)
            if own is not meeting:
                least = proposed_kappa(m0, m1) or least
        if not loss.is_finite():
            continue
        end = _ProvedEnd(stated_loss(loss), m0, m1, least, enclosure.precision)
        stated = end.loss[0].mantissa > 0 or end.loss[1] == LEAST_STATED
        if stated and (own is meeting or end.allows(least)):
            return end
    return None


def _concluded(found: Connection, goal: Dyadic | None, first: _ProvedEnd | None, last: _ProvedEnd | None) -> Connection:
    """From what is proved at both ends, a factor kappa with which the loss on the polygon is small enough."""
    if first is None or last is None:
        reason = "the margins or losses of A and B are not decided: a feature is not defined, or numbers are too large"
        return replace(found, reason=reason)
    found = replace(found, start_loss=first.loss, end_loss=last.loss, precision=max(first.precision, last.precision))
    most = at_most(max(first.loss[1], last.loss[1], key=Dyadic.fraction))
    if not found.pieces:
        reason = (
            "both networks have the same U: on the segment from V_A to V_B the loss is convex, so nowhere above the "
            f"larger of their two losses, which is at most {most}"
        )
        return replace(found, verdict=Verdict.PROVED, reason=reason)
    wished, least = LARGE if goal is None else goal, max(first.least, last.least, key=Dyadic.fraction)
    smaller, larger = sorted((first.loss[0], last.loss[0]), key=Dyadic.fraction)
    below_both, goal = (min(loss, wished, key=Dyadic.fraction) for loss in (smaller, larger))
    kappa = _kappa(found, below_both, least) or _kappa(found, goal, least)
    if kappa is None or found.gamma is None or not (first.allows(kappa) and last.allows(kappa)):
        why = "no factor kappa makes the loss on the polygon as small as the ends' losses are"
        return replace(found, reason=f"{why}, of which none is above 2^-{STATABLE}" if goal.mantissa == 0 else why)
    with working_precision(found.precision):
        level = at_most(loss_bound(found.classes, found.gamma.arb(), kappa.arb()))
    parts = f"{count(len(found.pieces), 'piece')} on {count(found.legs, 'leg')}, {matrices(len(found.weights))}"
    reason = (
        f"from A the loss strictly falls to at most {level}, stays at most that while U moves, and strictly rises to "
        f"B's: nowhere above the larger of their two losses, which is at most {most} ({parts}, every margin at least "
        f"gamma = {at_least(found.gamma)}, kappa = {exactly(kappa)})"
    )
    return replace(found, verdict=Verdict.PROVED, reason=reason, kappa=kappa)


def _kappa(found: Connection, goal: Dyadic, least: Dyadic) -> Dyadic | None:
    """A power of two, at least ``least``, with ``log(1 + (m-1) exp(-kappa gamma)) <= goal``."""
    if found.gamma is None or not (found.gamma.mantissa > 0 and goal.mantissa > 0):
        return None
    with working_precision(found.precision):
        needed = time_for(found.classes, found.gamma, least, goal.arb(), strict=False)
        if needed is None:
            return None
        power = Dyadic(1, needed.exponent + (needed.mantissa - 1).bit_length())
        return power if loss_bound(found.classes, found.gamma.arb(), power.arb()) <= goal.arb() else None
