"""`verifier formal`: what it writes, says and refuses; where Coq is, that Coq accepts what is true and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import verifier

import verifier as vf
from verifier.checker.certificate import check_file

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = ROOT / "tests" / "certificates" / "accepted"
REJECTED = ROOT / "tests" / "certificates" / "rejected"
CASES = {
    "xor": ([[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], [vf.Dense(5, "tanh", skip=True)]),
    "two": ([[0.25], [-1.5]], [0, 1], [vf.Dense(3, "softplus", skip=True)]),
    "three": ([[0.5, 1], [-1, 2], [1.5, 0.25]], [0, 1, 2], [vf.Dense(2, "tanh"), vf.Dense(4, "tanh", skip=True)]),
}
"""XOR; two samples; three samples and three classes on two layers of tanh."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate of each case."""
    folder = tmp_path_factory.mktemp("formal")
    for name, (X, y, layers) in CASES.items():
        vf.verify(np.array(X), y, layers, seed=1).write(folder / f"{name}.json")
    return folder


def theorems(text):
    return re.findall(r"^Theorem (\w+) :", text, re.MULTILINE)


@pytest.fixture(scope="module")
def done(certificates):
    """What the command says of each case; its files lie beside the certificates."""
    return {name: verifier("formal", f"{name}.json", "--out", f"{name}.v", cwd=certificates) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_it_writes_what_it_says(name, certificates, done):
    found = done[name]
    text = (certificates / f"{name}.v").read_text()
    assert found.returncode == 0 and found.stderr == ""
    assert theorems(text) == ["claim0_R1", "claim1_Z1", "claim2_P1"]
    said = " ".join(found.stdout.split())
    assert "with the theorems claim0_R1, claim1_Z1, claim2_P1." in said
    assert "Without a theorem there: the claims" in said and "Nothing is proved until Coq accepts it" in said
    assert all(len(line) <= 80 for line in found.stdout.splitlines())
    answer = check_file(str(certificates / f"{name}.json"), 1)
    comments = " ".join(" ".join(re.findall(r"\(\*\*(.*?)\*\)", text, re.DOTALL)).split())
    said = {claim["label"]: claim["statement"] for claim in answer.claims}
    assert all(said[label] in comments for label in ("R1", "Z1", "P1"))


@pytest.mark.usefixtures("done")
def test_the_numbers_are_the_certificates(certificates):
    text = (certificates / "xor.v").read_text()
    claims = json.loads((certificates / "xor.json").read_text())["claims"]
    sigma = claims[0]["sigma_lower"]
    number = re.search(r"claim0_R1_sigma : R := \((\d+) / (?:2 \^ (\d+)|(\d+))\)", text)
    power = int(number[2]) if number[2] else int(number[3]).bit_length() - 1
    assert int(number[1]) * 2 ** (-sigma["exponent"] - power) == int(sigma["mantissa"])
    assert "labels : list nat := [0; 1; 1; 0]%nat" in text


def test_by_default_it_stands_beside_the_certificate(certificates, tmp_path):
    for suffix in ("json", "safetensors"):
        shutil.copy(certificates / f"two.{suffix}", tmp_path)
    os.rename(tmp_path / "two.json", tmp_path / "2-samples.json")
    done = verifier("formal", "2-samples.json", cwd=tmp_path)
    assert done.returncode == 0
    assert theorems((tmp_path / "c_2_samples.v").read_text())


def one_line(done, code, *words):
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("verifier: ")
    for word in words:
        assert word in done.stderr


def test_what_is_refused(certificates, tmp_path):
    out = tmp_path / "refused.v"
    rejected = next(REJECTED.glob("*.json"))
    one_line(verifier("formal", rejected, "--out", out), 1, rejected.name, "the checker does not accept it")
    for name, words in {
        "every-data-set": ("it claims A", "only R1, R3, Z1 and P1"),
        "missing-arcs": ("arcs to the outputs are missing",),
    }.items():
        one_line(verifier("formal", ACCEPTED / f"{name}.json", "--out", out), 2, *words)
    one_line(verifier("formal", tmp_path / "no.json"), 2, "no certificate file")
    one_line(
        verifier("formal", certificates / "xor.json", "--out", tmp_path / "a-b.v"), 2, "a-b.v is no name of a Coq file"
    )
    one_line(verifier("formal", certificates / "xor.json", "--out", tmp_path / "a.txt"), 2, "such as xor.v")
    assert list(tmp_path.iterdir()) == []


def test_functions_that_coq_does_not_know(tmp_path):
    vf.verify(np.array([[0.0], [1.0]]), [0, 1], [vf.Dense(3, "gelu", skip=True)], seed=1).write(tmp_path / "gelu.json")
    one_line(verifier("formal", tmp_path / "gelu.json"), 2, "the network computes erf, which Coq's interval arithmetic")


def test_a_network_that_is_too_large(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 3))
    vf.verify(X, np.arange(20) % 2, [vf.Dense(30, "tanh", skip=True)], seed=1).write(tmp_path / "large.json")
    done = verifier("formal", tmp_path / "large.json")
    one_line(done, 2, "more than 1000 numbers", "certify fewer samples or units")
    assert not (tmp_path / "large.v").exists()


@pytest.mark.coq
@pytest.mark.usefixtures("done")
def test_coq_accepts_what_is_true_and_nothing_else(certificates, tmp_path):
    """The three cases; and each of them with a larger bound, a wrong label or another weight."""
    if shutil.which("coqc") is None:
        pytest.skip("Coq is not installed")
    files = [certificates / f"{name}.v" for name in CASES]
    found = coq(*files)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("its theorems are accepted by Coq") == len(CASES)
    text = files[1].read_text()  # the shortest
    wrong = {
        "bound": re.sub(r"(claim0_R1_sigma : R := \()", r"\g<1>2", text),
        "label": text.replace("[0; 1]%nat", "[0; 0]%nat"),
        "weight": re.sub(r"(Definition n1_0 : R := \(-?)", r"\g<1>1", text),
        "axiom": text.replace("Definition Psi", "Axiom all : forall P, P.\nDefinition Psi").replace(
            "Definition theorems := (", "Definition theorems := (all, "
        ),
    }
    for name, content in wrong.items():
        assert content != text
        (tmp_path / f"{name}.v").write_text(content)
        assert coq(tmp_path / f"{name}.v").returncode != 0, name


def coq(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "verifier" / "formal" / "check", *files], capture_output=True, text=True, check=False)
