"""The values of a network's nodes on one sample, from the definition of each kind, in any exact or long numbers.

Nothing is shared with the engines: no tables of indices, no `Node.compute`; entries are addressed by multi-indices. A
value is an object array of the node's shape. NumPy moves its entries and computes nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.network.network import Network
from verifier.network.nodes import Window

Value = NDArray[np.object_]
Cell = tuple[int, ...]


class Undefined(ZeroDivisionError):
    """A node has no value here: a division by zero, or a root of what is not positive."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers to compute in: how a fraction becomes one, what an activation makes of one, and ``exp`` and roots.

    ``exp`` and ``root`` are None for rational numbers, where nodes that need them have no value.
    """

    of: Callable[[Fraction], Any]
    act: Callable[[Any, Any], Any]
    exp: Callable[[Any], Any] | None = None
    root: Callable[[Any], Any] | None = None


RATIONAL_KINDS: Final = frozenset(
    "input parameter constant affine map add multiply gate scale contract reduce pool reshape permute take concatenate"
    " expand embed".split()
)
"""The kinds of nodes that map rational numbers to rational numbers, if their activations do."""


def feature_row(network: Network, u: Sequence[Any], sample: Sequence[Any], numbers: Numbers) -> list[Any]:
    """Evaluate one row of Psi in any numbers, node by node from the definitions.

    Parameters
    ----------
    network : Network
        With p parameters, d inputs and M features.
    u, sample : sequence
        p and d of the numbers.
    numbers : Numbers
        What they are.

    Returns
    -------
    list
        M numbers.

    Raises
    ------
    Undefined
        A node has no value.
    """
    values = node_values(network, u, sample, numbers)
    row: list[Any] = []
    for feature in network.features:
        flat = values[feature.node].ravel().tolist()
        row += flat if feature.entries is None else [flat[entry] for entry in feature.entries]
    return row


def node_values(network: Network, u: Sequence[Any], sample: Sequence[Any], numbers: Numbers) -> list[Value]:
    """The values of all nodes that Psi needs, in order, empty for others; arguments as for `feature_row`."""
    needed = {feature.node for feature in network.features}
    for index in range(len(network.nodes) - 1, -1, -1):
        needed |= set(network.nodes[index].reads) if index in needed else set()
    values: list[Value] = []
    offset = 0
    for index, node in enumerate(network.nodes):
        shape = network.node_shapes[index]
        if index not in needed:
            values.append(np.empty(0, dtype=object))
            offset += math.prod(shape) if node.kind == "parameter" else 0
        elif node.kind == "input":
            values.append(_filled(shape, sample))
        elif node.kind == "parameter":
            values.append(_filled(shape, u[offset : offset + math.prod(shape)]))
            offset += math.prod(shape)
        elif node.kind == "constant":
            stored: Any = node
            values.append(_filled(shape, [numbers.of(Fraction(x)) for x in stored.values.ravel().tolist()]))
        else:
            values.append(RULES[node.kind](node, [values[read] for read in node.reads], numbers))
    return values


def _filled(shape: Cell, entries: Iterable[Any]) -> Value:
    """An array of a shape from its entries in C order."""
    found = np.empty(shape, dtype=object)
    for cell, entry in zip(np.ndindex(*shape), entries, strict=True):
        found[cell] = entry
    return found


def _sum(terms: Iterable[Any], numbers: Numbers) -> Any:
    return sum(terms, start=numbers.of(Fraction(0)))


def _dot(a: Iterable[Any], b: Iterable[Any], numbers: Numbers) -> Any:
    return _sum((x * y for x, y in zip(a, b, strict=True)), numbers)


def _affine(node: Any, read: list[Value], numbers: Numbers) -> Value:
    *sources, weight = read[:-1] if node.bias else read
    if node.over == "all":
        row = [entry for source in sources for entry in source.ravel()]
        found = _filled(
            (len(weight),), [_dot(filtered.ravel(), row, numbers) for filtered in np.atleast_2d(weight.T).T]
        )
    elif node.over == "last":
        (source,) = sources
        found = np.empty((*source.shape[:-1], len(weight)), dtype=object)
        for *lead, unit in np.ndindex(*found.shape):
            found[(*lead, unit)] = _dot(weight[unit].ravel(), source[tuple(lead)], numbers)
    else:
        found = _convolution(node.over, sources, weight, numbers)
    if not node.bias:
        return found
    bias, units = read[-1], -1 if node.over == "last" else 0
    for cell in np.ndindex(*found.shape):
        found[cell] = found[cell] + (bias[cell] if bias.shape == found.shape else bias[cell[units]])
    return found


def _convolution(window: Window, sources: list[Value], weight: Value, numbers: Numbers) -> Value:
    planes = [plane for source in sources for plane in source]
    filters, inner = weight.shape[:2]
    found = np.empty((filters, *_positions(window, planes[0].shape)), dtype=object)
    for filtered, *position in np.ndindex(*found.shape):
        first = filtered // (filters // window.groups) * inner
        terms = []
        for channel, offset in itertools.product(range(inner), np.ndindex(*window.kernel)):
            place = _place(window, position, offset, planes[0].shape)
            if place is not None:
                terms.append(weight[(filtered, channel, *offset)] * planes[first + channel][place])
        found[(filtered, *position)] = _sum(terms, numbers)
    return found


def _positions(window: Window, space: Cell) -> list[int]:
    axes = zip(space, window.kernel, window.stride, window.padding, window.dilation, strict=True)
    return [(n + 2 * pad - (kernel - 1) * gap - 1) // step + 1 for n, kernel, step, pad, gap in axes]


def _place(window: Window, position: Sequence[int], offset: Cell, space: Cell) -> Cell | None:
    """The cell that a window reads; None in the padding."""
    axes = zip(position, offset, window.stride, window.padding, window.dilation, strict=True)
    place = tuple(at * step + taken * gap - pad for at, taken, step, pad, gap in axes)
    return place if all(0 <= k < n for k, n in zip(place, space, strict=True)) else None


def _map(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return _filled(read[0].shape, [numbers.act(node.sigma.expression, entry) for entry in read[0].ravel()])


def _together(read: list[Value]) -> tuple[Cell, Iterable[tuple[Any, ...]]]:
    """The common shape of values that broadcast, and their entries cell by cell."""
    shape = np.broadcast_shapes(*(value.shape for value in read))
    return shape, zip(*(np.broadcast_to(value, shape).ravel() for value in read), strict=True)


def _add(node: Any, read: list[Value], numbers: Numbers) -> Value:
    shape, cells = _together(read)
    return _filled(shape, [_sum(cell, numbers) for cell in cells])


def _multiply(node: Any, read: list[Value], numbers: Numbers) -> Value:
    shape, cells = _together(read)
    return _filled(shape, [math.prod(cell, start=numbers.of(Fraction(1))) for cell in cells])


def _gate(node: Any, read: list[Value], numbers: Numbers) -> Value:
    shape, cells = _together(read)
    return _filled(shape, [(1 - z) * a + z * b for z, a, b in cells])


def _scale(node: Any, read: list[Value], numbers: Numbers) -> Value:
    factor = numbers.of(node.factor)
    return _filled(read[0].shape, [factor * entry for entry in read[0].ravel()])


def _over_root(value: Any, epsilon: Fraction, numbers: Numbers) -> Any:
    """``1 / sqrt(value + epsilon)``."""
    if numbers.root is None:
        raise TypeError("a root is not rational")
    inside = value + numbers.of(epsilon)
    if not inside > 0:
        raise Undefined("1 / sqrt of what is not positive")
    return 1 / numbers.root(inside)


def _inverse_root(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return _filled(read[0].shape, [_over_root(entry, node.epsilon, numbers) for entry in read[0].ravel()])


def _normalise(node: Any, read: list[Value], numbers: Numbers) -> Value:
    found = np.empty(read[0].shape, dtype=object)
    for cell in np.ndindex(*read[0].shape[:-1]):
        row = read[0][cell].tolist()
        mean = _sum(row, numbers) / len(row) if node.centre else numbers.of(Fraction(0))
        squares = _sum(((entry - mean) ** 2 for entry in row), numbers) / len(row)
        factor = _over_root(squares, node.epsilon, numbers)
        found[cell] = _filled((len(row),), [(entry - mean) * factor for entry in row])
    return found


def _products(a: Value, b: Value, numbers: Numbers) -> Value:
    """Matrix products over the last two axes; leading axes broadcast."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    found = np.empty((*lead, a.shape[-2], b.shape[-1]), dtype=object)
    for *cell, i, j in np.ndindex(*found.shape):
        found[(*cell, i, j)] = _dot(a[(*cell, i)], b[(*cell, slice(None), j)], numbers)
    return found


