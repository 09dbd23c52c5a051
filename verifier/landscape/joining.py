"""Prove that two networks are joined by a path without a barrier (MC): the polygon, then both ends.

At the ends nothing but the two losses is needed: on the segment from V_A to ``kappa V_1`` the loss is convex, so at
most the larger one of the loss at A and of that on the polygon, which is at most the larger one of both ends' losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from flint import arb

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, exactly, round_down
from verifier.balls.loss import cross_entropy
from verifier.balls.precision import working_precision
from verifier.display import count
from verifier.landscape.connection import Connection, Piece
from verifier.landscape.polygon_search import Memory, PolygonSearch, Progress, Route, Sought
from verifier.landscape.refit import unit_scaled
from verifier.landscape.sharpening import sharpened_margins
from verifier.landscape.targets import decimal_below, stated_loss, time_for
from verifier.landscape.zero_loss import loss_bound
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.verdict import Verdict

Features = Callable[[Array], Enclosure]
"""Makes the first enclosure of Psi at hidden parameters of shape ``(p,)``."""


@dataclass(frozen=True, slots=True)
class End:
    """One of the two networks: U of shape ``(p,)`` and V of shape ``(M, m)``."""

    u: Array
    v: Array


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
        What the loss on the polygon shall not exceed, as decimal text; None: the larger one of both ends' losses.
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
    losses = [_loss(sought, features(u), v, max_bits, stage) for u, v in ((a.u, v_a), (b.u, v_b))]
    proved = _with_losses(found, goal, *losses)
    return replace(proved, seconds=time.perf_counter() - began)


def _stuck(found: Connection, obstacle: str) -> Connection:
    remedy = "networks with more units, or with a smaller loss, are joined more easily"
    return replace(found, reason=f"{obstacle}; {remedy}")


def _along(found: Connection, route: Route) -> Connection:
    """The polygon, every V_k once."""
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


def _loss(
    sought: Sought, features: Enclosure, weights: ExactArray, max_bits: int, stage: Stage
) -> tuple[tuple[Dyadic, Dyadic], int] | None:
    """Bounds of the loss at one end, and the precision that decided them; None if none is finite."""
    found, counts = None, sought.multiplicities.tolist()
    for enclosure, (margins,) in sharpened_margins(features, [weights], sought.labels, max_bits, stage, "loss"):
        with working_precision(enclosure.precision):
            loss = cross_entropy(margins.rows, counts)
            if loss.is_finite():
                found = stated_loss(loss), enclosure.precision
                if found[0][0].mantissa > 0:
                    return found
    return found


def _with_losses(
    found: Connection,
    goal: Dyadic | None,
    first: tuple[tuple[Dyadic, Dyadic], int] | None,
    last: tuple[tuple[Dyadic, Dyadic], int] | None,
) -> Connection:
    """The conclusion: from both ends' losses the factor kappa with which the loss on the polygon is small enough."""
    if first is None or last is None:
        return replace(found, reason="the losses of A and B are not enclosed: a feature is not defined, or too large")
    found = replace(found, start_loss=first[0], end_loss=last[0], precision=max(first[1], last[1]))
    most = at_most(max(first[0][1], last[0][1], key=Dyadic.fraction))
    if not found.pieces:
        reason = (
            "both networks have the same U: on the segment from V_A to V_B the loss is convex, so nowhere above the "
            f"larger one of both ends' losses, which is at most {most}"
        )
        return replace(found, verdict=Verdict.PROVED, reason=reason)
    low = max(first[0][0], last[0][0], key=Dyadic.fraction)
    kappa = _kappa(found, low if goal is None else min(low, goal, key=Dyadic.fraction))
    if kappa is None or found.gamma is None:
        return replace(found, reason="no factor kappa makes the loss on the polygon as small as the ends' losses are")
    parts = f"{count(len(found.pieces), 'piece')} on {count(found.legs, 'leg')}, {count(len(found.weights), 'V')}"
    reason = (
        f"on the whole path the loss is nowhere above the larger one of both ends' losses, which is at most {most}: "
        f"{parts}, every margin at least gamma = {at_least(found.gamma)}, kappa = {exactly(kappa)}"
    )
    return replace(found, verdict=Verdict.PROVED, reason=reason, kappa=kappa)


def _kappa(found: Connection, low: Dyadic) -> Dyadic | None:
    """A power of two, at least 1, with ``log(1 + (m-1) exp(-kappa gamma)) <= low``."""
    if found.gamma is None or not (found.gamma.mantissa > 0 and low.mantissa > 0):
        return None
    with working_precision(found.precision):
        needed = time_for(found.classes, found.gamma, Dyadic(1, 0), low.arb(), strict=False)
        if needed is None:
            return None
        power = Dyadic(1, needed.exponent + (needed.mantissa - 1).bit_length())
        return power if loss_bound(found.classes, found.gamma.arb(), power.arb()) <= low.arb() else None
