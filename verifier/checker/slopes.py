"""The chain rule, backwards through the graph: one plain rule per node kind.

Glossary: a *slope* of a node is a row: the derivatives of one number by the node's entries, in C order. *Slopes* are
one such row for each number that is differentiated. A rule takes what a node has computed on one sample (`x` the rows
of what it reads, `y` its own) and the slopes of the node, and returns those of each node that it reads, or None where
there is nothing to return. All numbers are balls: if all values and slopes lie in theirs, so does every result. Where a
function is not continuously differentiable in a neighbourhood, or cannot be seen to be, the result is not finite.
"""

import itertools
from collections.abc import Callable
from functools import reduce
from math import prod
from operator import add, mul
from typing import Any

from flint import arb, arb_mat, arb_series, ctx

from .arithmetic import Row, groups
from .attention import all_seen, has_mask, seen_places
from .expression import SERIES, build, jet
from .geometry import Places, Shape, broadcast, concatenated, permuted, taken
from .moving import token_rows
from .rules import Node, places
from .windowed import affine_parts, pool_places

Rows = list[Row]
ZERO, ONE, UNDEFINED = arb(0), arb(1), arb("nan")


def decided(*parts: Any) -> Any:
    """Return the largest of functions as a power series: that of the one that is certainly above all others.

    Guarantee: where another one may be as large, the result is not finite: there may be a kink.
    """
    if all(isinstance(part, arb) for part in parts):
        return reduce(arb.max, parts)
    length = max(part.prec for part in parts if isinstance(part, arb_series))
    series = [part if isinstance(part, arb_series) else arb_series([part], length) for part in parts]
    top = reduce(lambda best, part: best if best[0].mid() >= part[0].mid() else part, series)
    alone = all(part is top or part[0] < top[0] for part in series)
    return top if alone else arb_series([UNDEFINED] * length, length)


SMOOTH: dict[str, Callable[..., Any]] = SERIES | {
    "Max": decided,
    "Min": lambda *parts: -decided(*(-part for part in parts)),
    "Abs": lambda part: decided(part, -part),
}


def added(a: Rows, b: Rows) -> Rows:
    """Add the slopes of two quantities, entry by entry."""
    return [list(map(add, x, y)) for x, y in zip(a, b, strict=True)]


def times(slopes: Rows, factors: Row) -> Rows:
    """Multiply every slope by the derivative of its entry."""
    return [list(map(mul, row, factors)) for row in slopes]


def scattered(slopes: Rows, at: Places | None, size: int) -> Rows:
    """Undo a gathering of places: entry k of a slope goes to place `at[k]`, those at one place are added up."""
    if at is None:
        return slopes
    found = []
    for row in slopes:
        sums = [ZERO] * size
        for place, entry in zip(at, row, strict=True):
            sums[place] = sums[place] + entry
        found.append(sums)
    return found


def narrowed(slopes: Rows, shape: Shape, target: Shape) -> Rows:
    """Undo a broadcast from `shape` to `target`: the slopes of all copies of an entry are added up."""
    return scattered(slopes, broadcast(shape, target), prod(shape))


def widened(row: Row, shape: Shape, target: Shape) -> Row:
    """Return the entries of a row, broadcast from `shape` to `target`."""
    at = broadcast(shape, target)
    return row if at is None else [row[place] for place in at]


