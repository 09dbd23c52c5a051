"""E1, E2, E3: one certified piece from (U0, V0) to another U, then P1 with U at rest there. E4: such a path exists.

Glossary: U(t) = U0 + t (U1 - U0) and V(t) = V0 + t (V1 - V0), 0 <= t <= 1; a ball t stands for all its times. *psi* are
features at a ball of times, *drift* their derivatives in t. E2: a *moved* unit has other weights at the end, or reads a
moved unit by a nonzero weight; the other units stand still on the whole piece. E4: the skip units are those of one
dense layer, which nothing reads. For the path (E4.path: samples that a gate merges part at constant loss) each of them
reads one and the same *gate*, a hidden unit: unit j is sigma(w_j z + b_j), z the gate's value. *Groups*: samples that
no layer distinguishes at U0. In a group the gate's values z_i(t) coincide at t = 0 and are different for t > 0.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from operator import sub
from types import SimpleNamespace
from typing import Any

from flint import arb, arb_mat, fmpq, fmpz_mat, nmod_mat

from .analytic import analytic, monotone
from .arithmetic import side_by_side
from .claims import MarginClaim, Rows, by_label, differences, exp, loss_of
from .common import Exact, Rejection, above, precision, require
from .container import Arrays
from .expression import SERIES, build, jet, taylor
from .features import Features, by_unit, tile
from .layered import INPUT
from .network import cut_blocks, move
from .sentences import sentence, statement
from .structure import Structure, fractions

SEGMENT_COPIES = 8  # balls that a unit of a moving network takes, compared with one at rest
PRIME = (1 << 61) - 1  # rows are compared modulo it first
MAX_GROUP = 100  # samples that one gate value may stand for: the order of the Taylor coefficients


class Segment(Features):
    """The network while its weights move to others, at the ball of times `t`.

    `rows`, `values` and `evaluate` have rows for all samples, and then as many with the derivatives in t.
    """

    def __init__(self, network: Any, last: Features) -> None:
        super().__init__(network)
        self.last, self.t, self.jets = last, arb(0), [differentiable(layer) for layer in network.layers]

    def pieces(self, count: int) -> Iterator[int]:
        """Let t be one after the other of equal pieces that cover [0, 1]."""
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
        size = h.nrows()
        z = ((h * w + tile(b, size)) / layer.divisor).entries()
        dz = ((dh * w + h * dw + tile(db, size)) / layer.divisor).entries()
        found = list(zip(*(jet(self.jets[number], *line) for line in zip(z, dz, strict=True)), strict=True))
        for unit, (value, slope) in enumerate(zip(*found, strict=True)):
            if not (value.is_finite() and slope.is_finite()):
                sample = samples[unit // layer.units]
                message = f"sample {sample}: a unit's value or its derivative is not finite on the way"
                raise Rejection(layer.path, "features.finite", message, None, str(value)[:100])
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
    keeps_logits = raw.label in ("E2", "E4.path")
    if keeps_logits:
        require_analytic(network, raw.label)  # then units that move have a value on the way
    after = claim.start  # the output weights where the piece ends
    if raw.label == "E1":
        after = arrays.exact(raw.moved_weights, network.skip_units, data.classes)
    blocks = cut_blocks(network, data.labels, 1, SEGMENT_COPIES * raw.precision, data.classes)
    with precision(raw.precision):
        before, arrived = Features(network), Features(moved)
        if raw.label == "E2":
            how = check_lift(raw, network, moved, arrays, claim.start, before.rows([0])[0])
        elif raw.label == "E4.path":
            how = check_parting(raw, network, arrays, Segment(network, arrived))
        else:
            how = check_moving(raw, Segment(network, arrived), blocks, claim, (claim.start, after))
        for samples in blocks:
            here, there, shared = before.rows(samples), arrived.rows(samples), dict[Any, Any]()
            begin = claim.margins(claim.start, samples, here, {})
            claim.merge(claim.share(samples, begin))  # the loss at the start
            if not keeps_logits:
                begin = claim.margins(after, samples, there, shared)
            claim.compare(samples, begin, claim.margins(claim.end, samples, there, shared))
        found = claim.conclude()
    return {"precision": raw.precision, **found, "statement": statement(how, str(found["statement"]))}


def require_analytic(network: Any, label: str) -> None:
    """Guarantee: on return every activation is real analytic on R."""
    for layer in network.layers:
        message, path = "the activation is not proved to be real analytic on R", layer.path + "/activation"
        require(analytic(layer.activation.tree), path, f"{label}.analytic", message, layer.activation.text)


def check_moving(raw: Any, segment: Segment, blocks: list[list[int]], claim: MarginClaim, weights: Any) -> str:
    """Check E1 (the loss decreases) or E3 (it stays low) on every one of the equal pieces that cover [0, 1].

    Guarantee: dPhi/dt = -(1/n) sum_i mult_i sum_k p_ik m'_ik < 0, or Phi <= Phi(U0, V0) + epsilon, at every time.
    """
    data = claim.data
    for piece in segment.pieces(raw.pieces):
        total = arb(0)  # n Phi, or -n dPhi/dt
        for samples in blocks:
            margins, rates = moving_margins(segment, samples, claim, weights)
            for sample, m, rate in zip(samples, margins, rates, strict=True):
                counts = claim.counts(sample)
                part = fall(m, rate, counts) if raw.label == "E1" else loss_of(m, counts)
                total += data.multiplicities[sample] * part
        if raw.label == "E1":
            message = f"piece {piece}: the loss is not proved to fall; more pieces?"
            require(total > 0, raw.path + "/pieces", "E1.descent", message, raw.pieces, (-total).str(10))
        else:
            bound, loss = raw.start_loss.lower + raw.epsilon, total / data.total
            message = f"piece {piece}: the loss is not proved to stay low; more pieces?"
            require(loss <= bound, raw.path + "/epsilon", "E3.sublevel", message, above(bound), above(loss))
    if raw.label == "E1":
        return sentence("E1", pieces=raw.pieces)
    return sentence("E3", epsilon=above(raw.epsilon))


def moving_margins(segment: Segment, samples: list[int], claim: MarginClaim, weights: Any) -> tuple[Rows, Rows]:
    """Return the margins of some samples at the times in t, and their derivatives, U and V moving."""
    labels, rows = claim.data.labels, segment.rows(samples)
    psi = by_label(labels, samples, rows[: len(samples)])
    drift = by_label(labels, samples, rows[len(samples) :])
    margins: Rows = []
    rates: Rows = []
    for (label, here), (_, slope) in zip(psi, drift, strict=True):
        first, final = (differences(v, label, claim.classes) for v in weights)
        change = final - first
        now = first + change * segment.t
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


def check_lift(raw: Any, network: Any, moved: Any, arrays: Arrays, start: Exact, row: list[arb]) -> str:
    """Check E2: the piece (U0, V0) -> (U0', V0) -> (U0', V') -> (U1, V') keeps every margin.

    Guarantee: on the first part every unit keeps its value; on the second Psi V stays the same, where V' is 0 but for
    the skip units that stand still; on the third those stand still. V' exists by structure: every column whose row of
    V0 matters (its entries are not all equal) is a combination of columns that stand still.
    """
    base = network if raw.rerouted is None else move(network, raw.rerouted, arrays)
    structure = Structure(network)
    kept_values = base is network or structure.sums == Structure(base).sums
    require(kept_values, raw.path + "/rerouted", "E2.reroute", "a unit's pre-activation is not proved to stay the same")
    resting = units_at_rest(base, moved)
    carriers = Carriers(structure, resting, row)
    for column, weights in enumerate(start.integers.tolist()):
        counts_for_nothing = all(weight == weights[0] for weight in weights)  # it adds the same to all logits
        carried = resting[column] or counts_for_nothing or carriers.carry(structure.skip[column])
        message = f"column {column} moves, and no columns at rest are proved to carry its part of the logits"
        require(carried, raw.path + "/moved", "E2.carry", message)
    return sentence("E2", moving=resting.count(False), resting=resting.count(True))


class Carriers:
    """What the skip units at rest span, as far as their normal forms show it."""

    def __init__(self, structure: Structure, resting: list[bool], row: list[arb]) -> None:
        """Collect the units at rest; `row` has the values of the skip units on one sample, to see constants by."""
        self.degrees = structure.degrees
        self.kept: dict[int, set[tuple[int, fmpq]]] = {}  # by forms: the signs and constants with which they rest
        self.one = False  # whether the constant column is in the span
        for unit, rests, value in zip(structure.skip, resting, row, strict=True):
            constant, sign, form = unit
            if rests and sign != 0:
                self.kept.setdefault(form, set()).add((sign, constant))
            if rests and self.is_constant(unit) and value != 0:
                self.one = True
        if any(len({constant for _, constant in seen}) > 1 for seen in self.kept.values()):
            self.one = True  # c0 + s z and c1 + s' z rest: their sum or difference is a constant, not 0

    def is_constant(self, unit: tuple[fmpq, int, int]) -> bool:
        """Return whether the unit is the same number on all samples."""
        _, sign, form = unit
        return sign == 0 or self.degrees[form] == 0

    def carry(self, unit: tuple[fmpq, int, int]) -> bool:
        """Guarantee: if true, then the unit's column is a combination of columns at rest."""
        constant, sign, form = unit
        if self.is_constant(unit) and (sign == 0 or form not in self.kept):
            return self.one or (sign == 0 and constant == 0)
        if form not in self.kept:
            return False
        # z = s (v - c) from a column v = c + s z at rest, so that constant + sign z = sign s v + (constant - sign s c)
        return self.one or any(constant == sign * s * c for s, c in self.kept[form])


