"""Random small graphs of every node kind, and points for them: what engines are compared on with `oracle_graph`."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from verifier.network.builder import Builder
from verifier.network.network import Network
from verifier.network.nodes import (
    KINDS,
    Add,
    Affine,
    Attend,
    Concatenate,
    Contract,
    Embed,
    Expand,
    Gate,
    InverseRoot,
    Multiply,
    Normalise,
    Permute,
    Pool,
    Reduce,
    Reshape,
    Scale,
    Softmax,
    Take,
    Window,
)
from verifier.sigma.activations import activation

SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "square", "relu", "leaky_relu")
RATIONAL_NAMES = ("identity", "square", "relu", "leaky_relu", "hard_tanh")


def random_graph(rng, kinds=None, steps=6, names=SMOOTH, bias=None):
    """A network of about ``steps`` random nodes, of the kinds in ``kinds`` (default: all of `STEPS`)."""
    shape = [(3,), (2, 3), (2, 3, 4), (2, 4)][int(rng.integers(4))]
    build = Builder(shape)
    pool, wanted = [0], list(kinds or STEPS)
    for _ in range(20 * steps):
        if len(pool) > steps:
            break
        made = STEPS[str(rng.choice(wanted))](rng, build, pool, names)
        if made is not None and math.prod(build.shapes[made]) <= 60:
            pool.append(made)
    if len(pool) == 1:  # nothing fits this input
        pool.append(build.affine([0], 2, "p"))
    size = math.prod(build.shapes[pool[-1]])
    if size > 1:
        some = rng.choice(size, size=int(rng.integers(1, size)), replace=False)
        build.feature(pool[-1], tuple(sorted(some.tolist())))
    for index in sorted(set(rng.choice(pool[1:], size=2).tolist())):
        build.feature(index)
    if rng.integers(2) if bias is None else bias:
        build.feature(build.constant([1.0], "output bias"))
    return Network.of(build.nodes, build.features)


def random_point(rng, network, count=2, scale=1.0, grid=None):
    """U, ``(p,)``, and samples, ``(count, d)``; samples are whole numbers from 0 to 2 where there are tokens."""
    u = rng.standard_normal(network.parameter_count) * scale
    u = np.round(u * grid) / grid if grid else u
    x = np.round(rng.standard_normal((count, network.dimension)) * 8) / 8
    tokens = any(node.kind == "embed" for node in network.nodes)
    return u, (rng.integers(0, 3, x.shape).astype(float) if tokens else x)


def _pick(rng, build, pool, least=0):
    """A node with at least so many axes, or None."""
    fitting = [i for i in pool if len(build.shapes[i]) >= least]
    return int(rng.choice(fitting)) if fitting else None


def _name(build):
    return f"p{len(build.nodes)}"


def _affine(rng, build, pool, names):
    over = str(rng.choice(["all", "last", "window"]))
    x = _pick(rng, build, pool, 1 if over == "last" else 2 if over == "window" else 0)
    if x is None:
        return None
    bias = [None, "tied", "per-unit"][int(rng.integers(3))]
    if over == "window":
        channels, *space = build.shapes[x]
        groups = 2 if channels % 2 == 0 and rng.integers(2) else 1
        return build.affine([x], 2 * groups, _name(build), over=_window(rng, space, groups), bias=bias)
    sources = [x] if over == "last" else [x, *([_pick(rng, build, pool)] if rng.integers(2) else [])]
    made = build.affine(sources, int(rng.integers(2, 5)), _name(build), over=over, bias=bias)
    if rng.integers(2):
        return made
    # the same weights once more, masked and scaled: a node of parameters alone
    node = build.nodes[made]
    mask = build.constant(rng.integers(0, 2, build.shapes[node.weight]).astype(float))
    weight = build.add(Scale((build.add(Multiply((node.weight, mask))),), Fraction(-2, 3)))
    return build.add(Affine((*node.sources, weight), node.over, False))


def _window(rng, space, groups=1):
    kernel = tuple(int(rng.integers(1, n + 1)) for n in space)
    padding = tuple(int(rng.integers(0, k)) for k in kernel)
    dilation = tuple(2 if 2 * (k - 1) + 1 <= n + 2 * p and rng.integers(2) else 1
                     for k, n, p in zip(kernel, space, padding, strict=True))  # fmt: skip
    return Window(kernel, tuple(int(rng.integers(1, 3)) for _ in space), padding, dilation, groups)


def _map(rng, build, pool, names):
    return build.map(_pick(rng, build, pool), activation(str(rng.choice(names))))


def _partner(rng, build, x):
    """A parameter or constant that broadcasts to a node."""
    shape = list(build.shapes[x])
    shape = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
    if rng.integers(2):
        return build.parameter(_name(build), shape)
    return build.constant(np.round(rng.standard_normal(shape) * 8) / 8)


def _same(rng, build, pool, x):
    """A node of the shape of ``x``, or something that broadcasts to it."""
    others = [i for i in pool if build.shapes[i] == build.shapes[x]]
    return int(rng.choice(others)) if rng.integers(2) else _partner(rng, build, x)


def _add(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(Add((x, _same(rng, build, pool, x), *((x,) if rng.integers(2) else ()))))


def _multiply(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(Multiply((_same(rng, build, pool, x), x)))


def _gate(rng, build, pool, names):
    x = _pick(rng, build, pool)
    z = build.map(x, activation(names[1])) if rng.integers(2) else x
    return build.add(Gate((z, _same(rng, build, pool, x), _same(rng, build, pool, x))))


def _scale(rng, build, pool, names):
    return build.add(Scale((_pick(rng, build, pool),), Fraction(int(rng.integers(1, 9)), -7)))


def _inverse_root(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(InverseRoot((build.add(Multiply((x, x))),), Fraction(1, int(rng.integers(2, 99)))))


def _normalise(rng, build, pool, names):
    x = _pick(rng, build, pool, 1)
    if x is None:
        return None
    return build.add(Normalise((x,), Fraction(1, int(rng.choice([3, 1000, 2**17]))), bool(rng.integers(2))))


def _contract(rng, build, pool, names):
    x = _pick(rng, build, pool, 2)
    if x is None:
        return None
    *lead, _, inner = build.shapes[x]
    transposed, columns = bool(rng.integers(2)), int(rng.integers(1, 4))
    if rng.integers(3) == 0:
        return build.add(Contract((x, x), True))
    lead = tuple(1 if rng.integers(2) else n for n in lead) if rng.integers(2) else ()
    other = build.parameter(_name(build), (*lead, columns, inner) if transposed else (*lead, inner, columns))
    return build.add(Contract((x, other), transposed))


def _mask(rng, build, shape):
    mask = rng.integers(0, 2, shape).astype(float)
    mask[..., int(rng.integers(shape[-1]))] = 1.0
    return build.constant(mask)


def _softmax(rng, build, pool, names):
    x = _pick(rng, build, pool, 1)
    if x is None:
        return None
    return build.add(Softmax((x, *((_mask(rng, build, build.shapes[x]),) if rng.integers(2) else ()))))


def _attend(rng, build, pool, names):
    x = _pick(rng, build, pool, 2)
    if x is None:
        return None
    parts = [build.affine([x], 2, _name(build), over="last", bias=None) for _ in range(3)]
    rows = build.shapes[x][-2]
    mask = (_mask(rng, build, (rows, rows)),) if rng.integers(2) else ()
    return build.add(Attend((*parts, *mask), Fraction(1, int(rng.integers(1, 4)))))


def _reduce(rng, build, pool, names):
    x = _pick(rng, build, pool, 1)
    if x is None:
        return None
    how = str(rng.choice(["sum", "mean", "max"]))
    return build.add(Reduce((x,), how, int(rng.integers(1, len(build.shapes[x]) + 1))))


def _pool(rng, build, pool, names):
    x = _pick(rng, build, pool, 2)
    if x is None:
        return None
    return build.add(Pool((x,), str(rng.choice(["mean", "max"])), _window(rng, build.shapes[x][1:])))


def _reshape(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(Reshape((x,), (*build.shapes[x][2:], math.prod(build.shapes[x][:2]))))


def _permute(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(Permute((x,), tuple(rng.permutation(len(build.shapes[x])).tolist())))


def _take(rng, build, pool, names):
    x = _pick(rng, build, pool, 1)
    if x is None:
        return None
    axis = int(rng.integers(len(build.shapes[x])))
    return build.add(Take((x,), axis, tuple(rng.integers(0, build.shapes[x][axis], 3).tolist())))


def _concatenate(rng, build, pool, names):
    x = _pick(rng, build, pool, 1)
    if x is None:
        return None
    others = [i for i in pool if build.shapes[i] == build.shapes[x]]
    constant = build.constant(np.ones(build.shapes[x]))
    reads = (x, int(rng.choice(others)), *((constant,) if rng.integers(2) else ()))
    return build.add(Concatenate(reads, int(rng.integers(len(build.shapes[x])))))


def _expand(rng, build, pool, names):
    x = _pick(rng, build, pool)
    return build.add(Expand((x,), (2, *build.shapes[x])))


def _embed(rng, build, pool, names):
    row = (2,) if rng.integers(3) else ()
    return build.add(Embed((0, build.parameter(_name(build), (3, *row)))))


STEPS = {
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
    "pool": _pool,
    "reshape": _reshape,
    "permute": _permute,
    "take": _take,
    "concatenate": _concatenate,
    "expand": _expand,
    "embed": _embed,
}
"""How a node of each kind is added to the nodes there are: its index, or None where it does not fit."""


def _plain(kind):
    """How a node of a kind is added that reads one node with an axis, and has no fields."""

    def step(rng, build, pool, names):
        x = _pick(rng, build, pool, 1)
        return None if x is None else build.add(KINDS[kind]((x,)))

    return step


STEPS |= {kind: _plain(kind) for kind in KINDS if kind not in {*STEPS, "input", "parameter", "constant"}}

RATIONAL_STEPS = [kind for kind in STEPS if kind not in ("inverse-root", "normalise", "softmax", "attend")]
"""The kinds that map rational numbers to rational numbers."""
