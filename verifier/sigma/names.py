"""Names that other libraries give to activations: those with an exact expression, and why the others are none.

Names are compared without case, spaces, ``-`` and ``_``: ``"HardSwish"``, ``"hard-swish"`` and ``"hardswish"`` are one.
Constants are exact decimals or named constants; where libraries differ, PyTorch's definition counts.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Final

SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
"""Klambauer et al. (2017), with the digits that PyTorch and Keras print."""

NEAR: Final = 0.75
"""How alike a name must be to be suggested: 'swish' is not 'sin'."""

SAME: Final[dict[str, str]] = {
    "swish": "silu",
    "swish1": "silu",
    "logistic": "sigmoid",
    "linear": "identity",
    "none": "identity",
    "atan": "arctan",
    "hardtanh": "hard_tanh",
    "sine": "sin",
    "quadratic": "square",
    "cube": "cubic",
}
"""Other names of the catalogue's activations."""

EXPRESSIONS: Final[dict[str, str]] = {
    "mish": "t*tanh(log(1 + exp(t)))",
    "selu": f"{SELU_SCALE}*max(0, t) + {SELU_SCALE}*{SELU_ALPHA}*(exp(min(0, t)) - 1)",
    "relu6": "min(6, max(0, t))",
    "squared_relu": "max(0, t)**2",
    "hard_sigmoid": "max(0, min(1, t/6 + 1/2))",
    "hard_swish": "t*max(0, min(1, t/6 + 1/2))",
    "hard_silu": "t*max(0, min(1, t/6 + 1/2))",
    "softsign": "t/(1 + abs(t))",
    "log_sigmoid": "-log(1 + exp(-t))",
    "tanhshrink": "t - tanh(t)",
    "softshrink": "max(0, t - 1/2) + min(0, t + 1/2)",
    "squareplus": "(t + sqrt(t**2 + 4))/2",
    "gelu_tanh": "t*(1 + tanh(sqrt(2/pi)*(t + 0.044715*t**3)))/2",
    "gelu_new": "t*(1 + tanh(sqrt(2/pi)*(t + 0.044715*t**3)))/2",
    "quick_gelu": "t*sigmoid(1.702*t)",
    "gaussian": "exp(-t**2)",
    "snake": "t + sin(t)**2",
    "cos": "cos(t)",
    "cosine": "cos(t)",
    "sinh": "sinh(t)",
    "cosh": "cosh(t)",
    "abs": "abs(t)",
    "log1pexp": "log(1 + exp(t))",
}
"""By name: an expression."""

FAMILIES: Final[dict[str, Callable[[Fraction], str]]] = {
    "elu": lambda a: f"max(0, t) + ({a})*(exp(min(0, t)) - 1)",
    "celu": lambda a: f"max(0, t) + ({a})*(exp(min(0, t)/({a})) - 1)",
    "prelu": lambda a: f"max(0, t) + ({a})*min(0, t)",
    "swish": lambda a: f"t*sigmoid(({a})*t)",
    "siren": lambda a: f"sin(({a})*t)",
    "softshrink": lambda a: f"max(0, t - ({a})) + min(0, t + ({a}))",
    "threshold_relu": lambda a: f"max(0, t - ({a}))",
}
"""Families by one number: `celu(2)`, `prelu(0.25)`."""

DEFAULTS: Final[dict[str, Fraction]] = {"celu": Fraction(1), "siren": Fraction(30)}
"""The number of a family where its name stands alone."""

POSITIVE: Final = frozenset({"celu", "softshrink"})
"""Families whose number must be positive."""

_GATED: Final = "a gated unit multiplies two units; an activation takes one number"
_STEP: Final = (
    "a step function is not continuous, and its derivative is 0: no expression has a jump here; a steep sigmoid is"
    " 'sigmoid(50*t)'"
)
_SIGN: Final = (
    "the sign function is not continuous, and its derivative is 0: no expression has a jump here; a steep tanh is"
    " 'tanh(50*t)'"
)
_ROUNDING: Final = "a rounding function jumps: no expression has a jump here"
_WHOLE_LAYER: Final = (
    "acts on a whole layer, not on one number; the cross-entropy has it inside: let the network end in the logits"
)

REASONS: Final[dict[str, str]] = {
    "softmax": f"softmax {_WHOLE_LAYER}",
    "logsoftmax": f"log_softmax {_WHOLE_LAYER}",
    "softmin": "softmin acts on a whole layer, not on one number",
    "maxout": "maxout takes several numbers; an activation takes one",
    **dict.fromkeys(("glu", "swiglu", "geglu"), _GATED),
    **dict.fromkeys(("heaviside", "step", "binarystep"), _STEP),
    **dict.fromkeys(("sign", "signum"), _SIGN),
    "hardshrink": "hardshrink jumps: no expression has a jump here; 'softshrink' is continuous",
    "threshold": "a threshold jumps, unless it is a ReLU: write 'relu'",
    "rrelu": "the slope of RReLU is random; take the one that evaluation uses: 'leaky_relu(11/48)'",
    "prelu": "the slope of PReLU is a trained number; write it: 'prelu(0.25)'",
    "tan": "tan has poles: it is undefined at t = pi/2; an activation must be a real number for every real t",
    "log": "log(t) is undefined for t <= 0; an activation must be a real number for every real t: 'log(1 + t**2)' is",
    "sqrt": "sqrt(t) is undefined for t < 0; an activation must be a real number for every real t: 'sqrt(1 + t**2)' is",
    "asin": "asin is defined on [-1, 1] only; an activation must be a real number for every real t",
    "acos": "acos is defined on [-1, 1] only; an activation must be a real number for every real t",
    **dict.fromkeys(("floor", "ceil", "round"), _ROUNDING),
}
"""Names that are no activation here, and why; by `plain` name."""


def plain(name: str) -> str:
    """Strip a name of case, spaces, hyphens and underscores.

    Parameters
    ----------
    name : str
        Any.

    Returns
    -------
    str
        What names are compared by.
    """
    return "".join(c for c in name.lower() if c not in " -_")


def suggestion(name: str, known: Iterable[str], listed: Iterable[str]) -> str:
    """Say what to do about an unknown name, as the end of a message.

    Parameters
    ----------
    name : str
        Unknown.
    known : iterable of str
        The names that exist.
    listed : iterable of str
        Those that are named if none is alike.

    Returns
    -------
    str
        A name that is alike, or how to write an expression.
    """
    names = {plain(other): other for other in sorted(known)}
    close = difflib.get_close_matches(plain(name), list(names), n=1, cutoff=NEAR)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"write it as an expression in t, such as 't*tanh(log(1 + exp(t)))', or use {', '.join(sorted(listed))}"
