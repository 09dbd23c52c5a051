"""Moves and reductions: the samples' axis is followed by its structure, and never by its length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from translation_cases import Lab, Twin, softmax

from verifier.adapters.translation.values import Batch, Known, Refused, Tensor


def reshaped(lab: Lab, x: Twin, *shape: int) -> Twin:
    return lab.do("reshape", lambda a, s: a.reshape(s), x, shape)


def batch(x: Twin) -> Batch | None:
    assert isinstance(x.value, Tensor)
    return x.value.batch


@pytest.mark.parametrize("samples", [2, 3])
def test_samples_keep_their_place_in_reshapes_and_permutations(samples: int) -> None:
    lab = Lab((samples, 4, 6), samples)
    frames = reshaped(lab, lab.x, -1, 4, 6)
    assert batch(frames) == Batch(0, 1, samples)
    turned = lab.do("permute", np.transpose, frames, (1, 2, 0))
    assert batch(turned) == Batch(2, 1, samples)
    heads = reshaped(lab, turned, 4, 2, 3, samples, samples)
    assert batch(heads) == Batch(3)
    merged = reshaped(lab, heads, 8, 3 * samples, samples)
    assert batch(merged) == Batch(1, 3)
    assert batch(reshaped(lab, lab.do("permute", np.transpose, merged, (2, 1, 0)), samples, 3, samples, 8)) == Batch(2)


def test_an_axis_of_the_samples_length_is_no_samples_axis() -> None:
    lab = Lab((3, 3), 3)
    total = lab.do("sum", lambda a, k, p: a.sum(axis=tuple(k)), lab.x, [1], False)
    assert batch(total) == Batch(0)
    turned = lab.do("permute", np.transpose, lab.x, (1, 0, 2))
    assert batch(reshaped(lab, turned, 3, 9)) == Batch(1, 1, 3)
    assert batch(reshaped(lab, turned, 9, 3)) == Batch(0, 3, 1)


MIXING: dict[str, Any] = {
    "mean": lambda t, x: t.mean(x, [0], False),
    "sum of all": lambda t, x: t.sum(x, [0, 1, 2], False),
    "maximum": lambda t, x: t.largest(x, [-3], True),
    "cumsum": lambda t, x: t.cumsum(x, 0),
    "softmax": lambda t, x: t.softmax(x, 0),
    "log_softmax": lambda t, x: t.log_softmax(x, 0),
    "one sample": lambda t, x: t.take(x, 0, np.array(0)),
    "shuffled": lambda t, x: t.take(x, 0, [1, 0, 2]),
    "half": lambda t, x: t.slice(x, 0, 0, 2),
    "concatenate": lambda t, x: t.concatenate([x, x], 0),
    "pad": lambda t, x: t.pad(x, [(1, 0), (0, 0), (0, 0)]),
    "gram": lambda t, x: t.matmul(t.reshape(x, (3, 8)), t.permute(t.reshape(x, (3, 8)), (1, 0))),
    "over samples": lambda t, x: t.matmul(t.permute(t.reshape(x, (3, 8)), (1, 0)), t.reshape(x, (3, 8))),
    "weights over samples": lambda t, x: t.linear(t.permute(x, (1, 2, 0)), t.parameter("w", np.ones((2, 3))), None),
    "differences": lambda t, x: t.subtract(t.reshape(x, (3, 1, 8)), t.reshape(x, (1, 3, 8))),
    "samples as channels": lambda t, x: t.pool(
        "max", t.permute(x, (1, 0, 2)), kernel=(2,), stride=(1,), padding=[(0, 0)], dilation=(1,)
    ),
    "per-sample numbers": lambda t, x: t.add(x, Known(np.arange(3.0).reshape(3, 1, 1))),
    "per-sample weights": lambda t, x: t.multiply(x, t.parameter("w", np.ones((3, 1, 1)))),
    "flatten with samples inside": lambda t, x: t.reshape(t.permute(x, (1, 0, 2)), (3, 8)),
    "repeated": lambda t, x: t.take(x, 0, [0, 0, 1]),
}


@pytest.mark.parametrize("name", MIXING)
def test_what_mixes_samples_is_refused(name: str) -> None:
    lab = Lab((2, 4), 3)
    with pytest.raises(Refused, match=r"sample"):
        MIXING[name](lab.t, lab.x.value)


def test_all_samples_in_order_may_be_taken() -> None:
    lab = Lab((2, 4), 3)
    assert lab.do("take", lambda a, k, e: a, lab.x, 0, [0, 1, 2]).value.node == 0  # type: ignore[union-attr]
    stacked = reshaped(lab, lab.do("permute", np.transpose, lab.x, (1, 0, 2)), 6, 4)  # (T B, C)
    last = lab.do("slice", lambda a, *_: a[3:], stacked, 0, 3, 6)
    assert batch(last) == Batch(0)
    with pytest.raises(Refused, match="single samples"):
        lab.t.slice(stacked.value, 0, 2, 5)


def test_a_parameter_repeated_for_the_samples_is_one_parameter() -> None:
    lab = Lab((4, 5), 3)
    token = lab.do("expand", lambda a, s: np.broadcast_to(a, (3, 1, 5)), lab.parameter(1, 1, 5), (3, -1, -1))
    whole = lab.t.concatenate([token.value, lab.x.value], 1)
    found = lab.twin(whole, np.concatenate([token.array, lab.x.array], axis=1))
    assert batch(found) == Batch(0)
    assert lab.kinds(found) == ["reshape", "concatenate"]


def test_positions_known_for_every_sample_are_one_table() -> None:
    lab = Lab((4, 5), 3)
    positions = lab.known(np.broadcast_to(np.arange(4), (3, 4)))
    rows = lab.do("embedding", lambda w, i: w[i], lab.parameter(7, 5), positions)
    found = lab.do("add", np.add, lab.x, rows)
    assert lab.t.shape_of(found.value.node) == (4, 5)  # type: ignore[union-attr]


def test_tokens_are_rows_of_a_table() -> None:
    lab = Lab((5,), 3, whole=True)
    found = lab.do("embedding", lambda w, i: w[i.astype(int)], lab.parameter(3, 2), lab.x)
    assert batch(found) == Batch(0)
    lab.do("embedding", lambda w, i: w[i.astype(int)], lab.known(np.arange(6.0).reshape(3, 2)), lab.x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax_and_log_softmax_along_any_axis(axis: int) -> None:
    lab = Lab((4, 5), 3)
    order = [[1, 0, 2], [1, 2, 0], [2, 1, 0]][axis]
    x = lab.do("permute", np.transpose, lab.x, order)
    if order[axis] != 0:
        lab.do("softmax", softmax, x, axis)
    else:
        with pytest.raises(Refused):
            lab.t.softmax(x.value, axis)


def test_one_sample_at_a_time_gives_the_same_nodes() -> None:
    """A programme that was exported with one sample: (1, T, C) and its reshapes."""
    lab = Lab((4, 6), 1)
    x = reshaped(lab, lab.x, 4, 6)
    heads = lab.do("permute", np.transpose, reshaped(lab, x, 4, 2, 3), (1, 0, 2))
    back = reshaped(lab, lab.do("permute", np.transpose, heads, (1, 0, 2)), 1, 24)
    assert batch(back) == Batch(0)


def test_known_whole_numbers_are_exact_or_refused() -> None:
    lab = Lab((2,), 3)
    large = Known(np.array([2**53 + 1, 0]))
    for meet in (lab.t.add, lab.t.subtract, lab.t.multiply, lab.t.divide):
        with pytest.raises(Refused, match=r"2\*\*53|one of which is 0"):
            meet(lab.x.value, large)
    with pytest.raises(Refused, match=r"2\*\*53"):
        lab.t.concatenate([large, Known(np.zeros(2))], 0)
    with pytest.raises(Refused, match=r"2\*\*53"):
        lab.t.multiply(Known(np.array(2**40)), Known(np.array(2**40)))
    assert lab.t.add(Known(np.array(2)), Known(np.array(3))).array == 5  # type: ignore[union-attr]
    with pytest.raises(Refused, match="front end"):
        lab.t.add(Known(np.array(0.1)), Known(np.array(0.2)))