def units_at_rest(base: Any, moved: Any) -> list[bool]:
    """Return for the skip units whether they stand still.

    Guarantee: a unit at rest has the same weights and bias at both ends and reads no moved unit by a nonzero weight.
    """
    rest: dict[int, list[bool]] = {INPUT: [True] * base.inputs.integers.ncols()}
    for number, (old, new) in enumerate(zip(base.layers, moved.layers, strict=True)):
        sources = [unit for index in old.inputs for unit in rest[index]]
        sources.append(True)  # the padding rests
        weights, new_weights = fractions(old.weight), fractions(new.weight)
        biases, new_biases = fractions(old.bias), fractions(new.bias)
        rest[number] = []
        for a, row in enumerate(weights):
            read = [k for k, weight in enumerate(row) if weight != 0]
            for p, window in enumerate(old.windows):
                own = old.bias.at(p)
                fixed = row == new_weights[a] and biases[own][a] == new_biases[own][a]
                rest[number].append(fixed and all(sources[window[k]] for k in read))
    return [rest[number][unit] for number, layer in enumerate(base.layers) for unit in layer.skip]


def only_skip_layer(raw: Any, network: Any) -> int:
    """Guarantee: the layer returned is dense, has all the skip units, and no layer reads it."""
    numbers = [number for number, layer in enumerate(network.layers) if layer.skip]
    plain = len(numbers) == 1 and network.layers[numbers[0]].kind == "dense"
    plain = plain and all(numbers[0] not in layer.inputs for layer in network.layers)
    require(plain, raw.path, "E4.layers", "the skip units must be of one dense layer that no layer reads", numbers)
    return numbers[0]


