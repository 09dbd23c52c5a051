"""E4: a path from every point on which the loss never increases; E4.path: one on which merged samples part.

Glossary: the skip units are those of one dense layer, which nothing reads; an output bias, whose column is the constant
1, may stand beside them. For the path (samples that a gate merges part at constant loss) each of them reads one and the
same *gate*, a hidden unit: unit j is sigma(w_j z + b_j), z the gate's value. *Groups*: samples that no layer
distinguishes at U0. In a group the gate's values z_i(t) coincide at t = 0 and are different for t > 0.
"""

import functools
import itertools
from collections.abc import Iterable
from operator import mul, sub
from typing import Any

from flint import arb, arb_mat, fmpz_mat, nmod_mat

from .analytic import by_ends, monotone
from .arithmetic import Row, side_by_side
from .common import above, precision, require
from .container import Arrays
from .expression import SERIES, build, taylor
from .features import Features
from .flags import require_analytic
from .layered import INPUT, require_layered
from .network import cut_blocks, move
from .segment import Segment, pieces
from .sentences import sentence

PRIME = (1 << 61) - 1  # rows are compared modulo it first
MAX_GROUP = 100  # samples that one gate value may stand for: the order of the Taylor coefficients


def only_skip_layer(raw: Any, view: Any) -> Any:
    """Guarantee: the layer returned is dense, has all the skip units, and no layer reads it."""
    numbers = [number for number, layer in enumerate(view.layers) if layer.skip]
    plain = len(numbers) == 1 and view.layers[numbers[0]].kind == "dense"
    plain = plain and all(numbers[0] not in layer.inputs for layer in view.layers)
    require(plain, raw.path, "E4.layers", "the skip units must be of one dense layer that no layer reads", numbers)
    return view.layers[numbers[0]]


def source_nodes(view: Any, layer: Any) -> list[int]:
    """Return the numbers of the nodes that a layer reads."""
    return [0 if index == INPUT else view.layers[index].node for index in layer.inputs]


def unit_of(layer: Any, unit: int) -> tuple[Row, arb]:
    """Return the weights of a unit of a dense layer, and its bias."""
    places = range(layer.weight.integers.ncols())
    weights = layer.weight._replace(integers=fmpz_mat([[layer.weight.integers[unit, k] for k in places]]))
    bias = layer.bias._replace(integers=fmpz_mat([[layer.bias.integers[0, unit]]]))
    return weights.balls().entries(), bias.balls()[0, 0]


def distinct(balls: Iterable[arb]) -> bool:
    """Guarantee: if true, then the numbers are pairwise different."""
    ordered = sorted(balls, key=lambda ball: ball.mid())
    return all(a < b for a, b in itertools.pairwise(ordered))


