"""Graph strategies: every kind of node and block occurs, shared, frozen, with and without an output bias."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier.fuzz import Specimen, oracle
from verifier.fuzz.graph_strategies import RATIONAL, READING, STEPS, graph_specimens
from verifier.network.forward import approx_features
from verifier.network.nodes import KINDS


def drawn(strategy, count: int) -> list[Specimen]:
    found: list[Specimen] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(5)
    @given(strategy)
    def collect(specimen: Specimen) -> None:
        found.append(specimen)

    collect()
    return found


def test_every_kind_of_node_occurs() -> None:
    found = drawn(graph_specimens(), 200)
    counts = Counter(node.kind for specimen in found for node in specimen.network.nodes)
    assert set(counts) == set(KINDS)
    assert set(STEPS) == set(READING)
    assert {specimen.network.output_bias for specimen in found} == {True, False}
    constants = [
        n for s in found for n in s.network.nodes if n.kind == "constant" and n.name.startswith(("p", "layer"))
    ]
    assert constants, "no parameter is frozen"
    readers = [Counter(r for n in s.network.nodes for r in n.reads) for s in found]
    shared = [
        any(count[view.node] > 1 for view in s.network.parameters) for s, count in zip(found, readers, strict=True)
    ]
    assert any(shared), "no parameter is shared"
    assert any(not s.network.parameters for s in found), "none without parameters"


def test_rational_graphs_are_rational() -> None:
    kinds = {node.kind for s in drawn(graph_specimens(nodes=RATIONAL, sugar=False), 60) for node in s.network.nodes}
    assert kinds <= {"input", "parameter", "constant", *RATIONAL}
    assert "contract" in kinds


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
