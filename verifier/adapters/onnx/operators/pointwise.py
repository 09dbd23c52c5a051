"""Operators that work entry by entry: activations, arithmetic with broadcasting, choices by known masks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from verifier.adapters.onnx.call import Call, Rule, exact_text
from verifier.adapters.translation.values import Known, Refused, Value
from verifier.sigma.activations import activation

SELU = 1.05070102214813232421875, 1.67326319217681884765625
"""Gamma and alpha as the operator defines them: binary32 numbers."""

Make = Callable[[Call], str]


def _map(make: Make) -> Rule:
    return lambda call: call.translation.elementwise(make(call), call.value(0))


def _plain(text: str) -> Rule:
    return _map(lambda call: text)


def _leaky(call: Call) -> str:
    return f"max(0, t) + {exact_text(call.number('alpha', float(np.float32(0.01))))}*min(0, t)"


def _elu(call: Call) -> str:
    return f"max(0, t) + {exact_text(call.number('alpha', 1.0))}*(exp(min(0, t)) - 1)"


def _celu(call: Call) -> str:
    alpha = call.number("alpha", 1.0)
    if alpha <= 0:
        raise Refused(f"alpha = {float(alpha)} must be positive")
    return f"max(0, t) + {exact_text(alpha)}*(exp(min(0, t)/{exact_text(alpha)}) - 1)"


def _selu(call: Call) -> str:
    gamma, alpha = call.number("gamma", SELU[0]), call.number("alpha", SELU[1])
    return f"{exact_text(gamma)}*max(0, t) + {exact_text(gamma * alpha)}*(exp(min(0, t)) - 1)"


def _gelu(call: Call) -> str:
    kind = call.text("approximate", "none")
    if kind not in ("none", "tanh"):
        raise Refused(f"approximate = {kind!r} is unknown; use none or tanh")
    return activation("gelu" if kind == "none" else "gelu_tanh").canonical


def _hard_sigmoid(call: Call) -> str:
    slope, offset = call.number("alpha", float(np.float32(0.2))), call.number("beta", 0.5)
    return f"max(0, min(1, {exact_text(slope)}*t + {exact_text(offset)}))"


def _swish(call: Call) -> str:
    return f"t/(1 + exp(-{exact_text(call.number('alpha', 1.0))}*t))"


def _thresholded(call: Call) -> str:
    alpha = call.number("alpha", 1.0)
    if alpha != 0:
        raise Refused(f"alpha = {float(alpha)}: the function jumps there; use alpha = 0, the ReLU")
    return "max(0, t)"


def _shrink(call: Call) -> str:
    width, bias = call.number("lambd", 0.5), call.number("bias", 0.0)
    if width != bias or width < 0:
        raise Refused(f"lambd = {float(width)}, bias = {float(bias)}: the function jumps; use bias = lambd")
    return f"max(0, t - {exact_text(width)}) + min(0, t + {exact_text(width)})"


def _clip(call: Call) -> Value:
    low, high = _bound(call, "min", 1), _bound(call, "max", 2)
    if low is not None and high is not None and low >= high:
        raise Refused(f"min = {float(low)} must be below max = {float(high)}")
    text = "t" if low is None else f"max({exact_text(low)}, t)"
    text = text if high is None else f"min({exact_text(high)}, {text})"
    return call.value(0) if text == "t" else call.translation.elementwise(text, call.value(0))


def _bound(call: Call, name: str, place: int) -> Fraction | None:
    if not call.has(place) and name not in call.attributes:  # an attribute below opset 11
        return None
    found = call.attributes.get(name)
    found = float(np.ravel(call.known(place, name).astype(np.float64))[0] if found is None else found)
    limit = float(np.finfo(np.float32).max)  # what exporters write for "none"
    return None if not abs(found) < limit else Fraction(found)


def _prelu(call: Call) -> Value:
    t, x, slope = call.translation, call.value(0), call.value(1)
    if isinstance(slope, Known) and slope.array.size == 1:
        number = Fraction(float(np.ravel(slope.array)[0]))
        return t.elementwise(f"max(0, t) + {exact_text(number)}*min(0, t)", x)
    return t.add(t.elementwise("max(0, t)", x), t.multiply(slope, t.elementwise("min(0, t)", x)))


def _fold(name: str) -> Rule:
    def rule(call: Call) -> Value:
        return reduce(getattr(call.translation, name), call.values())

    return rule


def _mean(call: Call) -> Value:
    total = reduce(call.translation.add, call.values())
    return call.translation.divide(total, Known(np.float64(len(call.inputs))))  # type: ignore[arg-type]


def _two(name: str) -> Rule:
    def rule(call: Call) -> Any:
        return getattr(call.translation, name)(call.value(0), call.value(1))

    return rule


def _root(call: Call) -> Value:
    return call.translation.elementwise("sqrt(t)", call.value(0))


def _reciprocal(call: Call) -> Value:
    return call.translation.divide(Known(np.asarray(1.0)), call.value(0))


RULES: dict[str, Rule] = {
    "Relu": _plain("max(0, t)"),
    "LeakyRelu": _map(_leaky),
    "Elu": _map(_elu),
    "Celu": _map(_celu),
    "Selu": _map(_selu),
    "Gelu": _map(_gelu),
    "Erf": _plain("erf(t)"),
    "Sigmoid": _plain("1/(1 + exp(-t))"),
    "HardSigmoid": _map(_hard_sigmoid),
    "HardSwish": _plain("t*max(0, min(1, t/6 + 1/2))"),
    "Softplus": _plain("log(1 + exp(t))"),
    "Softsign": _plain("t/(1 + abs(t))"),
    "Tanh": _plain("tanh(t)"),
    "Mish": _plain("t*tanh(log(1 + exp(t)))"),
    "Swish": _map(_swish),
    "ThresholdedRelu": _map(_thresholded),
    "Shrink": _map(_shrink),
    "Exp": _plain("exp(t)"),
    "Log": _plain("log(t)"),
    "Sin": _plain("sin(t)"),
    "Cos": _plain("cos(t)"),
    "Sinh": _plain("sinh(t)"),
    "Cosh": _plain("cosh(t)"),
    "Atan": _plain("atan(t)"),
    "Neg": _plain("-t"),
    "Abs": _plain("abs(t)"),
    "Sqrt": _root,
    "Reciprocal": _reciprocal,
    "Pow": _two("power"),
    "Clip": _clip,
    "PRelu": _prelu,
    "Add": _two("add"),
    "Sub": _two("subtract"),
    "Mul": _two("multiply"),
    "Div": _two("divide"),
    "Sum": _fold("add"),
    "Mean": _mean,
    "Max": _fold("maximum"),
    "Min": _fold("minimum"),
}
"""By operator."""
