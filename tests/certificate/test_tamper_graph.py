"""Certificates of networks that are no stacks of layers: accepted as written, and with no node changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from everyday import one_in
from planted_graphs import random_graph, random_point

import verifier as vf
from verifier.network import blocks

from .test_tamper import Change, Document, Tensors, run_checker, set_at, tampered


def transformer() -> vf.Network:
    """One block of attention over three tokens of four channels, between residual arcs and LayerNorms."""
    layers = [blocks.Linear(6), blocks.LayerNorm(), blocks.MultiHeadAttention(2, causal=True)]
    layers += [blocks.Add(inputs=(0, 2)), blocks.LayerNorm(), blocks.GLU(8), blocks.Flatten(skip=True)]
    return vf.Network((3, 4), layers)


def residual() -> vf.Network:
    """x + tanh(W x + b) over a tanh layer."""
    arc = blocks.Add(inputs=(0, 1), skip=True)
    return vf.Network(4, [vf.Dense(12, "tanh"), blocks.Linear(12, "tanh", over="all"), arc])


NETWORKS: dict[str, Callable[[], vf.Network]] = {
    "transformer": transformer,
    "residual": residual,
    "recurrent": lambda: vf.Network((3, 2), [blocks.GRU(10, skip=True)]),
    "norm": lambda: vf.Network(4, [vf.Dense(12, "sin"), blocks.BatchNorm(), blocks.Activate("tanh", skip=True)]),
    "maximum": lambda: vf.Network(
        (1, 8), [vf.Conv(4, (3,), "relu", padding=(1,)), blocks.MaxPool((2,)), vf.Dense(12, "relu", skip=True)]
    ),
    "bias": lambda: vf.Network(4, [vf.Dense(10, "tanh", skip=True)], output_bias=True),
}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate of each network on random samples of three classes."""
    folder, written = tmp_path_factory.mktemp("graphs"), {}
    for name, make in NETWORKS.items():
        network, rng = make(), np.random.default_rng(0)
        x, y = np.round(rng.uniform(-2, 2, (6, network.dimension)), 3), rng.integers(0, 3, 6)
        written[name] = vf.verify(x, y, network).write(folder / f"{name}.json")
    return written


def of_kind(kind: str, key: str, value: Any, number: int = 0) -> Change:
    """Set a field of one node of a kind; a value may be made from the old one."""

    def change(document: Document, tensors: Tensors) -> None:
        node = [node for node in document["network"]["nodes"] if node["kind"] == kind][number]
        assert node[key] != value
        node[key] = value(node[key]) if callable(value) else value

    return change


def shared(document: Document, tensors: Tensors) -> None:
    """Let the biases of the residual layer be those of the first one."""
    first, second, *_ = (node for node in document["network"]["nodes"] if node["kind"] == "affine")
    second["reads"][-1] = first["reads"][-1]


def add_w0(document: Document, tensors: Tensors) -> None:
    document["claims"].append({"label": "W0"})


def more(name: str) -> Change:
    """Change one number of a tensor."""

    def change(document: Document, tensors: Tensors) -> None:
        label = next(label for label in sorted(tensors) if label.startswith(name))
        tensors[label] = tensors[label].astype(np.float64)
        tensors[label].flat[0] += 0.5

    return change


def swapped(reads: list[int]) -> list[int]:
    return [reads[1], reads[0], *reads[2:]]


OTHER = "R1.residual|Z1.margin|container.unreferenced"
"""Other features: the rules of which one fires first."""

TAMPERED: dict[str, tuple[str, Change, str]] = {
    "the arc reads the layer twice": ("residual", of_kind("add", "reads", lambda r: [r[1], r[1]]), OTHER),
    "the arc is left out": ("residual", of_kind("add", "reads", lambda r: r[:1]), "network.reads"),
    "the sum is a product": ("residual", of_kind("add", "kind", "multiply"), OTHER),
    "biases shared": ("residual", shared, OTHER),
    "no causal mask": (
        "transformer",
        of_kind("attend", "reads", lambda r: r[:3]),
        OTHER,
    ),
    "queries and keys exchanged": ("transformer", of_kind("attend", "reads", swapped), OTHER),
    "scores by another factor": ("transformer", of_kind("attend", "square", ["1", "1"]), OTHER),
    "another epsilon": ("transformer", of_kind("normalise", "epsilon", ["1", "16"]), OTHER),
    "epsilon 0": ("transformer", of_kind("normalise", "epsilon", ["0", "1"]), "W0.analytic"),
    "no centre": ("transformer", of_kind("normalise", "centre", False), OTHER),
    "a gain changed": ("transformer", more("layer1"), OTHER),
    "the gate's arguments exchanged": (
        "recurrent",
        of_kind("gate", "reads", lambda r: [r[0], r[2], r[1]]),
        OTHER,
    ),
    "another step's input": ("recurrent", of_kind("take", "entries", [1]), OTHER),
    "another variance": ("norm", of_kind("inverse-root", "epsilon", ["1", "1"]), OTHER),
    "the mean for the maximum": ("maximum", of_kind("pool", "how", "mean"), OTHER),
    "W0 under a maximum": ("maximum", add_w0, "W0.analytic"),
    "another bias column": ("bias", more("output_bias"), OTHER),
    "the bias column left out": ("bias", set_at("network", "features", 1, "node", value=2), "network.features"),
}


def test_what_the_prover_writes_is_accepted(graphs: dict[str, Path]) -> None:
    results = run_checker(list(graphs.values()))
    assert [r["verdict"] for r in results] == ["ACCEPTED"] * len(graphs), [r["rejection"] for r in results]
    claimed = {name: {c["label"] for c in json.loads(path.read_text())["claims"]} for name, path in graphs.items()}
    for name, labels in claimed.items():
        assert {"R1", "Z1", "P1", "Z2", "B1", "C1", "C3"} <= labels, name
        assert ("W0" in labels) is (name != "maximum")


@pytest.fixture(scope="module")
def verdicts(graphs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("tampered-graphs")
    cases = enumerate(TAMPERED.values())
    files = [tampered(graphs[source], folder / f"t{i}.json", change) for i, (source, change, _) in cases]
    return dict(zip(TAMPERED, run_checker(files), strict=True))


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_node_is_rejected(name: str, verdicts: dict[str, dict[str, Any]]) -> None:
    found = verdicts[name]
    assert found["verdict"] == "REJECTED"
    assert found["rejection"]["rule"] in TAMPERED[name][2].split("|"), found["rejection"]


@pytest.mark.parametrize("seed", one_in(2, range(10)))
def test_what_is_claimed_of_random_graphs_is_accepted(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    network = random_graph(rng, steps=int(rng.integers(3, 9)))
    u, x = random_point(rng, network, count=4)
    found = vf.verify(x, [0, 1, 2, 1], network, u)
    (result,) = run_checker([found.write(tmp_path / "c.json")])
    assert result["verdict"] == "ACCEPTED", result["rejection"]
