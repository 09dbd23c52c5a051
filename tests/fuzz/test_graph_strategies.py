"""Graph strategies: every kind of node and block occurs, shared, frozen, with and without an output bias."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier.fuzz import oracle
from verifier.fuzz.graph_steps import RATIONAL, READING, STEPS
from verifier.fuzz.graph_strategies import graph_specimens, graphs
from verifier.network.forward import approx_features
from verifier.network.nodes import KINDS


def drawn(strategy: Any, count: int) -> list[Any]:
    found: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(5)
    @given(strategy)
    def collect(specimen: Any) -> None:
        found.append(specimen)

    collect()
    return found


@pytest.mark.parametrize("kind", READING)
def test_every_kind_of_node_occurs(kind: str) -> None:
    found = drawn(graphs((2, 4), nodes=(kind,)), 4)
    assert any(node.kind == kind for network in found for node in network.nodes)
    assert set(STEPS) == set(READING) == set(KINDS) - {"input", "parameter", "constant"}


def test_parameters_are_shared_and_frozen() -> None:
    found = drawn(graph_specimens(), 30)
    assert {specimen.network.output_bias for specimen in found} == {True, False}
    names = [node.name for s in found for node in s.network.nodes if node.kind == "constant"]
    assert any(name.startswith(("p", "layer", "wide")) for name in names), "no parameter is frozen"
    made = drawn(graphs((2, 2), nodes=("affine",)), 20)
    readers = [Counter(read for node in network.nodes for read in node.reads) for network in made]
    shared = (count[view.node] > 1 for net, count in zip(made, readers, strict=True) for view in net.parameters)
    assert any(shared), "no parameter is shared"
    assert any(not s.network.parameters for s in found), "none without parameters"


def test_rational_graphs_are_rational() -> None:
    kinds = {node.kind for s in drawn(graph_specimens(nodes=RATIONAL, sugar=False), 30) for node in s.network.nodes}
    assert kinds <= {"input", "parameter", "constant", *RATIONAL}
    assert len(kinds) > 8


@pytest.mark.parametrize("number", range(8))
def test_the_oracle_agrees_with_the_tests_own_and_with_floats(number: int) -> None:
    rng = np.random.default_rng(number)
    network = random_graph(rng, steps=8)
    u, x = random_point(rng, network)
    found = np.array(oracle.approx_features_to(network, u, x), dtype=object)
    other = np.array(psi_oracle(network, u, x), dtype=object)
    assert max(abs(found - other).ravel()) < 1e-40 * (1 + max(abs(found).ravel()))
    floats = found.astype(float)
    np.testing.assert_allclose(approx_features(network, u, x), floats, rtol=1e-9, atol=1e-9 * (1 + abs(floats).max()))
