"""E1, E2, E3, E4.path, S.path: one certified piece from (U0, V0) to another U, then P1 with U at rest there.

Glossary: U(t) = U0 + t (U1 - U0) and V(t) = V0 + t (V1 - V0), 0 <= t <= 1; a ball t stands for all its times. *psi* are
features at a ball of times, *drift* their derivatives in t. E2 is in constant_loss.py, E4.path in parting.py, S.path in
sink_path.py.
"""

from typing import Any

from flint import arb

from .claims import MarginClaim, Rows, by_label, differences, exp, loss_of
from .common import Rejection, above, precision, require
from .constant_loss import check_constant_loss
from .container import Arrays
from .features import Features
from .flags import require_analytic
from .network import cut_blocks, move
from .parting import check_parting
from .segment import Segment, changes, pieces
from .sentences import sentence, statement
from .sink_path import check_sink_path

SEGMENT_COPIES = 8  # balls that a unit of a moving network takes, compared with one at rest
# how a piece is enclosed: up to which order, and whether from its middle; the next one where one does not prove enough
WAYS = ((1, False), (3, True))


def check_escape(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim E1, E2, E3, E4.path or S.path.

    Guarantee: on the piece Phi strictly decreases (E1), is constant (E2, E4, S), is at most Phi(U0, V0) + epsilon (E3);
    then the path is that of P1, whose obligations hold with the margins that V has there.
    """
    claim, moved = MarginClaim(raw, network, arrays, data), move(network, raw.moved, arrays)
    keeps_logits = raw.label in ("E2", "E4.path", "S.path")
    if raw.label in ("E2", "E4.path"):
        require_analytic(network, raw.label)  # then units that move have a value on the way
    after = claim.start  # the output weights where the piece ends
    if raw.label == "E1":
        after = arrays.exact(raw.moved_weights, network.columns, data.classes)
    blocks = cut_blocks(network, data.labels, 1, SEGMENT_COPIES * raw.precision, data.classes)
    with precision(raw.precision):
        before, arrived = Features(network), Features(moved)
        if raw.label == "E2":
            how = check_constant_loss(raw, network, moved, arrays, claim.start, before.rows([0])[0])
        elif raw.label == "S.path":
            how = check_sink_path(raw, network, moved)
        elif raw.label == "E4.path":
            how = check_parting(raw, network, arrays, Segment(network, changes(network, moved)))
        else:
            segment = Segment(network, changes(network, moved))
            how = check_moving(raw, segment, blocks, claim, (claim.start, after))
        for samples in blocks:
            here, there, shared = before.rows(samples), arrived.rows(samples), dict[Any, Any]()
            begin = claim.margins(claim.start, samples, here, {})
            claim.merge(claim.share(samples, begin))  # the loss at the start
            if not keeps_logits:
                begin = claim.margins(after, samples, there, shared)
            claim.compare(samples, begin, claim.margins(claim.end, samples, there, shared))
        found = claim.conclude()
    return {"precision": raw.precision, **found, "statement": statement(how, str(found["statement"]))}


def check_moving(raw: Any, segment: Segment, blocks: list[list[int]], claim: MarginClaim, weights: Any) -> str:
    """Check E1 (the loss decreases) or E3 (it stays low) on every one of the equal pieces that cover [0, 1].

    Guarantee: dPhi/dt = -(1/n) sum_i mult_i sum_k p_ik m'_ik < 0, or Phi <= Phi(U0, V0) + epsilon, at every time.
    """
    for piece, t in enumerate(pieces(raw.pieces)):
        for order, from_middle in WAYS:
            last = (order, from_middle) == WAYS[-1]
            try:
                total = along(raw, segment, blocks, claim, weights, t, order, t.mid() if from_middle else None)
            except Rejection:  # something is not finite
                if last:
                    raise
                continue
            if holds(raw, piece, total, claim, last):
                break
    if raw.label == "E1":
        return sentence("E1", pieces=raw.pieces)
    return sentence("E3", epsilon=above(raw.epsilon))


def holds(raw: Any, piece: int, total: arb, claim: MarginClaim, last: bool) -> bool:
    """Return whether a piece is proved; a rejection if it is not and there is no other way.

    `total` is -n dPhi/dt for E1, n Phi for E3.
    """
    if raw.label == "E1":
        proved = bool(total > 0)
        message = f"piece {piece}: the loss is not proved to fall; more pieces?"
        require(proved or not last, raw.path + "/pieces", "E1.descent", message, raw.pieces, (-total).str(10))
    else:
        bound, loss = raw.start_loss.lower + raw.epsilon, total / claim.data.total
        proved = bool(loss <= bound)
        message = f"piece {piece}: the loss is not proved to stay low; more pieces?"
        require(proved or not last, raw.path + "/epsilon", "E3.sublevel", message, above(bound), above(loss))
    return proved


def along(
    raw: Any,
    segment: Segment,
    blocks: list[list[int]],
    claim: MarginClaim,
    weights: Any,
    t: arb,
    order: int,
    middle: arb | None,
) -> arb:
    """Return n Phi, or -n dPhi/dt for E1, at the times in t."""
    total = arb(0)
    for samples in blocks:
        series = segment.rows(samples, t, order, middle)
        psi, drift = ([[entry.c[k] for entry in row] for row in series] for k in (0, 1))
        margins, rates = moving_margins(psi, drift, samples, claim, weights, t)
        for sample, m, rate in zip(samples, claim.of_logits(samples, margins), rates, strict=True):
            counts = claim.counts(sample)
            part = fall(m, rate, counts) if raw.label == "E1" else loss_of(m, counts)
            total += claim.data.multiplicities[sample] * part
    return total


def moving_margins(
    psi: Rows, drift: Rows, samples: list[int], claim: MarginClaim, weights: Any, t: arb
) -> tuple[Rows, Rows]:
    """Return the margins of some samples at the times in t, and their derivatives, U and V moving."""
    labels = claim.data.labels
    margins: Rows = []
    rates: Rows = []
    pairs = zip(by_label(labels, samples, psi), by_label(labels, samples, drift), strict=True)
    for (label, here), (_, slope) in pairs:
        first, final = (differences(v, label, claim.classes) for v in weights)
        change = final - first
        now = first + change * t
        margins += (here * now).tolist()
        rates += (slope * now + here * change).tolist()
    return margins, rates


def fall(margins: list[arb], rates: list[arb], counts: list[int]) -> arb:
    """Return sum_k count_k p_k m'_k, written so that nothing overflows.

    p_k = 1 / (e^m_k + sum_j count_j e^(m_k - m_j)), where the term of k itself is count_k exactly.
    """
    total, pairs = arb(0), list(zip(margins, counts, strict=True))
    for k, ((m, count), rate) in enumerate(zip(pairs, rates, strict=True)):
        others = [number * exp(m - other) for j, (other, number) in enumerate(pairs) if j != k]
        total += count * rate / (sum(others, exp(m)) + count)
    return total
