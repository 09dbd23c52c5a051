"""What holds for every U: the flags against random parameters, what W0 refuses and why, masks, tokens, weights."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

import pytest
from checker_writer import dyadic
from checking import check, rejected
from flint import fmpz_mat
from plain_graph import Graph
from test_checker_nodes import CASES, numbers, refused

from verifier.checker.analytic import NOWHERE_NEGATIVE, POSITIVE
from verifier.checker.common import Exact, Rejection, precision
from verifier.checker.features import Features
from verifier.checker.flags import facts
from verifier.checker.nodes import KINDS
from verifier.checker.signs import common_sign


def at(network, random):
    """The same network at other parameters, some of them 0 or large."""
    for node in network.nodes:
        if node.kind == "parameter":
            rows, columns = node.exact.integers.nrows(), node.exact.integers.ncols()
            size = random.choice([0, 3, 60])
            entries = [random.randint(-(2**size), 2**size) for _ in range(rows * columns)]
            node.exact = Exact(fmpz_mat(rows, columns, entries), -3, 64)
    return network


def require_true_facts(network, known, seed):
    """Evaluate every node at a random U: what is defined has finite values, and the signs hold."""
    random = Random(seed)
    with precision(600):
        features = Features(at(network, random), still=True)
        features.fixed, features.still = {}, False
        values = dict(features.values([])) if not network.samples else {}
        samples = list(range(network.samples))
        for node, fact in zip(network.nodes, known, strict=True):
            if node.kind != "input" and not node.reads:
                values[node.number] = [node.exact.balls().entries()]
                continue
            try:
                values[node.number] = features.evaluate(node, values, samples)
            except Rejection as rejection:
                assert not fact.defined, (node.kind, rejection)
                return
            for row in values[node.number]:
                assert fact.sign != POSITIVE or all(not entry <= 0 for entry in row), node.kind
                assert not fact.sign or all(not entry < 0 for entry in row), node.kind


def positive_parts(random):
    """Sums, products and pools of what is positive, and a root that needs it."""
    g = graph_of(random, 1, 4)
    p = g.parameter(numbers(random, 3, 1, 3))
    squares = g.add("multiply", g.add("affine", 0, p, over=LINE, bias=False), g.parameter(numbers(random, 3, 6)))
    squares = g.add("multiply", squares, squares)
    grown = g.add("add", squares, g.constant([F(1, 8)]))
    pooled = g.add("pool", grown, how="mean", kernel=[2], stride=[1], padding=[1], dilation=[1])
    root = g.add("inverse-root", grown, epsilon=["0", "1"])
    total = g.add("reduce", g.add("add", root, squares), how="sum", axes=2)
    return g, g.add("concatenate", g.add("reshape", pooled, shape=[21]), g.add("reshape", total, shape=[1]), axis=0)


def graph_of(random, *shape):
    return Graph(shape, [numbers(random, *shape) for _ in range(2)])


def expressions(random):
    """Activations that need the sign of what they read."""
    g = graph_of(random, 3)
    x = g.add("affine", 0, g.parameter(numbers(random, 3, 3)), over="all", bias=False)
    even = g.add("multiply", x, x)
    above = g.add("map", x, activation="exp(t)")
    parts = [g.add("map", even, activation="sqrt(t)"), g.add("map", above, activation="log(t)")]
    parts += [g.add("map", even, activation="1/(t + 1)"), g.add("map", above, activation="t**(1/3) + Abs(t)")]
    return g, g.add("add", *parts)


LINE = {"kernel": [3], "stride": [1], "padding": [2], "dilation": [1], "groups": 1}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("case", [*CASES, positive_parts, expressions], ids=lambda case: case.__name__)
def test_facts_hold_at_random_parameters(case, seed):
    g, node = case(Random(seed))
    network = g.read(node)
    require_true_facts(network, facts(network), seed)


def test_signs_that_are_proved():
    g, node = positive_parts(Random(1))
    known = facts(g.read(node))
    assert known[node].analytic and known[node].sign == NOWHERE_NEGATIVE  # the pool counts zeros of the padding
    kinds = {
        g.nodes[n]["kind"]: known[n].sign
        for n in range(len(g.nodes))
        if g.nodes[n]["kind"] in ("inverse-root", "reduce")
    }
    assert kinds == {"inverse-root": POSITIVE, "reduce": POSITIVE}


SIGN_ERRORS = {
    "padding is no zero": ("affine", lambda node, signs: common_sign([signs[0], signs[1]])),
    "a sum of anything": ("add", lambda node, signs: max(signs)),
    "everything is a square": ("multiply", lambda node, signs: NOWHERE_NEGATIVE),
    "means without padding": ("pool", lambda node, signs: signs[0]),
    "roots of anything": ("inverse-root", lambda node, signs: POSITIVE),
    "minus keeps signs": ("scale", lambda node, signs: signs[0]),
}


def negated(random):
    g = graph_of(random, 3)
    p = g.parameter(numbers(random, 3))
    square = g.add("scale", g.add("multiply", p, p), factor=["-1", "1"])
    mixed = g.add("add", square, g.add("map", p, activation="exp(t)"))
    rough = g.add("multiply", p, g.add("multiply", p, p))
    return g, g.add("inverse-root", g.add("add", mixed, rough, g.parameter(numbers(random, 3))), epsilon=["1", "1"])


def padded(random):
    """Windows with a gap, in which the one number that is there is: all that they see is padding."""
    g = Graph((1, 1), [[[1]]])
    positive = g.add("map", g.add("multiply", 0, g.parameter(numbers(random, 1))), activation="exp(t)")
    weight = g.add("map", g.parameter(numbers(random, 1, 1, 2)), activation="exp(t)")
    window = {"kernel": [2], "stride": [1], "padding": [2], "dilation": [3]}
    mean = g.add("pool", positive, how="mean", **window)
    return g, g.add("add", mean, g.add("affine", positive, weight, over={**window, "groups": 1}, bias=False))


@pytest.mark.parametrize("name", SIGN_ERRORS)
def test_broken_signs_are_caught(name, monkeypatch):
    kind, broken = SIGN_ERRORS[name]
    monkeypatch.setitem(KINDS, kind, KINDS[kind]._replace(sign=broken))
    with pytest.raises(AssertionError):
        for case in (negated, padded, positive_parts, expressions):
            for seed in range(30):
                g, node = case(Random(seed))
                network = g.read(node)
                require_true_facts(network, facts(network), seed)


def document(g, *features, claims=(), network=None):
    """A certificate without labels."""
    found = g.builder.document(g.builder.data(g.inputs), [], [], 0, list(claims))
    return found | {"network": network or g.network(*features)}


def rank_one(g, *features, sigma=F(1, 2**20), then=("W0",)):
    """R1 for one sample: the right inverse is a column with one entry."""
    g.network(*features)
    psi = g.psi(g.inputs[0])
    best = max(range(len(psi)), key=lambda j: abs(float(psi[j])))
    column = [[F(round(2**20 / float(psi[best])), 2**20) if j == best else 0] for j in range(len(psi))]
    claims = [g.builder.right_inverse(column, rank=1, alpha=F(1, 4), sigma=sigma)]
    return document(g, *features, claims=[*claims, *({"label": label} for label in then)])


def one_sample(*shape):
    return Graph(shape, [numbers(Random(4), *shape)])


def moving(g, width=3):
    """A node that moves."""
    return g.add("affine", 0, g.parameter(numbers(Random(6), width, width)), over="last", bias=False)


ANALYTIC = {
    "residual": lambda g, x: g.add("add", 0, g.add("map", x, activation="tanh(t)")),
    "layer norm": lambda g, x: g.add("normalise", x, epsilon=["1", "100000"], centre=True),
    "attention": lambda g, x: g.add("attend", x, 0, x, square=["1", "3"]),
    "gate": lambda g, x: g.add("gate", g.add("map", x, activation="1/(1 + exp(-t))"), 0, x),
    "norm by a proved root": lambda g, x: g.add(
        "multiply", x, g.add("inverse-root", g.add("multiply", x, x), epsilon=["1", "8"])
    ),
    "largest of the data": lambda g, x: g.add("multiply", x, g.add("reduce", 0, how="max", axes=2)),
    "relu of the data": lambda g, x: g.add("add", x, g.add("map", 0, activation="Max(0, t)")),
    "shared weights": lambda g, x: g.add("affine", x, 1, over="last", bias=False),
    "frozen weights": lambda g, x: g.add("affine", x, g.constant(numbers(Random(8), 2, 3)), over="last", bias=False),
}
REFUSED = {
    "largest": (lambda g, x: g.add("reduce", x, how="max", axes=1), "a maximum is not analytic"),
    "max pool": (
        lambda g, x: g.add("pool", x, how="max", kernel=[2], stride=[1], padding=[0], dilation=[1]),
        "maximum",
    ),
    "relu": (lambda g, x: g.add("map", x, activation="Max(0, t)"), "the activation Max(0, t) is not proved"),
    "epsilon 0": (lambda g, x: g.add("normalise", x, epsilon=["0", "1"], centre=True), "epsilon = 0"),
    "a root of anything": (lambda g, x: g.add("inverse-root", x, epsilon=["100", "1"]), "not proved to be above 0"),
    "a root of a square": (
        lambda g, x: g.add("inverse-root", g.add("multiply", x, x), epsilon=["0", "1"]),
        "not proved to be above 0",
    ),
    "a logarithm": (lambda g, x: g.add("map", g.add("multiply", x, x), activation="log(t)"), "defined on t >= 0"),
    "behind a maximum": (
        lambda g, x: g.add("map", g.add("reduce", x, how="max", axes=1), activation="tanh(t)"),
        "a maximum is not analytic",
    ),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_full_rank_almost_everywhere(name, tmp_path):
    g = one_sample(2, 3)
    node = ANALYTIC[name](g, moving(g))
    outcome = check(tmp_path, g.builder, rank_one(g, node))
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_analytic_is_refused_with_the_reason(name, tmp_path):
    g = one_sample(2, 3)
    make, reason = REFUSED[name]
    node = make(g, moving(g))
    found = rank_one(g, (node, [0]), 0)
    outcome = check(tmp_path, g.builder, found)
    rejected(outcome, "W0.analytic")
    assert reason in outcome.rejection.message, outcome.rejection.message
    found["claims"].pop()
    assert check(tmp_path, g.builder, found).verdict == "ACCEPTED", "only W0 is wrong"


def test_an_output_bias_is_a_column(tmp_path):
    """Two samples, one unit and the constant column: rank 2 with it, and not without."""
    g = Graph((1,), [[[1]], [[3]]])
    unit = g.add("map", g.add("affine", 0, g.parameter([[1]]), over="all", bias=False), activation="t**2")
    one = g.constant([1])
    right = [[F(-1, 8), F(1, 8)], [F(9, 8), F(-1, 8)]]  # of ((1, 1), (9, 1))
    claim = g.builder.right_inverse(right, rank=2, alpha=F(1, 16), sigma=F(1, 8))
    found = document(g, unit, one, claims=[claim, {"label": "W0"}])
    assert check(tmp_path, g.builder, found).verdict == "ACCEPTED"
    found["network"] |= {"features": found["network"]["features"][:1], "columns": 1}
    rejected(check(tmp_path, g.builder, found), "R1.rank")


BAD_DATA = {
    "a row of zeros": (lambda g: g.add("softmax", moving(g), g.constant([[1, 1, 1], [0, 0, 0]])), "network.mask"),
    "a half": (lambda g: g.add("softmax", moving(g), g.constant([1, F(1, 2), 1])), "network.mask"),
    "a two": (lambda g: g.add("softmax", moving(g), g.constant([2, 0, 0])), "network.mask"),
    "a mask of the data": (lambda g: g.add("softmax", moving(g), 0), "network.mask"),
    "attention to nothing": (
        lambda g: g.add("attend", moving(g), 0, 0, g.constant([[1, 0], [0, 0]]), square=["1", "1"]),
        "network.mask",
    ),
    "a token of no row": (lambda g: g.add("embed", g.constant([3]), g.parameter([1, 2, 3])), "network.token"),
    "a negative token": (lambda g: g.add("embed", g.constant([-1]), g.parameter([1, 2, 3])), "network.token"),
    "half a token": (lambda g: g.add("embed", g.constant([F(1, 2)]), g.parameter([1, 2, 3])), "network.token"),
    "tokens of the data": (lambda g: g.add("embed", 0, g.parameter([1, 2, 3])), "network.token"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_masks_and_tokens_are_exact(name, tmp_path):
    make, rule = BAD_DATA[name]
    g = Graph((2, 3), [[[F(1, 2), 2, 3], [4, 5, 6]]])
    assert refused(g, network=features_of(g, make(g)))[0] == rule
    g = Graph((2, 3), [[[F(1, 2), 2, 3], [4, 5, 6]]])  # and where no node that moves is evaluated
    node = make(g)
    claim = {"label": "R5", "reason": "every-u", "rank_at_most": 0}
    rejected(check(tmp_path, g.builder, document(g, claims=[claim], network=features_of(g, node))), rule)


def features_of(g, node):
    return {"nodes": g.nodes, "features": [{"node": node, "entries": [0]}], "columns": 1}


BAD_READS = {
    "weights of the data": lambda g: g.add("affine", 0, 0, over="last", bias=False),
    "a bias of the data": lambda g: g.add(
        "affine", 0, g.parameter(numbers(Random(1), 3, 6)), g.add("reduce", 0, how="sum", axes=1), over="all", bias=True
    ),
    "a table of the data": lambda g: g.add("embed", g.constant([0]), 0),
    "tokens that move": lambda g: g.add("embed", g.parameter([0]), g.parameter([1, 2])),
    "a mask that moves": lambda g: g.add("softmax", 0, g.parameter([1, 1, 1])),
}


@pytest.mark.parametrize("name", BAD_READS)
def test_what_must_not_depend_on_what(name):
    g = Graph((3, 2), [[[1, 2], [3, 4], [5, 6]]]) if "bias" in name else Graph((2, 3), [[[1, 2, 3], [4, 5, 6]]])
    node = BAD_READS[name](g)
    assert refused(g, network=features_of(g, node)) == ("network.reads", f"/network/nodes/{node}/reads")


def test_construction_without_weights_beside_a_graph(tmp_path):
    """W1 on a unit layer beside attention over data-dependent tokens; the stored parameters are absent."""
    g = Graph((2,), [[0, 2], [1, 1], [2, 0]])
    weight, bias = g.parameter(numbers(Random(2), 3, 2)), g.parameter(numbers(Random(3), 3))
    units = g.add("map", g.add("affine", 0, weight, bias, over="all", bias=True), activation="tanh(t)")
    vectors = g.add("embed", 0, g.parameter(numbers(Random(4), 3, 4)))
    mixed = g.add("attend", vectors, vectors, vectors, square=["1", "2"])
    for node in g.nodes:
        if node["kind"] == "parameter":
            node["values"] = None
    blocks = [{"node": units, "links": 0, "weight": dyadic(64), "units": g.builder.tensor([2, 0, 1], "U8")}]
    claim = {"label": "W1", "precision": 64, "direction": g.builder.tensor([2, 1], "I8"), "chain": [], "radius": None}
    claims = [claim | {"blocks": blocks}, {"label": "W0"}]
    blocks[0]["biases"] = g.builder.exact([-96, -160, -224])  # z = 2, 3, 4
    every = [{"node": node, "entries": None} for node in (mixed, units)]
    network = {"nodes": g.nodes, "features": every, "columns": 11}
    found = document(g, claims=claims, network=network)
    used = str(found)
    g.builder.tensors = {name: value for name, value in g.builder.tensors.items() if f"'{name}'" in used}
    outcome = check(tmp_path, g.builder, found)
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    shared = {
        **found,
        "network": {
            **found["network"],
            "nodes": [*g.nodes, {"kind": "scale", "reads": [weight], "factor": ["2", "1"]}],
        },
    }
    rejected(check(tmp_path, g.builder, shared), "witness.layer", "/claims/0/blocks/0/node")
    twice = [dict(node) for node in g.nodes]
    twice[units - 1] = {**twice[units - 1], "reads": [0, 0, weight, bias]}
    twice[weight] = {**twice[weight], "shape": [3, 4]}
    claims[0]["radius"] = dyadic(F(1, 2**20))
    both = {**found, "network": {**found["network"], "nodes": twice}, "claims": claims}
    rejected(check(tmp_path, g.builder, both), "W1.radius")
