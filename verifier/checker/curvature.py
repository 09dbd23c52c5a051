"""Second derivatives of the nodes: one plain rule per node kind that is not linear in what it reads.

Glossary: y is what a node computes from x, what it reads, on one sample; s is a row of factors, one for each entry of
y. A *form* is a linear function of small changes dx: a dict of factors by (number of the read, entry). A rule returns
pairs of forms (a, b) such that the second derivative of <s, y> along dx is the sum of 2 a(dx) b(dx). All numbers are
balls: if all values and factors lie in theirs, so does every result. Where a function is not twice continuously
differentiable in a neighbourhood, or cannot be seen to be, a factor is not finite. (Maxima are linear where slopes.py
finds a slope: one entry is above all others there.)
"""

import itertools
from collections.abc import Callable, Iterable
from functools import reduce
from math import prod
from operator import mul
from typing import Any

from flint import arb

from .arithmetic import Row, groups
from .attention import all_seen, has_mask, seen_places
from .expression import build, taylor
from .geometry import Shape, broadcast
from .rules import Node
from .slopes import ONE, SMOOTH, ZERO, by_filter, spread_of, surrounded
from .windowed import affine_parts

Form = dict[tuple[int, int], arb]
Pair = tuple[Form, Form]


def combined(parts: Iterable[tuple[arb, Form]]) -> Form:
    """Return sum_i c_i F_i of quadratic forms F_i with factors c_i."""
    found: Form = {}
    for factor, form in parts:
        for place, entry in form.items():
            found[place] = found[place] + factor * entry if place in found else factor * entry
    return found


def entry_of(read: int, entry: int) -> Form:
    """Return the form that is the change of one entry."""
    return {(read, entry): ONE}


def spread_places(node: Node, read: int, target: Shape) -> list[int]:
    """Return which entry of what is read stands at each entry of a larger shape."""
    found = broadcast(node.shapes[read], target)
    return list(range(prod(target))) if found is None else list(found)


