"""Models made node by node, against onnx's reference evaluation and against planted networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from adapters.onnx_models import Draft, mlp, numbers

import verifier as vf
from verifier.network.forward import approx_features

pytestmark = pytest.mark.onnx


def logits_of(found: Any, inputs: Any) -> Any:
    return approx_features(found.network, found.u, inputs.reshape(len(inputs), -1)) @ found.v


def compared(model: Any, shape: tuple[int, ...], *, tokens: int = 0, rtol: float = 2e-5, **options: Any) -> Any:
    """Take a model over; its logits are those of onnx's evaluation, in the model's own types."""
    from verifier.adapters.onnx.reference import evaluator

    found = vf.from_onnx(model, **options)
    random = np.random.default_rng(5)
    inputs = random.integers(0, tokens, (4, *shape)) if tokens else random.standard_normal((4, *shape))
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 4
    kind = np.int64 if tokens else np.float32
    parts = [inputs[start : start + fixed].astype(kind) for start in range(0, 4, fixed)]
    theirs = np.concatenate(
        [
            evaluator(model, model.opset_import[0].version).run(None, {"x": part})[0].reshape(len(part), -1)
            for part in parts
        ]
    )
    np.testing.assert_allclose(logits_of(found, inputs.astype(np.float64)), theirs, rtol=rtol, atol=rtol)
    return found


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21, 23])
def test_a_multilayer_perceptron_is_layered(opset: int) -> None:
    draft, logits = mlp(opset=opset)
    found = compared(draft.model(logits), (4,))
    assert found.network.layers == (vf.Dense(5, "tanh", skip=True, inputs=("input",)),)
    views = found.network.views(found.u)
    np.testing.assert_array_equal(views["first.weight"], draft.arrays["first.weight"].T.astype(np.float64))
    np.testing.assert_array_equal(views["first.bias"], draft.arrays["first.bias"].astype(np.float64))
    np.testing.assert_array_equal(found.v[:5], draft.arrays["head.weight"].T.astype(np.float64))
    np.testing.assert_array_equal(found.v[5], draft.arrays["head.bias"].astype(np.float64))
    assert any("first.weight, first.bias" in remark and "head.weight" in remark for remark in found.remarks)


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
def test_weights_of_every_float_type_are_exact(kind: str) -> None:
    import ml_dtypes

    held = np.dtype(ml_dtypes.bfloat16) if kind == "bfloat16" else np.dtype(kind)
    draft, logits = mlp(kind=held)
    found = vf.from_onnx(draft.model(logits))
    expected = draft.arrays["first.weight"].T.astype(np.float64)
    np.testing.assert_array_equal(found.network.views(found.u)["first.weight"], expected)


def test_what_meets_the_input_is_fixed_and_said() -> None:
    draft = Draft(["N", 4])
    mean, spread = draft.store("mean", numbers(4, seed=1)), draft.store("std", np.abs(numbers(4, seed=2)) + 1)
    x = draft.add("Div", draft.add("Sub", "x", mean), spread)
    found = compared(draft.model(draft.head(draft.add("Tanh", draft.linear(x, 4, 5)), 5)), (4,))
    assert [view.name for view in found.network.parameters] == ["first.weight", "first.bias"]
    assert any("no part of U: mean, std" in remark for remark in found.remarks)


def test_one_logit() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    found = compared(draft.model(draft.head(hidden, 5, outputs=1)), (4,))
    assert found.v.shape == (6, 1)


def test_what_follows_the_logits_is_left_out_with_a_remark() -> None:
    draft, logits = mlp()
    found = vf.from_onnx(draft.model(draft.add("LogSoftmax", logits, axis=-1)))
    assert found.v.shape == (6, 3)
    assert any("softmax" in remark.lower() for remark in found.remarks)


@pytest.mark.parametrize("first", ["N", None, 1, 4])
def test_batches_by_name_free_of_one_and_of_four(first: Any) -> None:
    draft = Draft([first, 1, 2, 2])
    rows = 1 if first == 1 else first if isinstance(first, int) else -1
    flat = draft.add("Reshape", "x", draft.store("to", np.int64([rows, 4])))
    compared(draft.model(draft.head(draft.add("Tanh", draft.linear(flat, 4, 5)), 5)), (1, 2, 2))


def test_weights_on_the_left_of_a_column() -> None:
    draft = Draft([1, 6, 1])
    left = draft.add("MatMul", draft.store("w", numbers(5, 6)), draft.add("Sub", "x", draft.constant(np.float32(0.1))))
    hidden = draft.add("Sigmoid", draft.add("Add", left, draft.store("b", numbers(5, 1))))
    flat = draft.add("Flatten", hidden)
    compared(draft.model(draft.head(flat, 5)), (6, 1))


ACTIVATIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.3},
    "Elu": {"alpha": 0.7},
    "Selu": {},
    "Celu": {"alpha": 0.6},
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 0.3},
    "HardSwish": {},
    "Softplus": {},
    "Softsign": {},
    "Tanh": {},
    "Erf": {},
    "Exp": {},
    "Sin": {},
    "Cos": {},
    "Abs": {},
    "Neg": {},
    "Shrink": {"lambd": 0.3, "bias": 0.3},
    "ThresholdedRelu": {"alpha": 0.0},
    "Identity": {},
}


@pytest.mark.parametrize("op", ACTIVATIONS)
def test_activations(op: str) -> None:
    draft = Draft(["N", 4])
    hidden = draft.add(op, draft.linear("x", 4, 5), **ACTIVATIONS[op])
    compared(draft.model(draft.head(hidden, 5)), (4,))


@pytest.mark.parametrize(
    ("op", "options"), [("Gelu", {}), ("Gelu", {"approximate": "tanh"}), ("Mish", {}), ("Swish", {"alpha": 1.5})]
)
def test_later_activations(op: str, options: dict[str, Any]) -> None:
    draft = Draft(["N", 4], opset=24)
    compared(draft.model(draft.head(draft.add(op, draft.linear("x", 4, 5), **options), 5)), (4,))


def _gelu(d: Draft, x: str) -> str:
    inner = d.add("Erf", d.add("Div", x, d.constant(np.float32(np.sqrt(2)))))
    return d.add("Mul", d.add("Mul", x, d.add("Add", inner, d.constant(np.float32(1)))), d.constant(np.float32(0.5)))


def _layer_norm(d: Draft, x: str) -> str:
    centred = d.add("Sub", x, d.add("ReduceMean", x, axes=[-1]))
    square = d.add("ReduceMean", d.add("Pow", centred, d.constant(np.float32(2))), axes=[-1])
    root = d.add("Sqrt", d.add("Add", square, d.constant(np.float32(1e-5))))
    scaled = d.add("Mul", d.add("Div", centred, root), d.store("gain", numbers(5, seed=4)))
    return d.add("Add", scaled, d.store("shift", numbers(5, seed=5)))


def _clip(d: Draft, x: str) -> str:
    return d.add("Clip", x, d.constant(np.float32(-0.5)), d.constant(np.float32(0.75)))


def _prelu(d: Draft, x: str) -> str:
    return d.add("PRelu", x, d.store("slope", numbers(5, seed=6)))


def _split_gate(d: Draft, x: str) -> str:
    wide = d.linear(x, 5, 6, name="gate")
    a, b = d.add("Split", wide, d.store("parts", np.int64([3, 3])), count=2, axis=1)
    return d.add("Concat", d.add("Mul", d.add("Sigmoid", a), b), d.add("Slice", x, *_slices(d)), axis=1)


def _slices(d: Draft) -> list[str]:
    return [d.store("starts", np.int64([1])), d.store("ends", np.int64([3])), d.store("axes", np.int64([1]))]


def _squares(d: Draft, x: str) -> str:
    norm = d.add("ReduceL2", x, axes=[1], keepdims=1)
    return d.add("Concat", d.add("Mul", x, norm), norm, d.add("ReduceSumSquare", x, axes=[1]), axis=1)


def _extremes(d: Draft, x: str) -> str:
    largest, smallest = d.add("ReduceMax", x, axes=[1]), d.add("ReduceMin", x, axes=[1])
    total = d.add("CumSum", x, d.store("along", np.int64(1)), exclusive=1, reverse=1)
    return d.add("Concat", d.add("Sub", largest, smallest), total, axis=1)


def _softmax(d: Draft, x: str) -> str:
    return d.add(
        "Mul", d.add("Softmax", x, axis=1), d.add("Max", x, d.add("Sum", x, x, d.add("Reciprocal", d.add("Exp", x))))
    )


def _einsum(d: Draft, x: str) -> str:
    return d.add("Einsum", x, d.store("mixing", numbers(5, 5, seed=7)), equation="bi,ji->bj")


def _one_in_front(d: Draft, x: str) -> str:
    parts = d.add("Unsqueeze", x, d.store("front", np.int64([1])))
    tiled = d.add("Tile", parts, d.store("twice", np.int64([1, 2, 1])))
    return d.add("Reshape", d.add("Transpose", tiled, perm=[0, 2, 1]), d.store("flat", np.int64([0, 10])))


def _norms(d: Draft, x: str) -> str:
    return d.add("LayerNormalization", x, d.store("gain", numbers(5, seed=4)), d.store("shift", numbers(5, seed=5)))


def _masked(d: Draft, x: str) -> str:
    mask = d.store("mask", np.array([True, False, True, True, False]))
    return d.add("Where", mask, x, d.store("off", np.float32(0.25)))


BODIES: dict[str, tuple[Callable[[Draft, str], str], int]] = {
    "gelu_in_pieces": (_gelu, 5),
    "layer_norm_in_pieces": (_layer_norm, 5),
    "layer_norm": (_norms, 5),
    "clip": (_clip, 5),
    "prelu": (_prelu, 5),
    "split_and_slice": (_split_gate, 5),
    "squares": (_squares, 7),
    "extremes": (_extremes, 6),
    "softmax": (_softmax, 5),
    "einsum": (_einsum, 5),
    "one_in_front": (_one_in_front, 10),
    "masked": (_masked, 5),
}


@pytest.mark.parametrize("name", BODIES)
def test_operators_on_hidden_units(name: str) -> None:
    body, width = BODIES[name]
    draft = Draft(["N", 4])
    hidden = body(draft, draft.add("Tanh", draft.linear("x", 4, 5)))
    compared(draft.model(draft.head(hidden, width)), (4,))


def _image(body: Callable[[Draft, str], str], width: int, *, opset: int = 17) -> None:
    draft = Draft(["N", 2, 6, 5], opset=opset)
    flat = draft.add("Flatten", draft.add("Tanh", body(draft, "x")))
    compared(draft.model(draft.head(flat, width)), (2, 6, 5))


def _conv(**options: Any) -> Callable[[Draft, str], str]:
    filters, group = options.pop("filters", 4), options.get("group", 1)

    def body(d: Draft, x: str) -> str:
        weight = d.store("conv.weight", numbers(filters, 2 // group, 3, 2))
        return d.add("Conv", x, weight, d.store("conv.bias", numbers(filters, seed=3)), **options)

    return body


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        ({}, 16),
        ({"pads": [1, 0, 1, 1], "strides": [2, 1]}, 15),
        ({"pads": [2, 1, 0, 0]}, 30),
        ({"dilations": [2, 1]}, 8),
        ({"group": 2}, 16),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 9),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, 9),
        ({"auto_pad": "VALID"}, 16),
    ],
)
def test_convolutions(options: dict[str, Any], positions: int) -> None:
    _image(_conv(**options), 4 * positions)


@pytest.mark.parametrize(
    ("op", "options", "size"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, 12),
        ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, 18),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, 60),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, 60),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1}, 60),
        ("AveragePool", {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, 18),
        ("GlobalAveragePool", {}, 2),
        ("GlobalMaxPool", {}, 2),
    ],
)
def test_pools(op: str, options: dict[str, Any], size: int) -> None:
    draft = Draft(["N", 2, 6, 5])
    weight = draft.store("conv.weight", numbers(2, 2, 1, 1))
    hidden = draft.add("Tanh", draft.add("Conv", "x", weight))
    flat = draft.add("Flatten", draft.add(op, hidden, **options))
    compared(draft.model(draft.head(flat, size)), (2, 6, 5))


def _normalised(op: str, opset: int) -> Callable[[Draft, str], str]:
    def body(d: Draft, x: str) -> str:
        x = _conv()(d, x)
        gain, shift = d.store("gain", numbers(4, seed=8)), d.store("shift", numbers(4, seed=9))
        if op == "GroupNormalization":
            return d.add(op, x, gain, shift, num_groups=2)
        if op == "InstanceNormalization":
            return d.add(op, x, gain, shift)
        mean, variance = d.store("mean", numbers(4, seed=10)), d.store("variance", np.abs(numbers(4, seed=11)) + 0.5)
        return d.add(op, x, gain, shift, mean, variance)

    return body


@pytest.mark.parametrize(
    ("op", "opset"),
    [
        ("BatchNormalization", 11),
        ("BatchNormalization", 17),
        ("InstanceNormalization", 17),
        ("GroupNormalization", 21),
    ],
)
def test_normalisations_of_channels(op: str, opset: int) -> None:
    _image(_normalised(op, opset), 64, opset=opset)


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_before_opset_13_is_over_all_axes_behind(opset: int) -> None:
    draft = Draft(["N", 2, 3], opset=opset)
    weight = draft.store("w", numbers(3, 3))
    hidden = draft.add("Flatten", draft.add("Softmax", draft.add("MatMul", "x", weight), axis=1))
    compared(draft.model(draft.head(hidden, 6)), (2, 3))


def test_padding_upsampling_and_depth() -> None:
    def body(d: Draft, x: str) -> str:
        x = _conv()(d, x)
        x = d.add("Pad", x, d.store("pads", np.int64([0, 0, 1, 0, 0, 0, 1, 0])), mode="reflect")
        x = d.add("Pad", x, d.store("zeros", np.int64([0, 0, 0, 1, 0, 0, 0, 1])), d.constant(np.float32(0.5)))
        x = d.add("DepthToSpace", x, blocksize=2)
        scales = d.store("scales", np.float32([1, 1, 2, 1]))
        return d.add("Resize", x, "", scales, coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    _image(body, 24 * 12)


@pytest.mark.parametrize(("op", "before"), [("RNN", 0), ("GRU", 0), ("GRU", 1), ("LSTM", 0)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent_networks(op: str, direction: str, before: int) -> None:
    gates, ways = {"RNN": 1, "GRU": 3, "LSTM": 4}[op], 2 if direction == "bidirectional" else 1
    draft = Draft(["N", 3, 2])
    x = draft.add("Transpose", "x", perm=[1, 0, 2])
    w, r = draft.store("w", numbers(ways, gates * 4, 2)), draft.store("r", numbers(ways, gates * 4, 4, seed=1))
    b = draft.store("b", numbers(ways, 2 * gates * 4, seed=2))
    options = {"linear_before_reset": before} if op == "GRU" else {}
    _, last = draft.add(op, x, w, r, b, count=2, hidden_size=4, direction=direction, **options)[:2]
    flat = draft.add("Reshape", draft.add("Transpose", last, perm=[1, 0, 2]), draft.store("to", np.int64([0, -1])))
    compared(draft.model(draft.head(flat, 4 * ways)), (3, 2))


def test_tokens_positions_and_attention_in_pieces() -> None:
    draft = Draft(["N", 5])
    table, places = draft.store("table", numbers(7, 4)), draft.store("places", numbers(1, 5, 4, seed=1))
    x = draft.add("Add", draft.add("Gather", table, "x"), places)
    q, k, v = (draft.add("MatMul", x, draft.store(name, numbers(4, 4, seed=i))) for i, name in enumerate("qkv", 2))
    scores = draft.add(
        "Mul", draft.add("MatMul", q, draft.add("Transpose", k, perm=[0, 2, 1])), draft.constant(np.float32(0.5))
    )
    causal = np.where(np.tri(5, dtype=bool), 0, -np.inf).astype(np.float32)
    weights = draft.add("Softmax", draft.add("Add", scores, draft.store("causal", causal)), axis=-1)
    mixed = draft.add("Add", x, draft.add("MatMul", weights, v))
    found = compared(draft.model(draft.head(draft.add("Flatten", mixed), 20), kind=7), (5,), tokens=7)
    names = [view.name for view in found.network.parameters]
    assert set(names) == {"table", "places", "q", "k", "v"}
    assert "attend" in {node.kind for node in found.network.nodes}


def test_attention_as_one_operator() -> None:
    draft = Draft(["N", 5, 6], opset=24)
    q, k, v = (draft.add("MatMul", "x", draft.store(name, numbers(6, 6, seed=i))) for i, name in enumerate("qkv"))
    mixed = draft.add("Attention", q, k, v, q_num_heads=2, kv_num_heads=2, is_causal=1)
    compared(draft.model(draft.head(draft.add("Flatten", mixed), 30)), (5, 6))


def test_shapes_are_computed_and_the_batch_stays_free() -> None:
    draft = Draft(["N", 2, 3], opset=17)
    shape = draft.add("Shape", "x")
    batch = draft.add("Gather", shape, draft.store("first", np.int64(0)))
    front = draft.add("Unsqueeze", batch, draft.store("zero", np.int64([0])))
    target = draft.add("Concat", front, draft.store("rest", np.int64([-1])), axis=0)
    flat = draft.add("Reshape", "x", target)
    token = draft.add(
        "Expand",
        draft.store("token", numbers(1, 4, seed=3)),
        draft.add("Concat", front, draft.store("four", np.int64([4])), axis=0),
    )
    hidden = draft.add("Concat", draft.add("Tanh", draft.linear(flat, 6, 5)), token, axis=1)
    found = compared(draft.model(draft.head(draft.add("Tanh", hidden), 9)), (2, 3))
    assert "token" in {view.name for view in found.network.parameters}


def test_a_known_choice_is_taken() -> None:
    from onnx import TensorProto, helper

    draft = Draft(["N", 4])
    hidden = draft.linear("x", 4, 5)

    def branch(op: str) -> Any:
        out = helper.make_tensor_value_info(f"{op}_out", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, [hidden], [f"{op}_out"])], op, [], [out])

    three = draft.add("Equal", draft.add("Size", draft.add("Shape", "x")), draft.constant(np.int64(2)))
    chosen = draft.add("If", three, then_branch=branch("Tanh"), else_branch=branch("Sigmoid"))
    found = compared(draft.model(draft.head(chosen, 5)), (4,))
    assert found.network.layers == (vf.Dense(5, "tanh", skip=True, inputs=("input",)),)


def test_gemm_with_factors_and_transposed() -> None:
    draft = Draft(["N", 4])
    weight, bias = draft.store("w", numbers(4, 5)), draft.store("b", numbers(1, 5, seed=1))
    hidden = draft.add("Tanh", draft.add("Gemm", "x", weight, bias, alpha=0.3, beta=1.7))
    compared(draft.model(draft.head(hidden, 5)), (4,))


def test_a_wrong_translation_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken copy: tanh read as the sigmoid, a gain of one hiding a missing one, never gets through."""
    from verifier.adapters.onnx import operators

    draft, logits = mlp()
    monkeypatch.setitem(operators.RULES, "Tanh", operators.RULES["Sigmoid"])
    with pytest.raises(vf.InputError, match="differ from onnx's own evaluation"):
        vf.from_onnx(draft.model(logits))
    monkeypatch.undo()
    draft = Draft(["N", 4])
    gain = draft.store("gain", np.ones(5, np.float32))
    hidden = draft.add("Mul", draft.add("Tanh", draft.linear("x", 4, 5)), gain)
    monkeypatch.setitem(operators.RULES, "Mul", lambda call: call.value(0))
    with pytest.raises(vf.InputError, match="differ from onnx's own evaluation"):
        vf.from_onnx(draft.model(draft.head(hidden, 5)))


