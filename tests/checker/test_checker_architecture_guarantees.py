"""The checker's rules D and A: each hypothesis is needed, on the prover's certificates and on the corpus."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checker_graph import as_graph
from planted import seeds

import verifier as vf
from verifier.checker.architecture import dense_layers, facts_everywhere
from verifier.checker.certificate import check_file
from verifier.checker.expression import parse
from verifier.data.unseen import Unseen
from verifier.network.blocks import Activate, Add, Flatten, LayerNorm, MaxPool, Reshape, Scale
from verifier.network.network import Network
from verifier.rank.almost_every_data import jointly_analytic
from verifier.rank.every_data import CountedUnits, EveryDataSet, prove_every_data_set, separating_layers

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if {"A", "D"} & set(entry["labels"]) or entry["rule"] == "data.inputs"]
Dense = vf.Dense


def test_the_corpus_of_data_sets():
    for entry in OWN:
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


NETWORKS = [
    Network(2, [Dense(3, "softplus"), Dense(4, "tanh", skip=True)]),
    Network(2, [Dense(3, "tanh", skip=True), Dense(4, "sin", inputs=("input", 0), skip=(0, 2))], output_bias=True),
    Network((2, 2), [Scale(0.5), Reshape((4, 1)), Flatten(), Dense(4, "gelu", skip=True)]),
    Network(2, [Activate("relu"), Dense(4, "silu", skip=True, inputs=("input", 0))]),
    Network(3, [Dense(3, "tanh"), Add(inputs=("input", 0)), Dense(4, "tanh", skip=True)]),
    Network((1, 4), [vf.Conv(2, (2,), "tanh"), Dense(4, "tanh", skip=True)]),
    Network(2, [LayerNorm(), Dense(4, "tanh", skip=True)]),
    Network(2, [LayerNorm(epsilon=0), Dense(4, "tanh", skip=True)]),
    Network((1, 4), [MaxPool((2,)), Dense(4, "tanh", skip=True)]),
    Network(2, Dense(4, "cubic", skip=True)),
    Network(2, [Dense(2, "tanh", name="a"), Dense(2, "tanh", name="a"), Dense(4, "tanh", skip=True)]),
    Network(2, [Dense(2, "tanh"), Dense(4, "tanh", skip=True)], frozen={"layer0.weight": np.ones((2, 2))}),
]


def graph_of(network):
    """The network as the checker reads it; its samples matter in nothing here."""
    u = np.ones(network.parameter_count)
    return as_graph(network, u, np.ones((1, network.dimension)))


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_prover_and_checker_see_the_same_layers_and_flags(network):
    graph = graph_of(network)
    assert all(fact.analytic for fact in facts_everywhere(graph, True)) == jointly_analytic(network)[0]
    assert dense_layers(graph) == set(separating_layers(network))


def said(tmp_path, network, units, samples):
    """What the checker says of a claim A of these units, true or not."""
    builder = vf.CertificateBuilder(Unseen(samples, network.dimension), network, None)
    builder.add_every_data_set(EveryDataSet(vf.Verdict.PROVED, "", tuple(units)))
    return check_file(str(builder.write(tmp_path / "c.json")), 1)


@seeds(20)
def test_what_the_prover_counts_the_checker_accepts(rng, tmp_path):
    layers = []
    for _ in range(int(rng.integers(1, 4))):
        earlier = [int(k) for k in range(len(layers)) if rng.integers(2)]
        inputs = (*(["input"] if rng.integers(2) or not earlier else []), *earlier)
        name = ["tanh", "gelu", "cubic", "identity", "t**2 - t", "silu"][int(rng.integers(6))]
        layers.append(Dense(int(rng.integers(1, 5)), name, skip=bool(rng.integers(2)), inputs=inputs))
    layers.append(Dense(2, "tanh", skip=True))
    network = Network(int(rng.integers(1, 4)), layers, output_bias=bool(rng.integers(2)))
    count = int(rng.integers(1, network.columns + 1))
    found = prove_every_data_set(network, count)
    outcome = said(tmp_path, network, found.units, count)
    if not found.proved:
        assert outcome.rejection.rule == "A.units"
        return
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    if found.units:
        *others, last = found.units
        fewer = [*others, *([CountedUnits(last.node, last.count - 1)] if last.count > 1 else [])]
        assert said(tmp_path, network, fewer, count).rejection.rule == "A.units"


def test_the_sign_of_the_stored_samples_is_not_used():
    """These activations are analytic on the stored samples, which are positive, and not defined on all of R."""
    for text in ("log(t)", "sqrt(t)", "1/t", "t**(1/2)"):
        graph = graph_of(Network(1, [Activate("tanh"), Dense(2, "tanh", skip=True)]))
        graph.nodes[1].activation = parse(text, "")
        for jointly in (True, False):
            facts = facts_everywhere(graph, jointly)
            assert not facts[1].defined and not any(fact.analytic for fact in (facts[1], facts[-1]))


def test_a_document_without_samples_takes_no_memory_for_them(tmp_path):
    network = Network(2, Dense(4_000_000, "tanh", skip=True))
    outcome = said(tmp_path, network, [CountedUnits(4, 4_000_000)], 4_000_000)
    assert outcome.verdict == "ACCEPTED" and outcome.seconds < 5
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000
