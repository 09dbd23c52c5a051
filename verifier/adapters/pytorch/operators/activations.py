"""PyTorch's activation functions as exact real functions of one number.

A parameter such as the slope of a leaky ReLU is the binary number that the module holds, as weights are: 0.01 is not
1/100. PyTorch's softplus goes over into t where ``beta t > threshold``; the real function is the one without this cut,
which differs by less than ``exp(-threshold)/beta`` there.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from verifier.adapters.pytorch.operators.table import DOUBLE, OPERATORS, Context, operator
from verifier.adapters.translation.values import Known, Refused, Value
from verifier.sigma.activations import activation

LEAST_THRESHOLD = 20
"""Of softplus, PyTorch's default: a lower one makes it another function, not a cheaper way to compute it."""

PLAIN: Final[dict[str, str]] = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "mish": "mish",
    "log_sigmoid": "log_sigmoid",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "sin": "sin",
    "cos": "cos",
    "sinh": "sinh",
    "cosh": "cosh",
    "atan": "arctan",
    "erf": "erf",
    "exp": "exp",
    "abs": "abs",
}
"""Operators without parameters, and the name of the activation."""
WRITTEN: Final[dict[str, str]] = {
    "erfc": "1 - erf(t)",
    "expm1": "exp(t) - 1",
    "log": "log(t)",
    "log1p": "log(1 + t)",
    "softsign": "t/(1 + abs(t))",
    "tanhshrink": "t - tanh(t)",
}
"""Operators that are written out."""


def exact(value: object) -> Fraction:
    """A parameter as the exact number that it is.

    Parameters
    ----------
    value : int or float
        What PyTorch recorded of the operator.

    Returns
    -------
    Fraction
        Equal to the number.

    Raises
    ------
    Refused
        It is not a finite number.
    """
    if isinstance(value, int | float):
        try:
            return Fraction(value)
        except (OverflowError, ValueError):
            pass
    raise Refused(f"its parameter {value!r} is not a finite number; use a Python number")


def _entered(name: str, expression: str) -> None:
    def handler(c: Context, a: Any, *_: Any, **__: Any) -> Value:
        return c.to.elementwise(expression, a)

    OPERATORS[name] = handler


for _name, _activation in PLAIN.items():
    _entered(_name, activation(_activation).canonical)
for _name, _expression in WRITTEN.items():
    _entered(_name, _expression)


@operator("gelu")
def gelu(c: Context, a: Any, approximate: str = "none") -> Value:
    """The exact GELU, or the one by tanh."""
    return c.to.elementwise(activation("gelu" if approximate == "none" else "gelu_tanh").canonical, a)


@operator("leaky_relu")
def leaky_relu(c: Context, a: Any, negative_slope: Any = 0.01) -> Value:
    """Of a slope from 0 to below 1."""
    slope = exact(negative_slope)
    if slope == 1:
        return a  # type: ignore[no-any-return]
    return c.to.elementwise(f"max(0, t) + ({slope})*min(0, t)", a)


@operator("rrelu")
def random_leaky_relu(
    c: Context, a: Any, lower: Any = 1 / 8, upper: Any = 1 / 3, training: bool = False, *_: Any
) -> Value:
    """With the mean of its two slopes, as in evaluation."""
    if training:
        raise Refused("draws slopes in evaluation, too; pass training=self.training")
    return leaky_relu(c, a, (lower + upper) / 2)


@operator("prelu")
def prelu(c: Context, a: Any, weight: Any) -> Value:
    """Slopes that are parameters, one or one for each channel (axis 1)."""
    shape = [1] * len(c.shape)
    if len(shape) > 1:
        shape[1] = c.inputs[1].numel()
    if isinstance(weight, Known) and weight.array.size == 1:
        return leaky_relu(c, a, float(weight.array.ravel()[0]))
    slopes = c.to.reshape(weight, shape)
    return c.to.add(c.to.elementwise("max(0, t)", a), c.to.multiply(slopes, c.to.elementwise("min(0, t)", a)))


@operator("elu")
def elu(c: Context, a: Any, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Value:
    """``scale (max(0, t) + alpha (exp(input_scale min(0, t)) - 1))``."""
    factor, outer, inner = exact(alpha), exact(scale), exact(input_scale)
    return c.to.elementwise(f"({outer})*(max(0, t) + ({factor})*(exp(({inner})*min(0, t)) - 1))", a)


@operator("celu")
def celu(c: Context, a: Any, alpha: Any = 1) -> Value:
    """``max(0, t) + alpha (exp(min(0, t)/alpha) - 1)``."""
    factor = exact(alpha)
    if factor <= 0:
        raise Refused(f"alpha={alpha} is not supported; use a positive one")
    return c.to.elementwise(f"max(0, t) + ({factor})*(exp(min(0, t)/({factor})) - 1)", a)


@operator("softplus")
def softplus(c: Context, a: Any, beta: Any = 1, threshold: Any = LEAST_THRESHOLD) -> Value:
    """Translate ``log(1 + exp(beta t))/beta``, entry by entry."""
    if exact(threshold) < LEAST_THRESHOLD:
        raise Refused(f"threshold={threshold} makes it another function; use {LEAST_THRESHOLD} (the default) or more")
    factor = exact(beta)
    if factor <= 0:
        raise Refused(f"beta={beta} is not supported; use a positive one")
    inner = "t" if factor == 1 else f"({factor})*t"
    outer = "" if factor == 1 else f"/({factor})"
    return c.to.elementwise(f"log(1 + exp({inner})){outer}", a)


def _softplus_everywhere(a: Any, beta: Any = 1, threshold: Any = LEAST_THRESHOLD) -> Any:
    """PyTorch's own, without the cut at the threshold."""
    import torch

    return torch.logaddexp(torch.zeros_like(a), a * beta) / beta


DOUBLE["softplus"] = _softplus_everywhere


@operator("softshrink")
def softshrink(c: Context, a: Any, lambd: Any = 0.5) -> Value:
    """Move every entry towards 0 by `lambd`, and to 0 what is nearer."""
    width = exact(lambd)
    return c.to.elementwise(f"max(0, t - ({width})) + min(0, t + ({width}))", a)


@operator("hardshrink")
def hardshrink(c: Context, a: Any, lambd: Any = 0.5) -> Value:
    """Refuse hardshrink, which is not continuous."""
    raise Refused("hardshrink jumps, and no expression here has a jump; use nn.Softshrink")


@operator("threshold")
def threshold(c: Context, a: Any, at: Any, value: Any) -> Value:
    """``t`` above a number, another number below; continuous only if the two are equal."""
    level = exact(at)
    if level != exact(value):
        raise Refused(f"threshold={at}, value={value} jumps; only equal numbers (0, 0: the ReLU) are supported")
    return c.to.elementwise(f"max({level}, t)", a)


@operator("glu")
def gated(c: Context, a: Any, dim: int = -1) -> Value:
    """One half times the sigmoid of the other half."""
    half = c.shape[dim]
    first, second = c.to.slice(a, dim, 0, half), c.to.slice(a, dim, half, 2 * half)
    return c.to.multiply(first, c.to.elementwise(activation("sigmoid").canonical, second))
