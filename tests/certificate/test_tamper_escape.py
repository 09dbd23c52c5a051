"""Escapes E1 to E4: the originals are accepted, and every obligation, violated once, is rejected by its own rule."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier.run
from verifier.certificate.writer import CertificateBuilder
from verifier.landscape.escape import prove_escape
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_separate import prove_gateway
from verifier.problem import Problem
from verifier.run.case import read_case
from verifier.run.case_problem import case_problem

from .test_tamper import Change, Document, Tensors, dyadic, run_checker, scaled, set_at, tampered

QUICK = Path(verifier.run.__file__).parent / "cases" / "quick"
STARTS = {
    "E1": ("start-duplicate-square", "E1"),
    "E2": ("start-cloned-deep", "E2"),
    "E2-constant": ("start-constant-units", "E2"),
    "E2-trained": ("start-trained-clone", "E2"),
    "E3": ("start-gateway", "E3"),
    "E4": ("start-gateway", "E4"),
}


@functools.cache
def start(case: str) -> Problem:
    return case_problem(read_case(QUICK / f"{case}.toml"))


@functools.cache
def escape(case: str, label: str) -> Escape:
    """The escape of a kind from a case's start, which two test modules look at."""
    at = start(case)
    found = prove_escape(at.network, at.u, at.v, at.rows.inputs, at.rows.labels, at.rows.multiplicities, order=(label,))
    assert found.escape is not None, found.reason
    return found.escape


def builder_at(at: Problem) -> CertificateBuilder:
    return CertificateBuilder(at.rows, at.network, at.u, with_labels=True)


def write_escapes(folder: Path) -> dict[str, Path]:
    """A certificate of each kind of escape, and one of E4's hypotheses alone."""
    written = {}
    for name, (case, label) in STARTS.items():
        builder = builder_at(start(case))
        builder.add_escape(escape(case, label))
        written[name] = builder.write(folder / f"{name}.json")
    at = start(STARTS["E4"][0])
    only = builder_at(at)
    only.add_gateway(prove_gateway(at.network, at.rows.inputs))
    written["gateway"] = only.write(folder / "gateway.json")
    return written


@pytest.fixture(scope="module")
def escapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_escapes(tmp_path_factory.mktemp("escapes"))


def put(name: str, index: Any, value: Any) -> Change:
    """Change entries of a tensor (held as floats where they do not fit the type)."""

    def change(document: Document, tensors: Tensors) -> None:
        tensor = tensors[name].astype(np.float64) if isinstance(value, float) else tensors[name].copy()
        tensor[index] = value(tensor[index]) if callable(value) else value
        tensors[name] = tensor

    return change


def together(*changes: Change) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        for part in changes:
            part(document, tensors)

    return change


def forget(key: str) -> Change:
    """Drop an optional point and its tensors."""

    def change(document: Document, tensors: Tensors) -> None:
        document["claims"][0][key] = None
        for name in [name for name in tensors if f'"{name}"' not in json.dumps(document)]:
            del tensors[name]

    return change


def scale_claim(key: str, numerator: int, shift: int) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        document["claims"][0][key] = scaled(document["claims"][0][key], numerator, shift)

    return change


def swap_labels(document: Document, tensors: Tensors) -> None:
    tensors["data.labels"][:2] = tensors["data.labels"][1::-1]


def negate(name: str) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        tensors[name] = -tensors[name].astype(np.float64)

    return change


def move_the_skip_layer(document: Document, tensors: Tensors) -> None:
    """To the weights that it has: even that is refused, the claim would not say that it rests."""
    for node in (5, 6):
        document["claims"][0]["moved"].append({"node": node, "values": document["network"]["nodes"][node]["values"]})


def show_the_gate(document: Document, tensors: Tensors) -> None:
    document["network"]["features"].insert(0, {"node": 4, "entries": None})


