"""Small networks with derivatives of their logits at 120 digits."""

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from planted_graphs import random_graph, random_point

from verifier.fuzz import oracle

DIGITS = 120


@dataclass
class Case:
    """A network at (U, V) on some samples."""

    network: Any
    u: Any
    v: Any
    inputs: Any
    rng: Any

    @property
    def size(self):
        return len(self.u) + self.v.size


def small_case(kind, seed=0, network=None, outputs=2):
    """A random graph that has a kind of node (None: any)."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        made = network or random_graph(rng, steps=5)
        u, x = random_point(rng, made, count=2)
        if (kind is None or any(node.kind == kind for node in made.nodes)) and 0 < len(u) <= 60:
            return Case(made, u, rng.standard_normal((made.columns, outputs)), x, rng)
    raise AssertionError(kind)


def derivative_at(case, u, v, j):
    """The column of the Jacobian of the logits for the parameter j: mpmath numbers, row ``i m + k``."""
    return oracle.approx_derivative_to(case.network, u, v, case.inputs, j, DIGITS)


def off_by(found, j, column):
    """How many entries of a column of an enclosure do not contain the truth."""
    pairs = zip(found.middles[:, j].tolist(), found.radii[:, j].tolist(), column, strict=True)
    noise = mpmath.mpf(10) ** -50
    return sum(not abs(mpmath.mpf(m) - c) <= mpmath.mpf(r) + noise * (1 + abs(c)) for m, r, c in pairs)
