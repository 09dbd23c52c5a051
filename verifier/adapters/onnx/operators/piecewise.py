"""Choices between two functions of the same entries where one exceeds a number: continuous ones are activations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
import sympy

from verifier.adapters.onnx.call import Call, Comparison, Rule, exact_text
from verifier.adapters.translation.expressions import affine_of, symbolic
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.sigma.expressions import T

LEAST_THRESHOLD: Final = 20
"""Softplus is cut there, or farther out, by PyTorch's exporter; the real function is the one without the cut."""
JUMPS: Final = "compares values that depend on the data or on trained weights; export a model without such a choice"


def _greater(call: Call) -> Comparison:
    return Comparison(call.value(0), call.value(1))


def _less(call: Call) -> Comparison:
    return Comparison(call.value(1), call.value(0))


def _where(call: Call) -> Value:
    chosen = call.inputs[0]
    if isinstance(chosen, Comparison):
        return _piecewise(call, chosen, call.value(1), call.value(2))
    return call.translation.where(Known(call.known(0, "condition")), call.value(1), call.value(2))


def _piecewise(call: Call, chosen: Comparison, above: Value, below: Value) -> Value:
    """``above`` where a > b, else ``below``: both functions of the entries of a, joined where a is b.

    At the place c itself both must be equal, so that it does not matter on which side it is counted: then the function
    is above(max(t, c)) + below(min(t, c)) - above(c).
    """
    if isinstance(chosen.a, Known):  # b < a
        chosen, above, below = Comparison(chosen.b, chosen.a), below, above
    x, number = chosen.a, chosen.b
    if not isinstance(x, Tensor) or not isinstance(number, Known) or len(np.unique(number.array)) != 1:
        raise Refused(JUMPS)
    affine = affine_of(x.expression)
    if affine is None or affine[0] == 0:
        raise Refused(JUMPS)
    slope, shift = affine
    place = (Fraction(float(number.array.ravel()[0])) - shift) / slope
    if slope < 0:
        above, below = below, above
    texts = [_text(part, x) for part in (above, below)]
    if _is_softplus(texts, slope, slope * place):
        call.translation.remark(
            "softplus is taken without the cut at its threshold, behind which the two differ by less than exp(-20)"
        )
        return below
    c = exact_text(place)
    first, second = (symbolic(text) for text in texts)
    at = sympy.Rational(place.numerator, place.denominator)
    if first is None or second is None or sympy.simplify(first.subs(T, at) - second.subs(T, at)) != 0:
        raise Refused(f"the function jumps at {float(place)}, or is not stated; {JUMPS}")
    high, low = (text.replace("exp", "EXP").replace("Max", "MAX") for text in texts)
    joined = f"({_at(high, f'max({c}, t)')}) + ({_at(low, f'min({c}, t)')}) - ({_at(high, c)})"
    bare = replace(x, expression=None)
    return call.translation.elementwise(joined.replace("EXP", "exp").replace("MAX", "Max"), bare)


def _at(text: str, argument: str) -> str:
    """Return a function of t, written as an expression, at an argument."""
    import re

    return re.sub(r"\bt\b", f"({argument})", text)


def _text(value: Value, x: Tensor) -> str:
    """A value as a function of the entries of x."""
    if isinstance(value, Known):
        if value.array.size and len(np.unique(value.array)) == 1 and np.isfinite(value.array).all():
            return exact_text(float(value.array.ravel()[0]))
    elif value.hidden is None and value.classes is None and _entries(value) == _entries(x):
        return value.expression or "t"
    raise Refused(JUMPS)


def _entries(x: Tensor) -> tuple[object, ...]:
    """What a tensor is a function of, entry by entry."""
    return x.node, x.shape, x.batch


def _is_softplus(texts: list[str], slope: Fraction, threshold: Fraction) -> bool:
    """Whether, b the slope, it is ``log(1 + exp(b t)) / b`` below a threshold of ``b t``, and t above it."""
    if threshold < LEAST_THRESHOLD or slope <= 0:
        return False
    rate = sympy.Rational(slope.numerator, slope.denominator)
    above, below = (symbolic(text) for text in texts)
    if above is None or below is None:
        return False
    wanted = sympy.log(1 + sympy.exp(rate * T)) / rate
    return bool(sympy.simplify(above - T) == 0 and sympy.simplify(below - wanted) == 0)


RULES: dict[str, Rule] = {
    "Greater": _greater,
    "GreaterOrEqual": _greater,
    "Less": _less,
    "LessOrEqual": _less,
    "Where": _where,
}
"""By operator."""