def distinct(balls: Iterable[arb]) -> bool:
    """Guarantee: if true, then the numbers are pairwise different."""
    ordered = sorted(balls, key=lambda ball: ball.mid())
    return all(a < b for a, b in itertools.pairwise(ordered))


def check_gateway(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim E4.

    Guarantee: the hypotheses hold under which a path on which the cross-entropy never increases leads from EVERY (U, V)
    to loss 0: M >= N units of one layer with weights of their own, which nothing reads; sigma analytic and no
    polynomial (strictly monotone with a finite limit); all other units analytic; for some U the lower layers give the
    samples different values: even one unit of the last layer does.
    """
    number, samples = only_skip_layer(raw, network), network.samples
    require(network.skip_units >= samples, raw.path, "E4.units", "needs M >= N", network.skip_units, samples)
    require_analytic(network, "E4")
    top, message = network.layers[number], "not proved to be no polynomial (monotone with a finite limit)"
    way, *ends = monotone(top.activation.tree)
    require(way != 0 and any(map(arb.is_finite, ends)), top.path, "E4.analytic", message, top.activation.text)
    moved = move(network, raw.separating or [], arrays)
    moved.layers[number] = first_unit(moved.layers[number])
    with precision(raw.precision):
        features = Features(moved)
        blocks = cut_blocks(network, [0] * samples, 1, raw.precision)
        column = [row[0] for block in blocks for row in features.rows(block)]
        message = "the first skip unit is not proved to have different values on all samples"
        require(distinct(column), raw.path + "/separating", "E4.separation", message)
    return {"precision": raw.precision, "statement": sentence("E4")}


def first_unit(layer: Any) -> Any:
    """Return a dense layer that has the first skip unit of this one and no others."""
    unit, alone = layer.skip[0], SimpleNamespace(**vars(layer))
    alone.units, alone.skip = 1, [0]
    alone.weight = layer.weight._replace(integers=fmpz_mat([layer.weight.integers.tolist()[unit]]))
    alone.bias = layer.bias._replace(integers=fmpz_mat([[layer.bias.integers[0, unit]]]))
    return alone


def check_parting(raw: Any, network: Any, arrays: Arrays, segment: Any) -> str:
    """Check E4.path: lower weights move straight, U(t), 0 <= t <= 1, the skip layer rests, V(t) keeps every logit.

    Guarantee: for every t the matrix M(t), in which the rows of each group of Psi(U(t)) are replaced by their Newton
    divided differences in z, has full row rank, and it is continuous, t = 0 included. The logits at U0 are the same in
    a group, so M(t) V = (G_A, 0, .., 0) for all A has the continuous solution V(t) = M^T (M M^T)^-1 (..), reached from
    V0 straight at t = 0 without changing a logit. For t > 0 the values in a group differ, the differences are a regular
    combination of the rows, and Psi(U(t)) V(t) is as at the start. [A divided difference of order q of g_j(z) =
    sigma(w_j z + b_j) is the Taylor coefficient of order q of g_j at a point between the nodes.]
    """
    number, samples = only_skip_layer(raw, network), network.samples
    rests = all(entry.layer != number for entry in raw.moved)
    require(rests, raw.path + "/moved", "E4.rest", "the skip layer must not move", number)
    gate = gate_of(raw, network.layers[number])
    groups = merged(raw, network)
    most = max(map(len, groups))
    require(most <= MAX_GROUP, raw.path, "E4.groups", "too many samples are merged into one", most, MAX_GROUP)
    rows: Rows = []
    for group in groups:
        hull = part(raw, segment, number, gate, group)
        columns = [
            taylor_of_unit(segment, number, gate, unit, hull, len(group)) for unit in network.layers[number].skip
        ]
        rows += map(list, zip(*columns, strict=True))
    inverse = arrays.exact(raw.right_inverse, network.skip_units, samples).balls()
    residual = arb_mat(rows) * inverse - arb_mat(samples, samples, 1)
    alpha = sum((error * error for error in residual.entries()), arb(0))  # at least ||M X - I||^2
    message = "the matrices of divided differences are not proved to have full rank on the whole piece"
    require(alpha < 1, raw.path + "/right_inverse", "E4.rank", message, None, above(alpha))
    return sentence("E4.path", groups=sum(len(group) > 1 for group in groups))


def gate_of(raw: Any, layer: Any) -> int:
    """Return the one unit, as an index into the layer's row of inputs, that all its skip units read."""
    weights = layer.weight.integers.tolist()
    read = sorted({k for unit in layer.skip for k, weight in enumerate(weights[unit]) if weight != 0})
    require(len(read) == 1, raw.path, "E4.gate", "the skip units must read one and the same unit", read[:20])
    return read[0]


def part(raw: Any, segment: Any, number: int, gate: int, group: list[int]) -> arb:
    """Return a ball that contains the gate's values on the samples of a group, at all times.

    Guarantee: on every piece the derivatives of these values are pairwise different, so that the values, which coincide
    at t = 0, are pairwise different for t > 0.
    """
    values: list[arb] = []
    for piece in segment.pieces(raw.pieces):
        found = segment.values(group, [segment.inputs[sample] for sample in group])
        sources = [found[source] for source in segment.layers[number].inputs]
        moving = [row[gate] for row in side_by_side(sources)]  # the values, and then the derivatives
        message = f"piece {piece}: samples {group[:8]} are not proved to part"
        require(distinct(moving[len(group) :]), raw.path + "/pieces", "E4.part", message, raw.pieces)
        values += moving[: len(group)]
    return functools.reduce(arb.union, values)


def taylor_of_unit(segment: Any, number: int, gate: int, unit: int, hull: arb, count: int) -> list[arb]:
    """Return so many Taylor coefficients of s -> sigma(w (z + s) + b) of a unit, for all z in the ball `hull`."""
    w, b = segment.weights[number][gate, unit], segment.biases[number][0, unit]
    inner = [w * hull + b, w, *[arb(0)] * count]
    return taylor(segment.jets[number], inner[: max(2, count)])[:count]


def merged(raw: Any, network: Any) -> list[list[int]]:
    """Return the samples in groups; in a group all layers that read the input have the same pre-activations."""
    first = [layer for layer in network.layers if INPUT in layer.inputs]
    plain = all(layer.kind == "dense" and layer.inputs == [INPUT] for layer in first)
    require(plain, raw.path, "E4.layers", "the layers that read the input must be dense and read nothing else")
    return equal_products(network.inputs.integers, [layer.weight.integers.transpose() for layer in first])


def equal_products_plain(rows: fmpz_mat, factors: list[fmpz_mat]) -> list[list[int]]:
    """Group the rows whose products with all factors are equal: the plain way, for comparison."""
    groups: dict[Any, list[int]] = {}
    products = [(rows * factor).tolist() for factor in factors]
    for row in range(rows.nrows()):
        groups.setdefault(tuple(int(z) for product in products for z in product[row]), []).append(row)
    return list(groups.values())


def equal_products(rows: fmpz_mat, factors: list[fmpz_mat]) -> list[list[int]]:
    """Group the rows whose products with all factors are equal, without holding all the products.

    Guarantee: as `equal_products_plain`. Products that differ modulo a prime differ; where they agree modulo the prime,
    each row is compared exactly with the first row of every group so far: (row - first) factor = 0.
    """
    candidates: dict[Any, list[list[int]]] = {}
    residues = [(nmod_mat(rows, PRIME) * nmod_mat(factor, PRIME)).tolist() for factor in factors]
    entries, groups = rows.tolist(), list[list[int]]()
    for number, row in enumerate(entries):
        similar = candidates.setdefault(tuple(int(z) for product in residues for z in product[number]), [])
        for group in similar:
            change = fmpz_mat([list(map(sub, row, entries[group[0]]))])
            if not any(any(z != 0 for z in (change * factor).entries()) for factor in factors):
                group.append(number)
                break
        else:
            similar.append([number])
            groups.append(similar[-1])
    return groups
