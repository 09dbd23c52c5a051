"""E1: leave the start along the negative gradient, while an enclosure of dPhi/dt is negative at every time."""

from __future__ import annotations

import numpy as np

from verifier.balls.exact import ExactArray, about
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_start import SMALLEST_STEPS, SPENT, Start, descend_from
from verifier.landscape.legs import StraightLeg
from verifier.landscape.path import Path
from verifier.network.gradient import approx_gradient
from verifier.network.network import Array

STATIONARY = 1e-9
"""A gradient below this multiple of its scale is not followed: nothing would be left of it in a certificate."""
FIRST_STEP = 4.0
"""First step along the gradient, times its norm; it is halved until an enclosure is negative all the way."""
TRIED, TRIED_IN_GRAPHS = 4, 12
"""How many steps that seem to descend are enclosed: each costs a pass in ball arithmetic for every piece. Balls grow
faster through attention and normalisation than through layers, and need shorter steps.
"""
PROBED = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Times at which a step is looked at in floating point before it is enclosed."""


@np.errstate(all="ignore")
def descend(start: Start) -> Escape | str:
    """Certify E1 along the negative gradient with a random part of U that is orthogonal to it; else say why not.

    Guarantee: an escape implies dPhi/dt < 0 on the whole leg, enclosed in balls over pieces that cover it, and P1 from
    its end.

    Parameters
    ----------
    start : Start
        Network, data and point.

    Returns
    -------
    Escape or str
        The escape, or the reason.
    """
    point = approx_gradient(start.network, start.u, start.v, start.inputs, start.labels, start.counts, start.offset)
    scale = point.loss / max(1.0, float(np.linalg.norm(start.v)))
    if not np.isfinite(point.norm) or not point.norm > STATIONARY * max(scale, 1e-300):
        return f"the gradient has norm about {about(point.norm, 2)}: stationary, or too nearly so to be followed"
    if start.too_large:
        return "the network is too large for enclosures of the derivative along the way"
    wander = start.direction()
    du, dv = -point.du, -point.dv
    if np.linalg.norm(du) > 0:
        wander -= du * (wander @ du) / (du @ du)
    length = float(np.linalg.norm(wander))  # 0 with no hidden parameter, or with one
    wander *= 0.5 * point.norm / length if length > 0 else 0.0
    reason = "no step along the negative gradient was certified"
    step, tried, most = FIRST_STEP / point.norm, 0, TRIED_IN_GRAPHS if start.network.layered is None else TRIED
    for _ in range(2 * SMALLEST_STEPS):
        end_u, end_v = start.u + step * (du + wander), start.v + step * dv
        step /= 2.0
        if np.array_equal(end_u, start.u):
            break  # V alone moves: that is P1's part, and a certificate has a U that moves
        if not _seems_to_descend(start, end_u, end_v):
            continue
        tried += 1
        if tried > most:
            break
        if not start.afford(0.0):
            return SPENT
        segment = start.moving(end_u, end_v)
        pieces = start.pieces_that_prove(segment.decreases)
        if pieces is None:
            continue
        weights = ExactArray.of_floats(end_v)
        tail = descend_from(start, end_u, weights, kept=False)
        if isinstance(tail, Path):
            words = "U and V move straight, the loss strictly decreases (E1)"
            leg = StraightLeg(words, start.u, end_u, start.weights, weights, segment)
            room = start.with_room(pieces)
            return Escape("E1", start.u, start.weights, tail, (leg,), end_weights=weights, pieces=room)
        reason = tail
    return reason


def _seems_to_descend(start: Start, end_u: Array, end_v: Array) -> bool:
    """Whether the derivative is negative at some sampled times, in floating point."""
    for t in PROBED:
        u, v = start.u + t * (end_u - start.u), start.v + t * (end_v - start.v)
        at = approx_gradient(start.network, u, v, start.inputs, start.labels, start.counts, start.offset)
        slope = float(at.du @ (end_u - start.u) + (at.dv * (end_v - start.v)).sum())
        if not slope < 0:
            return False
    return True
