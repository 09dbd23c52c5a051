"""Sums, means, maxima, variances, norms over axes; running sums."""

from __future__ import annotations

import math
from typing import Any

from verifier.adapters.pytorch.operators.arithmetic import require_wide
from verifier.adapters.pytorch.operators.table import Context, number, operator, shape_of
from verifier.adapters.translation.values import Refused, Value


def _over(x: Any, dim: Any) -> list[int]:
    """The axes that are meant: a number, several, or all."""
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return list(range(len(shape_of(x))))
    return [dim] if isinstance(dim, int) else list(dim)


def _require_kept(c: Context) -> None:
    """Refuse a ``dtype`` that does not keep the numbers."""
    require_wide(c)
    if "float" in c.kind_of(c.node.args[0]) and "float" not in c.kind:
        raise Refused(f"rounds values to {c.kind} (dtype=...); leave dtype out")


@operator("sum")
def total(c: Context, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """Translate a sum over some axes."""
    _require_kept(c)
    return c.to.sum(x, _over(x, dim), keepdim)


@operator("mean")
def mean(c: Context, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """Translate a mean over some axes."""
    return c.to.mean(x, _over(x, dim), keepdim)


@operator("amax")
def largest(c: Context, x: Any, dim: Any = None, keepdim: bool = False) -> Value:
    """Translate a maximum over some axes."""
    return c.to.largest(x, _over(x, dim), keepdim)


@operator("amin")
def smallest(c: Context, x: Any, dim: Any = None, keepdim: bool = False) -> Value:
    """Translate a minimum over some axes, as -max(-x)."""
    flipped = c.to.largest(c.to.multiply(x, number(-1)), _over(x, dim), keepdim)
    return c.to.multiply(flipped, number(-1))


@operator("max.dim")
def largest_and_place(c: Context, x: Any, dim: int, keepdim: bool = False) -> Any:
    """The largest along an axis; its place is not taken over."""
    return largest(c, x, dim, keepdim), None


@operator("min.dim")
def smallest_and_place(c: Context, x: Any, dim: int, keepdim: bool = False) -> Any:
    """The smallest along an axis; its place is not taken over."""
    return smallest(c, x, dim, keepdim), None


@operator("max.other")
def larger(c: Context, a: Any, b: Any) -> Value:
    """Translate the larger of two values, entry by entry."""
    return c.to.maximum(a, b)


@operator("min.other")
def smaller(c: Context, a: Any, b: Any) -> Value:
    """Translate the smaller of two values, entry by entry."""
    return c.to.minimum(a, b)


@operator("max", "min")
def of_everything(c: Context, x: Any) -> Value:
    """Refuse a reduction over all entries: it mixes samples."""
    raise Refused("takes the largest over all samples; give the axes: torch.amax(x, dim=1)")


@operator("var")
def variance(c: Context, x: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **named: Any) -> Value:
    """Translate a variance over some axes, with Bessel's or another correction."""
    if isinstance(correction, bool) or named.get("unbiased") is not None:
        correction = int(named.get("unbiased", correction))
    correction = 1 if correction is None else correction
    return c.to.variance(x, _over(x, dim), keepdim, correction)


@operator("std")
def deviation(c: Context, x: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **named: Any) -> Value:
    """Translate a standard deviation, the root of the variance."""
    return c.to.power(variance(c, x, dim, correction, keepdim, **named), number(0.5))


@operator("linalg_vector_norm", "norm")
def norm(c: Context, x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """The 1-, 2- or largest-entry norm along axes."""
    axes = _over(x, dim)
    if ord in (2, "fro", None):
        return c.to.power(c.to.sum(c.to.power(x, number(2)), axes, keepdim), number(0.5))
    sizes = c.to.elementwise("abs(t)", x)
    if ord == 1:
        return c.to.sum(sizes, axes, keepdim)
    if ord == math.inf:
        return c.to.largest(sizes, axes, keepdim)
    raise Refused(f"a norm of order {ord} is not supported; use 1, 2 or infinity")


@operator("cumsum")
def running_sum(c: Context, x: Any, dim: int, **_: Any) -> Value:
    """Translate running sums along an axis."""
    _require_kept(c)
    return c.to.cumsum(x, dim)