def affine(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of z_fp = b_f + sum_k w_fk s_(window of p)_k: s gets sum_fp z'_fp w_fk, w sum_p z'_fp s_k, b z'_fp."""
    sources, weight_at, bias_at = affine_parts(node)
    row = [*itertools.chain(*(x[part] for part in sources)), ZERO]  # the last one is the padding
    windows, wanted = ops.windows(node), node.reads[weight_at] in ops.wanted
    further = any(node.reads[part] in ops.wanted for part in sources)
    each = node.filters // len(windows)
    weights = groups(x[weight_at], node.fan_in)
    of_sources, of_weights, of_bias = list[Row](), list[Row](), list[Row]()
    for slope in slopes:
        total, by_weight = [ZERO] * len(row), list[arb]()
        for number, of_group in enumerate(windows):
            lines = [by_filter(node, slope, f) for f in range(number * each, (number + 1) * each)]
            if wanted:
                pieces = arb_mat([[row[place] for place in window] for window in of_group])
                by_weight += (arb_mat(lines) * pieces).entries()
            if not further:
                continue
            matrix = arb_mat(weights[number * each : (number + 1) * each])
            backwards = (arb_mat(lines).transpose() * matrix).tolist()
            for window, line in zip(of_group, backwards, strict=True):
                for place, entry in zip(window, line, strict=True):
                    total[place] = total[place] + entry
        of_sources.append(total[:-1])
        of_weights.append(by_weight)
        of_bias.append(bias_slope(node, slope, None if bias_at is None else prod(node.shapes[bias_at])))
    starts = list(itertools.accumulate((len(x[part]) for part in sources), initial=0))
    found: list[Rows | None] = [[line[a:b] for line in of_sources] for a, b in itertools.pairwise(starts)]
    return [*found, of_weights] + ([] if bias_at is None else [of_bias])


def by_filter(node: Node, slope: Row, number: int) -> Row:
    """Return the slope's entries of one filter, position by position."""
    if node.filters_first:
        return slope[number * node.positions : (number + 1) * node.positions]
    return slope[number :: node.filters]


def bias_slope(node: Node, slope: Row, size: int | None) -> Row:
    """Return the slope of the biases: one for each entry, or one for each filter, for all its positions."""
    if size is None or size == node.filters * node.positions:
        return slope
    return [sum(by_filter(node, slope, number), ZERO) for number in range(node.filters)]


def activation(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Map entry by entry: the derivative is sigma', around x, so that x is at no end of sigma's domain."""
    text = node.activation.text
    if text not in ops.lifted:
        ops.lifted[text] = build(node.activation.tree, SMOOTH)
    rates = [jet(ops.lifted[text], surrounded(entry), ONE)[1] for entry in x[0]]
    return [times(slopes, rates)]


def surrounded(entry: arb) -> arb:
    """Return a ball with the given one in its interior; one that is away from 0, however near, stays so."""
    size = entry.abs_lower()
    return entry + arb(0, 1) * arb((1, -ctx.prec)) * (size if 0 < size < 1 else ONE)


def sums(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """A sum hands its slopes to every term."""
    return [narrowed(slopes, shape, node.shape) for shape in node.shapes]


def products(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """A product of several: each factor gets the slope times all the other factors."""
    wide = [widened(row, shape, node.shape) for row, shape in zip(x, node.shapes, strict=True)]
    found: list[Rows | None] = []
    for at, shape in enumerate(node.shapes):
        others = [row for number, row in enumerate(wide) if number != at]
        factors = [reduce(mul, entries) for entries in zip(*others, strict=True)]
        found.append(narrowed(times(slopes, factors), shape, node.shape))
    return found


def gated(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of y = (1 - z) a + z b: z gets b - a, a gets 1 - z, b gets z."""
    z, a, b = (widened(row, shape, node.shape) for row, shape in zip(x, node.shapes, strict=True))
    rates = [[q - p for p, q in zip(a, b, strict=True)], [1 - entry for entry in z], z]
    pairs = zip(rates, node.shapes, strict=True)
    return [narrowed(times(slopes, rate), shape, node.shape) for rate, shape in pairs]


def scaled(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Return the slopes times the node's factor."""
    return [times(slopes, [arb(node.factor)] * len(y))]


def inverse_root(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of y = (x + epsilon)^(-1/2), finite only if x + epsilon > 0 is certain: y' = -y^3 / 2."""
    return [times(slopes, [-(entry * entry * entry) / 2 for entry in y])]


def normalised(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of z = r d, d = x - mean x (or x), r = (mean d^2 + epsilon)^(-1/2).

    By dr = -r^2 mean(z dd) the slope of d is r (s - z mean(s z)); that of x is the same less its mean, if centred.
    """
    length, found = node.shape[-1], []
    factors = [spread_of(piece, node) for piece in groups(x[0], length)]
    for slope in slopes:
        row: Row = []
        for s, z, r in zip(groups(slope, length), groups(y, length), factors, strict=True):
            along = sum(map(mul, s, z), ZERO) / length
            inner = [r * (part - entry * along) for part, entry in zip(s, z, strict=True)]
            middle = sum(inner, ZERO) / length if node.centre else ZERO
            row += [entry - middle for entry in inner]
        found.append(row)
    return [found]


def spread_of(piece: Row, node: Node) -> arb:
    """Return r = (mean d^2 + epsilon)^(-1/2), not finite where what stands below the root may be 0."""
    length = len(piece)
    middle = sum(piece, ZERO) / length if node.centre else ZERO
    differences = [entry - middle for entry in piece]
    below = sum((d * d for d in differences), ZERO) / length + arb(node.epsilon)
    return below.rsqrt() if below > 0 else UNDEFINED


def softmax_slope(shares: Row, slope: Row) -> Row:
    """Return the slope of the scores of p = softmax(x): p_j (s_j - sum_k p_k s_k)."""
    along = sum(map(mul, shares, slope), ZERO)
    return [p * (s - along) for p, s in zip(shares, slope, strict=True)]


def softmax(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """The shares of every piece of the last axis; what a mask leaves out has the share 0, and stays it."""
    length = node.shape[-1]
    found = [
        [entry for p, s in zip(groups(y, length), groups(slope, length), strict=True) for entry in softmax_slope(p, s)]
        for slope in slopes
    ]
    return [found, None][: len(node.reads)]


def attend(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of o = p v, p = softmax(c q k^T): v gets p^T s, the shares s v^T, then q and k as in a product of matrices."""
    (t, c), (s, e) = node.shapes[0][-2:], node.shapes[2][-2:]
    root = ops.root(node)
    full = [(*node.lead, *shape[-2:]) for shape in node.shapes[:3]]
    q, k, v = (widened(row, a, b) for row, a, b in zip(x, node.shapes, full, strict=False))
    seen = seen_places(ops, node, [x[3]])[0] if has_mask(node) else all_seen(node)[0]
    found: list[Rows] = [[], [], []]
    for slope in slopes:
        parts: list[Row] = [[], [], []]
        cut = zip(groups(q, t * c), groups(k, s * c), groups(v, s * e), groups(slope, t * e), strict=True)
        for at, (queries, keys, values, own_slope) in enumerate(cut):
            left, right = arb_mat(t, c, queries), arb_mat(s, c, keys)
            lines, out = arb_mat(s, e, values), arb_mat(t, e, own_slope)
            scores, shares, turned = (left * right.transpose() * root).tolist(), list[Row](), list[Row]()
            for number, (own, by_share) in enumerate(zip(scores, (out * lines.transpose()).tolist(), strict=True)):
                kept = seen[at * t + number]
                p = ops.softmax(node, [own[place] for place in kept])
                shares.append(placed(p, kept, s))
                turned.append(placed(softmax_slope(p, [by_share[place] for place in kept]), kept, s))
            inner = arb_mat(turned) * root
            parts[0] += (inner * right).entries()
            parts[1] += (inner.transpose() * left).entries()
            parts[2] += (arb_mat(shares).transpose() * out).entries()
        for rows, part in zip(found, parts, strict=True):
            rows.append(part)
    narrow = [narrowed(rows, a, b) for rows, a, b in zip(found, node.shapes, full, strict=False)]
    return [*narrow, None][: len(node.reads)]


def placed(numbers: Row, kept: Places, size: int) -> Row:
    """Return a row with numbers at some places and zeros elsewhere."""
    row = [ZERO] * size
    for place, number in zip(kept, numbers, strict=True):
        row[place] = number
    return row


def contract(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Of c = a b, or a b^T: a gets s b^T (s b), b gets a^T s (s^T a)."""
    (n, k), m, lead = node.shapes[0][-2:], node.shape[-1], node.shape[:-2]
    full = [(*lead, *shape[-2:]) for shape in node.shapes]
    a, b = (widened(row, shape, wide) for row, shape, wide in zip(x, node.shapes, full, strict=True))
    found: list[Rows] = [[], []]
    for slope in slopes:
        parts: list[Row] = [[], []]
        triples = zip(groups(a, n * k), groups(b, k * m), groups(slope, n * m), strict=True)
        for left, right, out in triples:
            first, last = arb_mat(n, k, left), arb_mat(n, m, out)
            second = arb_mat(m, k, right) if node.transposed else arb_mat(k, m, right).transpose()
            parts[0] += (last * second).entries()
            of_second = last.transpose() * first  # m x k
            parts[1] += (of_second if node.transposed else of_second.transpose()).entries()
        for rows, part in zip(found, parts, strict=True):
            rows.append(part)
    return [narrowed(rows, shape, wide) for rows, shape, wide in zip(found, node.shapes, full, strict=True)]


def leader(numbers: Row) -> int | None:
    """Return the place of the number that is certainly above all others, if there is one."""
    best = max(range(len(numbers)), key=lambda place: numbers[place].mid())
    alone = all(place == best or number < numbers[best] for place, number in enumerate(numbers))
    return best if alone else None


def of_pieces(how: str, pieces: list[Row], slope: Row) -> Row:
    """Return the slopes of the entries of pieces that are added up, averaged, or of which the largest is taken."""
    row: Row = []
    for piece, s in zip(pieces, slope, strict=True):
        if how != "max":
            row += [s if how == "sum" else s / len(piece)] * len(piece)
            continue
        best = leader(piece)
        row += [UNDEFINED if best is None else s if place == best else ZERO for place in range(len(piece))]
    return row


def reduced(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """The sum, mean or maximum over the last axes; a maximum hands its slope to the entry that attains it alone."""
    pieces = groups(x[0], node.length)
    return [[of_pieces(node.how, pieces, slope) for slope in slopes]]


def pooled(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """The same over windows; padding counts as zeros in a mean, and is left out of a maximum."""
    size, at = len(x[0]), places(node, pool_places) or []
    if node.how == "max":
        return [scattered(max_pooled(node, x[0], at, slopes), at, size)]
    row = [*x[0], ZERO]
    pieces = groups([row[place] for place in at], node.length)
    wide = [of_pieces(node.how, pieces, slope) for slope in slopes]
    return [[line[:size] for line in scattered(wide, at, size + 1)]]


def max_pooled(node: Node, row: Row, at: Places, slopes: Rows) -> Rows:
    """Return the slopes of the places of all windows; a place that stands there instead of padding counts once."""
    found = []
    leaders = []
    for window in groups(at, node.length):
        inside = list(dict.fromkeys(window))
        best = leader([row[place] for place in inside])
        leaders.append(None if best is None else window.index(inside[best]))
    for slope in slopes:
        line: Row = []
        for best, s in zip(leaders, slope, strict=True):
            line += [UNDEFINED if best is None else s if place == best else ZERO for place in range(node.length)]
        found.append(line)
    return found


def running(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Running sums: entry j is in all sums from j on."""
    length = node.shape[-1]
    found = []
    for slope in slopes:
        row: Row = []
        for piece in groups(slope, length):
            row += list(itertools.accumulate(piece[::-1]))[::-1]
        found.append(row)
    return [found]


def kept(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """The same entries in the same order."""
    return [slopes]


def moved(find: Callable[[Node], Places | None]) -> Any:
    """Return the rule of a kind that takes entries at places of what it reads, side by side."""

    def rule(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
        sizes = list(map(prod, node.shapes))
        rows = scattered(slopes, find(node), sum(sizes))
        starts = list(itertools.accumulate(sizes, initial=0))
        return [[row[a:b] for row in rows] for a, b in itertools.pairwise(starts)]

    return rule


def embed(ops: Any, node: Node, x: Rows, y: Row, slopes: Rows) -> list[Rows | None]:
    """Rows of a table, by tokens: each row gets the slopes of all places where it stands."""
    width = prod(node.shapes[1][1:])
    at = [number * width + i for number in token_rows(ops, node, [x[0]])[0] for i in range(width)]
    return [None, scattered(slopes, at, len(x[1]))]


Rule = Callable[[Any, Node, Rows, Row, Rows], list[Rows | None]]
RULES: dict[str, Rule] = {
    "affine": affine,
    "map": activation,
    "add": sums,
    "multiply": products,
    "gate": gated,
    "scale": scaled,
    "inverse-root": inverse_root,
    "normalise": normalised,
    "softmax": softmax,
    "attend": attend,
    "contract": contract,
    "reduce": reduced,
    "cumsum": running,
    "pool": pooled,
    "reshape": kept,
    "permute": moved(lambda node: permuted(node.shapes[0], node.axes)),
    "take": moved(lambda node: taken(node.shapes[0], node.axis, node.entries)),
    "concatenate": moved(lambda node: concatenated(node.shapes, node.axis)),
    "expand": moved(lambda node: broadcast(node.shapes[0], node.shape)),
    "embed": embed,
}