def test_samples_along_the_one_free_dimension() -> None:
    """A recurrent network with the sequence in front, as PyTorch's are by default."""
    draft = Draft([3, "N", 2])
    w, r = draft.store("w", numbers(1, 12, 2)), draft.store("r", numbers(1, 12, 4, seed=1))
    _, last = draft.add("GRU", "x", w, r, count=2, hidden_size=4)
    flat = draft.add("Squeeze", last, draft.store("front", np.int64([0])))
    found = vf.from_onnx(draft.model(draft.head(flat, 4)))
    assert found.network.input_shape == (3, 2)
    assert any("axis 1 of the input" in remark for remark in found.remarks)


def _where(low: str, high: str, place: float = 0.0) -> Callable[[Draft, str], str]:
    def body(d: Draft, x: str) -> str:
        above = d.add("Greater", x, d.constant(np.float32(place)))
        parts = {"x": x, "scaled": d.add("Mul", x, d.constant(np.float32(0.25))), "zero": d.constant(np.float32(0))}
        parts["elu"] = d.add("Sub", d.add("Exp", x), d.constant(np.float32(1)))
        return d.add("Where", above, parts[high], parts[low])

    return body


@pytest.mark.parametrize(("low", "high"), [("zero", "x"), ("scaled", "x"), ("elu", "x"), ("x", "scaled")])
def test_continuous_choices_are_activations(low: str, high: str) -> None:
    draft = Draft(["N", 4])
    hidden = _where(low, high)(draft, draft.linear("x", 4, 5))
    found = compared(draft.model(draft.head(hidden, 5)), (4,))
    assert [node.kind for node in found.network.nodes].count("map") == 1


