"""Sums, products, quotients, powers, the larger of two, choices by known masks, changes of type."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.adapters.pytorch.operators.table import Context, number, operator
from verifier.adapters.translation.values import Known, Refused, Value

WIDE = ("int64", "float64", "float32", "float16", "bfloat16")
"""Types in which sums of data do not wrap around."""
FEW = 2**9
"""A whole number whose product with data, below 2**53, does not wrap around in int64."""


def require_wide(c: Context) -> None:
    """Refuse sums in a type that data may overflow."""
    if c.kind not in WIDE:
        raise Refused(f"computes in {c.kind}, which wraps around; convert the input first: x.float()")


def _require_float(c: Context) -> None:
    if "float" not in c.kind:
        raise Refused(f"multiplies in {c.kind}, which may wrap around; convert the input first: x.float()")


def _times(c: Context, value: Any, factor: Any) -> Value:
    """A value times ``alpha`` or ``beta``, which is 1 as a rule."""
    return number(value) if factor == 1 else c.to.multiply(number(value), number(factor))


@operator("add")
def add(c: Context, a: Any, b: Any, alpha: Any = 1) -> Value:
    """Translate ``a + alpha b``, entry by entry, with broadcasting."""
    require_wide(c)
    return c.to.add(number(a), _times(c, b, alpha))


@operator("sub", "subtract")
def subtract(c: Context, a: Any, b: Any, alpha: Any = 1) -> Value:
    """Translate ``a - alpha b``, entry by entry, with broadcasting."""
    require_wide(c)
    return c.to.subtract(number(a), _times(c, b, alpha))


@operator("rsub")
def subtract_from(c: Context, a: Any, b: Any, alpha: Any = 1) -> Value:
    """Translate ``b - alpha a``, entry by entry, with broadcasting."""
    require_wide(c)
    return c.to.subtract(number(b), _times(c, a, alpha))


@operator("mul", "multiply")
def multiply(c: Context, a: Any, b: Any) -> Value:
    """Translate ``a b``, entry by entry, with broadcasting."""
    if not any(isinstance(each, int) and abs(each) <= FEW for each in (a, b)):
        _require_float(c)
    require_wide(c)
    return c.to.multiply(number(a), number(b))


@operator("div", "divide", "true_divide")
def divide(c: Context, a: Any, b: Any, rounding_mode: str | None = None) -> Value:
    """Translate ``a / b``, entry by entry; no quotient is rounded."""
    if rounding_mode is not None:
        raise Refused(f"divides and rounds ({rounding_mode}), which jumps; use a / b")
    return c.to.divide(number(a), number(b))


@operator("neg")
def negative(c: Context, a: Any) -> Value:
    """Translate ``-a``, which is exact, entry by entry."""
    require_wide(c)
    return c.to.multiply(a, number(-1))


@operator("reciprocal")
def reciprocal(c: Context, a: Any) -> Value:
    """Translate ``1 / a``, entry by entry."""
    return c.to.divide(number(1), a)


@operator("sqrt")
def square_root(c: Context, a: Any) -> Value:
    """``a`` to the power of 1/2."""
    return c.to.power(a, number(0.5))


@operator("rsqrt")
def inverse_root(c: Context, a: Any) -> Value:
    """``a`` to the power of -1/2."""
    return c.to.power(a, number(-0.5))


@operator("pow")
def power(c: Context, a: Any, b: Any) -> Value:
    """``a`` to the power of ``b``."""
    require_wide(c)
    _require_float(c)
    return c.to.power(number(a), number(b))


@operator("square")
def square(c: Context, a: Any) -> Value:
    """``a`` times itself, entry by entry."""
    return power(c, a, 2)


@operator("addcmul")
def add_product(c: Context, a: Any, b: Any, d: Any, value: Any = 1) -> Value:
    """Translate ``a + value b d``, entry by entry."""
    return c.to.add(a, _times(c, c.to.multiply(b, d), value))


@operator("addcdiv")
def add_quotient(c: Context, a: Any, b: Any, d: Any, value: Any = 1) -> Value:
    """Translate ``a + value b / d``, entry by entry."""
    return c.to.add(a, _times(c, c.to.divide(b, d), value))


@operator("lerp")
def between(c: Context, a: Any, b: Any, weight: Any) -> Value:
    """Translate ``(1 - weight) a + weight b``, entry by entry."""
    rest = c.to.subtract(number(1), number(weight))
    return c.to.add(c.to.multiply(rest, a), c.to.multiply(number(weight), b))


@operator("maximum", "fmax")
def larger(c: Context, a: Any, b: Any) -> Value:
    """Translate the larger of two values, entry by entry."""
    return c.to.maximum(number(a), number(b))


@operator("minimum", "fmin")
def smaller(c: Context, a: Any, b: Any) -> Value:
    """Translate the smaller of two values, entry by entry."""
    return c.to.minimum(number(a), number(b))


@operator("clamp", "clip", "hardtanh")
def clamp(c: Context, a: Any, low: Any = None, high: Any = None, **named: Any) -> Value:
    """No smaller than one number, no larger than another."""
    require_wide(c)
    low, high = named.get("min", low), named.get("max", high)
    if c.node.target.__name__.startswith("hardtanh"):
        low, high = (-1.0 if low is None else low), (1.0 if high is None else high)
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        raise Refused(f"min {low} must be below max {high}; exchange them")
    below = a if low is None else no_smaller(c, a, low)
    return below if high is None else c.to.minimum(below, number(high))


@operator("clamp_min")
def no_smaller(c: Context, a: Any, low: Any) -> Value:
    """Translate a clamp from below by a number, entry by entry."""
    return c.to.maximum(a, number(low))


@operator("clamp_max")
def no_larger(c: Context, a: Any, high: Any) -> Value:
    """Translate a clamp from above by a number, entry by entry."""
    return c.to.minimum(a, number(high))


@operator("where")
def where(c: Context, mask: Any, a: Any, b: Any) -> Value:
    """One of two numbers, by a known mask."""
    return c.to.where(_mask(mask), number(a), number(b))


@operator("masked_fill")
def masked_fill(c: Context, a: Any, mask: Any, value: Any) -> Value:
    """A number where a known mask is true."""
    return c.to.where(_mask(mask), number(value), a)


def _mask(mask: Any) -> Known:
    if not isinstance(mask, Known):
        raise Refused("a mask depends on the input or on trained parameters; register it as a buffer")
    return Known(mask.array.astype(bool))


@operator("tril", "triu")
def triangle(c: Context, a: Any, diagonal: int = 0) -> Value:
    """Translate a triangle: entries above or below a diagonal become 0."""
    import torch

    ones = torch.ones(c.shape[-2:], dtype=torch.float64)
    return c.to.multiply(a, Known(np.array(c.node.target(ones, diagonal).numpy())))


@operator("to", "_to_copy", "type_as", "convert_element_type")
def of_type(c: Context, a: Any, *_: Any, **__: Any) -> Value:
    """Another type: the same real numbers; whole numbers stay whole."""
    before = c.kind_of(c.node.args[0])
    if "complex" in c.kind:
        raise Refused("computes with complex numbers; write it with real ones")
    if "float" in before and "float" not in c.kind:
        if not all(_reads_tokens(user) for user in c.node.users):
            raise Refused(f"rounds values to {c.kind}; use them as they are, or give whole numbers as data")
    elif "float" not in c.kind and not np.can_cast(before, c.kind) and not all(map(_reads_tokens, c.node.users)):
        raise Refused(f"converts {before} to {c.kind}, which loses numbers; leave it out")
    if "float" in before and _digits(c.kind) < _digits(before):
        c.to.remark(f"values are used as they are where the module rounds them to {c.kind}")
    value: Value = a
    return value


def _digits(kind: str) -> int:
    """How many binary digits numbers of a floating-point type have."""
    return {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}.get(kind, 0)


def _reads_tokens(user: Any) -> bool:
    """Whether an operator refuses numbers that are not whole by itself."""
    return any(word in str(user.target) for word in ("embedding", "one_hot"))


@operator("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "dropout", "feature_dropout")
def same(c: Context, a: Any, *_: Any, **__: Any) -> Value:
    """The same numbers; dropout in evaluation is none (active dropout is refused before)."""
    value: Value = a
    return value
