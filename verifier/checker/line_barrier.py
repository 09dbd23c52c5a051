"""MC.line: how large the cross-entropy gets on the straight line of all weights between two networks.

Glossary: U and V go straight from (U_A, V_A) to (U_B, V_B), t from 0 to 1; a piece has the middle time c and the length
h. Of a margin m(t) the quotients q = (m(t) - m(c)) / (t - c) are enclosed, as in legs.py.
"""

import itertools
from functools import partial
from typing import Any

from flint import arb

from .claims import Rows, by_label, differences, loss_at, sides
from .common import Rejection, above, below, precision, require
from .connection import TwoNetworks
from .container import Arrays
from .legs import Block, Leg, Piece, piece_of
from .network import move
from .sentences import sentence


def check_line(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim MC.line: bounds of the loss on the straight line between two networks.

    Guarantee: the loss is at least `loss_lower` at the stated time, and at most `loss_upper` at all times of the
    pieces, which cover [0, 1]; the losses at both ends are in their bounds. With them the barrier is bounded.
    """
    pieces, times = read_times(raw), raw.pieces
    claim = TwoNetworks(raw, network, arrays, data)
    claim.totals = [arb(0)] * (3 + 3 * len(pieces))
    with precision(raw.precision):
        leg = Leg(network, move(network, raw.end, arrays))
        claim.look_at_blocks(network, partial(look_on_line, claim, leg, pieces), len(times))
        claim.compare_ends()
        at_time, *tops = (total / data.total for total in claim.totals[2:])
        message = "the loss at this time is not proved to be at least this"
        reached = raw.loss_lower <= 0 or raw.loss_lower <= at_time
        require(reached, raw.path + "/loss_lower", "MC.line.lower", message, below(raw.loss_lower), below(at_time))
        for number, top in enumerate(tops):
            message = f"piece {number // 3}: the loss is not proved to be at most this; more pieces?"
            path = raw.path + "/loss_upper"
            require(top <= raw.loss_upper, path, "MC.line.upper", message, above(raw.loss_upper), above(top))
        least = (raw.loss_lower - raw.start_loss.upper.max(raw.end_loss.upper)).max(arb(0))
        most = raw.loss_upper - raw.start_loss.lower.max(raw.end_loss.lower)
    numbers = {"loss_lower": below(raw.loss_lower), "loss_upper": above(raw.loss_upper)}
    numbers |= {"barrier_lower": below(least), "barrier_upper": above(most), **claim.losses()}
    return {"statement": sentence("MC.line", **numbers), "precision": raw.precision}


def read_times(raw: Any) -> list[Piece]:
    """Return the pieces. Guarantee: they cover [0, 1] without a gap, and the stated time is in it."""
    times, path = raw.pieces, raw.path + "/pieces"
    ordered = times[0] == 0 and times[-1] == 1 and all(a < b for a, b in itertools.pairwise(times))
    require(ordered, path, "MC.line.pieces", "the times do not increase from 0 to 1")
    require(raw.time <= 1, raw.path + "/time", "MC.line.pieces", "is not between 0 and 1", str(raw.time)[:100])
    return [piece_of(*ends) for ends in itertools.pairwise(times)]


def look_on_line(claim: TwoNetworks, leg: Leg, pieces: list[Piece], samples: list[int]) -> Any:
    """Return the losses of some samples at both ends and at the stated time, then three bounds for each piece."""
    block, time = leg.block(samples), piece_of(claim.raw.time, claim.raw.time)
    found = [claim.loss(samples, claim.along(claim.start, samples, leg.columns(block.begin)))]
    found.append(claim.loss(samples, claim.along(claim.end, samples, leg.columns(block.end))))
    found.append(claim.loss(samples, margins_on_line(claim, samples, leg.features(block, time), time)[0]))
    for piece in pieces:
        found += on_piece(claim, leg, block, piece)
    return sides(found)


def on_piece(claim: TwoNetworks, leg: Leg, block: Block, piece: Piece) -> list[arb]:
    """Return three numbers of which the largest, once summed over all samples, bounds n Phi on the piece.

    Guarantee: for every choice of quotients q_i, one for each sample and class, s -> sum_i mult_i loss(m_i(c) + s q_i)
    is convex: for s in [0, h/2] it is at most the larger of its values at 0 and h/2, and likewise for s <= 0. A loss
    falls in each margin, so that at s = h/2 it is at most that of the least numbers in m_i(c) + (h/2) q_i.
    """
    samples, half = block.samples, piece.reach.abs_upper()
    margins, slopes = margins_on_line(claim, samples, sharp_features(leg, block, piece), piece)
    found = [claim.loss(samples, margins)]
    for step in (half, -half):
        rows = [[m + step * q for m, q in zip(*pair, strict=True)] for pair in zip(margins, slopes, strict=True)]
        total = arb(0)
        for sample, row in zip(samples, claim.of_logits(samples, rows), strict=True):
            total += claim.data.multiplicities[sample] * loss_at(list(map(arb.lower, row)), claim.counts(sample))
        found.append(total)
    return found


def sharp_features(leg: Leg, block: Block, piece: Piece) -> tuple[Rows, Rows]:
    """Return the rows of Psi at the middle time and of its quotients, in the way that succeeds."""
    try:
        return leg.features(block, piece)
    except Rejection as first:
        try:
            return leg.by_taylor(block, piece)
        except Rejection:
            raise first from None


def margins_on_line(claim: TwoNetworks, samples: list[int], psi: tuple[Rows, Rows], piece: Piece) -> tuple[Rows, Rows]:
    """Return the margins at the middle time, and their quotients on the piece: Psi_q V(t) + Psi(c) V_q."""
    margins: Rows = []
    quotients: Rows = []
    runs = (by_label(claim.data.labels, samples, rows) for rows in psi)
    for (label, mid), (_, rate) in zip(*runs, strict=True):
        first, last = (differences(weights, label, claim.classes) for weights in (claim.start, claim.end))
        change = last - first
        middle = first + change * piece.middle
        margins += (mid * middle).tolist()
        quotients += (rate * (middle + change * piece.reach) + mid * change).tolist()
    return margins, quotients
