"""Every obligation of a certificate, violated once: the checker must reject, and for the right reason.

Each tampering starts from an accepted certificate of the prover and, unless it is about the container, repairs the
sizes and hashes afterwards, so that only the mathematics can reject it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

import verifier

CHECKER = Path(verifier.__file__).parent / "checker" / "__main__.py"
Document = dict[str, Any]
Tensors = dict[str, np.ndarray]
Change = Callable[[Document, Tensors], None]


def run_checker(files: list[Path]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-I", str(CHECKER), "--json", *map(str, files)], capture_output=True, check=False
    )
    assert done.stderr == b"", done.stderr.decode()
    return json.loads(done.stdout)["results"]


def claim(document: Document, label: str) -> Document:
    return next(c for c in document["claims"] if c["label"] == label)


def dyadic(mantissa: int, exponent: int) -> Document:
    return {"mantissa": str(mantissa), "exponent": exponent}


def scaled(value: Document, numerator: int, shift: int) -> Document:
    """``value * numerator * 2^shift``."""
    return dyadic(int(value["mantissa"]) * numerator, value["exponent"] + shift)


def set_at(*path: Any, value: Any) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        here: Any = document
        for key in path[:-1]:
            here = claim(document, key[1:]) if isinstance(key, str) and key.startswith("@") else here[key]
        here[path[-1]] = value

    return change


def rescale(label: str, key: str, numerator: int, shift: int) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        claim(document, label)[key] = scaled(claim(document, label)[key], numerator, shift)

    return change


def tensor(name: str, function: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        tensors[name] = function(tensors[name].copy())

    return change


def assign(name: str, index: Any, value: Any) -> Change:
    def function(array: np.ndarray) -> np.ndarray:
        array[index] = value
        return array

    return tensor(name, function)


def swap_labels(document: Document, tensors: Tensors) -> None:
    labels = tensors["data.labels"]
    first, second = 0, int(np.flatnonzero(labels != labels[0])[0])
    labels[first], labels[second] = labels[second], labels[first]


def exchange_sizes(document: Document, tensors: Tensors) -> None:
    n, m = document["data"]["samples"], document["network"]["columns"]
    document["data"]["samples"], document["network"]["columns"] = m, n


def transpose_inverse(document: Document, tensors: Tensors) -> None:
    matrix = claim(document, "R1")["right_inverse"]
    matrix["shape"] = matrix["shape"][::-1]
    name = matrix["terms"][0]["tensor"]
    tensors[name] = np.ascontiguousarray(tensors[name].T)


def last_bit_of_deep_weight(document: Document, tensors: Tensors) -> None:
    """One ulp of binary32 in one weight; sigma_N is far below it, so the right inverse no longer fits."""
    tensors["layer0.weight.0"][0, 0] = np.nextafter(tensors["layer0.weight.0"][0, 0], np.float32(9))


def unclone(document: Document, tensors: Tensors) -> None:
    """One ulp makes every clone a unit of its own."""
    weight = tensors["layer0.weight.0"]
    weight[:, 2] = np.nextafter(weight[:, 2], np.float32(9)) + np.arange(len(weight), dtype=np.float32)


def drop_claim_key(label: str, key: str) -> Change:
    def change(document: Document, tensors: Tensors) -> None:
        del claim(document, label)[key]

    return change


def tiny_target(document: Document, tensors: Tensors) -> None:
    claim(document, "P1")["targets"][1]["loss"] = dyadic(1, -4000)


def early_target(document: Document, tensors: Tensors) -> None:
    targets = claim(document, "P1")["targets"]
    targets[1]["t"] = targets[0]["t"]


def target_before_kappa(document: Document, tensors: Tensors) -> None:
    path = claim(document, "P1")
    path["targets"] = [{"loss": dyadic(1000, 0), "t": scaled(path["kappa"], 1, -1)}]


def zero_error_before_kappa(document: Document, tensors: Tensors) -> None:
    path = claim(document, "P1")
    path["zero_error_t"] = scaled(path["kappa"], 1, -1)


def loss_shifted(document: Document, tensors: Tensors) -> None:
    loss = claim(document, "P1")["start_loss"]
    loss["lower"], loss["upper"] = scaled(loss["lower"], 3, 0), scaled(loss["upper"], 3, 0)


def start_moved(document: Document, tensors: Tensors) -> None:
    """V0 becomes 2^40 V0: its margins are beyond kappa V1's."""
    for term in claim(document, "P1")["start_weights"]["terms"]:
        term["exponent"] += 40


