"""The rules of node kinds that mix the entries of an axis: normalisation, softmax, products of matrices, attention.

Glossary: as in rules.py. The *last axis* of a row is its pieces of the length `shape[-1]`. A *mask* has zeros and ones;
what it leaves out has the share 0.
"""

from math import prod
from typing import Any

from .arithmetic import Arithmetic, Row, Table, groups, paired
from .common import Rejection, require
from .geometry import Places, Shape, common_shape
from .rules import Node, fits, same_shape, spread


def with_last_axis(node: Node) -> Shape:
    """Return the shape of what is read, which has an axis."""
    fits(len(node.shapes[0]) >= 1, node, "a single number has no last axis")
    return same_shape(node)


def normalised(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Normalise every piece of the last axis; `Arithmetic.normalise` says how one piece is."""
    length = node.shape[-1]
    return [[y for piece in groups(row, length) for y in ops.normalise(node, piece)] for row in tables[0]]


def softmax_shape(node: Node) -> Shape:
    """Return the shape of the scores, to which a mask broadcasts."""
    node.scores = with_last_axis(node)
    fits(common_shape(node.shapes) == node.scores, node, "the mask does not broadcast to the scores")
    found: Shape = node.scores
    return found


def has_mask(node: Node) -> bool:
    """Return whether the last node that is read is a mask."""
    return len(node.reads) == {"softmax": 2, "attend": 4}.get(node.kind)


def seen_places(ops: Arithmetic, node: Node, mask: Table) -> list[list[Places]]:
    """Return, for each row of a mask and each piece of the scores' last axis, the places in it that are not left out.

    Guarantee: the mask's entries are exactly 0 or 1, at least one in each piece is 1; otherwise Rejection.
    """
    found = []
    for row in spread(ops, mask, node.shapes[-1], node.scores):
        pieces = groups(list(map(ops.whole, row)), node.scores[-1])
        plain = all(1 in piece and set(piece) <= {0, 1} for piece in pieces)
        require(plain, node.path, "network.mask", "a row of a mask is not of exact zeros and ones, one 1 at least")
        found.append([[place for place, entry in enumerate(piece) if entry == 1] for piece in pieces])
    return found


def all_seen(node: Node) -> list[list[Places]]:
    """Return what `seen_places` returns for a mask of ones."""
    length = node.scores[-1]
    return [[list(range(length))] * (prod(node.scores) // length)]


def shares(ops: Arithmetic, node: Node, scores: Row, seen: list[Places]) -> Row:
    """Return the softmax of every piece; what the mask leaves out has the share 0, and its score does not count."""
    length, found = node.scores[-1], list[Any]()
    for number, kept in enumerate(seen):
        piece = [ops.zero] * length
        chosen = [scores[number * length + place] for place in kept]
        for place, share in zip(kept, ops.softmax(node, chosen), strict=True):
            piece[place] = share
        found += piece
    return found


def softmax(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return the softmax along the last axis."""
    seen = seen_places(ops, node, tables[1]) if has_mask(node) else all_seen(node)
    return [shares(ops, node, scores, places) for scores, places in paired([tables[0], seen])]


def contract_shape(node: Node) -> Shape:
    """Return (..., n, m) of (..., n, k) and (..., k, m), or (..., m, k) if transposed."""
    a, b = node.shapes
    fits(len(a) >= 2 and len(b) >= 2, node, "both need two axes")
    inner, columns = (b[-1], b[-2]) if node.transposed else (b[-2], b[-1])
    fits(a[-1] == inner, node, "the inner extents differ")
    lead = common_shape([a[:-2], b[:-2]])
    fits(lead is not None, node, "the leading axes do not broadcast")
    node.work = prod(lead or ()) * a[-2] * inner * columns
    return (*(lead or ()), a[-2], columns)


def contract(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return one matrix product for every place of the leading axes."""
    (n, k), m, lead = node.shapes[0][-2:], node.shape[-1], node.shape[:-2]
    a, b = (spread(ops, table, shape, (*lead, *shape[-2:])) for table, shape in zip(tables, node.shapes, strict=True))
    found = []
    for left, right in paired([a, b]):
        pairs = zip(groups(left, n * k), groups(right, k * m), strict=True)
        found.append([entry for x, y in pairs for entry in ops.product(x, y, n, k, m, node.transposed)])
    return found


def attend_shape(node: Node) -> Shape:
    """Return (..., t, e) of q (..., t, c), k (..., s, c), v (..., s, e), and perhaps a mask of (..., t, s)."""
    q, k, v = node.shapes[:3]
    fits(min(len(q), len(k), len(v)) >= 2, node, "q, k and v need two axes")
    fits(q[-1] == k[-1] and k[-2] == v[-2], node, "the extents of q, k and v do not fit")
    lead = common_shape([q[:-2], k[:-2], v[:-2]])
    if lead is None:
        raise Rejection(node.path, "network.node", "attend: the leading axes do not broadcast", node.shapes)
    node.lead, node.scores = lead, (*lead, q[-2], k[-2])
    fits(
        common_shape([node.scores, *node.shapes[3:]]) == node.scores, node, "the mask does not broadcast to the scores"
    )
    node.work = prod(node.scores) * (q[-1] + v[-1])
    return (*lead, q[-2], v[-1])


def attend(ops: Arithmetic, node: Node, tables: list[Table]) -> Table:
    """Return softmax(sqrt(square) q k^T, mask) v for every place of the leading axes."""
    (t, c), (s, e) = node.shapes[0][-2:], node.shapes[2][-2:]
    spreads = [
        spread(ops, table, shape, (*node.lead, *shape[-2:]))
        for table, shape in zip(tables[:3], node.shapes[:3], strict=True)
    ]
    seen = seen_places(ops, node, tables[3]) if has_mask(node) else all_seen(node)
    factor, found = ops.root(node), []
    for q, k, v, places in paired([*spreads, seen]):
        row: Row = []
        for at in range(prod(node.lead)):
            scores = ops.scores(q[at * t * c : (at + 1) * t * c], k[at * s * c : (at + 1) * s * c], t, c, s)
            pieces, lines = groups([score * factor for score in scores], s), groups(v[at * s * e : (at + 1) * s * e], e)
            for piece, kept in zip(pieces, places[at * t : (at + 1) * t], strict=True):
                row += ops.attended(node, [piece[place] for place in kept], [lines[place] for place in kept])
        found.append(row)
    return found
