"""The oracle of graphs: any network's values from the definitions of its node kinds, one sample at a time.

It shares no code with the engines: no index tables, no `Node.compute`, entries are addressed by multi-indices. Numbers
are mpmath's (at the precision of the caller's ``workdps``) or exact fractions; a node's value is an object array of
its own shape.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import sympy
from planted import DIGITS, ORACLE, mp

from verifier.sigma.expressions import T

RATIONAL = {
    "identity": lambda t: t,
    "square": lambda t: t * t,
    "cubic": lambda t: t * t * t,
    "relu": lambda t: max(t, Fraction(0)),
    "leaky_relu": lambda t: max(t, t / 100),
    "hard_tanh": lambda t: max(Fraction(-1), min(Fraction(1), t)),
    "abs(t)": abs,
}
"""Activations that map fractions to fractions."""


def psi_oracle(network, u, inputs, number=mp):
    """Psi(U): one list of M numbers for each sample of ``inputs``, ``(N, d)``; mpmath at `DIGITS` digits by default."""
    with mpmath.workdps(DIGITS):
        rows = []
        for x in np.asarray(inputs, dtype=float):
            values = node_values(network, u, x, number)
            row = []
            for feature in network.features:
                flat = list(values[feature.node].ravel())
                row += flat if feature.entries is None else [flat[j] for j in feature.entries]
            rows.append(row)
        return rows


def node_values(network, u, x, number=mp):
    """The values of all nodes on the sample ``x``, ``(d,)``; ``number`` is `planted.mp` or `Fraction`."""
    values, position = [], 0
    for node in network.nodes:
        read = [values[i] for i in node.reads]
        if node.kind == "input":
            values.append(_tensor(x, node.size, number))
        elif node.kind == "parameter":
            size = math.prod(node.size)
            values.append(_tensor(u[position : position + size], node.size, number))
            position += size
        elif node.kind == "constant":
            values.append(_tensor(node.values, node.values.shape, number))
        else:
            values.append(RULES[node.kind](node, read, number))
    assert position == len(u)
    return values


def _tensor(numbers, shape, number):
    return _filled(shape, [number(v) for v in np.asarray(numbers, dtype=float).ravel().tolist()])


def _filled(shape, flat):
    """An object array of a shape from its entries in C order."""
    flat = list(flat)
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
        found = _filled((filters,), out)
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
    extents = [(k - 1) * step + 1 for k, step in zip(window.kernel, window.dilation or [1] * 9, strict=False)]
    pads = window.padding or [0] * len(space)
    return [(n + 2 * p - e) // s + 1 for n, p, e, s in zip(space, pads, extents, window.stride, strict=True)]


def _place(window, position, offset, space):
    """The cell that a window reads, or None in the padding."""
    place = []
    for axis, (at, step) in enumerate(zip(position, offset, strict=True)):
        dilation = window.dilation[axis] if window.dilation else 1
        pad = window.padding[axis] if window.padding else 0
        place.append(at * window.stride[axis] + step * dilation - pad)
    return tuple(place) if all(0 <= p < n for p, n in zip(place, space, strict=True)) else None


def _map(node, read, number):
    name = node.sigma.name
    if number is Fraction:
        function = RATIONAL[name]
    else:
        function = ORACLE.get(name) or sympy.lambdify(T, node.sigma.expression, "mpmath")
    return _filled(read[0].shape, [function(z) for z in read[0].ravel()])


def _together(read):
    """The entries of tensors that broadcast, cell by cell, and the common shape."""
    shape = np.broadcast_shapes(*(value.shape for value in read))
    return shape, zip(*(np.broadcast_to(value, shape).ravel() for value in read), strict=True)


def _add(node, read, number):
    shape, cells = _together(read)
    return _filled(shape, [_sum(cell, number) for cell in cells])


def _multiply(node, read, number):
    shape, cells = _together(read)
    return _filled(shape, [math.prod(cell, start=number(1)) for cell in cells])


def _gate(node, read, number):
    shape, cells = _together(read)
    return _filled(shape, [(1 - z) * a + z * b for z, a, b in cells])


def _scale(node, read, number):
    return _filled(read[0].shape, [z * number(node.factor) for z in read[0].ravel()])


def _inverse_root(node, read, number):
    return _filled(read[0].shape, [1 / mpmath.sqrt(z + mp(node.epsilon)) for z in read[0].ravel()])


def _normalise(node, read, number):
    (x,) = read
    out = np.empty(x.shape, dtype=object)
    for lead in _cells(x.shape[:-1]):
        row = list(x[lead])
        mean = _sum(row, number) / len(row) if node.centre else number(0)
        variance = _sum(((z - mean) ** 2 for z in row), number) / len(row)
        for j, z in enumerate(row):
            out[(*lead, j)] = (z - mean) / mpmath.sqrt(variance + mp(node.epsilon))
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


def _softmax(scores, mask):
    out = np.empty(scores.shape, dtype=object)
    kept = np.broadcast_to(np.array(1, dtype=object) if mask is None else mask, scores.shape)
    for lead in _cells(scores.shape[:-1]):
        assert all(m in (0, 1) for m in kept[lead]) and any(m == 1 for m in kept[lead])
        top = max(z for z, m in zip(scores[lead], kept[lead], strict=True) if m == 1)
        terms = [mpmath.exp(z - top) if m == 1 else mp(0) for z, m in zip(scores[lead], kept[lead], strict=True)]
        for j, term in enumerate(terms):
            out[(*lead, j)] = term / _sum(terms, mp)
    return out


def _softmax_node(node, read, number):
    return _softmax(read[0], read[1] if len(read) > 1 else None)


def _attend(node, read, number):
    q, k, v = read[:3]
    scores = _products(q, k, True, number) * mpmath.sqrt(mp(node.square))
    return _products(_softmax(scores, read[3] if len(read) > 3 else None), v, False, number)


def _reduce(node, read, number):
    shape = read[0].shape[: -node.axes]
    return _filled(shape, [_reduced(node.how, list(np.ravel(read[0][cell])), number) for cell in _cells(shape)])


def _cumsum(node, read, number):
    x = read[0]
    return _filled(
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
    return _filled(node.size, read[0].ravel())


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
        assert row == tokens[cell] and 0 <= row < table.shape[0]
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
    "softmax": _softmax_node,
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
