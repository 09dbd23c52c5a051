"""A certificate's network in mpmath: each node kind from its definition in FORMAT.md, one entry after the other.

Tensors are flat lists in C order, with their shapes. Nothing of this is shared with the checker or the prover.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import mpmath
from mpmath import mpf

NAMES = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "erf", "pi", "e")
Shape = tuple[int, ...]


class Undefined(Exception):
    """An entry has no value."""


def function_of(text: str) -> Callable[[mpf], mpf]:
    """Return an activation; what is no real number is undefined."""
    code = re.sub(r"(?<![a-zA-Z0-9])(\d+)", r"mpf(\1)", text).replace("E", "e")
    names = {name: getattr(mpmath, name) for name in NAMES} | {"mpf": mpf, "Abs": abs, "Max": max, "Min": min}
    compiled = compile(code.strip(), "activation", "eval")

    def function(t: mpf) -> mpf:
        try:
            value = mpmath.mpmathify(eval(compiled, {"__builtins__": {}}, {**names, "t": t}))
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):
            raise Undefined(text) from None
        if not isinstance(value, mpf) or not mpmath.isfinite(value):
            raise Undefined(text)
        return value

    return function


class Tensor:
    """Numbers in C order and their shape."""

    def __init__(self, shape: Any, entries: Any) -> None:
        self.shape, self.entries = tuple(shape), list(entries)
        if math.prod(self.shape) != len(self.entries):
            raise ValueError(f"{len(self.entries)} entries of shape {self.shape}")

    def __getitem__(self, at: Shape) -> mpf:
        """Return the entry at an index; leading axes that are missing here, and axes of length 1, are repeated."""
        at = at[len(at) - len(self.shape) :]
        index = 0
        for n, i in zip(self.shape, at, strict=True):
            index = index * n + (0 if n == 1 else i)
        return self.entries[index]

    def rows(self) -> Iterator[tuple[Shape, list[mpf]]]:
        """Yield the last axis at every index of the others."""
        for at in indices(self.shape[:-1]):
            yield at, [self[(*at, k)] for k in range(self.shape[-1])]


def indices(shape: Any) -> Iterator[Shape]:
    """Yield all indices of a shape, in C order."""
    return itertools.product(*map(range, shape))


def made(shape: Any, entry: Callable[[Shape], mpf]) -> Tensor:
    """Make a tensor entry by entry."""
    return Tensor(shape, [entry(at) for at in indices(shape)])


def common(*shapes: Shape) -> Shape:
    """Return the shape to which all of these are repeated."""
    length = max(map(len, shapes))
    padded = [(1,) * (length - len(shape)) + shape for shape in shapes]
    return tuple(next((n for n in axis if n != 1), 1) for axis in zip(*padded, strict=True))


def rational(pair: list[str]) -> mpf:
    """Read an exact number."""
    value = Fraction(int(pair[0]), int(pair[1]))
    return mpf(value.numerator) / value.denominator


def inverse_root(x: mpf) -> mpf:
    """Return 1 / sqrt(x)."""
    if x <= 0:
        raise Undefined("1/sqrt of a number that is not positive")
    return 1 / mpmath.sqrt(x)


def places(window: Any, extents: Shape) -> Iterator[tuple[Shape, list[tuple[Shape, Shape | None]]]]:
    """Yield for each position of a window its offsets, each with the place that it sees (None: in the padding)."""
    numbers = [window[key] for key in ("kernel", "stride", "padding", "dilation")]
    axes = zip(extents, *numbers, strict=True)
    outs = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes]
    _, stride, padding, dilation = numbers
    for at in indices(outs):
        seen: list[tuple[Shape, Shape | None]] = []
        for offset in indices(window["kernel"]):
            steps = zip(at, stride, offset, dilation, padding, strict=True)
            place = tuple(a * s + o * d - p for a, s, o, d, p in steps)
            inside = all(0 <= x < n for x, n in zip(place, extents, strict=True))
            seen.append((offset, place if inside else None))
        yield at, seen


def affine(node: Any, *args: Tensor) -> Tensor:
    """Weights times what a unit reads, plus biases."""
    bias = args[-1] if node["bias"] else None
    weight, sources = args[-2 if node["bias"] else -1], args[: -2 if node["bias"] else -1]
    if node["over"] == "all":
        row = [entry for source in sources for entry in source.entries]
        found = made(weight.shape[:1], lambda at: product(weight, at[0], row))
    elif node["over"] == "last":
        rows = dict(sources[0].rows())
        found = made((*sources[0].shape[:-1], weight.shape[0]), lambda at: product(weight, at[-1], rows[at[:-1]]))
    else:
        found = convolution(node["over"], sources, weight)
    if bias is None:
        return found
    if bias.shape == found.shape:
        return made(found.shape, lambda at: found[at] + bias[at])
    axis = -1 if node["over"] == "last" else 0
    return made(found.shape, lambda at: found[at] + bias[(at[axis],)])


def product(weight: Tensor, unit: int, row: list[mpf]) -> mpf:
    """Return one unit's weights times a row."""
    own = weight.entries[unit * len(row) : (unit + 1) * len(row)]
    return sum((w * z for w, z in zip(own, row, strict=True)), mpf(0))