def affine(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Of z_fp = b_f + sum_k w_fk h_(window of p)_k: sum over p and k of dh_(window of p)_k (sum_f s_fp dw_fk)."""
    sources, weight_at, _ = affine_parts(node)
    starts = list(itertools.accumulate((len(x[part]) for part in sources), initial=0))
    places = [(part, entry) for part in sources for entry in range(len(x[part]))]
    lines = [by_filter(node, s, number) for number in range(node.filters)]
    windows = ops.windows(node)
    each, found = node.filters // len(windows), list[Pair]()
    for number, of_group in enumerate(windows):
        filters = range(number * each, (number + 1) * each)
        for position, window in enumerate(of_group):
            for k, place in enumerate(window):
                if place < starts[-1]:  # not in the padding
                    weights = {(weight_at, f * node.fan_in + k): lines[f][position] for f in filters}
                    found.append(({places[place]: ONE}, weights))
    return found


def activation(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Entry by entry: s sigma''(x) dx^2, in a neighbourhood of x."""
    text = node.activation.text
    if text not in ops.lifted:
        ops.lifted[text] = build(node.activation.tree, SMOOTH)
    halves = (taylor(ops.lifted[text], [surrounded(entry), ONE, ZERO])[2] for entry in x[0])
    return halved_squares((factor * half for factor, half in zip(s, halves, strict=True)), range(len(s)))


def halved_squares(halves: Iterable[arb], entries: Iterable[int]) -> list[Pair]:
    """Return the pairs of the sum of 2 h dx^2 over entries of the first read."""
    return [({(0, entry): half}, entry_of(0, entry)) for half, entry in zip(halves, entries, strict=True)]


def products(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """A product of several: for every two factors their changes times all the other factors."""
    at = [spread_places(node, read, node.shape) for read in range(len(x))]
    found: list[Pair] = []
    for first, second in itertools.combinations(range(len(x)), 2):
        others = [number for number in range(len(x)) if number not in (first, second)]
        for place, factor in enumerate(s):
            rest = reduce(mul, (x[number][at[number][place]] for number in others), factor)
            found.append(({(first, at[first][place]): rest}, entry_of(second, at[second][place])))
    return found


def gated(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Of y = (1 - z) a + z b: s dz (db - da)."""
    z, a, b = (spread_places(node, read, node.shape) for read in range(3))
    found: list[Pair] = []
    for place, factor in enumerate(s):
        found.append(({(0, z[place]): factor}, combined([(ONE, entry_of(2, b[place])), (-ONE, entry_of(1, a[place]))])))
    return found


def inverse_root(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Of y = (x + epsilon)^(-1/2): y'' = 3 y^5 / 4."""
    return halved_squares((factor * entry**5 * arb(3) / 8 for factor, entry in zip(s, y, strict=True)), range(len(s)))


def normalised(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Of y = r d, d = x - mean x (or x), r = (mean d^2 + epsilon)^(-1/2), with c = <s, d>.

    The second derivative of <s, y> by d is -r^3 (s d^T + d s^T + c I) / n + 3 r^5 c d d^T / n^2.
    """
    n, found = node.shape[-1], list[Pair]()
    for number, (piece, factors) in enumerate(zip(groups(x[0], n), groups(s, n), strict=True)):
        r = spread_of(piece, node)
        middle = sum(piece, ZERO) / n if node.centre else ZERO
        d = [entry - middle for entry in piece]
        c, cube = sum(map(mul, factors, d), ZERO), r * r * r / n

        def form(weights: Row, start: int = number * n) -> Form:
            """Return the form <weights, dd> of the changes of x."""
            mean = sum(weights, ZERO) / n if node.centre else ZERO
            return {(0, start + place): weight - mean for place, weight in enumerate(weights)}

        of_d = form(d)
        found.append((form([-cube * factor for factor in factors]), of_d))
        found.append((combined([(3 * cube * r * r * c / (2 * n), of_d)]), of_d))
        for place in range(n):
            own = form([ONE if other == place else ZERO for other in range(n)])
            found.append((combined([(-cube * c / 2, own)]), own))
    return found


def of_shares(shares: Row, factors: Row, changes: list[Form]) -> list[Pair]:
    """Of p = softmax(x), whose changes are given, w_j = p_j (s_j - sum_k p_k s_k): diag(w) - w p^T - p w^T."""
    along = sum(map(mul, shares, factors), ZERO)
    w = [p * (factor - along) for p, factor in zip(shares, factors, strict=True)]
    mean, turned = (combined(zip(row, changes, strict=True)) for row in (shares, w))
    halves = [(combined([(weight / 2, change)]), change) for weight, change in zip(w, changes, strict=True)]
    return [*halves, (combined([(-ONE, mean)]), turned)]


def softmax(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """The shares of every piece of the last axis; what a mask leaves out has the share 0, and stays it."""
    length, found = node.shape[-1], list[Pair]()
    seen = seen_places(ops, node, [x[1]])[0] if has_mask(node) else all_seen(node)[0]
    for number, kept in enumerate(seen):
        at = [number * length + place for place in kept]
        changes = [entry_of(0, place) for place in at]
        found += of_shares([y[place] for place in at], [s[place] for place in at], changes)
    return found


def bilinear(node: Node, s: Row) -> list[Pair]:
    """Of c = a b, or a b^T: the sum over rows n and inner places k of da_nk (sum_m s_nm db_km)."""
    (n, k), m, lead = node.shapes[0][-2:], node.shape[-1], node.shape[:-2]
    a, b = (spread_places(node, read, (*lead, *node.shapes[read][-2:])) for read in range(2))
    found: list[Pair] = []
    for at, out in enumerate(groups(s, n * m)):
        for row, inner in itertools.product(range(n), range(k)):
            columns = ((column * k + inner if node.transposed else inner * m + column) for column in range(m))
            parts = zip(out[row * m : (row + 1) * m], columns, strict=True)
            right = combined((factor, entry_of(1, b[at * k * m + place])) for factor, place in parts)
            found.append((entry_of(0, a[at * n * k + row * k + inner]), right))
    return found


def contract(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """A product of two matrices is linear in each."""
    return bilinear(node, s)


def attend(ops: Any, node: Node, x: list[Row], y: Row, s: Row) -> list[Pair]:
    """Of o = p v, p = softmax(z), z = c q k^T: by z as a softmax, and dz dz of c dq dk, and dp dv."""
    (t, c), (n, e) = node.shapes[0][-2:], node.shapes[2][-2:]
    root, full = ops.root(node), [(*node.lead, *shape[-2:]) for shape in node.shapes[:3]]
    q, k, v = (spread_places(node, read, full[read]) for read in range(3))
    seen = seen_places(ops, node, [x[3]])[0] if has_mask(node) else all_seen(node)[0]
    found: list[Pair] = []
    for at, row in itertools.product(range(prod(node.lead)), range(t)):
        kept = seen[at * t + row]
        own = [q[(at * t + row) * c + i] for i in range(c)]
        keys = [[k[(at * n + j) * c + i] for i in range(c)] for j in kept]
        values = [[v[(at * n + j) * e + i] for i in range(e)] for j in kept]
        out = s[(at * t + row) * e : (at * t + row + 1) * e]
        scores = [root * sum((x[0][a] * x[1][b] for a, b in zip(own, line, strict=True)), ZERO) for line in keys]
        p = ops.softmax(node, scores)
        by_share = [sum((x[2][b] * factor for b, factor in zip(line, out, strict=True)), ZERO) for line in values]
        changes = [
            combined(
                [(root * x[1][b], entry_of(0, a)) for a, b in zip(own, line, strict=True)]
                + [(root * x[0][a], entry_of(1, b)) for a, b in zip(own, line, strict=True)]
            )
            for line in keys
        ]
        found += of_shares(p, by_share, changes)
        along, mean = sum(map(mul, p, by_share), ZERO), combined(zip(p, changes, strict=True))
        for share, rate, change, line, places in zip(p, by_share, changes, keys, values, strict=True):
            moved = combined([(share, change), (-share, mean)])  # dp_j
            found.append((moved, combined((f, entry_of(2, b)) for f, b in zip(out, places, strict=True))))
            turned = share * (rate - along) * root  # the factor of z_j
            found += [(combined([(turned, entry_of(0, a))]), entry_of(1, b)) for a, b in zip(own, line, strict=True)]
    return found


Rule = Callable[[Any, Node, list[Row], Row, Row], list[Pair]]
RULES: dict[str, Rule] = {
    "affine": affine,
    "map": activation,
    "multiply": products,
    "gate": gated,
    "inverse-root": inverse_root,
    "normalise": normalised,
    "softmax": softmax,
    "attend": attend,
    "contract": contract,
}
LINEAR = frozenset(
    ("add", "scale", "reduce", "cumsum", "pool", "reshape", "permute", "take", "concatenate", "expand", "embed")
)
