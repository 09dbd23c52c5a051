"""Sums, means and maxima over axes, given as an attribute or, in later versions, as an input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, axis_of, shape_of
from verifier.adapters.translation.values import Refused, Value

Over: TypeAlias = Callable[[Call, Value, Sequence[int], bool], Value]


def root_of_squares(call: Call, x: Value, axes: Sequence[int], keep: bool) -> Value:
    """Return the 2-norm over some axes."""
    return call.translation.elementwise("sqrt(t)", _squares(call, x, axes, keep))


def _squares(call: Call, x: Value, axes: Sequence[int], keep: bool) -> Value:
    return call.translation.sum(call.translation.elementwise("t**2", x), axes, keep)


def _absolute(call: Call, x: Value, axes: Sequence[int], keep: bool) -> Value:
    return call.translation.sum(call.translation.elementwise("abs(t)", x), axes, keep)


def _smallest(call: Call, x: Value, axes: Sequence[int], keep: bool) -> Value:
    t = call.translation
    return t.elementwise("-t", t.largest(t.elementwise("-t", x), axes, keep))


def _named(method: str) -> Over:
    def over(call: Call, x: Value, axes: Sequence[int], keep: bool) -> Value:
        found: Value = getattr(call.translation, method)(x, axes, keep)
        return found

    return over


def _reduction(over: Over) -> Rule:
    def rule(call: Call) -> Value:
        x = call.value(0)
        rank, axes = len(shape_of(x)), call.integers("axes", 1)
        if not axes and call.flag("noop_with_empty_axes"):
            return x
        chosen = tuple(sorted({axis_of(axis, rank) for axis in axes})) if axes else tuple(range(rank))
        return over(call, x, chosen, call.flag("keepdims", 1))

    return rule


def _cumsum(call: Call) -> Value:
    t, x = call.translation, call.value(0)
    shape = shape_of(x)
    axis = axis_of(int(np.ravel(call.known(1, "axis"))[0]), len(shape))
    backwards = np.arange(shape[axis])[::-1]
    turned = t.take(x, axis, backwards) if call.flag("reverse") else x
    found = t.cumsum(turned, axis)
    if call.flag("exclusive"):
        if shape[axis] == 1:
            raise Refused("exclusive sums of one entry are zeros; leave the operator out")
        pairs = [(1, 0) if place == axis else (0, 0) for place in range(len(shape))]
        found = t.pad(t.slice(found, axis, 0, shape[axis] - 1), pairs)
    return t.take(found, axis, backwards) if call.flag("reverse") else found


RULES: dict[str, Rule] = {
    "ReduceMean": _reduction(_named("mean")),
    "ReduceSum": _reduction(_named("sum")),
    "ReduceMax": _reduction(_named("largest")),
    "ReduceMin": _reduction(_smallest),
    "ReduceSumSquare": _reduction(_squares),
    "ReduceL2": _reduction(root_of_squares),
    "ReduceL1": _reduction(_absolute),
    "CumSum": _cumsum,
}
"""By operator."""