def convolution(window: Any, sources: Any, weight: Tensor) -> Tensor:
    """Cross-correlate; the sources are stacked along their channels, of which each group of filters sees its own."""
    planes = [(source, channel) for source in sources for channel in range(source.shape[0])]
    extents, filters = sources[0].shape[1:], weight.shape[0]
    seen, entries = list(places(window, extents)), []
    width = len(planes) // window["groups"]
    for a in range(filters):
        first = a // (filters // window["groups"]) * width
        for _, offsets in seen:
            total = mpf(0)
            for c in range(width):
                source, channel = planes[first + c]
                for offset, place in offsets:
                    total += mpf(0) if place is None else weight[(a, c, *offset)] * source[(channel, *place)]
            entries.append(total)
    outs = tuple(max(axis) + 1 for axis in zip(*(at for at, _ in seen), strict=True))
    return Tensor((filters, *outs), entries)


def pool(node: Any, x: Tensor) -> Tensor:
    """Mean or maximum over windows; the padding counts as 0 in a mean and is left out of a maximum."""
    seen, entries = list(places(node, x.shape[1:])), []
    for channel in range(x.shape[0]):
        for _, offsets in seen:
            values = [x[(channel, *place)] for _, place in offsets if place is not None]
            entries.append(max(values) if node["how"] == "max" else sum(values, mpf(0)) / len(offsets))
    outs = tuple(max(axis) + 1 for axis in zip(*(at for at, _ in seen), strict=True))
    return Tensor((x.shape[0], *outs), entries)


def add(node: Any, *args: Tensor) -> Tensor:
    """The sum, entry by entry."""
    return made(common(*(x.shape for x in args)), lambda at: sum((x[at] for x in args), mpf(0)))


def multiply(node: Any, *args: Tensor) -> Tensor:
    """The product, entry by entry."""
    return made(common(*(x.shape for x in args)), lambda at: math.prod((x[at] for x in args), start=mpf(1)))


