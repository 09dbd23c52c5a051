"""Random documents of format 2: no fault of the checker, and nothing false among what it accepts."""

from __future__ import annotations

import math
from fractions import Fraction as F
from random import Random

import pytest
from checker_writer import Builder, dyadic
from checking import check
from test_checker_mutants import tools  # noqa: F401  (a fixture: the corpus's second reading)

from verifier.checker.common import Rejection
from verifier.checker.container import Arrays
from verifier.checker.network import read_network
from verifier.checker.nodes import KINDS
from verifier.checker.schema import NETWORK, NODES, read

SIGMAS = "tanh(t); t**2; Max(0, t); log(t); 1/t; sqrt(t); exp(t); t; t**(1/3); 0*t; Abs(t)".split("; ")
NUMBERS = [0, 1, 1, 2, F(1, 2), -1]


def shape(random):
    return [random.choice([1, 1, 2, 3, 4]) for _ in range(random.randint(0, 3))]


def window(random):
    axes = random.randint(0, 2)
    choices = {"kernel": [1, 2, 3], "stride": [1, 2], "padding": [0, 0, 1, 2], "dilation": [1, 1, 2]}
    return {key: [random.choice(values) for _ in range(axes)] for key, values in choices.items()}


def over(random):
    return random.choice(["all", "last", window(random) | {"groups": random.choice([1, 1, 2])}])


FIELDS = {
    "activation": lambda random: random.choice(SIGMAS),
    "bias": lambda random: random.random() < 0.5,
    "centre": lambda random: random.random() < 0.5,
    "transposed": lambda random: random.random() < 0.5,
    "epsilon": lambda random: [random.choice(["0", "1"]), "3"],
    "factor": lambda random: [random.choice(["-1", "3"]), "7"],
    "square": lambda random: ["1", "2"],
    "over": over,
    "shape": shape,
    "axis": lambda random: random.randint(0, 2),
    "entries": lambda random: [random.randint(0, 3) for _ in range(random.randint(1, 3))],
}


def node_of_kind(random, builder, kind, before):
    """Draw a node, which may fit or not."""
    least, most = KINDS[kind].least, min(KINDS[kind].most, KINDS[kind].least + 2)
    node = {"kind": kind, "reads": [random.randrange(before) for _ in range(random.randint(least, most))]}
    if kind in ("parameter", "constant"):
        extents = shape(random)
        values = [random.choice(NUMBERS) for _ in range(math.prod(extents))]
        return node | {"name": "", "shape": extents, "values": builder.exact(values, extents or [1])}
    if kind == "pool":
        return node | window(random) | {"how": random.choice(["mean", "max"])}
    if kind == "reduce":
        return node | {"how": random.choice(["sum", "mean", "max"]), "axes": random.randint(1, 3)}
    if kind == "permute":
        return node | {"axes": random.sample(range(3), random.randint(0, 3))}
    return node | {field: FIELDS[field](random) for field in NODES[kind]}


def fitting(builder, nodes, dimension):
    """Return the shapes of the nodes if they fit, else None."""
    document = {"nodes": nodes, "features": [{"node": 0, "entries": None}], "columns": dimension}
    try:
        network = read_network(read(NETWORK, document, ""), None, 1, dimension, Arrays(builder.arrays()))
    except Rejection:
        return None
    return [node.shape for node in network.nodes]


def claims_of(random, b, columns, samples, moved):
    """Draw a claim about the columns, or two."""
    weights = b.exact([[random.choice([0, 1, -1]), 0] for _ in range(columns)])
    small, gamma = dyadic(F(1, 2**30)), dyadic(F(1, 1024))
    path = {"precision": 64, "start_weights": weights, "end_weights": weights, "gamma": gamma, "kappa": dyadic(1)}
    path |= {"start_loss": {"lower": dyadic(0), "upper": dyadic(99)}, "zero_error_t": dyadic(10**6), "targets": []}
    inverse = [[random.choice([0, 1, -1, F(1, 2)]) for _ in range(samples)] for _ in range(columns)]
    rank = b.right_inverse(inverse, rank=samples, alpha=F(1, 2), sigma=F(1, 2**10))
    reason = random.choice(["fewer-units", "equal-samples", "dependent-units", "every-u"])
    choices = [
        [{"label": "R5", "reason": reason, "rank_at_most": random.randrange(samples)}],
        [{"label": "R6", "rank": random.randint(0, samples)}],
        [{"label": "Z1", "precision": 64, "output_weights": weights, "gamma": gamma}],
        [{"label": "Z2", "precision": 64, "output_weights": weights, "gamma": gamma, "radius": small}],
        [{"label": "P1", **path}],
        [rank, {"label": "W0"}],
        [rank, {"label": "B1", "radius": small}],
    ]
    if moved:
        choices += [
            [{"label": "E3", **path, "moved": moved, "pieces": 2, "epsilon": dyadic(50)}],
            [{"label": "E1", **path, "moved": moved, "moved_weights": weights, "pieces": 2}],
            [{"label": "E2", **path, "moved": moved, "rerouted": None}],
        ]
    return random.choice(choices)


def random_document(random):
    """Draw a certificate whose network fits."""
    b, extents = Builder(), random.choice([[2], [4], [2, 2], [1, 4], [2, 1, 2], []])
    samples = random.randint(1, 3)
    inputs = [[random.choice(NUMBERS) for _ in range(math.prod(extents))] for _ in range(samples)]
    data = b.data(inputs, [random.randint(0, 1) for _ in inputs])
    nodes, shapes = [{"kind": "input", "reads": [], "shape": extents}], [tuple(extents)]
    kinds = [kind for kind in KINDS if kind != "input"] + ["parameter", "affine"]
    for _ in range(12):
        drawn = [*nodes, node_of_kind(random, b, random.choice(kinds), len(nodes))]
        found = fitting(b, drawn, math.prod(extents))
        nodes, shapes = (drawn, found) if found else (nodes, shapes)
    chosen = [random.randrange(len(nodes)), len(nodes) - 1]
    columns = sum(math.prod(shapes[node]) for node in chosen)
    moved = []
    for number, node in enumerate(nodes):
        if node["kind"] == "parameter":
            values = [random.choice(NUMBERS) for _ in range(math.prod(node["shape"]))]
            moved.append({"node": number, "values": b.exact(values, node["shape"] or [1])})
    document = b.document(data, [], [], 0, claims_of(random, b, columns, samples, moved))
    features = [{"node": node, "entries": None} for node in chosen]
    document["network"] = {"nodes": nodes, "features": features, "columns": columns}
    used = str(document)
    b.tensors = {name: value for name, value in b.tensors.items() if f"'{name}'" in used}
    return b, document


@pytest.mark.parametrize("seed", range(8))
def test_nothing_false_is_accepted(seed, tmp_path, tools):  # noqa: F811
    random = Random(seed)
    for _ in range(25):
        outcome = check(tmp_path, *random_document(random))
        assert outcome.rejection is None or outcome.rejection.rule != "internal", outcome.rejection.message
        if outcome.verdict == "ACCEPTED":
            wrong = tools["sampled"].counterexample(tmp_path / "c.json", seed, outcome.claims)
            assert wrong is None, wrong
