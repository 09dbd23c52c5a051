"""`finish`: the head is the last linear map of its own; what follows it and does not matter is left out, and said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from translation_cases import Lab, Twin

from verifier.adapters.translation.values import Known, Refused
from verifier.network.nodes import Parameter


def linear(lab: Lab, x: Twin, units: int, *, bias: bool = True) -> Twin:
    weight = lab.parameter(units, x.array.shape[-1])
    if not bias:
        return lab.do("linear", lambda a, w, b: a @ w.T, x, weight, None)
    return lab.do("linear", lambda a, w, b: a @ w.T + b, x, weight, lab.parameter(units))


def tanh(lab: Lab, x: Twin) -> Twin:
    return lab.twin(lab.t.elementwise("tanh(t)", x.value), np.tanh(x.array))


def reshaped(lab: Lab, x: Twin, *shape: int) -> Twin:
    return lab.do("reshape", lambda a, s: a.reshape(s), x, shape)


def tokens(samples: int = 3) -> tuple[Lab, Twin]:
    lab = Lab((4, 3), samples)
    return lab, tanh(lab, linear(lab, lab.x, 5))


def dense(samples: int = 3) -> tuple[Lab, Twin]:
    lab = Lab((3,), samples)
    return lab, tanh(lab, linear(lab, lab.x, 5))


def test_what_follows_the_head_and_does_not_matter_is_left_out() -> None:
    lab, hidden = dense()
    logits = linear(lab, hidden, 4)
    for name in ("log_softmax", "softmax"):
        found = lab.t.finish(getattr(lab.t, name)(logits.value, -1))
        assert found.network == lab.finished(logits).network and name in found.remarks[-1]
    soft = lab.t.elementwise("log(t)", lab.t.softmax(logits.value, 1))
    assert "log_softmax" in lab.t.finish(soft).remarks[0]
    one = linear(lab, hidden, 1)
    probability = lab.t.reshape(lab.t.elementwise("1/(1 + exp(-t))", one.value), (3,))
    found = lab.t.finish(probability)
    assert found.v.shape == (6, 1) and any("sigmoid" in remark for remark in found.remarks)
    lab.finished(reshaped(lab, logits, 3, 1, 4, 1))


@pytest.mark.parametrize("end", ["softmax", "log_softmax"])
def test_softmax_of_one_logit_is_a_constant(end: str) -> None:
    lab, hidden = dense()
    with pytest.raises(Refused, match="one logit"):
        lab.t.finish(getattr(lab.t, end)(linear(lab, hidden, 1).value, -1))


def test_one_position_or_the_mean_of_all_may_be_taken_after_the_head() -> None:
    lab, hidden = tokens()
    logits = linear(lab, hidden, 2)
    last = lab.do("take", lambda a, k, e: a[:, -1], logits, 1, np.array(-1))
    found = lab.finished(last)
    assert found.network.columns == 6 and found.network.features[0].entries == (15, 16, 17, 18, 19)
    assert lab.t.finish(lab.t.log_softmax(last.value, 1)).network == found.network
    probabilities = lab.t.take(lab.t.log_softmax(logits.value, -1), 1, np.array(-1))
    assert lab.t.finish(probabilities).network == found.network
    mean = lab.do("mean", lambda a, k, p: a.mean(1), logits, [1], False)
    assert "taken before it" in lab.finished(mean).remarks[-1]
    part = lab.do("slice", lambda a, *_: a[:, 1:3], logits, 1, 1, 3)
    lab.finished(lab.do("mean", lambda a, k, p: a.mean(1), part, [1], False))
    lab.finished(lab.do("take", lambda a, k, e: a[:, e], reshaped(lab, logits, 3, 8), 1, [5, 4]))


def test_a_convolution_with_one_position_or_with_kernel_one_is_a_head() -> None:
    lab = Lab((2, 3, 3), 2)
    hidden = tanh(lab, lab.x)
    numbers: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1)}
    weight, bias = lab.parameter(4, 2, 3, 3), lab.parameter(4)
    value = lab.t.convolution(hidden.value, weight.value, bias.value, padding=[(0, 0)] * 2, **numbers)
    logits = np.einsum("bcij,fcij->bf", hidden.array, weight.array) + bias.array
    lab.finished(reshaped(lab, lab.twin(value, logits[:, :, None, None]), 2, 4))
    weight, bias = lab.parameter(4, 2, 1, 1), lab.parameter(4)
    value = lab.t.convolution(hidden.value, weight.value, bias.value, padding=[(0, 0)] * 2, **numbers)
    each = np.einsum("bcij,fc->bfij", hidden.array, weight.array[:, :, 0, 0]) + bias.array[:, None, None]
    mean = lab.do("mean", lambda a, k, p: a.mean((2, 3)), lab.twin(value, each), [2, 3], False)
    assert lab.finished(mean).network.columns == 3


def test_features_are_units_wherever_they_were_moved_to() -> None:
    lab = Lab((3,), 3)
    first, second = tanh(lab, linear(lab, lab.x, 4)), tanh(lab, linear(lab, lab.x, 5))
    joined = lab.twin(
        lab.t.concatenate([second.value, first.value], 1), np.concatenate([second.array, first.array], axis=1)
    )
    found = lab.finished(linear(lab, joined, 2))
    assert found.network.layered is not None and found.network.columns == 10
    chosen = lab.do("take", lambda a, k, e: a[:, e], joined, 1, [7, 0, 3])
    found = lab.finished(linear(lab, chosen, 2))
    assert [feature.entries for feature in found.network.features[:2]] == [(2,), (0, 3)]
    twice = lab.do("take", lambda a, k, e: a[:, e], joined, 1, [7, 0, 7])
    assert lab.finished(linear(lab, twice, 2, bias=False)).network.columns == 3


def test_two_linear_maps_are_one_head_with_the_features_of_both() -> None:
    lab, hidden = dense()
    deep, wide = linear(lab, hidden, 2), linear(lab, lab.x, 2, bias=False)
    found = lab.finished(lab.do("add", np.add, deep, wide))
    assert found.v.shape == (9, 2) and " + " in found.head
    with pytest.raises(Refused, match="two biases"):
        lab.t.finish(lab.t.add(deep.value, linear(lab, lab.x, 2).value))
    with pytest.raises(Refused, match="same features"):
        lab.t.finish(lab.t.add(deep.value, linear(lab, hidden, 2, bias=False).value))


def test_the_head_may_be_a_matrix_product() -> None:
    lab, hidden = tokens()
    weight, bias = lab.parameter(5, 2), lab.parameter(2)
    logits = lab.do("add", np.add, lab.do("matmul", np.matmul, hidden, weight), bias)
    found = lab.finished(lab.do("take", lambda a, k, e: a[:, -1], logits, 1, np.array(-1)))
    assert np.array_equal(found.v[:-1], weight.array)
    lab.finished(lab.do("mean", lambda a, k, p: a.mean(1), logits, [1], False))


def test_multiples_of_the_logits_are_taken_where_they_are_exact() -> None:
    lab, hidden = dense()
    logits = linear(lab, hidden, 2)
    lab.finished(lab.do("multiply", np.multiply, logits, Twin(Known(np.array(-0.5)), np.array(-0.5))))
    with pytest.raises(Refused, match="fold the factor"):
        lab.t.finish(lab.t.divide(logits.value, Known(np.array(0.7))))
    plain = linear(lab, hidden, 2, bias=False)
    cold = lab.finished(lab.do("divide", np.divide, plain, Twin(Known(np.array(0.07)), np.array(0.07))))
    assert np.array_equal(cold.v, lab.finished(plain).v) and "taken before the head" in cold.remarks[-1]
    assert [node.kind for node in cold.network.nodes].count("map") == 1


def test_what_the_features_do_not_read_is_left_out_and_names_are_kept() -> None:
    lab = Lab((3,), 3)
    lab.parameter(7, name="unused")
    hidden = tanh(lab, lab.do("linear", lambda a, w, b: a @ w.T, lab.x, lab.parameter(5, 3, name="body.weight"), None))
    tanh(lab, linear(lab, hidden, 9))
    weight = lab.parameter(2, 5, name="fc.weight")
    found = lab.finished(lab.do("linear", lambda a, w, b: a @ w.T, hidden, weight, None))
    assert [view.name for view in found.network.parameters] == ["body.weight"]
    assert found.head == "fc" and np.array_equal(found.v, weight.array.T)
    assert np.array_equal(found.network.view(found.u, "body.weight"), lab.t.start["body.weight"])


def tied(lab: Lab, hidden: Twin) -> Any:
    table = lab.parameter(5, 5)
    return lab.t.linear(lab.t.elementwise("tanh(t)", lab.t.linear(hidden.value, table.value, None)), table.value, None)


def reading_itself(lab: Lab, hidden: Twin) -> Any:
    logits = lab.t.linear(hidden.value, lab.parameter(2, 5).value, None)
    again = lab.t.elementwise("tanh(t)", logits)
    return lab.t.add(logits, lab.t.linear(again, lab.parameter(2, 2).value, None))


def frozen(lab: Lab, hidden: Twin) -> Any:
    return lab.t.linear(hidden.value, Known(np.ones((2, 5)), "head.weight"), None)


def frozen_bias(lab: Lab, hidden: Twin) -> Any:
    return lab.t.linear(hidden.value, lab.parameter(2, 5).value, Known(np.array([1.0, 2.0])))


def one_bias(lab: Lab, hidden: Twin) -> Any:
    return lab.t.add(lab.t.linear(hidden.value, lab.parameter(2, 5).value, None), lab.parameter(1).value)


def computed(lab: Lab, hidden: Twin) -> Any:
    weight = lab.t.matmul(lab.parameter(2, 1).value, lab.parameter(1, 5).value)
    return lab.t.linear(hidden.value, weight, None)


def copied(lab: Lab, hidden: Twin) -> Any:
    logits = lab.t.linear(hidden.value, lab.parameter(1, 5).value, None)
    return lab.t.expand(logits, (3, 4))


def joined(lab: Lab, hidden: Twin) -> Any:
    parts = [lab.t.linear(hidden.value, lab.parameter(1, 5).value, None) for _ in range(2)]
    return lab.t.concatenate(parts, 1)


REFUSALS: dict[str, tuple[Callable[[Lab, Twin], Any], str]] = {
    "tied": (tied, "tied"),
    "reading itself": (reading_itself, "tied"),
    "frozen": (frozen, "head.weight are frozen"),
    "frozen bias": (frozen_bias, "bias"),
    "one bias for all": (one_bias, "one number of the head's bias"),
    "computed": (computed, "computed from others"),
    "copied": (copied, "returned twice"),
    "joined": (joined, "joins several"),
    "activation": (lambda lab, hidden: hidden.value, "not with a linear head"),
    "several sigmoids": (
        lambda lab, h: lab.t.elementwise("1/(1 + exp(-t))", lab.t.linear(h.value, lab.parameter(2, 5).value, None)),
        "not with a linear head",
    ),
    "residual": (lambda lab, h: lab.t.add(h.value, lab.t.linear(h.value, lab.parameter(5, 5).value, None)), "head"),
    "input alone": (lambda lab, h: lab.x.value, "head"),
    "parameters alone": (lambda lab, h: lab.parameter(3, 2).value, "does not depend on the input"),
    "logits after the loss": (
        lambda lab, h: lab.t.multiply(lab.t.log_softmax(h.value, 1), Known(np.array(2.0))),
        "only the loss may read it",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_heads_that_are_not_free_are_refused(name: str) -> None:
    lab, hidden = dense()
    make, words = REFUSALS[name]
    with pytest.raises(Refused, match=words):
        lab.t.finish(make(lab, hidden))


def test_one_head_at_two_positions_is_no_free_matrix() -> None:
    lab, hidden = tokens()
    logits = linear(lab, hidden, 2, bias=False)
    first, last = (lab.t.take(logits.value, 1, np.array(place)) for place in (0, 3))
    with pytest.raises(Refused, match="tied"):
        lab.t.finish(lab.t.add(first, last))
    for output in (logits.value, lab.t.log_softmax(logits.value, -1), lab.t.reshape(logits.value, (12, 2))):
        with pytest.raises(Refused, match=r"positions|rows for each sample"):
            lab.t.finish(output)


def test_a_parameter_that_is_read_moved_is_held_as_it_is_read() -> None:
    lab = Lab((4, 3), 2)
    table = lab.parameter(1, 4, 3, name="positions")
    hidden = reshaped(lab, tanh(lab, lab.do("add", np.add, lab.x, table)), 2, 12)
    found = lab.finished(linear(lab, hidden, 2))
    held = [node.size for node in found.network.nodes if isinstance(node, Parameter)]
    assert held == [(4, 3)] and "reshape" not in [node.kind for node in found.network.nodes]
    token = lab.do("expand", lambda a, s: np.broadcast_to(a, (2, 1, 3)), lab.parameter(1, 1, 3), (2, 1, 3))
    both = lab.twin(
        lab.t.concatenate([token.value, lab.x.value], 1), np.concatenate([token.array, lab.x.array], axis=1)
    )
    lab.finished(linear(lab, reshaped(lab, both, 2, 15), 2))


def test_planted_parameters_are_refused() -> None:
    lab = Lab((3,), 2)
    lab.parameter(2, name="a")
    for values in (np.ones(2), np.array([np.nan, 0.0]), np.ones(2, complex)):
        with pytest.raises(Refused):
            lab.t.parameter("a", values)