def gate(node: Any, z: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(1 - z) a + z b."""
    return made(common(z.shape, a.shape, b.shape), lambda at: (1 - z[at]) * a[at] + z[at] * b[at])


def normalise(node: Any, x: Tensor) -> Tensor:
    """(x - c) / sqrt(mean (x - c)^2 + epsilon) over the last axis."""
    entries = []
    for _, row in x.rows():
        centre = sum(row, mpf(0)) / len(row) if node["centre"] else mpf(0)
        shifted = [entry - centre for entry in row]
        factor = inverse_root(sum((s * s for s in shifted), mpf(0)) / len(row) + rational(node["epsilon"]))
        entries += [s * factor for s in shifted]
    return Tensor(x.shape, entries)


def softmax(node: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Exponentials over their sum; where the mask is 0 a term is left out."""
    entries = []
    for at, row in x.rows():
        kept = [mpf(1) if mask is None else mask[(*at, k)] for k in range(len(row))]
        powers = [m * mpmath.exp(s) for m, s in zip(kept, row, strict=True)]
        entries += [power / sum(powers) for power in powers]
    return Tensor(x.shape, entries)


def contract(node: Any, a: Tensor, b: Tensor) -> Tensor:
    """Matrix products over the last two axes."""
    turned, inner = node["transposed"], a.shape[-1]
    columns = b.shape[-2 if turned else -1]

    def entry(at: Shape) -> mpf:
        *lead, row, column = at
        second = [(*lead, column, k) if turned else (*lead, k, column) for k in range(inner)]
        return sum((a[(*lead, row, k)] * b[second[k]] for k in range(inner)), mpf(0))

    return made((*common(a.shape[:-2], b.shape[:-2]), a.shape[-2], columns), entry)


def attend(node: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(sqrt(square) q k^T) v."""
    scores = contract({"transposed": True}, q, k)
    factor = mpmath.sqrt(rational(node["square"]))
    scaled = Tensor(scores.shape, [factor * s for s in scores.entries])
    return contract({"transposed": False}, softmax(node, scaled, mask), v)


def cumsum(node: Any, x: Tensor) -> Tensor:
    """Running sums along the last axis."""
    size = x.shape[-1]
    pieces = [x.entries[start : start + size] for start in range(0, len(x.entries), size)]
    return Tensor(x.shape, [sum(piece[: j + 1], mpf(0)) for piece in pieces for j in range(size)])


def reduce(node: Any, x: Tensor) -> Tensor:
    """Sum, mean or maximum over the last axes."""
    kept = x.shape[: len(x.shape) - node["axes"]]
    size = math.prod(x.shape[len(kept) :])
    parts = [x.entries[start : start + size] for start in range(0, len(x.entries), size)]
    how = {"sum": lambda row: sum(row, mpf(0)), "mean": lambda row: sum(row, mpf(0)) / len(row), "max": max}
    return Tensor(kept, map(how[node["how"]], parts))


def take(node: Any, x: Tensor) -> Tensor:
    """Entries along one axis."""
    axis, chosen = node["axis"], node["entries"]
    shape = (*x.shape[:axis], len(chosen), *x.shape[axis + 1 :])
    return made(shape, lambda at: x[(*at[:axis], chosen[at[axis]], *at[axis + 1 :])])


def permute(node: Any, x: Tensor) -> Tensor:
    """The axes in another order: axis k of the result is axis axes[k] of x."""
    axes = node["axes"]
    return made([x.shape[a] for a in axes], lambda at: x[tuple(at[axes.index(a)] for a in range(len(axes)))])


def concatenate(node: Any, *args: Tensor) -> Tensor:
    """One after the other along an axis."""
    axis = node["axis"]
    origin = [(x, place) for x in args for place in range(x.shape[axis])]
    shape = (*args[0].shape[:axis], len(origin), *args[0].shape[axis + 1 :])

    def entry(at: Shape) -> mpf:
        x, place = origin[at[axis]]
        return x[(*at[:axis], place, *at[axis + 1 :])]

    return made(shape, entry)


def embed(node: Any, tokens: Tensor, table: Tensor) -> Tensor:
    """Rows of the table."""
    size, rows = math.prod(table.shape[1:]), []
    for token in tokens.entries:
        if token != int(token) or not 0 <= token < table.shape[0]:
            raise Undefined("a token")
        rows += table.entries[int(token) * size : (int(token) + 1) * size]
    return Tensor((*tokens.shape, *table.shape[1:]), rows)


def entrywise(function: Callable[[mpf], mpf], x: Tensor) -> Tensor:
    """Apply a function to every entry."""
    return Tensor(x.shape, map(function, x.entries))


KINDS: dict[str, Callable[..., Tensor]] = {
    "affine": affine,
    "map": lambda node, x: entrywise(node["function"], x),
    "add": add,
    "multiply": multiply,
    "gate": gate,
    "scale": lambda node, x: entrywise(lambda entry: rational(node["factor"]) * entry, x),
    "inverse-root": lambda node, x: entrywise(lambda entry: inverse_root(entry + rational(node["epsilon"])), x),
    "normalise": normalise,
    "contract": contract,
    "softmax": softmax,
    "attend": attend,
    "cumsum": cumsum,
    "reduce": reduce,
    "pool": pool,
    "reshape": lambda node, x: Tensor(node["shape"], x.entries),
    "permute": permute,
    "take": take,
    "concatenate": concatenate,
    "expand": lambda node, x: made(node["shape"], lambda at: x[at]),
    "embed": embed,
}


def evaluate(nodes: list[Any], given: dict[int, list[mpf]], sample: list[mpf]) -> list[Tensor]:
    """Return the tensors of all nodes at one sample; `given` are the values of parameters and constants."""
    values: list[Tensor] = []
    for number, node in enumerate(nodes):
        if node["kind"] in ("input", "parameter", "constant"):
            values.append(Tensor(node["shape"], sample if node["kind"] == "input" else given[number]))
            continue
        stated = node | {"function": function_of(node["activation"])} if node["kind"] == "map" else node
        values.append(KINDS[node["kind"]](stated, *(values[i] for i in node["reads"])))
    return values
