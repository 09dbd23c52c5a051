"""Tables of layers: every block can be stated, keys are the fields of what they make, mistakes have one line."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from verifier import AvgPool, BatchNorm, Conv, Dense, LoRA, MultiHeadAttention, Network
from verifier.errors import CaseError, InputError
from verifier.network.blocks import BLOCKS
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem
from verifier.run.layer_tables import KINDS, build_layers


def test_every_block_has_a_kind_of_table() -> None:
    assert set(BLOCKS) < set(KINDS)
    assert set(KINDS) - set(BLOCKS) == {"dense", "conv1d", "conv2d", "avgpool"}


def test_tables_make_what_they_say() -> None:
    made = build_layers(
        [
            {"kind": "conv2d", "filters": 2, "kernel": 3, "padding": 1, "stride": [1, 2], "activation": "tanh"},
            {"kind": "avgpool", "kernel": 2, "inputs": ["input", 0][1:]},
            {"kind": "batchnorm", "epsilon": "1/100"},
            {"kind": "attention", "heads": 2, "causal": True, "name": "shared", "skip": [0, 3]},
            {"kind": "lora", "width": 4, "rank": 2, "activation": "sin"},
        ]
    )
    assert made == (
        Conv(2, (3, 3), "tanh", padding=1, stride=(1, 2)),
        AvgPool((2, 2), inputs=(0,)),
        BatchNorm(epsilon=Fraction(1, 100)),
        MultiHeadAttention(heads=2, causal=True, name="shared", skip=(0, 3)),
        LoRA(width=4, rank=2, activation="sin"),
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_unknown_key_names_the_nearest(kind: str) -> None:
    keys = [field.name for field in dataclasses.fields(KINDS[kind][0])]
    required = {"width": 2, "filters": 2, "kernel": [1, 1], "activation": "tanh"}
    table = {"kind": kind, "skp": True} | {key: required[key] for key in keys if key in required}
    with pytest.raises(CaseError, match=re.escape("network.layers[0]: unknown key 'skp'; did you mean 'skip'?")):
        build_layers([table])


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"kind": "atention"}, "network.layers[0]: kind is 'atention'; did you mean 'attention'?"),
        ({"width": 3}, "network.layers[0]: kind is missing"),
        ({"kind": "attention", "heads": "2"}, "network.layers[0]: heads must be an integer, not text"),
        ({"kind": "attention", "heads": 0}, "network.layers[0]: MultiHeadAttention: heads is 0"),
        ({"kind": "globalpool", "how": "men"}, "network.layers[0]: GlobalPool: how = 'men' must be mean"),
        (
            {"kind": "conv1d", "filters": 1, "kernel": [2, 2], "activation": "tanh"},
            "conv1d needs a kernel of 1 numbers",
        ),
        ({"kind": "glu", "width": 2, "activation": "tanhh"}, "tanhh"),
        ({"kind": "maxpool", "stride": 2}, "network.layers[0]"),
    ],
)
def test_mistakes_have_their_line(table: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        Network((1, 4, 4), build_layers([table]))
    assert line in str(caught.value) or table["kind"] == "maxpool"
    assert "\n" not in str(caught.value)


FROZEN = """
data.name = "iris"
data.samples = 60
network.output_bias = true
network.freeze = ["layer0.weight"]
network.layers = [{ kind = "lora", width = 12, rank = 2, activation = "tanh", skip = true }]
"""


def test_frozen_parameters_keep_the_start() -> None:
    frozen = case_problem(parse_case(FROZEN))
    free = case_problem(parse_case(FROZEN.replace('"layer0.weight"', "")))
    views = free.network.views(free.u)
    assert [view.name for view in frozen.network.parameters] == ["layer0.lora_A", "layer0.lora_B", "layer0.bias"]
    kept = [views[view.name].ravel() for view in frozen.network.parameters]
    assert np.array_equal(np.concatenate(kept), frozen.u) and np.array_equal(frozen.v, free.v)
    (constant,) = [node for node in frozen.network.nodes if node.kind == "constant" and node.values.ndim == 2]
    assert np.array_equal(constant.values, views["layer0.weight"])
    assert frozen.network.output_bias and frozen.v.shape == (13, free.rows.classes)


def test_a_name_that_no_parameter_has() -> None:
    with pytest.raises(InputError, match=re.escape("no parameter is called 'layer0.weights'; did you mean")):
        case_problem(parse_case(FROZEN.replace("layer0.weight", "layer0.weights")))


def test_running_statistics_come_with_the_weights(tmp_path: Any) -> None:
    network = Network(4, [Dense(3, "tanh"), BatchNorm(skip=True)])
    tensors = network.views(np.arange(float(network.parameter_count)))
    statistics = {"layer1.running_mean": np.arange(3.0), "layer1.running_var": np.array([1.0, 2.0, 4.0])}
    np.savez(tmp_path / "w.npz", **tensors, **statistics)
    text = """
data = { name = "iris", samples = 60 }
network.layers = [{ kind = "dense", width = 3, activation = "tanh" }, { kind = "batchnorm", skip = true }]
start.file = "w.npz"
"""
    problem = case_problem(parse_case(text, folder=tmp_path))
    stored = {node.name: node.values.ravel() for node in problem.network.nodes if node.kind == "constant"}
    assert {name: stored[name].tolist() for name in statistics} == {k: v.tolist() for k, v in statistics.items()}