@pytest.mark.parametrize(("low", "high", "place"), [("zero", "x", 0.5), ("elu", "scaled", 1.0)])
def test_choices_that_jump_are_refused(low: str, high: str, place: float) -> None:
    draft = Draft(["N", 4])
    hidden = _where(low, high, place)(draft, draft.linear("x", 4, 5))
    with pytest.raises(vf.InputError, match="the function jumps at"):
        vf.from_onnx(draft.model(draft.head(hidden, 5)))


def test_softplus_with_a_cut_as_exporters_write_it() -> None:
    draft = Draft(["N", 4])
    x = draft.linear("x", 4, 5)
    cut = draft.add("Greater", x, draft.constant(np.float32(20)))
    smooth = draft.add("Log", draft.add("Add", draft.add("Exp", x), draft.constant(np.float32(1))))
    found = compared(draft.model(draft.head(draft.add("Where", cut, x, smooth), 5)), (4,))
    assert [node.sigma.name for node in found.network.nodes if node.kind == "map"] == ["softplus"]
    assert any("softplus" in remark for remark in found.remarks)


def test_statistics_that_share_an_initialiser_with_a_bias_stay_fixed() -> None:
    """Exporters merge equal tensors: a running mean of zeros is the bias of zeros."""
    draft = Draft(["N", 2, 6, 5])
    x = _conv()(draft, "x")
    ones, zeros = draft.store("bn.weight", np.ones(4, np.float32)), draft.store("bn.bias", np.zeros(4, np.float32))
    x = draft.add("BatchNormalization", x, ones, zeros, zeros, ones)
    flat = draft.add("Flatten", draft.add("Tanh", x))
    found = compared(draft.model(draft.head(flat, 64)), (2, 6, 5))
    assert {"bn.weight", "bn.bias"} <= {view.name for view in found.network.parameters}


