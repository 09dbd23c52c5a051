"""MC: two networks are joined by a path on which the cross-entropy never exceeds the larger of their losses.

Glossary: *corners* U_0 = U_A (stored), U_1, .., U_L = U_B; *leg* l is the segment from U_l to U_(l+1), in
times from 0 to 1; a *piece* of a leg has output weights V_k, k from 1 on. m_ik are the margins, as in claims.py.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from flint import arb, fmpq

from .claims import MarginClaim, Rows, by_label, differences, loss_of, require_arcs, sides
from .classes import Classes
from .common import Rejection, above, below, precision, require
from .container import Arrays
from .features import Features
from .legs import Block, Leg, Piece, piece_of
from .limits import look_at_all
from .network import cut_blocks, move
from .sentences import sentence, statement

STRIP_COPIES = 8  # balls that a unit takes while it moves, compared with one at rest
PARALLEL = 100_000  # below this many values of units a second process does not pay
Table = list[list[Any]]


class TwoNetworks(MarginClaim):
    """What claims about two networks share: margins of several output weights, the losses at both ends."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        super().__init__(raw, network, arrays, data)
        shape = network.columns, data.classes
        self.weights = [arrays.exact(reference, *shape) for reference in getattr(raw, "weights", [])]
        for weights in self.weights:
            require_arcs(weights, data.arcs, raw.path)
        frozen = [] if data.offset is None else [data.offset]
        self.classes = Classes([self.start, self.end, *self.weights, *frozen], data.classes)
        self.known_differences: dict[Any, Any] = {}
        self.totals = [arb(0), arb(0)]  # n Phi at both ends, summed so far

    def along(self, weights: Any, samples: list[int], rows: Rows) -> Rows:
        """Return the margins of some rows of Psi, or what becomes of rows of quotients."""
        found: Rows = []
        for label, psi in by_label(self.data.labels, samples, rows):
            key = id(weights), label
            if key not in self.known_differences:
                self.known_differences[key] = differences(weights, label, self.classes)
            found += (psi * self.known_differences[key]).tolist()
        return found

    def loss(self, samples: list[int], margins: Rows) -> arb:
        """Return sum_i mult_i log(1 + sum_k e^-m_ik) over these samples, from the margins of Psi V."""
        mult, weighted = self.data.multiplicities, zip(samples, self.of_logits(samples, margins), strict=True)
        return sum((mult[sample] * loss_of(row, self.counts(sample)) for sample, row in weighted), arb(0))

    def look_at_blocks(self, network: Any, look: Callable[[list[int]], Any], evaluations: int) -> None:
        """Show all samples to a function, block by block, in several processes if it pays.

        Guarantee: on return every sample was in exactly one block, and what was found of them is merged.
        """
        data, taken = self.data, 0
        jobs = data.jobs if network.samples * network.units * evaluations >= PARALLEL else 1
        blocks = cut_blocks(network, data.labels, jobs, STRIP_COPIES * self.precision, data.classes)
        for samples, found in zip(blocks, look_at_all(look, blocks, jobs), strict=True):
            taken += len(samples)
            self.merge(found)
        require(taken == network.samples, "", "internal", "not every sample was evaluated", network.samples, taken)

    def compare_ends(self) -> None:
        """Guarantee: on return the losses at both ends are in the claimed bounds."""
        for key, total in zip(("start_loss", "end_loss"), self.totals, strict=False):
            bounds, loss = getattr(self.raw, key), total / self.data.total
            inside = (bounds.lower <= 0 or bounds.lower <= loss) and loss <= bounds.upper
            claimed, message = f"[{below(bounds.lower)}, {above(bounds.upper)}]", "the loss is not proved to be in this"
            rule = f"{self.raw.label}.{key.replace('_', '-')}"
            require(inside, f"{self.raw.path}/{key}", rule, message, claimed, loss.str(15))  # Coq: MC level

    def losses(self) -> dict[str, str]:
        """Return the bounds of both losses, rounded to the safe side."""
        ends = (("start", self.raw.start_loss), ("end", self.raw.end_loss))
        lower = {f"{key}_lower": below(bounds.lower) for key, bounds in ends}
        return lower | {f"{key}_upper": above(bounds.upper) for key, bounds in ends}