def check_gateway(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim E4: from every (U, V) a path on which the loss never increases leads to loss 0.

    Guarantee: the hypotheses hold under which a path on which the cross-entropy never increases leads from EVERY (U, V)
    to loss 0: M >= N units of one layer with weights of their own, which nothing reads; sigma analytic and no
    polynomial (strictly monotone with a finite limit); all other units analytic; for some U the lower layers give the
    samples different values: even one unit of the last layer does. An output bias, a part of the logits that does not
    depend on the sample, stays at rest on that path.
    """
    view = require_layered(network, raw)
    layer, samples = only_skip_layer(raw, view), network.samples
    require(view.skip_units >= samples, raw.path, "E4.units", "needs M >= N", view.skip_units, samples)
    require_analytic(network, "E4")
    message = "not proved to be no polynomial (monotone with a finite limit)"
    way, *ends = monotone(layer.activation.tree)
    path, text = layer.path + "/activation", layer.activation.text
    require(way != 0 and any(map(arb.is_finite, ends)), path, "E4.analytic", message, text)
    moved = move(network, raw.separating or [], arrays)
    top = only_skip_layer(raw, require_layered(moved, raw))
    with precision(raw.precision):
        features, column = Features(moved), list[arb]()
        for block in cut_blocks(network, [0] * samples, 1, raw.precision):
            column += first_unit(features, source_nodes(view, top), top, block)
        message = "the first skip unit is not proved to have different values on all samples"
        require(distinct(column), raw.path + "/separating", "E4.separation", message)
    return {"precision": raw.precision, "statement": sentence("E4")}


def first_unit(features: Features, sources: list[int], layer: Any, samples: list[int]) -> Row:
    """Return the first skip unit of a layer on some samples, without the others of its layer."""
    weights, bias = unit_of(layer, layer.skip[0])
    values, function = dict(features.fixed), by_ends(layer.activation.tree)
    for node in features.network.nodes[: max(sources) + 1]:
        if node.varies:
            values[node.number] = features.evaluate(node, values, samples)
    rows = side_by_side([values[source] for source in sources])
    return [function(sum(map(mul, row, weights), bias)) for row in rows]


def check_parting(raw: Any, network: Any, arrays: Arrays, segment: Segment) -> str:
    """Check E4.path: lower weights move straight, U(t), 0 <= t <= 1, the skip layer rests, V(t) keeps every logit.

    Guarantee: for every t the matrix M(t), in which the rows of each group of Psi(U(t)) are replaced by their Newton
    divided differences in z, has full row rank, and it is continuous, t = 0 included. The logits at U0 are the same in
    a group, so M(t) V = (G_A, 0, .., 0) for all A has the continuous solution V(t) = M^T (M M^T)^-1 (..), reached from
    V0 straight at t = 0 without changing a logit. For t > 0 the values in a group differ, the differences are a regular
    combination of the rows, and Psi(U(t)) V(t) is as at the start. [A divided difference of order q of g_j(z) =
    sigma(w_j z + b_j) is the Taylor coefficient of order q of g_j at a point between the nodes. The column of an output
    bias is g = 1.]
    """
    view = require_layered(network, raw)
    layer, samples = only_skip_layer(raw, view), network.samples
    rests = not {entry.node for entry in raw.moved} & {layer.weight_node, layer.bias_node}
    require(rests, raw.path + "/moved", "E4.rest", "the skip layer must not move", layer.node)
    gate = gate_of(raw, layer)
    groups = merged(raw, view)
    most = max(map(len, groups))
    require(most <= MAX_GROUP, raw.path, "E4.groups", "too many samples are merged into one", most, MAX_GROUP)
    sources, rows = source_nodes(view, layer), list[Row]()
    function, units = build(layer.activation.tree, SERIES), [unit_of(layer, unit) for unit in layer.skip]
    arcs = [(weights[gate], bias) for weights, bias in units]
    for group in groups:
        hull, count = part(raw, segment, sources, gate, group), len(group)
        columns = [taylor_of_unit(function, w, b, hull, count) for w, b in arcs]
        if view.output_bias:
            columns.append([arb(order == 0) for order in range(count)])
        rows += map(list, zip(*columns, strict=True))
    inverse = arrays.exact(raw.right_inverse, network.columns, samples).balls()
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


def part(raw: Any, segment: Segment, sources: list[int], gate: int, group: list[int]) -> arb:
    """Return a ball that contains the gate's values on the samples of a group, at all times.

    Guarantee: on every piece the derivatives of these values are pairwise different, so that the values, which coincide
    at t = 0, are pairwise different for t > 0.
    """
    values: Row = []
    for piece, t in enumerate(pieces(raw.pieces)):
        tables = segment.values(group, t)
        moving = [row[gate] for row in side_by_side([tables[source] for source in sources])]
        message = f"piece {piece}: samples {group[:8]} are not proved to part"
        parted = distinct(series.c[1] for series in moving)
        require(parted, raw.path + "/pieces", "E4.part", message, raw.pieces)
        values += (series.c[0] for series in moving)
    hull: arb = functools.reduce(arb.union, values)
    return hull


def taylor_of_unit(function: Any, w: arb, b: arb, hull: arb, count: int) -> Row:
    """Return so many Taylor coefficients of s -> sigma(w (z + s) + b) of a unit, for all z in the ball `hull`."""
    inner = [w * hull + b, w, *[arb(0)] * count]
    return taylor(function, inner[: max(2, count)])[:count]


def merged(raw: Any, view: Any) -> list[list[int]]:
    """Return the samples in groups; in a group all layers that read the input have the same pre-activations."""
    first = [layer for layer in view.layers if INPUT in layer.inputs]
    plain = all(layer.kind == "dense" and layer.inputs == [INPUT] for layer in first)
    require(plain, raw.path, "E4.layers", "the layers that read the input must be dense and read nothing else")
    return equal_products(view.inputs.integers, [layer.weight.integers.transpose() for layer in first])


def equal_products(rows: fmpz_mat, factors: list[fmpz_mat]) -> list[list[int]]:
    """Group the rows whose products with all factors are equal, without holding all the products.

    Guarantee: two rows are in one group exactly if all of their products are equal. Products that differ modulo a prime
    differ; where they agree modulo the prime, each row is compared exactly with the first row of every group so far:
    (row - first) factor = 0.
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
