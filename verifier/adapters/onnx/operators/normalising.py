"""ONNX operators: batch, layer, group and other normalisations, softmax and log-softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, axis_of, shape_of
from verifier.adapters.onnx.operators.reducing import root_of_squares
from verifier.adapters.onnx.reference import COERCED_BELOW
from verifier.adapters.translation.values import Known, Refused, Value


def _epsilon(call: Call) -> float:
    return float(call.attributes.get("epsilon", np.float32(1e-5)))


def _statistics(call: Call, place: int, what: str) -> Known:
    return Known(call.known(place, what).astype(np.float64))


def _batch_norm(call: Call) -> Value:
    if call.flag("training_mode"):
        raise Refused("it is in training mode, where samples act on one another; export the model for evaluation")
    call.only(1)
    mean, variance = _statistics(call, 3, "mean"), _statistics(call, 4, "variance")
    return call.translation.batch_norm(call.value(0), call.value(1), call.value(2), mean, variance, _epsilon(call))


def _layer_norm(call: Call) -> Value:
    call.only(1)
    x = call.value(0)
    rank = len(shape_of(x))
    axes = rank - axis_of(int(call.attributes.get("axis", -1)), rank)
    return call.translation.layer_norm(x, axes, _whole(call, 1, axes), _whole(call, 2, axes), _epsilon(call))


def _rms_norm(call: Call) -> Value:
    x = call.value(0)
    rank = len(shape_of(x))
    axes = rank - axis_of(int(call.attributes.get("axis", -1)), rank)
    return call.translation.rms_norm(x, axes, _whole(call, 1, axes), _epsilon(call))


def _whole(call: Call, place: int, axes: int) -> Value | None:
    """A gain or shift in the shape of the last axes."""
    found = call.optional(place)
    if found is None:
        return None
    wanted = shape_of(call.value(0))[-axes:]
    return found if shape_of(found) == wanted else call.translation.expand(found, wanted)


def _group_norm(call: Call) -> Value:
    x, groups = call.value(0), int(call.attributes["num_groups"])
    gain, shift = call.value(1), call.value(2)
    return call.translation.group_norm(x, groups, gain, shift, _epsilon(call))


def _instance_norm(call: Call) -> Value:
    x = call.value(0)
    return call.translation.group_norm(x, shape_of(x)[1], call.value(1), call.value(2), _epsilon(call))


def _lp_norm(call: Call) -> Value:
    x, p = call.value(0), int(call.attributes.get("p", 2))
    axis = axis_of(int(call.attributes.get("axis", -1)), len(shape_of(x)))
    if p not in (1, 2):
        raise Refused(f"p = {p}; use 1 or 2")
    if p == 2:
        return call.translation.divide(x, root_of_squares(call, x, (axis,), True))
    return call.translation.divide(x, call.translation.sum(call.translation.elementwise("abs(t)", x), (axis,), True))


def _softmax(method: str) -> Rule:
    def rule(call: Call) -> Value:
        t, x = call.translation, call.value(0)
        shape, apply = shape_of(x), getattr(t, method)
        late = call.opset >= COERCED_BELOW
        axis = axis_of(int(call.attributes.get("axis", -1 if late else 1)), len(shape))
        found: Any
        if late or math.prod(shape[axis + 1 :]) == 1:
            found = apply(x, axis)
        else:
            found = t.reshape(apply(t.reshape(x, (*shape[:axis], -1)), axis), shape)
        return found  # type: ignore[no-any-return]

    return rule


RULES: dict[str, Rule] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LpNormalization": _lp_norm,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
}
"""By operator."""
