"""E4: samples that a gate merges part at constant loss; and: from every point a non-increasing path exists.

Glossary: the skip units are those of one dense layer, which nothing reads. For the path each of them reads one and the
same *gate*, a hidden unit: unit j is sigma(w_j z + b_j), z the gate's value. *Groups*: samples that no layer
distinguishes at U0. Within a group A the gate's values z_i(t) coincide at t = 0 and are pairwise different for t > 0.
"""

import functools
import itertools
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from flint import arb, arb_mat, fmpz_mat

from .analytic import analytic, monotone
from .common import above, precision, require, words
from .container import Arrays
from .expression import taylor
from .network import Features, cut_blocks, join, move
from .schema import INPUT


def only_skip_layer(raw: Any, network: Any) -> int:
    """Guarantee: the layer returned is dense, has all the skip units, and no layer reads it."""
    numbers = [number for number, layer in enumerate(network.layers) if layer.skip]
    number = numbers[0]
    plain = len(numbers) == 1 and network.layers[number].kind == "dense"
    plain = plain and all(number not in layer.inputs for layer in network.layers)
    message = "the skip units must be of one dense layer that no layer reads"
    require(plain, raw.path, "E4.layers", message, numbers)
    return number


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
    for layer in network.layers:
        message = "the activation is not proved to be real analytic on R"
        require(analytic(layer.activation.tree), layer.path, "E4.analytic", message, layer.activation.text)
    tree = network.layers[number].activation.tree
    way, *ends = monotone(tree)
    bent = way != 0 and any(end.is_finite() for end in ends)
    message = "the activation is not proved to be no polynomial (monotone with a finite limit)"
    require(bent, network.layers[number].path, "E4.analytic", message, network.layers[number].activation.text)
    moved = move(network, raw.separating or [], arrays)
    last = moved.layers[number] = SimpleNamespace(**vars(moved.layers[number]))  # of which one unit is evaluated
    unit, last.units, last.skip = last.skip[0], 1, [0]
    last.weight = last.weight._replace(integers=fmpz_mat([last.weight.integers.tolist()[unit]]))
    last.bias = last.bias._replace(integers=fmpz_mat([[last.bias.integers[0, unit]]]))
    arrays.spend(raw.path, work=network.work * words(raw.precision))
    with precision(raw.precision):
        features = Features(moved)
        column = [row[0] for block in cut_blocks(network, [0] * samples, 1) for row in features.rows(block)]
        message = "the first skip unit is not proved to have different values on all samples"
        require(distinct(column), raw.path + "/separating", "E4.separation", message)
    statement = "from EVERY (U, V) a path on which the cross-entropy never increases leads to loss 0 (wide last layer "
    statement += "of units with weights of their own, analytic, no polynomial; the layers below separate the samples)"
    return {"precision": raw.precision, "statement": statement}


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
    layer, units = network.layers[number], network.skip_units
    rests = all(entry.layer != number for entry in raw.moved)
    require(rests, raw.path + "/moved", "E4.rest", "the skip layer must not move", number)
    weights = layer.weight.integers.tolist()
    read = sorted({k for unit in layer.skip for k, weight in enumerate(weights[unit]) if weight != 0})
    require(len(read) == 1, raw.path, "E4.gate", "the skip units must read one and the same unit", read[:20])
    groups = merged(raw, network)
    spent = samples * units * (samples + max(map(len, groups)) * 1000) * words(raw.precision)
    arrays.spend(raw.path, work=spent + 3 * raw.pieces * network.work * words(raw.precision))
    entries: list[list[arb]] = []
    for group in groups:
        seen, orders = list[arb](), max(2, len(group))
        for piece in segment.pieces(raw.pieces):
            found = segment.values(group, [segment.inputs[sample] for sample in group])
            gate = [row[read[0]] for row in join([found[source] for source in layer.inputs])]
            message = f"piece {piece}: samples {group[:8]} are not proved to part"
            require(distinct(gate[len(group) :]), raw.path + "/pieces", "E4.part", message, raw.pieces)
            seen += gate[: len(group)]
        hull, columns = functools.reduce(arb.union, seen), []
        for unit in layer.skip:
            w, b = segment.weights[number][read[0], unit], segment.biases[number][0, unit]
            inner = [w * hull + b, w, *[arb(0)] * len(group)]
            columns.append(taylor(segment.jets[number], inner[:orders])[: len(group)])
        entries += map(list, zip(*columns, strict=True))
    inverse = arrays.exact(raw.right_inverse, units, samples).balls()
    residual = (arb_mat(entries) * inverse).tolist()
    errors = (entry - int(i == j) for i, row in enumerate(residual) for j, entry in enumerate(row))
    alpha = sum((error * error for error in errors), arb(0))  # at least ||M X - I||^2
    message = "the matrices of divided differences are not proved to have full rank on the whole piece"
    require(alpha < 1, raw.path + "/right_inverse", "E4.rank", message, None, above(alpha))
    return f"{sum(len(g) > 1 for g in groups)} groups of merged samples part at constant loss, V following continuously"


def merged(raw: Any, network: Any) -> list[list[int]]:
    """Return the samples in groups; in a group all layers that read the input have the same pre-activations."""
    first = [layer for layer in network.layers if INPUT in layer.inputs]
    message = "the layers that read the input must be dense and read nothing else"
    plain = all(layer.kind == "dense" and layer.inputs == [INPUT] for layer in first)
    require(plain, raw.path, "E4.layers", message)
    products = [(network.inputs.integers * layer.weight.integers.transpose()).tolist() for layer in first]
    groups: dict[Any, list[int]] = {}
    for sample in range(network.samples):
        groups.setdefault(tuple(int(z) for rows in products for z in rows[sample]), []).append(sample)
    return list(groups.values())
