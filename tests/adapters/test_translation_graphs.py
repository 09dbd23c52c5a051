"""The graphs of common pieces: as plain as a person would write them, and exact."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.special import erf
from translation_cases import Lab, Twin, sigmoid, softmax

from verifier.adapters.translation.expressions import Power, power_of
from verifier.adapters.translation.values import Known, Refused, Tensor
from verifier.network.nodes import Attend, Constant, Gate, Normalise, Scale


def call(lab: Lab, text: str, x: Twin, array: Any) -> Twin:
    return lab.twin(lab.t.elementwise(text, x.value), array)


def last(lab: Lab, x: Twin) -> Any:
    assert isinstance(x.value, Tensor)
    return lab.t.build.nodes[lab.t.node(x.value)]


def number(value: float) -> Twin:
    return Twin(Known(np.array(value)), np.array(value))


def linear(lab: Lab, x: Twin, units: int) -> Twin:
    weight, bias = lab.parameter(units, x.array.shape[-1]), lab.parameter(units)
    return lab.do("linear", lambda a, w, b: a @ w.T + b, x, weight, bias)


def times(lab: Lab, a: Twin, b: Twin) -> Twin:
    return lab.do("multiply", np.multiply, a, b)


def plus(lab: Lab, a: Twin, b: Twin) -> Twin:
    return lab.do("add", np.add, a, b)


def test_chains_on_one_entry_are_one_function_with_exact_numbers() -> None:
    lab = Lab((4,), 3)
    x = linear(lab, lab.x, 5)
    silu = times(lab, x, call(lab, "1/(1 + exp(-t))", x, sigmoid(x.array)))
    assert lab.kinds(silu) == ["affine", "map"] and last(lab, silu).sigma.name == "silu"
    root = float(np.float32(math.sqrt(2)))
    inner = call(lab, "erf(t)", lab.do("divide", np.divide, x, number(root)), erf(x.array / root))
    gelu = times(lab, times(lab, x, number(0.5)), plus(lab, inner, number(1.0)))
    assert lab.kinds(gelu) == ["affine", "map"]
    assert str(Fraction(root).numerator) in last(lab, gelu).sigma.canonical
    hard = call(lab, "Max(0, Min(6, t + 3))", x, np.clip(x.array + 3, 0, 6))
    swish = lab.do("divide", np.divide, times(lab, x, hard), number(6.0))
    assert lab.kinds(swish) == ["affine", "map"]
    mish = times(lab, x, call(lab, "tanh(log(1 + exp(t)))", x, np.tanh(np.logaddexp(0, x.array))))
    assert lab.kinds(mish) == ["affine", "map"]


def test_a_view_between_a_layer_and_its_activation_leaves_a_layer() -> None:
    lab = Lab((4,), 3)
    x = lab.do("reshape", lambda a, s: a.reshape(s), linear(lab, lab.x, 6), (3, 2, 3))
    y = lab.do("reshape", lambda a, s: a.reshape(s), call(lab, "tanh(t)", x, np.tanh(x.array)), (3, -1))
    assert lab.kinds(y) == ["affine", "map"]
    assert lab.finished(linear(lab, y, 2)).network.layered is not None


def test_affine_functions_are_exact_multiples_and_sums() -> None:
    lab = Lab((4,), 3)
    pixels = lab.do("divide", np.divide, lab.x, number(255.0))
    node = last(lab, pixels)
    assert isinstance(node, Scale) and node.factor == Fraction(1, 255)
    centred = lab.do("subtract", np.subtract, times(lab, lab.x, number(2.0)), number(1.0))
    assert lab.kinds(centred) == ["scale", "add"]
    assert lab.kinds(lab.do("subtract", np.subtract, centred, centred)) == []
    third = plus(lab, lab.do("divide", np.divide, lab.x, number(3.0)), number(0.5))
    assert last(lab, lab.do("divide", np.divide, third, number(0.75))).kind == "map"  # a shift that is no float


def test_division_by_known_numbers_is_exact() -> None:
    lab = Lab((4,), 3)
    deviations = np.array([0.1, -0.3, 0.7, 5.0])
    whitened = lab.do("divide", np.divide, lab.x, lab.known(deviations))
    stored = [node.values for node in lab.t.build.nodes if isinstance(node, Constant)]
    assert any(np.array_equal(values, np.abs(deviations)) for values in stored)
    assert not any(np.isin(1 / deviations, values).any() for values in stored)
    assert lab.kinds(whitened).count("inverse-root") == 1
    halves = lab.do("divide", np.divide, lab.x, lab.known([0.5, -2.0, 4.0, 1.0]))
    assert lab.kinds(halves) == ["multiply"]
    for bad in ([1.0, 0.0, 1.0, 1.0], [1.0, np.inf, 1.0, 1.0], [0.0] * 4):
        with pytest.raises(Refused):
            lab.t.divide(lab.x.value, Known(np.array(bad)))


def test_undefined_functions_are_refused_and_their_chains_kept_where_they_are_defined() -> None:
    lab = Lab((4,), 3)
    with pytest.raises(Refused):
        lab.t.elementwise("log(t)", lab.x.value)
    below = lab.t.elementwise("sqrt(t)", lab.t.elementwise("t - 1", lab.x.value))
    with pytest.raises(Refused):
        lab.t.linear(below, Known(np.eye(4)), None)
    powers = call(lab, "exp(t)", lab.x, np.exp(lab.x.array))
    assert lab.kinds(call(lab, "log(1 + t)", powers, np.log1p(powers.array))) == ["map"]


@pytest.mark.parametrize("correction", [0, 1])
def test_normalisations_in_pieces_are_one_node(correction: int) -> None:
    lab = Lab((4, 6), 3)
    x = linear(lab, lab.x, 6)
    mean = lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), x, [-1], True)
    deviation = lab.do("subtract", np.subtract, x, mean)
    variance = lab.twin(
        lab.t.variance(x.value, [-1], True, correction), x.array.var(-1, keepdims=True, ddof=correction)
    )
    scale = call(lab, "sqrt(t)", plus(lab, variance, number(1e-5)), np.sqrt(variance.array + 1e-5))
    normal = lab.do("divide", np.divide, deviation, scale)
    assert [kind for kind in lab.kinds(normal) if kind in ("normalise", "reduce")] == ["normalise"]
    (node,) = (node for node in lab.t.build.nodes if isinstance(node, Normalise))
    assert node.epsilon == Fraction(1e-5) * Fraction(6 - correction, 6)
    square = lab.twin(lab.t.power(x.value, Known(np.array(2))), x.array**2)
    energy = plus(lab, lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), square, [-1], True), number(0.5))
    inverse = lab.twin(lab.t.power(energy.value, Known(np.array(-0.5))), energy.array**-0.5)
    assert not last(lab, times(lab, inverse, x)).centre


def test_a_deviation_from_another_mean_is_no_normalisation() -> None:
    lab = Lab((4, 6), 3)
    other = lab.do("mean", lambda a, k, p: a.mean(1, keepdims=True), lab.x, [1], True)
    deviation = lab.do("subtract", np.subtract, lab.x, other)
    variance = lab.twin(lab.t.variance(lab.x.value, [-1], True), lab.x.array.var(-1, keepdims=True))
    scale = call(lab, "1/sqrt(t + 1/8)", variance, 1 / np.sqrt(variance.array + 0.125))
    assert "normalise" not in lab.kinds(times(lab, deviation, scale))


def heads(lab: Lab, x: Twin) -> Twin:
    split = lab.do("reshape", lambda a, s: a.reshape(s), linear(lab, x, 6), (3, 5, 2, 3))
    return lab.do("permute", np.transpose, split, (0, 2, 1, 3))


@pytest.mark.parametrize("where", ["scores", "query", "both"])
@pytest.mark.parametrize("mask", [None, "hidden", "finite"])
def test_attention_in_pieces_is_one_node(where: str, mask: str | None) -> None:
    lab = Lab((5, 6), 3)
    q, k, v = (heads(lab, lab.x) for _ in range(3))
    factor = number(0.57)
    q = times(lab, q, factor) if where != "scores" else q
    keys = lab.do("permute", np.transpose, k, (0, 1, 3, 2))
    keys = times(lab, keys, factor) if where == "both" else keys
    scores = lab.do("matmul", np.matmul, q, keys)
    scores = times(lab, scores, factor) if where == "scores" else scores
    if mask is not None:
        added = np.where(np.tri(5, dtype=bool), 0.0 if mask == "hidden" else 0.25, -np.inf)
        scores = Twin(lab.t.add(scores.value, Known(added)), scores.array + added)
    weights = lab.twin(lab.t.softmax(scores.value, -1), softmax(scores.array))
    found = lab.do("matmul", np.matmul, weights, v)
    if mask == "finite":
        assert lab.kinds(found)[-2:] == ["softmax", "contract"]
        return
    node = last(lab, found)
    assert isinstance(node, Attend) and len(node.reads) == (3 if mask is None else 4)
    assert node.square == Fraction(0.57) ** (4 if where == "both" else 2)
    assert "contract" not in lab.kinds(found)


def test_attention_with_the_default_scale_is_exact() -> None:
    lab = Lab((5, 6), 3)
    value = lab.t.attention(lab.x.value, lab.x.value, lab.x.value, None, None, True)
    scores = np.where(np.tri(5, dtype=bool), lab.x.array @ lab.x.array.transpose(0, 2, 1) / np.sqrt(6), -np.inf)
    assert last(lab, lab.twin(value, softmax(scores) @ lab.x.array)).square == Fraction(1, 6)
    with pytest.raises(Refused, match="sees nothing"):
        lab.t.attention(lab.x.value, lab.x.value, lab.x.value, Known(np.eye(5, dtype=bool)[::-1] & False), None, False)


@pytest.mark.parametrize("order", ["complement", "difference"])
def test_updates_of_recurrent_cells_are_gates(order: str) -> None:
    lab = Lab((4,), 3)
    state, pre = linear(lab, lab.x, 5), linear(lab, lab.x, 5)
    gate = linear(lab, lab.x, 5)
    z = call(lab, "1/(1 + exp(-t))", gate, sigmoid(gate.array))
    new = call(lab, "tanh(t)", pre, np.tanh(pre.array))
    if order == "complement":
        rest = lab.do("subtract", np.subtract, number(1.0), z)
        found = plus(lab, times(lab, rest, new), times(lab, z, state))
    else:
        found = plus(lab, new, times(lab, z, lab.do("subtract", np.subtract, state, new)))
    assert isinstance(last(lab, found), Gate)


def test_a_gate_needs_the_complement() -> None:
    lab = Lab((4,), 3)
    gate, new, state = (linear(lab, lab.x, 5) for _ in range(3))
    z = call(lab, "1/(1 + exp(-t))", gate, sigmoid(gate.array))
    rest = lab.do("subtract", np.subtract, number(1.5), z)
    assert last(lab, plus(lab, times(lab, rest, new), times(lab, z, state))).kind == "add"


def test_trained_slopes_multiply_by_parameters() -> None:
    lab = Lab((3, 4), 2)
    slopes = lab.parameter(3, 1)
    positive = call(lab, "Max(0, t)", lab.x, np.maximum(lab.x.array, 0))
    negative = call(lab, "Min(0, t)", lab.x, np.minimum(lab.x.array, 0))
    assert lab.kinds(plus(lab, positive, times(lab, slopes, negative)))[-1] == "add"


def test_a_product_and_a_bias_are_one_affine_node() -> None:
    lab = Lab((4,), 3)
    product = lab.do("matmul", np.matmul, lab.x, lab.parameter(4, 5))
    hidden = plus(lab, product, lab.parameter(5))
    assert lab.kinds(hidden) == ["permute", "affine"]
    found = lab.finished(linear(lab, call(lab, "tanh(t)", hidden, np.tanh(hidden.array)), 2))
    assert found.network.layered is not None  # the matrix is held as the layer uses it
    assert any("transposed" in remark for remark in found.remarks)


def test_frames_of_a_sample_go_through_a_convolution_together() -> None:
    lab = Lab((2, 3, 5), 2)  # two frames of (3, 5)
    frames = lab.do("reshape", lambda a, s: a.reshape(s), lab.x, (4, 3, 5))
    weight, bias = lab.parameter(4, 3, 2), lab.parameter(4)
    numbers: dict[str, Any] = {"stride": (1,), "padding": [(1, 0)], "dilation": (1,)}
    seen = np.lib.stride_tricks.sliding_window_view(np.pad(frames.array, [(0, 0), (0, 0), (1, 0)]), 2, axis=2)
    expected = np.einsum("bcpk,fck->bfp", seen, weight.array) + bias.array[:, None]
    found = lab.twin(lab.t.convolution(frames.value, weight.value, bias.value, **numbers), expected)
    assert lab.kinds(found).count("affine") == 1
    pooled = lab.t.pool("max", found.value, kernel=(2,), stride=(2,), padding=[(0, 1)], dilation=(1,))
    ends = np.pad(expected, [(0, 0), (0, 0), (0, 1)], constant_values=-np.inf).reshape(4, 4, 3, 2).max(axis=-1)
    lab.twin(pooled, ends)


def test_roots_of_sums_of_squares_are_defined_everywhere() -> None:
    lab = Lab((4,), 3)
    x = linear(lab, lab.x, 5)
    square = lab.twin(lab.t.power(x.value, Known(np.array(2))), x.array**2)
    energy = lab.do("sum", lambda a, k, p: a.sum(-1, keepdims=True), square, [-1], True)
    norm = lab.twin(lab.t.power(energy.value, Known(np.array(0.5))), np.sqrt(energy.array))
    assert lab.kinds(norm)[-2:] == ["reduce", "map"] or lab.kinds(norm)[-1] == "reshape"
    assert "inverse-root" not in lab.kinds(norm)
    again = lab.twin(lab.t.power(norm.value, Known(np.array(2))), energy.array)
    assert lab.kinds(again) == lab.kinds(energy)
    bounded = lab.do("maximum", np.maximum, norm, number(1e-12))
    unit = lab.do("divide", np.divide, x, bounded)
    assert "inverse-root" not in lab.kinds(unit)
    root = call(lab, "sqrt(t)", plus(lab, energy, number(0.5)), np.sqrt(energy.array + 0.5))
    assert "inverse-root" in lab.kinds(root)  # analytic: what is under the root is positive
    with pytest.raises(Refused):
        lab.t.linear(lab.t.elementwise("1/(t**2 - t**2)", energy.value), Known(np.eye(1)), None)


def test_a_function_of_x_is_refused_before_its_variable_is_lost() -> None:
    lab = Lab((4,), 3)
    with pytest.raises(Refused, match="must be called t"):
        lab.t.elementwise("x**2", lab.t.elementwise("tanh(t)", lab.x.value))


def test_sums_count_what_is_added_to_every_entry() -> None:
    lab = Lab((4, 5), 3)
    shifted = plus(lab, times(lab, linear(lab, lab.x, 5), number(2.0)), number(1.0))
    for name, function in (("sum", np.sum), ("mean", np.mean), ("largest", np.max)):
        for axes in ([1], [1, 2]):
            lab.do(name, lambda a, k, p, f=function: f(a, axis=tuple(k)), shifted, axes, False)
    halved = times(lab, linear(lab, lab.x, 5), number(-0.5))
    lab.do("largest", lambda a, k, p: a.max(axis=-1), halved, [-1], False)


@pytest.mark.parametrize("exponent", [-1.0, -2.0, -3.0, -4.0])
def test_inverses_of_numbers_of_either_sign(exponent: float) -> None:
    lab = Lab((6,), 4)
    assert (lab.inputs < 0).any() and (lab.inputs > 0).any()
    lab.twin(lab.t.power(lab.x.value, Known(np.array(exponent))), lab.inputs**exponent)
    lab.do("divide", np.divide, linear(lab, lab.x, 6), lab.x)
    shifted = plus(lab, lab.x, number(-0.125))
    lab.twin(lab.t.power(shifted.value, Known(np.array(exponent))), shifted.array**exponent)


def test_a_deviation_from_a_mean_over_other_axes_is_normalised_without_a_mean() -> None:
    lab = Lab((4, 6), 3)
    mean = lab.do("mean", lambda a, k, p: a.mean(1, keepdims=True), lab.x, [1], True)
    deviation = lab.do("subtract", np.subtract, lab.x, mean)
    square = lab.twin(lab.t.power(deviation.value, Known(np.array(2))), deviation.array**2)
    energy = lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), square, [-1], True)
    root = call(lab, "sqrt(t + 1/8)", energy, np.sqrt(energy.array + 0.125))
    node = last(lab, lab.do("divide", np.divide, deviation, root))
    assert isinstance(node, Normalise) and not node.centre


def test_a_mean_of_other_functions_is_no_variance() -> None:
    lab = Lab((4, 6), 3)
    mean = lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), lab.x, [-1], True)
    deviation = lab.do("subtract", np.subtract, lab.x, mean)
    for text, function in (("abs(t)", np.abs), ("3*t**2", lambda a: 3 * a * a), ("t**4", lambda a: a**4)):
        spread = call(lab, text, deviation, function(deviation.array))
        level = lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), spread, [-1], True)
        root = call(lab, "sqrt(t + 1/8)", level, np.sqrt(level.array + 0.125))
        assert "normalise" not in lab.kinds(lab.do("divide", np.divide, deviation, root))


def test_functions_before_and_after_a_view_are_one_and_may_be_normalised() -> None:
    lab = Lab((4,), 3)
    x = linear(lab, lab.x, 6)
    view = lab.do("reshape", lambda a, s: a.reshape(s), call(lab, "tanh(t)", x, np.tanh(x.array)), (3, 2, 3))
    halved = call(lab, "t**2/2", view, view.array**2 / 2)
    assert lab.kinds(halved) == ["affine", "map", "reshape"]
    rows = lab.do("expand", np.broadcast_to, lab.do("slice", lambda a, *_: a[:, :, :1], view, 2, 0, 1), [3, 2, 3])
    assert lab.kinds(call(lab, "Max(0, t)", rows, np.maximum(rows.array, 0))).count("map") == 2
    square = lab.twin(lab.t.power(view.value, Known(np.array(2))), view.array**2)
    energy = lab.do("mean", lambda a, k, p: a.mean(-1, keepdims=True), square, [-1], True)
    root = call(lab, "1/sqrt(t + 1/8)", energy, 1 / np.sqrt(energy.array + 0.125))
    assert isinstance(last(lab, times(lab, view, root)), Normalise)


def test_a_mask_moves_with_its_scores() -> None:
    lab = Lab((4, 4), 3)
    seen = np.tri(4, dtype=bool)
    hidden = lab.t.where(Known(seen), lab.x.value, Known(np.array(-np.inf)))
    masked = np.where(seen, lab.x.array, -np.inf)
    lab.twin(lab.t.softmax(hidden, -2), softmax(masked, -2))
    turned = lab.t.softmax(lab.t.permute(hidden, (0, 2, 1)), 1)
    lab.twin(turned, softmax(masked.transpose(0, 2, 1), 1))
    heads = lab.t.reshape(lab.t.permute(hidden, (1, 0, 2)), (4, 3, 2, 2))
    lab.twin(lab.t.softmax(heads, 0), softmax(masked.transpose(1, 0, 2).reshape(4, 3, 2, 2), 0))
    with pytest.raises(Refused, match="minus infinity"):
        lab.t.linear(hidden, Known(np.eye(4)), None)


def test_a_pool_of_size_one_keeps_its_padding() -> None:
    lab = Lab((2, 3), 2)
    value = lab.t.pool("mean", lab.x.value, kernel=(1,), stride=(1,), padding=[(1, 2)], dilation=(1,))
    lab.twin(value, np.pad(lab.inputs, [(0, 0), (0, 0), (1, 2)]))


@pytest.mark.parametrize(
    "text", ["t/(t*sqrt(t + 1))", "1/sqrt(t)**2", "log(t)/log(t)*sqrt(t)", "sqrt(t)*sqrt(1 - t)", "t**(1/3)", "exp(t)"]
)
def test_what_is_no_power_of_an_affine_function(text: str) -> None:
    assert power_of(text) is None


def test_powers_of_affine_functions() -> None:
    assert power_of("3/sqrt(4*t + 1/2)") == Power(Fraction(3), Fraction(4), Fraction(1, 2), -1)
    assert power_of("(t + 1)**(3/2)") == Power(Fraction(1), Fraction(1), Fraction(1), 3)
    assert power_of("1/(sqrt(t + 1/3))") == Power(Fraction(1), Fraction(1), Fraction(1, 3), -1)


def test_a_product_of_two_tensors_is_not_taken_to_be_positive() -> None:
    lab = Lab((4,), 3)
    product = lab.t.multiply(linear(lab, lab.x, 5).value, linear(lab, lab.x, 5).value)
    root = lab.t.elementwise("sqrt(t)", product)
    assert isinstance(root, Tensor)
    lab.t.node(root)
    assert lab.t.build.nodes[-1].kind == "multiply"  # x/sqrt(x), which engines find undefined where x is negative
    assert not any(node.kind == "map" for node in lab.t.build.nodes)