TAMPERED: dict[str, tuple[str, Change, str]] = {
    "E1: V moves uphill": ("E1", negate("output.moved.0"), "E1.descent|P1.segment"),
    "E1: V moves uphill, and all that follows would hold": (
        "E1",
        together(
            negate("output.moved.0"),
            scale_claim("kappa", 1, 20),
            scale_claim("zero_error_t", 1, 20),
            set_at("claims", 0, "targets", value=[]),
        ),
        "E1.descent",
    ),
    "E1: one piece only, far away": (
        "E1",
        together(put("moved.layer0.weight.0", ..., lambda w: w * 64), set_at("claims", 0, "pieces", value=1)),
        "E1.descent|E1.margin|P1.segment",
    ),
    "E1: the start's loss understated": (
        "E1",
        set_at("claims", 0, "start_loss", value={"lower": dyadic(1, -9), "upper": dyadic(1, -8)}),
        "P1.start-loss",
    ),
    "E1: kappa too small": ("E1", scale_claim("kappa", 1, -12), "P1.segment"),
    "E1: gamma too large": ("E1", scale_claim("gamma", 1, 6), "E1.margin"),
    "E1: zero pieces": ("E1", set_at("claims", 0, "pieces", value=0), "schema.value"),
    "E1: a node that is not there": ("E1", set_at("claims", 0, "moved", 0, "node", value=50), "network.parameter"),
    "E1: labels exchanged": ("E1", swap_labels, "E1.margin|E1.descent|P1.segment"),
    "E2: twin no longer equal at the start": ("E2", put("layer1.bias.0", 3, 0.75), "E2.reroute|E2.carry"),
    "E2: outgoing weights not handed over": ("E2", forget("rerouted"), "E2.carry"),
    "E2: rerouting changes a unit": ("E2", put("rerouted.layer1.weight.0", (0, 0), 0.5), "E2.reroute"),
    "E2: a carrier moves too": ("E2", put("moved.layer1.bias.0", 0, 0.5), "E2.carry"),
    "E2: a unit below the carriers moves": ("E2", put("moved.layer0.bias.0", 0, 0.5), "E2.carry"),
    "E2: V of the end rotated": ("E2", put("output.end.0", ..., lambda v: v[:, ::-1]), "E2.margin"),
    "E2: margins of another start": ("E2-trained", put("output.start.0", (0, 0), -900.0), "P1.segment|P1.start-loss"),
    "E2: the carrier of the clones moves": ("E2-trained", put("moved.layer0.bias.0", 0, 0.25), "E2.carry"),
    "E2: constants without a carrier": (
        "E2-constant",
        put("moved.layer0.bias.0", ..., lambda b: b + 1),
        "E2.carry",
    ),
    "E2: all constant units move, the others rest": (
        "E2-constant",
        put("moved.layer0.bias.0", slice(0, 46), lambda b: b + 1),
        "E2.carry",
    ),
    "E2: a constant unit that is none": ("E2-constant", put("layer0.weight.0", (0, 0), 0.5), "E2.carry"),
    "E2: a unit may pass a pole": (
        "E2-trained",
        set_at("network", "nodes", 4, "activation", value="1/(t + 100)"),
        "E2.analytic",
    ),
    "E4: a unit below may pass a pole": (
        "E4",
        set_at("network", "nodes", 4, "activation", value="1/(t + 100)"),
        "E4.path.analytic",
    ),
    "E3: a larger motion": (
        "E3",
        put("moved.layer1.weight.0", ..., lambda w: w + 3),
        "E3.sublevel|E3.margin|P1.segment",
    ),
    "E3: epsilon too small": ("E3", scale_claim("epsilon", 1, -40), "E3.sublevel"),
    "E3: epsilon negative": ("E3", scale_claim("epsilon", -1, 0), "E3.sublevel"),
    "E3: kappa negative": ("E3", scale_claim("kappa", -1, 0), "E3.kappa"),
    "E4: right inverse wrong": ("E4", put("escape.right_inverse.0", (0, 0), 1e6), "E4.rank"),
    "E4: right inverse of zeros": ("E4", put("escape.right_inverse.0", ..., 0.0), "E4.rank"),
    "E4: samples do not part": ("E4", put("moved.layer0.weight.0", (0, 0), 0.0), "E4.part|E4.margin|P1.segment"),
    "E4: nothing moves": (
        "E4",
        together(put("moved.layer0.weight.0", ..., lambda w: np.array([[0.0, 0.0, 1.0]]))),
        "E4.part|E4.path.margin",
    ),
    "E4: two equal units on top": (
        "E4",
        together(
            put("layer1.weight.0", 1, lambda _: 0.25),
            put("layer1.weight.0", 2, lambda _: 0.25),
            put("layer1.bias.0", 1, lambda _: 0.5),
            put("layer1.bias.0", 2, lambda _: 0.5),
        ),
        "E4.rank|E4.path.margin|P1.segment",
    ),
    "E4: the skip layer moves": ("E4", move_the_skip_layer, "E4.rest"),
    "gateway: too few units": (
        "gateway",
        together(
            set_at("network", "features", 0, "entries", value=list(range(6))),
            set_at("network", "columns", value=6),
        ),
        "E4.units",
    ),
    "gateway: skip units in two layers": (
        "gateway",
        together(show_the_gate, set_at("network", "columns", value=8)),
        "E4.layers",
    ),
    "gateway: a polynomial": ("gateway", set_at("network", "nodes", 8, "activation", value="t**3"), "E4.analytic"),
    "gateway: no limit": ("gateway", set_at("network", "nodes", 8, "activation", value="sinh(t)"), "E4.analytic"),
    "gateway: a kink": ("gateway", set_at("network", "nodes", 4, "activation", value="Max(0, t)"), "E4.analytic"),
    "gateway: not separated": ("gateway", put("separating.layer1.weight.0", ..., 0.0), "E4.separation"),
}


@pytest.fixture(scope="module")
def verdicts(escapes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("tampered-escapes")
    files = [
        tampered(escapes[source], folder / f"t{i}.json", change)
        for i, (source, change, _) in enumerate(TAMPERED.values())
    ]
    return dict(zip(TAMPERED, run_checker(files), strict=True))


def test_the_originals_are_accepted(escapes: dict[str, Path]) -> None:
    results = run_checker(list(escapes.values()))
    assert [r["verdict"] for r in results] == ["ACCEPTED"] * len(escapes), [r["rejection"] for r in results]


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_rejected_for_the_right_reason(name: str, verdicts: dict[str, dict[str, Any]]) -> None:
    found = verdicts[name]
    assert found["verdict"] == "REJECTED"
    assert found["rejection"]["rule"] in TAMPERED[name][2].split("|"), found["rejection"]
