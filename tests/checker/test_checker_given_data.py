"""The checker's rules A.data and I: the corpus, and what the prover finds by code of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checker_graph import as_graph
from planted import seeds

import verifier as vf
from verifier.checker.apart import Apart
from verifier.checker.certificate import check_file
from verifier.checker.common import Rejection
from verifier.checker.scaled import Reading
from verifier.network.blocks import Add, Masked, Scale, Select
from verifier.network.input_maps import input_maps
from verifier.network.layers import AvgPool
from verifier.network.network import Network
from verifier.rank.given_data import GivenData, ShownUnits, prove_given_data
from verifier.rank.separation import NOWHERE, Separation

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]


def test_the_corpus_of_given_and_scaled_samples():
    for entry in (entry for entry in ENTRIES if {"A.data", "I"} & set(entry["labels"])):
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


def network_of(rng):
    """Filters, averages and a dense layer on four places of one or two channels, perhaps behind a multiple."""
    layers, left = [Scale(0.5)] if rng.integers(2) else [], 4
    for _ in range(int(rng.integers(1, 3))):
        kernel, bias = int(rng.integers(1, 3)), ["tied", "per-unit"][int(rng.integers(2))]
        padding, name = int(rng.integers(0, kernel)), ["tanh", "cubic", "identity"][int(rng.integers(3))]
        layers.append(vf.Conv(2, (kernel,), name, bias=bias, padding=padding))
        left += 2 * padding - kernel + 1
        if rng.integers(2):
            layers.append(AvgPool((min(2, left),), (1,), skip=bool(rng.integers(2))))
            left -= min(2, left) - 1
    layers.append(vf.Dense(4, ["tanh", "cubic"][int(rng.integers(2))], skip=True))
    return Network((int(rng.integers(1, 3)), 4), layers)


@seeds(20)
def test_prover_and_checker_tell_the_same_apart(rng, tmp_path):
    network = network_of(rng)
    x = np.unique(rng.integers(0, 3, (4, network.dimension)).astype(float), axis=0)
    mine, theirs = Separation(network, x), Apart(as_graph(network, np.ones(network.parameter_count), x))
    for node, entries in theirs.entries.items():
        told = mine.classes(node)
        for at, entry in enumerate(entries):
            pairs = list(zip(mine.columns[int(told.column[at])].tolist(), entry.column, strict=True))
            assert len(set(pairs)) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
            assert bool(told.exact[at]) == entry.exact and (told.zero[at] == NOWHERE) == (entry.zero == NOWHERE)
    found = prove_given_data(network, x)
    if found.proved:
        data = vf.dataset_from_arrays(x, [0] * (len(x) - 1) + [1], scale="none")
        builder = vf.CertificateBuilder(data, network, None)
        builder.add_given_data(found)
        assert check_file(str(builder.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
        *others, last = found.units
        fewer = [*others, *([ShownUnits(last.node, last.entries[1:])] if last.entries[1:] else [])]
        builder = vf.CertificateBuilder(data, network, None)
        builder.add_given_data(GivenData(vf.Verdict.PROVED, "", tuple(fewer)))
        assert check_file(str(builder.write(tmp_path / "d.json")), 1).rejection.rule == "A.data.units"


READ = [
    Network(3, vf.Dense(2, "tanh", skip=True)),
    Network((2, 4), vf.Conv(2, (2,), "tanh", bias="tied", skip=True)),
    Network((2, 4), vf.Conv(2, (2,), "relu", padding=1, skip=True)),
    Network((2, 4), [AvgPool((2,)), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [Scale(0.5), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [vf.Dense(3, "tanh"), Add(inputs=("input", 0)), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", inputs=("input", 0), skip=True)]),
    Network(3, vf.Dense(2, "tanh", skip=True), frozen={"layer0.weight": np.ones((2, 3))}),
    Network(3, vf.Dense(2, "tanh", skip=True), frozen={"layer0.bias": np.ones(2)}),
    Network(3, Masked(2, "tanh", mask=((1, 0, 1), (0, 1, 1)), skip=True)),
    Network(3, [Select((0,), axis=0), vf.Dense(2, "tanh", skip=True)]),
    Network(2, [vf.Dense(2, "tanh", name="a"), vf.Dense(2, "tanh", name="a"), vf.Dense(4, "tanh", skip=True)]),
]


@pytest.mark.parametrize("network", READ, ids=range(len(READ)))
def test_prover_and_checker_see_the_same_maps(network):
    graph = as_graph(network, np.ones(network.parameter_count), np.ones((1, network.dimension)))
    found = input_maps(network)
    if found.obstacle:
        with pytest.raises(Rejection, match=r"I\.input"):
            Reading(graph, "")
        return
    seen = Reading(graph, "")
    assert (seen.matrix, seen.groups(), seen.shift) == (found.matrix, found.groups, found.shift)
