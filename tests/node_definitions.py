"""The definition of every node kind, once for all tests: one entry after the other, by multi-indices, on object arrays.

Nothing is shared with the package: `oracle_graph` gives it the prover's nodes, `certificates/reading` and
`checker/plain_graph` those of a certificate's document (`stated`). ``number`` makes a number of the kind that is
computed with: a fraction, or mpmath's at the working precision.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import numpy as np


class Undefined(ArithmeticError):
    """A node has no value."""


def real(value):
    """Return an mpmath number of a fraction, or of any other number."""
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)


def stated(node, function):
    """Return the fields of a document's node; ``function`` makes one of an activation's text."""
    fields = {key: node[key] for key in node if key not in ("kind", "reads")}
    for key in fields.keys() & {"epsilon", "factor", "square"}:
        fields[key] = Fraction(int(node[key][0]), int(node[key][1]))
    if isinstance(fields.get("over"), dict):
        fields["over"] = SimpleNamespace(**fields["over"])
    if node["kind"] == "map":
        fields["function"] = function(node["activation"])
    return SimpleNamespace(**fields, size=node.get("shape"), window=SimpleNamespace(**fields))


def filled(shape, flat):
    """An object array of a shape from its entries in C order."""
    out = np.empty(shape, dtype=object)
    for cell, value in zip(_cells(shape), flat, strict=True):
        out[cell] = value
    return out


def _cells(shape):
    return list(itertools.product(*map(range, shape)))


def _sum(terms, number):
    total = number(0)
    for term in terms:
        total = total + term
    return total


def _affine(node, read, number):
    """Window by window, filter by filter."""
    *sources, weight, bias = read if node.bias else [*read, None]
    filters = weight.shape[0]
    if node.over == "all":
        row = [z for source in sources for z in source.ravel()]
        out = [_sum((w * z for w, z in zip(weight[f].ravel(), row, strict=True)), number) for f in range(filters)]
        found = filled((filters,), out)
    elif node.over == "last":
        lead = sources[0].shape[:-1]
        found = np.empty((*lead, filters), dtype=object)
        for cell, f in itertools.product(_cells(lead), range(filters)):
            pairs = zip(weight[f].ravel(), sources[0][cell], strict=True)
            found[(*cell, f)] = _sum((w * z for w, z in pairs), number)
    else:
        found = _convolution(node.over, sources, weight, number)
    if node.bias:
        for cell in _cells(found.shape):
            unit = cell[-1] if node.over == "last" else cell[0]
            found[cell] = found[cell] + (bias[cell] if bias.shape == found.shape else bias[unit])
    return found


def _convolution(window, sources, weight, number):
    planes = [source[c] for source in sources for c in range(source.shape[0])]
    filters, inner = weight.shape[:2]
    space = planes[0].shape
    found = np.empty((filters, *_positions(window, space)), dtype=object)
    for f, *position in _cells(found.shape):
        first = (f // (filters // window.groups)) * inner
        terms = []
        for c, offset in itertools.product(range(inner), _cells(window.kernel)):
            place = _place(window, position, offset, space)
            if place is not None:
                terms.append(weight[(f, c, *offset)] * planes[first + c][place])
        found[(f, *position)] = _sum(terms, number)
    return found


def _positions(window, space):
    axes = zip(space, window.kernel, window.stride, window.padding, window.dilation, strict=True)
    return [(n + 2 * pad - (kernel - 1) * gap - 1) // step + 1 for n, kernel, step, pad, gap in axes]


def _place(window, position, offset, space):
    """The cell that a window reads, or None in the padding."""
    axes = zip(position, offset, window.stride, window.padding, window.dilation, strict=True)
    place = tuple(at * step + taken * gap - pad for at, taken, step, pad, gap in axes)
    return place if all(0 <= p < n for p, n in zip(place, space, strict=True)) else None


def _map(node, read, number):
    return filled(read[0].shape, [node.function(z) for z in read[0].ravel()])


def _together(read):
    """The entries of tensors that broadcast, cell by cell, and the common shape."""
    shape = np.broadcast_shapes(*(value.shape for value in read))
    return shape, zip(*(np.broadcast_to(value, shape).ravel() for value in read), strict=True)


def _add(node, read, number):
    shape, cells = _together(read)
    return filled(shape, [_sum(cell, number) for cell in cells])


def _multiply(node, read, number):
    shape, cells = _together(read)
    return filled(shape, [math.prod(cell, start=number(1)) for cell in cells])


def _gate(node, read, number):
    shape, cells = _together(read)
    return filled(shape, [(1 - z) * a + z * b for z, a, b in cells])


def _scale(node, read, number):
    return filled(read[0].shape, [z * number(node.factor) for z in read[0].ravel()])


def _over_root(value, epsilon, number):
    if not value + number(epsilon) > 0:
        raise Undefined("1 / sqrt of a number that is not positive")
    return 1 / mpmath.sqrt(value + number(epsilon))


def _inverse_root(node, read, number):
    return filled(read[0].shape, [_over_root(z, node.epsilon, number) for z in read[0].ravel()])


def _normalise(node, read, number):
    (x,) = read
    out = np.empty(x.shape, dtype=object)
    for lead in _cells(x.shape[:-1]):
        row = list(x[lead])
        mean = _sum(row, number) / len(row) if node.centre else number(0)
        variance = _sum(((z - mean) ** 2 for z in row), number) / len(row)
        factor = _over_root(variance, node.epsilon, number)
        for j, z in enumerate(row):
            out[(*lead, j)] = (z - mean) * factor
    return out


def _products(a, b, transposed, number):
    b = np.swapaxes(b, -1, -2) if transposed else b
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    out = np.empty((*lead, a.shape[-2], b.shape[-1]), dtype=object)
    for *cell, i, j in _cells(out.shape):
        row, column = a[(*cell, i)], b[(*cell, slice(None), j)]
        out[(*cell, i, j)] = _sum((p * q for p, q in zip(row, column, strict=True)), number)
    return out


def _contract(node, read, number):
    return _products(*read, node.transposed, number)


def _shares(scores, mask, number):
    out = np.empty(scores.shape, dtype=object)
    kept = np.broadcast_to(np.array(1, dtype=object) if mask is None else mask, scores.shape)
    for lead in _cells(scores.shape[:-1]):
        assert all(m in (0, 1) for m in kept[lead]) and any(m == 1 for m in kept[lead])
        top = max(z for z, m in zip(scores[lead], kept[lead], strict=True) if m == 1)
        terms = [mpmath.exp(z - top) if m == 1 else number(0) for z, m in zip(scores[lead], kept[lead], strict=True)]
        for j, term in enumerate(terms):
            out[(*lead, j)] = term / _sum(terms, number)
    return out


def _softmax(node, read, number):
    return _shares(read[0], read[1] if len(read) > 1 else None, number)


def _attend(node, read, number):
    q, k, v = read[:3]
    scores = _products(q, k, True, number) * mpmath.sqrt(number(node.square))
    return _products(_shares(scores, read[3] if len(read) > 3 else None, number), v, False, number)


def _reduce(node, read, number):
    shape = read[0].shape[: -node.axes]
    return filled(shape, [_reduced(node.how, list(np.ravel(read[0][cell])), number) for cell in _cells(shape)])


def _cumsum(node, read, number):
    x = read[0]
    return filled(
        x.shape, [_sum([x[(*cell[:-1], j)] for j in range(cell[-1] + 1)], number) for cell in _cells(x.shape)]
    )


def _reduced(how, row, number):
    return max(row) if how == "max" else _sum(row, number) / (len(row) if how == "mean" else 1)


def _pool(node, read, number):
    window, space = node.window, read[0].shape[1:]
    found = np.empty((read[0].shape[0], *_positions(window, space)), dtype=object)
    for c, *position in _cells(found.shape):
        places = [_place(window, position, offset, space) for offset in _cells(window.kernel)]
        row = [read[0][(c, *place)] for place in places if place is not None]
        divisor = math.prod(window.kernel)
        found[(c, *position)] = max(row) if node.how == "max" else _sum(row, number) / divisor
    return found


def _reshape(node, read, number):
    return filled(node.size, read[0].ravel())


def _permute(node, read, number):
    out = np.empty([read[0].shape[axis] for axis in node.axes], dtype=object)
    for cell in _cells(read[0].shape):
        out[tuple(cell[axis] for axis in node.axes)] = read[0][cell]
    return out


def _take(node, read, number):
    shape = read[0].shape
    out = np.empty((*shape[: node.axis], len(node.entries), *shape[node.axis + 1 :]), dtype=object)
    for cell in _cells(out.shape):
        out[cell] = read[0][(*cell[: node.axis], node.entries[cell[node.axis]], *cell[node.axis + 1 :])]
    return out


def _concatenate(node, read, number):
    return np.concatenate(read, axis=node.axis)


def _expand(node, read, number):
    return np.broadcast_to(read[0], node.size).copy()


def _embed(node, read, number):
    tokens, table = read
    out = np.empty((*tokens.shape, *table.shape[1:]), dtype=object)
    for cell in _cells(tokens.shape):
        row = int(tokens[cell])
        if row != tokens[cell] or not 0 <= row < table.shape[0]:
            raise Undefined("a token that is no row of the table")
        out[cell] = table[row] if table.shape[1:] else table[(row,)]
    return out


RULES = {
    "affine": _affine,
    "map": _map,
    "add": _add,
    "multiply": _multiply,
    "gate": _gate,
    "scale": _scale,
    "inverse-root": _inverse_root,
    "normalise": _normalise,
    "contract": _contract,
    "softmax": _softmax,
    "attend": _attend,
    "reduce": _reduce,
    "cumsum": _cumsum,
    "pool": _pool,
    "reshape": _reshape,
    "permute": _permute,
    "take": _take,
    "concatenate": _concatenate,
    "expand": _expand,
    "embed": _embed,
}
"""One rule for each node kind."""
