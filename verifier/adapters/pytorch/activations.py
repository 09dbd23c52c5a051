"""PyTorch's activation functions as exact real functions.

A parameter such as the slope of a leaky ReLU is the binary number that the module holds, as weights are: 0.01 is not
1/100. PyTorch's softplus goes over into t where ``beta t > threshold``; the real function is the one without this cut,
which differs by less than ``exp(-threshold)/beta`` there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from verifier.errors import InputError
from verifier.sigma.activations import Activation, activation, leaky_relu, softplus
from verifier.sigma.expressions import T

LEAST_THRESHOLD = 20
"""Of softplus, PyTorch's default: a lower one makes it another function, not a cheaper way to compute it."""
MAX_POWER = 16
"""Largest exponent of a power as an activation."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an activation is called in PyTorch, and what it is.

    Parameters
    ----------
    module : str
        The class in ``torch.nn``, empty if there is none.
    make : callable
        Makes the activation from the parameters; raises `InputError` with the reason alone.
    parameters : tuple of (str, object)
        Names and defaults, in the order of the function's arguments after the first.
    """

    module: str
    make: Callable[..., Activation]
    parameters: tuple[tuple[str, Any], ...] = ()


def exact(value: object) -> Fraction:
    """A parameter as the exact number that it is.

    Raises
    ------
    InputError
        It is not a finite number.
    """
    if isinstance(value, int | float):
        try:
            return Fraction(value)
        except (OverflowError, ValueError):
            pass
    raise InputError(f"its parameter {value!r} is not a finite number; use a Python number")


def _named(name: str) -> Callable[..., Activation]:
    def make(**_: object) -> Activation:
        return activation(name)

    return make


def _softplus(beta: object, threshold: object) -> Activation:
    if exact(threshold) < LEAST_THRESHOLD:
        raise InputError(
            f"threshold={threshold} makes it another function; use {LEAST_THRESHOLD} (the default) or more"
        )
    if exact(beta) <= 0:
        raise InputError(f"beta={beta} is not supported; use a positive one")
    return softplus(exact(beta))


def _gelu(approximate: object) -> Activation:
    if approximate not in ("none", "tanh"):
        raise InputError(f"approximate={approximate!r} is not supported; use 'none', the exact GELU, or 'tanh'")
    return activation("gelu" if approximate == "none" else "gelu_tanh")


def _family(name: str, parameter: object) -> Activation:
    """A member of a family, by the exact value of its number."""
    number = exact(parameter)
    return activation(f"{name}({number})")


def _prelu(weight: object) -> Activation:
    count = getattr(weight, "numel", None)
    if not callable(count):
        raise InputError("the slope of PReLU must be a parameter of its module; use torch.nn.PReLU")
    if count() != 1:
        raise InputError(f"PReLU with {count()} slopes is not supported; use num_parameters=1")
    return _family("prelu", float(weight.detach()))  # type: ignore[attr-defined]


def _threshold(threshold: object, value: object) -> Activation:
    if exact(threshold) != 0 or exact(value) != 0:
        raise InputError(f"threshold={threshold}, value={value} jumps or is shifted; only 0, 0, the ReLU, is supported")
    return activation("relu")


def _leaky_relu(negative_slope: object) -> Activation:
    slope = exact(negative_slope)
    if not 0 <= slope < 1:
        raise InputError(f"negative_slope={negative_slope} is not supported; use one from 0 to below 1")
    return leaky_relu(slope)


def _elu(alpha: object) -> Activation:
    factor = _rational(alpha)
    if factor == 1:
        return activation("elu")
    expression = sympy.Max(0, T) + factor * (sympy.exp(sympy.Min(0, T)) - 1)
    return Activation.from_expression(str(expression))


def _hardtanh(min_val: object, max_val: object) -> Activation:
    low, high = _rational(min_val), _rational(max_val)
    if (low, high) == (-1, 1):
        return activation("hard_tanh")
    if low >= high:
        raise InputError(f"min_val={min_val} must be below max_val={max_val}")
    return Activation.from_expression(str(sympy.Max(low, sympy.Min(high, T))))


def _power(exponent: object) -> Activation:
    power = exact(exponent)
    if power.denominator != 1 or not 1 <= power <= MAX_POWER:
        raise InputError(f"exponent {exponent} is not supported; use a whole number from 1 to {MAX_POWER}")
    names = {1: "identity", 2: "square", 3: "cubic"}
    return activation(names.get(int(power), f"t**{power}"))


def _rational(value: object) -> sympy.Rational:
    number = exact(value)
    return sympy.Rational(number.numerator, number.denominator)


RULES: dict[str, Rule] = {
    "sigmoid": Rule("Sigmoid", _named("sigmoid")),
    "expit": Rule("", _named("sigmoid")),
    "tanh": Rule("Tanh", _named("tanh")),
    "softplus": Rule("Softplus", _softplus, (("beta", 1), ("threshold", LEAST_THRESHOLD))),
    "gelu": Rule("GELU", _gelu, (("approximate", "none"),)),
    "silu": Rule("SiLU", _named("silu")),
    "mish": Rule("Mish", _named("t*tanh(log(1 + exp(t)))")),
    "logsigmoid": Rule("LogSigmoid", _named("-log(1 + exp(-t))")),
    "softsign": Rule("Softsign", _named("t/(1 + abs(t))")),
    "tanhshrink": Rule("Tanhshrink", _named("t - tanh(t)")),
    "relu": Rule("ReLU", _named("relu")),
    "relu6": Rule("ReLU6", lambda **_: _hardtanh(0, 6)),
    "leaky_relu": Rule("LeakyReLU", _leaky_relu, (("negative_slope", 0.01),)),
    "elu": Rule("ELU", _elu, (("alpha", 1.0),)),
    "celu": Rule("CELU", lambda alpha: _family("celu", alpha), (("alpha", 1.0),)),
    "selu": Rule("SELU", _named("selu")),
    "prelu": Rule("PReLU", _prelu, (("weight", None),)),
    "threshold": Rule("Threshold", _threshold, (("threshold", None), ("value", None))),
    "softshrink": Rule("Softshrink", lambda lambd: _family("softshrink", lambd), (("lambd", 0.5),)),
    "hardsigmoid": Rule("Hardsigmoid", _named("hard_sigmoid")),
    "hardswish": Rule("Hardswish", _named("hard_swish")),
    "hardtanh": Rule("Hardtanh", _hardtanh, (("min_val", -1.0), ("max_val", 1.0))),
    "sin": Rule("", _named("sin")),
    "cos": Rule("", _named("cos(t)")),
    "erf": Rule("", _named("erf")),
    "atan": Rule("", _named("arctan")),
    "arctan": Rule("", _named("arctan")),
    "exp": Rule("", _named("exp")),
    "square": Rule("", _named("square")),
    "pow": Rule("", _power, (("exponent", None),)),
}
"""By the name of the function; most are methods of tensors as well."""
