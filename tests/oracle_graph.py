"""The oracle of graphs: any network's values from the definitions of its node kinds, one sample at a time.

It shares no code with the engines: no index tables, no `Node.compute` (see `node_definitions`). Numbers are mpmath's
(at the precision of the caller's ``workdps``) or exact fractions; a node's value is an object array of its own shape.
"""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import sympy
from node_definitions import RULES as DEFINITIONS
from node_definitions import filled
from planted import DIGITS, ORACLE, mp

from verifier.sigma.expressions import T

RATIONAL = {
    "identity": lambda t: t,
    "square": lambda t: t * t,
    "cubic": lambda t: t * t * t,
    "relu": lambda t: max(t, Fraction(0)),
    "leaky_relu": lambda t: max(t, t / 100),
    "hard_tanh": lambda t: max(Fraction(-1), min(Fraction(1), t)),
    "abs(t)": abs,
}
"""Activations that map fractions to fractions."""


def psi_oracle(network, u, inputs, number=mp):
    """Psi(U): one list of M numbers for each sample of ``inputs``, ``(N, d)``; mpmath at `DIGITS` digits by default."""
    with mpmath.workdps(DIGITS):
        rows = []
        for x in np.asarray(inputs, dtype=float):
            values = node_values(network, u, x, number)
            row = []
            for feature in network.features:
                flat = list(values[feature.node].ravel())
                row += flat if feature.entries is None else [flat[j] for j in feature.entries]
            rows.append(row)
        return rows


def node_values(network, u, x, number=mp):
    """The values of all nodes on the sample ``x``, ``(d,)``; ``number`` is `planted.mp` or `Fraction`."""
    values, position = [], 0
    for node in network.nodes:
        read = [values[i] for i in node.reads]
        if node.kind == "input":
            values.append(_tensor(x, node.size, number))
        elif node.kind == "parameter":
            size = math.prod(node.size)
            values.append(_tensor(u[position : position + size], node.size, number))
            position += size
        elif node.kind == "constant":
            values.append(_tensor(node.values, node.values.shape, number))
        else:
            values.append(RULES[node.kind](node, read, number))
    assert position == len(u)
    return values


def _tensor(numbers, shape, number):
    return filled(shape, [number(v) for v in np.asarray(numbers, dtype=object).ravel().tolist()])


def _map(node, read, number):
    name = node.sigma.name
    if number is Fraction:
        function = RATIONAL[name]
    else:
        function = ORACLE.get(name) or sympy.lambdify(T, node.sigma.expression, "mpmath")
    return filled(read[0].shape, [function(z) for z in read[0].ravel()])


RULES = DEFINITIONS | {"map": _map}
"""One rule for each node kind."""
