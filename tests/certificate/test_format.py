"""What the writer writes: valid by the published schema, deterministic, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import verifier.certificate.collector as writer_module
import verifier.certificate.files as files_module
from verifier.certificate.files import atomic_write, leftover_parts
from verifier.certificate.schema import json_schema
from verifier.certificate.show import describe
from verifier.certificate.writer import CertificateBuilder
from verifier.errors import CertificateError, InputError
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem, run_case

from .conftest import CASES, PARTS

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_certificates_are_valid_by_the_schema(certificates: dict[str, Path]) -> None:
    for path in certificates.values():
        VALIDATOR.validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("version",), 1),
        (("format",), "other"),
        (("claims",), []),
        (("surprise",), 1),
        (("claims", 0, "alpha"), 0.5),
        (("claims", 0, "alpha"), {"mantissa": "01", "exponent": 0}),
        (("claims", 0, "precision"), 10**6),
        (("arrays", "sha256"), "0"),
        (("data", "classes"), 0),
        (("network", "nodes", 4, "kind"), "dense"),
        (("network", "nodes", 4, "reads"), ["input"]),
        (("network", "nodes", 4, "reads"), [3, 3]),
        (("network", "nodes", 4, "factor"), ["1", "1"]),
        (("network", "features"), []),
    ],
)
def test_the_schema_rejects(keys: tuple[Any, ...], value: Any, certificates: dict[str, Path]) -> None:
    document = json.loads(certificates["full"].read_text())
    here = document
    for key in keys[:-1]:
        here = here[key]
    here[keys[-1]] = value
    assert not VALIDATOR.is_valid(document)


def test_two_runs_write_the_same_bytes(certificates: dict[str, Path], tmp_path: Path) -> None:
    case = parse_case(CASES["full"], name="full", folder=certificates["full"].parent)
    again = run_case(case, parts=PARTS)[1].write(tmp_path / "full.json")
    for suffix in (".json", ".safetensors"):
        assert again.with_suffix(suffix).read_bytes() == certificates["full"].with_suffix(suffix).read_bytes()


def test_nothing_proved_is_nothing_written(certificates: dict[str, Path], tmp_path: Path) -> None:
    instance = case_problem(parse_case(CASES["full"], folder=certificates["full"].parent))
    builder = CertificateBuilder(instance.rows, instance.network, instance.u, with_labels=True)
    with pytest.raises(CertificateError, match="nothing was proved"):
        builder.write(tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x.json"
    atomic_write(target, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(CertificateError, match="No space left"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(leftover_parts(tmp_path)) == []


def test_an_old_document_is_never_seen_with_new_arrays(
    certificates: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two files of a rewritten certificate: the old document is gone, not wrong."""
    target = tmp_path / "x.json"
    folder = certificates["full"].parent
    run_case(parse_case(CASES["full"], name="x", folder=folder))[1].write(target)
    _, other = run_case(parse_case(CASES["few"], name="x", folder=folder))
    written = []

    def killed(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        written.append(path)
        atomic_write(path, content)

    monkeypatch.setattr(writer_module, "atomic_write", killed)
    with pytest.raises(KeyboardInterrupt):
        other.write(target)
    assert written == [target.with_suffix(".safetensors")]
    assert not target.exists()


def test_every_kind_of_claim_is_described(certificates: dict[str, Path]) -> None:
    text = {name: describe(path) for name, path in certificates.items()}
    assert "full row rank by an approximate right inverse X (R1)" in text["full"]
    assert "at most 1e-100" in text["full"]
    assert "bits (R3)" in text["deep"]
    assert "rank Psi(U) <= 15 < N" in text["cloned"]
    assert "4 samples (standing for 6)" in text["grouped"]
    assert "node 3 affine kernel 3x3 of input" in text["conv"] and "node 4 log(exp(t) + 1) of node 3" in text["conv"]
    assert "node 5 pool mean kernel 2x2 of node 4" in text["conv"] and "node 5 (2 of its entries)" in text["conv"]


def test_hostile_names_are_made_plain(certificates: dict[str, Path], tmp_path: Path) -> None:
    document = json.loads(certificates["full"].read_text())
    document["data"]["name"] = "\x1b[31mred\nline"
    target = tmp_path / "x.json"
    target.write_text(json.dumps(document))
    assert "\x1b" not in describe(target)
    assert "?[31mred?line" in describe(target)
    del document["claims"][0]["alpha"]
    target.write_text(json.dumps(document))
    with pytest.raises(InputError, match="not a well-formed certificate"):
        describe(target)
