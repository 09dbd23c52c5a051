"""Cases whose network is an ONNX file: contradictions in one line, the model's weights as the start, a sample case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.onnx_models import Draft, mlp

import verifier as vf
from verifier.adapters.onnx import convert
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem

DATA = '[data]\npath = "data.npz"\nclasses = 3\n'


def problem(folder: Path, network: str, rest: str = "") -> Any:
    inputs = 10.0 * np.random.default_rng(0).standard_normal((6, 4))
    np.savez(folder / "data.npz", X=inputs, y=[0, 1, 2, 0, 1, 2])
    return case_problem(parse_case(f"{DATA}[network]\n{network}\n{rest}", folder=folder))


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ('model = "net.onnx"\noutput_bias = true', "network.output_bias does not go with network.model"),
        ('model = "net.onnx"\nlayers = [{kind = "dense", width = 9}]', "network.layers does not go with network.model"),
        ('model = "net.pt"', "network.model = 'net.pt' must be an ONNX file (.onnx)"),
    ],
)
def test_contradictions_take_one_line(tmp_path: Path, network: str, said: str) -> None:
    with pytest.raises(vf.InputError) as raised:
        problem(tmp_path, network)
    assert said in str(raised.value)


def test_a_case_says_which_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    with pytest.raises(vf.InputError, match="needs the package onnx, which is not installed"):
        problem(tmp_path, 'model = "net.onnx"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import onnx

    draft = Draft([1, 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 9))
    onnx.save(draft.model(draft.head(hidden, 9)), tmp_path / "net.onnx")
    return tmp_path


@pytest.mark.onnx
def test_the_models_weights_are_the_start(folder: Path) -> None:
    found = problem(folder, 'model = "net.onnx"')
    model = vf.from_onnx(folder / "net.onnx")
    np.testing.assert_array_equal(found.u, model.u)
    np.testing.assert_array_equal(found.v, model.v)
    assert found.start.startswith("U and V from net.onnx; ")
    inputs = np.load(folder / "data.npz")["X"]
    np.testing.assert_array_equal(found.data.inputs.reshape(6, 4), inputs)  # not scaled: the model sees these


@pytest.mark.onnx
def test_another_start_and_frozen_parameters(folder: Path) -> None:
    drawn = problem(folder, 'model = "net.onnx"', "[start]\nseed = 3")
    assert not np.array_equal(drawn.u, vf.from_onnx(folder / "net.onnx").u)
    frozen = problem(folder, 'model = "net.onnx"\nfreeze = ["*.bias"]')
    assert [view.name for view in frozen.network.parameters] == ["first.weight"]


@pytest.mark.onnx
def test_data_that_do_not_fit_the_model(folder: Path) -> None:
    import onnx

    draft, logits = mlp()
    draft.shape = ["N", 4]
    onnx.save(draft.model(logits), folder / "small.onnx")
    np.savez(folder / "wide.npz", X=np.eye(5), y=[0, 1, 2, 0, 1])
    case = '[data]\npath = "wide.npz"\nclasses = 3\n[network]\nmodel = "small.onnx"\n'
    with pytest.raises(vf.InputError, match="a sample of the data has 5 numbers, the model reads 4"):
        case_problem(parse_case(case, folder=folder))
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    onnx.save(draft.model(draft.head(hidden, 5, outputs=7)), folder / "seven.onnx")
    with pytest.raises(vf.InputError, match="the network has 7 classes"):
        problem(folder, 'model = "seven.onnx"')


@pytest.mark.onnx
def test_init_writes_a_case_that_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from verifier.cli import main

    case = folder / "my.toml"
    with pytest.raises(SystemExit, match="0"):
        main(["init", str(case), "--model", str(folder / "net.onnx")])
    text = case.read_text(encoding="utf-8")
    assert 'name = "iris"' in text and 'model = "net.onnx"' in text and "first.weight" in text
    capsys.readouterr()
    report, builder = vf.run_case(vf.read_case(case))
    assert report.verdict("analytic") is vf.Verdict.PROVED and not builder.empty
