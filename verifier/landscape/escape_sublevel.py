"""E3: leave the start by a short random motion of U on which an enclosure of the loss stays below Phi + epsilon."""

from __future__ import annotations

from functools import partial

import numpy as np
from flint import arb

from verifier.balls.engine import FIRST_BITS
from verifier.balls.precision import working_precision
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_start import SMALLEST_STEPS, SPENT, Start, descend_from
from verifier.landscape.legs import StraightLeg
from verifier.landscape.path import Path
from verifier.landscape.targets import stated_loss

FIRST_STEP, LAST_STEP = 0.5, 1e-6
"""Steps in units of a standard normal direction; after one that is certified but of no use they end at the last."""
SHRINK, SHRINK_IN_GRAPHS = 0.5, 0.25
"""What a step is multiplied by where it was not certified; in graphs steps are shorter and evaluations dear."""
MOST_ENDS = 3
"""After so many certified ends from which P1 does not lead down no shorter motion is tried: their ends are alike."""
MOST_PIECES = 16
"""Fewer than for E1: a shorter step is cheaper than more pieces, since nothing asks for a long one."""


def stay_below(start: Start) -> Escape | str:
    """Certify E3 along a random direction of U; else say why not.

    Guarantee: an escape implies that Phi stays below its value at the start plus ``start.rise`` on the whole leg, and
    P1 from its end.

    Parameters
    ----------
    start : Start
        Network, data and point.

    Returns
    -------
    Escape or str
        The escape, or the reason.
    """
    if start.too_large:
        return "the network is too large for enclosures of the loss along the way"
    wander = start.direction(1)
    shrink = SHRINK_IN_GRAPHS if start.network.layered is None else SHRINK
    step, reason = FIRST_STEP, "no motion of U was certified to stay below Phi + epsilon"
    with working_precision(FIRST_BITS):
        begin = start.moving(start.u, start.v).loss(arb(0))
        if not begin.is_finite():
            return "the start's loss has no finite enclosure"
        # an independent program's enclosures may be wider: an eighth of epsilon is left to them
        bound = stated_loss(begin)[0].arb() + start.rise.arb() * 7 / 8
    ends = 0
    for _ in range(3 * SMALLEST_STEPS):
        end_u = start.u + step * wander
        step *= shrink
        if np.array_equal(end_u, start.u):
            break
        segment = start.moving(end_u, start.v)
        pieces = start.pieces_that_prove(partial(segment.stays_below, bound), MOST_PIECES)
        if pieces is None:
            if not start.afford(0.0):
                return SPENT
            continue
        tail = descend_from(start, end_u, start.weights, kept=False)
        if isinstance(tail, Path):
            words = "U moves straight, the loss stays below Phi(start) + epsilon (E3)"
            leg = StraightLeg(words, start.u, end_u, start.weights, start.weights, segment)
            room = start.with_room(pieces)
            return Escape("E3", start.u, start.weights, tail, (leg,), pieces=room, epsilon=start.rise)
        reason, ends = tail, ends + 1
        if step < LAST_STEP or ends == MOST_ENDS:
            break
    return reason
