"""The checker as a service: it answers as the checker does, and outlives its process."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from verifier.fuzz import Specimen
from verifier.fuzz.acceptance import CheckerService, checker_service

SPECIMEN = Specimen(
    inputs=np.array([[0.0], [1.0]]),
    labels=np.array([0, 1]),
    layers=({"kind": "dense", "width": 2, "activation": "tanh", "skip": True},),
    u=np.array([1.0, 2.0, 0.5, -1.0]),
    v=np.zeros((2, 2)),
)


@pytest.fixture
def service() -> Iterator[CheckerService]:
    found = CheckerService()
    yield found
    found.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return SPECIMEN.prove("rank", "path").builder.write(tmp_path / "certificate.json")


def _process_id(service: CheckerService) -> int:
    assert service._process is not None
    return service._process.pid


def test_answers(service: CheckerService, certificate: Path, tmp_path: Path) -> None:
    assert service._process is None
    found = service.check(certificate)
    assert (found.verdict, found.reason) == ("ACCEPTED", "")
    assert [claim["label"] for claim in found.claims] == ["R1", "Z1", "P1"]
    first = _process_id(service)

    document = json.loads(certificate.read_text())
    document["arrays"]["sha256"] = "0" * 64
    tampered = tmp_path / "tampered.json"
    tampered.write_text(json.dumps(document))
    found = service.check(tampered)
    assert (found.verdict, found.claims) == ("REJECTED", ())
    assert "arrays" in found.reason

    missing = service.check(tmp_path / 'no\n "such" file.json')
    assert (missing.verdict, missing.claims) == ("UNREADABLE", ())
    assert missing.reason
    assert service.check(certificate).verdict == "ACCEPTED"
    assert _process_id(service) == first


def test_a_killed_process_is_replaced(service: CheckerService, certificate: Path) -> None:
    service.check(certificate)
    first, process = _process_id(service), service._process
    os.kill(first, signal.SIGKILL)
    assert process is not None
    process.wait()
    assert service.check(certificate).verdict == "ACCEPTED"
    assert _process_id(service) != first


def test_a_process_that_dies_at_the_question_accepts_nothing(service: CheckerService, certificate: Path) -> None:
    service.check(certificate)
    os.kill(_process_id(service), signal.SIGSTOP)
    os.kill(_process_id(service), signal.SIGKILL)  # perhaps not dead yet when it is asked
    assert service.check(certificate).verdict in ("UNREADABLE", "ACCEPTED")
    assert service.check(certificate).verdict == "ACCEPTED"


def test_a_checker_that_cannot_start_accepts_nothing(
    service: CheckerService, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.fuzz.acceptance.LOOP", "raise SystemExit('no checker here')")
    found = service.check(certificate)
    assert (found.verdict, found.claims) == ("UNREADABLE", ())
    assert found.reason == "the checker died: no checker here"
    monkeypatch.setattr("verifier.fuzz.acceptance.LOOP", "import os, sys; sys.stdin.readline(); os._exit(7)")
    assert service.check(certificate).reason == "the checker died: 7"


def test_closing_removes_the_folder() -> None:
    service = CheckerService()
    SPECIMEN.prove("rank").builder.write(service.folder / "certificate.json")
    assert service.check(service.folder / "certificate.json").verdict == "ACCEPTED"
    process = service._process
    assert process is not None
    service.close()
    assert process.poll() is not None
    assert not service.folder.exists()
    service.close()


def test_there_is_one_service() -> None:
    assert checker_service() is checker_service()
    assert checker_service().folder.is_dir()