def end_negated(document: Document, tensors: Tensors) -> None:
    for term in claim(document, "P1")["end_weights"]["terms"]:
        tensors[term["tensor"]] = -tensors[term["tensor"]]


def add_unreferenced(document: Document, tensors: Tensors) -> None:
    tensors["stowaway"] = np.zeros(3, np.float32)


def multiplicity_changed(document: Document, tensors: Tensors) -> None:
    tensors["data.multiplicities"][1] += 1


def multiplicity_moved(document: Document, tensors: Tensors) -> None:
    """The same total, but another sample counts three times: another loss."""
    counts = tensors["data.multiplicities"]
    counts[:] = 1
    counts[0] = document["data"]["total"] - len(counts) + 1


def exchange_features(document: Document, tensors: Tensors) -> None:
    document["network"]["features"][:2] = document["network"]["features"][1::-1]


NODES, FEATURES = ("network", "nodes"), ("network", "features")
WITHOUT_BIAS = {"kind": "affine", "reads": [0, 1], "over": "all", "bias": False}

# name -> (certificate, change, rules any of which is the right reason)
TAMPERED: dict[str, tuple[str, Change, str]] = {
    "weight of an ill-conditioned network changed in the last bit": (
        "deep-rank",
        last_bit_of_deep_weight,
        "R1.residual",
    ),
    "weight sign flipped": ("full-rank", tensor("layer0.weight.0", lambda w: -w), "R1.residual"),
    "bias changed": ("full-rank", assign("layer0.bias.0", 3, 9.5), "R1.residual"),
    "input pixel changed": ("full-rank", assign("data.inputs.0", (2, 20), 3), "R1.residual"),
    "two samples exchanged": (
        "full-rank",
        tensor("data.inputs.0", lambda x: x[[1, 0, *range(2, len(x))]]),
        "R1.residual",
    ),
    "right inverse: one entry": ("full-rank", assign("rank.right_inverse.0", (0, 0), 32000), "R1.residual"),
    "right inverse: zero": ("full-rank", tensor("rank.right_inverse.0", np.zeros_like), "R1.residual"),
    "right inverse: weaker (coarser)": (
        "full-rank",
        tensor("rank.right_inverse.0", lambda x: (x >> 12) << 12),
        "R1.residual",
    ),
    "right inverse: wrong exponent": (
        "full-rank",
        set_at("@R1", "right_inverse", "terms", 0, "exponent", value=-3),
        "R1.residual",
    ),
    "right inverse: transposed": ("full-rank", transpose_inverse, "shape"),
    "alpha too small": ("full-rank", rescale("R1", "alpha", 1, -12), "R1.residual"),
    "alpha = 1": ("full-rank", set_at("@R1", "alpha", value=dyadic(1, 0)), "R1.residual"),
    "alpha negative": ("full-rank", set_at("@R1", "alpha", value=dyadic(-1, -3)), "R1.residual"),
    "sigma too large by 2": ("full-rank", rescale("R1", "sigma_lower", 1, 1), "R1.sigma"),
    "sigma zero": ("full-rank", set_at("@R1", "sigma_lower", value=dyadic(0, 0)), "R1.sigma"),
    "rank off by one": ("full-rank", set_at("@R1", "rank", value=23), "R1.rank"),
    "feature bits too few": ("full-rank", set_at("@R1", "feature_bits", value=3), "R1.residual"),
    "precision claim above R1's": ("full-rank", set_at("@R1", "precision", value=128), "schema.value"),
    "R3 at 64 bits": ("deep-rank", set_at("@R3", "precision", value=64), "schema.value"),
    "R3 with too little precision": ("deep-rank", set_at("@R3", "precision", value=65), "R1.residual"),
    "labels swapped": ("full", swap_labels, "Z1.margin"),
    "label out of range": ("full", assign("data.labels", 0, 10), "data.labels"),
    "label negative": ("full", tensor("data.labels", lambda y: np.full(len(y), -1, np.int8)), "data.labels"),
    "labels removed": ("full", set_at("data", "labels", value=None), "data.labels"),
    "M and N exchanged": ("full", exchange_sizes, "shape"),
    "samples understated": ("full", set_at("data", "samples", value=23), "shape"),
    "classes understated": ("full", set_at("data", "classes", value=9), "data.labels"),
    "dimension wrong": ("full", set_at("data", "dimension", value=32), "shape"),
    "gamma too large": ("full", rescale("Z1", "gamma", 3, 0), "Z1.margin"),
    "gamma zero": ("full", set_at("@Z1", "gamma", value=dyadic(0, 0)), "Z1.gamma"),
    "gamma negative": ("full", set_at("@Z1", "gamma", value=dyadic(-1, 0)), "Z1.gamma"),
    "V1 zero": ("full", tensor("output.end.0", np.zeros_like), "Z1.margin"),
    "V1 negated": ("full", end_negated, "Z1.margin"),
    "V1 columns rotated": ("full", tensor("output.end.0", lambda v: np.roll(v, 1, axis=1).copy()), "Z1.margin"),
    "kappa too small": ("full", rescale("P1", "kappa", 1, -10), "P1.segment"),
    "kappa zero": ("full", set_at("@P1", "kappa", value=dyadic(0, 0)), "P1.kappa"),
    "kappa negative": ("full", set_at("@P1", "kappa", value=dyadic(-7, 0)), "P1.kappa"),
    "path's gamma too large": ("full", rescale("P1", "gamma", 5, 0), "P1.margin"),
    "start moved": ("full", start_moved, "P1.segment"),
    "start loss shifted": ("full", loss_shifted, "P1.start-loss"),
    "target below what t reaches": ("full", tiny_target, "P1.target"),
    "target reached too early": ("full", early_target, "P1.target"),
    "target before kappa": ("full", target_before_kappa, "P1.target"),
    "zero-error time before kappa": ("full", zero_error_before_kappa, "P1.zero-error"),
    "multiplicities do not add up": ("grouped", multiplicity_changed, "data.multiplicities"),
    "multiplicity of another sample": ("grouped", multiplicity_moved, "P1.start-loss"),
    "total overstated": ("grouped", set_at("data", "total", value=7), "data.multiplicities"),
    "deficiency too deep": ("cloned", set_at("@R5", "rank_at_most", value=14), "R5.bound"),
    "deficiency not below N": ("cloned", set_at("@R5", "rank_at_most", value=20), "schema.value"),
    "deficiency reason exchanged": ("cloned", set_at("@R5", "reason", value="fewer-units"), "R5.bound"),
    "clones no longer equal": ("cloned", unclone, "R5.bound"),
    "M < N understated": ("few", set_at("@R5", "rank_at_most", value=11), "R5.bound"),
    "equal samples understated": ("kept", set_at("@R5", "rank_at_most", value=3), "R5.bound"),
    "kept duplicates no longer equal": ("kept", assign("data.inputs.0", (4, 0), 3), "R5.bound"),
    "activation exchanged": ("full-rank", set_at(*NODES, 4, "activation", value="atan(t)"), "R1.residual"),
    "activation with code": (
        "full",
        set_at(*NODES, 4, "activation", value="__import__('os').getpid()"),
        "network.expression",
    ),
    "activation undefined": (
        "full",
        set_at(*NODES, 4, "activation", value="1/(t - t)"),
        "features.finite",
    ),
    "node reads itself": ("full", set_at(*NODES, 3, "reads", value=[3, 1, 2]), "network.reads"),
    "node reads nothing": ("full", set_at(*NODES, 3, "reads", value=[]), "network.reads"),
    "weights and biases exchanged": ("full", set_at(*NODES, 3, "reads", value=[0, 2, 1]), "network.node"),
    "biases left out": ("full-rank", set_at(*NODES, 3, value=WITHOUT_BIAS), "R1.residual"),
    "stride changed": ("conv", set_at(*NODES, 3, "over", "stride", value=[1, 1]), "network.node"),
    "dilation changed": ("conv", set_at(*NODES, 3, "over", "dilation", value=[2, 2]), "network.node"),
    "groups changed": ("conv", set_at(*NODES, 3, "over", "groups", value=2), "network.node"),
    "kernel exchanged": ("conv", set_at(*NODES, 5, "kernel", value=[2, 1]), "network.node"),
    "mean exchanged for maximum": ("conv-rank", set_at(*NODES, 5, "how", value="max"), "R1.residual"),
    "shape of the biases exchanged": ("conv", set_at(*NODES, 2, "shape", value=[2]), "shape"),
    "weights without values": ("full", set_at(*NODES, 1, "values", value=None), "network.values"),
    "columns shifted": ("conv-rank", set_at(*FEATURES, 1, "entries", value=[0, 2]), "R1.residual"),
    "columns repeated": ("conv", set_at(*FEATURES, 1, "entries", value=[3, 3]), "network.features"),
    "column out of range": ("conv", set_at(*FEATURES, 1, "entries", value=[0, 99]), "network.features"),
    "features exchanged": ("conv-rank", exchange_features, "R1.residual|network.features"),
    "version of the future": ("full", set_at("version", value=3), "schema.version"),
    "version of the past": ("full", set_at("version", value=1), "schema.version"),
    "wrong semantics": ("full", set_at("semantics", value="float64"), "schema.value"),
    "unknown key": ("full", set_at("@R1", "trust_me", value=1), "schema.unknown-key"),
    "missing key": ("full", drop_claim_key("P1", "kappa"), "schema.missing-key"),
    "unknown label": ("full", set_at("claims", 0, "label", value="R9"), "schema.value"),
    "no claims": ("full", set_at("claims", value=[]), "schema.value"),
    "float instead of a dyadic": ("full", set_at("@Z1", "gamma", value=0.5), "container.json"),
    "mantissa with leading zeros": (
        "full",
        set_at("@Z1", "gamma", value={"mantissa": "007", "exponent": -9}),
        "schema.value",
    ),
    "unreferenced tensor": ("full", add_unreferenced, "container.unreferenced"),
    "weights NaN": ("full", assign("layer0.weight.0", (0, 0), np.nan), "container.tensor"),
    "weights infinite": ("full", assign("layer0.weight.0", (0, 0), np.inf), "container.tensor"),
    "array truncated": ("full", tensor("layer0.bias.0", lambda b: b[:-1].copy()), "shape"),
    "arrays file elsewhere": ("full", set_at("arrays", "file", value="../other.safetensors"), "container.file"),
}