def check_connection(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim MC: a path between two networks on which the loss is never above the larger of both ends.

    Guarantee: U goes from U_A along all legs to U_B, V stays kappa V_k on piece k, where all margins of Psi(U(t)) V_k
    are at least gamma, so that the loss is at most log(1 + (m-1) e^(-kappa gamma)), which is at most the larger loss of
    the two ends. Between pieces U rests, and V goes straight from kappa V_k to kappa V_(k+1): margins of at least kappa
    gamma at both ends, so in between. At U_A V goes straight from V_A to kappa V_1: every margin of kappa V_1 is above
    that of V_A, so that h(s) > h(1) for s < 1, h the loss on the way; h is convex, hence strictly decreasing. At U_B V
    goes from kappa V_K to V_B, backwards the same. With no corner U rests all the way, and the loss is convex on the
    segment from V_A to V_B, hence at most the larger of its values at both ends.
    """
    claim = TwoNetworks(raw, network, arrays, data)
    route = read_route(raw)
    with precision(raw.precision):
        corners = [network, *(move(network, corner, arrays) for corner in raw.corners)]
        legs = [Leg(*ends) for ends in itertools.pairwise(corners)]
        look = partial(look_along, claim, legs, route) if legs else partial(look_at_rest, claim, Features(network))
        claim.look_at_blocks(network, look, len(raw.pieces) + 1)
        claim.compare_ends()
        level = compare_level(raw, data)
    said = [sentence("MC", **claim.losses())]
    if level is None:
        said.append(sentence("MC rests"))
    else:
        numbers = {"legs": len(legs), "pieces": len(raw.pieces), "gamma": below(raw.gamma), "kappa": above(raw.kappa)}
        said.append(sentence("MC moves", **numbers, level=above(level)))
    if one_logit(claim):
        said.append(sentence("MC logit"))
    return {"statement": statement(*said), "precision": raw.precision}


def read_route(raw: Any) -> list[list[tuple[int, Piece]]]:
    """Return for every leg its pieces, each with its number in the claim.

    Guarantee: the pieces of a leg cover its times from 0 to 1 without a gap, in order.
    """
    path, time = raw.path + "/pieces", fmpq(0)
    route: list[list[tuple[int, Piece]]] = [[] for _ in raw.corners]
    leg = 0
    for number, piece in enumerate(raw.pieces):
        inside = piece.leg == leg < len(route)
        require(inside, piece.path + "/leg", "MC.pieces", "the legs are not covered in order", piece.leg, leg)
        later = time < piece.until <= 1
        message = "the pieces of a leg do not go on from 0 to 1"
        # Coq: MC margins
        require(later, piece.path + "/until", "MC.pieces", message, str(piece.until)[:100], str(time)[:100])
        known = piece.weights < len(raw.weights)
        require(known, piece.path + "/weights", "MC.pieces", "no such output weights", piece.weights, len(raw.weights))
        route[leg].append((number, piece_of(time, piece.until)))
        done = piece.until == 1
        leg, time = leg + done, fmpq(0) if done else piece.until
    # Coq: MC ends
    require(leg == len(route) and time == 0, path, "MC.pieces", "the pieces end before the last leg does", leg)
    for key in ("gamma", "kappa"):
        fits = (getattr(raw, key) is None) == (not route)
        require(fits, f"{raw.path}/{key}", "MC.pieces", "is null if there is no leg, and only then")
    return route


def compare_level(raw: Any, data: Any) -> arb | None:
    """Return the bound of the loss while U moves.

    Guarantee: it is at most the larger of the losses of both ends.
    """
    if raw.gamma is None:
        return None
    level, most = loss_of([raw.kappa * raw.gamma], [data.classes - 1]), raw.start_loss.lower.max(raw.end_loss.lower)
    message = "log(1 + (m-1) e^(-kappa gamma)) is not proved to be at most the larger loss of the ends; a larger kappa?"
    require(level <= most, raw.path + "/kappa", "MC.level", message, below(most), above(level))  # Coq: MC level
    return level


def one_logit(claim: TwoNetworks) -> bool:
    """Return whether the column of class 0 is 0 at both ends.

    Guarantee: then the path may keep it 0, if V may be moved by v 1^T, which changes no margin.
    """
    ends = (claim.start, claim.end)
    zero = not any(weights.integers[j, 0] for weights in ends for j in range(weights.integers.nrows()))
    return claim.data.classes == 2 and claim.data.arcs is None and zero


def look_at_rest(claim: TwoNetworks, features: Features, samples: list[int]) -> Any:
    """Return the losses of some samples at both ends, U being the same."""
    rows = features.rows(samples)
    return sides([claim.loss(samples, claim.along(weights, samples, rows)) for weights in (claim.start, claim.end)])


def look_along(claim: TwoNetworks, legs: list[Leg], route: list[list[tuple[int, Piece]]], samples: list[int]) -> Any:
    """Check the margins of some samples on all pieces; return their losses at both ends."""
    begin = end = arb(0)
    for number, (leg, pieces) in enumerate(zip(legs, route, strict=True)):
        block = leg.block(samples)
        if number == 0:
            begin = look_at_end(claim, samples, leg.columns(block.begin), claim.start, 0, "start")
        if number == len(legs) - 1:
            end = look_at_end(claim, samples, leg.columns(block.end), claim.end, -1, "end")
        for at, piece in pieces:
            check_piece(claim, leg, block, at, piece)
    return sides([begin, end])


def look_at_end(claim: TwoNetworks, samples: list[int], rows: Rows, weights: Any, piece: int, end: str) -> arb:
    """Compare the margins of some samples at U_A or U_B; return their loss there.

    Guarantee: on return every margin of kappa V, V those of the first or last piece, is above that of V_A, or V_B.
    """
    raw = claim.raw
    own = claim.along(weights, samples, rows)
    others = claim.along(claim.weights[raw.pieces[piece].weights], samples, rows)
    for sample, first, last in zip(samples, own, others, strict=True):
        for m0, m1 in zip(first, last, strict=True):
            found = raw.kappa * m1 - m0
            message = f"sample {sample}: kappa m1 - m0 is not proved to be above 0; choose a larger kappa"
            # Coq: MC start, MC finish
            require(found > 0, raw.path + "/kappa", f"MC.{end}", message, below(raw.kappa), found.str(10))
    return claim.loss(samples, own)


def check_piece(claim: TwoNetworks, leg: Leg, block: Block, at: int, piece: Piece) -> None:
    """Check the margins of some samples on one piece, in a quick way, then in a sharp one.

    Guarantee: on return all margins of Psi(U(t)) V_k are at least gamma at all times of the piece.
    """
    raw, weights = claim.raw, claim.weights[claim.raw.pieces[at].weights]
    first: Rejection | None = None
    for way in (leg.features, leg.by_taylor):
        try:
            mid, rate = way(block, piece)
            margins, slopes = claim.along(weights, block.samples, mid), claim.along(weights, block.samples, rate)
            for sample, row, moves in zip(block.samples, margins, slopes, strict=True):
                for m, q in zip(row, moves, strict=True):
                    found = m + q * piece.reach
                    message, path = f"sample {sample}: a margin is not proved to be at least gamma", raw.pieces[at].path
                    # Coq: MC margins
                    require(found >= raw.gamma, path, "MC.margin", message, below(raw.gamma), found.str(10))
            return
        except Rejection as rejection:  # kinks have no second way: then the first rejection counts
            first = first or rejection
    if first is not None:
        raise first