def test_masks_are_fixed_and_named_initialisers_are_trained() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    masked = draft.add("Mul", hidden, draft.store("mask", np.float32([1, 0, 1, 1, 1])))
    centred = draft.add("Sub", masked, draft.store("centre", numbers(1, seed=3)))
    model = draft.model(draft.head(draft.add("Tanh", centred), 5))
    names = [view.name for view in vf.from_onnx(model).network.parameters]
    assert names == ["first.weight", "first.bias"]
    assert "centre" in [view.name for view in vf.from_onnx(model, trained="centre").network.parameters]


def test_results_that_would_fill_the_memory_are_refused() -> None:
    draft = Draft(["N", 4])
    hidden = draft.add("Tanh", draft.linear("x", 4, 5))
    large = draft.add("ConstantOfShape", draft.store("shape", np.int64([2**20, 2**20])))
    with pytest.raises(vf.InputError, match="more than 100000000 entries"):
        vf.from_onnx(draft.model(draft.head(draft.add("Add", hidden, large), 5)))


@pytest.mark.parametrize("swapped", [False, True])
def test_tokens_that_floats_are_cut_to_choose_rows_alone(swapped: bool) -> None:
    draft = Draft(["N", 3])
    table = draft.store("table", numbers(7, 2))
    tokens = draft.add("Cast", "x", to=7)
    if swapped:
        hidden = draft.add("Cast", tokens, to=1)
        with pytest.raises(vf.InputError, match="floats are cut to whole numbers"):
            vf.from_onnx(draft.model(draft.head(draft.linear(hidden, 3, 6), 6)))
        return
    found = vf.from_onnx(draft.model(draft.head(draft.add("Flatten", draft.add("Gather", table, tokens)), 6)))
    assert [view.name for view in found.network.parameters] == ["table"]
