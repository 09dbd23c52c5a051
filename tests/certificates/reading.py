"""A certificate's network in mpmath, by the definition of each node kind (`node_definitions`).

Nothing of this is shared with the checker or the prover.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

sys.path.append(str(Path(__file__).resolve().parents[1]))  # also where this folder's modules run by themselves
from node_definitions import RULES, Undefined, filled, real, stated

NAMES = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "erf", "pi", "e")


def function_of(text: str) -> Callable[[mpf], mpf]:
    """Return an activation; what is no real number is undefined."""
    code = re.sub(r"(?<![a-zA-Z0-9])(\d+)", r"mpf(\1)", text).replace("E", "e")
    names = {name: getattr(mpmath, name) for name in NAMES} | {"mpf": mpf, "Abs": abs, "Max": max, "Min": min}
    compiled = compile(code.strip(), "activation", "eval")

    def function(t: mpf) -> mpf:
        try:
            value = mpmath.mpmathify(eval(compiled, {"__builtins__": {}}, {**names, "t": t}))
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):
            raise Undefined(text) from None
        if not isinstance(value, mpf) or not mpmath.isfinite(value):
            raise Undefined(text)
        return value

    return function


def evaluate(nodes: list[Any], given: dict[int, list[mpf]], sample: list[mpf]) -> list[np.ndarray]:
    """Return the values of all nodes at one sample; `given` are those of parameters and constants."""
    values: list[np.ndarray] = []
    for number, node in enumerate(nodes):
        if node["kind"] in ("input", "parameter", "constant"):
            values.append(filled(node["shape"], map(real, sample if node["kind"] == "input" else given[number])))
        else:
            read = [values[i] for i in node["reads"]]
            values.append(RULES[node["kind"]](stated(node, function_of), read, real))
    return values
