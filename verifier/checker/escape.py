"""E1, E2, E3: one certified piece from (U0, V0) to another U, then P1 with U at rest there. E4: such a path exists.

Glossary: U(t) = U0 + t (U1 - U0) and V(t) = V0 + t (V1 - V0), 0 <= t <= 1; a ball t stands for all its times. *psi* are
features at a ball of times, *drift* their derivatives in t. E2: a *moved* unit has other weights at the end, or reads a
moved unit by a nonzero weight; the other units stand still on the whole piece.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from flint import arb, fmpq

from .claims import MarginClaim, Rows, by_label, differences, exp, loss_of
from .common import Exact, Rejection, above, precision, require, words
from .container import Arrays
from .expression import SERIES, build, jet
from .gateway import check_parting
from .network import Features, by_unit, cut_blocks, move, tile
from .schema import INPUT
from .structure import Structure, fractions

LIFT_WORK = 100_000  # one arc in exact rational arithmetic, in multiply-adds


class Segment(Features):
    """The network while its weights move to others, at the ball of times `t`.

    `rows`, `values` and `evaluate` have rows for all samples, and then as many with the derivatives in t.
    """

    def __init__(self, network: Any, moved: Any) -> None:
        super().__init__(network)
        self.last, self.t = Features(moved), arb(0)

    def pieces(self, count: int) -> Iterator[int]:
        """Let t be one after the other of equal pieces that cover [0, 1]."""
        self.jets = [differentiable(layer) for layer in self.layers]
        for piece in range(count):
            self.t = (arb(piece) / count).union(arb(piece + 1) / count)
            yield piece

    def values(self, samples: list[int], rows: Rows) -> dict[int, Rows]:
        """Return the units of every layer, and their derivatives; the inputs stand still."""
        return super().values(samples, rows + [[arb(0)] * len(row) for row in rows])

    def evaluate(self, number: int, layer: Any, rows: Rows, samples: list[int]) -> Rows:
        """Return values and derivatives of one layer's units.

        Guarantee: the balls contain the exact values at every time in t: Z' = H' W + H W' + b', then sigma'(Z) Z'.
        """
        count, w, b = len(samples), self.weights[number], self.biases[number]
        dw, db = self.last.weights[number] - w, self.last.biases[number] - b
        w, b = w + dw * self.t, b + db * self.t
        h, dh = self.windows(number, rows[:count]), self.windows(number, rows[count:])
        z = ((h * w + tile(b, count)) / layer.divisor).entries()
        dz = ((dh * w + h * dw + tile(db, count)) / layer.divisor).entries()
        found = zip(*(jet(self.jets[number], value, slope) for value, slope in zip(z, dz, strict=True)), strict=True)
        return by_unit(list(itertools.chain(*found)), w.ncols(), layer.units)


def differentiable(layer: Any) -> Any:
    """Return the layer's activation on power series."""
    try:
        return build(layer.activation.tree, SERIES)
    except KeyError as missing:
        message = f"not an analytic expression: {missing} has no derivative everywhere"
        raise Rejection(layer.path + "/activation", "network.expression", message, layer.activation.text) from None


