"""Files that are no models, and models that cannot be stated: one line each, which names the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.onnx_models import Draft, mlp

import verifier as vf
from verifier.adapters.onnx import convert

needs_onnx = pytest.mark.onnx


def line(source: Any, **options: Any) -> str:
    with pytest.raises(vf.InputError) as raised:
        vf.from_onnx(source, **options)
    return str(raised.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    said = line("net.onnx")
    assert said.startswith("from_onnx needs the package onnx, which is not installed; ")
    assert 'pip install ".[onnx]"' in said


@needs_onnx
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; export the model anew"),
        (b"PK\x03\x04 a zip archive, as PyTorch's", "is not an ONNX"),
        (b"\x08\x07", "is not an ONNX model, or an empty one"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    assert said in line(file)


@needs_onnx
def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert line(tmp_path / "no.onnx").startswith("from_onnx: no file ")
    assert "directory" in line(tmp_path)
    assert "must be the path of an ONNX file" in line(7)


@needs_onnx
def test_a_cut_file(tmp_path: Path) -> None:
    draft, logits = mlp()
    whole = draft.model(logits).SerializeToString()
    file = tmp_path / "net.onnx"
    for end in (len(whole) // 3, len(whole) - 7):
        file.write_bytes(whole[:end])
        assert line(file).startswith("from_onnx: ")


@needs_onnx
def test_numbers_in_another_file_are_refused(tmp_path: Path) -> None:
    import onnx

    draft, logits = mlp()
    file = tmp_path / "net.onnx"
    onnx.save(draft.model(logits), file, save_as_external_data=True, size_threshold=0, location="net.data")
    said = line(file)
    assert "are in another file (external data)" in said and "save_as_external_data=False" in said
    assert "external_data=False" in said


@needs_onnx
def test_other_domains_and_versions() -> None:
    import onnx

    draft, logits = mlp()
    model = draft.model(logits)
    model.graph.node[-1].domain = "com.microsoft"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    assert "operators of the domain 'com.microsoft' are not read" in line(model)
    draft, logits = mlp(opset=8)
    assert "opset 8 of ai.onnx is not read, only 9 to " in line(draft.model(logits))


@needs_onnx
def test_functions_of_the_model_are_put_in_place() -> None:
    from onnx import helper

    draft, _ = mlp()
    draft.nodes.clear()
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    logits = draft.add("Mine", hidden, "head.weight", "head.bias", domain="mine")
    body = helper.make_function(
        "mine",
        "Mine",
        ["h", "w", "b"],
        ["y"],
        [helper.make_node("Gemm", ["h", "w", "b"], ["y"], transB=1)],
        [helper.make_opsetid("", 17)],
    )
    model = draft.model(logits)
    model.functions.append(body)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert vf.from_onnx(model).v.shape == (6, 3)


@needs_onnx
@pytest.mark.parametrize("op", ["Floor", "Sign", "RandomNormalLike", "ArgMax", "Hardmax", "NonZero"])
def test_operators_that_jump_or_draw(op: str) -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    if op in ("ArgMax", "NonZero"):
        hidden = draft.add("Cast", draft.add(op, hidden), to=1)
    else:
        hidden = draft.add(op, hidden)
    said = line(draft.model(draft.head(hidden, 5)))
    assert said.startswith("from_onnx: node 'n3' (" + op + "): ") and ";" in said


@needs_onnx
def test_quantised_models_are_refused() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    scale, zero = draft.store("scale", np.float32(0.1)), draft.store("zero", np.uint8(128))
    quantised = draft.add("QuantizeLinear", hidden, scale, zero)
    said = line(draft.model(draft.head(draft.add("DequantizeLinear", quantised, scale, zero), 5)))
    assert "'n3' (QuantizeLinear): the model is quantised" in said and "export the float model" in said


@needs_onnx
def test_choices_by_data_are_refused() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    positive = draft.add("Greater", hidden, draft.store("zero", np.float32(0)))
    said = line(draft.model(draft.head(draft.add("Where", positive, hidden, "zero"), 5)))
    assert "compares values that depend on the data" in said


@needs_onnx
def test_batch_statistics_are_refused() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    centred = draft.add("Sub", hidden, draft.add("ReduceMean", hidden, axes=[0], keepdims=1))
    assert "(ReduceMean)" in line(draft.model(draft.head(centred, 5)))


@needs_onnx
def test_what_depends_on_the_size_of_the_batch_is_refused() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    size = draft.add("Cast", draft.add("Shape", "x", start=0, end=1), to=1)
    said = line(draft.model(draft.head(draft.add("Mul", hidden, size), 5)))
    assert "depends on how many samples are in a batch" in said


@needs_onnx
def test_shapes_that_are_open_are_asked_for() -> None:
    draft = Draft(["N", "length", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    model = draft.model(draft.head(draft.add("Reshape", hidden, draft.store("to", np.int64([0, -1]))), 15))
    assert "give the shape of one sample, input_shape=(8, 4)" in line(model)
    assert vf.from_onnx(model, input_shape=(3, 4)).network.input_shape == (3, 4)
    assert "does not fit the input's" in line(model, input_shape=(3, 5))


@needs_onnx
def test_two_inputs_and_none() -> None:
    from onnx import TensorProto, helper

    draft, logits = mlp()
    model = draft.model(logits)
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["N", 4]))
    assert "has 2 inputs ('x', 'mask')" in line(model)


@needs_onnx
def test_weights_that_are_not_finite_and_empty_heads() -> None:
    draft, logits = mlp()
    draft.arrays["first.weight"][0, 0] = np.nan
    assert "initialiser 'first.weight' has entries that are not finite" in line(draft.model(logits))
    draft = Draft(["N", 4])
    assert "nothing is trained" in line(draft.model(draft.add("Tanh", "x")))


@needs_onnx
def test_types_that_have_no_real_numbers() -> None:
    draft, logits = mlp()
    model = draft.model(logits)
    model.graph.initializer[0].data_type = 14  # complex64
    assert line(model).startswith("from_onnx: ")


@needs_onnx
def test_frozen_names_and_patterns() -> None:
    draft, logits = mlp()
    model = draft.model(logits)
    found = vf.from_onnx(model, frozen="first.w*")
    assert [view.name for view in found.network.parameters] == ["first.bias"]
    assert "frozen: no initialiser is called 'second.*'" in line(model, frozen=["second.*"])
