"""Every node kind: its values against the definition, what does not fit, broken copies."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

import mpmath
import numpy as np
import pytest
from flint import arb, ctx, fmpq
from node_definitions import real
from plain_graph import Graph

from verifier.checker import features, nodes
from verifier.checker.common import Rejection, precision
from verifier.checker.exact import exact_features
from verifier.checker.features import Features

WINDOW = {"kernel": [2, 1], "stride": [1, 2], "padding": [1, 0], "dilation": [2, 1]}


def numbers(random, *shape, low=-8, high=8):
    count = int(np.prod(shape)) if shape else 1
    flat = [F(random.randint(low, high), 4) for _ in range(count)]
    return np.array([*flat, None], dtype=object)[:-1].reshape(shape)


def graph(random, *shape, samples=3):
    return Graph(shape, [numbers(random, *shape) for _ in range(samples)])


def dense(random):
    g = graph(random, 2, 3)
    w, b = g.parameter(numbers(random, 4, 9)), g.parameter(numbers(random, 4))
    extra = g.parameter(numbers(random, 3))
    return g, g.add("affine", 0, extra, w, b, over="all", bias=True)


def last(random):
    g = graph(random, 2, 3, 4)
    w, b = g.parameter(numbers(random, 5, 4)), g.constant(numbers(random, 2, 3, 5))
    shifted = g.add("affine", 0, w, b, over="last", bias=True)
    tied = g.parameter(numbers(random, 2))
    return g, g.add("affine", shifted, g.parameter(numbers(random, 2, 5)), tied, over="last", bias=True)


def convolution(random):
    g = graph(random, 4, 5, 4)
    w, b = g.parameter(numbers(random, 6, 2, 2, 1)), g.parameter(numbers(random, 6))
    return g, g.add("affine", 0, w, b, over=WINDOW | {"groups": 2}, bias=True)


def two_convolutions(random):
    g = graph(random, 2, 5)
    over = {"kernel": [3], "stride": [2], "padding": [2], "dilation": [1], "groups": 1}
    w, b = g.parameter(numbers(random, 2, 4, 3)), g.parameter(numbers(random, 2, 4))
    inner = g.add("map", 0, activation="t**2")
    return g, g.add("affine", 0, inner, w, b, over=over, bias=True)


def low_rank(random):
    """W0 + B A, a product of parameters."""
    g = graph(random, 3)
    b, a = g.parameter(numbers(random, 4, 2)), g.parameter(numbers(random, 2, 3))
    w = g.add("add", g.constant(numbers(random, 4, 3)), g.add("contract", b, a, transposed=False))
    return g, g.add("affine", 0, w, over="all", bias=False)


def entrywise(random):
    g = graph(random, 2, 3)
    p, q = g.parameter(numbers(random, 3)), g.parameter(numbers(random, 2, 1))
    product = g.add("multiply", 0, p, q, 0)
    scalar = g.parameter([F(3, 2)], shape=())
    return g, g.add("scale", g.add("add", product, scalar, q), factor=["-7", "3"])


def gated(random):
    g = graph(random, 2, 3)
    z = g.add("map", g.parameter(numbers(random, 3)), activation="1/(exp(-t) + 1)")
    return g, g.add("gate", z, 0, g.parameter(numbers(random, 2, 1)))


def normalised(random):
    g = graph(random, 2, 5)
    first = g.add("normalise", 0, epsilon=["0", "1"], centre=False)
    return g, g.add("normalise", first, epsilon=["1", "100000"], centre=True)


def weight_norm(random):
    g = graph(random, 3)
    v = g.parameter(numbers(random, 4, 3))
    squares = g.add("reduce", g.add("multiply", v, v), how="sum", axes=1)
    factor = g.add("reshape", g.add("inverse-root", squares, epsilon=["1", "8"]), shape=[4, 1])
    return g, g.add("affine", 0, g.add("multiply", v, factor), over="all", bias=False)


def softmaxes(random):
    g = graph(random, 3, 4)
    mask = g.constant([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])
    return g, g.add("add", g.add("softmax", 0), g.add("softmax", 0, mask))


def attention(random):
    g = graph(random, 2, 3, 4)
    k, v = g.parameter(numbers(random, 5, 4)), g.parameter(numbers(random, 2, 5, 2))
    mask = g.constant([[1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
    return g, g.add("attend", 0, k, v, mask, square=["1", "3"])


def self_attention(random):
    g = graph(random, 3, 4)
    return g, g.add("attend", 0, 0, 0, square=["400", "1"])


def contracted(random):
    g = graph(random, 2, 3, 4)
    p = g.parameter(numbers(random, 4, 2))
    inner = g.add("contract", 0, p, transposed=False)
    return g, g.add("contract", inner, g.parameter(numbers(random, 2, 1, 2)), transposed=True)


def reductions(random):
    g = graph(random, 2, 3, 4)
    parts = [g.add("reduce", 0, how=how, axes=axes) for how in ("sum", "mean", "max") for axes in (1, 2, 3)]
    shaped = [g.add("expand", part, shape=[2, 3]) for part in (parts[2], parts[5], parts[0], parts[8])]
    return g, g.add("add", *shaped)


def pools(random):
    g = graph(random, 2, 5, 4)
    mean = g.add("pool", 0, how="mean", **WINDOW)
    return g, g.add("add", mean, g.add("pool", 0, how="max", **WINDOW))


def moved(random):
    g = graph(random, 2, 3, 4)
    turned = g.add("permute", 0, axes=[2, 0, 1])
    taken = g.add("take", turned, axis=2, entries=[2, 0, 2, 1])
    flat = g.add("reshape", taken, shape=[8, 1, 4])
    return g, g.add("expand", flat, shape=[2, 8, 3, 4])


def joined(random):
    g = graph(random, 2, 3)
    p = g.parameter(numbers(random, 2, 1))
    return g, g.add("concatenate", 0, p, 0, axis=1)


def embedded(random):
    g = Graph((2, 2), [[[0, 2], [1, 1]], [[2, 2], [0, 1]]])
    table = g.parameter(numbers(random, 3, 2))
    places = g.constant(numbers(random, 2, 2))
    return g, g.add("add", g.add("embed", 0, table), places)


CASES = [dense, last, convolution, two_convolutions, low_rank, entrywise, gated, normalised, weight_norm, softmaxes]
CASES += [attention, self_attention, contracted, reductions, pools, moved, joined, embedded]
RATIONAL = [
    dense,
    last,
    convolution,
    two_convolutions,
    low_rank,
    entrywise,
    contracted,
    reductions,
    pools,
    moved,
    joined,
]


def encloses(ball, value, tolerance):
    """Whether a ball contains a value known to many digits, and is as narrow as it should be."""
    value = real(value)
    with precision(1000):
        exact = arb(fmpq(int(mpmath.floor(value * 2**700)), 1)) * arb((1, -700))
        return (ball - exact).contains(arb(0)) or abs(ball - exact).abs_lower() < 2.0**-690, ball.rad() < tolerance


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_balls_contain_the_definition(case, seed):
    g, node = case(Random(seed))
    network = g.read(node)
    with mpmath.workprec(1000):
        for bits in (64, 200):
            with precision(bits):
                rows = Features(network).rows(list(range(network.samples)))
            for sample, row in zip(g.inputs, rows, strict=True):
                truth = g.psi(sample)
                assert len(truth) == len(row)
                for ball, value in zip(row, truth, strict=True):
                    inside, narrow = encloses(ball, value, 2.0 ** (30 - bits))
                    assert inside and narrow, (ball, value)
    assert ctx.prec == 53


@pytest.mark.parametrize("case", [*RATIONAL, embedded], ids=lambda case: case.__name__)
def test_rationals_are_the_definition(case):
    g, node = case(Random(5))
    network = g.read(node, (node, [0]))
    table = exact_features(network, "/claims/0")
    for sample, row in zip(g.inputs, table, strict=True):
        assert [F(int(x.p), int(x.q)) for x in row] == g.psi(sample)


def test_wide_balls_stay_bounded():
    """Normalised numbers, softmax and attention of wide balls: the bounds that hold in any case."""
    random = Random(3)
    g = graph(random, 3, 4)
    normal = g.add("normalise", 0, epsilon=["1", "1000"], centre=True)
    network = g.read(normal, g.add("softmax", 0), g.add("attend", 0, 0, 0, square=["1", "1"]))
    with precision(64):
        features = Features(network)
        wide = [[entry + arb(0, 2.0**12) for entry in row] for row in features.values([0])[0]]
        values = {0: wide}
        for node in network.nodes[1:]:
            values[node.number] = features.evaluate(node, values, [0])
        assert all(abs(y) <= 2.01 for y in values[1][0])
        assert all(-0.01 < share < 1.01 for share in values[2][0])
        assert all(entry.is_finite() for entry in values[3][0])
        for seed in range(20):  # what lies in the wide balls has its values in those found
            chosen = Random(seed)
            point = [[entry.mid() + chosen.uniform(-4000, 4000) for entry in wide[0]]]
            for node in network.nodes[1:]:
                inside = features.evaluate(node, {0: point}, [0])
                assert all(big.overlaps(small) for big, small in zip(values[node.number][0], inside[0], strict=True))


@pytest.mark.parametrize("case", [gated, attention, normalised, softmaxes, weight_norm], ids=lambda case: case.__name__)
def test_values_at_points_of_wide_parameters(case):
    """Balls of parameters: the values at exact points of them are enclosed."""
    g, node = case(Random(8))
    network = g.read(node)
    with precision(128):
        features = Features(network)
        fixed = {n: table for n, table in features.fixed.items() if network.nodes[n].kind == "parameter"}

        def evaluate(shift):
            values = {0: features.values([0])[0]}
            for at in network.nodes[1:]:
                if at.number in fixed:
                    values[at.number] = [[entry + shift(at, i) for i, entry in enumerate(fixed[at.number][0])]]
                elif not at.reads:
                    values[at.number] = features.fixed[at.number]
                else:
                    values[at.number] = features.evaluate(at, values, [0])
            features.prepared.clear()
            return values[node][0]

        radius = 2.0**-7
        wide = evaluate(lambda at, i: arb(0, radius))
        for seed in range(10):
            random = Random(seed)
            exact = evaluate(lambda at, i, random=random: random.choice([-radius, 0, radius, radius / 3]))
            assert all(big.contains(small.mid()) for big, small in zip(wide, exact, strict=True))


def broken_normalise(self, node, numbers):
    """Forget epsilon."""
    return self.__class__.__mro__[1].normalise(self, type(node)(**{**vars(node), "epsilon": fmpq(0)}), numbers)


BROKEN = {
    "epsilon is forgotten": ("normalise", broken_normalise, normalised),
    "gate turned round": ("gate", lambda self, z, a, b: nodes.Arithmetic.gate(self, z, b, a), gated),
    "shares unshifted, unnormalised": (
        "softmax",
        lambda self, node, scores: [features.exp(score) for score in scores],
        softmaxes,
    ),
    "the middle is not added back": (
        "average",
        lambda self, w, v, n, k, m: self.product(w, [x - v[0] for x in v], n, k, m, False),
        attention,
    ),
    "the least instead of the largest": ("largest", lambda self, node, piece: -nodes_max(piece), reductions),
    "epsilon is forgotten in a root": (
        "inverse_root",
        lambda self, node, x: [[1 / entry.sqrt() for entry in row] for row in x],
        weight_norm,
    ),
    "a factor without its root": ("root", lambda self, node: arb(node.square), attention),
}


def nodes_max(piece):
    """The largest of the negated numbers."""
    found = -piece[0]
    for entry in piece[1:]:
        found = found.max(-entry)
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_broken_copies_are_caught(name, monkeypatch):
    method, broken, case = BROKEN[name]
    monkeypatch.setattr(Features, method, broken)
    with pytest.raises(AssertionError):
        test_balls_contain_the_definition(case, 1)


def refused(g, *features, network=None):
    """The rule by which the network is refused, when it is read or when it is evaluated."""
    with pytest.raises(Rejection) as caught:
        net = g.read(*features, network=network)
        with precision(64):
            Features(net).rows(list(range(net.samples)))
    return caught.value.rule, caught.value.path


ANY = Random(1)
GROUPS = {"kernel": [2], "stride": [1], "padding": [0], "dilation": [1], "groups": 3}
BAD = {
    "too many weights": lambda g: g.add("affine", 0, g.parameter(numbers(ANY, 2, 7)), over="all", bias=False),
    "biases of other units": lambda g: g.add(
        "affine", 0, g.parameter(numbers(ANY, 2, 6)), g.parameter(numbers(ANY, 3)), over="all", bias=True
    ),
    "last with two sources": lambda g: g.add("affine", 0, 0, g.parameter(numbers(ANY, 2, 3)), over="last", bias=False),
    "groups": lambda g: g.add("affine", 0, g.parameter(numbers(ANY, 3, 2, 2)), over=GROUPS, bias=False),
    "a kernel too long": lambda g: g.add(
        "affine", 0, g.parameter(numbers(ANY, 3, 2, 4)), over=GROUPS | {"groups": 1, "kernel": [4]}, bias=False
    ),
    "shapes that do not broadcast": lambda g: g.add("add", 0, g.parameter(numbers(ANY, 2))),
    "a gate of another shape": lambda g: g.add("gate", 0, 0, g.parameter(numbers(ANY, 4))),
    "a mask that is too large": lambda g: g.add("softmax", 0, g.constant(numbers(ANY, 2, 2, 3))),
    "inner extents": lambda g: g.add("contract", 0, 0, transposed=False),
    "a vector in a product": lambda g: g.add("contract", 0, g.parameter(numbers(ANY, 3)), transposed=False),
    "keys of another width": lambda g: g.add("attend", 0, g.parameter(numbers(ANY, 2, 2)), 0, square=["1", "1"]),
    "three axes of two": lambda g: g.add("reduce", 0, how="sum", axes=3),
    "a pool with two axes": lambda g: g.add(
        "pool", 0, how="mean", kernel=[1, 1], stride=[1, 1], padding=[0, 0], dilation=[1, 1]
    ),
    "another number of entries": lambda g: g.add("reshape", 0, shape=[7]),
    "axes twice": lambda g: g.add("permute", 0, axes=[0, 0]),
    "an entry too far": lambda g: g.add("take", 0, axis=1, entries=[3]),
    "an axis too far": lambda g: g.add("take", 0, axis=2, entries=[0]),
    "other extents": lambda g: g.add("concatenate", 0, g.parameter(numbers(ANY, 3, 3)), axis=1),
    "no broadcast": lambda g: g.add("expand", 0, shape=[3, 2]),
    "less than there is": lambda g: g.add("expand", 0, shape=[3]),
    "a table without rows": lambda g: g.add("embed", g.constant([0]), g.parameter([1], shape=())),
    "a number is normalised": lambda g: g.add("normalise", g.parameter([1], shape=()), epsilon=["1", "2"], centre=True),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused(name):
    g = Graph((2, 3), [[[1, 2, 3], [4, 5, 6]]])
    last_node = BAD[name](g)
    document = {"nodes": g.nodes, "features": [{"node": last_node, "entries": [0]}], "columns": 1}
    assert refused(g, network=document) == ("network.node", f"/network/nodes/{last_node}")
