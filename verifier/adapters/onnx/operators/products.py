"""Matrix products, Einsum, attention, rows of tables."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, axis_of, shape_of
from verifier.adapters.translation.values import Known, Refused, Tensor, Value


def _matmul(call: Call) -> Value:
    return call.translation.matmul(call.value(0), call.value(1))


def _gemm(call: Call) -> Value:
    """``alpha A B + beta C``, with exact factors; C broadcasts."""
    t, a, b = call.translation, call.value(0), call.value(1)
    if call.flag("transA"):
        a = t.permute(a, (1, 0))
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    shift = call.optional(2)
    units = shape_of(b)[0 if call.flag("transB") else 1]
    plain = alpha == 1 and beta == 1 and shift is not None and math.prod(shape_of(shift)) == units
    if call.flag("transB"):
        bias = t.reshape(shift, (units,)) if plain and shift is not None else None
        found = t.linear(a, b, bias)
        if bias is not None:
            return found
    else:
        found = t.matmul(a, b)
    found = scaled(call, found, alpha)
    return found if shift is None or beta == 0 else t.add(found, scaled(call, shift, beta))


def scaled(call: Call, value: Value, factor: Fraction) -> Value:
    """The value times a factor, exactly."""
    return value if factor == 1 else call.translation.multiply(value, Known(np.asarray(float(factor))))


def _gather(call: Call) -> Value:
    """Entries along an axis by known indices, or rows of a table by tokens."""
    t, data, indices = call.translation, call.value(0), call.value(1)
    rank = len(shape_of(data))
    axis = axis_of(int(call.attributes.get("axis", 0)), rank)
    if isinstance(indices, Tensor):
        if axis != 0:
            raise Refused(f"tokens choose along axis {axis} of the table; the rows of a table are its axis 0")
        return t.embedding(data, indices)
    length = shape_of(data)[axis]
    wanted = indices.array.astype(np.int64)
    if wanted.size and not (-length <= wanted.min() and wanted.max() < length):
        raise Refused(f"index {wanted.ravel()[0]} of an axis of length {length}")
    found = t.take(data, axis, np.ravel(wanted) % length)
    shape = shape_of(found)
    target = (*shape[:axis], *wanted.shape, *shape[axis + 1 :])
    return found if wanted.ndim == 1 else t.reshape(found, target)


def _one_hot(call: Call) -> Value:
    """Rows of ``off`` with one ``on``, by tokens."""
    depth = int(np.ravel(call.known(1, "depth"))[0])
    off, on = (float(entry) for entry in np.ravel(call.known(2, "values")))
    tokens = call.value(0)
    found = call.translation.embedding(Known(np.where(np.eye(depth, dtype=bool), on, off)), tokens)
    rank = len(shape_of(found))
    axis = axis_of(int(call.attributes.get("axis", -1)), rank)
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return found if axis == rank - 1 else call.translation.permute(found, order)


def _einsum(call: Call) -> Value:
    """Two operands: axes in both and the result are kept in front, those in both alone are summed as a product."""
    equation = call.text("equation", "").replace(" ", "")
    left, _, out = equation.partition("->")
    terms = left.split(",")
    if len(terms) != 2 or "." in equation or "->" not in equation or any(len(set(x)) != len(x) for x in (*terms, out)):
        raise Refused(f"the equation {equation!r} is not stated; use one of two operands with an arrow and no repeats")
    t, (a, b) = call.translation, terms
    both = [axis for axis in a if axis in b and axis in out]
    inner = [axis for axis in a if axis in b and axis not in out]
    mine, yours = [axis for axis in a if axis not in b], [axis for axis in b if axis not in a]
    if any(axis not in out for axis in (*mine, *yours)) or any(axis not in a + b for axis in out) or not inner:
        raise Refused(f"the equation {equation!r} is not stated; sum over axes that both operands have")
    x, y = call.value(0), call.value(1)
    sizes = dict(zip(a, shape_of(x), strict=True)) | dict(zip(b, shape_of(y), strict=True))
    x = t.permute(x, [a.index(axis) for axis in (*both, *mine, *inner)])
    y = t.permute(y, [b.index(axis) for axis in (*both, *inner, *yours)])
    lead, width = [sizes[axis] for axis in both], math.prod(sizes[axis] for axis in inner)
    if len(mine) != 1 or len(inner) != 1:
        x = t.reshape(x, [*lead, math.prod(sizes[axis] for axis in mine), width])
    if len(yours) != 1 or len(inner) != 1:
        y = t.reshape(y, [*lead, width, math.prod(sizes[axis] for axis in yours)])
    found = t.matmul(x, y)
    order = [*both, *mine, *yours]
    if len(mine) != 1 or len(yours) != 1:
        found = t.reshape(found, [sizes[axis] for axis in order])
    axes = [order.index(axis) for axis in out]
    return found if axes == list(range(len(axes))) else t.permute(found, axes)


ATTENTION = frozenset({"is_causal", "q_num_heads", "kv_num_heads", "scale", "softmax_precision"})
"""The attributes of Attention that are read, or do not change its real function."""


def _attention(call: Call) -> Value:
    """Scaled dot products, heads split and merged where the tensors have three axes."""
    call.only(1)
    for name, value in call.attributes.items():
        if name not in ATTENTION and value:
            raise Refused(f"{name} = {value} is not stated; export the model without it")
    if any(call.has(place) for place in range(4, len(call.inputs))):
        raise Refused("it reads a cache of earlier keys and values; export the model without one")
    t, q, k, v = call.translation, call.value(0), call.value(1), call.value(2)
    flat = len(shape_of(q)) == 3
    if flat:
        many, few = int(call.attributes["q_num_heads"]), int(call.attributes["kv_num_heads"])
        q, k, v = _heads(call, q, many), _heads(call, k, few), _heads(call, v, few)
    many, few = shape_of(q)[1], shape_of(k)[1]
    if many % few:
        raise Refused(f"{many} heads of queries and {few} of keys do not fit")
    if many != few:
        each = np.repeat(np.arange(few), many // few)
        k, v = t.take(k, 1, each), t.take(v, 1, each)
    given = call.attributes.get("scale")
    scale = None if given is None else Fraction(given)
    found = t.attention(q, k, v, call.optional(3), scale, call.flag("is_causal"))
    if not flat:
        return found
    batch, _, length, depth = shape_of(found)
    return t.reshape(t.permute(found, (0, 2, 1, 3)), (batch, length, many * depth))


def _heads(call: Call, value: Value, count: int) -> Value:
    batch, length, width = shape_of(value)
    split = call.translation.reshape(value, (batch, length, count, width // count))
    return call.translation.permute(split, (0, 2, 1, 3))


RULES: dict[str, Rule] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Gather": _gather,
    "OneHot": _one_hot,
    "Einsum": _einsum,
    "Attention": _attention,
}
"""By operator."""
