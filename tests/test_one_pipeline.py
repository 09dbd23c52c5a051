"""One problem through every entry: the same verdicts, the same V, the same claims, bit by bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import verifier as vf
from verifier.cli import _guarded
from verifier.fuzz import Specimen
from verifier.prove import prove
from verifier.run.case import read_case
from verifier.run.case_problem import case_options, case_problem, run_case
from verifier.run.runner import run_cases

NAME = "case"


def write_case(folder: Path, samples: int, width: int) -> None:
    """A case file with its data and weights: everything is a number in a file."""
    rng = np.random.default_rng([samples, width])
    inputs = rng.integers(-64, 64, (samples, 12)) / 64.0
    labels = rng.integers(0, 3, samples)
    np.savez(folder / "data.npz", X=inputs, y=labels)
    weights = {"layer0.weight": rng.normal(size=(width, 12)), "layer0.bias": rng.normal(size=width)}
    save_file(weights | {"V": rng.normal(size=(width, 3))}, folder / "weights.safetensors")
    (folder / f"{NAME}.toml").write_text(
        'data = { path = "data.npz", scale = "none" }\nstart.file = "weights.safetensors"\n'
        f'network.layers = [{{ kind = "dense", width = {width}, activation = "tanh", skip = true }}]\n'
    )


def claims_of(file: Path) -> dict[str, Any]:
    """The claims by label, with the bytes of the arrays that they name."""
    document, tensors = json.loads(file.read_text()), load_file(file.with_suffix(".safetensors"))

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [filled(entry) for entry in value]
        found = tensors.get(value) if isinstance(value, str) else None
        return value if found is None else (found.dtype.str, found.shape, found.tobytes())

    return {claim["label"]: filled(claim) for claim in document["claims"]}


def written(report: vf.Report, folder: Path, name: str) -> dict[str, Any]:
    return claims_of(report.write(folder / f"{name}.json"))


def called(folder: Path, out: Path) -> dict[str, Any]:
    data, weights = np.load(folder / "data.npz"), load_file(folder / "weights.safetensors")
    layers = [vf.Dense(weights["layer0.bias"].size, "tanh", skip=True)]
    u = {name: weights[name] for name in ("layer0.weight", "layer0.bias")}
    return written(vf.verify(data["X"], data["y"], layers, u, weights["V"]), out, "called")


def by_case(folder: Path, out: Path) -> dict[str, Any]:
    return written(run_case(read_case(folder / f"{NAME}.toml"))[0], out, "by-case")


def by_problem(folder: Path, out: Path) -> dict[str, Any]:
    case = read_case(folder / f"{NAME}.toml")
    return written(prove(case_problem(case), case_options(case)), out, "by-problem")


def fuzzed(folder: Path, out: Path) -> dict[str, Any]:
    specimen = Specimen.of_case(folder / f"{NAME}.toml")
    return written(specimen.prove(engine="binary64"), out, "fuzzed")


def suite(folder: Path, out: Path) -> dict[str, Any]:
    result = run_cases([read_case(folder / f"{NAME}.toml")], out / "suite", _Silent())
    assert [record.check.verdict for record in result.records if record.check] == ["ACCEPTED"]
    return claims_of(out / "suite" / "certificates" / f"{NAME}.json")


def workers(folder: Path, out: Path) -> dict[str, Any]:
    with ThreadPoolExecutor(1) as executor:
        run_cases([read_case(folder / f"{NAME}.toml")], out / "workers", _Silent(), executor=executor)
    return claims_of(out / "workers" / "certificates" / f"{NAME}.json")


def command(name: str) -> Callable[[Path, Path], dict[str, Any]]:
    def entry(folder: Path, out: Path) -> dict[str, Any]:
        target = out / f"{name}.json"
        with redirect_stdout(StringIO()):
            assert _guarded([name, str(folder / f"{NAME}.toml"), "--out", str(target)]) == 0
        return claims_of(target)

    return entry


class _Silent:
    """A display that shows nothing."""

    def case(self, *_: Any) -> Any:
        return nullcontext(lambda *_: lambda *_: None)

    def many(self, *_: Any) -> Any:
        return nullcontext(lambda *_: None)


ENTRIES: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "verify": called,
    "run_case": by_case,
    "prove": by_problem,
    "specimen": fuzzed,
    "suite": suite,
    "executor": workers,
    "rank": command("rank"),
    "path": command("path"),
}
SMALL, LARGE = (24, 30), (800, 1000)
"""Below and above the size from which on more than one thread may be used."""


@pytest.fixture(scope="module", params=[SMALL, pytest.param(LARGE, marks=pytest.mark.thorough)], ids=["small", "large"])
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("one")
    write_case(folder, *request.param)
    return folder, by_problem(folder, folder)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_makes_the_same_claims(reference: tuple[Path, dict[str, Any]], name: str, tmp_path: Path) -> None:
    folder, expected = reference
    found = ENTRIES[name](folder, tmp_path)
    wanted = {"rank": {"R1"}, "path": {"Z1", "P1"}}.get(name, set(expected))
    assert set(found) == wanted and {"R1", "Z1", "P1"} <= set(expected)
    for label, claim in found.items():
        assert claim == expected[label], label


def test_every_entry_says_the_same(tmp_path: Path) -> None:
    write_case(tmp_path, *SMALL)
    case = read_case(tmp_path / f"{NAME}.toml")
    report, specimen = run_case(case)[0], Specimen.of_case(case)
    steps = [(step.key, step.label, step.verdict, step.reason) for step in report.steps]
    assert [(s.key, s.label, s.verdict, s.reason) for s in specimen.prove(engine="binary64").steps] == steps
    record = run_cases([case], tmp_path / "out", _Silent()).records[0]
    assert [(s.key, s.label, s.verdict, s.reason) for s in record.steps] == steps
    for part in ("rank", "path"):
        text = StringIO()
        with redirect_stdout(text):
            assert _guarded([part, str(tmp_path / f"{NAME}.toml"), "--json"]) == 0
        said = json.loads(text.getvalue())["steps"]
        assert [(s["key"], s["label"], s["verdict"]) for s in said] == [
            (key, label if key != "rank" or part != "rank" else said[-1]["label"], str(verdict))
            for key, label, verdict, _ in steps
            if key in {s["key"] for s in said}
        ]
