"""Tables of nodes: any network is stated by them, and mistakes have one line that names the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted_graphs import random_graph

from verifier import Network
from verifier.errors import InputError
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem
from verifier.run.node_tables import build_graph, graph_tables


@pytest.mark.parametrize("seed", range(12))
def test_a_network_is_the_same_again(seed: int) -> None:
    network = random_graph(np.random.default_rng(seed), steps=10)
    again = build_graph(*graph_tables(network))
    assert again.features == network.features and again.node_shapes == network.node_shapes
    for node, other in zip(network.nodes, again.nodes, strict=True):
        assert (node.kind, node.reads, node.fields()) == (other.kind, other.reads, other.fields())


INPUT = {"kind": "input", "shape": [2]}


@pytest.mark.parametrize(
    ("nodes", "line"),
    [
        ([{"kind": "inptu"}], "network.nodes[0]: kind is 'inptu'; did you mean 'input'?"),
        ([INPUT, {"kind": "scale", "reads": [0], "facto": 2}], "network.nodes[1]: unknown key 'facto'"),
        ([INPUT, {"kind": "scale", "reads": [3]}], "node 1 (scale): reads [3]"),
        ([INPUT, {"kind": "scale", "reads": [0], "factor": "x"}], "network.nodes[1]: factor = 'x' must be a number"),
        ([{"kind": "input", "shape": "x"}], "network.nodes[0]: shape = 'x' must be a list of integers"),
        ([INPUT, {"kind": "map", "reads": [0]}], "network.nodes[1]: 'activation' of a node 'map' is missing"),
        ([INPUT, {"kind": "constant", "values": [[1], [2, 3]]}], "network.nodes[1]: values must be numbers"),
        ([INPUT, {"kind": "affine", "reads": [0], "over": {"kernl": [1]}}], "over has an unknown key 'kernl'"),
    ],
)
def test_mistakes_name_the_node(nodes: list[dict[str, Any]], line: str) -> None:
    with pytest.raises(InputError) as caught:
        build_graph(nodes, [{"node": 0}])
    assert line in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("features", "line"), [([{}], "node is missing"), ([{"node": 0, "units": [1]}], "unknown key 'units'")]
)
def test_mistakes_in_features(features: list[dict[str, Any]], line: str) -> None:
    with pytest.raises(InputError, match=line):
        build_graph([INPUT], features)


NODES = """
data = { name = "iris", samples = 60 }
network.nodes = [
  { kind = "input", shape = [4] },
  { kind = "parameter", name = "w", shape = [5, 4], fan_in = 4 },
  { kind = "affine", reads = [0, 1], bias = false },
  { kind = "map", reads = [2], activation = "tanh" },
  { kind = "constant", values = [1] },
]
network.features = [{ node = 3, entries = [0, 2] }, { node = 4 }]
"""


def test_a_case_of_nodes() -> None:
    problem = case_problem(parse_case(NODES))
    assert isinstance(problem.network, Network)
    assert problem.network.columns == 3 and problem.network.output_bias and problem.u.shape == (20,)
    with pytest.raises(InputError, match="output_bias does not go with"):
        case_problem(parse_case(NODES + "network.output_bias = true\n"))
