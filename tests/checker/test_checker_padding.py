"""Certificates of padded networks: valid, accepted, and rejected once their padding is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from verifier.certificate.schema import json_schema
from verifier.checker.certificate import check_file
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case

SCHEMA = json_schema()
POINTS = "".join(f"{i % 3},{i * i % 7},{i % 5},{i % 4},{'ab'[i % 2]}\n" for i in range(12))
CASES = {
    "conv2d": """
        data = { name = "digits", samples = 16 }
        network.layers = [
          { kind = "conv2d", filters = 1, kernel = [3, 3], padding = 1, stride = [2, 2], activation = "tanh" },
        { kind = "conv2d", filters=2, kernel=[3, 2], padding = [1, 0], bias = "tied", activation = "sin", skip=true },
        ]
        """,
    "conv1d": """
        data = { path = "points.csv" }
        network.layers = [
          { kind = "conv1d", filters = 6, kernel = 3, padding = 1, activation = "tanh", skip = true },
        ]
        """,
    "shift": """
        data = { path = "points.csv" }
        network.layers = [
          { kind = "conv1d", filters = 16, kernel = 4, stride = 4, padding = 1, activation = "tanh", skip = true },
        ]
        """,
    "tied": """
        data = { path = "tied.csv", scale = "none" }
        network.layers = [
          { kind = "conv1d", filters = 1, kernel = 2, padding = 1, bias = "tied", activation = "tanh", skip = true },
        ]
        """,
    "cloned": """
        data = { path = "points.csv" }
        network.layers = [
          { kind = "conv1d", filters = 1, kernel = 3, padding = 1, activation = "tanh" },
          { kind = "dense", width = 16, activation = "tanh", skip = true },
        ]
        start = { init = "cloned", output = "gaussian" }
        path = { escapes = ["E2"] }
        """,
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("padded")
    (folder / "tied.csv").write_text("1,0,1,a\n2,0,2,b\n3,0,3,a\n5,0,5,b\n")
    (folder / "points.csv").write_text(POINTS)
    return {
        name: run_case(parse_case(text, name=name, folder=folder))[1].write(folder / f"{name}.json")
        for name, text in CASES.items()
    }


def labels_of(path: Path) -> set[str]:
    return {claim["label"] for claim in json.loads(path.read_text())["claims"]}


def changed(path: Path, tmp_path: Path, change: Any) -> Any:
    document = json.loads(path.read_text())
    change([node for node in document["network"]["nodes"] if node["kind"] == "affine"], document["network"]["nodes"])
    target = tmp_path / path.name
    target.write_text(json.dumps(document))
    (tmp_path / document["arrays"]["file"]).write_bytes(path.with_suffix(".safetensors").read_bytes())
    return check_file(str(target), 1)


@pytest.mark.parametrize("name", CASES)
def test_the_prover_s_certificates_are_valid_and_accepted(name: str, certificates: dict[str, Path]) -> None:
    document = json.loads(certificates[name].read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    windows = [node["over"] for node in document["network"]["nodes"] if isinstance(node.get("over"), dict)]
    assert any(any(window["padding"]) for window in windows)
    outcome = check_file(str(certificates[name]), 1)
    assert outcome.verdict == "ACCEPTED", outcome.rejection


def test_what_is_claimed(certificates: dict[str, Path]) -> None:
    everything = {"R1", "Z1", "P1", "B1", "Z2", "C1", "C3", "W0", "D"}
    assert everything <= labels_of(certificates["conv2d"]) & labels_of(certificates["conv1d"])
    assert {"E2", "E4"} <= labels_of(certificates["cloned"])
    claims = [claim for claim in json.loads(certificates["tied"].read_text())["claims"] if claim["label"] == "R5"]
    assert {(claim["reason"], claim["rank_at_most"]) for claim in claims} == {("dependent-units", 2), ("every-u", 2)}


def put(index: int, value: Any) -> Any:
    def change(layers: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
        layers[index]["over"]["padding"] = value

    return change


def without(index: int) -> Any:
    def change(layers: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
        del layers[index]["over"]["padding"]

    return change


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("conv1d", put(0, [0]), "network.node"),  # another number of biases
        ("conv1d", put(0, [2]), "network.node"),
        ("conv1d", without(0), "schema.missing-key"),
        ("conv1d", put(0, [-1]), "schema.value"),
        ("conv1d", put(0, [3]), "network.node"),
        ("conv1d", put(0, [10**9]), "network.node"),
        ("conv1d", put(0, [10**18]), "schema.value"),
        ("conv1d", put(0, [True]), "schema.type"),
        ("conv1d", put(0, True), "schema.type"),
        ("conv1d", put(0, "1"), "schema.type"),
        ("conv1d", put(0, [1, 0]), "network.node"),
        ("conv2d", put(1, [0, 1]), "network.features"),
        ("conv2d", put(1, [1]), "network.node"),
        ("conv2d", put(0, [0, 0]), "network.node"),
        ("tied", put(0, [0]), "network.features"),
        ("shift", put(0, [0]), "Z1.margin"),  # the shapes stay, and every window is another
        ("cloned", put(0, [0]), "network.node"),
    ],
)
def test_another_padding_is_rejected(
    name: str, change: Any, rule: str, certificates: dict[str, Path], tmp_path: Path
) -> None:
    outcome = changed(certificates[name], tmp_path, change)
    assert (outcome.verdict, outcome.rejection.rule) == ("REJECTED", rule), outcome.rejection


def test_padding_moved_to_the_other_axis(certificates: dict[str, Path], tmp_path: Path) -> None:
    """A change that keeps every shape is caught by the numbers: here the kernel turns with the padding."""

    def turned(layers: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
        layers[1]["over"]["padding"], layers[1]["over"]["kernel"] = [0, 1], [2, 3]
        nodes[layers[1]["reads"][-2]]["shape"] = [2, 1, 2, 3]

    outcome = changed(certificates["conv2d"], tmp_path, turned)
    assert outcome.verdict == "REJECTED"