def _contract(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return _products(read[0], np.swapaxes(read[1], -1, -2) if node.transposed else read[1], numbers)


def _shares(scores: Value, mask: Value | None, numbers: Numbers) -> Value:
    """The softmax over the last axis, of the scores that the mask keeps."""
    if numbers.exp is None:
        raise TypeError("an exponential is not rational")
    found = np.empty(scores.shape, dtype=object)
    one = np.full((), numbers.of(Fraction(1)), dtype=object)
    kept = np.broadcast_to(one if mask is None else mask, scores.shape)
    for cell in np.ndindex(*scores.shape[:-1]):
        pairs = list(zip(scores[cell], kept[cell], strict=True))
        top = max(score for score, keep in pairs if keep == 1)
        terms = [numbers.exp(score - top) if keep == 1 else numbers.of(Fraction(0)) for score, keep in pairs]
        total = _sum(terms, numbers)
        found[cell] = _filled((len(terms),), [term / total for term in terms])
    return found


def _softmax(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return _shares(read[0], read[1] if len(read) > 1 else None, numbers)


def _attend(node: Any, read: list[Value], numbers: Numbers) -> Value:
    if numbers.root is None:
        raise TypeError("a root is not rational")
    q, k, v = read[:3]
    factor = numbers.root(numbers.of(node.square))
    scores = _products(q, np.swapaxes(k, -1, -2), numbers)
    scores = _filled(scores.shape, [factor * entry for entry in scores.ravel()])
    return _products(_shares(scores, read[3] if len(read) > 3 else None, numbers), v, numbers)


def _taken(how: str, row: list[Any], numbers: Numbers) -> Any:
    return max(row) if how == "max" else _sum(row, numbers) / (len(row) if how == "mean" else 1)


def _reduce(node: Any, read: list[Value], numbers: Numbers) -> Value:
    shape = read[0].shape[: -node.axes]
    return _filled(shape, [_taken(node.how, np.ravel(read[0][c]).tolist(), numbers) for c in np.ndindex(*shape)])


def _cumsum(node: Any, read: list[Value], numbers: Numbers) -> Value:
    *lead, size = read[0].shape
    cells = [(cell, stop) for cell in np.ndindex(*lead) for stop in range(size)]
    return _filled(
        read[0].shape, [_sum([read[0][(*cell, j)] for j in range(stop + 1)], numbers) for cell, stop in cells]
    )


def _pool(node: Any, read: list[Value], numbers: Numbers) -> Value:
    """The padding's zeros count in a mean, whose divisor is the window's length; a maximum leaves them out."""
    window, space = node.window, read[0].shape[1:]
    found = np.empty((len(read[0]), *_positions(window, space)), dtype=object)
    length = math.prod(window.kernel)
    for channel, *position in np.ndindex(*found.shape):
        places = [_place(window, position, offset, space) for offset in np.ndindex(*window.kernel)]
        row = [read[0][(channel, *place)] for place in places if place is not None]
        found[(channel, *position)] = max(row) if node.how == "max" else _sum(row, numbers) / length
    return found


def _reshape(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return _filled(node.size, read[0].ravel())


def _permute(node: Any, read: list[Value], numbers: Numbers) -> Value:
    found = np.empty([read[0].shape[axis] for axis in node.axes], dtype=object)
    for cell in np.ndindex(*read[0].shape):
        found[tuple(cell[axis] for axis in node.axes)] = read[0][cell]
    return found


def _take(node: Any, read: list[Value], numbers: Numbers) -> Value:
    shape = read[0].shape
    found = np.empty((*shape[: node.axis], len(node.entries), *shape[node.axis + 1 :]), dtype=object)
    for cell in np.ndindex(*found.shape):
        found[cell] = read[0][(*cell[: node.axis], node.entries[cell[node.axis]], *cell[node.axis + 1 :])]
    return found


def _concatenate(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return np.concatenate(read, axis=node.axis)


def _expand(node: Any, read: list[Value], numbers: Numbers) -> Value:
    return np.broadcast_to(read[0], node.size).copy()


def _embed(node: Any, read: list[Value], numbers: Numbers) -> Value:
    tokens, table = read
    found = np.empty((*tokens.shape, *table.shape[1:]), dtype=object)
    for cell in np.ndindex(*tokens.shape):
        found[cell] = table[int(tokens[cell])]
    return found


RULES: Final[dict[str, Callable[[Any, list[Value], Numbers], Value]]] = {
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
"""The definition of each kind of node that reads others."""