def tampered(source: Path, target: Path, change: Change) -> Path:
    document = json.loads(source.read_text())
    tensors = {name: array.copy() for name, array in load(source.with_suffix(".safetensors").read_bytes()).items()}
    change(document, tensors)
    blob = save(tensors)
    elsewhere = document["arrays"]["file"] != source.with_suffix(".safetensors").name
    document["arrays"] |= {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()}
    if not elsewhere:
        document["arrays"]["file"] = target.with_suffix(".safetensors").name
    target.with_suffix(".safetensors").write_bytes(blob)
    target.write_text(json.dumps(document))
    return target


@pytest.fixture(scope="session")
def verdicts(certificates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("tampered")
    files = [
        tampered(certificates[source], folder / f"t{i}.json", change)
        for i, (source, change, _) in enumerate(TAMPERED.values())
    ]
    return dict(zip(TAMPERED, run_checker(files), strict=True))


def test_the_originals_are_accepted(certificates: dict[str, Path]) -> None:
    results = run_checker(list(certificates.values()))
    assert [r["verdict"] for r in results] == ["ACCEPTED"] * len(certificates), [r["rejection"] for r in results]


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_rejected_for_the_right_reason(name: str, verdicts: dict[str, dict[str, Any]]) -> None:
    found = verdicts[name]
    assert found["verdict"] == "REJECTED"
    rejection = found["rejection"]
    assert rejection["rule"] in TAMPERED[name][2].split("|"), rejection
    assert rejection["path"] == "" or rejection["path"].startswith("/")
    assert rejection["message"] and "\n" not in rejection["message"]


# Changes of the files themselves.


def rename(source: Path, target: Path, document: str | None = None) -> Path:
    text = source.read_text() if document is None else document
    target.write_text(text)
    target.with_suffix(".safetensors").write_bytes(source.with_suffix(".safetensors").read_bytes())
    return target


def one_bit(source: Path, target: Path) -> None:
    rename(source, target)
    arrays = source.with_suffix(".safetensors")
    blob = bytearray(arrays.read_bytes())
    blob[-1] ^= 1
    target.with_name(arrays.name).write_bytes(bytes(blob))


def cut_short(source: Path, target: Path) -> None:
    rename(source, target)
    arrays = source.with_suffix(".safetensors")
    target.with_name(arrays.name).write_bytes(arrays.read_bytes()[:-8])


def duplicate_key(source: Path, target: Path) -> None:
    arrays = source.with_suffix(".safetensors")
    target.with_name(arrays.name).write_bytes(arrays.read_bytes())
    target.write_text(source.read_text().replace('"version": 2,', '"version": 2, "version": 2,', 1))


def not_a_number(source: Path, target: Path) -> None:
    arrays = source.with_suffix(".safetensors")
    target.with_name(arrays.name).write_bytes(arrays.read_bytes())
    target.write_text(source.read_text().replace('"version": 2,', '"version": NaN,', 1))


def half_a_document(source: Path, target: Path) -> None:
    target.write_text(source.read_text()[:1000])


def huge_shape(source: Path, target: Path) -> None:
    document = json.loads(source.read_text())
    header = json.dumps(
        {"data.inputs.0": {"dtype": "F64", "shape": [10**9, 10**9], "data_offsets": [0, 8 * 10**18]}}
    ).encode()
    blob = struct.pack("<Q", len(header)) + header
    target.with_suffix(".safetensors").write_bytes(blob)
    document["arrays"] = {
        "file": f"{target.stem}.safetensors",
        "bytes": len(blob),
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    target.write_text(json.dumps(document))


def sparse_bomb(source: Path, target: Path) -> None:
    """A sparse file of 64 GiB that costs nothing to make."""
    document = json.loads(source.read_text())
    with open(target.with_suffix(".safetensors"), "wb") as stream:
        stream.truncate(64 * 2**30)
    document["arrays"] |= {"file": f"{target.stem}.safetensors", "bytes": 64 * 2**30}
    target.write_text(json.dumps(document))


FILES: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "one bit of the arrays flipped": (one_bit, "container.hash"),
    "arrays cut short": (cut_short, "container.size"),
    "duplicate key": (duplicate_key, "container.duplicate-key"),
    "NaN in the document": (not_a_number, "container.json"),
    "half a document": (half_a_document, "container.json"),
    "a shape of 10^9 x 10^9": (huge_shape, "container.header|container.tensor|container.size|container.limits"),
    "a sparse file of 64 GiB": (sparse_bomb, "container.limits|container.size|schema.value"),
}


@pytest.mark.parametrize("name", FILES)
def test_broken_files_are_rejected_before_memory_is_taken(
    name: str, certificates: dict[str, Path], tmp_path: Path
) -> None:
    change, rules = FILES[name]
    target = tmp_path / "broken.json"
    change(certificates["full"], target)
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", limited, str(CHECKER), "--json", "--jobs", "1", str(target)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr.decode()
    (found,) = json.loads(done.stdout)["results"]
    assert found["verdict"] == "REJECTED"
    assert found["rejection"]["rule"] in rules.split("|"), found["rejection"]


def test_missing_arrays_are_unreadable(certificates: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "alone.json"
    target.write_text(certificates["full"].read_text())
    done = subprocess.run([sys.executable, "-I", str(CHECKER), str(target)], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