def check_escape(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim E1, E2, E3 or E4.path.

    Guarantee: on the piece Phi strictly decreases (E1), is constant (E2, E4), is at most Phi(U0, V0) + epsilon (E3);
    then the path is that of P1, whose obligations hold with the margins that V has there.
    """
    claim, moved = MarginClaim(raw, network, arrays, data), move(network, raw.moved, arrays)
    last = arrays.exact(raw.moved_weights, network.skip_units, data.classes) if raw.label == "E1" else claim.start
    blocks = cut_blocks(network, data.labels, 1)
    arrays.spend(raw.path, work=(2 + 3 * getattr(raw, "pieces", 0)) * network.work * words(raw.precision))
    with precision(raw.precision):
        first, segment, keeps = Features(network), Segment(network, moved), raw.label in ("E2", "E4.path")
        if raw.label == "E2":
            how = check_lift(raw, network, moved, arrays, claim.start, first.rows([0])[0])
        elif raw.label == "E4.path":
            how = check_parting(raw, network, arrays, segment)
        else:
            how = check_moving(raw, segment, blocks, data, (claim.start, last))
        for samples in blocks:
            rows, arrived, shared = first.rows(samples), segment.last.rows(samples), dict[Any, Any]()
            begin = claim.margins(claim.start, samples, rows, {})
            claim.merge(claim.share(samples, begin))
            begin = begin if keeps else claim.margins(last, samples, arrived, shared)
            claim.compare(samples, begin, claim.margins(claim.end, samples, arrived, shared))
        found = claim.conclude()
    return {"precision": raw.precision, **found, "statement": f"{how}; then {found['statement']}"}


def check_moving(raw: Any, segment: Segment, blocks: list[list[int]], data: Any, weights: Any) -> str:
    """Check E1 (the loss decreases) or E3 (it stays low) on every one of the equal pieces that cover [0, 1].

    Guarantee: dPhi/dt = -(1/n) sum_i mult_i sum_k p_ik m'_ik < 0, or Phi <= Phi(U0, V0) + epsilon, at every time.
    """
    bound = raw.start_loss.lower + raw.epsilon if raw.label == "E3" else None
    for piece in segment.pieces(raw.pieces):
        total = arb(0)
        for samples in blocks:
            rows, margins, rates = segment.rows(samples), list[list[arb]](), list[list[arb]]()
            psi, drift = (by_label(data.labels, samples, part) for part in (rows[: len(samples)], rows[len(samples) :]))
            for (label, here), (_, slope) in zip(psi, drift, strict=True):
                first, final = (differences(v, label) for v in weights)
                now, change = first + (final - first) * segment.t, final - first
                margins += (here * now).tolist()
                rates += (slope * now + here * change).tolist()
            for sample, m, rate in zip(samples, margins, rates, strict=True):
                total += data.multiplicities[sample] * (fall(m, rate) if bound is None else loss_of(m))
        message = (
            f"piece {piece}: the loss is not proved to {'decrease' if bound is None else 'stay low'}; more pieces?"
        )
        if bound is None:
            require(total > 0, raw.path + "/pieces", "E1.descent", message, raw.pieces, (-total).str(10))
        else:
            loss = total / data.total
            require(loss <= bound, raw.path + "/epsilon", "E3.sublevel", message, above(bound), above(loss))
    if bound is None:
        return f"U and V move straight to other values, and the loss strictly decreases ({raw.pieces} pieces)"
    return f"U moves straight to other values, the loss at most epsilon = {above(raw.epsilon)} above the start's"


def fall(margins: list[arb], rates: list[arb]) -> arb:
    """Return sum_k p_k m'_k with p_k = 1 / (e^m_k + sum_j e^(m_k - m_j)), written so that nothing overflows."""
    total = arb(0)
    for k, (m, rate) in enumerate(zip(margins, rates, strict=True)):
        others = [exp(m - other) for j, other in enumerate(margins) if j != k]
        total += rate / (sum(others, exp(m)) + 1)
    return total


def check_lift(raw: Any, network: Any, moved: Any, arrays: Arrays, start: Exact, row: list[arb]) -> str:
    """Check E2: the piece (U0, V0) -> (U0', V0) -> (U0', V') -> (U1, V') keeps every logit.

    Guarantee: on the first part every unit keeps its value; on the second Psi V stays the same, where V' is 0 but for
    the skip units that stand still; on the third those stand still. V' exists by structure: every column whose row of
    V0 matters (its entries are not all equal) is a combination of columns that stand still.
    """
    base = network if raw.rerouted is None else move(network, raw.rerouted, arrays)
    size = max(layer.weight.bits for layer in (*network.layers, *base.layers))
    arrays.spend(raw.path, work=2 * network.arcs * words(size) * LIFT_WORK)
    structure = Structure(network)
    kept_values = base is network or structure.sums == Structure(base).sums
    require(kept_values, raw.path + "/rerouted", "E2.reroute", "a unit's pre-activation is not proved to stay the same")
    still = units_at_rest(base, moved)
    resting, kept, one = list(itertools.chain(*still)), dict[int, set[tuple[int, fmpq]]](), False
    for column, (constant, sign, form) in enumerate(structure.skip):
        if resting[column]:
            if sign:
                kept.setdefault(form, set()).add((sign, constant))
            one |= (sign == 0 or structure.degrees[form] == 0) and bool(row[column] != 0)
    one |= any(len({constant for _, constant in seen}) > 1 for seen in kept.values())
    for column, (constant, sign, form) in enumerate(structure.skip):
        weights = start.integers.tolist()[column]
        if resting[column] or all(weight == weights[0] for weight in weights):
            continue
        if sign == 0 or (structure.degrees[form] == 0 and form not in kept):
            carried = one or (sign == 0 and constant == 0)
        else:
            carried = form in kept and (one or any(constant == sign * s * c for s, c in kept[form]))
        message = f"column {column} moves, and no columns at rest are proved to carry its part of the logits"
        require(carried, raw.path + "/moved", "E2.carry", message)
    return f"the loss is constant while {resting.count(False)} skip units move and {resting.count(True)} stand still"


def units_at_rest(base: Any, moved: Any) -> list[list[bool]]:
    """Return for the skip units of every layer whether they stand still.

    Guarantee: a unit at rest has the same weights and bias at both ends and reads no moved unit by a nonzero weight.
    """
    rest: dict[int, list[bool]] = {INPUT: [True] * base.inputs.integers.ncols()}
    for number, (old, new) in enumerate(zip(base.layers, moved.layers, strict=True)):
        sources, rest[number] = [unit for index in old.inputs for unit in rest[index]], []
        (weights, biases), after = ((fractions(layer.weight), fractions(layer.bias)) for layer in (old, new))
        for a, row in enumerate(weights):
            used = [k for k, weight in enumerate(row) if weight != 0]
            for p, window in enumerate(old.windows):
                fixed = row == after[0][a] and biases[p][a] == after[1][p][a]
                rest[number].append(fixed and all(sources[window[k]] for k in used))
    return [[rest[number][unit] for unit in layer.skip] for number, layer in enumerate(base.layers)]
